// The main way by other hands: by keyboard alone, and without scripts.

import assert from 'node:assert/strict';

import { Keys } from './keys.js';
import { becomeSomebody, button, heading, link, pay, plan, says, stands } from './ways.js';

/** Signs in, chooses, pays and cancels by keyboard alone. */
export async function byKeyboard(demo, eye) {
  const page = await eye.visitor();
  const keys = new Keys(page);
  const on = (path) => page.waitForURL(demo.app + path);
  await eye.follow(page, async () => {
    await page.goto(demo.app + '/pricing');
    await keys.enter(page.getByRole('link', { name: 'Skip to the content' }));
    await keys.enter(plan(page, 'Starter').getByRole('link'));
    await heading(page, 'Sign in').waitFor();
    await keys.write(page.getByLabel('E-mail'), 'kim@keys.test');
    await keys.write(page.getByLabel('Name of a new organization'), 'Keys');
    await keys.press('Enter');
    await page.waitForURL(/pricing/);
    await keys.enter(plan(page, 'Starter').getByRole('button'));
    await heading(page, 'Checkout').waitFor();
    await keys.choose(page.getByRole('group', { name: 'Test card' }), page.getByRole('radio', { name: demo.cards.asks }));
    await keys.enter(button(page, 'Pay'));
    await keys.enter(button(page, 'Pass: it is mine'));
    await on('/billing?success=1');
    await stands(page, 'Starter', 'Active');

    await keys.enter(link(page, 'Change plan or seats'));
    await heading(page, 'Change plan or seats').waitFor();
    await keys.write(page.getByLabel('Seats', { exact: true }), '4');
    await keys.enter(button(page, 'Show what it costs'));
    await keys.enter(button(page, /^(Confirm|Schedule)/));
    await page.waitForURL(/done=/);
    await keys.enter(link(page, 'Cancel'));
    await heading(page, 'Cancel Starter?').waitFor();
    await keys.choose(page.getByRole('group', { name: 'When' }), page.getByRole('radio', { name: 'Now' }));
    await keys.write(page.getByLabel('Why?'), 'Enough typed.');
    await keys.enter(button(page, 'Cancel Starter'));
    await on('/billing?done=ended');
    await keys.enter(button(page, 'Sign out'));
    await on('/');
    eye.clean();
  });
}

/** Signs in, chooses, pays, changes, cancels and comes back where no script runs. */
export async function withoutScripts(demo, eye) {
  const page = await eye.visitor({ javaScriptEnabled: false });
  const on = (path) => page.waitForURL(demo.app + path);
  await eye.follow(page, async () => {
    await page.goto(demo.app + '/billing');
    await becomeSomebody(page, 'sam@plain.test', 'Plain');
    await on('/billing');
    await link(page, 'See the plans').click();
    await on('/pricing');
    await plan(page, 'Growth').getByRole('button').click();
    await heading(page, 'Checkout').waitFor();
    await pay(page, demo.cards.pays);
    await on('/billing?success=1');
    await stands(page, 'Growth', 'Trial');
    await link(page, 'Look at the invoices').click();
    await heading(page, 'Invoices').waitFor();
    await link(page, 'Back to billing').click();

    await link(page, 'Change plan or seats').click();
    await page.getByRole('radio', { name: 'Scale' }).check();
    await page.getByLabel('Seats', { exact: true }).fill('5');
    await button(page, 'Show what it costs').click();
    await says(page, '$75.00');
    await button(page, /^(Confirm|Schedule)/).click();
    await on('/billing?done=changed');
    await stands(page, 'Scale', 'Trial');
    await link(page, 'Cancel').click();
    await button(page, 'Cancel Scale').click();
    await on('/billing?done=cancelled');
    await button(page, 'Go on after the trial').click();
    await on('/billing?done=restored');
    await button(page, 'Manage payment').click();
    await heading(page, 'Your subscriptions').waitFor();
    await page.getByText('Back to the product', { exact: true }).click();
    await on('/billing');
    await button(page, 'Sign out').click();
    await on('/');
    assert.equal(await button(page, 'Sign out').count(), 0);
    eye.clean();
  });
}
