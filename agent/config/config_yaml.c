/* SPDX-License-Identifier: MIT */
#include "config/config_yaml.h"

#include <string.h>
#include <yaml.h>

#include "config/config_expand.h"

#define DEPTH_MAX  32
#define TEXT_BYTES ((size_t)256 * 1024)

/* One mapping or sequence that is still open. */
struct level {
    struct config_node *node;
    struct config_node **end; /* where its next child goes */
    bool is_mapping;
    bool has_key;  /* a key was read and waits for its value */
    bool repeated; /* it was there before: the value is dropped */
    struct slice key;
    struct config_mark key_mark;
};

/* The keys of all mappings, to find repeated ones without comparing each with
 * each. Open addressing; the mapping is part of what is hashed. */
struct seen_key {
    const struct config_node *mapping;
    struct slice key;
    struct config_mark mark;
};

struct seen {
    struct seen_key *at;
    size_t cap; /* a power of two, or 0 */
    size_t count;
};

struct reading {
    const struct config_source *source;
    struct slice text; /* of the source, behind its byte order mark */
    struct config_expansion expansion; /* env NULL: nothing is expanded */
    struct arena *arena;
    struct config_report *report;
    struct config_node *root;
    struct level levels[DEPTH_MAX];
    size_t depth;
    unsigned documents;
    struct seen seen;
    bool stopped; /* by a mistake nothing sensible can follow */
};

static struct config_mark
mark_at(const struct reading *reading, yaml_mark_t at)
{
    return (struct config_mark){ .source = reading->source,
                                 .line = (unsigned)at.line + 1,
                                 .column = (unsigned)at.column + 1,
                                 .width = 1 };
}

/* The mark of an event; its width ends with its first line. */
static struct config_mark
mark_of(const struct reading *reading, const yaml_event_t *event)
{
    struct config_mark mark = mark_at(reading, event->start_mark);
    if (event->type == YAML_SCALAR_EVENT &&
        event->end_mark.line == event->start_mark.line &&
        event->end_mark.column > event->start_mark.column) {
        mark.width =
            (unsigned)(event->end_mark.column - event->start_mark.column);
    }
    return mark;
}

static struct slice
scalar_text(const yaml_event_t *event)
{
    return (struct slice){ (const char *)event->data.scalar.value,
                           event->data.scalar.length };
}

static void
stop(struct reading *reading, struct config_mark mark, const char *words)
{
    config_report_add(reading->report, CONFIG_ERROR, mark, "%s", words);
    reading->stopped = true;
}

static struct seen_key *
seen_slot(const struct seen *seen, const struct config_node *mapping,
          struct slice key)
{
    const uint64_t seed[2] = { (uint64_t)(uintptr_t)mapping, 0 };
    size_t at = (size_t)slice_hash(key, seed) & (seen->cap - 1);
    while (seen->at[at].mapping != NULL &&
           (seen->at[at].mapping != mapping ||
            !slice_equal(seen->at[at].key, key))) {
        at = (at + 1) & (seen->cap - 1);
    }
    return &seen->at[at];
}

static enum status
seen_grow(struct seen *seen)
{
    struct seen grown = { .cap = seen->cap == 0 ? 64 : seen->cap * 2,
                          .count = seen->count };
    grown.at = mem_array(grown.cap, sizeof(*grown.at));
    if (grown.at == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < seen->cap; i++) {
        const struct seen_key *old = &seen->at[i];
        if (old->mapping != NULL) {
            *seen_slot(&grown, old->mapping, old->key) = *old;
        }
    }
    mem_free(seen->at);
    *seen = grown;
    return STATUS_OK;
}

/* Notes a key; *ret_first is its first place if it was there before. */
static enum status
seen_add(struct seen *seen, const struct level *level,
         const struct seen_key **ret_first)
{
    *ret_first = NULL;
    if (seen->count >= seen->cap / 2) {
        enum status status = seen_grow(seen);
        if (status != STATUS_OK) {
            return status;
        }
    }
    struct seen_key *slot = seen_slot(seen, level->node, level->key);
    if (slot->mapping != NULL) {
        *ret_first = slot;
        return STATUS_OK;
    }
    *slot = (struct seen_key){ level->node, level->key, level->key_mark };
    seen->count++;
    return STATUS_OK;
}

/* Anchors and tags are reported wherever they stand; what they adorn is read
 * as if they were not there. */
