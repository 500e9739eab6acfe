/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "wire/digest.h"

#define HOOK                                                                   \
    "verify: {type: token, from: 'header:X-T'}\nevent: {id: 'json:id'}\n"

/* Whoever can have his own texts signed may sign a webhook. */
static void
an_answer_that_signs_for_anybody_is_warned_of(void **state)
{
    (void)state;
    static const struct {
        const char *shake;
        bool warns;
    } rows[] = {
        { "respond: {body: '{query:crc|hmac:sha256|hex}'}", true },
        { "respond: {body: 'sha256={query:crc|hmac:sha256|base64}'}", true },
        { "respond: {json: {a: b, t: '{query:crc|hmac:sha256|hex}'}}", true },
        { "respond: {headers: {X-T: '{query:crc|hmac:sha256|hex}'}}", true },
        { "respond: {body: '{query:no ?? query:crc|hmac:sha256|hex}'}", true },
        { "pending: true, respond: {body: '{query:crc|hmac:sha256|hex}'}",
          false },
        { "respond: {body: '{query:crc|sha256|hex}'}", false },
        { "respond: {body: '{query:crc}'}", false },
        { "respond: {status: 200}", false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int verified = 0; verified < 2; verified++) {
            char file[512];
            struct bound bound;
            (void)snprintf(file, sizeof(file),
                           HOOK "handshake: {when: {x: 'query:crc', present: "
                                "true}, verify: %s, %s}\n",
                           verified ? "true" : "false", rows[i].shake);
            bound_texts(&bound, file, "with: {webhook_secret: s}", "");
            assert_int_equal(bound.status, STATUS_OK);
            config_report_text(&bound.report, false, &bound.words);
            buf_byte(&bound.words, '\0');
            const bool warned =
                strstr(bound.words.ptr, "anybody can have a text") != NULL;
            if (warned != (rows[i].warns && !verified)) {
                fail_msg("%s: %s", file, bound.words.ptr);
            }
            bound_fini(&bound);
        }
    }
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
        cmocka_unit_test(an_answer_that_signs_for_anybody_is_warned_of),
    };
    return cmocka_run_group_tests_name("model/connector_answers", tests, set_up,
                                       NULL);
}
