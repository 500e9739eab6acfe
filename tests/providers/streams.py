# SPDX-License-Identifier: MIT
"""Providers that are read on by a token or an id, that hold a request, or
that want a token of their own first."""
import email.utils
import json
import time

import contract
from ground import (Mock, broken, hold, iso_ms, iso_s, later, later_epoch,
                    read_iso, reply)


class Tokened(Mock):
    """Access tokens that end soon, by time or because the provider says so."""

    token_life_s = 4     # and a minute more is told: readers ask before that
    client_id = "the-client"

    def __init__(self, *args):
        self.tokens = {}     # {token: when it ends (monotonic)}
        self.issued = 0
        super().__init__(*args)

    @property
    def secrets(self):
        live = [token for token, end in self.tokens.items()
                if end > time.monotonic()]
        return {"api_key": "the-client-secret", "client_id": self.client_id,
                "access": live[-1] if live else "none-yet"}

    def judge(self, asked):
        # a token that has just ended is an answer of 401, not a wrong request
        bearer = asked.headers.get("Authorization", "").partition("Bearer ")[2]
        if bearer in self.tokens:
            if self.tokens[bearer] <= time.monotonic() or \
                    self.chance.random() < self.trouble / 2:
                self.tokens[bearer] = 0
                self.counts["401"] += 1
                return reply({"error": "invalid_token"}, status=401)
            # the newest is not the only one that counts
            self.tokens[bearer] = self.tokens.pop(bearer)
        return super().judge(asked)

    def held_back(self):
        return [name for name in self.lines if name != "token"]

    def on_token(self, asked):
        self.issued += 1
        token = f"access-{self.issued}-{self.chance.randrange(10**9)}"
        self.tokens[token] = time.monotonic() + self.token_life_s
        return reply({"access_token": token, "token_type": "Bearer",
                      "expires_in": 60 + self.token_life_s - 1})

    def configured(self):
        entry = super().configured()
        entry["with"].pop("access")
        return entry


class PayPal(Tokened):
    """The list of webhook events, in no order that it promises, by links."""

    name = "paypal"
    order = "desc"
    unit = 0.001
    flips = ("inclusive", "paging")
    limits = (broken, later("Retry-After", 1))

    def on_list(self, asked):
        low, high = asked.query.get("start_time"), asked.query.get("end_time")
        rows = self.listed(read_iso(low) if low else None)
        if high:
            rows = [row for row in rows if row.stamp <= read_iso(high)]
        token = asked.query.get("next_page_token")
        if token:
            rows = self.behind(rows, token, lambda row: f"n{row.number}")
        size = asked.count("page_size", 10, 300)
        page = self.near(rows, size)
        hrefs = [{"href": self.url + asked.target, "rel": "self",
                  "method": "GET"}]
        if len(rows) > size:
            target = asked.target.split("&next_page_token")[0]
            hrefs.append({"href": f"{self.url}{target}&next_page_token="
                          f"n{page[-1].number}", "rel": "next",
                          "method": "GET"})
        return reply({"count": len(page), "links": hrefs, "events": [
            {"id": f"WH-{row.number:010d}", "event_type":
             "PAYMENT.CAPTURE.COMPLETED", "create_time": iso_ms(row.stamp),
             "resource_type": "capture", "summary": row.fact,
             "resource": {"id": f"c{row.thing}"}} for row in page]})


class Zoom(Tokened):
    """Past meetings of a user by date; a page's token lives fifteen
    minutes; the limit of a day is told as a date."""

    name = "zoom"
    page_name = "next_page_token"
    order = "asc"
    overlap = 86400
    span = 14
    flips = ("inclusive", "paging")
    limits = (broken, later("Retry-After", 1), lambda mock: (1, reply(
        {"code": 429}, {"Retry-After": iso_s(int(mock.moment.at) + 1),
                        "X-RateLimit-Remaining": "0"}, 429)))
    params = {"user": "me", "account_id": "acc1"}
    backlog = 400
    burst = 700

    def on_list(self, asked):
        low, high = asked.query["from"], asked.query["to"]
        if not low <= high:
            raise contract.Refused("from is behind to")
        takes = self.flip != "inclusive"
        rows = [row for row in self.listed()
                if low < iso_s(row.stamp)[:10] < high or takes and
                iso_s(row.stamp)[:10] in (low, high)]
        token = asked.query.get("next_page_token")
        start = int(token[1:]) if token else 0
        size = asked.count("page_size", 30, 300)
        page, more = self.by_place(rows, start, size)
        return reply({
            "from": low, "to": high, "page_size": size,
            "next_page_token": f"t{start + size}" if more else "",
            "meetings": [
                {"uuid": f"u{row.number}==", "id": 9000 + row.thing,
                 "topic": row.fact, "start_time": iso_s(row.stamp - 1800),
                 "end_time": iso_s(row.stamp), "duration": 30}
                for row in page]}, {"X-RateLimit-Remaining": "100"})


