# SPDX-License-Identifier: MIT
"""Dead letters, retry, drop and replay, and the log of attempts: over the real
program, by its commands."""
import json
import os
import pty
import time

import harness
from harness import Hook, iso, wait_until

# Fails while there is a file `broken`; else keeps what it was given, and how.
PICKY = """cd "$(dirname "$0")"
line=$(cat)
if [ -e broken ]; then echo "no paper"; exit ${1:-65}; fi
echo "{\\"id\\":\\"$LONGSTOP_EVENT_ID\\",\\"replay\\":\\"${LONGSTOP_REPLAY-}\\",\\"attempt\\":$LONGSTOP_ATTEMPT,\\"event\\":$line}" >>picky.out
"""


def cpu_s(pid):
    """Seconds that a process has computed."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        user, system = file.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class Dead(harness.Case):
    def shop(self, handlers=None, **more):
        """An agent whose picky handler refuses all that it is given."""
        agent = self.agent({"shop": harness.pet_store()}, handlers or {
            "picky": {"exec": ["./picky"]}, "log": {"file": "events.jsonl"}},
            **more)
        agent.script("picky", PICKY)
        self.set_broken(agent, True)
        return agent.start()

    def set_broken(self, agent, broken):
        if broken:
            with open(agent.path("broken"), "w", encoding="utf-8"):
                pass
        else:
            os.unlink(agent.path("broken"))

    def send(self, agent, count, event="order.created", start=0):
        for order in range(start, start + count):
            self.assertEqual(Hook(order, iso(), event=event).send(agent)
                             .status, 202)

    def dead_of(self, agent, name="picky"):
        status = json.loads(agent.admin("/api/v1/status").body)
        return next(h["dead"] for h in status["handlers"] if h["name"] == name)

    def wait_dead(self, agent, count):
        wait_until(lambda: self.dead_of(agent) == count, f"{count} are dead")

    def get(self, agent, path):
        got = agent.admin(path)
        self.assertEqual(got.status, 200, got)
        return json.loads(got.body)

    def told(self, agent, *words, code=0, **more):
        got = agent.command(*words, "--json", **more)
        self.assertEqual(got.returncode, code, got.stderr)
        return json.loads(got.stdout)

    def given(self, agent):
        """What the picky handler took, in order."""
        return agent.events("picky.out")

    def wait_given(self, agent, count):
        wait_until(lambda: len(self.given(agent)) >= count, f"{count} taken")
        return self.given(agent)

    # ---- the log of attempts ----

    def test_each_attempt_is_logged_with_time_duration_and_outcome(self):
        agent = self.shop({"picky": {"exec": ["./picky", "1"], "retry": {
            "first": "50ms", "cap": "50ms"}}})
        self.send(agent, 1)
        wait_until(lambda: agent.query("SELECT count(*) FROM attempt")[0][0],
                   "it has failed once")
        self.set_broken(agent, False)
        self.wait_given(agent, 1)
        number = self.get(agent, "/api/v1/events")["items"][0]["number"]
        wait_until(lambda: self.get(agent, f"/api/v1/events/{number}")
                   ["attempts"][-1]["outcome"] == "done", "done is logged")
        *failed, done = self.get(agent, f"/api/v1/events/{number}")["attempts"]
        self.assertEqual((failed[0]["attempt"], failed[0]["outcome"],
                          failed[0]["detail"], failed[0]["output"]),
                         (1, "retry", "exit 1", "no paper\n"))
        self.assertGreater(failed[0]["next"], failed[0]["started"])
        self.assertEqual((done["attempt"], done["outcome"], done["detail"],
                          done["next"]), (len(failed) + 1, "done", "exit 0",
                                          None))
        text = agent.command("show", number).stdout.decode()
        self.assertIn("(retry, again ", text)
        self.assertIn("exit 0 (done)", text)

    def test_of_an_event_that_is_tried_for_ever_the_last_attempts_stay(self):
        agent = self.shop({"picky": {"exec": ["./picky", "1"], "retry": {
            "first": "1ms", "cap": "1ms", "attempts": 1000}}},
            keep={"attempts_each": 3})
        self.send(agent, 1)
        wait_until(lambda: agent.query(
            "SELECT ifnull(max(attempt), 0) FROM attempt")[0][0] > 8,
                   "it was tried often")
        count, lowest, highest = agent.query(
            "SELECT count(*), min(attempt), max(attempt) FROM attempt")[0]
        self.assertEqual((count, highest - lowest), (3, 2))

    # ---- dead letters ----

    def test_dead_letters_are_listed_by_filter_and_by_reason(self):
        agent = self.shop()
        self.send(agent, 2)
        self.wait_dead(agent, 2)
        self.send(agent, 1, event="order.paid", start=2)
        self.wait_dead(agent, 3)
        items = self.told(agent, "dead")["items"]
        self.assertEqual([(i["type"], i["handler"], i["answer"])
                          for i in items],
                         [("order.paid", "picky", "exit 65")] +
                         [("order.created", "picky", "exit 65")] * 2)
        self.assertEqual(len({i["number"] for i in items}), 3)
        page = self.get(agent, "/api/v1/dead?limit=2")
        rest = self.get(agent, "/api/v1/dead?limit=2&cursor=" +
                        page["next_cursor"])
        self.assertEqual(page["items"] + rest["items"], items)
        self.assertIsNone(rest["next_cursor"])
        for words, count in ((("--type", "order.p*"), 1),
                             (("--handler", "log"), 0),
                             (("--handler", "picky"), 3),
                             (("--connector", "shop"), 3),
                             (("--connector", "other"), 0),
                             (("--reason", "EXIT 65"), 3),
                             (("--reason", "http"), 0),
                             (("--since", "1h"), 3), (("--until", "1h"), 0)):
            self.assertEqual(len(self.told(agent, "dead", *words)["items"]),
                             count, words)
        reasons = self.told(agent, "dead", "--reasons")
        self.assertEqual((reasons["total"], len(reasons["items"]),
                          reasons["items"][0]["count"]), (3, 1, 3))
        self.assertIn("exit 65", agent.command("dead").stdout.decode())
        self.assertIn("3 dead letters", agent.command("dead", "--reasons")
                      .stdout.decode())

    def test_a_dead_letter_is_shown_with_its_body(self):
        agent = self.shop()
        self.send(agent, 1)
        self.wait_dead(agent, 1)
        letter, = self.told(agent, "dead")["items"]
        shown = self.told(agent, "show", f"shop/{letter['id']}", "--body")
        self.assertEqual(shown["deliveries"][0]["state"], "dead")
        self.assertEqual(shown["deliveries"][0]["answer"], "exit 65")
        self.assertEqual(shown["data"]["data"]["order"]["id"], 0)

    def test_one_dead_letter_is_tried_again(self):
        agent = self.shop()
        self.send(agent, 2)
        self.wait_dead(agent, 2)
        letter = self.told(agent, "dead")["items"][-1]
        self.set_broken(agent, False)
        done = self.told(agent, "retry", f"shop/{letter['id']}")
        self.assertEqual((done["kind"], done["state"], done["done"],
                          done["skipped"], done["matches"]),
                         ("retry", "done", 1, 0, 1))
        taken, = self.wait_given(agent, 1)
        self.assertEqual((taken["id"], taken["replay"], taken["attempt"]),
                         (letter["id"], "", 2))
        self.assertNotIn("replay", taken["event"])
        wait_until(lambda: self.dead_of(agent) == 1, "the other stays")
        # it is not dead any more
        got = agent.command("retry", letter["number"])
        self.assertEqual(got.returncode, 1)
        self.assertIn(b"no dead letter meets this", got.stderr)

    def test_the_retry_policy_of_a_retried_letter_starts_anew(self):
        agent = self.shop({"picky": {"exec": ["./picky", "1"], "retry": {
            "attempts": 3, "first": "1ms", "cap": "1ms", "give_up": "2s"}}})
        self.send(agent, 1)
        self.wait_dead(agent, 1)
        born = time.monotonic()
        wait_until(lambda: time.monotonic() > born + 2.5, "it is too old")
        self.told(agent, "retry", "--handler", "picky", "--yes")
        wait_until(lambda: agent.query("SELECT max(attempt) FROM attempt")
                   [0][0] == 6, "three more attempts were made")
        self.wait_dead(agent, 1)
        letter, = self.told(agent, "dead")["items"]
        self.assertEqual((letter["attempt"], letter["reason"]),
                         (6, "all attempts are used up"))

    def test_many_are_tried_again_or_dropped_by_filter(self):
        agent = self.shop()
        self.send(agent, 4)
        self.send(agent, 3, event="order.paid", start=4)
        self.wait_dead(agent, 7)
        dropped = self.told(agent, "drop", "--type", "order.paid", "--yes")
        self.assertEqual((dropped["state"], dropped["done"]), ("done", 3))
        self.assertEqual(self.dead_of(agent), 4)
        self.set_broken(agent, False)
        retried = self.told(agent, "retry", "--all", "--yes")
        self.assertEqual((retried["done"], retried["matches"]), (4, 4))
        taken = self.wait_given(agent, 4)
        self.assertEqual({e["event"]["type"] for e in taken},
                         {"order.created"})
        wait_until(lambda: agent.metric("pending_deliveries",
                                        handler="picky") == 0, "all is over")
        self.assertEqual(self.dead_of(agent), 0)
        self.assertEqual(len(self.given(agent)), 4)

    def test_a_filter_says_how_many_and_asks_back(self):
        agent = self.shop()
        self.send(agent, 2)
        self.wait_dead(agent, 2)
        got = agent.command("retry", "--all")
        self.assertEqual(got.returncode, 2)
        self.assertIn(b"2 dead letters meet this", got.stderr)
        self.assertIn(b"--yes", got.stderr)
        got = agent.command("retry")
        self.assertEqual(got.returncode, 2)
        self.assertIn(b"--all", got.stderr)
        got = agent.command("drop", "--type", "nothing.*")
        self.assertEqual((got.returncode, got.stdout), (0, b""))
        self.assertIn(b"no dead letter meets this", got.stderr)
        self.assertEqual(self.told(agent, "drop", "--all", "--dry-run"),
                         {"matches": 2})
        self.assertEqual(self.dead_of(agent), 2)
        self.answer(agent, b"n\n", 1)
        self.assertEqual(self.dead_of(agent), 2)
        self.answer(agent, b"y\n", 0)
        self.assertEqual(self.dead_of(agent), 0)

    def answer(self, agent, words, code):
        """Drops all from a terminal, and answers what it asks back."""
        child, ours = pty.fork()
        if child == 0:
            os.chdir(agent.dir)
            os.execv(harness.LONGSTOP, [
                "longstop", "drop", "-c", agent.config_path, "--all"])
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(ours, 4096)
        os.write(ours, words)
        try:
            while True:
                seen += os.read(ours, 4096)
        except OSError:
            pass  # the terminal is closed with its last process
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]),
                         code, seen)
        os.close(ours)

    def test_letters_of_a_handler_that_is_gone_can_only_be_dropped(self):
        agent = self.shop()
        self.send(agent, 1)
        self.wait_dead(agent, 1)
        agent.stop()
        agent.config["handlers"] = {"log": {"file": "events.jsonl"}}
        agent.write_config()
        agent.start()
        got = agent.command("retry", "--handler", "picky", "--yes")
        self.assertEqual(got.returncode, 2)
        self.assertIn(b"configured handler", got.stderr)
        self.assertEqual(self.told(agent, "retry", "--all", "--yes")
                         ["skipped"], 1)
        self.assertEqual(self.told(agent, "drop", "--handler", "picky",
                                   "--yes")["done"], 1)
        self.assertEqual(self.told(agent, "dead")["items"], [])

    # ---- replay ----

    def test_an_old_event_is_handed_over_once_more_and_marked(self):
        agent = self.shop()
        self.set_broken(agent, False)
        self.send(agent, 2)
        self.wait_given(agent, 2)
        first = agent.wait_events(2)[0]
        done = self.told(agent, "replay", f"shop/{first['id']}")
        self.assertEqual((done["kind"], done["done"]), ("replay", 2))
        again = agent.wait_events(3)[2]
        self.assertIs(again.pop("replay"), True)
        self.assertEqual(again, first)
        taken = self.wait_given(agent, 3)[2]
        self.assertEqual((taken["id"], taken["replay"], taken["attempt"]),
                         (first["id"], "1", 2))
        # the ledger knows what it knew
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(2,)])
        self.assertEqual(agent.query("SELECT count(DISTINCT event) FROM "
                                     "ledger"), [(2,)])

    def test_a_replay_over_http_says_so_in_its_head(self):
        receiver = self.provider()
        receiver.default = harness.replies(200)
        agent = self.shop({"to": {"http": {"url": receiver.url + "/in"}}})
        self.send(agent, 1)
        wait_until(lambda: len(receiver.asked) == 1, "it was handed over")
        self.told(agent, "replay", "--all", "--yes")
        wait_until(lambda: len(receiver.asked) == 2, "and once more")
        first, again = (asked.headers for asked in receiver.asked)
        self.assertNotIn("Longstop-Replay", first)
        self.assertEqual(again["Longstop-Replay"], "1")
        self.assertEqual(again["webhook-id"], first["webhook-id"])

    def test_a_replay_goes_by_route_or_to_the_handler_that_is_named(self):
        agent = self.shop({
            "picky": {"exec": ["./picky"], "types": ["order.paid"]},
            "log": {"file": "events.jsonl"}})
        self.set_broken(agent, False)
        self.send(agent, 2)
        self.send(agent, 1, event="order.paid", start=2)
        events = agent.wait_events(3)
        self.wait_given(agent, 1)
        done = self.told(agent, "replay", "--since", "1h", "--handler",
                         "picky", "--yes")
        self.assertEqual((done["matches"], done["done"], done["skipped"]),
                         (3, 1, 2))
        self.assertEqual(self.wait_given(agent, 2)[1]["event"]["type"],
                         "order.paid")
        created = next(e for e in events if e["type"] == "order.created")
        self.told(agent, "replay", f"shop/{created['id']}", "--handler",
                  "picky")
        self.assertEqual(self.wait_given(agent, 3)[2]["id"], created["id"])
        self.assertEqual(len(agent.events()), 3)

    def test_what_is_still_owed_is_skipped_by_a_replay(self):
        agent = self.shop({"picky": {"exec": ["./picky", "1"]}})
        self.send(agent, 1)
        wait_until(lambda: agent.query("SELECT count(*) FROM attempt")[0][0],
                   "it has failed once")
        done = self.told(agent, "replay", "--all", "--yes")
        self.assertEqual((done["done"], done["skipped"]), (0, 1))

    def test_a_replay_goes_at_its_rate_and_on_after_a_kill(self):
        agent = self.shop({"log": {"file": "events.jsonl"}})
        self.send(agent, 30)
        agent.wait_events(30)
        began = time.monotonic()
        begun = self.told(agent, "replay", "--all", "--yes", "--detach",
                          "--rate", "20/s")
        self.assertEqual(begun["state"], "running")
        wait_until(lambda: len(agent.events()) > 33, "some were handed over")
        agent.kill()
        agent.start()
        agent.wait_events(60)
        self.assertGreater(time.monotonic() - began, 1)
        path = f"/api/v1/errands/{begun['errand']}"
        wait_until(lambda: self.get(agent, path)["state"] == "done", "done")
        errand = self.get(agent, path)
        self.assertEqual((errand["done"], errand["skipped"],
                          errand["percent"]), (30, 0, 100))
        counts = {}
        for event in agent.events():
            counts[event["id"]] = counts.get(event["id"], 0) + 1
        # none is lost; what was under way in the kill may come once more
        self.assertEqual(len(counts), 30)
        self.assertGreaterEqual(min(counts.values()), 2)
        self.assertIn("done", agent.command("errands").stdout.decode())

    def test_an_errand_is_cancelled_and_ends_where_it_is(self):
        agent = self.shop({"log": {"file": "events.jsonl"}})
        self.send(agent, 10)
        agent.wait_events(10)
        begun = self.told(agent, "replay", "--all", "--yes", "--detach",
                          "--rate", "1/s")
        agent.wait_events(11)
        number = begun["errand"]
        self.assertEqual(self.told(agent, "errands", number, "--cancel"),
                         {"cancelled": number})
        self.assertEqual(self.told(agent, "errands", number)["state"],
                         "cancelled")
        got = agent.command("errands", number, "--cancel")
        self.assertEqual(got.returncode, 1)
        wait_until(lambda: "errand cancelled" in agent.log(), "it is told")
        self.assertLess(len(agent.events()), 15)

    def test_an_errand_keeps_only_so_many_open(self):
        agent = self.shop({"picky": {"exec": ["./picky", "1"], "retry": {
            "first": "1d", "cap": "1d", "attempts": 2}}},
            limits={"errand_open": 3})
        self.set_broken(agent, False)
        self.send(agent, 8)
        self.wait_given(agent, 8)
        self.set_broken(agent, True)
        begun = self.told(agent, "replay", "--all", "--yes", "--detach")
        path = f"/api/v1/errands/{begun['errand']}"
        wait_until(lambda: self.get(agent, path)["open"] == 3, "three wait")
        harness.stays(lambda: self.get(agent, path)["done"] == 3,
                      "the others are held back", 1)

    def test_an_errand_whose_deliveries_wait_costs_next_to_nothing(self):
        agent = self.shop({"picky": {"exec": ["./picky", "1"], "retry": {
            "first": "1d", "cap": "1d", "attempts": 2}}},
            limits={"errand_open": 3})
        self.set_broken(agent, False)
        self.send(agent, 8)
        self.wait_given(agent, 8)
        self.set_broken(agent, True)
        begun = self.told(agent, "replay", "--all", "--yes", "--detach")
        path = f"/api/v1/errands/{begun['errand']}"
        wait_until(lambda: self.get(agent, path)["open"] == 3, "three wait")
        before = cpu_s(agent.child.pid)
        time.sleep(2)  # what is measured is what a time costs
        self.assertLess(cpu_s(agent.child.pid) - before, 0.5)

    def test_an_errand_takes_nothing_that_is_younger_than_it(self):
        agent = self.shop({"picky": {"exec": ["./picky", "1"], "retry": {
            "first": "200ms", "cap": "200ms", "attempts": 1000},
            "breaker": {"failures": 1000}}}, limits={"errand_open": 3})
        self.set_broken(agent, False)
        self.send(agent, 8)
        self.wait_given(agent, 8)
        self.set_broken(agent, True)
        begun = self.told(agent, "replay", "--all", "--yes", "--detach")
        path = f"/api/v1/errands/{begun['errand']}"
        wait_until(lambda: self.get(agent, path)["open"] == 3, "three wait")
        self.send(agent, 4, start=100)
        self.set_broken(agent, False)
        wait_until(lambda: self.get(agent, path)["state"] == "done", "done")
        errand = self.get(agent, path)
        self.assertEqual((errand["matches"], errand["done"],
                          errand["skipped"]), (8, 8, 0))
        taken = self.wait_given(agent, 20)
        self.assertEqual(len([e for e in taken if e["replay"]]), 8)

    def test_what_is_new_goes_ahead_of_what_comes_again(self):
        agent = self.shop({"picky": {"exec": ["./picky"], "concurrency": 1}})
        self.send(agent, 200)
        self.wait_dead(agent, 200)
        self.set_broken(agent, False)
        self.told(agent, "retry", "--all", "--yes", "--detach")
        self.wait_given(agent, 5)
        new = Hook(1000, iso())
        before = len(self.given(agent))
        new.send(agent)
        wait_until(lambda: new.delivery in [e["id"]
                                            for e in self.given(agent)],
                   "the new one is there")
        place = [e["id"] for e in self.given(agent)].index(new.delivery)
        self.assertLess(place - before, 20)
        self.wait_given(agent, 201)

    def test_what_is_wrong_is_said_in_words(self):
        agent = self.shop()
        for body, words in (
                (b"{}", "'kind' is wanted"),
                (b'{"kind":"retry"}', "say which by a filter"),
                (b'{"kind":"replay","reason":"x"}', "'reason' is of dead"),
                (b'{"kind":"replay","connector":"x"}', "'connector' is the"),
                (b'{"kind":"retry","handler":"x"}', "'handler' is the"),
                (b'{"kind":"retry","all":true,"rate":"x"}', "'rate' is as"),
                (b'{"kind":"retry","since":"x"}', "'since' is a time"),
                (b'{"kind":"retry","event":"x"}', "'event' is an event's"),
                (b'{"kind":"retry","colour":"x"}', "is not known here"),
                (b'[]', "must be a JSON object")):
            got = agent.admin("/api/v1/errands", "POST", body)
            self.assertEqual(got.status, 400, body)
            self.assertIn(words, json.loads(got.body)["title"])
        got = agent.admin("/api/v1/errands", "POST",
                          b'{"kind":"retry","all":true}')
        self.assertEqual(got.status, 404)

