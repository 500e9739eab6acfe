/* SPDX-License-Identifier: MIT */
#include "wire/http_request.h"

/* llhttp calls a method by the name that our header has for the head. */
#define HTTP_HEAD LLHTTP_HEAD
#include <llhttp.h>
#undef HTTP_HEAD
#include <string.h>

#include "wire/http_scan.h"

/*
 * The happy path: the scan runs over the bytes until it has seen a whole head,
 * the head moves to the arena in one piece, llhttp reads it there and names the
 * fields. The body goes through llhttp as it comes.
 *
 * What can go wrong: the scan refuses a byte; llhttp refuses the head; the two
 * disagree about where the request ends. llhttp is never given a byte behind
 * that place, so a disagreement shows at once, and is refused: two readings of
 * one request are what smuggling is made of.
 */

enum stage {
    STAGE_HEAD,
    STAGE_LOOK, /* HTTP_HEAD was reported, nothing of the body taken */
    STAGE_BODY,
    STAGE_COMPLETE,
    STAGE_REFUSED
};

struct http_parser {
    llhttp_t llhttp;
    struct http_limits limits;
    struct http_scan scan;
    enum stage stage;
    struct buf head; /* a head that came in pieces, until it is whole */
    struct arena arena;
    struct http_request request;
    struct http_field *fields; /* in the arena, room for every field line */
    size_t field_count;
    size_t body_limit;
    char *body; /* in the arena */
    size_t body_len, body_cap;
    size_t body_held;   /* by the body, the rooms it outgrew included */
    size_t body_shared; /* of that, counted in the share */
    uint64_t body_left; /* of a body with a length */
    bool name_open;     /* the name of the last field is still growing */
    bool head_seen;     /* llhttp has read the head */
    bool end_seen;      /* llhttp has read the whole request */
    bool out_of_memory;
    bool out_of_share;
    unsigned status;
    const char *reason;
};

static void
leave_share(struct http_parser *p)
{
    /* A parser whose request is complete may outlive the share. */
    if (p->body_shared > 0) {
        p->limits.share->used -= p->body_shared;
    }
    p->body_shared = 0;
}

static enum http_progress
refuse(struct http_parser *p, unsigned status, const char *reason)
{
    leave_share(p);
    p->stage = STAGE_REFUSED;
    p->status = status;
    p->reason = reason;
    return HTTP_REFUSED;
}

/* Makes a slice longer; llhttp may report a text in several pieces. */
static void
extend(struct slice *text, const char *at, size_t len)
{
    if (text->ptr == NULL) {
        text->ptr = at;
    }
    text->len += len;
}

static int
on_url(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *p = llhttp->data;
    extend(&p->request.target, at, len);
    return 0;
}

static int
on_method(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *p = llhttp->data;
    extend(&p->request.method, at, len);
    return 0;
}

static int
on_field(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *p = llhttp->data;
    if (!p->name_open) {
        if (p->field_count == p->scan.field_count) {
            return -1; /* more fields than lines */
        }
        p->field_count++;
        p->name_open = true;
    }
    extend(&p->fields[p->field_count - 1].name, at, len);
    return 0;
}

static int
on_field_complete(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    p->name_open = false;
    return 0;
}

static int
on_value(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *p = llhttp->data;
    if (p->field_count == 0) {
        return -1;
    }
    extend(&p->fields[p->field_count - 1].value, at, len);
    return 0;
}

static int
on_head(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    p->head_seen = true;
    p->request.keep_alive = llhttp_should_keep_alive(llhttp) != 0;
    /* No upgrade is offered, so an offer to upgrade changes nothing
     * (RFC 9110 §7.8): the body is a body. */
    llhttp->upgrade = 0;
    return 0;
}

/* Counts `more` bytes of room; false when all bodies together hold too much.
 * Without it, whoever sends long bodies and never ends them could have as much
 * memory as there may be connections. */
static bool
enter_share(struct http_parser *p, size_t more)
{
    struct http_share *share = p->limits.share;
    p->body_held += more;
    if (share == NULL || p->body_held <= HTTP_BODY_OWN_BYTES) {
        return true;
    }
    size_t shared = p->body_held - HTTP_BODY_OWN_BYTES;
    if (share->used >= share->limit ||
        shared - p->body_shared > share->limit - share->used) {
        p->out_of_share = true;
        return false;
    }
    share->used += shared - p->body_shared;
    p->body_shared = shared;
    return true;
}

