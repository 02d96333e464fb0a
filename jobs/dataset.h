/* dataset: a table of numbers from a CSV file, split into a training, a validation and a test part.
 *
 * The file: one example a line, comma-separated numbers, the last one the label 0, 1, 2, ...; a first line
 * that does not start with a number is taken as a header.
 *
 * The split says which rows a run may see. It depends on the file and on the options below and on nothing
 * else: the seed of the training never moves a row. All parts are stratified (every class is spread over
 * them as evenly as whole rows allow), and folds are disjoint and cover what they split.
 *
 *                          all rows
 *             +---------------------------+--------+
 *   usual     |       training data       |  test  |   test: the held-out fifth
 *             +---------------------------+--------+
 *             +--------+------------------+--------+
 *   outer     |            rest           | fold O |   --nb-outer-fold X --id-outer-fold O: the test part is
 *             +---------------------------+--------+   fold O of X of all rows; O = -1 is the usual split
 *
 *   --nb-cross-fold X --id-cross-fold K    fold K of X of the training data (or of the rest) is the
 *                                          validation part, the others are trained on;
 *                                          K = -1: train on all of it and measure on the test part
 *   --held-out F                           without folds: the fraction F of the training data is the
 *                                          validation part
 *
 * A run that has a validation part is a step of a search, so its test part is empty: those rows are not in
 * memory when it trains. Only a run without one (K = -1, a final training) gets a test part. */
#ifndef DATASET_H
#define DATASET_H

#include "options.h"

struct part {
	int rows;
	float *x;   /* rows x dataset.cols, row-major, scaled */
	int *label; /* rows; 0 .. classes - 1 */
	int *index; /* rows; place in the file, from 0 */
};

struct dataset {
	int cols, classes;
	struct part train, valid, test;
};

enum dataset_scale {
	DATASET_MAX,     /* divide by the largest magnitude in the training part: pixels become 0..1 */
	DATASET_STANDARD /* each column: mean 0 and standard deviation 1 in the training part */
};

struct dataset_options {
	const char *file;
	int nb_fold, id_fold, nb_outer, id_outer;
	double held_out;
	int scale; /* enum dataset_scale */
	bool print_split;
};

/* Defaults, and the options above plus --data, --scale and --print-split. */
void dataset_options(struct dataset_options *d, struct options *o);

/* Read, split and scale. Options that contradict each other end the program with 2, an unreadable file or
 * a part without rows with 1. --print-split prints the rows of each part (`train 0 1 5 ...`) and ends it. */
void dataset_open(struct dataset *d, const struct dataset_options *want);
void dataset_finish(struct dataset *d);

#endif
