# SPDX-License-Identifier: MIT
"""Brakes: circuit breaker, rate, what answers ask, schedules."""
import datetime
import json
import os
import sqlite3
import time

import harness
from harness import Hook, answer, iso, replies, stays, wait_until

QUICK = {"first": "20ms", "cap": "40ms", "attempts": 500}


class Brakes(harness.Case):
    def receiver(self):
        receiver = self.provider()
        receiver.default = lambda handler, asked: answer(handler, 200, b"")
        return receiver

    def agent_to(self, receiver, **more):
        return self.agent({"shop": harness.pet_store()}, {
            "mirror": dict({"http": {"url": receiver.url}, "retry": QUICK},
                           **more),
            "log": {"file": "events.jsonl"}}).start()

    def breaker(self, agent):
        return agent.metric("handler_breaker_state", handler="mirror")

    def outcome(self, agent, outcome="done"):
        return agent.metric("deliveries_total", handler="mirror",
                            outcome=outcome)

    def send(self, agent, first, past):
        for n in range(first, past):
            self.assertEqual(Hook(n, iso()).send(agent).status, 202)


class Breaker(Brakes):
    settings = {"failures": 3, "open": "1500ms", "cap": "1500ms"}

    def broken(self):
        """An agent whose receiver has failed until the breaker opened."""
        receiver = self.receiver()
        receiver.default = replies(500)
        agent = self.agent_to(receiver, breaker=self.settings)
        self.send(agent, 0, 6)
        wait_until(lambda: self.breaker(agent) == 2, "it is open")
        return receiver, agent

    def test_an_open_breaker_lets_nothing_through_and_burns_no_attempts(self):
        receiver, agent = self.broken()
        wait_until(lambda: agent.query(
            "SELECT count(*) FROM delivery WHERE owner<>0") == [(0,)],
            "what ran has ended")
        asked = len(receiver.asked)
        attempts = agent.query("SELECT sum(attempt) FROM delivery")
        self.send(agent, 6, 10)
        stays(lambda: len(receiver.asked) == asked, "it is left alone", 0.5)
        self.assertEqual(agent.query("SELECT sum(attempt) FROM delivery"),
                         attempts)
        self.assertEqual(agent.log().count("the breaker is open"), 1)
        agent.wait_events(10)

    def test_half_open_lets_one_through_and_closes_when_it_works(self):
        receiver, agent = self.broken()
        time_open = len(receiver.asked)
        wait_until(lambda: len(receiver.asked) > time_open, "a probe")
        wait_until(lambda: self.breaker(agent) == 2, "open again")
        self.assertEqual(len(receiver.asked), time_open + 1)
        receiver.default = lambda handler, asked: answer(handler, 200, b"")
        wait_until(lambda: self.outcome(agent) == 6, "all are done")
        self.assertEqual(self.breaker(agent), 0)
        self.assertEqual(agent.log().count("the breaker is closed"), 1)

    def test_one_bad_event_does_not_open_the_breaker(self):
        receiver = self.receiver()
        receiver.default = replies(500)
        agent = self.agent_to(receiver, breaker=self.settings)
        self.send(agent, 0, 1)
        wait_until(lambda: len(receiver.asked) > 12, "it is tried and tried")
        self.assertEqual(self.breaker(agent), 0)

    def test_events_that_a_handler_refuses_do_not_open_the_breaker(self):
        agent = self.agent({"shop": harness.pet_store()})
        agent.config["handlers"] = {"mirror": {
            "exec": [agent.script("no.sh", "exit 65\n")],
            "breaker": self.settings}}
        agent.write_config()
        agent.start()
        self.send(agent, 0, 8)
        wait_until(lambda: self.outcome(agent, "dead") == 8, "all are dead")
        self.assertEqual(self.breaker(agent), 0)

    def test_failures_0_never_opens_it(self):
        receiver = self.receiver()
        receiver.default = replies(500)
        agent = self.agent_to(receiver, breaker={"failures": 0})
        self.send(agent, 0, 20)
        wait_until(lambda: len(receiver.asked) > 60, "they are tried")
        self.assertEqual(self.breaker(agent), 0)


