// Debian's browser, and what must hold of every page that it shows.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

const PROGRAM = process.env.TOLLKEEPER_CHROMIUM || '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** How long anything that must come may take. */
const PATIENCE_MS = 15_000;
/** A telephone and a desk. */
const SIZES = [
  { width: 390, height: 844 },
  { width: 1440, height: 900 },
];
/** As much of a page as a picture shows, in pixels. */
const TALLEST = 6000;
/** The most that a first visit may bring over the wire, in bytes. */
const HEAVIEST = 50 * 1024;

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Watches what a demo shows, and keeps what it should not have. */
export class Eye {
  /** What was wrong since it was last asked for. */
  #wrong = [];
  /** Answers that were refusals, `402 /path`. */
  #refused = [];
  #shots = new Set();

  /** Opens a browser for one test. */
  static async open(t, demo) {
    assert.ok(existsSync(PROGRAM), `${PROGRAM} is missing: run scripts/test, which installs it`);
    const eye = new Eye();
    eye.demo = demo;
    eye.browser = await chromium.launch({ executablePath: PROGRAM, headless: true, args: FLAGS });
    t.after(() => eye.browser.close());
    const named = process.env.TOLLKEEPER_SHOTS;
    if (named) await mkdir(named, { recursive: true });
    eye.folder = named || (await mkdtemp(join(tmpdir(), 'tollkeeper-shots-')));
    return eye;
  }

  /** A browser as somebody new has it, with an empty page. */
  async visitor(options = {}) {
    const context = await this.browser.newContext({ viewport: SIZES[1], reducedMotion: 'reduce', ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    const home = [this.demo.app, this.demo.sandbox].map((url) => new URL(url).origin);
    context.on('request', (request) => {
      const url = new URL(request.url());
      const allowed = home.includes(url.origin) || url.protocol === 'data:';
      if (!allowed) this.#wrong.push(`a request went to ${url.origin}`);
    });
    context.on('response', (response) => {
      if (response.status() >= 400) this.#refused.push(`${response.status()} ${new URL(response.url()).pathname}`);
    });
    context.on('console', (message) => {
      // The browser says of every refusal that it was one; those are counted above.
      const counted = message.text().startsWith('Failed to load resource: the server responded with a status');
      if (['error', 'warning'].includes(message.type()) && !counted) this.#wrong.push(`the console says: ${message.text()}`);
    });
    context.on('weberror', (error) => this.#wrong.push(`a script failed: ${error.error()}`));
    return context.newPage();
  }

  /** Does something with a page; what it showed last is told with a failure. */
  async follow(page, act) {
    try {
      await act();
    } catch (error) {
      // A page that can no longer be seen must not hide what went wrong.
      await page.screenshot({ path: join(this.folder, this.demo.provider, 'failed.png'), fullPage: true }).catch(() => {});
      const text = await page.locator('body').innerText().catch((blind) => String(blind));
      throw new Error(`${page.url()} shows:\n${text}\n\npictures: ${this.folder}\nbesides: ${this.#wrong}\nthe program said:\n${this.demo.said.slice(-50).join('\n')}`, { cause: error });
    }
  }

  /** Nothing was wrong since the last time, and `refusals` alone were refused: statuses in their order. */
  clean(...refusals) {
    const [wrong, refused] = [this.#wrong, this.#refused];
    [this.#wrong, this.#refused] = [[], []];
    assert.deepEqual(wrong, []);
    assert.deepEqual(refused.map((answer) => answer.split(' ')[0]), refusals.map(String), refused.join(', '));
  }

  /** Whether something of that kind was wrong since the last time. */
  sees(words) {
    return [...this.#wrong, ...this.#refused].some((what) => what.includes(words));
  }

  /**
   * Looks at a page as it is: on a telephone and on a desk, by day and by night. It breaks no rule of axe-core, needs no
   * scrolling sideways, and a picture of it is kept under `name`.
   */
  async look(page, name) {
    assert.ok(!this.#shots.has(name), `two pages are called ${name}`);
    this.#shots.add(name);
    const before = page.viewportSize();
    await page.evaluate(axe);
    for (const size of SIZES) {
      await page.setViewportSize(size);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        const variant = `${name}-${size.width}-${colorScheme}`;
        const path = join(this.folder, this.demo.provider, `${variant}.png`);
        await page.screenshot({ path, fullPage: true, clip: { x: 0, y: 0, width: size.width, height: TALLEST } });
        const found = await page.evaluate(async () => {
          const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
          const root = document.documentElement;
          return {
            broken: violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`)),
            sideways: root.scrollWidth - root.clientWidth,
          };
        });
        assert.deepEqual(found, { broken: [], sideways: 0 }, `${variant}, ${page.url()}`);
      }
    }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize(before);
  }

  /**
   * What a first visit to a page brings over the wire, in bytes: the document and everything it loads, heads and bodies
   * as they were sent, with nothing kept from before but cookies.
   */
  async weigh(path, cookies) {
    const page = await this.visitor({ storageState: { cookies, origins: [] } });
    const wire = await page.context().newCDPSession(page);
    await wire.send('Network.enable');
    let bytes = 0;
    wire.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
    await page.goto(this.demo.app + path, { waitUntil: 'load' });
    await page.context().close();
    return bytes;
  }

  /** Each of these pages is light on a first visit by whoever sits at `page`: fewer than `most` bytes. */
  async light(page, paths, most = HEAVIEST) {
    const cookies = await page.context().cookies();
    for (const path of paths) {
      const bytes = await this.weigh(path, cookies);
      assert.ok(bytes > 0 && bytes < most, `${path} brings ${bytes} bytes over the wire`);
    }
  }
}
