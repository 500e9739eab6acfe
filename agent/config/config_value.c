/* SPDX-License-Identifier: MIT */
#include "config/config_value.h"

#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "base/suggest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* As much of a wrong value as a message shows. */
#define SHOWN_BYTES 80

#define SHOWN(text) SLICE_ARG(slice_first((text), SHOWN_BYTES))

typedef bool value_fn(struct config_binding *binding,
                      const struct config_key *key,
                      const struct config_node *node, void *place);

struct config_mark
config_value_place(const struct config_node *node)
{
    return node->key_mark.source != NULL ? node->key_mark : node->mark;
}

const char *
config_value_kind(const struct config_node *node)
{
    if (node->is_null) {
        return "nothing";
    }
    return node->kind == CONFIG_MAPPING    ? "a mapping"
           : node->kind == CONFIG_SEQUENCE ? "a list"
                                           : "text";
}

/* Whether `node` is a scalar with a value; `wanted` are words for a message. */
static bool
is_value(struct config_binding *binding, const struct config_node *node,
         const char *wanted)
{
    if (node->kind == CONFIG_SCALAR && !node->is_null) {
        return !node->unset; /* of which the reader has spoken */
    }
    if (node->is_null) {
        config_report_add(binding->report, CONFIG_ERROR,
                          config_value_place(node), "%s%.*s%s has no value",
                          node->key.len > 0 ? "'" : "this entry",
                          SHOWN(node->key), node->key.len > 0 ? "'" : "");
        return false;
    }
    config_report_add(binding->report, CONFIG_ERROR, node->mark,
                      "%s%.*s%s must be %s, not %s",
                      node->key.len > 0 ? "'" : "this entry", SHOWN(node->key),
                      node->key.len > 0 ? "'" : "", wanted,
                      config_value_kind(node));
    return false;
}

/* YAML 1.1 has 22 spellings of these two (type bool); here are two. */
static bool
read_bool(struct config_binding *binding, const struct config_key *key,
          const struct config_node *node, void *place)
{
    static const char *const others[][2] = {
        { "true", "true" }, { "yes", "true" },  { "on", "true" },
        { "y", "true" },    { "1", "true" },    { "false", "false" },
        { "no", "false" },  { "off", "false" }, { "n", "false" },
        { "0", "false" },
    };
    (void)key;
    if (!is_value(binding, node, "true or false")) {
        return false;
    }
    bool is_true = slice_equal_text(node->text, "true");
    if (!node->quoted && (is_true || slice_equal_text(node->text, "false"))) {
        *(bool *)place = is_true;
        return true;
    }
    for (size_t i = 0; i < COUNT(others); i++) {
        if (slice_equal_nocase(node->text, slice_of(others[i][0]))) {
            config_report_add(binding->report, CONFIG_ERROR, node->mark,
                              "'%.*s' %s; write %s%s", SHOWN(node->text),
                              node->quoted ? "in quotes is text"
                                           : "is neither true nor false",
                              others[i][1],
                              node->quoted ? " without quotes" : "");
            return false;
        }
    }
    config_report_add(binding->report, CONFIG_ERROR, node->mark,
                      "'%.*s' is neither true nor false", SHOWN(node->text));
    return false;
}

/* Holds a number against the limits of its key, which are written as a person
 * would and so are read like the value. */
static bool
is_within(struct config_binding *binding, const struct config_key *key,
          const struct config_node *node, int64_t number,
          enum status (*parse)(struct slice text, int64_t *ret_number))
{
    int64_t limit;
    if (key->min != NULL) {
        PRE(parse(slice_of(key->min), &limit) == STATUS_OK);
        if (number < limit) {
            config_report_add(binding->report, CONFIG_ERROR, node->mark,
                              "'%.*s' is too small for '%s'; the least is %s",
                              SHOWN(node->text), key->name, key->min);
            return false;
        }
    }
    if (key->max != NULL) {
        PRE(parse(slice_of(key->max), &limit) == STATUS_OK);
        if (number > limit) {
            config_report_add(binding->report, CONFIG_ERROR, node->mark,
                              "'%.*s' is too large for '%s'; the most is %s",
                              SHOWN(node->text), key->name, key->max);
            return false;
        }
    }
    return true;
}

/* Decimal digits only: 010 is eight to YAML 1.1 and ten to YAML 1.2. */
static enum status
parse_whole(struct slice text, int64_t *ret_number)
{
    struct slice digits = slice_from(text, text.len > 0 && text.ptr[0] == '-');
    if (digits.len > 1 && digits.ptr[0] == '0') {
        return STATUS_INVALID;
    }
    return slice_to_i64(text, ret_number);
}

