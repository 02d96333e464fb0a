/* The Gaussian process itself: kernel, Cholesky factor, posterior, and the slope of its likelihood.
 *
 * Kernel: Matern 5/2 with a length scale for each axis, as C. E. Rasmussen and C. K. I. Williams, "Gaussian
 * Processes for Machine Learning" (2006), eq. 4.17, on the weighted squared distance r2 of features:
 *
 *	k = s (1 + a + a^2/3) exp(-a),  a = sqrt(5 r2),   dk/dr2 = -5/6 s (1 + a) exp(-a)
 *
 * A choice adds 1 / l^2 where it differs, that is, Hamming distance. A number that is not active stands in
 * the middle of its axis and apart from it (F. Hutter and M. A. Osborne, "A kernel for hierarchical parameter
 * spaces", 2013, with a segment in place of their arc): two that are not active are alike, and to an active
 * one the distance is nearly constant. Both are squared distances of points in some Euclidean space, so k is
 * positive definite.
 *
 * Posterior and factor: algorithm 2.1 there. Everything is done for GP_BLOCK columns at a time, which keeps
 * the sums in registers and needs no reassociation: of 200 points the kernel and its factor take 0.5 ms, the
 * inverse with the slope 0.8 ms; the reference LAPACK takes 1.2 and 3.0 (dpotrf, dpotri). */
#include "gp.h"

#include <string.h>

/* Distance of an inactive number from the axis, squared. */
static const double apart = 0.0625;

static const double first_jitter = 1e-10;

/* ---- features ---------------------------------------------------------------------------------- */
static uint32_t list_features(const struct axis *axes, uint32_t naxes, const bool *conditional,
                              struct gp_feature *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < naxes; i++) {
		f[n++] = (struct gp_feature){i, axes[i].kind == AXIS_CHOICE ? GP_MISMATCH : GP_SQUARE};
		if (axes[i].kind != AXIS_CHOICE && conditional[i])
			f[n++] = (struct gp_feature){i, GP_ACTIVITY};
	}
	return n;
}

void gp_init(struct gp *g, struct arena *a, const struct axis *axes, uint32_t naxes, const bool *conditional,
             uint32_t n, uint32_t nall)
{
	struct gp_feature *features = arena_array(a, 2 * (size_t)naxes, sizeof *features);
	uint32_t stride = (nall + GP_BLOCK - 1) / GP_BLOCK * GP_BLOCK;

	*g = (struct gp){.axes = axes, .naxes = naxes, .features = features, .n = n, .nall = nall};
	g->nfeatures = list_features(axes, naxes, conditional, features);
	g->stride = stride;
	g->x = arena_array(a, (size_t)nall * g->nfeatures, sizeof *g->x);
	g->y = arena_array(a, n, sizeof *g->y);
	g->weight = arena_array(a, g->nfeatures, sizeof *g->weight);
	g->chol = arena_array(a, (size_t)stride * stride, sizeof *g->chol);
	g->alpha = arena_array(a, stride, sizeof *g->alpha);
	g->column = arena_array(a, stride, sizeof *g->column);
	g->solve = arena_array(a, 2 * (size_t)stride + g->nfeatures, sizeof *g->solve);
}

static double feature_of(const struct gp *g, struct gp_feature f, struct cell c)
{
	if (f.kind == GP_ACTIVITY)
		return cell_active(c);
	if (f.kind == GP_MISMATCH)
		return cell_active(c) ? cell_choice(c, g->axes[f.axis].levels) : -1.0;
	return cell_active(c) ? cell_middle(c) : 0.5;
}

void gp_encode(const struct gp *g, const struct cell *cells, double *x)
{
	for (uint32_t i = 0; i < g->nfeatures; i++)
		x[i] = feature_of(g, g->features[i], cells[g->features[i].axis]);
}

void gp_set(struct gp *g, const double *theta)
{
	for (uint32_t i = 0; i < g->nfeatures; i++) {
		struct gp_feature f = g->features[i];

		g->weight[i] = exp(-2 * theta[f.axis]) * (f.kind == GP_ACTIVITY ? apart : 1);
	}
	g->signal = exp(theta[gp_signal(g->naxes)]);
	g->noise = exp(theta[gp_noise(g->naxes)]);
}

/* ---- kernel ------------------------------------------------------------------------------------ */
static double matern(double signal, double r2, double *slope)
{
	double a = sqrt(5 * r2), e = signal * exp(-a);

	*slope = -5.0 / 6 * (1 + a) * e;
	return (1 + a + a * a / 3) * e;
}

