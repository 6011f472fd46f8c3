// Customers and subscriptions as most tests need them.

import assert from 'node:assert/strict';

/** The cards that the provider documents for tests. */
export const PAYS = '4242424242424242';
export const DECLINED = '4000000000000002';
export const FAILS_LATER = '4000000000000341';
export const CHALLENGED = '4000002760003184';

export const ORGANIZATION = { organizationId: 'org_interop' };

export const aCustomer = (stripe) =>
  stripe.customers.create({ email: 'ada@acme.test', name: 'Acme', metadata: ORGANIZATION });

/** A checkout page for a subscription. */
export function aPage(stripe, customer, price, quantity, more = {}) {
  return stripe.checkout.sessions.create({
    mode: 'subscription',
    customer: customer.id,
    line_items: [{ price, quantity }],
    success_url: 'http://app.invalid/done?session={CHECKOUT_SESSION_ID}',
    cancel_url: 'http://app.invalid/',
    ...more,
  });
}

/** A subscription that somebody paid for at a checkout page. */
export async function subscribed({ stripe, sandbox }, price = 'price_scale_monthly', quantity = 2, more = {}) {
  const customer = await aCustomer(stripe);
  const page = await aPage(stripe, customer, price, quantity, more);
  const { status, body } = await sandbox.pay(page.url, PAYS);
  assert.equal(status, 200, JSON.stringify(body));
  const { subscription } = await stripe.checkout.sessions.retrieve(page.id);
  return stripe.subscriptions.retrieve(subscription);
}
