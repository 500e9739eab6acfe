# SPDX-License-Identifier: MIT
"""A past span of the list, read when asked: once, below the live walks, over
crashes, and without moving a watermark."""
import json
import signal
import sqlite3
import subprocess
import time
import unittest

import harness
from harness import iso, row, wait_until

DAY = 86400


def past(days, count=1, first=1):
    """Orders of so many days ago, a second apart."""
    at = time.time() - days * DAY
    return [row(first + i, iso(at + i)) for i in range(count)]


class Backfill(harness.Case):

    def shop(self, rows, page=100, **poll):
        self.list = self.provider(rows, page=page)
        agent = self.pet_shop(self.list, poll=dict(poll, start="1h"))
        self.wait_loaded(agent)
        return agent

    def wait_loaded(self, agent):
        wait_until(lambda: agent.health("/api/v1/connectors/shop/backfill")
                   != 503, "the states are read")

    def progress(self, agent):
        reply = agent.admin("/api/v1/connectors/shop/backfill")
        return json.loads(reply.body) if reply.status == 200 else None

    def state(self, agent):
        progress = self.progress(agent)
        return progress and progress["state"]

    def ask(self, agent, **wish):
        reply = agent.admin("/api/v1/connectors/shop/backfill", "POST",
                            json.dumps(wish))
        return reply.status, json.loads(reply.body)

    def hw(self, agent):
        return dict(agent.query("SELECT tier, hw_ms FROM walk"))

    def test_a_past_span_comes_in_once_and_moves_no_watermark(self):
        agent = self.shop(past(10, 5) + past(3, 2, first=6))
        wait_until(lambda: self.hw(agent).get(0), "a walk is whole")
        self.assertEqual(agent.events(), [])
        done = agent.command("backfill", "shop", "--since", "20d",
                             "--rate", "100/1s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"backfill done", done.stdout)
        self.assertIn(b"7 rows, 7 new, 0 known", done.stdout)
        events = agent.wait_events(7)
        self.assertEqual({e["via"] for e in events}, {"backfill"})
        self.assertEqual(agent.metric("events_total", connector="shop",
                                      via="backfill"), 7)
        self.assertEqual(agent.metric("bound_broken_total",
                                      connector="shop"), 0)
        self.assertEqual(self.hw(agent)[1000], 0)
        again = agent.command("backfill", "shop", "--since", "20d",
                              "--rate", "100/1s", "--json")
        self.assertEqual(again.returncode, 0, again.stderr)
        last = json.loads(again.stdout.splitlines()[-1])
        self.assertEqual((last["new"], last["known"]), (0, 7))
        self.assertEqual(len(agent.events()), 7)

    def test_it_ends_where_until_says(self):
        agent = self.shop(past(10, 5) + past(3, 2, first=6))
        done = agent.command("backfill", "shop", "--since", "20d",
                             "--until", "5d", "--rate", "100/1s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"5 new", done.stdout)
        self.assertEqual(len(agent.wait_events(5)), 5)

    def test_below_the_floor_it_is_refused_unless_again(self):
        agent = self.shop(past(60, 3))
        wait_until(lambda: agent.query(
            "SELECT 1 FROM meta WHERE name='dedup_floor'"), "there is a floor")
        refused = agent.command("backfill", "shop", "--since", "90d")
        self.assertEqual(refused.returncode, 1)
        self.assertIn(b"the ledger keeps ids from", refused.stderr)
        self.assertIn(b"--again", refused.stderr)
        done = agent.command("backfill", "shop", "--since", "90d", "--again",
                             "--rate", "100/1s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(agent.wait_events(3)), 3)

    def test_what_retention_has_taken_is_said(self):
        agent = self.shop(past(3, 2), retention="7d")
        wait_until(lambda: self.hw(agent).get(0), "a walk is whole")
        done = agent.command("backfill", "shop", "--since", "20d",
                             "--rate", "100/1s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"the provider keeps nothing from before", done.stdout)
        self.assertEqual(agent.query("SELECT count(*) FROM gap"), [(0,)])

    def test_words_for_what_cannot_be(self):
        agent = self.shop([])
        for words, code, said in (
                (("--since", "yesterday"), 2, b"a time such as"),
                (("--since", "1d", "--until", "2d"), 2, b"must lie before"),
                (("--since", "1d", "--rate", "fast"), 2, b"must be like 2/1s"),
                ((), 1, b"no backfill of this connector")):
            refused = agent.command("backfill", "shop", *words)
            self.assertEqual(refused.returncode, code, words)
            self.assertIn(said, refused.stderr)
        self.assertEqual(self.ask(agent, since="1d", till="2d")[0], 400)
        self.assertEqual(self.ask(agent, since=1)[0], 400)
        agent.stop()
        alone = agent.command("backfill", "shop", "--since", "1d")
        self.assertEqual(alone.returncode, 69)
        self.assertIn(b"longstop run", alone.stderr)

    def test_a_list_without_a_time_is_refused_in_words(self):
        provider = self.provider([])
        shop = harness.pet_store(provider, hooks=False)
        shop["poll"]["cursor"] = {"kind": "token", "from": "token"}
        agent = self.agent({"shop": shop}).start()
        self.wait_loaded(agent)
        refused = agent.command("backfill", "shop", "--since", "1d")
        self.assertEqual(refused.returncode, 2)
        self.assertIn(b"opaque cursor", refused.stderr)

    def test_one_at_a_time_and_it_can_be_cancelled(self):
        agent = self.shop(past(10, 50), page=1)
        code, begun = self.ask(agent, since="20d", rate="1/2s")
        self.assertEqual((code, begun["state"]), (202, "running"))
        self.assertEqual(self.ask(agent, since="20d")[0], 409)
        ended = agent.command("backfill", "shop", "--cancel")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        wait_until(lambda: self.state(agent) == "cancelled", "it is cancelled")
        followed = agent.command("backfill", "shop")
        self.assertEqual(followed.returncode, 1)
        self.assertIn(b"cancelled", followed.stdout)

    def test_killed_in_the_midst_it_goes_on(self):
        agent = self.shop(past(10, 60), page=5)
        self.ask(agent, since="20d", rate="20/1s")
        wait_until(lambda: self.progress(agent)["pages"] >= 3, "three pages")
        agent.kill()
        stored = agent.query("SELECT count(*) FROM event")[0][0]
        self.assertLess(stored, 60)
        agent.start()
        wait_until(lambda: self.state(agent) == "done", "it is done")
        self.assertEqual(self.progress(agent)["pages"], 12)
        self.assertEqual(
            agent.query("SELECT count(*), count(DISTINCT ext_id) FROM event"),
            [(60, 60)])
        wait_until(lambda: len({e["id"] for e in agent.events()}) == 60,
                   "all are handed over")
        agent.stop()
        self.wait_loaded(agent.start())
        self.assertEqual(self.state(agent), "done")

    def test_the_command_may_go_and_the_backfill_stays(self):
        agent = self.shop(past(10, 40), page=1)
        with subprocess.Popen(
                [harness.LONGSTOP, "backfill", "-c", agent.config_path, "shop",
                 "--since", "20d", "--rate", "8/1s"], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=harness.environment()) as child:
            line = child.stdout.readline()
            self.assertIn(b"backfill running", line)
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=10)
        self.assertEqual(child.returncode, 75)
        self.assertIn(b"longstop backfill shop --cancel", err)
        wait_until(lambda: self.state(agent) == "done", "it is done")
        self.assertEqual(len(agent.wait_events(40)), 40)

    def test_live_walks_go_first(self):
        agent = self.shop(past(10, 200), page=1)
        self.ask(agent, since="20d", rate="10/1s")
        wait_until(lambda: self.progress(agent)["pages"] >= 2, "it runs")
        self.list.rows.append(row(1000, iso()))
        wait_until(lambda: any(e["via"] == "poll" for e in agent.events()),
                   "the walk brings what is new", seconds=10)
        self.assertEqual(self.state(agent), "running")

    def test_a_refusing_provider_is_told_of(self):
        agent = self.shop(past(10, 4), page=2)
        wait_until(lambda: self.hw(agent).get(0), "a walk is whole")
        limited = harness.replies(429, b"{}", {"Retry-After": "1"})
        old = self.list.list
        seen = []

        def once(handler, asked):
            is_old = asked.query.get("since", "z") < iso(time.time() - DAY)
            if is_old and not seen:
                seen.append(time.monotonic())
                limited(handler, asked)
            else:
                if is_old and len(seen) == 1:
                    seen.append(time.monotonic())
                old(handler, asked)

        self.list.default = once
        done = agent.command("backfill", "shop", "--since", "20d",
                             "--rate", "100/1s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreaterEqual(seen[1] - seen[0], 0.9)

    def test_gaps_it_has_read_are_closed(self):
        agent = self.shop(past(10, 3))
        wait_until(lambda: self.hw(agent).get(0), "a walk is whole")
        agent.stop()
        now = int(time.time() * 1000)
        inside = (now - 12 * DAY * 1000, now - 9 * DAY * 1000)
        across = (now - 25 * DAY * 1000, now - 9 * DAY * 1000)
        store = sqlite3.connect(agent.path("longstop.db"))
        with store:
            store.executemany(
                "INSERT INTO gap(connector,kind,from_ms,to_ms,found_ms)"
                " VALUES(1,1,?,?,1)", [inside, across])
        store.close()
        self.wait_loaded(agent.start())
        done = agent.command("backfill", "shop", "--since", "20d",
                             "--rate", "100/1s")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(
            agent.query("SELECT from_ms, closed_by FROM gap"
                        " WHERE closed_ms IS NOT NULL"), [(inside[0], 2)])


if __name__ == "__main__":
    unittest.main()
