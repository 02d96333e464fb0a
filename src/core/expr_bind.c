/* Names, types and values of expressions. A value is a number, a text, or none (an inactive parameter);
 * conditions are the numbers 0 and 1. A choice can be both text and number: which one counts is decided by
 * what it is compared with. */
#include "expr_node.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- binding ----------------------------------------------------------------------------------- */

enum type { TYPE_BAD, TYPE_NUMBER, TYPE_TEXT, TYPE_MIXED, TYPE_CONDITION };

struct binder {
	const struct expr_names *names;
	size_t *at;
	struct fault *fault;
};

static enum type bind(struct binder *b, struct expr *e);

static enum type bad(struct binder *b, const struct expr *e, const char *fmt, const char *arg)
{
	char text[600];

	snprintf(text, sizeof text, fmt, arg);
	fault_set(b->fault, FAULT_STUDY, "%s", text);
	*b->at = e->at;
	return TYPE_BAD;
}

static bool truth_word(const char *s, bool *out)
{
	static const char *const words[] = {"true", "yes", "on", "false", "no", "off"};

	for (size_t i = 0; i < 6; i++)
		if (!strcmp(s, words[i])) {
			*out = i < 3;
			return true;
		}
	return false;
}

static enum type type_of_param(const struct param *p)
{
	uint32_t numbers = 0;

	if (p->kind == DOMAIN_ANY)
		return TYPE_MIXED;
	if (p->kind != DOMAIN_CONST && p->kind != DOMAIN_CHOICE)
		return TYPE_NUMBER;
	for (uint32_t i = 0; i < p->nchoices; i++)
		numbers += p->choices[i].is_num;
	return numbers == p->nchoices ? TYPE_NUMBER : numbers ? TYPE_MIXED : TYPE_TEXT;
}

static bool is_flag(const struct expr *e)
{
	bool ignored;

	if (e->op != OP_PARAM || (e->param->kind != DOMAIN_CONST && e->param->kind != DOMAIN_CHOICE))
		return false;
	for (uint32_t i = 0; i < e->param->nchoices; i++)
		if (!truth_word(e->param->choices[i].text, &ignored))
			return false;
	return true;
}

static enum type bind_name(struct binder *b, struct expr *e)
{
	struct expr_ref ref = {0};
	int found = b->names->find(b->names->ctx, e->text, &ref, b->fault);

	if (found < 0) {
		*b->at = e->at;
		return TYPE_BAD;
	}
	if (!found)
		return TYPE_TEXT; /* a bare word: still OP_NAME, the caller decides */
	e->op = OP_PARAM;
	e->phase = ref.phase;
	e->index = ref.index;
	e->param = ref.param;
	return type_of_param(ref.param);
}

static enum type unknown_name(struct binder *b, const struct expr *e)
{
	const char *near = b->names->nearest ? b->names->nearest(b->names->ctx, e->text) : NULL;
	char text[400];

	if (near)
		snprintf(text, sizeof text, "unknown parameter '%.100s', did you mean '%.100s'?", e->text,
		         near);
	else if (strchr(e->text, '-'))
		snprintf(text, sizeof text, "unknown parameter '%.100s' (a minus needs blanks around it)",
		         e->text);
	else
		snprintf(text, sizeof text, "unknown parameter '%.100s'", e->text);
	return bad(b, e, "%s", text);
}

static enum type bind_number(struct binder *b, struct expr *e)
{
	enum type t = bind(b, e);

	if (t == TYPE_BAD || t == TYPE_NUMBER)
		return t;
	if (e->op == OP_NAME)
		return unknown_name(b, e);
	if (t == TYPE_CONDITION)
		return bad(b, e, "%s", "a condition where a number is needed");
	return bad(b, e, "'%.100s' is a text, not a number", e->text);
}

static enum type bind_condition(struct binder *b, struct expr *e)
{
	enum type t = bind(b, e);

	if (t == TYPE_BAD || t == TYPE_CONDITION || (t == TYPE_TEXT && is_flag(e)))
		return t;
	if (e->op == OP_NAME && t == TYPE_TEXT)
		return unknown_name(b, e);
	return bad(b, e, "%s", "no condition: compare something, as in `lr * batch < 1`");
}

/* A word compared with a parameter must be one of its choices. */
static enum type check_word(struct binder *b, struct expr *word, const struct expr *with, enum type type)
{
	const char *near;
	const char *texts[64];
	size_t n = 0;
	char msg[500];

