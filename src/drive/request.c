#include "request.h"

#include "command.h"
#include "host.h"
#include "ledger.h"
#include "report.h"
#include "selector.h"
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const verbs[] = {
    [REQUEST_RESET] = "reset",     [REQUEST_CANCEL] = "cancel", [REQUEST_HOLD] = "hold",
    [REQUEST_RELEASE] = "release", [REQUEST_DELETE] = "delete", [REQUEST_PRIORITY] = "priority"};
enum { NVERBS = sizeof verbs / sizeof *verbs };
static const char PRIORITY[] = "--priority=";

const char *request_verb(enum request_kind kind)
{
	return verbs[kind];
}

/* ---- words ------------------------------------------------------------------------------------ */

static int parse_verb(const char *word, enum request_kind *kind, struct fault *f)
{
	for (int i = 0; i < NVERBS; i++)
		if (!strcmp(word, verbs[i])) {
			*kind = (enum request_kind)i;
			return 0;
		}
	return fault_set(f, FAULT_USAGE, "this ranksweep cannot be asked for `%.100s`", word);
}

static int parse_priority(const char *text, struct request *out, struct fault *f)
{
	int64_t n;

	if (!text_parse_int(text, strlen(text), &n) || n < -SCHED_MAX_PRIORITY || n > SCHED_MAX_PRIORITY)
		return fault_set(f, FAULT_USAGE,
		                 "a priority is a whole number from -%d to %d, `%.100s` is none",
		                 SCHED_MAX_PRIORITY, SCHED_MAX_PRIORITY, text);
	out->priority = (int32_t)n;
	return 0;
}

static int parse_selector(const char *const *words, uint32_t n, struct request *out, struct fault *f)
{
	bool all = false;

	for (uint32_t i = 0; i < n; i++)
		all |= !strcmp(words[i], "all");
	if (n == 0)
		return fault_set(f, FAULT_USAGE, "which units? SELECTOR..., or `all`");
	if (all && n > 1)
		return fault_set(f, FAULT_USAGE, "`all` and a selection contradict each other");
	out->selector = words;
	out->nselector = all ? 0 : n;
	return 0;
}

static int parse_words(const char *const *words, uint32_t n, struct request *out, struct fault *f)
{
	bool given = false;
	uint32_t i = 1;

	for (; i < n && strcmp(words[i], "--") != 0; i++) {
		if (!strcmp(words[i], "--dry-run"))
			out->dry_run = true;
		else if (!strcmp(words[i], "--json"))
			out->json = true;
		else if (out->kind != REQUEST_PRIORITY || strncmp(words[i], PRIORITY, strlen(PRIORITY)) != 0)
			return fault_set(f, FAULT_USAGE, "no option `%.100s`", words[i]);
		else if (parse_priority(words[i] + strlen(PRIORITY), out, f))
			return -1;
		else
			given = true;
	}
	if (out->kind == REQUEST_PRIORITY && !given)
		return fault_set(f, FAULT_USAGE,
		                 "which priority? -p N; higher comes first, 0 is where units begin");
	return i < n ? parse_selector(words + i + 1, n - i - 1, out, f) : parse_selector(NULL, 0, out, f);
}

int request_parse(const char *const *words, uint32_t n, struct request *out, struct fault *f)
{
	*out = (struct request){0};
	if (parse_verb(n ? words[0] : "", &out->kind, f))
		return -1;
	if (parse_words(words, n, out, f))
		return fault_context(f, "%s", verbs[out->kind]);
	return 0;
}

/* ---- which units -------------------------------------------------------------------------------- */

static int read_numbers(struct store_rows *rows, struct arena *a, struct request_selection *out,
                        struct fault *f)
{
	uint32_t cap = 0;
	int got;

	while ((got = store_next(rows, f)) > 0) {
		if (out->n == cap) {
			uint32_t more = cap ? 2 * cap : 256;

			out->numbers = arena_grow(a, out->numbers, cap * sizeof *out->numbers,
			                          more * sizeof *out->numbers);
			cap = more;
		}
		out->numbers[out->n++] = (uint32_t)store_int(rows, 0);
	}
	return got;
}

