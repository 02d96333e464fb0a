#include "schedule.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

/* ---- what the selected jobs have -------------------------------------------------------------------- */

const char *schedule_value(struct arena *a, const struct sched *s, const struct study *study, uint32_t trial,
                           const char *name)
{
	const struct study_phase *p;
	struct trial_view t;
	struct scope scope;
	char buf[TEXT_NUMBER];

	sched_trial(s, trial, &t);
	sched_trial_scope(s, trial, a, &scope);
	p = &study->phases[t.phase];
	for (uint32_t i = 0; i < p->nvisible; i++) {
		const struct visible *v = &p->visible[i];
		const struct value *values = scope.by_phase[v->phase];

		if (!strcmp(v->name, name) && values && values[v->index].kind != VALUE_NONE)
			return arena_strdup(a, value_text(&values[v->index], buf));
	}
	return NULL;
}

/* ---- groups ----------------------------------------------------------------------------------------- */

/* Groups as they appear, found by their keys. */
struct gather {
	struct arena *a;
	const struct sched *sched;
	const struct study *study;
	const struct expand_args *by;
	bool alone; /* each job by itself */
	struct schedule_group *groups;
	uint32_t n, cap, *caps; /* room for parents */
	uint32_t *cells, mask;
};

static uint32_t *find_cell(const struct gather *g, struct key128 key)
{
	uint32_t at = (uint32_t)key.lo & g->mask;

	while (g->cells[at] && !key_equal(g->groups[g->cells[at] - 1].key, key))
		at = (at + 1) & g->mask;
	return &g->cells[at];
}

static void grow_groups(struct gather *g)
{
	uint32_t cap = g->cap ? 2 * g->cap : 64;

	g->groups = arena_grow(g->a, g->groups, g->n * sizeof *g->groups, cap * sizeof *g->groups);
	g->caps = arena_grow(g->a, g->caps, g->n * sizeof *g->caps, cap * sizeof *g->caps);
	g->cap = cap;
	g->mask = 4 * cap - 1;
	g->cells = arena_array(g->a, (size_t)g->mask + 1, sizeof *g->cells);
	for (uint32_t i = 0; i < g->n; i++)
		*find_cell(g, g->groups[i].key) = i + 1;
}

static struct schedule_group *group_of(struct gather *g, struct key128 key, const char *label)
{
	uint32_t *cell;

	if (g->n == g->cap)
		grow_groups(g);
	cell = find_cell(g, key);
	if (!*cell) {
		*cell = ++g->n;
		g->groups[g->n - 1] = (struct schedule_group){.label = arena_strdup(g->a, label), .key = key};
		g->caps[g->n - 1] = 0;
	}
	return &g->groups[*cell - 1];
}

static void add_parent(struct gather *g, struct schedule_group *x, uint32_t trial)
{
	uint32_t *cap = &g->caps[x - g->groups], *list = (uint32_t *)x->parents;

	if (x->n == *cap) {
		uint32_t more = *cap ? 2 * *cap : 4;

		list = arena_grow(g->a, list, x->n * sizeof *list, more * sizeof *list);
		*cap = more;
	}
	list[x->n++] = trial;
	x->parents = list;
}

/* In the order of the names, so that `a={{}} b={{}}` and `b={{}} a={{}}` make the same groups. */
static struct key128 hash_pair(struct key128 sum, const char *name, const char *value)
{
	struct key128 k = key_hash_text(key_hash_text((struct key128){1, 2}, name), value);

	sum.hi ^= k.hi;
	sum.lo ^= k.lo;
	return sum;
}

