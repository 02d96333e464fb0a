/* Aggregates over folds decide who wins, so a NaN among the numbers is never dropped: it makes the result NaN
 * (and a NaN never wins). Infinite numbers give what the definition gives: an infinite mean, no sd. */
#include "stats.h"

#include <math.h>
#include <stdlib.h>

/* Sum of x[i] - origin. */
static double sum_from(const double *x, size_t n, double origin)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += x[i] - origin;
	return s;
}

/* A mean of finite numbers is finite even when their sum is not. */
static double rough_mean(const double *x, size_t n)
{
	double m = sum_from(x, n, 0) / (double)n;

	if (isfinite(m))
		return m;
	m = 0;
	for (size_t i = 0; i < n; i++)
		m += x[i] / (double)n;
	return m;
}

double stats_mean(const double *x, size_t n)
{
	double m, rest;

	if (n == 0)
		return NAN;
	m = rough_mean(x, n);
	/* The second pass takes back what rounding took from the first. */
	rest = sum_from(x, n, m) / (double)n;
	return isfinite(rest) ? m + rest : m;
}

static double largest_deviation(const double *x, size_t n, double m)
{
	double largest = 0;

	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, fabs(x[i] - m));
	return largest;
}

/* The corrected two-pass algorithm (Chan, Golub, LeVeque 1983, eq. 1.7) on deviations scaled to at most 1, so
 * that no square over- or underflows. */
double stats_sd(const double *x, size_t n)
{
	double m = stats_mean(x, n), scale, squares = 0, rest = 0;

	if (n < 2 || !isfinite(m))
		return NAN;
	scale = largest_deviation(x, n, m);
	if (scale == 0 || !isfinite(scale))
		return scale;
	for (size_t i = 0; i < n; i++) {
		double d = (x[i] - m) / scale;

		squares += d * d;
		rest += d;
	}
	return scale * sqrt((squares - rest * rest / (double)n) / (double)(n - 1));
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	if (isnan(x) || isnan(y))
		return !!isnan(x) - !!isnan(y); /* at the end */
	return (x > y) - (x < y);
}

double stats_median(double *x, size_t n)
{
	double low, high;

	if (n == 0)
		return NAN;
	qsort(x, n, sizeof *x, by_value);
	if (isnan(x[n - 1]))
		return NAN;
	low = x[(n - 1) / 2];
	high = x[n / 2];
	return low == high ? low : low / 2 + high / 2;
}

double stats_min(const double *x, size_t n)
{
	double least = n ? x[0] : NAN;

	for (size_t i = 1; i < n; i++)
		if (isnan(x[i]) || x[i] < least)
			least = x[i];
	return least;
}

double stats_max(const double *x, size_t n)
{
	double most = n ? x[0] : NAN;

	for (size_t i = 1; i < n; i++)
		if (isnan(x[i]) || x[i] > most)
			most = x[i];
	return most;
}

struct stats_summary stats_of(const double *x, size_t n)
{
	return (struct stats_summary){n, stats_mean(x, n), stats_sd(x, n), stats_min(x, n), stats_max(x, n)};
}
