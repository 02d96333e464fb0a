/* What is asked of Slurm and PBS, and what their answers mean. */
#include "batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static void test_questions(void **state)
{
	static const struct {
		const char *job, *command; /* NULL: none */
	} rows[] = {
	    {"slurm:1234", "squeue -h -j 1234 -o %T"},
	    {"slurm:1234_7", "squeue -h -j 1234_7 -o %T"},
	    {"pbs:99.server.site", "qstat 99.server.site"},
	    {"pbs:99[4].server", "qstat 99[4].server"},
	    {"slurm:", NULL},
	    {"slurm:-u", NULL}, /* never an option */
	    {"slurm:1 2", NULL},
	    {"slurm:1;ls", NULL},
	    {"pbs:server", NULL},
	    {"lsf:12", NULL},
	    {"1234", NULL},
	    {"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *argv[BATCH_WORDS];
		char line[256] = "";
		bool asked = batch_question(&arena, rows[i].job, argv);

		for (const char **w = argv; *w; w++)
			snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", w > argv ? " " : "",
			         *w);
		assert_int_equal(asked, rows[i].command != NULL);
		assert_string_equal(line, rows[i].command ? rows[i].command : "");
	}
	arena_finish(&arena);
}

#define QSTAT                                                                                                \
	"Job id            Name             User              Time Use S Queue\n"                            \
	"----------------  ---------------- ----------------  -------- - -----\n"

