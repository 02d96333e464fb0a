/* Which file of the kernel counts the trainers' deaths for memory, and what its count says of one. The
 * kernel's files are copied into a folder, so that version 2, version 1 and containers can all be tried
 * anywhere. */
#include "child_keeper.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

/* All files that are asked for, by name below `folder`; folders are made on the way. */
static const char *put(const char *name, const char *text)
{
	static char path[4][256];
	static int next;
	char *p = path[next++ % 4];
	FILE *file;

	snprintf(p, sizeof path[0], "%s/%s", folder, name);
	for (char *slash = strchr(p + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(p, 0700);
		*slash = '/';
	}
	file = fopen(p, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return p;
}

static void find(struct child_oom *m, const char *groups)
{
	char root[128];

	snprintf(root, sizeof root, "%s/sys", folder);
	child_oom_find(m, put("cgroup", groups), root, put("vmstat", "nr_free_pages 5\noom_kill 7\n"));
}

static const char *below(const char *path)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) ? path : path + n + 1;
}

#define V2(n) "low 0\nhigh 0\nmax 9\noom 4\noom_kill " #n "\noom_group_kill 3\n"
#define V1(n) "oom_kill_disable 0\nunder_oom 0\noom_kill " #n "\n"

static void test_version_2(void **state)
{
	struct child_oom m;

	(void)state;
	put("sys/slurm/job_1/memory.events", V2(1));
	put("sys/slurm/job_1/step_0/memory.events", V2(2));
	find(&m, "0::/slurm/job_1/step_0\n");
	assert_string_equal(below(m.path), "sys/slurm/job_1/step_0/memory.events");
	assert_int_equal(m.seen, 2);
	/* a group without the memory controller: the nearest above it */
	find(&m, "0::/slurm/job_1/other/task_3\n");
	assert_string_equal(below(m.path), "sys/slurm/job_1/memory.events");
	assert_int_equal(m.seen, 1);
	/* the root of a namespace */
	put("sys/memory.events", V2(5));
	find(&m, "0::/\n");
	assert_string_equal(below(m.path), "sys//memory.events");
	/* a container that is told the host's path */
	find(&m, "0::/docker/0123abcd\n");
	assert_string_equal(below(m.path), "sys/memory.events");
	assert_int_equal(m.seen, 5);
}

static void test_version_1(void **state)
{
	struct child_oom m;

	(void)state;
	put("sys/memory/slurm/uid_0/job_7/memory.oom_control", V1(3));
	find(&m, "9:pids:/x\n4:memory:/slurm/uid_0/job_7\n0::/\n");
	assert_string_equal(below(m.path), "sys/memory/slurm/uid_0/job_7/memory.oom_control");
	assert_int_equal(m.seen, 3);
	put("sys/memory/memory.oom_control", V1(8));
	find(&m, "4:memory:/docker/0123abcd\n");
	assert_string_equal(below(m.path), "sys/memory/memory.oom_control");
}

static void test_else_the_machine(void **state)
{
	struct child_oom m;

	(void)state;
	find(&m, "0::/\n1:cpu:/\nnonsense\n:\n");
	assert_string_equal(below(m.path), "vmstat");
	assert_int_equal(m.seen, 7);
	/* a kernel of before the counter */
	put("sys/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n");
	find(&m, "4:memory:/\n");
	assert_string_equal(below(m.path), "vmstat");
	child_oom_find(&m, "/no/such/file", "/no/such", "/no/such/file");
	assert_string_equal(m.path, "");
}

enum { KILLED = SIGKILL, EXITED_137 = 137 << 8, EXITED_1 = 1 << 8, SEGV = SIGSEGV };

static void test_charged_once(void **state)
{
	struct child_oom m;
	const struct rusage used = {.ru_maxrss = 1000};

	(void)state;
	put("sys/job/memory.events", V2(0));
	find(&m, "0::/job\n");
	assert_false(child_oom_died(&m, KILLED, false, &used, 0));
	put("sys/job/memory.events", V2(2));
	assert_false(child_oom_died(&m, EXITED_1, false, &used, 0));
	assert_false(child_oom_died(&m, SEGV, false, &used, 0));
	assert_false(child_oom_died(&m, KILLED, true, &used, 0)); /* it was us */
	assert_true(child_oom_died(&m, KILLED, false, &used, 0));
	assert_true(child_oom_died(&m, EXITED_137, false, &used, 0));
	assert_false(child_oom_died(&m, KILLED, false, &used, 0));
}

static void test_its_own_limit(void **state)
{
	struct child_oom m;
	const struct rusage used = {.ru_maxrss = 95 * 1024};

	(void)state;
	put("sys/job/memory.events", V2(0));
	find(&m, "0::/job\n");
	assert_true(child_oom_died(&m, EXITED_1, false, &used, INT64_C(100) << 20));
	assert_true(child_oom_died(&m, SEGV, false, &used, INT64_C(100) << 20));
	assert_false(child_oom_died(&m, EXITED_1, false, &used, INT64_C(200) << 20));
	assert_false(child_oom_died(&m, EXITED_1, false, &used, 0));
	assert_false(child_oom_died(&m, 0, false, &used, INT64_C(100) << 20));
	assert_false(child_oom_died(&m, EXITED_1, true, &used, INT64_C(100) << 20));
}

static int fresh_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/rs-oom.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	return system(command);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh_folder, remove_folder)
	const struct CMUnitTest tests[] = {
	    T(test_version_2),    T(test_version_1),     T(test_else_the_machine),
	    T(test_charged_once), T(test_its_own_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
