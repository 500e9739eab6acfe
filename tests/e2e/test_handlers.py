# SPDX-License-Identifier: MIT
"""Handlers: exec, http, file; retries, dead letters, conditions."""
import base64
import hashlib
import hmac
import json
import os
import signal
import threading
import time

import harness
from harness import Hook, answer, iso, replies, stays, wait_until

QUICK = {"first": "50ms", "cap": "100ms"}


class Exec(harness.Case):
    def agent_with(self, text, **more):
        """An agent whose handler is a shell script of these lines, in which
        @ stands for its directory."""
        agent = self.agent({"shop": harness.pet_store()})
        program = agent.script("handler.sh", text.replace("@", agent.dir))
        agent.config["handlers"] = {"fulfil": dict(
            {"exec": [program], "retry": QUICK}, **more)}
        agent.write_config()
        return agent.start()

    def outcomes(self, agent):
        return {kind: agent.metric("deliveries_total", handler="fulfil",
                                   outcome=kind)
                for kind in ("done", "retry", "dead")}

    def wait_outcomes(self, agent, **expected):
        expected = {"done": 0, "retry": 0, "dead": 0, **expected}
        wait_until(lambda: self.outcomes(agent) == expected,
                   f"outcomes {expected}, not {self.outcomes(agent)}")

    def test_a_failing_delivery_is_tried_again_and_then_a_dead_letter(self):
        agent = self.agent_with(
            "echo sorry >&2; exit 1\n",
            retry=dict(QUICK, attempts=3))
        Hook(1, iso()).send(agent)
        self.wait_outcomes(agent, retry=2, dead=1)
        wait_until(lambda: agent.query("SELECT count(*) FROM delivery") ==
                   [(0,)], "nothing is owed any more")
        self.assertEqual(agent.query(
            "SELECT d.attempt, length(e.body) > 0 FROM dead d "
            "JOIN event e ON e.id = d.event"), [(3, 1)])
        details = agent.query("SELECT attempt, detail, output FROM attempt "
                              "ORDER BY attempt")
        self.assertEqual([(n, d) for n, d, _ in details],
                         [(1, "exit 1"), (2, "exit 1"), (3, "exit 1")])
        self.assertTrue(all(b"sorry" in out for _, _, out in details))
        self.assertEqual(agent.metric("pending_deliveries",
                                      handler="fulfil"), 0)

    def test_exit_codes_say_what_becomes_of_a_delivery(self):
        agent = self.agent_with(
            'read -r line\n'
            'code=$(echo "$line" | sed "s/.*\\"id\\":\\([0-9]*\\),\\"status'
            '.*/\\1/")\n'
            '[ "$LONGSTOP_ATTEMPT" = 1 ] || exit 0\nexit "$code"\n')
        for code in (0, 65, 75, 1, 127, 255):
            Hook(code, iso()).send(agent)
        self.wait_outcomes(agent, done=5, dead=1, retry=4)
        self.assertEqual(
            sorted(agent.query("SELECT detail FROM attempt WHERE kind>0")),
            sorted([("exit 65",), ("exit 75",), ("exit 1",), ("exit 127",),
                    ("exit 255",)]))

    def test_a_handler_that_dies_by_a_signal_is_tried_again(self):
        agent = self.agent_with(
            '[ "$LONGSTOP_ATTEMPT" = 1 ] || exit 0\nkill -SEGV $$\n')
        Hook(1, iso()).send(agent)
        self.wait_outcomes(agent, done=1, retry=1)
        self.assertIn("signal 11", agent.query(
            "SELECT detail FROM attempt")[0][0])

    def test_a_handler_that_hangs_is_ended_with_its_whole_group(self):
        agent = self.agent_with(
            'trap "" TERM\n[ "$LONGSTOP_ATTEMPT" = 1 ] || exit 0\n'
            "sleep 987 & echo $! >@/child; sleep 987\n", timeout="300ms")
        other = Hook(2, iso())
        Hook(1, iso()).send(agent)
        wait_until(lambda: os.path.exists(agent.path("child")), "it hangs")
        self.assertEqual(other.send(agent).status, 202)
        self.wait_outcomes(agent, done=2, retry=2)
        self.assertIn("timed out", agent.query(
            "SELECT detail FROM attempt")[0][0])
        with open(agent.path("child"), encoding="ascii") as file:
            pid = int(file.read())
        wait_until(lambda: not is_alive(pid), "its child has ended too")

    def test_a_handler_that_floods_its_output_is_kept_to_the_last_4_kib(self):
        agent = self.agent_with(
            'head -c 20000000 /dev/zero | tr "\\0" x\necho the end\nexit 65\n')
        Hook(1, iso()).send(agent)
        self.wait_outcomes(agent, dead=1)
        output = agent.query("SELECT output FROM attempt")[0][0]
        self.assertLessEqual(len(output), 4096)
        self.assertTrue(output.endswith(b"the end\n"))

    def test_a_handler_that_reads_nothing_is_done_all_the_same(self):
        agent = self.agent_with("exec <&-\nexit 0\n")
        body = json.dumps({"event": "big", "timestamp": iso(), "data": {
            "x": "y" * 300000}}).encode()
        self.assertEqual(Hook(1, "", body=body).send(agent).status, 202)
        self.wait_outcomes(agent, done=1)

    def test_a_daemon_left_behind_does_not_hold_the_delivery(self):
        agent = self.agent_with("setsid sleep 30 &\nexit 0\n")
        began = time.monotonic()
        Hook(1, iso()).send(agent)
        self.wait_outcomes(agent, done=1)
        self.assertLess(time.monotonic() - began, 10)

    def test_a_program_that_is_not_there_is_said_and_nothing_is_lost(self):
        agent = self.agent({"shop": harness.pet_store()}, {
            "fulfil": {"exec": ["./later.sh"], "retry": QUICK}})
        agent.start()
        self.assertEqual(Hook(1, iso()).send(agent).status, 202)
        wait_until(lambda: self.outcomes(agent)["retry"] > 0, "an attempt")
        self.assertIn("later.sh", agent.log() + str(agent.query(
            "SELECT detail, output FROM attempt")))
        agent.script("later.sh", "exit 0\n")
        wait_until(lambda: self.outcomes(agent)["done"] == 1, "it is done")

    def test_nothing_of_a_payload_reaches_a_shell(self):
        agent = self.agent_with("cat >/dev/null\n")
        nasty = f"$(touch {agent.dir}/canary)`touch {agent.dir}/canary`"
        body = json.dumps({"event": nasty, "timestamp": iso(),
                           "data": {"order": {"id": nasty,
                                              "updated_at": nasty}}}).encode()
        Hook(1, "", event="x", body=body, delivery=nasty).send(agent)
        wait_until(lambda: self.outcomes(agent)["done"] == 1, "it is done")
        self.assertFalse(os.path.exists(agent.path("canary")))

    def test_no_more_run_at_a_time_than_concurrency_allows(self):
        agent = self.agent_with(
            "mkdir @/in.$$; ls -d @/in.* | wc -l >>@/counts\n"
            "sleep 0.05; rmdir @/in.$$\n", concurrency=3)
        for i in range(20):
            Hook(i, iso()).send(agent)
        wait_until(lambda: self.outcomes(agent)["done"] == 20, "all done")
        with open(agent.path("counts"), encoding="ascii") as file:
            counts = [int(line) for line in file]
        self.assertLessEqual(max(counts), 3)


