/* fronts: the trials of a phase with several metrics, by how many of the others are better in everything. */
#ifndef FRONTS_H
#define FRONTS_H

#include "cmd.h"

/* For each complete trial with finite values the number of its front, from 0 (the Pareto front), as a JSON
 * map, in the arena of d; fronts of different outer folds have nothing to do with each other. NULL: the phase
 * has one metric at most. */
int fronts_read(struct cmd_db *d, const struct study_phase *p, const char **json, struct fault *f);

/* "minimize err, maximize accuracy"; "" without a metric. */
const char *fronts_goals(struct arena *a, const struct study_phase *p);
/* "err, accuracy" */
const char *fronts_names(struct arena *a, const struct study_phase *p);

/* "metrics": {"err": "minimize", ..}; null where there is one at most. */
void fronts_put_json(struct bytes *b, const struct study_phase *p);

#endif
