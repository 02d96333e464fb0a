/* plan: what the study comes to: trials, their units, and how they hang together. It grows; a trial leaves it
 * only when a user deletes it, or when a pick is made anew and another one wins.
 *
 *   instance   a phase in one outer fold (-1: no outer fold, or the `full` search)
 *   combo      one choice of parent trials for an instance; a root instance has one without parents
 *   group      what a search proposes trials for: one combo, or with `trials: N total` all combos of the
 *              instance
 *   trial      belongs to one combo; its units are consecutive, in fold order
 *
 *       trial ──link──► combo ──► trials of the combo ──► ...       (towards the children)
 *       trial ──► combo ──► parents                                  (towards the parents)
 *
 * No edge between units is stored: which units of a child trial hang on which of a parent trial follows from
 * their folds (plan_needs), and a unit keeps only the number of its parent units that are not done.
 *
 * The plan knows no states beyond what it stores for the scheduler; sched.c is the one that changes them. */
#ifndef PLAN_H
#define PLAN_H

#include "arena.h"
#include "fault.h"
#include "rng.h"
#include "sched.h"
#include "study.h"

#include <stdbool.h>
#include <stdint.h>

/* In plan_ancestors: several trials of that phase are ancestors (below `best N as one`). */
#define PLAN_SEVERAL UINT32_MAX

struct plan_trial {
	struct key128 key;
	const struct value *values; /* the phase's nparams; NULL when it has none */
	uint32_t combo, instance;
	uint32_t k;
	uint32_t first_unit;
	uint32_t next_in_combo;
	uint32_t first_link;                            /* combos this trial is a parent of */
	uint32_t units_done, units_final, units_failed; /* kept by the scheduler */
	uint32_t units_begun;                           /* units with attempts > 0 */
	uint8_t gone;                                   /* enum gone; then combo is 0 */
};

struct plan_unit {
	double value, best_step;
	uint32_t trial;
	uint32_t unmet; /* parent units that are not done */
	uint32_t pos;   /* in its ready queue */
	uint32_t slot;  /* its live attempt, 0: none */
	uint32_t cause;
	uint32_t attempts, failures, losses, idle_requeues;
	uint32_t resets;
	int32_t priority;
	uint8_t state, reason, rung;
	uint8_t queue : 4; /* which ready queue it is in, 0: none */
	bool delayed : 1;  /* ready, but waiting for its back-off */
	uint8_t pending : 3;
	bool fenced : 1;  /* see sched_fence */
	bool suspect : 1; /* see sched_nodes.c */
};

/* What a scheduled job with `best=N` comes after: the winners among these, once all are final. They are
 * linked to its combo from the beginning; `parents` of the combo are the winners, none before the pick. */
struct plan_choice {
	const uint32_t *candidates;
	uint32_t ncandidates, best_n;
	uint32_t open; /* candidates that are not final; kept by the scheduler */
	bool picked;
	bool barren; /* decided: no candidate can win */
	bool due;    /* in the list of choices to look at */
	uint32_t next_due;
};

struct plan_combo {
	struct key128 key;
	union {
		uint32_t one;
		const uint32_t *many; /* with `merged` followed by the ancestors (nphases), plan_lineage.c */
	} parents;
	struct plan_choice *choice; /* scheduled, with best=N; else NULL */
	uint32_t nparents;
	bool merged; /* several parents of one phase may be among them */
	bool open;   /* stands behind a pick that is void: its trials wait until it is made again */
	bool dead;   /* a parent is gone, or does not win any more: it has no trials and gets none */
	uint32_t group;
	uint32_t first_trial, last_trial;
	uint32_t next_in_group;
};

struct plan_link {
	uint32_t combo, next;
};

