/* One text with braces, from its bytes to pieces. Reading only goes forward, so time and memory grow as the
 * text. */
#include "domain.h"
#include "expand_piece.h"
#include "expr.h"
#include "text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int(expand_fail)(const struct expand_reading *r, const char *at, const char *fmt, ...)
{
	char why[sizeof r->fault->text];
	uint32_t column = 1;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	for (char *c = why; *c; c++)
		if (iscntrl((unsigned char)*c)) /* of the user's words: the message is one line */
			*c = '?';
	for (const char *c = r->word; c < at; c++)
		column += ((unsigned char)*c & 0xc0) != 0x80; /* characters, not bytes */
	return fault_set(r->fault, FAULT_USAGE, "argument %u, column %u: %s", r->number, column, why);
}

static bool at_pair(const char *s, char c)
{
	return s[0] == c && s[1] == c;
}

static bool at_escaped_pair(const char *s)
{
	return s[0] == '\\' && (at_pair(s + 1, '{') || at_pair(s + 1, '}'));
}

/* ---- the values of one pair of braces ---------------------------------------------------------------- */
struct list {
	struct expand_item *items;
	uint32_t n;
	uint64_t count;
	const char *drawn; /* where a domain without end stands */
};

static void add_item(struct arena *a, struct list *l, struct expand_item item, uint64_t count)
{
	if ((l->n & (l->n - 1)) == 0) /* full at powers of two */
		l->items = arena_grow(a, l->items, l->n * sizeof item, (l->n ? 2 * l->n : 1) * sizeof item);
	l->count = count > UINT64_MAX - l->count ? UINT64_MAX : l->count + count;
	item.end = l->count;
	l->items[l->n++] = item;
}

static int no_number(void *ctx, const char *name, struct expr_ref *out, struct fault *f)
{
	(void)ctx;
	(void)out;
	return fault_set(f, FAULT_USAGE, "bounds are plain numbers here, '%.60s' is none", name);
}

static int bind_bounds(const struct param *p, struct fault *f)
{
	static const struct expr_names none = {.find = no_number};
	struct expr *bounds[] = {(struct expr *)p->lo, (struct expr *)p->hi};
	size_t at;

	for (int i = 0; i < 2; i++)
		if (bounds[i] && expr_bind(bounds[i], EXPR_NUMBER, &none, &at, f))
			return -1;
	return domain_check(p, f);
}

static bool without_end(const struct param *p)
{
	return p->kind == DOMAIN_UNIFORM || p->kind == DOMAIN_LOG || p->kind == DOMAIN_LOGINT ||
	       p->kind == DOMAIN_NORMAL;
}

static int add_domain(struct expand_reading *r, struct list *l, const char *s, size_t n)
{
	struct param *p = arena_alloc(r->arena, sizeof *p);
	struct space one = expand_space(p);
	struct fault why = {0};
	size_t at = 0;

	if (domain_parse(r->arena, s, n, p, &at, &why))
		return expand_fail(r, s + at, "%s", why.text);
	if (bind_bounds(p, &why))
		return expand_fail(r, s, "%s", why.text);
	if (p->cond)
		return expand_fail(r, s, "a condition has no meaning here, only %.100s", p->text);
	r->points += p->nchoices;
	if (r->points > EXPAND_MAX_POINTS)
		return expand_fail(r, s, "more than %d points of domains in one call", EXPAND_MAX_POINTS);
	if (without_end(p) && !r->samples)
		return expand_fail(r, s, "%.100s has no end: with `-n N` N values are drawn of it", p->text);
	if (without_end(p))
		l->drawn = s;
	add_item(r->arena, l, (struct expand_item){.domain = p}, l->drawn ? 1 : (uint64_t)space_size(&one));
	return 0;
}

/* ---- one value --------------------------------------------------------------------------------------- */
/* What a backslash makes plain. Inside double quotes that is less. */
static char *unescape(struct arena *a, const char *s, size_t n, const char *which)
{
	char *out = arena_alloc(a, n + 1);
	size_t w = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\\' && i + 1 < n && strchr(which, s[i + 1]))
			i++;
		out[w++] = s[i];
	}
	return out;
}

