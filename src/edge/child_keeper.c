/* child, the keeper: a loop over one socket and SIGCHLD that starts trainers and sees to their end.
 *
 * A job is a trainer with its tree. Its life:
 *
 *                   exits                        nothing left of its tree
 *     RUNNING ------------------> leader ended ---------------------------> reported, forgotten
 *        |                          ^    | something left: LINGER_MS, or the rest of a stop's grace
 *        | stop: TERM, CONT         |    v
 *        +--- grace is over ---> killing: KILL to its group and to all that is left, in rounds
 *
 * Where there is a lease and it ends, every trainer is stopped with the grace that came with it.
 *
 * The time to linger is for what a leader leaves behind on purpose (`exec > >(tee log)` in a script's head:
 * the last lines are still in tee). While a stop's grace lasts, a leader that ends first (a shell, while the
 * program under it saves its state) does not cut the grace short.
 *
 * What is left of a tree: the keeper is a subreaper, so whoever loses its parent becomes its child, whatever
 * its session or group. After a leader has ended its living descendants all hang below such adopted children;
 * killing those makes their children adopted in turn, round by round. So "is anything left" is wait4() saying
 * ECHILD, one call; /proc is read only when children remain. An adopted process belongs
 *   1. to the job whose number is its session or group (all that did not call setsid);
 *   2. else to the job whose RANKSWEEP_UNIT and RANKSWEEP_ATTEMPT (a companion's: RANKSWEEP_SEARCH) are in
 * its environment;
 *   3. else (it wiped its environment) to the only trainer old enough to have made it. If several are, it is
 *      left alone until that is settled; with none it is ended at once.
 * Adopted processes of a leader that lives are not touched: it may count on them.
 *
 * All signals are blocked; SIGCHLD is let in only inside ppoll, where it sets a flag. Blocked instead of
 * ignored because a trainer would inherit "ignored" over exec, and never sees what was pending here. */
#include "child_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* older headers; the same number on every architecture */
#endif

enum {
	LINGER_MS = 250,
	ORPHANED_GRACE_MS = 1000, /* between TERM and KILL when the rank is dead */
	ROUND_MS = 10,
	TELL_MS = 10, /* a start is reported so late, or with the end: a short trainer wakes the rank once */
	OOM_ADJUST = 500,
	NO_DEADLINE = -1
};

struct job {
	uint32_t id;
	pid_t pid; /* also its session and group */
	uint64_t start_ticks;
	int64_t memory_bytes, grace_ms;
	int64_t deadline_ms; /* NO_DEADLINE */
	int64_t tell_ms;     /* when to report that it has started; NO_DEADLINE: done */
	bool ended;          /* the leader was waited for; `event` tells how */
	bool stopping, killing;
	bool leader_killed; /* SIGKILL was sent by us while the leader lived */
	size_t left, left_in_session;
	char marks[128]; /* RANKSWEEP_UNIT=.., RANKSWEEP_ATTEMPT=.. or RANKSWEEP_SEARCH=.., with their NULs */
	size_t marks_bytes;
	struct child_event event;
};

/* The descriptors that came with one START; a lost delivery (we are out of them) is all -1. */
struct triple {
	int fd[CHILD_PIPES];
};

struct loop {
	int socket; /* -1: the rank is gone */
	bool closing;
	int64_t lease_ms; /* trainers may run until then; NO_DEADLINE */
	bool fenced;      /* the lease has ended */
	struct job *jobs;
	size_t njobs, cap_jobs;
	struct triple *triples;
	size_t ntriples, cap_triples;
	struct bytes in, out;
	struct arena scratch;
	struct child_pids children;
	bool childless; /* wait4 said ECHILD */
	bool again;     /* a kill round is to be repeated soon */
	struct child_oom oom;
};

