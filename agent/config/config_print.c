/* SPDX-License-Identifier: MIT */
#include "config/config_print.h"

#include <stdio.h>
#include <string.h>

#include "config/roff.h"

/* Any scalar may hold a variable, and then its text says nothing about its
 * value yet. */
#define VARIABLE "\\$\\{"

#define SPAN_PATTERN "^(0|[0-9]+(ms|s|m|h|d))$|" VARIABLE
#define SIZE_PATTERN "^(0|[0-9]+(B|kB|MB|GB|KiB|MiB|GiB))$|" VARIABLE
#define NAME_PATTERN "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

/* JSON, indented by two; members and elements one a line. */
struct writer {
    struct buf *into;
    unsigned depth;
    bool empty; /* nothing stands in the innermost braces yet */
};

static void
begin(struct writer *writer, const char *name)
{
    if (writer->depth > 0) {
        buf_text(writer->into, writer->empty ? "\n" : ",\n");
    }
    buf_format(writer->into, "%*s", (int)(writer->depth * 2), "");
    if (name != NULL) {
        buf_json(writer->into, slice_of(name));
        buf_text(writer->into, ": ");
    }
    writer->empty = false;
}

static void
open_brace(struct writer *writer, const char *name, char brace)
{
    begin(writer, name);
    buf_byte(writer->into, brace);
    writer->depth++;
    writer->empty = true;
}

static void
close_brace(struct writer *writer, char brace)
{
    writer->depth--;
    if (!writer->empty) {
        buf_format(writer->into, "\n%*s", (int)(writer->depth * 2), "");
    }
    buf_byte(writer->into, brace);
    writer->empty = false;
}

static void
text_member(struct writer *writer, const char *name, const char *text)
{
    begin(writer, name);
    buf_json(writer->into, slice_of(text));
}

/* `json` is JSON already. */
static void
raw_member(struct writer *writer, const char *name, const char *json)
{
    begin(writer, name);
    buf_text(writer->into, json);
}

/* All tables that can be reached from one; the first is that one. A name is
 * made unique by the place in this list where it has to be. */
#define TABLES_MAX 64

struct catalog {
    const struct config_table *tables[TABLES_MAX];
    bool partial[TABLES_MAX]; /* see config_table.layered */
    size_t count;
};

static size_t
catalog_find(const struct catalog *catalog, const struct config_table *table)
{
    size_t at = 0;
    while (at < catalog->count && catalog->tables[at] != table) {
        at++;
    }
    return at;
}

static void
catalog_fill(struct catalog *catalog, const struct config_table *root)
{
    catalog->tables[catalog->count++] = root;
    for (size_t i = 0; i < catalog->count; i++) {
        const struct config_table *table = catalog->tables[i];
        catalog->partial[i] |= table->layered;
        for (size_t k = 0; k < table->count; k++) {
            const struct config_table *next = table->keys[k].table;
            if (next == NULL) {
                continue;
            }
            const size_t at = catalog_find(catalog, next);
            if (at == catalog->count) {
                PRE(catalog->count < TABLES_MAX);
                catalog->tables[catalog->count++] = next;
            }
            catalog->partial[at] |= catalog->partial[i];
        }
    }
}

/* Writes the name of a definition: plain letters, so that it needs no escape
 * in a reference (RFC 6901). */
static const char *
definition_name(const struct catalog *catalog, size_t at, char into[80])
{
    const char *name = catalog->tables[at]->name;
    bool taken = name == NULL;
    for (size_t i = 1; i < at && !taken; i++) {
        const char *other = catalog->tables[i]->name;
        taken = other != NULL && strcmp(other, name) == 0;
    }
    if (taken) {
        (void)snprintf(into, 80, "%.60s-%zu", name == NULL ? "table" : name,
                       at);
    } else {
        (void)snprintf(into, 80, "%.60s", name);
    }
    for (char *byte = into; *byte != '\0'; byte++) {
        if (*byte == ' ' || *byte == '/' || *byte == '~' || *byte == '%') {
            *byte = '-';
        }
    }
    return into;
}

