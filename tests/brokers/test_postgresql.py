# SPDX-License-Identifier: MIT
"""PostgreSQL, against the real server."""
import glob
import json
import os
import shutil
import subprocess
import unittest

import contract
import harness
from contract import Contract, Server

TABLE = ("CREATE TABLE events (key text PRIMARY KEY, type text, source text, "
         "body %s, received timestamptz NOT NULL DEFAULT now())")


class PostgresqlServer(Server):
    program = "postgres"
    places = tuple(sorted(glob.glob("/usr/lib/postgresql/*/bin"),
                          reverse=True))

    def owner(self):
        """It refuses to run as root."""
        return "postgres" if os.geteuid() == 0 else None

    def prepare(self):
        if self.owner():
            shutil.chown(self.dir, self.owner())
        made = subprocess.run(
            [os.path.join(os.path.dirname(self.find()), "initdb"), "-D",
             self.path("data"), "-U", "longstop", "-A", "trust", "--no-sync",
             "-E", "UTF8", "--locale=C"], capture_output=True, cwd=self.dir,
            user=self.owner(), check=False)
        if made.returncode != 0:
            raise AssertionError(made.stderr.decode())

    def argv(self):
        return [self.find(), "-D", self.path("data"), "-p", str(self.port),
                "-k", self.dir, "-c", "listen_addresses=127.0.0.1"]

    def tell(self, number):
        # Those that serve connections are in sessions of their own.
        task = f"/proc/{self.child.pid}/task/{self.child.pid}/children"
        with open(task, encoding="utf-8") as file:
            children = [int(pid) for pid in file.read().split()]
        super().tell(number)
        for pid in children:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def is_ready(self):
        return self.psql("SELECT 1", check=False) == ["1"]

    def psql(self, sql, check=True):
        got = subprocess.run(
            ["psql", "-h", self.dir, "-p", str(self.port), "-U", "longstop",
             "-d", "postgres", "-Atc", sql], capture_output=True, text=True,
            env={**os.environ, "PGCONNECT_TIMEOUT": "5"}, check=False)
        if check and got.returncode != 0:
            raise AssertionError(got.stderr)
        return got.stdout.splitlines()


class Postgresql(Contract, harness.Case):
    server_class = PostgresqlServer
    marks_replays = False
    absent_words = "postgresql: cannot connect: .*Connection refused"
    refused_words = 'postgresql: relation "public.events" does not exist'

    def section(self, server):
        return {"postgresql": {
            "url": f"postgresql://longstop@127.0.0.1:{server.port}/postgres",
            "table": "public.events"}}

    def make_room(self, server):
        server.psql(TABLE % "jsonb")

    def arrived(self, server):
        return server.psql("SELECT key FROM events")

    def put(self, server, key):
        server.psql(f"INSERT INTO events VALUES ('{key}')")

    def test_a_row_has_key_type_source_and_body(self):
        server = self.ready_server()
        agent = self.agent_to(server)
        key, = self.send(agent, 1)
        self.wait_settled(agent)
        self.assertEqual(
            server.psql("SELECT key, type, source, body->>'type' FROM events"),
            [f"{key}|order.created|shop|order.created"])

    def test_one_row_that_cannot_be_stored_stands_in_nobodys_way(self):
        server = self.server().start()
        server.psql(TABLE % "jsonb")
        agent = self.agent_to(server)
        # \\u0000 is good JSON, and nothing that jsonb can hold.
        stamp = harness.iso()
        body = json.dumps({"event": "order.created", "timestamp": stamp,
                           "data": {"order": {**harness.row(1, stamp),
                                              "note": "a\0b"}}})
        server.hold()
        keys = self.send(agent, 3)
        self.assertEqual(harness.Hook(9, stamp, body=body.encode()).send(
            agent).status, 202)
        keys += self.send(agent, 3)
        server.release()
        harness.wait_until(lambda: agent.query(
            "SELECT count(*) FROM delivery") == [(0,)], "all is settled")
        self.assertEqual(agent.query("SELECT count(*) FROM dead"), [(1,)])
        # and none of the others was told of it
        self.assertEqual(agent.query(
            "SELECT count(DISTINCT event) FROM attempt "
            "WHERE detail LIKE '%unsupported Unicode escape%'"), [(1,)])
        self.assertEqual(sorted(self.arrived(server)), sorted(keys))

    def test_a_server_that_reads_nothing_holds_no_event_for_good(self):
        server = self.ready_server()
        agent = self.agent({"shop": harness.pet_store()}, {"out": {
            **self.section(server), **contract.QUICK, "timeout": "4s"}})
        agent.config["listen"]["max_body"] = "32MiB"
        agent.write_config()
        agent.start()
        keys = self.send(agent, 1)  # the connection is there
        self.wait_settled(agent)
        stamp = harness.iso()
        body = json.dumps({"event": "order.created", "timestamp": stamp,
                           "data": {"order": {**harness.row(9, stamp),
                                              "note": "n" * 24000000}}})
        server.hold()
        try:
            hook = harness.Hook(9, stamp, body=body.encode())
            self.assertEqual(hook.send(agent).status, 202)
            harness.wait_until(lambda: "no answer in time" in
                               self.details(agent), "it was given up")
        finally:
            server.release()
        self.wait_settled(agent)
        self.assert_all(server, keys + [f"shop/{hook.delivery}"])

    def test_raw_bytes_go_into_bytea_as_they_are(self):
        server = self.server().start()
        server.psql(TABLE % "bytea")
        agent = self.agent_to(server, format="raw")
        stamp = harness.iso()
        body = json.dumps({"event": "order.created", "timestamp": stamp,
                           "data": {"order": {**harness.row(1, stamp),
                                              "note": "a\\b\0c"}}}).encode()
        self.assertEqual(harness.Hook(1, stamp, body=body).send(agent).status,
                         202)
        self.wait_settled(agent)
        self.assertEqual(server.psql("SELECT encode(body, 'hex') FROM events"),
                         [body.hex()])


if __name__ == "__main__":
    unittest.main()
