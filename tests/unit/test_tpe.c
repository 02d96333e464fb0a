/* TPE asked and told in a cube made by hand. No test knows the values of its tuning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/search/tpe.c"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AXES = 6, CONTEXTS = 5, STARTUP = 40 };

/* A cube of at most AXES axes: number axes with levels are even grids; axis 1 is active where the choice of
 * axis 0 is 0 if `conditional`; `require` refuses points. */
struct cube {
	struct arena arena, scratch;
	struct axis axes[AXES];
	uint32_t nown, naxes, nparents;
	bool conditional;
	bool (*require)(const struct cell *at);
	double (*value)(const struct cell *at); /* of all axes */
	struct cell contexts[CONTEXTS][AXES];
	const struct cell *context_list[CONTEXTS];
	struct history h;
	uint64_t seed;
	uint32_t k;
	void *state;
};

static struct cube *open_cube(const struct axis *axes, uint32_t nown, uint32_t naxes, uint64_t seed)
{
	struct cube *x = calloc(1, sizeof *x);

	assert_non_null(x);
	memcpy(x->axes, axes, naxes * sizeof *axes);
	x->nown = nown;
	x->naxes = naxes;
	x->nparents = 1;
	x->seed = seed;
	for (uint32_t i = 0; i < CONTEXTS; i++)
		x->context_list[i] = x->contexts[i];
	history_init(&x->h, &x->arena, x->axes, nown, naxes);
	x->state = tpe_search.open();
	return x;
}

static void close_cube(struct cube *x)
{
	tpe_search.close(x->state);
	arena_finish(&x->arena);
	arena_finish(&x->scratch);
	free(x);
}

static struct cell cell_of(const struct axis *a, double u)
{
	double n = a->levels, i = floor(u * n);

	return n > 0 ? (struct cell){i / n, (i + 1) / n} : (struct cell){u, u};
}

static bool place(void *ctx, uint32_t parent, const double *u, struct cell *out)
{
	struct cube *x = ctx;

	assert_true(parent < x->nparents);
	for (uint32_t i = 0; i < x->nown; i++) {
		assert_true(u[i] >= 0 && u[i] < 1);
		out[i] = cell_of(&x->axes[i], u[i]);
	}
	if (x->conditional && cell_choice(out[0], x->axes[0].levels) != 0)
		out[1] = (struct cell){(double)NAN, (double)NAN};
	return !x->require || x->require(out);
}

static bool same(const struct cell *a, const struct cell *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (cell_active(a[i]) != cell_active(b[i]) ||
		    (cell_active(a[i]) && (a[i].lo != b[i].lo || a[i].hi != b[i].hi)))
			return false;
	return true;
}

static bool known(void *ctx, uint32_t parent, const struct cell *at)
{
	struct cube *x = ctx;

	for (uint32_t i = 0; i < history_count(&x->h); i++) {
		const struct cell *cells = history_at(&x->h, i)->cells;

		if (same(cells, at, x->nown) &&
		    same(cells + x->nown, x->contexts[parent], x->naxes - x->nown))
			return true;
	}
	return false;
}

static bool ask_with(struct cube *x, void *state, uint32_t k, double *u, uint32_t *parent)
{
	struct cube_ask q = {.h = &x->h,
	                     .nparents = x->nparents,
	                     .contexts = x->context_list,
	                     .place = place,
	                     .known = known,
	                     .ctx = x,
	                     .k = k,
	                     .seed = x->seed,
	                     .workers = 1,
	                     .scratch = &x->scratch};
	bool found = tpe_search.ask(state, &q, u, parent);

	arena_reset(&x->scratch);
	return found;
}

static bool ask(struct cube *x, double *u, uint32_t *parent)
{
	return ask_with(x, x->state, x->k++, u, parent);
}

static uint32_t begin_at(struct cube *x, const double *u, uint32_t parent)
{
	struct cell cells[AXES];

	place(x, parent, u, cells);
	memcpy(cells + x->nown, x->contexts[parent], (x->naxes - x->nown) * sizeof *cells);
	return history_begin(&x->h, cells);
}

static double value_of(const struct cube *x, uint32_t number)
{
	return x->value(history_at(&x->h, number)->cells);
}

