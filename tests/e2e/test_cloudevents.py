# SPDX-License-Identifier: MIT
"""CloudEvents as senders send them: three modes, one event."""
import base64
import http.client
import json
import os

import harness
from harness import Answer, wait_until

TOKEN = "Bearer the sender's token"
SHIPPED = os.path.join(harness.HERE, "..", "..", "connectors",
                       "cloudevents.yaml")
STRUCTURED = "application/cloudevents+json; charset=utf-8"
BATCH = "application/cloudevents-batch+json"


def event(number, **more):
    return {"specversion": "1.0", "id": f"e{number}", "source": "/a/b",
            "type": "com.example.made", "time": "2026-11-20T10:00:00.5Z",
            **more}


def binary(attributes):
    return {f"ce-{name}": value for name, value in attributes.items()}


class CloudEvents(harness.Case):
    def receiver(self, **more):
        agent = self.agent({"ce": {
            "use": SHIPPED, "with": {"webhook_secret": TOKEN}, **more}})
        return agent.start()

    def send(self, agent, body, kind=None, method="POST", fields=None,
             token=TOKEN):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {"Authorization": token, **(fields or {})}
        if kind is not None:
            headers["Content-Type"] = kind
        link = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)
        try:
            link.request(method, "/hooks/ce", body, headers)
            reply = link.getresponse()
            return Answer(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            link.close()

    def test_an_empty_batch_is_taken_and_brings_nothing(self):
        agent = self.receiver()
        self.assertEqual(self.send(agent, b"[]", BATCH).status, 202)
        self.assertEqual(self.send(agent, b"[ ]", BATCH, token="no").status,
                         401)

    def test_an_event_is_the_same_in_whichever_mode_it_comes(self):
        data = b'{"n": 90071992547409931234, "price": 1.50}'
        raw = bytes(range(256))
        coded = base64.b64encode(raw).decode()
        sent = (  # mode, body, kind, fields
            (data, "application/json", binary(event(1))),
            (json.dumps(event(2)).encode()[:-1] + b',"data":' + data + b"}",
             STRUCTURED, {}),
            (b"[" + json.dumps(event(3)).encode()[:-1] + b',"data":' + data +
             b"}]", BATCH, {}),
            (raw, "image/png", binary(event(4))),
            (event(5, datacontenttype="image/png", data_base64=coded),
             STRUCTURED, {}),
            (b"<a/>", "text/xml", binary(event(6))),
            (event(7, datacontenttype="text/xml", data="<a/>"), STRUCTURED,
             {}),
            (b"", None, binary(event(8))),
            (event(9), STRUCTURED, {}),
        )
        agent = self.receiver()
        for body, kind, fields in sent:
            got = self.send(agent, body, kind, fields=fields)
            self.assertEqual(got.status, 202)
        events = agent.wait_events(len(sent))
        for number, one in enumerate(events, 1):
            with self.subTest(number):
                self.assertEqual(
                    (one["id"], one["type"], one["time"], one["source"]),
                    (f"/a/b e{number}", "com.example.made",
                     "2026-11-20T10:00:00.500Z", "longstop/ce"))
        with open(agent.path("events.jsonl"), "rb") as file:
            lines = file.readlines()
        for line in lines[:3]:
            self.assertTrue(line.endswith(
                b'"data":{"n":90071992547409931234,"price":1.50}}\n'), line)

        def same(first, second):
            self.assertEqual([events[first].get(k) for k in
                              ("datacontenttype", "data", "data_base64")],
                             [events[second].get(k) for k in
                              ("datacontenttype", "data", "data_base64")])
        same(3, 4)
        same(5, 6)
        same(7, 8)
        self.assertEqual(events[3]["data_base64"], coded)
        self.assertEqual(base64.b64decode(events[5]["data_base64"]), b"<a/>")
        self.assertIsNone(events[7]["data"])
        # the same event again, in another mode: known
        for body, kind, fields in ((event(1), STRUCTURED, {}),
                                   (b"", None, binary(event(2)))):
            self.assertEqual(
                self.send(agent, body, kind, fields=fields).status, 202)
        # an id is its source's own: another source, another event
        self.assertEqual(self.send(agent, event(1, source="/other"),
                                   STRUCTURED).status, 202)
        self.assertEqual(agent.wait_events(len(sent) + 1)[-1]["id"],
                         "/other e1")
        self.assertEqual(agent.metric("duplicates_total", connector="ce",
                                      via="webhook"), 2)

    def test_fields_are_percent_encoded_utf8(self):
        agent = self.receiver()
        fields = binary(event(1))
        fields["ce-id"] = "Euro%20%E2%82%AC%20%F0%9F%98%80"
        self.assertEqual(self.send(agent, b"{}", "application/json",
                                   fields=fields).status, 202)
        self.assertEqual(agent.wait_events(1)[0]["id"],
                         "/a/b Euro \u20ac \U0001f600")
        for wrong in ("%C0%AF", "%ED%A0%80", "%E2%82", "100%", "a%00", ""):
            with self.subTest(wrong):
                fields["ce-id"] = wrong
                self.assertEqual(self.send(agent, b"{}", "application/json",
                                           fields=fields).status, 400)

    def test_what_is_no_event_is_refused_by_name(self):
        agent = self.receiver()
        cases = []
        for name in ("id", "source", "type", "specversion"):
            short = event(1)
            del short[name]
            cases.append((short, STRUCTURED, {}, f"'{name}' is missing"))
            cases.append((b"", None, binary(short), f"'{name}' is missing"))
        fields = dict(binary(event(1)), **{"ce-datacontenttype": "text/plain"})
        cases += [
            (b"{}", "application/json", fields, "'ce-datacontenttype' is no"),
            (b"{}", "application/json", {}, "'specversion' is missing"),
            ([event(1), {"id": "2"}], BATCH, {}, "event 2: the attribute"),
            (event(1), BATCH, {}, "a batch is a JSON array"),
            ([event(1)], STRUCTURED, {}, "an event is a JSON object"),
            (b"{", STRUCTURED, {}, "not JSON"),
            (b"", "application/cloudevents+avro", {}, "no form of CloudEv"),
            (event(1, specversion="2.0"), STRUCTURED, {}, "is not 1.0"),
        ]
        for number, (body, kind, fields, word) in enumerate(cases, 1):
            with self.subTest(word=word, kind=kind):
                self.assertEqual(
                    self.send(agent, body, kind, fields=fields).status, 400)
                # of many in one second only the first are told
                wait_until(lambda: agent.metric(
                    "webhook_requests_total", connector="ce",
                    outcome="malformed") == number, "it is counted")
                if number <= 10:
                    self.assertIn(word, agent.log())
        self.assertEqual(self.send(agent, event(1), STRUCTURED,
                                   token="Bearer other").status, 401)
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(0,)])

    def test_a_sender_asks_first_and_only_where_that_is_declared(self):
        agent = self.agent({
            "ce": {"use": SHIPPED, "with": {"webhook_secret": TOKEN}},
            "shop": harness.pet_store()}).start()
        got = self.send(agent, b"", method="OPTIONS", token="", fields={
            "WebHook-Request-Origin": "eventemitter.example.com",
            "WebHook-Request-Rate": "120"})
        self.assertEqual(got.status, 200)
        self.assertEqual(
            {name: got.headers.get(name) for name in
             ("Allow", "WebHook-Allowed-Origin", "WebHook-Allowed-Rate")},
            {"Allow": "POST",
             "WebHook-Allowed-Origin": "eventemitter.example.com",
             "WebHook-Allowed-Rate": "120"})
        got = self.send(agent, b"", method="OPTIONS", token="", fields={
            "WebHook-Request-Origin": "eventemitter.example.com"})
        self.assertNotIn("WebHook-Allowed-Rate", got.headers)
        link = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)
        self.addCleanup(link.close)
        for path, fields in (("/hooks/ce", {}), ("/hooks/shop", {
                "WebHook-Request-Origin": "eventemitter.example.com"})):
            link.request("OPTIONS", path, headers=fields)
            reply = link.getresponse()
            reply.read()
            self.assertEqual(reply.status, 204)
            self.assertIsNone(reply.getheader("WebHook-Allowed-Origin"))

    def test_a_signature_over_fields_and_body_proves_binary_mode_too(self):
        agent = self.receiver(verify={
            "type": "hmac", "signature": {"from": "header:X-Sig"},
            "signed": "{header:ce-id?}.{body}"})
        for number, body, kind, fields in (
                (1, b'{"a":1}', "application/json", binary(event(1))),
                (2, json.dumps(event(2)).encode(), STRUCTURED, {})):
            text = fields.get("ce-id", "").encode() + b"." + body
            fields = dict(fields, **{"X-Sig": harness.sign(text, TOKEN)})
            self.assertEqual(self.send(agent, body, kind, fields=fields,
                                       token="").status, 202)
            fields["ce-id" if number == 1 else "X-Sig"] = "forged"
            self.assertEqual(self.send(agent, body, kind, fields=fields,
                                       token="").status, 401)
        self.assertEqual([e["id"] for e in agent.wait_events(2)],
                         ["/a/b e1", "/a/b e2"])
