#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes pictures of all screens, in both colours at 360 and 1440 pixels.

    tests/dashboard/pictures.py --bin build-tests/dev [--seconds 40] FOLDER

An agent lives through some seconds of a provider that loses and delays hooks,
of a list that cannot be reached, and of handlers that fail in several ways.
"""
import argparse
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = ((1440, 900), (360, 800))

HANDLERS = {
    "log": {"file": "events.jsonl"},
    "fulfil": {"exec": ["/bin/sh", "-c", """
        case $(od -An -N1 -tu1 /dev/urandom) in
        *1) echo "no such customer"; exit 65;;
        *7) echo "a field is missing"; exit 65;;
        *3) echo "gateway timeout"; exit 1;;
        esac"""], "concurrency": 2, "retry": {"first": "2s", "attempts": 2}},
    "mirror": {"http": {"url": "http://127.0.0.1:9/x"}},
}

FAULTS = ["--rate", "2", "--events", "100000", "--loss", "12", "--late", "6",
          "--late-ms", "6000", "--double", "5", "--lag", "1500", "--wait",
          "500"]


def start(ground, harness, case):
    port = harness.free_port()
    provider = harness.SimulatedProvider(
        case, *FAULTS, hook_url=f"http://127.0.0.1:{port}/hooks/shop")
    shop = harness.pet_store(provider, poll={"every": "5s", "overlap": "20s"})
    agent = ground.WebAgent(case, {
        "shop": {**shop, "grace": "10s"},
        "payments": harness.pet_store(),
        "ledger": {"use": "petstore", "with": {
            "base": "http://127.0.0.1:9", "api_key": "x"},
            "poll": {"every": "20s"}}}, HANDLERS)
    agent.port = port
    agent.config["listen"]["address"] = f"127.0.0.1:{port}"
    agent.write_config()
    return agent.start()


def live(harness, agent, seconds):
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1
        secret = "another" if number % 5 == 0 else harness.SECRET
        harness.Hook(number, harness.iso(), event="payment.settled",
                     secret=secret).send(agent, "/hooks/payments")
        time.sleep(0.7)


def pictures(browser, agent, folder, screens):
    browser.open(agent.url)
    for path in screens:
        name = path.split("/")[0] if path.startswith("events/") else path
        name = "event" if path.startswith("events/") else \
            name.replace("/", "-") or "overview"
        browser.run("location.hash = arguments[0]", f"#/{path}")
        for width, height in SIZES:
            for scheme in ("light", "dark"):
                browser.look(width, height, scheme)
                time.sleep(1.2)
                browser.picture(os.path.join(
                    folder, f"{name}-{width}-{scheme}.png"))
    for line in browser.complaints():
        print(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("folder")
    options = parser.parse_args()
    os.environ["LONGSTOP_BUILD"] = os.path.abspath(options.bin)
    sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]
    import ground
    import harness
    import webdriver

    class Stage(harness.Case):
        def runTest(self):
            os.makedirs(options.folder, exist_ok=True)
            agent = start(ground, harness, self)
            browser = webdriver.Browser()
            self.addCleanup(browser.close)
            live(harness, agent, options.seconds)
            dead = ground.json.loads(agent.admin(
                "/api/v1/dead?limit=1").body)["items"]
            pictures(browser, agent, options.folder, ground.SCREENS + [
                f"events/{letter['number']}" for letter in dead])

    result = Stage().run()
    for _, words in result.errors + result.failures:
        print(words)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
