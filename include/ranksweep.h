/* ranksweep.h: what a training program needs of ranksweep, in a few calls. One header, C99 and later or C++11
 * and later, nothing but libc and POSIX.
 *
 *	#include <ranksweep.h>
 *
 *	int main(void)
 *	{
 *		double lr = ranksweep_param_double("lr", 0.1);
 *		int epoch = 0;
 *
 *		ranksweep_init();
 *		if (ranksweep_resume())
 *			epoch = load(ranksweep_dir());
 *		while (epoch < 20) {
 *			double error = train(lr, epoch++);
 *
 *			ranksweep_metric_step("valid_error", error, epoch);
 *			if (ranksweep_should_stop())
 *				return save(ranksweep_dir(), epoch) ? RANKSWEEP_REQUEUE : 1;
 *		}
 *		return 0;
 *	}
 *
 * A program runs by hand unchanged: then parameters have the values given here, metrics go to stdout, there
 *is no directory, and ranksweep_should_stop() tells of TERM only.
 *
 * Call ranksweep_init() before threads begin; after it all calls may come from any thread. Files of one
 *program that include this header share its state. Names that end in `_` are not for programs. */
#ifndef RANKSWEEP_H
#define RANKSWEEP_H

/* sigaction() is hidden by -std=c11 unless it is asked for; with -std=gnu11 and in C++ it is there. */
#if defined(__STRICT_ANSI__) && !defined(_POSIX_C_SOURCE) && !defined(_XOPEN_SOURCE) &&                      \
    !defined(_DEFAULT_SOURCE) && !defined(_GNU_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#ifndef SA_RESTART
#error "ranksweep.h needs POSIX: include it before other headers, or compile with -D_POSIX_C_SOURCE=200809L"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Exit status: "I have saved what I need; run me again". Not a failure. */
#define RANKSWEEP_REQUEUE 75

/* For ranksweep_metrics(): these values belong to no step. */
#define RANKSWEEP_NO_STEP (-1.0)

struct ranksweep_value {
	const char *name;
	double value;
};

/* From here on TERM no longer ends the program: it makes ranksweep_should_stop() true. A handler that was
 * there is called too. Once is enough; ranksweep_should_stop() does it where it was not done. */
static inline void ranksweep_init(void);

/* A parameter of this unit's trial or of one it comes after ("lr", "pretrain.lr"); `otherwise` where there is
 * none: by hand, or inactive. A value that does not fit the type gives `otherwise` too, and a line on stderr.
 * Texts stay valid as long as the program runs. */
static inline const char *ranksweep_param_text(const char *name, const char *otherwise);
static inline double ranksweep_param_double(const char *name, double otherwise);
static inline long long ranksweep_param_int(const char *name, long long otherwise);

/* Report metrics, several of a step in one line, written at once, with all digits; NaN and infinity are
 * values too. Names: letters, digits and _.-/:@%+, (at most 64, not a digit or sign first); steps: 0 or more.
 * Where there is no metric descriptor the line goes to stdout: end your own line there first. Returns 0, or
 * -1 when something was not reported; a wrong name is told on stderr. In an MPI program one rank should
 * report. */
static inline int ranksweep_metric(const char *name, double value);
static inline int ranksweep_metric_step(const char *name, double value, double step);
static inline int ranksweep_metrics(const struct ranksweep_value *values, size_t n, double step);

/* The folder that this unit keeps over its attempts; NULL: none (by hand, or no `checkpoint: true`). */
static inline const char *ranksweep_dir(void);
/* 1 when that folder holds files of an earlier attempt: go on from there. */
static inline int ranksweep_resume(void);

/* 1 when it is time to save and to end with RANKSWEEP_REQUEUE: TERM was seen, or the deadline (of the unit's
 * timeout or the allocation) is nearer than the margin. Cheap: ask after each batch if you like. */
static inline int ranksweep_should_stop(void);
/* How long before the deadline that is; by default 5 seconds, or a quarter of the time where that is less. */
static inline void ranksweep_stop_margin(double seconds);

/* Who this is. By hand: "", 0, attempt 1, seed 1, and -1 for "not in a fold". */
static inline const char *ranksweep_study(void);
static inline const char *ranksweep_phase(void);
static inline long ranksweep_trial(void);
static inline long ranksweep_unit(void);
static inline int ranksweep_attempt(void);
static inline unsigned long long ranksweep_seed(void);
static inline int ranksweep_fold(void);
static inline int ranksweep_folds(void);
static inline int ranksweep_outer_fold(void);
static inline int ranksweep_outer_folds(void);

/* ---- state ------------------------------------------------------------------------------------------ */

struct ranksweep_state_ {
	volatile sig_atomic_t stop; /* TERM was seen */
	int ready, read;            /* ranksweep_init() was called; the parameters were read */
	pid_t pid;                  /* whose TERM it is: not that of a process forked later */
	struct sigaction before;    /* what TERM did */
	double deadline, margin;    /* epoch seconds, 0: none; seconds */
	char *params, *params_end;  /* name NUL value NUL name NUL ... */
};

/* One for all files of a program; where the compiler can't merge them, one a file: handlers chain anyway. */
#ifdef __GNUC__
__attribute__((weak)) struct ranksweep_state_ ranksweep_shared_;
#else
static struct ranksweep_state_ ranksweep_shared_;
#endif

static inline void ranksweep_warn_(const char *what, const char *name, const char *why)
{
	fprintf(stderr, "ranksweep: %s %.100s %s\n", what, name, why);
}

/* ---- numbers, whatever the locale's decimal point is -------------------------------------------------- */

enum { RANKSWEEP_NUMBER_ = 40 };

/* The shortest of 15 to 17 digits that reads back as v. */
static inline void ranksweep_put_number_(char *out, double v)
{
	const char *point = localeconv()->decimal_point;
	char *at;
	int digits = 14;

	do
		snprintf(out, RANKSWEEP_NUMBER_, "%.*g", ++digits, v);
	while (digits < 17 && strtod(out, NULL) != v);
	at = strstr(out, point);
	if (strstr(out, "nan")) /* not "-nan"; and no v != v, which -ffast-math takes for false */
		strcpy(out, "nan");
	else if (*point && at) {
		*at = '.';
		memmove(at + 1, at + strlen(point), strlen(at + strlen(point)) + 1);
	}
}

/* All of the text is one number. 0, or -1. */
static inline int ranksweep_get_number_(const char *s, double *v)
{
	char buf[128], *end;
	size_t n = strcspn(s, ".");

	if (strlen(s) >= sizeof buf / 2)
		return -1;
	snprintf(buf, sizeof buf, "%.*s%s%s", (int)n, s, s[n] ? localeconv()->decimal_point : "",
	         s[n] ? s + n + 1 : "");
	*v = strtod(buf, &end);
	return end == buf || *end ? -1 : 0;
}

static inline long ranksweep_number_of_(const char *variable, long otherwise)
{
	const char *text = getenv(variable);
	char *end;
	long v;

	if (!text || !*text)
		return otherwise;
	v = strtol(text, &end, 10);
	return *end ? otherwise : v;
}

/* ---- parameters: a JSON object of plain values -------------------------------------------------------- */

/* From the JSON text to names and values, which are never longer than it. Functions return 0, or -1 for what
 * is no such object; none reads beyond the NUL. */
struct ranksweep_reader_ {
	const char *at;
	char *to;
};

static inline void ranksweep_skip_(struct ranksweep_reader_ *r)
{
	r->at += strspn(r->at, " \t\r\n");
}

/* Four hexadecimal digits, or -1. */
static inline long ranksweep_hex_(const char *s)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	long v = 0;
	int i;

	for (i = 0; i < 4; i++) {
		const char *d = s[i] ? strchr(digits, s[i]) : NULL;

		if (!d)
			return -1;
		v = v * 16 + (d - digits) - (d - digits > 15 ? 6 : 0);
	}
	return v;
}

