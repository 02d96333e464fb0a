#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cube.h"

#include <stdio.h>
#include <string.h>

enum { MAX_AXES = 16, MAX_WORKERS = 16 };

/* A search and the world it is asked by: uniform cells, `workers` trials at a time that end in random order.
 */
struct lab {
	struct axis axes[MAX_AXES];
	uint32_t nown, naxes;
	uint32_t active_if_choice; /* axis 1 is active only where choice axis 0 has this, 0: always */
	bool once;                 /* no point twice */
	bool (*feasible)(const double *u);
	uint32_t nparents;
	struct cell contexts[4][1];
	const struct cell *pointers[4];
	uint32_t workers;
	uint64_t seed;

	struct arena arena, scratch;
	struct history history;
	void *state;
	struct rng rng;
	uint32_t pending[MAX_WORKERS], npending;
	uint32_t refused; /* asks without an answer */
};

static bool place(void *ctx, uint32_t parent, const double *u, struct cell *out)
{
	struct lab *l = ctx;

	assert_true(parent < l->nparents);
	for (uint32_t i = 0; i < l->nown; i++) {
		uint32_t n = l->axes[i].levels, k = (uint32_t)(u[i] * n);

		assert_true(u[i] >= 0 && u[i] < 1);
		out[i] = n ? (struct cell){(double)k / n, (double)(k + 1) / n} : (struct cell){u[i], u[i]};
	}
	if (l->active_if_choice && cell_choice(out[0], l->axes[0].levels) != l->active_if_choice)
		out[1] = (struct cell){NAN, NAN};
	return !l->feasible || l->feasible(u);
}

static bool equal_cells(const struct cell *a, const struct cell *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (cell_active(a[i]) != cell_active(b[i]) ||
		    (cell_active(a[i]) && (a[i].lo != b[i].lo || a[i].hi != b[i].hi)))
			return false;
	return true;
}

static bool known(void *ctx, uint32_t parent, const struct cell *at)
{
	struct lab *l = ctx;

	(void)parent;
	for (uint32_t i = 0; l->once && i < history_count(&l->history); i++)
		if (equal_cells(history_at(&l->history, i)->cells, at, l->nown))
			return true;
	return false;
}

static void open_lab(struct lab *l)
{
	l->naxes = l->naxes ? l->naxes : l->nown;
	l->nparents = l->nparents ? l->nparents : 1;
	l->workers = l->workers ? l->workers : 1;
	l->seed = l->seed ? l->seed : 1;
	for (uint32_t p = 0; p < l->nparents; p++)
		l->pointers[p] = l->naxes > l->nown ? l->contexts[p] : NULL;
	history_init(&l->history, &l->arena, l->axes, l->nown, l->naxes);
	l->state = cmaes_search.open();
	rng_seed(&l->rng, l->seed);
}

static void close_lab(struct lab *l)
{
	cmaes_search.close(l->state);
	arena_finish(&l->arena);
	arena_finish(&l->scratch);
}

static bool ask(struct lab *l, void *state, double *u, uint32_t *parent)
{
	const struct cube_ask q = {.h = &l->history,
	                           .nparents = l->nparents,
	                           .contexts = l->pointers,
	                           .place = place,
	                           .known = known,
	                           .ctx = l,
	                           .k = history_count(&l->history),
	                           .seed = l->seed,
	                           .workers = l->workers,
	                           .scratch = &l->scratch};

	arena_reset(&l->scratch);
	return cmaes_search.ask(state, &q, u, parent);
}

static void begin_at(struct lab *l, const double *u, uint32_t parent)
{
	struct cell cells[MAX_AXES];

	place(l, parent, u, cells);
	for (uint32_t i = l->nown; i < l->naxes; i++)
		cells[i] = l->contexts[parent][i - l->nown];
	l->pending[l->npending++] = history_begin(&l->history, cells);
}

static void begin_one(struct lab *l)
{
	double u[MAX_AXES];
	uint32_t parent = 0;

	if (!ask(l, l->state, u, &parent)) {
		l->refused++;
		for (uint32_t i = 0; i < l->nown; i++)
			u[i] = rng_unit(&l->rng);
	}
	begin_at(l, u, parent);
}

/* The number of a trial that has come to its end. */
static uint32_t next_end(struct lab *l)
{
	uint32_t i, number;

	while (l->npending < l->workers)
		begin_one(l);
	i = (uint32_t)rng_below(&l->rng, l->npending);
	number = l->pending[i];
	l->pending[i] = l->pending[--l->npending];
	return number;
}

