// What the other tests rely on: that nothing wrong goes unseen.

import assert from 'node:assert/strict';
import test from 'node:test';

import { until } from '../support/until.js';
import { Demo } from './demo.js';
import { Eye } from './eye.js';

test('what is wrong with a page is seen', async (t) => {
  const demo = await Demo.start(t, 'chargebee');
  const eye = await Eye.open(t, demo);
  const page = await eye.visitor();
  const add = (html) => page.evaluate((text) => document.querySelector('main').insertAdjacentHTML('beforeend', text), html);
  const seen = async (words) => {
    await until(`it is seen: ${words}`, () => eye.sees(words));
    assert.throws(() => eye.clean());
    eye.clean();
  };

  await page.goto(demo.app);
  await add('<img src="/static/nothing.png" alt="">');
  await seen('404 /static/nothing.png');
  await add('<p style="color: red">Red.</p>');
  await seen('style');
  await page.evaluate(() => setTimeout(() => globalThis.nothing.is.here));
  await seen('a script failed');
  await page.goto(demo.app.replace('127.0.0.1', 'localhost'));
  await seen('a request went to http://localhost');

  await page.goto(demo.app);
  await add('<button></button>');
  await assert.rejects(eye.look(page, 'nameless'), /button-name/);
  await page.goto(demo.app);
  await add(`<pre>${'wide'.repeat(500)}</pre>`);
  await assert.rejects(eye.look(page, 'wide'), /sideways/);
  await assert.rejects(eye.light(page, ['/'], 2000), /over the wire/);
});
