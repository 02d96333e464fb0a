/* What a point comes to: looked up, or computed. */
#include "task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQUARE(x) ((x) * (x))

/* Where v lies between lo and hi, on the parameter's scale. */
static double between(const struct task_param *p, double v, double lo, double hi)
{
	return p->log ? log(v / lo) / log(hi / lo) : (v - lo) / (hi - lo);
}

/* ---- tables that are samples: the nearest row of the same choices -------------------------------------- */
static double distance(const struct task *t, const struct task_row *row, const double *point)
{
	double d = 0;

	for (uint32_t c = 0; c < t->ncolumns; c++) {
		const struct task_param *p = &t->params[t->columns[c]];
		double v = point[t->columns[c]];

		if (isnan(v))
			continue;
		if (isnan(row->x[c]) || (p->kind == TASK_CHOICE && row->x[c] != v))
			return INFINITY;
		if (p->kind != TASK_CHOICE)
			d += SQUARE(between(p, v, p->lo, p->hi) - between(p, row->x[c], p->lo, p->hi));
	}
	return d;
}

/* What the rows around a point come to. */
struct mix {
	enum { MIX_ALL, MIX_CURVE, MIX_SECONDS } what; /* of one fold: a curve, or a phase's seconds */
	uint32_t fold, phase;
	double *curve, seconds;
};

static void add_row(const struct task *t, const struct task_row *row, double weight, struct mix *m)
{
	const double *curve = m->what == MIX_ALL ? row->curve : row->curves + (size_t)m->fold * t->steps;

	if (m->what == MIX_SECONDS) {
		m->seconds += weight * row->costs[m->phase * t->folds + m->fold];
		return;
	}
	for (uint32_t k = 0; k < t->steps; k++)
		m->curve[k] += weight * curve[k];
	m->seconds += weight * row->seconds;
}

static void nearest(const struct task *t, const double *point, struct mix *m)
{
	const struct task_row *best = NULL;
	double least = INFINITY;

	for (uint32_t i = 0; i < t->nrows; i++) {
		double d = distance(t, &t->rows[i], point);

		if (d < least) {
			least = d;
			best = &t->rows[i];
		}
	}
	if (best)
		add_row(t, best, 1, m);
}

/* ---- tables that are full grids: linear between the rows around, on the scales of the parameters --------
 */
struct corner {
	uint32_t level; /* of the lower one */
	double upper;   /* weight of the upper one */
};

static struct corner find_corner(const struct task_param *p, double v)
{
	struct corner c = {0};

	if (isnan(v))
		return c;
	if (p->kind == TASK_CHOICE)
		return (struct corner){(uint32_t)v, 0};
	while (c.level + 2 < p->nlevels && v > p->levels[c.level + 1])
		c.level++;
	c.upper = between(p, v, p->levels[c.level], p->levels[c.level + 1]);
	c.upper = c.upper < 0 ? 0 : c.upper > 1 ? 1 : c.upper;
	return c;
}

static void multilinear(const struct task *t, const double *point, struct mix *m)
{
	struct corner at[TASK_PARAMS];

	for (uint32_t c = 0; c < t->ncolumns; c++)
		at[c] = find_corner(&t->params[t->columns[c]], point[t->columns[c]]);
	for (uint32_t mask = 0; mask < 1u << t->ncolumns; mask++) {
		double weight = 1;
		uint32_t row = 0;

		for (uint32_t c = 0; c < t->ncolumns; c++) {
			uint32_t up = mask >> c & 1;

			weight *= up ? at[c].upper : 1 - at[c].upper;
			row = row * t->params[t->columns[c]].nlevels + at[c].level + up;
		}
		if (weight > 0)
			add_row(t, &t->rows[row], weight, m);
	}
}

static void mix(const struct task *t, const double *point, struct mix *m)
{
	(t->nearest ? nearest : multilinear)(t, point, m);
}

void task_fold_curve(const struct task *t, const double *point, uint32_t fold, double curve[TASK_LEVELS])
{
	memset(curve, 0, t->steps * sizeof *curve);
	mix(t, point, &(struct mix){.what = MIX_CURVE, .fold = fold, .curve = curve});
}

double task_fold_seconds(const struct task *t, const double *point, uint32_t fold, uint32_t phase)
{
	struct mix m = {.what = MIX_SECONDS, .fold = fold, .phase = phase};

	mix(t, point, &m);
	return m.seconds;
}

/* ---- how far along the curve --------------------------------------------------------------------------- */
static double position(const struct task *t, const double *point)
{
	double last = t->steps - 1, x;

	for (uint32_t i = 0; i < t->nparams && t->curve_param; i++)
		if (!strcmp(t->params[i].name, t->curve_param)) {
			x = point[i] / t->curve_step - 1;
			return x < 0 ? 0 : x > last ? last : x;
		}
	return last;
}

