// Our own server, told what the sandbox tells: it believes whom the client's handler would believe.

import assert from 'node:assert/strict';

import { serve } from '../support/server.js';
import { withSandbox } from './client.js';
import { subscribed } from './customers.js';
import { PATH } from './deliveries.js';

const basic = (username, password) => `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

async function post(url, body, authorization) {
  const headers = { 'content-type': 'application/json', ...(authorization && { authorization }) };
  const answer = await fetch(url, { method: 'POST', headers, body });
  return [answer.status, await answer.json()];
}

withSandbox('what the sandbox sends is taken in, once', async (world, t) => {
  const { sandbox } = world;
  const server = await serve(t, sandbox);
  await subscribed(world);
  await sandbox.delivered();
  const { CHARGEBEE_WEBHOOK_USERNAME: username, CHARGEBEE_WEBHOOK_PASSWORD: password } = sandbox.env;
  const deliveries = sandbox.receiver.at(PATH);
  assert.ok(deliveries.length >= 5);
  for (const { body, headers } of deliveries) {
    assert.equal(headers.authorization, basic(username, password));
    for (const [what, wrong] of [
      ['a wrong password', basic(username, `${password}x`)],
      ['a wrong name', basic(`${username}x`, password)],
      ['another scheme', `Bearer ${password}`],
      ['nothing', undefined],
    ]) {
      const [status, problem] = await post(server + PATH, body, wrong);
      assert.equal(status, 401, `${what}: ${JSON.stringify(problem)}`);
    }
    assert.deepEqual(await post(server + PATH, body, headers.authorization), [200, { received: true }]);
    // The route that a cookbook has is the same door.
    const again = await post(`${server}/chargebee/webhook`, body, headers.authorization);
    assert.deepEqual(again, [200, { received: true, duplicate: true }]);
  }
  const [status] = await post(server + PATH, '{"id":"ev_1"', basic(username, password));
  assert.equal(status, 400);
});
