#include "advice.h"

#include "command.h"
#include "expr.h"
#include "json.h"
#include "report.h"
#include "rng.h"
#include "text.h"

#include <math.h>
#include <string.h>

/* ---- domains ------------------------------------------------------------------------------------- */

static void put_bound(struct bytes *b, const char *key, const struct expr *e, const char *text)
{
	const struct scope none = {0};

	report_key(b, key);
	if (expr_is_constant(e))
		report_put_number(b, expr_number(e, &none));
	else
		report_put_string(b, text);
}

static void put_choices(struct bytes *b, const struct param *p)
{
	report_key(b, "choices");
	text_put(b, "[");
	for (uint32_t i = 0; i < p->nchoices; i++) {
		text_put(b, i ? ", " : "");
		if (p->choices[i].is_num)
			report_put_number(b, p->choices[i].num);
		else
			report_put_string(b, p->choices[i].text);
	}
	text_putf(b, "], \"ordered\": %s", p->ordered ? "true" : "false");
}

static const char *type_of(const struct param *p)
{
	switch (p->kind) {
	case DOMAIN_UNIFORM:
	case DOMAIN_LOG:
		return "float";
	case DOMAIN_INT:
	case DOMAIN_LOGINT:
		return "int";
	case DOMAIN_NORMAL:
		return "normal";
	case DOMAIN_ANY:
		return "any";
	default:
		return "choice";
	}
}

static void put_domain(struct bytes *b, const struct param *p)
{
	bool normal = p->kind == DOMAIN_NORMAL;

	text_putf(b, "{\"type\": \"%s\"", type_of(p));
	if (p->choices) {
		put_choices(b, p);
	} else if (p->lo) {
		put_bound(b, normal ? "mu" : "low", p->lo, p->lo_text);
		put_bound(b, normal ? "sigma" : "high", p->hi, p->hi_text);
		if (!normal)
			text_putf(b, ", \"log\": %s",
			          p->kind == DOMAIN_LOG || p->kind == DOMAIN_LOGINT ? "true" : "false");
		if (p->kind == DOMAIN_INT)
			text_putf(b, ", \"step\": %lld", (long long)p->step);
	}
	if (p->cond_text) {
		report_key(b, "if");
		report_put_string(b, p->cond_text);
	}
	text_put(b, "}");
}

static void put_domains(struct bytes *b, const struct study *s, const struct study_phase *ph, bool own)
{
	text_put(b, "{");
	for (uint32_t i = 0; i < ph->nvisible; i++) {
		const struct visible *w = &ph->visible[i];

		if ((w->phase == ph->index) != own)
			continue;
		report_key(b, w->name);
		put_domain(b, &s->phases[w->phase].space.params[w->index]);
	}
	text_put(b, "}");
}

/* ---- what we say --------------------------------------------------------------------------------- */

/* The same in all runs; small enough for every program. */
static uint32_t seed_of(const struct study *s, const struct study_phase *ph, int32_t outer)
{
	uint64_t h = rng_hash(s->seed, ph->name, strlen(ph->name));

	return (uint32_t)(rng_mix(h + (uint64_t)(int64_t)outer) & 0x7fffffff);
}

static void put_metrics(struct bytes *b, const struct study_phase *ph)
{
	if (!ph->nmore)
		return;
	report_key(b, "metrics");
	text_put(b, "{");
	for (uint32_t i = 0; i <= ph->nmore; i++) {
		report_key(b, study_objective(ph, i).metric);
		report_put_string(b, goal_text(study_objective(ph, i).goal));
	}
	text_put(b, "}");
}

static void put_values(struct bytes *b, const struct study_phase *ph, const double *values)
{
	report_key(b, "values");
	text_put(b, "{");
	for (uint32_t i = 0; i <= ph->nmore; i++) {
		report_key(b, study_objective(ph, i).metric);
		report_put_number(b, values[i]);
	}
	text_put(b, "}");
}

void advice_put_opening(struct bytes *b, const struct study *s, const struct study_phase *ph, int32_t outer)
{
	const char *metric = ph->metric ? ph->metric : s->phases[ph->judge].metric;

	text_put(b, "{");
	report_key(b, "study");
	report_put_string(b, s->name);
	report_key(b, "phase");
	report_put_string(b, ph->name);
	text_putf(b, ", \"outer_fold\": %d, \"seed\": %u, \"goal\": \"%s\", \"metric\": ", outer,
	          seed_of(s, ph, outer), goal_text(ph->goal));
	report_put_string(b, metric);
	put_metrics(b, ph);
	text_putf(b, ", \"trials\": %lld, \"total\": %s, \"params\": ", (long long)ph->trials,
	          ph->trials_total ? "true" : "false");
	put_domains(b, s, ph, true);
	report_key(b, "require");
	text_put(b, "[");
	for (uint32_t i = 0; i < ph->space.nrequire; i++) {
		text_put(b, i ? ", " : "");
		report_put_string(b, ph->space.require_text[i]);
	}
	text_put(b, "]");
	report_key(b, "parents");
	put_domains(b, s, ph, false);
	text_put(b, "}\n");
}

