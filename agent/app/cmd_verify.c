/* SPDX-License-Identifier: MIT */
/*
 * cmd_verify: says whether a captured webhook is genuine, and why; no secret is
 * ever printed.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/fetch_key.h"
#include "app/load.h"
#include "app/options.h"
#include "app/request_file.h"
#include "base/instant.h"
#include "flow/intake.h"
#include "io/clock.h"
#include "io/fs.h"
#include "wire/json_tree.h"
#include "wire/template.h"

#define REQUEST_LIMIT ((size_t)64 * 1024 * 1024)

struct result {
    bool genuine;
    struct verdict verdict;
    struct intake_want want;
    struct arrival *arrival;
};

/* What the command line asks for. */
struct request {
    const struct configuration *configuration;
    const struct connector *connector;
    const char *cert; /* a file with the key; NULL: it is fetched */
    int64_t now_ms;
    bool json;
};

/* What the connector looks for in a genuine webhook and does not find there
 * fails nothing: handlers get the event without it. */
static void
print_missing(const struct event_spec *spec, const struct sighting *sighting)
{
    if (spec->type != NULL && slice_equal_text(sighting->type, "unknown")) {
        (void)printf("  event.type: nothing at '%.*s'\n",
                     SLICE_ARG(template_source(spec->type)));
    }
    if (spec->time != NULL && sighting->time_ms == 0) {
        (void)printf("  event.time: no time at '%.*s'\n",
                     SLICE_ARG(template_source(spec->time)));
    }
}

static void
print_text(const struct request *request, const struct result *result)
{
    const struct arrival *arrival = result->arrival;
    if (!result->genuine) {
        (void)printf("not genuine: %.*s\n", SLICE_ARG(result->verdict.why));
        if (result->verdict.kind == VERDICT_FORGED &&
            slice_ends(arrival->request.body, slice_of("\n"))) {
            (void)printf("  the body ends in a line break: if an editor added "
                         "it, take it away\n");
        }
        return;
    }
    if (result->verdict.kind == VERDICT_INVALID) {
        (void)printf("genuine, but not what the connector expects: %.*s\n",
                     SLICE_ARG(result->verdict.why));
        return;
    }
    (void)printf("genuine%s\n",
                 result->verdict.kind == VERDICT_ANSWER ? ": a handshake" : "");
    if (result->want.kind == WANT_CONFIRMATION) {
        (void)printf("  the agent answers it once it has fetched %.*s\n",
                     SLICE_ARG(result->want.url));
    }
    for (size_t i = 0; i < arrival->sighting_count; i++) {
        char at[INSTANT_TEXT_BYTES];
        const struct sighting *sighting = &arrival->sightings[i];
        (void)printf("  event %.*s, type %.*s, time %s\n",
                     SLICE_ARG(sighting->id), SLICE_ARG(sighting->type),
                     sighting->time_ms == 0
                         ? "none"
                         : instant_text(sighting->time_ms, at));
        print_missing(&request->connector->event, sighting);
    }
}

static void
print_json(const struct result *result)
{
    struct json_tree *tree;
    struct buf text = { 0 };
    if (json_tree_create(&tree) != STATUS_OK) {
        return;
    }
    struct json_node *root = json_tree_root(tree);
    json_add_bool(tree, root, "genuine", result->genuine);
    if (result->verdict.why.len > 0) {
        json_add_text(tree, root, "why", result->verdict.why);
    } else {
        json_add_null(tree, root, "why");
    }
    struct json_node *events = json_add_array(tree, root, "events");
    for (size_t i = 0; i < result->arrival->sighting_count; i++) {
        const struct sighting *sighting = &result->arrival->sightings[i];
        struct json_node *event = json_add_object(tree, events, NULL);
        char at[INSTANT_TEXT_BYTES];
        json_add_text(tree, event, "id", sighting->id);
        json_add_text(tree, event, "type", sighting->type);
        json_add_text(tree, event, "time",
                      slice_of(sighting->time_ms == 0
                                   ? ""
                                   : instant_text(sighting->time_ms, at)));
    }
    if (json_tree_print(tree, false, &text) == STATUS_OK) {
        (void)printf("%s\n", text.ptr);
    }
    json_tree_destroy(tree);
    buf_fini(&text);
}

/* Judges again with the key that the request needs. STATUS_UNAVAILABLE: nobody
 * can tell without it. */
static enum status
judge_with_key(const struct request *request, struct result *result,
               struct error *err)
{
    const struct verify_want want = result->want.key;
    struct buf key = { 0 };
    enum status status = request->cert != NULL
                             ? fetch_key_file(request->cert, &want, &key, err)
                             : fetch_key(request->configuration,
                                         request->connector, &want, &key, err);
    if (status != STATUS_OK) {
        buf_fini(&key);
        return error_wrap(err, STATUS_UNAVAILABLE,
                          "nobody can tell without the key '%.*s'",
                          SLICE_ARG(slice_first(want.name, 200)));
    }
    const struct verify_found found = { want.name, buf_slice(&key) };
    status = intake_judge(result->arrival, &found, request->now_ms, INT64_MIN,
                          &result->verdict, &result->want);
    buf_fini(&key);
    return status;
}