/* r2 of point i and GP_BLOCK others. */
static void distances(const struct gp *g, uint32_t i, const union gp_lanes *x, union gp_lanes *r2)
{
	const double *at = g->x + (size_t)i * g->nfeatures;

	*r2 = (union gp_lanes){{0}};
	for (uint32_t f = 0; f < g->nfeatures; f++) {
		double w = g->weight[f];

		if (g->features[f].kind == GP_SQUARE)
			for (int p = 0; p < GP_PAIRS; p++)
				r2->pair[p] += w * (x[f].pair[p] - at[f]) * (x[f].pair[p] - at[f]);
		else
			for (int b = 0; b < GP_BLOCK; b++)
				r2->of[b] += x[f].of[b] != at[f] ? w : 0;
	}
}

static double square(const struct gp *g, uint32_t f, double difference)
{
	if (g->features[f].kind == GP_SQUARE)
		return difference * difference;
	return difference != 0;
}

static double distance(const struct gp *g, uint32_t i, const double *x)
{
	const double *at = g->x + (size_t)i * g->nfeatures;
	double r2 = 0;

	for (uint32_t f = 0; f < g->nfeatures; f++)
		r2 += g->weight[f] * square(g, f, x[f] - at[f]);
	return r2;
}

static void fill_kernel(struct gp *g, double diagonal)
{
	for (uint32_t i = 0; i < g->nall; i++) {
		double *row = g->chol + (size_t)i * g->stride, slope;

		memset(row, 0, g->stride * sizeof *row);
		for (uint32_t j = 0; j < i; j++) {
			row[j] = matern(g->signal, distance(g, i, g->x + (size_t)j * g->nfeatures), &slope);
			if (g->slope)
				g->slope[(size_t)i * g->stride + j] = slope;
		}
		row[i] = g->signal + diagonal;
	}
}

/* ---- triangular systems ------------------------------------------------------------------------ */
/* to -= sum over j in first .. last-1 of row[j] v[j]. */
static void take_rows(const double *row, const union gp_lanes *v, uint32_t first, uint32_t last,
                      union gp_lanes *to)
{
	gp_pair a = to->pair[0], b = to->pair[1], c = to->pair[2], d = to->pair[3];

	for (uint32_t j = first; j < last; j++) {
		a -= row[j] * v[j].pair[0];
		b -= row[j] * v[j].pair[1];
		c -= row[j] * v[j].pair[2];
		d -= row[j] * v[j].pair[3];
	}
	*to = (union gp_lanes){.pair = {a, b, c, d}};
}

static void scale(union gp_lanes *v, double by)
{
	for (int p = 0; p < GP_PAIRS; p++)
		v->pair[p] *= by;
}

/* v := L^-1 v for rows first .. n-1, where rows before `first` are 0. */
static void forward(const struct gp *g, union gp_lanes *v, uint32_t first, uint32_t n)
{
	for (uint32_t i = first; i < n; i++) {
		const double *row = g->chol + (size_t)i * g->stride;

		take_rows(row, v, first, i, &v[i]);
		scale(&v[i], 1 / row[i]);
	}
}

/* v := L'^-1 v, rows n-1 down to `last`. */
static void backward(const struct gp *g, union gp_lanes *v, uint32_t last, uint32_t n)
{
	for (uint32_t i = n; i-- > last;) {
		const double *row = g->chol + (size_t)i * g->stride;

		scale(&v[i], 1 / row[i]);
		for (uint32_t j = last; j < i; j++)
			for (int p = 0; p < GP_PAIRS; p++)
				v[j].pair[p] -= row[j] * v[i].pair[p];
	}
}

/* Sums of blocks of a b. */
static gp_pair dot_pairs(const gp_pair *a, const gp_pair *b, uint32_t blocks)
{
	gp_pair s = {0}, t = {0}, u = {0}, v = {0};

	for (uint32_t i = 0; i < blocks * GP_PAIRS; i += GP_PAIRS) {
		s += a[i] * b[i];
		t += a[i + 1] * b[i + 1];
		u += a[i + 2] * b[i + 2];
		v += a[i + 3] * b[i + 3];
	}
	return (s + t) + (u + v);
}

