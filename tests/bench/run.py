#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench: how fast the agent is, as ratios from one run.

Prints medians and ranges over alternating rounds. Never fails on a clock: the
column at the right only says whether a floor was met here and now.
"""

import argparse
import contextlib
import json
import os
import platform
import resource
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

SECRET = "whsec_bench"
CONFIG = """\
store: sqlite:{dir}/{store}
listen:
  address: 127.0.0.1:{port}
  connections_per_address: 4096
connectors:
  pay:
    use: stripe
    with: {{webhook_secret: {secret}}}
{connector}
{handlers}
{limits}
"""
POLL_CONFIG = """\
connectors:
  pay:
    use: stripe
    with: {api_key: key}
"""
FILE_HANDLER = "handlers: {{log: {{file: {dir}/events.jsonl}}}}"


# ---- the machine ----

def busy_seconds():
    """CPU time the machine has spent on anything, per /proc/stat."""
    with open("/proc/stat", encoding="ascii") as stat:
        fields = [int(x) for x in stat.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def wait_idle(limit=3.0):
    """Waits until the machine is mostly idle, but not for ever."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        before = busy_seconds()
        time.sleep(0.2)
        if (busy_seconds() - before) / 0.2 < 0.15 * os.cpu_count():
            return


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def disk_sync(directory, seconds):
    """Appends 8 KiB and syncs; p50 and p99 in ms, and how many a second."""
    path = os.path.join(directory, "append")
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    block = b"x" * 8192
    took = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        os.write(descriptor, block)
        os.fdatasync(descriptor)
        took.append((time.perf_counter() - begin) * 1e3)
    os.close(descriptor)
    os.unlink(path)
    took.sort()
    return {"rate": len(took) / seconds, "p50": took[len(took) // 2],
            "p99": took[len(took) * 99 // 100]}


# ---- the agent ----

class Agent:
    """One `longstop run` on a store of its own, or on one that is there."""

    def __init__(self, bench, name, store=None, connector="", handlers="",
                 limits=""):
        self.bench = bench
        self.dir = os.path.join(bench.dir, name)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.mkdir(self.dir)
        self.port = free_port()
        path = os.path.join(self.dir, "longstop.yaml")
        with open(path, "w", encoding="utf-8") as config:
            config.write(CONFIG.format(
                dir=bench.dir if store else self.dir,
                store=store or "longstop.db", port=self.port, secret=SECRET,
                connector=connector, handlers=handlers.format(dir=self.dir),
                limits=limits))
        self.log = open(os.path.join(self.dir, "log"), "wb")
        environment = dict(os.environ, LONGSTOP_CONNECTORS=bench.connectors)
        environment.pop("STATE_DIRECTORY", None)
        environment.pop("RUNTIME_DIRECTORY", None)
        self.process = subprocess.Popen(
            [os.path.join(bench.options.bin, "longstop"), "run", "-c", path],
            stdout=self.log, stderr=self.log, env=environment)
        self.wait_listening()

    def wait_listening(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        with open(os.path.join(self.dir, "log"), encoding="utf-8") as log:
            sys.exit("the agent did not start:\n" + log.read())

    def load(self, connections, seconds):
        return self.bench.run("bench_load", "--port", self.port, "--secret",
                              SECRET, "--connections", connections,
                              "--seconds", seconds, "--path", "/hooks/pay")

    def drain(self):
        """Seconds until nothing is owed any more."""
        begin = time.monotonic()
        store = "file:%s/longstop.db?mode=ro" % self.dir
        with contextlib.closing(sqlite3.connect(store, uri=True)) as look:
            while time.monotonic() < begin + 60:
                if look.execute("SELECT 1 FROM delivery LIMIT 1").fetchone() \
                        is None:
                    return time.monotonic() - begin
                time.sleep(0.01)
        sys.exit("deliveries are still owed after a minute")

    def memory(self):
        """Resident and anonymous MiB."""
        found = {}
        path = "/proc/%d/smaps_rollup" % self.process.pid
        with open(path, encoding="ascii") as rollup:
            for line in rollup:
                word = line.split()
                if word[0] in ("Rss:", "Anonymous:"):
                    found[word[0]] = int(word[1]) / 1024
        return found["Rss:"], found["Anonymous:"]

    def switches(self):
        """How often its threads went to sleep, in all."""
        total = 0
        tasks = "/proc/%d/task" % self.process.pid
        for task in os.listdir(tasks):
            path = os.path.join(tasks, task, "status")
            with open(path, encoding="ascii") as status:
                for line in status:
                    if line.startswith("voluntary_ctxt_switches"):
                        total += int(line.split()[1])
        return total

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.dir = directory
        root = os.path.dirname(os.path.abspath(__file__))
        self.connectors = os.path.join(root, "..", "..", "connectors")
        self.figures = {}
        self.foreign = []
        signal_only = "    event: {mode: signal}"
        # What is compared stands side by side: disks and hosts drift.
        self.steps = [
            ("sync", self.sync),
            ("writer.bare", lambda: self.writer(0)),
            ("hook.signal", lambda: self.hook(64, connector=signal_only)),
            ("hook.64", lambda: self.hook(64)),
            ("hook.full", lambda: self.hook(64, store="full.db")),
            ("hook.single", lambda: self.hook(64, limits="limits: {group: 1}")),
            ("hook.file", lambda: self.hook(64, handlers=FILE_HANDLER)),
            ("writer.owed", lambda: self.writer(1)),
            ("writer.full", lambda: self.writer(1, "full.db")),
            ("hook.256.signal", lambda: self.hook(256, connector=signal_only)),
            ("hook.256", lambda: self.hook(256)),
            ("poll.known", lambda: self.poll("known", "memory")),
            ("poll.http", lambda: self.poll("known", "http")),
            ("poll.fresh", lambda: self.poll("fresh", "memory")),
            ("exec", lambda: self.children(4)),
            ("exec.none", lambda: self.children(0)),
            ("bare.spawn", lambda: self.bare("spawn", 4)),
            ("handler.exec", lambda: self.handler("exec", 4)),
            ("handler.worker", lambda: self.handler("worker", 4)),
            ("handler.ahead", lambda: self.handler("worker", 128, ahead=64)),
            ("handler.http", lambda: self.posts(self.handler, "http", 16)),
            ("bare.curl", lambda: self.posts(self.bare, "curl", 16)),
        ]

    def program(self, name):
        return os.path.join(os.path.abspath(self.options.bin), "bench", name)

    def run(self, name, *words):
        environment = dict(os.environ, LONGSTOP_CONNECTORS=self.connectors)
        command = [self.program(name)] + [str(word) for word in words]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False,
                              env=environment)
        if done.returncode != 0:
            sys.exit("%s ended with %d" % (" ".join(command), done.returncode))
        return json.loads(done.stdout)

    def scratch(self):
        """A store that is not there."""
        path = os.path.join(self.dir, "scratch.db")
        for end in ("", "-wal", "-shm", ".lock"):
            if os.path.exists(path + end):
                os.unlink(path + end)
        return path

    # ---- the steps; each returns what it has measured ----

    def sync(self):
        return disk_sync(self.dir, min(1.0, self.options.seconds))

    def writer(self, owed, store=None):
        path = os.path.join(self.dir, store) if store else self.scratch()
        return self.run("bench_writer", "--store", "sqlite:" + path, "--owed",
                        owed, "--batch", 32, "--seconds", self.options.seconds)

    def hook(self, connections, **given):
        agent = Agent(self, "agent", **given)
        found = agent.load(connections, self.options.seconds)
        found["rss"], found["anonymous"] = agent.memory()
        if given.get("handlers"):
            seconds = self.options.seconds
            found["whole"] = found["rate"] * seconds / (seconds + agent.drain())
        agent.stop()
        if found["refused"]:
            print("    %d answers were %d" % (found["refused"],
                                              found["refused_as"]))
        return found

    def poll(self, rows, by):
        config = os.path.join(self.dir, "poll.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(POLL_CONFIG)
        return self.run("bench_poll", "--config", config, "--store",
                        "sqlite:" + self.scratch(), "--rows", rows, "--by", by,
                        "--seconds", self.options.seconds)

    def children(self, at_once):
        return self.run("bench_exec", "--program", self.program("bench_child"),
                        "--at-once", at_once, "--seconds",
                        self.options.seconds)

    def run_counted(self, *words):
        """Also the CPU time of an event: it minds neighbours less."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = self.run(*words)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = (after.ru_utime - before.ru_utime + after.ru_stime -
                 before.ru_stime)
        events = max(1, found["rate"] * self.options.seconds)
        found["cpu_us"] = 1e6 * spent / events
        return found

    def bare(self, kind, at_once, url=""):
        return self.run_counted("bench_bare", "--kind", kind, "--at-once", at_once,
                        "--program", self.program("bench_child"), "--url", url,
                        "--seconds", self.options.seconds)

    def handler(self, kind, at_once, url="", ahead=1):
        return self.run_counted("bench_handler", "--kind", kind, "--at-once", at_once,
                        "--ahead", ahead, "--program",
                        self.program("bench_child"), "--url", url,
                        "--seconds", self.options.seconds)

    def posts(self, measure, kind, at_once):
        """Against a receiver of its own."""
        with subprocess.Popen([self.program("bench_server")],
                              stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as server:
            port = int(server.stdout.readline())
            found = measure(kind, at_once, "http://127.0.0.1:%d/" % port)
            server.stdin.close()
        return found

    # ---- the run ----

    def fill(self):
        """A store whose ledger has been in use for a month."""
        path = os.path.join(self.dir, "full.db")
        self.run("bench_writer", "--store", "sqlite:" + path, "--seconds", 0)
        count = 10_000_000 if self.options.long else 1_000_000
        span = 30 * 86400
        first = int(time.time()) - span

        def keys():
            for i in range(count):
                second = first + i * span // count
                # Bytes 5 to 16 in order too: only the filling is faster.
                yield (second.to_bytes(4, "big") + i.to_bytes(12, "big"),
                       i + 1)

        store = sqlite3.connect(path, isolation_level=None)
        store.execute("PRAGMA synchronous=OFF")
        store.execute("BEGIN")
        store.executemany("INSERT INTO ledger(k,event,channels)"
                          " VALUES(?,?,1)", keys())
        store.execute("COMMIT")
        store.close()
        # Else the first steps would share the disk with the rest of it.
        with open(path, "rb+") as file:
            os.fsync(file.fileno())
        return count

    def measure(self, name, step):
        wait_idle()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        own, busy, begin = time.process_time(), busy_seconds(), time.monotonic()
        found = step()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = (time.process_time() - own + after.ru_utime - usage.ru_utime +
               after.ru_stime - usage.ru_stime)
        span = (time.monotonic() - begin) * os.cpu_count()
        self.foreign.append(max(0.0, (busy_seconds() - busy - own) / span))
        self.figures.setdefault(name, []).append(found)

    def wants(self, part):
        return part in (self.options.only or part)

    def rounds(self):
        only = self.options.only.split(",") if self.options.only else None
        for number in range(self.options.rounds):
            steps = self.steps if number % 2 == 0 else self.steps[::-1]
            print("round %d of %d" % (number + 1, self.options.rounds),
                  flush=True)
            for name, step in steps:
                if only is None or name in only:
                    self.measure(name, step)

    def idle(self):
        agent = Agent(self, "idle", handlers=FILE_HANDLER)
        time.sleep(3)
        rss, anonymous = agent.memory()
        before = agent.switches()
        time.sleep(10)
        wakeups = (agent.switches() - before) / 10
        agent.stop()
        return {"rss": rss, "anonymous": anonymous, "wakeups": wakeups}


# ---- the table ----

class Table:
    def __init__(self, figures):
        self.figures = figures

    def values(self, name, key="rate"):
        return [found[key] for found in self.figures.get(name, [])]

    def ratios(self, above, below, key="rate"):
        pairs = zip(self.values(above, key), self.values(below, key))
        return [a / b for a, b in pairs if b]

    @staticmethod
    def text(value):
        if value >= 1000:
            return format(round(value), ",")
        return "%.2f" % value if value < 100 else "%.0f" % value

    def row(self, what, values, floor=None, aim="", below=False):
        """`below`: the floor is a ceiling."""
        if not values:
            return
        middle = statistics.median(values)
        verdict = ""
        if floor is not None:
            good = middle < floor if below else middle >= floor
            verdict = "ok" if good else "BELOW" if not below else "ABOVE"
        bound = "" if floor is None else \
            ("< " if below else ">= ") + self.text(floor)
        value = self.text(middle)
        if len(values) > 1:
            value += " [%s-%s]" % (self.text(min(values)),
                                   self.text(max(values)))
        print("%-52s %-10s %-7s %-26s %s" % (what, bound, aim, value, verdict))

    def print_hooks(self):
        ratios, values = self.ratios, self.values
        self.row("webhooks/s, 64 connections, no handler", values("hook.64"))
        self.row("  p50 ms", [v / 1e3 for v in values("hook.64", "p50_us")])
        self.row("  p99 ms", [v / 1e3 for v in values("hook.64", "p99_us")])
        self.row("webhooks/s, one file handler", values("hook.file"))
        self.row("  until all are settled / without a handler",
                 [whole / alone for whole, alone in
                  zip(values("hook.file", "whole"), values("hook.64"))], 0.5)
        self.row("writer alone, batch 32, events/s", values("writer.bare"))
        self.row("  with a delivery and its end", values("writer.owed"))
        self.row("listener / writer alone", ratios("hook.64", "writer.bare"),
                 0.5, "0.66")
        self.row("  both with deliveries (file handler)",
                 ratios("hook.file", "writer.owed"))
        self.row("listener / one event a commit",
                 ratios("hook.64", "hook.single"), 4, "5.5")
        self.row("listener / the same not storing",
                 ratios("hook.64", "hook.signal"), 0.25, "0.31")
        self.row("  at 256 connections",
                 ratios("hook.256", "hook.256.signal"))
        self.row("not storing, requests/s", values("hook.signal"))
        self.row("disk: append 8 KiB and fdatasync, p50 ms",
                 values("sync", "p50"))
        self.row("  p99 ms", values("sync", "p99"))

    def print_handlers(self):
        ratios, values = self.ratios, self.values

        def costs(above, below):
            return ratios(above, below, "cpu_us")
        self.row("exec handler / bare posix_spawn and wait",
                 ratios("handler.exec", "bare.spawn"), 0.8)
        self.row("  by CPU time", costs("bare.spawn", "handler.exec"), 0.8)
        self.row("worker / exec, 4 at a time",
                 ratios("handler.worker", "handler.exec"), 20)
        self.row("  64 ahead, 2 programs",
                 ratios("handler.ahead", "handler.exec"), 20)
        self.row("  events/s", values("handler.ahead"))
        self.row("http handler / bare libcurl, 16 at a time",
                 ratios("handler.http", "bare.curl"), 0.7)
        self.row("  by CPU time", costs("bare.curl", "handler.http"), 0.7)
        self.row("  events/s", values("handler.http"))

    def print_all(self, idle, keys):
        ratios, values = self.ratios, self.values
        print("%-52s %-10s %-7s %s" % ("figure", "floor", "proto",
                                       "median [range]"))
        self.print_hooks()
        self.row("full ledger / empty, behind the listener",
                 ratios("hook.full", "hook.64"), 0.8, "0.99")
        self.row("  the writer alone (%s keys)" % format(keys, ","),
                 ratios("writer.full", "writer.owed"), 0.8, "0.99")
        self.row("poll: known rows/s, scanner to ledger",
                 values("poll.known"), 100000, "222,000")
        self.row("  through libcurl", values("poll.http"), 50000, "76,000")
        self.row("  first sightings", values("poll.fresh"), 60000, "113,000")
        self.row("exec: children/s, 4 at a time", values("exec"), 1000,
                 "1,800")
        self.row("  a 1 ms timer meanwhile, late p50 ms",
                 [v / 1e3 for v in values("exec", "late_p50_us")])
        self.row("  the same without children",
                 [v / 1e3 for v in values("exec.none", "late_p50_us")])
        self.print_handlers()
        self.row("resident MiB after load", values("hook.64", "rss"))
        if idle is None:
            return
        self.row("idle: resident MiB", [idle["rss"]], 18, "12", True)
        self.row("idle: anonymous MiB", [idle["anonymous"]], 4, "1.8", True)
        self.row("idle: wake-ups/s", [idle["wakeups"]], 1, "", True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="the build directory")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--long", action="store_true",
                        help="a ledger of 10 million keys, not of one")
    parser.add_argument("--dir", help="where the stores go: a real disk")
    parser.add_argument("--only", help="steps, by name, with commas")
    parser.add_argument("--json", help="write all figures to this file")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="longstop-bench-", dir=options.dir)
    try:
        bench = Bench(options, directory)
        keys = bench.fill() if bench.wants("full") else 0
        bench.rounds()
        idle = bench.idle() if not options.only else None
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    Table(bench.figures).print_all(idle, keys)
    print("%s, %d cores; CPU taken by others: median %.0f %%, most %.0f %%" % (
        platform.machine(), os.cpu_count(),
        100 * statistics.median(bench.foreign or [0]),
        100 * max(bench.foreign or [0])))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"figures": bench.figures, "idle": idle}, file)


if __name__ == "__main__":
    main()
