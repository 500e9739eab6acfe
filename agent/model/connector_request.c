/* SPDX-License-Identifier: MIT */
/* Which places a request has. */
#include "model/connector.h"
#include "wire/template.h"

/* As deep as YAML may be nested. */
#define DEPTH_MAX 32

static bool
body_names(const struct body_node *root, const char *kind)
{
    const struct body_node *open[DEPTH_MAX];
    size_t depth = 0;
    const struct body_node *node = root;
    while (node != NULL) {
        if (node->kind == CONFIG_SCALAR && template_names(node->text, kind)) {
            return true;
        }
        if (node->children != NULL && depth < DEPTH_MAX) {
            open[depth++] = node;
            node = node->children;
            continue;
        }
        while (depth > 0 && node->next == NULL) {
            node = open[--depth];
        }
        /* The root has no sibling that belongs to the body. */
        node = depth == 0 ? NULL : node->next;
    }
    return false;
}

bool
connector_request_names(const struct request_spec *request, const char *kind)
{
    bool found =
        template_names(request->url, kind) || body_names(request->body, kind);
    for (size_t i = 0; i < request->query_count && !found; i++) {
        found = template_names(request->query[i].value, kind);
    }
    for (size_t i = 0; i < request->form_count && !found; i++) {
        found = template_names(request->form[i].value, kind);
    }
    return found;
}