/* Makes room for `more` bytes of body. */
static bool
reserve_body(struct http_parser *p, size_t more)
{
    if (more <= p->body_cap - p->body_len) {
        return true;
    }
    size_t cap =
        p->body_cap > p->body_limit / 2 ? p->body_limit : p->body_cap * 2;
    /* A short body gets all its room at once; a longer one grows as it
     * arrives, so that a mere promise holds no memory. */
    if (p->request.has_length &&
        (p->request.length <= HTTP_BODY_OWN_BYTES || p->request.length < cap)) {
        cap = (size_t)p->request.length;
    }
    if (cap < p->body_len + more) {
        cap = p->body_len + more; /* at most the limit, see on_body */
    }
    if (!enter_share(p, cap)) {
        return false;
    }
    char *room = arena_alloc(&p->arena, cap);
    if (room == NULL) {
        p->out_of_memory = true;
        return false;
    }
    if (p->body_len > 0) {
        memcpy(room, p->body, p->body_len);
    }
    p->body = room;
    p->body_cap = cap;
    return true;
}

static int
on_body(llhttp_t *llhttp, const char *at, size_t len)
{
    struct http_parser *p = llhttp->data;
    /* The scan has counted these bytes already; this is the second lock. */
    if (len > p->body_limit - p->body_len || !reserve_body(p, len)) {
        return -1;
    }
    memcpy(p->body + p->body_len, at, len);
    p->body_len += len;
    return 0;
}

static int
on_end(llhttp_t *llhttp)
{
    struct http_parser *p = llhttp->data;
    p->end_seen = true;
    return 0;
}

static const llhttp_settings_t callbacks = {
    .on_method = on_method,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_end,
};

/* Hands bytes to llhttp; false when it refuses any. */
static bool
run_llhttp(struct http_parser *p, struct slice bytes)
{
    return bytes.len == 0 ||
           llhttp_execute(&p->llhttp, bytes.ptr, bytes.len) == HPE_OK;
}

/* What a refusal by llhttp means: it may be ours, from a callback. */
static enum http_progress
refuse_by_llhttp(struct http_parser *p)
{
    if (p->out_of_memory) {
        return refuse(p, 503, "out of memory");
    }
    if (p->out_of_share) {
        return refuse(p, 503, "all bodies together over their limit");
    }
    const char *reason = llhttp_get_error_reason(&p->llhttp);
    return refuse(p, 400, reason == NULL ? "the parser refuses it" : reason);
}

/* A name or address with an optional port (RFC 9112 §3.2). */
static bool
host_valid(struct slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        char byte = host.ptr[i];
        bool letter = (byte >= 'a' && byte <= 'z') ||
                      (byte >= 'A' && byte <= 'Z') ||
                      (byte >= '0' && byte <= '9');
        if (!letter && strchr("-._~:[]", byte) == NULL) {
            return false;
        }
    }
    return host.len > 0;
}

static bool
judge_host(struct http_parser *p)
{
    struct slice host = { NULL, 0 };
    size_t count = http_field_count(p->request.fields, "Host");
    if (count == 0 && p->llhttp.http_minor == 0) {
        return true;
    }
    if (count != 1) {
        (void)refuse(p, 400, "not exactly one Host");
        return false;
    }
    (void)http_field_find(p->request.fields, "Host", &host);
    if (!host_valid(host)) {
        (void)refuse(p, 400, "no valid Host");
        return false;
    }
    return true;
}

/* Transfer-Encoding: "chunked" and nothing else. Where chunked comes last the
 * end could be found, the coding is only unknown: 501; else 400 (RFC 9112 §6.1,
 * §6.3). */
static bool
judge_coding(struct http_parser *p, struct slice coding)
{
    struct http_fields fields = p->request.fields;
    if (p->llhttp.http_minor == 0) {
        (void)refuse(p, 400, "Transfer-Encoding in HTTP/1.0");
        return false;
    }
    if (http_field_count(fields, "Transfer-Encoding") != 1 ||
        http_field_count(fields, "Content-Length") != 0) {
        (void)refuse(p, 400, "two ways to say how long the body is");
        return false;
    }
    if (!slice_equal_nocase(coding, slice_of("chunked"))) {
        struct slice last = { "", 0 };
        while (slice_split(&coding, ',', &last)) {
            last = slice_trim(last);
        }
        bool framed = slice_equal_nocase(last, slice_of("chunked"));
        (void)refuse(p, framed ? 501 : 400,
                     "another transfer coding than chunked");
        return false;
    }
    p->request.chunked = true;
    return true;
}

