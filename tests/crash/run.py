#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""crash: ends the agent at every durable step, restarts it, compares."""

import argparse
import collections
import concurrent.futures
import hashlib
import hmac
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

CRASHED = 86
SECRET = "crash-secret"
HOOKS = 12
ROWS = 12
PAGE = 4
CONFIG = """
store: sqlite:{dir}/longstop.db
listen: {{address: "{host}:{port}"}}
connectors:
  shop:
    use: petstore
    with: {{base: "http://127.0.0.1:{provider}", api_key: key, webhook_secret: {secret}}}
    poll: {{every: 1s, start: 1d}}
handlers:
  run:
    exec: ["{append}", "{dir}/exec.out"]
    retry: {{first: 100ms, cap: 200ms}}
  log:
    file: {dir}/file.out
    retry: {{first: 100ms, cap: 200ms}}
"""

AGAIN_CONFIG = """
store: sqlite:{dir}/longstop.db
listen: {{address: "{host}:{port}"}}
admin: {{address: "unix:{dir}/admin.sock"}}
connectors:
  shop:
    use: petstore
    with: {{webhook_secret: {secret}}}
handlers:
  run:
    exec: ["{append}", "{dir}/exec.out"]
    retry: {{first: 100ms, cap: 200ms}}
  log:
    file: {dir}/file.out
    retry: {{first: 100ms, cap: 200ms}}
"""


FANOUT_CONFIG = """
store: sqlite:{dir}/longstop.db
listen: {{address: "{host}:{port}"}}
admin: {{address: "unix:{dir}/admin.sock"}}
outbound:
  allow: [127.0.0.0/8]
  http: true
connectors:
  shop:
    use: petstore
    with: {{webhook_secret: {secret}}}
"""


def stamp(number):
    base = int(time.time()) - 3600 + number
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(base))


class Provider(http.server.ThreadingHTTPServer):
    """The list of a pet store: fixed rows, ascending, paged by Link."""

    daemon_threads = True

    def __init__(self):
        self.rows = [
            {"id": 1000 + i, "status": "new", "updated_at": stamp(i)}
            for i in range(ROWS)
        ]
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_):
        """An agent that crashes leaves its requests unread; that is meant."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        since = query.get("since", [""])[0][:19]
        start = int(query.get("at", ["0"])[0])
        rows = [r for r in self.server.rows if r["updated_at"][:19] >= since]
        page = rows[start:start + PAGE]
        body = json.dumps({"orders": page}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if start + PAGE < len(rows):
            query["at"] = [str(start + PAGE)]
            link = url.path + "?" + urllib.parse.urlencode(query, doseq=True)
            self.send_header("Link", '<%s>; rel="next"' % link)
        self.end_headers()
        self.wfile.write(body)


class Inbox(http.server.ThreadingHTTPServer):
    """Receivers of all lives: what comes to /DIRECTORY/NAME stands in a file of
    that name there; test events are not kept."""

    daemon_threads = True
    lock = threading.Lock()

    def __init__(self):
        super().__init__(("127.0.0.1", 0), InboxHandler)

    def handle_error(self, *_):
        """An agent that crashes hangs up; that is meant."""


class InboxHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if json.loads(body)["source"] == "longstop/shop":
            with self.server.lock, open(self.path, "ab") as file:
                file.write(body + b"\n")
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()


def address_of(step):
    """A loopback address of this life alone. On one that lives share, the
    agent of another takes the port while this one's is between two runs."""
    host = "127.86.%d.%d" % (step >> 8, step & 255)
    with socket.socket() as sock:
        sock.bind((host, 0))
        return sock.getsockname()


def hook_body(number):
    order = {"id": 2000 + number, "updated_at": stamp(number)}
    return json.dumps({"event": "order.created", "timestamp": stamp(number),
                       "data": {"order": order}}).encode()


def keys_of(path):
    """What a handler's file says it was given: key -> how often."""
    given = collections.Counter()
    if not os.path.exists(path):
        return given
    with open(path, "rb") as lines:
        for line in lines.read().split(b"\n")[:-1]:
            event = json.loads(line)  # a broken line is a failure
            given[event["data"]["id"]] += 1
    return given