static void
reference(struct writer *writer, const struct catalog *catalog,
          const struct config_table *table, const char *name)
{
    char words[80];
    char target[100] = "#";
    size_t at = catalog_find(catalog, table);
    if (at > 0) {
        (void)snprintf(target, sizeof(target), "#/definitions/%s",
                       definition_name(catalog, at, words));
    }
    begin(writer, name);
    buf_format(writer->into, "{ \"$ref\": \"%s\" }", target);
}

static bool
is_partial(const struct catalog *catalog, const struct config_table *table)
{
    return catalog->partial[catalog_find(catalog, table)];
}

static bool
has_required(const struct catalog *catalog, const struct config_table *table)
{
    bool any = false;
    if (is_partial(catalog, table)) {
        return false;
    }
    for (size_t i = 0; i < table->count; i++) {
        any = any || table->keys[i].required;
    }
    return any;
}

/* A mapping may be left empty, as in `listen:`, if nothing in it must be
 * given. Draft-07 ignores what stands beside a $ref, hence the list. */
static void
reference_or_null(struct writer *writer, const struct catalog *catalog,
                  const struct config_table *table, const char *other)
{
    open_brace(writer, "anyOf", '[');
    reference(writer, catalog, table, NULL);
    if (other != NULL) {
        raw_member(writer, NULL, other);
    }
    if (!has_required(catalog, table)) {
        raw_member(writer, NULL, "{ \"type\": \"null\" }");
    }
    close_brace(writer, ']');
}

/* `"anyOf": [scalar, list of scalars]`. */
static void
scalar_or_list(struct writer *writer, const char *scalar, bool filled)
{
    open_brace(writer, "anyOf", '[');
    raw_member(writer, NULL, scalar);
    open_brace(writer, NULL, '{');
    text_member(writer, "type", "array");
    raw_member(writer, "items", scalar);
    if (filled) {
        raw_member(writer, "minItems", "1");
    }
    close_brace(writer, '}');
    close_brace(writer, ']');
}

#define TEXT_TYPE   "[\"string\", \"number\", \"boolean\"]"
#define TEXT_SCHEMA "{ \"type\": " TEXT_TYPE " }"
#define FULL_SCHEMA "{ \"type\": " TEXT_TYPE ", \"minLength\": 1 }"

static void
choice_members(struct writer *writer, const struct config_key *key)
{
    open_brace(writer, "anyOf", '[');
    open_brace(writer, NULL, '{');
    open_brace(writer, "enum", '[');
    for (size_t i = 0; key->choices[i] != NULL; i++) {
        text_member(writer, NULL, key->choices[i]);
    }
    close_brace(writer, ']');
    close_brace(writer, '}');
    open_brace(writer, NULL, '{');
    text_member(writer, "type", "string");
    text_member(writer, "pattern", VARIABLE);
    close_brace(writer, '}');
    close_brace(writer, ']');
}

/* A duration or a size: text with a unit, or the number 0. */
static void
measure_members(struct writer *writer, const char *pattern)
{
    raw_member(writer, "type", "[\"string\", \"integer\"]");
    text_member(writer, "pattern", pattern);
    raw_member(writer, "minimum", "0");
    raw_member(writer, "maximum", "0");
}

static void
int_members(struct writer *writer, const struct config_key *key)
{
    raw_member(writer, "type", "[\"integer\", \"string\"]");
    text_member(writer, "pattern", VARIABLE);
    if (key->min != NULL) {
        raw_member(writer, "minimum", key->min);
    }
    if (key->max != NULL) {
        raw_member(writer, "maximum", key->max);
    }
}

static void
tables_members(struct writer *writer, const struct catalog *catalog,
               const struct config_table *table, const char *other)
{
    open_brace(writer, "anyOf", '[');
    reference(writer, catalog, table, NULL);
    if (other != NULL) {
        raw_member(writer, NULL, other);
    }
    open_brace(writer, NULL, '{');
    text_member(writer, "type", "array");
    reference(writer, catalog, table, "items");
    close_brace(writer, '}');
    close_brace(writer, ']');
}

