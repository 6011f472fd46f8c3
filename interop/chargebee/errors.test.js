// What the sandbox refuses, as the client hands it on; and what it does once however often it is asked.

import assert from 'node:assert/strict';

import { client, everythingIsTyped, refused, withSandbox } from './client.js';
import { FAILS_LATER, ORGANIZATION, aCustomer, aPage, subscribed } from './customers.js';

const key = (text) => ({ 'chargebee-idempotency-key': text });

/** The client when it may ask again; it waits a little longer each time. */
const PATIENT = { retryConfig: { enabled: true, maxRetries: 9, delayMs: 1 } };

withSandbox('a customer is made once, whoever asks', async ({ chargebee }) => {
  const made = await aCustomer(chargebee);
  assert.deepEqual(made.meta_data, { organizationId: ORGANIZATION, customerType: 'organization' });
  await refused(aCustomer(chargebee), {
    http_status_code: 400,
    type: 'invalid_request',
    api_error_code: 'duplicate_entry',
    param: 'id',
  });
  assert.equal((await chargebee.customer.retrieve(ORGANIZATION)).customer.company, 'Acme');
});

withSandbox('what a customer knows is changed, unset and deleted', async ({ chargebee }) => {
  await aCustomer(chargebee);
  const { customer } = await chargebee.customer.update(ORGANIZATION, { phone: '1', email: 'b@acme.test' });
  assert.deepEqual([customer.phone, customer.email, customer.company], ['1', 'b@acme.test', 'Acme']);
  const { customer: unset } = await chargebee.customer.update(ORGANIZATION, { phone: '', meta_data: { plan: 'x' } });
  assert.deepEqual([unset.phone, unset.meta_data], [undefined, { plan: 'x' }]);
  // The address on invoices has a call of its own.
  const address = { billing_address: { city: 'Berlin', country: 'DE' } };
  const { customer: moved } = await chargebee.customer.updateBillingInfo(ORGANIZATION, address);
  assert.deepEqual([moved.billing_address.city, moved.email], ['Berlin', 'b@acme.test']);
  await chargebee.customer.delete(ORGANIZATION);
  assert.deepEqual((await chargebee.customer.list({ id: { is: ORGANIZATION } })).list, []);
  const [entry] = (await chargebee.customer.list({ id: { is: ORGANIZATION }, include_deleted: true })).list;
  assert.equal(entry.customer.deleted, true);
});

withSandbox('a wrong request is refused by the name of its parameter', async (world) => {
  const { chargebee } = world;
  const wrong = { http_status_code: 400, type: 'invalid_request', api_error_code: 'param_wrong_value' };
  const missing = { http_status_code: 404, type: 'invalid_request', api_error_code: 'resource_not_found' };
  await refused(chargebee.customer.retrieve('org_none'), missing);
  await refused(chargebee.subscription.retrieve('sub_none'), missing);
  await refused(chargebee.hostedPage.retrieve('page_none'), missing);
  await refused(chargebee.event.retrieve('ev_none'), missing);
  await refused(chargebee.customer.create({ id: 'x'.repeat(51) }), { ...wrong, param: 'id' });
  await refused(chargebee.customer.create({ email: 'nobody' }), { ...wrong, param: 'email' });
  await refused(chargebee.portalSession.create({}), { ...wrong, param: 'customer[id]' });
  await refused(chargebee.customer.list({ limit: 1000 }), { ...wrong, param: 'limit' });
  await aCustomer(chargebee);
  const items = { subscription_items: [{ item_price_id: 'scale-plan-monthly', quantity: 0 }] };
  await refused(aPage(world, 'scale-plan-monthly', 1, items), {
    ...wrong,
    param: 'subscription_items[quantity][0]',
  });
  // Chargebee's own path, which the sandbox does not serve, is refused in Chargebee's own words.
  await refused(chargebee.coupon.list(), missing);
});

withSandbox('a wrong key is not let in', async ({ sandbox }) => {
  const stranger = client(sandbox, { apiKey: 'test_of_somebody_else' });
  const expected = { http_status_code: 401, api_error_code: 'api_authentication_failed' };
  await refused(stranger.customer.list(), expected);
  await refused(aCustomer(stranger), expected);
});

