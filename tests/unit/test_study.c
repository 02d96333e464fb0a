/* Study files: what good ones become, and what each mistake a person can make is told as. */
#include "command.h"
#include "study.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int reset(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

static const struct study *parse_n(const char *text, size_t n, struct study_errors *e)
{
	const struct study *s = NULL;
	int rc = study_parse(&arena, "f.yaml", text, n, &s, e);

	assert_int_equal(rc, s ? 0 : -1);
	assert_true((rc == 0) == (e->count == 0));
	return s;
}

static const struct study *good(const char *text)
{
	struct study_errors e;
	const struct study *s = parse_n(text, strlen(text), &e);

	if (!s)
		fail_msg("%s\n%s", e.items[0].text, text);
	return s;
}

/* A study of one phase: lines of the phase, indented by four. */
static char *one_phase(const char *lines)
{
	static char text[8192];

	snprintf(text, sizeof text,
	         "study: x\nmetric: m\ngoal: minimize\nphases:\n  p:\n    command: prog {args}\n%s", lines);
	return text;
}

/* A study of two phases, the second after the first. */
static char *two_phases(const char *top, const char *second)
{
	static char text[8192];

	snprintf(
	    text, sizeof text,
	    "study: x\nmetric: m\ngoal: minimize\n%s\nphases:\n  a:\n    command: prog {lr}\n    params:\n"
	    "      lr: [1, 2]\n      mo: uniform(0, 1) if lr == 1\n    search: sobol\n    trials: 3\n  b:\n"
	    "%s",
	    top, second);
	return text;
}

struct row {
	const char *text, *error; /* error: what one of the messages must hold */
};

static bool told(const struct study_errors *e, const char *what)
{
	for (uint32_t i = 0; i < e->count; i++)
		if (strstr(e->items[i].text, what))
			return true;
	return false;
}

static void check_rows(const struct row *rows, size_t n, char *(*wrap)(const char *))
{
	for (size_t i = 0; i < n; i++) {
		struct study_errors e;
		const char *text = wrap ? wrap(rows[i].text) : rows[i].text;

		arena_finish(&arena);
		if (parse_n(text, strlen(text), &e))
			fail_msg("accepted, instead of: %s\n%s", rows[i].error, text);
		if (!told(&e, rows[i].error))
			fail_msg("got  %s\nwant %s\n%s", e.items[0].text, rows[i].error, text);
	}
}
#define ROWS(rows) rows, sizeof rows / sizeof *rows

static void test_mistakes_of_yaml(void **state)
{
	static const struct row rows[] = {
	    {"", "f.yaml:1:1: the file is empty"},
	    {"# nothing\n", "the file is empty"},
	    {"- a\n", "f.yaml:1:1: a study file is a map"},
	    {"hello", "a study file is a map"},
	    {"study: x\nphases:\n\tp: 1\n", "f.yaml:3:1: a tab in the indentation"},
	    {"study: [a\n", "not valid YAML"},
	    {"study: x\nsetup: echo a: b\n", "f.yaml:2:14: not valid YAML"},
	    {"study: &a x\nmetric: *a\n", "f.yaml:2:10: aliases"},
	    {"study: x\n---\nstudy: y\n", "f.yaml:2:1: a second document"},
	    {"study: x\nstudy: y\n", "f.yaml:2:1: 'study' is here twice: the first is in line 1"},
	    {"study: x\nphases: {p: {command: a}, p: {command: b}}\n", "f.yaml:2:27: 'p' is here twice"},
	    {"study: \xff\n", "f.yaml:1:8: this byte is no UTF-8"},
	    {"study: \xc3\xa9\xed\xa0\x80\n", "f.yaml:1:10: this byte is no UTF-8"},
	    {"study: a\x01\n", "f.yaml:1:9: control character 0x01"},
	    {"study: \"a\\0b\"\n", "holds \\0"},
	    {"study: x\nphases:\n  p:\n    command: {lr}/x\n",
	     "f.yaml:4:18: not valid YAML: text after a closing }"},
	    {"study: x\nphases:\n  p:\n    params:\n      a: [1] if b\n",
	     "put quotes around the whole value"},
	    {"{[a]: b}\n", "a list or map as a key"},
	};

	(void)state;
	check_rows(ROWS(rows), NULL);
}

static void test_mistakes_at_the_top(void **state)
{
#define PHASES "phases: {p: {command: x, metric: none}}\n"
	static const struct row rows[] = {
	    {PHASES, "f.yaml:1:1: no `study`"},
	    {"study: x\n", "no `phases`"},
	    {"study: x\nphases: {}\n", "f.yaml:2:9: `phases` must be a map of at least one"},
	    {"study: x\nphases: [p]\n", "`phases` must be a map"},
	    {"study: a/b\n" PHASES, "f.yaml:1:8: `study: a/b`: the name of a file"},
	    {"study: .x\n" PHASES, "the name of a file"},
	    {"study: [x]\n" PHASES, "`study` must be a text, this is a list"},
	    {"study: x\nsede: 1\n" PHASES, "f.yaml:2:1: unknown key 'sede' at the top, did you mean 'seed'?"},
	    {"study: x\nzzzzzz: 1\n" PHASES, "known are study seed folds"},
	    {"study: x\ntimeout: 5m\n" PHASES, "limits for all phases stand under `defaults:`"},
	    {"study: x\ncommand: y\n" PHASES, "it belongs to a phase"},
	    {"study: x\nprune: {}\n" PHASES,
	     "f.yaml:2:1: unknown key 'prune' at the top: it belongs to a phase"},
	    {"study: x\nseed: -1\n" PHASES, "`seed` must be a whole number of at least 0"},
	    {"study: x\nseed: 1.5\n" PHASES, "`seed` must be a whole number"},
	    {"study: x\ngoal: minimise\n" PHASES, "did you mean 'minimize'?"},
	    {"study: x\naggregate: avg\n" PHASES, "it must be mean, median, min or max"},
	    {"study: x\nreport: first\n" PHASES, "it must be last or best"},
	    {"study: x\nmetric: 9a\n" PHASES, "f.yaml:2:9: `metric: 9a`"},
	    {"study: x\nfolds: 1\n" PHASES, "`folds` must be a whole number from 2"},
	    {"study: x\nfolds: five\n" PHASES, "`folds` must be a whole number"},
	    {"study: x\nfolds: {outer: 3}\n" PHASES, "nested folds need `inner` too"},
	    {"study: x\nfolds: {inner: 3}\n" PHASES, "for plain folds write `folds: 3`"},
	    {"study: x\nfolds: {}\n" PHASES, "`folds` must be a number, or"},
	    {"study: x\nfolds: {outer: 3, inner: 3, ful: true}\n" PHASES, "did you mean 'full'?"},
	    {"study: x\nfolds: {outer: 3, inner: 3, full: 1}\n" PHASES,
	     "`full: 1`: it must be false or true"},
	    {"study: x\ndefaults: 3\n" PHASES, "`defaults` must be a map of limits"},
	    {"study: x\ndefaults: {metric: a}\n" PHASES, "unknown key 'metric' in `defaults`"},
	    {"study: x\nenv: [a]\n" PHASES, "`env` must be a map"},
	    {"study: x\nenv: {1a: 2}\n" PHASES, "'1a' is no name of an environment variable"},
	    {"study: x\nenv: {RANKSWEEP_X: 2}\n" PHASES, "are set by ranksweep itself"},
	    {"study: x\nstop: 3\n" PHASES, "`stop` must be a map"},
	    {"study: x\nstop: {target: nan}\n" PHASES, "f.yaml:2:16: `target` must be a number"},
	    {"study: x\nstop: {time: soon}\n" PHASES, "`time: soon` is no duration"},
	    {"study: x\nstop: {trials: 0}\n" PHASES, "`trials` must be a whole number from 1"},
	    {"study: x\nstop: {target: 1}\n" PHASES, "`stop: target` without a metric"},
	    {"study: x\nphases: {p q: {command: x}}\n", "f.yaml:2:10: 'p q': a phase is named"},
	    {"study: x\nphases: {p: 3}\n", "phase 'p' must be a map"},
	    {"study: x\nphases: {p: {command: x}}\n", "phase 'p' has no `metric`"},
	    {"study: x\nphases: {p: {command: x, metric: m}}\n", "f.yaml:2:34: metric 'm' needs a `goal`"},
	    {"study: x\nmetric: m\nphases: {p: {command: x}}\n", "f.yaml:2:9: metric 'm' needs a `goal`"},
	    {"study: x\ncapture: {m: \"a(\"}\n" PHASES, "the pattern of 'm' is no PCRE2"},
	    {"study: x\ncapture: {m: abc}\n" PHASES, "has 0 groups"},
	    {"study: x\ncapture: {m: \"(a)(b)\"}\n" PHASES, "has 2 groups"},
	    {"study: x\ncapture: [m]\n" PHASES, "`capture` must be a map"},
	};

	(void)state;
	check_rows(ROWS(rows), NULL);
}

