/* run: start a study or go on with it. Three processes of the same command line meet here: the launcher
 * (outside of MPI), rank 0, and the workers, which know nothing of the study until rank 0 tells them. */
#include "cmd.h"

#include "bytes.h"
#include "host.h"
#include "job_end.h"
#include "launch.h"
#include "leader.h"
#include "ledger.h"
#include "rank.h"
#include "store.h"
#include "study.h"
#include "text.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: ranksweep run [OPTIONS] STUDY.yaml | STUDY.db\n"
    "       mpirun -n N ranksweep run [OPTIONS] STUDY.yaml | STUDY.db\n"
    "\n"
    "Starts a study, or goes on where it stopped: the same command again repeats nothing.\n"
    "Results go to NAME.db and outputs to NAME.out/ in the current folder (NAME is the study's).\n"
    "Outside of mpirun and srun it starts mpirun itself: in an allocation of several nodes with the\n"
    "ranks it was made for, else with one scheduling rank and one that uses all cores of this machine.\n"
    "\n"
    "  --db PATH.db       another database; outputs go to PATH.out/\n"
    "  --ranks N          start N ranks; 1: no mpirun, this process does it all\n"
    "  --time-limit D     stop in time for a limit of D (90s, 10m, 2h, 1-12:00:00); exit status 75.\n"
    "                     The end of a Slurm or PBS job is known without it\n"
    "  --lost-after D     a worker that hears nothing of rank 0 for D (60s) ends what it runs, and half as\n"
    "                     long again later its units start elsewhere\n"
    "  --progress MODE    tty, lines, none; default: tty on a terminal, else lines\n"
    "  --accept           take edited commands, environments and domains for trials not begun\n"
    "\n"
    "A first ^C (or USR1, TERM) ends the running units and stops, a second one stops at once.\n"
    "USR2 starts nothing any more, and lets running units end as long as there is time.\n"
    "Exit status: 0 all done; 1 done, but units failed or are blocked; 65 wrong study file;\n"
    "69 no worker; 74 database; 75 stopped before the end: the same command goes on; 76 a search\n"
    "program failed.\n";

struct run_options {
	const char *what; /* STUDY.yaml or STUDY.db */
	const char *db;
	long ranks; /* -1: not given */
	int64_t time_limit_ms, lost_after_ms;
	enum progress_mode progress;
	bool accept;
};
enum { LOST_AFTER_MS = 60000, LOST_AFTER_MIN_MS = 500 };

static enum progress_mode default_progress(void)
{
	const char *set = getenv("RANKSWEEP_PROGRESS");

	if (set)
		return !strcmp(set, "tty")    ? PROGRESS_TTY
		       : !strcmp(set, "none") ? PROGRESS_NONE
		                              : PROGRESS_LINES;
	return !wire_launched() && isatty(2) ? PROGRESS_TTY : PROGRESS_LINES;
}

static int set_progress(struct run_options *o, const char *mode, struct fault *f)
{
	static const char *const names[] = {"none", "lines", "tty"};

	for (int i = 0; i < 3; i++)
		if (!strcmp(mode, names[i])) {
			o->progress = (enum progress_mode)i;
			return 0;
		}
	return fault_set(f, FAULT_USAGE, "--progress %s: one of tty, lines, none", mode);
}

static int set_option(struct run_options *o, int c, struct fault *f)
{
	switch (c) {
	case 'd':
		o->db = optarg;
		return 0;
	case 'r': {
		int64_t n;

		if (!text_parse_int(optarg, strlen(optarg), &n) || n < 1 || n > 100000)
			return fault_set(f, FAULT_USAGE, "--ranks %s: a number from 1 up", optarg);
		o->ranks = (long)n;
		return 0;
	}
	case 't':
		if (!text_parse_duration_ms(optarg, &o->time_limit_ms) || !o->time_limit_ms)
			return fault_set(f, FAULT_USAGE,
			                 "--time-limit %s: a duration such as 90s, 10m, 2h or 1-12:00:00",
			                 optarg);
		return 0;
	case 'l':
		if (!text_parse_duration_ms(optarg, &o->lost_after_ms) ||
		    o->lost_after_ms < LOST_AFTER_MIN_MS)
			return fault_set(f, FAULT_USAGE,
			                 "--lost-after %s: a duration such as 30s or 5m, at least 0.5s",
			                 optarg);
		return 0;
	case 'p':
		return set_progress(o, optarg, f);
	case 'a':
		o->accept = true;
		return 0;
	default:
		return fault_set(f, FAULT_USAGE, "see `ranksweep run --help`");
	}
}