static inline void ranksweep_put_utf8_(struct ranksweep_reader_ *r, long c)
{
	int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	long lead = more ? 0xff00 >> (more + 1) & 0xff : 0; /* 0xc0, 0xe0, 0xf0 */

	*r->to++ = (char)(unsigned char)(lead | c >> 6 * more);
	while (more--)
		*r->to++ = (char)(unsigned char)(0x80 | (c >> 6 * more & 0x3f));
}

/* Behind `\u`. Half of a pair alone becomes U+FFFD; a NUL can't be in a C text. */
static inline int ranksweep_read_unicode_(struct ranksweep_reader_ *r)
{
	long c = ranksweep_hex_(r->at), low = -1;

	if (c <= 0)
		return -1;
	r->at += 4;
	if (c >= 0xd800 && c < 0xdc00 && r->at[0] == '\\' && r->at[1] == 'u')
		low = ranksweep_hex_(r->at + 2);
	if (low >= 0xdc00 && low < 0xe000) {
		c = 0x10000 + (c - 0xd800) * 0x400 + (low - 0xdc00);
		r->at += 6;
	} else if (c >= 0xd800 && c < 0xe000) {
		c = 0xfffd;
	}
	ranksweep_put_utf8_(r, c);
	return 0;
}

/* Behind a backslash. */
static inline int ranksweep_read_escape_(struct ranksweep_reader_ *r)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *e = *r->at ? strchr(from, *r->at) : NULL;

	if (*r->at == 'u') {
		r->at++;
		return ranksweep_read_unicode_(r);
	}
	if (!e)
		return -1;
	*r->to++ = to[e - from];
	r->at++;
	return 0;
}

