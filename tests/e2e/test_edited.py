# SPDX-License-Identifier: MIT
"""An edited connector keeps its watermark: nothing is lost by it, and nothing
is handed over twice."""
import time
import unittest

import harness
from harness import iso, row, wait_until

DAY = 86400


def ago(seconds, order):
    return row(order, iso(time.time() - seconds))


class Edited(harness.Case):

    def shop(self, rows, **poll):
        self.list = self.provider(rows)
        return self.agent({"shop": harness.pet_store(
            self.list, hooks=False, poll=dict(poll, start="30d"))})

    def again(self, agent, **poll):
        """The same agent with its connector's `poll` edited."""
        agent.stop()
        agent.config["connectors"]["shop"]["poll"].update(poll)
        agent.write_config()
        return agent.start()

    def tier(self, agent, tier=0):
        rows = agent.query("SELECT hw_ms FROM walk WHERE tier=?", tier)
        return rows[0][0] if rows else 0

    def walked(self, agent, tier=0):
        began = time.time() * 1000
        wait_until(lambda: self.tier(agent, tier) > began - 5000,
                   "a walk is whole")

    def ids(self, agent):
        return sorted(e["data"]["id"] for e in agent.events())

    def test_other_keys_hand_nothing_over_twice(self):
        agent = self.shop([ago(20, 1), ago(15, 2)]).start()
        agent.wait_events(2)
        self.walked(agent)
        self.list.rows.append(ago(0, 3))
        agent.config["connectors"]["shop"]["match"] = {
            "poll": "v2:{id}:{updated_at|time}"}
        self.again(agent)
        agent.wait_events(3)
        wait_until(lambda: "were taken for the events" in agent.log(),
                   "it is said")
        self.walked(agent)
        self.assertEqual(self.ids(agent), [1, 2, 3])

    def test_another_overlap_keeps_the_watermark(self):
        agent = self.shop([ago(20, 1)]).start()
        agent.wait_events(1)
        self.walked(agent)
        self.again(agent, overlap="1d")
        self.list.rows += [ago(0, 2), ago(3600, 3)]
        agent.wait_events(3)
        self.assertEqual(self.ids(agent), [1, 2, 3])

    def test_what_a_removed_sweep_had_still_to_read_a_deeper_one_reads(self):
        sweeps = [{"every": "1h", "overlap": "1h"},
                  {"every": "2h", "overlap": "2d"}]
        agent = self.shop([ago(20, 1)], sweeps=sweeps).start()
        agent.wait_events(1)
        for tier in (0, 1, 2):
            self.walked(agent, tier)
        self.list.rows.append(ago(DAY, 2))  # it was not listed until now
        self.again(agent, sweeps=[sweeps[1]])
        agent.wait_events(2)
        self.assertEqual(self.ids(agent), [1, 2])

    def test_a_sweep_that_was_away_begins_where_the_others_are(self):
        sweeps = [{"every": "1h", "overlap": "1h"}]
        agent = self.shop([ago(20, 1)], sweeps=sweeps).start()
        agent.wait_events(1)
        for tier in (0, 1):
            self.walked(agent, tier)
        self.again(agent, sweeps=[])
        self.walked(agent)
        stale = self.tier(agent, 1)
        wait_until(lambda: '"tiers":1' in agent.query(
            "SELECT state FROM walk WHERE tier=0")[0][0], "there is one tier")
        wait_until(lambda: time.time() * 1000 > stale + 4000,
                   "its next watermark is another second")
        self.again(agent, sweeps=sweeps)
        wait_until(lambda: self.tier(agent, 1) > stale, "it has walked")
        self.assertEqual(agent.query("SELECT count(*) FROM gap"), [(0,)])
        self.assertEqual(self.ids(agent), [1])

    def test_a_later_start_changes_nothing(self):
        agent = self.shop([ago(20 * DAY, 1)]).start()
        agent.wait_events(1)
        self.walked(agent)
        self.list.rows.append(ago(35 * DAY, 2))
        self.again(agent, start="60d")
        self.walked(agent)
        wait_until(lambda: "'start' was changed and has no effect" in
                   agent.log(), "it is said")
        self.assertEqual(self.ids(agent), [1])

    def test_start_may_be_a_time(self):
        agent = self.shop([ago(2 * DAY, 1), ago(4 * DAY, 2)])
        agent.config["connectors"]["shop"]["poll"]["start"] = \
            iso(time.time() - 3 * DAY)
        agent.write_config()
        agent.start()
        agent.wait_events(1)
        self.walked(agent)
        self.assertEqual(self.ids(agent), [1])


if __name__ == "__main__":
    unittest.main()
