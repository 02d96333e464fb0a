/* What users ask for while a study runs, and scheduled jobs, by hand: small studies, one event after the
 * other. */
#include "hand.h"

/* ---- asking ------------------------------------------------------------------------------------------- */

/* One letter a unit, in order: waiting ready running(R) done failed blocked cancelled held, - gone; a unit
 * that a request waits for has a ! behind it. */
static const char *states(struct run *r)
{
	static const char letters[UNIT_STATE_COUNT + 1] = "wrRpdfbxch";
	static char text[512];
	size_t n = 0;

	for (uint32_t u = 1; u <= sched_unit_count(r->sched); u++) {
		struct unit_view v;

		sched_unit(r->sched, u, &v);
		text[n++] = v.trial ? letters[v.fact.state] : '-';
		if (v.fact.pending)
			text[n++] = '!';
	}
	text[n] = 0;
	return text;
}

/* What is announced must be what happens. */
static struct sched_effect ask_request(struct run *r, const struct sched_request *q)
{
	struct event e = {.kind = EVENT_REQUEST, .request = q};
	struct sched_effect before, after = {0};

	sched_preview(r->sched, q, &before);
	e.effect = &after;
	send(r, &e);
	assert_memory_equal(&before, &after, sizeof before);
	return after;
}

static struct sched_effect ask(struct run *r, enum request_kind kind, uint32_t first, uint32_t last)
{
	uint32_t units[100], n = 0;

	for (uint32_t u = first; u <= last && n < 100; u++)
		units[n++] = u;
	return ask_request(r, &(struct sched_request){.kind = kind, .units = units, .n = n});
}

static struct sched_effect ask_one(struct run *r, enum request_kind kind, uint32_t unit)
{
	return ask(r, kind, unit, unit);
}

static void prefer(struct run *r, uint32_t unit, int32_t priority)
{
	ask_request(r, &(struct sched_request){
	                   .kind = REQUEST_PRIORITY, .units = &unit, .n = 1, .priority = priority});
}

static void assert_effect(struct sched_effect e, uint32_t changed, uint32_t descendants, uint32_t live,
                          uint32_t picks)
{
	assert_int_equal(e.changed, changed);
	assert_int_equal(e.descendants, descendants);
	assert_int_equal(e.live, live);
	assert_int_equal(e.picks, picks);
}

/* Everything that runs succeeds, and what follows from it, until only unit 1 is left: the phase "long", which
 * keeps the run from ending. Values grow with the unit numbers. */
static void all_done(struct run *r)
{
	for (bool more = true; more;) {
		more = false;
		for (uint32_t u = 2; u <= sched_unit_count(r->sched); u++)
			if (state_of(r, u) == UNIT_RUNNING) {
				done(r, u, u);
				more = true;
			}
	}
}

static struct run *run_with_long(void)
{
	struct run *r = run_new();

	gen_phase(r->gen, "long")->folds = FOLDS_NONE;
	return r;
}

static uint32_t count_records(const struct run *r, enum record_kind kind, uint32_t from)
{
	uint32_t n = 0;

	for (uint32_t i = from; i < r->nrecords; i++)
		n += r->records[i].kind == kind;
	return n;
}

/* Do results of this unit not count any more? */
static bool archived(const struct run *r, uint32_t unit, uint32_t from)
{
	bool yes = false;

	for (uint32_t i = from; i < r->nrecords; i++)
		yes = yes || (r->records[i].kind == RECORD_ARCHIVE && r->records[i].unit == unit);
	return yes;
}

/* The run ends here; another one reads what was kept and goes on. */
static void next_run(struct run *r)
{
	r->sched = replayed(r);
	r->finished = false;
	tick(r, 0);
}

/* ---- reset -------------------------------------------------------------------------------------------- */

/* Units 2 3 and 4 5: two pretrain trials of two folds. 6 7, 9 10, 12 13, 15 16: two finetune trials of each.
 * 8, 11, 14, 17: what comes after both folds of those. */
static struct run *tree(void)
{
	struct run *r = run_with_long();

	r->gen->study.folds.inner = 2;
	gen_phase(r->gen, "pretrain");
	gen_random(r->gen, 2);
	gen_phase(r->gen, "finetune");
	gen_after(r->gen, "pretrain");
	gen_random(r->gen, 2);
	gen_phase(r->gen, "retrain")->folds = FOLDS_NONE;
	gen_after(r->gen, "finetune");
	start(r, 0);
	up(r, 0, 32);
	all_done(r);
	assert_string_equal(states(r), "Rdddddddddddddddd");
	return r;
}