struct plan_group {
	uint64_t cursor;
	uint32_t instance;
	uint32_t first_combo, ncombos;
	uint32_t proposed; /* next k */
	uint32_t asked;    /* proposals asked for and not answered yet */
	int64_t asked_ms;  /* when */
	uint32_t next_ask; /* list of groups to ask proposals for */
	uint32_t *combos;  /* `total`: in canonical order, filled when the group is complete; else NULL */
	uint32_t *recent;  /* reproducible: the last trials by k modulo the lag, 0: gone; else NULL */
	uint32_t next_hungry;
	bool hungry; /* in the list of those that get a trial when there is room for it */
	bool closed; /* quota reached or search exhausted */
	bool listed; /* in the ask list */
};

/* One `after` of an instance. */
struct plan_candidate;
struct plan_slot {
	uint32_t parent;         /* instance; UINT32_MAX: does not exist */
	bool picked;             /* BEST: decided */
	const uint32_t *winners; /* BEST: trials that won, in order of (bucket, rank) */
	uint32_t nwinners;
	struct slab candidates;   /* several slots only */
	struct plan_index *index; /* by starting slot */
};

struct plan_child {
	uint32_t instance, slot;
};

struct plan_instance {
	uint32_t phase;
	int32_t outer;
	bool exists;
	bool groups_known; /* no further combo will come */
	bool trials_known; /* and no further trial */
	bool closed;       /* and all trials are final */
	bool dirty;        /* to be looked at again */
	uint32_t next_dirty;
	uint32_t groups, groups_open;
	uint32_t combos;
	uint32_t trials, trials_open; /* open: not final */
	uint32_t busy;                /* units that are neither final nor paused; kept by the scheduler */
	uint32_t total_group;         /* `trials: N total`; else 0 */
	uint32_t given_group;         /* of a scheduled phase: all its combos; closed; else 0 */
	struct plan_slot *slots;      /* phase->nafter */
	const struct plan_child *children;
	uint32_t nchildren;
	uint32_t *join_merged; /* work space of plan_join.c */
	const struct plan_candidate **join_chosen;
	const char *note; /* why nothing could be made here, for the end of the run; or NULL */
};

struct plan_table { /* open addressing: number of the entry whose key was looked for */
	uint32_t *cells;
	uint32_t mask, count;
};

struct plan {
	struct arena *arena;
	const struct study *study;
	struct slab trials, units, combos, links, groups;
	struct plan_table trial_table, combo_table;
	struct plan_instance *instances;
	uint32_t ninstances, nouter; /* nouter: outer folds + 1 */
	uint32_t *units_per_trial;   /* by phase */
	uint32_t max_units_per_trial;
	uint32_t first_ask, last_ask;     /* groups that may need proposals */
	uint32_t first_dirty, last_dirty; /* instances whose counters changed; UINT32_MAX ends */
	uint32_t first_due;               /* choices that may be decided, by combo */
	uint32_t *ancestors[2];           /* nphases each, work space */
};

/* Everything but trials: instances, root combos, `total` groups. */
void plan_init(struct plan *p, struct arena *a, const struct study *s);

static inline struct plan_trial *plan_trial(const struct plan *p, uint32_t trial)
{
	return slab_at(&p->trials, trial - 1);
}
static inline struct plan_unit *plan_unit(const struct plan *p, uint32_t unit)
{
	return slab_at(&p->units, unit - 1);
}
static inline struct plan_combo *plan_combo(const struct plan *p, uint32_t combo)
{
	return slab_at(&p->combos, combo - 1);
}
static inline struct plan_group *plan_group(const struct plan *p, uint32_t group)
{
	return slab_at(&p->groups, group - 1);
}
static inline struct plan_link *plan_link(const struct plan *p, uint32_t link)
{
	return slab_at(&p->links, link - 1);
}
static inline const uint32_t *plan_parents(const struct plan_combo *c)
{
	return c->nparents > 1 ? c->parents.many : &c->parents.one;
}
static inline uint32_t plan_phase_of(const struct plan *p, uint32_t trial)
{
	return p->instances[plan_trial(p, trial)->instance].phase;
}
static inline uint32_t plan_nunits(const struct plan *p, const struct plan_trial *t)
{
	return p->units_per_trial[p->instances[t->instance].phase];
}
const struct study_phase *plan_phase(const struct plan *p, uint32_t trial);
/* Fold number of a unit, -1 when its trial has one unit for all data. */
int32_t plan_fold(const struct plan *p, uint32_t unit);
/* The instance of a phase in an outer fold, or UINT32_MAX. */
uint32_t plan_instance(const struct plan *p, uint32_t phase, int32_t outer);

