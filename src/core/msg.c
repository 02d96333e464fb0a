/* One put/get pair for each kind, side by side: the field order of the two is the wire format, and a change
 * of either is a new MSG_VERSION. A getter may read zeros and "" after the first short read; whether anything
 * was wrong is asked once, at the end of the payload, so getters hold no error paths. What a type cannot hold
 * (an unknown enum, a boolean of 2) marks the reader bad like a short read does. */
#include "msg.h"

#include <assert.h>
#include <string.h>

enum { FRAME_HEADER = 8, TEXT_MIN = 4 };

/* ---- fields ------------------------------------------------------------------------------- */

static void put_i32(struct bytes *b, int32_t v)
{
	bytes_put_u32(b, (uint32_t)v);
}

static int32_t get_i32(struct reader *r)
{
	return (int32_t)reader_u32(r);
}

static void put_i64(struct bytes *b, int64_t v)
{
	bytes_put_u64(b, (uint64_t)v);
}

static int64_t get_i64(struct reader *r)
{
	return (int64_t)reader_u64(r);
}

static void put_bool(struct bytes *b, bool v)
{
	bytes_put_u8(b, v ? 1 : 0);
}

static bool get_bool(struct reader *r)
{
	uint8_t v = reader_u8(r);

	if (v > 1)
		r->bad = true;
	return v == 1;
}

/* In `a`; never NULL. */
static const char *get_text(struct reader *r, struct arena *a)
{
	size_t n;
	const unsigned char *p = reader_blob(r, &n);

	if (memchr(p, 0, n)) {
		r->bad = true;
		return "";
	}
	return n ? arena_strndup(a, (const char *)p, n) : "";
}

/* The number of items that follow, each of at least min_bytes: a count that the rest of the payload cannot
 * hold is bad before anything is allocated for it. */
static uint32_t get_count(struct reader *r, size_t min_bytes, uint32_t most)
{
	uint32_t n = reader_u32(r);

	if (n > most || n > (size_t)(r->end - r->p) / min_bytes) {
		r->bad = true;
		return 0;
	}
	return n;
}

/* ---- worker up, worker told ------------------------------------------------------------------ */

static void put_hello(struct bytes *b, const struct msg *m)
{
	const struct msg_hello *h = &m->u.hello;

	bytes_put_text(b, h->host);
	bytes_put_u32(b, h->pid);
	bytes_put_u32(b, h->keeper_pid);
	bytes_put_u64(b, h->space);
	bytes_put_u32(b, h->life);
	bytes_put_u32(b, h->cpus);
	bytes_put_u32(b, h->gpus);
	put_i64(b, h->memory_bytes);
}

static void get_hello(struct reader *r, struct arena *a, struct msg *m)
{
	struct msg_hello *h = &m->u.hello;

	h->host = get_text(r, a);
	h->pid = reader_u32(r);
	h->keeper_pid = reader_u32(r);
	h->space = reader_u64(r);
	h->life = reader_u32(r);
	h->cpus = reader_u32(r);
	h->gpus = reader_u32(r);
	h->memory_bytes = get_i64(r);
	if (strlen(h->host) >= MSG_HOST_MAX || h->cpus == 0 || h->memory_bytes < 0)
		r->bad = true;
}

static void put_welcome(struct bytes *b, const struct msg *m)
{
	const struct msg_welcome *w = &m->u.welcome;

	bytes_put_u64(b, w->run);
	bytes_put_text(b, w->study);
	bytes_put_text(b, w->cwd);
	bytes_put_text(b, w->out_dir);
	bytes_put_text(b, w->env_file);
	put_i64(b, w->deadline_ms);
	bytes_put_u32(b, w->life);
	put_i64(b, w->lost_after_ms);
	bytes_put_u32(b, w->pid);
	bytes_put_u64(b, w->space);
}

