/* SPDX-License-Identifier: MIT */
/*
 * Every connector, made weaker in every way that applies to it: some signed
 * request, or some change of one, must come out otherwise. A part of a
 * connector that nothing misses when it is gone would prove nothing.
 */
#include "harness/vectors.h"
#include "harness/weakenings.h"

#include <dirent.h>

#define CASES_MAX   320
#define CHANGES_MAX 96
#define RULES_MAX   8

/* ---- changes of a request ---- */

static struct slice
joined(struct slice one, struct slice other, struct arena *arena)
{
    struct buf both = { 0 };
    struct slice copy;
    buf_append(&both, one);
    buf_append(&both, other);
    assert_int_equal(arena_copy(arena, buf_slice(&both), &copy), STATUS_OK);
    buf_fini(&both);
    return copy;
}

/* Spells the last character that has a case in the other one. */
static struct slice
recased(struct slice text, struct arena *arena)
{
    char *copy = arena_text(arena, text);
    assert_non_null(copy);
    for (size_t i = text.len; i-- > 0;) {
        const char other = (char)(copy[i] ^ 0x20);
        if ((copy[i] >= 'a' && copy[i] <= 'z') ||
            (copy[i] >= 'A' && copy[i] <= 'Z')) {
            copy[i] = other;
            break;
        }
    }
    return (struct slice){ copy, text.len };
}

/* Changes a field of the request: away, longer, in other letters, behind a
 * signature that is wrong. */
static bool
change_field(struct vector *vector, size_t n, struct slice wrong,
             struct arena *arena)
{
    struct http_fields *fields = &vector->request.fields;
    if (n >= 4 * fields->count) {
        return false;
    }
    struct http_field *field = &vector->fields[n / 4];
    switch (n % 4) {
    case 0: *field = vector->fields[--fields->count]; break;
    case 1: field->value = joined(field->value, slice_of("0"), arena); break;
    case 2: field->value = recased(field->value, arena); break;
    default: field->value = joined(wrong, field->value, arena); break;
    }
    return true;
}

/* Members that are put before the others; the first of a name counts. */
static const char *const members[] = {
    "\"Subject\":\"x\",",
    "\"SubscribeURL\":\"x\",",
    "\"SignatureVersion\":\"3\",",
    "\"SignatureVersion\":\"1\",",
    "\"SigningCertURL\":\"https://keys.example/x.pem\",",
};

static void
change_body(struct inbound *request, const char *member, struct arena *arena)
{
    if (slice_starts(request->body, slice_of("{"))) {
        request->body = joined(joined(slice_of("{"), slice_of(member), arena),
                               slice_from(request->body, 1), arena);
    }
}

/* Changes the request in the way number `n`; false when there is none. */
static bool
change(struct vector *vector, size_t n, struct slice wrong, struct arena *arena)
{
    static const int64_t shifts_s[] = { -86400, -301, -61, -6,   6,
                                        61,     300,  301, 86400 };
    const size_t shifts = sizeof(shifts_s) / sizeof(shifts_s[0]);
    const size_t bodies = sizeof(members) / sizeof(members[0]);
    struct inbound *request = &vector->request;
    if (n < shifts) {
        vector->now_ms += shifts_s[n] * 1000;
        return true;
    }
    n -= shifts;
    if (n < bodies) {
        change_body(request, members[n], arena);
        return true;
    }
    n -= bodies;
    switch (n) {
    case 0:
        request->body = joined(request->body, slice_of(" "), arena);
        return true;
    case 1: request->method = slice_of("PUT"); return true;
    case 2: request->query = slice_of("a=b"); return true;
    default: return change_field(vector, n - 3, wrong, arena);
    }
}

/* ---- requests, and what the connector as it is says of them ---- */

enum outcome { REFUSED, GENUINE, ASKS_FOR_KEY, UNCHANGED };

struct trying {
    struct vector vector;
    struct bound bound;
    struct slice wrong; /* a signature to stand before the right one */
    enum outcome strict[CHANGES_MAX];
};

static struct trying cases[CASES_MAX];
static size_t case_count;
static struct arena cases_arena;

/* Judges the request as it came (0), or in the change number n - 1. */
static enum outcome
outcome_of(const struct trying *one, size_t n,
           const struct verify_rule **ret_rule)
{
    struct arena arena = { 0 };
    struct verify_result result;
    struct vector changed = one->vector;
    enum outcome outcome = UNCHANGED;
    changed.request.fields.at = changed.fields;
    if (n == 0 || change(&changed, n - 1, one->wrong, &arena)) {
        vectors_verify(&one->bound.connector, &changed, &arena, &result);
        outcome = result.verdict == VERIFY_GENUINE     ? GENUINE
                  : result.verdict == VERIFY_WANTS_KEY ? ASKS_FOR_KEY
                                                       : REFUSED;
        *ret_rule = result.rule;
    }
    arena_fini(&arena);
    return outcome;
}

