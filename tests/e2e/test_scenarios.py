# SPDX-License-Identifier: MIT
"""The examples of packaging/examples, run as they are written but for
addresses: real hooks, real walks, Debian's own docker-registry, Alertmanager
and Redis."""
import base64
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import time
import urllib.request

import harness
from harness import answer, iso, wait_until
from test_examples import ADDRESS
from test_registry import REGISTRY, Registry

FOLDER = os.path.join(harness.HERE, "..", "..", "packaging", "examples")
ALERTMANAGER = shutil.which("prometheus-alertmanager")
REDIS = shutil.which("redis-server")
KEY = "sk_test_of_an_example"
STRIPE_SECRET = "whsec_of_an_example"
GITHUB_SECRET = "a secret of GitHub's settings page"
STANDARD_SECRET = "whsec_" + base64.b64encode(b"an example's key").decode()
SECRETS = {"stripe.api_key": KEY, "github.api_key": KEY,
           "stripe.secret": STRIPE_SECRET, "github.secret": GITHUB_SECRET,
           "application.secret": STANDARD_SECRET,
           "partner.secret": STANDARD_SECRET,
           "registry.token": "a token of a registry",
           "alerts.secret": "longstop:a pass word",
           "alerts.password": "a pass word"}


class Stripe:
    """Its list of events, newest first."""

    def __init__(self, case):
        self.events = []
        self.provider = case.provider()
        self.provider.default = self.serve

    def add(self, kind, **data):
        at = int(time.time())
        self.events.append({
            "id": f"evt_{len(self.events)}", "object": "event", "type": kind,
            "created": at, "data": {"object": dict({
                "id": f"cs_{len(self.events)}", "payment_status": "paid"},
                **data)}})
        return self.events[-1]

    def serve(self, handler, asked):
        given = asked.headers.get("Authorization", "")
        if asked.path != "/v1/events" or given != "Basic " + \
                base64.b64encode(f"{KEY}:".encode()).decode():
            answer(handler, 401, b"{}")
            return
        since = int(asked.query.get("created[gte]", 0))
        rows = [e for e in reversed(self.events) if e["created"] >= since]
        answer(handler, 200, json.dumps(
            {"object": "list", "data": rows, "has_more": False},
            separators=(",", ":")).encode())

    def hook(self, event):
        body = json.dumps(event, separators=(",", ":")).encode()
        at = int(time.time())
        mac = hmac.new(STRIPE_SECRET.encode(), f"{at}.".encode() + body,
                       hashlib.sha256).hexdigest()
        return body, {"Content-Type": "application/json",
                      "Stripe-Signature": f"t={at},v1={mac}"}


class GitHub:
    """A repository's webhook, and the log of what it sent."""

    def __init__(self, case):
        self.log = []
        self.provider = case.provider()
        self.provider.default = self.serve

    def add(self, event, payload):
        number = len(self.log) + 1
        self.log.append({
            "id": number, "guid": f"00000000-0000-0000-0000-{number:012}",
            "delivered_at": iso(), "status": "OK", "status_code": 200,
            "redelivery": False, "event": event,
            "action": payload.get("action"), "payload": payload})
        return self.log[-1]

    def serve(self, handler, asked):
        place = "/repos/octo/shop/hooks/1234/deliveries"
        if asked.headers.get("Authorization") != f"Bearer {KEY}":
            answer(handler, 401, b"{}")
        elif asked.path == place:
            rows = [{k: v for k, v in entry.items() if k != "payload"}
                    for entry in reversed(self.log)]
            answer(handler, 200, json.dumps(rows).encode())
        else:
            entry = self.log[int(asked.path.split("/")[-1]) - 1]
            answer(handler, 200, json.dumps({
                **entry, "request": {
                    "headers": {"X-GitHub-Event": entry["event"],
                                "X-GitHub-Delivery": entry["guid"]},
                    "payload": entry["payload"]}}).encode())

    def hook(self, entry):
        body = json.dumps(entry["payload"]).encode()
        mac = hmac.new(GITHUB_SECRET.encode(), body,
                       hashlib.sha256).hexdigest()
        return body, {"Content-Type": "application/json",
                      "X-GitHub-Event": entry["event"],
                      "X-GitHub-Delivery": entry["guid"],
                      "X-Hub-Signature-256": "sha256=" + mac}


