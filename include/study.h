/* study: a study file, parsed, checked and resolved; immutable afterwards. Everything lives in one arena.
 *
 * Phases are in topological order: a phase's parents have smaller indices. */
#ifndef STUDY_H
#define STUDY_H

#include "arena.h"
#include "command.h"
#include "fault.h"
#include "space.h"

#include <stdbool.h>
#include <stdint.h>

enum goal { GOAL_MINIMIZE, GOAL_MAXIMIZE };
enum aggregate { AGGREGATE_MEAN, AGGREGATE_MEDIAN, AGGREGATE_MIN, AGGREGATE_MAX };
enum report_rule { REPORT_LAST, REPORT_BEST };
enum phase_folds { FOLDS_EACH, FOLDS_OUTER, FOLDS_NONE };
/* `auto` is resolved by the parser. PROGRAM: a program of the user's proposes. GIVEN: scheduled phases,
 * nothing is searched. */
enum search_kind {
	SEARCH_GRID,
	SEARCH_RANDOM,
	SEARCH_SOBOL,
	SEARCH_TPE,
	SEARCH_CMAES,
	SEARCH_GP,
	SEARCH_NSGA2,
	SEARCH_AUTO,
	SEARCH_PROGRAM,
	SEARCH_GIVEN
};
/* Does this search learn from results? Then a trial is proposed when a slot will be free for it. */
static inline bool search_learns(enum search_kind k)
{
	return k >= SEARCH_TPE && k <= SEARCH_PROGRAM;
}
/* Is it one of ours, which can be told of trials that are not its own? */
static inline bool search_takes_priors(enum search_kind k)
{
	return search_learns(k) && k != SEARCH_NSGA2 && k != SEARCH_PROGRAM;
}
/* Does it look at one metric alone? */
static inline bool search_needs_one_metric(enum search_kind k)
{
	return search_takes_priors(k);
}
enum pick_kind { PICK_ALL, PICK_BEST };

/* Why an attempt did not succeed. X(enum name, text). The order is part of the wire format. */
#define REASONS(X)                                                                                           \
	X(NONE, "")                                                                                          \
	X(EXIT, "exit")                                                                                      \
	X(SIGNAL, "signal")                                                                                  \
	X(OOM, "oom")                                                                                        \
	X(TIMEOUT, "timeout")                                                                                \
	X(STALL, "stall")                                                                                    \
	X(NO_METRIC, "no_metric")                                                                            \
	X(BAD_METRIC, "bad_metric")                                                                          \
	X(SPAWN, "spawn")                                                                                    \
	X(LOST, "lost")                                                                                      \
	X(REQUEUE, "requeue")                                                                                \
	/* not how it failed, but what gave it up */                                                         \
	X(MEDIAN, "median")                                                                                  \
	X(PERCENTILE, "percentile")                                                                          \
	X(THRESHOLD, "threshold")                                                                            \
	X(PATIENCE, "patience")                                                                              \
	X(ASHA, "asha")                                                                                      \
	X(HYPERBAND, "hyperband")                                                                            \
	X(RACE, "race")
enum reason {
#define X(name, text) REASON_##name,
	REASONS(X)
#undef X
	    REASON_COUNT
};

/* The words of study files; of a reason, that of REASONS. */
const char *goal_text(enum goal g);
const char *aggregate_text(enum aggregate x);
const char *folds_text(enum phase_folds x);
const char *search_text(enum search_kind k); /* "given": no word of study files */
/* What a worker may say: the first ones. */
enum { REASON_TOLD_COUNT = REASON_REQUEUE + 1 };
const char *reason_text(enum reason r);

struct folds {
	uint32_t inner; /* k of plain folds, or the inner k; 0: the study has no folds */
	uint32_t outer; /* 0: not nested */
	bool full;      /* nested: one more search over all data */
};

