/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "base/instant.h"
#include "base/mem.h"
#include "model/registration.h"
#include "wire/digest.h"

#define HEAD                                                                   \
    "verify: {type: hmac, signature: {from: 'header:X-Sig'},"                  \
    " signed: '{body}'}\n"                                                     \
    "event: {id: 'json:id'}\n"                                                 \
    "params: {base: {default: 'https://api.test'}}\n"
#define LIST                                                                   \
    "  list: {url: '{var:base}/hooks', items: 'data[*]', id: id, events: "     \
    "ev, find: {url: '{hook_url}'}, want: {active: true}}\n"
#define CREATE                                                                 \
    "  create: {method: POST, url: '{var:base}/hooks', id: id, json: {url: "   \
    "'{hook_url}', ev: '{events}', key: '{generated}'}}\n"
#define PLAIN                                                                  \
    "  create: {method: POST, url: '{var:base}/hooks', id: id, json: {url: "   \
    "'{hook_url}', ev: '{events}'}}\n"
#define DELETE "  delete: {method: DELETE, url: '{var:base}/hooks/{id}'}\n"
#define UPDATE                                                                 \
    "  update: {method: PUT, url: '{var:base}/hooks/{id}', json: {ev: "        \
    "'{events}', key: '{generated}'}}\n"

#define OURS     HEAD "register:\n" LIST CREATE DELETE
#define ANSWERED HEAD "register:\n  secret: $.secret\n" LIST PLAIN DELETE
#define ASKED                                                                  \
    HEAD "register:\n  secret: {url: '{var:base}/hooks/{id}/secret', from: "   \
         "key}\n" LIST PLAIN DELETE
#define PEOPLE HEAD "register:\n  secret: the app's page\n" LIST PLAIN DELETE

#define HOOK_URL "https://hooks.example.com/hooks/shop"
#define NONE     "{\"data\":[{\"id\":1,\"url\":\"https://else.test\"}]}"
#define THERE                                                                  \
    "{\"data\":[{\"id\":7,\"url\":\"" HOOK_URL                                 \
    "\",\"active\":true,\"ev\":[\"a\",\"b\"]}]}"
#define DISABLED                                                               \
    "{\"data\":[{\"id\":7,\"url\":\"" HOOK_URL                                 \
    "\",\"active\":false,\"ev\":[\"a\",\"b\"]}]}"
#define OTHER_EVENTS                                                           \
    "{\"data\":[{\"id\":7,\"url\":\"" HOOK_URL                                 \
    "\",\"active\":true,\"ev\":[\"a\",\"c\"]}]}"

/* What a provider that keeps to its list would answer. */
static const char created[] = "{\"id\":9,\"secret\":\"s9\",\"key\":\"k9\"}";

enum secret_there { NO_SECRET, KEPT, GIVEN };

struct play {
    struct bound bound;
    struct registration_plan plan;
    struct registration *registration;
    struct arena arena;
    struct buf steps; /* "list keep:registration create …" */
    struct error err;
    enum status status;
};

static const struct slice events[] = { SLICE("a"), SLICE("b") };

static void
begin(struct play *play, const char *file, enum secret_there secret)
{
    *play = (struct play){ 0 };
    bound_texts(&play->bound, file,
                secret == NO_SECRET
                    ? "{with: {api_key: k}, poll: {request: {url: "
                      "'{var:base}/x'}, auth: {type: bearer}, items: '$[*]', "
                      "record: {id: id}}}"
                    : "with: {webhook_secret: known}",
                "https://hooks.example.com");
    if (play->bound.status != STATUS_OK) {
        fail_msg("%s", play->bound.words.ptr);
    }
    for (size_t i = 0; i < play->bound.connector.param_count; i++) {
        struct connector_param *param = &play->bound.connector.params[i];
        param->kept = secret == KEPT && param->secret;
    }
    play->plan = (struct registration_plan){
        .connector = &play->bound.connector,
        .events = events,
        .event_count = 2,
        .now_ms = 1000,
    };
}

