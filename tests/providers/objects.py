# SPDX-License-Identifier: MIT
"""Providers whose list shows objects: a row is an object's last version, and
moves when the object changes."""
import datetime
import re
import urllib.parse
import zoneinfo

import contract
from ground import (Mock, broken, in_zone, iso_ms, iso_s, later, later_date,
                    later_epoch, read_iso, reply, utc)


def links(mock, asked, number, more, **query):
    """The field Link of numbered pages."""
    if not more:
        return {}
    query = urllib.parse.urlencode({**dict(asked.pairs), **query,
                                    "page": number + 1})
    return {"Link": f'<{mock.url}{asked.path}?{query}>; rel="next"'}


class Petstore(Mock):
    """GET /v1/orders?since=, by Link, in no order that it promises."""

    name = "petstore"
    overlap = 60
    span = 40
    order = "asc"
    unit = 0.001
    state = True
    flips = ("inclusive", "paging")
    limits = (broken, later("Retry-After", 1), later_date())

    def order_of(self, row):
        return {"id": row.thing, "status": "open", "note": row.fact,
                "updated_at": iso_ms(row.stamp)}

    def body(self, page):
        return {"orders": [self.order_of(row) for row in page]}

    def on_list(self, asked):
        since = asked.query.get("since")
        rows = self.listed(read_iso(since) if since else None,
                           lambda row: round(row.stamp, 3))
        if self.flip == "paging":
            rows = rows[::-1]
        if "at" in asked.query:
            rows = self.beyond(rows, tuple(map(float, asked.query["at"]
                                               .split("n"))))
        headers = {}
        self.counts["pages"] += len(rows) > 100
        if len(rows) > 100:
            query = urllib.parse.urlencode({
                **asked.query, "at": f"{rows[99].stamp}n{rows[99].number}"})
            headers["Link"] = f'<{self.url}{asked.path}?{query}>; rel="next"'
        page = rows[:100]
        return reply(self.body(page[::-1] if self.flip == "paging" else page),
                     headers)


class GenericJson(Petstore):
    """A list of JSON objects by id and time; an id is one fact."""

    name = "generic_json"
    state = False

    def configured(self):
        entry = super().configured()
        entry["with"] = {"url": self.url + "/v1/items"}
        return entry

    def body(self, page):
        return [self.order_of(row) for row in page]


class GitHubIssues(Mock):
    """GET /issues?sort=updated&direction=asc&since=, numbered pages, ETag."""

    name = "github_issues"
    order = "asc"
    state = True
    flips = ("order", "inclusive", "paging")
    limits = (broken, later("retry-after", 1, 403))
    params = {"repo": "acme/shop"}
    entry = {"poll": {"limit": {"floor": "1s"}}}

    def on_list(self, asked):
        since = asked.query.get("since")
        rows = self.listed(read_iso(since) if since else None)
        size = asked.count("per_page", 30, 100)
        number = int(asked.query.get("page", 1))
        page, more = self.by_place(rows, (number - 1) * size, size)
        tag = f'W/"{hash(tuple(row.number for row in page)):x}"'
        headers = {"ETag": tag, **links(self, asked, number, more)}
        if asked.headers.get("If-None-Match") == tag:
            self.counts["304"] += 1
            return reply(b"", headers, 304)
        return reply([{"id": 9000 + row.thing, "number": row.thing,
                       "title": row.fact, "state": "open",
                       "created_at": iso_s(row.born),
                       "updated_at": iso_s(row.stamp)} for row in page],
                     headers)


