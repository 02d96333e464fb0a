#include "suspect.h"

#include <stddef.h>

const char *suspicion_text(enum suspicion s)
{
	static const char *const texts[] = {
#define X(name, text) text,
	    SUSPICIONS(X)
#undef X
	};

	return (size_t)s < sizeof texts / sizeof *texts ? texts[s] : "?";
}

/* What can be said of a unit only while its rank and rank 0 take notice of it. */
static enum suspicion unit_unnoticed(const struct suspect_unit *u)
{
	int64_t ran_ms = u->now_ms - u->started_ms;

	if (u->process == PROCESS_GONE && ran_ms >= SUSPECT_SETTLE_MS)
		return SUSPECT_GONE;
	if (u->process == PROCESS_ZOMBIE && ran_ms >= SUSPECT_SETTLE_MS)
		return SUSPECT_ZOMBIE;
	if (u->timeout_ms && ran_ms >= u->timeout_ms + u->grace_ms + SUSPECT_SETTLE_MS)
		return SUSPECT_OVER_TIME;
	if (u->stall_ms && u->heard_all && u->now_ms - u->heard_ms >= u->stall_ms + SUSPECT_LAG_MS)
		return SUSPECT_SILENT;
	if (u->done >= SUSPECT_LONG_DONE && ran_ms >= SUSPECT_LONG_MS &&
	    ran_ms / SUSPECT_LONG_FACTOR >= u->longest_ms)
		return SUSPECT_LONG;
	return SUSPECT_NONE;
}

enum suspicion suspect_unit(const struct suspect_unit *u)
{
	if (u->process == PROCESS_STOPPED)
		return SUSPECT_STOPPED;
	return u->noted ? unit_unnoticed(u) : SUSPECT_NONE;
}

enum suspicion suspect_rank(enum suspect_process p)
{
	switch (p) {
	case PROCESS_STOPPED:
		return SUSPECT_STOPPED;
	case PROCESS_ZOMBIE:
		return SUSPECT_ZOMBIE;
	case PROCESS_GONE:
		return SUSPECT_GONE;
	case PROCESS_UNKNOWN:
	case PROCESS_ALIVE:
		break;
	}
	return SUSPECT_NONE;
}

bool suspect_ask_batch(const struct suspect_run *r)
{
	return !r->ended && r->process == PROCESS_UNKNOWN && r->now_ms - r->last_seen_ms >= SUSPECT_LATE_MS;
}

static enum suspicion late_elsewhere(enum batch_life life)
{
	switch (life) {
	case BATCH_GONE:
		return SUSPECT_DIED;
	case BATCH_ALIVE:
		return SUSPECT_STUCK;
	case BATCH_UNKNOWN:
		break;
	}
	return SUSPECT_UNKNOWN;
}

/* That rank 0 is not to be seen is no proof while it gives signs of life: a container, or another machine of
 * the same name, has processes of its own. */
enum suspicion suspect_run(const struct suspect_run *r)
{
	int64_t age_ms = r->now_ms - r->last_seen_ms;

	if (r->ended)
		return r->running ? SUSPECT_LEFT : SUSPECT_NONE;
	if (r->process == PROCESS_GONE || r->process == PROCESS_ZOMBIE)
		return age_ms >= SUSPECT_MISSED_MS ? SUSPECT_DIED : SUSPECT_WAIT;
	if (r->process == PROCESS_STOPPED)
		return SUSPECT_STOPPED;
	if (age_ms < SUSPECT_LATE_MS)
		return SUSPECT_NONE;
	return r->process == PROCESS_ALIVE ? SUSPECT_STUCK : late_elsewhere(r->batch);
}

int64_t suspect_proof_ms(enum suspicion s)
{
	if (s == SUSPECT_GONE || s == SUSPECT_ZOMBIE)
		return SUSPECT_PROOF_MS;
	return s == SUSPECT_DIED || s == SUSPECT_LEFT ? SUSPECT_TWICE_MS : 0;
}
