#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""memory: lets the n-th allocation of a whole run of the agent fail, and every
later one too; then starts it again and compares."""
import argparse
import concurrent.futures
import importlib.util
import itertools
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location(
    "crash_run", os.path.join(os.path.dirname(HERE), "crash", "run.py"))
crash = importlib.util.module_from_spec(spec)
spec.loader.exec_module(crash)

# How an agent without memory may end: in order, or with words.
ENDS = (0, 1, 74, 75)
REPORT = re.compile(r"AddressSanitizer|runtime error|LeakSanitizer|PRE\(")
COUNT = re.compile(r"^allocations: (\d+)$", re.M)
# Where nothing works any more nobody is waited for that long.
PATIENCE = {False: 20, True: 3}


class Life(crash.Life):
    hooks = 4

    def log(self):
        with open(os.path.join(self.dir, "agent.log"), encoding="utf-8",
                  errors="replace") as log:
            return log.read()

    def play_short(self, number, always):
        """Runs once with too little memory; returns how the agent ended."""
        os.environ.pop("LONGSTOP_MEMORY_FAIL", None)
        agent = self.start_with(f"{number}{':always' if always else ''}")
        try:
            self.wait_begun(agent)
            deadline = time.monotonic() + PATIENCE[always]
            for hook in range(self.hooks):
                self.send(agent, hook, deadline)
            self.wait_done(agent, deadline)
            if agent.poll() is None:
                agent.send_signal(signal.SIGTERM)
            return agent.wait(timeout=60)
        finally:
            if agent.poll() is None:
                agent.kill()
                agent.wait()

    def wait_begun(self, agent):
        """Until it serves or has ended: before, a signal is not its to take."""
        deadline = time.monotonic() + 60
        while agent.poll() is None and time.monotonic() < deadline and \
                "longstop is running" not in self.log():
            time.sleep(0.05)

    def start_with(self, value):
        """crash.Life.start, with another variable."""
        log = open(os.path.join(self.dir, "agent.log"), "ab")
        with log:
            return crash.subprocess.Popen(
                [self.options.bin, "run", "-c",
                 os.path.join(self.dir, "longstop.yaml")],
                env=dict(os.environ, LONGSTOP_MEMORY_FAIL=value),
                stdout=log, stderr=log)


def check(options, provider, index, number, always):
    """Returns (allocations that were asked for, what is wrong)."""
    directory = tempfile.mkdtemp(prefix="longstop-memory-")
    wrong = []
    life = Life(options, provider, directory, index)
    try:
        code = life.play_short(number, always)
    except crash.subprocess.TimeoutExpired:
        code = "no end"
    if code not in ENDS:
        wrong.append(f"it ended with {code}")
    if REPORT.search(life.log()):
        wrong.append("a sanitizer has something to say")
    counts = [int(count) for count in COUNT.findall(life.log())]
    # A process that crashes does not say.
    count = counts[-1] if counts else number + 1
    again = life.play(0)
    if again != 0:
        wrong.append(f"the run after it ended with {again}")
    for name, lost in life.missing().items():
        if lost:
            wrong.append(f"{name} never got {sorted(lost)}")
    for name in ("exec.out", "file.out"):
        # The one that failed may not have been heard to be done.
        often = {key: n for key, n in crash.keys_of(
            os.path.join(directory, name)).items() if n > 3}
        if often:
            wrong.append(f"{name} got more than its attempts: {often}")
    if wrong:
        wrong.append(f"kept: {directory}")
    else:
        shutil.rmtree(directory)
    return count, wrong


def numbers(options):
    """Places, growing; with --every K one of each K, which one by the seed."""
    at = options.first + options.seed % options.every
    while True:
        yield at
        at += options.every


def run_mode(options, provider, always, index):
    """Lives until one asks for fewer allocations than its number."""
    lives = failed = most = 0
    places = numbers(options)
    over = False
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        while not over and failed < 5 and lives < options.most:
            batch = list(itertools.islice(places, options.jobs))
            looks = pool.map(lambda number: check(
                options, provider, next(index), number, always), batch)
            for number, (count, wrong) in zip(batch, looks):
                lives += 1
                most = max(most, count)
                over = over or count <= number
                failed += bool(wrong)
                for words in wrong:
                    print(f"allocation {number}{' and on' * always}: {words}",
                          flush=True)
    print(f"{'from an allocation on' if always else 'one allocation'}: "
          f"{lives} lives of {most} allocations, {failed} wrong", flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--most", type=int, default=1000000, help="lives")
    parser.add_argument("--jobs", type=int, default=3, help="lives at a time")
    parser.add_argument("--mode", choices=("once", "always", "both"),
                        default="both")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    provider = crash.Provider()
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    index = itertools.count(1)
    modes = [mode for name, mode in (("once", False), ("always", True))
             if options.mode in (name, "both")]
    failed = sum(run_mode(options, provider, mode, index) > 0
                 for mode in modes)
    print(f"{len(modes) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
