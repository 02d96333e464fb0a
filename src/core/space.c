#include "space.h"
#include "domain.h"
#include "expr.h"
#include "normal.h"

#include <math.h>
#include <string.h>

/* ---- bounds of one parameter in one scope ------------------------------------------------------ */

struct bounds {
	double lo, hi; /* mu and sigma of normal */
};

/* False when they hold no value here: out of order, not finite, or named through an inactive parameter. */
static bool get_bounds(const struct param *p, const struct scope *s, struct bounds *b)
{
	b->lo = expr_number(p->lo, s);
	b->hi = expr_number(p->hi, s);
	if (!isfinite(b->lo) || !isfinite(b->hi))
		return false;
	switch (p->kind) {
	case DOMAIN_NORMAL:
		return b->hi > 0;
	case DOMAIN_LOG:
		return b->lo > 0 && b->lo <= b->hi;
	case DOMAIN_INT:
	case DOMAIN_LOGINT:
		b->lo = ceil(b->lo);
		b->hi = floor(b->hi);
		return b->lo <= b->hi && b->lo >= (p->kind == DOMAIN_LOGINT ? 1 : -0x1p53) && b->hi <= 0x1p53;
	default:
		return b->lo <= b->hi && isfinite(b->hi - b->lo);
	}
}

static bool has_choices(const struct param *p)
{
	return p->kind == DOMAIN_CONST || p->kind == DOMAIN_CHOICE || p->kind == DOMAIN_POINTS;
}

static int64_t int_count(const struct param *p, const struct bounds *b)
{
	return (int64_t)floor((b->hi - b->lo) / (double)p->step) + 1;
}

/* ---- draws ------------------------------------------------------------------------------------- */

