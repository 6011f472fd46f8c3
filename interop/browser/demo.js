// A demo of its own: the server and the sandbox, as `tollkeeper demo` starts them.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { start } from '../support/program.js';

export const DAY = 24 * 60 * 60;

/** The test cards of each provider, by what they do. */
const CARDS = {
  chargebee: {
    pays: '4111 1111 1111 1111',
    declined: '4119 8627 6033 8320',
    failsLater: '4005 5192 0000 0004',
    asks: '4000 0027 6000 3184',
  },
  stripe: {
    pays: '4242 4242 4242 4242',
    declined: '4000 0000 0000 0002',
    failsLater: '4000 0000 0000 0341',
    asks: '4000 0027 6000 3184',
  },
};

export class Demo {
  /** What it wrote. */
  said = [];

  /** Starts one that is ready: `app` and `sandbox` are where it answers. */
  static async start(t, provider) {
    const demo = new Demo();
    const folder = await mkdtemp(join(tmpdir(), 'tollkeeper-browser-'));
    const anywhere = ['--listen', '127.0.0.1:0', '--sandbox-listen', '127.0.0.1:0'];
    await start(t, ['demo', ...anywhere, '--provider', provider, '--data', folder], {}, (line) => line.includes('Ctrl-C'), demo.said);
    // Hooks run in the order in which they were given: the folder goes after the program has.
    t.after(() => rm(folder, { recursive: true }));
    const told = JSON.parse(await readFile(join(folder, 'demo.json'), 'utf8'));
    demo.provider = provider;
    demo.app = told.appUrl;
    demo.sandbox = told.sandboxUrl;
    demo.operatorKey = told.operatorKey;
    demo.cards = CARDS[provider];
    return demo;
  }

  /** A call of the sandbox's control API. */
  async control(method, path, body) {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(this.sandbox + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path} answered ${answer.status} ${text}`);
    return text && JSON.parse(text);
  }

  /** The subscriptions at the provider. */
  async subscriptions() {
    return (await this.control('GET', '/sandbox/truth')).subscriptions;
  }

  /** Moves business time. */
  async advance(days) {
    await this.control('POST', '/sandbox/clock', { advanceSeconds: days * DAY });
  }
}
