/* SPDX-License-Identifier: MIT */
/*
 * connector_draft: a connector while it is being bound: the values so far, and
 * which parameters its templates name.
 */
#ifndef MODEL_CONNECTOR_DRAFT_H
#define MODEL_CONNECTOR_DRAFT_H

#include "model/connector.h"
#include "wire/template.h"

/* Where a template stands decides which channel needs its parameters. */
enum draft_side {
    SIDE_WEBHOOK,  /* verification, events, answers */
    SIDE_REQUEST,  /* what is sent when polling */
    SIDE_EVENT,    /* what is sent for one event: fetched, asked for again */
    SIDE_FAILED,   /* what is sent to see what was not delivered */
    SIDE_REGISTER, /* what is sent to be told of events */
    SIDE_STREAM,   /* what is sent to open a stream */
    SIDE_ROW       /* what is read from answers and rows */
};

/* `{var:NAME}` or `{secret:NAME}` somewhere in the connector. */
struct draft_use {
    struct slice name;
    bool secret;
    enum draft_side side;
    struct config_mark mark;
    struct draft_use *next;
};

/* An entry of `params:`. */
struct draft_param {
    struct slice fallback;
    bool secret;
    struct slice doc;
};

/* What connector_table binds into. */
struct connector_draft {
    struct config_texts docs; /* the provider's own pages */
    struct slice extends;     /* of the file alone; followed by now */
    int group;                /* see connector_groups */
    struct connector c;
    const struct config_node *with;
    struct config_list params;     /* of struct draft_param */
    struct config_list verify;     /* of struct verify_rule */
    struct config_list handshakes; /* of struct handshake */
    /* Not from keys: */
    const struct config_node *root; /* the tree, for the marks of rules */
    const struct config_node *file;
    const struct config_node *entry;
    struct draft_use *uses;
    bool for_event;    /* the request being read is one for an event */
    bool for_failed;   /* it is recover.list_failed */
    bool for_register; /* it is one of `register` */
    bool for_stream;   /* it opens a stream */
    bool nomem;
};

/* Parsers of connector_table's keys; see config_parse_fn. binding->user is the
 * draft. Each is named after what it reads. */
config_parse_fn connector_parse_hook_source;
config_parse_fn connector_parse_hook_text;
config_parse_fn connector_parse_hook_type;
config_parse_fn connector_parse_hook_body;
config_parse_fn connector_parse_event_time;
config_parse_fn connector_parse_event_key_time;
config_parse_fn connector_parse_path;
config_parse_fn connector_parse_row;
config_parse_fn connector_parse_row_type;
config_parse_fn connector_parse_record_time;
config_parse_fn connector_parse_record_key_time;
config_parse_fn connector_parse_request_text;
config_parse_fn connector_parse_answer_source;
config_parse_fn connector_parse_answer_sources;
config_parse_fn connector_parse_timefmt;
config_parse_fn connector_parse_when;
config_parse_fn connector_parse_fail_when;
config_parse_fn connector_verify_char;
config_parse_fn connector_verify_tolerance;
config_parse_fn connector_verify_compare;
config_parse_fn connector_verify_signed;
config_parse_fn connector_verify_asserts;
config_parse_fn connector_verify_alg;
config_parse_fn connector_verify_claims;
config_parse_fn connector_verify_allow;
config_parse_fn connector_verify_get;
config_parse_fn connector_verify_intent;
config_parse_fn connector_verify_status;
config_parse_fn connector_verify_answer_headers;
config_parse_fn connector_verify_answer_json;
config_parse_fn connector_poll_query;
config_parse_fn connector_poll_first_query;
config_parse_fn connector_poll_headers;
config_parse_fn connector_poll_form;
config_parse_fn connector_poll_json_body;
config_parse_fn connector_poll_graphql;
config_parse_fn connector_poll_cron;
config_parse_fn connector_poll_overlap;
config_parse_fn connector_poll_sweep_overlap;
config_parse_fn connector_poll_start;
config_parse_fn connector_poll_conditional;
config_parse_fn connector_poll_cursor_from;
config_parse_fn connector_poll_first_cursor;
config_parse_fn connector_poll_resync_cursor;
config_parse_fn connector_cursor_expired;
config_parse_fn connector_poll_numeric;
config_parse_fn connector_poll_page_from;
config_parse_fn connector_auth_params;
config_parse_fn connector_poll_items;
config_parse_fn connector_parse_split;
config_parse_fn connector_poll_stop;
config_parse_fn connector_poll_budget;
config_parse_fn connector_poll_backfill_rate;
config_parse_fn connector_poll_rate;
config_parse_fn connector_poll_reset;
config_parse_fn connector_poll_statuses;
config_parse_fn connector_poll_gone;
config_parse_fn connector_poll_retry_header;
config_parse_fn connector_poll_interval_from;
config_parse_fn connector_parse_texts;
config_parse_fn connector_parse_same_id;
config_parse_fn connector_poll_cidrs;
config_parse_fn connector_poll_follow_url;
config_parse_fn connector_poll_allow;
config_parse_fn connector_fetch_text;
config_parse_fn connector_fetch_query;
config_parse_fn connector_fetch_headers;
config_parse_fn connector_fetch_form;
config_parse_fn connector_fetch_json;
config_parse_fn connector_stream_text;
config_parse_fn connector_stream_query;
config_parse_fn connector_stream_headers;

