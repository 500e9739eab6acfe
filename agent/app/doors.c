/* SPDX-License-Identifier: MIT */
/* The listeners' certificates: checked, opened, read again. */
#include "app/doors.h"

#include "base/instant.h"
#include "base/log.h"

/* Renewal is overdue by then: ACME clients renew 30 days ahead. */
#define SOON_MS (14 * INSTANT_DAY_MS)

enum { LISTEN, ADMIN, DOOR_COUNT };
static const char *const sections[DOOR_COUNT] = { "listen", "admin" };

static const struct tls_settings *
settings_of(const struct settings *settings, size_t door)
{
    if (door == ADMIN) {
        return settings->admin.tls;
    }
    return settings->listen == NULL ? NULL : settings->listen->tls;
}

/* What is wrong with a certificate's dates; false for nothing. */
static bool
judge_term(const struct tls_term *term, int64_t now_ms, struct error *ret)
{
    int64_t days = (term->to_ms - now_ms) / INSTANT_DAY_MS;
    if (now_ms > term->to_ms) {
        (void)error_set(ret, STATUS_INVALID,
                        "%.*s: the certificate has expired, %lld days ago; "
                        "senders will refuse it until it is renewed",
                        SLICE_ARG(term->certificate), (long long)-days);
    } else if (now_ms < term->from_ms) {
        (void)error_set(ret, STATUS_INVALID,
                        "%.*s: the certificate is not valid yet; senders will "
                        "refuse it until it is, or this clock is wrong",
                        SLICE_ARG(term->certificate));
    } else if (term->to_ms - now_ms < SOON_MS) {
        (void)error_set(ret, STATUS_INVALID,
                        "%.*s: the certificate expires in %lld days; renew it",
                        SLICE_ARG(term->certificate), (long long)days);
    } else {
        return false;
    }
    return true;
}

static void
check_terms(const struct tls_server *server, int64_t now_ms,
            struct config_mark mark, struct config_report *report)
{
    struct tls_term term;
    struct error words;
    for (size_t i = 0; tls_server_term(server, i, &term); i++) {
        if (judge_term(&term, now_ms, &words)) {
            config_report_add(report, CONFIG_WARNING, mark, "%s", words.text);
        }
        if (term.key_is_loose) {
            config_report_add(report, CONFIG_WARNING, mark,
                              "others can read the key of %.*s; chmod 600 its "
                              "file",
                              SLICE_ARG(term.certificate));
        }
    }
}

void
doors_check(const struct settings *settings, const struct config_node *root,
            int64_t now_ms, struct config_report *report)
{
    for (size_t i = 0; i < DOOR_COUNT; i++) {
        const struct tls_settings *tls = settings_of(settings, i);
        if (tls == NULL) {
            continue;
        }
        const struct config_node *node =
            config_node_child(config_node_child(root, sections[i]), "tls");
        struct tls_server *server = NULL;
        struct error err = { 0 };
        enum status status = tls_server_create(tls, &server, &err);
        if (status == STATUS_OK) {
            check_terms(server, now_ms, node->mark, report);
        } else {
            config_report_add(report, CONFIG_ERROR, node->mark, "%s.tls: %s",
                              sections[i], error_text(&err, status));
        }
        tls_server_destroy(server);
    }
}

enum status
doors_open(const struct settings *settings, struct doors *doors,
           struct error *err)
{
    struct tls_server **at[DOOR_COUNT] = { &doors->listen, &doors->admin };
    for (size_t i = 0; i < DOOR_COUNT; i++) {
        const struct tls_settings *tls = settings_of(settings, i);
        enum status status =
            tls == NULL ? STATUS_OK : tls_server_create(tls, at[i], err);
        if (status != STATUS_OK) {
            return error_wrap(err, status, "%s.tls", sections[i]);
        }
    }
    return STATUS_OK;
}

static void
tell_terms(const struct tls_server *server, int64_t now_ms)
{
    struct tls_term term;
    struct error words;
    for (size_t i = 0; tls_server_term(server, i, &term); i++) {
        if (judge_term(&term, now_ms, &words)) {
            LOG(LOG_WARN, "a certificate's dates are wrong",
                log_text("why", words.text));
        }
    }
}

void
doors_take(const struct doors *doors, struct doors *others, int64_t now_ms)
{
    struct tls_server *const at[DOOR_COUNT] = { doors->listen, doors->admin };
    struct tls_server *const from[DOOR_COUNT] = { others->listen,
                                                  others->admin };
    for (size_t i = 0; i < DOOR_COUNT; i++) {
        if (at[i] != NULL && from[i] != NULL) {
            tls_server_take(at[i], from[i]);
            LOG(LOG_INFO, "certificates read again",
                log_text("listener", sections[i]));
            tell_terms(at[i], now_ms);
        }
    }
    *others = (struct doors){ 0 };
}

void
doors_show(const struct doors *doors, const struct telemetry *telemetry)
{
    struct tls_server *const at[DOOR_COUNT] = { doors->listen, doors->admin };
    int64_t first_ms = INT64_MAX;
    struct tls_term term;
    for (size_t i = 0; i < DOOR_COUNT; i++) {
        for (size_t j = 0; at[i] != NULL && tls_server_term(at[i], j, &term);
             j++) {
            first_ms = term.to_ms < first_ms ? term.to_ms : first_ms;
        }
    }
    if (first_ms < INT64_MAX) {
        telemetry_certificate_expiry(telemetry, first_ms);
    }
}

void
doors_close(struct doors *doors)
{
    tls_server_destroy(doors->listen);
    tls_server_destroy(doors->admin);
    *doors = (struct doors){ 0 };
}
