/* leader: rank 0's loop.
 *
 *   wait ─► frames, signals, clock ─► events ─► sched_step ─► actions ─► rows ─► COMMIT ─► frames out
 *
 * What the scheduler records is written as it comes, messages to workers are only collected, and nothing
 * leaves before the commit has returned. A turn ends with a commit, unless every worker has something to do:
 * then results of the next COMMIT_DELAY_MS join it. So a crash at any instant can repeat work that was under
 * way, and never loses, invents or runs twice what somebody was told. Many results that arrive together share
 * one commit. A turn is bounded (TURN_FRAMES, TURN_PROPOSALS), so that a plan of a million trials does not
 * keep workers waiting for their first.
 *
 * The leader decides nothing: it renders command lines, asks the samplers for points, and carries. A worker
 * on rank 0 itself gets the same frames by a call instead of the wire. */
#include "leader.h"

#include "command.h"
#include "desk.h"
#include "host.h"
#include "keep.h"
#include "ledger.h"
#include "priors.h"
#include "progress.h"
#include "propose.h"
#include "pulse.h"
#include "remains.h"
#include "roster.h"
#include "stand_in.h"
#include "text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COMMIT_DELAY_MS = 8, PREFETCH_SHORT = 32, SHORT_MS = 40 };
enum { TURN_FRAMES = 512, TURN_PROPOSALS = 250, PROPOSE_MS = 20 };
enum { TOUCH_MS = 15000, LAST_TAIL = 1024, STOP_MARGIN_MS = 15000 };

struct outbox {
	struct bytes frame; /* being filled */
	struct bytes *full; /* frames that are complete, in order */
	uint32_t nfull, cap;
	uint32_t slots; /* 0: no HELLO yet */
	uint32_t given; /* units assigned and not ended */
	bool touched;   /* in the list of outboxes to send */
};

/* A phase as workers know it: what is told of one never changes, so a phase with other limits gets another
 * number. */
struct wire_phase {
	const char *name;
	struct limits limits;
};
enum { MAX_WIRE_PHASES = 4096 };

/* What signals have asked for so far. */
enum halt { HALT_NOT, HALT_DRAIN, HALT_END, HALT_AT_ONCE };

struct spawn_failure { /* an assignment that could not even be rendered */
	uint32_t worker, unit, lease;
	char text[256];
};

struct leader {
	struct leader_config c;
	char cwd[4096];
	struct arena arena, scratch;
	struct arena
	    *plan_arena; /* of the study and the scheduler: both are made anew when phases are scheduled */
	struct wire_phase *wire_phases; /* that workers have been told, by the number they know them by */
	uint32_t nwire_phases, *wire_numbers; /* of the study's phases */
	struct sched *sched;
	struct store *store;
	struct ledger ledger;
	struct proposer proposer;
	struct priors priors;
	struct council *council; /* NULL: no phase's search is a program */
	struct fault search;     /* why a search program failed; code 0: none did */
	struct progress progress;
	struct desk desk;
	struct roster *roster;
	struct stand_in *stand_in;
	const char **node_names; /* hosts of workers, in the order in which they came */
	uint32_t nnodes;
	struct remains remains; /* of the last run */
	uint64_t run;
	struct outbox *out;
	uint32_t *touched, ntouched, slots;
	bool kept;                /* the frame at hand came during a commit */
	bool urgent;              /* somebody waits for what this turn's commit allows to be sent */
	int64_t begin_ms, end_ms; /* end: when the allocation makes us stop; 0: not known */
	int64_t now_ms, stop_at_ms, touch_at_ms, commit_by_ms;
	bool finished, interrupted; /* interrupted: the last run was */
	bool stop_is_end, ended;    /* `stop: time` comes first; it was reached */
	enum halt halt;
	struct fault verdict;
	struct spawn_failure failures[64];
	uint32_t nfailures;
	struct actions acts; /* of one step, its memory used again by the next of the same turn */
	uint32_t last_failed_unit;
	enum reason last_failed_reason;
	char last_tail[LAST_TAIL + 1];
};

/* ---- sending: collected during a turn, sent after its commit --------------------------------- */

static void touch(struct leader *l, uint32_t to)
{
	if (!l->out[to].touched) {
		l->out[to].touched = true;
		l->touched[l->ntouched++] = to;
	}
}

static int say(struct leader *l, uint32_t to, const struct msg *m, struct fault *f)
{
	struct outbox *o = &l->out[to];

	touch(l, to);
	l->urgent = l->urgent || m->kind != MSG_ASSIGN || o->given <= o->slots;
	if (!msg_encode(&o->frame, m))
		return 0;
	if (o->nfull == o->cap) {
		uint32_t cap = o->cap ? 2 * o->cap : 4;
		struct bytes *p = realloc(o->full, cap * sizeof *p);

		if (!p)
			return fault_set(f, FAULT_BUG, "out of memory");
		o->full = p;
		o->cap = cap;
	}
	o->full[o->nfull++] = o->frame;
	memset(&o->frame, 0, sizeof o->frame);
	if (msg_encode(&o->frame, m))
		return fault_set(f, FAULT_STUDY,
		                 "a message of kind %d is larger than %d bytes: shorten the command line or "
		                 "the environment",
		                 (int)m->kind, MSG_FRAME_MAX);
	return 0;
}

static int deliver(struct leader *l, uint32_t to, struct bytes *b, struct fault *f)
{
	int bad;

	if (!b->len)
		return 0;
	bad = to == l->c.info.rank ? worker_frame(l->c.own, b->data, b->len, f)
	                           : wire_send(l->c.wire, to, b->data, b->len, f);
	bytes_clear(b);
	return bad;
}

static int send_all(struct leader *l, struct fault *f)
{
	for (uint32_t i = 0; i < l->ntouched; i++) {
		uint32_t to = l->touched[i];
		struct outbox *o = &l->out[to];

		o->touched = false;
		for (uint32_t k = 0; k < o->nfull; k++) {
			int bad = deliver(l, to, &o->full[k], f);

			bytes_finish(&o->full[k]);
			if (bad)
				return -1;
		}
		o->nfull = 0;
		if (deliver(l, to, &o->frame, f))
			return -1;
	}
	l->ntouched = 0;
	return 0;
}

/* ---- actions -------------------------------------------------------------------------------- */