class Shopify(Mock):
    """orders.json by updated_at; Link with page_info, which allows no other
    filter; times in the shop's zone; a used-up budget is told as 40/40."""

    name = "shopify"
    overlap = 60
    span = 40
    order = "asc"
    state = True
    flips = ("order", "inclusive", "paging")
    limits = (broken, later("Retry-After", 1.5), later("Retry-After", 0.5))
    params = {"shop": "acme.myshopify.com", "version": "2025-10"}
    backlog = 400
    burst = 600

    def on_list(self, asked):
        size = asked.count("limit", 50, 250)
        if "page_info" in asked.query:
            if set(asked.query) - {"page_info", "limit", "fields"}:
                raise contract.Refused("page_info allows no other filter")
            low, stamp, number = asked.query["page_info"].split("-")
            rows = self.listed(float(low))
            key = (int(stamp), int(number))
            rows = [row for row in rows if self.key(row) > key] \
                if self.flip != "order" else \
                [row for row in rows if self.key(row) < key]
        else:
            low = asked.query.get("updated_at_min")
            low = int(read_iso(low)) if low else 0
            rows = self.listed(low)
        page = self.near(rows, size)
        headers = {"X-Shopify-Shop-Api-Call-Limit": "1/40"}
        if len(rows) > size:
            last = page[-1]
            headers["Link"] = f'<{self.url}{asked.path}?limit={size}' \
                f'&page_info={low}-{int(last.stamp)}-{last.number}>; ' \
                f'rel="next"'
        return reply({"orders": [
            {"id": 450789469000000000 + row.thing, "note": row.fact,
             "created_at": in_zone(row.born, -5),
             "updated_at": in_zone(row.stamp, -5)} for row in page]}, headers)


class Twilio(Mock):
    """Messages.json, newest first by date sent; the status changes, the date
    does not; a next page by URI without a host."""

    name = "twilio"
    state = True
    overlap = 3600
    flips = ("order", "inclusive", "paging")
    limits = (broken, later("Retry-After", 1))
    params = {"sid": "AC0123456789abcdef"}
    steps = ("queued", "sending", "sent", "delivered")
    backlog = 2200
    burst = 2400

    @property
    def secrets(self):
        return {"api_key": "the-auth-token", **self.params}

    def may_change(self, thing):
        rows = self.things[thing]
        return len(rows) < len(self.steps) and \
            self.clock.now() - rows[0].stamp < 0.4 * self.overlap

    def note(self, thing, stamp):
        row = super().note(thing, stamp)
        row.stamp = row.born
        row.shown = min(row.shown, row.born + 0.8 * self.overlap)
        return row

    def on_list(self, asked):
        sent = asked.query.get("DateSent>")
        rows = self.listed(read_iso(sent if "T" in sent else
                                    sent + "T00:00:00Z") if sent else None)
        if "PageToken" in asked.query:
            rows = self.behind(rows, asked.query["PageToken"],
                               lambda row: f"PASM{row.thing}")
        size = asked.count("PageSize", 50, 1000)
        page = self.near(rows, size)
        uri = None
        if len(rows) > size:
            query = urllib.parse.urlencode({
                **asked.query, "Page": int(asked.query.get("Page", 0)) + 1,
                "PageToken": f"PASM{page[-1].thing}"})
            uri = f"{asked.path}?{query}"
        return reply({"messages": [
            {"sid": f"SM{row.thing:032d}", "body": row.fact,
             "status": self.steps[row.version - 1], "direction":
             "outbound-api", "date_sent": utc(row.stamp).strftime(
                 "%a, %d %b %Y %H:%M:%S +0000")} for row in page],
            "page": 0, "page_size": size, "next_page_uri": uri,
            "uri": asked.path})


class Linear(Mock):
    """GraphQL: issues newest first by updatedAt, relay cursors; a used-up
    budget is an error 400."""

    name = "linear"
    state = True
    unit = 0.001
    flips = ("order", "inclusive", "paging")
    limits = (broken, later_epoch(
        "X-RateLimit-Requests-Remaining", "X-RateLimit-Requests-Reset", 1000,
        400, {"errors": [{"message": "Rate limit exceeded", "extensions": {
            "code": "RATELIMITED"}}]}), lambda mock: (0, reply(
                {"errors": [{"message": "internal"}], "data": None})))

    def on_list(self, asked):
        query = asked.json["query"]
        values = asked.json.get("variables", {})
        size = re.search(r"\bissues\s*\(.*?first:\s*(\d+)", query, re.S)
        if not size or int(size[1]) > 250:
            raise contract.Refused("no issues(first: …), or more than 250")
        for words in ("updatedAt", "pageInfo", "endCursor", "hasNextPage",
                      "orderBy"):
            if words not in query:
                raise contract.Refused(f"the query does not name {words}")
        if query.count("{") != query.count("}") or \
                query.count("(") != query.count(")"):
            raise contract.Refused("the query does not parse")
        since = values.get("t")
        rows = self.listed(read_iso(since) if since else None)
        after = values.get("a")
        if after:
            stamp, number = after[1:].split("n")
            key = (int(stamp) / 1000, int(number))
            up = self.flip == "order"
            rows = [row for row in rows if (self.rank(row) > key if up else
                                            self.rank(row) < key)]
        size = int(size[1])
        page = self.near(rows, size)
        end = None
        if page:
            end = f"w{round(page[-1].stamp * 1000)}n{page[-1].number}"
        return reply({"data": {"issues": {"nodes": [
            {"id": f"2174add1-f7c8-44e3-bbf3-{row.thing:012d}",
             "title": row.fact, "updatedAt": iso_ms(row.stamp),
             "state": {"name": "Todo"}} for row in page],
            "pageInfo": {"hasNextPage": len(rows) > size,
                         "endCursor": end}}}},
            {"X-RateLimit-Requests-Remaining": "1499"})

    @staticmethod
    def rank(row):
        return (round(row.stamp * 1000) / 1000, row.number)