/* One trial from its proposal to its end. Its number. */
static uint32_t step(struct cube *x)
{
	double u[AXES];
	uint32_t parent, number;

	assert_true(ask(x, u, &parent));
	number = begin_at(x, u, parent);
	history_end(&x->h, number, OUTCOME_COMPLETE, value_of(x, number), 0);
	return number;
}

/* n trials at random, whatever the search would say. */
static void fill(struct cube *x, uint32_t n, struct rng *r)
{
	for (uint32_t i = 0; i < n; i++, x->k++) {
		struct cell at[AXES];
		double u[AXES];
		uint32_t number;

		do
			for (uint32_t k = 0; k < x->nown; k++)
				u[k] = rng_unit(r);
		while (!place(x, 0, u, at));
		number = begin_at(x, u, (uint32_t)rng_below(r, x->nparents));
		history_end(&x->h, number, OUTCOME_COMPLETE, value_of(x, number), 0);
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, uint32_t n)
{
	qsort(v, n, sizeof *v, ascending);
	return v[n / 2];
}

static const struct axis plane[] = {{AXIS_NUMBER, 0}, {AXIS_NUMBER, 0}};
static const struct axis mixed[] = {{AXIS_CHOICE, 3}, {AXIS_NUMBER, 0}, {AXIS_NUMBER, 7}, {AXIS_NUMBER, 1}};

static double bowl(const struct cell *at)
{
	double x = cell_middle(at[0]) - 0.3, y = cell_middle(at[1]) - 0.7;

	return x * x + y * y;
}

/* ---- the two sets ----------------------------------------------------------------------------------- */
static double mixed_value(const struct cell *at)
{
	double v = cell_choice(at[0], 3) + fabs(cell_middle(at[2]) - 0.5);

	return v + (cell_active(at[1]) ? fabs(cell_middle(at[1]) - 0.2) : 0.5);
}

static void a_share_is_below_up_to_a_cap(void **state)
{
	struct cube *x = open_cube(plane, 2, 2, 1);
	struct rng r;

	(void)state;
	x->value = bowl;
	rng_seed(&r, 1);
	for (uint32_t n = 1; n <= 500; n++) {
		uint32_t wanted = (uint32_t)ceil(tuning.gamma * n - 1e-9);
		struct set below;

		fill(x, 1, &r);
		below = points_below(&x->h, &x->scratch);
		assert_int_equal(below.n, wanted < BELOW_MAX ? wanted : BELOW_MAX);
		for (uint32_t i = 0; i < below.n; i++)
			assert_ptr_equal(below.points[i].cells, history_at(&x->h, x->h.best[i])->cells);
	}
	close_cube(x);
}

static void what_failed_is_never_below(void **state)
{
	struct cube *x = open_cube(plane, 2, 2, 1);

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t number = begin_at(x, (double[]){0.5, 0.5}, 0);

		history_end(&x->h, number, i < 3 ? OUTCOME_PRUNED : OUTCOME_FAILED, i, i);
	}
	assert_int_equal(count_below(&x->h), 3);
	close_cube(x);
}

/* All that is not below, and what is pending; while there are few with weights by age. */
static void all_others_are_above(void **state)
{
	struct cube *x = open_cube(plane, 2, 2, 1);
	struct tpe *t = x->state;
	struct set above;
	struct rng r;

	(void)state;
	x->value = bowl;
	rng_seed(&r, 1);
	fill(x, 20, &r);
	begin_at(x, (double[]){0.5, 0.5}, 0);
	refresh(t, &x->h);
	above = points_above(t, count_below(&x->h), &x->scratch);
	assert_int_equal(above.n, 20 - count_below(&x->h) + 1);
	for (uint32_t i = 0; i + 1 < above.n; i++)
		assert_true(above.points[i].weight == 1);
	assert_true(above.points[above.n - 1].weight == tuning.liar);

	fill(x, SAMPLED + RECENT - 20, &r);
	refresh(t, &x->h);
	above = points_above(t, 0, &x->scratch);
	assert_int_equal(above.n, SAMPLED + RECENT + 1);
	for (uint32_t i = 0; i < SAMPLED + RECENT; i++) {
		assert_ptr_equal(above.points[i].cells, history_at(&x->h, x->h.ended[i])->cells);
		assert_true(fabs(above.points[i].weight - fmin((i + 1.0) / (SAMPLED + RECENT - EVEN), 1)) <
		            1e-12);
	}
	close_cube(x);
}

