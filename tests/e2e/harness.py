# SPDX-License-Identifier: MIT
"""What the end-to-end tests stand on: the real agent in a directory of its
own, a provider that answers as scripted, a sender of signed webhooks.

Nothing here sleeps but `wait_until`, 20 ms at a time and with a deadline.
"""
import collections
import datetime
import hashlib
import hmac
import http.client
import http.server
import itertools
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("LONGSTOP_BUILD", "")
LONGSTOP = os.path.join(BUILD, "longstop")
PROVIDER = os.path.join(BUILD, "longstop-provider")
APPEND = os.path.join(BUILD, "longstop-append")
SECRET = "the shop's secret"
TOKEN = "the shop's token"
# Seconds until an event that does not come is a failure; more where a program is
# made slow on purpose.
PATIENCE = 20 * int(os.environ.get("LONGSTOP_SLOW", "1"))


def wait_until(condition, what, seconds=PATIENCE):
    """Returns the first true value of `condition`; fails when none comes."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def stays(condition, what, seconds):
    """Fails when `condition` is not true all the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            raise AssertionError(f"not for {seconds} s: {what}")
        time.sleep(0.02)


def iso(at=None):
    """A time as the pet store writes it; now when none is given."""
    at = time.time() if at is None else at
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + \
        f"{moment.microsecond // 1000:03d}Z"


def http_date(at):
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


def free_port():
    """A port for an agent that is started more than once. The kernel's own
    choice is one it gives again, to a test beside this one or a connection
    out of it, while the agent is down; so one below those it chooses from."""
    for port in random.sample(range(12000, 32000), 200):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("none of 200 ports is free")


def sign(body, secret=SECRET):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


Answer = collections.namedtuple("Answer", "status headers body")


def post(port, path, body, headers, timeout=10):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", path, body, headers)
        reply = connection.getresponse()
        return Answer(reply.status, dict(reply.getheaders()), reply.read())
    finally:
        connection.close()


class Hook:
    """One webhook of the pet store, signed."""

    serial = itertools.count(1)  # threads share it

    def __init__(self, order, stamp, event="order.created", delivery=None,
                 body=None, timestamp=None, secret=SECRET):
        self.order = order
        self.stamp = stamp
        self.delivery = delivery or f"dlv_{os.getpid()}_{next(Hook.serial)}"
        if body is None:
            body = json.dumps({
                "event": event, "timestamp": timestamp or stamp,
                "data": {"order": row(order, stamp)}}).encode()
        self.body = body
        self.headers = {"Content-Type": "application/json",
                        "X-Webhook-Event": event,
                        "X-Webhook-Delivery": self.delivery,
                        "X-Webhook-Timestamp": str(int(time.time())),
                        "X-Webhook-Signature": sign(body, secret)}

    def send(self, agent, path="/hooks/shop", timeout=10):
        return post(agent.port, path, self.body, self.headers, timeout)


def row(order, stamp):
    """An order as the list shows it."""
    return {"id": order, "status": "open", "total": 12.50,
            "updated_at": stamp}


# ---- a provider that answers as it is told ----

class Asked(collections.namedtuple("Asked", "method path query headers at")):
    """One request of the agent's."""


class FakeProvider:
    """A list of rows, paged by Link; `script` holds answers to give first.

    Each entry of `script` is a function of (request handler, asked) that
    answers by itself; `default`, if set, takes what the script leaves.
    """

    def __init__(self, rows=(), page=100):
        self.rows = list(rows)
        self.page = page
        self.asked = []
        self.script = []
        self.default = None
        self.date = None     # a function that returns the Date's time
        self.token = TOKEN
        self.ended = threading.Event()
        provider = self

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # the agent may hang up on what it was fed

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes

            def log_message(self, *_):
                pass

            def date_time_string(self, timestamp=None):
                return super().date_time_string(
                    provider.date() if provider.date else timestamp)

            def do_GET(self):
                provider.take(self)

            def do_PUT(self):
                self.do_POST()

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                self.sent = self.rfile.read(length)
                provider.take(self)

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever,
                         kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def take(self, handler):
        parts = urllib.parse.urlsplit(handler.path)
        query = {k: v[0] for k, v in
                 urllib.parse.parse_qs(parts.query).items()}
        asked = Asked(handler.command, parts.path, query,
                      dict(handler.headers), time.monotonic())
        self.asked.append(asked)
        if self.script:
            self.script.pop(0)(handler, asked)
        elif self.default:
            self.default(handler, asked)
        else:
            self.list(handler, asked)

    def list(self, handler, asked):
        """The list as it should be."""
        if asked.headers.get("Authorization") != f"Bearer {self.token}":
            answer(handler, 401, b"{}")
            return
        since = asked.query.get("since", "")
        start = int(asked.query.get("at", 0))
        rows = sorted((r for r in self.rows if r["updated_at"] >= since),
                      key=lambda r: (r["updated_at"], r["id"]))
        body = json.dumps({"orders": rows[start:start + self.page]}).encode()
        headers = {}
        if start + self.page < len(rows):
            more = urllib.parse.urlencode({"since": since,
                                           "at": start + self.page})
            headers["Link"] = f'<{self.url}{asked.path}?{more}>; rel="next"'
        answer(handler, 200, body, headers)


