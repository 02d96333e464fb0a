/* fuzz: what every fuzz target has: its entry, and a word for what must hold. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static inline void must(bool holds)
{
	if (!holds)
		abort();
}

#endif