struct after {
	uint32_t phase; /* index of the parent phase */
	enum pick_kind pick;
	uint32_t best_n;     /* PICK_BEST */
	uint32_t objective;  /* PICK_BEST: by which of its metrics, counted from 0 */
	bool as_one;         /* one child of all N winners */
	const uint32_t *per; /* PICK_BEST: own-parameter indices of the parent phase to group by */
	const uint32_t
	    *per_phase; /* phase index each `per` parameter belongs to (the parent's or an ancestor's) */
	uint32_t nper;
};

struct limits {
	int64_t timeout_ms;   /* 0: none */
	int64_t stall_ms;     /* 0: none */
	int64_t grace_ms;     /* default 10 s */
	int64_t memory_bytes; /* 0: none */
	uint32_t cpus, gpus;  /* default 1, 0 */
	uint32_t retries;     /* default 0: failures of its own a unit survives */
	uint32_t lost_limit;  /* default 5 */
	uint32_t retry_on;    /* bit mask 1u << enum reason; default: exit signal oom timeout stall spawn */
	int64_t keep_best;    /* -1: keep every directory */
	bool checkpoint;
};

/* `prune`: rules by which trials are given up before their end; one that says so is enough. They look at the
 * values that the phase's metric is reported with a step for, each fold for itself; RACE looks at what folds
 * end with. */
enum prune_rule {
	PRUNE_MEDIAN = 1,
	PRUNE_PERCENTILE = 2,
	PRUNE_THRESHOLD = 4,
	PRUNE_PATIENCE = 8,
	PRUNE_ASHA = 16,
	PRUNE_HYPERBAND = 32,
	PRUNE_RACE = 64
};
struct prune_compare {    /* the best of a trial so far against what others had at the same step */
	double share;     /* of the others, the best of them: as good as the last of these is good enough */
	int64_t startup;  /* others that must have ended before anything is compared */
	int64_t warmup;   /* steps before the first look */
	int64_t interval; /* steps from one look to the next */
	int64_t least;    /* others that must have a value there */
};
struct prune {
	uint32_t rules; /* bits of enum prune_rule, at least one; ASHA or HYPERBAND, not both */
	struct prune_compare median, percentile;
	double lower, upper; /* THRESHOLD; infinite: none */
	int64_t threshold_warmup;
	int64_t patience; /* steps */
	double min_delta;
	/* ASHA, HYPERBAND: rungs at min, min * eta, min * eta^2, .. and max */
	const char *resource; /* what people call it; "" when they do not */
	int64_t min, max;
	uint32_t eta, nrungs;
	bool promote;  /* it ends at each rung, and the best go on with a larger budget; else it is stopped
	                  there */
	bool has_best; /* RACE: no value is better than `best` */
	double best;
};
static inline bool prune_has_rungs(const struct prune *r)
{
	return r->rules & (PRUNE_ASHA | PRUNE_HYPERBAND);
}

struct capture {
	const char *metric;
	const char *pattern;
};

struct text_pair {
	const char *name, *value;
};

/* A parameter that a unit of the phase has a value for, under the name people know it by. In a scheduled
 * phase it may have none; then the next one of that name goes by the plain name (command_params_json). */
struct visible {
	const char *name; /* "lr", or "pretrain.lr" where a nearer phase has an lr too */
	uint32_t phase, index;
	uint32_t
	    nearer; /* place in the list of the next nearer one of that plain name; VISIBLE_NEAREST: none */
};
#define VISIBLE_NEAREST UINT32_MAX

/* One of several metrics that count (`metrics`): none is worth more than another. */
struct objective {
	const char *metric;
	enum goal goal;
};
enum { OBJECTIVES_MAX = 8, OBJECTIVES_MORE = OBJECTIVES_MAX - 1 };