static void get_welcome(struct reader *r, struct arena *a, struct msg *m)
{
	struct msg_welcome *w = &m->u.welcome;

	w->run = reader_u64(r);
	w->study = get_text(r, a);
	w->cwd = get_text(r, a);
	w->out_dir = get_text(r, a);
	w->env_file = get_text(r, a);
	w->deadline_ms = get_i64(r);
	w->life = reader_u32(r);
	w->lost_after_ms = get_i64(r);
	w->pid = reader_u32(r);
	w->space = reader_u64(r);
	if (w->lost_after_ms <= 0)
		r->bad = true;
}

/* ---- phase ----------------------------------------------------------------------------------- */

static void put_limits(struct bytes *b, const struct limits *l)
{
	put_i64(b, l->timeout_ms);
	put_i64(b, l->stall_ms);
	put_i64(b, l->grace_ms);
	put_i64(b, l->memory_bytes);
	bytes_put_u32(b, l->cpus);
	bytes_put_u32(b, l->gpus);
	bytes_put_u32(b, l->retries);
	bytes_put_u32(b, l->lost_limit);
	bytes_put_u32(b, l->retry_on);
	put_i64(b, l->keep_best);
	put_bool(b, l->checkpoint);
}

static void get_limits(struct reader *r, struct limits *l)
{
	l->timeout_ms = get_i64(r);
	l->stall_ms = get_i64(r);
	l->grace_ms = get_i64(r);
	l->memory_bytes = get_i64(r);
	l->cpus = reader_u32(r);
	l->gpus = reader_u32(r);
	l->retries = reader_u32(r);
	l->lost_limit = reader_u32(r);
	l->retry_on = reader_u32(r);
	l->keep_best = get_i64(r);
	l->checkpoint = get_bool(r);
	if (l->timeout_ms < 0 || l->stall_ms < 0 || l->grace_ms < 0 || l->memory_bytes < 0)
		r->bad = true;
	if (l->retry_on >> REASON_TOLD_COUNT)
		r->bad = true;
}

static void put_phase(struct bytes *b, const struct msg *m)
{
	const struct msg_phase *p = &m->u.phase;

	bytes_put_u32(b, p->phase);
	bytes_put_text(b, p->name);
	bytes_put_text(b, p->metric);
	put_bool(b, p->maximize);
	put_limits(b, &p->limits);
	bytes_put_text(b, p->setup);
	bytes_put_u32(b, p->nenv);
	for (uint32_t i = 0; i < p->nenv; i++) {
		bytes_put_text(b, p->env[i].name);
		bytes_put_text(b, p->env[i].value);
	}
	bytes_put_u32(b, p->ncaptures);
	for (uint32_t i = 0; i < p->ncaptures; i++) {
		bytes_put_text(b, p->captures[i].metric);
		bytes_put_text(b, p->captures[i].pattern);
	}
}

static void get_phase(struct reader *r, struct arena *a, struct msg *m)
{
	struct msg_phase *p = &m->u.phase;

	p->phase = reader_u32(r);
	p->name = get_text(r, a);
	p->metric = get_text(r, a);
	p->maximize = get_bool(r);
	get_limits(r, &p->limits);
	p->setup = get_text(r, a);
	p->nenv = get_count(r, 2 * TEXT_MIN, UINT32_MAX);
	p->env = arena_array(a, p->nenv, sizeof *p->env);
	for (uint32_t i = 0; i < p->nenv; i++) {
		p->env[i].name = get_text(r, a);
		p->env[i].value = get_text(r, a);
	}
	p->ncaptures = get_count(r, 2 * TEXT_MIN, UINT32_MAX);
	p->captures = arena_array(a, p->ncaptures, sizeof *p->captures);
	for (uint32_t i = 0; i < p->ncaptures; i++) {
		p->captures[i].metric = get_text(r, a);
		p->captures[i].pattern = get_text(r, a);
	}
}

/* ---- one attempt ------------------------------------------------------------------------------- */