/* Carries it out against a provider whose list is `list`. */
static void
run(struct play *play, const char *list)
{
    struct registration_step step;
    play->status = registration_begin(&play->plan, &play->arena,
                                      &play->registration, &play->err);
    while (play->status == STATUS_OK) {
        play->status = registration_next(play->registration, &step, &play->err);
        if (play->status != STATUS_OK || step.what == REGISTRATION_END) {
            break;
        }
        buf_text(&play->steps, play->steps.len == 0 ? "" : " ");
        if (step.what != REGISTRATION_ASK) {
            buf_format(&play->steps, "%s:%.*s",
                       step.what == REGISTRATION_KEEP ? "keep" : "forget",
                       SLICE_ARG(step.name));
            continue;
        }
        buf_text(&play->steps, step.purpose);
        const char *answer = strcmp(step.purpose, "list") == 0 ? list : created;
        const struct registration_reply reply = { .http_status = 200,
                                                  .body = slice_of(answer) };
        play->status =
            registration_answer(play->registration, &reply, &play->err);
    }
}

static void
end(struct play *play)
{
    buf_fini(&play->steps);
    arena_fini(&play->arena);
    bound_fini(&play->bound);
}

static void
what_follows_is_told_by_the_list_and_what_is_kept(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        enum secret_there secret;
        const char *list;
        const char *steps;
        const char *words; /* NULL: it ends well */
    } rows[] = {
        /* none is there */
        { OURS, NO_SECRET, NONE,
          "list keep:webhook_secret keep:registration create "
          "keep:registration",
          NULL },
        { OURS, KEPT, NONE, "list keep:registration create keep:registration",
          NULL },
        { ANSWERED, NO_SECRET, NONE,
          "list keep:registration create keep:webhook_secret "
          "keep:registration",
          NULL },
        { ASKED, NO_SECRET, NONE,
          "list keep:registration create secret keep:webhook_secret "
          "keep:registration",
          NULL },
        { PEOPLE, NO_SECRET, NONE,
          "list keep:registration create keep:registration", NULL },
        /* one is there, as it should be */
        { OURS, KEPT, THERE, "list keep:registration", NULL },
        { OURS, GIVEN, THERE, "list keep:registration", NULL },
        { ANSWERED, KEPT, THERE, "list keep:registration", NULL },
        { ASKED, KEPT, THERE, "list keep:registration", NULL },
        { PEOPLE, NO_SECRET, THERE, "list keep:registration", NULL },
        /* its secret was lost on the way */
        { OURS, NO_SECRET, THERE,
          "list delete keep:webhook_secret keep:registration create "
          "keep:registration",
          NULL },
        { OURS UPDATE, NO_SECRET, THERE,
          "list keep:webhook_secret update keep:registration", NULL },
        { ANSWERED, NO_SECRET, THERE,
          "list delete keep:registration create keep:webhook_secret "
          "keep:registration",
          NULL },
        { ASKED, NO_SECRET, THERE,
          "list secret keep:webhook_secret keep:registration", NULL },
        /* it is not as it should be */
        { OURS UPDATE, KEPT, DISABLED, "list update keep:registration", NULL },
        { OURS UPDATE, KEPT, OTHER_EVENTS, "list update keep:registration",
          NULL },
        { OURS, KEPT, DISABLED,
          "list delete keep:registration create keep:registration", NULL },
        { ANSWERED, KEPT, DISABLED,
          "list delete keep:registration create keep:webhook_secret "
          "keep:registration",
          NULL },
        { ANSWERED, GIVEN, DISABLED, "list", "take that out" },
        { HEAD "register:\n" LIST CREATE, KEPT, DISABLED, "list",
          "delete it at the provider" },
        { OURS, KEPT, "[]", "list", "no hooks at 'data[*]'" },
        { OURS, KEPT, "no JSON", "list", "not JSON" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct play play;
        begin(&play, rows[i].file, rows[i].secret);
        run(&play, rows[i].list);
        const bool right =
            strcmp(buf_slice(&play.steps).ptr, rows[i].steps) == 0 &&
            (rows[i].words == NULL
                 ? play.status == STATUS_OK
                 : play.status != STATUS_OK &&
                       strstr(play.err.text, rows[i].words) != NULL);
        if (!right) {
            fail_msg("row %zu: '%s' and not '%s' (%s)", i,
                     buf_slice(&play.steps).ptr, rows[i].steps, play.err.text);
        }
        end(&play);
    }
}

