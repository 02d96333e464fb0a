#include "launch.h"

#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGS = 256, TERM_SECONDS = 5, VERDICT_SECONDS = 10, LEADER_SECONDS = 5 };
static const char verdict_name[] = "RANKSWEEP_VERDICT_FILE", env_name[] = "RANKSWEEP_ENV_FILE",
                  leader_name[] = "RANKSWEEP_LEADER_FILE";

/* What makes Open MPI 4.1 keep the other ranks alive when one, or a node, is lost. Without the second
 * MPI_Finalize waits for the lost one; without the third the daemon of one node may be the way to others.
 * Ranks find them in their environment. */
enum { FLAG_WORDS = 3 };
static const struct {
	const char *variable, *value, *words[FLAG_WORDS];
} recovery[] = {
    {"OMPI_MCA_orte_enable_recovery", "1", {"--enable-recovery"}},
    {"OMPI_MCA_async_mpi_finalize", "1", {"--mca", "async_mpi_finalize", "1"}},
    {"OMPI_MCA_routed", "direct", {"--mca", "routed", "direct"}},
};
enum { RECOVERY_FLAGS = sizeof recovery / sizeof *recovery };

/* Where the files of the launch with this process id are. 0 ok, -1 the path is too long. */
static int name_file(char *path, const char *dir, long pid, const char *kind)
{
	return snprintf(path, PATH_MAX, "%s/launch-%ld.%s", dir, pid, kind) < PATH_MAX ? 0 : -1;
}

/* A launcher that was killed has left its files, and one of them holds an environment. (Should its number
 * mean nothing here because it lives on another host: ranks that do not find the file take their own.) */
static void remove_stale(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	long pid;
	char path[PATH_MAX];

	while (d && (e = readdir(d)))
		if (sscanf(e->d_name, "launch-%ld.", &pid) == 1 && pid > 0 && kill((pid_t)pid, 0) &&
		    errno == ESRCH && snprintf(path, sizeof path, "%s/%s", dir, e->d_name) < PATH_MAX)
			unlink(path);
	if (d)
		closedir(d);
}

static void fill_argv(const struct launch_options *o, const char *self, char *ranks, const char **argv)
{
	static const char *const flags[] = {
	    "--bind-to", "none", "--oversubscribe", "--mca", "orte_base_help_aggregate", "0"};
	size_t n = 0;

	argv[n++] = "mpirun";
	if (o->ranks) {
		argv[n++] = "-n";
		argv[n++] = ranks;
	}
	for (size_t i = 0; i < RECOVERY_FLAGS; i++)
		for (size_t k = 0; k < FLAG_WORDS && recovery[i].words[k]; k++)
			argv[n++] = recovery[i].words[k];
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		argv[n++] = flags[i];
	argv[n++] = self;
	for (size_t i = 1; o->argv[i] && n < MAX_ARGS - 1; i++)
		argv[n++] = o->argv[i];
	argv[n] = NULL;
}

/* What mpirun and its ranks need not do to start: look at the node's devices (each of them does, and loads
 * X11 for it), and keep a store in shared memory of where ranks are. Together a third of the cpu time of a
 * start. What the user set stays; trainers do not see any of it, their environment was saved before. */
static void choose_start(void)
{
	setenv("HWLOC_COMPONENTS", "-pci,-linuxio", 0);
	setenv("HWLOC_PLUGINS_PATH", "/dev/null", 0);
	setenv("PMIX_MCA_gds", "hash", 0);
	if (geteuid() == 0) {
		setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 0);
		setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 0);
	}
}

/* In a process group of its own, so that a ^C at the terminal reaches us alone and the run can end in good
 * order. */
static _Noreturn void become_mpirun(const char **argv, pid_t parent, const sigset_t *old)
{
	int null = open("/dev/null", O_RDONLY);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(FAULT_STOPPED);
	setpgid(0, 0);
	if (null >= 0)
		dup2(null, 0);
	sigprocmask(SIG_SETMASK, old, NULL);
	choose_start();
	execvp("mpirun", (char *const *)argv);
	fprintf(stderr,
	        "ranksweep: mpirun: %s: install openmpi-bin (Debian's name), or use --ranks 1, which needs "
	        "none\n",
	        strerror(errno));
	_exit(FAULT_USAGE);
}

/* mpirun may hang at its end, all its ranks being gone: on a TERM that meets their exits (seen with 4.1.4,
 * one time in ten), or when it has lost a daemon. So it gets some seconds from the moment there is nothing
 * left for it to do; then two TERMs a second apart, which one that lost a daemon needs to end, with the
 * daemons that are left; then it is killed. Ranks that should still be there notice, and end.
 *
 * With recovery nobody ends the others when rank 0 dies, so that is for us to notice, where we can: on this
 * host. Elsewhere workers end when rank 0 has been silent for long. */
