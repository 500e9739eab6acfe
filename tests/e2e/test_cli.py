# SPDX-License-Identifier: MIT
"""The words of the command line and of the configuration, taken literally."""
import hashlib
import hmac
import json
import os
import shutil
import tempfile
import time

import harness
from harness import answer, iso, longstop, row, wait_until

# The reference configuration, as far as this version goes.
WHOLE = """
store: sqlite:longstop.db
listen:
  address: 127.0.0.1:8080
  public_url: https://hooks.example.com
  max_body: 1MiB
  trusted_proxies: [127.0.0.1/32]
admin:
  address: unix:admin.sock
  token_file: admin.token
connectors:
  shop:
    use: petstore
    with: {base: "http://127.0.0.1:9090", webhook_secret_file: shop.secret,
           api_key: "${SHOP_KEY}"}
    webhook: {allow_from: [192.0.2.0/24], rate: 100/s}
    poll: {every: 60s, overlap: 2m, pace: fixed, start: now}
    grace: 5m
    keep_ids: 35d
handlers:
  fulfil:
    from: [shop]
    types: ["order.*", "!order.test"]
    where: [{at: /data/total, gt: 100}]
    exec: [./fulfil.sh, --fast]
    format: cloudevents
    timeout: 30s
    concurrency: 4
    order_by: /data/customer
    retry: {attempts: 16, first: 1s, cap: 1h, give_up: 3d}
  mirror:
    http: {url: "http://127.0.0.1:7000/events", secret_file: mirror.secret}
  log:
    file: events.jsonl
keep: {events: 7d, attempts: 7d, dead: forever}
"""

SHOP = """
connectors: {shop: {use: petstore, with: {webhook_secret: hunter2}}}
"""


