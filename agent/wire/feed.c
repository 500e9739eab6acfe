/* SPDX-License-Identifier: MIT */
#include "wire/feed.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "wire/charset.h"
#include "wire/digest.h"
#include "wire/encode.h"
#include "wire/url.h"

/* Between the namespace and the name of an element, as expat writes it. */
#define BETWEEN '\n'

enum space {
    SPACE_RSS, /* none at all, RSS 0.90 and RSS 1.0 */
    SPACE_ATOM,
    SPACE_DC,
    SPACE_TERMS,
    SPACE_CONTENT,
    SPACE_SY,
    SPACE_RDF,
    SPACE_XML,
    SPACE_OTHER
};

static const struct {
    struct slice uri;
    enum space space;
} spaces[] = {
    { SLICE(""), SPACE_RSS },
    { SLICE("http://purl.org/rss/1.0/"), SPACE_RSS },
    { SLICE("http://my.netscape.com/rdf/simple/0.9/"), SPACE_RSS },
    { SLICE("http://channel.netscape.com/rdf/simple/0.9/"), SPACE_RSS },
    { SLICE("http://backend.userland.com/rss2"), SPACE_RSS },
    { SLICE("http://www.w3.org/2005/Atom"), SPACE_ATOM },
    { SLICE("http://purl.org/atom/ns#"), SPACE_ATOM },
    { SLICE("http://purl.org/dc/elements/1.1/"), SPACE_DC },
    { SLICE("http://purl.org/dc/terms/"), SPACE_TERMS },
    { SLICE("http://purl.org/rss/1.0/modules/content/"), SPACE_CONTENT },
    { SLICE("http://purl.org/rss/1.0/modules/syndication/"), SPACE_SY },
    { SLICE("http://www.w3.org/1999/02/22-rdf-syntax-ns#"), SPACE_RDF },
    { SLICE("http://www.w3.org/XML/1998/namespace"), SPACE_XML },
};

/* What is gathered, of the feed and of the entry that is being read. */
enum field {
    ITEM_ID,
    ITEM_GUID,
    ITEM_LINK,
    ITEM_TITLE,
    ITEM_UPDATED,
    ITEM_PUBLISHED,
    ITEM_SUMMARY,
    ITEM_CONTENT,
    ITEM_AUTHOR,
    ITEM_CATEGORY, /* may come several times */
    ITEM_END,
    FEED_ID = ITEM_END,
    FEED_TITLE,
    FEED_LINK,
    FEED_SELF,
    FEED_HUB,
    FEED_UPDATED,
    FEED_TTL,
    FEED_PERIOD,
    FEED_FREQUENCY,
    FIELD_END,
    FIELD_NONE = FIELD_END
};

static const char *const field_names[FIELD_END] = {
    [ITEM_ID] = "id",
    [ITEM_GUID] = "guid",
    [ITEM_LINK] = "link",
    [ITEM_TITLE] = "title",
    [ITEM_UPDATED] = "updated",
    [ITEM_PUBLISHED] = "published",
    [ITEM_SUMMARY] = "summary",
    [ITEM_CONTENT] = "content",
    [ITEM_AUTHOR] = "author",
    [ITEM_CATEGORY] = "categories",
    [FEED_ID] = "id",
    [FEED_TITLE] = "title",
    [FEED_LINK] = "link",
    [FEED_SELF] = "self",
    [FEED_HUB] = "hub",
    [FEED_UPDATED] = "updated",
    [FEED_TTL] = "ttl",
    [FEED_PERIOD] = "updatePeriod",
    [FEED_FREQUENCY] = "updateFrequency",
};

