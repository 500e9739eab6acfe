# SPDX-License-Identifier: MIT
"""What the lints share: the files of the project, and how a finding is told."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

# The floors of agent/, lowest first; folders of one row never see each other.
FLOORS = [["base", "plugin"], ["wire", "config"], ["model"], ["io"],
          ["store", "source", "handler"], ["flow"], ["app"]]
LEVEL = {name: level for level, row in enumerate(FLOORS) for name in row}

_BLANK = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


class Findings:
    """Counts what a lint found and prints it as file:line: words."""

    def __init__(self):
        self.count = 0

    def add(self, path, line, words):
        self.count += 1
        print(f"{path}:{line}: {words}")

    def finish(self, name, looked_at):
        if looked_at == 0:
            self.add(name, 0, "looked at nothing")
        print(f"{name}: {looked_at} looked at, {self.count} found")
        sys.exit(1 if self.count else 0)


def files(*folders, ends=("",)):
    """Paths below the root: what git tracks or would, sorted."""
    argv = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others",
            "--exclude-standard", "--", *folders]
    try:
        names = subprocess.run(argv, check=True, capture_output=True,
                               text=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = walk(folders)
    return sorted(name for name in set(names)
                  if name.endswith(tuple(ends)) and
                  os.path.isfile(os.path.join(ROOT, name)))


def walk(folders):
    """The same without git: everything but build trees and hidden folders."""
    for folder in folders or ("",):
        for at, names, found in os.walk(os.path.join(ROOT, folder)):
            names[:] = [name for name in names
                        if not name.startswith((".", "build", "__"))]
            for name in found:
                yield os.path.relpath(os.path.join(at, name), ROOT)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def _blank(match):
    text = match.group(0)
    if text[0] in "\"'":
        return text[0] + re.sub(r"[^\n]", " ", text[1:-1]) + text[-1]
    return re.sub(r"[^\n]", " ", text)


def code_only(text):
    """The text with comments and literals blanked; lines keep their number."""
    return _BLANK.sub(_blank, text)
