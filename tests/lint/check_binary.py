#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds a built program to what it is hardened with.

    tests/lint/check_binary.py build-tests/release/longstop [FILE...]

A program lies at an address of chance (PIE), nothing in it is both written and
run, what the linker filled in is read-only from the start (RELRO, now), and the
compiler's checks are in it: canaries, bounded calls of the C library, stacks
that are touched page by page, and landing pads for jumps where the processor
knows them (CET, BTI). Plugins (.so) are held to all that goes for them.
"""
import re
import subprocess
import sys


def readelf(path, *options):
    return subprocess.run(["readelf", "-W", *options, path], text=True,
                          stdout=subprocess.PIPE, check=True).stdout


def findings(path):
    """What a file lacks, in words."""
    head = readelf(path, "-h")
    segments = readelf(path, "-l")
    dynamic = readelf(path, "-d")
    symbols = readelf(path, "--dyn-syms")
    is_plugin = path.endswith(".so")
    if not re.search(r"Type:\s+DYN", head):
        yield "it lies at a fixed address: -fPIE, -pie"
    if not is_plugin and "INTERP" not in segments:
        yield "it is no program"
    if not is_plugin and "PIE" not in dynamic:
        yield "its flags do not say PIE"
    if "GNU_RELRO" not in segments:
        yield "what the linker fills in stays writable: -z relro"
    if not re.search(r"BIND_NOW|Flags:.*\bNOW\b", dynamic):
        yield "it is filled in while it runs: -z now"
    stack = re.search(r"GNU_STACK.*\s([RWE ]{3})\s+0x\w+$", segments, re.M)
    if stack is None or "E" in stack[1]:
        yield "its stack can be run: -z noexecstack"
    if re.search(r"LOAD.*\sRWE\s", segments):
        yield "a part of it is both written and run"
    if re.search(r"RPATH|RUNPATH", dynamic):
        yield "it looks for libraries where it was built"
    if "__stack_chk_fail" not in symbols:
        yield "no canary: -fstack-protector-strong"
    if not re.search(r"__\w+_chk\b(?<!stack_chk)", symbols):
        yield "no bounded call: -D_FORTIFY_SOURCE"
    if not pads(path, head):
        yield "no landing pads: -fcf-protection, -mbranch-protection"


def pads(path, head):
    """Whether functions begin with one: each that is called from elsewhere or
    by its address does. The note in the file says it of all that was linked,
    and what the C library begins a program with is not everywhere built so."""
    pad = "endbr64" if "X86-64" in head else "bti|paciasp" \
        if "AArch64" in head else None
    if pad is None:
        return True
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "-j",
                           ".text", path], text=True, stdout=subprocess.PIPE,
                          check=True).stdout
    begun = re.findall(rf"^\s*[0-9a-f]+:\s+(?:{pad})\b", text, re.M)
    calls = set(re.findall(r"\bcall\s+([0-9a-f]+)\s", text)) or \
        set(re.findall(r"\bbl\s+([0-9a-f]+)\s", text))
    return len(begun) > 2 + len(calls) // 10


def main():
    found = 0
    for path in sys.argv[1:]:
        for words in findings(path):
            print(f"{path}: {words}")
            found += 1
    print(f"binary: {len(sys.argv) - 1} looked at, {found} found")
    return 1 if found or len(sys.argv) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
