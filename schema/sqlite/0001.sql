-- SPDX-License-Identifier: MIT
-- Times are Unix milliseconds by our clock unless said. Numbers of connectors
-- and handlers are those of `name`.

CREATE TABLE meta(
    name TEXT NOT NULL PRIMARY KEY,     -- epoch, dedup_floor, last_event, probed
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Small numbers that stay for the names of the configuration.
CREATE TABLE name(
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,              -- 1 connector, 2 handler
    name TEXT NOT NULL,
    UNIQUE(kind, name)
) STRICT;

-- The processed ids. k = be32(T) and 12 bytes of SHA-256: time first, so that
-- a full ledger is as fast as an empty one and expiry is one range delete.
CREATE TABLE ledger(
    k BLOB NOT NULL PRIMARY KEY CHECK(length(k) = 16),
    event INTEGER NOT NULL,
    channels INTEGER NOT NULL           -- bit 0-3: channel that showed it;
) STRICT, WITHOUT ROWID;                -- bit 4: a walk brought it

CREATE TABLE event(
    id INTEGER PRIMARY KEY,             -- grows with acceptance, for ever
    connector INTEGER NOT NULL,
    via INTEGER NOT NULL,               -- the channel that brought it first
    time_ms INTEGER NOT NULL,           -- the provider's stamp; 0: none
    recorded_ms INTEGER NOT NULL,
    ext_id TEXT NOT NULL,
    type TEXT NOT NULL,
    headers BLOB NOT NULL,              -- "name: value\n" each
    content_type TEXT NOT NULL,
    body BLOB NOT NULL                  -- the provider's bytes
) STRICT;

-- What walks brought, by number, so that accounting reads no bodies.
CREATE INDEX event_walked ON event(connector) WHERE via IN (1,3);

-- What webhooks brought, by stamp, to find what no walk listed.
CREATE INDEX event_hooked ON event(connector, time_ms) WHERE via=0;

-- When another channel than the one that brought an event first showed it.
CREATE TABLE sighting(
    event INTEGER NOT NULL,
    via INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY(event, via)
) STRICT, WITHOUT ROWID;

-- How far each connector's events have been counted, and what was counted.
CREATE TABLE account(
    connector INTEGER PRIMARY KEY,
    since INTEGER,                      -- events above it count; NULL: none do
    mark INTEGER NOT NULL,              -- events up to it have been counted
    recovered INTEGER NOT NULL,
    late INTEGER NOT NULL,
    confirmed INTEGER NOT NULL
) STRICT;

-- Work that is owed, nothing else: done rows go, dead rows move.
CREATE TABLE delivery(
    handler INTEGER NOT NULL,
    event INTEGER NOT NULL,
    due INTEGER NOT NULL,               -- not before; while leased: its end
    attempt INTEGER NOT NULL,           -- the fencing token of outcomes
    owner INTEGER NOT NULL,             -- epoch that leased it; 0: waiting
    lane INTEGER,                       -- order_by; NULL: in no order
    PRIMARY KEY(handler, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery(handler, due, event);
CREATE INDEX delivery_lane ON delivery(handler, lane, event)
    WHERE lane IS NOT NULL;

CREATE TABLE dead(
    handler INTEGER NOT NULL,
    event INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY(handler, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_at ON dead(at_ms);

-- What became of attempts that did not end in done.
CREATE TABLE attempt(
    id INTEGER PRIMARY KEY,
    event INTEGER NOT NULL,
    handler INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    kind INTEGER NOT NULL,              -- 1 later, 2 dead
    detail TEXT NOT NULL,
    output BLOB NOT NULL
) STRICT;
CREATE INDEX attempt_event ON attempt(event, handler);

-- Where each tier of each connector stands.
CREATE TABLE walk(
    connector INTEGER NOT NULL,
    tier INTEGER NOT NULL,
    hw_ms INTEGER NOT NULL,             -- provider's clock; never goes back
    state TEXT NOT NULL,
    PRIMARY KEY(connector, tier)
) STRICT;

-- Spans that cannot be read any more.
CREATE TABLE gap(
    id INTEGER PRIMARY KEY,
    connector INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,           -- provider's clock
    to_ms INTEGER NOT NULL,
    found_ms INTEGER NOT NULL,
    closed_ms INTEGER,
    UNIQUE(connector, kind, from_ms, to_ms)
) STRICT;

-- "Long", so that another program's file is not taken for a store.
PRAGMA application_id = 0x4c6f6e67;
