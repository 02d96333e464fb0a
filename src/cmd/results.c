/* results and best: trials of a phase, ranked within their outer fold. An order of its own: complete trials
 * with a finite value by the goal, then complete ones without, then the incomplete; ties by trial number. */
#include "cmd.h"

#include "stats.h"
#include "text.h"

#include <math.h>
#include <string.h>

enum { DEFAULT_LIMIT = 10 };

/* ?1 is the phase. A trial is complete when all of its folds are done. */
#define RANKED                                                                                               \
	"WITH scored AS (SELECT *, state = 'done' AS complete,"                                              \
	"  state = 'done' AND typeof(value) <> 'text' AND abs(value) <= 1.7976931348623157e308 AS finite"    \
	"  FROM trials WHERE phase = ?1),"                                                                   \
	" ranked AS (SELECT *, count(*) OVER (PARTITION BY outer_fold) AS many,"                             \
	"  row_number() OVER (PARTITION BY outer_fold ORDER BY ifnull(finite, 0) DESC, complete DESC,"       \
	"   CASE WHEN finite THEN %svalue END, trial) AS place FROM scored)"                                 \
	" SELECT trial, outer_fold, state, folds_done, folds, value, sd, complete, ifnull(finite, 0), "      \
	"many, place,"                                                                                       \
	"  (SELECT min(u.value) FROM units u WHERE u.trial = ranked.trial AND u.state = 'done'),"            \
	"  (SELECT max(u.value) FROM units u WHERE u.trial = ranked.trial AND u.state = 'done'),"            \
	"  CASE WHEN json_valid(params) THEN params ELSE '{}' END"                                           \
	" FROM ranked WHERE %s AND (place <= %lld OR %lld = 0) ORDER BY outer_fold, %s"

enum {
	IN_TRIAL,
	IN_OUTER,
	IN_STATE,
	IN_DONE,
	IN_FOLDS,
	IN_VALUE,
	IN_SD,
	IN_COMPLETE,
	IN_FINITE,
	IN_MANY,
	IN_PLACE,
	IN_MIN,
	IN_MAX,
	IN_PARAMS
};

struct ask {
	const struct study_phase *phase;
	const char *where; /* over the columns above */
	int64_t limit;     /* places for each outer fold, 0: all */
	bool by_trial;
};

static int select_ranked(struct cmd_db *d, const struct ask *q, struct store_rows **rows, struct fault *f)
{
	const char *binds[] = {q->phase->name, NULL};

	return store_select(
	    d->store,
	    arena_printf(&d->arena, RANKED, q->phase->metric && q->phase->goal == GOAL_MAXIMIZE ? "-" : "",
	                 q->where, (long long)q->limit, (long long)q->limit, q->by_trial ? "trial" : "place"),
	    binds, rows, f);
}

/* ---- columns --------------------------------------------------------------------------------------------
 */
struct table {
	struct report report;
	uint32_t phase, rank, trial, outer, state, complete, n, folds_done, folds, value, sd, min, max,
	    params;
	uint32_t first_param;
	const struct study_phase *of; /* its parameters have columns; NULL: one column `params` */
};

static bool has_folds(const struct study *s, const struct study_phase *p)
{
	return study_units_per_trial(s, p) > 1;
}

static bool has_outer(const struct study *s, const struct study_phase *p)
{
	return s->folds.outer > 0 && p->folds != FOLDS_NONE;
}

static const struct param *param_of(const struct study *s, const struct visible *v)
{
	return &s->phases[v->phase].space.params[v->index];
}

static void param_columns(struct table *t, const struct study *s)
{
	t->first_param = t->report.ncolumns;
	for (uint32_t i = 0; i < t->of->nvisible; i++) {
		const struct visible *v = &t->of->visible[i];
		const struct param *p = param_of(s, v);
		bool number = p->ordered || (p->kind != DOMAIN_CONST && p->kind != DOMAIN_CHOICE);
		/* a constant says nothing about a trial */
		unsigned flags = p->kind == DOMAIN_CONST ? REPORT_JSON_ONLY : REPORT_TABLE_ONLY;

		report_column(&t->report, v->name, NULL,
		              flags | (number ? REPORT_RIGHT : REPORT_SHRINK) |
		                  (p->cond ? REPORT_HIDE_EMPTY : 0));
	}
}

