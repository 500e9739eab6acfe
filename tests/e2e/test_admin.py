# SPDX-License-Identifier: MIT
"""The admin listener: who may ask, what is there, and what it answers."""
import glob
import json
import os
import re
import sqlite3
import time
import urllib.parse

import harness
import openapi
from harness import Hook, iso, row, wait_until


class Routes(harness.Case):
    def test_a_path_that_is_not_there_is_a_problem_in_words(self):
        agent = self.pet_shop()
        got = agent.admin("/api/v1/nothing")
        self.assertEqual(got.status, 404)
        self.assertEqual(got.headers["Content-Type"],
                         "application/problem+json")
        self.assertEqual(json.loads(got.body)["status"], 404)

    def test_a_wrong_method_is_told_which_ones_there_are(self):
        agent = self.pet_shop()
        for path, method, allow in (
                ("/livez", "POST", "GET, HEAD"),
                ("/api/v1/connectors/shop/poll", "GET", "POST")):
            got = agent.admin(path, method)
            self.assertEqual(got.status, 405)
            self.assertEqual(got.headers["Allow"], allow)

    def test_a_page_of_another_origin_changes_nothing(self):
        agent = self.pet_shop()
        path = "/api/v1/connectors/nobody/poll"
        for fields, status in (
                ({"Origin": "http://evil.example"}, 403),
                ({"Origin": "null"}, 403),
                ({"Sec-Fetch-Site": "cross-site"}, 403),
                ({"Sec-Fetch-Site": "same-site"}, 403),
                # the dashboard's own, and a program's, reach the route
                ({"Origin": "http://localhost",
                  "Sec-Fetch-Site": "same-origin"}, 404),
                ({}, 404)):
            got = agent.admin(path, "POST", **fields)
            self.assertEqual(got.status, status, fields)
        self.assertEqual(
            agent.admin("/livez", Origin="http://evil.example").status, 200)


def routes_of_the_program():
    """(method, pattern) of each table in agent/app."""
    found = set()
    for path in glob.glob(os.path.join(openapi.ROOT, "agent/app/admin*.c")):
        with open(path, encoding="utf-8") as file:
            found |= set(re.findall(r'\{ "(GET|POST|PUT|DELETE)", "(/[^"]*)",',
                                    file.read().replace("{+}", "{}")))
    return found


