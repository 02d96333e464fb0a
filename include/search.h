/* search: what the searches behind sampler_ask share; nobody else includes it. A search is one function that
 * fills v->own for trial number k of the group and leaves v->parent at the parent combination it chose. */
#ifndef SEARCH_H
#define SEARCH_H

#include "sampler.h"

/* The space of a phase seen from one parent combination at a time. */
struct search_view {
	const struct sampler_ask *q;
	struct value *own;
	double *u;          /* coordinates, one for each own parameter */
	struct scope scope; /* of `parent`, own slot pointing at own */
	uint32_t parent;
	bool bound; /* is scope that of parent? */
};

/* Look from this parent combination. */
void search_bind(struct search_view *v, uint32_t parent);
/* Is the parent combination one more choice of the search (`trials: N total`)? Decided by the study, not by
 * how many there are just now, so that a second parent trial does not move the points of the first. */
bool search_chooses_parent(const struct sampler_ask *q);
/* One number for (study seed, group). */
uint64_t search_seed(const struct sampler_ask *q);
/* The next word folded into a hash; the same on every machine. */
uint64_t search_fold(uint64_t h, uint64_t word);

/* Serve trial k with the k-th feasible point of a sequence: at(v, n) tries point n. The cursor holds the next
 * trial (high half) and the point to start it from (low half), so that asking in order costs one point each.
 */
enum sampler_answer search_kth_feasible(struct search_view *v, bool (*at)(struct search_view *v, uint32_t n),
                                        uint32_t tries);

enum sampler_answer grid_ask(struct search_view *v);
enum sampler_answer random_ask(struct search_view *v);
enum sampler_answer sobol_ask(struct search_view *v);

#endif
