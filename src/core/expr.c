/* Recursive descent over the precedence table below; loosest first. Comparisons do not chain. */
#include "expr_node.h"
#include "text.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

struct parser {
	struct arena *arena;
	const char *start, *p, *end;
	uint32_t depth;
	struct fault *fault;
	const char *bad; /* where the mistake is */
};

static struct expr *parse_or(struct parser *ps);

static struct expr *fail(struct parser *ps, const char *at, const char *text)
{
	if (!ps->bad) {
		ps->bad = at;
		fault_set(ps->fault, FAULT_STUDY, "%s", text);
	}
	return NULL;
}

static void skip_blanks(struct parser *ps)
{
	while (ps->p < ps->end && isspace((unsigned char)*ps->p))
		ps->p++;
}

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* Takes `word` if it comes next; letters must not go on after it. */
static bool take(struct parser *ps, const char *word)
{
	size_t n = strlen(word);

	skip_blanks(ps);
	if ((size_t)(ps->end - ps->p) < n || memcmp(ps->p, word, n) != 0)
		return false;
	if (isalpha((unsigned char)word[0]) && ps->p + n < ps->end && name_char(ps->p[n]))
		return false;
	ps->p += n;
	return true;
}

static struct expr *node(struct parser *ps, enum expr_op op, const char *at, struct expr *x, struct expr *y)
{
	struct expr *e = arena_alloc(ps->arena, sizeof *e);

	e->op = op;
	e->at = (uint32_t)(at - ps->start);
	e->nargs = (uint32_t)(x != NULL) + (uint32_t)(y != NULL);
	if (e->nargs) {
		e->args = arena_array(ps->arena, e->nargs, sizeof(struct expr *));
		e->args[0] = x;
		if (y)
			e->args[1] = y;
	}
	return e;
}

static void add_arg(struct parser *ps, struct expr *e, struct expr *arg)
{
	if ((e->nargs & (e->nargs - 1)) == 0) /* full at powers of two */
		e->args = arena_grow(ps->arena, e->args, e->nargs * sizeof *e->args,
		                     (e->nargs ? 2 * e->nargs : 1) * sizeof *e->args);
	e->args[e->nargs++] = arg;
}

/* ---- the leaves -------------------------------------------------------------------------------- */

static struct expr *parse_number(struct parser *ps)
{
	const char *at = ps->p, *q = at;
	struct expr *e;

	while (q < ps->end && (isalnum((unsigned char)*q) || *q == '.' ||
	                       ((*q == '-' || *q == '+') && (q[-1] == 'e' || q[-1] == 'E'))))
		q++;
	e = node(ps, OP_NUMBER, at, NULL, NULL);
	if (!text_parse_double(at, (size_t)(q - at), &e->number) || !isfinite(e->number))
		return fail(
		    ps, at,
		    arena_printf(ps->arena, "'%.*s' is no number", (int)(q - at < 40 ? q - at : 40), at));
	ps->p = q;
	return e;
}

static struct expr *parse_quoted(struct parser *ps)
{
	const char *at = ps->p, *q = memchr(at + 1, *at, (size_t)(ps->end - at - 1));
	struct expr *e;

	if (!q)
		return fail(ps, at, "a quote without its end");
	e = node(ps, OP_TEXT, at, NULL, NULL);
	e->text = arena_strndup(ps->arena, at + 1, (size_t)(q - at - 1));
	ps->p = q + 1;
	return e;
}

static const struct {
	const char *name;
	enum expr_func func;
	uint32_t min, max;
} functions[] = {{"min", FUNC_MIN, 1, 64},    {"max", FUNC_MAX, 1, 64},  {"log", FUNC_LOG, 1, 1},
                 {"exp", FUNC_EXP, 1, 1},     {"sqrt", FUNC_SQRT, 1, 1}, {"abs", FUNC_ABS, 1, 1},
                 {"floor", FUNC_FLOOR, 1, 1}, {"ceil", FUNC_CEIL, 1, 1}};
