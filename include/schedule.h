/* schedule: which jobs a call of `ranksweep schedule` means: groups of the jobs it selects, and for each
 * group and each combination of values one job. Pure: it asks the scheduler, and changes nothing.
 *
 *   GROUP empty             one group: all selected jobs
 *   key={{}} ..             one group for each combination of the values that the selected jobs have
 *   trial={{}}              each selected job by itself
 *   key=TEXT, key={{a,b}}   new parameters, and with them jobs for each combination: of each group made by
 * the keys above; of each selected job by itself where there are none
 *
 * Identity of a job: phase, command, own values, values of its group (its parent where that stands by
 * itself), best=N, and the number of the repetition. Numbers count by value, not by spelling. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "expand.h"
#include "sched.h"

struct schedule_group {
	const char *label; /* "lr=0.1 hidden=64", "all" */
	const uint32_t *parents;
	uint32_t n;
	struct key128 key;
};

struct schedule {
	const struct expand_call *call;
	const char *phase;        /* as given, or by default */
	const char *const *names; /* own parameters, in the order given: GROUP's, then NEW's */
	uint32_t nnames;
	const uint32_t *sorted; /* names by name: the order of identity */
	const char *const *after;
	uint32_t nafter;
	const struct schedule_group *groups; /* root jobs: one without parents */
	uint32_t ngroups;
	uint64_t combinations; /* of GROUP's new values */
	uint64_t each;         /* jobs of one group and one such combination */
	uint64_t njobs;
};

/* selected: trials, ascending; none for root jobs. FAULT_USAGE: a key that some selected job has no value
 * for, new values for a key they have, a name twice, more than EXPAND_MAX_JOBS jobs. */
int schedule_prepare(struct arena *a, const struct sched *s, const struct study *study,
                     const struct expand_call *call, const uint32_t *selected, uint32_t n,
                     struct schedule *out, struct fault *f);

/* Job number `index` (below njobs), in a study that has its phase. Values in `a`. */
struct schedule_draw {
	uint64_t seed;
	uint32_t repeat; /* 0: the first time */
};
void schedule_job(struct arena *a, const struct schedule *x, const struct study_phase *phase,
                  uint32_t command, const struct schedule_draw *d, uint64_t index, struct sched_job *out);

/* The value of a parameter that this trial has or inherits, by the name people know it by; NULL: none. In
 * `a`. */
const char *schedule_value(struct arena *a, const struct sched *s, const struct study *study, uint32_t trial,
                           const char *name);

#endif
