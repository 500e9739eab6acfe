# SPDX-License-Identifier: MIT
"""What the agent can reach of its machine: accounts of programs, the sandbox,
the modes of files."""
import ctypes
import errno
import functools
import json
import os
import pwd
import re
import signal
import struct
import subprocess
import unittest

import harness
from harness import Hook, iso, wait_until

IS_ROOT = os.geteuid() == 0
LIBC = ctypes.CDLL(None, use_errno=True)


def landlock():
    """The version that this kernel speaks; 0 for none, and where the program
    does without, to write where it was built."""
    if os.environ.get("LONGSTOP_COVERAGE"):
        return 0
    return max(0, LIBC.syscall(444, None, ctypes.c_size_t(0), 1))


LANDLOCK_CREATE = 444  # on every architecture


def answer_landlock(cause):
    """For the child before it is the agent: what its kernel says of Landlock,
    by a filter of calls (seccomp(2))."""
    def program(*steps):
        words = (struct.pack("HBBI", *step) for step in steps)
        code = ctypes.create_string_buffer(b"".join(words))
        return code, struct.pack("HxxxxxxP", len(steps),
                                 ctypes.addressof(code))

    code, prog = program((0x20, 0, 0, 0),  # load the number of the call
                         (0x15, 0, 1, LANDLOCK_CREATE),
                         (0x06, 0, 0, 0x00050000 | cause),
                         (0x06, 0, 0, 0x7fff0000))
    assert LIBC.prctl(38, 1, 0, 0, 0) == 0  # no new privileges
    assert LIBC.prctl(22, 2, prog, 0, 0) == 0
    del code


def threads(agent):
    """{name: {field: value}} of /proc/PID/task/TID/status"""
    found = {}
    path = f"/proc/{agent.child.pid}/task"
    for task in os.listdir(path):
        with open(f"{path}/{task}/status", encoding="ascii") as file:
            fields = dict(re.findall(r"^(\w+):\t(.*)$", file.read(), re.M))
        found.setdefault(fields["Name"], []).append(fields)
    return found


def confined(fields):
    return fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"


class Hands(harness.Case):
    def sandbox(self, agent):
        return json.loads(agent.admin("/api/v1/status").body)["sandbox"]

    def exec_agent(self, text, **more):
        agent = self.agent({"shop": harness.pet_store()})
        program = agent.script("handler.sh", text.replace("@", agent.dir))
        agent.config["handlers"] = {"fulfil": dict({"exec": [program]}, **more)}
        os.chmod(agent.dir, 0o755)
        agent.write_config()
        return agent


@unittest.skipUnless(IS_ROOT, "only root becomes another")
class User(Hands):
    ACCOUNT = pwd.getpwnam("nobody")

    def said(self, agent):
        """What the program wrote of itself."""
        try:
            with open(agent.path("open/said"), encoding="utf-8") as file:
                return file.read().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def run_as_nobody(self, **more):
        agent = self.exec_agent(
            "{ id -u; id -g; id -G; id -ru; cut -d' ' -f5 /proc/$$/stat; "
            "echo $$; ls /proc/$$/fd | grep -vc '^[0-2]$'; env | sort | "
            "cut -d= -f1 | tr '\\n' ' '; echo; "
            "grep -E '^(Cap(Eff|Prm)|NoNewPrivs|SigBlk|SigIgn)' /proc/self/"
            "status | cut -f2 | tr '\\n' ' '; echo; } > @/open/part\n"
            "mv @/open/part @/open/said\n"
            'while read -r line; do echo "$line" | sed \'s/.*"id":"\\([^"]*\\)".*/'
            '{"id":"\\1","ok":true}/\'; done\n', user="nobody", **more)
        os.mkdir(agent.path("open"))
        os.chmod(agent.path("open"), 0o777)
        agent.start()
        self.assertEqual(Hook(1, iso()).send(agent).status, 202)
        wait_until(lambda: self.said(agent), "the program has run")
        agent.wait_metric(1, "deliveries_total", handler="fulfil",
                          outcome="done")
        return self.said(agent)

    def test_a_program_runs_as_its_user_and_can_be_no_other(self):
        said = self.run_as_nobody()
        uid, gid = str(self.ACCOUNT.pw_uid), str(self.ACCOUNT.pw_gid)
        self.assertEqual(said[:4], [uid, gid, gid, uid])
        self.assertEqual(said[4], said[5], "a process group of its own")
        self.assertIn("LONGSTOP_EVENT_ID", said[7])
        self.assertNotIn("TMPDIR", said[7], "our environment")
        caps = said[8].split()
        self.assertEqual([int(word, 16) for word in caps[:2]], [0, 0],
                         "signals blocked or ignored")
        self.assertEqual(int(caps[2], 16) + int(caps[3], 16), 0)

    def test_a_worker_runs_as_its_user(self):
        said = self.run_as_nobody(worker=True)
        self.assertEqual(said[0], str(self.ACCOUNT.pw_uid))

    def test_a_number_is_an_account_and_others_are_refused_by_check(self):
        for user, good in ((self.ACCOUNT.pw_uid, True), ("nobody", True),
                           ("no-such-account", False), ("4000000001", False)):
            agent = self.exec_agent("true\n", user=str(user))
            done = agent.command("check")
            self.assertEqual(done.returncode, 0 if good else 78, user)
            if not good:
                self.assertIn(b"there is no account", done.stderr)

    def test_who_may_become_nobody_else_does_not_start(self):
        agent = self.exec_agent("true\n", user="daemon")
        os.chown(agent.dir, self.ACCOUNT.pw_uid, self.ACCOUNT.pw_gid)
        done = subprocess.run(
            [harness.LONGSTOP, "run", "-c", agent.config_path],
            env=harness.environment(), stdin=subprocess.DEVNULL,
            capture_output=True, user="nobody", group="nogroup",
            extra_groups=[], timeout=60, check=False)
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn(b"CAP_SETUID and CAP_SETGID", done.stderr)