static bool
read_int(struct config_binding *binding, const struct config_key *key,
         const struct config_node *node, void *place)
{
    int64_t number;
    if (!is_value(binding, node, "a whole number")) {
        return false;
    }
    if (parse_whole(node->text, &number) != STATUS_OK) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'%.*s' is not a whole number; write decimal digits",
                          SHOWN(node->text));
        return false;
    }
    if (node->quoted) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'%.*s' in quotes is text; write %.*s without quotes",
                          SHOWN(node->text), SHOWN(node->text));
        return false;
    }
    if (!is_within(binding, key, node, number, parse_whole)) {
        return false;
    }
    *(int64_t *)place = number;
    return true;
}

/* Units as people write them, the unit we read, and a factor for those that
 * we do not have. */
struct spelling {
    const char *written;
    const char *unit;
    int64_t factor;
};

static const struct spelling span_spellings[] = {
    { "", "s", 1 },        { "s", "s", 1 },       { "sec", "s", 1 },
    { "secs", "s", 1 },    { "second", "s", 1 },  { "seconds", "s", 1 },
    { "m", "m", 1 },       { "min", "m", 1 },     { "mins", "m", 1 },
    { "minute", "m", 1 },  { "minutes", "m", 1 }, { "h", "h", 1 },
    { "hr", "h", 1 },      { "hrs", "h", 1 },     { "hour", "h", 1 },
    { "hours", "h", 1 },   { "d", "d", 1 },       { "day", "d", 1 },
    { "days", "d", 1 },    { "ms", "ms", 1 },     { "msec", "ms", 1 },
    { "millis", "ms", 1 }, { "w", "d", 7 },       { "wk", "d", 7 },
    { "week", "d", 7 },    { "weeks", "d", 7 },
};

static const struct spelling size_spellings[] = {
    { "", "B", 1 },      { "b", "B", 1 },     { "byte", "B", 1 },
    { "bytes", "B", 1 }, { "k", "KiB", 1 },   { "ki", "KiB", 1 },
    { "kib", "KiB", 1 }, { "kb", "kB", 1 },   { "m", "MiB", 1 },
    { "mi", "MiB", 1 },  { "mib", "MiB", 1 }, { "mb", "MB", 1 },
    { "g", "GiB", 1 },   { "gi", "GiB", 1 },  { "gib", "GiB", 1 },
    { "gb", "GB", 1 },
};

/* What a duration and a size have in common. */
struct measure {
    const char *noun;
    const char *units;
    enum status (*parse)(struct slice text, int64_t *ret_number);
    const struct spelling *spellings;
    size_t spelling_count;
};

static enum status
parse_span(struct slice text, int64_t *ret_ms)
{
    /* Nothing of any unit is nothing. */
    if (slice_equal_text(text, "0")) {
        *ret_ms = 0;
        return STATUS_OK;
    }
    return instant_parse_span(text, ret_ms);
}

static enum status
parse_size(struct slice text, int64_t *ret_bytes)
{
    if (slice_equal_text(text, "0")) {
        *ret_bytes = 0;
        return STATUS_OK;
    }
    return instant_parse_size(text, ret_bytes);
}

static const struct measure span_measure = { "a duration", "ms, s, m, h or d",
                                             parse_span, span_spellings,
                                             COUNT(span_spellings) };

static const struct measure size_measure = { "a size",
                                             "B, kB, MB, GB, KiB, MiB or GiB",
                                             parse_size, size_spellings,
                                             COUNT(size_spellings) };

/* Says what is wrong with a measure, and what was probably meant. */
static void
report_measure(struct config_binding *binding, const struct measure *measure,
               const struct config_node *node)
{
    size_t digits = 0;
    while (digits < node->text.len && node->text.ptr[digits] >= '0' &&
           node->text.ptr[digits] <= '9') {
        digits++;
    }
    struct slice written = slice_trim(slice_from(node->text, digits));
    int64_t number;
    if (digits == 0 ||
        slice_to_i64(slice_first(node->text, digits), &number) != STATUS_OK) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'%.*s' is not %s; write a whole number and a unit "
                          "(%s)",
                          SHOWN(node->text), measure->noun, measure->units);
        return;
    }
    for (size_t i = 0; i < measure->spelling_count; i++) {
        const struct spelling *spelling = &measure->spellings[i];
        int64_t meant;
        char better[SHOWN_BYTES];
        if (!slice_equal_nocase(written, slice_of(spelling->written)) ||
            __builtin_mul_overflow(number, spelling->factor, &meant)) {
            continue;
        }
        (void)snprintf(better, sizeof(better), "%lld%s", (long long)meant,
                       spelling->unit);
        if (measure->parse(slice_of(better), &meant) != STATUS_OK) {
            config_report_add(binding->report, CONFIG_ERROR, node->mark,
                              "'%.*s' is too large", SHOWN(node->text));
            return;
        }
        config_report_add(
            binding->report, CONFIG_ERROR, node->mark, "'%.*s' %s; try '%s'",
            SHOWN(node->text),
            written.len == 0 ? "needs a unit" : "has an unknown unit", better);
        return;
    }
    config_report_add(binding->report, CONFIG_ERROR, node->mark,
                      "'%.*s' is not %s; write a whole number and a unit (%s)",
                      SHOWN(node->text), measure->noun, measure->units);
}

