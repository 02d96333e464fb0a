/* import: what others have found, for a search to learn from. Here are the words and the table; what becomes
 * of it is in request_import.c. */
#include "cmd.h"

#include <inttypes.h>

enum { DEFAULT_WAIT_MS = 30000 };

static const char about[] =
    "Gives a phase's search (tpe, cmaes, gp, auto) observations from elsewhere, so that it does not begin "
    "at\n"
    "nothing: values of the phase's parameters, and what the metric was. They are no trials: they do not "
    "run,\n"
    "are not ranked, never picked, and do not count as `trials`. The same import again adds nothing.\n"
    "\n"
    "FROM  another study's database (or its study file): the complete trials of the phase of the same name.\n"
    "      Or a CSV file (`-`: standard input) whose first line names the columns: parameters (`lr`, those "
    "of\n"
    "      phases before as `pretrain.lr`), the value under the metric's name or `value`, and, where there "
    "is\n"
    "      one, `state`: only rows that are done or complete are taken. `results --csv` and Optuna's\n"
    "      trials_dataframe().to_csv() are such files.\n"
    "\n"
    "Rows that do not fit the phase's space are skipped and counted; other columns are ignored. Constants "
    "may\n"
    "be left out. A study file that has not run yet gets its database, so that the first run begins warm.\n"
    "Works while a run is on. Exit status 1: nothing was there to import.";

static const char examples[] = "  ranksweep import digits.db last-year.db --dry-run\n"
                               "  ranksweep import digits.yaml notes.csv --phase finetune\n"
                               "  ranksweep import digits.db old.db --phase finetune --from-phase tune\n"
                               "  ranksweep import digits.db --phase finetune --forget";

struct options {
	const char *phase, *from_phase;
	int64_t wait_ms;
	bool forget, dry_run, json;
};

/* ---- which phase --------------------------------------------------------------------------------- */
static const struct study_phase *only_learning(const struct study *s, uint32_t *n)
{
	const struct study_phase *p = NULL;

	*n = 0;
	for (uint32_t i = 0; i < s->nphases; i++)
		if (search_takes_priors(s->phases[i].search)) {
			p = &s->phases[i];
			++*n;
		}
	return p;
}

static int find_phase(const struct cmd_db *d, const struct options *o, const struct study_phase **out,
                      struct fault *f)
{
	uint32_t n;
	const struct study_phase *only = only_learning(d->study, &n);

	*out = o->phase ? study_find_phase(d->study, o->phase) : only;
	if (o->phase && !*out)
		return fault_set(f, FAULT_USAGE, "study %s has no phase `%s`", d->study->name, o->phase);
	if (*out && prior_wanted(*out, f))
		return -1;
	if (n == 0)
		return fault_set(f, FAULT_USAGE,
		                 "study %s has no search that could learn; tpe, cmaes, gp and auto do",
		                 d->study->name);
	if (!o->phase && n > 1)
		return fault_set(f, FAULT_USAGE,
		                 "study %s has %u searches that learn: of which phase? --phase",
		                 d->study->name, n);
	return 0;
}

/* ---- the request --------------------------------------------------------------------------------- */
struct words {
	const char **list;
	uint32_t n;
};

static void add(struct words *w, const char *word)
{
	w->list[w->n++] = word;
}

static void put_options(struct arena *a, const struct options *o, const char *phase, struct words *w)
{
	add(w, "import");
	add(w, arena_printf(a, "--phase=%s", phase));
	if (o->dry_run)
		add(w, "--dry-run");
	if (o->json)
		add(w, "--json");
	if (o->forget)
		add(w, "--forget");
}

