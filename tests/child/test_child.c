/* Real trainers under a real keeper. What is started is mostly this program itself in one of the roles at the
 * top; "gone" is proved by end of file: every process of a tree holds the trainer's pipes (or a fifo), so
 * their end means that none is left. Times are only bounds of failure. */
#include "child.h"

#include <dirent.h>
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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 30000, FLOOD = 10 << 20, MANY = 100, SLEEPERS = 200 };

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#else
enum { SANITIZED = 0 };
#endif

/* ---- roles of the trainer -------------------------------------------------------------------------------
 */

static void say(const char *text)
{
	if (write(1, text, strlen(text)) < 0)
		_exit(99);
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void until_orphan(pid_t parent)
{
	while (getppid() == parent)
		sched_yield();
}

static int role_descriptors(char **argv)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	(void)argv;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d))
			printf("%s ", e->d_name);
	closedir(d);
	return 0;
}

/* Lines of /proc/self/status that start with one of the arguments. */
static int role_status(char **argv)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[512];

	while (fgets(line, sizeof line, f))
		for (char **a = argv; *a; a++)
			if (!strncmp(line, *a, strlen(*a)))
				fputs(line, stdout);
	fclose(f);
	return 0;
}

static int role_session(char **argv)
{
	(void)argv;
	printf("%d %d", getsid(0) == getpid(), getpgrp() == getpid());
	return 0;
}

/* argv[0] bytes in a pattern to descriptor argv[1]. */
static int role_flood(char **argv)
{
	size_t n = (size_t)atol(argv[0]), at = 0;
	int fd = atoi(argv[1]);
	unsigned char part[4099];

	while (at < n) {
		size_t want = n - at < sizeof part ? n - at : sizeof part;

		for (size_t i = 0; i < want; i++)
			part[i] = (unsigned char)((at + i) * 31 >> 3);
		for (size_t done = 0; done < want;)
			done += (size_t)write(fd, part + done, want - done);
		at += want;
	}
	return 0;
}

static int role_ignore(char **argv)
{
	(void)argv;
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	say("ready\n");
	wait_for_ever();
	return 0;
}

static int role_halt(char **argv)
{
	(void)argv;
	say("ready\n");
	raise(SIGSTOP);
	wait_for_ever();
	return 0;
}

static void nothing(int sig)
{
	(void)sig;
}

/* A shell that dies of TERM at once while the program under it saves its state. */
static int role_saver(char **argv)
{
	pid_t me = getpid();
	sigset_t term, old;

	(void)argv;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &old);
	if (fork() == 0) {
		signal(SIGTERM, nothing);
		say("ready\n");
		sigsuspend(&old);
		until_orphan(me);
		nanosleep(&(struct timespec){.tv_nsec = 600000000}, NULL); /* a large state */
		say("saved\n");
		_exit(0);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	wait_for_ever();
	return 0;
}

/* As `exec > >(tee log)`: the last words come after the leader's end. */
static int role_tee(char **argv)
{
	pid_t me = getpid();

	(void)argv;
	if (fork() == 0) {
		until_orphan(me);
		say("last words\n");
		_exit(0);
	}
	return 5;
}

/* Ends of no signal, says nothing. */
static int role_mute(char **argv)
{
	(void)argv;
	wait_for_ever();
	return 0;
}

/* Leaves a process of its own session behind that ignores TERM, its parent dead. argv[0]: "wipe" for it to
 * have no environment; argv[1]: "stay" or "end" for the leader, which says "ready" when all that has come
 * about. */
static int role_daemon(char **argv)
{
	char *mute[] = {(char *)"/proc/self/exe", (char *)"mute", NULL}, *nothing_at_all[] = {NULL}, byte;
	int ready[2]; /* ends when its last holder has called exec */

	if (pipe2(ready, O_CLOEXEC) < 0)
		return 98;
	if (fork() == 0) {
		setsid();
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		if (fork() == 0)
			execve("/proc/self/exe", mute, strcmp(argv[0], "wipe") ? environ : nothing_at_all);
		_exit(0);
	}
	close(ready[1]);
	wait(NULL);
	if (read(ready[0], &byte, 1) != 0)
		return 97;
	close(CHILD_METRIC_FD); /* the daemon alone holds it now */
	say("ready\n");
	if (!strcmp(argv[1], "stay"))
		wait_for_ever();
	return 3;
}

/* Many sleepers, each in a session of its own; "ready" when all are there. */
static int role_bomb(char **argv)
{
	int ready[2];
	char byte;

	(void)argv;
	if (pipe(ready) < 0)
		return 98;
	for (int i = 0; i < SLEEPERS; i++)
		if (fork() == 0) {
			setsid();
			signal(SIGTERM, SIG_IGN);
			if (write(ready[1], "", 1) != 1)
				_exit(97);
			wait_for_ever();
		}
	for (int i = 0; i < SLEEPERS; i++)
		if (read(ready[0], &byte, 1) != 1)
			return 96;
	say("ready\n");
	wait_for_ever();
	return 0;
}

/* A tree that holds the fifo argv[0] and tells there when it stands: leader, a child that ignores TERM, and a
 * daemon. */
