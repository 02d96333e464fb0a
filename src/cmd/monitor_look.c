/* monitor, one look: rows first, then processes, then the rules. What a look at a process says is newer than
 * the rows, so an end in between looks like a death: see suspect_proof_ms().
 *
 * The database is opened for each look, and asked in pieces (CHUNK): where it has a rollback journal, rank 0
 * can't commit while somebody reads. */
#include "monitor.h"

#include "child.h"
#include "host.h"
#include "inquire.h"
#include "output.h"
#include "text.h"

#include <math.h>
#include <string.h>

enum {
	CHUNK = 50000,
	BATCH_MS = 5000,  /* an answer of the batch system */
	AGAIN_MS = 60000, /* what is dear to learn is good for so long */
	/* So much younger than its row a process may be: a busy machine, ranks of other nodes. */
	BEGUN_MS = 60000
};

struct look {
	struct monitor *m;
	struct cmd_db db;
	struct monitor_list *out;
	int64_t now_ms, last_unit;
	/* the last run */
	int64_t run, started_ms, nranks, pid;
	const char *host, *end, *job;
	struct suspect_run facts;
	enum suspicion verdict;
	/* ranks: by number */
	enum suspect_process *ranks;
	int64_t *pids;
	bool visible; /* a rank of it was seen here: this host is the one that is called so */
	uint64_t running;
};

