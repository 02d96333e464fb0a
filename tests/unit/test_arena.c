#include "arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_allocations(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 65536, 70000, 300000, 1};
	struct arena a = {0};
	unsigned char *p[10];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 10; i++) {
			p[i] = arena_alloc(&a, sizes[i]);
			assert_int_equal((uintptr_t)p[i] % 16, 0);
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(p[i][k], 0);
			memset(p[i], i + 1, sizes[i]);
		}
		for (int i = 0; i < 10; i++) /* nothing overlaps */
			for (size_t k = 0; k < sizes[i]; k++)
				assert_int_equal(p[i][k], i + 1);
		assert_true(a.used_bytes >= 436570);
		arena_reset(&a);
		assert_int_equal(a.used_bytes, 0);
	}
	arena_finish(&a);
	arena_finish(&a);
}

static void test_texts(void **state)
{
	struct arena a = {0};
	int three[] = {1, 2, 3}, *six;

	(void)state;
	assert_string_equal(arena_strdup(&a, "abc"), "abc");
	assert_string_equal(arena_strndup(&a, "abcdef", 2), "ab");
	assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	six = arena_grow(&a, three, sizeof three, 6 * sizeof *six);
	assert_memory_equal(six, three, sizeof three);
	assert_int_equal(six[5], 0);
	arena_finish(&a);
}

static void test_slab_items_never_move(void **state)
{
	struct arena a = {0};
	struct slab s;
	uint32_t *first;

	(void)state;
	slab_init(&s, &a, sizeof(uint32_t));
	first = slab_add(&s);
	for (uint32_t i = 1; i < 50000; i++)
		*(uint32_t *)slab_add(&s) = i;
	assert_int_equal(s.count, 50000);
	assert_ptr_equal(slab_at(&s, 0), first);
	for (uint32_t i = 0; i < s.count; i++)
		assert_int_equal(*(uint32_t *)slab_at(&s, i), i);
	arena_finish(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_allocations), cmocka_unit_test(test_texts),
	                                   cmocka_unit_test(test_slab_items_never_move)};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
