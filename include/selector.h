/* selector: `key=value ...` on the command line, as a condition over the view `units`. A comma means or,
 * several words mean and; `\,` is a comma. Keys are unit, phase, trial, fold, outer_fold, state, reason and
 * the names of parameters (`lr`, or `pretrain.lr` for the one of that phase).
 *
 * Pure: it yields text of SQL and texts to bind. What the user typed is only ever bound, never pasted. */
#ifndef SELECTOR_H
#define SELECTOR_H

#include "arena.h"
#include "fault.h"

#include <stdbool.h>
#include <stdint.h>

/* The names there are, to check keys and values against and to name the nearest in errors. */
struct selector_names {
	const char *const *phases;
	uint32_t nphases;
	const char *const *params; /* each as `name` and as `phase.name` */
	uint32_t nparams;
};

struct study;
/* Those of a study. In `a`, or borrowed from the study. */
void selector_names_of(struct arena *a, const struct study *s, struct selector_names *out);

struct selector_sql {
	const char *where;        /* "1" when nothing was asked; fit for `... FROM units WHERE ...` */
	const char *const *binds; /* for ?1 .. , NULL-terminated */
	uint32_t nbinds;
};

/* Does this word look like a selector (and not like a file)? */
bool selector_like(const char *word);
/* FAULT_USAGE names what is wrong, and the nearest key, phase, state or reason. */
int selector_parse(struct arena *a, const char *const *words, uint32_t n, const struct selector_names *names,
                   struct selector_sql *out, struct fault *f);

#endif