class Life:
    """One life of the agent in a directory of its own."""

    hooks = HOOKS

    def __init__(self, options, provider, directory, step):
        self.options = options
        self.dir = directory
        self.host, self.port = address_of(step)
        self.acked = set()
        self.rows = {row["id"] for row in provider.rows}
        append = os.path.join(directory, "append")
        with open(append, "w") as script:
            script.write('#!/bin/sh\nl=$(cat)\nprintf "%s\\n" "$l" >>"$1"\n')
        os.chmod(append, 0o755)
        with open(os.path.join(directory, "longstop.yaml"), "w") as config:
            config.write(CONFIG.format(dir=directory, host=self.host,
                                       port=self.port,
                                       provider=provider.server_port,
                                       secret=SECRET, append=append))

    def start(self, crash_at):
        env = dict(os.environ)
        env.pop("LONGSTOP_CRASH_AT", None)
        if crash_at:
            env["LONGSTOP_CRASH_AT"] = str(crash_at)
        log = open(os.path.join(self.dir, "agent.log"), "ab")
        return subprocess.Popen(
            [self.options.bin, "run", "-c",
             os.path.join(self.dir, "longstop.yaml")],
            env=env, stdout=log, stderr=log)

    def send(self, agent, number, deadline):
        """Sends a hook until it is answered 2xx or the agent has ended."""
        body = hook_body(number)
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Webhook-Signature": signature,
                   "X-Webhook-Event": "order.created",
                   "X-Webhook-Delivery": "d-%d" % number,
                   "Content-Type": "application/json"}
        while agent.poll() is None and time.monotonic() < deadline:
            try:
                conn = http.client.HTTPConnection(self.host, self.port,
                                                  timeout=5)
                conn.request("POST", "/hooks/shop", body, headers)
                if 200 <= conn.getresponse().status < 300:
                    self.acked.add(2000 + number)
                    return
            except OSError:
                pass
            except http.client.HTTPException:
                pass
            time.sleep(0.01)

    def begin(self, agent, deadline):
        """What comes before the first hook."""

    def missing(self):
        want = self.acked | self.rows
        return {name: want - set(keys_of(os.path.join(self.dir, name)))
                for name in ("exec.out", "file.out")}

    def wait_done(self, agent, deadline):
        while agent.poll() is None and time.monotonic() < deadline:
            if not any(self.missing().values()):
                return True
            time.sleep(0.02)
        return False

    def too_often(self, name, before):
        return {k: n for k, n in before.items() if n > 2}

    def play(self, crash_at):
        """Runs once; returns how the agent ended."""
        agent = self.start(crash_at)
        deadline = time.monotonic() + 30
        try:
            self.begin(agent, deadline)
            for number in range(self.hooks):
                self.send(agent, number, deadline)
            self.wait_done(agent, deadline)
            if agent.poll() is None:
                agent.send_signal(signal.SIGTERM)
            return agent.wait(timeout=20)
        finally:
            if agent.poll() is None:
                agent.kill()
                agent.wait()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class AgainLife(Life):
    """A life whose deliveries all die, are retried, and are replayed."""

    hooks = 4

    def __init__(self, options, provider, directory, step):
        super().__init__(options, provider, directory, step)
        self.rows = set()
        self.asked = 0         # to replay, by whoever may not have been heard
        self.replayed = False  # and was
        append = os.path.join(directory, "append")
        with open(append, "w") as script:
            script.write('#!/bin/sh\nl=$(cat)\n'
                         '[ "$LONGSTOP_ATTEMPT" = 1 ] && exit 65\n'
                         'printf "%s\\n" "$l" >>"$1"\n')
        with open(os.path.join(directory, "longstop.yaml"), "w") as config:
            config.write(AGAIN_CONFIG.format(dir=directory, host=self.host,
                                             port=self.port, secret=SECRET,
                                             append=append))

    def post(self, wish):
        """Asks for an errand; the status, or 0 where nobody answered."""
        try:
            conn = UnixConnection(os.path.join(self.dir, "admin.sock"))
            conn.request("POST", "/api/v1/errands", json.dumps(wish))
            return conn.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0

    def missing(self):
        given = keys_of(os.path.join(self.dir, "file.out"))
        return {"exec.out": self.acked -
                set(keys_of(os.path.join(self.dir, "exec.out"))),
                "file.out": {key for key in self.acked if given[key] < 2}}

    def wait_done(self, agent, deadline):
        while agent.poll() is None and time.monotonic() < deadline:
            missing = self.missing()
            if missing["exec.out"]:
                self.post({"kind": "retry", "all": True})
            elif not self.replayed:
                self.asked += 1
                self.replayed = self.post({"kind": "replay", "all": True,
                                           "handler": "log"}) == 202
            elif not missing["file.out"]:
                return True
            time.sleep(0.03)
        return False

    def too_often(self, name, before):
        """Retries are idempotent; a replay that was asked for twice is two."""
        most = 2 if name == "exec.out" else 2 + self.asked
        return {k: n for k, n in before.items() if n > most}


