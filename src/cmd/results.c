/* results: trials of each phase, the best first; what they have in common by some parameters; or which of
 * these matter. */
#include "fronts.h"
#include "grouping.h"
#include "outer.h"
#include "ranking.h"
#include "shares.h"
#include "text.h"

#include <string.h>

enum { DEFAULT_LIMIT = 10 };

struct results {
	const char *phase_name, *sort, *group;
	int64_t limit; /* -1: the default */
	bool json, csv, importance;
	/* once the database is open */
	const struct study_phase *phase; /* NULL: all */
	struct grouping groups;
};

static bool wanted(const struct cmd_db *d, const struct results *o, const struct study_phase *p)
{
	return (!o->phase || o->phase == p) && (!o->group || grouping_fits(&o->groups, d, p));
}

/* A phase without the parameter to sort by is sorted as always. */
static struct ranking_ask ask(const struct cmd_db *d, const struct results *o, const struct study_phase *p)
{
	bool all = o->json || o->csv, by_trial = o->sort && !strcmp(o->sort, "trial");

	return (struct ranking_ask){.phase = p,
	                            .whole_front = o->limit < 0,
	                            .limit = o->limit >= 0 ? o->limit
	                                     : all         ? 0
	                                                   : DEFAULT_LIMIT,

	                            .sort =
	                                !o->sort || by_trial ? o->sort : ranking_param(d->study, p, o->sort)};
}

/* ---- as tables ------------------------------------------------------------------------------- */
static int put_title(struct cmd_db *d, const struct study_phase *p, uint64_t trials, bool by_first,
                     struct bytes *b, struct fault *f)
{
	int64_t priors;

	if (cmd_count_priors(d, p->name, &priors, f))
		return -1;
	text_putf(b, "%s: %llu trial%s", p->name, (unsigned long long)trials, trials == 1 ? "" : "s");
	if (p->metric)
		text_putf(b, ", %s", fronts_goals(&d->arena, p));
	if (p->nmore)
		text_put(b, by_first ? ", by the first" : ", rank 1: the Pareto front");
	if (p->metric && ranking_has_folds(d->study, p))
		text_putf(b, " (%s over %u folds)", aggregate_text(p->aggregate),
		          study_units_per_trial(d->study, p));
	text_put(b, "\n");
	if (priors)
		text_putf(b, "%lld prior observation%s imported\n", (long long)priors,
		          priors == 1 ? "" : "s");
	return 0;
}

/* What `prune: race` was good for. */
struct racing {
	int64_t units, saved, cut_short, trials;
};

static bool races(const struct study_phase *p)
{
	return p->prune && p->prune->rules & PRUNE_RACE;
}

static int read_racing(struct cmd_db *d, const struct study_phase *p, struct racing *out, struct fault *f)
{
	const char *binds[] = {p->name, NULL};
	struct store_rows *rows;
	int got;

	if (store_select(d->store,
	                 "SELECT count(*), sum(raced AND attempts = 0), sum(raced AND attempts > 0),"
	                 " count(DISTINCT CASE WHEN raced THEN trial END) FROM (SELECT trial, attempts,"
	                 " state = 'pruned' AND reason = 'race' AS raced FROM units WHERE phase = ?1)",
	                 binds, &rows, f))
		return -1;
	*out = (struct racing){0};
	got = store_next(rows, f);
	if (got > 0)
		*out = (struct racing){store_int(rows, 0), store_int(rows, 1), store_int(rows, 2),
		                       store_int(rows, 3)};
	store_rows_close(rows);
	return got < 0 ? -1 : 0;
}

static int put_racing(struct cmd_db *d, const struct study_phase *p, struct bytes *b, struct fault *f)
{
	struct racing x;

	if (!races(p))
		return 0;
	if (read_racing(d, p, &x, f))
		return -1;
	text_putf(b, "racing saved %lld of %lld units", (long long)x.saved, (long long)x.units);
	if (x.cut_short)
		text_putf(b, ", cut short %lld", (long long)x.cut_short);
	text_putf(b, " (%lld trial%s stopped early)\n", (long long)x.trials, x.trials == 1 ? "" : "s");
	return 0;
}

