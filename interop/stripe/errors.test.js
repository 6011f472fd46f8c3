// What the sandbox refuses, as the classes that the clients make of it.

import assert from 'node:assert/strict';

import { aCustomer, subscribed } from './customers.js';
import { CURRENT, client, withEachClient } from './versions.js';

withEachClient('a request that is wrong is refused by the name of its parameter', async (world) => {
  const { stripe } = world;
  const { id: subscription } = await subscribed(world);
  const { id: customer } = await aCustomer(stripe);
  const items = [{ price: 'price_scale_monthly' }];
  const refused = [
    [() => stripe.customers.retrieve('cus_none'), 404, 'resource_missing', 'id'],
    [() => stripe.subscriptions.create({ customer: 'cus_none', items }), 400, 'resource_missing', 'customer'],
    [
      () => stripe.subscriptions.create({ customer, items: [{ price: 'price_none' }] }),
      400,
      'resource_missing',
      'items[0][price]',
    ],
    [
      () => stripe.subscriptions.create({ customer, items: [{ ...items[0], colour: 'red' }] }),
      400,
      'parameter_unknown',
      'items[0][colour]',
    ],
    [() => stripe.subscriptions.create({ items }), 400, 'parameter_missing', 'customer'],
    [() => stripe.customers.create({ colour: 'red' }), 400, 'parameter_unknown', 'colour'],
    [
      () => stripe.subscriptions.update(subscription, { trial_end: 'soon' }),
      400,
      'parameter_invalid_integer',
      'trial_end',
    ],
    [() => stripe.subscriptions.retrieve(subscription, { expand: ['nothing'] }), 400, undefined, 'expand'],
  ];
  for (const [ask, statusCode, code, param] of refused) {
    const names = { type: 'StripeInvalidRequestError', rawType: 'invalid_request_error', statusCode, code, param };
    await assert.rejects(ask, (error) => {
      const told = Object.fromEntries(Object.keys(names).map((name) => [name, error[name]]));
      assert.deepEqual(told, names);
      assert.match(error.requestId, /^req_/);
      return true;
    });
  }
});

withEachClient('a wrong key is not let in', async ({ sandbox, version }) => {
  const stranger = client(version, sandbox, { key: 'sk_test_of_somebody_else' });
  const error = { type: 'StripeAuthenticationError', statusCode: 401 };
  await assert.rejects(stranger.customers.list(), error);
  await assert.rejects(stranger.customers.create({ email: 'a@b.test' }), error);
});

withEachClient('whoever asks too often hears so', async ({ stripe, sandbox }) => {
  await sandbox.do('PUT', '/sandbox/chaos', { apiRateLimitPerMinute: 2 });
  await stripe.customers.list();
  await stripe.customers.list();
  await assert.rejects(stripe.customers.list(), { type: 'StripeRateLimitError', statusCode: 429, code: 'rate_limit' });
  await sandbox.do('PUT', '/sandbox/chaos', {});
  await stripe.customers.list();
});

withEachClient('an answer that was lost is replayed under its key', async ({ stripe, sandbox }) => {
  const idempotencyKey = 'lost';
  await sandbox.do('PUT', '/sandbox/chaos', { apiErrorAfterCommitRate: 1 });
  const create = () => stripe.customers.create({ email: 'ada@acme.test' }, { idempotencyKey });
  await assert.rejects(create, { type: 'StripeAPIError', statusCode: 500 });
  await sandbox.do('PUT', '/sandbox/chaos', {});
  // The provider keeps the answer, not the success: it is the same under this key for a day.
  await assert.rejects(create, { type: 'StripeAPIError', statusCode: 500 });
  assert.equal((await stripe.customers.list()).data.length, 1);
});

withEachClient('words of another version are refused', async ({ stripe, version }) => {
  const { id: customer } = await aCustomer(stripe);
  const page = {
    mode: 'subscription',
    customer,
    line_items: [{ price: 'price_scale_monthly', quantity: 1 }],
    success_url: 'http://app.invalid/',
    ui_mode: version === CURRENT ? 'hosted' : 'hosted_page',
  };
  await assert.rejects(stripe.checkout.sessions.create(page), { type: 'StripeInvalidRequestError', param: 'ui_mode' });
  const types = stripe.checkout.sessions.create({ ...page, ui_mode: undefined, payment_method_types: ['card'] });
  if (version === CURRENT) {
    await assert.rejects(types, { code: 'payment_method_types_no_longer_supported', param: 'payment_method_types' });
  } else {
    assert.equal((await types).ui_mode, 'hosted');
  }
});