class HubSpotJournal(Tokened):
    """The app's own journal: an answer says where a file of changes is, and
    nothing when there is none yet."""

    name = "hubspot_journal"
    order = "asc"
    late = 0
    unit = 0.001
    flips = ("paging",)
    limits = (broken, later("Retry-After", 1))
    batch = 40

    def file_of(self, offset):
        """The batch behind an offset; rows come in batches as they are."""
        rows = self.versions[offset:offset + self.batch]
        if not rows:
            return reply(b"", status=204)
        more = offset + self.batch < len(self.versions)
        self.counts["pages"] += more
        if self.flip == "paging" and more:
            rows = self.versions[-self.batch:]
        last = rows[-1].number
        return reply({"url": f"{self.url}/files/{rows[0].number - 1}x{last}"
                      "?signature=s3", "currentOffset": str(last),
                      "expiresAt": iso_s(self.clock.now() + 60)})

    def on_earliest(self, asked):
        return self.file_of(0)

    def on_list(self, asked):
        return self.file_of(int(asked.parts["offset"]))

    def on_file(self, asked):
        first, last = map(int, asked.parts["offset"].split("x"))
        return reply({"offset": last, "journalEvents": [
            {"id": row.number, "type": "CRM_OBJECT", "action": "UPDATE",
             "objectId": str(row.thing), "occurredAt": iso_ms(row.stamp),
             "properties": {"firstname": row.fact}}
            for row in self.versions[first:last]]})


class Dropbox(Tokened):
    """Changes of a folder: opaque cursors, a request that is held without a
    credential, deletions as rows."""

    name = "dropbox"
    late = 0
    state = True
    stamped = False
    flips = ("paging",)
    limits = (broken, later("Retry-After", 1, 429, {
        "error_summary": "too_many_requests/", "error": {
            "reason": {".tag": "too_many_requests"}, "retry_after": 1}}))
    page_rows = 60
    ended_at = 0

    def __init__(self, *args):
        self.first = None
        super().__init__(*args)

    def must(self):
        with self.lock:
            first = self.first or 0
            return {rows[-1].fact for rows in self.things.values()
                    if rows[-1].number > first and not (
                        rows[-1].number <= self.ended_at and
                        self.is_deleted(rows[-1]))}

    def expire(self):
        """No cursor of before is known any more: what there is has to be
        listed again, and what was deleted meanwhile is not told."""
        self.ended_at = len(self.versions)
        self.gaps = 1

    def may_change(self, thing):
        return not self.is_deleted(self.things[thing][-1])

    @staticmethod
    def is_deleted(row):
        return row.version > 1 and row.number % 5 == 0

    def fact_of(self, envelope):
        data = envelope["data"]
        thing = int(data["path_lower"][len("/file"):])
        rows = self.things[thing]
        if data[".tag"] == "deleted":
            return rows[-1].fact if self.is_deleted(rows[-1]) else None
        return rows[int(data["rev"], 16) - 1].fact

    def entry_of(self, row):
        path = {"name": f"file{row.thing}", "path_lower": f"/file{row.thing}",
                "path_display": f"/File{row.thing}"}
        if self.is_deleted(row):
            return {".tag": "deleted", **path}
        return {".tag": "file", **path, "id": f"id:{row.thing}",
                "rev": f"{row.version:016x}", "size": 10,
                "client_modified": iso_s(row.stamp),
                "server_modified": iso_s(row.stamp)}

    def key(self, row):
        return (row.number,)

    order = "asc"

    def on_latest(self, asked):
        if self.first is None:
            self.first = len(self.versions)
        return reply({"cursor": self.cursor(len(self.versions))})

    def on_folder(self, asked):
        return self.changes(0)

    def on_list(self, asked):
        place = int(asked.json["cursor"].split("t")[0][1:])
        issued = int(asked.json["cursor"].split("t")[1])
        if issued < self.ended_at:
            return reply({"error_summary": "reset/..", "error": {
                ".tag": "reset"}}, status=409)
        return self.changes(place)

    def changes(self, place):
        rows = [row for row in self.listed() if row.number > place and not (
            row.number <= self.ended_at and self.is_deleted(row))]
        page = self.near(rows, self.page_rows)
        more = len(rows) > self.page_rows
        return reply({"entries": [self.entry_of(row) for row in page],
                      "cursor": self.cursor(page[-1].number if page else place),
                      "has_more": more})

    def cursor(self, place):
        """Where to go on, and when it was given."""
        return f"c{place}t{len(self.versions)}"

    def on_longpoll(self, asked):
        place = int(asked.json["cursor"].split("t")[0][1:])
        changes = hold(self, lambda: len(self.versions) > place, 2)
        body = {"changes": changes}
        if self.chance.random() < 0.05:
            body["backoff"] = 1
        return reply(body)

    def held_back(self):
        return ["list", "latest", "folder"]


