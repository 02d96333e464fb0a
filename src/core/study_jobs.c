/* Phases that come from the command line, out of the text that study_add.c writes:
 *
 *   phases:
 *     "final":
 *       after: ["train"]                 phases; a job picks among their trials by itself
 *       commands:
 *         - "prog --lr {lr}"
 *         - {hex: "70726f67ff"}          one that is no text
 *       params: ["lr", "hidden"]
 *       metric: "valid_error"            absent: none
 *       goal: "minimize"
 *       folds: 5                         absent: none
 *       retries: 2
 *       timeout: "600000ms"
 *
 * It lies in a database, where anything may have happened to it. */
#include "study_draft.h"

#include <string.h>

/* Where its mistakes are told: see DRAFT_JOBS. Depth is bounded by the YAML reader. */
static void mark(struct yaml_node *n, uint32_t line)
{
	n->line = line;
	if (n->key)
		n->key->line = line;
	for (struct yaml_node *x = n->first; x; x = x->next)
		mark(x, line);
}

static bool is_text(struct draft *d, const struct yaml_node *v, const char *what)
{
	return draft_text(d, v, what) != NULL;
}

/* ---- commands ---------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* {hex: ".."} as the text it stands for; NULL: told. */
static const struct yaml_node *decode_hex(struct draft *d, const struct yaml_node *map)
{
	const struct yaml_node *v = map->first;
	struct yaml_node *out = arena_alloc(d->a, sizeof *out);
	char *text;

	*out = (struct yaml_node){.kind = YAML_TEXT, .line = map->line, .col = map->col};
	if (map->count != 1 || strcmp(v->key->text, "hex") != 0 || v->kind != YAML_TEXT || v->len % 2) {
		draft_error(d, map, "`commands`: a text or {hex: TEXT}");
		return NULL;
	}
	out->len = v->len / 2;
	out->text = text = arena_alloc(d->a, out->len + 1);
	for (size_t i = 0; i < out->len; i++) {
		int high = hex_digit(v->text[2 * i]), low = hex_digit(v->text[2 * i + 1]);

		text[i] = (char)(high * 16 + low);
		if (high < 0 || low < 0 || !text[i]) {
			draft_error(d, map, "`commands`: no bytes in hex digits");
			return NULL;
		}
	}
	return out;
}

static void read_commands(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	if (v->kind != YAML_LIST || !v->count) {
		draft_error(d, v, "`commands` must be a list of at least one");
		return;
	}
	d->all_commands += v->count;
	if (d->all_commands > DRAFT_MAX_COMMANDS) {
		draft_error(d, v,
		            "more than %d commands were scheduled: what differs belongs into parameters",
		            DRAFT_MAX_COMMANDS);
		return;
	}
	t->commands = arena_array(d->a, v->count, sizeof *t->commands);
	for (const struct yaml_node *x = v->first; x; x = x->next) {
		const struct yaml_node *text = x;

		if (x->kind == YAML_MAP)
			text = decode_hex(d, x);
		else if (!is_text(d, x, "commands"))
			text = NULL;
		if (!text)
			continue;
		d->command_bytes += text->len;
		t->commands[t->p.ncommands++] = text;
	}
	if (d->command_bytes > DRAFT_MAX_COMMANDS_BYTES) {
		draft_error(d, v, "the scheduled commands have more than %d bytes", DRAFT_MAX_COMMANDS_BYTES);
		t->p.ncommands = 0;
	}
	t->command = t->p.ncommands ? t->commands[0] : NULL;
}

/* ---- names ------------------------------------------------------------------------------------- */

static bool is_list(struct draft *d, const struct yaml_node *v, const char *what, uint32_t max)
{
	if (v->kind == YAML_LIST && v->count <= max)
		return true;
	draft_error(d, v, "`%s` must be a list of at most %u names", what, max);
	return false;
}

static void read_after(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	if (!is_list(d, v, "after", DRAFT_MAX_PARENTS))
		return;
	t->after = arena_array(d->a, v->count, sizeof *t->after);
	for (const struct yaml_node *x = v->first; x; x = x->next) {
		bool twice = false;

		if (!is_text(d, x, "after"))
			continue;
		for (uint32_t i = 0; i < t->nafter; i++)
			twice = twice || !strcmp(t->after[i].name, x->text);
		if (twice)
			draft_error(d, x, "after names '%.64s' twice", x->text);
		else
			t->after[t->nafter++] = (struct draft_after){.node = x, .name = x->text};
	}
}

static bool has_param(const struct draft_phase *t, const char *name)
{
	for (uint32_t i = 0; i < t->nparams; i++)
		if (!strcmp(t->params[i].name, name))
			return true;
	return false;
}

static void add_param(struct draft *d, struct draft_phase *t, const struct yaml_node *x)
{
	struct yaml_node *node = arena_alloc(d->a, sizeof *node), *key = arena_alloc(d->a, sizeof *key);

	if (has_param(t, x->text)) {
		draft_error(d, x, "'%.64s' is here twice", x->text);
		return;
	}
	*key = *node = *x;
	node->key = key; /* as in the map of a study file */
	t->param_nodes[t->nparams] = node;
	t->params[t->nparams++] =
	    (struct param){.name = x->text, .kind = DOMAIN_ANY, .text = "any", .line = x->line};
}

