#include "ranking.h"

#include "fronts.h"
#include "text.h"

#include <string.h>

/* ?1 is the phase. A trial is complete when all of its folds are done. Places are given over narrow rows,
 * with one window for both functions, so by one sort; what a row shows is looked up only for those asked for.
 */
#define RANKED                                                                                               \
	"WITH scored AS (SELECT trial, outer_fold, value, state = 'done' AS complete, %s FROM %s"            \
	" WHERE phase = ?1),"                                                                                \
	" ranked AS (SELECT trial, outer_fold, complete, finite, front, count(*) OVER placed AS many,"       \
	"  row_number() OVER placed AS place FROM scored"                                                    \
	"  WINDOW placed AS (PARTITION BY outer_fold"                                                        \
	"   ORDER BY finite DESC, complete DESC, front, CASE WHEN finite THEN %svalue END, trial"            \
	"   ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)),"                                     \
	" numbered AS (SELECT trial, complete, finite, front, many, place, %s AS nth FROM ranked)"           \
	" SELECT t.trial, t.outer_fold, t.state, t.folds_done, t.folds, t.value, t.sd, complete, finite,"    \
	"  many, ifnull(front + 1, place),"                                                                  \
	"  (SELECT min(u.value) FROM units u WHERE u.trial = t.trial AND u.state = 'done'),"                 \
	"  (SELECT max(u.value) FROM units u WHERE u.trial = t.trial AND u.state = 'done'),"                 \
	"  t.first_unit, CASE WHEN json_valid(t.params) THEN t.params ELSE '{}' END"                         \
	" FROM numbered r JOIN trials t ON t.trial = r.trial"                                                \
	" WHERE finite >= %d AND (nth <= %lld OR %lld = 0 OR (front = 0 AND %d))"                            \
	" AND (front = 0 OR NOT %d) ORDER BY t.outer_fold, nth"

/* Of several metrics: ?3 says in which front a trial is, and the others have no place. Of one metric there
 * are no fronts. */
#define ONE "NULL AS front, " RANKING_IS_FINITE " AS finite", "trials"
#define SEVERAL                                                                                              \
	"front, front IS NOT NULL AS finite",                                                                \
	    "trials LEFT JOIN (SELECT CAST(key AS INTEGER) AS known, value AS front FROM json_each(?3))"     \
	    " ON known = trial"

/* By place, by number, or by a parameter: ?2. */
#define BY_TRIAL "row_number() OVER (PARTITION BY outer_fold ORDER BY trial)"
#define BY_PARAM                                                                                             \
	"row_number() OVER (PARTITION BY outer_fold ORDER BY (SELECT j.value FROM trials x, json_each("      \
	"CASE WHEN json_valid(x.params) THEN x.params ELSE '{}' END) j"                                      \
	" WHERE x.trial = ranked.trial AND j.key = ?2), place)"

static const char *ranked(struct cmd_db *d, const struct ranking_ask *q, const char *columns,
                          const char *from, bool maximize, const char *order)
{
	return arena_printf(&d->arena, RANKED, columns, from, maximize ? "-" : "", order, q->finite,
	                    (long long)q->limit, (long long)q->limit, q->whole_front, q->front_only);
}

int ranking_select(struct cmd_db *d, const struct ranking_ask *q, struct store_rows **rows, struct fault *f)
{
	bool by_trial = q->sort && !strcmp(q->sort, "trial");
	const char *sort = by_trial || !q->sort ? "" : q->sort, *fronts;
	const char *binds[] = {q->phase->name, sort, NULL, NULL};
	const char *order = by_trial ? BY_TRIAL : q->sort ? BY_PARAM : "place";
	bool maximize = q->phase->metric && q->phase->goal == GOAL_MAXIMIZE;

	if (fronts_read(d, q->phase, &fronts, f))
		return -1;
	binds[2] = fronts;
	return store_select(
	    d->store, fronts ? ranked(d, q, SEVERAL, maximize, order) : ranked(d, q, ONE, maximize, order),
	    binds, rows, f);
}

/* ---- words ----------------------------------------------------------------------------------- */
const char *ranking_outer_text(struct cmd_db *d, const struct study_phase *p, int64_t outer)
{
	if (outer >= 0)
		return arena_printf(&d->arena, "%lld", (long long)outer);
	return ranking_has_outer(d->study, p) ? "full" : "-";
}

