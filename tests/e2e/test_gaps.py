# SPDX-License-Identifier: MIT
"""What a list cannot show any more: a row, a metric, a line and a word of
status for each, until somebody closes it."""
import json
import re
import sqlite3
import time

import harness
from harness import answer, iso, wait_until

DAY_MS = 24 * 3600 * 1000


def shift(agent, by_ms):
    """As if the last whole walk had been so long ago: the agent is down."""
    store = sqlite3.connect(agent.path("longstop.db"))
    with store:
        (text, hw_ms), = store.execute("SELECT state,hw_ms FROM walk")
        state = json.loads(text)
        for name in ("start", "start_set", "hw", "seen", "complete"):
            state[name] -= by_ms
        store.execute("UPDATE walk SET state=?,hw_ms=?",
                      (json.dumps(state), hw_ms - by_ms))
    store.close()


class Gaps(harness.Case):
    def lister(self, rows, poll, page):
        """An agent whose list shows `page` rows in ascending order."""
        provider = self.provider()

        def serve(handler, asked):
            since = asked.query.get("since", "")
            shown = [r for r in rows if r["at"] >= since]
            answer(handler, 200, json.dumps({"rows": shown[:page]}).encode())
        provider.default = serve
        declared = {
            "request": {"url": "{var:base}/list",
                        "query": {"since": "{cursor}"}},
            "items": "rows[*]", "order": "asc",
            "cursor": {"kind": "time", "from": "at", "format": "iso8601",
                       "inclusive": True},
            "pages": {"kind": "cursor", "size": page},
            "record": {"id": "{id}", "type": "row", "time": "at"}, **poll}
        agent = self.agent({}, listen=False)
        with open(agent.path("list.yaml"), "w", encoding="utf-8") as file:
            json.dump({"params": {"base": {}}, "poll": declared}, file)
        agent.config["connectors"]["list"] = {
            "use": "./list.yaml", "with": {"base": provider.url},
            "poll": {"every": "1s", "overlap": "1m", "start": "1h"}}
        agent.write_config()
        return agent.start()

    def one_gap(self, agent, kind):
        """The span of the one gap there is, told in all places."""
        agent.wait_metric(1, "gaps_total", connector="list")
        self.assertEqual(len(re.findall(f"kind={kind}", agent.log())), 1)
        status = agent.command("status")
        self.assertEqual(status.returncode, 1, status.stdout)
        self.assertIn(b"1 open gap", status.stdout)
        told = json.loads(agent.command("gaps", "--json").stdout)["items"]
        self.assertEqual([gap["kind"] for gap in told], [kind])
        return told[0]

    def test_a_pause_longer_than_retention_is_a_gap_until_it_is_closed(self):
        rows = [{"id": "old", "at": iso()}]
        agent = self.lister(rows, {"retention": "3d"}, 100)
        agent.wait_events(1)
        agent.wait_metric(0, "gaps_total", connector="list")
        wait_until(lambda: agent.metric("poll_runs_total", connector="list",
                                        outcome="ok") > 0, "a whole walk")
        agent.stop()
        shift(agent, 10 * DAY_MS)
        (hw_ms,), = agent.query("SELECT hw_ms FROM walk")
        rows[:] = [{"id": "kept", "at": iso(time.time() - 2 * 86400)}]
        agent.start()
        agent.wait_events(2)
        gap = self.one_gap(agent, "retention")
        # From where the walk would have begun: what the list shows late is
        # missing too.
        (from_ms, to_ms), = agent.query("SELECT from_ms,to_ms FROM gap")
        self.assertEqual(from_ms, hw_ms - 60000)
        self.assertLess(abs(to_ms - time.time() * 1000 + 3 * DAY_MS), 60000)
        done = agent.command("gaps", "close", str(gap["id"]))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(agent.command("status").returncode, 0)

    def test_a_second_with_more_rows_than_a_page_is_a_gap_and_no_end(self):
        at = time.time() - 600
        rows = [{"id": f"tie {n}", "at": iso(at)} for n in range(3)]
        rows += [{"id": "behind it", "at": iso(at + 5)}]
        agent = self.lister(rows, {}, 2)
        self.assertEqual({e["id"] for e in agent.wait_events(3)},
                         {"tie 0", "tie 1", "behind it"})
        self.one_gap(agent, "tie")
        self.assertEqual(agent.log().count("raise the page size"), 2)
