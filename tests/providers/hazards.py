# SPDX-License-Identifier: MIT
"""Providers in a bad way: what they forget, what is deleted while it is read,
and what they send by webhook beside their list."""
import base64
import hashlib
import hmac
import json
import queue
import threading
import time

import harness
from logs import Stripe
from objects import Razorpay, Shopify
from streams import HubSpotJournal, RssAtom
from ground import in_zone, reply


class Forgets:
    """A list that has forgotten a lot of what came while nobody read. Every
    fact is handed over, or lies in a gap row."""

    late = 0
    gaps = 20        # a kill on a bad day may cost more of what is short-lived
    gap_kinds = ()   # that are to be told of
    rough = 0.1
    slack = 1.5      # seconds: an answer's Date is cut, and it took a while
    since = 0        # nothing was promised of what came before

    def must(self):
        with self.lock:
            return {row.fact for row in self.listed()}

    def own_faults(self, gaps, handed):
        with self.lock:
            lost = [row for row in self.versions
                    if row.fact not in handed and row.stamp >= self.since]
        faults = []
        if not lost:
            faults.append("nothing was forgotten: the mock proves nothing")
        if not any(kind in self.gap_kinds for kind, _, _ in gaps):
            faults.append(f"no gap of {self.gap_kinds}: {gaps}")
        for row in lost:
            if not any(start <= row.stamp + self.unit and
                       row.stamp <= end + self.slack
                       for _, start, end in gaps):
                faults.append(f"{row.fact} of {row.stamp:.3f} is neither "
                              f"handed over nor in a gap row: {gaps}")
        return faults[:5]


class StripeRetention(Forgets, Stripe):
    """Events are kept for fifteen minutes, and the agent is away for longer."""

    title = "stripe_retention"
    flips = ()
    keeps = 900
    gap_kinds = ("retention",)
    entry = {"poll": {"retention": "15m"}}

    def begin_at(self):
        return super().begin_at() - 4 * self.keeps

    def visible(self):
        now = self.clock.now()
        return [row for row in super().visible()
                if row.stamp >= now - self.keeps]

    def while_away(self):
        self.clock.skip(2 * self.keeps)

    def on_list(self, asked):
        last = asked.query.get("starting_after")
        if last and last not in map(self.id_of, self.visible()):
            return reply({"error": {"message": f"no such event: {last}"}},
                         status=400)
        answer = super().on_list(asked)
        if not self.since and b'"has_more": false' in answer.body:
            self.since = self.moment.at  # a list was read to its end
        return answer


class JournalExpiry(Forgets, HubSpotJournal):
    """The journal keeps three days; an offset of before is not found."""

    title = "hubspot_journal_expiry"
    flips = ()
    gap_kinds = ("cursor",)
    rough = 0.05     # it must have been read before it forgets
    first = 0        # so many rows it has forgotten

    def begin_at(self):
        return super().begin_at() - 4 * 86400

    def while_away(self):
        self.first = len(self.versions)
        self.clock.skip(3 * 86400 + 600)

    def must(self):
        with self.lock:
            return {row.fact for row in self.versions[self.first:]}

    def on_earliest(self, asked):
        return self.file_of(self.first)

    def on_list(self, asked):
        if int(asked.parts["offset"]) < self.first:
            self.counts["404"] += 1
            return reply({"status": "error"}, status=404)
        self.since = self.since or self.moment.at  # what was before is stored
        return super().on_list(asked)



class RssDrops(Forgets, RssAtom):
    """A feed of the last forty entries, of which more come in a night."""

    title = "rss_atom_drops"
    flips = ()
    shows = 40
    gap_kinds = ("count",)
    burst = 120

    def visible(self):
        return sorted(super().visible(), key=self.key)[-self.shows:]


