# SPDX-License-Identifier: MIT
"""Redis streams, against the real redis-server."""
import json
import socket
import unittest

import harness
from contract import Contract, Server


class RedisServer(Server):
    program = "redis-server"
    password = "open sesame"

    def argv(self):
        # What was acknowledged is on the disk: only then is a kill fair.
        return [self.find(), "--port", str(self.port), "--bind", "127.0.0.1",
                "--unixsocket", self.path("redis.sock"), "--dir", self.dir,
                "--appendonly", "yes", "--appendfsync", "always",
                "--requirepass", self.password]

    def is_ready(self):
        return self.ask("PING") == "PONG"

    def ask(self, *words):
        with socket.create_connection(("127.0.0.1", self.port), 10) as sock, \
                sock.makefile("rb") as file:
            for command in (("AUTH", self.password), words):
                sock.sendall(b"*%d\r\n" % len(command) + b"".join(
                    b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode())
                    for word in command))
                answer = self.read(file)
            return answer

    def read(self, file):
        line = file.readline().decode()
        kind, rest = line[:1], line[1:].strip()
        if kind == "*":
            return [self.read(file) for _ in range(int(rest))]
        if kind == "$":
            return file.read(int(rest) + 2)[:-2].decode() if rest != "-1" \
                else None
        return f"error {rest}" if kind == "-" else rest


class Redis(Contract, harness.Case):
    server_class = RedisServer
    absent_words = "redis: cannot connect to 127.0.0.1"
    refused_words = "redis: WRONGTYPE"

    def section(self, server):
        return {"redis": {"url": f"redis://127.0.0.1:{server.port}/0",
                          "stream": "events:{connector}", "dedup": "1h",
                          "password": server.password}}

    def make_room(self, server):
        if server.ask("TYPE", "events:shop") == "string":  # what spoils it
            server.ask("DEL", "events:shop")

    def entries(self, server):
        return [dict(zip(fields[::2], fields[1::2])) for _, fields in
                server.ask("XRANGE", "events:shop", "-", "+")]

    def arrived(self, server):
        return [entry["key"] for entry in self.entries(server)]

    def replays(self, server):
        return [entry.get("longstop-replay") for entry in
                self.entries(server)].count("1")

    def put(self, server, key):
        server.ask("SET", f"longstop:{{events:shop}}:{key}", "1")
        server.ask("XADD", "events:shop", "*", "key", key)

    def spoil(self, server):
        server.ask("SET", "events:shop", "no stream")

    def example(self, server, agent):
        with open(agent.path("conf.d/redis.password"), "w",
                  encoding="utf-8") as file:
            file.write(server.password)
        return super().example(server, agent).replace("# password_file",
                                                      "password_file")

    def test_an_entry_has_key_type_source_and_body(self):
        server = self.ready_server()
        agent = self.agent_to(server)
        key, = self.send(agent, 1)
        self.wait_settled(agent)
        entry, = self.entries(server)
        self.assertEqual(entry["key"], key)
        self.assertEqual(entry["type"], "order.created")
        self.assertEqual(entry["source"], "shop")
        self.assertEqual(json.loads(entry["body"])["type"], "order.created")

    def test_a_unix_socket_without_dedup_and_with_maxlen_works(self):
        server = self.ready_server()
        agent = self.agent_to(server, redis={
            "url": f"unix:{server.path('redis.sock')}", "maxlen": 1000,
            "stream": "events:{connector}", "password": server.password})
        keys = self.send(agent, 20)
        self.wait_settled(agent)
        self.assertEqual(sorted(self.arrived(server)), sorted(keys))

    def test_a_wrong_password_is_said(self):
        server = self.ready_server()
        agent = self.agent_to(server, redis={
            "url": f"redis://127.0.0.1:{server.port}", "password": "wrong",
            "stream": "events:{connector}"})
        self.send(agent, 1)
        harness.wait_until(lambda: self.details(agent), "an attempt")
        self.assertIn("redis: AUTH: WRONGPASS", self.details(agent))


if __name__ == "__main__":
    unittest.main()