static int role_tree(char **argv)
{
	int fd = open(argv[0], O_WRONLY);

	signal(SIGTERM, SIG_IGN);
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			dprintf(fd, "d");
			wait_for_ever();
		}
		_exit(0);
	}
	if (fork() == 0) {
		dprintf(fd, "c");
		wait_for_ever();
	}
	dprintf(fd, "l");
	wait_for_ever();
	return 0;
}

/* Holds the fifo argv[0], all alone. */
static int role_hold(char **argv)
{
	dprintf(open(argv[0], O_WRONLY), "all");
	wait_for_ever();
	return 0;
}

static int role_burn(char **argv)
{
	size_t n = (size_t)atol(argv[0]);
	char *volatile p = malloc(n);
	struct timespec t;

	for (size_t i = 0; p && i < n; i += 4096)
		p[i] = 1;
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	while (t.tv_sec == 0 && t.tv_nsec < 100000000);
	free(p);
	return 0;
}

/* Takes memory until none is given, then aborts, like an uncaught std::bad_alloc. */
static int role_eat(char **argv)
{
	(void)argv;
	for (;;) {
		char *p = malloc(1 << 16);

		if (!p)
			abort();
		memset(p, 1, 1 << 16);
		__asm__ volatile("" : : "r"(p) : "memory");
	}
}

static int role_words(char **argv)
{
	for (; *argv; argv++)
		printf("[%s]", *argv);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(char **argv);
} roles[] = {
    {"descriptors", role_descriptors},
    {"status", role_status},
    {"session", role_session},
    {"flood", role_flood},
    {"ignore", role_ignore},
    {"halt", role_halt},
    {"saver", role_saver},
    {"tee", role_tee},
    {"daemon", role_daemon},
    {"bomb", role_bomb},
    {"tree", role_tree},
    {"burn", role_burn},
    {"mute", role_mute},
    {"hold", role_hold},
    {"eat", role_eat},
    {"words", role_words},
};

/* ---- the rank's side ------------------------------------------------------------------------------------
 */

static char self[4096], folder[64];

struct world {
	struct keeper *k;
	struct child_event last[MANY + 8]; /* the final event of each id */
	bool started[MANY + 8], ended[MANY + 8];
	pid_t pid[MANY + 8];
	bool fenced;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int open_world(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct fault f;

	*state = w;
	return w && keeper_start(&w->k, &f) == 0 ? 0 : -1;
}

static int close_world(void **state)
{
	struct world *w = *state;

	keeper_close(w->k, 0);
	free(w);
	return 0;
}

static const char *const plain_env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "RANKSWEEP_UNIT=7",
                                        "RANKSWEEP_ATTEMPT=2", NULL};

static const char *const other_env[] = {"RANKSWEEP_UNIT=70", "RANKSWEEP_ATTEMPT=2", NULL};

static struct child_pipes start(struct world *w, const struct child_spec *s)
{
	struct child_pipes p = {-1, -1, -1, -1};
	struct fault f = {0};

	w->started[s->id] = w->ended[s->id] = false;
	if (child_start(w->k, s, &p, &f) < 0)
		fail_msg("%s", f.text);
	return p;
}

/* Start this program in a role. */
static struct child_pipes play(struct world *w, uint32_t id, const char *role, const char *a, const char *b)
{
	const char *argv[] = {self, role, a, b, NULL};
	struct child_spec s = {.id = id, .argv = argv, .envp = plain_env, .cwd = "/"};

	return start(w, &s);
}

static struct child_pipes shell(struct world *w, uint32_t id, const char *script)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	struct child_spec s = {.id = id, .argv = argv, .envp = plain_env, .cwd = "/"};

	return start(w, &s);
}

static void close_pipes(struct child_pipes p)
{
	close(p.out);
	close(p.err);
	close(p.metric);
}

static void take_events(struct world *w)
{
	struct child_event e;
	struct fault f = {0};
	int rc;

	while ((rc = keeper_next(w->k, &e, &f)) > 0) {
		assert_in_range(e.id, 0, MANY + 7);
		if (e.kind == CHILD_FENCED) {
			w->fenced = true;
			continue;
		}
		if (e.kind == CHILD_STARTED) {
			assert_false(w->started[e.id]);
			w->started[e.id] = true;
			w->pid[e.id] = e.pid;
			continue;
		}
		assert_int_equal(w->started[e.id], e.kind == CHILD_EXITED);
		assert_false(w->ended[e.id]);
		w->ended[e.id] = true;
		w->last[e.id] = e;
	}
	if (rc < 0)
		fail_msg("%s", f.text);
}

static void await_flag(struct world *w, const bool *flag)
{
	int64_t until = now_ms() + PATIENCE_MS;

	for (;;) {
		struct pollfd p = {.fd = keeper_fd(w->k), .events = POLLIN};

		take_events(w);
		if (*flag)
			return;
		if (now_ms() > until)
			fail_msg("no event within %d ms", PATIENCE_MS);
		poll(&p, 1, 1000);
	}
}

static const struct child_event *await_end(struct world *w, uint32_t id)
{
	await_flag(w, &w->ended[id]);
	return &w->last[id];
}

