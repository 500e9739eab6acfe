# SPDX-License-Identifier: MIT
"""What --json prints is what the manual says of it, and the API's document."""
import json
import re

import harness
import openapi
from harness import Hook, iso, row, wait_until
from test_manual import page, plain

BAD = b"POST /hooks/shop HTTP/1.1\r\nHost: a\r\nX-Webhook-Signature: 00\r\n" \
      b"Content-Length: 2\r\n\r\n{}"
# A command, and the operation whose answer it prints.
OF_THE_API = (("status", "status"), ("events", "events"), ("gaps", "gaps"),
              ("dead", "dead"), ("dead --reasons", "deadReasons"),
              ("refusals", "refusals"), ("refusals 1", "refusal"),
              ("keys shop", "keys"), ("errands", "errands"),
              ("show {event}", "event"), ("receivers", "receivers"),
              ("pause log", "pauseHandler"), ("resume log", "resumeHandler"),
              ("replay {event} --handler log --yes", "beginErrand"),
              ("errands 1", "errand"), ("reload", "reload"))


def documented():
    """{command: [member, …]} of the page's list."""
    part = re.search(r"^\.SH DOCUMENTS OF --json\n(.*?)^\.SH ",
                     plain(page("longstop.1")), re.M | re.S).group(1)
    return {head: text.replace("\n", " ") for head, text in re.findall(
        r"\.TP\n(.*)\n((?:[^.].*\n)+)", part)}


def members(text):
    """The names in "a line each time: one, two; each has …"."""
    text = text.split(": ", 1)[-1] if text.startswith("a line") else text
    return re.findall(r"\w+", re.sub(r"\band\b.*|\bor\b.*", "",
                                     text.split(";")[0]))


class Json(harness.Case):
    def setUp(self):
        stamp = iso()
        self.agent_ = self.pet_shop(
            self.provider([row(1, stamp)]), handlers={
                "log": {"file": "events.jsonl"},
                "picky": {"exec": ["/bin/sh", "-c", "exit 65"]}})
        self.agent_.wait_events(1)
        Hook(1, stamp, secret="x").send(self.agent_)
        wait_until(lambda: self.said("refusals")[0]["items"] and
                   self.said("dead")[0]["items"], "all is there")
        with open(self.agent_.path("request"), "wb") as file:
            file.write(BAD)

    def said(self, words):
        """The documents, and the names that stand for what is kept."""
        if "{event}" in words:
            number = self.said("events")[0]["items"][0]["number"]
            words = words.format(event=number)
        got = self.agent_.command(*words.split(), "--json")
        self.assertIn(got.returncode, (0, 1), got)
        text = got.stdout.decode()
        try:
            return [json.loads(text)]
        except ValueError:
            return [json.loads(line) for line in text.splitlines()]

    def test_what_the_agent_answers_is_as_the_apis_document_says(self):
        spec = openapi.Spec()
        of = {operation["operationId"]: operation
              for _, _, operation in spec.operations()}
        for words, name in OF_THE_API:
            good = [at for at in of[name]["responses"] if at.startswith("2")]
            schemas = [spec.resolve(of[name]["responses"][at])["content"]
                       ["application/json"]["schema"] for at in good]
            for document in self.said(words):
                self.assertIn([], [spec.mistakes(document, schema)
                                   for schema in schemas], words)

    def test_all_else_has_the_members_that_the_manual_names(self):
        told = documented()
        for words in ("check", "doctor --offline",
                      f"verify shop {self.agent_.path('request')}",
                      "poll shop", "poll shop --dry-run",
                      "backfill shop --since 1h", "import request", "store check"):
            name = words.split()[0]
            if name == "import":
                with open(self.agent_.path("request"), "wb"):
                    pass  # nothing to import
            for document in self.said(words):
                self.assertEqual(list(document), members(told[name]), words)
        for document in self.said("doctor --offline"):
            for finding in document["findings"]:
                self.assertEqual(list(finding), ["check", "about", "grade",
                                                 "words", "fix"])
        where = "sqlite:" + self.agent_.path("%s.db")
        document = json.loads(harness.longstop(
            "store", "copy", where % "none", where % "copied",
            "--json").stdout)
        self.assertEqual(list(document), members(told["store copy"]))
        self.assertEqual(list(document["tables"][0]), ["table", "rows", "sum"])
        for words in (("version",), ("init", "--list")):
            document = json.loads(harness.longstop(*words, "--json").stdout)
            self.assertEqual(list(document), members(told[" ".join(words)]))


class Told(harness.Case):
    def test_every_command_with_json_is_told_of(self):
        names = {name.split()[0] for head in documented()
                 for name in head.split(", ")}
        listed = harness.longstop("help").stdout.decode()
        for name in re.findall(r"^  ([a-z]+) ", listed.split(
                "commands:\n")[1], re.M):
            told = harness.longstop(name, "--help").stdout
            self.assertEqual(b"--json" in told, name in names, name)
