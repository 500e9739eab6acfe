# SPDX-License-Identifier: MIT
"""Who may knock at the admin listener: sockets, names, origins, tokens."""
import http.client
import os
import stat
import tempfile

import harness
from harness import wait_until


class Socket(harness.Case):
    def test_the_socket_is_for_its_user_and_group_alone(self):
        agent = self.pet_shop()
        mode = os.stat(agent.socket).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o660)

    def test_unless_named_it_is_in_the_runtime_directory_first(self):
        place = tempfile.mkdtemp(prefix="longstop-e2e-")
        self.addCleanup(harness.shutil.rmtree, place)
        agent = self.agent({"shop": harness.pet_store()})
        del agent.config["admin"]
        agent.write_config()
        for env, folder in (({}, agent.dir), ({"RUNTIME_DIRECTORY": place},
                                              place)):
            agent.env = env
            agent.socket = os.path.join(folder, "admin.sock")
            agent.start()
            self.assertEqual(stat.S_IMODE(os.stat(agent.socket).st_mode),
                             0o660)
            self.assertEqual(agent.command("status", **env).returncode, 0)
            agent.stop()
            self.assertFalse(os.path.exists(agent.socket))

    def test_a_client_of_the_socket_may_call_itself_what_it_likes(self):
        agent = self.pet_shop()
        for host in ("localhost", "hooks.example.com"):
            self.assertEqual(
                agent.admin("/api/v1/status", Host=host).status, 200)


class Loopback(harness.Case):
    def open(self, **admin):
        agent = self.agent({"shop": harness.pet_store()})
        agent.admin_port = harness.free_port()
        agent.config["admin"] = {"address": f"127.0.0.1:{agent.admin_port}",
                                 **admin}
        agent.write_config()
        agent.launch()
        wait_until(lambda: self.ask(agent, "/readyz") == 200, "ready")
        return agent

    def ask(self, agent, path, method="GET", host=None, **fields):
        connection = http.client.HTTPConnection("127.0.0.1",
                                                agent.admin_port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host=host is not None)
            if host:
                connection.putheader("Host", host)
            for name, value in fields.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def test_a_request_under_another_name_is_refused(self):
        agent = self.open()
        for host, status in (
                ("localhost", 200), ("127.0.0.1", 200), ("[::1]:80", 200),
                (f"LOCALHOST:{agent.admin_port}", 200), ("127.9.9.9", 200),
                ("evil.example", 403), ("localhost.evil.example", 403),
                ("127.0.0.1.evil.example", 403),
                (f"evil.example:{agent.admin_port}", 403)):
            for path in ("/api/v1/status", "/metrics", "/livez"):
                self.assertEqual(self.ask(agent, path, host=host), status,
                                 (host, path))

    def test_a_page_of_another_origin_has_no_effect(self):
        agent = self.open()
        path = "/api/v1/connectors/shop/pause"
        ours = f"http://127.0.0.1:{agent.admin_port}"
        for fields in ({"Origin": "http://evil.example"}, {"Origin": "null"},
                       {"Origin": ours.replace("http://", "")},
                       {"Origin": ours + "1"},
                       {"Sec_Fetch_Site": "cross-site", "Origin": ours}):
            self.assertEqual(self.ask(agent, path, "POST", **fields), 403,
                             fields)
        # what only asks may come from a link, and shows the page nothing
        self.assertEqual(self.ask(agent, "/api/v1/status",
                                  Origin="http://evil.example"), 200)
        self.assertEqual(agent.query("SELECT count(*) FROM pause"), [(0,)])
        self.assertEqual(self.ask(agent, path, "POST", Origin=ours), 200)

    def test_a_token_is_asked_for_where_there_is_one(self):
        agent = self.open(token="let me in")
        for path, status in (("/livez", 200), ("/readyz", 200),
                             ("/metrics", 401), ("/api/v1/status", 401)):
            self.assertEqual(self.ask(agent, path), status, path)
        for given, status in (("Bearer let me in", 200),
                              ("Bearer let me", 401), ("Bearer ", 401),
                              ("Basic let me in", 401)):
            self.assertEqual(self.ask(agent, "/metrics",
                                      Authorization=given), status, given)
        self.assertEqual(agent.command("status").returncode, 0)
