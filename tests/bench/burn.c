/* A trainer that only computes: tells what a fixed amount of work took, in cpu and wall seconds. */
#include <stdio.h>
#include <time.h>

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
	double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	volatile double x = 1;

	for (long i = 0; i < 400000000L; i++)
		x = x * 0.999999 + 1e-6;
	printf("@metric cpu=%.6f wall=%.6f\n", now(CLOCK_PROCESS_CPUTIME_ID) - cpu,
	       now(CLOCK_MONOTONIC) - wall);
	return 0;
}