static void values_of(const struct lab *l, uint32_t number, double *x)
{
	for (uint32_t i = 0; i < l->naxes; i++)
		x[i] = cell_middle(history_at(&l->history, number)->cells[i]);
}

typedef double function(const double *x, uint32_t n);

static double step(struct lab *l, function *f)
{
	uint32_t number = next_end(l);
	double x[MAX_AXES], v;

	values_of(l, number, x);
	v = f(x, l->nown);
	history_end(&l->history, number, OUTCOME_COMPLETE, v, 0);
	return v;
}

/* How many trials until f is below target; at most limit. */
static uint32_t trials_to(struct lab *l, function *f, double target, uint32_t limit)
{
	uint32_t n = 1;

	while (step(l, f) >= target && n < limit)
		n++;
	return n;
}

static struct lab lab_of(uint32_t nown, uint32_t levels, uint64_t seed)
{
	struct lab l = {.nown = nown, .seed = seed};

	for (uint32_t i = 0; i < nown; i++)
		l.axes[i].levels = levels;
	return l;
}

static void reaches(function *f, struct lab like, double target, uint32_t limit)
{
	uint32_t most = 0, sum = 0;

	for (uint64_t seed = 1; seed <= 11; seed++) {
		struct lab l = like;
		uint32_t n;

		l.seed = seed;
		open_lab(&l);
		n = trials_to(&l, f, target, limit);
		close_lab(&l);
		sum += n;
		most = n > most ? n : most;
	}
	print_message("%u trials on average, %u at most\n", sum / 11, most);
	assert_true(most < limit);
}

/* ---- functions --------------------------------------------------------------------------------- */
static double sphere(const double *x, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += (x[i] - 0.3 - 0.04 * i) * (x[i] - 0.3 - 0.04 * i);
	return sum;
}

static double rosenbrock(const double *u, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i + 1 < n; i++) {
		double x = -2 + 4 * u[i], y = -2 + 4 * u[i + 1];

		sum += 100 * (y - x * x) * (y - x * x) + (1 - x) * (1 - x);
	}
	return sum;
}

/* All axes at once: (1, .., 1) is the short axis of an ellipsoid of condition 1e6. */
static double disc(const double *x, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += x[i] - 0.38;
	return sphere(x, n) + 1e6 * sum * sum;
}

static double rastrigin(const double *u, uint32_t n)
{
	double sum = 10 * n;

	for (uint32_t i = 0; i < n; i++) {
		double x = 10 * u[i] - 3.7;

		sum += x * x - 10 * cos(2 * 3.14159265358979323846 * x);
	}
	return sum;
}

/* ---- how fast ---------------------------------------------------------------------------------- */
static void a_sphere_is_solved(void **state)
{
	(void)state;
	reaches(sphere, lab_of(5, 0, 0), 1e-8, 600);
	reaches(sphere, lab_of(1, 0, 0), 1e-8, 200);
	reaches(sphere, lab_of(16, 0, 0), 1e-8, 1800);
}

static void a_valley_is_followed(void **state)
{
	(void)state;
	reaches(rosenbrock, lab_of(5, 0, 0), 1e-8, 4500);
}

static void an_ellipsoid_is_learned(void **state)
{
	(void)state;
	reaches(disc, lab_of(5, 0, 0), 1e-8, 1500);
}

static void many_workers_are_of_use(void **state)
{
	struct lab l = lab_of(5, 0, 0);

	(void)state;
	l.workers = 16;
	reaches(sphere, l, 1e-8, 1000);
}

/* ---- restarts ---------------------------------------------------------------------------------- */
static void it_restarts_until_the_best_of_many_minima(void **state)
{
	(void)state;
	reaches(rastrigin, lab_of(4, 0, 0), 1e-3, 40000);
}

static double distance(const double *a, const double *b, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	return sqrt(sum);
}

/* When it has found the minimum it looks elsewhere, also where trials that were under way still end there. */
static void it_looks_elsewhere_in_the_end(void **state)
{
	static const double minimum[] = {0.3, 0.34, 0.38};

	(void)state;
	for (uint32_t workers = 1; workers <= 8; workers *= 8) {
		struct lab l = lab_of(3, 0, 5);
		uint32_t far = 0;

		l.workers = workers;
		open_lab(&l);
		assert_true(trials_to(&l, sphere, 1e-10, 1000) < 1000);
		for (uint32_t i = 0; i < 400; i++) {
			double x[MAX_AXES];

			step(&l, sphere);
			values_of(&l, history_count(&l.history) - 1, x);
			far += distance(x, minimum, 3) > 0.1;
		}
		close_lab(&l);
		assert_in_range(far, 20, 380);
	}
}