static volatile sig_atomic_t child_changed;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *grown(void *old, size_t n, size_t *cap, size_t item)
{
	if (n < *cap)
		return old;
	*cap = *cap ? *cap * 2 : 16;
	old = realloc(old, *cap * item);
	if (!old)
		_exit(70); /* without the keeper its trainers end, and the rank is told */
	return old;
}

static void report(struct loop *k, const struct child_event *e)
{
	bytes_put(&k->out, e, sizeof *e);
}

/* ---- starting ----------------------------------------------------------------------------------------- */

static struct triple take_triple(struct loop *k)
{
	struct triple t = {{-1, -1, -1}};

	if (!k->ntriples)
		return t;
	t = k->triples[0];
	k->ntriples--;
	memmove(k->triples, k->triples + 1, k->ntriples * sizeof *k->triples);
	return t;
}

static void close_triple(const struct triple *t)
{
	for (int i = 0; i < CHILD_PIPES; i++)
		if (t->fd[i] >= 0)
			close(t->fd[i]);
}

static void mark(struct job *j, const char *const *envp)
{
	for (; *envp; envp++) {
		size_t n = strlen(*envp) + 1;

		if ((!strncmp(*envp, "RANKSWEEP_UNIT=", 15) || !strncmp(*envp, "RANKSWEEP_ATTEMPT=", 18) ||
		     !strncmp(*envp, "RANKSWEEP_SEARCH=", 17)) &&
		    j->marks_bytes + n <= sizeof j->marks) {
			memcpy(j->marks + j->marks_bytes, *envp, n);
			j->marks_bytes += n;
		}
	}
}

static size_t cpu_mask(unsigned char mask[CHILD_CPUS / 8], const unsigned char *cpus, uint32_t ncpus)
{
	memset(mask, 0, CHILD_CPUS / 8);
	for (uint32_t i = 0; i < ncpus; i++) {
		uint32_t cpu;

		memcpy(&cpu, cpus + i * sizeof cpu, sizeof cpu);
		if (cpu < CHILD_CPUS)
			mask[cpu / 8] |= (unsigned char)(1u << cpu % 8);
	}
	return ncpus ? CHILD_CPUS / 8 : 0;
}

/* The next n texts of a request as a NULL-terminated list, in place. NULL: they are not all there. */
static const char **texts(struct loop *k, const unsigned char **at, const unsigned char *end, uint32_t n)
{
	const char **list;

	if (n > (size_t)(end - *at))
		return NULL;
	list = arena_array(&k->scratch, (size_t)n + 1, sizeof *list);
	for (uint32_t i = 0; i < n; i++) {
		const unsigned char *nul = memchr(*at, '\0', (size_t)(end - *at));

		if (!nul)
			return NULL;
		list[i] = (const char *)*at;
		*at = nul + 1;
	}
	return list;
}

static void started(struct loop *k, const struct child_request *r, const struct child_order *o,
                    uint64_t ticks, pid_t pid)
{
	struct job *j;

	k->jobs = grown(k->jobs, k->njobs, &k->cap_jobs, sizeof *k->jobs);
	j = &k->jobs[k->njobs++];
	*j = (struct job){.id = r->id,
	                  .pid = pid,
	                  .start_ticks = ticks,
	                  .memory_bytes = o->memory_bytes,
	                  .grace_ms = r->grace_ms,
	                  .deadline_ms = NO_DEADLINE,
	                  .tell_ms = now_ms() + TELL_MS};
	mark(j, o->envp);
}

static void tell_started(struct loop *k, struct job *j)
{
	struct child_event e = {.kind = CHILD_STARTED, .id = j->id, .pid = j->pid};

	if (j->tell_ms != NO_DEADLINE)
		report(k, &e);
	j->tell_ms = NO_DEADLINE;
}

static void spawn_failed(struct loop *k, uint32_t id, int error, const char *stage)
{
	struct child_event e = {.kind = CHILD_SPAWN_FAILED, .id = id, .error = error};

	snprintf(e.stage, sizeof e.stage, "%s", stage);
	report(k, &e);
}