/* What comes from fd until its end, or until `want` bytes are there (0: the end). Returns the count. */
static size_t read_until(int fd, char *buf, size_t cap, size_t want)
{
	int64_t until = now_ms() + PATIENCE_MS;
	size_t have = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n = read(fd, buf + have, cap - have);

		if (n == 0)
			return have;
		have += n > 0 ? (size_t)n : 0;
		if (want && have >= want)
			return have;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			fail_msg("read: %s", strerror(errno));
		if (now_ms() > until)
			fail_msg("no end of file within %d ms", PATIENCE_MS);
		poll(&p, 1, 1000);
	}
}

static const char *text_of(int fd)
{
	static char text[65536];

	text[read_until(fd, text, sizeof text - 1, 0)] = '\0';
	return text;
}

static void await_ready(int fd)
{
	char text[8] = "";

	read_until(fd, text, 6, 6);
	assert_memory_equal(text, "ready\n", 6);
}

/* Nobody holds it any more, now. */
static void assert_gone(int fd)
{
	char text[4096];
	ssize_t n;

	while ((n = read(fd, text, sizeof text)) > 0)
		;
	assert_int_equal(n, 0);
}

static const char *in_folder(const char *name)
{
	static char path[4][128];
	static int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", folder, name);
	return p;
}

static void put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	fchmod(fd, mode);
	close(fd);
}

/* ---- ends -----------------------------------------------------------------------------------------------
 */

static void test_ends(void **state)
{
	static const struct {
		const char *script;
		int code, signal;
	} rows[] = {
	    {"exit 0", 0, 0},          {"exit 7", 7, 0},          {"exit 75", 75, 0},
	    {"exit 255", 255, 0},      {"kill -9 $$", -1, 9},     {"kill -TERM $$", -1, 15},
	    {"kill -PIPE $$", -1, 13}, {"kill -USR1 $$", -1, 10},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct child_pipes p = shell(*state, 1, rows[i].script);
		const struct child_event *e = await_end(*state, 1);

		assert_int_equal(e->kind, CHILD_EXITED);
		assert_int_equal(e->exit_code, rows[i].code);
		assert_int_equal(e->signal, rows[i].signal);
		assert_false(e->oom);
		close_pipes(p);
	}
}

static void test_spawn_failures(void **state)
{
	struct world *w = *state;
	const char *file = in_folder("file"), *script = in_folder("script");
	const struct {
		const char *program, *cwd, *stage;
		int error;
	} rows[] = {
	    {"/no/such/program", "/", "exec", ENOENT},
	    {"no-such-program", "/", "exec", ENOENT},
	    {"", "/", "exec", ENOENT},
	    {file, "/", "exec", EACCES},
	    {"/etc", "/", "exec", EACCES},
	    {script, "/", "exec", ENOEXEC},
	    {"/bin/true", "/no/such/folder", "chdir", ENOENT},
	    {"/bin/true", file, "chdir", ENOTDIR},
	};

	put_file(file, "#!/bin/sh\n", 0600);
	put_file(script, "echo no interpreter named\n", 0700);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *argv[] = {rows[i].program, NULL};
		struct child_spec s = {.id = 3, .argv = argv, .envp = plain_env, .cwd = rows[i].cwd};
		struct child_pipes p = start(w, &s);
		const struct child_event *e = await_end(w, 3);

		assert_int_equal(e->kind, CHILD_SPAWN_FAILED);
		assert_string_equal(e->stage, rows[i].stage);
		assert_int_equal(e->error, rows[i].error);
		assert_gone(p.out);
		close_pipes(p);
	}
}

/* One argument larger than the kernel takes, and a request larger than the keeper takes; both are told. A
 * large one that is allowed works. */
static void test_large_requests(void **state)
{
	static const size_t sizes[] = {100 << 10, 256 << 10, 20 << 20};

	for (size_t i = 0; i < 3; i++) {
		char *big = malloc(sizes[i] + 1);
		const char *argv[] = {"/bin/true", big, NULL};
		struct child_spec s = {.id = 1, .argv = argv, .envp = plain_env, .cwd = "/"};
		const struct child_event *e;

		memset(big, 'x', sizes[i]);
		big[sizes[i]] = '\0';
		close_pipes(start(*state, &s));
		e = await_end(*state, 1);
		assert_int_equal(e->kind, i ? CHILD_SPAWN_FAILED : CHILD_EXITED);
		assert_int_equal(e->error, i ? E2BIG : 0);
		free(big);
	}
}

/* ---- what the trainer finds -----------------------------------------------------------------------------
 */

static void test_descriptors(void **state)
{
	int leak = fcntl(1, F_DUPFD, 40); /* not close-on-exec, from before and after the keeper */
	void *mine;
	struct child_pipes p;

	assert_int_equal(open_world(&mine), 0);
	fcntl(leak, F_DUPFD, 50);
	p = play(mine, 0, "descriptors", NULL, NULL);
	assert_string_equal(text_of(p.out), "0 1 2 3 ");
	close_pipes(p);
	p = shell(mine, 1, "readlink /proc/self/fd/0; cat");
	assert_string_equal(text_of(p.out), "/dev/null\n");
	close_pipes(p);
	p = shell(mine, 2, "echo to-err >&2; echo to-metric >&3; echo to-out");
	assert_string_equal(text_of(p.out), "to-out\n");
	assert_string_equal(text_of(p.err), "to-err\n");
	assert_string_equal(text_of(p.metric), "to-metric\n");
	close_pipes(p);
	close_world(&mine);
	close(leak);
	close(50);
	(void)state;
}