static void reset_takes_the_descendants_and_nothing_else(void **state)
{
	static const struct {
		uint32_t first, last;
		const char *states;
		uint32_t descendants;
	} rows[] = {
	    {2, 3, "RRRddwwwwwwdddddd", 6}, /* a root: all below it */
	    {2, 2, "RRdddwdwwdwdddddd", 4}, /* one fold of it: that fold below, and what needs all folds */
	    {7, 7, "RdddddRwddddddddd", 1},  {8, 8, "RddddddRddddddddd", 0}, /* nothing above it */
	    {2, 5, "RRRRRwwwwwwwwwwww", 12},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct run *r = tree();
		uint32_t n = rows[i].last - rows[i].first + 1;

		assert_effect(ask(r, REQUEST_RESET, rows[i].first, rows[i].last), n, rows[i].descendants, 0,
		              0);
		assert_string_equal(states(r), rows[i].states);
		assert_int_equal(count_records(r, RECORD_ARCHIVE, 0), n + rows[i].descendants);
		replayed(r);
		all_done(r); /* and all of it can be done again */
		assert_string_equal(states(r), "Rdddddddddddddddd");
		run_finish(r);
	}
}

static void a_reset_unit_begins_anew(void **state)
{
	struct run *r = run_with_long();

	(void)state;
	gen_phase(r->gen, "a")->limits.retries = 1;
	start(r, 0);
	up(r, 0, 1);
	ask_one(r, REQUEST_HOLD, 2);
	ask_one(r, REQUEST_RELEASE, 2);
	up(r, 1, 1);
	failed(r, 2, REASON_EXIT, 1);
	tick(r, 1000);
	failed(r, 2, REASON_EXIT, 1);
	assert_state(r, 2, "failed");
	assert_effect(ask_one(r, REQUEST_RESET, 2), 1, 0, 0, 0);
	assert_state(r, 2, "running");
	assert_int_equal(fact(r, 2).attempts, 3); /* the history goes on */
	assert_int_equal(fact(r, 2).failures, 0);
	assert_int_equal(fact(r, 2).resets, 1);
	assert_string_equal(sched_unit_dir(r->sched, 2, "/o", &r->scratch), "/o/dir/a/t2.1");
	failed(r, 2, REASON_EXIT, 1); /* all retries are there again */
	assert_state(r, 2, "ready");
	replayed(r);
	run_finish(r);
}

static void what_has_not_begun_is_not_reset(void **state)
{
	struct run *r = run_with_long();
	struct sched_effect e;
	uint32_t records;

	(void)state;
	gen_phase(r->gen, "a");
	gen_phase(r->gen, "b");
	gen_after(r->gen, "a");
	start(r, 0);
	records = r->nrecords;
	e = ask(r, REQUEST_RESET, 1, 99); /* numbers that are none do not matter */
	assert_effect(e, 0, 0, 0, 0);
	assert_int_equal(e.left[UNIT_READY], 2);
	assert_int_equal(e.left[UNIT_WAITING], 1);
	assert_int_equal(r->nrecords, records);
	run_finish(r);
}

static void live_attempts_are_stopped_first(void **state)
{
	struct run *r = run_with_long();
	struct event late;
	uint32_t records;

	(void)state;
	gen_phase(r->gen, "a");
	gen_phase(r->gen, "b");
	gen_after(r->gen, "a");
	gen_phase(r->gen, "c");
	gen_after(r->gen, "b");
	start(r, 0);
	up(r, 0, 8);
	done(r, 2, 0.5);
	late = about(r, EVENT_FINISHED, 3);
	assert_effect(ask_one(r, REQUEST_RESET, 2), 1, 1, 1, 0);
	assert_int_equal(count_actions(r, ACTION_CANCEL), 1);
	assert_int_equal(r->log[r->nlog - 1].unit, 3);
	assert_int_equal(r->log[r->nlog - 1].lease, late.lease);
	assert_string_equal(states(r), "Rd!R!w!");
	assert_true(fact(r, 2).value == 0.5);
	replayed(r);
	assert_effect(ask_one(r, REQUEST_RESET, 2), 0, 0, 0, 0); /* asked for already */
	records = r->nrecords;
	done(r, 3, 0.25); /* it was quicker than the signal: that does not count */
	assert_string_equal(states(r), "RRww");
	assert_true(isnan(fact(r, 2).value));
	assert_true(isnan(fact(r, 3).value));
	assert_true(archived(r, 2, records) && archived(r, 3, records));
	assert_int_equal(count_actions(r, ACTION_CANCEL), 1);
	send(r, &late); /* and once more */
	assert_string_equal(states(r), "RRww");
	all_done(r);
	assert_string_equal(states(r), "Rddd");
	replayed(r);
	run_finish(r);
}

static void nothing_of_the_set_starts_while_it_waits(void **state)
{
	struct run *r = run_with_long();

	(void)state;
	gen_phase(r->gen, "a")->limits.retries = 1;
	gen_random(r->gen, 2);
	start(r, 0);
	up(r, 0, 8);
	failed(r, 3, REASON_EXIT, 1);
	assert_effect(ask(r, REQUEST_RESET, 2, 3), 2, 0, 1, 0);
	tick(r, 5000); /* its back-off is over */
	assert_string_equal(states(r), "RR!r!");
	failed(r, 2, REASON_SIGNAL, -1);
	assert_string_equal(states(r), "RRR");
	assert_int_equal(fact(r, 3).failures, 0);
	replayed(r);
	run_finish(r);
}

