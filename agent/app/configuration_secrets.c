/* SPDX-License-Identifier: MIT */
/* configuration_secrets: what a configuration only points to, read. */
#include "app/configuration_private.h"

#include "handler/handler_broker.h"
#include "io/fs.h"
#include "io/kept.h"
#include "io/plugin_load.h"
#include "io/secret.h"

#define FILE_BYTES_MAX ((size_t)1024 * 1024)

/* Into the fingerprint of what is being bound. */
static void
gather(struct configuration *configuration, struct slice text)
{
    if (configuration->gathers) {
        fingerprint_text(text, &configuration->gathered);
    }
}

bool
configuration_read_secret(void *arg, const struct config_secret *secret,
                          struct config_report *report, struct arena *arena,
                          struct slice *ret_text)
{
    struct buf text = { 0 };
    struct error err = { 0 };
    bool loose = false;
    struct configuration *configuration = arg;
    enum status status = secret_read(secret, &text, &loose, &err);
    if (status != STATUS_OK) {
        config_report_add(report, CONFIG_ERROR, secret->mark, "%s",
                          error_text(&err, status));
    } else {
        if (loose) {
            config_report_add(report, CONFIG_WARNING, secret->mark,
                              "others can read this secret's file; chmod 600 "
                              "keeps it yours");
        }
        status = arena_copy(arena, buf_slice(&text), ret_text);
    }
    gather(configuration, buf_slice(&text));
    mem_wipe(text.ptr, text.len);
    buf_fini(&text);
    return status == STATUS_OK;
}

/* A secret that `subscribe` has kept; one that others could have read is
 * refused. */
bool
configuration_read_kept(void *arg, struct slice connector, struct slice name,
                        struct config_report *report, struct arena *arena,
                        struct slice *ret_text)
{
    struct configuration *configuration = arg;
    struct buf text = { 0 };
    struct error err = { 0 };
    const struct config_mark nowhere = { 0 };
    enum status status = kept_read(configuration->places.secrets.ptr, connector,
                                   name, &text, &err);
    if (status == STATUS_OK) {
        status = arena_copy(arena, buf_slice(&text), ret_text);
    } else if (status != STATUS_NOT_FOUND) {
        config_report_add(report, CONFIG_ERROR, nowhere, "%s",
                          error_text(&err, status));
    }
    gather(configuration, buf_slice(&text));
    mem_wipe(text.ptr, text.len);
    buf_fini(&text);
    return status == STATUS_OK;
}

enum status
configuration_read_token(struct configuration *configuration)
{
    const struct config_secret *token = &configuration->settings.admin.token;
    if (token->from == SECRET_NONE) {
        return STATUS_OK;
    }
    (void)configuration_read_secret(
        configuration, token, &configuration->report, &configuration->arena,
        &configuration->admin_token);
    return STATUS_OK;
}

/* What a broker is told of who we are, and whether its plugin is there and
 * takes all that. */
static void
read_broker(struct configuration *configuration, size_t index)
{
    const struct config_list *list = &configuration->settings.handlers;
    struct handler_settings *handler =
        &((struct handler_settings *)list->at)[index];
    const enum broker_kind kind =
        (enum broker_kind)(handler->kind - HANDLER_BROKERS);
    const struct longstop_plugin *plugin = NULL;
    struct error err = { 0 };
    for (size_t i = 0; i < BROKER_VALUES_MAX; i++) {
        const struct config_secret *secret =
            broker_secret(kind, handler->broker, i);
        if (secret != NULL &&
            !configuration_read_secret(
                configuration, secret, &configuration->report,
                &configuration->arena, &handler->broker->values[i].text)) {
            return;
        }
    }
    enum status status = plugin_load(broker_tables[kind].name, &plugin, &err);
    if (status == STATUS_OK) {
        status = handler_broker_check(plugin, kind, handler->broker, &err);
    }
    if (status != STATUS_OK) {
        config_report_add(&configuration->report, CONFIG_ERROR,
                          list->marks[index], "handler '%.*s': %s",
                          SLICE_ARG(list->names[index]),
                          error_text(&err, status));
    }
}

/* What a file holds, where the text is the path of one: certificates are
 * renewed in their place. One that cannot be read is told of by whoever needs
 * it. */
static void
gather_file(struct slice path, struct buf *into)
{
    struct buf text = { 0 };
    if (slice_find(path, '/') != SIZE_MAX && fs_exists(path.ptr) &&
        fs_read(path.ptr, FILE_BYTES_MAX, &text, NULL) == STATUS_OK) {
        fingerprint_text(buf_slice(&text), into);
    }
    mem_wipe(text.ptr, text.len); /* keys are among them */
    buf_fini(&text);
}

static void
gather_http(const struct handler_settings *handler, struct buf *into)
{
    const struct handler_http_settings *http = handler->http;
    fingerprint_text(handler->http_secret, into);
    gather_file(http->ca_file, into);
    gather_file(http->certificate_file, into);
    gather_file(http->key_file, into);
}

static void
gather_broker(const struct broker_settings *broker, struct buf *into)
{
    for (size_t i = 0; i < BROKER_VALUES_MAX; i++) {
        fingerprint_text(broker->values[i].text, into);
        gather_file(broker->values[i].text, into);
    }
}

/* What a handler is made of: its keys, where its program is looked for, and its
 * secrets and certificates. */
static enum status
take_print(struct configuration *configuration, size_t index)
{
    const struct config_list *list = &configuration->settings.handlers;
    const struct handler_settings *handler =
        &((const struct handler_settings *)list->at)[index];
    struct slice name = list->names[index];
    struct buf gathered = { 0 };
    fingerprint_node(
        config_node_child(config_node_child(configuration->root, "handlers"),
                          name.ptr),
        &gathered);
    if (handler->exec.count > 0 && handler->exec.marks[0].source != NULL) {
        fingerprint_text(handler->exec.marks[0].source->directory, &gathered);
    }
    if (handler->http != NULL) {
        gather_http(handler, &gathered);
    }
    if (handler->broker != NULL) {
        gather_broker(handler->broker, &gathered);
    }
    return fingerprint_take(&gathered, name,
                            &configuration->handler_prints[index]);
}

/* The secrets that http handlers sign with, and those of brokers. */
enum status
configuration_read_handlers(struct configuration *configuration)
{
    const struct config_list *list = &configuration->settings.handlers;
    struct handler_settings *all = list->at;
    enum status status = STATUS_OK;
    configuration->handler_prints =
        arena_array(&configuration->arena, list->count + 1,
                    sizeof(*configuration->handler_prints));
    if (configuration->handler_prints == NULL) {
        return STATUS_NOMEM;
    }
    for (size_t i = 0; i < list->count && status == STATUS_OK; i++) {
        if (all[i].http != NULL && all[i].http->secret.from != SECRET_NONE) {
            (void)configuration_read_secret(
                configuration, &all[i].http->secret, &configuration->report,
                &configuration->arena, &all[i].http_secret);
        }
        if (all[i].broker != NULL &&
            config_report_status(&configuration->report) == STATUS_OK) {
            read_broker(configuration, i);
        }
        status = take_print(configuration, i);
    }
    return status;
}
