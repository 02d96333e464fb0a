/* show: everything known about one unit, or about a trial and its folds. */
#include "show.h"

#include "lineage.h"
#include "text.h"

#include <string.h>

enum { RELATIVES_SHOWN = 20 };

/* ?1 is the unit everywhere. */
static const char sql_unit[] =
    "SELECT units.unit, units.phase, units.trial, units.outer_fold, units.fold, units.state, units.reason,"
    " units.value, units.best_step, units.attempts, units.failures, units.losses, units.cause, units.host,"
    " units.rank, units.started, units.finished, units.seconds, units.priority,"
    " CASE WHEN json_valid(t.params) THEN t.params ELSE '{}' END"
    " FROM units JOIN trials t ON t.trial = units.trial WHERE units.unit = ?1";
enum {
	U_UNIT,
	U_PHASE,
	U_TRIAL,
	U_OUTER,
	U_FOLD,
	U_STATE,
	U_REASON,
	U_VALUE,
	U_BEST_STEP,
	U_ATTEMPTS,
	U_FAILURES,
	U_LOSSES,
	U_CAUSE,
	U_HOST,
	U_RANK,
	U_STARTED,
	U_FINISHED,
	U_SECONDS,
	U_PRIORITY,
	U_PARAMS
};

static const char sql_parents[] =
    "SELECT u.unit, u.phase, u.trial, u.fold, u.state, u.reason, u.value FROM edges e"
    " JOIN units u ON u.unit = e.parent WHERE e.child = CAST(?1 AS INTEGER) ORDER BY 1";
static const char sql_children[] =
    "SELECT u.unit, u.phase, u.trial, u.fold, u.state, u.reason, u.value FROM edges e"
    " JOIN units u ON u.unit = e.child WHERE e.parent = CAST(?1 AS INTEGER) ORDER BY 1";

static const char sql_outputs[] =
    "SELECT DISTINCT run, rank FROM outputs WHERE unit = CAST(?1 AS INTEGER) ORDER BY run, rank";

/* ---- tables ---------------------------------------------------------------------------------- */
int show_fill(struct show *s, const char *sql, const struct show_column *columns, uint32_t n,
              struct report *r, struct fault *f)
{
	struct store_rows *rows;
	int got;