static void a_crash_while_a_reset_waits_does_it(void **state)
{
	struct run *r = run_with_long();

	(void)state;
	gen_phase(r->gen, "a");
	gen_phase(r->gen, "b");
	gen_after(r->gen, "a");
	start(r, 0);
	up(r, 0, 8);
	done(r, 2, 0.5);
	ask_one(r, REQUEST_RESET, 2);
	assert_string_equal(states(r), "Rd!R!");
	next_run(r);
	assert_string_equal(states(r), "rrw");
	assert_int_equal(fact(r, 2).resets, 1);
	run_finish(r);
}

/* ---- picks that become void ------------------------------------------------------------------------------
 */

/* Units 2..4: candidates, the first is best. 5: after the best of them; 6: after that. */
static struct run *picked(void)
{
	struct run *r = run_with_long();

	gen_phase(r->gen, "search");
	gen_random(r->gen, 3);
	gen_phase(r->gen, "retrain");
	gen_after_best(r->gen, "search", 1);
	gen_phase(r->gen, "test");
	gen_after(r->gen, "retrain");
	start(r, 0);
	up(r, 0, 8);
	all_done(r);
	assert_string_equal(states(r), "Rddddd");
	return r;
}

static uint32_t parent_of(struct run *r, uint32_t trial)
{
	struct trial_view v;

	sched_trial(r->sched, trial, &v);
	assert_int_equal(v.nparents, 1);
	return v.parents[0];
}

static void the_same_winner_runs_the_same_trials_again(void **state)
{
	struct run *r = picked();
	uint32_t records = r->nrecords;

	(void)state;
	assert_effect(ask_one(r, REQUEST_RESET, 3), 1, 2, 0,
	              1); /* one that lost: the pick hangs on it, too */
	assert_int_equal(count_records(r, RECORD_UNPICK, records), 1);
	assert_string_equal(states(r), "RdRdww");
	replayed(r);
	done(r, 3, 7);
	assert_string_equal(states(r), "RdddRw");
	assert_int_equal(parent_of(r, 5), 2);
	all_done(r);
	assert_int_equal(sched_trial_count(r->sched), 6);
	assert_int_equal(count_records(r, RECORD_GONE, records), 0);
	assert_int_equal(count_records(r, RECORD_PICK, records), 1);
	replayed(r);
	run_finish(r);
}

static void another_winner_takes_the_place(void **state)
{
	struct run *r = picked();
	uint32_t records = r->nrecords, gone = 0;

	(void)state;
	ask_one(r, REQUEST_RESET, 2);
	done(r, 2, 99);
	assert_string_equal(states(r), "Rddd--Rw");
	for (uint32_t i = records; i < r->nrecords; i++)
		if (r->records[i].kind == RECORD_GONE) {
			assert_int_equal(r->records[i].gone, GONE_SUPERSEDED);
			gone |= 1u << r->records[i].trial;
		}
	assert_int_equal(gone, 1u << 5 | 1u << 6);
	assert_false(sched_trial_exists(r->sched, 5));
	assert_int_equal(parent_of(r, 7), 3);
	replayed(r);
	all_done(r);
	assert_string_equal(states(r), "Rddd--dd");
	next_run(r);
	assert_string_equal(states(r), "rddd--dd");
	run_finish(r);
}

/* It was superseded, not deleted: it may win again. */
static void a_superseded_trial_may_come_back(void **state)
{
	struct run *r = picked();

	(void)state;
	ask_one(r, REQUEST_RESET, 2);
	done(r, 2, 99);
	all_done(r);
	ask_one(r, REQUEST_RESET, 2);
	done(r, 2, 0);
	all_done(r);
	assert_string_equal(states(r), "Rddd----dd");
	assert_int_equal(parent_of(r, 9), 2);
	replayed(r);
	run_finish(r);
}

static void a_candidate_that_is_deleted_cannot_win(void **state)
{
	struct run *r = picked();

	(void)state;
	assert_effect(ask_one(r, REQUEST_DELETE, 2), 1, 2, 0, 1);
	all_done(r);
	assert_string_equal(states(r), "R-dd--dd");
	assert_int_equal(parent_of(r, 7), 3);
	replayed(r);
	run_finish(r);
}

/* ---- cancel ----------------------------------------------------------------------------------------------
 */

static struct run *chain(void)
{
	struct run *r = run_with_long();

	gen_phase(r->gen, "a")->limits.retries = 3;
	gen_phase(r->gen, "b");
	gen_after(r->gen, "a");
	gen_phase(r->gen, "c");
	gen_after(r->gen, "b");
	start(r, 0);
	up(r, 0, 1);
	up(r, 1, 1);
	return r;
}

