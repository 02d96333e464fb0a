#include "domain.h"
#include "bytes.h"
#include "rng.h"
#include "text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct piece {
	const char *s;
	size_t n;
};

static struct piece trim(const char *s, const char *end)
{
	while (s < end && isspace((unsigned char)*s))
		s++;
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	return (struct piece){s, (size_t)(end - s)};
}

/* The next place from s on, outside quotes and brackets, where `stop` says so; end when there is none. */
static const char *scan(const char *s, const char *end, bool (*stop)(const char *s, const char *end))
{
	int depth = 0;

	for (const char *from = s; s < end; s++) {
		if (depth == 0 && stop(s, end))
			return s;
		if (*s == '\\' && s + 1 < end)
			s++;
		else if ((*s == '"' || *s == '\'') && (s == from || !isalnum((unsigned char)s[-1]))) {
			const char *q = memchr(s + 1, *s, (size_t)(end - s - 1));

			if (q) /* else: an apostrophe */
				s = q;
		} else if (*s == '(' || *s == '[')
			depth++;
		else if ((*s == ')' || *s == ']') && depth > 0)
			depth--;
	}
	return end;
}

static bool at_comma(const char *s, const char *end)
{
	(void)end;
	return *s == ',';
}

static bool at_if(const char *s, const char *end)
{
	return end - s >= 3 && isspace((unsigned char)s[0]) && s[1] == 'i' && s[2] == 'f' &&
	       (end - s == 3 || isspace((unsigned char)s[3]));
}

/* ---- choices ----------------------------------------------------------------------------------- */

struct choice domain_choice(struct arena *a, const char *text, size_t n)
{
	struct choice c = {.text = arena_strndup(a, text, n), .num = NAN};
	double v;

	if (text_parse_double(text, n, &v) && isfinite(v)) {
		c.num = v;
		c.is_num = true;
	}
	return c;
}

/* One of several choices as written: quotes are taken off, `\,` is a comma. */
static struct choice written_choice(struct arena *a, struct piece p)
{
	char *buf = arena_alloc(a, p.n + 1);
	size_t n = 0;

	if (p.n >= 2 && (*p.s == '"' || *p.s == '\'') && p.s[p.n - 1] == *p.s)
		return domain_choice(a, p.s + 1, p.n - 2);
	for (size_t i = 0; i < p.n; i++) {
		if (p.s[i] == '\\' && i + 1 < p.n)
			i++;
		buf[n++] = p.s[i];
	}
	return domain_choice(a, buf, n);
}

static const char *find_duplicate(struct arena *a, const struct choice *c, uint32_t n)
{
	uint32_t size = 16;
	const char **slots;

	while (size < 2 * n)
		size *= 2;
	slots = arena_array(a, size, sizeof *slots);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t h = (uint32_t)rng_hash(1, c[i].text, strlen(c[i].text)) & (size - 1);

		while (slots[h] && strcmp(slots[h], c[i].text) != 0)
			h = (h + 1) & (size - 1);
		if (slots[h])
			return c[i].text;
		slots[h] = c[i].text;
	}
	return NULL;
}

static bool plain_word(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && strcspn(s, ",()[]\"'\\{}\n\t") == n && s[0] != ' ' && s[n - 1] != ' ' &&
	       !strstr(s, " if ");
}

static const char *list_text(struct arena *a, const struct choice *c, uint32_t n)
{
	struct bytes b = {0};
	const char *out;

	text_put(&b, "[");
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			text_put(&b, ", ");
		if (plain_word(c[i].text))
			text_put(&b, c[i].text);
		else
			text_put_json(&b, c[i].text, strlen(c[i].text));
	}
	text_put(&b, "]");
	out = arena_strndup(a, (const char *)b.data, b.len);
	bytes_finish(&b);
	return out;
}