static void
nothing_is_changed_by_looking_and_all_goes_by_removing(void **state)
{
    (void)state;
    static const struct {
        enum registration_act act;
        const char *file;
        const char *list;
        const char *steps;
    } rows[] = {
        { REGISTRATION_LOOK, OURS, DISABLED, "list" },
        { REGISTRATION_LOOK, HEAD "register:\n" CREATE, "", "" },
        { REGISTRATION_REMOVE, OURS, THERE,
          "list delete forget:registration forget:webhook_secret" },
        { REGISTRATION_REMOVE, OURS, NONE,
          "list forget:registration forget:webhook_secret" },
        { REGISTRATION_RENEW, OURS "  renew: {every: 9d}\n", THERE,
          "list renew keep:registration" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct play play;
        begin(&play, rows[i].file, KEPT);
        play.plan.act = rows[i].act;
        run(&play, rows[i].list);
        assert_string_equal(play.err.text, "");
        assert_string_equal(buf_slice(&play.steps).ptr, rows[i].steps);
        end(&play);
    }
}

#define EACH                                                                   \
    HEAD "register:\n  per_event: true\n  secret: the app's page\n"            \
         "  renew: {every: 4d}\n"                                              \
         "  list: {url: '{var:base}/hooks', items: 'data[*]', id: id, "        \
         "events: ev, find: {url: '{hook_url}'}, want: {active: true}}\n"      \
         "  create: {method: POST, url: '{var:base}/hooks', id: id, json: "    \
         "{url: '{hook_url}', ev: '{event}'}}\n" DELETE

/* One hook of `event` in a list, right or not. */
static void
add_hook(struct buf *list, int id, const char *event, bool is_right)
{
    buf_format(list, "%s{\"id\":%d,\"url\":\"%s\",\"active\":%s,\"ev\":\"%s\"}",
               list->len == 0 ? "{\"data\":[" : ",", id, HOOK_URL,
               is_right ? "true" : "false", event);
}

static void
an_event_that_is_said_twice_has_one_hook(void **state)
{
    (void)state;
    enum { TIMES = 40, HOOKS = 100 };
    struct slice said[TIMES];
    struct buf list = { 0 };
    struct play play;
    for (size_t i = 0; i < TIMES; i++) {
        said[i] = slice_of("a");
    }
    for (int i = 0; i < HOOKS; i++) {
        add_hook(&list, i, "a", false);
    }
    buf_text(&list, "]}");
    begin(&play, EACH, KEPT);
    play.plan.events = said;
    play.plan.event_count = TIMES;
    play.plan.events_are_said = true;
    run(&play, buf_slice(&list).ptr);
    assert_string_equal(play.err.text, "");
    const struct registration_outcome outcome =
        registration_outcome(play.registration);
    assert_int_equal(outcome.deleted, HOOKS);
    assert_int_equal(outcome.created, 1);
    end(&play);
    buf_fini(&list);
}

static void
each_hook_is_renewed_for_its_own_event(void **state)
{
    (void)state;
    static const struct {
        size_t events;
        const char *bodies; /* of what is asked, one a line */
    } rows[] = {
        { 2, "\"ev\":\"b\"\n\"ev\":\"a\"\n" },
        { 0, "\"ev\":\"b\"\n\"ev\":\"a\"\n" },
    };
    struct buf list = { 0 };
    add_hook(&list, 7, "b", true);
    add_hook(&list, 8, "a", true);
    buf_text(&list, "]}");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct play play;
        struct buf bodies = { 0 };
        struct slice note = { NULL, 0 };
        struct registration_step step;
        begin(&play, EACH, KEPT);
        play.plan.act = REGISTRATION_RENEW;
        play.plan.event_count = rows[i].events;
        assert_int_equal(registration_begin(&play.plan, &play.arena,
                                            &play.registration, &play.err),
                         STATUS_OK);
        do {
            assert_int_equal(
                registration_next(play.registration, &step, &play.err),
                STATUS_OK);
            if (step.what == REGISTRATION_KEEP) {
                note = step.text;
            }
            if (step.what != REGISTRATION_ASK) {
                continue;
            }
            const bool lists = strcmp(step.purpose, "list") == 0;
            const size_t at =
                slice_find_slice(step.request.body, slice_of("\"ev\""));
            if (!lists && at != SIZE_MAX) {
                buf_append(&bodies,
                           slice_first(slice_from(step.request.body, at), 8));
                buf_byte(&bodies, '\n');
            }
            const struct registration_reply reply = {
                .http_status = 200,
                .body = lists ? buf_slice(&list) : slice_of(created)
            };
            assert_int_equal(
                registration_answer(play.registration, &reply, &play.err),
                STATUS_OK);
        } while (step.what != REGISTRATION_END);
        assert_string_equal(buf_slice(&bodies).ptr, rows[i].bodies);
        assert_int_not_equal(
            slice_find_slice(note, slice_of("\"hooks\":[{\"id\":\"7\","
                                            "\"event\":\"b\"},{\"id\":\"8\","
                                            "\"event\":\"a\"}]")),
            SIZE_MAX);
        buf_fini(&bodies);
        end(&play);
    }
    buf_fini(&list);
}

