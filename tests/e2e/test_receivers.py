# SPDX-License-Identifier: MIT
"""Receivers that register themselves to be sent events as webhooks."""
import base64
import hashlib
import hmac
import http.server
import json
import re
import sqlite3
import threading
import time

import harness
from harness import Hook, iso, row, stays, wait_until

API = "/api/v1/subscriptions"


class Got:
    def __init__(self, headers, body):
        self.headers = headers
        self.body = body
        self.at = time.time()

    @property
    def type(self):
        return json.loads(self.body)["type"]


def holds(got, secret):
    """Whether a request is signed with this secret, by the words of Standard
    Webhooks and of the plain signature."""
    key = base64.b64decode(secret[len("whsec_"):]) \
        if secret.startswith("whsec_") else secret.encode()
    head = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}."
    standard = base64.b64encode(hmac.new(
        key, head.encode() + got.body, hashlib.sha256).digest()).decode()
    plain = hmac.new(key, got.body, hashlib.sha256).hexdigest()
    return "v1," + standard in got.headers["webhook-signature"].split(" ") \
        and plain in got.headers["X-Webhook-Signature"].split(" ")


class Receiver:
    """An endpoint that keeps what it is sent and answers as it is told."""

    def __init__(self, case, status=200, headers=None):
        self.status = status
        self.headers = headers or {}
        self.got = []
        self.gate = threading.Event()
        self.gate.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append(Got(dict(self.headers), body))
                outer.gate.wait(30)
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", harness.free_port()), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hooks"
        threading.Thread(target=self.server.serve_forever, args=(0.05,),
                         daemon=True).start()
        case.addCleanup(self.close)

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()

    def events(self):
        return [got for got in self.got if got.type != "longstop.test"]


class Case(harness.Case):
    def shop(self, handlers=None, **outbound):
        """An agent that may send to this machine."""
        outbound = dict({"allow": ["127.0.0.0/8"], "http": True}, **outbound)
        return self.pet_shop(handlers={} if handlers is None else handlers,
                             outbound=outbound)

    def ask(self, agent, path="", method="GET", status=200, **body):
        text = json.dumps(body).encode() if body else None
        got = agent.admin(API + path, method, text)
        self.assertEqual(got.status, status, got)
        return json.loads(got.body) if got.body else None

    def register(self, agent, receiver, **body):
        return self.ask(agent, "", "POST", 201, url=receiver.url, **body)

    def wait_events(self, receiver, count):
        wait_until(lambda: len(receiver.events()) >= count,
                   f"{count} events at the receiver")
        return receiver.events()