static void a_cancel_sticks_whatever_the_end(void **state)
{
	(void)state;
	for (int how = 0; how < 5; how++) {
		struct run *r = chain();
		struct event e = about(r, EVENT_FINISHED, 2);

		assert_effect(ask_one(r, REQUEST_CANCEL, 2), 1, 2, 1, 0);
		assert_int_equal(count_actions(r, ACTION_CANCEL), 1);
		assert_string_equal(states(r), "RR!ww");
		assert_effect(ask_one(r, REQUEST_CANCEL, 2), 0, 0, 0, 0);
		if (how == 0)
			done(r, 2, 0.5);
		else if (how == 1)
			failed(r, 2, REASON_SIGNAL, -1);
		else if (how == 2)
			send(r, &(struct event){.kind = EVENT_WORKER_LOST, .worker = e.worker});
		else if (how == 3)
			e.result.requeue = true, send(r, &e);
		else
			next_run(r);
		assert_string_equal(states(r), how == 4 ? "rcbb" : "Rcbb");
		assert_int_equal(fact(r, 4).cause, 2);
		assert_true(isnan(fact(r, 2).value));
		replayed(r);
		tick(r, 100000);
		assert_string_equal(states(r), how == 4 ? "rcbb" : "Rcbb");
		run_finish(r);
	}
}

static void a_reset_revives_what_was_cancelled(void **state)
{
	struct run *r = chain();

	(void)state;
	ask_one(r, REQUEST_CANCEL, 3);
	assert_string_equal(states(r), "RRcb");
	done(r, 2, 1);
	assert_string_equal(states(r), "Rdcb");
	assert_effect(ask_one(r, REQUEST_RESET, 3), 1, 1, 0, 0);
	assert_string_equal(states(r), "RdRw");
	all_done(r);
	assert_string_equal(states(r), "Rddd");
	replayed(r);
	run_finish(r);
}

static void cancelled_units_are_no_failure(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 2);
	start(r, 0);
	up(r, 0, 1);
	ask_one(r, REQUEST_CANCEL, 2);
	done(r, 1, 1);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_NONE);
	assert_string_equal(r->text, "1 unit is cancelled");
	run_finish(r);
}

static void what_has_ended_is_not_cancelled(void **state)
{
	struct run *r = chain();
	struct sched_effect e;

	(void)state;
	done(r, 2, 1);
	e = ask(r, REQUEST_CANCEL, 2, 2);
	assert_effect(e, 0, 0, 0, 0);
	assert_int_equal(e.left[UNIT_DONE], 1);
	assert_string_equal(states(r), "RdRw");
	run_finish(r);
}

/* ---- hold ------------------------------------------------------------------------------------------------
 */

static void held_units_do_not_start(void **state)
{
	struct run *r = chain();
	struct sched_effect e;

	(void)state;
	e = ask(r, REQUEST_HOLD, 2, 3);
	assert_effect(e, 1, 0, 0, 0); /* what runs goes on */
	assert_int_equal(e.left[UNIT_RUNNING], 1);
	done(r, 2, 1);
	assert_string_equal(states(r), "Rdhw");
	replayed(r);
	assert_effect(ask(r, REQUEST_RELEASE, 1, 4), 1, 0, 0, 0);
	assert_string_equal(states(r), "RdRw");
	replayed(r);
	run_finish(r);
}

static void a_held_unit_below_a_failed_one_stays_held(void **state)
{
	struct run *r = chain();

	(void)state;
	ask_one(r, REQUEST_HOLD, 3);
	failed(r, 2, REASON_NO_METRIC, 0);
	assert_string_equal(states(r), "Rfhb");
	assert_int_equal(fact(r, 4).cause, 2);
	ask_one(r, REQUEST_RELEASE, 3);
	assert_string_equal(states(r), "Rfbb");
	replayed(r);
	run_finish(r);
}

static void a_reset_leaves_held_what_was_held(void **state)
{
	struct run *r = chain();

	(void)state;
	ask_one(r, REQUEST_HOLD, 3);
	done(r, 2, 1);
	ask_one(r, REQUEST_RESET, 2);
	assert_string_equal(states(r), "RRhw");
	done(r, 2, 1);
	assert_string_equal(states(r), "Rdhw");
	run_finish(r);
}

static void a_held_unit_may_be_reset(void **state)
{
	struct run *r = chain();

	(void)state;
	failed(r, 2, REASON_EXIT, 1);
	ask_one(r, REQUEST_HOLD, 2);
	assert_effect(ask_one(r, REQUEST_RESET, 2), 1, 0, 0, 0);
	tick(r, 5000);
	assert_string_equal(states(r), "Rhww");
	assert_int_equal(fact(r, 2).failures, 0);
	assert_int_equal(fact(r, 2).resets, 1);
	replayed(r);
	ask_one(r, REQUEST_RELEASE, 2);
	assert_string_equal(states(r), "RRww");
	run_finish(r);
}

