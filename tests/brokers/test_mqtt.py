# SPDX-License-Identifier: MIT
"""MQTT 5, against the real mosquitto, with mosquitto_sub as who reads.

Mosquitto keeps what it has acknowledged and not yet handed on in memory, and
writes that down when it ends in order. So it is ended with SIGTERM here, in the
midst of it: a kill -9 loses what it had acknowledged, whoever sent it.
"""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
import unittest

import harness
from contract import Contract, Server
from harness import Hook, iso, wait_until


class MqttServer(Server):
    program = "mosquitto"

    def prepare(self):
        self.reader = None
        with open(self.path("mosquitto.conf"), "w", encoding="utf-8") as file:
            file.write(f"listener {self.port} 127.0.0.1\n"
                       "allow_anonymous true\npersistence true\n"
                       f"persistence_location {self.dir}/\n"
                       + ("user root\n" if os.geteuid() == 0 else "") +
                       "max_queued_messages 0\nmax_inflight_messages 0\n")

    def argv(self):
        return [self.find(), "-c", self.path("mosquitto.conf")]

    def is_ready(self):
        got = subprocess.run(
            ["mosquitto_pub", "-p", str(self.port), "-t", "ready", "-n"],
            capture_output=True, check=False)
        return got.returncode == 0

    def kill(self):
        self.child.terminate()  # in time for what it was held from reading
        self.release()
        self.child.wait(20)

    def read(self):
        """Somebody reads; connects anew by itself when the broker is back."""
        with open(self.path("read"), "ab") as out:
            self.reader = subprocess.Popen(
                ["mosquitto_sub", "-V", "5", "-p", str(self.port), "-q", "1",
                 "-c", "-x", "3600", "-i", "reader", "-t", "events/#", "-F", "%t %P %C"], stdout=out, stderr=out,
                stdin=subprocess.DEVNULL)

    def lines(self):
        with open(self.path("read"), encoding="utf-8") as file:
            return [line for line in file.read().splitlines()
                    if line.startswith("events/")]

    def clean_up(self, case):
        if self.reader is not None:
            self.reader.kill()
            self.reader.wait()
        super().clean_up(case)


class Mqtt(Contract, harness.Case):
    server_class = MqttServer
    holds_keys = False
    absent_words = "mqtt: cannot connect to 127.0.0.1"
    refused_words = "mqtt: nobody has subscribed to 'events/shop/order.created'"

    def server(self):
        if shutil.which("mosquitto_sub") is None:
            self.skipTest("no mosquitto_sub here")
        return super().server()

    def section(self, server):
        return {"mqtt": {"url": f"mqtt://127.0.0.1:{server.port}",
                         "topic": "events/{connector}/{type}"}}

    def make_room(self, server):
        server.read()

    def arrived(self, server):
        return re.findall(r"key:(\S+)", "\n".join(server.lines()))

    def replays(self, server):
        return "\n".join(server.lines()).count("longstop-replay:1")

    def assert_all(self, server, keys):
        # What was acknowledged is on its way to the reader, if not there.
        wait_until(lambda: set(keys) <= set(self.arrived(server)),
                   "the reader has them all")

    def test_an_entry_has_topic_key_type_and_source(self):
        server = self.ready_server()
        agent = self.agent_to(server, mqtt={
            **self.section(server)["mqtt"], "qos": 2})
        key, = self.send(agent, 1)
        self.wait_settled(agent)
        self.assert_all(server, [key])
        self.assertEqual(server.lines()[-1],
                         f"events/shop/order.created key:{key} "
                         "type:order.created source:shop "
                         "application/cloudevents+json")

    def test_a_content_type_that_is_no_utf8_is_left_out(self):
        server = self.ready_server()
        agent = self.agent_to(server, format="raw")
        hook = Hook(1, iso())
        hook.headers["Content-Type"] = "application/json; x=\xff"
        self.assertEqual(hook.send(agent).status, 202)
        self.wait_settled(agent)
        self.assert_all(server, [f"shop/{hook.delivery}"])

    def test_a_body_that_costs_the_connection_takes_no_other_with_it(self):
        server = self.server()
        with open(server.path("mosquitto.conf"), "a", encoding="utf-8") as file:
            file.write("max_packet_size 20000\n")
        server.start().read()
        agent = self.agent_to(server, retry={"first": "100ms", "cap": "100ms",
                                             "attempts": 4})
        server.hold()  # so that they go as one batch
        large = Hook(1, "", body=json.dumps({
            "event": "order.created", "timestamp": iso(),
            "data": {"id": 1, "x": "y" * 30000}}).encode())
        hooks = ([Hook(n, iso()) for n in range(20)] + [large] +
                 [Hook(n, iso()) for n in range(20, 40)])
        for hook in hooks:
            self.assertEqual(hook.send(agent).status, 202)
        server.release()
        wait_until(lambda: agent.query("SELECT event FROM delivery") == [] and
                   agent.query("SELECT count(*) FROM dead") == [(1,)],
                   "all but the large one")
        self.assert_all(server, [f"shop/{hook.delivery}" for hook in hooks
                                 if hook is not large])

    def test_what_goes_over_tls_is_acknowledged_as_well(self):
        server = self.server()
        cert, key = server.path("cert.pem"), server.path("key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-keyout", key, "-out", cert, "-days", "2", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
            check=True, capture_output=True)
        port = harness.free_port()
        with open(server.path("mosquitto.conf"), "a", encoding="utf-8") as file:
            file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\n"
                       f"certfile {cert}\nkeyfile {key}\n")
        server.start().read()
        agent = self.agent_to(server, mqtt={
            "url": f"mqtts://localhost:{port}", "ca": cert,
            "topic": "events/{connector}/{type}"})
        keys = self.send(agent, 5)
        self.wait_settled(agent)
        self.assert_all(server, keys)

    def test_a_host_that_never_answers_costs_no_more_than_the_timeout(self):
        # A queue that is full drops who knocks, as a firewall does.
        with contextlib.ExitStack() as stack:
            hole = stack.enter_context(socket.socket())
            hole.bind(("127.0.0.1", 0))
            hole.listen(0)
            for _ in range(8):
                knock = stack.enter_context(socket.socket())
                knock.setblocking(False)
                knock.connect_ex(hole.getsockname())
            agent = self.pet_shop(handlers={"out": {
                "timeout": "2s", "mqtt": {
                    "url": f"mqtt://127.0.0.1:{hole.getsockname()[1]}",
                    "topic": "t"}}})
            began = time.monotonic()
            self.send(agent, 1)
            wait_until(lambda: agent.query("SELECT 1 FROM attempt"),
                       "an attempt is over")
            self.assertLess(time.monotonic() - began, 10)
            self.assertIn("mqtt: cannot connect", self.details(agent))

    def test_a_wildcard_in_a_topic_is_dead_at_once(self):
        server = self.ready_server()
        agent = self.agent_to(server, mqtt={
            **self.section(server)["mqtt"], "topic": "events/#"})
        self.send(agent, 1)
        wait_until(lambda: agent.query("SELECT count(*) FROM dead") == [(1,)],
                   "a dead letter")

    def test_where_a_subscriber_is_optional_none_is_needed(self):
        server = self.server().start()
        agent = self.agent_to(server, mqtt={
            **self.section(server)["mqtt"], "subscriber": "optional"})
        self.send(agent, 3)
        self.wait_settled(agent)


if __name__ == "__main__":
    unittest.main()
