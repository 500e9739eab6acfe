/* SPDX-License-Identifier: MIT */
#include "store/store_pg.h"

#include <string.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/plugin_load.h"
#include "store/store_pg_leases.h"
#include "store/store_pg_link.h"
#include "store/store_pg_server.h"
#include "store/store_sql_private.h"

#define CONNECT_MS 10000
#define CALL_MS    5000

/* Without a word from outside a sign of life is given so often. Who is dead is
 * for `beat` to say, whose callers know how often the others give theirs. */
#define BEAT_MS 10000

/* Days are made two ahead: who tries so often never lacks one. */
#define DAYS_MS  3600000
#define AGAIN_MS 60000

/* In one call: more are come back to. */
#define BURIALS_MOST 16

/* How long the number of an agent rests between two lives. */
#define REST_MS 60000

struct store_pg {
    struct store_sql sql; /* first */
    struct store_ops ops;
    struct pg_link link;
    char *url;
    char *version;
    int64_t next_beat_ms; /* monotonic */
    int64_t next_days_ms; /* likewise */
    struct pg_leases leases;
};

static struct store_pg *
store_pg_of(struct store *base)
{
    return (struct store_pg *)(void *)base;
}

/* ---- agents ---- */

static struct slice
host_name(char *into, size_t size)
{
    if (gethostname(into, size) != 0) {
        into[0] = '\0';
    }
    into[size - 1] = '\0';
    return slice_of(into);
}

static enum status
run_join(struct store_pg *store, struct error *err)
{
    char name[256];
    struct sql_use use = sql_use(&store->sql, SQL_AGENT_JOIN);
    sql_text(&use, host_name(name, sizeof(name)));
    sql_text(&use, slice_of(store->version));
    sql_i64(&use, REST_MS);
    bool row;
    enum status status = sql_row(&use, &row, err);
    if (status != STATUS_OK || !row) {
        return status != STATUS_OK
                   ? status
                   : error_set(err, STATUS_UNAVAILABLE,
                               "store: %u agents share it, or did a minute "
                               "ago: wait for one",
                               EVENT_AGENT_MAX);
    }
    const uint64_t highest = (uint64_t)sql_number(&use, 2);
    store->sql.agent = (unsigned)sql_number(&use, 0);
    store->sql.epoch = sql_number(&use, 1);
    if (highest > store->sql.last_event) {
        store->sql.last_event = highest;
    }
    sql_stop(&use);
    return STATUS_OK;
}

/* Begins a life: a number among the agents, and an epoch that no other life
 * has. */
static enum status
join(struct store_pg *store, struct error *err)
{
    enum status status = store_sql_begin(&store->sql, err);
    return status == STATUS_OK
               ? store_sql_end(&store->sql, run_join(store, err), err)
               : status;
}

/* What became of those that were silent for too long. */
struct burials {
    int64_t ttl_ms; /* 0: none is looked for */
    size_t buried;
    int64_t freed; /* deliveries of theirs */
};

