# SPDX-License-Identifier: MIT
"""The program's own log: its forms, what is folded, where its ids lead."""
import json
import os
import pty
import re
import subprocess

import harness
from harness import Hook, iso, wait_until

LINE = r'ts=\S+Z level=(error|warn|info|debug) msg="(?:[^"\\]|\\.)*"' \
       r'( [a-z_0-9]+=([^\s"]+|"(?:[^"\\]|\\.)*"))*'


def unsigned(number):
    return Hook(number, iso(), secret="another's")


class Forms(harness.Case):
    def started(self, form, stderr, **env):
        """An agent whose stderr is `stderr`."""
        agent = self.agent({"shop": harness.pet_store()},
                           log={"format": form} if form else {})
        agent.child = subprocess.Popen(
            [harness.LONGSTOP, "run", "-c", agent.config_path],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=stderr, env=harness.environment(**env), cwd=agent.dir)
        wait_until(lambda: agent.health() == 200, "the agent is ready")
        return agent

    def file_lines(self, form, journal=False):
        place = os.path.join(harness.tempfile.mkdtemp(), "log")
        self.addCleanup(harness.shutil.rmtree, os.path.dirname(place))
        with open(place, "wb") as log:
            info = os.fstat(log.fileno())
            stream = f"{info.st_dev}:{info.st_ino}"
            agent = self.started(form, log,
                                 JOURNAL_STREAM=stream if journal else "0:0")
        unsigned(1).send(agent)
        agent.stop()
        with open(place, encoding="utf-8") as log:
            return log.read().splitlines()

    def test_in_a_file_each_line_is_logfmt_with_its_time(self):
        lines = self.file_lines(None)
        self.assertGreaterEqual(len(lines), 3)
        for line in lines:
            self.assertRegex(line, f"^{LINE}$")

    def test_as_json_each_line_is_an_object(self):
        told = [json.loads(line) for line in self.file_lines("json")]
        for words in ("longstop is running", "webhook refused"):
            self.assertIn(words, [line["msg"] for line in told])
        for line in told:
            self.assertRegex(line["ts"], r"^\d{4}-\d\d-\d\dT.*Z$")
            self.assertIn(line["level"], ("error", "warn", "info", "debug"))

    def test_in_the_journal_a_line_has_its_priority_and_no_time(self):
        lines = self.file_lines(None, journal=True)
        for words in ('<6>level=info msg="longstop is running"',
                      '<4>level=warn msg="webhook refused"'):
            self.assertTrue([line for line in lines
                             if line.startswith(words)], lines)
        for line in lines:
            self.assertRegex(line, r"^<[3467]>level=")

    def test_on_a_terminal_a_line_is_for_people(self):
        ours, theirs = pty.openpty()
        agent = self.started(None, theirs)
        os.close(theirs)
        agent.stop()
        text = b""
        try:
            while chunk := os.read(ours, 4096):
                text += chunk
        except OSError:
            pass  # the other end is closed
        os.close(ours)
        self.assertRegex(text.decode(), r"(?m)^\d\d:\d\d:\d\d\.\d{3} "
                                        r"info  longstop is running ")


class Repeats(harness.Case):
    def said(self, agent, words):
        return [line for line in agent.log().splitlines() if words in line]

    def test_a_line_that_comes_again_is_counted_and_said_at_the_end(self):
        agent = self.pet_shop(self.provider(), log={})
        hook = unsigned(1)
        hook.send(agent)
        wait_until(lambda: self.said(agent, "webhook refused"),
                   "the first is said at once")
        for _ in range(3):
            hook.send(agent)
        agent.stop()
        lines = self.said(agent, "webhook refused")
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(lines[1], r'msg="webhook refused \(repeated 3 times '
                                   r'in \d+s\)" repeated=3 connector=shop ')

    def test_what_was_counted_is_said_when_its_time_is_over(self):
        agent = self.pet_shop(self.provider(), log={"fold": "1s"})
        hook = unsigned(1)
        for _ in range(3):
            hook.send(agent)
        wait_until(lambda: "(repeated 2 times in 1s)" in agent.log(),
                   "the count is said")
        self.assertEqual(len(self.said(agent, "webhook refused")), 2)

    def test_a_reload_takes_up_another_time(self):
        agent = self.pet_shop(self.provider(), log={"fold": "1h"})
        hook = unsigned(1)
        for _ in range(3):
            hook.send(agent)
        agent.config["log"] = {"fold": "0s"}
        agent.write_config()
        self.assertEqual(agent.command("reload").returncode, 0)
        wait_until(lambda: "(repeated 2 times in 1s)" in agent.log(),
                   "what was counted is said")
        for _ in range(2):
            hook.send(agent)
        wait_until(lambda: len(self.said(agent, "webhook refused")) == 4,
                   "each is said")

    def test_fold_0s_says_every_line(self):
        agent = self.pet_shop(self.provider(), log={"fold": "0s"})
        hook = unsigned(1)
        for _ in range(3):
            hook.send(agent)
        wait_until(lambda: len(self.said(agent, "webhook refused")) == 3,
                   "all are said")
        self.assertNotIn("repeated", agent.log())


class Ids(harness.Case):
    def test_a_line_about_a_delivery_leads_to_show(self):
        agent = self.pet_shop(handlers={
            "picky": {"exec": ["/bin/sh", "-c", "echo no such part; exit 65"]}})
        Hook(7, iso()).send(agent)
        wait_until(lambda: "delivery is dead" in agent.log(), "it is dead")
        line = [at for at in agent.log().splitlines()
                if "delivery is dead" in at][0]
        names = dict(re.findall(r" (\w+)=(\S+)", line))
        got = agent.command("show",
                            names["connector"] + "/" + names["event"])
        self.assertEqual(got.returncode, 0, got)
        self.assertIn(b"no such part", got.stdout)
