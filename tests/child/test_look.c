/* A process of this host as others see it. */
#include "child.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SOON_MS = 60000 };

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static enum child_sight look(pid_t pid)
{
	return child_look(pid, now_ms() + SOON_MS);
}

static pid_t child_that(void (*does)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		does();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void waits(void)
{
	pause();
}

static void wait_until(pid_t pid, int what)
{
	siginfo_t info;

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, what | WNOWAIT), 0);
}

static void test_a_life(void **state)
{
	pid_t pid = child_that(waits);

	(void)state;
	assert_int_equal(look(pid), CHILD_SEEN);
	kill(pid, SIGSTOP);
	wait_until(pid, WSTOPPED);
	assert_int_equal(look(pid), CHILD_STOPPED);
	kill(pid, SIGCONT);
	wait_until(pid, WCONTINUED);
	assert_int_equal(look(pid), CHILD_SEEN);
	kill(pid, SIGKILL);
	wait_until(pid, WEXITED);
	assert_int_equal(look(pid), CHILD_ZOMBIE);
	waitpid(pid, NULL, 0);
	assert_int_equal(look(pid), CHILD_GONE);
}

/* The number may be somebody else's by now. */
static void test_began_later(void **state)
{
	int64_t before = now_ms();
	pid_t pid = child_that(waits);

	(void)state;
	assert_int_equal(child_look(pid, before - 1000), CHILD_GONE);
	assert_int_equal(child_look(pid, before + 1000), CHILD_SEEN);
	assert_int_equal(child_look(getppid(), before + 1000), CHILD_SEEN);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_no_process(void **state)
{
	(void)state;
	assert_int_equal(look(0), CHILD_UNSEEN);
	assert_int_equal(look(-1), CHILD_UNSEEN);
	assert_int_equal(child_look(INT64_C(1) << 40, now_ms()), CHILD_UNSEEN);
}

static void *stays(void *ready)
{
	char byte = 1;

	if (write(*(int *)ready, &byte, 1) == 1)
		pause();
	return NULL;
}

static int ready[2];

static void leaves_a_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, stays, &ready[1]);
	pthread_exit(NULL);
}

static char state_of(pid_t pid)
{
	char path[64], text[512] = "";
	FILE *file;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof text, file));
	fclose(file);
	return strrchr(text, ')')[2];
}

/* Linux shows a program whose main thread has ended like a zombie, though it works on. */
static void test_main_thread_gone(void **state)
{
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = child_that(leaves_a_thread);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	while (state_of(pid) != 'Z')
		sched_yield();
	assert_int_equal(look(pid), CHILD_SEEN);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_life),
	    cmocka_unit_test(test_began_later),
	    cmocka_unit_test(test_no_process),
	    cmocka_unit_test(test_main_thread_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