/* The same two for one column; v is stride long and 0 behind n, rows of L are 0 behind the diagonal. */
static void forward_one(const struct gp *g, double *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const double *row = g->chol + (size_t)i * g->stride;
		double own = v[i];
		gp_pair sum;

		v[i] = 0;
		sum = dot_pairs((const gp_pair *)row, (const gp_pair *)v, (i + GP_BLOCK - 1) / GP_BLOCK);
		v[i] = (own - (sum[0] + sum[1])) / row[i];
	}
}

static void backward_one(const struct gp *g, double *v, uint32_t n)
{
	for (uint32_t i = n; i-- > 0;) {
		const double *row = g->chol + (size_t)i * g->stride;
		double x = v[i] / row[i];
		gp_pair *to = (gp_pair *)v;

		for (uint32_t j = 0; 2 * j + 1 < i; j++)
			to[j] -= x * ((const gp_pair *)row)[j];
		if (i % 2)
			v[i - 1] -= row[i - 1] * x;
		v[i] = x;
	}
}

/* ---- factor ------------------------------------------------------------------------------------ */
/* Rows first .. last-1 of what is left of K after the columns before `first`: a small factor by hand. */
static bool factor_diagonal(const struct gp *g, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i < last; i++) {
		double *row = g->chol + (size_t)i * g->stride;

		for (uint32_t j = first; j <= i; j++) {
			const double *other = g->chol + (size_t)j * g->stride;
			double sum = row[j];

			for (uint32_t k = first; k < j; k++)
				sum -= row[k] * other[k];
			if (j == i && !(sum > 1e-14 * g->signal))
				return false;
			row[j] = j == i ? sqrt(sum) : sum / other[j];
		}
	}
	return true;
}

/* Take V'V, V what the columns before gave for rows first .. last-1, off their diagonal block. */
static void downdate(const struct gp *g, const union gp_lanes *v, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i < last; i++) {
		double *row = g->chol + (size_t)i * g->stride;
		union gp_lanes left = {{0}};

		take_rows(row, v, 0, first, &left);
		for (uint32_t j = first; j <= i; j++)
			row[j] += left.of[j - first];
	}
}

/* Rows of L in blocks: those above solve for the columns before the block, the rest is a small factor. */
static bool factor(const struct gp *g)
{
	for (uint32_t first = 0; first < g->nall; first += GP_BLOCK) {
		uint32_t last = first + GP_BLOCK < g->nall ? first + GP_BLOCK : g->nall;
		double *rows = g->chol + (size_t)first * g->stride;

		for (uint32_t j = 0; j < first; j++)
			for (uint32_t b = 0; b < GP_BLOCK; b++)
				g->column[j].of[b] = rows[(size_t)b * g->stride + j];
		forward(g, g->column, 0, first);
		for (uint32_t j = 0; j < first; j++)
			for (uint32_t b = 0; b < last - first; b++)
				rows[(size_t)b * g->stride + j] = g->column[j].of[b];
		downdate(g, g->column, first, last);
		if (!factor_diagonal(g, first, last))
			return false;
	}
	return true;
}

double gp_factor(struct gp *g)
{
	double half = 0, jitter = 0;

	fill_kernel(g, g->noise);
	while (!factor(g)) {
		jitter = jitter > 0 ? 10 * jitter : first_jitter * (g->signal + g->noise);
		fill_kernel(g, g->noise + jitter);
	}
	for (uint32_t i = 0; i < g->n; i++)
		half += log(g->chol[(size_t)i * g->stride + i]);
	memset(g->alpha, 0, g->stride * sizeof *g->alpha);
	if (g->n)
		memcpy(g->alpha, g->y, g->n * sizeof *g->alpha);
	forward_one(g, g->alpha, g->n);
	backward_one(g, g->alpha, g->n);
	return half;
}

/* ---- posterior --------------------------------------------------------------------------------- */
/* Variance where the points explain that much. */
static double left_of(const struct gp *g, double explained)
{
	return fmax(g->signal - explained, 1e-12 * g->signal);
}

void gp_predict(const struct gp *g, const union gp_lanes *x, union gp_lanes *mean, union gp_lanes *var)
{
	union gp_lanes *k = g->column, r2;
	double slope;

	*mean = *var = (union gp_lanes){{0}};
	for (uint32_t i = 0; i < g->nall; i++) {
		distances(g, i, x, &r2);
		for (int b = 0; b < GP_BLOCK; b++) {
			k[i].of[b] = matern(g->signal, r2.of[b], &slope);
			mean->of[b] += g->alpha[i] * k[i].of[b];
		}
	}
	forward(g, k, 0, g->nall);
	for (uint32_t i = 0; i < g->nall; i++)
		for (int p = 0; p < GP_PAIRS; p++)
			var->pair[p] += k[i].pair[p] * k[i].pair[p];
	for (int b = 0; b < GP_BLOCK; b++)
		var->of[b] = left_of(g, var->of[b]);
}