class Svix(Mock):
    """A poller: an iterator that can be gone on with for ever."""

    name = "svix"
    order = "asc"
    late = 0
    unit = 0.001
    flips = ("order", "paging")
    limits = (broken, later("Retry-After", 1))
    params = {"app": "app_1", "sink": "poll_1"}

    def key(self, row):
        return (row.number,)

    def on_list(self, asked):
        place = int(asked.query.get("iterator", "iter_0")[5:])
        rows = [row for row in self.listed() if row.number > place]
        size = asked.count("limit", 50, 250)
        page = self.near(rows, size)
        last = max([row.number for row in page], default=place)
        return reply({"data": [
            {"id": f"msg_{row.number:020d}", "eventType": "invoice.paid",
             "timestamp": iso_ms(row.stamp), "channels": None,
             "payload": {"type": "invoice.paid", "note": row.fact}}
            for row in page], "iterator": f"iter_{last}",
            "done": len(rows) <= size})


class Zendesk(Mock):
    """Incremental export of tickets by cursor; the last minute is never in
    it."""

    name = "zendesk"
    order = "asc"
    state = True
    late = 0
    flips = ("order", "paging")
    limits = (broken, later("Retry-After", 1))
    params = {"email": "me@example.com", "sub": "acme"}
    entry = {"poll": {"limit": {"budget": "10/1s"}}}
    backlog = 2200
    burst = 2400

    @property
    def secrets(self):
        return {"api_key": "the-api-token", "email": "me@example.com"}

    def on_list(self, asked):
        rows = [row for row in self.listed()
                if row.stamp < self.clock.now() - 60]
        if ("cursor" in asked.query) == ("start_time" in asked.query):
            raise contract.Refused("either start_time or cursor")
        if "cursor" in asked.query:
            place = asked.query["cursor"]
            stamp, number = map(int, place[1:].split("n"))
            rows = [row for row in rows if self.key(row) > (stamp, number)]
        else:
            start = int(asked.query["start_time"])
            if start > self.clock.now() - 60:
                raise contract.Refused("start_time is too recent")
            place = f"z{start - 1}n0"
            rows = [row for row in rows if row.stamp >= start]
        size = asked.count("per_page", 1000, 1000)
        page = self.near(rows, size)
        if page:
            last = max(page, key=self.key)
            place = f"z{int(last.stamp)}n{last.number}"
        return reply({"tickets": [
            {"id": row.thing, "subject": row.fact, "status": "open",
             "generated_timestamp": int(row.stamp),
             "updated_at": iso_s(row.stamp)} for row in page],
            "after_cursor": place, "after_url": f"{self.url}/x",
            "before_cursor": None, "end_of_stream": len(rows) <= size})


class CouchDB(Mock):
    """_changes: the last change of each document, an opaque sequence, held
    when there is none."""

    name = "couchdb"
    order = "asc"
    state = True
    late = 0
    stamped = False
    flips = ("order", "paging")
    params = {"db": "shop", "user": "admin"}
    backlog = 1200
    burst = 1300

    @property
    def secrets(self):
        return {"api_key": "the-password", "user": "admin"}

    def key(self, row):
        return (row.number,)

    @staticmethod
    def place(text):
        return int(text.split("-")[0])

    def held_back(self):
        return []

    def on_list(self, asked):
        since = self.place(asked.query.get("since", "0"))
        wait_s = int(asked.query.get("timeout", 60000)) / 1000
        if asked.query.get("feed") == "longpoll":
            hold(self, lambda: len(self.versions) > since, min(wait_s, 2))
        rows = [row for row in self.listed() if row.number > since]
        size = int(asked.query.get("limit", 10**9))
        page = self.near(rows, size)
        last = max([row.number for row in page], default=since)
        results = []
        for row in page:
            result = {"seq": f"{row.number}-g1AAAA", "id": f"doc{row.thing}",
                      "changes": [{"rev": f"{row.version}-967a00"}]}
            if row.number % 6 == 0:
                result["deleted"] = True
            if asked.query.get("include_docs") == "true":
                result["doc"] = {"_id": f"doc{row.thing}", "note": row.fact}
            results.append(result)
        return reply({"results": results, "last_seq": f"{last}-g1AAAA",
                      "pending": max(0, len(rows) - size)})