static void table_init(struct table *t, struct arena *a, const struct study *s, const struct study_phase *of)
{
	bool scored = !of || of->metric, folds = !of || has_folds(s, of), outer = !of || has_outer(s, of);
	unsigned scores = REPORT_RIGHT | (scored ? 0 : REPORT_JSON_ONLY),
	         over = scores | (folds ? 0 : REPORT_JSON_ONLY);
	struct report *r = &t->report;

	report_init(r, a);
	t->of = of;
	t->phase = report_column(r, "phase", NULL, REPORT_JSON_ONLY);
	t->rank = report_column(r, "rank", NULL, scores);
	t->trial = report_column(r, "trial", NULL, REPORT_RIGHT);
	t->outer = report_column(r, "outer_fold", "outer", REPORT_RIGHT | (outer ? 0 : REPORT_JSON_ONLY));
	t->state = report_column(r, "state", NULL, REPORT_STATE);
	t->complete = report_column(r, "complete", NULL, REPORT_JSON_ONLY);
	t->folds_done = report_column(r, "folds_done", NULL, REPORT_JSON_ONLY);
	t->folds = report_column(r, "folds", NULL, REPORT_JSON_ONLY);
	t->n = report_column(r, "n", NULL, REPORT_RIGHT | REPORT_TABLE_ONLY | (folds ? 0 : REPORT_JSON_ONLY));
	t->value = report_column(r, "value", of && of->metric ? of->metric : "value", scores);
	t->sd = report_column(r, "sd", NULL, over);
	t->min = report_column(r, "min", NULL, over);
	t->max = report_column(r, "max", NULL, over);
	t->params = report_column(r, "params", NULL, REPORT_JSON_ONLY);
	if (of)
		param_columns(t, s);
}

/* ---- rows
 * -------------------------------------------------------------------------------------------------- */
