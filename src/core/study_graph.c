/* Phases as a graph: order, ancestors, and what a name means in a phase. */
#include "command_word.h"
#include "rng.h"
#include "study_draft.h"
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

int draft_find_phase(const struct draft *d, const char *name)
{
	for (uint32_t i = 0; i < d->nphases; i++)
		if (!strcmp(d->phases[i].p.name, name))
			return (int)i;
	return -1;
}

static const char *phase_hint(struct draft *d, const char *name)
{
	const char *words[DRAFT_MAX_PHASES];

	for (uint32_t i = 0; i < d->nphases; i++)
		words[i] = d->phases[i].p.name;
	return draft_hint(d, name, words, d->nphases);
}

/* ---- picks ------------------------------------------------------------------------------------- */

static bool take_word(const char **s, const char *word)
{
	size_t n = strlen(word);

	*s += strspn(*s, " ");
	if (strncmp(*s, word, n) != 0 || ((*s)[n] && (*s)[n] != ' '))
		return false;
	*s += n;
	return true;
}

static bool take_name(struct draft *d, const char **s, const char **name)
{
	size_t n;

	*s += strspn(*s, " ");
	n = strcspn(*s, " ");
	*name = arena_strndup(d->a, *s, n);
	*s += n;
	return n > 0;
}

/* best N per a b: names up to the end, separated by blanks or commas. */
static bool parse_per(struct draft *d, struct draft_after *x, const char *s)
{
	x->per = arena_array(d->a, strlen(s) / 2 + 1, sizeof *x->per);
	for (;;) {
		size_t n;

		s += strspn(s, " ,");
		n = strcspn(s, " ,");
		if (!n)
			return x->nper > 0 && x->nper <= 16;
		x->per[x->nper++] = arena_strndup(d->a, s, n);
		s += n;
	}
}

static bool parse_best(struct draft *d, struct draft_after *x, const char *s)
{
	size_t digits;
	int64_t n = 1;

	s += strspn(s, " ");
	digits = strspn(s, "0123456789");
	if (digits && (!text_parse_int(s, digits, &n) || n < 1 || n > 1000000))
		return false;
	s += digits;
	if (digits && *s && *s != ' ')
		return false;
	x->to.pick = PICK_BEST;
	x->to.best_n = (uint32_t)n;
	if (take_word(&s, "by") && !take_name(d, &s, &x->by))
		return false;
	if (take_word(&s, "per"))
		return parse_per(d, x, s);
	x->to.as_one = take_word(&s, "as") && take_word(&s, "one");
	return s[strspn(s, " ")] == 0;
}

static void parse_pick(struct draft *d, struct draft_after *x)
{
	const char *s = x->pick;

	if (!s || (take_word(&s, "all") && s[strspn(s, " ")] == 0))
		return;
	s = x->pick;
	if (take_word(&s, "best") && parse_best(d, x, s))
		return;
	x->to.pick = PICK_ALL;
	x->nper = 0;
	x->by = NULL;
	draft_error(
	    d, x->node,
	    "`%s: %.64s`: a pick is all, best, best N, best N by METRIC, best N per PARAM .., or best N "
	    "as one",
	    x->name, x->pick);
}

/* ---- order ------------------------------------------------------------------------------------- */

/* Why phase i can't come after phase q (-1: unknown). */
static void refuse_parent(struct draft *d, uint32_t i, const struct draft_after *x, int q)
{
	bool scheduled = d->phases[i].p.scheduled;

	d->phases[i].broken = true;
	if (q == (int)i)
		draft_error(d, x->node, "phase '%s' can't come after itself", x->name);
	else if (q >= 0)
		draft_error(
		    d, x->node,
		    "phase '%s' was scheduled from the command line: no phase of the study file can come "
		    "after it",
		    x->name);
	else
		draft_error(d, x->node,
		            scheduled ? "it has jobs after phase '%.64s', which is gone from the study file%s"
		                      : "unknown phase '%.64s' in `after`%s",
		            x->name, scheduled ? "" : phase_hint(d, x->name));
}

