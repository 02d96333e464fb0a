/* status: where a study stands. Planned units are those of trials that will come but do not exist yet. */
#include "cmd.h"

#include "host.h"
#include "sched.h"
#include "text.h"

#include <math.h>
#include <string.h>

struct count {
	int64_t by_state[UNIT_STATE_COUNT];
	int64_t stored;
	uint64_t planned;
	bool at_most;
	int64_t priors; /* observations imported */
	double seconds; /* of one unit that is done, mean; NaN when there is none */
};

struct run {
	int64_t run, ranks, pid; /* run 0: there was none */
	const char *host, *end;
	double started, last_seen, finished; /* finished NaN: not noted */
	bool live;
	int64_t done;  /* units it has done */
	double work_s; /* core-seconds they took */
};

struct status {
	struct cmd_db *db;
	struct count *phases, all;
	struct run run;
	double now;
	double per_minute, eta_s; /* NaN: not known */
	const char *no_eta;       /* a phase nothing is known of yet */
};

/* ---- counting -------------------------------------------------------------------------------- */
static int state_index(const char *text)
{
	for (int i = 0; i < UNIT_STATE_COUNT; i++)
		if (!strcmp(unit_state_text((enum unit_state)i), text))
			return i;
	return -1;
}

static void add_count(struct status *s, const struct store_rows *rows)
{
	const struct study_phase *p = study_find_phase(s->db->study, store_text(rows, 0));
	int state = state_index(store_text(rows, 1));
	struct count *c;

	if (!p || state < 0)
		return;
	c = &s->phases[p->index];
	c->by_state[state] += store_int(rows, 2);
	c->stored += store_int(rows, 2);
	s->all.by_state[state] += store_int(rows, 2);
	s->all.stored += store_int(rows, 2);
	if (state == UNIT_DONE)
		c->seconds = store_real(rows, 3);
}

