/* ranksweep VERB ...: the table of verbs. */
#include "cmd.h"

#include "text.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct verb {
	const char *name, *words;
	int (*run)(int argc, char **argv);
	const char *help;
} verbs[] = {
    {"run", "STUDY.yaml|DB", cmd_run, "run a study, or go on where it stopped"},
    {"check", "STUDY.yaml", cmd_check, "check a study file and print the plan; runs nothing"},
    {"doctor", "[DIR]", cmd_doctor, "is this machine or allocation fit for a run? What to change"},
    {"status", "[DB]", cmd_status, "units by phase and state, throughput, estimate of the end"},
    {"monitor", "[DB]", cmd_monitor, "only what looks wrong, and what to do about it"},
    {"list", "[DB] [SELECTOR...]", cmd_list, "units, one a line"},
    {"show", "[DB] UNIT", cmd_show, "one unit: parameters, lineage, attempts, metrics"},
    {"log", "[DB] UNIT", cmd_log, "the output of a unit"},
    {"results", "[DB]", cmd_results, "trials of each phase, the best first"},
    {"best", "[DB]", cmd_best, "the best trial and its parameters"},
    {"graph", "[DB]", cmd_graph, "the graph of dependencies, for Graphviz"},
    {"schedule", "DB ARGS...", cmd_schedule, "add jobs from the command line"},
    {"import", "[DB] FROM", cmd_import, "what others have found, for the search to learn from"},
    {"reset", "[DB] SELECTOR...", cmd_reset, "back to the beginning, with all that comes after"},
    {"cancel", "[DB] SELECTOR...", cmd_cancel, "end for good; blocks what comes after"},
    {"hold", "[DB] SELECTOR...", cmd_hold, "do not start"},
    {"release", "[DB] SELECTOR...", cmd_release, "start what was held, in its turn"},
    {"delete", "[DB] SELECTOR...", cmd_delete, "trials, with all that comes after"},
    {"priority", "[DB] SELECTOR...", cmd_priority, "start some sooner or later than others"},
    {"help", "[VERB]", cmd_help, "this list, or the help of a verb"},
    {"version", "", cmd_version, "print the version"},
};
enum { NVERBS = sizeof verbs / sizeof *verbs };

int cmd_print_fault(const struct fault *f)
{
	fflush(stdout);
	fprintf(stderr, "ranksweep: %s\n", f->text);
	return f->code ? (int)f->code : FAULT_BUG;
}

int cmd_study_errors(const struct study_errors *errors, struct fault *f)
{
	uint32_t n = errors->count + errors->dropped;

	fflush(stdout);
	for (uint32_t i = 0; i < errors->count; i++)
		fprintf(stderr, "%s\n", errors->items[i].text);
	if (errors->dropped)
		return fault_set(f, FAULT_STUDY, "the study file has %u errors; the first %u are shown", n,
		                 errors->count);
	return fault_set(f, FAULT_STUDY,
	                 n == 1 ? "the study file has an error" : "the study file has %u errors", n);
}

static void put_usage(FILE *to)
{
	fprintf(to, "Hyperparameter search over MPI ranks, into one SQLite file.\n\n"
	            "usage: ranksweep VERB ...\n\n");
	for (size_t i = 0; i < NVERBS; i++)
		fprintf(to, "  %-8s %-19s %s\n", verbs[i].name, verbs[i].words, verbs[i].help);
	fprintf(
	    to,
	    "\nDB is a database, or the study file it belongs to; it may be left out where the current\n"
	    "folder has one database only. `ranksweep VERB --help` says more, with examples.\n\n"
	    "exit status: 0 all done; 1 units failed or are blocked; 64 wrong usage; 65 wrong study file;\n"
	    "69 no worker left; 70 a bug; 74 database or file system; 75 stopped, resumable;\n"
	    "76 a search program failed\n");
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < NVERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* What other tools call it. */
static const char *other_word(const char *name)
{
	static const struct {
		const char *names, *verb;
	} words[] = {{" resume continue start exec ", "run"},
	             {" retry restart rerun ", "reset"},
	             {" submit add enqueue ", "schedule"},
	             {" ls jobs trials ", "list"},
	             {" rm remove ", "delete"},
	             {" top watch ", "monitor"},
	             {" output cat ", "log"},
	             {" validate lint plan ", "check"}};
	char word[32];

	snprintf(word, sizeof word, " %.28s ", name);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strstr(words[i].names, word))
			return words[i].verb;
	return NULL;
}

static bool means_stop(const char *name)
{
	return !strcmp(name, "stop") || !strcmp(name, "kill") || !strcmp(name, "pause") ||
	       !strcmp(name, "quit");
}

static int no_verb(const char *name)
{
	const char *names[NVERBS], *near = other_word(name);
	struct fault f;

	for (size_t i = 0; i < NVERBS; i++)
		names[i] = verbs[i].name;
	if (!near)
		near = text_nearest(name, names, NVERBS);
	if (means_stop(name))
		fault_set(
		    &f, FAULT_USAGE,
		    "no verb `%s`: a run ends by ^C or TERM, and the same `run` goes on; for units there are "
		    "`hold` and `cancel`",
		    name);
	else if (near)
		fault_set(&f, FAULT_USAGE, "no verb `%s`; did you mean `%s`?", name, near);
	else
		fault_set(&f, FAULT_USAGE, "no verb `%s`; `ranksweep help` lists them", name);
	return cmd_print_fault(&f);
}

static int cmd_help(int argc, char **argv)
{
	const struct verb *v;
	char *words[] = {argc > 1 ? argv[1] : NULL, (char[]){"--help"}, NULL};

	if (argc < 2) {
		put_usage(stdout);
		return 0;
	}
	v = find_verb(argv[1][0] == '-' ? "help" : argv[1]);
	if (!v)
		return no_verb(argv[1]);
	if (v->run == cmd_help || v->run == cmd_version) {
		printf("usage: ranksweep %s %s\n\n%s\n", v->name, v->words, v->help);
		return 0;
	}
	return v->run(2, words);
}

static int cmd_version(int argc, char **argv)
{
	char *words[] = {(char[]){"help"}, (char[]){"version"}, NULL};

	if (argc > 1 && argv[1][0] == '-')
		return cmd_help(2, words);
	printf("ranksweep %s\n", CMD_VERSION);
	return 0;
}

static int dispatch(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;
	const struct verb *v;
	struct fault f;

	if (!word) {
		put_usage(stderr);
		return FAULT_USAGE;
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h"))
		return cmd_help(1, argv);
	if (!strcmp(word, "--version") || !strcmp(word, "-V"))
		return cmd_version(1, argv);
	if (word[0] == '-') {
		fault_set(&f, FAULT_USAGE, "the verb comes first, not `%s`; `ranksweep help` lists them",
		          word);
		return cmd_print_fault(&f);
	}
	v = find_verb(word);
	return v ? v->run(argc - 1, argv + 1) : no_verb(word);
}

/* What was printed must have arrived: a full disk is an error, a reader that has seen enough is none. */
static int flushed(int status)
{
	struct fault f;

	errno = 0;
	if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
		return status;
	fault_set(&f, FAULT_IO, "cannot write the output: %s",
	          errno ? strerror(errno) : "an earlier write failed");
	return status ? status : cmd_print_fault(&f);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_DFL); /* `ranksweep list | head` ends like any other filter */
	return flushed(dispatch(argc, argv));
}
