#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds what the tests need and runs every suite, whatever fails on the way.

Suites that look at a clock run one after the other; beside them, with what they
leave of the processors, those that only compute. Each suite ends with one line,
`name: N passed, N failed (S s)`; the last line of all is the sum. A suite that could not be built, crashed or ran out of time
counts as at least one failure. What a suite printed is kept in
build-tests/logs/ and shown when it failed.
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TREE = os.path.join(ROOT, "build-tests")
LOGS = os.path.join(TREE, "logs")
PARALLEL = str(os.cpu_count() or 2)

# What each build tree is for. They live below one folder, side by side.
TREES = {
    "dev": ["-DCMAKE_BUILD_TYPE=Debug", "-DLONGSTOP_CRASH_TESTS=ON",
            "-DLONGSTOP_SANITIZE=address,undefined"],
    "release": ["-DCMAKE_BUILD_TYPE=Release"],
    "clang": ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_COMPILER=clang",
              "-DLONGSTOP_CRASH_TESTS=ON"],
    "tsan": ["-DCMAKE_BUILD_TYPE=Debug", "-DLONGSTOP_CRASH_TESTS=ON",
             "-DLONGSTOP_SANITIZE=thread"],
    "sim": ["-DCMAKE_BUILD_TYPE=Release", "-DLONGSTOP_SIM=ON"],
    "sim-asan": ["-DCMAKE_BUILD_TYPE=Debug", "-DLONGSTOP_SIM=ON",
                 "-DLONGSTOP_SANITIZE=address,undefined"],
    "coverage": ["-DCMAKE_BUILD_TYPE=Debug", "-DLONGSTOP_COVERAGE=ON",
                 "-DLONGSTOP_CRASH_TESTS=ON"],
    "fuzz": ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_COMPILER=clang",
             "-DLONGSTOP_FUZZ=ON",
             "-DLONGSTOP_SANITIZE=address,undefined,fuzzer-no-link"],
}

# What is installed; the tests of the hardened tree are built with --long.
PROGRAMS = ["longstop", "longstop-provider", "longstop-append"]

# Programs that have threads, and so something for ThreadSanitizer to see;
# store_vfs has one, and opens thousands of stores.
TSAN_TESTS = (r"^(conformance\.store_.*|unit\.store\.store_[^v].*"
              r"|unit\.io\.process|unit\.io\.offload|unit\.io\.loop"
              r"|unit\.base\.log|unit\.handler\..*)$")

# Files of e2e that bear a program thirty times slower.
UNDER_VALGRIND = ["test_webhook", "test_events", "test_cloudevents"]
# Floors whose unit tests wait for nothing and start nothing.
FLOORS_UNDER_VALGRIND = ["base", "wire", "config", "model"]

SUMMARY = re.compile(r"(\d+) passed, (\d+) failed")


# Ctrl-C: what runs is ended, and nothing more is begun.
STOP = threading.Event()


class Failed(Exception):
    """A suite that cannot go on; its words are its one failure."""


def step_back(pid):
    """Lets a new process have what others leave. Where sessions are groups of
    their own to the scheduler, its niceness is the one that counts."""
    try:
        os.setpriority(os.PRIO_PGRP, pid, 10)
        with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as file:
            file.write("10")
    except OSError:
        pass


