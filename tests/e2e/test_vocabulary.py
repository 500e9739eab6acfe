# SPDX-License-Identifier: MIT
"""What a list can ask of its reader: words of `poll`, each over the real
program."""
import json
import threading
import time

import harness
from harness import answer, http_date, iso, replies, wait_until


def entry(number, at=None):
    return {"id": str(number), "at": iso(at)}


def listing(rows, **more):
    return json.dumps(dict(more, rows=rows)).encode()


class Vocabulary(harness.Case):
    def lister(self, provider, poll, every="1s"):
        """An agent that reads one list, started."""
        declared = {
            "request": {"url": "{var:base}/list"}, "items": "rows[*]",
            "record": {"id": "{id}", "type": "row", "time": "at"}, **poll}
        agent = self.agent({}, listen=False)
        with open(agent.path("list.yaml"), "w", encoding="utf-8") as file:
            json.dump({"params": {"base": {}}, "poll": declared}, file)
        agent.config["connectors"]["list"] = {
            "use": "./list.yaml", "with": {"base": provider.url},
            "poll": {"every": every, "start": "1h"}}
        agent.write_config()
        return agent.start()

    def ids(self, agent, count):
        return [e["id"] for e in agent.wait_events(count)]

    def runs(self, agent, outcome):
        return agent.metric("poll_runs_total", connector="list",
                            outcome=outcome)

    def test_a_log_of_webhooks_brings_their_fields(self):
        provider = self.provider()

        def serve(handler, asked):
            if asked.path == "/list":
                answer(handler, 200, listing([entry(1), entry(2)]))
            else:
                kind = "odd" if asked.path.endswith("1") else "even"
                answer(handler, 200, json.dumps({
                    "headers": {"X-Kind": kind},
                    "payload": {"of": asked.path}}).encode())
        provider.default = serve
        agent = self.lister(provider, {
            "follow": {"url": "{request.url}/{id}", "body": "payload",
                       "headers": "headers"},
            "record": {"id": "{id}", "type": "header:X-Kind", "time": "at"}})
        events = agent.wait_events(2)
        self.assertEqual({e["id"]: e["type"] for e in events},
                         {"1": "odd", "2": "even"})
        self.assertEqual({e["data"]["of"] for e in events},
                         {"/list/1", "/list/2"})

    def test_a_list_that_has_not_changed_is_not_read_again(self):
        provider = self.provider()
        rows = [entry(1)]
        changed = [time.time() - 60]

        def serve(handler, asked):
            stamp = http_date(changed[0])
            if asked.headers.get("If-Modified-Since") == stamp:
                answer(handler, 304, b"")
            else:
                answer(handler, 200, listing(rows), {"Last-Modified": stamp})
        provider.default = serve
        agent = self.lister(provider, {"conditional": ["etag",
                                                       "last_modified"]})
        self.ids(agent, 1)
        wait_until(lambda: self.runs(agent, "ok") >= 2, "a 304")
        self.assertIn("If-Modified-Since", provider.asked[-1].headers)
        rows.append(entry(2))
        changed[0] = time.time() - 5
        self.assertEqual(self.ids(agent, 2), ["1", "2"])

    def test_a_list_that_is_gone_is_left_alone_until_somebody_asks(self):
        provider = self.provider()
        provider.default = replies(200, listing([entry(1)]))
        provider.script.append(replies(410, b"{}"))
        agent = self.lister(provider, {"limit": {"gone": [410]}})
        wait_until(lambda: self.runs(agent, "gone") == 1, "polling stops")
        self.assertIn("polling stops", agent.log())
        self.assertEqual(len(provider.asked), 1)
        self.assertEqual(agent.command("poll", "list").returncode, 0)
        self.assertEqual(self.ids(agent, 1), ["1"])

    def test_an_expired_cursor_is_one_gap_and_loses_nothing_listed(self):
        provider = self.provider()
        rows = [entry(n) for n in range(1, 4)]
        forgotten = []

        def serve(handler, asked):
            after = asked.query.get("after", "")
            if after in forgotten:
                answer(handler, 409, b'{"error":{".tag":"reset"}}')
                return
            start = 0 if after in ("", "0") else int(after[1:])
            answer(handler, 200, listing(rows[start:],
                                         next=f"t{len(rows)}"))
        provider.default = serve
        agent = self.lister(provider, {
            "request": {"url": "{var:base}/list",
                        "query": {"after": "{cursor}"}},
            "order": "asc", "cursor": {
                "kind": "token", "from": "next", "start": "0", "expired": [
                    {"status": 409, "x": "json:error['.tag']",
                     "equals": "reset"}]}})
        self.ids(agent, 3)
        wait_until(lambda: provider.asked[-1].query.get("after") == "t3",
                   "the cursor is sent")
        rows.append(entry(4))
        forgotten += ["t3"]
        self.assertEqual(self.ids(agent, 4), ["1", "2", "3", "4"])
        self.assertEqual(agent.metric("gaps_total", connector="list"), 1)
        self.assertIn("kind=cursor", agent.log())
        wait_until(lambda: provider.asked[-1].query.get("after") == "t4",
                   "it goes on behind the new cursor")
        self.assertEqual(len(agent.events()), 4)

    def test_a_list_that_cuts_long_answers_is_read_in_windows(self):
        provider = self.provider()
        now = time.time()
        rows = [entry(n, now - 3000 + n) for n in range(120)]
        rows += [entry(n, now - 1000 + 4 * n) for n in range(120, 200)]

        def serve(handler, asked):
            shown = [r for r in rows if asked.query["from"] <= r["at"] and
                     r["at"] <= asked.query["to"]]
            answer(handler, 200, listing(shown[::-1][:20]))
        provider.default = serve
        agent = self.lister(provider, {
            "request": {"url": "{var:base}/list", "query": {
                "from": "{cursor}", "to": "{until}"}},
            "order": "desc", "cursor": {
                "kind": "time", "from": "at", "format": "iso8601",
                "inclusive": True, "window": "30m", "full": 20}})
        self.assertEqual({int(n) for n in self.ids(agent, 200)},
                         set(range(200)))
        wait_until(lambda: self.runs(agent, "ok") >= 1, "a whole walk")
        self.assertEqual(agent.metric("gaps_total", connector="list"), 0)

    def test_a_feed_that_dropped_rows_unseen_has_a_gap(self):
        provider = self.provider()
        rows = []
        provider.default = lambda handler, asked: answer(
            handler, 200, listing(rows[-3:][::-1]))
        agent = self.lister(provider, {"order": "desc", "cursor": {
            "kind": "seen", "from": "id", "keep": 3}})
        rows += [entry(1), entry(2)]
        self.assertEqual(self.ids(agent, 2), ["1", "2"])
        runs = self.runs(agent, "ok")
        wait_until(lambda: self.runs(agent, "ok") > runs + 1, "known rows")
        self.assertEqual(agent.metric("gaps_total", connector="list"), 0)
        # Five at once, of which the feed keeps three.
        rows.extend([entry(n, time.time() + 1) for n in range(3, 8)])
        self.assertEqual(self.ids(agent, 5), ["1", "2", "5", "6", "7"])
        agent.wait_metric(1, "gaps_total", connector="list")
        self.assertIn("kind=count", agent.log())

    def test_rows_deleted_while_a_list_is_read_by_offset_hide_none(self):
        provider = self.provider()
        rows = [entry(n) for n in range(12, 0, -1)]

        def serve(handler, asked):
            at = int(asked.query["at"])
            if at > 0 and len(rows) == 12:
                del rows[:2]  # the rows of the next page move up
            answer(handler, 200, listing(rows[at:at + 4]))
        provider.default = serve
        agent = self.lister(provider, {
            "request": {"url": "{var:base}/list", "query": {"at": "{page}"}},
            "order": "desc", "pages": {"kind": "offset", "size": 4}})
        wait_until(lambda: self.runs(agent, "ok") >= 1, "a whole walk")
        self.assertEqual({int(n) for n in self.ids(agent, 12)},
                         set(range(1, 13)))

    def test_a_list_that_holds_requests_shows_rows_as_they_come(self):
        provider = self.provider()
        rows = [dict(entry(1), n=1)]
        came = threading.Condition()

        def serve(handler, asked):
            offset = int(asked.query.get("offset", 0))
            with came:
                del rows[:sum(r["n"] < offset for r in rows)]
                came.wait_for(lambda: rows or provider.ended.is_set(), 30)
                answer(handler, 200, listing(rows))
        provider.default = serve
        agent = self.lister(provider, {
            "request": {"url": "{var:base}/list",
                        "query": {"offset": "{cursor}"}},
            "order": "asc", "wait": "30s", "cursor": {
                "kind": "id", "from": "max(n)+1", "compare": "numeric",
                "acks": True},
            "pages": {"kind": "cursor", "size": 100}}, every="1h")
        self.ids(agent, 1)
        for n in range(2, 5):
            wait_until(lambda: provider.asked[-1].query.get("offset") ==
                       str(n), "the next request waits")
            with came:
                rows.append(dict(entry(n), n=n))
                came.notify_all()
            self.ids(agent, n)
        self.assertEqual(len(agent.events()), 4)
        wait_until(lambda: provider.asked[-1].query.get("offset") == "5",
                   "one more request waits")
        code, seconds = agent.stop()
        self.assertEqual(code, 0)
        self.assertLess(seconds, 5)
        with came:
            provider.ended.set()
            came.notify_all()

    def journal(self, files, **indirect):
        """An agent that reads a list whose answers name files at `files`, by
        offset, and the list's provider."""
        provider = self.provider()

        def serve(handler, asked):
            at = int(asked.query.get("after", "0"))
            body = {"at": at}
            if at < 3:
                body = {"at": at + 1, "url": f"{files.url}/file/{at + 1}?s=1"}
            answer(handler, 200, json.dumps(body).encode())
        provider.default = serve
        agent = self.lister(provider, {
            "request": {"url": "{var:base}/list",
                        "query": {"after": "{cursor}"},
                        "headers": {"X-App": "secret"}},
            "order": "asc", "cursor": {"kind": "token", "from": "at"},
            "pages": {"kind": "cursor", "more": "url"},
            "indirect": {"url": "url", **indirect}})
        return agent, provider

    def serve_files(self, files, fails=0):
        """Files of two rows each; the first few requests fail."""
        def serve(handler, asked):
            number = int(asked.path.rsplit("/", 1)[1])
            if len(files.asked) <= fails:
                answer(handler, 403, b"{}")
                return
            rows = [entry(10 * number), entry(10 * number + 1)]
            answer(handler, 200, listing(rows))
        files.default = serve

    def test_the_rows_are_in_the_files_that_the_answers_name(self):
        files = self.provider()
        self.serve_files(files, fails=1)
        agent, provider = self.journal(
            files, auth="same", allow=r"^127\.0\.0\.1:[0-9]+$")
        self.assertEqual(self.ids(agent, 6),
                         ["10", "11", "20", "21", "30", "31"])
        self.assertEqual(self.runs(agent, "failed"), 1)
        self.assertIn("the rows' file: HTTP 403", agent.log())
        self.assertEqual([a.path for a in files.asked],
                         ["/file/1", "/file/1", "/file/2", "/file/3"])
        self.assertEqual(provider.asked[0].headers["X-App"], "secret")
        self.assertNotIn("X-App", files.asked[0].headers)
        wait_until(lambda: provider.asked[-1].query.get("after") == "3",
                   "the list is read on from the last file")
        agent.kill()
        count = len(files.asked)
        agent.start()
        wait_until(lambda: self.runs(agent, "ok") >= 1, "a walk")
        self.assertEqual(len(files.asked), count)

    def test_a_file_at_a_host_nobody_named_is_not_fetched(self):
        files = self.provider()
        self.serve_files(files)
        agent, _ = self.journal(files, allow=r"^files\.example\.org$")
        wait_until(lambda: self.runs(agent, "failed") >= 1, "it fails")
        self.assertIn("indirect.allow", agent.log())
        self.assertEqual(files.asked, [])

    def test_a_list_is_set_up_before_it_is_read_for_the_first_time(self):
        provider = self.provider()
        provider.default = replies(200, listing([entry(1)]))
        provider.script.append(replies(500, b"{}"))
        agent = self.lister(provider, {"setup": [
            {"method": "POST", "url": "{var:base}/enable",
             "json": {"on": True}}]})
        self.ids(agent, 1)
        self.assertEqual(self.runs(agent, "failed"), 1)
        self.assertIn("setup, request 1: HTTP 500", agent.log())
        agent.kill()
        agent.start()
        wait_until(lambda: self.runs(agent, "ok") >= 1, "a walk")
        paths = [a.path for a in provider.asked]
        self.assertEqual(paths[:3], ["/enable", "/enable", "/list"])
        self.assertEqual(paths.count("/enable"), 2)

    def test_a_gate_says_when_there_is_something_to_read(self):
        provider = self.provider()
        rows = [entry(1)]
        came = threading.Condition()

        def serve(handler, asked):
            at = int(asked.query["at"])
            with came:
                if asked.path == "/gate":
                    came.wait_for(lambda: len(rows) > at or
                                  provider.ended.is_set(), 30)
                    body = json.dumps({"changes": len(rows) > at}).encode()
                else:
                    body = listing(rows[at:], next=str(len(rows)))
            answer(handler, 200, body)
        provider.default = serve
        agent = self.lister(provider, {
            "request": {"url": "{var:base}/list",
                        "query": {"at": "{cursor}"}},
            "order": "asc",
            "cursor": {"kind": "token", "from": "next", "start": "0"},
            "gate": {"url": "{var:base}/gate", "query": {"at": "{cursor}"},
                     "go_when": {"x": "json:changes", "equals": True}}},
            every="1h")
        self.ids(agent, 1)
        for n in range(2, 4):
            wait_until(lambda: provider.asked[-1].path == "/gate" and
                       provider.asked[-1].query["at"] == str(n - 1),
                       "the gate is asked")
            with came:
                rows.append(entry(n))
                came.notify_all()
            self.ids(agent, n)
        self.assertEqual([a.path for a in provider.asked].count("/list"), 3)
        wait_until(lambda: provider.asked[-1].path == "/gate", "the gate")
        code, seconds = agent.stop()
        self.assertEqual(code, 0)
        self.assertLess(seconds, 5)
        with came:
            provider.ended.set()
            came.notify_all()