static bool
read_measure(struct config_binding *binding, const struct measure *measure,
             const struct config_node *node, int64_t *ret_number)
{
    if (!is_value(binding, node, measure->noun)) {
        return false;
    }
    if (measure->parse(node->text, ret_number) != STATUS_OK) {
        report_measure(binding, measure, node);
        return false;
    }
    return true;
}

static bool
read_duration(struct config_binding *binding, const struct config_key *key,
              const struct config_node *node, void *place)
{
    int64_t ms;
    if (!read_measure(binding, &span_measure, node, &ms) ||
        !is_within(binding, key, node, ms, parse_span)) {
        return false;
    }
    *(int64_t *)place = ms;
    return true;
}

static bool
read_size(struct config_binding *binding, const struct config_key *key,
          const struct config_node *node, void *place)
{
    int64_t bytes;
    if (!read_measure(binding, &size_measure, node, &bytes) ||
        !is_within(binding, key, node, bytes, parse_size)) {
        return false;
    }
    *(int64_t *)place = bytes;
    return true;
}

bool
config_value_duration(struct config_binding *binding,
                      const struct config_node *node, int64_t *ret_ms)
{
    int64_t ms;
    if (!read_measure(binding, &span_measure, node, &ms)) {
        return false;
    }
    *ret_ms = ms;
    return true;
}

bool
config_value_text(struct config_binding *binding,
                  const struct config_node *node, struct slice *ret_text)
{
    if (!is_value(binding, node, "text")) {
        return false;
    }
    *ret_text = node->text;
    return true;
}

static bool
read_text(struct config_binding *binding, const struct config_key *key,
          const struct config_node *node, void *place)
{
    (void)key;
    return config_value_text(binding, node, place);
}

/* Puts the directory of the file before a relative path. */
static bool
join_path(struct config_binding *binding, const struct config_node *node,
          struct slice *ret_path)
{
    const struct config_source *source = node->mark.source;
    struct slice path = node->text;
    if (path.len == 0) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'%.*s' is empty; write a path", SHOWN(node->key));
        return false;
    }
    if (path.ptr[0] == '/' || source == NULL || source->directory.len == 0 ||
        slice_equal_text(source->directory, ".")) {
        *ret_path = path;
        return true;
    }
    if (path.len > 2 && path.ptr[0] == '.' && path.ptr[1] == '/') {
        path = slice_from(path, 2);
    }
    struct slice directory = source->directory;
    bool slash = directory.ptr[directory.len - 1] != '/';
    size_t len = directory.len + slash + path.len;
    char *joined = arena_alloc(binding->arena, len + 1);
    if (joined == NULL) {
        binding->report->failed_memory = true;
        return false;
    }
    (void)snprintf(joined, len + 1, "%.*s%s%.*s", SLICE_ARG(directory),
                   slash ? "/" : "", SLICE_ARG(path));
    *ret_path = (struct slice){ joined, len };
    return true;
}

static bool
read_path(struct config_binding *binding, const struct config_key *key,
          const struct config_node *node, void *place)
{
    (void)key;
    return is_value(binding, node, "a path") && join_path(binding, node, place);
}

static bool
read_choice(struct config_binding *binding, const struct config_key *key,
            const struct config_node *node, void *place)
{
    char all[256] = "";
    size_t used = 0;
    size_t count = 0;
    if (!is_value(binding, node, "text")) {
        return false;
    }
    for (; key->choices[count] != NULL; count++) {
        if (slice_equal_text(node->text, key->choices[count])) {
            *(int *)place = (int)count;
            return true;
        }
        if (used < sizeof(all)) {
            used +=
                (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
                                 count == 0 ? "" : ", ", key->choices[count]);
        }
    }
    const char *nearest = suggest_near(node->text, key->choices, count);
    config_report_add(binding->report, CONFIG_ERROR, node->mark,
                      "'%.*s' is not one of: %s%s%s%s", SHOWN(node->text), all,
                      nearest == NULL ? "" : "; did you mean '",
                      nearest == NULL ? "" : nearest,
                      nearest == NULL ? "" : "'?");
    return false;
}

