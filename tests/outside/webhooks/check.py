"""Makes a webhook at a receiver, and sees to it that the receiver's library takes what is signed right, and nothing else.

Usage: check.py API KEY RECEIVER FILE, where the file is what the receiver reads its secret from."""

import base64
import json
import sys
import time
import urllib.request
from pathlib import Path

api, key, receiver, file = sys.argv[1:5]


def ask(method, path, body=None):
    """The answer of the API."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json", "if-match": "*"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{api}/api/v1/{path}", data=data, method=method, headers=headers)
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def first_answer(webhook):
    """The status that the receiver gives to a test event, at its first attempt."""
    delivery = ask("POST", f"webhooks/{webhook}/test")["id"]
    for _ in range(1200):
        attempts = ask("GET", f"webhook-deliveries/{delivery}")["attempts"]
        if attempts:
            return attempts[0].get("status"), attempts[0].get("error")
        time.sleep(0.05)
    raise SystemExit("no attempt within a minute")


def expect(what, webhook, secret, status):
    """Says so, or ends with an error."""
    Path(file).write_text(secret)
    got, error = first_answer(webhook)
    if got != status:
        raise SystemExit(f"{what}: {got} ({error}) and not {status}")
    print(f"   {what}: {got}")


made = ask("POST", "webhooks", {"url": receiver})
expect("the secret", made["id"], made["secret"], 204)
expect("another secret", made["id"], "whsec_" + base64.b64encode(b"x" * 32).decode(), 400)
rotated = ask("POST", f"webhooks/{made['id']}/secret")
expect("the new secret after a rotation", made["id"], rotated["secret"], 204)
expect("the old secret after a rotation", made["id"], made["secret"], 204)
ask("DELETE", f"webhooks/{made['id']}")
