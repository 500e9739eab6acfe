# SPDX-License-Identifier: MIT
"""What happens, as it happens: the stream of the admin listener and the command
`tail`. Each over the real program."""
import json
import queue
import re
import signal
import socket
import subprocess
import threading
import time

import harness
import openapi
from harness import Hook, iso, row, wait_until


SPEC = openapi.Spec()
SCHEMAS = {"events": "LiveEvent", "deliveries": "LiveDelivery",
           "walks": "LiveWalk", "refusals": "LiveRefusal", "gaps": "LiveGap",
           "stats": "LiveStats"}


class Stream:
    """A reader of /api/v1/stream, as a browser is one. Each event is held to
    what schema/openapi.yaml says of it."""

    def __init__(self, case, agent, query="", last=None, **fields):
        self.link = harness.UnixConnection(agent.socket)
        case.addCleanup(self.close)
        if last is not None:
            fields["Last-Event-ID"] = last
        self.link.request("GET", "/api/v1/stream" + query, headers=fields)
        self.sock = self.link.sock
        self.sock.settimeout(None)
        self.reply = self.link.getresponse()
        self.status = self.reply.status
        self.last = None
        self.blocks = queue.Queue()
        self.ended = threading.Event()
        if self.status == 200:
            threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        block = {}
        try:
            for line in self.reply:
                line = line.decode().rstrip("\n")
                if line:
                    name, _, value = line.partition(": ")
                    block[name] = value
                    continue
                self.blocks.put(block)
                block = {}
        except (OSError, ValueError, AttributeError):
            pass
        self.ended.set()

    def next(self, seconds=harness.PATIENCE):
        """The next event, or nothing but an id, as (type, data)."""
        try:
            block = self.blocks.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError("no event came") from None
        self.last = block.get("id", self.last)
        kind = block.get("event")
        data = json.loads(block["data"]) if "data" in block else None
        if kind in SCHEMAS:
            schema = {"$ref": "#/components/schemas/" + SCHEMAS[kind]}
            mistakes = SPEC.mistakes(data, schema)
            assert mistakes == [], (kind, data, mistakes)
        return kind, data

    def begun(self):
        kind, data = self.next()
        assert (kind, data) == (None, None), (kind, data)
        return self

    def take(self, count):
        return [self.next() for _ in range(count)]

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.link.close()


