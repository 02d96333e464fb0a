/* child, the rank's side: asks the keeper over a socket pair and hears from it.
 *
 * Who starts, supervises and ends trainers is a small process of its own, for three reasons. A rank that has
 * called MPI_Init should not fork (pinned memory, descriptors and threads of the MPI library), and a large
 * one forks slowly. A process that hosts MPI must not wait for any child, but reaping orphans means just
 * that. And the rank may be killed at any instant, and then somebody must be left to clean up.
 *
 * What holds, whoever dies:
 *   trainer ends      the keeper ends what is left of its tree, then reports
 *   lease ends        the keeper ends the trainers, also when the rank hangs
 *   rank dies         the keeper reads end of file: TERM, one second, KILL in rounds until no descendant is
 * left keeper dies       trainers get SIGKILL (PR_SET_PDEATHSIG); what they leave behind is re-parented to
 * the rank, a subreaper too, which kills it; keeper_next() tells that the keeper is gone both are killed
 * trainers get SIGKILL; only what they had forked may live on. Nobody is left to end it.
 *
 * A shim process for each trainer would give the same guarantees, but costs one more exec (about half of a
 * no-op trainer's whole price); one keeper for all costs a message each way.
 *
 * The rank makes the pipes and sends their writing ends along, so that output never passes through the keeper
 * and ends exactly when the trainer's last process closes it. */
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SEND_PATIENCE_MS = 30000, CLOSE_PATIENCE_MS = 2000, ROUND_MS = 2 };

struct keeper {
	int fd;
	pid_t pid; /* 0: waited for */
	bool gone;
	bool dry; /* the last look took all there was: the next one is worth it only after a poll */
	struct bytes request; /* scratch */
	struct bytes aside;   /* events of companions */
	size_t have, taken;   /* bytes received, bytes of whole events handed out */
	union {
		struct child_event events[64];
		unsigned char bytes[64 * sizeof(struct child_event)];
	} in;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* From its first instant out of reach of what is sent to our group, and deaf to the rest. */
static pid_t fork_keeper(int socket)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		child_keeper_main(socket);
	if (pid > 0)
		setpgid(pid, pid);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

int keeper_start(struct keeper **out, struct fault *f)
{
	struct keeper *k = calloc(1, sizeof *k);
	int pair[2];

	*out = NULL;
	if (!k)
		return fault_set(f, FAULT_IO, "keeper: no memory");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		free(k);
		return fault_set(f, FAULT_IO, "keeper: socketpair: %s", strerror(errno));
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	k->fd = pair[0];
	k->pid = fork_keeper(pair[1]);
	close(pair[1]);
	if (k->pid < 0) {
		close(pair[0]);
		free(k);
		return fault_set(f, FAULT_IO, "keeper: fork: %s", strerror(errno));
	}
	*out = k;
	return 0;
}

int keeper_fd(const struct keeper *k)
{
	return k->fd;
}

pid_t keeper_pid(const struct keeper *k)
{
	return k->pid;
}

/* ---- requests ----------------------------------------------------------------------------------------- */

static int keeper_lost(struct fault *f)
{
	return fault_set(f, FAULT_WORKER, "the keeper of this rank's trainers is gone");
}

/* The keeper reads all the time, so the wait for room is short. A trainer, which may be hostile, can stop it.
 */
static int send_request(struct keeper *k, const int *fds, struct fault *f)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int[CHILD_PIPES]))];
	} control;
	struct iovec part = {k->request.data, k->request.len};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

	if (fds) {
		memset(&control, 0, sizeof control);
		m.msg_control = control.room;
		m.msg_controllen = sizeof control.room;
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int[CHILD_PIPES]));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, sizeof(int[CHILD_PIPES]));
	}
	kill(k->pid, SIGCONT);
	while (part.iov_len) {
		ssize_t n = sendmsg(k->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		struct pollfd p = {.fd = k->fd, .events = POLLOUT};

		if (n > 0) {
			part.iov_base = (char *)part.iov_base + n;
			part.iov_len -= (size_t)n;
			m.msg_control = NULL;
			m.msg_controllen = 0;
		} else if (errno == EAGAIN) {
			if (poll(&p, 1, SEND_PATIENCE_MS) == 0)
				return fault_set(f, FAULT_WORKER, "the keeper (process %ld) does not answer",
				                 (long)k->pid);
		} else if (errno != EINTR) {
			return keeper_lost(f);
		}
	}
	return 0;
}

static uint32_t put_strings(struct bytes *b, const char *const *list)
{
	uint32_t n = 0;

	for (; list[n]; n++)
		bytes_put(b, list[n], strlen(list[n]) + 1);
	return n;
}

/* The words before argv that make the shell run `setup` first. "$@" keeps argv uninterpreted. What we say to
 * a companion is not for `setup` to read, nor is what `setup` prints an answer. */
