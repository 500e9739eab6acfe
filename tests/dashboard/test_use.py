# SPDX-License-Identifier: MIT
"""The page in use: by keyboard, behind a token, by who reads it aloud, in both
colours, narrow and wide; and what its buttons do."""
import json

import ground
import harness
from harness import Hook, iso, row, wait_until

ENTER, TAB, ESCAPE, DOWN = "\ue007", "\ue004", "\ue00c", "\ue015"
WIDE, NARROW = (1440, 900), (360, 800)


class Staged(ground.BrowserCase):
    """An agent with something on every screen."""

    def stage(self):
        provider = self.provider([row(1, iso()), row(2, iso())])
        agent = self.pet_shop(provider, handlers={
            "log": {"file": "events.jsonl"},
            "picky": {"exec": ["/bin/sh", "-c", "echo no such customer; "
                               "exit 65"]}})
        agent.wait_events(2)
        ground.orders(2, agent, first=5)
        Hook(9, iso(), secret="another").send(agent)
        wait_until(lambda: json.loads(agent.admin(
            "/api/v1/dead").body)["items"][3:], "four are dead")
        self.number = json.loads(agent.admin(
            "/api/v1/events").body)["items"][0]["number"]
        return agent

    def screens(self):
        return ground.SCREENS + [f"events/{self.number}"]


class Readers(Staged):
    def test_axe_finds_nothing_on_any_screen_in_either_colour(self):
        source = ground.axe_source()
        agent = self.stage()
        self.open(agent)
        self.browser.run(source)
        for path in self.screens():
            self.go(path)
            for size, scheme in ((WIDE, "light"), (NARROW, "dark")):
                self.browser.look(*size, scheme)
                found = self.browser.run_async("""
                    const done = arguments[arguments.length - 1];
                    document.querySelectorAll("details").forEach(
                        each => { each.open = true; });
                    axe.run(document, { resultTypes: ["violations"] }).then(
                        got => done(got.violations.map(each => each.id + ": " +
                            each.nodes.map(node => node.html + " " +
                                node.failureSummary).join("; "))),
                        error => done([String(error)]))""")
                self.assertEqual(found, [], f"#/{path} {scheme}")

    def test_landmarks_headings_and_what_is_said_aloud_are_there(self):
        agent = self.stage()
        self.open(agent)
        for path in self.screens():
            self.go(path)
            self.assertEqual(self.browser.count("main h1"), 1, path)
            self.assertEqual(self.browser.count("nav [aria-current=page]"), 1)
        self.browser.wait("figures are said", """
            return /\\d+ events, \\d+ recovered/.test(figures.textContent)""")
        self.assertEqual(self.browser.run(
            "return figures.getAttribute('aria-live')"), "polite")


class Sizes(Staged):
    def test_no_screen_is_wider_than_its_window_in_either_colour(self):
        agent = self.stage()
        grounds = set()
        self.open(agent)
        for path in self.screens():
            self.go(path)
            for size in (WIDE, NARROW):
                for scheme in ("light", "dark"):
                    self.browser.look(*size, scheme)
                    wide, colour, out = self.browser.run("""
                        const out = [...document.querySelectorAll("main *")]
                            .filter(each => !each.closest(
                                ".rows-grid, .plot, thead, pre, .bar") &&
                                (each.getBoundingClientRect().right >
                                innerWidth || (each.scrollWidth >
                                each.clientWidth + 1 && each.clientWidth)))
                            .map(each => each.outerHTML.slice(0, 120));
                        return [document.documentElement.scrollWidth,
                            getComputedStyle(document.body).backgroundColor,
                            out]""")
                    self.assertLessEqual(wide, size[0], f"#/{path}")
                    self.assertEqual(out, [], f"#/{path} {size}")
                    grounds.add(colour)
        self.assertEqual(len(grounds), 2, "light and dark")

    def test_who_chooses_a_colour_gets_it(self):
        agent = self.pet_shop()
        self.open(agent, "system")
        colour = "return getComputedStyle(document.body).backgroundColor"
        light = self.browser.run(colour)
        self.browser.run("""[...document.querySelectorAll("button")].find(
            each => each.innerText === "Dark").click()""")
        self.assertNotEqual(self.browser.run(colour), light)
        self.open(agent)
        self.assertNotEqual(self.browser.run(colour), light)


