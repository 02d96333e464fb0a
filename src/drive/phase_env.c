#include "phase_env.h"

#include <string.h>

static const char *const threads[] = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                                      "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"};
enum { THREADS = sizeof threads / sizeof *threads, OURS = 3 };

static bool is_named(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(entry, name, len) && entry[len] == '=';
}

static bool has_name(const char *const *env, uint32_t n, const char *name)
{
	for (uint32_t i = 0; i < n; i++)
		if (is_named(env[i], name))
			return true;
	return false;
}

static bool is_own(const struct phase_env *x, const char *entry)
{
	for (uint32_t i = 0; i < x->nown; i++)
		if (is_named(entry, x->own[i].name))
			return true;
	return false;
}

static uint32_t merge(struct arena *a, const struct phase_env *x, const char **env)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < x->nbase; i++)
		if (!is_own(x, x->base[i]))
			env[n++] = x->base[i];
	for (uint32_t i = 0; i < x->nown; i++)
		env[n++] = arena_printf(a, "%s=%s", x->own[i].name, x->own[i].value);
	return n;
}

const char **phase_env(struct arena *a, const struct phase_env *x, uint32_t more, uint32_t *n)
{
	const char **env =
	    arena_array(a, (size_t)x->nbase + x->nown + THREADS + OURS + more + 1, sizeof *env);
	uint32_t given = merge(a, x, env);

	*n = given;
	for (uint32_t i = 0; i < THREADS; i++)
		if (!has_name(env, given, threads[i]))
			env[(*n)++] = arena_printf(a, "%s=%u", threads[i], (unsigned)x->threads);
	if (!has_name(env, given, "PYTHONUNBUFFERED"))
		env[(*n)++] = "PYTHONUNBUFFERED=1";
	env[(*n)++] = arena_printf(a, "RANKSWEEP_STUDY=%s", x->study);
	env[(*n)++] = arena_printf(a, "RANKSWEEP_PHASE=%s", x->phase);
	return env;
}