static inline int ranksweep_read_string_(struct ranksweep_reader_ *r)
{
	if (*r->at != '"')
		return -1;
	for (r->at++; *r->at != '"';) {
		if (!*r->at)
			return -1;
		if (*r->at != '\\') {
			*r->to++ = *r->at++;
			continue;
		}
		r->at++;
		if (ranksweep_read_escape_(r))
			return -1;
	}
	r->at++;
	*r->to++ = '\0';
	return 0;
}

/* A number, true, false or null. */
static inline int ranksweep_read_word_(struct ranksweep_reader_ *r)
{
	size_t n = strcspn(r->at, " \t\r\n,:{}[]\"\\");
	char *word = r->to;
	double v;

	memcpy(word, r->at, n);
	word[n] = '\0';
	r->at += n;
	r->to += n + 1;
	return strcmp(word, "true") && strcmp(word, "false") && strcmp(word, "null") &&
	               ranksweep_get_number_(word, &v)
	           ? -1
	           : 0;
}

static inline int ranksweep_read_pair_(struct ranksweep_reader_ *r)
{
	char *pair = r->to, *value;
	int bad, bare;

	ranksweep_skip_(r);
	if (ranksweep_read_string_(r))
		return -1;
	ranksweep_skip_(r);
	if (*r->at != ':')
		return -1;
	r->at++;
	ranksweep_skip_(r);
	value = r->to;
	bare = *r->at != '"';
	bad = bare ? ranksweep_read_word_(r) : ranksweep_read_string_(r);
	if (!bad && bare && !strcmp(value, "null"))
		r->to = pair; /* as if it were not there */
	return bad;
}

static inline int ranksweep_read_object_(struct ranksweep_reader_ *r)
{
	char last = ',';

	ranksweep_skip_(r);
	if (*r->at != '{')
		return -1;
	r->at++;
	ranksweep_skip_(r);
	if (*r->at == '}')
		last = *r->at++;
	while (last == ',') {
		if (ranksweep_read_pair_(r))
			return -1;
		ranksweep_skip_(r);
		last = *r->at;
		if (last)
			r->at++;
	}
	ranksweep_skip_(r);
	return last == '}' && !*r->at ? 0 : -1;
}

