# SPDX-License-Identifier: MIT
"""Order and company: lanes, batches, and handlers beside each other."""
import base64
import hashlib
import hmac
import json
import time

import harness
from harness import Hook, answer, iso, stays, wait_until

QUICK = {"first": "50ms", "cap": "100ms"}


def lines_of(agent, name):
    """The whole lines of a file of the agent's directory, split."""
    try:
        with open(agent.path(name), encoding="utf-8") as file:
            return [line.split() for line in file.read().split("\n")[:-1]]
    except FileNotFoundError:
        return []


class Lanes(harness.Case):
    def test_events_of_one_lane_come_in_order_even_when_one_must_wait(self):
        agent = self.agent({"shop": harness.pet_store()})
        program = agent.script(
            "handler.sh",
            'read -r line\n'
            'n=$(echo "$line" | sed "s/.*\\"n\\":\\([0-9]*\\).*/\\1/")\n'
            '[ "$n" = 2 ] && [ "$LONGSTOP_ATTEMPT" -lt 3 ] && exit 1\n'
            'echo "$line" | sed "s/.*\\"customer\\":\\"\\([a-z]*\\)\\".*/\\1 '
            f'$n/" >>{agent.dir}/order\n')
        agent.config["handlers"] = {"fulfil": {
            "exec": [program], "order_by": "/data/customer", "retry": QUICK}}
        agent.write_config()
        agent.start()
        for n in range(6):
            for customer in ("ann", "bob"):
                body = json.dumps({"event": "e", "timestamp": iso(),
                                   "data": {"n": n, "customer": customer}})
                Hook(1, "", body=body.encode()).send(agent)
        wait_until(lambda: agent.metric("deliveries_total", handler="fulfil",
                                        outcome="done") == 12, "all done")
        with open(agent.path("order"), encoding="ascii") as file:
            lines = [line.split() for line in file]
        for customer in ("ann", "bob"):
            self.assertEqual([n for c, n in lines if c == customer],
                             list("012345"))

    def lanes(self, agent):
        """{customer: numbers in order} of what the handler has done."""
        try:
            with open(agent.path("order"), encoding="ascii") as file:
                lines = [line.split() for line in file.read().splitlines()]
        except FileNotFoundError:
            lines = []
        return {name: "".join(n for c, n in lines if c == name)
                for name in ("ann", "bob")}

    def agent_that_refuses(self, number, **more):
        """Its handler answers ann's event of that number with 65."""
        agent = self.agent({"shop": harness.pet_store()})
        program = agent.script(
            "handler.sh",
            'read -r line\n'
            'who=$(echo "$line" | sed "s/.*\\"customer\\":\\"\\([a-z]*\\).*'
            '/\\1/")\n'
            'n=$(echo "$line" | sed "s/.*\\"n\\":\\([0-9]*\\).*/\\1/")\n'
            f'[ "$who$n" = ann{number} ] && exit 65\n'
            f'echo "$who $n" >>{agent.dir}/order\n')
        agent.config["handlers"] = {"fulfil": dict(
            {"exec": [program], "order_by": "/data/customer",
             "retry": QUICK}, **more)}
        agent.write_config()
        agent.start()
        for n in range(4):
            for customer in ("ann", "bob"):
                self.send(agent, n, customer)
        return agent

    def send(self, agent, number, customer):
        body = json.dumps({"event": "e", "timestamp": iso(),
                           "data": {"n": number, "customer": customer}})
        Hook(1, "", body=body.encode()).send(agent)

    @staticmethod
    def says(agent):
        """A handler that takes everything."""
        return ('read -r line\n'
                'echo "$line" | sed "s/.*\\"n\\":\\([0-9]*\\),\\"customer'
                '\\":\\"\\([a-z]*\\).*/\\2 \\1/" '
                f'>>{agent.path("order")}\n')

    def test_a_dead_letter_frees_its_lane(self):
        agent = self.agent_that_refuses(1)
        wait_until(lambda: self.lanes(agent) == {"ann": "023", "bob": "0123"},
                   "all but the dead letter")

    def test_a_dead_letter_blocks_its_lane_and_no_other(self):
        agent = self.agent_that_refuses(1, on_dead="block")
        done = {"ann": "0", "bob": "0123"}
        # durable too: what a kill cuts off is done once more
        wait_until(lambda: self.lanes(agent) == done and agent.query(
            "SELECT (SELECT count(*) FROM dead),"
            " (SELECT count(*) FROM delivery)") == [(1, 2)],
            "the other lane is done")
        agent.kill()
        agent.start()
        stays(lambda: self.lanes(agent) == done, "the lane is blocked", 0.5)
        agent.config["handlers"]["fulfil"]["on_dead"] = "free"
        agent.write_config()
        agent.stop()
        agent.start()
        wait_until(lambda: self.lanes(agent)["ann"] == "023",
                   "a lane that nothing blocks any more goes on")

    def dead_in_lane(self):
        agent = self.agent_that_refuses(1, on_dead="block")
        wait_until(lambda: self.lanes(agent)["bob"] == "0123" and agent.query(
            "SELECT count(*) FROM dead") == [(1,)], "the other lane is done")
        return agent

    def test_a_lane_goes_on_when_its_dead_letter_is_dropped(self):
        agent = self.dead_in_lane()
        dropped = agent.command("drop", "--handler", "fulfil", "--all", "-y")
        self.assertEqual(dropped.returncode, 0, dropped.stderr)
        wait_until(lambda: self.lanes(agent)["ann"] == "023", "it goes on")

    def test_a_dead_letter_that_is_retried_comes_first_in_its_lane(self):
        agent = self.dead_in_lane()
        agent.script("handler.sh", self.says(agent))
        retried = agent.command("retry", "--handler", "fulfil", "--all", "-y")
        self.assertEqual(retried.returncode, 0, retried.stderr)
        wait_until(lambda: self.lanes(agent)["ann"] == "0123", "in order")

    def test_lanes_keep_their_order_over_kills(self):
        agent = self.agent({"shop": harness.pet_store()})
        # Each takes a moment, so that a kill finds some under way.
        program = agent.script("handler.sh", "sleep 0.02\n" + self.says(agent))
        agent.config["handlers"] = {"fulfil": {
            "exec": [program], "order_by": "/data/customer", "retry": QUICK}}
        agent.write_config()
        agent.start()
        for n in range(10):
            for customer in ("ann", "bob"):
                self.send(agent, n, customer)
            if n in (3, 6, 9):
                agent.kill()
                agent.start()
        wait_until(lambda: agent.query("SELECT count(*) FROM delivery") ==
                   [(0,)], "all are done")
        for numbers in self.lanes(agent).values():
            # What a kill cut off is tried again before the next is.
            self.assertEqual("".join(sorted(numbers)), numbers)
            self.assertEqual("".join(sorted(set(numbers))), "0123456789")


