# SPDX-License-Identifier: MIT
"""Another configuration in the place of the one that runs: all or nothing,
and nothing that is under way is dropped."""
import glob
import http.client
import json
import os
import signal
import threading
import time

import harness
import test_service
import test_stream
from harness import Hook, answer, iso, replies, row, stays, wait_until

LONG = os.environ.get("LONGSTOP_LONG") == "1"
NOTHING = {"added": [], "removed": [], "changed": []}


class Reload(harness.Case):
    def reload(self, agent, code=0):
        """Writes the configuration and has it read; returns what is told."""
        agent.write_config()
        got = agent.command("reload")
        self.assertEqual(got.returncode, code, got)
        return (got.stdout if code == 0 else got.stderr).decode()

    def reload_json(self, agent):
        agent.write_config()
        got = agent.command("reload", "--json")
        self.assertEqual(got.returncode, 0, got)
        return json.loads(got.stdout)

    def hand_in(self, agent, order, path="/hooks/shop", secret=None):
        hook = Hook(order, iso(), secret=secret or harness.SECRET)
        return hook.send(agent, path).status

    def successful(self, agent):
        return agent.metric("config_last_reload_successful")


class Difference(Reload):
    def test_what_is_added_changed_and_removed_is_told_and_holds(self):
        agent = self.pet_shop(handlers={"log": {"file": "events.jsonl"},
                                        "old": {"file": "old.jsonl"}})
        self.assertIn("nothing has changed", self.reload(agent))
        agent.config["connectors"]["second"] = harness.pet_store()
        agent.config["handlers"]["new"] = {"file": "new.jsonl"}
        agent.config["handlers"]["log"] = {"file": "other.jsonl"}
        del agent.config["handlers"]["old"]
        agent.config["keep"] = {"events": "3d"}
        self.assertEqual(self.reload(agent),
                         "connector second added\n"
                         "handler new added\n"
                         "handler log changed\n"
                         "handler old removed\n"
                         "section keep changed\n")
        self.assertEqual(self.hand_in(agent, 1), 202)
        self.assertEqual(self.hand_in(agent, 2, "/hooks/second"), 202)
        for name in ("new", "other"):
            told = agent.wait_events(2, f"{name}.jsonl")
            self.assertEqual(sorted(e["data"]["id"] for e in told), [1, 2])
        self.assertEqual(agent.events("old.jsonl"), [])
        self.assertEqual(agent.events(), [])
        told = json.loads(agent.command("status", "--json").stdout)
        self.assertEqual([h["name"] for h in told["handlers"]],
                         ["log", "new"])
        self.assertEqual([c["name"] for c in told["connectors"]],
                         ["shop", "second"])
        self.assertGreater(told["loaded"], told["started"])

        self.assertEqual(agent.metric("pending_deliveries", handler="old"), 0)
        del agent.config["connectors"]["second"]
        agent.config["connectors"]["shop"]["grace"] = "5m"
        told = self.reload_json(agent)
        self.assertEqual(told["connectors"], {
            "added": [], "removed": ["second"], "changed": ["shop"]})
        self.assertEqual(told["handlers"], NOTHING)
        self.assertEqual(told["sections"], [])
        self.assertEqual(self.hand_in(agent, 3, "/hooks/second"), 404)
        self.assertEqual(self.hand_in(agent, 3), 202)
        agent.wait_events(3, "new.jsonl")

    def test_a_secret_that_is_read_from_a_file_is_read_again(self):
        agent = self.agent({"shop": harness.pet_store()})
        shop = agent.config["connectors"]["shop"]["with"]
        del shop["webhook_secret"]
        shop["webhook_secret_file"] = "shop.secret"

        def keep(secret):
            with open(agent.path("shop.secret"), "w",
                      encoding="utf-8") as file:
                file.write(secret)
            os.chmod(agent.path("shop.secret"), 0o600)

        keep("the old one, long enough")
        agent.write_config()
        agent.start()
        self.assertEqual(
            self.hand_in(agent, 1, secret="the old one, long enough"), 202)
        keep("the new one, long enough")
        self.assertEqual(
            self.hand_in(agent, 2, secret="the new one, long enough"), 401)
        self.assertEqual(self.reload(agent), "connector shop changed\n")
        self.assertEqual(
            self.hand_in(agent, 3, secret="the old one, long enough"), 401)
        self.assertEqual(
            self.hand_in(agent, 4, secret="the new one, long enough"), 202)
        self.assertEqual(len(agent.wait_events(2)), 2)
        self.assertNotIn("the new one", agent.log())

    def test_a_certificate_that_was_renewed_is_another_handler(self):
        agent = self.agent({"shop": harness.pet_store()})
        with open(agent.path("ca.pem"), "w", encoding="utf-8") as file:
            file.write("the old one\n")
        agent.config["handlers"]["mirror"] = {"http": {
            "url": "https://localhost/", "ca_file": "ca.pem"}}
        agent.write_config()
        agent.start()
        self.assertIn("nothing has changed", self.reload(agent))
        with open(agent.path("ca.pem"), "w", encoding="utf-8") as file:
            file.write("the new one\n")
        self.assertEqual(self.reload(agent), "handler mirror changed\n")

    def test_a_connector_file_that_was_edited_is_another_connector(self):
        agent = self.agent({"shop": {"use": "./own.yaml", "with": {
            "webhook_secret": harness.SECRET}}})
        source = os.path.join(harness.HERE, "..", "..", "connectors",
                              "petstore.yaml")
        with open(source, encoding="utf-8") as file:
            text = file.read()

        def write(text):
            with open(agent.path("own.yaml"), "w", encoding="utf-8") as file:
                file.write(text)

        write(text)
        agent.start()
        self.assertIn("nothing has changed", self.reload(agent))
        write(text + "# another line\n")
        self.assertEqual(self.reload(agent), "connector shop changed\n")


