#include "ranked.h"

#include "rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 500 };

struct fixture {
	struct arena arena;
	struct ranked_pool pool;
	struct ranked set;
};

static uint32_t put(struct fixture *x, uint32_t id, double value)
{
	uint32_t node = ranked_new(&x->pool);

	ranked_at(&x->pool, node)->id = id;
	ranked_at(&x->pool, node)->value = value;
	ranked_insert(&x->pool, &x->set, node);
	return node;
}

static void open(struct fixture *x)
{
	*x = (struct fixture){.set = {0}};
	ranked_pool_init(&x->pool, &x->arena);
}

/* Places of all nodes by counting, against what the set says. */
static void check_all(struct fixture *x, const uint32_t *nodes, uint32_t n)
{
	assert_int_equal(ranked_count(&x->pool, &x->set), n);
	for (uint32_t i = 0; i < n; i++) {
		const struct ranked_node *a = ranked_at(&x->pool, nodes[i]);
		uint32_t before = 0;

		for (uint32_t k = 0; k < n; k++) {
			const struct ranked_node *b = ranked_at(&x->pool, nodes[k]);

			before += b->value < a->value || (!(a->value < b->value) && b->id < a->id);
		}
		assert_int_equal(ranked_before(&x->pool, &x->set, nodes[i]), before);
		assert_int_equal(ranked_nth(&x->pool, &x->set, before), nodes[i]);
	}
	assert_int_equal(ranked_nth(&x->pool, &x->set, n), 0);
}

static void places_are_right_after_any_changes(void **state)
{
	struct fixture x;
	struct rng r;
	uint32_t nodes[MANY], n = 0;

	(void)state;
	open(&x);
	rng_seed(&r, 7);
	for (uint32_t i = 1; i <= 3 * MANY; i++) {
		if (n == MANY || (n && rng_below(&r, 3) == 0)) {
			uint32_t k = (uint32_t)rng_below(&r, n);

			ranked_remove(&x.pool, &x.set, nodes[k]);
			ranked_free(&x.pool, nodes[k]);
			nodes[k] = nodes[--n];
		} else {
			nodes[n++] = put(&x, i, (double)rng_below(&r, 50)); /* with ties */
		}
		if (i % 100 == 0)
			check_all(&x, nodes, n);
	}
	assert_true(x.pool.nodes.count <= MANY); /* what is freed is used again */
	arena_finish(&x.arena);
}

static void quantiles_lie_between_neighbours(void **state)
{
	struct fixture x;

	(void)state;
	open(&x);
	assert_true(isnan(ranked_quantile(&x.pool, &x.set, 0.5)));
	put(&x, 1, 4);
	assert_true(ranked_quantile(&x.pool, &x.set, 0.25) == 4);
	put(&x, 2, 1);
	assert_true(ranked_quantile(&x.pool, &x.set, 0.5) == 2.5);
	put(&x, 3, 2);
	assert_true(ranked_quantile(&x.pool, &x.set, 0.5) == 2);
	assert_true(ranked_quantile(&x.pool, &x.set, 0.25) == 1.5);
	assert_true(ranked_quantile(&x.pool, &x.set, 1) == 4);
	put(&x, 4, (double)INFINITY);
	put(&x, 5, (double)INFINITY);
	assert_true(ranked_quantile(&x.pool, &x.set, 0.5) == 4);
	assert_true(isinf(ranked_quantile(&x.pool, &x.set, 0.9)));
	arena_finish(&x.arena);
}

/* Whatever the order of arrival, the same ones are left. */
static void a_cap_keeps_the_same_sample(void **state)
{
	struct fixture up, down;

	(void)state;
	open(&up);
	open(&down);
	for (uint32_t i = 1; i <= MANY; i++) {
		put(&up, i, i % 17);
		put(&down, MANY + 1 - i, (MANY + 1 - i) % 17);
		if (i > 40) {
			ranked_remove(&up.pool, &up.set, ranked_first_to_go(&up.set));
			ranked_remove(&down.pool, &down.set, ranked_first_to_go(&down.set));
		}
	}
	assert_int_equal(ranked_count(&up.pool, &up.set), 40);
	for (uint32_t k = 0; k < 40; k++)
		assert_int_equal(ranked_at(&up.pool, ranked_nth(&up.pool, &up.set, k))->id,
		                 ranked_at(&down.pool, ranked_nth(&down.pool, &down.set, k))->id);
	arena_finish(&up.arena);
	arena_finish(&down.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(places_are_right_after_any_changes),
	    cmocka_unit_test(quantiles_lie_between_neighbours),
	    cmocka_unit_test(a_cap_keeps_the_same_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
