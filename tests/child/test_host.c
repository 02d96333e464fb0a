/* The machine as it is: what must agree with other sources, and files. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
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

static const char *in_folder(const char *name)
{
	static char path[4][512];
	static int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", folder, name);
	return p;
}

static void test_clocks_and_name(void **state)
{
	int64_t a = host_monotonic_ms(), b = host_monotonic_ms();

	(void)state;
	assert_true(a > 0 && b >= a);
	assert_true(host_epoch_ms() > INT64_C(1700000000000));
	assert_true(strlen(host_name()) > 0);
	assert_null(strchr(host_name(), '.'));
}

static void test_cpus_are_the_masks(void **state)
{
	uint32_t cpus[CPU_SETSIZE], n = host_cpus(cpus, CPU_SETSIZE);
	cpu_set_t mine, seen;

	(void)state;
	CPU_ZERO(&seen);
	sched_getaffinity(0, sizeof mine, &mine);
	for (uint32_t i = 0; i < n; i++) {
		assert_false(CPU_ISSET(cpus[i], &seen));
		CPU_SET(cpus[i], &seen);
	}
	assert_true(CPU_EQUAL(&seen, &mine));
	assert_in_range(host_cores(), 1, n);
	assert_int_equal(host_cpus(cpus, 1), 1);
	assert_int_equal(host_cpus(NULL, 0), 0);
}

static void test_bind_confines_and_the_cpus_stay_known(void **state)
{
	uint32_t cpus[CPU_SETSIZE], n = host_cpus(cpus, CPU_SETSIZE), again[CPU_SETSIZE];
	cpu_set_t seen, want;

	(void)state;
	CPU_ZERO(&want);
	CPU_SET(cpus[n - 1], &want);
	assert_true(host_bind(0, &cpus[n - 1], 1));
	sched_getaffinity(0, sizeof seen, &seen);
	assert_true(CPU_EQUAL(&seen, &want));
	assert_false(host_bind(0, NULL, 0));
	assert_int_equal(host_cpus(again, CPU_SETSIZE), n);
	assert_true(host_bind(0, cpus, n));
	sched_getaffinity(0, sizeof seen, &seen);
	assert_int_equal(CPU_COUNT(&seen), n);
}

static void test_gpus(void **state)
{
	static const struct {
		const char *visible;
		uint32_t n;
	} rows[] = {
	    {"", 0},       {"0", 1},
	    {"0,1,3", 3},  {"-1", 0},
	    {"0,-1,1", 1}, {"NoDevFiles", 0},
	    {"1, 2", 2},   {"GPU-8932f937-d72c-4106-c12f-20bd9faed9f6,MIG-1", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		setenv("CUDA_VISIBLE_DEVICES", rows[i].visible, 1);
		assert_int_equal(host_gpus(), rows[i].n);
	}
	unsetenv("CUDA_VISIBLE_DEVICES");
}

static void test_memory(void **state)
{
	int64_t all = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);

	(void)state;
	assert_true(host_memory_bytes() > 1 << 20 && host_memory_bytes() <= all);
}

static void test_signals(void **state)
{
	static const int all[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
	struct fault f = {0};
	int fd = host_signals_open(&f), ends[2];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	unsigned seen = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(host_signals_take(fd), 0);
	for (size_t i = 0; i < 5; i++)
		raise(all[i]);
	assert_int_equal(poll(&p, 1, 10000), 1);
	for (int s; (s = host_signals_take(fd));)
		seen |= 1u << s;
	for (size_t i = 0; i < 5; i++)
		assert_true(seen >> all[i] & 1);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(write(ends[1], "", 1), -1); /* SIGPIPE would have ended us */
	assert_int_equal(errno, EPIPE);
	close(ends[1]);
	close(fd);
}

static void test_file_system(void **state)
{
	const char *name = NULL;

	(void)state;
	if (access("/dev/shm", F_OK) == 0) {
		assert_int_equal(host_file_system("/dev/shm/not/yet/there.db", &name), HOST_FS_LOCAL);
		assert_string_equal(name, "tmpfs");
	}
	assert_int_equal(host_file_system("/proc/self", &name), HOST_FS_UNKNOWN);
	assert_string_equal(name, "unknown");
	{
		const char *here, *file;
		enum host_fs a = host_file_system(".", &here), b = host_file_system("no-such-file", &file);

		assert_int_equal(a, b);
		assert_string_equal(here, file);
	}
}