class Api(Case):
    def test_post_registers_and_tells_the_secret_once(self):
        agent = self.shop()
        receiver = Receiver(self)
        told = self.register(agent, receiver, events=["order.*"])
        self.assertRegex(told["id"], "^rcv_[0-9a-f]{24}$")
        self.assertRegex(told["secret"], "^whsec_")
        self.assertEqual(len(base64.b64decode(told["secret"][6:])), 32)
        self.assertEqual(told["state"], "active")
        shown = self.ask(agent, "/" + told["id"])
        self.assertEqual(shown["events"], ["order.*"])
        listed = self.ask(agent)
        self.assertEqual(
            [shown.pop(name) for name in
             ("pending", "oldest_pending", "next_try", "dead")],
            [0, None, None, 0])
        self.assertEqual(listed["items"], [shown])
        self.assertNotIn("secret", shown)
        self.assertNotIn(told["secret"], json.dumps(listed))
        self.assertNotIn(told["secret"][6:], agent.log())

    def test_status_shows_the_queue_of_each(self):
        agent = self.shop()
        good, bad = Receiver(self), Receiver(self, 500)
        ids = [self.register(agent, one)["id"] for one in (good, bad)]
        for n in range(3):
            self.assertEqual(Hook(n, iso()).send(agent).status, 202)

        def told():
            status = json.loads(agent.admin("/api/v1/status").body)
            self.assertEqual(status["handlers"], [])
            return {one["name"]: one for one in status["receivers"]}
        wait_until(lambda: [told()[name]["pending"] for name in ids] == [0, 3],
                   "what each is owed")
        one, other = (told()[name] for name in ids)
        self.assertIsNone(one["oldest"])
        self.assertIsNotNone(other["oldest"])
        wait_until(lambda: told()[ids[1]]["next_try"], "it is tried again")
        text = agent.command("status").stdout.decode()
        self.assertRegex(text, rf"RECEIVER .*OWED(?s:.*)\n{ids[1]} +3 ")
        self.ask(agent, "/" + ids[0], "DELETE")
        wait_until(lambda: list(told()) == ids[1:], "it is gone")

    def test_delete_ends_it_and_drops_what_it_is_owed(self):
        agent = self.shop(handlers={"log": {"file": "events.jsonl"}})
        receiver = Receiver(self, 500)
        one = self.register(agent, receiver)
        for n in range(3):
            self.assertEqual(Hook(n, iso()).send(agent).status, 202)
        agent.wait_events(3)
        self.wait_events(receiver, 3)
        wait_until(lambda: agent.query("SELECT count(*) FROM delivery")
                   == [(3,)], "the others' outcomes are stored")
        self.assertEqual(self.ask(agent, "/" + one["id"], "DELETE"),
                         {"removed": one["id"]})
        self.ask(agent, "/" + one["id"], "DELETE", 404)
        self.ask(agent, "/" + one["id"], status=404)
        wait_until(lambda: agent.query("SELECT count(*) FROM receiver")
                   == [(0,)], "it is forgotten")
        self.assertEqual(agent.query("SELECT count(*) FROM delivery"), [(0,)])
        sent = len(receiver.got)
        Hook(9, iso()).send(agent)
        agent.wait_events(4)
        stays(lambda: len(receiver.got) == sent, "nothing is sent", 0.5)

    def test_one_takes_the_place_of_another_that_still_runs(self):
        agent = self.shop(receivers=1)
        hangs, other = Receiver(self), Receiver(self)
        one = self.register(agent, hangs)
        hangs.gate.clear()
        Hook(1, iso()).send(agent)
        self.wait_events(hangs, 1)
        # it counts no more, though its attempt has not ended
        self.ask(agent, "/" + one["id"], "DELETE")
        self.register(agent, other)
        over = agent.admin(API, "POST", json.dumps({"url": other.url}).encode())
        self.assertNotEqual(over.status, 201, over)
        hangs.gate.set()
        wait_until(lambda: agent.query("SELECT count(*) FROM receiver")
                   == [(1,)], "the first is forgotten")
        agent.stop()
        agent.start()
        self.assertEqual(len(self.ask(agent)["items"]), 1)

    def test_what_waits_for_a_time_beyond_any_wait_goes_at_a_start(self):
        agent = self.shop(handlers={"log": {"file": "events.jsonl"}})
        receiver = Receiver(self, 500)
        self.register(agent, receiver)
        Hook(1, iso()).send(agent)
        self.wait_events(receiver, 1)
        wait_until(lambda: agent.query("SELECT owner FROM delivery")
                   == [(0,)], "it is to be tried again")
        agent.stop()
        receiver.status = 200
        # as a clock that was years ahead has left it
        with sqlite3.connect(agent.path("longstop.db")) as store:
            store.execute("UPDATE delivery SET due=due+316224000000")
        store.close()
        agent.start()
        self.wait_events(receiver, 2)

    def test_mistakes_have_words_and_register_nothing(self):
        agent = self.shop(receivers=1)
        for body, words in (
                (b"", "must be a JSON object"),
                (b"[]", "must be a JSON object"),
                (b"{}", "'url' is missing"),
                (b'{"url":"ftp://a/"}', "url"),
                (b'{"url":"http://u:p@example.com/"}', "url"),
                (b'{"url":"https://a/","events":[1]}', "'events'"),
                (b'{"url":"https://a/","events":[""]}', "'events'"),
                (b'{"url":"https://a/","secret":"short"}', "'secret'"),
                (b'{"url":"https://a/","secret":"whsec_!!!!!!!!!!!!"}',
                 "not base64"),
                (b'{"url":"https://a/","more":1}', "nothing else")):
            got = agent.admin(API, "POST", body)
            self.assertEqual(got.status, 400, (body, got))
            self.assertIn(words, json.loads(got.body)["title"], body)
        self.assertEqual(self.ask(agent)["items"], [])
        self.register(agent, Receiver(self))
        got = agent.admin(API, "POST", json.dumps(
            {"url": Receiver(self).url}).encode())
        self.assertEqual(got.status, 503)
        self.assertIn("outbound.receivers", json.loads(got.body)["title"])

    def test_https_only_unless_http_is_allowed(self):
        agent = self.pet_shop(handlers={})
        got = self.ask(agent, "", "POST", 400, url="http://example.com/")
        self.assertIn("https only", got["title"])

    def test_a_test_event_is_sent_on_registration_and_its_failure_told(self):
        agent = self.shop()
        receiver = Receiver(self)
        told = self.register(agent, receiver, secret="a secret of 16 b".replace(
            " ", "-"))
        self.assertEqual(told["test"], {"delivered": True, "detail": None})
        self.assertEqual([got.type for got in receiver.got], ["longstop.test"])
        self.assertTrue(holds(receiver.got[0], "a-secret-of-16-b"))
        receiver.status = 500
        again = self.register(agent, receiver)
        self.assertEqual(again["test"],
                         {"delivered": False, "detail": "http 500"})
        self.assertEqual(len(self.ask(agent)["items"]), 2)
        receiver.status = 200
        got = self.ask(agent, f"/{again['id']}/test", "POST")
        self.assertEqual(got["test"], {"delivered": True, "detail": None})


