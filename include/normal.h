/* normal: the standard normal distribution where plain formulas lose their digits: far out in the tails. All
 * are accurate to about 1e-12, relative to the result where that is a logarithm of a tiny number too. */
#ifndef NORMAL_H
#define NORMAL_H

double normal_cdf(double x);
double normal_log_pdf(double x);
/* log of P(X <= x), also where P itself is 0 in doubles. */
double normal_log_cdf(double x);
/* log of P(a <= X <= b), a < b; also with both far out on one side. */
double normal_log_mass(double a, double b);
/* The x with P(X <= x) = p, 0 < p < 1; and with log P = log_p < 0. */
double normal_quantile(double p);
double normal_quantile_log(double log_p);
/* Draw number u in (0,1) of the normal that is truncated to [a, b], a < b, by its inverse. In [a, b]. */
double normal_truncated(double a, double b, double u);

#endif
