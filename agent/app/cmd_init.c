/* SPDX-License-Identifier: MIT */
/*
 * cmd_init: prints a commented configuration for one connector, to start from.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/advice.h"
#include "app/commands.h"
#include "app/configuration.h"
#include "app/load.h"
#include "app/options.h"
#include "config/config_yaml.h"
#include "io/fs.h"

#define FILE_LIMIT ((size_t)256 * 1024)

struct init {
    struct arena arena;
    struct config_report report;
    struct slice use;  /* as asked for: a name or a path */
    struct slice name; /* the connector's, without folder and ending */
    const struct config_node *root; /* of its file */
    struct buf text;
};

static bool
is_true(const struct config_node *param, const char *key)
{
    const struct config_node *node = config_node_child(param, key);
    return node != NULL && slice_equal_text(node->text, "true");
}

static struct slice
text_of(const struct config_node *param, const char *key)
{
    const struct config_node *node = config_node_child(param, key);
    return node == NULL ? (struct slice){ NULL, 0 } : node->text;
}

/* One parameter, as a person would fill it in. */
static void
add_param(struct init *init, const struct config_node *param)
{
    struct slice doc = text_of(param, "doc");
    struct slice fallback = text_of(param, "default");
    struct slice name = param->key;
    struct buf *into = &init->text;
    if (doc.len > 0) {
        buf_format(into, "      # %.*s\n", SLICE_ARG(doc));
    }
    if (is_true(param, "secret") || slice_equal_text(name, "api_key") ||
        slice_equal_text(name, "webhook_secret")) {
        buf_format(into, "      %.*s_file: %.*s.%s\n", SLICE_ARG(name),
                   SLICE_ARG(init->name),
                   slice_equal_text(name, "webhook_secret") ? "secret"
                                                            : name.ptr);
    } else if (fallback.len > 0) {
        buf_format(into, "      # %.*s: %.*s\n", SLICE_ARG(name),
                   SLICE_ARG(fallback));
    } else {
        buf_format(into, "      %.*s: " ADVICE_FILL_IN "\n", SLICE_ARG(name));
    }
}

static void
add_params(struct init *init)
{
    const struct config_node *params = config_node_child(init->root, "params");
    bool any = false;
    for (const struct config_node *at = params == NULL ? NULL
                                                       : params->children;
         at != NULL; at = at->next) {
        if (!any) {
            buf_text(&init->text, "    with:\n");
        }
        any = true;
        add_param(init, at);
    }
}

static void
add_poll(struct init *init)
{
    const struct config_node *poll = config_node_child(init->root, "poll");
    if (poll == NULL || poll->kind != CONFIG_MAPPING) {
        return;
    }
    const struct config_node *cursor = config_node_child(poll, "cursor");
    struct slice overlap = { NULL, 0 };
    if (cursor != NULL) {
        overlap = text_of(cursor, "overlap");
        if (overlap.len == 0) {
            bool by_id = slice_equal_text(text_of(cursor, "kind"), "id");
            overlap = slice_of(by_id ? "5m" : "2m");
        }
    }
    buf_text(&init->text,
             "    poll:\n"
             "      every: 60s          # or cron: \"*/5 * * * *\"\n");
    buf_format(&init->text,
               "      # overlap: %-8.*s # how far each walk reads again: the "
               "loss bound\n",
               SLICE_ARG(overlap));
    buf_text(&init->text,

             "      # start: now        # or a time, or an age such as 7d\n");
}

/* One page, or a list of them. */
static void
add_docs(struct init *init)
{
    const struct config_node *docs = config_node_child(init->root, "docs");
    bool is_list = docs != NULL && docs->kind == CONFIG_SEQUENCE;
    for (const struct config_node *at = is_list ? docs->children : docs;
         at != NULL; at = is_list ? at->next : NULL) {
        buf_format(&init->text, "# %.*s\n", SLICE_ARG(at->text));
    }
}

/* A provider that is only asked opens no port. */
static void
add_listen(struct init *init)
{
    if (config_node_child(init->root, "verify") == NULL) {
        return;
    }
    buf_format(&init->text,
               "# Webhooks arrive at /hooks/%.*s. Without this section the "
               "agent is\n# outbound only: leave the webhook secret out "
               "then.\n"
               "listen:\n"
               "  address: 127.0.0.1:8080\n"
               "  # public_url: https://hooks.example.com\n\n",
               SLICE_ARG(init->name));
}

static void
render(struct init *init)
{
    struct slice title = text_of(init->root, "title");
    struct buf *into = &init->text;
    buf_text(into, "# yaml-language-server: $schema=" LONGSTOP_DATA_DIRECTORY
                   "/config.schema.json\n#\n");
    buf_format(into, "# %.*s\n", SLICE_ARG(title.len > 0 ? title : init->name));
    add_docs(init);
    buf_text(into, "# Secrets stand in files of their own (chmod 600), beside "
                   "this one.\n# 'longstop check' says what is still "
                   "missing.\n\n");
    add_listen(init);
    buf_format(into, "connectors:\n  %.*s:\n    use: %.*s\n",
               SLICE_ARG(init->name), SLICE_ARG(init->use));
    add_params(init);
    add_poll(init);
    buf_text(into, "\nhandlers:\n"
                   "  log:\n"
                   "    file: events.jsonl    # one CloudEvents object a "
                   "line\n"
                   "  # fulfil:\n"
                   "  #   exec: [./fulfil.sh] # the event on stdin; exit 0 is "
                   "done\n"
                   "  #   types: [\"*\"]\n");
}

