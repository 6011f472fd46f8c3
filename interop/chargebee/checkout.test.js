// Hosted pages from their making to their completion.

import assert from 'node:assert/strict';

import { DAY } from '../support/sandbox.js';
import { everythingIsTyped, refused, withSandbox } from './client.js';
import { DECLINED, FAILS_LATER, ORGANIZATION, PAYS, aCustomer, aPage, seats, subscribed } from './customers.js';

const HOUR = 60 * 60;

withSandbox('a page is paid, and says what came of it', async (world) => {
  const { chargebee, sandbox } = world;
  await aCustomer(chargebee);
  const trial_end = (await sandbox.now()) + 14 * DAY;
  const page = await aPage(world, 'growth-plan-monthly', 5, { subscription: { id: 'tks_interop', trial_end } });
  assert.deepEqual([page.type, page.state, page.expires_at - page.created_at], ['checkout_new', 'created', 3 * HOUR]);
  assert.equal(page.pass_thru_content, '{"subscriptionId":"tks_interop"}');
  const { body } = await sandbox.pay(page.url, PAYS);
  const back = new URL(body.redirectUrl);
  assert.deepEqual(Object.fromEntries(back.searchParams), {
    subscriptionId: 'tks_interop',
    id: page.id,
    state: 'succeeded',
  });

  const { hosted_page: done } = await chargebee.hostedPage.retrieve(page.id);
  assert.equal(done.state, 'succeeded');
  const { subscription, customer } = done.content;
  assert.deepEqual([subscription.id, subscription.status, seats(subscription)], ['tks_interop', 'in_trial', 5]);
  assert.deepEqual([subscription.trial_end, subscription.next_billing_at], [trial_end, trial_end]);
  assert.equal(subscription.current_term_end, undefined);
  assert.deepEqual([customer.id, customer.card_status], [ORGANIZATION, 'valid']);
  const { hosted_page: seen } = await chargebee.hostedPage.acknowledge(page.id);
  assert.equal(seen.state, 'acknowledged');
  await refused(chargebee.hostedPage.acknowledge(page.id), {
    http_status_code: 409,
    api_error_code: 'invalid_state_for_request',
  });
  assert.notEqual((await sandbox.pay(page.url, PAYS)).status, 200);
});

withSandbox('a card that cannot be stored leaves the page as it is', async (world) => {
  await aCustomer(world.chargebee);
  const page = await aPage(world, 'scale-plan-monthly', 2);
  assert.equal((await world.sandbox.pay(page.url, DECLINED)).status, 402);
  assert.equal((await world.sandbox.pay(page.url, FAILS_LATER)).status, 402);
  assert.ok(['created', 'requested'].includes((await world.chargebee.hostedPage.retrieve(page.id)).hosted_page.state));
  await refused(world.chargebee.subscription.retrieve('tks_interop'), { http_status_code: 404 });
  assert.equal((await world.sandbox.pay(page.url, PAYS)).status, 200);
});

withSandbox('a page does not work for ever', async (world) => {
  await aCustomer(world.chargebee);
  const page = await aPage(world, 'scale-plan-monthly', 2);
  await world.sandbox.advance(3 * HOUR);
  assert.ok((await world.sandbox.pay(page.url, PAYS)).status >= 400);
  // There is no word for it: what has expired is only known by its time.
  const { hosted_page } = await world.chargebee.hostedPage.retrieve(page.id);
  assert.ok(hosted_page.state !== 'succeeded' && hosted_page.expires_at <= (await world.sandbox.now()));
});

withSandbox('a customer whom nobody knows becomes a new one', async (world) => {
  const page = await aPage(world, 'starter-plan-monthly', 1, { customer: { id: 'org_unknown' } });
  await world.sandbox.pay(page.url, PAYS);
  const { subscription } = await world.chargebee.subscription.retrieve('tks_interop');
  assert.notEqual(subscription.customer_id, 'org_unknown');
  await refused(world.chargebee.customer.retrieve('org_unknown'), { http_status_code: 404 });
});

withSandbox('what is bought must exist, begin with a plan, and be paid through a known gateway', async (world) => {
  await aCustomer(world.chargebee);
  const items = (...ids) => ({ subscription_items: ids.map((item_price_id) => ({ item_price_id })) });
  const wrong = { http_status_code: 400, type: 'invalid_request' };
  for (const [more, expected] of [
    [items('none'), { ...wrong, param: 'subscription_items[item_price_id][0]' }],
    [items('extra-projects-monthly'), wrong],
    [{ card: { gateway_account_id: 'gw_none' } }, { ...wrong, api_error_code: 'configuration_incompatible' }],
    [{ redirect_url: 'nowhere' }, { ...wrong, api_error_code: 'param_wrong_value', param: 'redirect_url' }],
  ]) {
    await refused(aPage(world, 'scale-plan-monthly', 1, more), expected);
  }
});

