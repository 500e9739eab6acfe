/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "config/config_bind.h"
#include "handler/broker_keys.h"

static struct arena arena;
static struct config_report report;

static int
tear_down(void **state)
{
    (void)state;
    config_report_fini(&report);
    report = (struct config_report){ 0 };
    arena_fini(&arena);
    return 0;
}

static struct broker_settings
bind(enum broker_kind kind, const char *text)
{
    static struct config_source source; /* the report points to it */
    source = (struct config_source){ .name = SLICE("t.yaml"),
                                     .text = slice_of(text),
                                     .directory = SLICE("/etc") };
    struct config_node *root = NULL;
    struct broker_settings settings = { .to = NULL };
    struct config_binding binding = { .arena = &arena, .report = &report };
    assert_int_equal(
        config_yaml_parse(&source, NULL, NULL, &arena, &report, &root),
        STATUS_OK);
    assert_int_equal(
        config_bind(&binding, &broker_tables[kind], root, &settings),
        STATUS_OK);
    return settings;
}

static void
each_kind_gives_its_plugin_what_was_said(void **state)
{
    (void)state;
    static const struct {
        enum broker_kind kind;
        const char *text;
        const char *list;
    } table[] = {
        { BROKER_AMQP, "{url: u, routing_key: r, exchange: e, ca: c.pem}",
          "url=u;exchange=e;ca=/etc/c.pem;" },
        { BROKER_KAFKA, "{brokers: b, topic: t, tls: true, max_size: 2kB}",
          "brokers=b;mechanism=PLAIN;tls=true;compression=none;max_size="
          "2000;" },
        { BROKER_MQTT, "{url: u, topic: t, qos: 2, subscriber: optional}",
          "url=u;qos=2;subscriber=optional;" },
        { BROKER_NATS, "{url: u, subject: s, user: me}", "url=u;user=me;" },
        { BROKER_POSTGRESQL, "{url: u, table: t}", "url=u;" },
        { BROKER_REDIS, "{url: u, stream: s, dedup: 2s}",
          "url=u;maxlen=0;dedup=2000;" },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct broker_settings settings = bind(table[i].kind, table[i].text);
        struct longstop_setting *list = NULL;
        size_t count = 0;
        char got[512] = "";
        assert_int_equal(report.errors, 0);
        assert_non_null(settings.to);
        assert_int_equal(broker_settings_list(table[i].kind, &settings, &arena,
                                              &list, &count),
                         STATUS_OK);
        for (size_t k = 0; k < count; k++) {
            (void)snprintf(got + strlen(got), sizeof(got) - strlen(got),
                           "%s=%s;", list[k].name, list[k].value);
        }
        assert_string_equal(got, table[i].list);
    }
}

/* Values are told apart by their number: two keys must not share one. */
static void
each_key_has_a_place_of_its_own(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < BROKER_KINDS; kind++) {
        const struct config_table *table = &broker_tables[kind];
        assert_true(table->count <= BROKER_VALUES_MAX);
        for (size_t i = 0; i < table->count; i++) {
            if (table->keys[i].type == CONFIG_CUSTOM ||
                slice_starts(slice_of(table->keys[i].name),
                             slice_of("batch_"))) {
                continue; /* ours, not the plugin's */
            }
            const size_t start = offsetof(struct broker_settings, values) +
                                 i * sizeof(struct broker_value);
            assert_in_range(table->keys[i].offset, start,
                            start + sizeof(struct broker_value) - 1);
        }
    }
}

static void
secrets_are_found_where_they_are(void **state)
{
    (void)state;
    struct broker_settings settings =
        bind(BROKER_NATS, "{url: u, subject: s, password: p}");
    size_t found = 0;
    for (size_t i = 0; i < BROKER_VALUES_MAX; i++) {
        const struct config_secret *secret =
            broker_secret(BROKER_NATS, &settings, i);
        found += secret != NULL;
        assert_true(secret == NULL || slice_equal_text(secret->text, "p"));
    }
    assert_int_equal(found, 1);
}

static void
a_place_nobody_fills_is_a_mistake_with_its_own_place(void **state)
{
    (void)state;
    struct buf text = { 0 };
    (void)bind(BROKER_NATS, "{url: u, subject: \"a.{typ}\"}");
    assert_int_equal(report.errors, 1);
    config_report_json(&report, &text);
    assert_non_null(strstr(text.ptr, "subject: column"));
    buf_fini(&text);
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    struct broker_settings settings =
        bind(BROKER_NATS, "{url: u, subject: s, user: me}");
    bool worked = false;
    for (long n = 0; n < 100 && !worked; n++) {
        struct arena own = { 0 };
        struct longstop_setting *list = NULL;
        size_t count = 0;
        (void)mem_fail_after(n, 0);
        enum status status =
            broker_settings_list(BROKER_NATS, &settings, &own, &list, &count);
        (void)mem_fail_after(-1, 0);
        worked = status == STATUS_OK;
        assert_true(worked || status == STATUS_NOMEM);
        arena_fini(&own);
    }
    assert_true(worked);
}

#define KEYS_TEST(name) cmocka_unit_test_teardown(name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        KEYS_TEST(each_kind_gives_its_plugin_what_was_said),
        KEYS_TEST(each_key_has_a_place_of_its_own),
        KEYS_TEST(secrets_are_found_where_they_are),
        KEYS_TEST(a_place_nobody_fills_is_a_mistake_with_its_own_place),
        KEYS_TEST(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