class Keyboard(Staged):
    def focus(self):
        return self.browser.run("return document.activeElement.innerText")

    def tab_to(self, text):
        for _ in range(40):
            if self.focus() == text:
                return
            self.browser.press(TAB)
        self.fail(f"no way to {text!r}: {self.focus()!r}")

    def test_an_event_is_replayed_without_a_mouse(self):
        agent = self.pet_shop()
        names = ground.orders(3, agent)
        agent.wait_events(3)
        self.open(agent)
        self.browser.press(TAB)
        self.assertEqual(self.focus(), "Skip to the content")
        self.browser.press("3")
        self.shown(names[0])
        self.browser.run("document.querySelector('.rows-body .row').focus()")
        self.browser.press(DOWN, DOWN, "k")
        self.assertIn(names[1], self.focus())
        self.assertEqual(self.browser.count(".rows-body [tabindex='0']"), 1)
        self.browser.press(ENTER)
        self.shown("Life-line")
        self.tab_to("Replay…")
        self.browser.press(ENTER)
        self.browser.wait("the dialog has the focus", """
            return document.querySelector("dialog")?.contains(
                document.activeElement)""")
        self.tab_to("Replay")
        self.browser.press(ENTER)
        agent.wait_events(4)
        self.assertEqual(agent.events()[3]["id"], agent.events()[1]["id"])
        self.browser.wait("it is said", """
            return /errand \\d+ has begun/.test(said.textContent)""")
        self.assertEqual(self.focus(), "Replay…")

    def test_help_is_a_key_away_and_shortcuts_can_be_switched_off(self):
        agent = self.pet_shop()
        self.open(agent)
        self.browser.press("?")
        self.shown("Switch them off", "dialog")
        self.tab_to("Switch them off")
        self.browser.press(ENTER)
        self.browser.press("3")
        self.assertEqual(self.browser.run("return location.hash"), "#/")
        self.browser.press("?")
        self.shown("Switch them on", "dialog")
        self.browser.press(ESCAPE)
        self.browser.wait("it is closed",
                          "return !document.querySelector('dialog')")

    def test_who_writes_in_a_filter_does_not_leave_the_screen(self):
        agent = self.pet_shop()
        ground.orders(1, agent)
        self.open(agent, "events")
        self.browser.press("/")
        self.browser.press(*"order.1", ENTER)
        self.browser.wait("the filter is in the address", """
            return location.hash === "#/events?type=order.1" """)
        self.shown("No event meets these filters.")


class System(ground.BrowserCase):
    def test_the_configuration_is_read_again_or_the_one_before_goes_on(self):
        agent = self.pet_shop()
        self.forgiven = ("422 (",)
        self.open(agent, "system")
        agent.config["handlers"]["second"] = {"file": "second.jsonl"}
        agent.write_config()
        script = """[...document.querySelectorAll("main button")].find(
            each => each.innerText === "Read it again").click()"""
        self.browser.run(script)
        self.shown("no mistake", ".agent pre")
        self.go("handlers")
        self.shown("second")
        agent.config["handlers"]["second"] = {"nowhere": "second.jsonl"}
        agent.write_config()
        self.go("system")
        self.browser.run(script)
        self.shown("The one before goes on", ".agent pre")


class Token(ground.BrowserCase):
    TOKEN = "a token of sixteen"

    def setUp(self):
        super().setUp()
        self.forgiven = ("401 (Unauthorized)",)

    def enter(self, token):
        self.browser.wait("the form", "return document.querySelector('#token')")
        self.browser.run("""
            const input = document.querySelector("#token");
            input.value = arguments[0];
            input.form.requestSubmit()""", token)

    def test_it_is_asked_for_once_and_kept_in_the_tab(self):
        agent = self.pet_shop(token=self.TOKEN)
        ground.orders(1, agent)
        self.browser.open(agent.url)
        self.enter("a wrong one")
        self.browser.wait("asked again", """
            const input = document.querySelector("#token");
            return input && input.value === "" """)
        self.enter(self.TOKEN)
        self.wait_figure("Events", "1")
        self.browser.wait("the stream too",
                          "return live.dataset.state === 'live'")
        self.browser.open("about:blank")
        self.browser.open(agent.url)
        self.wait_figure("Events", "1")
        self.assertEqual(self.browser.run(
            "return [localStorage.length, document.cookie]")[1], "")
        self.assertNotIn("token", self.browser.run("return location.href"))
        self.assertFalse(any("sixteen" in url
                             for url in self.browser.requests()))


