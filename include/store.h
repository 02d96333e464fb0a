/* store: the one SQLite file. Rows in, rows out, no decisions. The schema and the argument why a crash at any
 * instant loses nothing are at the head of store.c. All times are epoch milliseconds here; the views show
 * seconds.
 *
 * NaN and infinities survive (SQLite has no NaN: the text 'nan' is stored instead). */
#ifndef STORE_H
#define STORE_H

#include "arena.h"
#include "bytes.h"
#include "fault.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

enum store_mode {
	STORE_READ,  /* the file must exist; works while a run writes */
	STORE_WRITE, /* creates; takes the writer's lock: waits up to wait_ms for a holder that is going away,
	                then refuses and says who holds it */
};
struct store_open_options {
	enum store_mode mode;
	int64_t wait_ms;       /* WRITE: default use 5000 */
	bool network;          /* WRITE: rollback journal with FULL instead of WAL with NORMAL */
	const char *lock_path; /* WRITE: file to lock (beside the outputs) */
	bool *busy; /* WRITE, may be NULL: set true when it was refused because of another writer */
	const char *host;
	int64_t now_ms;
};
int store_open(const char *path, const struct store_open_options *o, struct store **out, struct fault *f);
void store_close(struct store *s); /* commits nothing; NULL allowed */
/* A new database that nothing came of: closes and removes it before anybody else can begin with it, and its
 * lock file (NULL: leaves that). */
void store_discard(struct store *s, const char *lock_path);

/* Everything between begin and commit becomes true at once. put_* and commit fail with FAULT_IO; after a
 * failure the store only answers with the same fault (nothing later may look committed). */
int store_begin(struct store *s, struct fault *f);
int store_commit(struct store *s, struct fault *f);
bool store_in_transaction(const struct store *s);

/* ---- the study and the runs ---- */
/* Stored study text; *text NULL when the database is new. In `a`. */
int store_get_study(struct store *s, struct arena *a, const char **name, const char **text, size_t *n,
                    struct fault *f);
int store_put_study(struct store *s, const char *name, const char *text, size_t n, struct fault *f);
/* Scheduled phases as text; "" when there are none. In `a`. A database without a study gets `name` and an
 * empty study text. */
int store_get_jobs(struct store *s, struct arena *a, const char **jobs, size_t *n, struct fault *f);
int store_put_jobs(struct store *s, const char *name, const char *jobs, size_t n, struct fault *f);
/* Small facts about the study by name; *value NULL when there is none. In `a`. */
int store_get_meta(struct store *s, struct arena *a, const char *key, const char **value, struct fault *f);
int store_put_meta(struct store *s, const char *key, const char *value, struct fault *f);
struct store_phase {
	uint32_t phase; /* stable number by name: position of its first appearance */
	const char *name, *metric /* NULL none */, *goal, *aggregate, *folds, *search, *command;
};
int store_put_phase(struct store *s, const struct store_phase *p, struct fault *f);
int store_begin_run(struct store *s, uint32_t ranks, const char *host, uint32_t pid, int64_t now_ms,
                    uint64_t *run, struct fault *f);
/* The batch job it is in, "slurm:1234"; NULL: none. */
int store_put_run_job(struct store *s, uint64_t run, const char *job, struct fault *f);
int store_end_run(struct store *s, uint64_t run, int64_t now_ms, const char *end, struct fault *f);
int store_touch_run(struct store *s, uint64_t run, int64_t now_ms,
                    struct fault *f); /* last_seen of run and owner */
/* How long after it has died something of this run may go on elsewhere (see pulse.h). */
int store_put_run_patience(struct store *s, uint64_t run, int64_t patience_ms, struct fault *f);
struct store_worker {
	uint32_t rank;
	const char *host;
	uint32_t pid, keeper_pid;
	uint64_t space; /* where these numbers mean something */
};
int store_put_worker(struct store *s, uint64_t run, const struct store_worker *w, struct fault *f);
/* It was given up; put again, it is back. */
int store_lose_worker(struct store *s, uint64_t run, uint32_t rank, int64_t now_ms, const char *why,
                      struct fault *f);

/* ---- facts ---- */
struct store_trial {
	uint32_t trial;
	const char *phase;
	int32_t outer;
	uint32_t k;
	uint64_t key_hi, key_lo;
	const uint32_t *parents;
	uint32_t nparents;
	const void *own; /* encoded own values (opaque to the store) */
	size_t own_bytes;
	const char *own_json, *params_json;
	uint32_t first_unit, nunits;
	int32_t first_fold;         /* 0, or -1 for the single unit without a fold */
	const uint32_t *candidates; /* of a scheduled trial that picks its parents among them */
	uint32_t ncandidates, best_n;
	uint32_t gone; /* load only: 1 deleted, 2 superseded */
};
/* With its units: `ready` when it has no parents, else `waiting`. */
int store_put_trial(struct store *s, const struct store_trial *t, struct fault *f);
/* A scheduled trial has other parents or candidates now. *below (in `a`): the trials that come after it,
 * whose inherited parameters may have changed too. */
