/* prune: in a phase. */
#include "study_draft.h"

#include "prune.h"
#include "race.h"
#include "text.h"

#include <math.h>
#include <string.h>

/* ---- numbers ------------------------------------------------------------------------------------- */
static bool read_number(struct draft *d, const struct yaml_node *v, const char *what, double *out)
{
	if (v->kind == YAML_TEXT && text_parse_double(v->text, v->len, out) && isfinite(*out))
		return true;
	draft_error(d, v, "`%s` must be a number", what);
	return false;
}

/* A rule without options may be empty, or `true`. */
static bool plain(const struct yaml_node *v)
{
	return v->kind == YAML_NULL || (v->kind == YAML_TEXT && !strcmp(v->text, "true"));
}

/* The options of a rule; false: told. */
static bool read_options(struct draft *d, struct draft_phase *t, const struct yaml_node *v,
                         const struct draft_key *keys, size_t n, const char *example)
{
	const struct draft_keys table = {keys, n};

	if (plain(v))
		return true;
	if (v->kind != YAML_MAP) {
		draft_error(d, v, "`%s` must be a map of options, as in %s", v->key->text, example);
		return false;
	}
	draft_read_map(d, t, v, arena_printf(d->a, "in `prune: %s`", v->key->text), &table, 1, NULL);
	return true;
}

/* ---- median, percentile -------------------------------------------------------------------------- */
static void read_startup(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	draft_int(d, v, "startup", 0, 1000000000, &t->compare->startup);
}

static void read_warmup(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	draft_int(d, v, "warmup", 0, 1000000000000, &t->compare->warmup);
}

static void read_interval(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	draft_int(d, v, "interval", 1, 1000000000000, &t->compare->interval);
}

static void read_least(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	draft_int(d, v, "min_trials", 1, 1000000000, &t->compare->least);
}

static void read_percent(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	double n;

	if (v->kind == YAML_TEXT && text_parse_double(v->text, v->len, &n) && n >= 0 && n <= 100)
		t->compare->share = n / 100;
	else
		draft_error(d, v,
		            "`percent` must be a number from 0 to 100: so many of the others count as good");
}

static const struct draft_key compare_keys[] = {{"startup", read_startup},
                                                {"warmup", read_warmup},
                                                {"interval", read_interval},
                                                {"min_trials", read_least},
                                                {"percent", read_percent}};
enum { MEDIAN_KEYS = 4, PERCENTILE_KEYS = 5 };

static void read_compare(struct draft *d, struct draft_phase *t, const struct yaml_node *v,
                         enum prune_rule rule, struct prune_compare *c)
{
	bool median = rule == PRUNE_MEDIAN;

	*c = (struct prune_compare){.share = 0.5, .startup = 5, .interval = 1, .least = 1};
	t->compare = c;
	t->prune->rules |= rule;
	read_options(d, t, v, compare_keys, median ? MEDIAN_KEYS : PERCENTILE_KEYS,
	             median ? "{startup: 5}" : "{percent: 25}");
	if (!median && !draft_entry(v, "percent"))
		draft_error(d, v->key,
		            "`percentile` needs `percent`, as in {percent: 25}: the best quarter goes on");
}

static void read_median(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_compare(d, t, v, PRUNE_MEDIAN, &t->prune->median);
}

static void read_percentile(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_compare(d, t, v, PRUNE_PERCENTILE, &t->prune->percentile);
}

/* ---- threshold, patience ------------------------------------------------------------------------- */
static void read_lower(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_number(d, v, "lower", &t->prune->lower);
}

static void read_upper(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_number(d, v, "upper", &t->prune->upper);
}

static void read_threshold_warmup(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	draft_int(d, v, "warmup", 0, 1000000000000, &t->prune->threshold_warmup);
}

