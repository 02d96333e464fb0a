#include "net.h"

#include "archive.h"
#include "linear.h"
#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_MAX_UNITS = 65536, KIND_NET = 0x6e6574 };

/* ---- shape --------------------------------------------------------------------------------------- */

void net_hidden_options(struct net_hidden *h, struct options *o)
{
	*h = (struct net_hidden){.list = {1, {128}}};
	options_list(o, "hidden", &h->list, 1, SIZE_MAX_UNITS,
	             "units of the hidden layers, like 128 or 128,64");
	options_int(o, "hidden2", &h->second, 0, SIZE_MAX_UNITS,
	            "units of one more hidden layer; 0: none (0)");
}

struct int_list net_hidden_sizes(const struct net_hidden *h)
{
	struct int_list sizes = h->list;

	if (h->second > 0 && sizes.n == LIST_MAX)
		report_die(EXIT_USAGE, "--hidden2: there are %d hidden layers already", LIST_MAX);
	if (h->second > 0)
		sizes.v[sizes.n++] = h->second;
	return sizes;
}

static size_t layer_count(const struct net *net, int layer)
{
	return area(net->size[layer] + 1, net->size[layer + 1]);
}

void net_init(struct net *net, int depth, const int *size, int activation)
{
	*net = (struct net){.depth = depth, .activation = activation};
	memcpy(net->size, size, (size_t)(depth + 1) * sizeof *size);
	for (int l = 0; l < depth; l++)
		net->count += layer_count(net, l);
	net->param = must_alloc(net->count, sizeof *net->param);
}

void net_finish(struct net *net)
{
	free(net->param);
	*net = (struct net){0};
}

float *net_weights(const struct net *net, int layer)
{
	float *p = net->param;

	for (int l = 0; l < layer; l++)
		p += layer_count(net, l);
	return p;
}

float *net_biases(const struct net *net, int layer)
{
	return net_weights(net, layer) + area(net->size[layer], net->size[layer + 1]);
}

void net_randomise(struct net *net, int from, struct random *r)
{
	for (int l = from; l < net->depth; l++) {
		float bound = sqrtf(6.0f / (float)(net->size[l] + net->size[l + 1])),
		      *w = net_weights(net, l);

		for (size_t i = 0; i < area(net->size[l], net->size[l + 1]); i++)
			w[i] = bound * (2 * random_unit(r) - 1);
	}
}

/* ---- file ---------------------------------------------------------------------------------------- */

static void shape_fields(struct archive *a, struct net *net)
{
	archive_field(a, &net->depth, sizeof net->depth);
	archive_field(a, net->size, sizeof net->size);
	archive_field(a, &net->activation, sizeof net->activation);
}