static int put_table(struct arena *a, const struct cmd_table *t, struct words *w, struct fault *f)
{
	if (t->ncells > UINT32_MAX / 2)
		return fault_set(f, FAULT_USAGE, "%s: too large a table", t->from);
	add(w, arena_printf(a, "--from=%s", t->from));
	add(w, arena_printf(a, "--columns=%" PRIu32, t->ncolumns));
	for (int m = 0; m < PRIOR_FITS; m++)
		if (t->skipped[m])
			add(w, arena_printf(a, "--skipped=%s:%" PRId64,
			                    prior_misfit_word((enum prior_misfit)m), t->skipped[m]));
	for (uint32_t i = 0; i < t->nignored; i++)
		add(w, arena_printf(a, "--ignored=%s", t->ignored[i]));
	add(w, "--");
	for (uint32_t i = 0; i < t->ncolumns; i++)
		add(w, t->columns[i]);
	for (size_t i = 0; i < t->ncells; i++)
		add(w, t->cells[i]);
	return 0;
}

/* The study of the database, or of the file that will begin one. */
static int open_study(struct cmd_db *d, const char *word, struct fault *f)
{
	if (cmd_db_find_or_begin(d, word, CMD_BEGIN_STUDY, f))
		return -1;
	if (d->begun)
		return 0;
	cmd_db_close(d);
	return cmd_db_open(d, word, f);
}

static int make_request(struct cmd_db *d, const struct options *o, const char *from, struct words *w,
                        struct fault *f)
{
	const struct study_phase *p;
	struct cmd_table t = {0};

	if (find_phase(d, o, &p, f) || (!o->forget && cmd_read_table(d, p, from, o->from_phase, &t, f)))
		return -1;
	w->list =
	    arena_array(&d->arena, t.ncells + t.ncolumns + t.nignored + PRIOR_FITS + 12, sizeof *w->list);
	put_options(&d->arena, o, p->name, w);
	return o->forget ? 0 : put_table(&d->arena, &t, w, f);
}

static int import(const char *word, const char *from, const struct options *o, struct fault *f)
{
	struct cmd_db d;
	struct words w = {0};
	int status;

	if (open_study(&d, word, f))
		return -1;
	status = make_request(&d, o, from, &w, f);
	if (!status) {
		store_close(d.store); /* the words stay */
		d.store = NULL;
		status = cmd_send(word, CMD_BEGIN_STUDY, w.list, w.n, o->wait_ms, f);
	}
	cmd_db_close(&d);
	return status;
}

int cmd_import(int argc, char **argv)
{
	struct options o = {.wait_ms = DEFAULT_WAIT_MS};
	const struct cmd_option options[] = {
	    {"phase", 'p', CMD_TEXT, &o.phase, "P", "whose search; may be left out where only one learns"},
	    {"from-phase", 0, CMD_TEXT, &o.from_phase, "Q", "the phase in FROM, where it has another name"},
	    {"forget", 0, CMD_FLAG, &o.forget, NULL,
	     "take out all that was imported for the phase; without FROM"},
	    {"dry-run", 0, CMD_FLAG, &o.dry_run, NULL, "check and count, and change nothing"},
	    {"json", 0, CMD_FLAG, &o.json, NULL, "the counts as an object"},
	    {"wait", 0, CMD_DURATION, &o.wait_ms, "D", "how long to wait for a run's answer (30s)"},
	    {0},
	};
	const struct cmd_usage usage = {
	    "import",
	    "[DB] FROM [--phase P] [--from-phase Q] [--dry-run] [--json] | [DB] --forget [--phase P]", about,
	    options, examples};
	struct fault f = {0};
	int status = cmd_parse(&usage, &argc, argv, &f), most;

	if (status > 0)
		return 0;
	most = o.forget ? 1 : 2;
	if (!status && argc > most)
		status = cmd_misuse(&usage, &f,
		                    o.forget ? "--forget takes a database only" : "one table at a time");
	if (!status && argc == 0 && !o.forget)
		status = cmd_misuse(&usage, &f, "from where? a database or a CSV file");
	if (!status)
		status = import(argc == most ? argv[0] : NULL, o.forget ? NULL : argv[argc - 1], &o, &f);
	return status < 0 ? cmd_print_fault(&f) : status;
}
