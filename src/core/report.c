#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE_DIGITS = 6, SHRINK_MIN = 8 };

enum cell_kind { CELL_NULL, CELL_TEXT, CELL_INT, CELL_REAL, CELL_JSON };
struct report_cell {
	enum cell_kind kind;
	union {
		int64_t i;
		double r;
	} u;
	const char *text;  /* TEXT, JSON */
	const char *shown; /* JSON: in tables */
};

void report_init(struct report *r, struct arena *a)
{
	*r = (struct report){.arena = a};
}

uint32_t report_column(struct report *r, const char *key, const char *title, unsigned flags)
{
	if (r->ncolumns == r->cap) {
		uint32_t cap = r->cap ? 2 * r->cap : 16;

		r->columns =
		    arena_grow(r->arena, r->columns, r->cap * sizeof *r->columns, cap * sizeof *r->columns);
		r->cap = cap;
	}
	r->columns[r->ncolumns] = (struct report_column){
	    .key = arena_strdup(r->arena, key),
	    .title = arena_strdup(r->arena, title ? title : key),
	    .flags = flags,
	};
	return r->ncolumns++;
}

void report_row(struct report *r)
{
	if (r->nrows == r->rows_cap) {
		uint32_t cap = r->rows_cap ? 2 * r->rows_cap : 64;

		r->rows = arena_grow(r->arena, r->rows, r->rows_cap * sizeof *r->rows, cap * sizeof *r->rows);
		r->rows_cap = cap;
	}
	r->rows[r->nrows++] = arena_array(r->arena, r->ncolumns, sizeof(struct report_cell));
}

static struct report_cell *cell(struct report *r, uint32_t column)
{
	return &r->rows[r->nrows - 1][column];
}

void report_text(struct report *r, uint32_t column, const char *s)
{
	if (s)
		*cell(r, column) = (struct report_cell){.kind = CELL_TEXT, .text = arena_strdup(r->arena, s)};
}

void report_int(struct report *r, uint32_t column, int64_t v)
{
	*cell(r, column) = (struct report_cell){.kind = CELL_INT, .u.i = v};
}

void report_real(struct report *r, uint32_t column, double v)
{
	*cell(r, column) = (struct report_cell){.kind = CELL_REAL, .u.r = v};
}

void report_json(struct report *r, uint32_t column, const char *json, const char *shown)
{
	if (json)
		*cell(r, column) = (struct report_cell){.kind = CELL_JSON,
		                                        .text = arena_strdup(r->arena, json),
		                                        .shown = shown ? arena_strdup(r->arena, shown) : ""};
}

void report_clear(struct report *r)
{
	r->put += r->nrows;
	r->nrows = 0;
	r->rows = NULL;
	r->rows_cap = 0;
}

/* ---- texts ----------------------------------------------------------------------------------- */
void report_short_number(char buf[TEXT_NUMBER], double v, int digits)
{
	char full[TEXT_NUMBER];

	text_double(full, v);
	if (!isfinite(v) || fabs(v) >= 1e15 || v == floor(v)) {
		memcpy(buf, full, sizeof full);
		return;
	}
	snprintf(buf, TEXT_NUMBER, "%.*g", digits, v);
	text_double(buf, strtod(buf, NULL));
	if (strlen(full) <= strlen(buf))
		memcpy(buf, full, sizeof full);
}

void report_put_plain(struct bytes *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\n' || c == '\t' || c == '\r')
			c = ' ';
		else if (c < 0x20 || c == 0x7f)
			c = '?';
		else if (c == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xa0) {
			c = '?'; /* U+0080..U+009F: control characters too */
			s++;
		}
		bytes_put_u8(out, c);
	}
}

static uint32_t characters(const char *s, size_t n)
{
	uint32_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += ((unsigned char)s[i] & 0xc0) != 0x80;
	return count;
}

const char *report_state_colour(const char *state)
{
	static const struct {
		const char *state, *colour;
	} colours[] = {
	    {"done", "\033[32m"},   {"running", "\033[36m"}, {"failed", "\033[31m"},     {"lost", "\033[31m"},
	    {"ready", "\033[34m"},  {"blocked", "\033[33m"}, {"cancelled", "\033[33m"},  {"held", "\033[33m"},
	    {"pruned", "\033[35m"}, {"paused", "\033[35m"},  {"incomplete", "\033[33m"},
	};

	for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
		if (!strncmp(colours[i].state, state, strlen(colours[i].state)))
			return colours[i].colour;
	return "";
}

static const char *cell_colour(const struct report_cell *c)
{
	return report_state_colour(c->kind == CELL_TEXT ? c->text : c->kind == CELL_JSON ? c->shown : "");
}