/* A sample of bounded size whose weights are those of all, also of parts: of those with a low coordinate. */
static void of_many_a_sample_stands_for_all(void **state)
{
	enum { MANY = 20000 };
	struct cube *x = open_cube(plane, 2, 2, 1);
	double sum = 0, low = 0, all_low = 0;
	struct set above;
	struct rng r;

	(void)state;
	x->value = bowl;
	rng_seed(&r, 1);
	fill(x, MANY, &r);
	refresh(x->state, &x->h);
	above = points_above(x->state, 0, &x->scratch);
	assert_int_equal(above.n, SAMPLED + RECENT);
	for (uint32_t i = 0; i < above.n; i++) {
		sum += above.points[i].weight;
		low += above.points[i].cells[0].lo < 0.2 ? above.points[i].weight : 0;
	}
	for (uint32_t i = 0; i < MANY; i++)
		if (history_at(&x->h, x->h.ended[i])->cells[0].lo < 0.2)
			all_low += fmin((i + 1.0) / (MANY - EVEN), 1);
	assert_true(fabs(sum / (MANY / 2.0) - 1) < 0.2);
	assert_true(fabs(low / all_low - 1) < 0.3);
	close_cube(x);
}

/* ---- does it learn? ----------------------------------------------------------------------------- */
static void a_bowl_is_searched_where_it_is_low(void **state)
{
	enum { SEEDS = 25, TRIALS = 60 };
	double best[SEEDS], at_random[SEEDS];

	(void)state;
	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		struct cube *x = open_cube(plane, 2, 2, seed + 1);
		struct rng r;

		x->value = bowl;
		for (uint32_t i = 0; i < TRIALS; i++)
			step(x);
		best[seed] = history_at(&x->h, x->h.best[0])->value;
		at_random[seed] = 1;
		rng_seed(&r, seed);
		for (uint32_t i = 0; i < TRIALS; i++) {
			double u = rng_unit(&r), v = rng_unit(&r);
			struct cell at[2] = {{u, u}, {v, v}};

			at_random[seed] = fmin(at_random[seed], bowl(at));
		}
		close_cube(x);
	}
	assert_true(median(best, SEEDS) < 0.2 * median(at_random, SEEDS));
}

static double third_is_best(const struct cell *at)
{
	return cell_choice(at[0], 5) == 2 ? 0 : 1;
}

/* Share of the last trials for which `good` holds. */
static double share(struct cube *x, uint32_t trials, uint32_t last, bool (*good)(const struct cell *at))
{
	double n = 0;

	for (uint32_t i = 0; i < trials; i++) {
		uint32_t number = step(x);

		n += i >= trials - last && good(history_at(&x->h, number)->cells);
	}
	return n / last;
}

static bool is_third(const struct cell *at)
{
	return cell_choice(at[0], 5) == 2;
}

static void the_best_choice_is_taken_most(void **state)
{
	static const struct axis axes[] = {{AXIS_CHOICE, 5}, {AXIS_NUMBER, 0}};
	struct cube *x = open_cube(axes, 2, 2, 3);

	(void)state;
	x->value = third_is_best;
	assert_true(share(x, 100, 50, is_third) > 0.5);
	close_cube(x);
}

/* Only with choice 0, whose parameter has an optimum, one gets low. */
static double under_condition(const struct cell *at)
{
	return cell_active(at[1]) ? fabs(cell_middle(at[1]) - 0.8) : 0.3;
}

static bool is_near(const struct cell *at)
{
	return cell_active(at[1]) && fabs(cell_middle(at[1]) - 0.8) < 0.1;
}

static void what_a_choice_switches_on_is_learned(void **state)
{
	struct cube *x = open_cube(mixed, 4, 4, 5);

	(void)state;
	x->value = under_condition;
	x->conditional = true;
	assert_true(share(x, 120, 50, is_near) > 0.5); /* at random: 0.07 */
	close_cube(x);
}

/* The optimum moves with the parent, whose one parameter is axis 1. */
static double follows_parent(const struct cell *at)
{
	return fabs(cell_middle(at[0]) - cell_middle(at[1]));
}