/* Puts a wrong signature together, where several may stand. */
static void
spell_wrong(struct trying *one, const struct verify_rule *rule)
{
    struct buf wrong = { 0 };
    if (rule == NULL || rule->split == 0) {
        return;
    }
    if (rule->kv != 0) {
        buf_append(&wrong, rule->name);
        buf_byte(&wrong, rule->kv);
    }
    buf_text(&wrong, "AAAA");
    buf_byte(&wrong, rule->split);
    assert_int_equal(arena_copy(&cases_arena, buf_slice(&wrong), &one->wrong),
                     STATUS_OK);
    buf_fini(&wrong);
}

/* Notes what the connector as it is says of the request and its changes.
 * Whoever changes what is refused shows little. */
static void
note_outcomes(struct trying *one)
{
    const struct verify_rule *rule = NULL;
    const struct verify_rule *ignored;
    size_t n = 1;
    one->strict[0] = outcome_of(one, 0, &rule);
    assert_int_equal(one->strict[0] == GENUINE, one->vector.genuine);
    spell_wrong(one, rule);
    for (; one->vector.genuine && n < CHANGES_MAX; n++) {
        one->strict[n] = outcome_of(one, n, &ignored);
        if (one->strict[n] == UNCHANGED) {
            break;
        }
    }
    assert_true(n < CHANGES_MAX);
    one->strict[n] = UNCHANGED;
}

/* Binds the connector of the request, or of the name, with `to` for `from` in
 * it. */
static struct trying *
add_case(struct slice object, const char *name, const char *from,
         const char *to)
{
    assert_true(case_count < CASES_MAX);
    struct trying *one = &cases[case_count++];
    struct arena arena = { 0 };
    struct slice changed = SLICE("");
    char path[512];
    size_t len = 0;
    vectors_read(object, &one->vector, &cases_arena);
    if (name != NULL) {
        one->vector.spec = slice_of(name);
    }
    (void)snprintf(path, sizeof(path), TEST_CONNECTORS_DIR "/%.*s.yaml",
                   SLICE_ARG(one->vector.spec));
    struct slice rest = slice_of(bound_read(path, &arena, &len));
    for (size_t at; from != NULL && (at = slice_find_slice(
                                         rest, slice_of(from))) != SIZE_MAX;) {
        changed = joined(changed, slice_first(rest, at), &arena);
        changed = joined(changed, slice_of(to), &arena);
        rest = slice_from(rest, at + strlen(from));
    }
    changed = joined(changed, rest, &arena);
    vectors_bind(&one->bound, &one->vector, arena_text(&arena, changed));
    bound_must(&one->bound);
    arena_fini(&arena);
    return one;
}

/* ---- what no provider has published is signed here ---- */

struct signed_row {
    const char *spec;
    enum digest_alg alg;
    enum encoding encoding;
    const char *field;
    const char *prefix; /* before the signature */
    const char *url;
    const char *text; /* that is signed; NULL: the body */
    const char *body;
};

#define URL  "https://hooks.example.com/in/x"
#define PORT "https://hooks.example.com:443/in/x"
#define JSON "{\"a\":1}"
#define HASH                                                                   \
    "?bodySHA256="                                                             \
    "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
#define HUB(ALG, NAME)                                                         \
    {                                                                          \
        "websub", ALG, ENCODING_HEX, "X-Hub-Signature", NAME "=", URL, NULL,   \
            JSON                                                               \
    }
#define TWILIO(QUERY, TEXT, BODY)                                              \
    {                                                                          \
        "twilio", DIGEST_SHA1, ENCODING_BASE64, "X-Twilio-Signature", "",      \
            URL QUERY, TEXT, BODY                                              \
    }

static const struct signed_row signed_rows[] = {
    { "asana", DIGEST_SHA256, ENCODING_HEX, "X-Hook-Signature", "", URL, NULL,
      JSON },
    { "generic_json", DIGEST_SHA256, ENCODING_HEX, "X-Webhook-Signature", "",
      URL, NULL, JSON },
    HUB(DIGEST_SHA512, "sha512"),
    HUB(DIGEST_SHA384, "sha384"),
    HUB(DIGEST_SHA256, "sha256"),
    HUB(DIGEST_SHA1, "sha1"),
    TWILIO(HASH, URL HASH, JSON),
    TWILIO(HASH, PORT HASH, JSON),
    TWILIO("?q=it's", URL "?q=it'sa1", "a=1"),
    TWILIO("?q=it's", PORT "?q=it'sa1", "a=1"),
    TWILIO("?q=it's", URL "?q=it%27sa1", "a=1"),
};

