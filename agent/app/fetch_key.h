/* SPDX-License-Identifier: MIT */
/*
 * fetch_key: brings one public key for a command, as the agent would, or reads
 * it from a file.
 */
#ifndef APP_FETCH_KEY_H
#define APP_FETCH_KEY_H

#include "app/configuration.h"
#include "flow/links.h"

/* Makes what fetches keys, within the limits of the configuration. */
NODISCARD
enum status fetch_key_links(struct loop *loop, struct http_client *client,
                            const struct configuration *configuration,
                            struct links **ret);

/* Fetches what is wanted and appends it as SubjectPublicKeyInfo; returns when
 * it is there or has failed, which the words say. */
NODISCARD
enum status fetch_key(const struct configuration *configuration,
                      const struct connector *connector,
                      const struct verify_want *want, struct buf *into,
                      struct error *err);

/* Reads it from a file instead: a certificate, PEM, or a JWK. */
NODISCARD
enum status fetch_key_file(const char *path, const struct verify_want *want,
                           struct buf *into, struct error *err);

#endif