class FanOut(Case):
    def test_events_go_to_the_receivers_that_match_each_signed(self):
        agent = self.shop()
        every, paid, none = (Receiver(self) for _ in range(3))
        one = self.register(agent, every)
        two = self.register(agent, paid, events=["order.paid"])
        self.register(agent, none, connectors=["other"])
        Hook(1, iso(), "order.created").send(agent)
        Hook(2, iso(), "order.paid").send(agent)
        self.wait_events(every, 2)
        self.wait_events(paid, 1)
        for receiver, secret in ((every, one["secret"]),
                                 (paid, two["secret"])):
            for got in receiver.events():
                self.assertTrue(holds(got, secret))
                self.assertFalse(holds(got, "whsec_" + "A" * 44))
                self.assertEqual(got.headers["X-Webhook-Event"], got.type)
                self.assertEqual(got.headers["X-Webhook-Delivery"],
                                 got.headers["webhook-id"])
                self.assertEqual(got.headers["X-Webhook-Timestamp"],
                                 got.headers["webhook-timestamp"])
                self.assertLess(abs(time.time() - int(
                    got.headers["webhook-timestamp"])), 60)
        stays(lambda: len(paid.events()) == 1 and not none.events(),
              "nothing else is sent", 0.3)

    def test_what_a_walk_brings_while_no_agent_runs_is_owed_to_them_too(self):
        provider = self.provider()
        agent = self.pet_shop(provider, poll={"every": "1h"}, handlers={},
                              outbound={"allow": ["127.0.0.0/8"],
                                        "http": True})
        receiver = Receiver(self)
        self.register(agent, receiver)
        agent.stop()
        provider.rows.append(row(1, iso()))
        got = agent.command("poll", "shop")
        self.assertEqual(got.returncode, 0, got)
        self.assertEqual(receiver.events(), [])
        agent.start()
        self.wait_events(receiver, 1)

    def test_one_that_hangs_or_fails_costs_the_others_nothing(self):
        agent = self.shop(concurrency=1)
        hangs, fails, works = Receiver(self), Receiver(self), Receiver(self)
        for receiver in (hangs, fails, works):
            self.register(agent, receiver)
        hangs.gate.clear()
        fails.status = 500
        for n in range(10):
            Hook(n, iso()).send(agent)
        self.wait_events(works, 10)
        self.assertEqual(len(hangs.events()), 1)
        # and a failure is tried again: after five seconds, as Standard
        # Webhooks has it
        fails.status = 200
        got = self.wait_events(fails, 11)
        self.assertGreaterEqual(
            max(one.at for one in got) - min(one.at for one in got), 4.5)

    def test_an_end_in_order_comes_in_time_whatever_a_receiver_does(self):
        agent = self.shop()
        receiver = Receiver(self)
        one = self.register(agent, receiver)
        receiver.gate.clear()
        Hook(1, iso()).send(agent)
        self.wait_events(receiver, 1)
        test = threading.Thread(target=agent.admin, daemon=True, args=(
            f"{API}/{one['id']}/test", "POST"))
        test.start()
        wait_until(lambda: len(receiver.got) == 3, "the test event is there")
        code, seconds = agent.stop()
        self.assertEqual(code, 0, agent.log())
        self.assertLess(seconds, 10)
        test.join(10)
        receiver.gate.set()
        agent.start()
        self.wait_events(receiver, 2)  # the delivery was given back

    def test_kill_while_one_is_removed_leaves_nothing_of_it_and_the_others(
            self):
        agent = self.shop()
        one, two = Receiver(self, 500), Receiver(self, 500)
        gone, stays_ = self.register(agent, one), self.register(agent, two)
        for n in range(20):
            Hook(n, iso()).send(agent)
        agent.stop()
        # as the end of a process leaves it that has only marked it yet
        connection = sqlite3.connect(agent.path("longstop.db"))
        connection.execute("UPDATE receiver SET removed=1,state='' WHERE "
                           "state LIKE ?", (f"%{gone['id']}%",))
        connection.commit()
        connection.close()
        agent.start()
        wait_until(lambda: agent.query("SELECT count(*) FROM receiver")
                   == [(1,)], "the rest of it is dropped")
        self.assertEqual(agent.query("SELECT count(*) FROM delivery"),
                         [(20,)])
        self.assertEqual([item["id"] for item in self.ask(agent)["items"]],
                         [stays_["id"]])

    def test_kill_in_the_midst_of_fan_out_loses_nothing(self):
        agent = self.shop()
        one, two = Receiver(self), Receiver(self)
        for receiver in (one, two):
            self.register(agent, receiver)
        two.gate.clear()
        sent = set()
        for n in range(30):
            hook = Hook(n, iso())
            if hook.send(agent).status == 202:
                sent.add(hook.delivery)
        self.assertGreater(len(two.events()), 0)
        agent.kill()
        two.got.clear()  # none of it was answered: all comes again
        two.gate.set()
        agent.start()
        for receiver in (one, two):
            wait_until(lambda: len({got.headers["webhook-id"] for got in
                                    receiver.events()}) == len(sent),
                       "each receiver has all of them")
        self.assertEqual(len(self.ask(agent)["items"]), 2)


