/* join: the combos of an instance with several parents.
 *
 * Two candidates go together when they have the same trial (or the same set of trials) of every phase that is
 * above both. To find partners without trying all pairs, each slot is indexed by what it shares with the
 * slots chosen before it. A new candidate of slot i is joined with the other slots in ascending order, so
 * what is shared with "those before" depends on i and the slot only: one index for each (i, slot), keyed by
 * the ancestors of the shared phases. The work is proportional to the combos found. */
#include "plan.h"

#include <string.h>

struct plan_candidate {
	const uint32_t *trials;
	uint32_t ntrials;
	uint32_t *ancestors; /* nphases */
	uint32_t *next;      /* by starting slot: the next candidate with the same signature */
};

struct plan_index {     /* of one slot, for joins that start at another one */
	bool *shared;   /* by phase: above this slot and above a slot chosen before */
	uint64_t *keys; /* open addressing; heads[i] = 0: free */
	uint32_t *heads;
	uint32_t cap, count;
};

static bool above(const struct study *s, uint32_t phase, uint32_t q)
{
	return q == phase || s->phases[phase].ancestor[q];
}

/* The order of a join that starts at slot `first`: that slot, then the others. */
static uint32_t slot_at(uint32_t first, uint32_t step)
{
	if (step == 0)
		return first;
	return step <= first ? step - 1 : step;
}

static void init_index(struct plan *p, const struct study_phase *ph, struct plan_index *x, uint32_t first,
                       uint32_t step)
{
	x->shared = arena_array(p->arena, p->study->nphases, sizeof *x->shared);
	for (uint32_t q = 0; q < p->study->nphases; q++)
		for (uint32_t i = 0; i < step; i++)
			if (above(p->study, ph->after[slot_at(first, i)].phase, q) &&
			    above(p->study, ph->after[slot_at(first, step)].phase, q))
				x->shared[q] = true;
}

void plan_join_init(struct plan *p, uint32_t instance)
{
	struct plan_instance *in = &p->instances[instance];
	const struct study_phase *ph = &p->study->phases[in->phase];

	in->join_merged = arena_array(p->arena, (size_t)ph->nafter * p->study->nphases, sizeof(uint32_t));
	in->join_chosen = arena_array(p->arena, ph->nafter, sizeof(struct plan_candidate *));
	for (uint32_t i = 0; i < ph->nafter; i++) {
		slab_init(&in->slots[i].candidates, p->arena, sizeof(struct plan_candidate));
		in->slots[i].index = arena_array(p->arena, ph->nafter, sizeof(struct plan_index));
	}
	for (uint32_t first = 0; first < ph->nafter; first++)
		for (uint32_t step = 1; step < ph->nafter; step++)
			init_index(p, ph, &in->slots[slot_at(first, step)].index[first], first, step);
}

void plan_join_forget(struct plan *p, uint32_t instance, uint32_t slot)
{
	struct plan_slot *s = &p->instances[instance].slots[slot];
	uint32_t nslots = p->study->phases[p->instances[instance].phase].nafter;

	if (nslots < 2)
		return;
	slab_init(&s->candidates, p->arena, sizeof(struct plan_candidate));
	for (uint32_t i = 0; i < nslots; i++)
		if (i != slot) {
			s->index[i].cap = s->index[i].count = 0;
			s->index[i].keys = NULL;
			s->index[i].heads = NULL;
		}
}

/* ---- index -------------------------------------------------------------------------------------- */
static uint64_t signature(const struct plan *p, const struct plan_index *x, const uint32_t *ancestors)
{
	uint64_t h = 1;

	for (uint32_t q = 0; q < p->study->nphases; q++)
		if (x->shared[q])
			h = rng_mix(h ^ rng_mix(ancestors[q] + ((uint64_t)q << 32) + 1));
	return h;
}

static uint32_t index_find(const struct plan_index *x, uint64_t key)
{
	uint32_t at = (uint32_t)key & (x->cap - 1);

	while (x->heads[at] && x->keys[at] != key)
		at = (at + 1) & (x->cap - 1);
	return at;
}

