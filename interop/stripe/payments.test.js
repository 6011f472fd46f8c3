// Cards that pay, fail at once, fail later, or ask the customer first.

import assert from 'node:assert/strict';

import { DAY } from '../support/sandbox.js';
import { CHALLENGED, DECLINED, FAILS_LATER, PAYS, aCustomer, aPage, subscribed } from './customers.js';
import { withEachClient } from './versions.js';

const refusal = async (promise) =>
  promise.then(
    () => assert.fail('it was not refused'),
    (error) => error,
  );

/** A customer whose invoices are charged to a card. */
async function aPayer(stripe, card) {
  const customer = await aCustomer(stripe);
  const method = await stripe.paymentMethods.attach(card, { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
  return customer;
}

const SEATS = [{ price: 'price_scale_monthly', quantity: 1 }];

withEachClient('a card that is declined is refused at the page and at the API', async ({ stripe, sandbox }) => {
  const customer = await aCustomer(stripe);
  const page = await aPage(stripe, customer, 'price_scale_monthly', 1);
  const declined = await sandbox.pay(page.url, DECLINED);
  assert.deepEqual([declined.status, declined.body.code], [402, 'card_declined']);
  assert.equal((await stripe.checkout.sessions.retrieve(page.id)).status, 'open');

  const error = await refusal(
    stripe.paymentMethods.attach('pm_card_chargeDeclinedInsufficientFunds', { customer: customer.id }),
  );
  assert.deepEqual([error.type, error.rawType, error.statusCode], ['StripeCardError', 'card_error', 402]);
  assert.deepEqual([error.code, error.decline_code], ['card_declined', 'insufficient_funds']);
  assert.equal((await sandbox.pay(page.url, PAYS)).status, 200);
});

withEachClient('a card that is attached and fails later leaves a debt, which another card pays', async (world) => {
  const { stripe, sandbox, version } = world;
  const { id, customer, ...before } = await subscribed(world);
  const failing = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer });
  assert.equal(failing.card.last4, FAILS_LATER.slice(-4));
  await stripe.subscriptions.update(id, { default_payment_method: failing.id });
  await sandbox.advance(version.period(before)[1] - (await sandbox.now()) + 7200);
  const owing = await stripe.subscriptions.retrieve(id, { expand: ['latest_invoice'] });
  const invoice = owing.latest_invoice;
  assert.equal(owing.status, 'past_due');
  assert.deepEqual([invoice.status, version.isPaid(invoice), invoice.attempt_count], ['open', false, 1]);
  assert.ok(invoice.next_payment_attempt > (await sandbox.now()));
  const [failed] = (await stripe.events.list({ type: 'invoice.payment_failed' })).data;
  assert.equal(failed.data.object.id, invoice.id);

  const error = await refusal(stripe.invoices.pay(invoice.id));
  assert.deepEqual([error.type, error.code], ['StripeCardError', 'card_declined']);
  const paying = await stripe.paymentMethods.attach('pm_card_visa', { customer });
  const paid = await stripe.invoices.pay(invoice.id, { payment_method: paying.id });
  assert.ok(version.isPaid(paid));
  assert.equal((await stripe.subscriptions.retrieve(id)).status, 'active');
});

withEachClient('a customer who is asked by the bank passes or fails', async ({ stripe, sandbox }) => {
  const customer = await aCustomer(stripe);
  const page = await aPage(stripe, customer, 'price_scale_monthly', 1);
  assert.equal((await sandbox.pay(page.url, CHALLENGED, 'fail')).status, 402);
  assert.equal((await sandbox.pay(page.url, CHALLENGED, 'pass')).status, 200);
  const done = await stripe.checkout.sessions.retrieve(page.id, { expand: ['subscription'] });
  assert.equal(done.subscription.status, 'active');
});

withEachClient('a first payment that needs the customer waits with its secret, for a day at most', async (world) => {
  const { stripe, sandbox, version } = world;
  const customer = await aPayer(stripe, 'pm_card_authenticationRequired');
  const made = await stripe.subscriptions.create({
    customer: customer.id,
    items: SEATS,
    payment_behavior: 'default_incomplete',
    expand: [version.secretOfFirstPayment, 'pending_setup_intent'],
  });
  assert.deepEqual([made.status, made.pending_setup_intent], ['incomplete', null]);
  const secret = version.clientSecret(made.latest_invoice);
  assert.match(secret, /^pi_\w+_secret_\w+$/);
  const intent = await stripe.paymentIntents.retrieve(secret.split('_secret_')[0]);
  assert.equal(intent.client_secret, secret);
  const confirmed = await stripe.paymentIntents.confirm(intent.id, {
    payment_method: 'pm_card_authenticationRequired',
  });
  assert.deepEqual([confirmed.status, confirmed.next_action.type], ['requires_action', 'use_stripe_sdk']);
  const error = await refusal(stripe.invoices.pay(made.latest_invoice.id));
  assert.deepEqual([error.statusCode, error.code], [402, 'invoice_payment_intent_requires_action']);

  await sandbox.advance(DAY);
  const expired = await stripe.subscriptions.retrieve(made.id, { expand: ['latest_invoice'] });
  assert.deepEqual([expired.status, expired.latest_invoice.status], ['incomplete_expired', 'void']);
});

withEachClient('a customer who gets invoices has access before paying', async ({ stripe, version }) => {
  const customer = await aCustomer(stripe);
  const wish = { customer: customer.id, items: SEATS, collection_method: 'send_invoice', days_until_due: 30 };
  const { status, latest_invoice } = await stripe.subscriptions.create(wish);
  assert.equal(status, 'active');
  const sent = await stripe.invoices.finalizeInvoice(latest_invoice);
  assert.deepEqual([sent.status, sent.amount_remaining], ['open', 1500]);
  const paid = await stripe.invoices.pay(latest_invoice, { paid_out_of_band: true });
  assert.deepEqual([version.isPaid(paid), paid.amount_remaining], [true, 0]);
});

withEachClient('a subscription that must be paid at once or not be made is not made', async ({ stripe }) => {
  const customer = await aPayer(stripe, 'pm_card_chargeCustomerFail');
  const wish = { customer: customer.id, items: SEATS, payment_behavior: 'error_if_incomplete' };
  const error = await refusal(stripe.subscriptions.create(wish));
  assert.deepEqual([error.type, error.statusCode, error.code], ['StripeCardError', 402, 'card_declined']);
  assert.deepEqual((await stripe.subscriptions.list({ customer: customer.id, status: 'all' })).data, []);
});

withEachClient('a change that is not paid waits beside the subscription', async (world) => {
  const { stripe } = world;
  const { id, customer, items } = await subscribed(world, 'price_scale_monthly', 1);
  const failing = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer });
  await stripe.subscriptions.update(id, { default_payment_method: failing.id });
  const pending = await stripe.subscriptions.update(id, {
    items: [{ id: items.data[0].id, quantity: 9 }],
    payment_behavior: 'pending_if_incomplete',
    proration_behavior: 'always_invoice',
  });
  assert.equal(pending.items.data[0].quantity, 1);
  assert.equal(pending.pending_update.subscription_items[0].quantity, 9);
  const paying = await stripe.paymentMethods.attach('pm_card_visa', { customer });
  await stripe.invoices.pay(pending.latest_invoice, { payment_method: paying.id });
  const applied = await stripe.subscriptions.retrieve(id);
  assert.deepEqual([applied.items.data[0].quantity, applied.pending_update], [9, null]);
});
