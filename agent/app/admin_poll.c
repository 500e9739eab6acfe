/* SPDX-License-Identifier: MIT */
/*
 * admin_poll: asking for a walk, or for one that stores nothing; answered with
 * its report when it has ended.
 */
#include "app/admin_private.h"

#include "app/poll_report.h"
#include "flow/leases.h"
#include "flow/pauses.h"

/* Somebody who waits for a walk. */
struct walker {
    struct admin_wait wait;
    struct list link; /* in admin.walkers */
    const struct connector *connector;
    bool dry;
    struct poll_report report;
};

static void
forget(struct walker *walker)
{
    list_remove(&walker->link);
    poll_report_fini(&walker->report);
    mem_free(walker);
}

static void
dropped(struct admin_wait *wait)
{
    forget(list_entry(wait, struct walker, wait));
}

/* False: it cannot be asked for. */
static bool
ask_for(struct admin *admin, const struct walker *walker)
{
    if (!walker->dry) {
        walks_poke(admin->settings.walks, walker->connector);
        return true;
    }
    return walks_try(admin->settings.walks, walker->connector);
}

/* Then it is told. */
static bool
is_anothers(struct leases *leases, const struct connector *connector)
{
    uint64_t fence;
    bool is_held = leases_held(leases, connector->id, &fence);
    leases_poke(leases, connector->id);
    return !is_held;
}

static void
answer_poll(struct admin_ask *ask)
{
    struct admin *admin = ask->admin;
    const struct connector *connector = admin_connector(admin, ask->segment);
    if (connector == NULL || !connector->has_poll) {
        admin_answer_problem(ask->exchange, 404,
                             "no connector of this name polls");
        return;
    }
    const struct pause *pause =
        pauses_find(admin->settings.pauses, STORE_CONNECTOR, connector->id);
    if (pause != NULL && pause->is_paused) {
        admin_answer_problem(ask->exchange, 409,
                             "the connector is paused: 'longstop resume' lets "
                             "it go on");
        return;
    }
    if (!admin_query_flag(ask, "dry_run") &&
        is_anothers(admin->settings.leases, connector)) {
        admin_answer_problem(ask->exchange, 409,
                             "another agent walks this connector, and was "
                             "asked for a walk now: 'longstop status' says "
                             "which it is");
        return;
    }
    struct walker *walker = mem_zero(sizeof(*walker));
    if (walker == NULL) {
        admin_answer_status(ask->exchange, STATUS_NOMEM, NULL);
        return;
    }
    walker->connector = connector;
    walker->dry = admin_query_flag(ask, "dry_run");
    walker->wait.dropped = dropped;
    list_append(&admin->walkers, &walker->link);
    if (!ask_for(admin, walker)) {
        forget(walker);
        admin_answer_status(ask->exchange, STATUS_NOMEM, NULL);
        return;
    }
    admin_wait_begin(&walker->wait, ask);
}

void
admin_poll_change(struct admin *admin)
{
    list_for_each_safe(at, &admin->walkers) {
        struct walker *walker = list_entry(at, struct walker, link);
        walker->connector = admin_connector(admin, walker->connector->name);
        if (walker->connector != NULL && walker->connector->has_poll &&
            ask_for(admin, walker)) {
            continue;
        }
        admin_wait_end(&walker->wait);
        admin_answer_problem(walker->wait.exchange, 409,
                             "the configuration was read again, and no "
                             "connector of this name polls any more");
        forget(walker);
    }
}

void
admin_poll_asked(struct admin *admin, const struct poll_asked *asked, bool dry)
{
    if (admin == NULL) {
        return;
    }
    list_for_each(at, &admin->walkers) {
        struct walker *walker = list_entry(at, struct walker, link);
        if (walker->connector == asked->connector && walker->dry == dry) {
            poll_report_asked(&walker->report, asked);
        }
    }
}

void
admin_poll_ended(struct admin *admin, const struct poll_ended *ended, bool dry)
{
    if (admin == NULL) {
        return;
    }
    list_for_each_safe(at, &admin->walkers) {
        struct walker *walker = list_entry(at, struct walker, link);
        if (walker->connector != ended->connector || walker->dry != dry) {
            continue;
        }
        struct buf body = { 0 };
        poll_report_json(&walker->report, ended, &body);
        admin_wait_end(&walker->wait);
        admin_answer_json(walker->wait.exchange, &body);
        forget(walker);
    }
}

static const struct admin_route routes[] = {
    { "POST", "/api/v1/connectors/{}/poll", answer_poll },
};

const struct admin_table admin_poll_table = { routes, sizeof(routes) /
                                                          sizeof(routes[0]) };
