#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Debian packages: built, clean to lintian, installed, started, upgraded,
removed and purged in a root of their own.

The last line is `N passed, N failed`.
"""
import argparse
import base64
import glob
import hashlib
import hmac
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PLUGINS = ("amqp", "kafka", "mqtt", "nats", "postgresql", "redis")
PATIENCE = 60
SECRET = base64.b64encode(b"a secret of the tests of packages").decode()
CONNECTORS = f"""
listen: {{address: 127.0.0.1:8080}}
connectors:
  shop: {{use: standard_webhooks, with: {{webhook_secret: whsec_{SECRET}}}}}
"""
NOBODY = 64999  # a user that nothing else is, as DynamicUser= makes one


def run(*words, check=True, **more):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, timeout=1500,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)} ended with "
                             f"{done.returncode}:\n{done.stdout[-3000:]}")
    return done


def packages(folder):
    return sorted(path for path in glob.glob(os.path.join(folder, "*.deb"))
                  if "-dbgsym_" not in path)


def newer(deb, folder):
    """The same package as of a later version."""
    tree = os.path.join(folder, "tree")
    run("dpkg-deb", "--raw-extract", deb, tree)
    control = os.path.join(tree, "DEBIAN", "control")
    with open(control, encoding="utf-8") as file:
        text = file.read()
    version = re.search(r"^Version: (.*)$", text, re.M).group(1)
    with open(control, "w", encoding="utf-8") as file:
        file.write(text.replace(version, version + "+later"))
    run("dpkg-deb", "--build", "--root-owner-group", tree,
        os.path.join(folder, os.path.basename(deb)))
    shutil.rmtree(tree)


class Place:
    """A root of its own: this machine below, a layer in memory above."""

    def __init__(self, folder):
        self.at = folder
        run("mount", "-t", "tmpfs", "none", self.at)
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(self.at, name))
        self.root = os.path.join(self.at, "root")
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir=/,upperdir={self.at}/upper,workdir={self.at}/work",
            self.root)
        run("mount", "-t", "proc", "proc", self.path("/proc"))
        run("mount", "--rbind", "/dev", self.path("/dev"))

    def path(self, name):
        return self.root + name

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, *words, **more):
        return run("chroot", self.root, *words, **more)

    def dpkg(self, *words):
        # Small images leave the manual out; here it is looked at.
        return self.run("dpkg", "--path-include=/usr/share/man/*",
                        "--path-include=/usr/share/doc/*", *words,
                        env=dict(os.environ, DEBIAN_FRONTEND="noninteractive",
                                 LC_ALL="C.UTF-8"))

    def copy(self, debs, folder):
        os.makedirs(self.path(folder))
        return [shutil.copy(deb, self.path(folder))[len(self.root):]
                for deb in debs]


class Service:
    """The agent as the unit has it run."""

    directories = {"STATE_DIRECTORY": "/var/lib/longstop",
                   "RUNTIME_DIRECTORY": "/run/longstop",
                   "CREDENTIALS_DIRECTORY": "/run/credentials/longstop.service"}

    def __init__(self, place):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.place = place
        self.child = None
        for path in self.directories.values():
            os.makedirs(place.path(path))
            os.chown(place.path(path), NOBODY, NOBODY)
        place.write("/run/credentials/longstop.service/shop", "whsec_" + SECRET)
        with open(place.path("/usr/share/doc/longstop/examples/longstop.yaml"),
                  encoding="utf-8") as file:
            place.write("/etc/longstop/longstop.yaml", file.read().replace(
                "127.0.0.1:8080", f"127.0.0.1:{self.port}"))

    def start(self):
        with open(self.place.path("/lib/systemd/system/longstop.service"),
                  encoding="utf-8") as file:
            words = re.search(r"^ExecStart=(.*)$", file.read(), re.M).group(1)
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"/tmp/notify-{time.monotonic_ns()}"
        told.bind(self.place.path(name))
        os.chmod(self.place.path(name), 0o666)
        told.settimeout(PATIENCE)
        self.child = subprocess.Popen(
            [shutil.which("chroot"), self.place.root, "setpriv", f"--reuid={NOBODY}",
             f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
             "--bounding-set=-all", *words.split()],
            env={"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": name,
                 **self.directories}, stdin=subprocess.DEVNULL)
        with told:
            heard = told.recv(4096)
        assert heard == b"READY=1", heard

    def send(self, name):
        body = json.dumps({"type": "order.paid", "data": {"id": name}}).encode()
        stamp = str(int(time.time()))
        signed = hmac.new(base64.b64decode(SECRET),
                          f"{name}.{stamp}.".encode() + body, hashlib.sha256)
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/hooks/shop", body, {
                "Content-Type": "application/json", "webhook-id": name,
                "webhook-timestamp": stamp, "webhook-signature":
                "v1," + base64.b64encode(signed.digest()).decode()})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status

    def events(self):
        path = self.place.path("/var/lib/longstop/events.jsonl")
        if not os.path.exists(path):
            return 0
        with open(path, encoding="utf-8") as file:
            return file.read().count("\n")

    def wait_events(self, count):
        deadline = time.monotonic() + PATIENCE
        while self.events() < count:
            assert time.monotonic() < deadline, f"{self.events()} events"
            time.sleep(0.05)

    def stop(self):
        self.child.terminate()
        assert self.child.wait(PATIENCE) == 0
        self.child = None


class GitHub(http.server.BaseHTTPRequestHandler):
    """The log of a repository's webhook: one entry, which was never sent."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        entry = {"id": 1, "guid": "guid-missed", "event": "push",
                 "delivered_at": time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                               time.gmtime()),
                 "status": "OK", "action": None}
        if self.path.split("?")[0].endswith("/deliveries"):
            body = [entry]
        else:
            body = {**entry, "request": {"headers": {
                "X-GitHub-Event": "push"}, "payload": {"ref": "missed"}}}
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Newcomer(Service):
    """Somebody who has read the README, and nothing else."""

    config = "/etc/longstop/longstop.yaml"
    handler = "/usr/local/bin/fulfil"

    def __init__(self, place):
        self.place = place
        self.child = None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def say(self, *words, code=0):
        got = self.place.run("longstop", *words, check=False, cwd="/")
        assert got.returncode == code, f"{words}: {got.returncode} {got.stdout}"
        return got.stdout

    def configure(self):
        text = self.say("init", "github", "--service")
        self.place.write(self.config, text)
        said = self.say("check", code=78)
        for words in ("longstop.yaml:", "FILL_IN", "repo", "hook_id"):
            assert words in said, said
        for old, new in (
                ("repo: FILL_IN", "repo: octo/shop"),
                ("hook_id: FILL_IN", 'hook_id: "1"'),
                ("# base: https://api.github.com",
                 f"base: http://127.0.0.1:{self.server.server_port}"),
                ("127.0.0.1:8080", f"127.0.0.1:{self.port}"),
                ("# start: now", "start: 1h   #"),
                ("  # fulfil:\n", "  fulfil:\n"),
                (f"  #   exec: [{self.handler}]",
                 f"    exec: [{self.handler}]\n    retry: {{attempts: 1}}")):
            assert old in text, old
            text = text.replace(old, new)
        self.place.write(self.config, text)
        said = self.say("check", code=78)
        assert "/etc/credstore/github.secret" in said, said
        # the lines at the file's end are the unit's
        for name, path in re.findall(r"LoadCredential=(\S+):(\S+)", text):
            self.place.write(path, SECRET + "\n")
            os.chmod(self.place.path(path), 0o600)
            given = "/run/credentials/longstop.service/" + name
            self.place.write(given, SECRET + "\n")
            os.chown(self.place.path(given), NOBODY, NOBODY)
        self.place.write(self.handler, "#!/bin/sh\necho no paper >&2; exit 65\n")
        os.chmod(self.place.path(self.handler), 0o755)
        said = self.say("check")
        assert "0 warnings" in said, said

    def send(self, name):
        body = json.dumps({"ref": name}).encode()
        mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/hooks/github", body, {
                "Content-Type": "application/json", "X-GitHub-Event": "push",
                "X-GitHub-Delivery": name,
                "X-Hub-Signature-256": "sha256=" + mac})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status

    def wait(self, *words, until):
        deadline = time.monotonic() + PATIENCE
        while True:
            said = self.say(*words)
            if until(said):
                return said
            assert time.monotonic() < deadline, said
            time.sleep(0.1)

    def live(self):
        assert self.send("guid-hook") == 202
        said = self.wait("events", until=lambda said: "guid-hook" in said and
                         "guid-missed" in said)
        assert re.search(r"guid-hook.*webhook|webhook.*guid-hook", said), said
        assert re.search(r"guid-missed.*poll|poll.*guid-missed", said), said
        # what failed, why, and again once it is mended
        said = self.wait("dead", until=lambda said: "fulfil" in said)
        said = self.say("show", "github/guid-hook")
        assert "no paper" in said and "exit 65" in said, said
        self.place.write(self.handler, "#!/bin/sh\nexit 0\n")
        said = self.say("retry", "--handler", "fulfil", "--yes")
        self.wait("dead", until=lambda said: "fulfil" not in said)
        assert "done" in self.say("show", "github/guid-hook")

    def break_it(self):
        with open(self.place.path(self.config), encoding="utf-8") as file:
            text = file.read()
        line = text[:text.index("api_key:")].count("\n") + 1
        self.place.write(self.config, text.replace("api_key:", "api_kee:", 1))
        said = self.say("check", code=78)
        assert f"longstop.yaml:{line}:" in said, said
        assert "did you mean 'api_key'" in said, said
        self.say("status")  # the agent goes on, and can be asked
        self.place.write(self.config, text)


