# SPDX-License-Identifier: MIT
"""doctor: what it finds, with and without a running agent, and its ways out."""
import json
import os
import tarfile
import time
import unittest

import harness
from harness import Hook, iso, row
from test_admin import add_gap


class Doctor(harness.Case):
    def setUp(self):
        super().setUp()
        self.units = ""

    def shop(self, rows=(), **more):
        """An agent that has a provider, both channels, and is not started."""
        provider = self.provider(list(rows))
        agent = self.agent({"shop": harness.pet_store(provider)}, **more)
        os.chmod(agent.config_path, 0o600)
        return provider, agent

    def ask(self, agent, *words, code=0):
        got = agent.command("doctor", "--json", *words,
                            SYSTEMD_UNIT_PATH=self.units or agent.dir)
        self.assertEqual(got.returncode, code, got)
        told = json.loads(got.stdout)
        self.assertEqual(told["ok"], code == 0)
        return told["findings"]

    def of(self, findings, check):
        """(grade, words) of the findings of one check."""
        for finding in findings:
            self.assertEqual(finding["fix"] is None,
                             finding["grade"] == "ok", finding)
        return [(finding["grade"], finding["words"]) for finding in findings
                if finding["check"] == check]

    def one(self, findings, check):
        found = self.of(findings, check)
        self.assertEqual(len(found), 1, findings)
        return found[0]

    def test_all_is_well_with_an_agent_that_hooks_reach(self):
        _, agent = self.shop()
        agent.start()
        self.assertEqual(Hook(1, iso()).send(agent).status, 202)
        agent.wait_events(1)
        findings = self.ask(agent)
        self.assertEqual({f["grade"] for f in findings}, {"ok"}, findings)
        self.assertEqual([f["check"] for f in findings],
                         ["configuration", "modes", "room", "agent", "store",
                          "hooks", "gaps", "provider", "unit"])
        self.assertIn("webhooks come in; the last new event by one at ",
                      self.one(findings, "hooks")[1])
        self.assertEqual(self.one(findings, "provider"),
                         ("ok", "it answers, and the clocks agree"))

    def test_people_are_told_what_to_do(self):
        _, agent = self.shop()
        got = agent.command("doctor", SYSTEMD_UNIT_PATH=agent.dir)
        self.assertEqual(got.returncode, 0, got)
        text = got.stdout.decode()
        self.assertRegex(text, r"ok    configuration +\S+longstop.yaml: 2 "
                               r"files, 1 connector, 1 handler\n")
        self.assertRegex(text, r"warn  agent +\S+: no agent answers\n      "
                               r"fix: start it: ")
        self.assertRegex(text, r"\d+ ok, 2 to look at, 0 failed\n$")

    def test_without_an_agent_the_store_is_read_all_the_same(self):
        provider, agent = self.shop([row(1, iso())])
        agent.start()
        agent.wait_events(1)
        agent.stop()
        findings = self.ask(agent)
        self.assertEqual(self.one(findings, "agent")[0], "warn")
        self.assertEqual(self.one(findings, "store"), ("ok", "it is whole"))
        self.assertEqual(self.one(findings, "hooks"),
                         ("warn", "no webhook ever came, while the list "
                                  "brought 1 events"))
        provider.close()
        self.assertEqual(agent.start().command("status").returncode, 0)

    def test_requests_that_are_all_refused_are_a_failure(self):
        _, agent = self.shop()
        agent.start()
        Hook(1, iso(), secret="another").send(agent)
        harness.wait_until(
            lambda: agent.query("SELECT count(*) FROM refusal")[0][0] == 1,
            "the refusal is kept")
        grade, words = self.one(self.ask(agent, code=1), "hooks")
        self.assertEqual(grade, "fail")
        self.assertRegex(words, "none was accepted yet; the last, from "
                                r"127\.0\.0\.1.*: .+")

    def test_an_open_gap_fails(self):
        _, agent = self.shop()
        agent.start()
        agent.stop()
        add_gap(agent, 1000, 2000)
        self.assertEqual(self.one(self.ask(agent, code=1), "gaps"),
                         ("fail", "1 gap is open, the newest of this "
                                  "connector"))

    def test_a_damaged_store_is_told(self):
        _, agent = self.shop()
        agent.start()
        Hook(1, iso()).send(agent)
        agent.wait_events(1)
        agent.stop()
        with open(agent.path("longstop.db"), "r+b") as file:
            file.seek(0, os.SEEK_END)
            pages = file.tell() // 4096
            for page in range(2, pages):
                file.seek(page * 4096)
                file.write(b"\xff" * 512)
        grade, words = self.of(self.ask(agent, code=1), "store")[0]
        self.assertEqual(grade, "fail")
        self.assertIn("longstop.db", words)

    def test_a_clock_that_is_apart_is_told_with_its_span(self):
        provider, agent = self.shop()
        for apart, grade, words in ((-3600, "fail", "our clock is 59m"),
                                    (30, "warn", "our clock is 2")):
            provider.date = lambda apart=apart: time.time() + apart
            told = self.one(self.ask(agent, code=1 if grade == "fail" else 0),
                            "provider")
            self.assertEqual(told[0], grade)
            self.assertIn(words, told[1])
            self.assertTrue(told[1].endswith(
                "ahead of its own" if apart < 0 else "behind its own"), told)

    def test_a_provider_is_asked_without_any_credential(self):
        provider, agent = self.shop()
        provider.default = harness.replies(403)
        server = provider.server.RequestHandlerClass
        server.do_HEAD = server.do_GET
        self.ask(agent)
        self.assertEqual([(a.method, a.path, a.headers.get("Authorization"))
                          for a in provider.asked], [("HEAD", "/", None)])
        self.assertEqual(self.of(self.ask(agent, "--offline"), "provider"), [])

    def test_a_provider_that_is_not_there_fails(self):
        provider, agent = self.shop()
        provider.close()
        self.assertEqual(self.one(self.ask(agent, code=1), "provider")[0],
                         "fail")

    def test_modes_that_let_others_in_are_told_by_file(self):
        _, agent = self.shop()
        agent.start()
        agent.stop()
        os.chmod(agent.path("longstop.db"), 0o644)
        os.chmod(agent.config_path, 0o664)
        findings = self.ask(agent, code=1)
        self.assertEqual([grade for grade, _ in self.of(findings, "modes")],
                         ["fail", "warn", "warn"])
        fixes = [f["fix"] for f in findings if f["check"] == "modes"]
        self.assertEqual(fixes[0], "chmod go-w " + agent.config_path)
        self.assertEqual(fixes[2],
                         "chmod o-rwx " + agent.path("longstop.db"))

    def test_a_configuration_changed_since_the_start_is_told(self):
        _, agent = self.shop()
        agent.start()
        later = time.time() + 5
        os.utime(agent.config_path, (later, later))
        self.assertEqual(self.one(self.ask(agent), "agent"),
                         ("warn", "it was changed after the agent had read "
                                  "it"))

    def test_a_broken_configuration_is_all_that_is_told(self):
        _, agent = self.shop()
        agent.config["storee"] = "x"
        agent.write_config()
        findings = self.ask(agent, code=1)
        self.assertEqual([f["check"] for f in findings], ["configuration"])
        self.assertIn("1 error; the first, in line ", findings[0]["words"])
        got = harness.longstop("doctor", "-c", agent.path("none.yaml"))
        self.assertEqual(got.returncode, 1)

    def test_units_that_drifted_are_told(self):
        _, agent = self.shop()
        for name in ("etc", "lib"):
            os.mkdir(agent.path(name))
        self.units = agent.path("etc") + ":" + agent.path("lib")

        def unit(name, program, more=""):
            with open(agent.path(name + "/longstop.service"), "w",
                      encoding="utf-8") as file:
                file.write(f"[Service]\nExecStart={program} run{more}\n")

        self.assertEqual(self.one(self.ask(agent), "unit"),
                         ("ok", "there is no systemd unit longstop.service"))
        for program, more, grade, words in (
                (harness.LONGSTOP, "", "ok", "it starts "),
                ("/no/longstop", "", "fail", "which is not there"),
                (harness.LONGSTOP, " -c /etc/other.yaml", "warn",
                 "it reads /etc/other.yaml"),
                (harness.LONGSTOP, " -c " + agent.config_path, "ok",
                 "it starts ")):
            unit("lib", program, more)
            found = self.one(self.ask(agent, code=int(grade == "fail")),
                             "unit")
            self.assertEqual(found[0], grade)
            self.assertIn(words, found[1])
        unit("etc", harness.LONGSTOP)
        grade, words = self.one(self.ask(agent), "unit")
        self.assertEqual(grade, "warn")
        self.assertIn("it hides " + agent.path("lib"), words)