/* Finds how the body is framed; at most one field may say it. */
static bool
judge_length(struct http_parser *p)
{
    struct slice value;
    struct http_fields fields = p->request.fields;
    if (http_field_find(fields, "Transfer-Encoding", &value)) {
        return judge_coding(p, value);
    }
    size_t count = http_field_count(fields, "Content-Length");
    if (count == 0) {
        return true;
    }
    (void)http_field_find(fields, "Content-Length", &value);
    if (count > 1 || slice_to_u64(value, &p->request.length) != STATUS_OK) {
        (void)refuse(p, 400, "not one valid Content-Length");
        return false;
    }
    p->request.has_length = true;
    return true;
}

/* Origin form, or "*" with OPTIONS (RFC 9112 §3.2). CONNECT has neither: it
 * would hand the connection to another protocol. */
static bool
judge_target(struct http_parser *p)
{
    struct http_request *request = &p->request;
    bool star = slice_equal_text(request->target, "*") &&
                slice_equal_text(request->method, "OPTIONS");
    bool tunnel = slice_equal_text(request->method, "CONNECT");
    if (tunnel || (!star && (request->target.len == 0 ||
                             request->target.ptr[0] != '/'))) {
        (void)refuse(p, 400, "a target that is not a path");
        return false;
    }
    size_t mark = slice_find(request->target, '?');
    request->path = slice_first(request->target, mark);
    request->query = slice_from(
        request->target, mark == SIZE_MAX ? request->target.len : mark + 1);
    return true;
}

static enum http_progress
judge_head(struct http_parser *p)
{
    struct slice value;
    for (size_t i = 0; i < p->field_count; i++) {
        p->fields[i].value = slice_trim(p->fields[i].value);
        if (p->fields[i].value.ptr == NULL) {
            p->fields[i].value = (struct slice){ "", 0 };
        }
    }
    p->request.fields =
        (struct http_fields){ .at = p->fields, .count = p->field_count };
    if (p->field_count != p->scan.field_count) {
        return refuse(p, 400, "another number of fields than lines");
    }
    if (!judge_target(p) || !judge_host(p) || !judge_length(p)) {
        return HTTP_REFUSED;
    }
    p->request.expects_continue =
        p->llhttp.http_minor > 0 &&
        http_field_find(p->request.fields, "Expect", &value) &&
        slice_equal_nocase(value, slice_of("100-continue"));
    p->request.body = (struct slice){ "", 0 };
    p->stage = STAGE_LOOK;
    return HTTP_HEAD;
}

/* Reads a whole head that the scan has let pass. */
static enum http_progress
read_head(struct http_parser *p, struct slice head)
{
    struct slice copy;
    p->fields = arena_array(&p->arena, p->scan.field_count, sizeof(*p->fields));
    if (p->fields == NULL || arena_copy(&p->arena, head, &copy) != STATUS_OK) {
        return refuse(p, 503, "out of memory");
    }
    buf_fini(&p->head);
    bool taken = run_llhttp(p, copy);
    /* Our own words are better, where llhttp came as far as the whole head. */
    if (p->head_seen && judge_head(p) == HTTP_REFUSED) {
        return HTTP_REFUSED;
    }
    if (!taken || !p->head_seen) {
        return refuse_by_llhttp(p);
    }
    bool has_body = p->request.chunked || p->request.length > 0;
    if (p->end_seen == has_body) {
        return refuse(p, 400, "two readings of where the request ends");
    }
    return HTTP_HEAD;
}

static enum http_progress
feed_head(struct http_parser *p, struct slice bytes, size_t *ret_used)
{
    enum http_scan_result result = http_scan_head(&p->scan, bytes, ret_used);
    if (result == HTTP_SCAN_REFUSED) {
        return refuse(p, p->scan.status, p->scan.reason);
    }
    struct slice taken = slice_first(bytes, *ret_used);
    if (result == HTTP_SCAN_DONE && p->head.len == 0) {
        return read_head(p, taken);
    }
    buf_append(&p->head, taken);
    if (buf_status(&p->head) != STATUS_OK) {
        return refuse(p, 503, "out of memory");
    }
    return result == HTTP_SCAN_DONE ? read_head(p, buf_slice(&p->head))
                                    : HTTP_MORE;
}

/* The caller has looked at the head: decides whether the body may come. */
static enum http_progress
begin_body(struct http_parser *p)
{
    if (p->request.length > p->body_limit) {
        return refuse(p, 413, "a Content-Length over the limit");
    }
    if (p->request.chunked) {
        http_scan_chunked(&p->scan, p->body_limit);
    }
    p->body_left = p->request.length;
    p->stage = p->end_seen ? STAGE_COMPLETE : STAGE_BODY;
    return HTTP_MORE;
}

static enum http_progress
complete(struct http_parser *p)
{
    leave_share(p);
    if (p->body_len > 0) {
        p->request.body = (struct slice){ p->body, p->body_len };
    }
    p->stage = STAGE_COMPLETE;
    return HTTP_COMPLETE;
}

