/* SPDX-License-Identifier: MIT */
#include "store/store_pg_wake.h"

#include <string.h>

#include "base/instant.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/plugin_load.h"
#include "store/store_pg_link.h"

/* Nobody waits for it, and it is only a hint. */
#define CONNECT_MS (10 * INSTANT_SECOND_MS)
#define CALL_MS    (5 * INSTANT_SECOND_MS)

struct pg_wake {
    struct store_wake wake;
    struct pg_link link;
    char *url; /* its own; NULL: the caller's */
};

static struct pg_wake *
pg_wake_of(struct store_wake *wake)
{
    return (struct pg_wake *)(void *)wake;
}

static enum status
listen(void *arg, struct error *err)
{
    struct pg_wake *wake = arg;
    return pg_link_is_pooled(&wake->link)
               ? STATUS_OK
               : pg_link_execute(&wake->link, "LISTEN longstop", CALL_MS, err);
}

static enum status
wait_told(struct store_wake *base, int64_t timeout_ms, bool *ret_told,
          struct error *err)
{
    struct pg_wake *wake = pg_wake_of(base);
    *ret_told = false;
    enum status status = pg_link_connect(&wake->link, err);
    if (status == STATUS_OK && pg_link_is_pooled(&wake->link)) {
        return error_set(err, STATUS_DENIED,
                         "store: behind a pooler that lends connections to "
                         "transactions nobody can listen");
    }
    return status == STATUS_OK
               ? pg_link_wait(&wake->link, timeout_ms, ret_told, err)
               : status;
}

static enum status
tell(struct store_wake *base, struct error *err)
{
    struct pg_wake *wake = pg_wake_of(base);
    pg_link_go_on(&wake->link);
    return pg_link_execute(&wake->link, "NOTIFY longstop", CALL_MS, err);
}

static void
hurry(struct store_wake *base)
{
    pg_link_stop(&pg_wake_of(base)->link);
}

static void
close_wake(struct store_wake *base)
{
    struct pg_wake *wake = pg_wake_of(base);
    pg_link_fini(&wake->link);
    mem_free(wake->url);
    mem_free(wake);
}

static const struct store_wake_ops ops = {
    .wait = wait_told,
    .tell = tell,
    .hurry = hurry,
    .close = close_wake,
};

enum status
store_pg_wake_create(const struct longstop_database *database,
                     const struct longstop_access *access,
                     struct store_wake **ret, struct error *err)
{
    struct pg_wake *wake = mem_zero(sizeof(*wake));
    if (wake == NULL) {
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    wake->wake.ops = &ops;
    pg_link_init(&wake->link, database, access, (uint64_t)clock_monotonic_us());
    wake->link.link.serving = true;
    wake->link.connected = listen;
    wake->link.connected_arg = wake;
    *ret = &wake->wake;
    return STATUS_OK;
}

enum status
store_pg_wake_open(const char *url, struct store_wake **ret, struct error *err)
{
    const struct longstop_database *database;
    enum status status = plugin_load_database("postgresql", &database, err);
    if (status != STATUS_OK) {
        return error_wrap(err, status, "store");
    }
    char *copy = mem_alloc(strlen(url) + 1);
    if (copy == NULL) {
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    memcpy(copy, url, strlen(url) + 1);
    const struct longstop_access access = {
        .url = copy,
        .application = "longstop wake-up",
        .connect_timeout_ms = CONNECT_MS,
        .call_timeout_ms = CALL_MS,
    };
    status = store_pg_wake_create(database, &access, ret, err);
    if (status != STATUS_OK) {
        mem_free(copy);
        return status;
    }
    pg_wake_of(*ret)->url = copy;
    return STATUS_OK;
}
