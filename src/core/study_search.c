/* search, trials, enqueue, and whether a space holds any point at all. */
#include "rng.h"
#include "study_draft.h"
#include "text.h"

#include <math.h>
#include <string.h>

enum { GRID_TRIED = 100000, DRAWS_TRIED = 20000 };
/* For the whole file, in nodes of expressions evaluated: well below a second. */
static const uint64_t max_work = 50000000;

/* ---- search and trials ------------------------------------------------------------------------- */

static bool only_constants(const struct draft_phase *t)
{
	for (uint32_t k = 0; k < t->nparams; k++)
		if (t->params[k].kind != DOMAIN_CONST)
			return false;
	return true;
}

static void check_grid(struct draft *d, const struct draft_phase *t)
{
	for (uint32_t k = 0; k < t->nparams; k++) {
		const struct param *p = &t->params[k];
		struct space one = {.params = p, .nparams = 1};

		if (space_size(&one) != SPACE_INFINITE)
			continue;
		if (p->kind == DOMAIN_INT || p->kind == DOMAIN_LOGINT)
			draft_error(d, t->param_nodes[k],
			            "grid needs plain bounds: those of %s depend on other "
			            "parameters",
			            p->name);
		else
			draft_error(d, t->param_nodes[k],
			            "grid over the continuous %s: list its points, as in [..], linspace or "
			            "logspace, or use search: sobol",
			            p->name);
	}
}

static void missing_trials(struct draft *d, const struct draft_phase *t, int64_t size)
{
	draft_error(d, t->node, "phase '%s' has no `trials`: say how many%s", t->p.name,
	            size == SPACE_INFINITE ? "" : ", or use `search: grid`");
}

static enum search_kind resolve_auto(const struct draft_phase *t, int64_t size)
{
	if (size != SPACE_INFINITE && size <= t->p.trials)
		return SEARCH_GRID;
	if (t->p.nmore)
		return SEARCH_NSGA2;
	return draft_metric_none(t) && !t->judge ? SEARCH_SOBOL : SEARCH_AUTO;
}

/* Of parameters that cannot vary only repetitions are left, which no search is needed for. */
static void check_learning(struct draft *d, struct draft_phase *t)
{
	if (draft_metric_none(t) && !t->judge)
		draft_error(
		    d, t->search,
		    "`search: %s` learns from the phase's metric, and '%s' has none: give it a `metric`, "
		    "or use grid, random or sobol",
		    t->p.search == SEARCH_PROGRAM ? "{program: ..}" : t->search->text, t->p.name);
	else if (only_constants(t))
		t->p.search = SEARCH_RANDOM;
	else if (t->p.nmore && search_needs_one_metric(t->p.search))
		draft_error(d, t->search,
		            "`search: %s` learns from one metric, and phase '%s' has several: use nsga2 (the "
		            "default then), random, sobol or grid",
		            t->search->text, t->p.name);
}

static void resolve_search(struct draft *d, struct draft_phase *t)
{
	int64_t size = space_size(&t->p.space);

	if (t->p.trials_total && t->nafter == 0)
		draft_error(d, t->trials, "`trials: N total` counts over parent trials: '%s' has no `after`",
		            t->p.name);
	if (!t->search)
		t->p.search_auto = true;
	if (t->p.search == SEARCH_GRID && !t->p.search_auto)
		check_grid(d, t);
	if (!t->trials && only_constants(t)) {
		t->p.trials = 1;
		if (t->p.search_auto)
			t->p.search = SEARCH_GRID;
		return;
	}
	if (!t->trials && (t->p.search_auto || t->p.search != SEARCH_GRID))
		missing_trials(d, t, size);
	else if (!t->trials)
		t->p.trials = INT64_MAX;
	if (t->p.search_auto)
		t->p.search = resolve_auto(t, size);
	else if (search_learns(t->p.search))
		check_learning(d, t);
}

/* ---- does anything feasible exist? ------------------------------------------------------------- */

struct foreign {
	uint32_t phase;
	bool any;
	uint64_t nodes; /* of all expressions, and more for each parameter */
};

static void note_foreign(void *ctx, uint32_t phase, uint32_t index)
{
	struct foreign *f = ctx;

	(void)index;
	f->any = f->any || phase != f->phase;
}

static void note_expr(void *ctx, const struct expr *e)
{
	struct foreign *f = ctx;

	expr_visit(e, note_foreign, f);
	f->nodes += expr_nodes(e);
}

static struct scope own_scope(struct draft *d, uint32_t phase, struct value *own)
{
	const struct value **by = arena_array(d->a, d->nphases, sizeof *by);

	by[phase] = own;
	return (struct scope){by, d->nphases};
}

static bool grid_has_point(const struct space *s, const struct scope *scope, int64_t size, struct value *own)
{
	for (int64_t i = 0; i < size; i++)
		if (space_grid_point(s, scope, i, own))
			return true;
	return false;
}

static bool draw_finds_point(const struct space *s, const struct scope *scope, double *u, struct value *own,
                             uint64_t tries)
{
	struct rng r;

	rng_seed(&r, 1);
	while (tries-- > 0) {
		for (uint32_t k = 0; k < s->nparams; k++)
			u[k] = rng_unit(&r);
		if (space_draw(s, scope, u, own))
			return true;
	}
	return false;
}

