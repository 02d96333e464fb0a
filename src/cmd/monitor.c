/* monitor: looks, and prints what looks wrong. One look is enough unless it leaves doubts; then it looks
 * again until these are settled, and for PATIENCE_MS at most. With --interval it goes on until the run is
 * over, and prints what has changed. */
#include "monitor.h"

#include "host.h"
#include "text.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = SUSPECT_MISSED_MS + 2 * SUSPECT_PROOF_MS, LEAST_INTERVAL_MS = 100 };

/* ---- printing -------------------------------------------------------------------------------- */
static void put_line(struct monitor *m, struct arena *a, const struct monitor_item *i, struct bytes *b)
{
	struct bytes line = {0};

	text_putf(&line, "%s: %s; %s", monitor_subject(a, i), monitor_finding(a, i),
	          monitor_advice(a, i, m->db));
	bytes_put_u8(&line, '\0');
	report_put_plain(b, (const char *)line.data);
	bytes_put_u8(b, '\n');
	bytes_finish(&line);
}

/* event NULL: one look, where all that is there is printed */
static void put_json(struct monitor *m, struct arena *a, const struct monitor_item *i, const char *event,
                     struct bytes *b)
{
	struct bytes o = {0};

	text_put(&o, "{");
	if (event) {
		cmd_put_string(&o, "event", event);
		cmd_put_real(&o, "at", (double)host_epoch_ms() / 1000);
	}
	cmd_put_string(&o, "kind", suspicion_text(i->kind));
	cmd_put_string(&o, "about", i->unit ? "unit" : i->rank >= 0 ? "rank" : "run");
	cmd_put_int(&o, "run", i->run);
	cmd_put_int_or_null(&o, "rank", i->rank, i->rank >= 0);
	cmd_put_int_or_null(&o, "unit", i->unit, i->unit != 0);
	cmd_put_int_or_null(&o, "attempt", i->attempt, i->unit != 0);
	cmd_put_string(&o, "phase", i->phase);
	cmd_put_string(&o, "host", i->host);
	cmd_put_int_or_null(&o, "pid", i->pid, i->pid != 0);
	cmd_put_real(&o, "seconds", i->ms ? (double)i->ms / 1000 : (double)NAN);
	cmd_put_real(&o, "limit", i->limit_ms ? (double)i->limit_ms / 1000 : (double)NAN);
	cmd_put_string(&o, "finding", monitor_finding(a, i));
	cmd_put_string(&o, "advice", monitor_advice(a, i, m->db));
	text_put(&o, "}");
	bytes_put(b, o.data, o.len);
	bytes_finish(&o);
}

/* A change, when looks are repeated. */
static void tell(struct monitor *m, struct monitor_list *list, const struct monitor_item *i, bool resolved)
{
	struct arena *a = &list->arena;
	struct bytes b = {0};

	if (m->json) {
		put_json(m, a, i, resolved ? "resolved" : "appeared", &b);
		bytes_put_u8(&b, '\n');
	} else {
		text_putf(&b, "%s ", cmd_time(a, (double)host_epoch_ms() / 1000));
		if (resolved)
			text_putf(&b, "%s: resolved (%s)\n", monitor_subject(a, i), suspicion_text(i->kind));
		else
			put_line(m, a, i, &b);
	}
	cmd_write(stdout, &b);
	bytes_finish(&b);
	fflush(stdout);
}

static void put_all(struct monitor *m, struct monitor_list *list)
{
	struct bytes b = {0};
	const char *between = "\n";

	if (m->json)
		text_put(&b, "[");
	for (uint32_t k = 0; k < list->count; k++) {
		if (!list->items[k].told)
			continue;
		if (m->json) {
			text_put(&b, between);
			put_json(m, &list->arena, &list->items[k], NULL, &b);
			between = ",\n";
		} else {
			put_line(m, &list->arena, &list->items[k], &b);
		}
	}
	if (m->json)
		text_put(&b, *between == ',' ? "\n]\n" : "]\n");
	cmd_write(stdout, &b);
	bytes_finish(&b);
}

/* ---- from look to look ----------------------------------------------------------------------- */
static void resolve(struct monitor *m, struct monitor_list *old, const struct monitor_item *i)
{
	if (i->told && m->interval_ms)
		tell(m, old, i, true);
}

static void meet(struct monitor *m, struct monitor_list *list, struct monitor_item *i, int64_t now_ms)
{
	if (i->told || now_ms - i->since_ms < suspect_proof_ms(i->kind))
		return;
	i->told = true;
	if (m->interval_ms)
		tell(m, list, i, false);
}

/* What is in both lists is the same suspicion, what is only in the old one is resolved. */
static void compare(struct monitor *m, struct monitor_list *old, struct monitor_list *list, int64_t now_ms)
{
	uint32_t k = 0;

	for (uint32_t n = 0; n < list->count; n++) {
		struct monitor_item *i = &list->items[n];
		int order = 1;

		i->since_ms = now_ms;
		while (k < old->count && (order = monitor_order(&old->items[k], i)) < 0)
			resolve(m, old, &old->items[k++]);
		if (k < old->count && order == 0) {
			if (old->items[k].kind == i->kind) {
				i->since_ms = old->items[k].since_ms;
				i->told = old->items[k].told;
			} else {
				resolve(m, old, &old->items[k]);
			}
			k++;
		}
		meet(m, list, i, now_ms);
	}
	while (k < old->count)
		resolve(m, old, &old->items[k++]);
}

