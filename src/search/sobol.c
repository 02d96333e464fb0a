/* Sobol points, Owen-scrambled: well spread from the first point on, whatever the number of trials, and in
 * every projection; scrambled so that groups differ and no point lies on the lattice.
 *
 * Direction numbers: S. Joe and F. Y. Kuo, "Constructing Sobol sequences with better two-dimensional
 * projections", SIAM J. Sci. Comput. 30 (2008), set new-joe-kuo-6.21201. Scrambling: A. B. Owen, "Randomly
 * permuted (t,m,s)-nets and (t,s)-sequences" (1995): every digit is flipped or not by a coin that depends on
 * all digits before it. The coins are hashes of the node they stand on instead of a stored tree, as in
 * B. Burley, "Practical Hash-based Owen Scrambling", JCGT 9(4) (2020); with one good hash for each node
 * rather than one cheap one for all of them: a coordinate costs a tenth of a microsecond, and rank 0 has
 * that.
 *
 * Points are numbered in natural order (not Gray code), so point n costs the same whatever n. */
#include "search.h"

enum { SOBOL_BITS = 32, SOBOL_MAX_DEGREE = 9 };

/* Of a primitive polynomial over GF(2): its degree s, its inner coefficients a, and the first s numbers. Row
 * 0 is dimension 1; dimension 0 is van der Corput's sequence. */
static const struct polynomial {
	uint8_t s, a;
	uint16_t m[SOBOL_MAX_DEGREE];
} polynomials[SOBOL_MAX_DIMS - 1] = {
    {1, 0, {1}},
    {2, 1, {1, 3}},
    {3, 1, {1, 3, 1}},
    {3, 2, {1, 1, 1}},
    {4, 1, {1, 1, 3, 3}},
    {4, 4, {1, 3, 5, 13}},
    {5, 2, {1, 1, 5, 5, 17}},
    {5, 4, {1, 1, 5, 5, 5}},
    {5, 7, {1, 1, 7, 11, 19}},
    {5, 11, {1, 1, 5, 1, 1}},
    {5, 13, {1, 1, 1, 3, 11}},
    {5, 14, {1, 3, 5, 5, 31}},
    {6, 1, {1, 3, 3, 9, 7, 49}},
    {6, 13, {1, 1, 1, 15, 21, 21}},
    {6, 16, {1, 3, 1, 13, 27, 49}},
    {6, 19, {1, 1, 1, 15, 7, 5}},
    {6, 22, {1, 3, 1, 15, 13, 25}},
    {6, 25, {1, 1, 5, 5, 19, 61}},
    {7, 1, {1, 3, 7, 11, 23, 15, 103}},
    {7, 4, {1, 3, 7, 13, 13, 15, 69}},
    {7, 7, {1, 1, 3, 13, 7, 35, 63}},
    {7, 8, {1, 3, 5, 9, 1, 25, 53}},
    {7, 14, {1, 3, 1, 13, 9, 35, 107}},
    {7, 19, {1, 3, 1, 5, 27, 61, 31}},
    {7, 21, {1, 1, 5, 11, 19, 41, 61}},
    {7, 28, {1, 3, 5, 3, 3, 13, 69}},
    {7, 31, {1, 1, 7, 13, 1, 19, 1}},
    {7, 32, {1, 3, 7, 5, 13, 19, 59}},
    {7, 37, {1, 1, 3, 9, 25, 29, 41}},
    {7, 41, {1, 3, 5, 13, 23, 1, 55}},
    {7, 42, {1, 3, 7, 3, 13, 59, 17}},
    {7, 50, {1, 3, 1, 3, 5, 53, 69}},
    {7, 55, {1, 1, 5, 5, 23, 33, 13}},
    {7, 56, {1, 1, 7, 7, 1, 61, 123}},
    {7, 59, {1, 1, 7, 9, 13, 61, 49}},
    {7, 62, {1, 3, 3, 5, 3, 55, 33}},
    {8, 14, {1, 3, 1, 15, 31, 13, 49, 245}},
    {8, 21, {1, 3, 5, 15, 31, 59, 63, 97}},
    {8, 22, {1, 3, 1, 11, 11, 11, 77, 249}},
    {8, 38, {1, 3, 1, 11, 27, 43, 71, 9}},
    {8, 47, {1, 1, 7, 15, 21, 11, 81, 45}},
    {8, 49, {1, 3, 7, 3, 25, 31, 65, 79}},
    {8, 50, {1, 3, 1, 1, 19, 11, 3, 205}},
    {8, 52, {1, 1, 5, 9, 19, 21, 29, 157}},
    {8, 56, {1, 3, 7, 11, 1, 33, 89, 185}},
    {8, 67, {1, 3, 3, 3, 15, 9, 79, 71}},
    {8, 70, {1, 3, 7, 11, 15, 39, 119, 27}},
    {8, 84, {1, 1, 3, 1, 11, 31, 97, 225}},
    {8, 97, {1, 1, 1, 3, 23, 43, 57, 177}},
    {8, 103, {1, 3, 7, 7, 17, 17, 37, 71}},
    {8, 115, {1, 3, 1, 5, 27, 63, 123, 213}},
    {8, 122, {1, 1, 3, 5, 11, 43, 53, 133}},
    {9, 8, {1, 3, 5, 5, 29, 17, 47, 173, 479}},
    {9, 13, {1, 3, 3, 11, 3, 1, 109, 9, 69}},
    {9, 16, {1, 1, 1, 5, 17, 39, 23, 5, 343}},
    {9, 22, {1, 3, 1, 5, 25, 15, 31, 103, 499}},
    {9, 25, {1, 1, 1, 11, 11, 17, 63, 105, 183}},
    {9, 44, {1, 1, 5, 11, 9, 29, 97, 231, 363}},
    {9, 47, {1, 1, 5, 15, 19, 45, 41, 7, 383}},
    {9, 52, {1, 3, 7, 7, 31, 19, 83, 137, 221}},
    {9, 55, {1, 1, 1, 3, 23, 15, 111, 223, 83}},
    {9, 59, {1, 1, 5, 13, 31, 15, 55, 25, 161}},
    {9, 62, {1, 1, 3, 13, 25, 47, 39, 87, 257}},
};

