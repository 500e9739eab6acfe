# SPDX-License-Identifier: MIT
"""What the agent says of its channels is what the provider says of them."""
import json
import time

import harness
from harness import Hook, answer, iso, row, stays, wait_until


class Accounting(harness.Case):
    def shop(self, provider, grace, **more):
        connector = harness.pet_store(provider, **more)
        connector["grace"] = grace
        return self.agent({"shop": connector})

    def counts(self, agent):
        return [agent.metric(name + "_total", connector="shop")
                for name in ("recovered", "late", "confirmed")]

    def test_recovered_is_what_the_provider_did_not_hook(self):
        port = harness.free_port()
        provider = harness.SimulatedProvider(
            self, "--events", "120", "--rate", "80", "--loss", "30",
            "--wait", "1500",
            hook_url=f"http://127.0.0.1:{port}/hooks/shop")
        agent = self.shop(provider, "2s", poll={"start": "now"})
        agent.config["listen"]["address"] = f"127.0.0.1:{port}"
        agent.write_config()
        agent.start()
        provider.wait_done()
        facts = provider.facts()
        lost = sum(1 for hooks in facts.values() if hooks == 0)
        self.assertGreater(lost, 10)
        agent.wait_events(len(facts), seconds=40)

        def balance():
            # A hook that took longer than grace, on a slow machine, is late.
            recovered, late, _ = self.counts(agent)
            return recovered - late

        wait_until(lambda: balance() == lost, f"{lost} are recovered")
        stays(lambda: balance() == lost, f"{lost} are recovered", 1.5)
        _, _, confirmed = self.counts(agent)
        self.assertGreater(confirmed, 0)
        self.assertLessEqual(confirmed, len(facts) - lost)

    def test_a_hook_after_grace_is_late_once_and_over_kills(self):
        first, second = iso(), iso()
        provider = self.provider([row(1, first), row(2, second)])
        agent = self.shop(provider, "1s").start()
        agent.wait_events(2)
        Hook(2, second).send(agent)
        wait_until(lambda: self.counts(agent)[0] == 1, "one is recovered")
        self.assertEqual(self.counts(agent), [1, 0, 1])
        hook = Hook(1, first)
        for _ in range(2):
            self.assertEqual(hook.send(agent).status, 202)
            self.assertEqual(self.counts(agent), [1, 1, 1])
        agent.kill()
        agent.start()
        wait_until(lambda: self.counts(agent) == [1, 1, 1], "the same again")
        self.assertEqual(hook.send(agent).status, 202)
        provider.rows.append(row(3, iso()))
        wait_until(lambda: self.counts(agent) == [2, 1, 1], "one more")
        stays(lambda: self.counts(agent) == [2, 1, 1], "one more", 1.5)

    def test_an_event_whose_grace_ends_while_it_is_down_counts_once(self):
        provider = self.provider([row(1, iso())])
        agent = self.shop(provider, "2s").start()
        agent.wait_events(1)
        agent.kill()
        agent.start()
        wait_until(lambda: self.counts(agent)[0] == 1, "one is recovered")
        stays(lambda: self.counts(agent) == [1, 0, 0], "it stays one", 1.5)

    def test_a_connector_without_a_webhook_route_recovers_nothing(self):
        provider = self.provider([row(1, iso())])
        agent = self.shop(provider, "1s", hooks=False).start()
        agent.wait_events(1)
        stays(lambda: self.counts(agent) == [0, 0, 0], "nothing recovered", 2)
        names = {name for name, labels in agent.metrics() if labels}
        self.assertNotIn("longstop_recovered_total", names)

    def test_a_hook_that_no_walk_lists_is_webhook_only(self):
        provider = self.provider()
        provider.default = lambda h, a: answer(
            h, 200, json.dumps(provider.rows).encode())
        agent = self.agent({"feed": {
            "use": "generic_json", "grace": "1s",
            "with": {"url": provider.url + "/items",
                     "webhook_secret": harness.SECRET},
            "poll": {"every": "1s", "overlap": "1s", "start": "1h"}}}).start()
        for ident, age in (("it-1", 60), ("it-2", 2 * 3600)):
            body = json.dumps({"id": ident, "type": "item",
                               "created_at": iso(time.time() - age)})
            hook = Hook(0, "", body=body.encode())
            self.assertEqual(hook.send(agent, "/hooks/feed").status, 202)
        agent.wait_metric(1, "webhook_only", connector="feed")
        stays(lambda: agent.metric("webhook_only", connector="feed") == 1,
              "one is not listed, one is older than the first walk", 1.5)
        provider.rows.append({"id": "it-1", "type": "item",
                              "updated_at": iso()})
        agent.wait_metric(0, "webhook_only", connector="feed")
