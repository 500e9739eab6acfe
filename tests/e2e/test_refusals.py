# SPDX-License-Identifier: MIT
"""Requests that were not accepted: kept with their cause and head, without their
bodies and credentials, within bounds however many there are."""
import http.client
import json

import harness
from harness import Hook, iso, wait_until

PARCEL = "a parcel for nobody's eyes"


class Refusals(harness.Case):
    def said(self, agent, *words, code=0):
        got = agent.command("refusals", *words)
        self.assertEqual(got.returncode, code, got)
        return got.stdout.decode()

    def listed(self, agent, *words):
        return json.loads(self.said(agent, *words, "--json"))["items"]

    def wait_listed(self, agent, count, *words):
        wait_until(lambda: len(self.listed(agent, *words)) >= count,
                   f"{count} refusals are kept")
        return self.listed(agent, *words)

    def forge(self, agent, **more):
        hook = Hook(1, iso(), secret="no secret of ours", **more)
        hook.headers.update({"Authorization": "Bearer sesame-1",
                             "Cookie": "sesame-2", "X-Api-Key": "sesame-3",
                             "X-Trace": "kept"})
        got = hook.send(agent, path="/hooks/shop?token=sesame-4&b=1")
        self.assertEqual(got.status, 401)
        self.assertEqual(got.body, b"")

    def test_a_refusal_says_why_and_from_where_and_shows_the_head(self):
        agent = self.pet_shop()
        self.forge(agent, body=PARCEL.encode())
        item, = self.wait_listed(agent, 1)
        self.assertEqual(
            (item["connector"], item["cause"], item["status"], item["peer"],
             item["body_bytes"], item["more"]),
            ("shop", "bad_signature", 401, "127.0.0.1", len(PARCEL), 0))
        with open(agent.path("request"), "wb") as file:
            file.write(b"POST /hooks/shop HTTP/1.1\r\nHost: a\r\n"
                       b"X-Webhook-Signature: 00\r\nContent-Length: 2\r\n"
                       b"\r\n{}")
        judged = agent.command("verify", "shop", agent.path("request"))
        self.assertIn(item["why"], judged.stdout.decode() +
                      judged.stderr.decode())
        text = self.said(agent)
        self.assertRegex(text, r"AT +CONNECTOR +CAUSE +HTTP +FROM")
        self.assertIn(item["why"], text)
        shown = self.said(agent, item["id"])
        self.assertIn("  POST /hooks/shop?token=***&b=***\n", shown)
        self.assertIn("  X-Trace: kept\n", shown)
        self.assertIn("  Authorization: ***\n", shown)
        self.assertIn(f"body of {len(PARCEL)} bytes is not kept", shown)

    def test_what_came_just_before_the_end_is_kept_too(self):
        agent = self.pet_shop()
        for _ in range(12):  # more than are kept in a minute
            self.forge(agent)
        self.assertEqual(agent.stop()[0], 0)
        agent.start()
        items = self.listed(agent)
        self.assertEqual(sum(1 + item["more"] for item in items), 12, items)

    def test_neither_bodies_nor_credentials_are_kept(self):
        agent = self.pet_shop()
        self.forge(agent, body=PARCEL.encode())
        self.wait_listed(agent, 1)
        agent.stop()
        for name in ("longstop.db", "longstop.db-wal", "agent.log"):
            try:
                with open(agent.path(name), "rb") as file:
                    held = file.read()
            except FileNotFoundError:
                continue
            for word in (b"sesame", PARCEL.encode(), b"no secret of ours"):
                self.assertNotIn(word, held, name)

    def test_refusals_survive_a_restart_and_are_filtered(self):
        agent = self.pet_shop()
        self.forge(agent)
        got = harness.post(agent.port, "/hooks/shop", b"x",
                           {"Content-Encoding": "br"})
        self.assertEqual(got.status, 415)
        self.wait_listed(agent, 2)
        agent.stop()
        agent.start()
        self.assertEqual([i["cause"] for i in self.listed(agent)],
                         ["malformed", "bad_signature"])
        for words, count in ((["--cause", "malformed"], 1),
                             (["--cause", "stale"], 0),
                             (["--since", "1h"], 2),
                             (["--since", "2999-01-01T00:00:00Z"], 0),
                             (["--connector", "shop"], 2),
                             (["--limit", "1"], 1)):
            self.assertEqual(len(self.listed(agent, *words)), count, words)
        self.said(agent, "--cause", "whim", code=2)
        self.said(agent, "--limit", "0", code=2)
        self.said(agent, "999", code=1)
        self.assertIn("no such refusal", self.said(agent, "--cause", "stale"))
        self.assertRegex(self.said(agent, "--groups"),
                         r"1 +\d\d:\d\d:\d\d +shop +malformed +\S")

    def test_a_flood_of_unsigned_requests_is_sampled_and_counted(self):
        agent = self.pet_shop(keep={"refusals": 5})
        link = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)
        for _ in range(300):
            link.request("POST", "/hooks/shop", b"{}")
            reply = link.getresponse()
            reply.read()
            self.assertEqual(reply.status, 401)
        link.close()
        wait_until(lambda: sum(1 + i["more"] for i in self.listed(agent)) >=
                   300 - 40 + 5, "the flood is counted")
        items = self.listed(agent)
        self.assertEqual(len(items), 5)  # the oldest have gone
        # one in good order is taken as ever
        self.assertEqual(Hook(1, iso()).send(agent).status, 202)
        agent.wait_events(1)

    def test_where_none_are_to_be_kept_those_that_were_go(self):
        agent = self.pet_shop()
        self.forge(agent)
        self.wait_listed(agent, 1)
        agent.stop()
        agent.config["keep"] = {"refusals": 0}
        agent.write_config()
        agent.start()
        wait_until(lambda: self.listed(agent) == [], "they are gone")
        self.forge(agent)
        harness.stays(lambda: self.listed(agent) == [], "none is kept", 1)

    def test_what_has_no_route_is_no_refusal(self):
        agent = self.pet_shop()
        for path in ("/hooks/nobody", "/", "/hooks/shop/x"):
            self.assertEqual(
                harness.post(agent.port, path, b"{}", {}).status, 404)
        self.forge(agent)
        self.assertEqual(len(self.wait_listed(agent, 1)), 1)

    def test_what_a_sender_writes_does_nothing_to_a_terminal(self):
        agent = self.pet_shop()
        hook = Hook(1, iso(), secret="no secret of ours")
        hook.headers["X-Evil"] = "\x1b]0;owned\x07\x9b31m"
        link = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=10)
        link.putrequest("POST", "/hooks/shop")
        for name, value in hook.headers.items():
            if name != "X-Evil":
                link.putheader(name, value)
        link.putheader("X-Evil", b"\xc2\x9b31m\xff")
        link.putheader("Content-Length", str(len(hook.body)))
        link.endheaders(hook.body)
        self.assertEqual(link.getresponse().status, 401)
        link.close()
        item, = self.wait_listed(agent, 1)
        got = agent.command("refusals", item["id"])
        self.assertNotIn(b"\xc2\x9b", got.stdout)
        self.assertNotIn(b"\x1b", got.stdout)
        self.assertIn(b"X-Evil: ", got.stdout)
