/* sched_core: what the files of the scheduler share. Nobody else includes this; the interface is sched.h.
 *
 *   sched.c          essay, events, replay          sched_grow.c     wants, proposals, picks
 *   sched_units.c    states, parents, children      sched_workers.c  workers, live attempts, assignment
 *   sched_attempts.c results, retries, resume       sched_end.c      stopping and the verdict
 *   sched_change.c   requests of users              sched_jobs.c     scheduled trials, their picks
 *   sched_values.c   trial values, durations        sched_view.c     questions
 *   sched_prune.c    trials given up, rungs         sched_feed.c     searches that learn
 *   sched_race.c     races of folds                 sched_nodes.c    nodes where units die
 *   sched_time.c     what fits before the end       sched_audit.c    self-check and dump */
#ifndef SCHED_CORE_H
#define SCHED_CORE_H

#include "plan.h"
#include "prune.h"
#include "queue.h"
#include "sched.h"

enum {
	ALIKE_ATTEMPTS = 10,   /* so many first attempts that fail alike stop the run */
	WANT_MAX = 4096,       /* proposals asked for at once for one group, and in one step */
	REQUEUE_IDLE_MAX = 3,  /* exit 75 in a row without a new step */
	BACKOFF_DOUBLINGS = 5, /* cap of the back-off: 32 times the first */
	UNFIT_WAIT_MS = 2000   /* wait so long for a larger worker before giving up on units none can hold */
};

/* Which ready queue of its phase a unit is in. The values are the order of preference. */
enum ready_queue { READY_NONE, READY_BEGUN, READY_FRESH, READY_LATER, READY_LAST, READY_QUEUES };

struct phase_state {
	struct queue ready[READY_QUEUES]; /* [READY_NONE] unused */
	uint64_t by_state[UNIT_STATE_COUNT];
	struct durations durations;
	int64_t too_late_ms;     /* with less left than this its programs did nothing but save */
	double critical_seconds; /* expected time through the longest chain of descendants, itself included */
	uint32_t need;
	uint32_t held; /* units held ahead of need and not being recalled */
};

/* A distinct (cpus, gpus, memory): phases with equal needs share the lists of workers that fit them. */
enum list_kind { LIST_FREE, LIST_SPARE, LIST_KINDS };
struct worker_list {
	uint32_t head, tail, count; /* worker numbers + 1 */
};
struct need {
	uint32_t cpus, gpus;
	int64_t memory_bytes;
	struct worker_list lists[LIST_KINDS]; /* FREE: has room now; SPARE: may take one more ahead of need */
	uint32_t able;                        /* workers up whose whole capacity is enough */
	uint32_t newest_held; /* slots held ahead of need and not being recalled, newest first */
	uint32_t recalls;     /* RECALLs without answer */
	/* Searches that learn, whose next trial would be ready: asked for it when there is room for it. */
	uint32_t first_hungry, last_hungry;
	uint64_t asked;        /* what they were asked for and have not answered */
	double answer_seconds; /* how long they take: moving average */
};

/* A live attempt. Its capacity is taken unless it is held ahead of need. */
struct slot {
	uint32_t unit, lease, worker;
	uint32_t prev, next;             /* of its worker: running or held, oldest first */
	uint32_t held_prev, held_next;   /* of its need: see newest_held */
	int64_t assigned_ms, started_ms; /* started: as far as is known here, and at the latest */
	bool held, started, recalling, cancelled;
};
struct slot_list {
	uint32_t head, tail, count;
};

struct worker_node {
	uint32_t prev, next;
	bool in;
};
struct worker {
	bool up, aside; /* aside: with its node */
	uint32_t node;
	uint32_t cpus, gpus, free_cpus, free_gpus;
	int64_t memory_bytes, free_memory; /* capacity 0: unknown, not counted */
	struct slot_list running, held;
	struct worker_node *nodes; /* by need and list kind */
};

struct node {
	uint64_t done, failed; /* attempts */
	uint32_t blamed;       /* units that failed here and did well elsewhere, since one did well here */
	bool aside;
};
struct suspicion {
	uint32_t unit, node;
};

struct fence {
	uint32_t unit;
	int64_t until_ms;
};

struct delay {
	int64_t due_ms;
	uint32_t unit,
	    attempt; /* the one that failed: after another one this delay is not the unit's any more */
};

/* In a replay: the parents of a scheduled trial, until all trials are there. */
struct late_job {
	struct late_job *next;
	uint32_t trial;
	struct plan_job job;
};

