# SPDX-License-Identifier: MIT
"""A disk that fails under the agent: nothing more is acknowledged, it ends
with 74, and the next start finds all that was."""
import http.client

import harness
from harness import Hook, iso, wait_until

MOST = 300


def faulty(case):
    """Only a test build has calls of its store fail."""
    with open(harness.LONGSTOP, "rb") as program:
        if b"LONGSTOP_STORE_FAULT" not in program.read():
            case.skipTest("not a build for crash tests")


class Faults(harness.Case):
    def setUp(self):
        super().setUp()
        faulty(self)

    def shop(self):
        agent = self.agent({"shop": harness.pet_store()},
                           {"log": {"file": "events.jsonl"}})
        agent.start()
        self.assertEqual(agent.stop()[0], 0)
        return agent

    def send(self, agent, order):
        """The status of one webhook; 0 where nobody answered."""
        try:
            return Hook(order, iso()).send(agent).status
        except (OSError, http.client.HTTPException):
            return 0

    def test_after_the_first_error_nothing_is_acknowledged_and_it_ends_with_74(
            self):
        for fault in ("write:40", "torn:41", "sync:9", "sync:8:always",
                      "write:42:always", "lock:60"):
            with self.subTest(fault):
                self.fail_once(fault)

    def fail_once(self, fault):
        agent = self.shop()
        agent.env["LONGSTOP_STORE_FAULT"] = fault
        agent.start()
        acked = set()
        refused = False
        for order in range(MOST):
            status = self.send(agent, order)
            if status == 202:
                self.assertFalse(refused, "acknowledged behind a failure")
                acked.add(order)
            else:
                self.assertIn(status, (0, 503))
                refused = True
            if agent.child.poll() is not None:
                break
        self.assertTrue(refused, "the fault was never met")
        self.assertEqual(agent.wait_end(), 74)
        self.assertIn("nothing is acknowledged any more", agent.log())
        self.assertIn("check the disk", agent.log())
        with open(agent.path("longstop.db.lock"), encoding="ascii") as lock:
            self.assertNotIn("clean", lock.read())  # the next start looks
        del agent.env["LONGSTOP_STORE_FAULT"]
        agent.start()
        wait_until(lambda: acked <= {event["data"]["id"]
                                     for event in agent.events()},
                   f"all {len(acked)} acknowledged are handed over")
        self.assertEqual(agent.query("PRAGMA integrity_check"), [("ok",)])
        self.assertEqual(self.send(agent, MOST), 202)
        self.assertEqual(agent.stop()[0], 0)

    def test_an_error_at_the_start_is_said_and_the_file_is_left_alone(self):
        agent = self.shop()
        for fault in ("read:2:always", "sync:0:always"):
            with self.subTest(fault):
                agent.env["LONGSTOP_STORE_FAULT"] = fault
                agent.launch()
                self.assertEqual(agent.wait_end(), 74)
                self.assertIn("check the disk", agent.log())
        del agent.env["LONGSTOP_STORE_FAULT"]
        agent.start()
        self.assertEqual(self.send(agent, 1), 202)
        agent.wait_events(1)

    def test_room_that_is_short_for_one_write_ends_nothing(self):
        agent = self.shop()
        agent.env["LONGSTOP_STORE_FAULT"] = "full:40"
        agent.start()
        orders = range(30)
        refused = 0
        for order in orders:
            def stored(order=order):
                return self.send(agent, order) == 202
            if not stored():
                refused += 1
                wait_until(stored, "it goes on by itself")
        self.assertEqual(refused, 1)
        agent.wait_events(len(orders))
        self.assertEqual(agent.stop()[0], 0)
