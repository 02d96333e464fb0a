/* The keys of a phase. What needs other phases is only remembered here. */
#include "domain.h"
#include "metric.h"
#include "regex.h"
#include "study_draft.h"
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- keys that may stand at the top too -------------------------------------------------------- */

static bool metric_name_ok(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > METRIC_NAME_MAX || isdigit((unsigned char)s[0]) || s[0] == '-' || s[0] == '+')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("_.-/:@%+,", s[i]))
			return false;
	return true;
}

/* The goals of several metrics are no goal of the one that a phase has instead. */
static void begin_metric(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	if (t->metric_here)
		draft_error(d, v->key, "`metric` and `metrics`: say one of them");
	if (t->metrics)
		t->has_goal = t->goal_here;
	t->metric_here = t->has_metric = true;
	t->metric = v;
	t->metrics = NULL;
	t->p.metric = NULL;
	t->judge = NULL;
	t->p.more = NULL;
	t->p.nmore = 0;
}

static bool check_metric_name(struct draft *d, const struct yaml_node *at, const char *key, const char *s)
{
	if (metric_name_ok(s))
		return true;
	draft_error(d, at,
	            "`%s: %.70s`: a name of at most %d letters, digits and _.-/:@%%+, (first no digit or "
	            "sign)%s",
	            key, s, METRIC_NAME_MAX, !strcmp(key, "metric") ? ", or none, or best(PHASE)" : "");
	return false;
}

static void read_metric(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	const char *s = draft_text(d, v, "metric");
	size_t n;

	begin_metric(d, t, v);
	if (!s || !strcmp(s, "none"))
		return;
	n = strlen(s);
	if (!strncmp(s, "best(", 5) && s[n - 1] == ')') {
		t->judge = arena_strndup(d->a, s + 5, n - 6);
		return;
	}
	if (check_metric_name(d, v, "metric", s))
		t->p.metric = s;
}

static const char *const goals[] = {"minimize", "maximize"};

static void read_metrics(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	struct objective *all;
	uint32_t n = 0;

	begin_metric(d, t, v);
	t->metrics = v;
	t->has_goal = true;
	if (v->kind != YAML_MAP || v->count == 0 || v->count > OBJECTIVES_MAX) {
		draft_error(
		    d, v,
		    "`metrics` must be a map of 1 to %d metrics, as in {valid_error: minimize, seconds: "
		    "minimize}",
		    OBJECTIVES_MAX);
		return;
	}
	all = arena_array(d->a, v->count, sizeof *all);
	for (const struct yaml_node *x = v->first; x; x = x->next) {
		int goal = draft_word(d, x, "goal", goals, 2);

		if (check_metric_name(d, x->key, "metrics", x->key->text) && goal >= 0)
			all[n++] = (struct objective){x->key->text, (enum goal)goal};
	}
	if (n < v->count)
		return;
	t->p.metric = all[0].metric;
	t->p.goal = all[0].goal;
	t->p.more = all + 1;
	t->p.nmore = n - 1;
}

static const char *const aggregates[] = {"mean", "median", "min", "max"};
static const char *const fold_kinds[] = {"each", "outer", "none"};
static const char *const searches[] = {"grid", "random", "sobol", "tpe",     "cmaes",
                                       "gp",   "nsga2",  "auto",  "program", "given"};
enum { SEARCH_WORDS = SEARCH_AUTO + 1 }; /* the first ones, which stand in study files */

const char *goal_text(enum goal g)
{
	return goals[g];
}

const char *aggregate_text(enum aggregate x)
{
	return aggregates[x];
}

const char *folds_text(enum phase_folds x)
{
	return fold_kinds[x];
}

const char *search_text(enum search_kind k)
{
	return searches[k];
}

static void read_goal(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	int i = draft_word(d, v, "goal", goals, 2);

	t->has_goal = t->goal_here = true;
	t->goal = v;
	t->p.goal = i == 1 ? GOAL_MAXIMIZE : GOAL_MINIMIZE;
}

static void read_aggregate(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	int i = draft_word(d, v, "aggregate", aggregates, 4);

	t->p.aggregate = i < 0 ? AGGREGATE_MEAN : (enum aggregate)i;
}