static inline void ranksweep_read_params_(void)
{
	struct ranksweep_state_ *s = &ranksweep_shared_;
	struct ranksweep_reader_ r;

	s->read = 1;
	r.at = getenv("RANKSWEEP_PARAMS");
	if (!r.at || !*r.at)
		return;
	s->params = r.to = (char *)malloc(strlen(r.at) + 1);
	if (s->params && ranksweep_read_object_(&r) == 0) {
		s->params_end = r.to;
		return;
	}
	free(s->params);
	s->params = NULL;
	ranksweep_warn_("RANKSWEEP_PARAMS", "is no JSON object of plain values:", "it is ignored");
}

/* The text of a parameter, NULL: there is none. Of two with the same name the later one counts. */
static inline const char *ranksweep_find_(const char *name)
{
	struct ranksweep_state_ *s = &ranksweep_shared_;
	const char *found = NULL, *p, *value;

	if (!s->read)
		ranksweep_read_params_();
	for (p = s->params; p != s->params_end; p = value + strlen(value) + 1) {
		value = p + strlen(p) + 1;
		if (!strcmp(p, name))
			found = value;
	}
	return found;
}

static inline const char *ranksweep_param_text(const char *name, const char *otherwise)
{
	const char *text = ranksweep_find_(name);

	return text ? text : otherwise;
}

static inline double ranksweep_param_double(const char *name, double otherwise)
{
	const char *text = ranksweep_find_(name);
	double v;

	if (!text)
		return otherwise;
	if (ranksweep_get_number_(text, &v) == 0)
		return v;
	ranksweep_warn_("parameter", name, "is no number: the program's own value is used");
	return otherwise;
}

static inline long long ranksweep_param_int(const char *name, long long otherwise)
{
	const char *text = ranksweep_find_(name);
	char *end;
	long long v;
	double d; /* for 1e3 */

	if (!text)
		return otherwise;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (end != text && !*end && errno == 0)
		return v;
	if (ranksweep_get_number_(text, &d) == 0 && d > -9e18 && d < 9e18 && (double)(long long)d == d)
		return (long long)d;
	ranksweep_warn_("parameter", name, "is no whole number: the program's own value is used");
	return otherwise;
}

/* ---- metrics ---------------------------------------------------------------------------------------- */

/* The metric descriptor, or -1. RANKSWEEP_METRIC_PIPE tells which pipe it was: a program in between (another
 * mpirun, Python's subprocess) may have closed it, and the number be a file or socket of somebody else. */
static inline int ranksweep_metric_fd_(void)
{
	long fd = ranksweep_number_of_("RANKSWEEP_METRIC_FD", -1);
	const char *which = getenv("RANKSWEEP_METRIC_PIPE");
	char inode[32];
	struct stat st;

	if (fd < 0 || fd > INT_MAX || fstat((int)fd, &st) != 0)
		return -1;
	snprintf(inode, sizeof inode, "%llu", (unsigned long long)st.st_ino);
	return which && (!S_ISFIFO(st.st_mode) || strcmp(which, inode) != 0) ? -1 : (int)fd;
}

