/* end: what a run has brought, in a few lines. */
#include "fronts.h"
#include "outer.h"
#include "ranking.h"
#include "text.h"

#include <string.h>

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

/* Of several metrics nobody wins: how many are on the Pareto front. */
static int add_front(struct cmd_db *d, struct end_table *t, const struct study_phase *p, struct fault *f)
{
	struct ranking_ask q = {.phase = p, .finite = true, .front_only = true};
	struct store_rows *rows;
	uint32_t n = 0;
	int got;

	if (ranking_select(d, &q, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0)
		n++;
	store_rows_close(rows);
	if (got < 0 || !n)
		return got;
	report_row(&t->r);
	report_text(&t->r, t->phase, p->name);
	report_text(&t->r, t->metric, fronts_names(&d->arena, p));
	report_int(&t->r, t->n, study_units_per_trial(d->study, p));
	report_text(&t->r, t->trial, arena_printf(&d->arena, "front of %u", n));
	return 0;
}

static int add_winner(struct cmd_db *d, struct end_table *t, const struct study_phase *p, struct fault *f)
{
	struct ranking_ask q = {.phase = p, .finite = true, .limit = 1};
	struct store_rows *rows;
	int got;

	if (ranking_select(d, &q, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		const char *params;

		if (params_text(d, cmd_keep(d, rows, RANKING_PARAMS), &params, f)) {
			got = -1;
			break;
		}
		report_row(&t->r);
		report_text(&t->r, t->phase, p->name);
		if (ranking_has_outer(d->study, p))
			report_text(&t->r, t->outer,
			            ranking_outer_text(d, p, store_int(rows, RANKING_OUTER)));
		report_text(&t->r, t->metric, p->metric);
		cmd_cell(&t->r, t->value, rows, RANKING_VALUE);
		cmd_cell(&t->r, t->sd, rows, RANKING_SD);
		cmd_cell(&t->r, t->n, rows, RANKING_FOLDS);
		cmd_cell(&t->r, t->trial, rows, RANKING_TRIAL);
		report_text(&t->r, t->params, params);
	}
	store_rows_close(rows);
	return got;
}

/* What the numbers are, when they are the same of all phases. */
static const char *value_title(const struct study *s)
{
	const char *title = NULL;

	for (uint32_t i = 0; i < s->nphases; i++) {
		const char *name = aggregate_text(s->phases[i].aggregate);

		if (!s->phases[i].metric || !ranking_has_folds(s, &s->phases[i]))
			continue;
		if (title && strcmp(title, name) != 0)
			return "value";
		title = name;
	}
	return title ? title : "value";
}

static int put_end(struct cmd_db *d, FILE *to, struct fault *f)
{
	struct report_style style = cmd_style(to);
	struct outer_estimate *outer = arena_array(&d->arena, d->study->nphases, sizeof *outer);
	struct end_table t;
	struct bytes b = {0};
	int bad = 0;

	report_init(&t.r, &d->arena);
	t.phase = report_column(&t.r, "phase", NULL, 0);
	t.outer = report_column(&t.r, "outer", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY);
	t.metric = report_column(&t.r, "metric", NULL, 0);
	t.value = report_column(&t.r, value_title(d->study), NULL, REPORT_RIGHT);
	t.sd = report_column(&t.r, "sd", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY);
	t.n = report_column(&t.r, "n", NULL, REPORT_RIGHT);
	t.trial = report_column(&t.r, "best trial", NULL, REPORT_RIGHT);
	t.params = report_column(&t.r, "parameters", NULL, REPORT_SHRINK);
	for (uint32_t i = 0; i < d->study->nphases && !bad; i++)
		if (d->study->phases[i].metric)
			bad = d->study->phases[i].nmore ? add_front(d, &t, &d->study->phases[i], f)
			                                : add_winner(d, &t, &d->study->phases[i], f);
	if (!bad && t.r.nrows)
		report_put_table(&t.r, &style, &b);
	for (uint32_t i = 0; i < d->study->nphases && !bad; i++)
		bad = outer_read(d, &d->study->phases[i], &outer[i], f);
	if (!bad && b.len) {
		size_t before = b.len;

		text_put(&b, "\n");
		outer_put_table(d, outer, d->study->nphases, &style, &b);
		b.len = b.len == before + 1 ? before : b.len;
	}
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