/* 0, -1 fault, 1 help was wanted */
static int parse_options(int argc, char **argv, struct run_options *o, struct fault *f)
{
	static const struct option longs[] = {{"db", required_argument, NULL, 'd'},
	                                      {"ranks", required_argument, NULL, 'r'},
	                                      {"time-limit", required_argument, NULL, 't'},
	                                      {"lost-after", required_argument, NULL, 'l'},
	                                      {"progress", required_argument, NULL, 'p'},
	                                      {"accept", no_argument, NULL, 'a'},
	                                      {"help", no_argument, NULL, 'h'},
	                                      {NULL, 0, NULL, 0}};
	int c;

	*o =
	    (struct run_options){.ranks = -1, .lost_after_ms = LOST_AFTER_MS, .progress = default_progress()};
	optind = 1;
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'h')
			return 1;
		if (set_option(o, c, f))
			return -1;
	}
	if (optind + 1 != argc)
		return fault_set(f, FAULT_USAGE,
		                 optind == argc ? "which study? ranksweep run STUDY.yaml"
		                                : "one study at a time; see `ranksweep run --help`");
	o->what = argv[optind];
	return 0;
}

/* ---- the study and where its results go ---------------------------------------------------------- */

struct loaded {
	struct arena arena;
	const struct study *study;
	struct bytes text;
	const char *db_path, *out_dir;
};

static bool ends_in_db(const char *path)
{
	size_t n = strlen(path);

	return n > 3 && !strcmp(path + n - 3, ".db");
}

/* Without a study file the study is what has been scheduled. */
static int read_stored(struct loaded *l, const char *path, struct fault *f)
{
	struct store_open_options o = {.mode = STORE_READ};
	struct store *s;
	int bad;

	if (store_open(path, &o, &s, f))
		return -1;
	bad = ledger_read_study(&l->arena, s, path, &l->study, f);
	store_close(s);
	if (bad)
		return -1;
	if (!l->study)
		return fault_set(
		    f, FAULT_STUDY,
		    "%s: no study in this database yet; run it with a study file, or `schedule` jobs", path);
	bytes_put(&l->text, l->study->text, strlen(l->study->text));
	return 0;
}

static int read_file(struct loaded *l, const char *path, struct fault *f)
{
	struct study_errors errors;

	if (host_read_file(path, STUDY_MAX_BYTES, &l->text, f))
		return -1;
	if (study_parse(&l->arena, path, (const char *)l->text.data, l->text.len, &l->study, &errors))
		return cmd_study_errors(&errors, f);
	return 0;
}

static void name_outputs(struct loaded *l, const struct run_options *o)
{
	const char *db = o->db                 ? o->db
	                 : ends_in_db(o->what) ? o->what
	                                       : arena_printf(&l->arena, "%s.db", l->study->name);
	size_t stem = strlen(db) - (ends_in_db(db) ? 3 : 0);

	l->db_path = db;
	l->out_dir = host_absolute(&l->arena, arena_printf(&l->arena, "%.*s.out", (int)stem, db));
}

static int load(struct loaded *l, const struct run_options *o, struct fault *f)
{
	if (ends_in_db(o->what) ? read_stored(l, o->what, f) : read_file(l, o->what, f))
		return -1;
	name_outputs(l, o);
	return 0;
}

static void unload(struct loaded *l)
{
	arena_finish(&l->arena);
	bytes_finish(&l->text);
}

/* ---- the three roles -------------------------------------------------------------------------------- */

/* On several nodes mpirun knows best how many ranks the allocation is meant for. */
static bool in_large_allocation(void)
{
	const char *nodes = getenv("SLURM_JOB_NUM_NODES");

	return (nodes && atol(nodes) > 1) || getenv("PBS_NODEFILE");
}

static int launch(const struct run_options *o, char **argv, struct fault *f)
{
	struct loaded l = {0};
	struct launch_options lo = {.ranks = o->ranks > 0            ? (uint32_t)o->ranks
	                                     : in_large_allocation() ? 0
	                                                             : 2};
	const char **args;
	int status, n = 0;

	if (load(&l, o, f))
		return -1;
	while (argv[n])
		n++;
	/* argv of a verb starts with the verb: the program's name goes in front */
	args = arena_array(&l.arena, (size_t)n + 2, sizeof *args);
	args[0] = "ranksweep";
	memcpy(args + 1, argv, (size_t)n * sizeof *args);
	lo.argv = args;
	lo.dir = l.out_dir;
	setenv("RANKSWEEP_PROGRESS",
	       o->progress == PROGRESS_TTY     ? "tty"
	       : o->progress == PROGRESS_LINES ? "lines"
	                                       : "none",
	       1);
	if (isatty(1))
		setenv("RANKSWEEP_TERMINAL", "1", 1);
	status = host_make_dirs(l.out_dir, f) ? -1 : launch_run(&lo, f);
	unload(&l);
	return status;
}

