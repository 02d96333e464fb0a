/* A study file, from its bytes to a struct study. The three steps are in study_draft.h. */
#include "study.h"
#include "study_draft.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- keys of the top --------------------------------------------------------------------------- */

static bool study_name_ok(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= 100 && s[0] != '.' && s[0] != '-' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

static void read_study(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	const char *s = draft_text(d, v, "study");

	(void)t;
	d->s->name = s ? s : "";
	if (s && !study_name_ok(s))
		draft_error(
		    d, v,
		    "`study: %.64s`: the name of a file: at most 100 letters, digits, _ - and ., first "
		    "a letter or digit",
		    s);
}

static void read_seed(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	int64_t n = 0;

	(void)t;
	if (draft_int(d, v, "seed", 0, INT64_MAX, &n))
		d->s->seed = (uint64_t)n;
}

static void read_fold_count(struct draft *d, const struct yaml_node *v, const char *what, uint32_t *out)
{
	int64_t n;

	if (draft_int(d, v, what, 2, 10000, &n))
		*out = (uint32_t)n;
}

static void read_outer(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	(void)t;
	d->s->folds.outer = 2;
	read_fold_count(d, v, "outer", &d->s->folds.outer);
}

static void read_inner(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	(void)t;
	d->s->folds.inner = 2;
	read_fold_count(d, v, "inner", &d->s->folds.inner);
}

static void read_full(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	(void)t;
	draft_bool(d, v, "full", &d->s->folds.full);
}

static void read_folds(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	static const struct draft_key keys[] = {
	    {"outer", read_outer}, {"inner", read_inner}, {"full", read_full}};
	struct draft_keys table = {keys, 3};
	struct folds *f = &d->s->folds;

	if (v->kind == YAML_NULL || (v->kind == YAML_TEXT && !strcmp(v->text, "none")))
		return;
	if (v->kind != YAML_MAP) {
		read_fold_count(d, v, "folds", &f->inner);
		return;
	}
	draft_read_map(d, t, v, "in `folds`", &table, 1, NULL);
	if (f->outer && !f->inner)
		draft_error(d, v, "nested folds need `inner` too, as in {outer: 3, inner: 5}");
	else if (!f->outer && f->inner)
		draft_error(d, v, "`inner` without `outer`: for plain folds write `folds: %u`", f->inner);
	else if (!f->outer)
		draft_error(d, v, "`folds` must be a number, or as in {outer: 3, inner: 5}");
}

static void read_defaults(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	if (v->kind != YAML_MAP)
		draft_error(d, v, "`defaults` must be a map of limits, as in {retries: 2, timeout: 10m}");
	else
		draft_read_map(d, t, v, "in `defaults`", &draft_limit_keys, 1, NULL);
}

static void read_target(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	(void)t;
	d->stop_target = v;
	d->s->has_target = v->kind == YAML_TEXT && text_parse_double(v->text, v->len, &d->s->stop_target) &&
	                   isfinite(d->s->stop_target);
	if (!d->s->has_target)
		draft_error(d, v, "`target` must be a number");
}

static void read_stop_time(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	(void)t;
	draft_duration(d, v, "time", &d->s->stop_time_ms);
}

static void read_stop_trials(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	(void)t;
	draft_int(d, v, "trials", 1, 1000000000, &d->s->stop_trials);
}

static void read_stop(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	static const struct draft_key keys[] = {
	    {"target", read_target}, {"time", read_stop_time}, {"trials", read_stop_trials}};
	struct draft_keys table = {keys, 3};

	if (v->kind == YAML_MAP)
		draft_read_map(d, t, v, "in `stop`", &table, 1, NULL);
	else
		draft_error(d, v, "`stop` must be a map, as in {target: 0.02, time: 2h, trials: 500}");
}

static void read_phases_node(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	(void)t;
	d->phases_node = v;
}

static const struct draft_key top_keys[] = {{"study", read_study}, {"seed", read_seed},
                                            {"folds", read_folds}, {"defaults", read_defaults},
                                            {"stop", read_stop},   {"phases", read_phases_node}};

static const char *top_hint(const char *key)
{
	static const char *const of_phase[] = {"command", "after",  "params", "require",
	                                       "search",  "trials", "enqueue"};

	for (size_t i = 0; i < draft_limit_keys.n; i++)
		if (!strcmp(draft_limit_keys.keys[i].name, key))
			return "limits for all phases stand under `defaults:`";
	for (size_t i = 0; i < sizeof of_phase / sizeof *of_phase; i++)
		if (!strcmp(of_phase[i], key))
			return "it belongs to a phase, under `phases:`";
	if (!strcmp(key, "prune") || !strcmp(key, "reproducible") || !strcmp(key, "metrics"))
		return "not in this version; known are study seed metric goal aggregate folds defaults env "
		       "setup capture report stop phases";
	return NULL;
}

/* ---- the whole --------------------------------------------------------------------------------- */

static void read_top(struct draft *d, const struct yaml_node *root)
{
	struct draft_keys tables[] = {{top_keys, sizeof top_keys / sizeof *top_keys}, draft_shared_keys};

	if (root->kind != YAML_MAP) {
		draft_error(d, root,
		            root->kind == YAML_NULL
		                ? "the file is empty"
		                : "a study file is a map: `study: NAME`, `phases:` and so on");
		return;
	}
	draft_default_limits(&d->top.p.limits);
	draft_read_map(d, &d->top, root, "at the top", tables, 2, top_hint);
	if (!d->s->name)
		draft_error(d, root, "no `study`: give the study a name");
	if (!d->phases_node)
		draft_error(d, root, "no `phases`: a study has at least one");
	else
		draft_read_phases(d);
}

/* Own parameters, then those of ancestors that are one trial. */
static void list_visible(struct draft *d, struct draft_phase *t)
{
	uint32_t n = 0, total = t->nparams;
	struct visible *list;

	for (uint32_t q = 0; q < t->p.index; q++)
		total += t->reach[q] == REACH_ONE ? d->phases[q].nparams : 0;
	list = arena_array(d->a, total, sizeof *list);
	for (uint32_t k = 0; k < t->nparams; k++)
		list[n++] = (struct visible){t->params[k].name, t->p.index, k};
	for (uint32_t q = 0; q < t->p.index; q++)
		for (uint32_t k = 0; t->reach[q] == REACH_ONE && k < d->phases[q].nparams; k++) {
			const char *name = d->phases[q].params[k].name;
			struct expr_ref ref;

			if (draft_find(d, t->p.index, name, &ref, NULL) != 1 || ref.phase != q)
				name = arena_printf(d->a, "%s.%s", d->phases[q].p.name, name);
			list[n++] = (struct visible){name, q, k};
		}
	t->p.visible = list;
	t->p.nvisible = n;
}

static void finish(struct draft *d)
{
	struct study_phase *p = arena_array(d->a, d->nphases, sizeof *p);

	for (uint32_t i = 0; i < d->nphases; i++) {
		list_visible(d, &d->phases[i]);
		p[i] = d->phases[i].p;
	}
	d->s->phases = p;
	d->s->nphases = d->nphases;
}

static void parse(struct draft *d, const struct yaml_node *root)
{
	read_top(d, root);
	if (d->nphases) {
		draft_check_param_names(d);
		draft_graph(d);
		draft_check_folds(d);
		draft_check_phases(d);
		draft_read_commands(d);
		draft_check_spaces(d);
		draft_check_searches(d);
	}
	if (d->nnotes == 0)
		finish(d);
}

static int by_place(const void *x, const void *y)
{
	const struct draft_note *a = x, *b = y;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->col != b->col)
		return a->col < b->col ? -1 : 1;
	return a->nth < b->nth ? -1 : 1;
}

