/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdatomic.h>

#include "handler/handler_broker.h"
#include "unit/handler/handling.h"

/* A plugin as a test wants it: what each entry's key says becomes of it. */
static struct {
    char settings[512];
    bool refuses;
    int sessions;
    atomic_int publishes;
    atomic_bool holds; /* publish waits until it should stop, or is let go */
    atomic_bool absent;
    bool drops; /* the connection, at a key that begins with "large" */
    size_t sizes[64];
    size_t largest;
    bool was_replay;
    char last[512];
    int64_t timeout_ms;
    const struct longstop_host *host;
} fake;

static const char *
describe(void)
{
    return "fake 1";
}

static void *
open_fake(const struct longstop_setting *settings, size_t count,
          const struct longstop_host *host, char words[LONGSTOP_WORDS_BYTES])
{
    size_t len = 0;
    fake.host = host;
    for (size_t i = 0; i < count; i++) {
        len +=
            (size_t)snprintf(fake.settings + len, sizeof(fake.settings) - len,
                             "%s=%s;", settings[i].name, settings[i].value);
    }
    if (fake.refuses) {
        (void)snprintf(words, LONGSTOP_WORDS_BYTES, "no such url");
        return NULL;
    }
    fake.sessions++;
    return &fake;
}

static void
close_fake(void *session)
{
    assert_ptr_equal(session, &fake);
    fake.sessions--;
}

static bool
starts(struct longstop_bytes bytes, const char *text)
{
    return bytes.len >= strlen(text) &&
           memcmp(bytes.at, text, strlen(text)) == 0;
}

static enum longstop_broker
publish_fake(void *session, struct longstop_entry *entries, size_t count,
             int64_t timeout_ms)
{
    assert_ptr_equal(session, &fake);
    fake.sizes[fake.publishes % 64] = count;
    fake.publishes++;
    fake.timeout_ms = timeout_ms;
    fake.largest = count > fake.largest ? count : fake.largest;
    while (fake.holds && !fake.host->should_stop(fake.host->arg)) {
        (void)poll(NULL, 0, 5);
    }
    if (fake.absent) {
        return LONGSTOP_ABSENT;
    }
    for (size_t i = 0; fake.drops && i < count; i++) {
        if (starts(entries[i].key, "large")) {
            for (size_t k = 0; k < count; k++) {
                (void)snprintf(entries[k].words, sizeof(entries[k].words),
                               "the connection was lost");
            }
            return LONGSTOP_LOST;
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct longstop_entry *entry = &entries[i];
        fake.was_replay = entry->is_replay;
        (void)snprintf(fake.last, sizeof(fake.last), "%.*s|%.*s|%.*s|%.*s|%.*s",
                       (int)entry->to.len, entry->to.at, (int)entry->key.len,
                       entry->key.at, (int)entry->type.len, entry->type.at,
                       (int)entry->source.len, entry->source.at,
                       (int)entry->body.len, entry->body.at);
        entry->outcome = starts(entry->key, "dead")    ? LONGSTOP_DEAD
                         : starts(entry->key, "later") ? LONGSTOP_LATER
                         : starts(entry->key, "odd") ? (enum longstop_outcome)77
                                                     : LONGSTOP_DONE;
        if (starts(entry->key, "dead")) {
            memset(entry->words, 'x', sizeof(entry->words)); /* no NUL */
        }
    }
    return LONGSTOP_THERE;
}

static const struct longstop_plugin plugin = {
    .abi = LONGSTOP_PLUGIN_ABI,
    .kind = "fake",
    .describe = describe,
    .open = open_fake,
    .publish = publish_fake,
    .close = close_fake,
};

static struct arena arena;
static struct broker_settings settings;
static struct handler *handler;

static void
compile_to(const char *text)
{
    static const char *const kinds[] = { "type", "connector", "via", "id",
                                         NULL };
    assert_int_equal(template_compile(slice_of(text), TEMPLATE_BARE_LITERAL,
                                      kinds, &arena, &settings.to, NULL),
                     STATUS_OK);
}

static void
make(int64_t timeout_ms)
{
    assert_int_equal(handler_broker_create(handling.loop, &plugin, BROKER_NATS,
                                           &settings, timeout_ms, &handler,
                                           NULL),
                     STATUS_OK);
}

static int
set_up(void **state)
{
    (void)state;
    handling_open();
    memset(&fake, 0, sizeof(fake));
    settings =
        (struct broker_settings){ .batch_max = 256,
                                  .batch_bytes = 1 << 20,
                                  .values = {
                                      [0] = { .text = SLICE("nats://h") },
                                      [2] = { .text = SLICE("") },
                                      [3] = { .text = SLICE("secret") },
                                  } };
    compile_to("events.{connector}.{type}");
    make(30000);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (handler != NULL) {
        handler->ops->destroy(handler);
        handler = NULL;
    }
    assert_int_equal(fake.sessions, 0);
    arena_fini(&arena);
    handling_close();
    return 0;
}

static void
a_delivery_becomes_an_entry(void **state)
{
    (void)state;
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
    assert_false(fake.was_replay);
    assert_string_equal(handling.detail, "acknowledged");
    assert_string_equal(
        fake.last,
        "events.shop.order.paid|shop/evt_1|order.paid|shop|{\"id\":\"evt_1\"}");
    assert_int_equal(fake.timeout_ms, 15000);
}

static void
a_replay_is_told_as_one(void **state)
{
    (void)state;
    handling.delivery.is_replay = true;
    handling_run(handler);
    assert_true(fake.was_replay);
}

static void
a_plugin_is_told_what_was_given_and_no_more(void **state)
{
    (void)state;
    assert_string_equal(fake.settings, "url=nats://h;password=secret;");
}

static void
the_brokers_word_becomes_the_outcome(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        enum disposition disposition;
    } table[] = {
        { "done/1", DISPOSITION_DONE },
        { "later/1", DISPOSITION_LATER },
        { "dead/1", DISPOSITION_NEVER },
        { "odd/1", DISPOSITION_LATER },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        handling.delivery.key = slice_of(table[i].key);
        handling_run(handler);
        assert_int_equal(handling.disposition, table[i].disposition);
        assert_true(handling.detail[0] != '\0');
    }
}