static void read_report(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	static const char *const words[] = {"last", "best"};

	t->report = v;
	t->p.report = draft_word(d, v, "report", words, 2) == 1 ? REPORT_BEST : REPORT_LAST;
}

static void read_setup(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	const char *s = v->kind == YAML_NULL ? "" : draft_text(d, v, "setup");

	if (s)
		t->p.setup = *s ? s : NULL;
}

/* A copy of `old` with name=value added, in place of an earlier value of that name. */
static uint32_t put_pair(struct text_pair *pairs, uint32_t n, const char *name, const char *value)
{
	uint32_t i = 0;

	while (i < n && strcmp(pairs[i].name, name) != 0)
		i++;
	pairs[i] = (struct text_pair){name, value};
	return i == n ? n + 1 : n;
}

static bool env_name_ok(struct draft *d, const struct yaml_node *key)
{
	if (!draft_name_ok(key->text, "")) {
		draft_error(d, key, "'%.64s' is no name of an environment variable", key->text);
		return false;
	}
	if (!strncmp(key->text, "RANKSWEEP_", 10)) {
		draft_error(d, key, "'%.64s': names with RANKSWEEP_ are set by ranksweep itself", key->text);
		return false;
	}
	return true;
}

static void read_env(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	struct text_pair *pairs;
	uint32_t n = t->p.nenv;

	if (v->kind != YAML_MAP || v->count > 1000) {
		draft_error(d, v, "`env` must be a map of at most 1000 names, as in {OMP_PROC_BIND: close}");
		return;
	}
	pairs = arena_grow(d->a, t->p.env, n * sizeof *pairs, (n + v->count) * sizeof *pairs);
	for (const struct yaml_node *x = v->first; x; x = x->next) {
		const char *s = x->kind == YAML_NULL ? "" : draft_text(d, x, x->key->text);

		if (s && env_name_ok(d, x->key))
			n = put_pair(pairs, n, x->key->text, s);
	}
	t->p.env = pairs;
	t->p.nenv = n;
}

static bool pattern_ok(struct draft *d, const struct yaml_node *v)
{
	struct fault f = {0};
	struct regex *r = regex_open(v->text, &f);
	uint32_t groups = r ? regex_groups(r) : 0;

	if (!r)
		draft_error(d, v, "the pattern of '%.64s' is no PCRE2: %s", v->key->text, f.text);
	else if (groups != 1)
		draft_error(d, v,
		            "the pattern of '%.64s' has %u groups: it needs one, around the number, as in "
		            "'loss: (\\S+)'; (?:..) groups without counting",
		            v->key->text, groups);
	regex_close(r);
	return r && groups == 1;
}

static void read_capture(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	struct capture *c;
	uint32_t n = t->p.ncaptures, i;

	if (v->kind != YAML_MAP || v->count > 100) {
		draft_error(d, v, "`capture` must be a map of at most 100 patterns: metric: 'PATTERN'");
		return;
	}
	c = arena_grow(d->a, t->p.captures, n * sizeof *c, (n + v->count) * sizeof *c);
	for (const struct yaml_node *x = v->first; x; x = x->next) {
		if (!metric_name_ok(x->key->text))
			draft_error(d, x->key, "'%.70s' is no name of a metric", x->key->text);
		if (!draft_text(d, x, x->key->text) || !pattern_ok(d, x))
			continue;
		for (i = 0; i < n && strcmp(c[i].metric, x->key->text) != 0; i++)
			;
		c[i] = (struct capture){x->key->text, x->text};
		n = i == n ? n + 1 : n;
	}
	t->p.captures = c;
	t->p.ncaptures = n;
}

static const struct draft_key shared[] = {
    {"metric", read_metric}, {"metrics", read_metrics}, {"goal", read_goal},   {"aggregate", read_aggregate},
    {"report", read_report}, {"env", read_env},         {"setup", read_setup}, {"capture", read_capture}};
const struct draft_keys draft_shared_keys = {shared, sizeof shared / sizeof *shared};

/* ---- params and require ------------------------------------------------------------------------ */