class Asked(Brakes):
    def test_retry_after_holds_all_deliveries_of_the_handler(self):
        receiver = self.receiver()
        receiver.script.append(replies(429, b"", {"Retry-After": "2"}))
        agent = self.agent_to(receiver, concurrency=1)
        self.send(agent, 0, 1)
        wait_until(lambda: receiver.asked, "the first attempt")
        self.send(agent, 1, 5)
        stays(lambda: len(receiver.asked) == 1, "all of them wait", 1.5)
        wait_until(lambda: self.outcome(agent) == 5, "all are done")
        self.assertEqual(agent.query("SELECT count(*) FROM attempt "
                                     "WHERE attempt>1"), [(1,)])
        self.assertEqual(self.breaker(agent), 0)

    def test_an_absurd_retry_after_holds_the_others_to_the_cap_only(self):
        receiver = self.receiver()
        receiver.script.append(replies(503, b"", {"Retry-After": "86400"}))
        agent = self.agent_to(receiver, concurrency=1,
                              breaker={"hold": "1s"})
        self.send(agent, 0, 1)
        wait_until(lambda: receiver.asked, "the first attempt")
        began = time.monotonic()
        self.send(agent, 1, 4)
        wait_until(lambda: self.outcome(agent) == 3, "the others are done")
        self.assertGreater(time.monotonic() - began, 0.5)
        self.assertEqual(agent.query("SELECT count(*) FROM delivery"), [(1,)])


class Rate(Brakes):
    def test_a_handler_is_given_no_more_than_its_rate(self):
        receiver = self.receiver()
        agent = self.agent_to(receiver, rate="20/s", concurrency=16)
        # All are there before the first goes: a slow sender is no brake.
        self.assertEqual(agent.command("pause", "mirror").returncode, 0)
        self.send(agent, 0, 40)
        agent.wait_events(40)
        self.assertEqual(agent.command("resume", "mirror").returncode, 0)
        wait_until(lambda: self.outcome(agent) == 40, "all are done")
        times = sorted(asked.at for asked in receiver.asked)
        # Two at once after a rest, then evenly: no second has more than 22.
        for first in range(len(times) - 25):
            self.assertGreater(times[first + 25] - times[first], 1.0)
        self.assertGreater(times[-1] - times[0], 1.85)


class Clock(Brakes):
    def test_what_waits_for_a_time_years_ahead_is_due_at_the_next_start(self):
        receiver = self.receiver()
        receiver.default = replies(500)
        agent = self.agent_to(receiver, retry={"first": "1d", "cap": "1d"})
        self.send(agent, 0, 2)
        wait_until(lambda: self.outcome(agent, "retry") == 2, "both failed")
        agent.stop()
        connection = sqlite3.connect(agent.path("longstop.db"))
        connection.execute("UPDATE delivery SET due=due+?",
                           (20 * 365 * 86400 * 1000,))
        connection.commit()
        connection.close()
        receiver.default = lambda handler, asked: answer(handler, 200, b"")
        agent.start()
        wait_until(lambda: self.outcome(agent) == 2, "both are done")
        self.assertIn("our clock had been ahead of", agent.log())

    def test_who_is_off_for_longer_than_give_up_loses_nothing_at_once(self):
        receiver = self.receiver()
        agent = self.agent_to(receiver, retry={"first": "50ms",
                                               "give_up": "1h"})
        agent.command("pause", "mirror")
        self.send(agent, 0, 2)
        agent.wait_events(2)
        agent.stop()
        connection = sqlite3.connect(agent.path("longstop.db"))
        connection.execute("UPDATE event SET recorded_ms=recorded_ms-?",
                           (3 * 86400 * 1000,))
        connection.commit()
        connection.close()
        receiver.script += [replies(500), replies(500)]
        agent.start()
        agent.command("resume", "mirror")
        wait_until(lambda: self.outcome(agent) == 2, "both are done")
        self.assertEqual(self.outcome(agent, "dead"), 0)


