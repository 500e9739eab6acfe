/* SPDX-License-Identifier: MIT */
/*
 * Plays tests/data/polls.yaml: each provider's list is bound as its connector
 * writes it, and what it asks is compared word for word, over the pages of a
 * walk and into the next one.
 */
#include "harness/bound.h"

#include "base/instant.h"
#include "model/extract.h"
#include "model/request.h"
#include "model/walk.h"
#include "wire/digest.h"

/* 2023-11-14 22:13:20 GMT */
#define NOW_MS INT64_C(1700000000000)

struct play {
    struct bound bound;
    struct arena arena;
    struct walk_plan plan;
    struct walk_state state;
    struct walk_now now;
    const char *name;
    bool walking;
    unsigned wrong;
};

static struct slice
text_at(const struct config_node *node, const char *key)
{
    const struct config_node *child = config_node_child(node, key);
    return child == NULL ? (struct slice){ NULL, 0 } : child->text;
}

/* Where a query stands is clearer when it is not encoded twice over. */
static void
write_request(const struct rendered_request *request, struct buf *into)
{
    buf_append(into, request->method);
    buf_byte(into, ' ');
    buf_append(into, request->url);
    if (request->has_body) {
        buf_byte(into, ' ');
        buf_append(into, request->body);
    }
}

static void
ask(struct play *play, const struct config_node *exchange,
    struct rendered_request *request)
{
    struct error err = { "" };
    struct walk_step step;
    struct buf text = { 0 };
    if (!play->walking) {
        assert_int_equal(walk_begin(&play->plan, &play->state, &play->now,
                                    &play->arena, &step),
                         STATUS_OK);
        play->walking = true;
    }
    if (request_render(&play->bound.connector, &play->state, &play->arena,
                       request, &err) != STATUS_OK) {
        fail_msg("%s: %s", play->name, err.text);
    }
    write_request(request, &text);
    if (!slice_equal(buf_slice(&text), text_at(exchange, "ask"))) {
        print_error("%s: asks\n  %.*s\nand not\n  %.*s\n", play->name,
                    SLICE_ARG(buf_slice(&text)),
                    SLICE_ARG(text_at(exchange, "ask")));
        play->wrong++;
    }
    buf_fini(&text);
}

static struct http_fields
fields_of(struct play *play, const struct config_node *exchange)
{
    const struct config_node *all = config_node_child(exchange, "headers");
    struct http_field *fields = arena_array(&play->arena, 8, sizeof(*fields));
    size_t count = 0;
    char *date = arena_alloc(&play->arena, 32);
    assert_non_null(fields);
    assert_non_null(date);
    const int64_t seconds = (play->now.our_ms - NOW_MS) / INSTANT_SECOND_MS;
    (void)snprintf(date, 32, "Tue, 14 Nov 2023 22:%02d:20 GMT",
                   (int)(13 + seconds / 60));
    fields[count++] = (struct http_field){ SLICE("Date"), slice_of(date) };
    for (const struct config_node *at = all == NULL ? NULL : all->children;
         at != NULL && count < 8; at = at->next) {
        fields[count++] = (struct http_field){ at->key, at->text };
    }
    return (struct http_fields){ fields, count };
}

/* Finds the rows of an answer as source/source_poll does. */
static bool
find_rows(struct play *play, const struct config_node *exchange,
          struct http_fields fields, struct page *page)
{
    const struct connector *connector = &play->bound.connector;
    struct slice file = text_at(exchange, "file");
    struct error err = { "" };
    enum status status = extract_page(connector, text_at(exchange, "answer"),
                                      fields, &play->arena, page, &err);
    if (status == STATUS_OK && file.len > 0) {
        status = extract_file(connector, file, &play->arena, page, &err);
    } else if (connector->poll.indirect.url != NULL) {
        page->ends = true;
    }
    if (status != STATUS_OK) {
        print_error("%s: no page: %s\n", play->name, err.text);
        play->wrong++;
    }
    return status == STATUS_OK;
}

