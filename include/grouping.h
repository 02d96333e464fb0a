/* grouping: the trials of a phase by the values of some parameters: does a parameter matter? Incomplete
 * trials are counted and nothing else; trials of different outer folds are never put together. */
#ifndef GROUPING_H
#define GROUPING_H

#include "ranking.h"

enum { GROUPING_MAX = 8 };

struct grouping {
	struct report report;
	enum ranking_kind kind;
	const char *names[GROUPING_MAX];
	uint32_t n;
	uint32_t phase, outer, outer_shown, first, json, trials, complete, best_trial, best, mean, sd, min,
	    max;
};

/* "hidden,optim.lr"; FAULT_USAGE when no phase of the list (NULL: of the study) has them all. */
int grouping_parse(struct grouping *g, struct cmd_db *d, const struct study_phase *only, const char *words,
                   struct fault *f);
bool grouping_fits(const struct grouping *g, const struct cmd_db *d, const struct study_phase *p);
/* Before rows: the columns. of: the phase of a RANKING_TABLE. */
void grouping_init(struct grouping *g, struct cmd_db *d, enum ranking_kind kind,
                   const struct study_phase *of);
int grouping_add(struct grouping *g, struct cmd_db *d, const struct study_phase *p, struct fault *f);

#endif
