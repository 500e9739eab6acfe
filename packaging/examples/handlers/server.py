#!/usr/bin/env python3
"""Serves `unix` handlers: server.py SOCKET FILE."""
import json
import os
import socketserver
import sys


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            event = json.loads(line)
            with open(sys.argv[2], "a", encoding="utf-8") as orders:
                orders.write(json.dumps(event["data"]) + "\n")
            answer = {"id": event["id"], "ok": True}
            self.wfile.write(json.dumps(answer).encode() + b"\n")


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


if os.path.exists(sys.argv[1]):
    os.unlink(sys.argv[1])
Server(sys.argv[1], Connection).serve_forever()
