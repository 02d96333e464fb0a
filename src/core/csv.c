#include "csv.h"

#include <stdbool.h>
#include <string.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";

void csv_init(struct csv *c, const void *p, size_t n)
{
	*c = (struct csv){.p = p, .end = n ? (const char *)p + n : p, .line = 1, .usual = 8};
	if (n >= 3 && !memcmp(p, byte_order_mark, 3))
		c->p += 3;
}

static bool at_line_end(const struct csv *c)
{
	return c->p == c->end || *c->p == '\n' || *c->p == '\r';
}

/* CRLF is one. */
static void pass_line_end(struct csv *c)
{
	if (c->p == c->end)
		return;
	if (*c->p == '\r' && c->p + 1 < c->end && c->p[1] == '\n')
		c->p++;
	c->p++;
	c->line++;
}

static bool is_blank(char ch)
{
	return ch == ' ' || ch == '\t';
}

static void pass_blanks(struct csv *c)
{
	while (c->p < c->end && is_blank(*c->p))
		c->p++;
}

static int no_text(const struct csv *c, struct fault *f)
{
	return fault_set(f, FAULT_STUDY, "line %u: there is a NUL byte; it is no CSV text", c->line);
}

static int plain_field(struct csv *c, struct arena *a, const char **out, struct fault *f)
{
	const char *from = c->p, *to;

	while (!at_line_end(c) && *c->p != ',') {
		if (!*c->p)
			return no_text(c, f);
		c->p++;
	}
	for (to = c->p; to > from && is_blank(to[-1]); to--)
		;
	*out = arena_strndup(a, from, (size_t)(to - from));
	return 0;
}

static bool in_quotes(const struct csv *c)
{
	return c->p < c->end && (*c->p != '"' || (c->p + 1 < c->end && c->p[1] == '"'));
}

/* c->p is behind the first quote. */
static int quoted_field(struct csv *c, struct arena *a, const char **out, struct fault *f)
{
	const char *from = c->p;
	uint32_t line = c->line;
	size_t n = 0;
	char *text;

	for (; in_quotes(c); c->p++) {
		if (!*c->p)
			return no_text(c, f);
		c->line += *c->p == '\n' || (*c->p == '\r' && !(c->p + 1 < c->end && c->p[1] == '\n'));
		c->p += *c->p == '"';
	}
	if (c->p == c->end)
		return fault_set(f, FAULT_STUDY, "line %u: a quote is not closed", line);
	text = arena_strndup(a, from, (size_t)(c->p - from));
	for (const char *p = text; *p; p++) {
		text[n++] = *p;
		p += *p == '"';
	}
	text[n] = 0;
	*out = text;
	c->p++;
	pass_blanks(c);
	if (at_line_end(c) || *c->p == ',')
		return 0;
	return fault_set(f, FAULT_STUDY, "line %u: text after a closing quote; a quote inside is doubled",
	                 c->line);
}

static int field(struct csv *c, struct arena *a, const char **out, struct fault *f)
{
	pass_blanks(c);
	if (c->p == c->end || *c->p != '"')
		return plain_field(c, a, out, f);
	c->p++;
	return quoted_field(c, a, out, f);
}

static void pass_blank_lines(struct csv *c)
{
	for (;;) {
		struct csv at = *c;

		pass_blanks(&at);
		if (at.p == at.end || !at_line_end(&at)) {
			if (at.p == at.end)
				c->p = at.p;
			return;
		}
		pass_line_end(&at);
		*c = at;
	}
}

int csv_next(struct csv *c, struct arena *a, struct csv_row *row, struct fault *f)
{
	const char **fields;
	uint32_t n = 0, cap = c->usual;

	pass_blank_lines(c);
	if (c->p == c->end)
		return 0;
	row->line = c->line;
	fields = arena_array(a, cap, sizeof *fields);
	for (;;) {
		if (n == CSV_MAX_FIELDS)
			return fault_set(f, FAULT_STUDY, "line %u: more than %d fields", c->line,
			                 CSV_MAX_FIELDS);
		if (n == cap) {
			fields = arena_grow(a, fields, cap * sizeof *fields, 2 * cap * sizeof *fields);
			cap *= 2;
		}
		if (field(c, a, &fields[n++], f))
			return -1;
		if (at_line_end(c))
			break;
		c->p++; /* the comma */
	}
	pass_line_end(c);
	c->usual = n;
	row->fields = fields;
	row->n = n;
	return 1;
}