/* Nothing of what the rank blocks or ignores reaches a trainer. */
static void test_signals_clean(void **state)
{
	static const char *const args[] = {NULL, "status", "SigBlk", "SigIgn", "SigCgt", NULL};
	static const unsigned long long libc_signals = 3ULL << 31;
	const char *argv[] = {self, args[1], args[2], args[3], NULL};
	struct child_spec s = {.argv = argv, .envp = plain_env, .cwd = "/"};
	unsigned long long blocked, ignored;
	sigset_t block, old;
	struct child_pipes p;
	void *mine;

	sigfillset(&block);
	sigprocmask(SIG_BLOCK, &block, &old);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	assert_int_equal(open_world(&mine), 0);
	p = start(mine, &s);
	/* 32 and 33 belong to the C library; its posix_spawn leaves them ignored, whoever calls it. */
	assert_int_equal(sscanf(text_of(p.out), "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
	assert_int_equal(blocked & ~libc_signals, 0);
	assert_int_equal(ignored & ~libc_signals, 0);
	close_pipes(p);
	close_world(&mine);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	(void)state;
}

static void test_session(void **state)
{
	struct child_pipes p = play(*state, 0, "session", NULL, NULL);

	assert_string_equal(text_of(p.out), "1 1");
	close_pipes(p);
}

static void test_affinity(void **state)
{
	cpu_set_t mine;
	uint32_t last = 0;
	char want[64];

	sched_getaffinity(0, sizeof mine, &mine);
	for (uint32_t i = 0; i < CPU_SETSIZE; i++)
		last = CPU_ISSET(i, &mine) ? i : last;
	{
		const char *argv[] = {self, "status", "Cpus_allowed_list", NULL};
		struct child_spec s = {
		    .argv = argv, .envp = plain_env, .cwd = "/", .cpus = &last, .ncpus = 1};
		struct child_pipes p = start(*state, &s);

		snprintf(want, sizeof want, "Cpus_allowed_list:\t%u\n", last);
		assert_string_equal(text_of(p.out), want);
		close_pipes(p);
	}
}

static void test_memory_limit(void **state)
{
	const char *argv[] = {"/bin/sh", "-c", "ulimit -d", NULL};
	struct child_spec s = {.argv = argv, .envp = plain_env, .cwd = "/", .memory_bytes = 64 << 20};
	struct child_pipes p = start(*state, &s);

	assert_string_equal(text_of(p.out), "65536\n");
	close_pipes(p);
	await_end(*state, 0);
	s.memory_bytes = 0;
	p = start(*state, &s);
	assert_string_equal(text_of(p.out), "unlimited\n");
	close_pipes(p);
}

static void test_out_of_memory(void **state)
{
	const char *argv[] = {self, "eat", NULL};
	struct child_spec s = {.argv = argv, .envp = plain_env, .cwd = "/", .memory_bytes = 256 << 20};

	if (SANITIZED)
		skip(); /* its shadow memory does not fit any limit */
	close_pipes(start(*state, &s));
	assert_true(await_end(*state, 0)->oom);
	s.argv = (const char *[]){"/bin/sh", "-c", "exit 1", NULL};
	close_pipes(start(*state, &s));
	assert_false(await_end(*state, 0)->oom);
}

static void test_environment_is_exact(void **state)
{
	const char *argv[] = {"env", NULL},
	           *envp[] = {"B=2 x", "PATH=/usr/bin:/bin", "A=\x01\xff'\"$(id)", NULL};
	struct child_spec s = {.argv = argv, .envp = envp, .cwd = "/"};
	struct child_pipes p = start(*state, &s);
	struct stat pipe;
	char want[128];

	assert_int_equal(fstat(p.metric, &pipe), 0); /* both ends have the number */
	snprintf(want, sizeof want, "%sRANKSWEEP_METRIC_PIPE=%llu\n",
	         "B=2 x\nPATH=/usr/bin:/bin\nA=\x01\xff'\"$(id)\n", (unsigned long long)pipe.st_ino);
	assert_string_equal(text_of(p.out), want);
	close_pipes(p);
}

static void test_folder(void **state)
{
	const char *argv[] = {"/bin/pwd", NULL};
	struct child_spec s = {.argv = argv, .envp = plain_env, .cwd = folder};
	struct child_pipes p = start(*state, &s);
	char want[80];

	snprintf(want, sizeof want, "%s\n", folder);
	assert_string_equal(text_of(p.out), want);
	close_pipes(p);
}

static void test_path_of_the_given_environment(void **state)
{
	const char *argv[] = {"own-program", NULL};
	char path[256];
	const char *envp[] = {path, NULL};
	struct child_spec s = {.argv = argv, .envp = envp, .cwd = "/"};
	struct child_pipes p;

	mkdir(in_folder("dull"), 0700);
	mkdir(in_folder("bin"), 0700);
	put_file(in_folder("dull/own-program"), "not executable", 0600);
	put_file(in_folder("bin/own-program"), "#!/bin/sh\necho found\n", 0700);
	snprintf(path, sizeof path, "PATH=/no/such:%s:%s:/usr/bin", in_folder("dull"), in_folder("bin"));
	p = start(*state, &s);
	assert_string_equal(text_of(p.out), "found\n");
	close_pipes(p);
	await_end(*state, 0);
	snprintf(path, sizeof path, "PATH=:/usr/bin"); /* an empty one means the current folder */
	s.cwd = in_folder("bin");
	p = start(*state, &s);
	assert_string_equal(text_of(p.out), "found\n");
	close_pipes(p);
}

static void test_setup_leaves_arguments_alone(void **state)
{
	static const char odd[] = "a b'\"$(echo no)`echo no`\\;*\n#";
	const char *argv[] = {self, "words", odd, "", "-c", NULL};
	struct child_spec s = {
	    .argv = argv, .envp = plain_env, .cwd = "/", .setup = "FROM_SETUP='x y'; export FROM_SETUP"};
	struct child_pipes p = start(*state, &s);
	char want[128];

	snprintf(want, sizeof want, "[%s][][-c]", odd);
	assert_string_equal(text_of(p.out), want);
	close_pipes(p);
	await_end(*state, 0);
	s.argv = (const char *[]){"/bin/sh", "-c", "printf '%s' \"$FROM_SETUP\"; exit 9", NULL};
	p = start(*state, &s);
	assert_string_equal(text_of(p.out), "x y");
	assert_int_equal(await_end(*state, 0)->exit_code, 9);
	close_pipes(p);
}

/* ---- much -----------------------------------------------------------------------------------------------
 */

static void test_flood_arrives_whole(void **state)
{
	static char got[FLOOD + 1];

	for (int fd = 1; fd <= CHILD_METRIC_FD; fd++) {
		char size[32], number[16];
		struct child_pipes p;
		int from;

		snprintf(size, sizeof size, "%d", FLOOD);
		snprintf(number, sizeof number, "%d", fd);
		p = play(*state, 0, "flood", size, number);
		from = fd == 1 ? p.out : fd == 2 ? p.err : p.metric;
		assert_int_equal(read_until(from, got, sizeof got, 0), FLOOD);
		for (size_t i = 0; i < FLOOD; i++)
			if ((unsigned char)got[i] != (unsigned char)(i * 31 >> 3))
				fail_msg("byte %zu of descriptor %d differs", i, fd);
		close_pipes(p);
		assert_int_equal(await_end(*state, 0)->exit_code, 0);
	}
}

static void test_a_hundred_at_once(void **state)
{
	struct child_pipes p[MANY];
	struct fault f;

	for (uint32_t i = 0; i < MANY; i++)
		p[i] = shell(*state, i, "echo ready; exec sleep 100000");
	for (uint32_t i = 0; i < MANY; i++)
		await_ready(p[i].out);
	for (uint32_t i = 0; i < MANY; i += 2)
		child_stop(((struct world *)*state)->k, i, PATIENCE_MS, &f);
	for (uint32_t i = 0; i < MANY; i += 2)
		assert_int_equal(await_end(*state, i)->signal, SIGTERM);
	for (uint32_t i = 1; i < MANY; i += 2)
		assert_false(((struct world *)*state)->ended[i]);
	for (uint32_t i = 1; i < MANY; i += 2)
		child_stop(((struct world *)*state)->k, i, PATIENCE_MS, &f);
	for (uint32_t i = 1; i < MANY; i += 2)
		assert_int_equal(await_end(*state, i)->signal, SIGTERM);
	for (uint32_t i = 0; i < MANY; i++)
		close_pipes(p[i]);
}

static void test_usage(void **state)
{
	struct child_pipes p = play(*state, 0, "burn", "40000000", NULL);
	const struct child_event *e = await_end(*state, 0);

	assert_int_equal(e->exit_code, 0);
	assert_true(e->user_seconds + e->system_seconds >= 0.1);
	assert_true(e->user_seconds + e->system_seconds < 30);
	assert_in_range(e->max_rss_kb, 40000000 / 1024, 1 << 20);
	close_pipes(p);
}

static int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_out_of_descriptors(void **state)
{
	struct world *w = *state;
	struct rlimit old, few;
	const char *argv[] = {"/bin/true", NULL};
	struct child_spec s = {.argv = argv, .envp = plain_env, .cwd = "/"};
	struct child_pipes p;
	struct fault f = {0};
	int before = open_descriptors(), lowest = dup(1), rc;

	close(lowest);
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = (rlim_t)lowest + 5;
	setrlimit(RLIMIT_NOFILE, &few);
	rc = child_start(w->k, &s, &p, &f);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(rc, -1);
	assert_int_equal(f.code, FAULT_IO);
	assert_int_equal(open_descriptors(), before);
	close_pipes(start(w, &s));
	assert_int_equal(await_end(w, 0)->exit_code, 0);
}

/* ---- stopping -------------------------------------------------------------------------------------------
 */

static void stop(struct world *w, uint32_t id, int64_t grace_ms)
{
	struct fault f = {0};

	if (child_stop(w->k, id, grace_ms, &f) < 0)
		fail_msg("%s", f.text);
}

/* The letter of its state in /proc, as soon as that is `letter`. */
static void await_state(pid_t pid, char letter)
{
	int64_t until = now_ms() + PATIENCE_MS;
	char path[64], text[512] = "", *p = NULL;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	while (!p || p[2] != letter) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof text - 1);

		close(fd);
		text[n > 0 ? n : 0] = '\0';
		p = strrchr(text, ')');
		if (now_ms() > until)
			fail_msg("process %d is not in state %c", (int)pid, letter);
		sched_yield();
	}
}

