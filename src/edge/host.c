/* host: clock, names and signals. */
#include "host.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

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
