/* import: the table that is read, of a database or of a CSV file, down to the columns that are parameters of
 * the phase. Whether the values fit is judged where the request is carried out. */
#include "cmd.h"

#include "csv.h"
#include "host.h"
#include "text.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { CSV_MAX_BYTES = 1 << 30 };

/* ---- the table --------------------------------------------------------------------------------- */
struct reading {
	struct arena *a;
	struct cmd_table *t;
	const struct study *study;
	const struct study_phase *phase;
	const char *from_phase; /* NULL: not said */
};

static void put_cells(struct reading *r, const char *const *cells, size_t n)
{
	struct cmd_table *t = r->t;

	if (t->ncells + n > t->cap) {
		size_t cap = 2 * t->cap + n + 1024;

		t->cells = arena_grow(r->a, t->cells, t->ncells * sizeof *t->cells, cap * sizeof *t->cells);
		t->cap = cap;
	}
	memcpy(t->cells + t->ncells, cells, n * sizeof *cells);
	t->ncells += n;
}

static void ignore(struct reading *r, const char *name)
{
	struct cmd_table *t = r->t;

	for (uint32_t i = 0; i < t->nignored; i++)
		if (!strcmp(t->ignored[i], name))
			return;
	t->ignored = arena_grow(r->a, t->ignored, t->nignored * sizeof *t->ignored,
	                        (t->nignored + 1) * sizeof *t->ignored);
	t->ignored[t->nignored++] = arena_strdup(r->a, name);
}

static bool same_param(struct prior_param a, struct prior_param b)
{
	return a.phase == b.phase && a.index == b.index;
}

/* ---- of a database ------------------------------------------------------------------------------- */
static const char *phase_of(const struct reading *r)
{
	return r->from_phase ? r->from_phase : r->phase->name;
}

static const struct study_phase *find_from(const struct reading *r, const struct cmd_db *from,
                                           struct fault *f)
{
	const struct study_phase *q = study_find_phase(from->study, phase_of(r));
	static const char *const goals[] = {"minimizes", "maximizes"};

	if (!q) {
		fault_set(f, FAULT_USAGE, "%s has no phase %s: which one is it? --from-phase", from->path,
		          phase_of(r));
		return NULL;
	}
	if (q->metric && !strcmp(q->metric, r->phase->metric) && q->goal == r->phase->goal)
		return q;
	if (!q->metric)
		fault_set(f, FAULT_USAGE, "phase %s of %s has no metric", q->name, from->path);
	else
		fault_set(f, FAULT_USAGE,
		          "phase %s of %s %s %s, and %s %s %s: their values do not compare. Where they do, "
		          "`results "
		          "--csv` makes a table of them that can be imported",
		          q->name, from->path, goals[q->goal], q->metric, r->phase->name,
		          goals[r->phase->goal], r->phase->metric);
	return NULL;
}

/* All visible parameters, for a trial may lack any of them. */
static void take_visible(struct reading *r)
{
	uint32_t n = r->phase->nvisible;

	r->t->columns = arena_array(r->a, n + 1, sizeof *r->t->columns);
	for (uint32_t i = 0; i < n; i++)
		r->t->columns[i] = r->phase->visible[i].name;
	r->t->ncolumns = n;
}

static const char *number_text(struct arena *a, double v)
{
	char buf[TEXT_NUMBER];

	return arena_strndup(a, buf, text_double(buf, v));
}

static const char *text_of(struct reading *r, const struct store_rows *rows, uint32_t column)
{
	if (store_type(rows, column) == STORE_REAL)
		return number_text(r->a, store_real(rows, column));
	return arena_strdup(r->a, store_text(rows, column));
}

enum { COLUMN_TRIAL, COLUMN_OUTER, COLUMN_VALUE, COLUMN_NAME, COLUMN_PARAM };
static const char sql_params[] = "SELECT t.trial, t.outer_fold, t.value, j.key, j.value FROM trials t,"
                                 " json_each(CASE WHEN json_valid(t.params) THEN t.params ELSE '{}' END) j"
                                 " WHERE t.phase = ?1 AND t.state = 'done' ORDER BY t.trial";
static const char sql_unfinished[] = "SELECT count(*) FROM trials WHERE phase = ?1 AND state <> 'done'";

