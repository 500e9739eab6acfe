# SPDX-License-Identifier: MIT
"""What comes in two steps: thin events are fetched before their first attempt,
rows have their webhooks sent again, signals only ask for a walk."""
import json
import os
import time
import zlib

import harness
from harness import answer, iso, post, replies, stays, wait_until

CONNECTOR = os.path.join(harness.HERE, "connectors", "paylike.yaml")


class Pay(harness.FakeProvider):
    """Events by id, a list of them, and webhooks that can be sent again."""

    def __init__(self):
        super().__init__()
        self.objects = {}
        self.listed = []
        self.resent = []
        self.hooked = None   # called with an id when it shall be sent again
        self.default = self.serve

    def make(self, number, **more):
        event = dict({"id": f"WH-{number}", "event_type": "sale.done",
                      "create_time": iso(), "amount": 12.50}, **more)
        self.objects[event["id"]] = event
        return event

    def fetched(self, number):
        return [a for a in self.asked if a.path == f"/v1/events/WH-{number}"]

    def serve(self, handler, asked):
        parts = asked.path.split("/")
        if asked.headers.get("Authorization") != f"Bearer {self.token}":
            answer(handler, 401, b"{}")
        elif asked.path == "/v1/events":
            answer(handler, 200, json.dumps({"events": [
                {k: e[k] for k in ("id", "event_type", "create_time")}
                for e in self.listed]}).encode())
        elif len(parts) == 5 and parts[4] == "resend":
            self.resent.append((parts[3], json.loads(handler.sent)))
            answer(handler, 202, b"")
            if self.hooked:
                self.hooked(parts[3])
        elif parts[-1] in self.objects:
            answer(handler, 200, json.dumps(self.objects[parts[-1]]).encode())
        else:
            answer(handler, 404, b"{}")


def hook_of(event):
    """A webhook says less than the API does."""
    body = json.dumps({k: event[k] for k in ("id", "event_type",
                                             "create_time")}).encode()
    signed = f"{event['id']}|{zlib.crc32(body)}".encode()
    return body, {"Content-Type": "application/json", "X-Pay-Id": event["id"],
                  "X-Pay-Signature": harness.sign(signed)}


def send(agent, event):
    return post(agent.port, "/hooks/pay", *hook_of(event))


