/* failures: what went wrong, alike together, each with one unit to look at. */
#include "cmd.h"

#include "text.h"

#include <string.h>

enum { LINE_MAX_BYTES = 160 };

/* Alike are units with the same reason; of `exit` and `signal`, with the same status or signal of their last
 * attempt. What waits for a unit that was pruned did not go wrong, nor did that one. */
static const char sql_failures[] =
    "WITH gone AS (SELECT u.unit, u.state, u.phase, u.cause, CASE u.state WHEN 'failed' THEN u.reason END AS "
    "why,"
    "  (SELECT max(a.attempt) FROM attempts a WHERE a.unit = u.unit AND u.state = 'failed') AS last"
    "  FROM units u WHERE u.state = 'failed' OR (u.state = 'blocked'"
    "   AND NOT EXISTS (SELECT 1 FROM units p WHERE p.unit = u.cause AND p.state = 'pruned'))),"
    " ended AS (SELECT g.*, CASE WHEN g.why = 'exit' THEN a.exit_code END AS exit_code,"
    "  CASE WHEN g.why = 'signal' THEN a.signal END AS signal"
    "  FROM gone g LEFT JOIN attempts a ON a.unit = g.unit AND a.attempt = g.last)"
    " SELECT state, phase, why, count(*), min(unit), min(cause), count(DISTINCT cause), exit_code, signal"
    " FROM ended GROUP BY state, phase, why, exit_code, signal ORDER BY state DESC, min(unit)";

/* The last line it wrote. */
static int last_words(struct cmd_db *d, struct cmd_failure *x, struct fault *f)
{
	struct store_rows *rows;
	const char *p;
	size_t n, end;
	int got = cmd_query(d, &rows, f,
	                    "SELECT tail FROM attempts WHERE unit = %lld AND state = 'failed'"
	                    " ORDER BY attempt DESC LIMIT 1",
	                    (long long)x->unit);

	if (got <= 0)
		return got;
	p = store_blob(rows, 0, &n);
	while (n && strchr(" \t\r\n", p[n - 1]))
		n--;
	for (end = n; n && p[n - 1] != '\n';)
		n--;
	if (end > n)
		x->words =
		    arena_strndup(&d->arena, p + n, end - n > LINE_MAX_BYTES ? LINE_MAX_BYTES : end - n);
	store_rows_close(rows);
	return 0;
}

static struct cmd_failure failure_of(struct cmd_db *d, const struct store_rows *rows)
{
	return (struct cmd_failure){.state = cmd_keep(d, rows, 0),
	                            .phase = cmd_keep(d, rows, 1),
	                            .reason = cmd_keep(d, rows, 2),
	                            .units = store_int(rows, 3),
	                            .unit = store_int(rows, 4),
	                            .cause = store_int(rows, 5),
	                            .causes = store_int(rows, 6),
	                            .exit_code = store_type(rows, 7) == STORE_NULL ? -1 : store_int(rows, 7),
	                            .signal = store_int(rows, 8)};
}

int cmd_failures(struct cmd_db *d, struct cmd_failure **out, uint32_t *n, struct fault *f)
{
	struct store_rows *rows;
	struct cmd_failure *list = NULL;
	uint32_t count = 0, cap = 0;
	int got;

	if (store_select(d->store, sql_failures, NULL, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		if (count == cap) {
			list = arena_grow(&d->arena, list, cap * sizeof *list, (cap * 2 + 8) * sizeof *list);
			cap = cap * 2 + 8;
		}
		list[count++] = failure_of(d, rows);
	}
	store_rows_close(rows);
	for (uint32_t i = 0; i < count && got == 0; i++)
		if (!strcmp(list[i].state, "failed"))
			got = last_words(d, &list[i], f);
	*out = list;
	*n = count;
	return got;
}

static void put_reason(struct cmd_db *d, const struct cmd_failure *x, struct bytes *b)
{
	const char *name = cmd_signal_name(&d->arena, x->signal);

	if (!x->reason)
		return;
	text_putf(b, " (%s", x->reason);
	if (!strcmp(x->reason, "exit") && x->exit_code >= 0)
		text_putf(b, " %lld", (long long)x->exit_code);
	else if (!strcmp(x->reason, "signal") && name)
		text_putf(b, " %s", name);
	else if (!strcmp(x->reason, "signal") && x->signal > 0)
		text_putf(b, " %lld", (long long)x->signal);
	text_put(b, ")");
}

int cmd_put_failures(struct cmd_db *d, struct bytes *b, struct fault *f)
{
	struct cmd_failure *list;
	uint32_t n;
	int64_t unit = 0;

	if (cmd_failures(d, &list, &n, f))
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		const struct cmd_failure *x = &list[i];

		text_putf(b, "%s: %lld unit%s %s", x->phase, (long long)x->units, x->units == 1 ? "" : "s",
		          x->state);
		put_reason(d, x, b);
		if (!strcmp(x->state, "blocked")) {
			if (x->causes > 1)
				text_putf(b, " by %lld others", (long long)x->causes);
			else if (x->causes)
				text_putf(b, " by unit %lld", (long long)x->cause);
		} else {
			text_putf(b, ", such as unit %lld", (long long)x->unit);
			unit = unit ? unit : x->unit;
		}
		if (x->words) {
			text_put(b, ": ");
			report_put_plain(b, x->words);
		}
		text_put(b, "\n");
	}
	if (unit)
		text_putf(b, "look at one: ranksweep show %s %lld\n", d->path, (long long)unit);
	return 0;
}
