/* SPDX-License-Identifier: MIT */
#include "store/store_pg_link.h"

#include <string.h>

#include "base/mem.h"
#include "io/clock.h"
#include "model/retry.h"
#include "store/store_pg_meaning.h"
#include "store/store_pg_post.h"

/* A connection that lasted so long and was lost is made anew at once. */
#define STEADY_MS 10000

/* Waits between tries to connect. */
static const struct retry_policy waits = { .first_ms = 250, .cap_ms = 10000 };

static struct pg_link *
pg_link_of(struct sql_link *link)
{
    return (struct pg_link *)(void *)link;
}

/* ---- failures ---- */

/* Lets a connection go that is of no use, and says when it may be made anew. */
static void
let_go(struct pg_link *link)
{
    const int64_t now_ms = clock_monotonic_ms();
    if (link->session != NULL) {
        link->database->close(link->session);
        link->session = NULL;
        link->posted = 0;
        pg_post_forget(&link->post);
        if (now_ms - link->connected_ms >= STEADY_MS) {
            link->failures = 0;
            link->not_before_ms = now_ms;
            return;
        }
    }
    link->failures++;
    link->not_before_ms =
        now_ms + retry_wait(&waits, link->failures, &link->prng);
}

/* Returns the status of an answer, with words; lets the connection go where it
 * is lost, and makes the link final where its database is damaged. */
static enum status
conclude(struct pg_link *link, enum longstop_answer answer,
         const struct longstop_failure *failure, struct error *err)
{
    if (answer == LONGSTOP_OK) {
        return STATUS_OK;
    }
    const struct pg_meaning meaning =
        pg_meaning_of(answer, failure->sqlstate, link->link.serving);
    struct error words;
    (void)error_set(&words, meaning.status, "store: %s%s%s%s%s", failure->words,
                    failure->sqlstate[0] == '\0' ? "" : " (", failure->sqlstate,
                    failure->sqlstate[0] == '\0' ? "" : ")", meaning.way_out);
    if (answer == LONGSTOP_GONE || answer == LONGSTOP_UNKNOWN ||
        answer == LONGSTOP_READONLY || link->session == NULL) {
        link->away = words;
        let_go(link);
    }
    if (meaning.status == STATUS_CORRUPT && link->link.failed == STATUS_OK) {
        link->link.failed = meaning.status;
        link->link.failed_words = words;
    }
    return error_set(err, meaning.status, "%s", words.text);
}

/* ---- texts and values ---- */

/* The statement's text with $1 for ?1, made at its first use; NULL for want of
 * memory. */
static const char *
text_of(struct pg_link *link, enum sql which)
{
    if (link->texts[which] == NULL) {
        const char *from = sql_text_of_postgresql(which);
        char *text = mem_alloc(strlen(from) + 1);
        if (text == NULL) {
            return NULL;
        }
        memcpy(text, from, strlen(from) + 1);
        for (char *at = text; *at != '\0'; at++) {
            if (at[0] == '?' && at[1] >= '1' && at[1] <= '9') {
                at[0] = '$';
            }
        }
        link->texts[which] = text;
    }
    return link->texts[which];
}

/* Values belong to the use that is being bound: the next one's first takes the
 * place of what was bound and never run. */
static struct longstop_value *
next_value(struct sql_use *use)
{
    struct pg_link *link = pg_link_of(use->link);
    if (use->bound == 1) {
        link->value_count = 0;
    }
    if ((size_t)use->bound != link->value_count + 1 ||
        link->value_count == PG_VALUES_MAX) {
        use->rc = STATUS_INVALID;
        link->value_count = 0;
    }
    struct longstop_value *value = &link->values[link->value_count++];
    *value = (struct longstop_value){ .type = LONGSTOP_NOTHING };
    return value;
}

static void
bind_number(struct sql_use *use, int64_t number)
{
    struct longstop_value *value = next_value(use);
    value->type = LONGSTOP_NUMBER;
    value->number = number;
}

