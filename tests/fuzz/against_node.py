#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mutated requests to our parser and to node's, and what is made of them.

    tests/fuzz/against_node.py --bin build-tests/dev [--cases N] [--seed N]

Two servers on one connection that disagree on where a request ends is what
smuggling is made of. So: what we take, node takes, as the same requests with
the same fields and bodies; where we wait for more, node has no request either.
What we refuse and node takes is no finding: we are the stricter one.
"""
import argparse
import collections
import os
import random
import shutil
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = b"POST /hooks/shop HTTP/1.1\r\nHost: h\r\n"
SEEDS = [
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /a?b=c%20d HTTP/1.1\r\nHost: h:80\r\nAccept: */*\r\n\r\n"
    b"GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
    HEAD + b"Content-Length: 5\r\n\r\nhello",
    HEAD + b"Content-Length: 5\r\nX: y\r\n\r\nhello" + HEAD +
    b"Content-Length: 0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789"
    b"\r\n0\r\nT: v\r\n\r\n" + HEAD + b"Content-Length: 1\r\n\r\nx",
    HEAD + b"Content-Length: 27\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n",
    HEAD + b"X-Empty:\r\nX-Blank: \t v \t\r\nX-High: \x80\xff\r\n"
    b"Content-Length: 2\r\n\r\n{}",
]
LINES = [
    b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: 5, 5",
    b"Content-Length: +5", b"Content-Length: -1", b"Content-Length: 05",
    b"Content-Length: 5 5", b"Content-Length: 0x5", b"Content-Length:",
    b"Content-Length: 18446744073709551621", b"Content-Length: 5\x0b",
    b"content-length: 5", b"Content_Length: 5", b"Content-Length : 5",
    b"Content-Length: 5;", b"\x0bContent-Length: 5",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunked\x0b", b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding: \"chunked\"", b"Transfer-Encoding: chunked;a",
    b"Transfer-Encoding : chunked", b"Transfer-Encoding:\tchunked\t",
    b"Transfer-Encoding:", b"Transfer-Encoding: Chunked", b"tRANSFER-eNCODING:"
    b" cHUNKED", b"Transfer-Encoding: chunked,", b"Transfer-Encoding: ,chunked",
    b"Transfer-Encoding\x00: chunked", b"Host: other",
    b"Host:", b" folded: on", b"\tfolded", b"Connection: close",
    b"Connection: keep-alive", b"Connection: close, keep-alive",
    b"Connection: Content-Length", b"Connection: Transfer-Encoding",
    b"Upgrade: h2c", b"Connection: Upgrade", b"X: a\rb", b"X: a\nb",
    b"X: \x00", b"X\x80: y", b": empty", b"no colon", b"X: \x7f", b"",
    b"Trailer: Content-Length", b"Keep-Alive: max=1",
]
CHUNKS = [
    b"5", b"05", b"0x5", b"+5", b"-5", b" 5", b"5 ", b"5\t", b"5;", b"5;a",
    b"5;a=\"\"", b"5;a=\"\r\n\"", b"5 ;a", b"5\x00", b"F" * 16, b"F" * 17,
    b"00000000000000005", b"", b"g", b"5,5", b"5\r", b"0", b"00", b"5;\n",
]
BYTES = [bytes([b]) for b in b"\r\n\t :;,\x00\x0b\x0c\x1f\x7f\x80\xff05aZ+-\""] + [
    b"\r\n", b"\n\n", b"\r\n\r\n", b"\r\r\n", b"\n\r\n", b"\x85", b"\xa0"]
FIRST = [
    b"GET / HTTP/1.1", b"get / HTTP/1.1", b"GET / HTTP/1.2", b"GET / HTTP/2.0",
    b"GET / HTTP/0.9", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET / HTTP/1.1 ",
    b"GET /a b HTTP/1.1", b"GET http://h/ HTTP/1.1", b"GET / http/1.1",
    b"GET\t/\tHTTP/1.1", b"GET /#f HTTP/1.1", b"GET /\x80 HTTP/1.1", b"GET /",
    b"GET * HTTP/1.1", b"GET h HTTP/1.1", b"GET / HTTP/1.01", b"GET / HTTP/11",
    b"CONNECT h:1 HTTP/1.1", b"POST /\x00 HTTP/1.1", b"PRI * HTTP/2.0",
    b"\r\nGET / HTTP/1.1", b" GET / HTTP/1.1", b"POST / HTTP/1.1",
]


def change_bytes(chance, text):
    at = chance.randrange(len(text) + 1)
    cut = chance.choice((0, 0, 1, 1, 2, chance.randrange(20)))
    put = chance.choice((b"", chance.choice(BYTES), chance.choice(BYTES),
                         text[at:at + cut] * 2))
    return text[:at] + put + text[at + cut:]


def change_line(chance, text):
    """One more line in a head, or in place of one, or a line twice."""
    lines = text.split(b"\r\n")
    at = chance.randrange(len(lines))
    what = chance.randrange(4)
    if what == 0:
        lines[at] = chance.choice(LINES)
    elif what == 1:
        lines.insert(at, lines[chance.randrange(len(lines))])
    elif what == 2:
        lines[at] = chance.choice(CHUNKS)
    else:
        lines.insert(max(1, at), chance.choice(LINES))
    return b"\r\n".join(lines)


def change_first(chance, text):
    return chance.choice(FIRST) + b"\r\n" + text.partition(b"\r\n")[2]


def change_ends(chance, text):
    return text.replace(b"\r\n", chance.choice((b"\n", b"\r", b"\r\r\n")),
                        chance.choice((1, 1, 2, -1)))


def join(chance, text):
    return text + chance.choice(SEEDS)


def cut(chance, text):
    return text[:chance.randrange(len(text) + 1)]


CHANGES = [change_bytes] * 4 + [change_line] * 6 + [change_first, change_ends,
                                                    join, cut]


def make_cases(seed, count):
    chance = random.Random(seed)
    cases = list(SEEDS)
    for line in LINES:
        for text in (SEEDS[4], SEEDS[6]):
            cases.append(text.replace(b"Host: h\r\n",
                                      b"Host: h\r\n" + line + b"\r\n", 1))
    for size in CHUNKS:
        cases.append(SEEDS[6].replace(b"5\r\nhello", size + b"\r\nhello", 1))
    for first in FIRST:
        cases.append(first + b"\r\nHost: h\r\n\r\n")
    while len(cases) < count:
        text = chance.choice(SEEDS)
        for _ in range(chance.choice((1, 1, 2, 2, 3, 5))):
            text = chance.choice(CHANGES)(chance, text)
        cases.append(text)
    return cases[:count]


def judge(argv, cases):
    given = b"".join(struct.pack("<I", len(c)) + c for c in cases)
    done = subprocess.run(argv, input=given, stdout=subprocess.PIPE,
                          check=True, timeout=1200)
    lines = done.stdout.decode("ascii").splitlines()
    if len(lines) != len(cases):
        raise SystemExit(f"{argv[0]}: {len(lines)} verdicts for "
                         f"{len(cases)} connections")
    return lines


def parts(line):
    """The requests of a verdict, and how it ended."""
    *requests, end = line.split(";")
    return requests, end


def finding(ours, nodes):
    """What is wrong about two verdicts; None when nothing is."""
    mine, my_end = parts(ours)
    others, their_end = parts(nodes)
    for at, request in enumerate(mine):
        if at == len(others):
            return f"taken by us alone; node: {their_end}"
        if request != others[at]:
            return "read as another request"
    if len(mine) < len(others) and not my_end.startswith("!"):
        return "node has a request where we wait for more"
    if my_end == "." and their_end.startswith("!"):
        return None  # we would see it with the next byte, or never
    return None


def readable(request):
    method, target, body, fields = request.split(" ")
    pairs = [tuple(bytes.fromhex(p) for p in pair.split(":"))
             for pair in fields.split(",")[:-1]]
    return bytes.fromhex(method), bytes.fromhex(target), \
        bytes.fromhex(body), pairs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, metavar="FOLDER")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        print("there is no node: nothing to compare with\n0 passed, 1 failed")
        return 1
    cases = make_cases(options.seed, options.cases)
    ours = judge([os.path.join(options.bin, "tests", "fuzz", "judge_http")],
                 cases)
    nodes = judge([node, os.path.join(HERE, "judge_http.js")], cases)
    found = collections.defaultdict(list)
    for case, mine, theirs in zip(cases, ours, nodes):
        words = finding(mine, theirs)
        if words is not None:
            found[words].append((case, mine, theirs))
    for words, all_of_it in found.items():
        print(f"{words}: {len(all_of_it)}")
        for case, mine, theirs in sorted(all_of_it, key=lambda x: len(x[0]))[:5]:
            print(f"  {case!r}")
            for name, line in (("we", mine), ("node", theirs)):
                requests, end = parts(line)
                print(f"    {name}: {[readable(r) for r in requests]} {end}")
    taken = sum(1 for line in ours if parts(line)[0])
    refused = sum(1 for line in ours if parts(line)[1].startswith("!"))
    stricter = sum(1 for mine, theirs in zip(ours, nodes)
                   if len(parts(mine)[0]) < len(parts(theirs)[0]))
    print(f"{len(cases)} connections, seed {options.seed}: {taken} with a "
          f"request taken, {refused} refused, {stricter} of them taken by node")
    bad = sum(map(len, found.values()))
    print(f"{len(cases) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