static int put_trials(struct cmd_db *d, const struct results *o, const struct study_phase *p,
                      const struct report_style *style, struct bytes *b, struct fault *f)
{
	struct ranking_ask q = ask(d, o, p);
	struct ranking_table t;
	uint64_t shown, many;

	ranking_table_init(&t, &d->arena, RANKING_TABLE, d->study, p);
	if (ranking_add(d, &t, &q, &shown, &many, f) || put_title(d, p, many, false, b, f))
		return -1;
	if (shown)
		report_put_table(&t.report, style, b);
	if (many > shown)
		text_putf(b, "... %llu more (--limit 0 shows all)\n", (unsigned long long)(many - shown));
	if (t.report.dropped)
		text_putf(b, "(no room for %u more parameters: a wider terminal, --csv or --json has them)\n",
		          t.report.dropped);
	return put_racing(d, p, b, f);
}

static int count_trials(struct cmd_db *d, const struct study_phase *p, int64_t *many, int64_t *ranked,
                        struct fault *f)
{
	const char *binds[] = {p->name, NULL};
	struct store_rows *rows;
	int got;

	if (store_select(d->store,
	                 "SELECT count(*), ifnull(sum(" RANKING_IS_FINITE
	                 "), 0) FROM trials WHERE phase = ?1",
	                 binds, &rows, f))
		return -1;
	got = store_next(rows, f);
	*many = got > 0 ? store_int(rows, 0) : 0;
	*ranked = got > 0 ? store_int(rows, 1) : 0;
	store_rows_close(rows);
	return got < 0 ? -1 : 0;
}

static int put_groups(struct cmd_db *d, const struct results *o, const struct study_phase *p,
                      const struct report_style *style, struct bytes *b, struct fault *f)
{
	struct grouping g = o->groups;
	int64_t many, ranked;

	grouping_init(&g, d, RANKING_TABLE, p);
	if (count_trials(d, p, &many, &ranked, f) || grouping_add(&g, d, p, f) ||
	    put_title(d, p, (uint64_t)many, true, b, f))
		return -1;
	if (g.report.nrows)
		report_put_table(&g.report, style, b);
	return 0;
}

static int put_shares(struct cmd_db *d, const struct study_phase *p, const struct report_style *style,
                      struct bytes *b, struct fault *f)
{
	struct shares s;
	int64_t many, ranked;
	const char *note;

	shares_init(&s, d);
	if (count_trials(d, p, &many, &ranked, f) || shares_add(&s, d, p, f) ||
	    put_title(d, p, (uint64_t)many, true, b, f))
		return -1;
	if (s.report.nrows)
		report_put_table(&s.report, style, b);
	note = shares_note(&s, d, p);
	if (note)
		text_putf(b, "(%s)\n", note);
	return 0;
}

static int put_phase(struct cmd_db *d, const struct results *o, const struct study_phase *p, struct bytes *b,
                     struct fault *f)
{
	struct report_style style = cmd_style(stdout);
	struct outer_estimate e;

	if (o->group)
		return put_groups(d, o, p, &style, b, f);
	if (o->importance)
		return put_shares(d, p, &style, b, f);
	if (put_trials(d, o, p, &style, b, f) || outer_read(d, p, &e, f))
		return -1;
	if (e.nparts) {
		text_put(b, "\n");
		outer_put_table(d, &e, 1, &style, b);
	}
	return 0;
}

static int put_tables(struct cmd_db *d, const struct results *o, struct fault *f)
{
	struct bytes b = {0};
	bool first = true;
	int bad = 0;

	for (uint32_t i = 0; i < d->study->nphases && !bad; i++) {
		if (!wanted(d, o, &d->study->phases[i]))
			continue;
		text_put(&b, first ? "" : "\n");
		first = false;
		bad = put_phase(d, o, &d->study->phases[i], &b, f);
		cmd_write(stdout, &b);
	}
	bytes_finish(&b);
	return bad;
}

/* ---- as JSON, as CSV ------------------------------------------------------------------------- */
static int put_racing_json(struct cmd_db *d, const struct study_phase *p, struct bytes *b, struct fault *f)
{
	struct racing x;

	report_key(b, "racing");
	if (!races(p)) {
		text_put(b, "null");
		return 0;
	}
	if (read_racing(d, p, &x, f))
		return -1;
	text_put(b, "{");
	cmd_put_int(b, "saved", x.saved);
	cmd_put_int(b, "cut_short", x.cut_short);
	cmd_put_int(b, "units", x.units);
	cmd_put_int(b, "trials", x.trials);
	text_put(b, "}");
	return 0;
}