class HubSpot(Mock):
    """CRM search: a page's token is a place, and no place is beyond a number
    of rows; what changed is indexed late."""

    name = "hubspot"
    order = "asc"
    state = True
    unit = 0.001
    overlap = 60
    span = 40
    flips = ("order", "inclusive", "paging")
    limits = (broken, later("Retry-After", 1), lambda mock: (
        1, reply({"status": "error", "errorType": "RATE_LIMIT",
                  "policyName": "SECONDLY"}, status=429)))
    rows_max = 300
    entry = {"poll": {"limit": {"budget": "40/1s"}}}

    def on_list(self, asked):
        wish = asked.json
        bound = None
        for group in wish.get("filterGroups", []):
            bound = int(group["filters"][0]["value"]) / 1000
        rows = self.listed(bound, lambda row: round(row.stamp, 3))
        start = int(wish.get("after", 0))
        size = min(int(wish.get("limit", 10)), 200)
        if start + size > self.rows_max:
            return reply({"status": "error", "message": "beyond 10,000"},
                         status=400)
        page, more = self.by_place(rows, start, size)
        body = {"total": len(rows), "results": [
            {"id": str(5000 + row.thing), "properties": {
                "firstname": row.fact, "lastmodifieddate": iso_ms(row.stamp)},
             "createdAt": iso_ms(row.born), "updatedAt": iso_ms(row.stamp),
             "archived": False} for row in page]}
        if more:
            body["paging"] = {"next": {"after": str(start + size)}}
        return reply(body)


class SendGrid(Mock):
    """GET /v3/messages with a query in its own language: the newest so many
    of a span, and no next page."""

    name = "sendgrid"
    state = True
    overlap = 600
    flips = ("order", "inclusive", "paging")
    limits = (broken, lambda mock: (1, reply(
        {"errors": [{"message": "too many requests"}]},
        {"X-RateLimit-Reset": str(int(mock.moment.at) + 1)}, 429)))
    entry = {"poll": {"limit": {"budget": "60/1s"}}}
    before = 5000
    steps = ("processed", "delivered", "opened", "clicked")
    backlog = 2000
    burst = 1600

    def stamp(self):
        """One a second in the backlog of the mock whose bounds are turned
        round, so that wherever a span ends there is a row."""
        if self.flip == "inclusive" and len(self.versions) < self.backlog:
            return int(self.begun) - self.before + 1000 + len(self.versions)
        return super().stamp()

    def may_change(self, thing):
        return thing > self.backlog and \
            len(self.things[thing]) < len(self.steps)

    def on_list(self, asked):
        low, high = map(read_iso, re.findall(r'TIMESTAMP "([^"]*)"',
                                             asked.query["query"]))
        takes = self.flip != "inclusive"
        rows = [row for row in self.listed(low)
                if row.stamp < high or takes and row.stamp == high]
        page = self.near(rows, asked.count("limit", 10, 1000))
        return reply({"messages": [
            {"msg_id": f"vIOQ.{row.thing}", "from_email": "a@example.com",
             "to_email": "b@example.com", "subject": row.fact,
             "status": self.steps[row.version - 1],
             "last_event_time": iso_s(row.stamp)} for row in page]})


