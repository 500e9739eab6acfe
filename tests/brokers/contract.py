# SPDX-License-Identifier: MIT
"""What every broker's handler keeps, as tests that each broker's file takes;
and a server of its own for each test, in a folder of its own.
"""
import os
import re
import signal
import shutil
import subprocess
import tempfile
import threading
import time

import harness
from harness import Hook, iso, wait_until

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                        "packaging", "examples", "handlers")

# A broker that comes back is asked again soon.
QUICK = {"retry": {"first": "100ms", "cap": "500ms", "attempts": 1000},
         "breaker": {"open": "1s", "cap": "1s"}}


class Server:
    """A real broker as a process: started, killed, started again on the same
    port and data."""

    program = None  # looked for in PATH and in `places`
    places = ("/usr/sbin", "/usr/bin", "/usr/local/bin")

    def __init__(self, case):
        self.dir = tempfile.mkdtemp(prefix="longstop-broker-")
        self.port = harness.free_port()
        self.child = None
        case.addCleanup(self.clean_up, case)
        self.prepare()

    @classmethod
    def find(cls):
        for folder in cls.places:
            path = os.path.join(folder, cls.program)
            if os.access(path, os.X_OK):
                return path
        return shutil.which(cls.program)

    def prepare(self):
        """Writes what the server reads."""

    def argv(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def owner(self):
        """Who runs it; None: who runs the tests."""
        return None

    def is_ready(self):
        raise NotImplementedError

    def path(self, name):
        return os.path.join(self.dir, name)

    def log(self):
        with open(self.path("server.log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def start(self, seconds=30):
        with open(self.path("server.log"), "ab") as log:
            self.child = subprocess.Popen(
                self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.dir, env=self.environment(), user=self.owner(),
                start_new_session=True)
        wait_until(self.answers, f"{self.program} answers", seconds)
        return self

    def answers(self):
        if self.child.poll() is not None:
            raise AssertionError(f"{self.program} ended:\n{self.log()[-2000:]}")
        try:
            return self.is_ready()
        except OSError:
            return False

    def hold(self):
        """Keeps it from answering, so that entries are under way."""
        self.tell(signal.SIGSTOP)

    def release(self):
        self.tell(signal.SIGCONT)

    def tell(self, number):
        """A signal to all that the server consists of."""
        os.killpg(self.child.pid, number)

    def kill(self):
        """As a power cut would: nothing of it lives on."""
        self.tell(signal.SIGKILL)
        self.child.wait()

    def clean_up(self, case):
        if self.child is not None and self.child.poll() is None:
            self.kill()
        if harness.has_failed(case):
            print(f"--- {case.id()}: kept {self.dir}\n"
                  f"{self.log()[-1500:] if self.child else ''}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


class Contract:
    """The tests; a broker's file says how to talk to it."""

    server_class = None
    holds_keys = True   # a key that is there already is not added again
    events = 200
    marks_replays = True

    def server(self):
        if self.server_class.find() is None:
            self.skipTest(f"no {self.server_class.program} here")
        return self.server_class(self)

    def section(self, server):
        """{kind: {...}} of a handler."""
        raise NotImplementedError

    def make_room(self, server):
        """Makes the stream, queue or table."""
        raise NotImplementedError

    def spoil(self, server):
        """Makes it refuse, where a bare server would not."""

    def arrived(self, server):
        """The keys that are there, each as often as it is there."""
        raise NotImplementedError

    def replays(self, server):
        """How many entries are marked as replays."""
        raise NotImplementedError

    def put(self, server, key):
        """Puts an entry of that key there, past the agent."""
        raise NotImplementedError

    # -- means --

    def ready_server(self):
        server = self.server().start()
        self.make_room(server)
        return server

    def agent_to(self, server, **more):
        handler = {**self.section(server), **QUICK, "timeout": "5s", **more}
        return self.pet_shop(handlers={"out": handler})

    def send(self, agent, count):
        hooks = [Hook(n, iso()) for n in range(count)]
        for hook in hooks:
            self.assertEqual(hook.send(agent).status, 202)
        return [f"shop/{hook.delivery}" for hook in hooks]

    def wait_settled(self, agent, seconds=harness.PATIENCE):
        wait_until(lambda: agent.query("SELECT count(*) FROM delivery") ==
                   [(0,)], "nothing is owed any more", seconds)
        self.assertEqual(agent.query("SELECT count(*) FROM dead"), [(0,)])

    def details(self, agent):
        return " ".join(row[0] for row in
                        agent.query("SELECT detail FROM attempt"))

    def assert_all(self, server, keys):
        arrived = self.arrived(server)
        self.assertEqual(sorted(set(arrived)), sorted(keys))
        if self.holds_keys:
            self.assertEqual(len(arrived), len(keys))

    # -- tests --

    def test_every_event_arrives_with_its_key(self):
        server = self.ready_server()
        agent = self.agent_to(server)
        keys = self.send(agent, self.events)
        self.wait_settled(agent)
        self.assertEqual(sorted(self.arrived(server)), sorted(keys))

    def test_a_broker_killed_while_it_is_published_to_loses_nothing(self):
        server = self.ready_server()
        agent = self.agent_to(server)
        keys = []
        sender = threading.Thread(
            target=lambda: keys.extend(self.send(agent, self.events)))
        sender.start()
        wait_until(lambda: agent.metric(
            "deliveries_total", handler="out", outcome="done") > 20,
            "some are there")
        server.hold()
        taken = agent.query("SELECT count(*) FROM event")[0][0]
        wait_until(lambda: agent.query("SELECT count(*) FROM event")[0][0] >
                   taken + 20 or not sender.is_alive(), "some are under way")
        server.kill()
        wait_until(lambda: agent.metric(
            "deliveries_total", handler="out", outcome="retry") > 0,
            "its end is seen")
        sender.join(60)
        server.start()
        self.wait_settled(agent)
        self.assert_all(server, keys)

    def unread(self, server):
        """Bytes that its kernel holds for it (proc(5), /proc/net/tcp)."""
        port = int(self.address_of(server).rpartition(":")[2])
        with open("/proc/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
        return sum(int(row[4].split(":")[1], 16) for row in rows
                   if int(row[1].split(":")[1], 16) == port and
                   row[3] == "01")

    def test_what_a_broker_never_read_before_it_was_killed_comes_again(self):
        # In the test above it may have stored what it was held from answering.
        server = self.ready_server()
        agent = self.agent_to(server)
        keys = self.send(agent, 5)
        self.wait_settled(agent)
        server.hold()
        keys += self.send(agent, 20)
        wait_until(lambda: self.unread(server) > 0, "some are under way")
        server.kill()
        server.start()
        self.wait_settled(agent)
        self.assert_all(server, keys)

    def test_a_broker_that_comes_later_is_waited_for(self):
        server = self.server()
        agent = self.agent_to(server)
        keys = self.send(agent, 5)
        wait_until(lambda: self.details(agent), "an attempt")
        self.assertRegex(self.details(agent), self.absent_words)
        server.start()
        self.make_room(server)
        self.wait_settled(agent)
        self.assert_all(server, keys)

    def test_what_the_broker_refuses_is_said_and_tried_again(self):
        server = self.server().start()
        self.spoil(server)
        agent = self.agent_to(server)
        keys = self.send(agent, 2)
        wait_until(lambda: self.details(agent), "an attempt")
        self.assertRegex(self.details(agent), self.refused_words)
        self.make_room(server)
        self.wait_settled(agent)
        self.assert_all(server, keys)

    def test_a_key_that_is_there_already_is_not_added_again(self):
        if not self.holds_keys:
            self.skipTest("this broker keeps no keys")
        server = self.ready_server()
        agent = self.agent_to(server)
        hook = Hook(1, iso())
        self.put(server, f"shop/{hook.delivery}")
        self.assertEqual(hook.send(agent).status, 202)
        self.wait_settled(agent)
        self.assertEqual(self.arrived(server), [f"shop/{hook.delivery}"])

    def example(self, server, agent):
        """The documented handler, with this server's address."""
        path = os.path.join(EXAMPLES, f"{next(iter(self.section(server)))}.yaml")
        with open(path, encoding="utf-8") as file:
            return re.sub(r"127\.0\.0\.1:\d+", self.address_of(server),
                          file.read())

    def address_of(self, server):
        return f"127.0.0.1:{server.port}"

    def test_the_example_of_the_manual_works(self):
        server = self.ready_server()
        agent = self.agent({"shop": harness.pet_store()}, {})
        os.mkdir(agent.path("conf.d"))
        with open(agent.path("conf.d/out.yaml"), "w",
                  encoding="utf-8") as file:
            file.write(self.example(server, agent))
        agent.start()
        keys = self.send(agent, 3)
        self.wait_settled(agent)
        self.assert_all(server, keys)

    def test_a_replay_is_added_again_and_marked(self):
        if not self.marks_replays:
            self.skipTest("a row that is there stays as it is")
        server = self.ready_server()
        agent = self.agent_to(server)
        key, = self.send(agent, 1)
        self.wait_settled(agent)
        got = agent.command("replay", "--all", "--yes")
        self.assertEqual(got.returncode, 0, got.stderr.decode())
        wait_until(lambda: self.replays(server) == 1, "the replay")
        self.wait_settled(agent)

    def test_the_agent_ends_in_time_while_the_broker_hangs(self):
        server = self.ready_server()
        agent = self.agent_to(server, timeout="60s")
        self.send(agent, 1)
        self.wait_settled(agent)
        server.hold()
        try:
            self.send(agent, 1)
            # Half a second, so that it is with the broker.
            time.sleep(0.5)
            code, seconds = agent.stop()
        finally:
            server.release()
        self.assertEqual(code, 0)
        self.assertLess(seconds, 8)
        self.assertEqual(agent.query("SELECT count(*) FROM delivery"), [(1,)])
