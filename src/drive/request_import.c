/* import: a table of observations becomes rows of the database, and the search knows them.
 *
 * Every row is read against the space of the phase (prior.c); what does not fit is counted, by what is wrong
 * with it. Equal observations are there once, so the same import again adds nothing. */
#include "request.h"

#include "command.h"
#include "prior.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct options {
	const char *phase, *from;
	const char *const *words; /* of the request: where the ignored columns are */
	uint32_t nwords;
	int64_t columns, skipped[PRIOR_FITS];
	bool forget, dry_run, json;
};
static const char IGNORED[] = "--ignored=";

struct table {
	const struct study_phase *phase;
	struct prior_param *params;
	uint32_t columns;
	const char *const *cells; /* nrows x (2 + columns) */
	uint32_t nrows;
};

struct counts {
	uint64_t added, known, skipped[PRIOR_FITS];
	const char *example[PRIOR_FITS];
};

/* ---- words --------------------------------------------------------------------------------------- */
static const char *value_of(const char *word, const char *option)
{
	size_t n = strlen(option);

	return !strncmp(word, option, n) ? word + n : NULL;
}

static int take_number(const char *text, int64_t *out, struct fault *f)
{
	if (text_parse_int(text, strlen(text), out) && *out >= 0 && *out <= INT32_MAX)
		return 0;
	return fault_set(f, FAULT_USAGE, "`%.100s` is no number of something", text);
}

/* MISFIT:N */
static int take_skipped(struct options *o, const char *text, struct fault *f)
{
	for (int m = 0; m < PRIOR_FITS; m++) {
		const char *number = value_of(text, prior_misfit_word((enum prior_misfit)m));

		if (number && *number == ':')
			return take_number(number + 1, &o->skipped[m], f);
	}
	return fault_set(f, FAULT_USAGE, "`%.100s` is no reason to skip", text);
}

static int take_option(struct options *o, const char *word, struct fault *f)
{
	const char *v;

	if (!strcmp(word, "--dry-run"))
		o->dry_run = true;
	else if (!strcmp(word, "--json"))
		o->json = true;
	else if (!strcmp(word, "--forget"))
		o->forget = true;
	else if ((v = value_of(word, "--phase=")))
		o->phase = v;
	else if ((v = value_of(word, "--from=")))
		o->from = v;
	else if ((v = value_of(word, "--columns=")))
		return take_number(v, &o->columns, f);
	else if ((v = value_of(word, "--skipped=")))
		return take_skipped(o, v, f);
	else if (!value_of(word, IGNORED))
		return fault_set(f, FAULT_USAGE, "no option `%.100s`", word);
	return 0;
}

static int parse_words(const char *const *words, uint32_t n, struct options *o, struct fault *f)
{
	uint32_t i = 1;

	*o = (struct options){.words = words};
	for (; i < n && strcmp(words[i], "--") != 0; i++)
		if (take_option(o, words[i], f))
			return -1;
	o->nwords = i;
	if (!o->phase)
		return fault_set(f, FAULT_USAGE, "which phase?");
	if (!o->forget && (!o->from || i == n))
		return fault_set(f, FAULT_USAGE, "from where?");
	return 0;
}

/* ---- the table ------------------------------------------------------------------------------------- */
static const struct study_phase *find_phase(const struct study *s, const char *name, struct fault *f)
{
	const struct study_phase *p = study_find_phase(s, name);

	if (!p)
		fault_set(f, FAULT_USAGE, "there is no phase `%.100s`", name);
	return p && prior_wanted(p, f) == 0 ? p : NULL;
}

static int read_table(const struct request_site *x, const struct options *o, const struct ask *ask,
                      struct table *t, struct fault *f)
{
	uint64_t n = ask->nwords - o->nwords - 1, columns = (uint64_t)o->columns;
	const char *const *words = ask->words + o->nwords + 1;

	t->phase = find_phase(x->study, o->phase, f);
	if (!t->phase)
		return -1;
	if (n < columns || (n - columns) % (columns + 2))
		return fault_set(f, FAULT_USAGE, "the table has too few or too many texts");
	t->columns = (uint32_t)columns;
	t->nrows = (uint32_t)((n - columns) / (columns + 2));
	t->cells = words + columns;
	t->params = arena_array(x->scratch, columns + 1, sizeof *t->params);
	for (uint32_t i = 0; i < t->columns; i++)
		if (!prior_find_param(x->study, t->phase, words[i], &t->params[i]))
			return fault_set(f, FAULT_USAGE, "phase %s has no parameter `%.100s`", t->phase->name,
			                 words[i]);
	return 0;
}

static enum prior_misfit read_row(const struct request_site *x, const struct table *t, uint32_t row,
                                  struct arena *a, struct prior *out, const char **why)
{
	const char *const *cells = t->cells + (size_t)row * (t->columns + 2);
	struct prior_row r = {cells[0], cells[1], cells + 2};

