// Signing in and out with the client: the address of the page, the code, the tokens, and the way out.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';

import { withSandbox } from './client.js';

const CALLBACK = 'http://127.0.0.1:3000/auth/callback';
const SCOPES = ['openid', 'profile', 'email', 'offline_access'];

/** An organization whose administrator is Ada. */
async function acme(sandbox) {
  const { id } = await sandbox.do('POST', '/sandbox/organizations', { displayName: 'Acme', externalId: 'acme' });
  const { userId } = await sandbox.do('POST', `/sandbox/organizations/${id}/users`, { email: 'ada@acme.test' });
  return { id, userId };
}

/** What the browser brings back from the page. */
async function signIn(sandbox, url, more) {
  const page = await fetch(url);
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-type'), /^text\/html/);
  const { redirectUrl } = await sandbox.do('POST', '/sandbox/signin/complete', { url, ...more });
  assert.ok(redirectUrl.startsWith(CALLBACK), redirectUrl);
  return Object.fromEntries(new URL(redirectUrl).searchParams);
}

/** Whether the token endpoint refused with a word of OAuth. */
const refusal = (word) => (error) => {
  assert.deepEqual([error.response?.status, error.response?.data.error], [400, word], error);
  return true;
};

withSandbox('somebody signs in, goes on, and leaves', async ({ scalekit, sandbox }) => {
  const { id, userId } = await acme(sandbox);
  const codeVerifier = randomBytes(32).toString('base64url');
  const url = scalekit.getAuthorizationUrl(CALLBACK, {
    scopes: SCOPES,
    state: 'st&te',
    nonce: 'n0nce',
    loginHint: 'ada@acme.test',
    organizationId: id,
    codeChallenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    codeChallengeMethod: 'S256',
  });
  const back = await signIn(sandbox, url, { email: 'ada@acme.test', organizationId: id });
  assert.equal(back.state, 'st&te');
  const session = await scalekit.authenticateWithCode(back.code, CALLBACK, { codeVerifier });
  assert.deepEqual([session.user.id, session.user.email], [userId, 'ada@acme.test']);
  assert.equal(session.user.emailVerified, true);
  // A code is worth nothing after it was used.
  await assert.rejects(scalekit.authenticateWithCode(back.code, CALLBACK, { codeVerifier }), refusal('invalid_grant'));

  const options = { issuer: sandbox.url, audience: [sandbox.env.SCALEKIT_CLIENT_ID] };
  const claims = await scalekit.validateToken(session.accessToken, options);
  assert.deepEqual([claims.oid, claims.xoid, claims.sub, claims.roles], [id, 'acme', userId, ['admin']]);
  assert.ok(session.expiresIn <= claims.exp - claims.iat && session.expiresIn >= 290);
  const person = await scalekit.validateToken(session.idToken, options);
  assert.deepEqual([person.nonce, person.sid, person.sub], ['n0nce', claims.sid, userId]);
  const half = createHash('sha256').update(session.accessToken).digest().subarray(0, 16).toString('base64url');
  assert.equal(person.at_hash, half);

  const out = scalekit.getLogoutUrl({
    idTokenHint: session.idToken,
    postLogoutRedirectUri: 'http://127.0.0.1:3000/',
    state: 'bye',
  });
  const left = await fetch(out, { redirect: 'manual' });
  assert.ok(left.status >= 300 && left.status < 400, `${left.status}`);
  assert.equal(left.headers.get('location'), 'http://127.0.0.1:3000/?state=bye');
});

withSandbox('a session is renewed, one token after the other', async ({ scalekit, sandbox }) => {
  const { id } = await acme(sandbox);
  const url = scalekit.getAuthorizationUrl(CALLBACK, { scopes: SCOPES, state: 's' });
  const { code } = await signIn(sandbox, url, { email: 'ada@acme.test', organizationId: id });
  const session = await scalekit.authenticateWithCode(code, CALLBACK);
  const renewed = await scalekit.refreshAccessToken(session.refreshToken);
  assert.equal(await scalekit.validateAccessToken(renewed.accessToken), true);
  assert.notEqual(renewed.refreshToken, session.refreshToken);
  const before = await scalekit.validateToken(session.accessToken);
  const after = await scalekit.validateToken(renewed.accessToken);
  assert.deepEqual([after.sid, after.oid], [before.sid, id]);
  assert.notEqual(after.jti, before.jti);
  // A token that was used is worth nothing; the client words the refusal itself.
  await assert.rejects(scalekit.refreshAccessToken(session.refreshToken), /status code 400/);
  await assert.rejects(scalekit.refreshAccessToken('nonsense'), /status code 400/);
});

withSandbox('without the scope for it there is nothing to renew with', async ({ scalekit, sandbox }) => {
  const { id } = await acme(sandbox);
  const url = scalekit.getAuthorizationUrl(CALLBACK, { state: 's' });
  const { code } = await signIn(sandbox, url, { email: 'ada@acme.test', organizationId: id });
  const session = await scalekit.authenticateWithCode(code, CALLBACK);
  assert.equal(session.refreshToken, undefined);
});

withSandbox('a code is for who asked for it', async ({ scalekit, sandbox }) => {
  const { id } = await acme(sandbox);
  const codeChallenge = createHash('sha256').update('v'.repeat(43)).digest('base64url');
  const url = scalekit.getAuthorizationUrl(CALLBACK, { state: 's', codeChallenge, codeChallengeMethod: 'S256' });
  const code = async () => (await signIn(sandbox, url, { email: 'ada@acme.test', organizationId: id })).code;
  const elsewhere = 'http://127.0.0.1:3000/other';
  const codeVerifier = 'v'.repeat(43);
  const refused = refusal('invalid_grant');
  await assert.rejects(scalekit.authenticateWithCode(await code(), CALLBACK), refused);
  await assert.rejects(scalekit.authenticateWithCode(await code(), CALLBACK, { codeVerifier: 'w'.repeat(43) }), refused);
  await assert.rejects(scalekit.authenticateWithCode(await code(), elsewhere, { codeVerifier }), refused);
  await assert.rejects(scalekit.authenticateWithCode('nonsense', CALLBACK, { codeVerifier }), refused);
  assert.ok((await scalekit.authenticateWithCode(await code(), CALLBACK, { codeVerifier })).accessToken);
});

withSandbox('who would rather not is sent back without a code', async ({ scalekit, sandbox }) => {
  const url = scalekit.getAuthorizationUrl(CALLBACK, { state: 's', prompt: 'create' });
  const back = await signIn(sandbox, url, { cancel: true });
  assert.deepEqual([back.error, back.state, back.code], ['access_denied', 's', undefined]);
  const stranger = await fetch(scalekit.getAuthorizationUrl('https://evil.invalid/', { state: 's' }), {
    redirect: 'manual',
  });
  assert.equal(stranger.status, 400);
});

withSandbox('somebody new brings a new organization', async ({ scalekit, sandbox }) => {
  const url = scalekit.getAuthorizationUrl(CALLBACK, { state: 's', prompt: 'create' });
  const { code } = await signIn(sandbox, url, { email: 'bob@new.test', organizationName: 'New' });
  const { accessToken } = await scalekit.authenticateWithCode(code, CALLBACK);
  const claims = await scalekit.validateToken(accessToken);
  assert.match(claims.oid, /^org_/);
  assert.deepEqual(claims.roles, ['admin']);
});
