# SPDX-License-Identifier: MIT
"""The connectors that are shipped: each can be begun with, and is asked for at
`base` and nowhere else."""
import glob
import http.server
import json
import os
import re
import threading

import harness
from harness import longstop

CONNECTORS = os.path.join(harness.HERE, "..", "..", "connectors")
RELAYS = {"relay", "smee"}  # for `stream: {use: …}` of another connector
NAMES = sorted({os.path.basename(path)[:-len(".yaml")]
                for path in glob.glob(os.path.join(CONNECTORS, "*.yaml"))}
               - RELAYS)

# What is a key for each connector; the others take any text.
WHSEC = "whsec_" + "QUFB" * 8
KEYS = {
    "adyen": "42" * 32, "adyen_platform": "42" * 32,
    "basic": "user:password",
    "discord": "42" * 32, "discord_interactions": "42" * 32,
    "sendgrid": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/"
                "7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3"
                "F+g==",
    "standard_webhooks_v1a": "whpk_" + "KioqKioqKioqKioqKioqKioqKioqKioqKioq"
                                       "KioqKio=",
}


class Asked(http.server.BaseHTTPRequestHandler):
    """Answers everything with an empty object, and remembers it."""

    def take(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.server.asked.append((self.command, self.path,
                                  self.rfile.read(length)))
        harness.answer(self, 200, b"{}")

    do_GET = do_POST = do_PUT = take

    def log_message(self, *_):
        pass


class Shipped(harness.Case):
    def server(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Asked)
        server.daemon_threads = True
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        server.url = f"http://127.0.0.1:{server.server_port}"
        return server

    def begin(self, name, base):
        """An agent's directory with what `init` prints, filled in."""
        agent = self.agent({})
        got = longstop("init", name, directory=agent.dir)
        self.assertEqual(got.returncode, 0, got.stderr)
        text = got.stdout.decode().replace("https://FILL_IN",
                                           "https://hooks.example.com")
        text = re.sub(r"\n      (?:# )?base: .*", f"\n      base: {base}", text)
        text = re.sub(r"(url|feed): FILL_IN", rf"\1: {base}/list", text)
        with open(agent.config_path, "w", encoding="utf-8") as file:
            file.write(text.replace("FILL_IN", "some"))
        for key, path in re.findall(r"(?m)^ *(\w+)_file: (\S+)$", text):
            with open(agent.path(path), "w", encoding="ascii") as file:
                file.write(KEYS.get(name, WHSEC) if key == "webhook_secret"
                           else "token-of-ours")
            os.chmod(agent.path(path), 0o600)
        return agent

    def test_what_init_prints_passes_check_for_every_connector(self):
        for name in NAMES:
            with self.subTest(name):
                got = self.begin(name, "http://127.0.0.1:9").command("check")
                self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
                self.assertNotIn(b"warning:", got.stderr)

    def test_a_relay_is_no_connector_to_begin_with(self):
        for name in RELAYS:
            got = longstop("init", name, directory=CONNECTORS)
            self.assertEqual(got.returncode, 2)
            self.assertIn(f"stream: {{use: {name}".encode(), got.stderr)

    def test_every_list_is_asked_for_at_base_and_nowhere_else(self):
        listed = json.loads(longstop("init", "--list", "--json",
                                     directory=CONNECTORS).stdout)
        for entry in listed["connectors"]:
            if not entry["poll"] or entry["name"] not in NAMES:
                continue
            with self.subTest(entry["name"]):
                server = self.server()
                agent = self.begin(entry["name"], server.url)
                got = agent.command("poll", entry["name"], "--dry-run",
                                    "--json")
                report = json.loads(got.stdout)
                self.assertTrue(report["requests"], got.stderr)
                self.assertTrue(server.asked)
                for request in report["requests"]:
                    self.assertTrue(request["url"].startswith(server.url),
                                    request["url"])
                    self.assertNotIn("token-of-ours", request["url"])