static void read_threshold(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	static const struct draft_key keys[] = {
	    {"lower", read_lower}, {"upper", read_upper}, {"warmup", read_threshold_warmup}};

	t->prune->rules |= PRUNE_THRESHOLD;
	if (!read_options(d, t, v, keys, 3, "{upper: 10}"))
		return;
	if (!draft_entry(v, "lower") && !draft_entry(v, "upper"))
		draft_error(d, v->key, "`threshold` needs `lower`, `upper` or both, as in {upper: 10}");
	else if (t->prune->lower >= t->prune->upper)
		draft_error(d, draft_entry(v, "lower"), "`lower` of a threshold must be below its `upper`");
}

static void read_steps(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	draft_int(d, v, "steps", 1, 1000000000000, &t->prune->patience);
}

static void read_min_delta(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	if (read_number(d, v, "min_delta", &t->prune->min_delta) && t->prune->min_delta < 0)
		draft_error(d, v, "`min_delta` must be at least 0");
}

static void read_patience(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	static const struct draft_key keys[] = {{"steps", read_steps}, {"min_delta", read_min_delta}};

	t->prune->rules |= PRUNE_PATIENCE;
	t->prune->patience = 1;
	if (v->kind == YAML_TEXT && strcmp(v->text, "true") != 0) {
		draft_int(d, v, "patience", 1, 1000000000000, &t->prune->patience);
		return;
	}
	if (read_options(d, t, v, keys, 2, "{steps: 10, min_delta: 0.001}") && !draft_entry(v, "steps"))
		draft_error(d, v->key, "`patience` needs `steps`, as in {steps: 10}");
}

/* ---- asha, hyperband ----------------------------------------------------------------------------- */
static void read_resource(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	const char *s = draft_text(d, v, "resource");

	t->prune->resource = s ? s : "";
}

static void read_min(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	draft_int(d, v, "min", 1, 1000000000000, &t->prune->min);
}

static void read_max(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	draft_int(d, v, "max", 1, 1000000000000, &t->prune->max);
}

static void read_eta(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	int64_t n;

	if (draft_int(d, v, "eta", 2, 1000, &n))
		t->prune->eta = (uint32_t)n;
}

static void read_type(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	static const char *const words[] = {"promote", "stop"};

	t->prune->promote = draft_word(d, v, "type", words, 2) != 1;
}

static const struct draft_key rung_keys[] = {{"resource", read_resource},
                                             {"min", read_min},
                                             {"max", read_max},
                                             {"eta", read_eta},
                                             {"type", read_type}};

static void count_rungs(struct draft *d, struct prune *r, const struct yaml_node *v)
{
	if (r->min > r->max) {
		draft_error(d, draft_entry(v, "min"), "`min` is %lld, more than `max`, which is %lld",
		            (long long)r->min, (long long)r->max);
		return;
	}
	for (r->nrungs = 1; prune_budget(r, 0, r->nrungs - 1) < r->max;)
		r->nrungs++;
}

static void read_rungs(struct draft *d, struct draft_phase *t, const struct yaml_node *v,
                       enum prune_rule rule)
{
	struct prune *r = t->prune;
	const struct yaml_node *max = draft_entry(v, "max");

	if (prune_has_rungs(r)) {
		draft_error(d, v->key, "`asha` and `hyperband` both have rungs of their own: choose one");
		return;
	}
	r->rules |= rule;
	r->eta = 3;
	r->promote = true;
	r->resource = "";
	if (!read_options(d, t, v, rung_keys, sizeof rung_keys / sizeof *rung_keys,
	                  "{resource: epochs, min: 1, max: 27, eta: 3}"))
		return;
	if (!max)
		draft_error(d, v->key,
		            "`%s` needs `max`, the most that a trial gets, as in {min: 1, max: 27}",
		            v->key->text);
	if (!max || r->max < 1)
		return;
	if (!draft_entry(v, "min"))
		r->min = r->max >= 27 ? r->max / 27 : 1;
	if (r->min >= 1)
		count_rungs(d, r, v);
}

static void read_asha(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_rungs(d, t, v, PRUNE_ASHA);
}