static void put_assign(struct bytes *b, const struct msg *m)
{
	const struct msg_assign *s = &m->u.assign;

	bytes_put_u32(b, s->unit);
	bytes_put_u32(b, s->lease);
	bytes_put_u32(b, s->attempt);
	bytes_put_u32(b, s->trial);
	bytes_put_u32(b, s->phase);
	put_i32(b, s->fold);
	put_i32(b, s->outer_fold);
	bytes_put_u32(b, s->folds);
	bytes_put_u32(b, s->outer_folds);
	bytes_put_u64(b, s->seed);
	bytes_put_text(b, s->dir);
	bytes_put_text(b, s->params);
	bytes_put_u32(b, s->argc);
	for (uint32_t i = 0; i < s->argc; i++)
		bytes_put_text(b, s->argv[i]);
}

static void get_assign(struct reader *r, struct arena *a, struct msg *m)
{
	struct msg_assign *s = &m->u.assign;

	s->unit = reader_u32(r);
	s->lease = reader_u32(r);
	s->attempt = reader_u32(r);
	s->trial = reader_u32(r);
	s->phase = reader_u32(r);
	s->fold = get_i32(r);
	s->outer_fold = get_i32(r);
	s->folds = reader_u32(r);
	s->outer_folds = reader_u32(r);
	s->seed = reader_u64(r);
	s->dir = get_text(r, a);
	s->params = get_text(r, a);
	s->argc = get_count(r, TEXT_MIN, MSG_ARGS_MAX);
	s->argv = arena_array(a, (size_t)s->argc + 1, sizeof *s->argv);
	for (uint32_t i = 0; i < s->argc; i++)
		s->argv[i] = get_text(r, a);
	if (s->argc == 0)
		r->bad = true;
}

static void put_lease(struct bytes *b, const struct msg *m)
{
	bytes_put_u32(b, m->u.lease.unit);
	bytes_put_u32(b, m->u.lease.lease);
}

static void get_lease(struct reader *r, struct arena *a, struct msg *m)
{
	(void)a;
	m->u.lease.unit = reader_u32(r);
	m->u.lease.lease = reader_u32(r);
}

static void put_beat(struct bytes *b, const struct msg *m)
{
	put_i64(b, m->u.beat.sent_ms);
}

static void get_beat(struct reader *r, struct arena *a, struct msg *m)
{
	(void)a;
	m->u.beat.sent_ms = get_i64(r);
}

static void put_stop(struct bytes *b, const struct msg *m)
{
	(void)b;
	(void)m;
}

static void get_stop(struct reader *r, struct arena *a, struct msg *m)
{
	(void)r;
	(void)a;
	(void)m;
}

static void put_started(struct bytes *b, const struct msg *m)
{
	const struct msg_started *s = &m->u.started;

	bytes_put_u32(b, s->unit);
	bytes_put_u32(b, s->lease);
	bytes_put_u32(b, s->pid);
	put_i64(b, s->at_ms);
}

static void get_started(struct reader *r, struct arena *a, struct msg *m)
{
	struct msg_started *s = &m->u.started;

	(void)a;
	s->unit = reader_u32(r);
	s->lease = reader_u32(r);
	s->pid = reader_u32(r);
	s->at_ms = get_i64(r);
}

static void put_metric(struct bytes *b, const struct msg *m)
{
	const struct msg_metric *s = &m->u.metric;

	bytes_put_u32(b, s->unit);
	bytes_put_u32(b, s->lease);
	put_bool(b, s->has_step);
	bytes_put_f64(b, s->step);
	bytes_put_u32(b, s->nvalues);
	for (uint32_t i = 0; i < s->nvalues; i++) {
		bytes_put_text(b, s->values[i].name);
		bytes_put_f64(b, s->values[i].value);
	}
}

static void get_metric(struct reader *r, struct arena *a, struct msg *m)
{
	struct msg_metric *s = &m->u.metric;

	s->unit = reader_u32(r);
	s->lease = reader_u32(r);
	s->has_step = get_bool(r);
	s->step = reader_f64(r);
	s->nvalues = get_count(r, TEXT_MIN + 8, UINT32_MAX);
	s->values = arena_array(a, s->nvalues, sizeof *s->values);
	for (uint32_t i = 0; i < s->nvalues; i++) {
		s->values[i].name = get_text(r, a);
		s->values[i].value = reader_f64(r);
	}
}

