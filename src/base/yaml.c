#include "yaml.h"
#include "rng.h"

#include <libfyaml.h>
#include <string.h>

enum { MAX_OPEN = 1000 };

struct level {
	struct yaml_node *node;
	struct yaml_node **tail;
	struct yaml_node *key; /* MAP: the key whose value comes next */
	bool flow;
};

struct builder {
	struct arena *arena;
	const char *bytes;
	size_t n;
	yaml_report_fn *report;
	void *ctx;
	struct level stack[YAML_MAX_DEPTH];
	uint32_t depth, nodes, docs;
	uint32_t line, col; /* of the last event that had a position */
	struct yaml_node *root;
	bool stop; /* a mistake that ends the parse */
};

static void fail(struct builder *b, uint32_t line, uint32_t col, const char *text)
{
	b->report(b->ctx, line, col, text);
	b->stop = true;
}

/* ---- bytes that no YAML reader should see ------------------------------------------------------ */

/* Length of the UTF-8 sequence at s (RFC 3629), 0 when it is none. */
static size_t sequence(const unsigned char *s, size_t n)
{
	size_t len = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static bool control(unsigned char c)
{
	return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

/* What libfyaml should not be asked: it keeps all tokens of a line and of a nest of open brackets until it
 * knows whether they are a key, and is slow (and leaks) when there are millions. Quotes are not looked at, so
 * the bound is far above what the tree allows. */
static const char *check_byte(struct builder *b, unsigned char c, size_t col, uint32_t *open)
{
	if (control(c))
		return arena_printf(b->arena, "control character 0x%02x: a study file is plain text", c);
	if (col > YAML_MAX_LINE)
		return "a line of more than 1 MiB";
	if (c == '[' || c == '{')
		++*open;
	else if ((c == ']' || c == '}') && *open > 0)
		--*open;
	return *open > MAX_OPEN ? "too many open brackets: a study needs five levels" : NULL;
}

bool yaml_holds(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;
	uint32_t open = 0, most = 0;

	for (size_t i = 0; i < n;) {
		size_t len = u[i] < 0x80 ? 1 : sequence(u + i, n - i);

		if (!len)
			return false;
		if (u[i] == '[' || u[i] == '{')
			most = ++open > most ? open : most;
		else if ((u[i] == ']' || u[i] == '}') && open)
			open--;
		i += len;
	}
	return open == 0 && most <= MAX_OPEN / 2;
}

static bool check_bytes(struct builder *b)
{
	const unsigned char *s = (const unsigned char *)b->bytes;
	uint32_t line = 1, open = 0;
	size_t start = 0;

	for (size_t i = 0; i < b->n;) {
		size_t len = s[i] < 0x80 ? 1 : sequence(s + i, b->n - i);
		const char *bad = len ? check_byte(b, s[i], i - start, &open)
		                      : "this byte is no UTF-8: save the file as UTF-8";

		if (bad) {
			fail(b, line, (uint32_t)(i - start + 1), bad);
			return false;
		}
		if (s[i] == '\n') {
			line++;
			start = i + 1;
		}
		i += len;
	}
	return true;
}

/* ---- the tree ---------------------------------------------------------------------------------- */

static struct yaml_node *new_node(struct builder *b, enum yaml_kind kind)
{
	struct yaml_node *n = arena_alloc(b->arena, sizeof *n);

	if (++b->nodes > YAML_MAX_NODES)
		fail(b, b->line, b->col, "too large: more than 1000000 values");
	n->kind = kind;
	n->text = "";
	n->line = b->line;
	n->col = b->col;
	return n;
}

static bool is_null_word(const struct yaml_node *n)
{
	return n->plain && (n->len == 0 || !strcmp(n->text, "~") || !strcmp(n->text, "null"));
}

/* A text in single quotes on one line, taken from the file itself: libfyaml 0.7 leaks memory over texts with
 * more than a few '' in them. NULL: it is something else. */
static char *single_quoted(struct builder *b, struct fy_event *e, size_t *len)
{
	const struct fy_mark *m = fy_event_start_mark(e), *end = fy_event_end_mark(e);
	const char *s;
	char *out;
	size_t n, k = 0;

	if (!m || !end || fy_event_get_node_style(e) != FYNS_SINGLE_QUOTED || end->input_pos < m->input_pos ||
	    end->input_pos > b->n)
		return NULL;
	s = b->bytes + m->input_pos;
	n = end->input_pos - m->input_pos;
	if (memchr(s, '\n', n) || memchr(s, '\r', n))
		return NULL;
	out = arena_alloc(b->arena, n + 1);
	for (size_t i = 0; i < n; i++) {
		out[k++] = s[i];
		if (s[i] == '\'' && i + 1 < n && s[i + 1] == '\'')
			i++;
	}
	*len = k;
	return out;
}

static struct yaml_node *scalar(struct builder *b, struct fy_event *e)
{
	const struct fy_mark *m = fy_event_start_mark(e);
	struct fy_token *t = fy_event_get_token(e);
	struct yaml_node *n = new_node(b, YAML_TEXT);
	size_t len = 0;
	const char *own = single_quoted(b, e, &len);
	const char *text = own ? own : t ? fy_token_get_text(t, &len) : NULL;

	n->plain = !text || fy_event_get_node_style(e) == FYNS_PLAIN;
	n->text = own ? own : text ? arena_strndup(b->arena, text, len) : "";
	n->len = text ? len : 0;
	if (n->len && memchr(n->text, 0, n->len))
		fail(b, n->line, n->col, "a text holds \\0: no program could be given it");
	n->exact = m && m->input_pos <= b->n && b->n - m->input_pos >= n->len &&
	           !memcmp(b->bytes + m->input_pos, n->text, n->len) && !memchr(n->text, '\n', n->len);
	if (is_null_word(n))
		n->kind = YAML_NULL;
	return n;
}

static void add_child(struct level *l, struct yaml_node *n)
{
	*l->tail = n;
	l->tail = &n->next;
	l->node->count++;
}

static void attach(struct builder *b, struct yaml_node *n)
{
	struct level *l = b->depth ? &b->stack[b->depth - 1] : NULL;

	if (!l) {
		if (!b->root)
			b->root = n;
	} else if (l->node->kind == YAML_LIST) {
		add_child(l, n);
	} else if (l->key) {
		n->key = l->key;
		l->key = NULL;
		add_child(l, n);
	} else if (n->kind == YAML_LIST || n->kind == YAML_MAP) {
		fail(b, n->line, n->col,
		     "a list or map as a key: quote a value that starts with { or [, as in \"{lr}\"");
	} else {
		n->kind = YAML_TEXT;
		l->key = n;
	}
}

static void open_level(struct builder *b, struct yaml_node *n, struct fy_event *e)
{
	attach(b, n);
	if (b->depth == YAML_MAX_DEPTH) {
		fail(b, b->line, b->col, "nested more than 64 deep: a study needs five levels");
		return;
	}
	b->stack[b->depth++] =
	    (struct level){.node = n, .tail = &n->first, .flow = fy_event_get_node_style(e) == FYNS_FLOW};
}

/* ---- mistakes that leave a tree ---------------------------------------------------------------- */

static int open_parens(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s == '(') - (*s == ')');
	return n;
}

/* {lr: log(1, 2)} reads as `lr: log(1` and a key `2)`. Join such pieces again and say what happened. */
static void join_cut(struct builder *b, struct yaml_node *n)
{
	struct yaml_node *last = n->next, *piece = last;
	const char *text = n->text;
	size_t bytes = n->len;

	while (piece && bytes < 4096 && open_parens(text) > 0) {
		const struct yaml_node *word = piece->key ? piece->key : piece;

		if (word->kind != YAML_TEXT || !word->plain || (piece->key && piece->kind != YAML_NULL))
			break;
		text = arena_printf(b->arena, "%s, %s", text, word->text);
		bytes = strlen(text);
		piece = piece->next;
	}
	if (open_parens(text) != 0)
		return;
	b->report(b->ctx, n->line, n->col,
	          arena_printf(b->arena,
	                       "cut at a comma: inside {..} and [..] YAML needs quotes around it: \"%s\"",
	                       text));
	n->text = text;
	n->len = bytes;
	n->exact = false;
	n->next = piece;
}

static void join_cuts(struct builder *b, struct yaml_node *map)
{
	uint32_t count = 0;

	for (struct yaml_node *n = map->first; n; n = n->next, count++)
		if (n->kind == YAML_TEXT && n->plain && n->next && open_parens(n->text) > 0)
			join_cut(b, n);
	map->count = count;
}

/* Report keys that come twice and unlink the later ones. */
static void drop_duplicates(struct builder *b, struct yaml_node *map)
{
	uint32_t size = 16;
	struct yaml_node **slots, **link = &map->first;

	while (size < map->count * 2)
		size *= 2;
	slots = arena_array(b->arena, size, sizeof *slots);
	for (struct yaml_node *n = map->first; n; n = n->next) {
		const struct yaml_node *k = n->key;
		uint32_t h = (uint32_t)rng_hash(0, k->text, k->len) & (size - 1);

		while (slots[h] && strcmp(slots[h]->key->text, k->text))
			h = (h + 1) & (size - 1);
		if (!slots[h]) {
			slots[h] = n;
			link = &n->next;
			continue;
		}
		b->report(b->ctx, k->line, k->col,
		          arena_printf(b->arena, "'%.64s' is here twice: the first is in line %u", k->text,
		                       slots[h]->key->line));
		*link = n->next;
		map->count--;
	}
}

static void close_level(struct builder *b)
{
	struct level *l = &b->stack[--b->depth];

	if (l->flow)
		join_cuts(b, l->node);
	if (l->node->kind == YAML_MAP && l->node->count > 1)
		drop_duplicates(b, l->node);
}

/* ---- events ------------------------------------------------------------------------------------ */

static void take_event(struct builder *b, struct fy_event *e)
{
	const struct fy_mark *m = fy_event_start_mark(e);

	/* An empty value has no place of its own: it stands where its key does. */
	if (m && e->type != FYET_DOCUMENT_END) {
		b->line = (uint32_t)m->line + 1;
		b->col = (uint32_t)m->column + 1;
	}
	switch (e->type) {
	case FYET_DOCUMENT_START:
		if (b->docs++)
			fail(b, b->line, b->col, "a second document ('---'): one study a file");
		break;
	case FYET_ALIAS:
		fail(b, b->line, b->col,
		     "aliases (*name) are not supported: write the value out, or use `defaults:`; quote a "
		     "text "
		     "that starts with *");
		break;
	case FYET_SCALAR:
		attach(b, scalar(b, e));
		break;
	case FYET_SEQUENCE_START:
		open_level(b, new_node(b, YAML_LIST), e);
		break;
	case FYET_MAPPING_START:
		open_level(b, new_node(b, YAML_MAP), e);
		break;
	case FYET_SEQUENCE_END:
	case FYET_MAPPING_END:
		if (b->depth)
			close_level(b);
		break;
	default:
		break;
	}
}

/* Does a tab stand in the indentation of this line or the one before? libfyaml then complains of something
 * else. */
static uint32_t tab_line(const struct builder *b, uint32_t wanted)
{
	const char *p = b->bytes, *end = p + b->n;

	for (uint32_t line = 1; p < end && line <= wanted + 1; line++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *q = p;

		while (q < end && *q == ' ')
			q++;
		if (line + 1 >= wanted && q < end && *q == '\t')
			return line;
		if (!nl)
			break;
		p = nl + 1;
	}
	return 0;
}

/* Does the mistake follow a closing bracket, as in `{lr}/x` or `[1, 2] if a == b`? */
static bool after_bracket(const struct builder *b, uint32_t line, uint32_t col)
{
	const char *p = b->bytes, *end = p + b->n;

	while (--line > 0 && (p = memchr(p, '\n', (size_t)(end - p))))
		p++;
	if (!p || (size_t)(end - p) < col)
		return false;
	for (end = p + col - 1; end > p && end[-1] == ' ';)
		end--;
	return end > p && (end[-1] == '}' || end[-1] == ']');
}

static void report_syntax(struct builder *b, struct fy_diag *diag)
{
	void *it = NULL;
	struct fy_diag_error *e = fy_diag_errors_iterate(diag, &it);
	uint32_t line = e && e->line > 0 ? (uint32_t)e->line : b->line;
	uint32_t col = e && e->column > 0 ? (uint32_t)e->column : b->col;
	uint32_t tab = tab_line(b, line);

	if (tab)
		fail(b, tab, 1, "a tab in the indentation: YAML wants blanks");
	else if (after_bracket(b, line ? line : 1, col))
		fail(b, line ? line : 1, col,
		     "not valid YAML: text after a closing } or ]: put quotes around the whole value");
	else
		fail(b, line ? line : 1, col ? col : 1,
		     arena_printf(b->arena,
		                  "not valid YAML: %s (quote a value that holds ': ' or ' #', or starts with "
		                  "one of { [ * & ! %% @ `)",
		                  e && e->msg ? e->msg : "the parser gave up here"));
}

static void run_parser(struct builder *b, struct fy_parser *p, struct fy_diag *diag)
{
	struct fy_event *e;
	bool ended = false;

	while (!b->stop && (e = fy_parser_parse(p))) {
		ended = e->type == FYET_STREAM_END;
		take_event(b, e);
		fy_parser_event_free(p, e);
	}
	if (!b->stop && (!ended || fy_parser_get_stream_error(p)))
		report_syntax(b, diag);
}

static void parse_events(struct builder *b)
{
	struct fy_diag_cfg dc;
	struct fy_diag *diag;
	struct fy_parse_cfg pc = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 |
	                                   FYPCF_JSON_NONE};
	struct fy_parser *p;

	fy_diag_cfg_default(&dc);
	dc.fp = NULL;
	dc.colorize = false;
	diag = fy_diag_create(&dc);
	fy_diag_set_collect_errors(diag, true);
	pc.diag = diag;
	p = fy_parser_create(&pc);
	if (p && !fy_parser_set_string(p, b->bytes, b->n))
		run_parser(b, p, diag);
	else
		fail(b, 1, 1, "the YAML parser could not start");
	fy_parser_destroy(p);
	fy_diag_destroy(diag);
}

struct yaml_node *yaml_parse(struct arena *a, const char *bytes, size_t n, yaml_report_fn *report, void *ctx)
{
	struct builder *b = arena_alloc(a, sizeof *b);

	*b = (struct builder){
	    .arena = a, .bytes = bytes, .n = n, .report = report, .ctx = ctx, .line = 1, .col = 1};
	if (n >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3)) { /* byte order mark */
		b->bytes += 3;
		b->n -= 3;
	}
	if (!check_bytes(b))
		return NULL;
	if (b->n)
		parse_events(b);
	if (b->stop)
		return NULL;
	return b->root ? b->root : new_node(b, YAML_NULL);
}
