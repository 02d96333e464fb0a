/* show: everything known about one unit. */
#include "cmd.h"

#include "text.h"

#include <math.h>
#include <string.h>

/* ?1 is the unit everywhere. */
static const char sql_unit[] =
    "SELECT units.unit, units.phase, units.trial, units.outer_fold, units.fold, units.state, units.reason,"
    " units.value, units.best_step, units.attempts, units.host, units.rank, units.started, units.finished,"
    " units.seconds, t.state, t.value, t.sd, t.folds_done, t.folds,"
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
	U_HOST,
	U_RANK,
	U_STARTED,
	U_FINISHED,
	U_SECONDS,
	U_TRIAL_STATE,
	U_TRIAL_VALUE,
	U_TRIAL_SD,
	U_FOLDS_DONE,
	U_FOLDS,
	U_PARAMS
};

/* The trials from this one up. */
static const char sql_lineage[] =
    "WITH RECURSIVE up(unit) AS (SELECT CAST(?1 AS INTEGER) UNION SELECT parent FROM edges, up"
    "  WHERE child = up.unit),"
    " above AS (SELECT DISTINCT trial FROM units WHERE unit IN (SELECT unit FROM up))"
    " SELECT t.trial, t.phase, t.outer_fold, t.state, t.value, t.sd, t.folds_done, t.folds FROM trials t "
    "WHERE t.trial IN (SELECT trial FROM above) ORDER BY t.trial DESC";

static const char sql_attempts[] =
    "SELECT attempt, state, reason, exit_code, signal, run, host, rank, pid, started, finished,"
    " round(finished - started, 3), user_seconds, system_seconds, max_rss_kb, command FROM attempts"
    " WHERE unit = CAST(?1 AS INTEGER) ORDER BY attempt";

static const char sql_metrics[] =
    "SELECT name, count(*), min(value), max(value),"
    " (SELECT m.step FROM metrics m WHERE m.unit = metrics.unit AND m.name = metrics.name"
    "  ORDER BY m.attempt DESC, m.seq DESC LIMIT 1),"
    " (SELECT m.value FROM metrics m WHERE m.unit = metrics.unit AND m.name = metrics.name"
    "  ORDER BY m.attempt DESC, m.seq DESC LIMIT 1)"
    " FROM metrics WHERE unit = CAST(?1 AS INTEGER) GROUP BY name ORDER BY min(seq)";

static const char sql_parents[] =
    "SELECT u.unit, u.phase, u.trial, u.fold, u.state FROM edges e JOIN units u ON u.unit = e.parent"
    " WHERE e.child = CAST(?1 AS INTEGER) ORDER BY 1";
static const char sql_children[] =
    "SELECT u.unit, u.phase, u.trial, u.fold, u.state FROM edges e JOIN units u ON u.unit = e.child"
    " WHERE e.parent = CAST(?1 AS INTEGER) ORDER BY 1";

static const char sql_tail[] =
    "SELECT tail FROM attempts WHERE unit = CAST(?1 AS INTEGER) AND tail IS NOT NULL"
    " ORDER BY attempt DESC LIMIT 1";

static const char sql_outputs[] =
    "SELECT DISTINCT run, rank FROM outputs WHERE unit = CAST(?1 AS INTEGER) ORDER BY run, rank";

struct show {
	struct cmd_db db;
	const char *binds[2];
	struct bytes out;
	struct report_style style;
	const struct study_phase *phase;
	bool json;
};

/* ---- tables ---------------------------------------------------------------------------------- */
struct column {
	const char *key, *title;
	unsigned flags;
};

/* A whole question as a report: columns by position; a column with REPORT_JSON_ONLY | REPORT_TABLE_ONLY is
 * read by the caller's eye only. */
static int fill(struct show *s, const char *sql, const struct column *columns, uint32_t n, struct report *r,
                struct fault *f)
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

/* A titled table, or a member of the object. */
static void put(struct show *s, const char *key, const char *title, struct report *r)
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

static int put_query(struct show *s, const char *key, const char *title, const char *sql,
                     const struct column *columns, uint32_t n, struct fault *f)
{
	struct report r;

	if (fill(s, sql, columns, n, &r, f))
		return -1;
	put(s, key, title, &r);
	return 0;
}

#define COUNT(a) ((uint32_t)(sizeof(a) / sizeof *(a)))