static void
refuse_adornment(struct reading *reading, const yaml_char_t *anchor,
                 const yaml_char_t *tag, struct config_mark mark)
{
    if (anchor != NULL) {
        config_report_add(reading->report, CONFIG_ERROR, mark,
                          "anchors ('&%s') are not supported; write the value "
                          "where it is needed",
                          (const char *)anchor);
    }
    if (tag != NULL) {
        config_report_add(reading->report, CONFIG_ERROR, mark,
                          "tags ('%s') are not supported; leave it out",
                          (const char *)tag);
    }
}

/* YAML 1.1 knows more spellings of null; they are text here. */
static bool
is_null(const yaml_event_t *event)
{
    struct slice text = scalar_text(event);
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.len == 0 || slice_equal_text(text, "~") ||
            slice_equal_text(text, "null"));
}

/* Readers of YAML 1.1 take these for truth values, and would see another key.
 * Its `y` and `n` none of them does, and providers call parameters so. */
static bool
is_truth_word(const yaml_event_t *event)
{
    static const char *const words[] = { "yes", "no", "on", "off" };
    const struct slice text = scalar_text(event);
    bool found = false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        found = found || slice_equal_nocase(text, slice_of(words[i]));
    }
    return found && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static enum status
read_key(struct reading *reading, struct level *level,
         const yaml_event_t *event)
{
    struct slice text = scalar_text(event);
    struct config_mark mark = mark_of(reading, event);
    refuse_adornment(reading, event->data.scalar.anchor, event->data.scalar.tag,
                     mark);
    level->key_mark = mark;
    level->has_key = true;
    level->repeated = false;
    enum status status = arena_copy(reading->arena, text, &level->key);
    if (status != STATUS_OK) {
        return status;
    }
    if (text.len == 0) {
        config_report_add(reading->report, CONFIG_ERROR, mark,
                          "a key is missing before the ':'");
        level->repeated = true;
        return STATUS_OK;
    }
    if (slice_equal_text(text, "<<") &&
        event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        config_report_add(reading->report, CONFIG_ERROR, mark,
                          "merge keys ('<<') are not supported");
        level->repeated = true;
        return STATUS_OK;
    }
    if (is_truth_word(event)) {
        config_report_add(reading->report, CONFIG_ERROR, mark,
                          "the key '%.*s' is a truth value to other readers of "
                          "YAML: put it in quotes",
                          SLICE_ARG(level->key));
        level->repeated = true;
        return STATUS_OK;
    }
    if (slice_find(text, '\0') != SIZE_MAX) {
        config_report_add(reading->report, CONFIG_ERROR, mark,
                          "a key may not hold a NUL byte");
        level->repeated = true;
        return STATUS_OK;
    }
    const struct seen_key *first;
    status = seen_add(&reading->seen, level, &first);
    if (status == STATUS_OK && first != NULL) {
        config_report_add(reading->report, CONFIG_ERROR, mark,
                          "key '%.*s' is given twice", SLICE_ARG(level->key));
        config_report_add(reading->report, CONFIG_NOTE, first->mark,
                          "'%.*s' was first given here", SLICE_ARG(first->key));
        level->repeated = true;
    }
    return status;
}

/* Makes a node and hangs it where the open mapping or sequence wants it. */
static enum status
add_node(struct reading *reading, enum config_node_kind kind,
         struct config_mark mark, struct config_node **ret_node)
{
    struct config_node *node = arena_array(reading->arena, 1, sizeof(*node));
    if (node == NULL) {
        return STATUS_NOMEM;
    }
    node->kind = kind;
    node->mark = mark;
    node->text = slice_of("");
    *ret_node = node;
    if (reading->depth == 0) {
        reading->root = node;
        return STATUS_OK;
    }
    struct level *level = &reading->levels[reading->depth - 1];
    if (level->is_mapping) {
        node->key = level->key;
        node->key_mark = level->key_mark;
        level->has_key = false;
        if (level->repeated) {
            return STATUS_OK;
        }
    }
    PRE(level->end != NULL);
    *level->end = node;
    level->end = &node->next;
    return STATUS_OK;
}

