# SPDX-License-Identifier: MIT
"""The admin listener: who may ask, what is there, and what it answers."""
import json

import harness


class Routes(harness.Case):
    def test_a_path_that_is_not_there_is_a_problem_in_words(self):
        agent = self.pet_shop()
        got = agent.admin("/api/v1/nothing")
        self.assertEqual(got.status, 404)
        self.assertEqual(got.headers["Content-Type"],
                         "application/problem+json")
        self.assertEqual(json.loads(got.body)["status"], 404)

    def test_a_wrong_method_is_told_which_ones_there_are(self):
        agent = self.pet_shop()
        for path, method, allow in (
                ("/livez", "POST", "GET, HEAD"),
                ("/api/v1/connectors/shop/poll", "GET", "POST")):
            got = agent.admin(path, method)
            self.assertEqual(got.status, 405)
            self.assertEqual(got.headers["Allow"], allow)

    def test_a_page_of_another_origin_changes_nothing(self):
        agent = self.pet_shop()
        path = "/api/v1/connectors/nobody/poll"
        for fields, status in (
                ({"Origin": "http://evil.example"}, 403),
                ({"Origin": "null"}, 403),
                ({"Sec-Fetch-Site": "cross-site"}, 403),
                ({"Sec-Fetch-Site": "same-site"}, 403),
                # the dashboard's own, and a program's, reach the route
                ({"Origin": "http://localhost",
                  "Sec-Fetch-Site": "same-origin"}, 404),
                ({}, 404)):
            got = agent.admin(path, "POST", **fields)
            self.assertEqual(got.status, status, fields)
        self.assertEqual(
            agent.admin("/livez", Origin="http://evil.example").status, 200)
