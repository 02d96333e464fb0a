/* linear: the few matrix operations that the networks here are made of, on CBLAS, in single precision.
 *
 * All matrices are row-major and contiguous; a batch is n rows. Outputs never overlap inputs. */
#ifndef LINEAR_H
#define LINEAR_H

#include <stddef.h>

/* One thread, unless OPENBLAS_NUM_THREADS or OMP_NUM_THREADS says otherwise: many small trainings side by
 * side use the cores better, and the sums are always in the same order. */
void linear_init(void);

/* z = x w + b:   x is n x in, w is in x out, b is out, z is n x out. */
void linear_affine(const float *x, int n, int in, const float *w, const float *b, int out, float *z);
/* z = x w^T + b: x is n x in, w is out x in; b NULL is zero. */
void linear_affine_t(const float *x, int n, int in, const float *w, const float *b, int out, float *z);
/* g = scale x^T d + keep g: x is n x in, d is n x out, g is in x out. */
void linear_outer(const float *x, int n, int in, const float *d, int out, float scale, float keep, float *g);
/* s = scale (sum of the rows of d) + keep s: d is n x out. */
void linear_sum_rows(const float *d, int n, int out, float scale, float keep, float *s);
/* y = y + a x */
void linear_add(size_t n, float a, const float *x, float *y);
/* z = 1 / (1 + exp(-z)), each */
void linear_sigmoid(float *z, size_t n);

#endif
