#!/usr/bin/env python3
"""Takes signed deliveries on a unix socket: receiver.py SOCKET FILE."""
import base64
import hashlib
import hmac
import http.server
import os
import socketserver
import sys
import time

KEY = base64.b64decode("bm90IGEgc2VjcmV0IGVpdGhlcg==")
TOLERANCE = 300  # seconds: an older request is somebody's replay


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps the connection

    def is_genuine(self, body):
        stamp = self.headers["webhook-timestamp"]
        signed = f"{self.headers['webhook-id']}.{stamp}.".encode() + body
        mac = hmac.new(KEY, signed, hashlib.sha256).digest()
        expected = "v1," + base64.b64encode(mac).decode()
        return (abs(time.time() - int(stamp)) < TOLERANCE and any(
            hmac.compare_digest(expected, signature) for signature in
            self.headers["webhook-signature"].split()))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        genuine = self.is_genuine(body)
        if genuine:
            with open(sys.argv[2], "ab") as orders:
                orders.write(body + b"\n")
        self.send_response(204 if genuine else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


if os.path.exists(sys.argv[1]):
    os.unlink(sys.argv[1])
Server(sys.argv[1], Receiver).serve_forever()