static uint32_t put_setup(struct bytes *b, const char *setup, bool companion)
{
	static const char head[] = "/bin/sh\0-c", tail[] = "\nexec \"$@\"\0sh";
	static const char aside[] = "exec 4<&0 5>&1 </dev/null >&2\n",
	                  back[] = "\nexec \"$@\" <&4 >&5 4<&- 5>&-\0sh";

	bytes_put(b, head, sizeof head);
	if (companion)
		bytes_put(b, aside, sizeof aside - 1);
	bytes_put(b, setup, strlen(setup));
	bytes_put(b, companion ? back : tail, companion ? sizeof back : sizeof tail);
	return 4;
}

/* Which pipe the metric descriptor is. A program below the trainer inherits the variable that names the
 * number, but not always the descriptor: by this one it can tell. */
static uint32_t put_metric_pipe(struct bytes *b, int fd)
{
	struct stat st;
	char text[64];

	if (fstat(fd, &st) < 0)
		return 0;
	snprintf(text, sizeof text, "RANKSWEEP_METRIC_PIPE=%llu", (unsigned long long)st.st_ino);
	bytes_put(b, text, strlen(text) + 1);
	return 1;
}

static bool is_companion(const struct child_spec *s)
{
	return s->id >= CHILD_COMPANION;
}

static void encode_start(struct bytes *b, const struct child_spec *s, int third)
{
	struct child_request r = {.kind = CHILD_REQUEST_START,
	                          .id = s->id,
	                          .ncpus = s->ncpus,
	                          .grace_ms = s->grace_ms,
	                          .memory_bytes = s->memory_bytes};
	const char *cwd = s->cwd ? s->cwd : ".";

	bytes_clear(b);
	bytes_put(b, &r, sizeof r);
	bytes_put(b, s->cpus, s->ncpus * sizeof *s->cpus);
	bytes_put(b, cwd, strlen(cwd) + 1);
	r.argc = (s->setup ? put_setup(b, s->setup, is_companion(s)) : 0) + put_strings(b, s->argv);
	r.envc = put_strings(b, s->envp);
	if (!is_companion(s))
		r.envc += put_metric_pipe(b, third);
	if (b->len > CHILD_REQUEST_BYTES || s->ncpus > CHILD_CPUS) {
		r.ncpus = r.argc = r.envc = 0;
		r.error = E2BIG;
		bytes_clear(b);
		bytes_put(b, &r, sizeof r);
		bytes_put(b, "", 1);
	}
	r.bytes = (uint32_t)b->len;
	memcpy(b->data, &r, sizeof r);
}

static void close_all(const int *fds, int n)
{
	while (n-- > 0)
		if (fds[n] >= 0)
			close(fds[n]);
}

/* One pipe, or for a companion's stderr a file: ours is non-blocking, theirs is not, as programs expect. */
static int make_pipe(const struct child_spec *s, int i, int *ours, int *theirs)
{
	int p[2], mine = is_companion(s) && i == 2;

	*ours = -1;
	if (is_companion(s) && i == 1) {
		*theirs = fcntl(s->err_fd, F_DUPFD_CLOEXEC, 0);
		return *theirs < 0 ? -1 : 0;
	}
	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	*ours = p[mine];
	*theirs = p[1 - mine];
	fcntl(*ours, F_SETFL, O_NONBLOCK);
	return 0;
}

static int make_pipes(const struct child_spec *s, int ours[CHILD_PIPES], int theirs[CHILD_PIPES])
{
	for (int i = 0; i < CHILD_PIPES; i++)
		if (make_pipe(s, i, &ours[i], &theirs[i])) {
			int error = errno;

			close_all(ours, i);
			close_all(theirs, i);
			errno = error;
			return -1;
		}
	return 0;
}

int child_start(struct keeper *k, const struct child_spec *s, struct child_pipes *pipes, struct fault *f)
{
	int ours[CHILD_PIPES], theirs[CHILD_PIPES], rc;

	if (k->gone)
		return keeper_lost(f);
	if (make_pipes(s, ours, theirs) < 0)
		return fault_set(f, FAULT_IO, "pipes of a program: %s", strerror(errno));
	encode_start(&k->request, s, theirs[2]);
	rc = send_request(k, theirs, f);
	close_all(theirs, CHILD_PIPES);
	if (rc < 0) {
		close_all(ours, CHILD_PIPES);
		return -1;
	}
	*pipes = (struct child_pipes){.out = ours[0],
	                              .err = ours[1],
	                              .metric = is_companion(s) ? -1 : ours[2],
	                              .in = is_companion(s) ? ours[2] : -1};
	return 0;
}

static int send_head(struct keeper *k, const struct child_request *r, struct fault *f)
{
	bytes_clear(&k->request);
	bytes_put(&k->request, r, sizeof *r);
	return send_request(k, NULL, f);
}

