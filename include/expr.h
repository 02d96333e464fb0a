/* expr: conditions, bounds and `require` of the study language.
 *
 *   or ||   and &&   not !   == != < <= > >=   in [a, b]   + -   * / %   - +   ^ **   min max log exp sqrt ..
 *
 * Two steps: expr_parse reads a text and knows no names; expr_bind resolves them once the parameters of the
 * study are known and checks types, so that evaluation can't fail. An expression that involves an inactive
 * parameter has no value. A name that is no parameter is a bare word (`optimizer == sgd`), allowed only where
 * a text is compared. A minus between letters without blanks is part of a name: `learning-rate`.
 *
 * Bounded: text of at most EXPR_MAX_BYTES, nesting of at most EXPR_MAX_DEPTH. */
#ifndef EXPR_H
#define EXPR_H

#include "arena.h"
#include "fault.h"
#include "space.h"

enum { EXPR_MAX_BYTES = 4096, EXPR_MAX_DEPTH = 100 };

struct expr;

/* NULL and a fault whose text says what is wrong (no position) at *at, an offset into text. */
struct expr *expr_parse(struct arena *a, const char *text, size_t n, size_t *at, struct fault *f);

/* What a name means. */
struct expr_ref {
	uint32_t phase, index;
	const struct param *param;
};
/* 1: found, 0: no parameter of that name, -1: it can't be used here (fault says why). */
typedef int expr_find_fn(void *ctx, const char *name, struct expr_ref *out, struct fault *f);

struct expr_names {
	expr_find_fn *find;
	const char *(*nearest)(void *ctx, const char *name); /* a known name like it, or NULL */
	void *ctx;
};
enum expr_want { EXPR_NUMBER, EXPR_CONDITION };

/* Resolve all names and check types. 0, or -1, a fault and *at. */
int expr_bind(struct expr *e, enum expr_want want, const struct expr_names *names, size_t *at,
              struct fault *f);

/* Bound expressions only from here on. */
bool expr_holds(const struct expr *e, const struct scope *s, bool if_inactive);
double expr_number(const struct expr *e, const struct scope *s); /* NaN when it has no value */
bool expr_is_constant(const struct expr *e);
/* Calls fn for each parameter the expression names. */
void expr_visit(const struct expr *e, void (*fn)(void *ctx, uint32_t phase, uint32_t index), void *ctx);
uint32_t expr_nodes(const struct expr *e);
/* A constant. */
struct expr *expr_constant(struct arena *a, double v);

#endif
