/* Companions under a real keeper: what is said to them and what they say, their events beside those of
 * trainers, and what is left of them when they end. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 30000 };

struct world {
	struct keeper *k;
	char log[32];
	int log_fd;
};

static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "RANKSWEEP_SEARCH=train.-1", NULL};
static const char *const trainer_env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "RANKSWEEP_UNIT=1",
                                          "RANKSWEEP_ATTEMPT=1", NULL};

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct fault f;

	*state = w;
	signal(SIGPIPE, SIG_IGN);
	if (!w || keeper_start(&w->k, &f))
		return -1;
	strcpy(w->log, "/tmp/rs-companion.XXXXXX");
	w->log_fd = mkostemp(w->log, O_APPEND | O_CLOEXEC);
	return w->log_fd < 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	keeper_close(w->k, 0);
	close(w->log_fd);
	unlink(w->log);
	free(w);
	return 0;
}

static struct child_pipes start(struct world *w, uint32_t id, const char *setup, const char *script)
{
	const char *argv[] = {"/bin/sh", "-c", script, "sh", "a 'b'", NULL};
	struct child_spec s = {.id = id,
	                       .argv = argv,
	                       .envp = id < CHILD_COMPANION ? trainer_env : env,
	                       .cwd = "/",
	                       .setup = setup,
	                       .err_fd = w->log_fd};
	struct child_pipes p;
	struct fault f;

	if (child_start(w->k, &s, &p, &f))
		fail_msg("%s", f.text);
	return p;
}

static void tell(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* All that comes until the end of file. */
static const char *rest_of(int fd)
{
	static char buf[4096];
	size_t n = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t got;

		assert_true(poll(&p, 1, PATIENCE_MS) > 0);
		got = read(fd, buf + n, sizeof buf - 1 - n);
		if (got == 0)
			break;
		assert_true(got > 0 || errno == EAGAIN || errno == EINTR);
		n += got > 0 ? (size_t)got : 0;
	}
	buf[n] = '\0';
	return buf;
}

static const char *log_text(const struct world *w)
{
	static char buf[4096];
	ssize_t n = pread(w->log_fd, buf, sizeof buf - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

/* The end of what is named; nothing else is to end before it. */
static struct child_event await_end(struct world *w, uint32_t id)
{
	struct child_event e;
	struct fault f;

	for (;;) {
		struct pollfd p = {.fd = keeper_fd(w->k), .events = POLLIN};

		while (keeper_next(w->k, &e, &f) == 1 || keeper_next_companion(w->k, &e)) {
			if (e.kind == CHILD_STARTED)
				continue;
			assert_int_equal(e.id, id);
			return e;
		}
		assert_true(poll(&p, 1, PATIENCE_MS) > 0);
	}
}

static void test_talks(void **state)
{
	static const char script[] = "echo oops >&2; read a; echo \"$a $1 $RANKSWEEP_METRIC_PIPE.\"; cat; "
	                             "exit 3";
	struct world *w = *state;
	uint32_t id = CHILD_COMPANION + 5;
	struct child_pipes p = start(w, id, NULL, script);
	struct child_event e;

	assert_true(p.err < 0 && p.metric < 0);
	tell(p.in, "one\ntwo\n");
	close(p.in);
	assert_string_equal(rest_of(p.out), "one a 'b' .\ntwo\n");
	assert_string_equal(log_text(w), "oops\n");
	e = await_end(w, id);
	assert_true(e.kind == CHILD_EXITED && e.exit_code == 3 && !e.signal);
	close(p.out);
}

/* The shell's own: it holds none of a pipeline here, and is not the last command itself. */
#define LIST_FDS "ls /proc/$$/fd; exit"

static void test_descriptors(void **state)
{
	struct world *w = *state;
	struct child_pipes p = start(w, CHILD_COMPANION, NULL, LIST_FDS);

	assert_string_equal(rest_of(p.out), "0\n1\n2\n");
	close(p.in);
	close(p.out);
}

/* What it prints is no answer, and what we say is not for it to read. */
static void test_setup_is_kept_apart(void **state)
{
	struct world *w = *state;
	struct child_pipes p = start(w, CHILD_COMPANION, "echo loading; read x; X=set; export X",
	                             "read a; echo \"$a $1 $X\"; " LIST_FDS);

	tell(p.in, "one\n");
	close(p.in);
	assert_string_equal(rest_of(p.out), "one a 'b' set\n0\n1\n2\n");
	assert_string_equal(log_text(w), "loading\n");
	close(p.out);
}

static void test_cannot_be_started(void **state)
{
	static const char *const argv[] = {"/no/such/program", NULL};
	struct world *w = *state;
	struct child_spec s = {
	    .id = CHILD_COMPANION + 1, .argv = argv, .envp = env, .cwd = "/", .err_fd = w->log_fd};
	struct child_pipes p;
	struct child_event e;
	struct fault f;

	assert_int_equal(child_start(w->k, &s, &p, &f), 0);
	e = await_end(w, s.id);
	assert_true(e.kind == CHILD_SPAWN_FAILED && e.error == ENOENT);
	assert_string_equal(rest_of(p.out), "");
	close(p.in);
	close(p.out);
}

/* Its end takes all of its tree along; a trainer's end is told while it lives, though the trainer has left a
 * process that denies where it comes from. */
static void test_beside_trainers(void **state)
{
	struct world *w = *state;
	uint32_t id = CHILD_COMPANION;
	struct child_pipes p = start(w, id, NULL, "setsid sleep 1000 & sleep 1000 & cat >/dev/null"),
	                   t = start(w, 1, NULL, "setsid env -i /bin/sleep 1000 & exit 0");
	struct child_event e;
	struct fault f;

	assert_string_equal(rest_of(t.out), "");
	assert_int_equal(await_end(w, 1).kind, CHILD_EXITED);
	assert_int_equal(child_stop(w->k, id, 0, &f), 0);
	e = await_end(w, id);
	assert_int_equal(e.signal, SIGKILL);
	assert_string_equal(rest_of(p.out), "");
	close(p.in);
	close(p.out);
	close(t.out);
	close(t.err);
	close(t.metric);
}

static void test_closing_ends_it(void **state)
{
	struct world *w = *state;
	struct child_pipes p =
	    start(w, CHILD_COMPANION, NULL, "trap '' TERM; echo ready; while :; do sleep 1; done");
	char ready[6] = "";
	struct pollfd wait = {.fd = p.out, .events = POLLIN};

	assert_true(poll(&wait, 1, PATIENCE_MS) > 0 && read(p.out, ready, 6) == 6);
	keeper_close(w->k, 100);
	assert_string_equal(rest_of(p.out), "");
	close(p.in);
	close(p.out);
	w->k = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_talks, open_world, close_world),
	    cmocka_unit_test_setup_teardown(test_descriptors, open_world, close_world),
	    cmocka_unit_test_setup_teardown(test_setup_is_kept_apart, open_world, close_world),
	    cmocka_unit_test_setup_teardown(test_cannot_be_started, open_world, close_world),
	    cmocka_unit_test_setup_teardown(test_beside_trainers, open_world, close_world),
	    cmocka_unit_test_setup_teardown(test_closing_ends_it, open_world, close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
