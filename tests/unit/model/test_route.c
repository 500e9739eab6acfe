/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "model/route.h"
#include "wire/digest.h"

struct parsed {
    struct arena arena;
    struct config_report report;
    struct route_spec spec;
    enum status status;
};

static const struct config_key keys[] = {
    { .name = "from", .type = CONFIG_CUSTOM, .parse = route_parse_from },
    { .name = "types", .type = CONFIG_CUSTOM, .parse = route_parse_types },
    { .name = "where", .type = CONFIG_CUSTOM, .parse = route_parse_where },
    { .name = "order_by",
      .type = CONFIG_CUSTOM,
      .parse = route_parse_order_by },
};
static const struct config_table table = { .name = "handler",
                                           .keys = keys,
                                           .count = 4,
                                           .size = sizeof(struct route_spec) };

static void
parse(struct parsed *parsed, const char *text)
{
    struct config_source *source;
    struct config_node *root = NULL;
    memset(parsed, 0, sizeof(*parsed));
    parsed->status = STATUS_NOMEM;
    source = arena_array(&parsed->arena, 1, sizeof(*source));
    if (source == NULL) {
        return;
    }
    source->text = slice_of(text);
    struct config_binding binding = { .arena = &parsed->arena,
                                      .report = &parsed->report };
    enum status status = config_yaml_parse(source, NULL, NULL, &parsed->arena,
                                           &parsed->report, &root);
    if (status == STATUS_OK) {
        status = config_bind(&binding, &table, root, &parsed->spec);
    }
    parsed->status =
        status == STATUS_OK ? config_report_status(&parsed->report) : status;
}

static void
parsed_fini(struct parsed *parsed)
{
    route_fini(&parsed->spec);
    config_report_fini(&parsed->report);
    arena_fini(&parsed->arena);
}

static const char envelope[] =
    "{\"id\":\"evt_1\",\"type\":\"order.paid\",\"data\":{\"total\":99.50,"
    "\"big\":9007199254740993,\"customer\":\"c1\",\"note\":null,"
    "\"paid\":true,\"tags\":[\"a\"],\"minus\":-1.5e3}}";

struct made {
    unsigned times;
    enum status status;
};

static enum status
make_envelope(void *arg, struct slice *ret_envelope)
{
    struct made *made = arg;
    made->times++;
    *ret_envelope = slice_of(envelope);
    return made->status;
}

struct asked {
    bool wants;
    bool has_lane;
    int64_t lane;
    unsigned made;
    enum status status;
};

static struct asked
ask_as(const char *text, enum channel via, const char *type,
       const struct connector *connector)
{
    struct parsed parsed;
    struct made made = { 0, STATUS_OK };
    struct sighting sighting = { .via = via, .type = slice_of(type) };
    struct route_input input = { .connector = connector,
                                 .sighting = &sighting,
                                 .make_envelope = make_envelope,
                                 .arg = &made };
    struct asked asked = { .wants = false };
    parse(&parsed, text);
    if (parsed.status != STATUS_OK) {
        fail_msg("%s: %.*s", text, SLICE_ARG(parsed.report.first->message));
    }
    asked.status = route_wants(&parsed.spec, &input, &asked.wants,
                               &asked.has_lane, &asked.lane);
    asked.made = made.times;
    parsed_fini(&parsed);
    return asked;
}

static struct asked
ask(const char *text)
{
    const struct connector connector = { .name = SLICE("shop") };
    return ask_as(text, CHANNEL_WEBHOOK, "order.paid", &connector);
}

static void
connectors_and_types_are_told_by_the_table(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool wants;
    } rows[] = {
        { "{}", true },
        { "from: [shop]", true },
        { "from: shop", true },
        { "from: [other, shop]", true },
        { "from: [other]", false },
        { "from: [sho]", false },
        { "types: [order.paid]", true },
        { "types: order.*", true },
        { "types: ['*']", true },
        { "types: ['*.paid']", true },
        { "types: [order]", false },
        { "types: [invoice.*]", false },
        { "types: ['order.*', '!order.paid']", false },
        { "types: ['!order.paid', 'order.*']", false },
        { "types: ['!order.test']", true },
        { "types: ['!order.*']", false },
        { "types: ['order.*', '!order.test']", true },
        { "{from: [other], types: ['*']}", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct asked asked = ask(rows[i].text);
        if (asked.wants != rows[i].wants || asked.made != 0) {
            fail_msg("%s: wants %d, envelopes %u", rows[i].text, asked.wants,
                     asked.made);
        }
    }
}

