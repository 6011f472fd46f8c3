// What can be done to a subscription that runs: previews, seats, schedules, pauses, the portal.

import assert from 'node:assert/strict';

import { DAY } from '../support/sandbox.js';
import { subscribed } from './customers.js';
import { CURRENT, withEachClient } from './versions.js';

withEachClient('what a preview says is charged to the cent', async (world) => {
  const { stripe, sandbox, version } = world;
  const before = await subscribed(world, 'price_scale_monthly', 2);
  const [item] = before.items.data;
  const proration_date = await sandbox.advance(11 * DAY + 4321);
  const change = { items: [{ id: item.id, quantity: 7 }], proration_behavior: 'always_invoice', proration_date };
  const preview = await version.preview(stripe, { subscription: before.id, ...change });
  // The charge is later than the preview; the instant that both name makes them equal.
  await sandbox.advance(5 * 60);
  const after = await stripe.subscriptions.update(before.id, { ...change, expand: ['latest_invoice'] });
  const invoice = after.latest_invoice;
  assert.ok(invoice.total > 0 && invoice.total < 5 * 1500);
  for (const amount of ['amount_due', 'subtotal', 'total', 'currency'])
    assert.equal(invoice[amount], preview[amount], amount);
  const told = (lines) => lines.data.map((line) => [line.amount, line.quantity, version.isProration(line)]).sort();
  assert.deepEqual(told(invoice.lines), told(preview.lines));
  assert.ok(invoice.lines.data.every(version.isProration));
  assert.deepEqual([invoice.billing_reason, version.isPaid(invoice)], ['subscription_update', true]);
  assert.equal(after.items.data[0].quantity, 7);
  assert.deepEqual(version.period(after), version.period(before));
});

withEachClient('seats go up and down, and the difference waits for the next invoice', async (world) => {
  const { stripe, sandbox, version } = world;
  const { id, items, latest_invoice } = await subscribed(world, 'price_scale_monthly', 4);
  const [{ id: item }] = items.data;
  await sandbox.advance(10 * DAY);
  const more = await stripe.subscriptions.update(id, { items: [{ id: item, quantity: 6 }] });
  assert.deepEqual([more.items.data[0].quantity, more.latest_invoice], [6, latest_invoice]);
  const fewer = await stripe.subscriptionItems.update(item, { quantity: 3 });
  assert.equal(fewer.quantity, 3);
  const next = await version.preview(stripe, { subscription: id });
  const sum = (lines) => lines.reduce((total, line) => total + line.amount, 0);
  const prorations = next.lines.data.filter(version.isProration);
  assert.ok(prorations.length > 0 && sum(prorations) < 0);
  assert.equal(sum(next.lines.data) - sum(prorations), 3 * 1500);
  assert.equal(next.total, sum(next.lines.data));
  await sandbox.advance(version.period(more)[1] - (await sandbox.now()) + 7200);
  const renewed = await stripe.subscriptions.retrieve(id, { expand: ['latest_invoice'] });
  assert.equal(renewed.latest_invoice.total, next.total);
});

withEachClient('another price takes effect at once, and may begin a period', async (world) => {
  const { stripe, sandbox, version } = world;
  const { id, items } = await subscribed(world, 'price_starter_monthly', 1);
  const now = await sandbox.advance(3 * DAY);
  const changed = await stripe.subscriptions.update(id, {
    items: [{ id: items.data[0].id, price: 'price_growth_monthly' }],
    billing_cycle_anchor: version.anchorNow,
    proration_behavior: 'always_invoice',
  });
  assert.equal(changed.items.data[0].price.id, 'price_growth_monthly');
  // The clock goes on while the request is on its way.
  const late = version.period(changed)[0] - now;
  assert.ok(late >= 0 && late < 60, `${late} s`);
});

withEachClient('an item is added and taken away', async (world) => {
  const { stripe } = world;
  const { id, items } = await subscribed(world, 'price_growth_monthly', 1);
  const added = await stripe.subscriptionItems.create({
    subscription: id,
    price: 'price_extra_projects_monthly',
    quantity: 2,
  });
  const all = await stripe.subscriptionItems.list({ subscription: id });
  assert.deepEqual(new Set(all.data.map((item) => item.id)), new Set([items.data[0].id, added.id]));
  const gone = await stripe.subscriptionItems.del(added.id, { proration_behavior: 'none' });
  assert.equal(gone.deleted, true);
  assert.equal((await stripe.subscriptions.retrieve(id)).items.data.length, 1);
});

