# SPDX-License-Identifier: MIT
"""Providers whose list shows the events themselves: a row never changes."""
import time

import contract
from ground import (Mock, broken, iso_s, iso_ms, later, later_date,
                    later_epoch, read_iso, reply)


class Stripe(Mock):
    """GET /v1/events: newest first, `starting_after` the last id of a page;
    `created[gte]` in seconds; at most 100 rows."""

    name = "stripe"
    page_name = "starting_after"
    overlap = 60
    span = 40
    flips = ("order", "inclusive", "paging")
    limits = (broken, later("Retry-After", 1), later_date())

    def event(self, row):
        return {"id": self.id_of(row), "object": "event",
                "created": int(row.stamp), "type": "charge.succeeded",
                "livemode": False, "api_version": "2024-06-20",
                "data": {"object": {"id": f"ch_{row.thing}",
                                    "description": row.fact}}}

    @staticmethod
    def id_of(row):
        return f"evt_{row.number:08d}"

    def on_list(self, asked):
        bound = asked.query.get("created[gte]")
        rows = self.listed(int(bound) if bound else None)
        if "starting_after" in asked.query:
            rows = self.behind(rows, asked.query["starting_after"], self.id_of)
        size = asked.count("limit", 10, 100)
        page = self.near(rows, size)
        return reply({"object": "list", "url": "/v1/events",
                      "has_more": len(rows) > size,
                      "data": [self.event(row) for row in page]})


class StripeId(Stripe):
    """The same list upwards: `ending_before` gives the page nearest above an
    id, newest first; no row is visible late."""

    name = "stripe_id"
    page_name = None
    late = 0
    flips = ("order", "paging")
    backlog = 20

    def __init__(self, *args):
        self.first = None
        super().__init__(*args)

    def must(self):
        with self.lock:
            return {row.fact for row in self.versions
                    if row.number > (self.first or 0)}

    def on_list(self, asked):
        size = asked.count("limit", 10, 100)
        rows = self.listed()
        if "ending_before" not in asked.query:
            page = rows[:size]
            if page and self.first is None:
                self.first = page[0].number
        else:
            upwards = self.behind(rows[::-1], asked.query["ending_before"],
                                  self.id_of)
            rows = upwards
            page = self.near(upwards, size)[::-1]
        return reply({"object": "list", "has_more": len(rows) > size,
                      "data": [self.event(row) for row in page]})


class GitHub(Mock):
    """The delivery log of a webhook: newest first, Link with a cursor, the
    payload by a request of its own; ETag, and the interval to keep."""

    name = "github"
    overlap = 600
    flips = ("order", "paging")
    limits = (broken, later("retry-after", 1, 403), later("retry-after", 1),
              later_epoch("x-ratelimit-remaining", "x-ratelimit-reset",
                          status=403))
    params = {"repo": "acme/shop", "hook_id": "7"}
    entry = {"poll": {"interval": {"min": "1s"}, "limit": {"floor": "1s"}}}
    next = 0
    rough = 0.03       # most of its requests are for one delivery
    backlog = 120
    burst = 260

    @staticmethod
    def id_of(row):
        return f"v1_{row.number}"

    def delivery(self, row):
        return {"id": 12345678901234560 + row.number,
                "guid": f"0b989ba4-242f-11e5-81e1-{row.number:012d}",
                "delivered_at": iso_s(row.stamp), "redelivery": False,
                "duration": 0.27, "status": "OK", "status_code": 200,
                "event": "issues", "action": "opened",
                "installation_id": None, "repository_id": 123}

    def watch(self):
        """No walk is to begin before the interval is over."""
        now = time.monotonic()
        if now < self.next - 0.3:
            self.wrong.append(f"asked again {self.next - now:.2f} s too early")
        self.next = now + self.interval()

    def interval(self):
        return 2 if self.resting else 1

    def restarted(self):
        super().restarted()
        self.next = 0

    def on_list(self, asked):
        rows = self.listed()
        if "cursor" in asked.query:
            rows = self.behind(rows, asked.query["cursor"], self.id_of)
        else:
            self.watch()
        size = asked.count("per_page", 30, 100)
        page = self.near(rows, size)
        tag = f'W/"{hash(tuple(row.number for row in page)):x}"'
        headers = {"ETag": tag, "X-Poll-Interval": str(self.interval()),
                   "x-ratelimit-remaining": "4999"}
        if asked.headers.get("If-None-Match") == tag:
            self.counts["304"] += 1
            return reply(b"", headers, 304)
        if len(rows) > size:
            url = f"{self.url}{asked.path}?per_page={size}" \
                f"&cursor={self.id_of(page[-1])}"
            headers["Link"] = f'<{url}>; rel="next"'
        return reply([self.delivery(row) for row in page], headers)

    def on_detail(self, asked):
        number = int(asked.parts["id"]) - 12345678901234560
        row = self.versions[number - 1]
        return reply(dict(
            self.delivery(row), url="https://hooks.example.com/in",
            request={"headers": {"X-GitHub-Delivery":
                                 self.delivery(row)["guid"],
                                 "X-GitHub-Event": "issues"},
                     "payload": {"action": "opened", "issue": {
                         "title": row.fact, "number": row.thing}}},
            response={"headers": {}, "payload": "ok"}))


