/* Fitting: length scales, signal and noise at the maximum of their posterior, by L-BFGS.
 *
 * L-BFGS: J. Nocedal and S. J. Wright, "Numerical Optimization" (2006), algorithms 7.4 and 7.5, with bounds
 * in the way of D. P. Bertsekas, "Projected Newton methods for optimization problems with simple constraints"
 * (1982): a variable at a bound that the gradient pushes against rests, the others move along the path
 * clipped to the box until the value falls enough (Armijo).
 *
 * Priors, those of Optuna's GPSampler (_gp/prior.py): with x = 1/l^2 of a length scale, -(0.1/x + 0.1 x); the
 * signal is Gamma(2, 1), the noise Gamma(1.1, 30). Values are standardised, so they hold for all. */
#include "gp.h"

#include <string.h>

enum { MEMORY = 8, LENGTHS = 12 };

static const double armijo = 1e-4;
static const double log_length_min = -4.6, log_length_max = 3.5; /* 0.01, 33 */
static const double log_signal_min = -4.6, log_signal_max = 4.6;
static const double log_noise_min = -13.8, log_noise_max = 0; /* 1e-6, 1 */

/* ---- L-BFGS ------------------------------------------------------------------------------------ */
struct minimiser {
	const struct gp_problem *p;
	double *x, *grad, *direction, *trial, *trial_grad;
	double *s[MEMORY], *y[MEMORY], rho[MEMORY]; /* steps and what they changed in grad, newest first */
	uint32_t npairs;
	uint32_t left; /* evaluations */
};

static void minimiser_init(struct minimiser *m, const struct gp_problem *p, double *x, struct arena *a)
{
	double *room = arena_array(a, (4 + 2 * (size_t)MEMORY) * p->n, sizeof *room);

	*m = (struct minimiser){.p = p, .x = x, .left = p->evaluations};
	m->grad = room;
	m->direction = room + p->n;
	m->trial = room + 2 * (size_t)p->n;
	m->trial_grad = room + 3 * (size_t)p->n;
	for (uint32_t i = 0; i < MEMORY; i++) {
		m->s[i] = room + (4 + 2 * (size_t)i) * p->n;
		m->y[i] = m->s[i] + p->n;
	}
}