struct vigil {
	pid_t pid;
	const char *verdict_path, *leader_path;
	bool drains;      /* USR2 has been passed on */
	int asked;        /* signals passed on so far, but for that */
	int urged;        /* TERMs of ours */
	time_t urge_at;   /* of the next one, or the KILL; 0: not yet known */
	bool leader_died; /* without a verdict */
};

static time_t seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* mpirun forwards USR1 and USR2; after a TERM or INT of its own it would leave the ranks two seconds. */
static void pass_on(struct vigil *v, int sig)
{
	static const int signals[] = {SIGUSR1, SIGTERM, SIGKILL};

	if (sig == SIGUSR2 && !v->drains && !v->asked) {
		v->drains = true;
		kill(v->pid, SIGUSR2);
		return;
	}
	kill(v->pid, signals[v->asked < 2 ? v->asked : 2]);
	if (++v->asked == 2)
		v->urge_at = seconds() + TERM_SECONDS;
}

/* Has rank 0 told who it is, and is there no such process? Its own host is named: it may be another one. */
static bool leader_is_gone(const char *path)
{
	FILE *in = fopen(path, "re");
	long pid = 0;
	char host[256];
	bool read = in && fscanf(in, "%ld %255s", &pid, host) == 2;

	if (in)
		fclose(in);
	return read && pid > 0 && !strcmp(host, host_name()) && kill((pid_t)pid, 0) && errno == ESRCH;
}

static void urge(struct vigil *v)
{
	if (v->urged < 2)
		kill(v->pid, SIGTERM);
	else
		kill(v->pid, SIGKILL);
	v->urge_at = seconds() + (++v->urged == 2 ? TERM_SECONDS : 1);
}

static void look_for_the_end(struct vigil *v)
{
	if (!v->urge_at && access(v->verdict_path, F_OK) == 0) {
		v->urge_at = seconds() + VERDICT_SECONDS;
	} else if (!v->urge_at && leader_is_gone(v->leader_path)) {
		v->leader_died = access(v->verdict_path, F_OK) != 0;
		v->urge_at = seconds() + LEADER_SECONDS;
	}
	if (v->urge_at && seconds() >= v->urge_at)
		urge(v);
}

static int wait_for(struct vigil *v, const sigset_t *set)
{
	const struct timespec second = {.tv_sec = 1};
	int status, sig;

	for (;;) {
		if (waitpid(v->pid, &status, WNOHANG) == v->pid)
			return status;
		sig = sigtimedwait(set, NULL, &second);
		if (sig > 0 && sig != SIGCHLD)
			pass_on(v, sig);
		look_for_the_end(v);
	}
}

static int read_verdict(const char *path)
{
	FILE *in = fopen(path, "re");
	int v = -1;

	if (in) {
		if (fscanf(in, "%d", &v) != 1)
			v = -1;
		fclose(in);
	}
	return v;
}

/* Rank 0 could not write its verdict (the disk may be full) and ended with it; it has told why. */
static bool is_ours(int status)
{
	return status == FAULT_USAGE || status == FAULT_STUDY || status == FAULT_WORKER ||
	       status == FAULT_BUG || status == FAULT_IO || status == FAULT_STOPPED || status == FAULT_SEARCH;
}

static int spawn_and_wait(const char **argv, const char *verdict_path, const char *leader_path,
                          struct fault *f)
{
	struct vigil v = {.verdict_path = verdict_path, .leader_path = leader_path};
	pid_t me = getpid();
	sigset_t set, old;
	int status, verdict;

