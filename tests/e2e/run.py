#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the end-to-end tests of a build, several files at a time.

    tests/e2e/run.py --bin build [--jobs 4] [--match REGEX] [test_webhook …]

The last line is `N passed, N failed`; what was skipped is named above it.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class Counting(unittest.TextTestResult):
    """Prints each test as the sentence it is."""

    def startTest(self, test):
        unittest.TestResult.startTest(self, test)

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        self.say("ok    ", test)

    def addFailure(self, test, err):
        unittest.TestResult.addFailure(self, test, err)
        self.say("FAILED", test)

    def addError(self, test, err):
        unittest.TestResult.addError(self, test, err)
        self.say("FAILED", test)

    def addSkip(self, test, reason):
        unittest.TestResult.addSkip(self, test, reason)
        self.say("skip  ", test, f" ({reason})")

    def addSubTest(self, test, subtest, err):
        unittest.TestResult.addSubTest(self, test, subtest, err)
        if err is not None:
            self.say("FAILED", test, f" ({subtest.id().split(' ', 1)[-1]})")

    def say(self, word, test, more=""):
        name = test.id().split(".")[-1].replace("test_", "", 1)
        self.stream.writeln(f"{word} {name.replace('_', ' ')}{more}")
        self.stream.flush()


def each(suite):
    """The tests of a suite, however they are nested."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


def run_one(name, pattern):
    """In a process of its own: runs one file and prints its counts."""
    sys.path[:0] = [os.environ["LONGSTOP_FOLDER"], HERE]
    suite = unittest.defaultTestLoader.loadTestsFromName(name)
    if pattern:
        suite = unittest.TestSuite(test for test in each(suite)
                                   if re.search(pattern, test.id()))
        if not suite.countTestCases():
            print("@0 0 0")
            return 0
    runner = unittest.TextTestRunner(stream=sys.stdout, resultclass=Counting,
                                     verbosity=0)
    result = runner.run(suite)
    # a test with several failed parts is one failed test
    bad = len({getattr(test, "test_case", test).id()
               for test, _ in result.failures + result.errors})
    good = result.testsRun - bad - len(result.skipped)
    print(f"@{good} {bad} {len(result.skipped)}")
    return 0


def start(name, pattern):
    child = subprocess.run([sys.executable, __file__, "--one", name,
                            "--match", pattern],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           check=False)
    lines = child.stdout.decode("utf-8", "replace").splitlines()
    counts = [line for line in lines if line.startswith("@")]
    rest = "\n".join(line for line in lines if not line.startswith("@"))
    good, bad, _ = map(int, counts[-1][1:].split()) if counts else (0, 1, 0)
    return name, rest, good, bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", help="the build directory, or the program")
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--folder", default=HERE,
                        help="where the files are; what they share is here")
    parser.add_argument("--match", metavar="REGEX", default="",
                        help="only tests whose name matches, such as "
                        "test_keys.Pem.test_it_is_read")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.one:
        return run_one(options.one, options.match)
    build = os.path.abspath(options.bin or "build")
    if os.path.isfile(build):
        build = os.path.dirname(build)
    if not os.access(os.path.join(build, "longstop"), os.X_OK):
        print(f"{build} holds no program longstop")
        return 2
    os.environ["LONGSTOP_BUILD"] = build
    os.environ["LONGSTOP_FOLDER"] = os.path.abspath(options.folder)
    names = [name.split(".")[0] for name in options.names] and options.names
    names = names or sorted(os.path.basename(path)[:-3] for path in
                            glob.glob(os.path.join(options.folder, "test_*.py")))
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for name, text, good, bad in pool.map(
                lambda name: start(name, options.match), names):
            if good + bad > 0 or not options.match:
                print(f"== {name}: {good} passed, {bad} failed\n{text}",
                      flush=True)
            passed += good
            failed += bad
    if options.match and passed + failed == 0:
        print(f"no test is called /{options.match}/")
        return 2
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
