// What people do, in the words of the pages.

import { until } from '../support/until.js';

export const button = (page, name) => page.getByRole('button', { name, exact: true });
export const link = (page, name) => page.getByRole('link', { name, exact: true });
export const heading = (page, name) => page.getByRole('heading', { name, exact: true });

/** Waits until the page says something. */
export async function says(page, text) {
  await page.locator('main').getByText(text).first().waitFor();
}

/** On the sandbox's page: somebody new, in an organization that is new, too. */
export async function becomeSomebody(page, email, organization) {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Name of a new organization').fill(organization);
  await button(page, 'Sign in').click();
}

/** On the plans: what leads to this one. */
export const plan = (page, title) => page.getByRole('listitem').filter({ has: heading(page, title) });

/** On the hosted page: pays with one of the test cards that it offers. */
export async function pay(page, card) {
  await page.getByRole('radio', { name: card }).check();
  await button(page, 'Pay').click();
}

/** The subscription that bears the plan's name. */
export const subscription = (page, title) => page.locator('.card').filter({ has: heading(page, title) });

/** Waits until the subscription's badge says so, and asks again as somebody impatient does. */
export async function stands(page, title, badge) {
  const found = subscription(page, title).locator('.badge', { hasText: badge });
  await until(`${title} stands as ${badge}`, async () => {
    if (await found.count()) return true;
    await page.reload();
    return false;
  });
}