static void test_mistakes_in_a_phase(void **state)
{
	static const struct row rows[] = {
	    {"    trails: 3\n", "f.yaml:7:5: unknown key 'trails' in phase 'p', did you mean 'trials'?"},
	    {"    reproducible: true\n",
	     "unknown key 'reproducible' in phase 'p': it holds for the whole study"},
	    {"    params: {a: \"uniform(0, 1)\"}\n    trials: 9\n    prune: {median: {}}\nreproducible: "
	     "true\n",
	     "`prune` in a reproducible study: what it gives up depends on which trials ended first"},
	    {"reproducible: maybe\n", "reproducible"},
	    {"    prune: {}\n", "f.yaml:7:12: `prune` must be a map of rules"},
	    {"    prune: [median]\n", "`prune` must be a map of rules"},
	    {"    prune: {mediann: {}}\n",
	     "f.yaml:7:13: unknown key 'mediann' in `prune`, did you mean 'median'?"},
	    {"    prune: {zzz: {}}\n", "known are median percentile threshold patience asha hyperband race"},
	    {"    prune: {race: {}}\n",
	     "f.yaml:7:13: `race` in phase 'p', whose trials have one unit: it spares folds"},
	    {"    prune: {race: 3}\n", "f.yaml:7:19: `race` must be a map of options, as in {best: 0}"},
	    {"    prune: {race: {best: x}}\n", "f.yaml:7:26: `best` must be a number"},
	    {"    prune: {race: {bets: 0}}\n", "unknown key 'bets' in `prune: race`, did you mean 'best'?"},
	    {"    metric: none\n    prune: {race: {}}\n", "`prune` in phase 'p', whose metric is none"},
	    {"    prune: {median: 3}\n",
	     "f.yaml:7:21: `median` must be a map of options, as in {startup: 5}"},
	    {"    prune: {median: {percent: 3}}\n", "unknown key 'percent' in `prune: median`"},
	    {"    prune: {median: {startup: -1}}\n", "f.yaml:7:31: `startup` must be a whole number from 0"},
	    {"    prune: {median: {interval: 0}}\n", "`interval` must be a whole number from 1"},
	    {"    prune: {percentile: {}}\n", "f.yaml:7:13: `percentile` needs `percent`"},
	    {"    prune: {percentile: {percent: 101}}\n", "`percent` must be a number from 0 to 100"},
	    {"    prune: {threshold: {}}\n", "`threshold` needs `lower`, `upper` or both"},
	    {"    prune: {threshold: {lower: x}}\n", "`lower` must be a number"},
	    {"    prune: {threshold: {lower: 3, upper: 2}}\n",
	     "f.yaml:7:32: `lower` of a threshold must be below"},
	    {"    prune: {patience: {}}\n", "`patience` needs `steps`"},
	    {"    prune: {patience: x}\n", "`patience` must be a whole number from 1"},
	    {"    prune: {patience: {steps: 3, min_delta: -1}}\n", "`min_delta` must be at least 0"},
	    {"    prune: {asha: {min: 1}}\n", "f.yaml:7:13: `asha` needs `max`"},
	    {"    prune: {asha: {min: 30, max: 27, type: stop}}\n",
	     "f.yaml:7:25: `min` is 30, more than `max`"},
	    {"    prune: {asha: {max: 27, eta: 1, type: stop}}\n", "`eta` must be a whole number from 2"},
	    {"    prune: {asha: {max: 27, type: halt}}\n", "`type: halt`: it must be promote or stop"},
	    {"    prune: {asha: {max: 27}}\n",
	     "f.yaml:7:12: phase 'p' cannot know how far to train: put {budget}"},
	    {"    prune: {asha: {max: 9, type: stop}, hyperband: {max: 9}}\n",
	     "f.yaml:7:41: `asha` and `hyperband` both have rungs"},
	    {"    metric: none\n    prune: {median: {}}\n", "`prune` in phase 'p', whose metric is none"},
	    {"    search: tpo\n",
	     "f.yaml:7:13: `search: tpo`: it must be grid, random, sobol, tpe, cmaes, gp, nsga2 or auto"},
	    {"    search: {}\n", "f.yaml:7:13: `search` as a map names a program"},
	    {"    search: {timeout: 3s}\n", "f.yaml:7:13: `search` as a map names a program"},
	    {"    search: {program: ./a, tpe: 1}\n",
	     "f.yaml:7:28: unknown key 'tpe' in `search`: a search has no options"},
	    {"    search: {program: ./a, timout: 1s}\n",
	     "f.yaml:7:28: unknown key 'timout' in `search`, did you mean 'timeout'?"},
	    {"    search: {program: ./a, timeout: 0}\n",
	     "f.yaml:7:37: `timeout: 0`: how long the program may"},
	    {"    search: {program: ./a, timeout: soon}\n", "f.yaml:7:37: `timeout: soon` is no duration"},
	    {"    search: {program: ''}\n", "f.yaml:7:24: `program` is empty"},
	    {"    search: {program: []}\n", "f.yaml:7:23: `program` is empty"},
	    {"    search: {program: {a: 1}}\n", "f.yaml:7:23: `program` must be a text, this is a map"},
	    {"    search: {program: [a, [b]]}\n", "f.yaml:7:27: program: each argument is a text"},
	    {"    search: {program: \"a 'b\"}\n", "program: a quote without its end"},
	    {"    search: {program: a | b}\n", "f.yaml:7:25: program: no shell reads it, so '|' would"},
	    {"    search: {program: 'a {seed}'}\n", "'{seed}' is no placeholder here"},
	    {"    search: {program: ./a}\n    params: {a: \"uniform(0, 1)\"}\n", "say how many"},
	    {"    metric: none\n    params: {a: \"uniform(0, 1)\"}\n    trials: 3\n    search: {program: "
	     "./a}\n",
	     "f.yaml:10:13: `search: {program: ..}` learns from the phase's metric, and 'p' has none"},
	    {"    metric: none\n    params: {a: \"uniform(0, 1)\"}\n    trials: 3\n    search: tpe\n",
	     "f.yaml:10:13: `search: tpe` learns from the phase's metric, and 'p' has none"},
	    {"    trials: 0\n", "f.yaml:7:13: `trials: 0`: it must be a number of at least 1"},
	    {"    trials: -3\n", "must be a number of at least 1"},
	    {"    trials: many\n", "must be a number of at least 1"},
	    {"    trials: 3 totall\n", "or `N total`"},
	    {"    trials: 30 total\n", "'p' has no `after`"},
	    {"    folds: all\n", "it must be each, outer or none"},
	    {"    folds: outer\n", "f.yaml:7:12: `folds: outer` needs nested folds"},
	    {"    timeout: soon\n", "`timeout: soon` is no duration"},
	    {"    memory: 4X\n", "`memory: 4X` is no size"},
	    {"    cpus: 0\n", "`cpus` must be a whole number from 1"},
	    {"    retries: -1\n", "`retries` must be a whole number from 0"},
	    {"    retry_on: [exit, sgnal]\n", "f.yaml:7:22: `retry_on: sgnal`"},
	    {"    retry_on: lost\n", "it must be exit, signal, oom, timeout"},
	    {"    keep: best 0\n", "it must be `all` or `best N`"},
	    {"    metric: none\n    keep: best 2\n", "nothing is best"},
	    {"    checkpoint: 1\n", "it must be false or true"},
	    {"    params: [lr]\n", "`params` must be a map"},
	    {"    params:\n      fold: 3\n", "f.yaml:8:7: a parameter can't be named 'fold'"},
	    {"    params:\n      p.lr: 3\n", "'p.lr' reads like parameter 'lr' of phase 'p'"},
	    {"    params:\n      a b: 3\n", "a parameter is named with"},
	    {"    params:\n      lr: {min: 1}\n", "lr: a parameter is a constant, a list or a domain"},
	    {"    params:\n      lr:\n", "lr: a parameter is a constant, a list or a domain"},
	    {"    params:\n      lr: []\n", "lr: no choices"},
	    {"    params:\n      lr: [1, 1]\n", "the choice '1' is there twice"},
	    {"    params:\n      lr: [1, [2]]\n", "a choice must be a number or a text"},
	    {"    params:\n      lr: lgo(1, 2)\n",
	     "f.yaml:8:11: lr: unknown domain 'lgo', did you mean 'log'?"},
	    {"    params:\n      lr: log(1, 2\n", "has no ')' at its end"},
	    {"    params:\n      lr: log(1)\n", "log with 1 value: write log(low, high)"},
	    {"    params:\n      lr: uniform(1, 2, 3)\n", "uniform with 3 values"},
	    {"    params: {lr: log(1e-3, 1e-1)}\n", "f.yaml:7:18: cut at a comma: inside {..} and [..] YAML "
	                                            "needs quotes around it: \"log(1e-3, 1e-1)\""},
	    {"    params:\n      lr: uniform(2, 1)\n", "lr: low > high"},
	    {"    params:\n      lr: uniform(0, nan)\n", "unknown parameter 'nan'"},
	    {"    params:\n      lr: log(0, 1)\n", "log needs bounds above 0"},
	    {"    params:\n      lr: log(-1, 1)\n", "log needs bounds above 0"},
	    {"    params:\n      lr: logint(0, 9)\n", "logint needs bounds of at least 1"},
	    {"    params:\n      lr: int(1.5, 3)\n", "must be whole numbers"},
	    {"    params:\n      lr: int(1, 3, 0)\n", "the step of int must be a whole number"},
	    {"    params:\n      lr: normal(0, 0)\n", "sigma of normal must be above 0"},
	    {"    params:\n      lr: range(0, 1, 0)\n", "the step of range must not be 0"},
	    {"    params:\n      lr: range(3, 1, 1)\n", "an empty range"},
	    {"    params:\n      lr: linspace(0, 1, 0)\n", "the number of points"},
	    {"    params:\n      lr: logspace(0, 1, 3)\n", "logspace needs bounds above 0"},
	    {"    params:\n      lr: linspace(0, q, 3)\n", "linspace needs plain numbers"},
	    {"    params:\n      lr: choice(a,,b)\n", "an empty choice"},
	    {"    params:\n      lr: uniform(0, hi)\n", "f.yaml:8:11: lr: unknown parameter 'hi'"},
	    {"    params:\n      hidden: [1, 2]\n      lr: uniform(0, hiden)\n", "did you mean 'hidden'?"},
	    {"    params:\n      lr: uniform(0, 1) if\n",
	     "f.yaml:8:27: lr: condition after 'if': the expression ends"},
	    {"    params:\n      lr: uniform(0, 1) if 3 +\n",
	     "the expression ends where a value should follow"},
	    {"    params:\n      lr: uniform(0, 1) if op == sgd\n",
	     "f.yaml:8:28: lr: unknown parameter 'op'"},
	    {"    params:\n      op: [sgd, adam]\n      lr: 3 if op == sdg\n",
	     "f.yaml:9:22: lr: 'sdg' is no choice of 'op', did you mean 'sgd'?"},
	    {"    params:\n      op: [sgd, adam]\n      lr: 3 if op < 2\n", "'op' is a text, not a number"},
	    {"    params:\n      a: int(1, b)\n      b: int(1, a)\n",
	     "the parameters depend on each other in a cycle: a needs b needs a"},
	    {"    params:\n      a: int(1, a)\n", "cycle: a needs a"},
	    {"    params:\n      a: [1]\n    require: [a +]\n", "f.yaml:9:18: require: the expression ends"},
	    {"    params:\n      a: [1]\n    require: [a = 1]\n", "to compare write '=='"},
	    {"    params:\n      a: [1]\n    require: a\n", "f.yaml:9:14: require: no condition"},
	    {"    params:\n      a: [1]\n    require: foo(a) < 1\n", "unknown function 'foo'"},
	    {"    params:\n      a: [1, 2]\n    search: grid\n    require: a > 5\n",
	     "f.yaml:10:14: no point of phase 'p' is feasible"},
	    {"    params:\n      a: uniform(0, 1)\n    trials: 3\n    require: a > 5\n",
	     "no feasible point found for phase 'p'"},
	    {"    params:\n      a: uniform(0, 1)\n", "phase 'p' has no `trials`: say how many"},
	    {"    params:\n      a: [1, 2]\n", "say how many, or use `search: grid`"},
	    {"    params:\n      a: uniform(0, 1)\n    search: grid\n", "grid over the continuous a"},
	    {"    params:\n      a: int(1, 3)\n      b: int(1, a)\n    search: grid\n",
	     "f.yaml:9:10: grid needs plain bounds"},
	    {"    params:\n      a: [1, 2]\n    search: grid\n    enqueue: {a: 1}\n",
	     "`enqueue` must be a list"},
	    {"    params:\n      a: [1, 2]\n    search: grid\n    enqueue: [{b: 1}]\n",
	     "enqueue: phase 'p' has no parameter 'b'"},
	    {"    params:\n      a: [1, 2]\n    search: grid\n    enqueue: [{a: 3}]\n",
	     "enqueue: a=3 does not lie in [1, 2]"},
	    {"    params:\n      a: [1, 2]\n    search: grid\n    enqueue: [{}]\n", "'a' has no value"},
	    {"    params:\n      a: int(1, 2)\n    search: grid\n    enqueue: [{a: x}]\n",
	     "enqueue: a must be a value of int(1, 2)"},
	};

	(void)state;
	check_rows(ROWS(rows), one_phase);
}

