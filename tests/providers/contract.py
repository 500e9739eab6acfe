# SPDX-License-Identifier: MIT
"""Holds a request against the provider's own line in requests.json.

A line is {method, path, auth, query, headers, json, form}. `path` has
{names} for its parts; `query`, `headers`, `form` and the objects of `json`
map a name to a regular expression that the whole value must match. A name
with `?` at its end may be left out; no other name may be there.
"""
import base64
import json
import os
import re
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))

with open(os.path.join(HERE, "requests.json"), encoding="utf-8") as file:
    LINES = json.load(file)


class Refused(Exception):
    """What is wrong with a request, in words."""

    def __init__(self, words, status=400):
        super().__init__(words)
        self.status = status


class Asked:
    """One request: its line's name, the parts of its path, its fields."""

    def __init__(self, method, target, headers, body):
        parts = urllib.parse.urlsplit(target)
        self.method = method
        self.target = target
        self.path = parts.path
        self.pairs = urllib.parse.parse_qsl(parts.query,
                                            keep_blank_values=True)
        self.query = dict(self.pairs)
        self.headers = headers
        self.body = body
        self.name = None
        self.parts = {}
        self.json = None
        self.form = {}

    def count(self, name, default, cap):
        """How many rows a page is to have."""
        return min(int(self.query.get(name, default)), cap)


def path_pattern(path):
    return re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))


def find_line(lines, asked):
    for name, line in lines.items():
        found = re.fullmatch(path_pattern(line["path"]), asked.path)
        if found and line["method"] == asked.method:
            asked.name = name
            asked.parts = found.groupdict()
            return line
    raise Refused(f"no such request: {asked.method} {asked.path}")


def check_names(what, wanted, given):
    names = {name.rstrip("?"): pattern for name, pattern in wanted.items()}
    for name, value in given.items():
        if name not in names:
            raise Refused(f"{what} {name} is not known here")
        if not re.fullmatch(names[name], value):
            raise Refused(f"{what} {name} = {value!r} is not "
                          f"/{names[name]}/")
    for name in wanted:
        if not name.endswith("?") and name not in given:
            raise Refused(f"{what} {name} is missing")


def check_json(place, wanted, given):
    """Objects by name, lists by their one element's shape, else as text."""
    if isinstance(wanted, dict):
        if not isinstance(given, dict):
            raise Refused(f"{place} is not an object")
        names = {name.rstrip("?"): shape for name, shape in wanted.items()}
        for name in given:
            if name not in names:
                raise Refused(f"{place}.{name} is not known here")
            check_json(f"{place}.{name}", names[name], given[name])
        for name in wanted:
            if not name.endswith("?") and name not in given:
                raise Refused(f"{place}.{name} is missing")
    elif isinstance(wanted, list):
        if not isinstance(given, list) or not given:
            raise Refused(f"{place} is not a list of any")
        for i, element in enumerate(given):
            check_json(f"{place}[{i}]", wanted[0], element)
    elif not re.fullmatch(wanted, json.dumps(given), re.S):
        raise Refused(f"{place} = {json.dumps(given)} is not /{wanted}/")


def check_body(line, asked):
    kind = asked.headers.get("Content-Type", "").split(";")[0].strip()
    if "json" in line:
        if kind != "application/json":
            raise Refused(f"Content-Type is {kind!r}, not application/json")
        try:
            asked.json = json.loads(asked.body)
        except ValueError as failure:
            raise Refused(f"the body is no JSON: {failure}") from failure
        check_json("body", line["json"], asked.json)
    elif "form" in line:
        if kind != "application/x-www-form-urlencoded":
            raise Refused(f"Content-Type is {kind!r}, not a form's")
        asked.form = dict(urllib.parse.parse_qsl(asked.body.decode(),
                                                 keep_blank_values=True))
        check_names("field", line["form"], asked.form)
    elif asked.body:
        raise Refused("a body where none is expected")


def check_auth(auth, asked, secrets):
    """`auth` is "none", or the words of the one right field, filled in."""
    if auth == "none":
        if "Authorization" in asked.headers:
            raise Refused("a credential where none is to be sent", 400)
        return
    field, _, form = auth.partition(": ")
    value = re.sub(r"\{(\w+)\}", lambda m: secrets[m[1]], form)
    if value.startswith("Basic "):
        pair = base64.b64encode(value[6:].encode()).decode()
        value = "Basic " + pair
    if asked.headers.get(field) != value:
        raise Refused(f"{field} is {asked.headers.get(field)!r}", 401)


def check(lines, asked, secrets):
    """Finds the line and holds the request against it, or raises Refused."""
    line = find_line(lines, asked)
    check_auth(line["auth"], asked, secrets)
    if len(asked.query) != len(asked.pairs):
        raise Refused("a query name that comes twice")
    check_names("query", line.get("query", {}), asked.query)
    for name, pattern in line.get("headers", {}).items():
        value = asked.headers.get(name)
        if value is None or not re.fullmatch(pattern, value):
            raise Refused(f"field {name} is {value!r}, not /{pattern}/")
    check_body(line, asked)
