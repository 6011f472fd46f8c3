// Lists: filters, order, pages, and what was deleted. The catalogue is one of them.

import assert from 'node:assert/strict';

import { everythingIsTyped, refused, withSandbox } from './client.js';
import { ORGANIZATION, aCustomer, aPage, subscribed } from './customers.js';

const WRONG = { http_status_code: 400, type: 'invalid_request', api_error_code: 'param_wrong_value' };

/** The ids of all pages of a list. */
async function all(list, name, params) {
  const ids = [];
  let offset;
  do {
    const page = await list({ ...params, ...(offset && { offset }) });
    ids.push(...page.list.map((entry) => entry[name].id));
    offset = page.next_offset;
  } while (offset);
  return ids;
}

/** Makes customers some time apart; answers when each was made. */
async function many(chargebee, sandbox, count) {
  const instants = [];
  for (let index = 0; index < count; index++) {
    const company = index % 2 ? 'Odd' : 'Even';
    instants.push((await aCustomer(chargebee, { id: `org_${index}`, company })).created_at);
    await sandbox.advance(10);
  }
  return instants;
}

withSandbox('a list has pages, which neither lose a row nor show one twice', async ({ chargebee, sandbox }) => {
  await many(chargebee, sandbox, 7);
  const customers = (params) => chargebee.customer.list(params);
  const wanted = [0, 1, 2, 3, 4, 5, 6].map((index) => `org_${index}`);
  assert.deepEqual(await all(customers, 'customer', { limit: 3 }), wanted);
  const newest = { limit: 2, 'sort_by[desc]': 'created_at' };
  assert.deepEqual(await all(customers, 'customer', newest), wanted.toReversed());
  const first = await customers({ limit: 7 });
  assert.deepEqual([first.list.length, first.next_offset], [7, undefined]);
  const page = await customers({ limit: 3, 'sort_by[desc]': 'created_at' });
  await aCustomer(chargebee, { id: 'org_late' });
  const next = await customers({ limit: 3, 'sort_by[desc]': 'created_at', offset: page.next_offset });
  assert.deepEqual(next.list.map(({ customer }) => customer.id), ['org_3', 'org_2', 'org_1']);
  for (const params of [{ limit: 0 }, { limit: 101 }, { offset: 'nonsense' }]) await refused(customers(params), WRONG);
});

withSandbox('a list is filtered', async ({ chargebee, sandbox }) => {
  const made = await many(chargebee, sandbox, 4);
  const found = (params) => all((more) => chargebee.customer.list(more), 'customer', { limit: 1, ...params });
  assert.deepEqual(await found({ id: { is: 'org_2' } }), ['org_2']);
  assert.deepEqual(await found({ id: { in: ['org_3', 'org_0', 'org_none'] } }), ['org_0', 'org_3']);
  assert.deepEqual(await found({ id: { not_in: ['org_3', 'org_0'] } }), ['org_1', 'org_2']);
  assert.deepEqual(await found({ company: { is: 'Odd' } }), ['org_1', 'org_3']);
  assert.deepEqual(await found({ company: { starts_with: 'Ev' } }), ['org_0', 'org_2']);
  assert.deepEqual(await found({ phone: { is_present: true } }), []);
  // The documented recipe for reading what is new.
  const changed = await chargebee.customer.update('org_1', { company: 'Changed' });
  const { updated_at, resource_version } = changed.customer;
  assert.ok(updated_at >= made[3] + 10 && resource_version >= updated_at * 1000);
  assert.deepEqual(await found({ updated_at: { after: made[3] } }), ['org_1']);
  const sort = { 'sort_by[asc]': 'updated_at' };
  assert.deepEqual(await found({ updated_at: { after: made[0] - 1 }, ...sort }), ['org_0', 'org_2', 'org_3', 'org_1']);
  assert.deepEqual(await found({ created_at: { between: [made[1], made[2]] } }), ['org_1', 'org_2']);
  assert.deepEqual(await found({ created_at: { before: made[1] } }), ['org_0']);
});

withSandbox('subscriptions are found by customer, state and time', async (world) => {
  const { chargebee, sandbox } = world;
  const { updated_at } = await subscribed(world);
  await chargebee.subscription.createWithItems(ORGANIZATION, {
    id: 'sub_other',
    subscription_items: [{ item_price_id: 'starter-plan-monthly', quantity: 1 }],
  });
  const found = (params) => all((more) => chargebee.subscription.list(more), 'subscription', { limit: 1, ...params });
  assert.deepEqual(await found({ customer_id: { is: ORGANIZATION } }), ['tks_interop', 'sub_other']);
  assert.deepEqual(await found({ customer_id: { is: 'org_none' } }), []);
  assert.deepEqual(await found({ item_price_id: { is: 'starter-plan-monthly' } }), ['sub_other']);
  assert.deepEqual(await found({ id: { in: ['sub_other'] } }), ['sub_other']);
  await sandbox.advance(5);
  await chargebee.subscription.cancelForItems('sub_other', { cancel_option: 'immediately' });
  assert.deepEqual(await found({ status: { in: ['active', 'in_trial', 'non_renewing'] } }), ['tks_interop']);
  assert.deepEqual(await found({ status: { is: 'cancelled' } }), ['sub_other']);
  assert.deepEqual(await found({ updated_at: { after: updated_at } }), ['sub_other']);
  assert.equal((await chargebee.subscription.subscriptionsForCustomer(ORGANIZATION, { limit: 10 })).list.length, 2);
  // What is deleted is in a list only for who asks.
  await chargebee.subscription.delete('sub_other');
  assert.deepEqual(await found({}), ['tks_interop']);
  assert.deepEqual(await found({ include_deleted: true }), ['tks_interop', 'sub_other']);
});