int request_select(const struct request_site *x, const char *column, const char *const *selector, uint32_t n,
                   struct request_selection *out, struct fault *f)
{
	struct selector_names names;
	struct selector_sql where;
	struct store_rows *rows;
	int bad;

	*out = (struct request_selection){0};
	selector_names_of(x->scratch, x->study, &names);
	if (selector_parse(x->scratch, selector, n, &names, &where, f))
		return 1;
	bad = store_select(x->store,
	                   arena_printf(x->scratch, "SELECT DISTINCT %s FROM units WHERE %s ORDER BY 1",
	                                column, where.where),
	                   where.binds, &rows, f);
	if (!bad)
		bad = read_numbers(rows, x->scratch, out, f);
	store_rows_close(rows);
	return bad;
}

/* ---- what it came to, in words -------------------------------------------------------------------- */

struct outcome {
	const struct request *request;
	uint32_t selected;
	struct sched_effect effect;
};

static void put_count(struct bytes *b, uint32_t n, const char *thing)
{
	text_putf(b, "%" PRIu32 " %s%s", n, thing, n == 1 ? "" : "s");
}

/* "(1 named, 11 descendants)", for those that take their descendants along. */
static void put_parts(struct bytes *b, const struct outcome *o)
{
	if (o->effect.descendants)
		text_putf(b, " (%" PRIu32 " named, %" PRIu32 " descendant%s)", o->effect.changed,
		          o->effect.descendants, o->effect.descendants == 1 ? "" : "s");
}

static void put_changed(struct bytes *b, const struct outcome *o)
{
	const struct sched_effect *e = &o->effect;

	switch (o->request->kind) {
	case REQUEST_DELETE:
		put_count(b, e->trials, "trial");
		text_put(b, ", ");
		put_count(b, e->changed + e->descendants, "unit");
		put_parts(b, o);
		return;
	case REQUEST_RESET:
		put_count(b, e->changed + e->descendants, "unit");
		put_parts(b, o);
		return;
	case REQUEST_CANCEL:
		put_count(b, e->changed, "unit");
		if (e->descendants)
			text_putf(b, "; %" PRIu32 " that come%s after %s %s blocked", e->descendants,
			          e->descendants == 1 ? "s" : "", e->changed == 1 ? "it" : "them",
			          e->descendants == 1 ? "is" : "are");
		return;
	case REQUEST_PRIORITY:
		put_count(b, e->changed, "unit");
		text_putf(b, ", now %" PRId32, o->request->priority);
		return;
	case REQUEST_HOLD:
	case REQUEST_RELEASE:
		put_count(b, e->changed, "unit");
		return;
	}
}

static void put_left(struct bytes *b, const struct outcome *o)
{
	const char *before = "left as they are: ";

	for (int s = 0; s < UNIT_STATE_COUNT; s++) {
		if (!o->effect.left[s])
			continue;
		text_putf(b, "%s%" PRIu32 " %s", before, o->effect.left[s],
		          unit_state_text((enum unit_state)s));
		if (s == UNIT_RUNNING && o->request->kind == REQUEST_HOLD)
			text_put(b, " (hold does not stop them, cancel does)");
		before = ", ";
	}
	if (*before == ',')
		text_put(b, "\n");
}

static void put_text(struct bytes *b, const struct outcome *o)
{
	const struct sched_effect *e = &o->effect;
	bool first = o->request->kind == REQUEST_RESET || o->request->kind == REQUEST_DELETE;

	text_putf(b, "%s%s: ", verbs[o->request->kind],
	          o->request->dry_run ? " (dry run, nothing is changed)" : "");
	if (e->changed || e->descendants)
		put_changed(b, o);
	else
		text_put(b, "nothing to change");
	if (e->live)
		text_putf(b, "; %" PRIu32 " running one%s stopped%s", e->live, e->live == 1 ? " is" : "s are",
		          first ? " first" : "");
	if (e->picks)
		text_putf(b, "; %" PRIu32 " pick%s void", e->picks, e->picks == 1 ? " is" : "s are");
	text_put(b, "\n");
	put_left(b, o);
}

