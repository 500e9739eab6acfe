# SPDX-License-Identifier: MIT
"""kill -9 at random under load: nothing acknowledged is missing, nothing is
handed over twice but what was in flight."""
import collections
import os
import random
import threading
import time

import harness
from harness import Hook, iso, row, wait_until

ROUNDS = int(os.environ.get("LONGSTOP_KILLS", "25"))
SLOTS = 4  # of the exec handler
SENDERS = 6


class Load(threading.Thread):
    """Sends webhooks until told to end; knows which were answered 2xx."""

    numbers = iter(range(1, 10**9))
    lock = threading.Lock()

    def __init__(self, agent):
        super().__init__(daemon=True)
        self.agent = agent
        self.acked = set()
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            with self.lock:
                number = next(self.numbers)
            hook = Hook(number, iso())
            while not self.over.is_set():
                try:
                    if hook.send(self.agent, timeout=5).status == 202:
                        self.acked.add(number)
                        break
                except (OSError, harness.http.client.HTTPException):
                    self.over.wait(0.005)


class Listing(threading.Thread):
    """Lets the provider's list grow: rows that no webhook tells of."""

    def __init__(self, provider):
        super().__init__(daemon=True)
        self.provider = provider
        self.over = threading.Event()

    def run(self):
        number = 10**9
        while not self.over.wait(0.01):
            number += 1
            self.provider.rows.append(row(number, iso()))


class Kill(harness.Case):
    def test_killed_at_random_under_load_it_keeps_its_word(self):
        seed = int.from_bytes(os.urandom(4), "big")
        chance = random.Random(seed)
        provider = self.provider(page=50)
        agent = self.agent(
            {"shop": harness.pet_store(provider)},
            {"run": {"exec": [harness.APPEND, "ran.jsonl"],
                     "concurrency": SLOTS,
                     "retry": {"first": "50ms", "cap": "100ms"}},
             "log": {"file": "events.jsonl"}})
        agent.config["handlers"]["run"]["exec"][1] = agent.path("ran.jsonl")
        agent.write_config()
        threads = [Load(agent) for _ in range(SENDERS)] + [Listing(provider)]
        agent.start()
        for thread in threads:
            thread.start()
        for _ in range(ROUNDS):
            time.sleep(chance.uniform(0.02, 0.5))
            agent.kill()
            agent.launch()
            # sometimes again while it is still getting up
            if chance.random() < 0.8:
                wait_until(agent.is_ready, "the agent is ready", 60)
        wait_until(agent.is_ready, "the agent is ready", 60)
        for thread in threads:
            thread.over.set()
        for thread in threads:
            thread.join()
        with self.subTest(f"seed {seed}"):
            acked = set().union(*(t.acked for t in threads[:SENDERS]))
            self.check(agent, acked, {r["id"] for r in provider.rows})

    def check(self, agent, acked, listed):
        for name in ("ran.jsonl", "events.jsonl"):
            wait_until(lambda: (acked | listed) <= self.handed(
                agent, name).keys(), f"all of it in {name}", 120)
        wait_until(lambda: agent.query("SELECT count(*) FROM delivery") ==
                   [(0,)], "nothing is owed", 60)
        runs = agent.metric("poll_runs_total", connector="shop", outcome="ok")
        wait_until(lambda: agent.metric("poll_runs_total", connector="shop",
                                        outcome="ok") >= runs + 1, "a walk")
        before = {name: self.handed(agent, name)
                  for name in ("ran.jsonl", "events.jsonl")}
        again = sum(n - 1 for n in before["ran.jsonl"].values())
        print(f"{len(acked)} webhooks acknowledged, {len(listed)} rows listed,"
              f" {ROUNDS} kills: none missing; exec: {again} handed over "
              f"again, file: "
              f"{sum(n - 1 for n in before['events.jsonl'].values())}")
        self.assertLessEqual(again, ROUNDS * SLOTS)
        # an event is stored once, whatever was sent again
        self.assertEqual(agent.query(
            "SELECT ext_id FROM event GROUP BY ext_id HAVING count(*) > 1"),
            [])
        self.assertEqual(agent.query("PRAGMA integrity_check"), [("ok",)])
        self.assertEqual(agent.stop()[0], 0)
        agent.start()
        wait_until(lambda: agent.metric("poll_runs_total", connector="shop",
                                        outcome="ok") >= 2, "two walks")
        self.assertEqual(agent.stop()[0], 0)
        for name, given in before.items():
            self.assertEqual(self.handed(agent, name), given)

    def handed(self, agent, name):
        return collections.Counter(e["data"]["id"] for e in
                                   agent.events(name))
