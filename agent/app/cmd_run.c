/* SPDX-License-Identifier: MIT */
/*
 * cmd_run: starts the agent and stays in the foreground.
 */
#include <stdio.h>
#include <string.h>

#include "app/agent.h"
#include "app/commands.h"
#include "app/load.h"
#include "app/options.h"
#include "io/log_sink.h"
#include "io/privacy.h"

static void
open_log(const struct configuration *configuration, const char *format,
         bool verbose)
{
    static const char *const formats[] = { NULL, "text", "logfmt", "json" };
    const struct log_settings *log = &configuration->settings.log;
    log_sink_open(format != NULL ? format : formats[log->format],
                  verbose ? LOG_DEBUG : (enum log_level)log->level);
}

/* What the command line says of the log, which no configuration changes. */
struct log_wish {
    const char *format;
    bool verbose;
};

static void
reloaded(void *arg, const struct configuration *configuration)
{
    const struct log_wish *wish = arg;
    /* First, so that what was counted is said in the form it began in. */
    log_sink_fold_for(configuration->settings.log.fold_ms);
    open_log(configuration, wish->format, wish->verbose);
}

static enum exit_code
run(struct configuration *configuration, struct log_wish *wish)
{
    const struct agent_settings settings = {
        .mode = AGENT_RUN,
        .configuration = configuration,
        .version = LONGSTOP_VERSION,
        .reloaded = reloaded,
        .arg = wish,
    };
    struct agent *agent;
    struct error err = { 0 };
    enum status status = agent_create(&settings, &agent, &err);
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "longstop: %s\n", error_text(&err, status));
        return load_exit_code(status);
    }
    enum exit_code code = agent_run(agent);
    agent_destroy(agent);
    return code;
}

static bool
format_known(const char *format)
{
    return format == NULL || strcmp(format, "text") == 0 ||
           strcmp(format, "logfmt") == 0 || strcmp(format, "json") == 0;
}

enum exit_code
cmd_run(int argc, char **argv)
{
    const char *path = NULL, *format = NULL;
    bool verbose = false;
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "log-format", 0, "FORMAT", "text, logfmt or json", &format, NULL },
        { "verbose", 'v', NULL, "also the lines for debugging", NULL,
          &verbose },
    };
    const struct command_spec spec = {
        .name = "run",
        .operands = "",
        .summary = "Runs the agent in the foreground until SIGTERM or SIGINT.",
        .examples = "  longstop run -c /etc/longstop/longstop.yaml\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    if (!format_known(format)) {
        (void)fprintf(stderr, "longstop run: --log-format takes text, logfmt "
                              "or json\n");
        return EXIT_USAGE;
    }
    struct configuration configuration;
    enum exit_code code = load_configuration(path, &configuration);
    if (code != EXIT_OK) {
        return code;
    }
    struct log_wish wish = { format, verbose };
    privacy_begin();
    open_log(&configuration, format, verbose);
    code = run(&configuration, &wish);
    configuration_fini(&configuration);
    return code;
}
