// What both clients must say about a delivery.

import assert from 'node:assert/strict';

import Stripe from 'stripe';
import Stripe2024 from 'stripe-2024';

const CLIENTS = [Stripe, Stripe2024].map((Client) => new Client('sk_test_only_webhooks'));

/** Both clients believe these deliveries, and neither believes any of them with one byte changed. */
export function acceptedByBoth(deliveries, secret) {
  for (const { webhooks } of CLIENTS) {
    for (const { body, headers } of deliveries) {
      const signature = headers['stripe-signature'];
      const event = webhooks.constructEvent(body, signature, secret);
      assert.equal(event.object, 'event');
      const changed = Buffer.from(body);
      changed[changed.length >> 1] ^= 1;
      const refused = { type: 'StripeSignatureVerificationError' };
      assert.throws(() => webhooks.constructEvent(changed, signature, secret), refused);
      assert.throws(() => webhooks.constructEvent(body, signature, `${secret}x`), refused);
    }
  }
}
