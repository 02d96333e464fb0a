/* Lines as a search program's answer: an answer that is taken lies in the space, and says so again when it is
 * told back; an answer is never taken for one to another question; the quote of a line is printable. */
#include "fuzz.h"

#include "advice.h"
#include "json.h"

#include <string.h>

enum { MAX = 8 };

static const char text[] =
    "study: s\nmetric: err\ngoal: minimize\nphases:\n  p:\n    command: x {args}\n    trials: 9\n"
    "    search: {program: ./a}\n    params:\n      lr: log(1e-4, 1)\n      n: int(2, 64, 2)\n"
    "      k: logint(1, n)\n      o: [sgd, adam, 0.10]\n      m: uniform(0, 0.9) if o == sgd\n"
    "      c: 7\n      g: linspace(0, 1, 3)\n    require: lr < 0.5\n";

static void check(struct arena *a, const struct study_phase *ph, const struct scope *scope,
                  const struct value *own, const struct advice *answer)
{
	struct fault f;
	int wrong = space_check(&ph->space, scope, own, &f);

	if (answer->kind == ADVICE_EXHAUSTED)
		return;
	must(!space_check_values(&ph->space, scope, own, &f));
	must((wrong != 0) == (answer->kind == ADVICE_BREAKS) && (wrong != 0) == (answer->rule != NULL));
	for (uint32_t i = 0; i < ph->space.nparams; i++) {
		char buf[TEXT_NUMBER];
		struct value again;

		must(own[i].kind == VALUE_NONE ||
		     value_parse(a, &ph->space.params[i], value_text(&own[i], buf), &again));
	}
}

static void tell_back(struct arena *a, const struct study *s, const struct scope *scope)
{
	struct advice_news news = {.trial = 1, .scope = scope};
	struct bytes b = {0};
	struct fault f;
	size_t at;

	advice_put_tell(&b, a, s, &s->phases[0], &news);
	must(json_parse(a, (const char *)b.data, b.len, &at, &f) != NULL);
	bytes_finish(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct arena lasting;
	static const struct study *s;
	struct arena a = {0};
	struct study_errors e;
	struct value own[MAX] = {0};
	const struct value *by_phase[1] = {own};
	const struct scope scope = {by_phase, 1};
	struct advice answer;
	struct fault f = {0};
	const char *line = (const char *)data, *quote;

	if (!s)
		must(!study_parse(&lasting, "f", text, strlen(text), &s, &e));
	if (!advice_read(&a, &s->phases[0], &scope, 3, line, n, own, &answer, &f)) {
		check(&a, &s->phases[0], &scope, own, &answer);
		if (answer.kind != ADVICE_EXHAUSTED)
			tell_back(&a, s, &scope);
		must(advice_read(&a, &s->phases[0], &scope, 4, line, n, own, &answer, &f) == -1);
	}
	must(f.code == FAULT_NONE || (f.code == FAULT_SEARCH && *f.text));
	quote = advice_quote(&a, line, n);
	for (const char *p = quote; *p; p++)
		must((unsigned char)*p >= 0x20);
	arena_finish(&a);
	return 0;
}
