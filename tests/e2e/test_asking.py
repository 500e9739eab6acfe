# SPDX-License-Identifier: MIT
"""The commands that ask the running agent: status, events, show, gaps, keys."""
import json

import harness
from harness import Hook, iso, row, wait_until
from test_admin import add_gap


class Asking(harness.Case):
    def both(self, **more):
        """An event that a walk brought and a webhook confirmed."""
        stamp = iso()
        provider = self.provider([row(1, stamp)])
        agent = self.pet_shop(provider, **more)
        agent.wait_events(1)
        Hook(1, stamp).send(agent)
        agent.wait_metric(1, "confirmed_total", connector="shop")
        return agent

    def said(self, agent, *words, code=0):
        got = agent.command(*words)
        self.assertEqual(got.returncode, code, got)
        return got.stdout.decode()

    def as_json(self, agent, *words, code=0):
        return json.loads(self.said(agent, *words, "--json", code=code))

    def test_without_an_agent_each_is_69_and_says_what_to_do(self):
        agent = self.agent({"shop": harness.pet_store()})
        for words in (["status"], ["events"], ["show", "1"], ["gaps"],
                      ["gaps", "close", "1"], ["keys", "shop"],
                      ["refusals"], ["refusals", "1"]):
            got = agent.command(*words)
            self.assertEqual(got.returncode, 69, words)
            self.assertIn(b"longstop run", got.stderr)
            self.assertEqual(got.stdout, b"")

    def test_status_says_of_each_tier_what_it_promises(self):
        agent = self.both(poll={"sweeps": [{"every": "1h", "overlap": "1d"}]})
        wait_until(lambda: "last walk" in self.said(agent, "status") and
                   "no walk" not in self.said(agent, "status"),
                   "both tiers have walked")
        text = self.said(agent, "status")
        for line in (r"shop \(petstore\): webhook and poll",
                     r"  complete until \d\d:\d\d:\d\d|yesterday",
                     r"every 1s: complete until .* if the list shows events "
                     r"within 1m\n",
                     r"every 1h: complete until .* if the list shows events "
                     r"within 1d\n",
                     r"last walk .*: ok, \d+ new, \d+ known; next ",
                     r"events: 0 by webhook, 1 by poll",
                     r"0 recovered, 0 late, 1 confirmed, ever; recovered is "
                     r"what only the list has shown for \S+\n",
                     r"HANDLER +OWED +OLDEST +NEXT +RUNS +RATE +P50 +P99 +DEAD +"
                     r"STATE\n",
                     r"log +0 +- +- +0 +1/m +\d+m?s +\d+m?s +0 +ok\n"):
            self.assertRegex(text, line)
        told = self.as_json(agent, "status")
        self.assertEqual([tier["overlap_ms"] for tier in
                          told["connectors"][0]["tiers"]], [60000, 86400000])

    def test_status_says_what_no_list_and_a_pace_that_moves_mean(self):
        hooked = self.pet_shop()
        self.assertIn("no list is polled: what a webhook does not bring is "
                      "lost\n", self.said(hooked, "status"))
        self.assertNotIn("recovered", self.said(hooked, "status"))
        agent = self.both(poll={"pace": "adaptive", "fastest": "1s",
                                "slowest": "4s"})
        text = self.said(agent, "status")
        self.assertRegex(text, r"  every \S+ now \(adaptive")
        self.assertNotIn("no list is polled", text)
        tier = self.as_json(agent, "status")["connectors"][0]["tiers"][0]
        self.assertTrue(tier["adaptive"])

    def test_complete_is_but_for_gaps_where_one_is_open(self):
        agent = self.both()
        self.assertNotIn("but for", self.said(agent, "status"))
        agent.stop()
        add_gap(agent, 1000, 2000)
        agent.start()
        self.assertRegex(self.said(agent, "status", code=1),
                         r"  complete until .*\d, but for what gaps lack\n")

    def test_status_is_1_while_a_gap_is_open_and_closing_it_makes_it_0(self):
        agent = self.pet_shop()
        self.said(agent, "status")
        self.assertIn("no gap is open", self.said(agent, "gaps"))
        agent.stop()
        add_gap(agent, 1000, 2000)
        agent.start()
        self.assertIn("1 open gap", self.said(agent, "status", code=1))
        self.assertEqual(self.as_json(agent, "status", code=1)["open_gaps"], 1)
        self.assertRegex(self.said(agent, "gaps"),
                         r"\n1 +shop +retention +1970-01-01T00:00:01\.000Z "
                         r"+1970-01-01T00:00:02\.000Z .* open\n")
        self.assertIn("backfill CONNECTOR --since FROM --until TO",
                      self.said(agent, "gaps"))
        self.assertNotIn("backfill", self.said(agent, "gaps", "--all"))
        self.assertIn("gap 1 is closed", self.said(agent, "gaps", "close", "1"))
        self.said(agent, "status")
        self.assertIn("no gap is open", self.said(agent, "gaps"))
        self.assertRegex(self.said(agent, "gaps", "--all"), r" operator\n")
        self.assertEqual(self.as_json(agent, "gaps", "--all")["items"][0]
                         ["closed_by"], "operator")
        got = agent.command("gaps", "close", "1")
        self.assertEqual(got.returncode, 1)
        self.assertIn(b"no open gap", got.stderr)
        for words in (["gaps", "open"], ["gaps", "close"],
                      ["gaps", "close", "1", "2"]):
            self.assertEqual(agent.command(*words).returncode, 2, words)

    def test_events_are_listed_filtered_and_limited(self):
        agent = self.pet_shop()
        for order in range(7):
            Hook(order, iso(), event="order.paid" if order % 2 else
                 "order.created").send(agent)
        text = self.said(agent, "events")
        self.assertEqual(len(text.splitlines()), 9)
        self.assertRegex(text, r"RECORDED +VIA +CONNECTOR +TYPE +ID +NUMBER\n")
        for words, count in (([], 7), (["--limit", "3"], 3),
                             (["--type", "*.paid"], 3), (["--via", "poll"], 0),
                             (["--since", "1h"], 7), (["--until", "1h"], 0),
                             (["--connector", "shop"], 7)):
            page = self.as_json(agent, "events", *words)
            self.assertEqual(len(page["items"]), count, words)
        self.assertIn("no such event", self.said(agent, "events", "--via",
                                                 "poll"))
        for words in (["--limit", "0"], ["--via", "pigeon"],
                      ["--since", "tuesday"], ["--connector", "nobody"]):
            got = agent.command("events", *words)
            self.assertEqual(got.returncode, 2, words)
            self.assertNotEqual(got.stderr, b"")

    def test_show_tells_where_an_event_came_from_with_both_times(self):
        agent = self.both()
        one = self.as_json(agent, "events")["items"][0]
        by_number = self.said(agent, "show", one["number"])
        self.assertEqual(self.said(agent, "show", "shop/" + one["id"]),
                         by_number)
        self.assertRegex(by_number, r"seen by\n  poll +\S.*, brought it\n"
                                    r"  webhook +\S.* later\n")
        self.assertIn("nothing is owed", by_number)
        self.assertNotIn('"updated_at"', by_number)
        self.assertIn('"updated_at"', self.said(agent, "show", "--body",
                                                one["number"]))
        self.assertEqual(
            [seen["via"] for seen in
             self.as_json(agent, "show", one["number"])["seen"]],
            ["poll", "webhook"])
        for name in ("nobody", "elsewhere/evt_1"):
            got = agent.command("show", name)
            self.assertEqual(got.returncode, 1)
            self.assertIn(b"such as shop/evt_1", got.stderr)
        got = agent.command("show", "shop/nobody")
        self.assertEqual(got.returncode, 1)
        self.assertIn(b"no such event", got.stderr)

    def test_show_tells_each_attempt_and_its_answer(self):
        agent = self.pet_shop(handlers={"picky": {
            "exec": ["/bin/sh", "-c", "echo never heard of it; exit 65"]}})
        Hook(1, iso()).send(agent)
        wait_until(lambda: self.as_json(agent, "status")["handlers"][0]["dead"],
                   "it is dead")
        number = self.as_json(agent, "events")["items"][0]["number"]
        text = self.said(agent, "show", number)
        self.assertRegex(text, r"picky: dead since .*, attempt 1")
        self.assertRegex(text, r"picky attempt 1 at .*: exit 65 \(dead\)\n"
                               r" +\| never heard of it\n")

    def test_keys_tell_whether_ids_of_the_channels_meet(self):
        agent = self.both()
        text = self.said(agent, "keys", "shop")
        self.assertIn("ids of the two channels meet: 1 event", text)
        self.assertRegex(text, r"TYPE +WEBHOOK +WALK +MET")
        self.assertEqual(self.as_json(agent, "keys", "shop")["verdict"],
                         "meet")
        self.assertEqual(agent.command("keys", "nobody").returncode, 2)