static void
named_members(struct writer *writer, const struct catalog *catalog,
              const struct config_table *table)
{
    raw_member(writer, "type", "[\"object\", \"null\"]");
    open_brace(writer, "propertyNames", '{');
    text_member(writer, "pattern", NAME_PATTERN);
    close_brace(writer, '}');
    open_brace(writer, "additionalProperties", '{');
    reference_or_null(writer, catalog, table, NULL);
    close_brace(writer, '}');
}

/* Writes what the value of a key must be; `file` for a secret's twin. */
static void
value_members(struct writer *writer, const struct catalog *catalog,
              const struct config_key *key, bool file)
{
    switch (key->type) {
    case CONFIG_BOOL:
        raw_member(writer, "type", "[\"boolean\", \"string\"]");
        text_member(writer, "pattern", VARIABLE);
        break;
    case CONFIG_INT: int_members(writer, key); break;
    case CONFIG_DURATION: measure_members(writer, SPAN_PATTERN); break;
    case CONFIG_SIZE: measure_members(writer, SIZE_PATTERN); break;
    case CONFIG_TEXT: raw_member(writer, "type", TEXT_TYPE); break;
    case CONFIG_PATH:
    case CONFIG_SECRET:
        raw_member(writer, "type", TEXT_TYPE);
        raw_member(writer, "minLength", "1");
        break;
    case CONFIG_CHOICE: choice_members(writer, key); break;
    case CONFIG_TEXTS: scalar_or_list(writer, TEXT_SCHEMA, false); break;
    case CONFIG_SECRETS: scalar_or_list(writer, FULL_SCHEMA, true); break;
    case CONFIG_TABLE:
    case CONFIG_TABLE_PTR:
        reference_or_null(writer, catalog, key->table, key->schema);
        break;
    case CONFIG_TABLES:
        tables_members(writer, catalog, key->table, key->schema);
        break;
    case CONFIG_NAMED: named_members(writer, catalog, key->table); break;
    case CONFIG_NODE:
    case CONFIG_CUSTOM:
        if (key->table != NULL) {
            named_members(writer, catalog, key->table);
        } else if (key->schema != NULL) {
            open_brace(writer, "allOf", '[');
            raw_member(writer, NULL, key->schema);
            close_brace(writer, ']');
        }
        break;
    }
    if (key->fallback == NULL || file) {
        return;
    }
    if (key->type == CONFIG_INT || key->type == CONFIG_BOOL) {
        raw_member(writer, "default", key->fallback);
    } else {
        text_member(writer, "default", key->fallback);
    }
}

static bool
is_secret(const struct config_key *key)
{
    return key->type == CONFIG_SECRET || key->type == CONFIG_SECRETS;
}

/* Limits of measures cannot be said in JSON Schema, so words say them. */
static void
append_limits(struct buf *into, const struct config_key *key)
{
    if (key->min != NULL && key->max != NULL) {
        buf_format(into, "%s to %s", key->min, key->max);
    } else if (key->min != NULL) {
        buf_format(into, "at least %s", key->min);
    } else if (key->max != NULL) {
        buf_format(into, "at most %s", key->max);
    }
}

static void
description_member(struct writer *writer, const struct config_key *key,
                   bool file)
{
    struct buf words = { 0 };
    if (key->doc != NULL) {
        buf_text(&words, key->doc);
    }
    if (key->type != CONFIG_INT && (key->min != NULL || key->max != NULL)) {
        buf_text(&words, key->doc == NULL ? "(" : " (");
        append_limits(&words, key);
        buf_byte(&words, ')');
    }
    if (file) {
        buf_text(&words, key->doc == NULL ? "" : " ");
        buf_text(&words, "In a file, whose path this is.");
    }
    if (buf_status(&words) != STATUS_OK) {
        /* Half a description would look whole. */
        writer->into->failure = STATUS_NOMEM;
    } else if (words.len > 0) {
        text_member(writer, "description", words.ptr);
    }
    buf_fini(&words);
}

