"""A receiver of webhooks: 204 for what the library of Standard Webhooks verifies with the secret in `file`, else 400.

Usage: receiver.py PORT FILE. The file is read anew for each request."""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

port, file = int(sys.argv[1]), Path(sys.argv[2])


class Receiver(BaseHTTPRequestHandler):
    """Verifies each POST."""

    def do_POST(self):
        """Answers by what the library says."""
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            said = Webhook(file.read_text().strip()).verify(body, dict(self.headers))
            assert said["type"] == json.loads(body)["type"] and said["timestamp"]
            status = 204
        except WebhookVerificationError:
            status = 400
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        """Says nothing."""


HTTPServer(("127.0.0.1", port), Receiver).serve_forever()
