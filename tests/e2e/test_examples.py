# SPDX-License-Identifier: MIT
"""The examples of packaging/examples/handlers, run as they are written."""
import json
import os
import shutil
import subprocess

import harness
from harness import Hook, iso, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "..", "..", "packaging", "examples", "handlers")
ADDRESS = "127.0.0.1:8080"
# What has to run beside an example.
SERVERS = {"unix.yaml": ["./server.py", "orders.sock", "orders.txt"],
           "http.yaml": ["./receiver.py", "orders.sock", "orders.txt"]}
ORDERS = range(5)


def read(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


class Examples(harness.Case):
    def example(self, name):
        """An agent that runs this example in a copy of the folder."""
        agent = self.agent({})
        shutil.copytree(FOLDER, agent.dir, dirs_exist_ok=True)
        with open(agent.config_path, "w", encoding="utf-8") as file:
            file.write(read(name).replace(ADDRESS, f"127.0.0.1:{agent.port}"))
            file.write(f"store: sqlite:{agent.path('longstop.db')}\n")
        agent.cwd = agent.dir
        agent.env["SHOP_SECRET"] = harness.SECRET
        agent.write_config = lambda: None
        return agent

    def serve(self, agent, words):
        child = subprocess.Popen(words, cwd=agent.dir)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        wait_until(lambda: os.path.exists(agent.path("orders.sock")),
                   "the server is there")

    def orders(self, agent):
        try:
            with open(agent.path("orders.txt"), encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
        except FileNotFoundError:
            return []
        return sorted(line.get("data", line)["id"] for line in lines)

    def test_every_example_of_a_handler_delivers_each_order_once(self):
        # Those of brokers are run where the brokers are: tests/brokers.
        names = sorted(name for name in os.listdir(FOLDER)
                       if name.endswith(".yaml") and ADDRESS in read(name))
        self.assertGreaterEqual(len(names), 3)
        for name in names:
            with self.subTest(name):
                agent = self.example(name)
                if name in SERVERS:
                    self.serve(agent, SERVERS[name])
                agent.start()
                for order in ORDERS:
                    answer = Hook(order, iso()).send(agent)
                    self.assertEqual(answer.status, 202)
                wait_until(lambda: self.orders(agent) == list(ORDERS),
                           f"{name}: all orders are there")
                wait_until(lambda: agent.query(
                    "SELECT 1 FROM delivery LIMIT 1") == [],
                    f"{name}: it says so")
                agent.stop()

    def test_every_example_is_told_of_in_the_readme(self):
        text = read("README.md")
        for name in os.listdir(FOLDER):
            is_broker = name.endswith(".yaml") and ADDRESS not in read(name)
            if name != "README.md" and not is_broker:
                self.assertIn(f"`{name}`", text)