static void test_stop(void **state)
{
	static const struct {
		const char *role;
		int64_t grace_ms;
		int signal;
	} rows[] = {
	    {"ignore", 20, SIGKILL}, /* KILL after the grace */
	    {"ignore", 0, SIGKILL},  /* no grace at all */
	    {"bomb", 20, SIGTERM},   /* 200 sessions that ignore TERM */
	    {"bomb", 0, SIGKILL},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct child_pipes p = play(*state, 0, rows[i].role, NULL, NULL);

		await_ready(p.out);
		stop(*state, 0, rows[i].grace_ms);
		assert_int_equal(await_end(*state, 0)->signal, rows[i].signal);
		assert_gone(p.out);
		close_pipes(p);
	}
}

/* A program that is stopped goes on to take its TERM. */
static void test_stop_of_a_stopped_one(void **state)
{
	struct world *w = *state;
	struct child_pipes p = play(w, 0, "halt", NULL, NULL);

	await_ready(p.out);
	await_flag(w, &w->started[0]);
	await_state(w->pid[0], 'T');
	stop(w, 0, PATIENCE_MS);
	assert_int_equal(await_end(w, 0)->signal, SIGTERM);
	close_pipes(p);
}

/* A trainer can stop its keeper, which then hears nothing; what is asked of it next wakes it. */
static void test_a_stopped_keeper(void **state)
{
	struct world *w = *state;
	struct child_pipes p = play(w, 0, "mute", NULL, NULL);

	await_flag(w, &w->started[0]);
	kill(keeper_pid(w->k), SIGSTOP);
	await_state(keeper_pid(w->k), 'T');
	stop(w, 0, PATIENCE_MS);
	assert_int_equal(await_end(w, 0)->signal, SIGTERM);
	close_pipes(p);
}