static void put_json(struct bytes *b, const struct outcome *o)
{
	const struct sched_effect *e = &o->effect;
	bool any = false;

	text_putf(b,
	          "{\"verb\":\"%s\",\"selected\":%" PRIu32 ",\"changed\":%" PRIu32 ",\"descendants\":%" PRIu32
	          ",\"live\":%" PRIu32 ",\"trials\":%" PRIu32 ",\"picks\":%" PRIu32
	          ",\"dry_run\":%s,\"left\":{",
	          verbs[o->request->kind], o->selected, e->changed, e->descendants, e->live, e->trials,
	          e->picks, o->request->dry_run ? "true" : "false");
	for (int s = 0; s < UNIT_STATE_COUNT; s++)
		if (e->left[s]) {
			text_putf(b, "%s\"%s\":%" PRIu32, any ? "," : "", unit_state_text((enum unit_state)s),
			          e->left[s]);
			any = true;
		}
	text_put(b, "}}\n");
}

static void say(struct request_answer *x, const struct outcome *o)
{
	if (o->request->json)
		put_json(&x->out, o);
	else
		put_text(&x->out, o);
}

int request_refuse(struct request_answer *x, const struct fault *why)
{
	x->status = (int32_t)why->code;
	text_putf(&x->err, "ranksweep: %s\n", why->text);
	return 0;
}

/* ---- carrying it out ------------------------------------------------------------------------------ */

/* The request as somebody would type it. */
static const char *as_typed(struct arena *a, const struct request *r)
{
	const char **words = arena_array(a, (size_t)r->nselector + 5, sizeof *words);
	uint32_t n = 0;

	words[n++] = verbs[r->kind];
	if (r->kind == REQUEST_PRIORITY) {
		words[n++] = "-p";
		words[n++] = arena_printf(a, "%" PRId32, r->priority);
	}
	if (!r->nselector)
		words[n++] = "all";
	for (uint32_t i = 0; i < r->nselector; i++)
		words[n++] = r->selector[i];
	return command_line(a, words);
}

int request_done_before(const struct request_site *x, const struct ask *ask, const char *verb, bool json,
                        struct request_answer *answer, struct fault *f)
{
	bool found;

	if (store_find_audit(x->store, ask->id, &found, f))
		return -1;
	if (found && json)
		text_putf(&answer->out, "{\"verb\":\"%s\",\"done_before\":true}\n", verb);
	else if (found)
		text_putf(&answer->out, "%s: it was carried out before (request %s in the view `audit`)\n",
		          verb, ask->id);
	return found;
}

static int change(const struct request_site *x, const struct ask *ask, struct outcome *o,
                  const struct request_selection *units, struct request_answer *answer, struct fault *f)
{
	const struct request *r = o->request;
	const struct sched_request sr = {
	    .kind = r->kind, .units = units->numbers, .n = units->n, .priority = r->priority};
	struct event e = {.kind = EVENT_REQUEST, .request = &sr, .effect = &o->effect};

	if (r->dry_run) {
		sched_preview(x->sched, &sr, &o->effect);
		return 0;
	}
	if (!store_in_transaction(x->store) && store_begin(x->store, f))
		return -1;
	if (x->step(x->ctx, &e, f))
		return -1;
	if (!o->effect.changed && !o->effect.descendants)
		return 0;
	answer->changed = true;
	return store_put_audit(x->store, x->now_ms, ask->who, as_typed(x->scratch, r),
	                       (int64_t)o->effect.changed + o->effect.descendants, ask->id, f);
}

int request_apply(struct request_site *site, const struct ask *ask, struct request_answer *answer,
                  struct fault *f)
{
	struct request r;
	struct outcome o = {.request = &r};
	struct request_selection units;
	struct fault why = {0};
	int got;

