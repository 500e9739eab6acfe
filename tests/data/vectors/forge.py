#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes rules.json: requests signed by each provider's rules, and what is a
little wrong with them, each with the verdict of a strict receiver.

    tests/data/vectors/forge.py > tests/data/vectors/rules.json

The rules are written here from the providers' own pages, in Python, and never
read from our connector files: where both agree, neither is alone in an error.
Needs python3-cryptography; its private keys are made anew and thrown away.
"""
import base64
import datetime
import hashlib
import hmac
import json
import sys
import zlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import (ec, ed25519, padding,
                                                       rsa, utils)
from cryptography.x509.oid import NameOID

NOW = 1760000000
URL = "https://hooks.example.com/in/x"
TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"
vectors = []


def b64(value):
    return base64.b64encode(value).decode()


def b64url(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def add(spec, name, expected, secret, fields, body, method="POST", url=URL,
        now=NOW, certs=None):
    """`fields` is a list of pairs, for a name may come twice; `secret` a text,
    or a list in rotation."""
    if isinstance(body, str):
        body = body.encode()
    count = sum(one["id"].startswith(spec + "/") for one in vectors)
    one = {"id": f"{spec}/{count + 1:02}-{name}", "spec": spec,
           "method": method, "url": url, "now": now, "expected": expected}
    if isinstance(secret, list):
        one["secrets"] = secret
    elif secret:
        one["secret"] = secret
    if certs:
        one["certs"] = certs
    try:
        one["body"] = body.decode()
    except UnicodeDecodeError:
        one["body_b64"] = b64(body)
    vectors.append(dict(one, headers=list(fields)))


def mac(alg, key, *parts):
    return hmac.new(key, b"".join(parts), alg).digest()


# ---- schemes whose signature stands in a field ----

class Scheme:
    """One field with the signature, perhaps among others, over a text.

    `sign(key, body, at, method, url)` gives the raw signature; `at` is the
    time as it is written. `field` and `stamp` are names of fields; `frame`
    makes the value of the signature's field of a list of (name, value).
    """

    def __init__(self, spec, field, encode, sign, secret, key=None,
                 frame=None, name=None, stamp=None, at=None, tolerance=None,
                 unit=1, others=(), body='{"id":"1","n":12345678901234567890}',
                 method="POST", url=URL, bytes_compared=False,
                 other_secret=None, in_sig=False, rotates=True):
        vars(self).update(locals())
        self.key = key or str.encode
        self.at = at or (str(NOW * unit) if tolerance or stamp else "")

    def value(self, signatures, at):
        if self.frame:
            return self.frame(signatures, at)
        return signatures[0][1]

    def fields(self, signatures, at, skip=None):
        fields = [("Content-Type", "application/json")]
        fields += [(self.field, self.value(signatures, at))]
        fields += [(self.stamp, at)] if self.stamp else []
        fields += list(self.others)
        return [pair for pair in fields if pair[0] != skip]

    def raw(self, body=None, at=None, secret=None, method=None, url=None):
        body = self.body if body is None else body
        body = body.encode() if isinstance(body, str) else body
        return self.sign(self.key(secret or self.secret), body,
                         (self.at if at is None else at).encode(),
                         method or self.method, url or self.url)

    def spelt(self, **of):
        return self.encode(self.raw(**of))

    def put(self, name, expected, signatures=None, at=None, body=None,
            fields=None, secret=None, **more):
        """Adds a vector: by default the right request."""
        at = self.at if at is None else at
        body = self.body if body is None else body
        if signatures is None:
            signatures = [(self.name, self.spelt(body=body, at=at))]
        more.setdefault("method", self.method)
        more.setdefault("url", self.url)
        add(self.spec, name, expected, secret or self.secret,
            fields or self.fields(signatures, at), body, **more)

    def run(self):
        good = self.spelt()
        one = [(self.name, good)]
        self.put("good", True)
        self.bodies()
        self.spellings(good)
        self.names(one)
        if self.frame:
            self.lists(good)
        if self.tolerance:
            self.times()
        self.secrets(good)

    def bodies(self):
        for name, body in (("no-body", b""), ("nul-crlf-latin1",
                           b'{"a":"\x00\r\n\xff\xfe"}\r\n'),
                           ("bom", b'\xef\xbb\xbf{"id":"1"}'),
                           ("form", b"b=2&a=1+1&a=%20"),
                           ("blanks-round-it", b' \n{"id":"1"}\n\n'),
                           ("same-key-twice", b'{"id":"1","id":"2"}')):
            if "json:" not in str(self.in_sig):
                self.put(name, True, body=body)
        signed = [(self.name, self.spelt())]
        for name, body in (("body-one-more-byte", self.body + "\n"),
                           ("body-one-less", self.body[:-1]),
                           ("body-none", ""),
                           ("body-reordered", self.body.replace(":", ": "))):
            self.put(name, False, signatures=signed, body=body)

    def spellings(self, good):
        of = self.name
        raw = self.raw()
        if self.encode is bytes.hex:
            self.put("uppercase-hex", self.bytes_compared,
                     [(of, good.upper())])
            self.put("as-base64", False, [(of, b64(raw))])
            self.put("hex-0x", False, [(of, "0x" + good)])
            self.put("odd-hex", False, [(of, good[:-1])])
        else:
            self.put("as-hex", False, [(of, raw.hex())])
            if b64(raw).endswith("="):
                self.put("no-padding", False, [(of, good.rstrip("="))])
                self.put("more-padding", False, [(of, good + "=")])
            self.put("broken-base64", False, [(of, "!" + good[1:])])
        self.put("cut", False, [(of, good[:len(good) // 2])])
        self.put("longer", False, [(of, good + good)])
        self.put("hex-of-another", False,
                 [(of, self.encode(bytes(x ^ 1 for x in raw)))])

    def names(self, one):
        fields = self.fields(one, self.at)
        self.put("fields-in-lower-case", True,
                 fields=[(n.lower(), v) for n, v in fields])
        self.put("fields-in-upper-case", True,
                 fields=[(n.upper(), v) for n, v in fields])
        for name, _ in fields[1:]:
            self.put("without-" + name.lower(), False,
                     fields=self.fields(one, self.at, name))
        self.put("empty-" + self.field.lower(), False,
                 fields=[(n, "" if n == self.field else v)
                         for n, v in fields])
        wrong = self.value([(self.name, self.encode(b"\1" * 32))], self.at)
        self.put("twice-the-right-one-first", True,
                 fields=fields + [(self.field, wrong)])
        self.put("twice-the-wrong-one-first", False,
                 fields=[(self.field, wrong)] + fields)

    def lists(self, good):
        of = self.name
        bad = self.encode(b"\1" * 32)
        many = self.many
        if of is None:
            return
        for name, other in (("other-version", of + "x"),
                            ("upper-case-version", of.upper() + ""),
                            ("no-version", "")):
            if other != of:
                self.put(name, False, [(other, good)])
        self.put("version-alone", False, [(of, "")])
        if not many:
            return
        self.put("wrong-then-right", True, [(of, bad), (of, good)])
        self.put("right-then-wrong", True, [(of, good), (of, bad)])
        self.put("both-wrong", False, [(of, bad), (of, bad)])
        self.put("empty-then-right", True, [(of, ""), (of, good)])
        self.put("other-version-beside", True, [("v9", bad), (of, good)])
        self.put("right-only-under-other", False, [("v9", good), (of, bad)])

    many = False

    def times(self):
        t, unit = self.tolerance, self.unit
        for name, at, ok in (
                ("oldest", NOW - t, True), ("too-old", NOW - t - 1, False),
                ("newest", NOW + t, True), ("too-new", NOW + t + 1, False)):
            self.put(name, ok, at=str(at * unit))
        if unit == 1000:
            self.put("too-old-by-1ms", False, at=str((NOW - t) * 1000 - 1))
            self.put("too-new-by-1ms", False, at=str((NOW + t) * 1000 + 1))
            self.put("in-seconds", False, at=str(NOW))
        else:
            self.put("in-ms", False, at=str(NOW * 1000))
        n = str(NOW * unit)
        self.put("leading-zero", True, at="0" + n)
        for name, at in (("sign", "+" + n), ("minus", "-" + n),
                         ("fraction", n + ".0"), ("exponent", "176e7"),
                         ("hex-time", hex(NOW * unit)),
                         ("huge", n + "0" * 20), ("words", "now"),
                         ("iso", "2025-10-09T08:53:20Z"),
                         ("other-digits", "\u0661\u0667\u0666")):
            if at.isascii():
                self.put("time-" + name, False, at=at)
        signed = [(self.name, self.spelt())]
        self.put("time-changed", False, signed, at=str(NOW * unit + 1))

    def secrets(self, good):
        other = self.other_secret or self.secret + "x"
        self.put("wrong-secret", False, [(self.name, good)], secret=other)
        if self.rotates:
            for name, keys in (("rotated-new-first", [other, self.secret]),
                               ("rotated-old-first", [self.secret, other])):
                self.put(name, True, secret=keys)
            self.put("neither", False, secret=[other, other + "AAAA"
                                               if self.other_secret is None
                                               else other])


def over_body(alg="sha256"):
    return lambda key, body, at, method, url: mac(alg, key, body)


def versioned(signatures, at):
    return ",".join(f"{n}={v}" for n, v in signatures)


class Listed(Scheme):
    many = True


HEX, B64 = bytes.hex, b64
for spec, field in (("petstore", "X-Webhook-Signature"),
                    ("razorpay", "X-Razorpay-Signature"),
                    ("gitea", "X-Gitea-Signature"),
                    ("dropbox", "X-Dropbox-Signature"),
                    ("asana", "X-Hook-Signature")):
    Scheme(spec, field, HEX, over_body(), "s3cret \u00fc/+=").run()
Scheme("gocardless", "Webhook-Signature", HEX, over_body(), "s3cret",
       bytes_compared=True).run()
for spec, field, name, alg in (
        ("github", "X-Hub-Signature-256", "sha256", "sha256"),
        ("bitbucket", "X-Hub-Signature", "sha256", "sha256"),
        ("jira", "X-Hub-Signature", "sha256", "sha256"),
        ("intercom", "X-Hub-Signature", "sha1", "sha1")):
    Scheme(spec, field, HEX, over_body(alg), "It's a Secret", name=name,
           frame=versioned).run()
for name in ("sha1", "sha256", "sha384", "sha512"):
    Scheme("websub", "X-Hub-Signature", HEX, over_body(name), "lease",
           name=name, frame=versioned).run()
SHOP = [("X-Shopify-Topic", "orders/create"),
        ("X-Shopify-Shop-Domain", "a.myshopify.com"),
        ("X-Shopify-API-Version", "2025-10"),
        ("X-Shopify-Webhook-Id", "b54557e4")]
Scheme("shopify", "X-Shopify-Hmac-Sha256", B64, over_body(), "shpss_1",
       others=SHOP).run()
Scheme("shopify_events", "shopify-hmac-sha256", B64, over_body(), "shpss_1",
       others=[(n[2:].lower(), v) for n, v in SHOP] +
       [("shopify-event-id", "98880550")]).run()
Scheme("woocommerce", "X-WC-Webhook-Signature", B64, over_body(), "wc").run()
Scheme("adyen_platform", "HmacSignature", B64, over_body(), "44782DEF" * 8,
       key=bytes.fromhex, other_secret="00" * 32).run()


for spec, field, stamp in (
        ("slack", "X-Slack-Signature", "X-Slack-Request-Timestamp"),
        ("zoom", "x-zm-signature", "x-zm-request-timestamp")):
    Scheme(spec, field, HEX,
           lambda key, body, at, method, url:
           mac("sha256", key, b"v0:", at, b":", body), "8f742231b10e8888",
           name="v0", frame=versioned, stamp=stamp, tolerance=300).run()
stripe = Listed(
    "stripe", "Stripe-Signature", HEX,
    lambda key, body, at, method, url: mac("sha256", key, at, b".", body),
    "whsec_dGVzdA==", name="v1", tolerance=300,
    frame=lambda s, at: ",".join([f"t={at}"] + [f"{n}={v}" for n, v in s]))
stripe.run()
paddle = Listed(
    "paddle", "Paddle-Signature", HEX,
    lambda key, body, at, method, url: mac("sha256", key, at, b":", body),
    "pdl_ntfset_1", name="h1", tolerance=5,
    frame=lambda s, at: ";".join([f"ts={at}"] + [f"{n}={v}" for n, v in s]))
paddle.run()


def elements(scheme, mark, stamp, split):
    """What is written otherwise in a field of elements."""
    good, at = scheme.spelt(), scheme.at
    right = f"{scheme.name}={good}"
    for name, value, ok in (
            ("time-last", f"{right}{split}{stamp}={at}", True),
            ("time-twice-right-first",
             f"{stamp}={at}{split}{stamp}=1{split}{right}", True),
            ("time-twice-wrong-first",
             f"{stamp}=1{split}{stamp}={at}{split}{right}", False),
            ("no-time", right, False),
            ("empty-time", f"{stamp}={split}{right}", False),
            ("empty-elements",
             f"{split}{stamp}={at}{split}{split}{right}{split}", True),
            ("blank-behind-the-split", f"{stamp}={at}{split} {right}", False),
            ("blank-before-the-value",
             f"{stamp}={at}{split}{scheme.name}= {good}", False),
            ("other-split", f"{stamp}={at}{mark}{right}", False),
            ("colon-for-equals",
             f"{stamp}:{at}{split}{scheme.name}:{good}", False),
            ("name-alone", f"{stamp}={at}{split}{scheme.name}", False),
            ("signature-alone", good, False),
            ("ten-others-first", f"{stamp}={at}{split}" +
             "".join(f"{scheme.name}={n:064x}{split}" for n in range(10)) +
             right, True)):
        scheme.put(name, ok, fields=[(scheme.field, value)])


elements(stripe, ";", "t", ",")
elements(paddle, ",", "ts", ";")


# ---- Standard Webhooks and those that speak it ----

def standard(spec, prefix, sign, secret, other, key, name, plain=None):
    """`plain` is the secret in its other spelling."""
    fields = [prefix + "-id", prefix + "-timestamp", prefix + "-signature"]
    scheme = Listed(
        spec, fields[2], B64,
        lambda k, body, at, method, url:
        sign(k, b"msg_1." + at + b"." + body), secret, key=key, name=name,
        stamp=fields[1], tolerance=300, others=[(fields[0], "msg_1")],
        frame=lambda s, at: " ".join(f"{n},{v}" for n, v in s),
        other_secret=other)
    scheme.run()
    good = scheme.spelt()
    for what, value, ok in (
            ("two-blanks", f"{name},AAAA  {name},{good}", True),
            ("comma-list", f"{name},AAAA,{name},{good}", False),
            ("equals", f"{name}={good}", False),
            ("tab-between", f"{name},AAAA\t{name},{good}", False)):
        scheme.put(what, ok, fields=[(fields[0], "msg_1"),
                                     (fields[1], scheme.at),
                                     (fields[2], value)])
    scheme.put("id-changed", False, fields=[
        (fields[0], "msg_2"), (fields[1], scheme.at),
        (fields[2], f"{name},{good}")])
    if plain:
        scheme.put("secret-without-prefix", True, secret=plain)


def stripped(prefix):
    return lambda secret: base64.b64decode(secret.removeprefix(prefix))


SECRET = b64(bytes(range(32)))
for spec, prefix in (("standard_webhooks", "webhook"), ("svix", "svix"),
                     ("svix", "webhook"), ("gitlab_signed", "webhook")):
    standard(spec, prefix, lambda k, signed: mac("sha256", k, signed),
             "whsec_" + SECRET, "whsec_" + b64(b"o" * 32),
             stripped("whsec_"), "v1", SECRET)
private = ed25519.Ed25519PrivateKey.generate()
another = ed25519.Ed25519PrivateKey.generate()


def ed_raw(key):
    return key.public_key().public_bytes(serialization.Encoding.Raw,
                                         serialization.PublicFormat.Raw)


standard("standard_webhooks_v1a", "webhook",
         lambda k, signed: private.sign(signed), "whpk_" + b64(ed_raw(private)),
         "whpk_" + b64(ed_raw(another)), stripped("whpk_"), "v1a",
         b64(ed_raw(private)))
# A sender who moves to the other names signs those: the first set decides.
sig = b64(mac("sha256", bytes(range(32)), b"msg_1.", str(NOW).encode(), b".{}"))
WEBHOOK = [("webhook-id", "msg_1"), ("webhook-timestamp", str(NOW)),
           ("webhook-signature", "v1," + sig)]
add("svix", "no-falling-through", False, "whsec_" + SECRET,
    WEBHOOK + [("svix-id", "msg_1"), ("svix-timestamp", str(NOW)),
               ("svix-signature", "v1,AAAA")], "{}")
add("svix", "fields-of-both-mixed", False, "whsec_" + SECRET,
    [("svix-id", "msg_1"), ("svix-timestamp", str(NOW)),
     ("webhook-signature", "v1," + sig)], "{}")


# ---- other signatures of the whole body ----

Scheme("zendesk", "X-Zendesk-Webhook-Signature", B64,
       lambda key, body, at, method, url: mac("sha256", key, at, body),
       "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",
       stamp="X-Zendesk-Webhook-Signature-Timestamp",
       at="2025-10-09T08:53:20Z").run()
zendesk = Scheme("zendesk", "X-Zendesk-Webhook-Signature", B64,
                 lambda key, body, at, method, url:
                 mac("sha256", key, at, body), "text, not base64",
                 stamp="X-Zendesk-Webhook-Signature-Timestamp",
                 at="2025-10-09T08:53:20Z")
for name, at, ok in (("oldest", "2025-10-09T08:48:20Z", True),
                     ("too-old", "2025-10-09T08:48:19Z", False),
                     ("newest", "2025-10-09T08:58:20Z", True),
                     ("too-new", "2025-10-09T08:58:21Z", False),
                     ("with-offset", "2025-10-09T10:53:20+02:00", True),
                     ("fraction", "2025-10-09T08:53:20.123Z", True),
                     ("no-month", "2025-13-09T08:53:20Z", False),
                     ("unix", str(NOW), False), ("words", "now", False)):
    zendesk.put("time-" + name, ok, at=at)
Scheme("discord", "X-Signature-Ed25519", HEX,
       lambda key, body, at, method, url: private.sign(at + body),
       ed_raw(private).hex(), key=bytes.fromhex, stamp="X-Signature-Timestamp",
       bytes_compared=True, other_secret=ed_raw(another).hex()).run()
Scheme("discord_interactions", "X-Signature-Ed25519", HEX,
       lambda key, body, at, method, url: private.sign(at + body),
       ed_raw(private).hex(), key=bytes.fromhex, stamp="X-Signature-Timestamp",
       bytes_compared=True, other_secret=ed_raw(another).hex()).run()
curve = ec.generate_private_key(ec.SECP256R1())
curve2 = ec.generate_private_key(ec.SECP256R1())


def spki(key):
    return b64(key.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo))


sendgrid = Scheme(
    "sendgrid", "X-Twilio-Email-Event-Webhook-Signature", B64,
    lambda key, body, at, method, url:
    curve.sign(at + body, ec.ECDSA(hashes.SHA256())), spki(curve),
    stamp="X-Twilio-Email-Event-Webhook-Timestamp", other_secret=spki(curve2),
    body='[{"event":"open"}]\r\n')
sendgrid.run()
r, s = utils.decode_dss_signature(sendgrid.raw())
sendgrid.put("raw-r-and-s", False, [(None, b64(r.to_bytes(32, "big") +
                                               s.to_bytes(32, "big")))])
sendgrid.put("line-ends-changed", False, [(None, sendgrid.spelt())],
             body='[{"event":"open"}]\n')

# ---- what stands in the body ----


class Linear(Scheme):
    def dated(self, name, expected, at, quote="", body=None):
        body = body or f'{{"type":"Issue","webhookTimestamp":{quote}{at}{quote}}}'
        self.put(name, expected, body=body)


linear = Linear("linear", "Linear-Signature", HEX, over_body(), "lin_wh_1",
                body=f'{{"webhookTimestamp":{NOW * 1000},"action":"x"}}',
                in_sig="json:")
linear.run()
for name, at, quote, ok in (
        ("oldest", NOW * 1000 - 60000, "", True),
        ("too-old", NOW * 1000 - 60001, "", False),
        ("newest", NOW * 1000 + 60000, "", True),
        ("too-new", NOW * 1000 + 60001, "", False),
        ("text", NOW * 1000, '"', True), ("fraction", NOW * 1000 + .5, "", False),
        ("exponent", "1.76e12", "", False), ("null", "null", "", False),
        ("true", "true", "", False), ("object", "{}", "", False),
        ("seconds", NOW, "", False), ("negative", -NOW * 1000, "", False)):
    linear.dated("time-" + name, ok, at, quote)
linear.dated("no-time", False, 0, body='{"type":"Issue"}')
linear.dated("time-inside", False, 0,
             body=f'{{"data":{{"webhookTimestamp":{NOW * 1000}}}}}')
linear.dated("no-json", False, 0, body="webhookTimestamp=1760000000000")


def mailgun(name, expected, at=str(NOW), token="t0k3n", key="mg", body=None,
            signature=None, quote='"', secret="mg"):
    signature = signature or mac("sha256", key.encode(), at.encode(),
                                 token.encode()).hex()
    body = body or (f'{{"signature":{{"timestamp":{quote}{at}{quote},"token":'
                    f'"{token}","signature":"{signature}"}},"event-data":'
                    '{"id":"1"}}')
    add("mailgun", name, expected, secret,
        [("Content-Type", "application/json")], body)


mailgun("good", True)
mailgun("time-as-number", True, quote="")
for what, at, ok in (("oldest", NOW - 300, True), ("too-old", NOW - 301, False),
                     ("newest", NOW + 300, True), ("too-new", NOW + 301, False),
                     ("ms", NOW * 1000, False), ("fraction", "1760000000.5",
                                                 False),
                     ("sign", "+1760000000", False), ("empty", "", False),
                     ("leading-zero", "01760000000", True)):
    mailgun("time-" + what, ok, at=str(at))
mailgun("escaped-token", True, body=json.dumps(
    {"signature": {"timestamp": str(NOW), "token": "é\"/",
                   "signature": mac("sha256", b"mg", str(NOW).encode(),
                                    "é\"/".encode()).hex()}}))
mailgun("wrong-secret", False, key="other")
mailgun("rotated", True, secret=["other", "mg"])
mailgun("uppercase", False, signature=mac(
    "sha256", b"mg", str(NOW).encode(), b"t0k3n").hex().upper())
mailgun("base64", False, signature=b64(mac(
    "sha256", b"mg", str(NOW).encode(), b"t0k3n")))
mailgun("empty-signature", False, body=json.dumps({"signature": {
    "timestamp": str(NOW), "token": "t", "signature": ""}}))
for missing in ("timestamp", "token", "signature"):
    signed = {"timestamp": str(NOW), "token": "", "signature": mac(
        "sha256", b"mg", str(NOW).encode() if missing == "token" else b"",
        b"").hex()}
    del signed[missing]
    mailgun("without-" + missing, False, body=json.dumps({"signature": signed}))
mailgun("token-twice", False, body=(
    f'{{"signature":{{"timestamp":"{NOW}","token":"t0k3n","token":"other",'
    f'"signature":"{mac("sha256", b"mg", str(NOW).encode(), b"t0k3n").hex()}"'
    "}}"))
mailgun("in-a-list", False, body=json.dumps([{"signature": {
    "timestamp": str(NOW), "token": "t0k3n", "signature": mac(
        "sha256", b"mg", str(NOW).encode(), b"t0k3n").hex()}}]))
mailgun("no-json", False, body="timestamp=1760000000&token=t0k3n")
mailgun("nothing", False, body=" ")

HEXKEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
ITEM = {"pspReference": "7914073381342284", "originalReference": "",
        "merchantAccountCode": "TestMerchant", "merchantReference": "Test-1",
        "amount": {"value": 1130, "currency": "EUR"},
        "eventCode": "AUTHORISATION", "success": "true"}
PLACES = ("pspReference", "originalReference", "merchantAccountCode",
          "merchantReference", "value", "currency", "eventCode", "success")


def adyen_item(change=None, key=HEXKEY, spell=b64, **signature_of):
    """An item, its signature over what `signature_of` says instead."""
    item = dict(ITEM, **(change or {}))
    flat = {**item, **item["amount"], **signature_of} \
        if isinstance(item.get("amount"), dict) else {**item, **signature_of}
    words = [flat.get(name) for name in PLACES]
    words = ["" if w is None else str(w).lower() if isinstance(w, bool)
             else str(w) for w in words]
    item["additionalData"] = {"hmacSignature": spell(
        mac("sha256", bytes.fromhex(key), ":".join(words).encode()))}
    return item


def adyen(name, expected, *items, secret=HEXKEY, body=None):
    add("adyen", name, expected, secret, [("Content-Type", "application/json")],
        body or json.dumps({"live": "false", "notificationItems": [
            {"NotificationRequestItem": item} for item in items]}))


adyen("good", True, adyen_item())
adyen("key-in-lower-case", True, adyen_item(), secret=HEXKEY.lower())
adyen("key-as-text", False, adyen_item(key=HEXKEY.encode().hex()))
adyen("three-good", True, *[adyen_item({"pspReference": str(n)})
                            for n in range(3)])
adyen("last-bad", False, adyen_item(), adyen_item(pspReference="1"))
adyen("first-bad", False, adyen_item(pspReference="1"), adyen_item())
adyen("one-unsigned", False, adyen_item(), ITEM)
adyen("none", False)
adyen("no-list", False, body='{"live":"false"}')
adyen("list-is-null", False, body='{"notificationItems":null}')
adyen("no-json", False, body="notificationItems=1")
adyen("item-is-text", False, body='{"notificationItems":["a"]}')
for place in ("merchantAccountCode", "merchantReference", "amount"):
    bare = dict(ITEM)
    del bare[place]
    gone = {"value": "", "currency": ""} if place == "amount" else {place: ""}
    item = adyen_item(**gone)
    del item[place]
    adyen("without-" + place, True, item)
    adyen("without-" + place + "-later", False,
          {k: v for k, v in adyen_item().items() if k != place})
adyen("null-reference", True, adyen_item({"merchantReference": None}))
adyen("success-is-no-text", True, adyen_item({"success": True}))
adyen("amount-as-text", True, adyen_item(
    {"amount": {"value": "1130", "currency": "EUR"}}))
adyen("amount-in-64-bits", True, adyen_item(
    {"amount": {"value": 9007199254740993, "currency": "EUR"}}))
adyen("backslash-and-colon", True, adyen_item({"merchantReference": "a:b\\c"}))
adyen("utf8", True, adyen_item({"merchantReference": "Zürich 火"}))
adyen("amount-changed", False, adyen_item(value=1131))
adyen("success-changed", False, adyen_item(success="false"))
adyen("hex", False, adyen_item(spell=bytes.hex))
adyen("no-padding", False, adyen_item(spell=lambda s: b64(s).rstrip("=")))
adyen("other-key", False, adyen_item(key="00" * 32))
adyen("rotated", True, adyen_item(), secret=["00" * 32, HEXKEY])
adyen("empty-signature", False, adyen_item(spell=lambda s: ""))


def adyen_twice(member, before, after=""):
    """An item with a member put before the signed ones, or behind."""
    text = json.dumps(adyen_item())
    text = "{" + before + text[1:-1] + after + "}"
    if member:
        text = text.replace(*member)
    return '{"notificationItems":[{"NotificationRequestItem":' + text + "}]}"


adyen("success-twice-right-first", False,
      body=adyen_twice(None, "", ',"success":"false"'))
adyen("success-twice-wrong-first", False,
      body=adyen_twice(None, '"success":"false",'))
adyen("name-twice-in-other-letters", False,
      body=adyen_twice(None, "", ',"s\\u0075ccess":"false"'))
adyen("value-twice", False, body=adyen_twice(
    ('"value": 1130', '"value": 1130, "value": 1'), ""))
adyen("amount-twice", False, body=adyen_twice(
    None, "", ',"amount":{"value":1,"currency":"EUR"}'))
adyen("unsigned-member-twice", True,
      body=adyen_twice(None, '"reason":"a",', ',"reason":"b"'))
adyen("amount-with-fraction-zero", False,
      body=json.dumps({"notificationItems": [{"NotificationRequestItem":
                                              adyen_item()}]})
      .replace("1130", "1130.0"))

# ---- schemes over the URL ----


def square(name, expected, url=URL, signed=URL, body='{"a":"\\/\'"}', **more):
    add("square", name, expected, more.get("secret", "sk"),
        [("x-square-hmacsha256-signature", more.get("spell", b64)(mac(
            "sha256", b"sk", signed.encode(), body.encode())))], body, url=url)


square("good", True)
square("no-body", True, body="")
square("query", True, URL + "?a=1&b=%2f", URL + "?a=1&b=%2f")
square("query-recoded", False, URL + "?b=%2f", URL + "?b=%2F")
square("query-not-signed", False, URL + "?a=1")
square("query-dropped", False, URL, URL + "?a=1")
square("http-for-https", False, URL, URL.replace("https", "http"))
square("port", False, URL, URL.replace(".com", ".com:443"))
square("trailing-slash", False, URL, URL + "/")
square("hex", False, spell=bytes.hex)
square("no-padding", False, spell=lambda s: b64(s).rstrip("="))
square("other-secret", False, secret="other")
square("rotated", True, secret=["other", "sk"])
add("square", "no-signature", False, "sk", [], "{}")


def hubspot(spec, name, expected, method="POST", url=URL, body="[{}]",
            at=NOW * 1000, signed_url=None, secret="cs", spell=None,
            signed_method=None, fields=None, key="cs"):
    signed_url = signed_url or url
    key, word = key.encode(), (signed_method or method).encode()
    whole = {"hubspot_v1": key + body.encode(),
             "hubspot_v2": key + word + signed_url.encode() + body.encode()}
    if spec == "hubspot_v3":
        raw = mac("sha256", key, word, signed_url.encode(), body.encode(),
                  str(at).encode())
        own = [("X-HubSpot-Signature-v3", (spell or b64)(raw)),
               ("X-HubSpot-Request-Timestamp", str(at))]
    else:
        raw = hashlib.sha256(whole[spec]).digest()
        own = [("X-HubSpot-Signature", (spell or bytes.hex)(raw))]
    add(spec, name, expected, secret, own if fields is None else
        [pair for pair in own if pair[0] in fields], body, method, url)


for spec in ("hubspot_v1", "hubspot_v2", "hubspot_v3"):
    hubspot(spec, "good", True)
    hubspot(spec, "no-body", True, body="")
    hubspot(spec, "get", True, method="GET", body="")
    hubspot(spec, "query", True, url=URL + "?a=b&c")
    hubspot(spec, "utf8", True, body='[{"a":"é"}]')
    hubspot(spec, "other-secret", False, secret="other")
    hubspot(spec, "rotated", True, secret=["other", "cs"])
    hubspot(spec, "no-fields", False, fields=[])
    hubspot(spec, "empty", False, spell=lambda raw: "")
    hubspot(spec, "other-spelling", False, spell=bytes.hex if "3" in spec
            else b64)
    hubspot(spec, "upper-case", False, spell=lambda raw:
            (b64(raw) if "3" in spec else raw.hex()).swapcase())
    if spec != "hubspot_v1":
        hubspot(spec, "put-for-post", False, method="PUT", signed_method="POST")
        hubspot(spec, "other-url", False, signed_url=URL + "?a=1")
        hubspot(spec, "method-in-lower-case", False, signed_method="post")
for what, at, ok in (("oldest", NOW * 1000 - 300000, True),
                     ("too-old", NOW * 1000 - 300001, False),
                     ("newest", NOW * 1000 + 300000, True),
                     ("too-new", NOW * 1000 + 300001, False),
                     ("seconds", NOW, False), ("fraction", "1760000000000.0",
                                               False)):
    hubspot("hubspot_v3", "time-" + what, ok, at=at)
hubspot("hubspot_v3", "without-time", False, fields=["X-HubSpot-Signature-v3"])
for coded, plain, ok in (
        ("%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B", ":/?@!$'()*,;", True),
        ("%20%26%3D%2B%25", "%20%26%3D%2B%25", True), ("%20", " ", False),
        ("%3a", ":", True), ("%3a", "%3a", False), ("%253A", "%253A", True), ("+", "+", True)):
    hubspot("hubspot_v3", "escapes-" + hashlib.sha256(
        (coded + plain).encode()).hexdigest()[:4], ok, url=URL + "?q=" + coded,
        signed_url=URL + "?q=" + plain)
hubspot("hubspot_v3", "escapes-signed-as-they-are", False,
        url=URL + "?q=%3A", signed_url=URL + "?q=%3A")

FORM = ("Content-Type", "application/x-www-form-urlencoded")


def twilio(name, expected, url=URL, signed=URL, form="", pairs="", key="12345",
           secret="12345", fields=None, spell=b64, method="POST", alg="sha1"):
    signature = spell(mac(alg, key.encode(), (signed + pairs).encode()))
    add("twilio", name, expected, secret,
        [("X-Twilio-Signature", signature), FORM] if fields is None else fields,
        form, method, url)


twilio("good", True, form="To=1&From=%2B2&Body=a+b", pairs="Bodya bFrom+2To1")
twilio("order-of-the-form", True, form="b=2&a=1&C=3", pairs="C3a1b2")
twilio("upper-before-lower", False, form="b=2&a=1&C=3", pairs="a1b2C3")
twilio("same-name-other-values", True, form="a=2&a=1", pairs="a1a2")
twilio("same-name-same-value", True, form="a=1&a=1", pairs="a1")
twilio("empty-values", True, form="b=&a=&c", pairs="abc")
twilio("utf8", True, form="a=%C3%BC%E7%81%AB", pairs="aü火")
twilio("plus-and-percent", True, form="a=1%2B1+%25", pairs="a1+1 %")
twilio("name-escaped", True, form="a%20b=1", pairs="a b1")
twilio("no-body", True)
twilio("get-with-query", True, url=URL + "?a=1", signed=URL + "?a=1",
       method="GET")
twilio("field-added", False, form="a=1&b=2", pairs="a1")
twilio("field-gone", False, form="a=1", pairs="a1b2")
twilio("pairs-glued", True, form="ab=c", pairs="abc")
for host, ok in (("https://hooks.example.com:443/in/x", True),
                 ("https://hooks.example.com:8443/in/x", False),
                 ("http://hooks.example.com/in/x", False),
                 ("https://hooks.example.com/in/x/", False),
                 ("https://HOOKS.example.com/in/x", False)):
    twilio("signed-for-" + hashlib.sha256(host.encode()).hexdigest()[:4], ok,
           signed=host, form="a=1", pairs="a1")
PORT = "https://hooks.example.com:8443/in/x"
twilio("own-port", True, url=PORT, signed=PORT, form="a=1", pairs="a1")
twilio("own-port-left-out", True, url=PORT, signed=URL, form="a=1", pairs="a1")
twilio("quote-as-it-is", True, url=URL + "?q=it's", signed=URL + "?q=it's")
twilio("quote-escaped", True, url=URL + "?q=it's", signed=URL + "?q=it%27s")
twilio("query-order", False, url=URL + "?a=1&b=2", signed=URL + "?b=2&a=1")
twilio("hex", False, spell=bytes.hex)
twilio("no-padding", False, spell=lambda raw: b64(raw).rstrip("="))
twilio("sha256", False, alg="sha256")
twilio("other-secret", False, key="54321")
twilio("rotated", True, secret=["54321", "12345"])
twilio("no-signature", False, fields=[FORM])
twilio("empty-signature", False, fields=[("X-Twilio-Signature", ""), FORM])
BODY = '{"a":1}'
DIGEST = hashlib.sha256(BODY.encode()).hexdigest()
for name, query, signed, body, ok in (
        ("json", "?bodySHA256=" + DIGEST, None, BODY, True),
        ("json-among-others", f"?x=1&bodySHA256={DIGEST}&y=2", None, BODY,
         True),
        ("json-changed", "?bodySHA256=" + DIGEST, None, '{"a":2}', False),
        ("json-digest-upper", "?bodySHA256=" + DIGEST.upper(), None, BODY,
         False),
        ("json-digest-empty", "?bodySHA256=", None, BODY, False),
        ("json-digest-not-signed", "?bodySHA256=" + DIGEST, URL, BODY, False),
        ("json-no-digest", "", URL, BODY, False),
        ("json-other-case", "?bodysha256=" + DIGEST, None, BODY, False)):
    twilio(name, ok, url=URL + query, signed=signed or URL + query, form=body,
           fields=[("Content-Type", "application/json"),
                   ("X-Twilio-Signature", b64(mac(
                       "sha1", b"12345", (signed or URL + query).encode())))])

# ---- shared words ----

for spec, field in (("gitlab_token", "X-Gitlab-Token"),
                    ("telegram", "X-Telegram-Bot-Api-Secret-Token")):
    for name, sent, ok in (
            ("good", "t0k_en-1", True), ("upper", "T0K_EN-1", False),
            ("shorter", "t0k_en-", False), ("longer", "t0k_en-11", False),
            ("empty", "", False), ("bearer", "Bearer t0k_en-1", False),
            ("none", None, False), ("hex", b"t0k_en-1".hex(), False)):
        add(spec, name, ok, "t0k_en-1",
            [] if sent is None else [(field, sent)], "{}")
    add(spec, "name-in-upper-case", True, "t0k_en-1",
        [(field.upper(), "t0k_en-1")], "{}")
    add(spec, "rotated", True, ["old", "t0k_en-1"], [(field, "t0k_en-1")], "{}")
    add(spec, "twice-right-first", True, "t0k_en-1",
        [(field, "t0k_en-1"), (field, "x")], "{}")
    add(spec, "twice-wrong-first", False, "t0k_en-1",
        [(field, "x"), (field, "t0k_en-1")], "{}")
    add(spec, "other-field", False, "t0k_en-1",
        [("Authorization", "t0k_en-1")], "{}")
USER = b64(b"user:pa:ss\xc3\xbc")
for name, sent, ok in (
        ("good", "Basic " + USER, True), ("scheme-lower", "basic " + USER, True),
        ("scheme-upper", "BASIC " + USER, True), ("bearer", "Bearer " + USER,
                                                  False),
        ("no-scheme", USER, False), ("plain", "Basic user:pa:ss\u00fc"
                                     .encode().decode("latin-1"), False),
        ("other-user", "Basic " + b64(b"User:pa:ss\xc3\xbc"), False),
        ("other-password", "Basic " + b64(b"user:pa:ss"), False),
        ("no-password", "Basic " + b64(b"user"), False),
        ("cut-at-first-colon", "Basic " + b64(b"user:pa"), False),
        ("empty", "Basic ", False), ("nothing", "", False),
        ("broken", "Basic !!!!", False), ("none", None, False)):
    add("basic", name, ok, "user:pa:ssü",
        [] if sent is None else [("Authorization", sent)], "{}")
add("basic", "rotated", True, ["a:b", "user:pa:ssü"],
    [("authorization", "Basic " + USER)], "")

# ---- certificates and keys that are fetched ----


def certificate(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    day = datetime.datetime(2025, 1, 1)
    return x509.CertificateBuilder().subject_name(name).issuer_name(name) \
        .public_key(key.public_key()).serial_number(1).not_valid_before(day) \
        .not_valid_after(day + datetime.timedelta(days=3650)) \
        .sign(key, hashes.SHA256()).public_bytes(
            serialization.Encoding.PEM).decode()


big = rsa.generate_private_key(65537, 2048)
other_big = rsa.generate_private_key(65537, 2048)
CERTIFICATE, OTHER_CERTIFICATE = certificate(big), certificate(other_big)


def rsa_sign(signed, key=big, alg=hashes.SHA256(), pad=padding.PKCS1v15()):
    return key.sign(signed.encode(), pad, alg)


PAL = "https://api.paypal.com/v1/notifications/certs/CERT-1"


def paypal(name, expected, cert=PAL, body='{"id":"WH-1"}', hook="WH-HOOK",
           spell=b64, without=None, secret="WH-HOOK", algo="SHA256withRSA",
           crc=None, key=big, alg=hashes.SHA256(), pad=padding.PKCS1v15(),
           pem=CERTIFICATE):
    at = "2025-10-09T08:53:20Z"
    crc = str(zlib.crc32(body.encode())) if crc is None else crc
    fields = [("PAYPAL-TRANSMISSION-ID", "t-1"),
              ("PAYPAL-TRANSMISSION-TIME", at), ("PAYPAL-CERT-URL", cert),
              ("PAYPAL-AUTH-ALGO", algo), ("PAYPAL-TRANSMISSION-SIG", spell(
                  rsa_sign(f"t-1|{at}|{hook}|{crc}", key, alg, pad)))]
    add("paypal", name, expected, secret,
        [pair for pair in fields if pair[0] != without], body,
        certs={cert: pem})


paypal("good", True)
paypal("no-body", True, body="")
for host, ok in (("https://api.sandbox.paypal.com/c", True),
                 ("https://api-m.paypal.com/c", True),
                 ("https://api-m.sandbox.paypal.com/c", True),
                 ("http://api.paypal.com/c", False),
                 ("https://api.paypal.com.evil.example/c", False),
                 ("https://evil.example/https://api.paypal.com/c", False),
                 ("https://api.paypal.com@evil.example/c", False),
                 ("https://apixpaypal.com/c", False),
                 ("https://www.paypal.com/c", False),
                 ("https://api.paypal.com:8443/c", False),
                 ("//api.paypal.com/c", False), ("", False)):
    paypal("certificate-at-" + (host or "nowhere").replace("/", "_"), ok, host)
paypal("other-hook", False, hook="WH-OTHER")
paypal("other-secret", False, secret="WH-OTHER")
paypal("rotated", True, secret=["WH-OTHER", "WH-HOOK"])
paypal("other-certificate", False, pem=OTHER_CERTIFICATE)
paypal("other-key", False, key=other_big)
paypal("sha1", False, alg=hashes.SHA1())
paypal("pss", False, pad=padding.PSS(padding.MGF1(hashes.SHA256()), 32))
paypal("algo-in-lower-case", False, algo="sha256withrsa")
paypal("algo-none", False, algo="none")
paypal("crc-in-hex", False, crc=f"{zlib.crc32(b'x'):08x}")
paypal("hex", False, spell=bytes.hex)
paypal("no-padding", False, spell=lambda raw: b64(raw).rstrip("="))
for field in ("PAYPAL-TRANSMISSION-ID", "PAYPAL-TRANSMISSION-TIME",
              "PAYPAL-CERT-URL", "PAYPAL-AUTH-ALGO", "PAYPAL-TRANSMISSION-SIG"):
    paypal("without-" + field.lower(), False, without=field)
# A body whose checksum is a small number: it is written without zeros before.
n = next(n for n in range(10 ** 6) if zlib.crc32(b'{"n":%d}' % n) < 10 ** 6)
paypal("short-checksum", True, body='{"n":%d}' % n)

SNS = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-1.pem"
NOTE = {"Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC,
        "Subject": "s", "Message": "hello\nWörld \U0001f600 \"q\"",
        "Timestamp": "2025-10-09T08:53:20.000Z"}
WISH = dict({k: v for k, v in NOTE.items() if k != "Subject"},
            Type="SubscriptionConfirmation", Token="tok", SubscribeURL=SNS)
ORDER = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp",
         "Token", "TopicArn", "Type")


def sns(name, expected, note=NOTE, version="2", change=None, cert=SNS,
        skip=(), alg=None, spell=b64, key=big, drop=None, dumps=json.dumps,
        pem=CERTIFICATE, pad=padding.PKCS1v15()):
    """Signs `note`, then sends it with `change`."""
    names = [n for n in ORDER if n != "Token" or "Confirm" in note["Type"]]
    signed = "".join(f"{n}\n{note[n]}\n" for n in names
                     if n in note and n not in skip)
    alg = alg or (hashes.SHA256() if version == "2" else hashes.SHA1())
    sent = dict(note, SignatureVersion=version, SigningCertURL=cert,
                Signature=spell(rsa_sign(signed, key, alg, pad)))
    sent.update(change or {})
    sent.pop(drop, None)
    add("aws_sns", name, expected, None,
        [("Content-Type", "text/plain; charset=UTF-8"),
         ("x-amz-sns-message-type", note["Type"])], dumps(sent),
        certs={cert: pem})


for version in ("1", "2"):
    sns("good", True, version=version)
    sns("good-wish", True, WISH, version)
    sns("leave", True, dict(WISH, Type="UnsubscribeConfirmation"), version)
    sns("wish-token-changed", False, WISH, version, {"Token": "other"})
    sns("wish-url-changed", False, WISH, version, {"SubscribeURL": SNS + "x"})
    sns("wish-token-not-signed", False, WISH, version, skip=("Token",))
sns("no-subject", True, {k: v for k, v in NOTE.items() if k != "Subject"})
sns("subject-null", True, {k: v for k, v in NOTE.items() if k != "Subject"},
    change={"Subject": None})
sns("subject-empty", True, dict(NOTE, Subject=""))
sns("subject-added", False, {k: v for k, v in NOTE.items() if k != "Subject"},
    change={"Subject": "s"})
sns("subject-not-signed", False, skip=("Subject",))
sns("as-it-stands", True, dumps=lambda o: json.dumps(o, ensure_ascii=False))
sns("indented", True, dumps=lambda o: json.dumps(o, indent=4))
sns("slashes-escaped", True,
    dumps=lambda o: json.dumps(o).replace("/", "\\/"))
sns("long", True, dict(NOTE, Message="x" * 30000))
sns("empty-message", True, dict(NOTE, Message=""))
sns("message-twice-right-first", False,
    dumps=lambda o: json.dumps(o)[:-1] + ',"Message":"x"}')
sns("message-twice-wrong-first", False,
    dumps=lambda o: '{"Message":"x",' + json.dumps(o)[1:])
sns("version-2-signed-by-sha1", False, alg=hashes.SHA1())
sns("version-1-signed-by-sha256", False, version="1", alg=hashes.SHA256())
sns("version-3", False, version="3")
sns("version-number", True, change={"SignatureVersion": 2})
sns("other-topic", False, dict(NOTE, TopicArn=TOPIC + "2"))
sns("type-changed", False, change={"Type": "SubscriptionConfirmation"})
sns("type-unknown", False, dict(NOTE, Type="Notify"))
sns("other-key", False, key=other_big)
sns("other-certificate", False, pem=OTHER_CERTIFICATE)
sns("pss", False, pad=padding.PSS(padding.MGF1(hashes.SHA256()), 32))
sns("hex", False, spell=bytes.hex)
for field in ("Message", "MessageId", "Timestamp", "TopicArn", "Type",
              "Signature", "SignatureVersion", "SigningCertURL"):
    sns("without-" + field, False, drop=field)
    if field in NOTE and field != "Type":
        sns("changed-" + field, False, change={field: NOTE[field] + "x"})
for cert, ok in (
        ("https://sns.cn-north-1.amazonaws.com.cn/a.pem", True),
        ("https://sns.eu-west-1.amazonaws.com/a.pem", True),
        ("https://sns.eu.amazonaws.com/a.pem", False),
        ("http://sns.us-west-2.amazonaws.com/a.pem", False),
        ("https://sns.us-west-2.amazonaws.com.evil.example/a.pem", False),
        ("https://sns.us-west-2.amazonaws.org/a.pem", False),
        ("https://evil.example/sns.us-west-2.amazonaws.com/a.pem", False),
        ("https://a@sns.us-west-2.amazonaws.com/a.pem", False),
        ("https://sns.us-west-2.amazonaws.com@evil.example/a.pem", False),
        ("https://s3.us-west-2.amazonaws.com/sns/a.pem", False),
        ("https://sns.us-west-2.amazonaws.com/a.txt", False),
        ("https://sns.us-west-2.amazonaws.com/a.pem?x", False),
        ("https://sns.us-west-2.amazonaws.com:444/a.pem", False),
        ("https://sns.us-west-2.amazonaws.com", False)):
    sns("certificate-at-" + cert.replace("/", "_"), ok, cert=cert)


def plaid(name, expected, body='{\n  "a": 1\n}', header=None, claims=None,
          key=curve, secret=None, raw=True, token=None, field=
          "Plaid-Verification", prefix="", sent=None):
    head = b64url(json.dumps(header if header is not None else
                             {"alg": "ES256", "kid": "k", "typ": "JWT"})
                  .encode())
    said = {"iat": NOW, "request_body_sha256":
            hashlib.sha256(body.encode()).hexdigest()}
    said.update(claims or {})
    load = b64url(json.dumps({k: v for k, v in said.items() if v is not None})
                  .encode())
    der = key.sign(f"{head}.{load}".encode(), ec.ECDSA(hashes.SHA256()))
    halves = b"".join(x.to_bytes(32, "big")
                      for x in utils.decode_dss_signature(der))
    token = token or f"{head}.{load}.{b64url(halves if raw else der)}"
    pem = curve.public_key().public_bytes(
        serialization.Encoding.PEM,
        serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    add("plaid", name, expected, secret or pem, [(field, prefix + token)],
        body if sent is None else sent)


plaid("good", True)
plaid("no-body", True, body="")
plaid("field-in-lower-case", True, field="plaid-verification")
plaid("body-respaced", False, sent='{"a": 1}')
plaid("other-key", False, key=curve2)
plaid("no-field", False, field="X-Other")
for name, header in (("none", {"alg": "none", "kid": "k"}),
                     ("hs256", {"alg": "HS256", "kid": "k"}),
                     ("es384", {"alg": "ES384", "kid": "k"}),
                     ("es256-in-lower-case", {"alg": "es256", "kid": "k"}),
                     ("no-alg", {"kid": "k"}),
                     ("alg-is-a-list", {"alg": ["ES256"], "kid": "k"})):
    plaid("alg-" + name, False, header=header)
for name, iat, ok in (("oldest", NOW - 300, True), ("too-old", NOW - 301, False),
                      ("newest", NOW + 300, True), ("too-new", NOW + 301, False),
                      ("gone", None, False), ("words", "now", False),
                      ("ms", NOW * 1000, False)):
    plaid("iat-" + name, ok, claims={"iat": iat})
plaid("no-digest", False, claims={"request_body_sha256": None})
plaid("digest-upper", False, claims={"request_body_sha256": hashlib.sha256(
    b'{\n  "a": 1\n}').hexdigest().upper()})
plaid("der-signature", False, raw=False)
plaid("two-parts", False, token="a.b")
plaid("four-parts", False, token="a.b.c.d")
plaid("empty", False, token=" ")
hs = b64url(b'{"alg":"HS256","kid":"k"}') + "." + b64url(json.dumps({
    "iat": NOW, "request_body_sha256":
    hashlib.sha256(b"{}").hexdigest()}).encode())
PEM = vectors[-1]["secret"]
plaid("hs256-by-the-public-key", False, sent="{}", token=hs + "." + b64url(
    mac("sha256", PEM.encode(), hs.encode())))


def lines():
    """One vector a line, and fields in the order they are sent in."""
    for one in vectors:
        one = dict(one)
        pairs = ", ".join(f"{json.dumps(n)}: {json.dumps(v)}"
                          for n, v in one.pop("headers"))
        yield json.dumps(one)[:-1] + f', "headers": {{{pairs}}}}}'


sys.stdout.write('{"vectors": [\n' + ",\n".join(lines()) + "\n]}\n")
