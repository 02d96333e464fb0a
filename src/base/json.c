#include "json.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

struct parser {
	struct arena *arena;
	const char *start, *s, *end;
	uint32_t depth, values;
	struct fault *fault;
};

static struct json *wrong(struct parser *p, const char *what)
{
	fault_set(p->fault, FAULT_STUDY, "%s", what);
	return NULL;
}

static void skip_blanks(struct parser *p)
{
	while (p->s < p->end && (*p->s == ' ' || *p->s == '\t' || *p->s == '\n' || *p->s == '\r'))
		p->s++;
}

static bool take(struct parser *p, char c)
{
	if (p->s == p->end || *p->s != c)
		return false;
	p->s++;
	return true;
}

static struct json *new_value(struct parser *p, enum json_kind kind)
{
	struct json *v;

	if (++p->values > JSON_MAX_VALUES)
		return wrong(p, "too many values");
	v = arena_alloc(p->arena, sizeof *v);
	v->kind = kind;
	v->text = "";
	return v;
}

/* ---- texts ------------------------------------------------------------------------------------- */

static bool take_hex(struct parser *p, uint32_t *out)
{
	uint32_t x = 0;

	if (p->end - p->s < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = *p->s++;
		uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
		                 : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
		                 : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
		                                        : 16;

		if (digit == 16)
			return false;
		x = x << 4 | digit;
	}
	*out = x;
	return true;
}