static void put_output(struct bytes *b, const struct msg *m)
{
	const struct msg_output *o = &m->u.output;

	bytes_put_u32(b, o->unit);
	bytes_put_u32(b, o->lease);
	bytes_put_u8(b, o->stream);
	bytes_put_u64(b, o->offset);
	bytes_put_u32(b, o->bytes);
	bytes_put_u64(b, o->skipped_bytes);
}

static void get_output(struct reader *r, struct arena *a, struct msg *m)
{
	struct msg_output *o = &m->u.output;

	(void)a;
	o->unit = reader_u32(r);
	o->lease = reader_u32(r);
	o->stream = reader_u8(r);
	o->offset = reader_u64(r);
	o->bytes = reader_u32(r);
	o->skipped_bytes = reader_u64(r);
	if (o->stream != 1 && o->stream != 2)
		r->bad = true;
}

static void put_summary(struct bytes *b, const struct metric_summary *s)
{
	bytes_put_u64(b, s->count);
	bytes_put_f64(b, s->last);
	bytes_put_f64(b, s->last_step);
	bytes_put_f64(b, s->best);
	bytes_put_f64(b, s->best_step);
	bytes_put_f64(b, s->max_step);
	put_bool(b, s->overwritten);
}

static void get_summary(struct reader *r, struct metric_summary *s)
{
	s->count = reader_u64(r);
	s->last = reader_f64(r);
	s->last_step = reader_f64(r);
	s->best = reader_f64(r);
	s->best_step = reader_f64(r);
	s->max_step = reader_f64(r);
	s->overwritten = get_bool(r);
}

static void put_finished(struct bytes *b, const struct msg *m)
{
	const struct msg_finished *e = &m->u.finished;
	size_t cut = e->tail_bytes > MSG_TAIL_MAX ? e->tail_bytes - MSG_TAIL_MAX : 0;

	bytes_put_u32(b, e->unit);
	bytes_put_u32(b, e->lease);
	bytes_put_u8(b, (uint8_t)e->reason);
	put_i32(b, e->exit_code);
	put_i32(b, e->signal);
	put_bool(b, e->requeue);
	put_i32(b, e->spawn_errno);
	bytes_put_u32(b, e->pid);
	put_i64(b, e->started_ms);
	put_i64(b, e->finished_ms);
	bytes_put_f64(b, e->user_seconds);
	bytes_put_f64(b, e->system_seconds);
	bytes_put_u64(b, e->max_rss_kb);
	put_summary(b, &e->objective);
	bytes_put_blob(b, e->tail + cut, e->tail_bytes - cut);
}

static void get_finished(struct reader *r, struct arena *a, struct msg *m)
{
	struct msg_finished *e = &m->u.finished;
	uint8_t reason;

	(void)a;
	e->unit = reader_u32(r);
	e->lease = reader_u32(r);
	reason = reader_u8(r);
	e->reason = reason < REASON_TOLD_COUNT ? (enum reason)reason : REASON_NONE;
	e->exit_code = get_i32(r);
	e->signal = get_i32(r);
	e->requeue = get_bool(r);
	e->spawn_errno = get_i32(r);
	e->pid = reader_u32(r);
	e->started_ms = get_i64(r);
	e->finished_ms = get_i64(r);
	e->user_seconds = reader_f64(r);
	e->system_seconds = reader_f64(r);
	e->max_rss_kb = reader_u64(r);
	get_summary(r, &e->objective);
	e->tail = reader_blob(r, &e->tail_bytes);
	if (reason >= REASON_TOLD_COUNT || e->tail_bytes > MSG_TAIL_MAX || e->started_ms < 0 ||
	    e->finished_ms < 0)
		r->bad = true;
}

