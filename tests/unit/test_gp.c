#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gp.h"
#include "sampler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void close_to(const char *what, double is, double should, double relative)
{
	if (!(fabs(is - should) <= relative * fmax(1e-3, fabs(should))))
		fail_msg("%s: %.12g instead of %.12g", what, is, should);
}

/* ---- a space to search -------------------------------------------------------------------------- */
enum { AXES_MAX = 12, CONTEXTS_MAX = 3000 };

/* Axes of `steps` equal cells each (0: continuous). Axis `under` is active where axis 0 is in its lower half;
 * the points where `forbidden` says so are not feasible. Axis nown is the context. */
struct problem {
	uint32_t nown, naxes;
	struct axis axes[AXES_MAX];
	uint32_t steps[AXES_MAX];
	uint32_t under; /* 0: none */
	bool (*forbidden)(const struct cell *cells);
	double (*value)(const struct cell *cells); /* NaN: fails */
	uint32_t nparents, workers;
	int64_t trials;
	uint64_t seed;
};

struct run {
	const struct problem *p;
	struct arena arena, scratch;
	struct history h;
	void *state;
	struct cell context[CONTEXTS_MAX];
	const struct cell *contexts[CONTEXTS_MAX];
	uint32_t pending[256], npending, k;
	bool known; /* what is asked for is known */
	uint32_t asked_known, gave_up;
};

static bool place(void *ctx, uint32_t parent, const double *u, struct cell *out)
{
	const struct problem *p = ((struct run *)ctx)->p;

	assert_true(parent < p->nparents);
	for (uint32_t i = 0; i < p->nown; i++) {
		double n = p->steps[i], c;

		assert_true(u[i] >= 0 && u[i] < 1);
		c = floor(u[i] * n);
		out[i] = n > 0 ? (struct cell){c / n, (c + 1) / n} : (struct cell){u[i], u[i]};
	}
	if (p->under && !(u[0] < 0.5))
		out[p->under] = (struct cell){NAN, NAN};
	return !(p->forbidden && p->forbidden(out));
}

static bool same(const struct cell *a, const struct cell *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (cell_active(a[i]) != cell_active(b[i]) || (cell_active(a[i]) && a[i].lo != b[i].lo))
			return false;
	return true;
}

static bool known(void *ctx, uint32_t parent, const struct cell *at)
{
	struct run *r = ctx;

	r->asked_known++;
	if (r->known)
		return true;
	for (uint32_t i = 0; i < history_count(&r->h); i++) {
		const struct cell *c = history_at(&r->h, i)->cells;

		if (same(c, at, r->p->nown) &&
		    (r->p->naxes == r->p->nown || same(c + r->p->nown, r->contexts[parent], 1)))
			return true;
	}
	return false;
}

static void run_init(struct run *r, const struct problem *p)
{
	memset(r, 0, sizeof *r);
	r->p = p;
	history_init(&r->h, &r->arena, p->axes, p->nown, p->naxes);
	r->state = gp_search.open();
	for (uint32_t i = 0; i < p->nparents; i++) {
		double u = (i + 0.5) / p->nparents;

		r->context[i] = (struct cell){u, u};
		r->contexts[i] = &r->context[i];
	}
}

static void run_finish(struct run *r)
{
	gp_search.close(r->state);
	arena_finish(&r->arena);
	arena_finish(&r->scratch);
}

static bool ask_with(struct run *r, void *state, uint32_t k, double *u, uint32_t *parent)
{
	struct cube_ask q = {.h = &r->h,
	                     .nparents = r->p->nparents,
	                     .contexts = r->contexts,
	                     .place = place,
	                     .known = known,
	                     .ctx = r,
	                     .k = k,
	                     .seed = r->p->seed,
	                     .trials = r->p->trials,
	                     .workers = r->p->workers,
	                     .scratch = &r->scratch};
	bool ok = gp_search.ask(state, &q, u, parent);

	arena_reset(&r->scratch);
	return ok;
}

static void begin(struct run *r, const double *u, uint32_t parent)
{
	struct cell cells[AXES_MAX];

	if (!place(r, parent, u, cells))
		fail_msg("trial %u is not feasible", r->k);
	if (known(r, parent, cells))
		fail_msg("trial %u is one that was there", r->k);
	if (r->p->naxes > r->p->nown)
		cells[r->p->nown] = r->context[parent];
	r->pending[r->npending++] = history_begin(&r->h, cells);
	r->k++;
}