static double clamp(double v, double lo, double hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

static struct value int_value(double v)
{
	return (struct value){.kind = VALUE_INT, .u.i = (int64_t)v};
}

static struct value real_value(double v)
{
	return (struct value){.kind = VALUE_REAL, .u.r = v};
}

static struct value choice_value(const struct choice *c)
{
	return (struct value){.kind = VALUE_CHOICE, .u.choice = c};
}

static uint64_t slot(double u, uint64_t n)
{
	uint64_t i = (uint64_t)(u * (double)n);

	return i < n ? i : n - 1;
}

static bool draw_one(const struct param *p, const struct scope *s, double u, struct value *v)
{
	struct bounds b;

	if (p->kind == DOMAIN_ANY)
		return false;
	if (has_choices(p)) {
		*v = choice_value(&p->choices[slot(u, p->nchoices)]);
		return true;
	}
	if (!get_bounds(p, s, &b))
		return false;
	switch (p->kind) {
	case DOMAIN_INT:
		*v = int_value(b.lo + (double)p->step * (double)slot(u, (uint64_t)int_count(p, &b)));
		break;
	case DOMAIN_LOGINT: /* each integer owns the unit interval around it */
		*v = int_value(
		    clamp(round(exp(log(b.lo - 0.5) + u * log((b.hi + 0.5) / (b.lo - 0.5)))), b.lo, b.hi));
		break;
	case DOMAIN_LOG:
		*v = real_value(clamp(exp(log(b.lo) + u * (log(b.hi) - log(b.lo))), b.lo, b.hi));
		break;
	case DOMAIN_NORMAL:
		*v = real_value(b.lo + b.hi * normal_quantile(clamp(u, 0x1p-54, 1 - 0x1p-53)));
		break;
	default:
		*v = real_value(clamp(b.lo + u * (b.hi - b.lo), b.lo, b.hi));
		break;
	}
	return true;
}

void space_each_expr(const struct space *s, void (*fn)(void *ctx, const struct expr *e), void *ctx)
{
	for (uint32_t k = 0; k < s->nparams; k++) {
		const struct expr *e[] = {s->params[k].lo, s->params[k].hi, s->params[k].cond};

		for (int i = 0; i < 3; i++)
			if (e[i])
				fn(ctx, e[i]);
	}
	for (uint32_t k = 0; k < s->nrequire; k++)
		fn(ctx, s->require[k]);
}

const char *space_broken_rule(const struct space *s, const struct scope *scope)
{
	for (uint32_t i = 0; i < s->nrequire; i++)
		if (!expr_holds(s->require[i], scope, true))
			return s->require_text[i];
	return NULL;
}

bool space_draw(const struct space *s, const struct scope *scope, const double *u, struct value *own)
{
	if (s->nparams)
		memset(own, 0, s->nparams * sizeof *own);
	for (uint32_t i = 0; i < s->nparams; i++) {
		uint32_t k = s->order[i];
		const struct param *p = &s->params[k];

		if (p->cond && !expr_holds(p->cond, scope, false))
			continue;
		if (!draw_one(p, scope, u[k], &own[k]))
			return false;
	}
	return !space_broken_rule(s, scope);
}

/* ---- where values lie --------------------------------------------------------------------------- */

struct part {
	double lo, hi;
};

static struct part slot_of(double i, double n)
{
	return (struct part){i / n, (i + 1) / n};
}

static struct part point(double u)
{
	u = clamp(u, 0, 1);
	return (struct part){u, u};
}

static struct part nowhere(void)
{
	return (struct part){(double)NAN, (double)NAN};
}

static struct part locate_choice(const struct param *p, const struct value *v)
{
	if (v->kind != VALUE_CHOICE)
		return nowhere();
	if (v->u.choice >= p->choices && v->u.choice < p->choices + p->nchoices)
		return slot_of((double)(v->u.choice - p->choices), p->nchoices);
	for (uint32_t i = 0; i < p->nchoices; i++)
		if (!strcmp(v->u.choice->text, p->choices[i].text))
			return slot_of(i, p->nchoices);
	return nowhere();
}

static double between(double x, double lo, double hi)
{
	return lo < hi ? (x - lo) / (hi - lo) : 0.5;
}

static struct part locate_number(const struct param *p, const struct bounds *b, double x)
{
	double width;

	if (p->kind == DOMAIN_NORMAL)
		return point(normal_cdf((x - b->lo) / b->hi));
	if (!(x >= b->lo && x <= b->hi))
		return nowhere();
	switch (p->kind) {
	case DOMAIN_INT:
		return slot_of(floor((x - b->lo) / (double)p->step), (double)int_count(p, b));
	case DOMAIN_LOGINT:
		width = log((b->hi + 0.5) / (b->lo - 0.5));
		return (struct part){log((x - 0.5) / (b->lo - 0.5)) / width,
		                     log((x + 0.5) / (b->lo - 0.5)) / width};
	case DOMAIN_LOG:
		return point(between(log(x), log(b->lo), log(b->hi)));
	default:
		return point(between(x, b->lo, b->hi));
	}
}

void space_locate(const struct space *s, const struct scope *scope, const struct value *own, double *lo,
                  double *hi)
{
	for (uint32_t k = 0; k < s->nparams; k++) {
		const struct param *p = &s->params[k];
		struct part at = nowhere();
		struct bounds b;

		if (has_choices(p))
			at = locate_choice(p, &own[k]);
		else if (own[k].kind != VALUE_NONE && p->kind != DOMAIN_ANY && get_bounds(p, scope, &b))
			at = locate_number(p, &b, value_number(&own[k]));
		lo[k] = at.lo;
		hi[k] = at.hi;
	}
}

/* ---- grid -------------------------------------------------------------------------------------- */

static int64_t param_size(const struct param *p)
{
	const struct scope none = {0};
	struct bounds b;

	if (has_choices(p))
		return p->nchoices;
	if (p->kind != DOMAIN_INT && p->kind != DOMAIN_LOGINT)
		return SPACE_INFINITE;
	if (!expr_is_constant(p->lo) || !expr_is_constant(p->hi) || !get_bounds(p, &none, &b))
		return SPACE_INFINITE;
	return int_count(p, &b);
}

int64_t space_size(const struct space *s)
{
	int64_t size = 1;

	for (uint32_t i = 0; i < s->nparams; i++) {
		int64_t n = param_size(&s->params[i]);

		if (n == SPACE_INFINITE)
			return SPACE_INFINITE;
		size = n && size > INT64_MAX / n ? INT64_MAX : size * n;
	}
	return size;
}

static bool grid_one(const struct param *p, int64_t digit, struct value *v)
{
	const struct scope none = {0};
	struct bounds b;

	if (has_choices(p))
		*v = choice_value(&p->choices[digit]);
	else if (get_bounds(p, &none, &b))
		*v = int_value(b.lo + (double)p->step * (double)digit);
	else
		return false;
	return true;
}

bool space_grid_point(const struct space *s, const struct scope *scope, int64_t index, struct value *own)
{
	for (uint32_t i = s->nparams; i-- > 0;) {
		int64_t n = param_size(&s->params[i]);

		if (n <= 0)
			return false;
		/* Until its condition is known the value is a bare digit. */
		own[i] = (struct value){.kind = VALUE_NONE, .u.i = index % n};
		index /= n;
	}
	for (uint32_t i = 0; i < s->nparams; i++) {
		uint32_t k = s->order[i];
		const struct param *p = &s->params[k];
		int64_t digit = own[k].u.i;

		own[k] = (struct value){0};
		if (p->cond && !expr_holds(p->cond, scope, false)) {
			if (digit != 0)
				return false;
		} else if (!grid_one(p, digit, &own[k])) {
			return false;
		}
	}
	return !space_broken_rule(s, scope);
}

/* ---- values given by people -------------------------------------------------------------------- */

static bool is_choice_of(const struct param *p, const struct value *v)
{
	for (uint32_t i = 0; i < p->nchoices; i++)
		if (v->u.choice == &p->choices[i] || !strcmp(v->u.choice->text, p->choices[i].text))
			return true;
	return false;
}

static bool in_bounds(const struct param *p, const struct scope *s, const struct value *v)
{
	double x = value_number(v);
	struct bounds b;

	if (!get_bounds(p, s, &b))
		return false;
	if (p->kind == DOMAIN_NORMAL)
		return isfinite(x);
	if (p->kind == DOMAIN_INT && (v->kind != VALUE_INT || fmod(x - b.lo, (double)p->step) != 0))
		return false;
	if (p->kind == DOMAIN_LOGINT && v->kind != VALUE_INT)
		return false;
	return x >= b.lo && x <= b.hi;
}

static int check_one(const struct param *p, const struct scope *s, const struct value *v, struct fault *f)
{
	char buf[TEXT_NUMBER];
	bool ok;

	if (p->kind == DOMAIN_ANY)
		return 0;
	if (v->kind == VALUE_NONE)
		return fault_set(f, FAULT_STUDY, "'%.100s' has no value", p->name);
	ok = has_choices(p) ? v->kind == VALUE_CHOICE && is_choice_of(p, v)
	                    : v->kind != VALUE_CHOICE && in_bounds(p, s, v);
	return ok ? 0
	          : fault_set(f, FAULT_STUDY, "%.100s=%.100s does not lie in %.200s", p->name,
	                      value_text(v, buf), p->text);
}

int space_check_values(const struct space *s, const struct scope *scope, const struct value *own,
                       struct fault *f)
{
	for (uint32_t i = 0; i < s->nparams; i++) {
		uint32_t k = s->order[i];
		const struct param *p = &s->params[k];

		if (!p->cond || expr_holds(p->cond, scope, false)) {
			if (check_one(p, scope, &own[k], f))
				return -1;
		} else if (own[k].kind != VALUE_NONE) {
			return fault_set(f, FAULT_STUDY, "'%.100s' is not active here: it is %.200s", p->name,
			                 p->text);
		}
	}
	return 0;
}

int space_check(const struct space *s, const struct scope *scope, const struct value *own, struct fault *f)
{
	const char *rule;

	if (space_check_values(s, scope, own, f))
		return -1;
	rule = space_broken_rule(s, scope);
	return rule ? fault_set(f, FAULT_STUDY, "`require: %.200s` does not hold", rule) : 0;
}

static bool parse_choice(struct arena *a, const struct param *p, const char *text, struct value *out)
{
	struct choice *c;

	for (uint32_t i = 0; i < p->nchoices; i++)
		if (!strcmp(p->choices[i].text, text)) {
			*out = choice_value(&p->choices[i]);
			return true;
		}
	c = arena_alloc(a, sizeof *c);
	*c = domain_choice(a, text, strlen(text));
	for (uint32_t i = 0; c->is_num && i < p->nchoices; i++)
		if (p->choices[i].is_num && p->choices[i].num == c->num)
			c = memcpy(c, &p->choices[i], sizeof *c); /* 0.10 means the choice 0.1 */
	*out = choice_value(c);
	return true;
}

bool value_parse(struct arena *a, const struct param *p, const char *text, struct value *out)
{
	size_t n = strlen(text);
	int64_t i;
	double r;

	if (has_choices(p) || p->kind == DOMAIN_ANY)
		return parse_choice(a, p, text, out);
	if (p->kind == DOMAIN_INT || p->kind == DOMAIN_LOGINT) {
		if (!text_parse_int(text, n, &i) || i > (1LL << 53) || i < -(1LL << 53))
			return false;
		*out = (struct value){.kind = VALUE_INT, .u.i = i};
		return true;
	}
	if (!text_parse_double(text, n, &r) || !isfinite(r))
		return false;
	*out = real_value(r);
	return true;
}

const char *value_text(const struct value *v, char buf[TEXT_NUMBER])
{
	switch (v->kind) {
	case VALUE_CHOICE:
		return v->u.choice->text;
	case VALUE_INT:
		text_int(buf, v->u.i);
		return buf;
	case VALUE_REAL:
		text_double(buf, v->u.r);
		return buf;
	default:
		return "";
	}
}

double value_number(const struct value *v)
{
	switch (v->kind) {
	case VALUE_CHOICE:
		return v->u.choice->num;
	case VALUE_INT:
		return (double)v->u.i;
	case VALUE_REAL:
		return v->u.r;
	default:
		return NAN;
	}
}
