/* SPDX-License-Identifier: MIT */
/*
 * mem: checked allocation, overflow-safe arrays, arenas, and the one hook
 * through which tests make memory run out.
 *
 * Only mem.c calls malloc, realloc and free. Running out is an error that the
 * caller returns, never an abort. Every function may be called from any thread;
 * an arena belongs to one thread at a time.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct slice;

/* Returns `size` bytes (the caller frees them), or NULL. 0 counts as 1. */
NODISCARD
void *mem_alloc(size_t size);

/* Like mem_alloc, all bytes zero. */
NODISCARD
void *mem_zero(size_t size);

/* Returns `count` zeroed elements of `size` bytes, or NULL. */
NODISCARD
void *mem_array(size_t count, size_t size);

/* Resizes; on NULL the old block is untouched. `old` may be NULL. */
NODISCARD
void *mem_resize(void *old, size_t count, size_t size);

/* Frees; NULL is allowed. */
void mem_free(void *block);

/* Overwrites a secret; the compiler may not leave it out. */
void mem_wipe(void *block, size_t size);

/*
 * Tests: the allocation after the next `after` ones fails, and with `always`
 * every later one too. A negative `after` turns the hook off. Returns how many
 * allocations were asked for since the last call.
 */
long mem_fail_after(long after, int always);

/*
 * An arena hands out memory that is freed as a whole. Start with
 * `struct arena arena = { 0 };`; nothing is allocated until it is used.
 */
struct arena {
    struct arena_block *blocks;
    size_t used_bytes; /* handed out so far, for limits and tests */
};

/* Returns `size` bytes, aligned for anything, living as long as the arena. */
NODISCARD
void *arena_alloc(struct arena *arena, size_t size);

/* Returns `count` zeroed elements, or NULL. */
NODISCARD
void *arena_array(struct arena *arena, size_t count, size_t size);

/* Returns a NUL-terminated copy in *ret_copy. STATUS_NOMEM leaves it alone. */
NODISCARD
enum status arena_copy(struct arena *arena, struct slice from,
                       struct slice *ret_copy);

/* Returns a NUL-terminated copy of `from`, or NULL. */
NODISCARD
char *arena_text(struct arena *arena, struct slice from);

/* Moves all of `from`'s memory to `into`; `from` is empty afterwards. */
void arena_join(struct arena *into, struct arena *from);

/* Wipes and frees everything, since much of what is kept in arenas is a secret
 * or came with one; the arena may be used again. */
void arena_fini(struct arena *arena);

#endif