static void start(struct loop *k, const struct child_request *r, struct child_order *o)
{
	unsigned char mask[CHILD_CPUS / 8];
	uint64_t ticks = child_tree_ticks();
	const char *stage;
	int error;
	pid_t pid;

	o->cpu_mask_bytes = cpu_mask(mask, o->cpu_mask, r->ncpus);
	o->cpu_mask = mask;
	pid = child_spawn(o, &k->scratch, &error, &stage);
	k->childless = false;
	if (pid > 0)
		started(k, r, o, ticks, pid);
	else
		spawn_failed(k, r->id, error, stage);
}

/* False: not a request of ours. */
static bool on_start(struct loop *k, const struct child_request *r, const unsigned char *body)
{
	struct triple t = take_triple(k);
	const unsigned char *end = body + r->bytes - sizeof *r, *at = body + r->ncpus * sizeof(uint32_t);
	struct child_order o = {
	    .memory_bytes = r->memory_bytes, .cpu_mask = body, .companion = r->id >= CHILD_COMPANION};
	const char **cwd = NULL;

	arena_reset(&k->scratch);
	if (r->ncpus <= CHILD_CPUS && at < end && (cwd = texts(k, &at, end, 1)))
		o.argv = texts(k, &at, end, r->argc);
	o.envp = o.argv ? texts(k, &at, end, r->envc) : NULL;
	memcpy(o.pipes, t.fd, sizeof o.pipes);
	if (o.envp) {
		o.cwd = cwd[0];
		if (k->fenced && !o.companion)
			spawn_failed(k, r->id, ETIME, "lease");
		else if (r->error || !r->argc)
			spawn_failed(k, r->id, r->error ? r->error : ENOENT, "exec");
		else if (t.fd[0] < 0)
			spawn_failed(k, r->id, EMFILE, "pipes");
		else
			start(k, r, &o);
	}
	close_triple(&t);
	return o.envp != NULL;
}

/* ---- stopping ----------------------------------------------------------------------------------------- */

/* Not after its end: the number may be another group's by then. */
static void signal_group(const struct job *j, int sig)
{
	if (!j->ended)
		kill(-j->pid, sig);
}

static void stop(struct job *j, int64_t grace_ms)
{
	int64_t deadline = now_ms() + (grace_ms > 0 ? grace_ms : 0);

	if (!j->stopping && grace_ms > 0) {
		signal_group(j, SIGTERM);
		signal_group(j, SIGCONT);
	}
	j->stopping = true;
	if (j->deadline_ms == NO_DEADLINE || deadline < j->deadline_ms)
		j->deadline_ms = deadline;
}

static void stop_all(struct loop *k, int64_t grace_ms)
{
	k->closing = true;
	for (size_t i = 0; i < k->njobs; i++)
		stop(&k->jobs[i], grace_ms);
}

/* Rank 0 may have given up what runs here: from now on another host may start it. */
static void fence(struct loop *k)
{
	struct child_event e = {.kind = CHILD_FENCED};

	k->fenced = true;
	report(k, &e);
	for (size_t i = 0; i < k->njobs; i++)
		if (k->jobs[i].id < CHILD_COMPANION)
			stop(&k->jobs[i], k->jobs[i].grace_ms);
}

static void on_lease(struct loop *k, const struct child_request *r)
{
	k->lease_ms = r->until_ms;
	k->fenced = k->fenced && r->until_ms <= now_ms();
}

static void on_stop(struct loop *k, const struct child_request *r)
{
	for (size_t i = 0; i < k->njobs; i++)
		if (k->jobs[i].id == r->id)
			stop(&k->jobs[i], r->grace_ms);
}

/* ---- the socket --------------------------------------------------------------------------------------- */

static void rank_gone(struct loop *k)
{
	if (k->socket >= 0)
		close(k->socket);
	k->socket = -1;
	stop_all(k, ORPHANED_GRACE_MS);
}