/* ---- frames ------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	void (*put)(struct bytes *b, const struct msg *m);
	void (*get)(struct reader *r, struct arena *a, struct msg *m);
} kinds[MSG_KIND_END] = {
    [MSG_HELLO] = {"HELLO", put_hello, get_hello},
    [MSG_WELCOME] = {"WELCOME", put_welcome, get_welcome},
    [MSG_PHASE] = {"PHASE", put_phase, get_phase},
    [MSG_ASSIGN] = {"ASSIGN", put_assign, get_assign},
    [MSG_CANCEL] = {"CANCEL", put_lease, get_lease},
    [MSG_RECALL] = {"RECALL", put_lease, get_lease},
    [MSG_STOP] = {"STOP", put_stop, get_stop},
    [MSG_STARTED] = {"STARTED", put_started, get_started},
    [MSG_METRIC] = {"METRIC", put_metric, get_metric},
    [MSG_OUTPUT] = {"OUTPUT", put_output, get_output},
    [MSG_FINISHED] = {"FINISHED", put_finished, get_finished},
    [MSG_RECALLED] = {"RECALLED", put_lease, get_lease},
    [MSG_BEAT] = {"BEAT", put_beat, get_beat},
};

int msg_encode(struct bytes *frame, const struct msg *m)
{
	size_t before = frame->len, body;

	assert(m->kind >= MSG_HELLO && m->kind < MSG_KIND_END);
	if (m->kind == MSG_ASSIGN && m->u.assign.argc > MSG_ARGS_MAX)
		return -1;
	if (before == 0) {
		bytes_put_u32(frame, MSG_MAGIC);
		bytes_put_u16(frame, MSG_VERSION);
		bytes_put_u16(frame, 0);
	}
	bytes_put_u8(frame, (uint8_t)m->kind);
	bytes_put_u32(frame, 0);
	body = frame->len;
	kinds[m->kind].put(frame, m);
	if (frame->len > MSG_FRAME_MAX) {
		frame->len = before;
		return -1;
	}
	bytes_set_u32(frame, body - 4, (uint32_t)(frame->len - body));
	return 0;
}

int msg_open(struct msg_reader *it, const void *frame, size_t n, struct fault *f)
{
	uint32_t magic;
	uint16_t version, reserved;

	reader_init(&it->r, frame, n);
	magic = reader_u32(&it->r);
	version = reader_u16(&it->r);
	reserved = reader_u16(&it->r);
	if (!it->r.bad && magic == MSG_MAGIC && version == MSG_VERSION && reserved == 0 && n <= MSG_FRAME_MAX)
		return 0;
	it->r.bad = true; /* nothing of it may be read */
	if (n >= FRAME_HEADER && magic == MSG_MAGIC && version != MSG_VERSION)
		return fault_set(
		    f, FAULT_WORKER,
		    "a message of wire format %u came, this program speaks %d: all ranks must run the "
		    "same ranksweep",
		    version, MSG_VERSION);
	return fault_set(f, FAULT_WORKER, "a frame of %zu bytes is none of ours", n);
}

int msg_next(struct msg_reader *it, struct arena *a, struct msg *m, struct fault *f)
{
	while (!it->r.bad && it->r.p < it->r.end) {
		uint8_t kind = reader_u8(&it->r);
		struct reader body;
		size_t n;
		const unsigned char *p = reader_blob(&it->r, &n);

		if (it->r.bad)
			break;
		if (kind < MSG_HELLO || kind >= MSG_KIND_END)
			continue;
		memset(m, 0, sizeof *m);
		m->kind = (enum msg_kind)kind;
		reader_init(&body, p, n);
		kinds[kind].get(&body, a, m);
		if (reader_done(&body))
			return 1;
		it->r.bad = true;
		return fault_set(f, FAULT_WORKER, "a damaged %s message of %zu bytes", kinds[kind].name, n);
	}
	return it->r.bad ? fault_set(f, FAULT_WORKER, "a damaged frame") : 0;
}