static enum status
read_scalar(struct reading *reading, const yaml_event_t *event)
{
    struct config_mark mark = mark_of(reading, event);
    struct config_node *node;
    refuse_adornment(reading, event->data.scalar.anchor, event->data.scalar.tag,
                     mark);
    enum status status = add_node(reading, CONFIG_SCALAR, mark, &node);
    if (status != STATUS_OK) {
        return status;
    }
    node->is_null = is_null(event);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (slice_find(scalar_text(event), '\0') != SIZE_MAX) {
        config_report_add(reading->report, CONFIG_ERROR, mark,
                          "a value may not hold a NUL byte");
        return STATUS_OK;
    }
    status = arena_copy(reading->arena, scalar_text(event), &node->text);
    if (status != STATUS_OK || reading->expansion.env == NULL) {
        return status;
    }
    bool replaced;
    size_t errors = reading->report->errors;
    status = config_expand(&reading->expansion, mark, &node->text, &replaced);
    node->unset = reading->report->errors > errors;
    /* Inside {} and [] a variable can only be written in quotes; they do not
     * make text of the number that it holds. */
    node->quoted = node->quoted && !(replaced && status == STATUS_OK);
    return status;
}

static enum status
open_level(struct reading *reading, enum config_node_kind kind,
           struct config_mark mark)
{
    if (reading->depth == DEPTH_MAX) {
        stop(reading, mark, "nested deeper than 32 levels");
        return STATUS_OK;
    }
    struct config_node *node;
    enum status status = add_node(reading, kind, mark, &node);
    if (status != STATUS_OK) {
        return status;
    }
    reading->levels[reading->depth++] =
        (struct level){ .node = node,
                        .end = &node->children,
                        .is_mapping = kind == CONFIG_MAPPING };
    return STATUS_OK;
}

/* What stands where a key is expected: a scalar, or the end of the mapping. */
static enum status
take_key(struct reading *reading, const yaml_event_t *event)
{
    struct level *level = &reading->levels[reading->depth - 1];
    if (event->type == YAML_SCALAR_EVENT) {
        return read_key(reading, level, event);
    }
    stop(reading, mark_of(reading, event),
         "a key must be text; quote what begins with {, [ or *");
    return STATUS_OK;
}

static enum status
take_value(struct reading *reading, const yaml_event_t *event)
{
    struct config_mark mark = mark_of(reading, event);
    struct config_node *node;
    if (event->type == YAML_SCALAR_EVENT) {
        return read_scalar(reading, event);
    }
    if (event->type == YAML_MAPPING_START_EVENT) {
        refuse_adornment(reading, event->data.mapping_start.anchor,
                         event->data.mapping_start.tag, mark);
        return open_level(reading, CONFIG_MAPPING, mark);
    }
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        refuse_adornment(reading, event->data.sequence_start.anchor,
                         event->data.sequence_start.tag, mark);
        return open_level(reading, CONFIG_SEQUENCE, mark);
    }
    config_report_add(reading->report, CONFIG_ERROR, mark,
                      "aliases ('*%s') are not supported; quote the value if "
                      "it is text",
                      (const char *)event->data.alias.anchor);
    enum status status = add_node(reading, CONFIG_SCALAR, mark, &node);
    if (status == STATUS_OK) {
        node->is_null = true;
    }
    return status;
}

static enum status
take_event(struct reading *reading, const yaml_event_t *event)
{
    const struct level *level =
        reading->depth == 0 ? NULL : &reading->levels[reading->depth - 1];
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++reading->documents > 1) {
            stop(reading, mark_of(reading, event),
                 "a second document begins here; a file holds one");
        }
        return STATUS_OK;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: reading->depth--; return STATUS_OK;
    case YAML_SCALAR_EVENT:
    case YAML_ALIAS_EVENT:
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        if (level != NULL && level->is_mapping && !level->has_key) {
            return take_key(reading, event);
        }
        return take_value(reading, event);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT: break;
    }
    return STATUS_OK;
}

/* Words of libyaml that do not tell a person what to do, and ours. */
static const struct {
    const char *theirs;
    const char *ours;
} problems[] = {
    { "found character that cannot start any token",
      "a value cannot begin with this character: quote it, and indent with "
      "spaces, not tabs" },
    { "mapping values are not allowed in this context",
      "a ':' is not allowed here: quote the text, or look at the indentation" },
    { "could not find expected ':'", "a ':' is missing after the key" },
    { "did not find expected key",
      "this does not fit the indentation above it" },
    { "did not find expected '-' indicator",
      "this does not fit the indentation of the list above it" },
    { "did not find expected ',' or '}'",
      "a ',' or '}' is missing (inside {} quote values like \"${NAME}\")" },
    { "did not find expected ',' or ']'",
      "a ',' or ']' is missing (inside [] quote values like \"${NAME}\")" },
    { "did not find expected node content",
      "a value or a key is missing here" },
    { "found unexpected end of stream", "the closing quote is missing" },
    { "block sequence entries are not allowed in this context",
      "a '- ' is not allowed here: a list begins on a line of its own" },
};

