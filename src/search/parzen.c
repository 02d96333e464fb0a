/* The kernels of tree-structured Parzen estimators: J. Bergstra, R. Bardenet, Y. Bengio, B. Kegl, "Algorithms
 * for Hyper-Parameter Optimization", NIPS 24 (2011), section 4.2 (a kernel is as wide as the larger gap to
 * its neighbours; a wide prior joins as one more kernel), multivariate as in S. Falkner, A. Klein, F. Hutter,
 * "BOHB", ICML 2018 (a product over the axes, so that one kernel is one whole point), with the bounds of
 * widths and the kernels of choices that S. Watanabe, "Tree-Structured Parzen Estimator: Understanding Its
 * Algorithm Components", arXiv:2304.11127 (2023), section 3.3, compares.
 *
 * A number's kernel is a normal truncated to the cube. How wide it is, is a compromise: the gap to the
 * neighbours on one axis is much less than the distance between points when there are many axes, so that the
 * search would not look far enough from its best points; a width of c n^(-1/(d+4)), the rule of D. W. Scott
 * ("Multivariate Density Estimation", 1992) for n points on d axes, is the same for all and does not become
 * narrow where points have gathered. Measured on tables and functions the first gets stuck more often on
 * spaces with choices and conditions, the second comes less close to the minima of smooth functions, and
 * their geometric mean is nearly as good as the better one on both.
 *
 * Points that share a value on an axis share the kernel there, so that their order means nothing, and a
 * discrete axis has no more kernels than values. A choice's kernel is uniform with one point of weight 1 on
 * it.
 *
 * What an ask costs is evaluating all kernels at each candidate. On an axis this is one pass over different
 * kernels without exponentials, and for cells, which are few, what was computed is kept. */
#include "parzen.h"

#include "normal.h"

#include <stdlib.h>
#include <string.h>

/* Kernel 0 is the uniform one, 1 the prior; a choice's others are its levels from 1 on. */
enum { UNIFORM = 0, PRIOR = 1, FIRST = 2 };

struct number_kernel {
	double mu, scale; /* scale: 1/sigma */
	double log_total; /* mass of the cube */
	double log_top;   /* density in the middle */
};

struct kernels {
	uint32_t *of;               /* each component's */
	uint32_t n;                 /* of a number */
	struct number_kernel *list; /* of a number */
	double log_hit, log_miss;   /* of a choice */
	struct seen *seen;
	double *values; /* work space, n */
};

/* Values of all kernels of a number at a cell. */
struct seen {
	struct seen *next;
	struct cell cell;
	double values[];
};

struct parzen {
	struct arena *arena;
	const struct axis *axes;
	uint32_t naxes, count;
	double *log_weights;
	struct kernels *kernels; /* by axis */
};

/* ---- making ------------------------------------------------------------------------------------ */
struct ordinate {
	double x;
	uint32_t point;
};

static int by_place(const void *a, const void *b)
{
	const struct ordinate *p = a, *q = b;

	if (p->x != q->x)
		return p->x < q->x ? -1 : 1;
	return p->point < q->point ? -1 : 1;
}

/* The axis without the points that have no value there, in order. */
static uint32_t order_points(const struct parzen *z, uint32_t axis, const struct parzen_point *points,
                             struct ordinate *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i + 1 < z->count; i++)
		if (cell_active(points[i].cells[axis]))
			list[n++] = (struct ordinate){cell_middle(points[i].cells[axis]), i};
	if (n)
		qsort(list, n, sizeof *list, by_place);
	return n;
}

/* What is beyond 8.3 sigma is less than the last digit of 1. */
static struct number_kernel number_kernel(double mu, double sigma)
{
	double scale = 1 / sigma, lo = -mu * scale, hi = (1 - mu) * scale;
	double total = lo < -8.3 && hi > 8.3 ? 0 : normal_log_mass(lo, hi);

	return (struct number_kernel){mu, scale, total, log(scale) + normal_log_pdf(0) - total};
}

/* The larger gap to the neighbours of the run [from, to) of equal values; the ends of the cube are neighbours
 * only of a value that is alone. */
static double gap(const struct ordinate *list, uint32_t n, uint32_t from, uint32_t to)
{
	double x = list[from].x, left, right;

	if (from == 0 && to == n)
		return fmax(x, 1 - x);
	left = from > 0 ? x - list[from - 1].x : 0;
	right = to < n ? list[to].x - x : 0;
	return fmax(left, right);
}

