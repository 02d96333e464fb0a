/* ranked: sets of values in order, of which one can ask the k-th and how many come before: O(log n) each. A
 * treap: a search tree by (value, id) whose shape is a heap by a number mixed from the id, so it depends on
 * what is in the set only, not on how it came there.
 *
 * A set with a cap keeps, of all that were ever put in, those whose mixed numbers are the lowest: a fair
 * sample, again whatever the order of arrival.
 *
 * Nodes live in a pool that many sets share; one belongs to at most one set. The smaller value comes first, a
 * tie goes to the lower id. Values are no NaN. */
#ifndef RANKED_H
#define RANKED_H

#include "arena.h"

#include <stdbool.h>
#include <stdint.h>

struct ranked_node {
	double value;
	uint32_t id, left, right, size; /* size: of the tree below, itself included; 0: in no set */
	uint32_t next, tag;             /* for whoever owns the node */
};

struct ranked_pool {
	struct slab nodes;
	uint32_t free;
};

struct ranked { /* zeroed: empty */
	uint32_t root;
};

void ranked_pool_init(struct ranked_pool *p, struct arena *a);
/* A zeroed node in no set; its number, from 1. */
uint32_t ranked_new(struct ranked_pool *p);
void ranked_free(struct ranked_pool *p, uint32_t node); /* it is in no set */
static inline struct ranked_node *ranked_at(const struct ranked_pool *p, uint32_t node)
{
	return slab_at(&p->nodes, node - 1);
}
static inline uint32_t ranked_count(const struct ranked_pool *p, const struct ranked *s)
{
	return s->root ? ranked_at(p, s->root)->size : 0;
}

void ranked_insert(struct ranked_pool *p, struct ranked *s, uint32_t node);
/* The set must have it. */
void ranked_remove(struct ranked_pool *p, struct ranked *s, uint32_t node);
/* The one that a cap drops first. The set is not empty. */
static inline uint32_t ranked_first_to_go(const struct ranked *s)
{
	return s->root;
}
/* How many come before this node, which is in the set. */
uint32_t ranked_before(const struct ranked_pool *p, const struct ranked *s, uint32_t node);
/* The node with so many before it; 0: there is none. */
uint32_t ranked_nth(const struct ranked_pool *p, const struct ranked *s, uint32_t before);
/* The value below which a share (0..1) of the set lies, between neighbours by proportion; NaN when it is
 * empty. */
double ranked_quantile(const struct ranked_pool *p, const struct ranked *s, double share);

#endif
