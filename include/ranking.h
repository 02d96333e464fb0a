/* ranking: trials of a phase, the best first; of several metrics the Pareto front first. An order of its own:
 * complete trials with a finite value by the goal, then complete ones without, then the incomplete; ties by
 * trial number. Trials of different outer folds are never compared. Shared by results, best and the end of a
 * run. */
#ifndef RANKING_H
#define RANKING_H

#include "cmd.h"

/* A complete trial with a finite value: only such can win. Over the columns of `trials`. */
#define RANKING_IS_FINITE                                                                                    \
	"ifnull(state = 'done' AND typeof(value) <> 'text' AND abs(value) <= 1.7976931348623157e308, 0)"

struct ranking_ask {
	const struct study_phase *phase;
	bool finite;      /* only complete trials with a finite value */
	int64_t limit;    /* so many of each outer fold, 0: all */
	bool whole_front; /* and the rest of the Pareto front, where there are several metrics */
	bool front_only;  /* nothing but that */
	const char
	    *sort; /* NULL: the best first; "trial": by number; else by that parameter (ranking_param) */
};

/* Columns of what ranking_select answers. */
enum {
	RANKING_TRIAL,
	RANKING_OUTER,
	RANKING_STATE,
	RANKING_DONE,
	RANKING_FOLDS,
	RANKING_VALUE,
	RANKING_SD,
	RANKING_COMPLETE,
	RANKING_FINITE,
	RANKING_MANY,  /* trials of this outer fold */
	RANKING_PLACE, /* among them, or where there are several metrics the number of its front, from 1 */
	RANKING_MIN,   /* over the folds */
	RANKING_MAX,
	RANKING_FIRST_UNIT,
	RANKING_PARAMS /* JSON */
};
int ranking_select(struct cmd_db *d, const struct ranking_ask *q, struct store_rows **rows, struct fault *f);

/* name, value and sd of each metric of a trial whose phase has several. */
int ranking_objectives(struct cmd_db *d, int64_t trial, struct store_rows **rows, struct fault *f);

/* Which parameters have columns of their own: those of one phase (a table for people), those of all (CSV), or
 * none, but one column `params` (JSON). */
enum ranking_kind { RANKING_TABLE, RANKING_CSV, RANKING_JSON };
struct ranking_table {
	struct report report;
	enum ranking_kind kind;
	uint32_t phase, rank, trial, outer, outer_shown, state, state_shown, complete, n, folds_done, folds,
	    value, sd, min, max, first_unit, params;
	uint32_t objectives;                   /* JSON: all as one map */
	uint32_t first_objective, nobjectives; /* else two columns each: value and sd */
	const char **objective_names;
	uint32_t first_param, nparams;
	const char **names; /* of the parameters with columns */
};
/* of: the phase of a RANKING_TABLE. */
void ranking_table_init(struct ranking_table *t, struct arena *a, enum ranking_kind kind,
                        const struct study *s, const struct study_phase *of);
/* All rows of a question. *many: of how many trials they are the first, summed over outer folds. */
int ranking_add(struct cmd_db *d, struct ranking_table *t, const struct ranking_ask *q, uint64_t *shown,
                uint64_t *many, struct fault *f);

bool ranking_has_folds(const struct study *s, const struct study_phase *p);
bool ranking_has_outer(const struct study *s, const struct study_phase *p);
/* "2", "full" for the full search, "-" for a phase on all data */
const char *ranking_outer_text(struct cmd_db *d, const struct study_phase *p, int64_t outer);
/* "5", or "3/5" of a trial that is not complete */
const char *ranking_n_text(struct cmd_db *d, int64_t folds_done, int64_t folds);
/* The name under which trials of this phase know the parameter, own or inherited, that the user calls `word`
 * (lr, or pretrain.lr for that of the phase); NULL: none. */
const char *ranking_param(const struct study *s, const struct study_phase *p, const char *word);
/* The phase of that name, or FAULT_USAGE with the nearest. */
int ranking_find_phase(struct cmd_db *d, const char *name, const struct study_phase **out, struct fault *f);

#endif
