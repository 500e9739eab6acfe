# SPDX-License-Identifier: MIT
"""What the tests of the dashboard stand on: an agent whose admin listener a
browser can reach, a browser for a whole file, and axe-core.
"""
import glob
import hashlib
import http.client
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest
import urllib.request

import harness
import webdriver
from harness import Answer, Hook

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "agent", "dashboard")

SCREENS = ["", "connectors", "connectors/shop", "events", "dead", "refusals",
           "handlers", "system"]

# Deque's accessibility rules (MPL-2.0): fetched, held against what is written
# here, and never shipped.
AXE = "4.10.3"
AXE_SHA256 = "0f2b4d7dcdf7d1219df8d1959ad68e565f51d14c3f0d88bb71cd59abeb956292"
AXE_URL = f"https://registry.npmjs.org/axe-core/-/axe-core-{AXE}.tgz"
AXE_KEPT = os.path.join(ROOT, "build-tests", f"axe-core-{AXE}.tgz")


class WebAgent(harness.Agent):
    """An agent with its admin listener on loopback."""

    def __init__(self, case, connectors, handlers=None, **sections):
        self.web_port = harness.free_port()
        self.token = sections.pop("token", None)
        admin = {"address": f"127.0.0.1:{self.web_port}",
                 **sections.pop("admin", {})}
        if self.token:
            admin["token"] = self.token
        super().__init__(case, connectors, handlers, admin=admin, **sections)
        self.url = f"http://127.0.0.1:{self.web_port}/"

    def admin(self, path, method="GET", body=None, **fields):
        if self.token:
            fields.setdefault("Authorization", f"Bearer {self.token}")
        connection = http.client.HTTPConnection("127.0.0.1", self.web_port,
                                                timeout=30)
        try:
            connection.request(method, path, body, fields)
            reply = connection.getresponse()
            return Answer(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            connection.close()


class Case(harness.Case):
    def agent(self, connectors, handlers=None, **sections):
        return WebAgent(self, connectors, handlers, **sections)


class BrowserCase(Case):
    """A test with a browser, which all tests of its file share. At the end of
    each no page may have complained, or asked another host for anything."""

    browser = None

    @classmethod
    def setUpClass(cls):
        if not (webdriver.CHROMIUM and webdriver.DRIVER):
            raise unittest.SkipTest("no chromium, or no chromedriver: "
                                    "apt-get install chromium-driver")
        if BrowserCase.browser is None:
            BrowserCase.browser = webdriver.Browser()
            unittest.addModuleCleanup(BrowserCase.browser.close)

    def setUp(self):
        self.browser.open("about:blank")
        self.browser.look(1440, 900, "light")
        self.browser.complaints()
        self.browser.requests()
        self.forgiven = ()  # what a test does to the page on purpose

    def tearDown(self):
        complaints = [each for each in self.browser.complaints()
                      if not any(word in each for word in self.forgiven)]
        self.assertEqual(complaints, [])
        asked = {url for url in self.browser.requests()
                 if not url.startswith(("http://127.0.0.1:", "data:",
                                        "about:", "chrome:"))}
        self.assertEqual(asked, set())

    def open(self, agent, path=""):
        """Opens a screen and waits until it shows what the agent told."""
        self.browser.open("about:blank")
        self.browser.open(f"{agent.url}#/{path}")
        self.wait_drawn()

    def go(self, path):
        """Another screen of the page that is open."""
        self.browser.run("location.hash = arguments[0]", f"#/{path}")
        self.wait_drawn()

    def wait_drawn(self):
        self.browser.wait("the screen is drawn", """
            return document.querySelector("main h1") &&
                !/Asking the agent|Counting…/.test(document.body.innerText)""")

    def shown(self, text, selector="main"):
        self.browser.wait(f"{text!r} in {selector}", """
            const [text, selector] = arguments;
            return document.querySelector(selector)?.innerText
                .includes(text)""", text, selector)

    def figure(self, name):
        return self.browser.text(f'[data-figure="{name}"]')

    def wait_figure(self, name, value):
        self.browser.wait(f"{name} is {value}", """
            return document.querySelector(`[data-figure="${arguments[0]}"]`)
                ?.innerText === arguments[1]""", name, value)


def orders(count, agent, first=1, **more):
    """Sends so many genuine webhooks; their ids."""
    hooks = [Hook(first + i, harness.iso(), **more) for i in range(count)]
    for hook in hooks:
        assert hook.send(agent).status == 202, hook
    return [hook.delivery for hook in hooks]


def bring(agent, count):
    """Puts so many events into the store: e0, e1 and so on."""
    for first in range(0, count, 2500):
        events = [{"v": 1, "via": "webhook", "connector": "shop",
                   "recorded": harness.iso(), "id": f"e{i}",
                   "type": "order.paid", "body": "{}"}
                  for i in range(first, min(count, first + 2500))]
        got = agent.admin("/api/v1/import", "POST",
                          json.dumps({"events": events}))
        assert json.loads(got.body) == {"new": len(events), "known": 0}, got


# ---- axe-core ----

def pack_by_npm():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", "--fetch-retries=0",
                        f"axe-core@{AXE}"],
                       cwd=folder, check=True, timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(glob.glob(os.path.join(folder, "*.tgz"))[0], "rb") as file:
            return file.read()


def fetch_axe():
    if shutil.which("npm"):
        return pack_by_npm()
    with urllib.request.urlopen(AXE_URL, timeout=30) as reply:
        return reply.read()


def axe_source():
    """The rules as a script; SkipTest where they cannot be had."""
    if os.path.exists(AXE_KEPT):
        with open(AXE_KEPT, "rb") as file:
            packed = file.read()
    else:
        try:
            packed = fetch_axe()
        except (OSError, subprocess.SubprocessError, IndexError) as error:
            raise unittest.SkipTest(
                f"axe-core cannot be fetched: {error}") from error
    if hashlib.sha256(packed).hexdigest() != AXE_SHA256:
        raise AssertionError(f"axe-core {AXE} is not what it was: "
                             f"{hashlib.sha256(packed).hexdigest()}")
    if not os.path.exists(AXE_KEPT):
        os.makedirs(os.path.dirname(AXE_KEPT), exist_ok=True)
        with open(AXE_KEPT, "wb") as file:
            file.write(packed)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()