static void test_stop_again_shortens_the_grace(void **state)
{
	struct child_pipes p = play(*state, 0, "ignore", NULL, NULL);

	await_ready(p.out);
	stop(*state, 0, 1000000);
	stop(*state, 99, 0);
	stop(*state, 0, 10);
	stop(*state, 0, 1000000);
	assert_int_equal(await_end(*state, 0)->signal, SIGKILL);
	stop(*state, 0, 10);
	close_pipes(p);
}

static void test_grace_outlasts_the_leader(void **state)
{
	struct child_pipes p = play(*state, 0, "saver", NULL, NULL);

	await_ready(p.out);
	stop(*state, 0, PATIENCE_MS);
	assert_int_equal(await_end(*state, 0)->signal, SIGTERM);
	assert_string_equal(text_of(p.out), "saved\n");
	close_pipes(p);
}

/* ---- leases -------------------------------------------------------------------------------------------- */

static void lease(struct world *w, int64_t ms)
{
	struct fault f = {0};

	assert_int_equal(child_lease(w->k, now_ms() + ms, &f), 0);
}

static struct child_pipes play_with_grace(struct world *w, uint32_t id, const char *role, int64_t grace_ms)
{
	const char *argv[] = {self, role, NULL};
	struct child_spec s = {.id = id, .argv = argv, .envp = plain_env, .cwd = "/", .grace_ms = grace_ms};

	return start(w, &s);
}

/* Nobody asks the keeper for anything: it ends trainers by its own clock, each with its own grace. */
static void test_lease_ends(void **state)
{
	struct world *w = *state;
	struct child_pipes p = play_with_grace(w, 0, "saver", PATIENCE_MS),
	                   q = play_with_grace(w, 1, "ignore", 20);

	await_ready(p.out);
	await_ready(q.out);
	lease(w, 50);
	assert_int_equal(await_end(w, 0)->signal, SIGTERM);
	assert_int_equal(await_end(w, 1)->signal, SIGKILL);
	assert_true(w->fenced);
	assert_string_equal(text_of(p.out), "saved\n");
	assert_gone(q.out);
	close_pipes(p);
	close_pipes(q);
}

static void test_lease_is_extended(void **state)
{
	struct world *w = *state;
	struct child_pipes p = play(w, 0, "ignore", NULL, NULL);

	await_ready(p.out);
	lease(w, 1000);
	lease(w, 1000000);
	for (int64_t until = now_ms() + 1200; now_ms() < until;) {
		struct pollfd at = {.fd = p.out, .events = POLLIN};

		poll(&at, 1, (int)(until - now_ms()));
		assert_int_equal(at.revents, 0); /* neither output nor its end */
	}
	take_events(w);
	assert_false(w->fenced);
	close_pipes(p);
}

/* What was on its way to the keeper when the lease ended does not start; with a new lease all is well. */
static void test_nothing_starts_without_a_lease(void **state)
{
	struct world *w = *state;
	struct child_pipes p;

	lease(w, 0);
	await_flag(w, &w->fenced);
	p = shell(w, 0, "echo started");
	assert_int_equal(await_end(w, 0)->kind, CHILD_SPAWN_FAILED);
	assert_int_equal(w->last[0].error, ETIME);
	assert_string_equal(text_of(p.out), "");
	close_pipes(p);
	lease(w, PATIENCE_MS);
	p = shell(w, 1, "echo started");
	assert_int_equal(await_end(w, 1)->exit_code, 0);
	close_pipes(p);
}

