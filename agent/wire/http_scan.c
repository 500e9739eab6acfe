/* SPDX-License-Identifier: MIT */
#include "wire/http_scan.h"

#include <string.h>

/* What the next byte belongs to. */
enum state {
    STATE_START,    /* before a request, RFC 9112 §2.2 */
    STATE_START_LF, /* inside the one empty line allowed there */
    STATE_METHOD,
    STATE_TARGET_FIRST,
    STATE_TARGET,
    STATE_VERSION,
    STATE_LINE_LF,
    STATE_FIELD_START,
    STATE_FIELD_NAME,
    STATE_FIELD_VALUE,
    STATE_FIELD_LF,
    STATE_END_LF,
    STATE_DONE,
    STATE_SIZE,
    STATE_EXTENSION,
    STATE_SIZE_LF,
    STATE_CHUNK,
    STATE_CHUNK_CR,
    STATE_CHUNK_LF,
    STATE_COUNT
};

/* Where in a chunk extension (RFC 9112 §7.1.1). Whoever takes a line end in
 * quotes for text, or goes on behind what is none, sees another body. */
enum extension {
    EXTENSION_NAME_START, /* behind the semicolon */
    EXTENSION_NAME,
    EXTENSION_VALUE_START,
    EXTENSION_VALUE,
    EXTENSION_QUOTED,
    EXTENSION_ESCAPED,
    EXTENSION_QUOTE_END,
    EXTENSION_NONE /* no extension goes on like this */
};

/* All extensions of a request together; nobody sends any. */
#define EXTENSION_BYTES_MAX 1024
#define SIZE_DIGITS_MAX     16

/* Returns the next state, or refuses. */
typedef enum state byte_fn(struct http_scan *scan, unsigned char byte);

static enum state
refuse(struct http_scan *scan, unsigned status, const char *reason)
{
    scan->status = status;
    scan->reason = reason;
    return STATE_COUNT;
}

/* Names the line end that came alone or in the wrong place. */
static enum state
refuse_byte(struct http_scan *scan, unsigned char byte, const char *reason)
{
    if (byte == '\n') {
        reason = "a bare LF";
    } else if (byte == '\0') {
        reason = "a NUL byte";
    }
    return refuse(scan, 400, reason);
}

/* RFC 9110 §5.6.2: a bit for each byte, as this is asked of nearly all. */
static bool
is_token(unsigned char byte)
{
    static const uint32_t tokens[8] = {
        0, 0x03ff6cfa, /* ! # $ % & ' * + - . 0-9 */
        0xc7fffffe,    /* A-Z ^ _ */
        0x57ffffff,    /* ` a-z | ~ */
    };
    return (tokens[byte / 32] >> (byte % 32) & 1) != 0;
}

/* No control byte but tab: a field's value or an extension. */
static bool
is_text(unsigned char byte)
{
    return (byte >= 0x20 || byte == '\t') && byte != 0x7f;
}

/* Expects a LF behind a CR. */
static enum state
line_feed(struct http_scan *scan, unsigned char byte, enum state next)
{
    return byte == '\n' ? next : refuse(scan, 400, "a bare CR");
}

static enum state
method_byte(struct http_scan *scan, unsigned char byte)
{
    if (byte == ' ' && scan->method_len > 0) {
        return STATE_TARGET_FIRST;
    }
    if (!is_token(byte)) {
        return refuse_byte(scan, byte, "no method");
    }
    scan->began = true;
    if (scan->method_len < sizeof(scan->method)) {
        scan->method[scan->method_len++] = (char)byte;
    }
    return STATE_METHOD;
}

static enum state
start_byte(struct http_scan *scan, unsigned char byte)
{
    /* One empty line, no more: it is what broken clients send behind a body. */
    if (byte == '\r' && scan->head_used == 1) {
        return STATE_START_LF;
    }
    return method_byte(scan, byte);
}

static enum state
start_lf_byte(struct http_scan *scan, unsigned char byte)
{
    return line_feed(scan, byte, STATE_START);
}

static enum state
target_byte(struct http_scan *scan, unsigned char byte)
{
    if (byte == ' ' && scan->state == STATE_TARGET) {
        return STATE_VERSION;
    }
    if (byte <= 0x20 || byte >= 0x7f || byte == '#') {
        return refuse_byte(scan, byte, "a byte that no target may have");
    }
    return STATE_TARGET;
}

static bool
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* The request line is whole. A version of the future is told apart from
 * nonsense, and before the method: "PRI * HTTP/2.0" is no unknown method. */
