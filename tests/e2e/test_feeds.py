# SPDX-License-Identifier: MIT
"""Feeds: RSS and Atom, read as they change."""
import hashlib
import hmac
import json
import time
import urllib.request

import harness
from harness import answer, http_date, replies, stays, wait_until

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>A &amp; B</title><link>https://blog.example/</link>%s
%s</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:f</id>
<title>F</title><updated>2026-01-01T00:00:00Z</updated>
<entry><id>urn:e:%s</id><title>%s</title>
<updated>2026-01-01T00:00:00Z</updated><link href="/e"/></entry></feed>"""


def item(number, text="same"):
    return (f"<item><title><![CDATA[No <b>{number}</b>]]></title>"
            f"<link>/p/{number}</link><guid>g{number}</guid>"
            f"<pubDate>{http_date(time.time() - 60)}</pubDate>"
            f"<description>&lt;p&gt;{text}&lt;/p&gt;</description></item>\n")


class Feed:
    """One feed over HTTP, with validators."""

    def __init__(self, case):
        self.provider = case.provider()
        self.provider.default = self.serve
        self.items = []
        self.more = ""
        self.unchanged = 0

    def text(self):
        return (RSS % (self.more, "".join(self.items))).encode()

    def serve(self, handler, asked):
        body = self.text()
        etag = '"%s"' % hashlib.sha256(body).hexdigest()[:16]
        if asked.headers.get("If-None-Match") == etag:
            self.unchanged += 1
            answer(handler, 304, b"")
        else:
            answer(handler, 200, body, {"ETag": etag}, "application/rss+xml")


class Feeds(harness.Case):
    def reader(self, feed, **poll):
        agent = self.agent({}, listen=False)
        declared = {
            "request": {"url": "{var:base}/feed.xml"}, "items": "feed",
            "order": "desc", "cursor": {"kind": "seen"},
            "conditional": ["etag", "last_modified"],
            "limit": {"gone": [410]},
            "record": {"id": "id", "type": "entry", "time": "updated"},
            **poll}
        with open(agent.path("feed.yaml"), "w", encoding="utf-8") as file:
            json.dump({"params": {"base": {}}, "poll": declared}, file)
        agent.config["connectors"]["feed"] = {
            "use": "./feed.yaml", "with": {"base": feed.provider.url},
            "poll": {"every": "1s", "start": "1h"}}
        agent.write_config()
        return agent

    def test_entries_appear_once_whatever_their_order(self):
        feed = Feed(self)
        feed.items = [item(2), item(1)]
        agent = self.reader(feed).start()
        events = agent.wait_events(2)
        self.assertEqual([e["id"] for e in events], ["g1", "g2"])
        first = events[0]["data"]
        self.assertEqual(first["title"], "No <b>1</b>")
        self.assertEqual(first["link"], "https://blog.example/p/1")
        self.assertEqual(first["summary"], "<p>same</p>")
        self.assertIn("<guid>g1</guid>", first["xml"])
        wait_until(lambda: feed.unchanged >= 1, "a 304")
        feed.items = [item(1, "edited"), item(2), item(3)]
        self.assertEqual(agent.wait_events(3)[2]["id"], "g3")
        seen = len(feed.provider.asked)
        wait_until(lambda: len(feed.provider.asked) > seen + 1, "two walks")
        self.assertEqual(len(agent.events()), 3)

    def test_an_edited_entry_is_an_event_where_its_time_is_in_the_id(self):
        feed = Feed(self)
        feed.provider.default = replies(
            200, (ATOM % ("1", "one")).encode(), kind="application/atom+xml")
        agent = self.reader(
            feed, record={"id": "{id}:{updated}", "type": "entry",
                          "time": "updated"})
        agent.config["connectors"]["feed"]["poll"]["start"] = "2025-01-01"
        agent.write_config()
        agent.start()
        self.assertEqual(agent.wait_events(1)[0]["id"],
                         "urn:e:1:2026-01-01T00:00:00Z")
        feed.provider.default = replies(
            200, (ATOM % ("1", "one")).replace(
                "<updated>2026-01-01T00:00:00Z</updated><link",
                "<updated>2026-01-02T00:00:00Z</updated><link").encode(),
            kind="application/atom+xml")
        self.assertEqual(agent.wait_events(2)[1]["id"],
                         "urn:e:1:2026-01-02T00:00:00Z")

    def test_what_is_no_feed_is_an_error_in_words(self):
        feed = Feed(self)
        feed.provider.default = replies(200, b"<html>down</html>",
                                        kind="text/html")
        agent = self.reader(feed).start()
        wait_until(lambda: "its first element is <html>" in agent.log(),
                   "words")
        feed.provider.default = feed.serve
        feed.items = [item(1)]
        agent.wait_events(1)

    def test_a_feed_that_has_moved_says_where_to(self):
        feed = Feed(self)
        feed.provider.default = replies(
            301, b"", {"Location": "https://new.example/feed.xml"})
        agent = self.reader(feed).start()
        wait_until(lambda: "https://new.example/feed.xml" in agent.log(),
                   "words")
        self.assertIn("redirects are not followed", agent.log())

    def test_a_feed_that_is_gone_is_left_alone(self):
        feed = Feed(self)
        feed.provider.default = replies(410)
        agent = self.reader(feed).start()
        wait_until(lambda: "the list is no more" in agent.log(), "words")
        self.assertEqual(len(feed.provider.asked), 1)

    def test_a_feed_says_how_often_it_is_read(self):
        feed = Feed(self)
        feed.more = "<ttl>1</ttl>"
        feed.items = [item(1)]
        agent = self.reader(feed, interval={"from": ["feed:ttl"]}).start()
        agent.wait_events(1)
        wait_until(lambda: agent.metric("poll_runs_total", connector="feed",
                                        outcome="ok") >= 1, "a walk")
        stays(lambda: len(feed.provider.asked) == 1, "one request", 3)

    def test_a_dry_run_counts_the_entries(self):
        feed = Feed(self)
        feed.items = [item(2), item(1)]
        agent = self.reader(feed)
        done = agent.command("poll", "feed", "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        told = done.stdout.decode()
        self.assertIn("2 rows: 2 new, 0 known", told)

    def test_a_hub_pushes_what_the_feed_shows(self):
        feed = Feed(self)
        agent = self.reader(feed)
        with open(agent.path("feed.yaml"), encoding="utf-8") as file:
            declared = json.load(file)
        declared.update({
            "params": {"base": {}, "webhook_secret": {"secret": True}},
            "verify": {"type": "hmac", "alg": "sha256",
                       "signature": {"from": "header:X-Hub-Signature",
                                     "kv": "=", "name": "sha256"},
                       "signed": "{body}"},
            "event": {"split": "feed", "id": "item:id", "type": "entry",
                      "time": "item:updated"},
            "match": {"mode": "event"}})
        with open(agent.path("feed.yaml"), "w", encoding="utf-8") as file:
            json.dump(declared, file)
        agent.config["connectors"]["feed"]["with"]["webhook_secret"] = "hush"
        agent.port = harness.free_port()
        agent.config["listen"] = {"address": f"127.0.0.1:{agent.port}"}
        agent.write_config()
        agent.start()
        feed.items = [item(2), item(1)]
        body = feed.text()
        sign = hmac.new(b"hush", body, "sha256").hexdigest()
        request = urllib.request.Request(
            f"http://127.0.0.1:{agent.port}/hooks/feed", body,
            {"Content-Type": "application/rss+xml",
             "X-Hub-Signature": f"sha256={sign}"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            self.assertIn(reply.status, range(200, 300))
        events = agent.wait_events(2)
        self.assertEqual({e["id"] for e in events}, {"g1", "g2"})
        seen = len(feed.provider.asked)
        wait_until(lambda: len(feed.provider.asked) > seen + 2, "walks")
        self.assertEqual(len(agent.events()), 2)


if __name__ == "__main__":
    harness.main()