	report_init(r, &s->db.arena);
	for (uint32_t i = 0; i < n; i++)
		report_column(r, columns[i].key, columns[i].title, columns[i].flags);
	if (store_select(s->db.store, sql, s->binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		report_row(r);
		for (uint32_t i = 0; i < n; i++)
			cmd_cell(r, i, rows, i);
	}
	store_rows_close(rows);
	return got;
}

void show_put(struct show *s, const char *key, const char *title, struct report *r)
{
	if (s->json) {
		report_key(&s->out, key);
		report_put_json(r, &s->out);
		report_finish_json(r, &s->out);
	} else if (r->nrows) {
		text_putf(&s->out, "\n%s\n", title);
		report_put_table(r, &s->style, &s->out);
	}
}

int show_put_query(struct show *s, const char *key, const char *title, const char *sql,
                   const struct show_column *columns, uint32_t n, struct fault *f)
{
	struct report r;

	if (show_fill(s, sql, columns, n, &r, f))
		return -1;
	show_put(s, key, title, &r);
	return 0;
}

int show_put_lineage(struct show *s, struct fault *f)
{
	struct lineage l;

	if (lineage_read(&s->db, s->trial, &l, f))
		return -1;
	if (s->json) {
		report_key(&s->out, "lineage");
		return lineage_put_json(&s->db, &l, &s->out, f);
	}
	text_put(&s->out, "\nlineage: this trial and those it comes from\n");
	return lineage_put_table(&s->db, &l, &s->style, &s->out, f);
}

/* A child of many, or a parent of many: the table has the first of them. */
static int put_relatives(struct show *s, const char *key, const char *title, const char *sql, struct fault *f)
{
	static const struct show_column columns[] = {{"unit", NULL, REPORT_RIGHT},
	                                             {"phase", NULL, 0},
	                                             {"trial", NULL, REPORT_RIGHT},
	                                             {"fold", NULL, REPORT_RIGHT},
	                                             {"state", NULL, REPORT_STATE},
	                                             {"reason", NULL, REPORT_HIDE_EMPTY},
	                                             {"value", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY}};
	struct report r;
	uint32_t many;

	if (show_fill(s, sql, columns, SHOW_COUNT(columns), &r, f))
		return -1;
	many = r.nrows;
	if (!s->json && many > RELATIVES_SHOWN)
		r.nrows = RELATIVES_SHOWN;
	show_put(s, key, title, &r);
	if (r.nrows < many)
		text_putf(&s->out, "... %u more (--json has all)\n", many - r.nrows);
	return 0;
}

static int put_files(struct show *s, struct fault *f)
{
	struct store_rows *rows;
	int got;
	bool first = true;

	if (store_select(s->db.store, sql_outputs, s->binds, &rows, f))
		return -1;
	if (s->json) {
		report_key(&s->out, "output");
		text_put(&s->out, "[");
	}
	while ((got = store_next(rows, f)) > 0) {
		const char *path = cmd_log_path(&s->db, store_int(rows, 0), store_int(rows, 1));

		text_put(&s->out, s->json ? first ? "" : ", " : "output     in ");
		if (s->json)
			report_put_string(&s->out, path);
		else
			text_putf(&s->out, "%s\n", path);
		first = false;
	}
	store_rows_close(rows);
	text_put(&s->out, s->json ? "]" : "");
	return got;
}

/* ---- the unit -------------------------------------------------------------------------------- */
static const char *directory(struct show *s, const struct store_rows *rows)
{
	const char *dir =
	    arena_printf(&s->db.arena, "%s/dir/%s/t%lld", s->db.out_dir, s->phase->name, (long long)s->trial);

	if (!s->phase->makes_dir)
		return NULL;
	return store_int(rows, U_FOLD) < 0
	           ? dir
	           : arena_printf(&s->db.arena, "%s/f%lld", dir, (long long)store_int(rows, U_FOLD));
}

static void put_pair_number(struct show *s, const char *key, double v)
{
	char buf[TEXT_NUMBER];

	text_double(buf, v);
	text_putf(&s->out, "%s%s", key, buf);
}

/* " by unit 8 (pretrain: failed, timeout)": where to look for the mistake */
static int put_cause(struct show *s, int64_t cause, struct fault *f)
{
	struct store_rows *rows;
	int got = cmd_query(&s->db, &rows, f, "SELECT phase, state, reason FROM units WHERE unit = %lld",
	                    (long long)cause);

	if (got < 0)
		return -1;
	text_putf(&s->out, " by unit %lld", (long long)cause);
	if (got == 0)
		return 0;
	text_putf(&s->out, " (%s: %s", store_text(rows, 0), store_text(rows, 1));
	if (*store_text(rows, 2))
		text_putf(&s->out, ", %s", store_text(rows, 2));
	text_put(&s->out, ")");
	store_rows_close(rows);
	return 0;
}

static void put_retries(struct show *s, const struct store_rows *rows)
{
	bool failed = !strcmp(s->state, "failed");
	int64_t used = store_int(rows, U_FAILURES) - failed, retries = s->phase->limits.retries;

	if (used > 0)
		text_putf(&s->out, ", %lld of %lld retries used", (long long)used, (long long)retries);
	else if (failed && retries && strcmp(store_text(rows, U_REASON), "lost") != 0)
		text_put(&s->out, ", not retried: `retry_on` does not name this reason");
}

static int put_state(struct show *s, const struct store_rows *rows, struct fault *f)
{
	const char *colour = s->style.colour ? report_state_colour(s->state) : "";
	int64_t attempts = store_int(rows, U_ATTEMPTS);

	text_putf(&s->out, "\n\nstate      %s%s%s", colour, s->state, *colour ? "\033[0m" : "");
	if (store_type(rows, U_CAUSE) != STORE_NULL) {
		if (put_cause(s, store_int(rows, U_CAUSE), f))
			return -1;
	} else if (*store_text(rows, U_REASON)) {
		text_putf(&s->out, " (%s)", store_text(rows, U_REASON));
	}
	text_putf(&s->out, ", %lld attempt%s", (long long)attempts, attempts == 1 ? "" : "s");
	put_retries(s, rows);
	text_put(&s->out, "\n");
	return 0;
}

static void put_value(struct show *s, const struct store_rows *rows)
{
	if (!s->phase->metric || store_type(rows, U_VALUE) == STORE_NULL)
		return;
	text_putf(&s->out, "value      %s", s->phase->metric);
	put_pair_number(s, " = ", store_real(rows, U_VALUE));
	text_put(&s->out, s->phase->report == REPORT_BEST ? " (the best reported)" : " (the last reported)");
	if (store_type(rows, U_BEST_STEP) != STORE_NULL)
		put_pair_number(s, ", best step ", store_real(rows, U_BEST_STEP));
	text_put(&s->out, "\n");
}

static int put_head(struct show *s, const struct store_rows *rows, struct fault *f)
{
	struct arena *a = &s->db.arena;

	text_putf(&s->out, "unit %lld: phase %s, trial %lld", (long long)s->unit, s->phase->name,
	          (long long)s->trial);
	if (store_int(rows, U_OUTER) >= 0)
		text_putf(&s->out, ", outer fold %lld", (long long)store_int(rows, U_OUTER));
	if (store_int(rows, U_FOLD) >= 0)
		text_putf(&s->out, ", fold %lld", (long long)store_int(rows, U_FOLD));
	if (put_state(s, rows, f))
		return -1;
	put_value(s, rows);
	if (store_type(rows, U_STARTED) != STORE_NULL)
		text_putf(
		    &s->out, "ran        on %s (rank %lld) since %s, for %s\n", store_text(rows, U_HOST),
		    (long long)store_int(rows, U_RANK), cmd_time(a, store_real(rows, U_STARTED)),
		    store_type(rows, U_SECONDS) == STORE_NULL ? "now"
		                                              : cmd_duration(a, store_real(rows, U_SECONDS)));
	if (directory(s, rows))
		text_putf(&s->out, "directory  %s\n", directory(s, rows));
	return 0;
}

static void put_head_json(struct show *s, const struct store_rows *rows)
{
	struct report r;

	report_init(&r, &s->db.arena);
	for (uint32_t i = 0; i < U_PARAMS; i++) /* `attempts` is the list of them */
		report_column(&r, store_column_name(rows, i), NULL,
		              i == U_VALUE      ? REPORT_RIGHT
		              : i == U_ATTEMPTS ? REPORT_TABLE_ONLY
		                                : 0);
	report_column(&r, "directory", NULL, 0);
	report_column(&r, "params", NULL, 0);
	report_row(&r);
	for (uint32_t i = 0; i < U_PARAMS; i++)
		cmd_cell(&r, i, rows, i);
	report_text(&r, U_PARAMS, directory(s, rows));
	report_json(&r, U_PARAMS + 1, store_text(rows, U_PARAMS), NULL);
	text_put(&s->out, "{");
	report_put_fields(&r, &s->out);
}

int show_put_params(struct show *s, const char *json, struct fault *f)
{
	const char *binds[] = {json, NULL};
	struct store_rows *rows;
	char buf[TEXT_NUMBER];
	bool any = false;
	int got;

	if (store_select(s->db.store, "SELECT key, value FROM json_each(?1)", binds, &rows, f))
		return -1;
	for (; (got = store_next(rows, f)) > 0; any = true) {
		text_put(&s->out, any ? " " : "params     ");
		report_put_plain(&s->out, store_text(rows, 0));
		text_put(&s->out, "=");
		if (store_type(rows, 1) == STORE_REAL) {
			text_double(buf, store_real(rows, 1));
			text_put(&s->out, buf);
		} else {
			report_put_plain(&s->out, store_text(rows, 1));
		}
	}
	text_put(&s->out, any ? "\n" : "");
	store_rows_close(rows);
	return got;
}

static int put_found(struct show *s, const struct store_rows *rows, struct fault *f)
{
	s->phase = study_find_phase(s->db.study, store_text(rows, U_PHASE));
	if (!s->phase)
		return fault_set(f, FAULT_IO, "unit %s is of a phase `%s` that the study does not have",
		                 s->binds[0], store_text(rows, U_PHASE));
	s->trial = store_int(rows, U_TRIAL);
	s->state = cmd_keep(&s->db, rows, U_STATE);
	if (!s->json)
		return put_head(s, rows, f) || show_put_params(s, cmd_keep(&s->db, rows, U_PARAMS), f) ? -1
		                                                                                       : 0;
	put_head_json(s, rows);
	return 0;
}

static int put_unit_head(struct show *s, struct fault *f)
{
	struct store_rows *rows;
	int bad = 0, got;

	if (store_select(s->db.store, sql_unit, s->binds, &rows, f))
		return -1;
	got = store_next(rows, f);
	if (got == 0)
		bad = fault_set(f, FAULT_USAGE, "no unit %s in %s", s->binds[0], s->db.path);
	if (got > 0)
		bad = put_found(s, rows, f);
	store_rows_close(rows);
	return got < 0 || bad ? -1 : 0;
}

static int put_unit(struct show *s, struct fault *f)
{
	return put_unit_head(s, f) || put_files(s, f) || show_put_lineage(s, f) || show_put_attempts(s, f) ||
	               show_put_metrics(s, f) ||
	               put_relatives(s, "parents", "after (parents)", sql_parents, f) ||
	               put_relatives(s, "children", "before (children)", sql_children, f) ||
	               show_put_tail(s, f)
	           ? -1
	           : 0;
}

/* ---- the verb -------------------------------------------------------------------------------- */
/* trial=23: the only unit that matches, or the only trial. */
static int resolve(struct show *s, char *const *words, int n, struct fault *f)
{
	struct selector_sql where;
	struct store_rows *rows;
	int64_t units = 0, trials = 0;
	int got;

	if (cmd_select(&s->db, words, n, &where, f) ||
	    store_select(
	        s->db.store,
	        arena_printf(&s->db.arena,
	                     "SELECT count(*), count(DISTINCT trial), min(unit), min(trial) FROM units"
	                     " WHERE %s",
	                     where.where),
	        where.binds, &rows, f))
		return -1;
	got = store_next(rows, f);
	if (got > 0) {
		units = store_int(rows, 0);
		trials = store_int(rows, 1);
		s->unit = units == 1 ? store_int(rows, 2) : 0;
		s->trial = store_int(rows, 3);
	}
	store_rows_close(rows);
	if (got < 0)
		return -1;
	if (units == 0)
		return fault_set(f, FAULT_USAGE, "no unit in %s is like that", s->db.path);
	if (trials > 1)
		return fault_set(f, FAULT_USAGE,
		                 "%lld units of %lld trials are like that: show is for one (`ranksweep list`"
		                 " with the same words names them)",
		                 (long long)units, (long long)trials);
	return 0;
}

static int put_page(struct show *s, struct fault *f)
{
	s->binds[0] = arena_printf(&s->db.arena, "%lld", (long long)(s->unit ? s->unit : s->trial));
	if (s->unit ? put_unit(s, f) : show_put_trial(s, f))
		return -1;
	if (s->json)
		text_put(&s->out, "}\n");
	cmd_write(stdout, &s->out);
	return 0;
}

static int show(const char *db, int64_t unit, char *const *words, int n, bool json, struct fault *f)
{
	struct show s = {.unit = unit, .json = json, .style = cmd_style(stdout)};
	int bad;

	if (cmd_db_open(&s.db, db, f))
		return -1;
	bad = (n && resolve(&s, words, n, f)) || put_page(&s, f) ? -1 : 0;
	bytes_finish(&s.out);
	cmd_db_close(&s.db);
	return bad;
}

int cmd_show(int argc, char **argv)
{
	bool json = false;
	const struct cmd_option options[] = {
	    {"json", 0, CMD_FLAG, &json, NULL, "the same as one object"},
	    {0},
	};
	const struct cmd_usage usage = {
	    "show", "[DB] UNIT | [DB] SELECTOR... [--json]",
	    "One unit: its state and value, its parameters, the trials it comes from with theirs and why "
	    "each was\n"
	    "picked, every attempt with its command line and how it ended, its metrics, the units before "
	    "and\n"
	    "after it, and the end of its stderr. A SELECTOR (as for `list`) that fits one trial with "
	    "several\n"
	    "folds shows the trial.",
	    options,
	    "  ranksweep show digits.db 12\n  ranksweep show trial=36\n"
	    "  ranksweep show digits.db phase=retrain\n  ranksweep show 12 --json | jq .attempts"};
	struct fault f = {0};
	const char *db = NULL, *unit = NULL;
	int rc = cmd_parse(&usage, &argc, argv, &f), first = 0;
	int64_t n = 0;

	if (rc == 0 && argc > 0 && selector_like(argv[argc - 1]))
		first = selector_like(argv[0]) ? 0 : 1;
	else if (rc == 0)
		rc = cmd_db_and_unit(&usage, argc, argv, &db, &unit, &f);
	if (rc == 0 && unit)
		text_parse_int(unit, strlen(unit), &n);
	if (rc == 0 && !unit)
		db = first ? argv[0] : NULL;
	if (rc == 0)
		rc = show(db, n, argv + first, unit ? 0 : argc - first, json, &f);
	return rc < 0 ? cmd_print_fault(&f) : 0;
}
