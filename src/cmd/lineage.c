#include "lineage.h"

#include "ranking.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 10, AFTER_SHOWN = 4 }; /* trials of one phase, and of those one comes after, in a table */

/* ?1 is the trial. One of its units is enough: it hangs on a unit of each trial above. */
#define ABOVE                                                                                                \
	"WITH RECURSIVE up(unit) AS (SELECT first_unit FROM trials WHERE trial = CAST(?1 AS INTEGER)"        \
	"  UNION SELECT parent FROM edges, up WHERE child = up.unit),"                                       \
	" above(trial) AS (SELECT DISTINCT trial FROM units WHERE unit IN (SELECT unit FROM up))"

static const char sql_rows[] =
    ABOVE " SELECT trial, phase, outer_fold, state, value, sd, folds_done, folds FROM trials"
          " WHERE trial IN (SELECT trial FROM above) ORDER BY trial";
static const char sql_after[] =
    ABOVE " SELECT DISTINCT b.trial, a.trial FROM edges e JOIN units b ON b.unit = e.child"
          " JOIN units a ON a.unit = e.parent WHERE e.child IN (SELECT unit FROM up) ORDER BY 1, 2";
static const char sql_picks[] =
    ABOVE " SELECT trial, for_phase, for_trial, bucket, rank, value FROM picks"
          " WHERE trial IN (SELECT trial FROM above)"
          "  AND (for_trial IN (SELECT trial FROM above) OR trial = CAST(?1 AS INTEGER))"
          " ORDER BY for_phase, phase, outer_fold, bucket, rank, for_trial";

/* ---- reading --------------------------------------------------------------------------------- */
static struct lineage_row *row_of(const struct lineage *l, int64_t trial)
{
	for (uint32_t lo = 0, hi = l->n; lo < hi;) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (l->rows[mid].trial == trial)
			return &l->rows[mid];
		if (l->rows[mid].trial < trial)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static void *grown(struct cmd_db *d, void *old, uint32_t n, uint32_t *cap, size_t item)
{
	if (n < *cap)
		return old;
	old = arena_grow(&d->arena, old, *cap * item, (*cap * 2 + 8) * item);
	*cap = *cap * 2 + 8;
	return old;
}

static void add_row(struct cmd_db *d, struct lineage *l, const struct store_rows *rows)
{
	const struct study_phase *p = study_find_phase(d->study, store_text(rows, 1));

	if (!p)
		return;
	l->rows = grown(d, l->rows, l->n, &l->cap, sizeof *l->rows);
	l->rows[l->n++] = (struct lineage_row){.trial = store_int(rows, 0),
	                                       .phase = p,
	                                       .outer = store_int(rows, 2),
	                                       .state = cmd_keep(d, rows, 3),
	                                       .has_value = store_type(rows, 4) != STORE_NULL,
	                                       .value = store_real(rows, 4),
	                                       .has_sd = store_type(rows, 5) != STORE_NULL,
	                                       .sd = store_real(rows, 5),
	                                       .folds_done = store_int(rows, 6),
	                                       .folds = store_int(rows, 7)};
}

static void add_after(struct cmd_db *d, struct lineage *l, const struct store_rows *rows)
{
	struct lineage_row *r = row_of(l, store_int(rows, 0));

	if (!r)
		return;
	r->after = grown(d, r->after, r->nafter, &r->after_cap, sizeof *r->after);
	r->after[r->nafter++] = store_int(rows, 1);
}

static void add_pick(struct cmd_db *d, struct lineage *l, const struct store_rows *rows)
{
	struct lineage_row *r = row_of(l, store_int(rows, 0));
	const struct study_phase *p = study_find_phase(d->study, store_text(rows, 1));

	if (!r || !p)
		return;
	for (uint32_t i = 0; i < r->npicks; i++)
		if (r->picks[i].for_phase == p)
			return; /* several trials come after it: the first is named */
	r->picks = grown(d, r->picks, r->npicks, &r->picks_cap, sizeof *r->picks);
	r->picks[r->npicks++] = (struct lineage_pick){.for_phase = p,
	                                              .for_trial = store_int(rows, 2),
	                                              .bucket = store_int(rows, 3),
	                                              .rank = store_int(rows, 4) + 1,
	                                              .value = store_real(rows, 5)};
}

static int read_rows(struct cmd_db *d, struct lineage *l, const char *sql,
                     void (*add)(struct cmd_db *, struct lineage *, const struct store_rows *),
                     struct fault *f)
{
	const char *binds[] = {arena_printf(&d->arena, "%lld", (long long)l->trial), NULL};
	struct store_rows *rows;
	int got;