static bool list_param(struct draft *d, const struct yaml_node *v, struct param *p)
{
	const char **texts = arena_array(d->a, v->count + 1, sizeof *texts);
	struct fault f = {0};
	size_t n = 0;

	for (const struct yaml_node *x = v->first; x; x = x->next) {
		if (x->kind != YAML_TEXT && !(x->kind == YAML_NULL && x->len)) {
			draft_error(d, x, "a choice must be a number or a text (write '' for an empty text)");
			return false;
		}
		texts[n++] = x->text;
	}
	if (domain_choices(d->a, texts, n, p, &f)) {
		draft_error(d, v, "%s: %s", v->key->text, f.text);
		return false;
	}
	return true;
}

static bool text_param(struct draft *d, const struct yaml_node *v, struct param *p)
{
	struct fault f = {0};
	size_t at;

	if (domain_parse(d->a, v->text, v->len, p, &at, &f)) {
		fault_context(&f, "%.64s", v->key->text);
		draft_error_at(d, v, at, f.text);
		return false;
	}
	return true;
}

/* A parameter that could not be read keeps its name, so that naming it is no second mistake; text NULL. */
static void read_param(struct draft *d, const struct yaml_node *v, struct param *p)
{
	bool ok = false;

	*p = (struct param){0};
	if (v->kind == YAML_LIST)
		ok = list_param(d, v, p);
	else if (v->kind == YAML_TEXT)
		ok = text_param(d, v, p);
	else
		draft_error(d, v,
		            "%.64s: a parameter is a constant, a list or a domain, as in log(1e-4, 1e-1)",
		            v->key->text);
	if (!ok)
		*p = (struct param){.kind = DOMAIN_CONST};
	p->name = v->key->text;
	p->line = v->key->line;
	p->col = v->key->col;
}

static void read_params(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	uint32_t n = 0;

	if (v->kind == YAML_NULL)
		return;
	if (v->kind != YAML_MAP) {
		draft_error(d, v,
		            "`params` must be a map of names and domains, as in {lr: 'log(1e-4, 1e-1)'}");
		return;
	}
	if (v->count > DRAFT_MAX_PARAMS || d->all_params + v->count > DRAFT_MAX_ALL_PARAMS) {
		draft_error(d, v, "too many parameters: at most %d in a phase and %d in all",
		            DRAFT_MAX_PARAMS, DRAFT_MAX_ALL_PARAMS);
		return;
	}
	d->all_params += v->count;
	t->params_node = v;
	t->params = arena_array(d->a, v->count, sizeof *t->params);
	t->param_nodes = arena_array(d->a, v->count, sizeof *t->param_nodes);
	for (const struct yaml_node *x = v->first; x; x = x->next) {
		read_param(d, x, &t->params[n]);
		t->param_nodes[n++] = x;
	}
	t->nparams = n;
}

static void read_one_require(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	const char *s = draft_text(d, v, "require");
	struct fault f = {0};
	size_t at;
	struct expr *e;

	if (!s)
		return;
	e = expr_parse(d->a, s, v->len, &at, &f);
	if (!e) {
		fault_context(&f, "require");
		draft_error_at(d, v, at, f.text);
		return;
	}
	t->requires[t->nrequires] = e;
	t->require_texts[t->nrequires] = s;
	t->require_nodes[t->nrequires++] = v;
}

static void read_require(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	uint32_t n = v->kind == YAML_LIST ? v->count : 1;

	if (n > 1000) {
		draft_error(d, v, "more than 1000 requirements");
		return;
	}
	t->requires = arena_array(d->a, n, sizeof *t->requires);
	t->require_texts = arena_array(d->a, n, sizeof *t->require_texts);
	t->require_nodes = arena_array(d->a, n, sizeof *t->require_nodes);
	if (v->kind != YAML_LIST)
		read_one_require(d, t, v);
	else
		for (const struct yaml_node *x = v->first; x; x = x->next)
			read_one_require(d, t, x);
}

/* ---- after ------------------------------------------------------------------------------------- */