/* Ends the life of an agent that has given no sign for so long. */
static enum status
bury(struct store_pg *store, int64_t epoch, struct burials *burials,
     struct error *err)
{
    int64_t freed = -1;
    enum status status = store_sql_begin(&store->sql, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct sql_use use = sql_use(&store->sql, SQL_AGENT_BURY);
    sql_i64(&use, epoch);
    sql_i64(&use, burials->ttl_ms);
    status = sql_run_numbered(&use, &freed, err);
    status = store_sql_end(&store->sql, status, err);
    if (status == STATUS_OK && freed >= 0) {
        burials->buried++;
        burials->freed += freed;
    }
    return status;
}

/* Sees to those that are silent, one after the other; each by whoever comes
 * first. */
static enum status
bury_silent(struct store_pg *store, struct burials *burials, struct error *err)
{
    enum status status = STATUS_OK;
    int64_t epoch = 1;
    for (int i = 0; status == STATUS_OK && epoch != 0 && i < BURIALS_MOST;
         i++) {
        struct sql_use use = sql_use(&store->sql, SQL_AGENT_SILENT);
        sql_i64(&use, store->sql.epoch);
        sql_i64(&use, burials->ttl_ms);
        status = sql_run_numbered(&use, &epoch, err);
        if (status == STATUS_OK && epoch != 0) {
            status = bury(store, epoch, burials, err);
        }
    }
    return status;
}

/* A day that lacks costs time later, and nothing else: what fails is tried
 * again. */
static void
make_days(struct store_pg *store)
{
    const int64_t now_ms = clock_monotonic_ms();
    if (now_ms >= store->next_days_ms) {
        enum status status = pg_server_make_days(&store->link, NULL);
        store->next_days_ms =
            now_ms + (status == STATUS_OK ? DAYS_MS : AGAIN_MS);
    }
}

/* One sign of life; who was taken for dead begins anew. */
static enum status
give_sign(struct store_pg *store, struct burials *burials, struct error *err)
{
    struct sql_use use = sql_use(&store->sql, SQL_AGENT_BEAT);
    sql_i64(&use, store->sql.epoch);
    sql_event(&use, store->sql.last_event);
    enum status status = sql_run(&use, err);
    if (status == STATUS_OK && use.changed == 0) {
        status = join(store, err);
    }
    if (status == STATUS_OK && burials->ttl_ms > 0) {
        status = bury_silent(store, burials, err);
    }
    if (status == STATUS_OK) {
        status = store_sql_meta_get(&store->sql, "dedup_floor",
                                    &store->sql.floor_ms, err);
    }
    store->next_beat_ms = clock_monotonic_ms() + BEAT_MS;
    return status;
}

static enum status
beat(struct store *base, struct store_beat *beat, struct error *err)
{
    struct store_pg *store = store_pg_of(base);
    struct burials burials = { .ttl_ms = beat->ttl_ms };
    enum status status = store_sql_usable(&store->sql, err);
    if (status == STATUS_OK) {
        status = give_sign(store, &burials, err);
    }
    if (status == STATUS_OK) {
        make_days(store);
    }
    beat->buried = burials.buried;
    beat->freed = burials.freed;
    return status == STATUS_OK
               ? store_pg_leases(&store->sql, &store->leases, beat, err)
               : status;
}

/* Of who has the store open and knows of no signs of life: a command. What
 * fails is tried again the next time; whoever has called meets the same failure
 * by himself. */
static void
tick(struct store *base)
{
    struct store_pg *store = store_pg_of(base);
    struct burials burials = { 0 };
    if (clock_monotonic_ms() >= store->next_beat_ms &&
        store_sql_usable(&store->sql, NULL) == STATUS_OK) {
        (void)give_sign(store, &burials, NULL);
    }
}

/* ---- operations on the way of which others are told ---- */

static enum status
apply(struct store *base, struct store_unit *const *units, size_t count,
      struct error *err)
{
    tick(base);
    return store_sql_apply(base, units, count, err);
}

static enum status
claim(struct store *base, uint32_t handler, int64_t now_ms,
      int64_t lease_until_ms, size_t limit, struct store_claims *claims,
      struct error *err)
{
    tick(base);
    return store_sql_claim(base, handler, now_ms, lease_until_ms, limit, claims,
                           err);
}

static enum status
figures(struct store *base, struct store_figure *at, size_t count,
        struct error *err)
{
    tick(base);
    return store_sql_tally_figures(base, at, count, err);
}

static enum status
account(struct store *base, struct store_account *of, struct error *err)
{
    tick(base);
    return store_sql_account(base, of, err);
}

static void
let_go(struct store_pg *store)
{
    pg_link_fini(&store->link);
    store_sql_fini(&store->sql);
    mem_free(store->url);
    mem_free(store->version);
    mem_free(store);
}

static void
close_store(struct store *base)
{
    if (base == NULL) {
        return;
    }
    struct store_pg *store = store_pg_of(base);
    if (store_sql_usable(&store->sql, NULL) == STATUS_OK) {
        /* Others need not wait until it is silent. */
        struct burials burials = { .ttl_ms = -BEAT_MS };
        (void)bury(store, store->sql.epoch, &burials, NULL);
    }
    let_go(store);
}

/* ---- opening ---- */

static enum status
settle_in(struct store_pg *store, struct error *err)
{
    struct pg_server server;
    struct burials burials = { 0 };
    enum status status = pg_server_ask(&store->link, &server, err);
    if (status == STATUS_OK) {
        status = pg_server_judge(&server, err);
    }
    if (status == STATUS_OK) {
        status = pg_server_migrate(&store->link, err);
    }
    if (status == STATUS_OK) {
        status = join(store, err);
    }
    if (status == STATUS_OK) {
        status = give_sign(store, &burials, err);
    }
    store->next_days_ms = clock_monotonic_ms() + DAYS_MS;
    return status == STATUS_OK ? store_sql_load(&store->sql, err) : status;
}

static char *
copy_of(const char *text)
{
    struct buf copy = { 0 };
    buf_text(&copy, text);
    if (buf_status(&copy) != STATUS_OK) {
        buf_fini(&copy);
        return NULL;
    }
    return buf_detach(&copy);
}

/* Makes a link of its own for whoever owns `url`. */
static enum status
make_link(struct pg_link *link, const char *url, struct error *err)
{
    const struct longstop_database *database;
    enum status status = plugin_load_database("postgresql", &database, err);
    const struct longstop_access access = { .url = url,
                                            .connect_timeout_ms = CONNECT_MS,
                                            .call_timeout_ms = CALL_MS };
    if (status == STATUS_OK) {
        pg_link_init(link, database, &access,
                     (uint64_t)clock_unix_ms() * 1000003U + (uint64_t)getpid());
    }
    return status;
}

enum status
store_pg_open(const char *url, const struct store_settings *settings,
              struct store **ret, struct error *err)
{
    struct store_pg *store = mem_zero(sizeof(*store));
    if (store == NULL) {
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    store->ops = store_sql_ops;
    store->ops.apply = apply;
    store->ops.claim = claim;
    store->ops.figures = figures;
    store->ops.account = account;
    store->ops.beat = beat;
    store->ops.close = close_store;
    store->sql.store.ops = &store->ops;
    store->sql.link = &store->link.link;
    store->sql.attempts_each = settings != NULL && settings->attempts_each > 0
                                   ? settings->attempts_each
                                   : ATTEMPTS_EACH;
    store->url = copy_of(url);
    store->version = copy_of(
        settings != NULL && settings->version != NULL ? settings->version : "");
    enum status status =
        store->url != NULL && store->version != NULL
            ? make_link(&store->link, store->url, err)
            : error_set(err, STATUS_NOMEM, "store: out of memory");
    if (status == STATUS_OK) {
        status = settle_in(store, err);
    }
    if (status != STATUS_OK) {
        let_go(store);
        return status;
    }
    store->link.link.serving = true;
    *ret = &store->sql.store;
    return STATUS_OK;
}

/* ---- views ---- */

struct pg_view {
    struct sql_view sql; /* first */
    struct store_view_ops ops;
    struct pg_link link;
    char *url;
};

static struct pg_view *
pg_view_of(struct store_view *base)
{
    return (struct pg_view *)(void *)base;
}

/* The server looks after its pages by itself; what it says of indexes is all
 * there is to be asked. */
static enum status
check_view(struct store_view *base, struct view_check *check, struct error *err)
{
    struct pg_server server;
    check->is_whole = check->most_ms > 0;
    if (!check->is_whole) {
        return STATUS_OK;
    }
    enum status status = pg_server_ask(&pg_view_of(base)->link, &server, err);
    return status == STATUS_OK ? pg_server_judge(&server, err) : status;
}

static void
close_view(struct store_view *base)
{
    if (base != NULL) {
        struct pg_view *view = pg_view_of(base);
        pg_link_fini(&view->link);
        mem_free(view->url);
        mem_free(view);
    }
}

enum status
store_pg_view_open(const char *url, struct store_view **ret, struct error *err)
{
    struct pg_server server;
    struct pg_view *view = mem_zero(sizeof(*view));
    if (view == NULL) {
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    view->ops = store_sql_view_ops;
    view->ops.check = check_view;
    view->ops.close = close_view;
    view->sql.view.ops = &view->ops;
    view->sql.link = &view->link.link;
    view->url = copy_of(url);
    enum status status =
        view->url != NULL
            ? make_link(&view->link, view->url, err)
            : error_set(err, STATUS_NOMEM, "store: out of memory");
    if (status == STATUS_OK) {
        status = pg_server_ask(&view->link, &server, err);
    }
    if (status == STATUS_OK && !server.has_tables) {
        status = error_set(err, STATUS_NOT_FOUND,
                           "store: there are no tables yet: 'longstop run' "
                           "makes them");
    }
    if (status != STATUS_OK) {
        close_view(&view->sql.view);
        return status;
    }
    view->link.link.serving = true;
    *ret = &view->sql.view;
    return STATUS_OK;
}
