/* lineage: which trials are above a trial.
 *
 * A trial has one ancestor of each phase above it (combos agree on shared ancestors), except below
 * `best N as one` and above scheduled jobs, where several parents of one phase meet: what they have in common
 * is found once, when the combo gets its parents, and kept behind them, so that the walk stays O(phases). */
#include "plan.h"

#include <string.h>

static void merge(uint32_t *out, uint32_t q, uint32_t trial)
{
	if (!trial || out[q] == trial)
		return;
	out[q] = out[q] ? PLAN_SEVERAL : trial;
}

static void merge_combo(const struct plan *p, const struct plan_combo *c, uint32_t *out)
{
	const uint32_t *up = plan_parents(c);

	if (c->merged) {
		for (uint32_t q = 0; q < p->study->nphases; q++)
			merge(out, q, up[c->nparents + q]);
		return;
	}
	for (uint32_t i = 0; i < c->nparents; i++)
		merge(out, plan_phase_of(p, up[i]), up[i]);
}

void plan_ancestors(const struct plan *p, uint32_t trial, uint32_t *out)
{
	uint32_t phase = plan_phase_of(p, trial);

	memset(out, 0, p->study->nphases * sizeof *out);
	out[phase] = trial;
	for (uint32_t q = phase + 1; q-- > 0;)
		if (out[q] && out[q] != PLAN_SEVERAL)
			merge_combo(p, plan_combo(p, plan_trial(p, out[q])->combo), out);
}

void plan_merge_ancestors(const struct plan *p, const uint32_t *parents, uint32_t n, uint32_t *out)
{
	memset(out, 0, p->study->nphases * sizeof *out);
	for (uint32_t i = 0; i < n; i++) {
		plan_ancestors(p, parents[i], p->ancestors[1]);
		for (uint32_t q = 0; q < p->study->nphases; q++)
			merge(out, q, p->ancestors[1][q]);
	}
}

/* ---- all ancestors of a phase ------------------------------------------------------------------- */
struct list {
	uint32_t *items;
	uint32_t count, cap;
};

static void list_add(struct list *l, struct arena *a, uint32_t v)
{
	if (l->count == l->cap) {
		uint32_t cap = l->cap ? 2 * l->cap : 4;

		l->items = arena_grow(a, l->items, l->cap * sizeof v, cap * sizeof v);
		l->cap = cap;
	}
	l->items[l->count++] = v;
}

static void list_sort_unique(struct list *l)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i < l->count; i++) { /* nearly sorted already: winners come by rank */
		uint32_t v = l->items[i], j = i;

		for (; j > 0 && l->items[j - 1] > v; j--)
			l->items[j] = l->items[j - 1];
		l->items[j] = v;
	}
	for (uint32_t i = 0; i < l->count; i++)
		if (n == 0 || l->items[n - 1] != l->items[i])
			l->items[n++] = l->items[i];
	l->count = n;
}

/* The parents, or, while they are not picked, as many candidates. */
static const uint32_t *likely_parents(const struct plan_combo *c, bool likely, uint32_t *n)
{
	const struct plan_choice *x = c->choice;

	*n = c->nparents;
	if (!likely || !x || x->picked)
		return plan_parents(c);
	*n = x->best_n < x->ncandidates ? x->best_n : x->ncandidates;
	return x->candidates;
}

uint32_t plan_ancestors_of(const struct plan *p, const uint32_t *trials, uint32_t n, uint32_t q, bool likely,
                           struct arena *a, const uint32_t **out)
{
	struct list *lists = arena_array(a, p->study->nphases, sizeof *lists);

	for (uint32_t i = 0; i < n; i++)
		list_add(&lists[plan_phase_of(p, trials[i])], a, trials[i]);
	for (uint32_t at = p->study->nphases; at-- > q + 1;) {
		list_sort_unique(&lists[at]);
		for (uint32_t i = 0; i < lists[at].count; i++) {
			uint32_t trial = lists[at].items[i], nup;
			const uint32_t *up =
			    likely_parents(plan_combo(p, plan_trial(p, trial)->combo), likely, &nup);

			for (uint32_t k = 0; k < nup; k++)
				if (plan_phase_of(p, up[k]) >= q)
					list_add(&lists[plan_phase_of(p, up[k])], a, up[k]);
		}
	}
	list_sort_unique(&lists[q]);
	*out = lists[q].items;
	return lists[q].count;
}

uint32_t plan_ancestor_list(const struct plan *p, uint32_t trial, uint32_t q, struct arena *a,
                            const uint32_t **out)
{
	return plan_ancestors_of(p, &trial, 1, q, false, a, out);
}

/* ---- canonical order ---------------------------------------------------------------------------- */
int plan_order(const struct plan *p, uint32_t a, uint32_t b)
{
	const struct plan_trial *x = plan_trial(p, a), *y = plan_trial(p, b);
	const struct plan_combo *cx = plan_combo(p, x->combo), *cy = plan_combo(p, y->combo);

	if (a == b)
		return 0;
	if (cx->group != cy->group)
		for (uint32_t i = 0; i < cx->nparents && i < cy->nparents; i++) {
			int d = plan_order(p, plan_parents(cx)[i], plan_parents(cy)[i]);

			if (d)
				return d;
		}
	if (cx->nparents != cy->nparents)
		return cx->nparents < cy->nparents ? -1 : 1;
	if (x->k != y->k)
		return x->k < y->k ? -1 : 1;
	return x->key.hi < y->key.hi ? -1 : 1;
}
