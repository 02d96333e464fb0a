#include "ranked.h"

#include "rng.h"

#include <math.h>

void ranked_pool_init(struct ranked_pool *p, struct arena *a)
{
	*p = (struct ranked_pool){.free = 0};
	slab_init(&p->nodes, a, sizeof(struct ranked_node));
}

uint32_t ranked_new(struct ranked_pool *p)
{
	uint32_t node = p->free;

	if (!node) {
		slab_add(&p->nodes);
		return p->nodes.count;
	}
	p->free = ranked_at(p, node)->next;
	*ranked_at(p, node) = (struct ranked_node){.id = 0};
	return node;
}

void ranked_free(struct ranked_pool *p, uint32_t node)
{
	ranked_at(p, node)->next = p->free;
	p->free = node;
}

static uint32_t size_of(const struct ranked_pool *p, uint32_t node)
{
	return node ? ranked_at(p, node)->size : 0;
}

static void count(const struct ranked_pool *p, struct ranked_node *n)
{
	n->size = 1 + size_of(p, n->left) + size_of(p, n->right);
}

static bool precedes(const struct ranked_node *a, const struct ranked_node *b)
{
	if (a->value < b->value || b->value < a->value)
		return a->value < b->value;
	return a->id < b->id;
}

/* Is `a` above `b` in the heap? The highest number is at the root. */
static bool above(const struct ranked_node *a, const struct ranked_node *b)
{
	uint64_t x = rng_mix(a->id), y = rng_mix(b->id);

	return x != y ? x > y : a->id > b->id;
}

/* Those that precede `at` into *l, the others into *r. */
static void split(const struct ranked_pool *p, uint32_t tree, const struct ranked_node *at, uint32_t *l,
                  uint32_t *r)
{
	struct ranked_node *t;

	if (!tree) {
		*l = *r = 0;
		return;
	}
	t = ranked_at(p, tree);
	if (precedes(t, at)) {
		split(p, t->right, at, &t->right, r);
		*l = tree;
	} else {
		split(p, t->left, at, l, &t->left);
		*r = tree;
	}
	count(p, t);
}

/* All of l precede all of r. */
static uint32_t merge(const struct ranked_pool *p, uint32_t l, uint32_t r)
{
	struct ranked_node *a, *b;

	if (!l || !r)
		return l ? l : r;
	a = ranked_at(p, l);
	b = ranked_at(p, r);
	if (above(a, b)) {
		a->right = merge(p, a->right, r);
		count(p, a);
		return l;
	}
	b->left = merge(p, l, b->left);
	count(p, b);
	return r;
}

void ranked_insert(struct ranked_pool *p, struct ranked *s, uint32_t node)
{
	struct ranked_node *n = ranked_at(p, node);
	uint32_t l, r;

	n->left = n->right = 0;
	n->size = 1;
	split(p, s->root, n, &l, &r);
	s->root = merge(p, merge(p, l, node), r);
}

void ranked_remove(struct ranked_pool *p, struct ranked *s, uint32_t node)
{
	struct ranked_node *n = ranked_at(p, node);
	uint32_t *link = &s->root;

	while (*link != node) {
		struct ranked_node *t = ranked_at(p, *link);

		t->size--;
		link = precedes(n, t) ? &t->left : &t->right;
	}
	*link = merge(p, n->left, n->right);
	n->left = n->right = n->size = 0;
}

uint32_t ranked_before(const struct ranked_pool *p, const struct ranked *s, uint32_t node)
{
	const struct ranked_node *n = ranked_at(p, node);
	uint32_t before = 0;

	for (uint32_t at = s->root; at != node;) {
		const struct ranked_node *t = ranked_at(p, at);

		if (precedes(n, t)) {
			at = t->left;
		} else {
			before += size_of(p, t->left) + 1;
			at = t->right;
		}
	}
	return before + size_of(p, n->left);
}

uint32_t ranked_nth(const struct ranked_pool *p, const struct ranked *s, uint32_t before)
{
	uint32_t at = s->root;

	while (at) {
		const struct ranked_node *t = ranked_at(p, at);
		uint32_t l = size_of(p, t->left);

		if (before == l)
			return at;
		at = before < l ? t->left : t->right;
		before -= before < l ? 0 : l + 1;
	}
	return 0;
}

double ranked_quantile(const struct ranked_pool *p, const struct ranked *s, double share)
{
	uint32_t n = ranked_count(p, s), i;
	double at, lo, hi;

	if (!n)
		return (double)NAN;
	at = share * (n - 1);
	i = at >= n - 1 ? n - 1 : (uint32_t)at;
	lo = ranked_at(p, ranked_nth(p, s, i))->value;
	hi = i + 1 < n ? ranked_at(p, ranked_nth(p, s, i + 1))->value : lo;
	return hi > lo && at > i ? lo + (hi - lo) * (at - i) : lo;
}
