/* show, executions: each attempt of a unit and how it ended, what it reported, what it said last. */
#include "show.h"

#include "ending.h"
#include "text.h"

#include <math.h>
#include <string.h>

enum { TAIL_LINES = 20 };

static const char sql_attempts[] =
    "SELECT attempt, state, nullif(archived, 0), reason, exit_code, signal, NULL, run, host, rank, pid, "
    "started, finished,"
    " round(finished - started, 3), user_seconds, system_seconds, max_rss_kb, command, tail,"
    " max(attempt) OVER () FROM attempts WHERE unit = CAST(?1 AS INTEGER) ORDER BY attempt";
enum {
	A_ATTEMPT,
	A_STATE,
	A_ARCHIVED,
	A_REASON,
	A_EXIT_CODE,
	A_SIGNAL,
	A_SIGNAL_NAME,
	A_RUN,
	A_HOST,
	A_RANK,
	A_PID,
	A_STARTED,
	A_FINISHED,
	A_SECONDS,
	A_USER,
	A_SYSTEM,
	A_RSS,
	A_COMMAND,
	A_TAIL,
	A_LAST
};

/* Of a step that several attempts reported the latest counts, and of what has no step the latest attempt's.
 * What is no finite number is counted by itself: it has no place among least and largest. */
static const char sql_metrics[] =
    "WITH kept AS (SELECT name, step, value, attempt, seq,"
    "   row_number() OVER (PARTITION BY name, step ORDER BY attempt DESC, seq DESC) AS newest,"
    "   max(CASE WHEN step IS NULL THEN attempt END) OVER (PARTITION BY name) AS stepless,"
    "   typeof(value) <> 'text' AND abs(value) <= 1.7976931348623157e308 AS finite"
    "  FROM metrics WHERE unit = CAST(?1 AS INTEGER))"
    " SELECT name, count(*), nullif(sum(NOT finite), 0), min(CASE WHEN finite THEN value END),"
    "  max(CASE WHEN finite THEN value END),"
    "  (SELECT m.step FROM metrics m WHERE m.unit = CAST(?1 AS INTEGER) AND m.name = kept.name"
    "   ORDER BY m.attempt DESC, m.seq DESC LIMIT 1),"
    "  (SELECT m.value FROM metrics m WHERE m.unit = CAST(?1 AS INTEGER) AND m.name = kept.name"
    "   ORDER BY m.attempt DESC, m.seq DESC LIMIT 1)"
    " FROM kept WHERE CASE WHEN step IS NULL THEN attempt = stepless ELSE newest = 1 END"
    " GROUP BY name ORDER BY min(seq), name";

static const char sql_tail[] =
    "SELECT tail, attempt FROM attempts WHERE unit = CAST(?1 AS INTEGER) AND length(tail) > 0"
    " ORDER BY attempt DESC LIMIT 1";

/* ---- how it ended ---------------------------------------------------------------------------- */
/* What the endings of no_metric and bad_metric speak of. */
static int read_reported(struct show *s, int64_t attempt, const char *metric, struct ending *e,
                         struct fault *f)
{
	const char *binds[] = {s->binds[0], metric, NULL};
	struct store_rows *rows;
	int got;

	if (store_select(
	        s->db.store,
	        arena_printf(
	            &s->db.arena,
	            "SELECT (SELECT value FROM metrics WHERE unit = CAST(?1 AS INTEGER) AND name = ?2"
	            "   AND attempt <= %lld ORDER BY attempt DESC, seq DESC LIMIT 1),"
	            "  (SELECT group_concat(name, ', ') FROM (SELECT DISTINCT name FROM metrics"
	            "   WHERE unit = CAST(?1 AS INTEGER) AND name <> ?2 AND attempt <= %lld LIMIT 8))",
	            (long long)attempt, (long long)attempt),
	        binds, &rows, f))
		return -1;
	got = store_next(rows, f);
	e->metric = metric;
	if (got > 0) {
		e->has_value = store_type(rows, 0) != STORE_NULL;
		e->value = store_real(rows, 0);
		e->others = cmd_keep(&s->db, rows, 1);
	}
	store_rows_close(rows);
	return got < 0 ? -1 : 0;
}

/* Of several metrics, the first one that is to blame. */
static int find_culprit(struct show *s, int64_t attempt, struct ending *e, struct fault *f)
{
	const struct study_phase *p = s->phase;

	for (uint32_t i = 0; p->metric && i <= p->nmore; i++) {
		const char *metric = study_objective(p, i).metric;

		if (read_reported(s, attempt, metric, e, f))
			return -1;
		if (!e->has_value ? strcmp(metric, "seconds") != 0 : !isfinite(e->value))
			break;
	}
	return 0;
}

static int read_ending(struct show *s, const struct store_rows *rows, struct ending *e, struct fault *f)
{
	bool last = store_int(rows, A_ATTEMPT) == store_int(rows, A_LAST);
	bool exited = store_type(rows, A_EXIT_CODE) != STORE_NULL;
	int64_t code = exited ? store_int(rows, A_EXIT_CODE) : -1, signal = store_int(rows, A_SIGNAL);
	size_t n;
	const void *tail = store_blob(rows, A_TAIL, &n);

	*e = (struct ending){.reason = cmd_keep(&s->db, rows, A_REASON),
	                     .gave_up = last && !strcmp(s->state, "failed"),
	                     .phase = s->phase,
	                     .exit_code = code,
	                     .signal = signal,
	                     .signal_name = cmd_signal_name(&s->db.arena, signal       ? signal
	                                                                  : code > 128 ? code - 128
	                                                                               : 0),
	                     .max_rss_kb = store_int(rows, A_RSS),
	                     .host = cmd_keep(&s->db, rows, A_HOST),
	                     .rank = store_int(rows, A_RANK),
	                     .tail = n ? arena_strndup(&s->db.arena, tail, n) : NULL,
	                     .tail_bytes = n};
	if (!e->reason || (strcmp(e->reason, "no_metric") != 0 && strcmp(e->reason, "bad_metric") != 0))
		return 0;
	return find_culprit(s, store_int(rows, A_ATTEMPT), e, f);
}