const char *ranking_n_text(struct cmd_db *d, int64_t folds_done, int64_t folds)
{
	if (folds_done == folds)
		return arena_printf(&d->arena, "%lld", (long long)folds);
	return arena_printf(&d->arena, "%lld/%lld", (long long)folds_done, (long long)folds);
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

static void param_column(struct ranking_table *t, const struct study *s, const struct visible *v)
{
	const struct param *p = param_of(s, v);
	bool number =
	    p->ordered || (p->kind != DOMAIN_CONST && p->kind != DOMAIN_CHOICE && p->kind != DOMAIN_ANY);
	unsigned flags = (number ? REPORT_RIGHT : REPORT_SHRINK) | REPORT_DROP;

	if (t->kind == RANKING_TABLE) /* a constant says nothing about a trial */
		flags |= (p->kind == DOMAIN_CONST ? REPORT_JSON_ONLY : 0) |
		         (p->cond || p->kind == DOMAIN_ANY ? REPORT_HIDE_EMPTY : 0);
	t->names[t->nparams++] = v->name;
	report_column(&t->report, v->name, NULL, flags);
}

static bool has_name(const struct ranking_table *t, const char *name)
{
	for (uint32_t i = 0; i < t->nparams; i++)
		if (!strcmp(t->names[i], name))
			return true;
	return false;
}

static void param_columns(struct ranking_table *t, const struct study *s, const struct study_phase *of)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->nphases; i++)
		n += s->phases[i].nvisible;
	t->names = arena_array(t->report.arena, n + 1, sizeof *t->names);
	t->first_param = t->report.ncolumns;
	for (uint32_t i = 0; i < s->nphases; i++)
		for (uint32_t k = 0; k < s->phases[i].nvisible; k++)
			if ((!of || of == &s->phases[i]) && !has_name(t, s->phases[i].visible[k].name))
				param_column(t, s, &s->phases[i].visible[k]);
}

static bool has_objective(const struct ranking_table *t, const char *name)
{
	for (uint32_t i = 0; i < t->nobjectives; i++)
		if (!strcmp(t->objective_names[i], name))
			return true;
	return false;
}

static void objective_column(struct ranking_table *t, const char *name, unsigned flags, unsigned over)
{
	struct arena *a = t->report.arena;

	t->objective_names[t->nobjectives++] = name;
	report_column(&t->report, arena_printf(a, "metric.%s", name), name, flags);
	report_column(&t->report, arena_printf(a, "metric.%s.sd", name), "sd", over);
}

/* Of phases with several metrics: those after the first in a table, all in a file. */
static void objective_columns(struct ranking_table *t, const struct study *s, const struct study_phase *of,
                              unsigned flags, unsigned over)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->nphases; i++)
		n += 1 + s->phases[i].nmore;
	t->objective_names = arena_array(t->report.arena, n, sizeof *t->objective_names);
	t->first_objective = t->report.ncolumns;
	for (uint32_t i = 0; i < s->nphases; i++) {
		const struct study_phase *p = &s->phases[i];

		for (uint32_t k = t->kind == RANKING_TABLE; p->nmore && k <= p->nmore; k++)
			if ((!of || of == p) && !has_objective(t, study_objective(p, k).metric))
				objective_column(t, study_objective(p, k).metric, flags, over);
	}
}

void ranking_table_init(struct ranking_table *t, struct arena *a, enum ranking_kind kind,
                        const struct study *s, const struct study_phase *of)
{
	bool scored = !of || of->metric, folds = !of || ranking_has_folds(s, of),
	     outer = !of || ranking_has_outer(s, of);
	unsigned scores = REPORT_RIGHT | (scored ? 0 : REPORT_JSON_ONLY),
	         over = scores | (folds ? 0 : REPORT_JSON_ONLY);
	struct report *r = &t->report;

	*t = (struct ranking_table){.kind = kind};
	report_init(r, a);
	t->phase = report_column(r, "phase", NULL, REPORT_JSON_ONLY);
	t->rank = report_column(r, "rank", NULL, scores);
	t->trial = report_column(r, "trial", NULL, REPORT_RIGHT);
	t->outer = report_column(r, "outer_fold", NULL, REPORT_JSON_ONLY);
	t->outer_shown =
	    report_column(r, "", "outer", REPORT_RIGHT | REPORT_TABLE_ONLY | (outer ? 0 : REPORT_JSON_ONLY));
	t->state = report_column(r, "state", NULL, REPORT_JSON_ONLY);
	t->state_shown = report_column(r, "", "state", REPORT_STATE | REPORT_TABLE_ONLY);
	t->complete = report_column(r, "complete", NULL, REPORT_JSON_ONLY);
	t->folds_done = report_column(r, "folds_done", NULL, REPORT_JSON_ONLY);
	t->folds = report_column(r, "folds", NULL, REPORT_JSON_ONLY);
	t->n = report_column(r, "", "n", REPORT_RIGHT | REPORT_TABLE_ONLY | (folds ? 0 : REPORT_JSON_ONLY));
	t->value = report_column(r, "value", of && of->metric ? of->metric : "value", scores);
	t->sd = report_column(r, "sd", NULL, over);
	if (kind == RANKING_JSON)
		t->objectives = report_column(r, "metrics", NULL, 0);
	else
		objective_columns(t, s, of, scores, over);
	over |= of && of->nmore ? REPORT_JSON_ONLY : 0;
	t->min = report_column(r, "min", NULL, over);
	t->max = report_column(r, "max", NULL, over);
	t->first_unit = report_column(r, "first_unit", NULL, REPORT_JSON_ONLY);
	if (kind == RANKING_JSON)
		t->params = report_column(r, "params", NULL, 0);
	else
		param_columns(t, s, of);
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
		for (uint32_t i = 0; i < t->nparams; i++)
			if (!strcmp(t->names[i], store_text(rows, 0)))
				cmd_cell(&t->report, t->first_param + i, rows, 1);
	store_rows_close(rows);
	return got;
}

