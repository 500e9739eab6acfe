/* SPDX-License-Identifier: MIT */
/*
 * cmd_manual: prints a page of the manual, or what completes words in a shell;
 * the build installs what they print.
 */
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "app/completion.h"
#include "app/manual.h"
#include "app/options.h"

static enum exit_code
print(struct buf *text)
{
    bool whole = buf_status(text) == STATUS_OK &&
                 fwrite(text->ptr, 1, text->len, stdout) == text->len;
    buf_fini(text);
    return whole ? EXIT_OK : EXIT_FAILED;
}

enum exit_code
cmd_manual(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*write)(const char *version, struct buf *into);
    } pages[] = {
        { "longstop.1", manual_commands },
        { "longstop.yaml.5", manual_configuration },
        { "longstop-connectors.7", manual_connectors },
    };
    const struct command_spec spec = {
        .name = "manual",
        .operands = "longstop.1|longstop.yaml.5|longstop-connectors.7",
        .operand_count = 1,
        .summary = "Prints a page of the manual for man(1): the commands, the "
                   "keys of the\nconfiguration, or the words of connectors.",
        .examples = "  longstop manual longstop.yaml.5 | man -l -\n",
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (strcmp(pages[i].name, operands[0]) == 0) {
            struct buf text = { 0 };
            pages[i].write(LONGSTOP_VERSION, &text);
            return print(&text);
        }
    }
    (void)fprintf(stderr,
                  "longstop manual: there is no page '%s'; there are "
                  "longstop.1, longstop.yaml.5 and longstop-connectors.7\n",
                  operands[0]);
    return EXIT_USAGE;
}

enum exit_code
cmd_completion(int argc, char **argv)
{
    const struct command_spec spec = {
        .name = "completion",
        .operands = "bash|zsh|fish",
        .operand_count = 1,
        .summary = "Prints what completes the words of this program in a "
                   "shell. Packages bring it along.",
        .examples = "  source <(longstop completion bash)\n"
                    "  longstop completion fish | source\n",
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    struct buf text = { 0 };
    if (!completion_write(operands[0], &text)) {
        (void)fprintf(stderr,
                      "longstop completion: '%s' is not known; there are "
                      "bash, zsh and fish\n",
                      operands[0]);
        return EXIT_USAGE;
    }
    return print(&text);
}