static enum state
judge_request_line(struct http_scan *scan)
{
    static const char *const methods[] = { "GET",   "POST",    "PUT",
                                           "HEAD",  "OPTIONS", "DELETE",
                                           "PATCH", "TRACE",   "CONNECT" };
    struct slice version = { scan->version, scan->version_len };
    struct slice method = { scan->method, scan->method_len };
    if (version.len != 8 || memcmp(version.ptr, "HTTP/", 5) != 0 ||
        !is_digit(version.ptr[5]) || version.ptr[6] != '.' ||
        !is_digit(version.ptr[7])) {
        return refuse(scan, 400, "no HTTP version");
    }
    if (!slice_equal_text(version, "HTTP/1.1") &&
        !slice_equal_text(version, "HTTP/1.0")) {
        return refuse(scan, 505, "another version of HTTP");
    }
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (slice_equal_text(method, methods[i])) {
            return STATE_LINE_LF;
        }
    }
    return refuse(scan, 501, "an unknown method");
}

static enum state
version_byte(struct http_scan *scan, unsigned char byte)
{
    if (byte == '\r') {
        return judge_request_line(scan);
    }
    if (byte <= 0x20 || byte >= 0x7f ||
        scan->version_len == sizeof(scan->version)) {
        return refuse_byte(scan, byte, "no HTTP version");
    }
    scan->version[scan->version_len++] = (char)byte;
    return STATE_VERSION;
}

static enum state
line_lf_byte(struct http_scan *scan, unsigned char byte)
{
    return line_feed(scan, byte, STATE_FIELD_START);
}

/* Of a trailer's fields; the head's are read by others. */
static void
keep_name(struct http_scan *scan, unsigned char byte)
{
    if (scan->in_trailer && scan->name_len < sizeof(scan->name)) {
        scan->name[scan->name_len++] = (char)byte;
    }
}

/* A trailer cannot say where the body that it ends has ended: whoever heeds it
 * reads another request (RFC 9110 §6.5.1). */
static enum state
trailer_name_end(struct http_scan *scan)
{
    static const char *const framing[] = { "Content-Length",
                                           "Transfer-Encoding", "Connection",
                                           "Host" };
    const struct slice name = { scan->name, scan->name_len };
    for (size_t i = 0; i < sizeof(framing) / sizeof(framing[0]); i++) {
        if (slice_equal_nocase(name, slice_of(framing[i]))) {
            return refuse(scan, 400, "a trailer field that frames a request");
        }
    }
    return STATE_FIELD_VALUE;
}

static enum state
field_start_byte(struct http_scan *scan, unsigned char byte)
{
    if (byte == '\r') {
        return STATE_END_LF;
    }
    if (byte == ' ' || byte == '\t') {
        return refuse(scan, 400, "a folded field"); /* RFC 9112 §5.2 */
    }
    if (!is_token(byte)) {
        return refuse_byte(scan, byte, "no field name");
    }
    scan->name_len = 0;
    keep_name(scan, byte);
    if (++scan->field_count > scan->field_limit) {
        return refuse(scan, 431, "too many fields");
    }
    return STATE_FIELD_NAME;
}

static enum state
field_name_byte(struct http_scan *scan, unsigned char byte)
{
    if (byte == ':') {
        return scan->in_trailer ? trailer_name_end(scan) : STATE_FIELD_VALUE;
    }
    keep_name(scan, byte);
    if (byte == ' ' || byte == '\t') {
        return refuse(scan, 400, "a blank before the colon"); /* §5.1 */
    }
    return is_token(byte) ? STATE_FIELD_NAME
                          : refuse_byte(scan, byte, "no colon in a field");
}

static enum state
field_value_byte(struct http_scan *scan, unsigned char byte)
{
    if (byte == '\r') {
        return STATE_FIELD_LF;
    }
    return is_text(byte) ? STATE_FIELD_VALUE
                         : refuse_byte(scan, byte, "a control byte in a field");
}

static enum state
field_lf_byte(struct http_scan *scan, unsigned char byte)
{
    return line_feed(scan, byte, STATE_FIELD_START);
}

static enum state
end_lf_byte(struct http_scan *scan, unsigned char byte)
{
    return line_feed(scan, byte, STATE_DONE);
}