class Contract(harness.Case):
    """schema/openapi.yaml says what is answered, and nothing else is."""

    def setUp(self):
        self.spec = openapi.Spec()
        stamp = iso()
        provider = self.provider([row(1, stamp), row(2, stamp)])
        # one delivery is done, one fails for good
        self.agent_ = self.pet_shop(provider, handlers={
            "log": {"file": "events.jsonl"},
            "picky": {"exec": ["/bin/sh", "-c", "echo no; exit 65"]}},
            outbound={"allow": ["127.0.0.0/8"], "http": True})
        self.agent_.wait_events(2)
        Hook(1, stamp).send(self.agent_)
        self.agent_.wait_metric(1, "confirmed_total", connector="shop")
        wait_until(lambda: len(self.get("/api/v1/status")["handlers"]) == 2 and
                   all(h["pending"] == 0 and h["dead"] == 2 * (
                       h["name"] == "picky")
                       for h in self.get("/api/v1/status")["handlers"]),
                   "all is delivered or dead")
        self.agent_.stop()
        add_gap(self.agent_, 1000, 2000)
        self.agent_.start()
        wait_until(lambda: self.get("/api/v1/connectors/shop")
                   ["tiers"][0]["last_walk"], "a walk has ended")
        Hook(9, stamp, secret="another").send(self.agent_)
        wait_until(lambda: self.get("/api/v1/refusals")["items"],
                   "a refusal is kept")

    def get(self, path):
        got = self.agent_.admin(path)
        self.assertEqual(got.status, 200, got)
        return json.loads(got.body)

    def held(self, operation, got, path):
        """The answer, as the operation's responses have it."""
        documented = operation["responses"].get(str(got.status))
        self.assertIsNotNone(documented, f"{path}: {got}")
        content = self.spec.resolve(documented).get("content", {})
        if not content:
            self.assertEqual(got.body, b"")
            return None
        kind = got.headers["Content-Type"].split(";")[0]
        self.assertIn(kind, content, path)
        if not kind.endswith("json"):
            return None
        value = json.loads(got.body)
        self.assertEqual(
            self.spec.mistakes(value, content[kind]["schema"]), [], path)
        return value

    def test_every_route_is_documented_and_the_reverse(self):
        documented = {(method, re.sub(r"\{\w+\}", "{}", path))
                      for path, method, _ in self.spec.operations()}
        self.assertEqual(documented, routes_of_the_program())

    def test_every_answer_is_as_the_document_says(self):
        number = self.get("/api/v1/events")["items"][0]["number"]
        values = {"connector": "shop", "id": "1", "event": number,
                  "errand": "1", "handler": "log", "asset": re.search(
                      rb'/assets/(\S+\.js)', self.agent_.admin("/").body)[1]
                  .decode()}
        self.assertEqual(self.agent_.admin(
            "/api/v1/connectors/shop/backfill", "POST",
            '{"since":"2d"}').status, 202)
        self.assertEqual(self.agent_.admin(
            "/api/v1/errands", "POST", '{"kind":"replay","all":true,'
            '"handler":"log","rate":"1/60s"}').status, 202)
        nowhere = f'{{"url":"http://127.0.0.1:{harness.free_port()}/"}}'
        values["receiver"] = json.loads(self.agent_.admin(
            "/api/v1/subscriptions", "POST", nowhere).body)["id"]
        # the first may still run, or be over before it is cancelled
        begun = {"backfill": (202, 409), "cancelBackfill": (202, 409),
                 "addReceiver": (201,)}
        seen = {}
        # what is resumed was paused, and a paused list is not walked; what is
        # removed is not there any more
        for path, method, operation in sorted(
                self.spec.operations(),
                key=lambda one: (one[1] == "DELETE" or "pause" in one[0] or
                                 "resume" in one[0])):
            filled = re.sub(r"\{(\w+)\}", lambda m: values[m[1]], path)
            name = operation["operationId"]
            if name == "stream":
                continue  # it does not end: test_live holds it
            body = {"backfill": '{"since":"2d"}', "beginErrand":
                    '{"kind":"drop","handler":"picky","type":"nothing",'
                    '"preview":true}', "import": '{"events":[]}',
                    "addReceiver": nowhere}.get(name)
            got = self.agent_.admin(filled, method, body)
            self.assertIn(got.status, begun.get(name, (200,)),
                          f"{filled}: {got}")
            seen[operation["operationId"]] = self.held(operation, got, filled)
        self.assertEqual(len(seen["events"]["items"]), 2)
        self.assertEqual(len(seen["event"]["attempts"]), 2)
        self.assertEqual(len(seen["gaps"]["items"]), 1)
        self.assertEqual(len(seen["refusals"]["items"]), 1)
        self.assertEqual(seen["refusal"]["cause"], "bad_signature")
        self.assertEqual(seen["status"]["open_gaps"], 1)
        self.assertEqual(seen["keys"]["met"], 1)
        self.assertEqual(seen["closeGap"], {"closed": "1"})
        self.assertEqual(len(seen["dead"]["items"]), 2)
        self.assertEqual(seen["deadReasons"]["total"], 2)
        self.assertEqual(seen["beginErrand"], {"matches": 0})
        self.assertEqual(seen["errand"]["handler"], "log")
        self.assertEqual(seen["cancelErrand"], {"cancelled": "1"})

    def test_what_is_not_there_and_what_is_wrong_is_as_the_document_says(self):
        operations = {operation["operationId"]: (path, method, operation)
                      for path, method, operation in self.spec.operations()}
        for name, path, status in (
                ("connector", "/api/v1/connectors/nobody", 404),
                ("keys", "/api/v1/connectors/nobody/keys", 404),
                ("poll", "/api/v1/connectors/nobody/poll", 404),
                ("pauseConnector", "/api/v1/connectors/nobody/pause", 404),
                ("resumeConnector", "/api/v1/connectors/nobody/resume", 404),
                ("pauseHandler", "/api/v1/handlers/nobody/pause", 404),
                ("pauseHandler", "/api/v1/handlers/shop/pause", 404),
                ("pauseHandler", "/api/v1/handlers/log/pause?reason=%ff", 400),
                ("resumeHandler", "/api/v1/handlers/nobody/resume", 404),
                ("receiver", "/api/v1/subscriptions/nobody", 404),
                ("addReceiver", "/api/v1/subscriptions", 400),
                ("removeReceiver", "/api/v1/subscriptions/nobody", 404),
                ("rotateReceiver", "/api/v1/subscriptions/x/rotate", 404),
                ("enableReceiver", "/api/v1/subscriptions/x/enable", 404),
                ("testReceiver", "/api/v1/subscriptions/x/test", 404),
                ("closeGap", "/api/v1/gaps/99/close", 404),
                ("closeGap", "/api/v1/gaps/x/close", 404),
                ("event", "/api/v1/events/7", 404),
                ("event", "/api/v1/events/shop%2Fnobody", 404),
                ("event", "/api/v1/events/nobody%2F1", 404),
                ("event", "/api/v1/events/shop%2F", 404),
                ("gaps", "/api/v1/gaps?connector=nobody", 400),
                ("gaps", "/api/v1/gaps?limit=0", 400),
                ("gaps", "/api/v1/gaps?limit=1001", 400),
                ("gaps", "/api/v1/gaps?cursor=x", 400),
                ("refusal", "/api/v1/refusals/99", 404),
                ("refusal", "/api/v1/refusals/x", 404),
                ("refusals", "/api/v1/refusals?cause=whim", 400),
                ("refusals", "/api/v1/refusals?connector=nobody", 400),
                ("stream", "/api/v1/stream?topics=whims", 400),
                ("errand", "/api/v1/errands/7", 404),
                ("errand", "/api/v1/errands/x", 404),
                ("cancelErrand", "/api/v1/errands/7", 404),
                ("beginErrand", "/api/v1/errands", 400),
                ("export", "/api/v1/export?limit=0", 400),
                ("import", "/api/v1/import", 400),
                ("dead", "/api/v1/dead?since=yesterday", 400),
                ("dead", "/api/v1/dead?event=x", 400),
                ("deadReasons", "/api/v1/dead/reasons?until=x", 400),
                ("errands", "/api/v1/errands?cursor=x", 400),
                ("events", "/api/v1/events?via=pigeon", 400),
                ("events", "/api/v1/events?since=yesterday", 400)):
            _, method, operation = operations[name]
            got = self.agent_.admin(path, method)
            self.assertEqual(got.status, status, f"{path}: {got}")
            self.held(operation, got, path)


