/* SPDX-License-Identifier: MIT */
/*
 * admin_health: whether the agent lives, whether it can take events, and its
 * metrics. /metrics asks the store's thread for its figures first.
 */
#include "app/admin_private.h"

#include "io/clock.h"

/* A scrape that waits for the store's figures. */
struct scrape {
    struct admin_wait wait;
    enum metric_form form;
    struct store_call call;
    struct store_figure figures[];
};

static void
answer_livez(struct admin_ask *ask)
{
    admin_answer_text(ask->exchange, 200, "ok\n");
}

/* Ready means that events can be taken: whether the providers can be reached is
 * not asked, or an outage of theirs would take our listener out of rotation. */
static void
answer_readyz(struct admin_ask *ask)
{
    struct store_worker_figures figures;
    store_worker_figures(ask->admin->settings.worker, &figures);
    if (figures.health == STATUS_OK) {
        admin_answer_text(ask->exchange, 200, "ok\n");
        return;
    }
    struct buf text = { 0 };
    buf_format(&text, "the store cannot be written: %s\n",
               status_text(figures.health));
    admin_answer_text(ask->exchange, 503,
                      buf_status(&text) == STATUS_OK ? buf_slice(&text).ptr
                                                     : "not ready\n");
    buf_fini(&text);
}

static const char *const media_types[] = {
    [METRIC_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8",
    [METRIC_OPENMETRICS] =
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/* OpenMetrics for who asks for it by name, and for nothing else more. */
static enum metric_form
form_for(struct http_fields fields)
{
    struct slice accept;
    unsigned open = 0;
    if (http_field_find(fields, "Accept", &accept)) {
        open = http_field_accepts(accept, "application/openmetrics-text");
    }
    return open > 0 && open >= http_field_accepts(accept, "text/plain")
               ? METRIC_OPENMETRICS
               : METRIC_PROMETHEUS;
}

static void
figures_came(struct store_call *call)
{
    struct scrape *scrape = call->arg;
    struct admin *admin = scrape->wait.admin;
    if (admin == NULL) {
        mem_free(scrape);
        return;
    }
    admin_wait_end(&scrape->wait);
    if (call->status == STATUS_OK) {
        dispatch_gauge(admin->settings.dispatch, scrape->figures,
                       call->figures.count, clock_unix_ms());
    }
    walks_gauge(admin->settings.walks);
    struct buf text = { 0 };
    metric_render(admin->settings.telemetry->registry, scrape->form, &text);
    struct http_answer answer = {
        .status = buf_status(&text) == STATUS_OK ? 200 : 503,
        .content_type = slice_of(media_types[scrape->form]),
        .body = buf_slice(&text),
    };
    http_exchange_answer(scrape->wait.exchange, &answer);
    buf_fini(&text);
    mem_free(scrape);
}

static void
answer_metrics(struct admin_ask *ask)
{
    const struct admin_settings_of_agent *settings = &ask->admin->settings;
    size_t count = settings->outlet_count;
    struct scrape *scrape =
        mem_zero(sizeof(*scrape) + count * sizeof(scrape->figures[0]));
    if (scrape == NULL) {
        admin_answer_status(ask->exchange, STATUS_NOMEM, NULL);
        return;
    }
    scrape->form = form_for(ask->request->fields);
    for (size_t i = 0; i < count; i++) {
        scrape->figures[i].handler = settings->outlets[i].number;
    }
    scrape->call = (struct store_call){ .kind = STORE_CALL_FIGURES,
                                        .done = figures_came,
                                        .arg = scrape,
                                        .figures = { scrape->figures, count } };
    enum status status = store_worker_submit(settings->worker, &scrape->call);
    if (status != STATUS_OK) {
        mem_free(scrape);
        admin_answer_status(ask->exchange, status, NULL);
        return;
    }
    admin_wait_begin(&scrape->wait, ask);
}

static const struct admin_route routes[] = {
    { "GET", "/livez", answer_livez },
    { "GET", "/readyz", answer_readyz },
    { "GET", "/metrics", answer_metrics },
};

const struct admin_table admin_health_table = { routes, sizeof(routes) /
                                                            sizeof(routes[0]) };
