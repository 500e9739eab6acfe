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
#include "app/catalogue.h"
#include "app/commands.h"
#include "app/configuration.h"
#include "app/load.h"
#include "app/options.h"
#include "base/suggest.h"

/* Where a line of a comment is broken. */
#define COMMENT_WIDTH 76

struct init {
    struct configuration reading; /* holds the file's tree */
    struct slice use;             /* as asked for: a name or a path */
    struct slice name; /* the connector's, without folder and ending */
    const struct config_node *root; /* of its file */
    bool asks_key;  /* what webhooks are verified with is asked for */
    bool exclusive; /* the provider has a list or webhooks, never both */
    bool signs_url; /* signatures cover our address */
    bool service;   /* for longstop.service, not for a shell */
    struct buf credentials; /* the unit's lines for them */
    struct buf text;
};

static bool
is_true(const struct config_node *param, const char *key)
{
    const struct config_node *node = config_node_child(param, key);
    return node != NULL && slice_equal_text(node->text, "true");
}

/* A comment, broken where it would be too wide. */
static void
add_comment(struct buf *into, size_t indent, struct slice words)
{
    size_t column = 0;
    while (words.len > 0) {
        size_t end = slice_find(words, ' ');
        struct slice word =
            slice_first(words, end == SIZE_MAX ? words.len : end);
        if (column == 0 || column + 1 + word.len > COMMENT_WIDTH) {
            buf_format(into, "%s%*s#", column == 0 ? "" : "\n", (int)indent,
                       "");
            column = indent + 1;
        }
        buf_format(into, " %.*s", SLICE_ARG(word));
        column += 1 + word.len;
        words = slice_from(words, end == SIZE_MAX ? words.len : end + 1);
    }
    buf_text(into, column == 0 ? "" : "\n");
}

static struct slice
text_of(const struct config_node *param, const char *key)
{
    const struct config_node *node = config_node_child(param, key);
    return node == NULL ? (struct slice){ NULL, 0 } : node->text;
}

/* Whether `subscribe` has the secret made: then it is not a person's to know.
 */
static bool
subscribe_brings_secret(const struct init *init)
{
    const struct config_node *part = config_node_child(init->root, "register");
    if (part == NULL || config_node_child(part, "create") == NULL) {
        return false;
    }
    part = config_node_child(part, "secret");
    return part != NULL && (part->kind == CONFIG_MAPPING ||
                            (part->text.len > 0 && part->text.ptr[0] == '$'));
}

/* A file beside the configuration, or what systemd hands to the unit. */
static void
add_secret(struct init *init, struct slice key, const char *ending,
           bool is_left_out)
{
    buf_format(
        &init->text, "      %s%.*s%s %s%.*s.%s\n", is_left_out ? "# " : "",
        SLICE_ARG(key),
        init->service ? ":" : "_file:", init->service ? "credential:" : "",
        SLICE_ARG(init->name), ending);
    if (!is_left_out) {
        buf_format(&init->credentials,
                   "#     LoadCredential=%.*s.%s:/etc/credstore/%.*s.%s\n",
                   SLICE_ARG(init->name), ending, SLICE_ARG(init->name),
                   ending);
    }
}

/* How the unit comes by the secrets. */
static void
add_credentials(struct init *init)
{
    if (!init->service || init->credentials.len == 0) {
        return;
    }
    buf_text(&init->text,
             "\n# 'sudo systemctl edit longstop' has the unit given them:\n"
             "#     [Service]\n");
    buf_append(&init->text, buf_slice(&init->credentials));
}

