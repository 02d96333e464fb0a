/* worker: one rank's share of the work.
 *
 * An ASSIGN is queued, in order, and started as soon as the cpus, gpus and memory it needs are free here:
 * rank 0 sends a little more than fits, so that no core waits for a round trip. A started unit is a `struct
 * live`: three pipes, their line splitters, two output streams, and timers. It ends when the keeper says that
 * its whole tree is gone; what is left in the pipes is read, the output is flushed, and one FINISHED carries
 * everything rank 0 must know.
 *
 * Rank 0 may have been cut off from us and have given our units to others. So they run on a lease: each BEAT
 * that comes back proves that rank 0 counted us in after it was sent, and extends the lease to lost_after
 * from then. The keeper watches it. When it has ended, all that we have is renounced: nothing is said of it
 * any more, and when nothing of it runs, we introduce ourselves anew (see `life` in msg.h).
 *
 * A frame waits for company where nobody waits for it: FRAME_DELAY_MS with nothing but STARTED and METRIC in
 * it, RESULT_DELAY_MS with a FINISHED while more units are queued here. And the pipes of a unit are not
 * looked at in its first LISTEN_AFTER_MS: what a short one says is read when it ends, with one wake-up
 * instead of four; a pipe holds 64 KiB until then. */
#include "worker.h"

#include "ending.h"
#include "host.h"
#include "must.h"
#include "output.h"
#include "phase_env.h"
#include "regex.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FRAME_DELAY_MS = 20,
	RESULT_DELAY_MS = 8,
	LISTEN_AFTER_MS = 5,
	FLUSH_MS = 1000,
	READ_BYTES = 64 * 1024,
	FDS_PER_LIVE = 3,
	BRIEF_MS = 20,
	BEATS_PER_LEASE = 6,
	BEATS_UNANSWERED = 3, /* more are not sent: they would only wait in the same queue */
	/* Times lost_after without a word of rank 0: it will not come any more. After a cut TCP waits as long
	 * again as the cut was before it tries once more. */
	SILENCE = 10,
	PATIENCE_MS = 600000, /* the same, before it has said anything */
	MAX_PHASES = 4096
};

struct queued { /* an ASSIGN that has not started */
	struct queued *next;
	uint32_t unit, lease, cpus, gpus;
	int64_t memory_bytes;
	struct bytes raw; /* the message in a frame of its own: decoded again when it starts */
};

struct phase_spec {
	struct arena arena;
	struct msg_phase p;
	const char **env; /* what the environments of all its attempts have in common */
	uint32_t nenv;
	struct regex **captures;
};

struct stream {
	int fd;
	struct metric_splitter lines;
	struct output_stream output; /* unused for the metric descriptor */
};

struct live {
	struct live *next;
	struct worker *w;
	struct phase_spec *phase;
	uint32_t unit, lease, attempt;
	uint32_t pid;
	bool untold;    /* it has started, and rank 0 does not know yet */
	bool renounced; /* it is to end, and rank 0 hears no more of it */
	struct stream out, err, metric;
	struct metric_summary objective;
	int64_t started_ms;                     /* epoch */
	int64_t listen_at;                      /* monotonic, as these: */
	int64_t timeout_at, heard_at, flush_at; /* INT64_MAX: none */
	enum reason stopped_for;                /* why we ended it; NONE: we did not */
	uint32_t ngpus, ncpus;
	uint32_t *cpus, *gpus; /* indices into the share */
};

struct worker {
	struct keeper *keeper;
	struct arena scratch;
	uint32_t rank, slots, free_slots, ncpus, ngpus;
	uint32_t last_lease; /* they come in order: a lower one has been here */
	int64_t memory_bytes, free_memory;
	uint32_t *cpu_ids;
	bool *cpu_used, *gpu_used;
	char **gpu_names;
	/* from WELCOME */
	bool welcome;
	char *study, *cwd, *out_dir;
	int64_t deadline_ms;
	struct arena arena;
	const char **base_env;
	uint32_t nbase_env;
	struct output_file file;
	struct phase_spec **phases; /* by index, NULL: not told */
	struct queued *queue, **queue_end;
	struct live *live, *spare;
	uint32_t nlive;
	struct bytes out;
	bool urgent, has_result, stopped; /* urgent, has_result: of what is in `out` */
	double recent_ms;                 /* how long a unit runs here: moving average */
	int64_t out_since, now_ms;
	/* Of rank 0, and of our standing with it; on rank 0 itself unused. */
	struct worker_leader leader;
	uint32_t life;
	bool renouncing; /* from the end of the lease until rank 0 welcomes the next life */
	bool greeted;    /* ... and the HELLO of that life is said */
	int64_t hello_ms, heard_ms, beat_at, lost_after_ms, lease_ms;
	uint32_t beats;      /* without answer */
	struct fault broken; /* first failure while encoding or reading: reported by worker_step */
};

static void free_live(struct live *l)
{
	output_stream_finish(&l->out.output);
	output_stream_finish(&l->err.output);
	free(l->cpus);
	free(l->gpus);
	free(l);
}