class Mistakes(Reload):
    def refused(self, agent, pattern):
        said = self.reload(agent, 78)
        self.assertRegex(said, pattern)
        if "no agent was asked" in said:
            reply = agent.admin("/api/v1/reload", "POST", b"")
            self.assertEqual(reply.status, 422)
            self.assertRegex(json.loads(reply.body)["text"], pattern)
        else:
            self.assertIn("the one before goes on", said)
        self.assertEqual(self.successful(agent), 0)

    def test_any_mistake_leaves_all_as_it_was(self):
        agent = self.pet_shop()
        self.assertEqual(self.successful(agent), 1)
        before = agent.metric("config_last_reload_success_timestamp_seconds")
        good = json.loads(json.dumps(agent.config))
        broken = (
            ({"grase": "1m"}, r"longstop\.yaml:\d+:\d+: error: .*grase"),
            ({"store": "sqlite:other.db"},
             r"longstop\.yaml:\d+:\d+: error: 'store' cannot change"),
            ({"listen": {"address": "127.0.0.1:1"}},
             r"'listen\.address' cannot change while the agent runs: restart"),
            ({"admin": {"address": "unix:other.sock"}},
             r"'admin\.address' cannot change"),
            ({"limits": {"queue_events": 77}},
             r"'limits\.queue_events' cannot change"),
            ({"outbound": {"timeout": "3s"}}, r"'outbound' cannot change"),
            ({"handlers": {"log": {"file": "x.jsonl"},
                           "mail": {"exec": ["/nowhere/at/all"],
                                    "timeout": "soon"}}}, r"timeout"),
            ({"handlers": {"log": {"file": "/var/tmp/elsewhere.jsonl"}}},
             r"'log': the sandbox of the agent that runs cannot write"),
            ({"handlers": {"run": {"exec": ["/bin/true"]}}},
             r"'run': the sandbox of the agent that runs can start no"),
            ({"sandbox": "off"}, r"'sandbox' cannot change"),
            ({"connectors": {"shop": {"use": "petshop"}}},
             r"'petshop' is not known"),
        )
        for n, (change, pattern) in enumerate(broken):
            with self.subTest(change):
                agent.config = dict(json.loads(json.dumps(good)), **change)
                agent.write_config()
                if "admin" in change:  # the command would look for it there
                    reply = agent.admin("/api/v1/reload", "POST", b"")
                    self.assertEqual(reply.status, 422)
                    self.assertRegex(json.loads(reply.body)["text"], pattern)
                else:
                    self.refused(agent, pattern)
                self.assertEqual(self.hand_in(agent, n), 202)
        with open(agent.config_path, "w", encoding="utf-8") as file:
            file.write("connectors: [")
        reply = agent.admin("/api/v1/reload", "POST", b"")
        self.assertEqual(reply.status, 422)
        told = json.loads(reply.body)
        self.assertEqual(told["findings"][0]["severity"], "error")
        self.assertEqual(told["findings"][0]["file"], agent.config_path)
        self.assertEqual(
            agent.metric("config_last_reload_success_timestamp_seconds"),
            before)
        agent.config = good
        self.assertIn("nothing has changed", self.reload(agent))
        self.assertEqual(self.successful(agent), 1)
        agent.wait_events(len(broken))

    def test_a_handler_that_cannot_be_made_undoes_all_of_it(self):
        agent = self.pet_shop()
        agent.config["handlers"]["mirror"] = {
            "http": {"url": "https://127.0.0.1:9/", "ca_file": "/no/ca.pem"}}
        agent.config["connectors"]["second"] = harness.pet_store()
        agent.write_config()
        got = agent.command("reload")
        self.assertNotEqual(got.returncode, 0, got)
        self.assertIn(b"/no/ca.pem", got.stderr)
        self.assertEqual(self.hand_in(agent, 1, "/hooks/second"), 404)
        self.assertEqual(self.hand_in(agent, 1), 202)
        agent.wait_events(1)

    def test_files_are_opened_anew_on_sighup_whatever_is_wrong(self):
        agent = self.pet_shop()
        self.assertEqual(self.hand_in(agent, 1), 202)
        agent.wait_events(1)
        os.rename(agent.path("events.jsonl"), agent.path("moved.jsonl"))
        agent.config["grase"] = "1m"
        agent.write_config()
        agent.child.send_signal(signal.SIGHUP)
        wait_until(lambda: "was not taken up" in agent.log(), "refused")
        self.assertRegex(agent.log(), r"longstop\.yaml:\d+:\d+: .*grase")
        self.assertEqual(self.hand_in(agent, 2), 202)
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(1)], [2])