static int put_phase_json(struct cmd_db *d, const struct study_phase *p, struct bytes *b, struct fault *f)
{
	int64_t many, ranked, priors;

	if (count_trials(d, p, &many, &ranked, f) || cmd_count_priors(d, p->name, &priors, f))
		return -1;
	text_put(b, "{");
	cmd_put_string(b, "phase", p->name);
	cmd_put_string(b, "metric", p->metric);
	cmd_put_string(b, "goal", p->metric ? goal_text(p->goal) : NULL);
	fronts_put_json(b, p);
	cmd_put_string(b, "aggregate", p->metric ? aggregate_text(p->aggregate) : NULL);
	cmd_put_string(b, "folds", folds_text(p->folds));
	cmd_put_int(b, "units_per_trial", study_units_per_trial(d->study, p));
	cmd_put_int(b, "trials", many);
	cmd_put_int(b, "ranked", p->metric ? ranked : 0);
	cmd_put_int(b, "priors", priors);
	if (put_racing_json(d, p, b, f))
		return -1;
	text_put(b, "}");
	return 0;
}

static int put_phases_json(struct cmd_db *d, const struct results *o, struct bytes *b, struct fault *f)
{
	bool first = true;

	report_key(b, "phases");
	text_put(b, "[");
	for (uint32_t i = 0; i < d->study->nphases; i++) {
		if (!wanted(d, o, &d->study->phases[i]))
			continue;
		text_put(b, first ? "\n" : ",\n");
		first = false;
		if (put_phase_json(d, &d->study->phases[i], b, f))
			return -1;
	}
	text_put(b, "\n]");
	return 0;
}

/* All rows of all phases that are wanted: trials, groups or shares of parameters. */
struct collection {
	struct ranking_table table;
	struct grouping groups;
	struct shares shares;
	struct report *report; /* of one of them */
	const char *key;
};

static void begin_collection(struct cmd_db *d, const struct results *o, enum ranking_kind kind,
                             struct collection *c)
{
	if (o->group) {
		c->groups = o->groups;
		grouping_init(&c->groups, d, kind, NULL);
		c->report = &c->groups.report;
	} else if (o->importance) {
		shares_init(&c->shares, d);
		c->report = &c->shares.report;
	} else {
		ranking_table_init(&c->table, &d->arena, kind, d->study, o->phase);
		c->report = &c->table.report;
	}
	c->key = o->group ? "groups" : o->importance ? "importance" : "trials";
}

static int collect_phase(struct cmd_db *d, const struct results *o, const struct study_phase *p,
                         struct collection *c, struct fault *f)
{
	struct ranking_ask q = ask(d, o, p);
	uint64_t shown, many;

	if (o->group)
		return grouping_add(&c->groups, d, p, f);
	if (o->importance)
		return shares_add(&c->shares, d, p, f);
	return ranking_add(d, &c->table, &q, &shown, &many, f);
}

static int collect(struct cmd_db *d, const struct results *o, enum ranking_kind kind, struct collection *c,
                   struct fault *f)
{
	int bad = 0;

	begin_collection(d, o, kind, c);
	for (uint32_t i = 0; i < d->study->nphases && !bad; i++)
		if (wanted(d, o, &d->study->phases[i]))
			bad = collect_phase(d, o, &d->study->phases[i], c, f);
	return bad;
}

static int put_estimates(struct cmd_db *d, const struct results *o, struct bytes *b, struct fault *f)
{
	struct outer_estimate e;
	bool any = false;

	report_key(b, "outer");
	text_put(b, "[");
	for (uint32_t i = 0; i < d->study->nphases; i++) {
		if (!wanted(d, o, &d->study->phases[i]))
			continue;
		if (outer_read(d, &d->study->phases[i], &e, f))
			return -1;
		if (!e.nparts)
			continue;
		text_put(b, any ? ",\n" : "\n");
		any = true;
		outer_put_json(&e, b);
	}
	text_put(b, any ? "\n]" : "]");
	return 0;
}

static int put_json(struct cmd_db *d, const struct results *o, struct fault *f)
{
	struct collection c;
	struct bytes b = {0};
	int bad;

	text_put(&b, "{");
	cmd_put_string(&b, "study", d->study->name);
	cmd_put_string(&b, "database", d->path);
	bad = put_phases_json(d, o, &b, f) || collect(d, o, RANKING_JSON, &c, f);
	if (!bad) {
		report_key(&b, c.key);
		report_put_json(c.report, &b);
		report_finish_json(c.report, &b);
		bad = o->importance ? 0 : put_estimates(d, o, &b, f);
	}
	text_put(&b, "}\n");
	if (!bad)
		cmd_write(stdout, &b);
	bytes_finish(&b);
	return bad ? -1 : 0;
}

