/* bench_propose: how much cpu time a search takes for one proposal.
 *
 *   bench_propose [--tools X,Y] [--at 100,1000,10000,100000] [--dir DIR]
 *
 * 10 mixed parameters (tasks/mixed10.csv), behind it as many random trials as said. Prints a line of JSON for
 * each: the first proposal, made when all trials have just been told (as after a resume), and the median of
 * those that follow, each when one more trial has ended. */
#include "searcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 101 };
static const double enough_ms = 3000; /* of proposals: then three of them will do */

/* Of cpu time: others may use this machine. */
static double milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* One trial from its proposal to its end: how long the proposal took. */
static double one_trial(struct searcher *s)
{
	double point[TASK_PARAMS], seconds, start = milliseconds(), took;
	uint32_t number;

	if (!searcher_ask(s, point, &number)) {
		fprintf(stderr, "bench_propose: no proposal\n");
		exit(1);
	}
	took = milliseconds() - start;
	searcher_tell(s, number, task_value(s->task, point, &seconds));
	return took;
}

static void measure(const struct task *t, const char *tool, uint32_t trials)
{
	struct searcher s;
	double first, took[MOST], all = 0;
	uint32_t n = 0;

	searcher_open(&s, t, tool, 1, trials + MOST + 1, 1);
	s.blind = true;
	for (uint32_t i = 0; i < trials; i++)
		one_trial(&s);
	s.blind = false;
	first = one_trial(&s);
	while (n < MOST && (n < 3 || all < enough_ms)) {
		took[n] = one_trial(&s);
		all += took[n++];
	}
	qsort(took, n, sizeof *took, ascending);
	printf("{\"tool\": \"%s\", \"trials\": %u, \"first_ms\": %.4g, \"median_ms\": %.4g}\n", tool,
	       (unsigned)trials, first, took[n / 2]);
	fflush(stdout);
	searcher_close(&s);
}

static void measure_all(const struct task *t, const char *tools, const char *numbers)
{
	char tool[32], number[32];

	while (next_word(&tools, tool, sizeof tool))
		for (const char *rest = numbers; next_word(&rest, number, sizeof number);)
			measure(t, tool, (uint32_t)strtoul(number, NULL, 10));
}

int main(int argc, char **argv)
{
	const char *tools = "tpe,cmaes,gp,auto", *at = "100,1000,10000,100000", *dir = "tests/bench/tasks";
	struct arena a = {0};
	struct task t;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--tools"))
			tools = argv[i + 1];
		else if (!strcmp(argv[i], "--at"))
			at = argv[i + 1];
		else if (!strcmp(argv[i], "--dir"))
			dir = argv[i + 1];
	}
	task_read(&t, &a, dir, "mixed10");
	measure_all(&t, tools, at);
	arena_finish(&a);
	return 0;
}
