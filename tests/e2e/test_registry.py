# SPDX-License-Identifier: MIT
"""A provider nobody here wrote: Debian's docker-registry sends batches of
notifications, tries them again, and lists its repositories by Link."""
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import tempfile

import harness
from harness import wait_until

REGISTRY = shutil.which("docker-registry")
CONFIG = """version: 0.1
log: {{level: info}}
storage:
  filesystem: {{rootdirectory: {directory}/images}}
http: {{addr: "127.0.0.1:{port}"}}
notifications:
  endpoints:
    - name: longstop
      url: "http://127.0.0.1:{hooks}/hooks/registry"
      headers: {{X-Registry-Token: ["the registry's token"]}}
      timeout: 2s
      threshold: 3
      backoff: 300ms
"""


class Registry:
    """The registry as a process, and the few requests that fill it."""

    def __init__(self, case, hooks=None):
        self.dir = tempfile.mkdtemp(prefix="longstop-registry-")
        self.port = harness.free_port()
        self.child = None
        self.log = open(os.path.join(self.dir, "log"), "wb")
        case.addCleanup(self.clean_up)
        if hooks is None:
            return  # until it is told by which configuration
        path = os.path.join(self.dir, "config.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(directory=self.dir, port=self.port,
                                     hooks=hooks))
        self.serve(path)

    def serve(self, path):
        self.child = subprocess.Popen([REGISTRY, "serve", path],
                                      stdout=self.log, stderr=self.log,
                                      stdin=subprocess.DEVNULL)
        wait_until(self.is_up, "the registry is up")

    def is_up(self):
        try:
            return self.ask("GET", "/v2/").status == 200
        except OSError:
            return False

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return harness.Answer(reply.status, dict(reply.getheaders()),
                                  reply.read())
        finally:
            connection.close()

    def push(self, name):
        """An image of one empty configuration and no layer."""
        blob = json.dumps({"name": name}).encode()
        digest = "sha256:" + hashlib.sha256(blob).hexdigest()
        began = self.ask("POST", f"/v2/{name}/blobs/uploads/")
        place = began.headers["Location"].split(str(self.port), 1)[1]
        mark = "&" if "?" in place else "?"
        self.ask("PUT", f"{place}{mark}digest={digest}", blob,
                 {"Content-Type": "application/octet-stream"})
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": kind, "layers": [],
            "config": {"mediaType": "application/octet-stream",
                       "size": len(blob), "digest": digest}}).encode()
        put = self.ask("PUT", f"/v2/{name}/manifests/latest", manifest,
                       {"Content-Type": kind})
        assert put.status == 201, put

    def clean_up(self):
        if self.child:
            self.child.kill()
            self.child.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


@harness.unittest.skipUnless(REGISTRY, "docker-registry is not installed")
class DockerRegistry(harness.Case):
    def registry_agent(self, registry, port, hooks=True, poll=True):
        connector = {"use": os.path.join(harness.HERE, "connectors",
                                         "registry.yaml"), "with": {}}
        if hooks:
            connector["with"]["webhook_secret"] = "the registry's token"
        if poll:
            connector["with"]["base"] = registry.url
            connector["poll"] = {"every": "1s"}
        agent = self.agent({"registry": connector})
        agent.port = port
        agent.config["listen"] = {"address": f"127.0.0.1:{port}"}
        agent.write_config()
        return agent

    def registry(self, port):
        registry = Registry(self, port)
        registry.url = f"http://127.0.0.1:{registry.port}"
        return registry

    def pushed(self, agent):
        """Names whose manifest was told to be pushed, in order."""
        return [e["data"]["target"]["repository"] for e in agent.events()
                if e["type"] == "registry.push" and
                "manifest" in e["data"]["target"]["mediaType"]]

    def test_each_event_of_a_batch_is_an_event_of_ours(self):
        port = harness.free_port()
        registry = self.registry(port)
        agent = self.registry_agent(registry, port, poll=False).start()
        names = [f"shop/cat{i}" for i in range(3)]
        for name in names:
            registry.push(name)
        wait_until(lambda: self.pushed(agent) == names, "all pushes")
        events = agent.events()
        self.assertEqual(len({e["id"] for e in events}), len(events))
        self.assertTrue(all(e["time"] for e in events))
        self.assertEqual(events[0]["id"], events[0]["data"]["id"])

    def test_what_was_sent_while_we_were_away_comes_once(self):
        port = harness.free_port()
        registry = self.registry(port)
        agent = self.registry_agent(registry, port, poll=False)
        registry.push("shop/early")
        registry.push("shop/bird")
        agent.start()
        wait_until(lambda: self.pushed(agent) == ["shop/early", "shop/bird"],
                   "its retries")
        # a line is written before its delivery is done, and a kill between the
        # two hands it over again
        agent.wait_metric(0, "pending_deliveries", handler="log")
        agent.kill()
        registry.push("shop/dog")
        agent.start()
        wait_until(lambda: self.pushed(agent)[-1:] == ["shop/dog"], "the dog")
        ids = [e["id"] for e in agent.events()]
        self.assertEqual(len(set(ids)), len(ids))

    def test_the_catalog_is_read_page_by_page_and_each_name_comes_once(self):
        port = harness.free_port()
        registry = self.registry(port)
        names = [f"shop/fish{i}" for i in range(5)]
        for name in names:
            registry.push(name)
        agent = self.registry_agent(registry, port, hooks=False).start()
        self.assertEqual([e["data"] for e in agent.wait_events(5)], names)
        registry.push("shop/zebra")
        events = agent.wait_events(6)
        self.assertEqual((events[5]["data"], events[5]["id"]),
                         ("shop/zebra", "repository:shop/zebra"))

    def test_another_token_is_refused(self):
        port = harness.free_port()
        registry = self.registry(port)
        agent = self.registry_agent(registry, port, poll=False)
        agent.config["connectors"]["registry"]["with"]["webhook_secret"] = \
            "another"
        agent.write_config()
        agent.start()
        registry.push("shop/cat")
        wait_until(lambda: agent.metric("webhook_requests_total",
                                        connector="registry",
                                        outcome="bad_signature") >= 1,
                   "a refusal")
        self.assertEqual(agent.query("SELECT count(*) FROM event"), [(0,)])
