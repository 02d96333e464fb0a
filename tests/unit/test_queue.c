#include "queue.h"

#include "rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct item {
	uint64_t other;
	uint32_t pos;
	int32_t priority;
};

struct fixture {
	struct arena arena;
	struct slab slab;
	struct queue queue;
};

static void fixture_init(struct fixture *x, uint32_t n)
{
	arena_init(&x->arena);
	slab_init(&x->slab, &x->arena, sizeof(struct item));
	for (uint32_t i = 0; i < n; i++)
		slab_add(&x->slab);
	queue_init(&x->queue, &x->arena, &x->slab, offsetof(struct item, pos),
	           offsetof(struct item, priority));
}

static void lowest_number_comes_first(void **state)
{
	const uint32_t in[] = {5, 3, 9, 1, 7}, out[] = {1, 3, 5, 7, 9};
	struct fixture x;

	(void)state;
	fixture_init(&x, 10);
	assert_int_equal(queue_top(&x.queue), 0);
	for (size_t i = 0; i < 5; i++)
		queue_push(&x.queue, in[i]);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(queue_top(&x.queue), out[i]);
		queue_remove(&x.queue, out[i]);
	}
	assert_int_equal(queue_top(&x.queue), 0);
	arena_finish(&x.arena);
}

static void higher_priority_comes_before_lower_numbers(void **state)
{
	const int32_t priority[] = {0, -1, 2, 0, 2};
	const uint32_t out[] = {3, 5, 1, 4, 2};
	struct fixture x;

	(void)state;
	fixture_init(&x, 5);
	for (uint32_t i = 0; i < 5; i++) {
		((struct item *)slab_at(&x.slab, i))->priority = priority[i];
		queue_push(&x.queue, i + 1);
	}
	assert_true(queue_valid(&x.queue));
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(queue_top(&x.queue), out[i]);
		queue_remove(&x.queue, out[i]);
	}
	arena_finish(&x.arena);
}

static void any_item_can_be_removed(void **state)
{
	enum { N = 500 };
	struct fixture x;
	struct rng r;
	char in[N + 1] = {0};
	uint32_t count = 0;

	(void)state;
	fixture_init(&x, N);
	rng_seed(&r, 42);
	for (int step = 0; step < 20000; step++) {
		uint32_t item = 1 + (uint32_t)rng_below(&r, N), lowest = 1;

		if (in[item]) {
			queue_remove(&x.queue, item);
			count--;
		} else {
			queue_push(&x.queue, item);
			count++;
		}
		in[item] = !in[item];
		while (lowest <= N && !in[lowest])
			lowest++;
		assert_int_equal(queue_top(&x.queue), lowest <= N ? lowest : 0);
		assert_int_equal(x.queue.count, count);
	}
	assert_true(queue_valid(&x.queue));
	arena_finish(&x.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lowest_number_comes_first),
	    cmocka_unit_test(higher_priority_comes_before_lower_numbers),
	    cmocka_unit_test(any_item_can_be_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
