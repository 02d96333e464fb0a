/* expand: the arguments of `schedule` as combinations of values.
 *
 *   NEW                       jobs of their own
 *   SELECT -- GROUP -- NEW    jobs that come after others; GROUP may be empty
 *
 * The caller takes the options from the front, with their values, and stops at the first word that is none:
 * `--` is one of those, and no option parser may swallow it. Arguments are counted from there, from 1, in
 * messages. All faults are FAULT_USAGE and say where: `argument 3, column 9: ..`.
 *
 * A word of GROUP and NEW is name=text. Between {{ and }} the text holds values, of which each job gets one;
 * all else in it is literal, \{{ and \}} stand for {{ and }}. Several braces in one text are a product.
 *   {{a, b}}           values have commas between them, blanks around them are dropped; parentheses keep
 * commas
 *   "..", '..'         around a value: everything between is part of it; \" and \\ inside the double ones
 *   \                  makes one of , { } ( ) ' " \ plain; before anything else it is a backslash
 *   linspace, logspace, range, int, choice     as in domain.h, with constant bounds: their points, in order
 *   uniform, log, logint, normal               have no end: alone in braces, drawn anew for each sample
 * In SELECT words are left to the selector (selector.h), but for best=N. In GROUP key={{}} means the values
 * there are.
 *
 * Equal combinations ({{1,1.0}}) are not told apart here: the identity of jobs does that, by
 * expand_canonical. */
#ifndef EXPAND_H
#define EXPAND_H

#include "arena.h"
#include "fault.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	EXPAND_MAX_WORDS = 4096,
	EXPAND_MAX_BYTES = 64 * 1024, /* of one word */
	EXPAND_MAX_JOBS = 1000000,    /* of one call */
	EXPAND_MAX_POINTS = 200000,   /* of all linspace, logspace, range and choice of one call */
	EXPAND_MAX_BEST = 1000000
};

/* Words with a meaning of their own; everything else is a parameter. */
#define EXPAND_WORDS(X)                                                                                      \
	X(EXPAND_PARAM, "")                                                                                  \
	X(EXPAND_PHASE, "phase") /* NEW, as those below */                                                   \
	X(EXPAND_FOLDS, "folds")                                                                             \
	X(EXPAND_METRIC, "metric")                                                                           \
	X(EXPAND_GOAL, "goal")                                                                               \
	X(EXPAND_RETRIES, "retries")                                                                         \
	X(EXPAND_TIMEOUT, "timeout")                                                                         \
	X(EXPAND_TRIAL, "trial") /* GROUP, as trial={{}} only: each selected job by itself */
enum expand_word {
#define X(name, text) name,
	EXPAND_WORDS(X)
#undef X
	    EXPAND_WORD_COUNT
};

struct expand_piece; /* literal text or one pair of braces; expand_piece.h */

struct expand_arg {
	const char *name;
	enum expand_word word;
	bool existing;    /* GROUP: key={{}}, the values there are */
	bool drawn;       /* holds a domain without end */
	uint32_t number;  /* of the argument, for messages */
	const char *text; /* where there are no braces: the value; else NULL */
	const struct expand_piece *pieces;
	uint32_t npieces;
	uint64_t count, stride; /* values of its finite braces; combinations of all arguments after it */
};

/* GROUP or NEW. */
struct expand_args {
	const struct expand_arg *args; /* in the order given */
	uint32_t n;
	bool drawn;            /* some argument is */
	uint32_t samples;      /* of each combination; 1 where nothing is drawn */
	uint64_t combinations; /* of the finite braces */
	uint64_t constant;     /* hash of the arguments that are the same in all combinations */
};

struct expand_call {
	bool joined;               /* SELECT -- GROUP -- NEW; else only `jobs` is filled */
	const char *const *select; /* for selector_parse; none when best=N stands alone */
	uint32_t nselect;
	uint32_t best; /* best=N: of the selected jobs the N best, once they are done; 0: all */
	struct expand_args group, jobs;
};

/* `samples` is what `-n N` gave, 0 when it was not given; without anything drawn it changes nothing (`drawn`
 * tells the caller, who may want to complain). Everything is held against EXPAND_MAX_JOBS as far as it is
 * known here: the caller asks expand_check once the number of groups is. The words are borrowed. */
int expand_parse(struct arena *a, const char *const *words, uint32_t n, uint32_t samples,
                 struct expand_call *out, struct fault *f);

/* How many there are: combinations times samples; 1 for no arguments, or for none but key={{}}. */
uint64_t expand_count(const struct expand_args *x);
/* a * b, UINT64_MAX when it is more than that. */
uint64_t expand_times(uint64_t a, uint64_t b);
/* 0, or -1 and a fault that names the number: more than EXPAND_MAX_JOBS. */
int expand_check(uint64_t jobs, struct fault *f);

/* The text of argument `arg` in combination `index` (below expand_count): the last argument changes fastest,
 * in one argument the last braces, and the samples of a combination faster than all. NULL for key={{}}.
 * Borrowed or in `a`.
 *
 * Drawn values follow from `seed`, the phase and the parameters of the combination that are not drawn, the
 * number of the sample, the name of the argument and the place in it; from no order and no count. So more
 * values in other braces, or more samples, leave the draws of before as they were. Jobs are drawn for each
 * group anew when the caller folds the group into the seed. */
const char *expand_value(struct arena *a, const struct expand_args *x, uint64_t seed, uint64_t index,
                         uint32_t arg);
/* The argument that is this word, or NULL. */
const struct expand_arg *expand_find(const struct expand_args *x, enum expand_word word);

/* A text as identity takes it: the shortest text of a finite number (1e-3, 0.001 and 1.0e-3 are one, 1
 * and 1.0 too), else the text itself. Whole numbers too large for a double to tell apart stay as they are.
 * Borrowed or in `a`. */
const char *expand_canonical(struct arena *a, const char *text);

#endif
