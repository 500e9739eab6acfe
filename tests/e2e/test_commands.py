# SPDX-License-Identifier: MIT
"""The commands that work alone: their words and their exit codes."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import LONGSTOP, Hook, iso, longstop, row, wait_until


class Check(harness.Case):
    def write(self, agent, text):
        with open(agent.config_path, "w", encoding="utf-8") as file:
            file.write(text)

    def test_a_good_configuration_is_0_and_tells_the_loss_bound(self):
        provider = self.provider()
        agent = self.agent({"shop": harness.pet_store(provider)})
        got = agent.command("check")
        self.assertEqual((got.returncode, got.stderr), (0, b""))
        self.assertIn(b"within 1m", got.stdout)
        self.assertIn(b"dedup", got.stdout)
        as_json = agent.command("check", "--json")
        self.assertEqual(as_json.returncode, 0)
        told = json.loads(as_json.stdout)
        self.assertTrue(told["ok"])
        self.assertEqual(told["connectors"][0]["loss_bound_seconds"], 60)
        self.assertEqual(told["connectors"][0]["only_by_webhook"],
                         ["order.deleted"])
        self.assertIn(b"only by webhook: order.deleted;", got.stdout)
        self.assertEqual(provider.asked, [], "check is offline")
        self.assertFalse(os.path.exists(agent.path("longstop.db")))

    def test_it_tells_how_late_the_list_may_be_and_what_walks_cost(self):
        provider = self.provider()
        for poll, words, numbers in (
                ({"every": "60s"},
                 ["within 1m31s: every 1m + a walk (a request may take 30s)",
                  "calls: at least 1440 a day"],
                 ("fixed", 60, 91, 1440, 1440)),
                ({"pace": "adaptive", "slowest": "15m"},
                 ["within 15m31s: slowest 15m + a walk",
                  "walks: every 10s to 15m, as webhooks miss",
                  "calls: from 96 to 8640 a day"],
                 ("adaptive", 900, 931, 96, 8640)),
                ({"cron": "*/5 8-17 * * *"},
                 ["within 14h5m31s: cron's longest pause 14h5m"],
                 ("cron", 50700, 50731, 1, 288))):
            shop = harness.pet_store(provider)
            del shop["poll"]["every"]
            shop["poll"].update(poll)
            agent = self.agent({"shop": shop})
            got = agent.command("check").stdout.decode()
            for word in words:
                self.assertIn(word, got)
            told = json.loads(agent.command("check", "--json").stdout)
            told = told["connectors"][0]
            self.assertEqual(numbers, tuple(told[key] for key in (
                "pace", "every_seconds", "staleness_seconds",
                "calls_a_day_least", "calls_a_day_most")))

    def test_it_tells_for_how_long_an_id_is_known(self):
        shop = harness.pet_store(self.provider())
        for keep, days in ((None, 35), ("40d", 40)):
            if keep:
                shop["keep_ids"] = keep
            agent = self.agent({"shop": shop})
            self.assertIn(f"dedup horizon: an id that comes again within "
                          f"{days}d is a duplicate\n",
                          agent.command("check").stdout.decode())
            told = json.loads(agent.command("check", "--json").stdout)
            self.assertEqual(told["connectors"][0]["dedup_horizon_seconds"],
                             days * 86400)

    def test_ids_that_walks_would_bring_again_must_be_kept(self):
        provider = self.provider()
        for poll, keep, longer, places in (
                ({"retention": "40d"}, None, "provider's retention (40d)", 0),
                ({"retention": "4d"}, "3d", "provider's retention (4d)", 1),
                ({"overlap": "2d"}, "1d", "overlap (2d)", 1),
                ({"overlap": "auto", "overlap_max": "36d"}, "35d",
                 "overlap (36d)", 1),
                ({"sweeps": [{"every": "1d", "overlap": "5d"}]}, "4d",
                 "overlap (5d)", 1)):
            shop = harness.pet_store(provider, poll=poll)
            if keep:
                shop["keep_ids"] = keep
            agent = self.agent({"shop": shop})
            got = agent.command("check")
            said = got.stderr.decode()
            self.assertEqual(got.returncode, 78, poll)
            self.assertIn(f"error: 'keep_ids' ({keep or '35d'}) is shorter "
                          f"than the {longer}: walks would bring forgotten "
                          f"events again\n", said)
            # it points to the key, where there is one
            self.assertEqual(said.count("keep_ids"), 1 + places, said)
            shop["keep_ids"] = "41d"
            agent = self.agent({"shop": shop})
            self.assertEqual(agent.command("check").returncode, 0)

    def test_what_only_a_sweep_covers_is_told_apart(self):
        agent = self.agent({"shop": harness.pet_store(
            self.provider(),
            poll={"sweeps": [{"every": "1h", "overlap": "1d"}]})})
        got = agent.command("check").stdout.decode()
        self.assertIn("within 1d of its time; each walk covers 1m, what is "
                      "shown later waits for a sweep", got)
        self.assertIn("what only such a walk covers is here within", got)

    def test_it_says_what_a_list_of_latest_rows_cannot_tell(self):
        feed = {"use": "rss_atom", "with": {"feed": "http://127.0.0.1:9/feed"},
                "poll": {"every": "5m", "overlap": "20m"}}
        for shop, says in ((feed, True),
                           (dict(feed, poll=dict(feed["poll"],
                                                 retention="7d")), False),
                           (harness.pet_store(self.provider()), False)):
            agent = self.agent({"shop": shop})
            got = agent.command("check")
            self.assertEqual(got.returncode, 0, got.stderr)
            self.assertEqual("what it shows late and drops before the next "
                             "walk leaves no trace; walk so often that what "
                             "stood 20m before a walk is still there"
                             in got.stdout.decode(), says, got.stdout)

    def test_it_says_where_webhooks_go_and_grace_where_two_can_tell(self):
        provider = self.provider()
        both = harness.pet_store(provider)
        polled = harness.pet_store(provider, hooks=False)
        hooked = harness.pet_store()
        for shop, listen, there, not_there in (
                (both, {"address": "127.0.0.1:1"},
                 ["POST to http://127.0.0.1:1/hooks/shop; say 'listen.pub",
                  "grace: an event that only the list has shown"], []),
                (both, {"address": "127.0.0.1:1",
                        "public_url": "https://h.example"},
                 ["POST to https://h.example/hooks/shop\n"], []),
                (both, {"address": "unix:hooks.sock"},
                 ["POST to /hooks/shop on unix:"], []),
                (both, None, ["webhooks: none can arrive"], ["grace:"]),
                (polled, None, ["order: a walk may bring newer"],
                 ["grace:", "webhooks:"]),
                (hooked, {"address": "127.0.0.1:1"},
                 ["loss bound: none: what a webhook does not bring is lost"],
                 ["grace:"])):
            agent = self.agent({"shop": shop})
            top = {"connectors": {"shop": shop},
                   "handlers": {"log": {"file": "events.jsonl"}}}
            if listen:
                top["listen"] = listen
            self.write(agent, json.dumps(top))
            got = agent.command("check")
            self.assertEqual(got.returncode, 0, got.stderr)
            for words in there:
                self.assertIn(words, got.stdout.decode())
            for words in not_there:
                self.assertNotIn(words, got.stdout.decode())

    def test_an_empty_configuration_points_to_init(self):
        agent = self.agent({})
        for text in ("", "connectors: {}\n"):
            self.write(agent, text)
            got = agent.command("check")
            self.assertIn(b"longstop init stripe", got.stdout + got.stderr)
            self.assertNotIn(b"no handler", got.stdout + got.stderr)

    def test_an_overlap_that_follows_the_lag_says_its_bounds(self):
        agent = self.agent({"shop": harness.pet_store(
            self.provider(), poll={"overlap": "auto"})})
        got = agent.command("check").stdout.decode()
        self.assertIn("within 2m of its time; it follows what the list was "
                      "late, up to 1h", got)
        self.assertIn("overlap 2m to 1h", got)
        told = json.loads(agent.command("check", "--json").stdout)
        told = told["connectors"][0]
        self.assertEqual((told["loss_bound_seconds"],
                          told["loss_bound_most_seconds"]), (120, 3600))

    def test_it_names_those_who_share_a_budget_and_the_lowest_wins(self):
        provider = self.provider()
        shops = {}
        for name, budget in (("a", "5/1s"), ("b", "60/1m"), ("c", None)):
            shops[name] = harness.pet_store(provider, False)
            if budget:
                shops[name]["poll"]["limit"] = {"budget": budget}
        shops["c"]["with"]["api_key"] = "another"
        agent = self.agent(shops)
        got = agent.command("check").stdout.decode()
        self.assertIn("budget: 60 requests in 1m, shared with b", got)
        self.assertIn("budget: 60 requests in 1m, shared with a", got)
        self.assertEqual(got.count("budget:"), 2)
        told = json.loads(agent.command("check", "--json").stdout)
        self.assertEqual([c["budget"] for c in told["connectors"]], [
            {"requests": 60, "per_seconds": 60, "shared_with": ["b"]},
            {"requests": 60, "per_seconds": 60, "shared_with": ["a"]},
            {"requests": 0, "per_seconds": 0, "shared_with": []}])

    def test_every_mistake_is_told_in_one_run_with_its_place(self):
        agent = self.agent({})
        self.write(agent, """listen:
  addressx: 127.0.0.1:8080
