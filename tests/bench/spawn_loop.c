/* The floor below any runner: start N programs, two at a time, read what each prints, wait for it.
 *
 *   spawn_loop JOBS N PROGRAM      prints the seconds it took */
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
enum { MAX_JOBS = 64 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static pid_t start(char *program, int number, int *out)
{
	posix_spawn_file_actions_t actions;
	char text[16];
	char *argv[] = {program, text, NULL};
	int fds[2];
	pid_t pid;

	snprintf(text, sizeof text, "%d", number);
	if (pipe2(fds, O_CLOEXEC))
		exit(1);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	if (posix_spawn(&pid, program, &actions, NULL, argv, environ))
		exit(1);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	*out = fds[0];
	return pid;
}

int main(int argc, char **argv)
{
	int jobs = argc == 4 ? atoi(argv[1]) : 0, n = argc == 4 ? atoi(argv[2]) : 0, begun = 0, live = 0,
	    status;
	struct pollfd fds[MAX_JOBS];
	pid_t pids[MAX_JOBS];
	double begin = now();
	char buf[4096];

	if (jobs < 1 || jobs > MAX_JOBS)
		return 2;
	for (int i = 0; i < jobs; i++)
		fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	while (begun < n || live) {
		for (int i = 0; i < jobs && begun < n; i++)
			if (fds[i].fd < 0) {
				pids[i] = start(argv[3], begun++, &fds[i].fd);
				live++;
			}
		poll(fds, (nfds_t)jobs, -1);
		for (int i = 0; i < jobs; i++)
			if (fds[i].fd >= 0 && fds[i].revents && read(fds[i].fd, buf, sizeof buf) <= 0) {
				close(fds[i].fd);
				fds[i].fd = -1;
				waitpid(pids[i], &status, 0);
				live--;
			}
	}
	printf("%.6f\n", now() - begin);
	return 0;
}