int store_put_parents(struct store *s, const struct store_trial *t, struct arena *a, uint32_t **below,
                      uint32_t *nbelow, struct fault *f);
int store_put_params(struct store *s, uint32_t trial, const char *params_json, struct fault *f);
/* The trial is no part of the study any more; its attempts stay as history. */
int store_put_gone(struct store *s, uint32_t trial, uint32_t gone, struct fault *f);
struct store_unit {
	uint32_t unit;
	const char *state, *reason;
	uint32_t cause, attempts, failures, losses, idle_requeues;
	double value, best_step; /* NaN: NULL */
	uint32_t resets, pending;
	int32_t priority;
	uint32_t rung;
	double step; /* NaN: NULL */
};
int store_put_unit(struct store *s, const struct store_unit *u, struct fault *f);
/* What the attempts of this unit have brought so far does not count any more. */
int store_archive_unit(struct store *s, uint32_t unit, struct fault *f);
/* All folds of a trial have paused at a rung. */
int store_put_rung(struct store *s, uint32_t trial, uint32_t rung, double value, struct fault *f);
int store_put_trial_value(struct store *s, uint32_t trial, const char *state, double value, double sd,
                          uint32_t folds_done, struct fault *f);
/* Of a phase with several metrics: of a unit those after the first (number 1 and up), which a replay needs;
 * of a trial all (number 0 and up), which people ask for. */
struct store_objective {
	uint32_t unit, number;
	double value;
};
struct store_trial_objective {
	uint32_t trial, number;
	const char *name, *goal;
	double value, sd; /* NaN: NULL */
};
int store_put_objective(struct store *s, const struct store_objective *o, struct fault *f);
int store_put_trial_objective(struct store *s, const struct store_trial_objective *o, struct fault *f);
struct store_attempt_begin {
	uint32_t unit, attempt, rank;
	uint64_t run;
	const char *command; /* one line */
	int64_t now_ms;
};
int store_begin_attempt(struct store *s, const struct store_attempt_begin *b, struct fault *f);
int store_start_attempt(struct store *s, uint32_t unit, uint32_t attempt, uint32_t pid, int64_t at_ms,
                        struct fault *f);
int store_drop_attempt(struct store *s, uint32_t unit, uint32_t attempt, struct fault *f);
/* What the last run had given to workers when it died, and may still go on with them. Borrowed for the call.
 */
struct store_left {
	uint32_t unit;
	struct store_worker worker;
	int64_t last_seen_ms, patience_ms; /* of that run */
};
int store_load_left(struct store *s, int (*each)(void *ctx, const struct store_left *x, struct fault *f),
                    void *ctx, struct fault *f);
/* After a run that could not say goodbye: what was assigned and never started is taken back. The news that a
 * unit has started comes behind its metrics and output when it is brief: what these tell of has started. */
int store_drop_unstarted(struct store *s, struct fault *f);
struct store_attempt_end {
	uint32_t unit, attempt;
	const char *state, *reason;      /* done | failed | lost | requeue, and the reason */
	int32_t exit_code, signal;       /* -1, 0: NULL */
	uint32_t pid;                    /* 0: leave it as it is */
	int64_t started_ms, finished_ms; /* 0: leave as it is */
	double user_seconds, system_seconds;
	uint64_t max_rss_kb;
	const void *tail;
	size_t tail_bytes;
};
int store_end_attempt(struct store *s, const struct store_attempt_end *e, struct fault *f);
/* The time (epoch) that metrics and output are put down with from now on. */
void store_set_time(struct store *s, int64_t now_ms);
int store_put_metric(struct store *s, uint32_t unit, uint32_t attempt, const char *name, bool has_step,
                     double step, double value, struct fault *f);
int store_put_output(struct store *s, uint32_t unit, uint32_t attempt, uint64_t run, uint32_t rank,
                     unsigned stream, uint64_t offset, uint32_t bytes, uint64_t skipped_bytes,
                     struct fault *f);
struct store_pick {
	const char *phase, *child_phase;
	int32_t outer;
	uint32_t trial, bucket, rank;
	double value;
	bool last;
	uint32_t for_trial; /* 0: for all trials of the child phase */
};
int store_put_pick(struct store *s, const struct store_pick *p, struct fault *f);
int store_drop_pick(struct store *s, const char *phase, int32_t outer, const char *child_phase,
                    struct fault *f);
