# SPDX-License-Identifier: MIT
"""RabbitMQ, against the real server: one for all tests of this file, since it
takes seconds to start; each test has a queue of its own."""
import os
import socket
import shutil
import subprocess
import sys
import unittest

import harness
from contract import Contract, Server

# Debian's modules, for a Python that is not Debian's; it is all Python.
sys.path.append("/usr/lib/python3/dist-packages")
try:
    import pika
except ImportError:
    pika = None

PREFACE = b"AMQP\x00\x00\x09\x01"


class RabbitServer(Server):
    """All tests share `only`; killed and started in the midst of them."""

    program = "rabbitmq-server"
    # Not the wrapper in PATH, which wants to be another user.
    places = ("/usr/lib/rabbitmq/bin",)
    only = None

    def prepare(self):
        self.epmd_port = harness.free_port()
        with open(self.path("rabbitmq.conf"), "w", encoding="utf-8") as file:
            file.write(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
                       "log.console = true\nlog.file = false\n")
        open(self.path("enabled_plugins"), "w", encoding="utf-8").write("[].")
        # Its own port mapper, as a child that ends with us: the one it would
        # start by itself stays behind for good.
        self.epmd = subprocess.Popen(
            ["epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)

    def argv(self):
        return [self.find()]

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": self.dir, "LANG": "C.UTF-8",
                "RABBITMQ_NODENAME": f"longstop{self.port}@localhost",
                "RABBITMQ_DIST_PORT": str(self.dist_port()),
                "RABBITMQ_CONFIG_FILE": self.path("rabbitmq"),
                "RABBITMQ_CONF_ENV_FILE": "/dev/null",
                "RABBITMQ_ENABLED_PLUGINS_FILE": self.path("enabled_plugins"),
                "RABBITMQ_MNESIA_BASE": self.path("data"),
                "RABBITMQ_LOG_BASE": self.path("log"),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
                "RABBITMQ_PID_FILE": self.path("pid"),
                "ERL_EPMD_PORT": str(self.epmd_port)}

    def dist_port(self):
        return self.epmd_port + 1

    def is_ready(self):
        with socket.create_connection(("127.0.0.1", self.port), 2) as sock:
            sock.settimeout(10)
            sock.sendall(PREFACE)
            return len(sock.recv(1)) == 1

    def start(self, seconds=60):
        if self.child is None or self.child.poll() is not None:
            super().start(seconds)
        return self

    def channel(self):
        connection = pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", self.port, socket_timeout=10))
        return connection, connection.channel()


class Shared:
    """What the tests' clean-up asks of the one server: nothing."""

    def addCleanup(self, *_):
        pass


@unittest.skipIf(pika is None, "no python3-pika here")
class Amqp(Contract, harness.Case):
    server_class = RabbitServer
    holds_keys = False
    absent_words = "amqp: cannot connect to 127.0.0.1"
    refused_words = "amqp: no queue takes .*NO_ROUTE"

    @classmethod
    def tearDownClass(cls):
        server = RabbitServer.only
        if server is None:
            return
        if server.child is not None and server.child.poll() is None:
            server.kill()
        server.epmd.kill()
        server.epmd.wait()
        shutil.rmtree(server.dir, ignore_errors=True)

    def server(self):
        if RabbitServer.find() is None:
            self.skipTest("no rabbitmq-server here")
        if RabbitServer.only is None:
            RabbitServer.only = RabbitServer(Shared())
        self.queue = f"events.{self.id().rsplit('.', 1)[-1]}"
        return RabbitServer.only

    def section(self, server):
        return {"amqp": {"url": f"amqp://127.0.0.1:{server.port}/%2f",
                         "routing_key": self.queue}}

    def example(self, server, agent):
        self.queue = "events.shop"
        self.make_room(server)
        return super().example(server, agent)

    def make_room(self, server):
        connection, channel = server.channel()
        channel.queue_declare(self.queue, durable=True)
        connection.close()

    def entries(self, server):
        """Looked at and given back: [(properties, body)]."""
        connection, channel = server.channel()
        found = []
        while True:
            method, properties, body = channel.basic_get(self.queue)
            if method is None:
                break
            found.append((properties, body))
        connection.close()
        return found

    def arrived(self, server):
        return [properties.message_id for properties, _ in
                self.entries(server)]

    def replays(self, server):
        return [properties.headers.get("longstop-replay") for properties, _ in
                self.entries(server)].count("1")

    def test_a_broker_that_comes_later_is_waited_for(self):
        server = self.server()
        if server.child is not None and server.child.poll() is None:
            server.kill()
        super().test_a_broker_that_comes_later_is_waited_for()

    def test_an_entry_is_persistent_and_has_key_type_and_kind(self):
        server = self.ready_server()
        agent = self.agent_to(server)
        key, = self.send(agent, 1)
        self.wait_settled(agent)
        properties, _ = self.entries(server)[0]
        self.assertEqual(properties.delivery_mode, 2)
        self.assertEqual(properties.message_id, key)
        self.assertEqual(properties.headers, {"idempotency-key": key})
        self.assertEqual(properties.type, "order.created")
        self.assertEqual(properties.content_type,
                         "application/cloudevents+json")

    def test_a_content_type_that_amqp_cannot_say_is_left_out(self):
        server = self.ready_server()
        agent = self.agent_to(server, format="raw")
        hook = harness.Hook(1, harness.iso())
        hook.headers["Content-Type"] = "application/json; a=" + "b" * 300
        self.assertEqual(hook.send(agent).status, 202)
        self.wait_settled(agent)
        properties, _ = self.entries(server)[0]
        self.assertIsNone(properties.content_type)

    def test_an_exchange_that_is_not_there_is_said(self):
        server = self.ready_server()
        agent = self.agent_to(server, amqp={
            **self.section(server)["amqp"], "exchange": "no-such"})
        self.send(agent, 1)
        harness.wait_until(lambda: self.details(agent), "an attempt")
        self.assertIn("NOT_FOUND - no exchange 'no-such'", self.details(agent))

    def test_a_wrong_password_is_said(self):
        server = self.ready_server()
        agent = self.agent_to(server, amqp={
            **self.section(server)["amqp"], "user": "guest",
            "password": "wrong"})
        self.send(agent, 1)
        harness.wait_until(lambda: self.details(agent), "an attempt")
        self.assertIn("ACCESS_REFUSED", self.details(agent))


def load_tests(loader, tests, pattern):
    """The one that needs no server first: a start is what takes long."""
    del tests, pattern
    names = loader.getTestCaseNames(Amqp)
    return unittest.TestSuite(map(Amqp, sorted(
        names, key=lambda name: "comes_later" not in name)))


if __name__ == "__main__":
    unittest.main()
