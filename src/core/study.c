/* A study file, from its bytes to a struct study. The three steps are in study_draft.h. */
#include "study.h"
#include "command_word.h"
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

static void take_name(struct draft *d, const struct yaml_node *at, const char *s)
{
	d->s->name = arena_strdup(d->a, s);
	if (!study_name_ok(s))
		draft_error(
		    d, at,
		    "`study: %.64s`: the name of a file: at most 100 letters, digits, _ - and ., first "
		    "a letter or digit",
		    s);
}

static void read_study(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	const char *s = draft_text(d, v, "study");

	(void)t;
	if (s)
		take_name(d, v, s);
	else
		d->s->name = "";
}

static void read_seed(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	int64_t n = 0;

	(void)t;
	if (draft_int(d, v, "seed", 0, INT64_MAX, &n))
		d->s->seed = (uint64_t)n;
}

static void read_reproducible(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	int64_t n = REPRODUCIBLE_LAG;
	bool on = true;

	(void)t;
	if (v->kind == YAML_TEXT && text_parse_int(v->text, strlen(v->text), &n) && n >= 1 && n <= 4096) {
		d->s->reproducible = (uint32_t)n;
		return;
	}
	if (draft_bool(d, v, "reproducible", &on) && on)
		d->s->reproducible = REPRODUCIBLE_LAG;
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

static const struct draft_key top_keys[] = {{"study", read_study},
                                            {"seed", read_seed},
                                            {"folds", read_folds},
                                            {"defaults", read_defaults},
                                            {"stop", read_stop},
                                            {"phases", read_phases_node},
                                            {"reproducible", read_reproducible}};

static const char *top_hint(const char *key)
{
	static const char *const of_phase[] = {"command", "after",  "params",  "require",
	                                       "search",  "trials", "enqueue", "prune"};

	for (size_t i = 0; i < draft_limit_keys.n; i++)
		if (!strcmp(draft_limit_keys.keys[i].name, key))
			return "limits for all phases stand under `defaults:`";
	for (size_t i = 0; i < sizeof of_phase / sizeof *of_phase; i++)
		if (!strcmp(of_phase[i], key))
			return "it belongs to a phase, under `phases:`";
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
static void list_inherited(struct draft *d, struct draft_phase *t)
{
	uint32_t n = 0, total = t->nparams;
	struct visible *list;

	for (uint32_t q = 0; q < t->p.index; q++)
		total += t->reach[q] == REACH_ONE ? d->phases[q].nparams : 0;
	list = arena_array(d->a, total, sizeof *list);
	for (uint32_t k = 0; k < t->nparams; k++)
		list[n++] = (struct visible){t->params[k].name, t->p.index, k, VISIBLE_NEAREST};
	for (uint32_t q = 0; q < t->p.index; q++)
		for (uint32_t k = 0; t->reach[q] == REACH_ONE && k < d->phases[q].nparams; k++) {
			const char *name = d->phases[q].params[k].name;
			struct expr_ref ref;

			if (draft_find(d, t->p.index, name, &ref, NULL) != 1 || ref.phase != q)
				name = arena_printf(d->a, "%s.%s", d->phases[q].p.name, name);
			list[n++] = (struct visible){name, q, k, VISIBLE_NEAREST};
		}
	t->p.visible = list;
	t->p.nvisible = n;
}

/* Parameter k of ancestor q as seen in scheduled phase p. */
static struct visible inherited(const struct draft *d, uint32_t p, uint32_t q, uint32_t k,
                                const uint32_t *first)
{
	const char *name = d->phases[q].params[k].name;
	struct visible out = {name, q, k, VISIBLE_NEAREST};
	const struct command_ref *refs;
	uint32_t n, i = 0;

	draft_find_all(d, p, name, &refs, &n, NULL);
	while (i < n && refs[i].phase != q)
		i++;
	if (i == 0 || i == n)
		return out;
	out.name = arena_printf(d->a, "%s.%s", d->phases[q].p.name, name);
	out.nearer = first[refs[i - 1].phase] + refs[i - 1].index;
	return out;
}

/* In a scheduled phase: own parameters and all of all ancestors. first[q]: place of the first one of phase q.
 */
static void list_all(struct draft *d, struct draft_phase *t)
{
	uint32_t p = t->p.index, total = t->nparams, n = 0;
	uint32_t *first = arena_array(d->a, p + 1, sizeof *first);
	struct visible *list;

	for (uint32_t q = 0; q < p; q++) {
		first[q] = total;
		total += t->ancestor[q] ? d->phases[q].nparams : 0;
	}
	list = arena_array(d->a, total, sizeof *list);
	for (uint32_t k = 0; k < t->nparams; k++)
		list[n++] = (struct visible){t->params[k].name, p, k, VISIBLE_NEAREST};
	for (uint32_t q = 0; q < p; q++)
		for (uint32_t k = 0; t->ancestor[q] && k < d->phases[q].nparams; k++)
			list[n++] = inherited(d, p, q, k, first);
	t->p.visible = list;
	t->p.nvisible = n;
}

static void finish(struct draft *d)
{
	struct study_phase *p = arena_array(d->a, d->nphases, sizeof *p);

	for (uint32_t i = 0; i < d->nphases; i++) {
		if (d->phases[i].p.scheduled)
			list_all(d, &d->phases[i]);
		else
			list_inherited(d, &d->phases[i]);
		p[i] = d->phases[i].p;
	}
	d->s->phases = p;
	d->s->nphases = d->nphases;
}

static void parse(struct draft *d, const struct yaml_node *root, struct yaml_node *jobs)
{
	if (root)
		read_top(d, root);
	if (jobs)
		draft_read_jobs(d, jobs);
	if (d->nphases) {
		draft_check_param_names(d);
		draft_graph(d);
		draft_check_folds(d);
		draft_check_phases(d);
		draft_read_commands(d);
		for (uint32_t i = 0; i < d->nphases; i++)
			draft_check_prune(d, &d->phases[i]);
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

static void give_error(const struct draft *d, const char *path, const struct draft_note *n, struct fault *out)
{
	uint32_t job = n->line & ~DRAFT_JOBS;

	if (!(n->line & DRAFT_JOBS))
		fault_set(out, FAULT_STUDY, "%.200s:%u:%u: %s", path, n->line, n->col, n->text);
	else if (!job)
		fault_set(out, FAULT_STUDY, "%.200s: %s", path, n->text);
	else
		fault_set(out, FAULT_STUDY, "%.200s: scheduled phase '%.70s': %s", path,
		          d->job_names[job - 1], n->text);
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
		give_error(d, path, &d->notes[i], &errors->items[i]);
}

static void yaml_mistake(void *ctx, uint32_t line, uint32_t col, const char *text)
{
	struct yaml_node at = {.line = line, .col = col};

	draft_error(ctx, &at, "%s", text);
}

static void jobs_mistake(void *ctx, uint32_t line, uint32_t col, const char *text)
{
	struct yaml_node at = {.line = DRAFT_JOBS};

	draft_error(ctx, &at, "the scheduled phases cannot be read: %u:%u: %s", line, col, text);
}

/* *copy: the text, as the study keeps it. */
static struct yaml_node *parse_text(struct draft *d, const char *bytes, size_t n, const char **copy,
                                    yaml_report_fn *report)
{
	if (n > STUDY_MAX_BYTES) {
		report(d, 1, 1, "the file is larger than 64 MiB");
		return NULL;
	}
	*copy = arena_strndup(d->a, bytes, n);
	return yaml_parse(d->a, bytes, n, report, d);
}

static void read_source(struct draft *d, const struct study_source *src, bool file)
{
	struct yaml_node at = {.line = DRAFT_JOBS}, *root = NULL, *jobs = NULL;

	d->s->path = arena_strdup(d->a, src->path);
	d->s->text = d->s->jobs = "";
	if (file)
		root = parse_text(d, src->text, src->text_bytes, &d->s->text, yaml_mistake);
	else
		take_name(d, &at, src->name);
	if (src->jobs_bytes)
		jobs = parse_text(d, src->jobs, src->jobs_bytes, &d->s->jobs, jobs_mistake);
	if (root || !file)
		parse(d, root, jobs);
}

static int read_study_of(struct arena *a, const struct study_source *src, bool file, const struct study **out,
                         struct study_errors *errors)
{
	struct draft *d = arena_alloc(a, sizeof *d);

	*errors = (struct study_errors){0};
	*out = NULL;
	d->a = a;
	d->s = arena_alloc(a, sizeof *d->s);
	read_source(d, src, file);
	give_errors(d, src->path, errors);
	if (d->nnotes)
		return -1;
	*out = d->s;
	return 0;
}

int study_parse(struct arena *a, const char *path, const char *bytes, size_t n, const struct study **out,
                struct study_errors *errors)
{
	struct study_source src = {.path = path, .text = bytes, .text_bytes = n};

	return read_study_of(a, &src, true, out, errors);
}

int study_read(struct arena *a, const struct study_source *src, const struct study **out,
               struct study_errors *errors)
{
	return read_study_of(a, src, src->text_bytes > 0, out, errors);
}

int study_first_error(struct arena *a, const char *path, const struct study_errors *errors, struct fault *f)
{
	*f = errors->items[0];
	if (errors->count > 1)
		fault_set(f, FAULT_STUDY, "%.900s (and %u more: `ranksweep check %.60s`)",
		          arena_strdup(a, f->text), errors->count - 1 + errors->dropped, path);
	return -1;
}

const struct study_phase *study_find_phase(const struct study *s, const char *name)
{
	for (uint32_t i = 0; i < s->nphases; i++)
		if (!strcmp(s->phases[i].name, name))
			return &s->phases[i];
	return NULL;
}

int study_find_objective(const struct study_phase *p, const char *metric)
{
	for (uint32_t i = 0; p->metric && i <= p->nmore; i++)
		if (!strcmp(study_objective(p, i).metric, metric))
			return (int)i;
	return -1;
}

uint32_t study_units_per_trial(const struct study *s, const struct study_phase *p)
{
	return p->folds == FOLDS_EACH && s->folds.inner ? s->folds.inner : 1;
}
