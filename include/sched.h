/* sched: what is true (trials, units, attempts) and what to do next. Pure: no MPI, process, disk, clock.
 *
 * One call, sched_step(event), turns an event into actions. Every change of what is true is a record;
 * sched_apply(record) is the only code that changes it, used by the step itself and by replay, so a resumed
 * run cannot drift from a live one. Time and randomness are fields of events.
 *
 * Cost: a step is O(phases + log units + folds); no step looks at all units but the one that makes a pick and
 * the one that resumes. Memory: about 200 bytes a unit beside its parameter values when trials have one unit
 * each (measured by bench_sched; less with folds).
 *
 * Numbers: trials and units count from 1 (0 is none) in the order of their creation; the units of one trial
 * are consecutive, in fold order. A group is one combination of parent trials for one child phase (or, with
 * `trials: N total`, all combinations of that phase and outer fold): what a search proposes trials for. */
#ifndef SCHED_H
#define SCHED_H

#include "arena.h"
#include "command.h"
#include "rng.h"
#include "study.h"

#include <stdbool.h>
#include <stdint.h>

#define UNIT_STATES(X)                                                                                       \
	X(WAITING, "waiting")                                                                                \
	X(READY, "ready")                                                                                    \
	X(RUNNING, "running")                                                                                \
	X(PAUSED, "paused")                                                                                  \
	X(DONE, "done")                                                                                      \
	X(FAILED, "failed")                                                                                  \
	X(BLOCKED, "blocked")                                                                                \
	X(PRUNED, "pruned")                                                                                  \
	X(CANCELLED, "cancelled")                                                                            \
	X(HELD, "held")
enum unit_state {
#define X(name, text) UNIT_##name,
	UNIT_STATES(X)
#undef X
	    UNIT_STATE_COUNT
};
const char *unit_state_text(enum unit_state s);

/* ---- events ---------------------------------------------------------------------------- */
enum event_kind {
	EVENT_TICK,        /* time passed; also starts things after a replay */
	EVENT_WORKER_UP,   /* worker */
	EVENT_WORKER_LOST, /* worker */
	EVENT_PROPOSED,    /* group, parent, values: one new trial (answer to ACTION_WANT) */
	EVENT_EXHAUSTED,   /* group, text: the search can find no (further) point there */
	EVENT_STARTED,     /* worker, unit, lease */
	EVENT_METRIC,      /* worker, unit, lease, step, value: of the objective, where the phase prunes */
	EVENT_FINISHED,    /* worker, unit, lease, result */
	EVENT_RECALLED,    /* worker, unit, lease: never started, handed back */
	EVENT_REQUEST,     /* request: a user's change; *effect says what it came to */
	EVENT_JOB,         /* job: one scheduled trial; *answer says what became of it */
	EVENT_DRAIN,       /* end the run: nothing is started any more, what runs may end */
	EVENT_STOP         /* end the run: running attempts are cancelled (they end as `requeue`) */
};

/* How an attempt ended, as the worker saw it. */
struct attempt_result {
	enum reason reason; /* REASON_NONE: exit 0 (the metric is judged by the scheduler) */
	int32_t exit_code;  /* -1: did not exit */
	int32_t signal;     /* 0: none */
	bool requeue;       /* exit 75 */
	bool new_step;      /* reported a step it had not reported before in this attempt's predecessors */
	bool has_value;     /* all objectives were reported (over all attempts since the last reset) */
	double last, best;  /* the (first) one: last reported, best reported; may be NaN or infinite */
	double best_step;   /* step of best; NaN when no step was given */
	double more[OBJECTIVES_MORE]; /* the others, where there are several: last reported */
	int64_t ran_ms;               /* its worker's word; taken within what was seen of it here */
};

/* What a user may ask for, on units named by their numbers.
 *   RESET     back to the beginning, with all descendants; results so far are archived. Picks among trials
 * that are reset are void. Attempts that are live are stopped first: the change of all units of the request
 * takes place, at once, when the last of them has ended (until then: pending) DELETE    as RESET, but the
 * trials of these units and all their descendants are gone, and stay so CANCEL    final, and blocks the
 * descendants; a live attempt is stopped, whatever it ends with HOLD      not to be started: waiting and
 * ready units only RELEASE   the opposite PRIORITY  higher comes first; 0 is where units begin; of units that
 * have not ended */
