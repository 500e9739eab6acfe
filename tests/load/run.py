#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Load that is there to harm: many connections that idle or dawdle, and a flood
of requests that nobody signed, while good webhooks go on.

    tests/load/run.py --bin build-tests/release [--long]

Each line gives figures as ratios to what the same agent did a moment before,
when it was left alone. Good webhooks are all answered 202, or the run fails;
with --long the ratios, memory and descriptors are judged too. The last line is
`N passed, N failed`.
"""
import argparse
import hashlib
import hmac
import json
import multiprocessing
import os
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SECRET = b"load"
GOOD_THREADS = 8
TRIES = 3          # of what is judged by the clock
RATIO_MOST = 3.0   # p99 among many connections, to the quiet one
FLOOR_MS = 20.0    # below it a p99 is good whatever the ratio
SHARE_LEAST = 0.7  # of good throughput in a flood
MIB_MOST = 256     # resident: what bodies may hold, and the rest


def request(number, secret):
    body = json.dumps({"event": "order.created", "data": {"order": {
        "id": number, "updated_at": "2026-01-01T00:00:00.000Z"}}}).encode()
    sign = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return (f"POST /hooks/shop HTTP/1.1\r\nHost: l\r\nContent-Type: application"
            f"/json\r\nX-Webhook-Event: order.created\r\nX-Webhook-Delivery: "
            f"load-{number}\r\nX-Webhook-Timestamp: {int(time.time())}\r\n"
            f"X-Webhook-Signature: {sign}\r\nContent-Length: {len(body)}\r\n"
            f"\r\n").encode() + body


def connect(port, source="127.0.0.1"):
    sock = socket.create_connection(("127.0.0.1", port), 20, (source, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_answer(sock):
    """The status of one answer; its head and body are read."""
    text = b""
    while b"\r\n\r\n" not in text:
        got = sock.recv(65536)
        if not got:
            raise ConnectionError("closed")
        text += got
    head, _, rest = text.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(rest) < length:
        rest += sock.recv(65536)
    return int(head.split()[1])


class Good:
    """Signed webhooks at a steady rate, each one new."""

    serial = 0
    lock = threading.Lock()

    def __init__(self, port, rate, seconds):
        self.port, self.rate, self.seconds = port, rate, seconds
        self.times, self.bad = [], []

    def one(self, step, begin):
        sock = connect(self.port)
        at = begin + step / self.rate
        while at < begin + self.seconds:
            with self.lock:
                Good.serial += 1
                number = Good.serial
            text = request(number, SECRET)
            time.sleep(max(0.0, at - time.monotonic()))
            began = time.monotonic()
            sock.sendall(text)
            status = read_answer(sock)
            self.times.append(time.monotonic() - began)
            if status != 202:
                self.bad.append(status)
            at += GOOD_THREADS / self.rate
        sock.close()

    def guarded(self, step, begin):
        try:
            self.one(step, begin)
        except OSError as failure:
            self.bad.append(str(failure))

    def run(self):
        begin = time.monotonic()
        threads = [threading.Thread(target=self.guarded, args=(i, begin))
                   for i in range(GOOD_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.took = time.monotonic() - begin
        return self

    @property
    def p99_ms(self):
        times = sorted(self.times)
        return 1000 * times[int(len(times) * 0.99) - 1] if times else 1e9

    @property
    def throughput(self):
        return len(self.times) / self.took


def dawdle(port, count, ready, over):
    """Half of the connections say nothing, half a byte a second."""
    socks = []
    for at in range(count):
        try:
            sock = connect(port, f"127.0.1.{1 + at % 200}")
        except OSError:
            continue
        sock.sendall(b"" if at % 2 else b"POST /hooks/shop HTTP/1.1\r\nX: ")
        sock.setblocking(False)
        socks.append(sock)
    ready.put(len(socks))
    while not over.wait(1.0):
        for sock in socks[::2]:
            try:
                sock.send(b"y")
            except OSError:
                pass
    for sock in socks:
        sock.close()


def flood(port, ready, over):
    """Requests with a wrong signature, as fast as they are answered."""
    text = request(0, b"nobody's") * 8
    picker = selectors.DefaultSelector()
    sent = 0
    for _ in range(16):
        sock = connect(port, "127.0.2.1")
        sock.setblocking(False)
        picker.register(sock, selectors.EVENT_READ)
        sock.send(text)
    ready.put(0)
    while not over.is_set():
        for key, _ in picker.select(0.2):
            sock = key.fileobj
            try:
                got = sock.recv(65536)
                if not got:
                    raise ConnectionError("closed")
                answers = got.count(b"HTTP/1.1 ")
                sent += answers
                sock.send(text[:len(text) // 8 * max(1, answers)])
            except BlockingIOError:
                pass
            except OSError:
                picker.unregister(sock)
                sock.close()
                sock = connect(port, "127.0.2.1")
                sock.setblocking(False)
                picker.register(sock, selectors.EVENT_READ)
                sock.send(text)
    ready.put(sent)


class Agent:
    def __init__(self, binary, **listen):
        self.dir = tempfile.mkdtemp(prefix="longstop-load-")
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        config = {"store": "sqlite:load.db", "admin": {"address":
                                                       "unix:admin.sock"},
                  "log": {"level": "error"},
                  "listen": {"address": f"127.0.0.1:{self.port}", **listen},
                  "connectors": {"shop": {"use": "petstore", "with": {
                      "webhook_secret": SECRET.decode()}}},
                  "handlers": {"log": {"file": "events.jsonl"}}}
        path = os.path.join(self.dir, "longstop.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.child = subprocess.Popen(
            [os.path.join(binary, "longstop"), "run", "-c", path],
            stdin=subprocess.DEVNULL)
        for _ in range(600):
            try:
                connect(self.port).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the agent does not listen")

    def mib(self):
        with open(f"/proc/{self.child.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return 0

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))

    def end(self):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Helper:
    """A process beside this one."""

    def __init__(self, what, *args):
        self.ready = multiprocessing.Queue()
        self.over = multiprocessing.Event()
        self.process = multiprocessing.Process(
            target=what, args=(*args, self.ready, self.over), daemon=True)
        self.process.start()
        self.first = self.ready.get(timeout=300)

    def end(self):
        self.over.set()
        self.process.join(60)
        self.process.kill()


def among_many(binary, options):
    """-> words, whether good ones all passed, whether the figures hold"""
    count = 10000 if options.long else 2000
    rate, seconds = (1000, 20) if options.long else (200, 2)
    agent = Agent(binary, connections=count + 1000, idle_timeout="1h",
                  head_timeout="10m")
    quiet = Good(agent.port, rate, seconds).run()
    before = agent.mib()
    helper = Helper(dawdle, agent.port, count)
    busy = Good(agent.port, rate, seconds).run()
    held, memory = agent.descriptors(), agent.mib()
    helper.end()
    for _ in range(400):
        if agent.descriptors() < 64:
            break
        time.sleep(0.05)
    left = agent.descriptors()
    agent.end()
    words = (f"{helper.first} idle and slow connections, {rate} webhooks a "
             f"second: p99 {busy.p99_ms:.1f} ms, "
             f"{busy.p99_ms / quiet.p99_ms:.1f} times the quiet "
             f"{quiet.p99_ms:.1f} ms; {before:.0f} to {memory:.0f} MiB, "
             f"{held} descriptors, then {left}")
    holds = (busy.p99_ms <= max(RATIO_MOST * quiet.p99_ms, FLOOR_MS) and
             memory < MIB_MOST and left < 64 and helper.first == count)
    return words, not quiet.bad + busy.bad, holds


def in_a_flood(binary, options):
    rate, seconds = (1000, 20) if options.long else (200, 2)
    agent = Agent(binary, rate_per_address="10000/s")
    quiet = Good(agent.port, rate, seconds).run()
    helper = Helper(flood, agent.port)
    busy = Good(agent.port, rate, seconds).run()
    memory = agent.mib()
    helper.over.set()
    refused = helper.ready.get(timeout=60)
    helper.end()
    agent.end()
    share = busy.throughput / quiet.throughput
    words = (f"a flood of {refused / busy.took:.0f} unsigned requests a "
             f"second: {share:.0%} of {quiet.throughput:.0f} webhooks a "
             f"second, p99 {busy.p99_ms:.1f} ms for {quiet.p99_ms:.1f} ms; "
             f"{memory:.0f} MiB")
    return words, not quiet.bad + busy.bad, \
        share >= SHARE_LEAST and memory < MIB_MOST


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True, metavar="FOLDER")
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    passed = failed = 0
    for scene in (among_many, in_a_flood):
        for attempt in range(TRIES if options.long else 1):
            words, good, holds = scene(options.bin, options)
            print(("" if attempt == 0 else "again: ") + words, flush=True)
            if not good or holds:
                break
        fine = good and (holds or not options.long)
        if not good:
            print("not every good webhook was answered 202")
        passed += fine
        failed += not fine
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