/* Parents by place in the file; those that can't be are dropped. */
static void resolve_parents(struct draft *d, uint32_t i)
{
	struct draft_phase *t = &d->phases[i];
	uint32_t n = 0;

	for (uint32_t k = 0; k < t->nafter; k++) {
		struct draft_after *x = &t->after[k];
		int q = draft_find_phase(d, x->name);

		parse_pick(d, x);
		if (q < 0 || q == (int)i || (d->phases[q].p.scheduled && !t->p.scheduled)) {
			refuse_parent(d, i, x, q);
			continue;
		}
		x->to.phase = (uint32_t)q;
		t->after[n++] = *x;
	}
	t->nafter = n;
}

/* Kahn's algorithm, of the ready ones the first in the file (so scheduled phases come last); order[i] is a
 * place in the file. Returns how many phases could be ordered. */
static uint32_t order_phases(const struct draft *d, uint32_t *order, bool *placed)
{
	uint32_t n = 0;

	for (uint32_t round = 0; round < d->nphases; round++)
		for (uint32_t i = 0; i < d->nphases; i++) {
			bool ready = !placed[i];

			for (uint32_t k = 0; ready && k < d->phases[i].nafter; k++)
				ready = placed[d->phases[i].after[k].to.phase];
			if (!ready)
				continue;
			placed[i] = true;
			order[n++] = i;
			break;
		}
	return n;
}

/* Following unplaced parents from an unplaced phase must run into a cycle. */
static void report_cycle(struct draft *d, const bool *placed)
{
	uint32_t at = 0, start, steps;
	const char *text;

	while (placed[at])
		at++;
	for (steps = 0; steps < d->nphases; steps++)
		for (uint32_t k = 0; k < d->phases[at].nafter; k++)
			if (!placed[d->phases[at].after[k].to.phase]) {
				at = d->phases[at].after[k].to.phase;
				break;
			}
	start = at;
	text = d->phases[at].p.name;
	do {
		uint32_t k = 0;

		while (placed[d->phases[at].after[k].to.phase])
			k++;
		at = d->phases[at].after[k].to.phase;
		text = arena_printf(d->a, "%s after %s", text, d->phases[at].p.name);
	} while (at != start && strlen(text) < 600);
	draft_error(d, d->phases[start].node, "the phases form a cycle: %s", text);
}

static void reorder(struct draft *d, const uint32_t *order)
{
	struct draft_phase *sorted = arena_array(d->a, d->nphases, sizeof *sorted);
	uint32_t *place = arena_array(d->a, d->nphases, sizeof *place);

	for (uint32_t i = 0; i < d->nphases; i++) {
		sorted[i] = d->phases[order[i]];
		sorted[i].p.index = i;
		place[order[i]] = i;
	}
	for (uint32_t i = 0; i < d->nphases; i++)
		for (uint32_t k = 0; k < sorted[i].nafter; k++)
			sorted[i].after[k].to.phase = place[sorted[i].after[k].to.phase];
	d->phases = sorted;
}

/* ---- ancestors --------------------------------------------------------------------------------- */

static void find_ancestors(struct draft *d, uint32_t i)
{
	struct draft_phase *t = &d->phases[i];

	t->reach = arena_array(d->a, d->nphases, sizeof *t->reach);
	t->ancestor = arena_array(d->a, d->nphases, sizeof *t->ancestor);
	for (uint32_t k = 0; k < t->nafter; k++) {
		const struct after *x = &t->after[k].to;
		const struct draft_phase *parent = &d->phases[x->phase];
		bool several = x->as_one && x->best_n > 1;

		t->broken = t->broken || parent->broken;
		for (uint32_t q = 0; q <= x->phase; q++) {
			enum reach r = q == x->phase ? REACH_ONE : parent->reach[q];

			if (r == REACH_NONE)
				continue;
			if (several)
				r = REACH_SEVERAL;
			if (t->reach[q] != REACH_ONE)
				t->reach[q] = r;
			t->ancestor[q] = true;
		}
	}
	t->p.ancestor = t->ancestor;
}

/* ---- names ------------------------------------------------------------------------------------- */

static uint32_t name_slot(const struct draft *d, const char *name)
{
	return (uint32_t)rng_hash(2, name, strlen(name)) & (d->nslots - 1);
}

/* Within a slot later phases come first. */
static void fill_names(struct draft *d)
{
	d->nslots = 64;
	while (d->nslots < 2 * d->all_params)
		d->nslots *= 2;
	d->names = arena_array(d->a, d->nslots, sizeof(struct draft_name *));
	for (uint32_t i = 0; i < d->nphases; i++)
		for (uint32_t k = 0; k < d->phases[i].nparams; k++) {
			struct draft_name *n = arena_alloc(d->a, sizeof *n);
			uint32_t slot = name_slot(d, d->phases[i].params[k].name);

			*n = (struct draft_name){.name = d->phases[i].params[k].name,
			                         .phase = i,
			                         .index = k,
			                         .next = d->names[slot]};
			d->names[slot] = n;
		}
}

