-- SPDX-License-Identifier: MIT

-- The lane that a dead letter had, so that it comes back into it, and whether
-- it holds that lane: nothing of it is tried until the letter has gone. Of one
-- lane at most one delivery is due or leased; the others are parked.
ALTER TABLE dead ADD COLUMN lane INTEGER;
ALTER TABLE dead ADD COLUMN holds INTEGER NOT NULL DEFAULT 0;
CREATE INDEX dead_holds ON dead(handler, lane) WHERE holds=1;

-- Requests that were not accepted, the last ones of each connector, without
-- their bodies and without what their senders prove themselves with.
CREATE TABLE refusal(
    id INTEGER PRIMARY KEY,
    connector INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    cause INTEGER NOT NULL,
    status INTEGER NOT NULL,            -- that was answered
    bytes INTEGER NOT NULL,             -- of the body
    more INTEGER NOT NULL,              -- like it, that came next: not kept
    why TEXT NOT NULL,
    peer TEXT NOT NULL,
    head TEXT NOT NULL
) STRICT;
CREATE INDEX refusal_of ON refusal(connector);