static char *command_study(const char *command)
{
	static char text[4096];

	snprintf(
	    text, sizeof text,
	    "study: x\nmetric: m\ngoal: minimize\nphases:\n  p:\n    params:\n      lr: log(1, 2)\n"
	    "      op: [sgd, adam]\n      mo: uniform(0, 1) if op == sgd\n    trials: 3\n    command: %s\n",
	    command);
	return text;
}

static void test_mistakes_in_a_command(void **state)
{
	static const struct row rows[] = {
	    {"\"\"", "the command of phase 'p' is empty"},
	    {"", "`command` must be a text, this is empty"},
	    {"{a: b}", "quote a text that starts with {"},
	    {"prog --lr {rl}", "f.yaml:11:24: unknown placeholder {rl}, did you mean 'lr'?"},
	    {"prog {fodl}", "did you mean 'fold'?"},
	    {"prog {zzzzzzzz}", "are literal braces"},
	    {"prog {mo}", "f.yaml:11:19: {mo} is not always active"},
	    {"prog x{args}", "{args} is several arguments: it must be a word of its own"},
	    {"\"{args}\"", "must start with a program"},
	    {"prog {budget}", "{budget} is what `prune: {asha: ..}` or `hyperband` gives"},
	    {"prog {lr", "f.yaml:11:19: a { without its }"},
	    {"prog lr}", "f.yaml:11:21: a } without its {"},
	    {"prog 'abc", "a quote without its end"},
	    {"prog > out", "f.yaml:11:19: command: no shell reads it, so '>'"},
	    {"prog {q.dir}", "unknown placeholder {q.dir}"},
	    {"[prog, [a]]", "each argument is a text"},
	    {"[prog, f(1, 2)]", "cut at a comma"},
	};

	(void)state;
	check_rows(ROWS(rows), command_study);
}

