-- SPDX-License-Identifier: MIT
-- Times are Unix milliseconds by the agents' clocks unless said; `_ms` of agent
-- and lease are the database's. Numbers of connectors and handlers are those of
-- `name`. Texts are bytes, since providers send what is no UTF-8 and what holds
-- NUL; the views at the end show them to people.
--
-- What differs from schema/sqlite: several agents write at once. What each of
-- them adds up stands in rows of its own (tally, account_part), and what grows
-- with every event lies in partitions of a day, which are dropped whole: see
-- the functions.

CREATE SCHEMA IF NOT EXISTS longstop;
SET LOCAL search_path = longstop, pg_catalog;

-- Statements that several databases understand call bytes so.
CREATE DOMAIN blob AS bytea;

CREATE TABLE meta(
    name bytea PRIMARY KEY,             -- schema, dedup_floor, probed
    value bigint NOT NULL
) WITH (fillfactor = 50);

-- Small numbers that stay for the names of the configuration. One that went is
-- never given again.
CREATE TABLE name(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind bigint NOT NULL,               -- 1 connector, 2 handler
    name bytea NOT NULL,
    UNIQUE (kind, name)
);

-- ---- agents ----

-- Of each start: leases and deliveries name it, and it is never given again.
CREATE SEQUENCE epoch AS bigint;

-- Agents that run, or did so last with their number.
CREATE TABLE agent(
    number bigint PRIMARY KEY CHECK (number BETWEEN 1 AND 1023),
    epoch bigint NOT NULL UNIQUE,       -- 0 - number: free
    host bytea NOT NULL,
    version bytea NOT NULL,
    started_ms bigint NOT NULL,
    beat_ms bigint NOT NULL,            -- the last sign of life
    highest bigint NOT NULL,            -- event number that it has given
    shares bigint NOT NULL DEFAULT 0,   -- 1: it takes leases, until it ends
    lowest_ms bigint NOT NULL           -- stamp that it may still read
        DEFAULT -9223372036854775808
) WITH (fillfactor = 50);

-- Who does what only one of them may do: a connector's walks; of connector 0,
-- errands. Held as long as the holder gives signs of life; a row changes only
-- with its holder, and when another agent wants something of it.
CREATE TABLE lease(
    connector bigint PRIMARY KEY,
    holder bigint NOT NULL,             -- an epoch; 0: it is free
    fence bigint NOT NULL,              -- grows with each change of holder
    freed_ms bigint NOT NULL,           -- since when it is free
    asked bigint NOT NULL,              -- epoch that should have it; 0: none
    poked bigint NOT NULL               -- 1: a hook of it came to another
) WITH (fillfactor = 50);
CREATE INDEX lease_of ON lease(holder);
CREATE INDEX lease_wanted ON lease(holder) WHERE asked <> 0 OR poked <> 0;

-- ---- events ----

-- The processed ids. k = be32(T) and 12 bytes of SHA-256: time first, so that a
-- full ledger is as fast as an empty one and a day of it is a partition.
CREATE TABLE ledger(
    k bytea PRIMARY KEY,
    event bigint NOT NULL,
    channels bigint NOT NULL            -- bit 0-3: channel that showed it;
) PARTITION BY RANGE (k);               -- bit 4: a walk brought it
CREATE TABLE ledger_rest PARTITION OF ledger DEFAULT;

-- id = ms of acceptance << 20 | number of the agent << 10 | counter.
CREATE TABLE event(
    id bigint PRIMARY KEY,
    connector bigint NOT NULL,
    via bigint NOT NULL,                -- the channel that brought it first
    time_ms bigint NOT NULL,            -- the provider's stamp; 0: none
    recorded_ms bigint NOT NULL,
    ext_id bytea NOT NULL,
    type bytea NOT NULL,
    headers bytea NOT NULL,             -- "name: value\n" each
    content_type bytea NOT NULL,
    body bytea NOT NULL                 -- the provider's bytes
) PARTITION BY RANGE (id);
-- What live walks brought, by number, for the accounts.
CREATE INDEX event_polled ON event(connector, id) WHERE via = 1;
-- What webhooks brought, and what walks did, by stamp.
CREATE INDEX event_hooked ON event(connector, time_ms, id) WHERE via IN (0,2);
CREATE INDEX event_listed ON event(connector, time_ms, id) WHERE via IN (1,3);
CREATE TABLE event_rest PARTITION OF event DEFAULT;

