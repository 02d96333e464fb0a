/* extent: how large a study will be, by arithmetic: nothing is planned, so a billion units cost nothing.
 *
 * Exact, except where the number of trials depends on what comes out (`best N per ...`, parents that are
 * joined over a pick, a grid that conditions thin out): then it is the largest there can be and `at_most` is
 * set. */
#ifndef EXTENT_H
#define EXTENT_H

#include "arena.h"
#include "study.h"

#include <stdbool.h>
#include <stdint.h>

struct extent {
	uint64_t groups;          /* parent combinations for which a search is made, over all outer folds */
	uint64_t trials_each;     /* trials of one such search */
	uint64_t trials, units;   /* in all; saturate at UINT64_MAX */
	uint32_t units_per_trial; /* folds */
	uint32_t searches;        /* outer folds and the full search: 1 unless nested */
	bool at_most;
};

/* One for each phase, in `a`. Scheduled phases expect nothing. */
const struct extent *extent_of(struct arena *a, const struct study *s);
void extent_total(const struct study *s, const struct extent *each, struct extent *out);

#endif