double gp_mean(const struct gp *g, const double *x)
{
	double m = 0, slope;

	for (uint32_t i = 0; i < g->n; i++)
		m += g->alpha[i] * matern(g->signal, distance(g, i, x), &slope);
	return m;
}

static void add_slope(const struct gp *g, uint32_t i, const double *x, double of_mean, double of_var,
                      double *dmean, double *dvar)
{
	const double *at = g->x + (size_t)i * g->nfeatures;

	for (uint32_t f = 0; f < g->nfeatures; f++) {
		if (g->features[f].kind != GP_SQUARE)
			continue;
		dmean[f] += of_mean * 2 * g->weight[f] * (x[f] - at[f]);
		dvar[f] += of_var * 2 * g->weight[f] * (x[f] - at[f]);
	}
}

void gp_predict_slope(const struct gp *g, const double *x, double *mean, double *var, double *dmean,
                      double *dvar)
{
	double *k = g->solve, *slope = g->solve + g->stride, m = 0, v = 0;

	memset(k, 0, g->stride * sizeof *k);
	for (uint32_t i = 0; i < g->nall; i++) {
		k[i] = matern(g->signal, distance(g, i, x), &slope[i]);
		m += g->alpha[i] * k[i];
	}
	forward_one(g, k, g->nall);
	for (uint32_t i = 0; i < g->nall; i++)
		v += k[i] * k[i];
	backward_one(g, k, g->nall);
	*mean = m;
	*var = left_of(g, v);
	memset(dmean, 0, g->nfeatures * sizeof *dmean);
	memset(dvar, 0, g->nfeatures * sizeof *dvar);
	for (uint32_t i = 0; i < g->nall; i++)
		add_slope(g, i, x, g->alpha[i] * slope[i], -2 * k[i] * slope[i], dmean, dvar);
}

/* ---- likelihood -------------------------------------------------------------------------------- */
/* `pair` is twice the weight of points i and j in the sum: it is symmetric. */
static void add_pair(const struct gp *g, uint32_t i, uint32_t j, double pair, double *by_feature)
{
	const double *a = g->x + (size_t)i * g->nfeatures, *b = g->x + (size_t)j * g->nfeatures;

	for (uint32_t f = 0; f < g->nfeatures; f++)
		by_feature[f] += pair * square(g, f, a[f] - b[f]);
}

/* Columns first .. last-1 of the inverse, from the diagonal down. */
static void add_columns(const struct gp *g, uint32_t first, uint32_t last, double *by_feature, double *trace)
{
	memset(g->column, 0, g->n * sizeof *g->column);
	for (uint32_t j = first; j < last; j++)
		g->column[j].of[j - first] = 1;
	forward(g, g->column, first, g->n);
	backward(g, g->column, first, g->n);
	for (uint32_t i = first; i < g->n; i++)
		for (uint32_t j = first; j < last && j <= i; j++) {
			double w = g->alpha[i] * g->alpha[j] - g->column[i].of[j - first];

			if (j == i)
				*trace += w;
			else
				add_pair(g, i, j, 2 * w * g->slope[(size_t)i * g->stride + j], by_feature);
		}
}

void gp_likelihood_slope(const struct gp *g, double *grad)
{
	double *by_feature = g->solve, trace = 0, fit = 0;

	memset(by_feature, 0, g->nfeatures * sizeof *by_feature);
	for (uint32_t first = 0; first < g->n; first += GP_BLOCK)
		add_columns(g, first, first + GP_BLOCK < g->n ? first + GP_BLOCK : g->n, by_feature, &trace);
	for (uint32_t f = 0; f < g->nfeatures; f++)
		grad[g->features[f].axis] -= 2 * g->weight[f] * by_feature[f];
	for (uint32_t i = 0; i < g->n; i++)
		fit += g->alpha[i] * g->y[i];
	/* tr(W (K + noise)) = y' alpha - n, since W is what K + noise is the inverse of */
	grad[gp_signal(g->naxes)] += fit - g->n - g->noise * trace;
	grad[gp_noise(g->naxes)] += g->noise * trace;
}