static int send_grace(struct keeper *k, enum child_request_kind kind, uint32_t id, int64_t grace_ms,
                      struct fault *f)
{
	struct child_request r = {.bytes = sizeof r, .kind = kind, .id = id, .grace_ms = grace_ms};

	return send_head(k, &r, f);
}

int child_lease(struct keeper *k, int64_t until_ms, struct fault *f)
{
	struct child_request r = {.bytes = sizeof r, .kind = CHILD_REQUEST_LEASE, .until_ms = until_ms};

	return k->gone ? keeper_lost(f) : send_head(k, &r, f);
}

int child_stop(struct keeper *k, uint32_t id, int64_t grace_ms, struct fault *f)
{
	if (k->gone)
		return keeper_lost(f);
	return send_grace(k, CHILD_REQUEST_STOP, id, grace_ms, f);
}

/* ---- events ------------------------------------------------------------------------------------------- */

/* One round over what became ours when the keeper died. Trainers and what they fork never share our session:
 * that tells them from children the rank may have for other reasons. Returns how many there were. */
static size_t kill_adopted(pid_t keeper)
{
	struct child_pids list = {0};
	size_t n = 0;

	child_tree_children(&list);
	for (size_t i = 0; i < list.n; i++) {
		struct child_process p;

		if (list.at[i] == keeper || !child_tree_stat(list.at[i], &p) || p.session == getsid(0))
			continue;
		kill(p.pid, SIGKILL);
		waitpid(p.pid, NULL, WNOHANG);
		n++;
	}
	child_tree_finish(&list);
	return n;
}

/* End of file from the keeper that was not asked to end. */
static int keeper_died(struct keeper *k, struct fault *f)
{
	k->gone = true;
	kill_adopted(k->pid);
	return keeper_lost(f);
}

/* Bytes received now; 0 none now, -1 end of file. */
static ssize_t receive(struct keeper *k)
{
	size_t rest = k->have - k->taken, room = sizeof k->in.bytes - rest;
	ssize_t n;

	memmove(k->in.bytes, k->in.bytes + k->taken, rest);
	k->have = rest;
	k->taken = 0;
	do
		n = recv(k->fd, k->in.bytes + rest, room, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	k->dry = n > 0 && (size_t)n < room;
	if (n > 0)
		k->have += (size_t)n;
	return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
}

static int next_event(struct keeper *k, struct child_event *e, struct fault *f)
{
	if (k->have - k->taken < sizeof *e && k->dry) {
		k->dry = false;
		return 0;
	}
	if (k->have - k->taken < sizeof *e) {
		if (k->gone)
			return keeper_died(k, f);
		if (receive(k) < 0)
			return keeper_died(k, f);
	}
	if (k->have - k->taken < sizeof *e)
		return 0;
	memcpy(e, k->in.bytes + k->taken, sizeof *e);
	k->taken += sizeof *e;
	return 1;
}

int keeper_next(struct keeper *k, struct child_event *e, struct fault *f)
{
	int r;

	while ((r = next_event(k, e, f)) == 1 && e->id >= CHILD_COMPANION)
		bytes_put(&k->aside, e, sizeof *e);
	return r;
}

int keeper_next_companion(struct keeper *k, struct child_event *e)
{
	if (!k->aside.len)
		return 0;
	memcpy(e, k->aside.data, sizeof *e);
	bytes_drop_front(&k->aside, sizeof *e);
	return 1;
}

/* ---- closing ------------------------------------------------------------------------------------------ */

static void await_end_of_file(struct keeper *k, int64_t until_ms)
{
	for (;;) {
		struct pollfd p = {.fd = k->fd, .events = POLLIN};
		int64_t left = until_ms - now_ms();

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return;
		k->taken = k->have;
		if (receive(k) < 0) {
			k->gone = true;
			return;
		}
	}
}

/* True when it ended by itself, having left nothing behind. */
static bool bury(struct keeper *k)
{
	int status = -1;

	if (!k->gone)
		kill(k->pid, SIGKILL);
	while (waitpid(k->pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void keeper_close(struct keeper *k, int64_t grace_ms)
{
	int64_t until;

	if (!k)
		return;
	if (grace_ms < 0)
		grace_ms = 0;
	if (!k->gone && send_grace(k, CHILD_REQUEST_CLOSE, 0, grace_ms, NULL) == 0)
		await_end_of_file(k, now_ms() + grace_ms + CLOSE_PATIENCE_MS);
	if (!bury(k)) {
		until = now_ms() + CLOSE_PATIENCE_MS;
		while (kill_adopted(0) && now_ms() < until)
			poll(NULL, 0, ROUND_MS);
	}
	close(k->fd);
	bytes_finish(&k->request);
	bytes_finish(&k->aside);
	free(k);
}