/* The units [*first, *first + *n) of trial `other` that hang together with `unit`, a unit of a neighbouring
 * trial: the one of the same fold when both have folds, all of them otherwise. The same rule goes both ways:
 * a coarser child hangs on all of the parent's units, a finer child on the parent's only one. */
void plan_needs(const struct plan *p, uint32_t unit, uint32_t other, uint32_t *first, uint32_t *n);

/* ---- growing (plan.c) ------------------------------------------------------------------------- */
/* Combo of these parents (in the order of phase->after), made when new. */
uint32_t plan_add_combo(struct plan *p, uint32_t instance, const uint32_t *parents, uint32_t n);
uint32_t plan_find_combo(const struct plan *p, uint32_t instance, const uint32_t *parents, uint32_t n);
/* Leave out numbers, up to the next trial and unit (first_unit 0: no units are left out): what had them was
 * forgotten, and outputs and folders carry the numbers of the others. A trial that is left out has combo 0
 * and belongs to no instance, a unit that is left out has trial 0. */
void plan_leave_out(struct plan *p, uint32_t next_trial, uint32_t next_unit);
/* New trial with its units, all with unmet counters and states unset (the caller's business), and the
 * combos that its existence makes possible below it (pick `all`). */
uint32_t plan_add_trial(struct plan *p, uint32_t combo, uint32_t k, struct key128 key,
                        const struct value *values);
/* 0: none. A deleted trial is found (its combo is 0): it is not to be made again by a search. */
uint32_t plan_find_trial(const struct plan *p, struct key128 key);
void plan_know_key(struct plan *p, uint32_t trial);
void plan_link_parent(struct plan *p, uint32_t parent, uint32_t combo);
void plan_set_parents(struct plan *p, struct plan_combo *c, uint32_t phase, const uint32_t *parents,
                      uint32_t n);
struct key128 plan_combo_key(const struct plan *p, uint32_t instance, const uint32_t *parents, uint32_t n);
struct key128 plan_group_key(const struct plan *p, uint32_t group);
struct key128 plan_trial_key(const struct plan *p, uint32_t combo, uint32_t k, const struct value *values);
uint64_t plan_seed(const struct plan *p, uint32_t unit);
/* Is this parent list one that the phase's `after` allows in that instance? For replay. */
bool plan_parents_valid(const struct plan *p, uint32_t instance, const uint32_t *parents, uint32_t n);
/* How many trials the search of this group may make. */
int64_t plan_quota(const struct plan *p, uint32_t group);
/* `total`: put the combos in canonical order (by lineage, not by arrival). */
void plan_order_combos(struct plan *p, uint32_t group);
uint32_t plan_group_combo(const struct plan *p, uint32_t group, uint32_t index);
/* Note that an instance's counters changed; take the next such instance (UINT32_MAX: none). */
void plan_touch(struct plan *p, uint32_t instance);
uint32_t plan_take_dirty(struct plan *p);
void plan_ask(struct plan *p, uint32_t group);
uint32_t plan_take_ask(struct plan *p);

/* ---- changes by users (plan_change.c) ------------------------------------------------------------- */
/* A scheduled trial: a combo of its own. With best_n the parents are candidates, `winners` (nwinners) those
 * that the pick took, if it was made. */
