/* schedule: from the words of a call to jobs in the database.
 *
 *   words ─► expand ─► SELECT: trials ─► schedule_prepare: groups, names ─► study_add_jobs: the phase's text
 *                                                                             │ a study with it
 *         answer ◄── EVENT_JOB each ◄── restudy, if the text is another ◄── every job checked
 *
 * Nothing is changed before every job is known to make sense. What the phase lacks, or a new phase, makes
 * another study, and the scheduler goes on with that. All of it is one transaction. */
#include "request.h"

#include "command.h"
#include "ledger.h"
#include "schedule.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

struct options {
	const char *command;
	int64_t samples, seed;
	bool repeat, force, explain, dry_run, json;
};

/* ---- words ------------------------------------------------------------------------------------- */

static int take_number(const char *text, const char *what, int64_t max, int64_t *out, struct fault *f)
{
	if (text_parse_int(text, strlen(text), out) && *out >= 0 && *out <= max)
		return 0;
	return fault_set(f, FAULT_USAGE, "%s takes a whole number up to %" PRId64 ", `%.100s` is none", what,
	                 max, text);
}

static const char *value_of(const char *word, const char *option)
{
	size_t n = strlen(option);

	return !strncmp(word, option, n) ? word + n : NULL;
}

static int take_option(struct options *o, const char *word, struct fault *f)
{
	static const char *const names[] = {"--repeat", "--force", "--explain", "--dry-run", "--json"};
	bool *const flags[] = {&o->repeat, &o->force, &o->explain, &o->dry_run, &o->json};
	const char *v;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(word, names[i])) {
			*flags[i] = true;
			return 0;
		}
	if ((v = value_of(word, "--command="))) {
		o->command = v;
		return 0;
	}
	if ((v = value_of(word, "--samples=")))
		return take_number(v, "-n", EXPAND_MAX_JOBS, &o->samples, f);
	if ((v = value_of(word, "--seed=")))
		return take_number(v, "--seed", INT64_MAX, &o->seed, f);
	return fault_set(f, FAULT_USAGE, "no option `%.100s`", word);
}

/* The verb, its options, `:`, and the arguments as they were typed. */
static int parse_words(const char *const *words, uint32_t n, struct options *o, const char *const **args,
                       uint32_t *nargs, struct fault *f)
{
	uint32_t i = 1;

	*o = (struct options){0};
	for (; i < n && strcmp(words[i], ":") != 0; i++)
		if (take_option(o, words[i], f))
			return -1;
	if (i == n)
		return fault_set(f, FAULT_USAGE, "no arguments");
	*args = words + i + 1;
	*nargs = n - i - 1;
	return 0;
}

/* ---- SELECT ------------------------------------------------------------------------------------ */

static bool is_unit_key(const char *word)
{
	return value_of(word, "unit=") || value_of(word, "fold=");
}

/* Braces in SELECT: `lr={{}}` is any value, `lr={{a,b}}` one of these. */
static int plain_selector(struct arena *a, const struct expand_call *c, const char **words, uint32_t *n,
                          const char **any, uint32_t *nany, struct fault *f)
{
	*n = *nany = 0;
	for (uint32_t i = 0; i < c->nselect; i++) {
		const char *w = c->select[i], *open = strstr(w, "{{"),
		           *close = open ? strstr(open, "}}") : NULL;
		const char *eq = strchr(w, '=');

		if (is_unit_key(w))
			return fault_set(
			    f, FAULT_USAGE,
			    "argument %u: jobs come after whole trials; which units of them follows "
			    "from their folds",
			    i + 1);
		if (!open || !eq || open != eq + 1) {
			words[(*n)++] = w;
			continue;
		}
		if (!close || close[2])
			return fault_set(f, FAULT_USAGE, "argument %u: {{ without }} at the end", i + 1);
		if (strspn(open + 2, " ") == (size_t)(close - open - 2))
			any[(*nany)++] = arena_strndup(a, w, (size_t)(eq - w));
		else
			words[(*n)++] = arena_printf(a, "%.*s%.*s", (int)(eq - w + 1), w,
			                             (int)(close - open - 2), open + 2);
	}
	return 0;
}