static void a_run_that_has_only_held_units_says_so(void **state)
{
	struct run *r = run_new();

	(void)state;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 3);
	start(r, 0);
	ask(r, REQUEST_HOLD, 2, 3);
	up(r, 0, 1);
	done(r, 1, 1);
	assert_true(r->finished);
	assert_int_equal(r->code, FAULT_UNITS);
	assert_string_equal(r->text, "2 units are held (`ranksweep release` lets them start)");
	next_run(r);
	assert_string_equal(states(r), "dhh");
	run_finish(r);
}

/* ---- priority
 * ---------------------------------------------------------------------------------------------- */

static void higher_priority_comes_first(void **state)
{
	struct run *r = run_new();

	(void)state;
	r->gen->study.folds.inner = 2;
	gen_phase(r->gen, "a"); /* units 1..6 */
	gen_random(r->gen, 3);
	gen_phase(r->gen, "b"); /* units 7 8, one trial */
	start(r, 0);
	up(r, 0, 1);
	prefer(r, 8, 2); /* before the begun trial, before the longer way, in another phase */
	prefer(r, 5, 1);
	prefer(r, 2, -1);
	for (uint32_t i = 0; i < 8; i++)
		done(r, r->log[r->nlog - 1].unit, 1);
	assert_string_equal(assigned(r), "1@0 8@0 5@0 6@0 7@0 3@0 4@0 2@0");
	assert_true(r->finished);
	replayed(r);
	run_finish(r);
}

static void a_raised_fold_of_a_failed_trial_comes_first(void **state)
{
	struct run *r = run_new();

	(void)state;
	r->gen->study.folds.inner = 3;
	gen_phase(r->gen, "a");
	gen_random(r->gen, 2);
	start(r, 0);
	up(r, 0, 1);
	prefer(r, 3, 1);
	failed(r, 1, REASON_NO_METRIC, 0);
	assert_string_equal(assigned(r), "1@0 3@0");
	run_finish(r);
}

static void a_priority_ends_no_back_off(void **state)
{
	struct run *r = run_with_long();

	(void)state;
	gen_phase(r->gen, "a")->limits.retries = 1;
	start(r, 0);
	up(r, 0, 2);
	failed(r, 2, REASON_EXIT, 1);
	prefer(r, 2, 100);
	tick(r, 999);
	assert_state(r, 2, "ready");
	tick(r, 1);
	assert_state(r, 2, "running");
	assert_int_equal(fact(r, 2).priority, 100);
	replayed(r);
	run_finish(r);
}

static void what_has_ended_gets_no_priority(void **state)
{
	struct run *r = chain();

	(void)state;
	done(r, 2, 1);
	prefer(r, 2, 7);
	assert_int_equal(fact(r, 2).priority, 0);
	prefer(r, 3, 7); /* one that runs: for a retry */
	assert_int_equal(fact(r, 3).priority, 7);
	run_finish(r);
}

/* ---- delete
 * ------------------------------------------------------------------------------------------------- */

static void a_deleted_trial_stays_away(void **state)
{
	struct run *r = run_with_long();
	uint32_t records;

	(void)state;
	r->gen->study.folds.inner = 2;
	gen_phase(r->gen, "grid"); /* trials 2 4 6 */
	gen_grid(r->gen, 3);
	gen_phase(r->gen, "below"); /* trials 3 5 7 */
	gen_after(r->gen, "grid");
	start(r, 0);
	up(r, 0, 32);
	all_done(r);
	records = r->nrecords;
	assert_effect(ask_one(r, REQUEST_DELETE, 7), 2, 2, 0, 0); /* with its other fold */
	assert_string_equal(states(r), "Rdddd----dddd");
	assert_int_equal(count_records(r, RECORD_GONE, records), 2);
	assert_false(sched_trial_exists(r->sched, 4));
	assert_false(sched_trial_exists(r->sched, 5));
	next_run(r);
	assert_string_equal(states(r), "rdddd----dddd");
	assert_int_equal(sched_trial_count(r->sched), 7);
	run_finish(r);
}

static uint32_t parents_of_groups(const struct run *r, uint32_t ngroups)
{
	struct group_view g;
	uint32_t n = 0;

	for (uint32_t i = 1; i <= ngroups; i++) {
		sched_group(r->sched, i, &g);
		n += g.nparents;
	}
	return n;
}

/* What was wanted of a search may still wait: there is nothing to search for. */
static void a_group_goes_with_its_only_parent(void **state)
{
	struct run *r = run_with_long();

	(void)state;
	gen_phase(r->gen, "grid");
	gen_grid(r->gen, 2);
	gen_phase(r->gen, "below");
	gen_after(r->gen, "grid");
	gen_grid(r->gen, 2);
	start(r, 0);
	up(r, 0, 32);
	assert_int_equal(parents_of_groups(r, 4), 4);
	ask_one(r, REQUEST_DELETE, 2);
	done(r, 2, 1);
	assert_false(sched_trial_exists(r->sched, 2));
	assert_int_equal(parents_of_groups(r, 4), 3);
	run_finish(r);
}

