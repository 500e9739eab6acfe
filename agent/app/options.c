/* SPDX-License-Identifier: MIT */
#include "app/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "config/config_report.h"

#define OPTIONS_MAX 16

static void
print_usage(const struct command_spec *spec, FILE *to)
{
    (void)fprintf(to, "usage: longstop %s%s%s%s\n", spec->name,
                  spec->option_count > 0 ? " [OPTIONS]" : "",
                  spec->operands[0] != '\0' ? " " : "", spec->operands);
}

static void
print_help(const struct command_spec *spec)
{
    (void)printf("%s\n\n", spec->summary);
    print_usage(spec, stdout);
    if (spec->examples != NULL) {
        (void)printf("\nexamples:\n%s", spec->examples);
    }
    (void)printf("\noptions:\n");
    for (size_t i = 0; i < spec->option_count; i++) {
        const struct option_spec *option = &spec->options[i];
        char name[64];
        (void)snprintf(name, sizeof(name), "--%s%s%s", option->name,
                       option->value != NULL ? " " : "",
                       option->value != NULL ? option->value : "");
        if (option->letter != 0) {
            (void)printf("  -%c, %-24s %s\n", option->letter, name,
                         option->help);
        } else {
            (void)printf("      %-24s %s\n", name, option->help);
        }
    }
    (void)printf("  -h, %-24s %s\n", "--help", "this text");
}

static void
suggest(const struct command_spec *spec, const char *word)
{
    const char *names[OPTIONS_MAX];
    for (size_t i = 0; i < spec->option_count; i++) {
        names[i] = spec->options[i].name;
    }
    while (*word == '-') {
        word++;
    }
    const char *near = suggest_near(slice_of(word), names, spec->option_count);
    if (near != NULL) {
        (void)fprintf(stderr, "did you mean --%s?\n", near);
    }
}

/* The tables getopt_long wants, made from ours. */
struct getopt_form {
    struct option longs[OPTIONS_MAX + 2];
    char letters[3 * OPTIONS_MAX + 4];
};

static void
make_form(const struct command_spec *spec, struct getopt_form *form)
{
    size_t used = 0;
    memset(form, 0, sizeof(*form));
    form->letters[used++] = ':'; /* we speak of mistakes ourselves */
    for (size_t i = 0; i < spec->option_count; i++) {
        const struct option_spec *option = &spec->options[i];
        bool wants = option->value != NULL;
        form->longs[i] =
            (struct option){ option->name,
                             wants ? required_argument : no_argument, NULL,
                             (int)(256 + i) };
        if (option->letter != 0) {
            form->letters[used++] = option->letter;
            if (wants) {
                form->letters[used++] = ':';
            }
        }
    }
    form->letters[used] = 'h';
    form->longs[spec->option_count] =
        (struct option){ "help", no_argument, NULL, 'h' };
}

static const struct option_spec *
option_of(const struct command_spec *spec, int found)
{
    if (found >= 256) {
        return &spec->options[found - 256];
    }
    for (size_t i = 0; i < spec->option_count; i++) {
        if (spec->options[i].letter == found) {
            return &spec->options[i];
        }
    }
    return NULL;
}

static enum options_verdict
complain(const struct command_spec *spec, char **argv, int found)
{
    const char *word = argv[optind - 1];
    if (found == ':') {
        (void)fprintf(stderr, "longstop %s: %s needs a value\n", spec->name,
                      word);
    } else {
        (void)fprintf(stderr, "longstop %s: unknown option %s\n", spec->name,
                      word);
        suggest(spec, word);
    }
    print_usage(spec, stderr);
    return OPTIONS_WRONG;
}

/* Says which operand is missing, or which word is too many. */
static enum options_verdict
complain_count(const struct command_spec *spec, char *const *given,
               size_t count)
{
    size_t most = spec->operand_count + spec->operand_more;
    if (count > most) {
        struct slice word = slice_of(given[most]);
        (void)fprintf(stderr, "longstop %s: '%.*s' is a word too many%s\n",
                      spec->name, SLICE_ARG(word),
                      slice_ends(word, slice_of(".yaml"))
                          ? "; a configuration is named with -c"
                          : "");
    } else {
        struct slice rest = slice_of(spec->operands);
        struct slice word = rest;
        for (size_t i = 0; i <= count && slice_split(&rest, ' ', &word); i++) {
        }
        (void)fprintf(stderr, "longstop %s: %.*s is missing\n", spec->name,
                      SLICE_ARG(word));
    }
    print_usage(spec, stderr);
    return OPTIONS_WRONG;
}

static struct {
    options_show_fn *fn;
    void *arg;
} shown;

void
options_show(options_show_fn *fn, void *arg)
{
    shown.fn = fn;
    shown.arg = arg;
}

enum options_verdict
options_parse(const struct command_spec *spec, int argc, char **argv,
              char ***ret_operands)
{
    if (shown.fn != NULL) {
        shown.fn(shown.arg, spec);
        return OPTIONS_HELP;
    }
    struct getopt_form form;
    make_form(spec, &form);
    optind = 1;
    int found;
    while ((found = getopt_long(argc, argv, form.letters, form.longs, NULL)) !=
           -1) {
        if (found == 'h') {
            print_help(spec);
            return OPTIONS_HELP;
        }
        const struct option_spec *option = option_of(spec, found);
        if (option == NULL) {
            return complain(spec, argv, found);
        }
        if (option->flag != NULL) {
            *option->flag = true;
        } else {
            *option->text = optarg;
        }
    }
    size_t count = (size_t)(argc - optind);
    if (count < spec->operand_count ||
        count > spec->operand_count + spec->operand_more) {
        return complain_count(spec, argv + optind, count);
    }
    *ret_operands = argv + optind;
    return OPTIONS_OK;
}