static void test_mistakes_between_phases(void **state)
{
	static const struct {
		const char *top, *second, *error;
	} rows[] = {
	    {"", "    after: aa\n    command: x\n", "f.yaml:14:12: unknown phase 'aa' in `after`"},
	    {"", "    after: b\n    command: x\n", "f.yaml:14:12: phase 'b' can't come after itself"},
	    {"", "    after: [a, a]\n    command: x\n", "after names 'a' twice"},
	    {"", "    after: {a: besst}\n    command: x\n",
	     "f.yaml:14:16: `a: besst`: a pick is all, best, best N"},
	    {"", "    after: {a: best 0}\n    command: x\n", "a pick is"},
	    {"", "    after: {a: best 3 per}\n    command: x\n", "a pick is"},
	    {"", "    after: {a: best 3 as two}\n    command: x\n", "a pick is"},
	    {"", "    after: {a: best per rl}\n    command: x\n",
	     "best per: phase 'a' has no parameter 'rl'"},
	    {"", "    after: 3:\n", "not valid YAML"},
	    {"", "    after: a\n    command: x\n    metric: best(c)\n",
	     "f.yaml:16:13: `metric: best(c)`: there is no such phase"},
	    {"", "    after: a\n    command: x\n    metric: best(a)\n",
	     "`metric: best(a)`: 'a' does not come after each trial of 'b'"},
	    {"", "    command: x {lr}\n", "unknown placeholder {lr}"},
	    {"", "    command: x {a.dir}\n", "{a.dir}: phase 'b' does not come after 'a': add it to `after`"},
	    {"", "    command: x {a.lr}\n", "phase 'b' does not come after 'a'"},
	    {"", "    after: a\n    command: x {a.rl}\n", "phase 'a' has no parameter 'rl'"},
	    {"", "    after: a\n    command: x {mo}\n", "{mo} is not always active"},
	    {"folds: 5", "    after: a\n    folds: none\n    command: x {a.dir}\n",
	     "'a' has several units here; {a.dirs} names them all"},
	    {"folds: {outer: 2, inner: 3}", "    after: a\n    folds: outer\n    command: x {a.dir}\n",
	     "{a.dirs} names them all"},
	    {"", "    after: {a: best 3 as one}\n    command: x {a.dir}\n", "{a.dirs} names them all"},
	    {"", "    after: {a: best 3 as one}\n    command: x {lr}\n", "'lr' is ambiguous"},
	    {"", "    after: {a: best 3 as one}\n    command: x {a.value}\n",
	     "several trials of 'a' lead here"},
	    {"folds: 5", "    after: a\n    folds: none\n    command: x --in={a.dirs}\n",
	     "it must be a word of its own"},
	    {"folds: {outer: 2, inner: 3, full: true}",
	     "    after: a\n    folds: none\n    command: x\n  c:\n    after: b\n    command: x\n",
	     "whose model has seen the outer test parts"},
	    {"folds: {outer: 2, inner: 3}", "    after: a\n    folds: none\n    command: x\n",
	     "set `folds: {outer: 2, inner: 3, full: true}`"},
	    {"", "    after: a\n    command: x\n    require: rl < 3\n", "did you mean 'lr'?"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct row r = {two_phases(rows[i].top, rows[i].second), rows[i].error};

		check_rows(&r, 1, NULL);
	}
}

static void test_mistakes_of_graphs(void **state)
{
#define HEAD "study: x\nmetric: m\ngoal: minimize\nphases:\n"
	static const struct row rows[] = {
	    {HEAD "  pretrain: {command: x}\n  b: {after: pretrian, command: x}\n",
	     "f.yaml:6:14: unknown phase 'pretrian' in `after`, did you mean 'pretrain'?"},
	    {HEAD "  a: {after: c, command: x}\n  b: {after: a, command: x}\n  c: {after: b, command: x}\n",
	     "f.yaml:5:3: the phases form a cycle: a after c after b after a"},
	    {HEAD "  a: {command: x, params: {lr: 1}}\n  b: {command: x, params: {lr: 2}}\n"
	          "  c: {after: [a, b], command: \"x {lr}\"}\n",
	     "f.yaml:7:34: {lr}: 'lr' is ambiguous: write a.lr or b.lr"},
	    {HEAD "  a: {command: x, metric: none}\n  b: {after: {a: best}, command: x}\n",
	     "f.yaml:6:18: best of 'a': its metric is none"},
	    {HEAD "  a: {command: x, metric: none}\n  b: {after: a, command: \"x {a.value}\"}\n",
	     "the metric of phase 'a' is none"},
	};

	(void)state;
	check_rows(ROWS(rows), NULL);
}

static void test_all_mistakes_in_file_order(void **state)
{
	static const char text[] = "goal: up\nstudy: x\nphases:\n  p:\n    trials: 0\n    command: x {y}\n"
	                           "    metric: 1\n";
	static const char *const places[] = {"f.yaml:1:7:", "f.yaml:5:13:", "f.yaml:6:16:", "f.yaml:7:13:"};
	struct study_errors e;

	(void)state;
	assert_null(parse_n(text, strlen(text), &e));
	assert_int_equal(e.count, 4);
	for (uint32_t i = 0; i < e.count; i++)
		assert_memory_equal(e.items[i].text, places[i], strlen(places[i]));
}

static void test_errors_are_capped(void **state)
{
	char *text = calloc(1, 200000), *p = text;
	struct study_errors e;

	(void)state;
	for (int i = 0; i < 5000; i++)
		p += sprintf(p, "wrong%d: 1\n", i);
	assert_null(parse_n(text, strlen(text), &e));
	assert_int_equal(e.count, 100);
	assert_int_equal(e.count + e.dropped, 5002);
	free(text);
}

/* ---- good ones --------------------------------------------------------------------------------- */

static const char dbn[] =
    "study: dbn-digits\nseed: 7\nmetric: valid_error\ngoal: minimize\naggregate: mean\nfolds: 5\n"
    "defaults: {retries: 2, timeout: 10m, cpus: 1}\nenv: {OMP_PROC_BIND: close}\n"
    "setup: . ~/venv/bin/activate\nphases:\n"
    "  pretrain:\n    command: dbn pretrain --lr {lr} --hidden {hidden} --save {dir}/rbm --k {fold}\n"
    "    metric: recon_error\n    params:\n      lr: log(1e-3, 1e-1)\n      hidden: [64, 128, 256]\n"
    "    search: random\n    trials: 6\n"
    "  finetune:\n    after: pretrain\n    command: dbn finetune --load {pretrain.dir}/rbm --lr {lr}\n"
    "    params:\n      lr: log(1e-3, 1)\n      l2: log(1e-6, 1e-2)\n    trials: 5\n    timeout: 1h\n"
    "  repretrain:\n    after: {finetune: best}\n    folds: none\n"
    "    command: dbn pretrain --lr {pretrain.lr} --hidden {hidden} --save {dir}/rbm\n    metric: none\n"
    "  retrain:\n    after: repretrain\n    folds: none\n    metric: test_error\n"
    "    command: dbn finetune --load {repretrain.dir}/rbm --lr {finetune.lr} --epochs "
    "{finetune.best_step}\n";

static void test_the_dbn_study(void **state)
{
	const struct study *s = good(dbn);
	const struct study_phase *p = s->phases;

	(void)state;
	assert_string_equal(s->name, "dbn-digits");
	assert_int_equal(s->seed, 7);
	assert_int_equal(s->folds.inner, 5);
	assert_int_equal(s->nphases, 4);
	assert_string_equal(p[0].metric, "recon_error");
	assert_int_equal(p[0].search, SEARCH_RANDOM);
	assert_int_equal(p[0].trials, 6);
	assert_true(p[0].makes_dir && !p[1].makes_dir && p[2].makes_dir && !p[3].makes_dir);
	assert_int_equal(p[0].limits.timeout_ms, 600000);
	assert_int_equal(p[1].limits.timeout_ms, 3600000);
	assert_int_equal(p[1].limits.retries, 2);
	assert_int_equal(p[1].search, SEARCH_AUTO);
	assert_true(p[1].search_auto);
	assert_int_equal(p[2].after[0].pick, PICK_BEST);
	assert_int_equal(p[2].after[0].best_n, 1);
	assert_int_equal(p[2].trials, 1);
	assert_null(p[2].metric);
	assert_true(p[3].ancestor[0] && p[3].ancestor[1] && p[3].ancestor[2] && !p[3].ancestor[3]);
	assert_int_equal(study_units_per_trial(s, &p[0]), 5);
	assert_int_equal(study_units_per_trial(s, &p[3]), 1);
	assert_string_equal(p[0].env[0].name, "OMP_PROC_BIND");
	assert_string_equal(p[0].setup, ". ~/venv/bin/activate");
	assert_ptr_equal(study_find_phase(s, "retrain"), &p[3]);
	assert_null(study_find_phase(s, "nope"));
}

static void test_phases_are_sorted_by_after(void **state)
{
	const struct study *s =
	    good("study: x\nmetric: none\nphases:\n  c: {after: b, command: x}\n  b: {after: a, command: x}\n"
	         "  d: {command: x}\n  a: {command: x}\n");

	(void)state;
	for (uint32_t i = 0; i < s->nphases; i++) {
		assert_int_equal(s->phases[i].index, i);
		for (uint32_t k = 0; k < s->phases[i].nafter; k++)
			assert_true(s->phases[i].after[k].phase < i);
	}
	assert_int_equal(study_find_phase(s, "c")->after[0].phase, study_find_phase(s, "b")->index);
}

static void test_picks(void **state)
{
	const struct study *s;
	const struct after *x;

	(void)state;
	s = good(two_phases("", "    after: {a: best 3 per lr}\n    command: x\n"));
	x = s->phases[1].after;
	assert_int_equal(x->best_n, 3);
	assert_int_equal(x->nper, 1);
	assert_int_equal(x->per[0], 0);
	assert_int_equal(x->per_phase[0], 0);
	s = good(two_phases("folds: 2", "    after: {a: best 3 as one}\n    command: x {a.dirs}\n"));
	assert_true(s->phases[1].after->as_one);
	assert_true(s->phases[0].makes_dir);
	assert_int_equal(s->phases[1].nvisible, 0);
	s = good(two_phases("", "    after: {a: all}\n    command: x {mo|0}\n"));
	assert_int_equal(s->phases[1].after->pick, PICK_ALL);
}

static void test_search_programs(void **state)
{
	static const struct {
		const char *search, *text, *words[4];
		int64_t answer_ms;
	} rows[] = {
	    {"{program: ./a}", "./a", {"./a"}, 60000},
	    {"{program: \"python3 'my sampler.py' -x\"}",
	     "python3 'my sampler.py' -x",
	     {"python3", "my sampler.py", "-x"},
	     60000},
	    {"{timeout: 2m, program: [a, '', '{\"b\": 1}']}",
	     "a '' '{\"b\": 1}'",
	     {"a", "", "{\"b\": 1}"},
	     120000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char lines[256];
		const struct study_phase *p;

		snprintf(lines, sizeof lines,
		         "    params: {a: \"uniform(0, 1)\"}\n    trials: 7\n    search: %s\n",
		         rows[i].search);
		p = good(one_phase(lines))->phases;
		assert_int_equal(p->search, SEARCH_PROGRAM);
		assert_true(search_learns(p->search) && !p->search_auto);
		assert_string_equal(p->program_text, rows[i].text);
		assert_int_equal(p->answer_ms, rows[i].answer_ms);
		for (size_t k = 0; k < 4 && rows[i].words[k]; k++)
			assert_string_equal(p->program[k], rows[i].words[k]);
	}
	assert_string_equal(search_text(SEARCH_PROGRAM), "program");
}

/* Which phases run in the search over all data. */
static void test_full_search(void **state)
{
	const struct study *s = good("study: x\nmetric: m\ngoal: minimize\n"
	                             "folds: {outer: 3, inner: 2, full: true}\nphases:\n"
	                             "  a: {command: x}\n  b: {after: a, command: x}\n"
	                             "  c: {after: b, folds: outer, command: x}\n"
	                             "  d: {after: b, folds: none, command: x}\n  e: {command: x}\n");

	(void)state;
	assert_true(s->phases[0].in_full && s->phases[1].in_full);
	assert_false(study_find_phase(s, "c")->in_full);
	assert_false(study_find_phase(s, "d")->in_full);
	assert_false(study_find_phase(s, "e")->in_full);
	s = good("study: x\nmetric: m\ngoal: minimize\nfolds: {outer: 3, inner: 2, full: true}\nphases:\n"
	         "  a: {command: x}\n  b: {after: a, folds: outer, command: x}\n");
	assert_true(s->phases[0].in_full && !s->phases[1].in_full);
}

static void test_auto_search(void **state)
{
	static const struct {
		const char *lines;
		enum search_kind search;
		int64_t trials;
	} rows[] = {
	    {"    params: {a: [1, 2], b: [3, 4]}\n    trials: 4\n", SEARCH_GRID, 4},
	    {"    params: {a: [1, 2], b: [3, 4]}\n    trials: 3\n", SEARCH_AUTO, 3},
	    {"    params: {a: \"uniform(0, 1)\"}\n    trials: 300\n", SEARCH_AUTO, 300},
	    {"    params: {a: [1, 2]}\n    search: grid\n", SEARCH_GRID, INT64_MAX},
	    {"    params: {a: 3}\n", SEARCH_GRID, 1},
	    {"", SEARCH_GRID, 1},
	    {"    search: random\n    trials: 7\n", SEARCH_RANDOM, 7},
	    {"    params: {a: \"uniform(0, 1)\"}\n    search: tpe\n    trials: 7\n", SEARCH_TPE, 7},
	    {"    params: {a: \"uniform(0, 1)\"}\n    search: cmaes\n    trials: 7\n", SEARCH_CMAES, 7},
	    {"    params: {a: \"uniform(0, 1)\"}\n    search: gp\n    trials: 7\n", SEARCH_GP, 7},
	    {"    params: {a: \"uniform(0, 1)\"}\n    metric: none\n    trials: 7\n", SEARCH_SOBOL, 7},
	    {"    params: {a: 3}\n    search: tpe\n    trials: 7\n", SEARCH_RANDOM, 7},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct study *s = good(one_phase(rows[i].lines));

		assert_int_equal(s->phases[0].search, rows[i].search);
		assert_int_equal(s->phases[0].trials, rows[i].trials);
	}
}

static void test_judged_phases(void **state)
{
	const struct study *s = good("study: x\nphases:\n"
	                             "  p: {command: \"x {args}\", metric: best(q), params: {a: \"uniform(0, "
	                             "1)\"}, trials: 5}\n"
	                             "  q: {command: y, metric: m, goal: maximize, after: p}\n");

	(void)state;
	assert_true(s->phases[0].judged && s->phases[1].judges);
	assert_int_equal(s->phases[0].judge, 1);
	assert_int_equal(s->phases[0].goal, GOAL_MAXIMIZE);
	assert_int_equal(s->phases[0].search, SEARCH_AUTO);
	assert_null(s->phases[0].metric);
}

#define TWO "study: x\nmetrics: {err: minimize, acc: maximize}\nphases:\n"

static void test_several_metrics(void **state)
{
	const struct study *s = good(
	    TWO "  p: {command: \"x {args}\", params: {a: \"uniform(0, 1)\"}, trials: 5}\n"
	        "  q: {command: \"y {p.best_step}\", metric: m, goal: maximize, after: {p: best 2 by acc}}\n"
	        "  r: {command: z, metrics: {m: maximize}, after: {q: best by m as one}}\n"
	        "  u: {command: z, metric: none}\n");

	(void)state;
	assert_int_equal(s->phases[0].nmore, 1);
	assert_string_equal(s->phases[0].metric, "err");
	assert_int_equal(s->phases[0].goal, GOAL_MINIMIZE);
	assert_string_equal(s->phases[0].more[0].metric, "acc");
	assert_int_equal(s->phases[0].more[0].goal, GOAL_MAXIMIZE);
	assert_int_equal(s->phases[0].search, SEARCH_NSGA2);
	assert_int_equal(s->phases[1].after[0].objective, 1);
	assert_int_equal(s->phases[1].after[0].best_n, 2);
	assert_int_equal(s->phases[1].nmore, 0);
	assert_int_equal(s->phases[1].goal, GOAL_MAXIMIZE);
	assert_int_equal(s->phases[2].nmore, 0);
	assert_string_equal(s->phases[2].metric, "m");
	assert_int_equal(s->phases[2].after[0].objective, 0);
	assert_null(s->phases[3].metric);
	assert_int_equal(s->phases[3].nmore, 0);
	assert_int_equal(study_find_objective(&s->phases[0], "acc"), 1);
	assert_int_equal(study_find_objective(&s->phases[0], "a"), -1);
	assert_int_equal(study_find_objective(&s->phases[3], "a"), -1);
}

static void test_mistakes_in_several_metrics(void **state)
{
	static const struct row rows[] = {
	    {"study: x\nmetrics: err\nphases: {p: {command: x}}\n",
	     "f.yaml:2:10: `metrics` must be a map of 1 to 8 metrics"},
	    {"study: x\nmetrics: {}\nphases: {p: {command: x}}\n", "must be a map of 1 to 8 metrics"},
	    {"study: x\nmetrics: {a: best}\nphases: {p: {command: x}}\n", "f.yaml:2:14: "},
	    {"study: x\nmetrics: {1a: minimize}\nphases: {p: {command: x}}\n",
	     "f.yaml:2:11: `metrics: 1a`: a name of at most"},
	    {"study: x\nmetrics: {a: minimize}\nmetric: a\ngoal: minimize\nphases: {p: {command: x}}\n",
	     "f.yaml:3:1: `metric` and `metrics`: say one of them"},
	    {TWO "  p: {command: x, goal: minimize}\n",
	     "f.yaml:4:25: `goal` with `metrics`: each of them has its own"},
	    {TWO "  p: {command: x, metric: m}\n", "f.yaml:4:27: metric 'm' needs a `goal`"},
	    {TWO "  p: {command: x, report: best}\n",
	     "f.yaml:4:27: `report: best` in phase 'p' with several"},
	    {TWO "  p: {command: \"x {dir}\", keep: best 2}\n", "`keep: best` in phase 'p' with several"},
	    {TWO "  p: {command: x, prune: {median: {}}}\n", "`prune` in phase 'p' with several metrics"},
	    {TWO "  p: {command: \"x {a}\", params: {a: \"uniform(0, 1)\"}, trials: 5, search: tpe}\n",
	     "`search: tpe` learns from one metric, and phase 'p' has several: use nsga2"},
	    {TWO "  p: {command: x}\n  q: {command: y, after: {p: best}}\n",
	     "f.yaml:5:30: best of 'p': it has several metrics, so say by which, as in `best by err`"},
	    {TWO "  p: {command: x}\n  q: {command: y, after: {p: best by loss}}\n",
	     "f.yaml:5:30: best by: 'loss' is no metric of phase 'p'"},
	    {TWO "  p: {command: x}\n  q: {command: y, after: {p: best by}}\n", "a pick is"},
	    {TWO "  p: {command: x}\n  q: {command: \"y {p.value}\", after: p}\n",
	     "{p.value}: phase 'p' has several metrics"},
	    {TWO "  p: {command: x, metric: best(q)}\n  q: {command: y, after: p}\n",
	     "`metric: best(q)`: it has several metrics, so no trial is best"},
	    {"study: x\nstop: {target: 1}\nmetrics: {a: minimize, b: minimize}\nphases: {p: {command: x}}\n",
	     "f.yaml:2:16: `stop: target` with several metrics"},
	};

	(void)state;
	check_rows(ROWS(rows), NULL);
}

static void test_edits_of_several_metrics(void **state)
{
	static const char *const others[] = {
	    "study: x\nmetrics: {err: minimize, acc: minimize}\nphases:\n",
	    "study: x\nmetrics: {err: minimize, acs: maximize}\nphases:\n",
	    "study: x\nmetrics: {err: minimize}\nphases:\n",
	};
	static const char phases[] = "  p: {command: x}\n  q: {command: y, after: {p: best by err}}\n";
	const struct study *was = good(arena_printf(&arena, "%s%s", TWO, phases));
	struct fault f = {0};

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		assert_int_equal(
		    study_compare(was, good(arena_printf(&arena, "%s%s", others[i], phases)), true, NULL, &f),
		    -1);
		assert_non_null(strstr(f.text, "`metrics` of phase 'p'"));
	}
	assert_int_equal(study_compare(was,
	                               good(TWO "  p: {command: x}\n"
	                                        "  q: {command: y, after: {p: best by acc}}\n"),
	                               true, NULL, &f),
	                 -1);
	assert_non_null(strstr(f.text, "`after` of phase 'q'"));
}

static void test_reproducible(void **state)
{
	(void)state;
	assert_int_equal(good(one_phase(""))->reproducible, 0);
	assert_int_equal(
	    good("study: x\nreproducible: true\nphases: {p: {command: x, metric: none}}\n")->reproducible,
	    REPRODUCIBLE_LAG);
	assert_int_equal(
	    good("study: x\nreproducible: 3\nphases: {p: {command: x, metric: none}}\n")->reproducible, 3);
	assert_int_equal(
	    good("study: x\nreproducible: false\nphases: {p: {command: x, metric: none}}\n")->reproducible,
	    0);
}

static void test_limits_and_the_rest(void **state)
{
	const struct study *s = good(one_phase(
	    "    timeout: 1d12h\n    stall: 90\n    memory: 4G\n    gpus: 1\n    keep: best 3\n"
	    "    retry_on: [exit, no_metric]\n    lost_limit: 9\n    grace: 2s\n"
	    "    checkpoint: true\n    report: best\n    env: {A: b}\n    capture: {m: 'x=(\\S+)'}\n"
	    "    params: {a: [1, 2], b: 3}\n    search: grid\n    enqueue: [{a: 2}, {a: 1, b: 3}]\n"));
	const struct study_phase *p = s->phases;
	char buf[TEXT_NUMBER];

	(void)state;
	assert_int_equal(p->limits.timeout_ms, 36 * 3600 * 1000);
	assert_int_equal(p->limits.stall_ms, 90000);
	assert_true(p->limits.memory_bytes == 4LL << 30);
	assert_int_equal(p->limits.keep_best, 3);
	assert_int_equal(p->limits.retry_on, 1u << REASON_EXIT | 1u << REASON_NO_METRIC);
	assert_true(p->limits.checkpoint && p->makes_dir);
	assert_int_equal(p->report, REPORT_BEST);
	assert_string_equal(p->captures[0].pattern, "x=(\\S+)");
	assert_int_equal(p->nenqueue, 2);
	assert_string_equal(value_text(&p->enqueue[0], buf), "2");
	assert_string_equal(value_text(&p->enqueue[1], buf), "3");
	assert_string_equal(reason_text(REASON_NO_METRIC), "no_metric");
}

static void test_mistakes_in_races(void **state)
{
	static const struct row rows[] = {
	    {"study: x\nmetric: m\ngoal: minimize\nfolds: 65\nphases: {p: {command: a, prune: {race: {}}}}\n",
	     "`race` in phase 'p' with 65 folds: it takes at most 64"},
	    {"study: x\nmetric: m\ngoal: minimize\nfolds: 3\nphases:\n"
	     "  p: {command: a, folds: none, prune: {race: {}}}\n",
	     "f.yaml:6:40: `race` in phase 'p', whose trials have one unit"},
	    {"study: x\nmetric: m\ngoal: minimize\nfolds: 3\nphases:\n"
	     "  p: {command: 'a {h}', params: {h: [1, 2]}, prune: {race: {}}}\n"
	     "  q: {command: a, after: {p: best 1 per h}}\n",
	     "`race` in phase 'p', of which 'q' picks the best of each group (`per`)"},
	    {"study: x\nmetric: m\ngoal: minimize\nfolds: 3\nphases:\n"
	     "  p: {command: 'a {h}', metric: best(q), params: {h: [1, 2]}}\n"
	     "  q: {command: a, after: p, prune: {race: {}}}\n",
	     "`race` in phase 'q', whose best trial is the `metric` of a phase before"},
	};

	(void)state;
	check_rows(ROWS(rows), NULL);
}

static const struct prune *prune_of(const char *lines)
{
	return good(one_phase(lines))->phases[0].prune;
}

static void test_prune(void **state)
{
	const struct prune *p = prune_of("    prune: {median: {}, threshold: {upper: 10}, patience: 7}\n");
	const struct study *s;

	(void)state;
	assert_int_equal(p->rules, PRUNE_MEDIAN | PRUNE_THRESHOLD | PRUNE_PATIENCE);
	assert_true(p->median.share == 0.5 && p->median.startup == 5 && p->median.warmup == 0);
	assert_true(p->median.interval == 1 && p->median.least == 1);
	assert_true(p->upper == 10 && isinf(p->lower) && p->patience == 7);
	p = prune_of(
	    "    prune: {percentile: {percent: 25, startup: 3, warmup: 2, interval: 5, min_trials: 4}}\n");
	assert_true(p->percentile.share == 0.25 && p->percentile.startup == 3 && p->percentile.warmup == 2);
	assert_true(p->percentile.interval == 5 && p->percentile.least == 4);
	p = prune_of("    prune: {asha: {max: 81, type: stop}}\n");
	assert_true(!p->promote && p->min == 3 && p->max == 81 && p->eta == 3 && p->nrungs == 4);
	assert_null(prune_of("    prune: none\n"));
	s = good("study: x\nmetric: m\ngoal: minimize\nphases:\n  p:\n    command: a {budget}\n"
	         "    prune: {hyperband: {resource: epochs, min: 1, max: 20, eta: 4}}\n");
	p = s->phases[0].prune;
	assert_true(p->promote && p->nrungs == 4 && p->rules == PRUNE_HYPERBAND);
	assert_string_equal(p->resource, "epochs");
	assert_true(s->phases[0].makes_dir); /* where it goes on from */
	good("study: x\nmetric: none\nphases: {p: {command: 'a {budget|9}'}}\n");
	s = good("study: x\nmetric: m\ngoal: minimize\nfolds: 5\nphases:\n"
	         "  p: {command: a, prune: {race: {}}}\n"
	         "  q: {command: a, prune: {race: {best: 1}, median: {}}}\n");
	p = s->phases[0].prune;
	assert_true(p->rules == PRUNE_RACE && !p->has_best);
	p = s->phases[1].prune;
	assert_true(p->rules == (PRUNE_RACE | PRUNE_MEDIAN) && p->has_best && p->best == 1);
}

static const struct study *pruned(const char *prune)
{
	static char text[1000];

	snprintf(
	    text, sizeof text,
	    "study: x\nmetric: m\ngoal: minimize\nfolds: 3\nphases:\n  p:\n    command: a {budget|1}\n%s",
	    prune);
	return good(text);
}

static void test_edits_of_prune(void **state)
{
	static const char *const texts[] = {"",
	                                    "    prune: {median: {}}\n",
	                                    "    prune: {median: {startup: 6}}\n",
	                                    "    prune: {asha: {max: 9}}\n",
	                                    "    prune: {asha: {max: 27}}\n",
	                                    "    prune: {asha: {max: 9}, median: {}}\n",
	                                    "    prune: {race: {}}\n",
	                                    "    prune: {race: {best: 0}}\n"};
	/* 0: as it was, 1: with --accept, 2: never */
	static const char want[] = "01122211"
	                           "10122211"
	                           "11022211"
	                           "22202122"
	                           "22220222"
	                           "22212022"
	                           "11122201"
	                           "11122210";
	const int n = sizeof texts / sizeof *texts;

	(void)state;
	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++) {
			const struct study *was = pruned(texts[i]), *now = pruned(texts[k]);
			struct fault f = {0};
			int got = 2 + study_compare(was, now, true, NULL, &f) +
			          study_compare(was, now, false, NULL, &f);

			if (2 - got != want[n * i + k] - '0' ||
			    (got < 2 && !strstr(f.text, "`prune` of phase")))
				fail_msg("%d -> %d: %d, %s", i, k, 2 - got, f.text);
		}
}