static size_t
count_children(const struct config_node *node)
{
    size_t count = 0;
    for (const struct config_node *child = node->children; child != NULL;
         child = child->next) {
        count++;
    }
    return count;
}

static bool
read_texts(struct config_binding *binding, const struct config_key *key,
           const struct config_node *node, void *place)
{
    (void)key;
    bool is_list = node->kind == CONFIG_SEQUENCE;
    size_t count = is_list ? count_children(node) : 1;
    const struct config_node *child = is_list ? node->children : node;
    struct config_texts texts = {
        .at = arena_array(binding->arena, count, sizeof(*texts.at)),
        .marks = arena_array(binding->arena, count, sizeof(*texts.marks))
    };
    if (texts.at == NULL || texts.marks == NULL) {
        binding->report->failed_memory = true;
        return false;
    }
    bool good = true;
    for (size_t i = 0; i < count; i++, child = child->next) {
        texts.marks[i] = child->mark;
        good = is_value(binding, child, is_list ? "text" : "text or a list") &&
               good;
        texts.at[i] = child->text;
    }
    if (good) {
        texts.count = count;
        *(struct config_texts *)place = texts;
    }
    return good;
}

/* A secret's own text never gets into a message. */
static bool
take_secret(struct config_binding *binding, const struct config_key *key,
            bool from_file, const struct config_node *node,
            struct config_secret *ret_secret)
{
    static const struct slice credential = SLICE("credential:");
    struct config_secret secret = { .from = SECRET_INLINE,
                                    .text = node->text,
                                    .mark = node->mark };
    if (!is_value(binding, node, from_file ? "a path" : "text")) {
        return false;
    }
    if (node->text.len == 0) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'%s%s' is empty; leave it out or give the %s",
                          key->name, from_file ? "_file" : "",
                          from_file ? "path" : "secret");
        return false;
    }
    if (from_file) {
        secret.from = SECRET_FILE;
        if (!join_path(binding, node, &secret.text)) {
            return false;
        }
    } else if (slice_starts(node->text, credential)) {
        secret.from = SECRET_CREDENTIAL;
        secret.text = slice_from(node->text, credential.len);
        /* systemd.exec(5): a credential's name is a file name. */
        if (secret.text.len == 0 || slice_find(secret.text, '/') != SIZE_MAX) {
            config_report_add(binding->report, CONFIG_ERROR, node->mark,
                              "'%s' needs a name without '/' after "
                              "'credential:'",
                              key->name);
            return false;
        }
    } else {
        config_report_hide(binding->report, node->mark);
    }
    *ret_secret = secret;
    return true;
}

static bool
read_secrets(struct config_binding *binding, const struct config_key *key,
             bool from_file, const struct config_node *node,
             struct config_secrets *place)
{
    bool is_list = node->kind == CONFIG_SEQUENCE;
    size_t count = is_list ? count_children(node) : 1;
    const struct config_node *child = is_list ? node->children : node;
    if (count == 0) {
        config_report_add(binding->report, CONFIG_ERROR, node->mark,
                          "'%s%s' is an empty list; leave it out or give a "
                          "secret",
                          key->name, from_file ? "_file" : "");
        return false;
    }
    struct config_secret *at = arena_array(binding->arena, count, sizeof(*at));
    if (at == NULL) {
        binding->report->failed_memory = true;
        return false;
    }
    bool good = true;
    for (size_t i = 0; i < count; i++, child = child->next) {
        good = take_secret(binding, key, from_file, child, &at[i]) && good;
    }
    if (good) {
        *place = (struct config_secrets){ at, count };
    }
    return good;
}

/* By type; those of secrets have one argument more. */
static value_fn *const readers[] = {
    [CONFIG_BOOL] = read_bool,         [CONFIG_INT] = read_int,
    [CONFIG_DURATION] = read_duration, [CONFIG_SIZE] = read_size,
    [CONFIG_TEXT] = read_text,         [CONFIG_PATH] = read_path,
    [CONFIG_CHOICE] = read_choice,     [CONFIG_TEXTS] = read_texts,
};

bool
config_value_known(enum config_type type)
{
    return type == CONFIG_SECRET || type == CONFIG_SECRETS ||
           (type < COUNT(readers) && readers[type] != NULL);
}

bool
config_value_read(struct config_binding *binding, const struct config_key *key,
                  bool from_file, const struct config_node *node, void *place)
{
    if (key->type == CONFIG_SECRET) {
        return take_secret(binding, key, from_file, node, place);
    }
    if (key->type == CONFIG_SECRETS) {
        return read_secrets(binding, key, from_file, node, place);
    }
    return readers[key->type](binding, key, node, place);
}