class Again(Case):
    def bury(self, agent, one):
        """All that it is owed becomes dead letters: by itself that takes more
        than a day."""
        connection = sqlite3.connect(agent.path("longstop.db"))
        try:
            connection.execute(
                "INSERT INTO dead(handler,event,attempt,at_ms,reason,detail) "
                "SELECT d.handler,event,attempt,1790000000000,"
                "'10 attempts failed','http 500' FROM delivery AS d JOIN name "
                "ON name.id=d.handler WHERE name.name=?", (one["id"],))
            connection.execute("DELETE FROM delivery")
            connection.commit()
        finally:
            connection.close()

    def test_dead_letters_of_a_receiver_are_listed_and_tried_again(self):
        agent = self.shop()
        receiver = Receiver(self)
        one = self.register(agent, receiver)
        receiver.status = 500
        for n in range(3):
            Hook(n, iso()).send(agent)
        self.wait_events(receiver, 3)
        wait_until(lambda: self.ask(agent, "/" + one["id"])["next_try"],
                   "it will be tried again")
        shown = self.ask(agent, "/" + one["id"])
        self.assertEqual((shown["pending"], shown["dead"]), (3, 0))
        self.assertIsNotNone(shown["oldest_pending"])
        agent.stop()
        self.bury(agent, one)
        receiver.status = 200
        agent.start()
        told = json.loads(agent.command("dead", "--json").stdout)
        self.assertEqual({letter["handler"] for letter in told["items"]},
                         {one["id"]})
        got = agent.command("retry", "--handler", one["id"], "--yes")
        self.assertEqual(got.returncode, 0, got)
        self.wait_events(receiver, 6)
        wait_until(lambda: agent.query("SELECT count(*) FROM dead") == [(0,)],
                   "no dead letter is left")

    def test_what_a_disabled_receiver_missed_is_replayed_to_it_alone(self):
        agent = self.shop()
        receiver, other = Receiver(self), Receiver(self)
        one = self.register(agent, receiver)
        self.register(agent, other)
        receiver.status = 410
        Hook(1, iso()).send(agent)
        wait_until(lambda: self.ask(agent, "/" + one["id"])["state"] ==
                   "disabled", "disabled")
        for n in range(2, 5):
            Hook(n, iso()).send(agent)
        self.wait_events(other, 4)
        receiver.status = 200
        self.ask(agent, f"/{one['id']}/enable", "POST")
        got = agent.command("replay", "--handler", one["id"], "--since", "1h",
                            "--yes")
        self.assertEqual(got.returncode, 0, got)
        wait_until(lambda: len({got.headers["webhook-id"] for got in
                                receiver.events()}) == 4, "it has all")
        self.assertIn("1", {got.headers.get("Longstop-Replay") for got in
                            receiver.events()})
        self.assertEqual(len(other.events()), 4)


