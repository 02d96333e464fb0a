/* jobs: the verb `schedule`, jobs from the command line. Here are its options only, for the arguments are not
 * to be touched by an option parser: they hold `--` of their own. What they mean is in request_schedule.c. */
#include "cmd.h"

#include "arena.h"

#include <inttypes.h>
#include <string.h>

enum { DEFAULT_WAIT_MS = 30000 };

static const char about[] =
    "Adds jobs to a database, also while a run is on, or begins a database (NAME.db). A job is a trial of a "
    "phase\n"
    "that has no study file behind it; `run DB` runs them. The same call again adds nothing.\n"
    "\n"
    "  NEW                     jobs of their own: name=value arguments\n"
    "  SELECT -- GROUP -- NEW  jobs that come after others: SELECT names these, GROUP makes groups of them, "
    "and\n"
    "                          NEW is expanded once for each group; each new job comes after all of its "
    "group,\n"
    "                          and inherits the parameters they share\n"
    "\n"
    "NEW     phase=NAME is the step (`job`, or `after-PHASE`). Of a phase as a whole: metric=NAME and\n"
    "        goal=minimize|maximize, folds=K (or each, none), retries=N, timeout=D. Every other name=value "
    "is a\n"
    "        parameter. {{a,b}} in a value makes a job for each; several make their product, the last one\n"
    "        fastest. {{linspace(0,1,5)}}, logspace, range and int give their points; {{uniform(0,1)}}, "
    "log,\n"
    "        logint and normal are drawn, -n times. Text outside of braces is literal.\n"
    "SELECT  key=value as of `list`, without unit and fold; key={{}}: any value; best=N: of each group the "
    "best\n"
    "        N, when all are done.\n"
    "GROUP   nothing: one group of all; key={{}}: one for each value there is; trial={{}}: each job by "
    "itself;\n"
    "        key={{a,b}}: new parameters, for each selected job, or for each group of the keys beside it.\n"
    "\n"
    "Options come before all arguments. Quote braces: shells have their own. Exit status 1: some jobs have "
    "begun\n"
    "before their group grew, see --force.";

static const char examples[] =
    "  ranksweep schedule my.db --command 'python3 train.py {args}' phase=train metric=err goal=minimize \\\n"
    "      'lr={{1e-3,1e-2}}' 'hidden={{50,100}}'\n"
    "  ranksweep schedule my.db --command 'python3 train.py --all --lr {lr}' phase=train best=1 -- -- "
    "phase=final\n"
    "  ranksweep schedule my.db --command './mean {train.dirs}' phase=train -- 'lr={{}}' -- phase=mean\n"
    "  ranksweep run my.db";

struct options {
	const char *command;
	int64_t samples, seed, wait_ms;
	bool repeat, force, explain, dry_run, json;
};

static uint32_t put_words(struct arena *a, const struct options *o, char *const *args, int nargs,
                          const char *const **out)
{
	const struct {
		bool set;
		const char *word;
	} flags[] = {{o->repeat, "--repeat"},
	             {o->force, "--force"},
	             {o->explain, "--explain"},
	             {o->dry_run, "--dry-run"},
	             {o->json, "--json"}};
	const char **words = arena_array(a, (size_t)nargs + 12, sizeof *words);
	uint32_t n = 0;

	words[n++] = "schedule";
	if (o->command)
		words[n++] = arena_printf(a, "--command=%s", o->command);
	if (o->samples)
		words[n++] = arena_printf(a, "--samples=%" PRId64, o->samples);
	if (o->seed)
		words[n++] = arena_printf(a, "--seed=%" PRId64, o->seed);
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (flags[i].set)
			words[n++] = flags[i].word;
	words[n++] = ":";
	for (int i = 0; i < nargs; i++)
		words[n++] = args[i];
	*out = words;
	return n;
}

/* How many words belong to the options and the database: up to the first that can be an argument, and no
 * further than the first `--`. */
static int count_front(const struct cmd_usage *u, int argc, char **argv)
{
	int i = 1;
	bool db = false;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *w = argv[i];

		if (w[0] != '-') {
			if (db || strchr(w, '='))
				break;
			db = true;
			continue;
		}
		for (const struct cmd_option *o = u->options; o->name; o++)
			if (o->kind != CMD_FLAG && ((w[1] == '-' && !strcmp(w + 2, o->name)) ||
			                            (w[1] == o->letter && o->letter && !w[2])))
				i++; /* its value */
	}
	return i < argc ? i : argc;
}

int cmd_schedule(int argc, char **argv)
{
	struct options o = {.wait_ms = DEFAULT_WAIT_MS};
	const struct cmd_option options[] = {
	    {"command", 'c', CMD_TEXT, &o.command, "C",
	     "what to run, as in a study file; a new phase needs one"},
	    {"samples", 'n', CMD_NUMBER, &o.samples, "N", "how many jobs to draw of each combination"},
	    {"seed", 0, CMD_NUMBER, &o.seed, "S", "of what is drawn (0)"},
	    {"repeat", 0, CMD_FLAG, &o.repeat, NULL,
	     "once more, though the jobs are there; draws are new ones"},
	    {"force", 0, CMD_FLAG, &o.force, NULL, "reset jobs that have begun before their group grew"},
	    {"explain", 0, CMD_FLAG, &o.explain, NULL, "print the groups, and how many jobs"},
	    {"dry-run", 0, CMD_FLAG, &o.dry_run, NULL, "check and count, and add nothing"},
	    {"json", 0, CMD_FLAG, &o.json, NULL, "the counts as an object"},
	    {"wait", 0, CMD_DURATION, &o.wait_ms, "D", "how long to wait for a run's answer (30s)"},
	    {0},
	};
	const struct cmd_usage usage = {"schedule", "DB [OPTIONS] NEW... | SELECT... -- [GROUP...] -- NEW...",
	                                about, options, examples};
	int front = count_front(&usage, argc, argv), kept = front, status;
	struct arena a = {0};
	struct fault f = {0};
	const char *const *words;
	char *after = front < argc ? argv[front] : NULL;
	uint32_t n;

	status = cmd_parse(&usage, &kept, argv, &f);
	if (after)
		argv[front] = after; /* cmd_parse ends its list with NULL */
	if (status > 0)
		return 0;
	if (!status && kept != 1)
		status = cmd_misuse(&usage, &f, "which database? It comes before the arguments");
	if (!status && front == argc)
		status = cmd_misuse(&usage, &f, "which jobs? name=value arguments");
	n = put_words(&a, &o, argv + front, argc - front, &words);
	if (!status)
		status = cmd_send(argv[0], CMD_BEGIN_JOBS, words, n, o.wait_ms, &f);
	arena_finish(&a);
	return status < 0 ? cmd_print_fault(&f) : status;
}