connectors:
  shop:
    use: petstore
    with: {webhook_secret: ""}
    poll: {every: 60}
handlers:
  a: {file: x.jsonl, tyeps: [a]}
  b: {}
""")
        got = agent.command("check")
        self.assertEqual(got.returncode, 78)
        text = (got.stdout + got.stderr).decode()
        for place, words in (("2:3", "address"), ("6:", "secret"),
                             ("7:", "unit"), ("9:22", "types"),
                             ("10:", "exactly one")):
            self.assertRegex(text, rf"longstop\.yaml:{place}")
            self.assertIn(words, text)
        self.assertIn("did you mean", text)
        self.assertIn("^", text)
        run = agent.command("run")
        self.assertEqual(run.returncode, 78)

    def test_no_configuration_is_78_and_says_where_it_was_looked_for(self):
        agent = self.agent({})
        os.unlink(agent.config_path)
        for name in ("check", "run"):
            got = agent.command(name)
            self.assertEqual(got.returncode, 78)
            self.assertIn(b"longstop.yaml", got.stderr)

    def test_an_unset_variable_is_refused_and_a_default_is_taken(self):
        agent = self.agent({})
        for text, code in (("${NO_SUCH_VARIABLE_HERE}", 78),
                           ("${NO_SUCH_VARIABLE_HERE:-good}", 0),
                           ("$$literal", 0)):
            self.write(agent, "connectors:\n  shop:\n    use: petstore\n"
                       f"    with: {{webhook_secret: \"{text}\"}}\n"
                       "listen: {address: \"127.0.0.1:1\"}\n")
            got = agent.command("check")
            self.assertEqual(got.returncode, code, got.stderr)

    def test_a_connector_without_any_channel_is_an_error(self):
        agent = self.agent({"shop": {"use": "petstore", "with": {}}})
        self.assertEqual(agent.command("check").returncode, 78)

    def test_polling_that_lacks_a_parameter_names_it(self):
        agent = self.agent({"shop": {"use": "petstore", "with": {
            "webhook_secret": "s", "base": "http://127.0.0.1:9"},
            "poll": {"every": "60s"}}})
        got = agent.command("check")
        self.assertEqual(got.returncode, 78)
        self.assertIn(b"api_key", got.stdout + got.stderr)


class Init(harness.Case):
    def test_an_unknown_name_is_refused_and_where_it_was_looked_for(self):
        got = longstop("init", "strip")
        self.assertNotEqual(got.returncode, 0)
        self.assertIn(b"LONGSTOP_CONNECTORS", got.stderr)


class Verify(harness.Case):
    def request(self, hook, path="/hooks/shop"):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n" + "".join(
            f"{k}: {v}\r\n" for k, v in hook.headers.items()) + \
            f"Content-Length: {len(hook.body)}\r\n\r\n"
        return head.encode() + hook.body

    def test_a_genuine_request_is_0_whatever_its_path(self):
        agent = self.agent({"shop": harness.pet_store()})
        hook = Hook(1, iso())
        for path in ("/hooks/shop", "/somewhere/else"):
            got = agent.command("verify", "shop", "-",
                                stdin=self.request(hook, path))
            self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        with open(agent.path("request.http"), "wb") as file:
            file.write(self.request(hook))
        got = agent.command("verify", "--json", "shop",
                            agent.path("request.http"))
        self.assertEqual(got.returncode, 0)
        told = json.loads(got.stdout)
        self.assertTrue(told["genuine"])
        self.assertEqual(told["events"][0]["type"], "order.created")

    def test_a_request_that_is_not_is_1_and_says_why_without_the_secret(self):
        agent = self.agent({"shop": harness.pet_store()})
        altered = Hook(1, iso())
        altered.body = altered.body.replace(b"open", b"paid")
        bare = Hook(1, iso())
        del bare.headers["X-Webhook-Signature"]
        edited = Hook(1, iso())
        edited.body += b"\n"
        for hook, words in ((Hook(1, iso(), secret="other"), b"secret"),
                            (altered, b"altered"),
                            (edited, b"ends in a line break"),
                            (bare, b"X-Webhook-Signature")):
            got = agent.command("verify", "shop", "-",
                                stdin=self.request(hook))
            self.assertEqual(got.returncode, 1)
            self.assertIn(words, got.stdout)
            self.assertNotIn(harness.SECRET.encode(),
                             got.stdout + got.stderr)

    def test_a_request_that_is_too_old_says_by_how_much(self):
        agent = self.agent({"pay": {"use": "stripe", "with": {
            "webhook_secret": "whsec_x"}}})
        body = b'{"id":"evt_1","type":"a.b","created":1700000000}'
        at = 1700000000
        signature = harness.sign(f"{at}.".encode() + body, "whsec_x")
        hook = Hook(1, "", body=body)
        hook.headers = {"Stripe-Signature": f"t={at},v1={signature}"}
        good = agent.command("verify", "--at", str(at + 5), "pay", "-",
                             stdin=self.request(hook))
        self.assertEqual(good.returncode, 0, good.stdout + good.stderr)
        late = agent.command("verify", "--at", str(at + 412), "pay", "-",
                             stdin=self.request(hook))
        self.assertEqual(late.returncode, 1)
        self.assertIn(b"412 s", late.stdout)


class Poll(harness.Case):
    def test_a_dry_run_prints_what_would_be_new_and_stores_nothing(self):
        provider = self.provider([row(1, iso()), row(2, iso())])
        agent = self.agent({"shop": harness.pet_store(provider)})
        got = agent.command("poll", "--dry-run", "shop")
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertIn(b"2 new", got.stdout)
        self.assertIn(b"/v1/orders", got.stdout)
        self.assertIn(b"dry run: nothing was stored", got.stdout)
        self.assertNotIn(harness.TOKEN.encode(), got.stdout + got.stderr)
        agent.start()
        self.assertEqual(len(agent.wait_events(2)), 2)

    def test_a_walk_without_the_agent_is_owed_and_the_next_run_delivers(self):
        provider = self.provider([row(1, iso()), row(2, iso())])
        agent = self.agent({"shop": harness.pet_store(provider)})
        got = agent.command("poll", "--json", "shop")
        self.assertEqual(got.returncode, 0, got.stderr)
        told = json.loads(got.stdout)
        self.assertEqual((told["new"], told["outcome"]), (2, "ok"))
        self.assertEqual(agent.events(), [])
        again = json.loads(agent.command("poll", "--json", "shop").stdout)
        self.assertEqual(again["new"], 0)
        agent.start()
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(2)],
                         [1, 2])

    def test_with_the_agent_running_it_asks_the_agent(self):
        provider = self.provider()
        agent = self.pet_shop(provider, poll={"every": "1h"})
        wait_until(lambda: agent.metric("poll_runs_total", connector="shop",
                                        outcome="ok") == 1, "the first walk")
        provider.rows.append(row(1, iso()))
        got = agent.command("poll", "--json", "shop")
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertEqual(json.loads(got.stdout)["new"], 1)
        agent.wait_events(1)

    def test_a_walk_that_fails_is_not_0_and_says_why(self):
        provider = self.provider()
        provider.default = harness.replies(500, b"{}")
        agent = self.agent({"shop": harness.pet_store(provider)})
        got = agent.command("poll", "shop")
        self.assertIn(got.returncode, (1, 75))
        self.assertIn(b"500", got.stdout + got.stderr)

    def test_a_connector_that_is_not_there_is_said(self):
        agent = self.agent({"shop": harness.pet_store()})
        for name in ("shop", "shopp"):
            got = agent.command("poll", name)
            self.assertNotEqual(got.returncode, 0)
            self.assertIn(name.encode(), got.stderr)


class Words(unittest.TestCase):
    def test_schemas_are_json(self):
        for name in ("config", "connector", "event"):
            got = longstop("schema", name)
            self.assertEqual(got.returncode, 0)
            self.assertIn("$schema", json.loads(got.stdout))
        self.assertEqual(longstop("schema", "nothing").returncode, 2)

    def test_version_is_one_line(self):
        for words in (["version"], ["--version"]):
            got = longstop(*words)
            self.assertEqual(got.returncode, 0)
            self.assertEqual(got.stdout.count(b"\n"), 1)

    def test_a_mistake_on_the_command_line_is_2_with_a_suggestion(self):
        got = longstop("checks")
        self.assertEqual(got.returncode, 2)
        self.assertIn(b"check", got.stderr)
        self.assertEqual(longstop().returncode, 2)
        self.assertEqual(longstop("run", "--confg", "x").returncode, 2)
        self.assertEqual(longstop("run", "surplus").returncode, 2)
        self.assertEqual(longstop("verify", "one").returncode, 2)
        self.assertEqual(longstop("help").returncode, 0)

    def test_every_command_has_help(self):
        for name in ("run", "check", "init", "verify", "poll", "demo",
                     "status", "events", "show", "gaps", "keys",
                     "schema", "version"):
            got = longstop(name, "--help")
            self.assertEqual(got.returncode, 0, name)
            self.assertIn(b"usage: longstop " + name.encode(), got.stdout)


# A provider in whose book no hook says that the second order was created.
FORGETFUL = """#!/bin/sh
book= next=
for word do
    shift
    if [ "$next" ]; then book=$word word=PLACE/pipe next=; fi
    if [ "$word" = --journal ]; then next=1; fi
    set -- "$@" "$word"
