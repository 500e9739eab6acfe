/* SPDX-License-Identifier: MIT */
#include "app/fingerprint.h"

#include <string.h>

#include "base/mem.h"
#include "wire/digest.h"

void
fingerprint_text(struct slice text, struct buf *into)
{
    buf_u64(into, text.len);
    buf_byte(into, ':');
    buf_append(into, text);
}

/* What a node is, apart from its texts. */
static const char *
kind_of(const struct config_node *node)
{
    if (node->kind == CONFIG_SEQUENCE) {
        return "l";
    }
    if (node->kind == CONFIG_MAPPING) {
        return "m";
    }
    return node->is_null ? "n" : node->quoted ? "q" : "p";
}

/* In their order: config_yaml allows no tree to be deep. */
void
/* NOLINTNEXTLINE(misc-no-recursion) */
fingerprint_node(const struct config_node *node, struct buf *into)
{
    if (node == NULL) {
        buf_byte(into, '-');
        return;
    }
    buf_text(into, kind_of(node));
    fingerprint_text(node->key, into);
    fingerprint_text(node->text, into);
    for (const struct config_node *at = node->children; at != NULL;
         at = at->next) {
        fingerprint_node(at, into);
    }
    buf_byte(into, '.');
}

enum status
fingerprint_take(struct buf *gathered, struct slice name,
                 struct fingerprint *ret)
{
    enum status status = buf_status(gathered);
    ret->name = name;
    if (status == STATUS_OK) {
        status = digest_sha256(buf_slice(gathered), ret->sum);
    }
    mem_wipe(gathered->ptr, gathered->len);
    buf_fini(gathered);
    return status;
}