config_parse_fn connector_failed_text;
config_parse_fn connector_register_text;
config_parse_fn connector_register_query;
config_parse_fn connector_register_headers;
config_parse_fn connector_register_form;
config_parse_fn connector_register_json;
config_parse_fn connector_register_graphql;
config_parse_fn connector_register_find;
config_parse_fn connector_register_want;

/* Says that the value of `node` is wrong. */
void connector_parse_refuse(struct config_binding *binding,
                            const struct config_node *node, const char *words);

/* Compiles a template and notes the parameters it names; NULL when it was
 * reported. `kinds` are the sources allowed. */
const struct template *connector_parse_template(struct config_binding *binding,
                                                struct slice text,
                                                const struct config_node *node,
                                                enum template_bare bare,
                                                const char *const *kinds,
                                                enum draft_side side);

/* Notes which parameters a template names. */
void connector_parse_note_uses(struct config_binding *binding,
                               const struct template *t,
                               const struct config_node *node,
                               enum draft_side side);

/* Compiles a list of templates, or one. */
const struct template **connector_parse_templates(
    struct config_binding *binding, const struct config_node *node,
    enum template_bare bare, const char *const *kinds, size_t *ret_count);

/* Compiles a path; NULL when it was reported. */
const struct json_path *
connector_parse_json_path(struct config_binding *binding, struct slice text,
                          const struct config_node *node);

/* Takes the text of a scalar, or reports that it is none. */
bool connector_parse_scalar(struct config_binding *binding,
                            const struct config_node *node,
                            struct slice *ret_text);

/* Returns how many values a list has; anything else is one. */
size_t connector_parse_count(const struct config_node *node);

/* Frees a condition's pattern. */
void connector_parse_forget(struct condition *condition);

/* The sources each side knows. */
extern const char *const connector_hook_kinds[];
extern const char *const connector_request_kinds[];

/* Decides parameters and channels: a connector runs the channels that its
 * parameters allow. STATUS_NOMEM only. */
NODISCARD
enum status connector_params_bind(struct config_binding *binding,
                                  struct connector_draft *draft,
                                  const struct connector_env *env);

/*
 * Prepares one key of `rule` for each secret that is material for it, and
 * tells which were in fits[]. A secret may be for another alternative, so one
 * that does not fit is no failure here.
 */
NODISCARD
enum status connector_keyring_prepare(struct verify_rule *rule,
                                      const struct slice *secrets, size_t count,
                                      struct arena *arena, bool *fits);

/* Says what the rule wants a secret to be, for messages. */
const char *connector_keyring_wanted(const struct verify_rule *rule);

/* Frees what the arena does not hold. */
void connector_keyring_release(struct verify_rule *rule);