static enum status
judge_request(const struct request *request, struct slice raw,
              struct result *result, struct error *err)
{
    enum status status = request_file_parse(raw, result->arrival, err);
    if (status == STATUS_INVALID) {
        /* What the listener would not read cannot be genuine either. */
        result->verdict = (struct verdict){ .kind = VERDICT_FORGED,
                                            .why = slice_of(err->text) };
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = intake_judge(result->arrival, NULL, request->now_ms, INT64_MIN,
                              &result->verdict, &result->want);
    }
    if (status == STATUS_OK && result->want.kind == WANT_KEY) {
        status = judge_with_key(request, result, err);
    }
    return status;
}

static enum exit_code
judge(const struct request *request, struct slice raw)
{
    struct result result = { 0 };
    struct error err = { 0 };
    enum status status =
        arrival_create(request->connector, ARRIVAL_REQUEST, CHANNEL_WEBHOOK,
                       request->now_ms, &result.arrival);
    if (status != STATUS_OK) {
        return EXIT_FAILED;
    }
    status = judge_request(request, raw, &result, &err);
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "longstop verify: %s\n",
                      error_text(&err, status));
        arrival_destroy(result.arrival);
        return status == STATUS_UNAVAILABLE ? EXIT_LATER : EXIT_FAILED;
    }
    result.genuine = result.verdict.kind != VERDICT_FORGED &&
                     result.verdict.kind != VERDICT_STALE;
    if (request->json) {
        print_json(&result);
    } else {
        print_text(request, &result);
    }
    arrival_destroy(result.arrival);
    return result.genuine ? EXIT_OK : EXIT_FAILED;
}

static enum exit_code
verify_file(struct request *request, char *const *operands)
{
    struct buf raw = { 0 };
    struct error err = { 0 };
    request->connector =
        load_connector(request->configuration, "verify", operands[0]);
    if (request->connector == NULL) {
        return EXIT_USAGE;
    }
    if (!request->connector->has_webhook) {
        (void)fprintf(stderr,
                      "longstop verify: connector '%s' has no webhook: it "
                      "needs a webhook_secret\n",
                      operands[0]);
        return EXIT_CONFIG;
    }
    enum status status =
        strcmp(operands[1], "-") == 0
            ? fs_read_fd(STDIN_FILENO, REQUEST_LIMIT, &raw, &err)
            : fs_read(operands[1], REQUEST_LIMIT, &raw, &err);
    /* 1 would say that the request is not genuine */
    enum exit_code code = EXIT_USAGE;
    if (status == STATUS_OK) {
        code = judge(request, buf_slice(&raw));
    } else {
        (void)fprintf(stderr, "longstop verify: %s\n",
                      error_text(&err, status));
    }
    buf_fini(&raw);
    return code;
}

enum exit_code
cmd_verify(int argc, char **argv)
{
    const char *path = NULL, *at = NULL;
    struct request request = { .now_ms = clock_unix_ms() };
    const struct option_spec options[] = {
        { "config", 'c', "FILE", "the configuration", &path, NULL },
        { "at", 0, "UNIX", "judge as of this time, in seconds", &at, NULL },
        { "cert", 0, "FILE", "its certificate, PEM or JWK: fetch nothing",
          &request.cert, NULL },
        { "json", 0, NULL, "as JSON", NULL, &request.json },
    };
    const struct command_spec spec = {
        .name = "verify",
        .operands = "CONNECTOR REQUEST",
        .operand_count = 2,
        .summary = "Says whether a captured webhook is genuine, and why not. "
                   "REQUEST is a file\nholding one raw HTTP/1.1 request, or - "
                   "for standard input.",
        .examples = "  longstop verify -c longstop.yaml shop request.http\n",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    char **operands;
    enum options_verdict verdict = options_parse(&spec, argc, argv, &operands);
    if (verdict != OPTIONS_OK) {
        return verdict == OPTIONS_HELP ? EXIT_OK : EXIT_USAGE;
    }
    if (at != NULL) {
        if (slice_to_i64(slice_of(at), &request.now_ms) != STATUS_OK ||
            request.now_ms > INT64_MAX / 1000 ||
            request.now_ms < INT64_MIN / 1000) {
            (void)fprintf(stderr, "longstop verify: --at takes seconds since "
                                  "1970\n");
            return EXIT_USAGE;
        }
        request.now_ms *= 1000;
    }
    struct configuration configuration;
    enum exit_code code = load_configuration(path, &configuration);
    if (code == EXIT_OK) {
        request.configuration = &configuration;
        code = verify_file(&request, operands);
        configuration_fini(&configuration);
    }
    return code;
}