/* The complete trials of an instance whose phase races its folds. */
struct race_runner {
	uint32_t trial;
	double value;
};
struct race_field {
	uint32_t folds, places; /* places: how many winners a later phase picks, at least one */
	struct race_runner *best;
	uint32_t nbest, cap;
	double *fold_sum; /* over all complete trials */
	uint32_t complete;
	bool on;    /* there is an incumbent */
	bool stale; /* a trial is perhaps not complete any more */
};

/* DRAINED: nothing is started any more, what runs may end. */
enum stop_kind { STOP_NONE, STOP_DRAINED, STOP_ASKED, STOP_TARGET, STOP_TRIALS, STOP_ALIKE };

struct sched {
	struct arena *arena;
	const struct study *study;
	struct sched_options options;
	double recent_seconds; /* of an attempt: moving average; 1 before the first */
	struct plan plan;
	bool replaying; /* facts are stored as they come; sched_resume derives the rest */
	bool finished;
	bool adopted; /* it goes on for another one: what that one knew of the launch is known here */
	enum stop_kind stop;
	int64_t now_ms;
	struct actions *out; /* during a step */

	struct phase_state *phases;
	uint64_t by_state[UNIT_STATE_COUNT];
	double *fold_values;    /* work space: max_units_per_trial */
	struct slab objectives; /* by unit: those after the first, as many as the phase with most has */
	uint32_t nobjectives;   /* so many; 0: no phase has several, and the slab stays empty */
	double *expected;       /* work space: by instance */
	uint32_t *stack;        /* work space: units to look at */
	uint32_t stack_count, stack_cap;
	struct delay *delays; /* heap by due_ms */
	uint32_t ndelays, delays_cap;
	struct fence *fences;
	uint32_t nfences, fences_cap;

	struct need *needs;
	uint32_t nneeds;
	struct worker **workers; /* by number; NULL: never seen */
	uint32_t nworkers, workers_up;
	uint64_t cpus_up;
	struct node *nodes;
	uint32_t nnodes, naside;
	struct suspicion *suspicions; /* see sched_nodes.c */
	uint32_t nsuspicions;
	bool seen_worker;
	struct slab slots;
	uint32_t free_slot, live, last_lease;

	struct pruner pruner;
	struct prune_field **fields; /* by instance; NULL: its phase does not prune. NULL itself: none does */

	struct race_field **races; /* the same for `race` */

	uint32_t *pending; /* units of requests that wait for attempts to end */
	uint32_t npending, pending_cap, pending_live;

	struct late_job *late;
	struct closure *closure; /* of the request at work, see sched_change.c */

	uint64_t asked; /* proposals asked for without answer, all groups */
	uint32_t unfed; /* a phase, from 1, of which trials were not asked for: no time was left; 0: none */
	uint64_t trials_ended;
	uint32_t *pick_trials; /* winners of the pick being applied */
	uint32_t npick, pick_cap;

	bool alike; /* so far every attempt of this launch failed in one way, and no unit is done */
	uint32_t nalike, alike_units[ALIKE_ATTEMPTS];
	uint32_t alike_node; /* where the last one was */
	bool alike_spread;   /* they were not all on one node */
	struct attempt_result alike_result;
	int64_t unfit_since_ms; /* INT64_MAX: not waiting */
};

static inline struct slot *sched_slot(const struct sched *s, uint32_t slot)
{
	return slab_at(&s->slots, slot - 1);
}
static inline uint32_t sched_phase_of(const struct sched *s, uint32_t unit)
{
	return plan_phase_of(&s->plan, plan_unit(&s->plan, unit)->trial);
}
static inline bool sched_final(uint32_t state)
{
	return state == UNIT_DONE || state == UNIT_FAILED || state == UNIT_BLOCKED || state == UNIT_PRUNED ||
	       state == UNIT_CANCELLED;
}
/* Neither final nor paused: it will come to something by itself, or somebody must let it. */
static inline bool sched_busy(uint32_t state)
{
	return !sched_final(state) && state != UNIT_PAUSED;
}
/* Does this parent let its children start? What waits to be reset or deleted does not count any more. */
static inline bool sched_met(const struct plan_unit *u)
{
	return u->state == UNIT_DONE && u->pending != PENDING_RESET && u->pending != PENDING_DELETE;
}
/* A final state that lets no child start. */
static inline bool sched_dead(uint32_t state)
{
	return sched_final(state) && state != UNIT_DONE;
}

/* ---- sched.c ----------------------------------------------------------------------------------- */
struct action *sched_action(struct sched *s, enum action_kind kind);
/* Apply a record and hand it out. */
void sched_record(struct sched *s, const struct record *r);