enum { NFUNCTIONS = sizeof functions / sizeof *functions };

/* Comma-separated arguments up to `close`, appended to e. */
static struct expr *parse_args(struct parser *ps, struct expr *e, const char *close, const char *missing)
{
	do {
		struct expr *arg = parse_or(ps);

		if (!arg)
			return NULL;
		add_arg(ps, e, arg);
	} while (take(ps, ","));
	return take(ps, close) ? e : fail(ps, ps->p, missing);
}

static struct expr *parse_call(struct parser *ps, const char *name, const char *at)
{
	struct expr *e = node(ps, OP_CALL, at, NULL, NULL);

	for (size_t i = 0; i < NFUNCTIONS; i++) {
		if (strcmp(functions[i].name, name) != 0)
			continue;
		e->func = functions[i].func;
		if (!parse_args(ps, e, ")", "a ')' is missing"))
			return NULL;
		if (e->nargs < functions[i].min || e->nargs > functions[i].max)
			return fail(ps, at,
			            arena_printf(ps->arena, "%s() takes %s", name,
			                         functions[i].max == 1 ? "one value" : "1 to 64 values"));
		return e;
	}
	return fail(ps, at,
	            arena_printf(ps->arena,
	                         "unknown function '%.60s': known are min max log exp sqrt abs floor ceil",
	                         name));
}

static struct expr *parse_name(struct parser *ps)
{
	const char *at = ps->p, *q = at;
	struct expr *e;
	char *name;

	while (q < ps->end &&
	       (name_char(*q) || (*q == '-' && q + 1 < ps->end && isalpha((unsigned char)q[1]))))
		q++;
	name = arena_strndup(ps->arena, at, (size_t)(q - at));
	ps->p = q;
	if (take(ps, "("))
		return parse_call(ps, name, at);
	e = node(ps, OP_NAME, at, NULL, NULL);
	e->text = name;
	return e;
}

static struct expr *parse_primary(struct parser *ps)
{
	const char *at;
	struct expr *e;

	skip_blanks(ps);
	at = ps->p;
	if (at == ps->end)
		return fail(ps, at, "the expression ends where a value should follow");
	if (isdigit((unsigned char)*at) || *at == '.')
		return parse_number(ps);
	if (*at == '"' || *at == '\'')
		return parse_quoted(ps);
	if (isalpha((unsigned char)*at) || *at == '_')
		return parse_name(ps);
	if (!take(ps, "("))
		return fail(ps, at, arena_printf(ps->arena, "'%c' where a value should stand", *at));
	e = parse_or(ps);
	return !e || take(ps, ")") ? e : fail(ps, ps->p, "a ')' is missing");
}

/* ---- operators --------------------------------------------------------------------------------- */

static struct expr *parse_unary(struct parser *ps);

/* Binds tighter than a sign before it, and to the right: -2^2 is -4, 2^3^2 is 512. */
static struct expr *parse_power(struct parser *ps)
{
	struct expr *x = parse_primary(ps), *y;

	if (!x || !(take(ps, "**") || take(ps, "^")))
		return x;
	y = parse_unary(ps);
	return y ? node(ps, OP_POW, ps->start + x->at, x, y) : NULL;
}

static struct expr *parse_unary(struct parser *ps)
{
	const char *at;
	struct expr *x;

	if (++ps->depth > EXPR_MAX_DEPTH)
		return fail(ps, ps->p, "nested too deep");
	skip_blanks(ps);
	at = ps->p;
	if (take(ps, "-")) {
		x = parse_unary(ps);
		x = x ? node(ps, OP_NEG, at, x, NULL) : NULL;
	} else {
		x = take(ps, "+") ? parse_unary(ps) : parse_power(ps);
	}
	ps->depth--;
	return x;
}

struct op_text {
	const char *text;
	enum expr_op op;
};

/* One level of left-associative operators. */
static struct expr *parse_left(struct parser *ps, const struct op_text *ops, size_t n,
                               struct expr *(*next)(struct parser *))
{
	struct expr *x = next(ps);

