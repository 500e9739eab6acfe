/* SPDX-License-Identifier: MIT */
/*
 * route: which handlers an event is owed to. Pure.
 */
#ifndef MODEL_ROUTE_H
#define MODEL_ROUTE_H

#include "base/bytes.h"
#include "config/config_bind.h"
#include "model/connector.h"
#include "model/sighting.h"

struct json_path;

/* One condition of `where`, on a JSON Pointer into the envelope. */
struct where_rule;

struct route_spec {
    struct slice *from; /* connectors; count 0: all */
    size_t from_count;
    struct slice *types; /* globs, "!" excludes; count 0: all */
    size_t type_count;
    struct where_rule *where; /* all must hold */
    size_t where_count;
    struct slice order_by; /* pointer text; empty: none */
    const struct json_path *order_path;
};

/*
 * Parsers of the keys `from`, `types`, `where` and `order_by` of a handler, for
 * its table's CONFIG_CUSTOM entries: the place is the handler's struct
 * route_spec. A word that could never hold (a bad pointer, an unknown test, an
 * empty glob) is reported at its place.
 */
void route_parse_from(struct config_binding *binding,
                      const struct config_node *node, void *place);
void route_parse_types(struct config_binding *binding,
                       const struct config_node *node, void *place);
void route_parse_where(struct config_binding *binding,
                       const struct config_node *node, void *place);
void route_parse_order_by(struct config_binding *binding,
                          const struct config_node *node, void *place);

/* Frees what the arena does not hold: compiled patterns. */
void route_fini(struct route_spec *spec);

/*
 * Whether a handler with this spec is owed the event. `envelope` (the
 * CloudEvents text) is made by `make_envelope` at most once, and only when a
 * condition or order_by looks into it. A row counts for every type it may stand
 * for. *ret_lane is set when order_by finds a value. STATUS_OK, or
 * STATUS_NOMEM.
 */
struct route_input {
    const struct connector *connector;
    const struct sighting *sighting;
    struct slice envelope; /* empty until needed */
    enum status (*make_envelope)(void *arg, struct slice *ret_envelope);
    void *arg;
};

NODISCARD
enum status route_wants(const struct route_spec *spec,
                        struct route_input *input, bool *ret_wants,
                        bool *ret_has_lane, int64_t *ret_lane);

/* Whether the connector is among those of `from`. */
bool route_takes_from(const struct route_spec *spec, struct slice connector);

/* Whether any condition or order_by reads below /data. */
bool route_reads_data(const struct route_spec *spec);

#endif
