# SPDX-License-Identifier: MIT
"""Handlers that are talked to by lines: workers and unix sockets."""
import json
import os
import signal
import socket
import threading

import harness
from harness import Hook, iso, wait_until

QUICK = {"first": "50ms", "cap": "100ms"}
PYTHON = "#!/usr/bin/python3\nimport json, os, select, sys, time\n"
ANSWER = """
def answer(event, **more):
    print(json.dumps({"id": event["id"], **(more or {"ok": True})}), flush=True)
"""
ECHO = """
for line in sys.stdin:
    event = json.loads(line)
    print(event["data"]["id"], file=log, flush=True)
    answer(event)
"""


class Lines(harness.Case):
    def outcome(self, agent, kind):
        return agent.metric("deliveries_total", handler="fulfil", outcome=kind)

    def wait_done(self, agent, count, retries=None):
        wait_until(lambda: self.outcome(agent, "done") == count,
                   f"{count} are done, not {self.outcome(agent, 'done')}")
        if retries is not None:
            self.assertEqual(self.outcome(agent, "retry"), retries)

    def details(self, agent):
        return [d for (d,) in agent.query(
            "SELECT detail FROM attempt WHERE detail <> 'ok'")]

    def logged(self, agent):
        if not os.path.exists(agent.path("log.txt")):
            return []
        with open(agent.path("log.txt"), encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]