/* Elements whose text is a field: of an entry, of the feed. */
static const struct {
    enum space space;
    struct slice name;
    enum field of_item;
    enum field of_feed;
} elements[] = {
    { SPACE_ATOM, SLICE("id"), ITEM_ID, FEED_ID },
    { SPACE_RSS, SLICE("guid"), ITEM_GUID, FIELD_NONE },
    { SPACE_RSS, SLICE("link"), ITEM_LINK, FEED_LINK },
    { SPACE_RSS, SLICE("title"), ITEM_TITLE, FEED_TITLE },
    { SPACE_ATOM, SLICE("title"), ITEM_TITLE, FEED_TITLE },
    { SPACE_DC, SLICE("title"), ITEM_TITLE, FEED_TITLE },
    { SPACE_ATOM, SLICE("updated"), ITEM_UPDATED, FEED_UPDATED },
    { SPACE_ATOM, SLICE("modified"), ITEM_UPDATED, FEED_UPDATED },
    { SPACE_TERMS, SLICE("modified"), ITEM_UPDATED, FIELD_NONE },
    { SPACE_RSS, SLICE("lastBuildDate"), FIELD_NONE, FEED_UPDATED },
    { SPACE_RSS, SLICE("pubDate"), ITEM_PUBLISHED, FEED_UPDATED },
    { SPACE_ATOM, SLICE("published"), ITEM_PUBLISHED, FIELD_NONE },
    { SPACE_ATOM, SLICE("issued"), ITEM_PUBLISHED, FIELD_NONE },
    { SPACE_DC, SLICE("date"), ITEM_PUBLISHED, FEED_UPDATED },
    { SPACE_RSS, SLICE("description"), ITEM_SUMMARY, FIELD_NONE },
    { SPACE_ATOM, SLICE("summary"), ITEM_SUMMARY, FIELD_NONE },
    { SPACE_CONTENT, SLICE("encoded"), ITEM_CONTENT, FIELD_NONE },
    { SPACE_ATOM, SLICE("content"), ITEM_CONTENT, FIELD_NONE },
    { SPACE_RSS, SLICE("author"), ITEM_AUTHOR, FIELD_NONE },
    { SPACE_DC, SLICE("creator"), ITEM_AUTHOR, FIELD_NONE },
    { SPACE_RSS, SLICE("category"), ITEM_CATEGORY, FIELD_NONE },
    { SPACE_DC, SLICE("subject"), ITEM_CATEGORY, FIELD_NONE },
    { SPACE_RSS, SLICE("ttl"), FIELD_NONE, FEED_TTL },
    { SPACE_SY, SLICE("updatePeriod"), FIELD_NONE, FEED_PERIOD },
    { SPACE_SY, SLICE("updateFrequency"), FIELD_NONE, FEED_FREQUENCY },
};

struct element {
    enum space space;
    struct slice name;
    const XML_Char **attributes;
};

struct reading {
    XML_Parser parser;
    struct slice text; /* UTF-8, what the parser reads */
    unsigned depth;
    unsigned feed_depth; /* of the elements that speak of the feed; 0: none */
    unsigned item_depth; /* of the entry that is being read; 0: none */
    unsigned author_depth;
    unsigned field_depth; /* of the element whose text is taken; 0: none */
    enum field field;
    bool field_is_markup; /* its bytes are taken, and not its text */
    size_t field_start;
    size_t item_start;
    struct buf fields[FIELD_END]; /* categories: as JSON, with commas */
    struct buf taken;
    struct buf base; /* xml:base of the feed */
    struct buf item_base;
    struct buf items; /* as JSON, with commas */
    size_t count;
    enum status status;
    struct error *err;
};

/* ---- names ---- */

static struct element
element_of(const XML_Char *name, const XML_Char **attributes)
{
    struct slice whole = slice_of(name);
    struct slice uri = slice_of("");
    struct element element = { SPACE_OTHER, whole, attributes };
    const size_t between = slice_find(whole, BETWEEN);
    if (between != SIZE_MAX) {
        uri = slice_first(whole, between);
        element.name = slice_from(whole, between + 1);
    }
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        if (slice_equal(uri, spaces[i].uri)) {
            element.space = spaces[i].space;
        }
    }
    return element;
}

