#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the tables of SECURITY.md and tests/README.md to the tests: each row
names at least one, and each name is that of a test, a program or a script."""
import os
import re

import tree

PAGES = ["SECURITY.md", "tests/README.md"]
HEAD = re.compile(r"^\| (?:threat|promise) \|", re.M)
NAME = re.compile(r"`([^`]+)`")
UNIT = re.compile(r"^(\w+)\(void \*\*", re.M)
E2E = re.compile(r"^    def (test_\w+)\(", re.M)
PROGRAM = re.compile(r"add_executable\(([\w-]+)")
FAULTS = "tests/faults/CMakeLists.txt"


def names():
    """What tests there are, by name."""
    known = {"longstop-sim"}
    for path in tree.files("tests", ends=(".c", ".h")):
        known.update(UNIT.findall(tree.read(path)))
    for path in tree.files("tests", ends=(".py",)):
        known.update(E2E.findall(tree.read(path)))
    for path in tree.files("tests", ends=("CMakeLists.txt",)):
        known.update(PROGRAM.findall(tree.read(path)))
    for word in re.findall(r"(?:set\(programs|APPEND programs) (\w+)",
                           tree.read(FAULTS)):
        known.add("faults-" + word)
    return known


def is_known(name, known):
    first = name.split()[0]
    return first in known or os.path.exists(os.path.join(tree.ROOT, first))


def rows(text):
    """(line, cell of the tests) of each row below a head of such a table."""
    inside = False
    for number, line in enumerate(text.split("\n"), 1):
        if HEAD.match(line):
            inside = True
            column = [cell.strip() for cell in
                      line.strip("| ").split(" | ")].index("test")
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            yield number, line.strip("| ").split(" | ")[column]


def main():
    findings = tree.Findings()
    known = names()
    looked = 0
    for page in PAGES:
        for number, cell in rows(tree.read(page)):
            tests = NAME.findall(cell)
            looked += len(tests)
            if not tests:
                findings.add(page, number, "names no test")
            for name in tests:
                if not is_known(name, known):
                    findings.add(page, number, f"there is no test {name}")
    if looked == 0:
        findings.add(PAGES[0], 1, "has no table of threats")
    findings.finish("security", looked)


if __name__ == "__main__":
    main()
