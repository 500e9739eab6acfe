#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the last commits to the form of this history.

`folder/module: imperative`, 60 characters and no full stop;
the folder is one that the commit touches; the body is wrapped at 72 (refused
beyond 76).
"""
import os
import re
import subprocess
import sys

import tree

LAST = 50
PLACE = r"(?:[a-z0-9_.-]+(?:/[a-z0-9_.-]+)*(?:/README)?|README|CHANGELOG)"
SUBJECT = re.compile(rf"^({PLACE}(?:, {PLACE})*): [a-z0-9`].*[^.]$")
# Prefixes that are not a path.
FREE = {"build", "docs", "release"}


def git(*argv):
    return subprocess.run(["git", "-C", tree.ROOT, *argv], check=True,
                          capture_output=True, text=True).stdout


def check(findings, commit):
    short, subject, body = commit[0][:10], commit[1], commit[2]
    if len(subject) > 60:
        findings.add(short, 1, f"subject has {len(subject)} characters, more "
                     "than 60")
    match = SUBJECT.match(subject)
    if not match:
        findings.add(short, 1, f'not "folder/module: imperative": {subject}')
    else:
        paths = git("diff-tree", "--no-commit-id", "--name-only", "-r",
                    "--root", commit[0]).split()
        for prefix in match.group(1).split(", "):
            if prefix not in FREE and not all(
                    any(part in path for path in paths)
                    for part in prefix.split("/")):
                findings.add(short, 1, f"{prefix} is not what it touches")
    for number, line in enumerate(body.rstrip("\n").split("\n"), 3):
        # A link, or a line that was quoted, cannot be broken.
        if len(line) > 76 and " " in line.strip() and line[0] not in " >":
            findings.add(short, number, "is wider than 76 columns")


def main():
    findings = tree.Findings()
    if not os.path.exists(os.path.join(tree.ROOT, ".git")):
        print("commits: no history here")
        sys.exit(0)
    log = git("log", f"-{LAST}", "--no-merges", "-z", "--format=%H%n%s%n%b")
    commits = [entry.split("\n", 2) for entry in log.split("\0") if entry]
    for commit in commits:
        check(findings, commit + [""] * (3 - len(commit)))
    findings.finish("commits", len(commits))


if __name__ == "__main__":
    main()
