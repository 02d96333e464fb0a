#include "race.h"

#include "stats.h"

#include <math.h>
#include <stdlib.h>

static const double alpha = 0.05;

/* ---- Student's t ------------------------------------------------------------------------------- */
/* Continued fraction of the incomplete beta function by the method of Lentz (Thompson and Barnett 1986). */
static double beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1), h;

	d = 1 / (fabs(d) < tiny ? tiny : d);
	h = d;
	for (int i = 1; i <= 300; i++) {
		double even = i * (b - i) * x / ((a + 2 * i - 1) * (a + 2 * i)), step;
		double odd = -(a + i) * (a + b + i) * x / ((a + 2 * i) * (a + 2 * i + 1));

		d = 1 + even * d;
		c = 1 + even / c;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = fabs(c) < tiny ? tiny : c;
		h *= d * c;
		d = 1 + odd * d;
		c = 1 + odd / c;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = fabs(c) < tiny ? tiny : c;
		step = d * c;
		h *= step;
		if (fabs(step - 1) < 1e-15)
			break;
	}
	return h;
}

static double incomplete_beta(double a, double b, double x)
{
	double front;

	if (x <= 0 || x >= 1)
		return x <= 0 ? 0 : 1;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double race_student_tail(double t, double df)
{
	double half = 0.5 * incomplete_beta(df / 2, 0.5, df / (df + t * t));

	return t > 0 ? half : 1 - half;
}

/* ---- Wilcoxon ---------------------------------------------------------------------------------- */
static int by_size(const void *p, const void *q)
{
	double a = fabs(*(const double *)p), b = fabs(*(const double *)q);

	return a < b ? -1 : a > b;
}

/* Twice the mid-ranks, which are whole. d is sorted by size. */
static void double_ranks(const double *d, uint32_t n, uint32_t *rank)
{
	for (uint32_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && fabs(d[end]) <= fabs(d[i]); end++)
			;
		for (uint32_t j = i; j < end; j++)
			rank[j] = i + 1 + end;
	}
}

/* How likely each sum of ranks is when every sign is a coin. */
double race_wilcoxon(const double *differences, uint32_t n)
{
	double d[RACE_FOLDS_MAX], p[RACE_FOLDS_MAX * (RACE_FOLDS_MAX + 1) + 1] = {1}, tail = 0;
	uint32_t rank[RACE_FOLDS_MAX], m = 0, sum = 0, w = 0;

	for (uint32_t i = 0; i < n && m < RACE_FOLDS_MAX; i++)
		if (differences[i] > 0 || differences[i] < 0)
			d[m++] = differences[i];
	qsort(d, m, sizeof *d, by_size);
	double_ranks(d, m, rank);
	for (uint32_t i = 0; i < m; i++) {
		w += d[i] > 0 ? rank[i] : 0;
		for (uint32_t s = sum + 1; s-- > 0;) {
			p[s + rank[i]] += 0.5 * p[s];
			p[s] *= 0.5;
		}
		sum += rank[i];
	}
	for (uint32_t s = w; s <= sum; s++)
		tail += p[s];
	return tail;
}

/* ---- looks ------------------------------------------------------------------------------------- */
static double worse_by(const struct race_look *x, double mine, double theirs)
{
	return x->maximize ? theirs - mine : mine - theirs;
}

/* The best it can come to. False: nothing is known. */
static bool best_possible(const struct race_look *x, double *value)
{
	double all[RACE_FOLDS_MAX];

	if (x->aggregate == (x->maximize ? AGGREGATE_MIN : AGGREGATE_MAX)) {
		*value = x->maximize ? stats_min(x->mine, x->m) : stats_max(x->mine, x->m);
		return true;
	}
	for (uint32_t i = 0; i < x->folds; i++)
		all[i] = i < x->m ? x->mine[i] : x->best;
	*value = stats_mean(all, x->folds);
	return x->aggregate == AGGREGATE_MEAN && x->has_best;
}

static bool lost_by_t(const struct race_look *x, const double *d, double level)
{
	double mean = stats_mean(d, x->m);
	double scale = stats_sd(d, x->m) * sqrt(1.0 / x->m + 1.0 / (x->folds - 1));

	if (!(mean > 0))
		return false;
	return !(scale > 0) || race_student_tail(mean / scale, x->m - 1) < level;
}

enum race_verdict race_look(const struct race_look *x)
{
	double d[RACE_FOLDS_MAX], best, level = alpha / (x->folds > 2 ? x->folds - 2 : 1);

	if (x->m == 0 || x->m >= x->folds || x->folds > RACE_FOLDS_MAX || !isfinite(x->incumbent))
		return RACE_ON;
	if (best_possible(x, &best) && worse_by(x, best, x->incumbent) >= 0)
		return RACE_LOST_BY_BOUNDS;
	if (x->m < 2 || x->aggregate == AGGREGATE_MIN || x->aggregate == AGGREGATE_MAX)
		return RACE_ON;
	for (uint32_t i = 0; i < x->m; i++)
		d[i] = worse_by(x, x->mine[i], x->theirs[i]);
	if (lost_by_t(x, d, level))
		return RACE_LOST_BY_T;
	return x->m >= 5 && race_wilcoxon(d, x->m) < level ? RACE_LOST_BY_WILCOXON : RACE_ON;
}

/* ---- trials without all folds -------------------------------------------------------------------- */
double race_corrected(const double *mine, const uint32_t *which, uint32_t m, const double *fold_mean,
                      uint32_t folds)
{
	double all = stats_mean(fold_mean, folds), sum = 0;

	for (uint32_t i = 0; i < m; i++)
		sum += (mine[i] - (fold_mean[which[i]] - all)) / m;
	return m ? sum : (double)NAN;
}
