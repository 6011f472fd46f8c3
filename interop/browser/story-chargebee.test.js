import test from 'node:test';

import { Demo } from './demo.js';
import { Eye } from './eye.js';
import { story } from './story.js';

test('somebody buys, changes and leaves, with Chargebee', async (t) => {
  const demo = await Demo.start(t, 'chargebee');
  await story(demo, await Eye.open(t, demo));
});
