/* The text of scheduled phases (its form: study_jobs.c) with what one call of `schedule` adds. It is written
 * anew from the study, so it depends on nothing but what the phases are. */
#include "bytes.h"
#include "study_draft.h"
#include "text.h"

#include <string.h>

struct names {
	const char **items;
	uint32_t n, cap;
};

struct job_phase {
	const char *name, *metric; /* NULL: none */
	enum goal goal;
	uint32_t folds; /* 0: none */
	uint32_t retries;
	int64_t timeout_ms;
	struct names after, commands, params;
};

struct adding {
	struct draft d; /* takes the mistakes of the readers of study files */
	const struct study *s;
	const struct study_jobs *add;
	struct job_phase *phases; /* in the order of the text */
	uint32_t nphases;
	struct job_phase *to;            /* the phase that is added to */
	const struct study_phase *known; /* as it is in the study; NULL: it is new */
	struct fault *f;
};

#define refuse(x, ...) fault_set((x)->f, FAULT_USAGE, __VA_ARGS__)

/* ---- lists of names ---------------------------------------------------------------------------- */

static bool find_name(const struct names *list, const char *name, uint32_t *index)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (!strcmp(list->items[i], name)) {
			*index = i;
			return true;
		}
	return false;
}

static void append_name(struct arena *a, struct names *list, const char *name)
{
	uint32_t cap = list->cap ? 2 * list->cap : 8;

	if (list->n == list->cap) {
		list->items =
		    arena_grow(a, list->items, list->n * sizeof *list->items, cap * sizeof *list->items);
		list->cap = cap;
	}
	list->items[list->n++] = name;
}

/* Returns its place in the list. */
static uint32_t add_name(struct arena *a, struct names *list, const char *name)
{
	uint32_t index;

	if (find_name(list, name, &index))
		return index;
	append_name(a, list, name);
	return list->n - 1;
}

/* ---- what there is ----------------------------------------------------------------------------- */

static void gather_phase(struct adding *x, const struct study_phase *p)
{
	struct job_phase *t = &x->phases[p->line - 1];

	*t = (struct job_phase){.name = p->name,
	                        .metric = p->metric,
	                        .goal = p->goal,
	                        .folds = p->folds == FOLDS_EACH ? x->s->folds.inner : 0,
	                        .retries = p->limits.retries,
	                        .timeout_ms = p->limits.timeout_ms};
	for (uint32_t i = 0; i < p->nafter; i++)
		append_name(x->d.a, &t->after, x->s->phases[p->after[i].phase].name);
	for (uint32_t i = 0; i < p->ncommands; i++)
		append_name(x->d.a, &t->commands, p->command_texts[i]);
	for (uint32_t i = 0; i < p->space.nparams; i++)
		append_name(x->d.a, &t->params, p->space.params[i].name);
}

static void gather(struct adding *x)
{
	for (uint32_t i = 0; i < x->s->nphases; i++)
		x->nphases += x->s->phases[i].scheduled;
	x->phases = arena_array(x->d.a, x->nphases + 1, sizeof *x->phases);
	for (uint32_t i = 0; i < x->s->nphases; i++)
		if (x->s->phases[i].scheduled)
			gather_phase(x, &x->s->phases[i]);
}

static int find_target(struct adding *x)
{
	const char *name = x->add->phase;

	x->known = study_find_phase(x->s, name);
	if (x->known && !x->known->scheduled)
		return refuse(x,
		              "phase '%s' is one of the study file, whose trials come from its own search: "
		              "give these jobs a phase of another name",
		              name);
	if (x->known) {
		x->to = &x->phases[x->known->line - 1];
		return 0;
	}
	if (!draft_name_ok(name, "-"))
		return refuse(x,
		              "phase '%.70s': a phase is named with at most 64 letters, digits, _ and -, "
		              "first a letter",
		              name);
	if (x->s->nphases >= DRAFT_MAX_PHASES)
		return refuse(x, "phase '%s' would be one too many: a study has at most %d", name,
		              DRAFT_MAX_PHASES);
	x->to = &x->phases[x->nphases++];
	*x->to = (struct job_phase){.name = name};
	return 0;
}

/* ---- parameters and parents -------------------------------------------------------------------- */

static int add_params(struct adding *x)
{
	for (uint32_t i = 0; i < x->add->nparams; i++) {
		const char *name = x->add->params[i];

		if (!draft_name_ok(name, "-."))
			return refuse(x,
			              "'%.70s': a parameter is named with at most 64 letters, digits, _ . "
			              "and -, first a letter",
			              name);
		add_name(x->d.a, &x->to->params, name);
	}
	if (x->to->params.n > DRAFT_MAX_PARAMS)
		return refuse(x, "phase '%s' would have more than %d parameters", x->to->name,
		              DRAFT_MAX_PARAMS);
	return 0;
}