/* Direction number j of a dimension as a fraction of 32 bits, given the ones before it (Joe and Kuo, eq. 2).
 */
static uint32_t direction(uint32_t dim, uint32_t j, const uint32_t *v)
{
	const struct polynomial *p;
	uint32_t x;

	if (dim == 0)
		return 1u << (SOBOL_BITS - 1 - j);
	p = &polynomials[dim - 1];
	if (j < p->s)
		return (uint32_t)p->m[j] << (SOBOL_BITS - 1 - j);
	x = v[j - p->s] ^ (v[j - p->s] >> p->s);
	for (uint32_t i = 1; i < p->s; i++)
		if (p->a >> (p->s - 1 - i) & 1)
			x ^= v[j - i];
	return x;
}

static uint32_t plain_point(uint64_t n, uint32_t dim)
{
	uint32_t v[SOBOL_BITS], x = 0;

	for (uint32_t j = 0; j < SOBOL_BITS && n >> j; j++) {
		v[j] = direction(dim, j, v);
		if (n >> j & 1)
			x ^= v[j];
	}
	return x;
}

/* `node` numbers the digits so far as in a heap; the digits beyond the 32 of the sequence are all zero before
 * scrambling, hence plain random ones below the last node. */
static double scramble(uint32_t x, uint64_t seed)
{
	uint64_t node = 1, out = 0;

	for (int i = SOBOL_BITS - 1; i >= 0; i--) {
		uint64_t digit = x >> i & 1;

		out = out << 1 | (digit ^ (search_fold(seed, node) >> 63));
		node = node << 1 | digit;
	}
	return (double)(out << 21 | search_fold(seed, node) >> 43) * 0x1p-53;
}

double sobol_point(uint64_t n, uint32_t dim, uint64_t seed)
{
	uint64_t own_seed = search_fold(seed, dim);

	if (dim >= SOBOL_MAX_DIMS)
		return (double)(search_fold(own_seed, n) >> 11) * 0x1p-53;
	if (seed == 0)
		return plain_point(n, dim) * 0x1p-32;
	return scramble(plain_point(n, dim), own_seed);
}

static bool sobol_at(struct search_view *v, uint32_t n)
{
	const struct sampler_ask *q = v->q;
	const struct space *s = &q->phase->space;
	uint64_t seed = search_seed(q) | 1; /* never the plain sequence */
	uint32_t dim = 0, parent = 0;

	if (search_chooses_parent(q))
		parent = (uint32_t)(sobol_point(n, dim++, seed) * (double)q->nparents);
	search_bind(v, parent);
	for (uint32_t i = 0; i < s->nparams; i++)
		v->u[i] = sobol_point(n, dim++, seed);
	return space_draw(s, &v->scope, v->u, v->own);
}

enum sampler_answer sobol_ask(struct search_view *v)
{
	return search_kth_feasible(v, sobol_at, SAMPLER_TRIES);
}