static bool on_request(struct loop *k, const struct child_request *r, const unsigned char *body)
{
	switch (r->kind) {
	case CHILD_REQUEST_START:
		return on_start(k, r, body);
	case CHILD_REQUEST_STOP:
		on_stop(k, r);
		return true;
	case CHILD_REQUEST_CLOSE:
		stop_all(k, r->grace_ms);
		return true;
	case CHILD_REQUEST_LEASE:
		on_lease(k, r);
		return true;
	default:
		return false;
	}
}

static void serve_requests(struct loop *k)
{
	size_t at = 0;

	while (k->in.len - at >= sizeof(struct child_request)) {
		struct child_request r;

		memcpy(&r, k->in.data + at, sizeof r);
		if (r.bytes < sizeof r || r.bytes > CHILD_REQUEST_BYTES) {
			rank_gone(k);
			return;
		}
		if (k->in.len - at < r.bytes)
			break;
		if (!on_request(k, &r, k->in.data + at + sizeof r)) {
			rank_gone(k);
			return;
		}
		at += r.bytes;
	}
	bytes_drop_front(&k->in, at);
}

static void keep_descriptors(struct loop *k, struct msghdr *m)
{
	struct triple t = {{-1, -1, -1}};
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	size_t n = c && c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

	if (!n && !(m->msg_flags & MSG_CTRUNC))
		return;
	memcpy(t.fd, n ? (const int *)(const void *)CMSG_DATA(c) : t.fd, n * sizeof(int));
	if (n < CHILD_PIPES) {
		close_triple(&t);
		t = (struct triple){{-1, -1, -1}};
	}
	k->triples = grown(k->triples, k->ntriples, &k->cap_triples, sizeof *k->triples);
	k->triples[k->ntriples++] = t;
}

/* One recvmsg never returns the descriptors of more than one START: the kernel stops behind them. */
static void receive(struct loop *k)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int[CHILD_PIPES]))];
	} control;
	struct iovec part = {bytes_room(&k->in, 65536), 65536};
	struct msghdr m = {.msg_iov = &part,
	                   .msg_iovlen = 1,
	                   .msg_control = control.room,
	                   .msg_controllen = sizeof control.room};
	ssize_t n = recvmsg(k->socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		rank_gone(k);
		return;
	}
	k->in.len += (size_t)n;
	keep_descriptors(k, &m);
	serve_requests(k);
}

static void flush(struct loop *k)
{
	while (k->socket >= 0 && k->out.len) {
		ssize_t n = send(k->socket, k->out.data, k->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			bytes_drop_front(&k->out, (size_t)n);
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			rank_gone(k);
	}
}

/* ---- ends --------------------------------------------------------------------------------------------- */

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void leader_ended(struct loop *k, struct job *j, int status, const struct rusage *used)
{
	j->ended = true;
	j->event = (struct child_event){
	    .kind = CHILD_EXITED,
	    .id = j->id,
	    .pid = j->pid,
	    .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
	    .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
	    .oom = child_oom_died(&k->oom, status, j->leader_killed, used, j->memory_bytes),
	    .user_seconds = seconds(&used->ru_utime),
	    .system_seconds = seconds(&used->ru_stime),
	    .max_rss_kb = (uint64_t)used->ru_maxrss,
	};
}

static void reap(struct loop *k)
{
	struct rusage used;
	int status;
	pid_t pid;

	child_changed = 0;
	while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0)
		for (size_t i = 0; i < k->njobs; i++)
			if (k->jobs[i].pid == pid && !k->jobs[i].ended)
				leader_ended(k, &k->jobs[i], status, &used);
	k->childless = pid < 0;
}

