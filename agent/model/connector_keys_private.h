/* SPDX-License-Identifier: MIT */
/*
 * connector_keys_private: how the tables of connector_keys*.c are written.
 */
#ifndef MODEL_CONNECTOR_KEYS_PRIVATE_H
#define MODEL_CONNECTOR_KEYS_PRIVATE_H

#include "model/connector_draft.h"

#define STRING  "{\"type\":\"string\"}"
#define STRINGS "{\"type\":[\"string\",\"array\"],\"items\":" STRING "}"
#define TIMES   "{\"type\":[\"string\",\"object\"]}"
#define PAIRS                                                                  \
    "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\","     \
    "\"number\",\"boolean\",\"null\"]}}"
#define TREE "{\"type\":\"object\"}"
#define STATUSES                                                               \
    "{\"type\":[\"integer\",\"array\"],\"items\":{\"type\":\"integer\"}}"
#define ALGS                                                                   \
    "{\"anyOf\":[{\"enum\":[\"sha1\",\"sha256\",\"sha384\",\"sha512\"]},"      \
    "{\"type\":[\"string\",\"array\"],\"items\":" STRING "}]}"
#define NONE "{\"enum\":[\"none\"]}"
#define OVERLAP                                                                \
    "{\"type\":[\"string\",\"integer\"],\"minimum\":0,\"maximum\":0}"
#define RECOVER_WORD "{\"enum\":[\"self\",\"fetch\",\"redeliver\",\"none\"]}"
#define USE                                                                    \
    "{\"type\":\"object\",\"required\":[\"use\"],\"properties\":{"             \
    "\"use\":" STRING "},\"additionalProperties\":false}"
#define WHEN "{\"type\":[\"object\",\"array\"]}"

#define KEY(struct_, name_, type_, field_, ...)                                \
    {                                                                          \
        .name = (name_), .type = (type_),                                      \
        .offset = offsetof(struct struct_, field_), __VA_ARGS__                \
    }
#define CUSTOM(struct_, name_, field_, parse_, schema_, doc_)                  \
    {                                                                          \
        .name = (name_), .type = CONFIG_CUSTOM,                                \
        .offset = offsetof(struct struct_, field_), .parse = (parse_),         \
        .schema = (schema_), .doc = (doc_)                                     \
    }
/* A mapping that is only grouping: its keys fill the struct around it. */
#define GROUP(name_, table_, doc_)                                             \
    {                                                                          \
        .name = (name_), .type = CONFIG_TABLE, .offset = 0,                    \
        .table = &(table_), .doc = (doc_)                                      \
    }
#define TABLE(var_, name_, keys_, struct_, doc_)                               \
    static const struct config_table var_ = {                                  \
        .name = (name_),                                                       \
        .keys = (keys_),                                                       \
        .count = sizeof(keys_) / sizeof((keys_)[0]),                           \
        .size = sizeof(struct struct_),                                        \
        .doc = (doc_),                                                         \
    }

/* `event`. */
extern const struct config_table connector_event_table;

/* `verify`, `handshake`, and each answer of ours. */
extern const struct config_table connector_verify_table;
extern const struct config_table connector_handshake_table;
extern const struct config_table connector_answer_table;

/* A request for one event, or for a key. */
extern const struct config_table connector_fetch_table;

/* `poll.gate`. */
extern const struct config_table connector_gate_table;

/* `recover.list_failed`. */
extern const struct config_table connector_failed_table;

/* `register`. */
extern const struct config_table connector_register_table;

/* `stream`. */
extern const struct config_table connector_stream_table;

#endif
