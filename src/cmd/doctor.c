/* doctor: is this machine, or this allocation, fit for a run? It looks, and says what to change; under mpirun
 * or srun rank 0 speaks for all. MPI itself is not started: what matters of it is in the environment. */
#include "cmd.h"

#include "host.h"
#include "inquire.h"
#include "job_end.h"
#include "launch.h"
#include "text.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWER_MS = 5000, FEW_FILES = 1024, FEW_PROCESSES = 1024, FINDINGS_MAX = 16 };
static const int64_t little_space = (int64_t)1 << 30;

struct finding {
	const char *about, *state, *what, *advice;
};
struct doctor {
	struct arena arena;
	struct finding findings[FINDINGS_MAX];
	uint32_t n;
	const char *dir;
	bool json, sick;
};

/* advice NULL: all is well. */
static void say(struct doctor *d, const char *about, bool fix, const char *what, const char *advice)
{
	const char *state = !advice ? "ok" : fix ? "fix" : "note";

	if (d->n < FINDINGS_MAX)
		d->findings[d->n++] = (struct finding){about, state, arena_strdup(&d->arena, what), advice};
	d->sick = d->sick || (advice && fix);
}

/* ---- MPI --------------------------------------------------------------------------------------------- */
static const char *first_line(struct arena *a, const char *text)
{
	return arena_strndup(a, text, strcspn(text, "\n"));
}

static void ask_mpirun(struct doctor *d)
{
	static const char *const argv[] = {"mpirun", "--version", NULL};
	struct inquiry answer;
	struct fault f = {0};
	const char *version;

	if (inquire_program(argv, ANSWER_MS, &answer, &f)) {
		say(d, "mpi", true, f.text,
		    "install openmpi-bin, or load the cluster's module of Open MPI; `run --ranks 1` needs "
		    "none");
		return;
	}
	version = first_line(&d->arena, answer.out);
	say(d, "mpi", false, version,
	    strstr(version, "(Open MPI) 4.1.") ? NULL : "tested are Open MPI 4.1's; try a small study first");
	say(d, "lost ranks", false, "`ranksweep run` gives mpirun the flags that keep the other ranks alive",
	    NULL);
}

static void look_at_launch(struct doctor *d)
{
	const char *size = getenv("OMPI_COMM_WORLD_SIZE"), *missing = launch_missing(&d->arena);

	say(d, "mpi", false,
	    size ? arena_printf(&d->arena, "this is a launch of %s ranks", size)
	         : "this is a launch of MPI ranks",
	    NULL);
	if (missing)
		say(d, "lost ranks", true,
		    arena_printf(&d->arena, "a lost rank will end the run: mpirun lacks %s", missing),
		    "add these, or start `ranksweep run` without mpirun, which sets them");
	else if (launch_recovers())
		say(d, "lost ranks", false, "the run goes on without them", NULL);
	else
		say(d, "lost ranks", false, "a lost rank ends the run; the same command goes on",
		    "under mpirun, with the flags that it then misses here, it would go on by itself");
}

static void look_at_mpi(struct doctor *d)
{
	const char *tasks = launch_copies();

	if (wire_launched())
		look_at_launch(d);
	else if (tasks)
		say(d, "mpi", true,
		    arena_printf(&d->arena, "srun started %s copies that cannot see each other", tasks),
		    "use `srun --mpi=pmix`, or mpirun");
	else
		ask_mpirun(d);
}

/* ---- the machine --------------------------------------------------------------------------------------- */
static void look_at_cpus(struct doctor *d)
{
	enum { CPUS_MAX = 4096 };
	uint32_t *cpus = arena_array(&d->arena, CPUS_MAX, sizeof *cpus), n = host_cpus(cpus, CPUS_MAX);
	uint32_t there = host_cpus_there();
	const char *what =
	    arena_printf(&d->arena, "%u of the %u cpus of %s, on %u cores; %u gpus; %lld MiB", n, there,
	                 host_name(), host_cores(), host_gpus(), (long long)(host_memory_bytes() >> 20));

	say(d, "cpus", false, what,
	    n < there
	        ? "if this allocation has more of them, ask it for all: `--exclusive`, `--cpus-per-task`, "
	          "`mpirun --bind-to none`"
	        : NULL);
}

static void look_at_limits(struct doctor *d)
{
	uint32_t before = d->n;
	struct host_limits x;

	host_limits(&x);
	if (x.files >= 0 && x.files < FEW_FILES)
		say(d, "limits", true, arena_printf(&d->arena, "%lld open files", (long long)x.files),
		    "ulimit -n 4096");
	if (x.processes >= 0 && x.processes < FEW_PROCESSES)
		say(d, "limits", true,
		    arena_printf(&d->arena, "%lld processes of this user", (long long)x.processes),
		    "ulimit -u 4096: trainers and their threads count");
	if (x.memory_bytes >= 0)
		say(d, "limits", false,
		    arena_printf(&d->arena, "%lld MiB of addresses for each process",
		                 (long long)(x.memory_bytes >> 20)),
		    "ulimit -v unlimited, unless it is meant for trainers; `memory:` limits these");
	if (d->n == before)
		say(d, "limits", false, "open files, processes, memory: enough", NULL);
}

