# SPDX-License-Identifier: MIT
"""http handlers on real sockets: connections, HTTP/2, proxies, certificates,
and servers that misbehave."""
import json
import os
import shutil
import socket
import subprocess
import threading
import time

import harness
from harness import Hook, iso, wait_until

QUICK = {"first": "50ms", "cap": "100ms"}
OK = b"HTTP/1.1 204 No Content\r\n\r\n"
NGHTTPD = shutil.which("nghttpd") or shutil.which("nghttpd", path="/usr/sbin")


class Server(threading.Thread):
    """A server of HTTP/1.1 that answers each request by `reply(connection)`,
    which returns whether it goes on."""

    def __init__(self, reply=None, family=socket.AF_INET, address=None):
        super().__init__(daemon=True)
        self.reply = reply or say(OK)
        self.connections, self.heads, self.bodies = [], [], []
        self.socket = socket.socket(family)
        self.socket.bind(address or ("127.0.0.1", 0))
        self.socket.listen(64)
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}/in"

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,),
                             daemon=True).start()

    def serve(self, connection):
        try:
            with connection.makefile("rb") as file:
                while self.take(file) and self.reply(connection):
                    pass
        except OSError:
            pass
        finally:
            connection.close()

    def take(self, file):
        head = []
        for line in iter(file.readline, b"\r\n"):
            if not line:
                return False
            head.append(line.decode().rstrip())
        fields = dict(line.lower().split(": ", 1) for line in head[1:])
        self.heads.append(head)
        self.bodies.append(file.read(int(fields.get("content-length", 0))))
        return True

    def close(self):
        self.socket.close()
        for connection in self.connections:
            connection.close()


def say(text, goes_on=True):
    def reply(connection):
        connection.sendall(text)
        return goes_on
    return reply


def in_turn(*replies):
    """Each reply once, then the last for ever."""
    left = list(replies)
    return lambda connection: (left.pop(0) if len(left) > 1
                               else left[0])(connection)


class Http(harness.Case):
    def serve(self, *words, **more):
        server = Server(*words, **more)
        self.addCleanup(server.close)
        return server

    def agent_to(self, url, env=None, **more):
        http = {"url": url, **more.pop("http", {})}
        agent = self.agent({"shop": harness.pet_store()}, {"mirror": dict(
            {"http": http, "retry": QUICK}, **more)})
        agent.env.update(env or {})
        return agent.start()

    def count(self, agent, outcome="done"):
        return agent.metric("deliveries_total", handler="mirror",
                            outcome=outcome)

    def wait_done(self, agent, count, retries=0):
        wait_until(lambda: self.count(agent) == count,
                   f"{count} are done:\n{agent.log()}")
        self.assertEqual(self.count(agent, "retry"), retries)

    def details(self, agent):
        # Counts in memory go up before an attempt is stored.
        wait_until(lambda: agent.query("SELECT 1 FROM attempt"), "a first one")
        return agent.query("SELECT detail, output FROM attempt "
                           "ORDER BY attempt")