class Commands(Case):
    def said(self, agent, *words, code=0):
        got = agent.command("receivers", *words)
        self.assertEqual(got.returncode, code, got)
        return got.stdout.decode() + got.stderr.decode()

    def test_receivers_does_all_that_the_api_does(self):
        agent = self.shop(handlers={"log": {"file": "events.jsonl"}})
        receiver = Receiver(self)
        self.assertEqual(self.said(agent), "no receiver is registered\n")
        text = self.said(agent, "add", receiver.url, "-e", "order.*,!order.x")
        self.assertIn("it took the test event\n", text)
        secret = re.search(r"not shown again: (whsec_\S+)\n", text)[1]
        self.assertTrue(holds(receiver.got[0], secret))
        id_ = re.search(r"^rcv_\w+", text)[0]
        line = f"{id_}  active    {receiver.url}  order.*,!order.x\n"
        self.assertEqual(self.said(agent), line)
        self.assertEqual(self.said(agent, "list"), line)
        self.assertEqual(self.said(agent, "show", id_), line +
                         "pending 0, oldest -, next try -, dead letters 0\n")
        self.assertIn("not shown again: whsec_",
                      self.said(agent, "rotate", id_, "--overlap", "2d"))
        receiver.status = 410
        self.assertIn("it did not take the test event: http 410",
                      self.said(agent, "test", id_))
        self.assertIn("active", self.said(agent, "enable", id_))
        self.assertIn("is removed", self.said(agent, "remove", id_))
        self.assertIn("no receiver of this id",
                      self.said(agent, "remove", id_, code=1))
        for words in (["add"], ["remove"], ["whim", "x"], ["list", "x"]):
            self.assertIn("say list, add URL", self.said(agent, *words, code=2))
        self.assertIn("https", self.said(agent, "add", "ftp://a/", code=2))


class Secrets(Case):
    def test_a_rotated_secret_and_the_one_before_sign_until_it_is_over(self):
        agent = self.shop()
        receiver = Receiver(self)
        one = self.register(agent, receiver)
        path = f"/{one['id']}/rotate"
        two = self.ask(agent, path, "POST", overlap="3s")
        self.assertNotEqual(one["secret"], two["secret"])
        agent.kill()
        agent.start()
        Hook(1, iso()).send(agent)
        both = self.wait_events(receiver, 1)[0]
        self.assertTrue(holds(both, two["secret"]))
        self.assertTrue(holds(both, one["secret"]))
        self.assertTrue(both.headers["webhook-signature"].startswith("v1,"))
        time.sleep(max(0, 3.2 - (time.time() - both.at)))
        Hook(2, iso()).send(agent)
        last = self.wait_events(receiver, 2)[1]
        self.assertTrue(holds(last, two["secret"]))
        self.assertFalse(holds(last, one["secret"]))
        for body in ({"overlap": "31d"}, {"overlap": "x"}, {"more": "1"},
                     {"secret": "short"}):
            self.ask(agent, path, "POST", 400, **body)
        self.ask(agent, "/rcv_none/rotate", "POST", 404)