static void read_params(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	if (!is_list(d, v, "params", DRAFT_MAX_PARAMS))
		return;
	d->all_params += v->count;
	if (d->all_params > DRAFT_MAX_ALL_PARAMS) {
		draft_error(d, v, "too many parameters: at most %d in all phases", DRAFT_MAX_ALL_PARAMS);
		return;
	}
	t->params = arena_array(d->a, v->count, sizeof *t->params);
	t->param_nodes = arena_array(d->a, v->count, sizeof *t->param_nodes);
	for (const struct yaml_node *x = v->first; x; x = x->next)
		if (is_text(d, x, "params"))
			add_param(d, t, x);
}

/* ---- the rest ---------------------------------------------------------------------------------- */

/* The first that has folds gives them to a study without. */
static void read_folds(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	struct folds *f = &d->s->folds;
	int64_t k;

	t->folds = v;
	if (!draft_int(d, v, "folds", 2, 10000, &k))
		return;
	t->p.folds = FOLDS_EACH;
	if (f->outer)
		draft_error(d, v,
		            "`folds: %lld`: the folds of the study are nested (%u outer, %u inner); a "
		            "scheduled phase can only have none",
		            (long long)k, f->outer, f->inner);
	else if (!f->inner)
		f->inner = (uint32_t)k;
	else if (f->inner != k)
		draft_error(d, v, "`folds: %lld`: the study has %u", (long long)k, f->inner);
}

static void read_shared(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	draft_read_key(d, t, v, &draft_shared_keys, 1);
}

static void read_limit(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	draft_read_key(d, t, v, &draft_limit_keys, 1);
}

static const struct draft_key keys[] = {
    {"after", read_after}, {"commands", read_commands}, {"params", read_params}, {"metric", read_shared},
    {"goal", read_shared}, {"folds", read_folds},       {"retries", read_limit}, {"timeout", read_limit}};

static bool name_is_free(struct draft *d, const struct yaml_node *key)
{
	int q = draft_find_phase(d, key->text);

	if (!draft_name_ok(key->text, "-")) {
		draft_error(d, key, "'%.70s': a phase is named with at most 64 letters, digits, _ and -",
		            key->text);
		return false;
	}
	if (q < 0)
		return true;
	draft_error(d, d->phases[q].node,
	            "phase '%s' was scheduled from the command line: give this one another name", key->text);
	return false;
}

/* How its programs run is a matter of the study; what else the top of the file says is for its own phases. */
static void begin_phase(const struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	const struct study_phase *top = &d->top.p;

	*t = (struct draft_phase){.node = v->key, .has_metric = true};
	t->p = (struct study_phase){.name = v->key->text,
	                            .scheduled = true,
	                            .search = SEARCH_GIVEN,
	                            .folds = FOLDS_NONE,
	                            .aggregate = top->aggregate,
	                            .report = top->report,
	                            .env = top->env,
	                            .nenv = top->nenv,
	                            .setup = top->setup,
	                            .captures = top->captures,
	                            .ncaptures = top->ncaptures,
	                            .makes_dir = true,
	                            .line = d->njobs};
	draft_default_limits(&t->p.limits);
}

static void read_phase(struct draft *d, struct yaml_node *v)
{
	const struct draft_keys table = {keys, sizeof keys / sizeof *keys};
	struct draft_phase *t = &d->phases[d->nphases];

	d->job_names[d->njobs++] = v->key->text;
	mark(v, DRAFT_JOBS | d->njobs);
	if (!name_is_free(d, v->key))
		return;
	begin_phase(d, t, v);
	d->nphases++;
	t->broken = v->kind != YAML_MAP;
	if (t->broken)
		draft_error(d, v, "it must be a map");
	else
		draft_read_map(d, t, v, "here", &table, 1, NULL);
	if (!t->broken && !t->command)
		draft_error(d, t->node, "it has no command");
}

/* Folds that came with jobs are none of the study file's. */
static void read_phases(struct draft *d, const struct yaml_node *v)
{
	uint32_t in_file = d->nphases;
	bool had_folds = d->s->folds.inner > 0;

	if (v->count + in_file > DRAFT_MAX_PHASES) {
		draft_error(d, v, "more than %d phases, scheduled ones too", DRAFT_MAX_PHASES);
		return;
	}
	d->phases = arena_grow(d->a, d->phases, in_file * sizeof *d->phases,
	                       (in_file + v->count) * sizeof *d->phases);
	d->job_names = arena_array(d->a, v->count, sizeof *d->job_names);
	for (struct yaml_node *x = v->first; x; x = x->next)
		read_phase(d, x);
	for (uint32_t i = 0; i < in_file && !had_folds && d->s->folds.inner; i++)
		if (d->phases[i].p.folds == FOLDS_EACH)
			d->phases[i].p.folds = FOLDS_NONE;
}

void draft_read_jobs(struct draft *d, struct yaml_node *root)
{
	const struct yaml_node *phases = root->first;

	mark(root, DRAFT_JOBS);
	if (root->kind != YAML_MAP || root->count != 1 || strcmp(phases->key->text, "phases") != 0 ||
	    phases->kind != YAML_MAP)
		draft_error(d, root, "the scheduled phases cannot be read: their text is damaged");
	else
		read_phases(d, phases);
}
