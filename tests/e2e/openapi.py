# SPDX-License-Identifier: MIT
"""schema/openapi.yaml: read, and an answer held against it.

The file keeps to a part of YAML that is read here: block mappings and lists,
flow mappings and lists, plain and double-quoted scalars, `>-` texts.
"""
import json
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
TOKEN = re.compile(r'\s*([{}\[\],:]|"(?:[^"\\]|\\.)*"'
                   r'|[^{}\[\],:"\s](?:[^{}\[\],:]|:(?=\S))*)')


def scalar(text):
    if text.startswith('"'):
        return json.loads(text)
    if text in ("true", "false"):
        return text == "true"
    if text == "null":
        return None
    return int(text) if re.fullmatch(r"-?\d+", text) else text


class Flow:
    """`{a: b, c: [d]}`, or one scalar."""

    def __init__(self, text):
        self.tokens = TOKEN.findall(text)

    def value(self):
        token = self.tokens.pop(0).strip()
        if token == "{":
            found = {}
            while self.tokens[0] != "}":
                name = scalar(self.tokens.pop(0).strip())
                assert self.tokens.pop(0) == ":", self.tokens
                found[name] = self.value()
                self.skip_comma()
        elif token == "[":
            found = []
            while self.tokens[0] != "]":
                found.append(self.value())
                self.skip_comma()
        else:
            return scalar(token)
        self.tokens.pop(0)
        return found

    def skip_comma(self):
        if self.tokens[0] == ",":
            self.tokens.pop(0)


class Block:
    """Lines with their indents, from the first to the last."""

    def __init__(self, text):
        self.lines = []
        for line in text.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                self.lines.append((len(line) - len(line.lstrip()),
                                   line.strip()))

    def value(self, indent):
        if self.lines[0][1].startswith("- "):
            return self.list(indent)
        return self.mapping(indent)

    def list(self, indent):
        found = []
        while self.lines and self.lines[0][0] == indent and \
                self.lines[0][1].startswith("- "):
            rest = self.lines.pop(0)[1][2:]
            if re.match(r'[\w"]+:( |$)', rest):
                self.lines.insert(0, (indent + 2, rest))
                found.append(self.mapping(indent + 2))
            else:
                found.append(Flow(self.joined(rest)).value())
        return found

    def mapping(self, indent):
        found = {}
        while self.lines and self.lines[0][0] == indent and \
                not self.lines[0][1].startswith("- "):
            line = self.lines.pop(0)[1]
            name, _, rest = line.partition(": ") if ": " in line \
                else (line[:-1], "", "")
            if rest == ">-":
                words = []
                while self.lines and self.lines[0][0] > indent:
                    words.append(self.lines.pop(0)[1])
                found[scalar(name)] = " ".join(words)
            elif rest and rest[0] in '{["':
                found[scalar(name)] = Flow(self.joined(rest)).value()
            elif rest:
                found[scalar(name)] = scalar(rest)
            else:
                found[scalar(name)] = self.value(self.lines[0][0])
        return found

    def joined(self, text):
        """A flow value that goes on over lines."""
        while text.count("[") > text.count("]") or \
                text.count("{") > text.count("}"):
            text += " " + self.lines.pop(0)[1]
        return text


def load():
    path = os.path.join(ROOT, "schema", "openapi.yaml")
    with open(path, encoding="utf-8") as file:
        return Block(file.read()).value(0)


TYPES = {"object": dict, "array": list, "string": str, "boolean": bool,
         "integer": int, "number": float, "null": type(None)}


class Spec:
    def __init__(self):
        self.root = load()

    def resolve(self, node):
        while "$ref" in node:
            found = self.root
            for name in node["$ref"][2:].split("/"):
                found = found[name]
            node = found
        return node

    def operations(self):
        """(path, method, operation) of all."""
        for path, item in self.root["paths"].items():
            for method in ("get", "post", "put", "delete"):
                if method in item:
                    yield path, method.upper(), item[method]

    def mistakes(self, value, schema, where="$"):
        """What a value has that its schema does not say, and the reverse."""
        schema = self.resolve(schema)
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(type(value) is TYPES[kind] for kind in kinds):
            return [f"{where}: {value!r} is none of {kinds}"]
        if "enum" in schema and value not in schema["enum"]:
            return [f"{where}: {value!r} is none of {schema['enum']}"]
        found = []
        if isinstance(value, dict) and "properties" in schema:
            for name in schema.get("required", []):
                if name not in value:
                    found.append(f"{where}.{name} is missing")
            for name, member in value.items():
                if name not in schema["properties"]:
                    found.append(f"{where}.{name} is not in the schema")
                else:
                    found += self.mistakes(member, schema["properties"][name],
                                           f"{where}.{name}")
        if isinstance(value, list) and "items" in schema:
            for at, item in enumerate(value):
                found += self.mistakes(item, schema["items"],
                                       f"{where}[{at}]")
        return found
