#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the shape of files: first lines, lengths, names, words.

Relies on clang-format's layout: a function's name stands at column 0 and its
braces alone at column 0.
"""
import os
import re

import tree

# Of a test, its table is part.
FUNCTION_LINES = {"agent": 80, "tests": 120}
PARAMETERS = 7
# A file reads in one sitting; a test's table may be longer.
FILE_LINES = {"agent": 700, "tests": 1400}

# Names that say nothing, and so collect everything.
NAMES = re.compile(r"(^|[_/.-])(utils?|commons?|helpers?|misc|types|manager)"
                   r"([_.-]|$)", re.I)

# The program has its own nouns (agent/README.md); these are not among them.
NOUNS = re.compile(r"\b(?:struct|enum|union) (\w*_)?(message|item|job|task"
                   r"|manager|helper|util)s?(_\w*)?\b")

# Promises of later work, and what only one machine has.
WORDS = [
    (re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"),
     "promises work instead of being it"),
    (re.compile(r"(?<![\w.$}/-])/(?:home|Users|root)/\w"),
     "names somebody's folder"),
]

DUTY = re.compile(r"/\*\n \* (\w+): .*?[.:;]", re.S)
FUNCTION = re.compile(
    r"^(\w+)\(((?:[^(){}]|\([^(){}]*\))*)\)\n\{\n(.*?)^\}", re.M | re.S)


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def check_head(findings, path, text):
    lines = text.split("\n", 1)
    if lines[0] != "/* SPDX-License-Identifier: MIT */":
        findings.add(path, 1, "does not begin with its licence")
        return
    if not path.startswith("agent/"):
        return
    base = os.path.splitext(path)[0]
    rest = lines[1] if len(lines) > 1 else ""
    if path.endswith(".h"):
        match = DUTY.match(rest)
        if not match or match.group(1) != os.path.basename(base):
            findings.add(path, 2, f'does not say its duty: "/* '
                         f'{os.path.basename(base)}: ..."')
        guard = base[len("agent/"):].replace("/", "_").upper() + "_H"
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            findings.add(path, 2, f"has no guard {guard}")
    elif not rest.startswith(("#", "/*")):
        findings.add(path, 2, "begins with neither its duty nor its header")


def count_parameters(text):
    depth = 0
    commas = 0
    for char in text:
        depth += (char in "([") - (char in ")]")
        commas += char == "," and depth == 0
    return 0 if text.strip() in ("", "void") else commas + 1


def check_functions(findings, path, code):
    for match in FUNCTION.finditer(code):
        name, parameters, body = match.groups()
        line = line_of(code, match.start())
        length = body.count("\n")
        limit = FUNCTION_LINES[path.split("/")[0]]
        if length > limit:
            findings.add(path, line, f"{name} has {length} lines, more than "
                         f"{limit}")
        if count_parameters(parameters) > PARAMETERS:
            findings.add(path, line, f"{name} has "
                         f"{count_parameters(parameters)} parameters, more "
                         f"than {PARAMETERS}")


def check_code(findings, path, text):
    code = tree.code_only(text)
    limit = FILE_LINES[path.split("/")[0]]
    lines = text.count("\n")
    if lines > limit:
        findings.add(path, limit, f"has {lines} lines, more than {limit}")
    check_head(findings, path, text)
    check_functions(findings, path, code)
    blanked = re.sub(r"/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"",
                     lambda m: re.sub(r"[^\n]", " ", m.group(0)), text,
                     flags=re.S)
    for match in re.finditer("//", blanked):
        findings.add(path, line_of(text, match.start()),
                     "// is a note to oneself; comments are /* */")
    if path.startswith("agent/"):
        for match in NOUNS.finditer(code):
            findings.add(path, line_of(code, match.start()),
                         f"{match.group(0)}: not a noun of this program")


def check_words(findings, path, text):
    here = tree.ROOT
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, words in WORDS:
            if pattern.search(line):
                findings.add(path, number, words)
        if len(here) > 3 and here + "/" in line:
            findings.add(path, number, "names this checkout's folder")
        if line != line.rstrip() and not path.endswith((".md", ".raw")):
            findings.add(path, number, "ends in white space")


def main():
    findings = tree.Findings()
    paths = tree.files()
    for path in paths:
        if NAMES.search(os.path.basename(path)) and path.endswith(
                (".c", ".h", ".py", ".sh")):
            findings.add(path, 1, "a name that says nothing about its duty")
        try:
            text = tree.read(path)
        except UnicodeDecodeError:
            continue
        if path.startswith(("tests/data/", "tests/fuzz/")):
            continue
        check_words(findings, path, text)
        if path.endswith((".c", ".h")) and path.split("/")[0] in FILE_LINES:
            check_code(findings, path, text)
    findings.finish("shape", len(paths))


if __name__ == "__main__":
    main()
