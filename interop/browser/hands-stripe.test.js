import test from 'node:test';

import { Demo } from './demo.js';
import { Eye } from './eye.js';
import { byKeyboard, withoutScripts } from './hands.js';
import { operate } from './operator.js';

test('the main way by other hands, with Stripe', async (t) => {
  const demo = await Demo.start(t, 'stripe');
  const eye = await Eye.open(t, demo);
  await t.test('by keyboard alone', () => byKeyboard(demo, eye));
  await t.test('without scripts', () => withoutScripts(demo, eye));
  await t.test('the hands of an operator', () => operate(demo, eye, 'Plain'));
});