withSandbox('a page that somebody forgot is found among those of its kind', async (world) => {
  const { chargebee, sandbox } = world;
  await aCustomer(chargebee);
  await aPage(world, 'scale-plan-monthly', 1);
  const begin = await sandbox.advance(10);
  const { id } = await aPage(world, 'growth-plan-monthly', 1);
  await chargebee.hostedPage.managePaymentSources({ customer: { id: ORGANIZATION } });
  const wanted = { type: { is: 'checkout_new' }, updated_at: { after: begin - 1 }, limit: 100 };
  const { list } = await chargebee.hostedPage.list(wanted);
  assert.deepEqual(list.map(({ hosted_page }) => hosted_page.id), [id]);
  assert.equal(list[0].hosted_page.pass_thru_content, '{"subscriptionId":"tks_interop"}');
  assert.equal((await chargebee.hostedPage.list({ state: { is: 'succeeded' } })).list.length, 0);
});

withSandbox('what stands behind a payment is listed', async (world) => {
  const { chargebee } = world;
  await subscribed(world);
  const { list } = await chargebee.invoice.list({ customer_id: { is: ORGANIZATION }, 'sort_by[desc]': 'date' });
  const [{ invoice }] = list;
  assert.deepEqual([invoice.status, invoice.subscription_id, invoice.total], ['paid', 'tks_interop', 4500]);
  assert.equal((await chargebee.invoice.retrieve(invoice.id)).invoice.id, invoice.id);
  const unpaid = { subscription_id: { is: 'tks_interop' }, status: { in: ['payment_due', 'not_paid'] }, limit: 100 };
  assert.equal((await chargebee.invoice.list(unpaid)).list.length, 0);
  assert.equal((await chargebee.invoice.invoicesForSubscription('tks_interop')).list.length, 1);
  assert.equal((await chargebee.invoice.invoicesForCustomer(ORGANIZATION)).list.length, 1);
  const [{ transaction }] = (await chargebee.transaction.list()).list;
  assert.deepEqual([transaction.status, transaction.amount], ['success', 4500]);
  assert.equal((await chargebee.transaction.retrieve(transaction.id)).transaction.id, transaction.id);
  const { download } = await chargebee.invoice.pdf(invoice.id, { disposition_type: 'inline' });
  const pdf = await fetch(download.download_url);
  assert.equal(pdf.headers.get('content-type'), 'application/pdf');
  assert.equal(Buffer.from(await pdf.arrayBuffer()).subarray(0, 5).toString(), '%PDF-');
  await refused(chargebee.invoice.retrieve('none'), { http_status_code: 404, api_error_code: 'resource_not_found' });
});

withSandbox('the catalogue is read, and a price is changed', async ({ chargebee }) => {
  const prices = await all((more) => chargebee.itemPrice.list(more), 'item_price', { limit: 20 });
  assert.ok(prices.includes('growth-plan-monthly') && prices.includes('growth-plan-yearly-eur'), prices);
  const items = await all((more) => chargebee.item.list(more), 'item', { type: { is: 'plan' } });
  assert.ok(items.includes('growth'), items);
  const { item } = await chargebee.item.retrieve('growth');
  assert.deepEqual([item.type, item.status], ['plan', 'active']);
  const growth = (await chargebee.itemPrice.retrieve('growth-plan-monthly')).item_price;
  assert.deepEqual([growth.item_id, growth.item_type, growth.currency_code], ['growth', 'plan', 'USD']);
  assert.deepEqual([growth.pricing_model, growth.tiers[0].price], ['stairstep', 4900]);
  assert.deepEqual([growth.period, growth.period_unit], [1, 'month']);
  const plans = await chargebee.itemPrice.list({ item_id: { is: 'scale' }, status: { is: 'active' }, limit: 100 });
  assert.ok(plans.list.length >= 2 && plans.list.every(({ item_price }) => item_price.item_id === 'scale'));
  const { item_price } = await chargebee.itemPrice.update('scale-plan-monthly', { price: 1600, name: 'Scale' });
  assert.deepEqual([item_price.price, item_price.name], [1600, 'Scale']);
  await refused(chargebee.itemPrice.retrieve('none'), { http_status_code: 404 });
});

everythingIsTyped();
