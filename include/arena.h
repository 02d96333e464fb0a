/* arena: all memory of the pure core. Objects live as long as their arena: nothing is freed singly, so
 * there are no cleanup paths and one place that runs out of memory (it says so on stderr and aborts:
 * rank 0 without memory cannot go on, and what was committed stays).
 *
 * slab: a growing array of equal items inside an arena, in chunks: items never move, growth wastes less
 * than one chunk, and index -> pointer is two loads. */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena_block;
struct arena {
	struct arena_block *head;
	size_t used_bytes; /* handed out since init or reset, for reports of memory per unit */
};

/* A zeroed `struct arena` is a valid empty one. */
void arena_init(struct arena *a);
/* Zeroed memory, aligned to 16; never NULL. */
void *arena_alloc(struct arena *a, size_t bytes);
/* arena_alloc(n * size) with overflow checked. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* A larger copy of old (old_bytes of it); the old memory stays behind in the arena. */
void *arena_grow(struct arena *a, const void *old, size_t old_bytes, size_t new_bytes);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Forget everything but keep one block for reuse. */
void arena_reset(struct arena *a);
void arena_finish(struct arena *a);

enum { SLAB_CHUNK_BITS = 10, SLAB_CHUNK = 1 << SLAB_CHUNK_BITS };

struct slab {
	struct arena *arena;
	size_t item_bytes;
	void **chunks;
	uint32_t count, nchunks;
};

void slab_init(struct slab *s, struct arena *a, size_t item_bytes);
/* Append a zeroed item and return it; its index is s->count - 1. */
void *slab_add(struct slab *s);
static inline void *slab_at(const struct slab *s, uint32_t index)
{
	return (char *)s->chunks[index >> SLAB_CHUNK_BITS] + (index & (SLAB_CHUNK - 1)) * s->item_bytes;
}

#endif
