#include "outer.h"

#include "text.h"

/* ---- reading --------------------------------------------------------------------------------- */
static int read_part(struct cmd_db *d, struct outer_part *part, const char *sql, struct fault *f)
{
	const char *binds[] = {part->phase->name, part->for_phase ? part->for_phase->name : NULL, NULL};
	uint32_t most = d->study->folds.outer;
	double *values = arena_array(&d->arena, most, sizeof *values);
	struct store_rows *rows;
	size_t n = 0;
	int got;

	part->folds = arena_array(&d->arena, most, sizeof *part->folds);
	part->trials = 1;
	if (store_select(d->store, sql, binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		if (n == most)
			continue;
		part->folds[n] =
		    (struct outer_fold){store_int(rows, 0), store_int(rows, 2), store_real(rows, 1)};
		part->trials = part->folds[n].trials > part->trials ? part->folds[n].trials : part->trials;
		values[n] = part->folds[n].value;
		n++;
	}
	store_rows_close(rows);
	part->over = stats_of(values, n);
	return got;
}

static int read_outer(struct cmd_db *d, struct outer_part *part, struct fault *f)
{
	int number = study_find_objective(part->phase, part->metric);

	if (number > 0)
		return read_part(d, part,
		                 arena_printf(&d->arena,
		                              "SELECT o.outer_fold, avg(o.value), count(*) FROM objectives o"
		                              " JOIN trials t ON t.trial = o.trial WHERE o.phase = ?1"
		                              " AND o.number = %d AND o.outer_fold >= 0 AND t.state = 'done'"
		                              " GROUP BY o.outer_fold ORDER BY o.outer_fold",
		                              number),
		                 f);
	return read_part(d, part,
	                 "SELECT outer_fold, avg(value), count(*) FROM trials WHERE phase = ?1"
	                 " AND outer_fold >= 0 AND state = 'done' GROUP BY outer_fold ORDER BY outer_fold",
	                 f);
}

static int read_inner(struct cmd_db *d, struct outer_part *part, struct fault *f)
{
	return read_part(
	    d, part,
	    "SELECT outer_fold, avg(value), count(*) FROM (SELECT DISTINCT outer_fold, trial, value"
	    "  FROM picks WHERE phase = ?1 AND for_phase = ?2 AND outer_fold >= 0)"
	    " GROUP BY outer_fold ORDER BY outer_fold",
	    f);
}

/* The picks that what runs in this phase goes back to, the nearest first. */
static uint32_t find_picks(struct cmd_db *d, const struct study_phase *p, struct outer_part *parts)
{
	const struct study *s = d->study;
	uint32_t n = 0;

	for (uint32_t i = p->index + 1; i-- > 0;) {
		const struct study_phase *child = &s->phases[i];

		if (child != p && !p->ancestor[i])
			continue;
		for (uint32_t k = 0; k < child->nafter; k++) {
			const struct study_phase *from = &s->phases[child->after[k].phase];

			if (child->after[k].pick != PICK_BEST || !from->metric || from->folds != FOLDS_EACH)
				continue;
			if (parts)
				parts[n] = (struct outer_part){
				    .phase = from,
				    .for_phase = child,
				    .metric = study_objective(from, child->after[k].objective).metric};
			n++;
		}
	}
	return n;
}

int outer_read(struct cmd_db *d, const struct study_phase *p, struct outer_estimate *out, struct fault *f)
{
	uint32_t n;
	bool any = false;

	*out = (struct outer_estimate){.phase = p, .outer_folds = d->study->folds.outer};
	if (p->folds != FOLDS_OUTER || !p->metric || !out->outer_folds)
		return 0;
	n = 1 + find_picks(d, p, NULL);
	out->parts = arena_array(&d->arena, n, sizeof *out->parts);
	out->parts[0].phase = p;
	find_picks(d, p, out->parts + 1);
	out->parts[0].metric = p->metric;
	if (n > 1 && study_find_objective(p, out->parts[1].metric) > 0)
		out->parts[0].metric = out->parts[1].metric; /* so that the two compare */
	for (uint32_t i = 0; i < n; i++) {
		struct outer_part *part = &out->parts[i];

		if (part->for_phase ? read_inner(d, part, f) : read_outer(d, part, f))
			return -1;
		any = any || part->over.n;
	}
	out->nparts = any ? n : 0;
	return 0;
}

/* ---- as a table ------------------------------------------------------------------------------ */
static const char *part_title(struct cmd_db *d, const struct outer_part *part)
{
	const char *several =
	    part->trials > 1 ? arena_printf(&d->arena, ", each the mean of %lld", (long long)part->trials)
	                     : "";

	if (!part->for_phase)
		return arena_printf(&d->arena, "outer: %s%s", part->phase->name, several);
	return arena_printf(&d->arena, "inner: %s picked for %s%s", part->phase->name, part->for_phase->name,
	                    several);
}

static void add_part(struct cmd_db *d, const struct outer_estimate *e, const struct outer_part *part,
                     struct report *r)
{
	report_row(r);
	report_text(r, 0, part_title(d, part));
	report_text(r, 1, part->metric);
	if (part->over.n) {
		report_real(r, 2, part->over.mean);
		report_real(r, 5, part->over.min);
		report_real(r, 6, part->over.max);
	}
	if (part->over.n > 1)
		report_real(r, 3, part->over.sd);
	if (part->over.n == e->outer_folds)
		report_int(r, 4, (int64_t)part->over.n);
	else
		report_text(r, 4, arena_printf(&d->arena, "%zu/%u incomplete", part->over.n, e->outer_folds));
}

void outer_put_table(struct cmd_db *d, const struct outer_estimate *e, uint32_t n,
                     const struct report_style *style, struct bytes *out)
{
	struct report r;

	report_init(&r, &d->arena);
	report_column(&r, "part", "over the outer folds", REPORT_SHRINK);
	report_column(&r, "metric", NULL, 0);
	report_column(&r, "mean", NULL, REPORT_RIGHT);
	report_column(&r, "sd", NULL, REPORT_RIGHT);
	report_column(&r, "n", NULL, REPORT_RIGHT);
	report_column(&r, "min", NULL, REPORT_RIGHT);
	report_column(&r, "max", NULL, REPORT_RIGHT);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < e[i].nparts; k++)
			add_part(d, &e[i], &e[i].parts[k], &r);
	if (r.nrows)
		report_put_table(&r, style, out);
}

