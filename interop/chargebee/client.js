// Chargebee's client, watched: what it is answered and told is held against its own types.

import assert from 'node:assert/strict';
import test from 'node:test';

import Chargebee from 'chargebee';

import { Sandbox } from '../support/sandbox.js';
import { strangers } from '../support/types.js';
import { believed } from './deliveries.js';

const HEAD = `
import Chargebee, { type WebhookContentMap, type WebhookEvent, WebhookEventType } from 'chargebee';
type Call<Resource extends keyof Chargebee, Action extends keyof Chargebee[Resource]> =
  Extract<Chargebee[Resource][Action], (...given: any[]) => Promise<any>>;
type Told<Kind extends WebhookEventType> =
  Omit<WebhookEvent<Kind>, 'content'> & { content: WebhookContentMap[Kind] };
`;

/** Everything that was asked, answered and told in this file, with the type that it should have. */
const seen = [];

/** What the client adds to an answer. */
const bare = ({ headers, httpStatusCode, isIdempotencyReplayed, ...answer }) => answer;

const pascal = (words) => words.replace(/(^|_)(\w)/g, (_, __, letter) => letter.toUpperCase());

/** The types name the rows of a list in the singular where the provider sends a list in the plural. */
const singular = (content) =>
  Object.fromEntries(
    Object.entries(content).map(([name, value]) => [Array.isArray(value) ? name.replace(/s$/, '') : name, value]),
  );

function sawEvent(event) {
  const type = `Told<WebhookEventType.${pascal(event.event_type)}>`;
  seen.push({ type, value: { ...event, content: singular(event.content) } });
}

function sawCall(resource, action, given) {
  const place = typeof given[0] === 'string' ? 1 : 0;
  if (!given[place]) return;
  seen.push({ type: `NonNullable<Parameters<Call<'${resource}', '${action}'>>[${place}]>`, value: given[place] });
}

function sawAnswer(resource, action, answer) {
  const type = `Awaited<ReturnType<Call<'${resource}', '${action}'>>>`;
  if (resource !== 'event') seen.push({ type, value: bare(answer) });
  // The type of an event from the list is all contents at once; one that was sent has a type for each.
  else for (const { event } of answer.list ?? [answer]) sawEvent(event);
}

/** A client that talks to a sandbox. */
export function client(sandbox, options = {}) {
  const { hostname, port } = new URL(sandbox.url);
  const chargebee = new Chargebee({
    site: hostname,
    hostSuffix: '',
    protocol: 'http',
    port,
    apiKey: sandbox.env.CHARGEBEE_API_KEY,
    sdkTelemetryEnabled: false,
    ...options,
  });
  const watched = (resource) =>
    new Proxy(chargebee[resource], {
      get:
        (actions, action) =>
        async (...given) => {
          // The client writes into what it is given.
          const wish = structuredClone(given);
          const answer = await actions[action](...given);
          sawCall(resource, action, wish);
          sawAnswer(resource, action, answer);
          return answer;
        },
    });
  return new Proxy(chargebee, { get: (_, resource) => watched(resource) });
}

/** One test with a sandbox of its own. Whatever the sandbox sent in it must be believed by the client. */
export function withSandbox(name, body) {
  test(name, { timeout: 60_000 }, async (t) => {
    const sandbox = await Sandbox.start(t, 'chargebee');
    await body({ chargebee: client(sandbox), sandbox }, t);
    await sandbox.delivered();
    for (const event of await believed(sandbox)) sawEvent(event);
  });
}

/** What nobody could mean. */
const NONSENSE = [{ status: 'activ' }, { colour: 'red' }, { subscription_items: [{ quantity: '3' }] }].map(
  (subscription) => ({ type: "Awaited<ReturnType<Call<'subscription', 'retrieve'>>>", value: { subscription } }),
);

/** The last test of a file: everything that was asked, answered and told in it is of the client's types. */
export function everythingIsTyped() {
  test('everything that was asked, answered and told is of the types of the client', () => {
    assert.ok(seen.length > 0);
    const found = strangers(HEAD, [...NONSENSE, ...seen]);
    const blind = NONSENSE.filter((_, index) => found[index].length === 0);
    assert.deepEqual(blind, [], 'the types would say something if there were something to say');
    assert.equal(found.slice(NONSENSE.length).flat().join('\n'), '');
  });
}

/** A call that must be refused: the members of the refusal that are named. */
export async function refused(call, expected) {
  const refusal = await call.then(
    (answer) => assert.fail(`it was not refused: ${JSON.stringify(answer)}`),
    (error) => error,
  );
  assert.equal(typeof refusal.message, 'string', JSON.stringify(refusal));
  const told = Object.fromEntries(Object.keys(expected).map((name) => [name, refusal[name]]));
  assert.deepEqual(told, expected, refusal.message);
  return refusal;
}
