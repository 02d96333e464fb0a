#include "fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_set_and_context(void **state)
{
	struct fault f;

	(void)state;
	assert_int_equal(fault_set(&f, FAULT_IO, "disk %d", 3), -1);
	assert_int_equal(f.code, FAULT_IO);
	assert_int_equal(fault_context(&f, "a.db"), -1);
	assert_string_equal(f.text, "a.db: disk 3");
	assert_int_equal(fault_set(NULL, FAULT_IO, "x"), -1);
	assert_int_equal(fault_context(NULL, "x"), -1);
}

static void test_long_texts_are_cut(void **state)
{
	char big[3000];
	struct fault f;

	(void)state;
	memset(big, 'a', sizeof big);
	big[sizeof big - 1] = 0;
	fault_set(&f, FAULT_BUG, "%s", big);
	assert_int_equal(strlen(f.text), sizeof f.text - 1);
	assert_string_equal(f.text + sizeof f.text - 4, "...");
	fault_context(&f, "front");
	assert_memory_equal(f.text, "front: aaa", 10);
	assert_string_equal(f.text + sizeof f.text - 4, "...");
	fault_context(&f, "%s", big);
	assert_string_equal(f.text + sizeof f.text - 4, "...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_set_and_context),
	                                   cmocka_unit_test(test_long_texts_are_cut)};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
