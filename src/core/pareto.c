#include "pareto.h"

#include <math.h>
#include <stdlib.h>

bool pareto_dominates(const double *a, const double *b, uint32_t m)
{
	bool better = false;

	for (uint32_t k = 0; k < m; k++) {
		if (a[k] > b[k])
			return false;
		better = better || a[k] < b[k];
	}
	return better;
}

/* ---- fronts ------------------------------------------------------------------------------------ */
struct point {
	const double *at;
	uint32_t m, row;
};

static int by_numbers(const void *x, const void *y)
{
	const struct point *a = x, *b = y;

	for (uint32_t k = 0; k < a->m; k++)
		if (a->at[k] < b->at[k] || b->at[k] < a->at[k])
			return a->at[k] < b->at[k] ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

struct sorting {
	const double *rows;
	uint32_t m;
	uint32_t *last;   /* of each front, the row that came last; + 1 */
	uint32_t *before; /* of each row, the one that came before it into its front; + 1, 0: none */
	uint32_t nfronts;
};

/* Rows come in the order of their numbers, so only those that are there can dominate. Of two numbers the
 * second falls along a front: nobody in it is more likely to dominate than the last. */
static bool is_dominated(const struct sorting *s, const double *at, uint32_t front)
{
	for (uint32_t i = s->last[front]; i; i = s->m > 2 ? s->before[i - 1] : 0)
		if (pareto_dominates(s->rows + (size_t)(i - 1) * s->m, at, s->m))
			return true;
	return false;
}

/* Whoever is dominated from one front is so from all before it. */
static uint32_t find_front(const struct sorting *s, const double *at)
{
	uint32_t low = 0, high = s->nfronts;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (is_dominated(s, at, middle))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void pareto_fronts(const double *rows, uint32_t n, uint32_t m, struct arena *scratch, uint32_t *front)
{
	struct point *order = arena_array(scratch, n, sizeof *order);
	struct sorting s = {.rows = rows, .m = m};

	s.last = arena_array(scratch, n, sizeof *s.last);
	s.before = arena_array(scratch, n, sizeof *s.before);
	for (uint32_t i = 0; i < n; i++)
		order[i] = (struct point){rows + (size_t)i * m, m, i};
	if (n)
		qsort(order, n, sizeof *order, by_numbers);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t row = order[i].row, f = find_front(&s, order[i].at);

		s.nfronts += f == s.nfronts;
		s.before[row] = s.last[f];
		s.last[f] = row + 1;
		front[row] = f;
	}
}

/* ---- crowding ---------------------------------------------------------------------------------- */
struct place {
	double value;
	uint32_t i;
};

static int by_value(const void *x, const void *y)
{
	const struct place *a = x, *b = y;

	if (a->value < b->value || b->value < a->value)
		return a->value < b->value ? -1 : 1;
	return a->i < b->i ? -1 : a->i > b->i;
}

/* Halves: the range of finite numbers may be no finite number. */
static void add_distances(const struct place *order, uint32_t n, double *out)
{
	double range = order[n - 1].value / 2 - order[0].value / 2;

	out[order[0].i] = out[order[n - 1].i] = (double)INFINITY;
	for (uint32_t i = 1; i + 1 < n && range > 0; i++)
		out[order[i].i] += (order[i + 1].value / 2 - order[i - 1].value / 2) / range;
}

void pareto_crowding(const double *rows, uint32_t m, const uint32_t *which, uint32_t n, struct arena *scratch,
                     double *out)
{
	struct place *order = arena_array(scratch, n, sizeof *order);

	for (uint32_t i = 0; i < n; i++)
		out[i] = 0;
	for (uint32_t k = 0; n && k < m; k++) {
		for (uint32_t i = 0; i < n; i++)
			order[i] = (struct place){rows[(size_t)which[i] * m + k], i};
		qsort(order, n, sizeof *order, by_value);
		add_distances(order, n, out);
	}
}
