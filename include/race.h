/* race: how many folds of a trial it takes to know that it will not win. Pure; values are as the metric says
 * them, `maximize` turns them round.
 *
 * A trial is compared with the incumbent, the best of those that are complete, on the folds both have:
 *
 *   bounds    no value it could still have on its other folds makes it better (needs to know the least value
 *             the metric can have; nothing is known with median)
 *   t         one-sided paired t test of the differences, from 2 folds on, with the variance of Nadeau and
 *             Bengio ("Inference for the Generalization Error", 2003, eq. 9): folds share training data, so
 *             1/m becomes 1/m + n_test/n_train, which is 1/m + 1/(k - 1) for k folds
 *   wilcoxon  one-sided signed-rank test, exact, from 5 folds on (before, its least p is above 0.03)
 *
 * A trial is looked at after each of its folds, so each look may be wrong with alpha / looks only
 * (Bonferroni); alpha is 0.05. */
#ifndef RACE_H
#define RACE_H

#include "study.h"

struct race_look {
	const double *mine, *theirs; /* values on the same m folds, in the same order */
	uint32_t m, folds;           /* folds: in all; m < folds */
	double incumbent;            /* its value over all folds */
	enum aggregate aggregate;
	bool maximize;
	bool has_best; /* the best value the metric can have is known: */
	double best;   /* 0 of an error, 1 of an accuracy */
};

enum race_verdict { RACE_ON, RACE_LOST_BY_BOUNDS, RACE_LOST_BY_T, RACE_LOST_BY_WILCOXON };
enum race_verdict race_look(const struct race_look *x);

/* P(T > t) of Student's distribution with df degrees of freedom. */
double race_student_tail(double t, double df);
/* P(W >= w) under the hypothesis that differences are as likely positive as negative, for the sum w of the
 * ranks of the positive ones; exact, ties by mid-ranks, zeros left out (Wilcoxon 1945). n <= RACE_FOLDS_MAX.
 */
enum { RACE_FOLDS_MAX = 64 };
double race_wilcoxon(const double *differences, uint32_t n);

/* What a trial may be worth that has only some of its folds: the additive model y = mu + trial + fold.
 * fold_mean (folds) are means over complete trials, each of which has all folds. */
double race_corrected(const double *mine, const uint32_t *which, uint32_t m, const double *fold_mean,
                      uint32_t folds);

#endif
