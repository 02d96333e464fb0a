/* bench_search: how good searches are.
 *
 *   bench_search [--tasks A,B] [--tools X,Y] [--seeds 0..29] [--trials 200] [--workers 1] [--dir DIR]
 *       runs them and prints a line of JSON for each run: the values in the order in which trials ended.
 *       Several workers are busy all the time, for as long as the runs of a table took, or, with a function,
 *       for a random time; a new trial begins when one has ended.
 *   bench_search --evaluate TASK [--dir DIR]
 *       reads lines of NAME=VALUE words, and prints for each the metric and the seconds it took.
 *   bench_search --facts [--tasks A,B] [--dir DIR]
 *       prints a line of JSON for each task: its direction, and the best and the median of what it holds. */
#include "rng.h"
#include "searcher.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
	const char *dir, *tasks, *tools, *evaluate;
	uint64_t first, last; /* seeds */
	uint32_t trials, workers;
	bool facts;
};

/* ---- a run ------------------------------------------------------------------------------------------- */
struct busy {
	double until, value;
	uint32_t number;
};

struct run {
	struct searcher search;
	struct busy *busy; /* one for each worker that has something to do */
	uint32_t nbusy, begun;
	double now;
	struct rng times;
};

static bool begin(struct run *r)
{
	double point[TASK_PARAMS], seconds;
	struct busy b;

	if (!searcher_ask(&r->search, point, &b.number))
		return false;
	b.value = task_value(r->search.task, point, &seconds);
	if (r->search.task->function)
		seconds = 0.5 + rng_unit(&r->times);
	b.until = r->now + seconds;
	r->busy[r->nbusy++] = b;
	r->begun++;
	return true;
}

/* The first to end; of those at the same time the one that began first. */
static struct busy end(struct run *r)
{
	uint32_t first = 0;
	struct busy b;

	for (uint32_t i = 1; i < r->nbusy; i++)
		if (r->busy[i].until < r->busy[first].until)
			first = i;
	b = r->busy[first];
	memmove(&r->busy[first], &r->busy[first + 1], (--r->nbusy - first) * sizeof b);
	r->now = b.until;
	searcher_tell(&r->search, b.number, b.value);
	return b;
}

static void run(const struct options *o, const struct task *t, const char *tool, uint64_t seed)
{
	struct run r = {.busy = calloc(o->workers, sizeof *r.busy)};
	char mode[16] = "seq";
	clock_t start = clock();
	bool more = true;

	if (o->workers > 1)
		snprintf(mode, sizeof mode, "par%u", (unsigned)o->workers);
	searcher_open(&r.search, t, tool, seed, o->trials, o->workers);
	rng_seed(&r.times, seed);
	printf("{\"tool\": \"%s\", \"task\": \"%s\", \"mode\": \"%s\", \"seed\": %llu, \"values\": [", tool,
	       t->name, mode, (unsigned long long)seed);
	for (uint32_t ended = 0;; ended++) {
		while (more && r.nbusy < o->workers && r.begun < o->trials)
			more = begin(&r);
		if (!r.nbusy)
			break;
		printf("%s%.9g", ended ? ", " : "", end(&r).value);
	}
	printf("], \"cpu\": %.3f}\n", (double)(clock() - start) / CLOCKS_PER_SEC);
	fflush(stdout);
	searcher_close(&r.search);
	free(r.busy);
}

static void run_all(const struct options *o, const struct task *t)
{
	char tool[32];

	for (uint64_t seed = o->first; seed <= o->last; seed++)
		for (const char *tools = o->tools; next_word(&tools, tool, sizeof tool);)
			run(o, t, tool, seed);
}

/* ---- answers to others ------------------------------------------------------------------------------- */
static void read_value(const struct task *t, const char *word, double *point)
{
	const char *value = strchr(word, '=');

	for (uint32_t i = 0; i < t->nparams && value; i++) {
		const struct task_param *p = &t->params[i];

		if (strncmp(word, p->name, (size_t)(value - word)) || p->name[value - word])
			continue;
		if (p->kind != TASK_CHOICE)
			point[i] = atof(value + 1);
		for (uint32_t k = 0; k < p->nchoices; k++)
			if (!strcmp(p->choices[k], value + 1))
				point[i] = k;
		return;
	}
	fprintf(stderr, "%s: no such parameter: %s\n", t->name, word);
	exit(1);
}

static void evaluate(const struct task *t)
{
	char *line = NULL;
	size_t cap = 0;

	while (getline(&line, &cap, stdin) > 0) {
		double point[TASK_PARAMS], value, seconds;

		for (uint32_t i = 0; i < t->nparams; i++)
			point[i] = (double)NAN;
		for (char *rest, *w = strtok_r(line, " \n", &rest); w; w = strtok_r(NULL, " \n", &rest))
			read_value(t, w, point);
		value = task_value(t, point, &seconds);
		printf("%.17g %.17g\n", value, seconds);
		fflush(stdout);
	}
	free(line);
}

static void facts(const struct task *t)
{
	printf("{\"task\": \"%s\", \"table\": %s, \"maximize\": %s, \"best\": %.17g, \"median\": %.17g}\n",
	       t->name, t->function ? "false" : "true", t->maximize ? "true" : "false", t->best, t->median);
}

/* ------------------------------------------------------------------------------------------------------ */
static void read_option(struct options *o, const char *name, const char *value)
{
	if (!strcmp(name, "--tasks"))
		o->tasks = value;
	else if (!strcmp(name, "--tools"))
		o->tools = value;
	else if (!strcmp(name, "--seeds"))
		read_range(value, &o->first, &o->last);
	else if (!strcmp(name, "--trials"))
		o->trials = (uint32_t)strtoul(value, NULL, 10);
	else if (!strcmp(name, "--workers"))
		o->workers = (uint32_t)strtoul(value, NULL, 10);
	else if (!strcmp(name, "--dir"))
		o->dir = value;
	else if (!strcmp(name, "--evaluate"))
		o->evaluate = o->tasks = value;
	else {
		fprintf(stderr, "bench_search: unknown option %s; its head says which there are\n", name);
		exit(64);
	}
}

int main(int argc, char **argv)
{
	struct options o = {.dir = "tests/bench/tasks",
	                    .tasks =
	                        "svm_bcancer,svr_diabetes,mlp_bcancer,gb_diabetes,rf_wine,knn_digits,"
	                        "logreg_bcancer,dbn_digits,branin,hartmann6,mixed_cat,rosenbrock5,ackley8",
	                    .tools = "random,sobol,tpe,cmaes,gp,auto",
	                    .last = 29,
	                    .trials = 200,
	                    .workers = 1};
	struct arena a = {0};
	char name[64];

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--facts")) {
			o.facts = true;
			continue;
		}
		read_option(&o, argv[i], i + 1 < argc ? argv[i + 1] : "");
		i++;
	}
	while (next_word(&o.tasks, name, sizeof name)) {
		struct task t;

		task_read(&t, &a, o.dir, name);
		if (o.evaluate)
			evaluate(&t);
		else if (o.facts)
			facts(&t);
		else
			run_all(&o, &t);
	}
	arena_finish(&a);
	return 0;
}
