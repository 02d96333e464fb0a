#include "batch.h"

#include "text.h"

#include <ctype.h>
#include <string.h>

enum { LINE_WORDS = 16 };

static const char slurm[] = "slurm:", pbs[] = "pbs:";

static const char *id_of(const char *job, const char *system)
{
	size_t n = strlen(system);

	return strncmp(job, system, n) == 0 ? job + n : NULL;
}

/* Job numbers begin with a digit: "1234", "1234[5].server.site". */
static bool is_id(const char *id)
{
	return id && isdigit((unsigned char)*id) &&
	       id[strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-[]@")] == '\0';
}

static uint32_t ask_squeue(struct arena *a, const char *id, const char *format, const char *argv[BATCH_WORDS])
{
	uint32_t n = 0;

	argv[n++] = "squeue";
	argv[n++] = "-h";
	argv[n++] = "-j";
	argv[n++] = arena_strdup(a, id);
	argv[n++] = "-o";
	argv[n++] = format;
	return n;
}

bool batch_question(struct arena *a, const char *job, const char *argv[BATCH_WORDS])
{
	const char *id;
	uint32_t n = 0;

	if (is_id(id = id_of(job, slurm))) {
		n = ask_squeue(a, id, "%T", argv);
	} else if (is_id(id = id_of(job, pbs))) {
		argv[n++] = "qstat";
		argv[n++] = arena_strdup(a, id);
	}
	argv[n] = NULL;
	return n > 0;
}

/* ---- answers --------------------------------------------------------------------------------- */
struct word {
	const char *p;
	size_t n;
};

/* The words of the next line; *s goes behind it. */
static uint32_t next_line(const char **s, struct word words[LINE_WORDS])
{
	const char *end = *s + strcspn(*s, "\n"), *p = *s;
	uint32_t n = 0;

	while (p < end) {
		size_t blank = strspn(p, " \t\r");

		p += blank;
		if (p >= end)
			break;
		words[n % LINE_WORDS] = (struct word){p, strcspn(p, " \t\r\n")};
		p += words[n % LINE_WORDS].n;
		n++;
	}
	*s = *end ? end + 1 : end;
	return n < LINE_WORDS ? n : LINE_WORDS;
}

static bool says(struct word w, const char *text)
{
	return strlen(text) == w.n && memcmp(text, w.p, w.n) == 0;
}

static bool is_in(struct word w, const char *const *list)
{
	for (; *list; list++)
		if (says(w, *list))
			return true;
	return false;
}

/* One state a line: several where the number is also that of a job array. squeue leaves out what is over, and
 * for some minutes later does not know it any more. A job that waits has been put back into the queue. */
static enum batch_life slurm_answer(int status, const char *out, const char *err)
{
	static const char *const alive[] = {"RUNNING",   "COMPLETING", "SUSPENDED", "STOPPED",
	                                    "SIGNALING", "RESIZING",   NULL};
	static const char *const gone[] = {"PENDING",      "REQUEUED",  "REQUEUE_FED",   "REQUEUE_HOLD",
	                                   "SPECIAL_EXIT", "COMPLETED", "CANCELLED",     "FAILED",
	                                   "TIMEOUT",      "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
	                                   "BOOT_FAIL",    "DEADLINE",  "REVOKED",       NULL};
	struct word words[LINE_WORDS];
	bool unknown = false;

	if (status != 0)
		return strstr(err, "Invalid job id") ? BATCH_GONE : BATCH_UNKNOWN;
	while (*out) {
		uint32_t n = next_line(&out, words);

		if (n == 1 && is_in(words[0], alive))
			return BATCH_ALIVE;
		unknown |= n > 0 && !(n == 1 && is_in(words[0], gone));
	}
	return unknown ? BATCH_UNKNOWN : BATCH_GONE;
}

/* A table whose last columns are the state, one letter, and the queue:
 *   99.server   name   user   00:01:02 R batch */
static enum batch_life pbs_answer(const char *id, int status, const char *out, const char *err)
{
	size_t digits = strspn(id, "0123456789");
	struct word words[LINE_WORDS];

	if (status != 0)
		return strstr(err, "Unknown Job Id") || strstr(err, "Job has finished") ? BATCH_GONE
		                                                                        : BATCH_UNKNOWN;
	while (*out) {
		uint32_t n = next_line(&out, words);

		if (n < 4 || words[0].n <= digits || memcmp(words[0].p, id, digits) != 0 ||
		    isdigit((unsigned char)words[0].p[digits]) || words[n - 2].n != 1)
			continue;
		return strchr("RESUB", *words[n - 2].p)    ? BATCH_ALIVE
		       : strchr("QHWCFX", *words[n - 2].p) ? BATCH_GONE
		                                           : BATCH_UNKNOWN;
	}
	return BATCH_UNKNOWN;
}

enum batch_life batch_answer(const char *job, int status, const char *out, const char *err)
{
	if (id_of(job, slurm))
		return slurm_answer(status, out, err);
	if (id_of(job, pbs))
		return pbs_answer(id_of(job, pbs), status, out, err);
	return BATCH_UNKNOWN;
}

/* ---- its end --------------------------------------------------------------------------------- */

/* Both of Slurm say how much is left, which neither another time zone nor another clock can spoil. */
bool batch_end_question(struct arena *a, const char *job, uint32_t nth, const char *argv[BATCH_WORDS])
{
	const char *id;
	uint32_t n = 0;

	if (is_id(id = id_of(job, slurm)) && nth == 0) {
		n = ask_squeue(a, id, "%A %L", argv);
	} else if (is_id(id) && nth == 1) {
		argv[n++] = "scontrol";
		argv[n++] = "-o";
		argv[n++] = "show";
		argv[n++] = "job";
		argv[n++] = arena_strdup(a, id);
	} else if (is_id(id = id_of(job, pbs)) && nth == 0) {
		argv[n++] = "qstat";
		argv[n++] = "-f";
		argv[n++] = arena_strdup(a, id);
	}
	argv[n] = NULL;
	return n > 0;
}

static bool duration_of(struct word w, int64_t *ms)
{
	char text[TEXT_NUMBER];

	if (w.n == 0 || w.n >= sizeof text)
		return false;
	memcpy(text, w.p, w.n);
	text[w.n] = '\0';
	return text_parse_duration_ms(text, ms);
}

/* "TimeLimit=01:00:00" of the next line, which begins with "JobId=ID "; the line is not left. */
static bool field_of(const char *line, const char *name, struct word *value)
{
	const char *end = line + strcspn(line, "\n"), *p = line;
	size_t n = strlen(name);

	while (p < end && !(strncmp(p, name, n) == 0 && p[n] == '='))
		p += strcspn(p, " \n") + 1;
	if (p >= end)
		return false;
	*value = (struct word){p + n + 1, strcspn(p + n + 1, " \n")};
	return true;
}

static bool scontrol_line(const char *id, const char *line, struct batch_end *e)
{
	struct word job, limit, run;
	int64_t limit_ms, run_ms;

	if (!field_of(line, "JobId", &job) || !says(job, id) || !field_of(line, "TimeLimit", &limit))
		return false;
	e->unlimited = says(limit, "UNLIMITED");
	if (e->unlimited)
		return true;
	if (!field_of(line, "RunTime", &run) || !duration_of(limit, &limit_ms) ||
	    !duration_of(run, &run_ms) || run_ms >= limit_ms)
		return false;
	e->left_ms = limit_ms - run_ms;
	return true;
}

/* The job's own line: where its number is also that of an array, there are others. */
static bool slurm_end(const char *id, const char *out, struct batch_end *e)
{
	struct word words[LINE_WORDS];

	while (*out) {
		const char *line = out;
		uint32_t n = next_line(&out, words);

		if (scontrol_line(id, line, e))
			return true;
		if (n != 2 || !says(words[0], id))
			continue;
		e->unlimited = says(words[1], "UNLIMITED");
		return e->unlimited || (duration_of(words[1], &e->left_ms) && e->left_ms > 0);
	}
	return false;
}

static bool number_of(struct word w, int32_t *out)
{
	int64_t v;

	if (!text_parse_int(w.p, w.n, &v) || v < 0 || v > 9999)
		return false;
	*out = (int32_t)v;
	return true;
}

/* "Thu Nov 26 22:40:56 2026" */
static void read_start(const struct word *w, uint32_t n, int32_t start[6])
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	int32_t month = 0, s[6];

	for (int32_t i = 0; n == 5 && i < 12; i++)
		if (says(w[1], months[i]))
			month = i + 1;
	if (!month || w[3].n != 8 || w[3].p[2] != ':' || w[3].p[5] != ':')
		return;
	s[1] = month;
	if (number_of(w[4], &s[0]) && number_of(w[2], &s[2]) && number_of((struct word){w[3].p, 2}, &s[3]) &&
	    number_of((struct word){w[3].p + 3, 2}, &s[4]) && number_of((struct word){w[3].p + 6, 2}, &s[5]))
		memcpy(start, s, sizeof s);
}

