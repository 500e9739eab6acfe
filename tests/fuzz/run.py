#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lets libFuzzer look for inputs on which a target does not hold.

    tests/fuzz/run.py --bin build-tests/fuzz/fuzz [--seconds N] [TARGET...]

Begins at the seeds of each target and keeps none of what it grows. An input
that breaks a target is written to build-tests/fuzz/found/ and is, once mended,
to be copied to seeds/. Without --seconds a target gets a fixed number of tries,
so that two runs take the same time.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
TRIES = 5000
JOIN_S = 60


def fuzz(binary, found, seconds):
    """Runs one target; True when everything held."""
    name = os.path.basename(binary)[len("fuzz_"):]
    corpus = tempfile.mkdtemp(prefix="longstop-fuzz-")
    argv = [binary, corpus, os.path.join(HERE, "seeds", name),
            f"-artifact_prefix={found}/{name}-", "-timeout=20",
            "-rss_limit_mb=2048", "-max_len=4096", "-seed=1",
            "-print_final_stats=1", "-verbosity=0"]
    argv.append(f"-max_total_time={seconds}" if seconds else f"-runs={TRIES}")
    words = os.path.join(HERE, name + ".dict")
    if os.path.exists(words):
        argv.append("-dict=" + words)
    # libcrypto and libyaml keep what they allocate once until the end
    env = dict(os.environ, ASAN_OPTIONS="allocator_may_return_null=1")
    try:
        done = subprocess.run(argv, env=env, capture_output=True, text=True,
                              errors="replace", check=False,
                              timeout=(seconds or 600) + JOIN_S)
        code, words = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        code, words = 1, "no end in time"
    finally:
        shutil.rmtree(corpus, ignore_errors=True)
    tries = [line.split()[-1] for line in words.splitlines()
             if "number_of_executed_units" in line]
    print(f"{name}: {'held' if code == 0 else 'BROKEN'}"
          f" ({tries[0] if tries else '?'} tries)", flush=True)
    if code != 0:
        print(words[-4000:])
    return code == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, metavar="FOLDER")
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    options = parser.parse_args()
    found = os.path.join(options.bin, "found")
    os.makedirs(found, exist_ok=True)
    names = options.targets or sorted(
        name[len("fuzz_"):] for name in os.listdir(options.bin)
        if name.startswith("fuzz_"))
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        held = list(pool.map(
            lambda name: fuzz(os.path.join(options.bin, "fuzz_" + name), found,
                              options.seconds), names))
    print(f"{sum(held)} passed, {len(held) - sum(held)} failed")
    return 0 if all(held) and held else 1


if __name__ == "__main__":
    sys.exit(main())
