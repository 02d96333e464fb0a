/* CMA-ES as in N. Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772 (2016), with its default
 * parameters (table 1) and names: a normal distribution moves to the weighted mean of the better half of a
 * generation; its covariance learns from the path of the mean (rank one) and from the points, the worse half
 * with negative weights (rank mu); sigma grows while steps are longer than those of a random walk.
 *
 * Three things are added:
 *
 * - Points may come from elsewhere: startup points, those people enqueued, those that were drawn from an
 *   earlier distribution and ended late. N. Hansen, "Injecting External Solutions Into CMA-ES",
 *   arXiv:1110.4181 (2011): a point further off than the distribution would send it is drawn in to that
 *   distance (eq. 4), and sigma grows by no more than e in a generation.
 * - Discrete axes: R. Hamano et al., "CMA-ES with Margin: Lower-Bounding Marginal Probability for
 *   Mixed-Integer Black-Box Optimization", arXiv:2205.13482 (2022): the cells beside that of the mean keep a
 *   probability of 1/(d lambda), by moving the mean and widening the axis alone (A).
 * - Points that are equally good share the weights of their ranks, so that the order in which equals are
 *   told does not matter and a plateau is a random walk.
 *
 * Rejected: a diagonal phase at the start (VkD, sep-CMA: pays from some tens of parameters on), and updating
 * the eigenvectors every few generations only (rank 0 has the time). */
#include "evolution.h"

#include "normal.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

static const double largest_sd = 1, worst_condition = 1e14;

/* ---- parameters -------------------------------------------------------------------------------- */
static double effective(const double *w, uint32_t n)
{
	double sum = 0, squares = 0;

	for (uint32_t i = 0; i < n; i++) {
		sum += w[i];
		squares += w[i] * w[i];
	}
	return squares > 0 ? sum * sum / squares : 0;
}

static void scale_to(double *w, uint32_t n, double total)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += w[i];
	for (uint32_t i = 0; i < n && sum != 0; i++)
		w[i] *= total / sum;
}

static void set_rates(struct evolution *e, double mu)
{
	double d = e->d;

	e->c_sigma = (mu + 2) / (d + mu + 5);
	e->d_sigma = 1 + 2 * fmax(0, sqrt((mu - 1) / (d + 1)) - 1) + e->c_sigma;
	e->c_path = (4 + mu / d) / (d + 4 + 2 * mu / d);
	e->c_one = 2 / ((d + 1.3) * (d + 1.3) + mu);
	e->c_mu = fmin(1 - e->c_one, 2 * (0.25 + mu + 1 / mu - 2) / ((d + 2) * (d + 2) + mu));
	e->length = sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d));
}

static void set_weights(struct evolution *e)
{
	double d = e->d, mu, mu_loss, total;

	for (uint32_t i = 0; i < e->lambda; i++) {
		double w = log((e->lambda + 1) / 2.0) - log(i + 1);

		*(w > 0 ? &e->gain[i] : &e->loss[i]) = w;
	}
	mu = effective(e->gain, e->lambda);
	mu_loss = effective(e->loss, e->lambda);
	set_rates(e, mu);
	total = fmin(1 + e->c_one / e->c_mu, 1 + 2 * mu_loss / (mu + 2));
	total = fmin(total, (1 - e->c_one - e->c_mu) / (d * e->c_mu));
	scale_to(e->gain, e->lambda, 1);
	scale_to(e->loss, e->lambda, -fmax(total, 0));
}

void evolution_begin(struct evolution *e, struct arena *a, uint32_t d, uint32_t lambda, const double *mean,
                     double sigma)
{
	size_t size = sizeof(double);

	*e = (struct evolution){.d = d, .lambda = lambda, .sigma = sigma, .nwork = (int)(3 * d + 64)};
	e->mean = arena_array(a, d, size);
	e->scale = arena_array(a, d, size);
	e->cov = arena_array(a, (size_t)d * d, size);
	e->axes = arena_array(a, (size_t)d * d, size);
	e->lengths = arena_array(a, d, size);
	e->path = arena_array(a, d, size);
	e->path_sigma = arena_array(a, d, size);
	e->gain = arena_array(a, lambda, size);
	e->loss = arena_array(a, lambda, size);
	e->own_gain = arena_array(a, lambda, size);
	e->own_loss = arena_array(a, lambda, size);
	e->y = arena_array(a, (size_t)lambda * d, size);
	e->norm = arena_array(a, lambda, size);
	e->shift = arena_array(a, d, size);
	e->z = arena_array(a, d, size);
	e->work = arena_array(a, (size_t)e->nwork, size);
	memcpy(e->mean, mean, d * size);
	for (uint32_t i = 0; i < d; i++) {
		e->scale[i] = e->lengths[i] = 1;
		e->cov[i * d + i] = e->axes[i * d + i] = 1;
	}
	set_weights(e);
}

