# SPDX-License-Identifier: MIT
"""Connector files with mistakes: each is told with its place, all at once.

A file of tests/data/config/bad says at its end what is expected, one finding a
line: the place, and how its words begin.
"""
import glob
import json
import os
import re

import harness

BAD = os.path.join(harness.HERE, "..", "data", "config", "bad")
WITH = {"base": "http://127.0.0.1:9", "api_key": "k", "webhook_secret": "s"}


def expectations(path):
    with open(path, encoding="utf-8") as file:
        told = file.read().split("# expected:\n")[1]
    return [re.fullmatch(r"#  (\d+):(\d+) (.*)", line).groups()
            for line in told.splitlines()]


class BadFiles(harness.Case):
    def check(self, **connector):
        """What `check` finds with one connector: [(file, line, column,
        words)], and the text it prints."""
        agent = self.agent({"own": connector})
        ran = agent.command("check", "--json")
        self.assertEqual(ran.returncode, 78, ran.stderr)
        return [(os.path.basename(f["file"]), f["line"], f["column"],
                 f["message"]) for f in json.loads(ran.stdout)["findings"]
                if f["severity"] == "error"]

    def test_each_mistake_of_a_file_is_told_with_its_place(self):
        paths = sorted(glob.glob(os.path.join(BAD, "*.yaml")))
        self.assertGreaterEqual(len(paths), 5)
        for path in paths:
            name = os.path.basename(path)
            with open(path, encoding="utf-8") as file:
                declared = set(re.findall(r"^ {0,2}(\w+):", file.read(), re.M))
            with self.subTest(name):
                if "verify" in declared:
                    declared.add("webhook_secret")
                found = self.check(use=path, **{"with": {
                    k: v for k, v in WITH.items() if k in declared}})
                told = [(int(line), int(column), words)
                        for line, column, words in expectations(path)]
                for line, column, words in told:
                    self.assertTrue(
                        any(f[:3] == (name, line, column) and
                            f[3].startswith(words) for f in found),
                        f"{line}:{column} {words!r} is not in {found}")
                self.assertEqual(
                    sorted(f[1:3] for f in found if f[0] == name),
                    sorted(t[:2] for t in told), found)

    def test_what_a_configuration_lacks_is_told_with_its_place(self):
        good = {"base": WITH["base"], "api_key": "k", "webhook_secret": "s"}
        lost = {k: v for k, v in good.items() if k != "webhook_secret"}
        for more, key, words in (
                ({"use": "petstroe"}, "use", "did you mean 'petstore'?"),
                ({"with": {**good, "webhook_secret": ""}}, "webhook_secret",
                 "is empty"),
                ({"with": {**lost, "webhook_secret_file": "none.secret"}},
                 "webhook_secret_file", "none.secret"),
                ({"with": {**good, "api_kye": "k"}}, "api_kye",
                 "did you mean 'api_key'?"),
                ({"event": {"id": "jsn:id"}}, "id",
                 'unknown source "jsn"; did you mean "json"?')):
            with self.subTest(key=key, words=words):
                agent = self.agent({"own": {"use": "petstore", "with": good,
                                            **more}})
                ran = agent.command("check", "--json")
                self.assertEqual(ran.returncode, 78)
                told = [f for f in json.loads(ran.stdout)["findings"]
                        if f["severity"] == "error"]
                with open(agent.config_path, encoding="utf-8") as file:
                    lines = file.read().split("\n")
                self.assertTrue(any(
                    words in f["message"] and
                    f'"{key}"' in lines[f["line"] - 1] for f in told), told)

    def test_a_pointer_into_data_of_two_shapes_is_warned_of(self):
        for more, pointer, count in (
                ({"data": "differs"}, "/data/total", 1), ({}, "/data/total", 0),
                ({"data": "differs"}, "/type", 0),
                # one channel has one shape
                ({"data": "differs", "with": {"webhook_secret": "s"}},
                 "/data/total", 0)):
            with self.subTest(more=more, pointer=pointer):
                agent = self.agent(
                    {"own": {"use": "petstore", "with": WITH, **more}},
                    handlers={"log": {"file": "events.jsonl",
                                      "where": [{"at": pointer,
                                                 "exists": True}]}})
                ran = agent.command("check")
                self.assertEqual(ran.returncode, 0, ran.stderr)
                told = (ran.stdout + ran.stderr).decode()
                self.assertEqual(told.count("in another from the list"), count,
                                 told)