static uint32_t count_axes(const struct parzen *z)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < z->naxes; i++)
		n += z->axes[i].levels != 1;
	return n;
}

static void make_number(struct parzen *z, uint32_t axis, const struct parzen_point *points,
                        const struct parzen_rules *rules)
{
	struct kernels *k = &z->kernels[axis];
	struct ordinate *list = arena_array(z->arena, z->count, sizeof *list);
	uint32_t n = order_points(z, axis, points, list);
	double least = fmax(rules->sigma_least, rules->sigma_count / (n + 2));
	double joint = rules->sigma_joint * pow(n, -1.0 / (count_axes(z) + 4));

	k->list = arena_array(z->arena, n + FIRST, sizeof *k->list);
	k->list[PRIOR] = number_kernel(0.5, 1);
	k->n = FIRST;
	for (uint32_t from = 0, to; from < n; from = to) {
		double sigma;

		for (to = from; to < n && list[to].x == list[from].x; to++)
			k->of[list[to].point] = k->n;
		sigma = gap(list, n, from, to);
		if (joint > 0)
			sigma = sqrt(sigma * joint);
		k->list[k->n++] = number_kernel(list[from].x, fmin(fmax(sigma, least), 1));
	}
	k->of[z->count - 1] = PRIOR;
	k->values = arena_array(z->arena, k->n, sizeof *k->values);
}

static void make_choice(struct parzen *z, uint32_t axis, const struct parzen_point *points,
                        const struct parzen_rules *rules)
{
	struct kernels *k = &z->kernels[axis];
	uint32_t levels = z->axes[axis].levels;
	double each = rules->prior_weight / z->count, all = 1 + each * levels;

	k->log_hit = log((1 + each) / all);
	k->log_miss = log(each / all);
	for (uint32_t i = 0; i + 1 < z->count; i++)
		if (cell_active(points[i].cells[axis]))
			k->of[i] = 1 + cell_choice(points[i].cells[axis], levels);
}

static void make_weights(struct parzen *z, const struct parzen_point *points,
                         const struct parzen_rules *rules)
{
	double sum = rules->prior_weight;

	for (uint32_t i = 0; i + 1 < z->count; i++)
		sum += points[i].weight;
	for (uint32_t i = 0; i < z->count; i++)
		z->log_weights[i] = log((i + 1 < z->count ? points[i].weight : rules->prior_weight) / sum);
}

struct parzen *parzen_new(struct arena *a, const struct axis *axes, uint32_t naxes,
                          const struct parzen_point *points, uint32_t npoints,
                          const struct parzen_rules *rules)
{
	struct parzen *z = arena_alloc(a, sizeof *z);

	*z = (struct parzen){.arena = a, .axes = axes, .naxes = naxes, .count = npoints + 1};
	z->log_weights = arena_array(a, z->count, sizeof *z->log_weights);
	z->kernels = arena_array(a, naxes, sizeof *z->kernels);
	make_weights(z, points, rules);
	for (uint32_t i = 0; i < naxes; i++) {
		if (axes[i].levels == 1)
			continue;
		z->kernels[i].of = arena_array(a, z->count, sizeof *z->kernels[i].of);
		if (axes[i].kind == AXIS_CHOICE)
			make_choice(z, i, points, rules);
		else
			make_number(z, i, points, rules);
	}
	return z;
}

uint32_t parzen_count(const struct parzen *z)
{
	return z->count;
}

const double *parzen_log_weights(const struct parzen *z)
{
	return z->log_weights;
}

/* ---- values ------------------------------------------------------------------------------------ */
static double log_density(const struct number_kernel *k, double x)
{
	double d = (x - k->mu) * k->scale;

	return k->log_top - 0.5 * d * d;
}

/* log(sinh(t)/t) */
static double log_sinh_ratio(double t)
{
	t = fabs(t);
	if (t < 0.3)
		return t * t * (1.0 / 6 - t * t * (1.0 / 180 - t * t * (1.0 / 2835)));
	return t + log1p(-exp(-2 * t)) - log(2 * t);
}

