/* SPDX-License-Identifier: MIT */
/*
 * configuration: files to settings: finds, reads, merges and binds them; the
 * only opener of configuration and connector files.
 */
#ifndef APP_CONFIGURATION_H
#define APP_CONFIGURATION_H

#include "app/fingerprint.h"
#include "app/placement.h"
#include "app/settings.h"

struct configuration {
    struct arena arena; /* holds everything below */
    struct arena bound; /* but what connectors were bound to, with secrets */
    struct config_report report;
    struct slice path;              /* of the main file */
    struct slice directory;         /* of the main file */
    const struct config_node *root; /* all files as one; NULL: none was read */
    struct settings settings;
    struct connector *connectors;
    size_t connector_count;
    struct fingerprint *connector_prints; /* one for each connector */
    struct fingerprint *handler_prints;   /* and for each handler */
    struct buf gathered; /* for the next of them, while it is bound */
    bool gathers;
    struct placement places;
    struct slice admin_token; /* empty: none */
    size_t file_count;
    bool registers; /* see configuration_load_to_register */
    bool asks;      /* see configuration_load_to_ask */
};

/*
 * Reads `path`, or the first of ./longstop.yaml and /etc/longstop/longstop.yaml
 * when NULL, and conf.d/ beside it. Every mistake is in the report. STATUS_OK,
 * STATUS_CONFIG (see the report), STATUS_NOT_FOUND or STATUS_NOMEM, with words.
 */
NODISCARD
enum status configuration_load(const char *path, struct configuration *ret,
                               struct error *err);

/* The same for `subscribe`: a connector may still be without its secret, and so
 * without any channel. */
NODISCARD
enum status configuration_load_to_register(const char *path,
                                           struct configuration *ret,
                                           struct error *err);

/*
 * The same for commands that only ask the running agent. Of connectors nothing
 * but the name is known, and no secret is read but admin.token: who may use the
 * admin socket need not be able to read what the agent was given.
 */
NODISCARD
enum status configuration_load_to_ask(const char *path,
                                      struct configuration *ret,
                                      struct error *err);

/* Forgets the connectors, and wipes what they were bound to, their secrets but
 * those that stand in the file itself: for one of which only handlers are still
 * needed. */
void configuration_forget_connectors(struct configuration *configuration);

/* Also wipes the secrets. */
void configuration_fini(struct configuration *configuration);

/* Returns the connector called `name`, or NULL. */
struct connector *configuration_connector(const struct configuration *c,
                                          struct slice name);

/*
 * Finds the file of connector `use` ("petstore", or a path relative to
 * `directory`): $LONGSTOP_CONNECTORS, connectors/ beside the configuration, the
 * installed ones, and in a development build the source tree. The path is
 * copied into `arena`. STATUS_NOT_FOUND says where it looked.
 */
NODISCARD
enum status configuration_find_connector(struct slice use,
                                         struct slice directory,
                                         struct arena *arena,
                                         struct slice *ret_path,
                                         struct error *err);

/*
 * Reads the file of connector `use`, with what it extends, for whoever looks
 * into it without a configuration: *configuration starts zeroed and is ended
 * with configuration_fini, which frees the tree. STATUS_NOT_FOUND says where it
 * looked; STATUS_CONFIG: see the report.
 */
NODISCARD
enum status configuration_read_connector(struct configuration *configuration,
                                         struct slice use,
                                         const struct config_node **ret_file,
                                         struct error *err);

/* Lists the names that configuration_find_connector finds from `directory`,
 * sorted, each once. The texts live in `arena`. */
NODISCARD
enum status configuration_list_connectors(struct slice directory,
                                          struct arena *arena,
                                          struct config_texts *ret);

#endif