/* ---- sched_units.c ------------------------------------------------------------------------------ */
void sched_get_fact(const struct sched *s, uint32_t unit, struct unit_fact *f);
/* What RECORD_UNIT does: store the fact, keep counters and ready queues. */
void sched_set_fact(struct sched *s, uint32_t unit, const struct unit_fact *f);
/* What RECORD_TRIAL does to the units of a trial just added. */
void sched_count_new_units(struct sched *s, uint32_t trial, bool root);
/* Emit RECORD_UNIT. */
void sched_record_fact(struct sched *s, uint32_t unit, const struct unit_fact *f);
/* Count unmet parents and say what a unit that is not begun must be: waiting, ready, blocked (and by whom).
 */
enum unit_state sched_derive(struct sched *s, uint32_t unit, uint32_t *cause);
/* How many of its parent units are not done (1 while it is not decided who they are), whether one of them
 * cannot be any more, and which (0: a pick without a valid candidate, none of which failed). */
uint32_t sched_count_unmet(const struct sched *s, uint32_t unit, bool *blocked, uint32_t *cause);
/* Bring the units of a new trial from their birth state to the derived one. */
void sched_settle_trial(struct sched *s, uint32_t trial);
/* Visit each unit that hangs on `unit`: as a child of its trial (not of combos behind void picks, unless
 * `open` is set). */
typedef void sched_visit(struct sched *s, uint32_t child, uint32_t arg);
void sched_each_child(struct sched *s, uint32_t unit, bool open, sched_visit *visit, uint32_t arg);
/* A unit that is not begun becomes what its parents say. */
void sched_settle_unit(struct sched *s, uint32_t unit);
/* The trial leaves the plan: its units count no more. It has no live attempt. */
void sched_drop_trial(struct sched *s, uint32_t trial, enum gone gone);
/* Ready queue of the unit's phase. dequeue: nothing when it is in none. */
void sched_enqueue(struct sched *s, uint32_t unit);
void sched_dequeue(struct sched *s, uint32_t unit);
/* What its ready units are to come after has changed: it has begun, one of its folds has failed for good, ..
 */
void sched_requeue_trial(struct sched *s, uint32_t trial);
bool sched_trial_final(const struct sched *s, const struct plan_trial *t);
/* The unit is done, has failed: what that means for those that hang on it. */
void sched_parent_done(struct sched *s, uint32_t unit);
void sched_block_descendants(struct sched *s, uint32_t unit);
/* The unit may run again after it was dead: what it blocked waits again. */
void sched_unblock_descendants(struct sched *s, uint32_t unit);
/* A failed unit is ready again, as if it had never failed, and what it blocked waits again. */
void sched_reopen(struct sched *s, uint32_t unit);

/* ---- sched_attempts.c --------------------------------------------------------------------------- */
void sched_begin(struct sched *s, uint32_t unit, uint32_t worker);
void sched_unbegin(struct sched *s, uint32_t unit, uint32_t worker);
/* An attempt ended. cancelled: we asked for it, so anything but success is a requeue. */
void sched_end(struct sched *s, uint32_t unit, uint32_t worker, const struct attempt_result *r,
               bool cancelled);
/* Delays of a scheduler of the same database. */
void sched_adopt_delays(struct sched *s, const struct sched *from);
/* Does the unit still wait for this? Not when it was held, reset or deleted in the meantime. */
static inline bool sched_delays(const struct sched *s, const struct delay *d)
{
	const struct plan_unit *u = plan_unit(&s->plan, d->unit);

	return u->delayed && u->attempts == d->attempt;
}
/* This unit is behind a fence: it waits for its end. False: it is not, or not any more. */
bool sched_wait_behind_fence(struct sched *s, uint32_t unit);
/* Take the earliest delay out. */
void sched_drop_delay(struct sched *s);
/* Ready units whose back-off is over join the queue. */
void sched_wake(struct sched *s);
/* After a replay: derive what is not stored, in one walk. */
void sched_rebuild_units(struct sched *s);

/* ---- sched_values.c ------------------------------------------------------------------------------ */
void sched_objectives_init(struct sched *s);
/* The objectives after the first of a unit that is about to be done. */
void sched_record_objectives(struct sched *s, uint32_t unit, const struct attempt_result *r);
double sched_unit_objective(const struct sched *s, uint32_t unit, uint32_t number); /* NaN: none */
int sched_apply_objective(struct sched *s, const struct record *r, struct fault *f);
/* Aggregate over the folds done so far, of some units of a trial or all; NaN when there is none or the phase
 * has no metric. sd, done: may be NULL. */
