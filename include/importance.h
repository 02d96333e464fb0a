/* importance: which parameters make the better trials better. */
#ifndef IMPORTANCE_H
#define IMPORTANCE_H

#include "cube.h"

enum { IMPORTANCE_LEAST = 10 }; /* trials, below which nothing can be said */

struct importance_trials {
	const struct axis *axes;
	uint32_t naxes, n;
	const struct cell *cells; /* of trial t: cells[t * naxes] .. */
	const double *values;     /* the smaller the better; only their order counts */
};

/* shares: one for each axis, >= 0, with the sum 1; or all 0 where no axis is told from chance. */
void importance_find(const struct importance_trials *t, struct arena *scratch, double *shares);

#endif
