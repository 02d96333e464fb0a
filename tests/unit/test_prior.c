/* Rows from elsewhere against the spaces of a study: what fits, what does not, and what is stored of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "prior.h"
#include "text.h"

#include <math.h>
#include <string.h>

#define HEAD "study: s\nseed: 1\nmetric: loss\ngoal: minimize\n"
static const char two_phases[] = HEAD "phases:\n"
                                      "  pre:\n"
                                      "    command: t {lr} {hidden}\n"
                                      "    params: {lr: 'log(1e-4, 1)', hidden: 'int(1, 64)'}\n"
                                      "    search: tpe\n"
                                      "    trials: 3\n"
                                      "  fine:\n"
                                      "    after: pre\n"
                                      "    command: t {args}\n"
                                      "    params:\n"
                                      "      lr: log(1e-4, 1)\n"
                                      "      opt: [adam, sgd]\n"
                                      "      m: uniform(0, 1) if opt == sgd\n"
                                      "      n: int(2, 10, 2)\n"
                                      "      c: 5\n"
                                      "      w: ['', a, 0.10]\n"
                                      "    require: [lr * n < 4]\n"
                                      "    search: gp\n"
                                      "    trials: 5\n";
static const char leaning[] = HEAD "phases:\n"
                                   "  pre:\n"
                                   "    command: t {hidden}\n"
                                   "    params: {hidden: 'int(1, 64)'}\n"
                                   "    search: tpe\n"
                                   "    trials: 3\n"
                                   "  fine:\n"
                                   "    after: pre\n"
                                   "    command: t {h}\n"
                                   "    params: {h: 'int(1, hidden)'}\n"
                                   "    search: tpe\n"
                                   "    trials: 5\n";
static const char nested[] = HEAD "folds: {outer: 3, inner: 2}\nphases:\n"
                                  "  fine:\n"
                                  "    command: t {x} {fold} {outer_fold}\n"
                                  "    params: {x: 'uniform(0, 1)'}\n"
                                  "    search: tpe\n"
                                  "    trials: 5\n";

static const struct study *study_of(struct arena *a, const char *text)
{
	const struct study *s;
	struct study_errors e = {0};

	if (study_parse(a, "f.yaml", text, strlen(text), &s, &e))
		fail_msg("%s", e.items[0].text);
	return s;
}

enum { COLUMNS_MAX = 10 };

/* "lr=0.1 opt=sgd" */
static enum prior_misfit read_pairs(struct arena *a, const struct study *s, const char *pairs,
                                    const char *value, const char *outer, struct prior *out, const char **why)
{
	const struct study_phase *p = study_find_phase(s, "fine");
	struct prior_param params[COLUMNS_MAX];
	const char *cells[COLUMNS_MAX];
	struct prior_row row = {value, outer, cells};
	uint32_t n = 0;
	char *text = arena_strdup(a, pairs), *at = NULL;

	for (char *w = strtok_r(text, " ", &at); w; w = strtok_r(NULL, " ", &at)) {
		char *eq = strchr(w, '=');

		*eq = 0;
		assert_true(n < COLUMNS_MAX && prior_find_param(s, p, w, &params[n]));
		cells[n++] = eq + 1;
	}
	return prior_read(a, s, p, params, n, &row, out, why);
}