static void free_list(struct live *l)
{
	while (l) {
		struct live *next = l->next;

		free_live(l);
		l = next;
	}
}

static void drop_queue(struct worker *w)
{
	while (w->queue) {
		struct queued *q = w->queue;

		w->queue = q->next;
		bytes_finish(&q->raw);
		free(q);
	}
	w->queue_end = &w->queue;
}

void worker_close(struct worker *w)
{
	if (!w)
		return;
	free_list(w->live);
	free_list(w->spare);
	drop_queue(w);
	for (uint32_t i = 0; i < MAX_PHASES; i++)
		if (w->phases[i]) {
			for (uint32_t c = 0; c < w->phases[i]->p.ncaptures; c++)
				regex_close(w->phases[i]->captures[c]);
			arena_finish(&w->phases[i]->arena);
			free(w->phases[i]);
		}
	for (uint32_t i = 0; i < w->ngpus; i++)
		free(w->gpu_names[i]);
	output_close(&w->file);
	arena_finish(&w->scratch);
	arena_finish(&w->arena);
	bytes_finish(&w->out);
	free(w->phases);
	free(w->cpu_ids);
	free(w->cpu_used);
	free(w->gpu_used);
	free(w->gpu_names);
	free(w);
}

/* ---- sending ------------------------------------------------------------------------------ */

static void say(struct worker *w, const struct msg *m, bool urgent)
{
	if (!w->out.len)
		w->out_since = w->now_ms;
	if (msg_encode(&w->out, m) && !w->broken.code)
		fault_set(&w->broken, FAULT_BUG, "rank %u: more than a frame of messages in one turn",
		          w->rank);
	w->urgent = w->urgent || urgent;
	if (w->out.len > MSG_FRAME_MAX / 4)
		w->urgent = true;
}

/* When what is in `out` is to leave. A result that makes the queue empty is awaited: by the next units. */
static int64_t out_at(const struct worker *w)
{
	if (!w->has_result)
		return w->out_since + FRAME_DELAY_MS;
	return w->queue ? w->out_since + RESULT_DELAY_MS : w->out_since;
}

struct bytes *worker_out(struct worker *w)
{
	static struct bytes none;

	if (!w->urgent && (!w->out.len || w->now_ms < out_at(w)))
		return &none;
	w->urgent = w->has_result = false;
	return &w->out;
}

/* Of a unit: nothing any more once it is renounced. */
static void say_of(const struct live *l, const struct msg *m, bool urgent)
{
	if (!l->renounced)
		say(l->w, m, urgent);
}

static void say_hello(struct worker *w)
{
	struct msg m = {.kind = MSG_HELLO,
	                .u.hello = {.host = host_name(),
	                            .pid = (uint32_t)getpid(),
	                            .keeper_pid = (uint32_t)keeper_pid(w->keeper),
	                            .space = host_identity("pid"),
	                            .life = ++w->life,
	                            .cpus = w->slots,
	                            .gpus = w->ngpus,
	                            .memory_bytes = w->memory_bytes}};

	w->greeted = true;
	w->hello_ms = w->now_ms;
	say(w, &m, true);
}

/* ---- are we counted in? -------------------------------------------------------------------- */

/* An answer that comes too late extends nothing: the next one may. */
static void extend_lease(struct worker *w, int64_t asked_ms)
{
	if (asked_ms + w->lost_after_ms <= w->lease_ms)
		return; /* answers may come twice */
	w->lease_ms = asked_ms + w->lost_after_ms;
	if (w->lease_ms > w->now_ms)
		child_lease(w->keeper, w->lease_ms, &w->broken);
}

static bool may_start(const struct worker *w)
{
	return w->rank == 0 || w->now_ms < w->lease_ms;
}

static void beat(struct worker *w)
{
	struct msg m = {.kind = MSG_BEAT, .u.beat.sent_ms = w->now_ms};

	w->beat_at = w->now_ms + w->lost_after_ms / BEATS_PER_LEASE;
	if (w->beats == BEATS_UNANSWERED)
		return;
	w->beats++;
	say(w, &m, true);
}

static void on_beat(struct worker *w, const struct msg_beat *m)
{
	w->beats = 0;
	extend_lease(w, m->sent_ms);
}

/* The keeper is ending what it knows of; what was on its way there is ended as well. */
static void renounce(struct worker *w)
{
	if (w->renouncing)
		return;
	w->renouncing = true;
	w->greeted = false;
	w->beat_at = INT64_MAX;
	drop_queue(w);
	for (struct live *l = w->live; l; l = l->next) {
		l->renounced = true;
		child_stop(w->keeper, l->lease, l->phase->p.limits.grace_ms, &w->broken);
	}
}

static int64_t silent_at(const struct worker *w)
{
	return w->rank == 0 ? INT64_MAX : w->heard_ms + SILENCE * w->lost_after_ms;
}

static void watch_leader(struct worker *w)
{
	if (w->now_ms >= w->beat_at)
		beat(w);
	if (w->renouncing && !w->greeted && !w->nlive)
		say_hello(w);
	if (w->now_ms >= silent_at(w) && !w->broken.code)
		fault_set(&w->broken, FAULT_WORKER, "rank %u: nothing heard of rank 0 for %lld s: ending",
		          w->rank, (long long)(w->now_ms - w->heard_ms) / 1000);
}