class Connections(Http):
    def test_a_connection_is_kept_for_many_deliveries(self):
        server = self.serve()
        agent = self.agent_to(server.url, concurrency=1)
        for i in range(50):
            Hook(i, iso()).send(agent)
        self.wait_done(agent, 50)
        self.assertEqual(len(server.connections), 1)
        self.assertEqual({line for head in server.heads for line in head if
                          line.startswith("Content-Type: ")},
                         {"Content-Type: application/cloudevents+json"})

    def test_as_many_connections_as_concurrency_are_used(self):
        gate = threading.Barrier(12)

        def reply(connection):
            gate.wait(20)
            return say(OK)(connection)
        server = self.serve(reply)
        agent = self.agent_to(server.url, concurrency=12)
        for i in range(12):
            Hook(i, iso()).send(agent)
        self.wait_done(agent, 12)
        self.assertEqual(len(server.connections), 12)

    def test_a_server_on_a_unix_socket_is_reached(self):
        agent = self.agent({"shop": harness.pet_store()})
        server = self.serve(family=socket.AF_UNIX, address=agent.path("s"))
        agent.config["handlers"] = {"mirror": {"http": {
            "url": "http://orders.local/in", "unix_socket": "s"}}}
        agent.write_config()
        agent.start()
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1)
        self.assertEqual(server.heads[0][0], "POST /in HTTP/1.1")
        self.assertIn("Host: orders.local", server.heads[0])

    def test_a_proxy_is_used_where_one_is_configured(self):
        proxy = self.serve()
        agent = self.agent_to("http://orders.invalid/in", http={
            "proxy": proxy.url.replace("/in", "")})
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1)
        self.assertEqual(proxy.heads[0][0],
                         "POST http://orders.invalid/in HTTP/1.1")

    def test_the_proxy_of_the_environment_is_never_used(self):
        server, proxy = self.serve(), self.serve()
        names = ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy")
        agent = self.agent_to(server.url, env={
            name: proxy.url for name in names})
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1)
        self.assertEqual(proxy.heads, [])

    def test_what_the_environment_excepts_from_proxies_goes_by_ours(self):
        proxy = self.serve()
        agent = self.agent_to("http://127.0.0.1:9/in", http={
            "proxy": proxy.url}, env={"NO_PROXY": "*", "no_proxy": "*"})
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1)
        self.assertEqual(len(proxy.heads), 1)


class Binary(Http):
    def test_binary_has_the_data_as_body_and_the_envelope_in_fields(self):
        server = self.serve()
        agent = self.agent_to(server.url, format="cloudevents-binary")
        Hook(7, iso(), delivery='a "b" c').send(agent)
        self.wait_done(agent, 1)
        fields = dict(line.split(": ", 1) for line in server.heads[0][1:])
        self.assertEqual(json.loads(server.bodies[0])["id"], 7)
        self.assertEqual(fields["Content-Type"], "application/json")
        self.assertEqual(fields["ce-specversion"], "1.0")
        self.assertEqual(fields["ce-source"], "longstop/shop")
        self.assertEqual(fields["ce-type"], "order.created")
        self.assertEqual(fields["ce-id"], "a%20%22b%22%20c")
        self.assertEqual(fields["ce-via"], "webhook")

    def test_the_trace_of_a_webhook_goes_on_to_the_receiver(self):
        receiver = self.provider()
        receiver.default = harness.replies(200)
        agent = self.pet_shop(
            handlers={"to": {"http": {"url": receiver.url + "/in"}}})
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        hook = harness.Hook(1, harness.iso())
        hook.headers["Traceparent"] = trace
        hook.send(agent)
        harness.Hook(2, harness.iso()).send(agent)
        wait_until(lambda: len(receiver.asked) == 2, "both were handed over")
        self.assertEqual({asked.headers.get("traceparent")
                          for asked in receiver.asked}, {trace, None})

    def test_binary_is_refused_where_there_are_no_fields(self):
        for handler in ({"file": "f"}, {"exec": ["true"]}, {"unix": "s"}):
            agent = self.agent({"shop": harness.pet_store()}, {
                "h": dict(handler, format="cloudevents-binary")})
            said = agent.command("check")
            self.assertNotEqual(said.returncode, 0)
            self.assertIn("it is for http handlers",
                          (said.stdout + said.stderr).decode())