class Live(harness.Case):
    def send(self, agent, order, **more):
        self.assertEqual(Hook(order, iso(), **more).send(agent).status, 202)

    def stream(self, agent, query="", **more):
        stream = Stream(self, agent, query, **more)
        self.assertEqual(stream.status, 200)
        return stream.begun()

    def many(self, handlers=None, **sections):
        """An agent whose requests bring many events each."""
        agent = self.agent({}, handlers, **sections)
        with open(agent.path("own.yaml"), "w", encoding="utf-8") as file:
            json.dump({"verify": {"type": "token", "signature":
                                  {"from": "header:X-Sig"}},
                       "event": {"split": "$[*]", "id": "item:id",
                                 "type": "item:kind", "max_batch": 1000}},
                      file)
        agent.config["connectors"]["own"] = {
            "use": "./own.yaml", "with": {"webhook_secret": "s3cret-token"}}
        agent.write_config()
        return agent.start()

    def batch(self, agent, events):
        got = harness.post(agent.port, "/hooks/own",
                           json.dumps(events).encode(),
                           {"X-Sig": "s3cret-token",
                            "Content-Type": "application/json"}, timeout=60)
        self.assertEqual(got.status, 202)

    # ---- what is shown ----

    def test_events_and_deliveries_are_shown_with_their_outcomes(self):
        fail = "read -r line; echo no; exit 65"
        agent = self.pet_shop(handlers={
            "log": {"file": "events.jsonl"},
            "picky": {"exec": ["/bin/sh", "-c", fail]}})
        stream = self.stream(agent, "?topics=events,deliveries")
        self.assertEqual(stream.reply.headers["Content-Type"],
                         "text/event-stream")
        self.send(agent, 1)
        kind, event = stream.next()
        self.assertEqual((kind, event["connector"], event["type"],
                          event["via"]),
                         ("events", "shop", "order.created", "webhook"))
        ended = {data["handler"]: data for kind, data in stream.take(2)
                 if kind == "deliveries"}
        self.assertEqual((ended["log"]["outcome"], ended["log"]["event"],
                          ended["log"]["attempt"], ended["log"]["due"]),
                         ("done", event["number"], 1, None))
        self.assertEqual((ended["picky"]["outcome"],
                          ended["picky"]["detail"]), ("dead", "exit 65"))

    def test_each_topic_shows_what_it_names(self):
        provider = self.provider([row(1, iso())])
        agent = self.pet_shop(provider)
        agent.wait_events(1)
        walks = self.stream(agent, "?topics=walks")
        kind, walk = walks.next()
        self.assertEqual((kind, walk["connector"], walk["outcome"],
                          walk["known"]), ("walks", "shop", "ok", 1))
        refusals = self.stream(agent, "?topics=refusals")
        Hook(1, iso(), secret="another").send(agent)
        kind, refusal = refusals.next()
        self.assertEqual((kind, refusal["cause"], refusal["status"]),
                         ("refusals", "bad_signature", 401))
        stats = self.stream(agent, "?topics=stats")
        for _ in range(2):
            kind, figures = stats.next()
            self.assertEqual((kind, figures["store"]), ("stats", "ok"))
        self.assertGreater(figures["commits"], 0)
        log, = figures["handlers"]
        self.assertEqual((log["name"], log["breaker"], log["per_minute"]),
                         ("log", "closed", 1))
        self.assertEqual(Stream(self, agent, "?topics=whims").status, 400)

    def test_a_reader_sees_only_what_it_asks_for(self):
        agent = self.many({"log": {"file": "events.jsonl"},
                           "picky": {"file": "picky.jsonl",
                                     "types": ["nothing"]}})
        agent.stop()
        agent.config["connectors"]["shop"] = harness.pet_store()
        agent.write_config()
        agent.start()
        typed = self.stream(agent, "?topics=events&type=order.*")
        other = self.stream(agent, "?topics=deliveries&handler=picky")
        named = self.stream(agent, "?connector=shop&topics=events")
        all_ = self.stream(agent, "?topics=deliveries&handler=log")
        self.batch(agent, [{"id": "1", "kind": "order.paid"},
                           {"id": "2", "kind": "refund"},
                           {"id": "3", "kind": "order.sent"}])
        self.assertEqual([d["id"] for _, d in typed.take(2)], ["1", "3"])
        self.assertEqual({d["id"] for _, d in all_.take(3)}, {"1", "2", "3"})
        self.assertTrue(other.blocks.empty())
        self.assertTrue(named.blocks.empty())
        for query in ("?connector=shpo", "?handler=lgo"):
            self.assertEqual(Stream(self, agent, query).status, 400)
        got = agent.command("tail", "--handler", "lgo")
        self.assertEqual(got.returncode, 2)
        self.assertIn(b"name of a configured handler", got.stderr)

    # ---- coming back ----

    def test_a_reader_that_comes_back_misses_nothing_and_sees_nothing_twice(
            self):
        agent = self.many()
        stream = self.stream(agent, "?topics=events")
        self.batch(agent, [{"id": "1", "kind": "a"}, {"id": "2", "kind": "a"}])
        self.assertEqual([d["id"] for _, d in stream.take(2)], ["1", "2"])
        stream.close()
        self.batch(agent, [{"id": "3", "kind": "a"}, {"id": "4", "kind": "a"}])
        again = self.stream(agent, "?topics=events", last=stream.last)
        self.batch(agent, [{"id": "5", "kind": "a"}])
        self.assertEqual([(k, d["id"]) for k, d in again.take(3)],
                         [("events", "3"), ("events", "4"), ("events", "5")])
        self.assertTrue(again.blocks.empty())
        # in the midst of a batch too
        middle = self.stream(agent, "?topics=events", last=again.last)
        self.assertTrue(middle.blocks.empty())

    def test_what_was_lost_in_between_is_said(self):
        agent = self.many()
        stream = self.stream(agent, "?topics=events")
        self.batch(agent, [{"id": "1", "kind": "a"}])
        stream.next()
        agent.stop()
        self.assertTrue(stream.ended.wait(harness.PATIENCE))
        agent.start()
        for count, last in enumerate((stream.last, "1", "x",
                                      "18446744073709551614")):
            again = self.stream(agent, "?topics=events", last=last)
            self.assertEqual(again.next(), ("lost", {}))
            # what is still there follows, and it is said once only
            self.assertEqual(len(again.take(count)), count)
            more = self.stream(agent, "?topics=events", last=again.last)
            self.batch(agent, [{"id": "n" + last, "kind": "a"}])
            self.assertEqual(more.next()[1]["id"], "n" + last)

    def test_a_silent_stream_beats_and_its_number_moves_on(self):
        agent = self.many()
        stream = self.stream(agent, "?topics=walks")
        first = stream.last
        self.batch(agent, [{"id": "1", "kind": "a"}])
        self.assertEqual(stream.next(seconds=40), (None, None))
        self.assertGreater(int(stream.last), int(first))

    # ---- bounds ----

    def test_who_takes_too_little_is_cut_off_and_hinders_nobody(self):
        agent = self.many(handlers={})
        sock = socket.socket(socket.AF_UNIX)
        self.addCleanup(sock.close)
        sock.settimeout(harness.PATIENCE)
        sock.connect(agent.socket)
        sock.sendall(b"GET /api/v1/stream?topics=events HTTP/1.1\r\n"
                     b"Host: localhost\r\n\r\n")
        head = sock.recv(64)
        self.assertIn(b" 200 ", head)
        quick = self.stream(agent, "?topics=events")
        count = 0
        while "is cut off" not in agent.log():
            self.assertLess(count, 100)
            self.batch(agent, [{"id": f"{count}-{n}", "kind": "t" * 200}
                               for n in range(500)])
            count += 1
        got = [d["id"] for _, d in quick.take(500 * count)]
        self.assertEqual(got, [f"{c}-{n}" for c in range(count)
                               for n in range(500)])
        # the slow one reads what was on its way, and then the end
        size = 0
        while True:
            piece = sock.recv(1 << 20)
            if not piece:
                break
            size += len(piece)
        self.assertLess(size, 500 * count * 300)

    def test_only_so_many_may_read_along(self):
        agent = self.many(admin={"address": "unix:admin.sock", "streams": 2})
        first, second = self.stream(agent), self.stream(agent)
        self.assertEqual(Stream(self, agent).status, 503)
        got = agent.command("tail")
        self.assertEqual(got.returncode, 75)
        self.assertIn(b"admin.streams", got.stderr)
        first.close()
        wait_until(lambda: Stream(self, agent).status == 200,
                   "its place is free again")
        self.assertFalse(second.ended.is_set())

    def test_a_foreign_page_takes_no_place(self):
        agent = self.many()
        for fields in ({"Origin": "http://evil.example"},
                       {"Sec-Fetch-Site": "cross-site"}):
            self.assertEqual(Stream(self, agent, **fields).status, 403)
        got = agent.admin("/api/v1/stream", "HEAD")
        self.assertEqual(got.status, 200)