static void a_live_trial_is_stopped_and_deleted(void **state)
{
	struct run *r = chain();

	(void)state;
	assert_effect(ask_one(r, REQUEST_DELETE, 2), 1, 2, 1, 0);
	assert_string_equal(states(r), "RR!w!w!");
	done(r, 2, 1);
	assert_string_equal(states(r), "R---");
	next_run(r);
	assert_string_equal(states(r), "r---");
	run_finish(r);
}

/* ---- taking over ----------------------------------------------------------------------------------------
 */

static void live_attempts_and_back_offs_are_taken_over(void **state)
{
	struct run *r = run_with_long();
	const struct sched *old;
	struct event e;

	(void)state;
	gen_phase(r->gen, "a")->limits.retries = 1;
	gen_phase(r->gen, "b");
	start(r, 0);
	up(r, 0, 3);
	failed(r, 2, REASON_EXIT, 1);
	e = about(r, EVENT_FINISHED, 3);
	old = r->sched;
	r->sched = replayed(r);
	sched_adopt(r->sched, old);
	tick(r, 0);
	assert_string_equal(states(r), "RrR"); /* no loss, no start ahead of time */
	e.result.has_value = true;
	send(r, &e);
	assert_string_equal(states(r), "Rrd");
	tick(r, 1000);
	assert_string_equal(states(r), "RRd");
	run_finish(r);
}

/* ---- jobs -------------------------------------------------------------------------------------------------
 */

static struct sched_job job_of(struct run *r, uint64_t key, const uint32_t *parents, uint32_t n)
{
	struct value *v = arena_alloc(&r->arena, sizeof *v);

	*v = (struct value){.kind = VALUE_REAL, .u = {.r = (double)key}};
	return (struct sched_job){.phase = study_find_phase(r->study, "job")->index,
	                          .key = {1, key},
	                          .values = v,
	                          .parents = parents,
	                          .nparents = n};
}

/* What is announced must be what happens. */
static uint32_t schedule_job(struct run *r, const struct sched_job *j, enum job_answer want)
{
	enum job_answer got = JOB_ADDED;
	uint32_t trial = 0;
	struct event e = {.kind = EVENT_JOB, .job = j, .answer = &got, .trial = &trial};

	assert_int_equal(sched_preview_job(r->sched, j), want);
	send(r, &e);
	assert_int_equal(got, want);
	return trial;
}

/* Units 2..4: what jobs may come after, the first is best. */
static struct run *run_with_jobs(void)
{
	struct run *r = run_with_long();

	gen_phase(r->gen, "search");
	gen_random(r->gen, 3);
	gen_phase(r->gen, "job");
	gen_after(r->gen, "search");
	gen_scheduled(r->gen);
	gen_phase(r->gen, "more");
	gen_after(r->gen, "job");
	gen_scheduled(r->gen);
	start(r, 0);
	up(r, 0, 8);
	return r;
}

static const uint32_t all[] = {2, 3, 4};

static void the_same_job_is_there_already(void **state)
{
	struct run *r = run_with_jobs();
	struct sched_job j = job_of(r, 1, all, 2), root = job_of(r, 2, NULL, 0);

	(void)state;
	assert_int_equal(schedule_job(r, &j, JOB_ADDED), 5);
	assert_string_equal(states(r), "RRRRw");
	assert_int_equal(schedule_job(r, &j, JOB_KNOWN), 5);
	j.nparents = 1; /* fewer than it has: they are among its parents */
	assert_int_equal(schedule_job(r, &j, JOB_KNOWN), 5);
	assert_int_equal(schedule_job(r, &root, JOB_ADDED), 6);
	assert_string_equal(states(r), "RRRRwR");
	replayed(r);
	done(r, 2, 1);
	assert_string_equal(states(r), "RdRRwR");
	done(r, 3, 1);
	assert_string_equal(states(r), "RddRRR");
	run_finish(r);
}

static void a_job_grows_until_it_begins(void **state)
{
	struct run *r = run_with_jobs();
	struct sched_job j = job_of(r, 1, all, 1);
	struct trial_view v;
	uint32_t records;

	(void)state;
	schedule_job(r, &j, JOB_ADDED);
	j.nparents = 2;
	assert_int_equal(schedule_job(r, &j, JOB_GROWN), 5);
	sched_trial(r->sched, 5, &v);
	assert_int_equal(v.nparents, 2);
	done(r, 2, 1);
	assert_string_equal(states(r), "RdRRw"); /* the new one counts */
	replayed(r);
	done(r, 3, 1);
	assert_string_equal(states(r), "RddRR");
	records = r->nrecords;
	j.nparents = 3;
	assert_int_equal(schedule_job(r, &j, JOB_STARTED), 5);
	assert_int_equal(r->nrecords, records);
	done(r, 5, 1);
	schedule_job(r, &j, JOB_STARTED);
	j.force = true;
	assert_int_equal(schedule_job(r, &j, JOB_FORCED), 5);
	assert_string_equal(states(r), "RddRw");
	assert_int_equal(fact(r, 5).resets, 1);
	schedule_job(r, &j, JOB_KNOWN);
	replayed(r);
	all_done(r);
	assert_string_equal(states(r), "Rdddd");
	run_finish(r);
}

