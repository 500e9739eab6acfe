# SPDX-License-Identifier: MIT
"""TLS at the door: certificates, names, clients' certificates, renewal, and
peers that do not keep to it."""
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tarfile
import tempfile
import time
import unittest

import harness
from harness import Hook, iso, wait_until

PEERS = 20  # s, for whatever a socket here waits for


def run_openssl(*words, stdin=b""):
    done = subprocess.run(["openssl", *words], input=stdin, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    if done.returncode != 0:
        raise AssertionError(f"openssl {words}: {done.stdout.decode()}")


class Papers:
    """A certificate authority in a directory of its own."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="longstop-tls-")
        self.issue("root", ca=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def issue(self, name, hosts=("localhost",), ca=False, issuer="root",
              dates=()):
        """Makes NAME.pem and NAME.key; its common name is `name`."""
        key, pem = self.path(name + ".key"), self.path(name + ".pem")
        run_openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout",
                    "-out", key)
        os.chmod(key, 0o600)
        if ca:
            run_openssl("req", "-x509", "-new", "-key", key, "-out", pem,
                        "-subj", f"/CN={name}", "-days", "60", "-addext",
                        "keyUsage=critical,keyCertSign")
            return self
        names = ",".join(f"DNS:{host}" for host in hosts)
        with open(self.path("ext"), "w", encoding="utf-8") as file:
            file.write(f"subjectAltName=IP:127.0.0.1,{names}\n")
        run_openssl("req", "-new", "-key", key, "-out", self.path("csr"),
                    "-subj", f"/CN={name}")
        if dates:
            self.issue_dated(pem, issuer, dates)
        else:
            run_openssl("x509", "-req", "-in", self.path("csr"), "-CA",
                        self.path(issuer + ".pem"), "-CAkey",
                        self.path(issuer + ".key"), "-CAcreateserial", "-days",
                        "40", "-extfile", self.path("ext"), "-out", pem)
        return self

    def issue_dated(self, pem, issuer, dates):
        """`openssl ca` alone takes both dates."""
        for name, text in (("index", ""), ("serial", "1000\n"), ("conf", (
                "[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nserial=%s\n"
                "new_certs_dir=%s\ndefault_md=sha256\npolicy=p\n"
                "[p]\ncommonName=supplied\n") % (
                    self.path("index"), self.path("serial"), self.dir))):
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write(text)
        run_openssl("ca", "-batch", "-notext", "-config", self.path("conf"),
                    "-in", self.path("csr"), "-cert",
                    self.path(issuer + ".pem"), "-keyfile",
                    self.path(issuer + ".key"), "-startdate", dates[0],
                    "-enddate", dates[1], "-extfile", self.path("ext"),
                    "-out", pem)

    def tls(self, name, **more):
        return {"certificate": self.path(name + ".pem"),
                "key_file": self.path(name + ".key"), **more}

    def context(self, client=None, **limits):
        context = ssl.create_default_context(cafile=self.path("root.pem"))
        if client:
            context.load_cert_chain(self.path(client + ".pem"),
                                    self.path(client + ".key"))
        for name, value in limits.items():
            setattr(context, name, value)
        return context


@unittest.skipUnless(shutil.which("openssl"), "openssl makes the certificates")
class Tls(harness.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.papers = Papers().issue("server")
        cls.addClassCleanup(shutil.rmtree, cls.papers.dir)

    def open_door(self, start=True, tls=None, **listen):
        agent = self.agent({"shop": harness.pet_store()})
        agent.config["listen"].update(
            {"tls": tls or self.papers.tls("server"), **listen})
        agent.write_config()
        return agent.start() if start else agent

    def connect(self, agent, context=None, name="localhost"):
        plain = socket.create_connection(("127.0.0.1", agent.port), PEERS)
        self.addCleanup(plain.close)
        sealed = (context or self.papers.context()).wrap_socket(
            plain, server_hostname=name)
        self.addCleanup(sealed.close)
        return sealed

    def common_name(self, sealed):
        return dict(pair[0] for pair in sealed.getpeercert()["subject"])[
            "commonName"]

    def hand_in(self, sealed, hook):
        """Posts a webhook on an open connection; returns the status."""
        fields = "".join(f"{k}: {v}\r\n" for k, v in hook.headers.items())
        sealed.sendall(f"POST /hooks/shop HTTP/1.1\r\nHost: h\r\n{fields}"
                       f"Content-Length: {len(hook.body)}\r\n\r\n".encode() +
                       hook.body)
        return self.status_of(sealed)

    def status_of(self, sealed):
        reply = http.client.HTTPResponse(sealed)
        reply.begin()
        reply.read()
        return reply.status

    def refusal(self, agent):
        done = agent.command("check")
        self.assertEqual(done.returncode, 78, done.stdout + done.stderr)
        return (done.stdout + done.stderr).decode()

    def open_admin(self, address="0.0.0.0", **admin):
        agent = self.agent({"shop": harness.pet_store()})
        agent.admin_port = harness.free_port()
        agent.config["admin"] = {
            "address": f"{address}:{agent.admin_port}", "token": "let me in",
            "tls": self.papers.tls("server"), **admin}
        agent.write_config()
        return agent

    def ask_admin(self, agent, path, **fields):
        connection = http.client.HTTPSConnection(
            "127.0.0.1", agent.admin_port, timeout=PEERS,
            context=self.papers.context())
        try:
            connection.request("GET", path, headers=fields)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def start_admin(self, agent):
        agent.launch()
        wait_until(lambda: self.ask_admin(agent, "/readyz") == 200, "ready")

    def test_the_admin_listener_is_asked_from_beyond_by_tls_and_token(self):
        agent = self.open_admin()
        self.start_admin(agent)
        ours = {"Authorization": "Bearer let me in"}
        for fields, status in (({}, 401), (ours, 200), (
                {**ours, "Host": "hooks.example.com"}, 200), (
                {"Authorization": "Bearer let me"}, 401)):
            self.assertEqual(self.ask_admin(agent, "/api/v1/status", **fields),
                             status, fields)

    def test_commands_know_the_agent_by_the_key_of_its_certificate(self):
        agent = self.open_admin("*")
        self.start_admin(agent)
        done = agent.command("status")
        self.assertEqual(done.returncode, 0, done.stderr)
        # somebody else's certificate, of the same authority and name
        self.papers.issue("impostor")
        agent.config["admin"]["tls"] = self.papers.tls("impostor")
        agent.write_config()
        done = agent.command("status")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"public key", done.stderr)

    def test_an_answer_that_goes_on_goes_through_tls(self):
        agent = self.open_admin()
        self.start_admin(agent)
        plain = socket.create_connection(("127.0.0.1", agent.admin_port),
                                         PEERS)
        self.addCleanup(plain.close)
        reader = self.papers.context().wrap_socket(
            plain, server_hostname="localhost")
        self.addCleanup(reader.close)
        reader.sendall(b"GET /api/v1/stream?topics=events HTTP/1.1\r\n"
                       b"Host: h\r\nAuthorization: Bearer let me in\r\n\r\n")
        seen = b""
        for order in range(3):
            self.assertEqual(Hook(order, iso()).send(agent).status, 202)
            for _ in range(50):
                if seen.count(b"order.created") > order:
                    break
                seen += reader.recv(65536)
            else:
                self.fail(seen)
        self.assertIn(b"200 OK", seen)

    def test_commands_have_no_certificate_so_the_admin_listener_asks_none(
            self):
        agent = self.open_admin()
        agent.config["admin"]["tls"]["client_ca_file"] = "ca.pem"
        agent.write_config()
        self.assertIn("unknown key 'client_ca_file'", self.refusal(agent))

    def test_a_bundle_asks_for_the_metrics_by_tls(self):
        agent = self.open_admin("*")
        self.start_admin(agent)
        path = agent.path("bundle.tar.gz")
        done = agent.command("doctor", "--bundle", path, "--offline",
                             SYSTEMD_UNIT_PATH=agent.dir)
        with tarfile.open(path) as bundle:
            self.assertIn("longstop-doctor/metrics.txt", bundle.getnames(),
                          done)

    def test_the_admin_listener_does_not_leave_loopback_without_both(self):
        for lacking in ("token", "tls"):
            with self.subTest(lacking):
                agent = self.open_admin()
                del agent.config["admin"][lacking]
                agent.write_config()
                self.assertIn("needs 'token' and 'tls'", self.refusal(agent))

    def test_a_webhook_over_tls_is_accepted_and_delivered(self):
        agent = self.open_door()
        sealed = self.connect(agent)
        self.assertIn(sealed.version(), ("TLSv1.2", "TLSv1.3"))
        for order in (1, 2, 3):  # on one connection
            self.assertEqual(self.hand_in(sealed, Hook(order, iso())), 202)
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(3)],
                         [1, 2, 3])

    def test_tls_1_2_is_spoken_and_older_ones_are_not(self):
        agent = self.open_door()
        old = self.papers.context(maximum_version=ssl.TLSVersion.TLSv1_2)
        self.assertEqual(self.hand_in(self.connect(agent, old),
                                      Hook(1, iso())), 202)
        older = self.papers.context(minimum_version=ssl.TLSVersion.TLSv1)
        older.maximum_version = ssl.TLSVersion.TLSv1_1
        older.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaises(ssl.SSLError):
            self.connect(agent, older)
        self.assertEqual(self.hand_in(self.connect(agent), Hook(2, iso())),
                         202)

    def test_plain_http_is_told_400_and_nothing_is_taken(self):
        agent = self.open_door()
        self.assertEqual(Hook(1, iso()).send(agent).status, 400)
        self.assertEqual(self.hand_in(self.connect(agent), Hook(2, iso())),
                         202)
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(1)], [2])

    def test_records_cut_anywhere_and_pipelined_requests_are_put_together(
            self):
        agent = self.open_door()
        inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.papers.context().wrap_bio(inside, outside,
                                                server_hostname="localhost")
        wire = socket.create_connection(("127.0.0.1", agent.port), PEERS)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(wire.close)

        def drip(size):
            sealed = outside.read()
            for at in range(0, len(sealed), size):
                wire.sendall(sealed[at:at + size])

        for _ in range(50):
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                drip(7)
                inside.write(wire.recv(65536))
        drip(1)
        ask = b"HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n"
        for text in (ask * 3, ask[:11], ask[11:]):
            client.write(text)
        drip(5)
        seen = b""
        while seen.count(b"HTTP/1.1 404") < 4:
            try:
                seen += client.read(65536)
            except ssl.SSLWantReadError:
                got = wire.recv(65536)
                self.assertTrue(got, seen)
                inside.write(got)

    def test_a_large_body_and_its_answer_go_through(self):
        agent = self.open_door()
        hook = Hook(1, iso())
        hook.body = json.dumps({
            "event": "order.created", "timestamp": hook.stamp,
            "data": {"order": {**harness.row(1, hook.stamp),
                               "note": "n" * 900000}}}).encode()
        hook.headers["X-Webhook-Signature"] = harness.sign(hook.body)
        self.assertEqual(self.hand_in(self.connect(agent), hook), 202)
        self.assertEqual(len(agent.wait_events(1)[0]["data"]["note"]), 900000)

    def test_files_that_cannot_be_used_are_named_with_the_cause(self):
        self.papers.issue("other")
        with open(self.papers.path("not.pem"), "w", encoding="utf-8") as file:
            file.write("no certificate\n")
        run_openssl("pkey", "-in", self.papers.path("server.key"), "-aes128",
                    "-passout", "pass:abcd", "-out", self.papers.path("p.key"))
        cut = self.papers.path("cut.pem")
        with open(self.papers.path("server.pem"), encoding="utf-8") as file:
            text = file.read()
        with open(cut, "w", encoding="utf-8") as file:
            file.write(text[:200] + text[300:])
        for change, file, cause in (
                ({"certificate": "absent.pem"}, "absent.pem", "no such file"),
                ({"certificate": self.papers.path("not.pem")}, "not.pem",
                 "no certificate in PEM"),
                ({"certificate": cut}, "cut.pem", "cannot be read"),
                ({"key_file": self.papers.path("other.key")}, "other.key",
                 "is not the key of the certificate in"),
                ({"key_file": self.papers.path("p.key")}, "p.key",
                 "without a passphrase"),
                ({"client_ca_file": self.papers.path("not.pem")}, "not.pem",
                 "no certificate in PEM"),
                ({"more": [{"certificate": self.papers.path("not.pem"),
                            "key_file": self.papers.path("server.key")}]},
                 "not.pem", "no certificate in PEM")):
            with self.subTest(file=file, cause=cause):
                agent = self.open_door(
                    start=False, tls={**self.papers.tls("server"), **change})
                words = self.refusal(agent)
                self.assertIn(file, words)
                self.assertIn(cause, words.lower().replace("pem", "PEM"))
                self.assertIn("listen.tls", words)

    def test_a_certificate_that_has_expired_is_a_warning(self):
        self.papers.issue("old", dates=("20200101000000Z", "20200201000000Z"))
        agent = self.open_door(start=False, tls=self.papers.tls("old"))
        done = agent.command("check")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"old.pem: the certificate has expired", done.stderr)
        agent.start()
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.connect(agent)

    def test_a_key_that_others_can_read_is_a_warning(self):
        self.papers.issue("open")
        os.chmod(self.papers.path("open.key"), 0o644)
        agent = self.open_door(start=False, tls=self.papers.tls("open"))
        done = agent.command("check")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"others can read the key of", done.stderr)

    def test_the_name_that_is_asked_for_picks_the_certificate(self):
        self.papers.issue("a", hosts=["a.example"])
        self.papers.issue("b", hosts=["*.b.example", "b.example"])
        more = [self.papers.tls("a"), self.papers.tls("b")]
        agent = self.open_door(tls=self.papers.tls("server", more=more))
        for name, certificate in (
                ("a.example", "a"), ("A.EXAMPLE", "a"), ("x.b.example", "b"),
                ("b.example", "b"), ("localhost", "server")):
            with self.subTest(name):
                self.assertEqual(
                    self.common_name(self.connect(agent, name=name)),
                    certificate)
        blind = self.papers.context(check_hostname=False)
        for name in (None, "unknown.example"):
            sealed = self.connect(agent, blind, name)
            self.assertEqual(self.common_name(sealed), "server")
            self.assertEqual(self.hand_in(sealed, Hook(name, iso())), 202)

    def test_a_client_without_its_certificate_is_refused(self):
        self.papers.issue("client").issue("stranger-ca", ca=True)
        self.papers.issue("stranger", issuer="stranger-ca")
        agent = self.open_door(tls=self.papers.tls(
            "server", client_ca_file=self.papers.path("root.pem")))
        for client in (None, "stranger"):
            with self.subTest(client=client):
                with self.assertRaises((ssl.SSLError, ConnectionError)):
                    # in TLS 1.3 the client is done first
                    self.hand_in(self.connect(agent, self.papers.context(
                        client)), Hook(1, iso()))
        known = self.connect(agent, self.papers.context("client"))
        self.assertEqual(self.hand_in(known, Hook(2, iso())), 202)
        self.assertEqual([e["data"]["id"] for e in agent.wait_events(1)], [2])

    def renew(self, agent, source, words):
        for end in (".pem", ".key"):
            shutil.copy(self.papers.path(source + end),
                        agent.path("cert" + end))
        before = agent.log().count(words)
        agent.child.send_signal(signal.SIGHUP)
        wait_until(lambda: agent.log().count(words) > before, words)

    def test_certificates_are_read_again_on_sighup_and_no_connection_drops(
            self):
        self.papers.issue("first").issue("second")
        agent = self.open_door(start=False, tls={
            "certificate": "cert.pem", "key_file": "cert.key"})
        for end in (".pem", ".key"):
            shutil.copy(self.papers.path("first" + end),
                        agent.path("cert" + end))
        agent.start()
        old = self.connect(agent)
        self.assertEqual(self.common_name(old), "first")
        half = socket.create_connection(("127.0.0.1", agent.port), PEERS)
        self.addCleanup(half.close)
        half.sendall(b"\x16\x03\x01")  # a handshake that has only begun
        ends = agent.metric("certificate_expiry_timestamp_seconds")
        self.assertAlmostEqual(ends, time.time() + 40 * 86400, delta=3600)
        self.papers.issue("second", dates=("20250101000000Z",
                                           "20400101000000Z"))
        self.renew(agent, "second", "certificates read again")
        self.assertEqual(agent.metric("certificate_expiry_timestamp_seconds"),
                         2208988800)
        self.assertEqual(self.common_name(self.connect(agent)), "second")
        self.assertEqual(self.hand_in(old, Hook(1, iso())), 202)

        with open(agent.path("cert.pem"), "w", encoding="utf-8") as file:
            file.write("damaged\n")
        agent.child.send_signal(signal.SIGHUP)
        wait_until(lambda: "was not taken up" in agent.log(), "said so")
        self.assertIn("cert.pem", agent.log())
        self.assertEqual(self.common_name(self.connect(agent)), "second")
        self.assertEqual(self.hand_in(old, Hook(2, iso())), 202)

    def test_a_handshake_that_hangs_is_cut_and_costs_no_one_else(self):
        agent = self.open_door(head_timeout="1s")
        hung = []
        for start in (b"", b"\x16\x03\x01\x02\x00\x01", b"\x16"):
            sock = socket.create_connection(("127.0.0.1", agent.port), PEERS)
            self.addCleanup(sock.close)
            sock.sendall(start)
            hung.append(sock)
        self.assertEqual(self.hand_in(self.connect(agent), Hook(1, iso())),
                         202)
        for sock in hung:
            self.assertEqual(sock.recv(1), b"")

    def test_what_is_no_tls_is_refused_with_an_alert(self):
        agent = self.open_door()
        alert = b"\x15"  # RFC 8446 §5.1; what looks like nothing gets none
        for start, first in ((b"\x16\x03\x01\x00\x05hello", alert),
                             (b"\x17\x03\x03\x00\x01x", alert),
                             (b"\x00" * 64, b"")):
            with self.subTest(start):
                sock = socket.create_connection(("127.0.0.1", agent.port),
                                                PEERS)
                self.addCleanup(sock.close)
                sock.sendall(start)
                self.assertEqual(sock.recv(100)[:1], first)
                self.assertEqual(sock.recv(100), b"")
        self.assertEqual(self.hand_in(self.connect(agent), Hook(1, iso())),
                         202)

    def test_renegotiation_is_refused(self):
        agent = self.open_door()
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{agent.port}",
             "-tls1_2", "-CAfile", self.papers.path("root.pem")],
            input=b"R\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=PEERS, check=False)
        self.assertIn(b"no renegotiation", done.stdout)
        self.assertEqual(self.hand_in(self.connect(agent), Hook(1, iso())),
                         202)

    def test_of_protocols_http_1_1_is_chosen_and_h2_alone_refused(self):
        agent = self.open_door()
        both = self.papers.context()
        both.set_alpn_protocols(["h2", "http/1.1"])
        sealed = self.connect(agent, both)
        self.assertEqual(sealed.selected_alpn_protocol(), "http/1.1")
        h2 = self.papers.context()
        h2.set_alpn_protocols(["h2"])
        with self.assertRaises(ssl.SSLError):
            self.connect(agent, h2)

    def test_the_end_of_a_connection_is_said(self):
        agent = self.open_door(idle_timeout="1s")
        sealed = self.connect(agent)
        sealed.suppress_ragged_eofs = False  # close_notify or an error
        self.assertEqual(self.hand_in(sealed, Hook(1, iso())), 202)
        self.assertEqual(sealed.recv(1), b"")
        closed = self.connect(agent)
        closed.suppress_ragged_eofs = False
        closed.sendall(b"GET /no HTTP/1.1\r\nHost: h\r\n"
                       b"Connection: close\r\n\r\n")
        self.assertEqual(self.status_of(closed), 404)
        self.assertEqual(closed.recv(1), b"")
