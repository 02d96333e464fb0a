/* A trainer for tests/chaos/chaos.sh: brief, saves after each epoch, and computes from its arguments only.
 *
 *   trainer EPOCHS VALUE FOLD [PARENT_STATE]
 *
 * In the current folder: `pace` has the milliseconds an epoch takes; one line goes into `ended` for each run
 * to the end, and into `doubles` when the unit runs elsewhere at this moment. Some trainers end with 75 after
 * an epoch, some with 3 once; which, follows from the arguments. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { FAILS = 3, NO_PARENT = 4, CANNOT_SAVE = 5, OTHER_STATE = 6, AGAIN = 75 };

static const uint64_t PRIME = 2147483647; /* of the generator of Lehmer */
static volatile sig_atomic_t told_to_stop;

static void on_term(int sig)
{
	(void)sig;
	told_to_stop = 1;
}

static uint64_t next(uint64_t weight, int epoch)
{
	return (weight * 48271 + (uint64_t)epoch) % PRIME;
}

static uint64_t of_text(const char *text)
{
	uint64_t h = 1;

	while (*text)
		h = (h * 131 + (unsigned char)*text++) % PRIME;
	return h;
}

static int read_state(const char *path, int *epoch, uint64_t *weight)
{
	FILE *f = fopen(path, "r");
	int n;

	if (!f)
		return -1;
	n = fscanf(f, "%d %lu", epoch, weight);
	fclose(f);
	return n == 2 ? 0 : -1;
}

static int save(int epoch, uint64_t weight)
{
	FILE *f = fopen("new", "w");

	if (!f || fprintf(f, "%d %lu\n", epoch, weight) < 0 || fclose(f) != 0)
		return -1;
	return rename("new", "state");
}

/* One line at the end of a file in the folder of the run, whole even if others write at the same time. */
static void note(int folder, const char *file, const char *unit)
{
	int fd = openat(folder, file, O_WRONLY | O_APPEND | O_CREAT, 0666);

	dprintf(fd, "%9s\n", unit);
	close(fd);
}

static void sleep_for_an_epoch(int folder)
{
	char text[16] = "0";
	int fd = openat(folder, "pace", O_RDONLY), ms;

	if (fd >= 0 && read(fd, text, sizeof text - 1) < 0)
		text[0] = 0;
	close(fd);
	ms = atoi(text);
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static void report(uint64_t weight, int epoch)
{
	printf("@metric loss=%.17g step=%d\n", (double)weight / (double)PRIME, epoch);
	fflush(stdout);
}

/* What was said before may have been lost together with a rank, so all of it is said again. */
static int go_on(uint64_t *weight, int *epoch)
{
	uint64_t saved;
	int done;

	if (read_state("state", &done, &saved) < 0)
		return 0;
	while (*epoch < done) {
		*weight = next(*weight, ++*epoch);
		report(*weight, *epoch);
	}
	return *weight == saved ? 0 : -1;
}

/* The status with which this trainer ends by itself after the epoch, or -1. */
static int whim(uint64_t weight)
{
	if (weight % 41 == 0 && access("failed", F_OK) != 0) {
		close(creat("failed", 0666));
		return FAILS;
	}
	return weight % 29 == 0 ? AGAIN : -1;
}

static int train(int folder, int epochs, int epoch, uint64_t weight)
{
	while (epoch < epochs) {
		int status;

		weight = next(weight, ++epoch);
		sleep_for_an_epoch(folder);
		report(weight, epoch);
		if (save(epoch, weight) < 0)
			return CANNOT_SAVE;
		status = epoch < epochs ? whim(weight) : -1;
		if (status >= 0 || (told_to_stop && epoch < epochs))
			return status >= 0 ? status : AGAIN;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *unit = getenv("RANKSWEEP_UNIT"), *resume = getenv("RANKSWEEP_RESUME");
	int folder = open(".", O_RDONLY | O_DIRECTORY), lock, epoch = 0, status;
	uint64_t weight, parents = 0;

	signal(SIGTERM, on_term);
	if (argc < 4 || !unit || !resume)
		return 64;
	if (argc > 4 && read_state(argv[4], &epoch, &parents) < 0)
		return NO_PARENT;
	weight = (of_text(argv[2]) + of_text(argv[3]) * 7 + parents) % PRIME;
	if (chdir(getenv("RANKSWEEP_DIR")) < 0)
		return CANNOT_SAVE;
	lock = open("lock", O_RDWR | O_CREAT, 0666);
	if (flock(lock, LOCK_EX | LOCK_NB) < 0)
		note(folder, "doubles", unit);
	epoch = 0;
	if (!strcmp(resume, "1") && go_on(&weight, &epoch) < 0)
		return OTHER_STATE;
	status = train(folder, atoi(argv[1]), epoch, weight);
	if (status == 0)
		note(folder, "ended", unit);
	return status;
}