/* All alike in the middle, where it begins; good in one corner. */
static double plateau(const double *x, uint32_t n)
{
	double most = 0, least = 1;

	for (uint32_t i = 0; i < n; i++) {
		most = fmax(most, fabs(x[i] - 0.5));
		least = fmin(least, x[i]);
	}
	return least > 0.85 ? 0 : most < 0.25 ? 0.5 : 1;
}

/* Where all are alike there is nothing to follow: it looks elsewhere at once. */
static void it_leaves_a_plateau(void **state)
{
	uint32_t all = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct lab l = lab_of(2, 0, seed);

		open_lab(&l);
		all += trials_to(&l, plateau, 0.1, 1000);
		close_lab(&l);
	}
	assert_true(all < 20 * 300);
}

/* ---- discrete axes ----------------------------------------------------------------------------- */
static double integers(const double *x, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		double k = floor(x[i] * 50), best = i == 0 ? 0 : i == 1 ? 49 : 11.0 * i;

		sum += (k - best) * (k - best);
	}
	return sum;
}

/* Steep in the numbers, flat in the integers: without a margin these stay where they are long before. */
static double steep_and_flat(const double *x, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n / 2; i++)
		sum += 1e4 * (x[i] - 0.8) * (x[i] - 0.8);
	for (uint32_t i = n / 2; i < n; i++) {
		double k = floor(x[i] * 10);

		sum += (k - 1) * (k - 1);
	}
	return sum;
}

static double bits(const double *x, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += x[i] > 0.5 ? 0 : 1 + 0.1 * i;
	return sum;
}

static void integers_do_not_stall(void **state)
{
	struct lab flat = lab_of(6, 0, 0);

	(void)state;
	reaches(integers, lab_of(5, 50, 0), 0.5, 600);
	for (uint32_t i = 3; i < 6; i++)
		flat.axes[i].levels = 10;
	reaches(steep_and_flat, flat, 1e-6, 1200);
	reaches(bits, lab_of(12, 2, 0), 0.5, 600);
}

static void no_point_is_asked_for_twice(void **state)
{
	struct lab l = lab_of(2, 8, 3);

	(void)state;
	l.once = true;
	open_lab(&l);
	for (uint32_t i = 0; i < 50; i++)
		step(&l, sphere);
	assert_int_equal(l.refused, 0);
	for (uint32_t i = 0; i < 2000; i++)
		step(&l, sphere);
	for (uint32_t i = 0, before = l.refused; i < 3; i++) {
		step(&l, sphere);
		assert_int_equal(l.refused, ++before);
	}
	close_lab(&l);
}

/* ---- choices, conditions, parents -------------------------------------------------------------- */
static double mixed(const double *x, uint32_t n)
{
	static const double worse[] = {0.3, 0, 0.5, 0.4};

	return worse[(int)(x[0] * 4)] + sphere(x + 1, n - 1);
}

static void the_better_choice_prevails(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct lab l = lab_of(4, 0, seed);
		uint32_t good = 0;

		l.axes[0] = (struct axis){AXIS_CHOICE, 4};
		open_lab(&l);
		for (uint32_t i = 0; i < 100; i++)
			step(&l, mixed);
		for (uint32_t i = 0; i < 100; i++) {
			step(&l, mixed);
			good += cell_choice(history_at(&l.history, 100 + i)->cells[0], 4) == 1;
		}
		assert_true(trials_to(&l, mixed, 1e-4, 600) < 600);
		close_lab(&l);
		assert_in_range(good, 40, 80); /* it goes on trying the others */
	}
}

static double conditional(const double *x, uint32_t n)
{
	double own = isnan(x[1]) ? 0.1 : (x[1] - 0.9) * (x[1] - 0.9);

	return own + sphere(x + 2, n - 2);
}

/* Axis 1 is there for one choice of eight, and to be had only together with it. */
static void a_rare_axis_is_learned_alone(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct lab l = lab_of(4, 0, seed);

		l.axes[0] = (struct axis){AXIS_CHOICE, 8};
		l.active_if_choice = 5;
		open_lab(&l);
		assert_true(trials_to(&l, conditional, 1e-3, 800) < 800);
		close_lab(&l);
	}
}

static void only_choices_are_a_search_too(void **state)
{
	struct lab l = lab_of(3, 5, 1);

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		l.axes[i].kind = AXIS_CHOICE;
	open_lab(&l);
	assert_true(trials_to(&l, sphere, 0.02, 100) < 100);
	close_lab(&l);
}

static double with_parent(const double *x, uint32_t n)
{
	return sphere(x, n) + 0.5 * fabs(x[n] - 0.5);
}

