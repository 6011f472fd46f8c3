// Our own server beside a sandbox.

import { join } from 'node:path';

import { start } from './program.js';

/** Starts one with a database of its own; answers its address. */
export function serve(t, sandbox) {
  const env = { ...sandbox.env, DATABASE_URL: `sqlite://${join(sandbox.folder, 'tollkeeper.db')}` };
  const address = (line) => line.match(/listening on (http:\/\/[\d.:]+)/)?.[1];
  return start(t, ['serve', '--listen', '127.0.0.1:0'], env, address);
}