class RazorpayDeletions(Razorpay):
    """Rows above the page that is read next are deleted, so that all below
    move up past the end of the last page."""

    title = "razorpay_deletions"
    flips = ()
    burst = 500
    deleted = ()

    def __init__(self, *args):
        self.deleted = set()    # objects
        super().__init__(*args)

    def visible(self):
        return [row for row in super().visible()
                if row.thing not in self.deleted]

    def must(self):
        with self.lock:
            return {rows[-1].fact for thing, rows in self.things.items()
                    if thing not in self.deleted}

    def may_change(self, thing):
        return thing not in self.deleted and super().may_change(thing)

    def on_list(self, asked):
        skip = int(asked.query.get("skip", 0))
        above = self.listed()[:skip]
        if above and not self.resting and self.chance.random() < 0.5:
            for row in self.chance.sample(above, min(3, len(above))):
                self.deleted.add(row.thing)
                self.counts["deleted"] += 1
        return super().on_list(asked)


class Sends:
    """A provider that sends webhooks as well: most of them, sometimes one
    twice, never one that nobody took after a few tries."""

    hooks = True
    secret = "whsec_0815"
    sent_share = 0.7
    twice_share = 0.2
    tries = 40

    def __init__(self, *args):
        self.waiting = queue.PriorityQueue()
        self.hook_port = None
        super().__init__(*args)
        self.sender = threading.Thread(target=self.send_all, daemon=True)
        self.sender.start()

    def note(self, thing, stamp):
        row = super().note(thing, stamp)
        if self.hook_port and self.chance.random() < self.sent_share:
            at = time.monotonic() + self.chance.uniform(0, 0.5)
            self.waiting.put((at, row.number, 0))
            if self.chance.random() < self.twice_share:
                self.waiting.put((at + 0.2, row.number, 0))
        return row

    def send_all(self):
        while not self.ended.is_set():
            try:
                at, number, tried = self.waiting.get(timeout=0.1)
            except queue.Empty:
                continue
            self.ended.wait(max(0, min(at - time.monotonic(), 1)))
            if not self.send(self.versions[number - 1]) and \
                    tried < self.tries:
                self.waiting.put((time.monotonic() + 0.3, number, tried + 1))

    def send(self, row):
        body, headers = self.hook(row)
        try:
            status = harness.post(self.hook_port, f"/hooks/{self.title}",
                                  body, headers).status
        except OSError:
            return False  # the agent is away
        self.counts[f"hook {status}"] += 1
        if status not in (200, 202, 503):
            self.wrong.append(f"a webhook was answered {status}")
        return status != 503

    def own_faults(self, gaps, handed):
        taken = sum(count for name, count in self.counts.items()
                    if name.startswith("hook 2"))
        return [] if taken > self.trickle / 2 else [
            f"only {taken} webhooks were taken: the mock proves nothing"]

    def configured(self):
        entry = super().configured()
        entry["with"]["webhook_secret"] = self.secret
        return entry


class StripeBoth(Sends, Stripe):
    """Events by webhook and in the list, under one id."""

    title = "stripe_webhooks"
    flips = ()

    def hook(self, row):
        body = json.dumps(self.event(row)).encode()
        at = int(time.time())
        mac = hmac.new(self.secret.encode(), b"%d." % at + body,
                       hashlib.sha256).hexdigest()
        return body, {"Stripe-Signature": f"t={at},v1={mac}",
                      "Content-Type": "application/json"}


class ShopifyBoth(Sends, Shopify):
    """Orders by webhook and in the list: a version is one event, whoever
    shows it first."""

    title = "shopify_webhooks"
    flips = ()
    backlog = 240
    burst = 300

    def hook(self, row):
        body = json.dumps({
            "id": 450789469000000000 + row.thing, "note": row.fact,
            "created_at": in_zone(row.born, -5),
            "updated_at": in_zone(row.stamp, -5)}).encode()
        mac = hmac.new(self.secret.encode(), body, hashlib.sha256).digest()
        return body, {
            "X-Shopify-Hmac-Sha256": base64.b64encode(mac).decode(),
            "X-Shopify-Topic": "orders/updated",
            "X-Shopify-Shop-Domain": "acme.myshopify.com",
            "X-Shopify-API-Version": "2025-10",
            "X-Shopify-Webhook-Id": f"hook-{row.number}",
            "X-Shopify-Event-Id": f"event-{row.number}",
            "X-Shopify-Triggered-At": in_zone(row.stamp, 0),
            "Content-Type": "application/json"}
