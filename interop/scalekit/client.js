// Scalekit's client, and what every test here ends with: it believes all that the sandbox sent.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';

import { fromJson } from '@bufbuild/protobuf';
import { ScalekitClient } from '@scalekit-sdk/node';

import { Sandbox } from '../support/sandbox.js';

export const PATH = '/api/webhooks/scalekit';

const require = createRequire(import.meta.url);
const messages = (name) => require(`@scalekit-sdk/node/lib/pkg/grpc/scalekit/v1/${name}_pb.js`);

/** The messages of the management API, as the client has them. */
const MESSAGES = {
  ...messages('organizations/organizations'),
  ...messages('users/users'),
  ...messages('errdetails/errdetails'),
};

/** Reads an answer as one of them; a member that it does not have is an error. */
export const read = (message, answer) => fromJson(MESSAGES[message], answer);

/** A client that talks to a sandbox. */
export function client({ env }, { id = env.SCALEKIT_CLIENT_ID, secret = env.SCALEKIT_CLIENT_SECRET } = {}) {
  return new ScalekitClient(env.SCALEKIT_ENV_URL, id, secret);
}

/** The client believes these deliveries, and none of them with a byte, an id, a time or a secret changed. */
export function believed(scalekit, { receiver, env }) {
  const secret = env.SCALEKIT_WEBHOOK_SECRET;
  for (const { headers, body } of receiver.at(PATH)) {
    const payload = body.toString();
    assert.equal(scalekit.verifyWebhookPayload(secret, headers, payload), true);
    const later = String(Number(headers['webhook-timestamp']) + 1);
    for (const [key, given, text] of [
      [secret, headers, payload.replace('"id"', '"ld"')],
      [secret, headers, JSON.stringify(JSON.parse(payload), null, 2)],
      [secret, { ...headers, 'webhook-id': `${headers['webhook-id']}x` }, payload],
      [secret, { ...headers, 'webhook-timestamp': later }, payload],
      [secret, { ...headers, 'webhook-signature': 'v1,AAAA' }, payload],
      [secret, { ...headers, 'webhook-signature': undefined }, payload],
      [`whsec_${Buffer.from('somebody else').toString('base64')}`, headers, payload],
    ]) {
      assert.throws(() => scalekit.verifyWebhookPayload(key, given, text), { name: 'WebhookVerificationError' });
    }
  }
}

/** One test with a sandbox of its own. */
export function withSandbox(name, body) {
  test(name, { timeout: 60_000 }, async (t) => {
    const sandbox = await Sandbox.start(t, 'chargebee');
    const scalekit = client(sandbox);
    await body({ scalekit, sandbox }, t);
    await sandbox.delivered();
    believed(scalekit, sandbox);
  });
}
