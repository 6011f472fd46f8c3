// The same facts, read by both clients at the same time: each has them where its version says, and nowhere else.

import assert from 'node:assert/strict';

import { DAY } from '../support/sandbox.js';
import { aCustomer, aPage, PAYS } from './customers.js';
import { CURRENT, OLDER, client, withSandbox } from './versions.js';

/** Where a fact is: its name, its place in 2024-04-10, its place today. A place is a path; a number is a position. */
const OF_A_SUBSCRIPTION = [
  ['start of the period', 'current_period_start', 'items.data.0.current_period_start'],
  ['end of the period', 'current_period_end', 'items.data.0.current_period_end'],
];
const OF_AN_INVOICE = [
  ['subscription', 'subscription', 'parent.subscription_details.subscription'],
  ['metadata of the subscription', 'subscription_details.metadata', 'parent.subscription_details.metadata'],
  ['date of the proration', 'subscription_proration_date', 'parent.subscription_details.subscription_proration_date'],
  ['payment', 'payment_intent', 'payments.data.0.payment.payment_intent'],
];
const OF_A_LINE = [
  ['price', 'price.id', 'pricing.price_details.price'],
  ['product', 'price.product', 'pricing.price_details.product'],
];
const OF_A_LINE_OF_AN_ITEM = [
  ['item of the subscription', 'subscription_item', 'parent.subscription_item_details.subscription_item'],
  ['proration', 'proration', 'parent.subscription_item_details.proration'],
];
const OF_A_LINE_OF_AN_INVOICE_ITEM = [['proration', 'proration', 'parent.invoice_item_details.proration']];
const OF_AN_INVOICE_ITEM = [
  ['price', 'price.id', 'pricing.price_details.price'],
  ['subscription', 'subscription', 'parent.subscription_details.subscription'],
];

const at = (object, path) => path.split('.').reduce((value, name) => value?.[name], object);

/** Every fact is at both of its places with the same value, and at neither place of the other version. */
function same(table, older, current) {
  for (const [name, was, is] of table) {
    assert.notEqual(at(older, was), undefined, `${name}: nothing at ${was} in 2024-04-10`);
    assert.deepEqual(at(older, was), at(current, is), name);
    assert.equal(at(older, is), undefined, `${name}: ${is} in 2024-04-10`);
    assert.equal(at(current, was), undefined, `${name}: ${was} today`);
  }
}

/** Both clients of one sandbox, and a subscription that was paid for. */
async function both(sandbox) {
  const [older, current] = [client(OLDER, sandbox), client(CURRENT, sandbox)];
  const customer = await aCustomer(current);
  const page = await aPage(current, customer, 'price_scale_monthly', 2, {
    subscription_data: { metadata: { a: 'b' } },
  });
  await sandbox.pay(page.url, PAYS);
  const { subscription } = await current.checkout.sessions.retrieve(page.id);
  return { older, current, customer, page, subscription };
}

withSandbox('a subscription and its first invoice', async (sandbox) => {
  const { older, current, subscription } = await both(sandbox);
  const was = await older.subscriptions.retrieve(subscription, { expand: ['latest_invoice'] });
  const is = await current.subscriptions.retrieve(subscription, { expand: ['latest_invoice.payments'] });
  same(OF_A_SUBSCRIPTION, was, is);
  for (const added of ['billing_mode', 'status_details']) assert.equal(was[added], undefined, added);
  assert.equal(is.billing_mode.type, 'flexible');
  assert.deepEqual([was.discount, is.discount, is.discounts], [null, undefined, []]);

  const [before, after] = [was.latest_invoice, is.latest_invoice];
  same(
    OF_AN_INVOICE.filter(([name]) => name !== 'date of the proration'),
    before,
    after,
  );
  assert.deepEqual(
    [before.paid, before.paid_out_of_band, after.paid, after.paid_out_of_band],
    [true, false, undefined, undefined],
  );
  assert.deepEqual([after.status, after.amount_paid], ['paid', 3000]);
  assert.deepEqual([before.tax, before.total_tax_amounts, before.total_taxes], [null, [], undefined]);
  assert.deepEqual([after.tax, after.total_tax_amounts], [undefined, undefined]);
  const [line, now] = [before.lines.data[0], after.lines.data[0]];
  same(OF_A_LINE, line, now);
  same(OF_A_LINE_OF_AN_ITEM, line, now);
  assert.deepEqual([line.type, line.plan.interval, line.tax_amounts], ['subscription', 'month', []]);
  assert.deepEqual([now.type, now.plan, now.tax_amounts], [undefined, undefined, undefined]);
  assert.deepEqual([line.amount_excluding_tax, now.amount_excluding_tax], [line.amount, undefined]);
  // What was taken away later was always there before.
  const gone = [before.application_fee_amount, before.transfer_data, line.plan.aggregate_usage];
  assert.deepEqual(gone, [null, null, null]);
  // On the wire both are the same text; today's client makes a number of it that loses nothing.
  assert.equal(line.price.unit_amount_decimal, '1500');
  assert.equal(now.pricing.unit_amount_decimal.toString(), '1500');
  // A line names its subscription in both versions.
  assert.deepEqual([line.subscription, now.subscription], [subscription, subscription]);
});