static void the_better_parent_is_drawn_more_often(void **state)
{
	struct lab l = lab_of(2, 0, 2);
	uint32_t second = 0;

	(void)state;
	l.naxes = 3;
	l.nparents = 3;
	for (uint32_t p = 0; p < 3; p++)
		l.contexts[p][0] = (struct cell){0.2 + 0.3 * p, 0.2 + 0.3 * p};
	open_lab(&l);
	for (uint32_t i = 0; i < 200; i++)
		step(&l, with_parent);
	for (uint32_t i = 100; i < 200; i++)
		second += history_at(&l.history, i)->cells[2].lo == 0.5;
	close_lab(&l);
	assert_in_range(second, 70, 99);
}

static bool in_a_corner(const double *u)
{
	return u[0] + u[1] < 0.5;
}

static void infeasible_points_are_not_asked_for(void **state)
{
	struct lab l = lab_of(3, 0, 4);

	(void)state;
	l.feasible = in_a_corner;
	open_lab(&l);
	for (uint32_t i = 0; i < 300; i++)
		step(&l, rastrigin);
	assert_int_equal(l.refused, 0);
	for (uint32_t i = 0; i < 300; i++) {
		double x[MAX_AXES];

		values_of(&l, i, x);
		assert_true(in_a_corner(x));
	}
	close_lab(&l);
}

/* ---- what the state may depend on -------------------------------------------------------------- */
static double stretched(const double *x, uint32_t n)
{
	return pow(rosenbrock(x, n), 3) * 1e100 - 5;
}

static void only_the_order_of_values_counts(void **state)
{
	struct lab a = lab_of(4, 0, 9), b = lab_of(4, 0, 9);

	(void)state;
	a.axes[3].levels = b.axes[3].levels = 7;
	a.workers = b.workers = 3;
	open_lab(&a);
	open_lab(&b);
	for (uint32_t i = 0; i < 500; i++) {
		step(&a, rosenbrock);
		step(&b, stretched);
		assert_true(
		    equal_cells(history_at(&a.history, i)->cells, history_at(&b.history, i)->cells, 4));
	}
	close_lab(&a);
	close_lab(&b);
}

static void same_as_fresh(struct lab *l)
{
	void *fresh = cmaes_search.open();
	double a[MAX_AXES], b[MAX_AXES];
	uint32_t p = 0, q = 0;
	bool got = ask(l, l->state, a, &p);

	assert_true(got == ask(l, fresh, b, &q));
	if (got) {
		assert_int_equal(p, q);
		assert_memory_equal(a, b, l->nown * sizeof *a);
	}
	cmaes_search.close(fresh);
}

/* Trials that fail, are pruned, end again, are gone: everything a run may tell. */
static void end_somehow(struct lab *l)
{
	uint32_t number = next_end(l), before = (uint32_t)rng_below(&l->rng, number + 1);
	double x[MAX_AXES];

	values_of(l, number, x);
	x[1] = isnan(x[1]) ? 0.5 : x[1];
	switch (rng_below(&l->rng, 12)) {
	case 0:
		history_end(&l->history, number, OUTCOME_FAILED, 0, 0);
		break;
	case 1:
		history_end(&l->history, number, OUTCOME_PRUNED, sphere(x, l->nown),
		            (double)rng_below(&l->rng, 5));
		break;
	case 2:
		history_end(&l->history, number, OUTCOME_GONE, 0, 0);
		break;
	case 3:
		history_end(&l->history, number, OUTCOME_COMPLETE, NAN, 0);
		break;
	case 4:
		if (history_at(&l->history, before)->outcome != OUTCOME_PENDING)
			history_end(&l->history, before, OUTCOME_COMPLETE, rng_unit(&l->rng), 0);
		/* fallthrough */
	default:
		history_end(&l->history, number, OUTCOME_COMPLETE, sphere(x, l->nown), 0);
		break;
	}
}

static void a_fresh_state_is_the_one_that_was_there(void **state)
{
	struct lab l = lab_of(6, 0, 11);

	(void)state;
	l.axes[0] = (struct axis){AXIS_CHOICE, 3};
	l.axes[2].levels = 9;
	l.active_if_choice = 2;
	l.naxes = 7;
	l.nparents = 2;
	l.contexts[1][0] = (struct cell){0.5, 0.75};
	l.workers = 6;
	open_lab(&l);
	for (uint32_t i = 0; i < 1500; i++) {
		end_somehow(&l);
		if (i % 7 == 0)
			same_as_fresh(&l);
	}
	l.workers = 1; /* the next run has fewer ranks */
	same_as_fresh(&l);
	l.workers = 40;
	same_as_fresh(&l);
	close_lab(&l);
}

