#include "batch.h"

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

bool batch_question(struct arena *a, const char *job, const char *argv[BATCH_WORDS])
{
	const char *id;
	uint32_t n = 0;

	if (is_id(id = id_of(job, slurm))) {
		argv[n++] = "squeue";
		argv[n++] = "-h";
		argv[n++] = "-j";
		argv[n++] = arena_strdup(a, id);
		argv[n++] = "-o";
		argv[n++] = "%T";
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

static bool is_in(struct word w, const char *const *list)
{
	for (; *list; list++)
		if (strlen(*list) == w.n && memcmp(*list, w.p, w.n) == 0)
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
