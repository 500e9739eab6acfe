# SPDX-License-Identifier: MIT
"""Events as lines of JSON, out of one store and into another."""
import base64
import json

import harness
from harness import Hook, iso, row, wait_until


class Moving(harness.Case):
    def lines(self, agent, *words):
        got = agent.command("export", *words)
        self.assertEqual(got.returncode, 0, got.stderr)
        return [json.loads(line) for line in got.stdout.split(b"\n")[:-1]]

    def take(self, agent, lines, code=0):
        text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        got = agent.command("import", "-", "--json", stdin=text)
        self.assertEqual(got.returncode, code, got.stderr)
        return json.loads(got.stdout), got.stderr.decode()

    def test_what_is_exported_is_all_that_came_in(self):
        agent = self.pet_shop()
        body = json.dumps({"event": "order.created", "timestamp": iso(),
                           "data": {"order": row(1, iso())}},
                          indent=1).encode() + b" \n"
        hook = Hook(1, iso(), body=body)
        hook.send(agent)
        Hook(2, iso(), event="order.paid").send(agent)
        agent.wait_events(2)
        first, second = self.lines(agent)
        self.assertEqual((first["connector"], first["via"], first["id"],
                          first["type"], first["content_type"]),
                         ("shop", "webhook", hook.delivery, "order.created",
                          "application/json"))
        self.assertEqual(first["body"].encode(), body)
        self.assertIn(f"X-Webhook-Delivery: {hook.delivery}\n".lower(),
                      first["headers"].lower())
        stored = agent.query("SELECT time_ms, recorded_ms, headers FROM event "
                             "ORDER BY id")
        self.assertEqual(first["headers"].encode(), stored[0][2])
        self.assertEqual(first["recorded"], iso(stored[0][1] / 1000))
        self.assertEqual([e["id"] for e in self.lines(
            agent, "--type", "order.paid")], [second["id"]])
        self.assertEqual(self.lines(agent, "--until", "1h"), [])
        agent.command("export", agent.path("out.jsonl"))
        with open(agent.path("out.jsonl"), encoding="utf-8") as file:
            self.assertEqual([json.loads(line) for line in file],
                             [first, second])

    def test_many_are_exported_page_after_page(self):
        agent = self.pet_shop(handlers={})
        provider = self.provider([row(n, iso()) for n in range(1200)], 1200)
        agent.stop()
        agent.config["connectors"]["shop"] = harness.pet_store(provider)
        agent.write_config()
        agent.start()
        wait_until(lambda: agent.query("SELECT count(*) FROM event")
                   == [(1200,)], "all are stored")
        self.assertEqual(sorted(json.loads(e["body"])["id"]
                                for e in self.lines(agent)),
                         list(range(1200)))

    def test_what_is_imported_is_there_once_and_owed_to_nobody(self):
        stamp = iso()
        old = self.pet_shop(self.provider([row(7, stamp)]))
        hook = Hook(1, iso())
        hook.send(old)
        old.wait_events(2)
        lines = self.lines(old)
        provider = self.provider([row(7, stamp)])
        new = self.pet_shop(provider, poll={"every": "1h"})
        new.wait_events(1)  # one of the two is known here already
        told, _ = self.take(new, lines)
        self.assertEqual(told, {"new": 1, "known": 1})
        told, _ = self.take(new, lines)
        self.assertEqual(told, {"new": 0, "known": 2})
        self.assertEqual(sorted(json.dumps(line) for line in lines
                                if line["via"] == "webhook"),
                         sorted(json.dumps(line) for line in self.lines(new)
                                if line["via"] == "webhook"))
        # its sender sends it again: it is known
        self.assertEqual(hook.send(new).status, 202)
        new.wait_metric(1, "duplicates_total", connector="shop", via="webhook")
        self.assertEqual(len(new.events()), 1)
        done = new.command("replay", f"shop/{hook.delivery}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(new.wait_events(2)[1]["id"], hook.delivery)

    def test_a_row_of_an_imported_walk_is_known(self):
        stamp = iso()
        old = self.pet_shop(self.provider([row(7, stamp)]), hooks=False)
        old.wait_events(1)
        lines = self.lines(old)
        provider = self.provider()
        new = self.pet_shop(provider)
        self.assertEqual(self.take(new, lines)[0], {"new": 1, "known": 0})
        provider.rows = [row(7, stamp), row(8, stamp)]
        self.assertEqual([e["data"]["id"] for e in new.wait_events(1)], [8])

    def test_bytes_that_are_no_text_come_through(self):
        agent = self.pet_shop()
        body = b"\x00\xff\xfe{"
        line = {"v": 1, "via": "webhook", "connector": "shop", "id": "e1",
                "type": "odd", "recorded": "2026-01-02T03:04:05.678Z",
                "body_base64": base64.b64encode(body).decode()}
        self.assertEqual(self.take(agent, [line])[0], {"new": 1, "known": 0})
        self.assertEqual(agent.query("SELECT body, recorded_ms FROM event"),
                         [(body, 1767323045678)])
        self.assertEqual(self.lines(agent), [line])

    def test_a_line_that_is_wrong_is_named_and_nothing_of_it_is_taken(self):
        agent = self.pet_shop()
        good = {"via": "webhook", "connector": "shop", "id": "e1",
                "type": "t", "body": "{}"}
        for change, words in (({"via": "pigeon"}, "event 2: 'via'"),
                              ({"connector": "x"}, "no connector 'x'"),
                              ({"id": ""}, "'id'"), ({"id": 7}, "'id'"),
                              ({"time": "noon"}, "'time'"),
                              ({"body": None}, "'body'")):
            told, err = self.take(agent, [good, {**good, **change}], code=2)
            self.assertEqual(told, {"new": 0, "known": 0})
            self.assertIn(words, err)
        got = agent.command("import", "-", stdin=b"{}\n{")
        self.assertEqual(got.returncode, 2)
        self.assertIn(b"line 2 is no JSON", got.stderr)
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(0,)])
