/* Users: they leave requests in the run's inbox (the real one, in a folder), or carry them out themselves
 * where no run is. */
#include "world.h"

#include "ask.h"
#include "inbox.h"
#include "ledger.h"
#include "request.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_REQUESTS = 64 };

static struct {
	char id[INBOX_ID];
	struct bytes content;
	bool answered;
	uint32_t launch; /* when it was asked */
	bool dry;
	int32_t status;
} requests[MAX_REQUESTS];
static uint32_t nrequests;
static bool news;

int __wrap_inbox_answer(struct inbox *x, const char *id, const void *p, size_t n, struct fault *f);
int __real_inbox_answer(struct inbox *x, const char *id, const void *p, size_t n, struct fault *f);
int __wrap_inbox_take(struct inbox *x, const char **id, struct bytes *content, struct fault *f);
int __real_inbox_take(struct inbox *x, const char **id, struct bytes *content, struct fault *f);
void __wrap_inbox_look(struct inbox *x, bool readable, int64_t now_ms);
void __real_inbox_look(struct inbox *x, bool readable, int64_t now_ms);

int64_t __wrap_inbox_due_ms(const struct inbox *x);
int64_t __real_inbox_due_ms(const struct inbox *x);
int __wrap_inotify_init1(int flags);
int __real_inotify_init1(int flags);
ssize_t __real_read(int fd, void *buf, size_t n);
int __real_close(int fd);

/* ---- what they ask for ----------------------------------------------------------------------------------
 */
static const char *any_selector(void)
{
	static const char *const some[] = {"phase=a",    "phase=b",     "state=failed",
	                                   "state=done", "state=ready", "fold=0"};
	uint32_t units = oracle_units();

	if (units && chance(600))
		return arena_printf(&w.arena, "unit=%u", (uint32_t)between(1, units));
	if (units && chance(300))
		return arena_printf(&w.arena, "unit=%u,%u", (uint32_t)between(1, units),
		                    (uint32_t)between(1, units));
	return chance(100) ? "all" : some[between(0, sizeof some / sizeof *some - 1)];
}

static uint32_t change_words(const char **words)
{
	static const char *const verbs[] = {"reset", "cancel", "hold", "release", "delete", "priority"};
	uint32_t n = 0;

	words[n++] = verbs[between(0, 5)];
	if (!strcmp(words[0], "priority"))
		words[n++] = arena_printf(&w.arena, "--priority=%d", (int)between(-3, 3));
	if (chance(50))
		words[n++] = "--dry-run";
	words[n++] = "--";
	words[n++] = any_selector();
	return n;
}

/* Jobs of one of two phases; the second comes after some of what is there. */
static uint32_t schedule_words(const char **words, bool come_after)
{
	uint32_t n = 0;

	words[n++] = "schedule";
	words[n++] = "--command=train {args}";
	if (chance(200))
		words[n++] = "--force";
	words[n++] = ":";
	if (come_after || chance(400)) {
		words[n++] = come_after || chance(500) ? "phase=a" : "phase=job";
		words[n++] = "--";
		words[n++] = "--";
		words[n++] = "phase=after";
	} else {
		words[n++] = "phase=job";
	}
	words[n++] = arena_printf(&w.arena, "%s={{%d,%d}}", chance(700) ? "x" : "y", (int)between(1, 2),
	                          (int)between(3, 4));
	return n;
}

static bool leave(uint32_t k)
{
	struct fault f = {0};

	return inbox_put(w.out_dir, requests[k].id, requests[k].content.data, requests[k].content.len, &f) ==
	       0;
}

void user_asks(bool come_after)
{
	const char *words[12];
	struct ask a = {.who = "sim", .words = words};
	struct fault f = {0};
	uint32_t k = nrequests;

	if (nrequests == MAX_REQUESTS)
		return;
	nrequests++;
	w.count.requests++;
	a.nwords = come_after || chance(250) ? schedule_words(words, come_after) : change_words(words);
	/* Some do not see that what they go on with is about to go. */
	if (!strcmp(words[0], "delete") && chance(500))
		happen(w.now_ms + between(0, 100), A_REQUEST, 0)->number = 1;
	snprintf(requests[k].id, sizeof requests[k].id, "r%06u", k);
	a.id = requests[k].id;
	requests[k].dry = false;
	for (uint32_t i = 0; i < a.nwords; i++)
		requests[k].dry = requests[k].dry || !strcmp(words[i], "--dry-run");
	requests[k].answered = false;
	requests[k].launch = w.launch;
	bytes_clear(&requests[k].content);
	if (ask_encode(&requests[k].content, &a, &f))
		wrong("a request cannot be said: %s", f.text);
	tell("a user asks (%s): %s %s %s %s", a.id, words[0], words[1], words[2],
	     a.nwords > 3 ? words[3] : "");
	if (leave(k))
		news = true;
}

bool inbox_has_some(void)
{
	return news;
}

/* ---- being told of new names -----------------------------------------------------------------------------
 *
 * One descriptor for all launches: the kernel takes some 10 ms to close one, longer than many a launch takes.
 * A new launch gets it as good as new: nothing is left to be read. */
static int watch = -1;

