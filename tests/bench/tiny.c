/* The smallest trainer: one metric. */
#include <stdio.h>

int main(int argc, char **argv)
{
	printf("@metric m=%s\n", argc > 1 ? argv[1] : "0");
	return 0;
}