	if (word->op == OP_NAME && type == TYPE_NUMBER)
		return unknown_name(b, word);
	if (word->op == OP_NAME && with->op != OP_PARAM)
		return unknown_name(b, word);
	word->op = OP_TEXT;
	if (with->op != OP_PARAM || type == TYPE_NUMBER)
		return TYPE_TEXT;
	for (uint32_t i = 0; i < with->param->nchoices; i++) {
		if (!strcmp(with->param->choices[i].text, word->text))
			return TYPE_TEXT;
		if (n < 64)
			texts[n++] = with->param->choices[i].text;
	}
	near = text_nearest(word->text, texts, n);
	snprintf(msg, sizeof msg, "'%.100s' is no choice of '%.100s'%s%.100s%s", word->text, with->text,
	         near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
	return bad(b, word, "%s", msg);
}

static bool is_word(const struct expr *e)
{
	return e->op == OP_NAME || e->op == OP_TEXT;
}

/* x == y where each may be a word, a number or a parameter. */
static enum type bind_equal(struct binder *b, struct expr *x, enum type tx, struct expr *y)
{
	enum type ty = bind(b, y);

	if (tx == TYPE_BAD || ty == TYPE_BAD)
		return TYPE_BAD;
	if (x->op == OP_NAME && y->op == OP_NAME)
		return unknown_name(b, x);
	if (is_word(y) && check_word(b, y, x, tx) == TYPE_BAD)
		return TYPE_BAD;
	if (is_word(x) && check_word(b, x, y, ty) == TYPE_BAD)
		return TYPE_BAD;
	if ((tx == TYPE_TEXT && ty == TYPE_NUMBER) || (tx == TYPE_NUMBER && ty == TYPE_TEXT))
		return bad(b, x, "%s", "a text is compared with a number: that never holds");
	if (tx == TYPE_CONDITION || ty == TYPE_CONDITION)
		return bad(b, x, "%s", "a condition is compared: use `and`, `or`, `not`");
	return TYPE_CONDITION;
}

static enum type bind_in(struct binder *b, struct expr *e)
{
	enum type t = bind(b, e->args[0]);

	for (uint32_t i = 1; i < e->nargs; i++)
		if (bind_equal(b, e->args[0], t, e->args[i]) == TYPE_BAD)
			return TYPE_BAD;
	return TYPE_CONDITION;
}

static enum type bind_all(struct binder *b, struct expr *e, enum type (*one)(struct binder *, struct expr *),
                          enum type result)
{
	for (uint32_t i = 0; i < e->nargs; i++)
		if (one(b, e->args[i]) == TYPE_BAD)
			return TYPE_BAD;
	return result;
}

static enum type bind(struct binder *b, struct expr *e)
{
	switch (e->op) {
	case OP_NUMBER:
		return TYPE_NUMBER;
	case OP_TEXT:
		return TYPE_TEXT;
	case OP_NAME:
		return bind_name(b, e);
	case OP_PARAM:
		return type_of_param(e->param);
	case OP_EQ:
	case OP_NE:
		return bind_equal(b, e->args[0], bind(b, e->args[0]), e->args[1]);
	case OP_IN:
		return bind_in(b, e);
	case OP_LT:
	case OP_LE:
	case OP_GT:
	case OP_GE:
		return bind_all(b, e, bind_number, TYPE_CONDITION);
	case OP_AND:
	case OP_OR:
	case OP_NOT:
		return bind_all(b, e, bind_condition, TYPE_CONDITION);
	default:
		return bind_all(b, e, bind_number, TYPE_NUMBER);
	}
}

int expr_bind(struct expr *e, enum expr_want want, const struct expr_names *names, size_t *at,
              struct fault *f)
{
	struct binder b = {.names = names, .at = at, .fault = f};
	enum type t = want == EXPR_NUMBER ? bind_number(&b, e) : bind_condition(&b, e);

	return t == TYPE_BAD ? -1 : 0;
}

/* ---- values ------------------------------------------------------------------------------------ */

struct result {
	bool none;
	bool is_num;
	double num;
	const char *text; /* may be NULL when is_num */
};

static struct result number(double v)
{
	return (struct result){.is_num = true, .num = v};
}

static struct result of_param(const struct expr *e, const struct scope *s)
{
	const struct value *v = e->phase < s->nphases ? s->by_phase[e->phase] : NULL;