/* Behind \u: one code point, of two escapes where it takes a surrogate pair. 0: none. */
static uint32_t take_code_point(struct parser *p)
{
	uint32_t high, low;

	if (!take_hex(p, &high) || (high >= 0xdc00 && high < 0xe000))
		return 0;
	if (high < 0xd800 || high >= 0xe000)
		return high;
	if (!take(p, '\\') || !take(p, 'u') || !take_hex(p, &low) || low < 0xdc00 || low >= 0xe000)
		return 0;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static char *put_code_point(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* What stands behind a backslash; NULL: told. */
static char *take_escape(struct parser *p, char *out)
{
	static const char names[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
	const char *known = p->s < p->end && *p->s ? strchr(names, *p->s) : NULL;
	uint32_t c;

	if (known) {
		p->s++;
		*out++ = means[known - names];
		return out;
	}
	if (!take(p, 'u')) {
		wrong(p, "an escape that JSON does not have");
		return NULL;
	}
	c = take_code_point(p);
	if (!c) {
		wrong(p, "\\u without a character");
		return NULL;
	}
	return put_code_point(out, c);
}

/* Behind its first quote. An escape is never shorter than what it stands for. */
static const char *take_text(struct parser *p, size_t *len)
{
	const char *quote = p->s;
	char *text, *out;
	size_t n;

	while (quote < p->end && *quote != '"')
		quote += *quote == '\\' && p->end - quote > 1 ? 2 : 1;
	text = out = arena_alloc(p->arena, (size_t)(quote - p->s) + 1);
	while (p->s < p->end && *p->s != '"') {
		if (take(p, '\\')) {
			out = take_escape(p, out);
			if (!out)
				return NULL;
			continue;
		}
		n = text_utf8(p->s, (size_t)(p->end - p->s));
		if (!n || (unsigned char)*p->s < 0x20) {
			wrong(p, n ? "a control character in a text" : "a byte that is no UTF-8");
			return NULL;
		}
		memcpy(out, p->s, n);
		out += n;
		p->s += n;
	}
	if (!take(p, '"')) {
		wrong(p, "a text without its end");
		return NULL;
	}
	*len = (size_t)(out - text);
	return text;
}

/* ---- numbers and words --------------------------------------------------------------------------- */

static bool take_digits(struct parser *p)
{
	const char *from = p->s;

	while (p->s < p->end && *p->s >= '0' && *p->s <= '9')
		p->s++;
	return p->s > from;
}

static bool take_number(struct parser *p)
{
	take(p, '-');
	if (!take(p, '0') && !take_digits(p))
		return false;
	if (take(p, '.') && !take_digits(p))
		return false;
	if (take(p, 'e') || take(p, 'E')) {
		if (!take(p, '+'))
			take(p, '-');
		return take_digits(p);
	}
	return true;
}

static struct json *parse_number(struct parser *p)
{
	const char *from = p->s;
	struct json *v = new_value(p, JSON_NUMBER);

	if (!v || !take_number(p))
		return v ? wrong(p, "no JSON value") : NULL;
	v->len = (size_t)(p->s - from);
	v->text = arena_strndup(p->arena, from, v->len);
	return v;
}

static struct json *parse_word(struct parser *p)
{
	static const struct {
		const char *word;
		enum json_kind kind;
	} words[] = {{"null", JSON_NULL}, {"false", JSON_FALSE}, {"true", JSON_TRUE}};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t n = strlen(words[i].word);

		if ((size_t)(p->end - p->s) >= n && !memcmp(p->s, words[i].word, n)) {
			struct json *v = new_value(p, words[i].kind);

			p->s += n;
			if (v) {
				v->text = words[i].word;
				v->len = n;
			}
			return v;
		}
	}
	return wrong(p, "no JSON value");
}

/* ---- values -------------------------------------------------------------------------------------- */

static struct json *parse_value(struct parser *p);

static int compare_keys(const void *a, const void *b)
{
	const struct json *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static bool has_twice(struct parser *p, const struct json *map)
{
	const struct json **all = arena_array(p->arena, map->count, sizeof *all);
	uint32_t n = 0;

	for (const struct json *v = map->first; v; v = v->next)
		all[n++] = v;
	if (n)
		qsort(all, n, sizeof *all, compare_keys);
	for (uint32_t i = 1; i < n; i++)
		if (!strcmp(all[i - 1]->key, all[i]->key))
			return true;
	return false;
}

static struct json *parse_entry(struct parser *p)
{
	const char *key;
	struct json *v;
	size_t n;

	skip_blanks(p);
	if (!take(p, '"'))
		return wrong(p, "a key must be a text in \" \"");
	key = take_text(p, &n);
	if (!key)
		return NULL;
	skip_blanks(p);
	if (!take(p, ':'))
		return wrong(p, "a key without its ':'");
	v = parse_value(p);
	if (v)
		v->key = key;
	return v;
}

/* Behind its opening bracket. */
static struct json *parse_items(struct parser *p, enum json_kind kind, char close)
{
	struct json *v = new_value(p, kind), **tail = v ? &v->first : NULL;

	if (!v)
		return NULL;
	skip_blanks(p);
	if (take(p, close))
		return v;
	do {
		*tail = kind == JSON_MAP ? parse_entry(p) : parse_value(p);
		if (!*tail)
			return NULL;
		tail = &(*tail)->next;
		v->count++;
		skip_blanks(p);
	} while (take(p, ','));
	if (!take(p, close))
		return wrong(p, kind == JSON_MAP ? "a map without its '}'" : "a list without its ']'");
	if (kind == JSON_MAP && has_twice(p, v))
		return wrong(p, "a key comes twice in a map");
	return v;
}

static struct json *parse_nested(struct parser *p, enum json_kind kind, char close)
{
	struct json *v;

	if (p->depth == JSON_MAX_DEPTH)
		return wrong(p, "nested too deep");
	p->depth++;
	v = parse_items(p, kind, close);
	p->depth--;
	return v;
}

static struct json *parse_value(struct parser *p)
{
	skip_blanks(p);
	if (take(p, '{'))
		return parse_nested(p, JSON_MAP, '}');
	if (take(p, '['))
		return parse_nested(p, JSON_LIST, ']');
	if (take(p, '"')) {
		struct json *v = new_value(p, JSON_TEXT);

		if (v)
			v->text = take_text(p, &v->len);
		return v && v->text ? v : NULL;
	}
	if (p->s < p->end && (*p->s == '-' || (*p->s >= '0' && *p->s <= '9')))
		return parse_number(p);
	return parse_word(p);
}

const struct json *json_parse(struct arena *a, const char *s, size_t n, size_t *at, struct fault *f)
{
	struct parser p = {.arena = a, .start = s, .s = s, .end = s + n, .fault = f};
	struct json *v = parse_value(&p);

	if (v)
		skip_blanks(&p);
	if (v && p.s != p.end)
		v = wrong(&p, "something follows the JSON value");
	*at = (size_t)(p.s - p.start);
	return v;
}

const struct json *json_get(const struct json *map, const char *key)
{
	if (!map || map->kind != JSON_MAP)
		return NULL;
	for (const struct json *v = map->first; v; v = v->next)
		if (!strcmp(v->key, key))
			return v;
	return NULL;
}