int monitor_order(const struct monitor_item *a, const struct monitor_item *b)
{
	const int64_t x[] = {a->run,
	                     a->rank < 0 ? 0
	                     : a->unit   ? 1
	                                 : 2,
	                     a->unit, a->attempt, a->rank},
	              y[] = {b->run,
	                     b->rank < 0 ? 0
	                     : b->unit   ? 1
	                                 : 2,
	                     b->unit, b->attempt, b->rank};

	for (size_t i = 0; i < sizeof x / sizeof *x; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

static void add(struct look *l, const struct monitor_item *item)
{
	struct monitor_list *o = l->out;

	if (o->count == o->cap) {
		uint32_t cap = o->cap ? 2 * o->cap : 16;

		o->items =
		    arena_grow(&o->arena, o->items, o->count * sizeof *o->items, cap * sizeof *o->items);
		o->cap = cap;
	}
	o->items[o->count] = *item;
	o->items[o->count++].run = l->run;
}

/* A time or a duration; `otherwise` where there is none. */
static int64_t ms_of(const struct store_rows *rows, uint32_t column, int64_t otherwise)
{
	double v = store_real(rows, column);

	return fabs(v) < 1e12 ? (int64_t)(v * 1000 + 0.5) : otherwise;
}

static const char *keep(struct look *l, const struct store_rows *rows, uint32_t column)
{
	return store_type(rows, column) == STORE_NULL
	           ? NULL
	           : arena_strdup(&l->out->arena, store_text(rows, column));
}

/* ---- processes ------------------------------------------------------------------------------- */
static enum suspect_process process(const char *host, int64_t pid, int64_t began_by_ms)
{
	if (!host || strcmp(host, host_name()) != 0)
		return PROCESS_UNKNOWN;
	switch (child_look(pid, began_by_ms)) {
	case CHILD_SEEN:
		return PROCESS_ALIVE;
	case CHILD_STOPPED:
		return PROCESS_STOPPED;
	case CHILD_ZOMBIE:
		return PROCESS_ZOMBIE;
	case CHILD_GONE:
		return PROCESS_GONE;
	case CHILD_UNSEEN:
		break;
	}
	return PROCESS_UNKNOWN;
}

static bool was_seen(enum suspect_process p)
{
	return p == PROCESS_ALIVE || p == PROCESS_STOPPED || p == PROCESS_ZOMBIE;
}

static int look_at_ranks(struct look *l, struct fault *f)
{
	struct store_rows *rows;
	int got;

	l->ranks = arena_array(&l->out->arena, (size_t)l->nranks + 1, sizeof *l->ranks);
	l->pids = arena_array(&l->out->arena, (size_t)l->nranks + 1, sizeof *l->pids);
	if (store_select(l->db.store,
	                 arena_printf(&l->out->arena,
	                              "SELECT rank, host, pid FROM workers WHERE run = %lld AND lost IS NULL",
	                              (long long)l->run),
	                 NULL, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		int64_t rank = store_int(rows, 0);

		if (rank < 0 || rank >= l->nranks)
			continue;
		l->pids[rank] = store_int(rows, 2);
		l->ranks[rank] = process(store_text(rows, 1), l->pids[rank], l->started_ms + BEGUN_MS);
		l->visible |= was_seen(l->ranks[rank]);
	}
	store_rows_close(rows);
	l->facts.process = process(l->host, l->pid, l->started_ms + BEGUN_MS);
	l->visible |= was_seen(l->facts.process);
	return got;
}

/* ---- the run --------------------------------------------------------------------------------- */
static int read_run(struct look *l, struct fault *f)
{
	struct store_rows *rows;
	int got = cmd_query(&l->db, &rows, f,
	                    "SELECT run, started, last_seen, finished IS NOT NULL, ranks, host, pid, end, job"
	                    " FROM runs ORDER BY run DESC LIMIT 1");

	if (got <= 0)
		return got;
	l->now_ms = l->facts.now_ms = host_epoch_ms();
	l->run = store_int(rows, 0);
	l->started_ms = ms_of(rows, 1, l->now_ms);
	l->facts.last_seen_ms = ms_of(rows, 2, l->now_ms);
	l->facts.ended = store_int(rows, 3) != 0;
	l->nranks = store_int(rows, 4) > 0 ? store_int(rows, 4) : 1;
	l->host = keep(l, rows, 5);
	l->pid = store_int(rows, 6);
	l->end = keep(l, rows, 7);
	l->job = keep(l, rows, 8);
	store_rows_close(rows);
	return 0;
}

static int read_last_unit(struct look *l, struct fault *f)
{
	struct store_rows *rows;
	int got = cmd_query(&l->db, &rows, f, "SELECT unit FROM units ORDER BY unit DESC LIMIT 1");

	if (got <= 0)
		return got;
	l->last_unit = store_int(rows, 0);
	store_rows_close(rows);
	return 0;
}

static int count_running(struct look *l, struct fault *f)
{
	for (int64_t from = 0; from < l->last_unit; from += CHUNK) {
		struct store_rows *rows;
		int got = cmd_query(&l->db, &rows, f,
		                    "SELECT count(*) FROM units WHERE unit > %lld AND unit <= %lld"
		                    " AND state = 'running'",
		                    (long long)from, (long long)from + CHUNK);

		if (got <= 0)
			return got;
		l->running += (uint64_t)store_int(rows, 0);
		store_rows_close(rows);
	}
	return 0;
}

/* The first line of what it said, for the words in brackets. */
static void set_why(struct monitor_batch *b, const char *program, const struct inquiry *a)
{
	const char *said = a->err[0] ? a->err : a->out;

	snprintf(b->why, sizeof b->why, "%s ended with status %d%s%.*s", program, a->status,
	         *said ? ": " : "", (int)strcspn(said, "\n"), said);
}

static void ask_batch(struct look *l)
{
	struct monitor_batch *b = &l->m->batch;
	const char *argv[BATCH_WORDS];
	struct inquiry a;
	struct fault f;

	if (b->run == l->run && l->now_ms - b->asked_ms < AGAIN_MS)
		return;
	*b = (struct monitor_batch){.run = l->run, .asked_ms = l->now_ms};
	if (!l->job) {
		snprintf(b->why, sizeof b->why, "it was in no batch job");
	} else if (!batch_question(&l->out->arena, l->job, argv)) {
		snprintf(b->why, sizeof b->why, "job %.100s is of no known kind", l->job);
	} else if (inquire_program(argv, BATCH_MS, &a, &f)) {
		snprintf(b->why, sizeof b->why, "%.*s", (int)sizeof b->why - 1, f.text);
	} else {
		b->life = batch_answer(l->job, a.status, a.out, a.err);
		set_why(b, argv[0], &a);
	}
}

static void add_run(struct look *l)
{
	struct monitor_item item = {.kind = l->verdict,
	                            .rank = -1,
	                            .pid = l->pid,
	                            .host = l->host,
	                            .ms = l->now_ms - l->facts.last_seen_ms,
	                            .count = l->running};
	bool asked = suspect_ask_batch(&l->facts);

	if (l->verdict == SUSPECT_LEFT)
		item.note = l->end;
	else if (l->verdict == SUSPECT_UNKNOWN)
		item.note = arena_strdup(&l->out->arena, l->m->batch.why);
	else if (asked)
		item.note = l->job;
	add(l, &item);
}

/* Units are looked at only while the run is there, or may be. */
static bool is_there(const struct look *l)
{
	return l->verdict == SUSPECT_NONE || l->verdict == SUSPECT_WAIT || l->verdict == SUSPECT_STOPPED ||
	       l->verdict == SUSPECT_STUCK;
}

static int judge_run(struct look *l, struct fault *f)
{
	if (l->facts.ended && count_running(l, f))
		return -1;
	l->facts.running = l->running;
	if (suspect_ask_batch(&l->facts)) {
		ask_batch(l);
		l->facts.batch = l->m->batch.life;
	}
	l->verdict = suspect_run(&l->facts);
	l->out->wait = l->verdict == SUSPECT_WAIT;
	l->out->over = l->facts.ended || l->verdict == SUSPECT_DIED;
	if (!is_there(l) && !l->facts.ended && count_running(l, f))
		return -1;
	if (l->verdict != SUSPECT_NONE && l->verdict != SUSPECT_WAIT)
		add_run(l);
	return 0;
}

/* ---- units ----------------------------------------------------------------------------------- */
struct seen {
	struct suspect_unit facts;
	struct monitor_item item;
	const struct study_phase *phase;
};

/* How long the units took that are done is read when a unit runs long already, and only as far as one is
 * found that took long, too: mostly a piece or two. */
static void begin_past(struct look *l)
{
	struct monitor_past *p = &l->m->past;
	uint32_t n = l->db.study->nphases;

	if (p->run == l->run && p->nphases == n && l->now_ms - p->begun_ms < AGAIN_MS)
		return;
	if (p->nphases != n)
		p->phases = arena_array(&l->m->arena, n, sizeof *p->phases);
	memset(p->phases, 0, n * sizeof *p->phases);
	p->nphases = n;
	p->run = l->run;
	p->begun_ms = l->now_ms;
	p->upto = 0;
}

static int read_past(struct look *l, struct fault *f)
{
	struct monitor_past *p = &l->m->past;
	const char *sql =
	    arena_printf(&l->out->arena,
	                 "SELECT phase, count(*), max(seconds) FROM units"
	                 " WHERE unit > %lld AND unit <= %lld AND state = 'done' GROUP BY phase",
	                 (long long)p->upto, (long long)p->upto + CHUNK);
	struct store_rows *rows;
	int got;

	if (store_select(l->db.store, sql, NULL, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		const struct study_phase *phase = study_find_phase(l->db.study, store_text(rows, 0));
		int64_t ms = ms_of(rows, 2, 0);

		if (!phase)
			continue;
		p->phases[phase->index].done += (uint64_t)store_int(rows, 1);
		if (ms > p->phases[phase->index].longest_ms)
			p->phases[phase->index].longest_ms = ms;
	}
	store_rows_close(rows);
	p->upto += CHUNK;
	return got;
}

static int compare_with_past(struct look *l, struct seen *s, struct fault *f)
{
	int64_t ran_ms = l->now_ms - s->facts.started_ms;
	struct monitor_phase *x;

	if (!s->phase || ran_ms < SUSPECT_LONG_MS)
		return 0;
	begin_past(l);
	x = &l->m->past.phases[s->phase->index];
	while (ran_ms / SUSPECT_LONG_FACTOR >= x->longest_ms && l->m->past.upto < l->last_unit)
		if (read_past(l, f))
			return -1;
	s->facts.done = x->done;
	s->facts.longest_ms = x->longest_ms;
	return 0;
}

/* Of a stream only the head is written while the unit runs: beyond it nothing is heard of the rest. */
static int can_be_heard(struct look *l, struct seen *s, struct fault *f)
{
	struct store_rows *rows;
	int got = cmd_query(&l->db, &rows, f,
	                    "SELECT sum(bytes) FROM outputs WHERE unit = %lld AND attempt = %lld"
	                    " GROUP BY stream ORDER BY 1 DESC LIMIT 1",
	                    (long long)s->item.unit, (long long)s->item.attempt);

	if (got <= 0)
		return got;
	s->facts.heard_all = store_int(rows, 0) < OUTPUT_HEAD_BYTES;
	store_rows_close(rows);
	return 0;
}

static bool is_well(enum suspect_process p)
{
	return p == PROCESS_ALIVE || p == PROCESS_UNKNOWN;
}

/* Where no rank can be seen, looks at processes say nothing, and only what is noted counts. */
static bool is_noted(const struct look *l, int64_t rank)
{
	bool run = l->verdict == SUSPECT_NONE || (l->verdict == SUSPECT_WAIT && !l->visible);

	return run && (!l->visible || rank < 0 || rank >= l->nranks || is_well(l->ranks[rank]));
}

static void set_limits(struct look *l, struct seen *s)
{
	const struct limits *x = s->phase ? &s->phase->limits : NULL;

	s->facts.stall_ms = x && x->stall_ms ? x->stall_ms : SUSPECT_STALL_MS;
	if (l->m->stall_ms >= 0)
		s->facts.stall_ms = l->m->stall_ms;
	s->facts.timeout_ms = x ? x->timeout_ms : 0;
	s->facts.grace_ms = x ? x->grace_ms : 0;
}

static void add_unit(struct look *l, struct seen *s, enum suspicion kind)
{
	s->item.kind = kind;
	if (kind == SUSPECT_SILENT) {
		s->item.ms = l->now_ms - s->facts.heard_ms;
		s->item.limit_ms = s->facts.stall_ms;
	} else if (kind == SUSPECT_OVER_TIME || kind == SUSPECT_LONG) {
		s->item.ms = l->now_ms - s->facts.started_ms;
		s->item.limit_ms = kind == SUSPECT_LONG ? s->facts.longest_ms : s->facts.timeout_ms;
		s->item.count = kind == SUSPECT_LONG ? s->facts.done : 0;
	}
	add(l, &s->item);
}

static int judge_unit(struct look *l, struct seen *s, struct fault *f)
{
	enum suspicion kind;

	if (compare_with_past(l, s, f))
		return -1;
	kind = suspect_unit(&s->facts);
	if (kind == SUSPECT_SILENT) {
		if (can_be_heard(l, s, f))
			return -1;
		kind = suspect_unit(&s->facts);
	}
	if (kind != SUSPECT_NONE)
		add_unit(l, s, kind);
	return 0;
}

enum { UNIT, PHASE, ATTEMPT, RANK, HOST, PID, STARTED, HEARD };
static const char sql_running[] =
    "SELECT u.unit, u.phase, a.attempt, a.rank, a.host, a.pid, a.started, a.last_heard"
    " FROM units u JOIN attempts a ON a.unit = u.unit AND a.attempt = u.attempts"
    " WHERE u.unit > %lld AND u.unit <= %lld AND u.state = 'running' AND a.state = 'running'"
    "  AND a.run = %lld ORDER BY u.unit";

static void read_unit(struct look *l, const struct store_rows *rows, struct seen *s)
{
	*s = (struct seen){.item = {.unit = store_int(rows, UNIT),
	                            .attempt = store_int(rows, ATTEMPT),
	                            .rank = store_int(rows, RANK),
	                            .pid = store_int(rows, PID),
	                            .host = keep(l, rows, HOST),
	                            .phase = keep(l, rows, PHASE)},
	                   .facts = {.now_ms = l->now_ms,
	                             .started_ms = ms_of(rows, STARTED, l->now_ms),
	                             .heard_ms = ms_of(rows, HEARD, l->now_ms),
	                             .heard_all = true}};
	s->phase = study_find_phase(l->db.study, store_text(rows, PHASE));
	s->facts.noted = is_noted(l, s->item.rank);
	set_limits(l, s);
}

/* The rows are read to their end before anything is looked at: that may take a while. */
static int look_at_units(struct look *l, int64_t from, struct fault *f)
{
	struct arena a = {0};
	struct slab list;
	struct store_rows *rows;
	int got;

	if (store_select(l->db.store,
	                 arena_printf(&l->out->arena, sql_running, (long long)from, (long long)from + CHUNK,
	                              (long long)l->run),
	                 NULL, &rows, f))
		return -1;
	slab_init(&list, &a, sizeof(struct seen));
	while ((got = store_next(rows, f)) > 0)
		read_unit(l, rows, slab_add(&list));
	store_rows_close(rows);
	for (uint32_t i = 0; i < list.count && got == 0; i++) {
		struct seen *s = slab_at(&list, i);

		if (l->visible)
			s->facts.process = process(s->item.host, s->item.pid, s->facts.started_ms + BEGUN_MS);
		got = judge_unit(l, s, f);
	}
	l->running += list.count;
	arena_finish(&a);
	return got;
}

/* Towards its end a run has no ranks any more, but no running units either. */
static void judge_ranks(struct look *l)
{
	for (int64_t r = 1; r < l->nranks && l->running; r++) {
		struct monitor_item item = {.kind = suspect_rank(l->ranks[r]), .rank = r, .pid = l->pids[r]};

		item.host = arena_strdup(&l->out->arena, host_name());
		if (item.kind != SUSPECT_NONE && l->visible && l->verdict != SUSPECT_WAIT)
			add(l, &item);
	}
}

/* ---- all of it ------------------------------------------------------------------------------- */
static int look(struct look *l, struct fault *f)
{
	if (read_run(l, f) || read_last_unit(l, f))
		return -1;
	if (!l->run) {
		l->out->over = true;
		return 0;
	}
	if (look_at_ranks(l, f) || judge_run(l, f))
		return -1;
	if (l->facts.ended || !is_there(l))
		return 0;
	for (int64_t from = 0; from < l->last_unit; from += CHUNK)
		if (look_at_units(l, from, f))
			return -1;
	judge_ranks(l);
	return 0;
}

int monitor_look(struct monitor *m, struct monitor_list *out, struct fault *f)
{
	struct look l = {.m = m, .out = out};
	int bad;

	arena_reset(&out->arena);
	out->items = NULL;
	out->count = out->cap = 0;
	out->over = out->wait = false;
	if (cmd_db_open(&l.db, m->db, f))
		return -1;
	if (!m->db || strcmp(m->db, l.db.path) != 0)
		m->db = arena_strdup(&m->arena, l.db.path);
	bad = look(&l, f);
	cmd_db_close(&l.db);
	return bad;
}
