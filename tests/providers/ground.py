# SPDX-License-Identifier: MIT
"""What every provider here stands on: a clock of its own, facts that are
noted in a journal, a list of them, bad days, and the server around it.

A provider's clock runs fast while facts come about, so that a test of some
seconds spans many overlaps of its connector; it lies behind the real one.
"""
import collections
import datetime
import email.utils
import json
import os
import random
import re
import sys
import threading
import time
import traceback

import contract
import harness

FACT = re.compile(r"fact-[a-z_]+-\d+-\d+")

Reply = collections.namedtuple("Reply", "status body headers kind")


def reply(body, headers=None, status=200, kind="application/json"):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return Reply(status, body, headers or {}, kind)


class Clock:
    """Seconds since 1970, at a speed."""

    def __init__(self, at):
        self.at = at
        self.since = time.monotonic()
        self.speed = 1

    def now(self):
        return self.at + (time.monotonic() - self.since) * self.speed

    def skip(self, seconds):
        self.at += seconds

    def run(self, speed):
        self.at = self.now()
        self.since = time.monotonic()
        self.speed = speed


class Row:
    """One fact: a version of an object, and from when it is listed."""

    __slots__ = ("thing", "version", "fact", "number", "stamp", "shown",
                 "born")

    def __init__(self, thing, version, fact, number, stamp, shown, born):
        self.thing = thing      # the object's number
        self.version = version  # counted from 1
        self.fact = fact        # its name, found again in what is handed over
        self.number = number    # in order of coming about
        self.stamp = stamp      # its time, as coarse as the list writes it
        self.shown = shown      # when it becomes visible
        self.born = born        # the stamp of the object's first version


def utc(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc)