class Thin(harness.Case):
    def pay(self):
        provider = Pay()
        self.addCleanup(provider.close)
        return provider

    def pay_shop(self, provider, handlers=None, poll=None, start=True,
                 **connector):
        """An agent with the connector `pay`; its list is asked at the start,
        then hardly ever."""
        entry = {"use": CONNECTOR,
                 "with": {"base": provider.url, "api_key": harness.TOKEN,
                          "webhook_secret": harness.SECRET},
                 "poll": dict({"every": "1h", "start": "1h"}, **(poll or {})),
                 **connector}
        agent = self.agent({"pay": entry}, {})
        agent.config["handlers"] = handlers or {
            "log": {"file": "events.jsonl"}}
        # a program's own directory is not the agent's
        agent.config = json.loads(json.dumps(agent.config).replace(
            "DIR", agent.dir))
        agent.write_config()
        return agent.start() if start else agent

    # ---- thin ----

    def test_handlers_get_what_was_fetched_and_ask_once(self):
        provider = self.pay()
        agent = self.pay_shop(provider, {
            "log": {"file": "events.jsonl"},
            "raw": {"exec": ["/bin/sh", "-c", "cat > DIR/raw.json"],
                    "format": "raw"}})
        event = provider.make(1)
        self.assertEqual(send(agent, event).status, 202)
        line = agent.wait_events(1)[0]
        self.assertEqual(line["data"], event)
        self.assertEqual(line["id"], "WH-1")
        self.assertEqual(line["via"], "webhook")
        agent.wait_metric(0, "pending_deliveries", handler="raw")
        self.assertEqual(len(provider.fetched(1)), 1)
        with open(agent.path("raw.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file), event)
        self.assertEqual(agent.query("SELECT json_extract(body, '$.amount')"
                                     " FROM event"), [(12.5,)])

    def test_a_forged_body_brings_only_what_the_api_says(self):
        provider = self.pay()
        agent = self.pay_shop(provider)
        event = provider.make(1)
        self.assertEqual(send(agent, dict(event, amount=9999)).status, 202)
        self.assertEqual(agent.wait_events(1)[0]["data"]["amount"], 12.50)

    def test_a_failed_fetch_is_a_failed_attempt(self):
        provider = self.pay()
        agent = self.pay_shop(provider, {"log": {
            "file": "events.jsonl", "retry": {"first": "50ms"}}})
        event = provider.make(1)
        wait_until(lambda: provider.asked, "the first walk")
        provider.script += [replies(500), replies(200, b"<html>")]
        send(agent, event)
        self.assertEqual(agent.wait_events(1)[0]["data"], event)
        details = [d for d, in agent.query("SELECT detail FROM attempt"
                                           " ORDER BY id")]
        self.assertEqual(details[0], "fetch: HTTP 500")
        self.assertIn("fetch: the answer is not JSON", details[1])
        self.assertEqual(len(provider.fetched(1)), 3)

    def test_a_failure_of_the_handler_asks_for_nothing_again(self):
        provider = self.pay()
        agent = self.pay_shop(provider, {"work": {
            "exec": ["/bin/sh", "-c", "test -e DIR/go"],
            "retry": {"first": "50ms"}}})
        event = provider.make(1)
        send(agent, event)
        wait_until(lambda: agent.query("SELECT 1 FROM attempt"), "a failure")
        provider.objects.clear()
        with open(agent.path("go"), "w", encoding="utf-8"):
            pass
        agent.wait_metric(0, "pending_deliveries", handler="work")
        self.assertEqual(len(provider.fetched(1)), 1)

    def test_an_object_that_is_gone_is_dead_at_once_where_that_is_said(self):
        provider = self.pay()
        agent = self.pay_shop(provider, event={"fetch": {"gone": "dead"}})
        send(agent, {"id": "WH-9", "event_type": "t", "create_time": iso()})
        wait_until(lambda: agent.query("SELECT 1 FROM dead"), "a dead letter")
        self.assertEqual(self.fill_of(agent, 9), {
            "needs": "fetch", "asked": None, "by": None, "filled": None})
        self.assertIn("  lacks     its object", agent.command(
            "show", "pay/WH-9").stdout.decode())
        self.assertEqual(agent.query("SELECT attempt, reason FROM dead"),
                         [(1, "its object is gone from the provider")])

    def test_the_provider_is_left_alone_when_it_asks_for_it(self):
        provider = self.pay()
        agent = self.pay_shop(provider)
        wait_until(lambda: provider.asked, "the first walk")
        provider.script.append(replies(429, b"{}", {"Retry-After": "2"}))
        one, two = provider.make(1), provider.make(2)
        send(agent, one)
        wait_until(lambda: provider.fetched(1), "a fetch")
        wait_until(lambda: agent.query("SELECT 1 FROM attempt"), "it failed")
        send(agent, two)
        agent.wait_events(2)
        self.assertGreaterEqual(provider.fetched(2)[0].at -
                                provider.fetched(1)[0].at, 1.9)
        # No request was made, so no attempt was counted as failed.
        self.assertEqual(agent.query(
            "SELECT count(*) FROM attempt JOIN event ON event.id=event"
            " WHERE ext_id='WH-2' AND kind<>0"), [(0,)])

    def test_an_id_that_would_lead_elsewhere_asks_for_nothing(self):
        provider = self.pay()
        agent = self.pay_shop(provider)
        for trick in ("..", "../../admin", "@127.0.0.1:1/x"):
            send(agent, {"id": trick, "event_type": "t",
                         "create_time": iso()})
        wait_until(lambda: len(agent.query(
            "SELECT DISTINCT event FROM attempt")) == 3, "all have failed")
        paths = {a.path for a in provider.asked} - {"/v1/events"}
        self.assertLessEqual(paths, {"/v1/events/..%2F..%2Fadmin",
                                     "/v1/events/%40127.0.0.1%3A1%2Fx"})

    def test_killed_between_fetch_and_outcome_it_fetches_again(self):
        provider = self.pay()
        agent = self.pay_shop(provider, {"work": {
            "exec": ["/bin/sh", "-c", "cd DIR; test -e go || { touch here; "
                     "until test -e go; do sleep 0.05; done; exit 1; }; "
                     "cat > got.json"]}})
        event = provider.make(1)
        send(agent, event)
        wait_until(lambda: os.path.exists(agent.path("here")), "it runs")
        agent.kill()
        self.assertEqual(agent.query("SELECT needs FROM fill"), [(1,)])
        with open(agent.path("go"), "w", encoding="utf-8"):
            pass
        agent.start()
        agent.wait_metric(0, "pending_deliveries", handler="work")
        with open(agent.path("got.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["data"], event)
        self.assertEqual(len(provider.fetched(1)), 2)
        self.assertEqual(agent.query("SELECT needs, filled FROM fill"),
                         [(0, 1)])

    def test_a_fetch_that_hangs_is_given_back_at_an_orderly_end(self):
        provider = self.pay()
        agent = self.pay_shop(provider)
        wait_until(lambda: provider.asked, "the first walk")
        provider.script.append(lambda handler, asked: provider.ended.wait(30))
        event = provider.make(1)
        send(agent, event)
        wait_until(lambda: provider.fetched(1), "the fetch began")
        code, seconds = agent.stop()
        self.assertEqual(code, 0)
        self.assertLess(seconds, 10)
        agent.start()
        self.assertEqual(agent.wait_events(1)[0]["data"], event)

    # ---- recover ----

    def test_rows_are_fetched_by_one_word(self):
        provider = self.pay()
        event = provider.make(1)
        provider.listed.append(event)
        agent = self.pay_shop(provider, recover="fetch")
        line = agent.wait_events(1)[0]
        self.assertEqual((line["via"], line["data"]), ("poll", event))

    def test_rows_are_delivered_as_they_are_without_a_word(self):
        provider = self.pay()
        event = provider.make(1)
        provider.listed.append(event)
        agent = self.pay_shop(provider)
        self.assertNotIn("amount", agent.wait_events(1)[0]["data"])
        self.assertEqual(provider.resent, [])

    def fill_of(self, agent, number):
        """What `show` says of the two steps of an event."""
        done = agent.command("show", f"pay/WH-{number}", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["fill"]

    def full(self):
        """Webhooks that say all there is."""
        return {"event": {"mode": "full"}, "recover": "redeliver",
                "grace": "2s"}

    def test_a_missed_webhook_is_sent_again_by_one_word(self):
        provider = self.pay()
        event = provider.make(1)
        provider.listed.append(event)
        agent = self.pay_shop(provider, start=False, **self.full())
        provider.hooked = lambda _: send(agent, event)
        agent.start()
        line = agent.wait_events(1)[0]
        self.assertEqual((line["id"], line["via"]), ("WH-1", "poll"))
        self.assertEqual(provider.resent,
                         [("WH-1", {"webhook_ids": ["WH-1"]})])
        # The bytes and the headers are the webhook's.
        self.assertEqual(agent.query("SELECT body FROM event"),
                         [(hook_of(event)[0],)])
        self.assertIn("X-Pay-Signature", agent.query(
            "SELECT CAST(headers AS TEXT) FROM event")[0][0])
        agent.wait_metric(0, "pending_deliveries", handler="log")
        fill = self.fill_of(agent, 1)
        self.assertEqual((fill["needs"], fill["by"]), (None, "webhook"))
        self.assertTrue(fill["asked"] and fill["filled"], fill)
        text = agent.command("show", "pay/WH-1").stdout.decode()
        self.assertIn("  webhook   sent again ", text)
        self.assertIn("  asked     for its webhook ", text)
        agent.wait_metric(1, "recovered_total", connector="pay")
        self.assertEqual(agent.metric("confirmed_total", connector="pay"), 0)
        self.assertEqual(len(agent.events()), 1)

    def test_a_thin_webhook_that_is_sent_again_is_fetched(self):
        provider = self.pay()
        event = provider.make(1)
        provider.listed.append(event)
        agent = self.pay_shop(provider, start=False, recover="redeliver")
        provider.hooked = lambda _: send(agent, event)
        agent.start()
        self.assertEqual(agent.wait_events(1)[0]["data"], event)
        self.assertEqual(len(provider.resent), 1)
        self.assertEqual(len(provider.fetched(1)), 1)

    def test_a_webhook_that_came_first_is_not_asked_for(self):
        provider = self.pay()
        event = provider.make(1)
        agent = self.pay_shop(provider, poll={"every": "1s"}, **self.full())
        send(agent, event)
        agent.wait_events(1)
        provider.listed.append(event)
        agent.wait_metric(1, "confirmed_total", connector="pay")
        self.assertEqual(provider.resent, [])

    def test_what_is_never_sent_again_is_a_dead_letter_that_says_so(self):
        provider = self.pay()
        provider.listed.append(provider.make(1))
        agent = self.pay_shop(
            provider, {"log": {"file": "events.jsonl", "retry": {
                "attempts": 1}}},
            **dict(self.full(), grace="1s"))
        wait_until(lambda: agent.query("SELECT 1 FROM dead"), "a dead letter")
        self.assertEqual(agent.query("SELECT reason FROM dead"), [
            ("the provider was asked to send it again, and it has not come",)])
        self.assertEqual(len(provider.resent), 2)
        self.assertEqual(agent.events(), [])

    def test_two_handlers_ask_once(self):
        provider = self.pay()
        event = provider.make(1)
        provider.listed.append(event)
        agent = self.pay_shop(provider, {
            "log": {"file": "events.jsonl"}, "too": {"file": "too.jsonl"}},
            start=False, **dict(self.full(), grace="1m"))
        agent.start()
        wait_until(lambda: len(agent.query(
            "SELECT 1 FROM delivery WHERE owner=0 AND attempt=0"
            " AND due > (SELECT asked_ms FROM fill)")) == 2, "both wait")
        self.assertEqual(len(provider.resent), 1)
        send(agent, event)
        agent.wait_events(1)
        agent.wait_events(1, "too.jsonl")

    def test_github_sends_again_what_its_log_says_was_missed(self):
        provider = harness.FakeProvider()
        self.addCleanup(provider.close)
        log = "/repos/me/it/hooks/7/deliveries"
        sent = []
        body = json.dumps({"action": "opened", "issue": {
            "number": 1, "updated_at": iso()}}).encode()

        def serve(handler, asked):
            sent.append((asked.method, asked.path))
            if asked.path == log:
                answer(handler, 200, json.dumps([{
                    "id": 12345678901234567, "guid": "0b989ba4-242f",
                    "event": "issues", "action": "opened", "status": "timeout",
                    "delivered_at": iso()}]).encode())
                return
            answer(handler, 202, b"{}")
            post(agent.port, "/hooks/hub", body, {
                "X-GitHub-Delivery": "0b989ba4-242f",
                "X-GitHub-Event": "issues",
                "X-Hub-Signature-256": "sha256=" + harness.sign(body)})

        provider.default = serve
        agent = self.agent({"hub": {
            "use": "github", "recover": "redeliver", "poll": {"start": "1h"},
            "with": {"base": provider.url, "api_key": "k", "repo": "me/it",
                     "hook_id": 7, "webhook_secret": harness.SECRET}}})
        agent.start()
        line = agent.wait_events(1)[0]
        self.assertEqual((line["id"], line["type"], line["via"]),
                         ("0b989ba4-242f", "issues.opened", "poll"))
        self.assertEqual(line["data"], json.loads(body))
        self.assertEqual(sent, [
            ("GET", log), ("POST", f"{log}/12345678901234567/attempts")])

    # ---- signal ----

    def test_signals_store_nothing_and_are_one_walk(self):
        provider = self.pay()
        agent = self.pay_shop(provider, event={"mode": "signal"},
                              recover="self", poll={"every": "1h"})
        wait_until(lambda: len(provider.asked) == 1, "the first walk")
        event = provider.make(1)
        provider.listed.append(event)
        for _ in range(20):
            self.assertEqual(send(agent, event).status, 202)
        line = agent.wait_events(1)[0]
        self.assertEqual(line["via"], "poll")
        # One at the start, one a second while signals come, one behind them.
        self.assertLess(len(provider.asked), 5)
        walks = len(provider.asked)
        stays(lambda: len(provider.asked) <= walks + 1, "no more walks", 1.5)
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(1,)])
