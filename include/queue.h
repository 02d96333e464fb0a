/* queue: a heap of item numbers that knows where each item stands, so that any item can be taken out in
 * O(log n). Items are numbers from 1 into a slab (item i is slab_at(slab, i - 1)); a uint32_t inside the
 * item, at a fixed offset, holds its position, an int32_t at another its priority, which does not change
 * while the item is in a queue. Order: higher priority first, then by number: units are numbered in the order
 * of their trials, so the oldest trial comes first with its folds in order. An item is in at most one queue
 * that uses the same field. */
#ifndef QUEUE_H
#define QUEUE_H

#include "arena.h"

#include <stdbool.h>
#include <stdint.h>

struct queue {
	struct arena *arena;
	const struct slab *slab;
	size_t pos_offset, priority_offset;
	uint32_t *items;
	uint32_t count, cap;
};

void queue_init(struct queue *q, struct arena *a, const struct slab *slab, size_t pos_offset,
                size_t priority_offset);
void queue_push(struct queue *q, uint32_t item);
/* The first, or 0 when empty. */
static inline uint32_t queue_top(const struct queue *q)
{
	return q->count ? q->items[0] : 0;
}
/* The item must be in this queue. */
void queue_remove(struct queue *q, uint32_t item);
/* Heap order and positions hold. */
bool queue_valid(const struct queue *q);

#endif