static int assign(struct leader *l, const struct action *a, struct fault *f)
{
	struct msg m = {.kind = MSG_ASSIGN};
	struct msg_assign *s = &m.u.assign;
	struct command_context x;
	const struct study_phase *p;
	const char **argv;
	struct fault why = {0};

	sched_command_context(l->sched, a->unit, a->attempt, l->c.out_dir, &l->scratch, &x);
	p = x.phase;
	if (command_render(&l->scratch, x.command, &x, &argv, &why)) {
		struct spawn_failure *b = &l->failures[l->nfailures];

		if (l->nfailures == sizeof l->failures / sizeof *l->failures)
			return fault_set(f, FAULT_BUG, "too many command lines cannot be made: %s", why.text);
		l->nfailures++;
		*b = (struct spawn_failure){.worker = a->worker, .unit = a->unit, .lease = a->lease};
		snprintf(b->text, sizeof b->text, "%.*s", (int)sizeof b->text - 1, why.text);
		return ledger_begin_attempt(&l->ledger, a->unit, a->attempt, a->worker, "", f);
	}
	s->unit = a->unit;
	s->lease = a->lease;
	s->attempt = a->attempt;
	s->trial = (uint32_t)x.trial;
	s->phase = l->wire_numbers[p->index];
	s->fold = x.fold;
	s->outer_fold = x.outer_fold;
	s->folds = l->c.study->folds.inner;
	s->outer_folds = l->c.study->folds.outer;
	s->seed = x.seed;
	s->dir = x.dir;
	s->params = command_params_json(&l->scratch, l->c.study, p, &x.scope, false);
	s->argv = argv;
	while (argv[s->argc])
		s->argc++;
	if (ledger_begin_attempt(&l->ledger, a->unit, a->attempt, a->worker, command_line(&l->scratch, argv),
	                         f))
		return -1;
	l->out[a->worker].given++;
	return say(l, a->worker, &m, f);
}

static int lease_message(struct leader *l, enum msg_kind kind, const struct action *a, struct fault *f)
{
	struct msg m = {.kind = kind, .u.lease = {a->unit, a->lease}};

	return say(l, a->worker, &m, f);
}

static int tell_node(struct leader *l, const struct action *a, struct fault *f)
{
	const char *text = arena_printf(
	    &l->scratch,
	    a->n ? "bad node %s: units that failed there did well elsewhere; it gets no more of them"
	         : "bad node %s is taken back: no other can do what it can",
	    l->node_names[a->node]);

	progress_end(&l->progress);
	fprintf(stderr, "ranksweep: %s\n", text);
	return ledger_begin(&l->ledger, f) ||
	               store_put_audit(l->store, l->ledger.now_ms, "rank 0", text, 0, NULL, f)
	           ? -1
	           : 0;
}

/* The last attempt that failed, and what it wrote: for the end of the run. */
static void keep_failed(struct leader *l, const struct record *r)
{
	const struct msg_finished *m = l->ledger.finished;
	enum reason why = r->fact.reason;
	size_t n;

	if (r->kind != RECORD_END || !m || why == REASON_NONE || why > REASON_SPAWN)
		return;
	l->last_failed_unit = r->unit;
	l->last_failed_reason = why;
	n = m->tail_bytes < LAST_TAIL ? m->tail_bytes : LAST_TAIL;
	memcpy(l->last_tail, m->tail + (m->tail_bytes - n), n);
	l->last_tail[n] = 0;
}

static int act(struct leader *l, const struct action *a, struct fault *f)
{
	switch (a->kind) {
	case ACTION_RECORD:
		keep_failed(l, &a->record);
		proposer_note(&l->proposer, &a->record);
		return ledger_put(&l->ledger, &a->record, f);
	case ACTION_WANT:
		proposer_want(&l->proposer, a->group, a->n);
		return 0;
	case ACTION_ASSIGN:
		return assign(l, a, f);
	case ACTION_CANCEL:
		return lease_message(l, MSG_CANCEL, a, f);
	case ACTION_RECALL:
		return lease_message(l, MSG_RECALL, a, f);
	case ACTION_NODE:
		return tell_node(l, a, f);
	case ACTION_FINISH:
		l->finished = true;
		fault_set(&l->verdict, a->code, "%s", a->text ? a->text : "");
		return 0;
	}
	return fault_set(f, FAULT_BUG, "an action of no kind");
}

static int act_all(struct leader *l, const struct actions *acts, struct fault *f)
{
	for (uint32_t i = 0; i < acts->count; i++)
		if (act(l, &acts->items[i], f))
			return -1;
	return 0;
}

/* One event through the scheduler. Command lines that could not be made come back as failed attempts. */
static int step(struct leader *l, struct event *e, struct fault *f)
{
	e->now_ms = l->now_ms;
	l->acts.scratch = &l->scratch;
	l->acts.count = 0;
	sched_step(l->sched, e, &l->acts);
	if (act_all(l, &l->acts, f))
		return -1;
	while (l->nfailures) {
		struct spawn_failure b = l->failures[--l->nfailures];
		struct msg_finished m = {
		    .unit = b.unit, .lease = b.lease, .reason = REASON_SPAWN, .exit_code = -1};
		struct event failed = {
		    .kind = EVENT_FINISHED, .worker = b.worker, .unit = b.unit, .lease = b.lease};

		m.started_ms = m.finished_ms = l->ledger.now_ms;
		m.tail = (const unsigned char *)b.text;
		m.tail_bytes = strlen(b.text);
		failed.result = (struct attempt_result){.reason = REASON_SPAWN, .exit_code = -1};
		l->ledger.finished = &m;
		if (step(l, &failed, f))
			return -1;
		l->ledger.finished = NULL;
	}
	return 0;
}

/* ---- messages ------------------------------------------------------------------------------- */

static int say_phase(struct leader *l, uint32_t to, const struct study_phase *p, struct fault *f)
{
	struct msg m = {.kind = MSG_PHASE,
	                .u.phase = {.phase = l->wire_numbers[p->index],
	                            .name = p->name,
	                            .metric = p->metric ? p->metric : "",
	                            .maximize = p->goal == GOAL_MAXIMIZE,
	                            .limits = p->limits,
	                            .setup = p->setup ? p->setup : "",
	                            .nenv = p->nenv,
	                            .ncaptures = p->ncaptures}};

	m.u.phase.env = arena_array(&l->scratch, p->nenv + 1, sizeof *p->env);
	m.u.phase.captures = arena_array(&l->scratch, p->ncaptures + 1, sizeof *p->captures);
	for (uint32_t i = 0; i < p->nenv; i++)
		m.u.phase.env[i] = p->env[i];
	for (uint32_t i = 0; i < p->ncaptures; i++)
		m.u.phase.captures[i] = p->captures[i];
	return say(l, to, &m, f);
}

