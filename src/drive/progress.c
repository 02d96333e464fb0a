#include "progress.h"

#include "bytes.h"
#include "text.h"

#include <math.h>
#include <stdio.h>

static const int64_t tty_every_ms = 500, first_line_ms = 2000, lines_every_ms = 10000;

void progress_init(struct progress *p, enum progress_mode mode, const struct sched *s, int64_t now_ms)
{
	struct sched_counts c;

	sched_counts(s, UINT32_MAX, &c);
	*p = (struct progress){.mode = mode, .begun_ms = now_ms, .done_before = c.by_state[UNIT_DONE]};
	p->next_ms = mode == PROGRESS_TTY ? now_ms : now_ms + first_line_ms;
	if (mode == PROGRESS_NONE)
		p->next_ms = INT64_MAX;
}

static uint64_t total_of(const struct sched_counts *c)
{
	uint64_t n = c->planned;

	for (int i = 0; i < UNIT_STATE_COUNT; i++)
		n += c->by_state[i];
	return n;
}

static uint64_t open_of(const struct sched_counts *c)
{
	return c->by_state[UNIT_WAITING] + c->by_state[UNIT_READY] + c->by_state[UNIT_RUNNING] + c->planned;
}

/* Seconds of work that is left, over the slots; NaN while a phase with work left has no duration yet. */
static double eta_seconds(const struct study *study, const struct sched *s, uint32_t slots)
{
	double work = 0;

	for (uint32_t i = 0; i < study->nphases; i++) {
		struct sched_counts c;

		sched_counts(s, i, &c);
		if (open_of(&c))
			work += (double)open_of(&c) * c.seconds_mean * study->phases[i].limits.cpus;
	}
	return slots ? work / slots : NAN;
}

static void put_line(struct bytes *b, const struct study *study, const struct sched *s, uint32_t slots,
                     int64_t ran_ms)
{
	char time[TEXT_NUMBER];
	double eta = eta_seconds(study, s, slots);
	struct sched_counts all;

	text_duration(time, ran_ms);
	text_putf(b, "[%s]", time);
	for (uint32_t i = 0; i < study->nphases; i++) {
		struct sched_counts c;

		sched_counts(s, i, &c);
		text_putf(b, "  %s %llu/%llu", study->phases[i].name,
		          (unsigned long long)c.by_state[UNIT_DONE], (unsigned long long)total_of(&c));
		if (c.by_state[UNIT_FAILED])
			text_putf(b, " (%llu failed)", (unsigned long long)c.by_state[UNIT_FAILED]);
		if (c.by_state[UNIT_BLOCKED])
			text_putf(b, " (%llu blocked)", (unsigned long long)c.by_state[UNIT_BLOCKED]);
		if (c.by_state[UNIT_PRUNED])
			text_putf(b, " (%llu pruned)", (unsigned long long)c.by_state[UNIT_PRUNED]);
	}
	sched_counts(s, UINT32_MAX, &all);
	text_putf(b, "  running %llu", (unsigned long long)all.by_state[UNIT_RUNNING]);
	if (eta > 0) {
		text_duration(time, (int64_t)(eta * 1000));
		text_putf(b, "  about %s left", time);
	}
}

int64_t progress_show(struct progress *p, const struct study *study, const struct sched *s, uint32_t slots,
                      int64_t now_ms, bool now)
{
	struct bytes b = {0};

	if (p->mode == PROGRESS_NONE || (!now && now_ms < p->next_ms))
		return p->next_ms;
	put_line(&b, study, s, slots, now_ms - p->begun_ms);
	if (p->mode == PROGRESS_TTY)
		fprintf(stderr, "\r%.*s\033[K", (int)b.len, (const char *)b.data);
	else
		fprintf(stderr, "%.*s\n", (int)b.len, (const char *)b.data);
	fflush(stderr);
	p->dirty = p->mode == PROGRESS_TTY;
	p->next_ms = now_ms + (p->mode == PROGRESS_TTY ? tty_every_ms : lines_every_ms);
	bytes_finish(&b);
	return p->next_ms;
}

void progress_end(struct progress *p)
{
	if (p->dirty)
		fputc('\n', stderr);
	p->dirty = false;
}
