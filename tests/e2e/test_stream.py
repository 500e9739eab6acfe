# SPDX-License-Identifier: MIT
"""Outbound only, in real time: a relay's stream of server-sent events."""
import base64
import collections
import http.server
import json
import os
import threading
import time
import unittest

import harness
from harness import Hook, iso, replies, row, stays, wait_until

TOKEN = "the relay's token"


class Relay:
    """Keeps what it is given and sends it to whoever holds its stream open,
    from the last id on. `port` stays when it is killed and opened again."""

    def __init__(self, keeps=True):
        self.keeps = keeps    # what nobody listened to, until somebody does
        self.events = []      # (id, text)
        self.seen = []        # the last id that each connection went on from
        self.heads = []       # the fields of each request
        self.script = []      # answers in place of the stream
        self.hello = "retry: 100\nevent: ready\ndata: {}\n\n"
        self.lock = threading.Condition()
        self.epoch = 0        # connections of an earlier one have to end
        self.connected = 0
        self.port = 0
        self.server = None
        self.open()

    def open(self):
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                relay.heads.append(dict(self.headers))
                if relay.script:
                    relay.script.pop(0)(self, None)
                else:
                    relay.stream(self)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever,
                         kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/channel"

    def cut(self):
        """Ends every connection."""
        with self.lock:
            self.epoch += 1
            self.lock.notify_all()

    def close(self):
        self.cut()
        self.server.shutdown()
        self.server.server_close()

    def send(self, text):
        """Text of lines, without the blank one; with an id of its own."""
        with self.lock:
            self.events.append((str(len(self.events) + 1), text))
            self.lock.notify_all()

    def stream(self, handler):
        last = handler.headers.get("Last-Event-ID")
        with self.lock:
            epoch = self.epoch
            at = int(last or 0) if self.keeps else len(self.events)
            self.seen.append(last)
            self.connected += 1
        try:
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.wfile.write(self.hello.encode())
            while True:
                with self.lock:
                    while epoch == self.epoch and at >= len(self.events):
                        if not self.lock.wait(0.5):
                            handler.wfile.write(b": still here\n")
                    if epoch != self.epoch:
                        break
                    ident, text = self.events[at]
                handler.wfile.write(f"id: {ident}\n{text}\n\n".encode())
                at += 1
        except OSError:
            pass
        finally:
            handler.close_connection = True
            with self.lock:
                self.connected -= 1


def forward(hook, **more):
    """One webhook as the preset `relay` has it."""
    return "data: " + json.dumps({
        "method": "POST", "headers": hook.headers,
        "body_b64": base64.b64encode(hook.body).decode(), **more})


def github(secret, number, body=None):
    """GitHub's webhook as smee.io hands it on."""
    body = body or {"action": "opened", "issue": {
        "number": number, "updated_at": iso()}, "note": "ä ☂ </script>"}
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    return json.dumps({
        "host": "smee.io", "content-type": "application/json",
        "x-github-event": "issues", "x-github-delivery": f"guid-{number}",
        "x-hub-signature-256": "sha256=" + harness.sign(text, secret),
        "body": body, "query": {}, "timestamp": 1700000000000},
        separators=(",", ":"), ensure_ascii=False)


def listening_sockets(pid):
    """The addresses on which the process accepts TCP connections."""
    if os.getuid() != 0:
        raise unittest.SkipTest("an agent's descriptors are root's to see")
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    found.append(fields[1])
    return found


