/* The YAML tree: kinds, places, quotes, and refusals. What mistakes are told as is in test_study.c. */
#include "yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

struct told {
	uint32_t count, line, col;
	char text[300];
};

static void report(void *ctx, uint32_t line, uint32_t col, const char *text)
{
	struct told *t = ctx;

	if (t->count++ == 0) {
		t->line = line;
		t->col = col;
		snprintf(t->text, sizeof t->text, "%s", text);
	}
}

static struct yaml_node *parse(const char *text, struct told *t)
{
	*t = (struct told){0};
	return yaml_parse(&arena, text, strlen(text), report, t);
}

/* One line for a tree: map {k: v}, list [v], text 'v', null ~. */
static void dump(const struct yaml_node *n, char *out)
{
	if (n->key)
		sprintf(out + strlen(out), "%s:", n->key->text);
	if (n->kind == YAML_TEXT)
		sprintf(out + strlen(out), "'%s'", n->text);
	else if (n->kind == YAML_NULL)
		strcat(out, "~");
	else
		strcat(out, n->kind == YAML_MAP ? "{" : "[");
	for (const struct yaml_node *c = n->first; c; c = c->next) {
		dump(c, out);
		strcat(out, c->next ? " " : "");
	}
	if (n->kind == YAML_MAP || n->kind == YAML_LIST)
		strcat(out, n->kind == YAML_MAP ? "}" : "]");
}

static void test_trees(void **state)
{
	static const struct {
		const char *text, *tree;
	} rows[] = {
	    {"", "~"},
	    {"a", "'a'"},
	    {"a: 1\nb:\n  - x\n  -\n  - ~\n", "{a:'1' b:['x' ~ ~]}"},
	    {"a:\nb: null\nc: \"null\"\n", "{a:~ b:~ c:'null'}"},
	    {"{a: [1, {b: c}], d: ''}", "{a:['1' {b:'c'}] d:''}"},
	    {"a: >\n  x\n  y\nb: |\n  z\n", "{a:'x y\n' b:'z\n'}"},
	    {"a: 'it''s' # c\nb: \"\\u00e9\\n\"\n", "{a:'it's' b:'\xc3\xa9\n'}"},
	    {"\xef\xbb\xbf"
	     "a: 1",
	     "{a:'1'}"},
	    {"a: 1\r\nb: 2\r\n", "{a:'1' b:'2'}"},
	    {"--- \na: &x 1\n...\n", "{a:'1'}"},
	    {"a: ''\nb: '''x'''' y'\nc: 'p\n\n  q'\n", "{a:'' b:''x'' y' c:'p\nq'}"},
	    {"'a''': ['''''''''''''''''''''''']", "{a':[''''''''''''']}"},
	    {"? a\n: b\n", "{a:'b'}"},
	    {"~: 1", "{~:'1'}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char out[300] = "";
		struct told t;
		struct yaml_node *n = parse(rows[i].text, &t);

		if (!n || t.count)
			fail_msg("%s: %u:%u %s", rows[i].text, t.line, t.col, t.text);
		dump(n, out);
		assert_string_equal(out, rows[i].tree);
	}
}

static void test_places(void **state)
{
	struct told t;
	const struct yaml_node *n = parse("a: 1\nb:\n  c: \"x y\"\n  \xc3\xa9: {z: w}\n", &t), *c;

	(void)state;
	assert_non_null(n);
	c = n->first->next->first;
	assert_int_equal(n->first->line, 1);
	assert_int_equal(n->first->col, 4);
	assert_int_equal(c->key->line, 3);
	assert_int_equal(c->key->col, 3);
	assert_true(c->exact && !c->plain);
	assert_int_equal(c->next->first->line, 4);
	assert_int_equal(c->next->first->col, 10);
}

/* Values cut at a comma are put together again, so that they are one mistake only. */
static void test_cut_values(void **state)
{
	static const struct {
		const char *text, *tree;
		uint32_t told;
	} rows[] = {
	    {"{a: f(1, 2), b: 3}", "{a:'f(1, 2)' b:'3'}", 1},
	    {"[f(1, g(2, 3)), 4]", "['f(1, g(2, 3))' '4']", 1},
	    {"{a: f(1, b: 2}", "{a:'f(1' b:'2'}", 0},
	    {"{a: 'f(1, 2)'}", "{a:'f(1, 2)'}", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char out[300] = "";
		struct told t;

		dump(parse(rows[i].text, &t), out);
		assert_string_equal(out, rows[i].tree);
		assert_int_equal(t.count, rows[i].told);
	}
}

static void test_duplicates_keep_the_first(void **state)
{
	char out[300] = "";
	struct told t;

	(void)state;
	dump(parse("a: 1\nb: 2\na: 3\nb: 4\nc: 5\n", &t), out);
	assert_string_equal(out, "{a:'1' b:'2' c:'5'}");
	assert_int_equal(t.count, 2);
	assert_int_equal(t.line, 3);
}

static void test_many_keys(void **state)
{
	char *text = malloc(20 << 20), *p = text;
	struct told t;
	struct yaml_node *n;

	(void)state;
	for (int i = 0; i < 400000; i++)
		p += sprintf(p, "k%d: %d\n", i, i);
	n = parse(text, &t);
	assert_non_null(n);
	assert_int_equal(n->count, 400000);
	for (int i = 0; i < 400000; i++)
		p += sprintf(p, "x%d: %d\n", i, i);
	assert_null(parse(text, &t));
	assert_string_equal(t.text, "too large: more than 1000000 values");
	free(text);
}

static void test_depth(void **state)
{
	char text[1000] = "";
	struct told t;

	(void)state;
	for (int i = 0; i < YAML_MAX_DEPTH; i++)
		strcat(text, "[");
	for (int i = 0; i < YAML_MAX_DEPTH; i++)
		strcat(text, "]");
	assert_non_null(parse(text, &t));
	memmove(text + 1, text, strlen(text) + 1);
	strcat(text, "]");
	assert_null(parse(text, &t));
	assert_int_equal(t.col, YAML_MAX_DEPTH + 1);
}

static void test_long_lines(void **state)
{
	char *text = calloc(1, YAML_MAX_LINE + 10);
	struct told t;

	(void)state;
	memset(text, 'a', YAML_MAX_LINE);
	assert_non_null(parse(text, &t));
	strcat(text, "aa");
	assert_null(parse(text, &t));
	assert_string_equal(t.text, "a line of more than 1 MiB");
	free(text);
}

static int finish(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_trees),      cmocka_unit_test(test_places),
	    cmocka_unit_test(test_cut_values), cmocka_unit_test(test_duplicates_keep_the_first),
	    cmocka_unit_test(test_many_keys),  cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_long_lines),
	};

	return cmocka_run_group_tests_name("yaml", tests, NULL, finish);
}
