// Standard Webhooks by the library of those who wrote the specification: it believes what the sandbox signs as Scalekit,
// and our server believes what it signs.

import assert from 'node:assert/strict';
import test from 'node:test';

import { Webhook, WebhookVerificationError } from 'standardwebhooks';

import { Sandbox } from '../support/sandbox.js';
import { serve } from '../support/server.js';

const PATH = '/api/webhooks/scalekit';

const seconds = () => Math.floor(Date.now() / 1000);

const withSandbox = (name, body) =>
  test(name, { timeout: 60_000 }, async (t) => body(await Sandbox.start(t, 'chargebee'), t));

withSandbox('the library believes what the sandbox signs', async (sandbox) => {
  const { id } = await sandbox.do('POST', '/sandbox/organizations', { displayName: 'Acmé ✓' });
  await sandbox.do('POST', `/sandbox/organizations/${id}/users`, { email: 'ada@acme.test' });
  await sandbox.do('POST', '/sandbox/trigger', { event: 'organization.directory.user_deleted' });
  await sandbox.delivered();
  const webhook = new Webhook(sandbox.env.SCALEKIT_WEBHOOK_SECRET);
  const stranger = new Webhook(`whsec_${Buffer.from('somebody else'.repeat(3)).toString('base64')}`);
  const deliveries = sandbox.receiver.at(PATH);
  assert.equal(deliveries.length, 3);
  for (const { headers, body } of deliveries) {
    const text = body.toString();
    assert.deepEqual(webhook.verify(text, headers), JSON.parse(text));
    // To the letter: the same signature, not only one that passes.
    const at = new Date(Number(headers['webhook-timestamp']) * 1000);
    assert.equal(headers['webhook-signature'], webhook.sign(headers['webhook-id'], at, text));
    assert.throws(() => stranger.verify(text, headers), WebhookVerificationError);
    assert.throws(() => webhook.verify(`${text} `, headers), WebhookVerificationError);
  }
});

withSandbox('our server believes what the library signs, and nothing else', async (sandbox, t) => {
  const server = await serve(t, sandbox);
  const webhook = new Webhook(sandbox.env.SCALEKIT_WEBHOOK_SECRET);
  const stranger = new Webhook(Buffer.from('somebody else'.repeat(3)).toString('base64'));
  const payload = JSON.stringify({
    spec_version: '1',
    id: 'evt_interop',
    type: 'organization.created',
    occurred_at: new Date().toISOString(),
    environment_id: 'env_interop',
    organization_id: 'org_interop',
    object: 'Organization',
    data: { id: 'org_interop', display_name: 'Acmé ✓' },
  });
  const signed = (id, at, by = webhook) => ({
    'webhook-id': id,
    'webhook-timestamp': String(at),
    'webhook-signature': by.sign(id, new Date(at * 1000), payload),
  });
  const tell = async (headers, body = payload) => {
    const json = { 'content-type': 'application/json' };
    const answer = await fetch(server + PATH, { method: 'POST', headers: { ...json, ...headers }, body });
    return [answer.status, await answer.json()];
  };
  const now = seconds();
  const good = signed('msg_1', now);
  for (const [what, headers, body] of [
    ['a wrong secret', signed('msg_1', now, stranger)],
    ['an old time', signed('msg_1', now - 600)],
    ['a time to come', signed('msg_1', now + 600)],
    ['another id', { ...good, 'webhook-id': 'msg_2' }],
    ['another time', { ...good, 'webhook-timestamp': String(now - 1) }],
    ['another version', { ...good, 'webhook-signature': good['webhook-signature'].replace('v1,', 'v1a,') }],
    ['a changed byte', good, payload.replace('Acm', 'Bcm')],
    ['no signature', { 'webhook-id': 'msg_1', 'webhook-timestamp': String(now) }],
  ]) {
    const [status, problem] = await tell(headers, body);
    assert.equal(status, 401, `${what}: ${JSON.stringify(problem)}`);
    assert.throws(() => webhook.verify(body ?? payload, headers), WebhookVerificationError, what);
  }
  // While a secret is exchanged both are there; the one that is known counts.
  const both = `${stranger.sign('msg_1', new Date(now * 1000), payload)} ${good['webhook-signature']}`;
  assert.deepEqual(await tell({ ...good, 'webhook-signature': both }), [200, { received: true }]);
  assert.deepEqual(await tell(signed('msg_1', now - 240)), [200, { received: true, duplicate: true }]);
});