withEachClient('a schedule is made of a subscription, gets a phase, and is released', async (world) => {
  const { stripe, sandbox, version } = world;
  const { id, ...before } = await subscribed(world, 'price_growth_monthly', 1);
  const made = await stripe.subscriptionSchedules.create({ from_subscription: id });
  const [{ start_date, end_date, items }] = made.phases;
  assert.deepEqual([made.status, start_date, end_date], ['active', ...version.period(before)]);
  const phases = [
    { start_date, end_date, items: items.map(({ price, quantity }) => ({ price, quantity })) },
    { items: [{ price: 'price_starter_monthly', quantity: 1 }], ...version.phaseOfOneMonth },
  ];
  const planned = await stripe.subscriptionSchedules.update(made.id, { phases, end_behavior: 'release' });
  assert.deepEqual([planned.phases.length, planned.phases[1].start_date], [2, end_date]);
  assert.deepEqual([planned.current_phase.start_date, planned.end_behavior], [start_date, 'release']);
  const attached = await stripe.subscriptions.retrieve(id, { expand: ['schedule'] });
  assert.equal(attached.schedule.id, made.id);

  const released = await stripe.subscriptionSchedules.release(made.id);
  assert.deepEqual([released.status, released.released_subscription, released.subscription], ['released', id, null]);
  assert.equal((await stripe.subscriptions.retrieve(id)).schedule, null);
});

withEachClient('a scheduled phase begins at its instant', async (world) => {
  const { stripe, sandbox } = world;
  const { id } = await subscribed(world, 'price_growth_monthly', 1);
  const made = await stripe.subscriptionSchedules.create({ from_subscription: id });
  const [{ start_date, end_date }] = made.phases;
  const now = { start_date, end_date, items: [{ price: 'price_growth_monthly', quantity: 1 }] };
  const later = { items: [{ price: 'price_starter_monthly', quantity: 1 }], ...world.version.phaseOfOneMonth };
  await stripe.subscriptionSchedules.update(made.id, { phases: [now, later], end_behavior: 'release' });
  await sandbox.advance(end_date - (await sandbox.now()) + 7200);
  const after = await stripe.subscriptions.retrieve(id, { expand: ['latest_invoice'] });
  assert.equal(after.items.data[0].price.id, 'price_starter_monthly');
  assert.equal(after.latest_invoice.total, 1900);
});

withEachClient('collection is paused and resumed, and the status says nothing of it', async (world) => {
  const { stripe, sandbox, version } = world;
  const { id, ...before } = await subscribed(world);
  const paused = await stripe.subscriptions.update(id, { pause_collection: { behavior: 'void' } });
  assert.deepEqual([paused.status, paused.pause_collection], ['active', { behavior: 'void', resumes_at: null }]);
  await sandbox.advance(version.period(before)[1] - (await sandbox.now()) + 7200);
  const renewed = await stripe.subscriptions.retrieve(id, { expand: ['latest_invoice'] });
  assert.deepEqual([renewed.status, renewed.latest_invoice.status], ['active', 'void']);
  const resumed = await stripe.subscriptions.update(id, { pause_collection: '' });
  assert.equal(resumed.pause_collection, null);
});

withEachClient('a subscription is paused and resumed, where the version can', async (world) => {
  const { stripe, version } = world;
  const { id } = await subscribed(world);
  if (version !== CURRENT) {
    assert.equal(stripe.subscriptions.pause, undefined);
    return;
  }
  const paused = await stripe.subscriptions.pause(id);
  assert.equal(paused.status, 'paused');
  assert.equal(paused.status_details.paused.type, 'subscription');
  const resumed = await stripe.subscriptions.resume(id, { billing_cycle_anchor: { type: 'now' } });
  assert.equal(resumed.status, 'active');
});

withEachClient(
  'a trial that ends without a card is paused, and resumed once there is one',
  async ({ stripe, sandbox }) => {
    const customer = await stripe.customers.create({ email: 'ada@acme.test' });
    const { id, status } = await stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: 'price_scale_monthly', quantity: 1 }],
      trial_period_days: 7,
      trial_settings: { end_behavior: { missing_payment_method: 'pause' } },
    });
    assert.equal(status, 'trialing');
    await sandbox.advance(7 * DAY + 60);
    assert.equal((await stripe.subscriptions.retrieve(id)).status, 'paused');
    const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
    await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: card.id } });
    assert.equal((await stripe.subscriptions.resume(id)).status, 'active');
  },
);

withEachClient('the portal opens where a flow says', async (world) => {
  const { stripe } = world;
  const { id, customer } = await subscribed(world);
  const session = await stripe.billingPortal.sessions.create({
    customer,
    return_url: 'http://app.invalid/billing',
    flow_data: {
      type: 'subscription_cancel',
      subscription_cancel: { subscription: id },
      after_completion: { type: 'redirect', redirect: { return_url: 'http://app.invalid/sorry' } },
    },
  });
  assert.equal(session.object, 'billing_portal.session');
  assert.deepEqual([session.flow.type, session.flow.subscription_cancel.subscription], ['subscription_cancel', id]);
  assert.equal(session.flow.after_completion.redirect.return_url, 'http://app.invalid/sorry');
  const page = await fetch(session.url);
  assert.equal(page.status, 200);
  const update = { type: 'payment_method_update' };
  const other = await stripe.billingPortal.sessions.create({ customer, flow_data: update });
  assert.equal(other.flow.type, 'payment_method_update');
  const configurations = await stripe.billingPortal.configurations.list({ is_default: true });
  assert.equal(configurations.data[0].id, session.configuration);
});
