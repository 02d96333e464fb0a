#include "grouping.h"

#include "stats.h"
#include "text.h"

#include <string.h>

/* ---- words ----------------------------------------------------------------------------------- */
bool grouping_fits(const struct grouping *g, const struct cmd_db *d, const struct study_phase *p)
{
	for (uint32_t i = 0; i < g->n; i++)
		if (!ranking_param(d->study, p, g->names[i]))
			return false;
	return true;
}

static int unknown(struct cmd_db *d, const char *name, struct fault *f)
{
	const char **names, *near;
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->study->nphases; i++)
		n += d->study->phases[i].nvisible;
	names = arena_array(&d->arena, n + 1, sizeof *names);
	n = 0;
	for (uint32_t i = 0; i < d->study->nphases; i++)
		for (uint32_t k = 0; k < d->study->phases[i].nvisible; k++)
			names[n++] = d->study->phases[i].visible[k].name;
	near = text_nearest(name, names, n);
	if (near && strcmp(near, name) != 0)
		return fault_set(f, FAULT_USAGE, "no parameter `%s` here; did you mean `%s`?", name, near);
	return fault_set(f, FAULT_USAGE,
	                 near ? "no phase has a parameter `%s` together with the others"
	                      : "no phase has a parameter `%s`",
	                 name);
}

int grouping_parse(struct grouping *g, struct cmd_db *d, const struct study_phase *only, const char *words,
                   struct fault *f)
{
	const char *comma;

	*g = (struct grouping){0};
	for (const char *w = words;; w = comma + 1) {
		comma = strchr(w, ',');
		if (g->n == GROUPING_MAX)
			return fault_set(f, FAULT_USAGE, "--group takes at most %d parameters", GROUPING_MAX);
		g->names[g->n++] = arena_strndup(&d->arena, w, comma ? (size_t)(comma - w) : strlen(w));
		if (!comma)
			break;
	}
	for (uint32_t i = 0; i < d->study->nphases; i++)
		if ((!only || only == &d->study->phases[i]) && grouping_fits(g, d, &d->study->phases[i]))
			return 0;
	for (uint32_t k = 0; k < g->n; k++) {
		bool known = false;

		for (uint32_t i = 0; i < d->study->nphases; i++)
			known = known || ((!only || only == &d->study->phases[i]) &&
			                  ranking_param(d->study, &d->study->phases[i], g->names[k]));
		if (!known)
			return unknown(d, g->names[k], f);
	}
	return unknown(d, g->names[0], f);
}

/* ---- columns --------------------------------------------------------------------------------- */
void grouping_init(struct grouping *g, struct cmd_db *d, enum ranking_kind kind, const struct study_phase *of)
{
	struct report *r = &g->report;
	bool outer = !of || ranking_has_outer(d->study, of);
	unsigned scores = REPORT_RIGHT | (of && !of->metric ? REPORT_JSON_ONLY : 0);

	g->kind = kind;
	report_init(r, &d->arena);
	g->phase = report_column(r, "phase", NULL, REPORT_JSON_ONLY);
	g->outer = report_column(r, "outer_fold", NULL, REPORT_JSON_ONLY);
	g->outer_shown =
	    report_column(r, "", "outer", REPORT_RIGHT | REPORT_TABLE_ONLY | (outer ? 0 : REPORT_JSON_ONLY));
	g->first = r->ncolumns;
	for (uint32_t i = 0; i < g->n && kind != RANKING_JSON; i++)
		report_column(r, g->names[i], NULL, REPORT_RIGHT);
	if (kind == RANKING_JSON)
		g->json = report_column(r, "group", NULL, 0);
	g->trials = report_column(r, "trials", NULL, REPORT_RIGHT);
	g->complete = report_column(r, "complete", NULL, scores);
	g->best_trial = report_column(r, "best_trial", "best trial", scores);
	g->best = report_column(r, "best", NULL, scores);
	g->mean = report_column(r, "mean", NULL, scores);
	g->sd = report_column(r, "sd", NULL, scores);
	g->min = report_column(r, "min", NULL, scores);
	g->max = report_column(r, "max", NULL, scores);
}

/* ---- rows ------------------------------------------------------------------------------------ */
enum { OUTER, FINITE, TRIAL, VALUE, KEYS };

struct group { /* the one being read */
	const char *key;
	int64_t trials, best_trial;
	double *values; /* of complete trials, the best first */
	size_t n, cap;
};

