/* log: a unit's output. It lies in segments in the files of the ranks that ran it; the database has their
 * index. Bytes go to stdout as they are. */
#include "cmd.h"

#include "host.h"
#include "output.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STDOUT_STREAM = 1, STDERR_STREAM = 2, PIECE = 64 * 1024, POLL_MS = 500 };

struct log {
	struct cmd_db db;
	int64_t unit, attempt; /* 0: all attempts */
	bool out, err, follow, json;
	int64_t last_attempt, last_seq; /* printed up to here */
	int64_t shown_attempt;          /* the last one something was printed of */
	bool any, several;              /* several: more than one attempt is asked for */
	struct report report;           /* --json */
	/* the file that is open */
	int fd;
	int64_t run, rank;
};

const char *cmd_log_path(struct cmd_db *d, int64_t run, int64_t rank)
{
	return arena_printf(&d->arena, "%s/log/run%lld-rank%lld.log", d->out_dir, (long long)run,
	                    (long long)rank);
}

/* ---- segments -------------------------------------------------------------------------------- */
struct segment {
	int64_t attempt, seq, run, rank, stream, offset, bytes, skipped;
};

static int open_file(struct log *l, const struct segment *g, struct fault *f)
{
	const char *path = cmd_log_path(&l->db, g->run, g->rank);

	if (l->fd >= 0 && l->run == g->run && l->rank == g->rank)
		return 0;
	if (l->fd >= 0)
		close(l->fd);
	l->run = g->run;
	l->rank = g->rank;
	l->fd = open(path, O_RDONLY | O_CLOEXEC);
	return l->fd < 0 ? fault_set(f, FAULT_IO, "%s: %s", path, strerror(errno)) : 0;
}

static ssize_t read_at(int fd, void *p, size_t n, int64_t at)
{
	ssize_t got;

	do
		got = pread(fd, p, n, (off_t)at);
	while (got < 0 && errno == EINTR);
	return got;
}

static uint32_t le32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The header in front says whose bytes these are: a file that was replaced must not speak for another unit.
 */
static int check_header(const struct log *l, const struct segment *g, struct fault *f)
{
	unsigned char head[OUTPUT_HEADER];

	if (g->offset >= OUTPUT_HEADER &&
	    read_at(l->fd, head, sizeof head, g->offset - OUTPUT_HEADER) == (ssize_t)sizeof head &&
	    le32(head) == OUTPUT_MAGIC && le32(head + 4) == (uint32_t)l->unit &&
	    le32(head + 8) == (uint32_t)g->attempt && le32(head + 16) == (uint32_t)g->bytes)
		return 0;
	return fault_set(f, FAULT_IO,
	                 "run%lld-rank%lld.log is damaged or another run's: no output of unit %lld at %lld",
	                 (long long)g->run, (long long)g->rank, (long long)l->unit, (long long)g->offset);
}

static int copy_bytes(struct log *l, const struct segment *g, struct bytes *into, struct fault *f)
{
	char piece[PIECE];

	for (int64_t done = 0; done < g->bytes;) {
		size_t want = g->bytes - done < PIECE ? (size_t)(g->bytes - done) : PIECE;
		ssize_t got = read_at(l->fd, piece, want, g->offset + done);

		if (got <= 0)
			return fault_set(f, FAULT_IO, "run%lld-rank%lld.log: %s", (long long)g->run,
			                 (long long)g->rank, got < 0 ? strerror(errno) : "cut short");
		if (into)
			bytes_put(into, piece, (size_t)got);
		else
			fwrite(piece, 1, (size_t)got, stdout);
		done += got;
	}
	return 0;
}

static void add_json(struct log *l, const struct segment *g, const struct bytes *text)
{
	struct bytes b = {0};
	struct report *r = &l->report;

	text_put_json(&b, text->len ? (const char *)text->data : "", text->len);
	report_row(r);
	report_int(r, 0, g->attempt);
	report_text(r, 1, g->stream == STDERR_STREAM ? "stderr" : "stdout");
	report_int(r, 2, g->skipped);
	report_json(r, 3, cmd_keep_bytes(&l->db.arena, &b), NULL);
}

static int put_segment(struct log *l, const struct segment *g, struct fault *f)
{
	struct bytes text = {0};
	int bad = 0;

	if (!l->json && l->several && g->attempt != l->shown_attempt)
		printf("%s==> attempt %lld <==\n", l->any ? "\n" : "", (long long)g->attempt);
	l->shown_attempt = g->attempt;
	if (!l->json && g->skipped)
		printf("\n[... %lld bytes left out ...]\n", (long long)g->skipped);
	if (g->bytes)
		bad =
		    open_file(l, g, f) || check_header(l, g, f) || copy_bytes(l, g, l->json ? &text : NULL, f)
		        ? -1
		        : 0;
	if (!bad && l->json)
		add_json(l, g, &text);
	bytes_finish(&text);
	l->any = true;
	return bad;
}