static int unknown_parent(const struct adding *x, const char *name)
{
	const char *words[DRAFT_MAX_PHASES], *near;

	for (uint32_t i = 0; i < x->s->nphases; i++)
		words[i] = x->s->phases[i].name;
	near = text_nearest(name, words, x->s->nphases);
	return near ? refuse(x, "there is no phase '%.64s', did you mean '%s'?", name, near)
	            : refuse(x, "there is no phase '%.64s'", name);
}

static int add_parents(struct adding *x)
{
	for (uint32_t i = 0; i < x->add->nafter; i++) {
		const char *name = x->add->after[i];
		const struct study_phase *q = study_find_phase(x->s, name);

		if (!strcmp(name, x->to->name))
			return refuse(x,
			              "jobs of phase '%s' can't come after jobs of the same phase: give the "
			              "new ones a phase of another name",
			              name);
		if (!q)
			return unknown_parent(x, name);
		if (x->known && q->ancestor[x->known->index])
			return refuse(x,
			              "phase '%s' comes after '%s' already: jobs of '%s' can't come after "
			              "it; give the new ones a phase of another name",
			              name, x->to->name, x->to->name);
		add_name(x->d.a, &x->to->after, name);
	}
	if (x->to->after.n > DRAFT_MAX_PARENTS)
		return refuse(x, "phase '%s' would come after more than %d phases", x->to->name,
		              DRAFT_MAX_PARENTS);
	return 0;
}

/* ---- the command ------------------------------------------------------------------------------- */

/* What the readers of study files had to say. */
static int first_note(const struct adding *x)
{
	return x->d.nnotes ? refuse(x, "%s", x->d.notes[0].text) : 0;
}

static int same_command(const struct adding *x, uint32_t *command)
{
	*command = 0;
	if (!x->known)
		return refuse(x, "phase '%s' is new: its command must be given", x->to->name);
	if (x->to->commands.n > 1)
		return refuse(x, "phase '%s' has %u commands by now: say which one", x->to->name,
		              x->to->commands.n);
	return 0;
}

static int add_command(struct adding *x, uint32_t *command)
{
	struct yaml_node v = {.kind = YAML_TEXT, .text = x->add->command};
	const char *text;
	size_t bytes = 0;

	if (!v.text)
		return same_command(x, command);
	v.len = strlen(v.text);
	text = draft_command_text(&x->d, &v, x->to->name);
	if (!text)
		return first_note(x);
	if (strlen(text) > DRAFT_MAX_COMMAND)
		return refuse(x, "a command of more than %d bytes", DRAFT_MAX_COMMAND);
	*command = add_name(x->d.a, &x->to->commands, text);
	for (uint32_t i = 0, n = 0; i < x->nphases; i++) {
		n += x->phases[i].commands.n;
		for (uint32_t k = 0; k < x->phases[i].commands.n; k++)
			bytes += strlen(x->phases[i].commands.items[k]);
		if (n > DRAFT_MAX_COMMANDS || bytes > DRAFT_MAX_COMMANDS_BYTES)
			return refuse(x,
			              "too many commands (%d, or %d bytes, are the most): what differs "
			              "belongs into parameters, as in --lr {lr}",
			              DRAFT_MAX_COMMANDS, DRAFT_MAX_COMMANDS_BYTES);
	}
	return 0;
}

/* ---- metric, goal, folds, limits --------------------------------------------------------------- */

static void read_text(struct adding *x, struct draft_phase *t, const char *key, const char *text)
{
	const struct draft_keys tables[] = {draft_shared_keys, draft_limit_keys};
	struct yaml_node *k = arena_alloc(x->d.a, sizeof *k), *v = arena_alloc(x->d.a, sizeof *v);

	if (!text)
		return;
	*k = (struct yaml_node){.kind = YAML_TEXT, .text = key, .len = strlen(key)};
	*v = (struct yaml_node){.kind = YAML_TEXT, .text = text, .len = strlen(text), .key = k};
	draft_read_key(&x->d, t, v, tables, 2);
}

static int fixed(const struct adding *x, const char *key, const char *has, const char *said)
{
	return refuse(x,
	              "%s=%.64s: phase '%s' has %s=%s, and keeps it; give these jobs a phase of another name",
	              key, said, x->to->name, key, has);
}

static int add_metric(struct adding *x, const struct draft_phase *t)
{
	const struct study_jobs *add = x->add;
	struct job_phase *to = x->to;

	if (!x->known) {
		to->metric = t->p.metric;
		to->goal = t->p.goal;
		if (to->metric && !add->goal)
			return refuse(x, "metric=%s needs goal=minimize or goal=maximize", to->metric);
		if (!to->metric && add->goal)
			return refuse(x, "goal=%s needs metric=NAME", add->goal);
		return 0;
	}
	if (add->metric && strcmp(to->metric ? to->metric : "none", add->metric) != 0)
		return fixed(x, "metric", to->metric ? to->metric : "none", add->metric);
	if (add->goal && !to->metric)
		return refuse(x, "goal=%s: the metric of phase '%s' is none", add->goal, to->name);
	if (add->goal && to->goal != t->p.goal)
		return fixed(x, "goal", goal_text(to->goal), add->goal);
	return 0;
}

