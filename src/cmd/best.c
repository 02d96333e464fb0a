/* best: the best complete trial and its parameters, to be copied. */
#include "ranking.h"

#include "text.h"

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

/* The value is in that column, its sd in the next. */
static void put_value(struct bytes *b, const char *metric, const struct store_rows *rows, uint32_t column,
                      int64_t folds)
{
	text_putf(b, ", %s = ", metric);
	put_number(b, rows, column);
	if (folds > 1) {
		text_put(b, ", sd ");
		put_number(b, rows, column + 1);
	}
}

static void put_folds(struct bytes *b, const struct store_rows *trial)
{
	if (store_int(trial, RANKING_FOLDS) > 1)
		text_putf(b, " over %lld folds", (long long)store_int(trial, RANKING_FOLDS));
	text_put(b, "\n");
}

static int put_objectives(struct cmd_db *d, const struct store_rows *trial, struct bytes *b, struct fault *f)
{
	struct store_rows *rows;
	int got;

	if (ranking_objectives(d, store_int(trial, RANKING_TRIAL), &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0)
		put_value(b, store_text(rows, 0), rows, 1, store_int(trial, RANKING_FOLDS));
	store_rows_close(rows);
	put_folds(b, trial);
	return got;
}

static int put_best_title(struct cmd_db *d, const struct study_phase *p, const struct store_rows *rows,
                          struct bytes *b, struct fault *f)
{
	text_putf(b, "%s: trial %lld", p->name, (long long)store_int(rows, RANKING_TRIAL));
	if (store_int(rows, RANKING_FOLDS) == 1)
		text_putf(b, " (unit %lld)", (long long)store_int(rows, RANKING_FIRST_UNIT));
	if (ranking_has_outer(d->study, p) && store_int(rows, RANKING_OUTER) >= 0)
		text_putf(b, " in outer fold %lld", (long long)store_int(rows, RANKING_OUTER));
	else if (ranking_has_outer(d->study, p))
		text_put(b, " in the full search");
	if (p->nmore)
		return put_objectives(d, rows, b, f);
	put_value(b, p->metric, rows, RANKING_VALUE, store_int(rows, RANKING_FOLDS));
	put_folds(b, rows);
	return 0;
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

static int put_best(struct cmd_db *d, const struct ranking_ask *q, uint64_t *found, struct fault *f)
{
	struct store_rows *rows;
	struct bytes b = {0};
	int got;

	*found = 0;
	if (ranking_select(d, q, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		text_put(&b, (*found)++ ? "\n" : "");
		if (put_best_title(d, q->phase, rows, &b, f) ||
		    put_best_params(d, cmd_keep(d, rows, RANKING_PARAMS), &b, f)) {
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
	struct ranking_ask q = {.phase = p, .finite = true, .front_only = p->nmore > 0, .limit = n};
	struct ranking_table t;
	uint64_t found, many;

	if (n < 0)
		q.limit = p->nmore ? 0 : 1;
	if (!json) {
		if (put_best(d, &q, &found, f))
			return -1;
	} else {
		ranking_table_init(&t, &d->arena, RANKING_JSON, d->study, NULL);
		if (ranking_add(d, &t, &q, &found, &many, f))
			return -1;
		cmd_put_report(&t.report, true, stdout);
	}
	if (found)
		return 0;
	return fault_set(f, FAULT_UNITS, "no trial of %s is complete with a finite %s yet", p->name,
	                 p->nmore ? "value of each metric" : p->metric);
}

static int find_and_put(struct cmd_db *d, const char *phase, int64_t n, bool json, struct fault *f)
{
	const struct study_phase *p = NULL;

	if (phase && ranking_find_phase(d, phase, &p, f))
		return -1;
	if (!p)
		p = last_scored(d->study);
	if (!p)
		return fault_set(f, FAULT_USAGE, "no phase of the study has a metric: nothing is best in it");
	if (!p->metric)
		return fault_set(f, FAULT_USAGE, "phase %s has no metric: nothing is best in it", p->name);
	return best_of(d, p, n, json, f);
}

static int best(const char *word, const char *phase, int64_t n, bool json, struct fault *f)
{
	struct cmd_db d;
	int bad;

	if (cmd_db_open(&d, word, f))
		return -1;
	bad = find_and_put(&d, phase, n, json, f);
	cmd_db_close(&d);
	return bad;
}

int cmd_best(int argc, char **argv)
{
	const char *phase = NULL;
	int64_t n = -1;
	bool json = false;
	const struct cmd_option options[] = {
	    {"phase", 'p', CMD_TEXT, &phase, "P", "of this phase (default: the last one with a metric)"},
	    {"count", 'n', CMD_NUMBER, &n, "N", "the best N trials (default 1, or the whole Pareto front)"},
	    {"json", 0, CMD_FLAG, &json, NULL, "an array, also for one trial"},
	    {0},
	};
	const struct cmd_usage usage = {
	    "best", "[DB] [--phase P] [-n N] [--json]",
	    "The best complete trial of a phase and its parameters, own and inherited, with all digits. With "
	    "nested\n"
	    "folds: the best of each outer fold; with several metrics: those that no other is better than in "
	    "all of them "
	    "(the\n"
	    "Pareto front), by the first metric. Exit status 1 when there is none yet.",
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
