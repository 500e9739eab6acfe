# SPDX-License-Identifier: MIT
"""The service: what its manager is told, the sockets it hands over, its unit."""
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
import unittest

import harness
from harness import BUILD, Hook, iso, row, wait_until

UNITS = os.path.join(harness.HERE, "..", "..", "packaging", "systemd")


def have(*programs):
    """Skips a test where one of the programs is not there."""
    missing = [name for name in programs if not shutil.which(name)]
    return unittest.skipIf(missing, f"no {', '.join(missing)} here")


class Manager:
    """The other end of $NOTIFY_SOCKET."""

    def __init__(self, case, agent, **env):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        case.addCleanup(self.socket.close)
        self.socket.bind(agent.path("notify"))
        agent.env.update(NOTIFY_SOCKET=agent.path("notify"), **env)

    def hear(self, seconds=harness.PATIENCE):
        """What is said next; "" when nothing was in time."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(4096).decode()
        except TimeoutError:
            return ""

    def wait(self, pattern):
        """Returns the match in the first of what is said that has one."""
        deadline = time.monotonic() + harness.PATIENCE
        heard = []
        while time.monotonic() < deadline:
            heard.append(self.hear())
            found = re.search(pattern, heard[-1])
            if found:
                return found
        raise AssertionError(f"no {pattern} in {heard}")


class Told(harness.Case):
    def test_ready_comes_first_then_how_it_stands_with_each_beat(self):
        agent = self.agent({"shop": harness.pet_store()})
        manager = Manager(self, agent, WATCHDOG_USEC="400000")
        agent.start()
        self.assertEqual(manager.hear(), "READY=1")
        for _ in range(3):
            self.assertEqual(
                manager.hear(), "WATCHDOG=1\nSTATUS=1 connector; 1 handler; "
                "0 deliveries waiting")
        self.assertEqual(agent.stop()[0], 0)
        manager.wait("STOPPING=1")

    def test_without_a_watchdog_only_the_status_is_told(self):
        agent = self.agent({"shop": harness.pet_store()})
        manager = Manager(self, agent)
        agent.start()
        manager.wait("READY=1")
        self.assertTrue(manager.hear().startswith("STATUS=1 connector;"))

    def test_the_status_names_who_fails_and_counts_what_waits(self):
        provider = self.provider([row(1, iso())])
        provider.script += [harness.replies(500)] * 50
        agent = self.agent(
            {"shop": harness.pet_store(provider)},
            {"fulfil": {"exec": ["/bin/false"],
                        "retry": {"first": "1d", "cap": "1d"}}})
        manager = Manager(self, agent, WATCHDOG_USEC="400000")
        agent.start()
        manager.wait(r"STATUS=1 connector, 1 failing \(shop\);")
        self.assertEqual(Hook(50, iso()).send(agent).status, 202)
        manager.wait(r"; 1 delivery waiting$")

    def test_no_beat_comes_while_the_store_does_not_answer(self):
        agent = self.agent({"shop": harness.pet_store()})
        manager = Manager(self, agent, WATCHDOG_USEC="200000")
        agent.start()
        manager.wait("WATCHDOG=1")
        lock = sqlite3.connect(agent.path("longstop.db"), timeout=30,
                               isolation_level=None)
        self.addCleanup(lock.close)
        lock.execute("BEGIN IMMEDIATE")
        sender = threading.Thread(target=Hook(1, iso()).send, args=[agent])
        sender.start()
        # Its thread waits for the lock now, and the loop for its thread.
        wait_until(lambda: manager.hear(1) == "", "no beat comes")
        self.assertEqual(agent.health("/livez"), 200)
        lock.execute("ROLLBACK")
        manager.wait("WATCHDOG=1")
        sender.join(harness.PATIENCE)


class Activated(harness.Case):
    @have("systemd-socket-activate")
    def test_a_sender_that_comes_before_the_agent_is_served_by_it(self):
        agent = self.agent({"shop": harness.pet_store()})
        agent.config["listen"]["address"] = "fd:webhook"
        agent.write_config()
        with open(agent.path("agent.log"), "ab") as log:
            agent.child = subprocess.Popen(
                ["systemd-socket-activate", "-l", f"127.0.0.1:{agent.port}",
                 "--fdname=webhook", *(f"-E{name}={value}" for name, value
                                       in harness.environment().items()),
                 harness.LONGSTOP, "run", "-c", agent.config_path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=harness.environment())
        wait_until(lambda: "Listening on" in agent.log(), "somebody listens")
        self.assertFalse(os.path.exists(agent.socket))
        self.assertEqual(Hook(1, iso()).send(agent).status, 202)
        agent.wait_events(1)
        self.assertEqual(agent.stop()[0], 0)


class Shell(harness.Case):
    """What somebody types beside an agent whose secrets are credentials."""

    def served(self):
        """An agent that systemd has given its secret."""
        connector = harness.pet_store()
        connector["with"]["webhook_secret"] = "credential:shop"
        agent = self.agent({"shop": connector})
        os.mkdir(agent.path("given"))
        with open(agent.path("given/shop"), "w", encoding="ascii") as file:
            file.write(harness.SECRET)
        agent.env = {"CREDENTIALS_DIRECTORY": agent.path("given")}
        return agent.start()

    def test_commands_that_ask_the_agent_need_no_secret(self):
        agent = self.served()
        Hook(1, iso()).send(agent)
        agent.wait_events(1)
        for words in ("status", "events", "show 1", "gaps", "keys shop",
                      "refusals", "dead", "errands", "receivers",
                      "pause shop", "resume shop", "export",
                      "replay 1 --handler log", "retry --all", "drop --all"):
            got = agent.command(*words.split())
            self.assertIn(got.returncode, (0, 1), (words, got))
            self.assertNotIn(b"credential", got.stderr, words)

    def test_a_broken_connector_does_not_keep_one_from_asking(self):
        agent = self.served()
        agent.config["connectors"]["shop"]["use"] = "no-such-file.yaml"
        agent.write_config()
        self.assertEqual(agent.command("check").returncode, 78)
        self.assertEqual(agent.command("status").returncode, 0)

    def test_check_says_where_it_looked_for_the_credential(self):
        agent = self.served()
        got = agent.command("check")
        self.assertEqual(got.returncode, 78)
        self.assertIn(b"LoadCredential=shop:/etc/credstore/shop", got.stderr)

    def test_root_finds_the_running_units_credentials_by_itself(self):
        agent = self.served()
        got = subprocess.run(
            ["unshare", "--mount", "sh", "-c",
             "mount -t tmpfs none /run || exit 99; "
             "mkdir -p /run/credentials && "
             "cp -R \"$1\" /run/credentials/longstop.service && "
             "chmod -R go= /run/credentials/longstop.service && "
             "\"$2\" check -c \"$3\" && exec setpriv --reuid 65534 "
             "--clear-groups \"$2\" check -c \"$3\"", "sh",
             agent.path("given"), harness.LONGSTOP, agent.config_path],
            capture_output=True, env=harness.environment(), cwd="/",
            timeout=60, check=False)
        if got.returncode in (1, 99) and b"check" not in got.stderr:
            self.skipTest("no mount of one's own here")
        self.assertIn(b"shop", got.stdout)
        # and somebody else is told that it is root's to read
        self.assertEqual(got.returncode, 78, got)


class Newcomer(harness.Case):
    """From 'init --service' to the first event, in a mount namespace where
    /etc/longstop, /var/lib/longstop and the like are the unit's."""

    STEPS = """
set -e
mount -t tmpfs none /run || exit 99
mkdir -p /etc/longstop /var/lib/longstop
for at in /etc/longstop /var/lib/longstop; do mount -t tmpfs none $at; done
mkdir -p /etc/credstore; mount -t tmpfs none /etc/credstore
chmod 700 /etc/credstore
$LONGSTOP init stripe --service >/etc/longstop/longstop.yaml
sed -i "s/127.0.0.1:8080/127.0.0.1:$PORT/; s/every: 60s/every: 1h /" \
    /etc/longstop/longstop.yaml
cd /
echo == check without secrets
$LONGSTOP check || echo ended $?
umask 077
echo sk_test_1234567890 >/etc/credstore/stripe.api_key
echo whsec_abcdefgh >/etc/credstore/stripe.secret
echo == check
$LONGSTOP check
echo == run
mkdir -p /run/longstop /run/credentials/longstop.service
grep -o 'LoadCredential=.*' /etc/longstop/longstop.yaml | \
while IFS=:= read -r _ name path; do
    cp "$path" "/run/credentials/longstop.service/$name"
done
STATE_DIRECTORY=/var/lib/longstop RUNTIME_DIRECTORY=/run/longstop \
CREDENTIALS_DIRECTORY=/run/credentials/longstop.service \
    $LONGSTOP run -c /etc/longstop/longstop.yaml 2>/run/log & agent=$!
for i in $(seq 200); do
    $LONGSTOP status >/dev/null 2>&1 && break; sleep 0.1
done
echo == status
$LONGSTOP status
ls /var/lib/longstop /run/longstop
kill $agent; wait $agent
echo == over
"""

    def test_a_service_is_found_by_commands_that_are_told_nothing(self):
        for path in ("/etc/longstop", "/var/lib/longstop", "/etc/credstore"):
            if not os.path.exists(path):  # a place to mount at, for now
                self.addCleanup(lambda path=path: os.path.isdir(path) and
                                os.rmdir(path))
        got = subprocess.run(
            ["unshare", "--mount", "sh", "-c", self.STEPS],
            capture_output=True, text=True, timeout=120, check=False,
            env=harness.environment(LONGSTOP=harness.LONGSTOP,
                                    PORT=str(harness.free_port())), cwd="/")
        if got.returncode in (1, 99) and "==" not in got.stdout:
            self.skipTest("no mount of one's own here")
        said = dict(part.partition("\n")[::2] for part in
                    ("\n" + got.stdout).split("\n== ")[1:])
        self.assertIn("ended 78", said["check without secrets"])
        self.assertEqual(got.stderr.count("/etc/credstore"), 4, got.stderr)
        self.assertIn("0 warnings", said["check"])
        self.assertIn("store sqlite:/var/lib/longstop/longstop.db",
                      said["check"])
        self.assertIn("stripe (stripe): webhook and poll", said["status"])
        self.assertIn("longstop.db", said["status"])
        self.assertIn("admin.sock", said["status"])
        self.assertIn("over", said, got.stdout + got.stderr)


