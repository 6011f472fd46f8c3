import { setTimeout as pause } from 'node:timers/promises';

import { PATIENCE_MS } from './program.js';

const POLL_MS = 20;

/** Waits until `look` finds something, and answers it. */
export async function until(what, look) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await pause(POLL_MS);
  }
}
