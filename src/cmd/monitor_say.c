/* monitor, the words: who, what, and what to do. */
#include "monitor.h"

const char *monitor_subject(struct arena *a, const struct monitor_item *i)
{
	const char *host = i->host && *i->host ? i->host : "?";

	if (i->unit)
		return arena_printf(a, "unit %lld (%s, rank %lld on %s)", (long long)i->unit,
		                    i->phase ? i->phase : "?", (long long)i->rank, host);
	if (i->rank >= 0)
		return arena_printf(a, "rank %lld on %s", (long long)i->rank, host);
	return arena_printf(a, "run %lld on %s", (long long)i->run, host);
}

static const char *span(struct arena *a, int64_t ms)
{
	return cmd_duration(a, (double)ms / 1000);
}

static const char *units(struct arena *a, uint64_t n)
{
	if (n == 0)
		return "";
	return arena_printf(a, ", %llu unit%s still marked running", (unsigned long long)n,
	                    n == 1 ? "" : "s");
}

/* ---- what ------------------------------------------------------------------------------------ */
static const char *unit_finding(struct arena *a, const struct monitor_item *i)
{
	switch (i->kind) {
	case SUSPECT_ZOMBIE:
		return arena_printf(a, "process %lld has ended, and its rank takes no notice",
		                    (long long)i->pid);
	case SUSPECT_GONE:
		return arena_printf(a, "process %lld is gone, and no end was noted", (long long)i->pid);
	case SUSPECT_OVER_TIME:
		return arena_printf(a, "running for %s, though its timeout is %s", span(a, i->ms),
		                    span(a, i->limit_ms));
	case SUSPECT_SILENT:
		return arena_printf(a, "no output or metric for %s", span(a, i->ms));
	case SUSPECT_LONG:
		return arena_printf(a, "running for %s, the longest of %llu that are done took %s",
		                    span(a, i->ms), (unsigned long long)i->count, span(a, i->limit_ms));
	default:
		return suspicion_text(i->kind);
	}
}

static const char *died(struct arena *a, const struct monitor_item *i)
{
	if (i->note)
		return arena_printf(a, "died: nothing was noted for %s, and job %s is gone%s", span(a, i->ms),
		                    i->note, units(a, i->count));
	return arena_printf(a, "died: process %lld is gone%s", (long long)i->pid, units(a, i->count));
}

static const char *run_finding(struct arena *a, const struct monitor_item *i)
{
	switch (i->kind) {
	case SUSPECT_DIED:
		return died(a, i);
	case SUSPECT_STUCK:
		if (i->note)
			return arena_printf(a, "nothing was noted for %s, though job %s is alive",
			                    span(a, i->ms), i->note);
		return arena_printf(a, "nothing was noted for %s, though process %lld is there",
		                    span(a, i->ms), (long long)i->pid);
	case SUSPECT_UNKNOWN:
		return arena_printf(a, "nothing was noted for %s; whether it lives is unknown here (%s)",
		                    span(a, i->ms), i->note ? i->note : "?");
	case SUSPECT_LEFT:
		return arena_printf(a, "ended (%s)%s", i->note && *i->note ? i->note : "?",
		                    units(a, i->count));
	default:
		return suspicion_text(i->kind);
	}
}

const char *monitor_finding(struct arena *a, const struct monitor_item *i)
{
	if (i->kind == SUSPECT_STOPPED)
		return arena_printf(a, "process %lld is stopped", (long long)i->pid);
	if (i->unit)
		return unit_finding(a, i);
	if (i->rank < 0)
		return run_finding(a, i);
	return arena_printf(a, "process %lld %s, and the run goes on without it", (long long)i->pid,
	                    i->kind == SUSPECT_ZOMBIE ? "has ended" : "is gone");
}

/* ---- what to do ------------------------------------------------------------------------------ */
static const char *unit_advice(struct arena *a, const struct monitor_item *i, const char *db)
{
	switch (i->kind) {
	case SUSPECT_OVER_TIME:
		return arena_printf(a, "see what holds process %lld on %s (`ps -o stat,wchan -p %lld`)",
		                    (long long)i->pid, i->host ? i->host : "?", (long long)i->pid);
	case SUSPECT_SILENT:
		return arena_printf(
		    a, "`ranksweep log %s %lld` shows its last words, `stall` in the study ends such units",
		    db, (long long)i->unit);
	case SUSPECT_LONG:
		return arena_printf(a, "`ranksweep log %s %lld` shows what it does", db, (long long)i->unit);
	default:
		return arena_printf(
		    a,
		    "`ranksweep log %s %lld` shows its last words; if this stays, stop the run, and "
		    "`ranksweep run %s` repeats it",
		    db, (long long)i->unit, db);
	}
}

static const char *run_advice(struct arena *a, const struct monitor_item *i, const char *db)
{
	const char *host = i->host ? i->host : "?";

	switch (i->kind) {
	case SUSPECT_STUCK:
		return arena_printf(a, "look at process %lld on %s, and at the disk %s lies on",
		                    (long long)i->pid, host, db);
	case SUSPECT_UNKNOWN:
		return arena_printf(a,
		                    "look for process %lld on %s; when it is gone, `ranksweep run %s` "
		                    "goes on",
		                    (long long)i->pid, host, db);
	default:
		return arena_printf(a, "`ranksweep run %s` goes on", db);
	}
}

const char *monitor_advice(struct arena *a, const struct monitor_item *i, const char *db)
{
	if (i->kind == SUSPECT_STOPPED)
		return arena_printf(a, "`kill -CONT %lld` lets it go on", (long long)i->pid);
	if (i->unit)
		return unit_advice(a, i, db);
	if (i->rank < 0)
		return run_advice(a, i, db);
	return arena_printf(a, "if its units stay as they are, stop the run, and `ranksweep run %s` goes on",
	                    db);
}
