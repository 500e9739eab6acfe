# SPDX-License-Identifier: MIT
"""store backup, check, restore and copy: beside an agent under load, and after it."""
import json
import os
import sqlite3
import threading

import harness
from harness import Hook, iso, wait_until
from test_faults import faulty

SENDERS = 3


class Load(threading.Thread):
    """Sends webhooks, each a new one, until it is told to end."""

    def __init__(self, agent, first):
        super().__init__(daemon=True)
        self.agent = agent
        self.first = first
        self.acked = []
        self.over = threading.Event()

    def run(self):
        order = self.first
        while not self.over.is_set():
            if Hook(order, iso()).send(self.agent).status == 202:
                self.acked.append(order)
            order += 1


def orders_in(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        whole = db.execute("PRAGMA integrity_check").fetchall()
        rows = db.execute("SELECT json_extract(body,'$.data.order.id') "
                          "FROM event").fetchall()
        known = db.execute("SELECT count(*) FROM ledger").fetchone()[0]
    finally:
        db.close()
    return whole, {row[0] for row in rows}, known


class Store(harness.Case):
    def shop(self):
        agent = self.pet_shop()
        wait_until(agent.is_ready, "the agent is ready")
        return agent

    def store(self, agent, *words, code=0):
        got = agent.command("store", *words)
        self.assertEqual(got.returncode, code, got.stdout + got.stderr)
        got.stdout, got.stderr = got.stdout.decode(), got.stderr.decode()
        return got

    def test_a_backup_under_load_is_whole_and_has_all_that_was_acknowledged(
            self):
        agent = self.shop()
        threads = [Load(agent, 1000 * (i + 1)) for i in range(SENDERS)]
        for thread in threads:
            thread.start()
        for n in range(5):
            wait_until(lambda n=n: all(len(t.acked) > 10 * n for t in threads),
                       "there is a load")
            before = {order for t in threads for order in t.acked[:]}
            path = agent.path(f"backup-{n}.db")
            said = json.loads(self.store(agent, "backup", path,
                                         "--json").stdout)
            whole, orders, _ = orders_in(path)
            self.assertEqual(whole, [("ok",)])
            self.assertEqual(before - orders, set())
            self.assertEqual(said["events"], len(orders))
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            self.assertEqual(sorted(name for name in os.listdir(agent.dir)
                                    if name.startswith(f"backup-{n}")),
                             [f"backup-{n}.db"])
        for thread in threads:
            thread.over.set()
        for thread in threads:
            thread.join()
        self.store(agent, "check")
        self.assertEqual(agent.stop()[0], 0)

    def test_a_restored_agent_goes_on_and_knows_what_the_backup_knew(self):
        agent = self.shop()
        hooks = [Hook(n, iso()) for n in range(20)]
        for hook in hooks[:12]:
            self.assertEqual(hook.send(agent).status, 202)
        agent.wait_events(12)
        self.store(agent, "backup", agent.path("b.db"))
        for hook in hooks[12:]:
            self.assertEqual(hook.send(agent).status, 202)
        agent.wait_events(20)
        got = self.store(agent, "restore", agent.path("b.db"), code=75)
        self.assertIn(str(agent.child.pid), got.stderr)
        self.assertEqual(agent.stop()[0], 0)
        said = self.store(agent, "restore", agent.path("b.db")).stdout
        self.assertIn("the watermark of then", said)
        kept, = [name for name in os.listdir(agent.dir)
                 if name.startswith("longstop.db.before-restore-")]
        self.assertEqual(len(orders_in(agent.path(kept))[1]), 20)
        agent.start()
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(12,)])
        for hook in hooks:
            self.assertEqual(hook.send(agent).status, 202)
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(20,)])
        agent.wait_events(28)  # 20, and the 8 that it did not know any more
        self.assertEqual(agent.stop()[0], 0)

    def test_an_agent_goes_on_with_a_copy_of_its_store(self):
        agent = self.shop()
        hooks = [Hook(n, iso()) for n in range(20)]
        for hook in hooks:
            self.assertEqual(hook.send(agent).status, 202)
        agent.wait_events(20)
        old, new = (f"sqlite:{agent.path(name)}"
                    for name in ("longstop.db", "copy.db"))
        got = agent.command("store", "copy", old, new)
        self.assertEqual(got.returncode, 75)  # the agent has it
        self.assertEqual(agent.stop()[0], 0)
        got = agent.command("store", "copy", old, new)
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertIn(b"event              20", got.stdout)
        os.replace(agent.path("copy.db"), agent.path("longstop.db"))
        for end in ("-wal", "-shm"):
            if os.path.exists(agent.path("longstop.db" + end)):
                os.remove(agent.path("longstop.db" + end))
        agent.start()
        for hook in hooks:
            self.assertEqual(hook.send(agent).status, 202)
        self.assertEqual(Hook(99, iso()).send(agent).status, 202)
        agent.wait_events(21)
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(21,)])
        self.assertEqual(agent.stop()[0], 0)

    def test_a_store_that_was_killed_is_kept_with_its_log(self):
        agent = self.shop()
        self.store(agent, "backup", agent.path("empty.db"))
        for n in range(9):
            self.assertEqual(Hook(n, iso()).send(agent).status, 202)
        agent.kill()
        self.store(agent, "backup", agent.path("after.db"))
        self.assertEqual(len(orders_in(agent.path("after.db"))[1]), 9)
        self.store(agent, "restore", agent.path("empty.db"))
        kept, = [name for name in os.listdir(agent.dir)
                 if name.startswith("longstop.db.before-restore-")
                 and not name.endswith(("-wal", "-shm"))]
        self.assertEqual(len(orders_in(agent.path(kept))[1]), 9)
        agent.start()
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(0,)])

    def test_what_is_no_whole_backup_is_refused_and_nothing_changes(self):
        agent = self.shop()
        for n in range(40):
            Hook(n, iso()).send(agent)
        self.store(agent, "backup", agent.path("b.db"))
        self.store(agent, "backup", agent.path("b.db"), code=1)
        self.assertEqual(agent.stop()[0], 0)
        with open(agent.path("b.db"), "rb") as file:
            good = file.read()
        with open(agent.path("longstop.db"), "rb") as file:
            before = file.read()
        middle = len(good) // 2
        for name, data, code in (
                ("damaged", good[:middle] + os.urandom(9000) +
                 good[middle + 9000:], 74),
                ("cut", good[:middle], 74),
                ("other", b"no database at all" * 100, 74)):
            with self.subTest(name):
                with open(agent.path(name), "wb") as file:
                    file.write(data)
                self.store(agent, "check", agent.path(name), code=code)
                self.store(agent, "restore", agent.path(name), code=code)
        foreign = sqlite3.connect(agent.path("foreign.db"))
        foreign.execute("CREATE TABLE t(a)")
        foreign.commit()
        foreign.close()
        self.store(agent, "restore", agent.path("foreign.db"), code=78)
        self.store(agent, "restore", agent.path("longstop.db"), code=1)
        self.store(agent, "restore", agent.path("none.db"), code=1)
        with open(agent.path("longstop.db"), "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual([n for n in os.listdir(agent.dir)
                          if "before" in n or n.endswith(".restore")], [])
        agent.start()

    def test_a_damaged_store_is_said_by_check_and_mended_by_restore(self):
        agent = self.shop()
        for n in range(40):
            Hook(n, iso()).send(agent)
        self.store(agent, "backup", agent.path("b.db"))
        self.assertEqual(agent.stop()[0], 0)
        size = os.path.getsize(agent.path("longstop.db"))
        with open(agent.path("longstop.db"), "r+b") as file:
            file.seek(4096)
            file.write(os.urandom(size - 4096))
        got = self.store(agent, "check", code=74)
        self.assertIn("damaged", got.stderr)
        self.store(agent, "backup", agent.path("c.db"), code=74)
        self.assertFalse(os.path.exists(agent.path("c.db")))
        self.store(agent, "restore", agent.path("b.db"))
        agent.start()
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(40,)])

    def crash_at_every_step(self, agent, *words):
        """Runs a command, ending it at its n-th durable step, for every n."""
        step = 0
        while True:
            step += 1
            self.assertLess(step, 400)
            got = agent.command("store", *words, LONGSTOP_CRASH_AT=str(step))
            self.assertIn(got.returncode, (0, 86), got.stderr)
            yield step
            if got.returncode == 0:
                return

    def test_a_crash_at_any_step_of_a_restore_leaves_the_one_or_the_other(self):
        agent = self.shop()
        self.store(agent, "backup", agent.path("empty.db"))
        for n in range(3):
            Hook(n, iso()).send(agent)
        agent.wait_events(3)
        self.assertEqual(agent.stop()[0], 0)
        self.store(agent, "backup", agent.path("three.db"))
        for step in self.crash_at_every_step(agent, "restore",
                                             agent.path("empty.db")):
            whole, orders, _ = orders_in(agent.path("longstop.db"))
            self.assertEqual(whole, [("ok",)], f"step {step}")
            self.assertIn(len(orders), (0, 3), f"step {step}")
            kept = [name for name in os.listdir(agent.dir)
                    if name.startswith("longstop.db.before-restore-") and
                    name[-1].isdigit()]
            self.assertTrue(len(orders) == 3 or any(
                len(orders_in(agent.path(name))[1]) == 3 for name in kept),
                f"step {step}")
            for name in kept:
                os.unlink(agent.path(name))
            if not orders:
                self.store(agent, "restore", agent.path("three.db"))
        agent.start()

    def test_a_crash_at_any_step_of_a_backup_leaves_none_or_a_whole_one(self):
        agent = self.shop()
        Hook(1, iso()).send(agent)
        path = agent.path("b.db")
        for step in self.crash_at_every_step(agent, "backup", path):
            if os.path.exists(path):
                self.assertEqual(orders_in(path)[:2], ([("ok",)], {1}),
                                 f"step {step}")
                os.unlink(path)

    def test_a_disk_that_fails_leaves_no_part_and_the_store_as_it_was(self):
        faulty(self)
        agent = self.shop()
        for n in range(5):
            Hook(n, iso()).send(agent)
        self.store(agent, "backup", agent.path("good.db"))
        for fault in ("full:5", "write:0", "torn:9:always", "read:3:always"):
            with self.subTest(fault):
                got = agent.command("store", "backup", agent.path("b.db"),
                                    LONGSTOP_STORE_FAULT=fault)
                self.assertEqual(got.returncode, 74, got.stderr)
                self.assertEqual([name for name in os.listdir(agent.dir)
                                  if name.startswith("b.db")], [])
        self.assertEqual(agent.stop()[0], 0)
        for fault in ("full:5", "write:7", "read:3:always"):
            with self.subTest("restore " + fault):
                got = agent.command("store", "restore", agent.path("good.db"),
                                    LONGSTOP_STORE_FAULT=fault)
                self.assertEqual(got.returncode, 74, got.stderr)
                self.assertEqual(
                    [name for name in os.listdir(agent.dir)
                     if "before" in name or "restore" in name], [])
        agent.start()
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(5,)])

    def test_a_file_that_has_no_room_leaves_nothing_behind(self):
        agent = self.shop()
        got = self.store(agent, "backup", agent.path("no/such/folder.db"),
                         code=74)
        self.assertIn("no/such", got.stderr)
        for words in (("backup",), ("restore",), ("mend", "x")):
            self.store(agent, *words, code=2)