static void end_first(struct run *r)
{
	uint32_t number = r->pending[0];
	double v = r->p->value(history_at(&r->h, number)->cells);

	history_end(&r->h, number, v == v ? OUTCOME_COMPLETE : OUTCOME_FAILED, v, 0);
	memmove(r->pending, r->pending + 1, --r->npending * sizeof *r->pending);
}

/* Until `n` trials have begun, with all workers busy. */
static void go_on(struct run *r, uint32_t n)
{
	while (r->k < n) {
		double u[AXES_MAX];
		uint32_t parent;

		if (!ask_with(r, r->state, r->k, u, &parent)) {
			r->gave_up++;
			return;
		}
		begin(r, u, parent);
		if (r->npending == r->p->workers)
			end_first(r);
	}
}

static double best_value(const struct run *r)
{
	return history_at(&r->h, r->h.best[0])->value;
}

static double at(const struct cell *cells, uint32_t i)
{
	return cell_middle(cells[i]);
}

static double branin(const struct cell *c)
{
	const double pi = 3.14159265358979323846;
	double x = 15 * at(c, 0) - 5, y = 15 * at(c, 1);
	double a = y - 5.1 / (4 * pi * pi) * x * x + 5 / pi * x - 6;

	return a * a + 10 * (1 - 1 / (8 * pi)) * cos(x) + 10 - 0.397887;
}

static double hartmann6(const struct cell *c)
{
	static const double w[4] = {1, 1.2, 3, 3.2},
	                    a[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
	                               {.05, 10, 17, .1, 8, 14},
	                               {3, 3.5, 1.7, 10, 17, 8},
	                               {17, 8, .05, 10, .1, 14}},
	                    q[4][6] = {{.1312, .1696, .5569, .0124, .8283, .5886},
	                               {.2329, .4135, .8307, .3736, .1004, .9991},
	                               {.2348, .1451, .3522, .2883, .3047, .6650},
	                               {.4047, .8828, .8732, .5743, .1091, .0381}};
	double sum = 3.32237;

	for (int i = 0; i < 4; i++) {
		double e = 0;

		for (uint32_t j = 0; j < 6; j++)
			e += a[i][j] * (at(c, j) - q[i][j]) * (at(c, j) - q[i][j]);
		sum -= w[i] * exp(-e);
	}
	return sum;
}

static const struct problem on_branin = {
    .nown = 2, .naxes = 2, .value = branin, .nparents = 1, .workers = 1, .trials = 200, .seed = 1};
static const struct problem on_hartmann6 = {
    .nown = 6, .naxes = 6, .value = hartmann6, .nparents = 1, .workers = 1, .trials = 200, .seed = 1};

/* ---- the model ---------------------------------------------------------------------------------- */
static const struct axis numbers[AXES_MAX];
static const bool never_inactive[AXES_MAX];

/* n points of `dim` numbers, values a smooth function of them. */
static void some_points(struct gp *g, struct arena *a, uint32_t n, uint32_t dim, bool slope)
{
	gp_init(g, a, numbers, dim, never_inactive, n, n);
	for (uint32_t i = 0; i < n; i++) {
		g->y[i] = 0;
		for (uint32_t d = 0; d < dim; d++) {
			double u = sobol_point(i, d, 5);

			g->x[i * g->nfeatures + d] = u;
			g->y[i] += sin(5 * u + d);
		}
	}
	if (slope)
		g->slope = arena_array(a, (size_t)g->stride * g->stride, sizeof *g->slope);
}

static void predict_one(const struct gp *g, const double *x, double *mean, double *var)
{
	union gp_lanes lanes[AXES_MAX], m, v;

	for (uint32_t f = 0; f < g->nfeatures; f++)
		for (int b = 0; b < GP_BLOCK; b++)
			lanes[f].of[b] = b == 3 ? x[f] : 0.1;
	gp_predict(g, lanes, &m, &v);
	*mean = m.of[3];
	*var = v.of[3];
}

static double matern(double r)
{
	double a = sqrt(5) * r;

	return (1 + a + a * a / 3) * exp(-a);
}

