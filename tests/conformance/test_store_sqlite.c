/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conformance/store_suite.h"
#include "store/store_sqlite_private.h"

static char folder[] = "/tmp/longstop-store-XXXXXX";
static char url[64];

static void
wipe(void)
{
    static const char *const names[] = { "db", "db-wal", "db-shm", "db.lock" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
}

static enum status
open_one(struct store **ret, struct error *err)
{
    const struct store_settings settings = { .page_size = 4096 };
    return store_open(url, &settings, ret, err);
}

static enum status
view_one(struct store_view **ret, struct error *err)
{
    return store_view_open(url, ret, err);
}

static void
limit_row(struct store *store, int bytes)
{
    (void)sqlite3_limit(store_sqlite_of(store)->link.db, SQLITE_LIMIT_LENGTH,
                        bytes);
}

int
main(void)
{
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    (void)snprintf(url, sizeof(url), "sqlite:%s/db", folder);
    const struct store_suite_host host = {
        .wipe = wipe, .open = open_one, .view = view_one, .limit_row = limit_row
    };
    int failed = store_suite_run(&host) + gap_suite_run(&host) +
                 fill_suite_run(&host) + seed_suite_run(&host) +
                 view_suite_run(&host) + relay_suite_run(&host) +
                 lane_suite_run(&host) + refusal_suite_run(&host) +
                 again_suite_run(&host) + pause_suite_run(&host) +
                 receiver_suite_run(&host);
    wipe();
    (void)rmdir(folder);
    return failed;
}