static void
what_waits_goes_as_one_batch(void **state)
{
    (void)state;
    enum { MANY = 300 };
    fake.holds = true;
    handling.wanted = MANY;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(handling_start(handler, NULL), STATUS_OK);
        while (i == 0 && fake.publishes == 0) {
            (void)poll(NULL, 0, 1); /* the first is alone */
        }
    }
    fake.holds = false;
    loop_run(handling.loop);
    assert_int_equal(handling.calls, MANY);
    assert_int_equal(fake.publishes, 3); /* 1, 256, 43 */
    assert_int_equal(fake.largest, 256);
}

/* Starts one whose publishing waits, and behind it as many as are given. */
static void
start_behind_one(size_t count, const char *const *keys)
{
    fake.holds = true;
    handling.wanted = (int)count + 1;
    handling.calls = handling.later = 0;
    int publishes = fake.publishes;
    handling.delivery.key = slice_of("first");
    assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    while (fake.publishes == publishes) {
        (void)poll(NULL, 0, 1);
    }
    for (size_t i = 0; i < count; i++) {
        handling.delivery.key = slice_of(keys[i]);
        assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    }
    fake.holds = false;
    loop_run(handling.loop);
}

static void
a_batch_has_no_more_bytes_than_it_may(void **state)
{
    (void)state;
    static const char *const keys[] = { "a", "b", "c", "d", "e" };
    handler->ops->destroy(handler);
    settings.batch_bytes = (int64_t)handling.delivery.envelope.len * 2 + 1;
    make(30000);
    start_behind_one(5, keys);
    static const size_t sizes[] = { 1, 2, 2, 1 };
    assert_int_equal(fake.publishes, 4);
    assert_memory_equal(fake.sizes, sizes, sizeof(sizes));
    /* One that is longer by itself goes alone. */
    handler->ops->destroy(handler);
    settings.batch_bytes = 1;
    make(30000);
    fake.publishes = 0;
    start_behind_one(2, keys);
    assert_int_equal(fake.publishes, 3);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
}

/* A body that costs the connection takes none of the others with it. */
static void
a_line_that_costs_the_connection_is_found_by_halves(void **state)
{
    (void)state;
    static const char *const keys[] = { "a",     "b", "c", "d",
                                        "large", "e", "f", "g" };
    static const size_t sizes[] = { 1, 8, 4, 4, 2, 1, 1, 2 };
    fake.drops = true;
    start_behind_one(8, keys);
    assert_int_equal(fake.publishes, 8);
    assert_memory_equal(fake.sizes, sizes, sizeof(sizes));
    assert_int_equal(handling.later, 1);
    /* It is whole again soon. */
    fake.drops = false;
    fake.publishes = 0;
    start_behind_one(8, keys);
    assert_int_equal(handling.later, 0);
    static const size_t after[] = { 1, 8 };
    assert_memory_equal(fake.sizes, after, sizeof(after));
}

/* It says that it is lost with each entry that it is given. */
static void
a_broker_that_is_lost_each_time_is_asked_for_each_line_alone(void **state)
{
    (void)state;
    static const char *const keys[] = { "large", "large", "large", "large" };
    fake.drops = true;
    start_behind_one(4, keys);
    assert_int_equal(handling.later, 4);
    assert_true(fake.publishes <= 1 + 8);
    assert_non_null(strstr(handling.detail, "lost"));
}