/* Returns the value of a hex digit, or -1. */
static int
hex_value(unsigned char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The size is known: what will not fit is refused before it is read. */
static enum state
size_end(struct http_scan *scan, enum state next)
{
    if (scan->size_digits == 0) {
        return refuse(scan, 400, "no chunk size");
    }
    if (scan->chunk_left > scan->body_left) {
        return refuse(scan, 413, "a chunked body over the limit");
    }
    return next;
}

static enum state
size_byte(struct http_scan *scan, unsigned char byte)
{
    int digit = hex_value(byte);
    if (byte == '\r') {
        return size_end(scan, STATE_SIZE_LF);
    }
    if (byte == ';') {
        scan->extension = EXTENSION_NAME_START;
        return size_end(scan, STATE_EXTENSION);
    }
    if (digit < 0) {
        return refuse_byte(scan, byte, "no chunk size");
    }
    if (scan->size_digits == SIZE_DIGITS_MAX) {
        return refuse(scan, 400, "a chunk size too long");
    }
    scan->size_digits++;
    scan->chunk_left = scan->chunk_left << 4 | (unsigned)digit;
    return STATE_SIZE;
}

static enum extension
quoted_next(enum extension at, unsigned char byte)
{
    if (!is_text(byte)) {
        return EXTENSION_NONE;
    }
    if (at == EXTENSION_ESCAPED) {
        return EXTENSION_QUOTED;
    }
    return byte == '"'    ? EXTENSION_QUOTE_END
           : byte == '\\' ? EXTENSION_ESCAPED
                          : EXTENSION_QUOTED;
}

/* Behind a name, a value or quotes. */
static enum extension
plain_next(enum extension at, unsigned char byte)
{
    if (byte == ';') {
        return EXTENSION_NAME_START;
    }
    if (byte == '=' && at == EXTENSION_NAME) {
        return EXTENSION_VALUE_START;
    }
    return is_token(byte) && at != EXTENSION_QUOTE_END ? at : EXTENSION_NONE;
}

static enum extension
extension_next(enum extension at, unsigned char byte)
{
    if (at == EXTENSION_QUOTED || at == EXTENSION_ESCAPED) {
        return quoted_next(at, byte);
    }
    if (at == EXTENSION_VALUE_START && byte == '"') {
        return EXTENSION_QUOTED;
    }
    if (at == EXTENSION_NAME_START || at == EXTENSION_VALUE_START) {
        const enum extension then =
            at == EXTENSION_NAME_START ? EXTENSION_NAME : EXTENSION_VALUE;
        return is_token(byte) ? then : EXTENSION_NONE;
    }
    return plain_next(at, byte);
}

static enum state
extension_byte(struct http_scan *scan, unsigned char byte)
{
    const enum extension at = (enum extension)scan->extension;
    if (byte == '\r' && (at == EXTENSION_NAME || at == EXTENSION_VALUE ||
                         at == EXTENSION_QUOTE_END)) {
        return STATE_SIZE_LF;
    }
    scan->extension = (unsigned char)extension_next(at, byte);
    if (scan->extension == EXTENSION_NONE) {
        return refuse_byte(scan, byte, "no chunk extension");
    }
    if (++scan->extra_used > EXTENSION_BYTES_MAX) {
        return refuse(scan, 400, "chunk extensions over the limit");
    }
    return STATE_EXTENSION;
}

static enum state
size_lf_byte(struct http_scan *scan, unsigned char byte)
{
    if (scan->chunk_left == 0) {
        scan->in_trailer = true;
        return line_feed(scan, byte, STATE_FIELD_START);
    }
    return line_feed(scan, byte, STATE_CHUNK);
}

static enum state
chunk_cr_byte(struct http_scan *scan, unsigned char byte)
{
    return byte == '\r'
               ? STATE_CHUNK_LF
               : refuse_byte(scan, byte, "a chunk longer than its size");
}

static enum state
chunk_lf_byte(struct http_scan *scan, unsigned char byte)
{
    scan->size_digits = 0;
    scan->chunk_left = 0;
    return line_feed(scan, byte, STATE_SIZE);
}

static byte_fn *const byte_fns[STATE_COUNT] = {
    [STATE_START] = start_byte,
    [STATE_START_LF] = start_lf_byte,
    [STATE_METHOD] = method_byte,
    [STATE_TARGET_FIRST] = target_byte,
    [STATE_TARGET] = target_byte,
    [STATE_VERSION] = version_byte,
    [STATE_LINE_LF] = line_lf_byte,
    [STATE_FIELD_START] = field_start_byte,
    [STATE_FIELD_NAME] = field_name_byte,
    [STATE_FIELD_VALUE] = field_value_byte,
    [STATE_FIELD_LF] = field_lf_byte,
    [STATE_END_LF] = end_lf_byte,
    [STATE_SIZE] = size_byte,
    [STATE_EXTENSION] = extension_byte,
    [STATE_SIZE_LF] = size_lf_byte,
    [STATE_CHUNK_CR] = chunk_cr_byte,
    [STATE_CHUNK_LF] = chunk_lf_byte,
};

/* Takes one byte; false when it is refused. */
static bool
step(struct http_scan *scan, char byte)
{
    enum state next = byte_fns[scan->state](scan, (unsigned char)byte);
    if (next == STATE_COUNT) {
        return false;
    }
    scan->state = (unsigned char)next;
    return true;
}

/* Counts a byte of a head or trailer against its limit. */
static bool
count_head(struct http_scan *scan)
{
    if (++scan->head_used <= scan->head_limit) {
        return true;
    }
    if (scan->state < STATE_VERSION) {
        (void)refuse(scan, 414, "a request target over the limit");
    } else {
        (void)refuse(scan, 431, "header fields over the limit");
    }
    return false;
}

/* Passes over bytes that only prolong a name or a value, as step would one by
 * one, but not over the limit. */
static size_t
skip_run(struct http_scan *scan, struct slice bytes)
{
    bytes = slice_first(bytes, scan->head_limit - scan->head_used);
    size_t len = 0;
    if (scan->state == STATE_FIELD_NAME) {
        while (len < bytes.len && is_token((unsigned char)bytes.ptr[len])) {
            len++;
        }
    } else {
        while (len < bytes.len && is_text((unsigned char)bytes.ptr[len])) {
            len++;
        }
    }
    scan->head_used += len;
    return len;
}

void
http_scan_init(struct http_scan *scan, size_t head_limit, size_t field_limit)
{
    *scan = (struct http_scan){ .state = STATE_START,
                                .head_limit = head_limit,
                                .field_limit = field_limit };
}

enum http_scan_result
http_scan_head(struct http_scan *scan, struct slice bytes, size_t *ret_used)
{
    size_t used = 0;
    while (used < bytes.len) {
        if (!count_head(scan) || !step(scan, bytes.ptr[used])) {
            return HTTP_SCAN_REFUSED;
        }
        used++;
        if (scan->state == STATE_DONE) {
            *ret_used = used;
            return HTTP_SCAN_DONE;
        }
        if (scan->state == STATE_FIELD_NAME ||
            scan->state == STATE_FIELD_VALUE) {
            used += skip_run(scan, slice_from(bytes, used));
        }
    }
    *ret_used = used;
    return HTTP_SCAN_MORE;
}

void
http_scan_chunked(struct http_scan *scan, uint64_t limit)
{
    scan->state = STATE_SIZE;
    scan->size_digits = 0;
    scan->chunk_left = 0;
    scan->body_left = limit;
    scan->head_used = 0; /* from here on the trailer's */
    scan->field_count = 0;
}

/* Whether the parser needs the byte that led from `from` to `to`. */
static bool
keeps(enum state from, enum state to)
{
    bool dropped = (from == STATE_SIZE && to == STATE_EXTENSION) ||
                   (from == STATE_EXTENSION && to == STATE_EXTENSION) ||
                   (from == STATE_FIELD_START && to == STATE_FIELD_NAME) ||
                   (from >= STATE_FIELD_NAME && from <= STATE_FIELD_LF);
    return !dropped;
}

enum http_scan_result
http_scan_chunk(struct http_scan *scan, struct slice bytes, size_t *ret_used,
                bool *ret_keep)
{
    size_t used = 0;
    bool keep = true;
    if (scan->state == STATE_CHUNK) {
        used =
            bytes.len < scan->chunk_left ? bytes.len : (size_t)scan->chunk_left;
        scan->chunk_left -= used;
        scan->body_left -= used;
        if (scan->chunk_left == 0) {
            scan->state = STATE_CHUNK_CR;
        }
    }
    while (used < bytes.len && scan->state != STATE_DONE &&
           scan->state != STATE_CHUNK) {
        struct http_scan before = *scan;
        if ((scan->in_trailer && !count_head(scan)) ||
            !step(scan, bytes.ptr[used])) {
            return HTTP_SCAN_REFUSED;
        }
        bool wanted = keeps((enum state)before.state, (enum state)scan->state);
        if (used > 0 && wanted != keep) {
            *scan = before; /* the next run begins with this byte */
            break;
        }
        keep = wanted;
        used++;
    }
    *ret_used = used;
    *ret_keep = keep;
    return scan->state == STATE_DONE ? HTTP_SCAN_DONE : HTTP_SCAN_MORE;
}
