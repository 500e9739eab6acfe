-- SPDX-License-Identifier: MIT

-- Attempts that ended in done are kept too (kind 0). When a failed one was to
-- be tried again; 0: it was not.
ALTER TABLE attempt ADD COLUMN due_ms INTEGER NOT NULL DEFAULT 0;

-- What is owed again: 0 it comes for the first time, 1 a dead letter that is
-- tried again, 2 an old event that is replayed. Retries count from `base`, the
-- attempts of its life before, and its age from `since_ms`.
ALTER TABLE delivery ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN base INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN since_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN errand INTEGER NOT NULL DEFAULT 0; -- 0: none
CREATE INDEX delivery_errand ON delivery(errand) WHERE errand<>0;

-- What comes for the first time never waits behind what comes again.
DROP INDEX delivery_due;
CREATE INDEX delivery_due ON delivery(handler, due, event) WHERE again=0;
CREATE INDEX delivery_again ON delivery(handler, due, event) WHERE again<>0;

-- Dead letters in the order in which they died, with the last answer; the lane
-- that each had, so that it comes back into it, and whether it holds that lane:
-- nothing of it is tried until the letter has gone. Of one lane at most one
-- delivery is due or leased; the others are parked.
ALTER TABLE dead RENAME TO dead_before;
CREATE TABLE dead(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    handler INTEGER NOT NULL,
    event INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    lane INTEGER,
    holds INTEGER NOT NULL DEFAULT 0,
    UNIQUE(handler, event)
) STRICT;
INSERT INTO dead(handler,event,attempt,at_ms,reason,detail)
    SELECT handler,event,attempt,at_ms,reason,ifnull((SELECT detail FROM
    attempt AS a WHERE a.event=d.event AND a.handler=d.handler
    ORDER BY id DESC LIMIT 1),'') FROM dead_before AS d ORDER BY at_ms,event;
DROP TABLE dead_before;
CREATE INDEX dead_at ON dead(at_ms);
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

-- What an operator wants done with many deliveries, and how far it is.
CREATE TABLE errand(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    running INTEGER NOT NULL,           -- 1: it goes on, over restarts
    done INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    state TEXT NOT NULL                 -- JSON: model/errand.h
) STRICT;

-- What somebody, or a handler's answer, has paused until it is resumed: its kind
-- and number are those of its row in `name`.
CREATE TABLE pause(
    kind INTEGER NOT NULL,
    id INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY(kind, id)
) STRICT, WITHOUT ROWID;

-- Receivers that registered themselves: handlers, by their numbers in `name`.
CREATE TABLE receiver(
    handler INTEGER PRIMARY KEY,
    removed INTEGER NOT NULL,           -- 1: what is owed to it is being dropped
    state TEXT NOT NULL                 -- JSON: model/receiver.h
) STRICT;