/* The text of a cell in a table, replacing what `b` held. */
static void cell_text(const struct report_cell *c, unsigned flags, struct bytes *b)
{
	char number[TEXT_NUMBER];

	bytes_clear(b);
	switch (c->kind) {
	case CELL_NULL:
		text_put(b, "-");
		return;
	case CELL_TEXT:
		report_put_plain(b, c->text);
		return;
	case CELL_INT:
		text_int(number, c->u.i);
		break;
	case CELL_REAL:
		if (flags & REPORT_EXACT)
			text_double(number, c->u.r);
		else
			report_short_number(number, c->u.r, TABLE_DIGITS);
		break;
	case CELL_JSON:
		report_put_plain(b, c->shown);
		return;
	}
	text_put(b, number);
}

/* ---- tables ---------------------------------------------------------------------------------- */
static bool cell_empty(const struct report_cell *c)
{
	return c->kind == CELL_NULL || (c->kind == CELL_TEXT && !*c->text) ||
	       (c->kind == CELL_JSON && !*c->shown);
}

static void measure_column(struct report *r, uint32_t column, struct bytes *b)
{
	struct report_column *c = &r->columns[column];

	if (c->flags & REPORT_JSON_ONLY)
		return;
	if (!(c->flags & REPORT_HIDE_EMPTY))
		c->shown = true;
	for (uint32_t i = 0; i < r->nrows && !c->shown; i++)
		c->shown = !cell_empty(&r->rows[i][column]);
	if (c->width == 0)
		c->width = characters(c->title, strlen(c->title));
	for (uint32_t i = 0; i < r->nrows; i++) {
		uint32_t w;

		cell_text(&r->rows[i][column], c->flags, b);
		w = characters((const char *)b->data, b->len);
		c->width = w > c->width ? w : c->width;
	}
}

static uint32_t total_width(const struct report *r)
{
	uint32_t total = 0;

	for (uint32_t i = 0; i < r->ncolumns; i++)
		if (r->columns[i].shown)
			total += r->columns[i].width + (total ? 2 : 0);
	return total;
}

/* The widest column that may give away a character. */
static struct report_column *shrinkable(struct report *r)
{
	struct report_column *widest = NULL;

	for (uint32_t i = 0; i < r->ncolumns; i++) {
		struct report_column *c = &r->columns[i];

		if (c->shown && (c->flags & REPORT_SHRINK) && c->width > SHRINK_MIN &&
		    c->width > characters(c->title, strlen(c->title)) &&
		    (!widest || c->width > widest->width))
			widest = c;
	}
	return widest;
}

/* Take from the widest column that may shrink, then leave out columns, until the row fits or nothing can give
 * way. */
static void fit(struct report *r, uint32_t width)
{
	uint32_t total = total_width(r);
	struct report_column *c;

	for (; total > width && (c = shrinkable(r)); total--)
		c->width--;
	for (uint32_t i = r->ncolumns; i-- > 0 && total > width;) {
		c = &r->columns[i];
		if (!c->shown || !(c->flags & REPORT_DROP))
			continue;
		c->shown = false;
		r->dropped++;
		total -= c->width + 2;
	}
}

/* At most `width` characters of a text, the last three being dots when it is longer. */
static size_t cut(struct bytes *b, uint32_t width)
{
	uint32_t n = 0;
	size_t i = 0;

	if (characters((const char *)b->data, b->len) <= width)
		return characters((const char *)b->data, b->len);
	while (i < b->len && n < width - 3) {
		do
			i++;
		while (i < b->len && (b->data[i] & 0xc0) == 0x80);
		n++;
	}
	b->len = i;
	text_put(b, "...");
	return width;
}

static void pad(struct bytes *out, size_t n)
{
	while (n--)
		bytes_put_u8(out, ' ');
}

static void put_cell(const struct report_column *c, struct bytes *text, bool last, const char *colour,
                     struct bytes *out)
{
	size_t n = cut(text, c->width);

	if (c->flags & REPORT_RIGHT)
		pad(out, c->width - n);
	text_put(out, colour);
	bytes_put(out, text->data, text->len);
	if (*colour)
		text_put(out, "\033[0m");
	if (!(c->flags & REPORT_RIGHT) && !last)
		pad(out, c->width - n);
}

/* row NULL: the titles */
static void put_row(const struct report *r, const struct report_cell *row, const struct report_style *style,
                    struct bytes *text, struct bytes *out)
{
	uint32_t last = 0;
	bool first = true;

	for (uint32_t i = 0; i < r->ncolumns; i++)
		last = r->columns[i].shown ? i : last;
	for (uint32_t i = 0; i <= last && i < r->ncolumns; i++) {
		const struct report_column *c = &r->columns[i];
		const char *colour = "";

		if (!c->shown)
			continue;
		if (!first)
			text_put(out, "  ");
		first = false;
		if (row) {
			cell_text(&row[i], c->flags, text);
			if (style->colour && (c->flags & REPORT_STATE))
				colour = cell_colour(&row[i]);
		} else {
			bytes_clear(text);
			report_put_plain(text, c->title);
			colour = style->colour ? "\033[1m" : "";
		}
		put_cell(c, text, i == last, colour, out);
	}
	bytes_put_u8(out, '\n');
}