static bool same_for_workers(const struct limits *a, const struct limits *b)
{
	return a->timeout_ms == b->timeout_ms && a->stall_ms == b->stall_ms && a->grace_ms == b->grace_ms &&
	       a->memory_bytes == b->memory_bytes && a->cpus == b->cpus && a->gpus == b->gpus &&
	       a->checkpoint == b->checkpoint;
}

/* Give the phases of the study numbers that workers know, or will know. */
static int name_phases(struct leader *l, struct fault *f)
{
	l->wire_numbers = arena_array(l->plan_arena, l->c.study->nphases + 1, sizeof *l->wire_numbers);
	if (!l->wire_phases)
		l->wire_phases = arena_array(&l->arena, MAX_WIRE_PHASES, sizeof *l->wire_phases);
	for (uint32_t i = 0; i < l->c.study->nphases; i++) {
		const struct study_phase *p = &l->c.study->phases[i];
		uint32_t k = l->nwire_phases;

		while (k > 0 && (strcmp(l->wire_phases[k - 1].name, p->name) != 0 ||
		                 !same_for_workers(&l->wire_phases[k - 1].limits, &p->limits)))
			k--;
		if (k == 0 && l->nwire_phases == MAX_WIRE_PHASES)
			return fault_set(
			    f, FAULT_USAGE,
			    "phases have been changed too often in this run; stop it, and go on");
		if (k == 0) {
			l->wire_phases[l->nwire_phases++] =
			    (struct wire_phase){arena_strdup(&l->arena, p->name), p->limits};
			k = l->nwire_phases;
		}
		l->wire_numbers[i] = k - 1;
	}
	return 0;
}

static void forget_outbox(struct outbox *o)
{
	for (uint32_t i = 0; i < o->nfull; i++)
		bytes_finish(&o->full[i]);
	bytes_clear(&o->frame);
	o->nfull = o->slots = o->given = 0;
}

/* Nothing of what it had runs any more, see roster.h. */
static int lose_worker(struct leader *l, uint32_t rank, const char *why, struct fault *f)
{
	struct outbox *o = &l->out[rank];
	struct event e = {.kind = EVENT_WORKER_LOST, .worker = rank};
	const char *name =
	    arena_printf(&l->scratch, "rank %u on %s", rank,
	                 *roster_host(l->roster, rank) ? roster_host(l->roster, rank) : "a node unknown");
	uint32_t units = o->given;

	progress_end(&l->progress);
	fprintf(stderr, "ranksweep: %s is lost: %s; %u unit%s back in the queue\n", name, why, units,
	        units == 1 ? " goes" : "s go");
	roster_drop(l->roster, rank);
	wire_lose(l->c.wire, rank);
	l->slots -= o->slots;
	forget_outbox(o);
	if (ledger_begin(&l->ledger, f) ||
	    store_lose_worker(l->store, l->run, rank, l->ledger.now_ms, why, f) ||
	    store_put_audit(l->store, l->ledger.now_ms, "rank 0",
	                    arena_printf(&l->scratch, "%s is lost: %s", name, why), units, NULL, f))
		return -1;
	return step(l, &e, f);
}

static int lose_workers(struct leader *l, struct fault *f)
{
	const char *why;
	uint32_t rank;

	while (!l->finished && roster_lost(l->roster, l->now_ms, &rank, &why, &l->scratch))
		if (lose_worker(l, rank, why, f))
			return -1;
	return 0;
}

static uint32_t node_number(struct leader *l, const char *host)
{
	for (uint32_t i = 0; i < l->nnodes; i++)
		if (!strcmp(l->node_names[i], host))
			return i;
	l->node_names[l->nnodes] = arena_strdup(&l->arena, host);
	return l->nnodes++;
}

/* For trainers: when they will be told to end. */
static int64_t deadline_ms(const struct leader *l)
{
	return l->stop_at_ms == INT64_MAX ? 0 : host_epoch_ms() + l->stop_at_ms - host_monotonic_ms();
}

static int on_hello(struct leader *l, uint32_t from, const struct msg_hello *h, struct fault *f)
{
	const struct store_worker row = {
	    .rank = from, .host = h->host, .pid = h->pid, .keeper_pid = h->keeper_pid, .space = h->space};
	struct msg m = {.kind = MSG_WELCOME,
	                .u.welcome = {.run = l->run,
	                              .study = l->c.study->name,
	                              .cwd = l->cwd,
	                              .out_dir = l->c.out_dir,
	                              .deadline_ms = deadline_ms(l),
	                              .env_file = l->c.env_file,
	                              .life = h->life,
	                              .lost_after_ms = l->c.lost_after_ms,
	                              .pid = (uint32_t)getpid(),
	                              .space = host_identity("pid")}};
	struct event e = {.kind = EVENT_WORKER_UP,
	                  .worker = from,
	                  .node = node_number(l, h->host),
	                  .cpus = h->cpus,
	                  .gpus = h->gpus,
	                  .memory_bytes = h->memory_bytes};

	if (!h->cpus || !roster_is_new(l->roster, from, h))
		return 0;
	if (l->out[from].slots && lose_worker(l, from, "it had not heard from rank 0, and begins anew", f))
		return -1;
	roster_hello(l->roster, from, h);
	wire_regain(l->c.wire, from);
	l->out[from].slots = h->cpus;
	l->slots += h->cpus;
	if (ledger_begin(&l->ledger, f) || store_put_worker(l->store, l->run, &row, f) || say(l, from, &m, f))
		return -1;
	for (uint32_t i = 0; i < l->c.study->nphases; i++)
		if (say_phase(l, from, &l->c.study->phases[i], f))
			return -1;
	return step(l, &e, f);
}

/* Is this the unit's live assignment, and at that worker? Messages about anything else change nothing. */
static bool is_live(struct leader *l, uint32_t from, uint32_t unit, uint32_t lease, struct unit_view *u)
{
	if (unit == 0 || unit > sched_unit_count(l->sched))
		return false;
	sched_unit(l->sched, unit, u);
	return u->live && u->worker == from && u->lease == lease;
}