struct study_phase {
	const char *name;
	uint32_t index;
	struct command command;
	const char *command_text; /* canonical, for identity and --accept */
	/* A phase that `ranksweep schedule` made, not the study file: no search, its trials come one by one,
	 * each with parents of its own (of the phases in `after`, all with pick ALL here; what a job picks is
	 * its own business) and with one of these commands (`command` is the first of them). Every parameter
	 * is optional: a trial has no value for what its call did not name, and then an ancestor's value
	 * counts. Its units always have a directory, as later jobs may want it. It has the env, setup,
	 * capture, aggregate and report of the top of the study file. */
	bool scheduled;
	const struct command *commands;
	const char *const *command_texts;
	uint32_t ncommands;
	const char *metric; /* NULL: `none`, exit 0 is success */
	/* `metric: best(NAME)`: for its search a trial is worth as much as the best trial of phase `judge`
	 * that comes after it; known when all of these are final. The metric is NULL then, the goal theirs.
	 */
	bool judged, judges;
	uint32_t judge;
	enum goal goal;
	/* `metrics`: `metric` and `goal` are the first of them, here are the others. Then no trial is the
	 * best, but some are such that none is better in all (the Pareto front). */
	const struct objective *more;
	uint32_t nmore;
	enum aggregate aggregate;
	enum report_rule report;
	enum phase_folds folds;
	struct space space;
	enum search_kind search;
	bool search_auto;           /* the user wrote `auto` or nothing */
	const char *const *program; /* SEARCH_PROGRAM: its argument vector, NULL-terminated */
	const char *program_text;   /* the same as one line for people, and for identity; else NULL */
	int64_t answer_ms;          /* how long it may take to answer */
	int64_t trials; /* for each parent combination, or in total; for grid without `trials`: INT64_MAX (all
	                   points) */
	bool trials_total;
	const struct value *enqueue; /* nenqueue * space.nparams values, tried first */
	uint32_t nenqueue;
	const struct after *after;
	uint32_t nafter;
	bool in_full; /* nested studies: this phase also runs in the `full` search (outer fold -1) */
	struct limits limits;
	const struct prune *prune; /* NULL: every trial runs to its end */
	const struct capture *captures;
	uint32_t ncaptures;
	const struct text_pair *env; /* study env, then the phase's own */
	uint32_t nenv;
	const char *setup; /* NULL: no shell */
	bool makes_dir;    /* some command names its {dir} or it checkpoints */
	/* For every phase q: is q an ancestor (transitively)? */
	const bool *ancestor;
	const struct visible *visible; /* own parameters, then inherited ones in the order of the phases */
	uint32_t nvisible;
	uint32_t line, col; /* scheduled: line counts these phases in the order they were made, from 1 */
};

enum { REPRODUCIBLE_LAG = 16 };
struct study {
	const char *name;
	uint64_t seed;
	/* `reproducible`: what a search that learns proposes follows from the seed alone, whatever the ranks
	 * and the order in which trials end. Its k-th trial of a group is proposed when trial k -
	 * reproducible has ended, and from the results up to that one. 0: as results come. */
	uint32_t reproducible;
	struct folds folds;
	const struct study_phase *phases;
	uint32_t nphases;
	bool has_target;
	double stop_target;
	int64_t stop_time_ms; /* 0: none */
	int64_t stop_trials;  /* 0: none */
	const char *text;     /* the file as read (stored in the database); "" when there is none */
	const char *jobs; /* the scheduled phases as text (stored in the database); "" when there are none */
	const char *path; /* the name used in messages */
};

/* All errors of a file, in its order. */
struct study_errors {
	struct fault *items; /* each text is "FILE:LINE:COL: what is wrong, and what would be right" */
	uint32_t count;
	uint32_t dropped; /* beyond the cap of 100 */
};

/* The first of them (there is at least one) as the fault, with how many more there are. Returns -1. */
int study_first_error(struct arena *a, const char *path, const struct study_errors *errors, struct fault *f);

enum { STUDY_MAX_BYTES = 64 * 1024 * 1024 };