static void add_after(struct draft *d, struct draft_phase *t, const struct yaml_node *at, const char *name,
                      const struct yaml_node *pick)
{
	struct draft_after *x = &t->after[t->nafter];

	for (uint32_t i = 0; i < t->nafter; i++)
		if (!strcmp(t->after[i].name, name)) {
			draft_error(d, at, "after names '%.64s' twice", name);
			return;
		}
	*x = (struct draft_after){.node = pick ? pick : at, .name = name};
	if (pick && pick->kind != YAML_NULL) {
		x->pick = draft_text(d, pick, "after");
		if (!x->pick)
			return;
	}
	t->nafter++;
}

static void add_after_map(struct draft *d, struct draft_phase *t, const struct yaml_node *map)
{
	for (const struct yaml_node *x = map->first; x; x = x->next)
		if (t->nafter < DRAFT_MAX_PARENTS)
			add_after(d, t, x->key, x->key->text, x);
}

static void read_after(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	t->after = arena_array(d->a, DRAFT_MAX_PARENTS, sizeof *t->after);
	if (v->count > DRAFT_MAX_PARENTS) {
		draft_error(d, v, "after more than %d phases", DRAFT_MAX_PARENTS);
	} else if (v->kind == YAML_TEXT) {
		add_after(d, t, v, v->text, NULL);
	} else if (v->kind == YAML_MAP) {
		add_after_map(d, t, v);
	} else if (v->kind == YAML_LIST) {
		for (const struct yaml_node *x = v->first; x; x = x->next) {
			if (x->kind == YAML_MAP)
				add_after_map(d, t, x);
			else if (draft_text(d, x, "after") && t->nafter < DRAFT_MAX_PARENTS)
				add_after(d, t, x, x->text, NULL);
		}
	} else {
		draft_error(d, v, "`after` must name a phase, as in `after: pretrain` or {finetune: best}");
	}
}

/* ---- the rest ---------------------------------------------------------------------------------- */

static void read_command(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	(void)d;
	t->command = v;
}

static void read_enqueue(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	if (v->kind == YAML_LIST)
		t->enqueue = v;
	else
		draft_error(d, v, "`enqueue` must be a list of assignments, as in [{lr: 0.1, hidden: 64}]");
}

static void read_folds(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	int i = draft_word(d, v, "folds", fold_kinds, 3);

	t->folds = v;
	t->p.folds = i < 0 ? FOLDS_EACH : (enum phase_folds)i;
}

enum { ANSWER_MS = 60000, MAX_ANSWER_MS = 7 * 24 * 3600 * 1000 };

static void read_program(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	t->p.program = draft_program(d, v, &t->p.program_text);
}

static void read_answer_time(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	int64_t ms;

	if (!draft_duration(d, v, "timeout", &ms))
		return;
	if (ms < 1 || ms > MAX_ANSWER_MS)
		draft_error(d, v,
		            "`timeout: %.64s`: how long the program may take to answer: above 0, at "
		            "most 7d",
		            v->text);
	else
		t->p.answer_ms = ms;
}

static const struct draft_key program_keys[] = {{"program", read_program}, {"timeout", read_answer_time}};

static const char *no_program_key(const char *key)
{
	for (size_t i = 0; i < SEARCH_WORDS; i++)
		if (!strcmp(searches[i], key))
			return "a search has no options: its name alone, as in `search: tpe`";
	return NULL;
}

static void read_search_program(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	static const struct draft_keys keys = {program_keys, sizeof program_keys / sizeof *program_keys};

	t->search = v;
	t->p.search = SEARCH_PROGRAM;
	t->p.answer_ms = ANSWER_MS;
	draft_read_map(d, t, v, "in `search`", &keys, 1, no_program_key);
	if (!draft_entry(v, "program"))
		draft_error(d, v,
		            "`search` as a map names a program, as in `search: {program: ./my_sampler}`");
}

static void read_search(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	int i;

	if (v->kind == YAML_MAP) {
		read_search_program(d, t, v);
		return;
	}
	i = draft_word(d, v, "search", searches, SEARCH_WORDS);
	if (i < 0)
		return;
	t->search = v;
	t->p.search = (enum search_kind)i;
	t->p.search_auto = i == SEARCH_AUTO;
}

