// What everybody sees, whoever takes the money.

import test from 'node:test';

import { Demo } from './demo.js';
import { Eye } from './eye.js';
import { button, heading, link, plan, says } from './ways.js';

test('a guest sees the pages that are for everybody', async (t) => {
  const demo = await Demo.start(t, 'chargebee');
  const eye = await Eye.open(t, demo);
  const page = await eye.visitor();
  const look = (name) => eye.look(page, `guest-${name}`);
  await eye.follow(page, async () => {
    await page.goto(demo.app);
    await look('home');
    await link(page, 'See the plans').click();
    await page.waitForURL('**/pricing');
    await look('pricing');
    await link(page, 'Yearly').click();
    await says(page, 'a year');
    await look('pricing-yearly');

    // Whoever chooses before signing in is led there, and back to the plans.
    await plan(page, 'Growth').getByRole('link').click();
    await heading(page, 'Sign in').waitFor();
    await button(page, 'Cancel and go back').click();
    await heading(page, 'This is not yours to do').waitFor();
    await look('declined');
    eye.clean(403);

    await page.goto(demo.app + '/nothing-is-here');
    await heading(page, 'There is nothing here').waitFor();
    await look('missing');
    eye.clean(404);
    await link(page, 'To the beginning').click();
    await link(page, 'Docs').click();
    await page.waitForURL('**/docs');
    await look('docs');
    await eye.light(page, ['/', '/pricing', '/docs', '/auth/login?next=/billing']);
    await page.goto(demo.sandbox);
    await look('sandbox');
    eye.clean();
  });
});