int worker_open(struct worker **out, struct keeper *k, const struct worker_share *share, struct fault *f)
{
	struct worker *w = must_have(calloc(1, sizeof *w));

	(void)f;
	w->keeper = k;
	w->rank = share->rank;
	w->slots = w->free_slots = share->slots;
	w->ncpus = share->ncpus;
	w->ngpus = share->ngpus;
	w->memory_bytes = w->free_memory = share->memory_bytes;
	w->file.fd = -1;
	w->queue_end = &w->queue;
	w->cpu_ids = must_have(calloc(share->ncpus + 1, sizeof *w->cpu_ids));
	w->cpu_used = must_have(calloc(share->ncpus + 1, sizeof *w->cpu_used));
	w->gpu_used = must_have(calloc(share->ngpus + 1, sizeof *w->gpu_used));
	w->gpu_names = must_have(calloc(share->ngpus + 1, sizeof *w->gpu_names));
	for (uint32_t i = 0; i < share->ncpus; i++)
		w->cpu_ids[i] = share->cpus[i];
	for (uint32_t i = 0; i < share->ngpus; i++)
		w->gpu_names[i] = must_have(strdup(share->gpus[i]));
	w->phases = must_have(calloc(MAX_PHASES, sizeof(struct phase_spec *)));
	w->recent_ms = 1000;
	w->now_ms = w->heard_ms = host_monotonic_ms();
	w->beat_at = INT64_MAX;
	w->lost_after_ms = PATIENCE_MS / SILENCE;
	say_hello(w);
	*out = w;
	return 0;
}

/* ---- what trainers say -------------------------------------------------------------------- */

static void take_metrics(struct live *l, const struct metric_line *m)
{
	struct text_number values[METRIC_PER_LINE];
	struct msg msg = {.kind = MSG_METRIC,
	                  .u.metric = {.unit = l->unit,
	                               .lease = l->lease,
	                               .has_step = m->has_step,
	                               .step = m->step,
	                               .values = values,
	                               .nvalues = m->count}};

	for (uint32_t i = 0; i < m->count; i++) {
		values[i].name = m->samples[i].name;
		values[i].value = m->samples[i].value;
		if (!strcmp(m->samples[i].name, l->phase->p.metric))
			metric_summary_add(&l->objective, l->phase->p.maximize, m->samples[i].value,
			                   m->has_step, m->step);
	}
	say_of(l, &msg, false);
}

static void take_captures(struct live *l, const char *line, size_t n)
{
	struct metric_line m;

	for (uint32_t i = 0; i < l->phase->p.ncaptures; i++) {
		size_t at, len;

		m.count = 0;
		m.has_step = false;
		if (!regex_match(l->phase->captures[i], line, n, &at, &len) ||
		    !text_parse_double(line + at, len, &m.samples[0].value))
			continue;
		snprintf(m.samples[0].name, sizeof m.samples[0].name, "%s", l->phase->p.captures[i].metric);
		m.count = 1;
		take_metrics(l, &m);
	}
}

static void on_stdout_line(void *ctx, const char *line, size_t n)
{
	struct live *l = ctx;
	struct metric_line m;

	if (metric_parse(line, n, true, &m) == 1)
		take_metrics(l, &m);
	take_captures(l, line, n);
}

static void on_stderr_line(void *ctx, const char *line, size_t n)
{
	take_captures(ctx, line, n);
}

static void on_metric_line(void *ctx, const char *line, size_t n)
{
	struct live *l = ctx;
	struct metric_line m;

	if (metric_parse(line, n, false, &m) == 1)
		take_metrics(l, &m);
}

static void on_segment(void *ctx, uint8_t stream, uint64_t offset, uint32_t bytes, uint64_t skipped)
{
	struct live *l = ctx;
	struct msg m = {.kind = MSG_OUTPUT,
	                .u.output = {.unit = l->unit,
	                             .lease = l->lease,
	                             .stream = stream,
	                             .offset = offset,
	                             .bytes = bytes,
	                             .skipped_bytes = skipped}};

	say_of(l, &m, false);
}

static void close_stream(struct stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* Bytes of one stream; n = 0: its end. */
static void take_bytes(struct live *l, struct stream *s, const char *p, size_t n)
{
	bool end = n == 0;

	if (s == &l->metric) {
		metric_split(&s->lines, p, n, end, on_metric_line, l);
		return;
	}
	/* stderr is only looked at line by line where a capture may be in it */
	if (s == &l->out || l->phase->p.ncaptures)
		metric_split(&s->lines, p, n, end, s == &l->out ? on_stdout_line : on_stderr_line, l);
	if (n)
		output_put(&l->w->file, &s->output, l->unit, l->attempt, p, n, on_segment, l);
}

/* Read once. True when there may be more. */
static bool read_stream(struct live *l, struct stream *s)
{
	static char buf[READ_BYTES];
	ssize_t n;

	if (s->fd < 0)
		return false;
	do
		n = read(s->fd, buf, sizeof buf);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n <= 0) {
		take_bytes(l, s, buf, 0);
		close_stream(s);
		return false;
	}
	l->heard_at = l->w->now_ms;
	if (l->flush_at == INT64_MAX)
		l->flush_at = l->w->now_ms + FLUSH_MS;
	take_bytes(l, s, buf, (size_t)n);
	return true;
}

