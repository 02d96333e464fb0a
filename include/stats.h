/* stats: the few numbers results are made of. Two-pass or Welford, so that large offsets lose nothing. */
#ifndef STATS_H
#define STATS_H

#include <stddef.h>

double stats_mean(const double *x, size_t n); /* NaN for n = 0 */
double stats_sd(const double *x, size_t n);   /* sample sd (n-1); NaN for n < 2 */
double stats_median(double *x, size_t n);     /* sorts x; NaN for n = 0 */
double stats_min(const double *x, size_t n);
double stats_max(const double *x, size_t n);

/* What a table says of a list of numbers. */
struct stats_summary {
	size_t n;
	double mean, sd, min, max;
};
struct stats_summary stats_of(const double *x, size_t n);

#endif