/* One parameter, as a person would fill it in. */
static void
add_param(struct init *init, const struct config_node *param)
{
    struct slice doc = text_of(param, "doc");
    struct slice fallback = text_of(param, "default");
    struct slice name = param->key;
    struct buf *into = &init->text;
    const bool hook = slice_equal_text(name, "webhook_secret");
    add_comment(into, 6, doc);
    if (hook && subscribe_brings_secret(init)) {
        buf_format(
            into,
            "      # 'longstop subscribe %.*s' has it made and keeps it: "
            "leave this\n      # line out then.\n",
            SLICE_ARG(init->name));
    }
    if (is_true(param, "secret") || slice_equal_text(name, "api_key") || hook) {
        add_secret(init, name, hook ? "secret" : name.ptr,
                   hook && (init->exclusive || init->asks_key));
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
    const struct slice every = text_of(poll, "every");
    buf_text(&init->text, "    poll:\n");
    buf_format(&init->text, "      every: %-12.*s # or cron: \"*/5 * * * *\"\n",
               SLICE_ARG(every.len > 0 ? every : slice_of("60s")));
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
    if (init->exclusive) {
        buf_text(&init->text,
                 "# This provider shows its list only while it sends no "
                 "webhooks. To listen\n# instead, give the webhook secret and "
                 "this section, and say 'poll: none'\n# in place of the poll "
                 "section below.\n"
                 "# listen:\n"
                 "#   address: 127.0.0.1:8080\n\n");
        return;
    }
    buf_format(&init->text,
               "# Webhooks arrive at /hooks/%.*s. Without this section the "
               "agent is\n# outbound only: leave the webhook secret out "
               "then.\n"
               "listen:\n"
               "  address: 127.0.0.1:8080\n",
               SLICE_ARG(init->name));
    buf_text(&init->text,
             init->signs_url
                 ? "  # The signature covers the address that the provider "
                   "sends to.\n"
                   "  public_url: https://" ADVICE_FILL_IN "\n\n"
                 : "  # public_url: https://hooks.example.com\n\n");
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
    buf_text(into, init->service
                       ? "# For /etc/longstop/longstop.yaml. Secrets are files "
                         "in /etc/credstore (chmod\n# 600, root's), which "
                         "systemd hands to the unit: see the end.\n"
                       : "# Secrets stand in files of their own (chmod 600), "
                         "beside this one.\n");
    buf_text(into, "# 'longstop check' says what is still missing.\n\n");
    add_listen(init);
    buf_format(into, "connectors:\n  %.*s:\n    use: %.*s\n",
               SLICE_ARG(init->name), SLICE_ARG(init->use));
    add_params(init);
    add_poll(init);
    buf_text(into, "\nhandlers:\n  log:\n");
    buf_text(into, init->service
                       ? "    # one CloudEvents object a line\n"
                         "    file: /var/lib/longstop/events.jsonl\n"
                       : "    file: events.jsonl    # one CloudEvents object a "
                         "line\n");
    buf_format(into,
               "  # fulfil:\n"
               "  #   exec: [%s] # the event on stdin; exit 0 is done\n"
               "  #   types: [\"*\"]\n",
               init->service ? "/usr/local/bin/fulfil" : "./fulfil.sh");
    add_credentials(init);
}

static bool
names_url(const struct config_node *text)
{
    return slice_find_slice(text->text, slice_of("{url")) != SIZE_MAX;
}

/* Whether one of the texts that are signed names our address. */
static bool
rule_signs_url(const struct config_node *rule)
{
    const struct config_node *text = config_node_child(rule, "signed");
    bool found = text != NULL && names_url(text);
    for (text = text == NULL ? NULL : text->children; text != NULL;
         text = text->next) {
        found |= names_url(text);
    }
    return found;
}

static bool
signs_url(const struct config_node *verify)
{
    bool found = rule_signs_url(verify);
    for (const struct config_node *at = verify->children; at != NULL;
         at = at->next) {
        found |= rule_signs_url(at);
    }
    return found;
}

static bool
asks_key(const struct config_node *verify)
{
    const struct config_node *key = config_node_child(verify, "key");
    return key != NULL && config_node_child(key, "jwk") != NULL;
}

static enum status
read_connector(struct init *init, struct error *err)
{
    enum status status = configuration_read_connector(&init->reading, init->use,
                                                      &init->root, err);
    if (init->reading.report.first != NULL) {
        load_print_findings(&init->reading.report);
    }
    if (status != STATUS_OK) {
        return status;
    }
    const struct config_node *verify = config_node_child(init->root, "verify");
    const struct config_node *poll = config_node_child(init->root, "poll");
    init->signs_url = verify != NULL && signs_url(verify);
    init->asks_key = verify != NULL && asks_key(verify);
    init->exclusive = poll != NULL && is_true(poll, "exclusive_with_webhook");
    return STATUS_OK;
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
    if (buf_status(&init->text) != STATUS_OK ||
        buf_status(&init->credentials) != STATUS_OK) {
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
            if (suggest_near(use, &known.at[i].ptr, 1) != NULL) {
                (void)fprintf(stderr, "did you mean '%.*s'?\n",
                              SLICE_ARG(known.at[i]));
            }
        }
    }
    arena_fini(&arena);
}

static enum exit_code
print_list(bool json)
{
    struct buf text = { 0 };
    struct error err = { 0 };
    enum exit_code code = EXIT_OK;
    enum status status = catalogue_print(json, &text, &err);
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "longstop init: %s\n", error_text(&err, status));
        code = load_exit_code(status);
    } else if (fwrite(text.ptr, 1, text.len, stdout) != text.len) {
        code = EXIT_FAILED;
    }
    buf_fini(&text);
    return code;
}

/* A file that has nothing but a stream is for other connectors. */
static bool
is_relay(const struct init *init)
{
    return config_node_child(init->root, "stream") != NULL &&
           config_node_child(init->root, "verify") == NULL;
}

static enum exit_code
refuse_relay(const char *use)
{
    (void)fprintf(stderr,
                  "longstop init: '%s' is a relay, and no provider: begin with "
                  "the provider, and give it\n    stream: {use: %s, url: …}\n",
                  use, use);
    return EXIT_USAGE;
}

static enum exit_code
init_connector(const char *use, bool service, bool to_file)
{
    struct init init = { .use = slice_of(use),
                         .name = stem_of(slice_of(use)),
                         .service = service };
    struct error err = { 0 };
    enum exit_code code;
    enum status status = read_connector(&init, &err);
    if (status == STATUS_OK && is_relay(&init)) {
        code = refuse_relay(use);
    } else if (status == STATUS_OK) {
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
    buf_fini(&init.credentials);
    configuration_fini(&init.reading);
    return code;
}

enum exit_code
cmd_init(int argc, char **argv)
{
    bool to_file = false;
    bool list = false;
    bool json = false;
    bool service = false;
    const struct option_spec options[] = {
        { "list", 'l', NULL, "print the connectors there are, by group", NULL,
          &list },
        { "json", 0, NULL, "with --list, as JSON", NULL, &json },
        { "service", 's', NULL, "for longstop.service, in /etc/longstop", NULL,
          &service },
        { "write", 'w', NULL, "write longstop.yaml instead of printing", NULL,
          &to_file },
    };
    const struct command_spec spec = {
        .name = "init",
        .operands = "[CONNECTOR]",
        .operand_more = 1,
        .summary = "Prints a commented configuration for a connector.",
        .examples = "  longstop init --list\n"
                    "  longstop init stripe > longstop.yaml\n"
                    "  longstop init stripe --service | "
                    "sudo tee /etc/longstop/longstop.yaml\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    if (list) {
        return print_list(json);
    }
    if (operands[0] == NULL) {
        (void)fputs("longstop init: CONNECTOR is missing\n", stderr);
        print_known((struct slice){ NULL, 0 });
        return EXIT_USAGE;
    }
    return init_connector(operands[0], service, to_file);
}
