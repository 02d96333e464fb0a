/* A trainer that only computes: prints the wall seconds of a fixed amount of work as its metric. */
#include <stdio.h>
#include <time.h>

int main(void)
{
	struct timespec a, b;
	volatile double x = 1;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long i = 0; i < 400000000L; i++)
		x = x * 0.999999 + 1e-6;
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("@metric seconds=%.6f\n",
	       (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
	return 0;
}
