/* outer: what nested cross-validation is for. A phase that runs once for each outer fold is tested there on
 * what no search has seen: the mean of its values over the outer folds is the estimate of the whole
 * procedure. Beside it stands what the searches believed: the mean over the outer folds of the values that
 * the picked trials had on their inner folds, for each pick among the phases it comes from. Nothing here
 * knows a phase by name. */
#ifndef OUTER_H
#define OUTER_H

#include "cmd.h"
#include "stats.h"

struct outer_fold {
	int64_t fold, trials;
	double value; /* the mean of its trials: choosing among them here would spoil the estimate */
};
struct outer_part {
	const struct study_phase *phase;
	const struct study_phase *for_phase; /* inner: whose pick it was; NULL: the outer estimate */
	const char *metric; /* of several: the one that was picked by; else that of the phase */
	struct outer_fold *folds;
	struct stats_summary over; /* the folds */
	int64_t trials;            /* most in a fold */
};
struct outer_estimate {
	const struct study_phase *phase;
	uint32_t outer_folds;
	struct outer_part *parts; /* the outer one first */
	uint32_t nparts;
};

/* nparts 0: not such a phase, or nothing is known yet. In the database's arena. */
int outer_read(struct cmd_db *d, const struct study_phase *p, struct outer_estimate *out, struct fault *f);
/* A table over the estimates of some phases; nothing when there are none. */
void outer_put_table(struct cmd_db *d, const struct outer_estimate *e, uint32_t n,
                     const struct report_style *style, struct bytes *out);
/* One object. */
void outer_put_json(const struct outer_estimate *e, struct bytes *out);

#endif
