#include "linear.h"

#include "report.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void linear_init(void)
{
	if (getenv("OPENBLAS_NUM_THREADS") == NULL && getenv("OMP_NUM_THREADS") == NULL)
		openblas_set_num_threads(1);
}

/* Each row of z = b. */
static void fill_rows(float *z, int n, int out, const float *b)
{
	for (int i = 0; i < n && b != NULL; i++)
		memcpy(z + area(i, out), b, (size_t)out * sizeof *z);
}

void linear_affine(const float *x, int n, int in, const float *w, const float *b, int out, float *z)
{
	fill_rows(z, n, out, b);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, out, in, 1, x, in, w, out, 1, z, out);
}

void linear_affine_t(const float *x, int n, int in, const float *w, const float *b, int out, float *z)
{
	fill_rows(z, n, out, b);
	cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, out, in, 1, x, in, w, in, b != NULL, z, out);
}

void linear_outer(const float *x, int n, int in, const float *d, int out, float scale, float keep, float *g)
{
	cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, in, out, n, scale, x, in, d, out, keep, g, out);
}

void linear_sum_rows(const float *d, int n, int out, float scale, float keep, float *s)
{
	for (int j = 0; j < out; j++)
		s[j] *= keep;
	for (int i = 0; i < n; i++)
		linear_add((size_t)out, scale, d + area(i, out), s);
}

void linear_add(size_t n, float a, const float *x, float *y)
{
	for (size_t i = 0; i < n; i++)
		y[i] += a * x[i];
}

void linear_sigmoid(float *z, size_t n)
{
	for (size_t i = 0; i < n; i++)
		z[i] = 1 / (1 + expf(-z[i]));
}
