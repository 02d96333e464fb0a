/* results: trials of each phase, the best first. */
#include "ranking.h"

#include "text.h"

#include <string.h>

enum { DEFAULT_LIMIT = 10 };

static const char *const aggregate_names[] = {"mean", "median", "min", "max"};

struct results {
	const char *phase, *sort;
	int64_t limit; /* -1: the default */
	bool json;
};

static void put_title(const struct study *s, const struct study_phase *p, uint64_t trials, struct bytes *b)
{
	text_putf(b, "%s: %llu trial%s", p->name, (unsigned long long)trials, trials == 1 ? "" : "s");
	if (p->metric)
		text_putf(b, ", %s %s", p->goal == GOAL_MAXIMIZE ? "maximize" : "minimize", p->metric);
	if (p->metric && ranking_has_folds(s, p))
		text_putf(b, " (%s over %u folds)", aggregate_names[p->aggregate],
		          study_units_per_trial(s, p));
	text_put(b, "\n");
}

static int put_phase(struct cmd_db *d, const struct ranking_ask *q, const struct report_style *style,
                     struct bytes *b, struct fault *f)
{
	struct ranking_table t;
	uint64_t shown, many;

	ranking_table_init(&t, &d->arena, d->study, q->phase);
	if (ranking_add(d, &t, q, &shown, &many, f))
		return -1;
	put_title(d->study, q->phase, many, b);
	if (shown)
		report_put_table(&t.report, style, b);
	if (many > shown)
		text_putf(b, "... %llu more (--limit 0 shows all)\n", (unsigned long long)(many - shown));
	return ranking_outer_estimate(d, q->phase, b, f);
}

static int put_results(struct cmd_db *d, const struct results *o, struct fault *f)
{
	struct report_style style = cmd_style(stdout);
	struct ranking_table all;
	struct bytes b = {0};
	int bad = 0;
	bool first = true;

	ranking_table_init(&all, &d->arena, d->study, NULL);
	for (uint32_t i = 0; i < d->study->nphases && !bad; i++) {
		uint64_t shown, many;
		struct ranking_ask q = {.phase = &d->study->phases[i],
		                        .limit = o->limit >= 0 ? o->limit
		                                 : o->json     ? 0
		                                               : DEFAULT_LIMIT,
		                        .by_trial = o->sort && !strcmp(o->sort, "trial")};

		if (o->phase && strcmp(o->phase, q.phase->name) != 0)
			continue;
		if (o->json) {
			bad = ranking_add(d, &all, &q, &shown, &many, f);
			continue;
		}
		text_put(&b, first ? "" : "\n");
		first = false;
		bad = put_phase(d, &q, &style, &b, f);
		cmd_write(stdout, &b);
	}
	if (!bad && o->json)
		cmd_put_report(&all.report, true, stdout);
	bytes_finish(&b);
	return bad;
}

static int results(const char *word, const struct results *o, struct fault *f)
{
	struct cmd_db d;
	const struct study_phase *p;
	int bad;

	if (cmd_db_open(&d, word, f))
		return -1;
	bad = (o->phase && ranking_find_phase(&d, o->phase, &p, f)) || put_results(&d, o, f) ? -1 : 0;
	cmd_db_close(&d);
	return bad;
}

int cmd_results(int argc, char **argv)
{
	struct results o = {.limit = -1};
	const struct cmd_option options[] = {
	    {"phase", 'p', CMD_TEXT, &o.phase, "P", "only this phase"},
	    {"sort", 's', CMD_TEXT, &o.sort, "metric|trial",
	     "by value, the best first (default), or by number"},
	    {"limit", 'n', CMD_NUMBER, &o.limit, "N", "so many trials of each phase; 0: all (default 10)"},
	    {"json", 0, CMD_FLAG, &o.json, NULL, "one array of trials, all of them, with all digits"},
	    {0},
	};
	const struct cmd_usage usage = {
	    "results", "[DB] [--phase P] [--sort metric|trial] [--limit N] [--json]",
	    "Trials of each phase, the best first: how many folds are done (n), their mean (or what the "
	    "study\n"
	    "aggregates by), sd, min and max, and the parameters, own and inherited. An incomplete trial has "
	    "no\n"
	    "rank and comes last. With nested folds trials are ranked within their outer fold. Tables show "
	    "six\n"
	    "digits, --json all of them.",
	    options,
	    "  ranksweep results digits.db\n"
	    "  ranksweep results digits.db --phase finetune --limit 0\n"
	    "  ranksweep results digits.db --json | jq '.[] | select(.complete) | .value'"};
	struct fault f = {0};
	int rc = cmd_parse(&usage, &argc, argv, &f);

	if (rc == 0 && argc > 1)
		rc = cmd_misuse(&usage, &f, "one database at a time, not also `%s`", argv[1]);
	if (rc == 0 && o.sort && strcmp(o.sort, "metric") != 0 && strcmp(o.sort, "trial") != 0)
		rc = cmd_misuse(&usage, &f, "--sort is metric or trial, not `%s`", o.sort);
	if (rc == 0)
		rc = results(argv[0], &o, &f);
	return rc < 0 ? cmd_print_fault(&f) : 0;
}
