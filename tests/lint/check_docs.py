#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the READMEs to the tree: each folder has one, its links lead
somewhere, and agent/README.md lists every module with the sentence of its
header. --write makes that list anew. Its table of failure modes and the tests
that are named after them are the same thirty.
"""
import glob
import os
import re
import sys

import tree

FOLDERS = ["agent", "connectors", "schema", "packaging", "tests"]
TOUR = "agent/README.md"
MARKERS = re.compile(r"(<!-- modules -->\n).*?(<!-- /modules -->\n)", re.S)
DUTY = re.compile(r"\A/\* SPDX[^\n]*\n/\*\n \* (\w+): (.*?)\n \*(?:\n|/)",
                  re.S)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
README_LINES = 150
MODES = 30
MODE_TESTS = "tests/unit/model/test_failure_modes*.c"
MODE_TEST = re.compile(r"^(f(\d\d)_\w+)\(void", re.M)
MODE_ROW = re.compile(r"^\| F(\d+) \|.*\| `(\w+)` \|$", re.M)


def duty_of(path):
    """A file's first sentence, or None."""
    match = DUTY.match(tree.read(path))
    if not match or match.group(1) != os.path.basename(path)[:-2]:
        return None
    text = re.sub(r"\n \* ?", " ", match.group(2)).strip()
    sentence = re.split(r"(?<=[?.]) (?=[A-Z])", text)[0]
    return sentence if sentence.endswith("?") else sentence.rstrip(".") + "."


def module_list():
    """The generated part of the tour, floor by floor."""
    lines = []
    for level, row in enumerate(tree.FLOORS):
        for folder in row:
            lines += [f"**{level} · `{folder}`**", ""]
            headers = tree.files(f"agent/{folder}", ends=(".h", ".c"))
            for path in headers:
                if path.endswith(".c") and path[:-1] + "h" in headers:
                    continue
                duty = duty_of(path)
                if duty is not None:
                    name = os.path.basename(path)[:-2]
                    lines.append(f"* [`{name}`]({folder}/"
                                 f"{os.path.basename(path)}): {duty}")
            lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def check_tour(findings, write):
    text = tree.read(TOUR)
    if not MARKERS.search(text):
        findings.add(TOUR, 1, "has no place for the modules")
        return
    wanted = MARKERS.sub(
        lambda match: match.group(1) + module_list() + match.group(2), text)
    if text == wanted:
        return
    if write:
        with open(os.path.join(tree.ROOT, TOUR), "w",
                  encoding="utf-8") as file:
            file.write(wanted)
        return
    have = set(text.split("\n"))
    for line in wanted.split("\n"):
        if line not in have:
            findings.add(TOUR, 1, f"lacks: {line}")
    findings.add(TOUR, 1, "is not what the headers say: check_docs.py --write")


def check_modes(findings):
    """Each mode has one row and one test, and they name each other."""
    rows = [(int(number), name)
            for number, name in MODE_ROW.findall(tree.read(TOUR))]
    tests = [(int(number), name)
             for path in glob.glob(os.path.join(tree.ROOT, MODE_TESTS))
             for name, number in MODE_TEST.findall(tree.read(path))]
    for number, name in sorted(set(rows) ^ set(tests)):
        where = "in the table" if (number, name) in tests else "a test"
        findings.add(TOUR, 1, f"F{number}: {name} is not {where}")
    for pairs, what in ((rows, "rows"), (tests, "tests")):
        if sorted(number for number, _ in pairs) != [*range(1, MODES + 1)]:
            findings.add(TOUR, 1, f"{len(pairs)} {what} of failure modes, and "
                         f"not one for each of {MODES}")


def check_links(findings, path):
    text = tree.read(path)
    for match in LINK.finditer(text):
        target = os.path.join(tree.ROOT, os.path.dirname(path), match.group(1))
        if not os.path.exists(target):
            findings.add(path, text.count("\n", 0, match.start()) + 1,
                         f"{match.group(1)} is not there")


def main():
    findings = tree.Findings()
    for folder in FOLDERS:
        if not os.path.exists(os.path.join(tree.ROOT, folder, "README.md")):
            findings.add(f"{folder}/README.md", 1, "is missing")
    if os.path.exists(os.path.join(tree.ROOT, TOUR)):
        check_tour(findings, "--write" in sys.argv[1:])
        check_modes(findings)
    pages = tree.files(ends=(".md",))
    for path in pages:
        check_links(findings, path)
    if tree.read("README.md").count("\n") > README_LINES:
        findings.add("README.md", README_LINES, "is longer than a page: "
                     f"{README_LINES} lines")
    findings.finish("docs", len(pages))


if __name__ == "__main__":
    main()