static int put_in_group(struct gather *g, uint32_t trial, struct fault *f)
{
	struct key128 key = {3, 5};
	struct trial_view t;
	const char *label = "";

	for (uint32_t i = 0; i < g->by->n; i++) {
		const struct expand_arg *arg = &g->by->args[i];
		const char *value;

		if (!arg->existing || arg->word == EXPAND_TRIAL)
			continue;
		value = schedule_value(g->a, g->sched, g->study, trial, arg->name);
		if (!value)
			return fault_set(
			    f, FAULT_USAGE,
			    "argument %u: trial %u, which is selected, has no parameter '%.100s' to "
			    "group by",
			    arg->number, trial, arg->name);
		value = expand_canonical(g->a, value);
		key = hash_pair(key, arg->name, value);
		label = arena_printf(g->a, "%s%s%s=%s", label, *label ? " " : "", arg->name, value);
	}
	if (g->alone) {
		sched_trial(g->sched, trial, &t);
		key = key_hash_number(key_hash_number(key, t.key.hi), t.key.lo);
		label = arena_printf(g->a, "%s%strial=%u", label, *label ? " " : "", trial);
	}
	add_parent(g, group_of(g, key, *label ? label : "all"), trial);
	return 0;
}

/* ---- the call ----------------------------------------------------------------------------------------- */

static bool has_new_values(const struct expand_args *x)
{
	for (uint32_t i = 0; i < x->n; i++)
		if (!x->args[i].existing)
			return true;
	return false;
}

static bool has_keys(const struct expand_args *x)
{
	for (uint32_t i = 0; i < x->n; i++)
		if (x->args[i].existing && x->args[i].word != EXPAND_TRIAL)
			return true;
	return false;
}

static int check_new_keys(struct arena *a, const struct sched *s, const struct study *study,
                          const struct expand_args *x, const uint32_t *selected, uint32_t n, struct fault *f)
{
	for (uint32_t i = 0; i < x->n; i++)
		for (uint32_t k = 0; k < n && !x->args[i].existing; k++)
			if (schedule_value(a, s, study, selected[k], x->args[i].name))
				return fault_set(
				    f, FAULT_USAGE,
				    "argument %u: trial %u, which is selected, has a '%.100s' already: "
				    "%.100s={{}} groups by it; to use some of its values only, select "
				    "them; to give the new jobs another one, put it behind the second --",
				    x->args[i].number, selected[k], x->args[i].name, x->args[i].name);
	return 0;
}

static int make_groups(struct arena *a, const struct sched *s, const struct study *study,
                       const struct expand_call *call, const uint32_t *selected, uint32_t n,
                       struct schedule *out, struct fault *f)
{
	struct gather g = {.a = a, .sched = s, .study = study, .by = &call->group};

	g.alone = expand_find(&call->group, EXPAND_TRIAL) ||
	          (has_new_values(&call->group) && !has_keys(&call->group));
	if (check_new_keys(a, s, study, &call->group, selected, n, f))
		return -1;
	for (uint32_t i = 0; i < n; i++)
		if (put_in_group(&g, selected[i], f))
			return -1;
	out->groups = g.groups;
	out->ngroups = g.n;
	return 0;
}

static int add_names(const struct expand_args *x, const char **names, uint32_t *n, struct fault *f)
{
	for (uint32_t i = 0; i < x->n; i++) {
		const struct expand_arg *arg = &x->args[i];

		if (arg->existing || arg->word != EXPAND_PARAM)
			continue;
		for (uint32_t k = 0; k < *n; k++)
			if (!strcmp(names[k], arg->name))
				return fault_set(f, FAULT_USAGE, "argument %u: '%.100s' has a value already",
				                 arg->number, arg->name);
		names[(*n)++] = arg->name;
	}
	return 0;
}

static uint32_t *sort_names(struct arena *a, const char *const *names, uint32_t n)
{
	uint32_t *order = arena_array(a, n + 1, sizeof *order);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = i;

		for (; k > 0 && strcmp(names[order[k - 1]], names[i]) > 0; k--)
			order[k] = order[k - 1];
		order[k] = i;
	}
	return order;
}

/* Names of the phases of the selected jobs, in the order of the study. */
static void find_after(struct arena *a, const struct sched *s, const struct study *study,
                       const uint32_t *selected, uint32_t n, struct schedule *out)
{
	bool *seen = arena_array(a, study->nphases + 1, sizeof *seen);
	const char **list = arena_array(a, study->nphases + 1, sizeof *list);

	for (uint32_t i = 0; i < n; i++) {
		struct trial_view t;

		sched_trial(s, selected[i], &t);
		seen[t.phase] = true;
	}
	for (uint32_t p = 0; p < study->nphases; p++)
		if (seen[p])
			list[out->nafter++] = study->phases[p].name;
	out->after = list;
}

