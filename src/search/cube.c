#include "cube.h"

#include "sampler.h"

#include <string.h>

void history_init(struct history *h, struct arena *a, const struct axis *axes, uint32_t nown, uint32_t naxes)
{
	*h = (struct history){.arena = a, .axes = axes, .nown = nown, .naxes = naxes, .nobjectives = 1};
	slab_init(&h->items, a, sizeof(struct observation));
}

static bool ended(enum outcome o)
{
	return o == OUTCOME_COMPLETE || o == OUTCOME_PRUNED || o == OUTCOME_FAILED;
}

int observation_compare(const struct observation *a, const struct observation *b)
{
	if (a->outcome != b->outcome)
		return a->outcome < b->outcome ? -1 : 1;
	if (a->outcome == OUTCOME_FAILED)
		return 0;
	if (a->outcome == OUTCOME_PRUNED && a->step != b->step)
		return a->step > b->step ? -1 : 1;
	return a->value < b->value ? -1 : a->value > b->value;
}

static struct observation *at(const struct history *h, uint32_t number)
{
	return slab_at(&h->items, number);
}

uint32_t history_begin(struct history *h, const struct cell *cells)
{
	struct observation *x = slab_add(&h->items);
	struct cell *copy = arena_array(h->arena, h->naxes, sizeof *copy);

	if (h->naxes)
		memcpy(copy, cells, h->naxes * sizeof *copy);
	x->cells = copy;
	h->npending++;
	return h->items.count - 1;
}

/* ---- what is best ------------------------------------------------------------------------------ */
static bool better(const struct history *h, uint32_t a, uint32_t b)
{
	int c = observation_compare(at(h, a), at(h, b));

	return c ? c < 0 : a < b;
}

static void insert_best(struct history *h, uint32_t number)
{
	uint32_t i = h->nbest;

	if (i == HISTORY_BEST && !better(h, number, h->best[i - 1]))
		return;
	if (i == HISTORY_BEST)
		i--;
	else
		h->nbest++;
	for (; i > 0 && better(h, number, h->best[i - 1]); i--)
		h->best[i] = h->best[i - 1];
	h->best[i] = number;
}

static void append(struct history *h, uint32_t number)
{
	if (h->nended == h->ended_cap) {
		uint32_t cap = h->ended_cap ? 2 * h->ended_cap : 64;

		h->ended =
		    arena_grow(h->arena, h->ended, h->ended_cap * sizeof *h->ended, cap * sizeof *h->ended);
		h->ended_cap = cap;
	}
	h->ended[h->nended++] = number;
	insert_best(h, number);
}

/* Rare: a result that counted counts no more. */
static void take_out(struct history *h, uint32_t number)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->nended; i++)
		if (h->ended[i] != number)
			h->ended[n++] = h->ended[i];
	h->nended = n;
	h->nbest = 0;
	for (uint32_t i = 0; i < n; i++)
		insert_best(h, h->ended[i]);
	h->version++;
}

void history_put_values(struct history *h, uint32_t number, const double *values)
{
	struct observation *x = at(h, number);
	double *copy = arena_array(h->arena, h->nobjectives, sizeof *copy);

	memcpy(copy, values, h->nobjectives * sizeof *copy);
	x->values = copy;
}

void history_end(struct history *h, uint32_t number, enum outcome o, double value, double step)
{
	struct observation *x = at(h, number);

	if (ended(x->outcome)) {
		h->ncomplete -= x->outcome == OUTCOME_COMPLETE;
		x->outcome = OUTCOME_GONE; /* so that it does not count while the best are found anew */
		take_out(h, number);
	} else if (x->outcome == OUTCOME_PENDING) {
		h->npending--;
	} else if (x->outcome == OUTCOME_PAUSED) {
		h->npaused--;
	}
	if ((o == OUTCOME_COMPLETE || o == OUTCOME_PRUNED) && !isfinite(value))
		o = OUTCOME_FAILED;
	x->outcome = o;
	x->value = o == OUTCOME_COMPLETE || o == OUTCOME_PRUNED ? value : 0;
	x->step = o == OUTCOME_PRUNED && isfinite(step) ? step : 0;
	h->npending += o == OUTCOME_PENDING;
	h->npaused += o == OUTCOME_PAUSED;
	if (!ended(o))
		return;
	h->ncomplete += o == OUTCOME_COMPLETE;
	append(h, number);
}

/* ---- a question -------------------------------------------------------------------------------- */
bool cube_stands_on(const struct cube_ask *q, const struct observation *o, uint32_t parent)
{
	for (uint32_t i = q->h->nown; i < q->h->naxes; i++)
		if (!cell_equal(q->contexts[parent][i - q->h->nown], o->cells[i]))
			return false;
	return true;
}

/* ---- the first points -------------------------------------------------------------------------- */
static void sobol_coordinates(const struct cube_ask *q, uint32_t k, double *u, uint32_t *parent)
{
	uint64_t seed = q->seed | 1; /* never the plain sequence */
	uint32_t dim = 0;

	*parent = 0;
	if (q->nparents > 1)
		*parent = (uint32_t)(sobol_point(k, dim++, seed) * q->nparents);
	for (uint32_t i = 0; i < q->h->nown; i++)
		u[i] = sobol_point(k, dim++, seed);
}

bool cube_startup(const struct cube_ask *q, uint32_t stride, uint32_t tries, double *u, uint32_t *parent)
{
	struct cell *cells = arena_array(q->scratch, q->h->nown, sizeof *cells);

	for (uint32_t i = 0; i < tries; i++) {
		sobol_coordinates(q, q->k + i * stride, u, parent);
		if (q->place(q->ctx, *parent, u, cells) && !q->known(q->ctx, *parent, cells))
			return true;
	}
	return false;
}
