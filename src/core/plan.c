#include "plan.h"

#include <math.h>
#include <string.h>

/* ---- tables of keys --------------------------------------------------------------------------- */
typedef struct key128 key_of(const struct plan *p, uint32_t number);

static struct key128 trial_key_of(const struct plan *p, uint32_t trial)
{
	return plan_trial(p, trial)->key;
}

static struct key128 combo_key_of(const struct plan *p, uint32_t combo)
{
	return plan_combo(p, combo)->key;
}

/* The cell that holds the entry with this key, or the empty one where it belongs. */
static uint32_t *find_cell(const struct plan *p, const struct plan_table *t, key_of *get, struct key128 key)
{
	uint32_t at = (uint32_t)key.lo & t->mask;

	while (t->cells[at] && !key_equal(get(p, t->cells[at]), key))
		at = (at + 1) & t->mask;
	return &t->cells[at];
}

static void table_grow(struct plan *p, struct plan_table *t, key_of *get)
{
	struct plan_table old = *t;
	uint32_t cap = old.cells ? 2 * (old.mask + 1) : 64;

	t->cells = arena_array(p->arena, cap, sizeof *t->cells);
	t->mask = cap - 1;
	for (uint32_t i = 0; old.cells && i <= old.mask; i++)
		if (old.cells[i])
			*find_cell(p, t, get, get(p, old.cells[i])) = old.cells[i];
}

static void table_put(struct plan *p, struct plan_table *t, key_of *get, uint32_t number)
{
	if (!t->cells || (uint64_t)t->count * 4 >= ((uint64_t)t->mask + 1) * 3)
		table_grow(p, t, get);
	*find_cell(p, t, get, get(p, number)) = number;
	t->count++;
}

static uint32_t table_find(const struct plan *p, const struct plan_table *t, key_of *get, struct key128 key)
{
	return t->cells ? *find_cell(p, t, get, key) : 0;
}

/* The key of a superseded trial is free again; table_put then takes over its cell. */
uint32_t plan_find_trial(const struct plan *p, struct key128 key)
{
	uint32_t trial = table_find(p, &p->trial_table, trial_key_of, key);

	return trial && plan_trial(p, trial)->gone != GONE_SUPERSEDED ? trial : 0;
}

void plan_know_key(struct plan *p, uint32_t trial)
{
	table_put(p, &p->trial_table, trial_key_of, trial);
}

/* ---- identity --------------------------------------------------------------------------------- */
static struct key128 instance_key(const struct plan *p, uint32_t instance)
{
	const struct plan_instance *in = &p->instances[instance];
	struct key128 k = {0, 0};

	k = key_hash_text(k, p->study->phases[in->phase].name);
	return key_hash_number(k, (uint64_t)(int64_t)in->outer);
}

struct key128 plan_combo_key(const struct plan *p, uint32_t instance, const uint32_t *parents, uint32_t n)
{
	struct key128 k = instance_key(p, instance);

	for (uint32_t i = 0; i < n; i++) {
		struct key128 up = plan_trial(p, parents[i])->key;

		k = key_hash_number(key_hash_number(k, up.hi), up.lo);
	}
	return k;
}

struct key128 plan_group_key(const struct plan *p, uint32_t group)
{
	const struct plan_group *g = plan_group(p, group);

	if (p->instances[g->instance].total_group == group)
		return key_hash_text(instance_key(p, g->instance), "total");
	return plan_combo(p, g->first_combo)->key;
}

/* A grid point is what it is, wherever in the grid it stands: a longer list of choices keeps the trials there
 * are. Everything else is its number in the group. */
struct key128 plan_trial_key(const struct plan *p, uint32_t combo, uint32_t k, const struct value *values)
{
	const struct plan_combo *c = plan_combo(p, combo);
	uint32_t instance = plan_group(p, c->group)->instance;
	const struct study_phase *ph = &p->study->phases[p->instances[instance].phase];
	struct key128 key = key_hash_text(c->key, "trial");
	char buf[TEXT_NUMBER];

	if (ph->search != SEARCH_GRID || ph->space.nparams == 0)
		return key_hash_number(key, k);
	for (uint32_t i = 0; i < ph->space.nparams; i++)
		key = key_hash_text(key_hash_number(key, values[i].kind == VALUE_NONE),
		                    value_text(&values[i], buf));
	return key;
}

