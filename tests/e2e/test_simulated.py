# SPDX-License-Identifier: MIT
"""The simulated provider at its worst: every fact is handed over once."""
import harness
from harness import wait_until


class Simulated(harness.Case):
    def test_hooks_lost_doubled_held_back_and_lists_limited(self):
        self.run_simulation("--loss", "40", "--double", "30", "--reorder",
                            "50", "--limit", "20", "--lag", "700", "--page",
                            "40")

    def test_one_second_for_all_and_pages_within_it(self):
        self.run_simulation("--burst", "--rate", "0", "--loss", "30",
                            "--page", "23")

    def test_a_provider_an_hour_ahead(self):
        self.run_simulation("--clock-skew", "3600", "--loss", "50")

    def test_a_provider_a_day_behind_that_sends_the_other_form(self):
        self.run_simulation("--clock-skew", "-86400", "--loss", "50",
                            "--flat")

    def test_no_hook_at_all(self):
        self.run_simulation("--loss", "100", "--limit", "10")

    def test_what_the_list_shows_late_is_found_by_a_sweep(self):
        sweep = [{"every": "1s", "overlap": "1m"}]
        self.run_simulation("--loss", "100", "--lag", "3000", overlap="1s",
                            sweeps=sweep)

    def test_how_late_the_list_shows_is_measured(self):
        agent = self.run_simulation("--loss", "100", "--lag", "5000",
                                    "--events", "60", "--rate", "20",
                                    overlap="1m")
        self.assertEqual(agent.lag[0], 60)
        # A walk's begin is known to a second or two, and set early.
        self.assertGreater(agent.lag[1] / 60, 2.0)
        self.assertLess(agent.lag[1] / 60, 5.0)

    def test_a_list_that_shows_at_once_has_no_lag(self):
        agent = self.run_simulation("--events", "60", "--rate", "20")
        self.assertEqual(agent.lag[0], 60)
        self.assertLess(agent.lag[1] / 60, 0.1)

    def test_the_tail_of_a_list_is_never_empty_by_chance(self):
        """Six in a hundred of the first quarter, whatever the seed says."""
        for seed in range(1, 6):
            provider = harness.SimulatedProvider(
                self, "--events", "200", "--rate", "0", "--seed", str(seed),
                "--lag-tail", "6", "--lag-tail-ms", "5500")
            provider.wait_done()
            facts = [lines["fact"][0] for lines in provider.entries().values()]
            lags = [fact["visible_ms"] - fact["stamp_ms"] for fact in facts]
            self.assertEqual(sum(lag >= 5500 for lag in lags), 3, seed)

    def run_simulation(self, *options, **poll):
        port = harness.free_port()
        defaults = {"--events": "120", "--rate": "80"}
        for option in options:
            defaults.pop(option, None)
        words = [w for pair in defaults.items() for w in pair]
        words += options
        provider = harness.SimulatedProvider(
            self, "--wait", "1000", *words,
            hook_url=f"http://127.0.0.1:{port}/hooks/shop")
        agent = self.agent({"shop": harness.pet_store(
            provider, poll={"start": "now", **poll})})
        agent.config["listen"]["address"] = f"127.0.0.1:{port}"
        agent.write_config()
        agent.start()
        provider.wait_done()
        facts = provider.facts()
        agent.wait_events(len(facts), seconds=40)
        runs = agent.metric("poll_runs_total", connector="shop", outcome="ok")
        wait_until(lambda: agent.metric("poll_runs_total", connector="shop",
                                        outcome="ok") > runs, "one more walk",
                   40)
        agent.lag = [agent.metric(f"visibility_lag_seconds_{part}",
                                  connector="shop")
                     for part in ("count", "sum")]
        handed = [harness.fact_of(e) for e in agent.events()]
        self.assertEqual(sorted(handed), sorted(facts))
        self.assertEqual(agent.stop()[0], 0)
        return agent