static void what_was_learned_counts_under_similar_parents(void **state)
{
	enum { SEEDS = 15 };
	double low[SEEDS], high[SEEDS];

	(void)state;
	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		struct cube *x = open_cube(plane, 1, 2, seed + 1);
		double u[AXES];
		uint32_t parent;
		struct rng r;

		x->value = follows_parent;
		rng_seed(&r, seed);
		for (uint32_t i = 0; i < 200; i++) {
			x->contexts[0][0] = i % 2 ? (struct cell){0.1, 0.1} : (struct cell){0.9, 0.9};
			fill(x, 1, &r);
		}
		x->contexts[0][0] = (struct cell){0.12, 0.12}; /* a new one */
		assert_true(ask(x, u, &parent));
		low[seed] = u[0];
		x->contexts[0][0] = (struct cell){0.88, 0.88};
		assert_true(ask(x, u, &parent));
		high[seed] = u[0];
		close_cube(x);
	}
	assert_true(median(low, SEEDS) < 0.3);
	assert_true(median(high, SEEDS) > 0.7);
}

static double good_under_fourth(const struct cell *at)
{
	return fabs(cell_middle(at[0]) - 0.5) + (cell_choice(at[1], CONTEXTS) == 3 ? 0 : 1);
}

static void the_best_parent_is_chosen_most(void **state)
{
	static const struct axis axes[] = {{AXIS_NUMBER, 0}, {AXIS_CHOICE, CONTEXTS}};
	struct cube *x = open_cube(axes, 1, 2, 9);
	uint32_t count = 0;

	(void)state;
	x->value = good_under_fourth;
	x->nparents = CONTEXTS;
	for (uint32_t p = 0; p < CONTEXTS; p++)
		x->contexts[p][0] = (struct cell){(double)p / CONTEXTS, (p + 1.0) / CONTEXTS};
	for (uint32_t i = 0; i < 100; i++) {
		const struct cell *at = history_at(&x->h, step(x))->cells;

		count += i >= 50 && cell_choice(at[1], CONTEXTS) == 3;
	}
	assert_true(count > 16); /* at random: 10 */
	close_cube(x);
}

/* ---- points that must not be ----------------------------------------------------------------------- */
static bool in_the_corner(const struct cell *at)
{
	return cell_middle(at[0]) + cell_middle(at[1]) < 0.4;
}

static void answers_are_feasible(void **state)
{
	struct cube *x = open_cube(plane, 2, 2, 4);

	(void)state;
	x->value = bowl;
	x->require = in_the_corner;
	for (uint32_t i = 0; i < 100; i++)
		assert_true(in_the_corner(history_at(&x->h, step(x))->cells));
	close_cube(x);
}

static double sum_of_levels(const struct cell *at)
{
	return cell_middle(at[0]) + 3 * cell_middle(at[1]);
}

/* All points of a finite space come once; then it says so. */
static void no_point_comes_twice(void **state)
{
	static const struct axis axes[] = {{AXIS_NUMBER, 5}, {AXIS_CHOICE, 4}};
	struct cube *x = open_cube(axes, 2, 2, 11);
	double u[AXES];
	uint32_t parent, n = 0;

	(void)state;
	x->value = sum_of_levels;
	for (; n < 1000 && ask(x, u, &parent); n++) {
		struct cell at[2];
		uint32_t number;

		place(x, parent, u, at);
		assert_false(known(x, parent, at));
		number = begin_at(x, u, parent);
		history_end(&x->h, number, OUTCOME_COMPLETE, value_of(x, number), 0);
	}
	assert_in_range(n, 12, 20);
	close_cube(x);
}

static bool nowhere(const struct cell *at)
{
	return cell_middle(at[0]) < 0;
}

static void where_nothing_is_feasible_it_says_so(void **state)
{
	struct cube *x = open_cube(plane, 2, 2, 12);
	struct rng r;
	double u[AXES];
	uint32_t parent;

	(void)state;
	x->value = bowl;
	x->require = nowhere;
	assert_false(ask(x, u, &parent));
	x->require = NULL;
	rng_seed(&r, 1);
	fill(x, STARTUP, &r);
	assert_true(ask(x, u, &parent));
	x->require = nowhere;
	assert_false(ask(x, u, &parent));
	close_cube(x);
}

