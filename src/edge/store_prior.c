/* Rows of what others have observed, in and out. */
#include "store_private.h"

static int begin(struct query *q, struct store *s, enum store_statement which, const char *phase,
                 struct fault *f)
{
	int64_t id;

	if (store_phase_id(s, phase, &id, f) != 0 || query_init(q, s, which, f) != 0)
		return -1;
	query_put_int(q, id);
	return 0;
}

int store_put_prior(struct store *s, const struct store_prior *p, bool *added, struct fault *f)
{
	struct query q;

	if (begin(&q, s, STORE_SQL_PRIOR_PUT, p->phase, f) != 0)
		return -1;
	query_put_int(&q, p->outer);
	query_put_int(&q, (int64_t)p->key_hi);
	query_put_int(&q, (int64_t)p->key_lo);
	query_put_real(&q, p->value);
	query_put_blob(&q, p->at, p->at_bytes);
	query_put_text(&q, p->params_json);
	query_put_text(&q, p->source);
	query_put_int(&q, p->now_ms);
	if (query_run(&q, f) != 0)
		return -1;
	*added = sqlite3_changes(s->db) > 0;
	return 0;
}

int store_find_prior(struct store *s, const char *phase, uint64_t key_hi, uint64_t key_lo, bool *found,
                     struct fault *f)
{
	struct query q;
	int row;

	if (begin(&q, s, STORE_SQL_PRIOR_FIND, phase, f) != 0)
		return -1;
	query_put_int(&q, (int64_t)key_hi);
	query_put_int(&q, (int64_t)key_lo);
	row = query_row(&q, f);
	*found = row == 1;
	query_end(&q);
	return row < 0 ? -1 : 0;
}

int store_count_priors(struct store *s, const char *phase, uint32_t *n, struct fault *f)
{
	struct query q;

	if (begin(&q, s, STORE_SQL_PRIORS_COUNT, phase, f) != 0 || query_row(&q, f) < 0)
		return -1;
	*n = (uint32_t)sqlite3_column_int64(q.st, 0);
	query_end(&q);
	return 0;
}

int store_drop_priors(struct store *s, const char *phase, uint32_t *dropped, struct fault *f)
{
	struct query q;

	if (begin(&q, s, STORE_SQL_PRIORS_DROP, phase, f) != 0 || query_run(&q, f) != 0)
		return -1;
	*dropped = (uint32_t)sqlite3_changes(s->db);
	return 0;
}

int store_load_priors(struct store *s, int (*each)(void *ctx, const struct store_prior *p, struct fault *f),
                      void *ctx, struct fault *f)
{
	struct query q;
	int row;

	if (query_init(&q, s, STORE_SQL_LOAD_PRIORS, f) != 0)
		return -1;
	while ((row = query_row(&q, f)) == 1) {
		struct store_prior p = {.phase = store_phase_name(s, sqlite3_column_int64(q.st, 0)),
		                        .outer = (int32_t)sqlite3_column_int64(q.st, 1),
		                        .value = store_column_real(q.st, 2),
		                        .at = sqlite3_column_blob(q.st, 3),
		                        .at_bytes = (size_t)sqlite3_column_bytes(q.st, 3)};

		if (p.phase && each(ctx, &p, f) != 0) {
			row = -1;
			break;
		}
	}
	query_end(&q);
	return row;
}
