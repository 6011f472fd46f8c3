// The console, as whoever runs this uses it.

import { button, heading, link, says } from './ways.js';

/** Finds an organization, reads its story, opens a delivery and has it worked on again. */
export async function operate(demo, eye, organization) {
  const page = await eye.visitor();
  const look = (name) => eye.look(page, `console-${name}`);
  await eye.follow(page, async () => {
    await page.goto(demo.app + '/console');
    await heading(page, 'Console').waitFor();
    await look('login');
    await page.getByLabel('Operator key').fill('guessed');
    await button(page, 'Open the console').click();
    await page.getByRole('alert').waitFor();
    await look('refused');
    eye.clean(401);
    await page.getByLabel('Operator key').fill(demo.operatorKey);
    await button(page, 'Open the console').click();
    await heading(page, 'Organizations').waitFor();
    await look('organizations');

    await page.getByLabel('Find an organization').fill('nobody is called that');
    await button(page, 'Find').click();
    await says(page, 'no id and no name begins with it');
    await look('nobody');
    await page.getByLabel('Find an organization').fill(organization.slice(1));
    await page.keyboard.press('Enter');
    await link(page, 'Look at every part of names').click();
    await link(page, organization).waitFor();
    await look('found-anywhere');
    await page.getByLabel('Find an organization').fill(organization);
    await page.keyboard.press('Enter');
    await link(page, organization).click();
    await heading(page, organization).waitFor();
    await heading(page, 'History').waitFor();
    await look('organization');
    const { pathname } = new URL(page.url());
    await button(page, 'Compare with the provider').click();
    await page.getByRole('status').waitFor();
    await look('compared');

    await page.getByRole('group', { name: 'Deliveries about it' }).getByRole('link').first().click();
    await heading(page, 'What it says').waitFor();
    await look('delivery');
    await button(page, 'Work on it again').click();
    await says(page, 'It is worked on again.');
    await look('replayed');
    await link(page, 'All deliveries').click();
    await heading(page, 'Deliveries').waitFor();
    await look('deliveries');
    await eye.light(page, ['/console', '/console/deliveries', pathname]);
    await button(page, 'Sign out').click();
    await heading(page, 'Console').waitFor();
    eye.clean();
  });
}