static int on_started(struct leader *l, uint32_t from, const struct msg_started *m, struct fault *f)
{
	struct unit_view u;
	struct event e = {.kind = EVENT_STARTED, .worker = from, .unit = m->unit, .lease = m->lease};

	if (!is_live(l, from, m->unit, m->lease, &u))
		return 0;
	if (ledger_begin(&l->ledger, f) ||
	    store_start_attempt(l->store, m->unit, u.fact.attempts, m->pid, m->at_ms, f))
		return -1;
	return step(l, &e, f);
}

/* Where a phase prunes, the scheduler looks at its metric as it comes. */
static int tell_objective(struct leader *l, uint32_t from, const struct msg_metric *m,
                          const struct study_phase *p, struct fault *f)
{
	struct event e = {.kind = EVENT_METRIC, .worker = from, .unit = m->unit, .lease = m->lease};

	for (uint32_t i = 0; i < m->nvalues; i++) {
		if (strcmp(m->values[i].name, p->metric) != 0)
			continue;
		e.step = m->step;
		e.value = m->values[i].value;
		if (step(l, &e, f))
			return -1;
	}
	return 0;
}

static int on_metric(struct leader *l, uint32_t from, const struct msg_metric *m, struct fault *f)
{
	const struct study_phase *p;
	struct unit_view u;

	if (!is_live(l, from, m->unit, m->lease, &u))
		return 0;
	if (ledger_begin(&l->ledger, f))
		return -1;
	for (uint32_t i = 0; i < m->nvalues; i++)
		if (store_put_metric(l->store, m->unit, u.fact.attempts, m->values[i].name, m->has_step,
		                     m->step, m->values[i].value, f))
			return -1;
	p = &l->c.study->phases[u.phase];
	return p->prune && m->has_step ? tell_objective(l, from, m, p, f) : 0;
}

static int on_output(struct leader *l, uint32_t from, const struct msg_output *m, struct fault *f)
{
	struct unit_view u;

	if (!is_live(l, from, m->unit, m->lease, &u))
		return 0;
	if (ledger_begin(&l->ledger, f))
		return -1;
	return store_put_output(l->store, m->unit, u.fact.attempts, l->run, from, m->stream, m->offset,
	                        m->bytes, m->skipped_bytes, f);
}

static void ended(struct leader *l, uint32_t worker)
{
	if (l->out[worker].given)
		l->out[worker].given--;
}

static int on_finished(struct leader *l, uint32_t from, const struct msg_finished *m, struct fault *f)
{
	struct unit_view u;
	struct event e = {.kind = EVENT_FINISHED, .worker = from, .unit = m->unit, .lease = m->lease};
	int bad;

	if (!is_live(l, from, m->unit, m->lease, &u))
		return 0;
	if (ledger_begin(&l->ledger, f) || ledger_judge(&l->ledger, m->unit, m, &e.result, f))
		return -1;
	ended(l, from);
	l->ledger.finished = m;
	bad = step(l, &e, f);
	l->ledger.finished = NULL;
	return bad;
}

static int on_recalled(struct leader *l, uint32_t from, const struct msg_lease *m, struct fault *f)
{
	struct unit_view u;
	struct event e = {.kind = EVENT_RECALLED, .worker = from, .unit = m->unit, .lease = m->lease};

	if (!is_live(l, from, m->unit, m->lease, &u))
		return 0;
	ended(l, from);
	return step(l, &e, f);
}

static int on_message(struct leader *l, uint32_t from, const struct msg *m, struct fault *f)
{
	switch (m->kind) {
	case MSG_HELLO:
		return on_hello(l, from, &m->u.hello, f);
	case MSG_STARTED:
		return on_started(l, from, &m->u.started, f);
	case MSG_METRIC:
		return on_metric(l, from, &m->u.metric, f);
	case MSG_OUTPUT:
		return on_output(l, from, &m->u.output, f);
	case MSG_FINISHED:
		return on_finished(l, from, &m->u.finished, f);
	case MSG_BEAT: /* at once: it needs no commit, and who is not answered gives up what it has */
		return l->kept ? 0 : stand_in_answer(l->c.wire, l->roster, from, m, f);
	case MSG_RECALLED:
		return on_recalled(l, from, &m->u.lease, f);
	default:
		return 0; /* not for rank 0 */
	}
}