struct plan_job {
	uint32_t instance, k;
	struct key128 key;
	const struct value *values;
	const uint32_t *parents;
	uint32_t nparents;
	const uint32_t *candidates;
	uint32_t ncandidates, best_n;
};
uint32_t plan_add_job(struct plan *p, const struct plan_job *j);
/* Its parents, and candidates, are these from now on: those there were, and more; or after a pick or its end
 * others. */
void plan_set_job_parents(struct plan *p, uint32_t trial, const struct plan_job *j);
/* Is `trial` one of the parents of this combo (a candidate that did not win is none)? */
bool plan_is_parent(const struct plan_combo *c, uint32_t trial);
void plan_choice_due(struct plan *p, uint32_t combo);
uint32_t plan_take_due(struct plan *p); /* 0: none */
/* The pick of this parent instance for a child phase is void: the slot is open, so are the combos behind it.
 */
void plan_unpick(struct plan *p, uint32_t parent_instance, uint32_t child_phase);
/* Everything that was known to be complete behind this instance may not be any more. */
void plan_unknow(struct plan *p, uint32_t instance);
/* After a replay: combos behind picks that are not made are open. */
void plan_mark_open(struct plan *p);
/* No trial will be made of this combo any more; it has none. */
void plan_forget_combo(struct plan *p, uint32_t combo);
/* Take a trial out. Its units and everything below it must have been taken care of. */
void plan_drop_trial(struct plan *p, uint32_t trial, uint32_t gone);
/* In a replay: a trial that is gone. Its numbers stay unused; a deleted one's key stays known. */
void plan_add_gone(struct plan *p, struct key128 key, uint32_t nunits, uint32_t gone);

/* ---- lineage (plan_lineage.c) ----------------------------------------------------------------- */
/* out[q] (nphases): the trial of phase q above `trial`, itself included; 0: none; PLAN_SEVERAL. */
void plan_ancestors(const struct plan *p, uint32_t trial, uint32_t *out);
/* The same for a list of parents, the work of plan_add_combo. Uses p->ancestors[1]. */
void plan_merge_ancestors(const struct plan *p, const uint32_t *parents, uint32_t n, uint32_t *out);
/* All trials of phase q above these, themselves included, ascending, in `a`; above `trial`. likely: through
 * picks of jobs that are not made yet, too, as if the first candidates won. */
uint32_t plan_ancestors_of(const struct plan *p, const uint32_t *trials, uint32_t n, uint32_t q, bool likely,
                           struct arena *a, const uint32_t **out);
uint32_t plan_ancestor_list(const struct plan *p, uint32_t trial, uint32_t q, struct arena *a,
                            const uint32_t **out);
/* Canonical order of two trials of one phase: by lineage, then k. */
int plan_order(const struct plan *p, uint32_t a, uint32_t b);

/* ---- several parents (plan_join.c) ------------------------------------------------------------ */
/* `trials` (one, or all winners as one) can now be a parent in this slot: makes all combos with it. */
void plan_candidate(struct plan *p, uint32_t instance, uint32_t slot, const uint32_t *trials, uint32_t n);
void plan_join_init(struct plan *p, uint32_t instance);
/* Nothing can be a parent in this slot any more. */
void plan_join_forget(struct plan *p, uint32_t instance, uint32_t slot);

/* ---- picks (plan_pick.c) ----------------------------------------------------------------------- */
struct plan_winner {
	uint32_t trial, bucket, rank;
	double value;
};
struct plan_entry { /* a valid candidate: complete, finite value */
	uint32_t trial;
	double value;
};
/* Who wins: `n` entries in ascending trial order (sorted in place); winners in order of (bucket, rank), in
 * scratch. */
uint32_t plan_pick(const struct plan *p, const struct study_phase *parent, const struct after *rule,
                   const struct plan_entry *entries, uint32_t n, struct arena *scratch,
                   struct plan_winner **out);
/* The decision took place: the winners become parents in all instances it concerns. */
void plan_picked(struct plan *p, uint32_t parent_instance, uint32_t child_phase, const uint32_t *winners,
                 uint32_t n);

#endif