/* Texts are bytes there: what providers send may be no UTF-8. */
static void
bind_bytes(struct sql_use *use, struct slice bytes, bool is_text)
{
    (void)is_text;
    struct longstop_value *value = next_value(use);
    value->type = LONGSTOP_BYTES;
    value->bytes = (struct longstop_bytes){ bytes.ptr, bytes.len };
}

static void
bind_null(struct sql_use *use)
{
    (void)next_value(use);
}

static void
bind_numbers(struct sql_use *use, const int64_t *numbers, size_t count)
{
    struct longstop_value *value = next_value(use);
    value->type = LONGSTOP_NUMBER;
    value->is_list = true;
    value->count = count;
    value->numbers = numbers;
}

static void
bind_list(struct sql_use *use, const struct slice *bytes, size_t count)
{
    struct longstop_value *value = next_value(use);
    struct longstop_bytes *list =
        arena_alloc(&pg_link_of(use->link)->lists, (count + 1) * sizeof(*list));
    if (list == NULL) {
        use->rc = STATUS_NOMEM;
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        list[i] =
            (struct longstop_bytes){ bytes[i].ptr == NULL ? "" : bytes[i].ptr,
                                     bytes[i].len };
    }
    value->type = LONGSTOP_BYTES;
    value->is_list = true;
    value->count = count;
    value->list = list;
}

/* ---- connecting ---- */

static bool
should_stop(void *arg)
{
    return atomic_load(&((struct pg_link *)arg)->stopping);
}

/* ---- running ---- */

/* The rows of a statement, one after the other. */
struct pg_rows {
    struct longstop_result result;
    size_t next; /* behind the one that is looked at */
};

/* Sends the rows that wait. */
static enum longstop_answer
send_rows(struct pg_link *link, struct longstop_failure *failure)
{
    struct pg_post_batch batch;
    enum longstop_answer answer = LONGSTOP_OK;
    while (answer == LONGSTOP_OK && pg_post_take(&link->post, &batch)) {
        link->posted++;
        answer = link->database->post(link->session, &batch.statement,
                                      batch.values, batch.count, failure);
    }
    pg_post_forget(&link->post);
    return answer;
}

/* Hands the bound values over with a statement, and waits for it where there is
 * a `result`. */
static enum longstop_answer
hand_over(struct pg_link *link, enum sql which, struct longstop_result *result,
          struct longstop_failure *failure)
{
    const struct longstop_statement statement = { which, text_of(link, which) };
    const size_t count = link->value_count;
    *failure = (struct longstop_failure){ .at = 0 };
    link->value_count = 0;
    if (statement.text == NULL) {
        (void)memcpy(failure->words, "out of memory", sizeof("out of memory"));
        return LONGSTOP_RETRY;
    }
    if (result == NULL && link->is_open &&
        pg_post_gather(&link->post, which, statement.text, link->values,
                       count)) {
        return LONGSTOP_OK;
    }
    if (pg_post_must_go(&link->post, which)) {
        const enum longstop_answer answer = send_rows(link, failure);
        if (answer != LONGSTOP_OK) {
            return answer;
        }
    }
    if (result == NULL) {
        link->posted++;
        return link->database->post(link->session, &statement, link->values,
                                    count, failure);
    }
    return link->database->run(link->session, &statement, link->values, count,
                               result, failure);
}

/* Runs a statement without values that brings nothing. */
static enum longstop_answer
run_bare(struct pg_link *link, enum sql which, struct longstop_failure *failure)
{
    struct longstop_result result = { .handle = NULL };
    link->value_count = 0;
    const enum longstop_answer answer =
        hand_over(link, which, &result, failure);
    link->posted = 0;
    if (answer == LONGSTOP_OK) {
        link->database->clear(&result);
    }
    return answer;
}

/* Posts the settings of a session: for a transaction, where connections are
 * lent, or else for as long as it lasts. */
static enum longstop_answer
post_session(struct pg_link *link, bool is_local,
             struct longstop_failure *failure)
{
    link->values[0] =
        (struct longstop_value){ .type = LONGSTOP_NUMBER, .number = is_local };
    link->value_count = 1;
    return hand_over(link, SQL_SESSION, NULL, failure);
}

