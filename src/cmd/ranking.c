#include "ranking.h"

#include "stats.h"
#include "text.h"

#include <string.h>

/* ?1 is the phase. A trial is complete when all of its folds are done. */
#define RANKED                                                                                               \
	"WITH scored AS (SELECT *, state = 'done' AS complete,"                                              \
	"  ifnull(state = 'done' AND typeof(value) <> 'text' AND abs(value) <= 1.7976931348623157e308, 0)"   \
	"  AS finite FROM trials WHERE phase = ?1),"                                                         \
	" ranked AS (SELECT *, count(*) OVER (PARTITION BY outer_fold) AS many,"                             \
	"  row_number() OVER (PARTITION BY outer_fold ORDER BY finite DESC, complete DESC,"                  \
	"   CASE WHEN finite THEN %svalue END, trial) AS place,"                                             \
	"  row_number() OVER (PARTITION BY outer_fold ORDER BY trial) AS nth FROM scored)"                   \
	" SELECT trial, outer_fold, state, folds_done, folds, value, sd, complete, finite, many, place,"     \
	"  (SELECT min(u.value) FROM units u WHERE u.trial = ranked.trial AND u.state = 'done'),"            \
	"  (SELECT max(u.value) FROM units u WHERE u.trial = ranked.trial AND u.state = 'done'),"            \
	"  CASE WHEN json_valid(params) THEN params ELSE '{}' END"                                           \
	" FROM ranked WHERE finite >= %d AND (%s <= %lld OR %lld = 0) ORDER BY outer_fold, %s"

int ranking_select(struct cmd_db *d, const struct ranking_ask *q, struct store_rows **rows, struct fault *f)
{
	const char *binds[] = {q->phase->name, NULL}, *order = q->by_trial ? "nth" : "place";
	bool maximize = q->phase->metric && q->phase->goal == GOAL_MAXIMIZE;

	return store_select(d->store,
	                    arena_printf(&d->arena, RANKED, maximize ? "-" : "", q->finite, order,
	                                 (long long)q->limit, (long long)q->limit, order),
	                    binds, rows, f);
}

/* ---- columns --------------------------------------------------------------------------------- */
bool ranking_has_folds(const struct study *s, const struct study_phase *p)
{
	return study_units_per_trial(s, p) > 1;
}

bool ranking_has_outer(const struct study *s, const struct study_phase *p)
{
	return s->folds.outer > 0 && p->folds != FOLDS_NONE;
}

static const struct param *param_of(const struct study *s, const struct visible *v)
{
	return &s->phases[v->phase].space.params[v->index];
}

static void param_columns(struct ranking_table *t, const struct study *s)
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

