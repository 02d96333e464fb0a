#include "pulse.h"

int64_t pulse_patience_ms(int64_t lost_after_ms, int64_t longest_grace_ms)
{
	return lost_after_ms + lost_after_ms / 2 + longest_grace_ms;
}

void pulse_init(struct pulse *p, struct arena *a, uint32_t n, int64_t patience_ms)
{
	p->all = arena_array(a, n, sizeof *p->all);
	p->n = n;
	p->patience_ms = patience_ms;
	p->due_ms = INT64_MAX;
}

static void look_by(struct pulse *p, int64_t at_ms)
{
	if (at_ms < p->due_ms)
		p->due_ms = at_ms;
}

void pulse_set_patience(struct pulse *p, int64_t patience_ms)
{
	p->patience_ms = patience_ms;
	p->due_ms = INT64_MAX;
	for (uint32_t i = 0; i < p->n; i++)
		if (p->all[i].awaited)
			look_by(p, p->all[i].answered_ms + patience_ms);
}

void pulse_answer(struct pulse *p, uint32_t who, int64_t now_ms)
{
	p->all[who] = (struct pulse_one){now_ms, true};
	look_by(p, now_ms + p->patience_ms);
}

void pulse_forget(struct pulse *p, uint32_t who)
{
	p->all[who].awaited = false;
}

bool pulse_awaits(const struct pulse *p, uint32_t who)
{
	return p->all[who].awaited;
}

uint32_t pulse_silent(struct pulse *p, int64_t now_ms)
{
	if (now_ms < p->due_ms)
		return PULSE_NOBODY;
	p->due_ms = INT64_MAX;
	for (uint32_t i = 0; i < p->n; i++) {
		int64_t at = p->all[i].answered_ms + p->patience_ms;

		if (!p->all[i].awaited)
			continue;
		if (at <= now_ms) {
			p->due_ms = now_ms; /* others behind it are asked for again */
			return i;
		}
		look_by(p, at);
	}
	return PULSE_NOBODY;
}

int64_t pulse_due_ms(const struct pulse *p)
{
	return p->due_ms;
}