class Unit(unittest.TestCase):
    def setUp(self):
        with open(os.path.join(BUILD, "systemd", "longstop.service"),
                  encoding="utf-8") as file:
            self.text = file.read()

    def unit(self):
        """The unit with a program that is there."""
        place = harness.tempfile.mkdtemp(prefix="longstop-e2e-")
        self.addCleanup(shutil.rmtree, place)
        path = os.path.join(place, "longstop.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(r"(?m)^(Exec\w+)=\S+",
                              rf"\1={harness.LONGSTOP}", self.text))
        return path

    def test_it_starts_the_program_where_it_is_installed(self):
        self.assertRegex(self.text, r"(?m)^ExecStart=/\S+/bin/longstop run -c")

    @have("systemd-analyze")
    def test_systemd_understands_both_units(self):
        got = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", self.unit(),
             os.path.join(UNITS, "longstop.socket")],
            capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual((got.returncode, got.stderr), (0, ""))

    def test_it_lets_the_program_into_its_own_sandbox(self):
        """These calls are in none of the sets that are allowed by name."""
        allowed = re.findall(r"(?m)^SystemCallFilter=([^~].*)$", self.text)
        words = " ".join(allowed).split()
        for call in ("seccomp", "landlock_create_ruleset",
                     "landlock_add_rule", "landlock_restrict_self"):
            self.assertIn(call, words)

    @have("systemd-analyze")
    def test_its_exposure_is_15_of_100_at_most(self):
        got = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager",
             "--threshold=15", self.unit()],
            capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(got.returncode, 0, got.stdout[-2000:] + got.stderr)
        self.assertIn("Overall exposure level", got.stdout)

    def test_the_example_beside_it_is_a_good_configuration(self):
        place = harness.tempfile.mkdtemp(prefix="longstop-e2e-")
        self.addCleanup(shutil.rmtree, place)
        with open(os.path.join(place, "shop"), "w", encoding="ascii") as file:
            file.write("whsec_" + "c2VjcmV0" * 4)
        got = harness.longstop("check", "-c",
                               os.path.join(UNITS, "longstop.yaml"),
                               CREDENTIALS_DIRECTORY=place)
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