void ranking_table_init(struct ranking_table *t, struct arena *a, const struct study *s,
                        const struct study_phase *of)
{
	bool scored = !of || of->metric, folds = !of || ranking_has_folds(s, of),
	     outer = !of || ranking_has_outer(s, of);
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

/* ---- rows ------------------------------------------------------------------------------------ */
static int add_params(struct cmd_db *d, struct ranking_table *t, const char *json, struct fault *f)
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

/* -1 is the full search where there are outer folds. */
static void put_outer(struct cmd_db *d, struct ranking_table *t, const struct store_rows *rows)
{
	const char *outer = cmd_keep(d, rows, RANKING_OUTER);

	report_json(&t->report, t->outer, outer, store_int(rows, RANKING_OUTER) < 0 ? "full" : outer);
}

static int add_row(struct cmd_db *d, struct ranking_table *t, const struct study_phase *p,
                   const struct store_rows *rows, struct fault *f)
{
	struct report *r = &t->report;
	const char *params = cmd_keep(d, rows, RANKING_PARAMS), *state = store_text(rows, RANKING_STATE);
	bool complete = store_int(rows, RANKING_COMPLETE);

	report_row(r);
	report_text(r, t->phase, p->name);
	if (p->metric && store_int(rows, RANKING_FINITE))
		report_int(r, t->rank, store_int(rows, RANKING_PLACE));
	cmd_cell(r, t->trial, rows, RANKING_TRIAL);
	put_outer(d, t, rows);
	report_json(r, t->state, arena_printf(&d->arena, "\"%s\"", state),
	            complete || !p->metric ? state : arena_printf(&d->arena, "incomplete (%s)", state));
	report_json(r, t->complete, complete ? "true" : "false", NULL);
	cmd_cell(r, t->folds_done, rows, RANKING_DONE);
	cmd_cell(r, t->folds, rows, RANKING_FOLDS);
	report_text(r, t->n,
	            complete ? store_text(rows, RANKING_FOLDS)
	                     : arena_printf(&d->arena, "%lld/%lld", (long long)store_int(rows, RANKING_DONE),
	                                    (long long)store_int(rows, RANKING_FOLDS)));
	if (p->metric) {
		cmd_cell(r, t->value, rows, RANKING_VALUE);
		cmd_cell(r, t->sd, rows, RANKING_SD);
		cmd_cell(r, t->min, rows, RANKING_MIN);
		cmd_cell(r, t->max, rows, RANKING_MAX);
	}
	report_json(r, t->params, params, NULL);
	return t->of ? add_params(d, t, params, f) : 0;
}

int ranking_add(struct cmd_db *d, struct ranking_table *t, const struct ranking_ask *q, uint64_t *shown,
                uint64_t *many, struct fault *f)
{
	struct store_rows *rows;
	int64_t outer = INT64_MIN;
	int got;

	*shown = *many = 0;
	if (ranking_select(d, q, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		if (store_int(rows, RANKING_OUTER) != outer)
			*many += (uint64_t)store_int(rows, RANKING_MANY);
		outer = store_int(rows, RANKING_OUTER);
		++*shown;
		if (add_row(d, t, q->phase, rows, f)) {
			got = -1;
			break;
		}
	}
	store_rows_close(rows);
	return got;
}

/* ---- over outer folds ------------------------------------------------------------------------ */
/* The estimate nested cross-validation is for: each outer fold's trials tested on what no search has seen. A
 * fold with several trials (best 3) counts with their mean: choosing among them here would spoil the
 * estimate. */
int ranking_outer_estimate(struct cmd_db *d, const struct study_phase *p, struct bytes *out, struct fault *f)
{
	const char *binds[] = {p->name, NULL};
	struct store_rows *rows;
	double *values = arena_array(&d->arena, d->study->folds.outer + 1, sizeof *values);
	size_t n = 0;
	int64_t trials = 1;
	char mean[TEXT_NUMBER], sd[TEXT_NUMBER];
	int got;

	if (p->folds != FOLDS_OUTER || !p->metric || !d->study->folds.outer)
		return 0;
	if (store_select(
	        d->store,
	        "SELECT outer_fold, avg(value), count(*) FROM trials WHERE phase = ?1 AND outer_fold >= 0"
	        " AND state = 'done' GROUP BY outer_fold",
	        binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0)
		if (n < d->study->folds.outer) {
			values[n++] = store_real(rows, 1);
			trials = store_int(rows, 2) > trials ? store_int(rows, 2) : trials;
		}
	store_rows_close(rows);
	if (got < 0 || n == 0)
		return got;
	report_short_number(mean, stats_mean(values, n), 6);
	report_short_number(sd, stats_sd(values, n), 6);
	text_putf(out, "%s of %s over %zu%s outer folds: mean %s, sd %s%s\n", p->metric, p->name, n,
	          n < d->study->folds.outer ? arena_printf(&d->arena, " of %u", d->study->folds.outer) : "",
	          mean, n > 1 ? sd : "-",
	          trials > 1 ? arena_printf(&d->arena, " (each the mean of %lld trials)", (long long)trials)
	                     : "");
	return 0;
}

int ranking_find_phase(struct cmd_db *d, const char *name, const struct study_phase **out, struct fault *f)
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
