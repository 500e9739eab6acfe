# SPDX-License-Identifier: MIT
"""Events out of requests: the shapes in which providers send them, and bodies
that are meant to be read in two ways. Each over the real program, with a
connector of its own."""
import base64
import hashlib
import hmac
import http.client
import json
import urllib.parse

import harness
from harness import Answer, SECRET, wait_until

FORM = "application/x-www-form-urlencoded"
SIGNED = {"type": "hmac", "signature": {"from": "header:X-Sig"},
          "signed": "{body}"}


def sign(body, secret=SECRET):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Events(harness.Case):
    def receive(self, event, verify=None, secret=SECRET, **more):
        """An agent with one connector that takes webhooks only, started."""
        agent = self.agent({})
        with open(agent.path("own.yaml"), "w", encoding="utf-8") as file:
            json.dump({"verify": verify or SIGNED, "event": event, **more},
                      file)
        agent.config["connectors"]["own"] = {
            "use": "./own.yaml", "with": {"webhook_secret": secret}}
        agent.write_config()
        return agent.start()

    def send(self, agent, body, method="POST", query="", kind=None, **fields):
        """Sends one request, signed unless it brings `X-Sig` along."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"X-Sig": sign(body),
                   "Content-Type": kind or "application/json"}
        headers.update((k.replace("_", "-"), v) for k, v in fields.items())
        link = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)
        try:
            link.request(method, "/hooks/own" + query, body, headers)
            reply = link.getresponse()
            return Answer(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            link.close()

    def refusals(self, agent, count):
        """The reasons that the log gives, once there are so many."""
        def found():
            return [line for line in agent.log().split("\n")
                    if "webhook refused" in line]
        wait_until(lambda: len(found()) >= count, f"{count} refusals told")
        return found()

    # ---- batches ----

    def test_each_element_of_a_batch_is_an_event_and_one_fails_all(self):
        agent = self.receive({"split": "$[*]", "id": "item:eventId",
                              "type": "item:kind",
                              "time": {"from": "item:at", "unit": "ms"}})
        batch = [{"eventId": n, "kind": f"k{n}", "at": 1790000000000 + n}
                 for n in range(3)]
        self.assertEqual(self.send(agent, batch).status, 202)
        events = agent.wait_events(3)
        self.assertEqual([(e["id"], e["type"], e["data"]) for e in events],
                         [(str(b["eventId"]), b["kind"], b) for b in batch])
        self.assertEqual(events[1]["time"], "2026-09-21T14:13:20.001Z")
        # a batch is taken whole or not at all: what is new in it comes again
        self.assertEqual(self.send(agent, [{"eventId": 7}, {"no": 8}]).status,
                         400)
        self.assertIn("there is nothing at 'item:eventId'",
                      self.refusals(agent, 1)[0])
        self.assertEqual(self.send(agent, [{"eventId": 1}, {"eventId": 7}])
                         .status, 202)
        self.assertEqual([e["id"] for e in agent.wait_events(4)],
                         ["0", "1", "2", "7"])

    def test_a_batch_is_proven_element_by_element_and_acknowledged_in_text(
            self):
        # as Adyen's: the signature inside of each element, the key in hex
        secret = "ab" * 32
        place = "notificationItems[*].NotificationRequestItem"
        agent = self.receive(
            {"split": "$." + place, "type": "item:eventCode",
             "id": "{item:pspReference}:{item:eventCode}:{item:success}"},
            verify={"type": "hmac", "key": {"encoding": "hex"}, "each": place,
                    "signature": {"from": "item:additionalData.hmacSignature",
                                  "encoding": "base64"},
                    "signed": "{item:pspReference?}:{item:eventCode?}:"
                              "{item:success?}"},
            ack={"status": 200, "type": "text/plain", "body": "[accepted]"},
            secret=secret)

        def item(number, code="AUTHORISATION", forged=False):
            text = f"psp{number}:{code}:true".encode()
            mac = hmac.new(bytes.fromhex(secret), text, hashlib.sha256)
            return {"NotificationRequestItem": {
                "pspReference": f"psp{number + forged}", "eventCode": code,
                "success": "true", "additionalData": {
                    "hmacSignature": base64.b64encode(mac.digest()).decode()}}}
        good = {"live": "false", "notificationItems": [item(1), item(2)]}
        got = self.send(agent, good)
        self.assertEqual((got.status, got.body), (200, b"[accepted]"))
        self.assertEqual([e["id"] for e in agent.wait_events(2)],
                         ["psp1:AUTHORISATION:true", "psp2:AUTHORISATION:true"])
        for bad in ([item(3), item(4, forged=True)], []):
            self.assertEqual(self.send(agent, {"notificationItems": bad})
                             .status, 401)
        self.assertEqual(len(agent.events()), 2)

    def test_a_batch_of_too_many_is_refused_and_says_so(self):
        agent = self.receive({"split": "$[*]", "id": "item:id",
                              "max_batch": 3})
        self.assertEqual(self.send(agent, [{"id": n} for n in range(4)])
                         .status, 400)
        self.assertIn("event.max_batch allows 3", self.refusals(agent, 1)[0])
        self.assertEqual(self.send(agent, [{"id": n} for n in range(3)])
                         .status, 202)
        self.assertEqual(len(agent.wait_events(3)), 3)

    def test_the_default_takes_ten_thousand_at_once(self):
        agent = self.receive({"split": "$[*]", "id": "item:$"})
        self.assertEqual(self.send(agent, list(range(10000))).status, 202)
        self.assertEqual(self.send(agent, list(range(20000))).status, 400)
        self.assertEqual(len(agent.wait_events(10000, seconds=120)), 10000)

    # ---- a body inside of the body ----

    def test_the_text_in_an_envelope_is_the_event(self):
        agent = self.receive({"id": "json:MessageId", "type": "json:Subject?",
                              "body": "json:Message"})
        inner = '{"order": 90071992547409931234, "total": 1.50}'
        self.send(agent, {"MessageId": "m1", "Subject": "orders",
                          "Message": inner}, kind="text/plain")
        self.send(agent, {"MessageId": "m2", "Message": "just words"},
                  kind="text/plain")
        first, second = agent.wait_events(2)
        self.assertEqual((first["id"], first["type"], first["data"]),
                         ("m1", "orders", json.loads(inner)))
        with open(agent.path("events.jsonl"), "rb") as file:
            self.assertIn(b'"data":{"order":90071992547409931234,"total":1.50}',
                          file.readline())
        self.assertEqual((second["id"], second["type"],
                          second["datacontenttype"]),
                         ("m2", "unknown", "text/plain"))
        self.assertEqual(base64.b64decode(second["data_base64"]),
                         b"just words")
        self.assertEqual(self.send(agent, {"MessageId": "m3"}).status, 400)
        self.assertIn("no body at 'json:Message'", self.refusals(agent, 1)[0])

    def test_a_form_is_signed_as_bytes_and_handed_on_as_json(self):
        agent = self.receive(
            {"id": "header:X-Token", "type": "form:Status ?? form:SmsStatus",
             "body": "form"},
            ack={"status": 200, "type": "text/xml", "body": "<Response/>"})
        form = b"Sid=SM1&SmsStatus=sent&To=%2B4179+1&Media=a&Media=b&Note="
        got = self.send(agent, form, kind=FORM, X_Token="t1")
        self.assertEqual((got.status, got.headers["Content-Type"], got.body),
                         (200, "text/xml", b"<Response/>"))
        event, = agent.wait_events(1)
        self.assertEqual((event["id"], event["type"], event["data"]),
                         ("t1", "sent", {"Sid": "SM1", "SmsStatus": "sent",
                                         "To": "+4179 1", "Note": "",
                                         "Media": ["a", "b"]}))
        # the same fields, otherwise written: other bytes, another signature
        again = b"Sid=SM1&SmsStatus=sent&To=%2b4179+1&Media=a&Media=b&Note="
        self.assertEqual(self.send(agent, again, kind=FORM, X_Token="t2",
                                   X_Sig=sign(form)).status, 401)

    def test_json_in_a_field_of_a_form_is_read_as_json(self):
        agent = self.receive(
            {"id": "header:X-Delivery", "body": "form:payload ?? body",
             "type": "{header:X-Event}[[.{item:action}]]", "stamp": "item:at"})
        text = json.dumps({"action": "opened", "at": 1, "n": 2 ** 63})
        form = urllib.parse.urlencode({"payload": text}).encode()
        for delivery in ("d1", "d2"):  # the second is a replay of the bytes
            self.assertEqual(
                self.send(agent, form, kind=FORM, X_Delivery=delivery,
                          X_Event="issues").status, 202)
        self.send(agent, text.encode(), X_Delivery="d3", X_Event="issues")
        events = agent.wait_events(2)
        self.assertEqual([(e["id"], e["type"], e["data"]) for e in events],
                         [(d, "issues.opened", json.loads(text))
                          for d in ("d1", "d3")])

    def test_the_other_member_says_what_an_update_is(self):
        agent = self.receive(
            {"id": "json:update_id", "type": "{json:$|other_key:update_id}"},
            verify={"type": "token", "from": "header:X-Sig"})
        self.send(agent, b'{"update_id":10000000000000000001,"message":{}}',
                  X_Sig=SECRET)
        self.send(agent, {"edited_message": {}, "update_id": 2}, X_Sig=SECRET)
        self.send(agent, {"update_id": 3}, X_Sig=SECRET)
        self.assertEqual([(e["id"], e["type"]) for e in agent.wait_events(3)],
                         [("10000000000000000001", "message"),
                          ("2", "edited_message"), ("3", "unknown")])

    # ---- requests that are no events ----

    def test_a_ping_without_a_signature_is_answered_and_stored_nowhere(self):
        agent = self.receive(
            {"id": "header:X-Delivery"},
            handshake={"verify": False, "respond": {"status": 200},
                       "when": [{"x": "form:webhook_id", "present": True},
                                {"x": "header:X-Sig", "present": False}]})
        link = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)
        self.addCleanup(link.close)
        for body, status in ((b"webhook_id=123", 200), (b"other=1", 401),
                             (b'{"webhook_id":1}', 401)):
            link.request("POST", "/hooks/own", body, {"Content-Type": FORM})
            reply = link.getresponse()
            self.assertEqual((reply.status, reply.read()), (status, b""))
        # what is signed is an event, whatever it says
        self.assertEqual(self.send(agent, b"webhook_id=123", kind=FORM,
                                   X_Delivery="d1").status, 202)
        self.assertEqual([e["id"] for e in agent.wait_events(1)], ["d1"])

    # ---- replays ----

    def test_what_is_signed_once_brings_one_event(self):
        # as Mailgun's: the signature covers a token, and nothing else
        agent = self.receive(
            {"id": "json:event-data.id", "replay_key": "json:signature.token"},
            verify={"type": "hmac",
                    "signature": {"from": "json:signature.signature"},
                    "signed": "{json:signature.timestamp}"
                              "{json:signature.token}"})

        def sent(token, number):
            return {"signature": {
                "timestamp": "1790000000", "token": token,
                "signature": sign(b"1790000000" + token.encode())},
                "event-data": {"id": number, "n": number}}
        for token, number in (("t1", "a"), ("t1", "forged"), ("t1", "a"),
                              ("t2", "a"), ("t3", "forged")):
            self.assertEqual(self.send(agent, sent(token, number)).status, 202)
        # the forged id has entered nowhere: its owner may still use it
        self.assertEqual([e["id"] for e in agent.wait_events(2)],
                         ["a", "forged"])
        agent.wait_metric(3, "duplicates_total", connector="own",
                          via="webhook")
        bare = sent("t4", "b")
        del bare["signature"]["token"]
        self.assertEqual(self.send(agent, bare).status, 401)

    def test_a_body_under_a_fresh_unsigned_id_is_known(self):
        cases = {  # the id's field, the stamp, a body
            "github": ("X-GitHub-Delivery", "json:issue.updated_at",
                       {"issue": {"updated_at": "2026-11-20T10:00:00Z"}}),
            "shopify": ("X-Shopify-Event-Id", "json:updated_at",
                        {"id": 1, "updated_at": "2026-11-20T10:00:00Z"}),
            "woocommerce": ("X-WC-Webhook-Delivery-ID",
                            "json:date_modified_gmt",
                            {"date_modified_gmt": "2026-11-20T10:00:00"}),
            "linear": ("Linear-Delivery", "json:webhookTimestamp",
                       {"webhookTimestamp": 1790000000000}),
            "gitea": ("X-Gitea-Delivery", "json:issue.updated_at",
                      {"issue": {"updated_at": "2026-11-20T10:00:00Z"}}),
            "bitbucket": ("X-Request-UUID", "json:pullrequest.updated_on",
                          {"pullrequest": {"updated_on": "2026-11-20"}}),
            "jira": ("X-Atlassian-Webhook-Identifier", "json:timestamp",
                     {"timestamp": 1790000000000}),
            "razorpay": ("x-razorpay-event-id", "json:created_at",
                         {"created_at": 1790000000}),
        }
        for name, (field, stamp, body) in cases.items():
            with self.subTest(name):
                agent = self.receive({"id": f"header:{field}",
                                      "stamp": stamp})
                for delivery in ("d1", "d2", "d1"):
                    self.assertEqual(self.send(agent, body, **{
                        field: delivery}).status, 202)
                # equal bodies with no stamp inside stay two facts
                for delivery in ("e1", "e2", "e1"):
                    self.send(agent, {"ping": 1}, **{field: delivery})
                # the fresh id of the replay is still its owner's
                self.send(agent, dict(body, other=1), **{field: "d2"})
                self.assertEqual([e["id"] for e in agent.wait_events(4)],
                                 ["d1", "e1", "e2", "d2"])
                agent.stop()

    # ---- hostile bodies ----

    def test_a_hostile_body_is_taken_exactly_or_refused(self):
        agent = self.receive({"id": "json:id", "type": "json:type"})
        agent.config["handlers"]["exec"] = {"exec": [agent.script(
            "ids.sh", "cat >/dev/null; "
            f'printf "%s|" "$LONGSTOP_EVENT_ID" >>{agent.path("ids")}\n')]}
        agent.write_config()
        agent.stop()
        agent.start()
        taken = {
            b'{"id":18446744073709551617}': "18446744073709551617",
            b'{"id":1e400}': "1e400",
            b'{"id":"\\ud83d\\ude00"}': "\U0001f600",
            b'{"id":"a\\tb\\n c"}': "a\tb\n c",
            b'{"\\u0069d":"escaped"}': "escaped",
            b'{"id":"first","id":"second"}': "first",
            b'{"id":"' + b"x" * 8192 + b'"}': "x" * 8192,
        }
        refused = (
            b'{"id":"a\\u0000b"}', b'{"id":"\\ud800"}', b'{"id":"\xff"}',
            b'\xef\xbb\xbf{"id":"bom"}', b'{"id":"tail"}x', b'{"id":',
            b'{"id":"' + b"x" * 10240 + b'"}', b'{"ID":"case"}', b'',
            b'{"id":"nul"}\x00', b'{"a":' * 200 + b'1' + b'}' * 200,
            b'{"id":' + b"9" * 900000 + b'}', b'[' * 900000,
            b'{"id":"t","type":"\\u0000"}', b'{"id":null}', b'{"id":""}',
        )
        for body in refused:
            with self.subTest(body[:40]):
                self.assertEqual(self.send(agent, body).status, 400)
        for body in taken:
            with self.subTest(body[:40]):
                self.assertEqual(self.send(agent, body).status, 202)
        self.assertEqual(self.send(agent, b" " * (1 << 20) + b"{}").status,
                         413)
        self.assertEqual([e["id"] for e in agent.wait_events(len(taken))],
                         list(taken.values()))
        agent.wait_metric(len(taken), "deliveries_total", handler="exec",
                          outcome="done")
        with open(agent.path("ids"), encoding="utf-8") as file:
            self.assertEqual(  # there control bytes are written as %09
                set(file.read().split("|")[:-1]),
                {i.replace("\t", "%09").replace("\n", "%0A")
                 for i in taken.values()})
        self.assertEqual(agent.query("SELECT count(*) FROM event"),
                         [(len(taken),)])
        self.assertEqual(agent.metric("webhook_requests_total",
                                      connector="own", outcome="malformed"),
                         len(refused))