static void put_parents(struct bytes *b, struct arena *scratch, const struct study *s,
                        const struct study_phase *ph, const struct scope *scope)
{
	report_key(b, "parents");
	text_put(b, command_params_json(scratch, s, ph, scope, false));
}

void advice_put_ask(struct bytes *b, struct arena *scratch, const struct study *s,
                    const struct study_phase *ph, uint64_t id, const struct scope *parents)
{
	text_putf(b, "{\"ask\": {\"id\": %llu", (unsigned long long)id);
	put_parents(b, scratch, s, ph, parents);
	text_put(b, "}}\n");
}

static struct scope without_own(struct arena *scratch, const struct study_phase *ph,
                                const struct scope *scope)
{
	const struct value **by_phase = arena_array(scratch, scope->nphases, sizeof *by_phase);

	memcpy(by_phase, scope->by_phase, scope->nphases * sizeof *by_phase);
	by_phase[ph->index] = NULL;
	return (struct scope){by_phase, scope->nphases};
}

void advice_put_tell(struct bytes *b, struct arena *scratch, const struct study *s,
                     const struct study_phase *ph, const struct advice_news *news)
{
	static const char *const states[] = {[TRIAL_OPEN] = "open",
	                                     [TRIAL_COMPLETE] = "complete",
	                                     [TRIAL_PRUNED] = "pruned",
	                                     [TRIAL_FAILED] = "failed",
	                                     [TRIAL_VOID] = "gone"};
	bool pruned = news->end == TRIAL_PRUNED;

	text_put(b, "{\"tell\": {\"id\": ");
	if (news->asked)
		text_putf(b, "%llu", (unsigned long long)news->id);
	else
		text_put(b, "null");
	if (news->trial)
		text_putf(b, ", \"trial\": %u", news->trial);
	text_putf(b, ", \"state\": \"%s\"", news->rule ? "infeasible" : states[news->end]);
	if (news->rule) {
		report_key(b, "require");
		report_put_string(b, news->rule);
	}
	if ((pruned || news->end == TRIAL_COMPLETE) && isfinite(news->value)) {
		report_key(b, "value");
		report_put_number(b, news->value);
	}
	if (news->values && news->end == TRIAL_COMPLETE)
		put_values(b, ph, news->values);
	if (pruned && isfinite(news->step)) {
		report_key(b, "step");
		report_put_number(b, news->step);
	}
	if (news->scope) {
		struct scope parents = without_own(scratch, ph, news->scope);

		report_key(b, "params");
		text_put(b, command_params_json(scratch, s, ph, news->scope, true));
		put_parents(b, scratch, s, ph, &parents);
	}
	text_put(b, "}}\n");
}

/* ---- what it says -------------------------------------------------------------------------------- */