static int read_quoted(struct expand_reading *r, struct list *l)
{
	const char *open = r->p++, *end;

	for (end = r->p; *end && *end != *open; end++)
		end += *open == '"' && *end == '\\' && end[1];
	if (!*end)
		return expand_fail(r, open, "a quote without its end: write \\%c for a plain one", *open);
	add_item(r->arena, l,
	         (struct expand_item){
	             .text = unescape(r->arena, r->p, (size_t)(end - r->p), *open == '"' ? "\"\\" : "")},
	         1);
	r->p = end + 1;
	return 0;
}

/* `name(` at the start: the length of the name, else 0. */
static size_t call_name(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n <= 60 && s[n] == '(' && !isdigit((unsigned char)*s) ? n : 0;
}

/* Past what r->p points at, inside parentheses or not. */
static int skip_one(struct expand_reading *r, bool inside)
{
	const char *q;

	if (*r->p == '\\' && r->p[1]) {
		r->p += 2;
		return 0;
	}
	if (at_pair(r->p, '{'))
		return expand_fail(r, r->p, "braces inside braces: quote them, or write \\{ for a plain one");
	if (inside && (*r->p == '"' || *r->p == '\'') && !isalnum((unsigned char)r->p[-1])) {
		q = strchr(r->p + 1, *r->p);
		if (!q)
			return expand_fail(r, r->p, "a quote without its end: write \\%c for a plain one",
			                   *r->p);
		r->p = q;
	}
	r->p++;
	return 0;
}

/* From an opening parenthesis past the one that closes it. */
static int skip_parentheses(struct expand_reading *r)
{
	const char *open = r->p;
	uint32_t depth = 0;

	do {
		if (!*r->p || at_pair(r->p, '}'))
			return expand_fail(r, open, "'(' without its ')': write \\( for a plain one");
		depth += *r->p == '(';
		depth -= *r->p == ')';
		if (skip_one(r, true))
			return -1;
	} while (depth);
	return 0;
}

/* A range as shells write it. */
static bool is_range(const char *s, const char *e)
{
	const char *dots = NULL;

	for (const char *p = s; p < e; p++) {
		if (*p == '.' && p + 1 < e && p[1] == '.' && p > s && !dots)
			dots = p++;
		else if (!isdigit((unsigned char)*p) && !(*p == '-' && (p == s || (dots && p == dots + 2))))
			return false;
	}
	return dots && dots + 2 < e;
}

/* A value without quotes: a call of a domain, or a text. [s, e) without the blanks around; `call` is past the
 * parentheses that its name opens. */
static int add_plain(struct expand_reading *r, struct list *l, const char *s, const char *e, const char *call)
{
	const char *near = NULL, *name;

	if (s == e)
		return expand_fail(r, s, "an empty value: write \"\" for an empty text");
	if (is_range(s, e))
		return expand_fail(r, s,
		                   "%.*s is one text: for the numbers write int(A,B) (a text: quote it)",
		                   (int)(e - s < 60 ? e - s : 60), s);
	if (call == e) {
		name = arena_strndup(r->arena, s, call_name(s));
		if (domain_is_name(name, &near))
			return add_domain(r, l, s, (size_t)(e - s));
		if (near)
			return expand_fail(r, s, "unknown domain '%s', did you mean '%s'? (a text: quote it)",
			                   name, near);
	}
	add_item(r->arena, l,
	         (struct expand_item){.text = unescape(r->arena, s, (size_t)(e - s), ",{}()'\"\\")}, 1);
	return 0;
}

static int read_plain(struct expand_reading *r, struct list *l)
{
	const char *s = r->p, *e, *call = NULL;
	size_t name = call_name(s);

	while (*r->p && *r->p != ',' && !at_pair(r->p, '}')) {
		bool first = name && r->p == s + name;

		if (*r->p == '(' ? skip_parentheses(r) : skip_one(r, false))
			return -1;
		if (first)
			call = r->p;
	}
	for (e = r->p; e > s && isspace((unsigned char)e[-1]); e--)
		;
	return add_plain(r, l, s, e, call);
}

