/* space: parameters, their domains and the values drawn from them.
 *
 * A phase has a list of own parameters in the order of the study file; a trial holds one value for each
 * (VALUE_NONE where a condition makes it inactive). Choices are shared, never copied: a value of kind
 * VALUE_CHOICE points at the choice, which keeps the text the user wrote and, when it is a number, its
 * number. Expressions (conditions, bounds, `require`) see the values of the own phase and of its
 * ancestors through a `struct scope`. */
#ifndef SPACE_H
#define SPACE_H

#include "arena.h"
#include "fault.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

enum value_kind { VALUE_NONE = 0, VALUE_INT, VALUE_REAL, VALUE_CHOICE };

struct choice {
	const char *text;
	double num; /* NaN when the text is no number */
	bool is_num;
};

struct value { /* 16 bytes */
	enum value_kind kind;
	union {
		int64_t i;
		double r;
		const struct choice *choice;
	} u;
};

/* Values in reach of an expression or placeholder: by_phase[p] is the value array of the ancestor trial of
 * phase p (parallel to that phase's params), of the own trial for the own phase, and NULL for phases that
 * are no ancestors. Where several trials of a phase are ancestors (best N as one, jobs that come after many),
 * the array holds what they have in common, and VALUE_NONE for the rest. */
struct scope {
	const struct value *const *by_phase;
	uint32_t nphases;
};

struct expr; /* parsed expression, opaque; expr.h */

enum domain_kind {
	DOMAIN_CONST,   /* one choice */
	DOMAIN_CHOICE,  /* list or choice(..): `ordered` when all are numbers */
	DOMAIN_UNIFORM, /* uniform(lo, hi) */
	DOMAIN_LOG,     /* log(lo, hi): uniform in the logarithm */
	DOMAIN_INT,     /* int(lo, hi[, step]) both ends included */
	DOMAIN_LOGINT,  /* logint(lo, hi) */
	DOMAIN_NORMAL,  /* normal(mu, sigma) */
	DOMAIN_POINTS,  /* linspace, logspace, range: expanded to numeric choices */
	DOMAIN_ANY      /* of a scheduled phase: any text, or no value; nothing is drawn from it */
};

struct param {
	const char *name;
	enum domain_kind kind;
	bool ordered;
	const struct choice *choices; /* CONST, CHOICE, POINTS */
	uint32_t nchoices;
	const struct expr *lo, *hi; /* bounds; mu and sigma of normal; may name other parameters */
	int64_t step;               /* INT */
	const struct expr *cond;    /* active only when true; NULL: always */
	const char *lo_text, *hi_text, *cond_text; /* these three as texts; NULL where there is none */
	const char *text; /* the domain as written, canonical: identity and `check` use it */
	uint32_t line, col;
};

struct space {
	const struct param *params;
	uint32_t nparams;
	const uint32_t
	    *order; /* indices such that every parameter comes after those its bounds and condition name */
	const struct expr *const *require;
	const char *const *require_text;
	uint32_t nrequire;
};

enum { SPACE_INFINITE = -1 };

/* Number of grid points (before conditions and `require` thin them), or SPACE_INFINITE when a domain is
 * continuous or ANY. INT with constant bounds counts. Saturates at INT64_MAX. */
int64_t space_size(const struct space *s);

/* One point from coordinates in [0,1): u[i] belongs to parameter i. Fills `own` (nparams values), which must
 * be the array that scope->by_phase[phase] points at. True when feasible (bounds in order, every `require`
 * holds). */
bool space_draw(const struct space *s, const struct scope *scope, const double *u, struct value *own);

/* The opposite: which coordinates draw these values. Parameter k has the values own[k] for coordinates from
 * lo[k] to hi[k]; both are the same where the domain is continuous, and NaN where the parameter is not active
 * or has a value that its domain does not hold (any more). */
void space_locate(const struct space *s, const struct scope *scope, const struct value *own, double *lo,
                  double *hi);

/* All its expressions: bounds and conditions, then `require`. */
void space_each_expr(const struct space *s, void (*fn)(void *ctx, const struct expr *e), void *ctx);

/* Grid point number `index` (0 <= index < space_size; last parameter fastest). False when infeasible, or when
 * the point only repeats another one because a parameter is inactive in it. */
bool space_grid_point(const struct space *s, const struct scope *scope, int64_t index, struct value *own);

/* Do these values (an enqueued or stored assignment) lie in the space: 0, or -1 and why. */
int space_check(const struct space *s, const struct scope *scope, const struct value *own, struct fault *f);

/* The first `require` that does not hold for these values, as written; NULL: all do. */
const char *space_broken_rule(const struct space *s, const struct scope *scope);
/* The rest of space_check: each value lies in its domain, and only active parameters have one. */
int space_check_values(const struct space *s, const struct scope *scope, const struct value *own,
                       struct fault *f);

/* Value from its text for parameter `p` (as stored or enqueued): the choice with that text, or a number of
 * the domain's kind. Text that is no choice any more (the study was edited) becomes a new choice in `a`.
 * False when a number is needed and it is none. */
bool value_parse(struct arena *a, const struct param *p, const char *text, struct value *out);
/* The text a command line gets: a choice's own text, numbers shortest. Borrowed: buf or the choice. "" for
 * VALUE_NONE. */
const char *value_text(const struct value *v, char buf[TEXT_NUMBER]);
/* Numeric value; NaN for text choices and VALUE_NONE. */
double value_number(const struct value *v);

#endif