done
mkfifo PLACE/pipe
sed -u '/"order:2:.*order.created.*"what":"hook"/d' <PLACE/pipe >"$book" &
exec PROVIDER "$@"
"""


class Demo(unittest.TestCase):
    keys = ["produced", "hooked", "recovered", "duplicates", "delivered",
            "lost", "twice", "seconds", "late", "confirmed", "undecided",
            "lag_seconds", "agent"]

    def demo(self, *words, program=LONGSTOP, **env):
        got = subprocess.run([program, "demo", *words], timeout=120,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             env=harness.environment(**env), check=False)
        return got, json.loads(got.stdout) if "--json" in words else None

    def check(self, told, events):
        """What every good run says, whatever it lost."""
        self.assertEqual(list(told), self.keys)
        self.assertEqual((told["produced"], told["delivered"], told["lost"],
                          told["twice"]), (events, events, 0, 0))
        self.assertEqual(told["hooked"] + told["recovered"], events)
        agent = told["agent"]
        self.assertEqual(agent["webhook"] + agent["poll"], events)
        self.assertEqual(agent["bound_broken"], 0)
        self.assertEqual(agent["webhook"] + agent["duplicates"],
                         told["hooked"] + told["duplicates"])
        if told["undecided"] == 0:
            self.assertEqual(agent["late"], told["late"])
            self.assertEqual(agent["confirmed"], told["confirmed"])
            # Grace was over before a late hook came: it was recovered.
            self.assertEqual(agent["recovered"],
                             told["recovered"] + told["late"])

    def test_the_demo_loses_hooks_and_nothing_else(self):
        got, told = self.demo("--events", "200", "--loss", "30%", "--json")
        self.assertEqual(got.returncode, 0, got.stderr)
        self.check(told, 200)
        self.assertGreater(told["recovered"], 20)
        self.assertGreater(told["duplicates"], 0)
        self.assertGreater(told["late"], 0)
        self.assertGreater(told["confirmed"], 20)
        self.assertEqual(told["lag_seconds"]["longest"], 5.5)

    def test_the_demo_ends_with_one_sentence(self):
        got, _ = self.demo("--events", "50")
        self.assertEqual(got.returncode, 0, got.stderr)
        self.assertEqual(got.stdout.count(b"\n"), 1)
        self.assertIn(b"50 delivered, 0 lost, 0 twice", got.stdout)
        self.assertIn(b"the agent counted the same", got.stdout)

    def test_the_agent_agrees_with_the_book_at_any_loss_and_seed(self):
        runs = [("0", "1"), ("100", "2"), ("50", "3"), ("10", "4")]

        def run(words):
            loss, seed = words
            return self.demo("--events", "60", "--loss", loss, "--seed", seed,
                             "--json")

        with concurrent.futures.ThreadPoolExecutor() as pool:
            for (loss, _), (got, told) in zip(runs, pool.map(run, runs)):
                self.assertEqual(got.returncode, 0, got.stderr)
                self.check(told, 60)
                if loss in ("0", "100"):
                    self.assertEqual(told["hooked"],
                                     60 if loss == "0" else 0)

    def test_the_demo_fails_where_the_agent_counts_otherwise(self):
        """A book that forgets one hook: the agent has seen more than it."""
        with tempfile.TemporaryDirectory() as place:
            program = os.path.join(place, "longstop")
            shutil.copy(LONGSTOP, program)
            cast = os.path.join(place, "cast")
            os.mkdir(cast)
            os.symlink(harness.APPEND, os.path.join(cast, "longstop-append"))
            provider = os.path.join(cast, "longstop-provider")
            with open(provider, "w", encoding="utf-8") as file:
                file.write(FORGETFUL.replace("PLACE", place).replace(
                    "PROVIDER", harness.PROVIDER))
            os.chmod(provider, 0o755)
            got, told = self.demo("--events", "40", "--loss", "0", "--json",
                                  program=program, TMPDIR=place,
                                  LONGSTOP_PROVIDER=provider)
        self.assertEqual(got.returncode, 1)
        self.assertEqual((told["lost"], told["twice"]), (0, 0))
        self.assertEqual(told["hooked"], 39)
        self.assertIn(b"the agent counts", got.stderr)
        self.assertIn(b"but the journal says", got.stderr)

    def test_the_demo_refuses_what_it_cannot_do(self):
        for words in (["--events", "0"], ["--loss", "101"], ["--loss", "x"],
                      ["--seed", "-1"], ["extra"]):
            self.assertEqual(longstop("demo", *words).returncode, 2, words)