/* Those that are asked for at the same time are not all sent to one place. */
static void pending_points_keep_others_away(void **state)
{
	enum { SEEDS = 15, AT_ONCE = 12 };
	double spread[2][SEEDS];

	(void)state;
	for (uint32_t seed = 0; seed < SEEDS; seed++)
		for (int told = 0; told < 2; told++) {
			struct cube *x = open_cube(plane, 1, 1, seed + 1);
			double u[AXES], sum = 0, squares = 0;
			uint32_t parent;
			struct rng r;

			x->value = third_is_best;
			rng_seed(&r, seed);
			fill(x, STARTUP, &r);
			for (uint32_t i = 0; i < AT_ONCE; i++) {
				assert_true(ask(x, u, &parent));
				if (told)
					begin_at(x, u, parent);
				sum += u[0] / AT_ONCE;
				squares += u[0] * u[0] / AT_ONCE;
			}
			spread[told][seed] = sqrt(squares - sum * sum);
			close_cube(x);
		}
	assert_true(median(spread[1], SEEDS) > median(spread[0], SEEDS));
}

/* ---- the same answer from the same history ---------------------------------------------------------- */
static void answer_is_the_same(struct cube *x)
{
	double warm[AXES] = {0}, fresh[AXES] = {0};
	uint32_t parent[2] = {0};
	void *other = tpe_search.open();
	bool found = ask_with(x, x->state, x->k, warm, &parent[0]);

	assert_int_equal(ask_with(x, other, x->k, fresh, &parent[1]), found);
	assert_memory_equal(warm, fresh, sizeof warm);
	assert_int_equal(parent[0], parent[1]);
	tpe_search.close(other);
}

static void end_somehow(struct cube *x, uint32_t number, struct rng *r)
{
	static const enum outcome outcomes[] = {OUTCOME_COMPLETE, OUTCOME_COMPLETE, OUTCOME_COMPLETE,
	                                        OUTCOME_PRUNED,   OUTCOME_FAILED,   OUTCOME_PENDING,
	                                        OUTCOME_GONE};

	history_end(&x->h, number, outcomes[rng_below(r, 7)], value_of(x, number), (double)rng_below(r, 10));
}

/* A state that has seen it all, and one that sees it now. */
static void a_state_is_only_a_faster_way(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 4; seed++) {
		struct cube *x = open_cube(mixed, 4, 4, seed);
		struct rng r;

		x->value = mixed_value;
		x->conditional = true;
		rng_seed(&r, seed);
		for (uint32_t i = 0; i < 900; i++) {
			uint32_t some = (uint32_t)rng_below(&r, 100);

			fill(x, some < 80, &r);
			if (some >= 70)
				begin_at(x, (double[]){rng_unit(&r), rng_unit(&r), rng_unit(&r), 0}, 0);
			if (some >= 80 || some < 3)
				end_somehow(x, (uint32_t)rng_below(&r, history_count(&x->h)), &r);
			if (i % 23 == 0)
				answer_is_the_same(x);
		}
		close_cube(x);
	}
}

/* The order in which few trials end means nothing. */
static void order_of_ending_means_nothing_at_first(void **state)
{
	enum { FEW = 20 };
	double first[AXES] = {0};

	(void)state;
	for (uint64_t shuffle = 0; shuffle < 20; shuffle++) {
		struct cube *x = open_cube(mixed, 4, 4, 8);
		uint32_t order[FEW], parent;
		double u[AXES] = {0};
		struct rng r;

		x->value = mixed_value;
		x->conditional = true;
		rng_seed(&r, 1);
		for (uint32_t i = 0; i < FEW; i++) {
			for (uint32_t k = 0; k < 4; k++)
				u[k] = rng_unit(&r);
			order[i] = begin_at(x, u, 0);
		}
		rng_seed(&r, shuffle);
		for (uint32_t i = 0; i < FEW; i++) {
			uint32_t k = i + (uint32_t)rng_below(&r, FEW - i), number = order[k];

			order[k] = order[i];
			history_end(&x->h, number, OUTCOME_COMPLETE, value_of(x, number), 0);
		}
		assert_true(ask_with(x, x->state, 50, u, &parent));
		if (shuffle == 0)
			memcpy(first, u, sizeof u);
		for (uint32_t k = 0; k < 4; k++)
			assert_true(fabs(u[k] - first[k]) < 1e-9);
		close_cube(x);
	}
}