static uint32_t keep_with(struct request_site *x, struct request_selection *s, const char *name)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++)
		if (schedule_value(x->scratch, x->sched, x->study, s->numbers[i], name))
			s->numbers[n++] = s->numbers[i];
	return n;
}

/* Whoever was told that they are deleted need not see that some are stopped first. */
static uint32_t drop_deleted(const struct request_site *x, const struct request_selection *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		struct trial_view t;
		struct unit_view u;

		sched_trial(x->sched, s->numbers[i], &t);
		sched_unit(x->sched, t.first_unit, &u);
		if (u.fact.pending != PENDING_DELETE)
			s->numbers[n++] = s->numbers[i];
	}
	return n;
}

/* 1: f says what is wrong. */
static int select_trials(struct request_site *x, const struct expand_call *c, struct request_selection *out,
                         struct fault *f)
{
	const char **words = arena_array(x->scratch, c->nselect + 1, sizeof *words);
	const char **any = arena_array(x->scratch, c->nselect + 1, sizeof *any);
	uint32_t n, nany;
	int got;

	*out = (struct request_selection){0};
	if (!c->joined)
		return 0;
	if (plain_selector(x->scratch, c, words, &n, any, &nany, f))
		return 1;
	got = request_select(x, "trial", words, n, out, f);
	if (got)
		return got;
	out->n = drop_deleted(x, out);
	for (uint32_t i = 0; i < nany; i++)
		out->n = keep_with(x, out, any[i]);
	if (out->n)
		return 0;
	fault_set(f, FAULT_USAGE, "no job is selected, so there is nothing to come after");
	return 1;
}

/* Candidates are compared, so they must be of one phase that has something to compare. */
static int check_best(const struct request_site *x, const struct request_selection *s, struct fault *f)
{
	struct trial_view first, t;

	if (!s->n)
		return fault_set(f, FAULT_USAGE, "best: there are no jobs to choose from");
	sched_trial(x->sched, s->numbers[0], &first);
	for (uint32_t i = 1; i < s->n; i++) {
		sched_trial(x->sched, s->numbers[i], &t);
		if (t.phase != first.phase)
			return fault_set(
			    f, FAULT_USAGE,
			    "best: the selected jobs are of phases %s and %s; only jobs of one phase "
			    "compare",
			    x->study->phases[first.phase].name, x->study->phases[t.phase].name);
	}
	if (!x->study->phases[first.phase].metric)
		return fault_set(f, FAULT_USAGE, "best: phase %s has no metric to compare by",
		                 x->study->phases[first.phase].name);
	if (x->study->phases[first.phase].nmore)
		return fault_set(f, FAULT_USAGE, "best: phase %s has several metrics: no trial of it is best",
		                 x->study->phases[first.phase].name);
	return 0;
}

/* ---- the phase ----------------------------------------------------------------------------------- */

static const char *word_of(const struct expand_call *c, enum expand_word word)
{
	const struct expand_arg *arg = expand_find(&c->jobs, word);

	return arg ? arg->text : NULL;
}

/* A study with what this call says of its phase; the text of its scheduled phases; the number of the command.
 */
struct grown {
	const struct study *study;
	const struct study_phase *phase;
	const char *jobs;
	size_t jobs_bytes;
	uint32_t command;
	bool same; /* as the study there is */
};

static int grow_study(struct request_site *x, const struct options *o, const struct schedule *s,
                      struct grown *out, struct fault *f)
{
	const struct study_jobs add = {.phase = s->phase,
	                               .command = o->command,
	                               .params = s->names,
	                               .nparams = s->nnames,
	                               .after = s->after,
	                               .nafter = s->nafter,
	                               .metric = word_of(s->call, EXPAND_METRIC),
	                               .goal = word_of(s->call, EXPAND_GOAL),
	                               .folds = word_of(s->call, EXPAND_FOLDS),
	                               .retries = word_of(s->call, EXPAND_RETRIES),
	                               .timeout = word_of(s->call, EXPAND_TIMEOUT)};
	struct study_source src = {.path = "schedule",
	                           .text = x->study->text,
	                           .text_bytes = strlen(x->study->text),
	                           .name = x->study->name};
	struct study_errors errors = {0};

