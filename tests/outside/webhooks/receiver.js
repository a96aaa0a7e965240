// A receiver of webhooks: 204 for what the library of Standard Webhooks verifies with the secret in the file, else 400.
// Usage: receiver.js PORT FILE. The file is read anew for each request.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const [port, file] = process.argv.slice(2);

createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  try {
    const secret = readFileSync(file, "utf8").trim();
    const said = new Webhook(secret).verify(Buffer.concat(pieces).toString(), request.headers);
    response.writeHead(said.type && said.timestamp ? 204 : 500).end();
  } catch (error) {
    response.writeHead(400).end(String(error));
  }
}).listen(Number(port), "127.0.0.1");
