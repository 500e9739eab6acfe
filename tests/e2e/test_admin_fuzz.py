# SPDX-License-Identifier: MIT
"""The admin API, asked what nobody would ask: every route of openapi.yaml with
parameters and bodies by chance. It answers in words or with what was asked for,
never with an error of its own, and lives on."""
import json
import os
import random
import urllib.parse

import harness
import openapi
from harness import Hook, iso

ASKED = int(os.environ.get("LONGSTOP_ASKED", "600"))
VALUES = [
    "", "0", "1", "-1", "9" * 19, "9" * 25, "1.5", "0x1", " 1", "true", "shop",
    "log", "nobody", "*", "!*", "[", "a" * 5000, "%00", "%", "%zz", "%ff%fe",
    "../../etc/passwd", "'; DROP TABLE event; --", "2026-11-21T23:22:01Z",
    "2026-13-41T99:99:99Z", "-9223372036854775808", "1700000000",
    "99999999999999", "2h", "webhook", "poll", "order.created", "a,b,,c",
    "\u00e4", "%F0%9F%92%A9", "100/s", "0/0s", "{}", "&", "=", "+",
]
BODIES = [
    b"", b"{}", b"[]", b"null", b"{", b'{"kind":"retry"}', b"\xff\xfe",
    b'{"kind":"replay","since":"2h","all":true}', b'{"kind":"drop","all":1}',
    b'{"kind":"retry","event":"18446744073709551616"}', b"[" * 2000,
    b'{"url":"http://127.0.0.1/","events":["*"]}', b'{"url":7}',
    b'{"kind":"retry","kind":"drop","rate":"1e9/s"}', b"{}\n{}\n",
    b'{"url":"https://x.example/' + b"a" * 9000 + b'","events":[]}',
]


class Asked(harness.Case):
    def routes(self):
        for path, methods in sorted(openapi.load()["paths"].items()):
            for method, about in sorted(methods.items()):
                if method == "parameters" or path.endswith("/stream"):
                    continue
                names = [p.get("name", "cursor") for p in
                         about.get("parameters", [])
                         if p.get("in", "query") == "query"]
                yield method.upper(), path, names

    def target(self, chance, path, names):
        while "{" in path:
            head, _, rest = path.partition("{")
            value = chance.choice(VALUES)
            path = head + urllib.parse.quote(value[:200], safe="%") + \
                rest.partition("}")[2]
        pairs = []
        for _ in range(chance.choice((0, 1, 1, 2, 4))):
            name = chance.choice(names + ["limit", "cursor", "x", ""])
            value = chance.choice(VALUES)
            pairs.append(name + "=" + urllib.parse.quote(value, safe="%&=+"))
        return path + ("?" + "&".join(pairs) if pairs else "")

    def test_whatever_it_is_asked_it_answers_in_words_and_lives_on(self):
        agent = self.agent({"shop": harness.pet_store()},
                           {"log": {"file": "events.jsonl"},
                            "fails": {"exec": ["false"], "retry": {
                                "attempts": 1}}}).start()
        for order in range(5):
            self.assertEqual(Hook(order, iso()).send(agent).status, 202)
        agent.wait_metric(5, "deliveries_total", handler="fails",
                          outcome="dead")
        seed = int.from_bytes(os.urandom(4), "big")
        chance = random.Random(seed)
        routes = list(self.routes())
        self.assertGreater(len(routes), 20)
        seen = set()
        for at in range(ASKED):
            method, path, names = routes[at % len(routes)]
            target = self.target(chance, path, names)
            body = chance.choice(BODIES) if method != "GET" else None
            got = agent.admin(target, method, body)
            seen.add(got.status)
            words = f"seed {seed}: {method} {target} {body!r}: {got}"
            self.assertLess(got.status, 500, words)
            if "json" in got.headers.get("Content-Type", "") and \
                    "ndjson" not in got.headers["Content-Type"]:
                json.loads(got.body)
        self.assertLessEqual({200, 400, 404}, seen)
        self.assertEqual(agent.health("/livez"), 200)