static void drain(struct live *l, struct stream *s)
{
	while (read_stream(l, s))
		;
	if (s->fd >= 0) {
		take_bytes(l, s, "", 0);
		close_stream(s);
	}
}

/* ---- starting ----------------------------------------------------------------------------- */

static uint32_t take_places(bool *used, uint32_t n, uint32_t wanted, uint32_t *out)
{
	uint32_t got = 0;

	for (uint32_t i = 0; i < n && got < wanted; i++)
		if (!used[i]) {
			used[i] = true;
			out[got++] = i;
		}
	return got;
}

static void give_back(struct worker *w, struct live *l)
{
	struct limits *lim = &l->phase->p.limits;

	for (uint32_t i = 0; i < l->ncpus; i++)
		w->cpu_used[l->cpus[i]] = false;
	for (uint32_t i = 0; i < l->ngpus; i++)
		w->gpu_used[l->gpus[i]] = false;
	w->free_slots += lim->cpus;
	w->free_memory += lim->memory_bytes;
}

static struct live *new_live(struct worker *w)
{
	struct live *l = w->spare;

	if (l) {
		w->spare = l->next;
	} else {
		l = must_have(calloc(1, sizeof *l));
		l->w = w;
		l->cpus = must_have(calloc(w->ncpus + 1, sizeof *l->cpus));
		l->gpus = must_have(calloc(w->ngpus + 1, sizeof *l->gpus));
		l->out.output.number = 1;
		l->err.output.number = 2;
	}
	l->out.fd = l->err.fd = l->metric.fd = -1;
	l->out.lines.len = l->err.lines.len = l->metric.lines.len = 0;
	l->out.lines.skipping = l->err.lines.skipping = l->metric.lines.skipping = false;
	for (struct stream *s = &l->out; s; s = s == &l->out ? &l->err : NULL) {
		bytes_clear(&s->output.pending);
		bytes_clear(&s->output.tail);
		bytes_clear(&s->output.last);
		s->output.written = s->output.skipped = 0;
	}
	metric_summary_init(&l->objective);
	l->stopped_for = REASON_NONE;
	l->ncpus = l->ngpus = 0;
	l->pid = 0;
	l->untold = l->renounced = false;
	l->next = w->live;
	w->live = l;
	w->nlive++;
	return l;
}

static void retire(struct worker *w, struct live *l)
{
	struct live **p = &w->live;

	while (*p != l)
		p = &(*p)->next;
	*p = l->next;
	w->nlive--;
	close_stream(&l->out);
	close_stream(&l->err);
	close_stream(&l->metric);
	l->next = w->spare;
	w->spare = l;
}

/* A program that was refused memory by its limit fails as it likes; its last words say why. */
static enum reason with_words(const struct live *l, enum reason r, const struct bytes *last)
{
	bool failed = r == REASON_EXIT || r == REASON_SIGNAL;

	return failed && l->phase->p.limits.memory_bytes && ending_speaks_of_memory(last->data, last->len)
	           ? REASON_OOM
	           : r;
}

static void finish(struct live *l, enum reason reason, const struct child_event *e, int error)
{
	struct worker *w = l->w;
	struct output_stream *tail;
	struct msg m = {.kind = MSG_FINISHED};
	struct msg_finished *r = &m.u.finished;

	drain(l, &l->out); /* in the order of worker_step(): what is latest must not depend on when we read */
	drain(l, &l->err);
	drain(l, &l->metric);
	output_flush(&w->file, &l->out.output, l->unit, l->attempt, true, on_segment, l);
	output_flush(&w->file, &l->err.output, l->unit, l->attempt, true, on_segment, l);
	tail = l->err.output.last.len ? &l->err.output : &l->out.output; /* now that all of it is read */
	r->unit = l->unit;
	r->lease = l->lease;
	r->reason = with_words(l, reason, &tail->last);
	r->exit_code = e ? e->exit_code : -1;
	r->signal = e ? e->signal : 0;
	r->requeue = reason == REASON_REQUEUE;
	r->spawn_errno = error;
	r->pid = l->pid;
	r->started_ms = l->started_ms;
	r->finished_ms = host_epoch_ms();
	w->recent_ms += ((double)(r->finished_ms - r->started_ms) - w->recent_ms) * 0.1;
	r->user_seconds = e ? e->user_seconds : 0;
	r->system_seconds = e ? e->system_seconds : 0;
	r->max_rss_kb = e ? e->max_rss_kb : 0;
	r->objective = l->objective;
	r->tail = tail->last.data;
	r->tail_bytes = tail->last.len < MSG_TAIL_MAX ? tail->last.len : MSG_TAIL_MAX;
	say_of(l, &m, false);
	w->has_result = !l->renounced;
	retire(w, l);
}