void net_save(const struct net *net, const char *path)
{
	struct net shape = *net;
	struct archive a = {0};

	shape_fields(&a, &shape);
	archive_field(&a, net->param, net->count * sizeof *net->param);
	if (archive_save(&a, path, KIND_NET, 0) != 0)
		report_die(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
	archive_finish(&a);
}

static bool shape_valid(const struct net *net)
{
	if (net->depth < 1 || net->depth > NET_DEPTH)
		return false;
	for (int l = 0; l <= net->depth; l++)
		if (net->size[l] < 1 || net->size[l] > 1000000)
			return false;
	return true;
}

void net_load(struct net *net, const char *path)
{
	struct net shape = {0};
	struct archive a = {0};
	int step;

	switch (archive_load(&a, path, KIND_NET, &step)) {
	case ARCHIVE_OK:
		break;
	case ARCHIVE_ABSENT:
		report_die(EXIT_FAILED, "there is no file %s", path);
	default:
		report_die(EXIT_FAILED, "%s is damaged, or is not a network", path);
	}
	shape_fields(&a, &shape);
	if (a.bad || !shape_valid(&shape))
		report_die(EXIT_FAILED, "%s is not a network", path);
	net_init(net, shape.depth, shape.size, shape.activation);
	archive_field(&a, net->param, net->count * sizeof *net->param);
	if (a.bad || a.at != a.len)
		report_die(EXIT_FAILED, "%s does not hold the parameters it names", path);
	archive_finish(&a);
}

/* ---- forward and backward ------------------------------------------------------------------------ */

void net_work_init(struct net_work *w, const struct net *net, int room)
{
	*w = (struct net_work){.room = room, .label = must_alloc((size_t)room, sizeof *w->label)};
	for (int l = 0; l <= net->depth; l++) {
		w->a[l] = must_alloc(area(room, net->size[l]), sizeof(float));
		w->delta[l] = must_alloc(area(room, net->size[l]), sizeof(float));
	}
}

void net_work_finish(struct net_work *w)
{
	for (int l = 0; l <= NET_DEPTH; l++) {
		free(w->a[l]);
		free(w->delta[l]);
	}
	free(w->label);
	*w = (struct net_work){0};
}

static void activate(int activation, float *z, size_t n)
{
	if (activation == NET_SIGMOID)
		linear_sigmoid(z, n);
	else if (activation == NET_TANH)
		for (size_t i = 0; i < n; i++)
			z[i] = tanhf(z[i]);
	else
		for (size_t i = 0; i < n; i++)
			z[i] = fmaxf(z[i], 0);
}

/* The derivative of the activation, as a function of its value. */
static float slope(int activation, float a)
{
	switch (activation) {
	case NET_SIGMOID:
		return a * (1 - a);
	case NET_TANH:
		return 1 - a * a;
	default:
		return a > 0 ? 1 : 0;
	}
}

/* Fills a[1] .. a[depth]; the last one holds the inputs of the softmax. */
static void forward(const struct net *net, struct net_work *w, int n)
{
	for (int l = 0; l < net->depth; l++) {
		linear_affine(w->a[l], n, net->size[l], net_weights(net, l), net_biases(net, l),
		              net->size[l + 1], w->a[l + 1]);
		if (l + 1 < net->depth)
			activate(net->activation, w->a[l + 1], area(n, net->size[l + 1]));
	}
}

static int argmax(const float *v, int n)
{
	int best = 0;

	for (int i = 1; i < n; i++)
		if (v[i] > v[best])
			best = i;
	return best;
}

/* Cross-entropy of one row from the inputs z of its softmax, and its derivative: p - 1[label]. Computed with
 * the largest z subtracted, so that it is finite whenever z is. */
static double softmax_loss(const float *z, int n, int label, float *delta)
{
	float top = z[argmax(z, n)], sum = 0;

	for (int i = 0; i < n; i++)
		sum += delta[i] = expf(z[i] - top);
	for (int i = 0; i < n; i++)
		delta[i] /= sum;
	delta[label] -= 1;
	return (double)(logf(sum) - (z[label] - top));
}

/* delta[l] = (delta[l + 1] w^T) * slope, from the layer above. */
static void backward(const struct net *net, struct net_work *w, int layer, int n)
{
	float *delta = w->delta[layer];

	linear_affine_t(w->delta[layer + 1], n, net->size[layer + 1], net_weights(net, layer), NULL,
	                net->size[layer], delta);
	for (size_t i = 0; i < area(n, net->size[layer]); i++)
		delta[i] *= slope(net->activation, w->a[layer][i]);
}

double net_gradient(const struct net *net, struct net_work *w, int n, double l2, float *gradient)
{
	int classes = net->size[net->depth];
	double loss = 0;

	forward(net, w, n);
	for (int i = 0; i < n; i++)
		loss += softmax_loss(w->a[net->depth] + area(i, classes), classes, w->label[i],
		                     w->delta[net->depth] + area(i, classes));
	for (int l = net->depth - 1; l >= 0; l--) {
		int in = net->size[l], out = net->size[l + 1];
		float *g = gradient + (net_weights(net, l) - net->param), scale = 1 / (float)n;

		memcpy(g, net_weights(net, l), area(in, out) * sizeof *g); /* the slope of the l2 term */
		linear_outer(w->a[l], n, in, w->delta[l + 1], out, scale, (float)l2, g);
		linear_sum_rows(w->delta[l + 1], n, out, scale, 0, g + area(in, out));
		if (l > 0)
			backward(net, w, l, n);
	}
	return loss / n;
}

double net_error(const struct net *net, struct net_work *w, const struct part *part)
{
	int cols = net->size[0], classes = net->size[net->depth], wrong = 0;

	for (int at = 0; at < part->rows; at += w->room) {
		int n = part->rows - at < w->room ? part->rows - at : w->room;

		memcpy(w->a[0], part->x + area(at, cols), area(n, cols) * sizeof(float));
		forward(net, w, n);
		for (int i = 0; i < n; i++)
			wrong += argmax(w->a[net->depth] + area(i, classes), classes) != part->label[at + i];
	}
	return part->rows ? (double)wrong / part->rows : (double)NAN;
}