enum request_kind {
	REQUEST_RESET,
	REQUEST_CANCEL,
	REQUEST_HOLD,
	REQUEST_RELEASE,
	REQUEST_DELETE,
	REQUEST_PRIORITY
};
struct sched_request {
	enum request_kind kind;
	const uint32_t *units; /* ascending */
	uint32_t n;
	int32_t priority; /* -SCHED_MAX_PRIORITY .. SCHED_MAX_PRIORITY */
};
enum { SCHED_MAX_PRIORITY = 1000000 };

/* What a request comes to, in units. */
struct sched_effect {
	uint32_t changed;                /* of those named; DELETE: all units of their trials */
	uint32_t descendants;            /* go along (RESET, DELETE), or are blocked (CANCEL) */
	uint32_t live;                   /* of all these: attempts that are stopped for it */
	uint32_t trials;                 /* that a change touches */
	uint32_t picks;                  /* that are void */
	uint32_t left[UNIT_STATE_COUNT]; /* named, but in a state where there is nothing to change */
};

/* A trial of a scheduled phase (study_phase.scheduled). Its identity is its key; parents may be added later.
 */
struct sched_job {
	uint32_t phase, command; /* which of the phase's commands */
	struct key128 key;
	const struct value *values; /* own values, phase's nparams (VALUE_NONE: not of this job) */
	const uint32_t *parents;    /* trials, ascending; best_n: the candidates, all of one phase */
	uint32_t nparents;
	uint32_t
	    best_n; /* 0: comes after all its parents; else after the best N of them, when all are final */
	bool force; /* has the job begun, then give it its new parents and reset it */
};
enum job_answer {
	JOB_ADDED,
	JOB_KNOWN,   /* exists, with these parents */
	JOB_GROWN,   /* exists, has got more parents */
	JOB_STARTED, /* exists and has begun, more parents need `force`: nothing is changed */
	JOB_FORCED   /* has got more parents and was reset */
};

struct event {
	enum event_kind kind;
	int64_t now_ms;       /* any monotonic origin; never decreases */
	uint32_t worker;      /* small number chosen by the caller (the rank); < SCHED_MAX_WORKERS */
	uint32_t node;        /* WORKER_UP: workers of one host have one number; small, < SCHED_MAX_WORKERS */
	uint32_t cpus, gpus;  /* WORKER_UP: capacity */
	int64_t memory_bytes; /* WORKER_UP: 0 unknown */
	uint32_t unit, lease;
	uint32_t group;
	uint32_t parent; /* PROPOSED: index of the parent combination inside a `total` group, else 0 */
	const struct value *values; /* PROPOSED: own values, copied */
	double step, value;         /* METRIC */
	struct attempt_result result;
	const char *text;
	const struct sched_request *request;
	struct sched_effect *effect; /* may be NULL */
	const struct sched_job *job;
	enum job_answer *answer; /* may be NULL */
	uint32_t *trial;         /* JOB: its number; may be NULL */
};
enum { SCHED_MAX_WORKERS = 1 << 16 };

/* ---- records: facts, in order ------------------------------------------------------------ */
enum record_kind {
	RECORD_TRIAL,
	RECORD_UNIT,
	RECORD_BEGIN,
	RECORD_END,
	RECORD_UNBEGIN,
	RECORD_PICK,
	RECORD_UNPICK,    /* phase, outer, child_phase: the pick is void */
	RECORD_PARENTS,   /* trial (scheduled): its parents are these now; candidates, best_n too */
	RECORD_ARCHIVE,   /* unit: what its attempts brought so far does not count any more; nor do the rungs
	                     that its trial has reached */
	RECORD_METRIC,    /* unit, attempt, step, value: what the rules of `prune` look at */
	RECORD_RUNG,      /* trial, rung, value: all its folds have paused there */
	RECORD_OBJECTIVE, /* unit, number, value: of a unit that is done; number 1 and up, where there are
	                     several */
	RECORD_GONE       /* trial, gone: it is no part of the study any more, nor are its units */
};