static void expire(struct loop *k)
{
	int64_t now = now_ms();

	if (k->lease_ms != NO_DEADLINE && k->lease_ms <= now && !k->fenced)
		fence(k);
	for (size_t i = 0; i < k->njobs; i++) {
		struct job *j = &k->jobs[i];

		if (j->tell_ms <= now)
			tell_started(k, j);
		if (j->deadline_ms == NO_DEADLINE || j->deadline_ms > now || j->killing)
			continue;
		j->killing = true;
		j->leader_killed = !j->ended;
	}
}

/* ---- what is left of a tree -----------------------------------------------------------------------------
 */

static bool is_leader(const struct loop *k, pid_t pid)
{
	for (size_t i = 0; i < k->njobs; i++)
		if (k->jobs[i].pid == pid && !k->jobs[i].ended)
			return true;
	return false;
}

static struct job *only_one_old_enough(struct loop *k, const struct child_process *p, bool *none)
{
	struct job *one = NULL;
	size_t n = 0;

	for (size_t i = 0; i < k->njobs; i++)
		if (k->jobs[i].id < CHILD_COMPANION && k->jobs[i].start_ticks <= p->start_ticks) {
			one = &k->jobs[i];
			n++;
		}
	*none = n == 0;
	return n == 1 ? one : NULL;
}

static struct job *owner(struct loop *k, const struct child_process *p, bool *none)
{
	*none = false;
	for (size_t i = 0; i < k->njobs; i++)
		if (k->jobs[i].pid == p->session || k->jobs[i].pid == p->group)
			return &k->jobs[i];
	for (size_t i = 0; i < k->njobs; i++)
		if (child_tree_marked(p->pid, k->jobs[i].marks, k->jobs[i].marks_bytes))
			return &k->jobs[i];
	return only_one_old_enough(k, p, none);
}

/* A group's number stays taken while a child that we have not waited for is in it, so it can't hit others. */
static void kill_process(struct loop *k, const struct child_process *p)
{
	if (p->group > 1 && p->group != getpgrp() && !is_leader(k, p->group))
		kill(-p->group, SIGKILL);
	kill(p->pid, SIGKILL);
	k->again = true;
}

static void judge_adopted(struct loop *k, pid_t pid)
{
	struct child_process p;
	struct job *j;
	bool none;

	if (is_leader(k, pid) || !child_tree_stat(pid, &p))
		return;
	j = owner(k, &p, &none);
	if (j) {
		j->left++;
		j->left_in_session += p.session == j->pid;
	}
	if (none || (j && j->killing))
		kill_process(k, &p);
}

static void count_left(struct loop *k)
{
	for (size_t i = 0; i < k->njobs; i++)
		k->jobs[i].left = k->jobs[i].left_in_session = 0;
	if (k->childless)
		return;
	child_tree_children(&k->children);
	for (size_t i = 0; i < k->children.n; i++)
		judge_adopted(k, k->children.at[i]);
}

/* Something is left of an ended leader's tree: how long may it stay? In a stop, what got the TERM has the
 * rest of the grace; all else lingers. */
static void give_time(struct job *j)
{
	int64_t linger = now_ms() + LINGER_MS;

	if (j->stopping && j->left_in_session)
		return;
	if (j->deadline_ms == NO_DEADLINE || linger < j->deadline_ms)
		j->deadline_ms = linger;
}

static void settle_job(struct loop *k, struct job *j)
{
	if (j->killing && !j->ended) {
		kill(-j->pid, SIGKILL);
		k->again = true;
	} else if (j->ended && j->left && !j->killing) {
		give_time(j);
	}
}

/* After this every ended job without a rest is reported and forgotten. */
static void settle(struct loop *k)
{
	bool needed = k->closing;
	size_t kept = 0;

	k->again = false;
	for (size_t i = 0; i < k->njobs; i++)
		needed |= k->jobs[i].ended || k->jobs[i].killing;
	if (!needed)
		return;
	count_left(k);
	for (size_t i = 0; i < k->njobs; i++) {
		struct job *j = &k->jobs[i];

		if (j->ended && !j->left) {
			tell_started(k, j);
			report(k, &j->event);
			continue;
		}
		settle_job(k, j);
		if (kept++ != i)
			k->jobs[kept - 1] = *j;
	}
	k->njobs = kept;
}

