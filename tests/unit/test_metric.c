#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bytes.h"
#include "metric.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- lines ------------------------------------------------------------------------------------------ */

struct line_row {
	const char *line;
	bool prefix;
	int want;
	const char *dump; /* name=value ... of the samples, then @step */
};

#define NAME64 "n234567890123456789012345678901234567890123456789012345678901234"

static const struct line_row line_rows[] = {
    {"@metric valid_error=0.031 step=5", true, 1, "valid_error=0.031 @5"},
    {"@metric a=1", true, 1, "a=1"},
    {"@metric a=1 b=-2.5 c=1e-3", true, 1, "a=1 b=-2.5 c=0.001"},
    {"@metric\ta=1\t \tb=2  ", true, 1, "a=1 b=2"},
    {"@metric a=1\r", true, 1, "a=1"},
    {"@metric step=3 a=1", true, 1, "a=1 @3"},
    {"@metric a=1 step=3 b=2 step=4", true, 1, "a=1 b=2 @4"},
    {"@metric a=1 step=-0.5", true, 1, "a=1 @-0.5"},
    {"@metric a=nan b=inf c=-inf d=NaN e=Infinity", true, 1, "a=nan b=inf c=-inf d=nan e=inf"},
    {"@metric a=1e999", true, 1, "a=inf"},
    {"@metric a=1 b=2 a=3", true, 1, "a=3 b=2"},
    {"@metric Loss/val-1=1 x.y:z@top_5%=2 _+=3", true, 1, "Loss/val-1=1 x.y:z@top_5%=2 _+=3"},
    {"@metric " NAME64 "=1", true, 1, NAME64 "=1"},
    {"@metric steps=1 ste=2", true, 1, "steps=1 ste=2"},
    /* no metric lines */
    {"", true, 0, ""},
    {"epoch 3: error 0.1", true, 0, ""},
    {" @metric a=1", true, 0, ""},
    {"@metrics a=1", true, 0, ""},
    {"@metric=1", true, 0, ""},
    {"@Metric a=1", true, 0, ""},
    {"@metri", true, 0, ""},
    {"a=1", true, 0, ""},
    /* malformed as a whole */
    {"@metric", true, -1, ""},
    {"@metric ", true, -1, ""},
    {"@metric\r", true, -1, ""},
    {"@metric step=5", true, -1, ""},
    {"@metric a", true, -1, ""},
    {"@metric a=", true, -1, ""},
    {"@metric =1", true, -1, ""},
    {"@metric a=1 b", true, -1, ""},
    {"@metric a=1, b=2", true, -1, ""},
    {"@metric a = 1", true, -1, ""},
    {"@metric a==1", true, -1, ""},
    {"@metric a=1=2", true, -1, ""},
    {"@metric a=0x10", true, -1, ""},
    {"@metric a=1e", true, -1, ""},
    {"@metric a=one", true, -1, ""},
    {"@metric a=1\r\r", true, -1, ""},
    {"@metric 1a=1", true, -1, ""},
    {"@metric -a=1", true, -1, ""},
    {"@metric +a=1", true, -1, ""},
    {"@metric a,b=1", true, -1, ""},
    {"@metric caf\xc3\xa9=1", true, -1, ""},
    {"@metric a=1 step=nan", true, -1, ""},
    {"@metric a=1 step=inf", true, -1, ""},
    {"@metric a=1 step=x", true, -1, ""},
    {"@metric " NAME64 "5=1", true, -1, ""},
    /* on the metric descriptor */
    {"valid_error=0.031 step=5", false, 1, "valid_error=0.031 @5"},
    {"@metric a=1", false, 1, "a=1"},
    {" a=1\r", false, 1, "a=1"},
    {"", false, 0, ""},
    {" \t", false, 0, ""},
    {"\r", false, 0, ""},
    {"@metric", false, -1, ""},
    {"@metrics a=1", false, -1, ""},
    {"hello", false, -1, ""},
    {"step=1", false, -1, ""},
    /* a metric may be called so */
    {"@metric=1", false, 1, "@metric=1"},
};

static void dump_line(const struct metric_line *l, struct bytes *out)
{
	char number[TEXT_NUMBER];

	bytes_clear(out);
	for (uint32_t i = 0; i < l->count; i++) {
		text_double(number, l->samples[i].value);
		text_putf(out, "%s%s=%s", i ? " " : "", l->samples[i].name, number);
	}
	if (l->has_step) {
		text_double(number, l->step);
		text_putf(out, " @%s", number);
	}
	bytes_put_u8(out, 0);
}