/* Whether the rows say all that an event needs. */
static void
read_rows(struct play *play, const struct page *page)
{
    struct error err = { "" };
    for (size_t i = 0; i < page->row_count; i++) {
        struct row_view view = { .row = page->rows[i],
                                 .body = page->rows[i],
                                 .via = CHANNEL_POLL,
                                 .received_ms = NOW_MS };
        struct sighting sighting;
        if (extract_row(&play->bound.connector, &view, &play->arena, &sighting,
                        &err) != STATUS_OK) {
            print_error("%s: row %zu: %s\n", play->name, i + 1, err.text);
            play->wrong++;
        }
    }
}

static void
answer(struct play *play, const struct config_node *exchange,
       const struct rendered_request *request)
{
    struct page page = { 0 };
    struct walk_step step;
    const bool unchanged = slice_equal_text(text_at(exchange, "status"), "304");
    struct http_fields fields = fields_of(play, exchange);
    bool known[8] = { false };
    if (!unchanged && !find_rows(play, exchange, fields, &page)) {
        return;
    }
    read_rows(play, &page);
    struct walk_answer came = { .url = request->url,
                                .status = unchanged ? 304 : 200,
                                .fields = fields,
                                .page = unchanged ? NULL : &page,
                                .known = known,
                                .our_ms = play->now.our_ms };
    assert_int_equal(
        walk_page(&play->plan, &play->state, &came, &play->arena, &step),
        STATUS_OK);
    if (step.next == WALK_FAILED) {
        print_error("%s: failed: %s\n", play->name, step.why.text);
        play->wrong++;
    }
    if (step.next != WALK_ASK) {
        play->walking = false;
        play->now.our_ms += INSTANT_MINUTE_MS;
        play->now.provider_ms = play->now.our_ms;
    }
}

static unsigned
play_list(const struct config_node *node, const char *name)
{
    struct play play = { .name = name, .now = { NOW_MS, NOW_MS } };
    struct config_binding binding = { .arena = &play.bound.arena,
                                      .report = &play.bound.report };
    const struct connector_env env = { .load_file = NULL };
    play.bound.status = connector_bind(&binding, slice_of("list"), node->mark,
                                       config_node_child(node, "connector"),
                                       config_node_child(node, "entry"), &env,
                                       &play.bound.connector);
    assert_int_equal(play.bound.status, STATUS_OK);
    if (config_report_status(&play.bound.report) != STATUS_OK ||
        play.bound.report.errors > 0 || !play.bound.connector.has_poll) {
        config_report_text(&play.bound.report, false, &play.bound.words);
        print_error("%s: not bound:\n%.*s\n", name,
                    SLICE_ARG(buf_slice(&play.bound.words)));
        bound_fini(&play.bound);
        return 1;
    }
    play.plan = (struct walk_plan){
        .connector = &play.bound.connector,
        .overlap_ms = play.bound.connector.poll.overlap_ms,
        .resumable = true,
    };
    const struct config_node *all = config_node_child(node, "exchanges");
    assert_non_null(all);
    for (const struct config_node *at = all->children; at != NULL;
         at = at->next) {
        struct rendered_request request;
        ask(&play, at, &request);
        answer(&play, at, &request);
    }
    bound_fini(&play.bound);
    arena_fini(&play.arena);
    return play.wrong;
}

static void
every_list_is_asked_as_its_provider_wants_it(void **state)
{
    (void)state;
    struct bound bound;
    struct config_node *root = NULL;
    size_t len = 0;
    unsigned wrong = 0;
    memset(&bound, 0, sizeof(bound));
    char *text = bound_read(TEST_DATA_DIR "/polls.yaml", &bound.arena, &len);
    assert_int_equal(
        bound_tree(&bound, "polls.yaml", (struct slice){ text, len }, &root),
        STATUS_OK);
    assert_int_equal(config_report_status(&bound.report), STATUS_OK);
    for (const struct config_node *at = root->children; at != NULL;
         at = at->next) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%.*s", SLICE_ARG(at->key));
        wrong += play_list(at, name);
    }
    bound_fini(&bound);
    assert_int_equal(wrong, 0);
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
        cmocka_unit_test(every_list_is_asked_as_its_provider_wants_it),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
