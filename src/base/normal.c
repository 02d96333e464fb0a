/* The functions of the C library give P itself, to its last digits, down to 1e-308 (x about -37.5). Beyond,
 * and wherever two probabilities are subtracted, one of four forms keeps the digits:
 *
 * - the tail: Mills' ratio by its asymptotic series, P(X <= x) = pdf(x)/|x| (1 - 1/x^2 + 3/x^4 - ..)
 *   (Abramowitz and Stegun, 26.2.12);
 * - an interval around 0: a sum of two erf of one sign;
 * - a narrow interval: Gauss and Legendre's rule of eight points on pdf(x)/pdf(middle), exact to 1e-16 while
 *   the pdf changes by less than e^2 over it;
 * - any other interval: the larger tail times 1 - exp(difference of the logarithms), where the difference is
 *   not small.
 *
 * The inverses are Newton's method on the logarithm, which is concave and nearly a parabola in the tail. */
#include "normal.h"

#include <math.h>

static const double pi = 3.14159265358979323846, sqrt_2 = 1.41421356237309504880,
                    log_sqrt_2pi = 0.91893853320467274178, log_2 = 0.69314718055994530942;

double normal_cdf(double x)
{
	return 0.5 * erfc(-x / sqrt_2);
}

double normal_log_pdf(double x)
{
	return -0.5 * x * x - log_sqrt_2pi;
}

/* Mills' ratio P(X <= x) / pdf(x) for x <= -20, where nine terms are exact to 1e-16. */
static double mills_ratio(double x)
{
	double r = 1 / (x * x), term = 1, sum = 1;

	for (int k = 1; k <= 9; k++) {
		term *= -(2 * k - 1) * r;
		sum += term;
	}
	return sum / -x;
}

double normal_log_cdf(double x)
{
	if (x > 0)
		return log1p(-0.5 * erfc(x / sqrt_2));
	if (x > -20)
		return log(normal_cdf(x));
	return isinf(x) ? x : normal_log_pdf(x) + log(mills_ratio(x));
}

static double log_mass_around_zero(double a, double b)
{
	double tails = normal_cdf(a) + normal_cdf(-b);

	return tails < 0.5 ? log1p(-tails) : log(0.5 * (erf(b / sqrt_2) - erf(a / sqrt_2)));
}

static double log_mass_narrow(double a, double b)
{
	static const double node[] = {0.18343464249564980494, 0.52553240991632898582, 0.79666647741362673959,
	                              0.96028985649753623168};
	static const double weight[] = {0.36268378337836198297, 0.31370664587788728734,
	                                0.22238103445337447054, 0.10122853629037625915};
	double m = 0.5 * (a + b), half = 0.5 * (b - a), sum = 0;

	for (int i = 0; i < 4; i++) {
		double t = half * node[i];

		sum += weight[i] * (exp(-t * (m + 0.5 * t)) + exp(t * (m - 0.5 * t)));
	}
	return normal_log_pdf(m) + log(half) + log(sum);
}

/* About by how much the logarithm of the pdf changes over [a, b]. */
static double span(double a, double b)
{
	return (b - a) * fmax(1, 0.5 * fabs(a + b));
}

double normal_log_mass(double a, double b)
{
	double above;

	if (a > 0)
		return normal_log_mass(-b, -a);
	if (b > 0)
		return log_mass_around_zero(a, b);
	if (span(a, b) < 2)
		return log_mass_narrow(a, b);
	above = normal_log_cdf(b);
	return above + log1p(-exp(normal_log_cdf(a) - above));
}

/* The rational approximation of P. J. Acklam (relative error 1.15e-9), refined by one step of Halley's method
 * to full precision. */
double normal_quantile(double p)
{
	static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
	                           1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
	static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
	                           6.680131188771972e+01, -1.328068155288572e+01};
	static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
	                           -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
	static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
	                           3.754408661907416e+00};
	double q, r, x, e, u;

	if (p < 0x1p-54)
		return normal_quantile_log(log(p));
	if (p < 0.02425 || p > 1 - 0.02425) {
		q = sqrt(-2 * log(p < 0.5 ? p : 1 - p));
		x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
		    ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
		x = p < 0.5 ? x : -x;
	} else {
		q = p - 0.5;
		r = q * q;
		x = (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
		    (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
	}
	e = normal_cdf(x) - p;
	u = e * sqrt(2 * pi) * exp(x * x / 2);
	return x - u / (1 + x * u / 2);
}

/* log_p <= -37: starts within 1e-2 of the root, and each step squares the error. */
static double quantile_in_tail(double log_p)
{
	double y = -2 * log_p, x = -sqrt(y - 2 * log_sqrt_2pi - log(y)), step = 1;

	for (int i = 0; i < 6 && fabs(step) > 1e-15 * fabs(x); i++) {
		double f = normal_log_cdf(x);
		double ratio = x > -20 ? exp(f - normal_log_pdf(x)) : mills_ratio(x);

		step = (f - log_p) * ratio;
		x -= step;
	}
	return x;
}

double normal_quantile_log(double log_p)
{
	if (log_p > -log_2)
		return -normal_quantile(-expm1(log_p));
	if (log_p > -37)
		return normal_quantile(exp(log_p));
	return isinf(log_p) ? log_p : quantile_in_tail(log_p);
}

/* Over an interval so narrow the normal is an exponential. */
static double truncated_narrow(double a, double b, double u)
{
	double m = 0.5 * (a + b), w = b - a;

	return fabs(m * w) < 1e-9 ? a + u * w : a - log1p(u * expm1(-m * w)) / m;
}

static double truncated(double a, double b, double u)
{
	double above = normal_log_cdf(b);

	if (span(a, b) < 1e-4)
		return truncated_narrow(a, b, u);
	return normal_quantile_log(above + log(u + (1 - u) * exp(normal_log_cdf(a) - above)));
}

double normal_truncated(double a, double b, double u)
{
	double x = a > -b ? -truncated(-b, -a, 1 - u) : truncated(a, b, u);

	return fmin(fmax(x, a), b);
}
