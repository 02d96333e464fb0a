/* check: what a study file means, before anything runs. Sizes come by arithmetic (extent), the first command
 * lines from the samplers themselves with made-up parents. */
#include "cmd.h"

#include "command.h"
#include "fronts.h"
#include "host.h"
#include "prune.h"
#include "sampler.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct check {
	struct arena arena, scratch;
	const struct study *study;
	const struct extent *extents;
	struct extent total;
	const struct value **values; /* by phase: of its example trial; NULL: the search finds no point */
	const char **commands;       /* by phase: its first command line; NULL: could not be rendered */
	const char **warnings;
	uint32_t nwarnings;
	bool infeasible; /* a phase that depends on nothing has no feasible point */
};

static void warn(struct check *c, const char *text)
{
	c->warnings = arena_grow(&c->arena, c->warnings, c->nwarnings * sizeof *c->warnings,
	                         (c->nwarnings + 1) * sizeof *c->warnings);
	c->warnings[c->nwarnings++] = text;
}

/* ---- words ----------------------------------------------------------------------------------- */
static const char *after_text(struct check *c, const struct study_phase *p)
{
	struct bytes b = {0};

	for (uint32_t i = 0; i < p->nafter; i++) {
		const struct after *x = &p->after[i];

		text_put(&b, i ? ", " : "");
		if (x->pick == PICK_BEST && x->best_n == 1)
			text_put(&b, "best of ");
		else if (x->pick == PICK_BEST)
			text_putf(&b, "best %u of ", x->best_n);
		text_put(&b, c->study->phases[x->phase].name);
		if (x->pick == PICK_BEST && c->study->phases[x->phase].nmore)
			text_putf(&b, " by %s",
			          study_objective(&c->study->phases[x->phase], x->objective).metric);
		for (uint32_t k = 0; k < x->nper; k++)
			text_putf(&b, "%s %s", k ? "," : " per",
			          c->study->phases[x->per_phase[k]].space.params[x->per[k]].name);
		text_put(&b, x->as_one ? " as one" : "");
	}
	return p->nafter ? cmd_keep_bytes(&c->arena, &b) : NULL;
}

static const char *search_of(struct check *c, const struct study_phase *p)
{
	if (p->space.nparams == 0)
		return NULL;
	return arena_printf(&c->arena, "%s%s", p->search_auto && p->search != SEARCH_AUTO ? "auto -> " : "",
	                    search_text(p->search));
}

static const char *folds_of(struct check *c, const struct study_phase *p, const struct extent *x)
{
	const struct folds *k = &c->study->folds;

	if (p->folds == FOLDS_NONE || (k->inner == 0 && k->outer == 0))
		return NULL;
	if (k->outer == 0)
		return p->folds == FOLDS_EACH ? arena_printf(&c->arena, "%u", k->inner) : NULL;
	if (p->folds == FOLDS_OUTER)
		return arena_printf(&c->arena, "%u outer", k->outer);
	return arena_printf(&c->arena, "%u outer%s x %u", k->outer, x->searches > k->outer ? " and full" : "",
	                    x->units_per_trial);
}

static const char *count_text(struct arena *a, uint64_t n, bool at_most)
{
	return arena_printf(a, "%s%llu", at_most ? "<=" : "", (unsigned long long)n);
}

/* ---- example values -------------------------------------------------------------------------- */
struct example {
	const struct value **by_phase;
	uint32_t nphases;
};

static void scope_of(void *ctx, uint32_t parent, struct arena *scratch, struct scope *out)
{
	const struct example *x = ctx;

	(void)parent;
	out->by_phase = arena_grow(scratch, x->by_phase, x->nphases * sizeof *x->by_phase,
	                           x->nphases * sizeof *x->by_phase);
	out->nphases = x->nphases;
}

/* What a unit of `p` sees of the phases above it: the example trial of each, but nothing of those it has
 * several trials of (`as one`). */
