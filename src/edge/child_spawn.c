/* child, starting: from the keeper to a running trainer.
 *
 * clone(CLONE_VM | CLONE_VFORK): the new process borrows the keeper's memory, and the keeper sleeps, until
 * execve or _exit. So nothing is copied, and an error reaches the keeper through an ordinary variable: no
 * pipe for errno. Measured with no-op trainers, CPU time for each of all processes together: posix_spawn in a
 * bare loop 570 us, this 650 us, with fork() and a pipe instead 830 us, though the keeper is small. Between
 * clone and execve only system calls are allowed: everything that needs memory is prepared before.
 *
 * The keeper keeps the list of things to undo short, as each costs a call for every trainer: it has all
 * signals blocked instead of ignored (dispositions stay at their defaults; one call empties the mask),
 * /dev/null as descriptor 0, and everything from 4 up close-on-exec. */
#include "child_keeper.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char DEFAULT_PATH[] = "/usr/local/bin:/usr/bin:/bin";

struct launch {
	const struct child_order *order;
	char **programs; /* candidates for execve, NULL-terminated */
	pid_t keeper;
	int error;
	const char *stage;
};

static int set_memory_limit(int64_t bytes)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_DATA, &l) < 0)
		return -1;
	if (l.rlim_max == RLIM_INFINITY || l.rlim_max > (rlim_t)bytes)
		l.rlim_max = (rlim_t)bytes;
	l.rlim_cur = l.rlim_max;
	return setrlimit(RLIMIT_DATA, &l);
}

/* The raw call: glibc's own takes whole cpu_set_t, the kernel any number of bytes. */
static int set_affinity(const struct child_order *o)
{
	return syscall(SYS_sched_setaffinity, 0, o->cpu_mask_bytes, o->cpu_mask) < 0 ? -1 : 0;
}

static int place_pipes(const struct child_order *o)
{
	int third = o->companion ? 0 : CHILD_METRIC_FD;

	return dup2(o->pipes[0], 1) < 0 || dup2(o->pipes[1], 2) < 0 || dup2(o->pipes[2], third) < 0 ? -1 : 0;
}

static int clear_signal_mask(void)
{
	sigset_t none;

	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* As execvp: a directory without the program is passed over, one that may not be run is remembered; but a
 * file that is no program (ENOEXEC: a script without #!) is told, not fed to a shell. */
static int exec_first(const struct launch *l)
{
	int error = ENOENT;

	for (char **p = l->programs; *p; p++) {
		execve(*p, (char *const *)l->order->argv, (char *const *)l->order->envp);
		if (errno == EACCES)
			error = EACCES;
		else if (errno != ENOENT && errno != ENOTDIR)
			return errno;
	}
	return error;
}

static int fail(struct launch *l, const char *stage, int error)
{
	l->stage = stage;
	l->error = error;
	return 127;
}

/* Runs in the new process, in the keeper's memory. */
__attribute__((no_sanitize("address", "undefined"))) static int become_trainer(void *arg)
{
	struct launch *l = arg;
	const struct child_order *o = l->order;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != l->keeper)
		return fail(l, "keeper", ESRCH);
	if (o->cpu_mask_bytes && set_affinity(o) < 0)
		return fail(l, "affinity", errno);
	if (o->memory_bytes > 0 && set_memory_limit(o->memory_bytes) < 0)
		return fail(l, "memory limit", errno);
	if (place_pipes(o) < 0)
		return fail(l, "pipes", errno);
	if (chdir(o->cwd) < 0)
		return fail(l, "chdir", errno);
	if (clear_signal_mask() < 0)
		return fail(l, "signals", errno);
	return fail(l, "exec", exec_first(l));
}

static const char *env_value(const char *const *envp, const char *name)
{
	size_t n = strlen(name);

	for (; *envp; envp++)
		if (!strncmp(*envp, name, n) && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

static size_t count_colons(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == ':';
	return n;
}

/* The files that argv[0] may mean, in order. An empty directory in PATH is the current one. */
static char **candidates(const struct child_order *o, struct arena *a)
{
	const char *name = o->argv[0], *path = env_value(o->envp, "PATH");
	char **list;
	size_t n = 0;

	if (!path)
		path = DEFAULT_PATH;
	list = arena_array(a, count_colons(path) + 2, sizeof *list);
	if (strchr(name, '/')) {
		list[0] = arena_strdup(a, name);
		return list;
	}
	while (*name) {
		int len = (int)strcspn(path, ":");

		list[n++] = arena_printf(a, "%.*s%s%s", len, path, len ? "/" : "./", name);
		if (!path[len])
			break;
		path += len + 1;
	}
	return list;
}

pid_t child_spawn(const struct child_order *o, struct arena *scratch, int *error, const char **stage)
{
	static _Alignas(16) char stack[65536];
	struct launch l = {
	    .order = o, .programs = candidates(o, scratch), .keeper = getpid(), .error = 0, .stage = "fork"};
	pid_t pid = clone(become_trainer, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &l);

	*error = pid < 0 ? errno : l.error;
	*stage = l.stage;
	if (*error && pid > 0) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		pid = -1;
	}
	return pid;
}