-- When another channel than the one that brought an event first showed it.
CREATE TABLE sighting(
    event bigint NOT NULL,
    via bigint NOT NULL,
    at_ms bigint NOT NULL,
    PRIMARY KEY (event, via)
) PARTITION BY RANGE (event);
CREATE TABLE sighting_rest PARTITION OF sighting DEFAULT;

-- Events that come in two steps: what they still lack, and whose bytes they
-- have since.
CREATE TABLE fill(
    event bigint PRIMARY KEY,
    needs bigint NOT NULL,              -- 0 nothing, 1 a fetch, 2 its webhook
    filled bigint NOT NULL,             -- 0 as it came, 1 fetched, 2 webhook
    asked_ms bigint NOT NULL,           -- the webhook was asked for; 0: never
    filled_ms bigint NOT NULL           -- 0: not yet
) PARTITION BY RANGE (event);
CREATE TABLE fill_rest PARTITION OF fill DEFAULT;

-- What makes each connector's keys, by hash. Where that was edited: events up
-- to `last` have keys made by other words, since the edit of this number.
CREATE TABLE keyed(
    connector bigint PRIMARY KEY,
    keys bigint NOT NULL,
    last bigint NOT NULL,
    edit bigint NOT NULL                -- 0: none that was noted
);

-- Events that have keys by the words of an edit too: no other row is one.
CREATE TABLE rekeyed(
    event bigint PRIMARY KEY,
    edit bigint NOT NULL
);

-- How far each connector's events have been counted, and what was counted;
-- late, confirmed and met with what agents that are gone have left.
CREATE TABLE account(
    connector bigint PRIMARY KEY,
    since bigint,                       -- events above it count; NULL: none do
    mark bigint NOT NULL,               -- events up to it have been counted
    recovered bigint NOT NULL,
    late bigint NOT NULL,
    confirmed bigint NOT NULL,
    met bigint NOT NULL                 -- shown by a webhook and by a walk
) WITH (fillfactor = 50);

-- What each agent adds to it, so that none waits for another one's row.
CREATE TABLE account_part(
    connector bigint NOT NULL,
    agent bigint NOT NULL,
    late bigint NOT NULL,
    confirmed bigint NOT NULL,
    met bigint NOT NULL,
    PRIMARY KEY (connector, agent)
) WITH (fillfactor = 50);

-- ---- deliveries ----

