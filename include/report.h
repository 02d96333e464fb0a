/* report: rows for people and for programs. The same rows become an aligned table or a JSON array, so what a
 * verb shows and what its --json says cannot drift apart.
 *
 * Columns first, then rows; a cell that is not set is null ("-" in a table). Everything lives in the arena
 * given. Rows may be put in batches: widths only grow from batch to batch, and the JSON array is closed by
 * report_finish_json().
 *
 * Numbers print as the shortest text that reads back equal, in JSON and CSV always, in tables up to six
 * significant digits unless the column is REPORT_EXACT. JSON has no NaN or infinity: a cell says "nan", "inf"
 * or
 * "-inf" there, as the database does; null is a cell without a number. */
#ifndef REPORT_H
#define REPORT_H

#include "arena.h"
#include "bytes.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

enum report_flags {
	REPORT_RIGHT = 1 << 0,      /* align right (numbers) */
	REPORT_EXACT = 1 << 1,      /* all digits in tables too */
	REPORT_STATE = 1 << 2,      /* coloured by the state it names */
	REPORT_SHRINK = 1 << 3,     /* cut with "..." when a terminal is too narrow */
	REPORT_HIDE_EMPTY = 1 << 4, /* no column in the table while all of its cells are empty */
	REPORT_TABLE_ONLY = 1 << 5,
	REPORT_JSON_ONLY = 1 << 6,
	REPORT_DROP = 1 << 7 /* left out, the last one first, where a terminal is still too narrow */
};

struct report_style {
	uint32_t width; /* columns of the terminal, 0: no limit */
	bool colour;
};

struct report_cell;
struct report_column {
	const char *key, *title; /* of JSON, of the table */
	unsigned flags;
	uint32_t width; /* characters, over all batches so far */
	bool shown;
};

struct report {
	struct arena *arena;
	struct report_column *columns;
	uint32_t ncolumns, cap;
	struct report_cell **rows;
	uint32_t nrows, rows_cap;
	uint64_t put;     /* rows of earlier batches */
	uint32_t dropped; /* columns the last table had no room for */
};

void report_init(struct report *r, struct arena *a);
/* Returns the index of the column. title NULL: as key. */
uint32_t report_column(struct report *r, const char *key, const char *title, unsigned flags);
void report_row(struct report *r);
/* Set a cell of the last row. Texts are copied; NULL is null. */
void report_text(struct report *r, uint32_t column, const char *s);
void report_int(struct report *r, uint32_t column, int64_t v);
void report_real(struct report *r, uint32_t column, double v);
/* JSON as it is; a table shows `shown`. */
void report_json(struct report *r, uint32_t column, const char *json, const char *shown);

/* The rows there are, with the titles before the first batch. Control characters are replaced: what a study
 * or a training program says must not reach the terminal as commands. */
void report_put_table(struct report *r, const struct report_style *style, struct bytes *out);
/* "[" before the first batch, then one object a line. */
void report_put_json(struct report *r, struct bytes *out);
void report_finish_json(struct report *r, struct bytes *out);
/* The members of the last row, for an object that has others too. */
void report_put_fields(const struct report *r, struct bytes *out);
/* A line of keys and one for each row, as spreadsheets read it: commas, quotes where they are needed, an
 * empty field for null. */
void report_put_csv(struct report *r, struct bytes *out);
/* Forget the rows (they have been put), keep columns and widths. */
void report_clear(struct report *r);

/* Parts of JSON that are no table. */
void report_key(struct bytes *out, const char *key); /* with the comma where one is due */
void report_put_number(struct bytes *out, double v); /* null when not finite: not known */
void report_put_real(struct bytes *out, double v);   /* as a cell: "nan", "inf", "-inf" */
void report_put_int(struct bytes *out, int64_t v);
void report_put_string(struct bytes *out, const char *s); /* null for NULL */
/* At most `digits` significant digits, and no more than are needed. */
void report_short_number(char buf[TEXT_NUMBER], double v, int digits);
/* `s` with control characters replaced by '?' (newline and tab by a blank). */
void report_put_plain(struct bytes *out, const char *s);
/* "\033[31m" for the state, "" when it has no colour of its own. */
const char *report_state_colour(const char *state);

#endif
