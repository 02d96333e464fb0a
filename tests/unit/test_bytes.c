#include "bytes.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void fill(struct bytes *b)
{
	bytes_put_u8(b, 0xab);
	bytes_put_u16(b, 0x1234);
	bytes_put_u32(b, 0xdeadbeef);
	bytes_put_u64(b, UINT64_MAX - 1);
	bytes_put_f64(b, -0.5);
	bytes_put_text(b, "hello");
	bytes_put_text(b, NULL);
	bytes_put_blob(b, "a\0b", 3);
}

static void read_all(struct reader *r)
{
	char text[6];
	size_t n;

	reader_u8(r);
	reader_u16(r);
	reader_u32(r);
	reader_u64(r);
	reader_f64(r);
	reader_text(r, text, sizeof text);
	reader_text(r, text, sizeof text);
	reader_blob(r, &n);
}

static void test_round_trip(void **state)
{
	struct bytes b = {0};
	struct reader r;
	char text[6];
	size_t n;

	(void)state;
	fill(&b);
	reader_init(&r, b.data, b.len);
	assert_int_equal(reader_u8(&r), 0xab);
	assert_int_equal(reader_u16(&r), 0x1234);
	assert_int_equal(reader_u32(&r), 0xdeadbeef);
	assert_true(reader_u64(&r) == UINT64_MAX - 1);
	assert_true(reader_f64(&r) == -0.5);
	reader_text(&r, text, sizeof text);
	assert_string_equal(text, "hello");
	reader_text(&r, text, sizeof text);
	assert_string_equal(text, "");
	assert_memory_equal(reader_blob(&r, &n), "a\0b", 3);
	assert_int_equal(n, 3);
	assert_true(reader_done(&r));
	bytes_finish(&b);
}

/* Cut anywhere, a message is bad and nothing past its end is read (the sanitizer watches). */
static void test_cut_messages_are_bad(void **state)
{
	struct bytes b = {0};

	(void)state;
	fill(&b);
	for (size_t n = 0; n < b.len; n++) {
		struct bytes cut = {0};
		struct reader r;

		bytes_put(&cut, b.data, n);
		reader_init(&r, cut.data, n);
		read_all(&r);
		assert_false(reader_done(&r));
		bytes_finish(&cut);
	}
	bytes_finish(&b);
}

static void test_bad_texts(void **state)
{
	struct bytes b = {0};
	struct reader r;
	char text[4];

	(void)state;
	bytes_put_text(&b, "four");
	reader_init(&r, b.data, b.len);
	reader_text(&r, text, sizeof text);
	assert_true(r.bad);
	assert_string_equal(text, "");
	bytes_clear(&b);
	bytes_put_blob(&b, "a\0b", 3);
	reader_init(&r, b.data, b.len);
	reader_text(&r, text, sizeof text);
	assert_true(r.bad);
	bytes_clear(&b);
	bytes_put_u8(&b, 1); /* one byte too many */
	reader_init(&r, b.data, b.len);
	assert_false(reader_done(&r));
	bytes_finish(&b);
}

static void test_patch_and_drop(void **state)
{
	struct bytes b = {0};
	struct reader r;

	(void)state;
	bytes_put_u32(&b, 0);
	bytes_put_u8(&b, 9);
	bytes_set_u32(&b, 0, 77);
	reader_init(&r, b.data, b.len);
	assert_int_equal(reader_u32(&r), 77);
	bytes_drop_front(&b, 4);
	assert_int_equal(b.len, 1);
	assert_int_equal(b.data[0], 9);
	bytes_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip), cmocka_unit_test(test_cut_messages_are_bad),
	    cmocka_unit_test(test_bad_texts), cmocka_unit_test(test_patch_and_drop)};

	return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