/* ---- trees ----------------------------------------------------------------------------------------------
 */

static void test_last_words(void **state)
{
	struct child_pipes p = play(*state, 0, "tee", NULL, NULL);

	assert_int_equal(await_end(*state, 0)->exit_code, 5);
	assert_string_equal(text_of(p.out), "last words\n");
	close_pipes(p);
}

/* A process that left the session, with and without an environment to know it by, while another trainer and
 * its own stray live on. */
static void daemon_goes(struct world *w, const char *wipe, const char *leader)
{
	struct child_pipes p = play(w, 1, "daemon", wipe, leader);

	await_ready(p.out);
	if (!strcmp(leader, "stay"))
		stop(w, 1, PATIENCE_MS);
	await_end(w, 1);
	assert_int_equal(w->last[1].exit_code, strcmp(leader, "stay") ? 3 : -1);
	assert_gone(p.out);
	close_pipes(p);
}

static void test_daemon_alone(void **state)
{
	daemon_goes(*state, "keep", "end");
	daemon_goes(*state, "keep", "stay");
	daemon_goes(*state, "wipe", "end");
	daemon_goes(*state, "wipe", "stay");
}

static void test_daemon_beside_another_trainer(void **state)
{
	const char *argv[] = {self, "daemon", "keep", "stay", NULL};
	struct child_spec s = {.id = 0, .argv = argv, .envp = other_env, .cwd = "/"};
	struct child_pipes other = start(*state, &s);
	char byte;

	await_ready(other.out);
	daemon_goes(*state, "keep", "end");
	daemon_goes(*state, "keep", "stay");
	take_events(*state);
	assert_false(((struct world *)*state)->ended[0]);
	assert_int_equal(read(other.metric, &byte, 1), -1); /* held by the other's stray alone */
	stop(*state, 0, 10);
	await_end(*state, 0);
	assert_gone(other.out);
	close_pipes(other);
}

/* One that can't be told from another's goes when that other is over too. */
static void test_nameless_daemon_goes_last(void **state)
{
	struct child_pipes other = shell(*state, 0, "echo ready; exec sleep 100000"), p;

	await_ready(other.out);
	p = play(*state, 1, "daemon", "wipe", "end");
	await_ready(p.out);
	await_end(*state, 1);
	stop(*state, 0, PATIENCE_MS);
	await_end(*state, 0);
	assert_gone(p.out);
	close_pipes(p);
	close_pipes(other);
}

/* And stays while it may be that other's. */
static void test_nameless_daemon_of_a_living_trainer_stays(void **state)
{
	const char *argv[] = {self, "daemon", "wipe", "stay", NULL};
	struct child_spec s = {.id = 0, .argv = argv, .envp = other_env, .cwd = "/"};
	struct child_pipes p = start(*state, &s), other;
	char byte;

	await_ready(p.out);
	other = play(*state, 1, "daemon", "keep", "end");
	await_end(*state, 1);
	assert_gone(other.out);
	assert_int_equal(read(p.metric, &byte, 1), -1); /* held by the daemon alone */
	stop(*state, 0, PATIENCE_MS);
	await_end(*state, 0);
	assert_gone(p.metric);
	close_pipes(p);
	close_pipes(other);
}

/* ---- deaths ---------------------------------------------------------------------------------------------
 */

static int fifo_reader(const char *path)
{
	int fd;

	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Before a writer came a fifo reads as ended: wait until the whole tree stands. */
static void await_tree(int fd)
{
	int64_t until = now_ms() + PATIENCE_MS;
	size_t have = 0;
	char text[16];

	while (have < 3) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		poll(&p, 1, 10);
		n = read(fd, text, sizeof text);
		have += n > 0 ? (size_t)n : 0;
		if (now_ms() > until)
			fail_msg("the tree does not stand");
	}
}

static void test_keeper_takes_no_signal(void **state)
{
	static const int sent[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGTSTP, SIGALRM};
	struct world *w = *state;
	struct child_pipes p;

	assert_int_not_equal(getpgid(keeper_pid(w->k)), getpgrp());
	for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
		kill(keeper_pid(w->k), sent[i]);
	p = shell(w, 0, "exit 4");
	assert_int_equal(await_end(w, 0)->exit_code, 4);
	close_pipes(p);
}

static void test_close_ends_all(void **state)
{
	int fd = fifo_reader(in_folder("fifo"));
	struct world *w = *state;
	struct child_pipes p = play(w, 0, "tree", in_folder("fifo"), NULL);
	pid_t keeper = keeper_pid(w->k);

	await_tree(fd);
	keeper_close(w->k, 20);
	w->k = NULL;
	assert_gone(fd);
	assert_int_equal(kill(keeper, 0), -1);
	keeper_close(NULL, 0);
	close_pipes(p);
	close(fd);
}