def answer(handler, status, body, headers=None, kind="application/json"):
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def replies(status, body=b"", headers=None, kind="application/json"):
    """A script entry that gives one plain answer."""
    return lambda handler, asked: answer(handler, status, body, headers, kind)


# ---- the agent ----

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def environment(**more):
    """What the agent sees of ours: nothing that would change its ways."""
    kept = {k: v for k, v in os.environ.items()
            if k in ("PATH", "HOME", "LANG") or "SAN" in k}
    return {**kept, "TMPDIR": tempfile.gettempdir(), **more}


def longstop(*words, directory=None, stdin=b"", timeout=30, **env):
    """Runs one command to its end."""
    return subprocess.run([LONGSTOP, *words], cwd=directory, input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment(**env), timeout=timeout, check=False)


class Agent:
    """The real program, with a directory and a port of its own."""

    def __init__(self, case, connectors, handlers=None, listen=True,
                 directory=None, **sections):
        self.dir = directory or tempfile.mkdtemp(prefix="longstop-e2e-")
        self.port = free_port()
        self.child = None
        self.env = {}
        self.cwd = "/"
        self.before = None  # called in the child, ahead of the program
        self.socket = os.path.join(self.dir, "admin.sock")
        self.config = {"store": "sqlite:longstop.db",
                       "admin": {"address": "unix:admin.sock"},
                       "connectors": connectors,
                       "handlers": {"log": {"file": "events.jsonl"}}
                       if handlers is None else handlers, **sections}
        # every line, so that a test can tell what is said once from what is not
        self.config.setdefault("log", {"fold": "0s"})
        if listen:
            self.config["listen"] = {"address": f"127.0.0.1:{self.port}"}
        self.write_config()
        case.addCleanup(self.clean_up, case)

    @property
    def config_path(self):
        return os.path.join(self.dir, "longstop.yaml")

    def path(self, name):
        return os.path.join(self.dir, name)

    def write_config(self):
        # JSON is YAML; `$` would be expanded, and none of ours is meant to be
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(json.dumps(self.config, indent=1).replace("$", "$$"))

    def launch(self):
        with open(self.path("agent.log"), "ab") as log:
            self.child = subprocess.Popen(
                [LONGSTOP, "run", "-c", self.config_path, "--log-format",
                 "logfmt"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.cwd, env=environment(**self.env),
                preexec_fn=self.before)
        return self

    def start(self):
        """Starts it and returns when it is ready."""
        self.launch()
        wait_until(self.is_ready, "the agent is ready")
        return self

    def is_ready(self):
        if self.child.poll() is not None:
            raise AssertionError(f"the agent ended with "
                                 f"{self.child.returncode}:\n{self.log()}")
        return self.health() == 200

    def health(self, path="/readyz"):
        try:
            return self.admin(path).status
        except OSError:
            return 0

    def admin(self, path, method="GET", body=None, **fields):
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path, body, fields)
            reply = connection.getresponse()
            return Answer(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            connection.close()

    def metrics(self):
        """{(name, ((label, value), …)): number}"""
        figures = {}
        pattern = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$', re.M)
        text = self.admin("/metrics").body.decode()
        for name, labels, number in pattern.findall(text):
            pairs = re.findall(r'(\w+)="([^"]*)"', labels)
            figures[name, tuple(sorted(pairs))] = float(number)
        return figures

    def metric(self, name, **labels):
        """One figure; 0 where there is no such series yet."""
        key = f"longstop_{name}", tuple(sorted(labels.items()))
        return self.metrics().get(key, 0)

    def wait_metric(self, value, name, **labels):
        wait_until(lambda: self.metric(name, **labels) == value,
                   f"{name}{labels} is {value}")

    def log(self):
        try:
            with open(self.path("agent.log"), encoding="utf-8",
                      errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def events(self, name="events.jsonl"):
        """What a handler's file holds: whole lines only."""
        try:
            with open(self.path(name), "rb") as file:
                lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

    def wait_events(self, count, name="events.jsonl", seconds=PATIENCE):
        wait_until(lambda: len(self.events(name)) >= count,
                   f"{count} events in {name}", seconds)
        return self.events(name)

    def query(self, sql, *values):
        """Reads the store; such a connection never writes or checkpoints."""
        uri = "file:" + urllib.parse.quote(self.path("longstop.db")) + \
            "?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=5)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def command(self, *words, **more):
        return longstop(words[0], "-c", self.config_path, *words[1:],
                        directory=self.dir, **more)

    def script(self, name, text):
        """Writes a program for an exec handler; returns its path."""
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def stop(self, seconds=15):
        """Ends it in order; returns its exit code and how long that took."""
        began = time.monotonic()
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(seconds)
        return code, time.monotonic() - began

    def kill(self):
        self.child.kill()
        self.child.wait()

    def wait_end(self, seconds=PATIENCE):
        return self.child.wait(seconds)

    def clean_up(self, case):
        if self.child is not None and self.child.poll() is None:
            self.kill()
        if has_failed(case):
            sys.stderr.write(f"--- {case.id()}: kept {self.dir}\n"
                             f"{self.log()[-3000:]}\n")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


def has_failed(case):
    outcome = getattr(case, "_outcome", None)
    result = getattr(outcome, "result", None)
    if result is None:
        return False
    listed = list(getattr(result, "failures", [])) + \
        list(getattr(result, "errors", []))
    open_errors = getattr(outcome, "errors", [])
    return any(test is case for test, _ in listed) or \
        any(error is not None for _, error in open_errors) or \
        not getattr(outcome, "success", True)


class Case(unittest.TestCase):
    """A test with agents and providers that go with it."""

    maxDiff = 2000

    def provider(self, rows=(), page=100):
        provider = FakeProvider(rows, page)
        self.addCleanup(provider.close)
        return provider

    def agent(self, connectors, handlers=None, **sections):
        return Agent(self, connectors, handlers, **sections)

    def pet_shop(self, provider=None, hooks=True, handlers=None, poll=None,
                 **sections):
        """An agent with the connector `shop`, started."""
        return self.agent({"shop": pet_store(provider, hooks, poll)},
                          handlers, **sections).start()


def pet_store(provider=None, hooks=True, poll=None):
    """The configuration of a pet store connector."""
    connector = {"use": "petstore", "with": {}}
    if hooks:
        connector["with"]["webhook_secret"] = SECRET
    if provider is not None:
        connector["with"].update(base=provider.url, api_key=TOKEN)
        connector["poll"] = dict({"every": "1s", "overlap": "1m",
                                  "start": "1h"}, **(poll or {}))
    return connector


class SimulatedProvider:
    """The simulated provider of tests/provider, as a process."""

    def __init__(self, case, *options, hook_url=None):
        self.dir = tempfile.mkdtemp(prefix="longstop-provider-")
        self.journal = os.path.join(self.dir, "journal.jsonl")
        words = [PROVIDER, "--secret", SECRET, "--token", TOKEN, "--journal",
                 self.journal, *options]
        if hook_url:
            words += ["--hook-url", hook_url]
        # No buffer: a line that waits in one is not seen by select.
        self.child = subprocess.Popen(words, stdout=subprocess.PIPE, bufsize=0)
        case.addCleanup(self.clean_up)
        self.port = int(self.line().split()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def line(self, seconds=PATIENCE):
        ready, _, _ = select.select([self.child.stdout], [], [], seconds)
        if not ready:
            raise AssertionError("the provider says nothing")
        return self.child.stdout.readline().decode()

    def wait_done(self, seconds=60):
        if self.line(seconds) != "done\n":
            raise AssertionError("the provider did not finish")

    def facts(self):
        """{name of a fact: how many of its hooks were acknowledged}"""
        facts = {}
        with open(self.journal, encoding="utf-8") as file:
            for text in file:
                entry = json.loads(text)
                facts.setdefault(entry["id"], 0)
                facts[entry["id"]] += entry["hooked"]
        return facts

    def entries(self):
        """{name of a fact: {what: [the journal's lines about it]}}"""
        facts = {}
        with open(self.journal, encoding="utf-8") as file:
            for text in file:
                entry = json.loads(text)
                lines = facts.setdefault(entry["id"], {})
                lines.setdefault(entry["what"], []).append(entry)
        return facts

    def clean_up(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def fact_of(envelope):
    """The name of the fact an envelope tells of."""
    return f"order:{envelope['data']['id']}:{envelope['data']['updated_at']}"