/* Appends the signature under the secret `hush`. */
static void
append_signature(const struct signed_row *row, struct buf *into)
{
    const struct slice text =
        slice_of(row->text == NULL ? row->body : row->text);
    struct digest digest;
    assert_int_equal(digest_hmac(row->alg, slice_of("hush"), &text, 1, &digest),
                     STATUS_OK);
    buf_text(into, row->prefix);
    if (row->encoding == ENCODING_HEX) {
        encode_hex(digest_slice(&digest), into);
    } else {
        encode_base64(digest_slice(&digest), into);
    }
}

static void
append_member(struct buf *into, const char *name, const char *value)
{
    buf_json(into, slice_of(name));
    buf_text(into, ":");
    buf_json(into, slice_of(value));
    buf_text(into, ",");
}

static void
add_signed(const struct signed_row *row)
{
    struct buf object = { 0 };
    struct slice copy;
    buf_text(&object, "{\"now\":1760000000,\"expected\":true,");
    append_member(&object, "spec", row->spec);
    append_member(&object, "method", "POST");
    append_member(&object, "secret", "hush");
    append_member(&object, "url", row->url);
    append_member(&object, "body", row->body);
    buf_text(&object, "\"headers\":{");
    append_member(&object, "Content-Type",
                  row->body[0] == '{' ? "application/json"
                                      : "application/x-www-form-urlencoded");
    buf_json(&object, slice_of(row->field));
    buf_text(&object, ":\"");
    append_signature(row, &object);
    buf_text(&object, "\"}}");
    assert_int_equal(arena_copy(&cases_arena, buf_slice(&object), &copy),
                     STATUS_OK);
    buf_fini(&object);
    note_outcomes(add_case(copy, NULL, NULL, NULL));
}

/* A genuine request about a topic that is not ours. */
static void
add_other_topic(struct slice object)
{
    struct trying *one =
        add_case(object, NULL, "{var:topic_arn}", "{var:topic_arn}2");
    one->vector.genuine = false;
    note_outcomes(one);
}

/* Connectors that are judged by the requests of others too. */
static const struct {
    const char *of;
    const char *also;
} shared[] = {
    { "gitlab_signed", "gitlab" },
    { "gitlab_token", "gitlab" },
    { "hubspot_v3", "hubspot" },
    { "discord", "discord_interactions" },
};

static int
open_cases(void **state)
{
    struct slice object;
    if (vectors_open(state) != 0) {
        return -1;
    }
    for (size_t at = 0; vectors_next(&at, &object);) {
        const struct trying *one = add_case(object, NULL, NULL, NULL);
        const struct slice spec = one->vector.spec;
        note_outcomes(&cases[case_count - 1]);
        if (slice_equal_text(spec, "aws_sns") && one->vector.genuine) {
            add_other_topic(object);
        }
        for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
            if (slice_equal_text(spec, shared[i].of)) {
                note_outcomes(add_case(object, shared[i].also, NULL, NULL));
            }
        }
    }
    for (size_t i = 0; i < sizeof(signed_rows) / sizeof(signed_rows[0]); i++) {
        add_signed(&signed_rows[i]);
    }
    return 0;
}

static int
close_cases(void **state)
{
    for (size_t i = 0; i < case_count; i++) {
        bound_fini(&cases[i].bound);
    }
    arena_fini(&cases_arena);
    return vectors_close(state);
}

/* ---- one weakening of one alternative ---- */

struct weakening {
    const char *spec;
    size_t rule;
    size_t how;
    size_t index;
    bool applies;
    bool noticed;
};

/* Weakens the rule, asks, and puts back what was there. */
static void
try_on(struct weakening *w, const struct trying *one)
{
    struct arena arena = { 0 };
    const struct verify_rule *ignored;
    struct verify_rule *rule = &one->bound.connector.verify[w->rule];
    const struct verify_rule kept = *rule;
    w->applies = weakenings[w->how].weaken(rule, w->index, &arena);
    for (size_t n = 0; w->applies && !w->noticed && n < CHANGES_MAX; n++) {
        if (one->strict[n] == UNCHANGED) {
            break;
        }
        w->noticed = outcome_of(one, n, &ignored) != one->strict[n];
    }
    if (rule->keys != kept.keys) {
        connector_keyring_release(rule);
    }
    if (rule->cert_allow != kept.cert_allow) {
        pattern_free(rule->cert_allow);
    }
    *rule = kept;
    arena_fini(&arena);
}

