/* time: what can still end before the run's time is over.
 *
 * All units of a phase are judged alike, by what attempts of the phase took, so a step costs O(phases). Two
 * standard deviations on top of the mean, for nobody is served by a unit that is stopped shortly before its
 * end. But where that is more than half of the whole time, the mean is enough: a wide spread must not keep a
 * phase from ever starting in a short allocation. A phase that nothing is known of starts, for how else is
 * something to be learned; so does one whose programs save, as nothing of it is lost; neither in the last
 * moments, in which a program can do little but save.
 *
 * Held units are started by their workers when they can: those that fit no more are recalled. */
#include "sched_core.h"

#include "text.h"

#include <math.h>

static int64_t left_ms(const struct sched *s)
{
	return s->options.end_ms - s->now_ms;
}

static int64_t whole_ms(const struct sched *s)
{
	return s->options.end_ms - s->options.begin_ms;
}

static double expected_ms(const struct sched *s, uint32_t phase)
{
	const struct durations *d = &s->phases[phase].durations;
	int64_t timeout_ms = s->study->phases[phase].limits.timeout_ms;
	double mean = d->seconds / (double)d->n, half = (double)whole_ms(s) / 2, ms;
	double variance = d->n > 1 ? (d->squares - (double)d->n * mean * mean) / (double)(d->n - 1) : 0;

	ms = 1000 * (mean + 2 * sqrt(variance > 0 ? variance : 0));
	if (ms > half)
		ms = 1000 * mean > half ? 1000 * mean : half;
	return timeout_ms && ms > (double)timeout_ms ? (double)timeout_ms : ms;
}

/* In less time a program that saves its state comes to nothing else. */
static int64_t least_ms(const struct sched *s, uint32_t phase)
{
	int64_t save_ms = 2 * s->study->phases[phase].limits.grace_ms, third_ms = whole_ms(s) / 3;
	int64_t ms = save_ms < third_ms ? save_ms : third_ms;

	return s->phases[phase].too_late_ms > ms ? s->phases[phase].too_late_ms : ms;
}

/* How much time must be left. */
static int64_t needed_ms(const struct sched *s, uint32_t phase)
{
	const struct durations *d = &s->phases[phase].durations;

	if (d->n && !d->saves && !s->study->phases[phase].limits.checkpoint)
		return (int64_t)ceil(expected_ms(s, phase));
	return least_ms(s, phase);
}

bool sched_in_time(const struct sched *s, uint32_t phase)
{
	return !s->options.end_ms || needed_ms(s, phase) <= left_ms(s);
}

bool sched_is_late(const struct sched *s)
{
	return s->options.end_ms && left_ms(s) <= whole_ms(s) / 4;
}

void sched_note_requeue(struct sched *s, uint32_t phase, bool idle)
{
	struct phase_state *p = &s->phases[phase];

	p->durations.saves = true;
	if (idle && sched_is_late(s) && left_ms(s) >= p->too_late_ms)
		p->too_late_ms = left_ms(s) + 1;
}

void sched_observe(struct sched *s, uint32_t phase, double seconds)
{
	struct durations *d = &s->phases[phase].durations;

	d->n++;
	d->seconds += seconds;
	d->squares += seconds * seconds;
}

void sched_know(struct sched *s, uint32_t phase, const struct durations *d)
{
	s->phases[phase].durations = *d;
	sched_refresh_critical(s);
}

void sched_recall_late(struct sched *s)
{
	if (!s->options.end_ms)
		return;
	for (uint32_t i = 0; i < s->study->nphases; i++)
		if (s->phases[i].held && !sched_in_time(s, i))
			sched_recall_phase(s, i);
}

int64_t sched_next_late_ms(const struct sched *s)
{
	int64_t next = INT64_MAX;

	for (uint32_t i = 0; s->options.end_ms && i < s->study->nphases; i++) {
		int64_t at = s->options.end_ms - needed_ms(s, i) + 1;

		if (s->phases[i].held && at < next)
			next = at;
	}
	return next;
}

const char *sched_late_text(const struct sched *s, uint32_t phase)
{
	char about[TEXT_NUMBER], left[TEXT_NUMBER];
	int64_t ms = left_ms(s);

	text_duration(left, ms > 0 ? ms : 0);
	text_duration(about, needed_ms(s, phase));
	return arena_printf(s->out->scratch,
	                    "stopped before the end: a unit of phase %s needs %s, and %s are left; the same "
	                    "command goes on",
	                    s->study->phases[phase].name, about, left);
}
