# SPDX-License-Identifier: MIT
"""Several agents that share one store in PostgreSQL."""
import json
import os
import signal
import sys
import time

import harness
from harness import Hook, iso, pet_store, row, wait_until

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                             "brokers"))

# pylint: disable=wrong-import-position
from test_stream import Relay, forward  # noqa: E402
from test_postgresql import PostgresqlServer  # noqa: E402

# Short enough to wait for, long enough for a machine that is busy.
BEAT, TTL = "500ms", 4


class Agents(harness.Case):
    def setUp(self):
        if PostgresqlServer.find() is None:
            self.skipTest("no PostgreSQL server here")
        self.database = PostgresqlServer(self).start()

    def shops(self, count, provider):
        return {f"shop{i}": pet_store(provider) for i in range(count)}

    def url(self):
        return (f"postgresql://longstop@127.0.0.1:{self.database.port}"
                "/postgres")

    def member(self, connectors, handlers=None, **more):
        agent = harness.Agent(
            self, connectors, handlers,
            store=self.url(), agents={"beat": BEAT, "ttl": f"{TTL}s"}, **more)
        return agent

    @staticmethod
    def status(agent):
        return json.loads(agent.admin("/api/v1/status").body)

    def walked(self, agent):
        """The connectors that this agent walks, by its own word."""
        return {dict(labels)["connector"]
                for (name, labels), value in agent.metrics().items()
                if name == "longstop_lease_held" and value == 1}

    def all_events(self, *agents):
        return [event for agent in agents for event in agent.events()]

    def test_two_agents_share_what_is_walked_and_a_killed_one_is_replaced(self):
        provider = self.provider([row(1, iso())])
        shops = self.shops(8, provider)
        one = self.member(shops).start()
        wait_until(lambda: len(self.walked(one)) == 8, "one walks all")
        two = self.member(shops).start()
        wait_until(lambda: self.walked(two) and
                   len(self.walked(one)) + len(self.walked(two)) == 8 and
                   not self.walked(one) & self.walked(two),
                   "each walks its part")
        self.assertEqual(one.metric("agents"), 2)
        told = self.status(one)
        self.assertEqual([agent["self"] for agent in told["agents"]],
                         [True, False])
        numbers = {agent["agent"] for agent in told["agents"]}
        self.assertEqual({shop["agent"] for shop in told["connectors"]},
                         numbers)
        text = one.command("status").stdout.decode()
        self.assertIn("(this one)", text)
        self.assertIn("walked by agent", text)
        one.kill()
        killed = time.monotonic()
        wait_until(lambda: len(self.walked(two)) == 8, "two walks all")
        self.assertLess(time.monotonic() - killed, TTL + 5)
        provider.rows.append(row(2, iso()))
        wait_until(lambda: len({(event["source"], event["id"]) for event in
                                self.all_events(one, two)}) == 16,
                   "each shop's two orders are delivered")

    def test_an_agent_moves_into_a_database_and_back(self):
        agent = self.pet_shop()
        hooks = [Hook(n, iso()) for n in range(20)]
        for hook in hooks:
            self.assertEqual(hook.send(agent).status, 202)
        agent.wait_events(20)
        self.assertEqual(agent.stop()[0], 0)
        old, new, back = (f"sqlite:{agent.path('longstop.db')}",
                          self.url(), f"sqlite:{agent.path('back.db')}")
        there = json.loads(agent.command("store", "copy", old, new,
                                         "--json").stdout)["tables"]
        two = self.member({"shop": pet_store()}).start()
        for hook in hooks + [Hook(99, iso())]:
            self.assertEqual(hook.send(two).status, 202)
        two.wait_events(1)  # it knows the others
        self.assertEqual(agent.command("store", "copy", new,
                                       back).returncode, 75)  # two has it
        self.assertEqual(two.stop()[0], 0)
        got = agent.command("store", "copy", new, back, "--json")
        self.assertEqual(got.returncode, 0, got.stderr)
        rows = {table["table"]: table["rows"]
                for table in json.loads(got.stdout)["tables"]}
        more = {"ledger": 3, "event": 1, "attempt": 1}
        for table in there:
            name = table["table"]
            self.assertEqual(rows[name], table["rows"] + more.get(name, 0),
                             name)

    def test_who_ends_in_order_is_replaced_at_once(self):
        provider = self.provider([row(1, iso())])
        shops = self.shops(4, provider)
        one = self.member(shops).start()
        wait_until(lambda: len(self.walked(one)) == 4, "one walks all")
        two = self.member(shops).start()
        code, _ = one.stop()
        self.assertEqual(code, 0)
        ended = time.monotonic()
        wait_until(lambda: len(self.walked(two)) == 4, "two walks all")
        self.assertLess(time.monotonic() - ended, TTL)
        self.assertNotIn("level=error", two.log())

    def test_a_holder_that_slept_changes_nothing_when_it_wakes(self):
        provider = self.provider([row(1, iso())])
        shops = self.shops(2, provider)
        one = self.member(shops).start()
        wait_until(lambda: len(self.walked(one)) == 2, "one walks all")
        one.wait_events(2)
        two = self.member(shops).start()
        one.child.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: len(self.walked(two)) == 2, "two walks all")
            provider.rows.append(row(2, iso()))
            two.wait_events(2)
        finally:
            one.child.send_signal(signal.SIGCONT)
        wait_until(lambda: "begins anew" in one.log(), "one has noticed")
        wait_until(lambda: len(self.walked(one)) + len(self.walked(two)) == 2,
                   "each shop is walked by one")
        provider.rows.append(row(3, iso()))
        wait_until(lambda: len({(event["source"], event["id"]) for event in
                                self.all_events(one, two)}) == 6,
                   "nothing is lost")
        keys = [(event["source"], event["id"])
                for event in self.all_events(one, two)]
        self.assertEqual(len(keys), len(set(keys)), "nor comes twice")

    def test_a_hook_may_land_on_either_and_a_walk_be_asked_of_either(self):
        provider = self.provider([row(1, iso())])
        shops = {"shop": pet_store(provider, poll={"every": "1h"})}
        one = self.member(shops).start()
        wait_until(lambda: self.walked(one), "one walks it")
        two = self.member(shops).start()
        wait_until(lambda: two.metric("agents") == 2, "two is there")
        here, there = (one, two) if self.walked(one) else (two, one)
        hook = Hook(7, iso())
        self.assertEqual(hook.send(there).status, 202)
        self.assertEqual(hook.send(here).status, 202)
        wait_until(lambda: len({event["id"] for event in
                                self.all_events(one, two)}) == 2,
                   "walked and sent")
        asked = len(provider.asked)
        reply = there.admin("/api/v1/connectors/shop/poll", "POST")
        self.assertEqual(reply.status, 409)
        self.assertIn(b"another agent walks this connector", reply.body)
        wait_until(lambda: len(provider.asked) > asked, "it was told")
        self.assertEqual(len(self.all_events(one, two)), 2)

    def test_a_stream_is_read_by_one_agent_and_handed_on_where_it_was(self):
        relay = Relay()
        self.addCleanup(relay.close)
        shop = pet_store()
        shop["stream"] = {"use": "relay", "url": relay.url}
        one = self.member({"shop": shop}).start()
        wait_until(lambda: relay.connected == 1, "one reads it")
        two = self.member({"shop": shop}).start()
        wait_until(lambda: two.metric("agents") == 2, "two is there")
        for order in (1, 2):
            relay.send(forward(Hook(order, iso())))
        wait_until(lambda: len(self.all_events(one, two)) == 2, "two events")
        wait_until(lambda: relay.connected == 1, "one of them reads it")
        one.stop()
        wait_until(lambda: relay.connected == 1 and two.metric(
            "stream_connected", connector="shop") == 1, "two reads it")
        self.assertEqual(relay.seen[-1], "2")
        relay.send(forward(Hook(3, iso())))
        wait_until(lambda: len(self.all_events(one, two)) == 3, "three events")


if __name__ == "__main__":
    import unittest
    unittest.main()