class Bundle(harness.Case):
    """What may be given to others, and what never is in it."""

    SECRETS = ["hush-argument", "hush-variable", "hush-user", "hush-path",
               "hush-query", "hush-header", "hush-signature", "hush-admin",
               "hush-comment", harness.SECRET, harness.TOKEN]

    def read(self, path):
        """{name: text}"""
        with tarfile.open(path, "r:gz") as archive:
            return {os.path.basename(member.name):
                    archive.extractfile(member).read().decode()
                    for member in archive.getmembers()}

    def shop(self, **more):
        url = "http://hush-user:x@127.0.0.1:9/hush-path?k=hush-query"
        try:
            return self.agent(
                {"shop": harness.pet_store(self.provider())},
                {"run": {"exec": ["cat", "hush-argument"],
                         "env": {"A": "hush-variable"}},
                 "to": {"http": {"url": url.replace("hush-user:x@", ""),
                                 "secret": "hush-signature",
                                 "headers": {"X-Key": "hush-header"}}}},
                admin={"address": "unix:admin.sock", "token": "hush-admin"},
                **more)
        finally:
            self.url = url

    def bundle(self, agent, code, *words):
        path = agent.path("bundle.tar.gz")
        got = agent.command("doctor", "--bundle", path, "--offline", *words,
                            SYSTEMD_UNIT_PATH=agent.dir)
        self.assertEqual(got.returncode, code, got)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        texts = self.read(path)
        for name, text in texts.items():
            for secret in self.SECRETS:
                self.assertNotIn(secret, text, name)
        return texts

    def test_it_shows_what_helps_and_no_secret(self):
        agent = self.shop()
        with open(agent.config_path, "a", encoding="utf-8") as file:
            file.write("\n# hush-comment\n")
        agent.launch()
        harness.wait_until(lambda: agent.command("status").returncode == 0,
                           "the agent answers")
        Hook(1, iso()).send(agent)
        with open(agent.path("a.log"), "w", encoding="utf-8") as log:
            log.write("level=info msg=x key=hush-admin hush-variable "
                      "hush-signature " + harness.TOKEN + " " +
                      harness.TOKEN.replace(" ", "%20").replace("'", "%27") +
                      "\n")
        texts = self.bundle(agent, 0, "--log", agent.path("a.log"))
        self.assertEqual(sorted(texts),
                         ["README.txt", "check.json", "configuration.yaml",
                          "doctor.json", "doctor.txt", "log.txt",
                          "metrics.txt", "status.json"])
        self.assertEqual(texts["log.txt"],
                         "level=info msg=x key=*** *** *** *** ***\n")
        self.assertIn("longstop_build_info", texts["metrics.txt"])
        self.assertEqual(json.loads(texts["status.json"])["store"], "ok")
        shown = texts["configuration.yaml"]
        with open(agent.path("shown.yaml"), "w", encoding="utf-8") as file:
            file.write(shown)
        got = harness.longstop("check", "-c", agent.path("shown.yaml"))
        self.assertNotIn(b"YAML", got.stderr)
        self.assertNotIn(b"unknown key", got.stderr)
        for line in ('"use": "petstore"', '"every": "1s"',
                     '"api_key": "***"', '"base": "http://127.0.0.1:',
                     '"X-Key": "***"', '"token": "***"'):
            self.assertIn(line, shown)

    def test_a_refused_configuration_is_shown_without_its_secrets(self):
        agent = self.shop()
        agent.config["handlers"]["to"]["http"]["url"] = self.url
        agent.config["storee"] = "x"
        agent.write_config()
        texts = self.bundle(agent, 1)
        self.assertEqual(sorted(texts), ["README.txt", "check.json",
                                         "configuration.yaml", "doctor.json",
                                         "doctor.txt"])
        self.assertIn('"storee": "***"', texts["configuration.yaml"])

    def test_the_end_of_a_long_log_begins_with_a_whole_line(self):
        agent = self.shop()
        with open(agent.path("a.log"), "w", encoding="utf-8") as log:
            for number in range(40000):
                log.write(f"line {number}\n")
        text = self.bundle(agent, 0, "--log", agent.path("a.log"))["log.txt"]
        self.assertRegex(text, r"^line \d+\n")
        self.assertTrue(text.endswith("line 39999\n"))
        self.assertLessEqual(len(text), 262144)
        os.truncate(agent.path("a.log"), 1 << 36)  # longer than memory
        with open(agent.path("a.log"), "a", encoding="utf-8") as log:
            log.write("\nline 40000\n")
        text = self.bundle(agent, 0, "--log", agent.path("a.log"))["log.txt"]
        self.assertEqual(text, "line 40000\n")
        got = agent.command("doctor", "--offline", "--bundle",
                            agent.path("no/b.tar.gz"))
        self.assertEqual(got.returncode, 1)
        self.assertIn(b"--bundle: ", got.stderr)


if __name__ == "__main__":
    unittest.main()