static enum status
read_connector(struct init *init, struct error *err)
{
    struct config_source *source =
        arena_array(&init->arena, 1, sizeof(*source));
    struct slice path;
    struct buf text = { 0 };
    struct config_node *root = NULL;
    if (source == NULL) {
        return STATUS_NOMEM;
    }
    enum status status = configuration_find_connector(init->use, slice_of("."),
                                                      &init->arena, &path, err);
    if (status == STATUS_OK) {
        status = fs_read(path.ptr, FILE_LIMIT, &text, err);
    }
    if (status == STATUS_OK) {
        source->name = path;
        source->directory = slice_of(".");
        status = arena_copy(&init->arena, buf_slice(&text), &source->text);
    }
    buf_fini(&text);
    if (status == STATUS_OK) {
        status = config_yaml_parse(source, NULL, NULL, &init->arena,
                                   &init->report, &root);
    }
    init->root = root;
    if (status == STATUS_OK && (root == NULL || init->report.errors > 0)) {
        status = error_set(err, STATUS_CONFIG,
                           "%.*s cannot be read: 'longstop check' says why",
                           SLICE_ARG(path));
    }
    return status;
}

/* Writes longstop.yaml here, never over one that is there. */
static enum exit_code
write_file(const struct init *init)
{
    const char *path = "longstop.yaml";
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)fprintf(stderr, "longstop init: %s: %s%s\n", path,
                      strerror(errno),
                      errno == EEXIST ? "; it is left as it is" : "");
        return EXIT_FAILED;
    }
    ssize_t wrote = write(fd, init->text.ptr, init->text.len);
    bool whole = wrote >= 0 && (size_t)wrote == init->text.len;
    if (close(fd) != 0 || !whole) {
        (void)fprintf(stderr, "longstop init: %s could not be written\n", path);
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

static enum exit_code
print(const struct init *init, bool to_file)
{
    if (buf_status(&init->text) != STATUS_OK) {
        return EXIT_FAILED;
    }
    enum exit_code code = EXIT_OK;
    if (to_file) {
        code = write_file(init);
    } else if (fwrite(init->text.ptr, 1, init->text.len, stdout) !=
               init->text.len) {
        code = EXIT_FAILED;
    }
    if (code == EXIT_OK && isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "next: put the secrets in their files, then "
                              "'longstop check' and 'longstop run'\n");
    }
    return code;
}

/* "shop" of "my/shop.yaml". */
static struct slice
stem_of(struct slice path)
{
    static const struct slice ending = SLICE(".yaml");
    size_t begin = path.len;
    while (begin > 0 && path.ptr[begin - 1] != '/') {
        begin--;
    }
    path = slice_from(path, begin);
    return slice_ends(path, ending) ? slice_first(path, path.len - ending.len)
                                    : path;
}

/* Names what there is, and what was probably meant. */
static void
print_known(struct slice use)
{
    struct arena arena = { 0 };
    struct config_texts known = { 0 };
    if (configuration_list_connectors(slice_of("."), &arena, &known) ==
        STATUS_OK) {
        for (size_t i = 0; i < known.count; i++) {
            (void)fprintf(stderr, "%s%.*s", i == 0 ? "there are: " : ", ",
                          SLICE_ARG(known.at[i]));
        }
        (void)fputs(known.count > 0 ? "\n" : "", stderr);
        for (size_t i = 0; i < known.count; i++) {
            if (config_suggest(use, &known.at[i].ptr, 1) != NULL) {
                (void)fprintf(stderr, "did you mean '%.*s'?\n",
                              SLICE_ARG(known.at[i]));
            }
        }
    }
    arena_fini(&arena);
}

enum exit_code
cmd_init(int argc, char **argv)
{
    bool to_file = false;
    const struct option_spec options[] = {
        { "write", 'w', NULL, "write longstop.yaml instead of printing", NULL,
          &to_file },
    };
    const struct command_spec spec = {
        .name = "init",
        .operands = "CONNECTOR",
        .operand_count = 1,
        .summary = "Prints a commented configuration for a connector; without "
                   "CONNECTOR, names\nthose there are.",
        .examples = "  longstop init stripe > longstop.yaml\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict == OPTIONS_WRONG && argc == 1) {
        print_known((struct slice){ NULL, 0 });
    }
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    struct init init = { .use = slice_of(operands[0]),
                         .name = stem_of(slice_of(operands[0])) };
    struct error err = { 0 };
    enum exit_code code;
    enum status status = read_connector(&init, &err);
    if (status == STATUS_OK) {
        render(&init);
        code = print(&init, to_file);
    } else {
        (void)fprintf(stderr, "longstop init: %s\n", error_text(&err, status));
        code = load_exit_code(status);
        if (status == STATUS_NOT_FOUND) {
            print_known(init.use);
            code = EXIT_USAGE;
        }
    }
    buf_fini(&init.text);
    config_report_fini(&init.report);
    arena_fini(&init.arena);
    return code;
}