uint64_t plan_seed(const struct plan *p, uint32_t unit)
{
	struct key128 key = plan_trial(p, plan_unit(p, unit)->trial)->key;
	uint64_t seed;

	key = key_hash_number(key, (uint64_t)(int64_t)plan_fold(p, unit));
	seed = rng_mix(key.hi ^ rng_mix(key.lo ^ rng_mix(p->study->seed))) & 0x7fffffff;
	return seed ? seed : 1;
}

/* ---- questions -------------------------------------------------------------------------------- */
const struct study_phase *plan_phase(const struct plan *p, uint32_t trial)
{
	return &p->study->phases[plan_phase_of(p, trial)];
}

static bool has_folds(const struct plan *p, uint32_t phase)
{
	return p->study->phases[phase].folds == FOLDS_EACH && p->study->folds.inner > 0;
}

int32_t plan_fold(const struct plan *p, uint32_t unit)
{
	const struct plan_trial *t = plan_trial(p, plan_unit(p, unit)->trial);

	return has_folds(p, p->instances[t->instance].phase) ? (int32_t)(unit - t->first_unit) : -1;
}

uint32_t plan_instance(const struct plan *p, uint32_t phase, int32_t outer)
{
	uint32_t i;

	if (phase >= p->study->nphases || outer < -1 || (int64_t)outer + 1 >= p->nouter)
		return UINT32_MAX;
	i = phase * p->nouter + (uint32_t)(outer + 1);
	return p->instances[i].exists ? i : UINT32_MAX;
}

void plan_needs(const struct plan *p, uint32_t unit, uint32_t other, uint32_t *first, uint32_t *n)
{
	const struct plan_trial *t = plan_trial(p, other);
	int32_t fold = plan_fold(p, unit);

	*first = t->first_unit;
	*n = plan_nunits(p, t);
	if (fold >= 0 && has_folds(p, p->instances[t->instance].phase)) {
		*first += (uint32_t)fold;
		*n = 1;
	}
}

int64_t plan_quota(const struct plan *p, uint32_t group)
{
	const struct plan_group *g = plan_group(p, group);
	const struct study_phase *ph = &p->study->phases[p->instances[g->instance].phase];

	if (ph->space.nparams == 0 && !ph->trials_total)
		return 1;
	return ph->trials > 0 ? ph->trials : 0;
}

uint32_t plan_group_combo(const struct plan *p, uint32_t group, uint32_t index)
{
	const struct plan_group *g = plan_group(p, group);

	return g->combos ? g->combos[index] : g->first_combo;
}

/* ---- work lists ------------------------------------------------------------------------------- */
void plan_touch(struct plan *p, uint32_t instance)
{
	struct plan_instance *in = &p->instances[instance];

	if (in->dirty)
		return;
	in->dirty = true;
	in->next_dirty = UINT32_MAX;
	if (p->last_dirty != UINT32_MAX)
		p->instances[p->last_dirty].next_dirty = instance;
	else
		p->first_dirty = instance;
	p->last_dirty = instance;
}

uint32_t plan_take_dirty(struct plan *p)
{
	uint32_t i = p->first_dirty;

	if (i == UINT32_MAX)
		return i;
	p->first_dirty = p->instances[i].next_dirty;
	if (p->first_dirty == UINT32_MAX)
		p->last_dirty = UINT32_MAX;
	p->instances[i].dirty = false;
	return i;
}

/* First come, first asked: proposals, and so trial numbers, come in the order in which groups appear. */
void plan_ask(struct plan *p, uint32_t group)
{
	struct plan_group *g = plan_group(p, group);

	if (g->listed || g->closed)
		return;
	g->listed = true;
	g->next_ask = 0;
	if (p->last_ask)
		plan_group(p, p->last_ask)->next_ask = group;
	else
		p->first_ask = group;
	p->last_ask = group;
}

uint32_t plan_take_ask(struct plan *p)
{
	uint32_t group = p->first_ask;

	if (!group)
		return 0;
	p->first_ask = plan_group(p, group)->next_ask;
	if (!p->first_ask)
		p->last_ask = 0;
	plan_group(p, group)->listed = false;
	return group;
}

/* ---- growing ---------------------------------------------------------------------------------- */
static uint32_t add_group(struct plan *p, uint32_t instance)
{
	struct plan_instance *in = &p->instances[instance];
	struct plan_group *g = slab_add(&p->groups);

	g->instance = instance;
	in->groups++;
	in->groups_open++;
	plan_touch(p, instance);
	return p->groups.count;
}

