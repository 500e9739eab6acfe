-- SPDX-License-Identifier: MIT

-- What makes each connector's keys, by hash. Where that was edited: events up to
-- `last` have keys made by other words, since the edit of this number.
CREATE TABLE keyed(
    connector INTEGER PRIMARY KEY,
    keys INTEGER NOT NULL,
    last INTEGER NOT NULL,
    edit INTEGER NOT NULL               -- 0: none that was noted
) STRICT;

-- Events that have keys by the words of an edit too: no other row is one. A row
-- lives no longer than its event.
CREATE TABLE rekeyed(
    event INTEGER PRIMARY KEY,
    edit INTEGER NOT NULL
) STRICT;

-- What webhooks brought, by stamp: a relay's stream brings webhooks too.
DROP INDEX event_hooked;
CREATE INDEX event_hooked ON event(connector, time_ms) WHERE via IN (0,2);