class Worker(Lines):
    def agent_with(self, text, connectors=("shop",), **more):
        """An agent whose worker is a Python program of these lines, in which
        `log` is a file beside it."""
        agent = self.agent({name: harness.pet_store() for name in connectors})
        program = agent.path("worker.py")
        with open(program, "w", encoding="utf-8") as file:
            file.write(PYTHON + ANSWER +
                       f"log = open({agent.path('log.txt')!r}, 'a')\n" + text)
        os.chmod(program, 0o755)
        agent.config["handlers"] = {"fulfil": dict(
            {"exec": [program], "worker": True, "retry": QUICK}, **more)}
        agent.write_config()
        return agent.start()

    def test_a_worker_stays_and_gets_each_event_once(self):
        agent = self.agent_with("print(-os.getpid(), file=log, flush=True)\n" +
                                ECHO, concurrency=1)
        for i in range(30):
            Hook(i + 100, iso()).send(agent)
        self.wait_done(agent, 30, 0)
        seen = self.logged(agent)
        self.assertEqual(sorted(seen[1:]), [i + 100 for i in range(30)])

    def test_a_worker_is_given_as_many_lines_ahead_as_configured(self):
        agent = self.agent_with(
            "lines = [json.loads(sys.stdin.readline()) for _ in range(8)]\n"
            "for event in reversed(lines): answer(event)\n" + ECHO,
            concurrency=8, ahead=8)
        for i in range(8):
            Hook(i, iso()).send(agent)
        self.wait_done(agent, 8, 0)

    def test_no_worker_is_given_two_events_with_one_id_at_a_time(self):
        agent = self.agent_with(
            "def next(): return json.loads(os.read(0, 100000))\n"
            "event = next()\n"
            "more, _, _ = select.select([0], [], [], 0.5)\n"
            "print(len(more), file=log, flush=True)\n"
            "answer(event)\nanswer(next())\ntime.sleep(60)\n",
            connectors=("shop", "other"), concurrency=2, ahead=2)
        for path in ("/hooks/shop", "/hooks/other"):
            Hook(1, iso(), delivery="same").send(agent, path)
        self.wait_done(agent, 2, 0)
        self.assertEqual(self.logged(agent), [0])

    def test_an_answer_says_later_or_never_and_its_words_are_kept(self):
        agent = self.agent_with("""
for line in sys.stdin:
    event = json.loads(line)
    order = event["data"]["id"]
    print("about", order, file=sys.stderr, flush=True)
    if order == 1 and event["attempt"] == 1:
        answer(event, ok=False, error="no stock")
    elif order == 2:
        answer(event, ok=False, retry=False, error="not ours")
    else:
        answer(event)
""", concurrency=1)
        for order in (1, 2, 3):
            Hook(order, iso()).send(agent)
        wait_until(lambda: [self.outcome(agent, kind) for kind in
                            ("done", "retry", "dead")] == [2, 1, 1],
                   "one later, one dead, two done")
        self.assertEqual(sorted(agent.query(
            "SELECT detail, output FROM attempt")),
            [("no stock", b"about 1\n"), ("not ours", b"about 2\n"),
             ("ok", b"about 1\n"), ("ok", b"about 3\n")])

    def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(self):
        agent = self.agent_with("print(-os.getpid(), file=log, flush=True)\n" +
                                ECHO, concurrency=1)
        for i in range(100):
            Hook(1000 + i, iso()).send(agent)
            if i % 25 == 20:
                wait_until(lambda: any(-pid in self.logged(agent) for pid in
                                       children(agent)), "a worker at work")
                for pid in children(agent):
                    os.kill(pid, signal.SIGKILL)
        self.wait_done(agent, 100)
        orders = [n for n in self.logged(agent) if n >= 0]
        self.assertGreater(len(self.logged(agent)) - len(orders), 1)
        self.assertEqual(set(orders), set(range(1000, 1100)))
        # What it was at when it died comes again: once for each kill at most.
        self.assertLessEqual(len(orders) - 100, 4)

    def test_a_worker_that_hangs_is_killed_and_its_delivery_is_tried_again(
            self):
        agent = self.agent_with("""
signal = __import__("signal")
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in sys.stdin:
    event = json.loads(line)
    if event["attempt"] == 1:
        time.sleep(900)
    answer(event)
""", concurrency=1, timeout="500ms")
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1, 1)
        self.assertEqual(self.details(agent), ["timed out after 500ms"])

    def test_a_worker_that_prints_a_gigabyte_without_a_newline_is_ended(self):
        agent = self.agent_with("""
for line in sys.stdin:
    event = json.loads(line)
    if event["attempt"] == 1:
        for _ in range(1024):
            os.write(1, b"x" * 1048576)
    answer(event)
""", concurrency=1)
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1, 1)
        self.assertIn("longer than 64 KiB", self.details(agent)[0])
        self.assertLess(resident_mib(agent.child.pid), 600)

    def test_a_worker_that_never_reads_costs_the_others_nothing(self):
        agent = self.agent_with("time.sleep(900)\n", timeout="1s",
                                concurrency=2)
        agent.stop()
        agent.config["handlers"]["other"] = {"file": agent.path("o.jsonl")}
        agent.write_config()
        agent.start()
        for i in range(3):
            body = json.dumps({"event": "big", "timestamp": iso(), "data": {
                "id": i, "x": "y" * 300000}}).encode()
            self.assertEqual(Hook(i, "", body=body).send(agent).status, 202)
        agent.wait_events(3, "o.jsonl")
        wait_until(lambda: "timed out after 1s" in self.details(agent),
                   "it is late")
        wait_until(lambda: children(agent), "the next worker")
        left = children(agent)
        agent.stop()
        self.assertEqual([pid for pid in left if is_running(pid)], [])

    def test_a_worker_is_replaced_on_sighup_and_nothing_is_lost(self):
        agent = self.agent_with("print(-os.getpid(), file=log, flush=True)\n" +
                                ECHO, concurrency=1)
        for i in range(60):
            Hook(i + 1000, iso()).send(agent)
            if i % 20 == 10:
                agent.child.send_signal(signal.SIGHUP)
        self.wait_done(agent, 60, 0)
        seen = self.logged(agent)
        self.assertEqual(sorted(n for n in seen if n >= 0),
                         list(range(1000, 1060)))
        self.assertGreaterEqual(len(seen) - 60, 2)

    def test_a_worker_sees_the_end_of_its_input_when_the_agent_stops(self):
        agent = self.agent_with(ECHO + "print(-1, file=log, flush=True)\n",
                                concurrency=1)
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1)
        agent.stop()
        self.assertEqual(self.logged(agent), [1, -1])
        self.assertNotIn("still running", agent.log())

    def test_a_worker_that_does_not_end_does_not_hold_the_agent(self):
        agent = self.agent_with(
            ECHO + "__import__('signal').signal(15, 1)\ntime.sleep(900)\n",
            concurrency=1)
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1)
        agent.stop()


