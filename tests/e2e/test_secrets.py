# SPDX-License-Identifier: MIT
"""A canary in every place for a secret, and a look at all that comes out."""
import base64
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import tarfile
import unittest
import urllib.parse

import harness
import openapi
from harness import Hook, answer, iso, row, wait_until
from test_tls import Papers

PLACES = ("webhook", "poll", "user", "client", "refresh", "header", "signing",
          "variable", "broker", "admin", "receiver", "url", "brokerurl",
          "path", "query")


SPAN = 1 << 24  # bytes of memory that are read at a time
MOST = 1 << 30


def forms_of(canary):
    """How it may be written down, too."""
    plain = canary.encode()
    yield canary
    yield urllib.parse.quote(canary, safe="")
    yield plain.hex()
    for pad in range(3):  # in whatever place of a base64 text
        text = base64.b64encode(b"x" * pad + plain).decode()
        yield text[4 if pad else 0:].rstrip("=")[:-2]


def in_memory(agent, text):
    """Whether it stands anywhere in what the agent may write to."""
    process = f"/proc/{agent.child.pid}"
    with open(process + "/maps", encoding="ascii") as file:
        spans = re.findall(r"^(\w+)-(\w+) rw", file.read(), re.M)
    with open(process + "/mem", "rb", buffering=0) as memory:
        for start, end in ((int(a, 16), int(b, 16)) for a, b in spans):
            if end - start > MOST:
                continue  # a sanitizer's own
            for at in range(start, end, SPAN):
                try:
                    memory.seek(at)
                    if text.encode() in memory.read(
                            min(end - at, SPAN + len(text))):
                        return True
                except OSError:
                    break  # nothing to read
    return False