	return prior_read(a, x->study, t->phase, t->params, t->columns, &r, out, why);
}

static void skip(const struct request_site *x, struct counts *n, enum prior_misfit m, const char *why)
{
	n->skipped[m]++;
	if (why && !n->example[m])
		n->example[m] = arena_strdup(x->scratch, why);
}

/* ---- carrying it out --------------------------------------------------------------------------------- */
static int put(const struct request_site *x, const struct options *o, const struct table *t,
               const struct prior *p, struct arena *a, bool *added, struct fault *f)
{
	struct key128 key = prior_key(x->study, p);
	struct bytes at = {0};
	struct store_prior row = {
	    .phase = t->phase->name,
	    .outer = p->outer,
	    .key_hi = key.hi,
	    .key_lo = key.lo,
	    .value = p->value,
	    .params_json = command_params_json(a, x->study, t->phase, &p->scope, false),
	    .source = o->from,
	    .now_ms = x->now_ms,
	};
	int bad;

	prior_encode(&at, x->study, p);
	row.at = at.data ? at.data : (const void *)"";
	row.at_bytes = at.len;
	bad = store_put_prior(x->store, &row, added, f);
	bytes_finish(&at);
	return bad;
}

static int put_rows(const struct request_site *x, const struct options *o, const struct table *t,
                    struct counts *n, struct fault *f)
{
	struct arena each = {0};
	int bad = 0;

	for (uint32_t i = 0; !bad && i < t->nrows; i++) {
		struct prior p;
		const char *why;
		bool added = false;
		enum prior_misfit m;

		arena_reset(&each);
		m = read_row(x, t, i, &each, &p, &why);
		if (m != PRIOR_FITS) {
			skip(x, n, m, why);
			continue;
		}
		bad = put(x, o, t, &p, &each, &added, f);
		n->added += added;
		n->known += !added;
	}
	arena_finish(&each);
	return bad;
}

