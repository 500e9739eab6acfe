#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The JSON Schemas in schema/ are what the program prints, byte for byte.

With --write they are made anew; then look at the difference before it is
committed: editors of people's configurations read these files. Where Python has
PyYAML and jsonschema, each file of connectors/ is held against its schema.
"""
import argparse
import json
import os
import subprocess
import sys

import tree

KINDS = ("config", "connector", "event")


def check_connectors(findings):
    """Returns how many files were held against the schema."""
    try:
        import jsonschema
        import yaml
    except ImportError:
        print("connectors: not held against their schema, which takes PyYAML "
              "and jsonschema")
        return 0
    with open(os.path.join(tree.ROOT, "schema/connector.schema.json"),
              encoding="utf-8") as file:
        validator = jsonschema.Draft7Validator(json.load(file))
    names = tree.files("connectors", ends=(".yaml",))
    for name in names:
        with open(os.path.join(tree.ROOT, name), encoding="utf-8") as file:
            root = yaml.safe_load(file)
        for failure in validator.iter_errors(root):
            place = ".".join(str(part) for part in failure.absolute_path)
            findings.add(name, 0, f"{place}: {failure.message[:200]}")
    return len(names)


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
    findings.finish("schema", len(KINDS) + check_connectors(findings))


if __name__ == "__main__":
    sys.exit(main())
