#include "inquire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OUT, ERR, STREAMS, NAP_MS = 10 };

struct asked {
	pid_t pid; /* also its group, so that nothing of it outlives the question */
	int fd[STREAMS];
	char *text[STREAMS];
	size_t n[STREAMS], cap[STREAMS];
	int64_t until_ms;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- starting -------------------------------------------------------------------------------- */

static int set_attributes(posix_spawnattr_t *at)
{
	sigset_t none, defaults;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	if (posix_spawnattr_setflags(at, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
	                                     POSIX_SPAWN_SETSIGDEF) ||
	    posix_spawnattr_setpgroup(at, 0) || posix_spawnattr_setsigmask(at, &none) ||
	    posix_spawnattr_setsigdefault(at, &defaults))
		return EINVAL;
	return 0;
}

/* The number of an error, 0: it runs. */
static int spawn(struct asked *q, const char *const *argv, const int write_ends[STREAMS])
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t at;
	int error;

	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&at);
	error = set_attributes(&at);
	if (!error)
		error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	for (int i = 0; i < STREAMS && !error; i++)
		error = posix_spawn_file_actions_adddup2(&files, write_ends[i], 1 + i);
	if (!error)
		error = posix_spawnp(&q->pid, argv[0], &files, &at, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&at);
	return error;
}

static int start(struct asked *q, const char *const *argv)
{
	int ends[STREAMS] = {-1, -1}, error = 0;

	for (int i = 0; i < STREAMS && !error; i++) {
		int p[2];

		error = pipe2(p, O_CLOEXEC) < 0 ? errno : 0;
		if (!error) {
			q->fd[i] = p[0];
			ends[i] = p[1];
		}
	}
	if (!error)
		error = spawn(q, argv, ends);
	for (int i = 0; i < STREAMS; i++)
		close_fd(&ends[i]);
	return error;
}

/* ---- listening ------------------------------------------------------------------------------- */

/* What does not fit is read and dropped: a pipe that nobody empties would hold the program up. */
static void take(struct asked *q, int i)
{
	char buf[4096];
	ssize_t n = read(q->fd[i], buf, sizeof buf);
	size_t room = q->cap[i] - q->n[i], kept;

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		close_fd(&q->fd[i]);
		return;
	}
	kept = (size_t)n < room ? (size_t)n : room;
	memcpy(q->text[i] + q->n[i], buf, kept);
	q->n[i] += kept;
}

/* Until both streams end. False: time is up. */
static bool listen_to(struct asked *q)
{
	while (q->fd[OUT] >= 0 || q->fd[ERR] >= 0) {
		struct pollfd fds[STREAMS] = {{.fd = q->fd[OUT], .events = POLLIN},
		                              {.fd = q->fd[ERR], .events = POLLIN}};
		int64_t left = q->until_ms - now_ms();

		if (left <= 0)
			return false;
		if (poll(fds, STREAMS, (int)left) <= 0)
			continue;
		for (int i = 0; i < STREAMS; i++)
			if (fds[i].revents)
				take(q, i);
	}
	return true;
}

/* Its end follows that of its streams, but for a program that closes them and goes on. */
static bool ended(struct asked *q, int *status)
{
	const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
	pid_t got;

	while ((got = waitpid(q->pid, status, WNOHANG)) != q->pid) {
		if (got < 0 && errno != EINTR)
			return false;
		if (now_ms() >= q->until_ms)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

static void end_all(struct asked *q)
{
	kill(-q->pid, SIGKILL);
	while (waitpid(q->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int inquire_program(const char *const *argv, int64_t limit_ms, struct inquiry *a, struct fault *f)
{
	struct asked q = {.fd = {-1, -1},
	                  .text = {a->out, a->err},
	                  .cap = {INQUIRE_OUT, INQUIRE_ERR},
	                  .until_ms = now_ms() + limit_ms};
	int error, status = 0;
	bool answered = false;

	signal(SIGCHLD, SIG_DFL); /* were it ignored, there would be no end to wait for */
	error = start(&q, argv);
	if (!error) {
		answered = listen_to(&q) && ended(&q, &status);
		if (!answered)
			end_all(&q);
	}
	for (int i = 0; i < STREAMS; i++) {
		close_fd(&q.fd[i]);
		q.text[i][q.n[i]] = '\0';
	}
	if (error == ENOENT)
		return fault_set(f, FAULT_WORKER, "there is no %s here", argv[0]);
	if (error)
		return fault_set(f, FAULT_WORKER, "%s cannot be started: %s", argv[0], strerror(error));
	if (!answered)
		return fault_set(f, FAULT_WORKER, "%s gave no answer in %lld s", argv[0],
		                 (long long)limit_ms / 1000);
	a->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return 0;
}