	if (!v || v[e->index].kind == VALUE_NONE)
		return (struct result){.none = true};
	v += e->index;
	if (v->kind == VALUE_CHOICE)
		return (struct result){
		    .is_num = v->u.choice->is_num, .num = v->u.choice->num, .text = v->u.choice->text};
	return number(value_number(v));
}

static bool equal(const struct result *x, const struct result *y)
{
	if (x->is_num && y->is_num)
		return x->num == y->num;
	return x->text && y->text && !strcmp(x->text, y->text);
}

static bool truth(const struct result *r)
{
	bool yes = false;

	if (r->is_num)
		return r->num != 0;
	return r->text && truth_word(r->text, &yes) && yes;
}

static double call(enum expr_func f, const double *v, uint32_t n)
{
	double best = v[0];

	switch (f) {
	case FUNC_LOG:
		return log(v[0]);
	case FUNC_EXP:
		return exp(v[0]);
	case FUNC_SQRT:
		return sqrt(v[0]);
	case FUNC_ABS:
		return fabs(v[0]);
	case FUNC_FLOOR:
		return floor(v[0]);
	case FUNC_CEIL:
		return ceil(v[0]);
	default:
		for (uint32_t i = 1; i < n; i++)
			if (f == FUNC_MIN ? v[i] < best : v[i] > best)
				best = v[i];
		return best;
	}
}

static double binary(enum expr_op op, double x, double y)
{
	switch (op) {
	case OP_ADD:
		return x + y;
	case OP_SUB:
		return x - y;
	case OP_MUL:
		return x * y;
	case OP_DIV:
		return x / y;
	case OP_MOD:
		return x - y * floor(x / y); /* of the sign of y */
	case OP_POW:
		return pow(x, y);
	case OP_LT:
		return x < y;
	case OP_LE:
		return x <= y;
	case OP_GT:
		return x > y;
	default:
		return x >= y;
	}
}

static struct result eval(const struct expr *e, const struct scope *s);

static struct result eval_call(const struct expr *e, const struct scope *s)
{
	double v[64] = {0};

	for (uint32_t i = 0; i < e->nargs; i++) {
		struct result r = eval(e->args[i], s);

		if (r.none)
			return r;
		v[i] = r.num;
	}
	return number(call(e->func, v, e->nargs));
}

static struct result eval_in(const struct expr *e, const struct scope *s)
{
	struct result x = eval(e->args[0], s);
	bool found = false;

	for (uint32_t i = 1; i < e->nargs && !x.none; i++) {
		struct result y = eval(e->args[i], s);

		if (y.none)
			return y;
		found = found || equal(&x, &y);
	}
	return x.none ? x : number(found);
}

static struct result eval(const struct expr *e, const struct scope *s)
{
	struct result x, y = {0};

	if (e->op == OP_NUMBER)
		return number(e->number);
	if (e->op == OP_TEXT)
		return (struct result){.text = e->text};
	if (e->op == OP_PARAM)
		return of_param(e, s);
	if (e->op == OP_CALL)
		return eval_call(e, s);
	if (e->op == OP_IN)
		return eval_in(e, s);
	if (e->nargs == 0)
		return (struct result){.none = true}; /* a name never bound */
	x = eval(e->args[0], s);
	if (e->nargs > 1)
		y = eval(e->args[1], s);
	if (x.none || y.none)
		return (struct result){.none = true};
	switch (e->op) {
	case OP_NEG:
		return number(-x.num);
	case OP_NOT:
		return number(!truth(&x));
	case OP_AND:
		return number(truth(&x) && truth(&y));
	case OP_OR:
		return number(truth(&x) || truth(&y));
	case OP_EQ:
		return number(equal(&x, &y));
	case OP_NE:
		return number(!equal(&x, &y));
	default:
		return number(binary(e->op, x.num, y.num));
	}
}

bool expr_holds(const struct expr *e, const struct scope *s, bool if_inactive)
{
	struct result r = eval(e, s);

	return r.none ? if_inactive : truth(&r);
}

double expr_number(const struct expr *e, const struct scope *s)
{
	struct result r;

	if (e->op == OP_NUMBER)
		return e->number;
	r = eval(e, s);
	return r.none || !r.is_num ? NAN : r.num;
}

/* ---- questions --------------------------------------------------------------------------------- */

void expr_visit(const struct expr *e, void (*fn)(void *ctx, uint32_t phase, uint32_t index), void *ctx)
{
	if (e->op == OP_PARAM)
		fn(ctx, e->phase, e->index);
	for (uint32_t i = 0; i < e->nargs; i++)
		expr_visit(e->args[i], fn, ctx);
}

bool expr_is_constant(const struct expr *e)
{
	bool all = e->op != OP_PARAM && e->op != OP_NAME;

	for (uint32_t i = 0; all && i < e->nargs; i++)
		all = expr_is_constant(e->args[i]);
	return all;
}

uint32_t expr_nodes(const struct expr *e)
{
	uint32_t n = 1;

	for (uint32_t i = 0; i < e->nargs; i++)
		n += expr_nodes(e->args[i]);
	return n;
}
