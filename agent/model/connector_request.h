/* SPDX-License-Identifier: MIT */
/*
 * connector_request: a request as a connector's file writes it: templates, and
 * how it proves who we are. Values only.
 */
#ifndef MODEL_CONNECTOR_REQUEST_H
#define MODEL_CONNECTOR_REQUEST_H

#include "base/bytes.h"
#include "config/config_key.h"
#include "config/config_yaml.h"

#include <stdbool.h>
#include <stddef.h>

struct json_path;
struct template;

enum auth_type {
    AUTH_NONE,
    AUTH_BEARER,
    AUTH_BASIC,
    AUTH_HEADER,
    AUTH_QUERY,
    AUTH_OAUTH2 /* a bearer token that has to be asked for, see oauth.h */
};

/* How a token is asked for (RFC 6749). */
struct oauth_spec {
    enum {
        GRANT_CLIENT_CREDENTIALS,
        GRANT_REFRESH_TOKEN,
        GRANT_ACCOUNT_CREDENTIALS /* Zoom's: the account's id instead */
    } grant;
    const struct template *token_url;
    const struct template *client_id;
    const struct template *client_secret;
    enum { CLIENT_BASIC, CLIENT_BODY, CLIENT_PUBLIC } client_auth;
    const struct template *scope;
    const struct template *refresh_token;
    const struct template *account_id;
    struct pair_spec *params; /* further parameters of the request */
    size_t param_count;
};

struct auth_spec {
    enum auth_type type;
    struct slice name;            /* header or query parameter */
    const struct template *value; /* bearer, header, query */
    const struct template *user;  /* basic */
    const struct template *password;
    struct oauth_spec oauth; /* oauth2 */
};

/* A body given as a tree of templates: each scalar is a template, a member
 * whose template is absent is left out. */
struct body_node {
    enum config_node_kind kind;
    struct slice key;
    const struct template *text; /* scalar */
    bool bare;   /* an unquoted number, true, false or null: goes in as it is */
    bool number; /* `{…|number}`: as well, and must be one */
    bool repeats;   /* once for each `{event}` */
    bool is_events; /* nothing but `{events}`: an array of them */
    struct body_node *parent;
    struct body_node *children;
    struct body_node *next;
};

struct pair_spec {
    struct slice name;
    const struct template *value; /* absent: the pair is left out */
};

struct request_spec {
    struct slice method;
    const struct template *url;
    struct pair_spec *query;
    size_t query_count;
    struct pair_spec *headers;
    size_t header_count;
    enum { BODY_NONE, BODY_JSON, BODY_FORM, BODY_GRAPHQL } body_kind;
    struct body_node *body; /* JSON and GRAPHQL */
    struct pair_spec *form;
    size_t form_count;
    const struct template *first_url; /* in place of `url` and `query`, */
    struct pair_spec *first_query;    /* while there is no cursor */
    size_t first_query_count;
};

#endif
