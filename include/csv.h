/* csv: comma-separated values as spreadsheets, pandas and `results --csv` write them (RFC 4180): fields may
 * be in quotes, with a quote inside doubled, and then hold commas and line ends; lines end in LF, CRLF or CR;
 * a byte order mark and blank lines are passed over. Blanks around a field are no part of it, unless quoted.
 *
 * Time and memory are proportional to the text, whatever it holds. */
#ifndef CSV_H
#define CSV_H

#include "arena.h"
#include "fault.h"

#include <stddef.h>
#include <stdint.h>

enum { CSV_MAX_FIELDS = 10000 };

struct csv {
	const char *p, *end;
	uint32_t line;  /* of p, from 1 */
	uint32_t usual; /* fields of the last row */
};
struct csv_row {
	const char *const *fields;
	uint32_t n;    /* at least 1 */
	uint32_t line; /* where it begins */
};

/* Borrows the text. */
void csv_init(struct csv *c, const void *p, size_t n);
/* 1: the next row, its fields in `a`; 0: the end; -1: it is no such text, and f says in which line. */
int csv_next(struct csv *c, struct arena *a, struct csv_row *row, struct fault *f);

#endif
