/* The trainers of tests/mpi/18-hostile.sh: each does one thing that a trainer should not. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void ignore_signals(void)
{
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_IGN);
}

static void close_all(void)
{
	for (int fd = 0; fd < 64; fd++)
		close(fd);
}

static void wait_for_ever(void)
{
	for (;;)
		pause();
}

static void nap_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

static void value(void)
{
	printf("@metric m=1\n");
	fflush(stdout);
}

/* Many children that hear no signal and hold nothing of ours, every other one in a session of its own and
 * without environment. */
static int crowd(int n, int leader_stays)
{
	int *there = mmap(NULL, sizeof *there, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			fprintf(stderr, "only %d children\n", i);
			n = i;
			break;
		}
		if (pid > 0)
			continue;
		ignore_signals();
		close_all();
		if (i % 2) {
			setsid();
			execle("/proc/self/exe", "hostile", "wait", (char *)NULL, (char *[]){NULL});
		}
		__atomic_add_fetch(there, 1, __ATOMIC_SEQ_CST);
		wait_for_ever();
	}
	while (__atomic_load_n(there, __ATOMIC_SEQ_CST) < (n + 1) / 2)
		nap_ms(5);
	value();
	ignore_signals();
	if (leader_stays)
		wait_for_ever();
	return 0;
}

/* Some that are never there when one looks: each forks its successor, in a session of its own, and ends. */
static int comets(int n)
{
	for (int i = 0; i < n; i++)
		if (fork() == 0) {
			ignore_signals();
			close_all();
			for (;;) {
				nap_ms(2);
				if (fork() != 0)
					_exit(0);
				setsid();
			}
		}
	value();
	return 0;
}

/* All the names that fit, in lines of 200; then lines that are none. */
static int names(int n)
{
	for (int i = 0; i < n; i++)
		printf("%sname%d=%d%s", i % 200 ? " " : "@metric ", i, i, i % 200 == 199 ? "\n" : "");
	printf("\n@metric m'; drop table unit; --=1\n@metric \"m\"=2\n@metric $(touch pwned)=3\n@metric m=4 "
	       "`touch pwned`=1\n");
	fwrite("@metric m=\0"
	       "5\n\0\0\0\n@metric \0m=6\n",
	       1, 30, stdout);
	value();
	return 0;
}

/* Fills the disk it is given, and fails of it. */
static int fill(const char *folder)
{
	static char block[1 << 16];
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/fill", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
	while (write(fd, block, sizeof block) > 0)
		;
	perror("hostile");
	return 9;
}

/* Changes what can be changed about who it is. */
static int elsewhere(void)
{
	setpgid(0, 0);
	if (fork() != 0)
		_exit(0);
	setsid();
	if (chdir("/") < 0 || nice(10) < 0)
		return 1;
	value();
	wait_for_ever();
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *with = argc > 2 ? argv[2] : "";

	if (!strcmp(what, "wait"))
		wait_for_ever();
	if (!strcmp(what, "crowd"))
		return crowd(atoi(with), 0);
	if (!strcmp(what, "crowd-stays"))
		return crowd(atoi(with), 1);
	if (!strcmp(what, "comets"))
		return comets(atoi(with));
	if (!strcmp(what, "names"))
		return names(atoi(with));
	if (!strcmp(what, "fill"))
		return fill(with);
	if (!strcmp(what, "elsewhere"))
		return elsewhere();
	if (!strcmp(what, "kill-parent") || !strcmp(what, "stop-parent")) {
		kill(getppid(), what[0] == 'k' ? SIGKILL : SIGSTOP);
		wait_for_ever();
	}
	value();
	return 0;
}