static int found(const struct draft *d, const struct draft_name *n, struct expr_ref *out, struct fault *f)
{
	*out = (struct expr_ref){n->phase, n->index, &d->phases[n->phase].params[n->index]};
	if (out->param->text)
		return 1;
	fault_set(f, FAULT_STUDY, "%s", ""); /* its own mistake was told */
	return -1;
}

static int reachable(const struct draft *d, uint32_t p, const struct draft_name *n, struct expr_ref *out,
                     struct fault *f)
{
	const struct draft_phase *t = &d->phases[p];

	/* What several jobs have in common has a value, the rest has none. */
	if (n->phase != p && t->reach[n->phase] == REACH_SEVERAL && !t->p.scheduled)
		return fault_set(f, FAULT_STUDY,
		                 "'%s' is ambiguous: phase '%s' comes after several trials of '%s' (as one)",
		                 n->name, t->p.name, d->phases[n->phase].p.name);
	return found(d, n, out, f);
}

/* The nearest phase that has `name`: of several, one must come after all others. */
static int find_plain(const struct draft *d, uint32_t p, const char *name, struct expr_ref *out,
                      struct fault *f)
{
	const struct draft_name *best = NULL;

	for (const struct draft_name *n = d->names[name_slot(d, name)]; n; n = n->next) {
		if (strcmp(n->name, name) != 0 || (n->phase != p && !d->phases[p].ancestor[n->phase]))
			continue;
		if (n->phase == p)
			return found(d, n, out, f);
		if (!best)
			best = n;
		else if (!d->phases[best->phase].ancestor[n->phase])
			return fault_set(f, FAULT_STUDY, "'%s' is ambiguous: write %s.%s or %s.%s", name,
			                 d->phases[n->phase].p.name, name, d->phases[best->phase].p.name,
			                 name);
	}
	return best ? reachable(d, p, best, out, f) : 0;
}

static int find_dotted(const struct draft *d, uint32_t p, uint32_t q, const char *name, struct expr_ref *out,
                       struct fault *f)
{
	const struct draft_phase *t = &d->phases[q];
	const struct draft_name *n = d->names[name_slot(d, name)];

	if (q != p && !d->phases[p].ancestor[q])
		return fault_set(f, FAULT_STUDY, "phase '%s' does not come after '%s'", d->phases[p].p.name,
		                 t->p.name);
	while (n && (n->phase != q || strcmp(n->name, name) != 0))
		n = n->next;
	if (n)
		return reachable(d, p, n, out, f);
	return fault_set(f, FAULT_STUDY, "phase '%s' has no parameter '%.64s'", t->p.name, name);
}

int draft_find(const struct draft *d, uint32_t p, const char *name, struct expr_ref *out, struct fault *f)
{
	int r = find_plain(d, p, name, out, f), q;
	const char *dot = strchr(name, '.');
	char phase[65];

	if (r != 0 || !dot || dot - name > 64)
		return r;
	snprintf(phase, sizeof phase, "%.*s", (int)(dot - name), name);
	q = draft_find_phase(d, phase);
	return q < 0 ? 0 : find_dotted(d, p, (uint32_t)q, dot + 1, out, f);
}

static bool means(const struct draft *d, uint32_t p, const struct draft_name *n, const char *name)
{
	return (n->phase == p || d->phases[p].ancestor[n->phase]) && !strcmp(n->name, name);
}

/* Later phases stand first in their slot: the nearest of a name is the first found. */
static void collect_refs(const struct draft *d, uint32_t p, struct draft_name *nearest)
{
	struct command_ref *list;
	uint32_t n = 0;

	for (const struct draft_name *x = nearest; x; x = x->next)
		n += means(d, p, x, nearest->name);
	list = arena_array(d->a, n, sizeof *list);
	n = 0;
	for (const struct draft_name *x = nearest; x; x = x->next)
		if (means(d, p, x, nearest->name))
			list[n++] = (struct command_ref){x->phase, x->index};
	nearest->refs_of = p + 1;
	nearest->refs = list;
	nearest->nrefs = n;
}