static void rows_fit_or_do_not(void **state)
{
	static const struct {
		const char *study, *pairs, *value, *outer;
		enum prior_misfit want;
		const char *why; /* or the values as JSON */
	} rows[] = {
	    {two_phases, "lr=0.1 opt=adam n=4", "0.5", "", PRIOR_FITS,
	     "{\"lr\": 0.1, \"opt\": \"adam\", \"n\": 4, \"c\": 5, \"w\": \"\"}"},
	    {two_phases, "fine.lr=0.1 opt=sgd m=0.5 n=4.0 c=5 w=a", "-1e300", "", PRIOR_FITS,
	     "{\"lr\": 0.1, \"opt\": \"sgd\", \"m\": 0.5, \"n\": 4, \"c\": 5, \"w\": \"a\"}"},
	    /* a value where there can be none is passed over; numbers are the same in any writing */
	    {two_phases, "lr=1e-1 opt=adam m=0.5 n=4 w=.1", "1", "", PRIOR_FITS,
	     "{\"lr\": 0.1, \"opt\": \"adam\", \"n\": 4, \"c\": 5, \"w\": 0.1}"},
	    /* what is known of the phase before */
	    {two_phases, "lr=0.1 opt=adam n=4 hidden=8 pre.lr=0.2", "1", "", PRIOR_FITS,
	     "{\"lr\": 0.1, \"opt\": \"adam\", \"n\": 4, \"c\": 5, \"w\": \"\", \"pre.lr\": 0.2, \"hidden\": "
	     "8}"},
	    {two_phases, "lr=0.1 opt=adam n=4 hidden=many", "1", "", PRIOR_FITS,
	     "{\"lr\": 0.1, \"opt\": \"adam\", \"n\": 4, \"c\": 5, \"w\": \"\"}"},
	    {two_phases, "lr=0.1 opt=adam n=4", "", "", PRIOR_VALUE, "it is empty"},
	    {two_phases, "lr=0.1 opt=adam n=4", "nan", "", PRIOR_VALUE, "`nan`"},
	    {two_phases, "lr=0.1 opt=adam n=4", "-inf", "", PRIOR_VALUE, "`-inf`"},
	    {two_phases, "lr=0.1 opt=adam n=4", "0,5", "", PRIOR_VALUE, "`0,5`"},
	    {two_phases, "opt=adam n=4", "1", "", PRIOR_MISSING, "no value of lr"},
	    {two_phases, "lr= opt=adam n=4", "1", "", PRIOR_MISSING, "no value of lr"},
	    {two_phases, "lr=0.1 opt=sgd n=4", "1", "", PRIOR_MISSING, "no value of m"},
	    {two_phases, "lr=2 opt=adam n=4", "1", "", PRIOR_DOMAIN, "lr=2 does not lie in log(0.0001, 1)"},
	    {two_phases, "lr=x opt=adam n=4", "1", "", PRIOR_DOMAIN, "lr=x is no value of log(0.0001, 1)"},
	    {two_phases, "lr=0.1 opt=lbfgs n=4", "1", "", PRIOR_DOMAIN,
	     "opt=lbfgs does not lie in [adam, sgd]"},
	    {two_phases, "lr=0.1 opt=adam n=5", "1", "", PRIOR_DOMAIN, "n=5 does not lie in int(2, 10, 2)"},
	    {two_phases, "lr=0.1 opt=adam n=4.5", "1", "", PRIOR_DOMAIN,
	     "n=4.5 is no value of int(2, 10, 2)"},
	    {two_phases, "lr=0.1 opt=adam n=4 c=6", "1", "", PRIOR_DOMAIN, "c=6 does not lie in 5"},
	    {two_phases, "lr=1 opt=adam n=4", "1", "", PRIOR_REQUIRE, "`require: lr * n < 4` does not hold"},
	    /* bounds that hang on the phase before */
	    {leaning, "h=3", "1", "", PRIOR_MISSING, "no value of pre.hidden"},
	    {leaning, "h=3 hidden=4", "1", "", PRIOR_FITS, "{\"h\": 3, \"hidden\": 4}"},
	    {leaning, "h=3 hidden=2", "1", "", PRIOR_DOMAIN, "h=3 does not lie in int(1, hidden)"},
	    {nested, "x=0.5", "1", "2", PRIOR_FITS, "{\"x\": 0.5}"},
	    {nested, "x=0.5", "1", "3", PRIOR_OUTER, "outer fold 3"},
	    {nested, "x=0.5", "1", "-1", PRIOR_OUTER, "outer fold -1"},
	    {nested, "x=0.5", "1", "one", PRIOR_OUTER, "outer fold one"},
	    {two_phases, "lr=0.1 opt=adam n=4", "1", "7", PRIOR_FITS, /* no outer folds here: one for all */
	     "{\"lr\": 0.1, \"opt\": \"adam\", \"n\": 4, \"c\": 5, \"w\": \"\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct arena a = {0};
		const struct study *s = study_of(&a, rows[i].study);
		struct prior x;
		const char *why;
		enum prior_misfit m =
		    read_pairs(&a, s, rows[i].pairs, rows[i].value, rows[i].outer, &x, &why);

		if (m == PRIOR_FITS)
			why = command_params_json(&a, s, study_find_phase(s, "fine"), &x.scope, false);
		assert_string_equal(why, rows[i].why);
		assert_int_equal(m, rows[i].want);
		arena_finish(&a);
	}
}

static void outer_folds_are_kept_apart(void **state)
{
	struct arena a = {0};
	const struct study *s = study_of(&a, nested);
	struct prior x;
	const char *why;

	(void)state;
	assert_int_equal(read_pairs(&a, s, "x=0.5", "1", "2", &x, &why), PRIOR_FITS);
	assert_int_equal(x.outer, 2);
	assert_int_equal(read_pairs(&a, s, "x=0.5", "1", "", &x, &why), PRIOR_FITS);
	assert_int_equal(x.outer, PRIOR_EVERYWHERE);
	s = study_of(&a, two_phases);
	assert_int_equal(read_pairs(&a, s, "lr=0.1 opt=adam n=4", "1", "2", &x, &why), PRIOR_FITS);
	assert_int_equal(x.outer, PRIOR_EVERYWHERE);
	arena_finish(&a);
}

static void bytes_and_back(void **state)
{
	struct arena a = {0};
	const struct study *s = study_of(&a, two_phases);
	const struct study_phase *p = study_find_phase(s, "fine");
	struct prior x, y;
	struct bytes b = {0};
	const char *why;
	int whole = 0;
	static const char pairs[] = "lr=0.1 opt=sgd m=0.25 n=4 pre.lr=0.2 w=a";

	(void)state;
	assert_int_equal(read_pairs(&a, s, pairs, "1", "", &x, &why), PRIOR_FITS);
	prior_encode(&b, s, &x);
	y = x;
	assert_int_equal(prior_decode(&a, s, p, b.data, b.len, &y.scope), PRIOR_FITS);
	assert_string_equal(command_params_json(&a, s, p, &y.scope, false),
	                    command_params_json(&a, s, p, &x.scope, false));
	assert_true(key_equal(prior_key(s, &x), prior_key(s, &y)));
	/* cut anywhere it is an error, or something that fits no more; but the last two go without saying */
	for (size_t n = 0; n < b.len; n++)
		whole += prior_decode(&a, s, p, b.data, n, &y.scope) == PRIOR_FITS;
	assert_int_equal(whole, 2);
	/* a study that has changed: other bounds, another parameter */
	s = study_of(&a, HEAD "phases:\n  fine:\n    command: t {lr}\n    params: {lr: 'uniform(0.2, 1)'}\n"
	                      "    search: gp\n    trials: 5\n");
	assert_int_equal(prior_decode(&a, s, study_find_phase(s, "fine"), b.data, b.len, &y.scope),
	                 PRIOR_DOMAIN);
	s = study_of(&a, HEAD "phases:\n  fine:\n    command: t {lr}\n    params: {lr: 'uniform(0, 1)'}\n"
	                      "    search: gp\n    trials: 5\n");
	assert_int_equal(prior_decode(&a, s, study_find_phase(s, "fine"), b.data, b.len, &y.scope),
	                 PRIOR_FITS);
	bytes_finish(&b);
	arena_finish(&a);
}

static struct key128 key_of(struct arena *a, const struct study *s, const char *pairs, const char *value)
{
	struct prior x;
	const char *why;

	assert_int_equal(read_pairs(a, s, pairs, value, "", &x, &why), PRIOR_FITS);
	return prior_key(s, &x);
}

static void equal_ones_have_equal_keys(void **state)
{
	struct arena a = {0};
	const struct study *s = study_of(&a, two_phases);
	struct key128 k = key_of(&a, s, "lr=0.1 opt=adam n=4", "0.5");

	(void)state;
	assert_true(key_equal(k, key_of(&a, s, "n=4.0 opt=adam lr=1e-1 m=0.3 c=5", "5e-1")));
	assert_false(key_equal(k, key_of(&a, s, "lr=0.1 opt=adam n=4", "0.25")));
	assert_false(key_equal(k, key_of(&a, s, "lr=0.1 opt=adam n=6", "0.5")));
	assert_false(key_equal(k, key_of(&a, s, "lr=0.1 opt=adam n=4 hidden=3", "0.5")));
	assert_true(
	    key_equal(key_of(&a, s, "lr=0.1 opt=adam n=4", "0"), key_of(&a, s, "lr=0.1 opt=adam n=4", "-0")));
	arena_finish(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_fit_or_do_not),
	    cmocka_unit_test(outer_folds_are_kept_apart),
	    cmocka_unit_test(bytes_and_back),
	    cmocka_unit_test(equal_ones_have_equal_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
