#include "learner.h"
#include "search.h"

#include <string.h>

void search_bind(struct search_view *v, uint32_t parent)
{
	uint32_t own_phase = v->q->phase->index, n;
	const struct value **by_phase;
	struct scope of_parent = {0};

	if (v->bound && v->parent == parent)
		return;
	v->q->scope_of(v->q->ctx, parent, v->q->scratch, &of_parent);
	n = of_parent.nphases > own_phase ? of_parent.nphases : own_phase + 1;
	by_phase = arena_array(v->q->scratch, n, sizeof *by_phase);
	if (of_parent.nphases)
		memcpy(by_phase, of_parent.by_phase, of_parent.nphases * sizeof *by_phase);
	by_phase[own_phase] = v->own;
	v->scope = (struct scope){by_phase, n};
	v->parent = parent;
	v->bound = true;
}

bool search_chooses_parent(const struct sampler_ask *q)
{
	return q->phase->trials_total || q->nparents > 1;
}

uint64_t search_fold(uint64_t h, uint64_t word)
{
	return rng_mix((h ^ word) + 0x9e3779b97f4a7c15u);
}

uint64_t search_seed(const struct sampler_ask *q)
{
	return search_fold(search_fold(search_fold(0, q->study->seed), q->group.hi), q->group.lo);
}

/* Deterministic also with a cursor that was lost or has not moved for long: what is counted in `rejected` is
 * always the run of points since the last feasible one. */
enum sampler_answer search_kth_feasible(struct search_view *v, bool (*at)(struct search_view *v, uint32_t n),
                                        uint32_t tries)
{
	uint64_t *cursor = v->q->cursor;
	uint32_t k = (uint32_t)(*cursor >> 32), n = (uint32_t)*cursor, rejected = 0;

	if (k > v->q->k)
		k = n = 0;
	for (; n < UINT32_MAX; n++) {
		if (!at(v, n)) {
			if (++rejected >= tries)
				return SAMPLER_INFEASIBLE;
			continue;
		}
		rejected = 0;
		*cursor = (uint64_t)(k + 1) << 32 | (n + 1);
		if (k++ == v->q->k)
			return SAMPLER_OK;
	}
	return SAMPLER_EXHAUSTED;
}

/* The parent whose turn it is; of those that could start now, where that matters. */
static uint32_t turn(const struct sampler_ask *q)
{
	uint32_t first = q->k % q->nparents, parent = first;

	if (!q->ready)
		return first;
	do {
		if (q->ready(q->ctx, parent))
			return parent;
		parent = (parent + 1) % q->nparents;
	} while (parent != first);
	return first;
}

static bool has_already(const struct search_view *v)
{
	const struct sampler_ask *q = v->q;

	if (q->learner)
		return learner_knows(q->learner, q->places[v->parent], v->own);
	return q->known && q->known(q->ctx, v->parent, v->own);
}

/* An enqueued assignment stands on a parent of its turn. One that is not feasible there (it was checked with
 * the study, but not against every parent), or that the study has already, leaves its trial to the search. */
static bool ask_enqueued(struct search_view *v)
{
	const struct sampler_ask *q = v->q;
	uint32_t n = q->phase->space.nparams;
	struct fault why;

	if (q->k >= q->phase->nenqueue || n == 0)
		return false;
	search_bind(v, turn(q));
	memcpy(v->own, q->phase->enqueue + (size_t)q->k * n, n * sizeof *v->own);
	return !space_check(&q->phase->space, &v->scope, v->own, &why) && !has_already(v);
}

bool sampler_enqueued(const struct sampler_ask *q, struct value *own, uint32_t *parent)
{
	struct search_view v = {.q = q, .own = own};

	if (!ask_enqueued(&v))
		return false;
	*parent = v.parent;
	return true;
}

static bool parent_in_turn(struct search_view *v, uint32_t n)
{
	search_bind(v, n % v->q->nparents);
	return space_draw(&v->q->phase->space, &v->scope, v->u, v->own);
}

/* Nothing to choose but the parent: each feasible one in turn (`require` may speak of its parameters). One
 * parent alone serves every k: repetitions differ by their seed. */
static enum sampler_answer ask_without_params(struct search_view *v)
{
	return search_kth_feasible(v, parent_in_turn, v->q->nparents);
}

enum sampler_answer sampler_ask(const struct sampler_ask *q, struct value *own, uint32_t *parent)
{
	static enum sampler_answer (*const searches[])(struct search_view *) = {
	    [SEARCH_GRID] = grid_ask,   [SEARCH_RANDOM] = random_ask, [SEARCH_SOBOL] = sobol_ask,
	    [SEARCH_TPE] = sobol_ask,   [SEARCH_CMAES] = sobol_ask,   [SEARCH_GP] = sobol_ask,
	    [SEARCH_NSGA2] = sobol_ask, [SEARCH_AUTO] = sobol_ask,    [SEARCH_PROGRAM] = sobol_ask};
	struct search_view v = {.q = q, .own = own};
	enum sampler_answer answer;

	if (q->phase->search == SEARCH_GIVEN)
		return SAMPLER_EXHAUSTED;
	v.u = arena_array(q->scratch, q->phase->space.nparams, sizeof *v.u);
	if (ask_enqueued(&v))
		answer = SAMPLER_OK;
	else if (q->phase->space.nparams && search_learns(q->phase->search) && q->learner)
		return learner_ask(q, own, parent);
	else if (q->phase->space.nparams == 0)
		answer = ask_without_params(&v);
	else
		answer = searches[q->phase->search](&v);
	*parent = v.parent;
	return answer;
}
