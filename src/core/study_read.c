/* Mistakes and single values. */
#include "study_draft.h"
#include "text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void note(struct draft *d, uint32_t line, uint32_t col, const char *text)
{
	if (d->nnotes == DRAFT_MAX_NOTES) {
		d->dropped++;
		return;
	}
	if (!d->notes)
		d->notes = arena_array(d->a, DRAFT_MAX_NOTES, sizeof *d->notes);
	d->notes[d->nnotes] = (struct draft_note){line, col, d->nnotes, text};
	d->nnotes++;
}

void draft_error(struct draft *d, const struct yaml_node *at, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	note(d, at->line, at->col, arena_strdup(d->a, text));
}

void draft_error_at(struct draft *d, const struct yaml_node *at, size_t offset, const char *text)
{
	uint32_t col = at->col;

	if (!*text)
		return;
	/* (Nobody reads the place of a mistake that is only counted.) */
	for (size_t i = 0; at->exact && d->nnotes < DRAFT_MAX_NOTES && i < offset && i < at->len; i++)
		col += ((unsigned char)at->text[i] & 0xc0) != 0x80; /* characters, not bytes */
	note(d, at->line, col, arena_strdup(d->a, text));
}

const char *draft_hint(struct draft *d, const char *word, const char *const *words, size_t n)
{
	/* A file of nothing but mistakes needs no hints, and they are not free. */
	const char *near = d->nnotes < 200 ? text_nearest(word, words, n) : NULL;

	return near ? arena_printf(d->a, ", did you mean '%s'?", near) : "";
}

static const struct draft_key *find_key(const struct draft_keys *t, size_t nt, const char *name)
{
	for (size_t i = 0; i < nt; i++)
		for (size_t j = 0; j < t[i].n; j++)
			if (!strcmp(t[i].keys[j].name, name))
				return &t[i].keys[j];
	return NULL;
}

static void unknown_key(struct draft *d, const struct yaml_node *key, const char *what,
                        const struct draft_keys *t, size_t nt, const char *(*hint)(const char *))
{
	const char *words[64], *why = hint ? hint(key->text) : NULL;
	size_t n = 0;

	for (size_t i = 0; i < nt; i++)
		for (size_t j = 0; j < t[i].n && n < 64; j++)
			words[n++] = t[i].keys[j].name;
	if (why) {
		draft_error(d, key, "unknown key '%.64s' %s: %s", key->text, what, why);
		return;
	}
	why = draft_hint(d, key->text, words, n);
	if (!*why) {
		why = "; known are";
		for (size_t i = 0; i < n && d->nnotes < 200; i++)
			why = arena_printf(d->a, "%s %s", why, words[i]);
	}
	draft_error(d, key, "unknown key '%.64s' %s%s", key->text, what, why);
}

bool draft_read_key(struct draft *d, struct draft_phase *t, const struct yaml_node *v,
                    const struct draft_keys *tables, size_t ntables)
{
	const struct draft_key *k = find_key(tables, ntables, v->key->text);

	if (k)
		k->read(d, t, v);
	return k != NULL;
}

void draft_read_map(struct draft *d, struct draft_phase *t, const struct yaml_node *map, const char *what,
                    const struct draft_keys *tables, size_t ntables, const char *(*hint)(const char *))
{
	for (const struct yaml_node *v = map->first; v; v = v->next)
		if (!draft_read_key(d, t, v, tables, ntables))
			unknown_key(d, v->key, what, tables, ntables, hint);
}

const struct yaml_node *draft_entry(const struct yaml_node *v, const char *key)
{
	for (const struct yaml_node *x = v->kind == YAML_MAP ? v->first : NULL; x; x = x->next)
		if (!strcmp(x->key->text, key))
			return x;
	return NULL;
}

const char *draft_text(struct draft *d, const struct yaml_node *v, const char *what)
{
	if (v->kind == YAML_TEXT)
		return v->text;
	draft_error(d, v, "`%s` must be a text, this is %s", what,
	            v->kind == YAML_NULL   ? "empty"
	            : v->kind == YAML_LIST ? "a list"
	                                   : "a map (quote a text that starts with {)");
	return NULL;
}

bool draft_bool(struct draft *d, const struct yaml_node *v, const char *what, bool *out)
{
	static const char *const words[] = {"false", "true"};
	int i = draft_word(d, v, what, words, 2);

	*out = i > 0;
	return i >= 0;
}

bool draft_int(struct draft *d, const struct yaml_node *v, const char *what, int64_t min, int64_t max,
               int64_t *out)
{
	if (v->kind == YAML_TEXT && text_parse_int(v->text, v->len, out) && *out >= min && *out <= max)
		return true;
	if (max == INT64_MAX)
		draft_error(d, v, "`%s` must be a whole number of at least %lld", what, (long long)min);
	else
		draft_error(d, v, "`%s` must be a whole number from %lld to %lld", what, (long long)min,
		            (long long)max);
	return false;
}

int draft_word(struct draft *d, const struct yaml_node *v, const char *what, const char *const *words,
               size_t n)
{
	const char *s = draft_text(d, v, what), *all = words[0];

	if (!s)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(words[i], s))
			return (int)i;
	for (size_t i = 1; i < n; i++)
		all = arena_printf(d->a, "%s%s%s", all, i + 1 < n ? ", " : " or ", words[i]);
	draft_error(d, v, "`%s: %.64s`: it must be %s%s", what, s, all, draft_hint(d, s, words, n));
	return -1;
}

bool draft_duration(struct draft *d, const struct yaml_node *v, const char *what, int64_t *out_ms)
{
	const char *s = draft_text(d, v, what);

	if (!s)
		return false;
	if (text_parse_duration_ms(s, out_ms))
		return true;
	draft_error(d, v, "`%s: %.64s` is no duration: write 90, 90s, 10m, 2h, 1d12h or [[DD-]HH:]MM:SS",
	            what, s);
	return false;
}

bool draft_name_ok(const char *s, const char *extra)
{
	size_t n = strlen(s);

	if (n == 0 || n > 64 || !(isalpha((unsigned char)s[0]) || s[0] == '_'))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_' && !strchr(extra, s[i]))
			return false;
	return true;
}
