#include "options.h"

#include "report.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct option *add(struct options *o, struct option new)
{
	assert(o->n < OPTIONS_MAX);
	o->item[o->n] = new;
	return &o->item[o->n++];
}

static uint64_t parse_seed(const char *dashes, const char *name, const char *text)
{
	char *end = NULL;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end != '\0' || errno != 0)
		report_die(EXIT_USAGE, "%s%s: '%s' is not a seed (0 to 2^64 - 1)", dashes, name, text);
	return v;
}

struct option *options_int(struct options *o, const char *name, int *target, int low, int high,
                           const char *help)
{
	return add(
	    o,
	    (struct option){
	        .name = name, .help = help, .kind = OPTION_INT, .target = target, .low = low, .high = high});
}

struct option *options_round(struct options *o, const char *name, int *target, int low, int high,
                             const char *help)
{
	struct option *it = options_int(o, name, target, low, high, help);

	it->kind = OPTION_ROUND;
	return it;
}

struct option *options_real(struct options *o, const char *name, double *target, double low, double high,
                            const char *help)
{
	return add(
	    o,
	    (struct option){
	        .name = name, .help = help, .kind = OPTION_REAL, .target = target, .low = low, .high = high});
}

struct option *options_seed(struct options *o, const char *name, uint64_t *target, const char *help)
{
	const char *given = getenv("RANKSWEEP_SEED");

	*target = given ? parse_seed("", "RANKSWEEP_SEED", given) : 1;
	return add(o, (struct option){.name = name, .help = help, .kind = OPTION_SEED, .target = target});
}

struct option *options_text(struct options *o, const char *name, const char **target, const char *help)
{
	return add(o, (struct option){.name = name, .help = help, .kind = OPTION_TEXT, .target = target});
}

struct option *options_flag(struct options *o, const char *name, bool *target, const char *help)
{
	return add(o, (struct option){.name = name, .help = help, .kind = OPTION_FLAG, .target = target});
}

struct option *options_choice(struct options *o, const char *name, int *target, const char *choices,
                              const char *help)
{
	return add(
	    o, (struct option){
	           .name = name, .help = help, .kind = OPTION_CHOICE, .target = target, .choices = choices});
}

struct option *options_list(struct options *o, const char *name, struct int_list *target, int low, int high,
                            const char *help)
{
	return add(
	    o,
	    (struct option){
	        .name = name, .help = help, .kind = OPTION_LIST, .target = target, .low = low, .high = high});
}

/* ---- values -------------------------------------------------------------------------------------- */

static void bad_value(const struct option *it, const char *text, const char *wanted)
{
	report_die(EXIT_USAGE, "--%s: '%s' is not %s", it->name, text, wanted);
}

/* One number at the start of text, within the bounds; *end points behind it. */
static double parse_number(const struct option *it, const char *text, const char **end)
{
	char *stop = NULL;
	double v = strtod(text, &stop);

	*end = stop;
	if (stop == text || isspace((unsigned char)*text) || !isfinite(v))
		bad_value(it, text, "a number");
	if (v < it->low || v > it->high)
		report_die(EXIT_USAGE, "--%s: %.9g is out of range: %.9g to %.9g", it->name, v, it->low,
		           it->high);
	return v;
}

static double parse_real(const struct option *it, const char *text)
{
	const char *end;
	double v = parse_number(it, text, &end);

	if (*end != '\0')
		bad_value(it, text, "a number");
	return v;
}

static int parse_int(const struct option *it, const char *text)
{
	double v = parse_real(it, text);

	if (v != floor(v))
		bad_value(it, text, "a whole number");
	return (int)v;
}

static struct int_list parse_list(const struct option *it, const char *text)
{
	struct int_list list = {0};
	const char *end = text;

	for (;;) {
		double v = parse_number(it, end, &end);

		if (list.n == LIST_MAX || v != floor(v) || (*end != ',' && *end != '\0'))
			bad_value(it, text, "a list of at most 4 whole numbers like 128,64");
		list.v[list.n++] = (int)v;
		if (*end++ == '\0')
			return list;
	}
}

