# SPDX-License-Identifier: MIT
"""Two channels, one event: what hooks miss, walks fill in."""
import json
import time

import harness
from harness import Hook, answer, iso, replies, row, stays, wait_until


class Channels(harness.Case):
    def test_polling_alone_brings_every_row_of_every_page(self):
        now = time.time()
        rows = [row(i, iso(now - 600 + i)) for i in range(25)]
        provider = self.provider(rows, page=4)
        agent = self.pet_shop(provider, hooks=False, listen=False)
        events = agent.wait_events(25)
        self.assertEqual([e["data"]["id"] for e in events], list(range(25)))
        self.assertEqual({e["via"] for e in events}, {"poll"})
        self.assertEqual(events[7]["id"], f"order:7:{rows[7]['updated_at']}")
        self.assertEqual(events[7]["time"], rows[7]["updated_at"])
        asked = len(provider.asked)
        wait_until(lambda: len(provider.asked) > asked + 7, "another walk")
        self.assertEqual(len(agent.events()), 25)

    def test_what_a_webhook_brought_a_walk_does_not_bring_again(self):
        provider = self.provider()
        agent = self.pet_shop(provider)
        stamp = iso()
        Hook(1, stamp).send(agent)
        agent.wait_events(1)
        provider.rows.append(row(1, stamp))
        provider.rows.append(row(2, iso()))
        events = agent.wait_events(2)
        self.assertEqual([(e["data"]["id"], e["via"]) for e in events],
                         [(1, "webhook"), (2, "poll")])
        self.assertEqual(agent.metric("events_total", connector="shop",
                                      via="poll"), 1)

    def test_what_a_walk_brought_a_webhook_does_not_bring_again(self):
        stamp = iso()
        provider = self.provider([row(1, stamp)])
        agent = self.pet_shop(provider)
        agent.wait_events(1)
        self.assertEqual(Hook(1, stamp).send(agent).status, 202)
        Hook(2, iso()).send(agent)
        events = agent.wait_events(2)
        self.assertEqual([(e["data"]["id"], e["via"]) for e in events],
                         [(1, "poll"), (2, "webhook")])
        self.assertEqual(agent.metric("webhook_requests_total",
                                      connector="shop", outcome="duplicate"),
                         1)

    def test_data_has_one_shape_on_both_channels(self):
        provider = self.provider([row(1, iso())])
        agent = self.pet_shop(provider)
        agent.wait_events(1)
        Hook(2, iso()).send(agent)
        polled, hooked = agent.wait_events(2)
        self.assertEqual(polled["data"].keys(), hooked["data"].keys())

    def test_a_new_version_of_an_order_is_a_new_event(self):
        first, second = iso(time.time() - 5), iso()
        provider = self.provider([row(1, first)])
        agent = self.pet_shop(provider)
        agent.wait_events(1)
        provider.rows[0] = row(1, second)
        self.assertEqual([e["data"]["updated_at"]
                          for e in agent.wait_events(2)], [first, second])

    def test_channels_that_disagree_about_the_time_still_make_one_event(self):
        now = time.time()
        for name, listed, hooked in (
                ("by nothing", now, now),
                ("by a second", now, now - 1),
                ("by a second, the other way", now, now + 1),
                ("by a day", now, now - 86400),
                ("by a day, the other way", now, now + 86400),
                ("the webhook has none", now, None)):
            for hook_first in (True, False):
                with self.subTest(name, hook_first=hook_first):
                    self.one_event(listed, hooked, hook_first)

    def one_event(self, listed, hooked, hook_first):
        provider = self.provider()
        provider.default = lambda h, a: answer(
            h, 200, json.dumps(provider.rows).encode())
        agent = self.agent({"feed": {
            "use": "generic_json",
            "with": {"url": provider.url + "/items",
                     "webhook_secret": harness.SECRET},
            "poll": {"every": "1s", "start": "1h"}}}).start()
        seen = {"id": "it-1", "type": "item", "updated_at": iso(listed)}
        sent = {"id": "it-1", "type": "item"}
        if hooked is not None:
            sent["created_at"] = iso(hooked)
        hook = Hook(0, "", body=json.dumps(sent).encode())
        if hook_first:
            self.assertEqual(hook.send(agent, "/hooks/feed").status, 202)
            agent.wait_events(1)
            provider.rows.append(seen)
        else:
            provider.rows.append(seen)
            agent.wait_events(1)
            self.assertEqual(hook.send(agent, "/hooks/feed").status, 202)
        provider.rows.append({"id": "it-2", "updated_at": iso(listed)})
        events = agent.wait_events(2)
        self.assertEqual([e["id"] for e in events], ["it-1", "it-2"])
        self.assertEqual(agent.stop()[0], 0)

    def test_a_state_key_is_one_whatever_way_the_time_is_written(self):
        provider = self.provider()
        agent = self.pet_shop(provider)
        now = int(time.time()) - 2
        Hook(1, iso(now).replace(".000Z", "+00:00")).send(agent)
        agent.wait_events(1)
        provider.rows.append(row(1, iso(now)))
        provider.rows.append(row(2, iso(now)))
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(2)],
                         [1, 2])

    def test_a_late_row_within_the_overlap_is_found(self):
        provider = self.provider([row(1, iso())])
        agent = self.pet_shop(provider)
        agent.wait_events(1)
        provider.rows.append(row(2, iso(time.time() - 50)))
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(2)],
                         [1, 2])

    def test_a_provider_that_asks_to_wait_is_left_alone(self):
        provider = self.provider([row(1, iso())])
        provider.script.append(replies(429, b"{}", {"Retry-After": "3"}))
        agent = self.pet_shop(provider)
        wait_until(lambda: provider.asked, "the first request")
        stays(lambda: len(provider.asked) == 1, "no request while it waits",
              2.5)
        agent.wait_events(1)
        self.assertEqual(agent.metric("poll_runs_total", connector="shop",
                                      outcome="limited"), 1)

    def test_the_watermark_is_sent_less_the_overlap_by_the_providers_clock(
            self):
        provider = self.provider()
        ahead = 3 * 3600
        provider.date = lambda: time.time() + ahead
        agent = self.pet_shop(provider, poll={"overlap": "1m",
                                              "start": "now"})
        wait_until(lambda: len(provider.asked) >= 3, "three walks")
        since = provider.asked[-1].query["since"]
        expected = time.time() + ahead
        self.assertLessEqual(since, iso(expected))
        self.assertGreaterEqual(since, iso(expected - 90))
        # what is stamped by that clock comes in; our own is hours behind it
        provider.rows.append(row(1, iso(time.time() + ahead)))
        agent.wait_events(1)

    def test_a_provider_whose_clock_is_behind_loses_nothing_either(self):
        provider = self.provider()
        behind = 26 * 3600
        provider.date = lambda: time.time() - behind
        agent = self.pet_shop(provider, poll={"start": "now"})
        wait_until(lambda: provider.asked, "a walk")
        provider.rows.append(row(1, iso(time.time() - behind)))
        agent.wait_events(1)

    def test_an_answer_whose_date_is_years_ahead_passes_nothing_over(self):
        provider = self.provider()
        dates = [10 * 365 * 86400, 0, 10 * 365 * 86400]
        provider.date = lambda: time.time() + (dates.pop(0) if dates else 0)
        agent = self.pet_shop(provider, poll={
            "start": "now", "overlap": "5s", "retention": "7d"})
        for order in range(1, 5):
            asked = len(provider.asked)
            provider.rows.append(row(order, iso()))
            wait_until(lambda: len(provider.asked) > asked, "a walk")
        agent.wait_events(4)
        self.assertEqual(agent.metric("gaps_total", connector="shop"), 0)

    def test_every_row_comes_in_though_all_share_one_second(self):
        stamp = iso(int(time.time()) - 5)
        provider = self.provider([row(i, stamp) for i in range(30)], page=7)
        agent = self.pet_shop(provider)
        self.assertEqual(len({e["data"]["id"]
                              for e in agent.wait_events(30)}), 30)

    def two_accounts(self, provider, poll, token=harness.TOKEN):
        """Connectors `shop` and `books` on one provider, started."""
        connectors = {}
        for name in ("shop", "books"):
            which = {"request": {"headers": {"X-Which": name}}}
            connectors[name] = harness.pet_store(
                provider, False, dict(which, **poll))
        connectors["books"]["with"]["api_key"] = token
        return self.agent(connectors, listen=False).start()

    def test_what_one_connector_is_told_to_wait_the_other_waits_too(self):
        provider = self.provider([row(1, iso())])
        agent = self.two_accounts(provider, {})
        wait_until(lambda: {a.headers["X-Which"] for a in provider.asked} ==
                   {"shop", "books"}, "both have asked")
        provider.script.append(replies(429, b"{}", {"Retry-After": "4"}))
        def limited():
            return sum(agent.metric("poll_runs_total", connector=name,
                                    outcome="limited")
                       for name in ("shop", "books"))
        wait_until(lambda: limited() == 1, "one is told to wait")
        asked = len(provider.asked)
        stays(lambda: len(provider.asked) == asked, "no request of either", 3)
        self.assertEqual(limited(), 1)
        wait_until(lambda: {a.headers["X-Which"]
                            for a in provider.asked[asked:]} ==
                   {"shop", "books"}, "both ask again")

    def test_another_account_does_not_wait(self):
        provider = self.provider([row(1, iso())])
        self.two_accounts(provider, {}, token="another")
        wait_until(lambda: len(provider.asked) >= 2, "both have asked")
        provider.script.append(replies(429, b"{}", {"Retry-After": "4"}))
        wait_until(lambda: not provider.script, "one is told to wait")
        asked = len(provider.asked)
        wait_until(lambda: len(provider.asked) > asked + 1, "the other asks",
                   3)

    def test_one_budget_is_shared_fairly(self):
        provider = self.provider([row(n, iso()) for n in range(12)], page=1)
        self.two_accounts(provider, {"limit": {"budget": "4/1s"}})
        wait_until(lambda: len(provider.asked) >= 16, "sixteen requests")
        # four at once, then one after another
        asked = provider.asked[4:16]
        self.assertGreaterEqual(asked[-1].at - asked[0].at, 2.6)
        for i in range(0, 12, 2):
            self.assertEqual({a.headers["X-Which"] for a in asked[i:i + 2]},
                             {"shop", "books"})

    def test_an_overlap_that_does_not_cover_the_lag_is_said_once(self):
        provider = self.provider()
        agent = self.pet_shop(provider, poll={"overlap": "20s"})
        def is_short():
            return agent.metric("overlap_short", connector="shop")
        wait_until(lambda: len(provider.asked) >= 3, "walks")
        provider.rows.append(row(1, iso(time.time() - 10)))
        agent.wait_events(1)
        self.assertEqual(is_short(), 0)
        for n in (2, 3):
            provider.rows.append(row(n, iso(time.time() - 19)))
            agent.wait_events(n)
            wait_until(lambda: is_short() == 1, "the gauge says so")
        words = "nearly as late as the overlap"
        self.assertEqual(agent.log().count(words), 1)
        # what was measured outlives the process
        agent.kill()
        agent.start()
        wait_until(lambda: is_short() == 1, "the gauge says so again")

    def test_an_overlap_widens_with_the_lag_and_reads_again(self):
        provider = self.provider()
        agent = self.pet_shop(provider, poll={"overlap": "auto"})

        def reach():
            since = provider.asked[-1].query["since"]
            return time.time() - time.mktime(time.strptime(
                since[:19], "%Y-%m-%dT%H:%M:%S")) + time.timezone
        wait_until(lambda: len(provider.asked) >= 3, "walks")
        self.assertLess(reach(), 130)
        provider.rows.append(row(1, iso(time.time() - 100)))
        agent.wait_events(1)
        wait_until(lambda: reach() > 190, "twice the lag is read again")
        self.assertEqual(agent.metric("bound_broken_total", connector="shop"),
                         0)
        complete = agent.metric("complete_until_seconds", connector="shop")
        # The first is below what was believed complete, the second below
        # what is read: only the walk that reads again finds it.
        provider.rows.append(row(2, iso(time.time() - 180)))
        provider.rows.append(row(3, iso(time.time() - 500)))
        agent.wait_events(3)
        self.assertEqual(agent.metric("bound_broken_total", connector="shop"),
                         2)
        self.assertGreaterEqual(
            agent.metric("complete_until_seconds", connector="shop"), complete)
        wait_until(lambda: reach() > 900, "twice the lag again")
        agent.kill()
        asked = len(provider.asked)
        agent.start()
        wait_until(lambda: len(provider.asked) > asked, "a walk")
        self.assertGreater(reach(), 900)

    def test_an_adaptive_pace_slows_down_and_hurries_when_a_webhook_is_missed(
            self):
        provider = self.provider()
        agent = self.pet_shop(provider, poll={
            "pace": "adaptive", "fastest": "1s", "slowest": "4s"})
        def interval():
            return agent.metric("poll_interval_seconds", connector="shop")
        wait_until(lambda: interval() >= 3.6, "walks at the slowest")
        walks = len(provider.asked)
        self.assertLess(walks, 8)
        stays(lambda: interval() <= 4, "never slower", 1)
        provider.rows.append(row(1, iso(time.time() - 35)))
        agent.wait_events(1)
        wait_until(lambda: interval() <= 1, "walks at the fastest")
        wait_until(lambda: interval() >= 3.6, "walks at the slowest again")

    def test_a_walk_goes_on_after_a_restart_and_nothing_comes_twice(self):
        now = time.time()
        rows = [row(i, iso(now - 600 + i)) for i in range(20)]
        provider = self.provider(rows, page=5)
        gate = []

        def third_page_fails(handler, asked):
            if asked.query.get("at") == "10" and not gate:
                answer(handler, 500, b"{}")
            else:
                provider.list(handler, asked)

        provider.default = third_page_fails
        agent = self.pet_shop(provider)
        agent.wait_events(10)
        self.assertEqual(agent.stop()[0], 0)
        gate.append(True)
        agent.start()
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(20)],
                         list(range(20)))