static const char *question(struct grouping *g, struct cmd_db *d, const struct study_phase *p)
{
	struct bytes keys = {0}, places = {0};
	const char *sql;

	for (uint32_t i = 0; i < g->n; i++) {
		text_putf(&keys, ", (SELECT value FROM json_each(known) WHERE key = ?%u) AS g%u", i + 2, i);
		text_putf(&places, ", g%u", i);
	}
	bytes_put_u8(&keys, 0);
	bytes_put_u8(&places, 0);
	sql = arena_printf(&d->arena,
	                   "WITH scored AS (SELECT outer_fold, trial, value, " RANKING_IS_FINITE " AS finite,"
	                   "  CASE WHEN json_valid(params) THEN params ELSE '{}' END AS known"
	                   "  FROM trials WHERE phase = ?1)"
	                   " SELECT outer_fold, finite, trial, value%s FROM scored"
	                   " ORDER BY outer_fold%s, finite DESC, CASE WHEN finite THEN %svalue END, trial",
	                   (const char *)keys.data, (const char *)places.data,
	                   p->metric && p->goal == GOAL_MAXIMIZE ? "-" : "");
	bytes_finish(&keys);
	bytes_finish(&places);
	return sql;
}

/* The values of a row that say which group it is in, as one text. */
static const char *key_of(struct grouping *g, struct cmd_db *d, const struct store_rows *rows)
{
	struct bytes b = {0};

	text_putf(&b, "%lld", (long long)store_int(rows, OUTER));
	for (uint32_t i = 0; i < g->n; i++) {
		struct cmd_params v = cmd_value(d, rows, KEYS + i);

		text_putf(&b, " %s", v.json);
	}
	return cmd_keep_bytes(&d->arena, &b);
}

static void put_keys(struct grouping *g, struct cmd_db *d, const struct study_phase *p,
                     const struct store_rows *rows)
{
	struct report *r = &g->report;
	struct bytes b = {0};

	report_row(r);
	report_text(r, g->phase, p->name);
	cmd_cell(r, g->outer, rows, OUTER);
	report_text(r, g->outer_shown, ranking_outer_text(d, p, store_int(rows, OUTER)));
	text_put(&b, "{");
	for (uint32_t i = 0; i < g->n; i++) {
		if (g->kind != RANKING_JSON)
			cmd_cell(r, g->first + i, rows, KEYS + i);
		report_key(&b, g->names[i]);
		text_put(&b, cmd_value(d, rows, KEYS + i).json);
	}
	text_put(&b, "}");
	if (g->kind == RANKING_JSON)
		report_json(r, g->json, cmd_keep_bytes(&d->arena, &b), NULL);
	bytes_finish(&b);
}

/* What is known at the end of a group goes into the row that its first trial began. */
static void put_group(struct grouping *g, const struct group *x)
{
	struct report *r = &g->report;
	struct stats_summary s = stats_of(x->values, x->n);

	if (!x->key)
		return;
	report_int(r, g->trials, x->trials);
	report_int(r, g->complete, (int64_t)x->n);
	if (!x->n)
		return;
	report_int(r, g->best_trial, x->best_trial);
	report_real(r, g->best, x->values[0]);
	report_real(r, g->mean, s.mean);
	if (x->n > 1)
		report_real(r, g->sd, s.sd);
	report_real(r, g->min, s.min);
	report_real(r, g->max, s.max);
}

static void add_trial(struct cmd_db *d, struct group *x, const struct store_rows *rows)
{
	x->trials++;
	if (!store_int(rows, FINITE))
		return;
	if (x->n == x->cap) {
		x->values = arena_grow(&d->arena, x->values, x->cap * sizeof *x->values,
		                       (x->cap * 2 + 16) * sizeof *x->values);
		x->cap = x->cap * 2 + 16;
	}
	if (x->n == 0)
		x->best_trial = store_int(rows, TRIAL);
	x->values[x->n++] = store_real(rows, VALUE);
}

int grouping_add(struct grouping *g, struct cmd_db *d, const struct study_phase *p, struct fault *f)
{
	const char *binds[GROUPING_MAX + 2] = {p->name};
	struct group x = {0};
	struct store_rows *rows;
	int got;

	for (uint32_t i = 0; i < g->n; i++)
		binds[i + 1] = ranking_param(d->study, p, g->names[i]);
	if (store_select(d->store, question(g, d, p), binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		const char *key = key_of(g, d, rows);

		if (!x.key || strcmp(x.key, key) != 0) {
			put_group(g, &x);
			x = (struct group){.key = key, .values = x.values, .cap = x.cap};
			put_keys(g, d, p, rows);
		}
		add_trial(d, &x, rows);
	}
	put_group(g, &x);
	store_rows_close(rows);
	return got;
}