static void visible_values(const struct check *c, const struct study_phase *p, struct example *x)
{
	uint32_t n = c->study->nphases;

	x->nphases = n;
	x->by_phase = arena_array(&((struct check *)c)->arena, n, sizeof *x->by_phase);
	for (uint32_t q = 0; q < n; q++)
		x->by_phase[q] = p->ancestor[q] ? c->values[q] : NULL;
	for (uint32_t i = 0; i < p->nafter; i++)
		for (uint32_t q = 0; p->after[i].as_one && q < n; q++)
			if (q == p->after[i].phase || c->study->phases[p->after[i].phase].ancestor[q])
				x->by_phase[q] = NULL;
}

static bool draw_example(struct check *c, const struct study_phase *p, struct example *x)
{
	uint64_t cursor = 0;
	uint32_t parent = 0;
	struct value *own = arena_array(&c->arena, p->space.nparams + 1, sizeof *own);
	struct sampler_ask ask = {.study = c->study,
	                          .phase = p,
	                          .nparents = 1,
	                          .scope_of = scope_of,
	                          .ctx = x,
	                          .cursor = &cursor,
	                          .scratch = &c->scratch};
	enum sampler_answer answer = SAMPLER_OK;

	arena_reset(&c->scratch);
	if (p->space.nparams)
		answer = sampler_ask(&ask, own, &parent);
	x->by_phase[p->index] = own;
	c->values[p->index] = own;
	if (answer == SAMPLER_OK)
		return true;
	warn(c, arena_printf(&c->arena,
	                     "phase %s: the search finds no point that satisfies `require` and the "
	                     "bounds%s",
	                     p->name, p->nafter ? " below the example parent" : ""));
	c->infeasible |= p->nafter == 0;
	return false;
}

/* ---- first command lines --------------------------------------------------------------------- */
static const char *example_dir(struct check *c, const struct study_phase *p, uint32_t fold)
{
	const char *dir = arena_printf(&c->arena, "%s.out/dir/%s/t%u", c->study->name, p->name, p->index + 1);

	return c->extents[p->index].units_per_trial > 1 ? arena_printf(&c->arena, "%s/f%u", dir, fold) : dir;
}

static struct command_parent *example_parents(struct check *c, const struct study_phase *p)
{
	struct command_parent *parents = arena_array(&c->arena, c->study->nphases, sizeof *parents);
	bool folded = c->extents[p->index].units_per_trial > 1;

	for (uint32_t q = 0; q < c->study->nphases; q++) {
		uint32_t n = p->ancestor[q] ? c->extents[q].units_per_trial : 0;
		const char **dirs;

		if (folded && n > 1)
			n = 1;
		dirs = arena_array(&c->arena, n + 1, sizeof *dirs);
		for (uint32_t i = 0; i < n; i++)
			dirs[i] = example_dir(c, &c->study->phases[q], i);
		parents[q] = (struct command_parent){
		    .dirs = dirs, .ndirs = n, .ntrials = p->ancestor[q], .value = 0, .best_step = 1};
	}
	return parents;
}

/* The first one that a trial is given. */
static int64_t example_budget(const struct prune *r)
{
	if (!r || !r->nrungs)
		return 0;
	return r->promote ? prune_budget(r, 0, 0) : r->max;
}

static void render_example(struct check *c, const struct study_phase *p, const struct example *x)
{
	const struct folds *k = &c->study->folds;
	struct command_context ctx = {.study = c->study,
	                              .phase = p,
	                              .command = &p->command,
	                              .scope = {x->by_phase, x->nphases},
	                              .parents = example_parents(c, p),
	                              .trial = p->index + 1,
	                              .unit = p->index + 1,
	                              .attempt = 1,
	                              .seed = 1,
	                              .fold = k->inner && p->folds == FOLDS_EACH ? 0 : -1,
	                              .outer_fold = k->outer && p->folds != FOLDS_NONE ? 0 : -1,
	                              .budget = example_budget(p->prune),
	                              .dir = p->makes_dir ? example_dir(c, p, 0) : ""};
	const char **argv;
	struct fault f;

	if (command_render(&c->arena, ctx.command, &ctx, &argv, &f) == 0)
		c->commands[p->index] = command_line(&c->arena, argv);
	else
		warn(c, arena_printf(&c->arena, "phase %s: %s", p->name, f.text));
}

