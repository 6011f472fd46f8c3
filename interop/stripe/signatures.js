// What both clients must say about a delivery.

import assert from 'node:assert/strict';

import Stripe from 'stripe';
import Stripe2024 from 'stripe-2024';

const CLIENTS = [Stripe, Stripe2024].map((Client) => new Client('sk_test_only_webhooks'));

/** Whether a delivery only names what it is about. */
export const isThin = ({ body }) => JSON.parse(body).object === 'v2.core.event';

/** Today's client has a reader of its own for thin events; the older one knows nothing of them, and reads any event. */
const reader = (client, delivery) =>
  isThin(delivery) && client.parseEventNotification
    ? (...signed) => client.parseEventNotification(...signed)
    : (...signed) => client.webhooks.constructEvent(...signed);

/** Both clients believe these deliveries, and neither believes any of them with one byte changed. */
export function acceptedByBoth(deliveries, secret) {
  for (const client of CLIENTS) {
    for (const delivery of deliveries) {
      const { body, headers } = delivery;
      const signature = headers['stripe-signature'];
      const read = reader(client, delivery);
      assert.equal(read(body, signature, secret).object, isThin(delivery) ? 'v2.core.event' : 'event');
      const changed = Buffer.from(body);
      changed[changed.length >> 1] ^= 1;
      const refused = { type: 'StripeSignatureVerificationError' };
      assert.throws(() => read(changed, signature, secret), refused);
      assert.throws(() => read(body, signature, `${secret}x`), refused);
    }
  }
}
