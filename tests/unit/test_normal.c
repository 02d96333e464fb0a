#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "normal.h"
#include "rng.h"

#include <math.h>
#include <stdbool.h>

/* All known answers: mpmath, 60 digits. */
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static void expect(double got, double wanted, double tolerance, const char *what, double at)
{
	if (!(fabs(got - wanted) <= tolerance * fmax(fabs(wanted), 1e-300)))
		fail_msg("%s at %.17g: %.17g, not %.17g", what, at, got, wanted);
}

static void logarithms_of_the_distribution(void **state)
{
	static const double rows[][2] = {
	    {-40, -804.60844201375378817},
	    {-1000, -500007.82669481218431},
	    {-20, -203.91715537109726394},
	    {-19.5, -194.01696577749749941},
	    {-37.5, -707.66898931750719107},
	    {-5, -15.064998393988725736},
	    {-1, -1.8410216450092635058},
	    {-1e-3, -0.69394538346696517877},
	    {0, -0.69314718055994530942},
	    {0.5, -0.36894641528865639307},
	    {3, -0.0013508099647481937988},
	    {9, -1.1285884059538406478e-19},
	    {30, -4.9067139271481870595e-198},
	    {-1e8, -5000000000000019.3396},
	    {-1e150, -5e299},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		expect(normal_log_cdf(rows[i][0]), rows[i][1], 1e-12, "log_cdf", rows[i][0]);
	assert_true(normal_log_cdf(-INFINITY) == -INFINITY && normal_log_cdf(INFINITY) == 0);
	expect(normal_cdf(-30), 4.9067139271481870595e-198, 1e-12, "cdf", -30);
	expect(normal_log_pdf(3), -5.4189385332046727418, 1e-15, "log_pdf", 3);
}

static void logarithms_of_masses(void **state)
{
	static const double rows[][3] = {
	    {-1, 1, -0.38171514630212607227},
	    {0, 1e-8, -19.339619277157038231},
	    {-12, 12, -3.5529642241553579954e-33},
	    {-0.5, 40, -0.36894641528865639307},
	    {3, 3.0009765625, -12.351874983755588126},
	    {-3, -1.5, -2.7263572078669848113},
	    {-3, -2.5, -5.3267647240790622482},
	    {0.25, 0.5, -2.3777814277570427031},
	    {20, 20.0625, -204.25271111152412852},
	    {-8, -7.75, -33.159372876620405494},
	    {1, 3, -1.8495664205476083828},
	    {-0.125, 0.0625, -2.5948658048736595076},
	    {30, 31, -454.32124395634325204},
	    {-1000, -999, -499008.32569431385372},
	    {-1000, -999.9990234375, -500007.3227039575417},
	    {-INFINITY, -40, -804.60844201375378817},
	    {-INFINITY, 0.5, -0.36894641528865639307},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		double a = rows[i][0], b = rows[i][1];

		expect(normal_log_mass(a, b), rows[i][2], 1e-13, "log_mass", a);
		expect(normal_log_mass(-b, -a), rows[i][2], 1e-13, "mirrored log_mass", a);
	}
	assert_true(normal_log_mass(-INFINITY, INFINITY) == 0);
}

/* Two halves make a whole, whichever of the forms they and it are computed by. */
static void masses_add_up(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (int i = 0; i < 20000; i++) {
		double a = (rng_unit(&r) - 0.5) * 80, w = exp((rng_unit(&r) - 0.8) * 12);
		double m = a + w * (0.2 + 0.6 * rng_unit(&r)), b = a + w;
		double left = normal_log_mass(a, m), right = normal_log_mass(m, b);
		double top = fmax(left, right);

		expect(top + log(exp(left - top) + exp(right - top)) - 1, normal_log_mass(a, b) - 1, 1e-12,
		       "sum of halves", a);
	}
}

static void quantiles(void **state)
{
	static const double rows[][2] = {
	    {0.5, 0},
	    {0.975, 1.9599639845400538556},
	    {0.01, -2.3263478740408410931},
	    {0.999, 3.0902323061678132778},
	    {1e-10, -6.3613409024040561991},
	    {1e-20, -9.2623400897984075796},
	    {1e-100, -21.273453560965324294},
	    {1e-300, -37.047096299361199237},
	    {5e-324, -38.467405617144346251},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		expect(normal_quantile(rows[i][0]), rows[i][1], 1e-13, "quantile", rows[i][0]);
		if (rows[i][0] < 0.1)
			expect(normal_quantile_log(log(rows[i][0])), rows[i][1], 1e-13, "quantile_log",
			       rows[i][0]);
	}
}

static void quantiles_of_logarithms_go_round(void **state)
{
	(void)state;
	for (double x = -37; x < 36; x += 0.00713)
		expect(normal_quantile_log(normal_log_cdf(x)) + 100, x + 100, 1e-13, "round trip", x);
	for (double x = -37; x > -1e12; x *= 1.37)
		expect(normal_quantile_log(normal_log_cdf(x)), x, 1e-13, "round trip", x);
	for (double p = -1e-300; p > -1e300; p *= 1.7)
		expect(normal_log_cdf(normal_quantile_log(p)), p, 1e-12, "log round trip", p);
}

static void truncated_draws(void **state)
{
	static const double rows[][4] = {
	    {30, 31, 0.5, 30.023070467827308926},
	    {30, 31, 0.0009765625, 30.000032531903964713},
	    {30, 31, 0.9990234375, 30.229914123727813713},
	    {-31, -30, 0.25, -30.046123260403518606},
	    {-1000, -999, 0.5, -999.00069384008540533},
	    {-1000, -999, 0.0009765625, -999.00693837916892918},
	    {999, 1000, 0.75, 999.00138767968891634},
	    {-1, 2, 0.5, 0.17116391801782477284},
	    {-1, 2, 0.125, -0.64032833774701604921},
	    {0, 1, 0.75, 0.6935206346992739578},
	    {-0.5, 0.00048828125, 0.25, -0.36795913388619675104},
	    {5, 5.0009765625, 0.5, 5.0004876851459724072},
	    {-40, 40, 0.0009765625, -3.0972690781987844624},
	    {2, 1e8, 0.5, 2.2776048388094589238},
	    {5, 5.0000152587890625, 0.25, 5.0000038145881275098},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		expect(normal_truncated(rows[i][0], rows[i][1], rows[i][2]), rows[i][3], 2e-13, "truncated",
		       rows[i][2]);
}

/* In the interval, in the order of u, whatever the interval. */
static void truncated_draws_stay_inside_and_in_order(void **state)
{
	static const double units[] = {0, 0x1p-53, 1e-9, 0.1, 0.5, 0.9, 1 - 1e-9, 1 - 0x1p-53};
	struct rng r;

	(void)state;
	rng_seed(&r, 2);
	for (int i = 0; i < 20000; i++) {
		double a = (rng_unit(&r) - 0.5) * exp(rng_unit(&r) * 12);
		double b = a + exp((rng_unit(&r) - 0.7) * 30), last = a;

		if (!(b > a))
			continue;
		for (size_t k = 0; k < COUNT(units); k++) {
			double x = normal_truncated(a, b, units[k]);

			if (!(x >= a && x <= b) || x < last - 1e-12 * fabs(last))
				fail_msg("[%.17g, %.17g] at %g: %.17g after %.17g", a, b, units[k], x, last);
			last = x;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(logarithms_of_the_distribution),
	    cmocka_unit_test(logarithms_of_masses),
	    cmocka_unit_test(masses_add_up),
	    cmocka_unit_test(quantiles),
	    cmocka_unit_test(quantiles_of_logarithms_go_round),
	    cmocka_unit_test(truncated_draws),
	    cmocka_unit_test(truncated_draws_stay_inside_and_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