double evolution_sd(const struct evolution *e, uint32_t i)
{
	return e->sigma * e->scale[i] * sqrt(e->cov[i * e->d + i]);
}

/* ---- C as axes of an ellipsoid ----------------------------------------------------------------- */
/* z = D^-1 B' y: y in units of the ellipsoid's axes. */
static void whiten(const struct evolution *e, const double *y, double *z)
{
	for (uint32_t k = 0; k < e->d; k++) {
		double sum = 0;

		for (uint32_t i = 0; i < e->d; i++)
			sum += e->axes[k * e->d + i] * y[i];
		z[k] = sum / e->lengths[k];
	}
}

/* out = B diag(f) z; f are the lengths, or NULL: 1. */
static void turn_back(const struct evolution *e, const double *z, const double *f, double *out)
{
	memset(out, 0, e->d * sizeof *out);
	for (uint32_t k = 0; k < e->d; k++) {
		double v = f ? f[k] * z[k] : z[k];

		for (uint32_t i = 0; i < e->d; i++)
			out[i] += e->axes[k * e->d + i] * v;
	}
}

static double norm_of(const double *z, uint32_t d)
{
	double sum = 0;

	for (uint32_t i = 0; i < d; i++)
		sum += z[i] * z[i];
	return sqrt(sum);
}

static void find_axes(struct evolution *e)
{
	lapack_int d = (lapack_int)e->d;

	memcpy(e->axes, e->cov, (size_t)e->d * e->d * sizeof *e->axes);
	if (LAPACKE_dsyev_work(LAPACK_COL_MAJOR, 'V', 'U', d, e->axes, d, e->lengths, e->work, e->nwork)) {
		e->broken = true;
		return;
	}
	/* ascending; also false where something is no number */
	if (!(e->lengths[0] > 0 && e->lengths[d - 1] < worst_condition * e->lengths[0])) {
		e->broken = true;
		return;
	}
	for (uint32_t i = 0; i < e->d; i++)
		e->lengths[i] = sqrt(e->lengths[i]);
}

/* ---- a generation ------------------------------------------------------------------------------ */
static void share(double *w, uint32_t first, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = first; i < first + n; i++)
		sum += w[i];
	for (uint32_t i = first; i < first + n; i++)
		w[i] = sum / n;
}

static void share_among_equals(struct evolution *e, const bool *same)
{
	memcpy(e->own_gain, e->gain, e->lambda * sizeof *e->gain);
	memcpy(e->own_loss, e->loss, e->lambda * sizeof *e->loss);
	for (uint32_t i = 0, n; i < e->lambda; i += n) {
		for (n = 1; i + n < e->lambda && same[i + n];)
			n++;
		share(e->own_gain, i, n);
		share(e->own_loss, i, n);
	}
}

/* In units of sigma, and drawn in where they are further off than our own would be. */
static void take_points(struct evolution *e, const double *x)
{
	double d = e->d, far = sqrt(d) + 2 * d / (d + 2);

	for (uint32_t i = 0; i < e->lambda; i++) {
		double *y = &e->y[i * e->d], near;

		for (uint32_t k = 0; k < e->d; k++)
			y[k] = (x[i * e->d + k] - e->mean[k]) / (e->sigma * e->scale[k]);
		whiten(e, y, e->z);
		e->norm[i] = norm_of(e->z, e->d);
		near = e->norm[i] > far ? far / e->norm[i] : 1;
		for (uint32_t k = 0; k < e->d; k++)
			y[k] *= near;
		e->norm[i] *= near;
	}
}

static void move_mean(struct evolution *e)
{
	memset(e->shift, 0, e->d * sizeof *e->shift);
	for (uint32_t i = 0; i < e->lambda; i++)
		for (uint32_t k = 0; k < e->d; k++)
			e->shift[k] += e->own_gain[i] * e->y[i * e->d + k];
	for (uint32_t k = 0; k < e->d; k++)
		e->mean[k] += e->sigma * e->scale[k] * e->shift[k];
}

