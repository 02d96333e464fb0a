/* prior: observations that come from elsewhere, another study or a table, as points of a phase's space: its
 * own values, and of its ancestors' parameters those that are known. They are named as people know them:
 * `lr`, `pretrain.lr` (study.h, struct visible). What a row lacks or has too much is judged here. */
#ifndef PRIOR_H
#define PRIOR_H

#include "bytes.h"
#include "rng.h"
#include "study.h"

/* Why a row is not taken. X(enum name, word of the JSON, what people read). */
#define PRIOR_MISFITS(X)                                                                                     \
	X(VALUE, "value", "without a finite value")                                                          \
	X(STATE, "state", "not complete")                                                                    \
	X(MISSING, "missing", "without a parameter")                                                         \
	X(DOMAIN, "domain", "out of the domain")                                                             \
	X(REQUIRE, "require", "ruled out by `require`")                                                      \
	X(OUTER, "outer_fold", "of an outer fold that is not there")                                         \
	X(FIELDS, "fields", "with too few or too many fields")
enum prior_misfit {
#define X(name, word, text) PRIOR_##name,
	PRIOR_MISFITS(X)
#undef X
	    PRIOR_FITS
};
const char *prior_misfit_word(enum prior_misfit m);
const char *prior_misfit_text(enum prior_misfit m);

/* Can the phase's search be told of any? -1: no, and f says so. */
int prior_wanted(const struct study_phase *p, struct fault *f);

struct prior_param {
	uint32_t phase, index;
};
/* What a name means in this phase: one that is visible there, or `PHASE.NAME` of it or an ancestor. */
bool prior_find_param(const struct study *s, const struct study_phase *p, const char *name,
                      struct prior_param *out);

/* Whose results a search in outer fold o sees: those of its own one, or those of no fold at all. */
enum { PRIOR_FULL = -1, PRIOR_EVERYWHERE = -2 };
struct prior {
	struct scope scope; /* own values complete; of others what is known */
	double value;
	int32_t outer; /* of that outer fold, PRIOR_FULL: of the `full` search, PRIOR_EVERYWHERE: of none */
};
/* Does the phase's search run once for each outer fold? */
bool prior_has_outer(const struct study *s, const struct study_phase *p);
/* A row of texts, one for each of params; "" where there is none. Its value and its outer fold ("":
 * everywhere) as texts too. All in `a`; *why says more about a misfit. */
struct prior_row {
	const char *value, *outer;
	const char *const *cells;
};
enum prior_misfit prior_read(struct arena *a, const struct study *s, const struct study_phase *p,
                             const struct prior_param *params, uint32_t nparams, const struct prior_row *row,
                             struct prior *out, const char **why);

/* The scope as bytes to store, and back. Decoding: PRIOR_FITS, or what the space of today has against it. -1:
 * these are not such bytes. */
void prior_encode(struct bytes *b, const struct study *s, const struct prior *x);
int prior_decode(struct arena *a, const struct study *s, const struct study_phase *p, const void *bytes,
                 size_t n, struct scope *out);
/* Equal observations have equal keys. */
struct key128 prior_key(const struct study *s, const struct prior *x);

#endif
