# SPDX-License-Identifier: MIT
"""The page as it is served, and the rules of its files; without a browser."""
import glob
import gzip
import os
import re

import ground


class Served(ground.Case):
    def parts(self, agent):
        """Paths of the page's parts, the page first."""
        page = agent.admin("/").body.decode()
        folder = re.search(r"/assets/[0-9a-f]{16}/", page)[0]
        names = sorted(os.path.basename(path) for path in
                       glob.glob(os.path.join(ground.FOLDER, "*.[cj]s*")))
        return ["/"] + [folder + name for name in names]

    def test_each_part_is_what_the_folder_has(self):
        agent = self.pet_shop()
        parts = self.parts(agent)
        self.assertGreater(len(parts), 10)
        for path in parts[1:]:
            with open(os.path.join(ground.FOLDER, os.path.basename(path)),
                      "rb") as file:
                wanted = file.read()
            self.assertEqual(agent.admin(path).body, wanted, path)
            packed = agent.admin(path, **{"Accept-Encoding": "gzip"})
            self.assertEqual(packed.headers["Content-Encoding"], "gzip")
            self.assertEqual(gzip.decompress(packed.body), wanted, path)

    def test_all_of_it_is_small(self):
        agent = self.pet_shop()
        sizes = [len(agent.admin(path, **{"Accept-Encoding": "gzip"}).body)
                 for path in self.parts(agent)]
        self.assertLess(sum(sizes), 100_000)

    def test_nothing_may_come_from_elsewhere_or_stand_inline(self):
        agent = self.pet_shop()
        for path in self.parts(agent):
            got = agent.admin(path)
            self.assertEqual(
                got.headers["Content-Security-Policy"],
                "default-src 'none'; script-src 'self'; style-src 'self'; "
                "connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
                "form-action 'none'; frame-ancestors 'none'", path)
            self.assertEqual(got.headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(got.headers["Referrer-Policy"], "no-referrer")

    def test_parts_are_kept_for_good_and_the_page_is_asked_for_anew(self):
        agent = self.pet_shop()
        for path in self.parts(agent):
            got = agent.admin(path)
            self.assertEqual("immutable" in got.headers["Cache-Control"],
                             path != "/")
            again = agent.admin(path,
                                **{"If-None-Match": got.headers["ETag"]})
            self.assertEqual((again.status, again.body), (304, b""), path)
            other = agent.admin(path, **{"If-None-Match": '"another"'})
            self.assertEqual(other.status, 200)

    def test_what_is_of_no_build_is_not_there(self):
        agent = self.pet_shop()
        path = self.parts(agent)[1]
        for wrong in (path.replace(path.split("/")[2], "0" * 16),
                      path + "x", "/assets/app.js", "/assets/",
                      "/assets/../app.js", path + "/app.js"):
            self.assertEqual(agent.admin(wrong).status, 404, wrong)
        got = agent.admin("/", "POST")
        self.assertEqual((got.status, got.headers["Allow"]),
                         (405, "GET, HEAD"))

    def test_the_page_asks_for_no_token_and_its_figures_do(self):
        agent = self.pet_shop(token="a token of sixteen")
        for path in self.parts(agent):
            self.assertEqual(agent.admin(path, Authorization="").status, 200)
        for path in ("/api/v1/status", "/api/v1/stream", "/metrics",
                     "/assets", "//"):
            self.assertEqual(agent.admin(path, Authorization="").status, 401,
                             path)

    def test_a_page_under_another_name_is_refused(self):
        agent = self.pet_shop()
        self.assertEqual(agent.admin("/", Host="evil.example").status, 403)


class Walks(ground.Case):
    def test_the_last_walks_are_told_with_what_they_brought(self):
        provider = self.provider([ground.harness.row(1, ground.harness.iso())])
        agent = self.pet_shop(provider)
        agent.wait_events(1)
        walks = ground.harness.wait_until(
            lambda: self.walks(agent), "a walk has ended")
        brought = [walk for walk in walks if walk["new"] == 1]
        self.assertEqual(len(brought), 1)
        self.assertEqual((brought[0]["tier"], brought[0]["via"],
                          brought[0]["outcome"], brought[0]["walks"]),
                         (0, "poll", "ok", 1))
        self.assertLessEqual(brought[0]["started"], brought[0]["ended"])
        quiet = ground.harness.wait_until(
            lambda: [walk for walk in self.walks(agent) if walk["walks"] > 1],
            "walks that brought nothing are one")
        self.assertEqual(quiet[0]["new"], 0)

    def walks(self, agent):
        got = agent.admin("/api/v1/connectors/shop/walks")
        self.assertEqual(got.status, 200)
        return ground.json.loads(got.body)["items"]


class Files(ground.unittest.TestCase):
    """Rules that a browser would only show when they are broken."""

    def texts(self, *ends):
        for path in sorted(glob.glob(os.path.join(ground.FOLDER, "*"))):
            if path.endswith(ends):
                with open(path, encoding="utf-8") as file:
                    yield os.path.basename(path), file.read()

    def test_no_text_becomes_markup_or_code(self):
        ways = re.compile(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\("
            r"|new Function|createContextualFragment|DOMParser|setHTML|srcdoc"
            r"|javascript:|setAttribute\(\"style\"|import\(")
        for name, text in self.texts(".js"):
            self.assertEqual(ways.findall(text), [], name)

    def test_nothing_is_asked_of_another_host(self):
        for name, text in self.texts(".js", ".css", ".html"):
            hosts = set(re.findall(r"https?://[\w.-]+", text))
            self.assertLessEqual(hosts, {"http://www.w3.org"}, name)
            self.assertNotIn("@import", text)

    def test_the_page_has_nothing_inline(self):
        page = dict(self.texts(".html"))["index.html"]
        self.assertEqual(re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle="
                                    r"|\son\w+=", page), [])

    def test_every_import_is_there_and_every_file_says_its_duty(self):
        names = [name for name, _ in self.texts(".js")]
        imported = {"app.js"}
        for name, text in self.texts(".js"):
            self.assertRegex(text, r"\A// SPDX-License-Identifier: MIT\n// [\w<]",
                             name)
            self.assertLessEqual(
                max(len(line) for line in text.split("\n")), 80, name)
            imported |= set(re.findall(r'(?:from|import)\s+"\./([\w.]+)"',
                                       text))
        self.assertEqual(imported, set(names))

    def test_the_readme_names_every_file(self):
        with open(os.path.join(ground.FOLDER, "README.md"),
                  encoding="utf-8") as file:
            text = file.read()
        for name, _ in self.texts(".js", ".css", ".html"):
            self.assertIn(f"`{name}`", text)