/* `partial`: an explicit null takes away what lies below. */
static void
property(struct writer *writer, const struct catalog *catalog,
         const struct config_key *key, bool file, bool partial)
{
    char name[128];
    (void)snprintf(name, sizeof(name), "%s%s", key->name, file ? "_file" : "");
    open_brace(writer, name, '{');
    description_member(writer, key, file);
    if (partial) {
        open_brace(writer, "anyOf", '[');
        open_brace(writer, NULL, '{');
    }
    value_members(writer, catalog, key, file);
    if (partial) {
        close_brace(writer, '}');
        raw_member(writer, NULL, "{ \"type\": \"null\" }");
        close_brace(writer, ']');
    }
    close_brace(writer, '}');
}

/* A secret is given by its key or by the twin: never both, and one of them
 * where it is required. */
static void
secret_rules(struct writer *writer, const struct config_table *table)
{
    bool any = false;
    for (size_t i = 0; i < table->count; i++) {
        any = any || is_secret(&table->keys[i]);
    }
    if (!any) {
        return;
    }
    open_brace(writer, "allOf", '[');
    for (size_t i = 0; i < table->count; i++) {
        const struct config_key *key = &table->keys[i];
        if (!is_secret(key)) {
            continue;
        }
        begin(writer, NULL);
        buf_format(writer->into,
                   "{ \"not\": { \"required\": [\"%s\", \"%s_file\"] } }",
                   key->name, key->name);
        if (key->required) {
            begin(writer, NULL);
            buf_format(writer->into,
                       "{ \"anyOf\": [{ \"required\": [\"%s\"] }, "
                       "{ \"required\": [\"%s_file\"] }] }",
                       key->name, key->name);
        }
    }
    close_brace(writer, ']');
}

static void
required_member(struct writer *writer, const struct config_table *table)
{
    bool open = false;
    for (size_t i = 0; i < table->count; i++) {
        const struct config_key *key = &table->keys[i];
        if (!key->required || is_secret(key)) {
            continue;
        }
        if (!open) {
            open_brace(writer, "required", '[');
            open = true;
        }
        text_member(writer, NULL, key->name);
    }
    if (open) {
        close_brace(writer, ']');
    }
}

static void
table_members(struct writer *writer, const struct catalog *catalog,
              const struct config_table *table)
{
    const bool partial = is_partial(catalog, table);
    if (table->doc != NULL) {
        text_member(writer, "description", table->doc);
    }
    text_member(writer, "type", "object");
    raw_member(writer, "additionalProperties", "false");
    open_brace(writer, "properties", '{');
    for (size_t i = 0; i < table->count; i++) {
        property(writer, catalog, &table->keys[i], false, partial);
        if (is_secret(&table->keys[i])) {
            property(writer, catalog, &table->keys[i], true, partial);
        }
    }
    close_brace(writer, '}');
    if (has_required(catalog, table)) {
        required_member(writer, table);
    }
    secret_rules(writer, table);
}

void
config_print_schema(const struct config_table *table, const char *id,
                    const char *title, struct buf *into)
{
    struct writer writer = { .into = into };
    struct catalog catalog = { .count = 0 };
    char name[80];
    catalog_fill(&catalog, table);
    open_brace(&writer, NULL, '{');
    text_member(&writer, "$schema", "http://json-schema.org/draft-07/schema#");
    text_member(&writer, "$id", id);
    text_member(&writer, "title", title);
    table_members(&writer, &catalog, table);
    if (catalog.count > 1) {
        open_brace(&writer, "definitions", '{');
        for (size_t i = 1; i < catalog.count; i++) {
            open_brace(&writer, definition_name(&catalog, i, name), '{');
            table_members(&writer, &catalog, catalog.tables[i]);
            close_brace(&writer, '}');
        }
        close_brace(&writer, '}');
    }
    close_brace(&writer, '}');
    buf_byte(into, '\n');
}

