/* train: stochastic gradient descent with momentum over shuffled minibatches, for a network and a data set.
 *
 * Reports after each epoch, with step = number of epochs done:
 *   train_loss    mean cross-entropy of the minibatches of the epoch
 *   valid_error   fraction wrong on the validation part, when there is one
 * and at the end, when there is a test part: test_error. A loss that is not finite ends the training with the
 * error reported as nan. A resumed training reports again what it has from its checkpoint: a repetition does
 * no harm, a line that was lost together with the machine that read it would. */
#ifndef TRAIN_H
#define TRAIN_H

#include "checkpoint.h"
#include "net.h"

struct train_options {
	double lr, l2, momentum;
	int epochs, batch;
	int patience; /* stop after so many epochs without a new best valid_error; 0: never */
};

/* Defaults, and --lr --l2 --momentum --epochs --batch --patience. */
void train_options(struct train_options *t, struct options *o);

/* false when the training diverged. */
bool train_run(struct net *net, const struct dataset *data, const struct train_options *t,
               struct random *random, const struct checkpoint *c);

#endif
