// What the sandbox tells, as the client's own handler takes it. (Every other test here checks its deliveries too.)

import assert from 'node:assert/strict';

import { WebhookEventType } from 'chargebee';

import { DAY } from '../support/sandbox.js';
import { until } from '../support/until.js';
import { everythingIsTyped, withSandbox } from './client.js';
import { FAILS_LATER, ORGANIZATION, subscribed } from './customers.js';
import { PATH } from './deliveries.js';

const parsed = (deliveries) => deliveries.map(({ body }) => JSON.parse(body));

withSandbox('every event of a life is told, and can be read again', async (world) => {
  const { chargebee, sandbox } = world;
  const begin = await sandbox.now();
  const trial_end = begin + 14 * DAY;
  await subscribed(world, 'growth-plan-monthly', 1, { subscription: { id: 'tks_interop', trial_end } });
  await sandbox.advance(14 * DAY + 3600);
  const { hosted_page } = await chargebee.hostedPage.managePaymentSources({ customer: { id: ORGANIZATION } });
  await sandbox.pay(hosted_page.url, FAILS_LATER);
  await sandbox.advance(40 * DAY);
  await chargebee.subscription.cancelForItems('tks_interop', { cancel_option: 'immediately' });
  await chargebee.customer.delete(ORGANIZATION);
  await sandbox.delivered();
  const told = parsed(sandbox.receiver.at(PATH));
  const types = new Set(told.map((event) => event.event_type));
  for (const type of [
    'customer_created',
    'customer_deleted',
    'dunning_updated',
    'invoice_generated',
    'payment_failed',
    'payment_source_added',
    'payment_succeeded',
    'subscription_activated',
    'subscription_cancelled',
    'subscription_created',
    'subscription_renewed',
    'subscription_trial_end_reminder',
  ]) {
    assert.ok(types.has(type), `${type} in ${[...types].sort()}`);
  }
  // The same events in the provider's list, which is how a gap is filled.
  const listed = [];
  let offset;
  do {
    const params = { limit: 100, 'sort_by[asc]': 'occurred_at', occurred_at: { after: begin - 1 } };
    const page = await chargebee.event.list({ ...params, ...(offset && { offset }) });
    listed.push(...page.list.map(({ event }) => event));
    offset = page.next_offset;
  } while (offset);
  assert.deepEqual(new Set(listed.map(({ id }) => id)), new Set(told.map(({ id }) => id)));
  assert.ok(listed.every((event) => event.webhook_status === 'succeeded'));
  const instants = listed.map((event) => event.occurred_at);
  assert.deepEqual(instants, instants.toSorted((a, b) => a - b));
  const { event } = await chargebee.event.retrieve(told[0].id);
  assert.deepEqual(event.content, told[0].content);
  const wanted = { event_type: { in: ['subscription_created', 'customer_deleted'] }, limit: 100 };
  const few = (await chargebee.event.list(wanted)).list.map((entry) => entry.event.event_type);
  assert.deepEqual(few.sort(), ['customer_deleted', 'subscription_created']);
});

withSandbox('later news of one subscription has the higher version', async (world) => {
  const { chargebee, sandbox } = world;
  await subscribed(world);
  for (const option of ['end_of_term', undefined]) {
    if (option) await chargebee.subscription.cancelForItems('tks_interop', { cancel_option: option });
    else await chargebee.subscription.removeScheduledCancellation('tks_interop');
  }
  await sandbox.delivered();
  const events = parsed(sandbox.receiver.at(PATH));
  const version = (type) => events.find((event) => event.event_type === type).content.subscription.resource_version;
  const versions = ['created', 'cancellation_scheduled', 'scheduled_cancellation_removed'].map((type) =>
    version(`subscription_${type}`),
  );
  assert.ok(versions[0] < versions[1] && versions[1] < versions[2], versions.join());
  const { subscription } = await chargebee.subscription.retrieve('tks_interop');
  assert.equal(subscription.resource_version, versions[2]);
});

withSandbox('a delivery that comes again is the same', async ({ chargebee, sandbox }) => {
  await chargebee.customer.create({ company: 'Acme' });
  await sandbox.delivered();
  const { deliveries } = await sandbox.do('GET', '/sandbox/deliveries?provider=chargebee');
  await sandbox.do('POST', `/sandbox/deliveries/${deliveries[0].id}/resend`);
  const [first, again] = await until('it came again', () => {
    const all = sandbox.receiver.at(PATH);
    return all.length === 2 && all;
  });
  assert.equal(JSON.parse(first.body).id, JSON.parse(again.body).id);
});

withSandbox('what is sent on demand is of the types of the client', async (world) => {
  const { sandbox } = world;
  await subscribed(world);
  let sent = 0;
  for (const event of Object.values(WebhookEventType)) {
    for (const organizationId of [undefined, ORGANIZATION]) {
      const { status } = await sandbox.control('POST', '/sandbox/trigger', { event, organizationId });
      if (status < 300) sent += 1;
    }
  }
  assert.ok(sent >= 100, `${sent} were sent`);
});

everythingIsTyped();