/* ---- pieces ------------------------------------------------------------------------------------------ */
static void skip_blanks(struct expand_reading *r)
{
	while (isspace((unsigned char)*r->p))
		r->p++;
}

/* Up to the }} that ends them; r->p is past the blanks after {{. */
static int read_values(struct expand_reading *r, const char *open, struct list *l)
{
	for (;; r->p++) {
		skip_blanks(r);
		if (!*r->p)
			break;
		if (*r->p == '"' || *r->p == '\'' ? read_quoted(r, l) : read_plain(r, l))
			return -1;
		skip_blanks(r);
		if (at_pair(r->p, '}'))
			return 0;
		if (*r->p && *r->p != ',')
			return expand_fail(r, r->p,
			                   "a quoted value ends at its quote: a comma or }} follows");
		if (!*r->p)
			break;
	}
	return expand_fail(r, open, "'{{' without its '}}': write \\{{ for plain ones");
}

static int read_braces(struct expand_reading *r, const char *text, struct expand_piece *out)
{
	const char *open = r->p;
	struct list l = {0};

	if (r->no_braces)
		return expand_fail(r, open, "this word has one value for all jobs: no {{ }}");
	r->p += 2;
	skip_blanks(r);
	if (!at_pair(r->p, '}') && read_values(r, open, &l))
		return -1;
	r->p += 2;
	if (!l.n && !r->group)
		return expand_fail(r, open, "no value between {{ and }}");
	if (!l.n && (open != text || *r->p))
		return expand_fail(r, open, "{{}} stands alone: name={{}} for the values there are");
	if (l.drawn && l.n > 1)
		return expand_fail(r, l.drawn, "a domain without end stands alone in its braces");
	*out = (struct expand_piece){.kind = l.drawn ? EXPAND_DRAW : EXPAND_LIST,
	                             .items = l.items,
	                             .nitems = l.n,
	                             .count = l.n ? l.count : 1};
	return 0;
}

static int read_literal(struct expand_reading *r, struct expand_piece *out)
{
	struct expand_item *item = arena_alloc(r->arena, sizeof *item);
	const char *s = r->p;
	char *text, *w;

	while (*r->p && !at_pair(r->p, '{')) {
		if (at_pair(r->p, '}'))
			return expand_fail(r, r->p, "'}}' without its '{{': write \\}} for plain ones");
		r->p += at_escaped_pair(r->p) ? 3 : 1;
	}
	w = text = arena_alloc(r->arena, (size_t)(r->p - s) + 1);
	while (s < r->p) {
		if (at_escaped_pair(s)) {
			*w++ = s[1];
			s += 2;
		}
		*w++ = *s++;
	}
	*item = (struct expand_item){.text = text, .end = 1};
	*out = (struct expand_piece){.kind = EXPAND_TEXT, .items = item, .nitems = 1, .count = 1};
	return 0;
}

int expand_read_text(struct expand_reading *r, struct expand_arg *arg)
{
	const char *text = r->p;
	struct expand_piece *pieces = NULL, *p;
	uint32_t n = 0;

	arg->count = 1;
	do { /* an empty text is a piece too */
		if ((n & (n - 1)) == 0)
			pieces = arena_grow(r->arena, pieces, n * sizeof *p, (n ? 2 * n : 1) * sizeof *p);
		p = &pieces[n++];
		if (at_pair(r->p, '{') ? read_braces(r, text, p) : read_literal(r, p))
			return -1;
		arg->count = expand_times(arg->count, p->count);
		arg->drawn = arg->drawn || p->kind == EXPAND_DRAW;
		arg->existing = p->nitems == 0;
	} while (*r->p);
	arg->pieces = pieces;
	arg->npieces = n;
	arg->text = n == 1 && pieces->kind == EXPAND_TEXT ? pieces->items->text : NULL;
	return 0;
}
