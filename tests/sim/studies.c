/* Small studies at random, as study files. */
#include "world.h"

#include <stdio.h>
#include <string.h>

static bool luck(struct rng *r, uint32_t permille)
{
	return rng_below(r, 1000) < permille;
}

static void put(struct bytes *b, const char *text)
{
	bytes_put(b, text, strlen(text));
}

static const char *number(struct arena *a, struct rng *r, int from, int to)
{
	return arena_printf(a, "%d", from + (int)rng_below(r, (uint64_t)(to - from) + 1));
}

/* True: with one that learns from the phase's metric. */
static bool put_search(struct bytes *b, struct arena *a, struct rng *r, bool same_trials)
{
	const char *name;

	static const char *const searches[] = {"random", "sobol", "tpe"};

	if (luck(r, 300)) {
		put(b, "    params: {x: [1, 2, 3]}\n    search: grid\n");
		return false;
	}
	name = searches[rng_below(r, same_trials || luck(r, 800) ? 2 : 3)];
	put(b, "    params: {lr: \"log(1e-3, 1)\", n: \"int(1, 9)\"}\n    search: ");
	put(b, name);
	put(b, "\n    trials: ");
	put(b, number(a, r, 1, 4));
	put(b, "\n");
	return name == searches[2];
}

static void put_after(struct bytes *b, struct rng *r, int phase)
{
	const char *parent = phase > 1 && luck(r, 400) ? "b" : "a";

	put(b, "    after: ");
	if (phase == 2 && luck(r, 150))
		put(b, "[a, b]");
	else if (luck(r, 400)) {
		put(b, "{");
		put(b, parent);
		put(b, luck(r, 700) ? ": best}" : ": best 2}");
	} else {
		put(b, parent);
	}
	put(b, "\n");
}

static void put_prune(struct bytes *b, struct rng *r, bool budget)
{
	if (budget)
		put(b, "    prune: {asha: {resource: steps, min: 1, max: 4, eta: 2}}\n");
	else
		put(b, luck(r, 500)
		           ? "    prune: {asha: {resource: steps, min: 1, max: 4, eta: 2, type: stop}}\n"
		           : "    prune: {median: {}}\n");
}

static void put_limits(struct bytes *b, struct arena *a, struct rng *r)
{
	if (luck(r, 250))
		put(b, "    cpus: 2\n");
	if (luck(r, 120))
		put(b, "    gpus: 1\n");
	if (luck(r, 120))
		put(b, "    memory: 2G\n");
	if (luck(r, 400)) {
		put(b, "    retries: ");
		put(b, number(a, r, 0, 3));
		put(b, "\n");
	}
	if (luck(r, 200))
		put(b, "    stall: 8s\n");
}

static void put_phase(struct bytes *b, struct arena *a, struct rng *r, int phase, bool folds,
                      bool same_trials)
{
	bool learns = false, prunes = !same_trials && luck(r, 150), budget = prunes && luck(r, 400);

	put(b, arena_printf(a, "  %c:\n    command: train {args}%s\n", 'a' + phase,
	                    budget ? " --budget {budget}" : ""));
	if (phase > 0)
		put_after(b, r, phase);
	if (phase == 0 || prunes || luck(r, 600))
		learns = put_search(b, a, r, same_trials);
	if (folds && luck(r, 200))
		put(b, "    folds: none\n");
	if (prunes)
		put_prune(b, r, budget);
	else if (phase > 1 && !learns && luck(r, 300))
		put(b, "    metric: none\n");
	put_limits(b, a, r);
}

void study_make(struct setting *s, struct arena *a, struct rng *r, bool same_trials)
{
	struct bytes b = {0};
	int phases = 1 + (int)rng_below(r, 3);
	bool folds = luck(r, 400);

	put(&b, "study: s\nmetric: loss\n");
	put(&b, arena_printf(a, "seed: %u\n", (unsigned)rng_below(r, 1000000)));
	put(&b, luck(r, 300) ? "goal: maximize\n" : "goal: minimize\n");
	if (folds)
		put(&b, luck(r, 700) ? "folds: 2\n" : "folds: 3\n");
	put(&b, "defaults: {timeout: 30s, grace: 2s}\nphases:\n");
	for (int i = 0; i < phases; i++)
		put_phase(&b, a, r, i, folds, same_trials);
	s->text = arena_strndup(a, (const char *)b.data, b.len);
	s->text_bytes = b.len;
	bytes_finish(&b);
}