class FanoutLife(Life):
    """Two receivers register, all comes to both, one changes its secret, and the
    other goes. `exec.out` and `file.out` are what they were given."""

    hooks = 4
    inbox = None

    def __init__(self, options, provider, directory, step):
        super().__init__(options, provider, directory, step)
        self.rows = set()
        self.ids = {}          # of those that are known to be registered
        self.rotated = False
        self.leaves = False    # it was asked for
        self.gone = False
        with open(os.path.join(directory, "longstop.yaml"), "w") as config:
            config.write(FANOUT_CONFIG.format(
                dir=directory, host=self.host, port=self.port, secret=SECRET))

    def ask(self, method, path="", body=None):
        """(status, answer); (0, None) where nobody answered."""
        try:
            conn = UnixConnection(os.path.join(self.dir, "admin.sock"))
            conn.request(method, "/api/v1/subscriptions" + path,
                         json.dumps(body) if body else None)
            answer = conn.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        except (OSError, http.client.HTTPException, ValueError):
            return 0, None

    def url(self, name):
        return "http://127.0.0.1:%d%s/%s" % (self.inbox.server_port, self.dir,
                                             name)

    def begin(self, agent, deadline):
        """Registers both. One that was stored and not heard of is not
        registered again; none is there twice."""
        self.ids = {}
        while agent.poll() is None and time.monotonic() < deadline:
            status, listed = self.ask("GET")
            if status == 200:
                there = {one["url"]: one["id"] for one in listed["items"]}
                assert len(there) == len(listed["items"]), listed
                self.ids = {name: there[self.url(name)]
                            for name in ("exec.out", "file.out")
                            if self.url(name) in there}
                self.gone = self.leaves and "file.out" not in self.ids
                wanted = ["exec.out"] + ["file.out"] * (not self.leaves)
                missing = [name for name in wanted if name not in self.ids]
                if not missing:
                    return
                self.ask("POST", body={"url": self.url(missing[0])})
            time.sleep(0.02)

    def missing(self):
        return {name: self.acked - set(keys_of(os.path.join(self.dir, name)))
                for name in ("exec.out", "file.out")}

    def wait_done(self, agent, deadline):
        while agent.poll() is None and time.monotonic() < deadline:
            if any(self.missing().values()):
                pass
            elif not self.rotated:
                self.rotated = self.ask(
                    "POST", "/%s/rotate" % self.ids["exec.out"])[0] == 200
            elif not self.gone:
                self.leaves = True
                self.gone = self.ask(
                    "DELETE", "/" + self.ids["file.out"])[0] in (200, 404)
            elif self.is_settled():
                return True
            time.sleep(0.02)
        return False

    def is_settled(self):
        """Nothing is owed, and of the one that left nothing is there."""
        store = sqlite3.connect("file:%s/longstop.db?mode=ro" % self.dir,
                                uri=True)
        try:
            found = [store.execute("SELECT count(*) FROM " + what).fetchone()[0]
                     for what in ("delivery", "dead", "receiver",
                                  "name WHERE kind=2")]
        except sqlite3.Error:
            return False
        finally:
            store.close()
        return found == [0, 0, 1, 1]

    def too_often(self, name, before):
        return {k: n for k, n in before.items() if n > 2}


def check_step(options, provider, step):
    """Returns (finished by itself, list of what is wrong)."""
    directory = tempfile.mkdtemp(prefix="longstop-crash-")
    wrong = []
    life = LIVES[options.life](options, provider, directory, step)
    code = life.play(step)
    if code not in (0, CRASHED):
        wrong.append("the run that crashes ended with %s" % code)
    again = life.play(0)
    if again != 0:
        wrong.append("the run after it ended with %s" % again)
    for name, lost in life.missing().items():
        if lost:
            wrong.append("%s never got %s" % (name, sorted(lost)))
    before = {}
    for name in ("exec.out", "file.out"):
        before[name] = keys_of(os.path.join(directory, name))
        often = life.too_often(name, before[name])
        if often:
            wrong.append("%s got more than its attempts: %s" % (name, often))
        twice = sum(1 for n in before[name].values() if n == 2 and
                    options.life == "street")
        # what was in flight: 4 slots, and what one sync had not covered
        if twice > (4 if name == "exec.out" else HOOKS + ROWS):
            wrong.append("%s: %d handed over twice" % (name, twice))
    third = life.play(0)
    if options.life == "fanout" and not life.is_settled():
        wrong.append("something of the receiver that left is there")
    if third != 0:
        wrong.append("a further run ended with %s" % third)
    for name, given in before.items():
        if keys_of(os.path.join(directory, name)) != given:
            wrong.append("a further run changed %s" % name)
    if wrong:
        print("  kept: %s" % directory)
    else:
        shutil.rmtree(directory)
    return code != CRASHED, wrong


LIVES = {"street": Life, "again": AgainLife, "fanout": FanoutLife}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--life", choices=LIVES, default="street")
    parser.add_argument("--bin", required=True)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--from", type=int, default=1, dest="first")
    parser.add_argument("--most", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=3, help="lives at a time")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    provider = Provider()
    FanoutLife.inbox = Inbox()
    for server in (provider, FanoutLife.inbox):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    passed = failed = count = 0
    finished = False
    steps = range(options.first, options.most + 1, options.every)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for at in range(0, len(steps), options.jobs):
            batch = steps[at:at + options.jobs]
            lives = pool.map(lambda step: check_step(options, provider, step),
                             batch)
            for step, (ended, wrong) in zip(batch, lives):
                for words in wrong:
                    print("step %d: %s" % (step, words), flush=True)
                passed += not wrong
                failed += bool(wrong)
                count = count if finished else step
                finished = finished or ended
            if finished or failed >= 5:
                break
    print("durable steps of one life: %d%s" %
          (count, "" if finished else " and more"))
    least = 200 if options.life == "street" else 60
    if finished and count <= least:
        print("too few steps to say much: the life must have more than %d"
              % least)
        failed += 1
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
