// Usage: meters, what is told to them, and what they have counted.

import assert from 'node:assert/strict';

import { aCustomer } from './customers.js';
import { CURRENT, withEachClient } from './versions.js';

withEachClient('usage is counted once for each identifier', async ({ stripe, sandbox, version }) => {
  const customer = await aCustomer(stripe);
  const meter = await stripe.billing.meters.create({
    display_name: 'Calls',
    event_name: 'calls',
    default_aggregation: { formula: 'sum' },
  });
  assert.equal(meter.status, 'active');
  const payload = { stripe_customer_id: customer.id, value: '3' };
  const told = await stripe.billing.meterEvents.create({ event_name: 'calls', payload, identifier: 'one' });
  assert.deepEqual([told.object, told.identifier], ['billing.meter_event', 'one']);
  const again = stripe.billing.meterEvents.create({ event_name: 'calls', payload, identifier: 'one' });
  await assert.rejects(again, { type: 'StripeInvalidRequestError' });
  if (version === CURRENT) {
    const newer = await stripe.v2.billing.meterEvents.create({ event_name: 'calls', payload, identifier: 'two' });
    assert.deepEqual([newer.object, newer.payload], ['v2.billing.meter_event', payload]);
  }

  // Bounds are whole minutes.
  const minute = Math.floor((await sandbox.now()) / 60) * 60;
  const bounds = { customer: customer.id, start_time: minute - 60, end_time: minute + 120 };
  const [summary] = (await stripe.billing.meters.listEventSummaries(meter.id, bounds)).data;
  assert.equal(summary.aggregated_value, version === CURRENT ? 6 : 3);
});