/* ---- warnings -------------------------------------------------------------------------------- */
static bool in_path(struct arena *a, const char *program)
{
	const char *path = getenv("PATH");

	while (path && *path) {
		size_t n = strcspn(path, ":");

		if (access(arena_printf(a, "%.*s/%s", (int)n, path, program), X_OK) == 0)
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}

static void look_for_program(struct check *c, const struct study_phase *p)
{
	const char *line = c->commands[p->index];
	size_t n = line ? strcspn(line, " ") : 0;
	const char *program = arena_strndup(&c->arena, line ? line : "", n);

	if (n == 0 || p->setup || strchr("'\"$", program[0]))
		return; /* what `setup` does to the path is not ours to guess */
	if (strchr(program, '/') ? access(program, X_OK) == 0 : in_path(&c->scratch, program))
		return;
	warn(c, arena_printf(&c->arena, "phase %s: no program `%s` %s", p->name, program,
	                     strchr(program, '/') ? "here (commands run in the current folder)"
	                                          : "in the PATH of this machine"));
}

static void look_for_limits(struct check *c)
{
	const char *names = NULL;
	bool estimates = c->study->folds.outer == 0;

	for (uint32_t i = 0; i < c->study->nphases; i++) {
		const struct study_phase *p = &c->study->phases[i];

		estimates |= p->folds == FOLDS_OUTER;
		if (p->limits.timeout_ms == 0 && p->limits.stall_ms == 0)
			names = names ? arena_printf(&c->arena, "%s, %s", names, p->name) : p->name;
	}
	if (names)
		warn(c, arena_printf(&c->arena,
		                     "no timeout and no stall limit (%s): a unit that hangs holds its cores "
		                     "until the run ends",
		                     names));
	if (!estimates)
		warn(c,
		     "nested folds, but no phase with `folds: outer`: nothing is tested on the outer folds");
}

static void examine(struct check *c)
{
	const struct study *s = c->study;

	c->extents = extent_of(&c->arena, s);
	extent_total(s, c->extents, &c->total);
	c->values = arena_array(&c->arena, s->nphases, sizeof *c->values);
	c->commands = arena_array(&c->arena, s->nphases, sizeof *c->commands);
	for (uint32_t i = 0; i < s->nphases; i++) {
		struct example x;

		if (s->phases[i].scheduled) /* its trials come from elsewhere */
			continue;
		visible_values(c, &s->phases[i], &x);
		if (draw_example(c, &s->phases[i], &x))
			render_example(c, &s->phases[i], &x);
		look_for_program(c, &s->phases[i]);
	}
	look_for_limits(c);
}

/* ---- as text --------------------------------------------------------------------------------- */
static void put_head(const struct check *c, struct bytes *b)
{
	const struct folds *k = &c->study->folds;

	text_putf(b, "study %s, seed %llu", c->study->name, (unsigned long long)c->study->seed);
	if (k->outer)
		text_putf(b, ", %u outer x %u inner folds%s", k->outer, k->inner,
		          k->full ? " and a full search" : "");
	else if (k->inner)
		text_putf(b, ", %u folds", k->inner);
	text_put(b, "\n\n");
}

static void fill_phases(struct check *c, struct report *r)
{
	uint32_t name = report_column(r, "phase", NULL, 0), after = report_column(r, "after", NULL, 0),
	         metric = report_column(r, "metric", NULL, 0), search = report_column(r, "search", NULL, 0),
	         each = report_column(r, "trials_each", "trials each", REPORT_RIGHT),
	         all = report_column(r, "trials", NULL, REPORT_RIGHT),
	         folds = report_column(r, "folds", NULL, REPORT_HIDE_EMPTY),
	         units = report_column(r, "units", NULL, REPORT_RIGHT);

	for (uint32_t i = 0; i < c->study->nphases; i++) {
		const struct study_phase *p = &c->study->phases[i];
		const struct extent *x = &c->extents[i];

		report_row(r);
		report_text(r, name, p->name);
		report_text(r, after, after_text(c, p));
		if (p->metric)
			report_text(r, metric, fronts_goals(&c->arena, p));
		else if (p->judged)
			report_text(r, metric,
			            arena_printf(&c->arena, "best of %s", c->study->phases[p->judge].name));
		report_text(r, search, search_of(c, p));
		report_text(r, each, count_text(&c->arena, x->trials_each, false));
		report_text(r, all, count_text(&c->arena, x->trials, x->at_most));
		report_text(r, folds, folds_of(c, p, x));
		report_text(r, units, count_text(&c->arena, x->units, x->at_most));
	}
	report_row(r);
	report_text(r, name, "all");
	for (uint32_t i = after; i <= each; i++)
		report_text(r, i, "");
	report_text(r, all, count_text(&c->arena, c->total.trials, c->total.at_most));
	report_text(r, folds, "");
	report_text(r, units, count_text(&c->arena, c->total.units, c->total.at_most));
}

static void put_text(struct check *c)
{
	struct bytes b = {0};
	struct report r;
	struct report_style style = cmd_style(stdout);

	report_init(&r, &c->arena);
	put_head(c, &b);
	fill_phases(c, &r);
	report_put_table(&r, &style, &b);
	text_put(&b, c->study->nphases > 1
	                 ? "\nfirst command lines (what comes from earlier phases is made up):\n"
	                 : "\nfirst command line:\n");
	for (uint32_t i = 0; i < c->study->nphases; i++)
		if (c->commands[i]) {
			text_putf(&b, "  %s: ", c->study->phases[i].name);
			report_put_plain(&b, c->commands[i]);
			text_put(&b, "\n");
		}
	for (uint32_t i = 0; i < c->nwarnings; i++) {
		text_put(&b, i ? "" : "\n");
		text_putf(&b, "warning: %s\n", c->warnings[i]);
	}
	cmd_write(stdout, &b);
	bytes_finish(&b);
}

/* ---- as JSON --------------------------------------------------------------------------------- */
static void put_count(struct bytes *b, const char *key, uint64_t n)
{
	report_key(b, key);
	text_putf(b, "%llu", (unsigned long long)n);
}

static void put_params_json(struct bytes *b, const struct study_phase *p)
{
	report_key(b, "params");
	text_put(b, "{");
	for (uint32_t i = 0; i < p->space.nparams; i++)
		cmd_put_string(b, p->space.params[i].name, p->space.params[i].text);
	text_put(b, "}");
}

static void put_phase_json(struct check *c, const struct study_phase *p, struct bytes *b)
{
	const struct extent *x = &c->extents[p->index];

	text_put(b, p->index ? ",\n  {" : "\n  {");
	cmd_put_string(b, "phase", p->name);
	cmd_put_string(b, "after", after_text(c, p));
	cmd_put_string(b, "metric", p->metric);
	cmd_put_string(b, "goal", p->metric ? goal_text(p->goal) : NULL);
	fronts_put_json(b, p);
	cmd_put_string(b, "aggregate", p->metric ? aggregate_text(p->aggregate) : NULL);
	cmd_put_string(b, "search", p->space.nparams ? search_text(p->search) : NULL);
	cmd_put_flag(b, "auto", p->search_auto && p->space.nparams);
	put_params_json(b, p);
	cmd_put_string(b, "folds", folds_text(p->folds));
	put_count(b, "searches", x->groups);
	put_count(b, "trials_each", x->trials_each);
	put_count(b, "trials", x->trials);
	put_count(b, "units_per_trial", x->units_per_trial);
	put_count(b, "units", x->units);
	cmd_put_flag(b, "at_most", x->at_most);
	cmd_put_string(b, "command", c->commands[p->index]);
	text_put(b, "}");
}

static void put_json(struct check *c)
{
	struct bytes b = {0};

	text_put(&b, "{");
	cmd_put_string(&b, "study", c->study->name);
	put_count(&b, "seed", c->study->seed);
	put_count(&b, "folds", c->study->folds.inner);
	put_count(&b, "outer_folds", c->study->folds.outer);
	put_count(&b, "trials", c->total.trials);
	put_count(&b, "units", c->total.units);
	cmd_put_flag(&b, "at_most", c->total.at_most);
	report_key(&b, "phases");
	text_put(&b, "[");
	for (uint32_t i = 0; i < c->study->nphases; i++)
		put_phase_json(c, &c->study->phases[i], &b);
	text_put(&b, "\n]");
	report_key(&b, "warnings");
	text_put(&b, "[");
	for (uint32_t i = 0; i < c->nwarnings; i++) {
		text_put(&b, i ? ", " : "");
		report_put_string(&b, c->warnings[i]);
	}
	text_put(&b, "], \"errors\": []}\n");
	cmd_write(stdout, &b);
	bytes_finish(&b);
}

/* A program that writes studies gets the errors where it looks for the plan. */
static void put_errors_json(const struct study_errors *errors)
{
	struct bytes b = {0};

	text_put(&b, "{");
	cmd_put_string(&b, "study", NULL);
	report_key(&b, "errors");
	text_put(&b, "[");
	for (uint32_t i = 0; i < errors->count; i++) {
		text_put(&b, i ? ",\n" : "\n");
		report_put_string(&b, errors->items[i].text);
	}
	text_put(&b, "\n]}\n");
	cmd_write(stdout, &b);
	bytes_finish(&b);
}

/* ---- the verb -------------------------------------------------------------------------------- */
static int load(struct check *c, const char *path, bool json, struct fault *f)
{
	struct bytes text = {0};
	struct study_errors errors = {0};
	int bad = host_read_file(path, STUDY_MAX_BYTES, &text, f);

	if (!bad && text.len > 15 && !memcmp(text.data, "SQLite format 3", 15))
		bad = fault_set(f, FAULT_USAGE, "%s is a database; check takes a study file", path);
	if (!bad && study_parse(&c->arena, path, (const char *)text.data, text.len, &c->study, &errors)) {
		if (json)
			put_errors_json(&errors);
		bad = cmd_study_errors(&errors, f);
	}
	bytes_finish(&text);
	return bad;
}

static int check(const char *path, bool json, struct fault *f)
{
	struct check c = {0};
	int bad = load(&c, path, json, f);

	if (!bad) {
		examine(&c);
		if (json)
			put_json(&c);
		else
			put_text(&c);
		if (c.infeasible)
			bad = fault_set(f, FAULT_STUDY, "%s: %s", path, "a phase has no feasible point");
	}
	arena_finish(&c.arena);
	arena_finish(&c.scratch);
	return bad;
}

int cmd_check(int argc, char **argv)
{
	bool json = false;
	const struct cmd_option options[] = {
	    {"json", 0, CMD_FLAG, &json, NULL, "the plan as JSON"},
	    {0},
	};
	const struct cmd_usage usage = {"check", "STUDY.yaml [--json]",
	                                "Checks a study file and prints the plan: for each phase what it "
	                                "comes after, its search, trials,\n"
	                                "folds and units, and its first command line. Every error is named "
	                                "with its line and column (exit\n"
	                                "status 65). Nothing runs and nothing is written.",
	                                options,
	                                "  ranksweep check jobs/dbn.yaml\n"
	                                "  ranksweep check jobs/dbn.yaml --json | jq .units"};
	struct fault f = {0};
	int rc = cmd_parse(&usage, &argc, argv, &f);

	if (rc == 0 && argc != 1)
		rc = cmd_misuse(&usage, &f, argc ? "one study file at a time" : "which study file?");
	if (rc == 0)
		rc = check(argv[0], json, &f);
	return rc < 0 ? cmd_print_fault(&f) : 0;
}