static void index_grow(struct plan *p, struct plan_index *x)
{
	struct plan_index old = *x;

	x->cap = old.cap ? 2 * old.cap : 16;
	x->keys = arena_array(p->arena, x->cap, sizeof *x->keys);
	x->heads = arena_array(p->arena, x->cap, sizeof *x->heads);
	for (uint32_t i = 0; i < old.cap; i++)
		if (old.heads[i]) {
			uint32_t at = index_find(x, old.keys[i]);

			x->keys[at] = old.keys[i];
			x->heads[at] = old.heads[i];
		}
}

static void index_add(struct plan *p, struct plan_index *x, struct plan_candidate *c, uint32_t number,
                      uint32_t first)
{
	uint64_t key = signature(p, x, c->ancestors);
	uint32_t at;

	if (x->count * 2 >= x->cap)
		index_grow(p, x);
	at = index_find(x, key);
	if (!x->heads[at])
		x->count++;
	x->keys[at] = key;
	c->next[first] = x->heads[at];
	x->heads[at] = number;
}

/* ---- join --------------------------------------------------------------------------------------- */
struct join {
	struct plan *p;
	uint32_t instance, first, nslots, nphases;
	uint32_t *merged;                     /* nslots * nphases: ancestors of what is chosen, by step */
	const struct plan_candidate **chosen; /* by slot */
};

static void add_combo(const struct join *j)
{
	struct plan *p = j->p;
	uint32_t n = 0, *parents;

	for (uint32_t i = 0; i < j->nslots; i++)
		n += j->chosen[i]->ntrials;
	parents = arena_array(p->arena, n, sizeof *parents);
	n = 0;
	for (uint32_t i = 0; i < j->nslots; i++) {
		memcpy(parents + n, j->chosen[i]->trials, j->chosen[i]->ntrials * sizeof *parents);
		n += j->chosen[i]->ntrials;
	}
	plan_add_combo(p, j->instance, parents, n);
}

/* Take `c` at this step and go on with every partner the next slot has for what is chosen so far. */
static void join_step(const struct join *j, uint32_t step, const struct plan_candidate *c)
{
	const struct plan_slot *next;
	const uint32_t *before = step ? j->merged + (step - 1) * j->nphases : NULL;
	uint32_t *merged = j->merged + step * j->nphases, at;

	j->chosen[slot_at(j->first, step)] = c;
	for (uint32_t q = 0; q < j->nphases; q++)
		merged[q] = before && before[q] ? before[q] : c->ancestors[q];
	if (step + 1 == j->nslots) {
		add_combo(j);
		return;
	}
	next = &j->p->instances[j->instance].slots[slot_at(j->first, step + 1)];
	if (!next->index[j->first].cap)
		return;
	at = index_find(&next->index[j->first], signature(j->p, &next->index[j->first], merged));
	for (uint32_t i = next->index[j->first].heads[at]; i;) {
		const struct plan_candidate *d = slab_at(&next->candidates, i - 1);

		if (plan_trial(j->p, d->trials[0])->combo) /* else it was deleted */
			join_step(j, step + 1, d);
		i = d->next[j->first];
	}
}

void plan_candidate(struct plan *p, uint32_t instance, uint32_t slot, const uint32_t *trials, uint32_t n)
{
	struct plan_instance *in = &p->instances[instance];
	uint32_t nslots = p->study->phases[in->phase].nafter, nphases = p->study->nphases;
	struct plan_candidate *c;
	struct join j = {p, instance, slot, nslots, nphases, NULL, NULL};

	if (nslots == 1) {
		plan_add_combo(p, instance, trials, n);
		return;
	}
	c = slab_add(&in->slots[slot].candidates);
	c->trials = arena_grow(p->arena, trials, n * sizeof *trials, n * sizeof *trials);
	c->ntrials = n;
	c->ancestors = arena_array(p->arena, nphases, sizeof *c->ancestors);
	c->next = arena_array(p->arena, nslots, sizeof *c->next);
	plan_merge_ancestors(p, trials, n, c->ancestors);
	for (uint32_t i = 0; i < nslots; i++)
		if (i != slot)
			index_add(p, &in->slots[slot].index[i], c, in->slots[slot].candidates.count, i);
	j.merged = in->join_merged;
	j.chosen = in->join_chosen;
	join_step(&j, 0, c);
}