class Misbehaving(Http):
    def test_an_answer_byte_by_byte_ends_with_the_time_of_the_attempt(self):
        def drip(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
            for _ in range(600):
                connection.sendall(b".")
                time.sleep(0.02)
            return False
        server = self.serve(in_turn(drip, say(OK)))
        agent = self.agent_to(server.url, timeout="700ms")
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1, 1)
        self.assertEqual(self.details(agent)[0][0], "timed out after 700ms")

    def test_a_head_byte_by_byte_ends_with_the_time_of_the_attempt(self):
        def drip(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            for _ in range(600):
                connection.sendall(b".")
                time.sleep(0.02)
            return False
        server = self.serve(in_turn(drip, say(OK)))
        agent = self.agent_to(server.url, timeout="700ms")
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1, 1)

    def test_a_server_that_closes_early_is_asked_again(self):
        server = self.serve(in_turn(
            lambda connection: False,
            say(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", False),
            say(OK)))
        agent = self.agent_to(server.url)
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1, 2)

    def test_a_server_that_hangs_costs_one_attempt_and_no_other_handler(self):
        def hang(connection):
            connection.recv(1)
            return False
        server = self.serve(hang)
        other = self.serve()
        agent = self.agent({"shop": harness.pet_store()}, {
            "mirror": {"http": {"url": server.url}, "timeout": "1s",
                       "concurrency": 64, "retry": {"first": "1d", "cap": "1d"},
                       "breaker": {"failures": 0}},
            "other": {"http": {"url": other.url}}}).start()
        for i in range(100):
            Hook(i, iso()).send(agent)
        wait_until(lambda: len(other.heads) == 100, "the other has all")
        wait_until(lambda: self.count(agent, "retry") >= 64, "they are late")
        self.assertIn(("timed out after 1s", b""), self.details(agent))

    def test_a_redirect_is_not_followed_and_is_said_in_words(self):
        elsewhere = self.serve()
        server = self.serve(in_turn(
            say(b"HTTP/1.1 308 Moved\r\nContent-Length: 0\r\nLocation: " +
                elsewhere.url.encode() + b"?token=secret\r\n\r\n"), say(OK)))
        agent = self.agent_to(server.url)
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1, 1)
        self.assertEqual(elsewhere.heads, [])
        detail = self.details(agent)[0][0]
        self.assertIn("http 308: redirects are not followed", detail)
        self.assertIn(elsewhere.url, detail)
        self.assertNotIn("secret", detail + agent.log())

    def test_an_answer_of_a_gigabyte_is_cut_and_4_kib_are_kept(self):
        sent = []

        def flood(connection):
            connection.sendall(b"HTTP/1.1 500 No\r\nContent-Length: "
                               b"1073741824\r\n\r\n")
            for _ in range(1024):
                connection.sendall(b"x" * 1048576)
                sent.append(1)
            return False
        server = self.serve(in_turn(flood, say(OK)))
        agent = self.agent_to(server.url)
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1, 1)
        detail, output = self.details(agent)[0]
        self.assertEqual((detail, len(output)), ("http 500", 4096))
        self.assertLess(len(sent), 64)


