#include "table.h"

#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLS = 100000, MAX_ROWS = 100000000, MAX_LABEL = 9999 };

struct place {
	const char *file;
	int line;
};

static bool at_number(const char *s)
{
	char *end = NULL;

	strtod(s, &end);
	return end != s;
}

static int count_fields(const char *line)
{
	int n = 1;

	for (; *line != '\0'; line++)
		n += *line == ',';
	return n;
}

/* The number at s, which a comma (or, for the last one, the end of the line) must follow. */
static float read_field(const char **s, bool last, const struct place *at)
{
	char *end = NULL;
	float v = strtof(*s, &end);

	if (end == *s || !isfinite(v))
		report_die(EXIT_FAILED, "%s:%d: '%.*s' is not a number", at->file, at->line,
		           (int)strcspn(*s, ",\r\n"), *s);
	end += strspn(end, " \t\r\n");
	if (*end != (last ? '\0' : ','))
		report_die(EXIT_FAILED, "%s:%d: not as many columns as on the first line", at->file,
		           at->line);
	*s = end + !last;
	return v;
}

static void grow(struct table *t)
{
	t->room = t->room ? t->room * 2 : 1024;
	t->x = realloc(t->x, area(t->room, t->cols) * sizeof *t->x);
	t->label = realloc(t->label, (size_t)t->room * sizeof *t->label);
	if (t->x == NULL || t->label == NULL)
		report_die(EXIT_FAILED, "no memory for %d rows", t->room);
}

static void read_row(struct table *t, const char *line, const struct place *at)
{
	float *row, label;

	if (t->rows == MAX_ROWS)
		report_die(EXIT_FAILED, "%s:%d: more than %d rows", at->file, at->line, MAX_ROWS);
	if (t->rows == t->room)
		grow(t);
	row = t->x + area(t->rows, t->cols);
	for (int c = 0; c < t->cols; c++)
		row[c] = read_field(&line, false, at);
	label = read_field(&line, true, at);
	if (label < 0 || label > MAX_LABEL || label != floorf(label))
		report_die(EXIT_FAILED, "%s:%d: the last column is no label 0, 1, 2, ...", at->file,
		           at->line);
	t->label[t->rows++] = (int)label;
	if (t->classes <= (int)label)
		t->classes = (int)label + 1;
}

static void set_columns(struct table *t, const char *line, const struct place *at)
{
	t->cols = count_fields(line) - 1;
	if (t->cols < 1 || t->cols > MAX_COLS)
		report_die(EXIT_FAILED, "%s:%d: need 1 to %d columns and a label, separated by commas",
		           at->file, at->line, MAX_COLS);
}

void table_read(struct table *t, const char *file)
{
	FILE *in = fopen(file, "r");
	struct place at = {file, 0};
	char *line = NULL;
	size_t cap = 0;

	*t = (struct table){0};
	if (in == NULL)
		report_die(EXIT_FAILED, "cannot open %s: %s", file, strerror(errno));
	while (getline(&line, &cap, in) >= 0) {
		at.line++;
		if (line[strspn(line, " \t\r\n")] == '\0' || (at.line == 1 && !at_number(line)))
			continue;
		if (t->cols == 0)
			set_columns(t, line, &at);
		read_row(t, line, &at);
	}
	if (ferror(in))
		report_die(EXIT_FAILED, "cannot read %s: %s", file, strerror(errno));
	if (t->rows == 0)
		report_die(EXIT_FAILED, "%s holds no rows", file);
	free(line);
	fclose(in);
}

void table_finish(struct table *t)
{
	free(t->x);
	free(t->label);
	*t = (struct table){0};
}
