/* graph: the DAG for Graphviz, or as nodes and edges. */
#include "cmd.h"

#include "text.h"

#include <string.h>

struct graph {
	struct cmd_db db;
	struct bytes out;
	bool json;
	uint64_t edges;
};

/* id, phase, what it is, state, value */
static const char sql_trials[] =
    "SELECT trial, phase, outer_fold, state, value, folds_done, folds FROM trials"
    " ORDER BY trial";
static const char sql_trial_edges[] =
    "SELECT DISTINCT a.trial, b.trial FROM edges e JOIN units a ON a.unit = e.parent"
    " JOIN units b ON b.unit = e.child ORDER BY 1, 2";
static const char sql_units[] = "SELECT unit, phase, fold, state, value, trial FROM units ORDER BY unit";
static const char sql_unit_edges[] = "SELECT parent, child FROM edges ORDER BY 1, 2";

/* ---- text ------------------------------------------------------------------------------------ */
/* A Graphviz string: only quotes and backslashes are special; control characters have no place in a label. */
static void put_quoted(struct bytes *out, const char *s)
{
	struct bytes plain = {0};

	report_put_plain(&plain, s);
	text_put(out, "\"");
	for (size_t i = 0; i < plain.len; i++) {
		if (plain.data[i] == '"' || plain.data[i] == '\\')
			text_put(out, "\\");
		bytes_put_u8(out, plain.data[i]);
	}
	text_put(out, "\"");
	bytes_finish(&plain);
}

/* Lines of a label, joined by Graphviz' \n. */
static void put_label(struct bytes *out, const char *const *lines, uint32_t n)
{
	struct bytes b = {0};

	for (uint32_t i = 0; i < n; i++) {
		b.len = 0;
		put_quoted(&b, lines[i]);
		if (i)
			text_put(out, "\\n");
		else
			text_put(out, "\"");
		bytes_put(out, b.data + 1, b.len - 2);
	}
	text_put(out, "\"");
	bytes_finish(&b);
}

static const char *fill_colour(const char *state)
{
	static const struct {
		const char *state, *colour;
	} colours[] = {{"done", "palegreen"},     {"running", "lightskyblue"}, {"failed", "salmon"},
	               {"blocked", "wheat"},      {"ready", "azure"},          {"pruned", "plum"},
	               {"cancelled", "lightgrey"}};

	for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
		if (!strcmp(colours[i].state, state))
			return colours[i].colour;
	return "white";
}

static void open_graph(struct graph *g)
{
	if (g->json) {
		text_put(&g->out, "{\"nodes\": [");
		return;
	}
	text_put(&g->out, "digraph ");
	put_quoted(&g->out, g->db.study->name);
	text_put(&g->out, " {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fillcolor=white,"
	                  " fontname=\"sans-serif\"];\n");
}

static void open_edges(struct graph *g)
{
	if (g->json)
		text_put(&g->out, "\n], \"edges\": [");
}

static void close_graph(struct graph *g)
{
	text_put(&g->out, g->json ? g->edges ? "\n]}\n" : "]}\n" : "}\n");
	cmd_write(stdout, &g->out);
}

static void put_edge(struct graph *g, const char *from, const char *to, const char *label)
{
	if (!g->json) {
		text_put(&g->out, "  ");
		put_quoted(&g->out, from);
		text_put(&g->out, " -> ");
		put_quoted(&g->out, to);
		if (label && *label) {
			text_put(&g->out, " [label=");
			put_quoted(&g->out, label);
			text_put(&g->out, "]");
		}
		text_put(&g->out, ";\n");
		return;
	}
	text_put(&g->out, g->edges++ ? ",\n  {" : "\n  {");
	report_key(&g->out, "parent");
	report_put_string(&g->out, from);
	report_key(&g->out, "child");
	report_put_string(&g->out, to);
	if (label) {
		report_key(&g->out, "pick");
		report_put_string(&g->out, *label ? label : NULL);
	}
	text_put(&g->out, "}");
}

/* ---- phases ---------------------------------------------------------------------------------- */
struct counts {
	int64_t done, failed, blocked;
};

/* What there is of a phase; of a scheduled one that is all there will be. */
static int count_units(struct graph *g, const struct study_phase *p, struct extent *x, struct counts *n,
                       struct fault *f)
{
	const char *binds[] = {p->name, NULL};
	struct store_rows *rows;
	int got;

	if (store_select(g->db.store,
	                 "SELECT ifnull(sum(state = 'done'), 0), ifnull(sum(state = 'failed'), 0),"
	                 " ifnull(sum(state = 'blocked'), 0), count(DISTINCT trial), count(*)"
	                 " FROM units WHERE phase = ?1",
	                 binds, &rows, f))
		return -1;
	got = store_next(rows, f);
	memset(n, 0, sizeof *n);
	if (got > 0)
		*n = (struct counts){store_int(rows, 0), store_int(rows, 1), store_int(rows, 2)};
	if (got > 0 && p->scheduled) {
		x->trials = (uint64_t)store_int(rows, 3);
		x->units = (uint64_t)store_int(rows, 4);
	}
	store_rows_close(rows);
	return got < 0 ? -1 : 0;
}