/* ---- where the database will be --------------------------------------------------------------------------
 */
static void look_at_folder(struct doctor *d)
{
	const char *name;
	enum host_fs kind = host_file_system(d->dir, &name);
	int64_t left = host_free_bytes(d->dir);
	struct fault f = {0};

	if (host_try_folder(d->dir, &f)) {
		say(d, "folder", true, f.text, "choose another one for the database: `run --db DIR/NAME.db`");
		return;
	}
	say(d, "folder", false,
	    arena_printf(&d->arena, "%s: files can be made and locked (%s)", d->dir, name),
	    kind == HOST_FS_NETWORK
	        ? "over a network each commit takes its time: a local one is faster, where it "
	          "outlives the job"
	        : NULL);
	if (left >= 0 && left < little_space)
		say(d, "space", false, arena_printf(&d->arena, "%lld MiB left", (long long)(left >> 20)),
		    "logs and models of trainers go there: make room, or choose another one");
}

/* ---- the batch job
 * ----------------------------------------------------------------------------------------- */
static void look_at_job(struct doctor *d)
{
	const char *job = host_batch_job(&d->arena);
	char left[TEXT_NUMBER];
	int64_t end_ms = 0;
	struct fault f = {0};

	if (!job) {
		say(d, "end", false, "no batch job: a run ends when it is done", NULL);
		return;
	}
	if (job_end_find(job, &end_ms, &f)) {
		say(d, "end", true,
		    arena_printf(&d->arena, "when the job (%s) will be ended is not known: %s", job, f.text),
		    "run --time-limit D");
		return;
	}
	if (end_ms)
		text_duration(left, end_ms - host_epoch_ms());
	say(d, "end", false,
	    end_ms
	        ? arena_printf(&d->arena, "the job (%s) will be ended in %s; a run stops in time", job, left)
	        : arena_printf(&d->arena, "the job (%s) has no end", job),
	    NULL);
}

static void put_text(const struct doctor *d)
{
	struct bytes b = {0};

	for (uint32_t i = 0; i < d->n; i++) {
		const struct finding *x = &d->findings[i];

		text_putf(&b, "%-10s  %-4s  ", x->about, x->state);
		report_put_plain(&b, x->what);
		text_put(&b, "\n");
		if (x->advice)
			text_putf(&b, "%18s%s\n", "", x->advice);
	}
	cmd_write(stdout, &b);
	bytes_finish(&b);
}

static void put_json(struct doctor *d)
{
	struct report r;

	report_init(&r, &d->arena);
	report_column(&r, "about", NULL, 0);
	report_column(&r, "state", NULL, 0);
	report_column(&r, "what", NULL, 0);
	report_column(&r, "advice", NULL, 0);
	for (uint32_t i = 0; i < d->n; i++) {
		report_row(&r);
		report_text(&r, 0, d->findings[i].about);
		report_text(&r, 1, d->findings[i].state);
		report_text(&r, 2, d->findings[i].what);
		report_text(&r, 3, d->findings[i].advice);
	}
	cmd_put_report(&r, true, stdout);
}

static int parse(struct doctor *d, int argc, char **argv, struct fault *f)
{
	const struct cmd_option options[] = {
	    {"json", 'j', CMD_FLAG, &d->json, NULL, "an array of objects: about state what advice"}, {0}};
	const struct cmd_usage u = {
	    "doctor", "[DIR]",
	    "Looks at MPI, cpus, limits, the batch job, and the folder DIR (the current one) where a "
	    "database would "
	    "be, and says what to change. Status 1: something must be; under mpirun, where rank 0 speaks, 0 "
	    "all the same.",
	    options,
	    "ranksweep doctor\n"
	    "ranksweep doctor /scratch/me\n"
	    "mpirun -n 8 ranksweep doctor"};
	int status = cmd_parse(&u, &argc, argv, f);

	if (status)
		return status;
	if (argc > 1)
		return cmd_misuse(&u, f, "one folder at most");
	d->dir = argc ? argv[0] : ".";
	return 0;
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor d = {0};
	struct fault f = {0};
	int status = parse(&d, argc, argv, &f);

	if (!status && wire_launch_rank() == 0) {
		look_at_mpi(&d);
		look_at_cpus(&d);
		look_at_limits(&d);
		look_at_job(&d);
		look_at_folder(&d);
		if (d.json)
			put_json(&d);
		else
			put_text(&d);
	}
	arena_finish(&d.arena);
	if (status < 0)
		return cmd_print_fault(&f);
	/* mpirun has a page to say about a rank that ends with 1 */
	return d.sick && !wire_launched() ? 1 : 0;
}