static void posterior_of_one_and_two_points_is_the_closed_form(void **state)
{
	struct arena a = {0};
	struct gp g;
	double theta[3] = {log(0.3), log(2), log(0.1)}, x = 0.45, mean, var, k0, k1, k01, det;

	(void)state;
	gp_init(&g, &a, numbers, 1, never_inactive, 1, 1);
	g.x[0] = 0.3;
	g.y[0] = 1.5;
	gp_set(&g, theta);
	close_to("log determinant", gp_factor(&g), 0.5 * log(2.1), 1e-12);
	predict_one(&g, &x, &mean, &var);
	k0 = 2 * matern(0.15 / 0.3);
	close_to("mean", mean, k0 / 2.1 * 1.5, 1e-12);
	close_to("variance", var, 2 - k0 * k0 / 2.1, 1e-12);

	gp_init(&g, &a, numbers, 1, never_inactive, 2, 2);
	g.x[0] = 0.3;
	g.x[1] = 0.7;
	g.y[0] = 1.5;
	g.y[1] = -1;
	gp_set(&g, theta);
	gp_factor(&g);
	predict_one(&g, &x, &mean, &var);
	k1 = 2 * matern(0.25 / 0.3);
	k01 = 2 * matern(0.4 / 0.3);
	det = 2.1 * 2.1 - k01 * k01;
	close_to("mean of two", mean, (k0 * (2.1 * 1.5 + k01) + k1 * (-2.1 - k01 * 1.5)) / det, 1e-12);
	close_to("variance of two", var, 2 - (2.1 * (k0 * k0 + k1 * k1) - 2 * k01 * k0 * k1) / det, 1e-12);
	arena_finish(&a);
}

static void data_without_noise_are_interpolated(void **state)
{
	struct arena a = {0};
	struct gp g;
	double theta[5] = {log(0.5), log(0.5), log(0.5), 0, log(1e-6)}, mean, var;

	(void)state;
	some_points(&g, &a, 37, 3, false);
	gp_set(&g, theta);
	gp_factor(&g);
	for (uint32_t i = 0; i < 37; i++) {
		predict_one(&g, g.x + i * g.nfeatures, &mean, &var);
		assert_true(fabs(mean - g.y[i]) < 1e-3);
		assert_true(var >= 0 && var < 1e-5);
	}
	arena_finish(&a);
}

/* Points without values behind those with them: the mean is what it was, the variance is gone. */
static void pending_points_take_variance_only(void **state)
{
	struct arena a = {0};
	struct gp g, more;
	double theta[4] = {log(0.5), log(0.5), 0, log(1e-4)}, x[2] = {0.31, 0.77}, y[2] = {0.33, 0.74};
	double mean, var, mean2, var2;

	(void)state;
	some_points(&g, &a, 9, 2, false);
	gp_set(&g, theta);
	gp_factor(&g);
	predict_one(&g, y, &mean, &var);
	gp_init(&more, &a, numbers, 2, never_inactive, 9, 10);
	memcpy(more.x, g.x, 18 * sizeof *g.x);
	memcpy(more.x + 18, x, sizeof x);
	memcpy(more.y, g.y, 9 * sizeof *g.y);
	gp_set(&more, theta);
	gp_factor(&more);
	predict_one(&more, y, &mean2, &var2);
	close_to("mean", mean2, mean, 1e-9);
	assert_true(var2 < 0.2 * var);
	arena_finish(&a);
}

/* All kinds of features at once, against central differences. */
static void slopes_are_those_of_differences(void **state)
{
	enum { N = 21, DIM = 3 };
	static const struct axis axes[DIM] = {{0}, {AXIS_CHOICE, 3}, {0}};
	static const bool conditional[DIM] = {false, false, true};
	struct arena a = {0};
	struct gp g;
	double theta[DIM + 2] = {log(0.4), log(0.8), log(0.6), log(1.5), log(0.01)}, grad[DIM + 2],
	                   none[DIM + 2];
	double x[4] = {0.41, 1, 0.37, 1}, dmean[4], dvar[4], mean, var, up, down, vup, vdown;

	(void)state;
	gp_init(&g, &a, axes, DIM, conditional, N, N);
	g.slope = arena_array(&a, (size_t)g.stride * g.stride, sizeof *g.slope);
	assert_int_equal(g.nfeatures, 4);
	for (uint32_t i = 0; i < N; i++) {
		double c = floor(3 * sobol_point(i, 1, 5)), u = sobol_point(i, 0, 5);
		struct cell cells[DIM] = {{u, u}, {c / 3, (c + 1) / 3}, {NAN, NAN}};

		if (c > 0)
			cells[2].lo = cells[2].hi = sobol_point(i, 2, 5);
		gp_encode(&g, cells, g.x + i * g.nfeatures);
		g.y[i] = sin(7 * u) + c;
	}
	gp_objective(&g, theta, grad);
	for (uint32_t i = 0; i < DIM + 2; i++) {
		double was = theta[i];

		theta[i] = was + 1e-5;
		up = gp_objective(&g, theta, none);
		theta[i] = was - 1e-5;
		down = gp_objective(&g, theta, none);
		theta[i] = was;
		close_to("slope of the likelihood", grad[i], (up - down) / 2e-5, 1e-5);
	}
	gp_objective(&g, theta, grad);
	gp_predict_slope(&g, x, &mean, &var, dmean, dvar);
	predict_one(&g, x, &up, &vup);
	close_to("mean", mean, up, 1e-12);
	close_to("variance", var, vup, 1e-10);
	for (uint32_t f = 0; f < 4; f += 2) {
		double was = x[f];

		x[f] = was + 1e-5;
		predict_one(&g, x, &up, &vup);
		x[f] = was - 1e-5;
		predict_one(&g, x, &down, &vdown);
		x[f] = was;
		close_to("slope of the mean", dmean[f], (up - down) / 2e-5, 1e-6);
		close_to("slope of the variance", dvar[f], (vup - vdown) / 2e-5, 1e-6);
	}
	arena_finish(&a);
}