void plan_link_parent(struct plan *p, uint32_t parent, uint32_t combo)
{
	struct plan_link *l = slab_add(&p->links);
	struct plan_trial *t = plan_trial(p, parent);

	l->combo = combo;
	l->next = t->first_link;
	t->first_link = p->links.count;
}

void plan_set_parents(struct plan *p, struct plan_combo *c, uint32_t phase, const uint32_t *parents,
                      uint32_t n)
{
	const struct study_phase *ph = &p->study->phases[phase];
	bool as_one = ph->scheduled ? n > 1 : n > ph->nafter;
	uint32_t *many;

	c->nparents = n;
	c->merged = as_one;
	if (n <= 1) {
		c->parents.one = n ? parents[0] : 0;
		return;
	}
	many = arena_array(p->arena, n + (as_one ? p->study->nphases : 0), sizeof *many);
	memcpy(many, parents, n * sizeof *many);
	if (as_one)
		plan_merge_ancestors(p, parents, n, many + n);
	c->parents.many = many;
}

uint32_t plan_find_combo(const struct plan *p, uint32_t instance, const uint32_t *parents, uint32_t n)
{
	uint32_t combo =
	    table_find(p, &p->combo_table, combo_key_of, plan_combo_key(p, instance, parents, n));

	return combo && !plan_combo(p, combo)->dead ? combo : 0;
}

uint32_t plan_add_combo(struct plan *p, uint32_t instance, const uint32_t *parents, uint32_t n)
{
	struct plan_instance *in = &p->instances[instance];
	uint32_t combo = plan_find_combo(p, instance, parents, n);
	struct plan_combo *c;
	struct plan_group *g;

	if (combo) { /* known: a pick was made again, or a replay */
		plan_combo(p, combo)->open = false;
		return combo;
	}
	c = slab_add(&p->combos);
	combo = p->combos.count;
	c->key = plan_combo_key(p, instance, parents, n);
	plan_set_parents(p, c, in->phase, parents, n);
	table_put(p, &p->combo_table, combo_key_of, combo);
	c->group = in->total_group ? in->total_group : add_group(p, instance);
	g = plan_group(p, c->group);
	c->next_in_group = g->first_combo;
	g->first_combo = combo;
	g->ncombos++;
	in->combos++;
	for (uint32_t i = 0; i < n; i++)
		plan_link_parent(p, parents[i], combo);
	if (!in->total_group)
		plan_ask(p, c->group);
	return combo;
}

static void add_units(struct plan *p, struct plan_trial *t, uint32_t trial, uint32_t n)
{
	t->first_unit = p->units.count + 1;
	for (uint32_t i = 0; i < n; i++) {
		struct plan_unit *u = slab_add(&p->units);

		u->trial = trial;
		u->value = u->best_step = (double)NAN;
	}
}

void plan_leave_out(struct plan *p, uint32_t next_trial, uint32_t next_unit)
{
	while (p->trials.count + 1 < next_trial)
		((struct plan_trial *)slab_add(&p->trials))->instance = UINT32_MAX;
	while (p->units.count + 1 < next_unit)
		slab_add(&p->units);
}

/* A copy that lasts as long as the plan: what is none of the domain's choices (a scheduled job's value, one
 * that an edit took out of the domain) lives with whoever parsed it. */
static const struct value *keep_values(struct plan *p, const struct space *space, const struct value *values)
{
	size_t bytes = space->nparams * sizeof *values;
	struct value *out = arena_grow(p->arena, values, bytes, bytes);

	for (uint32_t i = 0; i < space->nparams; i++) {
		const struct param *x = &space->params[i];
		const struct choice *c = out[i].kind == VALUE_CHOICE ? out[i].u.choice : NULL;
		struct choice *own;

		if (!c || (x->choices && c >= x->choices && c < x->choices + x->nchoices))
			continue;
		own = arena_grow(p->arena, c, sizeof *c, sizeof *c);
		own->text = arena_strdup(p->arena, c->text);
		out[i].u.choice = own;
	}
	return out;
}

static void remember_recent(struct plan *p, struct plan_group *g, uint32_t k, uint32_t trial)
{
	uint32_t lag = p->study->reproducible;

	if (!lag || !search_learns(p->study->phases[p->instances[g->instance].phase].search))
		return;
	if (!g->recent)
		g->recent = arena_array(p->arena, lag, sizeof *g->recent);
	g->recent[k % lag] = trial;
}