class Batches(harness.Case):
    secret = b"twenty-four bytes or more of secret"

    def agent_with(self, text, batch, **more):
        """An agent whose handler runs this text of Python; `events` is what it
        was given, `say(...)` writes a line to the file `said`."""
        agent = self.agent({"shop": harness.pet_store()})
        program = agent.path("handler.py")
        with open(program, "w", encoding="utf-8") as file:
            file.write("import json, os, sys\n"
                       "events = json.load(sys.stdin)\n"
                       "numbers = [e['data']['id'] for e in events]\n"
                       "def say(*words):\n"
                       f"    with open({agent.path('said')!r}, 'a') as f:\n"
                       "        f.write(' '.join(map(str, words)) + '\\n')\n"
                       + text)
        agent.config["handlers"] = {"fulfil": dict(
            {"exec": ["python3", program], "batch": batch, "retry": QUICK},
            **more)}
        agent.write_config()
        return agent.start()

    def done(self, agent, outcome="done", handler="fulfil"):
        return agent.metric("deliveries_total", handler=handler,
                            outcome=outcome)

    def test_a_full_batch_is_one_run_and_one_exit(self):
        agent = self.agent_with(
            "say(os.environ['LONGSTOP_BATCH'], *numbers)\n"
            "say(*sorted(k for k in os.environ if k.startswith('LONGSTOP')))\n",
            {"max": 3, "wait": "10m"})
        for number in (1, 2, 3):
            Hook(number, iso()).send(agent)
        wait_until(lambda: self.done(agent) == 3, "all are done")
        batch, names = lines_of(agent, "said")
        self.assertEqual(batch[0], "3")
        self.assertEqual(sorted(batch[1:]), ["1", "2", "3"])
        self.assertEqual(names, ["LONGSTOP_BATCH", "LONGSTOP_HANDLER",
                                 "LONGSTOP_IDEMPOTENCY_KEY"])
        self.assertEqual(agent.query("SELECT count(*) FROM delivery"), [(0,)])

    def test_a_batch_that_is_not_full_waits_no_longer_than_it_may(self):
        agent = self.agent_with("say(*numbers)\n",
                                {"max": 50, "wait": "500ms"})
        began = time.monotonic()
        Hook(1, iso()).send(agent)
        Hook(2, iso()).send(agent)
        wait_until(lambda: self.done(agent) == 2, "both are done")
        self.assertGreaterEqual(time.monotonic() - began, 0.5)
        self.assertEqual(lines_of(agent, "said"), [["1", "2"]])

    def test_one_bad_event_takes_no_good_one_with_it(self):
        agent = self.agent_with(
            "say(*numbers)\nsys.exit(65 if 5 in numbers else 0)\n",
            {"max": 8, "wait": "200ms"})
        for number in range(8):
            Hook(number, iso()).send(agent)
        wait_until(lambda: self.done(agent) == 7 and
                   self.done(agent, "dead") == 1, "seven done, one dead")
        self.assertEqual(agent.query(
            "SELECT CAST(e.body AS TEXT) LIKE '%\"id\": 5%' FROM dead d"
            " JOIN event e ON e.id = d.event"), [(1,)])
        self.assertEqual([w for w in lines_of(agent, "said") if "5" in w][-1],
                         ["5"])

    def test_partial_batches_are_given_back_at_the_end_and_survive_a_kill(self):
        agent = self.agent_with("say(*numbers)\n", {"max": 50, "wait": "10m"})
        Hook(1, iso()).send(agent)
        agent.stop()
        self.assertEqual(agent.query(
            "SELECT attempt, owner FROM delivery"), [(0, 0)])
        agent.start()
        Hook(2, iso()).send(agent)
        agent.kill()
        agent.config["handlers"]["fulfil"]["batch"]["wait"] = "100ms"
        agent.write_config()
        agent.start()
        wait_until(lambda: self.done(agent) == 2, "both are done")
        self.assertEqual(sorted(sum(lines_of(agent, "said"), [])), ["1", "2"])

    def test_a_kill_in_the_middle_of_a_batch_loses_none_of_it(self):
        agent = self.agent_with(
            "import time\n"
            "say('begun', *sorted(numbers))\n"
            "first = os.path.join(os.path.dirname(__file__), 'first')\n"
            "if not os.path.exists(first):\n"
            "    open(first, 'w').close()\n"
            "    parent = os.getppid()\n"
            "    while os.getppid() == parent:\n"
            "        time.sleep(0.02)\n"
            "    sys.exit(1)\n"
            "say('done', *sorted(numbers))\n",
            {"max": 3, "wait": "10m"}, timeout="60s")
        for number in (1, 2, 3):
            Hook(number, iso()).send(agent)
        wait_until(lambda: lines_of(agent, "said"), "a batch has begun")
        agent.kill()
        agent.config["handlers"]["fulfil"]["batch"]["wait"] = "100ms"
        agent.write_config()
        agent.start()
        wait_until(lambda: self.done(agent) == 3, "all are done")
        # The attempt was cut off, so they go in less company.
        done = [w[1:] for w in lines_of(agent, "said") if w[0] == "done"]
        self.assertEqual(sorted(sum(done, [])), ["1", "2", "3"])

    def test_a_batch_over_http_is_one_request_with_one_key(self):
        receiver = self.provider()
        receiver.bodies = []

        def take(handler, asked):
            receiver.bodies.append(handler.sent)
            answer(handler, 500 if len(receiver.bodies) == 1 else 204, b"")

        receiver.default = take
        agent = self.agent({"shop": harness.pet_store()}, {"mirror": {
            "http": {"url": receiver.url + "/events",
                     "secret": self.secret.decode()},
            "batch": {"max": 2, "wait": "10m"},
            "retry": dict(QUICK, attempts=3)}}).start()
        Hook(1, iso()).send(agent)
        Hook(2, iso()).send(agent)
        wait_until(lambda: self.done(agent, handler="mirror") == 2,
                   "both are done")
        headers = {k.lower(): v for k, v in
                   receiver.asked[0].headers.items()}
        body = receiver.bodies[0]
        self.assertEqual(headers["content-type"],
                         "application/cloudevents-batch+json")
        self.assertEqual(len(json.loads(body)), 2)
        self.assertEqual(headers["idempotency-key"], headers["webhook-id"])
        self.assertRegex(headers["webhook-id"], "^batch:[0-9a-f]{64}$")
        text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}."
        mac = hmac.new(self.secret, text.encode() + body, hashlib.sha256)
        self.assertEqual(headers["webhook-signature"],
                         "v1," + base64.b64encode(mac.digest()).decode())
        # A batch that failed goes again in halves.
        self.assertEqual([len(json.loads(b)) for b in receiver.bodies],
                         [2, 1, 1])

    def test_handlers_that_cannot_take_batches_are_refused(self):
        agent = self.agent({"shop": harness.pet_store()}, {"log": {
            "file": "events.jsonl", "batch": {"max": 2}}})
        checked = agent.command("check")
        self.assertNotEqual(checked.returncode, 0)
        self.assertIn("batch is for exec and http handlers",
                      (checked.stdout + checked.stderr).decode())


class Beside(harness.Case):
    """Handlers beside each other."""

    def test_a_handler_that_hangs_or_fails_costs_the_others_nothing(self):
        agent = self.agent({"shop": harness.pet_store()})
        hanging = agent.script("hang.sh", "exec sleep 3600\n")
        failing = agent.script("fail.sh", "cat >/dev/null; exit 1\n")
        agent.config["handlers"] = {
            "hangs": {"exec": [hanging], "concurrency": 2, "timeout": "1h"},
            "fails": {"exec": [failing], "retry": dict(QUICK, attempts=1000)},
            "works": {"file": "works.jsonl"}}
        agent.write_config()
        agent.start()
        for number in range(100):
            self.assertEqual(Hook(number, iso()).send(agent).status, 202)
            if number % 20 == 19:
                # As each comes: no backlog of theirs is worked off first.
                agent.wait_events(number + 1, "works.jsonl", seconds=5)
        self.assertEqual(agent.metric("pending_deliveries", handler="hangs"),
                         100)
        self.assertEqual(agent.metric("pending_deliveries", handler="works"),
                         0)