class Certificates(Http):
    """A CA of our own, a server's certificate, and a client's."""

    def setUp(self):
        super().setUp()
        self.dir = self.provider_dir()
        self.ssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                 "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=ca")
        here = "IP:127.0.0.1,DNS:localhost"
        for name, owns in (("server", here), ("client", here),
                           ("other", "DNS:elsewhere.example")):
            with open(f"{self.dir}/{name}.ext", "w", encoding="ascii") as file:
                file.write(f"subjectAltName={owns}\n")
            self.ssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout",
                     f"{name}.key", "-out", f"{name}.csr", "-subj",
                     f"/CN={name}")
            self.ssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem",
                     "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                     "-extfile", f"{name}.ext", "-out", f"{name}.pem")

    def provider_dir(self):
        import tempfile
        directory = tempfile.mkdtemp(prefix="longstop-tls-")
        self.addCleanup(shutil.rmtree, directory)
        return directory

    def ssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.dir, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def path(self, name):
        return os.path.join(self.dir, name)

    def serve_tls(self, verify, name="server"):
        import ssl
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(f"{name}.pem"),
                                self.path(f"{name}.key"))
        if verify:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.path("ca.pem"))
        server = self.serve()
        plain = server.serve

        def serve(connection):
            try:
                plain(context.wrap_socket(connection, server_side=True))
            except OSError:
                connection.close()
        server.serve = serve
        return server, server.url.replace("http:", "https:")

    def test_a_server_that_asks_for_a_certificate_gets_ours(self):
        server, url = self.serve_tls(True)
        agent = self.agent_to(url, http={
            "ca_file": self.path("ca.pem"),
            "certificate_file": self.path("client.pem"),
            "key_file": self.path("client.key")})
        Hook(1, iso()).send(agent)
        self.wait_done(agent, 1)
        self.assertEqual(len(server.heads), 1)

    def test_without_a_certificate_such_a_server_gets_nothing(self):
        server, url = self.serve_tls(True)
        agent = self.agent_to(url, http={"ca_file": self.path("ca.pem")})
        Hook(1, iso()).send(agent)
        wait_until(lambda: self.count(agent, "retry") > 0, "it fails")
        self.assertEqual(server.heads, [])

    def test_a_server_that_nobody_vouches_for_gets_nothing(self):
        server, url = self.serve_tls(False)
        agent = self.agent_to(url)
        Hook(1, iso()).send(agent)
        wait_until(lambda: self.count(agent, "retry") > 0, "it fails")
        self.assertEqual(server.heads, [])
        self.assertIn("certificate", self.details(agent)[0][0])

    def test_a_server_whose_certificate_is_anothers_gets_nothing(self):
        server, url = self.serve_tls(False, "other")
        agent = self.agent_to(url, http={"ca_file": self.path("ca.pem")})
        Hook(1, iso()).send(agent)
        wait_until(lambda: self.count(agent, "retry") > 0, "it fails")
        self.assertEqual(server.heads, [])
        self.assertRegex(self.details(agent)[0][0], "certificate|subject name")

    def test_a_certificate_that_is_not_there_is_said_at_the_start(self):
        agent = self.agent({"shop": harness.pet_store()}, {"mirror": {"http": {
            "url": "https://localhost/", "ca_file": "nowhere.pem"}}})
        agent.launch()
        agent.wait_end()
        self.assertIn("nowhere.pem: No such file", agent.log())

    def nghttpd(self, *words):
        if NGHTTPD is None:
            self.skipTest("no nghttpd (nghttp2-server)")
        port = harness.free_port()
        log = open(self.path("nghttpd.log"), "wb")
        child = subprocess.Popen(
            [NGHTTPD, "-v", "--echo-upload", "-d", self.dir, str(port), *words],
            stdout=log, stderr=log)
        self.addCleanup(log.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_until(listens, "nghttpd listens")
        return port

    def frames(self, what):
        with open(self.path("nghttpd.log"), "rb") as file:
            return [line for line in file if what in line]

    def check_http2(self, url, http):
        agent = self.agent_to(url, concurrency=8, http=http)
        # All at once where there is no connection yet.
        self.assertEqual(agent.command("pause", "mirror").returncode, 0)
        for i in range(40):
            Hook(i, iso()).send(agent)
        self.assertEqual(agent.command("resume", "mirror").returncode, 0)
        self.wait_done(agent, 40)
        posts = self.frames(b":method: POST")
        self.assertEqual(len(posts), 40)
        # "[id=2] [  0.1] recv (…": the connection first
        return {line.split(b"]")[0] for line in posts}

    def test_http_2_is_spoken_where_a_server_offers_it(self):
        port = self.nghttpd(self.path("server.key"), self.path("server.pem"))
        connections = self.check_http2(f"https://localhost:{port}/index",
                                       {"ca_file": self.path("ca.pem")})
        self.assertEqual(len(connections), 1)

    def test_http_2_is_spoken_without_tls_where_it_is_configured(self):
        port = self.nghttpd("--no-tls")
        self.check_http2(f"http://127.0.0.1:{port}/index", {"version": "2"})


class Mistakes(harness.Case):
    def test_keys_that_do_not_go_together_are_refused(self):
        plain = {"url": "http://h/"}
        for keys, words in (
                ({"proxy": "ftp://h"}, "proxy: expected a URL"),
                ({"proxy": "http://h", "unix_socket": "s"},
                 "there is none before a unix_socket"),
                ({"key_file": "k"}, "key of a certificate_file"),
                ({"ca_file": "c"}, "ca_file: it is for https"),
                ({"certificate_file": "c"}, "certificate_file: it is for"),
                ({"version": "3"}, "version")):
            agent = self.agent({"shop": harness.pet_store()},
                               {"h": {"http": {**plain, **keys}}})
            said = agent.command("check")
            self.assertNotEqual(said.returncode, 0)
            self.assertIn(words, (said.stdout + said.stderr).decode())