static void check_feasible(struct draft *d, struct draft_phase *t, uint32_t phase)
{
	const struct space *s = &t->p.space;
	struct value *own = arena_array(d->a, s->nparams + 1, sizeof *own);
	struct scope scope = own_scope(d, phase, own);
	struct foreign f = {.phase = phase, .nodes = 1 + 4 * (uint64_t)s->nparams};
	int64_t size = space_size(s);
	bool grid = size != SPACE_INFINITE && size <= GRID_TRIED;
	uint64_t tries = grid ? (uint64_t)size : DRAWS_TRIED;

	space_each_expr(s, note_expr, &f);
	if (f.any || d->work + f.nodes * tries > max_work)
		return;
	if (grid ? grid_has_point(s, &scope, size, own)
	         : draw_finds_point(s, &scope, arena_array(d->a, s->nparams + 1, sizeof(double)), own,
	                            tries)) {
		d->work += f.nodes;
		return;
	}
	d->work += f.nodes * tries;
	draft_error(d,
	            t->require     ? t->require
	            : t->nrequires ? t->require_nodes[0]
	                           : t->params_node,
	            grid
	                ? "no point of phase '%s' is feasible: its bounds or `require` reject all of the grid"
	                : "no feasible point found for phase '%s' in 20000 draws: its bounds or `require` "
	                  "leave nothing",
	            t->p.name);
}

/* ---- enqueue ----------------------------------------------------------------------------------- */

static bool unknown_entry(struct draft *d, const struct draft_phase *t, const struct yaml_node *map)
{
	bool bad = false;

	for (const struct yaml_node *v = map->first; v; v = v->next) {
		const char *words[DRAFT_MAX_PARAMS];
		uint32_t n = 0;

		while (n < t->nparams && strcmp(t->params[n].name, v->key->text) != 0) {
			words[n] = t->params[n].name;
			n++;
		}
		if (n == t->nparams) {
			draft_error(d, v->key, "enqueue: phase '%s' has no parameter '%.64s'%s", t->p.name,
			            v->key->text, draft_hint(d, v->key->text, words, n));
			bad = true;
		}
	}
	return bad;
}

/* Constants may be left out. */
static bool enqueued_value(struct draft *d, const struct param *p, const struct yaml_node *v,
                           struct value *out)
{
	if (!v && p->kind == DOMAIN_CONST && !p->cond)
		*out = (struct value){.kind = VALUE_CHOICE, .u.choice = p->choices};
	if (!v)
		return true;
	if ((v->kind == YAML_TEXT || v->kind == YAML_NULL) && value_parse(d->a, p, v->text, out))
		return true;
	draft_error(d, v, "enqueue: %s must be a value of %.200s", p->name, p->text);
	return false;
}

static void read_enqueued(struct draft *d, struct draft_phase *t, uint32_t phase, const struct yaml_node *map,
                          struct value *own)
{
	struct scope scope = own_scope(d, phase, own);
	struct foreign f = {.phase = phase};
	struct fault why = {0};

	if (map->kind != YAML_MAP) {
		draft_error(d, map, "enqueue: an assignment is a map, as in {lr: 0.1, hidden: 64}");
		return;
	}
	if (unknown_entry(d, t, map))
		return;
	for (uint32_t k = 0; k < t->nparams; k++)
		if (!enqueued_value(d, &t->params[k], draft_entry(map, t->params[k].name), &own[k]))
			return;
	space_each_expr(&t->p.space, note_expr, &f);
	/* What depends on ancestors is judged when there is one. */
	if (!f.any && space_check(&t->p.space, &scope, own, &why))
		draft_error(d, map, "enqueue: %s", why.text);
}

static void read_enqueue(struct draft *d, struct draft_phase *t, uint32_t phase)
{
	uint32_t n = 0;
	struct value *all;

	if ((uint64_t)t->enqueue->count * (t->nparams + 1) > 1000000) {
		draft_error(d, t->enqueue, "too much is enqueued");
		return;
	}
	all = arena_array(d->a, (size_t)t->enqueue->count * t->nparams, sizeof *all);
	for (const struct yaml_node *v = t->enqueue->first; v; v = v->next, n++)
		read_enqueued(d, t, phase, v, all + (size_t)n * t->nparams);
	t->p.enqueue = all;
	t->p.nenqueue = n;
}

/* Rules that compare trials depend on which of them came first. */
static void check_reproducible(struct draft *d, const struct draft_phase *t)
{
	const struct prune *p = t->p.prune;

	if (p && search_learns(t->p.search) && (p->rules & ~(uint32_t)(PRUNE_THRESHOLD | PRUNE_PATIENCE)))
		draft_error(d, t->prune_node,
		            "`prune` in a reproducible study: what it gives up depends on which trials ended "
		            "first, and so would what '%s' learns; only threshold and patience do not",
		            t->p.name);
}

void draft_check_searches(struct draft *d)
{
	for (uint32_t i = 0; i < d->nphases; i++) {
		struct draft_phase *t = &d->phases[i];

		if (t->broken || t->p.scheduled)
			continue;
		resolve_search(d, t);
		if (d->s->reproducible)
			check_reproducible(d, t);
		if (t->nrequires || t->nparams)
			check_feasible(d, t, i);
		if (t->enqueue)
			read_enqueue(d, t, i);
	}
}