/* What one statement needs in front of it. */
static enum longstop_answer
lead_in(struct pg_link *link, struct longstop_failure *failure)
{
    return !link->is_open && pg_link_is_pooled(link)
               ? post_session(link, true, failure)
               : LONGSTOP_OK;
}

/* What a failure is to who ran a statement: not that statement's, where it is
 * one that was posted before. */
static enum status
conclude_run(struct pg_link *link, enum longstop_answer answer,
             const struct longstop_failure *failure, struct error *err)
{
    const bool is_others = failure->at < link->posted;
    link->posted = 0;
    const enum status status = conclude(link, answer, failure, err);
    if (is_others && status_disposition(status) == DISPOSITION_NEVER) {
        link->is_careful = true;
        return STATUS_BUSY;
    }
    return status;
}

/* Values that were bound, kept aside: connecting runs statements of its own. */
struct bound {
    struct longstop_value values[PG_VALUES_MAX];
    size_t count;
    struct arena lists;
};

static void
take_bound(struct pg_link *link, const struct sql_use *use, struct bound *bound)
{
    bound->count = use->bound == 0 ? 0 : link->value_count;
    memcpy(bound->values, link->values,
           bound->count * sizeof(bound->values[0]));
    bound->lists = link->lists;
    link->lists = (struct arena){ 0 };
    link->value_count = 0;
}

static enum longstop_answer
try_statement(struct pg_link *link, enum sql which, const struct bound *bound,
              struct longstop_result *result, struct longstop_failure *failure)
{
    const enum longstop_answer answer = lead_in(link, failure);
    if (answer != LONGSTOP_OK) {
        return answer;
    }
    memcpy(link->values, bound->values,
           bound->count * sizeof(bound->values[0]));
    link->value_count = bound->count;
    return hand_over(link, which, result, failure);
}

/* Once more where a connection went while nobody looked: that is nobody's
 * failure. */