/* `request`: what names the request for ever, or NULL. */
int store_put_audit(struct store *s, int64_t now_ms, const char *who, const char *command, int64_t units,
                    const char *request, struct fault *f);
int store_find_audit(struct store *s, const char *request, bool *found, struct fault *f);
/* What others have observed of a phase's space. */
struct store_prior {
	const char *phase;
	int32_t outer;
	uint64_t key_hi, key_lo; /* equal ones are there once */
	double value;
	const void *at; /* values, opaque to the store */
	size_t at_bytes;
	const char *params_json, *source;
	int64_t now_ms;
};
/* *added false: it is there already. */
int store_put_prior(struct store *s, const struct store_prior *p, bool *added, struct fault *f);
int store_find_prior(struct store *s, const char *phase, uint64_t key_hi, uint64_t key_lo, bool *found,
                     struct fault *f);
/* All of a phase. */
int store_count_priors(struct store *s, const char *phase, uint32_t *n, struct fault *f);
int store_drop_priors(struct store *s, const char *phase, uint32_t *dropped, struct fault *f);
/* In the order in which they came; rows (phase, outer, value, at) are borrowed for the call. */
int store_load_priors(struct store *s, int (*each)(void *ctx, const struct store_prior *p, struct fault *f),
                      void *ctx, struct fault *f);
/* Trials of `phase` none of whose units has begun, and their descendants, are forgotten (a domain was
 * edited). */
int store_forget_unbegun(struct store *s, const char *phase, uint32_t *trials, struct fault *f);

/* The objective over all attempts since the last reset: a later attempt wins a step. last: latest reported.
 * NaN best when only NaN came. *found false when there is none. new_step (may be NULL): did `attempt` report
 * a step no earlier attempt had? */
int store_read_objective(struct store *s, uint32_t unit, const char *metric, bool maximize, uint32_t attempt,
                         bool *found, double *last, double *best, double *best_step, bool *new_step,
                         struct fault *f);

/* The last value that was reported since the last reset; *found false, NaN: none. */
int store_last_value(struct store *s, uint32_t unit, const char *metric, bool *found, double *value,
                     struct fault *f);
/* How long the attempts before this one took, since the last reset. */
int store_seconds_before(struct store *s, uint32_t unit, uint32_t attempt, double *seconds, struct fault *f);

/* ---- replay: every trial by number, then picks in order, then units that are not plainly `waiting` ---- */
struct store_loader {
	void *ctx;
	int (*trial)(void *ctx, const struct store_trial *t,
	             struct fault *f); /* rows are borrowed for the call */
	int (*pick)(void *ctx, const struct store_pick *p, struct fault *f);
	int (*unit)(void *ctx, const struct store_unit *u, struct fault *f);
};
int store_load(struct store *s, const struct store_loader *l, struct fault *f);
/* After these: objectives, by unit and number. */
typedef int store_objective_fn(void *ctx, const struct store_objective *o, struct fault *f);
int store_load_objectives(struct store *s, store_objective_fn *fn, void *ctx, struct fault *f);
/* And rungs, by trial; and what the units of a phase reported for a metric with a step, by unit,
 * each in the order in which it came (nothing that was archived). */
struct store_rung {
	uint32_t trial, rung;
	double value;
};
struct store_metric {
	uint32_t unit, attempt;
	double step, value;
};
int store_load_rungs(struct store *s, int (*fn)(void *ctx, const struct store_rung *r, struct fault *f),
                     void *ctx, struct fault *f);
int store_load_metrics(struct store *s, const char *phase, const char *metric,
                       int (*fn)(void *ctx, const struct store_metric *m, struct fault *f), void *ctx,
                       struct fault *f);

/* ---- questions: any SELECT over the views ---- */
struct store_rows;
enum store_type { STORE_NULL, STORE_INT, STORE_REAL, STORE_TEXT, STORE_BLOB };
/* `binds`: texts for ?1.. (NULL-terminated list or NULL). */
int store_select(struct store *s, const char *sql, const char *const *binds, struct store_rows **out,
                 struct fault *f);
int store_next(struct store_rows *r, struct fault *f); /* 1 a row, 0 the end, -1 */
uint32_t store_columns(const struct store_rows *r);
const char *store_column_name(const struct store_rows *r, uint32_t i);
enum store_type store_type(const struct store_rows *r, uint32_t i);
int64_t store_int(const struct store_rows *r, uint32_t i);
double store_real(const struct store_rows *r,
                  uint32_t i); /* 'nan', 'inf' texts become numbers; NULL is NaN */
const char *store_text(const struct store_rows *r, uint32_t i); /* "" for NULL; borrowed until the next row */
const void *store_blob(const struct store_rows *r, uint32_t i, size_t *n);
void store_rows_close(struct store_rows *r);

#endif
