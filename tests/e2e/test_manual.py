# SPDX-License-Identifier: MIT
"""The manual and the completions, as man and the shells take them, installed."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import BUILD, longstop

PAGES = ("longstop.1", "longstop.yaml.5", "longstop-connectors.7")

# Sources the script, sets what the shell would, and says what it was given.
BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_longstop
printf '%s\\n' "${COMPREPLY[@]}"
"""


def have(*programs):
    """Skips a test where one of the programs is not there."""
    missing = [name for name in programs if not shutil.which(name)]
    return unittest.skipIf(missing, f"no {', '.join(missing)} here")


def run(*words, stdin=b"", **more):
    return subprocess.run(words, input=stdin, capture_output=True, timeout=120,
                          check=False, **more)


def page(name):
    got = longstop("manual", name)
    assert got.returncode == 0, got.stderr
    return got.stdout


def plain(source):
    """What is left of a page's text without its fonts and escapes."""
    text = re.sub(r"\\f[BIR]|\\&", "", source.decode())
    return text.replace("\\-", "-").replace("\\(aq", "'")


def keys_of(schema, root):
    """The paths of a schema as the manual writes them."""
    def walk(node, path, open_nodes):
        for form in node.get("anyOf", ()):
            yield from walk(form, path, open_nodes)
        if "$ref" in node:
            name = node["$ref"].rsplit("/", 1)[1]
            if name in open_nodes:
                return
            yield from walk(root["definitions"][name], path,
                            open_nodes | {name})
        for key, value in node.get("properties", {}).items():
            yield path + key
            yield from walk(value, path + key + ".", open_nodes)
        if isinstance(node.get("additionalProperties"), dict):
            yield from walk(node["additionalProperties"], path + "NAME.",
                            open_nodes)
    return set(walk(schema, "", frozenset()))


class Manual(unittest.TestCase):
    @have("mandoc")
    def test_mandoc_has_nothing_to_say_but_that_no_date_is_there(self):
        for name in PAGES:
            got = run("mandoc", "-Tlint", "-W", "warning", stdin=page(name))
            said = [line for line in got.stdout.decode().splitlines()
                    if "missing date" not in line]
            self.assertEqual(said, [], name)

    @have("groff")
    def test_groff_typesets_each_page_without_a_warning(self):
        for name in PAGES:
            got = run("groff", "-man", "-ww", "-z", "-Tutf8", "-Kutf8",
                      stdin=page(name))
            self.assertEqual((got.returncode, got.stderr), (0, b""), name)

    def test_each_command_and_each_option_of_its_help_has_its_place(self):
        text = plain(page("longstop.1"))
        listed = longstop("help").stdout.decode().split("commands:\n")[1]
        names = re.findall(r"^  ([a-z]+) ", listed, re.M)
        self.assertGreater(len(names), 20)
        for name in names:
            part = re.search(rf"^\.SS longstop {name}\b.*?(?=^\.S)", text,
                             re.M | re.S)
            self.assertIsNotNone(part, name)
            told = longstop(name, "--help").stdout.decode()
            for option in re.findall(r"^  .{4}--([a-z-]+)", told, re.M):
                if option != "help":
                    self.assertIn(f"--{option}", part.group(0), name)

    def test_each_key_of_the_schemas_has_its_place(self):
        for kind, name in (("config", PAGES[1]), ("connector", PAGES[2])):
            schema = json.loads(longstop("schema", kind).stdout)
            text = plain(page(name))
            # The first have the other page; the last is a form besides, which
            # its key's sentence tells of.
            wanted = {key for key in keys_of(schema, schema)
                      if not key.startswith("connectors.")} - {"verify.use"}
            heads = set(re.findall(r"[\w.]+", " ".join(
                re.findall(r"^\.TP\n(.*)$", text, re.M))))
            self.assertGreater(len(wanted), 50)
            self.assertEqual(wanted - heads, set(), name)

    def test_a_page_that_is_not_there_is_2_and_names_those_that_are(self):
        got = longstop("manual", "longstop.8")
        self.assertEqual(got.returncode, 2)
        self.assertIn(b"longstop-connectors.7", got.stderr)
        self.assertEqual(longstop("completion", "tcsh").returncode, 2)


