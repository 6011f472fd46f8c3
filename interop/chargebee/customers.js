// Customers and subscriptions as most tests need them.

import assert from 'node:assert/strict';

/** The cards that the provider documents for its test gateway. */
export const PAYS = '4111 1111 1111 1111';
export const DECLINED = '4119 8627 6033 8320';
export const FAILS_LATER = '4005 5192 0000 0004';

export const ORGANIZATION = 'org_interop';

/** The customer of the organization, as provisioning makes it. */
export async function aCustomer(chargebee, more = {}, headers) {
  const wish = {
    id: ORGANIZATION,
    company: 'Acme',
    email: 'ada@acme.test',
    preferred_currency_code: 'USD',
    meta_data: { organizationId: ORGANIZATION, customerType: 'organization' },
    ...more,
  };
  return (await chargebee.customer.create(wish, headers)).customer;
}

/** A checkout page for a subscription of that customer. */
export async function aPage({ chargebee, sandbox }, price, quantity, more = {}) {
  const { hosted_page } = await chargebee.hostedPage.checkoutNewForItems({
    subscription_items: [{ item_price_id: price, quantity }],
    subscription: { id: 'tks_interop', trial_end: 0 },
    customer: { id: ORGANIZATION },
    card: { gateway_account_id: sandbox.env.CHARGEBEE_GATEWAY_ACCOUNT_ID },
    redirect_url: 'http://app.invalid/done?subscriptionId=tks_interop',
    cancel_url: 'http://app.invalid/cancelled',
    pass_thru_content: JSON.stringify({ subscriptionId: 'tks_interop' }),
    ...more,
  });
  return hosted_page;
}

/** A subscription that was bought at a checkout page. */
export async function subscribed(world, price = 'scale-plan-monthly', quantity = 3, more = {}, card = PAYS) {
  await aCustomer(world.chargebee);
  const page = await aPage(world, price, quantity, more);
  const paid = await world.sandbox.pay(page.url, card);
  assert.equal(paid.status, 200, JSON.stringify(paid.body));
  return (await world.chargebee.subscription.retrieve('tks_interop')).subscription;
}

/** The quantity of a plan. */
export const seats = ({ subscription_items }) => subscription_items.find((item) => item.item_type === 'plan').quantity;
