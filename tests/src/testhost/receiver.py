"""An HTTPS server that refuses its first POSTs and takes the rest; each is a line of JSON in a file.

receiver.py ADDRESS PORT CERTIFICATE KEY SECRET REFUSES FILE
"""

import hashlib
import hmac
import http.server
import json
import ssl
import sys

ADDRESS, PORT, CERTIFICATE, KEY, SECRET, REFUSES, FILE = sys.argv[1:]
seen = 0


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global seen
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 503 if seen < int(REFUSES) else 200
        seen += 1
        parts = dict(part.split("=", 1) for part in self.headers["Jit-Signature"].split(","))
        signed = parts["t"].encode() + b"." + body
        right = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        line = {
            "status": status,
            "delivery": self.headers["Jit-Delivery"],
            "signed": hmac.compare_digest(right, parts["v1"]),
            "event": json.loads(body),
        }
        with open(FILE, "a") as file:
            file.write(json.dumps(line) + "\n")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer((ADDRESS, int(PORT)), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
