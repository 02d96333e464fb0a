/* list: units that match a selector. Rows are printed in batches, so a million of them need no memory. */
#include "cmd.h"

#include "selector.h"
#include "text.h"

enum { BATCH = 5000 };

int cmd_select(struct cmd_db *d, char *const *words, int n, struct selector_sql *out, struct fault *f)
{
	struct selector_names names;

	selector_names_of(&d->arena, d->study, &names);
	return selector_parse(&d->arena, (const char *const *)words, (uint32_t)n, &names, out, f);
}

enum {
	UNIT,
	PHASE,
	TRIAL,
	OUTER,
	FOLD,
	STATE,
	REASON,
	VALUE,
	BEST_STEP,
	ATTEMPTS,
	FAILURES,
	LOSSES,
	CAUSE,
	HOST,
	RANK,
	STARTED,
	FINISHED,
	SECONDS,
	PARAMS,
	SHOWN
};

static const char columns[] =
    "unit, phase, trial, outer_fold, fold, state, reason, value, best_step, attempts, failures, losses, "
    "cause,"
    " host, rank, started, finished, seconds,"
    " (SELECT CASE WHEN json_valid(t.params) THEN t.params ELSE '{}' END FROM trials t"
    "  WHERE t.trial = units.trial) AS params";

static const char shown[] =
    "(SELECT group_concat(key || '=' || CASE type WHEN 'real' THEN printf('%.6g', value) ELSE value END, ' ')"
    " FROM json_each(params))";

static void make_columns(struct report *r, const struct study *s)
{
	bool nested = s->folds.outer > 0, folds = s->folds.inner > 0;

	report_column(r, "unit", NULL, REPORT_RIGHT);
	report_column(r, "phase", NULL, 0);
	report_column(r, "trial", NULL, REPORT_RIGHT);
	report_column(r, "outer_fold", "outer", REPORT_RIGHT | (nested ? 0 : REPORT_JSON_ONLY));
	report_column(r, "fold", NULL, REPORT_RIGHT | (folds ? 0 : REPORT_JSON_ONLY));
	report_column(r, "state", NULL, REPORT_STATE);
	report_column(r, "reason", NULL, REPORT_HIDE_EMPTY);
	report_column(r, "value", NULL, REPORT_RIGHT);
	report_column(r, "best_step", NULL, REPORT_JSON_ONLY);
	report_column(r, "attempts", NULL, REPORT_RIGHT);
	report_column(r, "failures", NULL, REPORT_JSON_ONLY);
	report_column(r, "losses", NULL, REPORT_JSON_ONLY);
	report_column(r, "cause", NULL, REPORT_JSON_ONLY);
	report_column(r, "host", NULL, REPORT_HIDE_EMPTY);
	report_column(r, "rank", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY);
	report_column(r, "started", NULL, REPORT_JSON_ONLY);
	report_column(r, "finished", NULL, REPORT_JSON_ONLY);
	report_column(r, "seconds", NULL, REPORT_RIGHT);
	report_column(r, "params", NULL, REPORT_SHRINK);
}

static void add_row(struct report *r, const struct store_rows *rows)
{
	report_row(r);
	for (uint32_t i = 0; i < PARAMS; i++)
		cmd_cell(r, i, rows, i);
	report_json(r, PARAMS, store_text(rows, PARAMS), store_text(rows, SHOWN));
}

/* What hides an empty column is decided by the first batch. */
static int put_rows(struct cmd_db *d, struct store_rows *rows, bool json, struct fault *f)
{
	struct report_style style = cmd_style(stdout);
	struct arena batch = {0};
	struct report r;
	struct bytes b = {0};
	int got;

	report_init(&r, &d->arena);
	make_columns(&r, d->study);
	r.arena = &batch;
	do {
		while ((got = store_next(rows, f)) > 0) {
			add_row(&r, rows);
			if (r.nrows == BATCH)
				break;
		}
		if (json)
			report_put_json(&r, &b);
		else if (r.put == 0 || r.nrows)
			report_put_table(&r, &style, &b);
		cmd_write(stdout, &b);
		report_clear(&r);
		arena_reset(&batch);
	} while (got > 0);
	if (json) {
		report_finish_json(&r, &b);
		text_put(&b, "\n");
	}
	cmd_write(stdout, &b);
	bytes_finish(&b);
	arena_finish(&batch);
	return got;
}

static int list(const char *word, char *const *words, int n, int64_t limit, bool json, struct fault *f)
{
	struct cmd_db d;
	struct selector_sql where;
	struct store_rows *rows = NULL;
	int bad;

	if (cmd_db_open(&d, word, f))
		return -1;
	bad = cmd_select(&d, words, n, &where, f);
	if (!bad)
		bad = store_select(
		    d.store,
		    arena_printf(&d.arena,
		                 "SELECT *, %s FROM (SELECT %s FROM units WHERE %s ORDER BY unit"
		                 " LIMIT %lld)",
		                 json ? "NULL" : shown, columns, where.where, limit ? (long long)limit : -1),
		    where.binds, &rows, f);
	if (!bad)
		bad = put_rows(&d, rows, json, f);
	store_rows_close(rows);
	cmd_db_close(&d);
	return bad;
}

int cmd_list(int argc, char **argv)
{
	int64_t limit = 0;
	bool json = false;
	const struct cmd_option options[] = {
	    {"limit", 'n', CMD_NUMBER, &limit, "N", "at most N units"},
	    {"json", 0, CMD_FLAG, &json, NULL, "an array, one unit a line"},
	    {0},
	};
	const struct cmd_usage usage = {"list", "[DB] [SELECTOR...] [--limit N] [--json]",
	                                "Units, one a line. SELECTOR is key=value over unit, phase, trial, "
	                                "fold, outer_fold, state, reason and\n"
	                                "parameter names (lr, or pretrain.lr for the one of that phase); a "
	                                "comma means or, several words\n"
	                                "mean and.",
	                                options,
	                                "  ranksweep list digits.db state=failed\n"
	                                "  ranksweep list phase=pretrain,finetune fold=0 --limit 20\n"
	                                "  ranksweep list digits.db hidden=128 pretrain.lr=0.01 --json"};
	struct fault f = {0};
	int rc = cmd_parse(&usage, &argc, argv, &f);
	int first = rc == 0 && argc > 0 && !selector_like(argv[0]) ? 1 : 0;

	if (rc == 0)
		rc = list(first ? argv[0] : NULL, argv + first, argc - first, limit, json, &f);
	return rc < 0 ? cmd_print_fault(&f) : 0;
}
