/* Programs that answer, fail, hang, flood, are not there. */
#include "inquire.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ENOUGH_MS = 60000, SHORT_MS = 100 };

static struct inquiry a;

static int ask(const char *script, int64_t limit_ms, struct fault *f)
{
	const char *argv[] = {"sh", "-c", script, "sh", "a 'b'", NULL};

	return inquire_program(argv, limit_ms, &a, f);
}

static void test_answers(void **state)
{
	static const struct {
		const char *script;
		int status;
		const char *out, *err;
	} rows[] = {
	    {"echo RUNNING", 0, "RUNNING\n", ""},
	    {"printf '%s' \"$1\"; echo no >&2; exit 35", 35, "a 'b'", "no\n"},
	    {"exit 0", 0, "", ""},
	    {"kill -9 $$", -1, "", ""},
	    {"exec >&- 2>&-; exit 3", 3, "", ""},
	    {"wc -c", 0, "0\n", ""}, /* nothing to read, and no terminal */
	};
	struct fault f;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (ask(rows[i].script, ENOUGH_MS, &f))
			fail_msg("%s: %s", rows[i].script, f.text);
		assert_int_equal(a.status, rows[i].status);
		assert_string_equal(a.out, rows[i].out);
		assert_string_equal(a.err, rows[i].err);
	}
}

static void test_a_flood_is_cut(void **state)
{
	struct fault f;

	(void)state;
	assert_int_equal(ask("yes ok | head -n 100000; yes no | head -n 100000 >&2; exit 4", ENOUGH_MS, &f),
	                 0);
	assert_int_equal(a.status, 4);
	assert_int_equal(strlen(a.out), INQUIRE_OUT);
	assert_int_equal(strlen(a.err), INQUIRE_ERR);
}

static void test_not_there(void **state)
{
	const char *argv[] = {"no-such-program-here", NULL};
	struct fault f;

	(void)state;
	assert_int_equal(inquire_program(argv, ENOUGH_MS, &a, &f), -1);
	assert_string_equal(f.text, "there is no no-such-program-here here");
	assert_string_equal(a.out, "");
	argv[0] = "/";
	assert_int_equal(inquire_program(argv, ENOUGH_MS, &a, &f), -1);
	assert_non_null(strstr(f.text, "/ cannot be started: "));
}

/* With all that it has started, whatever that holds open. */
static void test_hanging(void **state)
{
	static const char *const scripts[] = {
	    "echo $$ >&2; sleep 1000 & echo $!; wait",
	    "echo $$ >&2; sleep 1000 & echo $!; exit 0",
	    "echo $$ >&2; trap '' TERM; sleep 1000 & echo $!; exec >&- 2>&-; wait",
	};
	struct fault f;

	(void)state;
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* what they leave behind becomes ours, and can be waited for */
	for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
		assert_int_equal(ask(scripts[i], SHORT_MS, &f), -1);
		assert_int_equal(f.code, FAULT_WORKER);
		assert_non_null(strstr(f.text, "sh gave no answer in"));
		if (!a.err[0])
			continue; /* it had no time to begin */
		assert_int_equal(kill((pid_t)atol(a.err), 0), -1);
		if (a.out[0])
			assert_int_equal(waitpid((pid_t)atol(a.out), NULL, 0), (pid_t)atol(a.out));
	}
}

/* What we block or ignore ourselves is not its business. */
static void test_signals_are_its_own(void **state)
{
	sigset_t all, old;
	struct fault f;

	(void)state;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(ask("kill -TERM $$; echo survived", ENOUGH_MS, &f), 0);
	assert_int_equal(a.status, -1);
	assert_int_equal(ask("kill -PIPE $$; echo survived", ENOUGH_MS, &f), 0);
	assert_int_equal(a.status, -1);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_a_flood_is_cut),
	    cmocka_unit_test(test_not_there),
	    cmocka_unit_test(test_hanging),
	    cmocka_unit_test(test_signals_are_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