static double look_up(const struct task *t, const double *point, double *seconds)
{
	double curve[TASK_LEVELS] = {0}, x = position(t, point);
	uint32_t k = (uint32_t)x, next = k + 1 < t->steps ? k + 1 : k;
	struct mix m = {.curve = curve};

	mix(t, point, &m);
	*seconds = m.seconds * (x + 1) / t->steps;
	return curve[k] + (x - k) * (curve[next] - curve[k]);
}

/* ---- functions ----------------------------------------------------------------------------------------- */
static double branin(const struct task *t, const double *x)
{
	double a = x[1] - 5.1 / (4 * M_PI * M_PI) * x[0] * x[0] + 5 / M_PI * x[0] - 6;

	(void)t;
	return a * a + 10 * (1 - 1 / (8 * M_PI)) * cos(x[0]) + 10;
}

static double hartmann6(const struct task *t, const double *x)
{
	static const double alpha[4] = {1, 1.2, 3, 3.2};
	static const double a[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
	                               {.05, 10, 17, .1, 8, 14},
	                               {3, 3.5, 1.7, 10, 17, 8},
	                               {17, 8, .05, 10, .1, 14}};
	static const double p[4][6] = {{.1312, .1696, .5569, .0124, .8283, .5886},
	                               {.2329, .4135, .8307, .3736, .1004, .9991},
	                               {.2348, .1451, .3522, .2883, .3047, .6650},
	                               {.4047, .8828, .8732, .5743, .1091, .0381}};
	double sum = 0;

	for (uint32_t i = 0; i < 4; i++) {
		double e = 0;

		for (uint32_t j = 0; j < t->nparams; j++)
			e += a[i][j] * SQUARE(x[j] - p[i][j]);
		sum -= alpha[i] * exp(-e);
	}
	return sum;
}

static double rosenbrock(const struct task *t, const double *x)
{
	double sum = 0;

	for (uint32_t i = 0; i + 1 < t->nparams; i++)
		sum += 100 * SQUARE(x[i + 1] - x[i] * x[i]) + SQUARE(1 - x[i]);
	return sum;
}

/* In the logarithm of its parameters, and not in the middle of any. */
static double ackley_log(const struct task *t, const double *x)
{
	double squares = 0, waves = 0;

	for (uint32_t i = 0; i < t->nparams; i++) {
		double z = 4 * (log10(x[i]) + 2.5 - 1.2 * sin(i + 1));

		squares += z * z / t->nparams;
		waves += cos(2 * M_PI * z) / t->nparams;
	}
	return -20 * exp(-.2 * sqrt(squares)) - exp(waves) + 20 + M_E;
}

/* Three optimizers with a learning rate and another parameter each, three activations, a net. */
static double mixed_cat(const struct task *t, const double *x)
{
	static const double by_optimizer[3] = {.25, 0, .4}, best_lr[3] = {-1, -3, -2.5},
	                    by_activation[3] = {.15, .3, 0};
	uint32_t optimizer = (uint32_t)x[0], activation = (uint32_t)x[1];
	double layers = x[5], width = log2(x[6]), v = by_optimizer[optimizer] + by_activation[activation];

	(void)t;
	v += .3 * SQUARE(log10(x[2]) - best_lr[optimizer]) + .15 * fabs(layers - 3);
	v += .1 * SQUARE(width - 7 + .5 * (layers - 3)) + 4 * SQUARE(x[7] - .1 * width / 7);
	if (optimizer == 0)
		v += 2 * SQUARE(x[3] - .9);
	if (optimizer == 1)
		v += 1.5 * SQUARE(x[4] - .9);
	return v + (activation == 1 && layers > 3 ? .3 : 0);
}

/* For measuring time: any parameters. */
static double bowl(const struct task *t, const double *x)
{
	double sum = 0;

	for (uint32_t i = 0; i < t->nparams; i++) {
		const struct task_param *p = &t->params[i];

		if (p->kind == TASK_CHOICE)
			sum += .1 * x[i];
		else if (!isnan(x[i]))
			sum += SQUARE(between(p, x[i], p->lo, p->hi) - .3 - .04 * i);
	}
	return sum;
}

static double compute(const struct task *t, const double *point)
{
	static const struct {
		const char *name;
		double (*f)(const struct task *t, const double *x);
	} functions[] = {{"branin", branin},         {"hartmann6", hartmann6}, {"rosenbrock", rosenbrock},
	                 {"ackley_log", ackley_log}, {"mixed_cat", mixed_cat}, {"bowl", bowl}};

	for (uint32_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (!strcmp(functions[i].name, t->function))
			return functions[i].f(t, point);
	fprintf(stderr, "%s: no such function: %s\n", t->name, t->function);
	exit(1);
}

double task_value(const struct task *t, const double *point, double *seconds)
{
	if (!t->function)
		return look_up(t, point, seconds);
	*seconds = 1;
	return compute(t, point);
}
