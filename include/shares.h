/* shares: what part each parameter has in how good the trials of a phase are (importance.h), own and
 * inherited ones. Only complete trials with a finite value count; those of different outer folds are compared
 * by their places within their folds. */
#ifndef SHARES_H
#define SHARES_H

#include "importance.h"
#include "ranking.h"

struct shares {
	struct report report;
	uint32_t phase, parameter, share, active, active_shown;
	/* of the phase added last */
	uint32_t nparams; /* that vary */
	uint32_t ntrials; /* that count */
	bool told;        /* is any parameter told from chance? */
};

void shares_init(struct shares *s, struct cmd_db *d);
/* A row for each parameter that varies, the one with the largest share first; no rows for a phase without
 * metric, or with less than IMPORTANCE_LEAST trials that count. */
int shares_add(struct shares *s, struct cmd_db *d, const struct study_phase *p, struct fault *f);
/* Why there are no rows of that phase, or what to know of them; NULL: nothing. */
const char *shares_note(const struct shares *s, struct cmd_db *d, const struct study_phase *p);

#endif