static void read_hyperband(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_rungs(d, t, v, PRUNE_HYPERBAND);
}

/* ---- race ---------------------------------------------------------------------------------------- */
static void read_best(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	t->prune->has_best = read_number(d, v, "best", &t->prune->best);
}

static void read_race(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	static const struct draft_key keys[] = {{"best", read_best}};

	t->prune->rules |= PRUNE_RACE;
	read_options(d, t, v, keys, 1, "{best: 0}");
}

/* ---- the whole ----------------------------------------------------------------------------------- */
static const struct draft_key rules[] = {{"median", read_median},
                                         {"percentile", read_percentile},
                                         {"threshold", read_threshold},
                                         {"patience", read_patience},
                                         {"asha", read_asha},
                                         {"hyperband", read_hyperband},
                                         {"race", read_race}};

void draft_read_prune(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	static const struct draft_keys table = {rules, sizeof rules / sizeof *rules};

	if (v->kind == YAML_TEXT && !strcmp(v->text, "none"))
		return;
	if (v->kind != YAML_MAP || !v->count) {
		draft_error(d, v, "`prune` must be a map of rules, as in {median: {startup: 5}}, or none");
		return;
	}
	t->prune_node = v;
	t->prune = arena_alloc(d->a, sizeof *t->prune);
	t->prune->lower = -(double)INFINITY;
	t->prune->upper = (double)INFINITY;
	draft_read_map(d, t, v, "in `prune`", &table, 1, NULL);
	t->p.prune = t->prune->rules ? t->prune : NULL;
}

/* A race has one winner, or the best N: nobody may ask for the best of several groups. */
static const char *whose_groups(const struct draft *d, const struct draft_phase *t)
{
	for (uint32_t i = 0; i < d->nphases; i++)
		for (uint32_t k = 0; k < d->phases[i].nafter; k++) {
			const struct draft_after *x = &d->phases[i].after[k];

			if (x->nper && x->to.pick == PICK_BEST && &d->phases[x->to.phase] == t)
				return d->phases[i].p.name;
		}
	return NULL;
}

static void check_race(struct draft *d, struct draft_phase *t)
{
	const struct yaml_node *at = draft_entry(t->prune_node, "race")->key;
	uint32_t folds = t->p.folds == FOLDS_EACH ? d->s->folds.inner : 0;
	const char *groups = whose_groups(d, t);

	if (folds < 2)
		draft_error(d, at,
		            "`race` in phase '%s', whose trials have one unit: it spares folds, as those of "
		            "`folds: 5`",
		            t->p.name);
	else if (folds > RACE_FOLDS_MAX)
		draft_error(d, at, "`race` in phase '%s' with %u folds: it takes at most %d", t->p.name,
		            folds, RACE_FOLDS_MAX);
	if (groups)
		draft_error(d, at,
		            "`race` in phase '%s', of which '%s' picks the best of each group (`per`): all "
		            "trials are in one race",
		            t->p.name, groups);
	if (t->p.judges)
		draft_error(d, at,
		            "`race` in phase '%s', whose best trial is the `metric` of a phase before: all "
		            "trials are in one race",
		            t->p.name);
}

/* What needs the metric, the command and the other phases. */
void draft_check_prune(struct draft *d, struct draft_phase *t)
{
	if (!t->p.prune)
		return;
	if (draft_metric_none(t))
		draft_error(d, t->prune_node,
		            "`prune` in phase '%s', whose metric is none: there is nothing to compare",
		            t->p.name);
	if (t->p.prune->promote && t->command && !t->uses_budget)
		draft_error(d, t->prune_node,
		            "phase '%s' cannot know how far to train: put {budget} into its command, or let "
		            "the program be stopped at the rungs with `type: stop`",
		            t->p.name);
	if (t->p.prune->rules & PRUNE_RACE)
		check_race(d, t);
	if (t->p.prune->promote)
		t->p.makes_dir = true; /* where it goes on from */
}