	if (study_add_jobs(x->scratch, x->study, &add, &out->jobs, &out->jobs_bytes, &out->command, f))
		return -1;
	out->same =
	    strlen(x->study->jobs) == out->jobs_bytes && !memcmp(x->study->jobs, out->jobs, out->jobs_bytes);
	out->study = x->study;
	src.jobs = out->jobs;
	src.jobs_bytes = out->jobs_bytes;
	if (!out->same && study_read(x->scratch, &src, &out->study, &errors)) {
		const char *text = value_of(errors.items[0].text, "schedule: ");

		return fault_set(f, FAULT_USAGE, "%s", text ? text : errors.items[0].text);
	}
	out->phase = study_find_phase(out->study, s->phase);
	return out->phase ? 0 : fault_set(f, FAULT_BUG, "phase %s is not there", s->phase);
}

/* ---- jobs ---------------------------------------------------------------------------------------- */

struct counts {
	uint64_t by_answer[JOB_FORCED + 1];
	uint32_t first, last; /* trials added; 0: none */
};

/* A scheduler that knows the study as it would be, to ask it; nothing is told. */
static int probe_of(struct request_site *x, const struct grown *g, struct arena *a, struct sched **out,
                    struct fault *f)
{
	const struct sched_options o = {.standing = true};
	struct arena loading = {0};
	struct ledger probe = {
	    .study = g->study, .store = x->store, .scratch = &loading, .now_ms = x->now_ms};
	struct actions acts = {.scratch = a};
	int bad;

	*out = x->sched;
	if (g->same)
		return 0;
	probe.sched = *out = sched_new(a, g->study, &o);
	bad = ledger_load(&probe, f);
	if (!bad)
		sched_resume(*out, 0, &acts);
	arena_finish(&loading);
	return bad;
}

static int check_job(const struct sched *probe, const struct sched_job *j, struct arena *a, struct fault *f)
{
	struct command_context c;

	sched_job_context(probe, j, a, &c);
	return command_check(c.command, &c, f);
}

/* The first repetition that is new: of the first job, which stands for all. */
static uint32_t find_repeat(const struct schedule *s, const struct grown *g, const struct sched *probe,
                            struct schedule_draw *d, struct arena *a)
{
	for (d->repeat = 1;; d->repeat++) {
		struct sched_job j;

		schedule_job(a, s, g->phase, g->command, d, 0, &j);
		if (sched_preview_job(probe, &j) == JOB_ADDED)
			return d->repeat;
	}
}

/* Every job is looked at before the first is made. 1: f says what is wrong. */
static int check_jobs(struct request_site *x, const struct options *o, const struct schedule *s,
                      const struct grown *g, struct schedule_draw *d, struct counts *n, struct fault *f)
{
	struct arena a = {0}, each = {0};
	struct sched *probe;
	int bad = probe_of(x, g, &a, &probe, f);

	if (!bad && o->repeat)
		find_repeat(s, g, probe, d, &a);
	for (uint64_t i = 0; !bad && i < s->njobs; i++) {
		struct sched_job j;

		arena_reset(&each);
		schedule_job(&each, s, g->phase, g->command, d, i, &j);
		j.force = o->force;
		n->by_answer[sched_preview_job(probe, &j)]++;
		if (check_job(probe, &j, &each, f)) {
			f->code = FAULT_USAGE;
			bad = 1;
		}
	}
	arena_finish(&a);
	arena_finish(&each);
	return bad;
}