class GitLab(Mock):
    """The log of a project hook's events: newest first, pages by number in
    Link; rows have no time of their own."""

    name = "gitlab"
    flips = ("order", "paging")
    late = 0
    stamped = False
    limits = (broken, later("Retry-After", 1),
              later_epoch("RateLimit-Remaining", "RateLimit-Reset"))
    params = {"project": "42", "hook_id": "7"}

    def event(self, row):
        return {"id": 1000 + row.number, "url": "https://hooks.example.com/in",
                "trigger": "issue_hooks", "request_headers": {
                    "Content-Type": "application/json",
                    "X-Gitlab-Event": "Issue Hook",
                    "Idempotency-Key": f"f8d0-{row.number:012d}",
                    "X-Gitlab-Event-UUID": f"13792a34-{row.number % 7}"},
                "request_data": {"object_kind": "issue", "object_attributes": {
                    "id": row.thing, "title": row.fact}},
                "response_headers": {}, "response_body": "ok",
                "execution_duration": 0.3, "response_status": "200"}

    def on_list(self, asked):
        size = asked.count("per_page", 20, 100)
        number = int(asked.query.get("page", 1))
        page, more = self.by_place(self.listed(), (number - 1) * size, size)
        headers = {"RateLimit-Remaining": "59"}
        if more:
            headers["Link"] = f'<{self.url}{asked.path}?per_page={size}' \
                f'&page={number + 1}>; rel="next"'
        return reply([self.event(row) for row in page], headers)


class Slack(Mock):
    """Messages of a channel: newest first, `oldest` exclusive, cursors;
    errors come as 200."""

    name = "slack"
    unit = 0.000001
    overlap = 60
    span = 60
    inclusive = False
    flips = ("order", "inclusive", "paging")
    limits = (broken, later("Retry-After", 1), later(
        "Retry-After", 1, 429, {"ok": False, "error": "ratelimited"}),
        lambda mock: (0, reply({"ok": False, "error": "internal_error"},
                               status=200)))
    params = {"channel": "C061EG9SL"}
    entry = {"poll": {"limit": {"budget": "50/1s"}}}
    burst = 500

    def stamp(self):
        # the time is the id: no two are the same
        now = round(max(self.clock.now(), self.last + 0.000002), 6)
        self.last = now
        return now

    def grow_tied(self, count):
        self.grow(count)

    @staticmethod
    def ts(row):
        return f"{row.stamp:.6f}"

    def on_list(self, asked):
        oldest = asked.query.get("oldest")
        self.inclusive = asked.query.get("inclusive") in ("1", "true")
        rows = self.listed(float(oldest) if oldest else None,
                           lambda row: round(row.stamp, 6))
        if "cursor" in asked.query:
            rows = self.behind(rows, asked.query["cursor"],
                               lambda row: f"n{row.number}")
        size = asked.count("limit", 100, 999)
        page = self.near(rows, size)
        body = {"ok": True, "has_more": len(rows) > size, "messages": [
            {"type": "message", "user": "U123", "text": row.fact,
             "ts": self.ts(row)} for row in page]}
        if len(rows) > size:
            body["response_metadata"] = {"next_cursor": f"n{page[-1].number}"}
        return reply(body)