void report_put_table(struct report *r, const struct report_style *style, struct bytes *out)
{
	struct bytes text = {0};

	r->dropped = 0;
	for (uint32_t i = 0; i < r->ncolumns; i++)
		measure_column(r, i, &text);
	if (style->width)
		fit(r, style->width);
	if (r->put == 0)
		put_row(r, NULL, style, &text, out);
	for (uint32_t i = 0; i < r->nrows; i++)
		put_row(r, r->rows[i], style, &text, out);
	bytes_finish(&text);
}

/* ---- JSON ------------------------------------------------------------------------------------ */
void report_put_number(struct bytes *out, double v)
{
	char buf[TEXT_NUMBER];

	if (isfinite(v))
		text_double(buf, v);
	text_put(out, isfinite(v) ? buf : "null");
}

void report_put_real(struct bytes *out, double v)
{
	char buf[TEXT_NUMBER];

	text_double(buf, v);
	if (isfinite(v))
		text_put(out, buf);
	else
		report_put_string(out, buf);
}

void report_put_int(struct bytes *out, int64_t v)
{
	text_putf(out, "%lld", (long long)v);
}

void report_put_string(struct bytes *out, const char *s)
{
	if (s)
		text_put_json(out, s, strlen(s));
	else
		text_put(out, "null");
}

void report_key(struct bytes *out, const char *key)
{
	if (out->len && out->data[out->len - 1] != '{')
		text_put(out, ", ");
	report_put_string(out, key);
	text_put(out, ": ");
}

static void put_json_cell(const struct report_cell *c, struct bytes *out)
{
	switch (c->kind) {
	case CELL_NULL:
		text_put(out, "null");
		break;
	case CELL_TEXT:
		report_put_string(out, c->text);
		break;
	case CELL_INT:
		report_put_int(out, c->u.i);
		break;
	case CELL_REAL:
		report_put_real(out, c->u.r);
		break;
	case CELL_JSON:
		text_put(out, c->text);
		break;
	}
}

static void put_fields(const struct report *r, const struct report_cell *row, struct bytes *out)
{
	for (uint32_t k = 0; k < r->ncolumns; k++) {
		const struct report_column *c = &r->columns[k];

		if (c->flags & REPORT_TABLE_ONLY)
			continue;
		report_key(out, c->key);
		put_json_cell(&row[k], out);
	}
}

void report_put_fields(const struct report *r, struct bytes *out)
{
	if (r->nrows)
		put_fields(r, r->rows[r->nrows - 1], out);
}

void report_put_json(struct report *r, struct bytes *out)
{
	if (r->put == 0)
		text_put(out, "[");
	for (uint32_t i = 0; i < r->nrows; i++) {
		text_put(out, r->put + i ? ",\n{" : "\n{");
		put_fields(r, r->rows[i], out);
		text_put(out, "}");
	}
}

void report_finish_json(struct report *r, struct bytes *out)
{
	text_put(out, r->put || r->nrows ? "\n]" : "]");
}

/* ---- CSV ------------------------------------------------------------------------------------- */
static void put_field(struct bytes *out, const char *s)
{
	bool quote = strpbrk(s, ",\"\r\n") != NULL;

	if (quote)
		bytes_put_u8(out, '"');
	for (; *s; s++) {
		if (*s == '"')
			bytes_put_u8(out, '"');
		bytes_put_u8(out, (unsigned char)*s);
	}
	if (quote)
		bytes_put_u8(out, '"');
}

static void put_csv_cell(const struct report_cell *c, struct bytes *out)
{
	char number[TEXT_NUMBER];

	switch (c->kind) {
	case CELL_NULL:
		break;
	case CELL_TEXT:
		put_field(out, c->text);
		break;
	case CELL_INT:
		report_put_int(out, c->u.i);
		break;
	case CELL_REAL:
		text_double(number, c->u.r);
		text_put(out, number);
		break;
	case CELL_JSON:
		put_field(out, c->text);
		break;
	}
}

/* row NULL: the keys */
static void put_csv_row(const struct report *r, const struct report_cell *row, struct bytes *out)
{
	bool first = true;

	for (uint32_t i = 0; i < r->ncolumns; i++) {
		if (r->columns[i].flags & REPORT_TABLE_ONLY)
			continue;
		text_put(out, first ? "" : ",");
		first = false;
		if (row)
			put_csv_cell(&row[i], out);
		else
			put_field(out, r->columns[i].key);
	}
	text_put(out, "\n");
}

void report_put_csv(struct report *r, struct bytes *out)
{
	if (r->put == 0)
		put_csv_row(r, NULL, out);
	for (uint32_t i = 0; i < r->nrows; i++)
		put_csv_row(r, r->rows[i], out);
}
