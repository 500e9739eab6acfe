# SPDX-License-Identifier: MIT
"""Webhooks whose key is public: certificates that requests name, keys that
tokens name, and subscriptions that are confirmed by a fetch."""
import json
import os
import tempfile
import threading
import unittest

import harness
from harness import Agent, FakeProvider, answer, longstop, post, wait_until

DATA = os.path.join(harness.HERE, "..", "data")
SNS = os.path.join(harness.HERE, "..", "..", "connectors", "aws_sns.yaml")
TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"


def data(*names):
    with open(os.path.join(DATA, *names), encoding="utf-8") as file:
        return file.read()


def vector(name):
    for one in json.loads(data("vectors", "vectors.json"))["vectors"]:
        if one["id"] == name:
            return one
    raise KeyError(name)


class Keys(FakeProvider):
    """Shows certificates and keys, and confirms subscriptions."""

    def __init__(self, case):
        super().__init__()
        self.certificates = {}
        self.status = 200
        self.held = threading.Event()
        self.held.set()
        self.default = self.serve
        case.addCleanup(self.close)

    def show(self, one):
        for url, pem in one["certs"].items():
            self.certificates["/" + url.split("/", 3)[3]] = pem
        return one

    def serve(self, handler, asked):
        self.held.wait(harness.PATIENCE)
        if asked.query.get("Action") == "ConfirmSubscription":
            answer(handler, self.status, b"<ok/>")
        elif asked.path == "/keys":
            answer(handler, self.status, data("keys", "jwks.json").encode())
        elif self.status == 200 and asked.path in self.certificates:
            answer(handler, 200, self.certificates[asked.path].encode())
        else:
            answer(handler, max(self.status, 404), b"no such key")


class Case(unittest.TestCase):
    def setUp(self):
        self.keys = Keys(self)

    def start(self, uses, **limits):
        self.agent = Agent(self, {"shop": uses},
                           limits={"key_failure": "1s", **limits})
        return self.agent.start()

    def sns(self, **limits):
        return self.start({"use": SNS,
                           "with": {"topic_arn": TOPIC,
                                    "link_base": self.keys.url}}, **limits)

    def send(self, one):
        return post(self.agent.port, "/hooks/shop", one["body"].encode(),
                    one["headers"], timeout=harness.PATIENCE).status


class Certificates(Case):
    def test_a_certificate_is_fetched_once_and_kept(self):
        self.sns()
        good = self.keys.show(vector("aws_sns/01-valid-v2-sha256"))
        self.assertEqual(self.send(good), 202)
        self.assertEqual(self.send(vector("aws_sns/06-message-tampered")), 401)
        self.assertEqual(self.send(vector("aws_sns/03-valid-no-subject")), 202)
        self.assertEqual(len(self.keys.asked), 1)

    def test_what_may_not_be_fetched_is_refused_without_a_fetch(self):
        self.sns()
        for name in ("aws_sns/11-cert-http", "aws_sns/09-unknown-version"):
            self.assertEqual(self.send(vector(name)), 401)
        self.assertEqual(self.keys.asked, [])

    def test_a_key_that_cannot_be_fetched_is_no_forgery(self):
        self.sns()
        good = vector("aws_sns/01-valid-v2-sha256")
        for _ in range(5):
            self.assertEqual(self.send(good), 503)
        self.assertLess(len(self.keys.asked), 5)
        self.assertIn("a key could not be fetched", self.agent.log())
        self.keys.show(good)
        wait_until(lambda: self.send(good) == 202, "the key is there")

    def test_requests_for_one_key_share_a_fetch_and_their_number_is_bounded(
            self):
        self.sns(key_waiting=4)
        good = self.keys.show(vector("aws_sns/01-valid-v2-sha256"))
        got = []
        self.keys.held.clear()
        threads = [threading.Thread(target=lambda: got.append(self.send(good)))
                   for _ in range(6)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(got) == 2, "two are turned away")
        self.assertEqual(got, [503, 503])
        self.keys.held.set()
        for thread in threads:
            thread.join(harness.PATIENCE)
        self.assertEqual(sorted(got), [202, 202, 202, 202, 503, 503])
        self.assertEqual(len(self.keys.asked), 1)

    def test_an_agent_that_ends_answers_who_waits(self):
        self.sns()
        good = self.keys.show(vector("aws_sns/01-valid-v2-sha256"))
        got = []
        self.keys.held.clear()
        thread = threading.Thread(target=lambda: got.append(self.send(good)))
        thread.start()
        wait_until(lambda: self.keys.asked, "the key is asked for")
        self.assertEqual(self.agent.stop()[0], 0)
        self.keys.held.set()
        thread.join(harness.PATIENCE)
        self.assertEqual(got, [503])


