/* Arguments of `schedule`: what is understood, where mistakes are, and exactly which combinations come out.
 */
#include "expand.h"
#include "rng.h"
#include "text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

enum { MAX_ROW = 6 };

static uint32_t length(const char *const *words)
{
	uint32_t n = 0;

	while (n < MAX_ROW && words[n])
		n++;
	return n;
}

static struct expand_call parse_samples(const char *const *words, uint32_t samples)
{
	struct expand_call c;
	struct fault f = {0};

	if (expand_parse(&arena, words, length(words), samples, &c, &f))
		fail_msg("%s: %s", words[0], f.text);
	return c;
}

static struct expand_call parse(const char *const *words)
{
	return parse_samples(words, 0);
}

/* All combinations: values of one separated by blanks, combinations by |. */
static const char *all(const struct expand_args *x, uint64_t seed)
{
	static char out[8192];
	size_t n = 0;

	out[0] = 0;
	for (uint64_t k = 0; k < expand_count(x); k++)
		for (uint32_t i = 0; i < x->n; i++) {
			const char *v = expand_value(&arena, x, seed, k, i);

			n += (size_t)snprintf(out + n, sizeof out - n, "%s%s",
			                      i       ? " "
			                      : k > 0 ? "|"
			                              : "",
			                      v ? v : "*");
			assert_true(n < sizeof out);
		}
	return out;
}

/* ---- what comes out ----------------------------------------------------------------------------------- */