class Life:
    """What happens to the packages, in order; each step needs those before."""

    def __init__(self, folder, apart):
        self.folder = folder
        self.apart = apart
        self.place = self.service = None

    def step_lintian_has_nothing_to_say(self):
        # They are not uploaded to Debian, where a bug would ask for them.
        got = run("lintian", "--allow-root", "--suppress-tags",
                  "initial-upload-closes-no-bugs", "--fail-on",
                  "error,warning", *packages(self.folder), check=False)
        said = [line for line in got.stdout.splitlines()
                if line.startswith(("E:", "W:"))]
        assert got.returncode == 0 and not said, got.stdout

    def step_there_is_one_package_for_each_plugin(self):
        names = [os.path.basename(path).split("_")[0]
                 for path in packages(self.folder)]
        assert sorted(names) == ["longstop", *(f"longstop-{one}"
                                               for one in PLUGINS)], names

    def step_they_are_installed_and_the_service_is_enabled(self):
        self.place = Place(self.apart)
        self.place.dpkg("--install", *self.place.copy(
            packages(self.folder), "/tmp/first"))
        assert os.path.islink(self.place.path(
            "/etc/systemd/system/multi-user.target.wants/longstop.service"))
        assert not os.path.islink(self.place.path(
            "/etc/systemd/system/sockets.target.wants/longstop.socket"))
        assert self.place.run("longstop", "version").stdout.startswith(
            "longstop ")
        for path in ("man1/longstop.1.gz", "man5/longstop.yaml.5.gz",
                     "man7/longstop-connectors.7.gz"):
            assert os.path.exists(self.place.path("/usr/share/man/" + path))

    def step_the_demo_of_the_package_loses_nothing(self):
        self.place.run("longstop", "demo")

    def step_each_plugin_is_found(self):
        for kind in PLUGINS:
            example = "/usr/share/doc/longstop/examples/handlers/"
            with open(self.place.path(f"{example}{kind}.yaml"),
                      encoding="utf-8") as file:
                self.place.write(f"/tmp/{kind}.yaml", CONNECTORS + file.read())
            words = ("longstop", "check", "-c", f"/tmp/{kind}.yaml")
            got = self.place.run(*words, check=False)
            assert "plugin" not in got.stdout, got.stdout
            there = glob.glob(self.place.path(f"/usr/lib/*/longstop/{kind}.so"))
            os.rename(there[0], there[0] + ".away")
            got = self.place.run(*words, check=False)
            os.rename(there[0] + ".away", there[0])
            assert f"plugin {kind}.so is not there" in got.stdout, got.stdout

    def step_who_has_read_the_readme_only_gets_there(self):
        self.service = newcomer = Newcomer(self.place)
        newcomer.configure()
        for path in newcomer.directories.values():
            os.makedirs(self.place.path(path), exist_ok=True)
            os.chown(self.place.path(path), NOBODY, NOBODY)
        newcomer.start()
        newcomer.live()
        newcomer.break_it()
        newcomer.stop()
        newcomer.server.shutdown()
        for path in newcomer.directories.values():
            shutil.rmtree(self.place.path(path))

    def step_the_service_starts_and_takes_a_webhook(self):
        self.service = Service(self.place)
        self.service.start()
        assert self.service.send("evt_1") == 202
        self.service.wait_events(1)
        # Who only asks needs none of the secrets.
        self.place.run("longstop", "status", "-c",
                       "/etc/longstop/longstop.yaml",
                       env=os.environ)
        self.service.stop()

    def step_an_upgrade_keeps_what_is_known(self):
        folder = os.path.join(self.place.at, "later")
        os.mkdir(folder)
        for deb in packages(self.folder):
            newer(deb, folder)
        self.place.dpkg("--install", *self.place.copy(packages(folder),
                                                      "/tmp/later"))
        assert "+later" in self.place.run(
            "dpkg-query", "-W", "-f", "${Version}", "longstop").stdout
        self.service.start()
        assert self.service.send("evt_1") in (200, 202)
        assert self.service.send("evt_2") == 202
        self.service.wait_events(2)
        self.service.stop()
        assert self.service.events() == 2, self.service.events()

    def step_removed_the_program_goes_and_the_store_stays(self):
        self.place.dpkg("--remove", "longstop",
                        *(f"longstop-{one}" for one in PLUGINS))
        assert not os.path.exists(self.place.path("/usr/bin/longstop"))
        assert os.path.exists(self.place.path("/var/lib/longstop/longstop.db"))

    def step_purged_nothing_is_left_but_the_configuration(self):
        self.place.dpkg("--purge", "longstop",
                        *(f"longstop-{one}" for one in PLUGINS))
        left = [name for name in (
            "/var/lib/longstop", "/var/lib/private/longstop",
            "/usr/lib/longstop", "/usr/share/longstop",
            "/usr/share/doc/longstop", "/lib/systemd/system/longstop.service",
            "/etc/systemd/system/multi-user.target.wants/longstop.service")
                if os.path.lexists(self.place.path(name))]
        assert left == [], left
        # It was written by a person, and dpkg never knew of it.
        assert os.path.exists(self.place.path("/etc/longstop/longstop.yaml"))


