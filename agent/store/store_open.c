/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include "store/store_sqlite.h"

static const struct {
    struct slice scheme;
    /* NULL: known by name, not in this build. */
    enum status (*open)(const char *rest, const struct store_settings *settings,
                        struct store **ret, struct error *err);
} kinds[] = {
    { SLICE("sqlite:"), store_sqlite_open },
    { SLICE("postgresql:"), NULL },
    { SLICE("postgres:"), NULL },
};

enum status
store_open(const char *url, const struct store_settings *settings,
           struct store **ret, struct error *err)
{
    struct slice text = slice_of(url);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!slice_starts(text, kinds[i].scheme)) {
            continue;
        }
        if (kinds[i].open == NULL) {
            return error_set(err, STATUS_CONFIG,
                             "store: this longstop is built without "
                             "PostgreSQL: write sqlite:PATH");
        }
        return kinds[i].open(url + kinds[i].scheme.len, settings, ret, err);
    }
    /* What follows the colon may hold a password. */
    size_t colon = slice_find(text, ':');
    return error_set(err, STATUS_CONFIG,
                     "store: \"%.*s\" is no kind of store: write sqlite:PATH",
                     SLICE_ARG(slice_first(text, colon)));
}