/* Whoever saves on our TERM and ends with 75 has not failed, whatever the TERM was for. */
static enum reason judge(const struct live *l, const struct child_event *e)
{
	if (l->stopped_for != REASON_NONE)
		return e->exit_code == 75 ? REASON_REQUEUE : l->stopped_for;
	if (e->oom)
		return REASON_OOM;
	if (e->signal)
		return REASON_SIGNAL;
	if (e->exit_code == 75)
		return REASON_REQUEUE;
	return e->exit_code ? REASON_EXIT : REASON_NONE;
}

static const char *set(struct arena *a, const char *name, const char *value)
{
	size_t n = strlen(name), m = strlen(value);
	char *p = arena_alloc(a, n + m + 2);

	memcpy(p, name, n);
	p[n] = '=';
	memcpy(p + n + 1, value, m);
	return p;
}

static const char *set_int(struct arena *a, const char *name, int64_t value)
{
	char buf[TEXT_NUMBER];

	text_int(buf, value);
	return set(a, name, buf);
}

static const char *gpu_list(struct worker *w, const struct live *l)
{
	const char *list = "";

	for (uint32_t i = 0; i < l->ngpus; i++)
		list = arena_printf(&w->scratch, "%s%s%s", list, i ? "," : "", w->gpu_names[l->gpus[i]]);
	return list;
}

static int64_t unit_deadline(const struct worker *w, const struct live *l)
{
	int64_t timeout = l->phase->p.limits.timeout_ms, own = l->started_ms + timeout;

	return timeout && (!w->deadline_ms || own < w->deadline_ms) ? own : w->deadline_ms;
}

/* Environment of one attempt: what the phase has, then what is its own. */
static const char **unit_env(struct worker *w, const struct live *l, const struct msg_assign *as, bool resume)
{
	struct arena *a = &w->scratch;
	const struct phase_spec *ph = l->phase;
	const char **env = arena_array(a, ph->nenv + 16, sizeof *env);
	uint32_t n = ph->nenv;
	int64_t deadline = unit_deadline(w, l);

	memcpy(env, ph->env, n * sizeof *env);
	env[n++] = set_int(a, "RANKSWEEP_TRIAL", as->trial);
	env[n++] = set_int(a, "RANKSWEEP_UNIT", as->unit);
	env[n++] = set_int(a, "RANKSWEEP_ATTEMPT", as->attempt);
	env[n++] = set_int(a, "RANKSWEEP_FOLD", as->fold);
	env[n++] = set_int(a, "RANKSWEEP_FOLDS", as->folds);
	env[n++] = set_int(a, "RANKSWEEP_OUTER_FOLD", as->outer_fold);
	env[n++] = set_int(a, "RANKSWEEP_OUTER_FOLDS", as->outer_folds);
	env[n++] = arena_printf(a, "RANKSWEEP_SEED=%llu", (unsigned long long)as->seed);
	env[n++] = set(a, "RANKSWEEP_PARAMS", as->params);
	env[n++] = set_int(a, "RANKSWEEP_RESUME", resume);
	if (as->dir[0])
		env[n++] = set(a, "RANKSWEEP_DIR", as->dir);
	if (deadline)
		env[n++] = set_int(a, "RANKSWEEP_DEADLINE", deadline / 1000);
	if (w->ngpus)
		env[n++] = set(a, "CUDA_VISIBLE_DEVICES", gpu_list(w, l));
	env[n] = NULL;
	return env;
}

/* The directory must be there; does it hold an earlier attempt's files? */
static int prepare_dir(const char *dir, bool *resume, struct fault *f)
{
	*resume = false;
	if (!dir[0])
		return 0;
	*resume = !host_dir_empty(dir);
	return host_make_dirs(dir, f);
}

static void set_timers(struct live *l)
{
	const struct limits *lim = &l->phase->p.limits;

	l->started_ms = host_epoch_ms();
	l->heard_at = l->w->now_ms;
	l->listen_at = l->w->now_ms + LISTEN_AFTER_MS;
	l->timeout_at = lim->timeout_ms ? l->w->now_ms + lim->timeout_ms : INT64_MAX;
	l->flush_at = INT64_MAX;
}

/* Tell what went wrong before any trainer ran, in the place where its stderr would be. */
static void fail_start(struct live *l, const char *text, int error)
{
	output_put(&l->w->file, &l->err.output, l->unit, l->attempt, text, strlen(text), on_segment, l);
	output_put(&l->w->file, &l->err.output, l->unit, l->attempt, "\n", 1, on_segment, l);
	give_back(l->w, l);
	finish(l, REASON_SPAWN, NULL, error);
}

