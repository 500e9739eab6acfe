/* SPDX-License-Identifier: MIT */
/*
 * poll_indirect: the file that an answer names, whose rows are the page. It is
 * stored as one page with what the answer says of the cursor: whatever goes
 * wrong with the file leaves the cursor, and the list is asked again, which
 * names the file anew.
 */
#include "model/indirect.h"
#include "source/source_poll_private.h"

static void
fail(struct source_poll *poll, enum status status, const struct error *err)
{
    source_poll_tell_asked(
        poll, &(struct poll_asked){ .status = poll->status,
                                    .why = slice_of(error_text(err, status)) });
    source_poll_fail(poll, status, err);
}

/* Whether the file's answer is nothing but a wish to wait. Another host's
 * limits are not those of the list's. */
static bool
is_limited(struct source_poll *poll, const struct http_reply *reply)
{
    struct quota_advice advice;
    if (!poll->page.file_is_own) {
        return false;
    }
    poll_ask_note(poll, reply);
    return poll_ask_limits(poll, reply, &advice);
}

static void
file_came(void *arg, enum status status, const struct http_reply *reply,
          const struct error *err)
{
    struct source_poll *poll = arg;
    struct error words = { 0 };
    poll->call = NULL;
    if (status != STATUS_OK) {
        words = *err;
        (void)error_wrap(&words, status, "the rows' file");
        fail(poll, status, &words);
    } else if (is_limited(poll, reply)) {
        source_poll_end_limited(poll);
    } else if (reply->status < 200 || reply->status > 299) {
        (void)error_set(&words, STATUS_PROTOCOL, "the rows' file: HTTP %u",
                        reply->status);
        fail(poll, STATUS_PROTOCOL, &words);
    } else {
        status = poll_page_fill(poll, reply, &words);
        if (status == STATUS_OK) {
            poll_ask_rows(poll);
        } else {
            fail(poll, status, &words);
        }
    }
}

void
poll_indirect_ask(struct source_poll *poll)
{
    struct poll_page *page = &poll->page;
    const struct answer_view answer = { .fields = page->answer.fields,
                                        .body = page->page.body };
    struct indirect_file file;
    struct error err = { 0 };
    arena_fini(&poll->detail_arena);
    enum status status =
        indirect_request(poll->settings.connector, poll->url, &answer,
                         &poll->detail_arena, &file, &err);
    if (status == STATUS_NOT_FOUND && err.text[0] == '\0') {
        page->page.ends = true;
        poll_ask_rows(poll);
        return;
    }
    poll->phase = PHASE_FILE;
    if (status == STATUS_OK && !poll_ask_may(poll)) {
        return;
    }
    if (status == STATUS_OK) {
        page->file_is_own = file.is_own;
        page->file_is_foreign = file.is_foreign;
        status = poll_ask_start(poll, &file.request, file_came, &err);
    }
    if (status != STATUS_OK) {
        fail(poll, status, &err);
    }
}
