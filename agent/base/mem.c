/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Small enough that an idle connection costs little, large enough for one
 * ordinary webhook with its fields. */
#define BLOCK_BYTES ((size_t)4096 - sizeof(struct arena_block))

struct arena_block {
    struct arena_block *next;
    size_t used;
    size_t size;
    max_align_t bytes[];
};

static atomic_long asked;
static atomic_long fail_at = -1; /* counts down to the failing allocation */
static atomic_int fail_always;

static bool
refused(void)
{
    (void)atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
    long left = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (left < 0) {
        return false;
    }
    if (left > 0) {
        atomic_store_explicit(&fail_at, left - 1, memory_order_relaxed);
        return false;
    }
    if (!atomic_load_explicit(&fail_always, memory_order_relaxed)) {
        atomic_store_explicit(&fail_at, -1, memory_order_relaxed);
    }
    return true;
}

long
mem_fail_after(long after, int always)
{
    atomic_store(&fail_at, after);
    atomic_store(&fail_always, always);
    return atomic_exchange(&asked, 0);
}

void *
mem_alloc(size_t size)
{
    return refused() ? NULL : malloc(size == 0 ? 1 : size);
}

void *
mem_zero(size_t size)
{
    return mem_array(1, size);
}

void *
mem_array(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || refused()) {
        return NULL;
    }
    return calloc(1, bytes == 0 ? 1 : bytes);
}

void *
mem_resize(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || refused()) {
        return NULL;
    }
    return realloc(old, bytes == 0 ? 1 : bytes);
}

void
mem_free(void *block)
{
    free(block);
}

void
mem_wipe(void *block, size_t size)
{
    if (size == 0) {
        return;
    }
    memset(block, 0, size);
    /* The bytes may be read after this, says the barrier, so the writes stay */
    __asm__ __volatile__("" : : "r"(block) : "memory");
}

static struct arena_block *
block_create(size_t size)
{
    size_t bytes;
    if (__builtin_add_overflow(sizeof(struct arena_block), size, &bytes)) {
        return NULL;
    }
    struct arena_block *block = mem_alloc(bytes);
    if (block != NULL) {
        block->used = 0;
        block->size = size;
    }
    return block;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
    const size_t unit = alignof(max_align_t);
    if (size > SIZE_MAX - unit) {
        return NULL;
    }
    size = (size + unit - 1) / unit * unit;
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < size) {
        bool large = size > BLOCK_BYTES / 4;
        block = block_create(large ? size : BLOCK_BYTES);
        if (block == NULL) {
            return NULL;
        }
        /* A large block goes behind the first one, whose rest stays useful. */
        if (large && arena->blocks != NULL) {
            block->next = arena->blocks->next;
            arena->blocks->next = block;
        } else {
            block->next = arena->blocks;
            arena->blocks = block;
        }
    }
    void *bytes = (char *)block->bytes + block->used;
    block->used += size;
    arena->used_bytes += size;
    return bytes;
}

void *
arena_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    void *block = arena_alloc(arena, bytes);
    if (block != NULL) {
        memset(block, 0, bytes);
    }
    return block;
}

char *
arena_text(struct arena *arena, struct slice from)
{
    if (from.len == SIZE_MAX) {
        return NULL;
    }
    char *copy = arena_alloc(arena, from.len + 1);
    if (copy != NULL) {
        if (from.len > 0) {
            memcpy(copy, from.ptr, from.len);
        }
        copy[from.len] = '\0';
    }
    return copy;
}

enum status
arena_copy(struct arena *arena, struct slice from, struct slice *ret_copy)
{
    char *copy = arena_text(arena, from);
    if (copy == NULL) {
        return STATUS_NOMEM;
    }
    *ret_copy = (struct slice){ copy, from.len };
    return STATUS_OK;
}

void
arena_join(struct arena *into, struct arena *from)
{
    struct arena_block **tail = &from->blocks;
    while (*tail != NULL) {
        tail = &(*tail)->next;
    }
    *tail = into->blocks;
    into->blocks = from->blocks;
    into->used_bytes += from->used_bytes;
    from->blocks = NULL;
    from->used_bytes = 0;
}

void
arena_fini(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *next = block->next;
        mem_wipe(block->bytes, block->used);
        mem_free(block);
        block = next;
    }
    arena->blocks = NULL;
    arena->used_bytes = 0;
}
