# SPDX-License-Identifier: MIT
"""Webhooks: what is accepted, what is refused, what is known."""
import json

import harness
from harness import Hook, iso, row, wait_until


class Webhook(harness.Case):
    def test_an_accepted_webhook_is_delivered_with_envelope_environment_key(
            self):
        agent = self.agent({"shop": harness.pet_store()})
        program = agent.script(
            "handler.sh", f"cat >{agent.dir}/stdin; env >{agent.dir}/e; "
            f"mv {agent.dir}/e {agent.dir}/environment\n")
        agent.config["handlers"] = {"fulfil": {"exec": [program],
                                               "env": {"MORE": "of it"}}}
        agent.write_config()
        agent.start()
        hook = Hook(17, "2026-11-20T10:00:00.123Z", delivery="dlv/17 $(id) `x` %")
        self.assertEqual(hook.send(agent).status, 202)
        environment = wait_until(
            lambda: read(agent.path("environment")), "the handler has run")
        envelope = json.loads(read(agent.path("stdin")))
        self.assertEqual(envelope["specversion"], "1.0")
        self.assertEqual(envelope["source"], "longstop/shop")
        self.assertEqual(envelope["type"], "order.created")
        self.assertEqual(envelope["time"], "2026-11-20T10:00:00.123Z")
        self.assertEqual(envelope["via"], "webhook")
        self.assertEqual(envelope["data"], row(17, hook.stamp))
        self.assertIn('"total":12.5', read(agent.path("stdin")).decode())
        self.assertIn("recordedtime", envelope)
        found = dict(line.split("=", 1)
                     for line in environment.decode().splitlines()
                     if "=" in line)
        self.assertEqual(envelope["id"], hook.delivery)
        self.assertEqual(found["LONGSTOP_EVENT_ID"], hook.delivery)
        self.assertEqual(found["LONGSTOP_EVENT_TYPE"], "order.created")
        self.assertEqual(found["LONGSTOP_CONNECTOR"], "shop")
        self.assertEqual(found["LONGSTOP_VIA"], "webhook")
        self.assertEqual(found["LONGSTOP_ATTEMPT"], "1")
        self.assertEqual(found["LONGSTOP_HANDLER"], "fulfil")
        self.assertEqual(found["LONGSTOP_IDEMPOTENCY_KEY"],
                         "shop/dlv/17%20%24%28id%29%20%60x%60%20%25")
        self.assertEqual(found["MORE"], "of it")
        ours = {"PATH", "MORE", "PWD", "SHLVL", "_", "OLDPWD"}
        self.assertEqual({name for name in found
                          if not name.startswith("LONGSTOP_")} - ours, set())

    def test_numbers_are_handed_on_as_received(self):
        agent = self.pet_shop()
        body = (b'{"event":"order.created","timestamp":"2026-11-20T10:00:00Z",'
                b'"data":{"order":{"id":90071992547409931234, "total":1.50,'
                b'"updated_at":"2026-11-20T10:00:00Z"}}}')
        self.assertEqual(Hook(1, iso(), body=body).send(agent).status, 202)
        agent.wait_events(1)
        line = read(agent.path("events.jsonl"))
        self.assertIn(b'"id":90071992547409931234,"total":1.50,', line)

    def test_a_forged_webhook_is_401_and_stored_nowhere(self):
        agent = self.pet_shop()
        cases = {
            "another secret": Hook(1, iso(), secret="guessed"),
            "no signature": Hook(2, iso()),
            "an altered body": Hook(3, iso()),
            "an empty signature": Hook(4, iso()),
        }
        del cases["no signature"].headers["X-Webhook-Signature"]
        cases["an altered body"].body += b" "
        cases["an empty signature"].headers["X-Webhook-Signature"] = ""
        for name, hook in cases.items():
            with self.subTest(name):
                got = hook.send(agent)
                self.assertEqual((got.status, got.body), (401, b""))
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(0,)])
        self.assertEqual(agent.query("SELECT count(*) FROM ledger"), [(0,)])
        self.assertEqual(agent.metric("webhook_requests_total",
                                      connector="shop",
                                      outcome="bad_signature"), len(cases))
        self.assertEqual(Hook(5, iso()).send(agent).status, 202)
        self.assertEqual(len(agent.wait_events(1)), 1)

    def test_the_same_webhook_twice_is_one_delivery(self):
        agent = self.pet_shop()
        hook = Hook(1, iso())
        self.assertEqual([hook.send(agent).status for _ in range(5)],
                         [202] * 5)
        Hook(2, iso()).send(agent)
        events = agent.wait_events(2)
        self.assertEqual([e["data"]["id"] for e in events], [1, 2])
        count = {outcome: agent.metric("webhook_requests_total",
                                       connector="shop", outcome=outcome)
                 for outcome in ("accepted", "duplicate")}
        self.assertEqual(count, {"accepted": 2, "duplicate": 4})
        self.assertEqual(agent.metric("events_total", connector="shop",
                                      via="webhook"), 2)
        self.assertEqual(agent.metric("duplicates_total", connector="shop",
                                      via="webhook"), 4)
        agent.wait_metric(2, "deliveries_total", handler="log",
                          outcome="done")

    def test_a_webhook_is_still_known_after_a_restart(self):
        agent = self.pet_shop()
        hook = Hook(1, iso())
        hook.send(agent)
        agent.wait_events(1)
        self.assertEqual(agent.stop()[0], 0)
        agent.start()
        self.assertEqual(hook.send(agent).status, 202)
        Hook(2, iso()).send(agent)
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(2)],
                         [1, 2])

    def test_a_replay_under_a_fresh_unsigned_id_is_a_duplicate(self):
        agent = self.pet_shop()
        hook = Hook(1, iso())
        hook.send(agent)
        again = Hook(1, hook.stamp, body=hook.body, delivery="fresh")
        self.assertEqual(again.send(agent).status, 202)
        # the fresh id has not entered the ledger: it may still be used
        genuine = Hook(2, iso(), delivery="fresh")
        genuine.send(agent)
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(2)],
                         [1, 2])
        self.assertEqual(agent.metric("duplicates_total", connector="shop",
                                      via="webhook"), 1)

    def test_equal_bodies_without_a_stamp_stay_two_facts(self):
        agent = self.pet_shop()
        body = b'{"event":"stock.low","data":{"sku":"cat food"}}'
        for delivery in ("one", "two", "two"):
            Hook(0, "", event="stock.low", body=body,
                 delivery=delivery).send(agent)
        Hook(9, iso()).send(agent)
        events = agent.wait_events(3)
        self.assertEqual([e["type"] for e in events],
                         ["stock.low", "stock.low", "order.created"])

    def test_two_webhooks_about_one_version_are_two_facts(self):
        agent = self.pet_shop()
        stamp = iso()
        for event in ("order.created", "order.paid"):
            Hook(1, stamp, event=event).send(agent)
        self.assertEqual([e["type"] for e in agent.wait_events(2)],
                         ["order.created", "order.paid"])

    def test_the_other_form_of_the_tutorials_is_read_too(self):
        agent = self.pet_shop()
        stamp = iso()
        body = json.dumps({"id": "evt_1", "event": "order.updated",
                           "data": row(5, stamp),
                           "timestamp": stamp}).encode()
        Hook(5, stamp, event="order.updated", body=body).send(agent)
        event = agent.wait_events(1)[0]
        self.assertEqual((event["id"], event["type"], event["data"]),
                         ("evt_1", "order.updated", row(5, stamp)))

    def test_an_event_no_handler_wants_is_stored_and_answered_2xx(self):
        agent = self.pet_shop(handlers={
            "picky": {"file": "picky.jsonl", "types": ["order.paid"]}})
        self.assertEqual(Hook(1, iso()).send(agent).status, 202)
        Hook(2, iso(), event="order.paid").send(agent)
        self.assertEqual([e["data"]["id"]
                          for e in agent.wait_events(1, "picky.jsonl")], [2])
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(2,)])

    def test_only_its_own_paths_and_methods_are_answered(self):
        agent = self.pet_shop()
        hook = Hook(1, iso())
        for path in ("/", "/hooks", "/hooks/", "/hooks/nobody", "/metrics",
                     "/livez", "/hooks/shop/more", "/api/v1/status"):
            self.assertEqual(hook.send(agent, path).status, 404, path)
        got = harness.http.client.HTTPConnection("127.0.0.1", agent.port)
        got.request("DELETE", "/hooks/shop")
        self.assertEqual(got.getresponse().status, 405)
        got.close()

    def test_a_body_over_the_limit_is_413_and_the_connection_lives_on(self):
        agent = self.agent({"shop": harness.pet_store()})
        agent.config["listen"]["max_body"] = "2KiB"
        agent.write_config()
        agent.start()
        big = Hook(1, iso(), body=b'{"event":"x","data":"' + b"y" * 4096 +
                   b'"}')
        self.assertEqual(big.send(agent).status, 413)
        self.assertEqual(Hook(2, iso()).send(agent).status, 202)
        self.assertEqual(agent.metric("webhook_requests_total",
                                      connector="shop", outcome="too_large"),
                         1)

    def test_a_signed_body_that_is_no_json_is_refused_or_kept_never_a_crash(
            self):
        agent = self.pet_shop()
        for body in (b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 5000,
                     b'{"event":' + b"9" * 400 + b"}"):
            status = Hook(1, iso(), body=body).send(agent).status
            self.assertIn(status, (202, 400), body[:20])
        self.assertEqual(Hook(2, iso()).send(agent).status, 202)

    def test_two_secrets_are_good_while_one_is_rotated_out(self):
        connector = harness.pet_store()
        connector["with"]["webhook_secret"] = ["the new one", "the old one"]
        agent = self.agent({"shop": connector}).start()
        for secret, status in (("the new one", 202), ("the old one", 202),
                               ("a third", 401)):
            self.assertEqual(Hook(1, iso(), secret=secret).send(agent).status,
                             status)

    def test_a_connector_without_a_secret_has_no_route(self):
        provider = self.provider()
        agent = self.pet_shop(provider, hooks=False)
        self.assertEqual(Hook(1, iso()).send(agent).status, 404)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
