/* ranking: trials of a phase, the best first. An order of its own: complete trials with a finite value by the
 * goal, then complete ones without, then the incomplete; ties by trial number. Trials of different outer
 * folds are never compared. Shared by results, best and the end of a run. */
#ifndef RANKING_H
#define RANKING_H

#include "cmd.h"

struct ranking_ask {
	const struct study_phase *phase;
	bool finite;   /* only complete trials with a finite value */
	int64_t limit; /* so many of each outer fold, 0: all */
	bool by_trial; /* in order of their numbers */
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
	RANKING_MANY, /* trials of this outer fold */
	RANKING_PLACE,
	RANKING_MIN, /* over the folds */
	RANKING_MAX,
	RANKING_PARAMS /* JSON */
};
int ranking_select(struct cmd_db *d, const struct ranking_ask *q, struct store_rows **rows, struct fault *f);

struct ranking_table {
	struct report report;
	uint32_t phase, rank, trial, outer, state, complete, n, folds_done, folds, value, sd, min, max,
	    params;
	uint32_t first_param;
	const struct study_phase *of; /* its parameters have columns; NULL: one column `params` */
};
void ranking_table_init(struct ranking_table *t, struct arena *a, const struct study *s,
                        const struct study_phase *of);
/* All rows of a question. *many: of how many trials they are the first, summed over outer folds. */
int ranking_add(struct cmd_db *d, struct ranking_table *t, const struct ranking_ask *q, uint64_t *shown,
                uint64_t *many, struct fault *f);

/* A line with mean and sd over outer folds, for phases that test on them; nothing for others. */
int ranking_outer_estimate(struct cmd_db *d, const struct study_phase *p, struct bytes *out, struct fault *f);
bool ranking_has_folds(const struct study *s, const struct study_phase *p);
bool ranking_has_outer(const struct study *s, const struct study_phase *p);
/* The phase of that name, or FAULT_USAGE with the nearest. */
int ranking_find_phase(struct cmd_db *d, const char *name, const struct study_phase **out, struct fault *f);

#endif
