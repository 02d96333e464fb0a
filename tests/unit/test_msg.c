#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "msg.h"
#include "rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- random messages: every field takes any value it may ------------------------------------------ */

static const char *any_text(struct rng *g, struct arena *a)
{
	static const size_t lengths[] = {0, 1, 3, 15, 16, 17, 200};
	size_t n = lengths[rng_below(g, sizeof lengths / sizeof *lengths)];
	char *s = arena_alloc(a, n + 1);

	for (size_t i = 0; i < n; i++)
		s[i] = (char)(1 + rng_below(g, 255));
	return s;
}

static uint32_t any_u32(struct rng *g)
{
	return (uint32_t)rng_next(g);
}

static int64_t any_count(struct rng *g)
{
	uint64_t x = rng_next(g);

	return (int64_t)(x >> (1 + rng_below(g, 60)));
}

static bool any_bool(struct rng *g)
{
	return rng_below(g, 2);
}

static double any_f64(struct rng *g)
{
	static const double special[] = {0, -0.0, NAN, INFINITY, -INFINITY, 1e-310, 0.1};
	uint64_t n = rng_below(g, 14);

	double x = rng_unit(g) - 0.5;

	return n < 7 ? special[n] : x * exp2((double)rng_below(g, 200));
}

static void any_hello(struct rng *g, struct arena *a, struct msg *m)
{
	struct msg_hello *h = &m->u.hello;

	h->host = any_text(g, a);
	h->pid = any_u32(g);
	h->keeper_pid = any_u32(g);
	h->space = rng_next(g);
	h->life = any_u32(g);
	h->cpus = any_u32(g) | 1;
	h->gpus = any_u32(g);
	h->memory_bytes = any_count(g);
}

static void any_welcome(struct rng *g, struct arena *a, struct msg *m)
{
	struct msg_welcome *w = &m->u.welcome;

	w->run = rng_next(g);
	w->study = any_text(g, a);
	w->cwd = any_text(g, a);
	w->out_dir = any_text(g, a);
	w->env_file = any_text(g, a);
	w->deadline_ms = (int64_t)rng_next(g);
	w->life = any_u32(g);
	w->lost_after_ms = any_count(g) + 1;
	w->pid = any_u32(g);
	w->space = rng_next(g);
}

static void any_limits(struct rng *g, struct limits *l)
{
	l->timeout_ms = any_count(g);
	l->stall_ms = any_count(g);
	l->grace_ms = any_count(g);
	l->memory_bytes = any_count(g);
	l->cpus = any_u32(g);
	l->gpus = any_u32(g);
	l->retries = any_u32(g);
	l->lost_limit = any_u32(g);
	l->retry_on = (uint32_t)rng_below(g, 1u << REASON_TOLD_COUNT);
	l->keep_best = any_count(g) - 1;
	l->checkpoint = any_bool(g);
}

static void any_phase(struct rng *g, struct arena *a, struct msg *m)
{
	struct msg_phase *p = &m->u.phase;

	p->phase = any_u32(g);
	p->name = any_text(g, a);
	p->metric = any_text(g, a);
	p->maximize = any_bool(g);
	any_limits(g, &p->limits);
	p->setup = any_text(g, a);
	p->nenv = (uint32_t)rng_below(g, 5);
	p->env = arena_array(a, p->nenv, sizeof *p->env);
	for (uint32_t i = 0; i < p->nenv; i++) {
		p->env[i].name = any_text(g, a);
		p->env[i].value = any_text(g, a);
	}
	p->ncaptures = (uint32_t)rng_below(g, 5);
	p->captures = arena_array(a, p->ncaptures, sizeof *p->captures);
	for (uint32_t i = 0; i < p->ncaptures; i++) {
		p->captures[i].metric = any_text(g, a);
		p->captures[i].pattern = any_text(g, a);
	}
}