@unittest.skipUnless(shutil.which("openssl"), "openssl makes the certificates")
class Canaries(harness.Case):
    def setUp(self):
        self.papers = Papers().issue("server")
        self.addCleanup(shutil.rmtree, self.papers.dir)
        self.canaries = {place: f"canary-{place}-{secrets.token_hex(6)}'"
                         for place in PLACES}
        self.seen = {}  # {where: bytes}

    def provider_that_says_what_it_was_sent(self, status):
        provider = self.provider()
        provider.default = lambda handler, asked: answer(
            handler, status, handler.path.encode() + json.dumps(
                dict(asked.headers)).encode() + getattr(handler, "sent", b""))
        return provider

    def start_agent(self):
        canary = self.canaries
        self.shop = self.provider([row(1, iso())])
        self.shop.token = canary["poll"]
        self.echo = self.provider_that_says_what_it_was_sent(500)
        agent = self.agent({}, log={"level": "debug"}, admin={
            "address": "unix:admin.sock", "token": canary["admin"]})
        with open(agent.path("list.yaml"), "w", encoding="utf-8") as file:
            json.dump({"params": {"base": {}, "client_id": {},
                                  "client_secret": {"secret": True},
                                  "refresh_token": {"secret": True}},
                       "poll": {
                "request": {"url": "https://api.example/list"},
                "auth": {"type": "oauth2", "grant": "refresh_token",
                         "token_url": "https://id.example/oauth/token",
                         "client_auth": "body"},
                "items": "rows[*]",
                "record": {"id": "{id}", "type": "row", "time": "at"}}}, file)
        with open(agent.path("inurl.yaml"), "w", encoding="utf-8") as file:
            json.dump({"params": {"base": {}, "key": {"secret": True},
                                  "user": {"secret": True}},
                       "poll": {
                "request": {"url": "https://api.example/bot{var:key}/list"},
                "auth": {"type": "basic", "user": "{var:user}",
                         "password": "{var:key}"},
                "items": "rows[*]",
                "record": {"id": "{id}", "type": "row", "time": "at"}}}, file)
        poll = {"every": "1s", "start": "1h"}

        def quoted(place):
            return urllib.parse.quote(canary[place], safe="")
        often = {"schedule": ["100ms", "100ms"], "attempts": 2}
        shop = harness.pet_store(self.shop)
        shop["with"].update(webhook_secret=canary["webhook"],
                            api_key=canary["poll"])
        failing = harness.pet_store(self.echo, hooks=False)
        failing["with"]["api_key"] = canary["poll"]
        agent.config["connectors"] = {
            "shop": shop, "failing": failing,
            "oauth": {"use": "./list.yaml", "poll": poll, "with": {
                "base": self.echo.url, "client_id": "me",
                "client_secret": canary["client"],
                "refresh_token": canary["refresh"]}},
            "inurl": {"use": "./inurl.yaml", "poll": poll, "with": {
                "base": self.echo.url, "key": canary["url"],
                "user": canary["user"]}}}
        agent.config["handlers"] = {
            "log": {"file": "events.jsonl"},
            "run": {"exec": [agent.script(
                "run.sh", "tr '\\0' '\\n' </proc/self/environ >environ.$$\n"
                "tr '\\0' ' ' </proc/self/cmdline >cmdline.$$\n"
                "ps -ef >ps.$$ 2>/dev/null\necho no; exit 1\n")],
                "env": {"A": canary["variable"]}, "retry": often},
            "to": {"http": {"url": self.echo.url + "/in/" + quoted("path") +
                            "?key=" + quoted("query"),
                            "secret": canary["signing"],
                            "headers": {"X-Key": canary["header"]}},
                   "retry": often},
            "out": {"redis": {
                "url": f"redis://127.0.0.1:{harness.free_port()}",
                "stream": "s", "password": canary["broker"]},
                "retry": often},
            "away": {"redis": {
                "url": f"redis://me:{quoted('brokerurl')}@127.0.0.1:"
                       f"{harness.free_port()}", "stream": "s"},
                "retry": often}}
        agent.config["outbound"] = {"allow": ["127.0.0.0/8"], "http": True}
        agent.config["listen"]["tls"] = self.papers.tls("server")
        agent.write_config()
        with open(self.papers.path("server.key"), encoding="ascii") as file:
            self.canaries["key"] = file.read().splitlines()[1]
        agent.cwd = agent.dir
        agent.launch()
        wait_until(lambda: agent.health() == 200, "the agent is ready")
        return agent

    def send(self, agent, hook, path="/hooks/shop"):
        connection = harness.http.client.HTTPSConnection(
            "127.0.0.1", agent.port, timeout=10,
            context=self.papers.context())
        connection.request("POST", path, hook.body, hook.headers)
        reply = connection.getresponse()
        self.note(f"answer to {path}", bytes(reply.headers) + reply.read())
        connection.close()
        return reply.status

    def note(self, where, text):
        self.seen[where] = self.seen.get(where, b"") + text

    def say(self, agent, *words, stdin=b""):
        got = agent.command(*words, stdin=stdin)
        self.note(" ".join(words), got.stdout + got.stderr)
        return got

    def admin(self, agent, path, method="GET", body=None):
        got = agent.admin(path, method, body,
                          Authorization="Bearer " + self.canaries["admin"])
        self.note(f"{method} {path}", got.body +
                  json.dumps(got.headers).encode())
        return got

    def send_all(self, agent):
        """Hooks of all kinds."""
        secret = self.canaries["webhook"]
        self.assertEqual(self.send(agent, Hook(1, iso(), secret=secret)), 202)
        self.assertEqual(self.send(agent, Hook(1, iso(), secret="no")), 401)
        self.send(agent, Hook(1, iso(), secret=secret, body=b"{oh"))
        hook = Hook(1, iso(), secret="no")
        hook.headers["Authorization"] = "Bearer " + secret
        self.send(agent, hook, "/hooks/shop?token=" +
                  urllib.parse.quote(secret))
        with open(agent.path("request"), "wb") as file:
            fields = "".join(f"{k}: {v}\r\n" for k, v in hook.headers.items())
            file.write(b"POST /hooks/shop HTTP/1.1\r\nHost: h\r\n" +
                       fields.encode() +
                       f"Content-Length: {len(hook.body)}\r\n\r\n".encode() +
                       hook.body)

    def ask_all(self, agent):
        """Every command, for people and for programs, and every GET."""
        numbers = [item["number"] for item in json.loads(
            agent.command("events", "--json").stdout)["items"]]
        self.assertTrue(numbers)
        for number in numbers:
            self.say(agent, "show", number, "--body")
            self.assertIn(b"http 500", self.say(agent, "show", number,
                                                "--json").stdout)
        for words in ("status", "events", "dead", "refusals",
                      "refusals 1", "gaps", "keys shop", "receivers",
                      "errands", "export", "check", "doctor", "poll shop",
                      "poll failing", "poll oauth", "poll inurl --dry-run",
                      "backfill inurl --since 1h --detach", "backfill inurl",
                      "redeliver shop", "subscribe shop --dry-run",
                      f"verify shop {agent.path('request')}",
                      f"replay {numbers[0]} --handler log", "pause shop", "resume shop"):
            self.say(agent, *words.split())
            self.say(agent, *words.split(), "--json")
        path = agent.path("bundle.tar.gz")
        self.say(agent, "doctor", "--bundle", path, "--log",
                 agent.path("agent.log"))
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                self.note(f"bundle: {member.name}",
                          archive.extractfile(member).read())
        names = {"connector": "shop", "id": "1", "errand": "1",
                 "event": numbers[0],
                 "handler": "to", "receiver": self.receiver}
        for path, method, operation in openapi.Spec().operations():
            if method == "GET" and operation["operationId"] != "stream":
                self.admin(agent, re.sub(r"\{(\w+)\}",
                                         lambda m: names.get(m[1], "x"), path))

    def look_at_processes(self, agent):
        for name in ("cmdline", "environ", "status"):
            with open(f"/proc/{agent.child.pid}/{name}", "rb") as file:
                self.note("the agent's " + name, file.read())
        for name in os.listdir(agent.dir):
            if name.split(".")[0] in ("environ", "cmdline", "ps"):
                with open(agent.path(name), "rb") as file:
                    self.note("a child's " + name.split(".")[0], file.read())

    def test_none_comes_out_anywhere(self):
        agent = self.start_agent()
        self.receiver = json.loads(agent.admin(
            "/api/v1/subscriptions", "POST", json.dumps({
                "url": self.echo.url + "/got", "secret": "whsec_" +
                base64.b64encode(self.canaries["receiver"].encode()).decode()
            }), Authorization="Bearer " + self.canaries["admin"]).body)["id"]
        self.send_all(agent)
        wait_until(lambda: agent.log().count("delivery is dead") >= 2 and
                   "walk failed" in agent.log() and agent.events(),
                   "things went wrong")
        agent.child.send_signal(signal.SIGHUP)
        self.ask_all(agent)
        self.look_at_processes(agent)
        self.assertEqual(agent.stop()[0], 0)
        self.note("the log", agent.log().encode())
        self.note("events.jsonl", json.dumps(agent.events()).encode())
        self.assertIn(b"level=debug", self.seen["the log"])
        self.assertGreater(len(self.seen), 80)
        found = [(where, place) for where, text in self.seen.items()
                 for place, canary in self.canaries.items()
                 for form in forms_of(canary)
                 if form.encode() in text and
                 (where, place) != ("a child's environ", "variable")]
        self.assertEqual(sorted(set(found)), [])
        # and the search does find
        self.assertIn(self.canaries["variable"].encode(),
                      self.seen["a child's environ"])

    def test_a_crash_leaves_no_image_of_the_memory(self):
        agent = self.agent({"shop": harness.pet_store()})
        as_nobody = []
        if os.getuid() == 0:
            as_nobody = ["setpriv", "--reuid", "65534", "--regid", "65534",
                         "--clear-groups"]
            os.chown(agent.dir, 65534, 65534)
            os.chown(agent.config_path, 65534, 65534)
        agent.child = subprocess.Popen(
            [*as_nobody, "/bin/sh", "-c", 'ulimit -c unlimited; exec "$@"',
             "sh", harness.LONGSTOP, "run", "-c", agent.config_path],
            cwd=agent.dir, stderr=subprocess.DEVNULL,
            env=harness.environment(),
            # who runs in the background of a shell ignores it
            preexec_fn=lambda: signal.signal(signal.SIGQUIT, signal.SIG_DFL))
        wait_until(lambda: agent.health() == 200, "the agent is ready")
        # whose memory may be dumped owns its own entry: proc(5)
        process = f"/proc/{agent.child.pid}"
        self.assertEqual(os.stat(process + "/mem").st_uid, 0)
        self.assertEqual(os.stat(process).st_uid,
                         65534 if as_nobody else os.getuid())
        os.kill(agent.child.pid, signal.SIGQUIT)
        self.assertEqual(agent.child.wait(20), -signal.SIGQUIT)
        self.assertEqual([name for name in os.listdir(agent.dir)
                          if name.startswith("core")], [])

    @unittest.skipUnless(os.geteuid() == 0, "only root reads its memory")
    def test_an_old_secret_is_wiped_when_a_new_one_is_taken_up(self):
        agent = self.agent({"shop": harness.pet_store()})
        shop = agent.config["connectors"]["shop"]["with"]
        del shop["webhook_secret"]
        shop["webhook_secret_file"] = "shop.secret"
        old, new = (f"canary-{secrets.token_hex(12)}" for _ in range(2))

        def keep(secret):
            with open(agent.path("shop.secret"), "w",
                      encoding="utf-8") as file:
                file.write(secret)
            os.chmod(agent.path("shop.secret"), 0o600)

        def send(order, secret):
            hook = Hook(order, iso())
            hook.headers["X-Webhook-Signature"] = harness.sign(
                hook.body, secret)
            return hook.send(agent).status

        keep(old)
        agent.write_config()
        agent.start()
        self.assertEqual(send(1, old), 202)
        self.assertTrue(in_memory(agent, old), "the search does find")
        keep(new)
        self.assertEqual(agent.command("reload").returncode, 0)
        self.assertEqual([send(2, old), send(3, new)], [401, 202])
        self.assertTrue(in_memory(agent, new))
        wait_until(lambda: not in_memory(agent, old), "the old one is gone")
