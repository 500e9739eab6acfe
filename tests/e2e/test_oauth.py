# SPDX-License-Identifier: MIT
"""Lists behind OAuth 2: tokens that have to be asked for."""
import json
import os
import stat
import urllib.parse

import harness
from harness import answer, iso, replies, wait_until


class Site:
    """A provider that gives tokens and takes only the last of them."""

    def __init__(self, case):
        self.provider = case.provider()
        self.provider.default = self.serve
        self.tokens = []       # forms that asked for one
        self.rows = []
        self.refusal = None    # (status, body) in place of a token
        self.good = None       # the token that is taken

    def serve(self, handler, asked):
        if asked.path == "/oauth/token":
            self.give(handler)
        elif asked.headers.get("Authorization") != f"Bearer {self.good}":
            answer(handler, 401, b"{}")
        elif asked.path.startswith("/thing/"):
            answer(handler, 200, json.dumps({"whole": asked.path}).encode())
        else:
            answer(handler, 200, json.dumps({"rows": self.rows}).encode())

    def give(self, handler):
        form = urllib.parse.parse_qs(handler.sent.decode())
        self.tokens.append({k: v[0] for k, v in form.items()})
        if self.refusal:
            answer(handler, *self.refusal)
            return
        number = len(self.tokens)
        self.good = f"acc3ss-{number}"
        answer(handler, 200, json.dumps({
            "access_token": self.good, "token_type": "bearer",
            "expires_in": 3600, "refresh_token": f"r3fresh-{number}"}).encode())


class OAuth(harness.Case):
    def reader(self, site, names=("list",), **poll):
        agent = self.agent({}, listen=False)
        declared = {
            "request": {"url": "https://api.example/list"},
            "auth": {"type": "oauth2", "grant": "refresh_token",
                     "token_url": "https://id.example/oauth/token",
                     "client_auth": "body"},
            "items": "rows[*]",
            "record": {"id": "{id}", "type": "row", "time": "at"}, **poll}
        with open(agent.path("list.yaml"), "w", encoding="utf-8") as file:
            json.dump({"params": {"base": {}, "client_id": {},
                                  "client_secret": {"secret": True},
                                  "refresh_token": {"secret": True}},
                       "poll": declared}, file)
        for name in names:
            agent.config["connectors"][name] = {
                "use": "./list.yaml",
                "with": {"base": site.provider.url, "client_id": "me",
                         "client_secret": "s3cret", "refresh_token": "r0"},
                "poll": {"every": "1s", "start": "1h"}}
        agent.write_config()
        return agent

    def test_one_token_serves_all_and_is_renewed_when_it_is_refused(self):
        site = Site(self)
        site.rows = [{"id": 1, "at": iso()}]
        agent = self.reader(site, names=("one", "two")).start()
        self.assertEqual(len(agent.wait_events(2)), 2)
        self.assertEqual(len(site.tokens), 1)
        self.assertEqual(site.tokens[0], {
            "grant_type": "refresh_token", "refresh_token": "r0",
            "client_id": "me", "client_secret": "s3cret"})
        site.good = "another"  # the provider has forgotten the first
        wait_until(lambda: len(site.tokens) >= 2, "another token")
        site.rows.append({"id": 2, "at": iso()})
        agent.wait_events(4)
        self.assertEqual(len(site.tokens), 2)
        self.assertEqual(site.tokens[1]["refresh_token"], "r3fresh-1")

    def test_a_refresh_token_that_changes_is_kept_over_a_kill(self):
        site = Site(self)
        site.rows = [{"id": 1, "at": iso()}]
        agent = self.reader(site).start()
        agent.wait_events(1)
        agent.kill()
        directory = agent.path("secrets")
        files = os.listdir(directory)
        self.assertEqual(len(files), 1)
        path = os.path.join(directory, files[0])
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        agent.start()
        wait_until(lambda: len(site.tokens) >= 2, "another token")
        self.assertEqual(site.tokens[1]["refresh_token"], "r3fresh-1")

    def test_a_refusal_is_told_in_words_and_shows_no_secret(self):
        site = Site(self)
        site.refusal = (400, b'{"error":"invalid_grant",'
                             b'"error_description":"r0 is worn out"}')
        agent = self.reader(site).start()
        wait_until(lambda: "invalid_grant" in agent.log(), "words")
        self.assertIn("authorize the application again", agent.log())
        wait_until(lambda: agent.metric("poll_runs_total", connector="list",
                                        outcome="failed") >= 2, "two walks")
        self.assertEqual(len(site.tokens), 1)
        site.refusal = None
        agent.stop()
        agent.start()
        site.rows = [{"id": 1, "at": iso()}]
        agent.wait_events(1)
        for secret in ("s3cret", "r0 ", "acc3ss", "r3fresh"):
            self.assertNotIn(secret, agent.log())

    def test_a_dry_run_asks_with_a_token_and_shows_none(self):
        site = Site(self)
        site.rows = [{"id": 1, "at": iso()}]
        agent = self.reader(site)
        done = agent.command("poll", "list", "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(site.tokens), 1)
        told = (done.stdout + done.stderr).decode()
        self.assertIn("/list", told)
        for secret in ("acc3ss", "s3cret", "r3fresh"):
            self.assertNotIn(secret, told)

    def test_details_are_asked_for_with_the_token_too(self):
        site = Site(self)
        site.rows = [{"id": 1, "at": iso()}, {"id": 2, "at": iso()}]
        agent = self.reader(
            site, follow={"url": "https://api.example/thing/{id}"}).start()
        events = agent.wait_events(2)
        self.assertEqual(sorted(e["data"]["whole"] for e in events),
                         ["/thing/1", "/thing/2"])
        self.assertEqual(len(site.tokens), 1)

    def test_a_limit_of_the_token_endpoint_is_waited_for(self):
        site = Site(self)
        site.rows = [{"id": 1, "at": iso()}]
        site.provider.script = [replies(429, b"{}", {"Retry-After": "3"})]
        agent = self.reader(site).start()
        agent.wait_events(1)
        asked = [a.at for a in site.provider.asked
                 if a.path == "/oauth/token"]
        self.assertEqual(len(asked), 2)
        self.assertGreaterEqual(asked[1] - asked[0], 2.9)


if __name__ == "__main__":
    harness.main()
