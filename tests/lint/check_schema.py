#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The JSON Schemas in schema/ are what the program prints, byte for byte.

With --write they are made anew; then look at the difference before it is
committed: editors of people's configurations read these files.
"""
import argparse
import json
import os
import subprocess
import sys

import tree

KINDS = ("config", "connector", "event")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True, help="the longstop to ask")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    findings = tree.Findings()
    for kind in KINDS:
        name = f"schema/{kind}.schema.json"
        path = os.path.join(tree.ROOT, name)
        done = subprocess.run([options.bin, "schema", kind],
                              capture_output=True, check=False, timeout=60)
        if done.returncode != 0:
            findings.add(name, 0, f"`longstop schema {kind}` ended with "
                         f"{done.returncode}: {done.stderr.decode()}")
            continue
        try:
            json.loads(done.stdout)
        except ValueError as failure:
            findings.add(name, 0, f"is not JSON: {failure}")
        if options.write:
            with open(path, "wb") as file:
                file.write(done.stdout)
        elif not os.path.exists(path):
            findings.add(name, 0, "is missing: check_schema.py --write")
        else:
            with open(path, "rb") as file:
                if file.read() != done.stdout:
                    findings.add(name, 0, "is not what the program prints: "
                                 "check_schema.py --write")
    findings.finish("schema", len(KINDS))


if __name__ == "__main__":
    sys.exit(main())