class Tail(harness.Case):
    def tail(self, agent, *words):
        child = subprocess.Popen(
            [harness.LONGSTOP, "tail", "-c", agent.config_path, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            cwd=agent.dir, env=harness.environment())
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        lines, words = queue.Queue(), queue.Queue()
        for pipe, into in ((child.stdout, lines), (child.stderr, words)):
            threading.Thread(target=self.pump, args=(pipe, into),
                             daemon=True).start()
        child.lines, child.words = lines, words
        return child

    @staticmethod
    def pump(pipe, into):
        try:
            for line in pipe:
                into.put(line)
        except ValueError:
            pass

    def shown(self, agent, child, order, pattern=rb""):
        """Sends webhooks until a line of one is shown: it may not listen yet,
        or begin to in the midst of one."""
        deadline = time.monotonic() + harness.PATIENCE
        while time.monotonic() < deadline:
            Hook(order, iso()).send(agent)
            try:
                while True:
                    line = child.lines.get(timeout=0.3)
                    if re.match(pattern, line):
                        return line
            except queue.Empty:
                continue
        raise AssertionError("nothing is shown")

    def test_tail_shows_events_and_deliveries_and_ends_with_0(self):
        agent = self.pet_shop()
        child = self.tail(agent)
        self.shown(agent, child, 7, rb"^\d\d:\d\d:\d\d  event     shop "
                                    rb"order\.created \S+ by webhook\n$")
        self.shown(agent, child, 7, rb"^\d\d:\d\d:\d\d  done      shop "
                                    rb"order\.created \S+ to log, attempt 1, "
                                    rb"\d+ ms(: \S+)?\n$")
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(20), 0)

    def test_tail_json_is_an_object_a_line(self):
        agent = self.pet_shop()
        child = self.tail(agent, "--json", "--handler", "log")
        told = json.loads(self.shown(agent, child, 8))
        self.assertEqual((told["topic"], told["outcome"], told["handler"]),
                         ("deliveries", "done", "log"))
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(20), 0)

    def test_tail_goes_on_when_the_agent_is_started_anew(self):
        agent = self.pet_shop()
        child = self.tail(agent, "--json")
        self.shown(agent, child, 9)
        agent.stop()
        self.assertIn(b"the agent is gone", child.words.get(timeout=20))
        agent.start()
        self.assertIn(b"answers again", child.words.get(timeout=20))
        while not child.lines.empty():
            child.lines.get()
        self.shown(agent, child, 10)
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(20), 0)

    def test_what_an_event_is_called_does_nothing_to_a_terminal(self):
        agent = self.agent({})
        with open(agent.path("own.yaml"), "w", encoding="utf-8") as file:
            json.dump({"verify": {"type": "token", "signature":
                                  {"from": "header:X-Sig"}},
                       "event": {"id": "json:id", "type": "json:kind"}}, file)
        agent.config["connectors"]["own"] = {
            "use": "./own.yaml", "with": {"webhook_secret": "s3cret-token"}}
        agent.write_config()
        agent.start()
        for words in ((), ("--json",)):
            child = self.tail(agent, *words)
            line = b""
            for n in range(60):
                body = {"id": f"{len(words)}-{n}",
                        "kind": "\x1b]0;owned\x07\x1b[31m\u009b2J\nevent: x"}
                harness.post(agent.port, "/hooks/own",
                             json.dumps(body).encode(),
                             {"X-Sig": "s3cret-token",
                              "Content-Type": "application/json"})
                try:
                    line = child.lines.get(timeout=0.3)
                    break
                except queue.Empty:
                    continue
            self.assertIn(b"owned", line)
            self.assertNotRegex(line[:-1], rb"[\x00-\x1f\x7f]")
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(20), 0)

    def test_without_an_agent_it_is_69(self):
        agent = self.agent({"shop": harness.pet_store()})
        got = agent.command("tail")
        self.assertEqual(got.returncode, 69)
        self.assertIn(b"longstop run", got.stderr)
