/* pick: who wins. A pure function of the valid candidates; the winners then become parents. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

struct row {
	struct key128 bucket;
	double value; /* the sign turned so that less is better */
	double best;  /* of its bucket */
	uint32_t trial, rank;
};

static struct key128 bucket_of(const struct plan *p, const struct after *rule, uint32_t trial)
{
	struct key128 key = {0, 0};
	char buf[TEXT_NUMBER];

	if (!rule->nper)
		return key;
	plan_ancestors(p, trial, p->ancestors[0]);
	for (uint32_t i = 0; i < rule->nper; i++) {
		uint32_t up = p->ancestors[0][rule->per_phase[i]];
		const char *text = "";

		if (up && up != PLAN_SEVERAL)
			text = value_text(&plan_trial(p, up)->values[rule->per[i]], buf);
		key = key_hash(key, text, strlen(text));
	}
	return key;
}

static int compare_u32(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int by_key(const struct row *a, const struct row *b)
{
	if (a->bucket.hi != b->bucket.hi)
		return a->bucket.hi < b->bucket.hi ? -1 : 1;
	return a->bucket.lo < b->bucket.lo ? -1 : a->bucket.lo > b->bucket.lo;
}

/* Buckets together; inside the best first, ties to the lower trial number. */
static int by_bucket(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	int d = by_key(a, b);

	if (d)
		return d;
	if (a->value < b->value || b->value < a->value)
		return a->value < b->value ? -1 : 1;
	return compare_u32(a->trial, b->trial);
}

/* The bucket with the best winner first: an order that does not depend on which trial came when, for it is
 * part of the identity of a child of all winners. */
static int by_best(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	int d = by_key(a, b);

	if (a->best < b->best || b->best < a->best)
		return a->best < b->best ? -1 : 1;
	return d ? d : compare_u32(a->rank, b->rank);
}

/* Keep the first best_n rows of each bucket, at the front. */
static uint32_t keep_best(struct row *rows, uint32_t n, uint32_t best_n)
{
	uint32_t kept = 0, lo = 0;

	while (lo < n) {
		struct row top = rows[lo];
		uint32_t hi = lo;

		for (; hi < n && key_equal(rows[hi].bucket, top.bucket); hi++)
			if (hi - lo < best_n) {
				rows[hi].rank = hi - lo;
				rows[hi].best = top.value;
				rows[kept++] = rows[hi];
			}
		lo = hi;
	}
	return kept;
}

uint32_t plan_pick(const struct plan *p, const struct study_phase *parent, const struct after *rule,
                   const struct plan_entry *entries, uint32_t n, struct arena *scratch,
                   struct plan_winner **out)
{
	struct row *rows = arena_array(scratch, n, sizeof *rows);
	struct objective by = study_objective(parent, rule->objective);
	struct plan_winner *w;
	uint32_t kept;

	for (uint32_t i = 0; i < n; i++) {
		double v = entries[i].value;

		rows[i].value = objective_minimised(by, v);
		rows[i].trial = entries[i].trial;
		rows[i].bucket = bucket_of(p, rule, entries[i].trial);
	}
	if (n)
		qsort(rows, n, sizeof *rows, by_bucket);
	kept = keep_best(rows, n, rule->best_n);
	if (kept)
		qsort(rows, kept, sizeof *rows, by_best);
	w = arena_array(scratch, kept, sizeof *w);
	for (uint32_t i = 0; i < kept; i++) {
		w[i].trial = rows[i].trial;
		w[i].rank = rows[i].rank;
		w[i].bucket = i == 0 ? 0 : w[i - 1].bucket + !key_equal(rows[i].bucket, rows[i - 1].bucket);
		w[i].value = objective_minimised(by, rows[i].value); /* back again */
	}
	*out = w;
	return kept;
}

void plan_picked(struct plan *p, uint32_t parent_instance, uint32_t child_phase, const uint32_t *winners,
                 uint32_t n)
{
	const struct plan_instance *in = &p->instances[parent_instance];
	const uint32_t *copy = arena_grow(p->arena, winners, n * sizeof *copy, n * sizeof *copy);

	for (uint32_t i = 0; i < in->nchildren; i++) {
		uint32_t below = in->children[i].instance, at = in->children[i].slot;
		struct plan_slot *slot = &p->instances[below].slots[at];
		const struct after *rule;

		if (p->instances[below].phase != child_phase)
			continue;
		rule = &p->study->phases[child_phase].after[at];
		if (rule->pick != PICK_BEST || slot->picked)
			continue;
		slot->picked = true;
		slot->winners = copy;
		slot->nwinners = n;
		plan_touch(p, below);
		for (uint32_t k = 0; k < n; k += rule->as_one ? n : 1)
			plan_candidate(p, below, at, winners + k, rule->as_one ? n : 1);
	}
}
