// What Chargebee's client must say about a delivery.

import assert from 'node:assert/strict';

import Chargebee, { WebhookAuthenticationError, WebhookEventType, basicAuthValidator } from 'chargebee';

export const PATH = '/api/webhooks/chargebee';

const KNOWN = new Set(Object.values(WebhookEventType));

/** A handler as the client's own documentation has it. */
function handler(username, password) {
  const { webhooks } = new Chargebee({ site: 'acme-test', apiKey: 'none' });
  return webhooks.createHandler({
    requestValidator: basicAuthValidator((user, secret) => user === username && secret === password),
  });
}

/** The event of a delivery, as a handler hands it on; rejects where it refuses. */
function handled(receiver, { body, headers }) {
  return new Promise((resolve, reject) => {
    receiver.removeAllListeners();
    receiver.on('unhandled_event', ({ event }) => resolve(event));
    receiver.on('error', reject);
    receiver.handle({ body: body.toString(), headers }).catch(reject);
  });
}

/** The client believes everything that the sandbox sent, and nobody who has another password. Answers the events. */
export async function believed({ receiver, env }) {
  const { CHARGEBEE_WEBHOOK_USERNAME: username, CHARGEBEE_WEBHOOK_PASSWORD: password } = env;
  const [ours, strict] = [handler(username, password), handler(username, `${password}x`)];
  const events = [];
  for (const delivery of receiver.at(PATH)) {
    const event = await handled(ours, delivery);
    assert.ok(KNOWN.has(event.event_type), event.event_type);
    await assert.rejects(handled(strict, delivery), WebhookAuthenticationError);
    events.push(event);
  }
  return events;
}
