// The management API in JSON. The client itself speaks gRPC for it, which the sandbox does not: what is read here is the
// JSON that stands beside it, into the client's own messages.

import assert from 'node:assert/strict';

import { read, withSandbox } from './client.js';

/** A call with a management token: its answer, which must have a status. */
async function rest({ scalekit, sandbox }, wanted, method, path, body) {
  const authorization = `Bearer ${await scalekit.getClientAccessToken()}`;
  const headers = { authorization, 'content-type': 'application/json' };
  const answer = await fetch(`${sandbox.url}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  const json = await answer.json();
  assert.equal(answer.status, wanted, `${method} ${path}: ${JSON.stringify(json)}`);
  return json;
}

withSandbox('an organization is made, found, changed and deleted', async (world) => {
  const wish = { display_name: 'Acme', external_id: 'acme', metadata: { plan: 'free' } };
  const made = read('CreateOrganizationResponseSchema', await rest(world, 201, 'POST', '/organizations', wish));
  const { id } = made.organization;
  assert.match(id, /^org_/);
  for (const path of [`/organizations/${id}`, '/organizations:external/acme']) {
    const { organization } = read('GetOrganizationResponseSchema', await rest(world, 200, 'GET', path));
    assert.deepEqual([organization.id, organization.displayName, organization.externalId], [id, 'Acme', 'acme']);
    assert.deepEqual(organization.metadata, { plan: 'free' });
  }
  const change = { display_name: 'Acme 2', metadata: { plan: 'growth' } };
  const changed = read('UpdateOrganizationResponseSchema', await rest(world, 200, 'PATCH', `/organizations/${id}`, change));
  assert.deepEqual([changed.organization.displayName, changed.organization.metadata], ['Acme 2', { plan: 'growth' }]);
  assert.deepEqual(await rest(world, 200, 'DELETE', `/organizations/${id}`), {});
  await rest(world, 404, 'GET', `/organizations/${id}`);
});

withSandbox('organizations are listed by pages', async (world) => {
  for (let index = 0; index < 23; index++) {
    await world.sandbox.do('POST', '/sandbox/organizations', { displayName: `Acme ${index}` });
  }
  const seen = [];
  let token = '';
  do {
    const path = `/organizations?page_size=10&page_token=${token}`;
    const page = read('ListOrganizationsResponseSchema', await rest(world, 200, 'GET', path));
    assert.equal(page.totalSize, 23);
    seen.push(...page.organizations.map((organization) => organization.displayName));
    token = page.nextPageToken;
  } while (token);
  assert.deepEqual(seen, Array.from({ length: 23 }, (_, index) => `Acme ${index}`));
  await rest(world, 400, 'GET', '/organizations?page_size=5');
  await rest(world, 400, 'GET', '/organizations?page_token=nonsense');
});

withSandbox('people are found with their memberships', async (world) => {
  const { id } = await world.sandbox.do('POST', '/sandbox/organizations', { displayName: 'Acme' });
  const people = [];
  for (const email of ['ada@acme.test', 'bob@acme.test']) {
    const member = await world.sandbox.do('POST', `/sandbox/organizations/${id}/users`, { email, roles: ['member'] });
    people.push(member.userId);
  }
  const listed = await rest(world, 200, 'GET', `/organizations/${id}/users?page_size=1`);
  const members = read('ListOrganizationUsersResponseSchema', listed);
  assert.deepEqual([members.users.length, members.totalSize], [1, 2]);
  const { user } = read('GetUserResponseSchema', await rest(world, 200, 'GET', `/users/${people[1]}`));
  assert.deepEqual([user.email, user.memberships[0].organizationId], ['bob@acme.test', id]);
  assert.deepEqual(user.memberships[0].roles.map((role) => role.name), ['member']);
  const everybody = read('ListUsersResponseSchema', await rest(world, 200, 'GET', '/users?page_size=100'));
  assert.deepEqual(everybody.users.map((one) => one.id), people);
  await world.sandbox.do('DELETE', `/sandbox/organizations/${id}/users/${people[0]}`);
  const left = read('ListOrganizationUsersResponseSchema', await rest(world, 200, 'GET', `/organizations/${id}/users`));
  assert.deepEqual(left.users.map((one) => one.id), [people[1]]);
});

withSandbox('what is refused says so in the words of the API', async (world) => {
  for (const [status, code, name, method, path, body] of [
    [404, 5, 'NOT_FOUND', 'GET', '/organizations/org_none'],
    [404, 5, 'NOT_FOUND', 'GET', '/users/usr_none'],
    [400, 3, 'INVALID_ARGUMENT', 'POST', '/organizations', { display_name: 7 }],
  ]) {
    const error = await rest(world, status, method, path, body);
    assert.equal(error.code, code);
    const { '@type': type, ...detail } = error.details[0];
    assert.equal(type, 'type.googleapis.com/scalekit.v1.errdetails.ErrorInfo');
    assert.equal(read('ErrorInfoSchema', detail).errorCode, name);
  }
  const taken = { display_name: 'Acme', external_id: 'acme' };
  await rest(world, 201, 'POST', '/organizations', taken);
  assert.equal((await rest(world, 409, 'POST', '/organizations', taken)).code, 6);
  const answer = await fetch(`${world.sandbox.url}/api/v1/organizations`, { headers: { authorization: 'Bearer x' } });
  assert.deepEqual([answer.status, (await answer.json()).code], [401, 16]);
});