static void lines_are_read_as_written(void **state)
{
	static struct metric_line l;
	struct bytes got = {0};

	(void)state;
	for (size_t i = 0; i < sizeof line_rows / sizeof *line_rows; i++) {
		const struct line_row *r = &line_rows[i];
		int parsed = metric_parse(r->line, strlen(r->line), r->prefix, &l);

		dump_line(&l, &got);
		if (parsed != r->want || strcmp((char *)got.data, r->dump) != 0)
			fail_msg("'%s': %d '%s', not %d '%s'", r->line, parsed, (char *)got.data, r->want,
			         r->dump);
	}
	bytes_finish(&got);
}

static void nul_is_malformed(void **state)
{
	static struct metric_line l;

	(void)state;
	assert_int_equal(metric_parse("@metric a=1\0", 12, true, &l), -1);
	assert_int_equal(metric_parse("@metric a\0b=1", 13, true, &l), -1);
	assert_int_equal(metric_parse("@metric a=1\0b=2", 15, true, &l), -1);
	assert_int_equal(metric_parse("@metric\0a=1", 11, true, &l), 0);
	assert_int_equal(metric_parse("a=1\0", 4, false, &l), -1);
}

static void a_line_holds_so_many_metrics(void **state)
{
	static struct metric_line l;
	struct bytes b = {0};

	(void)state;
	text_put(&b, "@metric step=1");
	for (int i = 0; i < METRIC_PER_LINE; i++)
		text_putf(&b, " m%d=%d", i, i);
	assert_int_equal(metric_parse((char *)b.data, b.len, true, &l), 1);
	assert_int_equal(l.count, METRIC_PER_LINE);
	assert_string_equal(l.samples[METRIC_PER_LINE - 1].name, "m255");
	text_put(&b, " m7=-1");
	assert_int_equal(metric_parse((char *)b.data, b.len, true, &l), 1);
	assert_true(l.samples[7].value == -1);
	text_put(&b, " one_more=1");
	assert_int_equal(metric_parse((char *)b.data, b.len, true, &l), -1);
	assert_int_equal(l.count, 0);
	bytes_finish(&b);
}

/* ---- streams ---------------------------------------------------------------------------------------- */

/* Lines joined by '|', a long one as its length. */
static void collect(void *ctx, const char *line, size_t n)
{
	struct bytes *out = ctx;

	assert_true(n <= METRIC_LINE_MAX);
	assert_null(memchr(line, '\n', n));
	if (n > 100)
		text_putf(out, "<%zu>", n);
	else
		bytes_put(out, line, n);
	text_put(out, "|");
}

/* Lines of a stream given in pieces of that size, flushed at its end. */
static void split_in_pieces(const char *data, size_t n, size_t piece, struct bytes *out)
{
	struct metric_splitter *s = calloc(1, sizeof *s);

	assert_non_null(s);
	bytes_clear(out);
	for (size_t i = 0; i < n; i += piece) {
		size_t m = n - i < piece ? n - i : piece;
		char *exact = malloc(m); /* a sanitizer sees a read past the piece */

		assert_non_null(exact);
		memcpy(exact, data + i, m);
		metric_split(s, exact, m, false, collect, out);
		free(exact);
	}
	metric_split(s, NULL, 0, true, collect, out);
	bytes_put_u8(out, 0);
	free(s);
}

static void pieces_do_not_matter(void **state)
{
	static const struct {
		const char *stream, *lines;
	} rows[] = {
	    {"", ""},
	    {"\n", "|"},
	    {"a\nbc\n", "a|bc|"},
	    {"a\nbc", "a|bc|"},
	    {"\n\na\n\n", "||a||"},
	    {"a\r\nb", "a\r|b|"},
	};
	struct bytes got = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t piece = 1; piece <= 7; piece++) {
			split_in_pieces(rows[i].stream, strlen(rows[i].stream), piece, &got);
			assert_string_equal(got.data, rows[i].lines);
		}
	bytes_finish(&got);
}

/* Lines at and past the limit, in pieces that cut them everywhere. */
static void long_lines_are_passed_over_whole(void **state)
{
	static const size_t pieces[] = {1,      13, METRIC_LINE_MAX - 1, METRIC_LINE_MAX, METRIC_LINE_MAX + 1,
	                                1 << 20};
	struct bytes stream = {0}, got = {0};

	(void)state;
	text_put(&stream, "a\n");
	for (size_t n = METRIC_LINE_MAX - 1; n <= METRIC_LINE_MAX + 1; n++) {
		memset(bytes_room(&stream, n), 'x', n);
		stream.len += n;
		text_put(&stream, "\nb\n");
	}
	memset(bytes_room(&stream, 100000), 'y', 100000);
	stream.len += 100000; /* never ended */
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		split_in_pieces((char *)stream.data, stream.len, pieces[i], &got);
		assert_string_equal(got.data, "a|<16383>|b|<16384>|b|b|");
	}
	bytes_finish(&stream);
	bytes_finish(&got);
}