static int finish_choices(struct arena *a, struct choice *c, uint32_t n, struct param *p, struct fault *f)
{
	const char *twice = find_duplicate(a, c, n);

	if (n == 0)
		return fault_set(f, FAULT_STUDY, "no choices: give at least one");
	if (twice)
		return fault_set(f, FAULT_STUDY, "the choice '%.100s' is there twice", twice);
	p->kind = DOMAIN_CHOICE;
	p->choices = c;
	p->nchoices = n;
	p->ordered = true;
	for (uint32_t i = 0; i < n; i++)
		p->ordered = p->ordered && c[i].is_num;
	p->text = list_text(a, c, n);
	return 0;
}

int domain_choices(struct arena *a, const char *const *texts, size_t n, struct param *p, struct fault *f)
{
	struct choice *c;

	if (n > DOMAIN_MAX_CHOICES)
		return fault_set(f, FAULT_STUDY, "more than %d choices", DOMAIN_MAX_CHOICES);
	c = arena_array(a, n, sizeof *c);
	for (size_t i = 0; i < n; i++)
		c[i] = domain_choice(a, texts[i], strlen(texts[i]));
	return finish_choices(a, c, (uint32_t)n, p, f);
}

static int parse_choices(struct arena *a, struct piece list, struct param *p, size_t *at, const char *text,
                         struct fault *f)
{
	const char *s = list.s, *end = list.s + list.n;
	struct choice *c = NULL;
	uint32_t n = 0;

	*at = (size_t)(list.s - text);
	while (list.n) {
		const char *q = scan(s, end, at_comma);
		struct piece w = trim(s, q);

		*at = (size_t)(w.s - text);
		if (w.n == 0)
			return fault_set(f, FAULT_STUDY, "an empty choice: write \"\" for an empty text");
		if (n == DOMAIN_MAX_CHOICES)
			return fault_set(f, FAULT_STUDY, "more than %d choices", DOMAIN_MAX_CHOICES);
		if ((n & (n - 1)) == 0) /* full at powers of two */
			c = arena_grow(a, c, n * sizeof *c, (n ? 2 * n : 1) * sizeof *c);
		c[n++] = written_choice(a, w);
		if (q == end)
			break;
		s = q + 1;
	}
	return finish_choices(a, c, n, p, f);
}

/* ---- expanded points --------------------------------------------------------------------------- */

static double round12(double v)
{
	char buf[64];
	int n = snprintf(buf, sizeof buf, "%.12g", v);

	text_parse_double(buf, (size_t)n, &v);
	return v;
}

static void add_point(struct arena *a, struct choice *c, double v)
{
	char buf[TEXT_NUMBER];
	size_t n = text_double(buf, v == 0 ? 0 : v);

	*c = (struct choice){.text = arena_strndup(a, buf, n), .num = v, .is_num = true};
}

static int space_points(struct arena *a, const double v[3], bool logarithmic, struct param *p,
                        struct fault *f)
{
	uint32_t n;
	struct choice *c;

	if (!(v[2] >= 1 && v[2] <= DOMAIN_MAX_CHOICES && v[2] == floor(v[2])))
		return fault_set(f, FAULT_STUDY, "the number of points must be a whole number from 1 to %d",
		                 DOMAIN_MAX_CHOICES);
	if (logarithmic && (v[0] <= 0 || v[1] <= 0))
		return fault_set(f, FAULT_STUDY, "logspace needs bounds above 0");
	n = (uint32_t)v[2];
	c = arena_array(a, n, sizeof *c);
	for (uint32_t i = 0; i < n; i++) {
		double t = n > 1 ? (double)i / (n - 1) : 0;
		double x =
		    logarithmic ? exp(log(v[0]) + t * (log(v[1]) - log(v[0]))) : v[0] + t * (v[1] - v[0]);

		add_point(a, &c[i], i == 0 ? v[0] : i + 1 == n ? v[1] : round12(x));
	}
	p->choices = c;
	p->nchoices = n;
	return 0;
}