static void read_trials(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	const char *s = v->kind == YAML_TEXT ? v->text : "";
	size_t n = strcspn(s, " ");
	bool total = n < strlen(s) && !strcmp(s + n + strspn(s + n, " "), "total");
	int64_t count;

	t->trials = v;
	if (text_parse_int(s, n, &count) && count >= 1 && count <= 1000000000 && (total || !s[n])) {
		t->p.trials = count;
		t->p.trials_total = total;
		return;
	}
	t->p.trials = 1;
	draft_error(d, v, "`trials: %.64s`: it must be a number of at least 1, or `N total`", s);
}

static const struct draft_key own[] = {
    {"command", read_command}, {"after", read_after},     {"params", read_params},
    {"require", read_require}, {"search", read_search},   {"trials", read_trials},
    {"folds", read_folds},     {"enqueue", read_enqueue}, {"prune", draft_read_prune}};

static const char *later_key(const char *key)
{
	if (!strcmp(key, "reproducible"))
		return "it holds for the whole study and stands at the top";
	return NULL;
}

static void read_phase(struct draft *d, const struct yaml_node *v)
{
	struct draft_keys tables[] = {{own, sizeof own / sizeof *own}, draft_shared_keys, draft_limit_keys};
	struct draft_phase *t = &d->phases[d->nphases];

	if (!draft_name_ok(v->key->text, "-")) {
		draft_error(d, v->key, "'%.70s': a phase is named with at most 64 letters, digits, _ and -",
		            v->key->text);
		return;
	}
	*t = d->top;
	t->metric_here = t->goal_here = false;
	t->node = v->key;
	t->p.name = v->key->text;
	t->p.line = v->key->line;
	t->p.col = v->key->col;
	d->nphases++;
	if (v->kind != YAML_MAP) {
		draft_error(d, v, "phase '%s' must be a map with a `command`", t->p.name);
		t->broken = true;
		return;
	}
	draft_read_map(d, t, v, arena_printf(d->a, "in phase '%s'", t->p.name), tables, 3, later_key);
	if (!t->command)
		draft_error(d, t->node, "phase '%s' has no `command`", t->p.name);
}

void draft_read_phases(struct draft *d)
{
	const struct yaml_node *v = d->phases_node;

	if (v->kind != YAML_MAP || v->count == 0) {
		draft_error(d, v, "`phases` must be a map of at least one phase");
		return;
	}
	if (v->count > DRAFT_MAX_PHASES) {
		draft_error(d, v, "more than %d phases", DRAFT_MAX_PHASES);
		return;
	}
	d->phases = arena_array(d->a, v->count, sizeof *d->phases);
	for (const struct yaml_node *x = v->first; x; x = x->next)
		read_phase(d, x);
}

static bool reserved_word(const char *name)
{
	static const char *const words[] = {
	    "study",      "phase",       "trial",  "unit", "attempt", "seed",   "fold", "folds",
	    "outer_fold", "outer_folds", "budget", "dir",  "dirs",    "params", "args", "value",
	    "best_step",  "state",       "reason", "and",  "or",      "not",    "in",   "if"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i], name))
			return true;
	return false;
}

const char *study_param_name_wrong(struct arena *a, const char *name)
{
	if (!draft_name_ok(name, "-."))
		return arena_printf(
		    a,
		    "'%.70s': a parameter is named with at most 64 letters, digits, _ . and -, "
		    "first a letter",
		    name);
	if (reserved_word(name))
		return arena_printf(a, "a parameter can't be named '%s': the word has a meaning of its own",
		                    name);
	return NULL;
}

static void check_param_name(struct draft *d, const struct yaml_node *key)
{
	const char *name = key->text, *dot = strchr(name, '.'), *wrong = study_param_name_wrong(d->a, name);
	int q;

	if (wrong)
		draft_error(d, key, "%s", wrong);
	if (!dot)
		return;
	q = draft_find_phase(d, arena_strndup(d->a, name, (size_t)(dot - name)));
	if (q >= 0)
		draft_error(d, key, "'%.64s' reads like parameter '%.64s' of phase '%s': rename one", name,
		            dot + 1, d->phases[q].p.name);
}

void draft_check_param_names(struct draft *d)
{
	for (uint32_t i = 0; i < d->nphases; i++)
		for (uint32_t k = 0; k < d->phases[i].nparams; k++)
			check_param_name(d, d->phases[i].param_nodes[k]->key);
}