static void a_forced_job_that_runs_is_stopped_first(void **state)
{
	struct run *r = run_with_jobs();
	struct sched_job j = job_of(r, 1, all, 1);

	(void)state;
	done(r, 2, 1);
	schedule_job(r, &j, JOB_ADDED);
	assert_string_equal(states(r), "RdRRR");
	j.nparents = 2;
	j.force = true;
	schedule_job(r, &j, JOB_FORCED);
	assert_int_equal(count_actions(r, ACTION_CANCEL), 1);
	done(r, 5, 1);
	assert_string_equal(states(r), "RdRRw");
	replayed(r);
	run_finish(r);
}

static struct sched_job best_of(struct run *r, uint32_t n)
{
	struct sched_job j = job_of(r, 1, all, 3);

	j.best_n = n;
	return j;
}

static void a_job_comes_after_the_best(void **state)
{
	struct run *r = run_with_jobs();
	struct sched_job j = best_of(r, 2);
	struct trial_view v;

	(void)state;
	schedule_job(r, &j, JOB_ADDED);
	done(r, 2, 0.3);
	done(r, 3, 0.2);
	assert_string_equal(states(r), "RddRw");
	replayed(r);
	done(r, 4, 0.1);
	assert_string_equal(states(r), "RdddR");
	sched_trial(r->sched, 5, &v);
	assert_int_equal(v.nparents, 2);
	assert_int_equal(v.parents[0], 3);
	assert_int_equal(v.parents[1], 4);
	schedule_job(r, &j, JOB_KNOWN);
	replayed(r);
	run_finish(r);
}

static void no_valid_candidate_blocks_a_job(void **state)
{
	struct run *r = run_with_jobs();
	struct sched_job j = best_of(r, 1);

	(void)state;
	schedule_job(r, &j, JOB_ADDED);
	done(r, 2, NAN);
	failed(r, 3, REASON_NO_METRIC, 0);
	done(r, 4, INFINITY);
	assert_string_equal(states(r), "Rfffb");
	replayed(r);
	ask_one(r, REQUEST_RESET, 3);
	assert_string_equal(states(r), "RfRfw");
	done(r, 3, 1);
	assert_string_equal(states(r), "RfdfR");
	assert_int_equal(parent_of(r, 5), 3);
	replayed(r);
	run_finish(r);
}

static void a_job_picks_again_when_a_candidate_changes(void **state)
{
	struct run *r = run_with_jobs();
	struct sched_job j = best_of(r, 1);

	(void)state;
	schedule_job(r, &j, JOB_ADDED);
	all_done(r);
	assert_int_equal(parent_of(r, 5), 2);
	assert_effect(ask_one(r, REQUEST_RESET, 2), 1, 1, 0, 1);
	assert_string_equal(states(r), "RRddw");
	replayed(r);
	done(r, 2, 99);
	assert_string_equal(states(r), "RdddR"); /* the same trial, another parent */
	assert_int_equal(parent_of(r, 5), 3);
	done(r, 5, 1);
	replayed(r);
	run_finish(r);
}

/* One that lost leaves the others to choose from; the winner takes the job along, as every parent does. */
static void a_job_picks_again_when_a_candidate_is_deleted(void **state)
{
	struct run *r = run_with_jobs();
	struct sched_job j = best_of(r, 2);
	struct trial_view v;

	(void)state;
	schedule_job(r, &j, JOB_ADDED);
	all_done(r);
	assert_effect(ask_one(r, REQUEST_DELETE, 4), 1, 1, 0, 1);
	assert_string_equal(states(r), "Rdd-R");
	sched_trial(r->sched, 5, &v);
	assert_int_equal(v.nparents, 2);
	assert_int_equal(v.parents[0], 2);
	done(r, 5, 1);
	next_run(r);
	assert_string_equal(states(r), "rdd-d");
	assert_effect(ask_one(r, REQUEST_DELETE, 3), 1, 1, 0, 1);
	assert_string_equal(states(r), "rd---");
	replayed(r);
	run_finish(r);
}

/* While nothing is decided, those that are left decide. */
static void the_last_open_candidate_is_deleted(void **state)
{
	struct run *r = run_with_jobs();
	struct sched_job j = best_of(r, 1);

	(void)state;
	schedule_job(r, &j, JOB_ADDED);
	done(r, 2, 2);
	done(r, 3, 1);
	assert_effect(ask_one(r, REQUEST_DELETE, 4), 1, 0, 1, 0);
	assert_string_equal(states(r), "RddR!w");
	done(r, 4, 0);
	assert_string_equal(states(r), "Rdd-R");
	assert_int_equal(parent_of(r, 5), 3);
	replayed(r);
	run_finish(r);
}

