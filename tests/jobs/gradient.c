/* The gradients that the trainers follow, against what the functions themselves say: the slope of the loss
 * along a direction, measured over a short step each way, is the gradient times the direction. */
#include "jobs/net.h"
#include "jobs/rbm.h"
#include "jobs/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 7, COLS = 5, CLASSES = 3 };

static int passed, failed;

static void check(int ok, const char *what)
{
	printf("%s - %s\n", ok ? "ok" : "not ok", what);
	*(ok ? &passed : &failed) += 1;
}

static void fill(struct net_work *w, struct random *r)
{
	for (int i = 0; i < ROWS * COLS; i++)
		w->a[0][i] = random_unit(r);
	for (int i = 0; i < ROWS; i++)
		w->label[i] = (int)random_below(r, CLASSES);
}

/* The loss with the parameters moved by `step` along `way`, the l2 term included. */
static double loss_at(struct net *net, struct net_work *w, const float *way, float step, double l2,
                      float *unused)
{
	double loss, square = 0;

	for (size_t i = 0; i < net->count; i++)
		net->param[i] += step * way[i];
	loss = net_gradient(net, w, ROWS, l2, unused);
	for (int l = 0; l < net->depth; l++)
		for (size_t i = 0; i < area(net->size[l], net->size[l + 1]); i++)
			square += pow((double)net_weights(net, l)[i], 2);
	for (size_t i = 0; i < net->count; i++)
		net->param[i] -= step * way[i];
	return loss + l2 / 2 * square;
}

static int slope_agrees(struct net *net, struct net_work *w, struct random *r, double l2)
{
	const float step = 1e-3f;
	float *g = must_alloc(net->count, sizeof *g), *way = must_alloc(net->count, sizeof *way);
	float *unused = must_alloc(net->count, sizeof *unused);
	double along = 0, measured;

	net_gradient(net, w, ROWS, l2, g);
	for (size_t i = 0; i < net->count; i++) {
		way[i] = random_normal(r) / sqrtf((float)net->count);
		along += (double)g[i] * (double)way[i];
	}
	measured =
	    (loss_at(net, w, way, step, l2, unused) - loss_at(net, w, way, -step, l2, unused)) / (2 * 1e-3);
	free(g);
	free(way);
	free(unused);
	return fabs(measured - along) < 2e-3 + 1e-2 * fabs(along);
}

/* A rectified unit has no slope where it begins: now and then a step crosses that point. */
static void check_net(int activation, int may_differ, const char *what)
{
	static const int size[] = {COLS, 6, 4, CLASSES};
	struct random r;
	struct net net;
	struct net_work w;
	int differ = 0;

	random_seed(&r, 11);
	net_init(&net, 3, size, activation);
	net_work_init(&w, &net, ROWS);
	for (int round = 0; round < 20; round++) {
		net_randomise(&net, 0, &r);
		fill(&w, &r);
		differ += !slope_agrees(&net, &w, &r, 0) + !slope_agrees(&net, &w, &r, 0.3);
	}
	check(differ <= may_differ, what);
	net_work_finish(&w);
	net_finish(&net);
}

/* A machine that models its data is where CD-k stands still; one that is pushed away from it is drawn back.
 */
static void check_rbm(void)
{
	enum { VISIBLE = 4, HIDDEN = 3, DATA = 500 };
	struct rbm m;
	struct rbm_work w;
	struct random r;
	float x[DATA * VISIBLE], g[VISIBLE * HIDDEN + VISIBLE + HIDDEN];
	const float *gb = g + VISIBLE * HIDDEN;
	int still = 1, drawn = 1;

	random_seed(&r, 5);
	for (int i = 0; i < DATA * VISIBLE; i++)
		x[i] = (float)(i % 2); /* each row 0 1 0 1 */
	rbm_init(&m, VISIBLE, HIDDEN);
	rbm_work_init(&w, &m, DATA);
	rbm_start(&m, x, DATA, &r); /* visible biases at log(p / (1 - p)), p within 0.01 .. 0.99 */
	rbm_gradient(&m, &w, x, DATA, 1, 0, &r, g);
	for (int i = 0; i < VISIBLE; i++)
		still &= fabsf(gb[i]) < 0.02f;
	check(still, "rbm: the starting biases are the data's");
	for (int i = 0; i < VISIBLE; i++)
		m.param[VISIBLE * HIDDEN + i] = 0;
	rbm_gradient(&m, &w, x, DATA, 2, 0, &r, g);
	for (int i = 0; i < VISIBLE; i++)
		drawn &= i % 2 ? gb[i] > 0.4f : gb[i] < -0.4f;
	check(drawn, "rbm: with biases of zero, the gradient points at the data");
	rbm_work_finish(&w);
	rbm_finish(&m);
}

int main(void)
{
	check_net(NET_TANH, 0, "tanh: the slope of the loss is the gradient");
	check_net(NET_SIGMOID, 0, "sigmoid: the slope of the loss is the gradient");
	check_net(NET_RELU, 2, "relu: the slope of the loss is the gradient");
	check_rbm();
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
