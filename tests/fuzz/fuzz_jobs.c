/* Any bytes as a study file, a NUL, and any bytes as the text of scheduled phases (a database is not
 * trusted): no crash, no hang. What is accepted can be checked and rendered, and what is written from it is
 * read as the same. */
#include "fuzz.h"

#include "command.h"
#include "study.h"

#include <math.h>
#include <string.h>

/* Every other parameter of each phase has a value. */
static const struct value **some_values(struct arena *a, const struct study *s)
{
	const struct value **by = arena_array(a, s->nphases, sizeof *by);

	for (uint32_t q = 0; q < s->nphases; q++) {
		const struct space *space = &s->phases[q].space;
		struct value *v = arena_array(a, space->nparams, sizeof *v);

		for (uint32_t k = q % 2; k < space->nparams; k += 2)
			value_parse(a, &space->params[k], k % 4 < 2 ? "0.50" : "text", &v[k]);
		by[q] = v;
	}
	return by;
}

/* Each key of the object once: a name is followed by ": ", and stands behind "{" or ", ". */
static void check_json(struct arena *a, const struct study *s, const struct study_phase *p,
                       const struct scope *scope)
{
	const char *json = command_params_json(a, s, p, scope, false);

	must(json[0] == '{' && json[strlen(json) - 1] == '}');
	for (uint32_t i = 0; i < p->nvisible && p->nvisible < 100; i++) {
		const char *key = arena_printf(a, "\"%s\": ", p->visible[i].name), *at = strstr(json, key);

		must(!at || !strstr(at + 1, key));
	}
}

static void use_phase(struct arena *a, const struct study *s, const struct study_phase *p)
{
	static const char *const dirs[] = {"/d", "/e"};
	struct command_parent *parents = arena_array(a, s->nphases, sizeof *parents);
	struct command_context x = {.study = s, .phase = p, .parents = parents, .dir = "/d"};
	const char **argv;

	x.scope = (struct scope){some_values(a, s), s->nphases};
	for (uint32_t q = 0; q < s->nphases; q++)
		parents[q] =
		    (struct command_parent){dirs, q % 3, q % 3, q, q % 3 == 1 ? 0.5 : (double)NAN, 1};
	for (uint32_t i = 0; i < p->ncommands && i < 100; i++) {
		struct fault f = {0};
		bool fine = !command_check(&p->commands[i], &x, NULL);

		x.command = &p->commands[i];
		if (!command_render(a, x.command, &x, &argv, &f))
			must(fine);
		else /* a size is not checked before */
			must(!fine || strstr(f.text, "more than"));
	}
	check_json(a, s, p, &x.scope);
}

/* Its own name, parameters, parents and nth command once more: the text, or NULL when that is refused. */
static const char *say_again(struct arena *a, const struct study *s, const struct study_phase *p,
                             uint32_t nth, size_t *bytes)
{
	const char **after = arena_array(a, p->nafter, sizeof *after), *jobs;
	const char **params = arena_array(a, p->space.nparams, sizeof *params);
	struct study_jobs add = {
	    .phase = p->name, .command = p->command_texts[nth], .after = after, .params = params};
	struct fault f = {0};
	uint32_t command;

	for (; add.nafter < p->nafter; add.nafter++)
		after[add.nafter] = s->phases[p->after[add.nafter].phase].name;
	for (; add.nparams < p->space.nparams; add.nparams++)
		params[add.nparams] = p->space.params[add.nparams].name;
	if (study_add_jobs(a, s, &add, &jobs, bytes, &command, &f)) {
		must(strstr(f.text, "more than") || strstr(f.text, "too many"));
		return NULL;
	}
	must(command <= nth && !strcmp(p->command_texts[command], p->command_texts[nth]));
	return jobs;
}

static void check_writer(struct arena *a, const struct study_source *src, const struct study *s,
                         const struct study_phase *p)
{
	struct study_source written = *src;
	const struct study *again;
	struct study_errors e;
	const char *jobs = say_again(a, s, p, p->ncommands - 1, &written.jobs_bytes);
	size_t bytes;

	if (!jobs)
		return;
	written.jobs = jobs;
	must(!study_read(a, &written, &again, &e) && again->nphases == s->nphases);
	must(!study_compare(s, again, false, NULL, NULL) && !study_compare(again, s, false, NULL, NULL));
	for (uint32_t i = 0; i < s->nphases; i++) {
		const struct study_phase *x = &s->phases[i], *y = &again->phases[i];

		must(!strcmp(x->name, y->name) && x->ncommands == y->ncommands && x->nafter == y->nafter);
		must(x->space.nparams == y->space.nparams && x->line == y->line);
	}
	jobs = say_again(a, again, study_find_phase(again, p->name), 0, &bytes);
	must(jobs && bytes == written.jobs_bytes && !memcmp(jobs, written.jobs, bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *nul = n ? memchr(data, 0, n) : NULL;
	size_t text_bytes = nul ? (size_t)(nul - data) : 0;
	struct study_source src = {.path = "fuzz",
	                           .text = (const char *)data,
	                           .text_bytes = text_bytes,
	                           .jobs = (const char *)(nul ? nul + 1 : data),
	                           .jobs_bytes = nul ? n - text_bytes - 1 : n,
	                           .name = "fuzz"};
	struct arena a = {0};
	const struct study *s = NULL;
	struct study_errors e;
	bool written = false;

	if (!study_read(&a, &src, &s, &e)) {
		for (uint32_t i = 0; i < s->nphases; i++)
			if (s->phases[i].scheduled) {
				use_phase(&a, s, &s->phases[i]);
				if (!written)
					check_writer(&a, &src, s, &s->phases[i]);
				written = true;
			}
	} else {
		must(e.count > 0);
	}
	arena_finish(&a);
	return 0;
}