/* When the batch system will end us, epoch; 0: nobody knows. Only rank 0 needs it. */
static int64_t job_end(const struct run_options *o)
{
	struct arena a = {0};
	const char *job = wire_launch_rank() == 0 ? host_batch_job(&a) : NULL;
	char left[TEXT_NUMBER];
	int64_t end_ms = 0;
	struct fault f = {0};

	if (job && job_end_find(job, &end_ms, &f) && !o->time_limit_ms)
		fprintf(stderr,
		        "ranksweep: when the job (%s) will be ended is not known: %s; use --time-limit\n",
		        job, f.text);
	if (end_ms) {
		text_duration(left, end_ms - host_epoch_ms());
		fprintf(stderr, "ranksweep: the job (%s) will be ended in %s\n", job, left);
	}
	arena_finish(&a);
	return end_ms;
}

static int lead(struct rank *r, const struct run_options *o, int64_t job_end_ms, struct fault *f)
{
	struct loaded l = {0};
	struct leader *leader = NULL;
	struct leader_config c = {.env_file = launch_env_file(),
	                          .accept = o->accept,
	                          .time_limit_ms = o->time_limit_ms,
	                          .lost_after_ms = o->lost_after_ms,
	                          .job_end_ms = job_end_ms,
	                          .progress = o->progress,
	                          .wire = r->wire,
	                          .info = r->info,
	                          .keeper = r->keeper,
	                          .own = r->worker,
	                          .signal_fd = r->signal_fd};
	struct fault verdict = {0};
	int bad = load(&l, o, f);

	if (!bad) {
		c.study = l.study;
		c.text = l.text.data ? (const char *)l.text.data : "";
		c.text_bytes = l.text.len;
		c.db_path = l.db_path;
		c.out_dir = l.out_dir;
		bad = leader_open(&c, &leader, f) || leader_run(leader, &verdict, f);
	}
	if (bad)
		rank_dismiss(r);
	leader_close(leader);
	if (!bad && verdict.text[0])
		fprintf(stderr, "ranksweep: %s\n", verdict.text);
	if (!bad)
		bad = report_end(l.db_path, stdout, f);
	unload(&l);
	return bad ? -1 : (int)verdict.code;
}

static void tell_missing(const struct rank *r)
{
	struct arena a = {0};
	const char *missing = r->info.size > 1 ? launch_missing(&a) : NULL;

	if (missing)
		fprintf(
		    stderr,
		    "ranksweep: a lost rank will end this run (the same command goes on): mpirun lacks %s, "
		    "which `ranksweep run` without mpirun sets\n",
		    missing);
	arena_finish(&a);
}

static int be_rank(const struct run_options *o, struct fault *f)
{
	int64_t job_end_ms = job_end(o); /* starts processes: before MPI_Init */
	struct rank r;
	bool broken;
	int status;

	if (rank_open(&r, f)) {
		cmd_print_fault(f);
		wire_abort((int)f->code);
	}
	if (r.info.rank == 0) {
		launch_lead();
		tell_missing(&r);
		status = lead(&r, o, job_end_ms, f);
		if (status < 0)
			status = cmd_print_fault(f);
		fflush(stdout);
		status = launch_verdict(status);
	} else {
		status = rank_work(&r, f);
		if (status && f->text[0])
			cmd_print_fault(f);
		if (status && !launch_recovers())
			wire_abort((int)f->code);
	}
	broken = status < 0;
	status = broken ? (int)f->code : status;
	rank_close(&r, broken, status);
	return status;
}

static int check_launch(struct fault *f)
{
	const char *tasks = launch_copies();

	if (!wire_launched() && tasks)
		return fault_set(
		    f, FAULT_USAGE,
		    "srun started %s copies that cannot see each other: use `srun --mpi=pmix`, or mpirun",
		    tasks);
	return 0;
}

int cmd_run(int argc, char **argv)
{
	struct run_options o;
	struct fault f = {0};
	int status = parse_options(argc, argv, &o, &f);

	if (status == 1) {
		fputs(usage, stdout);
		return 0;
	}
	if (!status)
		status = check_launch(&f);
	if (!status)
		status = wire_launched() || o.ranks == 1 ? be_rank(&o, &f) : launch(&o, argv, &f);
	return status < 0 ? cmd_print_fault(&f) : status;
}