static const char *default_phase(struct arena *a, const struct schedule *x)
{
	return x->nafter ? arena_printf(a, "after-%s", x->after[x->nafter - 1]) : "job";
}

int schedule_prepare(struct arena *a, const struct sched *s, const struct study *study,
                     const struct expand_call *call, const uint32_t *selected, uint32_t n,
                     struct schedule *out, struct fault *f)
{
	static const struct schedule_group root = {.label = "none", .key = {3, 5}};
	const char **names = arena_array(a, call->group.n + call->jobs.n + 1, sizeof *names);
	const struct expand_arg *phase = expand_find(&call->jobs, EXPAND_PHASE);

	*out = (struct schedule){.call = call, .groups = &root, .ngroups = 1, .names = names};
	if (call->joined && make_groups(a, s, study, call, selected, n, out, f))
		return -1;
	if (add_names(&call->group, names, &out->nnames, f) || add_names(&call->jobs, names, &out->nnames, f))
		return -1;
	out->sorted = sort_names(a, names, out->nnames);
	find_after(a, s, study, selected, n, out);
	out->phase = phase ? phase->text : default_phase(a, out);
	out->combinations = expand_count(&call->group);
	out->each = expand_count(&call->jobs);
	out->njobs = expand_times(expand_times(out->ngroups, out->combinations), out->each);
	return expand_check(out->njobs, f);
}

/* ---- one job --------------------------------------------------------------------------------------------
 */

static const struct param *find_param(const struct study_phase *p, const char *name, uint32_t *index)
{
	for (*index = 0; *index < p->space.nparams; ++*index)
		if (!strcmp(p->space.params[*index].name, name))
			return &p->space.params[*index];
	return NULL;
}

static uint32_t put_texts(struct arena *a, const struct expand_args *x, uint64_t seed, uint64_t index,
                          const char **texts)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < x->n; i++)
		if (!x->args[i].existing && x->args[i].word == EXPAND_PARAM)
			texts[n++] = expand_value(a, x, seed, index, i);
	return n;
}

static struct key128 identity(struct arena *a, const struct schedule *x, const char *command,
                              const struct schedule_group *g, uint32_t repeat, const char *const *texts)
{
	struct key128 k = key_hash_text(key_hash_text((struct key128){7, 11}, x->phase), command);

	for (uint32_t i = 0; i < x->nnames; i++)
		k = key_hash_text(key_hash_text(k, x->names[x->sorted[i]]),
		                  expand_canonical(a, texts[x->sorted[i]]));
	k = key_hash_number(key_hash_number(k, g->key.hi), g->key.lo);
	return key_hash_number(key_hash_number(k, x->call->best), repeat);
}

void schedule_job(struct arena *a, const struct schedule *x, const struct study_phase *phase,
                  uint32_t command, const struct schedule_draw *d, uint64_t index, struct sched_job *out)
{
	const struct schedule_group *g = &x->groups[index / x->each / x->combinations];
	const char **texts = arena_array(a, x->nnames + 1, sizeof *texts);
	struct value *own = arena_array(a, phase->space.nparams + 1, sizeof *own);
	uint64_t seed = rng_mix(d->seed ^ rng_mix(d->repeat ^ rng_mix(g->key.lo)));
	uint32_t n = put_texts(a, &x->call->group, seed, index / x->each % x->combinations, texts), at;

	put_texts(a, &x->call->jobs, seed, index % x->each, texts + n);
	for (uint32_t i = 0; i < x->nnames; i++) {
		const struct param *p = find_param(phase, x->names[i], &at);

		if (p)
			value_parse(a, p, texts[i], &own[at]);
	}
	*out = (struct sched_job){.phase = phase->index,
	                          .command = command,
	                          .key = identity(a, x, phase->command_texts[command], g, d->repeat, texts),
	                          .values = own,
	                          .parents = g->parents,
	                          .nparents = g->n,
	                          .best_n = x->call->best};
}