class Status(Brakes):
    def standing(self, agent):
        told = json.loads(agent.command("status", "--json").stdout)
        return next(h for h in told["handlers"] if h["name"] == "mirror")

    def test_status_says_how_fast_a_handler_is_and_what_runs(self):
        agent = self.agent({"shop": harness.pet_store()})
        agent.config["handlers"] = {"mirror": {"exec": [agent.script(
            "slow.sh", "sleep 0.3\n"
            f"while [ -e {agent.dir}/hang ]; do sleep 0.1; done\n")]}}
        agent.write_config()
        agent.start()
        idle = self.standing(agent)
        self.assertEqual(
            [idle[name] for name in ("running", "per_minute", "p50_ms",
                                     "p99_ms", "breaker", "next_try")],
            [0, 0, None, None, "closed", None])
        self.send(agent, 0, 6)
        wait_until(lambda: self.outcome(agent) == 6, "all are done")
        told = self.standing(agent)
        self.assertEqual(told["per_minute"], 6)
        self.assertGreaterEqual(told["p50_ms"], 300)
        self.assertGreaterEqual(told["p99_ms"], told["p50_ms"])
        self.assertLess(told["p99_ms"], 20000)
        open(agent.path("hang"), "w", encoding="ascii").close()
        self.send(agent, 6, 9)
        wait_until(lambda: self.standing(agent)["running"] == 3, "three run")
        os.unlink(agent.path("hang"))
        wait_until(lambda: self.standing(agent)["running"] == 0, "none runs")

    def test_status_says_of_a_handler_that_fails_when_it_is_tried_next(self):
        receiver = self.receiver()
        receiver.default = replies(500)
        agent = self.agent_to(receiver, breaker={
            "failures": 2, "open": "1h", "cap": "1h"})
        self.send(agent, 0, 3)
        wait_until(lambda: self.breaker(agent) == 2, "it is open")
        told = self.standing(agent)
        self.assertEqual(told["breaker"], "open")
        self.assertEqual(told["pending"], 3)
        now = json.loads(agent.command("status", "--json").stdout)["now"]
        next_try = told["next_try"]
        self.assertGreater(seconds(next_try) - seconds(now), 1700)
        self.assertLess(seconds(next_try) - seconds(now), 3700)
        self.assertRegex(agent.command("status").stdout.decode(),
                         r"\nmirror +3 .* breaker open\n")


def seconds(stamp):
    return datetime.datetime.fromisoformat(
        stamp.replace("Z", "+00:00")).timestamp()


class Schedule(Brakes):
    def test_a_schedule_says_when_each_attempt_is_made(self):
        receiver = self.receiver()
        receiver.default = replies(500)
        agent = self.agent_to(receiver,
                              retry={"schedule": ["100ms", "700ms"]})
        self.send(agent, 0, 1)
        wait_until(lambda: self.outcome(agent, "dead") == 1, "it is dead")
        times = [asked.at for asked in receiver.asked]
        self.assertEqual(len(times), 3)
        self.assertGreaterEqual(times[1] - times[0], 0.09)
        self.assertGreaterEqual(times[2] - times[1], 0.69)

    def test_standard_webhooks_is_a_schedule_of_ten_attempts(self):
        agent = self.agent({"shop": harness.pet_store()}, {
            "mirror": {"exec": ["/bin/false"],
                       "retry": {"schedule": "standard-webhooks"}}}).start()
        self.send(agent, 0, 1)
        wait_until(lambda: agent.query("SELECT 1 FROM attempt"), "it failed")
        due, ended = agent.query("SELECT due, (SELECT max(started_ms + "
                                 "duration_ms) FROM attempt) FROM delivery")[0]
        # up to a tenth is added, and what it takes to hear of the end
        self.assertGreaterEqual(due - ended, 5000)
        self.assertLess(due - ended, 9000)