static int parse_choice(const struct option *it, const char *text)
{
	size_t n = strlen(text);
	int index = 0;

	for (const char *c = it->choices; *c != '\0'; index++) {
		size_t len = strcspn(c, " ");

		if (len == n && memcmp(c, text, n) == 0)
			return index;
		c += len + (c[len] == ' ');
	}
	report_die(EXIT_USAGE, "--%s: '%s' is none of: %s", it->name, text, it->choices);
}

static void set(const struct option *it, const char *text)
{
	switch (it->kind) {
	case OPTION_INT:
		*(int *)it->target = parse_int(it, text);
		break;
	case OPTION_ROUND:
		*(int *)it->target = (int)lround(parse_real(it, text));
		break;
	case OPTION_REAL:
		*(double *)it->target = parse_real(it, text);
		break;
	case OPTION_SEED:
		*(uint64_t *)it->target = parse_seed("--", it->name, text);
		break;
	case OPTION_TEXT:
		*(const char **)it->target = text;
		break;
	case OPTION_FLAG:
		*(bool *)it->target = true;
		break;
	case OPTION_CHOICE:
		*(int *)it->target = parse_choice(it, text);
		break;
	case OPTION_LIST:
		*(struct int_list *)it->target = parse_list(it, text);
		break;
	}
}

/* ---- names --------------------------------------------------------------------------------------- */

static bool same_name(const char *name, const char *given, size_t n)
{
	if (strlen(name) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (name[i] != (given[i] == '_' ? '-' : given[i]))
			return false;
	return true;
}

static const struct option *find(const struct options *o, const char *given, size_t n)
{
	for (int i = 0; i < o->n; i++)
		if (same_name(o->item[i].name, given, n))
			return &o->item[i];
	report_die(EXIT_USAGE, "unknown option --%.*s (--help lists them)", (int)n, given);
}

static void print_help(const struct options *o)
{
	printf("usage: %s\n", o->usage);
	for (int i = 0; i < o->n; i++)
		printf("  --%-16s %s\n", o->item[i].name, o->item[i].help);
	exit(0);
}

void options_parse(struct options *o, int argc, char **argv, int first)
{
	for (int i = first; i < argc; i++) {
		const char *name = argv[i] + 2, *value;
		const struct option *it;

		if (strcmp(argv[i], "--help") == 0)
			print_help(o);
		if (strncmp(argv[i], "--", 2) != 0)
			report_die(EXIT_USAGE, "'%s' is not an option (--help lists them)", argv[i]);
		it = find(o, name, strcspn(name, "="));
		value = strchr(name, '=');
		if (it->kind == OPTION_FLAG && value != NULL)
			report_die(EXIT_USAGE, "--%s takes no value", it->name);
		if (value != NULL)
			value++;
		else if (it->kind != OPTION_FLAG && (value = argv[++i]) == NULL)
			report_die(EXIT_USAGE, "--%s needs a value", it->name);
		set(it, value);
	}
}

/* ---- identity ------------------------------------------------------------------------------------ */

static uint64_t fnv1a(uint64_t hash, const void *p, size_t n)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ c[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t hash_value(uint64_t hash, const struct option *it)
{
	static const size_t size[] = {[OPTION_INT] = sizeof(int),
	                              [OPTION_ROUND] = sizeof(int),
	                              [OPTION_REAL] = sizeof(double),
	                              [OPTION_SEED] = sizeof(uint64_t),
	                              [OPTION_FLAG] = sizeof(bool),
	                              [OPTION_CHOICE] = sizeof(int),
	                              [OPTION_LIST] = sizeof(struct int_list)};

	if (it->kind == OPTION_TEXT) {
		const char *text = *(const char **)it->target;

		return text ? fnv1a(hash, text, strlen(text) + 1) : hash;
	}
	return fnv1a(hash, it->target, size[it->kind]);
}

uint64_t options_fingerprint(const struct options *o)
{
	uint64_t hash = fnv1a(0xcbf29ce484222325u, o->usage, strlen(o->usage));

	for (int i = 0; i < o->n; i++)
		if (!o->item[i].free)
			hash = hash_value(fnv1a(hash, o->item[i].name, strlen(o->item[i].name)), &o->item[i]);
	return hash;
}