/* Killed with its trainers running: they die by their parent-death signal, and what they leave by us. */
static void test_keeper_killed(void **state)
{
	int fd = fifo_reader(in_folder("fifo"));
	struct world *w = *state;
	struct child_pipes p = play(w, 0, "tree", in_folder("fifo"), NULL), q;
	struct pollfd wait = {.fd = keeper_fd(w->k), .events = POLLIN};
	const char *argv[] = {"/bin/true", NULL};
	struct child_spec s = {.argv = argv, .envp = plain_env, .cwd = "/"};
	struct child_event e;
	struct fault f = {0};
	int rc;

	await_tree(fd);
	kill(keeper_pid(w->k), SIGKILL);
	while ((rc = keeper_next(w->k, &e, &f)) >= 0)
		assert_int_not_equal(poll(&wait, 1, PATIENCE_MS), 0);
	assert_int_equal(rc, -1);
	assert_int_equal(f.code, FAULT_WORKER);
	assert_int_equal(child_start(w->k, &s, &q, &f), -1);
	assert_int_equal(child_stop(w->k, 0, 0, &f), -1);
	assert_int_equal(keeper_next(w->k, &e, &f), -1);
	keeper_close(w->k, 0);
	w->k = NULL;
	assert_gone(fd);
	close_pipes(p);
	close(fd);
}

/* A rank that is killed with -9: keeper and trees must go. It is a process of its own here, and what it
 * leaves becomes ours to wait for. */
static void test_rank_killed(void **state)
{
	int fd = fifo_reader(in_folder("fifo")), tell[2], status;
	pid_t rank, keeper = 0;

	(void)state;
	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	rank = fork();
	if (rank == 0) {
		void *mine;

		if (open_world(&mine) < 0)
			_exit(1);
		play(mine, 0, "tree", in_folder("fifo"), NULL);
		keeper = keeper_pid(((struct world *)mine)->k);
		if (write(tell[1], &keeper, sizeof keeper) < 0)
			_exit(1);
		wait_for_ever();
	}
	assert_int_equal(read(tell[0], &keeper, sizeof keeper), sizeof keeper);
	await_tree(fd);
	kill(rank, SIGKILL);
	assert_int_equal(waitpid(rank, &status, 0), rank);
	assert_int_equal(waitpid(keeper, &status, 0), keeper);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_gone(fd);
	close(fd);
	close(tell[0]);
	close(tell[1]);
}

/* Keeper and rank killed at once: the trainer itself goes even then. */
static void test_both_killed(void **state)
{
	int fd = fifo_reader(in_folder("fifo")), tell[2];
	pid_t rank, keeper = 0;
	struct pollfd ended = {.fd = fd, .events = POLLIN};

	(void)state;
	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	rank = fork();
	if (rank == 0) {
		void *mine;

		if (open_world(&mine) < 0)
			_exit(1);
		play(mine, 0, "hold", in_folder("fifo"), NULL);
		keeper = keeper_pid(((struct world *)mine)->k);
		if (write(tell[1], &keeper, sizeof keeper) < 0)
			_exit(1);
		wait_for_ever();
	}
	assert_int_equal(read(tell[0], &keeper, sizeof keeper), sizeof keeper);
	await_tree(fd);
	kill(keeper, SIGKILL);
	kill(rank, SIGKILL);
	assert_int_equal(waitpid(rank, NULL, 0), rank);
	assert_int_not_equal(poll(&ended, 1, PATIENCE_MS), 0);
	assert_gone(fd);
	assert_int_equal(waitpid(keeper, NULL, 0), keeper);
	close(fd);
	close(tell[0]);
	close(tell[1]);
}

/* ---- main -----------------------------------------------------------------------------------------------
 */

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test_child.XXXXXX");
	return mkdtemp(folder) && readlink("/proc/self/exe", self, sizeof self - 1) > 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"file", "script", "fifo", "dull/own-program", "bin/own-program",
	                                    "dull", "bin"};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		remove(in_folder(names[i]));
	return rmdir(folder);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_ends),
	    CASE(test_spawn_failures),
	    CASE(test_large_requests),
	    cmocka_unit_test(test_descriptors),
	    cmocka_unit_test(test_signals_clean),
	    CASE(test_session),
	    CASE(test_affinity),
	    CASE(test_memory_limit),
	    CASE(test_out_of_memory),
	    CASE(test_environment_is_exact),
	    CASE(test_folder),
	    CASE(test_path_of_the_given_environment),
	    CASE(test_setup_leaves_arguments_alone),
	    CASE(test_flood_arrives_whole),
	    CASE(test_a_hundred_at_once),
	    CASE(test_usage),
	    CASE(test_out_of_descriptors),
	    CASE(test_stop),
	    CASE(test_stop_of_a_stopped_one),
	    CASE(test_a_stopped_keeper),
	    CASE(test_stop_again_shortens_the_grace),
	    CASE(test_grace_outlasts_the_leader),
	    CASE(test_lease_ends),
	    CASE(test_lease_is_extended),
	    CASE(test_nothing_starts_without_a_lease),
	    CASE(test_last_words),
	    CASE(test_daemon_alone),
	    CASE(test_daemon_beside_another_trainer),
	    CASE(test_nameless_daemon_goes_last),
	    CASE(test_nameless_daemon_of_a_living_trainer_stays),
	    CASE(test_keeper_takes_no_signal),
	    CASE(test_close_ends_all),
	    CASE(test_keeper_killed),
	    cmocka_unit_test(test_rank_killed),
	    cmocka_unit_test(test_both_killed),
	};

	for (size_t i = 0; argc > 1 && i < sizeof roles / sizeof *roles; i++)
		if (!strcmp(argv[1], roles[i].name))
			return roles[i].run(argv + 2);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