int draft_find_all(const struct draft *d, uint32_t p, const char *name, const struct command_ref **refs,
                   uint32_t *n, struct fault *f)
{
	struct draft_name *x = d->names[name_slot(d, name)];
	struct expr_ref ref = {0};
	struct command_ref *one;
	int r;

	while (x && !means(d, p, x, name))
		x = x->next;
	if (x) {
		if (x->refs_of != p + 1)
			collect_refs(d, p, x);
		*refs = x->refs;
		*n = x->nrefs;
		return 1;
	}
	r = draft_find(d, p, name, &ref, f); /* phase.name */
	*refs = one = arena_alloc(d->a, sizeof *one);
	*n = 1;
	*one = (struct command_ref){ref.phase, ref.index};
	return r;
}

const char *draft_nearest(const struct draft *d, uint32_t p, const char *name)
{
	const char *words[512];
	size_t n = 0;

	if (d->nnotes >= 200)
		return NULL;
	for (uint32_t q = p + 1; q-- > 0;)
		for (uint32_t k = 0; (q == p || d->phases[p].ancestor[q]) && k < d->phases[q].nparams; k++)
			if (n < 512)
				words[n++] = d->phases[q].params[k].name;
	return text_nearest(name, words, n);
}

/* ---- all together ------------------------------------------------------------------------------ */

static void resolve_by(struct draft *d, struct draft_after *x)
{
	const struct draft_phase *above = &d->phases[x->to.phase];
	int number = study_find_objective(&above->p, x->by);

	if (number < 0 && !draft_metric_none(above))
		draft_error(d, x->node, "best by: '%.64s' is no metric of phase '%s'", x->by, x->name);
	x->to.objective = number < 0 ? 0 : (uint32_t)number;
}

/* `best N per x`: x is a parameter of the parent or of its ancestors. */
static void resolve_per(struct draft *d, struct draft_after *x)
{
	uint32_t *index = arena_array(d->a, x->nper, sizeof *index);
	uint32_t *phase = arena_array(d->a, x->nper, sizeof *phase);

	for (uint32_t i = 0; i < x->nper; i++) {
		struct expr_ref ref = {0};
		struct fault f = {0};
		int r = draft_find(d, x->to.phase, x->per[i], &ref, &f);
		const char *near = r ? NULL : draft_nearest(d, x->to.phase, x->per[i]);

		if (r < 0 && *f.text)
			draft_error(d, x->node, "best per: %s", f.text);
		else if (r == 0)
			draft_error(d, x->node, "best per: phase '%s' has no parameter '%.64s'%s%s%s",
			            x->name, x->per[i], near ? ", did you mean '" : "", near ? near : "",
			            near ? "'?" : "");
		index[i] = ref.index;
		phase[i] = ref.phase;
	}
	x->to.per = index;
	x->to.per_phase = phase;
	x->to.nper = x->nper;
}

static void finish_after(struct draft *d, struct draft_phase *t)
{
	struct after *list = arena_array(d->a, t->nafter, sizeof *list);

	for (uint32_t k = 0; k < t->nafter; k++) {
		if (!d->phases[t->after[k].to.phase].broken)
			resolve_per(d, &t->after[k]);
		if (t->after[k].by)
			resolve_by(d, &t->after[k]);
		list[k] = t->after[k].to;
	}
	t->p.after = list;
	t->p.nafter = t->nafter;
}

void draft_graph(struct draft *d)
{
	uint32_t *order = arena_array(d->a, d->nphases, sizeof *order), n;
	bool *placed = arena_array(d->a, d->nphases, sizeof *placed);

	for (uint32_t i = 0; i < d->nphases; i++)
		resolve_parents(d, i);
	n = order_phases(d, order, placed);
	if (n < d->nphases)
		report_cycle(d, placed);
	for (uint32_t i = 0; i < d->nphases; i++)
		if (!placed[i]) { /* in a cycle or behind one: parents are taken away to have some order */
			d->phases[i].broken = true;
			d->phases[i].nafter = 0;
			order[n++] = i;
		}
	reorder(d, order);
	for (uint32_t i = 0; i < d->nphases; i++)
		find_ancestors(d, i);
	fill_names(d);
	for (uint32_t i = 0; i < d->nphases; i++)
		finish_after(d, &d->phases[i]);
}