static void kernels_of_all_kinds_tell_points_apart(void **state)
{
	static const struct axis axes[2] = {{AXIS_CHOICE, 4}, {0}};
	static const bool conditional[2] = {false, true};
	static const struct {
		const char *what;
		struct cell a[2], b[2];
		double r2;
	} rows[] = {
	    {"the same", {{0, .25}, {.3, .3}}, {{0, .25}, {.3, .3}}, 0},
	    {"a neighbour choice", {{0, .25}, {.3, .3}}, {{.25, .5}, {.3, .3}}, 1},
	    {"a far choice", {{0, .25}, {.3, .3}}, {{.75, 1}, {.3, .3}}, 1},
	    {"both inactive", {{0, .25}, {NAN, NAN}}, {{0, .25}, {NAN, NAN}}, 0},
	    {"one inactive", {{0, .25}, {.5, .5}}, {{0, .25}, {NAN, NAN}}, 0.0625},
	    {"one inactive, far", {{0, .25}, {NAN, NAN}}, {{0, .25}, {1, 1}}, 0.3125},
	    {"cells by their middle", {{0, .25}, {.2, .4}}, {{0, .25}, {.6, .8}}, 0.16},
	};
	double theta[4] = {0, 0, 0, log(1e-6)};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena a = {0};
		struct gp g;

		gp_init(&g, &a, axes, 2, conditional, 2, 2);
		gp_encode(&g, rows[i].a, g.x);
		gp_encode(&g, rows[i].b, g.x + g.nfeatures);
		gp_set(&g, theta);
		gp_factor(&g);
		close_to(rows[i].what, g.chol[g.stride], matern(sqrt(rows[i].r2)) / sqrt(1 + 1e-6), 1e-9);
		arena_finish(&a);
	}
}

/* Points that are all one and no noise to speak of. */
static void factor_survives_a_singular_kernel(void **state)
{
	struct arena a = {0};
	struct gp g;
	double theta[3] = {log(33), log(100), log(1e-18)}, x = 0.5, mean, var;

	(void)state;
	gp_init(&g, &a, numbers, 1, never_inactive, 40, 40);
	for (uint32_t i = 0; i < 40; i++) {
		g.x[i] = 0.5;
		g.y[i] = i % 2;
	}
	gp_set(&g, theta);
	gp_factor(&g);
	predict_one(&g, &x, &mean, &var);
	close_to("mean", mean, 0.5, 1e-3);
	assert_true(var > 0 && var < 1);
	arena_finish(&a);
}

/* ---- minimisers --------------------------------------------------------------------------------- */
static double rosenbrock(void *ctx, const double *x, double *grad)
{
	double sum = 0;

	++*(uint32_t *)ctx;
	memset(grad, 0, 4 * sizeof *grad);
	for (int i = 0; i < 3; i++) {
		double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];

		sum += 100 * a * a + b * b;
		grad[i] += -400 * a * x[i] - 2 * b;
		grad[i + 1] += 200 * a;
	}
	return sum;
}

static void minimum_of_rosenbrock_is_found(void **state)
{
	double lo[4] = {-3, -3, -3, -3}, hi[4] = {3, 3, 3, 3}, x[4] = {-1.2, 1, -1.2, 1}, f;
	uint32_t calls = 0;
	struct gp_problem p = {4, rosenbrock, &calls, lo, hi, 200, 1e-8};
	struct arena a = {0};

	(void)state;
	f = gp_minimise(&p, x, &a);
	assert_true(f < 1e-6);
	assert_true(calls <= 201);
	for (int i = 0; i < 4; i++)
		assert_true(fabs(x[i] - 1) < 1e-2);
	arena_finish(&a);
}