static int range_points(struct arena *a, const double v[3], struct param *p, struct fault *f)
{
	double n = ceil((v[1] - v[0]) / v[2] - 1e-9);
	struct choice *c;

	if (!(v[2] != 0))
		return fault_set(f, FAULT_STUDY, "the step of range must not be 0");
	if (!(n >= 1))
		return fault_set(f, FAULT_STUDY,
		                 "an empty range: the step must lead from the first bound "
		                 "towards the second");
	if (n > DOMAIN_MAX_CHOICES)
		return fault_set(f, FAULT_STUDY, "a range of more than %d points", DOMAIN_MAX_CHOICES);
	c = arena_array(a, (size_t)n, sizeof *c);
	for (uint32_t i = 0; i < (uint32_t)n; i++)
		add_point(a, &c[i], round12(v[0] + i * v[2]));
	p->choices = c;
	p->nchoices = (uint32_t)n;
	return 0;
}

static int parse_points(struct arena *a, const char *name, struct expr **e, struct param *p, struct fault *f)
{
	struct scope none = {0};
	double v[3];
	const char *twice;

	for (int i = 0; i < 3; i++) {
		v[i] = expr_is_constant(e[i]) ? expr_number(e[i], &none) : NAN;
		if (!isfinite(v[i]))
			return fault_set(f, FAULT_STUDY, "%s needs plain numbers", name);
	}
	p->kind = DOMAIN_POINTS;
	p->ordered = true;
	if (!strcmp(name, "range") ? range_points(a, v, p, f)
	                           : space_points(a, v, !strcmp(name, "logspace"), p, f))
		return -1;
	twice = find_duplicate(a, p->choices, p->nchoices);
	return twice ? fault_set(f, FAULT_STUDY, "the point %s comes twice", twice) : 0;
}

/* ---- functions --------------------------------------------------------------------------------- */

static const struct shape {
	const char *name;
	enum domain_kind kind;
	uint32_t min, max; /* arguments */
	const char *usage;
} shapes[] = {{"uniform", DOMAIN_UNIFORM, 2, 2, "uniform(low, high)"},
              {"log", DOMAIN_LOG, 2, 2, "log(low, high)"},
              {"int", DOMAIN_INT, 2, 3, "int(low, high[, step])"},
              {"logint", DOMAIN_LOGINT, 2, 2, "logint(low, high)"},
              {"normal", DOMAIN_NORMAL, 2, 2, "normal(mu, sigma)"},
              {"choice", DOMAIN_CHOICE, 1, 1, "choice(a, b, ..)"},
              {"linspace", DOMAIN_POINTS, 3, 3, "linspace(first, last, n)"},
              {"logspace", DOMAIN_POINTS, 3, 3, "logspace(first, last, n)"},
              {"range", DOMAIN_POINTS, 3, 3, "range(first, end, step)"}};
enum { NSHAPES = sizeof shapes / sizeof *shapes };

static const struct shape *find_shape(const char *name)
{
	for (size_t i = 0; i < NSHAPES; i++)
		if (!strcmp(shapes[i].name, name))
			return &shapes[i];
	return NULL;
}

/* Where a text may just as well be meant (`min(1,2)`), only what is very near is a slip. */
bool domain_is_name(const char *name, const char **near)
{
	size_t n = strlen(name), best = n < 6 ? 2 : n / 3 + 1;
	char low[64];

	*near = NULL;
	if (n >= sizeof low)
		return false;
	for (size_t i = 0; i <= n; i++)
		low[i] = (char)tolower((unsigned char)name[i]);
	for (size_t i = 0; i < NSHAPES; i++) {
		size_t d = text_distance(low, shapes[i].name, best);

		if (d < best) {
			best = d;
			*near = shapes[i].name;
		}
	}
	return find_shape(name) != NULL;
}