static int put_phase(struct graph *g, const struct study_phase *p, const struct extent *expected,
                     struct fault *f)
{
	const char *lines[3] = {p->name};
	struct counts n;
	struct extent own = *expected;
	const struct extent *x = &own;
	struct arena *a = &g->db.arena;

	if (count_units(g, p, &own, &n, f))
		return -1;
	lines[1] = arena_printf(a, "%s%llu trial%s, %llu unit%s", x->at_most ? "at most " : "",
	                        (unsigned long long)x->trials, x->trials == 1 ? "" : "s",
	                        (unsigned long long)x->units, x->units == 1 ? "" : "s");
	lines[2] = arena_printf(a, "%lld done%s%s", (long long)n.done,
	                        n.failed ? arena_printf(a, ", %lld failed", (long long)n.failed) : "",
	                        n.blocked ? arena_printf(a, ", %lld blocked", (long long)n.blocked) : "");
	if (!g->json) {
		text_put(&g->out, "  ");
		put_quoted(&g->out, p->name);
		text_put(&g->out, " [label=");
		put_label(&g->out, lines, 3);
		text_putf(&g->out, ", fillcolor=%s];\n",
		          fill_colour(n.failed                                 ? "failed"
		                      : n.blocked                              ? "blocked"
		                      : n.done && (uint64_t)n.done >= x->units ? "done"
		                      : n.done                                 ? "running"
		                                                               : ""));
		return 0;
	}
	text_put(&g->out, p->index ? ",\n  {" : "\n  {");
	report_key(&g->out, "id");
	report_put_string(&g->out, p->name);
	cmd_put_string(&g->out, "phase", p->name);
	report_key(&g->out, "trials");
	text_putf(&g->out, "%llu", (unsigned long long)x->trials);
	report_key(&g->out, "units");
	text_putf(&g->out, "%llu", (unsigned long long)x->units);
	cmd_put_flag(&g->out, "at_most", x->at_most);
	cmd_put_int(&g->out, "done", n.done);
	cmd_put_int(&g->out, "failed", n.failed);
	cmd_put_int(&g->out, "blocked", n.blocked);
	text_put(&g->out, "}");
	return 0;
}

static const char *pick_text(struct arena *a, const struct after *x)
{
	if (x->pick == PICK_ALL)
		return "";
	return arena_printf(a, "best%s%s%s", x->best_n > 1 ? arena_printf(a, " %u", x->best_n) : "",
	                    x->nper ? " per" : "", x->as_one ? " as one" : "");
}

static int put_phases(struct graph *g, struct fault *f)
{
	const struct study *s = g->db.study;
	const struct extent *x = extent_of(&g->db.arena, s);

	for (uint32_t i = 0; i < s->nphases; i++)
		if (put_phase(g, &s->phases[i], &x[i], f))
			return -1;
	open_edges(g);
	for (uint32_t i = 0; i < s->nphases; i++)
		for (uint32_t k = 0; k < s->phases[i].nafter; k++) {
			const struct after *after = &s->phases[i].after[k];

			put_edge(g, s->phases[after->phase].name, s->phases[i].name,
			         pick_text(&g->db.arena, after));
		}
	return 0;
}

/* ---- trials and units ------------------------------------------------------------------------ */
static void put_node(struct graph *g, const char *id, const char *const *lines, uint32_t n, const char *phase,
                     const char *state, double value, bool first)
{
	if (!g->json) {
		text_putf(&g->out, "  \"%s\" [label=", id);
		put_label(&g->out, lines, n);
		text_putf(&g->out, ", fillcolor=%s];\n", fill_colour(state));
		return;
	}
	text_put(&g->out, first ? "\n  {" : ",\n  {");
	report_key(&g->out, "id");
	report_put_string(&g->out, id);
	report_key(&g->out, "phase");
	report_put_string(&g->out, phase);
	report_key(&g->out, "state");
	report_put_string(&g->out, state);
	report_key(&g->out, "value");
	report_put_number(&g->out, value);
	text_put(&g->out, "}");
}