double sched_units_value(const struct sched *s, uint32_t first, uint32_t count, double *sd, uint32_t *done);
double sched_trial_value(const struct sched *s, uint32_t trial, double *sd, uint32_t *done);
/* NaN when there are none; may sort them. */
double sched_aggregate(const struct study_phase *ph, double *values, uint32_t n);
/* The same over the folds in this state that have a value. */
double sched_value_in(const struct sched *s, uint32_t trial, enum unit_state state);
/* All folds done and a finite value. Where there are several objectives, all of them: the value is that of
 * `number`. */
bool sched_trial_valid(const struct sched *s, uint32_t trial, double *value);
bool sched_trial_valid_by(const struct sched *s, uint32_t trial, uint32_t number, double *value);
/* Mean of successful attempts that are known; 1 before the first. */
double sched_mean_seconds(const struct sched *s, uint32_t phase);
void sched_refresh_critical(struct sched *s);

/* ---- sched_time.c ------------------------------------------------------------------------------- */
/* May a unit of this phase start now, if it is to end in time? Always, where the end is not known. */
bool sched_in_time(const struct sched *s, uint32_t phase);
/* Is so little time left that a program which saved without a new step did so for that? */
bool sched_is_late(const struct sched *s);
/* A successful attempt of this phase took so long. */
void sched_observe(struct sched *s, uint32_t phase, double seconds);
/* One saved its state and asked to be run again; idle: without a new step. */
void sched_note_requeue(struct sched *s, uint32_t phase, bool idle);
/* Held units that cannot end in time any more. */
void sched_recall_late(struct sched *s);
/* When there will be such; INT64_MAX: never. */
int64_t sched_next_late_ms(const struct sched *s);
/* For the verdict: units of this phase were not started. */
const char *sched_late_text(const struct sched *s, uint32_t phase);

/* ---- sched_grow.c ------------------------------------------------------------------------------- */
void sched_propose(struct sched *s, const struct event *e);
void sched_exhausted(struct sched *s, const struct event *e);
void sched_grow(struct sched *s);
bool sched_growing(const struct sched *s);

void sched_close_group(struct sched *s, uint32_t group);

/* ---- sched_feed.c ------------------------------------------------------------------------------- */
/* The group of a search that learns misses trials: list it, if a trial of it could start. False: it could
 * not ever, for its parents are dead; then its trials may as well be made, to be blocked like others. */
bool sched_hunger(struct sched *s, uint32_t group);
/* A unit of this trial is done or dead: searches below may be able to go on. */
void sched_hunger_below(struct sched *s, uint32_t trial);
/* Reproducible: this trial has ended, and proposals may have waited for it. */
void sched_hunger_again(struct sched *s, uint32_t trial);
bool sched_hungry(const struct sched *s);
/* Ask for as many trials as there is room for. */
void sched_feed(struct sched *s);
/* Ask for n; n answers came, or are not waited for any more. */
void sched_want(struct sched *s, uint32_t group, uint32_t n);
void sched_unask(struct sched *s, struct plan_group *g, uint32_t n);
/* It took so long as it was asked ago. */
void sched_answered(struct sched *s, const struct plan_group *g);
/* Could a trial of this parent combination start? Of any of the group, now or later? */
bool sched_combo_ready(const struct sched *s, uint32_t combo);
bool sched_group_alive(const struct sched *s, uint32_t group);

/* ---- sched_jobs.c ------------------------------------------------------------------------------- */
void sched_add_job(struct sched *s, const struct event *e);
/* A trial became final (or is not any more): the choices it is a candidate of. */
void sched_candidate_final(struct sched *s, uint32_t trial, bool is);
/* The trial, which is about to be dropped, is no candidate of this combo any more. */
void sched_lose_candidate(struct sched *s, uint32_t combo, uint32_t trial);
/* Count again how many candidates of each choice are open: after a replay. */
void sched_recount_choices(struct sched *s);
/* The pick of this job is void. */
void sched_unpick_job(struct sched *s, uint32_t trial);
void sched_decide_choices(struct sched *s);

/* ---- sched_change.c ----------------------------------------------------------------------------- */
void sched_request(struct sched *s, const struct sched_request *r, struct sched_effect *out);
/* An attempt of a unit that a request waits for has ended. */
void sched_pending_ended(struct sched *s, uint32_t unit);
/* A replay has found it pending. */
void sched_note_pending(struct sched *s, uint32_t unit);
/* What was asked for and could not be done at once: do it if no attempt stands in the way any more. */
void sched_apply_pending(struct sched *s);
/* After a pick was made anew: trials behind those that do not win any more go, the others are settled. */
void sched_settle_picked(struct sched *s, uint32_t instance);