static int unknown_shape(const char *name, struct fault *f)
{
	const char *words[NSHAPES], *near;

	for (size_t i = 0; i < NSHAPES; i++)
		words[i] = shapes[i].name;
	near = text_nearest(name, words, NSHAPES);
	return fault_set(f, FAULT_STUDY,
	                 "unknown domain '%.60s'%s%s%s; known are uniform log int logint normal choice "
	                 "linspace logspace range (for a constant text write choice('..'))",
	                 name, near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* `name(` at the start and its `)` at the end: a function. */
static bool split_call(struct piece d, struct piece *name, struct piece *args)
{
	size_t n = 0;

	while (n < d.n && (isalnum((unsigned char)d.s[n]) || d.s[n] == '_'))
		n++;
	if (n == 0 || n > 60 || n == d.n || isdigit((unsigned char)d.s[0]) || d.s[n] != '(')
		return false;
	*name = (struct piece){d.s, n};
	*args = d.s[d.n - 1] == ')' ? trim(d.s + n + 1, d.s + d.n - 1) : (struct piece){NULL, 0};
	return true;
}

static const char *canonical_arg(struct arena *a, struct piece w)
{
	char buf[TEXT_NUMBER];
	double v;

	if (!text_parse_double(w.s, w.n, &v))
		return arena_strndup(a, w.s, w.n);
	text_double(buf, v);
	return arena_strdup(a, buf);
}

static int int_step(struct param *p, const struct expr *e, struct fault *f)
{
	struct scope none = {0};
	double v = expr_is_constant(e) ? expr_number(e, &none) : NAN;

	if (!(v >= 1 && v <= 0x1p53 && v == floor(v)))
		return fault_set(f, FAULT_STUDY, "the step of int must be a whole number of at least 1");
	p->step = (int64_t)v;
	return 0;
}

struct arguments {
	uint32_t n; /* at most 3 are kept */
	struct expr *e[3];
	const char *text[3];
	const char *all; /* canonical */
};

/* Comma-separated expressions. */
static int parse_args(struct arena *a, struct piece args, struct arguments *x, size_t *at, const char *text,
                      struct fault *f)
{
	const char *s = args.s, *end = args.s + args.n;

	*x = (struct arguments){.all = ""};
	while (args.n) {
		const char *q = scan(s, end, at_comma);
		struct piece w = trim(s, q);
		size_t off;

		if (x->n < 3) {
			x->e[x->n] = expr_parse(a, w.s, w.n, &off, f);
			if (!x->e[x->n]) {
				*at = (size_t)(w.s - text) + off;
				return -1;
			}
			x->text[x->n] = canonical_arg(a, w);
			x->all = arena_printf(a, "%s%s%s", x->all, x->n ? ", " : "", x->text[x->n]);
		}
		x->n++;
		if (q == end)
			break;
		s = q + 1;
	}
	return 0;
}

static int parse_function(struct arena *a, const char *name, struct piece args, struct param *p, size_t *at,
                          const char *text, struct fault *f)
{
	const struct shape *sh = find_shape(name);
	struct arguments x;

	if (!sh)
		return unknown_shape(name, f);
	if (!args.s)
		return fault_set(f, FAULT_STUDY, "%s( has no ')' at its end: write %s", name, sh->usage);
	if (sh->kind == DOMAIN_CHOICE)
		return parse_choices(a, args, p, at, text, f);
	if (parse_args(a, args, &x, at, text, f))
		return -1;
	if (x.n < sh->min || x.n > sh->max)
		return fault_set(f, FAULT_STUDY, "%s with %u value%s: write %s", name, x.n,
		                 x.n == 1 ? "" : "s", sh->usage);
	p->kind = sh->kind;
	p->text = arena_printf(a, "%s(%s)", name, x.all);
	if (sh->kind == DOMAIN_POINTS)
		return parse_points(a, name, x.e, p, f);
	p->ordered = true;
	p->lo = x.e[0];
	p->hi = x.e[1];
	p->lo_text = x.text[0];
	p->hi_text = x.text[1];
	p->step = 1;
	return x.n == 3 ? int_step(p, x.e[2], f) : 0;
}

static int parse_constant(struct arena *a, struct piece d, struct param *p)
{
	struct choice *c = arena_alloc(a, sizeof *c);

	*c = d.n >= 2 && (*d.s == '"' || *d.s == '\'') && d.s[d.n - 1] == *d.s
	         ? domain_choice(a, d.s + 1, d.n - 2)
	         : domain_choice(a, d.s, d.n);
	p->kind = DOMAIN_CONST;
	p->choices = c;
	p->nchoices = 1;
	p->ordered = c->is_num;
	p->text = arena_strndup(a, d.s, d.n);
	return 0;
}

int domain_parse(struct arena *a, const char *text, size_t n, struct param *p, size_t *at, struct fault *f)
{
	const char *end = text + n, *cond = scan(text, end, at_if);
	struct piece d = trim(text, cond), name, args, c;
	size_t off;

	*p = (struct param){0};
	*at = (size_t)(d.s - text);
	if (n > DOMAIN_MAX_BYTES)
		return fault_set(f, FAULT_STUDY, "a value of more than %d bytes", DOMAIN_MAX_BYTES);
	if (d.n >= 2 && d.s[0] == '[' && d.s[d.n - 1] == ']') {
		if (parse_choices(a, trim(d.s + 1, d.s + d.n - 1), p, at, text, f))
			return -1;
	} else if (split_call(d, &name, &args)) {
		if (parse_function(a, arena_strndup(a, name.s, name.n), args, p, at, text, f))
			return -1;
	} else {
		parse_constant(a, d, p);
	}
	if (cond == end)
		return 0;
	c = trim(cond + 3, end);
	p->cond = expr_parse(a, c.s, c.n, &off, f);
	*at = (size_t)(c.s - text) + (p->cond ? 0 : off);
	p->cond_text = arena_strndup(a, c.s, c.n);
	p->text = arena_printf(a, "%s if %s", p->text, p->cond_text);
	return p->cond ? 0 : fault_context(f, "condition after 'if'");
}

/* ---- bounds ------------------------------------------------------------------------------------ */

static bool whole(double v)
{
	return v == floor(v) && fabs(v) <= 0x1p53;
}

static int check_low(const struct param *p, double lo, struct fault *f)
{
	if ((p->kind == DOMAIN_INT || p->kind == DOMAIN_LOGINT) && !whole(lo))
		return fault_set(f, FAULT_STUDY, "bounds of int and logint must be whole numbers");
	if (p->kind == DOMAIN_LOG && lo <= 0)
		return fault_set(f, FAULT_STUDY, "log needs bounds above 0 (uniform takes any)");
	if (p->kind == DOMAIN_LOGINT && lo < 1)
		return fault_set(f, FAULT_STUDY, "logint needs bounds of at least 1 (int takes any)");
	return 0;
}

int domain_check(const struct param *p, struct fault *f)
{
	struct scope none = {0};
	bool lo_const = p->lo && expr_is_constant(p->lo), hi_const = p->hi && expr_is_constant(p->hi);
	double lo = lo_const ? expr_number(p->lo, &none) : 0, hi = hi_const ? expr_number(p->hi, &none) : 0;

	if (!isfinite(lo) || !isfinite(hi))
		return fault_set(f, FAULT_STUDY, "bounds must be finite numbers");
	if (p->kind == DOMAIN_NORMAL)
		return hi_const && hi <= 0 ? fault_set(f, FAULT_STUDY, "sigma of normal must be above 0") : 0;
	if ((lo_const && check_low(p, lo, f)) || (hi_const && check_low(p, hi, f)))
		return -1;
	if (lo_const && hi_const && lo > hi)
		return fault_set(f, FAULT_STUDY, "low > high: no value lies in %.100s", p->text);
	if (lo_const && hi_const && !isfinite(hi - lo))
		return fault_set(f, FAULT_STUDY, "the bounds are too far apart");
	return 0;
}