static double dot(const double *a, const double *b, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static bool rests(const struct minimiser *m, uint32_t i)
{
	return (m->x[i] <= m->p->lo[i] && m->grad[i] >= 0) || (m->x[i] >= m->p->hi[i] && m->grad[i] <= 0);
}

/* direction := -H grad, H from the pairs so far. */
static void two_loops(struct minimiser *m)
{
	uint32_t n = m->p->n;
	double *d = m->direction, a[MEMORY];

	for (uint32_t k = 0; k < m->npairs; k++) {
		a[k] = m->rho[k] * dot(m->s[k], d, n);
		for (uint32_t i = 0; i < n; i++)
			d[i] -= a[k] * m->y[k][i];
	}
	if (m->npairs) {
		double scale = 1 / (m->rho[0] * dot(m->y[0], m->y[0], n));

		for (uint32_t i = 0; i < n; i++)
			d[i] *= scale;
	}
	for (uint32_t k = m->npairs; k-- > 0;) {
		double b = m->rho[k] * dot(m->y[k], d, n);

		for (uint32_t i = 0; i < n; i++)
			d[i] += (a[k] - b) * m->s[k][i];
	}
}

/* A descent direction, or false at a minimum. Without pairs a step of length at most 0.5: the problems here
 * have variables of order 1. */
static bool find_direction(struct minimiser *m)
{
	uint32_t n = m->p->n;
	double largest = 0, length;

	for (uint32_t i = 0; i < n; i++) {
		m->direction[i] = rests(m, i) ? 0 : -m->grad[i];
		largest = fmax(largest, fabs(m->direction[i]));
	}
	if (!(largest > m->p->tolerance))
		return false;
	two_loops(m);
	for (uint32_t i = 0; i < n; i++)
		if (rests(m, i))
			m->direction[i] = 0;
	if (m->npairs && dot(m->direction, m->grad, n) < 0)
		return true;
	m->npairs = 0;
	for (uint32_t i = 0; i < n; i++)
		m->direction[i] = rests(m, i) ? 0 : -m->grad[i];
	length = sqrt(dot(m->direction, m->direction, n));
	for (uint32_t i = 0; i < n && length > 0.5; i++)
		m->direction[i] *= 0.5 / length;
	return true;
}

/* The point so far along the direction, clipped; how much the slope at x says the value changes. */
static double step_to(struct minimiser *m, double length)
{
	double change = 0;

	for (uint32_t i = 0; i < m->p->n; i++) {
		double to = fmin(fmax(m->x[i] + length * m->direction[i], m->p->lo[i]), m->p->hi[i]);

		m->trial[i] = to;
		change += m->grad[i] * (to - m->x[i]);
	}
	return change;
}

/* The next length: where a parabola through what is known has its minimum, within reason. */
static double shorter(double length, double change, double rise)
{
	double by = -change / (2 * (rise - change));

	return length * (by >= 0.1 && by <= 0.5 ? by : by > 0.5 ? 0.5 : 0.1);
}

static bool search_line(struct minimiser *m, double value, double *found)
{
	double length = 1;

	for (int i = 0; i < LENGTHS && m->left > 0; i++) {
		double change = step_to(m, length);

		m->left--;
		*found = m->p->value(m->p->ctx, m->trial, m->trial_grad);
		if (*found <= value + armijo * change && *found < value)
			return true;
		length = shorter(length, change, *found - value);
	}
	return false;
}

static void remember(struct minimiser *m)
{
	uint32_t n = m->p->n, last = MEMORY - 1;
	double *s = m->s[last], *y = m->y[last], sy;

	for (uint32_t i = 0; i < n; i++) {
		s[i] = m->trial[i] - m->x[i];
		y[i] = m->trial_grad[i] - m->grad[i];
	}
	memcpy(m->x, m->trial, n * sizeof *m->x);
	memcpy(m->grad, m->trial_grad, n * sizeof *m->grad);
	sy = dot(s, y, n);
	if (!(sy > 1e-10 * dot(y, y, n)))
		return;
	for (uint32_t k = last; k > 0; k--) {
		m->s[k] = m->s[k - 1];
		m->y[k] = m->y[k - 1];
		m->rho[k] = m->rho[k - 1];
	}
	m->s[0] = s;
	m->y[0] = y;
	m->rho[0] = 1 / sy;
	if (m->npairs < MEMORY - 1)
		m->npairs++;
}

double gp_minimise(const struct gp_problem *p, double *x, struct arena *scratch)
{
	struct minimiser m;
	double value, next;

	minimiser_init(&m, p, x, scratch);
	for (uint32_t i = 0; i < p->n; i++)
		x[i] = fmin(fmax(x[i], p->lo[i]), p->hi[i]);
	value = p->value(p->ctx, x, m.grad);
	while (m.left > 0 && find_direction(&m)) {
		if (!search_line(&m, value, &next)) {
			if (m.npairs == 0)
				break;
			m.npairs = 0; /* once more, straight downhill */
			continue;
		}
		remember(&m);
		if (value - next <= 1e-9 * (1 + fabs(value)))
			return next;
		value = next;
	}
	return value;
}

/* ---- maximum a posteriori ---------------------------------------------------------------------- */
static double negative_log_prior(uint32_t naxes, const double *theta, double *grad)
{
	double signal = exp(theta[gp_signal(naxes)]), noise = exp(theta[gp_noise(naxes)]), sum;

	sum = signal - theta[gp_signal(naxes)] + 30 * noise - 0.1 * theta[gp_noise(naxes)];
	grad[gp_signal(naxes)] += signal - 1;
	grad[gp_noise(naxes)] += 30 * noise - 0.1;
	for (uint32_t i = 0; i < naxes; i++) {
		double l2 = exp(2 * theta[i]);

		sum += 0.1 * (l2 + 1 / l2);
		grad[i] += 0.2 * (l2 - 1 / l2);
	}
	return sum;
}

double gp_objective(struct gp *g, const double *theta, double *grad)
{
	double half, fit = 0;

	gp_set(g, theta);
	half = gp_factor(g);
	for (uint32_t i = 0; i < g->n; i++)
		fit += g->y[i] * g->alpha[i];
	memset(grad, 0, gp_nparams(g->naxes) * sizeof *grad);
	gp_likelihood_slope(g, grad);
	for (uint32_t i = 0; i < gp_nparams(g->naxes); i++)
		grad[i] *= -0.5;
	return 0.5 * fit + half + negative_log_prior(g->naxes, theta, grad);
}

void gp_default(uint32_t naxes, double *theta)
{
	for (uint32_t i = 0; i < naxes; i++)
		theta[i] = log(0.5);
	theta[gp_signal(naxes)] = 0;
	theta[gp_noise(naxes)] = log(1e-3);
}

static double objective(void *ctx, const double *theta, double *grad)
{
	return gp_objective(ctx, theta, grad);
}

void gp_fit(struct gp *g, double *theta, uint32_t evaluations, struct arena *scratch)
{
	uint32_t n = gp_nparams(g->naxes);
	double *lo = arena_array(scratch, n, sizeof *lo), *hi = arena_array(scratch, n, sizeof *hi);
	struct gp_problem p = {n, objective, g, lo, hi, evaluations, 1e-2};

	for (uint32_t i = 0; i < g->naxes; i++) {
		lo[i] = log_length_min;
		hi[i] = log_length_max;
	}
	lo[gp_signal(g->naxes)] = log_signal_min;
	hi[gp_signal(g->naxes)] = log_signal_max;
	lo[gp_noise(g->naxes)] = log_noise_min;
	hi[gp_noise(g->naxes)] = log_noise_max;
	gp_minimise(&p, theta, scratch);
}
