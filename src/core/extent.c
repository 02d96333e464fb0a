#include "extent.h"

#include <string.h>

static uint64_t times(uint64_t a, uint64_t b)
{
	return b && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Trials of each phase within one search: one outer fold, the full search, or all there is. */
struct count {
	uint64_t groups, trials;
	bool at_most;
};

static bool above(const struct study *s, uint32_t phase, uint32_t q)
{
	return q == phase || s->phases[phase].ancestor[q];
}

/* Winners among n trials; `best N per x` has as many buckets as there are values of x, or at most n. */
static uint64_t winners(const struct study *s, const struct after *x, uint64_t n, bool *at_most)
{
	uint64_t buckets = 1;

	for (uint32_t i = 0; i < x->nper; i++) {
		const struct param *p = &s->phases[x->per_phase[i]].space.params[x->per[i]];

		*at_most = true;
		buckets = times(buckets, p->nchoices ? p->nchoices : UINT64_MAX);
	}
	return least(times(buckets, x->best_n), n);
}

/* What one `after` offers: candidates, of which as_one makes a single one. */
static uint64_t offered(const struct study *s, const struct after *x, const struct count *c, bool *at_most)
{
	uint64_t n = c[x->phase].trials;

	*at_most |= c[x->phase].at_most;
	if (x->pick == PICK_ALL || n == 0)
		return n;
	n = winners(s, x, n, at_most);
	return x->as_one ? least(n, 1) : n;
}

/* Is phase q above parent number nth and above an earlier parent too? */
static bool is_shared(const struct study *s, const struct study_phase *p, uint32_t nth, uint32_t q)
{
	if (!above(s, p->after[nth].phase, q))
		return false;
	for (uint32_t i = 0; i < nth; i++)
		if (above(s, p->after[i].phase, q))
			return true;
	return false;
}

/* The trials two parents must agree on: those of the nearest phases above both. Dividing by them is exact
 * while every such trial has equally many descendants, which picks can upset. */
static uint64_t shared(const struct study *s, const struct study_phase *p, uint32_t nth,
                       const struct count *c)
{
	uint64_t product = 1;

	for (uint32_t q = 0; q < s->nphases; q++) {
		bool nearest = is_shared(s, p, nth, q);

		for (uint32_t r = q + 1; r < s->nphases && nearest; r++)
			nearest = !(s->phases[r].ancestor[q] && is_shared(s, p, nth, r));
		if (nearest)
			product = times(product, c[q].trials);
	}
	return product;
}

static void count_groups(const struct study *s, const struct study_phase *p, const struct count *c,
                         struct count *out)
{
	bool picks = false;

	out->groups = 1;
	for (uint32_t i = 0; i < p->nafter; i++) {
		uint64_t n = offered(s, &p->after[i], c, &out->at_most), common;

		picks |= p->after[i].pick != PICK_ALL;
		if (i == 0) {
			out->groups = n;
			continue;
		}
		common = shared(s, p, i, c);
		out->groups = picks ? times(out->groups, n) : times(out->groups, n) / (common ? common : 1);
		out->at_most |= picks && common > 1;
	}
}

static uint64_t trials_of_search(const struct study_phase *p, bool *at_most)
{
	uint64_t quota = p->trials > 0 ? (uint64_t)p->trials : 0;
	int64_t size;

	if (p->space.nparams == 0)
		return p->trials_total ? quota : 1;
	if (p->search != SEARCH_GRID)
		return quota;
	size = space_size(&p->space);
	if (size < 0 || (uint64_t)size > quota)
		return quota;
	for (uint32_t i = 0; i < p->space.nparams; i++)
		*at_most |= p->space.params[i].cond != NULL;
	*at_most |= p->space.nrequire > 0;
	return (uint64_t)size;
}

static void count_trials(const struct study *s, const struct study_phase *p, const struct count *c,
                         struct count *out)
{
	uint64_t each;

	*out = (struct count){0};
	if (p->scheduled)
		return;
	count_groups(s, p, c, out);
	each = trials_of_search(p, &out->at_most);
	if (!p->trials_total) {
		out->trials = times(out->groups, each);
		return;
	}
	if (p->search == SEARCH_GRID && p->trials > 0)
		each = least((uint64_t)p->trials, times(out->groups, each));
	out->trials = out->groups ? each : 0;
	out->groups = out->groups ? 1 : 0;
}

static void add(struct extent *to, const struct count *c)
{
	to->groups = plus(to->groups, c->groups);
	to->trials = plus(to->trials, c->trials);
	to->at_most |= c->at_most;
	to->searches++;
}

const struct extent *extent_of(struct arena *a, const struct study *s)
{
	struct extent *x = arena_array(a, s->nphases, sizeof *x);
	/* inside: an outer fold, or everything when folds are not nested; full: the full search. A phase
	 * without folds has trials of one kind only; in an outer fold they stand for its parents'. */
	struct count *inside = arena_array(a, s->nphases, sizeof *inside);
	struct count *full = arena_array(a, s->nphases, sizeof *full);

	for (uint32_t i = 0; i < s->nphases; i++) {
		const struct study_phase *p = &s->phases[i];
		bool nested = s->folds.outer > 0 && p->folds != FOLDS_NONE;

		if (!nested || p->in_full) {
			count_trials(s, p, full, &full[i]);
			add(&x[i], &full[i]);
			inside[i] = full[i];
		}
		if (nested) {
			count_trials(s, p, inside, &inside[i]);
			for (uint32_t k = 0; k < s->folds.outer; k++)
				add(&x[i], &inside[i]);
		}
		x[i].trials_each = x[i].groups ? x[i].trials / x[i].groups : 0;
		x[i].units_per_trial = study_units_per_trial(s, p);
		x[i].units = times(x[i].trials, x[i].units_per_trial);
	}
	return x;
}

void extent_total(const struct study *s, const struct extent *each, struct extent *out)
{
	*out = (struct extent){0};
	for (uint32_t i = 0; i < s->nphases; i++) {
		out->groups = plus(out->groups, each[i].groups);
		out->trials = plus(out->trials, each[i].trials);
		out->units = plus(out->units, each[i].units);
		out->at_most |= each[i].at_most;
	}
}