/* With x3 <= 0.5 the minimum lies at that bound. */
static void bounds_hold(void **state)
{
	double lo[4] = {-3, -3, -3, -3}, hi[4] = {3, 3, 0.5, 3}, x[4] = {-2, 5, -1, 1}, grad[4];
	uint32_t calls = 0;
	struct gp_problem p = {4, rosenbrock, &calls, lo, hi, 300, 1e-8};
	struct arena a = {0};

	(void)state;
	gp_minimise(&p, x, &a);
	assert_true(x[2] == 0.5);
	rosenbrock(&calls, x, grad);
	assert_true(grad[2] < 0);
	for (int i = 0; i < 4; i++)
		assert_true(i == 2 || fabs(grad[i]) < 1e-2);
	arena_finish(&a);
}

/* From 80-digit arithmetic. */
static void log_h_is_right_far_out(void **state)
{
	static const struct {
		double z, value, slope;
	} rows[] = {
	    {8, 2.0794415416798357, 0.12499999999999992},
	    {2, 0.69738354578822837, 0.48655931878528386},
	    {0, -0.91893853320467278, 1.2533141373155003},
	    {-1, -2.4851210257126413, 1.9042712333296918},
	    {-3, -7.8696860596030289, 3.5323375176251606},
	    {-4.99, -16.690729996795877, 5.3524172382768835},
	    {-5.01, -16.797966327739523, 5.3712170796668088},
	    {-9, -45.848941292669032, 9.2146276129268987},
	    {-30, -457.72465376059802, 30.066446154162421},
	    {-1000, -500014.73445209116, 1000.001999994},
	    {-1e8, -5000000000000038, 100000000.00000001},
	};
	double slope;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		close_to("log h", gp_log_h(rows[i].z, &slope), rows[i].value, 1e-12);
		close_to("slope", slope, rows[i].slope, 1e-12);
	}
}

/* ---- values ------------------------------------------------------------------------------------- */
static void values_of_all_sorts_become_tame(void **state)
{
	static const struct observation complete[] = {
	    {.value = 0.3, .outcome = OUTCOME_COMPLETE},   {.value = 0.1, .outcome = OUTCOME_COMPLETE},
	    {.value = 1e308, .outcome = OUTCOME_COMPLETE}, {.value = 0.2, .outcome = OUTCOME_COMPLETE},
	    {.value = 0.4, .outcome = OUTCOME_COMPLETE},   {.value = 0.15, .outcome = OUTCOME_PRUNED},
	    {.value = 0, .outcome = OUTCOME_FAILED},       {.value = 0.5, .outcome = OUTCOME_PRUNED},
	};
	const struct observation *o[8];
	struct arena a = {0};
	double y[8];

	(void)state;
	for (int i = 0; i < 8; i++)
		o[i] = &complete[i];
	gp_values(o, 8, y, &a);
	for (int i = 0; i < 8; i++)
		assert_true(fabs(y[i]) < 4);
	assert_true(y[1] < y[3] && y[3] < y[0] && y[0] < y[4] && y[4] < y[2]); /* the order stays */
	assert_true(y[3] - y[1] > 0.1);                                        /* and the good ones differ */
	assert_true(y[5] >= y[4] && y[7] > y[5] && y[6] == y[2]);
	arena_finish(&a);
}

static void values_without_any_difference_are_numbers(void **state)
{
	static const struct {
		const char *what;
		struct observation o[3];
	} rows[] = {
	    {"equal", {{.value = 7, .outcome = OUTCOME_COMPLETE}, {.value = 7, .outcome = OUTCOME_COMPLETE}}},
	    {"huge",
	     {{.value = 1e308, .outcome = OUTCOME_COMPLETE}, {.value = -1e308, .outcome = OUTCOME_COMPLETE}}},
	    {"failed", {{.outcome = OUTCOME_FAILED}, {.outcome = OUTCOME_FAILED}}},
	    {"pruned", {{.value = 1, .outcome = OUTCOME_PRUNED}, {.value = 2, .outcome = OUTCOME_PRUNED}}},
	    {"tiny",
	     {{.value = 1e-320, .outcome = OUTCOME_COMPLETE}, {.value = 0, .outcome = OUTCOME_COMPLETE}}},
	    {"one and a failure", {{.value = 3, .outcome = OUTCOME_COMPLETE}, {.outcome = OUTCOME_FAILED}}},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct observation *o[2] = {&rows[i].o[0], &rows[i].o[1]};
		double y[2];

		gp_values(o, 2, y, &a);
		if (!(fabs(y[0]) < 2 && fabs(y[1]) < 2))
			fail_msg("%s: %g, %g", rows[i].what, y[0], y[1]);
		gp_values(o, 1, y, &a);
		assert_true(y[0] == 0);
	}
	arena_finish(&a);
}