	if (store_select(d->store, sql, binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0)
		add(d, l, rows);
	store_rows_close(rows);
	return got;
}

/* ---- among how many -------------------------------------------------------------------------- */
static const struct after *rule_of(const struct lineage_row *r, const struct study_phase *child)
{
	for (uint32_t i = 0; i < child->nafter; i++)
		if (child->after[i].phase == r->phase->index && child->after[i].pick == PICK_BEST)
			return &child->after[i];
	return NULL;
}

/* "hidden=128", and as JSON: what the trial has in common with those it was chosen among */
static int read_per(struct cmd_db *d, const struct lineage_row *r, const struct after *rule,
                    struct lineage_pick *k, struct fault *f)
{
	struct bytes text = {0}, json = {0};
	int bad = 0;

	text_put(&json, "{");
	for (uint32_t i = 0; i < rule->nper && !bad; i++) {
		const struct study_phase *q = &d->study->phases[rule->per_phase[i]];
		struct cmd_params v;

		bad = cmd_param(d, q, q->space.params[rule->per[i]].name, r->trial, &v, f);
		text_putf(&text, "%s%s=%s", i ? " " : "", q->space.params[rule->per[i]].name,
		          v.text ? v.text : "-");
		report_key(&json, q->space.params[rule->per[i]].name);
		text_put(&json, v.json ? v.json : "null");
	}
	text_put(&json, "}");
	k->per = cmd_keep_bytes(&d->arena, &text);
	k->per_json = cmd_keep_bytes(&d->arena, &json);
	return bad;
}

/* A trial of the phase that came later than the pick has a higher number than what was made from it. */
static void candidates(struct cmd_db *d, const struct lineage_row *r, const struct after *rule,
                       struct bytes *sql, const char **binds)
{
	uint32_t n = 2;

	text_putf(
	    sql,
	    "SELECT count(*) FROM trials t WHERE phase = ?1 AND outer_fold = %lld AND " RANKING_IS_FINITE
	    " AND trial < ifnull((SELECT min(for_trial) FROM picks WHERE phase = ?1 AND for_phase = ?2"
	    "  AND outer_fold = %lld), 9223372036854775807)",
	    (long long)r->outer, (long long)r->outer);
	for (uint32_t i = 0; i < rule->nper; i++) {
		const struct study_phase *q = &d->study->phases[rule->per_phase[i]];

		binds[n] = q->name;
		binds[n + 1] = q->space.params[rule->per[i]].name;
		text_putf(
		    sql,
		    " AND (SELECT value FROM params WHERE trial = t.trial AND phase = ?%u AND name = ?%u)"
		    " IS (SELECT value FROM params WHERE trial = %lld AND phase = ?%u AND name = ?%u)",
		    n + 1, n + 2, (long long)r->trial, n + 1, n + 2);
		n += 2;
	}
	bytes_put_u8(sql, 0);
}

static int count_candidates(struct cmd_db *d, const struct lineage_row *r, const struct after *rule,
                            struct lineage_pick *k, struct fault *f)
{
	const char **binds = arena_array(&d->arena, 3 + 2 * rule->nper, sizeof *binds);
	struct bytes sql = {0};
	struct store_rows *rows;
	int bad, got;