static int make_jobs(struct request_site *x, const struct options *o, const struct schedule *s,
                     const struct grown *g, const struct schedule_draw *d, struct counts *n, struct fault *f)
{
	struct arena each = {0};
	const struct study_phase *ph;
	int bad = 0;

	*n = (struct counts){0};
	if (!g->same && x->restudy(x, g->jobs, g->jobs_bytes, f))
		return -1;
	ph = study_find_phase(x->study, s->phase);
	for (uint64_t i = 0; !bad && i < s->njobs; i++) {
		struct sched_job j;
		enum job_answer answer = JOB_KNOWN;
		uint32_t trial = 0;
		struct event e = {.kind = EVENT_JOB, .job = &j, .answer = &answer, .trial = &trial};

		arena_reset(&each);
		schedule_job(&each, s, ph, g->command, d, i, &j);
		j.force = o->force;
		bad = x->step(x->ctx, &e, f);
		n->by_answer[answer]++;
		if (answer == JOB_ADDED) {
			n->first = n->first ? n->first : trial;
			n->last = trial;
		}
	}
	arena_finish(&each);
	return bad;
}

/* ---- the answer ------------------------------------------------------------------------------------ */

static void put_group(struct bytes *b, const struct schedule_group *g)
{
	text_putf(b, "group %s:", g->label);
	for (uint32_t i = 0; i < g->n && i < 20; i++)
		text_putf(b, "%s %" PRIu32, i ? "," : g->n == 1 ? " trial" : " trials", g->parents[i]);
	if (g->n > 20)
		text_putf(b, ", ... (%" PRIu32 " in all)", g->n);
	text_put(b, "\n");
}

static void explain(struct bytes *b, const struct schedule *s)
{
	uint64_t each = s->each * s->combinations;

	for (uint32_t i = 0; s->call->joined && i < s->ngroups; i++)
		put_group(b, &s->groups[i]);
	text_putf(b, "%" PRIu64 " job%s of phase %s", s->njobs, s->njobs == 1 ? "" : "s", s->phase);
	if (s->call->joined)
		text_putf(b, ": %" PRIu32 " group%s x %" PRIu64, s->ngroups, s->ngroups == 1 ? "" : "s",
		          each);
	if (s->call->best)
		text_putf(b, ", each after the best %" PRIu32 " of its group", s->call->best);
	text_put(b, "\n");
}

static void put_more(struct bytes *b, uint64_t n, const char *what)
{
	if (n)
		text_putf(b, "; %" PRIu64 " %s", n, what);
}

static void say(struct bytes *b, const struct options *o, const struct schedule *s, const struct counts *n,
                bool changed)
{
	uint64_t added = n->by_answer[JOB_ADDED];

	text_putf(b, "schedule%s: %" PRIu64 " job%s of phase %s added",
	          o->dry_run ? " (dry run, nothing is changed)" : "", added, added == 1 ? "" : "s", s->phase);
	if (n->first && n->last > n->first)
		text_putf(b, " (trials %" PRIu32 " to %" PRIu32 ")", n->first, n->last);
	else if (n->first)
		text_putf(b, " (trial %" PRIu32 ")", n->first);
	put_more(b, n->by_answer[JOB_KNOWN], "there already");
	put_more(b, n->by_answer[JOB_GROWN], "there already, with more to wait for now");
	put_more(b, n->by_answer[JOB_FORCED], "reset, for they have more to come after now");
	text_put(b, changed ? "; what the phase says has changed\n" : "\n");
}

static void say_json(struct bytes *b, const struct options *o, const struct schedule *s,
                     const struct counts *n)
{
	static const char *const names[] = {"added", "known", "grown", "started", "forced"};

	text_put(b, "{\"verb\":\"schedule\",\"phase\":");
	text_put_json(b, s->phase, strlen(s->phase));
	text_putf(b, ",\"groups\":%" PRIu32 ",\"jobs\":%" PRIu64, s->call->joined ? s->ngroups : 0, s->njobs);
	for (int i = 0; i <= JOB_FORCED; i++)
		text_putf(b, ",\"%s\":%" PRIu64, names[i], n->by_answer[i]);
	text_putf(b, ",\"first_trial\":%" PRIu32 ",\"last_trial\":%" PRIu32 ",\"dry_run\":%s}\n", n->first,
	          n->last, o->dry_run ? "true" : "false");
}