static int by_key(const void *a, const void *b)
{
	const struct key128 *x = a, *y = b;

	if (x->hi != y->hi)
		return x->hi < y->hi ? -1 : 1;
	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* What it would come to: twice the same counts once. */
static int preview(const struct request_site *x, const struct table *t, struct counts *n, struct fault *f)
{
	struct key128 *keys = arena_array(x->scratch, (size_t)t->nrows + 1, sizeof *keys);
	struct arena each = {0};
	uint32_t nkeys = 0;

	for (uint32_t i = 0; i < t->nrows; i++) {
		struct prior p;
		const char *why;
		enum prior_misfit m;

		arena_reset(&each);
		m = read_row(x, t, i, &each, &p, &why);
		if (m == PRIOR_FITS)
			keys[nkeys++] = prior_key(x->study, &p);
		else
			skip(x, n, m, why);
	}
	arena_finish(&each);
	qsort(keys, nkeys, sizeof *keys, by_key);
	for (uint32_t i = 0; i < nkeys; i++) {
		bool found = i > 0 && key_equal(keys[i], keys[i - 1]);

		if (!found && store_find_prior(x->store, t->phase->name, keys[i].hi, keys[i].lo, &found, f))
			return -1;
		n->added += !found;
		n->known += found;
	}
	return 0;
}

static const char *as_typed(struct arena *a, const struct options *o)
{
	const char *phase = arena_printf(a, "--phase=%s", o->phase);
	const char *words[] = {"import", phase, o->forget ? "--forget" : o->from, NULL};

	return command_line(a, words);
}

static int changed(struct request_site *x, const struct ask *ask, const struct options *o, uint64_t n,
                   struct request_answer *answer, struct fault *f)
{
	if (!n)
		return 0;
	answer->changed = true;
	if (store_put_audit(x->store, x->now_ms, ask->who, as_typed(x->scratch, o), (int64_t)n, ask->id, f))
		return -1;
	return x->relearn ? x->relearn(x, f) : 0;
}

static int begin(const struct request_site *x, struct fault *f)
{
	return store_in_transaction(x->store) ? 0 : store_begin(x->store, f);
}

/* ---- the answer ---------------------------------------------------------------------------------------- */
static uint64_t count_skipped(const struct counts *n)
{
	uint64_t sum = 0;

	for (int m = 0; m < PRIOR_FITS; m++)
		sum += n->skipped[m];
	return sum;
}

static void put_rows_skipped(struct bytes *b, const struct counts *n)
{
	for (int m = 0; m < PRIOR_FITS; m++) {
		if (!n->skipped[m])
			continue;
		text_putf(b, "skipped: %" PRIu64 " row%s %s", n->skipped[m], n->skipped[m] == 1 ? "" : "s",
		          prior_misfit_text((enum prior_misfit)m));
		if (n->example[m])
			text_putf(b, " (%s%s)", n->skipped[m] > 1 ? "the first: " : "", n->example[m]);
		text_put(b, "\n");
	}
}

static void put_ignored(struct bytes *b, const struct options *o)
{
	const char *before = "ignored, as they are no parameters of the phase: ", *name;

	for (uint32_t i = 1; i < o->nwords; i++)
		if ((name = value_of(o->words[i], IGNORED))) {
			text_putf(b, "%s%.100s", before, name);
			before = ", ";
		}
	if (*before == ',')
		text_put(b, "\n");
}

static void say(struct bytes *b, const struct options *o, const struct counts *n)
{
	text_putf(b, "import%s: %" PRIu64 " observation%s for phase %s added",
	          o->dry_run ? " (dry run, nothing is changed)" : "", n->added, n->added == 1 ? "" : "s",
	          o->phase);
	if (n->known)
		text_putf(b, "; %" PRIu64 " there already", n->known);
	text_put(b, "\n");
	put_rows_skipped(b, n);
	put_ignored(b, o);
}

static void say_json(struct bytes *b, const struct options *o, const struct counts *n)
{
	bool any = false;
	const char *name;

	text_put(b, "{\"verb\":\"import\",\"phase\":");
	text_put_json(b, o->phase, strlen(o->phase));
	text_putf(b,
	          ",\"rows\":%" PRIu64 ",\"added\":%" PRIu64 ",\"known\":%" PRIu64 ",\"skipped\":%" PRIu64
	          ",\"misfits\":{",
	          n->added + n->known + count_skipped(n), n->added, n->known, count_skipped(n));
	for (int m = 0; m < PRIOR_FITS; m++)
		if (n->skipped[m]) {
			text_putf(b, "%s\"%s\":%" PRIu64, any ? "," : "",
			          prior_misfit_word((enum prior_misfit)m), n->skipped[m]);
			any = true;
		}
	text_put(b, "},\"ignored\":[");
	any = false;
	for (uint32_t i = 1; i < o->nwords; i++)
		if ((name = value_of(o->words[i], IGNORED))) {
			text_put(b, any ? "," : "");
			text_put_json(b, name, strlen(name));
			any = true;
		}
	text_putf(b, "],\"dry_run\":%s}\n", o->dry_run ? "true" : "false");
}

static int nothing(const char *what, struct request_answer *answer)
{
	struct fault why;

	fault_set(&why, FAULT_UNITS, "import: %s", what);
	return request_refuse(answer, &why);
}

/* ---- all of it --------------------------------------------------------------------------------------- */
static int import_rows(struct request_site *x, const struct ask *ask, const struct options *o,
                       const struct table *t, struct request_answer *answer, struct fault *f)
{
	struct counts n = {0};

	for (int m = 0; m < PRIOR_FITS; m++)
		n.skipped[m] = (uint64_t)o->skipped[m];
	if (o->dry_run ? preview(x, t, &n, f) : begin(x, f) || put_rows(x, o, t, &n, f))
		return -1;
	if (!o->dry_run && changed(x, ask, o, n.added, answer, f))
		return -1;
	if (o->json)
		say_json(&answer->out, o, &n);
	else
		say(&answer->out, o, &n);
	return n.added + n.known ? 0 : nothing("no row fits", answer);
}

static int forget(struct request_site *x, const struct ask *ask, const struct options *o,
                  struct request_answer *answer, struct fault *f)
{
	uint32_t n = 0;

	if (o->dry_run ? store_count_priors(x->store, o->phase, &n, f)
	               : begin(x, f) || store_drop_priors(x->store, o->phase, &n, f) ||
	                     changed(x, ask, o, n, answer, f))
		return -1;
	if (o->json) {
		text_put(&answer->out, "{\"verb\":\"import\",\"phase\":");
		text_put_json(&answer->out, o->phase, strlen(o->phase));
		text_putf(&answer->out, ",\"forgotten\":%" PRIu32 ",\"dry_run\":%s}\n", n,
		          o->dry_run ? "true" : "false");
	} else if (n) {
		text_putf(&answer->out, "import%s: %" PRIu32 " observation%s for phase %s forgotten\n",
		          o->dry_run ? " (dry run, nothing is changed)" : "", n, n == 1 ? "" : "s", o->phase);
	}
	return n ? 0 : nothing("there is nothing to forget", answer);
}

int request_import(struct request_site *site, const struct ask *ask, struct request_answer *answer,
                   struct fault *f)
{
	struct options o;
	struct table t = {0};
	struct fault why = {0};
	int got;

	if (parse_words(ask->words, ask->nwords, &o, &why))
		goto refuse;
	got = o.dry_run ? 0 : request_done_before(site, ask, "import", o.json, answer, f);
	if (got)
		return got < 0 ? -1 : 0;
	if (o.forget && find_phase(site->study, o.phase, &why))
		return forget(site, ask, &o, answer, f);
	if (!o.forget && read_table(site, &o, ask, &t, &why) == 0)
		return import_rows(site, ask, &o, &t, answer, f);
refuse:
	fault_context(&why, "import");
	return request_refuse(answer, &why);
}
