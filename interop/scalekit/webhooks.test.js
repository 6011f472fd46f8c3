// What the sandbox tells of organizations and people. (Every other test here checks its deliveries too.)

import assert from 'node:assert/strict';

import { serve } from '../support/server.js';
import { until } from '../support/until.js';
import { PATH, believed, withSandbox } from './client.js';

/** The events of the provider's OpenAPI document. */
const DOCUMENTED = [
  ...['created', 'updated', 'deleted'].flatMap((what) => [`organization.${what}`, `role.${what}`, `permission.${what}`]),
  ...['created', 'deleted', 'dns_verification_success', 'dns_verification_failed'].map(
    (what) => `organization.domain_${what}`,
  ),
  ...['created', 'enabled', 'disabled', 'deleted'].map((what) => `organization.sso_${what}`),
  ...['enabled', 'disabled'].map((what) => `organization.directory_${what}`),
  ...['created', 'updated', 'deleted'].flatMap((what) => [
    `organization.directory.user_${what}`,
    `organization.directory.group_${what}`,
    `user.organization_membership_${what}`,
  ]),
  ...['signup', 'login', 'logout', 'organization_invitation'].map((what) => `user.${what}`),
];

const parsed = ({ receiver }) => receiver.at(PATH).map(({ body }) => JSON.parse(body));

async function aLife(sandbox) {
  const { id } = await sandbox.do('POST', '/sandbox/organizations', { displayName: 'Acmé ✓', externalId: 'acme' });
  const { userId } = await sandbox.do('POST', `/sandbox/organizations/${id}/users`, { email: 'ada@acme.test' });
  await sandbox.do('PATCH', `/sandbox/organizations/${id}`, { displayName: 'Acme 2' });
  await sandbox.do('DELETE', `/sandbox/organizations/${id}/users/${userId}`);
  await sandbox.do('DELETE', `/sandbox/organizations/${id}`);
  await sandbox.delivered();
  return { id, userId };
}

withSandbox('every event of a life is believed', async ({ sandbox }) => {
  const { id } = await aLife(sandbox);
  const events = parsed(sandbox);
  // No order is promised.
  assert.deepEqual(events.map((event) => event.type).sort(), [
    'organization.created',
    'organization.deleted',
    'organization.updated',
    'user.organization_membership_created',
    'user.organization_membership_deleted',
  ]);
  for (const event of events) {
    assert.equal(event.organization_id, id);
    assert.match(event.id, /^evt_/);
    assert.equal(event.spec_version, '1');
  }
});

withSandbox('what is sent on demand is believed', async ({ sandbox }) => {
  for (const event of DOCUMENTED) await sandbox.do('POST', '/sandbox/trigger', { event });
  await sandbox.delivered();
  assert.deepEqual(parsed(sandbox).map((event) => event.type).sort(), DOCUMENTED.toSorted());
});

withSandbox('a retry keeps its id and is signed anew', async ({ scalekit, sandbox }) => {
  await sandbox.do('POST', '/sandbox/organizations', { displayName: 'Acme' });
  await sandbox.delivered();
  const { deliveries } = await sandbox.do('GET', '/sandbox/deliveries?provider=scalekit');
  await sandbox.do('POST', `/sandbox/deliveries/${deliveries[0].id}/resend`);
  const [first, again] = await until('it came again', () => {
    const all = sandbox.receiver.at(PATH);
    return all.length === 2 && all;
  });
  assert.equal(first.headers['webhook-id'], again.headers['webhook-id']);
  assert.deepEqual(first.body, again.body);
  believed(scalekit, sandbox);
});

withSandbox('our server takes in what the client believes', async ({ sandbox }, t) => {
  const server = await serve(t, sandbox);
  await aLife(sandbox);
  const tell = async (headers, body) => {
    const signed = Object.entries(headers).filter(([name]) => name.startsWith('webhook-'));
    const json = { 'content-type': 'application/json' };
    const answer = await fetch(server + PATH, { method: 'POST', headers: { ...json, ...Object.fromEntries(signed) }, body });
    return [answer.status, await answer.json()];
  };
  for (const { headers, body } of sandbox.receiver.at(PATH)) {
    const changed = body.toString().replace('"id"', '"ld"');
    assert.equal((await tell(headers, changed))[0], 401);
    assert.equal((await tell({}, body))[0], 401);
    assert.deepEqual(await tell(headers, body), [200, { received: true }]);
    assert.deepEqual(await tell(headers, body), [200, { received: true, duplicate: true }]);
  }
});
