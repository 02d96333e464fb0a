/* Parameters, requirements, folds and metrics: what needs the graph. */
#include "domain.h"
#include "study_draft.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* ---- binding expressions ----------------------------------------------------------------------- */

struct binding {
	struct draft *d;
	uint32_t phase;
};

static int find_name(void *ctx, const char *name, struct expr_ref *out, struct fault *f)
{
	const struct binding *b = ctx;

	return draft_find(b->d, b->phase, name, out, f);
}

static const char *nearest_name(void *ctx, const char *name)
{
	const struct binding *b = ctx;

	return draft_nearest(b->d, b->phase, name);
}

/* Expressions are const for those who evaluate them; here they are still being built. */
static bool bind_expr(struct binding *b, const struct expr *e, enum expr_want want,
                      const struct yaml_node *node, size_t offset, const char *what)
{
	struct expr_names names = {find_name, nearest_name, b};
	struct fault f = {0};
	size_t at = 0;

	if (!e || !expr_bind((struct expr *)e, want, &names, &at, &f))
		return true;
	if (*f.text)
		fault_context(&f, "%.64s", what);
	draft_error_at(b->d, node, offset + at, f.text);
	return false;
}

/* Where the text of an expression starts inside the parameter's own text is not kept: mistakes in bounds are
 * told at the value, those of a condition after its `if`. */
static size_t cond_offset(const struct yaml_node *v)
{
	const char *s = v->kind == YAML_TEXT ? strstr(v->text, " if ") : NULL;

	return s ? (size_t)(s - v->text) + 4 + strspn(s + 4, " ") : 0;
}

static bool bind_param(struct binding *b, const struct param *p, const struct yaml_node *v)
{
	struct fault f = {0};
	bool ok = bind_expr(b, p->lo, EXPR_NUMBER, v, 0, p->name);

	ok = bind_expr(b, p->hi, EXPR_NUMBER, v, 0, p->name) && ok;
	ok = bind_expr(b, p->cond, EXPR_CONDITION, v, cond_offset(v), p->name) && ok;
	if (ok && domain_check(p, &f)) {
		draft_error(b->d, v, "%s: %s", p->name, f.text);
		ok = false;
	}
	return ok;
}

/* ---- order of parameters ----------------------------------------------------------------------- */

/* Depth first: each parameter after those its bounds and condition name. */
struct ordering {
	struct draft *d;
	struct draft_phase *t;
	uint32_t phase, n, depth, user;
	uint32_t **deps, *ndeps; /* by parameter */
	uint32_t *seen;          /* last user that named it, plus one */
	uint32_t *order, *path;
	uint8_t *state; /* 1: on the path, 2: placed */
};

static void add_dep(void *ctx, uint32_t phase, uint32_t index)
{
	struct ordering *o = ctx;
	uint32_t n = o->ndeps[o->user];
	uint32_t **list = &o->deps[o->user];

	if (phase != o->phase || o->seen[index] == o->user + 1)
		return;
	o->seen[index] = o->user + 1;
	if ((n & (n - 1)) == 0) /* full at powers of two */
		*list = arena_grow(o->d->a, *list, n * sizeof **list, (n ? 2 * n : 1) * sizeof **list);
	(*list)[o->ndeps[o->user]++] = index;
}

static void collect_deps(struct ordering *o, uint32_t k)
{
	const struct param *p = &o->t->params[k];

	o->user = k;
	if (p->lo)
		expr_visit(p->lo, add_dep, o);
	if (p->hi)
		expr_visit(p->hi, add_dep, o);
	if (p->cond)
		expr_visit(p->cond, add_dep, o);
}

static void report_param_cycle(struct ordering *o, uint32_t k)
{
	uint32_t from = 0;
	const char *text;

	while (o->path[from] != k)
		from++;
	text = o->t->params[k].name;
	for (uint32_t i = from + 1; i < o->depth && i < from + 8; i++)
		text = arena_printf(o->d->a, "%s needs %s", text, o->t->params[o->path[i]].name);
	draft_error(o->d, o->t->param_nodes[k]->key,
	            "the parameters depend on each other in a cycle: %s needs %s", text,
	            o->t->params[k].name);
	o->t->broken = true;
}

static void place_param(struct ordering *o, uint32_t k)
{
	o->state[k] = 1;
	o->path[o->depth++] = k;
	for (uint32_t i = 0; i < o->ndeps[k] && !o->t->broken; i++) {
		uint32_t q = o->deps[k][i];

		if (o->state[q] == 1)
			report_param_cycle(o, q);
		else if (o->state[q] == 0)
			place_param(o, q);
	}
	o->depth--;
	o->state[k] = 2;
	o->order[o->n++] = k;
}

