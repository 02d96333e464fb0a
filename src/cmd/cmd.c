#include "cmd.h"

#include "text.h"

#include <stdarg.h>
#include <string.h>

int cmd_misuse(const struct cmd_usage *u, struct fault *f, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return fault_set(f, FAULT_USAGE, "%s: %s (see `ranksweep %s --help`)", u->verb, text, u->verb);
}

/* ---- help ------------------------------------------------------------------------------------ */
static void put_option(const struct cmd_option *o)
{
	char left[64];
	int n = 0;

	n = o->letter ? snprintf(left, sizeof left, "-%c, ", o->letter) : snprintf(left, sizeof left, "    ");
	snprintf(left + n, sizeof left - (size_t)n, "--%s%s%s", o->name, o->value ? " " : "",
	         o->value ? o->value : "");
	printf("  %-24s %s\n", left, o->help);
}

static void put_help(const struct cmd_usage *u)
{
	printf("usage: ranksweep %s %s\n\n%s\n\noptions:\n", u->verb, u->words, u->about);
	for (const struct cmd_option *o = u->options; o->name; o++)
		put_option(o);
	printf("  %-24s %s\n", "-h, --help", "this text");
	if (u->examples)
		printf("\nexamples:\n%s\n", u->examples);
}

/* ---- options --------------------------------------------------------------------------------- */
static int unknown_option(const struct cmd_usage *u, const char *name, size_t n, struct fault *f)
{
	const char *names[64] = {"help"}, *near;
	size_t count = 1;
	char word[128];

	snprintf(word, sizeof word, "%.*s", (int)n, name);
	for (const struct cmd_option *o = u->options; o->name && count < 64; o++)
		names[count++] = o->name;
	near = text_nearest(word, names, count);
	if (near)
		return cmd_misuse(u, f, "no option `--%s`; did you mean `--%s`?", word, near);
	return cmd_misuse(u, f, "no option `--%s`", word);
}

static int set_option(const struct cmd_usage *u, const struct cmd_option *o, const char *value,
                      struct fault *f)
{
	int64_t n;

	switch (o->kind) {
	case CMD_FLAG:
		*(bool *)o->into = true;
		return 0;
	case CMD_TEXT:
		*(const char **)o->into = value;
		return 0;
	case CMD_NUMBER:
	case CMD_INTEGER:
		if (!text_parse_int(value, strlen(value), &n) || (n < 0 && o->kind == CMD_NUMBER))
			return cmd_misuse(u, f, "--%s takes a whole number, not `%s`", o->name, value);
		*(int64_t *)o->into = n;
		return 0;
	case CMD_DURATION:
		if (!text_parse_duration_ms(value, &n))
			return cmd_misuse(u, f,
			                  "--%s takes a duration like 90s, 10m, 2h or 1-12:00:00, not `%s`",
			                  o->name, value);
		*(int64_t *)o->into = n;
		return 0;
	}
	return fault_set(f, FAULT_BUG, "option --%s has no kind", o->name);
}

/* The words that are left to read, and those that are no options so far. */
struct words {
	char **argv;
	int argc, at, kept;
};

static int take_value(const struct cmd_usage *u, const struct cmd_option *o, struct words *w,
                      const char *attached, struct fault *f)
{
	if (attached)
		return set_option(u, o, attached, f);
	if (w->at + 1 >= w->argc)
		return cmd_misuse(u, f, "--%s takes a value (%s)", o->name, o->value ? o->value : "VALUE");
	return set_option(u, o, w->argv[++w->at], f);
}

static int long_option(const struct cmd_usage *u, struct words *w, struct fault *f)
{
	const char *name = w->argv[w->at] + 2, *eq = strchr(name, '=');
	size_t n = eq ? (size_t)(eq - name) : strlen(name);

	for (const struct cmd_option *o = u->options; o->name; o++) {
		if (strlen(o->name) != n || memcmp(o->name, name, n) != 0)
			continue;
		if (o->kind != CMD_FLAG)
			return take_value(u, o, w, eq ? eq + 1 : NULL, f);
		if (eq)
			return cmd_misuse(u, f, "--%s takes no value", o->name);
		return set_option(u, o, NULL, f);
	}
	return unknown_option(u, name, n, f);
}

/* -n3, -n 3, -fq */
static int short_options(const struct cmd_usage *u, struct words *w, struct fault *f)
{
	for (const char *c = w->argv[w->at] + 1; *c; c++) {
		const struct cmd_option *o = u->options;

		while (o->name && o->letter != *c)
			o++;
		if (!o->name)
			return cmd_misuse(u, f, "no option `-%c`", *c);
		if (o->kind != CMD_FLAG)
			return take_value(u, o, w, c[1] ? c + 1 : NULL, f);
		if (set_option(u, o, NULL, f))
			return -1;
	}
	return 0;
}

int cmd_parse(const struct cmd_usage *u, int *argc, char **argv, struct fault *f)
{
	struct words w = {argv, *argc, 1, 0};
	bool options = true;

	for (; w.at < w.argc; w.at++) {
		char *word = argv[w.at];
		bool option = options && word[0] == '-' && word[1];

		if (option && (!strcmp(word, "--help") || !strcmp(word, "-h"))) {
			put_help(u);
			return 1;
		}
		if (option && !strcmp(word, "--"))
			options = false;
		else if (!option)
			argv[w.kept++] = word;
		else if (word[1] == '-' ? long_option(u, &w, f) : short_options(u, &w, f))
			return -1;
	}
	argv[w.kept] = NULL;
	*argc = w.kept;
	return 0;
}