class Stream(harness.Case):
    def relay(self, **more):
        relay = Relay(**more)
        self.addCleanup(relay.close)
        return relay

    def shop(self, relay, provider=None, **more):
        """The pet store over the relay, without a listener."""
        entry = harness.pet_store(provider)
        entry["with"]["relay_token"] = TOKEN
        entry["stream"] = {
            "use": "relay", "url": relay.url,
            "auth": {"type": "bearer", "value": "{secret:relay_token}"},
            **more}
        return self.agent({"shop": entry}, listen=False)

    def figures(self, agent, name="shop"):
        reply = agent.admin(f"/api/v1/connectors/{name}")
        return json.loads(reply.body)["stream"]

    def stored_id(self, agent):
        rows = agent.query("SELECT state FROM walk WHERE tier=1001")
        return json.loads(rows[0][0])["id"] if rows else None

    def test_webhooks_come_over_a_stream_without_one_open_port(self):
        relay = self.relay()
        agent = self.shop(relay).start()
        for number in range(3):
            relay.send(forward(Hook(number, iso())))
        events = agent.wait_events(3)
        self.assertEqual([e["data"]["id"] for e in events], [0, 1, 2])
        self.assertEqual({e["via"] for e in events}, {"stream"})
        self.assertEqual(listening_sockets(agent.child.pid), [])
        self.assertEqual(relay.heads[0]["Accept"], "text/event-stream")
        self.assertEqual(relay.heads[0]["Authorization"], f"Bearer {TOKEN}")
        self.assertEqual(relay.seen, [None])
        agent.wait_metric(1, "stream_connected", connector="shop")
        self.assertIn("shop (petstore): stream\n",
                      agent.command("status").stdout.decode())
        agent.wait_metric(3, "events_total", connector="shop", via="stream")
        agent.wait_metric(3, "stream_requests_total", connector="shop",
                          outcome="accepted")
        wait_until(lambda: self.stored_id(agent) == "3", "the id is stored")
        figures = self.figures(agent)
        self.assertEqual(figures["state"], "connected")
        self.assertEqual(figures["last_id"], "3")
        agent.stop()

    def test_after_kill_it_goes_on_from_what_is_durable(self):
        relay = self.relay()
        agent = self.shop(relay).start()
        relay.send(forward(Hook(0, iso())))
        wait_until(lambda: self.stored_id(agent) == "1", "the first id")
        kills_made = 4
        for kills in range(kills_made):
            for number in range(50):
                relay.send(forward(Hook(100 * kills + 100 + number, iso())))
            agent.wait_events(1 + 50 * kills + 5)
            agent.kill()
            stored = self.stored_id(agent)
            # nothing is behind the id that is not in the store
            have = {r[0] for r in agent.query("SELECT ext_id FROM event")}
            self.assertGreaterEqual(len(have), int(stored))
            agent.start()
            wait_until(lambda: relay.seen[-1] == stored, "the relay is asked")
        wait_until(lambda: len({e["id"] for e in agent.events()}) == 201,
                   "every event is handed over")
        wait_until(lambda: self.stored_id(agent) == "201", "the last id")
        numbers = collections.Counter(e["id"] for e in agent.events())
        # handed over again is only what was on its way when it was killed
        self.assertLessEqual(max(numbers.values()), 1 + kills_made)

    def test_a_relay_that_dies_is_asked_again(self):
        relay = self.relay()
        agent = self.shop(relay).start()
        relay.send(forward(Hook(1, iso())))
        agent.wait_events(1)
        relay.close()
        agent.wait_metric(0, "stream_connected", connector="shop")
        wait_until(lambda: self.figures(agent)["error"], "it says why")
        relay.send(forward(Hook(2, iso())))
        relay.open()
        events = agent.wait_events(2)
        self.assertEqual([e["data"]["id"] for e in events], [1, 2])
        self.assertEqual(relay.seen, [None, "1"])
        self.assertGreaterEqual(
            agent.metric("stream_reconnects_total", connector="shop"), 1)

    def test_what_is_not_genuine_is_refused_and_passed_over(self):
        relay = self.relay()
        agent = self.shop(relay).start()
        relay.send(forward(Hook(1, iso(), secret="somebody's")))
        relay.send("data: this is no JSON")
        relay.send("data: {}")
        relay.send(forward(Hook(2, iso()), body_b64="%%%"))
        relay.send(forward(Hook(3, iso())))
        wait_until(lambda: self.stored_id(agent) == "5", "the id moves on")
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(1)], [3])
        for outcome, count in (("bad_signature", 1), ("malformed", 3),
                               ("accepted", 1)):
            agent.wait_metric(count, "stream_requests_total",
                              connector="shop", outcome=outcome)
        self.assertEqual(self.figures(agent)["refused"], 4)

        def kept():
            return json.loads(agent.admin("/api/v1/refusals").body)["items"]
        wait_until(lambda: len(kept()) == 4, "they are kept with their causes")
        self.assertCountEqual([(r["cause"], r["status"], r["peer"])
                               for r in kept()],
                              [("malformed", 0, None)] * 3 +
                              [("bad_signature", 0, None)])
        relay.send(forward(Hook(4, iso(), secret="somebody's")))
        wait_until(lambda: self.stored_id(agent) == "6",
                   "the id of one that is refused is stored alone")
        agent.kill()
        agent.start()
        wait_until(lambda: relay.seen[-1] == "6", "it is not asked for again")

    def test_github_over_smee_keeps_its_signature(self):
        relay = self.relay(keeps=False)
        agent = self.agent(
            {"gh": {"use": "github", "with": {"webhook_secret": "hush"},
                    "stream": {"use": "smee", "url": relay.url}}},
            listen=False)
        agent.start()
        agent.wait_metric(1, "stream_connected", connector="gh")
        relay.send("event: ping\ndata: {}")
        relay.send("data: " + github("hush", 7))
        relay.send("data: " + github("wrong", 8))
        event = agent.wait_events(1)[0]
        self.assertEqual((event["id"], event["type"], event["via"]),
                         ("guid-7", "issues.opened", "stream"))
        self.assertEqual(event["data"]["note"], "ä ☂ </script>")
        agent.wait_metric(1, "stream_requests_total", connector="gh",
                          outcome="bad_signature")
        self.assertEqual(agent.metric("stream_requests_total", connector="gh",
                                      outcome="malformed"), 0)

    def test_a_connection_that_is_half_open_is_cut_and_opened_anew(self):
        relay = self.relay()
        held = threading.Event()
        self.addCleanup(held.set)

        def hold(handler, _):
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.end_headers()
            handler.wfile.write(b"retry: 10\n: hello\n")
            held.wait(120)
            handler.close_connection = True

        relay.script.append(hold)
        agent = self.shop(relay, liveness="2s").start()
        agent.wait_metric(1, "stream_connected", connector="shop")
        relay.send(forward(Hook(1, iso())))
        agent.wait_events(1)
        self.assertIn("no byte came for 2s", agent.log())
        # comments alone keep the next one open
        reconnects = agent.metric("stream_reconnects_total", connector="shop")
        stays(lambda: agent.metric("stream_reconnects_total",
                                   connector="shop") == reconnects,
              "the heartbeat is heard", 3)

    def test_large_events_come_whole_and_larger_ones_are_passed_over(self):
        relay = self.relay()
        agent = self.shop(relay, max_event="2MiB").start()
        stamp = iso()
        filler = "x" * (1 << 20)
        body = json.dumps({"event": "order.created", "timestamp": stamp,
                           "data": {"order": {**row(1, stamp),
                                              "note": filler}}}).encode()
        relay.send(forward(Hook(1, stamp, body=body)))
        relay.send("data: " + "y" * (3 << 20))
        relay.send(forward(Hook(2, iso())))
        events = agent.wait_events(2)
        self.assertEqual([e["data"]["id"] for e in events], [1, 2])
        self.assertEqual(events[0]["data"]["note"], filler)
        agent.wait_metric(1, "stream_requests_total", connector="shop",
                          outcome="too_large")

    def test_what_a_relay_lost_the_list_brings(self):
        stamp = iso()
        relay = self.relay(keeps=False)
        provider = self.provider([row(1, stamp)])
        agent = self.shop(relay, provider).start()
        agent.wait_events(1)
        relay.send(forward(Hook(1, stamp)))
        agent.wait_metric(1, "confirmed_total", connector="shop")
        stamp = iso()
        relay.send(forward(Hook(2, stamp)))
        agent.wait_events(2)
        provider.rows.append(row(2, stamp))
        agent.wait_metric(2, "confirmed_total", connector="shop")
        self.assertEqual([e["via"] for e in agent.events()],
                         ["poll", "stream"])

    def test_a_relay_that_says_no_is_asked_seldom_or_never(self):
        for status, state, words in ((204, "over", "nothing to wait for"),
                                     (401, "waiting", "look at 'auth'"),
                                     (404, "waiting", "look at 'url'")):
            with self.subTest(status):
                relay = self.relay()
                relay.script = [replies(status)] * 9
                agent = self.shop(relay).start()
                wait_until(lambda: self.figures(agent)["state"] == state,
                           "it says so")
                self.assertIn(words, self.figures(agent)["error"])
                self.assertIn(words, agent.command("status").stdout.decode())
                stays(lambda: len(relay.heads) == 1, "not asked again", 1)
                agent.stop()

    def test_a_fact_of_a_hub_is_an_event_by_itself(self):
        relay = self.relay()
        relay.hello = "retry: 100\n"
        agent = self.agent(
            {"hub": {"use": "mercure", "with": {
                "url": relay.url, "topic": "https://a.example/books/{id}",
                "hub_token": "a.jwt"}}}, listen=False)
        self.assertIn("loss bound: none: what the stream does not bring",
                      agent.command("check").stdout.decode())
        agent.start()
        self.assertIn("no list is polled: what the stream does not bring",
                      agent.command("status").stdout.decode())
        relay.send('event: book.sold\ndata: {"n": 1,\ndata:  "m": 2}')
        relay.send("data: just words")
        events = agent.wait_events(2)
        self.assertEqual([(e["type"], e.get("data"), e["via"])
                          for e in events],
                         [("book.sold", {"n": 1, "m": 2}, "stream"),
                          ("message", None, "stream")])
        self.assertEqual([e["id"] for e in events], ["1", "2"])
        wait_until(lambda: self.stored_id(agent) == "2", "the id is stored")
        agent.kill()
        agent.start()
        wait_until(lambda: relay.seen[-1] == "2", "it goes on")


if __name__ == "__main__":
    harness.unittest.main()