static void give_errors(struct draft *d, const char *path, struct study_errors *errors)
{
	uint32_t n = d->nnotes < DRAFT_MAX_ERRORS ? d->nnotes : DRAFT_MAX_ERRORS;

	if (!d->nnotes)
		return;
	qsort(d->notes, d->nnotes, sizeof *d->notes, by_place);
	errors->items = arena_array(d->a, n, sizeof *errors->items);
	errors->count = n;
	errors->dropped = d->nnotes - n + d->dropped;
	for (uint32_t i = 0; i < n; i++)
		fault_set(&errors->items[i], FAULT_STUDY, "%.200s:%u:%u: %s", path, d->notes[i].line,
		          d->notes[i].col, d->notes[i].text);
}

static void yaml_mistake(void *ctx, uint32_t line, uint32_t col, const char *text)
{
	struct yaml_node at = {.line = line, .col = col};

	draft_error(ctx, &at, "%s", text);
}

int study_parse(struct arena *a, const char *path, const char *bytes, size_t n, const struct study **out,
                struct study_errors *errors)
{
	struct draft *d = arena_alloc(a, sizeof *d);
	const struct yaml_node *root = NULL;

	*errors = (struct study_errors){0};
	*out = NULL;
	d->a = a;
	d->s = arena_alloc(a, sizeof *d->s);
	if (n > STUDY_MAX_BYTES)
		yaml_mistake(d, 1, 1, "the file is larger than 64 MiB");
	else
		root = yaml_parse(a, bytes, n, yaml_mistake, d);
	if (root) {
		d->s->path = arena_strdup(a, path);
		d->s->text = arena_strndup(a, bytes, n);
		parse(d, root);
	}
	give_errors(d, path, errors);
	if (d->nnotes)
		return -1;
	*out = d->s;
	return 0;
}

const struct study_phase *study_find_phase(const struct study *s, const char *name)
{
	for (uint32_t i = 0; i < s->nphases; i++)
		if (!strcmp(s->phases[i].name, name))
			return &s->phases[i];
	return NULL;
}

uint32_t study_units_per_trial(const struct study *s, const struct study_phase *p)
{
	return p->folds == FOLDS_EACH && s->folds.inner ? s->folds.inner : 1;
}
