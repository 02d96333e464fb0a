#include "queue.h"

#include <assert.h>

void queue_init(struct queue *q, struct arena *a, const struct slab *slab, size_t pos_offset,
                size_t priority_offset)
{
	*q = (struct queue){
	    .arena = a, .slab = slab, .pos_offset = pos_offset, .priority_offset = priority_offset};
}

static int32_t priority_of(const struct queue *q, uint32_t item)
{
	return *(const int32_t *)(const void *)((const char *)slab_at(q->slab, item - 1) +
	                                        q->priority_offset);
}

/* Does a come before b? */
static bool before(const struct queue *q, uint32_t a, uint32_t b)
{
	int32_t x = priority_of(q, a), y = priority_of(q, b);

	return x != y ? x > y : a < b;
}

static uint32_t *pos_of(const struct queue *q, uint32_t item)
{
	return (uint32_t *)(void *)((char *)slab_at(q->slab, item - 1) + q->pos_offset);
}

static void place(struct queue *q, uint32_t at, uint32_t item)
{
	q->items[at] = item;
	*pos_of(q, item) = at;
}

static void sift_up(struct queue *q, uint32_t at, uint32_t item)
{
	while (at > 0) {
		uint32_t up = (at - 1) / 2;

		if (before(q, q->items[up], item))
			break;
		place(q, at, q->items[up]);
		at = up;
	}
	place(q, at, item);
}

static void sift_down(struct queue *q, uint32_t at, uint32_t item)
{
	for (;;) {
		uint64_t kid = 2 * (uint64_t)at + 1;

		if (kid >= q->count)
			break;
		if (kid + 1 < q->count && before(q, q->items[kid + 1], q->items[kid]))
			kid++;
		if (before(q, item, q->items[kid]))
			break;
		place(q, at, q->items[kid]);
		at = (uint32_t)kid;
	}
	place(q, at, item);
}

void queue_push(struct queue *q, uint32_t item)
{
	if (q->count == q->cap) {
		uint32_t cap = q->cap ? 2 * q->cap : 64;

		q->items = arena_grow(q->arena, q->items, q->cap * sizeof *q->items, cap * sizeof *q->items);
		q->cap = cap;
	}
	sift_up(q, q->count++, item);
}

void queue_remove(struct queue *q, uint32_t item)
{
	uint32_t at = *pos_of(q, item), last;

	assert(at < q->count && q->items[at] == item);
	last = q->items[--q->count];
	if (last == item)
		return;
	if (at > 0 && before(q, last, q->items[(at - 1) / 2]))
		sift_up(q, at, last);
	else
		sift_down(q, at, last);
}

bool queue_valid(const struct queue *q)
{
	for (uint32_t i = 0; i < q->count; i++) {
		if (*pos_of(q, q->items[i]) != i)
			return false;
		if (i > 0 && !before(q, q->items[(i - 1) / 2], q->items[i]))
			return false;
	}
	return true;
}