static bool
is_element(const struct element *element, enum space space, const char *name)
{
    return element->space == space && slice_equal_text(element->name, name);
}

static struct slice
attribute_of(const struct element *element, enum space space, const char *name)
{
    for (const XML_Char **at = element->attributes; at[0] != NULL; at += 2) {
        const struct element one = element_of(at[0], NULL);
        if (is_element(&one, space, name)) {
            return slice_trim(slice_of(at[1]));
        }
    }
    return (struct slice){ NULL, 0 };
}

/* ---- values ---- */

static void
stop(struct reading *reading, enum status status)
{
    if (reading->status == STATUS_OK) {
        reading->status = status;
    }
    (void)XML_StopParser(reading->parser, XML_FALSE);
}

static void
keep(struct reading *reading, enum field field, struct slice value)
{
    struct buf *into = &reading->fields[field];
    if (value.len == 0) {
        return;
    }
    if (field == ITEM_CATEGORY) {
        if (into->len > 0) {
            buf_byte(into, ',');
        }
        buf_json(into, value);
    } else if (into->len == 0) {
        buf_append(into, value);
    }
}

/* A URL, absolute where something says against what. */
static void
keep_link(struct reading *reading, enum field field, struct slice link)
{
    const struct buf *const bases[] = {
        &reading->item_base,
        &reading->base,
        &reading->fields[FEED_SELF],
        &reading->fields[FEED_LINK],
    };
    struct buf absolute = { 0 };
    struct error ignored;
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        if (link.len > 0 && bases[i]->len > 0 &&
            url_resolve(buf_slice(bases[i]), link, &absolute, &ignored) ==
                STATUS_OK) {
            link = buf_slice(&absolute);
            break;
        }
        buf_clear(&absolute);
    }
    keep(reading, field, link);
    buf_fini(&absolute);
}

static size_t
position(const struct reading *reading)
{
    const XML_Index at = XML_GetCurrentByteIndex(reading->parser);
    return at < 0 ? 0 : (size_t)at;
}

/* Behind the token that is being told of. */
static size_t
behind(const struct reading *reading)
{
    return position(reading) + (size_t)XML_GetCurrentByteCount(reading->parser);
}

static struct slice
bytes_between(const struct reading *reading, size_t from, size_t to)
{
    return to > from ? slice_first(slice_from(reading->text, from), to - from)
                     : (struct slice){ NULL, 0 };
}

/* ---- entries ---- */

static void
write_member(struct buf *into, const char *name, struct slice value)
{
    if (value.len > 0) {
        buf_json(into, slice_of(name));
        buf_byte(into, ':');
        buf_json(into, value);
        buf_byte(into, ',');
    }
}

/* What identifies an entry that does not say so. */
static enum status
write_digest(struct buf *into, struct slice bytes)
{
    struct digest digest;
    struct buf text = { 0 };
    enum status status = digest_hash(DIGEST_SHA256, &bytes, 1, &digest);
    if (status == STATUS_OK) {
        buf_text(&text, "sha256:");
        encode_hex(digest_slice(&digest), &text);
        status = buf_status(&text);
    }
    if (status == STATUS_OK) {
        write_member(into, field_names[ITEM_ID], buf_slice(&text));
    }
    buf_fini(&text);
    return status;
}

static enum status
write_id(struct reading *reading, struct slice bytes)
{
    static const enum field sources[] = { ITEM_GUID, ITEM_ID, ITEM_LINK };
    for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
        const struct buf *source = &reading->fields[sources[i]];
        if (source->len > 0) {
            write_member(&reading->items, field_names[ITEM_ID],
                         buf_slice(source));
            return STATUS_OK;
        }
    }
    return write_digest(&reading->items, bytes);
}