/* What came since the last call. */
static int put_new(struct log *l, struct fault *f)
{
	const char *sql =
	    arena_printf(&l->db.arena,
	                 "SELECT attempt, seq, run, rank, stream, offset, bytes, skipped FROM outputs"
	                 " WHERE unit = %lld AND (attempt > %lld OR (attempt = %lld AND seq > %lld))"
	                 " ORDER BY attempt, seq",
	                 (long long)l->unit, (long long)l->last_attempt, (long long)l->last_attempt,
	                 (long long)l->last_seq);
	struct store_rows *rows;
	int got;

	if (store_select(l->db.store, sql, NULL, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		struct segment g = {store_int(rows, 0), store_int(rows, 1), store_int(rows, 2),
		                    store_int(rows, 3), store_int(rows, 4), store_int(rows, 5),
		                    store_int(rows, 6), store_int(rows, 7)};
		bool wanted = (l->attempt == 0 || g.attempt == l->attempt) &&
		              (g.stream == STDERR_STREAM ? l->err : l->out);

		if (wanted && put_segment(l, &g, f)) {
			got = -1;
			break;
		}
		l->last_attempt = g.attempt;
		l->last_seq = g.seq;
	}
	store_rows_close(rows);
	return got;
}

/* ---- the unit -------------------------------------------------------------------------------- */
struct fate {
	bool final;
	int64_t attempts;
	const char *state;
};

static int read_fate(struct log *l, struct fate *out, struct fault *f)
{
	struct store_rows *rows;
	int got =
	    cmd_query(&l->db, &rows, f,
	              "SELECT state, attempts, state IN ('done', 'failed', 'blocked', 'pruned', 'cancelled')"
	              " FROM units WHERE unit = %lld",
	              (long long)l->unit);

	if (got == 0)
		return fault_set(f, FAULT_USAGE, "no unit %lld in %s", (long long)l->unit, l->db.path);
	if (got < 0)
		return -1;
	*out = (struct fate){store_int(rows, 2), store_int(rows, 1), cmd_keep(&l->db, rows, 0)};
	store_rows_close(rows);
	return 0;
}

/* The state is read before the output: what a final unit wrote was committed before its end was. */
static int follow(struct log *l, struct fault *f)
{
	const struct timespec pause = {0, POLL_MS * 1000000L};
	struct fate fate;
	int64_t run;

	for (;;) {
		if (cmd_live_run(&l->db, &run, f) || read_fate(l, &fate, f) || put_new(l, f))
			return -1;
		fflush(stdout);
		if (fate.final || ferror(stdout))
			return 0;
		if (!run) {
			fprintf(stderr, "ranksweep: no run is going on; unit %lld is %s\n",
			        (long long)l->unit, fate.state);
			return 0;
		}
		nanosleep(&pause, NULL);
	}
}

static void say_nothing(const struct log *l, const struct fate *fate)
{
	if (l->any || l->json)
		return;
	if (fate->attempts == 0)
		fprintf(stderr, "ranksweep: unit %lld is %s and has not begun\n", (long long)l->unit,
		        fate->state);
	else
		fprintf(stderr, "ranksweep: unit %lld has written nothing%s\n", (long long)l->unit,
		        l->out && l->err && !l->attempt ? "" : " there");
}

static int print_log(struct log *l, struct fault *f)
{
	struct fate fate;

	if (read_fate(l, &fate, f))
		return -1;
	if (l->attempt > fate.attempts)
		return fault_set(f, FAULT_USAGE, "unit %lld has %lld attempt%s", (long long)l->unit,
		                 (long long)fate.attempts, fate.attempts == 1 ? "" : "s");
	l->several = l->attempt == 0 && fate.attempts > 1;
	if (l->json) {
		report_init(&l->report, &l->db.arena);
		report_column(&l->report, "attempt", NULL, 0);
		report_column(&l->report, "stream", NULL, 0);
		report_column(&l->report, "skipped_bytes", NULL, 0);
		report_column(&l->report, "text", NULL, 0);
	}
	if (l->follow ? follow(l, f) : put_new(l, f))
		return -1;
	if (l->json)
		cmd_put_report(&l->report, true, stdout);
	fflush(stdout);
	say_nothing(l, &fate);
	return 0;
}

int cmd_log(int argc, char **argv)
{
	struct log l = {.fd = -1, .last_seq = -1};
	const char *db = NULL, *unit = NULL;
	bool out = false, err = false;
	const struct cmd_option options[] = {
	    {"follow", 'f', CMD_FLAG, &l.follow, NULL, "go on until the unit is done"},
	    {"stdout", 0, CMD_FLAG, &out, NULL, "only its stdout"},
	    {"stderr", 0, CMD_FLAG, &err, NULL, "only its stderr"},
	    {"attempt", 'a', CMD_NUMBER, &l.attempt, "N", "only this attempt (from 1)"},
	    {"json", 0, CMD_FLAG, &l.json, NULL, "an array of pieces with attempt and stream"},
	    {0},
	};
	const struct cmd_usage usage = {
	    "log", "[DB] UNIT [-f] [--stdout|--stderr] [--attempt N] [--json]",
	    "What a unit wrote, both streams in the order in which pieces of them came. Of more than 8 MiB "
	    "the\n"
	    "beginning and the end are kept, and a line says how much was left out between.",
	    options,
	    "  ranksweep log digits.db 12\n"
	    "  ranksweep log 12 -f\n"
	    "  ranksweep log digits.db 12 --stderr --attempt 2"};
	struct fault f = {0};
	int rc = cmd_parse(&usage, &argc, argv, &f);

	if (rc == 0)
		rc = cmd_db_and_unit(&usage, argc, argv, &db, &unit, &f);
	l.out = out || !err;
	l.err = err || !out;
	if (rc == 0 && !text_parse_int(unit, strlen(unit), &l.unit))
		rc = -1;
	if (rc == 0 && cmd_db_open(&l.db, db, &f) == 0) {
		rc = print_log(&l, &f);
		cmd_db_close(&l.db);
	} else if (rc == 0) {
		rc = -1;
	}
	if (l.fd >= 0)
		close(l.fd);
	return rc < 0 ? cmd_print_fault(&f) : 0;
}