/* ---- the search --------------------------------------------------------------------------------- */
static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Median over seeds of the best of n trials, of the search and of its startup points alone. */
static void medians(const struct problem *of, uint32_t n, double *gp, double *sobol)
{
	enum { SEEDS = 3 };
	double found[SEEDS], plain[SEEDS];

	for (uint64_t s = 0; s < SEEDS; s++) {
		struct problem p = *of;
		struct run *r = malloc(sizeof *r);

		p.seed = rng_mix(s + 1);
		run_init(r, &p);
		go_on(r, n);
		found[s] = best_value(r);
		plain[s] = INFINITY;
		for (uint32_t k = 0; k < n; k++) {
			struct cell cells[AXES_MAX];
			double u[AXES_MAX];

			for (uint32_t i = 0; i < p.nown; i++)
				u[i] = sobol_point(k, i, p.seed);
			place(r, 0, u, cells);
			plain[s] = fmin(plain[s], p.value(cells));
		}
		run_finish(r);
		free(r);
	}
	qsort(found, SEEDS, sizeof *found, by_value);
	qsort(plain, SEEDS, sizeof *plain, by_value);
	*gp = found[SEEDS / 2];
	*sobol = plain[SEEDS / 2];
}

static void optima_are_found_in_forty_trials(void **state)
{
	double gp, sobol;

	(void)state;
	medians(&on_branin, 40, &gp, &sobol);
	if (!(gp < 0.05 && gp < 0.1 * sobol))
		fail_msg("branin: %g, Sobol %g", gp, sobol);
	medians(&on_hartmann6, 40, &gp, &sobol);
	if (!(gp < 0.5 && gp < 0.5 * sobol))
		fail_msg("hartmann6: %g, Sobol %g", gp, sobol);
}

/* From these first points on, expected improvement without a margin stays at the minimum of 1.55 in a corner.
 */
static void local_minima_are_left(void **state)
{
	struct problem p = on_branin;
	struct run *r = malloc(sizeof *r);

	(void)state;
	p.seed = rng_mix(6);
	run_init(r, &p);
	go_on(r, 60);
	assert_true(best_value(r) < 0.01);
	run_finish(r);
	free(r);
}

static double mixed(const struct cell *c)
{
	uint32_t kind = cell_choice(c[1], 5);
	double under = cell_active(c[3]) ? fabs(at(c, 3) - 0.2) : 0.6;

	return fabs(at(c, 0) - 0.3) + (kind == 3 ? 0 : 0.5 + 0.1 * kind) + 0.3 * fabs(at(c, 2) - 0.65) +
	       under;
}

/* A choice of five, a number of ten values, a number that is there for one half only. */
static void choices_steps_and_conditions_are_learnt(void **state)
{
	static const struct problem p = {.nown = 4,
	                                 .naxes = 4,
	                                 .axes = {{0}, {AXIS_CHOICE, 5}, {AXIS_NUMBER, 10}, {0}},
	                                 .steps = {0, 5, 10, 0},
	                                 .under = 3,
	                                 .value = mixed,
	                                 .nparents = 1,
	                                 .workers = 1,
	                                 .seed = 3};
	struct run *r = malloc(sizeof *r);
	const struct cell *best;

	(void)state;
	run_init(r, &p);
	go_on(r, 50);
	best = history_at(&r->h, r->h.best[0])->cells;
	assert_int_equal(cell_choice(best[1], 5), 3);
	assert_true(best_value(r) < 0.05);
	run_finish(r);
	free(r);
}

static bool in_a_corner(const struct cell *c)
{
	return at(c, 0) + at(c, 1) < 0.8;
}

static double toward_the_corner(const struct cell *c)
{
	return at(c, 0) + at(c, 1);
}