/* Tries it on all requests of the connector, until one notices. */
static void
try_all(struct weakening *w)
{
    w->applies = false;
    w->noticed = false;
    for (size_t i = 0; i < case_count && !w->noticed; i++) {
        if (slice_equal_text(cases[i].vector.spec, w->spec) &&
            w->rule < cases[i].bound.connector.verify_count) {
            try_on(w, &cases[i]);
            if (!w->applies) {
                return;
            }
        }
    }
}

#define ANY SIZE_MAX

/* What no request can show, and why. */
static struct {
    const char *spec;
    size_t rule;
    const char *how; /* NULL: all */
    const char *why;
    bool met;
} unseen[] = {
    { "aws_sns", 1, "a condition less", "the type is signed", false },
    { "aws_sns", 3, "a condition less", "the type is signed", false },
    { "mailgun", 0, "another way to compare", "a signature within the body",
      false },
    { "websub", 3, "a condition less", "the signature's name says it too",
      false },
    { "mercure", ANY, NULL, "what comes over our stream is not signed", false },
    { "cloudevents", ANY, NULL, "a token has no parts", false },
    { "gitlab_token", ANY, NULL, "a token has no parts", false },
    { "telegram", ANY, NULL, "a token has no parts", false },
    { "basic", ANY, NULL, "a password has no parts", false },
};

static bool
is_unseen(const struct weakening *w)
{
    bool known = false;
    for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++) {
        if (strcmp(unseen[i].spec, w->spec) == 0 &&
            (unseen[i].rule == ANY || unseen[i].rule == w->rule) &&
            (unseen[i].how == NULL ||
             strcmp(unseen[i].how, weakenings[w->how].name) == 0)) {
            unseen[i].met = true;
            known = true;
        }
    }
    return known;
}

/* Returns how many weakenings of one alternative nothing notices. */
static size_t
weaken_rule(struct weakening *w, size_t *tried)
{
    size_t missed = 0;
    for (w->how = 0; w->how < WEAKENINGS; w->how++) {
        w->applies = true;
        for (w->index = 0; w->applies && w->index < 32; w->index++) {
            try_all(w);
            *tried += w->applies;
            if (w->applies && !w->noticed && !is_unseen(w)) {
                print_error("%s, alternative %zu: nothing notices %s, "
                            "number %zu\n",
                            w->spec, w->rule, weakenings[w->how].name,
                            w->index);
                missed++;
            }
        }
    }
    return missed;
}

/* Whether a file of connectors/ says on its own how to verify. */
static bool
verifies(const char *name)
{
    struct arena arena = { 0 };
    char path[512];
    size_t len = 0;
    (void)snprintf(path, sizeof(path), TEST_CONNECTORS_DIR "/%s", name);
    const size_t end = strlen(name);
    const bool is = end > 5 && strcmp(name + end - 5, ".yaml") == 0 &&
                    strstr(bound_read(path, &arena, &len), "\nverify:") != NULL;
    arena_fini(&arena);
    return is;
}

static size_t
weaken_connector(const char *name, size_t *tried)
{
    size_t missed = 0;
    const size_t before = *tried;
    struct weakening w = { .spec = name };
    for (w.rule = 0; w.rule < RULES_MAX; w.rule++) {
        missed += weaken_rule(&w, tried);
    }
    w.rule = ANY;
    w.how = 0;
    if (*tried == before && !is_unseen(&w)) {
        print_error("%s: nothing weakens it\n", name);
        missed++;
    }
    return missed;
}

static void
no_part_of_a_connector_can_go_unnoticed(void **state)
{
    (void)state;
    size_t missed = 0;
    size_t tried = 0;
    DIR *files = opendir(TEST_CONNECTORS_DIR);
    assert_non_null(files);
    for (const struct dirent *file; (file = readdir(files)) != NULL;) {
        char name[256];
        if (verifies(file->d_name)) {
            (void)snprintf(name, sizeof(name), "%.*s",
                           (int)strlen(file->d_name) - 5, file->d_name);
            missed += weaken_connector(name, &tried);
        }
    }
    assert_int_equal(closedir(files), 0);
    print_message("%zu weakenings\n", tried);
    for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++) {
        if (!unseen[i].met) {
            print_error("%s: %s: is noticed by now\n", unseen[i].spec,
                        unseen[i].why);
            missed++;
        }
    }
    assert_int_equal(missed, 0);
    assert_true(tried > 250);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_part_of_a_connector_can_go_unnoticed),
    };
    return cmocka_run_group_tests(tests, open_cases, close_cases);
}
