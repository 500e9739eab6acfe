/* SPDX-License-Identifier: MIT */
#include "wire/tar.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)512)

/* The header block, field by field; all numbers are octal text. */
struct header {
    char name[TAR_NAME_BYTES];
    char mode[8], uid[8], gid[8];
    char size[12], mtime[12];
    char sum[8];
    char kind;
    char link[100];
    char magic[6], version[2];
    char user[32], group[32];
    char major[8], minor[8];
    char prefix[155];
    char rest[12];
};

_Static_assert(sizeof(struct header) == BLOCK_BYTES, "a header is a block");

static void
write_octal(char *field, size_t size, uint64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%0*llo", (int)size - 1,
                   (unsigned long long)number);
    memcpy(field, text, size);
}

/* The sum is that of the block with blanks in its place. */
static void
write_sum(struct header *header)
{
    unsigned char bytes[BLOCK_BYTES];
    unsigned sum = 0;
    memset(header->sum, ' ', sizeof(header->sum));
    memcpy(bytes, header, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        sum += bytes[i];
    }
    write_octal(header->sum, sizeof(header->sum) - 1, sum);
}

static void
pad(struct buf *into, size_t count)
{
    char *room = buf_reserve(into, count);
    if (room != NULL) {
        memset(room, 0, count);
        into->len += count;
        into->ptr[into->len] = '\0';
    }
}

void
tar_file(struct slice name, struct slice bytes, int64_t at_ms, struct buf *into)
{
    struct header header = { .kind = '0' };
    if (name.len > sizeof(header.name) || bytes.len > TAR_FILE_BYTES) {
        into->failure =
            into->failure == STATUS_OK ? STATUS_TOO_LARGE : into->failure;
        return;
    }
    memcpy(header.name, slice_bytes(name), name.len);
    memcpy(header.magic, "ustar", sizeof(header.magic));
    memcpy(header.version, "00", sizeof(header.version));
    write_octal(header.mode, sizeof(header.mode), 0600);
    write_octal(header.uid, sizeof(header.uid), 0);
    write_octal(header.gid, sizeof(header.gid), 0);
    write_octal(header.size, sizeof(header.size), bytes.len);
    write_octal(header.mtime, sizeof(header.mtime),
                at_ms < 0 ? 0 : (uint64_t)at_ms / 1000);
    write_sum(&header);
    const struct slice block = { (const char *)&header, sizeof(header) };
    buf_append(into, block);
    buf_append(into, bytes);
    pad(into, (BLOCK_BYTES - bytes.len % BLOCK_BYTES) % BLOCK_BYTES);
}

void
tar_end(struct buf *into)
{
    pad(into, 2 * BLOCK_BYTES);
}