class WooCommerce(Mock):
    """Orders, `modified_after` (exclusive), numbered pages with their count
    in a field; times without a zone."""

    name = "woocommerce"
    order = "asc"
    state = True
    overlap = 60
    span = 40
    inclusive = False
    flips = ("order", "inclusive", "paging")
    limits = (broken, later("Retry-After", 1))
    params = {"consumer_key": "ck_0123"}

    @property
    def secrets(self):
        return {"api_key": "cs_4567", **self.params}

    def on_list(self, asked):
        after = asked.query.get("modified_after")
        if after and not asked.query.get("dates_are_gmt"):
            raise contract.Refused("modified_after would be the site's time")
        for name, value in (("orderby", "modified"), ("order", "asc")):
            if asked.query.get(name) != value:
                raise contract.Refused(f"{name} is not {value}")
        rows = self.listed(read_iso(after + "Z") if after else None)
        size = asked.count("per_page", 10, 100)
        number = int(asked.query.get("page", 1))
        page, more = self.by_place(rows, (number - 1) * size, size)
        return reply([{
            "id": row.thing, "status": "processing", "total": "9.50",
            "customer_note": row.fact,
            "date_created_gmt": iso_s(row.born)[:-1],
            "date_modified": in_zone(row.stamp, 2)[:-6],
            "date_modified_gmt": iso_s(row.stamp)[:-1]} for row in page],
            {"X-WP-Total": str(len(rows)),
             "X-WP-TotalPages": str(-(-len(rows) // size)),
             **links(self, asked, number, more)})


class Bitbucket(Mock):
    """Pull requests by updated_on, `next` by number; microseconds."""

    name = "bitbucket"
    order = "asc"
    state = True
    unit = 0.001
    flips = ("order", "inclusive", "paging")
    limits = (broken, lambda mock: (0, reply(
        {"type": "error", "error": {"message": "Rate limit"}}, status=429)))
    params = {"repo": "acme/shop"}
    entry = {"poll": {"limit": {"budget": "1000/1m"}}}

    def on_list(self, asked):
        if asked.query.get("sort") != "updated_on":
            raise contract.Refused("sort is not updated_on")
        since = re.search(r"\d{4}-[^\"]*", asked.query.get("q", ""))
        rows = self.listed(read_iso(since[0]) if since else None)
        size = asked.count("pagelen", 10, 50)
        number = int(asked.query.get("page", 1))
        page, more = self.by_place(rows, (number - 1) * size, size)
        body = {"pagelen": size, "page": number, "size": len(rows), "values": [
            {"type": "pullrequest", "id": row.thing, "title": row.fact,
             "state": "OPEN", "updated_on": iso_ms(row.stamp)[:-1] +
             "000+00:00"} for row in page]}
        if more:
            body["next"] = self.url + asked.path + "?" + \
                urllib.parse.urlencode({**asked.query, "page": number + 1})
        return reply(body)


class Gitea(Mock):
    """Issues that changed since, newest created first, pages by Link."""

    name = "gitea"
    state = True
    flips = ("inclusive", "paging")
    overlap = 60
    span = 40
    limits = (broken, later("Retry-After", 1))
    params = {"repo": "acme/shop"}

    def key(self, row):
        return (row.thing,)

    def on_list(self, asked):
        since = asked.query.get("since")
        rows = self.listed(read_iso(since) if since else None)
        size = asked.count("limit", 50, 50)
        number = int(asked.query.get("page", 1))
        page, more = self.by_place(rows, (number - 1) * size, size)
        return reply([{"id": 70000 + row.thing, "number": row.thing,
                       "title": row.fact, "state": "open",
                       "created_at": iso_s(row.born),
                       "updated_at": iso_s(row.stamp)} for row in page],
                     {"X-Total-Count": str(len(rows)),
                      **links(self, asked, number, more)})


class Jira(Mock):
    """JQL in minutes of the user's zone; a token that is a place."""

    name = "jira"
    order = "asc"
    state = True
    unit = 0.001
    overlap = 600
    flips = ("order", "inclusive", "paging")
    limits = (broken, later("Retry-After", 1), later_date())
    params = {"user_tz": "America/New_York"}
    secrets = {"api_key": "the-api-token", "email": "me@example.com"}
    zone = zoneinfo.ZoneInfo("America/New_York")

    def local(self, at):
        return datetime.datetime.fromtimestamp(at, self.zone)

    def begin_at(self):
        """So that the hour that comes twice is in the middle; nobody says
        which of the two such a time is read as."""
        self.fold = self.chance.randrange(2)
        if self.flip == "inclusive":
            return super().begin_at()  # that hour has no bound to turn round
        at = int(super().begin_at()) // 3600 * 3600
        while self.local(at - 3600).utcoffset() <= self.local(at).utcoffset():
            at -= 3600
        return at - self.span * self.overlap / 2

    def on_list(self, asked):
        text = re.search(r'"(.*?)"', asked.query["jql"])[1].replace("/", "-")
        since = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M").replace(
            tzinfo=self.zone, fold=self.fold).timestamp()
        rows = self.listed(since, lambda row: row.stamp // 60 * 60)
        size = asked.count("maxResults", 50, 100)
        start = int(asked.query.get("nextPageToken", "p0")[1:])
        page, more = self.by_place(rows, start, size)
        body = {"isLast": not more, "issues": [
            {"id": str(10000 + row.thing), "key": f"SHOP-{row.thing}",
             "fields": {"summary": row.fact, "status": {"name": "To Do"},
                        "updated": self.local(row.stamp).strftime(
                            "%Y-%m-%dT%H:%M:%S.") +
                        f"{round(row.stamp * 1000) % 1000:03d}" +
                        self.local(row.stamp).strftime("%z")}}
            for row in page]}
        if more:
            body["nextPageToken"] = f"p{start + size}"
        return reply(body)


class Intercom(Mock):
    """Contact search: what is compared is the day of the workspace."""

    name = "intercom"
    order = "asc"
    state = True
    inclusive = False
    overlap = 2 * 86400
    span = 8
    flips = ("order", "inclusive", "paging")
    limits = (broken, later_epoch("X-RateLimit-Remaining",
                                  "X-RateLimit-Reset"))
    backlog = 400
    burst = 500

    def day(self, at):
        return int((at - 7 * 3600) // 86400)

    def on_list(self, asked):
        wish = asked.json
        if wish["query"]["operator"] != ">":
            raise contract.Refused("this walk was to ask for >")
        bound = self.day(int(wish["query"]["value"]))
        rows = self.listed(bound, lambda row: self.day(row.stamp))
        pages = wish.get("pagination", {})
        if "starting_after" in pages:
            stamp, number = pages["starting_after"][1:].split("n")
            key = (int(stamp), int(number))
            down = self.flip == "order"
            rows = [row for row in rows
                    if (self.key(row) < key if down else self.key(row) > key)]
        size = min(int(pages.get("per_page", 50)), 150)
        page = self.near(rows, size)
        told = {"type": "pages", "page": 1, "per_page": size}
        if len(rows) > size:
            told["next"] = {"page": 2, "starting_after":
                            f"k{int(page[-1].stamp)}n{page[-1].number}"}
        return reply({"type": "list", "total_count": len(rows), "data": [
            {"type": "contact", "id": f"66f{row.thing:021d}",
             "name": row.fact, "created_at": int(row.born),
             "updated_at": int(row.stamp)} for row in page], "pages": told},
            {"X-RateLimit-Remaining": "99"})


class Razorpay(Mock):
    """Payments by created_at, newest first, by `skip`; a payment's status
    changes and its time does not."""

    name = "razorpay"
    state = True
    overlap = 86400
    span = 12
    flips = ("order", "inclusive", "paging")
    limits = (broken, lambda mock: (0, reply({"error": {
        "code": "BAD_REQUEST_ERROR"}}, status=429)))
    params = {"key_id": "rzp_test_1"}
    steps = ("created", "authorized", "captured")

    @property
    def secrets(self):
        return {"api_key": "the-key-secret", **self.params}

    may_change = Twilio.may_change

    def note(self, thing, stamp):
        row = super().note(thing, stamp)
        row.stamp = row.born
        row.shown = min(row.shown, row.born + 0.8 * self.overlap)
        return row

    def on_list(self, asked):
        low = asked.query.get("from")
        high = int(asked.query.get("to", 2**40))
        rows = [row for row in self.listed(int(low) if low else None)
                if row.stamp <= high]
        size = asked.count("count", 10, 100)
        page, _ = self.by_place(rows, int(asked.query.get("skip", 0)), size)
        return reply({"entity": "collection", "count": len(page), "items": [
            {"id": f"pay_{row.thing:014d}", "entity": "payment",
             "amount": 100, "currency": "INR", "description": row.fact,
             "status": self.steps[row.version - 1],
             "created_at": int(row.stamp)} for row in page]})