class Service(Reload):
    def test_sighup_does_it_and_the_service_manager_is_told(self):
        agent = self.agent({"shop": harness.pet_store()})
        manager = test_service.Manager(self, agent)
        agent.start()
        manager.wait("READY=1")
        agent.config["handlers"]["new"] = {"file": "new.jsonl"}
        agent.write_config()
        agent.child.send_signal(signal.SIGHUP)
        manager.wait(r"RELOADING=1\nMONOTONIC_USEC=\d+")
        manager.wait("READY=1")
        wait_until(lambda: "handler new added" in agent.log(), "it is told")
        self.assertEqual(self.hand_in(agent, 1), 202)
        agent.wait_events(1, "new.jsonl")

    def test_it_ends_in_order_while_it_is_handed_over(self):
        provider = self.provider([row(1, iso())])
        release = threading.Event()
        self.addCleanup(release.set)

        def late(handler, asked):
            release.wait(harness.PATIENCE)
            provider.list(handler, asked)

        provider.default = late
        agent = self.pet_shop(provider)
        wait_until(lambda: provider.asked, "a list is asked")
        self.reload(agent)
        code, seconds = agent.stop()
        self.assertEqual(code, 0)
        self.assertLess(seconds, 5)


class Walks(Reload):
    def test_a_walk_in_the_middle_of_its_pages_loses_nothing(self):
        now = time.time()
        provider = self.provider(
            [row(n, iso(now - 600 + n)) for n in range(60)], page=5)
        slow = threading.Semaphore(0)

        def one_by_one(handler, asked):
            slow.acquire(timeout=harness.PATIENCE)
            provider.list(handler, asked)

        provider.default = one_by_one
        agent = self.pet_shop(provider, poll={"every": "1s",
                                              "overlap": "1m"})
        for n in range(4):
            wait_until(lambda n=n: len(provider.asked) > n, "a page is asked")
            self.reload(agent)
            slow.release()
        provider.default = None
        for _ in range(100):
            slow.release()
        agent.wait_events(60)
        ids = [e["data"]["id"] for e in agent.events()]
        self.assertEqual(sorted(ids), list(range(60)))

    def test_a_request_that_is_under_way_is_answered_and_stored(self):
        provider = self.provider([row(1, iso())])
        release = threading.Event()
        provider.script.append(lambda handler, asked: (
            release.wait(harness.PATIENCE), provider.list(handler, asked)))
        agent = self.pet_shop(provider, poll={"every": "1h"})
        wait_until(lambda: provider.asked, "a list is asked")
        self.reload(agent)
        stays(lambda: len(provider.asked) == 1, "it is asked once", 0.5)
        release.set()
        agent.wait_events(1)
        self.assertEqual(len(provider.asked), 1)

    def test_the_next_walk_is_due_when_it_was(self):
        provider = self.provider([row(1, iso())])
        agent = self.pet_shop(provider, poll={"every": "1h"})
        agent.wait_events(1)
        for _ in range(3):
            self.reload(agent)
        stays(lambda: len(provider.asked) == 1, "no walk comes early", 1)
        got = agent.command("poll", "shop")
        self.assertEqual(got.returncode, 0, got)
        self.assertEqual(len(provider.asked), 2)

    def test_who_waits_for_a_walk_gets_its_report(self):
        provider = self.provider([row(1, iso())])
        agent = self.pet_shop(provider, poll={"every": "1h"})
        agent.wait_events(1)
        release = threading.Event()
        provider.script.append(lambda handler, asked: (
            release.wait(harness.PATIENCE), provider.list(handler, asked)))
        told = []
        waits = threading.Thread(target=lambda: told.append(
            agent.command("poll", "shop")))
        waits.start()
        wait_until(lambda: len(provider.asked) == 2, "it is asked")
        self.reload(agent)
        release.set()
        waits.join(harness.PATIENCE)
        self.assertEqual(told[0].returncode, 0, told)

    def test_paused_ones_stay_paused(self):
        provider = self.provider([row(1, iso())])
        agent = self.pet_shop(provider)
        agent.wait_events(1)
        self.assertEqual(agent.command("pause", "shop").returncode, 0)
        self.assertEqual(agent.command("pause", "log").returncode, 0)
        asked = len(provider.asked)
        agent.config["handlers"]["log"]["file"] = "other.jsonl"
        agent.config["connectors"]["shop"]["grace"] = "2m"
        self.reload(agent)
        self.assertEqual(self.hand_in(agent, 2), 202)
        stays(lambda: agent.events("other.jsonl") == [] and
              len(provider.asked) <= asked + 1, "both are left alone", 1.5)
        self.assertEqual(agent.command("resume", "log").returncode, 0)
        agent.wait_events(1, "other.jsonl")

    def test_a_stream_goes_on_behind_the_last_that_is_stored(self):
        relay = test_stream.Relay()
        self.addCleanup(relay.close)
        entry = harness.pet_store()
        entry["with"]["relay_token"] = test_stream.TOKEN
        entry["stream"] = {
            "use": "relay", "url": relay.url,
            "auth": {"type": "bearer", "value": "{secret:relay_token}"}}
        agent = self.agent({"shop": entry}, listen=False).start()
        for n in range(40):
            relay.send(test_stream.forward(Hook(n, iso())))
            if n % 10 == 5:
                self.reload(agent)
        agent.wait_events(40)
        ids = [e["data"]["id"] for e in agent.events()]
        self.assertEqual(sorted(ids), list(range(40)))