/* Why a trial is gone. DELETED: and is not to be made again by its search. SUPERSEDED: it came after a pick
 * that another trial wins now. */
enum gone { GONE_NOT, GONE_DELETED, GONE_SUPERSEDED };

/* What is to become of a unit when its attempts (and those of the others of the request) have ended. */
enum pending { PENDING_NONE, PENDING_RESET, PENDING_CANCEL, PENDING_DELETE, PENDING_PRUNE };

/* The whole state of a unit that must survive: the last RECORD_UNIT of each unit is enough. */
struct unit_fact {
	enum unit_state state;
	enum reason reason;     /* why failed; of the last attempt that did not succeed; PRUNED: the rule */
	uint32_t cause;         /* BLOCKED: the unit that failed or was cancelled, 0: none */
	uint32_t attempts;      /* begun */
	uint32_t failures;      /* attempts that count against retries */
	uint32_t losses;        /* lost */
	uint32_t idle_requeues; /* exit 75 in a row without a new step */
	uint32_t resets;        /* part of the name of its directory */
	int32_t priority;
	enum pending pending;
	uint32_t rung;    /* the one it runs to, or has paused at */
	double value;     /* objective by the phase's report rule; NaN: none. PAUSED, PRUNED: at `step` */
	double best_step; /* NaN: none */
	double step;      /* PAUSED, PRUNED: how far it had come; NaN: not known */
};

struct record {
	enum record_kind kind;
	uint32_t trial, unit, attempt, worker;
	/* TRIAL */
	uint32_t phase;
	int32_t outer;
	uint32_t k;
	uint32_t first_unit; /* in a replay: its stored number; 0: the next one */
	struct key128 key;
	const uint32_t *parents; /* trial numbers */
	uint32_t nparents;
	const struct value *values; /* own values, phase's nparams */
	/* TRIAL, PARENTS of a scheduled phase: parents are the winners once the pick is made, none before */
	const uint32_t *candidates;
	uint32_t ncandidates, best_n; /* 0: no pick, parents are as given */
	enum gone gone;               /* GONE; TRIAL in a replay */
	/* UNIT (also set in END: the unit's fact after it) */
	struct unit_fact fact;
	/* END */
	struct attempt_result result;
	/* PICK: `trial` won among phase `phase`, outer fold `outer`, for child phase `child_phase`; `rank`
	 * counts from 0 inside `bucket` (best N per ..). One pick is several consecutive records, the last
	 * has `last` set. */
	uint32_t child_phase, bucket, rank;
	uint32_t for_trial; /* the scheduled trial it was made for; 0: for all of the child phase */
	double value;       /* METRIC, RUNG, OBJECTIVE too */
	bool last;
	double step;     /* METRIC */
	uint32_t rung;   /* RUNG: counted from the first of its bracket */
	uint32_t number; /* OBJECTIVE */
};

/* ---- actions ------------------------------------------------------------------------------ */
enum action_kind {
	ACTION_RECORD, /* record: to be committed before anything of this or a later step is sent */
	ACTION_WANT,   /* group, n: propose up to n trials; answer with n PROPOSED, or fewer and EXHAUSTED */
	ACTION_ASSIGN, /* worker, unit, lease, attempt */
	ACTION_CANCEL, /* worker, unit, lease: TERM, grace, KILL; the worker still sends FINISHED */
	ACTION_RECALL, /* worker, unit, lease: give it back if it has not started */
	ACTION_NODE,   /* node, n: 1: units die there that do well elsewhere, it gets none any more; 0: it is
	                  taken back, for no other can do what it can */
	ACTION_FINISH  /* code, text: the run is over (nothing is live any more) */
};

struct action {
	enum action_kind kind;
	uint32_t worker, unit, lease, attempt, group, n, node;
	enum fault_code code;
	const char *text; /* FINISH: what to tell the user; "" when all is done */
	struct record record;
};

/* Filled by sched_step; memory is the caller's scratch arena (reset it between loop turns). */
struct actions {
	struct arena *scratch;
	struct action *items;
	uint32_t count, cap;
};