static void order_params(struct draft *d, struct draft_phase *t, uint32_t phase)
{
	uint32_t n = t->nparams;
	struct ordering o = {.d = d, .t = t, .phase = phase};

	o.deps = arena_array(d->a, n, sizeof *o.deps);
	o.ndeps = arena_array(d->a, n, sizeof *o.ndeps);
	o.seen = arena_array(d->a, n, sizeof *o.seen);
	o.order = arena_array(d->a, n, sizeof *o.order);
	o.path = arena_array(d->a, n, sizeof *o.path);
	o.state = arena_array(d->a, n, sizeof *o.state);
	for (uint32_t k = 0; k < n; k++)
		collect_deps(&o, k);
	for (uint32_t k = 0; k < n && !t->broken; k++)
		if (o.state[k] == 0)
			place_param(&o, k);
	t->p.space.order = o.order;
}

static void check_space(struct draft *d, uint32_t i)
{
	struct draft_phase *t = &d->phases[i];
	struct binding b = {d, i};
	bool ok = true;

	for (uint32_t k = 0; k < t->nparams; k++)
		ok = bind_param(&b, &t->params[k], t->param_nodes[k]) && t->params[k].text && ok;
	for (uint32_t k = 0; k < t->nrequires; k++)
		ok = bind_expr(&b, t->requires[k], EXPR_CONDITION, t -> require_nodes[k], 0, "require") && ok;
	t->p.space = (struct space){.params = t->params,
	                            .nparams = t->nparams,
	                            .require = (const struct expr *const *)t->requires,
	                            .require_text = t->require_texts,
	                            .nrequire = t->nrequires};
	t->broken = !ok;
	if (ok)
		order_params(d, t, i);
}

/* `broken` before: nothing here can be checked. After: the space of the phase is not usable. */
void draft_check_spaces(struct draft *d)
{
	for (uint32_t i = 0; i < d->nphases; i++)
		if (!d->phases[i].broken)
			check_space(d, i);
}

/* ---- folds ------------------------------------------------------------------------------------- */

static void check_none_phase(struct draft *d, const struct draft_phase *t)
{
	for (uint32_t q = 0; q < d->nphases; q++)
		if (t->ancestor[q] && d->phases[q].p.folds != FOLDS_NONE) {
			draft_error(
			    d, t->folds,
			    "phase '%s' is on the full data but comes after '%s', which is searched in "
			    "each outer fold: set `folds: {outer: %u, inner: %u, full: true}`",
			    t->p.name, d->phases[q].p.name, d->s->folds.outer, d->s->folds.inner);
			return;
		}
}

/* What a `none` phase made of all data holds outer test parts: no fold may build on it. */
static void check_below_full(struct draft *d, const struct draft_phase *t)
{
	for (uint32_t q = 0; q < d->nphases; q++)
		for (uint32_t a = 0; a < d->nphases; a++)
			if (t->ancestor[q] && d->phases[q].p.folds == FOLDS_NONE &&
			    d->phases[q].ancestor[a] && d->phases[a].p.folds != FOLDS_NONE) {
				draft_error(
				    d, t->folds ? t->folds : t->node,
				    "phase '%s' is searched in each outer fold but comes after '%s', whose "
				    "model has seen the outer test parts: set `folds: none` here, or "
				    "`folds: outer` there",
				    t->p.name, d->phases[q].p.name);
				return;
			}
}

/* The full search takes the `each` phases that lead to a `none` phase (all of them when none does), the
 * `outer` phases that lead to one, and whatever those come after. Scheduled phases ask for nothing. */
static void mark_full(struct draft *d)
{
	bool any = false;

	for (uint32_t i = 0; i < d->nphases && !d->phases[i].p.scheduled; i++)
		for (uint32_t q = 0; d->phases[i].p.folds == FOLDS_NONE && q < d->nphases; q++)
			if (d->phases[i].ancestor[q] && d->phases[q].p.folds != FOLDS_NONE)
				d->phases[q].p.in_full = any = true;
	for (uint32_t i = 0; i < d->nphases && !any; i++)
		d->phases[i].p.in_full = d->phases[i].p.folds == FOLDS_EACH;
	for (uint32_t i = d->nphases; i-- > 0;)
		for (uint32_t q = 0; d->phases[i].p.in_full && q < i; q++)
			if (d->phases[i].ancestor[q] && d->phases[q].p.folds != FOLDS_NONE)
				d->phases[q].p.in_full = true;
}

void draft_check_folds(struct draft *d)
{
	const struct folds *f = &d->s->folds;

	for (uint32_t i = 0; i < d->nphases; i++) {
		const struct draft_phase *t = &d->phases[i];

		if (t->p.folds == FOLDS_OUTER && !f->outer)
			draft_error(d, t->folds,
			            "`folds: outer` needs nested folds, as in `folds: {outer: 3, inner: 5}`");
		/* A scheduled phase comes after the trials it is given, of whatever outer fold. */
		if (t->p.folds == FOLDS_NONE && f->outer && !f->full && !t->p.scheduled)
			check_none_phase(d, t);
		if (t->p.folds != FOLDS_NONE && f->outer)
			check_below_full(d, t);
	}
	if (f->outer && f->full)
		mark_full(d);
}

