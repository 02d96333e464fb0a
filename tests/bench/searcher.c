#include "searcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct key128 no_parents; /* the name of the only combination */

static struct learner *open_learner(const struct searcher *s, const char *tool, uint64_t seed)
{
	static const struct {
		const char *name;
		enum search_kind kind;
	} learners[] = {
	    {"tpe", SEARCH_TPE}, {"cmaes", SEARCH_CMAES}, {"gp", SEARCH_GP}, {"auto", SEARCH_AUTO}};

	for (uint32_t i = 0; i < sizeof learners / sizeof *learners; i++)
		if (!strcmp(learners[i].name, tool))
			return learner_new(s->study, s->phase,
			                   &(struct learner_options){.kind = learners[i].kind, .seed = seed});
	fprintf(stderr, "no such search: %s\n", tool);
	exit(1);
}

void searcher_open(struct searcher *s, const struct task *t, const char *tool, uint64_t seed, uint32_t trials,
                   uint32_t workers)
{
	bool blind = !strcmp(tool, "random") || !strcmp(tool, "sobol");

	*s = (struct searcher){.task = t, .workers = workers};
	s->study =
	    task_parse(&s->arena, t->name, task_study(t, &s->arena, seed, blind ? tool : "random", trials));
	s->phase = &s->study->phases[0];
	if (!blind)
		s->learner = open_learner(s, tool, seed);
}

void searcher_close(struct searcher *s)
{
	learner_free(s->learner);
	arena_finish(&s->arena);
	arena_finish(&s->scratch);
}

static void no_parent_scope(void *ctx, uint32_t parent, struct arena *scratch, struct scope *out)
{
	(void)ctx;
	(void)parent;
	*out = (struct scope){arena_array(scratch, 1, sizeof(void *)), 1};
}

static enum sampler_answer ask(struct searcher *s, struct value *own)
{
	struct sampler_ask q = {.study = s->study,
	                        .phase = s->phase,
	                        .k = s->asked,
	                        .nparents = 1,
	                        .scope_of = no_parent_scope,
	                        .learner = s->learner,
	                        .places = &no_parents,
	                        .workers = s->workers,
	                        .cursor = &s->cursor,
	                        .scratch = &s->scratch};
	uint32_t parent;

	if (!s->learner || s->blind)
		return sampler_ask(&q, own, &parent);
	return learner_ask(&q, own, &parent);
}

bool searcher_ask(struct searcher *s, double *point, uint32_t *number)
{
	struct value *own = arena_array(&s->scratch, s->task->nparams, sizeof *own);
	const struct value *by_phase[1] = {own};
	bool there = ask(s, own) == SAMPLER_OK;

	if (there) {
		*number = s->asked++;
		if (s->learner)
			*number = learner_begin(s->learner, no_parents, &(struct scope){by_phase, 1});
		for (uint32_t i = 0; i < s->task->nparams; i++)
			point[i] = task_number(&s->task->params[i], &s->phase->space.params[i], &own[i]);
	}
	arena_reset(&s->scratch);
	return there;
}

void searcher_tell(struct searcher *s, uint32_t number, double value)
{
	if (s->learner)
		learner_complete(s->learner, number, value);
}