class Attempts(Reload):
    def hanging(self, agent, name="slow.sh"):
        return agent.script(name, 'cat > /dev/null\n'
                            'echo begun >> "$0.begun"\n'
                            'while [ ! -e "$0.go" ]; do sleep 0.05; done\n')

    def lines(self, agent, name):
        try:
            with open(agent.path(name), encoding="utf-8") as file:
                return len(file.readlines())
        except FileNotFoundError:
            return 0

    def go(self, agent, name="slow.sh.go"):
        open(agent.path(name), "w", encoding="utf-8").close()

    def done(self, agent, name):
        return agent.metric("deliveries_total", handler=name, outcome="done")

    def gauges(self, agent, name):
        return {agent.metric(gauge, handler=name) for gauge in (
            "pending_deliveries", "oldest_pending_seconds", "handler_paused",
            "handler_breaker_state")}

    def start(self):
        agent = self.agent({"shop": harness.pet_store()}, {})
        agent.config["handlers"] = {
            "slow": {"exec": [self.hanging(agent)], "timeout": "30s",
                     "concurrency": 1}}
        agent.write_config()
        agent.start()
        self.assertEqual(self.hand_in(agent, 1), 202)
        wait_until(lambda: self.lines(agent, "slow.sh.begun") == 1,
                   "it runs")
        return agent

    def test_one_of_a_handler_that_is_removed_counts(self):
        agent = self.start()
        agent.config["handlers"] = {"log": {"file": "events.jsonl"}}
        self.reload(agent)
        self.assertEqual(self.hand_in(agent, 2), 202)
        agent.wait_events(1)
        self.assertEqual(self.done(agent, "slow"), 0)
        self.assertEqual(self.gauges(agent, "slow"), {0})
        self.go(agent)
        wait_until(lambda: self.done(agent, "slow") == 1, "it counts")
        self.assertEqual(agent.query("SELECT count(*) FROM delivery"),
                         [(0,)])
        wait_until(lambda: self.gauges(agent, "slow") == {0}, "no alarm")

    def test_one_of_a_handler_that_is_changed_holds_its_slot(self):
        agent = self.start()
        agent.config["handlers"]["slow"] = {"file": "events.jsonl",
                                            "concurrency": 1}
        self.reload(agent)
        self.assertEqual(self.hand_in(agent, 2), 202)
        stays(lambda: agent.events() == [], "one at a time", 0.5)
        self.go(agent)
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(1)], [2])
        wait_until(lambda: self.done(agent, "slow") == 2, "both count")
        self.assertEqual(self.lines(agent, "slow.sh.begun"), 1)

    def test_one_of_a_handler_that_stays_is_not_disturbed(self):
        agent = self.start()
        for n in range(3):
            agent.config["keep"] = {"events": f"{n + 1}d"}
            self.reload(agent)
        self.go(agent)
        wait_until(lambda: self.done(agent, "slow") == 1, "it counts")
        self.assertEqual(self.lines(agent, "slow.sh.begun"), 1)

    def test_a_worker_finishes_its_line(self):
        agent = self.agent({"shop": harness.pet_store()}, {})
        program = agent.script(
            "worker.sh", 'while read -r line; do\n'
            'id=$(echo "$line" | sed \'s/.*"id":"\\([^"]*\\)".*/\\1/\')\n'
            'echo "$$" >> "$0.begun"\n'
            'while [ ! -e "$0.go" ]; do sleep 0.05; done\n'
            'echo "{\\"id\\":\\"$id\\",\\"ok\\":true}"\ndone\n')
        agent.config["handlers"] = {"work": {"exec": [program],
                                             "worker": True,
                                             "concurrency": 1}}
        agent.write_config()
        agent.start()
        self.assertEqual(self.hand_in(agent, 1), 202)
        wait_until(lambda: self.lines(agent, "worker.sh.begun") == 1, "it runs")
        self.reload(agent)
        agent.config["handlers"]["work"]["timeout"] = "20s"
        self.reload(agent)
        def workers():
            count = 0
            for path in glob.glob("/proc/[0-9]*/cmdline"):
                try:
                    with open(path, "rb") as file:
                        count += program.encode() in file.read().split(b"\0")
                except OSError:
                    pass  # it has just ended
            return count

        self.assertEqual(workers(), 1)
        self.go(agent, "worker.sh.go")
        wait_until(lambda: self.done(agent, "work") == 1, "it is done")
        self.assertEqual(self.lines(agent, "worker.sh.begun"), 1)
        wait_until(lambda: workers() == 0, "the one before has gone")
        self.assertEqual(self.hand_in(agent, 2), 202)
        wait_until(lambda: self.done(agent, "work") == 2, "by another one")
        self.assertEqual(workers(), 1)