/* begin() checks that each trial is feasible and new; here the optimum is at the border. */
static void proposals_are_feasible(void **state)
{
	struct problem p = on_branin;
	struct run *r = malloc(sizeof *r);

	(void)state;
	p.forbidden = in_a_corner;
	p.value = toward_the_corner;
	run_init(r, &p);
	go_on(r, 40);
	assert_int_equal(r->gave_up, 0);
	assert_true(best_value(r) < 0.81);
	run_finish(r);
	free(r);
}

static bool everywhere(const struct cell *c)
{
	(void)c;
	return true;
}

static void gives_up_where_there_is_nothing(void **state)
{
	struct problem p = on_branin;
	struct run *r = malloc(sizeof *r);

	(void)state;
	run_init(r, &p);
	go_on(r, 12);
	r->known = true;
	go_on(r, 13);
	assert_int_equal(r->gave_up, 1);
	r->known = false;
	p.forbidden = everywhere;
	go_on(r, 13);
	assert_int_equal(r->gave_up, 2);
	run_finish(r);
	free(r);
}

/* All 5 x 8 points, each once, then no more. */
static void small_spaces_are_used_up(void **state)
{
	static const struct problem p = {.nown = 2,
	                                 .naxes = 2,
	                                 .axes = {{AXIS_CHOICE, 5}, {AXIS_NUMBER, 8}},
	                                 .steps = {5, 8},
	                                 .value = branin,
	                                 .nparents = 1,
	                                 .workers = 1,
	                                 .seed = 3};
	struct run *r = malloc(sizeof *r);

	(void)state;
	run_init(r, &p);
	go_on(r, 40);
	assert_int_equal(r->gave_up, 0);
	go_on(r, 41);
	assert_int_equal(r->gave_up, 1);
	run_finish(r);
	free(r);
}

/* What runs at the same time must not be nearly the same: few pairs of all pending ones are close. */
static void pending_points_are_spread(void **state)
{
	static const uint32_t busy[] = {8, 64};

	(void)state;
	for (int b = 0; b < 2; b++) {
		struct problem p = on_branin;
		struct run *r = malloc(sizeof *r);
		uint32_t close = 0;

		p.workers = busy[b];
		run_init(r, &p);
		go_on(r, 2 * p.workers + 16);
		assert_int_equal(r->npending, p.workers - 1);
		for (uint32_t i = 0; i < r->npending; i++)
			for (uint32_t j = 0; j < i; j++) {
				const struct cell *x = history_at(&r->h, r->pending[i])->cells;
				const struct cell *y = history_at(&r->h, r->pending[j])->cells;

				close += hypot(at(x, 0) - at(y, 0), at(x, 1) - at(y, 1)) < 0.01;
			}
		if (close >= p.workers / 4)
			fail_msg("%u workers: %u pairs are close", p.workers, close);
		run_finish(r);
		free(r);
	}
}

/* How far from a point the next one is, when this came of the trial there. */
static double step_away(enum outcome o)
{
	struct run *r = malloc(sizeof *r);
	double u[AXES_MAX], next[AXES_MAX];
	uint32_t parent;

	run_init(r, &on_branin);
	go_on(r, 30);
	assert_true(ask_with(r, r->state, r->k, u, &parent));
	begin(r, u, parent);
	history_end(&r->h, history_count(&r->h) - 1, o, 0, 0);
	assert_true(ask_with(r, r->state, r->k - 1, next, &parent));
	run_finish(r);
	free(r);
	return hypot(u[0] - next[0], u[1] - next[1]);
}

/* A trial that waits at a rung has been somewhere, as one that runs; one that is gone has not. */
static void what_waits_at_a_rung_was_there(void **state)
{
	(void)state;
	assert_true(step_away(OUTCOME_PAUSED) > 0.1);
	assert_true(step_away(OUTCOME_PENDING) > 0.1);
	assert_true(step_away(OUTCOME_GONE) < 0.1);
}

static double by_context(const struct cell *c)
{
	return fabs(at(c, 0) - at(c, 1)) + fabs(at(c, 1) - 0.75);
}

/* Thousands of parents: those near 0.75 are the ones, and the own value goes with the parent's. */
static void parents_are_chosen(void **state)
{
	struct problem p = {.nown = 1, .naxes = 2, .value = by_context, .workers = 1, .seed = 5};
	static const uint32_t parents[] = {1, 7, CONTEXTS_MAX};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct run *r = malloc(sizeof *r);

		p.nparents = parents[i];
		run_init(r, &p);
		go_on(r, 30);
		if (!(best_value(r) < (p.nparents == 1 ? 0.26 : 0.05)))
			fail_msg("%u parents: %g", p.nparents, best_value(r));
		run_finish(r);
		free(r);
	}
}

