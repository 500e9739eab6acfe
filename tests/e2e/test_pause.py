# SPDX-License-Identifier: MIT
"""Pausing handlers and connectors, and resuming them."""
import json

import harness
from harness import Hook, answer, iso, replies, row, stays, wait_until


class Pause(harness.Case):
    def said(self, agent, *words, code=0):
        got = agent.command(*words)
        self.assertEqual(got.returncode, code, got)
        return got.stdout.decode() + got.stderr.decode()

    def handler_of(self, agent, name):
        told = json.loads(agent.command("status", "--json").stdout)
        return next(h for h in told["handlers"] if h["name"] == name)

    def paused(self, agent, kind, name):
        return agent.metric(f"{kind}_paused", **{kind: name})


class Handlers(Pause):
    def test_gone_pauses_the_handler_over_restarts_until_it_is_resumed(self):
        receiver = self.provider()
        receiver.default = replies(410)
        agent = self.agent({"shop": harness.pet_store()}, {
            "mirror": {"http": {"url": receiver.url},
                       "retry": {"first": "20ms", "cap": "40ms"}},
            "log": {"file": "events.jsonl"}}).start()
        Hook(1, iso()).send(agent)
        wait_until(lambda: self.paused(agent, "handler", "mirror") == 1,
                   "it is paused")
        self.assertEqual(len(receiver.asked), 1)
        for n in range(2, 5):
            self.assertEqual(Hook(n, iso()).send(agent).status, 202)
        agent.wait_events(4)
        text = self.said(agent, "status", code=1)
        self.assertRegex(text, r"mirror +4 .* paused\n")
        self.assertRegex(text, r"mirror is paused since .*: it answered that "
                               r"it is gone \(410\); 'longstop resume' ")
        agent.stop()
        receiver.default = lambda handler, asked: answer(handler, 200, b"")
        agent.start()
        self.assertEqual(self.paused(agent, "handler", "mirror"), 1)
        stays(lambda: len(receiver.asked) == 1, "it stays paused", 0.5)
        self.assertIn("handler mirror goes on",
                      self.said(agent, "resume", "mirror"))
        wait_until(lambda: agent.metric(
            "deliveries_total", handler="mirror", outcome="done") == 4,
            "what waited is done")
        self.assertEqual(self.paused(agent, "handler", "mirror"), 0)
        self.said(agent, "status")

    def test_a_paused_handler_gets_nothing_and_loses_nothing(self):
        agent = self.pet_shop()
        self.assertIn("what is owed to it waits", self.said(
            agent, "pause", "log", "--reason", "until it is fixed"))
        for n in range(3):
            self.assertEqual(Hook(n, iso()).send(agent).status, 202)
        stays(lambda: agent.events() == [], "nothing is delivered", 0.3)
        one = self.handler_of(agent, "log")
        self.assertTrue(one["paused"])
        self.assertEqual(one["paused_why"], "until it is fixed")
        self.assertIsNotNone(one["paused_since"])
        self.assertEqual(one["pending"], 3)
        # kill -9: it was durable when the command ended
        agent.kill()
        agent.start()
        stays(lambda: agent.events() == [], "nothing is delivered", 0.3)
        got = json.loads(self.said(agent, "resume", "log", "--json"))
        self.assertEqual(got, {"kind": "handler", "name": "log",
                               "paused": False, "paused_since": None,
                               "paused_why": None})
        agent.wait_events(3)
        self.assertIn("goes on", self.said(agent, "resume", "log"))

    def test_a_pause_is_kept_as_it_was_first_said(self):
        agent = self.pet_shop()
        first = json.loads(self.said(agent, "pause", "log", "--json"))
        self.assertEqual(first["paused_why"], "by an operator")
        again = json.loads(self.said(agent, "pause", "log", "--json",
                                     "--reason", "another"))
        self.assertEqual(again, first)


class Connectors(Pause):
    def test_a_paused_connector_is_not_walked_and_its_hooks_are_taken(self):
        provider = self.provider([row(1, iso())])
        agent = self.pet_shop(provider)
        agent.wait_events(1)
        self.assertIn("its list is not asked",
                      self.said(agent, "pause", "shop"))
        self.assertEqual(self.paused(agent, "connector", "shop"), 1)
        wait_until(lambda: len(provider.asked) > 0, "a walk")
        asked = len(provider.asked)
        stays(lambda: len(provider.asked) <= asked + 1, "no walk", 2.5)
        asked = len(provider.asked)
        Hook(2, iso()).send(agent)
        agent.wait_events(2)
        self.assertRegex(self.said(agent, "status", code=1),
                         r"shop is paused since .*: by an operator")
        self.assertIn("paused", self.said(agent, "poll", "shop", code=1))
        agent.stop()
        agent.start()
        stays(lambda: len(provider.asked) == asked, "no walk", 1.5)
        provider.rows.append(row(3, iso()))
        self.assertIn("connector shop goes on",
                      self.said(agent, "resume", "shop"))
        agent.wait_events(3)
        self.assertEqual(self.paused(agent, "connector", "shop"), 0)


class Words(Pause):
    def test_names_are_looked_up_and_mistakes_have_words(self):
        agent = self.agent({"shop": harness.pet_store()},
                           {"shop": {"file": "events.jsonl"}}).start()
        for words, code, text in (
                (["pause", "nobody"], 2, "'nobody' is no handler and no "
                                         "connector of the configuration"),
                (["pause", "nobody", "--handler"], 2, "is no handler of"),
                (["resume", "nobody", "--connector"], 2, "is no connector of"),
                (["pause", "shop"], 2, "say --handler or --connector"),
                (["pause"], 2, "usage"),
                (["resume", "shop", "--reason", "x"], 2, "reason"),
                (["pause", "shop", "--handler", "--reason", "x" * 201], 2,
                 "at most 200 bytes"),
                (["pause", "shop", "--handler"], 0, "handler shop is paused"),
                (["resume", "shop", "--handler"], 0, "handler shop goes on")):
            self.assertIn(text, self.said(agent, *words, code=code), words)
        agent.stop()
        self.assertIn("longstop run",
                      self.said(agent, "pause", "shop", "--handler", code=69))