static void test_json_is_yaml(void **state)
{
	(void)state;
	good("{\"study\": \"x\", \"metric\": \"none\",\n \"phases\": {\"p\": {\"command\": [\"a\", "
	     "\"{fold}\"]}}}");
}

/* ---- edits ------------------------------------------------------------------------------------- */

static char *edit(const char *from, const char *to)
{
	static char text[sizeof dbn + 1000];
	const char *at = strstr(dbn, from);

	assert_non_null(at);
	snprintf(text, sizeof text, "%.*s%s%s", (int)(at - dbn), dbn, to, at + strlen(from));
	return text;
}

static void test_edits(void **state)
{
	static const struct {
		const char *from, *to;
		int plain, accepted;
		const char *says;
	} rows[] = {
	    {"seed: 7", "seed: 7", 0, 0, NULL},
	    {"seed: 7", "seed: 8", -1, -1, "`seed`"},
	    {"folds: 5", "folds: 6", -1, -1, "`folds`"},
	    {"study: dbn-digits", "study: other", -1, -1, "`study`"},
	    {"trials: 6", "trials: 8", 0, 0, NULL},
	    {"trials: 6", "trials: 5", -1, 0, "`trials` of phase 'pretrain'"},
	    {"timeout: 1h", "timeout: 2h", 0, 0, NULL},
	    {"retries: 2", "retries: 3", 0, 0, NULL},
	    {"close", "spread", -1, 0, "`env`"},
	    {"--k {fold}", "--j {fold}", -1, 0, "`command` of phase 'pretrain'"},
	    {"pretrain --lr {lr} --hidden", "'pretrain'  --lr {lr} --hidden", 0, 0, NULL},
	    {"log(1e-3, 1e-1)", "log(0.001,  0.1)", 0, 0, NULL},
	    {"log(1e-3, 1e-1)", "log(1e-3, 1)", -1, 0, "`params` of phase 'pretrain'"},
	    {"[64, 128, 256]", "[64, 128]", -1, 0, "`params`"},
	    {"      l2: log(1e-6, 1e-2)\n", "", -1, -1, "the parameters of phase 'finetune'"},
	    {"{finetune: best}", "{finetune: best 2}", -1, -1, "`after` of phase 'repretrain'"},
	    {"metric: recon_error", "metric: other", -1, -1, "`metric`"},
	    {"search: random", "search: sobol", -1, 0, "`search`"},
	    {"search: random", "search: {program: a}", -1, 0, "`search`"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct study *was = good(dbn), *now = good(edit(rows[i].from, rows[i].to));
		struct fault f = {0};

		assert_int_equal(study_compare(was, now, true, NULL, &f), rows[i].accepted);
		if (study_compare(was, now, false, NULL, &f) != rows[i].plain)
			fail_msg("%s -> %s: %s", rows[i].from, rows[i].to, f.text);
		if (rows[i].says && !strstr(f.text, rows[i].says))
			fail_msg("got %s, want %s", f.text, rows[i].says);
	}
}

static void test_edit_tells_changed_domains(void **state)
{
	const struct study *was = good(dbn), *now = good(edit("[64, 128, 256]", "[64, 512]"));
	bool changed[4] = {false, true, true, true};

	(void)state;
	assert_int_equal(study_compare(was, now, true, changed, NULL), 0);
	assert_true(changed[0] && !changed[1] && !changed[2] && !changed[3]);
}

static void test_auto_keeps_what_was_stored(void **state)
{
	char *few = strdup(one_phase("    params: {a: [1, 2], b: [3, 4]}\n    trials: 3\n"));
	const struct study *was = good(few);
	const struct study *now = good(one_phase("    params: {a: [1, 2], b: [3, 4]}\n    trials: 9\n"));
	struct study_phase *phases = (struct study_phase *)now->phases;

	(void)state;
	assert_int_equal(now->phases[0].search, SEARCH_GRID);
	assert_int_equal(study_compare(was, now, false, NULL, NULL), 0);
	study_keep_search(was, phases, now->nphases);
	assert_int_equal(now->phases[0].search, SEARCH_AUTO);
	free(few);
}

/* ---- hostile files ----------------------------------------------------------------------------- */

static void hostile(const char *unit, size_t times, const char *front)
{
	size_t n = strlen(unit), m = strlen(front);
	char *text = malloc(n * times + m + 1);
	struct study_errors e;

	memcpy(text, front, m);
	for (size_t i = 0; i < times; i++)
		memcpy(text + m + i * n, unit, n);
	arena_finish(&arena);
	parse_n(text, n * times + m, &e);
	free(text);
}

static void test_hostile_files(void **state)
{
	(void)state;
	hostile("[", 100000, "");
	hostile("{a: ", 100000, "");
	hostile("- ", 100000, "");
	hostile("(", 100000, "study: x\nmetric: none\nphases: {p: {command: x, require: \"");
	hostile("#", 5000000, "");
	hostile("a", 5000000, "study: ");
	hostile("{lr}", 1000000, "study: x\nmetric: none\nphases: {p: {command: \"");
	hostile("{ ", 1000000, "study: x\nmetric: none\nphases:\n  p:\n    command: x ");
	hostile("- 1\n", 1000000, "study: x\nphases:\n");
	hostile("'", 1000000, "study: ");
	hostile("{a: [", 200, "");
	hostile("{ ", 1000000, "study: ");
	hostile("f(1, ", 200000, "{a: ");
	hostile("{x: f(1, 2)}\n- ", 100000, "- ");
	hostile("\n", 5000000, "");
	hostile("\t", 1000000, "a:");
	hostile("-", 1000000, "study: x\nmetric: none\nphases:\n  p:\n    command: x\n    require: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_mistakes_of_yaml, reset),
	    cmocka_unit_test_teardown(test_mistakes_at_the_top, reset),
	    cmocka_unit_test_teardown(test_mistakes_in_a_phase, reset),
	    cmocka_unit_test_teardown(test_mistakes_in_a_command, reset),
	    cmocka_unit_test_teardown(test_mistakes_between_phases, reset),
	    cmocka_unit_test_teardown(test_mistakes_of_graphs, reset),
	    cmocka_unit_test_teardown(test_all_mistakes_in_file_order, reset),
	    cmocka_unit_test_teardown(test_errors_are_capped, reset),
	    cmocka_unit_test_teardown(test_the_dbn_study, reset),
	    cmocka_unit_test_teardown(test_phases_are_sorted_by_after, reset),
	    cmocka_unit_test_teardown(test_picks, reset),
	    cmocka_unit_test_teardown(test_full_search, reset),
	    cmocka_unit_test_teardown(test_judged_phases, reset),
	    cmocka_unit_test_teardown(test_several_metrics, reset),
	    cmocka_unit_test_teardown(test_mistakes_in_several_metrics, reset),
	    cmocka_unit_test_teardown(test_edits_of_several_metrics, reset),
	    cmocka_unit_test_teardown(test_reproducible, reset),
	    cmocka_unit_test_teardown(test_auto_search, reset),
	    cmocka_unit_test_teardown(test_search_programs, reset),
	    cmocka_unit_test_teardown(test_limits_and_the_rest, reset),
	    cmocka_unit_test_teardown(test_mistakes_in_races, reset),
	    cmocka_unit_test_teardown(test_prune, reset),
	    cmocka_unit_test_teardown(test_edits_of_prune, reset),
	    cmocka_unit_test_teardown(test_json_is_yaml, reset),
	    cmocka_unit_test_teardown(test_edits, reset),
	    cmocka_unit_test_teardown(test_edit_tells_changed_domains, reset),
	    cmocka_unit_test_teardown(test_auto_keeps_what_was_stored, reset),
	    cmocka_unit_test_teardown(test_hostile_files, reset),
	};

	return cmocka_run_group_tests_name("study", tests, NULL, NULL);
}
