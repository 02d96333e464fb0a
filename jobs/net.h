/* net: a multi-layer perceptron: layers of sigmoid, tanh or rectified units and, for classification, a
 * softmax layer on top, trained on the mean cross-entropy plus (l2 / 2) |W|^2.
 *
 * All parameters lie in one array, layer by layer, each its weights (in x out, row-major) and then its biases
 * (out): an update, a checkpoint or a file is one operation on one array, and the parameters of the lower
 * layers are a prefix of those of the whole. Backpropagation: Rumelhart, Hinton, Williams (Nature 323, 1986).
 */
#ifndef NET_H
#define NET_H

#include "dataset.h"
#include "random.h"

#include <stddef.h>

enum { NET_DEPTH = LIST_MAX + 1 }; /* layers of weights at most */
enum net_activation { NET_TANH, NET_RELU, NET_SIGMOID };

struct net {
	int depth;               /* layers of weights */
	int size[NET_DEPTH + 1]; /* units: input, hidden ..., output */
	int activation;          /* enum net_activation, of the hidden layers */
	size_t count;            /* parameters */
	float *param;
};

/* --hidden 128,64, or --hidden 128 --hidden2 64 where a search varies them apart. */
struct net_hidden {
	struct int_list list;
	int second;
};
void net_hidden_options(struct net_hidden *h, struct options *o);
/* The sizes of all hidden layers; ends the program when there are more than LIST_MAX. */
struct int_list net_hidden_sizes(const struct net_hidden *h);

/* depth + 1 sizes; all parameters zero. */
void net_init(struct net *net, int depth, const int *size, int activation);
void net_finish(struct net *net);
/* Random weights for layers from..depth-1, uniform in +-sqrt(6 / (in + out)) (Glorot, Bengio, AISTATS 2010).
 */
void net_randomise(struct net *net, int from, struct random *r);
float *net_weights(const struct net *net, int layer);
float *net_biases(const struct net *net, int layer);

/* A file of sizes, activation and parameters. What cannot be written or read ends the program. */
void net_save(const struct net *net, const char *path);
void net_load(struct net *net, const char *path);

/* Room for the activations of a batch. a[0] and label are the caller's to fill. */
struct net_work {
	int room; /* rows */
	float *a[NET_DEPTH + 1], *delta[NET_DEPTH + 1];
	int *label;
};
void net_work_init(struct net_work *w, const struct net *net, int room);
void net_work_finish(struct net_work *w);

/* The mean loss of the n rows in w, and its gradient (net->count floats, overwritten). */
double net_gradient(const struct net *net, struct net_work *w, int n, double l2, float *gradient);

/* The fraction of rows whose most probable class is wrong; NaN when there are no rows. */
double net_error(const struct net *net, struct net_work *w, const struct part *part);

#endif