/* Where a cell is narrow beside the kernel, the slope and the curvature at its middle are enough. */
static double log_mass(const struct number_kernel *k, struct cell c, double log_width)
{
	double width = (c.hi - c.lo) * k->scale, middle = (cell_middle(c) - k->mu) * k->scale;

	if (width >= 0.25)
		return normal_log_mass((c.lo - k->mu) * k->scale, (c.hi - k->mu) * k->scale) - k->log_total;
	return log_width + log_density(k, cell_middle(c)) + log_sinh_ratio(0.5 * width * middle) -
	       width * width / 24;
}

static const double *values_at_cell(struct parzen *z, struct kernels *k, struct cell c)
{
	struct seen *s = k->seen;

	while (s && (s->cell.lo != c.lo || s->cell.hi != c.hi))
		s = s->next;
	if (s)
		return s->values;
	s = arena_alloc(z->arena, sizeof *s + k->n * sizeof *s->values);
	s->cell = c;
	s->next = k->seen;
	k->seen = s;
	s->values[UNIFORM] = log(c.hi - c.lo);
	for (uint32_t i = PRIOR; i < k->n; i++)
		s->values[i] = log_mass(&k->list[i], c, s->values[UNIFORM]);
	return s->values;
}

static const double *values_at(struct parzen *z, struct kernels *k, struct cell c)
{
	if (c.lo < c.hi)
		return values_at_cell(z, k, c);
	k->values[UNIFORM] = 0;
	for (uint32_t i = PRIOR; i < k->n; i++)
		k->values[i] = log_density(&k->list[i], c.lo);
	return k->values;
}

static void add_choice(const struct parzen *z, uint32_t axis, struct cell c, double *sum)
{
	const struct kernels *k = &z->kernels[axis];
	uint32_t levels = z->axes[axis].levels, wanted = 1 + cell_choice(c, levels);
	double uniform = -log(levels);

	for (uint32_t i = 0; i < z->count; i++)
		sum[i] += k->of[i] == wanted ? k->log_hit : k->of[i] == UNIFORM ? uniform : k->log_miss;
}

static void add_number(struct parzen *z, uint32_t axis, struct cell c, double *sum)
{
	struct kernels *k = &z->kernels[axis];
	const double *values = values_at(z, k, c);

	for (uint32_t i = 0; i < z->count; i++)
		sum[i] += values[k->of[i]];
}

void parzen_add(struct parzen *z, uint32_t from, uint32_t to, const struct cell *cells, double *sum)
{
	for (uint32_t i = from; i < to; i++) {
		struct cell c = cells[i - from];

		if (z->axes[i].levels == 1 || !cell_active(c))
			continue;
		if (z->axes[i].kind == AXIS_CHOICE)
			add_choice(z, i, c, sum);
		else
			add_number(z, i, c, sum);
	}
}

double log_sum_exp(const double *x, uint32_t n)
{
	double top = x[0], sum = 0;

	for (uint32_t i = 1; i < n; i++)
		top = x[i] > top ? x[i] : top;
	if (isinf(top))
		return top;
	for (uint32_t i = 0; i < n; i++)
		if (x[i] > top - 40)
			sum += exp(x[i] - top);
	return top + log(sum);
}

/* ---- draws ------------------------------------------------------------------------------------- */
static double draw_number(const struct number_kernel *k, double u)
{
	double x = k->mu + normal_truncated(-k->mu * k->scale, (1 - k->mu) * k->scale, u) / k->scale;

	return cube_inside(x);
}

static double draw_choice(const struct kernels *k, uint32_t kernel, uint32_t levels, double u)
{
	double hit = exp(k->log_hit), miss = exp(k->log_miss);

	if (kernel == UNIFORM)
		return u;
	/* In the point's own level with what it has more than the others, else in any. */
	if (u < hit - miss)
		return (kernel - 0.5) / levels;
	return cube_inside((u - (hit - miss)) / (1 - (hit - miss)));
}

void parzen_draw(const struct parzen *z, uint32_t i, uint32_t n, struct rng *r, double *u)
{
	for (uint32_t axis = 0; axis < n; axis++) {
		const struct kernels *k = &z->kernels[axis];
		double x = rng_unit(r);

		if (z->axes[axis].levels == 1 || k->of[i] == UNIFORM)
			u[axis] = x;
		else if (z->axes[axis].kind == AXIS_CHOICE)
			u[axis] = draw_choice(k, k->of[i], z->axes[axis].levels, x);
		else
			u[axis] = draw_number(&k->list[k->of[i]], x);
	}
}