/* Resumed at any time, the search asks what it would have asked. */
static void answers_depend_on_history_only(void **state)
{
	struct problem p = on_branin;
	struct run *r = malloc(sizeof *r);

	(void)state;
	p.workers = 3;
	run_init(r, &p);
	for (uint32_t n = 0; n < 60; n++) {
		double u[AXES_MAX], v[AXES_MAX];
		uint32_t parent, same_parent;
		void *fresh = gp_search.open();

		assert_true(ask_with(r, r->state, r->k, u, &parent));
		assert_true(ask_with(r, fresh, r->k, v, &same_parent));
		assert_memory_equal(u, v, 2 * sizeof *u);
		gp_search.close(fresh);
		begin(r, u, parent);
		if (r->npending == p.workers)
			end_first(r);
	}
	history_end(&r->h, 3, OUTCOME_GONE, 0, 0); /* and when something that was there goes */
	go_on(r, 62);
	run_finish(r);
	free(r);
}

static double wild(const struct cell *c)
{
	static const double values[] = {1e308, -1e308, 1e-320, 0, 1e30, 1};

	if (at(c, 1) > 0.6)
		return NAN;
	return values[(int)(6 * at(c, 0))];
}

static double equal(const struct cell *c)
{
	(void)c;
	return 7;
}

static double failing(const struct cell *c)
{
	(void)c;
	return NAN;
}

/* begin() and place() check that coordinates are numbers inside the cube. */
static void any_values_will_do(void **state)
{
	static double (*const values[])(const struct cell *) = {wild, equal, failing};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct problem p = on_branin;
		struct run *r = malloc(sizeof *r);

		p.value = values[i];
		run_init(r, &p);
		go_on(r, 30);
		assert_int_equal(r->gave_up, 0);
		run_finish(r);
		free(r);
	}
}

static double diverging(const struct cell *c)
{
	return at(c, 0) > 0.5 ? 1e30 : branin(c);
}

/* Half of the cube has losses of 1e30; the rest is Branin's with two of its minima. */
static void diverged_runs_do_not_hide_the_rest(void **state)
{
	struct problem p = on_branin;
	double gp, sobol;

	(void)state;
	p.value = diverging;
	medians(&p, 40, &gp, &sobol);
	if (!(gp < 0.05))
		fail_msg("%g", gp);
}

/* The model forgets, the search goes on. */
static void long_histories_are_cut(void **state)
{
	struct problem p = on_branin;
	struct run *r = malloc(sizeof *r);
	struct rng rng;

	(void)state;
	run_init(r, &p);
	rng_seed(&rng, 4);
	while (r->k < 2000) {
		double u[2] = {rng_unit(&rng), rng_unit(&rng)};

		begin(r, u, 0);
		end_first(r);
	}
	go_on(r, 2010);
	assert_int_equal(r->gave_up, 0);
	assert_true(best_value(r) < 0.001);
	run_finish(r);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(posterior_of_one_and_two_points_is_the_closed_form),
	    cmocka_unit_test(data_without_noise_are_interpolated),
	    cmocka_unit_test(pending_points_take_variance_only),
	    cmocka_unit_test(slopes_are_those_of_differences),
	    cmocka_unit_test(kernels_of_all_kinds_tell_points_apart),
	    cmocka_unit_test(factor_survives_a_singular_kernel),
	    cmocka_unit_test(minimum_of_rosenbrock_is_found),
	    cmocka_unit_test(bounds_hold),
	    cmocka_unit_test(log_h_is_right_far_out),
	    cmocka_unit_test(values_of_all_sorts_become_tame),
	    cmocka_unit_test(values_without_any_difference_are_numbers),
	    cmocka_unit_test(optima_are_found_in_forty_trials),
	    cmocka_unit_test(local_minima_are_left),
	    cmocka_unit_test(choices_steps_and_conditions_are_learnt),
	    cmocka_unit_test(proposals_are_feasible),
	    cmocka_unit_test(gives_up_where_there_is_nothing),
	    cmocka_unit_test(small_spaces_are_used_up),
	    cmocka_unit_test(pending_points_are_spread),
	    cmocka_unit_test(what_waits_at_a_rung_was_there),
	    cmocka_unit_test(parents_are_chosen),
	    cmocka_unit_test(answers_depend_on_history_only),
	    cmocka_unit_test(any_values_will_do),
	    cmocka_unit_test(diverged_runs_do_not_hide_the_rest),
	    cmocka_unit_test(long_histories_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