/* ---- sched_prune.c ------------------------------------------------------------------------------ */
void sched_prune_init(struct sched *s);
/* Where a unit stands among those it is compared with; false: its phase does not prune. */
bool sched_prune_place(const struct sched *s, uint32_t unit, struct prune_place *out);
/* Its attempt reached its budget, but there are rungs above. */
bool sched_is_below_top(const struct sched *s, uint32_t unit, double *step);
/* Give it up. worth: the value that its units get which are spared; NaN: what they have noted last. */
void sched_prune_trial(struct sched *s, uint32_t trial, enum reason reason, double worth);
void sched_metric(struct sched *s, const struct event *e);
void sched_apply_metric(struct sched *s, const struct record *r);
int sched_apply_rung(struct sched *s, const struct record *r, struct fault *f);
/* What its attempts brought does not count any more. */
void sched_prune_forget(struct sched *s, uint32_t unit);
/* A unit's state has become another one. */
void sched_prune_changed(struct sched *s, uint32_t unit, uint32_t was);
/* It has just paused: is its trial at a rung with all its folds, and who goes on now? */
void sched_paused(struct sched *s, uint32_t unit);
/* All units of this instance have ended or paused, and no trial will come: one goes on, or none. */
void sched_settle_paused(struct sched *s, uint32_t instance);
/* After a replay. */
void sched_rebuild_pruner(struct sched *s);
/* Over the folds that are in this state: values together, the largest step. */
void sched_sum_up(const struct sched *s, uint32_t trial, enum unit_state state, double *value, double *step);

/* ---- sched_race.c ------------------------------------------------------------------------------- */
void sched_race_init(struct sched *s);
/* This unit has just been done: is its trial complete, or has it lost? */
void sched_race(struct sched *s, uint32_t unit);
/* The state of a unit has become another one, or it goes. */
void sched_race_changed(struct sched *s, uint32_t unit, uint32_t was);
/* Should its next fold rather wait for the one that runs? */
bool sched_race_waits(const struct sched *s, uint32_t trial);
/* The unit of the same trial that comes instead of this one, which was chosen. */
uint32_t sched_race_fold(const struct sched *s, uint32_t unit);
/* After a replay. */
void sched_rebuild_races(struct sched *s);

/* ---- sched_workers.c ------------------------------------------------------------------------------ */
void sched_workers_init(struct sched *s);
void sched_worker_up(struct sched *s, const struct event *e);
void sched_worker_lost(struct sched *s, uint32_t worker);
/* Workers and live attempts of a scheduler of the same database. */
void sched_adopt_workers(struct sched *s, const struct sched *from);
/* The live attempt that this event talks about, or NULL when it is stale. */
struct slot *sched_event_slot(const struct sched *s, const struct event *e);
void sched_started(struct sched *s, const struct event *e);
void sched_finished(struct sched *s, const struct event *e);
void sched_recalled(struct sched *s, const struct event *e);
void sched_assign(struct sched *s);
void sched_cancel_live(struct sched *s);
/* All units of this phase that are held ahead of need. */
void sched_recall_phase(struct sched *s, uint32_t phase);
/* Stop the live attempt of this unit. */
void sched_cancel(struct sched *s, uint32_t unit);

/* It is up, and its whole capacity is enough; and it is not set aside. */
bool sched_is_large(const struct worker *w, const struct need *n);
bool sched_is_able(const struct worker *w, const struct need *n);
/* Its node is set aside, or back. */
void sched_worker_aside(struct sched *s, uint32_t worker, bool aside);

/* ---- sched_nodes.c -------------------------------------------------------------------------------- */
void sched_node_grow(struct sched *s, uint32_t node);
/* An attempt has ended so, and the unit is in this state now. */
void sched_node_result(struct sched *s, uint32_t unit, uint32_t worker, enum unit_state now,
                       enum reason reason);
/* It has failed on the node of this worker, and another node could take it. */
bool sched_avoids(const struct sched *s, uint32_t unit, uint32_t worker);
/* Workers came or went: is a good one left? */
void sched_nodes_settle(struct sched *s);
void sched_adopt_nodes(struct sched *s, const struct sched *from);

/* ---- sched_end.c ---------------------------------------------------------------------------------- */
void sched_note_result(struct sched *s, uint32_t unit, uint32_t worker, const struct attempt_result *r);
void sched_check_study_stop(struct sched *s, uint32_t trial);
void sched_stop(struct sched *s, enum stop_kind kind);
void sched_maybe_finish(struct sched *s);

#endif