static int count_units(struct status *s, struct fault *f)
{
	struct store_rows *rows;
	int got;

	if (store_select(s->db->store,
	                 "SELECT phase, state, count(*), avg(seconds) FROM units GROUP BY phase, state", NULL,
	                 &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0)
		add_count(s, rows);
	store_rows_close(rows);
	return got;
}

static bool is_final(int state)
{
	return state == UNIT_DONE || state == UNIT_FAILED || state == UNIT_BLOCKED || state == UNIT_PRUNED ||
	       state == UNIT_CANCELLED;
}

static int64_t open_units(const struct count *c)
{
	int64_t n = 0;

	for (int i = 0; i < UNIT_STATE_COUNT; i++)
		n += is_final(i) ? 0 : c->by_state[i];
	return n;
}

/* A run that came to its end with nothing left open has made all trials there will be: a grid that conditions
 * thin out, or a pick without candidates, leaves the plan larger than what came. */
static bool complete(const struct status *s)
{
	return s->run.run && !s->run.live && s->run.end && !strncmp(s->run.end, "done", 4) &&
	       open_units(&s->all) == 0;
}

static void count_planned(struct status *s)
{
	const struct study *study = s->db->study;
	const struct extent *x = extent_of(&s->db->arena, study);

	for (uint32_t i = 0; i < study->nphases && !complete(s); i++) {
		uint64_t stored = (uint64_t)s->phases[i].stored;

		s->phases[i].planned = x[i].units > stored ? x[i].units - stored : 0;
		s->phases[i].at_most = x[i].at_most && s->phases[i].planned > 0;
		s->all.planned += s->phases[i].planned;
		s->all.at_most |= s->phases[i].at_most;
	}
}

/* ---- the run --------------------------------------------------------------------------------- */
static int read_run(struct status *s, struct fault *f)
{
	struct store_rows *rows;
	struct run *r = &s->run;
	int got = cmd_query(s->db, &rows, f,
	                    "SELECT run, started, last_seen, finished, ranks, host, end, pid FROM runs"
	                    " ORDER BY run DESC LIMIT 1");

	if (got <= 0)
		return got;
	*r = (struct run){.run = store_int(rows, 0),
	                  .started = store_real(rows, 1),
	                  .last_seen = store_real(rows, 2),
	                  .finished = store_real(rows, 3),
	                  .ranks = store_int(rows, 4),
	                  .host = cmd_keep(s->db, rows, 5),
	                  .end = cmd_keep(s->db, rows, 6),
	                  .pid = store_int(rows, 7)};
	store_rows_close(rows);
	r->live = isnan(r->finished) && cmd_run_alive(r->host, r->pid, r->last_seen);
	return 0;
}

static int read_work(struct status *s, struct fault *f)
{
	struct store_rows *rows;
	const char *sql = arena_printf(&s->db->arena,
	                               "SELECT u.phase, count(*), sum(a.finished - a.started) FROM attempts a"
	                               " JOIN units u ON u.unit = a.unit"
	                               " WHERE a.run = %lld AND a.state = 'done' GROUP BY u.phase",
	                               (long long)s->run.run);
	int got;

	if (!s->run.run)
		return 0;
	if (store_select(s->db->store, sql, NULL, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		const struct study_phase *p = study_find_phase(s->db->study, store_text(rows, 0));

		s->run.done += store_int(rows, 1);
		if (p && store_type(rows, 2) != STORE_NULL)
			s->run.work_s += store_real(rows, 2) * p->limits.cpus;
	}
	store_rows_close(rows);
	return got;
}

/* Core-seconds left over core-seconds done in a second of this run. */
static void estimate(struct status *s)
{
	const struct study *study = s->db->study;
	double elapsed = (s->run.live ? s->now : s->run.last_seen) - s->run.started, left = 0;

	s->per_minute = s->eta_s = NAN;
	if (!s->run.run || !(elapsed > 0))
		return;
	s->per_minute = (double)s->run.done / elapsed * 60;
	for (uint32_t i = 0; i < study->nphases; i++) {
		const struct count *c = &s->phases[i];
		double units = (double)open_units(c) + (double)c->planned;

		if (units > 0 && isnan(c->seconds) && !s->no_eta)
			s->no_eta = study->phases[i].name;
		if (units > 0)
			left += units * c->seconds * study->phases[i].limits.cpus;
	}
	if (s->run.live && s->run.work_s > 0 && !s->no_eta)
		s->eta_s = left / (s->run.work_s / elapsed);
}

static int read_status(struct status *s, struct fault *f)
{
	s->now = (double)host_epoch_ms() / 1000;
	s->phases = arena_array(&s->db->arena, s->db->study->nphases, sizeof *s->phases);
	for (uint32_t i = 0; i < s->db->study->nphases; i++)
		s->phases[i].seconds = NAN;
	for (uint32_t i = 0; i < s->db->study->nphases; i++)
		if (cmd_count_priors(s->db, s->db->study->phases[i].name, &s->phases[i].priors, f))
			return -1;
	if (count_units(s, f) || read_run(s, f) || read_work(s, f))
		return -1;
	count_planned(s);
	estimate(s);
	return 0;
}

/* ---- as text --------------------------------------------------------------------------------- */
static void put_run(const struct status *s, struct bytes *b)
{
	const struct run *r = &s->run;
	struct arena *a = &s->db->arena;

	text_putf(b, "study %s (%s)\n", s->db->study->name, s->db->path);
	if (!r->run) {
		text_put(b, "no run yet\n");
		return;
	}
	text_putf(b, "run %lld on %s, %lld rank%s, since %s: ", (long long)r->run, r->host ? r->host : "?",
	          (long long)r->ranks, r->ranks == 1 ? "" : "s", cmd_time(a, r->started));
	if (r->live)
		text_putf(b, "going on for %s\n", cmd_duration(a, s->now - r->started));
	else if (isfinite(r->finished))
		text_putf(b, "%s after %s\n", r->end && *r->end ? r->end : "ended",
		          cmd_duration(a, r->finished - r->started));
	else
		text_putf(b, "not heard of since %s: lost? the same `ranksweep run` goes on\n",
		          cmd_time(a, r->last_seen));
}

static void count_row(struct status *s, struct report *r, const char *name, const struct count *c,
                      uint32_t first)
{
	struct arena *a = &s->db->arena;

	report_row(r);
	report_text(r, 0, name);
	for (uint32_t i = 0; i < UNIT_STATE_COUNT; i++)
		if (c->by_state[i] || i == UNIT_DONE)
			report_int(r, first + i, c->by_state[i]);
	if (c->planned)
		report_text(
		    r, first + UNIT_STATE_COUNT,
		    arena_printf(a, "%s%llu", c->at_most ? "<=" : "", (unsigned long long)c->planned));
	report_text(r, first + UNIT_STATE_COUNT + 1,
	            arena_printf(a, "%s%llu", c->at_most ? "<=" : "",
	                         (unsigned long long)c->stored + (unsigned long long)c->planned));
	if (isfinite(c->seconds))
		report_text(r, first + UNIT_STATE_COUNT + 2, cmd_duration(a, c->seconds));
}

static void put_counts(struct status *s, struct bytes *b)
{
	struct report r;
	struct report_style style = cmd_style(stdout);
	uint32_t first;

	report_init(&r, &s->db->arena);
	first = report_column(&r, "phase", NULL, 0) + 1;
	for (int i = 0; i < UNIT_STATE_COUNT; i++)
		report_column(&r, unit_state_text((enum unit_state)i), NULL,
		              REPORT_RIGHT | (i == UNIT_DONE ? 0 : REPORT_HIDE_EMPTY));
	report_column(&r, "planned", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY);
	report_column(&r, "units", NULL, REPORT_RIGHT);
	report_column(&r, "mean time", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY);
	for (uint32_t i = 0; i < s->db->study->nphases; i++)
		count_row(s, &r, s->db->study->phases[i].name, &s->phases[i], first);
	s->all.seconds = NAN;
	count_row(s, &r, "all", &s->all, first);
	report_put_table(&r, &style, b);
}

static void put_estimate(const struct status *s, struct bytes *b)
{
	struct arena *a = &s->db->arena;
	char rate[TEXT_NUMBER];

	if (!s->run.live)
		return;
	report_short_number(rate, s->per_minute, 3);
	text_putf(b, "%s units a minute", rate);
	if (isfinite(s->eta_s))
		text_putf(b, "; about %s left, until %s", cmd_duration(a, s->eta_s),
		          cmd_time(a, s->now + s->eta_s));
	else if (s->no_eta)
		text_putf(b, "; no estimate of the end before a unit of %s is done", s->no_eta);
	text_put(b, "\n");
}

static void put_priors(const struct status *s, struct bytes *b)
{
	for (uint32_t i = 0; i < s->db->study->nphases; i++)
		if (s->phases[i].priors)
			text_putf(b, "%s: %lld prior observation%s imported\n", s->db->study->phases[i].name,
			          (long long)s->phases[i].priors, s->phases[i].priors == 1 ? "" : "s");
}

static int put_text(struct status *s, struct fault *f)
{
	struct bytes b = {0};
	size_t before;
	int bad;

	put_run(s, &b);
	text_put(&b, "\n");
	put_counts(s, &b);
	text_put(&b, "\n");
	before = b.len;
	put_estimate(s, &b);
	put_priors(s, &b);
	bad = cmd_put_failures(s->db, &b, f);
	if (b.len == before)
		b.len--; /* no blank line at the end */
	cmd_write(stdout, &b);
	bytes_finish(&b);
	return bad;
}

/* ---- as JSON --------------------------------------------------------------------------------- */
static void put_run_json(const struct run *r, struct bytes *b)
{
	report_key(b, "run");
	if (!r->run) {
		text_put(b, "null");
		return;
	}
	text_put(b, "{");
	cmd_put_int(b, "run", r->run);
	cmd_put_string(b, "host", r->host);
	cmd_put_int(b, "pid", r->pid);
	cmd_put_int(b, "ranks", r->ranks);
	cmd_put_real(b, "started", r->started);
	cmd_put_real(b, "last_seen", r->last_seen);
	cmd_put_real(b, "finished", r->finished);
	cmd_put_string(b, "end", r->end);
	cmd_put_flag(b, "live", r->live);
	cmd_put_int(b, "units_done", r->done);
	text_put(b, "}");
}

static void put_count_json(const struct count *c, struct bytes *b)
{
	for (int i = 0; i < UNIT_STATE_COUNT; i++)
		cmd_put_int(b, unit_state_text((enum unit_state)i), c->by_state[i]);
	report_key(b, "planned");
	text_putf(b, "%llu", (unsigned long long)c->planned);
	cmd_put_flag(b, "at_most", c->at_most);
	cmd_put_int(b, "stored", c->stored);
	cmd_put_real(b, "seconds_mean", c->seconds);
}

static int put_failures_json(struct status *s, struct bytes *b, struct fault *f)
{
	struct cmd_failure *list;
	uint32_t n;

	if (cmd_failures(s->db, &list, &n, f))
		return -1;
	report_key(b, "failures");
	text_put(b, "[");
	for (uint32_t i = 0; i < n; i++) {
		text_put(b, i ? ",\n  {" : "\n  {");
		cmd_put_string(b, "state", list[i].state);
		cmd_put_string(b, "phase", list[i].phase);
		cmd_put_string(b, "reason", list[i].reason);
		cmd_put_int(b, "units", list[i].units);
		cmd_put_int(b, "unit", list[i].unit);
		cmd_put_int_or_null(b, "exit_code", list[i].exit_code, list[i].exit_code >= 0);
		cmd_put_int_or_null(b, "signal", list[i].signal, list[i].signal > 0);
		cmd_put_string(b, "signal_name", cmd_signal_name(&s->db->arena, list[i].signal));
		cmd_put_int_or_null(b, "cause", list[i].cause, list[i].causes > 0);
		cmd_put_string(b, "words", list[i].words);
		text_put(b, "}");
	}
	text_put(b, "]");
	return 0;
}

static int put_json(struct status *s, struct fault *f)
{
	struct bytes b = {0};
	int bad;

	text_put(&b, "{");
	cmd_put_string(&b, "study", s->db->study->name);
	cmd_put_string(&b, "database", s->db->path);
	put_run_json(&s->run, &b);
	report_key(&b, "phases");
	text_put(&b, "[");
	for (uint32_t i = 0; i < s->db->study->nphases; i++) {
		text_put(&b, i ? ",\n  {" : "\n  {");
		cmd_put_string(&b, "phase", s->db->study->phases[i].name);
		put_count_json(&s->phases[i], &b);
		cmd_put_int(&b, "priors", s->phases[i].priors);
		text_put(&b, "}");
	}
	text_put(&b, "\n]");
	report_key(&b, "all");
	text_put(&b, "{");
	s->all.seconds = NAN;
	put_count_json(&s->all, &b);
	text_put(&b, "}");
	cmd_put_real(&b, "units_per_minute", s->per_minute);
	cmd_put_real(&b, "seconds_left", s->eta_s);
	bad = put_failures_json(s, &b, f);
	text_put(&b, "}\n");
	if (!bad)
		cmd_write(stdout, &b);
	bytes_finish(&b);
	return bad;
}

/* ---- the verb -------------------------------------------------------------------------------- */
static int status(const char *word, bool json, struct fault *f)
{
	struct cmd_db d;
	struct status s = {.db = &d};
	int bad;

	if (cmd_db_open(&d, word, f))
		return -1;
	bad = read_status(&s, f) || (json ? put_json(&s, f) : put_text(&s, f)) ? -1 : 0;
	cmd_db_close(&d);
	return bad;
}

int cmd_status(int argc, char **argv)
{
	bool json = false;
	const struct cmd_option options[] = {
	    {"json", 0, CMD_FLAG, &json, NULL, "the same as JSON"},
	    {0},
	};
	const struct cmd_usage usage = {
	    "status", "[DB] [--json]",
	    "Units by phase and state, with those that are planned but do not exist yet (`<=`: at most so "
	    "many),\n"
	    "the run that is going on or the last one, an estimate of the end, and what failed. Works while "
	    "a\n"
	    "run is on.",
	    options, "  ranksweep status\n  ranksweep status digits.db\n  watch ranksweep status digits.db"};
	struct fault f = {0};
	int rc = cmd_parse(&usage, &argc, argv, &f);

	if (rc == 0 && argc > 1)
		rc = cmd_misuse(&usage, &f, "one database at a time, not also `%s`", argv[1]);
	if (rc == 0)
		rc = status(argv[0], json, &f);
	return rc < 0 ? cmd_print_fault(&f) : 0;
}