class Subscriptions(Case):
    def test_a_subscription_is_confirmed_before_it_is_answered(self):
        self.sns()
        asks = self.keys.show(
            vector("aws_sns/05-valid-subscription-confirmation"))
        asks["headers"]["x-amz-sns-message-type"] = "SubscriptionConfirmation"
        self.assertEqual(self.send(asks), 200)
        self.assertEqual(self.keys.asked[-1].query["Token"], "2336412f37f")
        self.keys.status = 500
        self.assertEqual(self.send(asks), 503)
        self.keys.status = 302
        self.assertEqual(self.send(asks), 503)
        self.assertFalse(os.path.exists(self.agent.path("events.jsonl")) and
                         os.path.getsize(self.agent.path("events.jsonl")))

    def test_another_topic_subscribes_nobody(self):
        self.start({"use": SNS,
                    "with": {"topic_arn": TOPIC + "2",
                             "link_base": self.keys.url}})
        asks = self.keys.show(
            vector("aws_sns/05-valid-subscription-confirmation"))
        asks["headers"]["x-amz-sns-message-type"] = "SubscriptionConfirmation"
        self.assertEqual(self.send(asks), 401)
        self.assertFalse([a for a in self.keys.asked if a.query])


class Tokens(Case):
    def sent(self, name):
        return {"body": '{"a":1}', "headers": {
            "Content-Type": "application/json",
            "X-Token": json.loads(data("keys", "tokens.json"))[name]}}

    def test_a_key_is_asked_for_by_the_name_in_the_token(self):
        self.start({"verify": {
            "type": "jwt", "from": "header:X-Token", "alg": ["ES256", "RS256"],
            "claims": [["body", "{body|sha256|hex}"]],
            "key": {"jwk": {"method": "POST", "url": self.keys.url + "/keys",
                            "json": {"id": "{var:client}", "key": "{kid}"}}}},
            "event": {"id": "sha256(body)"}, "with": {"client": "me"}})
        for name, status in (("es256", 202), ("rs256", 202), ("rs512", 401),
                             ("none", 401), ("no_kid", 401),
                             ("other_body", 401), ("es256_by_p384", 401)):
            with self.subTest(name):
                self.assertEqual(self.send(self.sent(name)), status)
        self.assertEqual([a.path for a in self.keys.asked], ["/keys"] * 2)


class Command(Case):
    def verify(self, one, *words, **uses):
        raw = "POST /hooks/shop HTTP/1.1\r\nHost: x\r\n"
        for name, value in one["headers"].items():
            raw += f"{name}: {value}\r\n"
        body = one["body"].encode()
        raw += f"Content-Length: {len(body)}\r\n\r\n"
        agent = Agent(self, {"shop": {
            "use": SNS,
            "with": {"topic_arn": TOPIC, **uses}}})
        got = longstop("verify", "-c", agent.config_path, *words, "shop", "-",
                       stdin=raw.encode() + body)
        return got.returncode, got.stdout.decode(), got.stderr.decode()

    def test_a_certificate_may_come_from_a_file(self):
        good = self.keys.show(vector("aws_sns/01-valid-v2-sha256"))
        path = os.path.join(
            self.enterContext(tempfile.TemporaryDirectory()), "cert.pem")
        with open(path, "w", encoding="utf-8") as file:
            file.write(list(good["certs"].values())[0])
        code, out, _ = self.verify(good, "--cert", path)
        self.assertEqual(code, 0, out)
        code, out, _ = self.verify(vector("aws_sns/06-message-tampered"),
                                   "--cert", path)
        self.assertEqual(code, 1)
        self.assertIn("matches no", out)
        code, out, _ = self.verify(vector("aws_sns/11-cert-http"),
                                   "--cert", path)
        self.assertEqual(code, 1)
        self.assertIn("none is allowed to be", out)
        code, _, err = self.verify(good, "--cert", "/nowhere")
        self.assertEqual(code, 75)
        self.assertIn("/nowhere", err)

    def test_a_certificate_is_fetched_as_the_agent_does(self):
        good = self.keys.show(vector("aws_sns/01-valid-v2-sha256"))
        code, out, err = self.verify(good, link_base=self.keys.url)
        self.assertEqual(code, 0, out + err)
        self.keys.status = 500
        code, out, err = self.verify(good, link_base=self.keys.url)
        self.assertEqual(code, 75)
        self.assertIn("nobody can tell without the key", err)
        self.assertIn("HTTP 500", err)


if __name__ == "__main__":
    unittest.main()