/* Lines "    NAME = VALUE". OpenPBS says when the job began (stime), Torque that too (start_time) and what
 * is left. resources_used lags behind, by minutes. */
static bool pbs_end(const char *out, struct batch_end *e)
{
	struct word words[LINE_WORDS];
	int64_t used_ms = 0;

	while (*out) {
		uint32_t n = next_line(&out, words);

		if (n < 3 || !says(words[1], "="))
			continue;
		if (says(words[0], "Resource_List.walltime"))
			duration_of(words[2], &e->limit_ms);
		else if (says(words[0], "resources_used.walltime"))
			duration_of(words[2], &used_ms);
		else if (says(words[0], "Walltime.Remaining"))
			duration_of(words[2], &e->left_ms);
		else if (says(words[0], "stime") || says(words[0], "start_time"))
			read_start(words + 2, n - 2, e->start);
	}
	if (!e->left_ms && used_ms < e->limit_ms)
		e->left_ms = e->limit_ms - used_ms;
	return e->left_ms > 0;
}

bool batch_end_answer(const char *job, const char *out, struct batch_end *end)
{
	*end = (struct batch_end){0};
	if (id_of(job, slurm))
		return slurm_end(id_of(job, slurm), out, end);
	return id_of(job, pbs) && pbs_end(out, end);
}
