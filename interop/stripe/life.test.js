// A subscription from the customer to its end.

import assert from 'node:assert/strict';

import { DAY } from '../support/sandbox.js';
import { aCustomer, aPage, ORGANIZATION, PAYS, subscribed } from './customers.js';
import { withEachClient } from './versions.js';

withEachClient('a customer is created once under its key', async ({ stripe }) => {
  const idempotencyKey = 'customer-of-org_interop';
  const wish = { email: 'ada@acme.test', name: 'Acme', metadata: ORGANIZATION };
  const first = await stripe.customers.create(wish, { idempotencyKey });
  const again = await stripe.customers.create(wish, { idempotencyKey });
  assert.equal(again.id, first.id);
  assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
  assert.equal(again.lastResponse.idempotencyKey, idempotencyKey);
  const other = stripe.customers.create({ ...wish, name: 'Other' }, { idempotencyKey });
  await assert.rejects(other, { type: 'StripeIdempotencyError', rawType: 'idempotency_error', statusCode: 400 });
  assert.equal((await stripe.customers.list()).data.length, 1);
  const [created] = (await stripe.events.list({ type: 'customer.created' })).data;
  assert.equal(created.request.idempotency_key, idempotencyKey);
});

withEachClient('what a customer knows can be changed and unset', async ({ stripe }) => {
  const { id } = await aCustomer(stripe);
  const changed = await stripe.customers.update(id, { phone: '1', description: 'x', metadata: { plan: 'scale' } });
  assert.deepEqual(changed.metadata, { ...ORGANIZATION, plan: 'scale' });
  const unset = await stripe.customers.update(id, { phone: '', metadata: { plan: '' } });
  assert.deepEqual([unset.phone, unset.description, unset.metadata], [null, 'x', ORGANIZATION]);
  assert.deepEqual((await stripe.customers.update(id, { metadata: '' })).metadata, {});
  const gone = await stripe.customers.del(id);
  assert.deepEqual([gone.id, gone.object, gone.deleted], [id, 'customer', true]);
  assert.equal((await stripe.customers.retrieve(id)).deleted, true);
});

withEachClient('a trial that was begun at a checkout page is paid at its end', async ({ stripe, sandbox, version }) => {
  const customer = await aCustomer(stripe);
  const subscription_data = { trial_period_days: 14, metadata: ORGANIZATION };
  const page = await aPage(stripe, customer, 'price_scale_monthly', 3, { subscription_data });
  assert.deepEqual([page.status, page.subscription], ['open', null]);
  const { body } = await sandbox.pay(page.url, PAYS);
  assert.equal(body.redirectUrl, `http://app.invalid/done?session=${page.id}`);

  const done = await stripe.checkout.sessions.retrieve(page.id, { expand: ['subscription', 'line_items'] });
  assert.deepEqual([done.status, done.payment_status, done.url], ['complete', 'no_payment_required', null]);
  assert.equal(done.line_items.data[0].quantity, 3);
  const trial = done.subscription;
  assert.equal(trial.status, 'trialing');
  assert.deepEqual(trial.metadata, ORGANIZATION);
  assert.equal(trial.trial_end - trial.trial_start, 14 * DAY);
  assert.deepEqual(version.period(trial), [trial.trial_start, trial.trial_end]);

  const expand = ['customer', 'latest_invoice', 'items.data.price.product', 'default_payment_method'];
  const whole = await stripe.subscriptions.retrieve(trial.id, { expand });
  assert.equal(whole.customer.email, 'ada@acme.test');
  assert.equal(whole.items.data[0].price.product.name, 'Scale');
  assert.equal(whole.default_payment_method.card.last4, '4242');
  assert.deepEqual([whole.latest_invoice.total, version.subscriptionOf(whole.latest_invoice)], [0, trial.id]);

  await sandbox.advance(14 * DAY + 7200);
  const paid = await stripe.subscriptions.retrieve(trial.id, { expand: ['latest_invoice'] });
  assert.equal(paid.status, 'active');
  assert.equal(version.period(paid)[0], trial.trial_end);
  assert.deepEqual([paid.latest_invoice.amount_paid, version.isPaid(paid.latest_invoice)], [4500, true]);
});

withEachClient('a subscription renews when the clock moves', async (world) => {
  const { stripe, sandbox, version } = world;
  const before = await subscribed(world, 'price_scale_monthly', 2);
  const [, end] = version.period(before);
  // A renewal's invoice is a draft for an hour.
  await sandbox.advance(end - (await sandbox.now()) + 60);
  const renewed = await stripe.subscriptions.retrieve(before.id, { expand: ['latest_invoice'] });
  assert.equal(version.period(renewed)[0], end);
  assert.deepEqual(
    [renewed.latest_invoice.status, renewed.latest_invoice.billing_reason],
    ['draft', 'subscription_cycle'],
  );
  await sandbox.advance(3600);
  const invoice = await stripe.invoices.retrieve(renewed.latest_invoice.id);
  assert.deepEqual([version.isPaid(invoice), invoice.amount_paid], [true, 3000]);
  assert.match(invoice.hosted_invoice_url, /^http/);
});

withEachClient('a cancellation is scheduled, undone, and made now', async (world) => {
  const { stripe, version } = world;
  const { id, ...before } = await subscribed(world);
  const scheduled = await stripe.subscriptions.update(id, { cancel_at_period_end: true });
  assert.deepEqual([scheduled.status, scheduled.cancel_at_period_end], ['active', true]);
  assert.equal(scheduled.cancel_at, version.period(before)[1]);
  assert.ok(scheduled.canceled_at);
  const undone = await stripe.subscriptions.update(id, { cancel_at_period_end: false });
  assert.deepEqual([undone.cancel_at_period_end, undone.cancel_at, undone.canceled_at], [false, null, null]);
  const cancellation_details = { comment: 'too expensive', feedback: 'too_expensive' };
  const gone = await stripe.subscriptions.cancel(id, { prorate: true, invoice_now: true, cancellation_details });
  assert.equal(gone.status, 'canceled');
  assert.ok(gone.ended_at);
  const { comment, feedback, reason } = gone.cancellation_details;
  assert.deepEqual({ comment, feedback }, cancellation_details);
  assert.equal(reason, 'cancellation_requested');
  // A list leaves out what has ended, unless it is asked for.
  assert.deepEqual((await stripe.subscriptions.list()).data, []);
  assert.equal((await stripe.subscriptions.list({ status: 'canceled' })).data[0].id, id);
  const [told] = (await stripe.events.list({ type: 'customer.subscription.deleted' })).data;
  assert.equal(told.data.object.id, id);
});

withEachClient('a cancellation at the end of the period happens there', async (world) => {
  const { stripe, sandbox, version } = world;
  const { id, ...before } = await subscribed(world);
  await stripe.subscriptions.update(id, { cancel_at_period_end: true });
  const end = version.period(before)[1];
  await sandbox.advance(end - (await sandbox.now()) + 60);
  const gone = await stripe.subscriptions.retrieve(id);
  assert.deepEqual([gone.status, gone.ended_at], ['canceled', end]);
});
