// Usage: meters, what is told to them, and what they have counted.

import assert from 'node:assert/strict';

import { aCustomer } from './customers.js';
import { isThin } from './signatures.js';
import { CURRENT, client, withEachClient, withSandbox } from './versions.js';

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

withSandbox('usage that cannot be counted is reported in a thin event', async (sandbox) => {
  const stripe = client(CURRENT, sandbox);
  const customer = await aCustomer(stripe);
  await stripe.customers.del(customer.id);
  const payload = { stripe_customer_id: customer.id, value: '3' };
  for (const identifier of ['one', 'two', 'three'])
    await stripe.billing.meterEvents.create({ event_name: 'api_calls', payload, identifier });
  await sandbox.delivered();
  const [delivery, ...others] = sandbox.receiver.at('/api/webhooks/stripe').filter(isThin);
  assert.equal(others.length, 2);

  const signed = ({ body, headers }) => [body, headers['stripe-signature'], sandbox.env.STRIPE_WEBHOOK_SECRET];
  const notification = stripe.parseEventNotification(...signed(delivery));
  const type = 'v1.billing.meter.error_report_triggered';
  assert.deepEqual([notification.type, notification.data], [type, undefined]);
  // The signature is right: what each of the two readers refuses is the other kind.
  assert.throws(() => stripe.webhooks.constructEvent(...signed(delivery)), /thin event notification/);
  const [classic] = sandbox.receiver.at('/api/webhooks/stripe').filter((one) => !isThin(one));
  assert.throws(() => stripe.parseEventNotification(...signed(classic)), /Use stripe.webhooks.constructEvent/);

  const { data } = await notification.fetchEvent();
  const [found] = data.reason.error_types;
  assert.deepEqual([data.reason.error_count, found.code], [1, 'meter_event_customer_not_found']);
  const meter = await notification.fetchRelatedObject();
  assert.deepEqual([meter.object, meter.event_name], ['billing.meter', 'api_calls']);

  // Newest first, over as many pages as there are; deliveries arrive in any order.
  const listed = await stripe.v2.core.events.list({ object_id: meter.id, limit: 1 }).autoPagingToArray({ limit: 10 });
  const named = listed.map((event) => event.data.reason.error_types[0].sample_errors[0].request.identifier);
  assert.deepEqual(named, ['three', 'two', 'one']);
  assert.equal((await listed[0].fetchRelatedObject()).id, meter.id);
  const classics = await stripe.events.list({ limit: 100 }).autoPagingToArray({ limit: 100 });
  assert.ok(classics.length > 0 && classics.every((event) => event.type !== type));
});

withEachClient('usage that no meter counts is refused at once', async ({ stripe, sandbox }) => {
  const { id } = await aCustomer(stripe);
  const payload = { stripe_customer_id: id, value: '1' };
  const refused = { type: 'StripeInvalidRequestError', statusCode: 400, param: 'event_name' };
  await assert.rejects(stripe.billing.meterEvents.create({ event_name: 'none', payload }), refused);
  await sandbox.delivered();
  assert.ok(!sandbox.receiver.at('/api/webhooks/stripe').some(isThin));
});
