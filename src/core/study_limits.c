/* timeout, retries and the like: in `defaults:` and in a phase. */
#include "study_draft.h"
#include "text.h"

#include <string.h>

static const char *const reasons[] = {
#define X(name, text) text,
    REASONS(X)
#undef X
};

const char *reason_text(enum reason r)
{
	return (unsigned)r < REASON_COUNT ? reasons[r] : "?";
}

void draft_default_limits(struct limits *l)
{
	*l = (struct limits){.grace_ms = 10000,
	                     .cpus = 1,
	                     .lost_limit = 5,
	                     .keep_best = -1,
	                     .retry_on = 1u << REASON_EXIT | 1u << REASON_SIGNAL | 1u << REASON_OOM |
	                                 1u << REASON_TIMEOUT | 1u << REASON_STALL | 1u << REASON_SPAWN};
}

/* `none` takes a default away again. */
static bool is_none(const struct yaml_node *v)
{
	return v->kind == YAML_TEXT && !strcmp(v->text, "none");
}

static void read_time(struct draft *d, const struct yaml_node *v, const char *what, int64_t *out)
{
	int64_t ms = 0;

	if (is_none(v) || draft_duration(d, v, what, &ms))
		*out = ms;
}

static void read_timeout(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_time(d, v, "timeout", &t->p.limits.timeout_ms);
}

static void read_stall(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_time(d, v, "stall", &t->p.limits.stall_ms);
}

static void read_grace(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_time(d, v, "grace", &t->p.limits.grace_ms);
}

static void read_memory(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	const char *s = draft_text(d, v, "memory");
	int64_t n = 0;

	if (!s)
		return;
	if (is_none(v) || (text_parse_size_bytes(s, &n) && n > 0))
		t->p.limits.memory_bytes = n;
	else
		draft_error(d, v, "`memory: %.64s` is no size: write 512M or 4G", s);
}

static void read_count(struct draft *d, const struct yaml_node *v, const char *what, int64_t min, int64_t max,
                       uint32_t *out)
{
	int64_t n;

	if (draft_int(d, v, what, min, max, &n))
		*out = (uint32_t)n;
}

static void read_cpus(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_count(d, v, "cpus", 1, 65536, &t->p.limits.cpus);
}

static void read_gpus(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_count(d, v, "gpus", 0, 1024, &t->p.limits.gpus);
}

static void read_retries(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_count(d, v, "retries", 0, 1000, &t->p.limits.retries);
}

static void read_lost_limit(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	read_count(d, v, "lost_limit", 1, 1000000, &t->p.limits.lost_limit);
}

static void read_checkpoint(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	draft_bool(d, v, "checkpoint", &t->p.limits.checkpoint);
}

static uint32_t read_reason(struct draft *d, const struct yaml_node *v)
{
	int i = draft_word(d, v, "retry_on", reasons + 1, REASON_LOST - 1); /* EXIT .. SPAWN */

	return i < 0 ? 0 : 1u << (i + 1);
}

static void read_retry_on(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	uint32_t mask = 0;

	if (v->kind == YAML_LIST)
		for (const struct yaml_node *x = v->first; x; x = x->next)
			mask |= read_reason(d, x);
	else if (!is_none(v))
		mask = read_reason(d, v);
	t->p.limits.retry_on = mask;
}

static void read_keep(struct draft *d, struct draft_phase *t, const struct yaml_node *v)
{
	const char *s = draft_text(d, v, "keep");
	int64_t n;

	if (!s)
		return;
	t->keep = v;
	if (!strcmp(s, "all"))
		t->p.limits.keep_best = -1;
	else if (!strncmp(s, "best ", 5) && text_parse_int(s + 5, v->len - 5, &n) && n >= 1)
		t->p.limits.keep_best = n;
	else if (!strcmp(s, "best"))
		t->p.limits.keep_best = 1;
	else
		draft_error(d, v, "`keep: %.64s`: it must be `all` or `best N`", s);
}

static const struct draft_key keys[] = {{"timeout", read_timeout},
                                        {"stall", read_stall},
                                        {"grace", read_grace},
                                        {"memory", read_memory},
                                        {"cpus", read_cpus},
                                        {"gpus", read_gpus},
                                        {"retries", read_retries},
                                        {"retry_on", read_retry_on},
                                        {"lost_limit", read_lost_limit},
                                        {"keep", read_keep},
                                        {"checkpoint", read_checkpoint}};
const struct draft_keys draft_limit_keys = {keys, sizeof keys / sizeof *keys};