static void add_objective(struct ranking_table *t, const struct store_rows *rows)
{
	for (uint32_t i = 0; i < t->nobjectives; i++)
		if (!strcmp(t->objective_names[i], store_text(rows, 0))) {
			cmd_cell(&t->report, t->first_objective + 2 * i, rows, 1);
			cmd_cell(&t->report, t->first_objective + 2 * i + 1, rows, 2);
		}
}

static void put_objective(struct bytes *b, const struct store_rows *rows)
{
	text_put(b, b->len ? ", " : "{");
	report_put_string(b, store_text(rows, 0));
	text_put(b, ": {\"value\": ");
	report_put_number(b, store_real(rows, 1));
	text_put(b, ", \"sd\": ");
	report_put_number(b, store_real(rows, 2));
	text_put(b, "}");
}

int ranking_objectives(struct cmd_db *d, int64_t trial, struct store_rows **rows, struct fault *f)
{
	const char *binds[] = {arena_printf(&d->arena, "%lld", (long long)trial), NULL};

	return store_select(d->store,
	                    "SELECT name, value, sd FROM objectives WHERE trial = CAST(?1 AS INTEGER)"
	                    " ORDER BY number",
	                    binds, rows, f);
}

static int add_objectives(struct cmd_db *d, struct ranking_table *t, int64_t trial, struct fault *f)
{
	struct store_rows *rows;
	struct bytes b = {0};
	int got;

	if (ranking_objectives(d, trial, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0)
		if (t->kind == RANKING_JSON)
			put_objective(&b, rows);
		else
			add_objective(t, rows);
	store_rows_close(rows);
	if (b.len) {
		text_put(&b, "}");
		report_json(&t->report, t->objectives, cmd_keep_bytes(&d->arena, &b), NULL);
	}
	return got;
}

static void add_scores(struct ranking_table *t, const struct store_rows *rows)
{
	struct report *r = &t->report;

	if (store_int(rows, RANKING_FINITE))
		report_int(r, t->rank, store_int(rows, RANKING_PLACE));
	cmd_cell(r, t->value, rows, RANKING_VALUE);
	cmd_cell(r, t->sd, rows, RANKING_SD);
	cmd_cell(r, t->min, rows, RANKING_MIN);
	cmd_cell(r, t->max, rows, RANKING_MAX);
}

static int add_row(struct cmd_db *d, struct ranking_table *t, const struct study_phase *p,
                   const struct store_rows *rows, struct fault *f)
{
	struct report *r = &t->report;
	const char *params = cmd_keep(d, rows, RANKING_PARAMS), *state = cmd_keep(d, rows, RANKING_STATE);
	bool complete = store_int(rows, RANKING_COMPLETE);

	report_row(r);
	report_text(r, t->phase, p->name);
	cmd_cell(r, t->trial, rows, RANKING_TRIAL);
	cmd_cell(r, t->outer, rows, RANKING_OUTER);
	report_text(r, t->outer_shown, ranking_outer_text(d, p, store_int(rows, RANKING_OUTER)));
	report_text(r, t->state, state);
	report_text(r, t->state_shown,
	            complete || !p->metric ? state : arena_printf(&d->arena, "incomplete (%s)", state));
	report_json(r, t->complete, complete ? "true" : "false", NULL);
	cmd_cell(r, t->folds_done, rows, RANKING_DONE);
	cmd_cell(r, t->folds, rows, RANKING_FOLDS);
	report_text(r, t->n,
	            ranking_n_text(d, store_int(rows, RANKING_DONE), store_int(rows, RANKING_FOLDS)));
	if (p->metric)
		add_scores(t, rows);
	if (p->nmore && add_objectives(d, t, store_int(rows, RANKING_TRIAL), f))
		return -1;
	cmd_cell(r, t->first_unit, rows, RANKING_FIRST_UNIT);
	if (t->kind != RANKING_JSON)
		return add_params(d, t, params, f);
	report_json(r, t->params, params, NULL);
	return 0;
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

const char *ranking_param(const struct study *s, const struct study_phase *p, const char *word)
{
	const char *dot = strchr(word, '.');

	for (uint32_t i = 0; i < p->nvisible; i++)
		if (!strcmp(p->visible[i].name, word))
			return p->visible[i].name;
	for (; dot; dot = strchr(dot + 1, '.'))
		for (uint32_t i = 0; i < p->nvisible; i++) {
			const char *phase = s->phases[p->visible[i].phase].name;
			size_t n = (size_t)(dot - word);

			if (strlen(phase) == n && !memcmp(phase, word, n) &&
			    !strcmp(param_of(s, &p->visible[i])->name, dot + 1))
				return p->visible[i].name;
		}
	return NULL;
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