def iso_s(at):
    return utc(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_ms(at):
    return utc(at).strftime("%Y-%m-%dT%H:%M:%S.") + \
        f"{round(at * 1000) % 1000:03d}Z"


def in_zone(at, hours, form="%Y-%m-%dT%H:%M:%S%z", colon=True):
    zone = datetime.timezone(datetime.timedelta(hours=hours))
    text = datetime.datetime.fromtimestamp(at, zone).strftime(form)
    return text[:-2] + ":" + text[-2:] if colon else text


def read_iso(text):
    """A time with a zone; it is refused without."""
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise contract.Refused(f"{text!r} has no zone")
    return moment.timestamp()


# ---- the ways a provider says: later ----

def later(field, wait_s, status=429, body=None):
    """As seconds, decimals or an HTTP date, in a field."""
    return lambda mock: (wait_s, reply(body or {"error": "slow down"}, {
        field: f"{wait_s:g}"}, status))


def later_date(status=429):
    def make(mock):
        at = int(mock.moment.at) + 1
        return 1, reply(
            {}, {"Retry-After": email.utils.formatdate(at, usegmt=True)},
            status)
    return make


def later_epoch(remaining, reset, unit=1, status=429, body=None):
    """A budget that is used up until a second (or millisecond) is over."""
    def make(mock):
        at = int(mock.moment.at) + 1
        return 0.5, reply(body or {}, {remaining: "0", reset: str(at * unit)},
                          status)
    return make


def broken(mock):
    return 0, reply({"error": "internal"}, status=500)


class Mock(harness.FakeProvider):
    """A provider; each one says what its list is like and how it answers.

    `flip` is what is done the other way round than its documents say:
    "order", "inclusive" or "paging".
    """

    name = None
    title = None       # where it is not the only mock of that connector
    hooks = False      # it sends webhooks, too
    cap = 100          # rows of a page, at most
    order = "desc"
    inclusive = True   # its filter shows rows equal to the bound
    unit = 1           # how coarse its stamps are, in seconds
    overlap = 120      # how late a row may become visible (four fifths of it)
    late = 0.2         # the share of rows that do
    before = 60        # how long before its beginning it is asked from
    span = 20          # overlaps that the test is to last
    state = False      # it lists objects, and their last version only
    gaps = 0           # that are to be reported, at most
    rough = 0.3        # the share of answers that are bad, on bad days
    flips = ()         # what can be turned round at all
    limits = (broken,)
    page_name = None   # the query name of page tokens that may expire
    params = {}        # of the connector, beside base and api_key
    secrets = {"api_key": "the-api-key"}
    entry = {}         # what the configuration changes in the connector
    stamped = True     # rows have a time that the envelope must show
    backlog = 240      # facts there before anybody asks
    trickle = 150      # that come about while it is read
    burst = 240        # that come about while nobody reads

    def __init__(self, seed, flip=None):
        self.chance = random.Random(f"{seed} {self.name}")
        self.flip = flip
        self.clock = Clock(self.begin_at())
        self.begun = self.clock.now()
        self.trouble = 0.0
        self.resting = False
        self.down = False
        self.lock = threading.Condition(threading.RLock())
        self.lines = contract.LINES[self.name]
        self.versions = []          # every Row there ever was
        self.things = {}            # the object's number: its Rows
        self.wrong = []             # words about requests that were refused
        self.told = 0               # nobody may ask before (monotonic)
        self.last = 0               # the stamp of the last row
        self.shown_rows = 0         # what a page held, when last asked
        self.counts = collections.Counter()
        self.moment = threading.local()
        super().__init__()
        self.date = lambda: self.moment.at

    def begin_at(self):
        """What its clock says first: all of the test lies in the past."""
        return time.time() - (self.span + 4) * self.overlap - 7200

    # -- facts come about --

    def grow(self, count):
        with self.lock:
            for _ in range(count):
                if self.state and self.things and self.chance.random() < 0.4:
                    self.change()
                else:
                    self.create()
            self.lock.notify_all()

    def grow_tied(self, count):
        """New objects, all of one second."""
        with self.lock:
            self.last = 0
            stamp = self.stamp()
            for _ in range(count):
                thing = len(self.things) + 1
                self.things[thing] = []
                self.note(thing, stamp)
            self.lock.notify_all()

    def stamp(self):
        """Now, as coarse as it is written; often the same as the last."""
        if self.last and self.chance.random() < 0.5 and \
                self.clock.now() - self.last < 4 * self.unit:
            return self.last
        self.last = self.tick()
        return self.last

    def tick(self):
        """Now, as coarse as it is written."""
        return round(int(self.clock.now() / self.unit) * self.unit, 6)

    def create(self):
        thing = len(self.things) + 1
        self.things[thing] = []
        return self.note(thing, self.stamp())

    def change(self):
        """A new version of an object; two never have one stamp."""
        thing = self.chance.choice(list(self.things))
        stamp = self.tick()
        if self.things[thing][-1].stamp >= stamp or \
                not self.may_change(thing):
            return self.create()
        return self.note(thing, stamp)

    def may_change(self, thing):
        return len(self.things[thing]) < 20

    def note(self, thing, stamp):
        rows = self.things[thing]
        shown = self.clock.now()
        if self.chance.random() < self.late:
            shown += self.chance.uniform(0, 0.8) * self.overlap
        fact = f"fact-{self.name}-{thing}-{len(rows) + 1}"
        row = Row(thing, len(rows) + 1, fact, len(self.versions) + 1, stamp,
                  shown, rows[0].stamp if rows else stamp)
        self.versions.append(row)
        rows.append(row)
        return row

    # -- what must be handed over, what may --

    def must(self):
        with self.lock:
            if self.state:
                return {rows[-1].fact for rows in self.things.values()}
            return {row.fact for row in self.versions}

    def is_crowded(self, lost):
        """Whether as many rows as a page holds, or more, lie within an overlap
        below the first of the lost ones. A walk that shows its oldest page
        only, and begins an overlap below what it has seen, stays there."""
        with self.lock:
            first = min(row.stamp for row in self.versions if row.fact in lost)
            below = sum(first - 1.1 * self.overlap <= row.stamp < first
                        for row in self.versions)
        return 0 < self.shown_rows <= below

    def journal(self):
        with self.lock:
            return {row.fact: row for row in self.versions}

    def all_shown(self):
        with self.lock:
            return all(row.shown <= self.clock.now() for row in self.versions)

    def fact_of(self, envelope):
        """Which fact an envelope tells of; None where that is not plain."""
        facts = set(FACT.findall(json.dumps(envelope["data"])))
        return facts.pop() if len(facts) == 1 else None

    # -- the list --

    def visible(self):
        """What is listed now, in no order."""
        now = self.clock.now()
        if not self.state:
            return [row for row in self.versions if row.shown <= now]
        rows = []
        for versions in self.things.values():
            for row in reversed(versions):
                if row.shown <= now:
                    rows.append(row)
                    break
        return rows

    def time_of(self, row):
        """What the envelope's time is to be."""
        return row.stamp

    def key(self, row):
        return (row.stamp, row.number)

    def listed(self, bound=None, value=None):
        """Visible rows from a bound on, in the list's order."""
        rows = self.visible()
        if bound is not None:
            value = value or (lambda row: round(row.stamp, 6))
            takes = self.inclusive != (self.flip == "inclusive")
            rows = [row for row in rows if value(row) > bound or
                    takes and value(row) == bound]
        down = (self.order == "desc") != (self.flip == "order")
        return sorted(rows, key=self.key, reverse=down)

    def by_place(self, rows, start, size):
        """The page from a place on, and whether there is another."""
        more = start + size < len(rows)
        self.counts["pages"] += more
        if self.flip == "paging":
            end = len(rows) - start
            return rows[max(0, end - size):max(0, end)], more
        return rows[start:start + size], more

    def near(self, rows, size):
        """The page that is nearest to where the rows begin."""
        self.counts["pages"] += len(rows) > size
        self.shown_rows = size
        return rows[-size:] if self.flip == "paging" else rows[:size]

    @staticmethod
    def behind(rows, token, name):
        """The rows behind the one of that name; refused if none has it."""
        for i, row in enumerate(rows):
            if name(row) == token:
                return rows[i + 1:]
        raise contract.Refused(f"no row is called {token}")

    def beyond(self, rows, key):
        """The rows of a page that begins behind a key, whichever way."""
        down = (self.order == "desc") != (self.flip == "order")
        if self.flip == "paging":
            down = not down
        return [row for row in rows if
                (self.key(row) < key if down else self.key(row) > key)]

    # -- answering --

    def answer(self, asked):
        """Calls what is named as the request's line."""
        return getattr(self, "on_" + asked.name)(asked)

    def judge(self, asked):
        self.counts[asked.method] += 1
        if self.down:
            return reply({"error": "maintenance"}, status=503)
        early = self.told - time.monotonic()
        try:
            contract.check(self.lines, asked, self.secrets)
            if early > 0.05 and asked.name in self.held_back():
                self.wrong.append(f"asked {early:.2f} s too early: "
                                  f"{asked.target}")
            if self.chance.random() < self.trouble:
                return self.bad_day()
            if self.chance.random() < self.trouble / 3 and \
                    self.page_name in self.names(asked):
                self.counts["refused pages"] += 1
                return reply({"error": "this page has expired"}, status=400)
            return self.answer(asked)
        except contract.Refused as refused:
            self.wrong.append(f"{asked.method} {asked.target}: {refused}")
            return reply({"error": str(refused)}, status=refused.status)
        except Exception:
            self.wrong.append("the mock itself: " + traceback.format_exc())
            return reply({"error": "the mock is broken"}, status=500)

    @staticmethod
    def names(asked):
        return asked.json if isinstance(asked.json, dict) else asked.query

    def bad_day(self):
        """Each of its ways to fail or to say later, in turn."""
        way = self.limits[self.counts["trouble"] % len(self.limits)]
        self.counts["trouble"] += 1
        wait_s, answer = way(self)
        if wait_s:
            self.told = time.monotonic() + wait_s
        return answer

    def held_back(self):
        """The lines that are not asked while the provider said: later."""
        return list(self.lines)

    def take(self, handler):
        asked = contract.Asked(handler.command, handler.path,
                               handler.headers, getattr(handler, "sent", b""))
        handler.sent = b""
        with self.lock:
            # of when the list was looked at: a clock that runs fast would
            # leave that far behind while the answer is written
            self.moment.at = self.clock.now()
            given = self.judge(asked)
        try:
            harness.answer(handler, given.status, given.body, given.headers,
                           given.kind)
        except OSError:
            pass  # the agent was killed while it was asking

    def expire(self):
        """What happens to what readers hold, once, while nobody reads."""

    def while_away(self):
        """What happens at the end of that time, before anybody reads."""

    def own_faults(self, gaps, handed):
        """What else is wrong; gap rows are (kind, from, to) in seconds."""
        return []

    def restarted(self):
        """A new agent knows nothing of what the last one was told."""
        self.told = 0

    def configured(self):
        """The connector's entry in the configuration."""
        entry = {"use": os.path.join(os.environ["LONGSTOP_CONNECTORS"],
                                     self.name + ".yaml"),
                 "with": {"base": self.url, **self.secrets, **self.params}}
        for key, value in self.entry.items():
            entry[key] = value
        poll = dict(entry.get("poll", {}))
        poll.update(every="1s", start=iso_s(self.begun - self.before))
        entry["poll"] = poll
        return entry


def hold(mock, ready, seconds):
    """Keeps a request until there is something, or it is told to come back;
    the lock is given up meanwhile."""
    end = time.monotonic() + seconds
    while not ready() and not mock.ended.is_set():
        left = end - time.monotonic()
        if left <= 0:
            return False
        mock.lock.wait(min(left, 0.05))
    return True


def say(text):
    print(text, file=sys.stdout, flush=True)
