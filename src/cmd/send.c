/* send: a change of a study, by whoever may write its database.
 *
 * That is the run that has it, or nobody else than us: so we try to take the database, and when somebody has
 * it, we leave a request in the inbox and go on trying. The one who has it may be a run, which answers; or
 * another verb, which is gone in a moment; or a run that is about to end, and has not taken the request any
 * more: then the database is free soon, and we take our request back and carry it out ourselves. A run that
 * has died in between may have carried it out and not answered: the audit knows by its id. */
#include "cmd.h"

#include "ask.h"
#include "host.h"
#include "inbox.h"
#include "request.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { PAUSE_MIN_MS = 10, PAUSE_MAX_MS = 200, CLAIMED_MS = 30000 };

struct sender {
	struct cmd_db d;
	char id[INBOX_ID];
	struct ask ask;
	struct bytes content, answer;
	bool placed, network;
	int watch, signals;
	int64_t wait_ms, pause_ms, give_up_ms;
	struct fault busy; /* who has the database */
};

static int sender_open(struct sender *s, const char *db_word, enum cmd_begin may, const char *const *words,
                       uint32_t nwords, int64_t wait_ms, struct fault *f)
{
	const char *fs;

	memset(s, 0, sizeof *s);
	s->watch = s->signals = -1;
	s->wait_ms = wait_ms;
	s->pause_ms = PAUSE_MIN_MS;
	s->give_up_ms = host_monotonic_ms() + wait_ms;
	if (cmd_db_find_or_begin(&s->d, db_word, may, f))
		return -1;
	s->network = host_file_system(s->d.path, &fs) == HOST_FS_NETWORK;
	inbox_id(s->id, host_name(), host_epoch_ms());
	s->ask = (struct ask){
	    .id = s->id,
	    .who = arena_printf(&s->d.arena, "%s@%s pid %ld", host_user(), host_name(), (long)getpid()),
	    .words = words,
	    .nwords = nwords};
	return 0;
}

static void sender_close(struct sender *s)
{
	cmd_db_close(&s->d);
	bytes_finish(&s->content);
	bytes_finish(&s->answer);
	if (s->watch >= 0)
		close(s->watch);
	if (s->signals >= 0)
		close(s->signals);
}

static int print(int status, const void *out, size_t out_bytes, const void *err, size_t err_bytes)
{
	if (out_bytes)
		fwrite(out, 1, out_bytes, stdout);
	fflush(stdout);
	if (err_bytes)
		fwrite(err, 1, err_bytes, stderr);
	return status;
}

/* ---- by ourselves ------------------------------------------------------------------------------- */

/* 1: the answer is printed, and *status is set. */
static int take_answer(struct sender *s, int *status, struct fault *f)
{
	struct ask_answer a;
	int got = s->placed ? inbox_get(s->d.out_dir, s->id, ASK_MAX_BYTES, s->network, &s->answer, f) : 0;

	if (got <= 0)
		return got;
	if (ask_answer_decode(s->answer.data, s->answer.len, &a, f))
		return fault_context(f, "the answer of the run");
	*status = print(a.status, a.out, a.out_bytes, a.err, a.err_bytes);
	return 1;
}

static int carry_out(struct sender *s, int *status, struct fault *f)
{
	struct request_answer a;
	int bad = request_alone(s->d.study, s->d.store, &s->ask, &a, f);

	if (bad || !a.changed)
		cmd_db_unmake(&s->d);
	if (!bad)
		*status = print(a.status, a.out.data, a.out.len, a.err.data, a.err.len);
	request_answer_finish(&a);
	return bad ? fault_context(f, "%s", s->d.path) : 1;
}

/* 1: it is done; 0: somebody has the database. */
static int try_alone(struct sender *s, int *status, struct fault *f)
{
	bool busy;
	int got;

	if (cmd_db_open_writer(&s->d, &busy, f)) {
		s->busy = *f;
		return busy ? 0 : -1;
	}
	/* There is no run now, and none can begin: what one has left here is final. */
	got = take_answer(s, status, f);
	if (!got && s->placed)
		inbox_take_back(s->d.out_dir, s->id, true);
	return got ? got : carry_out(s, status, f);
}

/* ---- by a run ----------------------------------------------------------------------------------- */

static int encode(struct sender *s, struct fault *f)
{
	if (s->content.len || ask_encode(&s->content, &s->ask, f) == 0)
		return 0;
	return fault_set(
	    f, FAULT_USAGE,
	    "%.600s, and this is too much to ask of a run (more than %d MB): wait for its end, or stop "
	    "it, then go on",
	    s->busy.text, ASK_MAX_BYTES >> 20);
}

static int place(struct sender *s, struct fault *f)
{
	int got;

	if (encode(s, f))
		return -1;
	if (s->signals < 0 && (s->signals = host_signals_open(f)) < 0)
		return -1;
	if (s->watch < 0)
		s->watch = inbox_watch(s->d.out_dir);
	got = s->placed ? 0 : inbox_put(s->d.out_dir, s->id, s->content.data, s->content.len, f);
	s->placed = s->placed || got == 0;
	return got < 0 ? -1 : 0;
}

/* Until something was renamed into the inbox, a signal came (true), or it is time to look again. */
static bool pause_a_little(struct sender *s)
{
	struct pollfd fds[2] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->watch, .events = POLLIN}};

	poll(fds, 2, (int)s->pause_ms);
	if (s->watch >= 0)
		inbox_heard(s->watch, "");
	s->pause_ms = 2 * s->pause_ms < PAUSE_MAX_MS ? 2 * s->pause_ms : PAUSE_MAX_MS;
	return host_signals_take(s->signals) != 0;
}

/* A run is at it: its answer must come. */
static int wait_for_claimed(struct sender *s, int *status, struct fault *f)
{
	int64_t until = host_monotonic_ms() + CLAIMED_MS;
	int got;

	while (!(got = take_answer(s, status, f)) && host_monotonic_ms() < until && !pause_a_little(s))
		;
	if (got)
		return got;
	return fault_set(f, FAULT_STOPPED,
	                 "%.600s; it has taken the request and not answered: the view `audit` tells whether "
	                 "it was carried out (request %s)",
	                 s->busy.text, s->id);
}

static int give_up(struct sender *s, bool stopped, int *status, struct fault *f)
{
	if (s->placed && !inbox_take_back(s->d.out_dir, s->id, false))
		return wait_for_claimed(s, status, f);
	if (stopped)
		return fault_set(f, FAULT_STOPPED, "stopped: the request is taken back, nothing was changed");
	return fault_set(f, FAULT_STOPPED,
	                 "%.600s; no answer within %s: the request is taken back, nothing was changed",
	                 s->busy.text, cmd_duration(&s->d.arena, (double)s->wait_ms / 1000));
}

static int deliver(struct sender *s, int *status, struct fault *f)
{
	bool stopped = false;
	int got;

	while (!(got = try_alone(s, status, f))) {
		if (place(s, f))
			return -1;
		stopped = pause_a_little(s);
		got = take_answer(s, status, f);
		if (got)
			return got;
		if (stopped || host_monotonic_ms() >= s->give_up_ms)
			return give_up(s, stopped, status, f);
	}
	return got;
}

int cmd_send(const char *db_word, enum cmd_begin may, const char *const *words, uint32_t nwords,
             int64_t wait_ms, struct fault *f)
{
	struct sender s;
	int status = 0;
	int bad = sender_open(&s, db_word, may, words, nwords, wait_ms, f) || deliver(&s, &status, f) < 0;

	sender_close(&s);
	return bad ? -1 : status;
}
