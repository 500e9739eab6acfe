# SPDX-License-Identifier: MIT
"""Bad days: each a clear message that says what to do, nothing lost, and the
rest keeps running."""
import json
import os
import signal
import socket
import subprocess
import threading
import time

import harness
from harness import Hook, answer, iso, replies, row, stays, wait_until


def mount(case, directory, options):
    """A small file system at `directory`, or a skip."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs",
                           directory], stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        case.skipTest("mounting a small file system needs root")
    case.addCleanup(subprocess.run, ["umount", "-l", directory], check=False)


class Machine(harness.Case):
    def test_a_full_disk_is_503_and_it_goes_on_by_itself(self):
        agent = self.agent({"shop": harness.pet_store()},
                           {"log": {"exec": ["/bin/true"]}})
        os.mkdir(agent.path("small"))
        mount(self, agent.path("small"), "size=3m")
        agent.config["store"] = "sqlite:small/longstop.db"
        agent.write_config()
        agent.start()
        acked = set()
        refused = None
        padding = "y" * 30000
        for n in range(1000):
            refused = self.send_big(agent, n, padding)
            if refused.status != 202:
                break
            acked.add(n)
        self.assertEqual(refused.status, 503)
        self.assertIn("Retry-After", refused.headers)
        wait_until(lambda: agent.health() == 503, "readiness is red")
        self.assertEqual(agent.health("/livez"), 200)
        stays(lambda: agent.child.poll() is None, "it lives", 0.5)
        subprocess.run(["mount", "-o", "remount,size=64m",
                        agent.path("small")], check=True)
        wait_until(lambda: self.send_big(agent, 5000, "").status == 202,
                   "it takes events again", 40)
        acked.add(5000)
        wait_until(lambda: agent.health() == 200, "readiness is green")
        self.assertEqual(agent.stop()[0], 0)
        agent.config["handlers"]["log"] = {"file": "events.jsonl"}
        kept = self.kept(agent)
        self.assertEqual(acked - kept, set())

    def send_big(self, agent, n, padding):
        body = json.dumps({"event": "big", "timestamp": iso(), "data": {
            "n": n, "padding": padding}}).encode()
        return Hook(1, "", body=body, delivery=f"big-{n}").send(agent)

    def kept(self, agent):
        agent.path = lambda name, path=agent.path: path(
            name if name != "longstop.db" else "small/longstop.db")
        return {int(name.split("-")[1]) for name, in
                agent.query("SELECT ext_id FROM event")}

    def test_a_directory_that_cannot_be_written_is_said_at_the_start(self):
        agent = self.agent({"shop": harness.pet_store()})
        store = agent.path("store")
        os.mkdir(store)
        if os.getuid() == 0:
            mount(self, store, "size=1m,ro")
        else:
            os.chmod(store, 0o500)
        agent.config["store"] = "sqlite:store/longstop.db"
        agent.write_config()
        agent.launch()
        self.assertIn(agent.wait_end(), (74, 77))
        self.assertIn(store, agent.log())

    def test_a_secret_that_cannot_be_read_is_refused_with_its_place(self):
        connector = {"use": "petstore",
                     "with": {"webhook_secret_file": "shop.secret"}}
        agent = self.agent({"shop": connector})
        for name, make in (("missing", lambda path: None),
                           ("a directory", os.mkdir),
                           ("empty", lambda path: open(path, "w").close())):
            with self.subTest(name):
                make(agent.path("shop.secret"))
                agent.launch()
                self.assertEqual(agent.wait_end(), 78)
                self.assertIn("shop.secret", agent.log())
                self.assertRegex(agent.log(), r"longstop\.yaml:\d+:\d+")
                if os.path.isdir(agent.path("shop.secret")):
                    os.rmdir(agent.path("shop.secret"))

    def test_a_port_in_use_is_said_with_its_number(self):
        agent = self.agent({"shop": harness.pet_store()})
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", agent.port))
            taken.listen()
            agent.launch()
            self.assertNotEqual(agent.wait_end(), 0)
        self.assertIn(str(agent.port), agent.log())
        self.assertIn("in use", agent.log())
        agent.start()

    def test_a_second_instance_on_the_same_file_is_refused(self):
        first = self.pet_shop()
        second = harness.Agent(self, {"shop": harness.pet_store()})
        second.config["store"] = "sqlite:" + first.path("longstop.db")
        second.write_config()
        second.launch()
        self.assertEqual(second.wait_end(), 75)
        self.assertIn(str(first.child.pid), second.log())
        self.assertEqual(Hook(1, iso()).send(first).status, 202)
        first.wait_events(1)
        first.stop()
        second.start()

    def test_a_damaged_store_is_refused_and_left_as_it_is(self):
        agent = self.pet_shop()
        for i in range(50):
            Hook(i, iso()).send(agent)
        agent.wait_events(50)
        agent.kill()  # an unclean end is looked into at the next start
        with open(agent.path("longstop.db"), "r+b") as file:
            file.seek(0, os.SEEK_END)
            size = file.tell()
            file.seek(100)
            file.write(os.urandom(size - 100))
        for name in ("longstop.db-wal", "longstop.db-shm"):
            if os.path.exists(agent.path(name)):
                os.unlink(agent.path(name))
        with open(agent.path("longstop.db"), "rb") as file:
            before = file.read()
        agent.launch()
        self.assertEqual(agent.wait_end(), 74)
        self.assertIn("longstop.db", agent.log())
        with open(agent.path("longstop.db"), "rb") as file:
            self.assertEqual(file.read(), before)

    def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(self):
        agent = self.agent({"shop": harness.pet_store()})
        with open(agent.path("longstop.db"), "wb") as file:
            file.write(b"my diary\n" * 1000)
        agent.launch()
        self.assertEqual(agent.wait_end(), 74)
        with open(agent.path("longstop.db"), "rb") as file:
            self.assertEqual(file.read(), b"my diary\n" * 1000)


class Ending(harness.Case):
    def test_sigterm_ends_it_in_time_with_0_and_what_ran_is_finished(self):
        agent = self.agent({"shop": harness.pet_store()})
        program = agent.script("slow.sh", "sleep 0.5\n"
                               f"exec {harness.APPEND} {agent.dir}/out\n")
        agent.config["handlers"] = {"slow": {"exec": [program]}}
        agent.write_config()
        agent.start()
        for i in range(8):
            Hook(i, iso()).send(agent)
        code, took = agent.stop()
        self.assertEqual(code, 0)
        self.assertLess(took, 10)
        finished = len(agent.events("out"))
        self.assertGreaterEqual(finished, 1)
        agent.start()
        wait_until(lambda: len(agent.events("out")) >= 8, "the rest")
        stays(lambda: len(agent.events("out")) == 8, "nothing twice", 0.3)

    def test_sigterm_ends_it_in_time_whatever_hangs(self):
        provider = self.provider([row(1, iso())])
        provider.default = lambda handler, asked: provider.ended.wait(30)
        agent = self.agent({"shop": harness.pet_store(provider)})
        program = agent.script("hang.sh", 'trap "" TERM INT\n'
                               f"touch {agent.dir}/hung\n"
                               "while :; do sleep 1; done\n")
        agent.config["handlers"] = {"hang": {"exec": [program]}}
        agent.write_config()
        agent.start()
        Hook(1, iso()).send(agent)
        idle = socket.create_connection(("127.0.0.1", agent.port))
        half = socket.create_connection(("127.0.0.1", agent.port))
        half.sendall(b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\n")
        wait_until(lambda: os.path.exists(agent.path("hung")), "it hangs")
        wait_until(lambda: provider.asked, "a request hangs")
        code, took = agent.stop()
        idle.close()
        half.close()
        self.assertEqual(code, 0)
        self.assertLess(took, 10.5)
        self.assertEqual(agent.query("SELECT count(*) FROM delivery"), [(1,)])

    def test_a_second_signal_ends_it_at_once_and_leaves_no_child(self):
        agent = self.agent({"shop": harness.pet_store()})
        program = agent.script(
            "hang.sh", 'trap "" TERM INT\n'
            f"echo $$ >>{agent.dir}/pids\n"
            "while :; do sleep 1; done\n")
        agent.config["handlers"] = {
            "alone": {"exec": [program]},
            "kept": {"exec": [program], "worker": True}}
        agent.write_config()
        agent.start()
        Hook(1, iso()).send(agent)

        def pids():
            if not os.path.exists(agent.path("pids")):
                return []
            with open(agent.path("pids"), encoding="ascii") as lines:
                return [int(pid) for pid in lines]
        wait_until(lambda: len(pids()) == 2, "both hang")
        agent.child.send_signal(signal.SIGTERM)
        wait_until(lambda: "stopping" in agent.log(), "it was heard")
        agent.child.send_signal(signal.SIGTERM)
        began = time.monotonic()
        agent.wait_end()
        self.assertLess(time.monotonic() - began, 3)
        for pid in pids():
            self.assertFalse(os.path.exists(f"/proc/{pid}"), pid)
        self.assertEqual(agent.query("SELECT count(*) FROM delivery"), [(2,)])

    def test_sigint_is_an_orderly_end_too(self):
        agent = self.pet_shop()
        agent.child.send_signal(signal.SIGINT)
        self.assertEqual(agent.wait_end(), 0)

    def test_a_socket_passed_by_a_supervisor_is_taken(self):
        agent = self.agent({"shop": harness.pet_store()})
        agent.config["listen"]["address"] = "fd:hooks"
        agent.write_config()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", agent.port))
            listener.listen()
            agent.child = subprocess.Popen(
                ["/bin/sh", "-c", 'exec 3<&%d; LISTEN_PID=$$ exec "$@"' %
                 listener.fileno(), "sh", harness.LONGSTOP, "run", "-c",
                 agent.config_path], pass_fds=[listener.fileno()],
                env=harness.environment(LISTEN_FDS="1",
                                        LISTEN_FDNAMES="hooks"),
                stderr=open(agent.path("agent.log"), "ab"))
            wait_until(agent.is_ready, "the agent is ready")
            self.assertEqual(Hook(1, iso()).send(agent).status, 202)

    def test_readiness_is_told_to_a_supervisor(self):
        agent = self.agent({"shop": harness.pet_store()})
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(agent.path("notify"))
            told.settimeout(harness.PATIENCE)
            agent.env["NOTIFY_SOCKET"] = agent.path("notify")
            agent.start()
            self.assertIn(b"READY=1", told.recv(1000))
            agent.stop()
            heard = b""
            while b"STOPPING=1" not in heard:
                heard = told.recv(1000)


class Answers(harness.Case):
    """Answers of a provider that are no list."""

    def survives(self, *script, words="", page=100, **more):
        """What is on the list comes in once the answers are good again."""
        provider = self.provider([row(1, iso())], page)
        provider.script += script
        agent = self.pet_shop(provider, **more)
        wait_until(lambda: not provider.script, "the script is over", 60)
        self.assertEqual(Hook(50, iso()).send(agent).status, 202)
        agent.wait_events(2, seconds=60)
        self.assertGreaterEqual(agent.metric(
            "poll_runs_total", connector="shop", outcome="failed"), 1)
        if words:
            self.assertRegex(agent.log(), words)
        self.assertEqual(agent.stop()[0], 0)

    def test_garbage(self):
        self.survives(replies(200, b"\x00\xff\x17garbage"),
                      words="(?i)json")

    def test_html_with_200(self):
        self.survives(replies(200, b"<html><body>Sign in</body></html>",
                              kind="text/html"), words="(?i)html|json")

    def test_json_that_is_no_list(self):
        self.survives(replies(200, b'{"error":"please sign in"}'))

    def test_an_empty_body_is_not_an_empty_page(self):
        self.survives(replies(200, b""))

    def test_rows_without_what_they_need(self):
        self.survives(replies(200, b'{"orders":[{"status":"open"}]}'))

    def test_a_status_that_is_an_error(self):
        self.survives(replies(500, b"oops", kind="text/plain"), words="500")

    def test_a_token_that_is_refused(self):
        self.survives(replies(401, b"{}"), replies(403, b"{}"),
                      words="401")

    def test_a_body_cut_short(self):
        def cut(handler, asked):
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b'{"orders":[')
            handler.close_connection = True

        self.survives(cut)

    def test_a_connection_closed_without_a_word(self):
        def close(handler, asked):
            handler.close_connection = True

        self.survives(close)

    def test_a_body_without_an_end(self):
        def endless(handler, asked):
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
            try:
                while True:
                    handler.wfile.write(chunk)
            except OSError:
                handler.close_connection = True

        self.survives(endless, words="(?i)large|limit|long")

    def test_a_page_that_points_to_itself(self):
        def itself(handler, asked):
            answer(handler, 200, json.dumps({"orders": [
                row(9, iso(time.time() - 5))]}).encode(),
                {"Link": f'<http://{handler.headers["Host"]}{handler.path}>; '
                         'rel="next"'})

        provider = self.provider()
        provider.default = itself
        agent = self.pet_shop(provider)
        wait_until(lambda: agent.metric("poll_runs_total", connector="shop",
                                        outcome="failed") >= 1, "it fails")
        self.assertLess(len(provider.asked), 50)
        self.assertEqual(Hook(1, iso()).send(agent).status, 202)
        provider.default = None
        provider.rows.append(row(3, iso()))
        wait_until(lambda: {1, 3, 9} <= {e["data"]["id"]
                                         for e in agent.events()}, "all", 40)

    def test_a_link_to_another_host_is_not_followed_with_our_token(self):
        other = self.provider([row(66, iso())])
        self.survives(lambda handler, asked: answer(
            handler, 200, b'{"orders":[]}',
            {"Link": f'<{other.url}/v1/orders>; rel="next"'}))
        self.assertEqual(other.asked, [])

    def test_a_redirect_is_not_followed(self):
        other = self.provider([row(66, iso())])
        self.survives(replies(302, b"", {"Location": other.url + "/x"}))
        self.assertEqual(other.asked, [])

    def test_nesting_without_end(self):
        self.survives(replies(200, b"[" * 100000))

    def test_a_provider_that_is_down_for_a_while(self):
        provider = self.provider([row(1, iso())])
        port = provider.port
        provider.close()
        agent = self.agent({"shop": harness.pet_store(provider)}).start()
        wait_until(lambda: agent.metric("poll_runs_total", connector="shop",
                                        outcome="failed") >= 1, "it fails")
        self.assertEqual(agent.health(), 200)
        self.assertIn(str(port), agent.log())
        self.assertEqual(Hook(1, iso()).send(agent).status, 202)

    def test_one_provider_that_hangs_does_not_hold_the_others(self):
        bad = self.provider()
        bad.default = lambda handler, asked: bad.ended.wait(30)
        good = self.provider([row(1, iso())])
        agent = self.agent({"bad": harness.pet_store(bad),
                            "good": harness.pet_store(good)}).start()
        wait_until(lambda: bad.asked, "the bad one was asked")
        agent.wait_events(1)
        good.rows.append(row(2, iso()))
        agent.wait_events(2)
        began = time.monotonic()
        self.assertEqual(Hook(3, iso()).send(agent, "/hooks/bad").status, 202)
        self.assertLess(time.monotonic() - began, 2)


class Flood(harness.Case):
    def test_a_thousand_slow_connections_do_not_keep_an_honest_one_out(self):
        agent = self.pet_shop()
        slow = []
        for _ in range(600):
            sock = socket.create_connection(("127.0.0.1", agent.port))
            sock.sendall(b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\nX-")
            slow.append(sock)
        self.assertEqual(Hook(1, iso()).send(agent).status, 202)
        for sock in slow:
            sock.close()
        agent.wait_events(1)

    def test_many_at_once_are_all_answered_and_all_kept(self):
        agent = self.pet_shop()
        statuses = []

        def send(first):
            for n in range(first, first + 50):
                statuses.append(Hook(n, iso()).send(agent, timeout=30).status)

        threads = [threading.Thread(target=send, args=[n * 50])
                   for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [202] * 800)
        ids = [e["data"]["id"] for e in agent.wait_events(800)]
        self.assertEqual(sorted(ids), list(range(800)))