static void
a_row_counts_for_every_type_it_may_stand_for(void **state)
{
    (void)state;
    struct slice stands_for[] = { SLICE("order.*"), SLICE("refund.made") };
    struct connector connector = { .name = SLICE("shop") };
    connector.poll.record.stands_for = stands_for;
    connector.poll.record.stands_for_count = 2;
    static const struct {
        const char *text;
        bool row;
        bool hook;
    } rows[] = {
        { "types: [order.paid]", true, false },
        { "types: ['*.paid']", true, false },
        { "types: [refund.made]", true, false },
        { "types: [refund.lost]", false, false },
        { "types: [order.updated]", true, true },
        { "types: ['order.*', '!order.paid']", true, true },
        { "types: ['order.*', '!order.updated']", false, false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (ask_as(rows[i].text, CHANNEL_POLL, "order.updated", &connector)
                    .wants != rows[i].row ||
            ask_as(rows[i].text, CHANNEL_BACKFILL, "order.updated", &connector)
                    .wants != rows[i].row ||
            ask_as(rows[i].text, CHANNEL_WEBHOOK, "order.updated", &connector)
                    .wants != rows[i].hook) {
            fail_msg("%s", rows[i].text);
        }
    }
}

static void
conditions_are_held_against_the_envelope(void **state)
{
    (void)state;
    static const struct {
        const char *where;
        bool wants;
    } rows[] = {
        { "{at: /data/customer, equals: c1}", true },
        { "{at: /data/customer, equals: c2}", false },
        { "{at: /data/customer, not: c2}", true },
        { "{at: /data/missing, not: c2}", true },
        { "{at: /data/missing, equals: c2}", false },
        { "{at: /data/customer, in: [a, c1]}", true },
        { "{at: /data/customer, in: []}", false },
        { "{at: /data/customer, prefix: c}", true },
        { "{at: /data/customer, prefix: d}", false },
        { "{at: /data/customer, regex: '^c[0-9]$'}", true },
        { "{at: /data/customer, regex: '^[0-9]$'}", false },
        { "{at: /data/customer, exists: true}", true },
        { "{at: /data/note, exists: true}", true },
        { "{at: /data/missing, exists: false}", true },
        { "{at: /data/missing, exists: true}", false },
        { "{at: /data/paid, equals: true}", true },
        { "{at: /data/note, equals: null}", true },
        { "{at: /data/tags/0, equals: a}", true },
        { "{at: /data/total, gt: 99.4}", true },
        { "{at: /data/total, gt: 99.5}", false },
        { "{at: /data/total, gte: 99.5}", true },
        { "{at: /data/total, equals: 99.5}", true },
        { "{at: /data/total, lt: 100}", true },
        { "{at: /data/total, lte: 9.95e1}", true },
        { "{at: /data/total, lt: 99.5}", false },
        { "{at: /data/total, gt: 0, lt: 10}", false },
        /* one apart, and the same as doubles */
        { "{at: /data/big, gt: 9007199254740992}", true },
        { "{at: /data/big, equals: 9007199254740992}", false },
        { "{at: /data/minus, lt: -1499.9}", true },
        { "{at: /data/minus, gt: -1501}", true },
        { "{at: /data/minus, lt: 0}", true },
        { "{at: /data/minus, gt: -0.0}", false },
        { "{at: /data/customer, gt: 0}", false },
        { "{at: /type, equals: order.paid}", true },
        { "[{at: /type, equals: order.paid}, {at: /id, equals: x}]", false },
        { "{any: [{at: /id, equals: x}, {at: /id, equals: evt_1}]}", true },
        { "{any: [{at: /id, equals: x}, {at: /id, equals: y}]}", false },
        { "[{none: [{at: /id, equals: x}]}, {at: /id, exists: true}]", true },
        { "{none: [{at: /id, equals: x}, {at: /id, equals: evt_1}]}", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "where: %s", rows[i].where);
        const struct asked asked = ask(text);
        if (asked.wants != rows[i].wants || asked.made != 1) {
            fail_msg("%s: wants %d, envelopes %u", text, asked.wants,
                     asked.made);
        }
    }
}

static void
a_value_is_a_lane_of_its_own(void **state)
{
    (void)state;
    const struct asked customer = ask("order_by: /data/customer");
    const struct asked again = ask("order_by: /data/customer");
    const struct asked other = ask("order_by: /data/total");
    assert_true(customer.wants && customer.has_lane && other.has_lane);
    assert_true(customer.lane == again.lane && customer.lane != other.lane);
    /* Stored: must be what it was in an earlier version. */
    assert_true(customer.lane >= 0);
    assert_false(ask("order_by: /data/missing").has_lane);
    assert_false(ask("order_by: /data/note").has_lane);
    assert_false(ask("{where: {at: /id, equals: x}, order_by: /data/customer}")
                     .has_lane);
    assert_false(ask("{types: [x], order_by: /data/customer}").has_lane);
}

static void
mistakes_are_told_at_their_places(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        { "where: {at: data, equals: 1}", "'at'" },
        { "where: {equals: 1}", "needs 'at'" },
        { "where: {at: /a}", "needs a test" },
        { "where: {at: /a, equal: 1}", "did you mean 'equals'" },
        { "where: {at: /a, regex: '['}", "'regex'" },
        { "where: {at: /a, gt: big}", "must be a number" },
        { "where: {at: /a, exists: maybe}", "true or false" },
        { "where: {at: /a, equals: [1]}", "must be one value" },
        { "where: {any: [{equals: 1}]}", "needs 'at'" },
        { "types: ['']", "'types'" },
        { "types: ['!']", "'types'" },
        { "types: {a: b}", "'types'" },
        { "order_by: data", "'order_by'" },
        { "order_by: ''", "'order_by'" },
        { "from: [[a]]", "'from'" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed parsed;
        parse(&parsed, rows[i].text);
        assert_int_equal(parsed.status, STATUS_CONFIG);
        char text[512];
        (void)snprintf(text, sizeof(text), "%.*s",
                       SLICE_ARG(parsed.report.first->message));
        if (strstr(text, rows[i].says) == NULL) {
            fail_msg("%s: %s", rows[i].text, text);
        }
        assert_int_equal(parsed.report.first->mark.line, 1);
        parsed_fini(&parsed);
    }
}

static void
a_rule_that_reads_below_data_is_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool reads;
    } rows[] = {
        { "{}", false },
        { "where: {at: /type, equals: a}", false },
        { "where: {at: /database, equals: a}", false },
        { "where: {at: /data/a, equals: a}", true },
        { "where: {at: /data, exists: true}", true },
        { "where: {none: [{at: /id, equals: a}, {at: /data/b, equals: a}]}",
          true },
        { "order_by: /data/a", true },
        { "order_by: /database", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed parsed;
        parse(&parsed, rows[i].text);
        if (route_reads_data(&parsed.spec) != rows[i].reads) {
            fail_msg("%s", rows[i].text);
        }
        parsed_fini(&parsed);
    }
}