#define DEPTH_MAX 8

static const char *const type_words[] = {
    [CONFIG_BOOL] = "true or false",
    [CONFIG_INT] = "number",
    [CONFIG_DURATION] = "duration",
    [CONFIG_SIZE] = "size",
    [CONFIG_TEXT] = "text",
    [CONFIG_PATH] = "path",
    [CONFIG_CHOICE] = "one of ",
    [CONFIG_TEXTS] = "text or a list of texts",
    [CONFIG_SECRET] = "secret",
    [CONFIG_SECRETS] = "secret or a list of secrets",
    [CONFIG_TABLE] = "mapping",
    [CONFIG_TABLE_PTR] = "mapping",
    [CONFIG_TABLES] = "mapping or a list of mappings",
    [CONFIG_NAMED] = "mapping of names",
    [CONFIG_NODE] = "",
    [CONFIG_CUSTOM] = "",
};

/* Appends "(duration, 1s to 7d, default 60s)". */
static void
append_facts(struct buf *into, const struct config_key *key)
{
    struct buf facts = { 0 };
    buf_text(&facts, type_words[key->type]);
    for (size_t i = 0; key->choices != NULL && key->choices[i] != NULL; i++) {
        buf_format(&facts, "%s%s", i == 0 ? "" : ", ", key->choices[i]);
    }
    if (key->min != NULL || key->max != NULL) {
        buf_text(&facts, facts.len == 0 ? "" : ", ");
        append_limits(&facts, key);
    }
    if (key->required) {
        buf_text(&facts, facts.len == 0 ? "required" : ", required");
    }
    if (key->fallback != NULL) {
        buf_format(&facts, "%sdefault %s", facts.len == 0 ? "" : ", ",
                   key->fallback);
    }
    if (buf_status(&facts) != STATUS_OK) {
        into->failure = STATUS_NOMEM;
    } else if (facts.len > 0) {
        buf_text(into, " (");
        roff_text(facts.ptr, into);
        buf_byte(into, ')');
    }
    buf_fini(&facts);
}

/* One table that is being listed, and how much of the path is its own. */
struct page {
    const struct config_table *table;
    size_t key;
    size_t path_len;
};

static void
append_paragraph(struct buf *into, const struct buf *path,
                 const struct config_key *key)
{
    int forms = is_secret(key) ? 2 : 1;
    buf_text(into, ".TP\n");
    for (int file = 0; file < forms; file++) {
        buf_text(into, file ? ", \\fB" : "\\fB");
        roff_text(path->len == 0 ? "" : path->ptr, into);
        roff_text(key->name, into);
        buf_text(into, file ? "_file\\fR" : "\\fR");
    }
    append_facts(into, key);
    buf_byte(into, '\n');
    if (key->doc != NULL) {
        roff_text(key->doc, into);
        buf_byte(into, '\n');
    }
}

/* What is resolved before it is bound has a page of its own. */
static bool
has_keys_here(const struct config_key *key)
{
    return key->table != NULL && key->type != CONFIG_NODE;
}

void
config_print_manual(const struct config_table *table, struct buf *into)
{
    struct page pages[DEPTH_MAX] = { { .table = table } };
    struct buf path = { 0 };
    size_t depth = 1;
    while (depth > 0) {
        struct page *page = &pages[depth - 1];
        buf_truncate(&path, page->path_len);
        if (page->key == page->table->count) {
            depth--;
            continue;
        }
        const struct config_key *key = &page->table->keys[page->key++];
        append_paragraph(into, &path, key);
        if (has_keys_here(key) && depth < DEPTH_MAX) {
            buf_text(&path, key->name);
            buf_text(&path, key->type == CONFIG_NAMED ? ".NAME." : ".");
            pages[depth++] =
                (struct page){ .table = key->table, .path_len = path.len };
        }
    }
    if (buf_status(&path) != STATUS_OK) {
        into->failure = STATUS_NOMEM;
    }
    buf_fini(&path);
}