static int on_frame(struct leader *l, uint32_t from, const void *frame, size_t n, struct fault *f)
{
	struct msg_reader it;
	struct msg m;
	int r;

	if (from >= l->c.info.size)
		return 0;
	r = msg_open(&it, frame, n, f);
	while (!r && (r = msg_next(&it, &l->scratch, &m, f)) == 1)
		r = on_message(l, from, &m, f);
	return r ? fault_context(f, "message from rank %u", from) : 0;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static int request_stop(struct leader *l, struct fault *f)
{
	struct event e = {.kind = EVENT_STOP};

	return step(l, &e, f);
}

static int drain(struct leader *l, int sig, struct fault *f)
{
	struct event e = {.kind = EVENT_DRAIN};
	char left[TEXT_NUMBER];

	text_duration(left, l->end_ms - l->now_ms);
	progress_end(&l->progress);
	fprintf(
	    stderr,
	    "ranksweep: %s: starting nothing any more; what runs may go on for %s (once more: ending it)\n",
	    strsignal(sig), left);
	return step(l, &e, f);
}

/* USR2 leaves them the time that there is; where nobody knows how much that is, it may be over soon. */
static int on_signal(struct leader *l, int sig, struct fault *f)
{
	if (l->finished)
		return 0;
	l->halt = l->halt == HALT_NOT && sig == SIGUSR2 && l->end_ms ? HALT_DRAIN
	          : l->halt < HALT_END                               ? HALT_END
	                                                             : HALT_AT_ONCE;
	if (l->halt == HALT_DRAIN)
		return drain(l, sig, f);
	if (l->halt == HALT_END) {
		progress_end(&l->progress);
		fprintf(stderr,
		        "ranksweep: %s: ending the running units, then stopping (once more: at once)\n",
		        strsignal(sig));
		return request_stop(l, f);
	}
	l->finished = true;
	fault_set(&l->verdict, FAULT_STOPPED,
	          "stopped at once; the same command goes on where this run ended");
	return 0;
}

static int take_signals(struct leader *l, struct fault *f)
{
	int sig;

	while ((sig = host_signals_take(l->c.signal_fd)))
		if (on_signal(l, sig, f))
			return -1;
	return 0;
}

/* f: why asking or hearing the council failed. Where a program is to blame what runs is ended, as for a stop:
 * the study cannot go on, and a repaired one loses least this way. */
static int search_failed(struct leader *l, struct fault *f)
{
	if (f->code != FAULT_SEARCH)
		return -1;
	if (l->search.code)
		return 0;
	l->search = *f;
	council_fail(l->council);
	if (!l->finished && request_stop(l, f))
		return -1;
	if (l->finished)
		return 0;
	progress_end(&l->progress);
	fprintf(stderr, "ranksweep: a search program has failed: ending the running units, then stopping\n");
	return 0;
}

/* A model may take its time: after each such proposal others are heard. */
static int propose(struct leader *l, struct fault *f)
{
	int64_t until_ms = host_monotonic_ms() + PROPOSE_MS;
	struct event e;

	for (int i = 0; i < TURN_PROPOSALS && !l->finished; i++) {
		int r = proposer_next(&l->proposer, &e, f);

		if (r <= 0)
			return r < 0 ? search_failed(l, f) : 0;
		l->now_ms = host_monotonic_ms();
		if (step(l, &e, f))
			return -1;
		if (l->now_ms >= until_ms)
			break;
	}
	return 0;
}

static int hear_council(struct leader *l, struct fault *f)
{
	return l->council && council_step(l->council, l->now_ms, f) ? search_failed(l, f) : 0;
}

static bool next_frame(struct leader *l, uint32_t *from, const unsigned char **frame, size_t *n)
{
	l->kept = stand_in_next(l->stand_in, from, frame, n);
	return l->kept || wire_next(l->c.wire, from, frame, n);
}

/* What somebody has said counts, also when he is dead by now: so nobody is given up while frames wait. */
static int take_frames(struct leader *l, struct fault *f)
{
	const unsigned char *frame;
	uint32_t from;
	size_t n;

	for (int i = 0; i < TURN_FRAMES; i++) {
		if (!next_frame(l, &from, &frame, &n))
			return lose_workers(l, f);
		if (on_frame(l, from, frame, n, f))
			return -1;
	}
	return 0;
}

static int run_own_worker(struct leader *l, const struct pollfd *fds, uint32_t n, struct fault *f)
{
	struct bytes *b;

	if (!l->c.own)
		return 0;
	if (worker_step(l->c.own, fds, n, l->now_ms, f))
		return -1;
	b = worker_out(l->c.own);
	if (b->len) {
		struct bytes taken = *b;
		int bad;

		memset(b, 0, sizeof *b);
		bad = on_frame(l, l->c.info.rank, taken.data, taken.len, f);
		bytes_finish(&taken);
		return bad;
	}
	return 0;
}

static int tick(struct leader *l, struct fault *f)
{
	struct event e = {.kind = EVENT_TICK};

	if (l->now_ms >= l->stop_at_ms && !l->finished) {
		l->stop_at_ms = INT64_MAX;
		l->ended = l->stop_is_end && l->halt == HALT_NOT;
		if (request_stop(l, f))
			return -1;
	}
	if (l->now_ms >= l->touch_at_ms) {
		l->touch_at_ms = l->now_ms + TOUCH_MS;
		if (ledger_begin(&l->ledger, f) || store_touch_run(l->store, l->run, l->ledger.now_ms, f))
			return -1;
	}
	return l->now_ms >= sched_next_tick_ms(l->sched) ? step(l, &e, f) : 0;
}

static int commit(struct leader *l, struct fault *f)
{
	int bad;

	stand_in_begin(l->stand_in);
	bad = store_commit(l->store, f);
	stand_in_end(l->stand_in);
	return bad;
}

static int commit_and_send(struct leader *l, struct fault *f)
{
	l->urgent = false;
	l->commit_by_ms = INT64_MAX;
	if (store_in_transaction(l->store) && commit(l, f))
		return -1;
	council_release(l->council);
	desk_send(&l->desk);
	return send_all(l, f);
}

/* A commit costs as much as the rows of several units: while every worker has something to do, results of the
 * next milliseconds join it. */
static int end_turn(struct leader *l, struct fault *f)
{
	if (!store_in_transaction(l->store))
		return commit_and_send(l, f);
	if (l->commit_by_ms == INT64_MAX)
		l->commit_by_ms = l->now_ms + COMMIT_DELAY_MS;
	if (!l->urgent && !l->finished && !council_is_asking(l->council) && l->now_ms < l->commit_by_ms)
		return 0;
	return commit_and_send(l, f);
}

/* ---- what users ask for --------------------------------------------------------------------- */

static int load_sched(struct leader *l, struct fault *f);
static int64_t patience_ms(const struct leader *l);

static int step_for_user(void *ctx, struct event *e, struct fault *f)
{
	return step(ctx, e, f);
}

/* Workers that are here are told of the phases they do not know. */
static int tell_phases(struct leader *l, uint32_t known, struct fault *f)
{
	for (uint32_t r = 0; r < l->c.info.size; r++)
		for (uint32_t i = 0; l->out[r].slots && i < l->c.study->nphases; i++)
			if (l->wire_numbers[i] >= known && say_phase(l, r, &l->c.study->phases[i], f))
				return -1;
	return 0;
}

/* The study has grown: a new scheduler goes on, in an arena of its own, with what the old one has at work. */
static int restudy(struct request_site *x, const char *jobs, size_t n, struct fault *f)
{
	struct leader *l = x->ctx;
	struct arena *old = l->plan_arena;
	const struct study *before = l->c.study;
	const struct sched *from = l->sched;
	uint32_t known = l->nwire_phases;
	int bad;

	l->plan_arena = calloc(1, sizeof *l->plan_arena);
	if (!l->plan_arena) {
		l->plan_arena = old;
		return fault_set(f, FAULT_BUG, "out of memory");
	}
	bad = store_put_jobs(l->store, before->name, jobs, n, f) ||
	      ledger_read_study(l->plan_arena, l->store, l->c.db_path, &l->c.study, f);
	if (!bad)
		study_keep_search(before, (struct study_phase *)l->c.study->phases, l->c.study->nphases);
	bad = bad || ledger_put_phases(l->store, l->c.study, f) || load_sched(l, f) || name_phases(l, f);
	if (!bad) {
		stand_in_end(l->stand_in); /* the roster is ours */
		roster_set_patience(l->roster, patience_ms(l));
		stand_in_begin(l->stand_in);
		sched_adopt(l->sched, from);
		bad = tell_phases(l, known, f);
	}
	arena_finish(old);
	free(old);
	x->study = l->c.study;
	x->sched = l->sched;
	return bad;
}

static int learn_priors(struct leader *l, struct fault *f)
{
	if (priors_load(&l->priors, l->store, l->c.study, f))
		return fault_context(f, "%s", l->c.db_path);
	proposer_set_priors(&l->proposer, &l->priors);
	return 0;
}

static int relearn(struct request_site *x, struct fault *f)
{
	return learn_priors(x->ctx, f);
}

static int take_requests(struct leader *l, bool readable, struct fault *f)
{
	struct request_site site = {.study = l->c.study,
	                            .sched = l->sched,
	                            .store = l->store,
	                            .scratch = &l->scratch,
	                            .arena = &l->arena,
	                            .now_ms = l->ledger.now_ms,
	                            .step = step_for_user,
	                            .restudy = restudy,
	                            .relearn = relearn,
	                            .over = &l->finished,
	                            .ctx = l};

	int bad;

	stand_in_begin(l->stand_in); /* a million jobs take a minute */
	bad = desk_take(&l->desk, &site, readable, l->now_ms, f);
	stand_in_end(l->stand_in);
	if (bad)
		return -1;
	l->urgent = l->urgent || l->desk.nanswers;
	return 0;
}

/* What was asked for between two runs comes before anything is started. */
static int take_first_requests(struct leader *l, struct fault *f)
{
	const char *fs;

	desk_open(&l->desk, l->c.out_dir, host_file_system(l->c.out_dir, &fs) == HOST_FS_NETWORK,
	          &l->progress);
	do {
		if (take_requests(l, false, f) || commit_and_send(l, f))
			return -1;
	} while (!l->finished && desk_due_ms(&l->desk) <= l->now_ms);
	return 0;
}

/* ---- turns ---------------------------------------------------------------------------------- */

static int64_t earliest(const struct leader *l, int64_t progress_ms)
{
	int64_t t = sched_next_tick_ms(l->sched);

	t = t < l->touch_at_ms ? t : l->touch_at_ms;
	t = t < roster_due_ms(l->roster) ? t : roster_due_ms(l->roster);
	t = t < l->stop_at_ms ? t : l->stop_at_ms;
	t = t < l->commit_by_ms ? t : l->commit_by_ms;
	t = t < desk_due_ms(&l->desk) ? t : desk_due_ms(&l->desk);
	t = t < council_due_ms(l->council) ? t : council_due_ms(l->council);
	t = t < progress_ms ? t : progress_ms;
	if (l->c.own && worker_next_timer_ms(l->c.own) < t)
		t = worker_next_timer_ms(l->c.own);
	return t;
}

/* fds: signals, requests, our own worker (*nfds so far), processes of workers, the council. */
static int wait_for_something(struct leader *l, struct pollfd **fds, uint32_t *nfds, int64_t progress_ms,
                              struct fault *f)
{
	uint32_t n = 2 + (l->c.own ? worker_fd_count(l->c.own) : 0) + roster_fd_count(l->roster) +
	             council_fd_count(l->council);
	int64_t wait = earliest(l, progress_ms) - l->now_ms;

	*fds = arena_array(&l->scratch, n, sizeof **fds);
	(*fds)[0] = (struct pollfd){.fd = l->c.signal_fd, .events = POLLIN};
	(*fds)[1] = (struct pollfd){.fd = desk_fd(&l->desk), .events = POLLIN};
	*nfds = 2;
	if (l->c.own)
		*nfds += worker_fds(l->c.own, *fds + 2, false);
	n = *nfds + roster_fds(l->roster, *fds + *nfds);
	n += council_fds(l->council, *fds + n);
	if (proposer_ready(&l->proposer) || stand_in_has(l->stand_in))
		wait = 0;
	wait = wait < 0 ? 0 : wait > 60000 ? 60000 : wait;
	return wire_wait(l->c.wire, *fds, n, wait, true, f);
}

static int turn(struct leader *l, struct fault *f)
{
	struct pollfd *fds;
	uint32_t nfds;
	int64_t next;

	arena_reset(&l->scratch);
	l->acts = (struct actions){0};
	next = progress_show(&l->progress, l->c.study, l->sched, l->slots, l->now_ms, false);
	if (wait_for_something(l, &fds, &nfds, next, f))
		return -1;
	roster_look(l->roster, fds + nfds, roster_fd_count(l->roster));
	l->now_ms = host_monotonic_ms();
	l->ledger.now_ms = host_epoch_ms();
	store_set_time(l->store, l->ledger.now_ms);
	if ((fds[0].revents && take_signals(l, f)) || take_frames(l, f) ||
	    run_own_worker(l, fds + 2, nfds - 2, f) || take_requests(l, fds[1].revents, f) || tick(l, f) ||
	    hear_council(l, f) || propose(l, f))
		return -1;
	return end_turn(l, f);
}

static void stop_workers(struct leader *l)
{
	struct msg m = {.kind = MSG_STOP};
	struct fault f;

	for (uint32_t r = 0; r < l->c.info.size; r++) {
		struct bytes b = {0};

		if (r != l->c.info.rank && !msg_encode(&b, &m))
			wire_send(l->c.wire, r, b.data, b.len, &f);
		bytes_finish(&b);
	}
}

static void quote(const char *text)
{
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\n");

		fprintf(stderr, "  | %.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
}

static void explain_search(struct leader *l)
{
	char words[LAST_TAIL + 1];
	const char *path;

	l->verdict = l->search;
	if (!council_last_words(l->council, words, sizeof words, &path))
		return;
	fprintf(stderr, "ranksweep: the search program's stderr is in %s%s\n", path,
	        *words ? "; its end:" : ", and empty");
	quote(words);
}

static void explain(struct leader *l)
{
	if (l->search.code) {
		explain_search(l);
		return;
	}
	if (l->verdict.code == FAULT_STOPPED && l->ended)
		fault_set(&l->verdict, FAULT_NONE, "stopped: the study's `stop: time` is reached");
	if (l->verdict.code != FAULT_UNITS || !l->last_failed_unit)
		return;
	fprintf(stderr,
	        "ranksweep: unit %u failed (%s), `ranksweep show` tells how; the end of its output%s\n",
	        l->last_failed_unit, reason_text(l->last_failed_reason), *l->last_tail ? ":" : " is empty");
	quote(l->last_tail);
}

int leader_run(struct leader *l, struct fault *verdict, struct fault *f)
{
	struct event e = {.kind = EVENT_TICK};
	int bad;

	bad = step(l, &e, f) || commit_and_send(l, f);
	while (!bad && !l->finished)
		bad = turn(l, f);
	if (!bad)
		progress_show(&l->progress, l->c.study, l->sched, l->slots, l->now_ms, true);
	progress_end(&l->progress);
	stop_workers(l);
	if (bad)
		return -1;
	proposer_tell_rest(&l->proposer);
	explain(l);
	if (l->verdict.code == FAULT_NONE) {
		struct fault why = {0};

		keep_best(l->c.study, l->sched, l->c.out_dir, &l->scratch, &why);
		if (why.code)
			fprintf(stderr, "ranksweep: %s\n", why.text);
	}
	*verdict = l->verdict;
	if (ledger_begin(&l->ledger, f) ||
	    store_end_run(l->store, l->run, host_epoch_ms(),
	                  l->verdict.code == FAULT_NONE      ? "done"
	                  : l->verdict.code == FAULT_STOPPED ? "stopped"
	                                                     : l->verdict.text,
	                  f) ||
	    store_commit(l->store, f))
		return -1;
	return 0;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* The stored study against the one given: what may not change, and whose trials have to be drawn anew. */
static int compare_studies(struct leader *l, struct fault *f)
{
	const char *name, *text;
	const struct study *old;
	struct study_errors errors;
	size_t n;
	bool *changed = arena_array(&l->arena, l->c.study->nphases + 1, sizeof *changed);

	if (store_get_study(l->store, &l->arena, &name, &text, &n, f))
		return -1;
	if (!text || !n)
		return 0; /* a new database, or one of scheduled jobs only */
	if (study_parse(&l->arena, l->c.db_path, text, n, &old, &errors))
		return fault_set(f, FAULT_IO, "the study stored in %s cannot be read: %s", l->c.db_path,
		                 errors.items[0].text);
	if (study_compare(old, l->c.study, l->c.accept, changed, f))
		return -1;
	/* The one change of a study after its parsing, before anything has looked at its searches. */
	study_keep_search(old, (struct study_phase *)l->c.study->phases, l->c.study->nphases);
	for (uint32_t i = 0; i < l->c.study->nphases; i++) {
		uint32_t trials = 0;

		if (changed[i] && store_forget_unbegun(l->store, l->c.study->phases[i].name, &trials, f))
			return -1;
		if (trials)
			fprintf(stderr,
			        "ranksweep: phase %s has changed: %u trials not begun are drawn anew\n",
			        l->c.study->phases[i].name, trials);
	}
	return 0;
}

/* Trainers run where the first run was started, as long as that folder exists. */
static int choose_cwd(struct leader *l, struct fault *f)
{
	const char *stored;

	if (store_get_meta(l->store, &l->arena, "cwd", &stored, f))
		return -1;
	if (stored && strlen(stored) < sizeof l->cwd && !access(stored, X_OK)) {
		memcpy(l->cwd, stored, strlen(stored) + 1);
		return 0;
	}
	snprintf(l->cwd, sizeof l->cwd, "%s", host_absolute(&l->arena, "."));
	return store_put_meta(l->store, "cwd", l->cwd, f);
}

static int open_database(struct leader *l, struct fault *f)
{
	const char *fs;
	enum host_fs kind = host_file_system(l->c.db_path, &fs);
	struct store_open_options o = {.mode = STORE_WRITE,
	                               .wait_ms = 5000,
	                               .network = kind == HOST_FS_NETWORK,
	                               .host = host_name(),
	                               .now_ms = host_epoch_ms()};

	if (host_make_dirs(l->c.out_dir, f))
		return -1;
	o.lock_path = arena_printf(&l->arena, "%s/lock", l->c.out_dir);
	return store_open(l->c.db_path, &o, &l->store, f);
}

/* The study file as given, with the phases that the database has from the command line. */
static int add_scheduled(struct leader *l, struct fault *f)
{
	struct study_source src = {.path = l->c.study->path,
	                           .text = l->c.text,
	                           .text_bytes = l->c.text_bytes,
	                           .name = l->c.study->name};
	struct study_errors errors = {0};

	if (store_get_jobs(l->store, l->plan_arena, &src.jobs, &src.jobs_bytes, f))
		return -1;
	if (!src.jobs_bytes)
		return 0;
	if (study_read(l->plan_arena, &src, &l->c.study, &errors) == 0)
		return 0;
	*f = errors.items[0];
	return -1;
}

/* The longest grace counts: which units a lost worker has is not known to the clock. */
static int64_t patience_ms(const struct leader *l)
{
	int64_t grace = 0;

	for (uint32_t i = 0; i < l->c.study->nphases; i++)
		if (l->c.study->phases[i].limits.grace_ms > grace)
			grace = l->c.study->phases[i].limits.grace_ms;
	return pulse_patience_ms(l->c.lost_after_ms, grace);
}

static int begin_run(struct leader *l, struct fault *f)
{
	if (store_begin(l->store, f) || ledger_was_stopped(l->store, &l->interrupted, f) ||
	    add_scheduled(l, f) || compare_studies(l, f) || choose_cwd(l, f) ||
	    store_put_study(l->store, l->c.study->name, l->c.text, l->c.text_bytes, f) ||
	    ledger_put_phases(l->store, l->c.study, f) || remains_load(&l->remains, &l->arena, l->store, f) ||
	    store_drop_unstarted(l->store, f) ||
	    store_begin_run(l->store, l->c.info.size, host_name(), (uint32_t)getpid(), host_epoch_ms(),
	                    &l->run, f) ||
	    store_put_run_job(l->store, l->run, host_batch_job(&l->arena), f) ||
	    store_put_run_patience(l->store, l->run, patience_ms(l), f))
		return -1;
	return store_commit(l->store, f);
}

/* A scheduler of the study, which knows what is stored. */
static int load_sched(struct leader *l, struct fault *f)
{
	const struct sched_options o = {.prefetch_per_slot = 1,
	                                .prefetch_short = PREFETCH_SHORT,
	                                .short_ms = SHORT_MS,
	                                .begin_ms = l->begin_ms,
	                                .end_ms = l->end_ms,
	                                .interrupted = l->interrupted};
	struct arena loading = {0};
	int bad;

	l->sched = sched_new(l->plan_arena, l->c.study, &o);
	l->ledger.study = l->c.study;
	l->ledger.sched = l->sched;
	l->ledger.scratch = &loading;
	bad = ledger_load(&l->ledger, f) || (l->end_ms && ledger_load_durations(&l->ledger, f));
	l->ledger.scratch = &l->scratch;
	arena_finish(&loading);
	if (bad)
		return fault_context(f, "%s", l->c.db_path);
	proposer_finish(&l->proposer);
	proposer_init(&l->proposer, l->c.study, l->sched, &l->scratch, l->council);
	return learn_priors(l, f);
}

static void open_council(struct leader *l)
{
	const struct council_config c = {.keeper = l->c.keeper,
	                                 .alone = !l->c.own,
	                                 .cwd = l->cwd,
	                                 .out_dir = l->c.out_dir,
	                                 .env_file = l->c.env_file,
	                                 .run = l->run};

	for (uint32_t i = 0; i < l->c.study->nphases && !l->council; i++)
		if (l->c.study->phases[i].search == SEARCH_PROGRAM)
			l->council = council_new(&c);
}

/* Nothing of the last run may meet its own successor. */
static void fence_remains(struct leader *l)
{
	int64_t longest_ms;
	uint32_t n;
	char text[TEXT_NUMBER];

	remains_await(&l->remains);
	n = remains_fence(&l->remains, l->sched, l->now_ms, &longest_ms);
	if (!n)
		return;
	text_duration(text, longest_ms);
	fprintf(stderr,
	        "ranksweep: %u unit%s for at most %s: the last run left %s on hosts that cannot be seen from "
	        "here, where %s may go on so long\n",
	        n, n == 1 ? " waits" : "s wait", text, n == 1 ? "it" : "them", n == 1 ? "it" : "they");
}

static int replay(struct leader *l, struct fault *f)
{
	struct actions acts = {.scratch = &l->scratch};

	l->ledger = (struct ledger){.store = l->store, .run = l->run, .now_ms = host_epoch_ms()};
	open_council(l);
	if (load_sched(l, f) || name_phases(l, f))
		return -1;
	fence_remains(l);
	sched_resume(l->sched, l->now_ms, &acts);
	return act_all(l, &acts, f);
}

/* How long we have; 0: nobody says. */
static int64_t time_ms(const struct leader *l)
{
	int64_t left = l->c.job_end_ms ? l->c.job_end_ms - host_epoch_ms() : INT64_MAX;

	left = l->c.time_limit_ms && l->c.time_limit_ms < left ? l->c.time_limit_ms : left;
	return left == INT64_MAX ? 0 : left > 1 ? left : 1;
}

static void set_end(struct leader *l)
{
	int64_t limit = time_ms(l), stop = l->c.study->stop_time_ms, margin = STOP_MARGIN_MS;

	/* The longest grace must fit in front of the limit, and what follows it. */
	for (uint32_t i = 0; i < l->c.study->nphases; i++)
		if (l->c.study->phases[i].limits.grace_ms + STOP_MARGIN_MS / 3 > margin)
			margin = l->c.study->phases[i].limits.grace_ms + STOP_MARGIN_MS / 3;
	l->begin_ms = l->now_ms;
	l->stop_at_ms = INT64_MAX;
	if (limit)
		l->stop_at_ms = l->end_ms = l->now_ms + (limit > 4 * margin ? limit - margin : limit * 3 / 4);
	if (stop && l->now_ms + stop < l->stop_at_ms) {
		l->stop_at_ms = l->now_ms + stop;
		l->stop_is_end = true;
	}
}

static int hello_from_own(struct leader *l, struct fault *f)
{
	const struct pollfd none = {.fd = -1};

	return l->c.own ? run_own_worker(l, &none, 0, f) : 0;
}

int leader_open(const struct leader_config *c, struct leader **out, struct fault *f)
{
	struct leader *l = calloc(1, sizeof *l);

	*out = l;
	if (!l)
		return fault_set(f, FAULT_BUG, "out of memory");
	l->c = *c;
	l->plan_arena = calloc(1, sizeof *l->plan_arena);
	l->out = calloc(c->info.size, sizeof *l->out);
	l->touched = calloc(c->info.size, sizeof *l->touched);
	if (!l->out || !l->touched || !l->plan_arena)
		return fault_set(f, FAULT_BUG, "out of memory");
	l->now_ms = host_monotonic_ms();
	l->touch_at_ms = l->now_ms + TOUCH_MS;
	l->commit_by_ms = INT64_MAX;
	set_end(l);
	if (open_database(l, f) || begin_run(l, f) || replay(l, f))
		return -1;
	l->node_names = arena_array(&l->arena, (size_t)c->info.size + 1, sizeof *l->node_names);
	l->roster = roster_new(&l->arena, c->info.size, c->info.rank, patience_ms(l));
	l->stand_in = stand_in_open(c->wire, &c->info, l->roster, c->lost_after_ms);
	progress_init(&l->progress, c->progress, l->sched, l->now_ms);
	if (take_first_requests(l, f))
		return -1;
	return hello_from_own(l, f);
}

void leader_close(struct leader *l)
{
	if (!l)
		return;
	desk_close(&l->desk);
	stand_in_close(l->stand_in);
	roster_close(l->roster);
	store_close(l->store);
	council_free(l->council, !l->finished || l->halt == HALT_AT_ONCE || l->search.code);
	for (uint32_t i = 0; l->out && i < l->c.info.size; i++) {
		forget_outbox(&l->out[i]);
		bytes_finish(&l->out[i].frame);
		free(l->out[i].full);
	}
	free(l->out);
	free(l->touched);
	proposer_finish(&l->proposer);
	priors_finish(&l->priors);
	if (l->plan_arena)
		arena_finish(l->plan_arena);
	free(l->plan_arena);
	arena_finish(&l->arena);
	arena_finish(&l->scratch);
	free(l);
}