static void a_deleted_job_may_be_scheduled_again(void **state)
{
	struct run *r = run_with_jobs();
	struct sched_job j = job_of(r, 1, all, 1), after;
	uint32_t parent = 5;

	(void)state;
	schedule_job(r, &j, JOB_ADDED);
	after = job_of(r, 2, &parent, 1);
	after.phase = study_find_phase(r->study, "more")->index;
	assert_int_equal(schedule_job(r, &after, JOB_ADDED), 6);
	all_done(r);
	assert_string_equal(states(r), "Rddddd");
	assert_effect(ask_one(r, REQUEST_DELETE, 5), 1, 1, 0, 0);
	assert_string_equal(states(r), "Rddd--");
	next_run(r);
	up(r, 0, 8);
	assert_string_equal(states(r), "Rddd--");
	assert_int_equal(schedule_job(r, &j, JOB_ADDED), 7);
	assert_string_equal(states(r), "Rddd--R");
	replayed(r);
	run_finish(r);
}

/* It is not in the set that waits, but hangs on it. */
static void a_job_behind_a_reset_that_waits_does_not_start(void **state)
{
	struct run *r = run_with_jobs();
	struct sched_job j = job_of(r, 1, all, 1), later = job_of(r, 2, all, 1);

	(void)state;
	schedule_job(r, &j, JOB_ADDED);
	done(r, 2, 1);
	assert_string_equal(states(r), "RdRRR");
	ask_one(r, REQUEST_RESET, 2);
	schedule_job(r, &later, JOB_ADDED);
	assert_string_equal(states(r), "Rd!RRR!w");
	done(r, 5, 1);
	assert_string_equal(states(r), "RRRRww");
	replayed(r);
	done(r, 2, 1);
	assert_string_equal(states(r), "RdRRRR");
	run_finish(r);
}

static void a_job_goes_with_its_parent(void **state)
{
	struct run *r = run_with_jobs();
	struct sched_job j = job_of(r, 1, all, 3);

	(void)state;
	schedule_job(r, &j, JOB_ADDED);
	all_done(r);
	assert_effect(ask_one(r, REQUEST_RESET, 3), 1, 1, 0, 0);
	assert_string_equal(states(r), "RdRdw");
	assert_effect(ask_one(r, REQUEST_DELETE, 4), 1, 1, 0, 0);
	assert_string_equal(states(r), "RdR--");
	replayed(r);
	run_finish(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reset_takes_the_descendants_and_nothing_else),
	    cmocka_unit_test(a_reset_unit_begins_anew),
	    cmocka_unit_test(what_has_not_begun_is_not_reset),
	    cmocka_unit_test(live_attempts_are_stopped_first),
	    cmocka_unit_test(nothing_of_the_set_starts_while_it_waits),
	    cmocka_unit_test(a_crash_while_a_reset_waits_does_it),
	    cmocka_unit_test(the_same_winner_runs_the_same_trials_again),
	    cmocka_unit_test(another_winner_takes_the_place),
	    cmocka_unit_test(a_superseded_trial_may_come_back),
	    cmocka_unit_test(a_candidate_that_is_deleted_cannot_win),
	    cmocka_unit_test(a_cancel_sticks_whatever_the_end),
	    cmocka_unit_test(a_reset_revives_what_was_cancelled),
	    cmocka_unit_test(cancelled_units_are_no_failure),
	    cmocka_unit_test(what_has_ended_is_not_cancelled),
	    cmocka_unit_test(held_units_do_not_start),
	    cmocka_unit_test(a_held_unit_below_a_failed_one_stays_held),
	    cmocka_unit_test(a_reset_leaves_held_what_was_held),
	    cmocka_unit_test(a_held_unit_may_be_reset),
	    cmocka_unit_test(a_run_that_has_only_held_units_says_so),
	    cmocka_unit_test(higher_priority_comes_first),
	    cmocka_unit_test(a_raised_fold_of_a_failed_trial_comes_first),
	    cmocka_unit_test(a_priority_ends_no_back_off),
	    cmocka_unit_test(what_has_ended_gets_no_priority),
	    cmocka_unit_test(a_deleted_trial_stays_away),
	    cmocka_unit_test(a_group_goes_with_its_only_parent),
	    cmocka_unit_test(a_live_trial_is_stopped_and_deleted),
	    cmocka_unit_test(live_attempts_and_back_offs_are_taken_over),
	    cmocka_unit_test(the_same_job_is_there_already),
	    cmocka_unit_test(a_job_grows_until_it_begins),
	    cmocka_unit_test(a_forced_job_that_runs_is_stopped_first),
	    cmocka_unit_test(a_job_comes_after_the_best),
	    cmocka_unit_test(no_valid_candidate_blocks_a_job),
	    cmocka_unit_test(a_job_picks_again_when_a_candidate_changes),
	    cmocka_unit_test(a_job_picks_again_when_a_candidate_is_deleted),
	    cmocka_unit_test(the_last_open_candidate_is_deleted),
	    cmocka_unit_test(a_deleted_job_may_be_scheduled_again),
	    cmocka_unit_test(a_job_behind_a_reset_that_waits_does_not_start),
	    cmocka_unit_test(a_job_goes_with_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
