#include "cmd.h"

#include "host.h"
#include "ledger.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIVE_SECONDS = 60 }; /* a run that was not heard of for so long is taken for dead */

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

static bool is_study_name(const char *s)
{
	return ends_in(s, ".yaml") || ends_in(s, ".yml") || ends_in(s, ".json");
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

int cmd_db_and_unit(const struct cmd_usage *u, int argc, char **argv, const char **db, const char **unit,
                    struct fault *f)
{
	int64_t n;

	if (argc < 1 || argc > 2)
		return cmd_misuse(u, f, argc ? "one unit at a time" : "which unit?");
	*db = argc == 2 ? argv[0] : NULL;
	*unit = argv[argc - 1];
	if (text_parse_int(*unit, strlen(*unit), &n) && n >= 1)
		return 0;
	if (argc == 1)
		return cmd_misuse(u, f, "which unit of %s?", *unit);
	return cmd_misuse(u, f, "a unit is a number from 1 up, `%s` is none", *unit);
}

/* ---- which file ------------------------------------------------------------------------------ */
static bool sqlite_file(const char *path)
{
	char head[16] = "";
	FILE *file = fopen(path, "rb");
	bool is = file && fread(head, 1, sizeof head, file) == sizeof head &&
	          !memcmp(head, "SQLite format 3", sizeof head);

	if (file)
		fclose(file);
	return is;
}

bool cmd_is_database(const char *word)
{
	return sqlite_file(word) || is_study_name(word) || ends_in(word, ".db");
}

static int open_path(const char *path, struct store **out, struct fault *f)
{
	struct store_open_options o = {.mode = STORE_READ, .host = host_name(), .now_ms = host_epoch_ms()};

	return store_open(path, &o, out, f);
}

static bool is_ours(const char *path)
{
	struct store *s = NULL;
	bool ours = sqlite_file(path) && open_path(path, &s, NULL) == 0;

	store_close(s);
	return ours;
}

/* The only database of the current folder. */
static int find_only(struct cmd_db *d, struct fault *f)
{
	DIR *dir = opendir(".");
	const struct dirent *e;
	uint32_t n = 0;
	const char *second = NULL;

	if (!dir)
		return fault_set(f, FAULT_IO, "cannot read the current folder: %s", strerror(errno));
	while ((e = readdir(dir))) {
		if (!ends_in(e->d_name, ".db") || !is_ours(e->d_name))
			continue;
		if (n++ == 0)
			d->path = arena_strdup(&d->arena, e->d_name);
		else
			second = arena_strdup(&d->arena, e->d_name);
	}
	closedir(dir);
	if (n == 1)
		return 0;
	if (n == 0)
		return fault_set(f, FAULT_USAGE,
		                 "no ranksweep database in the current folder: name one (DB or STUDY.yaml)");
	return fault_set(f, FAULT_USAGE, "%u ranksweep databases in the current folder (%s, %s%s): name one",
	                 n, d->path, second, n > 2 ? ", ..." : "");
}

static int path_of_study(struct cmd_db *d, const char *study_path, struct fault *f)
{
	struct study_errors errors = {0};
	struct bytes text = {0};
	int bad = host_read_file(study_path, STUDY_MAX_BYTES, &text, f);

	if (!bad && study_parse(&d->arena, study_path, (const char *)text.data, text.len, &d->study, &errors))
		bad = study_first_error(&d->arena, study_path, &errors, f);
	bytes_finish(&text);
	if (bad)
		return -1;
	d->path = arena_printf(&d->arena, "%s.db", d->study->name);
	d->begun = !is_file(d->path);
	if (d->begun && d->may_begin != CMD_BEGIN_STUDY)
		return fault_set(f, FAULT_IO,
		                 "%s: no such database (study %s of %s has not run in this folder)", d->path,
		                 d->study->name, study_path);
	return 0;
}

static int find_path(struct cmd_db *d, const char *word, struct fault *f)
{
	if (!word)
		return find_only(d, f);
	if (is_study_name(word) && !sqlite_file(word))
		return path_of_study(d, word, f);
	d->path = arena_strdup(&d->arena, word);
	if (is_file(word))
		return 0;
	if (is_file(arena_printf(&d->arena, "%s.db", word))) { /* `status digits` for digits.db */
		d->path = arena_printf(&d->arena, "%s.db", word);
		return 0;
	}
	if (d->may_begin == CMD_BEGIN_JOBS)
		return fault_set(f, FAULT_IO, "%s: no such database; call it %s.db to begin one", word, word);
	return fault_set(f, FAULT_IO, "%s: no such database", word);
}

/* D/x.db -> D/x.out */
static const char *out_dir_of(struct arena *a, const char *path)
{
	size_t n = strlen(path);

	return arena_printf(a, "%.*s.out", (int)(ends_in(path, ".db") ? n - 3 : n), path);
}

static int load_study(struct cmd_db *d, struct fault *f)
{
	if (ledger_read_study(&d->arena, d->store, d->path, &d->study, f))
		return -1;
	return d->study ? 0 : fault_set(f, FAULT_IO, "%s: no study in it yet", d->path);
}

static int find(struct cmd_db *d, const char *word, struct fault *f)
{
	if (find_path(d, word, f)) {
		cmd_db_close(d);
		return -1;
	}
	d->out_dir = out_dir_of(&d->arena, d->path);
	return 0;
}

int cmd_db_find(struct cmd_db *d, const char *word, struct fault *f)
{
	*d = (struct cmd_db){0};
	return find(d, word, f);
}

int cmd_db_open(struct cmd_db *d, const char *word, struct fault *f)
{
	if (cmd_db_find(d, word, f))
		return -1;
	if (open_path(d->path, &d->store, f) || load_study(d, f)) {
		cmd_db_close(d);
		return -1;
	}
	return 0;
}

/* A database that `schedule` makes: its study has the name of the file, and no phases yet. */
static int new_study(struct cmd_db *d, struct fault *f)
{
	const char *slash = strrchr(d->path, '/'), *file = slash ? slash + 1 : d->path;
	struct study *s = arena_alloc(&d->arena, sizeof *s);

	if (d->may_begin != CMD_BEGIN_JOBS)
		return fault_set(f, FAULT_IO, "%s: no study in it yet", d->path);
	s->name = arena_strndup(&d->arena, file, strlen(file) - 3);
	s->text = s->jobs = "";
	s->path = d->path;
	d->study = s;
	return 0;
}

static int put_study(struct cmd_db *d, const struct study *s, struct fault *f)
{
	d->study = s;
	return store_begin(d->store, f) || store_put_study(d->store, s->name, s->text, strlen(s->text), f) ||
	               ledger_put_phases(d->store, s, f) || store_commit(d->store, f)
	           ? -1
	           : 0;
}

static bool folder_exists(struct cmd_db *d, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (!slash)
		return true;
	return stat(arena_strndup(&d->arena, path, (size_t)(slash - path) + 1), &st) == 0 &&
	       S_ISDIR(st.st_mode);
}

int cmd_db_find_or_begin(struct cmd_db *d, const char *word, enum cmd_begin may, struct fault *f)
{
	struct stat st;

	*d = (struct cmd_db){.may_begin = may}; /* a database that is there may have no study yet */
	if (may != CMD_BEGIN_JOBS || !word || !ends_in(word, ".db"))
		return find(d, word, f);
	/* Its size first: somebody may be about to make a database of it, or to take it away again. */
	if (is_file(word) && stat(word, &st) == 0 && st.st_size > 0) {
		if (sqlite_file(word))
			return find(d, word, f);
		if (is_file(word))
			return fault_set(f, FAULT_IO, "%s: it is no database", word);
	}
	if (!folder_exists(d, word))
		return fault_set(f, FAULT_IO, "%s: there is no such folder to begin a database in", word);
	d->path = arena_strdup(&d->arena, word);
	d->out_dir = out_dir_of(&d->arena, d->path);
	d->begun = !is_file(word);
	return 0;
}

static const char *lock_path(struct cmd_db *d)
{
	return arena_printf(&d->arena, "%s/lock", d->out_dir);
}

void cmd_db_unmake(struct cmd_db *d)
{
	if (!d->begun)
		return;
	store_discard(d->store, d->begun_out ? lock_path(d) : NULL);
	d->store = NULL;
	if (d->begun_out)
		rmdir(d->out_dir); /* stays if somebody began in it meanwhile */
}

/* Opening to write makes a database of an empty file, and tables in it: not for a slip of the keyboard. */
int cmd_db_open_writer(struct cmd_db *d, bool *busy, struct fault *f)
{
	const char *fs;
	const struct study *given = d->study; /* of the study file */
	struct store_open_options o = {.mode = STORE_WRITE,
	                               .network = host_file_system(d->path, &fs) == HOST_FS_NETWORK,
	                               .busy = busy,
	                               .host = host_name(),
	                               .now_ms = host_epoch_ms()};

	*busy = false;
	if (d->may_begin != CMD_BEGIN_JOBS && !d->begun && !sqlite_file(d->path))
		return fault_set(f, FAULT_IO, "%s: it is no database", d->path);
	o.lock_path = lock_path(d);
	do {
		d->begun_out = d->begun && access(d->out_dir, F_OK) != 0;
		if (host_make_dirs(d->out_dir, f))
			return -1;
		if (store_open(d->path, &o, &d->store, f) == 0)
			break;
		if (!d->may_begin || access(d->out_dir, F_OK) == 0)
			return -1;
	} while (true); /* whoever made the folder had no use for it, and took it away under us */
	if (ledger_read_study(&d->arena, d->store, d->path, &d->study, f) == 0) {
		d->begun = d->begun && !d->study; /* or somebody else began it, before we had the lock */
		if (d->study || (given && d->begun ? put_study(d, given, f) : new_study(d, f)) == 0)
			return 0;
	}
	store_close(d->store);
	d->store = NULL;
	return -1;
}

void cmd_db_close(struct cmd_db *d)
{
	store_close(d->store);
	d->store = NULL;
	arena_finish(&d->arena);
}

/* ---- rows ------------------------------------------------------------------------------------ */
int cmd_query(struct cmd_db *d, struct store_rows **rows, struct fault *f, const char *fmt, ...)
{
	char sql[1024];
	va_list ap;
	int n, got;

	*rows = NULL;
	va_start(ap, fmt);
	n = vsnprintf(sql, sizeof sql, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof sql)
		return fault_set(f, FAULT_BUG, "a query of %d bytes", n);
	if (store_select(d->store, sql, NULL, rows, f))
		return -1;
	got = store_next(*rows, f);
	if (got <= 0) {
		store_rows_close(*rows);
		*rows = NULL;
	}
	return got;
}

int cmd_count_of(struct cmd_db *d, const char *phase, const char *sql, int64_t *n, struct fault *f)
{
	const char *binds[] = {phase, NULL};
	struct store_rows *rows;
	int got;

	if (store_select(d->store, sql, binds, &rows, f))
		return -1;
	got = store_next(rows, f);
	*n = got > 0 ? store_int(rows, 0) : 0;
	store_rows_close(rows);
	return got < 0 ? -1 : 0;
}

int cmd_count_priors(struct cmd_db *d, const char *phase, int64_t *n, struct fault *f)
{
	return cmd_count_of(d, phase, "SELECT count(*) FROM priors WHERE phase = ?1", n, f);
}

const char *cmd_keep(struct cmd_db *d, const struct store_rows *r, uint32_t column)
{
	return store_type(r, column) == STORE_NULL ? NULL : arena_strdup(&d->arena, store_text(r, column));
}

void cmd_cell(struct report *r, uint32_t column, const struct store_rows *rows, uint32_t from)
{
	const char *text;
	double v;

	switch (store_type(rows, from)) {
	case STORE_NULL:
	case STORE_BLOB:
		return;
	case STORE_INT:
		report_int(r, column, store_int(rows, from));
		return;
	case STORE_REAL:
		report_real(r, column, store_real(rows, from));
		return;
	case STORE_TEXT:
		text = store_text(rows, from);
		if ((r->columns[column].flags & REPORT_RIGHT) && text_parse_double(text, strlen(text), &v))
			report_real(r, column, v); /* nan and inf are stored as texts */
		else
			report_text(r, column, text);
	}
}

/* A killed run leaves no note: on its own machine its process is asked for, elsewhere only its silence tells.
 */
bool cmd_run_alive(const char *host, int64_t pid, double last_seen)
{
	if ((double)host_epoch_ms() / 1000 - last_seen >= LIVE_SECONDS)
		return false;
	return !(host && !strcmp(host, host_name()) && pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH);
}

int cmd_live_run(struct cmd_db *d, int64_t *run, struct fault *f)
{
	struct store_rows *rows;
	int got = cmd_query(
	    d, &rows, f,
	    "SELECT run, finished IS NULL, last_seen, host, pid FROM runs ORDER BY run DESC LIMIT 1");

	*run = 0;
	if (got <= 0)
		return got;
	if (store_int(rows, 1) && cmd_run_alive(store_text(rows, 3), store_int(rows, 4), store_real(rows, 2)))
		*run = store_int(rows, 0);
	store_rows_close(rows);
	return 0;
}
