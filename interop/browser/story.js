// The life of a subscription, as somebody sees it who buys.

import assert from 'node:assert/strict';

import { becomeSomebody, button, heading, link, pay, plan, says, stands, subscription } from './ways.js';

/** From the sign-in to the end of the subscription; everything that is shown on the way is looked at. */
export async function story(demo, eye) {
  const page = await eye.visitor();
  const tale = new Tale(demo, eye, page);
  await eye.follow(page, async () => {
    await tale.signsIn();
    await tale.buys();
    await tale.changes();
    await tale.hesitates();
    await tale.owes();
    await tale.leaves();
  });
}

/** Where a page goes from now on. */
function navigations(page) {
  const seen = [];
  page.on('framenavigated', (frame) => seen.push(frame.url()));
  return seen;
}

class Tale {
  constructor(demo, eye, page) {
    Object.assign(this, { demo, eye, page });
  }

  look = (name) => this.eye.look(this.page, name);
  to = (path) => this.page.goto(this.demo.app + path);
  on = (path) => this.page.waitForURL(this.demo.app + path);
  follow = (name) => link(this.page, name).click();
  press = (name) => button(this.page, name).click();
  reads = (title) => heading(this.page, title).waitFor();

  async signsIn() {
    const { eye, page } = this;
    await this.to('/billing');
    await this.reads('Sign in');
    await this.look('sign-in');
    await becomeSomebody(page, 'nobody', 'Blue Heron');
    await page.getByRole('alert').waitFor();
    await this.look('sign-in-refused');
    eye.clean(400);
    await becomeSomebody(page, 'ada@heron.test', 'Blue Heron');
    await this.on('/billing');
    await says(page, 'Blue Heron');
    await this.look('billing-none');
    await this.press('Sign out');
    await this.on('/');
    await this.follow('Sign in');
    await this.reads('Sign in');
    await page.getByRole('button', { name: 'ada@heron.test' }).click();
    await this.on('/billing');
    eye.clean();
  }

  /** A checkout: left, taken up again, declined, and paid. */
  async buys() {
    const { demo, eye, page } = this;
    await this.to('/pricing');
    await this.look('pricing');
    // What leads on is only seen while nothing comes of going there; then its own link is what is left.
    const there = `${demo.sandbox}/**`;
    await page.route(there, (route) => route.fulfill({ status: 204 }));
    await plan(page, 'Growth').getByRole('button').click({ noWaitAfter: true });
    await this.reads('One moment');
    await this.look('leave');
    await page.unroute(there);
    await this.follow('Go on now');
    await this.reads('Checkout');
    await this.look('checkout');
    await this.press('Cancel and go back');
    await page.waitForURL((url) => url.origin === demo.app);
    await this.to('/billing');
    await stands(page, 'Growth', 'Checkout open');
    await this.look('checkout-open');
    await this.press('Go on with the checkout');
    await this.reads('Checkout');
    eye.clean();
    await pay(page, demo.cards.declined);
    await page.getByRole('alert').waitFor();
    await says(page, 'Your card was declined');
    await this.look('checkout-declined');
    eye.clean(402);
    await pay(page, demo.cards.asks);
    await this.reads('3-D Secure');
    await this.look('challenge');
    await this.press('Fail: it is not');
    await page.getByRole('alert').waitFor();
    await this.look('challenge-failed');
    eye.clean(402);
    // Where the page is open all the time, what was bought appears by itself.
    const elsewhere = await page.context().newPage();
    await elsewhere.goto(demo.app + '/billing');
    await subscription(elsewhere, 'Growth').getByText('Checkout open').waitFor();
    const reloads = navigations(elsewhere);
    await pay(page, demo.cards.pays);
    await this.on('/billing?success=1');
    await subscription(elsewhere, 'Growth').getByText('Trial', { exact: true }).waitFor();
    assert.deepEqual(reloads, []);
    await elsewhere.close();
    await stands(page, 'Growth', 'Trial');
    await this.look('billing-trial');
    eye.clean();
  }

