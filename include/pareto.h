/* pareto: who is better where several numbers count. A point is a row of m numbers, all finite and all to be
 * minimised; it dominates another when it is nowhere worse and somewhere better. */
#ifndef PARETO_H
#define PARETO_H

#include "arena.h"

#include <stdbool.h>
#include <stdint.h>

bool pareto_dominates(const double *a, const double *b, uint32_t m);

/* front[i] of n rows: 0 when no row dominates row i (the Pareto front); else one more than the largest front
 * of those that do. X. Zhang et al., "An Efficient Approach to Nondominated Sorting for Evolutionary
 * Multiobjective Optimization", IEEE TEVC 19 (2015): ENS-BS. O(n log n) for m <= 2; beyond, O(n (log n + size
 * of a front)) where points are compared with whole fronts. */
void pareto_fronts(const double *rows, uint32_t n, uint32_t m, struct arena *scratch, uint32_t *front);

/* How much room each of some rows has between its neighbours, summed over the numbers, each as a part of
 * their range; infinite for those at an end. K. Deb et al., "A Fast and Elitist Multiobjective Genetic
 * Algorithm: NSGA-II", IEEE TEVC 6 (2002), section III-B. `which` are n numbers of rows, of one front. */
void pareto_crowding(const double *rows, uint32_t m, const uint32_t *which, uint32_t n, struct arena *scratch,
                     double *out);

#endif