class Sandbox(Hands):
    def test_without_programs_all_threads_are_in_it(self):
        agent = self.pet_shop()
        for name, tasks in threads(agent).items():
            for fields in tasks:
                self.assertTrue(confined(fields), name)
        self.assertTrue(self.sandbox(agent).startswith("no-new-privs, seccomp"))
        self.assertNotIn("programs", self.sandbox(agent))
        self.assertIn(b"sandbox: no-new-privs", agent.command("status").stdout)
        self.assertIn("the agent is in a sandbox" if landlock() else
                      "not all of the sandbox can be had", agent.log())

    def test_programs_are_not_in_it_and_the_rest_is(self):
        agent = self.exec_agent("grep -E '^(Seccomp|NoNewPrivs):' "
                                "/proc/self/status > @/part\n"
                                "echo x > @/../../$$.tmp && rm @/../../$$.tmp "
                                "&& mv @/part @/said\n").start()
        Hook(1, iso()).send(agent)
        wait_until(lambda: os.path.exists(agent.path("said")), "it has run")
        with open(agent.path("said"), encoding="ascii") as file:
            said = file.read().split()
        with open("/proc/self/status", encoding="ascii") as file:
            ours = re.findall(r"^(?:NoNewPrivs|Seccomp):\t(\d)", file.read(),
                              re.M)
        self.assertEqual(said[1::2], ours)
        for name, tasks in threads(agent).items():
            self.assertEqual([confined(fields) for fields in tasks],
                             [name != "spawner"] * len(tasks), name)
        self.assertIn("programs of handlers are not in it",
                      self.sandbox(agent))

    @unittest.skipUnless(landlock(), "the program does without")
    def test_what_the_kernel_lacks_is_told_and_what_it_denies_is_a_warning(
            self):
        for cause, level in ((errno.ENOSYS, "info"),
                             (errno.EOPNOTSUPP, "info"),
                             (errno.EPERM, "warn")):
            agent = self.agent({"shop": harness.pet_store()})
            agent.before = functools.partial(answer_landlock, cause)
            agent.start()
            said = re.findall(r"level=(\w+) .*not all of the sandbox.*",
                              agent.log())
            self.assertEqual(said, [level], agent.log())
            self.assertEqual(self.sandbox(agent), "no-new-privs, seccomp")
            refused = self.agent({"shop": harness.pet_store()},
                                 sandbox="require")
            refused.before = agent.before
            refused.launch()
            self.assertEqual(refused.child.wait(60), 78)
            self.assertIn("landlock: ", refused.log())

    def test_off_leaves_all_as_it_was(self):
        agent = self.pet_shop(sandbox="off")
        for tasks in threads(agent).values():
            self.assertFalse(any(confined(fields) for fields in tasks))
        self.assertEqual(self.sandbox(agent), "off")

    @unittest.skipUnless(landlock(), "no Landlock in this kernel")
    def test_require_starts_where_all_of_it_can_be_had(self):
        agent = self.pet_shop(sandbox="require")
        self.assertEqual(self.sandbox(agent), "no-new-privs, seccomp, landlock")
        self.assertEqual(Hook(1, iso()).send(agent).status, 202)
        agent.wait_events(1)

    @unittest.skipUnless(landlock(), "no Landlock in this kernel")
    def test_what_it_made_afterwards_is_below_its_directories_only(self):
        """A file handler whose folder turns into a link elsewhere once the
        sandbox stands gets no file there."""
        agent = self.agent({"shop": harness.pet_store()},
                           {"log": {"file": "out/events.jsonl",
                                    "retry": {"first": "50ms",
                                              "cap": "100ms"}}})
        other = agent.path("other")
        os.mkdir(agent.path("out"))
        outside = os.path.join("/var/tmp", os.path.basename(agent.dir))
        os.mkdir(outside)
        self.addCleanup(subprocess.run, ["rm", "-rf", outside], check=False)
        agent.start()
        os.rename(agent.path("out"), other)
        os.symlink(outside, agent.path("out"))
        agent.child.send_signal(signal.SIGHUP)  # it is opened again
        Hook(1, iso()).send(agent)
        wait_until(lambda: agent.metric("deliveries_total", handler="log",
                                        outcome="retry") > 0,
                   "it cannot be written")
        self.assertEqual(os.listdir(outside), [])
        os.unlink(agent.path("out"))
        os.rename(other, agent.path("out"))
        agent.wait_events(1, "out/events.jsonl")

    def test_a_word_that_is_none_is_refused(self):
        agent = self.agent({"shop": harness.pet_store()}, sandbox="on")
        done = agent.command("check")
        self.assertEqual(done.returncode, 78)
        self.assertIn(b"sandbox", done.stderr)


class Files(Hands):
    def test_what_it_keeps_is_its_own_whatever_the_umask(self):
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        agent = self.pet_shop(handlers={"log": {"file": "events.jsonl"}})
        os.umask(before)
        Hook(1, iso()).send(agent)
        agent.wait_events(1)
        for name in ("longstop.db", "longstop.db-wal", "longstop.db-shm",
                     "admin.sock", "events.jsonl"):
            mode = os.stat(agent.path(name)).st_mode & 0o777
            others = 0o007 if name == "admin.sock" else 0o077
            self.assertEqual(mode & others, 0, f"{name}: {mode:o}")


if __name__ == "__main__":
    unittest.main()
