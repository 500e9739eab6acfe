# SPDX-License-Identifier: MIT
"""What a build is shipped as: an archive, and the list of what is in it."""
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

import harness
from harness import BUILD

SBOM = os.path.join(harness.HERE, "..", "..", "packaging", "sbom.py")


class Sbom(unittest.TestCase):
    @unittest.skipUnless(shutil.which("dpkg-query"), "not Debian")
    def test_it_names_each_library_with_the_version_that_is_there(self):
        got = subprocess.run([sys.executable, SBOM, BUILD],
                             capture_output=True, timeout=120, check=False)
        self.assertEqual(got.returncode, 0, got.stderr)
        bom = json.loads(got.stdout)
        self.assertEqual((bom["bomFormat"], bom["specVersion"]),
                         ("CycloneDX", "1.5"))
        by_name = {one["name"]: one for one in bom["components"]}
        for name in ("libsqlite3-0", "libyaml-0-2", "libev4", "libcjson1"):
            there = subprocess.run(
                ["dpkg-query", "-W", "-f", "${Version}", name],
                capture_output=True, text=True, check=True).stdout
            self.assertEqual(by_name[name]["version"], there)
            self.assertTrue(by_name[name]["purl"].startswith(
                f"pkg:deb/debian/{name}@"))
        refs = [one["bom-ref"] for one in bom["components"]]
        self.assertEqual(len(refs), len(set(refs)))
        known = {*refs, bom["metadata"]["component"]["bom-ref"]}
        for one in bom["dependencies"]:
            self.assertLessEqual({one["ref"], *one["dependsOn"]}, known)
        # A plugin's library is the plugin's, and not the program's.
        program = next(one["dependsOn"] for one in bom["dependencies"]
                       if one["ref"] == "longstop")
        self.assertFalse([ref for ref in program if "librdkafka" in ref])


class Archive(unittest.TestCase):
    @unittest.skipUnless(shutil.which("cpack"), "no cpack here")
    def test_it_has_all_in_one_folder_named_after_the_version(self):
        place = tempfile.mkdtemp(prefix="longstop-e2e-")
        self.addCleanup(shutil.rmtree, place)
        got = subprocess.run(
            ["cpack", "-G", "TGZ", "-B", place, "--config",
             os.path.join(BUILD, "CPackConfig.cmake"),
             "-DCPACK_STRIP_FILES=OFF", "-DCPACK_CMAKE_GENERATOR="],
            cwd=BUILD, capture_output=True, timeout=300, check=False)
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        (name,) = [one for one in os.listdir(place) if one.endswith(".tar.gz")]
        self.assertRegex(name, r"^longstop-\d+\.\d+\.\d+-\w+\.tar\.gz$")
        with tarfile.open(os.path.join(place, name)) as archive:
            held = set(archive.getnames())
        top = name[:-len(".tar.gz")] + "/"
        for path in ("bin/longstop", "lib/longstop/longstop-provider",
                     "share/longstop/config.schema.json",
                     "share/man/man1/longstop.1",
                     "lib/systemd/system/longstop.service"):
            self.assertIn(top + path, held)
