#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Worlds by seed: all of them pass, and without each rule one of them fails."""
import argparse
import os
import re
import subprocess
import sys

# A seed that misses each rule, asked first: looking for one takes minutes. One
# that misses it no longer is found again among all, and to be noted here.
MISSED_BY = {
    "inclusive": 8, "overlap": 4, "id-overlap": 2, "settle": 2,
    "clock-first": 6, "their-clock": 1, "whole-walk": 1, "restart": 276,
    "no-resume": 1856, "no-page": 1, "gap": 36, "one-commit": 1,
    "stored-first": 13, "ack-durable": 1, "unique": 1, "probes": 22,
    "prune-floor": 72, "fence": 17, "lane": 3,
}

SUMMARY = re.compile(r"(\d+) passed, (\d+) failed")
FAILED = re.compile(r"FAILED seed (\d+): (.*)")


def simulate(options, first, last, *more, limit=1800):
    """Runs seeds `first` to `last`; the exit code and what was printed."""
    argv = [options.bin, "--seeds", f"{first}..{last}", "-j",
            str(options.jobs), *more]
    try:
        done = subprocess.run(argv, capture_output=True, text=True,
                              timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return -1, f"no end after {limit} s"
    return done.returncode, done.stdout + done.stderr


def rule_names(options):
    listed = subprocess.run([options.bin, "--rules"], capture_output=True,
                            text=True, check=True).stdout
    return [line.split()[0] for line in listed.splitlines()]


def first_miss(options, name):
    """The least seed found that fails without the rule, and how."""
    known = MISSED_BY.get(name)
    ranges = [(1, options.rule_seeds)]
    if known is not None:
        ranges.insert(0, (known, known))
    for first, last in ranges:
        _, text = simulate(options, first, last, "--without", name,
                           "--until-failure")
        missed = sorted((int(seed), words)
                        for seed, words in FAILED.findall(text))
        if missed:
            return missed[0]
    return None


def same_trace(options, seed):
    """A world can be looked at again: its trace is the same every time."""
    argv = [options.bin, "--seed", str(seed)]
    first, second = (subprocess.run(argv, capture_output=True, check=False,
                                    timeout=120).stdout for _ in range(2))
    return first != b"" and first == second


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="longstop-sim")
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--rule-seeds", type=int, default=2000,
                        help="within so many a removed rule must be missed")
    parser.add_argument("--rule", action="append", help="only these rules")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    passed = failed = 0

    code, text = simulate(options, 1, options.seeds)
    print(text, end="", flush=True)
    found = SUMMARY.findall(text)
    good, bad = map(int, found[-1]) if found else (0, 1)
    passed += good
    failed += bad if bad or code == 0 else 1

    if same_trace(options, 7):
        passed += 1
    else:
        failed += 1
        print("FAILED seed 7 has two traces")

    for name in options.rule or rule_names(options):
        missed = first_miss(options, name)
        if missed:
            passed += 1
            print(f"without {name}: seed {missed[0]}: {missed[1]}",
                  flush=True)
        else:
            failed += 1
            print(f"FAILED without {name}: nobody has missed it within "
                  f"{options.rule_seeds} seeds", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