class Server(threading.Thread):
    """A server on a unix socket that answers lines as `reply` says."""

    def __init__(self, path, reply):
        super().__init__(daemon=True)
        self.path, self.reply = path, reply
        self.connections, self.got = [], []
        self.listen()
        self.start()

    def listen(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(16)

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,),
                             daemon=True).start()

    def serve(self, connection):
        try:
            for line in connection.makefile("rb"):
                event = json.loads(line)
                self.got.append(event["data"]["id"])
                answer = self.reply(event, connection)
                if answer is not None:
                    connection.sendall(answer)
        except OSError:
            pass

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()
        if os.path.exists(self.path):
            os.unlink(self.path)


def ok(event, _=None):
    return json.dumps({"id": event["id"], "ok": True}).encode() + b"\n"


class Unix(Lines):
    def agent_with(self, **more):
        agent = self.agent({"shop": harness.pet_store()})
        agent.config["handlers"] = {"fulfil": dict(
            {"unix": "in.sock", "retry": QUICK}, **more)}
        agent.write_config()
        return agent.start()

    def serve(self, agent, reply=ok):
        server = Server(agent.path("in.sock"), reply)
        self.addCleanup(server.close)
        return server

    def test_a_unix_handler_keeps_its_connection(self):
        agent = self.agent_with(concurrency=1)
        server = self.serve(agent)
        for i in range(30):
            Hook(i, iso()).send(agent)
        self.wait_done(agent, 30, 0)
        self.assertEqual(len(server.connections), 1)
        self.assertEqual(sorted(server.got), list(range(30)))

    def test_a_unix_server_that_is_not_there_is_awaited(self):
        agent = self.agent_with()
        Hook(1, iso()).send(agent)
        wait_until(lambda: self.outcome(agent, "retry") > 0, "a try")
        self.assertIn("is the server running", self.details(agent)[0])
        self.serve(agent)
        self.wait_done(agent, 1)

    def test_a_unix_server_that_dies_and_returns_loses_nothing(self):
        agent = self.agent_with(concurrency=2, ahead=1)
        server = self.serve(agent)
        for i in range(40):
            if i == 15:
                server.close()
            if i == 30:
                server = self.serve(agent)
            Hook(i, iso()).send(agent)
        self.wait_done(agent, 40)

    def test_a_unix_server_that_closes_early_is_asked_again(self):
        def reply(event, connection):
            if event["attempt"] == 1:
                connection.shutdown(socket.SHUT_RDWR)
                return None
            return ok(event)
        agent = self.agent_with(concurrency=1)
        self.serve(agent, reply)
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1, 1)
        self.assertIn("closed the connection", self.details(agent)[0])

    def test_a_unix_server_that_hangs_or_answers_nonsense_is_left(self):
        def reply(event, _):
            if event["attempt"] == 1:
                return None
            return b"what?\n" if event["attempt"] == 2 else ok(event)
        agent = self.agent_with(concurrency=1, timeout="500ms")
        server = self.serve(agent, reply)
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1, 2)
        first, second = self.details(agent)
        self.assertEqual(first, "timed out after 500ms")
        self.assertIn("no JSON object: what?", second)
        self.assertEqual(len(server.connections), 3)


class Mistakes(Lines):
    def test_keys_of_the_wrong_kind_are_refused_with_their_place(self):
        for handler, words in (
                ({"file": "f", "worker": True}, "worker is for exec"),
                ({"file": "f", "ahead": 2}, "ahead is for workers"),
                ({"exec": ["true"], "ahead": 2}, "ahead is for workers"),
                ({"exec": ["true"], "worker": True, "format": "raw"},
                 "given one CloudEvents object a line"),
                ({"unix": "s", "format": "raw"}, "object a line"),
                ({"file": "f", "format": "raw"}, "object a line"),
                ({"unix": "s", "file": "f"}, "exactly one of")):
            agent = self.agent({"shop": harness.pet_store()}, {"h": handler})
            agent.write_config()
            said = agent.command("check")
            self.assertNotEqual(said.returncode, 0)
            self.assertIn(words, (said.stdout + said.stderr).decode())


def children(agent):
    path = f"/proc/{agent.child.pid}/task"
    found = []
    for task in os.listdir(path):
        with open(f"{path}/{task}/children", encoding="ascii") as file:
            found += [int(pid) for pid in file.read().split()]
    return found


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0