/* ---- the loop ----------------------------------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a == NO_DEADLINE || (b != NO_DEADLINE && b < a) ? b : a;
}

/* Milliseconds to the next deadline or kill round; -1 none. */
static int64_t time_to_sleep(const struct loop *k)
{
	int64_t first = k->fenced ? NO_DEADLINE : k->lease_ms, left;

	if (k->again)
		return ROUND_MS;
	for (size_t i = 0; i < k->njobs; i++) {
		const struct job *j = &k->jobs[i];

		first = earlier(first, j->tell_ms);
		if (!j->killing)
			first = earlier(first, j->deadline_ms);
	}
	if (first == NO_DEADLINE)
		return -1;
	left = first - now_ms();
	return left > 0 ? left : 0;
}

static void turn(struct loop *k, const sigset_t *while_asleep)
{
	struct pollfd p = {.fd = k->socket, .events = (short)(POLLIN | (k->out.len ? POLLOUT : 0))};
	int64_t ms = time_to_sleep(k);
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	int n = ppoll(&p, 1, ms < 0 ? NULL : &t, while_asleep);

	if (child_changed)
		reap(k);
	if (n > 0 && p.revents & ~POLLOUT)
		receive(k);
	expire(k);
	settle(k);
	flush(k);
}

static void on_child(int sig)
{
	(void)sig;
	child_changed = 1;
}

/* All blocked and at their defaults; SIGCHLD a flag, let in only by the returned mask. */
static sigset_t take_signals(void)
{
	struct sigaction plain = {.sa_handler = SIG_DFL}, flag = {.sa_handler = on_child};
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (int s = 1; s < NSIG; s++)
		sigaction(s, &plain, NULL);
	sigaction(SIGCHLD, &flag, NULL);
	sigdelset(&all, SIGCHLD);
	return all;
}

static void close_from(int first)
{
	struct rlimit l;

	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur > 65536)
		l.rlim_cur = 65536;
	for (int fd = first; fd < (int)l.rlim_cur; fd++)
		close(fd);
}

/* 0 to 3 become /dev/null, so that what arrives is always from 5 up and never in a trainer's way; the socket
 * becomes 4; all else is closed, also the rank's standard output: mpirun waits for whoever holds that. */
static int take_descriptors(int sock)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), high = fcntl(sock, F_DUPFD_CLOEXEC, 10);

	if (null < 0 || high < 0)
		_exit(70);
	for (int fd = 0; fd < 4; fd++)
		if (fd == null)
			fcntl(fd, F_SETFD, 0);
		else
			dup2(null, fd);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	dup3(high, 4, O_CLOEXEC);
	close_from(5);
	return 4;
}

/* The kernel should end a trainer rather than the rank when memory runs out; trainers inherit this. */
static void offer_to_oom_killer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[16];
	int n = snprintf(text, sizeof text, "%d", OOM_ADJUST);

	if (fd >= 0 && write(fd, text, (size_t)n) < 0)
		close(fd); /* only lowering it is forbidden; a refusal costs nothing */
	else if (fd >= 0)
		close(fd);
}

_Noreturn void child_keeper_main(int sock)
{
	struct loop k = {.childless = true, .lease_ms = NO_DEADLINE};
	sigset_t asleep;

	setpgid(0, 0);
	prctl(PR_SET_NAME, "rs-keeper", 0, 0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	asleep = take_signals();
	k.socket = take_descriptors(sock);
	offer_to_oom_killer();
	child_oom_init(&k.oom);
	while (!k.closing || k.njobs || !k.childless) {
		turn(&k, &asleep);
		if (k.closing && !k.njobs)
			reap(&k);
	}
	_exit(0);
}
