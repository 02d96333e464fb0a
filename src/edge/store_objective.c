/* Where a phase has several metrics that count: what those after the first came to, of units and of trials.
 */
#include "store_private.h"

#include <inttypes.h>
#include <math.h>

int store_put_objective(struct store *s, const struct store_objective *o, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_OBJECTIVE_PUT, f) != 0)
		return -1;
	query_put_int(&q, o->unit);
	query_put_int(&q, o->number);
	query_put_real(&q, o->value);
	return query_run(&q, f);
}

int store_put_trial_objective(struct store *s, const struct store_trial_objective *o, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_TRIAL_OBJECTIVE_PUT, f) != 0)
		return -1;
	query_put_int(&q, o->trial);
	query_put_int(&q, o->number);
	query_put_text(&q, o->name);
	query_put_text(&q, o->goal);
	query_put_real_or_null(&q, o->value);
	query_put_real_or_null(&q, o->sd);
	return query_run(&q, f);
}

static bool fits(int64_t n)
{
	return n >= 1 && n <= UINT32_MAX;
}

static int load(struct store *s, sqlite3_stmt *st, store_objective_fn *fn, void *ctx, struct fault *f)
{
	int64_t unit = sqlite3_column_int64(st, 0), number = sqlite3_column_int64(st, 1);
	struct store_objective o = {(uint32_t)unit, (uint32_t)number, store_column_real(st, 2)};

	if (!fits(unit) || !fits(number))
		return store_damaged(s, f, "an objective of unit %" PRId64, unit);
	return fn(ctx, &o, f);
}

int store_load_objectives(struct store *s, store_objective_fn *fn, void *ctx, struct fault *f)
{
	struct query q;
	int row;

	if (query_init(&q, s, STORE_SQL_LOAD_OBJECTIVES, f) != 0)
		return -1;
	while ((row = query_row(&q, f)) == 1)
		if (load(s, q.st, fn, ctx, f) != 0) {
			row = -1;
			break;
		}
	query_end(&q);
	return row;
}

int store_last_value(struct store *s, uint32_t unit, const char *metric, bool *found, double *value,
                     struct fault *f)
{
	struct query q;
	int64_t name = 0;
	int row = store_find_name(s, metric, &name, f);

	*found = false;
	*value = (double)NAN;
	if (row != 1)
		return row;
	row = query_first(&q, s, STORE_SQL_LAST_VALUE, unit, name, f);
	if (row < 0)
		return -1;
	*found = row == 1;
	if (*found)
		*value = store_column_real(q.st, 0);
	query_end(&q);
	return 0;
}

int store_seconds_before(struct store *s, uint32_t unit, uint32_t attempt, double *seconds, struct fault *f)
{
	struct query q;
	int row = query_first(&q, s, STORE_SQL_SECONDS_BEFORE, unit, attempt, f);

	if (row < 0)
		return -1;
	*seconds = row == 1 ? sqlite3_column_double(q.st, 0) : 0;
	query_end(&q);
	return 0;
}