/* Parse and check n bytes. 0 and *out, or -1 and at least one error. `path` is for messages only.
 * Everything returned lives in `a`. Never reads a file, never aborts on any input. */
int study_parse(struct arena *a, const char *path, const char *bytes, size_t n, const struct study **out,
                struct study_errors *errors);

/* A study as a database holds it: a study file, scheduled phases, both, or nothing yet. Phases of the file
 * come first, in the order they have without the others. Where the file has no folds and the scheduled phases
 * do, the study has theirs, and the phases of the file have none. Mistakes in scheduled phases have no line:
 * "PATH: scheduled phase 'NAME': what is wrong, ..". */
struct study_source {
	const char *path; /* for messages */
	const char *text; /* of the study file */
	size_t text_bytes;
	const char *jobs; /* made by study_add_jobs */
	size_t jobs_bytes;
	const char *name; /* of the study where there is no study file; seed 0 then */
};
int study_read(struct arena *a, const struct study_source *src, const struct study **out,
               struct study_errors *errors);

/* What one call of `schedule` says of a phase. NULL: not said; the phase keeps what it has, a new one gets
 * the default (metric none, folds none, limits as a study file without defaults). Metric, goal and folds
 * never change; retries and timeout may. */
struct study_jobs {
	const char *phase;
	const char *command; /* must be given for a new phase, and for one that has several */
	const char *const *params;
	uint32_t nparams;
	const char *const *after; /* names of the phases of the jobs' parents */
	uint32_t nafter;
	const char *metric, *goal, *folds, *retries, *timeout; /* texts, as in a study file */
};
/* The text of scheduled phases with this one added or extended: *jobs, in `a`, and the number of its command
 * in *command (commands are the same when their words are). The same call again changes no byte. What stands
 * in the way is a fault (FAULT_USAGE): a phase of the study file; another metric, goal or folds than the
 * phase has; a phase that would come after itself, directly or not; no command; folds that are not the
 * study's. The result is checked by study_read, whose errors tell of the command's placeholders and of names
 * that have a meaning of their own. */
int study_add_jobs(struct arena *a, const struct study *s, const struct study_jobs *add, const char **jobs,
                   size_t *jobs_bytes, uint32_t *command, struct fault *f);

const struct study_phase *study_find_phase(const struct study *s, const char *name);

/* What a later edit may and may not change. Compare the stored study with the new one: 0 when the new one
 * only adds; -1 and the key that stands in the way. With accept, commands, env, domains, search may change
 * too (for trials not begun); study name, seed and folds never. changed[p] (nphases of `now`, may be NULL) is
 * set for phases whose domains changed.
 *
 * Both must have been read with the same text of scheduled phases, the stored one: these belong to the
 * database and are not compared, except for what they take from the top of the study file. */
int study_compare(const struct study *stored, const struct study *now, bool accept, bool *changed,
                  struct fault *f);

/* After study_compare succeeded: where both studies say `auto`, `now` keeps the search that was resolved when
 * the study was stored. */
void study_keep_search(const struct study *stored, struct study_phase *phases, uint32_t nphases);

/* Metric `number` of a phase that has one, from 0. */
static inline struct objective study_objective(const struct study_phase *p, uint32_t number)
{
	return number ? p->more[number - 1] : (struct objective){p->metric, p->goal};
}
/* Its values so that less is better. */
static inline double objective_minimised(struct objective x, double value)
{
	return x.goal == GOAL_MAXIMIZE ? -value : value;
}
/* The number of a metric by its name; -1: the phase has none of that name. */
int study_find_objective(const struct study_phase *p, const char *metric);

/* Number of units of one trial of phase p: the inner folds, or 1. */
uint32_t study_units_per_trial(const struct study *s, const struct study_phase *p);

/* NULL when a parameter may be named so, else why not. */
const char *study_param_name_wrong(struct arena *a, const char *name);

#endif
