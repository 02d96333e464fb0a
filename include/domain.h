/* domain: the text of a parameter, as in a study file or on a command line.
 *
 *   DOMAIN [if CONDITION]
 *   uniform(lo, hi)  log(lo, hi)  int(lo, hi[, step])  logint(lo, hi)  normal(mu, sigma)
 *   choice(a, b, ..)  [a, b, ..]  linspace(a, b, n)  logspace(a, b, n)  range(a, b, step)
 *   anything else: a constant
 *
 * linspace and logspace include both ends; range leaves b out, as Python does. Their points are rounded to
 * 12 significant digits, so that they read as people write them. Bounds of uniform, log, int, logint and
 * normal may be expressions over other parameters: they are bound later (expr_bind), and domain_check looks
 * at them then. */
#ifndef DOMAIN_H
#define DOMAIN_H

#include "arena.h"
#include "expr.h"
#include "fault.h"
#include "space.h"

enum { DOMAIN_MAX_CHOICES = 100000, DOMAIN_MAX_BYTES = 1 << 20 };

/* Fills all of *p but name, line, col, order. The expressions in it are not bound yet. -1, a fault and *at,
 * an offset into text. */
int domain_parse(struct arena *a, const char *text, size_t n, struct param *p, size_t *at, struct fault *f);

/* A list of choices already taken apart (a YAML list). */
int domain_choices(struct arena *a, const char *const *texts, size_t n, struct param *p, struct fault *f);

/* Constant bounds: order, signs, ranges. Call when the expressions are bound. */
int domain_check(const struct param *p, struct fault *f);

/* Is this the name of a domain that takes arguments? If not, *near is one that was probably meant, or NULL.
 */
bool domain_is_name(const char *name, const char **near);

/* A choice from its text. */
struct choice domain_choice(struct arena *a, const char *text, size_t n);

#endif