static enum status
run_bound(struct pg_link *link, enum sql which, const struct bound *bound,
          struct longstop_result *result, struct error *err)
{
    if (text_of(link, which) == NULL) {
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    for (int tries = 0;; tries++) {
        struct longstop_failure failure = { .at = 0 };
        enum status status =
            link->is_open && link->session == NULL
                ? error_set(err, STATUS_UNAVAILABLE, "%s", link->away.text)
                : pg_link_connect(link, err);
        if (status != STATUS_OK) {
            return status;
        }
        const enum longstop_answer answer =
            try_statement(link, which, bound, result, &failure);
        if (answer == LONGSTOP_OK) {
            link->posted = result == NULL ? link->posted : 0;
            return STATUS_OK;
        }
        status = conclude_run(link, answer, &failure, err);
        if (answer != LONGSTOP_GONE || link->is_open || tries > 0) {
            return status;
        }
    }
}

static enum status
run_statement(struct sql_use *use, struct longstop_result *result,
              struct error *err)
{
    struct pg_link *link = pg_link_of(use->link);
    struct bound bound;
    take_bound(link, use, &bound);
    enum status status =
        use->rc == STATUS_OK
            ? run_bound(link, use->which, &bound, result, err)
            : error_set(err, (enum status)use->rc,
                        "store: a value of statement %d cannot be bound",
                        (int)use->which);
    arena_fini(&bound.lists);
    return status;
}

static enum status
run(struct sql_use *use, struct error *err)
{
    struct pg_link *link = pg_link_of(use->link);
    struct longstop_result result = { .handle = NULL };
    if (link->is_open && !link->is_careful && pg_post_is_posted(use->which)) {
        return run_statement(use, NULL, err);
    }
    enum status status = run_statement(use, &result, err);
    if (status == STATUS_OK) {
        use->changed = result.affected;
        link->database->clear(&result);
    }
    return status;
}

static void
stop(struct sql_use *use)
{
    struct pg_rows *rows = use->rows;
    if (rows != NULL) {
        pg_link_of(use->link)->database->clear(&rows->result);
        mem_free(rows);
        use->rows = NULL;
    }
}

/* The rows of a statement that has run; NULL with a status. */
static struct pg_rows *
begin_rows(struct sql_use *use, enum status *ret_status, struct error *err)
{
    struct pg_rows *rows = mem_zero(sizeof(*rows));
    *ret_status = rows == NULL
                      ? error_set(err, STATUS_NOMEM, "store: out of memory")
                      : run_statement(use, &rows->result, err);
    if (*ret_status != STATUS_OK) {
        mem_free(rows);
        return NULL;
    }
    return rows;
}

static enum status
row(struct sql_use *use, bool *ret_row, struct error *err)
{
    struct pg_rows *rows = use->rows;
    *ret_row = false;
    if (rows == NULL) {
        enum status status;
        rows = begin_rows(use, &status, err);
        if (rows == NULL) {
            return status;
        }
        use->changed = rows->result.affected;
        use->rows = rows;
    }
    *ret_row = rows->next < rows->result.rows;
    if (*ret_row) {
        rows->next++;
    } else {
        stop(use);
    }
    return STATUS_OK;
}

static struct longstop_cell
cell_of(const struct sql_use *use, int column)
{
    const struct pg_rows *rows = use->rows;
    return pg_link_of(use->link)->database->cell(&rows->result, rows->next - 1,
                                                 (size_t)column);
}

static int64_t
number(const struct sql_use *use, int column)
{
    return cell_of(use, column).number;
}

static struct slice
bytes(const struct sql_use *use, int column)
{
    const struct longstop_cell cell = cell_of(use, column);
    return (struct slice){ cell.bytes.at, cell.bytes.len };
}

static bool
is_null(const struct sql_use *use, int column)
{
    return cell_of(use, column).is_null;
}

/* ---- transactions ---- */

/* BEGIN costs no waiting: it goes with the first statement. */
static enum status
begin(struct sql_link *base, bool writes, struct error *err)
{
    struct pg_link *link = pg_link_of(base);
    struct longstop_failure failure = { .at = 0 };
    enum status status = STATUS_OK;
    if (text_of(link, writes ? SQL_BEGIN : SQL_VIEW_BEGIN) == NULL ||
        text_of(link, SQL_COMMIT) == NULL ||
        text_of(link, SQL_ROLLBACK) == NULL) {
        return error_set(err, STATUS_NOMEM, "store: out of memory");
    }
    for (int tries = 0; tries < 2; tries++) {
        status = pg_link_connect(link, err);
        if (status != STATUS_OK) {
            return status;
        }
        link->value_count = 0;
        enum longstop_answer answer = hand_over(
            link, writes ? SQL_BEGIN : SQL_VIEW_BEGIN, NULL, &failure);
        if (answer == LONGSTOP_OK && pg_link_is_pooled(link)) {
            answer = post_session(link, true, &failure);
        }
        if (answer == LONGSTOP_OK) {
            link->is_open = true;
            return STATUS_OK;
        }
        status = conclude_run(link, answer, &failure, err);
    }
    return status;
}

static enum status
commit(struct sql_link *base, struct error *err)
{
    struct pg_link *link = pg_link_of(base);
    struct longstop_failure failure;
    struct longstop_result result = { .handle = NULL };
    if (link->session == NULL) {
        return error_set(err, STATUS_UNAVAILABLE, "%s", link->away.text);
    }
    link->value_count = 0;
    const enum longstop_answer answer =
        hand_over(link, SQL_COMMIT, &result, &failure);
    if (answer != LONGSTOP_OK) {
        return conclude_run(link, answer, &failure, err);
    }
    link->database->clear(&result);
    link->posted = 0;
    link->is_open = false;
    link->is_careful = false;
    return STATUS_OK;
}

/* A statement that was posted and fails keeps a ROLLBACK behind it from being
 * carried out; so a second one. */
static void
rollback(struct sql_link *base)
{
    struct pg_link *link = pg_link_of(base);
    struct longstop_failure failure;
    enum longstop_answer answer = LONGSTOP_FAILED;
    pg_post_forget(&link->post);
    for (int tries = 0; link->is_open && link->session != NULL &&
                        answer != LONGSTOP_OK && tries < 2;
         tries++) {
        answer = run_bare(link, SQL_ROLLBACK, &failure);
    }
    if (link->is_open && link->session != NULL && answer != LONGSTOP_OK) {
        (void)error_set(&link->away, STATUS_UNAVAILABLE, "store: %s",
                        failure.words);
        let_go(link);
    }
    link->is_open = false;
}

static bool
is_open(const struct sql_link *link)
{
    return ((const struct pg_link *)(const void *)link)->is_open;
}

/* ---- the link ---- */

static const struct sql_driver driver = {
    .is_shared = true,
    .bind_number = bind_number,
    .bind_bytes = bind_bytes,
    .bind_null = bind_null,
    .bind_numbers = bind_numbers,
    .bind_list = bind_list,
    .run = run,
    .row = row,
    .stop = stop,
    .number = number,
    .bytes = bytes,
    .is_null = is_null,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .is_open = is_open,
};

void
pg_link_init(struct pg_link *link, const struct longstop_database *database,
             const struct longstop_access *access, uint64_t seed)
{
    *link = (struct pg_link){
        .link = { .driver = &driver },
        .database = database,
        .access = *access,
        .host = { link, should_stop },
        .prng = { seed },
    };
}

void
pg_link_fini(struct pg_link *link)
{
    if (link->session != NULL) {
        link->database->close(link->session);
        link->session = NULL;
    }
    for (size_t i = 0; i < SQL_COUNT; i++) {
        mem_free(link->texts[i]);
        link->texts[i] = NULL;
    }
    arena_fini(&link->lists);
    pg_post_fini(&link->post);
}

void
pg_link_stop(struct pg_link *link)
{
    atomic_store(&link->stopping, true);
}

void
pg_link_go_on(struct pg_link *link)
{
    atomic_store(&link->stopping, false);
}

bool
pg_link_is_pooled(const struct pg_link *link)
{
    return link->session != NULL && link->database->is_pooled(link->session);
}

/* What a new connection begins with. */
static enum status
settle_in(struct pg_link *link, struct error *err)
{
    struct longstop_failure failure = { .at = 0 };
    enum longstop_answer answer = LONGSTOP_OK;
    link->posted = 0;
    if (!pg_link_is_pooled(link)) {
        answer = post_session(link, false, &failure);
        if (answer == LONGSTOP_OK) {
            answer = link->database->flush(link->session, &failure);
        }
    }
    enum status status = conclude_run(link, answer, &failure, err);
    return status == STATUS_OK && link->connected != NULL
               ? link->connected(link->connected_arg, err)
               : status;
}

enum status
pg_link_connect(struct pg_link *link, struct error *err)
{
    struct longstop_failure failure = { .at = 0 };
    if (link->session != NULL) {
        return STATUS_OK;
    }
    if (clock_monotonic_ms() < link->not_before_ms) {
        return error_set(err, STATUS_UNAVAILABLE, "%s", link->away.text);
    }
    enum longstop_answer answer = link->database->open(
        &link->access, &link->host, &link->session, &failure);
    if (answer != LONGSTOP_OK) {
        link->session = NULL;
        return conclude(link, answer, &failure, err);
    }
    link->connected_ms = clock_monotonic_ms();
    struct error words = { "" };
    enum status status = settle_in(link, &words);
    if (status != STATUS_OK && link->session != NULL) {
        link->away = words;
        let_go(link);
    }
    return status == STATUS_OK ? status
                               : error_set(err, status, "%s", words.text);
}

enum status
pg_link_execute(struct pg_link *link, const char *text, int64_t timeout_ms,
                struct error *err)
{
    struct longstop_failure failure = { .at = 0 };
    enum status status = pg_link_connect(link, err);
    return status == STATUS_OK
               ? conclude(link,
                          link->database->execute(link->session, text,
                                                  timeout_ms, &failure),
                          &failure, err)
               : status;
}

enum status
pg_link_wait(struct pg_link *link, int64_t timeout_ms, bool *ret_notified,
             struct error *err)
{
    struct longstop_failure failure = { .at = 0 };
    *ret_notified = false;
    enum status status = pg_link_connect(link, err);
    return status == STATUS_OK
               ? conclude(link,
                          link->database->wait(link->session, timeout_ms,
                                               ret_notified, &failure),
                          &failure, err)
               : status;
}