static void any_assign(struct rng *g, struct arena *a, struct msg *m)
{
	struct msg_assign *s = &m->u.assign;

	s->unit = any_u32(g);
	s->lease = any_u32(g);
	s->attempt = any_u32(g);
	s->trial = any_u32(g);
	s->phase = any_u32(g);
	s->fold = (int32_t)any_u32(g);
	s->outer_fold = (int32_t)any_u32(g);
	s->folds = any_u32(g);
	s->outer_folds = any_u32(g);
	s->seed = rng_next(g);
	s->dir = any_text(g, a);
	s->params = any_text(g, a);
	s->argc = (uint32_t)(1 + rng_below(g, 6));
	s->argv = arena_array(a, s->argc + 1, sizeof *s->argv);
	for (uint32_t i = 0; i < s->argc; i++)
		s->argv[i] = any_text(g, a);
}

static void any_beat(struct rng *g, struct arena *a, struct msg *m)
{
	(void)a;
	m->u.beat.sent_ms = (int64_t)rng_next(g);
}

static void any_lease(struct rng *g, struct arena *a, struct msg *m)
{
	(void)a;
	m->u.lease.unit = any_u32(g);
	m->u.lease.lease = any_u32(g);
}

static void any_stop(struct rng *g, struct arena *a, struct msg *m)
{
	(void)g;
	(void)a;
	(void)m;
}

static void any_started(struct rng *g, struct arena *a, struct msg *m)
{
	(void)a;
	m->u.started.unit = any_u32(g);
	m->u.started.lease = any_u32(g);
	m->u.started.pid = any_u32(g);
	m->u.started.at_ms = (int64_t)rng_next(g);
}

static void any_metric(struct rng *g, struct arena *a, struct msg *m)
{
	struct msg_metric *s = &m->u.metric;

	s->unit = any_u32(g);
	s->lease = any_u32(g);
	s->has_step = any_bool(g);
	s->step = any_f64(g);
	s->nvalues = (uint32_t)rng_below(g, 6);
	s->values = arena_array(a, s->nvalues, sizeof *s->values);
	for (uint32_t i = 0; i < s->nvalues; i++) {
		s->values[i].name = any_text(g, a);
		s->values[i].value = any_f64(g);
	}
}

static void any_output(struct rng *g, struct arena *a, struct msg *m)
{
	struct msg_output *o = &m->u.output;

	(void)a;
	o->unit = any_u32(g);
	o->lease = any_u32(g);
	o->stream = (uint8_t)(1 + rng_below(g, 2));
	o->offset = rng_next(g);
	o->bytes = any_u32(g);
	o->skipped_bytes = rng_next(g);
}

static void any_finished(struct rng *g, struct arena *a, struct msg *m)
{
	struct msg_finished *e = &m->u.finished;
	unsigned char *tail;

	e->unit = any_u32(g);
	e->lease = any_u32(g);
	e->reason = (enum reason)rng_below(g, REASON_TOLD_COUNT);
	e->exit_code = (int32_t)any_u32(g);
	e->signal = (int32_t)any_u32(g);
	e->requeue = any_bool(g);
	e->spawn_errno = (int32_t)any_u32(g);
	e->pid = any_u32(g);
	e->started_ms = (int64_t)(rng_next(g) >> 1);
	e->finished_ms = (int64_t)(rng_next(g) >> 1);
	e->user_seconds = any_f64(g);
	e->system_seconds = any_f64(g);
	e->max_rss_kb = rng_next(g);
	e->objective.count = rng_next(g);
	e->objective.last = any_f64(g);
	e->objective.last_step = any_f64(g);
	e->objective.best = any_f64(g);
	e->objective.best_step = any_f64(g);
	e->objective.max_step = any_f64(g);
	e->objective.overwritten = any_bool(g);
	e->tail_bytes = rng_below(g, 4) ? (size_t)rng_below(g, 100) : MSG_TAIL_MAX;
	e->tail = tail = arena_alloc(a, e->tail_bytes);
	for (size_t i = 0; i < e->tail_bytes; i++)
		tail[i] = (unsigned char)rng_next(g);
}