static void the_same_question_has_the_same_answer(void **state)
{
	struct lab l = lab_of(3, 0, 8);

	(void)state;
	open_lab(&l);
	for (uint32_t i = 0; i < 100; i++) {
		double a[MAX_AXES], b[MAX_AXES];
		uint32_t p;

		step(&l, sphere);
		assert_true(ask(&l, l.state, a, &p) && ask(&l, l.state, b, &p));
		assert_memory_equal(a, b, 3 * sizeof *a);
	}
	close_lab(&l);
}

static void another_seed_is_another_search(void **state)
{
	struct lab a = lab_of(3, 0, 8), b = lab_of(3, 0, 9);
	double u[MAX_AXES], v[MAX_AXES];
	uint32_t p;

	(void)state;
	open_lab(&a);
	open_lab(&b);
	assert_true(ask(&a, a.state, u, &p) && ask(&b, b.state, v, &p));
	assert_true(u[0] != v[0] && u[1] != v[1]);
	close_lab(&a);
	close_lab(&b);
}

/* ---- odd values -------------------------------------------------------------------------------- */
static double always_equal(const double *x, uint32_t n)
{
	(void)x;
	(void)n;
	return 3;
}

static double huge(const double *x, uint32_t n)
{
	return x[n - 1] > 0.5 ? 1.7e308 : x[0] > 0.5 ? -1.7e308 : 1e-320;
}

static double no_number(const double *x, uint32_t n)
{
	(void)n;
	return x[0] > 0.3 ? NAN : INFINITY;
}

static double from_outside(const double *x, uint32_t n)
{
	return -sphere(x, n); /* away from the middle, into a corner */
}

static void whatever_is_told_points_are_points(void **state)
{
	static function *const functions[] = {always_equal, huge, no_number, from_outside};

	(void)state;
	for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
		for (uint32_t workers = 1; workers <= 16; workers *= 16) {
			struct lab l = lab_of(4, 0, f + 1);

			l.axes[1].levels = 2;
			l.axes[2].levels = 1000;
			l.workers = workers;
			open_lab(&l);
			for (uint32_t i = 0; i < 2000; i++)
				step(&l, functions[f]); /* place looks at them */
			assert_int_equal(l.refused, 0);
			close_lab(&l);
		}
}

/* All trials at one point, as people might enqueue them, and all far from where it would have looked. */
static void points_from_elsewhere_are_taken(void **state)
{
	struct lab l = lab_of(3, 0, 6);
	double one[] = {0.999, 0.001, 0.5};

	(void)state;
	open_lab(&l);
	for (uint32_t i = 0; i < 100; i++) {
		begin_at(&l, one, 0);
		history_end(&l.history, l.pending[--l.npending], OUTCOME_COMPLETE, 1, 0);
	}
	assert_true(trials_to(&l, sphere, 1e-6, 1500) < 1500);
	close_lab(&l);
}

static void without_axes_there_is_one_point(void **state)
{
	struct lab l = lab_of(0, 0, 6);

	(void)state;
	open_lab(&l);
	for (uint32_t i = 0; i < 30; i++)
		step(&l, sphere);
	assert_int_equal(l.refused, 0);
	close_lab(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sphere_is_solved),
	    cmocka_unit_test(a_valley_is_followed),
	    cmocka_unit_test(an_ellipsoid_is_learned),
	    cmocka_unit_test(many_workers_are_of_use),
	    cmocka_unit_test(it_restarts_until_the_best_of_many_minima),
	    cmocka_unit_test(it_looks_elsewhere_in_the_end),
	    cmocka_unit_test(it_leaves_a_plateau),
	    cmocka_unit_test(integers_do_not_stall),
	    cmocka_unit_test(no_point_is_asked_for_twice),
	    cmocka_unit_test(the_better_choice_prevails),
	    cmocka_unit_test(a_rare_axis_is_learned_alone),
	    cmocka_unit_test(only_choices_are_a_search_too),
	    cmocka_unit_test(the_better_parent_is_drawn_more_often),
	    cmocka_unit_test(infeasible_points_are_not_asked_for),
	    cmocka_unit_test(only_the_order_of_values_counts),
	    cmocka_unit_test(a_fresh_state_is_the_one_that_was_there),
	    cmocka_unit_test(the_same_question_has_the_same_answer),
	    cmocka_unit_test(another_seed_is_another_search),
	    cmocka_unit_test(whatever_is_told_points_are_points),
	    cmocka_unit_test(points_from_elsewhere_are_taken),
	    cmocka_unit_test(without_axes_there_is_one_point),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