class Disabled(Case):
    def state(self, agent, one):
        return self.ask(agent, "/" + one["id"])["state"]

    def test_gone_disables_at_once_over_restarts_until_it_is_enabled(self):
        agent = self.shop()
        receiver = Receiver(self)
        one = self.register(agent, receiver)
        receiver.status = 410
        Hook(1, iso()).send(agent)
        wait_until(lambda: self.state(agent, one) == "disabled", "disabled")
        shown = self.ask(agent, "/" + one["id"])
        self.assertIn("410", shown["disabled_why"])
        self.assertIsNotNone(shown["disabled_since"])
        self.assertIn("a receiver is disabled", agent.log())
        agent.wait_metric(1, "handler_paused", handler="(receivers)")
        wait_until(lambda: "disabled" in str(agent.query(
            "SELECT state FROM receiver")), "it is stored")
        agent.stop()
        agent.start()
        self.assertEqual(self.state(agent, one), "disabled")
        Hook(2, iso()).send(agent)  # nothing new is owed to it
        receiver.status = 200
        sent = len(receiver.got)
        stays(lambda: len(receiver.got) == sent, "nothing is sent", 0.5)
        got = self.ask(agent, f"/{one['id']}/enable", "POST")
        self.assertEqual(got["state"], "active")
        Hook(3, iso()).send(agent)
        ids = lambda: {got.headers["webhook-id"] for got in receiver.events()}
        wait_until(lambda: len(ids()) == 2, "what waited, and what is new")

    def test_it_is_disabled_when_it_has_failed_for_long_enough(self):
        agent = self.shop(disable_after="3s")
        receiver = Receiver(self)
        one = self.register(agent, receiver)
        receiver.status = 503
        Hook(1, iso()).send(agent)
        self.wait_events(receiver, 1)
        self.assertEqual(self.state(agent, one), "active")
        self.assertIsNotNone(self.ask(agent, "/" + one["id"])["failing_since"])
        wait_until(lambda: self.state(agent, one) == "disabled", "disabled")
        self.assertEqual(len(receiver.events()), 2)


class Guard(Case):
    def test_addresses_that_are_not_of_the_internet_are_refused(self):
        agent = self.pet_shop(handlers={}, outbound={"http": True})
        for host in ("127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1",
                     "169.254.169.254", "100.64.0.1", "0.0.0.0", "[::1]",
                     "[fe80::1]", "[fc00::1]", "[::ffff:127.0.0.1]",
                     "[64:ff9b::7f00:1]"):
            got = self.ask(agent, "", "POST", 400, url=f"http://{host}/")
            self.assertIn("outbound.allow", got["title"], host)

    def test_the_connected_address_counts_and_not_how_it_is_written(self):
        agent = self.pet_shop(handlers={}, outbound={"http": True})
        receiver = Receiver(self)
        for host in ("localhost", "2130706433", "0x7f000001", "127.1",
                     "0177.0.0.1", "0"):
            got = self.ask(agent, "", "POST", 201,
                           url=f"http://{host}:{receiver.port}/")
            self.assertFalse(got["test"]["delivered"], host)
            self.assertRegex(got["test"]["detail"], "private|address|public",
                             host)
        Hook(1, iso()).send(agent)
        wait_until(lambda: agent.metric(
            "deliveries_total", handler="(receivers)", outcome="retry") == 6,
            "all have failed")
        self.assertEqual(receiver.got, [])

    def test_a_redirect_is_not_followed(self):
        agent = self.shop()
        inner = Receiver(self)
        outer = Receiver(self, 302, {"Location": inner.url})
        got = self.register(agent, outer)
        self.assertFalse(got["test"]["delivered"])
        self.assertIn("302", got["test"]["detail"])
        self.assertEqual(inner.got, [])
