#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""clang-tidy over agent/ and the provider, as .clang-tidy says.

The static analyzer looks at so many states of a function (`--nodes`) that all
files take a minute or two; `--nodes 0` leaves it its own limit, 225,000, and
takes five times as long.

A file whose preprocessed text and settings have not changed since it was found
clean is not looked at again: the marks are kept in the build tree.
"""
import argparse
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import tree

CHECKED = re.compile(r"/(agent|tests/provider)/.*\.c$")


def preprocessed(entry):
    """What the compiler would see of a file, or None."""
    argv = shlex.split(entry["command"])
    if "ccache" in argv[0]:
        argv = argv[1:]
    argv = argv[:argv.index("-o")] + ["-E", entry["file"]]
    done = subprocess.run(argv, cwd=entry["directory"], capture_output=True,
                          check=False)
    return done.stdout if done.returncode == 0 else None


def look(entry, options):
    path = os.path.relpath(entry["file"], tree.ROOT)
    with open(entry["file"], "rb") as file:
        source = file.read()
    mark = hashlib.sha256()
    # NOLINT comments are not in the preprocessed text.
    for part in (options.version, options.settings, source,
                 preprocessed(entry) or os.urandom(16)):
        mark.update(part)
    marked = os.path.join(options.marks, mark.hexdigest())
    if os.path.exists(marked):
        return path, True, ""
    done = subprocess.run(
        [options.tool, "--quiet", "-p", options.tree, *options.extra,
         entry["file"]],
        cwd=tree.ROOT, capture_output=True, text=True, check=False)
    clean = done.returncode == 0 and "warning:" not in done.stdout
    if clean:
        open(marked, "w", encoding="utf-8").close()
    return path, clean, done.stdout + ("" if done.stdout else done.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree", required=True, help="a tree built by clang")
    parser.add_argument("--tool", default="clang-tidy-14")
    parser.add_argument("--nodes", type=int, default=30000)
    parser.add_argument("files", nargs="*", help="only these")
    options = parser.parse_args()
    options.extra = [f"--extra-arg={word}" for word in (
        "-Xclang", "-analyzer-config", "-Xclang",
        f"max-nodes={options.nodes}")] if options.nodes else []
    options.marks = os.path.join(options.tree, "tidy")
    os.makedirs(options.marks, exist_ok=True)
    options.version = subprocess.run(
        [options.tool, "--version"], check=True, capture_output=True).stdout
    with open(os.path.join(tree.ROOT, ".clang-tidy"), "rb") as file:
        options.settings = file.read() + str(options.nodes).encode()
    with open(os.path.join(options.tree, "compile_commands.json"),
              encoding="utf-8") as file:
        entries = [entry for entry in json.load(file)
                   if CHECKED.search(entry["file"])]
    if options.files:
        wanted = {os.path.realpath(name) for name in options.files}
        entries = [entry for entry in entries
                   if os.path.realpath(entry["file"]) in wanted]
    findings = tree.Findings()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, clean, words in pool.map(
                lambda entry: look(entry, options), entries):
            if not clean:
                findings.add(path, 1, "clang-tidy:\n" + words.strip())
    findings.finish("tidy", len(entries))


if __name__ == "__main__":
    sys.exit(main())