static enum http_progress
feed_length(struct http_parser *p, struct slice bytes, size_t *ret_used)
{
    struct slice taken = slice_first(
        bytes, p->body_left < bytes.len ? (size_t)p->body_left : bytes.len);
    p->body_left -= taken.len;
    *ret_used = taken.len;
    if (!run_llhttp(p, taken)) {
        return refuse_by_llhttp(p);
    }
    if (p->end_seen != (p->body_left == 0)) {
        return refuse(p, 400, "two readings of where the request ends");
    }
    return p->end_seen ? complete(p) : HTTP_MORE;
}

static enum http_progress
feed_chunks(struct http_parser *p, struct slice bytes, size_t *ret_used)
{
    size_t used = 0;
    enum http_scan_result result = HTTP_SCAN_MORE;
    while (used < bytes.len && result == HTTP_SCAN_MORE) {
        size_t len;
        bool keep;
        result =
            http_scan_chunk(&p->scan, slice_from(bytes, used), &len, &keep);
        if (result == HTTP_SCAN_REFUSED) {
            return refuse(p, p->scan.status, p->scan.reason);
        }
        if (keep && !run_llhttp(p, (struct slice){ bytes.ptr + used, len })) {
            return refuse_by_llhttp(p);
        }
        used += len;
        if (p->end_seen != (result == HTTP_SCAN_DONE)) {
            return refuse(p, 400, "two readings of where the request ends");
        }
    }
    *ret_used = used;
    return p->end_seen ? complete(p) : HTTP_MORE;
}

enum http_progress
http_parser_feed(struct http_parser *parser, struct slice bytes,
                 size_t *ret_used)
{
    *ret_used = 0;
    if (parser->stage == STAGE_HEAD) {
        return feed_head(parser, bytes, ret_used);
    }
    if (parser->stage == STAGE_LOOK && begin_body(parser) == HTTP_REFUSED) {
        return HTTP_REFUSED;
    }
    if (parser->stage == STAGE_BODY) {
        return parser->request.chunked ? feed_chunks(parser, bytes, ret_used)
                                       : feed_length(parser, bytes, ret_used);
    }
    return parser->stage == STAGE_COMPLETE ? HTTP_COMPLETE : HTTP_REFUSED;
}

static void
make_ready(struct http_parser *p)
{
    llhttp_init(&p->llhttp, HTTP_REQUEST, &callbacks);
    p->llhttp.data = p;
    http_scan_init(&p->scan, p->limits.head_bytes, p->limits.field_count);
    p->stage = STAGE_HEAD;
    p->request = (struct http_request){ 0 };
    p->fields = NULL;
    p->field_count = 0;
    p->body_limit = p->limits.body_bytes;
    p->body = NULL;
    p->body_len = 0;
    p->body_cap = 0;
    p->body_held = 0;
    p->body_left = 0;
    p->name_open = false;
    p->head_seen = false;
    p->end_seen = false;
    p->out_of_memory = false;
    p->out_of_share = false;
    p->status = 0;
    p->reason = "";
}

enum status
http_parser_create(const struct http_limits *limits,
                   struct http_parser **ret_parser)
{
    struct http_parser *made = mem_zero(sizeof(*made));
    if (made == NULL) {
        return STATUS_NOMEM;
    }
    made->limits = *limits;
    make_ready(made);
    *ret_parser = made;
    return STATUS_OK;
}

void
http_parser_destroy(struct http_parser *parser)
{
    if (parser == NULL) {
        return;
    }
    leave_share(parser);
    buf_fini(&parser->head);
    arena_fini(&parser->arena);
    mem_free(parser);
}

const struct http_request *
http_parser_request(const struct http_parser *p)
{
    return &p->request;
}

void
http_parser_limit_body(struct http_parser *parser, size_t body_bytes)
{
    parser->body_limit = body_bytes;
}

unsigned
http_parser_status(const struct http_parser *parser)
{
    return parser->status;
}

const char *
http_parser_reason(const struct http_parser *parser)
{
    return parser->reason;
}

enum status
http_parser_take(struct http_parser *parser, struct arena *into,
                 struct http_request *ret_request)
{
    arena_join(into, &parser->arena);
    *ret_request = parser->request;
    return STATUS_OK;
}

void
http_parser_reset(struct http_parser *parser)
{
    leave_share(parser);
    buf_fini(&parser->head);
    arena_fini(&parser->arena);
    make_ready(parser);
}

bool
http_parser_started(const struct http_parser *parser)
{
    return parser->scan.began;
}