static void
end_item(struct reading *reading)
{
    const struct slice bytes =
        bytes_between(reading, reading->item_start, behind(reading));
    struct buf *into = &reading->items;
    const struct buf *published = &reading->fields[ITEM_PUBLISHED];
    reading->item_depth = 0;
    if (reading->count++ >= FEED_ITEMS_MAX) {
        (void)error_set(reading->err, STATUS_TOO_LARGE,
                        "the feed has more than %zu entries", FEED_ITEMS_MAX);
        stop(reading, STATUS_TOO_LARGE);
        return;
    }
    buf_text(into, reading->count > 1 ? ",{" : "{");
    const enum status status = write_id(reading, bytes);
    if (reading->fields[ITEM_UPDATED].len == 0) {
        keep(reading, ITEM_UPDATED, buf_slice(published));
    }
    for (int field = ITEM_GUID; field < ITEM_CATEGORY; field++) {
        write_member(into, field_names[field],
                     buf_slice(&reading->fields[field]));
    }
    buf_text(into, "\"categories\":[");
    buf_append(into, buf_slice(&reading->fields[ITEM_CATEGORY]));
    buf_text(into, "],\"xml\":");
    buf_json(into, bytes);
    buf_byte(into, '}');
    if (status != STATUS_OK || buf_status(into) != STATUS_OK) {
        stop(reading, STATUS_NOMEM);
    }
}

static void
begin_item(struct reading *reading, const struct element *element)
{
    reading->item_depth = reading->depth;
    reading->item_start = position(reading);
    reading->author_depth = 0;
    for (int field = ITEM_ID; field < ITEM_END; field++) {
        if (buf_status(&reading->fields[field]) != STATUS_OK) {
            stop(reading, STATUS_NOMEM);
        }
        buf_clear(&reading->fields[field]);
    }
    buf_clear(&reading->item_base);
    buf_append(&reading->item_base, attribute_of(element, SPACE_XML, "base"));
    keep(reading, ITEM_ID, attribute_of(element, SPACE_RDF, "about"));
}

/* ---- elements ---- */

/* Atom says its links by attributes. */
static void
take_link(struct reading *reading, const struct element *element)
{
    const struct slice rel = attribute_of(element, SPACE_RSS, "rel");
    const struct slice href = attribute_of(element, SPACE_RSS, "href");
    const bool is_plain = rel.len == 0 || slice_equal_text(rel, "alternate");
    if (reading->item_depth > 0) {
        if (is_plain) {
            keep_link(reading, ITEM_LINK, href);
        }
    } else if (is_plain) {
        keep_link(reading, FEED_LINK, href);
    } else if (slice_equal_text(rel, "self")) {
        keep_link(reading, FEED_SELF, href);
    } else if (slice_equal_text(rel, "hub")) {
        keep_link(reading, FEED_HUB, href);
    }
}

static void
begin_field(struct reading *reading, const struct element *element,
            enum field field)
{
    reading->field = field;
    reading->field_depth = reading->depth;
    reading->field_is_markup =
        element->space == SPACE_ATOM &&
        slice_equal_text(attribute_of(element, SPACE_RSS, "type"), "xhtml");
    reading->field_start = behind(reading);
    buf_clear(&reading->taken);
}

static void
end_field(struct reading *reading)
{
    const struct slice text =
        reading->field_is_markup
            ? bytes_between(reading, reading->field_start, position(reading))
            : buf_slice(&reading->taken);
    reading->field_depth = 0;
    if (buf_status(&reading->taken) != STATUS_OK) {
        stop(reading, STATUS_NOMEM);
    } else if (reading->field == ITEM_LINK || reading->field == FEED_LINK) {
        keep_link(reading, reading->field, slice_trim(text));
    } else {
        keep(reading, reading->field, slice_trim(text));
    }
}

