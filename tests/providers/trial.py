# SPDX-License-Identifier: MIT
"""Several providers read by one real agent: facts come about, bad things
happen, and what was handed over is held against each provider's journal."""
import collections
import datetime
import json
import random
import time

import harness
from harness import wait_until

GROWTH_S = 14
TICK_S = 0.05
PATIENCE_S = 120
GAP_KINDS = {1: "retention", 2: "cursor", 3: "tie", 4: "count"}
WALKS = 3   # whole walks at rest after which nothing more is to be expected


class Outcome:
    """What the harness looks at to know whether files are to be kept."""

    success = True
    result = True


class Bench:
    """What an agent of the harness wants of its test."""

    def __init__(self, title):
        self.title = title
        self._outcome = Outcome()
        self.cleanups = []

    def id(self):
        return self.title

    def addCleanup(self, call, *args):
        self.cleanups.append((call, args))

    def close(self):
        for call, args in reversed(self.cleanups):
            call(*args)


class Verdict:
    """What came of one provider."""

    def __init__(self, name, mock):
        self.name = name
        self.mock = mock
        self.lost = set()
        self.faults = []    # in words
        self.noticed = []   # what the agent said was wrong
        self.handed = 0


class Trial:
    """One agent and its providers; `rough` is with kills and bad days."""

    def __init__(self, mocks, seed, rough):
        self.mocks = mocks          # {name of the connector: Mock}
        self.rough = rough
        self.chance = random.Random(f"trial {seed}")
        self.kills = 0
        self.bench = Bench(f"{seed} " + " ".join(mocks))
        self.agent = harness.Agent(
            self.bench, {name: mock.configured()
                         for name, mock in mocks.items()},
            {"log": {"file": "events.jsonl"}},
            listen=any(mock.hooks for mock in mocks.values()))
        self.late = None
        self.read_bytes = 0
        self.taken = {name: {} for name in mocks}

    # -- what the providers go through --

    def each(self, call):
        for mock in self.mocks.values():
            call(mock)

    def backlog(self, mock):
        """What was there before anybody asked, over two overlaps."""
        for _ in range(20):
            mock.grow(mock.backlog // 20)
            mock.clock.skip(mock.overlap / 10)

    def plan(self):
        """When what happens, in shares of the growth."""
        if not self.rough:
            return [(0.45, self.away)]
        kills = [(self.chance.uniform(0.05, 0.95), self.kill)
                 for _ in range(3)]
        return sorted(kills + [(0.3, self.outage), (0.4, self.back),
                               (0.55, self.away)], key=lambda at: at[0])

    def kill(self):
        self.kills += 1
        self.agent.kill()
        self.each(lambda mock: mock.restarted())
        self.agent.start()

    def away(self):
        """Nobody reads while much comes about, a lot of it in one second."""
        if self.rough:
            self.kills += 1
            self.agent.kill()
            self.each(lambda mock: mock.expire())
        else:
            self.agent.stop()
        for _ in range(10):
            self.each(lambda mock: mock.grow(mock.burst // 20))
            time.sleep(TICK_S)
        self.each(lambda mock: mock.grow_tied(mock.burst // 2))
        self.each(lambda mock: mock.while_away())
        self.each(lambda mock: mock.restarted())
        self.agent.start()

    def outage(self):
        self.each(lambda mock: setattr(mock, "down", True))

    def back(self):
        self.each(lambda mock: setattr(mock, "down", False))

    def grow(self):
        began = time.monotonic()
        plan = self.plan()
        grown = collections.Counter()
        for mock in self.mocks.values():
            mock.hook_port = self.agent.port
            mock.clock.run(mock.span * mock.overlap / GROWTH_S)
            mock.trouble = mock.rough if self.rough else 0
        while True:
            part = (time.monotonic() - began) / GROWTH_S
            for name, mock in self.mocks.items():
                due = int(min(part, 1) * mock.trickle)
                mock.grow(max(0, due - grown[name]))
                grown[name] = max(due, grown[name])
            while plan and plan[0][0] <= part:
                plan.pop(0)[1]()
            if part >= 1:
                break
            time.sleep(TICK_S)

    def settle(self):
        """Good days: everything is listed, and nothing comes any more."""
        self.back()
        for mock in self.mocks.values():
            mock.trouble = 0
            mock.resting = True
            mock.clock.run(1)
            mock.clock.skip(mock.overlap)

    # -- what was handed over --

    def missing(self, name, handed):
        return self.mocks[name].must() - handed[name].keys()

    def handed(self):
        """{connector: {fact: [envelopes]}}; what is no fact is under None"""
        for envelope in self.unread():
            name = envelope["source"].removeprefix("longstop/")
            fact = self.mocks[name].fact_of(envelope)
            self.taken[name].setdefault(fact, []).append(
                {key: envelope.get(key) for key in ("id", "time", "type")})
        return self.taken

    def unread(self):
        """The lines of the handler's file that were not read yet."""
        try:
            with open(self.agent.path("events.jsonl"), "rb") as file:
                file.seek(self.read_bytes)
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[:text.rfind(b"\n") + 1]
        self.read_bytes += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def runs(self):
        """{connector: {outcome: walks}} of the agent that runs now."""
        runs = {name: collections.Counter() for name in self.mocks}
        gaps = collections.Counter()
        for (name, labels), value in self.agent.metrics().items():
            labels = dict(labels)
            if name == "longstop_poll_runs_total":
                runs[labels["connector"]][labels["outcome"]] += int(value)
            elif name == "longstop_gaps_total":
                gaps[labels["connector"]] += int(value)
        return runs, gaps

    def gap_rows(self):
        """{connector: [(kind, from, to)]} of all that were ever told."""
        told = collections.defaultdict(list)
        for name, kind, start, end in self.agent.query(
                "SELECT c.name, g.kind, g.from_ms, g.to_ms FROM gap g "
                "JOIN name c ON c.id = g.connector"):
            told[name].append((GAP_KINDS[kind], start / 1000, end / 1000))
        return told

    def all_there(self):
        handed = self.handed()
        return not any(self.missing(name, handed) for name in self.mocks)

    def came_to_rest(self, before):
        """Whether each has all, or has walked often enough to have it."""
        runs, gaps = self.runs()
        if self.agent.query("SELECT count(*) FROM delivery") != [(0,)]:
            return False
        handed = self.handed()
        return all(not self.missing(name, handed) or gaps[name] or
                   runs[name]["ok"] - before[name]["ok"] >= WALKS or
                   bad_runs(runs[name]) - bad_runs(before[name]) >= WALKS
                   for name in self.mocks)

    def more_walks(self, before, count):
        runs, _ = self.runs()
        return all(sum(runs[name].values()) >=
                   sum(before[name].values()) + count for name in self.mocks)

    def wait(self):
        before, _ = self.runs()
        try:
            if self.rough:
                wait_until(self.all_there, "everything is handed over",
                           PATIENCE_S)
                before, _ = self.runs()
                wait_until(lambda: self.more_walks(before, 2), "two walks",
                           PATIENCE_S)
            else:
                wait_until(lambda: self.came_to_rest(before), "all at rest",
                           PATIENCE_S)
        except AssertionError as failure:
            self.late = str(failure)  # what is missing is told by name

    def judge(self):
        handed = self.handed()
        runs, gaps = self.runs()
        told = self.gap_rows()
        verdicts = []
        for name, mock in self.mocks.items():
            verdict = Verdict(name, mock)
            verdict.handed = sum(map(len, handed[name].values()))
            verdict.lost = self.missing(name, handed)
            verdict.faults += mock.own_faults(told[name], handed[name])
            if self.late and verdict.lost:
                verdict.faults.append(self.late)
            verdict.faults += mock.wrong[:5] + self.faults(mock, handed[name])
            if self.rough and "paging" in mock.flips and \
                    not mock.counts["pages"]:
                verdict.faults.append("no answer had a second page")
            if gaps[name] > mock.gaps:
                verdict.noticed.append(f"{gaps[name]} gaps")
            if not self.rough and bad_runs(runs[name]):
                verdict.noticed.append(f"walks: {dict(runs[name])}")
            verdicts.append(verdict)
        return verdicts

    def faults(self, mock, handed):
        journal = mock.journal()
        faults = []
        again = 0
        for fact, envelopes in handed.items():
            if fact not in journal:
                faults.append(f"no fact of ours: {envelopes[0]}")
                continue
            ids = {envelope["id"] for envelope in envelopes}
            if len(ids) > 1:
                faults.append(f"{fact} twice, as {sorted(ids)}")
            again += len(envelopes) - 1
            faults += check_time(mock, journal[fact], envelopes[0])
        # what was handed over while the agent was killed may come again
        if again > 100 * self.kills:
            faults.append(f"{again} handed over twice, {self.kills} kills")
        return faults[:5]

    def run(self):
        try:
            self.each(self.backlog)
            self.agent.start()
            self.grow()
            self.settle()
            self.wait()
            verdicts = self.judge()
            self.agent.stop()
            return verdicts
        finally:
            # first who asks: its next request would meet another's port
            if self.agent.child is not None and \
                    self.agent.child.poll() is None:
                self.agent.kill()
            self.each(lambda mock: mock.close())


def bad_runs(runs):
    return sum(count for outcome, count in runs.items() if outcome != "ok")


def check_time(mock, row, envelope):
    if not mock.stamped:
        return []
    told = datetime.datetime.fromisoformat(
        envelope.get("time", "1970-01-01T00:00:00Z").replace("Z", "+00:00"))
    if abs(told.timestamp() - mock.time_of(row)) <= max(mock.unit, 0.001):
        return []
    return [f"{row.fact} is of {mock.time_of(row):.3f}, told as "
            f"{envelope.get('time')}"]
