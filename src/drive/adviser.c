#include "adviser.h"

#include "advice.h"
#include "host.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, OUT_BYTES = 64 * 1024, END_PATIENCE_MS = 2000 };

struct adviser {
	struct keeper *keeper;
	uint32_t id;
	int in, out, log;      /* -1: closed */
	int64_t log_from;      /* where its own words begin */
	struct bytes to, from; /* not yet written; read and not yet taken */
	size_t released;       /* of `to`, from its front */
	size_t taken;          /* of `from`: the line handed out */
	bool asked;
	int64_t answer_ms, since_ms; /* asked: since it last took something in */
	int64_t closed_ms;           /* when its stdout ended */
	bool ended;
	struct child_event end;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- its life ------------------------------------------------------------------------------------ */

static int open_log(struct adviser *a, const struct adviser_spec *s, struct fault *f)
{
	struct stat st;

	a->log = open(s->log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (a->log < 0 || host_write_all(a->log, s->title, strlen(s->title)) || fstat(a->log, &st))
		return fault_set(f, FAULT_IO, "%s: %s", s->log_path, strerror(errno));
	a->log_from = st.st_size;
	return 0;
}

int adviser_open(struct adviser **out, struct keeper *k, const struct adviser_spec *s, struct fault *f)
{
	struct adviser *a = calloc(1, sizeof *a);
	struct child_spec c = {
	    .id = s->id, .argv = s->argv, .envp = s->envp, .setup = s->setup, .cwd = s->cwd};
	struct child_pipes pipes;

	*out = a;
	if (!a)
		return fault_set(f, FAULT_BUG, "out of memory");
	*a = (struct adviser){
	    .keeper = k, .id = s->id, .in = -1, .out = -1, .log = -1, .answer_ms = s->answer_ms};
	if (open_log(a, s, f))
		return -1;
	c.err_fd = a->log;
	if (child_start(k, &c, &pipes, f))
		return -1;
	a->in = pipes.in;
	a->out = pipes.out;
	return 0;
}

void adviser_close(struct adviser *a)
{
	if (!a)
		return;
	close_fd(&a->in);
	close_fd(&a->out);
	close_fd(&a->log);
	bytes_finish(&a->to);
	bytes_finish(&a->from);
	free(a);
}

void adviser_dismiss(struct adviser *a)
{
	close_fd(&a->in);
}

void adviser_kill(struct adviser *a)
{
	struct fault f;

	if (!a->ended)
		child_stop(a->keeper, a->id, 0, &f);
}

bool adviser_gone(const struct adviser *a)
{
	return a->ended || a->out < 0;
}

void adviser_event(struct adviser *a, const struct child_event *e)
{
	if (e->id != a->id || e->kind == CHILD_STARTED)
		return;
	a->end = *e;
	a->ended = true;
}

/* ---- reading and writing --------------------------------------------------------------------------- */

static bool is_full(const struct adviser *a)
{
	return a->from.len > ADVICE_LINE_MAX + READ_BYTES;
}

void adviser_fds(const struct adviser *a, struct pollfd fds[ADVISER_FDS])
{
	fds[0] = (struct pollfd){.fd = is_full(a) ? -1 : a->out, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = a->released ? a->in : -1, .events = POLLOUT};
}

static void read_some(struct adviser *a, int64_t now_ms)
{
	ssize_t n = 1;

	while (a->out >= 0 && !is_full(a)) {
		n = read(a->out, bytes_room(&a->from, READ_BYTES), READ_BYTES);
		if (n > 0)
			a->from.len += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			break;
		else if (errno == EAGAIN)
			return;
	}
	if (a->out >= 0 && n <= 0) {
		close_fd(&a->out);
		a->closed_ms = now_ms;
	}
}

/* Of one that reads no more its end, or the time, will tell. */
static void write_some(struct adviser *a, int64_t now_ms)
{
	while (a->in >= 0 && a->released) {
		ssize_t n = write(a->in, a->to.data, a->released);

		if (n > 0) {
			bytes_drop_front(&a->to, (size_t)n);
			a->released -= (size_t)n;
			a->since_ms = now_ms;
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) {
			close_fd(&a->in);
		}
	}
	if (a->in < 0) {
		bytes_clear(&a->to);
		a->released = 0;
	}
}

void adviser_step(struct adviser *a, int64_t now_ms)
{
	read_some(a, now_ms);
	write_some(a, now_ms);
}

struct bytes *adviser_out(struct adviser *a)
{
	return &a->to;
}

bool adviser_has_room(const struct adviser *a)
{
	return a->to.len < OUT_BYTES;
}

bool adviser_holds_back(const struct adviser *a)
{
	return a->to.len > a->released;
}

void adviser_release(struct adviser *a, int64_t now_ms)
{
	a->released = a->to.len;
	write_some(a, now_ms);
}

/* ---- lines ----------------------------------------------------------------------------------------- */

static bool is_blank(const unsigned char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r')
			return false;
	return true;
}

static void drop_front(struct adviser *a, size_t n)
{
	bytes_drop_front(&a->from, n);
	a->taken = 0;
}

static unsigned char *next_end(const struct adviser *a, size_t at)
{
	return at < a->from.len ? memchr(a->from.data + at, '\n', a->from.len - at) : NULL;
}

/* The end of the first line that is not blank; NULL: it is not there yet. What is before it goes at once: of
 * blank lines alone there may be a million. */
static unsigned char *find_end(struct adviser *a)
{
	size_t at = a->taken;
	unsigned char *end;

	while ((end = next_end(a, at)) && is_blank(a->from.data + at, (size_t)(end - a->from.data) - at))
		at = (size_t)(end - a->from.data) + 1;
	drop_front(a, at);
	return end ? end - at : NULL;
}

bool adviser_has_line(struct adviser *a)
{
	return find_end(a) != NULL;
}

const char *adviser_line(struct adviser *a, size_t *n)
{
	unsigned char *end = find_end(a);

	if (!end)
		return NULL;
	*n = (size_t)(end - a->from.data);
	a->taken = *n + 1;
	return (const char *)a->from.data;
}

struct bytes *adviser_said(struct adviser *a)
{
	drop_front(a, a->taken);
	return &a->from;
}

/* ---- judging ----------------------------------------------------------------------------------------- */

void adviser_expect(struct adviser *a, bool answer, int64_t now_ms)
{
	a->asked = answer;
	a->since_ms = now_ms;
}

int64_t adviser_due_ms(const struct adviser *a)
{
	int64_t t = a->asked ? a->since_ms + a->answer_ms : INT64_MAX;

	if (a->out < 0 && !a->ended && a->closed_ms + END_PATIENCE_MS < t)
		t = a->closed_ms + END_PATIENCE_MS;
	return t;
}

static bool failed_start(const struct adviser *a)
{
	return a->end.kind == CHILD_SPAWN_FAILED;
}

static int judge_end(const struct adviser *a, struct fault *f)
{
	if (failed_start(a))
		return fault_set(f, FAULT_SEARCH, "cannot be started (%s): %s", a->end.stage,
		                 strerror(a->end.error));
	if (a->end.signal)
		return fault_set(f, FAULT_SEARCH, "was killed by signal %d (%s)%s", a->end.signal,
		                 strsignal(a->end.signal), a->end.oom ? ": out of memory" : "");
	if (a->end.exit_code || a->asked)
		return fault_set(f, FAULT_SEARCH, "ended with status %d%s", a->end.exit_code,
		                 a->end.exit_code ? ""
		                                  : " though it was asked: it must go on until its "
		                                    "stdin ends");
	return 0;
}

int adviser_judge(struct adviser *a, int64_t now_ms, struct fault *f)
{
	char buf[TEXT_NUMBER];

	if (adviser_has_line(a))
		return 0; /* that first */
	if (a->from.len > ADVICE_LINE_MAX)
		return fault_set(f, FAULT_SEARCH, "said a line of more than %d bytes", ADVICE_LINE_MAX);
	if (a->ended && (failed_start(a) || a->out < 0))
		return judge_end(a, f);
	if (a->out < 0 && now_ms >= a->closed_ms + END_PATIENCE_MS)
		return fault_set(f, FAULT_SEARCH, "closed its stdout and went on");
	if (!a->asked || now_ms < a->since_ms + a->answer_ms)
		return 0;
	text_duration(buf, a->answer_ms);
	return fault_set(f, FAULT_SEARCH,
	                 "gave no answer in %s (a line ends with a newline, and is flushed; `timeout` in "
	                 "`search` gives it longer)",
	                 buf);
}

void adviser_last_words(const struct adviser *a, char *buf, size_t cap)
{
	struct stat st;
	int64_t from = a->log_from;
	ssize_t n = -1;

	if (a->log >= 0 && !fstat(a->log, &st)) {
		if (st.st_size - from > (int64_t)cap - 1)
			from = st.st_size - (int64_t)cap + 1;
		n = pread(a->log, buf, cap - 1, from);
	}
	buf[n > 0 ? n : 0] = '\0';
}