class Cli(harness.Case):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="longstop-e2e-")
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def run_here(self, *words, **more):
        return longstop(*words, directory=self.dir, **more)

    def refused(self, words, code, *said, **more):
        """Runs to `code`; what was said holds each of `said`."""
        ended = self.run_here(*words, **more)
        text = (ended.stdout + ended.stderr).decode()
        self.assertEqual(ended.returncode, code, text)
        for part in said:
            self.assertIn(part, text)
        self.assertNotIn("hunter2", text)
        return text

    def test_the_reference_configuration_is_good(self):
        self.write("longstop.yaml", WHOLE)
        for name in ("shop.secret", "admin.token", "mirror.secret"):
            self.write(name, "whsec_c2VjcmV0c2VjcmV0\n")
        self.write("fulfil.sh", "#!/bin/sh\n", 0o755)
        checked = self.run_here("check", SHOP_KEY="k")
        self.assertEqual(checked.returncode, 0, checked.stderr.decode())
        self.assertEqual(checked.stderr, b"")
        self.assertIn(b"0 warnings", checked.stdout)

    def test_keys_of_no_version_are_refused_where_they_stand(self):
        for line, place in (
                ("listen: {address: '*:1', acme: {}}", "1:26"),
                ("keep: {eventz: 7d}", "1:8"),
                ("handlers: {h: {exec: [x], bunch: {max: 1}}}", "1:27")):
            self.write("longstop.yaml", line + SHOP)
            self.refused(["check"], 78, f"longstop.yaml:{place}: error: "
                         "unknown key '")

    def test_one_file_beside_another_is_one_configuration(self):
        self.write("longstop.yaml", SHOP)
        self.write("conf.d/10-more.yaml", "listen: {address: '*:1'}\n" +
                   SHOP.strip().replace("shop", "shop2") + "\n")
        self.assertEqual(self.run_here("check").returncode, 0)
        self.write("conf.d/20-twice.yaml", SHOP.strip() + "\n")
        self.refused(["check"], 78, "conf.d/20-twice.yaml:1:14: error: entry "
                     "'shop' is configured twice", "longstop.yaml:2:14: note:")

    def test_no_secret_is_shown_whatever_is_wrong(self):
        for text in (SHOP.replace("}}}", "}, graec: 1s}}"),
                     SHOP.replace("}}}", ""),
                     SHOP.replace("webhook_secret", "webhok_secret"),
                     SHOP.replace("{webhook_secret: hunter2}",
                                  "[webhook_secret: hunter2]"),
                     SHOP + "store: mysql://u:hunter2@h/d\n",
                     "admin: {token: hunter2, tokn: x}" + SHOP):
            self.write("longstop.yaml", text)
            self.refused(["check"], 78, "longstop.yaml:")
            self.refused(["check", "--json"], 78, '"line"')
            self.refused(["run"], 78, "longstop.yaml:")

    def test_the_password_of_a_store_is_not_shown(self):
        self.write("longstop.yaml",
                   SHOP + "store: postgresql://u:hunter2@h/d\n")
        for more in ((), ("--json",)):
            checked = self.run_here("check", *more)
            self.assertEqual(checked.returncode, 0, checked.stderr)
            self.assertIn(b"postgresql://u:***@h/d", checked.stdout)
            self.assertNotIn(b"hunter2", checked.stdout + checked.stderr)

    def test_what_stands_in_the_way_of_a_start_is_named(self):
        listen = f"listen: {{address: '127.0.0.1:{harness.free_port()}'}}"
        self.write("longstop.yaml", "store: sqlite:no/where.db\n" + SHOP)
        self.refused(["run"], 74, "no/where.db", "No such file")
        self.write("longstop.yaml", "store: sqlite:bad.db\n" + SHOP)
        self.write("bad.db", "this is no database" * 1000)
        before = os.path.getsize(os.path.join(self.dir, "bad.db"))
        self.refused(["run"], 74, "bad.db is damaged", "it was left as it is")
        self.assertEqual(os.path.getsize(os.path.join(self.dir, "bad.db")),
                         before)
        agent = self.pet_shop()
        self.write("longstop.yaml", f"store: sqlite:{agent.dir}/longstop.db\n"
                   "admin: {address: 'unix:a.sock'}\n" + listen + SHOP)
        self.refused(["run"], 75, "is held by another process")
        self.write("longstop.yaml", f"store: sqlite:longstop.db\nlisten: "
                   f"{{address: '127.0.0.1:{agent.port}'}}" + SHOP)
        self.refused(["run"], 1, f"127.0.0.1:{agent.port}", "in use")

    def test_what_the_command_line_names_must_be_there(self):
        self.write("longstop.yaml", SHOP)
        for words in (["poll", "shp"], ["verify", "shp", "x"]):
            self.refused(words, 2, "there is no connector 'shp'",
                         "did you mean 'shop'?")
        self.refused(["poll", "shop"], 78, "does not poll")
        self.refused(["verify", "shop", "nowhere.http"], 2, "nowhere.http")
        self.refused(["verify", "shop"], 2, "REQUEST is missing")
        self.refused(["init", "strip"], 2, "did you mean 'stripe'?",
                     "generic_json")
        self.refused(["verify", "shop", "-"], 1, "not genuine:", stdin=b"x")
        for none in ("rewind", "healthcheck"):
            self.refused([none], 2, f"there is no command '{none}'")

    def test_what_init_left_to_fill_in_is_asked_for(self):
        for name in ("github", "petstore"):
            printed = self.run_here("init", name).stdout.decode()
            self.write("longstop.yaml", printed)
            self.refused(["check"], 78, "is still to be filled in")

    def test_init_says_where_subscribe_brings_the_secret(self):
        for name, brings in (("stripe", True), ("github", True),
                             ("discord_interactions", False),
                             ("generic_json", False)):
            printed = self.run_here("init", name).stdout.decode()
            self.assertEqual(f"longstop subscribe {name}'" in printed, brings,
                             name)

    def test_a_connector_that_extends_another_is_used_like_any(self):
        self.write("connectors/pay.yaml", "extends: own/stripe.yaml\n"
                   "title: Our stripe\nunconfirmed: [Pages are short.]\n")
        self.write("connectors/own/stripe.yaml", "extends: stripe\n"
                   "poll: {retention: null, limit: {budget: 1/1s}}\n")
        self.write("longstop.yaml",
                   self.run_here("init", "pay").stdout.decode())
        for name in ("pay.secret", "pay.api_key"):
            self.write(name, "s\n")
        got = self.run_here("check").stdout.decode()
        self.assertIn("budget: 1 request in 1s", got)
        self.assertIn("unconfirmed: Pages are short.", got)
        self.assertNotIn("retention", got)
        got = json.loads(self.run_here("check", "--json").stdout)
        self.assertEqual(got["connectors"][0]["unconfirmed"],
                         ["Pages are short."])
        self.write("connectors/own/stripe.yaml", "extends: pay\n")
        for words in (["check"], ["init", "pay"]):
            self.refused(words, 78, "own/stripe.yaml:1:10: error: 'pay' "
                         "extends this file in turn")

    def test_the_connectors_there_are_are_listed_by_group(self):
        self.write("connectors/mine.yaml", "{title: Mine, group: code, "
                   "extends: standard_webhooks}\n")
        self.write("connectors/bad.yaml", "extends: bad\n")
        lines = self.run_here("init", "--list").stdout.decode().split("\n")
        self.assertEqual(lines[0].split(),
                         ["GROUP", "NAME", "PROVIDER", "CHANNELS"])
        self.assertIn(["code", "mine", "Mine", "webhook"],
                      [line.split() for line in lines])
        self.assertFalse([line for line in lines if " bad " in line])
        got = json.loads(self.run_here("init", "--list", "--json").stdout)
        self.assertIn({"name": "stripe", "title": "Stripe",
                       "group": "payments", "webhook": True, "poll": True,
                       "stream": False},
                      got["connectors"])

    def test_a_connector_of_ones_own_can_be_begun_with(self):
        source = os.path.join(harness.HERE, "..", "..", "connectors")
        with open(os.path.join(source, "stripe.yaml"),
                  encoding="utf-8") as file:
            self.write("my/pay.yaml", file.read())
        printed = self.run_here("init", "my/pay.yaml").stdout.decode()
        self.write("longstop.yaml", printed)
        for name in ("pay.secret", "pay.api_key"):
            self.write(name, "s\n")
        self.assertEqual(self.run_here("check").returncode, 0)

    def test_the_whole_file_of_the_manual_is_polled_and_opens_no_port(self):
        manual = os.path.join(harness.HERE, "..", "..", "connectors",
                              "README.md")
        with open(manual, encoding="utf-8") as file:
            self.write("connectors/mine.yaml",
                       file.read().split("```yaml\n")[1].split("```")[0])
        printed = self.run_here("init", "mine").stdout.decode()
        self.assertNotIn("listen:", printed)
        provider = self.provider([harness.row(1, harness.iso())])
        self.write("longstop.yaml", printed.replace("FILL_IN", provider.url))
        self.write("mine.api_key", harness.TOKEN)
        got = self.run_here("poll", "--dry-run", "mine")
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        self.assertIn(b"mine: ok, 1 new", got.stdout)


    def test_the_connector_that_the_manual_writes_works(self):
        manual = os.path.join(harness.HERE, "..", "..", "connectors",
                              "README.md")
        with open(manual, encoding="utf-8") as file:
            self.write("connectors/acme.yaml",
                       file.read().split("```yaml\n")[2].split("```")[0])
        provider = self.provider()
        provider.script.append(harness.replies(
            200, b'{"events": [{"id": "ev_1", "type": "invoice.paid", '
            b'"created": %d, "data": {}}], "next": null}' % time.time()))
        self.write("longstop.yaml", self.run_here(
            "init", "acme").stdout.decode().replace(
                "      # base:", f"      base: {provider.url} #"))
        self.write("acme.secret", "hush")
        self.write("acme.api_key", harness.TOKEN)
        got = self.run_here("check").stdout.decode()
        self.assertIn("connector acme (acme): webhook and poll", got)
        self.assertIn("unconfirmed: An event is in the list within", got)
        got = self.run_here("poll", "--dry-run", "acme").stdout.decode()
        self.assertIn("acme: ok, 1 new", got)
        self.assertNotIn("poll.record", got)
        body = b'{"id": "ev_1"}'
        signature = hmac.new(b"hush", b"1760000000." + body,
                             hashlib.sha256).hexdigest()
        self.write("request.http", f"POST / HTTP/1.1\r\nHost: x\r\n"
                   f"Acme-Signature: t=1760000000,v1={signature}\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n" + body.decode())
        got = self.run_here("verify", "acme", "request.http", "--at",
                            "1760000000")
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        self.assertEqual(got.stdout.decode().split("\n")[2:4],
                         ["  event.type: nothing at 'json:type'",
                          "  event.time: no time at 'json:created'"])


