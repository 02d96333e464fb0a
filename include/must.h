/* must: memory that is got and freed by itself, for what does not live in an arena (arena.h). Where there is
 * none it says so on stderr and aborts, as the arena does. */
#ifndef MUST_H
#define MUST_H

#include <stddef.h>
#include <stdint.h>

/* p, what an allocation gave. */
void *must_have(void *p);
/* Room for n items of `size` bytes in an array of *cap; new ones are zero. */
void *must_grow(void *p, uint32_t *cap, uint32_t n, size_t size);

#endif
