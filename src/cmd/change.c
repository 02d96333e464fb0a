/* change: the verbs that change a study: reset, cancel, hold, release, delete, priority. What they mean is in
 * request.c and, of single units, in the scheduler; here are their words only. */
#include "cmd.h"

#include "request.h"

#include <inttypes.h>
#include <string.h>

enum { DEFAULT_WAIT_MS = 30000 };
#define NO_PRIORITY INT64_MIN

static const char selector_text[] =
    "SELECTOR is key=value over unit, phase, trial, fold, outer_fold, state, reason and parameter names; a\n"
    "comma means or, several words mean and; `all` means every unit. `ranksweep list` shows what is "
    "selected.\n"
    "Works while a run is on: rank 0 does it and answers. Exit status 1: nothing is selected; 75: a run has "
    "the\n"
    "database and did not answer in time, nothing was changed.";

static const struct change {
	const char *words, *about, *examples;
} changes[] = {
    [REQUEST_RESET] = {"[DB] SELECTOR... | all [--dry-run] [--json] [--wait D]",
                       "Back to the beginning: units, and all that come after them, run again as if they "
                       "never had. What is\n"
                       "running is stopped first. Results so far are kept in the database, but do not count; "
                       "folders stay,\n"
                       "and new ones are made beside them. A pick among trials that are reset is void, and "
                       "is made again.\n"
                       "Siblings and what the units come after stay as they are.",
                       "  ranksweep reset digits.db state=failed\n"
                       "  ranksweep reset digits.db trial=36 fold=2 --dry-run\n"
                       "  ranksweep reset phase=finetune"},
    [REQUEST_CANCEL] =
        {"[DB] SELECTOR... | all [--dry-run] [--json] [--wait D]",
         "End units for good: what runs is stopped, whatever it ends with; what has not begun never does. "
         "What\n"
         "comes after is blocked. `reset` takes it back. Units that have ended stay as they are.",
         "  ranksweep cancel digits.db unit=17\n"
         "  ranksweep cancel digits.db hidden=256 state=waiting,ready,running"},
    [REQUEST_HOLD] =
        {"[DB] SELECTOR... | all [--dry-run] [--json] [--wait D]",
         "Do not start units that wait or are ready, until `release`. What is running goes on; what comes\n"
         "after a held unit waits. A run that has nothing else left ends, with exit status 1.",
         "  ranksweep hold digits.db phase=finetune\n"
         "  ranksweep hold digits.db hidden=256 state=ready"},
    [REQUEST_RELEASE] = {"[DB] SELECTOR... | all [--dry-run] [--json] [--wait D]",
                         "Units that are held may start again, in their turn.",
                         "  ranksweep release digits.db all\n"
                         "  ranksweep release digits.db phase=finetune fold=0"},
    [REQUEST_DELETE] = {"[DB] SELECTOR... | all [--dry-run] [--json] [--wait D]",
                        "Take trials out of the study, with all trials that come after them: a selected unit "
                        "takes its whole\n"
                        "trial. What is running is stopped first. A later run does not make them again; "
                        "`schedule` can.",
                        "  ranksweep delete digits.db trial=36 --dry-run\n"
                        "  ranksweep delete digits.db phase=finetune lr=0.5"},
    [REQUEST_PRIORITY] = {"[DB] SELECTOR... | all -p N [--dry-run] [--json] [--wait D]",
                          "Of units that could start, those with a higher number do so first; 0 is where "
                          "units begin, N may be\n"
                          "below 0. Of what has ended nothing is changed.",
                          "  ranksweep priority digits.db trial=36 -p 10\n"
                          "  ranksweep priority digits.db hidden=256 -p -1"},
};

struct options {
	bool dry_run, json;
	int64_t priority, wait_ms;
};

/* The words of the request: see request.h. */
static uint32_t put_words(struct arena *a, enum request_kind kind, const struct options *o, char *const *rest,
                          int nrest, const char *const **out)
{
	const char **words = arena_array(a, (size_t)nrest + 6, sizeof *words);
	uint32_t n = 0;

	words[n++] = request_verb(kind);
	if (o->dry_run)
		words[n++] = "--dry-run";
	if (o->json)
		words[n++] = "--json";
	if (o->priority != NO_PRIORITY)
		words[n++] = arena_printf(a, "--priority=%" PRId64, o->priority);
	words[n++] = "--";
	for (int i = 0; i < nrest; i++)
		words[n++] = rest[i];
	*out = words;
	return n;
}

static int send_words(const struct cmd_usage *u, enum request_kind kind, const struct options *o, int argc,
                      char **argv, struct fault *f)
{
	bool named = argc > 0 && !selector_like(argv[0]) && strcmp(argv[0], "all") != 0;
	struct arena a = {0};
	const char *const *words;
	struct request checked;
	uint32_t n = put_words(&a, kind, o, argv + named, argc - named, &words);
	int status = request_parse(words, n, &checked, f);

	if (status)
		fault_set(f, FAULT_USAGE, "%.800s (see `ranksweep %s --help`)", arena_strdup(&a, f->text),
		          u->verb);
	else
		status = cmd_send(named ? argv[0] : NULL, CMD_BEGIN_NOTHING, words, n, o->wait_ms, f);
	arena_finish(&a);
	return status;
}

static int change(enum request_kind kind, int argc, char **argv)
{
	const struct change *c = &changes[kind];
	struct options o = {.priority = NO_PRIORITY, .wait_ms = DEFAULT_WAIT_MS};
	const struct cmd_option priority = {"priority",  'p', CMD_INTEGER,
	                                    &o.priority, "N", "higher comes first; units begin with 0"};
	const struct cmd_option options[] = {
	    {"dry-run", 0, CMD_FLAG, &o.dry_run, NULL, "count what would be changed, and change nothing"},
	    {"json", 0, CMD_FLAG, &o.json, NULL, "the counts as an object"},
	    {"wait", 0, CMD_DURATION, &o.wait_ms, "D", "how long to wait for a run's answer (30s)"},
	    kind == REQUEST_PRIORITY ? priority : (struct cmd_option){0},
	    {0},
	};
	struct arena a = {0};
	const struct cmd_usage usage = {request_verb(kind), c->words,
	                                arena_printf(&a, "%s\n\n%s", c->about, selector_text), options,
	                                c->examples};
	struct fault f = {0};
	int rc = cmd_parse(&usage, &argc, argv, &f);

	if (rc == 0)
		rc = send_words(&usage, kind, &o, argc, argv, &f);
	else if (rc > 0)
		rc = 0;
	arena_finish(&a);
	return rc < 0 ? cmd_print_fault(&f) : rc;
}

int cmd_reset(int argc, char **argv)
{
	return change(REQUEST_RESET, argc, argv);
}

int cmd_cancel(int argc, char **argv)
{
	return change(REQUEST_CANCEL, argc, argv);
}

int cmd_hold(int argc, char **argv)
{
	return change(REQUEST_HOLD, argc, argv);
}

int cmd_release(int argc, char **argv)
{
	return change(REQUEST_RELEASE, argc, argv);
}

int cmd_delete(int argc, char **argv)
{
	return change(REQUEST_DELETE, argc, argv);
}

int cmd_priority(int argc, char **argv)
{
	return change(REQUEST_PRIORITY, argc, argv);
}