static void
what_differs_is_said_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *words;
    } rows[] = {
        { THERE, "" },
        { DISABLED, "'active' is false and should be true" },
        { OTHER_EVENTS, "it is not for b; it is also for c" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct play play;
        begin(&play, OURS, KEPT);
        play.plan.act = REGISTRATION_LOOK;
        run(&play, rows[i].list);
        struct registration_outcome outcome =
            registration_outcome(play.registration);
        assert_int_equal(outcome.hook_count, 1);
        assert_true(slice_equal_text(outcome.hooks[0].differs, rows[i].words));
        end(&play);
    }
}

static void
a_hook_without_a_list_is_known_by_its_note(void **state)
{
    (void)state;
    struct play play;
    begin(&play, HEAD "register:\n" PLAIN DELETE, KEPT);
    play.plan.note = slice_of("{\"url\":\"" HOOK_URL
                              "\",\"at_ms\":5,\"hooks\":[{\"id\":\"x/y\"}]}");
    play.plan.act = REGISTRATION_REMOVE;
    run(&play, "");
    assert_string_equal(buf_slice(&play.steps).ptr,
                        "delete forget:registration forget:webhook_secret");
    end(&play);

    begin(&play, HEAD "register:\n" PLAIN DELETE, KEPT);
    play.plan.act = REGISTRATION_REMOVE;
    run(&play, "");
    assert_int_equal(play.status, STATUS_NOT_FOUND);
    end(&play);
}

static void
an_event_can_be_an_array_a_field_a_member_or_a_hook_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *create;
        const char *body;
    } rows[] = {
        { "json: {ev: '{events}'}", "{\"ev\":[\"a\",\"b\"]}" },
        { "json: {ev: [{name: '{event}', v: 1}], z: 2}",
          "{\"ev\":[{\"name\":\"a\",\"v\":1},{\"name\":\"b\",\"v\":1}],"
          "\"z\":2}" },
        { "json: {'{event}': true, x: 'on {events}'}",
          "{\"a\":true,\"b\":true,\"x\":\"on a,b\"}" },
        { "json: {ev: ['{event}', last]}", "{\"ev\":[\"a\",\"b\",\"last\"]}" },
        { "form: {'ev[]': '{event}', u: '{events}'}",
          "ev%5B%5D=a&ev%5B%5D=b&u=a%2Cb" },
        { "graphql: {query: 'm { x }', variables: {i: {ev: '{events}'}}}",
          "{\"query\":\"m { x }\",\"variables\":{\"i\":{\"ev\":[\"a\",\"b\"]}"
          "}}" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char file[1024];
        (void)snprintf(file, sizeof(file),
                       HEAD "register:\n  create: {method: POST, url: "
                            "'{var:base}/hooks', %s}\n",
                       rows[i].create);
        struct play play;
        struct registration_step step;
        begin(&play, file, KEPT);
        assert_int_equal(registration_begin(&play.plan, &play.arena,
                                            &play.registration, NULL),
                         STATUS_OK);
        do {
            assert_int_equal(registration_next(play.registration, &step, NULL),
                             STATUS_OK);
        } while (step.what == REGISTRATION_KEEP);
        assert_string_equal(step.request.body.ptr, rows[i].body);
        end(&play);
    }
}