class Matching(harness.Case):
    def test_from_types_and_where_choose_what_a_handler_is_owed(self):
        agent = self.agent(
            {"shop": harness.pet_store(), "other": harness.pet_store()},
            {"created": {"file": "created.jsonl", "types": ["order.created"]},
             "not": {"file": "not.jsonl", "types": ["order.*",
                                                    "!order.created"]},
             "other": {"file": "other.jsonl", "from": ["other"]},
             "dear": {"file": "dear.jsonl",
                      "where": [{"at": "/data/id", "gt": 100}]},
             "all": {"file": "all.jsonl"}}).start()
        Hook(1, iso()).send(agent)
        Hook(200, iso(), event="order.paid").send(agent)
        Hook(3, iso()).send(agent, "/hooks/other")
        got = {name: sorted(e["data"]["id"]
                            for e in agent.wait_events(n, name + ".jsonl"))
               for name, n in (("all", 3), ("created", 2), ("not", 1),
                               ("other", 1), ("dear", 1))}
        self.assertEqual(got, {"all": [1, 3, 200], "created": [1, 3],
                               "not": [200], "other": [3], "dear": [200]})

    def test_raw_hands_on_the_providers_bytes(self):
        agent = self.agent({"shop": harness.pet_store()})
        program = agent.script("handler.sh",
                               f"cat >{agent.dir}/t; mv {agent.dir}/t "
                               f"{agent.dir}/raw\n")
        agent.config["handlers"] = {"r": {"exec": [program], "format": "raw"}}
        agent.write_config()
        agent.start()
        body = (b'{ "event":"x",\n\t"timestamp" : "2026-11-20T10:00:00Z", '
                b'"n": 1.0e2 }')
        Hook(1, "", body=body).send(agent)
        wait_until(lambda: os.path.exists(agent.path("raw")), "it ran")
        with open(agent.path("raw"), "rb") as file:
            self.assertEqual(file.read(), body)


