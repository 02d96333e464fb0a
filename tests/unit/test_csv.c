/* Tables as people and programs write them, and bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bytes.h"
#include "csv.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* All rows as "LINE:field|field;LINE:field", or the fault. */
static const char *read_all(struct arena *a, const char *text, size_t n)
{
	struct csv c;
	struct csv_row row;
	struct fault f = {0};
	struct bytes b = {0};
	const char *out;
	int got;

	csv_init(&c, text, n);
	while ((got = csv_next(&c, a, &row, &f)) > 0) {
		text_putf(&b, "%s%u:", b.len ? ";" : "", row.line);
		for (uint32_t i = 0; i < row.n; i++)
			text_putf(&b, "%s%s", i ? "|" : "", row.fields[i]);
	}
	if (got < 0)
		text_putf(&b, "%s! %s", b.len ? ";" : "", f.text);
	out = arena_strndup(a, b.len ? (const char *)b.data : "", b.len);
	bytes_finish(&b);
	return out;
}

static void rows_are_read(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"", ""},
	    {"\n\n \r\n", ""},
	    {"   ", ""},
	    {"a", "1:a"},
	    {"a,b\n1,2\n", "1:a|b;2:1|2"},
	    {"a,b\r\n1,2\r\n", "1:a|b;2:1|2"},
	    {"a,b\r1,2\r", "1:a|b;2:1|2"},
	    {"\xef\xbb\xbf"
	     "a,b\n",
	     "1:a|b"},
	    {"\xef\xbb\xbf", ""},
	    {"\n\na\n\n\nb\n", "3:a;6:b"},
	    {",\n,,\n", "1:|;2:||"},
	    {" a , b c \t,d\n", "1:a|b c|d"},
	    {"\"a\",\" b \",\"\"\n", "1:a| b |"},
	    {"\"a\"\"b\",\"\"\"\",c\"d\n", "1:a\"b|\"|c\"d"},
	    {"\"a,b\",c\n", "1:a,b|c"},
	    {"\"a\nb\",c\nd\n", "1:a\nb|c;3:d"},
	    {"\"a\r\nb\"\nd\n", "1:a\r\nb;3:d"},
	    {"a, \"b\" ,c\n", "1:a|b|c"},
	    {"\"\"\n", "1:"},
	    {"a\n1,2,3\n4", "1:a;2:1|2|3;3:4"},
	    {"a\"b\n", "1:a\"b"},
	    /* what is wrong, and where */
	    {"a\n\"b\nc", "1:a;! line 2: a quote is not closed"},
	    {"\"", "! line 1: a quote is not closed"},
	    {"\"a\"b\n", "! line 1: text after a closing quote; a quote inside is doubled"},
	    {"a\n\n\"x\"\"y\" z\n", "1:a;! line 3: text after a closing quote; a quote inside is doubled"},
	};
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(read_all(&a, rows[i].text, strlen(rows[i].text)), rows[i].want);
	arena_finish(&a);
}

static void binary_is_no_table(void **state)
{
	struct arena a = {0};

	(void)state;
	assert_string_equal(read_all(&a, "a,b\n1,\0\n", 8),
	                    "1:a|b;! line 2: there is a NUL byte; it is no CSV text");
	assert_string_equal(read_all(&a, "\"a\0b\"\n", 6),
	                    "! line 1: there is a NUL byte; it is no CSV text");
	assert_string_equal(read_all(&a, "a\0\n\0", 4),
	                    "! line 1: there is a NUL byte; it is no CSV text"); /* UTF-16 */
	assert_string_equal(read_all(&a, "\xff\xfe\n", 3), "1:\xff\xfe");        /* bytes are not judged */
	arena_finish(&a);
}

static void large_ones_take_no_longer_than_they_must(void **state)
{
	size_t n = 4 << 20;
	char *text = malloc(n);
	struct csv c;
	struct csv_row row;
	struct arena a = {0};
	struct fault f;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', n); /* one field */
	csv_init(&c, text, n);
	assert_int_equal(csv_next(&c, &a, &row, &f), 1);
	assert_int_equal(row.n, 1);
	assert_int_equal(strlen(row.fields[0]), n);
	assert_int_equal(csv_next(&c, &a, &row, &f), 0);
	memset(text, '"', n); /* a quoted field of quotes */
	csv_init(&c, text, n);
	assert_int_equal(csv_next(&c, &a, &row, &f), 1);
	assert_int_equal(strlen(row.fields[0]), n / 2 - 1);
	memset(text, '\n', n); /* blank lines */
	csv_init(&c, text, n);
	assert_int_equal(csv_next(&c, &a, &row, &f), 0);
	memset(text, ' ', n); /* one blank line */
	csv_init(&c, text, n);
	assert_int_equal(csv_next(&c, &a, &row, &f), 0);
	memset(text, ',', n); /* more fields than anybody has */
	csv_init(&c, text, n);
	assert_int_equal(csv_next(&c, &a, &row, &f), -1);
	assert_string_equal(f.text, "line 1: more than 10000 fields");
	arena_finish(&a);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_are_read),
	    cmocka_unit_test(binary_is_no_table),
	    cmocka_unit_test(large_ones_take_no_longer_than_they_must),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
