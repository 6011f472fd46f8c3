// Test clocks: time of its own for some customers.

import assert from 'node:assert/strict';

import { DAY } from '../support/sandbox.js';
import { until } from '../support/until.js';
import { withEachClient } from './versions.js';

const START = Date.UTC(2026, 0, 1) / 1000;

/** Moves a clock, and waits until it is there. */
async function advanced(stripe, clock, frozen_time) {
  const moving = await stripe.testHelpers.testClocks.advance(clock, { frozen_time });
  assert.equal(moving.status, 'advancing');
  return until('the clock is ready', async () => {
    const now = await stripe.testHelpers.testClocks.retrieve(clock);
    return now.status === 'ready' && now;
  });
}

withEachClient('a subscription on a test clock lives in the time of the clock', async ({ stripe, version }) => {
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: START, name: 'January' });
  assert.deepEqual([clock.status, clock.frozen_time], ['ready', START]);
  const customer = await stripe.customers.create({ test_clock: clock.id });
  const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  const made = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: 'price_scale_monthly', quantity: 1 }],
    default_payment_method: card.id,
    trial_period_days: 14,
  });
  assert.deepEqual([made.status, made.created, made.trial_end], ['trialing', START, START + 14 * DAY]);

  const ready = await advanced(stripe, clock.id, START + 14 * DAY + 7200);
  assert.equal(ready.frozen_time, START + 14 * DAY + 7200);
  const paid = await stripe.subscriptions.retrieve(made.id, { expand: ['latest_invoice'] });
  assert.deepEqual([paid.status, version.isPaid(paid.latest_invoice)], ['active', true]);
  // 15 January to 15 February.
  assert.deepEqual(version.period(paid), [START + 14 * DAY, START + (31 + 14) * DAY]);

  const back = stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: START });
  await assert.rejects(back, { type: 'StripeInvalidRequestError', param: 'frozen_time' });
  const far = stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: START + 365 * DAY });
  await assert.rejects(far, { type: 'StripeInvalidRequestError', param: 'frozen_time' });

  // What lives on a clock is only listed where the clock or the customer is named.
  assert.deepEqual((await stripe.subscriptions.list()).data, []);
  assert.equal((await stripe.subscriptions.list({ test_clock: clock.id })).data[0].id, made.id);
  assert.equal((await stripe.subscriptions.list({ customer: customer.id })).data[0].id, made.id);

  const gone = await stripe.testHelpers.testClocks.del(clock.id);
  assert.equal(gone.deleted, true);
  assert.equal((await stripe.customers.retrieve(customer.id)).deleted, true);
});
