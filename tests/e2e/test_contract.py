# SPDX-License-Identifier: MIT
"""The contract's words, one by one, where no other file holds them."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

import harness
from harness import Hook, iso, row, stays, wait_until


def request(hook, extra=(), drop=(), path="/hooks/shop", version="HTTP/1.1"):
    """A webhook as the bytes of a request."""
    fields = dict({"Host": "localhost"}, **hook.headers)
    fields["Content-Length"] = str(len(hook.body))
    fields.update(extra)
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items()
                   if name not in drop)
    return f"POST {path} {version}\r\n{head}\r\n".encode() + hook.body


class Http(harness.Case):
    def exchange(self, agent, bytes_, ends, seconds=5):
        """What comes back until the text ends so, or the connection does."""
        with socket.create_connection(("127.0.0.1", agent.port)) as sock:
            sock.settimeout(seconds)
            sock.sendall(bytes_)
            got = b""
            while not got.endswith(ends):
                more = sock.recv(65536)
                if not more:
                    return got + b"(end)"
                got += more
            return got

    def test_a_post_without_a_length_is_411_and_the_end(self):
        agent = self.pet_shop()
        for method in ("POST", "PUT"):
            bytes_ = f"{method} /hooks/shop HTTP/1.1\r\nHost: h\r\n\r\n"
            got = self.exchange(agent, bytes_.encode() + b"GET / HTTP/1.1",
                                b"(never)")
            self.assertTrue(got.startswith(b"HTTP/1.1 411 "), got)
            self.assertEqual(got.count(b"HTTP/1.1"), 1)
            self.assertTrue(got.endswith(b"(end)"))
        self.assertEqual(Hook(1, iso()).send(agent).status, 202)


class FullDisk(harness.Case):
    def setUp(self):
        self.disk = tempfile.mkdtemp(prefix="longstop-disk-")
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", self.disk],
            stderr=subprocess.DEVNULL, check=False).returncode == 0
        self.addCleanup(self.take_away, mounted)
        if not mounted:
            self.skipTest("no small file system can be mounted here")

    def take_away(self, mounted):
        if mounted:
            subprocess.run(["umount", "-l", self.disk], check=True)
        shutil.rmtree(self.disk)

    def fill(self):
        with open(os.path.join(self.disk, "fill"), "wb", 0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass

    def test_walks_wait_while_the_disk_is_full_and_go_on_when_it_is_not(self):
        provider = self.provider([row(1, iso())])
        agent = self.pet_shop(provider, handlers={},
                              store=f"sqlite:{self.disk}/longstop.db")
        wait_until(lambda: agent.metric("events_total", connector="shop",
                                        via="poll") == 1, "the first row")
        self.fill()
        got = Hook(2, iso()).send(agent)
        self.assertEqual((got.status, got.headers["Retry-After"]), (503, "5"))
        wait_until(lambda: agent.health() == 503, "the store is red")
        asked = len(provider.asked)
        stays(lambda: len(provider.asked) <= asked + 1, "walks wait", 3)
        self.assertEqual(agent.metric("poll_runs_total", connector="shop",
                                      outcome="failed"), 0)
        self.assertEqual(agent.log().count("the store cannot be written"), 1)
        provider.rows.append(row(3, iso()))
        os.truncate(os.path.join(self.disk, "fill"), 0)
        wait_until(lambda: agent.metric("events_total", connector="shop",
                                        via="poll") == 2, "the next row")
        self.assertEqual(agent.health(), 200)
        self.assertEqual(Hook(4, iso()).send(agent).status, 202)


class Limits(harness.Case):
    def waited(self, *first):
        """How long the agent waited after each of these answers."""
        provider = self.provider([row(1, iso())])
        provider.script += first
        agent = self.pet_shop(provider, hooks=False)
        agent.wait_events(1)
        wait_until(lambda: len(provider.asked) > len(first), "one more")
        at = [asked.at for asked in provider.asked]
        self.assertEqual(agent.stop()[0], 0)
        return [after - before for before, after in zip(at, at[1:])]

    def test_limit_fields_that_no_connector_names_are_obeyed(self):
        rows = json.dumps({"orders": [row(1, iso())]}).encode()

        def exhausted(handler, asked):
            harness.answer(handler, 200, rows, {
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(int(time.time()) + 3)})
        self.assertGreaterEqual(self.waited(exhausted)[0], 2)

    def test_too_many_without_a_time_is_asked_less_and_less(self):
        first, second = self.waited(harness.replies(429, b"{}"),
                                    harness.replies(429, b"{}"))[:2]
        self.assertGreaterEqual(first, 0.9)
        self.assertGreaterEqual(second, 1.9)


class Identity(harness.Case):
    def test_a_webhook_from_before_the_floor_is_one_event_and_counted(self):
        agent = self.pet_shop()
        hook = Hook(1, "1999-01-01T00:00:00Z")
        for again in range(3):
            self.assertEqual(hook.send(agent).status, 202)
        self.assertEqual(agent.metric("beyond_horizon_total",
                                      connector="shop"), 3)
        self.assertEqual(agent.stop()[0], 0)
        agent.start()
        self.assertEqual(hook.send(agent).status, 202)
        Hook(2, iso()).send(agent)
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(2)],
                         [1, 2])

    def test_an_id_that_is_sent_empty_is_no_id(self):
        agent = self.pet_shop()
        for order in (1, 2):
            hook = Hook(order, iso())
            hook.headers["X-Webhook-Delivery"] = ""
            for again in range(2):
                self.assertEqual(hook.send(agent).status, 202)
        events = agent.wait_events(2)
        self.assertEqual([e["data"]["id"] for e in events], [1, 2])
        self.assertEqual([len(e["id"]) for e in events], [64, 64])


class Files(harness.Case):
    def test_two_handlers_on_one_file_are_refused_by_link_too(self):
        agent = self.agent({"shop": harness.pet_store()})
        with open(agent.path("a.jsonl"), "wb"):
            pass
        os.symlink("a.jsonl", agent.path("soft.jsonl"))
        os.link(agent.path("a.jsonl"), agent.path("hard.jsonl"))
        for other, code in (("soft.jsonl", 78), ("hard.jsonl", 78),
                            ("./a.jsonl", 78), ("b.jsonl", 0)):
            agent.config["handlers"] = {"one": {"file": "a.jsonl"},
                                        "two": {"file": other}}
            agent.write_config()
            self.assertEqual(agent.command("check").returncode, code, other)
