#include "fronts.h"

#include "pareto.h"
#include "text.h"

#include <math.h>

struct reading {
	struct cmd_db *d;
	uint32_t m;
	double *values; /* m of each, to be minimised */
	uint32_t *trials;
	int32_t *outer;
	uint32_t n, cap;
};

static void make_room(struct reading *r)
{
	struct arena *a = &r->d->arena;
	uint32_t cap = r->cap ? 2 * r->cap : 256;

	if (r->n < r->cap)
		return;
	r->values = arena_grow(a, r->values, (size_t)r->n * r->m * sizeof(double),
	                       (size_t)cap * r->m * sizeof(double));
	r->trials = arena_grow(a, r->trials, r->n * sizeof *r->trials, cap * sizeof *r->trials);
	r->outer = arena_grow(a, r->outer, r->n * sizeof *r->outer, cap * sizeof *r->outer);
	r->cap = cap;
}

/* Rows of one trial come one after the other; one of them without a finite number, and it does not count. */
static void take(struct reading *r, const struct study_phase *p, const struct store_rows *rows,
                 uint32_t *filled)
{
	uint32_t trial = (uint32_t)store_int(rows, 0), number = (uint32_t)store_int(rows, 2);
	double value = store_real(rows, 3);

	if (number == 0)
		*filled = 0;
	if (number != *filled || number >= r->m || !isfinite(value))
		return;
	make_room(r);
	r->trials[r->n] = trial;
	r->outer[r->n] = (int32_t)store_int(rows, 1);
	r->values[(size_t)r->n * r->m + number] = objective_minimised(study_objective(p, number), value);
	r->n += ++*filled == r->m;
}

static int read_values(struct reading *r, const struct study_phase *p, struct fault *f)
{
	const char *binds[] = {p->name, NULL};
	struct store_rows *rows;
	uint32_t filled = 0;
	int got;

	if (store_select(r->d->store,
	                 "SELECT o.trial, o.outer_fold, o.number, o.value FROM objectives o JOIN trials t"
	                 " ON t.trial = o.trial WHERE o.phase = ?1 AND t.state = 'done'"
	                 " ORDER BY o.outer_fold, o.trial, o.number",
	                 binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0)
		take(r, p, rows, &filled);
	store_rows_close(rows);
	return got;
}

int fronts_read(struct cmd_db *d, const struct study_phase *p, const char **json, struct fault *f)
{
	struct reading r = {.d = d, .m = 1 + p->nmore};
	struct bytes b = {0};
	uint32_t *front, to;

	*json = NULL;
	if (!p->nmore)
		return 0;
	if (read_values(&r, p, f))
		return -1;
	front = arena_array(&d->arena, r.n, sizeof *front);
	for (uint32_t from = 0; from < r.n; from = to) {
		for (to = from + 1; to < r.n && r.outer[to] == r.outer[from];)
			to++;
		pareto_fronts(r.values + (size_t)from * r.m, to - from, r.m, &d->arena, front + from);
	}
	text_put(&b, "{");
	for (uint32_t i = 0; i < r.n; i++)
		text_putf(&b, "%s\"%u\":%u", i ? "," : "", r.trials[i], front[i]);
	text_put(&b, "}");
	*json = cmd_keep_bytes(&d->arena, &b);
	return 0;
}

static const char *list(struct arena *a, const struct study_phase *p, bool goals)
{
	struct bytes b = {0};

	for (uint32_t i = 0; p->metric && i <= p->nmore; i++) {
		struct objective x = study_objective(p, i);

		text_putf(&b, "%s%s%s%s", i ? ", " : "", goals ? goal_text(x.goal) : "", goals ? " " : "",
		          x.metric);
	}
	return p->metric ? cmd_keep_bytes(a, &b) : "";
}

const char *fronts_goals(struct arena *a, const struct study_phase *p)
{
	return list(a, p, true);
}

const char *fronts_names(struct arena *a, const struct study_phase *p)
{
	return list(a, p, false);
}

void fronts_put_json(struct bytes *b, const struct study_phase *p)
{
	report_key(b, "metrics");
	if (!p->nmore) {
		text_put(b, "null");
		return;
	}
	text_put(b, "{");
	for (uint32_t i = 0; i <= p->nmore; i++) {
		struct objective x = study_objective(p, i);

		cmd_put_string(b, x.metric, goal_text(x.goal));
	}
	text_put(b, "}");
}