int __wrap_inotify_init1(int flags)
{
	char events[8192];

	if (watch < 0)
		watch = __real_inotify_init1(flags);
	while (watch >= 0 && __real_read(watch, events, sizeof events) > 0)
		;
	return watch;
}

bool inbox_is_watched_by(int fd)
{
	return fd >= 0 && fd == watch;
}

/* ---- rank 0's side ------------------------------------------------------------------------------------ */
void __wrap_inbox_look(struct inbox *x, bool readable, int64_t now_ms)
{
	__real_inbox_look(x, readable, now_ms);
	if (readable)
		news = false;
}

/* A dead rank 0 must not wait for requests that it cannot take any more. */
int64_t __wrap_inbox_due_ms(const struct inbox *x)
{
	return is_dead(0) ? INT64_MAX : __real_inbox_due_ms(x);
}

/* Rank 0 likes to die when it has just carried out a request. */
int __wrap_inbox_take(struct inbox *x, const char **id, struct bytes *content, struct fault *f)
{
	int got = crash_point() ? 0 : __real_inbox_take(x, id, content, f);

	if (got > 0 && w.set.trouble && w.launch < LAUNCHES_IN_TROUBLE && chance(150))
		w.crash_after = between(0, 4);
	return got;
}

static uint32_t number_of(const char *id)
{
	return (uint32_t)strtoul(id + 1, NULL, 10);
}

static void answered(uint32_t k, int32_t status, const char *words)
{
	tell("%s is answered with %d: %s", requests[k].id, status, words);
	if (requests[k].answered)
		wrong("request %s is answered twice", requests[k].id);
	requests[k].answered = true;
	requests[k].status = status;
	if (oracle_audit(requests[k].id) == AUDIT_OPEN)
		wrong("request %s is answered before what it did is committed", requests[k].id);
}

static void read_answer(uint32_t k, const void *p, size_t n)
{
	struct ask_answer a;
	struct fault f = {0};

	if (ask_answer_decode(p, n, &a, &f))
		wrong("the answer to %s cannot be read: %s", requests[k].id, f.text);
	else
		answered(
		    k, a.status,
		    arena_strndup(&w.arena, a.status ? a.err : a.out, a.status ? a.err_bytes : a.out_bytes));
}

int __wrap_inbox_answer(struct inbox *x, const char *id, const void *p, size_t n, struct fault *f)
{
	struct bytes got = {0};
	uint32_t k = number_of(id);
	int bad;

	if (crash_point())
		return fault_set(f, FAULT_BUG, "rank 0 is dead");
	bad = __real_inbox_answer(x, id, p, n, f);
	if (bad)
		return bad;
	if (inbox_get(w.out_dir, id, ASK_MAX_BYTES, false, &got, f) != 1)
		wrong("the answer to %s is not there", id);
	else
		read_answer(k, got.data, got.len);
	bytes_finish(&got);
	return 0;
}

/* ---- without a run ------------------------------------------------------------------------------------- */
static void carry_out(uint32_t k)
{
	struct store_open_options o = {.mode = STORE_WRITE, .host = "sim", .now_ms = 1};
	struct arena a = {0};
	struct fault f = {0};
	struct ask ask;
	struct request_answer answer = {0};
	const struct study *study;
	struct store *s = NULL;
	int bad;

	o.lock_path = arena_printf(&a, "%s/lock", w.out_dir);
	bad = ask_decode(&a, requests[k].content.data, requests[k].content.len, &ask, &f) ||
	      store_open(w.db_path, &o, &s, &f) || ledger_read_study(&a, s, "s.db", &study, &f);
	if (!bad && study)
		bad = request_alone(study, s, &ask, &answer, &f);
	store_close(s);
	if (bad)
		wrong("request %s without a run: %s", requests[k].id, f.text);
	else
		answered(k, answer.status, "(without a run)");
	request_answer_finish(&answer);
	arena_finish(&a);
}

/* Nobody runs the study now: whoever still waits takes his request back, and does it. */
void users_alone(bool all)
{
	for (uint32_t k = 0; k < nrequests && !w.wrong[0]; k++) {
		if (requests[k].answered)
			continue;
		/* A run that ends with what it is asked first leaves the rest. */
		if (w.leader_done && w.launch_starts && requests[k].launch < w.launch)
			wrong("request %s was there before the run began, and has no answer at its end",
			      requests[k].id);
		if (!all && chance(600))
			continue;
		if (!inbox_take_back(w.out_dir, requests[k].id, true)) {
			wrong("request %s is lost: neither waiting, nor answered", requests[k].id);
			return;
		}
		carry_out(k);
	}
}

static void empty_folder(void)
{
	char path[400];
	DIR *d;

	snprintf(path, sizeof path, "%s/inbox", w.out_dir);
	d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		snprintf(path, sizeof path, "%s/inbox/%s", w.out_dir, e->d_name);
		if (e->d_name[0] != '.' || e->d_name[1] == 'r')
			unlink(path);
	}
	if (d)
		closedir(d);
}

void users_reset(void)
{
	if (nrequests)
		empty_folder();
	nrequests = 0;
	news = false;
}

void users_finish(void)
{
	for (uint32_t k = 0; k < MAX_REQUESTS; k++)
		bytes_finish(&requests[k].content);
	if (watch >= 0)
		__real_close(watch);
	watch = -1;
}
