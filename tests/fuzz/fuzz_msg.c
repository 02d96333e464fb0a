/* Bytes as a frame from the wire. What is let through must be in range, and must survive being sent again. */
#include "fuzz.h"

#include "msg.h"

#include <string.h>

static void check_ranges(const struct msg *m)
{
	must(m->kind >= MSG_HELLO && m->kind < MSG_KIND_END);
	if (m->kind == MSG_FINISHED)
		must((unsigned)m->u.finished.reason < REASON_TOLD_COUNT &&
		     m->u.finished.tail_bytes <= MSG_TAIL_MAX);
	if (m->kind == MSG_OUTPUT)
		must(m->u.output.stream == 1 || m->u.output.stream == 2);
	if (m->kind == MSG_ASSIGN)
		must(m->u.assign.argc >= 1 && m->u.assign.argc <= MSG_ARGS_MAX &&
		     !m->u.assign.argv[m->u.assign.argc]);
	if (m->kind == MSG_PHASE)
		must(m->u.phase.limits.retry_on >> REASON_TOLD_COUNT == 0);
}

/* One message encoded, decoded and encoded: the same bytes. */
static void check_round_trip(struct arena *a, const struct msg *m)
{
	struct bytes once = {0}, twice = {0};
	struct msg_reader it;
	struct msg again;

	must(msg_encode(&once, m) == 0);
	must(msg_open(&it, once.data, once.len, NULL) == 0);
	must(msg_next(&it, a, &again, NULL) == 1);
	must(msg_encode(&twice, &again) == 0);
	must(once.len == twice.len && !memcmp(once.data, twice.data, once.len));
	must(msg_next(&it, a, &again, NULL) == 0);
	bytes_finish(&once);
	bytes_finish(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct msg_reader it;
	struct arena a = {0};
	struct fault f;
	struct msg m;
	int got;

	if (msg_open(&it, data, n, &f))
		return 0;
	while ((got = msg_next(&it, &a, &m, &f)) == 1) {
		check_ranges(&m);
		check_round_trip(&a, &m);
	}
	must(got == 0 || f.code == FAULT_WORKER);
	arena_finish(&a);
	return 0;
}