-- Work that is owed, nothing else: done rows go, dead rows move. Vacuumed early
-- and without pauses: claims walk along its indexes.
CREATE TABLE delivery(
    handler bigint NOT NULL,
    event bigint NOT NULL,
    due bigint NOT NULL,                -- not before; while leased: its end
    attempt bigint NOT NULL,            -- the fencing token of outcomes
    owner bigint NOT NULL,              -- epoch that leased it; 0: waiting
    lane bigint,                        -- order_by; NULL: in no order
    again bigint NOT NULL DEFAULT 0,    -- 1 a dead letter's, 2 replayed
    base bigint NOT NULL DEFAULT 0,     -- attempts of its life before
    since_ms bigint NOT NULL DEFAULT 0, -- when that began
    errand bigint NOT NULL DEFAULT 0,   -- 0: none
    PRIMARY KEY (handler, event)
) WITH (fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
-- What comes for the first time never waits behind what comes again.
CREATE INDEX delivery_due ON delivery(handler, due, event) WHERE again = 0;
CREATE INDEX delivery_again ON delivery(handler, due, event) WHERE again <> 0;
CREATE INDEX delivery_lane ON delivery(handler, lane, event)
    WHERE lane IS NOT NULL;
CREATE INDEX delivery_errand ON delivery(errand) WHERE errand <> 0;

-- In the order in which they died; whether one holds its lane.
CREATE TABLE dead(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    handler bigint NOT NULL,
    event bigint NOT NULL,
    attempt bigint NOT NULL,
    at_ms bigint NOT NULL,
    reason bytea NOT NULL,
    detail bytea NOT NULL,              -- the last answer
    lane bigint,
    holds bigint NOT NULL DEFAULT 0,
    UNIQUE (handler, event)
);
CREATE INDEX dead_at ON dead(at_ms);
CREATE INDEX dead_holds ON dead(handler, lane) WHERE holds = 1;

-- How much each handler is owed: what each agent has added and taken away, in
-- the transactions that did it. One agent's row alone may be below zero.
CREATE TABLE tally(
    handler bigint NOT NULL,
    agent bigint NOT NULL,              -- 0: of those that are gone
    pending bigint NOT NULL,
    dead bigint NOT NULL,
    PRIMARY KEY (handler, agent)
) WITH (fillfactor = 50);

-- What became of attempts.
CREATE SEQUENCE attempt_number AS bigint;
CREATE TABLE attempt(
    id bigint NOT NULL DEFAULT nextval('longstop.attempt_number'),
    event bigint NOT NULL,
    handler bigint NOT NULL,
    attempt bigint NOT NULL,
    started_ms bigint NOT NULL,
    duration_ms bigint NOT NULL,
    kind bigint NOT NULL,               -- 0 done, 1 later, 2 dead
    detail bytea NOT NULL,
    output bytea NOT NULL,
    due_ms bigint NOT NULL DEFAULT 0,   -- later: when it was to be tried again
    PRIMARY KEY (started_ms, id)
) PARTITION BY RANGE (started_ms);
CREATE INDEX attempt_event ON attempt(event, handler, id);
CREATE TABLE attempt_rest PARTITION OF attempt DEFAULT;

-- ---- walks, and what is kept for people ----

-- Where each tier of each connector stands.
CREATE TABLE walk(
    connector bigint NOT NULL,
    tier bigint NOT NULL,
    hw_ms bigint NOT NULL,              -- provider's clock; never goes back
    state bytea NOT NULL,
    PRIMARY KEY (connector, tier)
) WITH (fillfactor = 50);

-- Spans that cannot be read any more.
CREATE TABLE gap(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connector bigint NOT NULL,
    kind bigint NOT NULL,
    from_ms bigint NOT NULL,            -- provider's clock
    to_ms bigint NOT NULL,
    found_ms bigint NOT NULL,
    closed_ms bigint,
    closed_by bigint,                   -- 1 an operator, 2 a backfill
    UNIQUE (connector, kind, from_ms, to_ms)
);
CREATE INDEX gap_open ON gap(connector) WHERE closed_ms IS NULL;

-- Requests that were not accepted, the last ones of each connector.
CREATE TABLE refusal(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connector bigint NOT NULL,
    at_ms bigint NOT NULL,
    cause bigint NOT NULL,
    status bigint NOT NULL,             -- that was answered
    bytes bigint NOT NULL,              -- of the body
    more bigint NOT NULL,               -- like it, that came next: not kept
    why bytea NOT NULL,
    peer bytea NOT NULL,
    head bytea NOT NULL
);
CREATE INDEX refusal_of ON refusal(connector, id);

-- What an operator wants done with many deliveries, and how far it is.
CREATE TABLE errand(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    running bigint NOT NULL,            -- 1: it goes on, over restarts
    done bigint NOT NULL,
    skipped bigint NOT NULL,
    state bytea NOT NULL                -- JSON: model/errand.h
);
CREATE INDEX errand_running ON errand(id) WHERE running = 1;

-- What somebody, or a handler's answer, has paused until it is resumed.
CREATE TABLE pause(
    kind bigint NOT NULL,
    id bigint NOT NULL,
    since_ms bigint NOT NULL,
    reason bytea NOT NULL,
    PRIMARY KEY (kind, id)
);

-- Receivers that registered themselves: handlers, by their numbers in `name`.
CREATE TABLE receiver(
    handler bigint PRIMARY KEY,
    removed bigint NOT NULL,            -- 1: what it is owed is being dropped
    state bytea NOT NULL                -- JSON: model/receiver.h
);

-- ---- the clock ----

-- The database's clock, which alone decides over leases and signs of life.
CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

-- ---- locks that end with their transaction ----

-- Numbers of locks are hashes; that two things may share one costs a wait and
-- nothing else. The seed is a handler's number, or below 0: -1 accounts, -2 who
-- joins, -3 days, -4 migrations, -5 keys that are made anew. No lock belongs to
-- a session: a pooler that lends a connection for a transaction does no harm.

-- Keeps several agents out of the lanes that a transaction joins, or ends a
-- delivery of: in one order, before the first of them is looked at, since what
-- is looked at must be read behind the lock. The lanes are named; those of
-- deliveries and dead letters are looked up.
CREATE FUNCTION lock_lanes(handlers bigint[], lanes bigint[],
    of_handlers bigint[], of_events bigint[])
RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    number bigint;
BEGIN
    FOR number IN
        SELECT DISTINCT hashint8extended(x.lane, x.handler) AS n FROM (
            SELECT u.handler, u.lane
                FROM unnest(handlers, lanes) AS u(handler, lane)
            UNION ALL
            SELECT d.handler, d.lane
                FROM unnest(of_handlers, of_events) AS u(handler, event)
                JOIN longstop.delivery d
                    ON d.handler = u.handler AND d.event = u.event
            UNION ALL
            SELECT d.handler, d.lane
                FROM unnest(of_handlers, of_events) AS u(handler, event)
                JOIN longstop.dead d
                    ON d.handler = u.handler AND d.event = u.event
        ) AS x WHERE x.lane IS NOT NULL ORDER BY n
    LOOP
        PERFORM pg_advisory_xact_lock(number);
    END LOOP;
END $$;

-- An account, always one row, behind its lock: shared by those who show an
-- event a second time, alone for who moves the mark. So what is confirmed has
-- not been passed, and what has been passed is late.
CREATE FUNCTION lock_account(of_connector bigint, alone boolean)
RETURNS TABLE(since bigint, mark bigint, recovered bigint, late bigint,
    confirmed bigint, met bigint) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    number bigint := hashint8extended(of_connector, -1);
BEGIN
    IF alone THEN
        PERFORM pg_advisory_xact_lock(number);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(number);
    END IF;
    RETURN QUERY SELECT a.since, coalesce(a.mark, 0), coalesce(a.recovered, 0),
        (coalesce(a.late, 0) + coalesce(p.late, 0))::bigint,
        (coalesce(a.confirmed, 0) + coalesce(p.confirmed, 0))::bigint,
        (coalesce(a.met, 0) + coalesce(p.met, 0))::bigint
        FROM (SELECT sum(q.late) AS late, sum(q.confirmed) AS confirmed,
                sum(q.met) AS met
            FROM longstop.account_part q WHERE q.connector = of_connector) p
        LEFT JOIN longstop.account a ON a.connector = of_connector;
END $$;

-- ---- agents come and go ----

-- Takes a number that nobody uses: the one that has rested longest, and for
-- `rest_ms` at least, so that the numbers of its events grow whatever a clock
-- says; else a new one. Says which number is the highest that an event has, or
-- may have had. Waits for others that join. No row: none is left.
CREATE FUNCTION join_agents(of_host bytea, of_version bytea, rest_ms bigint)
RETURNS TABLE(number bigint, epoch bigint, highest bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    free bigint;
    was bigint := 0;
    at_ms bigint;
    mine bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashint8extended(0, -2));
    at_ms := longstop.now_ms();
    SELECT a.number, a.highest INTO free, was FROM longstop.agent a
        WHERE a.beat_ms < at_ms - rest_ms AND a.epoch < 0
        ORDER BY a.beat_ms, a.number LIMIT 1;
    IF NOT FOUND THEN
        was := 0;
        SELECT coalesce(max(a.number), 0) + 1 INTO free FROM longstop.agent a;
    END IF;
    IF free > 1023 THEN
        RETURN;
    END IF;
    mine := nextval('longstop.epoch');
    SELECT greatest(was, coalesce(max(e.id), 0)) INTO was FROM longstop.event e;
    INSERT INTO longstop.agent AS a
        VALUES (free, mine, of_host, of_version, at_ms, at_ms, was)
        ON CONFLICT ON CONSTRAINT agent_pkey DO UPDATE SET
        epoch = excluded.epoch, host = excluded.host,
        version = excluded.version, started_ms = excluded.started_ms,
        beat_ms = excluded.beat_ms, shares = excluded.shares,
        lowest_ms = excluded.lowest_ms;
    RETURN QUERY SELECT free, mine, was;
END $$;

-- An agent that is gone: what it had leased is free, and due at once, its
-- attempts counted; what it added up goes to those that are gone; its number
-- rests. Returns how many deliveries were freed; -1: it is not there, or
-- another one is at it.
CREATE FUNCTION bury_agent(of_epoch bigint, silent_since_ms bigint)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    gone bigint;
    freed bigint;
BEGIN
    SELECT a.number INTO gone FROM longstop.agent a
        WHERE a.epoch = of_epoch AND a.beat_ms <= silent_since_ms
        FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN -1;
    END IF;
    UPDATE longstop.lease SET holder = 0, fence = fence + 1, asked = 0,
        poked = 0, freed_ms = longstop.now_ms() WHERE holder = of_epoch;
    UPDATE longstop.delivery SET due = 0, owner = 0 WHERE owner = of_epoch;
    GET DIAGNOSTICS freed = ROW_COUNT;
    WITH part AS (DELETE FROM longstop.tally WHERE agent = gone RETURNING *)
    INSERT INTO longstop.tally AS t(handler, agent, pending, dead)
        SELECT handler, 0, pending, dead FROM part ORDER BY handler
        ON CONFLICT (handler, agent) DO UPDATE SET
        pending = t.pending + excluded.pending, dead = t.dead + excluded.dead;
    WITH part AS (
        DELETE FROM longstop.account_part WHERE agent = gone RETURNING *)
    INSERT INTO longstop.account AS a
        SELECT connector, NULL, 0, 0, late, confirmed, met FROM part
        ORDER BY connector ON CONFLICT (connector) DO UPDATE SET
        late = a.late + excluded.late, met = a.met + excluded.met,
        confirmed = a.confirmed + excluded.confirmed;
    UPDATE longstop.agent SET epoch = -gone WHERE number = gone;
    RETURN freed;
END $$;

-- ---- days ----

-- A partition holds one day, by UTC: of ledger by T, of event, sighting and
-- fill by the event's number, of attempt by its start. What belongs to no day
-- that was made lies in the default one. Days are made ahead, and dropped whole
-- when they are over: what large tables cost is deleting their rows.

-- The least key of a day, as a literal; days count from 1970.
CREATE FUNCTION day_from(parent text, day bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
SELECT CASE parent
    WHEN 'ledger' THEN quote_literal('\x' || lpad(to_hex(day * 86400), 8, '0'))
    WHEN 'attempt' THEN (day * 86400000)::text
    ELSE ((day * 86400000) << 20)::text END $$;

CREATE FUNCTION day_column(parent text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
SELECT CASE parent WHEN 'ledger' THEN 'k' WHEN 'attempt' THEN 'started_ms'
    WHEN 'event' THEN 'id' ELSE 'event' END $$;

-- The days of a table that are there, the oldest first.
CREATE FUNCTION days(parent text) RETURNS TABLE(part text, day bigint)
LANGUAGE sql STABLE AS $$
SELECT c.relname::text, (to_date(right(c.relname, 8), 'YYYYMMDD')
        - date '1970-01-01')::bigint
    FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c
        ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass('longstop.' || parent)
    AND c.relname ~ '_[0-9]{8}$' ORDER BY c.relname $$;

-- Makes a day; what lay in the default partition moves into it. Attached and
-- not created in place, which would keep everybody out of the whole table.
CREATE FUNCTION make_day(parent text, day bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    part text := parent || '_'
        || to_char(date '1970-01-01' + day::integer, 'YYYYMMDD');
    low text := longstop.day_from(parent, day);
    high text := longstop.day_from(parent, day + 1);
    col text := longstop.day_column(parent);
BEGIN
    EXECUTE format('CREATE TABLE longstop.%I (LIKE longstop.%I INCLUDING '
        'DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)',
        part, parent);
    EXECUTE format('LOCK TABLE longstop.%I IN ACCESS EXCLUSIVE MODE',
        parent || '_rest');
    EXECUTE format('WITH moved AS (DELETE FROM longstop.%I WHERE %I >= %s'
        ' AND %I < %s RETURNING *) INSERT INTO longstop.%I SELECT * FROM moved',
        parent || '_rest', col, low, col, high, part);
    EXECUTE format('ALTER TABLE longstop.%I ATTACH PARTITION longstop.%I FOR '
        'VALUES FROM (%s) TO (%s)', parent, part, low, high);
END $$;

-- Makes the days that lack, from `back` days ago to `ahead` days on, of those
-- that the floor has not passed; of the tables that only grow with time, from
-- today. Returns how many it made. One agent at a time; who comes second finds
-- them made.
CREATE FUNCTION make_days(back bigint, ahead bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    today bigint := longstop.now_ms() / 86400000;
    floor bigint := coalesce((SELECT value / 86400000 FROM longstop.meta
        WHERE name = 'dedup_floor'), 0);
    want record;
    made bigint := 0;
BEGIN
    PERFORM set_config('lock_timeout', '2s', true);
    PERFORM pg_advisory_xact_lock(hashint8extended(0, -3));
    FOR want IN
        SELECT p.parent, d AS day
        FROM (VALUES ('ledger', back), ('event', 0), ('sighting', 0),
            ('fill', 0), ('attempt', 0)) AS p(parent, back),
            generate_series(greatest(today - p.back, least(floor, today)),
                today + ahead) AS d
        EXCEPT SELECT p.parent, x.day
        FROM unnest(ARRAY['ledger', 'event', 'sighting', 'fill', 'attempt'])
            AS p(parent), longstop.days(p.parent) AS x
        ORDER BY 1, 2
    LOOP
        PERFORM longstop.make_day(want.parent, want.day);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

-- A day that does not last any more goes without its rows being read. One whose
-- rows are few is pruned by the row, so that a small store keeps its times to
-- the millisecond; a large one keeps a day longer what is over within it.
CREATE FUNCTION is_small(part text) RETURNS boolean LANGUAGE sql STABLE AS $$
SELECT pg_relation_size(to_regclass('longstop.' || part)) < 8388608 $$;

CREATE FUNCTION row_count(part text) RETURNS bigint LANGUAGE sql STABLE AS $$
SELECT greatest(c.reltuples, 1)::bigint FROM pg_catalog.pg_class c
    WHERE c.oid = to_regclass('longstop.' || part) $$;

-- Takes a day out of its table and drops it. Everybody waits for whoever waits
-- for a lock of a whole table, so it gives up soon: the next call tries again.
CREATE FUNCTION drop_day(parent text, part text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', '500ms', true);
    EXECUTE format('ALTER TABLE longstop.%I DETACH PARTITION longstop.%I',
        parent, part);
    EXECUTE format('DROP TABLE longstop.%I', part);
END $$;

-- Removes keys below `floor`: one day that lies wholly below it, and up to
-- `most` rows of others that are few. Returns how many.
CREATE FUNCTION prune_ledger(floor bytea, most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    today bigint := longstop.now_ms() / 86400000;
    seconds bit(32) := ('x' || encode(substr(floor, 1, 4), 'hex'))::bit(32);
    below bigint := (seconds::bigint & 4294967295) / 86400;
    at record;
    rows bigint;
    removed bigint := 0;
BEGIN
    FOR at IN SELECT d.part, d.day FROM longstop.days('ledger') AS d
        WHERE d.day <= below
        UNION ALL SELECT 'ledger_rest', -1 ORDER BY 2
    LOOP
        IF at.day BETWEEN 0 AND least(below, today) - 1 THEN
            removed := removed + longstop.row_count(at.part);
            PERFORM longstop.drop_day('ledger', at.part);
            RETURN removed;
        ELSIF removed < most AND (at.day < 0
            OR longstop.is_small(at.part)) THEN
            EXECUTE format('DELETE FROM longstop.%I WHERE k IN (SELECT k FROM '
                'longstop.%I WHERE k < $1 ORDER BY k LIMIT $2)', at.part,
                at.part) USING floor, most - removed;
            GET DIAGNOSTICS rows = ROW_COUNT;
            removed := removed + rows;
        END IF;
    END LOOP;
    RETURN removed;
END $$;

-- Removes what was logged of attempts that began before `before_ms`, likewise.
CREATE FUNCTION prune_attempts(before_ms bigint, most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    today bigint := longstop.now_ms() / 86400000;
    below bigint := before_ms / 86400000;
    at record;
    rows bigint;
    removed bigint := 0;
BEGIN
    FOR at IN SELECT d.part, d.day FROM longstop.days('attempt') AS d
        WHERE d.day <= below
        UNION ALL SELECT 'attempt_rest', -1 ORDER BY 2
    LOOP
        IF at.day BETWEEN 0 AND least(below, today) - 1 THEN
            removed := removed + longstop.row_count(at.part);
            PERFORM longstop.drop_day('attempt', at.part);
            RETURN removed;
        ELSIF removed < most AND (at.day < 0
            OR longstop.is_small(at.part)) THEN
            EXECUTE format('DELETE FROM longstop.%I WHERE (started_ms, id) IN '
                '(SELECT started_ms, id FROM longstop.%I WHERE started_ms < $1 '
                'ORDER BY started_ms, id LIMIT $2)', at.part, at.part)
                USING before_ms, most - removed;
            GET DIAGNOSTICS rows = ROW_COUNT;
            removed := removed + rows;
        END IF;
    END LOOP;
    RETURN removed;
END $$;

-- Of a span of events those that have a delivery or a dead letter, at most so
-- many. Asked per handler: their rows begin with it, and there are few.
CREATE FUNCTION needed(low bigint, high bigint, most bigint) RETURNS bigint[]
LANGUAGE sql VOLATILE AS $$
SELECT coalesce(array_agg(event), '{}') FROM (
    SELECT DISTINCT x.event FROM longstop.name n CROSS JOIN LATERAL (
        (SELECT d.event FROM longstop.delivery d WHERE d.handler = n.id
            AND d.event >= low AND d.event < high ORDER BY d.event LIMIT most)
        UNION ALL
        (SELECT d.event FROM longstop.dead d WHERE d.handler = n.id
            AND d.event >= low AND d.event < high ORDER BY d.event LIMIT most)
    ) AS x WHERE n.kind = 2 LIMIT most) AS y $$;

-- Drops a day of events. Those that are still needed move into the default
-- partition, with what belongs to them; where they are more than 5000 the day
-- stays as it is. Asked for them behind the lock of the table: whoever owes an
-- event once more looks at it first, and waits, or was here before.
CREATE FUNCTION drop_events(day bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    low bigint := (day * 86400000) << 20;
    high bigint := ((day + 1) * 86400000) << 20;
    stamp text := to_char(date '1970-01-01' + day::integer, 'YYYYMMDD');
    parent text;
    stay bigint[];
    rows bigint;
BEGIN
    IF cardinality(longstop.needed(low, high, 5001)) > 5000 THEN
        RETURN 0;
    END IF;
    rows := longstop.row_count('event_' || stamp);
    PERFORM set_config('lock_timeout', '500ms', true);
    FOREACH parent IN ARRAY ARRAY['event', 'sighting', 'fill'] LOOP
        IF to_regclass('longstop.' || parent || '_' || stamp) IS NOT NULL THEN
            EXECUTE format('ALTER TABLE longstop.%I DETACH PARTITION '
                'longstop.%I', parent, parent || '_' || stamp);
        END IF;
    END LOOP;
    stay := longstop.needed(low, high, 9223372036854775807);
    FOREACH parent IN ARRAY ARRAY['event', 'sighting', 'fill'] LOOP
        IF to_regclass('longstop.' || parent || '_' || stamp) IS NOT NULL THEN
            EXECUTE format('INSERT INTO longstop.%I SELECT * FROM longstop.%I '
                'WHERE %I = ANY($1)', parent, parent || '_' || stamp,
                longstop.day_column(parent)) USING stay;
            EXECUTE format('DROP TABLE longstop.%I', parent || '_' || stamp);
        END IF;
    END LOOP;
    DELETE FROM longstop.rekeyed WHERE event >= low AND event < high
        AND event <> ALL(stay);
    RETURN rows;
END $$;

-- Removes up to `most` events of one partition that were recorded before a time
-- and are not needed. They are locked first and asked about then: whoever owes
-- one of them once more locks it too.
CREATE FUNCTION prune_event_rows(part text, before_ms bigint, most bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    old bigint[];
    handlers bigint[] := ARRAY(SELECT id FROM longstop.name WHERE kind = 2);
BEGIN
    EXECUTE format('SELECT array_agg(id) FROM (SELECT e.id FROM longstop.%I e '
        'WHERE e.recorded_ms < $1 AND NOT EXISTS (SELECT 1 FROM '
        'longstop.delivery d WHERE d.handler = ANY($3) AND d.event = e.id) AND '
        'NOT EXISTS (SELECT 1 FROM longstop.dead d WHERE d.handler = ANY($3) '
        'AND d.event = e.id) ORDER BY e.id LIMIT $2 FOR UPDATE OF e SKIP '
        'LOCKED) AS x', part) INTO old USING before_ms, most, handlers;
    DELETE FROM longstop.event WHERE id = ANY(old) AND NOT EXISTS (
        SELECT 1 FROM longstop.delivery d
            WHERE d.handler = ANY(handlers) AND d.event = event.id)
        AND NOT EXISTS (SELECT 1 FROM longstop.dead d
            WHERE d.handler = ANY(handlers) AND d.event = event.id);
    DELETE FROM longstop.sighting WHERE event = ANY(old)
        AND NOT EXISTS (SELECT 1 FROM longstop.event e WHERE e.id = event);
    DELETE FROM longstop.fill WHERE event = ANY(old)
        AND NOT EXISTS (SELECT 1 FROM longstop.event e WHERE e.id = event);
    DELETE FROM longstop.rekeyed WHERE event = ANY(old)
        AND NOT EXISTS (SELECT 1 FROM longstop.event e WHERE e.id = event);
    RETURN coalesce(cardinality(old), 0);
END $$;

-- Removes events recorded before `before_ms`: one day that was over before it,
-- and up to `most` rows of the default partition and of days with few.
CREATE FUNCTION prune_events(before_ms bigint, most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    today bigint := longstop.now_ms() / 86400000;
    below bigint := before_ms / 86400000;
    at record;
    removed bigint := 0;
BEGIN
    FOR at IN SELECT d.part, d.day FROM longstop.days('event') AS d
        WHERE d.day <= below
        UNION ALL SELECT 'event_rest', -1 ORDER BY 2
    LOOP
        IF at.day BETWEEN 0 AND least(below, today) - 1 THEN
            removed := removed + longstop.drop_events(at.day);
            IF removed >= most THEN
                RETURN removed;
            END IF;
        ELSIF removed < most AND (at.day < 0
            OR longstop.is_small(at.part)) THEN
            removed := removed + longstop.prune_event_rows(at.part, before_ms,
                most - removed);
        END IF;
    END LOOP;
    RETURN removed;
END $$;

-- Drops what is owed to handlers whose names are gone: an agent that had not
-- heard of it yet may have added it behind the last look.
CREATE FUNCTION prune_orphans() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    orphan bigint;
    rows bigint;
    removed bigint := 0;
BEGIN
    FOR orphan IN SELECT DISTINCT t.handler FROM longstop.tally t
        WHERE NOT EXISTS (SELECT 1 FROM longstop.name n WHERE n.id = t.handler)
    LOOP
        DELETE FROM longstop.delivery WHERE handler = orphan;
        GET DIAGNOSTICS rows = ROW_COUNT;
        removed := removed + rows;
        DELETE FROM longstop.dead WHERE handler = orphan;
        DELETE FROM longstop.tally WHERE handler = orphan;
    END LOOP;
    RETURN removed;
END $$;

-- ---- for people ----

-- Bytes as text; as they are written in SQL where they are none.
CREATE FUNCTION words(bytes bytea) RETURNS text LANGUAGE plpgsql IMMUTABLE
STRICT AS $$
BEGIN
    RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN OTHERS THEN
    RETURN bytes::text;
END $$;

CREATE VIEW events AS SELECT e.id, longstop.words(n.name) AS connector,
    (ARRAY['webhook', 'poll', 'stream', 'backfill'])[e.via + 1] AS via,
    to_timestamp(nullif(e.time_ms, 0) / 1000.0) AS stamped,
    to_timestamp(e.recorded_ms / 1000.0) AS recorded,
    longstop.words(e.ext_id) AS ext_id, longstop.words(e.type) AS type,
    longstop.words(e.content_type) AS content_type,
    longstop.words(e.body) AS body
    FROM event e LEFT JOIN name n ON n.id = e.connector;

CREATE VIEW deliveries AS SELECT longstop.words(n.name) AS handler, d.event,
    CASE WHEN d.due = 9223372036854775807 THEN 'infinity'
        ELSE to_timestamp(d.due / 1000.0) END AS due,
    d.attempt, d.owner <> 0 AS is_leased, d.lane
    FROM delivery d LEFT JOIN name n ON n.id = d.handler;

CREATE VIEW dead_letters AS SELECT d.id, longstop.words(n.name) AS handler,
    d.event, d.attempt, to_timestamp(d.at_ms / 1000.0) AS died,
    longstop.words(d.reason) AS reason, longstop.words(d.detail) AS answer
    FROM dead d LEFT JOIN name n ON n.id = d.handler;

CREATE VIEW agents AS SELECT a.number, longstop.words(a.host) AS host,
    longstop.words(a.version) AS version,
    to_timestamp(a.started_ms / 1000.0) AS started,
    to_timestamp(a.beat_ms / 1000.0) AS last_beat,
    (SELECT count(*) FROM lease l WHERE l.holder = a.epoch) AS leases
    FROM agent a WHERE a.epoch > 0;