static const char *ending_text(struct show *s, const struct ending *e)
{
	struct bytes b = {0};
	const char *text;

	ending_put(&b, e);
	text = cmd_keep_bytes(&s->db.arena, &b);
	return *text ? text : NULL;
}

/* ---- attempts -------------------------------------------------------------------------------- */
static const struct show_column attempt_columns[] = {
    {"attempt", NULL, REPORT_RIGHT},
    {"state", NULL, REPORT_STATE},
    {"archived", NULL, REPORT_HIDE_EMPTY}, /* 1: from before a reset */
    {"reason", NULL, REPORT_HIDE_EMPTY},
    {"exit_code", "exit", REPORT_RIGHT | REPORT_HIDE_EMPTY},
    {"signal", NULL, REPORT_RIGHT | REPORT_JSON_ONLY},
    {"signal_name", "signal", REPORT_HIDE_EMPTY},
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

struct attempts {
	struct report r;
	struct bytes lines;
	uint32_t why, tail;
};

/* What is too long for a table: when it was, the command, and how it ended. */
static void put_lines(struct show *s, struct attempts *t, const struct store_rows *rows, const char *why)
{
	text_putf(&t->lines, "%lld: started %s: ", (long long)store_int(rows, A_ATTEMPT),
	          cmd_time(&s->db.arena, store_real(rows, A_STARTED)));
	report_put_plain(&t->lines, store_text(rows, A_COMMAND));
	text_put(&t->lines, "\n");
	if (!why)
		return;
	text_putf(&t->lines, "   %s: ", store_text(rows, A_REASON));
	report_put_plain(&t->lines, why);
	text_put(&t->lines, "\n");
}

static int add_attempt(struct show *s, struct attempts *t, const struct store_rows *rows, struct fault *f)
{
	struct bytes tail = {0};
	struct ending e;
	const char *why;

	if (read_ending(s, rows, &e, f))
		return -1;
	why = ending_text(s, &e);
	report_row(&t->r);
	for (uint32_t i = 0; i < A_TAIL; i++)
		cmd_cell(&t->r, i, rows, i);
	if (e.signal)
		report_text(&t->r, A_SIGNAL_NAME,
		            e.signal_name ? e.signal_name
		                          : arena_printf(&s->db.arena, "%lld", (long long)e.signal));
	report_text(&t->r, t->why, why);
	text_put_json(&tail, e.tail ? e.tail : "", e.tail_bytes);
	report_json(&t->r, t->tail, cmd_keep_bytes(&s->db.arena, &tail), NULL);
	put_lines(s, t, rows, why);
	return 0;
}

int show_put_attempts(struct show *s, struct fault *f)
{
	struct attempts t = {0};
	struct store_rows *rows;
	int got;

	report_init(&t.r, &s->db.arena);
	for (uint32_t i = 0; i < SHOW_COUNT(attempt_columns); i++) {
		const struct show_column *c = &attempt_columns[i];

		report_column(&t.r, c->key, c->title, c->flags);
	}
	t.why = report_column(&t.r, "why", NULL, REPORT_JSON_ONLY);
	t.tail = report_column(&t.r, "tail", NULL, REPORT_JSON_ONLY);
	if (store_select(s->db.store, sql_attempts, s->binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0)
		if (add_attempt(s, &t, rows, f)) {
			got = -1;
			break;
		}
	store_rows_close(rows);
	show_put(s, "attempts", "attempts", &t.r);
	if (!s->json)
		bytes_put(&s->out, t.lines.data, t.lines.len);
	bytes_finish(&t.lines);
	return got;
}

/* ---- metrics --------------------------------------------------------------------------------- */
int show_put_metrics(struct show *s, struct fault *f)
{
	static const struct show_column columns[] = {
	    {"metric", NULL, 0},
	    {"n", NULL, REPORT_RIGHT},
	    {"not_finite", "nan/inf", REPORT_RIGHT | REPORT_HIDE_EMPTY},
	    {"min", NULL, REPORT_RIGHT},
	    {"max", NULL, REPORT_RIGHT},
	    {"step", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY},
	    {"last", NULL, REPORT_RIGHT},
	};

	return show_put_query(s, "metrics", "metrics", sql_metrics, columns, SHOW_COUNT(columns), f);
}

/* ---- the end of its output ------------------------------------------------------------------- */
/* Where the last lines begin. */
static const char *last_lines(const char *p, size_t n)
{
	size_t i = n && p[n - 1] == '\n' ? n - 1 : n;
	uint32_t lines = 0;

	while (i > 0 && (p[i - 1] != '\n' || ++lines < TAIL_LINES))
		i--;
	return p + i;
}

static void put_text(struct show *s, const char *all, size_t bytes, int64_t attempt)
{
	const char *p = last_lines(all, bytes);
	size_t n = bytes - (size_t)(p - all);

	text_putf(&s->out, "\nthe end of its stderr (or stdout), attempt %lld\n", (long long)attempt);
	if (p != all)
		text_putf(&s->out, "  ... all of it: ranksweep log %s %lld\n", s->db.path,
		          (long long)s->unit);
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

int show_put_tail(struct show *s, struct fault *f)
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
			put_text(s, p, n, store_int(rows, 1));
		}
	}
	store_rows_close(rows);
	return got < 0 ? -1 : 0;
}