static void a_flushed_splitter_is_fresh(void **state)
{
	static struct metric_splitter s;
	struct bytes got = {0};

	(void)state;
	for (int i = 0; i < 300; i++)
		metric_split(&s, "0123456789012345678901234567890123456789012345678901234567890123", 64,
		             false, collect, &got);
	metric_split(&s, "end", 3, true, collect, &got);
	metric_split(&s, "a\nb", 3, true, collect, &got);
	bytes_put_u8(&got, 0);
	assert_string_equal(got.data, "a|b|");
	bytes_finish(&got);
}

/* ---- summaries ---------------------------------------------------------------------------------------- */

struct report {
	double value, step; /* NaN step: none */
};
struct summary_row {
	const char *name;
	bool maximize;
	struct report reports[5];
	int n;
	struct metric_summary want;
};

#define NO_STEP NAN
static const struct summary_row summary_rows[] = {
    {"nothing", false, {{0, 0}}, 0, {0, NAN, NAN, NAN, NAN, NAN, false}},
    {"no step", false, {{2, NO_STEP}, {1, NO_STEP}, {3, NO_STEP}}, 3, {3, 3, NAN, 1, NAN, NAN, false}},
    {"min", false, {{2, 1}, {1, 2}, {3, 3}}, 3, {3, 3, 3, 1, 2, 3, false}},
    {"max", true, {{2, 1}, {4, 2}, {3, 3}}, 3, {3, 3, 3, 4, 2, 3, false}},
    {"tie", true, {{2, 1}, {2, 2}}, 2, {2, 2, 2, 2, 1, 2, false}},
    {"nan", false, {{NAN, 1}, {2, 2}, {NAN, 3}}, 3, {3, NAN, 3, 2, 2, 3, false}},
    {"only nan", false, {{NAN, 1}}, 1, {1, NAN, 1, NAN, NAN, 1, false}},
    {"inf last resort", false, {{INFINITY, 1}}, 1, {1, INFINITY, 1, INFINITY, 1, 1, false}},
    {"inf replaced", true, {{INFINITY, 1}, {2, 2}, {INFINITY, 3}}, 3, {3, INFINITY, 3, 2, 2, 3, false}},
    {"-inf no win", false, {{5, 1}, {-INFINITY, 2}}, 2, {2, -INFINITY, 2, 5, 1, 2, false}},
    {"again", false, {{1, 1}, {3, 1}}, 2, {2, 3, 1, 1, 1, 1, true}},
    {"backwards", false, {{1, 5}, {3, 4}}, 2, {2, 3, 4, 1, 5, 5, true}},
    {"mixed", false, {{1, 5}, {0.5, NO_STEP}, {3, 6}}, 3, {3, 3, 6, 0.5, NAN, 6, false}},
    {"negative steps", false, {{1, -5}, {2, -4}}, 2, {2, 2, -4, 1, -5, -4, false}},
};

static void expect(const char *row, const char *what, double got, double want)
{
	if (!(isnan(want) ? isnan(got) : got == want))
		fail_msg("%s: %s is %g, not %g", row, what, got, want);
}

static void summaries_follow_the_goal(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof summary_rows / sizeof *summary_rows; i++) {
		const struct summary_row *r = &summary_rows[i];
		struct metric_summary m;

		metric_summary_init(&m);
		for (int k = 0; k < r->n; k++)
			metric_summary_add(&m, r->maximize, r->reports[k].value, !isnan(r->reports[k].step),
			                   r->reports[k].step);
		assert_int_equal(m.count, r->want.count);
		expect(r->name, "last", m.last, r->want.last);
		expect(r->name, "last_step", m.last_step, r->want.last_step);
		expect(r->name, "best", m.best, r->want.best);
		expect(r->name, "best_step", m.best_step, r->want.best_step);
		expect(r->name, "max_step", m.max_step, r->want.max_step);
		assert_int_equal(m.overwritten, r->want.overwritten);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_read_as_written),        cmocka_unit_test(nul_is_malformed),
	    cmocka_unit_test(a_line_holds_so_many_metrics),     cmocka_unit_test(pieces_do_not_matter),
	    cmocka_unit_test(long_lines_are_passed_over_whole), cmocka_unit_test(a_flushed_splitter_is_fresh),
	    cmocka_unit_test(summaries_follow_the_goal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
