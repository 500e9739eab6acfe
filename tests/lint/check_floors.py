#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the shape of agent/: floors, gates, cycles, and who may call what.

An include points to its own folder or to a lower floor, never up, never
sideways, and is written from the root. Each library is included by the files
named here and by no other; a new row is a decision, so it says why.
"""
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import tree

# Library headers (a whole folder ends in "/") and the files that may see them.
GATES = {
    "ev.h": ["io/loop.c"],
    # Gates of several files share one private header.
    "curl/": ["io/http_client.c", "io/http_client_private.h"],
    "sqlite3.h": ["store/store_sqlite_private.h", "store/store_vfs.c"],
    "yaml.h": ["config/config_yaml.c"],
    "cjson/": ["wire/json_tree.c"],
    # Digests and signatures below io; certificates and sessions at it.
    "openssl/": ["wire/digest.c", "io/tls_private.h", "io/tls.c"],
    "llhttp.h": ["wire/http_request.c"],
    "zlib.h": ["wire/gzip.c"],
    "expat.h": ["wire/feed.c"],
    # Threads: who has one, and nobody else.
    "pthread.h": ["io/offload.c", "store/store_worker.c", "plugin/nats.c"],
    # call_once, for cJSON's global hooks.
    "threads.h": ["wire/json_tree.c"],
    "regex.h": ["model/pattern.c"],
    "spawn.h": ["io/process.c", "io/process_spawn.c"],
    "dlfcn.h": ["io/plugin_load.c"],
    # Of a plugin each, which is no part of the program.
    "nats/": ["plugin/nats.c"],
    "hiredis/": ["plugin/redis.c"],
    "amqp.h": ["plugin/amqp.c"],
    "amqp_ssl_socket.h": ["plugin/amqp.c"],
    "amqp_tcp_socket.h": ["plugin/amqp.c"],
    "librdkafka/": ["plugin/kafka.c"],
    "mosquitto.h": ["plugin/mqtt.c"],
    "mqtt_protocol.h": ["plugin/mqtt.c"],
    "libpq-fe.h": ["plugin/pq.c", "plugin/postgresql.c",
                   "plugin/postgresql_store.c", "plugin/pq_store_answer.c",
                   "plugin/pq_store_batch.c", "plugin/pq_store_value.c"],
}

# ISO C, and what of POSIX neither opens, waits nor asks a clock: all that
# floors below io may include.
PURE = set("""ctype.h errno.h float.h inttypes.h limits.h math.h stdalign.h
    stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h
    strings.h arpa/inet.h netinet/in.h""".split())

# Calls with one home each: the pattern, the home, why.
CALLS = [
    (r"(?:malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf"
     r"|aligned_alloc)", ["base/mem.c", "io/loop.c"],
     "memory comes from base/mem.h"),
    (r"(?:clock_gettime|gettimeofday|time|ftime)", ["io/clock.c"],
     "time comes from io/clock.h, or as an argument"),
    (r"(?:rand|srand|random|drand48|rand_r)", [],
     "chance comes from base/prng.h or wire/digest.h"),
    (r"(?:assert|system|popen|gets|strcpy|strcat|sprintf|vsprintf|atoi|atol"
     r"|strtok)", [], "not used in this program"),
]

# Two modules of one folder that are one idea in two files. None may be added
# without a reason; across folders the floors forbid cycles anyway.
COUPLED = {
    # A buf grows by mem; an arena copies slices.
    ("base/bytes", "base/mem"),
    # JSON text of a buf is checked UTF-8, and UTF-8 is checked in slices.
    ("base/bytes", "base/utf8"),
    # Nodes are expanded while they are read, and tell where they stand.
    ("config/config_expand", "config/config_yaml"),
    ("config/config_report", "config/config_yaml"),
    # One value of a table may be a table.
    ("config/config_bind", "config/config_value"),
    # A scope offers what verification found; verification fills templates.
    ("model/scope", "model/verify"),
    # A walk asks by requests, which are rendered from the walk's state.
    ("model/request", "model/walk"),
    # An attempt lives between these two.
    ("flow/attempt", "flow/dispatch"),
    # A configuration asks these two what it may be; they read it.
    ("app/advice", "app/configuration"),
    ("app/configuration", "app/placement"),
    # An answer is rendered for the server that defines it.
    ("io/http_answer", "io/http_server"),
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def gate_of(header):
    for gate, homes in GATES.items():
        if header == gate or (gate[-1] == "/" and header.startswith(gate)):
            return homes
    return None


def check_system(findings, path, line, header):
    name = path[len("agent/"):]
    folder = name.split("/")[0]
    homes = gate_of(header)
    if homes is not None:
        if name not in homes:
            findings.add(path, line, f"<{header}> has its gate in "
                         f"{', '.join(homes)}")
    elif (tree.LEVEL[folder] < tree.LEVEL["io"] and folder != "plugin" and
          header not in PURE):
        findings.add(path, line, f"<{header}> is of the outside, which begins "
                     "at agent/io")


def check_own(findings, path, line, header):
    folder = path.split("/")[1]
    other = header.split("/")[0]
    if "/" not in header or other not in tree.LEVEL:
        findings.add(path, line, f'"{header}" is not written from the root of '
                     "agent/")
    elif not os.path.exists(os.path.join(tree.ROOT, "agent", header)):
        findings.add(path, line, f'"{header}" does not exist')
    elif other != folder and tree.LEVEL[other] >= tree.LEVEL[folder]:
        way = "up" if tree.LEVEL[other] > tree.LEVEL[folder] else "sideways"
        findings.add(path, line, f'"{header}" is included {way} from '
                     f"{folder}")
    else:
        return True
    return False


def check_calls(findings, path, code):
    name = path[len("agent/"):]
    if name.startswith("plugin/"):
        return  # needs nothing of the program, so it has libc alone
    for pattern, homes, why in CALLS:
        if name in homes:
            continue
        for match in re.finditer(rf"(?<![\w.>]){pattern}\s*\(", code):
            line = code.count("\n", 0, match.start()) + 1
            findings.add(path, line, f"{match.group(0)[:-1].strip()}(): {why}")


def module_of(path, modules=()):
    """walk_cursor belongs to walk: files named after another are its parts."""
    name = os.path.splitext(path)[0]
    while modules:
        shorter = name.rpartition("_")[0]
        while shorter and shorter not in modules:
            shorter = shorter.rpartition("_")[0]
        if not shorter:
            break
        name = shorter
    return name


def check_cycles(findings, graph):
    """Depth-first; a module met again on the way down closes a cycle."""
    done = set()
    for start in sorted(graph):
        stack = [(start, iter(sorted(graph[start])))]
        way = [start]
        while stack:
            node, targets = stack[-1]
            target = next(targets, None)
            if target is None:
                done.add(node)
                stack.pop()
                way.pop()
            elif target in way:
                cycle = way[way.index(target):] + [target]
                findings.add(f"agent/{target}.h", 1, "include cycle: " +
                             " -> ".join(cycle))
                done.add(target)
            elif target not in done and target in graph:
                stack.append((target, iter(sorted(graph[target]))))
                way.append(target)


def check_alone(headers):
    """Which headers do not compile by themselves, and what is said then."""
    flags = subprocess.run(
        ["pkg-config", "--cflags", "libcurl", "sqlite3", "libcjson",
         "yaml-0.1", "libcrypto", "libssl", "zlib", "expat"], capture_output=True, text=True,
        check=False).stdout.split()

    def compile_one(path):
        done = subprocess.run(
            ["cc", "-std=c17", "-D_POSIX_C_SOURCE=200809L", "-fsyntax-only",
             "-Iagent", *flags, "-x", "c", path], cwd=tree.ROOT,
            capture_output=True, text=True, check=False)
        return path, done.returncode, done.stderr

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [found for found in pool.map(compile_one, headers) if found[1]]


def main():
    findings = tree.Findings()
    paths = tree.files("agent", ends=(".c", ".h"))
    graph = {}
    modules = {module_of(path[len("agent/"):]) for path in paths}
    for path in paths:
        text = tree.read(path)
        module = module_of(path[len("agent/"):], modules)
        if path.split("/")[1] not in tree.LEVEL or path.count("/") != 2:
            findings.add(path, 1, "stands on no floor")
            continue
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            header = match.group(2)
            if match.group(1) == "<":
                check_system(findings, path, line, header)
            elif check_own(findings, path, line, header):
                target = module_of(header, modules)
                pair = tuple(sorted((module, target)))
                if target != module and pair not in COUPLED:
                    graph.setdefault(module, set()).add(target)
        check_calls(findings, path, tree.code_only(text))
    check_cycles(findings, graph)
    for path, _, words in check_alone([p for p in paths if p[-1] == "h"]):
        findings.add(path, 1, "does not compile alone: " +
                     words.strip().split("\n")[0])
    findings.finish("floors", len(paths))


if __name__ == "__main__":
    main()