uint32_t plan_add_trial(struct plan *p, uint32_t combo, uint32_t k, struct key128 key,
                        const struct value *values)
{
	struct plan_combo *c = plan_combo(p, combo);
	struct plan_group *g = plan_group(p, c->group);
	struct plan_instance *in = &p->instances[g->instance];
	uint32_t nparams = p->study->phases[in->phase].space.nparams;
	struct plan_trial *t = slab_add(&p->trials);
	uint32_t trial = p->trials.count;

	*t = (struct plan_trial){.key = key, .k = k, .combo = combo, .instance = g->instance};
	if (nparams)
		t->values = keep_values(p, &p->study->phases[in->phase].space, values);
	if (c->last_trial)
		plan_trial(p, c->last_trial)->next_in_combo = trial;
	else
		c->first_trial = trial;
	c->last_trial = trial;
	add_units(p, t, trial, p->units_per_trial[in->phase]);
	plan_know_key(p, trial);
	if (g->proposed <= k)
		g->proposed = k + 1;
	remember_recent(p, g, k, trial);
	in->trials++;
	in->trials_open++;
	plan_touch(p, g->instance);
	for (uint32_t i = 0; i < in->nchildren; i++) {
		const struct plan_child *ch = &in->children[i];
		const struct plan_instance *below = &p->instances[ch->instance];

		if (p->study->phases[below->phase].after[ch->slot].pick == PICK_ALL)
			plan_candidate(p, ch->instance, ch->slot, &trial, 1);
	}
	return trial;
}

/* Of a scheduled trial: any, each once, of the phases its phase comes after. */
static bool job_parents_valid(const struct plan *p, const struct study_phase *ph, const uint32_t *parents,
                              uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = 0;

		if (parents[i] < 1 || parents[i] > p->trials.count ||
		    (i > 0 && parents[i] <= parents[i - 1]) || !plan_trial(p, parents[i])->combo)
			return false;
		while (k < ph->nafter && ph->after[k].phase != plan_phase_of(p, parents[i]))
			k++;
		if (k == ph->nafter)
			return false;
	}
	return true;
}

/* One parent for each `after` in its order; several where it says `as one`. */
bool plan_parents_valid(const struct plan *p, uint32_t instance, const uint32_t *parents, uint32_t n)
{
	const struct plan_instance *in = &p->instances[instance];
	const struct study_phase *ph = &p->study->phases[in->phase];
	uint32_t at = 0;

	if (ph->scheduled)
		return job_parents_valid(p, ph, parents, n);
	for (uint32_t i = 0; i < ph->nafter; i++) {
		uint32_t from = at;

		while (at < n && parents[at] >= 1 && parents[at] <= p->trials.count &&
		       plan_trial(p, parents[at])->instance == in->slots[i].parent &&
		       (at == from || ph->after[i].as_one))
			at++;
		if (at == from)
			return false;
	}
	return at == n;
}

/* ---- combos of a `total` group in canonical order ------------------------------------------------ */
static bool combo_before(const struct plan *p, uint32_t a, uint32_t b)
{
	const struct plan_combo *x = plan_combo(p, a), *y = plan_combo(p, b);

	for (uint32_t i = 0; i < x->nparents && i < y->nparents; i++) {
		int d = plan_order(p, plan_parents(x)[i], plan_parents(y)[i]);

		if (d)
			return d < 0;
	}
	return x->nparents < y->nparents;
}

static void merge_runs(const struct plan *p, const uint32_t *from, uint32_t *to, uint32_t lo, uint32_t mid,
                       uint32_t hi)
{
	uint32_t i = lo, j = mid;

	for (uint32_t k = lo; k < hi; k++)
		to[k] = j >= hi || (i < mid && !combo_before(p, from[j], from[i])) ? from[i++] : from[j++];
}

void plan_order_combos(struct plan *p, uint32_t group)
{
	struct plan_group *g = plan_group(p, group);
	uint32_t n = g->ncombos, i = n;
	uint32_t *a = arena_array(p->arena, n + 1, sizeof *a), *b = arena_array(p->arena, n + 1, sizeof *b);

	for (uint32_t c = g->first_combo; c; c = plan_combo(p, c)->next_in_group)
		a[--i] = c; /* (ncombos counts them) */
	for (uint32_t w = 1; w < n; w *= 2) {
		uint32_t *swap = a;

		for (uint32_t lo = 0; lo < n; lo += 2 * w)
			merge_runs(p, a, b, lo, lo + w < n ? lo + w : n, lo + 2 * w < n ? lo + 2 * w : n);
		a = b;
		b = swap;
	}
	g->combos = a;
}