static void start(struct worker *w, const struct msg_assign *as)
{
	struct live *l = new_live(w);
	const struct limits *lim = &w->phases[as->phase]->p.limits;
	uint32_t ids[1024];
	struct child_spec spec = {.id = as->lease,
	                          .argv = as->argv,
	                          .cwd = w->cwd,
	                          .grace_ms = lim->grace_ms,
	                          .memory_bytes = lim->memory_bytes};
	struct child_pipes pipes;
	struct fault f = {0};
	bool resume;

	l->phase = w->phases[as->phase];
	l->unit = as->unit;
	l->lease = as->lease;
	l->attempt = as->attempt;
	w->free_slots -= lim->cpus;
	w->free_memory -= lim->memory_bytes;
	l->ncpus = take_places(w->cpu_used, w->ncpus, lim->cpus, l->cpus);
	l->ngpus = take_places(w->gpu_used, w->ngpus, lim->gpus, l->gpus);
	for (uint32_t i = 0; i < l->ncpus && i < 1024; i++)
		ids[i] = w->cpu_ids[l->cpus[i]];
	set_timers(l);
	if (prepare_dir(as->dir, &resume, &f)) {
		fail_start(l, f.text, EIO);
		return;
	}
	spec.envp = unit_env(w, l, as, resume);
	spec.setup = l->phase->p.setup[0] ? l->phase->p.setup : NULL;
	spec.cpus = ids;
	/* Moving a unit of a few milliseconds to its own cpus costs more than it gains. */
	spec.ncpus = w->recent_ms < BRIEF_MS ? 0 : l->ncpus < 1024 ? l->ncpus : 1024;
	if (child_start(w->keeper, &spec, &pipes, &f)) {
		fail_start(l, f.text, EIO);
		return;
	}
	l->out.fd = pipes.out;
	l->err.fd = pipes.err;
	l->metric.fd = pipes.metric;
}

static bool fits(const struct worker *w, const struct queued *q)
{
	uint32_t gpus = 0;

	for (uint32_t i = 0; i < w->ngpus; i++)
		gpus += !w->gpu_used[i];
	return q->cpus <= w->free_slots && q->gpus <= gpus &&
	       (!w->memory_bytes || q->memory_bytes <= w->free_memory);
}

static void start_queued(struct worker *w)
{
	struct queued **p = &w->queue;

	while (*p && w->free_slots && may_start(w)) {
		struct queued *q = *p;
		struct msg_reader it;
		struct msg m;

		if (!fits(w, q)) {
			p = &q->next;
			continue;
		}
		*p = q->next;
		arena_reset(&w->scratch);
		if (!msg_open(&it, q->raw.data, q->raw.len, &w->broken) &&
		    msg_next(&it, &w->scratch, &m, &w->broken) == 1)
			start(w, &m.u.assign);
		bytes_finish(&q->raw);
		free(q);
	}
	w->queue_end = &w->queue;
	while (*w->queue_end)
		w->queue_end = &(*w->queue_end)->next;
}

/* ---- what rank 0 says --------------------------------------------------------------------- */

static void join(struct worker *w, const struct msg_welcome *m)
{
	w->renouncing = false;
	w->beats = 0;
	w->lost_after_ms = m->lost_after_ms;
	w->leader = (struct worker_leader){.pid = m->pid, .space = m->space};
	if (w->rank == 0)
		return;
	extend_lease(w, w->hello_ms);
	beat(w);
}

static int on_welcome(struct worker *w, const struct msg_welcome *m, struct fault *f)
{
	char *path;

	if (m->life != w->life)
		return 0;
	join(w, m);
	if (w->welcome)
		return 0;
	w->welcome = true;
	w->study = arena_strdup(&w->arena, m->study);
	w->cwd = arena_strdup(&w->arena, m->cwd);
	w->out_dir = arena_strdup(&w->arena, m->out_dir);
	w->deadline_ms = m->deadline_ms;
	w->base_env = host_trainer_env(&w->arena, m->env_file[0] ? m->env_file : NULL, &w->nbase_env);
	path = arena_printf(&w->arena, "%s/log", w->out_dir);
	if (host_make_dirs(path, f))
		return -1;
	path = arena_printf(&w->arena, "%s/log/run%llu-rank%u.log", w->out_dir, (unsigned long long)m->run,
	                    w->rank);
	return output_open(&w->file, path, f);
}

static void set_env(const struct worker *w, struct phase_spec *s)
{
	const struct phase_env common = {.base = w->base_env,
	                                 .nbase = w->nbase_env,
	                                 .own = s->p.env,
	                                 .nown = s->p.nenv,
	                                 .study = w->study,
	                                 .phase = s->p.name,
	                                 .threads = s->p.limits.cpus};

	s->env = phase_env(&s->arena, &common, 1, &s->nenv);
	s->env[s->nenv++] = set_int(&s->arena, "RANKSWEEP_METRIC_FD", CHILD_METRIC_FD);
}