	binds[0] = r->phase->name;
	binds[1] = k->for_phase->name;
	candidates(d, r, rule, &sql, binds);
	bad = store_select(d->store, (const char *)sql.data, binds, &rows, f);
	bytes_finish(&sql);
	if (bad)
		return -1;
	got = store_next(rows, f);
	k->of = got > 0 ? store_int(rows, 0) : 0;
	store_rows_close(rows);
	return got < 0 ? -1 : 0;
}

/* The pick before, when it chose from the same trials: winners of one pick follow each other. */
static const struct lineage_pick *same_choice(const struct lineage_row *a, const struct lineage_row *b,
                                              const struct lineage_pick *k)
{
	if (a->phase != b->phase || a->outer != b->outer)
		return NULL;
	for (uint32_t i = 0; i < a->npicks; i++)
		if (a->picks[i].for_phase == k->for_phase && a->picks[i].bucket == k->bucket)
			return &a->picks[i];
	return NULL;
}

static int complete_picks(struct cmd_db *d, struct lineage *l, struct fault *f)
{
	for (uint32_t i = 0; i < l->n; i++)
		for (uint32_t j = 0; j < l->rows[i].npicks; j++) {
			struct lineage_row *r = &l->rows[i];
			struct lineage_pick *k = &r->picks[j];
			const struct lineage_pick *known = i ? same_choice(&l->rows[i - 1], r, k) : NULL;
			const struct after *rule = rule_of(r, k->for_phase);

			if (!rule)
				continue;
			if (rule->nper && read_per(d, r, rule, k, f))
				return -1;
			if (known)
				k->of = known->of;
			else if (count_candidates(d, r, rule, k, f))
				return -1;
		}
	return 0;
}

/* ---- order ----------------------------------------------------------------------------------- */
static int by_phase(const void *x, const void *y)
{
	const struct lineage_row *a = x, *b = y;
	const struct lineage_pick *p = a->npicks ? a->picks : NULL, *q = b->npicks ? b->picks : NULL;

	if (a->phase->index != b->phase->index)
		return a->phase->index > b->phase->index ? -1 : 1;
	if (p && q && p->bucket != q->bucket)
		return p->bucket < q->bucket ? -1 : 1;
	if (p && q && p->rank != q->rank)
		return p->rank < q->rank ? -1 : 1;
	return a->trial < b->trial ? -1 : a->trial > b->trial;
}

int lineage_read(struct cmd_db *d, int64_t trial, struct lineage *out, struct fault *f)
{
	*out = (struct lineage){.trial = trial};
	if (read_rows(d, out, sql_rows, add_row, f) || read_rows(d, out, sql_after, add_after, f) ||
	    read_rows(d, out, sql_picks, add_pick, f))
		return -1;
	if (out->n)
		qsort(out->rows, out->n, sizeof *out->rows, by_phase);
	return complete_picks(d, out, f);
}

/* ---- texts ----------------------------------------------------------------------------------- */
static const char *ordinal(struct arena *a, int64_t n)
{
	int64_t tens = n % 100, ones = n % 10;
	const char *end = tens >= 11 && tens <= 13 ? "th"
	                  : ones == 1              ? "st"
	                  : ones == 2              ? "nd"
	                  : ones == 3              ? "rd"
	                                           : "th";

	return arena_printf(a, "%lld%s ", (long long)n, end);
}

/* "2nd best of 12 for retrain" */
static const char *picked_text(struct cmd_db *d, const struct lineage_row *r)
{
	struct bytes b = {0};
	char value[TEXT_NUMBER];

	for (uint32_t i = 0; i < r->npicks; i++) {
		const struct lineage_pick *k = &r->picks[i];

		text_putf(&b, "%s%sbest", i ? "; " : "", k->rank > 1 ? ordinal(&d->arena, k->rank) : "");
		if (k->of)
			text_putf(&b, " of %lld", (long long)k->of);
		if (k->per)
			text_putf(&b, " with %s", k->per);
		text_putf(&b, " for %s", k->for_phase->name);
		if (!r->has_value || (isfinite(k->value) && k->value != r->value)) {
			report_short_number(value, k->value, 6);
			text_putf(&b, " (with %s then)", value);
		}
	}
	return cmd_keep_bytes(&d->arena, &b);
}

static void put_picks_json(const struct lineage_row *r, struct bytes *b)
{
	text_put(b, "[");
	for (uint32_t i = 0; i < r->npicks; i++) {
		const struct lineage_pick *k = &r->picks[i];

		text_put(b, i ? ", {" : "{");
		cmd_put_string(b, "for_phase", k->for_phase->name);
		cmd_put_int_or_null(b, "for_trial", k->for_trial, k->for_trial != 0);
		cmd_put_int(b, "rank", k->rank);
		cmd_put_int_or_null(b, "of", k->of, k->of != 0);
		cmd_put_real(b, "value", k->value);
		report_key(b, "per");
		text_put(b, k->per_json ? k->per_json : "null");
		text_put(b, "}");
	}
	text_put(b, "]");
}

static void put_after(const struct lineage_row *r, uint32_t most, const char *between, struct bytes *b)
{
	for (uint32_t i = 0; i < r->nafter && i < most; i++)
		text_putf(b, "%s%lld", i ? between : "", (long long)r->after[i]);
	if (r->nafter > most)
		text_putf(b, " ... %u more", r->nafter - most);
}

/* ---- as a table and as JSON ------------------------------------------------------------------ */
struct columns {
	uint32_t trial, phase, outer, state, metric, value, sd, n, done, folds, picked, picks, after,
	    after_json, params;
};

/* A chain tells by itself who comes from whom. */
static bool is_chain(const struct lineage *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->rows[i].nafter > 1 || (i && l->rows[i].phase == l->rows[i - 1].phase))
			return false;
	return true;
}

static void make_columns(struct cmd_db *d, const struct lineage *l, struct report *r, struct columns *c)
{
	report_init(r, &d->arena);
	c->trial = report_column(r, "trial", NULL, REPORT_RIGHT);
	c->phase = report_column(r, "phase", NULL, 0);
	c->outer = report_column(r, "outer_fold", "outer",
	                         REPORT_RIGHT | (d->study->folds.outer ? 0 : REPORT_JSON_ONLY));
	c->state = report_column(r, "state", NULL, REPORT_STATE);
	c->metric = report_column(r, "metric", NULL, REPORT_HIDE_EMPTY);
	c->value = report_column(r, "value", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY);
	c->sd = report_column(r, "sd", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY);
	c->n = report_column(r, "n", NULL, REPORT_RIGHT | REPORT_TABLE_ONLY);
	c->done = report_column(r, "folds_done", NULL, REPORT_JSON_ONLY);
	c->folds = report_column(r, "folds", NULL, REPORT_JSON_ONLY);
	c->after = report_column(r, "", "after",
	                         is_chain(l) ? REPORT_JSON_ONLY | REPORT_TABLE_ONLY : REPORT_TABLE_ONLY);
	c->after_json = report_column(r, "after", NULL, REPORT_JSON_ONLY);
	c->picked = report_column(r, "", "picked", REPORT_TABLE_ONLY | REPORT_HIDE_EMPTY);
	c->picks = report_column(r, "picks", NULL, REPORT_JSON_ONLY);
	c->params = report_column(r, "params", "own parameters", REPORT_HIDE_EMPTY);
}

static int put_row(struct cmd_db *d, const struct lineage_row *row, struct report *r, const struct columns *c,
                   struct fault *f)
{
	struct cmd_params params;
	struct bytes b = {0};