/* Both paths. False: sigma's is so long that the other one waits (h_sigma = 0). */
static bool move_paths(struct evolution *e)
{
	double mu = effective(e->own_gain, e->lambda), c = e->c_sigma, *step = e->work;
	double settled = sqrt(1 - pow(1 - c, 2.0 * (e->generation + 1)));
	bool goes;

	whiten(e, e->shift, e->z);
	turn_back(e, e->z, NULL, step);
	for (uint32_t k = 0; k < e->d; k++)
		e->path_sigma[k] = (1 - c) * e->path_sigma[k] + sqrt(c * (2 - c) * mu) * step[k];
	goes = norm_of(e->path_sigma, e->d) / settled < (1.4 + 2.0 / (e->d + 1)) * e->length;
	c = e->c_path;
	for (uint32_t k = 0; k < e->d; k++)
		e->path[k] = (1 - c) * e->path[k] + (goes ? sqrt(c * (2 - c) * mu) * e->shift[k] : 0);
	return goes;
}

static void add_outer(struct evolution *e, const double *y, double w)
{
	for (uint32_t k = 0; k < e->d; k++)
		for (uint32_t i = 0; i < e->d; i++)
			e->cov[k * e->d + i] += w * (y[k] * y[i]);
}

static void move_covariance(struct evolution *e, bool path_goes)
{
	double waits = path_goes ? 0 : e->c_path * (2 - e->c_path), sum = 0, keep;

	for (uint32_t i = 0; i < e->lambda; i++)
		sum += e->own_gain[i] + e->own_loss[i];
	keep = 1 + e->c_one * waits - e->c_one - e->c_mu * sum;
	for (size_t i = 0; i < (size_t)e->d * e->d; i++)
		e->cov[i] *= keep;
	add_outer(e, e->path, e->c_one);
	for (uint32_t i = 0; i < e->lambda; i++) {
		/* a bad point says in which direction, not how far */
		double even = e->norm[i] > 0 ? e->d / (e->norm[i] * e->norm[i]) : 0;

		add_outer(e, &e->y[i * e->d], e->c_mu * (e->own_gain[i] + e->own_loss[i] * even));
	}
}

static void move_sigma(struct evolution *e)
{
	double widest = 0;

	e->sigma *= exp(fmin(1, e->c_sigma / e->d_sigma * (norm_of(e->path_sigma, e->d) / e->length - 1)));
	for (uint32_t i = 0; i < e->d; i++)
		widest = fmax(widest, evolution_sd(e, i));
	if (widest > largest_sd) /* the cube has no use for more */
		e->sigma *= largest_sd / widest;
	if (!(e->sigma > 0))
		e->broken = true;
}

void evolution_tell(struct evolution *e, const double *x, const bool *same)
{
	share_among_equals(e, same);
	take_points(e, x);
	move_mean(e);
	move_covariance(e, move_paths(e));
	move_sigma(e);
	find_axes(e);
	e->generation++;
}

/* ---- the margin -------------------------------------------------------------------------------- */
/* The mean is in the first or last cell: near enough to the only border to cross it with probability alpha.
 */
static void stay_near(struct evolution *e, uint32_t i, double border, double alpha)
{
	double far = -normal_quantile(alpha) * evolution_sd(e, i);

	e->mean[i] = border + fmin(fmax(e->mean[i] - border, -far), far);
}

void evolution_keep_margin(struct evolution *e, uint32_t i, double lo, double hi)
{
	double alpha = 1 / ((double)e->d * e->lambda), sd = evolution_sd(e, i), below, above, inside, rest;

	if (lo <= 0 && hi >= 1)
		return;
	if (lo <= 0 || hi >= 1) {
		stay_near(e, i, lo <= 0 ? hi : lo, alpha);
		return;
	}
	below = normal_cdf((lo - e->mean[i]) / sd);
	above = normal_cdf((e->mean[i] - hi) / sd);
	if (below >= alpha / 2 && above >= alpha / 2)
		return;
	inside = 1 - below - above;
	below = fmax(below, alpha / 2);
	above = fmax(above, alpha / 2);
	rest = (1 - below - above - inside) / (below + above + inside - 1.5 * alpha);
	below = -normal_quantile(below + rest * (below - alpha / 2));
	above = -normal_quantile(above + rest * (above - alpha / 2));
	e->mean[i] = (lo * above + hi * below) / (below + above);
	e->scale[i] *= (hi - lo) / (below + above) / sd;
}

void evolution_place(const struct evolution *e, const double *z, double *x)
{
	turn_back(e, z, e->lengths, x);
	for (uint32_t i = 0; i < e->d; i++)
		x[i] = e->mean[i] + e->sigma * e->scale[i] * x[i];
}