class DryRun(harness.Case):
    def dry(self, rows, **poll):
        """What a dry run of these rows prints, and says as JSON."""
        provider = self.provider(rows)
        agent = self.agent({"shop": harness.pet_store(provider, False, poll)})
        words = ["poll", "shop", "--dry-run"]
        return (agent.command(*words).stdout.decode(),
                json.loads(agent.command(*words, "--json").stdout))

    def test_a_dry_run_tells_what_it_looked_for_and_did_not_find(self):
        text, report = self.dry([row(1, iso())], record={"time": "updated"})
        line = "poll.record.time: nothing at 'updated' in row 1, which is " \
            "an object with id, "
        self.assertIn("\n  " + line, text)
        self.assertTrue(report["requests"][0]["missing"][0].startswith(line))
        text, report = self.dry([row(1, iso())], items="$.order[*]")
        self.assertEqual(report["outcome"], "failed")
        self.assertIn("there is no list at '$.order[*]': the answer is an "
                      "object with orders", text)
        text, report = self.dry([row(1, iso())],
                                record={"id": "order:{idx}"})
        self.assertIn("1 row: 0 new, 0 known: row 1: there is nothing at "
                      "'order:{idx}': 'idx' is not in an object with id, ",
                      text)
        text, report = self.dry([row(1, iso())])
        self.assertEqual(report["requests"][0]["missing"], [])

    def test_a_dry_run_leaves_no_store_behind(self):
        provider = self.provider([row(1, iso())])
        agent = self.agent({"shop": harness.pet_store(provider, False)})
        before = os.listdir(agent.dir)
        scratch = agent.path("tmp")
        os.mkdir(scratch)
        got = agent.command("poll", "shop", "--dry-run", TMPDIR=scratch)
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        self.assertIn(b"1 new", got.stdout)
        self.assertEqual(os.listdir(scratch), [])
        os.rmdir(scratch)
        self.assertEqual(os.listdir(agent.dir), before)
        got = agent.command("poll", "shop", "--dry-run",
                            TMPDIR=scratch + "/none")
        self.assertEqual(got.returncode, 74, got.stderr)
        self.assertIn(b"set TMPDIR", got.stderr)

    def test_rows_from_before_the_start_are_told_apart(self):
        rows = [row(1, iso(time.time() - 200)), row(2, iso())]
        text, _ = self.dry(rows, start="100s")
        self.assertIn("2 rows: 1 new, 0 known, 1 from before the start\n",
                      text)
        text, _ = self.dry(rows, start="1h")
        self.assertIn("2 rows: 2 new, 0 known\n", text)

    def test_a_dry_run_beside_the_agent_stores_nothing(self):
        provider = self.provider([row(1, iso())])
        agent = self.pet_shop(provider, poll={"every": "1h"})
        agent.wait_events(1)
        provider.rows.append(row(2, iso()))
        for _ in range(2):
            dry = agent.command("poll", "shop", "--dry-run", "--json")
            self.assertEqual(dry.returncode, 0, dry.stderr)
            report = json.loads(dry.stdout)
            self.assertEqual((report["outcome"], report["new"],
                              report["known"]), ("ok", 1, 1))
        self.assertEqual(len(agent.events()), 1)
        wet = agent.command("poll", "shop", "--json")
        self.assertEqual(json.loads(wet.stdout)["new"], 1)
        agent.wait_events(2)
        agent.stop()

    def test_the_agent_ends_in_order_while_a_dry_run_waits(self):
        provider = self.provider([row(1, iso())])
        agent = self.pet_shop(provider, poll={"every": "1h"})
        agent.wait_events(1)
        asked = len(provider.asked)
        provider.default = lambda handler, _: (provider.ended.wait(20),
                                               answer(handler, 200, b"[]"))
        words = [harness.LONGSTOP, "poll", "-c", agent.config_path, "shop",
                 "--dry-run"]
        child = harness.subprocess.Popen(words,
                                         stdout=harness.subprocess.PIPE,
                                         stderr=harness.subprocess.PIPE)
        wait_until(lambda: len(provider.asked) > asked, "the dry run asks")
        began = time.monotonic()
        agent.stop()
        self.assertLess(time.monotonic() - began, 10)
        child.communicate(timeout=20)
        self.assertNotEqual(child.returncode, 0)
