/* Any bytes as a study file: no crash, no hang; what is accepted can be drawn from and rendered. */
#include "fuzz.h"

#include "command.h"
#include "rng.h"
#include "study.h"

#include <math.h>

static void use_phase(struct arena *a, const struct study *s, const struct study_phase *p, struct rng *r)
{
	const struct value **by = arena_array(a, s->nphases, sizeof *by);
	struct command_parent *parents = arena_array(a, s->nphases, sizeof *parents);
	struct value *own = arena_array(a, p->space.nparams + 1, sizeof *own);
	double *u = arena_array(a, p->space.nparams + 1, sizeof *u);
	struct scope scope = {by, s->nphases};
	struct command_context x = {
	    .study = s, .phase = p, .scope = scope, .parents = parents, .dir = "/d", .seed = 1};
	const char **argv;

	by[p->index] = own;
	for (int k = 0; k < 3; k++) {
		for (uint32_t i = 0; i < p->space.nparams; i++)
			u[i] = rng_unit(r);
		must(!space_draw(&p->space, &scope, u, own) || !space_check(&p->space, &scope, own, NULL));
		if (space_size(&p->space) != SPACE_INFINITE)
			space_grid_point(&p->space, &scope, k % space_size(&p->space), own);
		if (!command_render(a, &p->command, &x, &argv, NULL))
			command_line(a, argv);
		command_params_json(a, s, p, &scope, false);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = {0};
	const struct study *s = NULL, *again = NULL;
	struct study_errors e;
	struct rng r;

	rng_seed(&r, n);
	if (!study_parse(&a, "fuzz", (const char *)data, n, &s, &e)) {
		for (uint32_t i = 0; i < s->nphases; i++)
			use_phase(&a, s, &s->phases[i], &r);
		must(!study_parse(&a, "fuzz", (const char *)data, n, &again, &e));
		must(!study_compare(s, again, false, NULL, NULL));
	} else {
		must(e.count > 0);
	}
	arena_finish(&a);
	return 0;
}
