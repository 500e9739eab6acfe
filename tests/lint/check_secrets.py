#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds comparisons of secrets to the one that takes the same time for all.

A comparison that stops at the first byte that differs tells, by how long it
takes, how much of a guess was right. encode_same_secret does not stop; what is
named a secret is compared by it and by nothing else.
"""
import os
import re

import tree

STOPS = re.compile(r"\b(slice_equal(?:_text|_nocase)?|memcmp|strcmp|strncmp)"
                   r"\s*\(")
SECRET = re.compile(r"signature|secret|password|credential|digest_slice|\bmac\b"
                    r"|refresh|settings(?:\.|->)token")
TEXT = re.compile(r'"(?:\\.|[^"\\])*"')
# Nobody outside can ask as often as that takes: FILE, and the call.
ALLOWED = {
    # what is kept already, or what we had chosen
    ("agent/source/access.c",
     "slice_equal(refresh, buf_slice(&token->refresh))"),
    ("agent/model/registration.c", "slice_equal(r->secret, r->answered)"),
}


def call(text, at):
    """A call from its name to the bracket that closes it."""
    depth = 0
    for end in range(text.index("(", at), len(text)):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if depth == 0:
            return re.sub(r"\s+", " ", text[at:end + 1])
    return text[at:at + 80]


def main():
    found = tree.Findings()
    looked = 0
    for path in tree.files("agent", ends=(".c",)):
        with open(os.path.join(tree.ROOT, path), encoding="utf-8") as file:
            text = TEXT.sub('""', file.read())
        for match in STOPS.finditer(text):
            looked += 1
            words = call(text, match.start())
            if SECRET.search(words) and (path, words) not in ALLOWED:
                found.add(path, text.count("\n", 0, match.start()) + 1,
                          f"a secret is compared by what stops early: {words}; "
                          "encode_same_secret does not")
    found.finish("secrets", looked)


if __name__ == "__main__":
    main()
