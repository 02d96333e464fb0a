#include "job_end.h"

#include "batch.h"
#include "host.h"
#include "inquire.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ANSWER_MS = 5000 };

/* Slurm since 23.02 says it. One that has passed was moved since, or is not ours (a shell that has outlived
 * its job). */
static int64_t told_end_ms(void)
{
	const char *text = getenv("SLURM_JOB_END_TIME");
	int64_t s;

	if (!text || !text_parse_int(text, strlen(text), &s) || s > INT64_MAX / 1000 ||
	    s * 1000 <= host_epoch_ms())
		return 0;
	return s * 1000;
}

/* What was used lags behind what has passed. */
static int64_t left_ms(const struct batch_end *e, int64_t now_ms)
{
	struct tm t = {.tm_year = e->start[0] - 1900,
	               .tm_mon = e->start[1] - 1,
	               .tm_mday = e->start[2],
	               .tm_hour = e->start[3],
	               .tm_min = e->start[4],
	               .tm_sec = e->start[5],
	               .tm_isdst = -1};
	int64_t start_ms = e->start[0] ? (int64_t)mktime(&t) * 1000 : 0;
	int64_t left = start_ms + e->limit_ms - now_ms;

	return start_ms > 0 && e->limit_ms && left > 0 && left < e->left_ms ? left : e->left_ms;
}

int job_end_find(const char *job, int64_t *end_ms, struct fault *f)
{
	struct arena a = {0};
	struct inquiry answer;
	struct batch_end e = {0};
	const char *argv[BATCH_WORDS];
	bool known = false;

	*end_ms = told_end_ms();
	if (*end_ms)
		return 0;
	fault_set(f, FAULT_WORKER, "it has no number");
	for (uint32_t n = 0; !known && batch_end_question(&a, job, n, argv); n++) {
		if (inquire_program(argv, ANSWER_MS, &answer, f))
			continue;
		known = batch_end_answer(job, answer.out, &e);
		fault_set(f, FAULT_WORKER, "%s does not say", argv[0]);
	}
	arena_finish(&a);
	if (!known)
		return -1;
	*f = (struct fault){0};
	*end_ms = e.unlimited ? 0 : host_epoch_ms() + left_ms(&e, host_epoch_ms());
	return 0;
}