static const char *
problem_words(const char *problem)
{
    for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
        if (strcmp(problem, problems[i].theirs) == 0) {
            return problems[i].ours;
        }
    }
    return problem;
}

/* The place of a byte that the reader refused: it counts offsets only. */
static struct config_mark
mark_of_offset(const struct reading *reading, size_t offset)
{
    struct slice before = slice_first(reading->text, offset);
    struct config_mark mark = { reading->source, 1, 1, 1 };
    for (size_t i = 0; i < before.len; i++) {
        if (before.ptr[i] == '\n') {
            mark.line++;
            mark.column = 1;
        } else if (((unsigned char)before.ptr[i] & 0xc0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

/*
 * Reports why libyaml gave up. An unclosed bracket or quote is noticed at the
 * end of the file, where nobody looks for it: then the context, which is where
 * it was opened, is the place and the problem becomes a note.
 */
static enum status
report_syntax(struct reading *reading, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return STATUS_NOMEM;
    }
    const char *problem =
        parser->problem == NULL ? "it cannot be read" : parser->problem;
    reading->stopped = true;
    if (parser->error == YAML_READER_ERROR) {
        config_report_add(reading->report, CONFIG_ERROR,
                          mark_of_offset(reading, parser->problem_offset),
                          "not valid YAML: %s", problem);
        return STATUS_OK;
    }
    struct config_mark at = mark_at(reading, parser->problem_mark);
    struct config_mark opened = mark_at(reading, parser->context_mark);
    const char *context = parser->context == NULL ? "" : parser->context;
    bool bracket = strstr(context, "flow") != NULL ||
                   strstr(context, "quoted scalar") != NULL;
    bool far = bracket && opened.line != at.line;
    config_report_add(reading->report, CONFIG_ERROR, far ? opened : at,
                      "not valid YAML: %s", problem_words(problem));
    if (far) {
        config_report_add(reading->report, CONFIG_NOTE, at, "noticed here");
    }
    return STATUS_OK;
}

static enum status
read_events(struct reading *reading, yaml_parser_t *parser)
{
    enum status status = STATUS_OK;
    bool more = true;
    while (more && status == STATUS_OK && !reading->stopped) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            return report_syntax(reading, parser);
        }
        more = event.type != YAML_STREAM_END_EVENT;
        status = take_event(reading, &event);
        yaml_event_delete(&event);
    }
    return status;
}

/* An empty file, or nothing but comments or null, says: all defaults. */
static enum status
settle_root(struct reading *reading)
{
    if (reading->stopped) {
        reading->root = NULL;
        return STATUS_OK;
    }
    if (reading->root != NULL && !reading->root->is_null) {
        return STATUS_OK;
    }
    reading->depth = 0;
    struct config_mark mark = { reading->source, 1, 1, 1 };
    return add_node(reading, CONFIG_MAPPING, mark, &reading->root);
}

enum status
config_yaml_parse(const struct config_source *source, config_env_fn *env,
                  void *env_arg, struct arena *arena,
                  struct config_report *report, struct config_node **ret_root)
{
    struct reading reading = { .source = source,
                               .expansion = { env, env_arg, arena, report },
                               .arena = arena,
                               .report = report };
    *ret_root = NULL;
    if (source->text.len > TEXT_BYTES) {
        struct config_mark mark = { source, 1, 1, 1 };
        stop(&reading, mark, "the file is larger than 256 KiB");
        return STATUS_OK;
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return STATUS_NOMEM;
    }
    /* UTF-8 whatever the first bytes look like. Its mark would be skipped, but
     * counted as a column. */
    const struct slice byte_order_mark = SLICE("\xef\xbb\xbf");
    size_t skip = slice_starts(source->text, byte_order_mark) ? 3 : 0;
    reading.text = slice_from(source->text, skip);
    const char *bytes = reading.text.len == 0 ? "" : reading.text.ptr;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes,
                                 reading.text.len);
    enum status status = read_events(&reading, &parser);
    yaml_parser_delete(&parser);
    if (status == STATUS_OK) {
        status = settle_root(&reading);
    }
    mem_free(reading.seen.at);
    if (status == STATUS_OK) {
        *ret_root = reading.root;
    }
    return status;
}
