#include "cmd.h"

#include "host.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

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

static int parse_study(struct cmd_db *d, const char *path, const char *text, size_t n, struct fault *f)
{
	struct study_errors errors = {0};

	if (study_parse(&d->arena, path, text, n, &d->study, &errors) == 0)
		return 0;
	*f = errors.items[0];
	if (errors.count > 1)
		fault_set(f, FAULT_STUDY, "%.900s (and %u more: `ranksweep check %.60s`)",
		          arena_strdup(&d->arena, f->text), errors.count - 1 + errors.dropped, path);
	return -1;
}

static int path_of_study(struct cmd_db *d, const char *study_path, struct fault *f)
{
	struct bytes text = {0};
	int bad = host_read_file(study_path, STUDY_MAX_BYTES, &text, f) ||
	          parse_study(d, study_path, (const char *)text.data, text.len, f);

	bytes_finish(&text);
	if (bad)
		return -1;
	d->path = arena_printf(&d->arena, "%s.db", d->study->name);
	if (!is_file(d->path))
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
	const char *name, *text;
	size_t n;

	if (store_get_study(d->store, &d->arena, &name, &text, &n, f))
		return -1;
	if (!text)
		return fault_set(f, FAULT_IO, "%s: no study in it yet", d->path);
	return parse_study(d, d->path, text, n, f);
}

int cmd_db_open(struct cmd_db *d, const char *word, struct fault *f)
{
	*d = (struct cmd_db){0};
	if (find_path(d, word, f) || open_path(d->path, &d->store, f) || load_study(d, f)) {
		cmd_db_close(d);
		return -1;
	}
	d->out_dir = out_dir_of(&d->arena, d->path);
	return 0;
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