/* ---- the scheduler -------------------------------------------------------------------------- */
struct sched;
struct sched_options {
	uint32_t prefetch_per_slot; /* units held beyond a worker's running ones, for each cpu of it */
	/* As many more as take short_ms together (by the recent average), at most prefetch_short, so that a
	 * round trip and a shared commit are hidden behind them; 0: no difference. */
	uint32_t prefetch_short;
	int64_t short_ms;
	int64_t backoff_ms; /* first retry waits so long, doubling up to 32 times; default 1000 when 0 */
	bool standing;      /* no run: nothing is assigned, and it never finishes */
	/* When the run begins, and when it will be stopped (by EVENT_STOP), as now_ms; end 0: not known. What
	 * cannot end in time is not started, and when nothing else is left the run finishes as stopped. */
	int64_t begin_ms, end_ms;
	bool interrupted; /* what ran in the last run was stopped on purpose: it counts as requeued */
};
/* How long the successful attempts of a phase took. */
struct durations {
	uint64_t n;
	double seconds, squares; /* sums of the durations, and of their squares */
	bool saves;              /* its programs save their state: some ended with exit status 75 */
};

struct sched *sched_new(struct arena *a, const struct study *s, const struct sched_options *o);
/* Replay one stored fact. Trials in the order of their numbers first, then picks, then units (any order among
 * units), then rungs and metrics (those of a unit in the order in which they came). -1 with FAULT_IO when the
 * records contradict each other or the study (a damaged database). */
int sched_apply(struct sched *s, const struct record *r, struct fault *f);
/* After the last one: what could not be joined before all trials were there. */
int sched_applied(struct sched *s, struct fault *f);
/* Then, of a unit that was running when the last run died: its attempt may go on elsewhere until then, so no
 * other one of this unit begins earlier, whatever becomes of it. */
void sched_fence(struct sched *s, uint32_t unit, int64_t until_ms);
/* What attempts of earlier runs took, before the first step. */
void sched_know(struct sched *s, uint32_t phase, const struct durations *d);
/* Then: units that were running when the last run died become ready again (their
 * attempts end as lost, which counts toward lost_limit but not retries); produces records. */
void sched_resume(struct sched *s, int64_t now_ms, struct actions *out);
void sched_step(struct sched *s, const struct event *e, struct actions *out);
/* What a request would come to; changes nothing. */
void sched_preview(struct sched *s, const struct sched_request *r, struct sched_effect *out);
/* The same for a job. */
enum job_answer sched_preview_job(const struct sched *s, const struct sched_job *j);
/* Between the replay into `s` and its resume: take over from `from`, which has worked on a smaller study of
 * the same database, what is not stored: workers, live attempts with their leases, back-offs, durations, the
 * end. `from` is of no use afterwards. */
void sched_adopt(struct sched *s, const struct sched *from);
/* When does the scheduler next want a TICK (a retry waiting for its back-off), or INT64_MAX. */
int64_t sched_next_tick_ms(const struct sched *s);

/* ---- questions (for rendering, storing and showing) -------------------------------------------- */
struct unit_view {
	uint32_t unit, trial, phase;
	int32_t fold, outer;
	struct unit_fact fact;
	bool live; /* assigned to a worker, started or not */
	uint32_t worker, lease;
};
struct trial_view {
	uint32_t trial, phase, k, first_unit, nunits;
	int32_t outer;
	struct key128 key;
	const uint32_t *parents;
	uint32_t nparents;
	const struct value *values;
	uint32_t units_done, units_final;
	double value, sd;    /* aggregate and sample sd over the folds done so far; NaN when there is none */
	struct key128 place; /* names its combination of parents */
};
/* What a trial came to, as far as a search may learn from it. Where there is no number it is NaN. */
enum trial_end {
	TRIAL_OPEN,     /* it may still become something; paused at a rung: with the value and step of that */
	TRIAL_COMPLETE, /* all its folds are done, its value is finite */
	TRIAL_PRUNED,   /* given up at `step` with `value`, over its folds that had one; see sched_trial_raced
	                 */
	TRIAL_FAILED,   /* a program failed, or the value is not finite */
	TRIAL_VOID      /* never ran to its end for reasons that are not its own: cancelled, blocked, gone */
};
uint32_t sched_unit_count(const struct sched *s);
uint32_t sched_trial_count(const struct sched *s);
/* False for a number that an accepted edit has left out. */
bool sched_trial_exists(const struct sched *s, uint32_t trial);
void sched_unit(const struct sched *s, uint32_t unit, struct unit_view *out);
void sched_trial(const struct sched *s, uint32_t trial, struct trial_view *out);
/* Objective `number` of a trial whose phase has several, aggregated over the folds done so far; 0 is `value`.
 * NaN when there is none. sd may be NULL. */
