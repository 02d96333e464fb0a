#include "ending.h"

#include "text.h"

#include <string.h>

enum { LAST_WORDS = 1024 }; /* so far back the end of an output reaches */

/* ---- memory ---------------------------------------------------------------------------------- */
static bool has_text(const char *p, size_t n, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= n; i++)
		if (!memcmp(p + i, word, len))
			return true;
	return false;
}

bool ending_speaks_of_memory(const void *tail, size_t n)
{
	/* Python, numpy, C++, strerror(ENOMEM), shells and R, GNU tools, Go, Rust, Java */
	static const char *const words[] = {
	    "MemoryError",          "Unable to allocate", "bad_alloc",     "annot allocate",
	    "memory exhausted",     "out of memory",      "Out of memory", "OutOfMemoryError",
	    "memory allocation of", "exceed memory limit"};
	const char *p = tail;
	size_t skip = n > LAST_WORDS ? n - LAST_WORDS : 0;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (n && has_text(p + skip, n - skip, words[i]))
			return true;
	return false;
}

/* ---- sentences ------------------------------------------------------------------------------- */
static void put_duration(struct bytes *out, int64_t ms)
{
	char buf[TEXT_NUMBER];

	text_duration(buf, ms);
	text_put(out, buf);
}

static void put_exit(struct bytes *out, const struct ending *e)
{
	text_putf(out, "it ended with status %lld", (long long)e->exit_code);
	if (e->exit_code == 126)
		text_put(out, ", which a shell gives for a program it may not execute");
	else if (e->exit_code == 127)
		text_put(out, ", which a shell gives for a program it does not find");
	else if (e->exit_code > 128 && e->signal_name)
		text_putf(out, ", which a shell gives for a program that %s killed", e->signal_name);
}

static void put_signal(struct bytes *out, const struct ending *e)
{
	if (e->signal_name)
		text_putf(out, "%s (signal %lld) killed it", e->signal_name, (long long)e->signal);
	else
		text_putf(out, "signal %lld killed it", (long long)e->signal);
}

static void put_oom(struct bytes *out, const struct ending *e)
{
	int64_t limit = e->phase->limits.memory_bytes;

	text_put(out, "out of memory");
	if (e->max_rss_kb > 0)
		text_putf(out, ": it used %lld MiB", (long long)(e->max_rss_kb / 1024));
	if (limit)
		text_putf(out, ", and its `memory` is %lld MiB", (long long)(limit / 1024 / 1024));
	else if (e->max_rss_kb > 0)
		text_put(out, ", and the kernel killed it");
	else
		text_put(out, ": the kernel killed it");
}

/* A limit that was edited away since is not named by its value. */
static void put_limit(struct bytes *out, const char *what, const char *key, int64_t ms)
{
	text_putf(out, "%s `%s`", what, key);
	if (ms) {
		text_put(out, " of ");
		put_duration(out, ms);
	}
	text_put(out, ", so it was stopped");
}

static const char *metric_of(const struct ending *e)
{
	return e->metric ? e->metric : e->phase->metric;
}

static void put_no_metric(struct bytes *out, const struct ending *e)
{
	text_putf(out, "it ended with status 0 without a value of `%s`", metric_of(e));
	if (e->others)
		text_putf(out, "; it reported %s", e->others);
	else
		text_putf(out, "; it reported no metric at all (a line `@metric %s=0.1` would be one)",
		          metric_of(e));
}

static void put_bad_metric(struct bytes *out, const struct ending *e)
{
	char buf[TEXT_NUMBER];

	text_putf(out, "it ended with status 0, but its `%s` is ", metric_of(e));
	text_double(buf, e->value);
	text_put(out, e->has_value ? buf : "no finite number");
}

/* What could not be started left one line of ours instead of output. */
static void put_spawn(struct bytes *out, const struct ending *e)
{
	static const char ours[] = "ranksweep: ";
	const char *p = e->tail;
	size_t n = e->tail_bytes;

	if (n >= sizeof ours - 1 && !memcmp(p, ours, sizeof ours - 1)) {
		p += sizeof ours - 1;
		n -= sizeof ours - 1;
	}
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\n')
			n = i;
	if (n)
		bytes_put(out, p, n);
	else
		text_put(out, "it could not be started");
}

static void put_lost(struct bytes *out, const struct ending *e)
{
	text_put(out, "the run died while ");
	if (e->host)
		text_putf(out, "rank %lld on %s had it", (long long)e->rank, e->host);
	else
		text_putf(out, "rank %lld had it", (long long)e->rank);
	if (e->gave_up)
		text_putf(out, "; that was more than its `lost_limit` of %u", e->phase->limits.lost_limit);
}

static void put_requeue(struct bytes *out, const struct ending *e)
{
	if (e->exit_code != 75)
		text_put(out, "it was stopped with the run, to be run again by the next one");
	else if (e->gave_up)
		text_put(out, "status 75 (run me again) three times in a row without a new step");
	else
		text_put(out, "status 75: it asked to be run again");
}

/* Not that it went wrong: a rule of `prune` gave it up. */
static void put_pruned(struct bytes *out, enum reason r)
{
	switch (r) {
	case REASON_THRESHOLD:
		text_put(out, "given up: its metric passed the `threshold`");
		break;
	case REASON_PATIENCE:
		text_put(out,
		         "given up: it ran out of `patience`, as its metric did not get better any more");
		break;
	case REASON_MEDIAN:
		text_put(out, "given up: it was worse than the `median` of others at this step");
		break;
	case REASON_PERCENTILE:
		text_put(out, "given up: it was not within the `percentile` of others at this step");
		break;
	case REASON_RACE:
		text_put(out, "given up: by its other folds its trial is worse than the best one (`race`)");
		break;
	default:
		text_putf(out, "given up: others did better at a rung of `%s`", reason_text(r));
		break;
	}
}

void ending_put(struct bytes *out, const struct ending *e)
{
	enum reason r = REASON_NONE;

	for (int i = 1; e->reason && i < REASON_COUNT; i++)
		if (!strcmp(reason_text((enum reason)i), e->reason))
			r = (enum reason)i;
	switch (r) {
	case REASON_EXIT:
		put_exit(out, e);
		break;
	case REASON_SIGNAL:
		put_signal(out, e);
		break;
	case REASON_OOM:
		put_oom(out, e);
		break;
	case REASON_TIMEOUT:
		put_limit(out, "it ran longer than its", "timeout", e->phase->limits.timeout_ms);
		break;
	case REASON_STALL:
		put_limit(out, "it wrote nothing for its", "stall", e->phase->limits.stall_ms);
		break;
	case REASON_NO_METRIC:
		put_no_metric(out, e);
		break;
	case REASON_BAD_METRIC:
		put_bad_metric(out, e);
		break;
	case REASON_SPAWN:
		put_spawn(out, e);
		break;
	case REASON_LOST:
		put_lost(out, e);
		break;
	case REASON_REQUEUE:
		put_requeue(out, e);
		break;
	case REASON_MEDIAN:
	case REASON_PERCENTILE:
	case REASON_THRESHOLD:
	case REASON_PATIENCE:
	case REASON_ASHA:
	case REASON_HYPERBAND:
	case REASON_RACE:
		put_pruned(out, r);
		break;
	case REASON_NONE:
	case REASON_COUNT:
		break;
	}
}