	while (x) {
		struct expr *y;
		size_t i = 0;

		while (i < n && !take(ps, ops[i].text))
			i++;
		if (i == n)
			return x;
		y = next(ps);
		x = y ? node(ps, ops[i].op, ps->start + x->at, x, y) : NULL;
	}
	return NULL;
}

static struct expr *parse_product(struct parser *ps)
{
	static const struct op_text ops[] = {{"*", OP_MUL}, {"/", OP_DIV}, {"%", OP_MOD}};

	return parse_left(ps, ops, 3, parse_unary);
}

static struct expr *parse_sum(struct parser *ps)
{
	static const struct op_text ops[] = {{"+", OP_ADD}, {"-", OP_SUB}};

	return parse_left(ps, ops, 2, parse_product);
}

static struct expr *parse_in(struct parser *ps, struct expr *x)
{
	struct expr *e = node(ps, OP_IN, ps->start + x->at, NULL, NULL);

	add_arg(ps, e, x);
	if (!take(ps, "["))
		return fail(ps, ps->p, "`in` wants a list: optimizer in [sgd, adam]");
	return parse_args(ps, e, "]", "a ']' is missing");
}

static struct expr *parse_comparison(struct parser *ps)
{
	static const struct op_text ops[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<=", OP_LE},
	                                     {">=", OP_GE}, {"<", OP_LT},  {">", OP_GT}};
	struct expr *x = parse_sum(ps), *y;

	if (!x)
		return NULL;
	if (take(ps, "in"))
		return parse_in(ps, x);
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		if (!take(ps, ops[i].text))
			continue;
		y = parse_sum(ps);
		return y ? node(ps, ops[i].op, ps->start + x->at, x, y) : NULL;
	}
	skip_blanks(ps);
	if (ps->p < ps->end && *ps->p == '=')
		return fail(ps, ps->p, "'=': to compare write '=='");
	return x;
}

static struct expr *parse_not(struct parser *ps)
{
	const char *at;
	struct expr *x;

	if (++ps->depth > EXPR_MAX_DEPTH)
		return fail(ps, ps->p, "nested too deep");
	skip_blanks(ps);
	at = ps->p;
	if (take(ps, "not") || take(ps, "!")) {
		x = parse_not(ps);
		x = x ? node(ps, OP_NOT, at, x, NULL) : NULL;
	} else {
		x = parse_comparison(ps);
	}
	ps->depth--;
	return x;
}

static struct expr *parse_and(struct parser *ps)
{
	static const struct op_text ops[] = {{"and", OP_AND}, {"&&", OP_AND}};

	return parse_left(ps, ops, 2, parse_not);
}

static struct expr *parse_or(struct parser *ps)
{
	static const struct op_text ops[] = {{"or", OP_OR}, {"||", OP_OR}};

	return parse_left(ps, ops, 2, parse_and);
}

struct expr *expr_parse(struct arena *a, const char *text, size_t n, size_t *at, struct fault *f)
{
	struct parser ps = {.arena = a, .start = text, .p = text, .end = text + n, .fault = f};
	struct expr *e;

	*at = 0;
	if (n > EXPR_MAX_BYTES) {
		fault_set(f, FAULT_STUDY, "an expression of more than %d bytes", EXPR_MAX_BYTES);
		return NULL;
	}
	e = parse_or(&ps);
	skip_blanks(&ps);
	if (e && ps.p < ps.end)
		e = fail(&ps, ps.p,
		         arena_printf(a, "'%.*s' is not expected here",
		                      (int)(ps.end - ps.p < 20 ? ps.end - ps.p : 20), ps.p));
	if (!e)
		*at = (size_t)(ps.bad - text);
	return e;
}

struct expr *expr_constant(struct arena *a, double v)
{
	struct expr *e = arena_alloc(a, sizeof *e);

	e->op = OP_NUMBER;
	e->number = v;
	return e;
}
