# SPDX-License-Identifier: MIT
"""A browser for the tests: Debian's headless Chromium through chromedriver, by
plain W3C WebDriver (https://www.w3.org/TR/webdriver2/) over HTTP.
"""
import base64
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
PATIENCE = 30  # seconds until what does not come is a failure

# Nothing of its own leaves the machine: no update, no metrics, no names.
ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
    "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-default-apps",
    "--disable-extensions", "--disable-sync", "--metrics-recording-only",
    "--no-first-run", "--no-default-browser-check",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


class Refused(Exception):
    """What chromedriver answered, in its words."""


class Browser:
    """One browser with one tab, and the messages of its pages."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="longstop-chromium-")
        self.child = subprocess.Popen(
            [DRIVER, "--port=0"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, bufsize=0, start_new_session=True,
            env={**os.environ, "HOME": self.dir, "TMPDIR": self.dir})
        self.session = None
        try:
            self.url = f"http://127.0.0.1:{self.port()}"
            self.begin()
        except BaseException:
            self.close()
            raise

    def port(self):
        end = time.monotonic() + PATIENCE
        text = b""
        while time.monotonic() < end:
            ready, _, _ = select.select([self.child.stdout], [], [], 1)
            text += os.read(self.child.stdout.fileno(), 4096) if ready else b""
            found = re.search(rb"on port (\d+)\.", text)
            if found:
                return int(found[1])
        raise Refused(f"chromedriver says no port: {text}")

    def begin(self):
        wanted = {"browserName": "chrome",
                  "goog:loggingPrefs": {"browser": "ALL",
                                        "performance": "ALL"},
                  "goog:chromeOptions": {
                      "binary": CHROMIUM,
                      "args": ARGUMENTS + [f"--user-data-dir={self.dir}/p"]}}
        got = self.call("POST", "/session",
                        {"capabilities": {"alwaysMatch": wanted}})
        self.session = got["sessionId"]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"},
            method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise Refused(f"{value['error']}: {value['message']}") from error

    def ask(self, method, path, body=None):
        return self.call(method, f"/session/{self.session}{path}", body)

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", "")
        except (OSError, Refused):
            pass
        # with it, what it had started
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()
        self.child.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- a page ----

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """Runs the body of a function in the page; returns what it returns."""
        return self.ask("POST", "/execute/sync",
                        {"script": script, "args": list(arguments)})

    def run_async(self, script, *arguments):
        """The same, with a function to be called at the end as last argument."""
        return self.ask("POST", "/execute/async",
                        {"script": script, "args": list(arguments)})

    def text(self, selector="body"):
        return self.run("const e = document.querySelector(arguments[0]);"
                        "return e ? e.innerText : null", selector)

    def count(self, selector):
        return self.run("return document.querySelectorAll(arguments[0]).length",
                        selector)

    def press(self, *keys):
        actions = []
        for key in keys:
            actions += [{"type": "keyDown", "value": key},
                        {"type": "keyUp", "value": key}]
        self.ask("POST", "/actions", {"actions": [
            {"type": "key", "id": "keys", "actions": actions}]})

    def click(self, selector):
        element = self.ask("POST", "/element",
                           {"using": "css selector", "value": selector})
        self.ask("POST", f"/element/{element[ELEMENT]}/click", {})

    def wait(self, what, script, *arguments, seconds=PATIENCE):
        """Returns the first true value of the script."""
        end = time.monotonic() + seconds
        while True:
            value = self.run(script, *arguments)
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}; the "
                                     f"page shows\n{self.text()}")
            time.sleep(0.02)

    def look(self, width, height, scheme):
        """The size of the page, and which colours its reader likes."""
        for command, values in (
                ("Emulation.setDeviceMetricsOverride",
                 {"width": width, "height": height, "deviceScaleFactor": 1,
                  "mobile": False}),
                ("Emulation.setEmulatedMedia",
                 {"features": [{"name": "prefers-color-scheme",
                                "value": scheme}]})):
            self.ask("POST", "/goog/cdp/execute",
                     {"cmd": command, "params": values})

    def picture(self, path):
        """The whole page, as high as it is."""
        got = self.ask("POST", "/goog/cdp/execute", {
            "cmd": "Page.captureScreenshot",
            "params": {"captureBeyondViewport": True}})
        with open(path, "wb") as file:
            file.write(base64.b64decode(got["data"]))

    # ---- what it did ----

    def log(self, kind):
        return self.ask("POST", "/se/log", {"type": kind})

    def complaints(self):
        """Errors and warnings of pages since the last time, violations of the
        policy among them."""
        return [entry["message"] for entry in self.log("browser")
                if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self):
        """URLs that were asked for since the last time."""
        found = []
        for entry in self.log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return found