static void put_trial(struct graph *g, const struct store_rows *rows, bool first)
{
	char value[TEXT_NUMBER] = "", id[TEXT_NUMBER], title[256], folds[64] = "";
	const char *lines[3] = {title, folds, value};
	uint32_t n = 1;

	text_int(id, store_int(rows, 0));
	snprintf(title, sizeof title, "%.200s %s", store_text(rows, 1), id);
	if (store_int(rows, 2) >= 0)
		snprintf(folds, sizeof folds, "outer fold %lld, %lld/%lld", (long long)store_int(rows, 2),
		         (long long)store_int(rows, 5), (long long)store_int(rows, 6));
	else
		snprintf(folds, sizeof folds, "%lld/%lld", (long long)store_int(rows, 5),
		         (long long)store_int(rows, 6));
	n = 2;
	if (store_type(rows, 4) != STORE_NULL) {
		report_short_number(value, store_real(rows, 4), 6);
		n = 3;
	}
	put_node(g, id, lines, n, store_text(rows, 1), store_text(rows, 3), store_real(rows, 4), first);
}

static void put_unit(struct graph *g, const struct store_rows *rows, bool first)
{
	char value[TEXT_NUMBER] = "", id[TEXT_NUMBER], title[256], trial[64];
	const char *lines[3] = {title, trial, value};
	uint32_t n = 2;

	text_int(id, store_int(rows, 0));
	snprintf(title, sizeof title, "%.200s unit %s", store_text(rows, 1), id);
	if (store_int(rows, 2) >= 0)
		snprintf(trial, sizeof trial, "trial %lld fold %lld", (long long)store_int(rows, 5),
		         (long long)store_int(rows, 2));
	else
		snprintf(trial, sizeof trial, "trial %lld", (long long)store_int(rows, 5));
	if (store_type(rows, 4) != STORE_NULL) {
		report_short_number(value, store_real(rows, 4), 6);
		n = 3;
	}
	put_node(g, id, lines, n, store_text(rows, 1), store_text(rows, 3), store_real(rows, 4), first);
}

static int put_rows(struct graph *g, const char *sql,
                    void (*put)(struct graph *g, const struct store_rows *rows, bool first), struct fault *f)
{
	struct store_rows *rows;
	bool first = true;
	int got;

	if (store_select(g->db.store, sql, NULL, &rows, f))
		return -1;
	for (; (got = store_next(rows, f)) > 0; first = false) {
		put(g, rows, first);
		if (g->out.len > 1 << 20)
			cmd_write(stdout, &g->out);
	}
	store_rows_close(rows);
	return got;
}

static void put_numbered_edge(struct graph *g, const struct store_rows *rows, bool first)
{
	char from[TEXT_NUMBER], to[TEXT_NUMBER];

	(void)first;
	text_int(from, store_int(rows, 0));
	text_int(to, store_int(rows, 1));
	put_edge(g, from, to, NULL);
}

/* ---- the verb -------------------------------------------------------------------------------- */
static int put_nodes(struct graph *g, const char *level, struct fault *f)
{
	if (!strcmp(level, "phase"))
		return put_phases(g, f);
	if (put_rows(g, !strcmp(level, "trial") ? sql_trials : sql_units,
	             !strcmp(level, "trial") ? put_trial : put_unit, f))
		return -1;
	open_edges(g);
	return put_rows(g, !strcmp(level, "trial") ? sql_trial_edges : sql_unit_edges, put_numbered_edge, f);
}

static int graph(const char *word, const char *level, bool json, struct fault *f)
{
	struct graph g = {.json = json};
	int bad;

	if (cmd_db_open(&g.db, word, f))
		return -1;
	open_graph(&g);
	bad = put_nodes(&g, level, f);
	if (!bad)
		close_graph(&g);
	bytes_finish(&g.out);
	cmd_db_close(&g.db);
	return bad;
}

int cmd_graph(int argc, char **argv)
{
	const char *level = "phase";
	bool json = false;
	const struct cmd_option options[] = {
	    {"level", 'l', CMD_TEXT, &level, "phase|trial|unit",
	     "what a node is (default: a phase, with counts)"},
	    {"json", 0, CMD_FLAG, &json, NULL, "nodes and edges as JSON"},
	    {0},
	};
	const struct cmd_usage usage = {
	    "graph", "[DB] [--level phase|trial|unit] [--json]",
	    "The graph of dependencies in Graphviz' language.", options,
	    "  ranksweep graph digits.db | dot -Tsvg -o digits.svg\n"
	    "  ranksweep graph digits.db --level trial | dot -Tpdf -o trials.pdf"};
	struct fault f = {0};
	int rc = cmd_parse(&usage, &argc, argv, &f);

	if (rc == 0 && argc > 1)
		rc = cmd_misuse(&usage, &f, "one database at a time, not also `%s`", argv[1]);
	if (rc == 0 && strcmp(level, "phase") != 0 && strcmp(level, "trial") != 0 &&
	    strcmp(level, "unit") != 0)
		rc = cmd_misuse(&usage, &f, "--level is phase, trial or unit, not `%s`", level);
	if (rc == 0)
		rc = graph(argv[0], level, json, &f);
	return rc < 0 ? cmd_print_fault(&f) : 0;
}
