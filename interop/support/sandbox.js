// A sandbox of its own for one test, and its control API in short words.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { start } from './program.js';
import { Receiver } from './receiver.js';
import { until } from './until.js';

export const DAY = 24 * 60 * 60;

export class Sandbox {
  /** Starts one. `env` is what a server needs to talk to it, `receiver` is where its webhooks go. */
  static async start(t, provider) {
    const sandbox = new Sandbox();
    sandbox.receiver = await Receiver.start(t);
    sandbox.folder = await mkdtemp(join(tmpdir(), 'tollkeeper-interop-'));
    const file = join(sandbox.folder, 'sandbox.env');
    const args = ['sandbox', '--listen', '127.0.0.1:0', '--app-url', sandbox.receiver.url];
    await start(t, [...args, '--env-file', file, '--provider', provider], {}, (line) => line.includes(file));
    // Hooks run in the order in which they were given: the folder goes after the program has.
    t.after(() => rm(sandbox.folder, { recursive: true }));
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    sandbox.env = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    sandbox.url = sandbox.env.SCALEKIT_ENV_URL;
    return sandbox;
  }

  /** A call of the control API: `{status, body}`. */
  async control(method, path, body) {
    const headers = body && { 'content-type': 'application/json' };
    const answer = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, body: text && JSON.parse(text) };
  }

  /** A call that must succeed. */
  async do(method, path, body) {
    const answer = await this.control(method, path, body);
    assert.ok(answer.status < 300, `${method} ${path} answered ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Pays at a hosted page as a browser would: `{status, body}`. */
  pay(url, card, challenge) {
    return this.control('POST', '/sandbox/hosted/complete', { url, card, challenge });
  }

  /** Moves business time; answers what it is now, in Unix seconds. */
  async advance(seconds) {
    return unix((await this.do('POST', '/sandbox/clock', { advanceSeconds: seconds })).now);
  }

  /** Business time, in Unix seconds. */
  async now() {
    return unix((await this.do('GET', '/sandbox/clock')).now);
  }

  /** Waits until nothing is on its way to the receiver. */
  async delivered() {
    await until('every delivery was answered', async () => {
      const { deliveries } = await this.do('GET', '/sandbox/deliveries');
      return deliveries.every((delivery) => delivery.state === 'delivered');
    });
  }
}

const unix = (instant) => Math.floor(Date.parse(instant) / 1000);