static void
a_broker_that_is_not_there_is_asked_ever_more_seldom(void **state)
{
    (void)state;
    fake.absent = true;
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_true(handling.duration_ms < 90); /* the first waits for nothing */
    handling_run(handler);
    handling_run(handler);
    assert_true(handling.duration_ms >= 150); /* 200, less what had passed */
    fake.absent = false;
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
    handling_run(handler);
    assert_true(handling.duration_ms < 90);
}

static void
what_waited_too_long_is_given_back_unasked(void **state)
{
    (void)state;
    handler->ops->destroy(handler);
    make(200);
    fake.holds = true;
    handling.wanted = 2;
    assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    while (fake.publishes == 0) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    (void)poll(NULL, 0, 150);
    fake.holds = false;
    loop_run(handling.loop);
    assert_int_equal(handling.calls, 2);
    assert_int_equal(fake.publishes, 1);
    assert_int_equal(handling.disposition, DISPOSITION_LATER);
    assert_non_null(strstr(handling.detail, "not asked in time"));
}

static void
cancel_ends_what_waits_and_nothing_that_comes_after(void **state)
{
    (void)state;
    fake.holds = true;
    fake.absent = true;
    handling.wanted = 2;
    assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    while (fake.publishes == 0) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(handling_start(handler, NULL), STATUS_OK);
    handler->ops->cancel(handler);
    loop_run(handling.loop);
    assert_int_equal(handling.calls, 2);
    assert_int_equal(fake.publishes, 1);
    assert_string_equal(handling.detail, "fake: stopped");

    fake.holds = false;
    fake.absent = false;
    handling.wanted = 1;
    handling_run(handler);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
}

static void
an_event_without_what_the_place_names_is_refused(void **state)
{
    (void)state;
    struct error err = { "" };
    handling.event.type = (struct slice){ NULL, 0 };
    assert_int_equal(handling_start(handler, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "events.{connector}.{type}"));
}

static void
a_refused_setting_is_said_at_the_start(void **state)
{
    (void)state;
    struct error err = { "" };
    struct handler *other = NULL;
    fake.refuses = true;
    assert_int_equal(handler_broker_create(handling.loop, &plugin, BROKER_NATS,
                                           &settings, 1000, &other, &err),
                     STATUS_CONFIG);
    assert_string_equal(err.text, "no such url");
    assert_int_equal(
        handler_broker_check(&plugin, BROKER_NATS, &settings, &err),
        STATUS_CONFIG);
    fake.refuses = false;
    assert_int_equal(
        handler_broker_check(&plugin, BROKER_NATS, &settings, &err), STATUS_OK);
}

static void
memory_that_runs_out_is_told(void **state)
{
    (void)state;
    bool worked = false;
    for (long n = 0; n < 200 && !worked; n++) {
        struct handler *other = NULL;
        handling.calls = 0;
        (void)mem_fail_after(n, 0);
        enum status status =
            handler_broker_create(handling.loop, &plugin, BROKER_NATS,
                                  &settings, 30000, &other, NULL);
        if (status == STATUS_OK) {
            status = handling_start(other, NULL);
        }
        if (status == STATUS_OK) {
            loop_run(handling.loop);
        }
        (void)mem_fail_after(-1, 0);
        if (other != NULL) {
            other->ops->destroy(other);
        }
        worked = status == STATUS_OK;
    }
    assert_true(worked);
    assert_int_equal(handling.disposition, DISPOSITION_DONE);
}

#define BROKER_TEST(name)                                                      \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BROKER_TEST(a_delivery_becomes_an_entry),
        BROKER_TEST(a_replay_is_told_as_one),
        BROKER_TEST(a_plugin_is_told_what_was_given_and_no_more),
        BROKER_TEST(the_brokers_word_becomes_the_outcome),
        BROKER_TEST(what_waits_goes_as_one_batch),
        BROKER_TEST(a_batch_has_no_more_bytes_than_it_may),
        BROKER_TEST(a_line_that_costs_the_connection_is_found_by_halves),
        BROKER_TEST(
            a_broker_that_is_lost_each_time_is_asked_for_each_line_alone),
        BROKER_TEST(a_broker_that_is_not_there_is_asked_ever_more_seldom),
        BROKER_TEST(what_waited_too_long_is_given_back_unasked),
        BROKER_TEST(cancel_ends_what_waits_and_nothing_that_comes_after),
        BROKER_TEST(an_event_without_what_the_place_names_is_refused),
        BROKER_TEST(a_refused_setting_is_said_at_the_start),
        BROKER_TEST(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