/* folds=none, each or a number as a number. */
static int parse_folds(struct adding *x, const char *s, uint32_t *out)
{
	const struct folds *have = &x->s->folds;
	int64_t k = 0;

	*out = 0;
	if (!strcmp(s, "none"))
		return 0;
	if (have->outer)
		return refuse(x,
		              "folds=%.64s: the folds of this study are nested (%u outer, %u inner), where "
		              "scheduled phases can only have folds=none",
		              s, have->outer, have->inner);
	if (!strcmp(s, "each") && !have->inner)
		return refuse(x, "folds=each: the study has no folds yet; say how many, as in folds=5");
	if (!strcmp(s, "each"))
		k = have->inner;
	else if (!text_parse_int(s, strlen(s), &k) || k < 2 || k > 10000)
		return refuse(x, "folds=%.64s: it must be none, each or a number from 2 to 10000", s);
	if (have->inner && k != have->inner)
		return refuse(x, "folds=%.64s: the study has %u folds", s, have->inner);
	*out = (uint32_t)k;
	return 0;
}

static int add_folds(struct adding *x)
{
	const char *s = x->add->folds;
	char has[TEXT_NUMBER];
	uint32_t k;

	if (!s)
		return 0;
	if (parse_folds(x, s, &k))
		return -1;
	if (x->known && k != x->to->folds) {
		text_int(has, x->to->folds);
		return fixed(x, "folds", x->to->folds ? has : "none", s);
	}
	x->to->folds = k;
	return 0;
}

static int add_words(struct adding *x)
{
	struct draft_phase t = {0};

	read_text(x, &t, "metric", x->add->metric);
	read_text(x, &t, "goal", x->add->goal);
	read_text(x, &t, "retries", x->add->retries);
	read_text(x, &t, "timeout", x->add->timeout);
	if (first_note(x) || add_metric(x, &t) || add_folds(x))
		return -1;
	if (x->add->retries)
		x->to->retries = t.p.limits.retries;
	if (x->add->timeout)
		x->to->timeout_ms = t.p.limits.timeout_ms;
	return 0;
}

/* ---- the text ---------------------------------------------------------------------------------- */

static void put_text(struct bytes *b, const char *s)
{
	text_put_json(b, s, strlen(s));
}

/* Any bytes: what YAML would not give back as it is stands there in hex digits. */
static void put_command(struct bytes *b, const char *s)
{
	if (yaml_holds(s, strlen(s))) {
		put_text(b, s);
		return;
	}
	text_put(b, "{hex: \"");
	for (; *s; s++)
		text_putf(b, "%02x", (unsigned char)*s);
	text_put(b, "\"}");
}

static void put_names(struct bytes *b, const char *key, const struct names *list)
{
	if (!list->n)
		return;
	text_putf(b, "    %s: [", key);
	for (uint32_t i = 0; i < list->n; i++) {
		text_put(b, i ? ", " : "");
		put_text(b, list->items[i]);
	}
	text_put(b, "]\n");
}

static void put_phase(struct bytes *b, const struct job_phase *t)
{
	text_put(b, "  ");
	put_text(b, t->name);
	text_put(b, ":\n");
	put_names(b, "after", &t->after);
	text_put(b, "    commands:\n");
	for (uint32_t i = 0; i < t->commands.n; i++) {
		text_put(b, "      - ");
		put_command(b, t->commands.items[i]);
		text_put(b, "\n");
	}
	put_names(b, "params", &t->params);
	if (t->metric) {
		text_put(b, "    metric: ");
		put_text(b, t->metric);
		text_putf(b, "\n    goal: %s\n", goal_text(t->goal));
	}
	if (t->folds)
		text_putf(b, "    folds: %u\n", t->folds);
	if (t->retries)
		text_putf(b, "    retries: %u\n", t->retries);
	if (t->timeout_ms)
		text_putf(b, "    timeout: %lldms\n", (long long)t->timeout_ms);
}

static int put_phases(const struct adding *x, const char **jobs, size_t *n)
{
	struct bytes b = {0};

	text_put(&b, "phases:\n");
	for (uint32_t i = 0; i < x->nphases; i++)
		put_phase(&b, &x->phases[i]);
	*n = b.len;
	*jobs = arena_strndup(x->d.a, (const char *)b.data, b.len);
	bytes_finish(&b);
	return *n <= STUDY_MAX_BYTES ? 0 : refuse(x, "too much was scheduled: more than 64 MiB");
}

int study_add_jobs(struct arena *a, const struct study *s, const struct study_jobs *add, const char **jobs,
                   size_t *jobs_bytes, uint32_t *command, struct fault *f)
{
	struct adding x = {.d = {.a = a}, .s = s, .add = add, .f = f};

	gather(&x);
	if (find_target(&x) || add_params(&x) || add_parents(&x) || add_command(&x, command) || add_words(&x))
		return -1;
	return put_phases(&x, jobs, jobs_bytes);
}