static void any_msg(struct rng *g, struct arena *a, struct msg *m, enum msg_kind kind)
{
	static void (*const make[MSG_KIND_END])(struct rng *, struct arena *, struct msg *) = {
	    [MSG_HELLO] = any_hello,   [MSG_WELCOME] = any_welcome,   [MSG_PHASE] = any_phase,
	    [MSG_ASSIGN] = any_assign, [MSG_CANCEL] = any_lease,      [MSG_RECALL] = any_lease,
	    [MSG_STOP] = any_stop,     [MSG_STARTED] = any_started,   [MSG_METRIC] = any_metric,
	    [MSG_OUTPUT] = any_output, [MSG_FINISHED] = any_finished, [MSG_RECALLED] = any_lease,
	    [MSG_BEAT] = any_beat,
	};

	memset(m, 0, sizeof *m);
	m->kind = kind;
	make[kind](g, a, m);
}

/* ---- equality, field by field: independent of the codec ---------------------------------------------- */

#define SAME(x, y)                                                                                           \
	do {                                                                                                 \
		if ((x) != (y))                                                                              \
			fail_msg("%s was not kept", #x);                                                     \
	} while (0)
#define SAME_TEXT(x, y) assert_string_equal(x, y)

static void same_f64(double x, double y)
{
	assert_memory_equal(&x, &y, sizeof x);
}

static void same_hello(const struct msg *m, const struct msg *n)
{
	const struct msg_hello *x = &m->u.hello, *y = &n->u.hello;

	SAME_TEXT(x->host, y->host);
	SAME(x->pid, y->pid);
	SAME(x->keeper_pid, y->keeper_pid);
	SAME(x->space, y->space);
	SAME(x->life, y->life);
	SAME(x->cpus, y->cpus);
	SAME(x->gpus, y->gpus);
	SAME(x->memory_bytes, y->memory_bytes);
}

static void same_welcome(const struct msg *m, const struct msg *n)
{
	const struct msg_welcome *x = &m->u.welcome, *y = &n->u.welcome;

	SAME(x->run, y->run);
	SAME_TEXT(x->study, y->study);
	SAME_TEXT(x->cwd, y->cwd);
	SAME_TEXT(x->out_dir, y->out_dir);
	SAME_TEXT(x->env_file, y->env_file);
	SAME(x->deadline_ms, y->deadline_ms);
	SAME(x->life, y->life);
	SAME(x->lost_after_ms, y->lost_after_ms);
	SAME(x->pid, y->pid);
	SAME(x->space, y->space);
}

static void same_beat(const struct msg *m, const struct msg *n)
{
	SAME(m->u.beat.sent_ms, n->u.beat.sent_ms);
}

static void same_limits(const struct limits *x, const struct limits *y)
{
	SAME(x->timeout_ms, y->timeout_ms);
	SAME(x->stall_ms, y->stall_ms);
	SAME(x->grace_ms, y->grace_ms);
	SAME(x->memory_bytes, y->memory_bytes);
	SAME(x->cpus, y->cpus);
	SAME(x->gpus, y->gpus);
	SAME(x->retries, y->retries);
	SAME(x->lost_limit, y->lost_limit);
	SAME(x->retry_on, y->retry_on);
	SAME(x->keep_best, y->keep_best);
	SAME(x->checkpoint, y->checkpoint);
}

static void same_phase(const struct msg *m, const struct msg *n)
{
	const struct msg_phase *x = &m->u.phase, *y = &n->u.phase;

	SAME(x->phase, y->phase);
	SAME_TEXT(x->name, y->name);
	SAME_TEXT(x->metric, y->metric);
	SAME(x->maximize, y->maximize);
	same_limits(&x->limits, &y->limits);
	SAME_TEXT(x->setup, y->setup);
	assert_int_equal(x->nenv, y->nenv);
	for (uint32_t i = 0; i < x->nenv; i++) {
		SAME_TEXT(x->env[i].name, y->env[i].name);
		SAME_TEXT(x->env[i].value, y->env[i].value);
	}
	assert_int_equal(x->ncaptures, y->ncaptures);
	for (uint32_t i = 0; i < x->ncaptures; i++) {
		SAME_TEXT(x->captures[i].metric, y->captures[i].metric);
		SAME_TEXT(x->captures[i].pattern, y->captures[i].pattern);
	}
}

static void same_assign(const struct msg *m, const struct msg *n)
{
	const struct msg_assign *x = &m->u.assign, *y = &n->u.assign;

	SAME(x->unit, y->unit);
	SAME(x->lease, y->lease);
	SAME(x->attempt, y->attempt);
	SAME(x->trial, y->trial);
	SAME(x->phase, y->phase);
	SAME(x->fold, y->fold);
	SAME(x->outer_fold, y->outer_fold);
	SAME(x->folds, y->folds);
	SAME(x->outer_folds, y->outer_folds);
	SAME(x->seed, y->seed);
	SAME_TEXT(x->dir, y->dir);
	SAME_TEXT(x->params, y->params);
	assert_int_equal(x->argc, y->argc);
	for (uint32_t i = 0; i < x->argc; i++)
		SAME_TEXT(x->argv[i], y->argv[i]);
	assert_null(y->argv[y->argc]);
}

static void same_lease(const struct msg *m, const struct msg *n)
{
	SAME(m->u.lease.unit, n->u.lease.unit);
	SAME(m->u.lease.lease, n->u.lease.lease);
}

static void same_started(const struct msg *m, const struct msg *n)
{
	const struct msg_started *x = &m->u.started, *y = &n->u.started;

	SAME(x->unit, y->unit);
	SAME(x->lease, y->lease);
	SAME(x->pid, y->pid);
	SAME(x->at_ms, y->at_ms);
}

static void same_metric(const struct msg *m, const struct msg *n)
{
	const struct msg_metric *x = &m->u.metric, *y = &n->u.metric;

	SAME(x->unit, y->unit);
	SAME(x->lease, y->lease);
	SAME(x->has_step, y->has_step);
	same_f64(x->step, y->step);
	assert_int_equal(x->nvalues, y->nvalues);
	for (uint32_t i = 0; i < x->nvalues; i++) {
		SAME_TEXT(x->values[i].name, y->values[i].name);
		same_f64(x->values[i].value, y->values[i].value);
	}
}

static void same_output(const struct msg *m, const struct msg *n)
{
	const struct msg_output *x = &m->u.output, *y = &n->u.output;

	SAME(x->unit, y->unit);
	SAME(x->lease, y->lease);
	SAME(x->stream, y->stream);
	SAME(x->offset, y->offset);
	SAME(x->bytes, y->bytes);
	SAME(x->skipped_bytes, y->skipped_bytes);
}

static void same_summary(const struct metric_summary *x, const struct metric_summary *y)
{
	SAME(x->count, y->count);
	same_f64(x->last, y->last);
	same_f64(x->last_step, y->last_step);
	same_f64(x->best, y->best);
	same_f64(x->best_step, y->best_step);
	same_f64(x->max_step, y->max_step);
	SAME(x->overwritten, y->overwritten);
}

static void same_finished(const struct msg *m, const struct msg *n)
{
	const struct msg_finished *x = &m->u.finished, *y = &n->u.finished;

	SAME(x->unit, y->unit);
	SAME(x->lease, y->lease);
	SAME(x->reason, y->reason);
	SAME(x->exit_code, y->exit_code);
	SAME(x->signal, y->signal);
	SAME(x->requeue, y->requeue);
	SAME(x->spawn_errno, y->spawn_errno);
	SAME(x->pid, y->pid);
	SAME(x->started_ms, y->started_ms);
	SAME(x->finished_ms, y->finished_ms);
	same_f64(x->user_seconds, y->user_seconds);
	same_f64(x->system_seconds, y->system_seconds);
	SAME(x->max_rss_kb, y->max_rss_kb);
	same_summary(&x->objective, &y->objective);
	assert_int_equal(x->tail_bytes, y->tail_bytes);
	assert_memory_equal(x->tail, y->tail, x->tail_bytes);
}

static void same_msg(const struct msg *x, const struct msg *y)
{
	static void (*const same[MSG_KIND_END])(const struct msg *, const struct msg *) = {
	    [MSG_HELLO] = same_hello,       [MSG_WELCOME] = same_welcome, [MSG_PHASE] = same_phase,
	    [MSG_ASSIGN] = same_assign,     [MSG_CANCEL] = same_lease,    [MSG_RECALL] = same_lease,
	    [MSG_STARTED] = same_started,   [MSG_METRIC] = same_metric,   [MSG_OUTPUT] = same_output,
	    [MSG_FINISHED] = same_finished, [MSG_RECALLED] = same_lease,  [MSG_BEAT] = same_beat,
	};

	assert_int_equal(x->kind, y->kind);
	if (same[x->kind])
		same[x->kind](x, y);
}

/* ---- helpers ---------------------------------------------------------------------------------------- */

/* What must hold of any message that was let through, whatever bytes it came from. */
static void check_ranges(const struct msg *m)
{
	assert_true(m->kind >= MSG_HELLO && m->kind < MSG_KIND_END);
	if (m->kind == MSG_FINISHED) {
		assert_true((unsigned)m->u.finished.reason < REASON_TOLD_COUNT);
		assert_true(m->u.finished.tail_bytes <= MSG_TAIL_MAX);
	} else if (m->kind == MSG_OUTPUT) {
		assert_true(m->u.output.stream == 1 || m->u.output.stream == 2);
	} else if (m->kind == MSG_ASSIGN) {
		assert_true(m->u.assign.argc >= 1 && m->u.assign.argc <= MSG_ARGS_MAX);
		assert_null(m->u.assign.argv[m->u.assign.argc]);
	} else if (m->kind == MSG_PHASE) {
		assert_int_equal(m->u.phase.limits.retry_on >> REASON_TOLD_COUNT, 0);
	}
}

/* Decode all of a frame from an exact-sized copy, so that a sanitizer sees any read past its end. Returns the
 * number of messages, -1 when refused or damaged. */
static int decode_all(const void *frame, size_t n)
{
	struct msg_reader it;
	struct arena a = {0};
	struct fault f = {0};
	struct msg m;
	void *copy = malloc(n ? n : 1);
	int count = 0, got;

	assert_non_null(copy);
	if (n)
		memcpy(copy, frame, n);
	if (msg_open(&it, copy, n, &f)) {
		assert_int_equal(f.code, FAULT_WORKER);
		free(copy);
		return -1;
	}
	while ((got = msg_next(&it, &a, &m, &f)) == 1) {
		check_ranges(&m);
		count++;
	}
	if (got < 0)
		assert_int_equal(f.code, FAULT_WORKER);
	/* A frame holds a message in no less than 5 bytes; what it decodes to must stay in proportion. */
	assert_true(a.used_bytes <= 64 * (n + 16));
	arena_finish(&a);
	free(copy);
	return got < 0 ? -1 : count;
}

static uint64_t seed(void)
{
	const char *s = getenv("SEED");

	return s ? strtoull(s, NULL, 10) : 1;
}

/* ---- tests ------------------------------------------------------------------------------------------- */

static void random_messages_round_trip(void **state)
{
	enum { MESSAGES = 200 };
	struct arena a = {0}, b = {0};
	struct bytes frame = {0};
	struct rng g;

	(void)state;
	rng_seed(&g, seed());
	for (int round = 0; round < 50; round++) {
		static struct msg sent[MESSAGES];
		struct msg_reader it;
		struct msg m;

		bytes_clear(&frame);
		for (int i = 0; i < MESSAGES; i++) {
			any_msg(&g, &a, &sent[i], (enum msg_kind)(1 + rng_below(&g, MSG_KIND_END - 1)));
			assert_int_equal(msg_encode(&frame, &sent[i]), 0);
		}
		assert_int_equal(msg_open(&it, frame.data, frame.len, NULL), 0);
		for (int i = 0; i < MESSAGES; i++) {
			assert_int_equal(msg_next(&it, &b, &m, NULL), 1);
			same_msg(&sent[i], &m);
		}
		assert_int_equal(msg_next(&it, &b, &m, NULL), 0);
		arena_reset(&a);
		arena_reset(&b);
	}
	bytes_finish(&frame);
	arena_finish(&a);
	arena_finish(&b);
}

/* A frame cut anywhere but between two messages is damaged; between two, it is a shorter frame. */
static void every_truncation_is_noticed(void **state)
{
	struct arena a = {0};
	struct rng g;

	(void)state;
	rng_seed(&g, seed());
	for (int kind = MSG_HELLO; kind < MSG_KIND_END; kind++) {
		struct bytes frame = {0};
		struct msg m;
		size_t first;

		any_msg(&g, &a, &m, (enum msg_kind)kind);
		msg_encode(&frame, &m);
		first = frame.len;
		any_msg(&g, &a, &m, (enum msg_kind)kind);
		msg_encode(&frame, &m);
		for (size_t n = 0; n <= frame.len; n++) {
			int want = n == 8 ? 0 : n == first ? 1 : n == frame.len ? 2 : -1;

			if (decode_all(frame.data, n) != want)
				fail_msg("kind %d cut at %zu of %zu", kind, n, frame.len);
		}
		bytes_finish(&frame);
	}
	arena_finish(&a);
}

static void flipped_bytes_yield_nothing_out_of_range(void **state)
{
	struct arena a = {0};
	struct rng g;

	(void)state;
	rng_seed(&g, seed());
	for (int round = 0; round < 3000; round++) {
		struct bytes frame = {0};
		struct msg m;

		for (int i = 0; i < 3; i++) {
			any_msg(&g, &a, &m, (enum msg_kind)(1 + rng_below(&g, MSG_KIND_END - 1)));
			msg_encode(&frame, &m);
		}
		for (uint64_t i = 0, n = 1 + rng_below(&g, 4); i < n; i++)
			frame.data[rng_below(&g, frame.len)] ^= (unsigned char)(1 + rng_below(&g, 255));
		decode_all(frame.data, frame.len);
		bytes_finish(&frame);
		arena_reset(&a);
	}
	arena_finish(&a);
}

static void wrong_values_are_refused(void **state)
{
	struct bytes frame = {0};
	struct msg m = {.kind = MSG_FINISHED};
	enum { BODY = 8 + 5, REASON_AT = BODY + 8, REQUEUE_AT = BODY + 17, TIMES_AT = BODY + 26 };

	(void)state;
	m.u.finished.tail = (const unsigned char *)"";
	msg_encode(&frame, &m);
	assert_int_equal(decode_all(frame.data, frame.len), 1);

	frame.data[REASON_AT] = REASON_TOLD_COUNT - 1;
	assert_int_equal(decode_all(frame.data, frame.len), 1);
	frame.data[REASON_AT] = REASON_TOLD_COUNT;
	assert_int_equal(decode_all(frame.data, frame.len), -1);
	frame.data[REASON_AT] = 0;

	frame.data[REQUEUE_AT] = 1;
	assert_int_equal(decode_all(frame.data, frame.len), 1);
	frame.data[REQUEUE_AT] = 2;
	assert_int_equal(decode_all(frame.data, frame.len), -1);
	frame.data[REQUEUE_AT] = 0;

	for (int i = 0; i < 2; i++) { /* times before 1970: no difference of two overflows */
		unsigned char *high = &frame.data[TIMES_AT + 8 * i + 7];

		*high = 0x7f;
		assert_int_equal(decode_all(frame.data, frame.len), 1);
		*high = 0x80;
		assert_int_equal(decode_all(frame.data, frame.len), -1);
		*high = 0;
	}

	frame.data[frame.len - 4] = 1; /* one byte of tail that is not there */
	assert_int_equal(decode_all(frame.data, frame.len), -1);
	bytes_finish(&frame);
}

/* A frame with one message of this kind and payload. */
static int decode_payload(uint8_t kind, const void *payload, size_t n)
{
	struct bytes frame = {0};
	int got;

	bytes_put_u32(&frame, MSG_MAGIC);
	bytes_put_u16(&frame, MSG_VERSION);
	bytes_put_u16(&frame, 0);
	bytes_put_u8(&frame, kind);
	bytes_put_blob(&frame, payload, n);
	got = decode_all(frame.data, frame.len);
	bytes_finish(&frame);
	return got;
}

static void counts_beyond_the_payload_allocate_nothing(void **state)
{
	struct bytes p = {0};

	(void)state;
	bytes_put_u64(&p, 0); /* unit, lease */
	bytes_put_u8(&p, 0);
	bytes_put_f64(&p, 0);
	bytes_put_u32(&p, UINT32_MAX); /* nvalues: 64 GiB of them */
	assert_int_equal(decode_payload(MSG_METRIC, p.data, p.len), -1);
	bytes_set_u32(&p, p.len - 4, 0);
	assert_int_equal(decode_payload(MSG_METRIC, p.data, p.len), 1);
	bytes_put_u8(&p, 0);
	assert_int_equal(decode_payload(MSG_METRIC, p.data, p.len), -1); /* a byte too many */
	bytes_finish(&p);
}

static void nul_in_a_text_is_refused(void **state)
{
	struct bytes p = {0};

	(void)state;
	bytes_put_blob(&p, "no\0de", 5);
	bytes_put_u32(&p, 1); /* pid, keeper_pid, space, life */
	bytes_put_u32(&p, 1);
	bytes_put_u64(&p, 1);
	bytes_put_u32(&p, 1);
	bytes_put_u32(&p, 1);
	bytes_put_u32(&p, 0);
	bytes_put_u64(&p, 0);
	assert_int_equal(decode_payload(MSG_HELLO, p.data, p.len), -1);
	p.data[6] = '-';
	assert_int_equal(decode_payload(MSG_HELLO, p.data, p.len), 1);
	bytes_finish(&p);
}

static void unknown_kinds_are_passed_over(void **state)
{
	struct bytes frame = {0};
	struct msg m = {.kind = MSG_STOP}, got;
	struct msg_reader it;
	struct arena a = {0};

	(void)state;
	msg_encode(&frame, &m);
	bytes_put_u8(&frame, MSG_KIND_END);
	bytes_put_blob(&frame, "from the future", 15);
	bytes_put_u8(&frame, 0);
	bytes_put_blob(&frame, "", 0);
	m = (struct msg){.kind = MSG_CANCEL, .u.lease = {7, 9}};
	msg_encode(&frame, &m);
	assert_int_equal(msg_open(&it, frame.data, frame.len, NULL), 0);
	assert_int_equal(msg_next(&it, &a, &got, NULL), 1);
	assert_int_equal(got.kind, MSG_STOP);
	assert_int_equal(msg_next(&it, &a, &got, NULL), 1);
	same_msg(&m, &got);
	assert_int_equal(msg_next(&it, &a, &got, NULL), 0);
	bytes_finish(&frame);
	arena_finish(&a);
}

static void foreign_frames_are_refused_with_a_reason(void **state)
{
	struct bytes frame = {0};
	struct msg m = {.kind = MSG_STOP};
	struct msg_reader it;
	struct arena a = {0};
	struct fault f;

	(void)state;
	msg_encode(&frame, &m);
	frame.data[4] = MSG_VERSION + 1;
	assert_int_equal(msg_open(&it, frame.data, frame.len, &f), -1);
	assert_non_null(strstr(f.text, "same ranksweep"));
	assert_int_equal(msg_next(&it, &a, &m, &f), -1);
	frame.data[4] = MSG_VERSION;
	frame.data[6] = 1;
	assert_int_equal(msg_open(&it, frame.data, frame.len, &f), -1);
	frame.data[6] = 0;
	frame.data[0] ^= 1;
	assert_int_equal(msg_open(&it, frame.data, frame.len, &f), -1);
	bytes_room(&frame, MSG_FRAME_MAX + 1);
	frame.data[0] ^= 1;
	memset(frame.data + frame.len, 0, MSG_FRAME_MAX + 1 - frame.len);
	assert_int_equal(msg_open(&it, frame.data, MSG_FRAME_MAX + 1, &f), -1);
	bytes_finish(&frame);
}

static void a_full_frame_stays_as_it_was(void **state)
{
	struct bytes frame = {0};
	char *big = malloc(700000);
	const char *argv[] = {"train", big, NULL};
	struct msg m = {.kind = MSG_ASSIGN, .u.assign = {.dir = "", .params = "{}", .argv = argv, .argc = 2}};
	size_t len;

	(void)state;
	assert_non_null(big);
	memset(big, 'x', 699999);
	big[699999] = 0;
	assert_int_equal(msg_encode(&frame, &m), 0);
	assert_int_equal(msg_encode(&frame, &m), 0);
	len = frame.len;
	assert_int_equal(msg_encode(&frame, &m), -1);
	assert_int_equal(frame.len, len);
	assert_int_equal(decode_all(frame.data, frame.len), 2);
	/* the smaller one still fits */
	m = (struct msg){.kind = MSG_STOP};
	assert_int_equal(msg_encode(&frame, &m), 0);
	assert_int_equal(decode_all(frame.data, frame.len), 3);
	bytes_finish(&frame);
	free(big);
}

/* An empty frame stays empty too: not even the header of what did not fit. */
static void what_never_fits_leaves_an_empty_frame(void **state)
{
	static const char *argv[MSG_ARGS_MAX + 2];
	struct bytes frame = {0};
	struct msg m = {.kind = MSG_ASSIGN,
	                .u.assign = {.dir = "", .params = "", .argv = argv, .argc = MSG_ARGS_MAX + 1}};

	(void)state;
	for (int i = 0; i <= MSG_ARGS_MAX; i++)
		argv[i] = "";
	assert_int_equal(msg_encode(&frame, &m), -1);
	assert_int_equal(frame.len, 0);
	m.u.assign.argc = MSG_ARGS_MAX;
	assert_int_equal(msg_encode(&frame, &m), 0);
	assert_int_equal(decode_all(frame.data, frame.len), 1);
	bytes_finish(&frame);
}

static void a_long_tail_keeps_its_end(void **state)
{
	static unsigned char tail[MSG_TAIL_MAX + 100];
	struct bytes frame = {0};
	struct msg m = {.kind = MSG_FINISHED}, got;
	struct msg_reader it;
	struct arena a = {0};

	(void)state;
	memset(tail, 'a', sizeof tail);
	memcpy(tail + sizeof tail - 5, "error", 5);
	m.u.finished.tail = tail;
	m.u.finished.tail_bytes = sizeof tail;
	msg_encode(&frame, &m);
	assert_int_equal(msg_open(&it, frame.data, frame.len, NULL), 0);
	assert_int_equal(msg_next(&it, &a, &got, NULL), 1);
	assert_int_equal(got.u.finished.tail_bytes, MSG_TAIL_MAX);
	assert_memory_equal(got.u.finished.tail + MSG_TAIL_MAX - 5, "error", 5);
	bytes_finish(&frame);
}

/* The bytes of one message of each kind, as a number: when this fails the wire format has changed, and
 * MSG_VERSION must change with it. */
static void format_is_that_of_this_version(void **state)
{
	struct bytes frame = {0};
	struct arena a = {0};
	struct rng g;

	(void)state;
	rng_seed(&g, 42);
	for (int kind = MSG_HELLO; kind < MSG_KIND_END; kind++) {
		struct msg m;

		any_msg(&g, &a, &m, (enum msg_kind)kind);
		msg_encode(&frame, &m);
	}
	assert_int_equal(MSG_VERSION, 3);
	assert_int_equal(rng_hash(0, frame.data, frame.len), 0x5ff3aac8903df5b3);
	bytes_finish(&frame);
	arena_finish(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_messages_round_trip),
	    cmocka_unit_test(every_truncation_is_noticed),
	    cmocka_unit_test(flipped_bytes_yield_nothing_out_of_range),
	    cmocka_unit_test(wrong_values_are_refused),
	    cmocka_unit_test(counts_beyond_the_payload_allocate_nothing),
	    cmocka_unit_test(nul_in_a_text_is_refused),
	    cmocka_unit_test(unknown_kinds_are_passed_over),
	    cmocka_unit_test(foreign_frames_are_refused_with_a_reason),
	    cmocka_unit_test(a_full_frame_stays_as_it_was),
	    cmocka_unit_test(what_never_fits_leaves_an_empty_frame),
	    cmocka_unit_test(a_long_tail_keeps_its_end),
	    cmocka_unit_test(format_is_that_of_this_version),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