static int put_csv(struct cmd_db *d, const struct results *o, struct fault *f)
{
	struct collection c;
	struct bytes b = {0};

	if (collect(d, o, RANKING_CSV, &c, f))
		return -1;
	report_put_csv(c.report, &b);
	cmd_write(stdout, &b);
	bytes_finish(&b);
	return 0;
}

/* ---- the verb -------------------------------------------------------------------------------- */
static int check_words(struct cmd_db *d, struct results *o, struct fault *f)
{
	struct grouping by;

	if (o->phase_name && ranking_find_phase(d, o->phase_name, &o->phase, f))
		return -1;
	if (o->sort && !strcmp(o->sort, "metric"))
		o->sort = NULL;
	if (o->sort && strcmp(o->sort, "trial") != 0 && grouping_parse(&by, d, o->phase, o->sort, f))
		return -1;
	if (o->sort && strchr(o->sort, ','))
		return fault_set(f, FAULT_USAGE, "--sort takes one parameter, not `%s`", o->sort);
	return o->group ? grouping_parse(&o->groups, d, o->phase, o->group, f) : 0;
}

static int results(const char *word, struct results *o, struct fault *f)
{
	struct cmd_db d;
	int bad;

	if (cmd_db_open(&d, word, f))
		return -1;
	bad = check_words(&d, o, f);
	if (!bad)
		bad = o->json ? put_json(&d, o, f) : o->csv ? put_csv(&d, o, f) : put_tables(&d, o, f);
	cmd_db_close(&d);
	return bad ? -1 : 0;
}

int cmd_results(int argc, char **argv)
{
	struct results o = {.limit = -1};
	const struct cmd_option options[] = {
	    {"phase", 'p', CMD_TEXT, &o.phase_name, "P", "only this phase"},
	    {"sort", 's', CMD_TEXT, &o.sort, "KEY",
	     "metric: the best first (default); trial: by number; else by that parameter"},
	    {"group", 'g', CMD_TEXT, &o.group, "NAME,..",
	     "not trials, but how those with the same value of these parameters did"},
	    {"importance", 'i', CMD_FLAG, &o.importance, NULL,
	     "not trials, but which parameters make the best of them better"},
	    {"limit", 'n', CMD_NUMBER, &o.limit, "N", "so many trials of each phase; 0: all (default 10)"},
	    {"json", 0, CMD_FLAG, &o.json, NULL,
	     "one object: phases, all trials, estimates over outer folds"},
	    {"csv", 0, CMD_FLAG, &o.csv, NULL, "all trials, a line each, with a column for each parameter"},
	    {0},
	};
	const struct cmd_usage usage = {
	    "results",
	    "[DB] [--phase P] [--sort KEY] [--group NAME,..|--importance] [--limit N] [--json|--csv]",
	    "Trials of each phase, the best first: how many folds are done (n), their mean (or what the "
	    "study\n"
	    "aggregates by), sd, min and max, and the parameters, own and inherited. An incomplete trial has "
	    "no\n"
	    "rank and comes last. With nested folds trials are ranked within their outer fold, and a phase "
	    "that\n"
	    "runs once for each outer fold gives an estimate over them, beside that of the picked trials' "
	    "inner\n"
	    "folds. Tables show six digits, --json and --csv all of them.\n\n"
	    "--importance compares, for each parameter, the values of the best tenth of the complete trials "
	    "with\n"
	    "those of all (PED-ANOVA); the shares sum to 1. Outer folds count together, by places within "
	    "each.",
	    options,
	    "  ranksweep results digits.db\n"
	    "  ranksweep results digits.db --phase finetune --limit 0\n"
	    "  ranksweep results digits.db --phase finetune --group hidden\n"
	    "  ranksweep results digits.db --importance\n"
	    "  ranksweep results digits.db --json | jq '.trials[] | select(.complete) | .value'"};
	struct fault f = {0};
	int rc = cmd_parse(&usage, &argc, argv, &f);

	if (rc == 0 && argc > 1)
		rc = cmd_misuse(&usage, &f, "one database at a time, not also `%s`", argv[1]);
	if (rc == 0 && o.json && o.csv)
		rc = cmd_misuse(&usage, &f, "--json or --csv, not both");
	if (rc == 0 && o.importance && (o.group || o.sort || o.limit >= 0))
		rc = cmd_misuse(&usage, &f, "--importance goes with --phase, --json and --csv only");
	if (rc == 0)
		rc = results(argv[0], &o, &f);
	return rc < 0 ? cmd_print_fault(&f) : 0;
}