	sigemptyset(&set);
	for (size_t i = 0; i < 6; i++)
		sigaddset(&set, (int[]){SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD}[i]);
	sigprocmask(SIG_BLOCK, &set, &old);
	v.pid = fork();
	if (v.pid < 0)
		return fault_set(f, FAULT_WORKER, "fork: %s", strerror(errno));
	if (v.pid == 0)
		become_mpirun(argv, me, &old);
	status = wait_for(&v, &set);
	verdict = read_verdict(verdict_path);
	if (verdict >= 0)
		return verdict;
	if (WIFEXITED(status) && is_ours(WEXITSTATUS(status)))
		return WEXITSTATUS(status);
	if (v.leader_died)
		return fault_set(f, FAULT_WORKER,
		                 "rank 0 has died; the same command goes on where it stopped");
	if (v.asked || v.drains)
		return fault_set(f, FAULT_STOPPED, "stopped; the same command goes on where this run ended");
	return fault_set(
	    f, FAULT_WORKER,
	    "the launch ended without a verdict (mpirun: %s %d); the same command goes on where it stopped",
	    WIFEXITED(status) ? "exit status" : "signal",
	    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* The file that becomes the verdict has its room before the disk may be full; a new name needs none. */
static const char draft_suffix[] = ".draft";
static const char draft_room[] = "               \n";

static int make_draft(const char *verdict_path, struct fault *f)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s%s", verdict_path, draft_suffix) >= PATH_MAX)
		return fault_set(f, FAULT_USAGE, "%s: the path is too long", verdict_path);
	return host_write_file(path, draft_room, sizeof draft_room - 1, f);
}

static void remove_verdict(const char *verdict_path)
{
	char path[PATH_MAX];

	unlink(verdict_path);
	if (snprintf(path, sizeof path, "%s%s", verdict_path, draft_suffix) < PATH_MAX)
		unlink(path);
}

int launch_run(const struct launch_options *o, struct fault *f)
{
	char self[PATH_MAX], env_path[PATH_MAX], verdict_path[PATH_MAX], leader_path[PATH_MAX], ranks[16];
	const char *argv[MAX_ARGS];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int status;

	if (n <= 0)
		return fault_set(f, FAULT_BUG, "/proc/self/exe: %s", strerror(errno));
	self[n] = 0;
	if (name_file(env_path, o->dir, getpid(), "env") ||
	    name_file(verdict_path, o->dir, getpid(), "verdict") ||
	    name_file(leader_path, o->dir, getpid(), "leader"))
		return fault_set(f, FAULT_USAGE, "%s: the path is too long", o->dir);
	remove_stale(o->dir);
	remove_verdict(verdict_path);
	if (host_save_env(env_path, f) || make_draft(verdict_path, f))
		return -1;
	unlink(leader_path);
	setenv(env_name, env_path, 1);
	setenv(leader_name, leader_path, 1);
	setenv(verdict_name, verdict_path, 1);
	snprintf(ranks, sizeof ranks, "%u", o->ranks);
	fill_argv(o, self, ranks, argv);
	status = spawn_and_wait(argv, verdict_path, leader_path, f);
	unlink(env_path);
	remove_verdict(verdict_path);
	unlink(leader_path);
	return status;
}

void launch_lead(void)
{
	const char *path = getenv(leader_name);
	char text[300];
	int n = snprintf(text, sizeof text, "%ld %s\n", (long)getpid(), host_name());
	struct fault f;

	if (path) /* should it not work: the launcher just does not know */
		host_write_file(path, text, (size_t)n, &f);
}

const char *launch_copies(void)
{
	const char *tasks = getenv("SLURM_STEP_NUM_TASKS");

	return tasks && atol(tasks) > 1 ? tasks : NULL;
}

bool launch_recovers(void)
{
	const char *set = getenv(recovery[0].variable);

	return set && !strcmp(set, recovery[0].value);
}

static const char *flag_text(struct arena *a, size_t flag)
{
	const char *text = recovery[flag].words[0];

	for (size_t k = 1; k < FLAG_WORDS && recovery[flag].words[k]; k++)
		text = arena_printf(a, "%s %s", text, recovery[flag].words[k]);
	return text;
}

const char *launch_missing(struct arena *a)
{
	const char *missing = NULL;

	if (!getenv("OMPI_COMM_WORLD_SIZE"))
		return NULL;
	for (size_t i = 0; i < RECOVERY_FLAGS; i++) {
		const char *set = getenv(recovery[i].variable);

		if (!set || strcmp(set, recovery[i].value) != 0)
			missing =
			    missing ? arena_printf(a, "%s %s", missing, flag_text(a, i)) : flag_text(a, i);
	}
	return missing;
}

static int write_number(const char *path, const char *mode, int status)
{
	FILE *out = fopen(path, mode);

	if (!out)
		return -1;
	fprintf(out, "%d\n", status);
	return fclose(out);
}

int launch_verdict(int status)
{
	const char *path = getenv(verdict_name);
	char draft[PATH_MAX];

	if (!path || snprintf(draft, sizeof draft, "%s%s", path, draft_suffix) >= PATH_MAX)
		return status;
	if (!write_number(draft, "r+e", status) && !rename(draft, path))
		return 0;
	return write_number(path, "we", status) ? status : 0;
}

const char *launch_env_file(void)
{
	const char *path = getenv(env_name);

	return path ? path : "";
}