class Power(Reload):
    def test_kill_in_the_midst_of_reloads_loses_nothing(self):
        agent = self.pet_shop()
        accepted, stop = [], threading.Event()

        def send():
            n = 0
            while not stop.is_set():
                n += 1
                try:
                    if self.hand_in(agent, n) == 202:
                        accepted.append(n)
                except OSError:
                    time.sleep(0.01)

        sender = threading.Thread(target=send)
        sender.start()
        for life in range(4):
            for n in range(3):
                agent.config["handlers"]["log"]["timeout"] = f"{n + 9}s"
                agent.write_config()
                agent.child.send_signal(signal.SIGHUP)
                wait_until(lambda: len(accepted) > 20 * life + 5 * n, "taken")
            agent.kill()
            agent.start()
        stop.set()
        sender.join(harness.PATIENCE)
        wanted = set(accepted)
        wait_until(lambda: wanted <= {e["data"]["id"]
                                      for e in agent.events()}, "all of them")


class Load(Reload):
    """Senders with connections that they keep, 50 requests at a time."""

    SENDERS = 50

    def send_all(self, agent, total, failures, begun):
        share = total // self.SENDERS

        def send(first):
            connection = http.client.HTTPConnection("127.0.0.1", agent.port,
                                                    timeout=30)
            for n in range(first, first + share):
                hook = Hook(n, iso())
                try:
                    connection.request("POST", "/hooks/shop", hook.body,
                                       hook.headers)
                    reply = connection.getresponse()
                    reply.read()
                    if reply.status != 202:
                        failures.append(reply.status)
                except OSError as error:
                    failures.append(repr(error))
                    connection.close()
                begun.append(n)
            connection.close()

        threads = [threading.Thread(target=send, args=(i * share,))
                   for i in range(self.SENDERS)]
        for thread in threads:
            thread.start()
        return threads

    def test_twenty_reloads_lose_no_request(self):
        total = 50000 if LONG else 5000
        agent = self.pet_shop(handlers={
            "log": {"file": "events.jsonl"},
            "again": {"file": "again-0.jsonl"}})
        failures, begun = [], []
        threads = self.send_all(agent, total, failures, begun)
        for n in range(20):
            wait_until(lambda n=n: len(begun) >= total * n // 22,
                       "requests go on", 600)
            agent.config["handlers"]["again"]["file"] = f"again-{n + 1}.jsonl"
            agent.config["connectors"]["shop"]["grace"] = f"{n + 1}m"
            self.assertIn("connector shop changed", self.reload(agent))
        for thread in threads:
            thread.join(600)
        self.assertEqual(failures, [])
        self.assertEqual(len(begun), total)
        agent.wait_events(total, seconds=120)
        everywhere = []
        for n in range(21):
            everywhere += [e["data"]["id"]
                           for e in agent.events(f"again-{n}.jsonl")]
        wait_until(lambda: sum(len(agent.events(f"again-{n}.jsonl"))
                               for n in range(21)) >= total,
                   "all are handed over", 120)
        ids = [e["data"]["id"] for e in agent.events()]
        self.assertEqual(sorted(ids), list(range(total)))
        again = sorted(e["data"]["id"] for n in range(21)
                       for e in agent.events(f"again-{n}.jsonl"))
        self.assertEqual(again, list(range(total)))
        self.assertEqual(self.successful(agent), 1)
        self.assertEqual(
            agent.metric("webhook_requests_total", connector="shop",
                         outcome="accepted"), total)