withSandbox('a change is agreed to at a page', async (world) => {
  const { chargebee, sandbox } = world;
  await subscribed(world, 'starter-plan-monthly', 1);
  const { hosted_page } = await chargebee.hostedPage.checkoutExistingForItems({
    subscription: { id: 'tks_interop' },
    subscription_items: [{ item_price_id: 'scale-plan-monthly', quantity: 4 }],
    replace_items_list: true,
    change_option: 'immediately',
    reactivate: false,
    redirect_url: 'http://app.invalid/done',
    cancel_url: 'http://app.invalid/cancelled',
    pass_thru_content: 'carried',
  });
  assert.deepEqual([hosted_page.type, hosted_page.state], ['checkout_existing', 'created']);
  assert.equal((await sandbox.pay(hosted_page.url, PAYS)).status, 200);
  const { subscription } = await chargebee.subscription.retrieve('tks_interop');
  assert.deepEqual(
    subscription.subscription_items.map((item) => [item.item_price_id, item.quantity]),
    [['scale-plan-monthly', 4]],
  );
});

withSandbox('something is bought once', async (world) => {
  const { chargebee, sandbox } = world;
  await aCustomer(chargebee);
  const { hosted_page } = await chargebee.hostedPage.checkoutOneTimeForItems({
    item_prices: [{ item_price_id: 'onboarding', quantity: 1 }],
    currency_code: 'USD',
    customer: { id: ORGANIZATION },
    redirect_url: 'http://app.invalid/thanks',
  });
  assert.equal((await sandbox.pay(hosted_page.url, PAYS)).status, 200);
  const { content } = (await chargebee.hostedPage.retrieve(hosted_page.id)).hosted_page;
  assert.deepEqual([content.invoice.status, content.invoice.total, content.invoice.recurring], ['paid', 49_900, false]);
  assert.equal(content.invoice.subscription_id, undefined);
});

withSandbox('a card is exchanged, and what is due is paid with it', async (world) => {
  const { chargebee, sandbox } = world;
  const { current_term_end } = await subscribed(world);
  const manage = () => chargebee.hostedPage.managePaymentSources({ customer: { id: ORGANIZATION } });
  const { hosted_page: card } = await manage();
  assert.deepEqual([card.type, card.expires_at - card.created_at], ['manage_payment_sources', 5 * DAY]);
  assert.equal((await sandbox.pay(card.url, FAILS_LATER)).status, 200);
  await sandbox.advance(current_term_end - (await sandbox.now()) + HOUR);
  const { subscription: owing } = await chargebee.subscription.retrieve('tks_interop');
  assert.deepEqual([owing.status, owing.due_invoices_count, owing.total_dues], ['active', 1, 4500]);
  const { hosted_page: collect } = await chargebee.hostedPage.collectNow({ customer: { id: ORGANIZATION } });
  assert.equal(collect.type, 'collect_now');
  assert.equal((await sandbox.pay(collect.url, PAYS)).status, 200);
  const { subscription: paid } = await chargebee.subscription.retrieve('tks_interop');
  assert.deepEqual([paid.due_since, paid.due_invoices_count ?? 0], [undefined, 0]);
});

withSandbox('a portal is opened and left', async (world) => {
  const { chargebee } = world;
  await aCustomer(chargebee);
  const { portal_session: opened } = await chargebee.portalSession.create({
    customer: { id: ORGANIZATION },
    redirect_url: 'http://app.invalid/billing',
  });
  assert.deepEqual([opened.status, opened.customer_id], ['created', ORGANIZATION]);
  assert.equal(opened.expires_at - opened.created_at, HOUR);
  const page = await fetch(opened.access_url);
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-type'), /^text\/html/);
  const { portal_session: inside } = await chargebee.portalSession.retrieve(opened.id);
  assert.equal(inside.status, 'logged_in');
  const { portal_session: left } = await chargebee.portalSession.logout(opened.id);
  assert.equal(left.status, 'logged_out');
  await refused(chargebee.portalSession.create({ customer: { id: 'org_none' } }), { http_status_code: 404 });
});

everythingIsTyped();
