# SPDX-License-Identifier: MIT
"""Limits at the door: rates, addresses, connections, and peers that take
their time."""
import gzip
import json
import re
import socket
import time

import harness
import openapi
from harness import Hook, iso, wait_until

PEERS = 20  # s, for whatever a socket here waits for


class Door(harness.Case):
    def open_door(self, webhook=None, **listen):
        shop = harness.pet_store()
        if webhook:
            shop["webhook"] = webhook
        agent = self.agent({"shop": shop, "stall": harness.pet_store()})
        agent.config["listen"].update(listen)
        agent.write_config()
        return agent.start()

    def knock(self, agent, text=b""):
        sock = socket.create_connection(("127.0.0.1", agent.port), PEERS)
        self.addCleanup(sock.close)
        sock.sendall(text)
        return sock

    def send(self, agent, order, path="/hooks/shop", **fields):
        hook = Hook(order, iso())
        hook.headers.update({k.replace("_", "-"): v
                             for k, v in fields.items()})
        return hook.send(agent, path)

    def read_all(self, sock):
        seen = b""
        while True:
            try:
                got = sock.recv(65536)
            except ConnectionError:
                return seen
            if not got:
                return seen
            seen += got

    def limited(self, agent):
        return agent.metric("webhook_requests_total", connector="shop",
                            outcome="rate_limited")

    def test_over_its_rate_a_connector_says_when_to_come_again(self):
        agent = self.open_door(webhook={"rate": "2/1h"})
        got = [self.send(agent, order) for order in range(4)]
        self.assertEqual([a.status for a in got], [202, 202, 429, 429])
        self.assertGreater(int(got[3].headers["Retry-After"]), 60)
        self.assertEqual(self.limited(agent), 2)
        self.assertEqual(self.send(agent, 5, "/hooks/stall").status, 202)

    def test_over_its_rate_one_sender_waits_and_no_other(self):
        agent = self.open_door(rate_per_address="2/1h",
                               trusted_proxies=["127.0.0.0/8"])
        for sender, status in (
                ("192.0.2.1", 202), ("192.0.2.1", 202), ("192.0.2.1", 429),
                ("192.0.2.2", 202), ("192.0.2.2, 192.0.2.1", 429)):
            self.assertEqual(self.send(agent, sender, X_Forwarded_For=sender)
                             .status, status, sender)
        self.assertEqual(self.limited(agent), 2)

    def test_a_rate_that_is_none_is_refused_where_it_stands(self):
        agent = self.agent({"shop": harness.pet_store()})
        agent.config["listen"]["rate_per_address"] = "often"
        agent.write_config()
        done = agent.command("check")
        self.assertEqual(done.returncode, 78)
        self.assertIn(b'rate_per_address must be like "20/s"', done.stderr)

    def test_who_is_not_allowed_is_refused_and_cannot_claim_to_be_another(
            self):
        agent = self.open_door(webhook={"allow_from": ["192.0.2.0/24"]})
        self.assertEqual(self.send(agent, 1).status, 403)
        self.assertEqual(self.send(agent, 2, X_Forwarded_For="192.0.2.1")
                         .status, 403)
        proxied = self.open_door(webhook={"allow_from": ["192.0.2.0/24"]},
                                 trusted_proxies=["127.0.0.1/32"])
        for sender, status in (("192.0.2.1", 202), ("198.51.100.1", 403),
                               ("192.0.2.1, 198.51.100.1", 403),
                               ("198.51.100.1, 192.0.2.1", 202)):
            self.assertEqual(self.send(proxied, sender,
                                       X_Forwarded_For=sender).status,
                             status, sender)

    def test_two_thousand_that_say_nothing_keep_nobody_out(self):
        agent = self.open_door(connections_per_address=3000)
        idle = [self.knock(agent, b"POST /hooks" if at % 2 else b"")
                for at in range(2000)]
        began = time.monotonic()
        self.assertEqual([self.send(agent, order).status
                          for order in range(20)], [202] * 20)
        self.assertLess(time.monotonic() - began, 10)
        wait_until(lambda: idle[0].recv(1) == b"", "idle ones are let go")

    def test_over_the_limit_of_connections_it_is_503_until_one_goes(self):
        for limit in ({"connections": 2}, {"connections_per_address": 2}):
            with self.subTest(limit):
                agent = self.open_door(**limit)
                held = [self.knock(agent, b"GET /") for _ in range(2)]
                over = self.read_all(self.knock(agent))
                self.assertIn(b"HTTP/1.1 503 ", over)
                self.assertIn(b"Retry-After: ", over)
                held.pop().close()
                wait_until(lambda: self.is_in(agent), "there is room again")

    def is_in(self, agent):
        try:
            return self.send(agent, 1).status == 202
        except OSError:
            return False

    def test_who_sends_a_byte_at_a_time_is_cut_at_the_deadline(self):
        agent = self.open_door(head_timeout="1s", body_timeout="1s")
        head = b"POST /hooks/shop HTTP/1.1\r\nHost: h\r\n"
        for text in (head, head + b"Content-Length: 500\r\n\r\n"):
            sock = self.knock(agent, text)
            began = time.monotonic()
            seen = b""
            sock.settimeout(0.1)
            while time.monotonic() - began < PEERS and not seen:
                try:
                    sock.sendall(b"x")
                    seen = sock.recv(65536)
                except socket.timeout:
                    pass
            self.assertIn(b"HTTP/1.1 408 ", seen)
            self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(self.send(agent, 1).status, 202)

    def test_who_takes_no_answer_is_cut(self):
        agent = self.open_door(write_timeout="1s")
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.addCleanup(sock.close)
        sock.settimeout(PEERS)
        sock.connect(("127.0.0.1", agent.port))
        sock.settimeout(0.1)
        ask = b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n" * 500

        at = 0

        def is_cut():
            nonlocal at
            try:
                at = (at + sock.send(ask[at:])) % len(ask)
            except socket.timeout:
                pass  # nobody reads any more, and it is still open
            except ConnectionError:
                return True
            return False

        wait_until(is_cut, "it is cut", 60)
        self.assertEqual(self.send(agent, 1).status, 202)

    def test_who_has_nothing_more_to_say_is_let_go(self):
        agent = self.open_door(idle_timeout="1s")
        hook = Hook(1, iso())
        fields = "".join(f"{k}: {v}\r\n" for k, v in hook.headers.items())
        sock = self.knock(agent, f"POST /hooks/shop HTTP/1.1\r\nHost: h\r\n"
                          f"{fields}Content-Length: {len(hook.body)}\r\n\r\n"
                          .encode() + hook.body)
        self.assertIn(b"HTTP/1.1 202 ", sock.recv(65536))
        began = time.monotonic()
        self.assertEqual(self.read_all(sock), b"")
        self.assertLess(time.monotonic() - began, 10)

    def test_nothing_of_the_admin_listener_answers_here(self):
        agent = self.open_door()
        paths = [path.replace("{", "").replace("}", "")
                 for path in openapi.load()["paths"]]
        self.assertGreater(len(paths), 20)
        paths += ["/", "/dashboard", "/hooks/shop/../metrics", "//metrics",
                  "/hooks/../livez", "/metrics/"]
        for method in ("GET", "DELETE"):
            sock = self.knock(agent, "".join(
                f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                for path in paths).encode() +
                b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            seen = self.read_all(sock)
            self.assertEqual(re.findall(rb"HTTP/1.1 (\d+) ", seen),
                             [b"404"] * (len(paths) + 1))
            self.assertNotIn(b"longstop_", seen)

    def test_a_body_that_unpacks_without_measure_is_refused(self):
        agent = self.open_door()
        hook = Hook(1, iso())
        hook.body = gzip.compress(b" " * 1000000 + json.dumps({}).encode())
        hook.headers["Content-Encoding"] = "gzip"
        hook.headers["X-Webhook-Signature"] = harness.sign(hook.body)
        self.assertIn(hook.send(agent).status, (400, 413))
        self.assertEqual(self.send(agent, 2).status, 202)

    def test_unknown_paths_are_refused_before_their_bodies(self):
        agent = self.open_door()
        for path in ("/", "/hooks/", "/hooks/other", "/.env", "/admin"):
            sock = self.knock(agent, f"POST {path} HTTP/1.1\r\nHost: h\r\n"
                              "Content-Length: 1000000\r\n\r\n".encode())
            self.assertIn(b"HTTP/1.1 404 ", self.read_all(sock))
        self.assertEqual(agent.query("SELECT count(*) FROM refusal"), [(0,)])
