// What the sandbox sends, as both clients check it. (Every other test here checks its deliveries too.)

import assert from 'node:assert/strict';

import { DAY } from '../support/sandbox.js';
import { until } from '../support/until.js';
import { subscribed } from './customers.js';
import { acceptedByBoth } from './signatures.js';
import { OLDER, client, withEachClient, withSandbox } from './versions.js';

const parsed = (deliveries) => deliveries.map(({ body }) => JSON.parse(body));

withEachClient('every event of a life is believed', async (world) => {
  const { stripe, sandbox } = world;
  const { id } = await subscribed(world, 'price_growth_monthly', 1, { subscription_data: { trial_period_days: 14 } });
  await sandbox.advance(20 * DAY);
  await stripe.subscriptions.cancel(id);
  await sandbox.delivered();
  const events = parsed(sandbox.receiver.at('/api/webhooks/stripe'));
  const types = new Set(events.map((event) => event.type));
  for (const type of [
    'checkout.session.completed',
    'customer.created',
    'customer.subscription.created',
    'customer.subscription.deleted',
    'customer.subscription.trial_will_end',
    'customer.subscription.updated',
    'invoice.created',
    'invoice.finalized',
    'invoice.paid',
    'invoice.payment_succeeded',
    'payment_intent.succeeded',
    'payment_method.attached',
  ]) {
    assert.ok(types.has(type), `${type} in ${[...types].sort()}`);
  }
  // What was sent can be read again, for thirty days.
  const listed = await stripe.events.list({ limit: 100 }).autoPagingToArray({ limit: 10_000 });
  assert.deepEqual(new Set(listed.map((event) => event.id)), new Set(events.map((event) => event.id)));
  assert.ok(listed.every((event) => event.pending_webhooks === 0));
});

withSandbox('a retry is signed anew and is the same event', async (sandbox) => {
  const stripe = client(OLDER, sandbox);
  await stripe.customers.create({ email: 'ada@acme.test' });
  await sandbox.delivered();
  const {
    deliveries: [delivery],
  } = await sandbox.do('GET', '/sandbox/deliveries?provider=stripe');
  await sandbox.do('POST', `/sandbox/deliveries/${delivery.id}/resend`);
  const [first, again] = await until('it came again', () => {
    const all = sandbox.receiver.at('/api/webhooks/stripe');
    return all.length === 2 && all;
  });
  assert.equal(JSON.parse(first.body).id, JSON.parse(again.body).id);
});

withSandbox('an endpoint of an older version has a secret and events of its own', async (sandbox) => {
  const stripe = client(OLDER, sandbox);
  const endpoint = await stripe.webhookEndpoints.create({
    url: `${sandbox.receiver.url}/older`,
    enabled_events: ['customer.subscription.created', 'invoice.paid'],
    api_version: OLDER.apiVersion,
  });
  const { id } = await subscribed({ stripe, sandbox });
  await sandbox.delivered();
  const deliveries = sandbox.receiver.at('/older');
  acceptedByBoth(deliveries, endpoint.secret);
  const events = parsed(deliveries);
  assert.deepEqual(events.map((event) => event.type).sort(), ['customer.subscription.created', 'invoice.paid']);
  for (const {
    api_version,
    data: { object },
  } of events) {
    assert.equal(api_version, OLDER.apiVersion);
    assert.equal(object.object === 'invoice' ? object.subscription : object.id, id);
    assert.equal(
      object.object === 'invoice' ? object.paid : object.current_period_end > object.current_period_start,
      true,
    );
  }
  assert.equal((await stripe.webhookEndpoints.retrieve(endpoint.id)).secret, undefined);
  assert.equal((await stripe.webhookEndpoints.del(endpoint.id)).deleted, true);
});

withSandbox('what is sent on demand is believed', async (sandbox) => {
  const events = ['customer.subscription.paused', 'invoice.payment_failed', 'payment_method.detached', 'price.updated'];
  for (const event of events) await sandbox.do('POST', '/sandbox/trigger', { event });
  await sandbox.delivered();
  assert.deepEqual(
    parsed(sandbox.receiver.at('/api/webhooks/stripe'))
      .map((event) => event.type)
      .sort(),
    events,
  );
});