/* ---- the beginning ------------------------------------------------------------------------------ */
static void init_slots(struct plan *p, uint32_t instance)
{
	struct plan_instance *in = &p->instances[instance];
	const struct study_phase *ph = &p->study->phases[in->phase];

	in->slots = arena_array(p->arena, ph->nafter, sizeof *in->slots);
	for (uint32_t i = 0; i < ph->nafter; i++) {
		uint32_t up = ph->after[i].phase;
		int32_t outer = p->study->phases[up].folds == FOLDS_NONE ? -1 : in->outer;

		in->slots[i].parent = ph->scheduled ? UINT32_MAX : plan_instance(p, up, outer);
	}
	if (ph->nafter > 1 && !ph->scheduled)
		plan_join_init(p, instance);
}

static void init_children(struct plan *p, uint32_t instance)
{
	struct plan_instance *in = &p->instances[instance];
	struct plan_child *list = NULL;

	for (int pass = 0; pass < 2; pass++) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < p->ninstances; i++) {
			const struct plan_instance *below = &p->instances[i];

			for (uint32_t k = 0; below->exists && k < p->study->phases[below->phase].nafter; k++)
				if (below->slots[k].parent == instance) {
					if (list)
						list[n] = (struct plan_child){i, k};
					n++;
				}
		}
		if (!list)
			list = arena_array(p->arena, n, sizeof *list);
		in->nchildren = n;
	}
	in->children = list;
}

/* Which outer folds a phase runs for: all of them, the `full` search (-1), or only -1. */
static bool instance_exists(const struct study *s, const struct study_phase *ph, int32_t outer)
{
	if (s->folds.outer == 0 || ph->folds == FOLDS_NONE)
		return outer == -1;
	return outer >= 0 || ph->in_full;
}

static void init_instances(struct plan *p)
{
	const struct study *s = p->study;

	p->nouter = s->folds.outer + 1;
	p->ninstances = s->nphases * p->nouter;
	p->instances = arena_array(p->arena, p->ninstances, sizeof *p->instances);
	for (uint32_t i = 0; i < p->ninstances; i++) {
		struct plan_instance *in = &p->instances[i];

		in->phase = i / p->nouter;
		in->outer = (int32_t)(i % p->nouter) - 1;
		in->exists = instance_exists(s, &s->phases[in->phase], in->outer);
	}
	for (uint32_t i = 0; i < p->ninstances; i++)
		if (p->instances[i].exists)
			init_slots(p, i);
	for (uint32_t i = 0; i < p->ninstances; i++)
		if (p->instances[i].exists)
			init_children(p, i);
}

/* No search, so nothing is ever asked for or awaited here. */
static void init_scheduled(struct plan *p, uint32_t instance)
{
	struct plan_instance *in = &p->instances[instance];

	in->given_group = add_group(p, instance);
	plan_group(p, in->given_group)->closed = true;
	in->groups_open--;
	in->groups_known = in->trials_known = true;
}

void plan_init(struct plan *p, struct arena *a, const struct study *s)
{
	*p = (struct plan){.arena = a, .study = s, .first_dirty = UINT32_MAX, .last_dirty = UINT32_MAX};
	slab_init(&p->trials, a, sizeof(struct plan_trial));
	slab_init(&p->units, a, sizeof(struct plan_unit));
	slab_init(&p->combos, a, sizeof(struct plan_combo));
	slab_init(&p->links, a, sizeof(struct plan_link));
	slab_init(&p->groups, a, sizeof(struct plan_group));
	p->units_per_trial = arena_array(a, s->nphases, sizeof *p->units_per_trial);
	for (uint32_t i = 0; i < s->nphases; i++) {
		p->units_per_trial[i] = has_folds(p, i) ? s->folds.inner : 1;
		if (p->units_per_trial[i] > p->max_units_per_trial)
			p->max_units_per_trial = p->units_per_trial[i];
	}
	p->ancestors[0] = arena_array(a, s->nphases, sizeof(uint32_t));
	p->ancestors[1] = arena_array(a, s->nphases, sizeof(uint32_t));
	init_instances(p);
	for (uint32_t i = 0; i < p->ninstances; i++) {
		struct plan_instance *in = &p->instances[i];

		if (!in->exists)
			continue;
		plan_touch(p, i);
		if (s->phases[in->phase].scheduled)
			init_scheduled(p, i);
		else if (s->phases[in->phase].trials_total)
			in->total_group = add_group(p, i);
		if (s->phases[in->phase].nafter == 0 && !in->given_group)
			plan_add_combo(p, i, NULL, 0);
	}
}