/* ---- metrics ----------------------------------------------------------------------------------- */

bool draft_metric_none(const struct draft_phase *t)
{
	if (!t->metric)
		return t->p.scheduled;
	if (t->judge)
		return true;
	return t->metric->kind == YAML_TEXT && !strcmp(t->metric->text, "none");
}

/* Where one trial must be better than another. */
static void check_several(struct draft *d, struct draft_phase *t)
{
	if (t->p.report == REPORT_BEST)
		draft_error(
		    d, t->report,
		    "`report: best` in phase '%s' with several metrics: their best steps would not be "
		    "one point",
		    t->p.name);
	if (t->keep && t->p.limits.keep_best >= 0)
		draft_error(d, t->keep, "`keep: best` in phase '%s' with several metrics: no trial is best",
		            t->p.name);
	if (t->p.prune)
		draft_error(d, t->prune_node,
		            "`prune` in phase '%s' with several metrics: it compares trials by one",
		            t->p.name);
}

static void check_metric(struct draft *d, struct draft_phase *t)
{
	if (!t->command)
		return; /* hardly a phase: told */
	if (!t->has_metric)
		draft_error(d, t->node,
		            "phase '%s' has no `metric`: name the number it reports, or write `metric: none` "
		            "(exit 0 is success)",
		            t->p.name);
	else if (t->p.metric && !t->has_goal)
		draft_error(d, t->metric, "metric '%s' needs a `goal`: minimize or maximize", t->p.metric);
	if (t->metrics && t->goal_here)
		draft_error(d, t->goal, "`goal` with `metrics`: each of them has its own");
	if (t->p.nmore)
		check_several(d, t);
	if (draft_metric_none(t) && t->keep && t->p.limits.keep_best >= 0)
		draft_error(d, t->keep, "`keep: best` in phase '%s', whose metric is none: nothing is best",
		            t->p.name);
}

/* Values of another phase: all children of a trial must be there for it, whatever they are worth. */
static void check_judge(struct draft *d, struct draft_phase *t)
{
	int judge = draft_find_phase(d, t->judge);
	struct draft_phase *j = judge < 0 ? NULL : &d->phases[judge];

	for (uint32_t k = 0; j && k < j->nafter; k++)
		if (&d->phases[j->after[k].to.phase] == t && j->after[k].to.pick == PICK_ALL) {
			t->p.judged = true;
			t->p.judge = (uint32_t)judge;
			t->p.goal = j->p.goal;
			j->p.judges = true;
		}
	if (!j)
		draft_error(d, t->metric, "`metric: best(%.64s)`: there is no such phase", t->judge);
	else if (!t->p.judged)
		draft_error(d, t->metric,
		            "`metric: best(%.64s)`: '%s' does not come after each trial of '%s'", t->judge,
		            j->p.name, t->p.name);
	else if (draft_metric_none(j))
		draft_error(d, t->metric, "`metric: best(%.64s)`: its metric is none, so no trial is best",
		            t->judge);
	else if (j->p.nmore)
		draft_error(d, t->metric,
		            "`metric: best(%.64s)`: it has several metrics, so no trial is best", t->judge);
}

static void check_picks(struct draft *d, const struct draft_phase *t)
{
	for (uint32_t k = 0; k < t->nafter; k++) {
		const struct draft_after *x = &t->after[k];

		if (x->to.pick != PICK_BEST)
			continue;
		if (draft_metric_none(&d->phases[x->to.phase]))
			draft_error(d, x->node, "best of '%s': its metric is none, so no trial is best",
			            x->name);
		else if (!x->by && d->phases[x->to.phase].p.nmore)
			draft_error(
			    d, x->node,
			    "best of '%s': it has several metrics, so say by which, as in `best by %s`",
			    x->name, d->phases[x->to.phase].p.metric);
	}
}

void draft_check_phases(struct draft *d)
{
	bool any = false, several = false;

	for (uint32_t i = 0; i < d->nphases; i++) {
		any = any || !draft_metric_none(&d->phases[i]);
		several = several || d->phases[i].p.nmore;
		check_metric(d, &d->phases[i]);
		if (d->phases[i].judge)
			check_judge(d, &d->phases[i]);
		check_picks(d, &d->phases[i]);
	}
	if (d->stop_target && !any)
		draft_error(d, d->stop_target,
		            "`stop: target` without a metric: every phase has `metric: none`");
	if (d->stop_target && several)
		draft_error(d, d->stop_target, "`stop: target` with several metrics: it is of one");
}