static void set_cell(struct reading *r, const struct store_rows *rows, const char **cells)
{
	const char *name = store_text(rows, COLUMN_NAME);

	for (uint32_t i = 0; i < r->t->ncolumns; i++)
		if (!strcmp(r->t->columns[i], name)) {
			cells[2 + i] = text_of(r, rows, COLUMN_PARAM);
			return;
		}
	ignore(r, name);
}

static int read_trials(struct reading *r, struct cmd_db *from, const struct study_phase *q, struct fault *f)
{
	const char *binds[] = {q->name, NULL};
	size_t n = r->t->ncolumns + 2;
	const char **cells = arena_array(r->a, n, sizeof *cells);
	struct store_rows *rows;
	int64_t trial = 0;
	int got;

	if (store_select(from->store, sql_params, binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		if (store_int(rows, COLUMN_TRIAL) != trial && trial)
			put_cells(r, cells, n);
		if (store_int(rows, COLUMN_TRIAL) != trial) {
			trial = store_int(rows, COLUMN_TRIAL);
			for (size_t i = 0; i < n; i++)
				cells[i] = "";
			cells[0] = store_type(rows, COLUMN_VALUE) == STORE_NULL
			               ? ""
			               : text_of(r, rows, COLUMN_VALUE);
			if (prior_has_outer(from->study, q))
				cells[1] = text_of(r, rows, COLUMN_OUTER);
		}
		set_cell(r, rows, cells);
	}
	if (trial && got == 0)
		put_cells(r, cells, n);
	store_rows_close(rows);
	return got;
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int read_database(struct reading *r, const struct cmd_db *d, const char *word, struct fault *f)
{
	struct cmd_db from;
	const struct study_phase *q;
	int bad;

	if (cmd_db_open(&from, word, f))
		return -1;
	q = find_from(r, &from, f);
	bad = !q;
	if (q && same_file(d->path, from.path) && !strcmp(q->name, r->phase->name))
		bad = fault_set(f, FAULT_USAGE, "the search of phase %s knows its own trials", q->name);
	take_visible(r);
	r->t->from = arena_printf(r->a, "%s phase %s", from.path, phase_of(r));
	bad = bad || read_trials(r, &from, q, f) ||
	      cmd_count_of(&from, q->name, sql_unfinished, &r->t->skipped[PRIOR_STATE], f);
	cmd_db_close(&from);
	return bad ? -1 : 0;
}

/* ---- of a CSV file ------------------------------------------------------------------------------- */
/* Where in a row is what? -1: nowhere. */
struct header {
	int64_t value, state, phase, outer;
	int64_t *params; /* of each column of the table */
	struct prior_param *which;
	const struct csv_row *row;
};

/* Not one that is a parameter. */
static int find_column(const struct header *h, const char *name, int64_t *out, struct fault *f)
{
	*out = -1;
	for (uint32_t i = 0; i < h->row->n; i++) {
		if (strcmp(h->row->fields[i], name) != 0)
			continue;
		if (*out >= 0)
			return fault_set(f, FAULT_STUDY, "line %u: two columns `%.100s`", h->row->line, name);
		*out = i;
	}
	return 0;
}

static int add_param(struct reading *r, struct header *h, uint32_t column, struct prior_param at,
                     struct fault *f)
{
	const struct study_phase *q = &r->study->phases[at.phase];

	for (uint32_t i = 0; i < r->t->ncolumns; i++)
		if (same_param(h->which[i], at))
			return fault_set(f, FAULT_STUDY, "line %u: two columns are parameter %s",
			                 h->row->line, q->space.params[at.index].name);
	h->which[r->t->ncolumns] = at;
	h->params[r->t->ncolumns] = column;
	r->t->columns[r->t->ncolumns++] =
	    arena_printf(r->a, "%s.%s", q->name, q->space.params[at.index].name);
	return 0;
}

/* `lr`, `pretrain.lr`; Optuna has `params_lr`. */
static bool param_of(const struct reading *r, const char *name, struct prior_param *out)
{
	static const char prefix[] = "params_";

	if (prior_find_param(r->study, r->phase, name, out))
		return true;
	return !strncmp(name, prefix, sizeof prefix - 1) &&
	       prior_find_param(r->study, r->phase, name + sizeof prefix - 1, out);
}

static int find_params(struct reading *r, struct header *h, struct fault *f)
{
	uint32_t n = h->row->n;

	r->t->columns = arena_array(r->a, n, sizeof *r->t->columns);
	h->params = arena_array(r->a, n, sizeof *h->params);
	h->which = arena_array(r->a, n, sizeof *h->which);
	for (uint32_t i = 0; i < n; i++) {
		const char *name = h->row->fields[i];
		struct prior_param at;

		if (param_of(r, name, &at)) {
			if (add_param(r, h, i, at, f))
				return -1;
		} else if (i != h->value && i != h->state && i != h->phase && i != h->outer && *name) {
			ignore(r, name);
		}
	}
	if (r->t->ncolumns)
		return 0;
	return fault_set(f, FAULT_STUDY,
	                 "line %u: no column is a parameter of phase %s: the first line names them, "
	                 "separated by commas",
	                 h->row->line, r->phase->name);
}

static int read_header(struct reading *r, struct header *h, struct fault *f)
{
	struct prior_param at;
	const struct {
		const char *name;
		int64_t *into;
	} columns[] = {{r->phase->metric, &h->value},
	               {"state", &h->state},
	               {"phase", &h->phase},
	               {"outer_fold", &h->outer}};

	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
		*columns[i].into = -1;
		if (!prior_find_param(r->study, r->phase, columns[i].name, &at) &&
		    find_column(h, columns[i].name, columns[i].into, f))
			return -1;
	}
	if (h->value < 0 && !prior_find_param(r->study, r->phase, "value", &at) &&
	    find_column(h, "value", &h->value, f))
		return -1;
	if (h->value < 0)
		return fault_set(f, FAULT_STUDY, "line %u: no column `%s` or `value` for the value of a row",
		                 h->row->line, r->phase->metric);
	return find_params(r, h, f);
}

static bool is_complete(const char *state)
{
	static const char *const texts[] = {"", "done", "complete", "completed", "finished"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (!strcasecmp(state, texts[i]))
			return true;
	return false;
}

/* -1 is no fold in one table, and the search over all data in another. */
static const char *outer_text(const char *text)
{
	return !strcmp(text, "-") || !strcmp(text, "-1") ? "" : !strcmp(text, "full") ? "-1" : text;
}

static void take_row(struct reading *r, const struct header *h, const struct csv_row *row, const char **cells)
{
	if (row->n != h->row->n) {
		r->t->skipped[PRIOR_FIELDS]++;
		return;
	}
	if (h->phase >= 0 && strcmp(row->fields[h->phase], phase_of(r)) != 0)
		return;
	if (h->state >= 0 && !is_complete(row->fields[h->state])) {
		r->t->skipped[PRIOR_STATE]++;
		return;
	}
	cells[0] = row->fields[h->value];
	cells[1] = h->outer < 0 ? "" : outer_text(row->fields[h->outer]);
	for (uint32_t i = 0; i < r->t->ncolumns; i++)
		cells[2 + i] = row->fields[h->params[i]];
	put_cells(r, cells, r->t->ncolumns + 2);
}

static int read_text(struct reading *r, const struct bytes *text, struct fault *f)
{
	struct csv c;
	struct csv_row first = {0}, row;
	struct header h = {.row = &first};
	const char **cells;
	int got;

	csv_init(&c, text->data, text->len);
	got = csv_next(&c, r->a, &first, f);
	if (got == 0)
		return fault_set(f, FAULT_STUDY, "it is empty; a first line names the columns");
	if (got < 0 || read_header(r, &h, f))
		return -1;
	cells = arena_array(r->a, r->t->ncolumns + 2, sizeof *cells);
	while ((got = csv_next(&c, r->a, &row, f)) > 0)
		take_row(r, &h, &row, cells);
	return got;
}

static int read_csv(struct reading *r, const char *path, struct fault *f)
{
	struct bytes text = {0};
	int bad = host_read_file(strcmp(path, "-") != 0 ? path : "/dev/stdin", CSV_MAX_BYTES, &text, f);

	r->t->from = path;
	if (!bad && read_text(r, &text, f))
		bad = fault_context(f, "%s", path);
	bytes_finish(&text);
	return bad;
}

/* ---- which it is --------------------------------------------------------------------------------- */
int cmd_read_table(struct cmd_db *d, const struct study_phase *p, const char *from, const char *from_phase,
                   struct cmd_table *out, struct fault *f)
{
	struct reading r = {
	    .a = &d->arena, .t = out, .study = d->study, .phase = p, .from_phase = from_phase};

	*out = (struct cmd_table){0};
	if (cmd_is_database(from))
		return read_database(&r, d, from, f);
	return read_csv(&r, from, f);
}
