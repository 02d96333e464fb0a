/* host: clock, names and signals. */
#include "host.h"

#include "rng.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* older headers; the same number on every architecture */
#endif

static int64_t clock_ms(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t host_monotonic_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

int64_t host_epoch_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

const char *host_name(void)
{
	static char name[256];

	if (!name[0]) {
		if (gethostname(name, sizeof name - 1) < 0 || !name[0])
			strcpy(name, "localhost");
		name[strcspn(name, ".")] = '\0';
	}
	return name;
}

const char *host_user(void)
{
	static char name[64];
	const struct passwd *p = name[0] ? NULL : getpwuid(geteuid());

	if (!name[0] && p && p->pw_name[0])
		snprintf(name, sizeof name, "%s", p->pw_name);
	else if (!name[0])
		snprintf(name, sizeof name, "%ld", (long)geteuid());
	return name;
}

uint64_t host_identity(const char *name_space)
{
	char text[256] = "";
	struct stat space = {0};
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
	uint64_t h = rng_hash(0, text, n < 0 ? 0 : (size_t)n);

	if (fd >= 0)
		close(fd);
	if (gethostname(text, sizeof text) == 0)
		h = rng_hash(h, text, strnlen(text, sizeof text));
	snprintf(text, sizeof text, "/proc/self/ns/%s", name_space);
	if (stat(text, &space) == 0)
		h = rng_hash(h, &space.st_ino, sizeof space.st_ino);
	return h;
}

int host_process_fd(uint32_t pid)
{
	return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

static pid_t parent_of_ours;

/* The signal comes for each thread of the parent that ends, too: a daemon may start ranks from threads. */
static void parent_changed(int sig)
{
	(void)sig;
	if (getppid() != parent_of_ours)
		_exit(75);
}

void host_end_with_parent(void)
{
	struct sigaction sa = {.sa_handler = parent_changed, .sa_flags = SA_RESTART};

	sigemptyset(&sa.sa_mask);
	parent_of_ours = getppid();
	sigaction(SIGRTMIN + 3, &sa, NULL);
	prctl(PR_SET_PDEATHSIG, SIGRTMIN + 3);
}

int host_signals_open(struct fault *f)
{
	static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		sigaddset(&set, wanted[i]);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return fault_set(f, FAULT_IO, "signalfd: %s", strerror(errno));
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	return fd;
}

int host_signals_take(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}
