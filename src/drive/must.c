#include "must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 64 };

void *must_have(void *p)
{
	if (!p) {
		fprintf(stderr, "ranksweep: out of memory\n");
		abort();
	}
	return p;
}

void *must_grow(void *p, uint32_t *cap, uint32_t n, size_t size)
{
	size_t was = *cap, now = was ? was : FIRST;

	if (n <= was)
		return p;
	while (now < n)
		now *= 2;
	if (now > UINT32_MAX)
		now = UINT32_MAX;
	p = must_have(now <= SIZE_MAX / size ? realloc(p, now * size) : NULL);
	memset((char *)p + was * size, 0, (now - was) * size);
	*cap = (uint32_t)now;
	return p;
}