def live(life):
    """All steps, until one fails; how many passed and failed."""
    passed = 0
    try:
        for name, step in vars(Life).items():
            if not name.startswith("step_"):
                continue
            words = name[len("step_"):].replace("_", " ")
            try:
                step(life)
            except (AssertionError, OSError, subprocess.SubprocessError) as why:
                print(f"FAILED {words}\n{why}", flush=True)
                return passed, 1
            print(f"ok     {words}", flush=True)
            passed += 1
    finally:
        if life.service is not None and life.service.child is not None:
            life.service.child.kill()
            life.service.child.wait()
    return passed, 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", default=os.path.join(ROOT, "build/deb"))
    parser.add_argument("--built", action="store_true",
                        help="take the packages that are in the folder")
    parser.add_argument("--apart", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.apart:
        if os.geteuid() != 0:
            print("FAILED a root of its own takes root\n0 passed, 1 failed")
            return 1
        # Mounts of ours are seen by nobody else, and end with us.
        with tempfile.TemporaryDirectory(prefix="longstop-packages-") as apart:
            return subprocess.run(
                ["unshare", "--mount", sys.executable, *sys.argv, "--apart",
                 apart], check=False).returncode
    folder = os.path.abspath(options.folder)
    if not options.built:
        run(os.path.join(ROOT, "packaging/build-deb.sh"), folder)
    passed, failed = live(Life(folder, options.apart))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