/* Fills in what follows from `poll.auth`. */
void connector_auth_finish(struct config_binding *binding,
                           struct connector_draft *draft);

/* Holds it against the rules that span its keys. */
void connector_auth_check(struct config_binding *binding,
                          struct connector_draft *draft);

/* Calls `note` with each template of the credential that is there. */
void connector_auth_each(const struct auth_spec *auth,
                         void (*note)(void *arg, const struct template *t),
                         void *arg);

/* Reads names and templates. */
struct pair_spec *connector_parse_pairs(struct config_binding *binding,
                                        const struct config_node *node,
                                        size_t *ret_count);

/* Makes the one text of `register.secret` a mapping. */
NODISCARD
enum status connector_register_tree(struct arena *arena,
                                    struct config_node *root);

/* Notes what a scalar of a body means for the events that a hook is for: a list
 * of them, or that the list's element around it is there once for each. */
void connector_register_mark(struct body_node *node);

/* Fills in what follows from `register`, and holds it against the rules that
 * span its keys. */
void connector_register_finish(struct config_binding *binding,
                               struct connector_draft *draft);

/* Finds the zone of `cursor.tz`, once parameters are known. STATUS_NOMEM only.
 */
NODISCARD
enum status connector_zone_bind(struct config_binding *binding,
                                struct connector_draft *draft,
                                const struct connector_env *env);

/* Fills in what follows from `recover`, `event.fetch` and `record.fetch`. */
void connector_fetch_finish(struct config_binding *binding,
                            struct connector_draft *draft);

/* The same for the request that asks for a key. */
void connector_fetch_finish_key(struct config_binding *binding,
                                struct verify_rule *rule);

/* Holds them against the rules that span their keys. */
void connector_fetch_check(struct config_binding *binding,
                           struct connector_draft *draft);

/* Whether the connector's own words are all it needs to be believed: `verify:
 * {type: none}`. */
bool connector_stream_is_unsigned(const struct connector *c);

/* Holds `stream` and `verify: {type: none}` against the rules that span their
 * keys. */
void connector_stream_check(struct config_binding *binding,
                            struct connector_draft *draft);

/* Lays `stream` over the section of the file that its `use` names. */
NODISCARD
enum status connector_stream_tree(struct config_binding *binding,
                                  const struct connector_env *env,
                                  struct config_node *root);

/* Loads the file that `use` names, with what that extends, for its `section`.
 * STATUS_NOT_FOUND once it is reported that there is none. */
NODISCARD
enum status connector_tree_used(struct config_binding *binding,
                                const struct connector_env *env,
                                const struct config_node *use,
                                const char *section,
                                const struct config_node **ret_other);

/* Puts `node` at the end of the mapping, or in the place of its namesake. */
NODISCARD
enum status connector_tree_put(struct config_node *root,
                               const struct config_node *node,
                               struct arena *arena);

/* Makes the one word of `recover` a mapping; a file's requests stay when the
 * entry says only a word. */
NODISCARD
enum status connector_fetch_tree(const struct connector_draft *draft,
                                 struct arena *arena, struct config_node *root);

/* Holds a bound connector against the rules that span its keys. */
void connector_rules_check(struct config_binding *binding,
                           struct connector_draft *draft);

/* The same for what we answer. */
void connector_answers_check(struct config_binding *binding,
                             struct connector_draft *draft);

/*
 * Lays the entry over the file and takes away what the tables need not see:
 * `extends`, `poll: none`, `match: none`, `verify: {use: NAME}`.
 * STATUS_CONFIG: there is no tree to bind, and why was reported.
 */
NODISCARD
enum status connector_tree_prepare(struct config_binding *binding,
                                   struct connector_draft *draft,
                                   const struct connector_env *env,
                                   struct config_node **ret_root);

/* Returns a key deep in the tree, or NULL when it is not written there. */
const struct config_node *
connector_tree_node(const struct connector_draft *draft,
                    const char *const *names, size_t count);

/* Returns the mark of a key deep in the tree, or of the last one there is. */
struct config_mark connector_tree_mark(const struct connector_draft *draft,
                                       const char *const *names, size_t count);

#endif
