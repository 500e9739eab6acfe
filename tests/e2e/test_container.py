# SPDX-License-Identifier: MIT
"""The container file: what it must say; where buildah is and LONGSTOP_LONG is
set, the image itself, built and run."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import harness

ROOT = os.path.join(harness.HERE, "..", "..")
FILE = os.path.join(ROOT, "packaging", "container", "Containerfile")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def instructions():
    """[(word, rest)], continued lines joined, comments left out."""
    text = re.sub(r"(?m)^#.*\n", "", read(FILE))
    text = re.sub(r"\\\n", " ", text)
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line]


class Words(unittest.TestCase):
    def stages(self):
        """The instructions of each image."""
        stages = []
        for word, rest in instructions():
            if word == "FROM":
                stages.append([])
            elif stages:
                stages[-1].append((word, rest))
        return stages

    def test_it_is_built_in_one_image_and_run_in_another(self):
        build, run = self.stages()
        self.assertIn("gcc", dict(build)["RUN"] + str(build))
        for word in ("gcc", "-dev", "cmake"):
            self.assertNotIn(word, str(run))
        self.assertTrue(all(rest.startswith("--from=build")
                            for word, rest in run if word == "COPY"))

    def test_it_installs_what_the_quickstart_does(self):
        wanted = re.search(r'packages="(.*?)"', read(
            "packaging/quickstart.sh"), re.S).group(1).split()
        for package in wanted:
            self.assertRegex(str(self.stages()[0]), rf"[ ']{package} ")

    def test_all_that_the_build_needs_is_copied(self):
        copied = [source for word, rest in self.stages()[0] if word == "COPY"
                  for source in rest.split()[:-1]]
        for path in copied:
            self.assertTrue(os.path.exists(os.path.join(ROOT, path)), path)
        for folder in ("agent", "cmake", "connectors", "schema", "packaging"):
            self.assertIn(folder, copied)

    def test_it_runs_as_a_user_of_its_own_with_one_place_to_write(self):
        run = self.stages()[1]
        self.assertRegex(dict(run)["USER"], r"^[1-9]\d{3,}$")
        self.assertEqual(dict(run)["VOLUME"], "/var/lib/longstop")
        self.assertEqual(json.loads(dict(run)["ENTRYPOINT"]), ["longstop"])
        self.assertEqual(dict(run)["STOPSIGNAL"], "SIGTERM")
        words = [word for word, _ in run]
        self.assertLess(words.index("USER"), words.index("ENTRYPOINT"))
        self.assertNotIn("RUN", words[words.index("USER"):])

    def test_its_health_is_what_status_says(self):
        check = dict(self.stages()[1])["HEALTHCHECK"]
        command = check.split("CMD ", 1)[1]
        place = tempfile.mkdtemp(prefix="longstop-e2e-")
        self.addCleanup(shutil.rmtree, place)
        for code, healthy in ((0, True), (1, True), (69, False), (78, False)):
            with open(os.path.join(place, "longstop"), "w",
                      encoding="ascii") as file:
                file.write(f"#!/bin/sh\nexit {code}\n")
            os.chmod(os.path.join(place, "longstop"), 0o755)
            got = subprocess.run(["/bin/sh", "-c", command], check=False, env={
                "PATH": place + ":" + os.environ["PATH"]})
            self.assertEqual(got.returncode == 0, healthy, code)


@unittest.skipUnless(os.environ.get("LONGSTOP_LONG"), "only with --long")
@unittest.skipUnless(shutil.which("buildah") and shutil.which("debootstrap") and
                     os.getuid() == 0, "no root, buildah or debootstrap")
class Image(unittest.TestCase):
    """Built from a Debian of the mirror that apt uses here."""

    def buildah(self, *words, **more):
        got = subprocess.run(["buildah", *words], capture_output=True,
                             text=True, check=False, timeout=3000, env={
            **os.environ, "STORAGE_DRIVER": "vfs",
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_STORAGE_CONF": os.path.join(self.place, "s.conf")},
            **more)
        self.assertEqual(got.returncode, 0, got.stdout[-3000:] +
                         got.stderr[-3000:])
        return got.stdout.strip()

    def base(self):
        """debian:bookworm-slim, or what is like it."""
        root = os.path.join(self.place, "root")
        got = subprocess.run(["debootstrap", "--variant=minbase", "bookworm",
                              root], capture_output=True, text=True,
                             check=False, timeout=1800)
        self.assertEqual(got.returncode, 0, got.stdout[-2000:])
        work = self.buildah("from", "scratch")
        self.buildah("add", work, root, "/")
        self.buildah("commit", work, "localhost/base")
        self.buildah("rm", work)
        return "localhost/base"

    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="longstop-image-")
        self.addCleanup(shutil.rmtree, self.place, True)
        with open(os.path.join(self.place, "s.conf"), "w",
                  encoding="ascii") as file:
            file.write(f'[storage]\ndriver="vfs"\ngraphroot="{self.place}/g"\n'
                       f'runroot="{self.place}/r"\n')

    def test_it_is_built_and_runs_without_root_and_without_a_place_to_write(
            self):
        self.buildah("bud", "--format", "docker", "--build-arg",
                     "BASE=" + self.base(), "-f", FILE, "-t",
                     "localhost/longstop", ROOT)
        config = json.loads(self.buildah(
            "inspect", "--type", "image", "localhost/longstop"))["Docker"][
                "config"]
        self.assertEqual(config["User"], "10001")
        self.assertIn("/var/lib/longstop", config["Volumes"])
        self.assertIn("longstop status", str(config["Healthcheck"]))
        work = self.buildah("from", "localhost/longstop")
        self.assertIn("longstop ", self.buildah("run", work, "--", "longstop",
                                                "version"))
        self.assertEqual(self.buildah("run", work, "--", "id", "-u"), "10001")
        self.assertIn("use: stripe", self.buildah(
            "run", work, "--", "longstop", "init", "stripe"))
        for plugin in ("redis", "nats", "kafka"):
            self.assertIn(f"/longstop/{plugin}.so", self.buildah(
                "run", work, "--", "find", "/usr/lib", "-name",
                plugin + ".so"))
        self.assertNotIn("gcc", self.buildah("run", work, "--", "ls",
                                             "/usr/bin"))
        port = harness.free_port()  # it shares our network
        # an agent that starts, answers its health check and ends
        self.buildah("run", work, "--", "sh", "-c",
                     "touch /usr/x 2>/dev/null && exit 9; "
                     "echo secret-of-a-shop >s && chmod 600 s && "
                     "echo 'connectors: {shop: {use: petstore, with: "
                     "{webhook_secret_file: s}}}' >c.yaml && "
                     f"echo 'listen: {{address: 127.0.0.1:{port}}}' >>c.yaml "
                     "&& "
                     "{ longstop run -c c.yaml & agent=$!; } && "
                     "for i in $(seq 100); do "
                     "longstop status -c c.yaml >/dev/null 2>&1 && break; "
                     "sleep 0.1; done; longstop status -c c.yaml && "
                     "kill $agent && wait $agent")