static void
globs_match_and_meet(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        bool meet;
    } rows[] = {
        { "a", "a", true },         { "a", "b", false },
        { "*", "", true },          { "a*", "ab", true },
        { "a*", "*b", true },       { "a*", "b*", false },
        { "*.a", "*.b", false },    { "a*c", "ab*", true },
        { "a*c", "a*d", false },    { "x*", "xy*z", true },
        { "*a*", "b", false },      { "*a*", "bab", true },
        { "a*b*c", "axbyc", true }, { "a*b*c", "axc", false },
        { "", "", true },           { "", "a", false },
        { "**", "a", true },        { "ab", "a*b*", true },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct slice a = slice_of(rows[i].a);
        const struct slice b = slice_of(rows[i].b);
        if (glob_meet(a, b) != rows[i].meet ||
            glob_meet(b, a) != rows[i].meet) {
            fail_msg("%s %s", rows[i].a, rows[i].b);
        }
    }
    assert_true(glob_match(slice_of("a*"), slice_of("a*")));
    assert_false(glob_match(slice_of("a"), slice_of("a*")));
    assert_false(glob_match(slice_of("a?"), slice_of("ab")));
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    const char *text = "{types: [order.*], where: [{at: /data/customer, "
                       "regex: '^c'}, {any: [{at: /id, in: [a, evt_1]}]}], "
                       "order_by: /data/customer}";
    const struct connector connector = { .name = SLICE("shop") };
    const struct sighting sighting = { .type = SLICE("order.paid") };
    bool whole = false;
    for (long n = 0; !whole && n < 1000; n++) {
        struct parsed parsed;
        struct made made = { 0, STATUS_OK };
        struct route_input input = { .connector = &connector,
                                     .sighting = &sighting,
                                     .make_envelope = make_envelope,
                                     .arg = &made };
        bool wants;
        bool has_lane;
        int64_t lane;
        (void)mem_fail_after(n, 0);
        parse(&parsed, text);
        enum status status = parsed.status;
        if (status == STATUS_OK) {
            status =
                route_wants(&parsed.spec, &input, &wants, &has_lane, &lane);
        }
        (void)mem_fail_after(-1, 0);
        whole = status == STATUS_OK;
        if (whole) {
            assert_true(wants && has_lane);
        } else {
            assert_int_equal(status, STATUS_NOMEM);
        }
        parsed_fini(&parsed);
    }
    assert_true(whole);
}

static int
set_up(void **state)
{
    (void)state;
    return digest_init(NULL) == STATUS_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connectors_and_types_are_told_by_the_table),
        cmocka_unit_test(a_row_counts_for_every_type_it_may_stand_for),
        cmocka_unit_test(conditions_are_held_against_the_envelope),
        cmocka_unit_test(a_value_is_a_lane_of_its_own),
        cmocka_unit_test(mistakes_are_told_at_their_places),
        cmocka_unit_test(a_rule_that_reads_below_data_is_noticed),
        cmocka_unit_test(globs_match_and_meet),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
