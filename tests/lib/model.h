/* model: what must hold, seen from outside. It follows events, records and actions, and knows the rules of
 * the study language; it looks at trials through sched_trial only. Each function returns NULL or the broken
 * invariant. */
#ifndef MODEL_H
#define MODEL_H

#include "sched.h"

struct model;

/* With what earlier launches committed. */
/* No attempt of this unit may begin before. */
void model_fence(struct model *m, uint32_t unit, int64_t until_ms);
struct model *model_new(struct arena *a, const struct study *s, uint32_t prefetch,
                        const struct record *records, uint32_t nrecords);
/* The run will be stopped at end_ms. */
void model_set_end(struct model *m, int64_t begin_ms, int64_t end_ms);
/* In the order of a turn: the event, its records, its actions, then the state as a whole. */
void model_event(struct model *m, const struct event *e, const struct sched *s);
const char *model_record(struct model *m, const struct record *r, const struct sched *s);
const char *model_action(struct model *m, const struct action *a, const struct sched *s);
const char *model_check(struct model *m, const struct sched *s, int64_t now_ms, bool finished);
const char *model_finish(struct model *m, const struct action *a, const struct sched *s);
/* A training program started, ended. */
const char *model_started(struct model *m, uint32_t unit, const struct sched *s);
void model_stopped(struct model *m, uint32_t unit);
/* Some attempt that rank 0 knows to have started: unit, worker and lease of `e`. */
bool model_started_attempt(const struct model *m, struct event *e);

#endif