withSandbox('a payment and its invoice', async (sandbox) => {
  const { older, current, subscription } = await both(sandbox);
  const { latest_invoice } = await older.subscriptions.retrieve(subscription);
  const { payment_intent, charge } = await older.invoices.retrieve(latest_invoice);
  const was = await older.paymentIntents.retrieve(payment_intent, { expand: ['invoice'] });
  assert.equal(was.invoice.id, latest_invoice);
  assert.equal((await older.charges.retrieve(charge)).invoice, latest_invoice);
  assert.equal((await current.paymentIntents.retrieve(payment_intent)).invoice, undefined);
  assert.equal((await current.charges.retrieve(charge)).invoice, undefined);
  const payment = { type: 'payment_intent', payment_intent };
  const payments = await current.invoicePayments.list({ payment });
  assert.deepEqual(
    payments.data.map((one) => [one.invoice, one.status, one.is_default]),
    [[latest_invoice, 'paid', true]],
  );
});

withSandbox('a proration and its invoice item', async (sandbox) => {
  const { older, current, customer, subscription } = await both(sandbox);
  const proration_date = await sandbox.advance(5 * DAY);
  const { items } = await current.subscriptions.retrieve(subscription);
  const changed = await current.subscriptions.update(subscription, {
    items: [{ id: items.data[0].id, quantity: 5 }],
    proration_behavior: 'always_invoice',
    proration_date,
  });
  const was = await older.invoices.retrieve(changed.latest_invoice);
  const is = await current.invoices.retrieve(changed.latest_invoice, { expand: ['payments'] });
  same(OF_AN_INVOICE, was, is);
  assert.equal(was.subscription_proration_date, proration_date);
  for (const [index, now] of is.lines.data.entries()) {
    const line = was.lines.data[index];
    assert.deepEqual([line.id, line.amount, line.proration], [now.id, now.amount, true]);
    same(OF_A_LINE, line, now);
    same(now.parent.type === 'invoice_item_details' ? OF_A_LINE_OF_AN_INVOICE_ITEM : OF_A_LINE_OF_AN_ITEM, line, now);
  }
  const [before] = (await older.invoiceItems.list({ customer: customer.id })).data;
  const after = await current.invoiceItems.retrieve(before.id);
  same(OF_AN_INVOICE_ITEM, before, after);
  assert.deepEqual([before.proration, after.proration, after.net_amount], [true, true, after.amount]);
});

withSandbox('a checkout page and what it is called', async (sandbox) => {
  const { older, current, page } = await both(sandbox);
  assert.equal((await older.checkout.sessions.retrieve(page.id)).ui_mode, 'hosted');
  assert.equal((await current.checkout.sessions.retrieve(page.id)).ui_mode, 'hosted_page');
});

withSandbox('an invoice that is to come', async (sandbox) => {
  const { older, current, subscription } = await both(sandbox);
  const was = await older.invoices.retrieveUpcoming({ subscription });
  const is = await current.invoices.createPreview({ subscription });
  assert.deepEqual([was.total, was.subscription, was.id], [is.total, subscription, undefined]);
  assert.match(is.id, /^upcoming_in_/);
  assert.equal(current.invoices.retrieveUpcoming, undefined);
  // The newer way was there before the older way went.
  assert.equal((await older.invoices.createPreview({ subscription })).total, is.total);
});

withSandbox('the secret of a first payment', async (sandbox) => {
  const [older, current] = [client(OLDER, sandbox), client(CURRENT, sandbox)];
  const { id: customer } = await aCustomer(current);
  const wish = { customer, items: [{ price: 'price_scale_monthly' }], payment_behavior: 'default_incomplete' };
  const { latest_invoice } = await current.subscriptions.create(wish);
  const was = await older.invoices.retrieve(latest_invoice, { expand: ['payment_intent'] });
  const is = await current.invoices.retrieve(latest_invoice, { expand: ['confirmation_secret'] });
  same([['secret', 'payment_intent.client_secret', 'confirmation_secret.client_secret']], was, is);
  assert.equal(is.confirmation_secret.type, 'payment_intent');
});
