/* advice: what we and a search program say to each other, a JSON object a line. Pure: words only; adviser.h
 * is the program itself, council.h who asks it what. README ("A search of your own") is the reference.
 *
 *   we       {"study": .., "phase": .., "params": {..}, ..}       once
 *   we       {"tell": {"id": K, "trial": N, "state": .., ..}}     what is true of a trial now; no answer
 *   we       {"ask": {"id": K, "parents": {..}}}                  one question at a time
 *   program  {"id": K, "params": {..}}  or  {"id": K, "exhausted": true}
 *
 * What a program says is not trusted: it is JSON, bounded, of known keys, and the values lie in their
 * domains, or the fault says what is wrong. */
#ifndef ADVICE_H
#define ADVICE_H

#include "arena.h"
#include "bytes.h"
#include "fault.h"
#include "sched.h"
#include "study.h"

enum { ADVICE_LINE_MAX = 1 << 20, ADVICE_QUOTE = 200 };

void advice_put_opening(struct bytes *b, const struct study *s, const struct study_phase *ph, int32_t outer);
/* parents: a scope whose own slot is NULL. */
void advice_put_ask(struct bytes *b, struct arena *scratch, const struct study *s,
                    const struct study_phase *ph, uint64_t id, const struct scope *parents);

struct advice_news {
	bool asked; /* it answers question `id` of this program; else it is of an earlier one, or of nobody */
	uint64_t id;
	uint32_t trial;            /* 0: the answer was not made a trial */
	const struct scope *scope; /* of the trial, own values included; NULL with trial 0 */
	enum trial_end end;        /* VOID: "gone" */
	double value, step;        /* COMPLETE, PRUNED */
	const double *values;      /* of all metrics, where the phase has several; else NULL */
	const char *rule;          /* VOID: the `require` that it breaks; it is asked again */
};
/* scratch: not looked at without a scope. */
void advice_put_tell(struct bytes *b, struct arena *scratch, const struct study *s,
                     const struct study_phase *ph, const struct advice_news *news);

enum advice_kind {
	ADVICE_POINT,
	ADVICE_EXHAUSTED,
	ADVICE_BREAKS /* a point in the domains, but `rule` does not hold for it */
};
struct advice {
	enum advice_kind kind;
	const char *rule;
};
/* The answer to question `id` in a line of n bytes. scope->by_phase[phase] is `own`, which is filled: what is
 * given for a parameter that is not active is dropped; one with a single choice may be left out. */
int advice_read(struct arena *a, const struct study_phase *ph, const struct scope *scope, uint64_t id,
                const char *line, size_t n, struct value *own, struct advice *out, struct fault *f);

/* The beginning of a line for messages: printable, about ADVICE_QUOTE bytes. */
const char *advice_quote(struct arena *a, const char *line, size_t n);

#endif
