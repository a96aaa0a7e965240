//! What the document says of the requests that we send: the webhook of every event.

use serde_json::{Value, json};

/// Adds it.
pub(super) fn add(document: &mut Value) {
    let header = |name: &str, about: &str, example: &str| {
        let schema = json!({ "type": "string", "examples": [example] });
        json!({ "name": name, "in": "header", "required": true, "description": about, "schema": schema })
    };
    let example = json!({
        "type": "wallet.opened",
        "timestamp": "2026-01-31T09:30:00.000000Z",
        "data": {
            "v": 1,
            "user_id": "0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a00",
            "account_id": "0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a01",
            "currency": "GBP",
        },
    });
    let body = json!({
        "type": "object",
        "description": "An event. Members may be added.",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": { "type": "string", "description": "The kind of event." },
            "timestamp": { "type": "string", "format": "date-time", "description": "When it was published." },
            "data": { "type": "object", "description": "The facts; docs/EVENTS.md lists those of each kind." },
        },
        "examples": [example],
    });
    document["webhooks"]["event"]["post"] = json!({
        "operationId": "receiveEvent",
        "tags": ["Webhooks"],
        "summary": "An event is posted to a webhook",
        "description": "Signed by Standard Webhooks: HMAC-SHA256 over `webhook-id`, `webhook-timestamp` and the body, with dots between.",
        "security": [],
        "parameters": [
            header("webhook-id", "The event, the same with each attempt.", "1842-17"),
            header("webhook-timestamp", "The time of the attempt, in seconds since 1970.", "1769851800"),
            header("webhook-signature", "`v1,` and base64, for each secret that is good, with spaces between.", "v1,DpjDiUQtqY4KpU+ttsaMN4ufTzLZ/I1uCUwqulcoqnM="),
        ],
        "requestBody": { "required": true, "content": { "application/json": { "schema": body } } },
        "responses": {
            "2XX": { "description": "It was taken." },
            "410": { "description": "The webhook is gone: it is disabled." },
            "4XX": { "description": "It was not taken, and is tried again." },
        },
    });
}