class Scenario(harness.Case):
    def example(self, name, **replaced):
        """An agent that runs this folder in a copy of it; `replaced` are
        texts of it and what stands for each here."""
        agent = self.agent({})
        shutil.copytree(os.path.join(FOLDER, name), agent.dir,
                        dirs_exist_ok=True)
        told = {ADDRESS: f"127.0.0.1:{agent.port}", **replaced.get("text", {})}
        for folder, _, files in os.walk(agent.dir):
            for file in files:
                self.rewrite(os.path.join(folder, file), told)
        for file, secret in SECRETS.items():
            with open(agent.path(file), "w", encoding="ascii") as into:
                into.write(secret + "\n")
            os.chmod(agent.path(file), 0o600)
        with open(agent.config_path, "a", encoding="utf-8") as file:
            file.write(f"store: sqlite:{agent.path('longstop.db')}\n")
        agent.cwd = agent.dir
        agent.write_config = lambda: None
        got = agent.command("check")
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertIn(b"0 warnings", got.stdout)
        return agent

    def rewrite(self, path, told):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for old, new in told.items():
            text = text.replace(old, new)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def at(self, connector, provider):
        """What has a connector ask a provider here."""
        return {f"use: {connector}\n    with:\n":
                f"use: {connector}\n    with:\n"
                f"      base: {provider.provider.url}\n"}

    def post(self, agent, path, hook):
        body, fields = hook
        self.assertIn(harness.post(agent.port, path, body, fields).status,
                      (200, 202), path)

    def lines(self, agent, name):
        try:
            with open(agent.path(name), encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def test_behind_a_firewall_the_list_alone_brings_the_events(self):
        stripe = Stripe(self)
        stripe.add("checkout.session.completed")
        stripe.add("customer.created")
        agent = self.example("poll-only", text=self.at("stripe", stripe))
        agent.start()
        events = agent.wait_events(1, "orders.jsonl")
        stripe.add("invoice.paid")
        self.assertEqual(agent.command("poll", "stripe").returncode, 0)
        events = agent.wait_events(2, "orders.jsonl")
        self.assertEqual([(e["type"], e["via"]) for e in events], [
            ("checkout.session.completed", "poll"), ("invoice.paid", "poll")])
        # not one inbound socket
        with harness.socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", agent.port)), 0)

    def test_beside_a_hook_what_it_missed_comes_too_and_nothing_twice(self):
        stripe = Stripe(self)
        missed = stripe.add("invoice.paid")
        got = []
        application = self.provider()
        application.default = lambda handler, asked: (
            got.append((dict(handler.headers), json.loads(handler.sent))),
            answer(handler, 200, b""))
        agent = self.example("beside-a-hook", text={
            **self.at("stripe", stripe),
            "http://127.0.0.1:7000": application.url})
        agent.start()
        wait_until(lambda: got, "what was missed")
        hooked = stripe.add("invoice.paid")
        self.post(agent, "/hooks/stripe", stripe.hook(hooked))
        wait_until(lambda: len(got) >= 2, "both are handed over")
        self.post(agent, "/hooks/stripe", stripe.hook(hooked))
        self.assertEqual(agent.command("poll", "stripe").returncode, 0)
        agent.wait_metric(0, "pending_deliveries", handler="application")
        self.assertEqual({(body["id"], body["via"]) for _, body in got},
                         {(missed["id"], "poll"), (hooked["id"], "webhook")})
        self.assertEqual(len(got), 2)
        for fields, body in got:
            self.assertEqual(fields["webhook-id"], "stripe/" + body["id"])

    def test_several_providers_each_go_where_they_are_wanted(self):
        stripe, github = Stripe(self), GitHub(self)
        agent = self.example("several-providers", text={
            **self.at("stripe", stripe), **self.at("github", github)})
        agent.start()
        self.post(agent, "/hooks/stripe", stripe.hook(
            stripe.add("invoice.paid")))
        self.post(agent, "/hooks/github", github.hook(
            github.add("push", {"ref": "refs/heads/main"})))
        body = b'{"type":"parcel.sent","timestamp":"2026-01-31T00:00:00Z"}'
        at = str(int(time.time()))
        mac = hmac.new(b"an example's key", f"msg_1.{at}.".encode() + body,
                       hashlib.sha256).digest()
        self.post(agent, "/hooks/partner", (body, {
            "webhook-id": "msg_1", "webhook-timestamp": at,
            "webhook-signature": "v1," + base64.b64encode(mac).decode()}))
        agent.wait_events(3, "all.jsonl")
        wait_until(lambda: self.lines(agent, "billing.jsonl") and
                   self.lines(agent, "code.jsonl"), "each has its own")
        for name, kinds in (("billing", ["invoice.paid"]), ("code", ["push"]),
                            ("all", ["invoice.paid", "parcel.sent", "push"])):
            self.assertEqual(sorted(e["type"] for e in agent.events(
                name + ".jsonl")), kinds)

    def test_github_deploys_what_its_log_alone_has(self):
        github = GitHub(self)
        missed = github.add("push", {"ref": "refs/heads/main", "after": "a1"})
        agent = self.example("github", text=self.at("github", github))
        agent.start()
        wait_until(lambda: self.lines(agent, "deployed.txt"), "by the log")
        hooked = github.add("release", {"action": "published", "release": {}})
        self.post(agent, "/hooks/github", github.hook(hooked))
        self.post(agent, "/hooks/github", github.hook(
            github.add("issues", {"action": "opened"})))
        wait_until(lambda: len(self.lines(agent, "deployed.txt")) == 2,
                   "by the hook")
        self.assertEqual(self.lines(agent, "deployed.txt"), [
            "push " + missed["guid"], "release.published " + hooked["guid"]])
        self.assertEqual([json.loads(line)["via"] for line in self.lines(
            agent, "deployed.jsonl")], ["poll", "webhook"])

    def test_stripe_ships_a_paid_order_once_and_keeps_the_other(self):
        stripe = Stripe(self)
        stripe.add("checkout.session.completed")
        agent = self.example("stripe", text=self.at("stripe", stripe))
        agent.start()
        wait_until(lambda: self.lines(agent, "shipped.txt"), "by the list")
        for _ in range(3):
            self.post(agent, "/hooks/stripe", stripe.hook(stripe.events[0]))
        unpaid = stripe.add("checkout.session.completed",
                            payment_status="unpaid")
        self.post(agent, "/hooks/stripe", stripe.hook(unpaid))
        agent.wait_metric(1, "deliveries_total", handler="fulfil",
                          outcome="dead")
        self.assertEqual(self.lines(agent, "shipped.txt"), ["stripe/evt_0"])
        self.assertIn(b"it is not paid", agent.command(
            "show", "stripe/" + unpaid["id"]).stdout)
        self.assertEqual(len(agent.wait_events(2, "stripe.jsonl")), 2)

    @harness.unittest.skipUnless(REDIS, "redis-server is not installed")
    def test_a_broker_has_each_event_once(self):
        stripe = Stripe(self)
        port = harness.free_port()
        agent = self.example("brokers", text={
            **self.at("stripe", stripe), "127.0.0.1:6379": f"127.0.0.1:{port}"})
        agent.start()
        self.post(agent, "/hooks/stripe", stripe.hook(
            stripe.add("invoice.paid")))  # while the broker is away
        server = subprocess.Popen(
            [REDIS, "--port", str(port), "--bind", "127.0.0.1", "--save", "",
             "--dir", agent.dir], stdout=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        agent.wait_metric(1, "deliveries_total", handler="stream",
                          outcome="done")
        got = subprocess.run(
            ["redis-cli", "-p", str(port), "XRANGE", "events:stripe", "-",
             "+"], capture_output=True, text=True, timeout=20, check=True)
        self.assertEqual(got.stdout.count("stripe/evt_0"), 1)

    def test_every_example_is_told_of(self):
        with open(os.path.join(FOLDER, "README.md"), encoding="utf-8") as file:
            text = file.read()
        folders = [name for name in os.listdir(FOLDER)
                   if os.path.isdir(os.path.join(FOLDER, name))]
        for name in folders:
            self.assertIn(f"[`{name}/`]({name}/README.md)", text)
            self.assertIn("README.md", os.listdir(os.path.join(FOLDER, name)))
        with open(__file__, encoding="utf-8") as file:
            tests = file.read()
        for name in folders:
            self.assertTrue(name == "handlers" or f'example("{name}"' in tests,
                            name)

    @harness.unittest.skipUnless(REGISTRY, "docker-registry is not installed")
    def test_docker_registry_tells_of_each_push(self):
        registry = Registry(self)
        agent = self.example("docker-registry", text={
            "127.0.0.1:5000": f"127.0.0.1:{registry.port}",
            "/var/lib/docker-registry": registry.dir + "/images",
            "the token of registry.token": SECRETS["registry.token"]})
        registry.serve(agent.path("config.yml"))
        registry.push("shop/early")  # known by the catalog alone
        agent.start()
        registry.push("shop/cat")

        def pushed():
            return {event["data"]["target"]["repository"] if event["via"] ==
                    "webhook" else event["data"]
                    for event in agent.events("pushes.jsonl")}
        wait_until(lambda: pushed() == {"shop/early", "shop/cat"}, "both")
        ids = [event["id"] for event in agent.events("pushes.jsonl")]
        self.assertEqual(len(set(ids)), len(ids))

    @harness.unittest.skipUnless(ALERTMANAGER,
                                 "prometheus-alertmanager is not installed")
    def test_an_alert_is_one_event_when_it_begins_and_one_when_it_ends(self):
        port = harness.free_port()
        agent = self.example("alertmanager", text={
            "127.0.0.1:9093": f"127.0.0.1:{port}",
            "group_wait: 1s": "group_wait: 0s",
            "group_interval: 10s": "group_interval: 1s",
            "repeat_interval: 4h": "repeat_interval: 1s"})
        server = subprocess.Popen(
            [ALERTMANAGER, "--config.file=" + agent.path("alertmanager.yml"),
             f"--web.listen-address=127.0.0.1:{port}",
             "--cluster.listen-address=", "--storage.path=" +
             agent.path("alerts")], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        site = f"http://127.0.0.1:{port}"

        def ask(path, body):
            request = urllib.request.Request(
                site + path, json.dumps(body).encode(),
                {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(request, timeout=10) as reply:
                    return reply.status == 200
            except OSError:
                return False
        silence = {"matchers": [{"name": "alertname", "value": "Quiet",
                                 "isRegex": False}], "startsAt": iso(),
                   "endsAt": iso(time.time() + 600), "createdBy": "a",
                   "comment": "a"}
        wait_until(lambda: ask("/api/v2/silences", silence), "it is up")
        agent.start()
        ask("/api/v2/alerts", [
            {"labels": {"alertname": name}, "startsAt": iso(),
             "endsAt": iso(time.time() + 600)}
            for name in ("DiskFull", "Quiet")])

        def paged():
            return [(event["type"], event["data"]["labels"]["alertname"])
                    for event in map(json.loads,
                                     self.lines(agent, "pages.jsonl"))]
        wait_until(lambda: ("alert.firing", "DiskFull") in paged(), "a hook")
        # no webhook tells of what is silenced
        self.assertEqual(agent.command("poll", "alerts").returncode, 0)
        wait_until(lambda: ("alert.firing", "Quiet") in paged(), "a walk")
        accepted = lambda: agent.metric(  # noqa: E731
            "webhook_requests_total", connector="alerts", outcome="duplicate")
        wait_until(lambda: accepted() >= 1, "it is sent again")
        ask("/api/v2/alerts", [
            {"labels": {"alertname": "DiskFull"}, "endsAt": iso()}])
        wait_until(lambda: ("alert.resolved", "DiskFull") in paged(), "over")
        self.assertEqual(sorted(paged()), [
            ("alert.firing", "DiskFull"), ("alert.firing", "Quiet"),
            ("alert.resolved", "DiskFull")])
