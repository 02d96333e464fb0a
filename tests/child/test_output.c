/* The output file of a rank: what was written can be read back by its index, whatever the amount. */
#include "output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct index {
	struct {
		uint64_t offset, skipped;
		uint32_t bytes;
	} item[1024];
	size_t n;
};

static void on_segment(void *ctx, uint8_t stream, uint64_t offset, uint32_t bytes, uint64_t skipped)
{
	struct index *x = ctx;

	assert_int_equal(stream, 1);
	assert_true(x->n < 1024);
	x->item[x->n].offset = offset;
	x->item[x->n].bytes = bytes;
	x->item[x->n++].skipped = skipped;
}

static void fill(unsigned char *p, size_t n, uint32_t *state)
{
	for (size_t i = 0; i < n; i++) {
		*state = *state * 1664525u + 1013904223u;
		p[i] = (unsigned char)(*state >> 24);
	}
}

/* Put `total` bytes in pieces, read the segments back, and compare with what must be there. */
static void check_total(size_t total)
{
	char path[] = "/tmp/test_output.XXXXXX";
	int tmp = mkstemp(path);
	struct output_file o;
	struct output_stream s = {.number = 1};
	struct index x = {.n = 0};
	struct fault f;
	unsigned char *all = malloc(total + 1), *got = malloc(total + 1);
	size_t at = 0, head = total < OUTPUT_HEAD_BYTES ? total : OUTPUT_HEAD_BYTES;
	size_t tail = total - head < OUTPUT_TAIL_BYTES ? total - head : OUTPUT_TAIL_BYTES;
	uint64_t skipped = 0;
	uint32_t state = 7;

	fill(all, total, &state);
	assert_int_equal(output_open(&o, path, &f), 0);
	while (at < total) {
		size_t n = total - at < 60000 ? total - at : 60000;

		output_put(&o, &s, 3, 1, all + at, n, on_segment, &x);
		at += n;
	}
	output_flush(&o, &s, 3, 1, true, on_segment, &x);
	at = 0;
	for (size_t i = 0; i < x.n; i++) {
		skipped += x.item[i].skipped;
		assert_int_equal(pread(tmp, got + at, x.item[i].bytes, (off_t)x.item[i].offset),
		                 x.item[i].bytes);
		at += x.item[i].bytes;
	}
	assert_int_equal(at, head + tail);
	assert_int_equal(skipped, total - head - tail);
	assert_memory_equal(got, all, head);
	assert_memory_equal(got + head, all + total - tail, tail);
	if (total >= OUTPUT_LAST_BYTES) {
		assert_int_equal(s.last.len, OUTPUT_LAST_BYTES);
		assert_memory_equal(s.last.data, all + total - OUTPUT_LAST_BYTES, OUTPUT_LAST_BYTES);
	}
	output_stream_finish(&s);
	output_close(&o);
	close(tmp);
	unlink(path);
	free(all);
	free(got);
}

static void what_is_written_reads_back(void **state)
{
	static const size_t totals[] = {0,
	                                1,
	                                4096,
	                                65536,
	                                OUTPUT_HEAD_BYTES,
	                                OUTPUT_HEAD_BYTES + 1,
	                                OUTPUT_HEAD_BYTES + OUTPUT_TAIL_BYTES,
	                                20u << 20};

	(void)state;
	for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
		check_total(totals[i]);
}

static void a_full_disk_drops_output_and_nothing_else(void **state)
{
	struct output_file o;
	struct output_stream s = {.number = 1};
	struct index x = {.n = 0};
	struct fault f;

	(void)state;
	assert_int_equal(output_open(&o, "/dev/full", &f), 0);
	output_put(&o, &s, 1, 1, "hello\n", 6, on_segment, &x);
	output_flush(&o, &s, 1, 1, true, on_segment, &x);
	assert_int_equal(x.n, 0);
	assert_int_equal(s.skipped, 6);
	assert_memory_equal(s.last.data, "hello\n", 6);
	output_stream_finish(&s);
	output_close(&o);
}

static void a_path_that_cannot_be_opened_is_named(void **state)
{
	struct output_file o;
	struct fault f;

	(void)state;
	assert_int_equal(output_open(&o, "/nonexistent/x.log", &f), -1);
	assert_int_equal(f.code, FAULT_IO);
	assert_non_null(strstr(f.text, "/nonexistent/x.log"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_reads_back),
	    cmocka_unit_test(a_full_disk_drops_output_and_nothing_else),
	    cmocka_unit_test(a_path_that_cannot_be_opened_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
