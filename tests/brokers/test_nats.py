# SPDX-License-Identifier: MIT
"""NATS JetStream, against the real nats-server."""
import base64
import json
import socket
import unittest

import harness
from contract import Contract, Server


class Client:
    """As much of the NATS protocol as the tests need."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.file = self.sock.makefile("rb")
        self.file.readline()  # INFO
        self.write(b'CONNECT {"verbose":false,"headers":true,'
                   b'"no_responders":true}\r\nSUB answer.* 1\r\n')
        self.ping()

    def write(self, data):
        self.sock.sendall(data)

    def ping(self):
        self.write(b"PING\r\n")
        while self.file.readline() not in (b"PONG\r\n", b""):
            pass

    def ask(self, subject, body=b"", headers=b""):
        if headers:
            head = b"NATS/1.0\r\n" + headers + b"\r\n"
            self.write(b"HPUB %s answer.1 %d %d\r\n%s%s\r\n" % (
                subject.encode(), len(head), len(head) + len(body), head, body))
        else:
            self.write(b"PUB %s answer.1 %d\r\n%s\r\n" % (
                subject.encode(), len(body), body))
        while True:
            line = self.file.readline().split()
            if line[0] in (b"MSG", b"HMSG"):
                data = self.file.read(int(line[-1]) + 2)[:-2]
                head = int(line[-2]) if line[0] == b"HMSG" else 0
                return json.loads(data[head:] or b"{}")

    def close(self):
        self.file.close()
        self.sock.close()


class NatsServer(Server):
    program = "nats-server"

    def prepare(self):
        with open(self.path("nats.conf"), "w", encoding="utf-8") as file:
            file.write(f'listen: "127.0.0.1:{self.port}"\n'
                       f'jetstream: {{store_dir: "{self.dir}/data"}}\n'
                       'max_payload: 65536\n')

    def argv(self):
        return [self.find(), "-c", self.path("nats.conf")]

    def is_ready(self):
        Client(self.port).close()
        return True

    def ask(self, subject, body=b"", headers=b""):
        client = Client(self.port)
        try:
            return client.ask(subject, body, headers)
        finally:
            client.close()

    def entries(self):
        """[(subject, {header: value}, body)]"""
        client = Client(self.port)
        found = []
        try:
            state = client.ask("$JS.API.STREAM.INFO.EVENTS")["state"]
            for seq in range(1, state["last_seq"] + 1):
                got = client.ask("$JS.API.STREAM.MSG.GET.EVENTS",
                                 json.dumps({"seq": seq}).encode())["message"]
                lines = base64.b64decode(got.get("hdrs", "")).decode()
                headers = dict(line.split(": ", 1) for line in
                               lines.split("\r\n") if ": " in line)
                found.append((got["subject"], headers,
                              base64.b64decode(got["data"])))
        finally:
            client.close()
        return found


class Nats(Contract, harness.Case):
    server_class = NatsServer
    absent_words = "nats: cannot connect"
    refused_words = "nats: no stream takes 'events.shop.order.created'"

    def section(self, server):
        return {"nats": {"url": f"nats://127.0.0.1:{server.port}",
                         "subject": "events.{connector}.{type}"}}

    def make_room(self, server):
        made = server.ask("$JS.API.STREAM.CREATE.EVENTS", json.dumps({
            "name": "EVENTS", "subjects": ["events.>"], "storage": "file",
            "duplicate_window": 120_000_000_000}).encode())
        self.assertNotIn("error", made)

    def arrived(self, server):
        return [headers["Nats-Msg-Id"] for _, headers, _ in server.entries()]

    def replays(self, server):
        return [headers.get("longstop-replay") for _, headers, _ in
                server.entries()].count("1")

    def put(self, server, key):
        answer = server.ask("events.shop.order.created", b"{}",
                            f"Nats-Msg-Id: {key}\r\n".encode())
        self.assertEqual(answer["seq"], 1)

    def test_subject_envelope_and_kind_are_as_configured(self):
        server = self.ready_server()
        agent = self.agent_to(server)
        self.send(agent, 1)
        self.wait_settled(agent)
        subject, headers, body = server.entries()[0]
        self.assertEqual(subject, "events.shop.order.created")
        self.assertEqual(headers["Content-Type"],
                         "application/cloudevents+json")
        self.assertEqual(json.loads(body)["source"], "longstop/shop")

    def test_what_the_server_never_takes_is_dead_at_once(self):
        server = self.ready_server()
        agent = self.agent_to(server)
        hook = harness.Hook(1, harness.iso(), body=json.dumps(
            {"event": "order.created", "timestamp": harness.iso(),
             "data": {"order": {**harness.row(1, harness.iso()),
                                "note": "x" * 70000}}}).encode())
        self.assertEqual(hook.send(agent).status, 202)
        harness.wait_until(lambda: agent.query("SELECT count(*) FROM dead") ==
                           [(1,)], "a dead letter")
        self.assertIn("max_payload", self.details(agent))


if __name__ == "__main__":
    unittest.main()