class Http(harness.Case):
    secret = b"twenty-four bytes or more of secret"

    def receiver(self):
        receiver = self.provider()
        receiver.bodies = []

        def take(handler, asked):
            receiver.bodies.append(handler.sent)
            answer(handler, 200, b"")

        receiver.default = take
        return receiver

    def agent_to(self, receiver, **more):
        secret = "whsec_" + base64.b64encode(self.secret).decode()
        return self.agent({"shop": harness.pet_store()}, {"mirror": dict(
            {"http": {"url": receiver.url + "/events", "secret": secret,
                      **more.pop("http", {})}, "retry": QUICK},
            **more)}).start()

    def done(self, agent, outcome="done"):
        return agent.metric("deliveries_total", handler="mirror",
                            outcome=outcome)

    def test_a_delivery_is_signed_as_standard_webhooks(self):
        receiver = self.receiver()
        agent = self.agent_to(receiver)
        Hook(1, iso(), delivery="dlv 1").send(agent)
        wait_until(lambda: receiver.bodies, "a delivery")
        headers = {k.lower(): v for k, v in
                   receiver.asked[0].headers.items()}
        body = receiver.bodies[0]
        self.assertEqual(receiver.asked[0].method, "POST")
        self.assertEqual(headers["webhook-id"], "shop/dlv%201")
        self.assertEqual(headers["idempotency-key"], "shop/dlv%201")
        self.assertLess(abs(int(headers["webhook-timestamp"]) - time.time()),
                        30)
        text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}."
        mac = hmac.new(self.secret, text.encode() + body, hashlib.sha256)
        self.assertEqual(headers["webhook-signature"],
                         "v1," + base64.b64encode(mac.digest()).decode())
        self.assertEqual(json.loads(body)["id"], "dlv 1")
        wait_until(lambda: self.done(agent) == 1, "it is done")

    def test_retry_after_is_honoured(self):
        receiver = self.receiver()
        receiver.script.append(replies(503, b"", {"Retry-After": "2"}))
        agent = self.agent_to(receiver)
        Hook(1, iso()).send(agent)
        wait_until(lambda: receiver.asked, "the first attempt")
        stays(lambda: len(receiver.asked) == 1, "it waits", 1.7)
        wait_until(lambda: self.done(agent) == 1, "it is done")
        self.assertEqual(receiver.asked[0].headers["webhook-id"],
                         receiver.asked[1].headers["webhook-id"])

    def test_gone_pauses_the_handler_and_keeps_what_is_owed(self):
        receiver = self.receiver()
        receiver.script += [replies(410)]
        agent = self.agent_to(receiver)
        Hook(1, iso()).send(agent)
        wait_until(lambda: receiver.asked, "the first attempt")
        for n in range(2, 6):
            self.assertEqual(Hook(n, iso()).send(agent).status, 202)
        stays(lambda: len(receiver.asked) <= 4, "it is paused", 1)
        asked = len(receiver.asked)
        stays(lambda: len(receiver.asked) == asked, "it stays paused", 0.5)
        self.assertIn("410", agent.log())
        figures = agent.metrics()
        owed = figures["longstop_pending_deliveries",
                       (("handler", "mirror"),)]
        self.assertGreaterEqual(owed, 1)
        self.assertEqual(owed + self.done(agent), 5)
        self.assertEqual(self.done(agent, "dead"), 0)

    def test_a_status_of_dead_on_is_dead_at_once(self):
        receiver = self.receiver()
        receiver.script += [replies(422)]
        agent = self.agent_to(receiver, http={"dead_on": [400, 422]})
        Hook(1, iso()).send(agent)
        wait_until(lambda: self.done(agent, "dead") == 1, "it is dead")
        self.assertEqual(len(receiver.asked), 1)

    def test_errors_redirects_and_silence_are_tried_again(self):
        receiver = self.receiver()
        elsewhere = self.receiver()
        receiver.script += [
            replies(500), replies(404), replies(400),
            replies(302, b"", {"Location": elsewhere.url + "/stolen"}),
            lambda handler, asked: handler.connection.close(),
            lambda handler, asked: receiver.ended.wait(2)]
        agent = self.agent_to(receiver, timeout="500ms")
        Hook(1, iso()).send(agent)
        wait_until(lambda: self.done(agent) == 1, "it is done")
        self.assertEqual(self.done(agent, "retry"), 6)
        self.assertEqual(elsewhere.asked, [])