	if (cmd_own_params(d, row->phase, arena_printf(&d->arena, "%lld", (long long)row->trial), &params, f))
		return -1;
	report_row(r);
	report_int(r, c->trial, row->trial);
	report_text(r, c->phase, row->phase->name);
	report_json(r, c->outer, arena_printf(&d->arena, "%lld", (long long)row->outer),
	            ranking_outer_text(d, row->phase, row->outer));
	report_text(r, c->state, row->state);
	report_text(r, c->metric, row->phase->metric);
	if (row->has_value)
		report_real(r, c->value, row->value);
	if (row->has_sd)
		report_real(r, c->sd, row->sd);
	report_text(r, c->n, ranking_n_text(d, row->folds_done, row->folds));
	report_int(r, c->done, row->folds_done);
	report_int(r, c->folds, row->folds);
	put_after(row, AFTER_SHOWN, " ", &b);
	report_text(r, c->after, cmd_keep_bytes(&d->arena, &b));
	text_put(&b, "[");
	put_after(row, UINT32_MAX, ", ", &b);
	text_put(&b, "]");
	report_json(r, c->after_json, cmd_keep_bytes(&d->arena, &b), NULL);
	report_text(r, c->picked, picked_text(d, row));
	put_picks_json(row, &b);
	report_json(r, c->picks, cmd_keep_bytes(&d->arena, &b), NULL);
	report_json(r, c->params, params.json, params.text);
	return 0;
}

/* Rows of one phase beyond the first few are counted instead. */
static uint32_t end_of_phase(const struct lineage *l, uint32_t from)
{
	uint32_t i = from;

	while (i < l->n && l->rows[i].phase == l->rows[from].phase)
		i++;
	return i;
}

int lineage_put_table(struct cmd_db *d, const struct lineage *l, const struct report_style *style,
                      struct bytes *out, struct fault *f)
{
	struct bytes more = {0};
	struct columns c;
	struct report r;
	int bad = 0;

	make_columns(d, l, &r, &c);
	for (uint32_t i = 0, end; i < l->n && !bad; i = end) {
		end = end_of_phase(l, i);
		for (uint32_t k = i; k < end && k < i + SHOWN && !bad; k++)
			bad = put_row(d, &l->rows[k], &r, &c, f);
		if (end > i + SHOWN)
			text_putf(&more, "... %u more of %s (--json has all)\n", end - i - SHOWN,
			          l->rows[i].phase->name);
	}
	if (!bad) {
		report_put_table(&r, style, out);
		bytes_put(out, more.data, more.len);
	}
	bytes_finish(&more);
	return bad;
}

int lineage_put_json(struct cmd_db *d, const struct lineage *l, struct bytes *out, struct fault *f)
{
	struct columns c;
	struct report r;

	make_columns(d, l, &r, &c);
	for (uint32_t i = 0; i < l->n; i++)
		if (put_row(d, &l->rows[i], &r, &c, f))
			return -1;
	report_put_json(&r, out);
	report_finish_json(&r, out);
	return 0;
}