static inline int ranksweep_write_all_(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);
		struct pollfd room;

		room.fd = fd;
		room.events = POLLOUT;
		if (done >= 0) {
			p += done;
			n -= (size_t)done;
		} else if (errno == EAGAIN) {
			poll(&room, 1, -1);
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

/* Without death by SIGPIPE when nobody reads any more: it is held back, and taken off when we caused it. */
static inline int ranksweep_write_(int fd, const char *p, size_t n)
{
	sigset_t broken, before, pending;
	int bad, sig, was;

	sigemptyset(&broken);
	sigaddset(&broken, SIGPIPE);
	sigpending(&pending);
	was = sigismember(&pending, SIGPIPE);
	sigprocmask(SIG_BLOCK, &broken, &before); /* on Linux of this thread only */
	bad = ranksweep_write_all_(fd, p, n);
	sigpending(&pending);
	if (!was && sigismember(&pending, SIGPIPE))
		sigwait(&broken, &sig);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return bad;
}

/* A whole line that begins with "@metric ": on the metric descriptor without that. */
static inline int ranksweep_send_(const char *line, size_t n)
{
	const size_t mark = sizeof "@metric " - 1;
	int fd = ranksweep_metric_fd_();

	if (fd >= 0)
		return ranksweep_write_(fd, line + mark, n - mark);
	return fwrite(line, 1, n, stdout) == n && fflush(stdout) == 0 ? 0 : -1;
}

static inline int ranksweep_is_name_(const char *s)
{
	static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_./:@%,0123456789-+";
	size_t n = strlen(s);

	return n > 0 && n <= 64 && strspn(s, all) == n && !strchr("0123456789-+", *s) && strcmp(s, "step");
}

/* A line as it grows: at most 4000 bytes, less than PIPE_BUF, so that lines of several writers never mix. */
struct ranksweep_line_ {
	char text[4000], end[RANKSWEEP_NUMBER_ + 8];
	size_t at;
	int values;
};

static inline int ranksweep_end_line_(struct ranksweep_line_ *l)
{
	if (l->values == 0)
		return 0;
	l->values = 0;
	memcpy(l->text + l->at, l->end, strlen(l->end));
	return ranksweep_send_(l->text, l->at + strlen(l->end));
}

static inline int ranksweep_begin_line_(struct ranksweep_line_ *l, double step)
{
	char number[RANKSWEEP_NUMBER_];

	l->values = 0;
	strcpy(l->end, "\n");
	ranksweep_put_number_(number, step);
	if (*number != '-')
		snprintf(l->end, sizeof l->end, " step=%s\n", number);
	return strchr(number, 'n') ? -1 : 0;
}

static inline int ranksweep_add_value_(struct ranksweep_line_ *l, const struct ranksweep_value *v)
{
	enum { LINE_VALUES = 128, PAIR = 64 + 2 + RANKSWEEP_NUMBER_ };
	char number[RANKSWEEP_NUMBER_];
	int bad = 0;

	if (l->values == LINE_VALUES || l->at + PAIR + sizeof l->end > sizeof l->text)
		bad = ranksweep_end_line_(l);
	if (l->values == 0)
		l->at = (size_t)snprintf(l->text, sizeof l->text, "@metric");
	ranksweep_put_number_(number, v->value);
	l->at += (size_t)snprintf(l->text + l->at, PAIR, " %s=%s", v->name, number);
	l->values++;
	return bad;
}

static inline int ranksweep_metrics(const struct ranksweep_value *values, size_t n, double step)
{
	struct ranksweep_line_ l;
	size_t i;
	int bad = 0;

	if (ranksweep_begin_line_(&l, step)) {
		ranksweep_warn_("metric", n ? values->name : "", "is not reported: its step is not finite");
		return -1;
	}
	for (i = 0; i < n; i++)
		if (ranksweep_is_name_(values[i].name)) {
			bad |= ranksweep_add_value_(&l, &values[i]);
		} else {
			ranksweep_warn_(
			    "metric", values[i].name,
			    "is not reported: a name has letters, digits and _.-/:@%+, (at most 64)");
			bad = -1;
		}
	return bad | ranksweep_end_line_(&l);
}

static inline int ranksweep_metric_step(const char *name, double value, double step)
{
	struct ranksweep_value one;

	one.name = name;
	one.value = value;
	return ranksweep_metrics(&one, 1, step);
}

static inline int ranksweep_metric(const char *name, double value)
{
	return ranksweep_metric_step(name, value, RANKSWEEP_NO_STEP);
}

/* ---- stopping --------------------------------------------------------------------------------------- */

static inline void ranksweep_on_term_(int sig, siginfo_t *info, void *context)
{
	const struct ranksweep_state_ *s = &ranksweep_shared_;

	if (getpid() != s->pid) { /* forked later, and does not ask ranksweep_should_stop() */
		sigaction(sig, &s->before, NULL);
		raise(sig);
		return;
	}
	ranksweep_shared_.stop = 1;
	if (s->before.sa_flags & SA_SIGINFO)
		s->before.sa_sigaction(sig, info, context);
	else if (s->before.sa_handler != SIG_DFL && s->before.sa_handler != SIG_IGN)
		s->before.sa_handler(sig);
}

static inline double ranksweep_now_(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void ranksweep_init(void)
{
	struct ranksweep_state_ *s = &ranksweep_shared_;
	const char *deadline = getenv("RANKSWEEP_DEADLINE");
	struct sigaction term;

	if (s->pid != getpid())
		s->pid = getpid(); /* also a forked process that asks */
	if (s->ready)
		return;
	s->ready = 1;
	if (!s->read)
		ranksweep_read_params_();
	if (!deadline || ranksweep_get_number_(deadline, &s->deadline))
		s->deadline = 0;
	s->margin = (s->deadline - ranksweep_now_()) / 4;
	if (s->margin > 5)
		s->margin = 5;
	sigaction(SIGTERM, NULL, &s->before);
	memset(&term, 0, sizeof term);
	term.sa_sigaction = ranksweep_on_term_;
	term.sa_flags = SA_SIGINFO | SA_RESTART;
	sigaction(SIGTERM, &term, NULL);
}

static inline void ranksweep_stop_margin(double seconds)
{
	ranksweep_init();
	ranksweep_shared_.margin = seconds;
}

static inline int ranksweep_should_stop(void)
{
	const struct ranksweep_state_ *s = &ranksweep_shared_;

	ranksweep_init();
	return s->stop || (s->deadline > 0 && s->deadline - ranksweep_now_() <= s->margin);
}

/* ---- who this is ------------------------------------------------------------------------------------- */

static inline const char *ranksweep_text_of_(const char *variable, const char *otherwise)
{
	const char *text = getenv(variable);

	return text && *text ? text : otherwise;
}

static inline const char *ranksweep_dir(void)
{
	return ranksweep_text_of_("RANKSWEEP_DIR", NULL);
}

static inline int ranksweep_resume(void)
{
	return ranksweep_number_of_("RANKSWEEP_RESUME", 0) == 1 && ranksweep_dir() != NULL;
}

static inline const char *ranksweep_study(void)
{
	return ranksweep_text_of_("RANKSWEEP_STUDY", "");
}

static inline const char *ranksweep_phase(void)
{
	return ranksweep_text_of_("RANKSWEEP_PHASE", "");
}

static inline long ranksweep_trial(void)
{
	return ranksweep_number_of_("RANKSWEEP_TRIAL", 0);
}

static inline long ranksweep_unit(void)
{
	return ranksweep_number_of_("RANKSWEEP_UNIT", 0);
}

static inline int ranksweep_attempt(void)
{
	return (int)ranksweep_number_of_("RANKSWEEP_ATTEMPT", 1);
}

static inline unsigned long long ranksweep_seed(void)
{
	const char *text = ranksweep_text_of_("RANKSWEEP_SEED", "1");
	char *end;
	unsigned long long seed = strtoull(text, &end, 10);

	return *end ? 1 : seed;
}

static inline int ranksweep_fold(void)
{
	return (int)ranksweep_number_of_("RANKSWEEP_FOLD", -1);
}

static inline int ranksweep_folds(void)
{
	return (int)ranksweep_number_of_("RANKSWEEP_FOLDS", 0);
}

static inline int ranksweep_outer_fold(void)
{
	return (int)ranksweep_number_of_("RANKSWEEP_OUTER_FOLD", -1);
}

static inline int ranksweep_outer_folds(void)
{
	return (int)ranksweep_number_of_("RANKSWEEP_OUTER_FOLDS", 0);
}

#ifdef __cplusplus
}
#endif

#endif
