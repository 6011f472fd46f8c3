// Tokens of people and of programs, as the client believes them.

import assert from 'node:assert/strict';

import { serve } from '../support/server.js';
import { client, withSandbox } from './client.js';

const anOrganization = (sandbox) => sandbox.do('POST', '/sandbox/organizations', { displayName: 'Acme' });

const tokens = (sandbox, organizationId, more = {}) =>
  sandbox.do('POST', '/sandbox/tokens', { email: 'ada@acme.test', organizationId, roles: ['admin'], ...more });

withSandbox('a token is believed, with what it says', async ({ scalekit, sandbox }) => {
  const { id } = await anOrganization(sandbox);
  const { accessToken, idToken, userId } = await tokens(sandbox, id);
  const options = { issuer: sandbox.url, audience: [sandbox.env.SCALEKIT_CLIENT_ID] };
  assert.equal(await scalekit.validateAccessToken(accessToken), true);
  const claims = await scalekit.validateToken(accessToken, options);
  assert.deepEqual([claims.oid, claims.sub, claims.iss], [id, userId, sandbox.url]);
  assert.deepEqual([claims.roles, claims.permissions], [['admin'], ['billing:manage', 'billing:read']]);
  assert.deepEqual([claims.exp - claims.iat, claims.email], [300, undefined]);
  for (const name of ['aud', 'jti', 'nbf', 'sid', 'client_id']) assert.ok(claims[name], name);
  const person = await scalekit.validateToken(idToken, options);
  assert.deepEqual([person.email, person.sub, person.oid, person.azp], ['ada@acme.test', userId, id, person.aud[0]]);
});

withSandbox('tokens that nobody should believe', async ({ scalekit, sandbox }) => {
  const { id } = await anOrganization(sandbox);
  const audience = [sandbox.env.SCALEKIT_CLIENT_ID];
  const options = { issuer: sandbox.url, audience };
  const refused = async (what, more, given = options) => {
    const { accessToken } = await tokens(sandbox, id, more);
    assert.equal(await scalekit.validateAccessToken(accessToken, given), false, what);
    await assert.rejects(scalekit.validateToken(accessToken, given), {
      name: 'ScalekitValidateTokenFailureException',
    });
  };
  await refused('expired', { ttlSeconds: -1 });
  await refused('signed by somebody else', { signWith: 'foreign' });
  await refused('not signed', { signWith: 'none' });
  await refused('not yet', { claims: { nbf: Math.floor(Date.now() / 1000) + 600 } });
  await refused('of another issuer', { claims: { iss: 'https://other.invalid' } });
  await refused('for another audience', { claims: { aud: ['skc_other'] } });
  await refused('without what was asked for', {}, { ...options, requiredScopes: ['billing'] });
  // The client itself asks after issuer and audience only where it is told to.
  const { accessToken } = await tokens(sandbox, id, { claims: { iss: 'https://other.invalid', aud: ['skc_other'] } });
  assert.equal(await scalekit.validateAccessToken(accessToken), true);
});

withSandbox('our server believes fewer tokens than the client', async ({ scalekit, sandbox }, t) => {
  const server = await serve(t, sandbox);
  const { id } = await anOrganization(sandbox);
  const status = async (more) => {
    const { accessToken } = await tokens(sandbox, id, more);
    const answer = await fetch(`${server}/api/session`, { headers: { authorization: `Bearer ${accessToken}` } });
    return [await scalekit.validateAccessToken(accessToken), answer.status];
  };
  assert.deepEqual(await status({}), [true, 200]);
  assert.deepEqual(await status({ ttlSeconds: -120 }), [false, 401]);
  assert.deepEqual(await status({ signWith: 'foreign' }), [false, 401]);
  assert.deepEqual(await status({ signWith: 'none' }), [false, 401]);
  // What the client believes unless it is told whom to believe.
  assert.deepEqual(await status({ claims: { iss: 'https://other.invalid' } }), [true, 401]);
  assert.deepEqual(await status({ claims: { aud: ['skc_other'] } }), [true, 401]);
  assert.deepEqual(await status({ claims: { exp: null } }), [true, 401]);
  // A program of an organization has its id, and is no person.
  const program = { sub: 'm2morg_1', client_id: 'm2morg_1', sid: null };
  assert.deepEqual(await status({ claims: program }), [true, 401]);
  assert.deepEqual(await status({ claims: { oid: null } }), [true, 403]);
});

withSandbox('a program gets a token for the management API', async ({ scalekit, sandbox }) => {
  const token = await scalekit.getClientAccessToken();
  const claims = await scalekit.validateToken(token, { issuer: sandbox.url });
  assert.deepEqual([claims.sub, claims.oid], [sandbox.env.SCALEKIT_CLIENT_ID, undefined]);
  assert.ok(claims.exp - claims.iat >= 86_399);
  const answer = await fetch(`${sandbox.url}/api/v1/organizations`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200);
  for (const wrong of [{ secret: 'wrong' }, { id: 'skc_wrong' }]) {
    await assert.rejects(client(sandbox, wrong).getClientAccessToken(), (error) => {
      assert.equal(error.name, 'ScalekitUnauthorizedException', error);
      assert.equal(error.httpStatus, 401);
      return true;
    });
  }
});