class Buttons(ground.BrowserCase):
    def click(self, text, within="main"):
        self.browser.wait(f"a button {text!r}", """
            const [text, within] = arguments;
            const button = [...document.querySelectorAll(`${within} button`)]
                .find(each => each.innerText === text);
            button?.click();
            return Boolean(button)""", text, within)

    def test_dead_letters_are_grouped_by_cause_and_tried_again(self):
        agent = self.pet_shop()
        agent.stop()
        picky = agent.script("picky", 'test -e fixed || { echo "$0"; exit 65; }'
                             "; cat > /dev/null\n")
        slow = agent.script("slow", "exit 66\n")
        agent.config["handlers"] = {
            "picky": {"exec": [picky]},
            "slow": {"exec": [slow], "retry": {"attempts": 1}}}
        agent.cwd = agent.dir
        agent.write_config()
        agent.start()
        ground.orders(3, agent)
        wait_until(lambda: len(json.loads(agent.admin(
            "/api/v1/dead").body)["items"]) == 6, "six are dead")
        self.open(agent, "dead")
        self.shown("6 in 2 groups")
        self.shown("exit 65")
        with open(agent.path("fixed"), "w", encoding="utf-8"):
            pass
        self.browser.run("""[...document.querySelectorAll(".group")].find(
            each => each.innerText.includes("exit 65")).querySelector(
            "button.main").click()""")
        self.shown("3 deliveries are concerned", "dialog")
        self.click("Retry", "dialog")
        self.shown("3 in 1 group")
        self.shown("done", ".errands")
        self.click("Drop…")
        self.click("Drop", "dialog")
        self.shown("No dead letter.")

    def test_a_group_whose_words_stand_in_another_says_how_many_more(self):
        agent = self.pet_shop()
        agent.stop()
        picky = agent.script("picky", 'test -e "$0.one" && exit 12\n'
                             ': > "$0.one"; exit 1\n')
        agent.config["handlers"] = {"picky": {
            "exec": [picky], "retry": {"attempts": 1}, "concurrency": 1}}
        agent.write_config()
        agent.start()
        ground.orders(2, agent)
        wait_until(lambda: len(json.loads(agent.admin(
            "/api/v1/dead").body)["items"]) == 2, "two are dead")
        self.open(agent, "dead")
        self.shown("2 in 2 groups")
        self.browser.run("""[...document.querySelectorAll(".group")].find(
            each => each.querySelector("h2").innerText === "exit 1")
            .querySelector("button.main").click()""")
        self.shown("2 deliveries are concerned: 1 more than are in this group",
                   "dialog")

    def test_one_dead_letter_is_dropped_from_its_event(self):
        agent = self.pet_shop(handlers={"picky": {
            "exec": ["/bin/sh", "-c", "exit 65"]}})
        ground.orders(1, agent)
        got = wait_until(lambda: json.loads(agent.admin(
            "/api/v1/dead").body)["items"], "it is dead")
        self.open(agent, f"events/{got[0]['number']}")
        self.shown("the handler refused it for good", ".life")
        self.click("Drop…")
        self.click("Drop it", "dialog")
        self.browser.wait("it is gone", """
            return !document.querySelector(".life .open")""")

    def test_a_handler_is_paused_with_a_reason_and_resumed(self):
        agent = self.pet_shop()
        self.open(agent, "handlers")
        self.click("Pause…")
        self.browser.run("document.querySelector('dialog input').value ="
                         "'it rains'")
        self.click("Pause", "dialog")
        self.shown("paused: it rains")
        self.open(agent)
        self.shown("paused: it rains", ".needs")
        self.open(agent, "handlers")
        self.click("Resume")
        self.shown("well")

    def test_a_list_is_polled_and_refusals_are_told_with_their_cause(self):
        provider = self.provider()
        agent = self.pet_shop(provider, poll={"every": "1h"})
        Hook(1, iso(), secret="another").send(agent)
        agent.wait_metric(1, "poll_runs_total", connector="shop", outcome="ok")
        provider.rows = [row(1, iso())]
        self.open(agent, "connectors/shop")
        self.shown("matches no secret", ".refused")
        self.click("Poll now")
        self.browser.wait("it is said", """
            return said.textContent.includes("1 new, 0 known")""")
        self.open(agent, "refusals")
        self.shown("1 bad signature", ".causes")
        self.click("Head")
        self.shown("POST /hooks/shop", "td pre")

    def test_an_open_gap_is_named_and_closed(self):
        agent = self.pet_shop(self.provider())
        agent.stop()
        connection = harness.sqlite3.connect(agent.path("longstop.db"))
        with connection:
            connection.execute(
                "INSERT INTO gap(connector,kind,from_ms,to_ms,found_ms) SELECT "
                "id,1,1000,2000,3000 FROM name WHERE kind=1")
        connection.close()
        agent.start()
        self.open(agent)
        self.shown("1 open gap", ".needs")
        self.open(agent, "connectors/shop")
        self.click("Close…")
        self.click("Close it", "dialog")
        self.shown("closed by operator", ".gaps")
