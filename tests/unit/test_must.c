#include "must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_grows(void **state)
{
	uint32_t *list = NULL, cap = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		list = must_grow(list, &cap, i + 1, sizeof *list);
		assert_true(cap > i);
		assert_int_equal(list[i], 0);
		list[i] = i + 1;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(list[i], i + 1);
	free(list);
}

static void test_by_far(void **state)
{
	unsigned char *list = NULL, *same;
	uint32_t cap = 0;

	(void)state;
	list = must_grow(list, &cap, 100000, 1);
	assert_true(cap >= 100000);
	for (uint32_t i = 0; i < cap; i++)
		assert_int_equal(list[i], 0);
	same = must_grow(list, &cap, 100000, 1);
	assert_ptr_equal(same, list);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_grows),
	    cmocka_unit_test(test_by_far),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
