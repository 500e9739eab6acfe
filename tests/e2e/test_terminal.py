# SPDX-License-Identifier: MIT
"""What somebody sees at a terminal: how far a command is, and Ctrl-C."""
import os
import pty
import signal
import subprocess
import time

import harness
from harness import Hook, iso, row, wait_until


class Terminal(harness.Case):
    def shop(self, **more):
        provider = self.provider([row(i, iso()) for i in range(5)])
        agent = self.pet_shop(provider, **more)
        agent.wait_events(5)
        return agent

    def begin(self, agent, *words, out=None, **env):
        """Starts a command whose stdout (unless `out`) and stderr are a
        terminal; returns it and the terminal."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        child = subprocess.Popen(
            [harness.LONGSTOP, words[0], "-c", agent.config_path, *words[1:]],
            stdin=subprocess.DEVNULL, stdout=theirs if out is None else out,
            stderr=theirs, env=harness.environment(**{"TERM": "xterm", **env}))
        os.close(theirs)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child, ours

    def read(self, ours):
        """All that is written until nobody writes any more."""
        text = b""
        try:
            while chunk := os.read(ours, 4096):
                text += chunk
        except OSError:
            pass
        return text.decode()

    def seen(self, agent, *words, **more):
        child, ours = self.begin(agent, *words, **more)
        text = self.read(ours)
        self.assertEqual(child.wait(30), 0, text)
        return text

    def test_long_commands_show_how_far_they_are(self):
        agent = self.shop()
        path = agent.path("kept.jsonl")
        for words, form in (
                (["export", path], r"\r5 events +\r +\r5 events"),
                (["import", path], r"\r\[#{20}\] 100 %  0 events +\r +\r"),
                (["replay", "--all", "--yes", "--rate", "10/s"],
                 r"\r\[[#-]+\] +[\d.]+ %"),
                (["backfill", "shop", "--since", "1h"],
                 r"\r\[[#-]+\] +[\d.]+ %|backfill done")):
            self.assertRegex(self.seen(agent, *words), form, words)
        for words in (["export", path], ["import", path]):
            self.assertNotIn("\r\x20", self.seen(agent, *words, TERM="dumb"))
        with open(path, "wb") as file:
            text = self.seen(agent, "export", out=file)
        self.assertIn("\r5 events", text)
        with open(path, "rb") as file:
            self.assertEqual(file.read().count(b"\n"), 5)

    def test_off_a_terminal_nothing_moves(self):
        agent = self.shop()
        path = agent.path("kept.jsonl")
        for words in (["export", path], ["import", path],
                      ["replay", "--all", "--yes"],
                      ["backfill", "shop", "--since", "1h"]):
            got = agent.command(*words)
            self.assertEqual(got.returncode, 0, got)
            self.assertNotIn(b"\r", got.stdout + got.stderr, words)

    def test_the_first_ctrl_c_says_how_it_goes_on(self):
        agent = self.shop()
        child, ours = self.begin(agent, "replay", "--all", "--yes", "--rate",
                                 "1/60s")
        wait_until(lambda: os.read(ours, 4096), "a bar")
        child.send_signal(signal.SIGINT)
        self.assertIn("--cancel", self.read(ours))
        self.assertEqual(child.wait(20), 75)

    def test_a_second_ctrl_c_ends_a_command_at_once(self):
        agent = self.shop()
        child, ours = self.begin(agent, "replay", "--all", "--yes", "--rate",
                                 "1/60s")
        wait_until(lambda: os.read(ours, 4096), "a bar")
        agent.child.send_signal(signal.SIGSTOP)  # no answer comes
        self.addCleanup(agent.child.send_signal, signal.SIGCONT)
        time.sleep(0.5)  # it asks four times a second
        child.send_signal(signal.SIGINT)
        with self.assertRaises(subprocess.TimeoutExpired):
            child.wait(0.5)
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(20), -signal.SIGINT)

    def test_a_second_ctrl_c_ends_the_agent_at_once(self):
        agent = self.agent({"shop": harness.pet_store()}, handlers={
            "slow": {"exec": ["/bin/sleep", "600"], "timeout": "1h"}}).start()
        Hook(1, iso()).send(agent)
        wait_until(lambda: agent.metric("pending_deliveries", handler="slow"),
                   "it runs")
        agent.child.send_signal(signal.SIGINT)
        wait_until(lambda: "stopping" in agent.log(), "it begins to end")
        agent.child.send_signal(signal.SIGINT)
        agent.wait_end()
        # no attempt was waited for, or asked to end
        self.assertIn("handlers are still running", agent.log())
