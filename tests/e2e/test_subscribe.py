# SPDX-License-Identifier: MIT
"""subscribe: hooks that the agent registers at a provider, and their secrets,
over crashes between one step and the next."""
import hashlib
import hmac
import http.server
import json
import os
import re
import socket
import stat
import threading
import time
import unittest
import urllib.parse

import harness
from harness import answer, post, wait_until

HOOK = "https://hooks.example.com/hooks/shop"


class Registrar:
    """A provider's registration API, kept by a function of (method, path,
    query, body) that returns (status, JSON)."""

    def __init__(self, api):
        self.asked = []
        self.targets = []  # paths with their queries
        self.cut = set()  # purposes (method) whose answer never comes
        registrar = self

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # the command may have been killed

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def take(self):
                registrar.take(self, api)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = take

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever,
                         kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def take(self, handler, api):
        parts = urllib.parse.urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length", 0))
        body = handler.rfile.read(length).decode()
        if handler.headers.get("Content-Type", "").startswith(
                "application/x-www-form"):
            body = urllib.parse.parse_qs(body)
        elif body:
            body = json.loads(body)
        self.targets.append(handler.path)
        self.asked.append((handler.command, parts.path, body,
                           dict(handler.headers)))
        status, told, *fields = api(handler.command, parts.path,
                                    urllib.parse.parse_qs(parts.query), body)
        if handler.command in self.cut:
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        answer(handler, status, json.dumps(told).encode(), *fields)

    def methods(self):
        return [method for method, *_ in self.asked]


class Stripe:
    """Its secret is in the answer to the request that makes the endpoint."""

    def __init__(self):
        self.hooks = {}
        self.serial = 0
        self.refuse = None

    def __call__(self, method, path, query, body):
        if self.refuse:
            return self.refuse
        name = path.rpartition("/")[2]
        if method == "GET":
            return 200, {"data": [
                {k: v for k, v in hook.items() if k != "secret"}
                for hook in self.hooks.values()]}
        if method == "DELETE":
            return (200, {}) if self.hooks.pop(name, None) else (404, {})
        if name == "webhook_endpoints":
            self.serial += 1
            name = f"we_{self.serial}"
            self.hooks[name] = {"id": name, "url": body["url"][0],
                                "secret": f"whsec_{self.serial}{'x' * 20}",
                                "status": "enabled"}
        hook = self.hooks[name]
        hook["enabled_events"] = body["enabled_events[]"]
        if body.get("disabled") == ["false"]:
            hook["status"] = "enabled"
        return 200, hook


class Github:
    """The secret is ours, and never shown."""

    def __init__(self):
        self.hooks = {}

    def __call__(self, method, path, query, body):
        name = path.rpartition("/")[2]
        if name == "deliveries":
            return 200, []
        if path.startswith("/renew/"):
            return 200, {}
        if method == "GET":
            return 200, [dict(hook, config=dict(hook["config"],
                                                secret="********"))
                         for hook in self.hooks.values()]
        if method == "DELETE":
            self.hooks.pop(int(name))
            return 204, {}
        if method == "POST":
            name = str(700 + len(self.hooks))
            self.hooks[int(name)] = {"id": int(name)}
        hook = self.hooks[int(name)]
        hook.update({k: body[k] for k in ("active", "events", "config")})
        return 201 if method == "POST" else 200, hook