def add_gap(agent, from_ms, to_ms):
    """Writes a gap of `shop` into the store of an agent that does not run."""
    connection = sqlite3.connect(agent.path("longstop.db"))
    try:
        connection.execute(
            "INSERT INTO gap(connector,kind,from_ms,to_ms,found_ms) "
            "SELECT id,1,?,?,? FROM name WHERE kind=1 AND name='shop'",
            (from_ms, to_ms, int(time.time() * 1000)))
        connection.commit()
    finally:
        connection.close()


class Events(harness.Case):
    def get(self, agent, path):
        got = agent.admin(path)
        self.assertEqual(got.status, 200, got)
        return json.loads(got.body)

    def test_events_are_paged_newest_first_and_filtered(self):
        agent = self.pet_shop()
        for order in range(5):
            Hook(order, iso(), event="order.paid" if order % 2 else
                 "order.created").send(agent)
        pages, path = [], "/api/v1/events?limit=2"
        while path and len(pages) < 9:
            page = self.get(agent, path)
            pages.append([item["number"] for item in page["items"]])
            path = page["next_cursor"] and \
                f"/api/v1/events?limit=2&cursor={page['next_cursor']}"
        numbers = [int(number) for page in pages for number in page]
        self.assertEqual(numbers, sorted(numbers, reverse=True))
        self.assertEqual(len(set(numbers)), 5)
        for query, count in (("type=order.paid", 2), ("type=order.*", 5),
                             ("via=poll", 0), ("via=webhook", 5),
                             ("connector=shop", 5),
                             ("since=2000-01-01T00:00:00Z", 5),
                             ("until=2000-01-01T00:00:00Z", 0)):
            page = self.get(agent, f"/api/v1/events?{query}")
            self.assertEqual(len(page["items"]), count, query)
            self.assertIsNone(page["next_cursor"])

    def test_an_event_tells_when_each_channel_saw_it(self):
        stamp = iso()
        provider = self.provider([row(1, stamp)])
        agent = self.pet_shop(provider)
        agent.wait_events(1)
        Hook(1, stamp).send(agent)
        agent.wait_metric(1, "confirmed_total", connector="shop")
        listed = self.get(agent, "/api/v1/events")["items"][0]
        self.assertEqual(listed["via"], "poll")
        name = urllib.parse.quote(f"shop/{listed['id']}", safe="")
        one = self.get(agent, f"/api/v1/events/{name}?body=1")
        self.assertEqual(one["number"], listed["number"])
        self.assertEqual([seen["via"] for seen in one["seen"]],
                         ["poll", "webhook"])
        self.assertEqual(one["seen"][0]["at"], one["recorded"])
        self.assertGreaterEqual(one["seen"][1]["at"], one["seen"][0]["at"])
        self.assertIn("data", one)
        self.assertNotIn("data", self.get(agent, f"/api/v1/events/{name}"))

    def test_a_damaged_store_is_said_and_does_not_end_the_agent(self):
        agent = self.pet_shop()
        for order in range(3):
            Hook(order, iso()).send(agent)
        agent.stop()
        agent.start()
        with open(agent.path("longstop.db"), "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            for at in range(4096, size, 4096):
                file.seek(at)
                file.write(b"\xa5" * 4096)
        got = agent.admin("/api/v1/events")
        self.assertEqual(got.status, 500)
        self.assertIn("damaged", json.loads(got.body)["title"])
        self.assertEqual(agent.admin("/livez").status, 200)
