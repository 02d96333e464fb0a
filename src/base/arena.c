#include "arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 256 * 1024, ALIGN = 16 };

struct arena_block {
	struct arena_block *next;
	size_t cap, used;
	_Alignas(ALIGN) unsigned char data[];
};

static _Noreturn void out_of_memory(size_t bytes)
{
	fprintf(stderr, "ranksweep: out of memory (%zu bytes wanted)\n", bytes);
	abort();
}

void arena_init(struct arena *a)
{
	memset(a, 0, sizeof *a);
}

static struct arena_block *new_block(size_t cap)
{
	struct arena_block *b = malloc(sizeof *b + cap);

	if (!b)
		out_of_memory(cap);
	b->next = NULL;
	b->cap = cap;
	b->used = 0;
	return b;
}

/* A large item gets a block of its own behind the head, so that the head's free room is not lost. */
static void *alloc_large(struct arena *a, size_t bytes)
{
	struct arena_block *b = new_block(bytes);

	b->used = bytes;
	if (a->head) {
		b->next = a->head->next;
		a->head->next = b;
	} else {
		a->head = b;
	}
	return memset(b->data, 0, bytes);
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	void *p;

	if (bytes > SIZE_MAX / 2)
		out_of_memory(bytes);
	bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	a->used_bytes += bytes;
	if (bytes > BLOCK_BYTES / 4)
		return alloc_large(a, bytes);
	if (!a->head || a->head->cap - a->head->used < bytes) {
		struct arena_block *b = new_block(BLOCK_BYTES);

		b->next = a->head;
		a->head = b;
	}
	p = a->head->data + a->head->used;
	a->head->used += bytes;
	return memset(p, 0, bytes);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / 2 / size)
		out_of_memory(SIZE_MAX);
	return arena_alloc(a, n * size);
}

void *arena_grow(struct arena *a, const void *old, size_t old_bytes, size_t new_bytes)
{
	void *p = arena_alloc(a, new_bytes);

	if (old_bytes)
		memcpy(p, old, old_bytes < new_bytes ? old_bytes : new_bytes);
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	memcpy(p, s, n);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	p = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = NULL;

	while (a->head) {
		struct arena_block *b = a->head;

		a->head = b->next;
		if (!keep && b->cap == BLOCK_BYTES)
			keep = b;
		else
			free(b);
	}
	if (keep) {
		keep->next = NULL;
		keep->used = 0;
	}
	a->head = keep;
	a->used_bytes = 0;
}

void arena_finish(struct arena *a)
{
	while (a->head) {
		struct arena_block *b = a->head;

		a->head = b->next;
		free(b);
	}
	a->used_bytes = 0;
}

void slab_init(struct slab *s, struct arena *a, size_t item_bytes)
{
	memset(s, 0, sizeof *s);
	s->arena = a;
	s->item_bytes = item_bytes;
}

void *slab_add(struct slab *s)
{
	uint32_t chunk = s->count >> SLAB_CHUNK_BITS;

	if (s->count == UINT32_MAX)
		out_of_memory(SIZE_MAX);
	if (chunk == s->nchunks) {
		uint32_t n = s->nchunks ? s->nchunks : 8;

		/* The table doubles only when full, that is when nchunks is a power of two from 8 on. */
		if (s->nchunks == 0 || (s->nchunks >= 8 && (s->nchunks & (s->nchunks - 1)) == 0))
			s->chunks = arena_grow(s->arena, s->chunks, s->nchunks * sizeof(void *),
			                       (s->nchunks ? 2 * n : n) * sizeof(void *));
		s->chunks[s->nchunks++] = arena_array(s->arena, SLAB_CHUNK, s->item_bytes);
	}
	s->count++;
	return slab_at(s, s->count - 1);
}