double sched_trial_objective(const struct sched *s, uint32_t trial, uint32_t number, double *sd);
enum trial_end sched_trial_end(const struct sched *s, uint32_t trial, double *value, double *step);
/* Was it given up for what its other folds ended with? Then its value is an estimate of that which it would
 * have with all its folds, and `step` of sched_trial_end says how many it had. */
bool sched_trial_raced(const struct sched *s, uint32_t trial, double *value);

/* The search's side of ACTION_WANT. */
struct group_view {
	uint32_t group, phase;
	int32_t outer;
	struct key128 key;    /* of the group: phase, outer fold, parents' keys */
	uint32_t proposed;    /* trials so far: the next one is number k = proposed */
	uint32_t nparents;    /* parent combinations to choose from: 1 unless `total` */
	uint64_t *cursor;     /* the sampler's own position, 0 at first and after a replay */
	uint32_t slots;       /* units of this phase that fit on all workers at a time; >= 1 */
	double trial_seconds; /* expected for all units of a trial, one after the other */
};
void sched_group(const struct sched *s, uint32_t group, struct group_view *out);
/* The scope (ancestors' values; own slot NULL) of combination `parent` of a group. In `a`. */
void sched_group_scope(const struct sched *s, uint32_t group, uint32_t parent, struct arena *a,
                       struct scope *out);
/* Names combination `parent`, as trial_view.place. */
struct key128 sched_group_place(const struct sched *s, uint32_t group, uint32_t parent);
/* Could a trial of combination `parent` start now? True for all when none of them ever can. */
bool sched_group_ready(const struct sched *s, uint32_t group, uint32_t parent);
/* The scope of a trial, own values included. */
void sched_trial_scope(const struct sched *s, uint32_t trial, struct arena *a, struct scope *out);
/* Is this key (of a grid or enqueued point) already a trial of the study? */
bool sched_has_values(const struct sched *s, uint32_t group, uint32_t parent, const struct value *own);

/* Everything a command of this unit needs; directories below out_dir (absolute). In `a`. */
void sched_command_context(const struct sched *s, uint32_t unit, uint32_t attempt, const char *out_dir,
                           struct arena *a, struct command_context *out);
/* The same for a job that is not there yet, as far as command_check looks at it: its scope, and how many
 * trials and folders it comes after. */
void sched_job_context(const struct sched *s, const struct sched_job *j, struct arena *a,
                       struct command_context *out);
/* out_dir/dir/PHASE/tTRIAL[/fFOLD][.RESETS]: after a reset a unit has a folder of its own, the old one stays.
 */
const char *sched_unit_dir(const struct sched *s, uint32_t unit, const char *out_dir, struct arena *a);

/* Progress, O(1): counts of units by state for a phase (UINT32_MAX: all). planned: units of trials that are
 * certain to come but not proposed yet (quotas of static searches behind picks), as far as known. */
struct sched_counts {
	uint64_t by_state[UNIT_STATE_COUNT];
	uint64_t planned;
	double seconds_mean; /* of successful attempts; NaN when none */
};
void sched_counts(const struct sched *s, uint32_t phase, struct sched_counts *out);

/* Check internal invariants (heap order, counters against a full recount): for tests; NULL or what is broken.
 */
const char *sched_audit(const struct sched *s, struct arena *scratch);
/* Canonical text of everything that must survive a replay, for comparing two schedulers in tests. */
const char *sched_dump(const struct sched *s, struct arena *a);

#endif
