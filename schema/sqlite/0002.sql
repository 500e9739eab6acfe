-- SPDX-License-Identifier: MIT

-- Who closed a gap: 1 an operator, 2 a backfill that read it; NULL: it is open.
ALTER TABLE gap ADD COLUMN closed_by INTEGER;
CREATE INDEX gap_open ON gap(connector) WHERE closed_ms IS NULL;

-- Times another channel showed an event too. Of a store made before, what is
-- known of it.
ALTER TABLE account ADD COLUMN met INTEGER NOT NULL DEFAULT 0;
UPDATE account SET met=late+confirmed;

-- What live walks brought, by number, so that accounting reads no bodies; what
-- a backfill brought counts neither as recovered nor as late.
DROP INDEX event_walked;
CREATE INDEX event_polled ON event(connector) WHERE via=1;

-- Events that come in two steps: what they still lack, and whose bytes they
-- have since. A row lives as long as its event; whole events have none. A
-- webhook that came because it was asked for is here and not in `sighting`.
CREATE TABLE fill(
    event INTEGER PRIMARY KEY,
    needs INTEGER NOT NULL,             -- 0 nothing, 1 a fetch, 2 its webhook
    filled INTEGER NOT NULL,            -- 0 as it came, 1 fetched, 2 webhook
    asked_ms INTEGER NOT NULL,          -- the webhook was asked for; 0: never
    filled_ms INTEGER NOT NULL          -- 0: not yet
) STRICT;

-- What walks brought, by stamp, as event_hooked has it of webhooks: where keys
-- made anew find the event that they are.
CREATE INDEX event_listed ON event(connector, time_ms) WHERE via IN (1,3);
