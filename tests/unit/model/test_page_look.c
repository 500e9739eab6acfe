/* SPDX-License-Identifier: MIT */
#include "harness/bound.h"

#include "model/extract.h"
#include "model/page_look.h"
#include "wire/digest.h"

#define LIST(record, rest)                                                     \
    "poll: {request: {url: 'http://x/y'}, items: 'rows[*]', " rest             \
    "record: {id: id, " record "}}\n"

static enum status
look(const char *file, const char *body, struct buf *into)
{
    struct bound bound;
    struct page page;
    struct error err = { "" };
    bound_texts(&bound, file, "{poll: {every: 1m}}", "");
    bound_must(&bound);
    enum status status =
        extract_page(&bound.connector, slice_of(body),
                     (struct http_fields){ 0 }, &bound.arena, &page, &err);
    if (status == STATUS_OK) {
        status = page_look(&bound.connector, &page, into);
    } else if (status != STATUS_NOMEM) {
        buf_text(into, err.text);
    }
    bound_fini(&bound);
    return status;
}

static void
what_rows_do_not_have_is_told_with_what_they_have(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *body;
        const char *lines;
    } rows[] = {
        { LIST("time: at, type: '{kind}', data: d", ""),
          "{'rows':[{'id':1,'at':1,'kind':'x','d':{}}]}", "" },
        { LIST("time: at, type: '{kind}', data: d", ""), "{'rows':[]}", "" },
        { LIST("time: at", ""), "{'rows':[{'id':1},{'id':2,'at':5}]}",
          "poll.record.time: nothing at 'at' in row 1, which is an object with "
          "id\n" },
        { LIST("time: at", ""), "{'rows':[{'at':5},{'id':2},{'id':2,'x':1}]}",
          "poll.record.time: nothing at 'at' in row 2 and 1 more, which is an "
          "object with id\n" },
        { LIST("time: at", ""), "{'rows':[{'at':'soon'}]}",
          "poll.record.time: no time at 'at' in row 1, which is an object with "
          "at\n" },
        { LIST("time: 'at ?? on'", ""), "{'rows':[{'on':7}]}", "" },
        /* A bare word may be a text, braces are a place. */
        { LIST("type: kind", ""), "{'rows':[{'id':1}]}", "" },
        { LIST("type: '{kind}'", ""), "{'rows':[{'id':1}]}",
          "poll.record.type: nothing at '{kind}' in row 1, which is an object "
          "with id\n" },
        { LIST("data: d, body: b", ""), "{'rows':[{'b':{'d':1}}]}", "" },
        { LIST("data: d", ""), "{'rows':[7]}",
          "poll.record.data: nothing at 'd' in row 1, which is a number\n" },
        { LIST("body: b", ""), "{'rows':[{}]}",
          "poll.record.body: nothing at 'b' in row 1, which is an empty "
          "object\n" },
        { LIST("type: x", "cursor: {kind: time, from: at}, "),
          "{'rows':[{'id':1}]}",
          "poll.cursor.from: nothing at 'at' in row 1, which is an object with "
          "id\n" },
        { LIST("type: x", "cursor: {kind: token, from: next}, "),
          "{'rows':[{'id':1}]}", "" },
        /* A page token that is null was meant, one misspelt is told. */
        { LIST("type: x", "pages: {kind: token, from: next}, "),
          "{'rows':[{'id':1}],'next':null}", "" },
        { LIST("type: x", "pages: {kind: token, from: next}, "),
          "{'rows':[{'id':1}],'next':'b'}", "" },
        { LIST("type: x", "pages: {kind: token, from: next}, "), "{'rows':[]}",
          "" },
        { LIST("type: x", "pages: {kind: token, from: next, more: more}, "),
          "{'rows':[{'id':1}],'more':false}", "" },
        { LIST("type: x", "pages: {kind: token, from: next}, "),
          "{'rows':[{'id':1}],'next_page':'b'}",
          "poll.pages.from: nothing at 'next', so this is the last page; the "
          "answer is an object with rows, next_page\n" },
        { LIST("type: x", "pages: {kind: url, from: links.next}, "),
          "{'rows':[{'id':1}],'links':{}}",
          "poll.pages.from: nothing at 'links.next', so this is the last "
          "page; the answer is an object with rows, links\n" },
        { LIST("type: x", ""), "{'row':[{'id':1}],'more':true}",
          "there is no list at 'rows[*]': the answer is an object with row, "
          "more" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf lines = { 0 };
        char body[256];
        (void)snprintf(body, sizeof(body), "%s", rows[i].body);
        for (char *at = body; *at != '\0'; at++) {
            *at = *at == '\'' ? '"' : *at;
        }
        (void)look(rows[i].file, body, &lines);
        const char *got = lines.ptr == NULL ? "" : lines.ptr;
        if (strcmp(got, rows[i].lines) != 0) {
            fail_msg("%s%s\n%s", rows[i].file, body, got);
        }
        buf_fini(&lines);
    }
}

static void
running_out_of_memory_is_told(void **state)
{
    (void)state;
    struct bound bound;
    struct page page;
    bound_texts(&bound, LIST("type: '{kind}', time: '{at}x'", ""),
                "{poll: {every: 1m}}", "");
    bound_must(&bound);
    assert_int_equal(
        extract_page(&bound.connector, slice_of("{\"rows\":[{\"at\":5},{}]}"),
                     (struct http_fields){ 0 }, &bound.arena, &page, NULL),
        STATUS_OK);
    for (long n = 0;; n++) {
        struct buf lines = { 0 };
        (void)mem_fail_after(n, 0);
        const enum status status = page_look(&bound.connector, &page, &lines);
        (void)mem_fail_after(-1, 0);
        buf_fini(&lines);
        if (status == STATUS_OK) {
            assert_true(n > 0);
            break;
        }
        assert_int_equal(status, STATUS_NOMEM);
        assert_true(n < 1000);
    }
    bound_fini(&bound);
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
        cmocka_unit_test(what_rows_do_not_have_is_told_with_what_they_have),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