static void give_answer(struct request_answer *x, const struct options *o, const struct schedule *s,
                        const struct grown *g, const struct counts *n)
{
	uint64_t started = n->by_answer[JOB_STARTED];

	if (o->explain && !o->json)
		explain(&x->out, s);
	if (o->json)
		say_json(&x->out, o, s, n);
	else
		say(&x->out, o, s, n, !g->same && !n->by_answer[JOB_ADDED]);
	if (!started)
		return;
	x->status = FAULT_UNITS;
	text_putf(&x->err,
	          "ranksweep: %" PRIu64
	          " job%s begun before what is new in %s group came: --force lets %s come after "
	          "that too, and resets %s\n",
	          started, started == 1 ? " has" : "s have", started == 1 ? "its" : "their",
	          started == 1 ? "it" : "them", started == 1 ? "it" : "them");
}

/* ---- all of it -------------------------------------------------------------------------------------- */

static const char *as_typed(struct arena *a, const struct ask *ask)
{
	const char **words = arena_array(a, ask->nwords + 1, sizeof *words);
	uint32_t n = 0;
	bool options = true;

	for (uint32_t i = 0; i < ask->nwords; i++) {
		if (options && !strcmp(ask->words[i], ":"))
			options = false;
		else
			words[n++] = ask->words[i];
	}
	return command_line(a, words);
}

static int store_jobs(struct request_site *x, const struct ask *ask, const struct options *o,
                      const struct schedule *s, const struct grown *g, const struct schedule_draw *d,
                      struct counts *n, struct request_answer *answer, struct fault *f)
{
	uint64_t changed;

	if (!store_in_transaction(x->store) && store_begin(x->store, f))
		return -1;
	if (make_jobs(x, o, s, g, d, n, f))
		return -1;
	changed = n->by_answer[JOB_ADDED] + n->by_answer[JOB_GROWN] + n->by_answer[JOB_FORCED];
	if (!changed && g->same)
		return 0;
	answer->changed = true;
	return store_put_audit(x->store, x->now_ms, ask->who, as_typed(x->scratch, ask), (int64_t)changed,
	                       ask->id, f);
}

/* 1: why says what is wrong with the request. */
static int prepare(struct request_site *x, const struct options *o, const char *const *args, uint32_t nargs,
                   struct expand_call *call, struct schedule *s, struct grown *g, struct fault *why)
{
	struct request_selection selected;
	int got;

	if (expand_parse(x->scratch, args, nargs, (uint32_t)o->samples, call, why))
		return 1;
	if (o->samples && !call->jobs.drawn && !call->group.drawn)
		return fault_set(why, FAULT_USAGE,
		                 "-n: nothing is drawn here (uniform, log, logint or normal in {{ }})"),
		       1;
	got = select_trials(x, call, &selected, why);
	if (got)
		return got;
	if (call->best && check_best(x, &selected, why))
		return 1;
	if (schedule_prepare(x->scratch, x->sched, x->study, call, selected.numbers, selected.n, s, why) ||
	    grow_study(x, o, s, g, why))
		return 1;
	return 0;
}

int request_schedule(struct request_site *site, const struct ask *ask, struct request_answer *answer,
                     struct fault *f)
{
	struct options o;
	const char *const *args = NULL;
	uint32_t nargs = 0;
	struct expand_call call;
	struct schedule s;
	struct grown g;
	struct schedule_draw d = {0};
	struct counts n = {0};
	struct fault why = {0};
	int got = parse_words(ask->words, ask->nwords, &o, &args, &nargs, &why) ? 1 : 0;

	if (!got && !o.dry_run) {
		got = request_done_before(site, ask, "schedule", o.json, answer, f);
		if (got)
			return got < 0 ? -1 : 0;
	}
	if (!got)
		got = prepare(site, &o, args, nargs, &call, &s, &g, &why);
	d.seed = (uint64_t)o.seed;
	if (!got)
		got = check_jobs(site, &o, &s, &g, &d, &n, &why);
	if (got < 0)
		return *f = why, -1;
	if (got) {
		fault_context(&why, "schedule");
		return request_refuse(answer, &why);
	}
	if (!o.dry_run && store_jobs(site, ask, &o, &s, &g, &d, &n, answer, f))
		return -1;
	give_answer(answer, &o, &s, &g, &n);
	return 0;
}