class Completion(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="longstop-e2e-")
        self.addCleanup(shutil.rmtree, self.dir)

    def script(self, shell):
        path = os.path.join(self.dir, shell)
        with open(path, "wb") as file:
            file.write(longstop("completion", shell).stdout)
        return path

    def test_bash_completes_commands_options_files_and_choices(self):
        script = self.script("bash")
        open(os.path.join(self.dir, "shop one.yaml"), "w",
             encoding="utf-8").close()
        for words, wanted in (
                (["ver"], ["verify", "version"]),
                (["run", "--ver"], ["--verbose"]),
                (["run", "-c", "shop"], ["shop one.yaml"]),
                (["run", "--config", "shop"], ["shop one.yaml"]),
                (["run", "--config", "=", "shop"], ["shop one.yaml"]),
                (["run", "--log-format", ""], [""]),
                (["verify", "--at", ""], [""]),
                (["verify", "x", "shop"], ["shop one.yaml"]),
                (["schema", "con"], ["config", "connector"]),
                (["schema", "--"], ["--help"]),
                (["nothing", ""], [""])):
            got = run("bash", "-c", BASH, "-", script, "longstop", *words,
                      cwd=self.dir)
            self.assertEqual(got.stderr, b"", words)
            self.assertEqual(got.stdout.decode()[:-1].split("\n"), wanted,
                             words)

    def options(self):
        """{command: its options}, as its help has them."""
        listed = longstop("help").stdout.decode().split("commands:\n")[1]
        return {name: set(re.findall(
            r"^  .{4}--([a-z-]+)", longstop(name, "--help").stdout.decode(),
            re.M)) for name in re.findall(r"^  ([a-z]+) ", listed, re.M)}

    def test_bash_knows_every_command_and_every_option(self):
        script = self.script("bash")
        for name, options in self.options().items():
            got = run("bash", "-c", BASH, "-", script, "longstop", name, "--")
            self.assertEqual(set(got.stdout.decode().split()),
                             {"--" + option for option in options}, name)

    def test_zsh_and_fish_know_every_command_and_every_option(self):
        with open(self.script("zsh"), encoding="utf-8") as file:
            blocks = dict(re.findall(r"^    ([a-z]+)\)\n(.*?)^        ;;",
                                     file.read(), re.M | re.S))
        with open(self.script("fish"), encoding="utf-8") as file:
            fish = file.read()
        for name, options in self.options().items():
            self.assertEqual(set(re.findall(r"--([a-z][a-z-]+)(?==?['},\[])",
                                            blocks[name])) - {"help"},
                             options - {"help"}, name)
            self.assertIn(f"__fish_use_subcommand -a {name} ", fish)
            lines = [line for line in fish.splitlines()
                     if f"__fish_seen_subcommand_from {name}" in line]
            self.assertEqual({word for line in lines for word in re.findall(
                r" -l ([a-z-]+)", line)} - {"help"}, options - {"help"}, name)

    @have("fish")
    def test_fish_completes_commands_options_and_choices(self):
        script = self.script("fish")
        env = {**os.environ, "HOME": self.dir, "XDG_CONFIG_HOME": self.dir}
        for line, wanted in (
                ("longstop ver", ["verify", "version"]),
                ("longstop run --ver", ["--verbose"]),
                ("longstop schema con", ["config", "connector"]),
                ("longstop poll ", [])):
            got = run("fish", "--no-config", "-c",
                      f"source {script}; complete -C '{line}'", env=env)
            self.assertEqual(got.stderr, b"", line)
            self.assertEqual([each.split("\t")[0] for each
                              in got.stdout.decode().splitlines()],
                             wanted, line)

    @have("zsh")
    def test_zsh_takes_the_script(self):
        got = run("zsh", "-n", self.script("zsh"))
        self.assertEqual((got.returncode, got.stderr), (0, b""))


class Installed(unittest.TestCase):
    @have("cmake")
    def test_pages_and_completions_are_where_they_are_looked_for(self):
        place = tempfile.mkdtemp(prefix="longstop-e2e-")
        self.addCleanup(shutil.rmtree, place)
        got = run("cmake", "--install", BUILD, "--prefix", place)
        self.assertEqual(got.returncode, 0, got.stderr)
        for path in ("bin/longstop", "lib/longstop/longstop-provider",
                     "share/longstop/config.schema.json",
                     "lib/systemd/system/longstop.service",
                     "share/doc/longstop/examples/longstop.yaml",
                     "share/man/man1/longstop.1",
                     "share/man/man5/longstop.yaml.5",
                     "share/man/man7/longstop-connectors.7",
                     "share/bash-completion/completions/longstop",
                     "share/zsh/vendor-completions/_longstop",
                     "share/fish/vendor_completions.d/longstop.fish"):
            self.assertGreater(os.path.getsize(os.path.join(place, path)), 99)
        with open(os.path.join(place, "share/man/man1/longstop.1"),
                  "rb") as file:
            self.assertEqual(file.read(), page("longstop.1"))
