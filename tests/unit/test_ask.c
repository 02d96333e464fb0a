#include "ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static struct fault f;

static void a_request_comes_back(void **state)
{
	const char *const words[] = {"reset", "--", "lr=0.1", "", "act=it's\nnew", NULL};
	const struct ask in = {"0001-node-17-1", "me@node pid 17", words, 5};
	struct ask out;
	struct bytes b = {0};
	struct arena a = {0};

	(void)state;
	assert_int_equal(ask_encode(&b, &in, &f), 0);
	assert_int_equal(ask_decode(&a, b.data, b.len, &out, &f), 0);
	assert_string_equal(out.id, in.id);
	assert_string_equal(out.who, in.who);
	assert_int_equal(out.nwords, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_string_equal(out.words[i], words[i]);
	assert_null(out.words[5]);
	bytes_finish(&b);
	arena_finish(&a);
}

static void an_answer_comes_back(void **state)
{
	static const struct ask_answer rows[] = {
	    {"a-1", 0, "12 units\n", "", 9, 0},
	    {"a-2", 64, "", "wrong\n", 0, 6},
	    {"a-3", 255, "a\0b", "c\0", 3, 2},
	    {"a-4", 1, NULL, NULL, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ask_answer out;
		struct bytes b = {0};

		assert_int_equal(ask_answer_encode(&b, &rows[i], &f), 0);
		assert_int_equal(ask_answer_decode(b.data, b.len, &out, &f), 0);
		assert_string_equal(out.id, rows[i].id);
		assert_int_equal(out.status, rows[i].status);
		assert_int_equal(out.out_bytes, rows[i].out_bytes);
		assert_int_equal(out.err_bytes, rows[i].err_bytes);
		if (out.out_bytes)
			assert_memory_equal(out.out, rows[i].out, out.out_bytes);
		if (out.err_bytes)
			assert_memory_equal(out.err, rows[i].err, out.err_bytes);
		bytes_finish(&b);
	}
}

#define BYTES(s) s, sizeof s - 1
static const struct {
	const char *p;
	size_t n;
	const char *says; /* NULL: it is good */
} requests[] =
    {
        {BYTES("ranksweep request\0001\0id\0me\0reset\0"), NULL},
        {BYTES("ranksweep request\0001\0id\0me\0reset\0\0"), NULL},
        {BYTES(""), "does not begin"},
        {BYTES("\0"), "does not begin"},
        {BYTES("ranksweep request"), "does not begin"},
        {BYTES("ranksweep answer\0001\0id\0me\0reset\0"), "does not begin"},
        {BYTES("ranksweep request\0"), "no version"},
        {BYTES("ranksweep request\0one\0id\0me\0reset\0"), "no version"},
        {BYTES("ranksweep request\0002\0id\0me\0reset\0"), "another ranksweep"},
        {BYTES("ranksweep request\0001\0"), "no id"},
        {BYTES("ranksweep request\0001\0\0me\0reset\0"), "no id"},
        {BYTES("ranksweep request\0001\0../x\0me\0reset\0"), "no id"},
        {BYTES("ranksweep request\0001\0.x\0me\0reset\0"), "no id"},
        {BYTES("ranksweep request\0001\0id\0"), "who asks"},
        {BYTES("ranksweep request\0001\0id\0\0reset\0"), "who asks"},
        {BYTES("ranksweep request\0001\0id\0\033[2J\0reset\0"), "who asks"},
        {BYTES("ranksweep request\0001\0id\0me\0"), "no verb"},
        {BYTES("ranksweep request\0001\0id\0me\0\0reset\0"), "no verb"},
        {BYTES("ranksweep request\0001\0id\0me\0reset\0unit="), "was cut"},
},
  answers[] = {
      {BYTES("ranksweep answer\0001\0id\0000\0002\0okno"), NULL},
      {BYTES("ranksweep answer\0001\0id\0000\0000\0"), NULL},
      {BYTES("ranksweep request\0001\0id\0000\0002\0ok"), "does not begin"},
      {BYTES("ranksweep answer\0009\0id\0000\0002\0ok"), "another ranksweep"},
      {BYTES("ranksweep answer\0001\0id\0"), "no exit status"},
      {BYTES("ranksweep answer\0001\0id\000256\0002\0ok"), "no exit status"},
      {BYTES("ranksweep answer\0001\0id\000-1\0002\0ok"), "no exit status"},
      {BYTES("ranksweep answer\0001\0id\0000\0003\0ok"), "was cut"},
      {BYTES("ranksweep answer\0001\0id\0000\000-3\0ok"), "was cut"},
      {BYTES("ranksweep answer\0001\0id\0000\0002"), "was cut"},
};

static void what_is_malformed_is_refused_and_says_why(void **state)
{
	struct arena a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		char *exact = malloc(requests[i].n ? requests[i].n : 1);
		struct ask out;
		int bad;

		memcpy(exact, requests[i].p, requests[i].n);
		bad = ask_decode(&a, exact, requests[i].n, &out, &f);
		if (bad != (requests[i].says ? -1 : 0) || (bad && !strstr(f.text, requests[i].says)))
			fail_msg("request %zu: %s", i, bad ? f.text : "is let through");
		free(exact);
	}
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		char *exact = malloc(answers[i].n);
		struct ask_answer out;
		int bad;

		memcpy(exact, answers[i].p, answers[i].n);
		bad = ask_answer_decode(exact, answers[i].n, &out, &f);
		if (bad != (answers[i].says ? -1 : 0) || (bad && !strstr(f.text, answers[i].says)))
			fail_msg("answer %zu: %s", i, bad ? f.text : "is let through");
		free(exact);
	}
	arena_finish(&a);
}

static void an_id_is_fit_for_the_name_of_a_file(void **state)
{
	char id[ASK_ID_MAX + 2];

	(void)state;
	memset(id, 'x', sizeof id);
	id[ASK_ID_MAX + 1] = '\0';
	assert_false(ask_id_valid(id));
	id[ASK_ID_MAX] = '\0';
	assert_true(ask_id_valid(id));
	assert_false(ask_id_valid(""));
	assert_false(ask_id_valid("."));
	assert_false(ask_id_valid("a/b"));
	assert_false(ask_id_valid("a.b"));
	assert_false(ask_id_valid("a b"));
}

static void size_is_bounded_on_both_sides(void **state)
{
	char *big = calloc(1, ASK_MAX_BYTES + 1), *const words[] = {(char[]){"reset"}, big, NULL};
	const struct ask in = {"id", "me", (const char *const *)words, 2};
	const struct ask_answer answer = {"id", 0, big, NULL, ASK_MAX_BYTES, 0};
	struct ask out;
	struct ask_answer back;
	struct bytes b = {0};
	struct arena a = {0};

	(void)state;
	memset(big, 'x', ASK_MAX_BYTES);
	assert_int_equal(ask_encode(&b, &in, &f), -1);
	assert_int_equal(f.code, FAULT_USAGE);
	assert_int_equal(ask_decode(&a, b.data, b.len, &out, &f), -1);
	bytes_clear(&b);
	assert_int_equal(ask_answer_encode(&b, &answer, &f), -1);
	assert_int_equal(ask_answer_decode(b.data, b.len, &back, &f), -1);
	bytes_finish(&b);
	arena_finish(&a);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_comes_back),
	    cmocka_unit_test(an_answer_comes_back),
	    cmocka_unit_test(what_is_malformed_is_refused_and_says_why),
	    cmocka_unit_test(an_id_is_fit_for_the_name_of_a_file),
	    cmocka_unit_test(size_is_bounded_on_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
