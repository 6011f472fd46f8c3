// Lists page by page in both directions, and searches.

import assert from 'node:assert/strict';

import { DAY } from '../support/sandbox.js';
import { subscribed } from './customers.js';
import { withEachClient } from './versions.js';

const ids = (rows) => rows.map((row) => row.id);

withEachClient('invoices are paged through in both directions', async (world) => {
  const { stripe, sandbox } = world;
  const { id: subscription } = await subscribed(world);
  for (let month = 0; month < 6; month += 1) await sandbox.advance(31 * DAY);
  const all = (await stripe.invoices.list({ subscription, limit: 100 })).data;
  assert.ok(all.length >= 6);
  assert.ok(
    all.every((row, index) => index === 0 || row.created <= all[index - 1].created),
    'newest first',
  );

  for (const limit of [1, 2, 3]) {
    const list = { subscription, limit };
    assert.deepEqual(ids(await stripe.invoices.list(list).autoPagingToArray({ limit: 100 })), ids(all));
    const some = await stripe.invoices.list(list).autoPagingToArray({ limit: 4 });
    assert.deepEqual(ids(some), ids(all.slice(0, 4)));

    // Backwards a client reads each page from its end: the oldest of what is newer comes first.
    const newer = await stripe.invoices
      .list({ ...list, ending_before: all.at(-1).id })
      .autoPagingToArray({ limit: 100 });
    assert.deepEqual(ids(newer), ids(all.slice(0, -1)).reverse());
  }

  const page = await stripe.invoices.list({ subscription, limit: 2, starting_after: all[1].id });
  assert.deepEqual([ids(page.data), page.has_more, page.url], [ids(all.slice(2, 4)), true, '/v1/invoices']);
  const both = stripe.invoices.list({ starting_after: all[0].id, ending_before: all[1].id });
  await assert.rejects(both, { code: 'parameters_exclusive' });
  const created = { gte: all[2].created, lt: all[0].created };
  assert.deepEqual(ids((await stripe.invoices.list({ subscription, created })).data), ids(all.slice(1, 3)));
});

withEachClient('lines of an invoice are a list of their own', async (world) => {
  const { stripe } = world;
  const { latest_invoice } = await subscribed(world, 'price_scale_monthly', 2, {
    line_items: [
      { price: 'price_scale_monthly', quantity: 2 },
      { price: 'price_extra_projects_monthly', quantity: 1 },
      { price: 'price_onboarding', quantity: 1 },
    ],
  });
  const invoice = await stripe.invoices.retrieve(latest_invoice);
  const lines = await stripe.invoices.listLineItems(latest_invoice, { limit: 1 }).autoPagingToArray({ limit: 10 });
  assert.equal(lines.length, 3);
  assert.equal(
    lines.reduce((sum, line) => sum + line.amount, 0),
    invoice.total,
  );
  assert.equal(invoice.total, 2 * 1500 + 500 + 49900);
});

withEachClient('iteration goes on until everything was seen', async ({ stripe }) => {
  const made = [];
  for (let count = 0; count < 5; count += 1) made.unshift((await stripe.customers.create({ metadata: { count } })).id);
  const seen = [];
  for await (const customer of stripe.customers.list({ limit: 2 })) seen.push(customer.id);
  assert.deepEqual(seen, made);
  const counts = [];
  for await (const { metadata } of stripe.customers.search({ query: "-metadata['count']:'3'", limit: 2 }))
    counts.push(metadata.count);
  assert.deepEqual(counts, ['4', '2', '1', '0']);
});

withEachClient('a search finds by status and by metadata', async (world) => {
  const { stripe } = world;
  const { id } = await subscribed(world, 'price_scale_monthly', 1, {
    subscription_data: { metadata: { organizationId: 'org_1' } },
  });
  const query = "status:'active' AND metadata['organizationId']:'org_1'";
  const found = await stripe.subscriptions.search({ query });
  assert.deepEqual(
    [found.object, found.has_more, found.next_page, ids(found.data)],
    ['search_result', false, null, [id]],
  );
  assert.deepEqual((await stripe.subscriptions.search({ query: "status:'canceled'" })).data, []);
  await assert.rejects(stripe.subscriptions.search({ query: 'status' }), {
    type: 'StripeInvalidRequestError',
    param: 'query',
  });
  const prices = await stripe.prices.search({ query: "product:'prod_scale'" });
  assert.ok(prices.data.every((price) => price.product === 'prod_scale'));
});