class Suite:
    """One run of one suite: its log, its counts, its time limit."""

    def __init__(self, name):
        self.name = name
        self.beside = name in BESIDE
        self.passed = 0
        self.failed = 0
        self.path = os.path.join(LOGS, name + ".log")
        self.log = open(self.path, "w+b")

    def say(self, text):
        self.log.write((text + "\n").encode())
        self.log.flush()

    def count(self, good, words):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            self.say("FAILED " + words)

    def run(self, argv, limit=900, env=None):
        """Runs a program with its output in the log; its exit code."""
        if STOP.is_set():
            raise Failed("stopped")
        self.say("$ " + " ".join(argv))
        child = subprocess.Popen(
            argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT, start_new_session=True,
            env=dict(os.environ, **(env or {})))
        if self.beside:
            step_back(child.pid)
        try:
            return self.wait(child, limit)
        except subprocess.TimeoutExpired:
            self.say(f"no end after {limit} s")
            return -signal.SIGKILL
        finally:
            # Whatever the program left behind ends with its suite.
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()

    @staticmethod
    def wait(child, limit):
        """The exit code; looks up every second whether all is to stop."""
        end = time.monotonic() + limit
        while not STOP.is_set():
            try:
                return child.wait(min(1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                if time.monotonic() >= end:
                    raise
        raise Failed("stopped")

    def text_since(self, start):
        self.log.flush()
        with open(self.path, "rb") as file:
            file.seek(start)
            return file.read().decode("utf-8", "replace")

    def run_counted(self, argv, limit):
        """Runs a program whose output ends with `N passed, N failed`."""
        start = self.log.tell()
        code = self.run(argv, limit)
        found = SUMMARY.findall(self.text_since(start))
        passed, failed = map(int, found[-1]) if found else (0, 0)
        self.passed += passed
        self.failed += failed
        if (code != 0 or not found) and failed == 0:
            raise Failed(f"{argv[0]} ended with {code}")


def tree_path(tree):
    return os.path.join(TREE, tree)


# Two suites never build in one tree at a time.
BUILDING = {tree: threading.Lock() for tree in TREES}


def build(suite, tree, targets=()):
    """Configures and builds a tree; raises Failed with the log in place."""
    with BUILDING[tree]:
        build_alone(suite, tree, targets)


def build_alone(suite, tree, targets):
    path = tree_path(tree)
    if not os.path.exists(os.path.join(path, "build.ninja")):
        argv = ["cmake", "-S", ".", "-B", path, "-G", "Ninja",
                "-DLONGSTOP_WERROR=ON", *TREES[tree]]
        if shutil.which("ccache"):
            argv.append("-DCMAKE_C_COMPILER_LAUNCHER=ccache")
        if suite.run(argv) != 0:
            raise Failed(f"cmake cannot configure the {tree} tree")
    argv = ["cmake", "--build", path]
    if targets:
        argv += ["--target", *targets]
    if suite.run(argv, limit=1500) != 0:
        raise Failed(f"the {tree} tree does not build")


def count_cmocka(suite, name, status, output):
    """One cmocka program's cases; a crash counts beside what had passed. A
    program may run several groups."""
    ran = re.search(r"\[=+\] (\d+) test\(s\) run\.", output)
    good = re.findall(r"\[  PASSED  \] (\d+) test\(s\)", output)
    bad = re.findall(r"\[  FAILED  \] .*?(\d+) test\(s\), listed", output)
    passed = sum(map(int, good)) if ran else 0
    failed = sum(map(int, bad)) if ran else 0
    if status != "run" and failed == 0:
        failed = 1
    if status == "run" and not ran:
        passed = 1
    suite.passed += passed
    suite.failed += failed
    if failed:
        suite.say(f"FAILED {name}\n{output}")


def run_ctest(suite, tree, *select, limit=900):
    """Runs the chosen ctest programs of a tree and counts their cases."""
    path = tree_path(tree)
    report = os.path.join(LOGS, suite.name + ".xml")
    if os.path.exists(report):
        os.unlink(report)
    suite.run(["ctest", "--test-dir", path, "--parallel", PARALLEL,
               "--output-junit", report, "--test-output-size-passed", "1048576",
               "--test-output-size-failed", "1048576", "--no-tests=error",
               *select], limit)
    if not os.path.exists(report):
        raise Failed("ctest left no report")
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        output = case.findtext("system-out") or ""
        count_cmocka(suite, case.get("name"), case.get("status"), output)


def program(tree):
    return os.path.join(tree_path(tree), "longstop")


def suite_lint(suite, options):
    """What reads the sources and nothing else."""
    del options
    for name in ("check_floors.py", "check_shape.py", "check_docs.py",
                 "check_security.py", "check_secrets.py",
                 "check_commits.py", "check_format.sh", "check_words.sh"):
        argv = [os.path.join("tests", "lint", name)]
        suite.count(suite.run(argv) == 0, name)


def suite_analysis(suite, options):
    """What needs a build: clang-tidy, and the generated schemas."""
    lint = os.path.join("tests", "lint")
    build(suite, "dev", ["longstop"])
    argv = [f"{lint}/check_schema.py", "--bin", program("dev")]
    suite.count(suite.run(argv) == 0, argv[0])
    # Generated sources are part of what clang-tidy reads.
    build(suite, "clang", ["longstop_store"])
    argv = [f"{lint}/check_tidy.py", "--tree", tree_path("clang")]
    if options.long:
        argv += ["--nodes", "0"]
    suite.count(suite.run(argv, limit=3000) == 0, argv[0])


def hardened():
    """What is installed: the program and its plugins."""
    folder = os.path.join(tree_path("release"), "plugins")
    plugins = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [program("release")] + [os.path.join(folder, name)
                                   for name in plugins if name.endswith(".so")]


def suite_build(suite, options):
    """Both compilers, the sanitizers and the hardened build; no warning."""
    del options
    for tree, targets in (("dev", []), ("clang", []),
                          ("release", PROGRAMS)):
        try:
            build(suite, tree, targets)
            suite.count(True, tree)
            if tree == "release":
                argv = ["tests/lint/check_binary.py", *hardened()]
                suite.count(suite.run(argv) == 0, argv[0])
        except Failed as failure:
            suite.count(False, str(failure))


def matching(suite, tree, pattern):
    """The targets of the tests whose name matches, by ctest's own list."""
    build(suite, tree, ["help"])
    listed = subprocess.run(["ctest", "--test-dir", tree_path(tree), "-N",
                             "-R", pattern], capture_output=True, text=True,
                            check=False).stdout
    return [name.replace(".", "_")
            for name in re.findall(r"Test +#\d+: (\S+)", listed)]


def suite_unit(suite, options):
    if options.match:
        build(suite, "dev", matching(suite, "dev", options.match))
        run_ctest(suite, "dev", "-L", "^unit$", "-R", options.match)
        return
    for tree in ("dev", "release") if options.long else ("dev",):
        build(suite, tree)
        run_ctest(suite, tree, "-L", "^unit$")


def suite_conformance(suite, options):
    del options
    build(suite, "dev")
    run_ctest(suite, "dev", "-L", "^conformance$")


def suite_tsan(suite, options):
    del options
    build(suite, "tsan", matching(suite, "tsan", TSAN_TESTS))
    run_ctest(suite, "tsan", "-R", TSAN_TESTS)


def suite_e2e(suite, options):
    """The program with its sanitizers; at leisure the hardened one as well."""
    if options.long:
        os.environ["LONGSTOP_LETTERS"] = "100000"  # of test_replay_load
        os.environ["LONGSTOP_LONG"] = "1"  # what takes minutes, too
    for tree in ("dev", "release") if options.long else ("dev",):
        build(suite, tree)
        argv = ["python3", "tests/e2e/run.py", "--bin", program(tree)]
        if options.match and "e2e" in (options.only or []):
            argv += ["--match", options.match]
        suite.run_counted(argv, limit=3600 if options.long else 900)


def units_of(floors):
    """The unit programs of these floors, by name."""
    return [f"unit_{floor}_{name[len('test_'):-len('.c')]}"
            for floor in floors for name in sorted(os.listdir(
                os.path.join(ROOT, "tests", "unit", floor)))
            if name.startswith("test_") and name.endswith(".c")]


def check_units(suite, check):
    """Memcheck, which sees what is read before it was written, over the unit
    programs that only compute."""
    names = units_of(FLOORS_UNDER_VALGRIND)
    build(suite, "release", names)
    paths = [os.path.join(tree_path("release"), "tests", name)
             for name in names]
    with concurrent.futures.ThreadPoolExecutor(int(PARALLEL)) as pool:
        codes = pool.map(lambda path: suite.run([*check, path], 1800), paths)
        for name, code in zip(names, codes):
            suite.count(code == 0, f"{name} ended with {code} in memcheck")


def suite_valgrind(suite, options):
    """The program under memcheck, which has nothing to say of it."""
    del options
    folder = os.path.join(TREE, "valgrind")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    build(suite, "release", PROGRAMS)
    check = ["valgrind", "-q", "--leak-check=full",
             "--errors-for-leak-kinds=definite", "--error-exitcode=99",
             "--suppressions=" + os.path.join(ROOT, "tests", "valgrind.supp")]
    check_units(suite, check)
    check.append(f"--log-file={folder}/%p.log")
    for name in PROGRAMS:
        path = os.path.join(folder, name)
        words = check * (name == "longstop") + \
            [os.path.join(tree_path("release"), name), '"$@"\n']
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexec " + " ".join(words))
        os.chmod(path, 0o755)
    os.environ["LONGSTOP_SLOW"] = "8"
    suite.run_counted(["python3", "tests/e2e/run.py", "--bin", folder,
                       *UNDER_VALGRIND], limit=3600)
    del os.environ["LONGSTOP_SLOW"]
    for name in sorted(os.listdir(folder)):
        if name.endswith(".log"):
            with open(os.path.join(folder, name), encoding="utf-8",
                      errors="replace") as file:
                text = file.read()
            # "--PID--" is about calls of the sandbox, which it does not know
            suite.count(not re.search(r"^==\d+==", text, re.M),
                        f"{name}: {text[:4000]}")


def suite_brokers(suite, options):
    """Each broker's plugin against the real server."""
    for tree in ("dev", "release") if options.long else ("dev",):
        build(suite, tree, ["longstop", "kafka-mock"])
        suite.run_counted(["python3", "tests/e2e/run.py", "--folder",
                           "tests/brokers", "--bin", program(tree)], limit=600)


def suite_dashboard(suite, options):
    """The page in a headless browser."""
    del options
    build(suite, "dev", ["longstop"])
    suite.run_counted(["python3", "tests/e2e/run.py", "--folder",
                       "tests/dashboard", "--bin", program("dev")], limit=600)


def suite_providers(suite, options):
    """Every provider's list, as its documents say and the other way round."""
    build(suite, "dev", ["longstop"])
    argv = ["python3", "tests/providers/run.py", "--bin", program("dev")]
    if options.long:
        argv.append("--long")
    suite.run_counted(argv, limit=3600 if options.long else 900)


def suite_crash(suite, options):
    build(suite, "dev")
    for life, every in (("street", "1"), ("again", "5"), ("fanout", "10")):
        suite.run_counted(["python3", "tests/crash/run.py", "--bin",
                           program("dev"), "--life", life, "--every",
                           "1" if options.long else every], limit=1800)


def suite_faults(suite, options):
    """Power losses, calls that fail, no memory; at leisure every one there is
    of the store, and every seventh allocation of the agent."""
    build(suite, "dev")
    folder = os.path.join(tree_path("dev"), "faults")
    power = ["--every", "1", "--seeds", "20", "--again", "10"]
    calls = ["--every", "1"]
    if not options.long:
        power = ["--every", "17", "--seeds", "2", "--again", "20"]
        calls = ["--every", "83"]
    suite.run_counted([os.path.join(folder, "faults-power"), *power],
                      limit=7200)
    suite.run_counted([os.path.join(folder, "faults-calls"), *calls],
                      limit=7200)
    memory = ["--every", "7"] if options.long else ["--every", "4000"]
    suite.run_counted(["python3", "tests/faults/memory.py", "--bin",
                       program("dev"), "--jobs", PARALLEL, *memory],
                      limit=3 * 3600)


def suite_demo(suite, options):
    """The demo of the hardened build, as the quickstart runs it."""
    del options
    build(suite, "release", PROGRAMS)
    suite.count(suite.run([program("release"), "demo"], 120) == 0, "demo")


def suite_load(suite, options):
    """Many connections that dawdle, and a flood, of the hardened build."""
    build(suite, "release", PROGRAMS)
    argv = ["python3", "tests/load/run.py", "--bin", tree_path("release")]
    if options.long:
        argv.append("--long")
    suite.run_counted(argv, limit=900)


def suite_sim(suite, options):
    """Worlds by seed, and each rule removed; at leisure more, and leaks."""
    build(suite, "sim", ["longstop-sim"])
    argv = ["python3", "tests/sim/run.py", "--bin",
            os.path.join(tree_path("sim"), "longstop-sim")]
    if options.long:
        argv += ["--seeds", "100000"]
    suite.run_counted(argv, limit=3 * 3600 if options.long else 1500)
    if options.long:
        build(suite, "sim-asan", ["longstop-sim"])
        suite.run_counted([os.path.join(tree_path("sim-asan"), "longstop-sim"),
                           "--seeds", "1..500", "-j", PARALLEL], limit=3600)


def suite_fuzz(suite, options):
    """Every target over its seeds; our HTTP parser beside node's; at leisure
    what libFuzzer makes of the seeds."""
    build(suite, "dev")
    run_ctest(suite, "dev", "-L", "^fuzz$")
    suite.run_counted(["python3", "tests/fuzz/against_node.py", "--bin",
                       tree_path("dev"), "--cases",
                       "100000" if options.long else "2000"], limit=1800)
    if options.long:
        build(suite, "fuzz")
        suite.run_counted(["python3", "tests/fuzz/run.py", "--bin",
                           os.path.join(tree_path("fuzz"), "fuzz"),
                           "--seconds", "60"], limit=3600)


def suite_packages(suite, options):
    """The Debian packages, from build to purge."""
    del options
    suite.run_counted(["python3", "tests/packages/run.py", "--folder",
                       os.path.join(TREE, "deb")], limit=1500)


def suite_planted(suite, options):
    """Faults planted on purpose are each seen by the suite made for them."""
    del options
    suite.run_counted(["tests/lint/planted.sh"], limit=600)


def suite_coverage(suite, options):
    """Which lines unit tests, conformance, seeds and e2e run; --coverage."""
    del options
    for folder, _, names in os.walk(tree_path("coverage")):
        for name in names:
            if name.endswith(".gcda"):
                os.unlink(os.path.join(folder, name))
    build(suite, "coverage")
    run_ctest(suite, "coverage", "-L", "^(unit|conformance|fuzz)$")
    os.environ["LONGSTOP_COVERAGE"] = "1"
    suite.run_counted(["python3", "tests/e2e/run.py", "--bin",
                       program("coverage")], limit=1800)
    start = suite.log.tell()
    suite.run_counted(["python3", "tests/coverage.py", "--tree",
                       tree_path("coverage")], limit=600)
    print(suite.text_since(start))


def suite_bench(suite, options):
    """Figures for the log; they fail only if the bench itself does."""
    build(suite, "release")
    argv = ["python3", "tests/bench/run.py", "--bin", tree_path("release")]
    if options.long:
        argv.append("--long")
    suite.count(suite.run(argv, 3600) == 0, "bench")
    suite.log.flush()
    with open(suite.path, encoding="utf-8", errors="replace") as file:
        print(file.read())


# In order of running; what a suite needs beyond the tree, to be there at all.
SUITES = {
    "lint": (suite_lint, "tests/lint/check_floors.py"),
    "build": (suite_build, "CMakeLists.txt"),
    "analysis": (suite_analysis, "tests/lint/check_tidy.py"),
    "unit": (suite_unit, "tests/unit"),
    "conformance": (suite_conformance, "tests/conformance"),
    "e2e": (suite_e2e, "tests/e2e/run.py"),
    "brokers": (suite_brokers, "tests/brokers/contract.py"),
    "dashboard": (suite_dashboard, "tests/dashboard/ground.py"),
    "providers": (suite_providers, "tests/providers/run.py"),
    "crash": (suite_crash, "tests/crash/run.py"),
    "faults": (suite_faults, "tests/faults/power.c"),
    "tsan": (suite_tsan, "tests/unit"),
    "sim": (suite_sim, "tests/sim/run.py"),
    "fuzz": (suite_fuzz, "tests/fuzz/run.py"),
    "demo": (suite_demo, "agent/app/cmd_demo.c"),
    "load": (suite_load, "tests/load/run.py"),
    "packages": (suite_packages, "tests/packages/run.py"),
    "planted": (suite_planted, "tests/lint/planted.sh"),
    "valgrind": (suite_valgrind, "tests/e2e/run.py"),
    "coverage": (suite_coverage, "tests/coverage.py"),
    "bench": (suite_bench, "tests/bench/run.py"),
}

# Need the machine for themselves: trees that others use, figures.
FIRST = ["build"]
LAST = ["packages", "valgrind", "coverage", "bench"]

# Look at no clock, and so run beside those that do.
BESIDE = ["lint", "analysis", "faults", "tsan", "sim", "fuzz", "planted"]


def wanted(options):
    if options.only:
        return options.only
    names = [name for name in SUITES
             if name not in ("bench", "packages", "valgrind", "coverage")]
    if options.coverage:
        return ["coverage"]
    if options.long:
        names += ["packages", "valgrind"]
    if options.bench or options.long:
        names.append("bench")
    return [name for name in names
            if os.path.exists(os.path.join(ROOT, SUITES[name][1]))]


def run_suite(name, options):
    suite = Suite(name)
    began = time.monotonic()
    try:
        SUITES[name][0](suite, options)
    except Failed as failure:
        suite.count(False, str(failure))
    except Exception as failure:  # a suite that breaks is a failure of it
        suite.count(False, f"{type(failure).__name__}: {failure}")
    if suite.passed + suite.failed == 0:
        suite.count(False, "nothing was run")
    seconds = time.monotonic() - began
    suite.log.close()
    if suite.failed:
        with open(suite.path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        print("\n".join(lines[-300:]))
    print(f"{name}: {suite.passed} passed, {suite.failed} failed "
          f"({seconds:.0f} s)", flush=True)
    return suite


def run_all(names, options):
    """Runs the suites, two lanes of them at a time; in the order they ended."""
    lanes = [[name for name in names
              if (name in BESIDE) == beside and name not in FIRST + LAST]
             for beside in (False, True)]
    suites = [run_suite(name, options) for name in names if name in FIRST]
    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        begun = [pool.submit(lambda lane: [run_suite(name, options)
                                           for name in lane], lane)
                 for lane in lanes]
        try:
            for lane in begun:
                suites += lane.result()
        except KeyboardInterrupt:
            STOP.set()
            raise
    return suites + [run_suite(name, options) for name in names
                     if name in LAST]


def main():
    parser = argparse.ArgumentParser(
        prog="tests/run.sh", description="Runs every test there is.")
    parser.add_argument("--only", action="append", metavar="SUITE",
                        choices=sorted(SUITES), help="may be given again")
    parser.add_argument("--match", metavar="REGEX",
                        help="of the unit tests, only those: unit.base.bytes; "
                        "of e2e where that is named: test_keys")
    parser.add_argument("--long", action="store_true",
                        help="unit and e2e of the hardened build too, "
                        "ten seeds of providers, 100,000 worlds, a minute "
                        "of libFuzzer a target, the Debian packages, and the "
                        "long bench")
    parser.add_argument("--bench", action="store_true", help="the bench too")
    parser.add_argument("--coverage", action="store_true",
                        help="count the lines that the tests run instead")
    parser.add_argument("--list", action="store_true",
                        help="print what would run, and end")
    options = parser.parse_args()
    names = wanted(options)
    if options.list:
        print("\n".join(names))
        return 0
    os.makedirs(LOGS, exist_ok=True)
    suites = run_all(names, options)
    passed = sum(suite.passed for suite in suites)
    failed = sum(suite.failed for suite in suites)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