class Case(harness.Case):
    def shop(self, api, use, **more):
        registrar = Registrar(api)
        self.addCleanup(registrar.close)
        agent = self.agent({"shop": {
            "use": use, "with": {"base": registrar.url, "api_key": "key-0815",
                                 **more.pop("with_", {})}, **more}})
        agent.config["listen"]["public_url"] = "https://hooks.example.com"
        agent.write_config()
        return registrar, agent

    def subscribe(self, agent, *words, code=0):
        got = agent.command("subscribe", *words, "shop")
        self.assertEqual(got.returncode, code, got.stdout + got.stderr)
        return (got.stdout + got.stderr).decode()

    def kept(self, agent, name="webhook_secret"):
        try:
            with open(agent.path(f"secrets/shop.{name}"),
                      encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None


class SecretInTheAnswer(Case):
    def test_it_is_kept_and_opens_the_route(self):
        stripe = Stripe()
        _, agent = self.shop(stripe, "stripe")
        said = self.subscribe(agent, "--events", "a.b,c.d")
        self.assertIn("shop: created", said)
        hook = stripe.hooks["we_1"]
        self.assertEqual((hook["url"], hook["enabled_events"]),
                         (HOOK, ["a.b", "c.d"]))
        self.assertEqual(self.kept(agent), hook["secret"])
        self.assertNotIn(hook["secret"], said)
        mode = os.stat(agent.path("secrets/shop.webhook_secret")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        told = json.loads(agent.command("check", "--json").stdout)
        self.assertEqual((told["connectors"][0]["webhook"],
                          told["connectors"][0]["secret_kept"]), (True, True))
        self.assertIn(b"secret: kept in", agent.command("check").stdout)
        agent.start()
        stamp = str(int(time.time()))
        body = b'{"id":"evt_1","type":"a.b","created":%s}' % stamp.encode()
        sign = hmac.new(hook["secret"].encode(), stamp.encode() + b"." + body,
                        hashlib.sha256).hexdigest()
        got = post(agent.port, "/hooks/shop", body, {
            "Stripe-Signature": f"t={stamp},v1={sign}"})
        self.assertEqual(got.status, 202)

    def test_once_more_changes_nothing(self):
        stripe = Stripe()
        registrar, agent = self.shop(stripe, "stripe")
        self.subscribe(agent)
        before = self.kept(agent)
        self.assertIn("shop: unchanged", self.subscribe(agent))
        self.assertEqual(registrar.methods(), ["GET", "POST", "GET"])
        self.assertEqual(self.kept(agent), before)

    def test_one_that_was_lost_on_its_way_is_made_anew(self):
        stripe = Stripe()
        registrar, agent = self.shop(stripe, "stripe")
        registrar.cut = {"POST"}
        self.subscribe(agent, code=75)
        self.assertEqual((len(stripe.hooks), self.kept(agent)), (1, None))
        registrar.cut = set()
        self.assertIn("shop: replaced", self.subscribe(agent))
        self.assertEqual([*stripe.hooks], ["we_2"])
        self.assertEqual(self.kept(agent), stripe.hooks["we_2"]["secret"])

    def test_a_crash_at_any_step_leaves_nothing_that_the_next_try_does_not_mend(
            self):
        step = 0
        while True:
            step += 1
            self.assertLess(step, 60)
            stripe = Stripe()
            _, agent = self.shop(stripe, "stripe")
            got = agent.command("subscribe", "shop", LONGSTOP_CRASH_AT=str(step))
            self.subscribe(agent)
            self.assertEqual(len(stripe.hooks), 1, f"step {step}")
            hook, = stripe.hooks.values()
            self.assertEqual(self.kept(agent), hook["secret"], f"step {step}")
            if got.returncode == 0:
                break
            self.assertEqual(got.returncode, 86)
        self.assertGreater(step, 8)

    def test_what_differs_is_told_and_set_right(self):
        stripe = Stripe()
        _, agent = self.shop(stripe, "stripe",
                             register={"events": ["a.b", "c.d"]})
        self.subscribe(agent)
        stripe.hooks["we_1"].update(status="disabled",
                                    enabled_events=["a.b", "x"])
        said = self.subscribe(agent, "--list", code=1)
        for words in ("'status' is \"disabled\" and should be enabled",
                      "not for c.d", "also for x"):
            self.assertIn(words, said)
        self.assertEqual(stripe.hooks["we_1"]["status"], "disabled")
        self.assertIn("shop: updated", self.subscribe(agent))
        self.assertEqual((stripe.hooks["we_1"]["status"],
                          stripe.hooks["we_1"]["enabled_events"]),
                         ("enabled", ["a.b", "c.d"]))
        self.assertIn("as it should be", self.subscribe(agent, "--list"))

    def test_remove_takes_hook_and_secret_away(self):
        stripe = Stripe()
        _, agent = self.shop(stripe, "stripe")
        stripe.hooks["we_9"] = {"id": "we_9", "url": "https://other.example"}
        self.subscribe(agent)
        self.assertIn("shop: removed", self.subscribe(agent, "--remove"))
        self.assertEqual([*stripe.hooks], ["we_9"])
        self.assertEqual(self.kept(agent), None)
        self.assertIn("shop: none", self.subscribe(agent, "--remove"))

    def test_the_configuration_goes_before_what_is_kept(self):
        stripe = Stripe()
        _, agent = self.shop(stripe, "stripe",
                             with_={"webhook_secret": "whsec_given"})
        self.assertIn("take that out", self.subscribe(agent))
        told = json.loads(agent.command("check", "--json").stdout)
        self.assertFalse(told["connectors"][0]["secret_kept"])

    def test_what_others_could_read_is_refused(self):
        _, agent = self.shop(Stripe(), "stripe")
        self.subscribe(agent)
        os.chmod(agent.path("secrets/shop.webhook_secret"), 0o640)
        got = agent.command("check")
        self.assertEqual(got.returncode, 78)
        self.assertIn(b"others can reach", got.stderr)

    def test_a_running_agent_that_does_not_know_it_is_told_of(self):
        _, agent = self.shop(Stripe(), "stripe")
        agent.start()
        self.assertIn("restart the running agent", self.subscribe(agent))


class Words(Case):
    def test_a_dry_run_sends_nothing_and_shows_no_secret(self):
        registrar, agent = self.shop(Stripe(), "stripe")
        said = self.subscribe(agent, "--dry-run")
        self.assertIn(f"POST {registrar.url}/v1/webhook_endpoints", said)
        self.assertNotIn("key-0815", said)
        self.assertEqual((registrar.asked, self.kept(agent)), ([], None))
        self.assertFalse(os.path.exists(agent.path("secrets")))

    def test_the_providers_words_are_passed_on(self):
        stripe = Stripe()
        _, agent = self.shop(stripe, "stripe")
        for status, told, code, words in (
                (400, {"error": {"message": "Invalid URL: must be https"}}, 1,
                 "list: the provider answered 400: Invalid URL: must be "
                 "https"),
                (401, {"message": "No such key"}, 77,
                 "No such key; is the credential right?"),
                (429, {}, 75, "try again later"),
                (500, [], 1, "answered 500")):
            stripe.refuse = status, told
            self.assertIn(words, self.subscribe(agent, code=code))

    def test_what_is_missing_is_named_before_anything_is_sent(self):
        registrar, agent = self.shop(Github(), "github")
        self.assertIn("'repo' missing", self.subscribe(agent, code=1))
        agent.config["connectors"]["shop"]["with"]["repo"] = "o/r"
        del agent.config["listen"]["public_url"]
        agent.write_config()
        self.assertIn("public_url", self.subscribe(agent, code=1))
        agent.config["listen"]["public_url"] = "http://plain.example"
        agent.config["connectors"]["shop"]["register"] = {"https": True}
        agent.write_config()
        self.assertIn("https alone", self.subscribe(agent, code=1))
        self.assertEqual(registrar.asked, [])

    def test_json_tells_what_was_asked_and_came_of_it(self):
        _, agent = self.shop(Stripe(), "stripe")
        told = json.loads(agent.command("subscribe", "--json", "shop").stdout)
        self.assertEqual([(r["purpose"], r["status"])
                          for r in told["requests"]],
                         [("list", 200), ("create", 200)])
        self.assertEqual((told["outcome"], told["secret_new"]),
                         ("created", True))

    def test_what_the_command_line_said_holds_until_it_says_otherwise(self):
        stripe = Stripe()
        _, agent = self.shop(stripe, "stripe")
        self.subscribe(agent, "--events", "a.b")
        self.assertIn("shop: unchanged", self.subscribe(agent))
        self.assertIn("as it should be", self.subscribe(agent, "--list"))
        self.assertIn("shop: updated",
                      self.subscribe(agent, "--events", "c.d"))
        self.assertEqual(stripe.hooks["we_1"]["enabled_events"], ["c.d"])

    def test_where_there_is_no_request_the_steps_are_printed(self):
        _, agent = self.shop(Stripe(), "slack", with_={"webhook_secret": "s"})
        self.assertRegex(self.subscribe(agent, code=1),
                         r"1\. Open the app(.|\n)*hooks/shop")


class Shipped(Case):
    def test_every_file_says_what_is_sent_or_done_by_hand(self):
        folder = os.path.join(harness.HERE, "..", "..", "connectors")
        tried = 0
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = file.read()
            if "\nregister:" not in text or "register: none" in text:
                continue
            given = {key: f"v_{key}" for key in
                     re.findall(r"\{(?:var|secret):(\w+)\}", text)}
            given.setdefault("api_key", "v_api_key")
            given["base"] = "https://api.example.com"
            if "auth:" not in text and "{secret:api_key}" not in text:
                del given["api_key"], given["base"]
                if "webhook_secret:" in text:
                    given["webhook_secret"] = "whsec_" + 44 * "A"
            if "oauth2" in text:
                given["client_id"] = "v_client_id"
            if "user_tz" in given:
                given["user_tz"] = "Europe/Berlin"
            if "hub" in given:
                given["hub"] = "https://hub.example.com"
            by_hand = "by_hand:" in text
            with self.subTest(name):
                agent = self.agent({"shop": {"use": name[:-5],
                                             "with": given}})
                agent.config["listen"]["public_url"] = "https://h.example.com"
                agent.write_config()
                said = self.subscribe(agent, "-n", code=int(by_hand))
                self.assertIn("hooks/shop", urllib.parse.unquote(said))
                self.assertNotIn("v_api_key", said)
            tried += 1
        self.assertGreater(tried, 20)


    def test_zooms_subscription_is_found_by_its_url(self):
        made = []

        def api(method, path, query, body):
            if path == "/oauth/token":
                return 200, {"access_token": "t", "expires_in": 3600}
            if method == "POST":
                made.append(dict(body, event_subscription_id="s1"))
                return 201, {"event_subscription_id": "s1"}
            if method == "DELETE":
                made.clear()
                return 204, {}
            return 200, {"event_subscriptions": made}
        registrar, agent = self.shop(api, "zoom", with_={
            "account_id": "acc", "client_id": "id"})
        self.assertIn("shop: created", self.subscribe(agent))
        self.assertEqual(made, [{
            "event_subscription_name": "longstop", "event_webhook_url": HOOK,
            "events": ["meeting.ended"], "subscription_scope": "account",
            "account_id": "acc", "event_subscription_id": "s1"}])
        self.assertNotIn("created", self.subscribe(agent))
        self.subscribe(agent, "--remove")
        self.assertEqual((made, registrar.asked[-1][:2]), (
            [], ("DELETE", "/v2/marketplace/app/event_subscription/s1")))


class SecretOfOurs(Case):
    def test_it_is_kept_before_it_is_sent(self):
        github = Github()
        registrar, agent = self.shop(github, "github", with_={"repo": "o/r"})
        registrar.cut = {"POST"}
        self.subscribe(agent, code=75)
        hook, = github.hooks.values()
        self.assertEqual(self.kept(agent), hook["config"]["secret"])
        self.assertRegex(self.kept(agent), r"^[A-Za-z0-9_-]{43}$")
        registrar.cut = set()
        self.assertIn("shop: unchanged", self.subscribe(agent))
        self.assertEqual(len(github.hooks), 1)

    def test_its_id_is_kept_for_the_list(self):
        _, agent = self.shop(Github(), "github", with_={"repo": "o/r"})
        self.assertIn(b"'longstop subscribe' finds it out",
                      agent.command("check").stderr)
        self.subscribe(agent)
        self.assertEqual(self.kept(agent, "hook_id"), "700")
        told = json.loads(agent.command("check", "--json").stdout)
        self.assertEqual((told["connectors"][0]["webhook"],
                          told["connectors"][0]["poll"]), (True, True))

    def test_a_hook_that_others_made_gets_it(self):
        github = Github()
        github.hooks[5] = {"id": 5, "active": True, "events": ["*"],
                           "config": {"url": HOOK, "content_type": "json",
                                      "secret": "theirs"}}
        registrar, agent = self.shop(github, "github", with_={"repo": "o/r"})
        self.assertIn("shop: updated", self.subscribe(agent))
        self.assertEqual(github.hooks[5]["config"]["secret"], self.kept(agent))
        self.assertEqual(registrar.methods(), ["GET", "PATCH"])

    def test_one_that_the_configuration_gives_is_sent(self):
        github = Github()
        _, agent = self.shop(github, "github",
                             with_={"repo": "o/r", "webhook_secret": "mine"})
        self.subscribe(agent)
        hook, = github.hooks.values()
        self.assertEqual((hook["config"]["secret"], self.kept(agent)),
                         ("mine", None))


class Watched(Case):
    """What a running agent makes of a hook that `subscribe` made."""

    def test_a_hook_that_goes_wrong_is_told_and_left_alone(self):
        stripe = Stripe()
        registrar, agent = self.shop(stripe, "stripe",
                                     register={"check_every": "1s"})
        self.subscribe(agent, "--events", "a.b")
        agent.start()
        agent.wait_metric(1, "subscription_ok", connector="shop")
        stripe.hooks["we_1"]["status"] = "disabled"
        agent.wait_metric(0, "subscription_ok", connector="shop")
        self.assertIn("'status' is", agent.log())
        self.assertIn("longstop subscribe", agent.log())
        stripe.hooks["we_1"]["status"] = "enabled"
        agent.wait_metric(1, "subscription_ok", connector="shop")
        stripe.hooks.clear()
        agent.wait_metric(0, "subscription_ok", connector="shop")
        self.assertIn("none that leads here", agent.log())
        self.assertEqual(set(registrar.methods()[2:]), {"GET"})

    def test_what_nobody_registered_is_not_looked_at(self):
        registrar, agent = self.shop(
            Stripe(), "stripe", register={"check_every": "1s"},
            with_={"webhook_secret": "whsec_1"}, poll={"every": "1h"})
        agent.start()
        wait_until(lambda: registrar.asked, "the list is read")
        harness.stays(lambda: all("webhook_endpoints" not in path for
                                  _, path, *_ in registrar.asked),
                      "no hook is looked at", 2.5)

    def test_what_ends_by_itself_is_renewed_in_time(self):
        registrar, agent = self.shop(
            Github(), "github", with_={"repo": "o/r"},
            register={"check_every": "0s", "renew": {
                "every": "1m", "request": {
                    "method": "PUT", "url": "{var:base}/renew/{id}"}}})
        self.subscribe(agent)
        note = json.loads(self.kept(agent, "registration"))
        note["at_ms"] -= 58_000
        with open(agent.path("secrets/shop.registration"), "w",
                  encoding="utf-8") as file:
            file.write(json.dumps(note))
        agent.start()
        wait_until(lambda: ("PUT", "/renew/700") in [
            (method, path) for method, path, *_ in registrar.asked],
            "the hook is renewed")
        wait_until(lambda: json.loads(self.kept(agent, "registration"))
                   ["at_ms"] > note["at_ms"] + 58_000, "that is noted")
        self.assertIn("shop: renewed", self.subscribe(agent, "--renew"))


class Pending(Case):
    """Handshakes that belong to a registration that is under way."""

    ASANA = {
        "verify": {"type": "hmac",
                   "signature": {"from": "header:X-Hook-Signature"},
                   "signed": "{body}"},
        "event": {"id": "json:id"},
        "handshake": [{
            "when": [{"x": "header:X-Hook-Secret", "present": True}],
            "verify": False, "store_secret": "header:X-Hook-Secret",
            "respond": {"status": 200, "headers": {
                "X-Hook-Secret": "{header:X-Hook-Secret}"}}}]}

    def asana(self, agent_of):
        """A provider that brings its secret before it answers."""
        secret = "s3cret-of-theirs"

        def api(method, path, query, body):
            self.shaken = post(agent_of().port, "/hooks/shop", b"{}",
                               {"X-Hook-Secret": secret})
            return 201, {"id": 5}
        return api

    def awaiting(self, api, **more):
        registrar = Registrar(api)
        self.addCleanup(registrar.close)
        agent = self.agent({"shop": {
            **self.ASANA, "register": {
                "auth": {"type": "bearer", "value": "k"}, "create": {
                    "method": "POST", "url": registrar.url + "/webhooks",
                    "json": {"target": "{hook_url}"}}}, **more}})
        agent.config["listen"]["public_url"] = "https://hooks.example.com"
        agent.write_config()
        return registrar, agent

    def test_a_secret_is_taken_only_while_a_registration_is_under_way(self):
        agent = None
        _, agent = self.awaiting(self.asana(lambda: agent))
        agent.start()
        knock = {"X-Hook-Secret": "an-intruders"}
        self.assertEqual(post(agent.port, "/hooks/shop", b"{}", knock).status,
                         404)
        self.assertIn("shop: created", self.subscribe(agent))
        self.assertEqual((self.shaken.status,
                          self.shaken.headers.get("X-Hook-Secret")),
                         (200, "s3cret-of-theirs"))
        self.assertEqual(self.kept(agent), "s3cret-of-theirs")
        self.assertEqual(post(agent.port, "/hooks/shop", b"{}", knock).status,
                         404, "one is kept already")
        body = b'{"id":"e1"}'
        signed = {"X-Hook-Signature": harness.sign(body, "s3cret-of-theirs")}
        self.assertEqual(post(agent.port, "/hooks/shop", body, signed).status,
                         503, "it comes again after the restart")
        agent.stop()
        agent.start()
        self.assertEqual(post(agent.port, "/hooks/shop", body, signed).status,
                         202)
        self.assertEqual(post(agent.port, "/hooks/shop", b"{}", knock).status,
                         404)
        self.assertEqual(self.kept(agent), "s3cret-of-theirs")

    def test_a_provider_that_heard_no_answer_may_say_its_secret_again(self):
        agent = None
        once = self.asana(lambda: agent)

        def twice(*request):
            once(*request)
            return once(*request)
        _, agent = self.awaiting(twice)
        agent.start()
        self.assertIn("shop: created", self.subscribe(agent))
        self.assertEqual((self.shaken.status,
                          self.shaken.headers.get("X-Hook-Secret")),
                         (200, "s3cret-of-theirs"))
        self.assertEqual(self.kept(agent), "s3cret-of-theirs")

    def test_what_came_too_late_is_refused(self):
        agent = None
        _, agent = self.awaiting(self.asana(lambda: agent))
        agent.config["connectors"]["shop"]["register"]["pending"] = "1s"
        agent.write_config()
        os.mkdir(agent.path("secrets"), 0o700)
        with open(agent.path("secrets/shop.registration"), "w",
                  encoding="utf-8", opener=lambda path, flags: os.open(
                      path, flags, 0o600)) as file:
            file.write(json.dumps({"url": HOOK, "pending": True, "hooks": [],
                                   "at_ms": int(time.time() * 1000) - 5000}))
        agent.start()
        got = post(agent.port, "/hooks/shop", b"{}", {"X-Hook-Secret": "x"})
        self.assertEqual((got.status, self.kept(agent)), (404, None))

    TOPIC = "https://feed.example/news"

    def hub(self, use="websub", api=lambda *_: (202, {}), **more):
        """A hub, and an agent that is to be subscribed to it."""
        registrar = Registrar(api)
        self.addCleanup(registrar.close)
        agent = self.agent({"shop": {"use": use, "with": {
            "hub": registrar.url + "/hub", "topic": self.TOPIC, **more}}})
        agent.config["listen"]["public_url"] = "https://hooks.example.com"
        agent.write_config()
        agent.start()
        return registrar, agent

    def intent(self, agent, **more):
        """The hub asks whether we meant it."""
        connection = harness.http.client.HTTPConnection(
            "127.0.0.1", agent.port, timeout=10)
        connection.request("GET", "/hooks/shop?" + urllib.parse.urlencode(
            {"hub.mode": "subscribe", "hub.challenge": "c-42",
             "hub.topic": self.TOPIC, **more}))
        reply = connection.getresponse()
        got = reply.status, reply.read()
        connection.close()
        return got

    def past(self, agent):
        """As if the last registration were an hour old."""
        note = json.loads(self.kept(agent, "registration"))
        note["at_ms"] -= 3_600_000
        with open(agent.path("secrets/shop.registration"), "w",
                  encoding="utf-8") as file:
            file.write(json.dumps(note))

    def test_a_hub_is_told_that_we_meant_it_and_nothing_else(self):
        registrar, agent = self.hub()
        self.assertEqual(self.intent(agent)[0], 404)
        self.subscribe(agent)
        form = registrar.asked[0][2]
        self.assertEqual((form["hub.topic"], form["hub.callback"]),
                         ([self.TOPIC], [HOOK]))
        self.assertEqual(self.intent(agent), (200, b"c-42"))
        for wrong in ({"hub.topic": "https://other.example/"},
                      {"hub.topic": self.TOPIC + "/x"},
                      {"hub.mode": "unsubscribe"}):
            self.assertEqual(self.intent(agent, **wrong)[0], 404, wrong)

    def leave(self, agent, **more):
        return self.intent(agent, **{"hub.mode": "unsubscribe", **more})

    def test_a_hub_is_told_that_we_meant_to_leave(self):
        registrar, agent = self.hub()
        self.subscribe(agent)
        self.assertEqual(self.leave(agent)[0], 404, "nobody wants to")
        self.subscribe(agent, "--remove")
        form = registrar.asked[-1][2]
        self.assertEqual((form["hub.mode"], form["hub.topic"]),
                         (["unsubscribe"], [self.TOPIC]))
        self.assertEqual(self.leave(agent), (200, b"c-42"))
        self.assertEqual(self.leave(agent, **{"hub.topic": "https://x/"})[0],
                         404)
        self.assertEqual(self.intent(agent)[0], 404, "nor to come back")
        agent.stop()
        agent.start()
        self.assertEqual(self.leave(agent), (200, b"c-42"),
                         "it may ask later")
        self.past(agent)
        self.assertEqual(self.leave(agent)[0], 404)
        self.subscribe(agent)
        self.assertEqual(self.leave(agent)[0], 404)
        self.assertEqual(self.intent(agent), (200, b"c-42"))

    def test_a_hub_may_ask_before_it_answers_us(self):
        asked = []
        agent = None

        def hub(method, path, query, body):
            if body["hub.mode"] == ["unsubscribe"]:
                asked.append(self.leave(agent))
            return 202, {}
        registrar, agent = self.hub(api=hub)
        self.subscribe(agent)
        self.subscribe(agent, "--remove")
        self.assertEqual(asked, [(200, b"c-42")])

    def test_who_could_not_leave_can_try_again(self):
        answers = [(202, {}), (500, {}), (202, {})]
        registrar, agent = self.hub(api=lambda *_: answers.pop(0))
        self.subscribe(agent)
        self.subscribe(agent, "--remove", code=1)
        self.assertEqual(self.leave(agent), (200, b"c-42"))
        self.subscribe(agent, "--remove")
        self.assertEqual(len(registrar.asked), 3)

    def test_a_hub_that_asks_later_than_that_is_not_answered(self):
        _, agent = self.hub()
        self.subscribe(agent)
        self.past(agent)
        self.assertEqual(self.intent(agent)[0], 404)
        agent.stop()
        agent.start()
        self.assertEqual(self.intent(agent)[0], 404, "with its secret too")
        self.subscribe(agent, "--renew")
        self.assertEqual(self.intent(agent), (200, b"c-42"))

    def test_what_a_hub_pushes_is_taken_with_the_secret_that_is_kept(self):
        _, agent = self.hub("rss_atom", feed="http://127.0.0.1:9/feed")
        self.subscribe(agent)
        agent.stop()
        agent.start()
        feed = b"""<feed xmlns="http://www.w3.org/2005/Atom"><entry>
            <id>urn:1</id><updated>2026-01-01T00:00:00Z</updated></entry>
            </feed>"""
        signed = {"X-Hub-Signature": "sha256=" + harness.sign(
            feed, self.kept(agent))}
        self.assertEqual(post(agent.port, "/hooks/shop", feed, signed).status,
                         202)
        agent.wait_events(1)


class ManyHooks(Case):
    """An account with more hooks than one page of its list shows."""

    def paged(self, github, pages, ours_on):
        def api(method, path, query, body):
            if method != "GET" or "page" in path:
                return github(method, path, query, body)
            at = int(query.get("page", ["1"])[0])
            status, hooks = github(method, path, query, body)
            others = [{"id": 10 * at, "active": True, "events": ["*"],
                       "config": {"url": "https://else.example/"}}]
            link = {"Link": f'<{path}?page={at + 1}>; rel="next"'}
            return (status, others + (hooks if at == ours_on else []),
                    link if at < pages else {})
        return api

    def test_ours_is_found_on_any_page(self):
        for ours_on in (1, 3):
            github = Github()
            registrar, agent = self.shop(self.paged(github, 3, ours_on),
                                         "github", with_={"repo": "o/r"})
            self.assertIn("shop: created", self.subscribe(agent))
            registrar.asked.clear()
            self.assertIn("shop: unchanged", self.subscribe(agent))
            self.assertEqual(registrar.methods(), ["GET"] * 3)
            self.assertEqual(len(github.hooks), 1)

    def test_a_list_without_an_end_makes_no_hook(self):
        github = Github()
        registrar, agent = self.shop(self.paged(github, 10**6, 0), "github",
                                     with_={"repo": "o/r"})
        self.assertIn("no end after 50 pages", self.subscribe(agent, code=1))
        self.assertEqual(registrar.methods(), ["GET"] * 50)


class Redeliver(Case):
    """What the provider could not deliver, asked for again."""

    @staticmethod
    def deliveries(asked):
        rows = [{"id": n, "guid": f"g-{n}", "status": status, "event": "push",
                 "action": None, "delivered_at": harness.iso()}
                for n, status in ((1, "OK"), (2, "Invalid HTTP Response: 502"),
                                  (3, "timed out"), (4, "OK"))]

        def api(method, path, query, body):
            if method == "POST":
                asked.append(path)
                return (500, {}) if "/3/" in path else (202, {})
            return 200, rows
        return api

    def code(self, asked):
        _, agent = self.shop(self.deliveries(asked), "github", with_={
            "repo": "o/r", "hook_id": "7"})
        return agent

    def redeliver(self, agent, *words, code=0):
        got = agent.command("redeliver", *words)
        self.assertEqual(got.returncode, code, got.stdout + got.stderr)
        return (got.stdout + got.stderr).decode()

    def test_what_failed_is_listed(self):
        asked = []
        said = self.redeliver(self.code(asked), "--dry-run", "shop")
        self.assertIn("g-2\ng-3\n2 failed", said)
        self.assertEqual(asked, [])

    def test_each_is_asked_for_and_a_refusal_is_told(self):
        asked = []
        said = self.redeliver(self.code(asked), "shop", code=1)
        self.assertIn("g-2 -> 202", said)
        self.assertIn("g-3 -> 500: HTTP 500", said)
        self.assertEqual(asked, [f"/repos/o/r/hooks/7/deliveries/{n}/attempts"
                                 for n in (2, 3)])

    def test_one_is_asked_for_by_its_id(self):
        asked = []
        agent = self.code(asked)
        self.assertIn("1 asked for again", self.redeliver(agent, "shop", "g-2"))
        self.assertEqual(len(asked), 1)
        self.assertIn("does not have it",
                      self.redeliver(agent, "shop", "g-9", code=1))

    def test_a_list_of_failures_without_a_way_back_is_only_shown(self):
        events = [{"id": "evt_1", "type": "a", "created": 1700000000}]
        registrar, agent = self.shop(
            lambda *_: (200, {"data": events, "has_more": False}), "stripe")
        self.assertIn("no request that sends them",
                      self.redeliver(agent, "shop", code=1))
        self.redeliver(agent, "-n", "shop")
        self.assertIn("delivery_success=false", registrar.targets[-1])

    def test_stripes_failures_are_read_to_the_last_page(self):
        rows = [{"id": f"evt_{n}", "type": "a", "created": 1700000000}
                for n in range(5)]

        def api(method, path, query, body):
            after = query.get("starting_after", ["evt_-1"])[0]
            at = int(after[4:]) + 1
            return 200, {"data": rows[at:at + 2], "has_more": at + 2 < 5}
        registrar, agent = self.shop(api, "stripe")
        said = self.redeliver(agent, "-n", "shop")
        self.assertIn("evt_0\nevt_1\nevt_2\nevt_3\nevt_4\n5 failed", said)
        self.assertEqual(sum("delivery_success=false" in target
                             for target in registrar.targets), 3)

    def test_what_jira_could_not_deliver_is_shown(self):
        def api(method, path, query, body):
            if "after" in query:
                return 200, {"values": [{"id": "2", "url": "x",
                                         "failureTime": 1}]}
            return 200, {"values": [{"id": "1", "url": "x", "body": "{}",
                                     "failureTime": 2}],
                         "next": "/rest/api/3/webhook/failed?after=2"}
        registrar, agent = self.shop(api, "jira", with_={
            "email": "a@b.c", "project": "P"})
        self.assertIn("1\n2\n2 failed", self.redeliver(agent, "-n", "shop"))
        self.assertEqual(registrar.targets[0],
                         "/rest/api/3/webhook/failed?maxResults=100")

    def hooks(self, status, asked):
        def api(method, path, query, body):
            asked.append((method, path, body))
            return status, {}
        _, agent = self.shop(api, "svix", with_={
            "app": "app_1", "sink": "poll_1", "endpoint": "ep_1"})
        return agent

    def test_all_that_failed_since_a_time_is_asked_for_at_once(self):
        asked = []
        said = self.redeliver(self.hooks(202, asked), "shop", "--since",
                              "2026-01-31T00:00:00Z")
        self.assertIn("all that failed since 2026-01-31T00:00:00.000Z -> 202",
                      said)
        [(method, path, body)] = asked
        self.assertEqual((method, path), (
            "POST", "/api/v1/app/app_1/endpoint/ep_1/recover"))
        span = body if isinstance(body, dict) else json.loads(body)
        self.assertEqual(span["since"], "2026-01-30T23:59:59Z")
        self.assertGreater(span["until"], span["since"])

    def test_a_span_that_is_refused_is_told(self):
        asked = []
        agent = self.hooks(500, asked)
        said = self.redeliver(agent, "shop", "--since", "2h", "--json", code=1)
        self.assertEqual(json.loads(said)["deliveries"][0]["status"], 500)
        self.assertEqual(len(asked), 1)

    def test_a_dry_run_sends_no_span(self):
        asked = []
        said = self.redeliver(self.hooks(202, asked), "-n", "shop", "--since",
                              "2h")
        self.assertRegex(said, "all that failed since .*Z\n$")
        self.assertEqual(asked, [])

    def test_what_is_no_past_time_is_a_mistake(self):
        agent = self.hooks(202, [])
        for words in (["--since", "soon"], ["--since", "2999-01-01"],
                      ["--since", "2h", "an-id"]):
            self.redeliver(agent, "shop", *words, code=2)

    def test_a_provider_is_asked_as_it_can_be(self):
        self.assertIn("--since TIME",
                      self.redeliver(self.hooks(202, []), "shop", code=1))
        said = self.redeliver(self.code([]), "shop", "--since", "2h", code=1)
        self.assertIn("without --since", said)
        self.assertIn("backfill shop --since 2h", said)

    def test_where_nothing_is_listed_that_is_said(self):
        _, agent = self.shop(lambda *_: (200, {}), "slack",
                             with_={"channel": "C1"})
        self.assertIn("does not list", self.redeliver(agent, "shop", code=1))


if __name__ == "__main__":
    unittest.main()
