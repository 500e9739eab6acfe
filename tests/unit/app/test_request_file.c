/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "app/request_file.h"
#include "base/mem.h"
#include "flow/intake.h"
#include "model/connector.h"
#include "wire/gzip.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct connector anyone;

static struct arrival *
make(void)
{
    struct arrival *arrival;
    assert_int_equal(
        arrival_create(&anyone, ARRIVAL_REQUEST, CHANNEL_WEBHOOK, 0, &arrival),
        STATUS_OK);
    return arrival;
}

static void
the_body_is_what_the_length_or_the_file_says(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *body;
    } rows[] = {
        { "POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
          "abc" },
        { "POST /h HTTP/1.1\nHost: a\nContent-Length: 3\n\nabc", "abc" },
        { "POST /h HTTP/1.1\nContent-Length: 3\n\nabc", "abc" },
        /* what an editor put behind the body */
        { "POST /h HTTP/1.1\nContent-Length: 3\n\nabc\n", "abc" },
        { "POST /h HTTP/1.1\nHost: a\n\nabc\n", "abc\n" },
        { "POST /h HTTP/1.1\nHost: a\n\na\r\n\r\nb", "a\r\n\r\nb" },
        { "POST /h HTTP/1.1\nHost: a\n\n", "" },
        { "POST /h HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n"
          "3\r\nabc\r\n0\r\n\r\n",
          "abc" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arrival *arrival = make();
        struct error err = { 0 };
        enum status status =
            request_file_parse(slice_of(rows[i].text), arrival, &err);
        if (status != STATUS_OK ||
            !slice_equal_text(arrival->request.body, rows[i].body)) {
            fail_msg("%s\n%s", rows[i].text, err.text);
        }
        assert_true(slice_equal_text(arrival->request.method, "POST"));
        assert_true(slice_equal_text(arrival->request.path_query, "/h"));
        arrival_destroy(arrival);
    }
}

static void
what_is_no_request_is_refused_with_words(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
        { "", "no HTTP request" },
        { "hello", "no empty line ends the head" },
        { "POST /h HTTP/1.1\nHost: a\nContent-Length: x\n\n",
          "Content-Length is no number" },
        { "POST /h HTTP/1.1\nHost: a\nContent-Length: 9\n\nabc",
          "cut short: Content-Length says 9 bytes, 3 are there" },
        { "POST /h HTTP/1.1\nHost : a\n\nabc", "no HTTP request" },
        { "POST /h HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n3\r\nab",
          "it is cut short" },
        { "POST /h HTTP/1.1\nHost: a\nContent-Encoding: gzip\n\nabc",
          "not what its Content-Encoding says" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arrival *arrival = make();
        struct error err = { 0 };
        enum status status =
            request_file_parse(slice_of(rows[i].text), arrival, &err);
        if (status == STATUS_OK || strstr(err.text, rows[i].why) == NULL) {
            fail_msg("%s\n%s", rows[i].text, err.text);
        }
        arrival_destroy(arrival);
    }
}

static void
a_packed_body_is_read_plain_and_kept_packed(void **state)
{
    (void)state;
    struct buf packed = { 0 };
    struct buf text = { 0 };
    assert_int_equal(gzip_deflate(slice_of("{\"x\":1}"), &packed), STATUS_OK);
    buf_append(&text, slice_of("POST /h HTTP/1.1\nHost: a\n"
                               "Content-Encoding: gzip\n\n"));
    buf_append(&text, buf_slice(&packed));
    struct arrival *arrival = make();
    assert_int_equal(request_file_parse(buf_slice(&text), arrival, NULL),
                     STATUS_OK);
    assert_true(slice_equal_text(arrival->request.body, "{\"x\":1}"));
    assert_true(slice_equal(arrival->coded_body, buf_slice(&packed)));
    arrival_destroy(arrival);
    buf_fini(&text);
    buf_fini(&packed);
}

static void
running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    enum status status = STATUS_NOMEM;
    for (long n = 0; status != STATUS_OK; n++) {
        assert_true(n < 10000);
        struct arrival *arrival = make();
        (void)mem_fail_after(n, 0);
        status = request_file_parse(
            slice_of("POST /h HTTP/1.1\nHost: a\nX-A: b\n\nabc"), arrival,
            NULL);
        (void)mem_fail_after(-1, 0);
        arrival_destroy(arrival);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_body_is_what_the_length_or_the_file_says),
        cmocka_unit_test(what_is_no_request_is_refused_with_words),
        cmocka_unit_test(a_packed_body_is_read_plain_and_kept_packed),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