	*answer = (struct request_answer){0};
	if (!strcmp(ask->words[0], "schedule"))
		return request_schedule(site, ask, answer, f);
	if (!strcmp(ask->words[0], "import"))
		return request_import(site, ask, answer, f);
	if (request_parse(ask->words, ask->nwords, &r, &why))
		return request_refuse(answer, &why);
	got = r.dry_run ? 0 : request_done_before(site, ask, verbs[r.kind], r.json, answer, f);
	if (got)
		return got < 0 ? -1 : 0;
	got = request_select(site, "unit", r.selector, r.nselector, &units, &why);
	if (got > 0)
		fault_context(&why, "%s", verbs[r.kind]);
	if (got > 0)
		return request_refuse(answer, &why);
	if (got < 0)
		return *f = why, -1;
	o.selected = units.n;
	if (units.n && change(site, ask, &o, &units, answer, f))
		return -1;
	if (units.n || r.json)
		say(answer, &o);
	if (!units.n) {
		fault_set(&why, FAULT_UNITS, "%s: nothing is selected", as_typed(site->scratch, &r));
		request_refuse(answer, &why);
	}
	return 0;
}

void request_answer_finish(struct request_answer *x)
{
	bytes_finish(&x->out);
	bytes_finish(&x->err);
}

/* ---- without a run -------------------------------------------------------------------------------- */

static int put_records(struct ledger *g, const struct actions *acts, struct fault *f)
{
	for (uint32_t i = 0; i < acts->count; i++)
		if (acts->items[i].kind == ACTION_RECORD && ledger_put(g, &acts->items[i].record, f))
			return -1;
	return 0;
}

static int step_alone(void *ctx, struct event *e, struct fault *f)
{
	struct ledger *g = ctx;
	struct actions acts = {.scratch = g->scratch};

	e->now_ms = host_monotonic_ms();
	sched_step(g->sched, e, &acts);
	return put_records(g, &acts, f);
}

/* What was running when the last run died is not any more: that is written down with the change. */
static int replay(struct ledger *g, struct fault *f)
{
	struct actions acts = {.scratch = g->scratch};

	if (store_begin(g->store, f) || store_drop_unstarted(g->store, f) || ledger_load(g, f))
		return -1;
	arena_reset(g->scratch);
	sched_resume(g->sched, host_monotonic_ms(), &acts);
	return put_records(g, &acts, f);
}

/* The next step derives what is not stored; nothing is live here that could get lost by it. */
static int restudy_alone(struct request_site *x, const char *jobs, size_t n, struct fault *f)
{
	const struct sched_options o = {.standing = true};
	struct ledger *g = x->ctx;
	const struct study *now;
	const char *name = x->study->name;

	if (store_put_jobs(x->store, name, jobs, n, f) ||
	    ledger_read_study(x->arena, x->store, "the study", &now, f) ||
	    ledger_put_phases(x->store, now, f))
		return -1;
	x->study = g->study = now;
	x->sched = g->sched = sched_new(x->arena, now, &o);
	return ledger_load(g, f);
}

int request_alone(const struct study *study, struct store *store, const struct ask *ask,
                  struct request_answer *answer, struct fault *f)
{
	struct arena arena = {0}, scratch = {0}, loading = {0};
	const struct sched_options o = {.standing = true};
	struct ledger g = {.study = study, .store = store, .scratch = &loading, .now_ms = host_epoch_ms()};
	struct request_site site = {.study = study,
	                            .store = store,
	                            .scratch = &scratch,
	                            .arena = &arena,
	                            .now_ms = g.now_ms,
	                            .step = step_alone,
	                            .restudy = restudy_alone,
	                            .ctx = &g};
	int bad;

	*answer = (struct request_answer){0};
	g.sched = site.sched = sched_new(&arena, study, &o);
	bad = replay(&g, f) || request_apply(&site, ask, answer, f);
	/* Otherwise closing the store takes back what the replay has noted. */
	if (!bad && answer->changed)
		bad = store_commit(store, f);
	arena_finish(&arena);
	arena_finish(&scratch);
	arena_finish(&loading);
	return bad ? -1 : 0;
}