static int put_relatives(struct show *s, const char *key, const char *title, const char *sql, struct fault *f)
{
	static const struct column columns[] = {{"unit", NULL, REPORT_RIGHT},
	                                        {"phase", NULL, 0},
	                                        {"trial", NULL, REPORT_RIGHT},
	                                        {"fold", NULL, REPORT_RIGHT},
	                                        {"state", NULL, REPORT_STATE}};

	return put_query(s, key, title, sql, columns, COUNT(columns), f);
}

static int put_metrics(struct show *s, struct fault *f)
{
	static const struct column columns[] = {
	    {"metric", NULL, 0},
	    {"n", NULL, REPORT_RIGHT},
	    {"min", NULL, REPORT_RIGHT},
	    {"max", NULL, REPORT_RIGHT},
	    {"step", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY},
	    {"last", NULL, REPORT_RIGHT},
	};

	return put_query(s, "metrics", "metrics", sql_metrics, columns, COUNT(columns), f);
}

/* ---- lineage --------------------------------------------------------------------------------- */
static int put_lineage(struct show *s, struct fault *f)
{
	static const struct column columns[] = {
	    {"trial", NULL, REPORT_RIGHT},         {"phase", NULL, 0},
	    {"outer_fold", "outer", REPORT_RIGHT}, {"state", NULL, REPORT_STATE},
	    {"value", NULL, REPORT_RIGHT},         {"sd", NULL, REPORT_RIGHT},
	    {"folds_done", "n", REPORT_RIGHT},     {"folds", "of", REPORT_RIGHT},
	    {"params", "own parameters", 0},
	};
	enum { PARAMS = 8 };
	struct cmd_params params = {"{}", ""};
	const struct study_phase *p;
	struct store_rows *rows;
	struct report r;
	int got;

	report_init(&r, &s->db.arena);
	for (uint32_t i = 0; i < COUNT(columns); i++)
		report_column(&r, columns[i].key, columns[i].title,
		              columns[i].flags |
		                  (i == 2 && !s->db.study->folds.outer ? REPORT_JSON_ONLY : 0));
	if (store_select(s->db.store, sql_lineage, s->binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		report_row(&r);
		for (uint32_t i = 0; i < PARAMS; i++)
			cmd_cell(&r, i, rows, i);
		p = study_find_phase(s->db.study, store_text(rows, 1));
		if (p && cmd_own_params(&s->db, p, cmd_keep(&s->db, rows, 0), &params, f)) {
			got = -1;
			break;
		}
		report_json(&r, PARAMS, params.json, params.text);
	}
	store_rows_close(rows);
	put(s, "lineage", "lineage: this trial and those it comes after", &r);
	return got;
}

/* ---- attempts -------------------------------------------------------------------------------- */
static int put_attempts(struct show *s, struct fault *f)
{
	static const struct column columns[] = {
	    {"attempt", NULL, REPORT_RIGHT},
	    {"state", NULL, REPORT_STATE},
	    {"reason", NULL, REPORT_HIDE_EMPTY},
	    {"exit_code", "exit", REPORT_RIGHT | REPORT_HIDE_EMPTY},
	    {"signal", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY},
	    {"run", NULL, REPORT_RIGHT},
	    {"host", NULL, 0},
	    {"rank", NULL, REPORT_RIGHT},
	    {"pid", NULL, REPORT_RIGHT},
	    {"started", NULL, REPORT_JSON_ONLY},
	    {"finished", NULL, REPORT_JSON_ONLY},
	    {"seconds", NULL, REPORT_RIGHT},
	    {"user_seconds", "user s", REPORT_RIGHT | REPORT_HIDE_EMPTY},
	    {"system_seconds", "sys s", REPORT_RIGHT | REPORT_HIDE_EMPTY},
	    {"max_rss_kb", "rss kB", REPORT_RIGHT | REPORT_HIDE_EMPTY},
	    {"command", NULL, REPORT_JSON_ONLY},
	};
	enum { ATTEMPT = 0, STARTED = 9, COMMAND = 15 };
	struct store_rows *rows;
	struct report r;
	uint32_t at;
	int got;

	/* a line of its own for what is too long for a table: the command, and when it was */
	if (fill(s, sql_attempts, columns, COUNT(columns), &r, f))
		return -1;
	at = r.nrows;
	put(s, "attempts", "attempts", &r);
	if (s->json || !at)
		return 0;
	if (store_select(s->db.store, sql_attempts, s->binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		text_putf(&s->out, "%lld: started %s: ", (long long)store_int(rows, ATTEMPT),
		          cmd_time(&s->db.arena, store_real(rows, STARTED)));
		report_put_plain(&s->out, store_text(rows, COMMAND));
		text_put(&s->out, "\n");
	}
	store_rows_close(rows);
	return got;
}

/* ---- output ---------------------------------------------------------------------------------- */
static void put_lines(struct show *s, const char *p, size_t n)
{
	text_put(&s->out, "\nthe end of its stderr (or stdout)\n");
	while (n) {
		const char *nl = memchr(p, '\n', n);
		size_t len = nl ? (size_t)(nl - p) : n;

		text_put(&s->out, "  | ");
		report_put_plain(&s->out, arena_strndup(&s->db.arena, p, len));
		text_put(&s->out, "\n");
		p += len + (nl != NULL);
		n -= len + (nl != NULL);
	}
}

static int put_tail(struct show *s, struct fault *f)
{
	struct store_rows *rows;
	int got;

	if (store_select(s->db.store, sql_tail, s->binds, &rows, f))
		return -1;
	got = store_next(rows, f);
	if (got >= 0) {
		size_t n = 0;
		const char *p = got > 0 ? store_blob(rows, 0, &n) : "";

		if (s->json) {
			report_key(&s->out, "tail");
			text_put_json(&s->out, n ? p : "", n);
		} else if (n) {
			put_lines(s, p, n);
		}
	}
	store_rows_close(rows);
	return got < 0 ? -1 : 0;
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
	const char *dir = arena_printf(&s->db.arena, "%s/dir/%s/t%lld", s->db.out_dir, s->phase->name,
	                               (long long)store_int(rows, U_TRIAL));

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

static void put_head(struct show *s, const struct store_rows *rows)
{
	const char *state = store_text(rows, U_STATE),
	           *colour = s->style.colour ? report_state_colour(state) : "";
	struct arena *a = &s->db.arena;

	text_putf(&s->out, "unit %lld: phase %s, trial %lld", (long long)store_int(rows, U_UNIT),
	          s->phase->name, (long long)store_int(rows, U_TRIAL));
	if (store_int(rows, U_OUTER) >= 0)
		text_putf(&s->out, ", outer fold %lld", (long long)store_int(rows, U_OUTER));
	if (store_int(rows, U_FOLD) >= 0)
		text_putf(&s->out, ", fold %lld", (long long)store_int(rows, U_FOLD));
	text_putf(&s->out, "\n\nstate      %s%s%s", colour, state, *colour ? "\033[0m" : "");
	if (*store_text(rows, U_REASON))
		text_putf(&s->out, " (%s)", store_text(rows, U_REASON));
	text_putf(&s->out, ", %lld attempt%s\n", (long long)store_int(rows, U_ATTEMPTS),
	          store_int(rows, U_ATTEMPTS) == 1 ? "" : "s");
	if (s->phase->metric && store_type(rows, U_VALUE) != STORE_NULL) {
		text_putf(&s->out, "value      %s", s->phase->metric);
		put_pair_number(s, " = ", store_real(rows, U_VALUE));
		if (store_type(rows, U_BEST_STEP) != STORE_NULL)
			put_pair_number(s, ", best at step ", store_real(rows, U_BEST_STEP));
		text_put(&s->out, "\n");
	}
	if (store_type(rows, U_STARTED) != STORE_NULL)
		text_putf(
		    &s->out, "ran        on %s (rank %lld) since %s, for %s\n", store_text(rows, U_HOST),
		    (long long)store_int(rows, U_RANK), cmd_time(a, store_real(rows, U_STARTED)),
		    store_type(rows, U_SECONDS) == STORE_NULL ? "now"
		                                              : cmd_duration(a, store_real(rows, U_SECONDS)));
	if (directory(s, rows))
		text_putf(&s->out, "directory  %s\n", directory(s, rows));
}

static void put_head_json(struct show *s, const struct store_rows *rows)
{
	struct report r;

	report_init(&r, &s->db.arena);
	for (uint32_t i = 0; i < U_TRIAL_STATE; i++)
		report_column(&r, store_column_name(rows, i), NULL, i == U_VALUE ? REPORT_RIGHT : 0);
	report_column(&r, "directory", NULL, 0);
	report_column(&r, "params", NULL, 0);
	report_row(&r);
	for (uint32_t i = 0; i < U_TRIAL_STATE; i++)
		cmd_cell(&r, i, rows, i);
	report_text(&r, U_TRIAL_STATE, directory(s, rows));
	report_json(&r, U_TRIAL_STATE + 1, store_text(rows, U_PARAMS), NULL);
	report_put_json(&r, &s->out);
	/* "[\n{...}" becomes an open object */
	bytes_drop_front(&s->out, 2);
	s->out.len--;
}

static int put_params(struct show *s, const char *json, struct fault *f)
{
	const char *binds[] = {json, NULL};
	struct store_rows *rows;
	char buf[TEXT_NUMBER];
	int got;

	if (store_select(s->db.store, "SELECT key, value FROM json_each(?1)", binds, &rows, f))
		return -1;
	text_put(&s->out, "params    ");
	while ((got = store_next(rows, f)) > 0) {
		text_put(&s->out, " ");
		report_put_plain(&s->out, store_text(rows, 0));
		text_put(&s->out, "=");
		if (store_type(rows, 1) == STORE_REAL) {
			text_double(buf, store_real(rows, 1));
			text_put(&s->out, buf);
		} else {
			report_put_plain(&s->out, store_text(rows, 1));
		}
	}
	text_put(&s->out, "\n");
	store_rows_close(rows);
	return got;
}

static int put_unit(struct show *s, struct fault *f)
{
	struct store_rows *rows;
	int bad = 0, got;

	if (store_select(s->db.store, sql_unit, s->binds, &rows, f))
		return -1;
	got = store_next(rows, f);
	if (got == 0)
		bad = fault_set(f, FAULT_USAGE, "no unit %s in %s", s->binds[0], s->db.path);
	if (got > 0) {
		s->phase = study_find_phase(s->db.study, store_text(rows, U_PHASE));
		if (!s->phase)
			bad =
			    fault_set(f, FAULT_IO, "unit %s is of a phase `%s` that the study does not have",
			              s->binds[0], store_text(rows, U_PHASE));
		else if (s->json)
			put_head_json(s, rows);
		else
			put_head(s, rows);
		if (!bad && !s->json)
			bad = put_params(s, cmd_keep(&s->db, rows, U_PARAMS), f);
	}
	store_rows_close(rows);
	return got < 0 || bad ? -1 : 0;
}

static int put_all(struct show *s, struct fault *f)
{
	if (put_unit(s, f) || put_files(s, f) || put_lineage(s, f) || put_attempts(s, f) ||
	    put_metrics(s, f) || put_relatives(s, "parents", "after (parents)", sql_parents, f) ||
	    put_relatives(s, "children", "before (children)", sql_children, f) || put_tail(s, f))
		return -1;
	if (s->json)
		text_put(&s->out, "}\n");
	cmd_write(stdout, &s->out);
	return 0;
}

static int show(const char *word, const char *unit, bool json, struct fault *f)
{
	struct show s = {.binds = {unit, NULL}, .json = json, .style = cmd_style(stdout)};
	int bad;

	if (cmd_db_open(&s.db, word, f))
		return -1;
	bad = put_all(&s, f);
	bytes_finish(&s.out);
	cmd_db_close(&s.db);
	return bad;
}

int cmd_show(int argc, char **argv)
{
	bool json = false;
	const char *db = NULL, *unit = NULL;
	const struct cmd_option options[] = {
	    {"json", 0, CMD_FLAG, &json, NULL, "the same as one object"},
	    {0},
	};
	const struct cmd_usage usage = {
	    "show", "[DB] UNIT [--json]",
	    "One unit: its state and value, its parameters, the trials it comes from with theirs, every "
	    "attempt\n"
	    "with its command line, its metrics, the units before and after it, and the end of its stderr.",
	    options, "  ranksweep show digits.db 12\n  ranksweep show 12 --json | jq .attempts"};
	struct fault f = {0};
	int rc = cmd_parse(&usage, &argc, argv, &f);

	if (rc == 0)
		rc = cmd_db_and_unit(&usage, argc, argv, &db, &unit, &f);
	if (rc == 0)
		rc = show(db, unit, json, &f);
	return rc < 0 ? cmd_print_fault(&f) : 0;
}