/* An element right inside an entry, or right inside what is the feed. */
static void
take_element(struct reading *reading, const struct element *element)
{
    const bool in_item = reading->item_depth > 0;
    if (is_element(element, SPACE_ATOM, "link")) {
        take_link(reading, element);
        return;
    }
    if (is_element(element, SPACE_ATOM, "category") && in_item) {
        keep(reading, ITEM_CATEGORY, attribute_of(element, SPACE_RSS, "term"));
        return;
    }
    if (is_element(element, SPACE_ATOM, "author") && in_item) {
        reading->author_depth = reading->depth;
        return;
    }
    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
        const enum field field =
            in_item ? elements[i].of_item : elements[i].of_feed;
        if (field != FIELD_NONE && element->space == elements[i].space &&
            slice_equal(element->name, elements[i].name)) {
            begin_field(reading, element, field);
            return;
        }
    }
}

static void
take_root(struct reading *reading, const struct element *element)
{
    const bool is_atom = is_element(element, SPACE_ATOM, "feed");
    if (!is_atom && !is_element(element, SPACE_RSS, "rss") &&
        !is_element(element, SPACE_RDF, "RDF")) {
        (void)error_set(reading->err, STATUS_INVALID,
                        "it is no feed: its first element is <%.*s>",
                        SLICE_ARG(element->name));
        stop(reading, STATUS_INVALID);
    }
    reading->feed_depth = is_atom ? 2 : 0;
    buf_append(&reading->base, attribute_of(element, SPACE_XML, "base"));
}

static void XMLCALL
started(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *reading = arg;
    const struct element element = element_of(name, attributes);
    const unsigned depth = ++reading->depth;
    if (depth > FEED_DEPTH_MAX) {
        (void)error_set(reading->err, STATUS_TOO_LARGE,
                        "the feed is nested more than %d levels deep",
                        FEED_DEPTH_MAX);
        stop(reading, STATUS_TOO_LARGE);
    } else if (depth == 1) {
        take_root(reading, &element);
    } else if (reading->field_depth > 0) {
        return;
    } else if (reading->item_depth > 0) {
        if (depth == reading->item_depth + 1) {
            take_element(reading, &element);
        } else if (reading->author_depth == depth - 1 &&
                   is_element(&element, SPACE_ATOM, "name")) {
            begin_field(reading, &element, ITEM_AUTHOR);
        }
    } else if (is_element(&element, SPACE_RSS, "item") ||
               is_element(&element, SPACE_ATOM, "entry")) {
        begin_item(reading, &element);
    } else if (is_element(&element, SPACE_RSS, "channel")) {
        reading->feed_depth = depth + 1;
        if (reading->base.len == 0) {
            buf_append(&reading->base,
                       attribute_of(&element, SPACE_XML, "base"));
        }
    } else if (depth == reading->feed_depth) {
        take_element(reading, &element);
    }
}

static void XMLCALL
ended(void *arg, const XML_Char *name)
{
    struct reading *reading = arg;
    (void)name;
    if (reading->field_depth == reading->depth) {
        end_field(reading);
    } else if (reading->author_depth == reading->depth) {
        reading->author_depth = 0;
    } else if (reading->item_depth == reading->depth) {
        end_item(reading);
    }
    reading->depth--;
}

static void XMLCALL
text_came(void *arg, const XML_Char *text, int len)
{
    struct reading *reading = arg;
    if (reading->field_depth > 0 && !reading->field_is_markup) {
        buf_append(&reading->taken, (struct slice){ text, (size_t)len });
    }
}

/* Declarations of its own are where entities come from, of any length. The
 * name alone, as in RSS 0.91, is harmless: what it points to is not read. */
static void XMLCALL
doctype_came(void *arg, const XML_Char *name, const XML_Char *system,
             const XML_Char *public, int has_declarations)
{
    struct reading *reading = arg;
    (void)system;
    (void)public;
    if (has_declarations) {
        (void)error_set(reading->err, STATUS_INVALID,
                        "the feed has declarations of its own (<!DOCTYPE "
                        "%.64s [...]>), which are not read",
                        name);
        stop(reading, STATUS_INVALID);
    }
}