static void test_combinations(void **state)
{
	static const struct {
		const char *words[MAX_ROW];
		const char *want;
	} rows[] = {
	    /* products, last fastest */
	    {{"lr=0.1"}, "0.1"},
	    {{"lr={{1e-3,1e-2}}", "nh={{50,100}}"}, "1e-3 50|1e-3 100|1e-2 50|1e-2 100"},
	    {{"a={{1,2}}", "b=x", "c={{3,4}}"}, "1 x 3|1 x 4|2 x 3|2 x 4"},
	    {{"a={{1,2}}x{{3,4}}", "b={{5,6}}"}, "1x3 5|1x3 6|1x4 5|1x4 6|2x3 5|2x3 6|2x4 5|2x4 6"},
	    {{"a={{1,2}}{{3,4}}"}, "13|14|23|24"},
	    {{"a={{1}}"}, "1"},
	    {{"a={{1,1.0,1}}"}, "1|1.0|1"},
	    {{"optim.lr={{1}}", "batch-size={{2}}", "_x=3"}, "1 2 3"},
	    {{"phase=train", "lr={{1,2}}", "retries=2"}, "train 1 2|train 2 2"},
	    /* outside braces everything is literal */
	    {{"a="}, ""},
	    {{"a=b=c"}, "b=c"},
	    {{"a={x} $HOME \"q\" 'p' \\n,(\n\t"}, "{x} $HOME \"q\" 'p' \\n,(\n\t"},
	    {{"a=\\{{x\\}}"}, "{{x}}"},
	    {{"a=\\{{\\{{{{1,2}}\\}}"}, "{{{{1}}|{{{{2}}"},
	    {{"a=\\\\{{"}, "\\{{"},
	    {{"a=\\{x\\}"}, "\\{x\\}"},
	    {{"a={{{1}}}"}, "{1}"},
	    {{"a=\xc3\xa9\xff{{\xfe}}"}, "\xc3\xa9\xff\xfe"},
	    /* blanks, quotes, escapes */
	    {{"a={{ 1 ,\t2\n}}"}, "1|2"},
	    {{"a={{x y, z}}"}, "x y|z"},
	    {{"a={{\"1, 2\" , '3,4'}}"}, "1, 2|3,4"},
	    {{"a={{\" }} {{ \"}}"}, " }} {{ "},
	    {{"a={{'}}','{{'}}"}, "}}|{{"},
	    {{"a={{\"\", ''}}-"}, "-|-"},
	    {{"a={{\"a\\\"b\\\\\", 'a\\'}}"}, "a\"b\\|a\\"},
	    {{"a={{\"a\\,\\n\"}}"}, "a\\,\\n"},
	    {{"a={{1\\,2,3}}"}, "1,2|3"},
	    {{"a={{\\}}}}"}, "}}"}, /* \} and a plain one before the end */
	    {{"a={{x\\}\\}}}"}, "x}}"},
	    {{"a={{\\{{x}}"}, "{{x"},
	    {{"a={{a\\\\,b}}"}, "a\\|b"},
	    {{"a={{\\\"x\\\", \\'y}}"}, "\"x\"|'y"},
	    {{"a={{C:\\tmp,\\d+}}"}, "C:\\tmp|\\d+"},
	    {{"a={{it's,5\"}}"}, "it's|5\""},
	    {{"a={{a{b}c}}"}, "a{b}c"},
	    {{"a={{$x=1}}"}, "$x=1"},
	    /* parentheses keep commas */
	    {{"a={{(1,2),(3,4)}}"}, "(1,2)|(3,4)"},
	    {{"a={{f(1,(2,3)),b}}"}, "f(1,(2,3))|b"},
	    {{"a={{f(\"),\"),b}}"}, "f(\"),\")|b"},
	    {{"a={{\\(1,2\\)}}"}, "(1|2)"},
	    {{"a={{:),b}}"}, ":)|b"},
	    {{"a={{f(it's, b),c}}"}, "f(it's, b)|c"},
	    {{"a={{f(\\),b),c}}"}, "f(),b)|c"},
	    /* domains */
	    {{"a={{logspace(1e-4,1e-1,4)}}"}, "0.0001|0.001|0.01|0.1"},
	    {{"a={{linspace(0, 1, 3)}}"}, "0|0.5|1"},
	    {{"a={{range(0,1,0.25)}}"}, "0|0.25|0.5|0.75"},
	    {{"a={{int(1,3)}}"}, "1|2|3"},
	    {{"a={{int(-2, 9, 5)}}"}, "-2|3|8"},
	    {{"a={{choice(x, \"y,z\", 1e-3)}}"}, "x|y,z|1e-3"},
	    {{"a={{0, int(1,3), x, range(5,7,1)}}"}, "0|1|2|3|x|5|6"},
	    {{"a={{int(1,2)}}{{int(3,4)}}"}, "13|14|23|24"},
	    {{"a={{int(2^3, 3*3)}}"}, "8|9"},
	    /* texts like domains */
	    {{"a={{'int(1,2)'}}"}, "int(1,2)"},
	    {{"a={{int(1,2)x}}"}, "int(1,2)x"},
	    {{"a={{uint8(3),pow(1,2)}}"}, "uint8(3)|pow(1,2)"},
	    {{"a={{min(1,2),sin(x),conv(3,64),relu()}}"}, "min(1,2)|sin(x)|conv(3,64)|relu()"},
	    {{"a={{int, log}}"}, "int|log"},
	    {{"a=int(1,2)"}, "int(1,2)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct expand_call c = parse(rows[i].words);

		assert_string_equal(all(&c.jobs, 0), rows[i].want);
		assert_false(c.joined || c.jobs.drawn || c.nselect || c.best || c.group.n);
		assert_int_equal(expand_count(&c.group), 1);
	}
}

static void test_words(void **state)
{
	static const char *const words[] = {"phase=a",       "folds=5",  "metric=m",
	                                    "goal=minimize", "retries=", "x=1"};
	static const enum expand_word want[] = {EXPAND_PHASE, EXPAND_FOLDS,   EXPAND_METRIC,
	                                        EXPAND_GOAL,  EXPAND_RETRIES, EXPAND_PARAM};
	struct expand_call c;

	(void)state;
	c = parse(words);
	assert_int_equal(c.jobs.n, 6);
	for (uint32_t i = 0; i < 6; i++) {
		const struct expand_arg *arg = &c.jobs.args[i];
		size_t name = strcspn(words[i], "=");

		assert_int_equal(arg->word, want[i]);
		assert_int_equal(arg->number, i + 1);
		assert_memory_equal(arg->name, words[i], name);
		assert_int_equal(strlen(arg->name), name);
		assert_string_equal(arg->text, words[i] + name + 1);
		if (want[i] != EXPAND_PARAM)
			assert_ptr_equal(expand_find(&c.jobs, want[i]), arg);
	}
	assert_null(expand_find(&c.jobs, EXPAND_TIMEOUT));
	c = parse((const char *[]){"timeout=1h", "x={{1}}", NULL});
	assert_string_equal(expand_find(&c.jobs, EXPAND_TIMEOUT)->text, "1h");
	assert_null(c.jobs.args[1].text);
}

/* ---- parts -------------------------------------------------------------------------------------------- */

static void test_parts(void **state)
{
	static const struct {
		const char *words[MAX_ROW];
		const char *select, *group, *jobs;
		uint32_t best;
	} rows[] = {
	    {{"p=1", "--", "--", "x={{1,2}}"}, "p=1", "", "1|2", 0},
	    {{"p=1", "--", "g={{a,b}}", "--", "x=1"}, "p=1", "a|b", "1", 0},
	    {{"p=1", "--", "g={{ }}", "--", "x=1"}, "p=1", "*", "1", 0},
	    {{"p=1", "--", "g=c", "--", "x=1"}, "p=1", "c", "1", 0},
	    {{"p=1", "--", "trial={{}}", "--", "x=1"}, "p=1", "*", "1", 0},
	    {{"p={{}}", "--", "p1={{}}", "--", "p2="}, "p={{}}", "*", "", 0}, /* the line of the note */
	    {{"p=", "best=3", "--", "--", "x=1"}, "p=", "", "1", 3},
	    {{"best=1", "--", "--", "x=1"}, "", "", "1", 1},
	    {{"{{", "a\\,b", "--", "--", "x=1"}, "{{ a\\,b", "", "1", 0}, /* left to the selector */
	    {{"bestx=0", "--", "--", "best=1"}, "bestx=0", "", "1", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct expand_call c = parse(rows[i].words);
		char select[200] = "";

		for (uint32_t k = 0; k < c.nselect; k++)
			snprintf(select + strlen(select), sizeof select - strlen(select), "%s%s",
			         k ? " " : "", c.select[k]);
		assert_true(c.joined);
		assert_string_equal(select, rows[i].select);
		assert_int_equal(c.best, rows[i].best);
		assert_string_equal(all(&c.group, 0), rows[i].group);
		assert_string_equal(all(&c.jobs, 0), rows[i].jobs);
	}
}

static void test_groups(void **state)
{
	static const char *const words[] = {"p=1", "--", "fold_of={{}}", "trial={{}}", "--", "x=1"};
	static const char *const mixed[] = {"--", "a={{}}", "b={{1,2}}", "--", "x=1"};
	const char *six[MAX_ROW] = {"p=1"};
	struct expand_call c = parse(words);

	(void)state;
	assert_int_equal(c.group.n, 2);
	assert_true(c.group.args[0].existing && c.group.args[0].word == EXPAND_PARAM);
	assert_true(c.group.args[1].existing && c.group.args[1].word == EXPAND_TRIAL);
	assert_ptr_equal(expand_find(&c.group, EXPAND_TRIAL), &c.group.args[1]);
	assert_int_equal(c.group.args[1].number, 4);
	assert_int_equal(c.jobs.args[0].number, 6);
	memcpy(six + 1, mixed, sizeof mixed);
	c = parse(six);
	assert_int_equal(expand_count(&c.group), 2);
	assert_string_equal(all(&c.group, 0), "* 1|* 2");
	assert_false(c.group.args[1].existing);
}

/* ---- mistakes ----------------------------------------------------------------------------------------- */

#define FORMS                                                                                                \
	"write NAME=TEXT .. for jobs of their own, or SELECT -- GROUP -- NEW for jobs that come after "      \
	"others "                                                                                            \
	"(GROUP may be empty)"
#define NAMES "a parameter is named with at most 64 letters, digits, _ . and -, first a letter"
#define OWN   "the word has a meaning of its own"

static void test_mistakes(void **state)
{
	static const struct {
		const char *words[MAX_ROW];
		const char *want;
	} rows[] = {
	    /* parts */
	    {{NULL}, "no jobs: " FORMS},
	    {{"a=1", "--"}, "`--` stands among the arguments 1 time: " FORMS},
	    {{"--", "a=1"}, "`--` stands among the arguments 1 time: " FORMS},
	    {{"--", "--", "--", "a=1"}, "`--` stands among the arguments 3 times: " FORMS},
	    {{"--", "--", "a=1"}, "nothing before the first `--`: " FORMS},
	    {{"a=1", "--", "b=1", "--"}, "nothing after the second `--`: " FORMS},
	    {{"a=1", "-n", "3"}, "argument 2, column 1: '-n': options come first, before all name=text"},
	    {{"a=1", "--", "--", "--x=1"},
	     "argument 4, column 1: '--x=1': options come first, before all name=text"},
	    {{"-", "a=1"}, "argument 1, column 1: '-': options come first, before all name=text"},
	    /* best */
	    {{"best=0", "--", "--", "a=1"},
	     "argument 1, column 6: best=N takes a whole number from 1 to 1000000"},
	    {{"best=", "--", "--", "a=1"},
	     "argument 1, column 6: best=N takes a whole number from 1 to 1000000"},
	    {{"best=1e3", "--", "--", "a=1"},
	     "argument 1, column 6: best=N takes a whole number from 1 to 1000000"},
	    {{"best=1", "best=2", "--", "--", "a=1"},
	     "argument 2, column 1: 'best' is there twice: once is enough"},
	    /* names */
	    {{"a=1", "word"}, "argument 2, column 1: 'word' is no name=text, as in lr=0.1"},
	    {{"=1"}, "argument 1, column 1: '': " NAMES},
	    {{"1a=1"}, "argument 1, column 1: '1a': " NAMES},
	    {{"a b=1"}, "argument 1, column 1: 'a b': " NAMES},
	    {{"a\nb=1"}, "argument 1, column 1: 'a?b': " NAMES},
	    {{"fold=1"}, "argument 1, column 1: a parameter can't be named 'fold': " OWN},
	    {{"trial={{}}"}, "argument 1, column 1: a parameter can't be named 'trial': " OWN},
	    {{"a=1", "b=2", "a=3"}, "argument 3, column 1: 'a' is there twice (argument 1): once is enough"},
	    {{"phase=a", "phase=b"},
	     "argument 2, column 1: 'phase' is there twice (argument 1): once is enough"},
	    {{"phase={{a,b}}"}, "argument 1, column 7: this word has one value for all jobs: no {{ }}"},
	    {{"timeout=1{{h}}"}, "argument 1, column 10: this word has one value for all jobs: no {{ }}"},
	    /* groups */
	    {{"a=1", "--", "phase={{}}", "--", "b=1"},
	     "argument 3, column 1: 'phase' makes no groups: parameters do, and trial={{}}"},
	    {{"a=1", "--", "retries=1", "--", "b=1"},
	     "argument 3, column 1: 'retries' makes no groups: parameters do, and trial={{}}"},
	    {{"a=1", "--", "fold={{}}", "--", "b=1"},
	     "argument 3, column 1: a parameter can't be named 'fold': " OWN},
	    {{"a=1", "--", "trial=3", "--", "b=1"},
	     "argument 3, column 7: only trial={{}} has a meaning here: each selected job by itself"},
	    {{"a=1", "--", "trial={{1,2}}", "--", "b=1"},
	     "argument 3, column 7: only trial={{}} has a meaning here: each selected job by itself"},
	    {{"a=1", "--", "x=y{{}}", "--", "b=1"},
	     "argument 3, column 4: {{}} stands alone: name={{}} for the values there are"},
	    {{"a=1", "--", "x={{}}y", "--", "b=1"},
	     "argument 3, column 3: {{}} stands alone: name={{}} for the values there are"},
	    {{"a=1", "--", "--", "b={{}}"}, "argument 4, column 3: no value between {{ and }}"},
	    {{"a={{}}"}, "argument 1, column 3: no value between {{ and }}"},
	    /* braces */
	    {{"a={{1,2"}, "argument 1, column 3: '{{' without its '}}': write \\{{ for plain ones"},
	    {{"a={{"}, "argument 1, column 3: '{{' without its '}}': write \\{{ for plain ones"},
	    {{"a={{1}"}, "argument 1, column 3: '{{' without its '}}': write \\{{ for plain ones"},
	    {{"a={{1\\}}"}, "argument 1, column 3: '{{' without its '}}': write \\{{ for plain ones"},
	    {{"a={{\"1\""}, "argument 1, column 3: '{{' without its '}}': write \\{{ for plain ones"},
	    {{"a=1}}"}, "argument 1, column 4: '}}' without its '{{': write \\}} for plain ones"},
	    {{"a={{1}}}}"}, "argument 1, column 8: '}}' without its '{{': write \\}} for plain ones"},
	    {{"b=1", "a={{1}}x{{2"},
	     "argument 2, column 9: '{{' without its '}}': write \\{{ for plain ones"},
	    {{"a=\xc3\xa9\xc3\xa9{{1"},
	     "argument 1, column 5: '{{' without its '}}': write \\{{ for plain ones"},
	    {{"a={{1,{{2}}}}"},
	     "argument 1, column 7: braces inside braces: quote them, or write \\{ for a plain one"},
	    {{"a={{f({{"},
	     "argument 1, column 7: braces inside braces: quote them, or write \\{ for a plain one"},
	    {{"a={{1,,2}}"}, "argument 1, column 7: an empty value: write \"\" for an empty text"},
	    {{"a={{1, }}"}, "argument 1, column 8: an empty value: write \"\" for an empty text"},
	    {{"a={{1..5}}"},
	     "argument 1, column 5: 1..5 is one text: for the numbers write int(A,B) (a text: quote it)"},
	    {{"a={{x, -2..-1}}"},
	     "argument 1, column 8: -2..-1 is one text: for the numbers write int(A,B) (a text: quote it)"},
	    {{"a={{,}}"}, "argument 1, column 5: an empty value: write \"\" for an empty text"},
	    {{"a={{\"1}}"}, "argument 1, column 5: a quote without its end: write \\\" for a plain one"},
	    {{"a={{x,'tis}}"}, "argument 1, column 7: a quote without its end: write \\' for a plain one"},
	    {{"a={{\"x\\\"}}"}, "argument 1, column 5: a quote without its end: write \\\" for a plain one"},
	    {{"a={{\"x\"y}}"},
	     "argument 1, column 8: a quoted value ends at its quote: a comma or }} follows"},
	    {{"a={{\"x\"}"}, "argument 1, column 8: a quoted value ends at its quote: a comma or }} follows"},
	    {{"a={{x,f(1,2}}"}, "argument 1, column 8: '(' without its ')': write \\( for a plain one"},
	    {{"a={{:(}}"}, "argument 1, column 6: '(' without its ')': write \\( for a plain one"},
	    {{"a={{((1)"}, "argument 1, column 5: '(' without its ')': write \\( for a plain one"},
	    {{"a={{f(\"x)}}"}, "argument 1, column 7: a quote without its end: write \\\" for a plain one"},
	    /* domains */
	    {{"a={{logspce(1,2,3)}}"},
	     "argument 1, column 5: unknown domain 'logspce', did you mean 'logspace'? (a text: quote it)"},
	    {{"a={{1, Range(1,2,3)}}"},
	     "argument 1, column 8: unknown domain 'Range', did you mean 'range'? (a text: quote it)"},
	    {{"a={{LOG(1,2)}}"},
	     "argument 1, column 5: unknown domain 'LOG', did you mean 'log'? (a text: quote it)"},
	    {{"a={{arange(1,2,3)}}"},
	     "argument 1, column 5: unknown domain 'arange', did you mean 'range'? (a text: quote it)"},
	    {{"a={{loguniform(1,2)}}"},
	     "argument 1, column 5: unknown domain 'loguniform', did you mean 'uniform'? (a text: quote it)"},
	    {{"a={{x, linspace(0,1)}}"},
	     "argument 1, column 8: linspace with 2 values: write linspace(first, last, n)"},
	    {{"a={{logspace(0,1,3)}}"}, "argument 1, column 5: logspace needs bounds above 0"},
	    {{"a={{int(5,1)}}"}, "argument 1, column 5: low > high: no value lies in int(5, 1)"},
	    {{"a={{int(1,2*)}}"}, "argument 1, column 13: the expression ends where a value should follow"},
	    {{"a={{int(1,hidden)}}"},
	     "argument 1, column 5: bounds are plain numbers here, 'hidden' is none"},
	    {{"a={{int(1,'x'+1)}}"}, "argument 1, column 5: 'x' is a text, not a number"},
	    {{"a={{choice()}}"}, "argument 1, column 12: no choices: give at least one"},
	    {{"a={{choice(x,,y)}}"}, "argument 1, column 14: an empty choice: write \"\" for an empty text"},
	    {{"a={{uniform(0,1)}}"},
	     "argument 1, column 5: uniform(0, 1) has no end: with `-n N` N values are drawn of it"},
	    {{"a={{logint(1,9)}}"},
	     "argument 1, column 5: logint(1, 9) has no end: with `-n N` N values are drawn of it"},
	    {{"a={{linspace(0,1,100000)}}", "b={{linspace(0,1,100000)}}", "c={{linspace(0,1,1)}}"},
	     "argument 3, column 5: more than 200000 points of domains in one call"},
	    /* how many */
	    {{"a={{int(1,1000)}}", "b={{int(1,1000)}}x{{1,2}}"},
	     "2000000 jobs: one call makes at most 1000000"},
	    {{"a=1", "--", "g={{int(1,1001)}}", "--", "b={{int(1,1000)}}"},
	     "1001000 jobs: one call makes at most 1000000"},
	    {{"a={{int(1,9e15)}}", "b={{int(1,9e15)}}"},
	     "more jobs than can be counted: one call makes at most 1000000"},
	    {{"a={{int(1,9e15),0}}"}, "9000000000000001 jobs: one call makes at most 1000000"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct expand_call c;
		struct fault f = {0};

		if (!expand_parse(&arena, rows[i].words, length(rows[i].words), 0, &c, &f))
			fail_msg("accepted: %s %s", rows[i].words[0],
			         rows[i].words[1] ? rows[i].words[1] : "");
		assert_string_equal(f.text, rows[i].want);
		assert_int_equal(f.code, FAULT_USAGE);
	}
}

static void test_mistakes_with_samples(void **state)
{
	static const struct {
		const char *words[MAX_ROW];
		const char *want;
	} rows[] = {
	    {{"a={{1, uniform(0,1)}}"},
	     "argument 1, column 8: a domain without end stands alone in its braces"},
	    {{"a={{log(0,1)}}"}, "argument 1, column 5: log needs bounds above 0 (uniform takes any)"},
	    {{"a={{uniform(0,1)}}", "b={{int(1,20)}}"}, "2000000 jobs: one call makes at most 1000000"},
	    {{"s=", "--", "a={{uniform(0,1)}}", "--", "b={{uniform(0,1)}}"},
	     "10000000000 jobs: one call makes at most 1000000"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct expand_call c;
		struct fault f = {0};

		assert_int_equal(expand_parse(&arena, rows[i].words, length(rows[i].words), 100000, &c, &f),
		                 -1);
		assert_string_equal(f.text, rows[i].want);
	}
}

static void test_no_fault_wanted(void **state)
{
	static const char *const words[] = {"a={{1", NULL};
	struct expand_call c;

	(void)state;
	assert_int_equal(expand_parse(&arena, words, 1, 0, &c, NULL), -1);
}

/* ---- draws -------------------------------------------------------------------------------------------- */

/* The draw of argument `name` where the others have these values: as all() shows them. */
static const char *draw(const struct expand_args *x, uint64_t seed, const char *name, const char *others,
                        uint32_t sample)
{
	for (uint64_t k = 0; k < expand_count(x); k++) {
		char text[200] = "";
		const char *drawn = NULL;

		for (uint32_t i = 0; i < x->n; i++) {
			const char *v = expand_value(&arena, x, seed, k, i);

			if (!strcmp(x->args[i].name, name))
				drawn = v;
			else if (!x->args[i].drawn)
				snprintf(text + strlen(text), sizeof text - strlen(text), "%s=%s ",
				         x->args[i].name, v);
		}
		if (!strcmp(text, others) && sample-- == 0)
			return drawn;
	}
	fail_msg("no combination %s", others);
	return NULL;
}

static void test_draws_lie_inside(void **state)
{
	static const struct {
		const char *word;
		double lo, hi;
		bool whole;
	} rows[] = {
	    {"a={{uniform(-2, 3)}}", -2, 3, false}, {"a={{log(1e-3, 1)}}", 1e-3, 1, false},
	    {"a={{logint(2, 40)}}", 2, 40, true},   {"a={{normal(10, 1)}}", 0, 20, false},
	    {"a={{ uniform(2,2) }}", 2, 2, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *words[MAX_ROW] = {rows[i].word};
		struct expand_call c = parse_samples(words, 500);
		double mean = 0, last = NAN, v;
		uint32_t same = 0;

		assert_true(c.jobs.drawn);
		assert_int_equal(expand_count(&c.jobs), 500);
		for (uint32_t k = 0; k < 500; k++) {
			const char *s = expand_value(&arena, &c.jobs, 1, k, 0);

			assert_true(text_parse_double(s, strlen(s), &v));
			assert_true(v >= rows[i].lo && v <= rows[i].hi);
			assert_true(!rows[i].whole || v == floor(v));
			assert_string_equal(s, expand_canonical(&arena, s));
			same += v == last;
			last = v;
			mean += v / 500;
		}
		assert_true(rows[i].lo == rows[i].hi ? same == 499 : same < 100);
		if (i == 0)
			assert_true(mean > 0.2 && mean < 0.8);
	}
}

static void test_draws_repeat_samples_fastest(void **state)
{
	static const char *const words[] = {"u=x{{uniform(0,1)}}y{{1,2}}", "n={{3,4}}", NULL};
	struct expand_call c = parse_samples(words, 2);

	(void)state;
	assert_int_equal(expand_count(&c.jobs), 8);
	for (uint64_t k = 0; k < 8; k++) {
		const char *u = expand_value(&arena, &c.jobs, 7, k, 0), *y = strchr(u, 'y');
		double v;

		assert_non_null(y);
		assert_string_equal(y, k < 4 ? "y1" : "y2");
		assert_true(text_parse_double(u + 1, (size_t)(y - u) - 1, &v) && v >= 0 && v < 1);
		assert_string_equal(expand_value(&arena, &c.jobs, 7, k, 1), k / 2 % 2 ? "4" : "3");
		for (uint64_t j = 0; j < k; j++)
			assert_string_not_equal(u, expand_value(&arena, &c.jobs, 7, j, 0));
	}
}

/* What was drawn stays when values, samples or another order come. */
static void test_draws_hang_on_no_order(void **state)
{
	static const char *const first[] = {"h={{50,100}}", "o=sgd", "u={{uniform(0,1)}}",
	                                    "v={{uniform(0,1)}}", NULL};
	static const char *const later[] = {"v={{uniform(0,1)}}", "h={{25,1e2,50.0}}", "u={{uniform(0,1)}}",
	                                    "o={{adam,sgd}}", NULL};
	struct expand_call a = parse_samples(first, 3), b = parse_samples(later, 5);
	struct expand_args *x = &a.jobs, *y = &b.jobs;

	(void)state;
	for (uint32_t k = 0; k < 3; k++) {
		assert_string_equal(draw(x, 1, "u", "h=50 o=sgd ", k), draw(y, 1, "u", "h=50.0 o=sgd ", k));
		assert_string_equal(draw(x, 1, "v", "h=100 o=sgd ", k), draw(y, 1, "v", "h=1e2 o=sgd ", k));
		assert_string_not_equal(draw(x, 1, "u", "h=50 o=sgd ", k),
		                        draw(x, 1, "u", "h=100 o=sgd ", k));
		assert_string_not_equal(draw(x, 1, "u", "h=50 o=sgd ", k), draw(x, 1, "v", "h=50 o=sgd ", k));
		assert_string_not_equal(draw(x, 1, "u", "h=50 o=sgd ", k), draw(x, 2, "u", "h=50 o=sgd ", k));
		assert_string_not_equal(draw(y, 1, "u", "h=25 o=sgd ", k),
		                        draw(y, 1, "u", "h=25 o=adam ", k));
	}
}

static void test_draws_and_words(void **state)
{
	static const char *const plain[] = {"phase=a", "u={{uniform(0,1)}}{{uniform(0,1)}}", NULL};
	static const char *const limits[] = {"u={{uniform(0,1)}}{{uniform(0,1)}}", "retries=3", "phase=a",
	                                     "folds=5", NULL};
	static const char *const other[] = {"phase=b", "u={{uniform(0,1)}}{{uniform(0,1)}}", NULL};
	struct expand_call a = parse_samples(plain, 1), b = parse_samples(limits, 1),
	                   c = parse_samples(other, 1);
	const char *u = expand_value(&arena, &a.jobs, 1, 0, 1), *twice = strchr(u + 2, '.');

	(void)state;
	assert_string_equal(u, expand_value(&arena, &b.jobs, 1, 0, 0));
	assert_string_not_equal(u, expand_value(&arena, &c.jobs, 1, 0, 1));
	assert_non_null(twice); /* two numbers, not one twice */
	assert_true(strncmp(u + 2, twice + 1, 5) != 0);
}

/* Without anything drawn a number of samples is nothing. */
static void test_samples_of_nothing_drawn(void **state)
{
	static const char *const words[] = {"a=1", "--", "g={{uniform(0,1)}}", "--", "x={{1,2}}"};
	const char *six[MAX_ROW] = {0};
	struct expand_call c;

	(void)state;
	memcpy(six, words, sizeof words);
	c = parse_samples(six, 3);
	assert_true(c.group.drawn && !c.jobs.drawn);
	assert_int_equal(expand_count(&c.group), 3);
	assert_int_equal(expand_count(&c.jobs), 2);
}

/* ---- any product -------------------------------------------------------------------------------------- */

/* A text in one of the ways it can be written between braces. */
static void put_item(char *out, const char *text, struct rng *r)
{
	uint64_t way = rng_below(r, 3);

	if (way == 1 && strchr(text, '\''))
		way = 2;
	if (way == 1) {
		sprintf(out, " '%s'", text);
		return;
	}
	if (way == 2 || !*text || strchr(" \n", *text) || strchr(" \n", text[strlen(text) - 1])) {
		*out++ = '"';
		for (; *text; text++) {
			if (*text == '"' || *text == '\\')
				*out++ = '\\';
			*out++ = *text;
		}
		strcpy(out, "\" ");
		return;
	}
	for (; *text; text++) {
		if (strchr(",{}()'\"\\", *text))
			*out++ = '\\';
		*out++ = *text;
	}
	*out = 0;
}

struct made {
	char word[4000];
	char items[3][4][16]; /* of each pair of braces */
	uint32_t nitems[3], nbraces;
};

static void make_text(char out[16], struct rng *r)
{
	static const char letters[] = "ab1 ,{}()'\"\\$\n";
	uint64_t n = rng_below(r, 6);

	for (uint64_t i = 0; i < n; i++)
		out[i] = letters[rng_below(r, sizeof letters - 1)];
	out[n] = 0;
}

static void make(struct made *m, uint32_t number, struct rng *r)
{
	char *w = m->word;

	w += sprintf(w, "p%u=", number);
	m->nbraces = (uint32_t)rng_below(r, 4);
	for (uint32_t b = 0; b < m->nbraces; b++) {
		m->nitems[b] = 1 + (uint32_t)rng_below(r, 4);
		w += sprintf(w, "<{{");
		for (uint32_t i = 0; i < m->nitems[b]; i++) {
			make_text(m->items[b][i], r);
			put_item(w, m->items[b][i], r);
			w += strlen(w);
			w += sprintf(w, i + 1 < m->nitems[b] ? "," : "}}>");
		}
	}
}

/* Steps the digits of all braces of all words like a counter, the last fastest. */
static bool step(struct made *m, uint32_t n, uint32_t digits[3][3])
{
	for (uint32_t i = n; i-- > 0;)
		for (uint32_t b = m[i].nbraces; b-- > 0;) {
			if (++digits[i][b] < m[i].nitems[b])
				return true;
			digits[i][b] = 0;
		}
	return false;
}

static void check_product(struct made *m, uint32_t n)
{
	const char *words[3] = {m[0].word, m[1].word, m[2].word};
	uint32_t digits[3][3] = {0};
	struct expand_call c;
	struct fault f;
	uint64_t index = 0;

	if (expand_parse(&arena, words, n, 0, &c, &f))
		fail_msg("%s\n%s\n%s\n%s", f.text, words[0], words[1], words[2]);
	do {
		assert_true(index < expand_count(&c.jobs));
		for (uint32_t i = 0; i < n; i++) {
			char want[200] = "";

			for (uint32_t b = 0; b < m[i].nbraces; b++)
				sprintf(want + strlen(want), "<%s>", m[i].items[b][digits[i][b]]);
			assert_string_equal(expand_value(&arena, &c.jobs, 0, index, i), want);
		}
		index++;
	} while (step(m, n, digits));
	assert_int_equal(index, expand_count(&c.jobs));
}

static void test_any_product(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (int round = 0; round < 300; round++) {
		static struct made m[3];
		uint32_t n = 1 + (uint32_t)rng_below(&r, 3);
		uint64_t size = 1;

		for (uint32_t i = 0; i < n; i++) {
			make(&m[i], i, &r);
			for (uint32_t b = 0; b < m[i].nbraces; b++)
				size *= m[i].nitems[b];
		}
		if (size <= 500)
			check_product(m, n);
		arena_reset(&arena);
	}
}

/* ---- sizes -------------------------------------------------------------------------------------------- */

static void test_uncountable_list(void **state)
{
	static char word[32768] = "a={{0";
	const char *words[MAX_ROW] = {word};
	size_t n = strlen(word);
	struct expand_call c;
	struct fault f = {0};

	(void)state;
	for (int i = 0; i < 1100; i++)
		n += (size_t)sprintf(word + n, ",int(-9e15,9e15)");
	strcpy(word + n, "}}");
	assert_int_equal(expand_parse(&arena, words, 1, 0, &c, &f), -1);
	assert_non_null(strstr(f.text, "more jobs than can be counted"));
}

static void test_sizes(void **state)
{
	static const char *words[EXPAND_MAX_WORDS + 1];
	static char names[EXPAND_MAX_WORDS + 1][16], large[EXPAND_MAX_BYTES + 2];
	struct expand_call c;
	struct fault f = {0};
	size_t before;

	(void)state;
	for (uint32_t i = 0; i <= EXPAND_MAX_WORDS; i++) {
		sprintf(names[i], "p%u=x", i);
		words[i] = names[i];
	}
	assert_int_equal(expand_parse(&arena, words, EXPAND_MAX_WORDS, 0, &c, &f), 0);
	assert_int_equal(expand_parse(&arena, words, EXPAND_MAX_WORDS + 1, 0, &c, &f), -1);
	assert_string_equal(f.text, "more than 4096 arguments");
	memset(large, 'x', sizeof large - 1);
	large[1] = '=';
	words[0] = large;
	assert_int_equal(expand_parse(&arena, words, 1, 0, &c, &f), -1);
	assert_string_equal(f.text, "argument 1, column 1: an argument of more than 65536 bytes");
	large[EXPAND_MAX_BYTES] = 0;
	assert_int_equal(expand_parse(&arena, words, 1, 0, &c, &f), 0);
	assert_string_equal(c.jobs.args[0].text, large + 2);
	for (size_t i = 2; i + 5 < EXPAND_MAX_BYTES; i += 5)
		memcpy(large + i, "{{x}}", 5);
	large[EXPAND_MAX_BYTES - 4] = 0;
	before = arena.used_bytes;
	assert_int_equal(expand_parse(&arena, words, 1, 0, &c, &f), 0);
	assert_true(arena.used_bytes - before < 64 * (size_t)EXPAND_MAX_BYTES);
	assert_int_equal(c.jobs.args[0].npieces, strlen(expand_value(&arena, &c.jobs, 0, 0, 0)));
}

/* ---- identity and numbers ----------------------------------------------------------------------------- */
static void test_canonical(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"1e-3", "0.001"},
	    {"0.001", "0.001"},
	    {"1.0e-3", "0.001"},
	    {"1", "1"},
	    {"1.0", "1"},
	    {"+1", "1"},
	    {"1e2", "100"},
	    {"007", "7"},
	    {"-0", "0"},
	    {"-0.50", "-0.5"},
	    {"1e15", "1e+15"},
	    {"1000000000000000", "1e+15"},
	    {"9007199254740991", "9007199254740991"},
	    {"9007199254740993", "9007199254740993"}, /* no double: two seeds must not become one */
	    {"-9007199254740993", "-9007199254740993"},
	    {"12345678901234567890", "12345678901234567890"},
	    {"nan", "nan"},
	    {"inf", "inf"},
	    {"-Infinity", "-Infinity"},
	    {"1e999", "1e999"},
	    {"0x10", "0x10"},
	    {" 1", " 1"},
	    {"1 ", "1 "},
	    {"", ""},
	    {"sgd", "sgd"},
	    {"1,2", "1,2"},
	    {"1e", "1e"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *got = expand_canonical(&arena, rows[i].text);

		assert_string_equal(got, rows[i].want);
		assert_string_equal(expand_canonical(&arena, got), got);
	}
}

static void test_limit(void **state)
{
	struct fault f;

	(void)state;
	assert_int_equal(expand_check(0, &f), 0);
	assert_int_equal(expand_check(1000000, &f), 0);
	assert_int_equal(expand_check(1000001, &f), -1);
	assert_int_equal(f.code, FAULT_USAGE);
	assert_string_equal(f.text, "1000001 jobs: one call makes at most 1000000");
	assert_int_equal(expand_check(UINT64_MAX, &f), -1);
	assert_non_null(strstr(f.text, "more jobs than can be counted"));
	assert_true(expand_times(0, UINT64_MAX) == 0);
	assert_true(expand_times(3, 5) == 15);
	assert_true(expand_times(1ull << 32, 1ull << 31) == 1ull << 63);
	assert_true(expand_times(1ull << 32, 1ull << 32) == UINT64_MAX);
	assert_true(expand_times(UINT64_MAX, 2) == UINT64_MAX);
}

static int finish(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_combinations),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_mistakes),
	    cmocka_unit_test(test_mistakes_with_samples),
	    cmocka_unit_test(test_no_fault_wanted),
	    cmocka_unit_test(test_draws_lie_inside),
	    cmocka_unit_test(test_draws_repeat_samples_fastest),
	    cmocka_unit_test(test_draws_hang_on_no_order),
	    cmocka_unit_test(test_draws_and_words),
	    cmocka_unit_test(test_samples_of_nothing_drawn),
	    cmocka_unit_test(test_any_product),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_uncountable_list),
	    cmocka_unit_test(test_canonical),
	    cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests_name("expand", tests, NULL, finish);
}
