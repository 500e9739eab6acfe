# SPDX-License-Identifier: MIT
"""What holds of plugins as such: who links what, and what is said when one is
missing."""
import glob
import os
import re
import subprocess
import tempfile
import unittest

import harness
from harness import LONGSTOP

PLUGINS = os.path.join(os.path.dirname(LONGSTOP), "plugins")
LIBRARIES = r"nats|hiredis|rdkafka|rabbitmq|mosquitto|libpq"


def needed(path):
    """The libraries an object is linked with, with all they need."""
    return subprocess.run(["ldd", path], capture_output=True, text=True,
                          check=True).stdout


class Linking(harness.Case):
    def test_the_program_is_linked_with_no_brokers_library(self):
        self.assertIn("libcurl", needed(LONGSTOP))
        self.assertNotRegex(needed(LONGSTOP), LIBRARIES)

    def test_each_plugin_brings_its_library_and_exports_one_symbol(self):
        plugins = glob.glob(os.path.join(PLUGINS, "*.so"))
        self.assertEqual(len(plugins), 7)  # six of brokers, one of a store
        for path in plugins:
            with self.subTest(os.path.basename(path)):
                self.assertRegex(needed(path), LIBRARIES)
                symbols = subprocess.run(
                    ["nm", "-D", "--defined-only", path], capture_output=True,
                    text=True, check=True).stdout
                names = re.findall(r" [A-Z] (\w+)", symbols)
                self.assertEqual([name for name in names
                                  if not name.startswith("__")],
                                 ["longstop_database" if "-store" in path
                                  else "longstop_plugin"])


class Configuration(harness.Case):
    def check(self, section, **env):
        agent = self.agent({"shop": harness.pet_store()}, {"out": section})
        got = agent.command("check", **env)
        return got.returncode, (got.stdout + got.stderr).decode()

    def test_a_plugin_that_cannot_be_loaded_is_a_mistake_of_the_configuration(
            self):
        folder = tempfile.mkdtemp(prefix="longstop-plugins-")
        self.addCleanup(os.rmdir, folder)
        path = os.path.join(folder, "redis.so")
        with open(path, "w", encoding="utf-8") as file:
            file.write("no object")
        self.addCleanup(os.unlink, path)
        code, said = self.check({"redis": {"url": "redis://h", "stream": "s"}},
                                LONGSTOP_PLUGINS=folder)
        self.assertEqual(code, 78)
        self.assertIn("handler 'out'", said)
        self.assertIn(path, said)
        self.assertIn("libhiredis-dev", said)

    def test_mistakes_in_a_section_are_told_with_their_places(self):
        for section, words in (
                ({"nats": {"url": "nats://h"}}, "subject"),
                ({"nats": {"url": "nats://h", "subject": "a.{typ}"}},
                 'did you mean "type"'),
                ({"redis": {"url": "rediss://h", "stream": "s"}},
                 "'rediss' is not spoken"),
                ({"redis": {"url": "redis://h", "stream": "s", "dedup": "1y"}},
                 "dedup"),
                ({"amqp": {"url": "http://h", "routing_key": "q"}},
                 "the URL is not amqp://"),
                ({"kafka": {"brokers": "h", "topic": "t",
                            "ca": "/no/such.pem", "compression": "lz5"}},
                 "lz4"),
                ({"mqtt": {"url": "mqtt://h", "topic": "t", "qos": 0}}, "qos"),
                ({"mqtt": {"url": "h:1883", "topic": "t"}},
                 "the URL is not mqtt://"),
                ({"postgresql": {"url": "host=h foo=1", "table": "t"}},
                 'invalid connection option "foo"'),
                ({"nats": {"url": "u", "subject": "s"},
                  "redis": {"url": "redis://h", "stream": "s"}},
                 "exactly one of")):
            with self.subTest(words):
                code, said = self.check(section)
                self.assertEqual(code, 78, said)
                self.assertIn(words, said)
                self.assertRegex(said, r"longstop.yaml:\d+:\d+")

    def test_a_url_that_nobody_can_read_is_not_shown(self):
        code, said = self.check({"postgresql": {
            "url": "postgresql//user:hidden@h/d", "table": "t"}})
        self.assertEqual(code, 78)
        self.assertIn("postgresql: url: it is neither", said)
        self.assertNotIn("hidden", said.replace(
            '"postgresql//user:hidden@h/d"', ""))  # the caret's line

    def test_check_needs_no_broker_and_shows_no_secret(self):
        code, said = self.check({"redis": {
            "url": "redis://127.0.0.1:1", "stream": "s",
            "password": "very secret"}})
        self.assertEqual(code, 0, said)
        self.assertIn("handler out: redis", said)
        self.assertNotIn("very secret", said)


if __name__ == "__main__":
    unittest.main()