static int add_params(struct cmd_db *d, struct table *t, const char *json, struct fault *f)
{
	const char *binds[] = {json, NULL};
	struct store_rows *rows;
	int got;

	if (store_select(d->store, "SELECT key, value FROM json_each(?1)", binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0)
		for (uint32_t i = 0; i < t->of->nvisible; i++)
			if (!strcmp(t->of->visible[i].name, store_text(rows, 0)))
				cmd_cell(&t->report, t->first_param + i, rows, 1);
	store_rows_close(rows);
	return got;
}

static int add_row(struct cmd_db *d, struct table *t, const struct study_phase *p,
                   const struct store_rows *rows, struct fault *f)
{
	struct report *r = &t->report;
	const char *params = cmd_keep(d, rows, IN_PARAMS), *state = store_text(rows, IN_STATE);
	bool complete = store_int(rows, IN_COMPLETE);

	report_row(r);
	report_text(r, t->phase, p->name);
	if (p->metric && store_int(rows, IN_FINITE))
		report_int(r, t->rank, store_int(rows, IN_PLACE));
	cmd_cell(r, t->trial, rows, IN_TRIAL);
	cmd_cell(r, t->outer, rows, IN_OUTER);
	report_json(r, t->state, arena_printf(&d->arena, "\"%s\"", state),
	            complete || !p->metric ? state : arena_printf(&d->arena, "incomplete (%s)", state));
	report_json(r, t->complete, complete ? "true" : "false", NULL);
	cmd_cell(r, t->folds_done, rows, IN_DONE);
	cmd_cell(r, t->folds, rows, IN_FOLDS);
	report_text(r, t->n,
	            complete ? store_text(rows, IN_FOLDS)
	                     : arena_printf(&d->arena, "%lld/%lld", (long long)store_int(rows, IN_DONE),
	                                    (long long)store_int(rows, IN_FOLDS)));
	if (p->metric) {
		cmd_cell(r, t->value, rows, IN_VALUE);
		cmd_cell(r, t->sd, rows, IN_SD);
		cmd_cell(r, t->min, rows, IN_MIN);
		cmd_cell(r, t->max, rows, IN_MAX);
	}
	report_json(r, t->params, params, NULL);
	return t->of ? add_params(d, t, params, f) : 0;
}

/* All rows of a question. *most: of how many trials they are the first, summed over outer folds. */
static int add_rows(struct cmd_db *d, struct table *t, const struct ask *q, uint64_t *shown, uint64_t *most,
                    struct fault *f)
{
	struct store_rows *rows;
	int64_t outer = INT64_MIN;
	int got;

	*shown = *most = 0;
	if (select_ranked(d, q, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		if (store_int(rows, IN_OUTER) != outer)
			*most += (uint64_t)store_int(rows, IN_MANY);
		outer = store_int(rows, IN_OUTER);
		++*shown;
		if (add_row(d, t, q->phase, rows, f)) {
			got = -1;
			break;
		}
	}
	store_rows_close(rows);
	return got;
}

/* ---- over outer folds
 * ----------------------------------------------------------------------------------------- */
/* The estimate nested cross-validation is for: each outer fold's trials tested on what no search has seen. A
 * fold with several trials (best 3) counts with their mean: choosing among them here would spoil the
 * estimate. */
static int outer_estimate(struct cmd_db *d, const struct study_phase *p, struct bytes *out, struct fault *f)
{
	const char *binds[] = {p->name, NULL};
	struct store_rows *rows;
	double *values = arena_array(&d->arena, d->study->folds.outer + 1, sizeof *values);
	size_t n = 0;
	char mean[TEXT_NUMBER], sd[TEXT_NUMBER];
	int got;

	if (p->folds != FOLDS_OUTER || !p->metric || !d->study->folds.outer)
		return 0;
	if (store_select(d->store,
	                 "SELECT outer_fold, avg(value) FROM trials WHERE phase = ?1 AND outer_fold >= 0"
	                 " AND state = 'done' GROUP BY outer_fold",
	                 binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0)
		if (n < d->study->folds.outer)
			values[n++] = store_real(rows, 1);
	store_rows_close(rows);
	if (got < 0 || n == 0)
		return got;
	report_short_number(mean, stats_mean(values, n), 6);
	report_short_number(sd, stats_sd(values, n), 6);
	text_putf(out, "%s of %s over %zu%s outer folds: mean %s, sd %s\n", p->metric, p->name, n,
	          n < d->study->folds.outer ? arena_printf(&d->arena, " of %u", d->study->folds.outer) : "",
	          mean, n > 1 ? sd : "-");
	return 0;
}

/* ---- results
 * ----------------------------------------------------------------------------------------------------- */
static const char *const aggregate_names[] = {"mean", "median", "min", "max"};

struct results {
	const char *phase, *sort;
	int64_t limit; /* -1: the default */
	bool json;
};

static void put_title(const struct study *s, const struct study_phase *p, uint64_t trials, struct bytes *b)
{
	text_putf(b, "%s: %llu trial%s", p->name, (unsigned long long)trials, trials == 1 ? "" : "s");
	if (p->metric)
		text_putf(b, ", %s %s", p->goal == GOAL_MAXIMIZE ? "maximize" : "minimize", p->metric);
	if (p->metric && has_folds(s, p))
		text_putf(b, " (%s over %u folds)", aggregate_names[p->aggregate],
		          study_units_per_trial(s, p));
	text_put(b, "\n");
}

static int put_phase(struct cmd_db *d, const struct ask *q, const struct report_style *style, struct bytes *b,
                     struct fault *f)
{
	struct table t;
	uint64_t shown, most;

	table_init(&t, &d->arena, d->study, q->phase);
	if (add_rows(d, &t, q, &shown, &most, f))
		return -1;
	put_title(d->study, q->phase, most, b);
	if (shown)
		report_put_table(&t.report, style, b);
	if (most > shown)
		text_putf(b, "... %llu more (--limit 0 shows all)\n", (unsigned long long)(most - shown));
	return outer_estimate(d, q->phase, b, f);
}

static int put_results(struct cmd_db *d, const struct results *o, struct fault *f)
{
	struct report_style style = cmd_style(stdout);
	struct table all;
	struct bytes b = {0};
	int bad = 0;
	bool first = true;

	table_init(&all, &d->arena, d->study, NULL);
	for (uint32_t i = 0; i < d->study->nphases && !bad; i++) {
		uint64_t shown, most;
		struct ask q = {.phase = &d->study->phases[i],
		                .where = "1",
		                .limit = o->limit >= 0 ? o->limit
		                         : o->json     ? 0
		                                       : DEFAULT_LIMIT,
		                .by_trial = o->sort && !strcmp(o->sort, "trial")};

		if (o->phase && strcmp(o->phase, q.phase->name) != 0)
			continue;
		if (o->json) {
			bad = add_rows(d, &all, &q, &shown, &most, f);
			continue;
		}
		text_put(&b, first ? "" : "\n");
		first = false;
		bad = put_phase(d, &q, &style, &b, f);
		cmd_write(stdout, &b);
	}
	if (!bad && o->json)
		cmd_put_report(&all.report, true, stdout);
	bytes_finish(&b);
	return bad;
}

/* The phase of that name, or FAULT_USAGE with the nearest. */
static int find_phase(struct cmd_db *d, const char *name, const struct study_phase **out, struct fault *f)
{
	const char **names = arena_array(&d->arena, d->study->nphases, sizeof *names), *near;

	for (uint32_t i = 0; i < d->study->nphases; i++)
		names[i] = d->study->phases[i].name;
	*out = study_find_phase(d->study, name);
	if (*out)
		return 0;
	near = text_nearest(name, names, d->study->nphases);
	return fault_set(f, FAULT_USAGE,
	                 near ? "no phase `%s` in this study; did you mean `%s`?"
	                      : "no phase `%s` in this study",
	                 name, near);
}

static int results(const char *word, const struct results *o, struct fault *f)
{
	struct cmd_db d;
	const struct study_phase *p;
	int bad;

	if (cmd_db_open(&d, word, f))
		return -1;
	bad = (o->phase && find_phase(&d, o->phase, &p, f)) || put_results(&d, o, f) ? -1 : 0;
	cmd_db_close(&d);
	return bad;
}

int cmd_results(int argc, char **argv)
{
	struct results o = {.limit = -1};
	const struct cmd_option options[] = {
	    {"phase", 'p', CMD_TEXT, &o.phase, "P", "only this phase"},
	    {"sort", 's', CMD_TEXT, &o.sort, "metric|trial",
	     "by value, the best first (default), or by number"},
	    {"limit", 'n', CMD_NUMBER, &o.limit, "N", "so many trials of each phase; 0: all (default 10)"},
	    {"json", 0, CMD_FLAG, &o.json, NULL, "one array of trials, all of them, with all digits"},
	    {0},
	};
	const struct cmd_usage usage = {
	    "results", "[DB] [--phase P] [--sort metric|trial] [--limit N] [--json]",
	    "Trials of each phase, the best first: how many folds are done (n), their mean (or what the "
	    "study\n"
	    "aggregates by), sd, min and max, and the parameters, own and inherited. An incomplete trial has "
	    "no\n"
	    "rank and comes last. With nested folds trials are ranked within their outer fold. Tables show "
	    "six\n"
	    "digits, --json all of them.",
	    options,
	    "  ranksweep results digits.db\n"
	    "  ranksweep results digits.db --phase finetune --limit 0\n"
	    "  ranksweep results digits.db --json | jq '.[] | select(.complete) | .value'"};
	struct fault f = {0};
	int rc = cmd_parse(&usage, &argc, argv, &f);

	if (rc == 0 && argc > 1)
		rc = cmd_misuse(&usage, &f, "one database at a time, not also `%s`", argv[1]);
	if (rc == 0 && o.sort && strcmp(o.sort, "metric") != 0 && strcmp(o.sort, "trial") != 0)
		rc = cmd_misuse(&usage, &f, "--sort is metric or trial, not `%s`", o.sort);
	if (rc == 0)
		rc = results(argv[0], &o, &f);
	return rc < 0 ? cmd_print_fault(&f) : 0;
}

/* ---- best
 * ------------------------------------------------------------------------------------------------------------
 */
static const struct study_phase *last_scored(const struct study *s)
{
	for (uint32_t i = s->nphases; i > 0; i--)
		if (s->phases[i - 1].metric)
			return &s->phases[i - 1];
	return NULL;
}

static void put_number(struct bytes *b, const struct store_rows *rows, uint32_t column)
{
	char buf[TEXT_NUMBER];

	text_double(buf, store_real(rows, column));
	text_put(b, buf);
}

static void put_best_title(struct cmd_db *d, const struct study_phase *p, const struct store_rows *rows,
                           struct bytes *b)
{
	text_putf(b, "%s: trial %lld", p->name, (long long)store_int(rows, IN_TRIAL));
	if (has_outer(d->study, p) && store_int(rows, IN_OUTER) >= 0)
		text_putf(b, " in outer fold %lld", (long long)store_int(rows, IN_OUTER));
	else if (has_outer(d->study, p))
		text_put(b, " in the full search");
	text_putf(b, ", %s = ", p->metric);
	put_number(b, rows, IN_VALUE);
	if (store_int(rows, IN_FOLDS) > 1) {
		text_put(b, ", sd ");
		put_number(b, rows, IN_SD);
		text_putf(b, " over %lld folds", (long long)store_int(rows, IN_FOLDS));
	}
	text_put(b, "\n");
}

/* name and value of each parameter with all digits, so that they can be copied */
static int put_best_params(struct cmd_db *d, const char *json, struct bytes *b, struct fault *f)
{
	const char *binds[] = {json, NULL};
	struct store_rows *rows;
	struct report r;
	uint32_t name, value;
	struct bytes text = {0};
	int got;

	if (store_select(d->store, "SELECT key, value FROM json_each(?1)", binds, &rows, f))
		return -1;
	report_init(&r, &d->arena);
	name = report_column(&r, "  ", NULL, 0);
	value = report_column(&r, "", NULL, REPORT_EXACT);
	r.put = 1; /* no titles */
	while ((got = store_next(rows, f)) > 0) {
		report_row(&r);
		report_text(&r, name, arena_printf(&d->arena, "  %s", store_text(rows, 0)));
		cmd_cell(&r, value, rows, 1);
	}
	store_rows_close(rows);
	report_put_table(&r, &(struct report_style){0}, &text);
	bytes_put(b, text.data, text.len);
	bytes_finish(&text);
	return got;
}

static int put_best(struct cmd_db *d, const struct ask *q, uint64_t *found, struct fault *f)
{
	struct store_rows *rows;
	struct bytes b = {0};
	int got;

	*found = 0;
	if (select_ranked(d, q, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		text_put(&b, (*found)++ ? "\n" : "");
		put_best_title(d, q->phase, rows, &b);
		if (put_best_params(d, cmd_keep(d, rows, IN_PARAMS), &b, f)) {
			got = -1;
			break;
		}
		cmd_write(stdout, &b);
	}
	store_rows_close(rows);
	bytes_finish(&b);
	return got;
}

static int best_of(struct cmd_db *d, const struct study_phase *p, int64_t n, bool json, struct fault *f)
{
	struct ask q = {.phase = p, .where = "finite", .limit = n};
	struct table t;
	uint64_t found, most;

	if (!json) {
		if (put_best(d, &q, &found, f))
			return -1;
	} else {
		table_init(&t, &d->arena, d->study, NULL);
		if (add_rows(d, &t, &q, &found, &most, f))
			return -1;
		cmd_put_report(&t.report, true, stdout);
	}
	if (found)
		return 0;
	return fault_set(f, FAULT_UNITS, "no trial of %s is complete with a finite %s yet", p->name,
	                 p->metric);
}

static int best(const char *word, const char *phase, int64_t n, bool json, struct fault *f)
{
	struct cmd_db d;
	const struct study_phase *p;
	int bad = 0;

	if (cmd_db_open(&d, word, f))
		return -1;
	p = last_scored(d.study);
	if (phase)
		bad = find_phase(&d, phase, &p, f);
	if (!bad && (!p || !p->metric))
		bad = fault_set(f, FAULT_USAGE, "%s has no metric: nothing is best in it",
		                p ? arena_printf(&d.arena, "phase %s", p->name) : "the study");
	if (!bad)
		bad = best_of(&d, p, n, json, f);
	cmd_db_close(&d);
	return bad;
}

int cmd_best(int argc, char **argv)
{
	const char *phase = NULL;
	int64_t n = 1;
	bool json = false;
	const struct cmd_option options[] = {
	    {"phase", 'p', CMD_TEXT, &phase, "P", "of this phase (default: the last one with a metric)"},
	    {"count", 'n', CMD_NUMBER, &n, "N", "the best N trials (default 1)"},
	    {"json", 0, CMD_FLAG, &json, NULL, "an array, also for one trial"},
	    {0},
	};
	const struct cmd_usage usage = {
	    "best", "[DB] [--phase P] [-n N] [--json]",
	    "The best complete trial of a phase and its parameters, own and inherited, with all digits. With "
	    "nested\n"
	    "folds: the best of each outer fold. Exit status 1 when there is none yet.",
	    options,
	    "  ranksweep best digits.db\n"
	    "  ranksweep best digits.db --phase pretrain -n 3\n"
	    "  ranksweep best digits.db --json | jq '.[0].params.lr'"};
	struct fault f = {0};
	int rc = cmd_parse(&usage, &argc, argv, &f);

	if (rc == 0 && argc > 1)
		rc = cmd_misuse(&usage, &f, "one database at a time, not also `%s`", argv[1]);
	if (rc == 0 && n == 0)
		rc = cmd_misuse(&usage, &f, "the best 0 trials");
	if (rc == 0)
		rc = best(argv[0], phase, n, json, &f);
	return rc < 0 ? cmd_print_fault(&f) : 0;
}

/* ---- the end of a run
 * ------------------------------------------------------------------------------------------------- */
/* "lr=0.1 hidden=64" */
static int params_text(struct cmd_db *d, const char *json, const char **out, struct fault *f)
{
	const char *binds[] = {json, NULL};
	struct store_rows *rows;
	int got;

	*out = "";
	if (store_select(
	        d->store,
	        "SELECT group_concat(key || '=' || CASE type WHEN 'real' THEN printf('%.6g', value) ELSE"
	        " value END, ' ') FROM json_each(?1)",
	        binds, &rows, f))
		return -1;
	got = store_next(rows, f);
	if (got > 0 && store_type(rows, 0) != STORE_NULL)
		*out = cmd_keep(d, rows, 0);
	store_rows_close(rows);
	return got < 0 ? -1 : 0;
}

struct end_table {
	struct report r;
	uint32_t phase, outer, metric, value, sd, n, trial, params;
};

static int add_winner(struct cmd_db *d, struct end_table *t, const struct study_phase *p, struct fault *f)
{
	struct ask q = {.phase = p, .where = "finite", .limit = 1};
	struct store_rows *rows;
	int got;

	if (select_ranked(d, &q, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		const char *params;

		if (params_text(d, cmd_keep(d, rows, IN_PARAMS), &params, f)) {
			got = -1;
			break;
		}
		report_row(&t->r);
		report_text(&t->r, t->phase, p->name);
		if (has_outer(d->study, p) && store_int(rows, IN_OUTER) >= 0)
			cmd_cell(&t->r, t->outer, rows, IN_OUTER);
		report_text(&t->r, t->metric, p->metric);
		cmd_cell(&t->r, t->value, rows, IN_VALUE);
		cmd_cell(&t->r, t->sd, rows, IN_SD);
		cmd_cell(&t->r, t->n, rows, IN_FOLDS);
		cmd_cell(&t->r, t->trial, rows, IN_TRIAL);
		report_text(&t->r, t->params, params);
	}
	store_rows_close(rows);
	return got;
}

static int put_end(struct cmd_db *d, FILE *to, struct fault *f)
{
	struct report_style style = cmd_style(to);
	struct end_table t;
	struct bytes b = {0};
	int bad = 0;

	report_init(&t.r, &d->arena);
	t.phase = report_column(&t.r, "phase", NULL, 0);
	t.outer = report_column(&t.r, "outer", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY);
	t.metric = report_column(&t.r, "metric", NULL, 0);
	t.value = report_column(&t.r, "mean", NULL, REPORT_RIGHT);
	t.sd = report_column(&t.r, "sd", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY);
	t.n = report_column(&t.r, "n", NULL, REPORT_RIGHT);
	t.trial = report_column(&t.r, "best trial", NULL, REPORT_RIGHT);
	t.params = report_column(&t.r, "parameters", NULL, REPORT_SHRINK);
	for (uint32_t i = 0; i < d->study->nphases && !bad; i++)
		if (d->study->phases[i].metric)
			bad = add_winner(d, &t, &d->study->phases[i], f);
	if (!bad && t.r.nrows)
		report_put_table(&t.r, &style, &b);
	for (uint32_t i = 0; i < d->study->nphases && !bad; i++)
		bad = outer_estimate(d, &d->study->phases[i], &b, f);
	if (!bad)
		bad = cmd_put_failures(d, &b, f);
	cmd_write(to, &b);
	bytes_finish(&b);
	return bad;
}

int report_end(const char *db_path, FILE *out, struct fault *f)
{
	struct cmd_db d;
	int bad;

	if (cmd_db_open(&d, db_path, f))
		return -1;
	bad = put_end(&d, out, f);
	cmd_db_close(&d);
	return bad;
}
