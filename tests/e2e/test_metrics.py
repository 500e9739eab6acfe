# SPDX-License-Identifier: MIT
"""Metrics as Prometheus reads them, and the rules and dashboard that go with
them. promtool is Debian's, of the package prometheus."""
import json
import os
import re
import shutil
import subprocess
import unittest

import harness
from harness import Hook, iso, row

SHIPPED = os.path.join(harness.HERE, "..", "..", "schema", "prometheus")
PROMETHEUS = ("application/openmetrics-text;version=1.0.0,"
              "application/openmetrics-text;version=0.0.1;q=0.75,"
              "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
# Of what Prometheus itself adds.
THEIRS = {"up", "ALERTS"}


def promtool(case, *words, stdin=b"", cwd=None):
    program = shutil.which("promtool")
    if program is None:
        case.skipTest("there is no promtool: install the package prometheus")
    got = subprocess.run([program, *words], input=stdin, cwd=cwd, timeout=120,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         check=False)
    case.assertEqual(got.returncode, 0, got.stdout.decode())


class Metrics(harness.Case):
    def scraped(self, agent, accept=None):
        fields = {} if accept is None else {"Accept": accept}
        got = agent.admin("/metrics", **fields)
        self.assertEqual(got.status, 200)
        return got.headers["Content-Type"], got.body.decode()

    def shop(self):
        agent = self.pet_shop(self.provider([row(1, iso())]))
        Hook(2, iso()).send(agent)
        Hook(3, iso(), secret="another").send(agent)
        agent.wait_events(2)
        return agent

    def test_promtool_finds_nothing_to_say(self):
        kind, text = self.scraped(self.shop())
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        self.assertNotIn("# EOF", text)
        promtool(self, "check", "metrics", stdin=text.encode())

    def test_openmetrics_is_for_who_prefers_it(self):
        agent = self.shop()
        kind, text = self.scraped(agent, PROMETHEUS)
        self.assertEqual(kind, "application/openmetrics-text; version=1.0.0; "
                               "charset=utf-8")
        self.assertTrue(text.endswith("\n# EOF\n"))
        self.assertIn("# TYPE longstop_events counter\n", text)
        self.assertIn('\nlongstop_events_total{connector="shop",', text)
        self.assertEqual(text.count("# EOF"), 1)
        for accept in ("*/*", "text/plain", "application/json",
                       "application/openmetrics-text;q=0.1,text/plain;q=0.2",
                       "application/openmetrics-text;q=0"):
            self.assertIn("text/plain", self.scraped(agent, accept)[0], accept)

    def test_labels_are_of_connectors_and_handlers_only(self):
        text = self.scraped(self.shop())[1]
        labels = set(re.findall(r'[{,](\w+)="', text))
        self.assertLessEqual(labels, {"connector", "handler", "outcome", "via",
                                      "version", "le"})

    def test_alerts_and_dashboard_ask_for_what_there_is(self):
        text = self.scraped(self.shop())[1]
        families = set(re.findall(r"^(\w+)(?:\{| )", text, re.M))
        with open(os.path.join(SHIPPED, "alerts.yml"),
                  encoding="utf-8") as file:
            asked = "\n".join(re.findall(r"expr: (.*)", file.read()))
        with open(os.path.join(SHIPPED, "dashboard.json"),
                  encoding="utf-8") as file:
            panels = json.load(file)["panels"]
        asked += "\n".join(target["expr"] for panel in panels
                           for target in panel["targets"])
        names = set(re.findall(r"\blongstop_\w+", asked))
        self.assertGreater(len(names), 10)
        # with certificates only: test_tls has some
        families.add("longstop_certificate_expiry_timestamp_seconds")
        self.assertLessEqual(names, families)
        for name, label, value in re.findall(
                r'(longstop_\w+)\{(outcome)!?="(\w+)"', asked):
            self.assertRegex(text, rf'{name}\{{[^}}]*{label}="{value}"')


class Rules(unittest.TestCase):
    def test_the_alerts_are_rules_and_fire_when_they_should(self):
        promtool(self, "check", "rules", "alerts.yml", cwd=SHIPPED)
        promtool(self, "test", "rules", "alerts.test.yml", cwd=SHIPPED)

    def test_each_alert_has_words_and_is_tested(self):
        with open(os.path.join(SHIPPED, "alerts.yml"),
                  encoding="utf-8") as file:
            text = file.read()
        with open(os.path.join(SHIPPED, "alerts.test.yml"),
                  encoding="utf-8") as file:
            tests = file.read()
        names = re.findall(r"- alert: (\w+)", text)
        for word in ("summary:", "description:", "severity:"):
            self.assertEqual(text.count(word), len(names), word)
        for name in names:
            self.assertIn(f'alertname="{name}"', tests)


if __name__ == "__main__":
    unittest.main()