class Square(Mock):
    """POST /v2/events, once they are switched on: oldest first by cursor."""

    name = "square"
    page_name = "cursor"
    order = "asc"
    unit = 0.001
    flips = ("order", "inclusive", "paging")
    limits = (broken, later("Retry-After", 1))

    def __init__(self, *args):
        self.enabled = False
        super().__init__(*args)

    def on_enable(self, asked):
        self.enabled = True
        return reply({})

    def on_list(self, asked):
        if not self.enabled:
            raise contract.Refused("the Events API is not enabled", 403)
        wish = asked.json.get("query", {})
        start = wish.get("filter", {}).get("created_at", {}).get("start_at")
        rows = self.listed(read_iso(start) if start else None)
        if "cursor" in asked.json:
            rows = self.behind(rows, asked.json["cursor"],
                               lambda row: f"c{row.number}")
        size = min(asked.json.get("limit", 100), 100)
        page = self.near(rows, size)
        body = {"events": [
            {"merchant_id": "M1", "type": "payment.updated",
             "event_id": f"6a8f5f28-54a1-4eb0-a98a-{row.number:012d}",
             "created_at": iso_ms(row.stamp),
             "data": {"type": "payment", "id": f"p{row.thing}",
                      "object": {"note": row.fact}}} for row in page]}
        if len(rows) > size:
            body["cursor"] = f"c{page[-1].number}"
        return reply(body)


class Mailgun(Mock):
    """Events of a domain: `begin` and up, paging.next always there, a page is
    only whole when it is half an hour old."""

    name = "mailgun"
    order = "asc"
    unit = 0.001
    overlap = 1800
    flips = ("order", "inclusive", "paging")
    limits = (broken, later("Retry-After", 1))
    params = {"domain": "mg.example.com"}
    backlog = 400
    burst = 400

    def on_list(self, asked):
        if asked.query.get("ascending") != "yes":
            raise contract.Refused("this walk was to go upwards")
        begin = asked.query.get("begin")
        rows = self.listed(float(begin) if begin else None)
        return self.page_of(asked, rows, asked.count("limit", 100, 300))

    def on_page(self, asked):
        number, size = map(int, asked.parts["token"][1:].split("n"))
        rows = self.listed()
        if number:
            rows = self.behind(rows, number, lambda row: row.number)
        return self.page_of(asked, rows, size, number)

    def page_of(self, asked, rows, size, last=0):
        page = self.near(rows, size)
        last = page[-1].number if page else last
        base = f"{self.url}/v3/{asked.parts['domain']}/events"
        return reply({"items": [
            {"id": f"czsjqFATSlC3QtAK-{row.number}", "event": "delivered",
             "timestamp": round(row.stamp, 3), "recipient": "a@example.com",
             "message": {"headers": {"subject": row.fact}}} for row in page],
            "paging": {"next": f"{base}/t{last}n{size}",
                       "previous": f"{base}/p", "first": f"{base}/f",
                       "last": f"{base}/l"}})


class Paddle(Mock):
    """GET /events by id, upwards."""

    name = "paddle"
    order = "asc"
    unit = 0.001
    late = 0
    flips = ("order", "inclusive", "paging")
    inclusive = False
    limits = (broken, later("Retry-After", 1))
    entry = {"poll": {"limit": {"budget": "240/1s"}}}
    burst = 500

    def __init__(self, *args):
        self.first = None
        super().__init__(*args)

    def must(self):
        with self.lock:
            return {row.fact for row in self.versions
                    if row.number > (self.first or 0)}

    @staticmethod
    def id_of(row):
        return f"evt_01hv8x{row.number:016d}"

    def on_list(self, asked):
        size = asked.count("per_page", 50, 200)
        after = asked.query.get("after")
        rows = self.listed(after, self.id_of)
        if asked.query.get("order_by") == "id[DESC]":
            rows = rows[::-1]
        page = self.near(rows, size)
        if after is None and size == 1 and self.first is None and page:
            self.first = page[0].number
        return reply({"data": [
            {"event_id": self.id_of(row), "event_type": "transaction.paid",
             "occurred_at": iso_ms(row.stamp), "notification_id": None,
             "data": {"id": f"txn_{row.thing}", "status": row.fact}}
            for row in page], "meta": {"request_id": "r", "pagination": {
                "per_page": size, "has_more": len(rows) > size,
                "next": f"{self.url}/events?after=x",
                "estimated_total": len(rows)}}})