/* For how long the next look must wait to settle something; 0: there is no doubt. */
static int64_t doubt_ms(const struct monitor_list *list, int64_t now_ms)
{
	int64_t ms = list->wait ? SUSPECT_PROOF_MS : 0;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct monitor_item *x = &list->items[i];
		int64_t left = x->since_ms + suspect_proof_ms(x->kind) - now_ms;

		if (!x->told && (ms == 0 || left < ms))
			ms = left > 1 ? left : 1;
	}
	return ms;
}

/* False: a signal came. */
static bool wait_for_next(const struct monitor *m, int64_t doubt, int signal_fd)
{
	struct pollfd fd = {.fd = signal_fd, .events = POLLIN};
	int64_t ms = doubt && (!m->interval_ms || doubt < m->interval_ms) ? doubt : m->interval_ms;

	return poll(&fd, 1, (int)(ms < INT32_MAX ? ms : INT32_MAX)) <= 0;
}

static int watch(struct monitor *m, int signal_fd, uint32_t *told, struct fault *f)
{
	struct monitor_list lists[2] = {0}, *old = &lists[0], *list = &lists[1];
	int64_t begin_ms = host_monotonic_ms(), now_ms;
	int64_t doubt;
	bool more = true;
	int bad = 0;

	while (more && (bad = monitor_look(m, list, f)) == 0) {
		struct monitor_list *spare = old;

		now_ms = host_monotonic_ms();
		compare(m, old, list, now_ms);
		doubt = doubt_ms(list, now_ms);
		more =
		    m->interval_ms ? doubt || !list->over : doubt && now_ms - begin_ms + doubt <= PATIENCE_MS;
		more = more && wait_for_next(m, doubt, signal_fd);
		old = list;
		list = spare;
	}
	if (!bad && !m->interval_ms)
		put_all(m, old);
	*told = 0;
	for (uint32_t i = 0; i < old->count; i++)
		*told += old->items[i].told;
	arena_finish(&lists[0].arena);
	arena_finish(&lists[1].arena);
	return bad;
}

/* ---- the verb -------------------------------------------------------------------------------- */
/* ^C ends the repetition in good order; a reader that has seen enough ends it like any other filter. */
static int open_signals(const struct monitor *m, int *fd, struct fault *f)
{
	*fd = -1;
	if (m->interval_ms)
		*fd = host_signals_open(f);
	signal(SIGPIPE, SIG_DFL);
	return m->interval_ms && *fd < 0 ? -1 : 0;
}

static int monitor(struct monitor *m, struct fault *f)
{
	uint32_t told = 0;
	int fd, rc = open_signals(m, &fd, f);

	if (rc == 0)
		rc = watch(m, fd, &told, f);
	if (fd >= 0)
		close(fd);
	arena_finish(&m->arena);
	return rc ? -1 : told > 0;
}

int cmd_monitor(int argc, char **argv)
{
	struct monitor m = {.stall_ms = -1};
	int64_t interval_ms = -1;
	const struct cmd_option options[] = {
	    {"interval", 'i', CMD_DURATION, &interval_ms, "D",
	     "look again each D, and print what appears and what is resolved, until the run is over"},
	    {"stall", 0, CMD_DURATION, &m.stall_ms, "D",
	     "so long without output or metric is suspicious in all phases (0: never)"},
	    {"json", 0, CMD_FLAG, &m.json, NULL, "an array; with --interval an object a line"},
	    {0},
	};
	const struct cmd_usage usage = {
	    "monitor", "[DB] [--interval D] [--stall D] [--json]",
	    "Only what looks wrong, one line each with what to do about it; nothing when all is well. Looks "
	    "for units\n"
	    "that are silent (for the `stall` of their phase, else 10m), over their timeout, or far longer "
	    "than all\n"
	    "others; for trainers and ranks of this host that are stopped or gone; for a run that has died. "
	    "Changes\n"
	    "nothing and works while a run is on. Of processes elsewhere it knows what the run notes, and "
	    "what Slurm\n"
	    "or PBS say of its job. Exit status: 0 nothing, 1 something suspicious (with --interval: at the "
	    "end).",
	    options,
	    "  ranksweep monitor\n  ranksweep monitor digits.db --interval 30s\n"
	    "  ranksweep monitor digits.db --stall 5m --json | jq -r '.[].finding'"};
	struct fault f = {0};
	int rc = cmd_parse(&usage, &argc, argv, &f);

	if (rc == 1)
		return 0;
	if (rc == 0 && argc > 1)
		rc = cmd_misuse(&usage, &f, "one database at a time, not also `%s`", argv[1]);
	if (rc == 0 && interval_ms >= 0 && interval_ms < LEAST_INTERVAL_MS)
		rc = cmd_misuse(&usage, &f, "--interval is at least 0.1s");
	if (rc == 0) {
		m.db = argv[0];
		m.interval_ms = interval_ms > 0 ? interval_ms : 0;
		rc = monitor(&m, &f);
	}
	return rc < 0 ? cmd_print_fault(&f) : rc;
}