static void test_answers(void **state)
{
	static const struct {
		const char *job;
		int status;
		const char *out, *err;
		enum batch_life life;
	} rows[] = {
	    {"slurm:7", 0, "RUNNING\n", "", BATCH_ALIVE},
	    {"slurm:7", 0, "COMPLETING", "", BATCH_ALIVE},
	    {"slurm:7", 0, "  SUSPENDED  \n", "", BATCH_ALIVE},
	    {"slurm:7", 0, "", "", BATCH_GONE},
	    {"slurm:7", 0, "\n", "", BATCH_GONE},
	    {"slurm:7", 0, "CANCELLED\n", "", BATCH_GONE},
	    {"slurm:7", 0, "PENDING\n", "", BATCH_GONE}, /* put back: our ranks are not there */
	    {"slurm:7", 0, "PENDING\nRUNNING\n", "", BATCH_ALIVE},
	    {"slurm:7", 0, "TIMEOUT\nFAILED\n", "", BATCH_GONE},
	    {"slurm:7", 0, "HIBERNATING\n", "", BATCH_UNKNOWN},
	    {"slurm:7", 0, "FAILED\nHIBERNATING\n", "", BATCH_UNKNOWN},
	    {"slurm:7", 0, "RUNNING AWAY\n", "", BATCH_UNKNOWN},
	    {"slurm:7", 1, "", "slurm_load_jobs error: Invalid job id specified\n", BATCH_GONE},
	    {"slurm:7", 1, "",
	     "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n", BATCH_UNKNOWN},
	    {"slurm:7", 1, "RUNNING\n", "", BATCH_UNKNOWN},
	    {"slurm:7", -1, "", "", BATCH_UNKNOWN},
	    {"pbs:99.server", 0,
	     QSTAT "99.server         train            me                00:00:01 R workq\n", "",
	     BATCH_ALIVE},
	    {"pbs:99.server", 0,
	     QSTAT "99.server         train            me                       0 Q workq\n", "", BATCH_GONE},
	    {"pbs:99.server", 0,
	     QSTAT "99.server         train            me                00:00:01 C batch", "", BATCH_GONE},
	    {"pbs:99.server", 0,
	     QSTAT "99.server         train            me                00:00:01 Z batch", "",
	     BATCH_UNKNOWN},
	    {"pbs:99[4].server", 0,
	     QSTAT "99[4].server      train            me                00:00:01 E q\n", "", BATCH_ALIVE},
	    {"pbs:99.server", 0, QSTAT "990.server        train            me                00:00:01 F q\n",
	     "", BATCH_UNKNOWN}, /* somebody else's */
	    {"pbs:99.server", 0, QSTAT, "", BATCH_UNKNOWN},
	    {"pbs:99.server", 0, "", "", BATCH_UNKNOWN},
	    {"pbs:99.server", 153, "", "qstat: Unknown Job Id 99.server\n", BATCH_GONE},
	    {"pbs:99.server", 153, "", "qstat: Unknown Job Id Error 99.server\n", BATCH_GONE},
	    {"pbs:99.server", 35, "",
	     "qstat: 99.server Job has finished, use -x or -H to obtain historical job information\n",
	     BATCH_GONE},
	    {"pbs:99.server", 255, "", "Connection refused\nqstat: cannot connect to server (errno=111)\n",
	     BATCH_UNKNOWN},
	    {"lsf:1", 0, "", "", BATCH_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum batch_life life = batch_answer(rows[i].job, rows[i].status, rows[i].out, rows[i].err);

		if (life != rows[i].life)
			fail_msg("row %zu: %s, \"%s\", \"%s\": %d", i, rows[i].job, rows[i].out, rows[i].err,
			         (int)life);
	}
}

/* A long line is no reason to read beyond the words there is room for. */
static void test_many_words(void **state)
{
	char out[4096] = "99.server";

	(void)state;
	for (int i = 0; i < 500; i++)
		strcat(out, " word");
	assert_int_equal(batch_answer("pbs:99.server", 0, out, ""), BATCH_UNKNOWN);
	assert_int_equal(batch_answer("slurm:99", 0, out, ""), BATCH_UNKNOWN);
}

/* ---- when a job will be ended ---------------------------------------------------------------- */
static void test_end_questions(void **state)
{
	static const struct {
		const char *job;
		uint32_t n;
		const char *command; /* NULL: none */
	} rows[] = {
	    {"slurm:1234", 0, "squeue -h -j 1234 -o %A %L"},
	    {"slurm:1234", 1, "scontrol -o show job 1234"},
	    {"slurm:1234", 2, NULL},
	    {"slurm:-u", 0, NULL},
	    {"slurm:-u", 1, NULL},
	    {"pbs:99.server", 0, "qstat -f 99.server"},
	    {"pbs:99.server", 1, NULL},
	    {"pbs:-x", 0, NULL},
	    {"lsf:12", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *argv[BATCH_WORDS];
		char line[256] = "";
		bool asked = batch_end_question(&arena, rows[i].job, rows[i].n, argv);

		for (const char **w = argv; *w; w++)
			snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", w > argv ? " " : "",
			         *w);
		assert_int_equal(asked, rows[i].command != NULL);
		assert_string_equal(line, rows[i].command ? rows[i].command : "");
	}
	arena_finish(&arena);
}

static void test_end_answers(void **state)
{
	static const struct {
		const char *job, *out;
		bool known, unlimited;
		int64_t left_s, limit_s;
		const char *start;
	} rows[] = {
	    {"slurm:12", "12 59:58\n", true, false, 3598, 0, ""},
	    {"slurm:12", "12 0:01\n", true, false, 1, 0, ""},
	    {"slurm:12", "12 1-02:00:00\n", true, false, 93600, 0, ""},
	    {"slurm:12", "12 UNLIMITED\n", true, true, 0, 0, ""},
	    {"slurm:12", "12 0:00\n", false, false, 0, 0, ""},
	    {"slurm:12", "12 INVALID\n", false, false, 0, 0, ""},
	    {"slurm:12", "12 NOT_SET\n", false, false, 0, 0, ""},
	    {"slurm:12", "", false, false, 0, 0, ""},
	    {"slurm:12", "59:58\n", false, false, 0, 0, ""},
	    /* the last job of an array has the array's number */
	    {"slurm:12", "13 59:00\n14 58:00\n12 57:00\n", true, false, 3420, 0, ""},
	    {"slurm:12",
	     "JobId=12 JobName=x RunTime=00:00:05 TimeLimit=00:01:00 TimeMin=N/A "
	     "StartTime=2026-11-26T22:00:00\n",
	     true, false, 55, 0, ""},
	    {"slurm:12", "JobId=12 JobName=x RunTime=1-00:00:00 TimeLimit=2-00:00:00\n", true, false, 86400,
	     0, ""},
	    {"slurm:12", "JobId=12 RunTime=00:00:05 TimeLimit=UNLIMITED\n", true, true, 0, 0, ""},
	    {"slurm:12", "JobId=12 RunTime=00:02:05 TimeLimit=00:02:00\n", false, false, 0, 0, ""},
	    {"slurm:12",
	     "JobId=11 RunTime=00:00:05 TimeLimit=00:01:00\nJobId=12 RunTime=00:00:06 TimeLimit=00:01:00\n",
	     true, false, 54, 0, ""},
	    {"slurm:12", "JobId=12 Comment=TimeLimit RunTime=00:00:05\n", false, false, 0, 0, ""},
	    {"pbs:99.s",
	     "Job Id: 99.s\n    Job_Name = x\n    resources_used.walltime = 00:00:10\n"
	     "    Resource_List.walltime = 100:00:00\n    stime = Thu Nov 26 22:40:56 2026\n",
	     true, false, 359990, 360000, "2026-11-26 22:40:56"},
	    {"pbs:99.s",
	     "Job Id: 99.s\n    Resource_List.walltime = 01:00:00\n    start_time = Sun Feb  1 02:03:04 "
	     "2026\n"
	     "    Walltime.Remaining = 3333\n",
	     true, false, 3333, 3600, "2026-02-01 02:03:04"},
	    {"pbs:99.s", "    Resource_List.walltime = 01:00:00\n    stime = soon\n", true, false, 3600, 3600,
	     ""},
	    {"pbs:99.s", "    Resource_List.walltime = 01:00:00\n    stime = Thu Xyz 26 22:40:56 2026\n",
	     true, false, 3600, 3600, ""},
	    {"pbs:99.s", "    Resource_List.ncpus = 1\n", false, false, 0, 0, ""},
	    {"lsf:99", "99 1:00\n", false, false, 0, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct batch_end e;
		char start[64] = "";

		assert_int_equal(batch_end_answer(rows[i].job, rows[i].out, &e), rows[i].known);
		if (!rows[i].known)
			continue;
		if (e.start[0])
			snprintf(start, sizeof start, "%04d-%02d-%02d %02d:%02d:%02d", e.start[0], e.start[1],
			         e.start[2], e.start[3], e.start[4], e.start[5]);
		assert_int_equal(e.unlimited, rows[i].unlimited);
		assert_int_equal(e.left_ms, rows[i].left_s * 1000);
		assert_int_equal(e.limit_ms, rows[i].limit_s * 1000);
		assert_string_equal(start, rows[i].start);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_questions),     cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_end_questions), cmocka_unit_test(test_end_answers),
	    cmocka_unit_test(test_many_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
