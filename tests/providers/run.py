#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads every provider that has a list through the real program.

    tests/providers/run.py --bin build [--long] [--seed N] [stripe slack …]

First each one as its documents say, with kills and bad days: nothing may be
lost. Then with its order, its bound or its paging the other way round: that
must be noticed. The last line is `N passed, N failed`.
"""
import argparse
import concurrent.futures
import json
import os
import random
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TOGETHER = 12  # providers that one agent reads


def load():
    """The mocks by name; imported late, for they want the build's path."""
    sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "e2e")]
    import hazards
    import logs
    import objects
    import streams
    from ground import Mock
    found = {}
    for module in (logs, objects, streams, hazards):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Mock) and \
                    value.name:
                found[value.title or value.name] = value
    return found


def harmless():
    with open(os.path.join(HERE, "harmless.json"), encoding="utf-8") as file:
        return json.load(file)


def has_list(name):
    """Whether there is a connector file for it that says how it polls."""
    path = os.path.join(os.environ["LONGSTOP_CONNECTORS"], name + ".yaml")
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as file:
        return re.search(r"^(poll|extends):|\"poll\"", file.read(), re.M)


def judged(verdict, flip, excuse):
    """Whether all is well, and the words to say so."""
    name = verdict.mock.title or verdict.mock.name
    facts = len(verdict.mock.must())
    lost = len(verdict.lost)
    told = "; ".join(verdict.noticed)
    if lost and excuse and excuse.startswith("unless ") and \
            verdict.mock.is_crowded(verdict.lost):
        excuse = None
    if flip is None or excuse:
        words = list(verdict.faults)
        if lost:
            words.insert(0, f"lost {lost} of {facts}, such as "
                         f"{', '.join(sorted(verdict.lost)[:5])}")
        words += verdict.noticed
        title = name if flip is None else f"{name}, {flip} turned round"
        if words:
            return False, f"{title}: " + "\n       ".join(words)
        return True, f"{title}: {facts} facts, none lost, " + \
            (excuse or f"{verdict.mock.counts['trouble']} bad answers")
    title = f"{name}, {flip} turned round"
    if not lost and not told:
        return False, f"{title}: nothing noticed it, {facts} facts"
    return True, f"{title}: noticed, " + \
        (f"lost {lost} of {facts}" if lost else told)


def run_group(options):
    """In a process of its own: one agent."""
    mocks = load()
    from trial import Trial
    excuses = harmless()
    pairs = [part.partition(":")[::2] for part in options.group]
    trial = Trial({name + ("_" + flip if flip else ""): mocks[name](
        options.seed, flip or None) for name, flip in pairs},
        options.seed, options.rough)
    passed = failed = 0
    try:
        for verdict in trial.run():
            flip = verdict.mock.flip
            good, words = judged(verdict, flip, excuses.get(
                verdict.mock.name, {}).get(flip))
            print(("ok     " if good else "FAILED ") + words, flush=True)
            passed += good
            failed += not good
    except Exception as failure:
        print(f"FAILED {type(failure).__name__}: {failure}")
        failed = len(pairs)
        passed = 0
    if failed:
        trial.bench._outcome.success = False
    trial.bench.close()
    print(f"@{passed} {failed}")
    return 0


def start(group, seed, rough):
    argv = [sys.executable, __file__, "--seed", str(seed), "--group", *group]
    if rough:
        argv.append("--rough")
    try:
        child = subprocess.run(argv, stdout=subprocess.PIPE, timeout=400,
                               stderr=subprocess.STDOUT, check=False)
        lines = child.stdout.decode("utf-8", "replace").splitlines()
    except subprocess.TimeoutExpired:
        lines = ["FAILED no end after 400 s: " + " ".join(group)]
    counts = [line for line in lines if line.startswith("@")]
    passed, failed = map(int, counts[-1][1:].split()) if counts else \
        (0, len(group))
    return [line for line in lines if not line.startswith("@")], passed, failed


def cut(names):
    return [names[i::-(-len(names) // TOGETHER)]
            for i in range(-(-len(names) // TOGETHER))]


def plans(options, mocks):
    """(group, seed, whether with kills): what is to be run."""
    names = options.names or sorted(mocks)
    for name in [name for name in names if not has_list(mocks[name].name)]:
        print(f"skip   {name}: no connector file polls it")
    names = [name for name in names if has_list(mocks[name].name)]
    seeds = [options.seed + i for i in range(10 if options.long else 1)]
    for seed in seeds:
        if options.flip in (None, "none"):
            for group in cut(names):
                yield group, seed, True
            calm = [name for name in names if mocks[name].hooks]
            if calm:
                yield calm, seed, False  # where nothing is an excuse
        pairs = [f"{name}:{flip}" for name in names
                 for flip in mocks[name].flips
                 if options.flip in (None, flip)]
        random.Random(seed).shuffle(pairs)
        for group in cut(pairs):
            yield group, seed, False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", help="the build directory, or the program")
    parser.add_argument("--connectors", default=os.path.join(
        ROOT, "connectors"), help="where the connector files are")
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--long", action="store_true", help="ten seeds")
    parser.add_argument("--flip", choices=["none", "order", "inclusive",
                                           "paging"])
    parser.add_argument("--group", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--rough", action="store_true",
                        help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.bin:
        build = os.path.abspath(options.bin)
        os.environ["LONGSTOP_BUILD"] = build if os.path.isdir(build) else \
            os.path.dirname(build)
    if options.group:
        return run_group(options)
    os.environ["LONGSTOP_CONNECTORS"] = os.path.abspath(options.connectors)
    if not options.bin:
        parser.error("--bin says where the program is")
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**6)
    print(f"seed {options.seed}", flush=True)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for lines, good, bad in pool.map(lambda plan: start(*plan),
                                         plans(options, load())):
            print("\n".join(lines), flush=True)
            passed += good
            failed += bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
