/* command: a command line with placeholders. Parsed once with the study (every placeholder is resolved and
 * checked then); rendered for each attempt. Splitting happens before substitution, so a value can hold any
 * byte without being interpreted. */
#ifndef COMMAND_H
#define COMMAND_H

#include "arena.h"
#include "fault.h"
#include "space.h"

#include <stdint.h>

struct command_word;
struct command {
	const struct command_word *words;
	uint32_t nwords;
};

struct study;
struct study_phase;

/* What {PHASE.dir} and friends stand for in one unit. Filled by the scheduler's plan. */
struct command_parent {
	const char *const *dirs; /* one for each parent unit in fold order */
	uint32_t ndirs;
	uint32_t ntrials; /* 0: no ancestor there; above 1: several, then value and best_step are NaN */
	uint32_t trial;   /* its number, when it is one */
	double value; /* of the ancestor's units that are done for sure before this unit starts; NaN: none */
	double best_step; /* the same, mean over folds */
};

struct command_context {
	const struct study *study;
	const struct study_phase *phase;
	const struct command *command; /* of this trial: what to render */
	struct scope scope;
	const struct command_parent *parents; /* by phase index; ndirs = 0 where the phase is no ancestor */
	uint64_t trial, unit;
	uint32_t attempt;
	uint64_t seed; /* of this unit: study seed and key only; < 2^31 so that every program can take it */
	int32_t fold, outer_fold; /* -1 as the study language says */
	const char *dir;          /* "" when none is made */
	int64_t budget;           /* how far to train; 0: not said */
};

/* The argument vector of one attempt, NULL-terminated, in `a`. Fails (FAULT_STUDY) only on what cannot be
 * checked before: an inactive parameter or missing value without fallback, or a size beyond what a process
 * may be given. */
int command_render(struct arena *a, const struct command *c, const struct command_context *x,
                   const char ***argv, struct fault *f);
/* Would command_render succeed as far as placeholders go: 0, or -1 and why not. Of x it looks at study,
 * phase, scope and the counts in parents, so it can be asked before anything is stored. Values and best steps
 * of trials that have not ended are no fault. */
int command_check(const struct command *c, const struct command_context *x, struct fault *f);
/* {params}: JSON object of own and inherited parameters. Inherited names that collide with a nearer one
 * (scheduled phases: with a nearer one that has a value here) appear as "phase.name". Numbers as numbers,
 * choices that are numbers too, other choices as strings; inactive ones left out. */
const char *command_params_json(struct arena *a, const struct study *s, const struct study_phase *p,
                                const struct scope *scope, bool own_only);
/* One line for people: words quoted as a shell would need them. */
const char *command_line(struct arena *a, const char *const *argv);

#endif