static int on_phase(struct worker *w, const struct msg *m, struct fault *f)
{
	struct phase_spec *s;
	struct bytes raw = {0};
	struct msg_reader it;
	struct msg own;
	int bad;

	if (m->u.phase.phase >= MAX_PHASES || !w->welcome)
		return fault_set(f, FAULT_BUG, "a phase that cannot be");
	if (w->phases[m->u.phase.phase])
		return 0; /* told in an earlier life: of one number nothing else is ever told */
	s = must_have(calloc(1, sizeof *s));
	bad = msg_encode(&raw, m) || msg_open(&it, raw.data, raw.len, f) ||
	      msg_next(&it, &s->arena, &own, f) != 1;
	bytes_finish(&raw);
	w->phases[m->u.phase.phase] = s;
	if (bad) {
		s->p.ncaptures = 0;
		return fault_set(f, FAULT_BUG, "phase %s does not fit a message", m->u.phase.name);
	}
	s->p = own.u.phase;
	set_env(w, s);
	s->captures = arena_array(&s->arena, s->p.ncaptures + 1, sizeof(struct regex *));
	for (uint32_t i = 0; i < s->p.ncaptures; i++)
		if (!(s->captures[i] = regex_open(s->p.captures[i].pattern, f)))
			return -1;
	return 0;
}

static int on_assign(struct worker *w, const struct msg *m, struct fault *f)
{
	struct queued *q;
	const struct limits *lim;

	if (m->u.assign.phase >= MAX_PHASES || !w->phases[m->u.assign.phase])
		return fault_set(f, FAULT_BUG, "unit %u of a phase that was not told", m->u.assign.unit);
	if (m->u.assign.lease <= w->last_lease)
		return 0;
	w->last_lease = m->u.assign.lease;
	lim = &w->phases[m->u.assign.phase]->p.limits;
	q = must_have(calloc(1, sizeof *q));
	q->unit = m->u.assign.unit;
	q->lease = m->u.assign.lease;
	q->cpus = lim->cpus;
	q->gpus = lim->gpus;
	q->memory_bytes = lim->memory_bytes;
	if (msg_encode(&q->raw, m)) {
		free(q);
		return fault_set(f, FAULT_BUG, "unit %u does not fit a message", m->u.assign.unit);
	}
	*w->queue_end = q;
	w->queue_end = &q->next;
	return 0;
}

static struct queued *take_queued(struct worker *w, uint32_t lease)
{
	for (struct queued **p = &w->queue; *p; p = &(*p)->next)
		if ((*p)->lease == lease) {
			struct queued *q = *p;

			*p = q->next;
			if (w->queue_end == &q->next)
				w->queue_end = p;
			return q;
		}
	return NULL;
}

static void on_recall(struct worker *w, const struct msg_lease *m)
{
	struct queued *q = take_queued(w, m->lease);
	struct msg answer = {.kind = MSG_RECALLED, .u.lease = *m};

	if (!q)
		return; /* it has started: its own messages tell */
	bytes_finish(&q->raw);
	free(q);
	say(w, &answer, true);
}

static void stop_live(struct live *l, enum reason why)
{
	struct fault f;

	if (l->stopped_for == REASON_NONE) {
		l->stopped_for = why;
		child_stop(l->w->keeper, l->lease, l->phase->p.limits.grace_ms, &f);
	}
}

static void on_cancel(struct worker *w, const struct msg_lease *m)
{
	struct queued *q = take_queued(w, m->lease);
	struct msg answer = {.kind = MSG_FINISHED,
	                     .u.finished = {.unit = m->unit,
	                                    .lease = m->lease,
	                                    .reason = REASON_REQUEUE,
	                                    .requeue = true,
	                                    .exit_code = -1,
	                                    .tail = (const unsigned char *)""}};

	if (q) {
		metric_summary_init(&answer.u.finished.objective);
		bytes_finish(&q->raw);
		free(q);
		say(w, &answer, true);
		return;
	}
	for (struct live *l = w->live; l; l = l->next)
		if (l->lease == m->lease)
			stop_live(l, REASON_REQUEUE);
}

static int on_message(struct worker *w, const struct msg *m, struct fault *f)
{
	if (w->renouncing && m->kind != MSG_WELCOME && m->kind != MSG_STOP)
		return 0; /* meant for the life before */
	switch (m->kind) {
	case MSG_WELCOME:
		return on_welcome(w, &m->u.welcome, f);
	case MSG_BEAT:
		on_beat(w, &m->u.beat);
		return 0;
	case MSG_PHASE:
		return on_phase(w, m, f);
	case MSG_ASSIGN:
		return on_assign(w, m, f);
	case MSG_CANCEL:
		on_cancel(w, &m->u.lease);
		return 0;
	case MSG_RECALL:
		on_recall(w, &m->u.lease);
		return 0;
	case MSG_STOP:
		w->stopped = true;
		return 0;
	default:
		return 0; /* not for workers */
	}
}

int worker_frame(struct worker *w, const void *frame, size_t n, struct fault *f)
{
	struct arena a = {0};
	struct msg_reader it;
	struct msg m;
	int r = msg_open(&it, frame, n, f);

	w->heard_ms = w->now_ms;
	while (!r && (r = msg_next(&it, &a, &m, f)) == 1)
		r = on_message(w, &m, f);
	arena_finish(&a);
	if (r)
		return fault_context(f, "rank %u", w->rank);
	start_queued(w);
	return 0;
}

/* ---- the loop's side ---------------------------------------------------------------------- */