class Telegram(Mock):
    """getUpdates: what lies below `offset` is confirmed and forgotten; the
    request is held; one poller at a time."""

    name = "telegram"
    order = "asc"
    late = 0
    flips = ("order", "inclusive", "paging")
    limits = (broken, lambda mock: (1, reply(
        {"ok": False, "error_code": 429, "description": "Too Many Requests",
         "parameters": {"retry_after": 1}}, status=429)))

    def __init__(self, *args):
        self.confirmed = 0
        self.poller = 0
        super().__init__(*args)

    secrets = {"api_key": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"}

    def on_list(self, asked):
        self.poller += 1
        mine = self.poller
        offset = int(asked.query.get("offset", 0))
        first = 100000
        takes = 0 if self.flip == "inclusive" else 1
        self.confirmed = max(self.confirmed, offset - first - takes)
        wait_s = int(asked.query.get("timeout", 0))
        self.lock.notify_all()

        def left():
            return [row for row in self.listed() if
                    row.number > self.confirmed]

        hold(self, lambda: self.poller != mine or left(), min(wait_s, 2))
        if self.poller != mine:
            return reply({"ok": False, "error_code": 409, "description":
                          "Conflict: terminated by other getUpdates request"},
                         status=409)
        page = self.near(left(), asked.count("limit", 100, 100))
        return reply({"ok": True, "result": [
            {"update_id": first + row.number, "message": {
                "message_id": row.number, "date": int(row.stamp),
                "chat": {"id": 1, "type": "private"}, "text": row.fact}}
            for row in page]})


class Discord(Mock):
    """Messages above a snowflake: the nearest page, newest first in it."""

    name = "discord"
    order = "asc"
    inclusive = False
    unit = 0.001
    overlap = 300
    late = 0
    flips = ("order", "inclusive", "paging")
    params = {"channel": "41771983423143937"}
    limits = (broken, later("Retry-After", 0.7), lambda mock: (0.8, reply(
        {"message": "You are being rate limited.", "retry_after": 0.8,
         "global": False}, status=429)), lambda mock: (0.9, reply(
             {"message": "limited", "retry_after": 0.9}, {
                 "X-RateLimit-Remaining": "0", "Retry-After": "1",
                 "X-RateLimit-Reset-After": "0.9"}, 429)))

    def __init__(self, *args):
        self.first = None
        super().__init__(*args)

    def must(self):
        with self.lock:
            return {row.fact for row in self.versions
                    if row.number > (self.first or 0)}

    @staticmethod
    def snowflake(row):
        return 175928847299117063 + (row.number << 10)

    def on_list(self, asked):
        size = asked.count("limit", 50, 100)
        after = asked.query.get("after")
        if after is None:
            page = self.listed()[::-1][:size]
            if page and self.first is None:
                self.first = max(row.number for row in page)
        else:
            page = self.near(self.listed(int(after), self.snowflake),
                             size)[::-1]
        return reply([
            {"id": str(self.snowflake(row)), "type": 0, "content": row.fact,
             "channel_id": self.params["channel"], "author": {"id": "1"},
             "timestamp": iso_ms(row.stamp)[:-1] + "000+00:00"}
            for row in page], {"X-RateLimit-Remaining": "4",
                               "X-RateLimit-Reset-After": "1.000"})


class RssAtom(Mock):
    """An Atom feed of the last entries: ETag, Last-Modified, max-age."""

    name = "rss_atom"
    late = 0
    flips = ("order",)
    limits = (broken, later("Retry-After", 1), later("Retry-After", 1, 503))
    entry = {"poll": {"interval": {"min": "1s"}}}
    backlog = 30
    trickle = 40
    burst = 60

    def configured(self):
        entry = super().configured()
        entry["with"] = {"feed": self.url + "/feed.xml"}
        return entry

    def on_list(self, asked):
        page = self.listed()[:150]
        tag = f'"{len(page)}-{len(self.versions)}"'
        at = max([row.shown for row in page], default=self.begun)
        headers = {"ETag": tag, "Cache-Control": "max-age=1",
                   "Last-Modified": email.utils.formatdate(int(at),
                                                           usegmt=True)}
        if asked.headers.get("If-None-Match") == tag:
            self.counts["304"] += 1
            return reply(b"", headers, 304)
        entries = "".join(
            f"<entry><id>urn:uuid:{row.number}</id>"
            f"<title>Entry &amp; {row.number}</title>"
            f"<link href='https://example.com/{row.number}'/>"
            f"<updated>{iso_s(row.stamp)}</updated>"
            f"<summary><![CDATA[{row.fact}]]></summary></entry>"
            for row in page)
        body = ("<?xml version='1.0' encoding='utf-8'?>"
                "<feed xmlns='http://www.w3.org/2005/Atom'>"
                "<title>News</title><id>urn:feed</id>"
                f"<updated>{iso_s(at)}</updated>{entries}</feed>")
        return reply(body.encode(), headers, 200, "application/atom+xml")


