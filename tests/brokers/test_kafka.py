# SPDX-License-Identifier: MIT
"""Kafka: librdkafka's own broker, which speaks the protocol, in a process of
its own. What it was given it keeps in memory, so that its end is its
connections' and not its data's."""
import json
import os
import select
import subprocess
import unittest

import harness
from contract import Contract, Server


class KafkaServer(Server):
    program = "kafka-mock"
    places = (harness.BUILD,)

    def prepare(self):
        # The kernel chooses its port, so it is there before anybody asks; and
        # not to be reached before it is started.
        self.child = subprocess.Popen(
            [self.find()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, bufsize=0, start_new_session=True)
        self.address = self.line()
        self.ask("down")

    def line(self):
        ready, _, _ = select.select([self.child.stdout], [], [], 30)
        if not ready:
            raise AssertionError("the broker says nothing")
        return self.child.stdout.readline().decode().strip()

    def ask(self, *words):
        self.child.stdin.write((" ".join(words) + "\n").encode())
        return self.line()

    def start(self, seconds=30):
        self.ask("up")
        return self

    def kill(self):
        self.release()
        self.ask("down")

    def log(self):
        return ""

    def clean_up(self, case):
        self.child.stdin.close()
        self.child.wait(30)
        self.child.stdout.close()
        os.rmdir(self.dir)


class Kafka(Contract, harness.Case):
    server_class = KafkaServer
    holds_keys = False  # across producers; within one it is idempotent
    absent_words = "kafka: no broker answers: .*Connect"
    refused_words = "kafka: 'events.shop': Broker: Topic authorization failed"

    def section(self, server):
        return {"kafka": {"brokers": server.address,
                          "topic": "events.{connector}"}}

    def make_room(self, server):
        server.ask("allow", "events.shop")

    def spoil(self, server):
        server.ask("refuse", "events.shop")

    def arrived(self, server):
        return server.ask("keys", "events.shop").split()

    def replays(self, server):
        return server.ask("replays", "events.shop").split().count("1")

    def address_of(self, server):
        return server.address

    def test_what_the_producer_never_takes_is_dead_at_once(self):
        server = self.ready_server()
        agent = self.agent_to(server, kafka={
            "brokers": server.address, "topic": "events.{connector}",
            "max_size": "2kB"})
        body = {"event": "order.created", "timestamp": harness.iso(),
                "data": {"order": {**harness.row(1, harness.iso()),
                                   "note": "x" * 3000}}}
        hook = harness.Hook(1, harness.iso(), body=json.dumps(body).encode())
        self.assertEqual(hook.send(agent).status, 202)
        harness.wait_until(lambda: agent.query("SELECT count(*) FROM dead") ==
                           [(1,)], "a dead letter")
        self.assertIn("too large", self.details(agent))

    def test_of_a_batch_that_is_too_large_none_is_dead_for_another(self):
        server = self.ready_server()
        agent = self.agent_to(server)
        agent.command("pause", "out")
        keys = self.send(agent, 10)
        server.ask("large")
        agent.command("resume", "out")
        harness.wait_until(
            lambda: agent.query("SELECT count(*) FROM delivery") == [(0,)],
            "nothing is owed any more")
        # The first may have gone alone, and then it was the one.
        dead = agent.query("SELECT count(*) FROM dead")[0][0]
        self.assertLessEqual(dead, 1)
        self.assertEqual(len(set(self.arrived(server))), len(keys) - dead)


if __name__ == "__main__":
    unittest.main()
