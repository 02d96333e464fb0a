#include "rbm.h"

#include "linear.h"
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *visible_biases(const struct rbm *m, float *param)
{
	return param + area(m->visible, m->hidden);
}

static float *hidden_biases(const struct rbm *m, float *param)
{
	return visible_biases(m, param) + m->visible;
}

void rbm_init(struct rbm *m, int visible, int hidden)
{
	*m = (struct rbm){.visible = visible, .hidden = hidden};
	m->count = area(visible, hidden) + (size_t)visible + (size_t)hidden;
	m->param = must_alloc(m->count, sizeof *m->param);
}

void rbm_finish(struct rbm *m)
{
	free(m->param);
	*m = (struct rbm){0};
}

void rbm_start(struct rbm *m, const float *x, int n, struct random *r)
{
	float *b = visible_biases(m, m->param);

	for (size_t i = 0; i < area(m->visible, m->hidden); i++)
		m->param[i] = 0.01f * random_normal(r);
	memset(b, 0, (size_t)m->visible * sizeof *b);
	memset(hidden_biases(m, m->param), 0, (size_t)m->hidden * sizeof *b);
	linear_sum_rows(x, n, m->visible, 1 / (float)n, 0, b);
	for (int i = 0; i < m->visible; i++) {
		float p = fminf(fmaxf(b[i], 0.01f), 0.99f);

		b[i] = logf(p / (1 - p));
	}
}

void rbm_up(const struct rbm *m, const float *v, int n, float *h)
{
	linear_affine(v, n, m->visible, m->param, hidden_biases(m, m->param), m->hidden, h);
	linear_sigmoid(h, area(n, m->hidden));
}

void rbm_down(const struct rbm *m, const float *h, int n, float *v)
{
	linear_affine_t(h, n, m->hidden, m->param, visible_biases(m, m->param), m->visible, v);
	linear_sigmoid(v, area(n, m->visible));
}

void rbm_work_init(struct rbm_work *w, const struct rbm *m, int room)
{
	w->v = must_alloc(area(room, m->visible), sizeof *w->v);
	w->h0 = must_alloc(area(room, m->hidden), sizeof *w->h0);
	w->h = must_alloc(area(room, m->hidden), sizeof *w->h);
	w->sample = must_alloc(area(room, m->hidden), sizeof *w->sample);
}

void rbm_work_finish(struct rbm_work *w)
{
	free(w->v);
	free(w->h0);
	free(w->h);
	free(w->sample);
	*w = (struct rbm_work){0};
}

static void sample_units(const float *p, size_t n, struct random *r, float *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = random_unit(r) < p[i] ? 1 : 0;
}

void rbm_gradient(const struct rbm *m, struct rbm_work *w, const float *v0, int n, int k, double l2,
                  struct random *r, float *gradient)
{
	float scale = 1 / (float)n, *gb = visible_biases(m, gradient), *gc = hidden_biases(m, gradient);

	rbm_up(m, v0, n, w->h0);
	for (int step = 0; step < k; step++) {
		sample_units(step ? w->h : w->h0, area(n, m->hidden), r, w->sample);
		rbm_down(m, w->sample, n, w->v);
		rbm_up(m, w->v, n, w->h);
	}
	memcpy(gradient, m->param, area(m->visible, m->hidden) * sizeof *gradient);
	linear_outer(v0, n, m->visible, w->h0, m->hidden, scale, (float)-l2, gradient);
	linear_outer(w->v, n, m->visible, w->h, m->hidden, -scale, 1, gradient);
	linear_sum_rows(v0, n, m->visible, scale, 0, gb);
	linear_sum_rows(w->v, n, m->visible, -scale, 1, gb);
	linear_sum_rows(w->h0, n, m->hidden, scale, 0, gc);
	linear_sum_rows(w->h, n, m->hidden, -scale, 1, gc);
}