uint32_t worker_fd_count(const struct worker *w)
{
	return 1 + FDS_PER_LIVE * w->nlive;
}

uint32_t worker_fds(struct worker *w, struct pollfd *fds, bool hold_back)
{
	uint32_t n = 0;

	fds[n++] = (struct pollfd){.fd = keeper_fd(w->keeper), .events = POLLIN};
	for (struct live *l = w->live; l; l = l->next) {
		bool deaf = hold_back || w->now_ms < l->listen_at;

		fds[n++] = (struct pollfd){.fd = deaf ? -1 : l->out.fd, .events = POLLIN};
		fds[n++] = (struct pollfd){.fd = deaf ? -1 : l->err.fd, .events = POLLIN};
		fds[n++] = (struct pollfd){.fd = deaf ? -1 : l->metric.fd, .events = POLLIN};
	}
	return n;
}

static int64_t stall_at(const struct live *l)
{
	return l->phase->p.limits.stall_ms ? l->heard_at + l->phase->p.limits.stall_ms : INT64_MAX;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t worker_next_timer_ms(const struct worker *w)
{
	int64_t t = earlier(w->out.len ? out_at(w) : INT64_MAX, earlier(w->beat_at, silent_at(w)));

	for (const struct live *l = w->live; l; l = l->next) {
		t = earlier(t, l->flush_at);
		if (l->listen_at > w->now_ms)
			t = earlier(t, l->listen_at);
		if (l->stopped_for == REASON_NONE)
			t = earlier(t, earlier(l->timeout_at, stall_at(l)));
	}
	return t;
}

static void run_timers(struct worker *w)
{
	for (struct live *l = w->live; l; l = l->next) {
		if (w->now_ms >= l->flush_at) {
			output_flush(&w->file, &l->out.output, l->unit, l->attempt, false, on_segment, l);
			output_flush(&w->file, &l->err.output, l->unit, l->attempt, false, on_segment, l);
			l->flush_at = INT64_MAX;
		}
		if (w->now_ms >= l->timeout_at)
			stop_live(l, REASON_TIMEOUT);
		else if (w->now_ms >= stall_at(l))
			stop_live(l, REASON_STALL);
	}
}

static struct live *find_live(struct worker *w, uint32_t lease)
{
	struct live *l = w->live;

	while (l && l->lease != lease)
		l = l->next;
	return l;
}

static void on_child(struct worker *w, const struct child_event *e)
{
	struct live *l = find_live(w, e->id);
	char text[256];

	if (e->kind == CHILD_FENCED)
		renounce(w);
	if (e->kind == CHILD_FENCED || !l)
		return;
	switch (e->kind) {
	case CHILD_STARTED:
		l->pid = (uint32_t)e->pid;
		l->untold = true;
		break;
	case CHILD_SPAWN_FAILED:
		snprintf(text, sizeof text, "ranksweep: cannot start the program (%s): %s", e->stage,
		         strerror(e->error));
		fail_start(l, text, e->error);
		break;
	case CHILD_FENCED:
		break;
	case CHILD_EXITED:
		give_back(w, l); /* the next one starts before this one's output is put away */
		start_queued(w);
		finish(l, judge(l, e), e, 0);
		break;
	}
}

/* Of a unit that starts and ends between two looks its FINISHED says all. */
static void tell_started(struct worker *w)
{
	for (struct live *l = w->live; l; l = l->next) {
		struct msg m = {
		    .kind = MSG_STARTED,
		    .u.started = {.unit = l->unit, .lease = l->lease, .pid = l->pid, .at_ms = l->started_ms}};

		if (l->untold)
			say_of(l, &m, false);
		l->untold = false;
	}
}

static bool is_ready(const struct pollfd *fds, uint32_t n, uint32_t i, int fd)
{
	return i < n && fds[i].fd == fd && fd >= 0 && fds[i].revents;
}

int worker_step(struct worker *w, const struct pollfd *fds, uint32_t n, int64_t now_ms, struct fault *f)
{
	struct child_event e;
	uint32_t i = 1;
	int r = 0;

	w->now_ms = now_ms;
	for (struct live *l = w->live; l; l = l->next, i += FDS_PER_LIVE) {
		if (is_ready(fds, n, i, l->out.fd))
			read_stream(l, &l->out);
		if (is_ready(fds, n, i + 1, l->err.fd))
			read_stream(l, &l->err);
		if (is_ready(fds, n, i + 2, l->metric.fd))
			read_stream(l, &l->metric);
	}
	if (!n || fds[0].revents)
		while ((r = keeper_next(w->keeper, &e, f)) == 1)
			on_child(w, &e);
	if (r < 0)
		return fault_context(f, "rank %u", w->rank);
	tell_started(w);
	run_timers(w);
	start_queued(w);
	watch_leader(w);
	if (w->broken.code) {
		*f = w->broken;
		return -1;
	}
	return 0;
}

bool worker_busy(const struct worker *w)
{
	return w->nlive || w->queue;
}

struct worker_leader worker_leader(const struct worker *w)
{
	return w->leader;
}

bool worker_stopped(const struct worker *w)
{
	return w->stopped;
}