static void test_read_and_write(void **state)
{
	static const char text[] = "a\0b\n";
	struct bytes b = {0};
	struct fault f = {0};
	struct stat s;

	(void)state;
	assert_int_equal(host_write_file(in_folder("file"), "old old old", 11, &f), 0);
	assert_int_equal(host_write_file(in_folder("file"), text, sizeof text, &f), 0);
	assert_int_equal(host_read_file(in_folder("file"), sizeof text, &b, &f), 0);
	assert_int_equal(b.len, sizeof text);
	assert_memory_equal(b.data, text, sizeof text);
	assert_int_equal(host_read_file(in_folder("file"), sizeof text - 1, &b, &f), -1);
	assert_non_null(strstr(f.text, "larger"));
	assert_int_equal(host_read_file("/proc/self/status", 1 << 20, &b, &f), 0);
	assert_true(b.len > 100);
	assert_int_equal(host_write_private(in_folder("secret"), "", 0, &f), 0);
	assert_int_equal(stat(in_folder("secret"), &s), 0);
	assert_int_equal(s.st_mode & 0777, 0600);
	assert_int_equal(s.st_size, 0);
	bytes_finish(&b);
	unlink(in_folder("file"));
	unlink(in_folder("secret"));
	assert_true(host_dir_empty(folder)); /* nothing left beside */
}

static void test_file_errors_name_the_file(void **state)
{
	struct bytes b = {0};
	struct fault f = {0};

	(void)state;
	assert_int_equal(host_read_file(in_folder("none"), 10, &b, &f), -1);
	assert_int_equal(f.code, FAULT_IO);
	assert_non_null(strstr(f.text, "/none: No such file"));
	assert_int_equal(host_read_file(folder, 10, &b, &f), -1);
	assert_non_null(strstr(f.text, "directory"));
	assert_int_equal(host_write_file(in_folder("no/file"), "x", 1, &f), -1);
	assert_non_null(strstr(f.text, "/no/file"));
	mkdir(in_folder("target"), 0700);
	assert_int_equal(host_write_file(in_folder("target"), "x", 1, &f), -1);
	rmdir(in_folder("target"));
	assert_true(host_dir_empty(folder)); /* also none of the failed attempt */
	assert_int_equal(host_write_file("/dev/full/x", "x", 1, &f), -1);
	bytes_finish(&b);
}

static void test_folders(void **state)
{
	struct fault f = {0};
	struct stat s;

	(void)state;
	assert_true(host_dir_empty(in_folder("a")));
	assert_int_equal(host_make_dirs(in_folder("a//b/c/"), &f), 0);
	assert_int_equal(host_make_dirs(in_folder("a/b/c"), &f), 0);
	assert_int_equal(stat(in_folder("a/b/c"), &s), 0);
	assert_true(S_ISDIR(s.st_mode));
	assert_true(host_dir_empty(in_folder("a/b/c")));
	assert_false(host_dir_empty(in_folder("a")));
	assert_int_equal(host_write_file(in_folder("a/file"), "", 0, &f), 0);
	assert_int_equal(host_make_dirs(in_folder("a/file/d"), &f), -1);
	assert_non_null(strstr(f.text, "a/file: Not a directory"));
	assert_int_equal(host_make_dirs(in_folder("a/file"), &f), -1);
	assert_int_equal(host_make_dirs("", &f), -1);
	assert_false(host_dir_empty(in_folder("a/file")));
	unlink(in_folder("a/file"));
	rmdir(in_folder("a/b/c"));
	rmdir(in_folder("a/b"));
	rmdir(in_folder("a"));
}

static void test_absolute(void **state)
{
	static const char *const rows[][2] = {
	    {"x.db", "/x.db"}, {"./x.db", "/x.db"}, {".//x", "/x"}, {"../x", "/../x"}, {".", ""}, {"./", ""},
	};
	struct arena a = {0};
	char want[4200], cwd[4096];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof cwd));
	assert_string_equal(host_absolute(&a, "/tmp/./x"), "/tmp/./x");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(want, sizeof want, "%s%s", cwd, rows[i][1]);
		assert_string_equal(host_absolute(&a, rows[i][0]), want);
	}
	arena_finish(&a);
}

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test_host.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_clocks_and_name),
	    cmocka_unit_test(test_cpus_are_the_masks),
	    cmocka_unit_test(test_bind_confines_and_the_cpus_stay_known),
	    cmocka_unit_test(test_gpus),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_signals),
	    cmocka_unit_test(test_file_system),
	    cmocka_unit_test(test_read_and_write),
	    cmocka_unit_test(test_file_errors_name_the_file),
	    cmocka_unit_test(test_folders),
	    cmocka_unit_test(test_absolute),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