class File(harness.Case):
    def test_a_file_moved_away_under_load_loses_and_doubles_no_line(self):
        agent = self.agent({"shop": harness.pet_store()}).start()
        sent, moved = [], []

        def send(first):
            for i in range(first, first + 200):
                if Hook(i, iso()).send(agent).status == 202:
                    sent.append(i)
        senders = [threading.Thread(target=send, args=(first,))
                   for first in (0, 200)]
        for sender in senders:
            sender.start()
        while any(sender.is_alive() for sender in senders):
            if os.path.exists(agent.path("events.jsonl")):
                moved.append(f"events.{len(moved)}")
                os.rename(agent.path("events.jsonl"), agent.path(moved[-1]))
                agent.child.send_signal(signal.SIGHUP)
            senders[0].join(0.02)
        for sender in senders:
            sender.join()
        wait_until(lambda: agent.metric("deliveries_total", handler="log",
                                        outcome="done") == 400, "all done")
        wait_until(lambda: os.path.exists(agent.path("events.jsonl")),
                   "the new file is there")
        ids = []
        for name in moved + ["events.jsonl"]:
            with open(agent.path(name), "rb") as file:
                text = file.read()
            self.assertTrue(text == b"" or text.endswith(b"\n"))
            ids += [json.loads(line)["id"] for line in text.splitlines()]
        self.assertEqual((len(sent), len(ids), len(set(ids))), (400,) * 3)
        self.assertGreater(len(moved), 5)

    def test_each_event_is_one_line_whatever_is_in_it(self):
        agent = self.pet_shop()
        body = json.dumps({"event": "x", "timestamp": iso(), "data": {
            "text": "two\nlines\r\n", "deep": [[[{}]]]}}, indent=3).encode()
        Hook(1, "", body=body).send(agent)
        for i in range(20):
            Hook(i, iso()).send(agent)
        events = agent.wait_events(21)
        self.assertEqual(events[0]["data"]["text"], "two\nlines\r\n")

    def test_an_unfinished_last_line_is_cut_before_the_first_append(self):
        agent = self.agent({"shop": harness.pet_store()})
        with open(agent.path("events.jsonl"), "wb") as file:
            file.write(b'{"id":"whole"}\n{"id":"cut off in the mid')
        agent.start()
        Hook(1, iso(), delivery="next").send(agent)
        events = agent.wait_events(2)
        self.assertEqual([e["id"] for e in events], ["whole", "next"])

    def test_the_file_is_opened_again_on_sighup(self):
        agent = self.pet_shop()
        Hook(1, iso()).send(agent)
        agent.wait_events(1)
        os.rename(agent.path("events.jsonl"), agent.path("old.jsonl"))
        agent.child.send_signal(harness.signal.SIGHUP)
        wait_until(lambda: os.path.exists(agent.path("events.jsonl")),
                   "a new file")
        Hook(2, iso()).send(agent)
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(1)], [2])

    def test_two_handlers_on_one_path_are_refused(self):
        agent = self.agent({"shop": harness.pet_store()},
                           {"a": {"file": "x.jsonl"},
                            "b": {"file": "./x.jsonl"}})
        self.assertEqual(agent.command("check").returncode, 78)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii",
                  errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