/* ---- the whole ---- */

static void
write_feed(const struct reading *reading, struct buf *into)
{
    buf_text(into, "{\"feed\":{");
    bool first = true;
    for (int field = FEED_ID; field < FIELD_END; field++) {
        const struct buf *value = &reading->fields[field];
        if (value->len > 0) {
            if (!first) {
                buf_byte(into, ',');
            }
            first = false;
            buf_json(into, slice_of(field_names[field]));
            buf_byte(into, ':');
            buf_json(into, buf_slice(value));
        }
    }
    buf_text(into, "},\"items\":[");
    buf_append(into, buf_slice(&reading->items));
    buf_text(into, "]}");
}

/* expat asks for memory without saying for whom, and takes some of what it does
 * not get for a mistake in the text. */
static _Thread_local bool ran_out;

static void *
allocate(size_t size)
{
    void *block = mem_alloc(size);
    ran_out = ran_out || block == NULL;
    return block;
}

static void *
grow(void *old, size_t size)
{
    void *block = mem_resize(old, 1, size);
    ran_out = ran_out || block == NULL;
    return block;
}

static enum status
parse(struct reading *reading)
{
    XML_Parser parser = reading->parser;
    XML_SetUserData(parser, reading);
    XML_SetElementHandler(parser, started, ended);
    XML_SetCharacterDataHandler(parser, text_came);
    XML_SetStartDoctypeDeclHandler(parser, doctype_came);
    if (reading->text.len > INT_MAX) {
        return error_set(reading->err, STATUS_TOO_LARGE,
                         "the feed is too long");
    }
    if (XML_Parse(parser, reading->text.ptr, (int)reading->text.len, 1) ==
        XML_STATUS_OK) {
        return reading->status;
    }
    if (reading->status != STATUS_OK) {
        return reading->status; /* with words */
    }
    const enum XML_Error code = XML_GetErrorCode(parser);
    return code == XML_ERROR_NO_MEMORY || ran_out
               ? STATUS_NOMEM
               : error_set(
                     reading->err, STATUS_INVALID, "line %lu, column %lu: %s",
                     (unsigned long)XML_GetCurrentLineNumber(parser),
                     (unsigned long)XML_GetCurrentColumnNumber(parser) + 1,
                     XML_ErrorString(code));
}

static void
close_reading(struct reading *reading)
{
    if (reading->parser != NULL) {
        XML_ParserFree(reading->parser);
    }
    for (int field = 0; field < FIELD_END; field++) {
        buf_fini(&reading->fields[field]);
    }
    buf_fini(&reading->taken);
    buf_fini(&reading->base);
    buf_fini(&reading->item_base);
    buf_fini(&reading->items);
}

enum status
feed_to_json(struct slice xml, struct buf *into, struct error *err)
{
    static const XML_Memory_Handling_Suite memory = { allocate, grow,
                                                      mem_free };
    static const XML_Char between[] = { BETWEEN, '\0' };
    const size_t before = into->len;
    struct buf text = { 0 };
    struct reading reading = { .status = STATUS_OK, .err = err };
    enum status status = charset_to_utf8(xml, &text, err);
    if (status == STATUS_OK) {
        reading.text = buf_slice(&text);
        ran_out = false;
        reading.parser = XML_ParserCreate_MM("UTF-8", &memory, between);
        status = reading.parser == NULL ? STATUS_NOMEM : parse(&reading);
    }
    if (status == STATUS_OK) {
        write_feed(&reading, into);
        status = buf_status(into);
    }
    for (int field = 0; field < FIELD_END && status == STATUS_OK; field++) {
        status = buf_status(&reading.fields[field]);
    }
    close_reading(&reading);
    buf_fini(&text);
    if (status != STATUS_OK) {
        buf_truncate(into, before);
    }
    return status == STATUS_NOMEM ? error_set(err, status, "out of memory")
                                  : status;
}
