#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which lines of agent/ the tests have run, a floor at a time.

    tests/coverage.py --tree build-tests/coverage [--missed FILE]

The tree is built with -DLONGSTOP_COVERAGE=ON and its tests were run;
`tests/run.sh --coverage` does all of it. Floors 0 to 2 are held to 90 % of
their lines, the others to 85 %. The last line is `N passed, N failed`.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
AGENT = os.path.join(ROOT, "agent") + os.sep
LEAST = {"base": 90, "plugin": 0, "wire": 90, "config": 90, "model": 90,
         "io": 85, "store": 85, "source": 85, "handler": 85, "flow": 85,
         "app": 85}  # plugins have their servers in tests/brokers


def counts(folder, names):
    """[(source, line, how often)] of a folder's .gcda files."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", *names],
                          cwd=folder, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    found = []
    for text in done.stdout.decode("utf-8", "replace").splitlines():
        if not text.startswith("{"):
            continue
        told = json.loads(text)
        for file in told["files"]:
            path = os.path.normpath(os.path.join(
                told["current_working_directory"], file["file"]))
            if path.startswith(AGENT):
                found += [(path[len(AGENT):], line["line_number"],
                           line["count"]) for line in file["lines"]]
    return found


def read(tree):
    """{source: {line: how often}}"""
    lines = collections.defaultdict(collections.Counter)
    work = []
    for folder, _, names in os.walk(tree):
        names = [name for name in names if name.endswith(".gcda")]
        work += [(folder, names[at:at + 20])
                 for at in range(0, len(names), 20)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for found in pool.map(lambda one: counts(*one), work):
            for path, line, often in found:
                lines[path][line] += often
    return lines


def share(files):
    run = sum(1 for file in files for often in file.values() if often)
    return run, sum(map(len, files))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", required=True)
    parser.add_argument("--missed", metavar="FILE",
                        help="print the lines of it that no test runs")
    options = parser.parse_args()
    lines = read(options.tree)
    if options.missed:
        print(*[line for line, often in sorted(lines[options.missed].items())
                if not often])
        return 0
    passed = failed = 0
    for floor, least in LEAST.items():
        files = {path: file for path, file in lines.items()
                 if path.split("/")[0] == floor}
        run, count = share(files.values())
        if count == 0:
            print(f"{floor:8} nothing was counted")
            failed += least > 0
            continue
        percent = 100 * run / count
        print(f"{floor:8} {percent:5.1f} % of {count:5} lines, "
              f"{least} wanted" + ("" if percent >= least else ": TOO FEW"))
        worst = sorted(files, key=lambda p: share([files[p]])[0] -
                       share([files[p]])[1])[:3]
        print("".join(f"         {share([files[p]])[1] - share([files[p]])[0]}"
                      f" not run in {p}\n" for p in worst
                      if share([files[p]])[0] < share([files[p]])[1]), end="")
        passed += percent >= least
        failed += percent < least
    run, count = share(lines.values())
    print(f"{'all':8} {100 * run / max(1, count):5.1f} % of {count:5} lines")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
