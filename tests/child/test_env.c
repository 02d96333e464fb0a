/* What of its environment a trainer gets: with a snapshot of before mpirun, and without. */
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];
static struct arena arena;

static int make_file(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/test_env.XXXXXX");
	fd = mkstemp(path);
	close(fd);
	return fd >= 0 ? 0 : -1;
}

static int remove_file(void **state)
{
	(void)state;
	arena_finish(&arena);
	return unlink(path);
}

/* The trainers' environment for entries separated by blanks, as blank-separated text. */
static const char *scrubbed(const char *entries, bool snapshot)
{
	static char out[1024];
	char block[1024];
	size_t n = strlen(entries) + 1;
	const char **env;
	uint32_t count;

	memcpy(block, entries, n);
	for (char *p = block; (p = strchr(p, ' ')); p++)
		*p = '\0';
	if (snapshot) {
		assert_int_equal(host_write_file(path, block, n, NULL), 0);
		env = host_trainer_env(&arena, path, &count);
	} else {
		clearenv();
		for (char *p = block; p < block + n; p += strlen(p) + 1)
			putenv(arena_strdup(&arena, p));
		env = host_trainer_env(&arena, NULL, &count);
	}
	out[0] = '\0';
	for (uint32_t i = 0; i < count; i++)
		snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", i ? " " : "", env[i]);
	assert_null(env[count]);
	return out;
}

static void test_rules(void **state)
{
	static const struct {
		const char *given, *without, *with_snapshot;
	} rows[] = {
	    {"HOME=/h A=", "HOME=/h A=", "HOME=/h A="},
	    {"A=1 OMPI_MCA_btl=tcp B=2", "A=1 B=2", "A=1 OMPI_MCA_btl=tcp B=2"},
	    {"PMIX_X=1 PMI_RANK=0 A=1 SLURM_NTASKS=4", "A=1", "A=1"},
	    {"ORTE_X=1 PRTE_X=1 HYDI_X=1 A=1", "A=1", "ORTE_X=1 PRTE_X=1 HYDI_X=1 A=1"},
	    /* one taken inside of a launch keeps nothing of it */
	    {"OMPI_COMM_WORLD_SIZE=2 OMPI_MCA_ess=pmi A=1", "A=1", "A=1"},
	    {"PMIX_RANK=0 OMPI_MCA_ess=pmi A=1", "A=1", "A=1"},
	    {"OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
	     "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
	     "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"},
	    {"SLURM_JOB_ID=12 A=1", "A=1 RANKSWEEP_SLURM_JOB_ID=12", "A=1 RANKSWEEP_SLURM_JOB_ID=12"},
	    {"RANKSWEEP_SLURM_JOB_ID=12 A=1", "A=1 RANKSWEEP_SLURM_JOB_ID=12",
	     "A=1 RANKSWEEP_SLURM_JOB_ID=12"},
	    {"RANKSWEEP_SLURM_JOB_ID=9 SLURM_JOB_ID=12 A=1", "A=1 RANKSWEEP_SLURM_JOB_ID=12",
	     "A=1 RANKSWEEP_SLURM_JOB_ID=12"},
	    {"RANKSWEEP_UNIT=3 RANKSWEEP_DIR=/x A=1", "A=1", "A=1"},
	    {"HFI_NO_BACKTRACE=1 PSM2_DEVICES=self,shm A=1", "A=1",
	     "HFI_NO_BACKTRACE=1 PSM2_DEVICES=self,shm A=1"},
	    {"HFI_NO_BACKTRACE=0 PSM2_DEVICES=hfi A=1", "HFI_NO_BACKTRACE=0 PSM2_DEVICES=hfi A=1",
	     "HFI_NO_BACKTRACE=0 PSM2_DEVICES=hfi A=1"},
	    {"MYOMPI_X=1 OMPI=2", "MYOMPI_X=1 OMPI=2", "MYOMPI_X=1 OMPI=2"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_string_equal(scrubbed(rows[i].given, false), rows[i].without);
		assert_string_equal(scrubbed(rows[i].given, true), rows[i].with_snapshot);
	}
}

static void test_malformed_snapshot(void **state)
{
	(void)state;
	assert_string_equal(scrubbed("noequals =x A=1", true), "A=1");
}

static void test_no_snapshot_means_our_own(void **state)
{
	const char **env;
	uint32_t n;

	(void)state;
	clearenv();
	setenv("ONLY", "one", 1);
	env = host_trainer_env(&arena, "/no/such/snapshot", &n);
	assert_int_equal(n, 1);
	assert_string_equal(env[0], "ONLY=one");
}

static void test_saved_is_loaded(void **state)
{
	const char **env;
	uint32_t n;

	(void)state;
	clearenv();
	setenv("A", "line\nbreak", 1);
	setenv("OMPI_MCA_btl", "tcp", 1);
	assert_int_equal(host_save_env(path, NULL), 0);
	clearenv();
	setenv("B", "of later", 1);
	env = host_trainer_env(&arena, path, &n);
	assert_int_equal(n, 2);
	assert_string_equal(env[0], "A=line\nbreak");
	assert_string_equal(env[1], "OMPI_MCA_btl=tcp");
}

static void test_names(void **state)
{
	static const char *const launch[] = {"OMPI_MCA_x",        "PMIX_RANK", "PMI_SIZE",
	                                     "SLURM_JOB_ID",      "HYDI_X",    "PSM2_DEVICES",
	                                     "HFI_NO_BACKTRACE=1"};
	static const char *const other[] = {"OMPI_ALLOW_RUN_AS_ROOT",
	                                    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM",
	                                    "PATH",
	                                    "OMPI",
	                                    "PSM2_DEVICES_X",
	                                    "PSM2",
	                                    ""};

	(void)state;
	for (size_t i = 0; i < sizeof launch / sizeof *launch; i++)
		assert_true(host_is_launcher_variable(launch[i]));
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		assert_false(host_is_launcher_variable(other[i]));
}

static void test_batch_job(void **state)
{
	static const struct {
		const char *set, *value, *job;
	} rows[] = {
	    {"SLURM_JOB_ID", "", NULL},
	    {"PBS_JOBID", "99.server", "pbs:99.server"},
	    {"RANKSWEEP_SLURM_JOB_ID", "12", "slurm:12"},
	    {"SLURM_JOB_ID", "1234", "slurm:1234"},
	};

	(void)state;
	clearenv();
	assert_null(host_batch_job(&arena));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *job;

		setenv(rows[i].set, rows[i].value, 1);
		job = host_batch_job(&arena);
		assert_string_equal(job ? job : "none", rows[i].job ? rows[i].job : "none");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_malformed_snapshot),
	    cmocka_unit_test(test_no_snapshot_means_our_own),
	    cmocka_unit_test(test_saved_is_loaded),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_batch_job),
	};

	/* The tests change the environment, where cmocka looks for its format at each line. */
	if (getenv("CMOCKA_MESSAGE_OUTPUT"))
		cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_file, remove_file);
}