withSandbox('a payment that fails is refused as a payment', async (world) => {
  const { chargebee, sandbox } = world;
  const { current_term_end } = await subscribed(world);
  const { hosted_page } = await chargebee.hostedPage.managePaymentSources({ customer: { id: ORGANIZATION } });
  await sandbox.pay(hosted_page.url, FAILS_LATER);
  await sandbox.advance(current_term_end - (await sandbox.now()) + 60);
  const [{ invoice }] = (await chargebee.invoice.list({ status: { in: ['payment_due', 'not_paid'] } })).list;
  await refused(chargebee.invoice.collectPayment(invoice.id), {
    http_status_code: 400,
    type: 'payment',
    api_error_code: 'payment_processing_failed',
    error_cause_id: 'gateway.general.decline',
  });
});

withSandbox('what nobody can pay is not sold', async ({ chargebee }) => {
  await aCustomer(chargebee);
  const bought = chargebee.subscription.createWithItems(ORGANIZATION, {
    id: 'sub_unpaid',
    subscription_items: [{ item_price_id: 'scale-plan-monthly', quantity: 1 }],
    auto_collection: 'on',
  });
  await refused(bought, { http_status_code: 400, api_error_code: 'payment_method_not_present' });
  await refused(chargebee.subscription.retrieve('sub_unpaid'), { http_status_code: 404 });
});

withSandbox('a request under a key is done once', async ({ chargebee }) => {
  const make = () => chargebee.customer.create({ company: 'Acme' }, key('one'));
  const [first, again] = [await make(), await make()];
  assert.equal(again.customer.id, first.customer.id);
  assert.deepEqual([first.isIdempotencyReplayed, again.isIdempotencyReplayed], [false, 'true']);
  assert.equal((await chargebee.customer.list()).list.length, 1);
  // A refusal is remembered as well.
  const taken = { id: first.customer.id };
  const no = { http_status_code: 400, api_error_code: 'duplicate_entry' };
  await refused(chargebee.customer.create(taken, key('two')), no);
  const { headers } = await refused(chargebee.customer.create(taken, key('two')), no);
  assert.equal(headers['chargebee-idempotency-replayed'], 'true');
  await refused(chargebee.customer.create({ company: 'Other' }, key('one')), { http_status_code: 400 });
  await refused(chargebee.customer.create({}, key('x'.repeat(101))), { http_status_code: 400 });
});

withSandbox('an answer that was lost is found under its key', async ({ chargebee, sandbox }) => {
  await sandbox.do('PUT', '/sandbox/chaos', { apiErrorAfterCommitRate: 1 });
  const make = () => aCustomer(chargebee, {}, key('lost'));
  await refused(make(), { http_status_code: 500, api_error_code: 'internal_error' });
  await sandbox.do('PUT', '/sandbox/chaos', {});
  // What is kept is the answer, not the success: the way to the truth is to look.
  await refused(make(), { http_status_code: 500 });
  assert.equal((await chargebee.customer.retrieve(ORGANIZATION)).customer.id, ORGANIZATION);
});

withSandbox('who asks too often hears so, and when to come back', async ({ chargebee, sandbox }) => {
  await sandbox.do('PUT', '/sandbox/chaos', { apiRateLimitPerMinute: 2 });
  await chargebee.customer.list();
  await chargebee.customer.list();
  const { headers } = await refused(chargebee.customer.list(), {
    http_status_code: 429,
    api_error_code: 'api_request_limit_exceeded',
    type: 'operation_failed',
  });
  const seconds = Number(headers['retry-after']);
  assert.ok(seconds >= 1 && seconds <= 60, headers['retry-after']);
  await sandbox.do('PUT', '/sandbox/chaos', {});
  await chargebee.customer.list();
});

withSandbox('a patient client gets through a bad day, and does nothing twice', async ({ sandbox }) => {
  const patient = client(sandbox, PATIENT);
  await sandbox.do('PUT', '/sandbox/chaos', { seed: 5, apiErrorRate: 0.4 });
  for (let index = 0; index < 12; index++) await patient.customer.create({ company: `Acme ${index}` });
  await sandbox.do('PUT', '/sandbox/chaos', {});
  const { list } = await patient.customer.list({ limit: 100 });
  assert.equal(new Set(list.map(({ customer }) => customer.company)).size, 12);
  assert.equal(list.length, 12);
  const { requests } = await sandbox.do('GET', '/sandbox/requests?provider=chargebee&method=POST');
  const statuses = new Set(requests.map((request) => request.status));
  assert.deepEqual([...statuses].sort(), [200, 500, 503]);
});

everythingIsTyped();