static void
what_cannot_be_done_is_said_before_anything_is_asked(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *public_url;
        size_t events;
        enum registration_act act;
        const char *words;
    } rows[] = {
        { OURS, "", 2, REGISTRATION_MAKE, "listen.public_url" },
        { OURS, HOOK_URL, 0, REGISTRATION_MAKE, "--events" },
        { OURS "  https: true\n", "http://h.test/x", 2, REGISTRATION_MAKE,
          "https alone" },
        { OURS "  ports: [443, 8443]\n", "https://h.test:444/x", 2,
          REGISTRATION_MAKE, "444" },
        { OURS, HOOK_URL, 2, REGISTRATION_RENEW, "nothing to renew" },
        { HEAD, HOOK_URL, 2, REGISTRATION_MAKE, "no requests" },
        { HEAD "register: {create: {method: POST, url: "
               "'{var:base}/{var:realm}'}}\n",
          HOOK_URL, 2, REGISTRATION_MAKE, "'realm' missing" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct play play;
        begin(&play, rows[i].file, KEPT);
        play.bound.connector.public_url = slice_of(rows[i].public_url);
        play.plan.event_count = rows[i].events;
        play.plan.act = rows[i].act;
        run(&play, NONE);
        if (play.status == STATUS_OK || play.steps.len > 0 ||
            strstr(play.err.text, rows[i].words) == NULL) {
            fail_msg("%s: %s", rows[i].words, play.err.text);
        }
        end(&play);
    }
}

static void
an_id_of_the_provider_leads_nowhere_else(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        const char *url; /* NULL: refused */
    } rows[] = {
        { "a/b?c", "https://api.test/hooks/a%2Fb%3Fc" },
        { "..", NULL },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct play play;
        struct rendered_request request;
        begin(&play, OURS, KEPT);
        struct register_places places = { .id = slice_of(rows[i].id) };
        enum status status =
            request_register(&play.bound.connector,
                             &play.bound.connector.registration.remove.request,
                             &places, &play.arena, &request, NULL);
        assert_int_equal(status,
                         rows[i].url == NULL ? STATUS_INVALID : STATUS_OK);
        if (rows[i].url != NULL) {
            assert_string_equal(request.url.ptr, rows[i].url);
        }
        end(&play);
    }
}

static void
a_note_that_is_none_says_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "no", "[]", "{}", "{\"at_ms\":\"1\"}", "{\"at_ms\":1e3}",
    };
    struct arena arena = { 0 };
    struct registration_note note;
    struct connector connector = {
        .registration = { .renew_every_ms = 500 },
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(
            registration_note_read(slice_of(texts[i]), &arena, &note),
            STATUS_OK);
        assert_false(note.is_there);
        assert_true(registration_renew_at_ms(&connector, &note) == INT64_MAX);
    }
    assert_int_equal(
        registration_note_read(slice_of("{\"at_ms\":1000}"), &arena, &note),
        STATUS_OK);
    assert_int_equal(registration_renew_at_ms(&connector, &note), 1500);
    note.is_pending = true;
    assert_true(registration_renew_at_ms(&connector, &note) == INT64_MAX);
    arena_fini(&arena);
}

static void
memory_may_run_out_anywhere(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    long n = 0;
    for (; status != STATUS_OK && n < 200; n++) {
        struct play play;
        begin(&play, ANSWERED, NO_SECRET);
        buf_format(&play.steps, "%512d", 0);
        buf_clear(&play.steps);
        (void)mem_fail_after(n, 0);
        run(&play, THERE);
        (void)mem_fail_after(-1, 0);
        status = play.status;
        assert_true(status == STATUS_OK || status == STATUS_NOMEM);
        end(&play);
    }
    assert_true(n > 10 && n < 200);
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
        cmocka_unit_test(what_follows_is_told_by_the_list_and_what_is_kept),
        cmocka_unit_test(
            nothing_is_changed_by_looking_and_all_goes_by_removing),
        cmocka_unit_test(an_event_that_is_said_twice_has_one_hook),
        cmocka_unit_test(each_hook_is_renewed_for_its_own_event),
        cmocka_unit_test(what_differs_is_said_in_words),
        cmocka_unit_test(a_hook_without_a_list_is_known_by_its_note),
        cmocka_unit_test(
            an_event_can_be_an_array_a_field_a_member_or_a_hook_of_its_own),
        cmocka_unit_test(what_cannot_be_done_is_said_before_anything_is_asked),
        cmocka_unit_test(an_id_of_the_provider_leads_nowhere_else),
        cmocka_unit_test(a_note_that_is_none_says_nothing),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests_name("model/registration", tests, set_up,
                                       NULL);
}