/* ---- whatever is told --------------------------------------------------------------------------------- */
static double odd_value(struct rng *r)
{
	static const double values[] = {0, 0, 0, 1, 1e308, -1e308, 5e-324, -0.0, INFINITY, NAN, -INFINITY};

	return values[rng_below(r, sizeof values / sizeof *values)];
}

static double odd_coordinate(struct rng *r)
{
	static const double values[] = {0, 0, 0.5, 0.5, 1 - 0x1p-53, 0x1p-53, 1e-300};
	uint64_t i = rng_below(r, 10);

	return i < 7 ? values[i] : rng_unit(r);
}

static void whatever_is_told_answers_are_points(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 60; seed++) {
		struct cube *x = open_cube(mixed, 4, 4, seed);
		enum outcome only = (enum outcome[]){OUTCOME_COMPLETE, OUTCOME_PRUNED, OUTCOME_FAILED,
		                                     OUTCOME_PENDING}[seed % 4];
		struct rng r;

		x->value = mixed_value;
		x->conditional = seed % 3;
		rng_seed(&r, seed);
		for (uint32_t i = 0; i < 80; i++) {
			double u[AXES];
			uint32_t number, parent;

			for (uint32_t k = 0; k < 4; k++)
				u[k] = odd_coordinate(&r);
			number = begin_at(x, u, 0);
			history_end(&x->h, number, only, odd_value(&r), odd_value(&r));
			if (ask(x, u, &parent))
				begin_at(x, u, parent); /* which looks at u */
		}
		close_cube(x);
	}
}

static void one_observation_or_none_of_use(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 2; n++) {
		struct cube *x = open_cube(plane, 2, 2, 2);
		double u[AXES] = {0};
		uint32_t parent;

		x->value = bowl;
		for (uint32_t i = 0; i < STARTUP; i++) {
			uint32_t number = begin_at(x, (double[]){0.25, 0.75}, 0);

			history_end(&x->h, number, i < n ? OUTCOME_COMPLETE : OUTCOME_FAILED, 1, 0);
		}
		assert_true(ask(x, u, &parent));
		place(x, parent, u, (struct cell[2]){{0}});
		close_cube(x);
	}
}

/* Thousands of trials are no more to look at than a few hundred, and still tell where it is low. */
static void old_trials_are_not_forgotten(void **state)
{
	struct cube *x = open_cube(plane, 2, 2, 6);
	struct rng r;
	double u[AXES], sum[2] = {0};
	uint32_t parent;

	(void)state;
	x->value = bowl;
	rng_seed(&r, 6);
	fill(x, 30000, &r);
	for (uint32_t i = 0; i < 30; i++) {
		assert_true(ask(x, u, &parent));
		sum[0] += u[0] / 30;
		sum[1] += u[1] / 30;
	}
	answer_is_the_same(x);
	assert_true(fabs(sum[0] - 0.3) < 0.1 && fabs(sum[1] - 0.7) < 0.1);
	close_cube(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_share_is_below_up_to_a_cap),
	    cmocka_unit_test(what_failed_is_never_below),
	    cmocka_unit_test(all_others_are_above),
	    cmocka_unit_test(of_many_a_sample_stands_for_all),
	    cmocka_unit_test(a_bowl_is_searched_where_it_is_low),
	    cmocka_unit_test(the_best_choice_is_taken_most),
	    cmocka_unit_test(what_a_choice_switches_on_is_learned),
	    cmocka_unit_test(what_was_learned_counts_under_similar_parents),
	    cmocka_unit_test(the_best_parent_is_chosen_most),
	    cmocka_unit_test(answers_are_feasible),
	    cmocka_unit_test(no_point_comes_twice),
	    cmocka_unit_test(where_nothing_is_feasible_it_says_so),
	    cmocka_unit_test(pending_points_keep_others_away),
	    cmocka_unit_test(a_state_is_only_a_faster_way),
	    cmocka_unit_test(order_of_ending_means_nothing_at_first),
	    cmocka_unit_test(whatever_is_told_answers_are_points),
	    cmocka_unit_test(one_observation_or_none_of_use),
	    cmocka_unit_test(old_trials_are_not_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
