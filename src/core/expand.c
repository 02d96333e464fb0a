/* The words of a call: which part they are of, what they are called. */
#include "expand.h"

#include "expand_piece.h"
#include "study.h"
#include "text.h"

#include <string.h>

static const char *const words_of[EXPAND_WORD_COUNT] = {
#define X(name, text) text,
    EXPAND_WORDS(X)
#undef X
};

#define FORMS                                                                                                \
	"write NAME=TEXT .. for jobs of their own, or SELECT -- GROUP -- NEW for jobs that come after "      \
	"others "                                                                                            \
	"(GROUP may be empty)"

/* ---- one word ---------------------------------------------------------------------------------------- */

static enum expand_word word_of(const char *name)
{
	for (int i = EXPAND_PARAM + 1; i < EXPAND_WORD_COUNT; i++)
		if (!strcmp(words_of[i], name))
			return (enum expand_word)i;
	return EXPAND_PARAM;
}

static int read_name(struct expand_reading *r, struct expand_arg *arg)
{
	const char *eq = strchr(r->word, '='), *wrong;

	if (!eq)
		return expand_fail(r, r->word, "'%.60s' is no name=text, as in lr=0.1", r->word);
	arg->name = arena_strndup(r->arena, r->word, (size_t)(eq - r->word));
	arg->word = word_of(arg->name);
	r->p = eq + 1;
	r->no_braces = arg->word != EXPAND_PARAM && !r->group;
	if (arg->word != EXPAND_PARAM && (arg->word == EXPAND_TRIAL) == r->group)
		return 0;
	if (arg->word != EXPAND_PARAM && r->group)
		return expand_fail(r, r->word, "'%s' makes no groups: parameters do, and trial={{}}",
		                   arg->name);
	wrong = study_param_name_wrong(r->arena, arg->name);
	return wrong ? expand_fail(r, r->word, "%s", wrong) : 0;
}

static int read_word(struct expand_reading *r, struct expand_arg *arg)
{
	const char *text;

	arg->number = r->number;
	if (read_name(r, arg))
		return -1;
	text = r->p;
	if (expand_read_text(r, arg))
		return -1;
	if (arg->word == EXPAND_TRIAL && !arg->existing)
		return expand_fail(r, text,
		                   "only trial={{}} has a meaning here: each selected job by itself");
	return 0;
}

/* ---- parts ------------------------------------------------------------------------------------------- */

struct part {
	const char *const *words;
	uint32_t n, first; /* number of the first word */
};

static int read_part(struct expand_reading *r, const struct part *p, struct expand_args *out)
{
	struct expand_arg *args = arena_array(r->arena, p->n, sizeof *args);

	for (uint32_t i = 0; i < p->n; i++) {
		r->word = p->words[i];
		r->number = p->first + i;
		if (read_word(r, &args[i]))
			return -1;
		for (uint32_t k = 0; k < i; k++)
			if (!strcmp(args[k].name, args[i].name))
				return expand_fail(r, r->word,
				                   "'%s' is there twice (argument %u): once is enough",
				                   args[i].name, args[k].number);
	}
	out->n = p->n;
	expand_count_up(out, args, r->samples);
	return 0;
}

/* Takes best=N out of SELECT. */
static int read_select(struct expand_reading *r, const struct part *p, struct expand_call *out)
{
	const char **select = arena_array(r->arena, p->n, sizeof *select);

	for (uint32_t i = 0; i < p->n; i++) {
		const char *w = p->words[i];
		int64_t n;

		r->word = w;
		r->number = p->first + i;
		if (strncmp(w, "best=", 5) != 0) {
			select[out->nselect++] = w;
			continue;
		}
		if (out->best)
			return expand_fail(r, w, "'best' is there twice: once is enough");
		if (!text_parse_int(w + 5, strlen(w + 5), &n) || n < 1 || n > EXPAND_MAX_BEST)
			return expand_fail(r, w + 5, "best=N takes a whole number from 1 to %d",
			                   EXPAND_MAX_BEST);
		out->best = (uint32_t)n;
	}
	out->select = select;
	return 0;
}

/* ---- the call ---------------------------------------------------------------------------------------- */

static int check_words(struct expand_reading *r, const char *const *words, uint32_t n)
{
	if (n > EXPAND_MAX_WORDS)
		return fault_set(r->fault, FAULT_USAGE, "more than %d arguments", EXPAND_MAX_WORDS);
	for (uint32_t i = 0; i < n; i++) {
		r->word = words[i];
		r->number = i + 1;
		if (strlen(r->word) > EXPAND_MAX_BYTES)
			return expand_fail(r, r->word, "an argument of more than %d bytes", EXPAND_MAX_BYTES);
		if (*r->word == '-' && strcmp(r->word, "--") != 0)
			return expand_fail(r, r->word, "'%.60s': options come first, before all name=text",
			                   r->word);
	}
	return 0;
}

/* The parts in order; their number is one more than that of `--`. At most three are filled in. */
static uint32_t split(const char *const *words, uint32_t n, struct part parts[3])
{
	uint32_t count = 1, from = 0;

	for (uint32_t i = 0; i <= n; i++) {
		if (i < n && strcmp(words[i], "--") != 0)
			continue;
		if (count <= 3)
			parts[count - 1] = (struct part){words + from, i - from, from + 1};
		from = i + 1;
		count += i < n;
	}
	return count;
}

static int check_parts(const struct part *parts, uint32_t n, struct fault *f)
{
	if (n != 1 && n != 3)
		return fault_set(f, FAULT_USAGE, "`--` stands among the arguments %u time%s: " FORMS, n - 1,
		                 n == 2 ? "" : "s");
	if (n == 3 && !parts[0].n)
		return fault_set(f, FAULT_USAGE, "nothing before the first `--`: " FORMS);
	if (n == 3 && !parts[2].n)
		return fault_set(f, FAULT_USAGE, "nothing after the second `--`: " FORMS);
	return parts[0].n ? 0 : fault_set(f, FAULT_USAGE, "no jobs: " FORMS);
}

int expand_parse(struct arena *a, const char *const *words, uint32_t n, uint32_t samples,
                 struct expand_call *out, struct fault *f)
{
	struct expand_reading r = {.arena = a, .samples = samples, .fault = f};
	struct part parts[3] = {0};
	uint32_t count;

	*out = (struct expand_call){0};
	if (check_words(&r, words, n))
		return -1;
	count = split(words, n, parts);
	if (check_parts(parts, count, f))
		return -1;
	out->joined = count == 3;
	if (out->joined && read_select(&r, &parts[0], out))
		return -1;
	r.group = true;
	if (read_part(&r, &parts[1], &out->group)) /* empty, but for joined ones */
		return -1;
	r.group = false;
	if (read_part(&r, &parts[count - 1], &out->jobs))
		return -1;
	return expand_check(expand_times(expand_count(&out->group), expand_count(&out->jobs)), f);
}