const char *advice_quote(struct arena *a, const char *line, size_t n)
{
	struct bytes b = {0};
	const char *out;
	size_t i = 0, len;

	for (; i < n && b.len < ADVICE_QUOTE; i += len) {
		len = text_utf8(line + i, n - i);
		if (len == 0 || (unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
			text_putf(&b, "\\x%02x", (unsigned char)line[i]);
			len = 1;
		} else {
			bytes_put(&b, line + i, len);
		}
	}
	if (i < n)
		text_put(&b, "...");
	out = b.len ? arena_strndup(a, (const char *)b.data, b.len) : "";
	bytes_finish(&b);
	return out;
}

static int wrong_value(const struct param *p, const struct json *v, struct fault *f)
{
	bool nested = v->kind == JSON_LIST || v->kind == JSON_MAP;

	return fault_set(f, FAULT_SEARCH, "%s%s%.100s is no value of %s: %.200s",
	                 v->kind == JSON_TEXT ? "the text " : "",
	                 nested ? v->kind == JSON_LIST ? "a list" : "a map" : "",
	                 v->kind == JSON_TEXT && !v->len ? "\"\"" : v->text, p->name, p->text);
}

/* Whole numbers may come with a point: 64.0. */
static const char *number_text(struct arena *a, const struct param *p, const struct json *v)
{
	double x;

	if ((p->kind == DOMAIN_INT || p->kind == DOMAIN_LOGINT) && text_parse_double(v->text, v->len, &x) &&
	    x == floor(x) && fabs(x) <= 0x1p53)
		return arena_printf(a, "%lld", (long long)x);
	return v->text;
}

static int read_value(struct arena *a, const struct param *p, const struct json *v, struct value *out,
                      struct fault *f)
{
	if (v->kind == JSON_LIST || v->kind == JSON_MAP ||
	    !value_parse(a, p, v->kind == JSON_NUMBER ? number_text(a, p, v) : v->text, out))
		return wrong_value(p, v, f);
	return 0;
}

/* In the order in which conditions and bounds come to be known. */
static int read_active(struct arena *a, const struct space *s, const struct scope *scope,
                       const struct json *params, struct value *own, struct fault *f)
{
	memset(own, 0, s->nparams * sizeof *own);
	for (uint32_t i = 0; i < s->nparams; i++) {
		const struct param *p = &s->params[s->order[i]];
		const struct json *v = json_get(params, p->name);
		struct value *out = &own[s->order[i]];

		if (p->cond && !expr_holds(p->cond, scope, false))
			continue;
		if (v && v->kind != JSON_NULL) {
			if (read_value(a, p, v, out, f))
				return -1;
		} else if (p->nchoices == 1) {
			*out = (struct value){.kind = VALUE_CHOICE, .u.choice = p->choices};
		} else {
			return fault_set(f, FAULT_SEARCH, "no value for %s: %.200s", p->name, p->text);
		}
	}
	return 0;
}

static int check_names(struct arena *a, const struct space *s, const struct json *params, struct fault *f)
{
	const char **words = arena_array(a, s->nparams, sizeof *words);

	for (uint32_t i = 0; i < s->nparams; i++)
		words[i] = s->params[i].name;
	for (const struct json *v = params->first; v; v = v->next) {
		const char *near;
		uint32_t i = 0;

		while (i < s->nparams && strcmp(words[i], v->key) != 0)
			i++;
		if (i < s->nparams)
			continue;
		near = text_nearest(v->key, words, s->nparams);
		return fault_set(f, FAULT_SEARCH, "the phase has no parameter '%.64s'%s%s%s", v->key,
		                 near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	return 0;
}

static int read_params(struct arena *a, const struct study_phase *ph, const struct scope *scope,
                       const struct json *params, struct value *own, struct advice *out, struct fault *f)
{
	if (params->kind != JSON_MAP)
		return fault_set(f, FAULT_SEARCH, "\"params\" must be a map of names and values");
	if (check_names(a, &ph->space, params, f) || read_active(a, &ph->space, scope, params, own, f))
		return -1;
	if (space_check_values(&ph->space, scope, own, f)) {
		f->code = FAULT_SEARCH;
		return -1;
	}
	out->rule = space_broken_rule(&ph->space, scope);
	out->kind = out->rule ? ADVICE_BREAKS : ADVICE_POINT;
	return 0;
}

static int check_keys(const struct json *answer, struct fault *f)
{
	static const char *const known[] = {"id", "params", "exhausted"};

	for (const struct json *v = answer->first; v; v = v->next) {
		size_t i = 0;

		while (i < 3 && strcmp(known[i], v->key) != 0)
			i++;
		if (i == 3)
			return fault_set(f, FAULT_SEARCH, "unknown key \"%.64s\"", v->key);
	}
	return 0;
}

static int check_id(const struct json *id, uint64_t wanted, struct fault *f)
{
	int64_t got;

	if (!id)
		return fault_set(f, FAULT_SEARCH, "no \"id\"");
	if (id->kind == JSON_NUMBER && text_parse_int(id->text, id->len, &got) && got >= 0 &&
	    (uint64_t)got == wanted)
		return 0;
	return fault_set(f, FAULT_SEARCH, "\"id\" is not that of the question, which is %llu",
	                 (unsigned long long)wanted);
}

int advice_read(struct arena *a, const struct study_phase *ph, const struct scope *scope, uint64_t id,
                const char *line, size_t n, struct value *own, struct advice *out, struct fault *f)
{
	size_t at;
	const struct json *answer = json_parse(a, line, n, &at, f), *params, *exhausted;

	*out = (struct advice){0};
	if (!answer) {
		fault_context(f, "no JSON (at byte %zu)", at + 1);
		f->code = FAULT_SEARCH;
		return -1;
	}
	if (answer->kind != JSON_MAP)
		return fault_set(f, FAULT_SEARCH, "no JSON object");
	params = json_get(answer, "params");
	exhausted = json_get(answer, "exhausted");
	if (check_keys(answer, f) || check_id(json_get(answer, "id"), id, f))
		return -1;
	if (!params == !exhausted)
		return fault_set(f, FAULT_SEARCH, "neither \"params\" nor \"exhausted\" alone");
	if (params)
		return read_params(a, ph, scope, params, own, out, f);
	out->kind = ADVICE_EXHAUSTED;
	return exhausted->kind == JSON_TRUE ? 0
	                                    : fault_set(f, FAULT_SEARCH, "\"exhausted\" can only be true");
}