  async changes() {
    const { demo, eye, page } = this;
    // The trial ends while somebody looks at the page, which says so by itself.
    await this.to('/billing');
    await stands(page, 'Growth', 'Trial');
    const reloads = navigations(page);
    await demo.advance(15);
    await subscription(page, 'Growth').getByText('Active', { exact: true }).waitFor();
    await page.getByRole('row', { name: '$49.00' }).getByRole('link', { name: /^PDF/ }).waitFor();
    assert.deepEqual(reloads, []);
    await this.look('billing-active');

    // A step up, at once and for the price that was shown.
    await this.follow('Change plan or seats');
    await this.reads('Change plan or seats');
    await this.look('change');
    await page.getByRole('radio', { name: 'Scale' }).check();
    // For the one person who is in, it would even cost less.
    await button(page, 'Schedule Scale').waitFor();
    const seats = page.getByLabel('Seats', { exact: true });
    await seats.fill('30');
    await seats.press('Tab');
    await says(page, '$450.00');
    await this.look('change-up');
    await button(page, /^Confirm and pay/).click();
    await this.on('/billing?done=changed');
    await stands(page, 'Scale', 'Active');
    await this.look('billing-changed');
    eye.clean();

    // A step down, which waits and is taken back.
    await this.to('/pricing');
    await this.look('pricing-scale');
    await this.follow('Change to Starter');
    await this.reads('Change plan or seats');
    await this.look('change-down');
    await this.press('Schedule Starter');
    await this.on('/billing?done=scheduled');
    await this.look('billing-scheduled');
    await this.press('Take it back');
    await this.on('/billing?done=restored');
    assert.equal(await button(page, 'Take it back').count(), 0);
    eye.clean();
  }

  /** Cancels and comes back, pauses and goes on. */
  async hesitates() {
    const { demo, eye, page } = this;
    await this.follow('Cancel');
    await this.reads('Cancel Scale?');
    await this.look('cancel');
    await this.press('Cancel Scale');
    await this.on('/billing?done=cancelled');
    await stands(page, 'Scale', 'Ends soon');
    await this.look('billing-ends');
    await this.press('Keep Scale');
    await this.on('/billing?done=restored');
    await stands(page, 'Scale', 'Active');

    await this.follow('Pause');
    await this.reads('Pause Scale?');
    await this.look('pause');
    await page.getByRole('radio', { name: 'Now' }).check();
    await this.press('Pause Scale');
    await this.on('/billing?done=paused');
    await stands(page, 'Scale', 'Paused');
    await this.look('billing-paused');
    await this.press('Resume now');
    await this.on('/billing?done=resumed');
    await stands(page, 'Scale', 'Active');
    eye.clean();
  }

  /** A payment fails; at the provider another card settles it, and the contact is put right. */
  async owes() {
    const { demo, eye, page } = this;
    const [{ id }] = (await demo.subscriptions()).filter((row) => row.status === 'active');
    await demo.control('POST', `/sandbox/subscriptions/${id}`, { failNextPayment: true });
    await demo.advance(32);
    await this.to('/billing');
    await stands(page, 'Scale', 'Payment failed');
    await this.look('billing-owes');
    await this.press('Mend the payment');
    await this.reads('Your subscriptions');
    await this.look('portal-owes');
    await page.getByRole('radio', { name: demo.cards.pays }).check();
    await this.press('Use this card');
    await this.reads('Your subscriptions');
    await this.look('portal');
    await page.getByText('Back to the product', { exact: true }).click();
    await this.on('/billing');
    await stands(page, 'Scale', 'Active');

    const email = page.getByLabel('E-mail');
    assert.equal(await email.inputValue(), 'ada@heron.test');
    await email.fill('bills@heron.test');
    await this.press('Save');
    await this.on('/billing?done=contact');
    assert.equal(await email.inputValue(), 'bills@heron.test');
    await this.look('billing-contact');
    eye.clean();
  }

  /** Looks at the invoices, and leaves for good. */
  async leaves() {
    const { demo, eye, page } = this;
    await this.to('/billing/invoices');
    await this.reads('Invoices');
    await this.look('invoices');
    await eye.light(page, ['/', '/pricing', '/billing', '/billing/change', '/billing/cancel', '/billing/pause', '/billing/invoices']);
    const pdf = page.getByRole('link', { name: /^PDF/ }).first();
    const answer = await page.request.get(new URL(await pdf.getAttribute('href'), demo.app).href);
    assert.equal((await answer.body()).subarray(0, 5).toString(), '%PDF-');
    await this.to('/billing');
    await this.follow('Cancel');
    await page.getByRole('radio', { name: 'Now' }).check();
    await page.getByLabel('Why?').fill('We have closed the shop.');
    await this.press('Cancel Scale');
    await this.on('/billing?done=ended');
    await page.getByText('What ended').click();
    await this.look('billing-ended');
    await this.to('/pricing');
    await this.look('pricing-again');
    eye.clean();
    await page.goto(demo.sandbox);
    await this.look('sandbox');
    await page.evaluate(() => document.querySelectorAll('details').forEach((it) => (it.open = true)));
    await this.look('sandbox-open');
    eye.clean();
  }
}