/* ---- as JSON --------------------------------------------------------------------------------- */
static void put_members(const struct outer_estimate *e, const struct outer_part *part, struct bytes *out)
{
	cmd_put_string(out, "phase", part->phase->name);
	if (part->for_phase)
		cmd_put_string(out, "for_phase", part->for_phase->name);
	cmd_put_string(out, "metric", part->metric);
	cmd_put_int(out, "n", (int64_t)part->over.n);
	cmd_put_int(out, "outer_folds", e->outer_folds);
	cmd_put_flag(out, "complete", part->over.n == e->outer_folds);
	cmd_put_real(out, "mean", part->over.mean);
	cmd_put_real(out, "sd", part->over.sd);
	cmd_put_real(out, "min", part->over.min);
	cmd_put_real(out, "max", part->over.max);
	report_key(out, "folds");
	text_put(out, "[");
	for (size_t i = 0; i < part->over.n; i++) {
		text_put(out, i ? ", {" : "{");
		cmd_put_int(out, "outer_fold", part->folds[i].fold);
		cmd_put_real(out, "value", part->folds[i].value);
		cmd_put_int(out, "trials", part->folds[i].trials);
		text_put(out, "}");
	}
	text_put(out, "]");
}

void outer_put_json(const struct outer_estimate *e, struct bytes *out)
{
	text_put(out, "{");
	put_members(e, &e->parts[0], out);
	report_key(out, "inner");
	text_put(out, "[");
	for (uint32_t i = 1; i < e->nparts; i++) {
		text_put(out, i > 1 ? ", {" : "{");
		put_members(e, &e->parts[i], out);
		text_put(out, "}");
	}
	text_put(out, "]}");
}
