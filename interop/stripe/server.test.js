// Our own server, told of events that the clients signed: it believes exactly what they would believe.

import assert from 'node:assert/strict';

import { serve } from '../support/server.js';
import { CURRENT, OLDER, client, withSandbox } from './versions.js';

/** The route of every source, and the one that a cookbook has. */
const ROUTES = ['/api/webhooks/stripe', '/stripe/webhook'];

/** An event about a subscription of somebody whom nobody here knows. */
const anEvent = (id, version) => {
  const data = {
    object: { id: 'sub_of_a_stranger', object: 'subscription', customer: 'cus_of_a_stranger', status: 'active' },
  };
  const envelope = {
    id,
    object: 'event',
    api_version: version.apiVersion,
    created: seconds(),
    livemode: false,
    pending_webhooks: 1,
  };
  return JSON.stringify({ ...envelope, type: 'customer.subscription.updated', data, request: { id: null } });
};

// A signature is about the wire: its time is the machine's, wherever the sandbox's clock is.
const seconds = () => Math.floor(Date.now() / 1000);

async function post(url, payload, signature) {
  const headers = { 'content-type': 'application/json', ...(signature && { 'stripe-signature': signature }) };
  const answer = await fetch(url, { method: 'POST', headers, body: payload });
  return [answer.status, await answer.json()];
}

for (const version of [CURRENT, OLDER]) {
  withSandbox(`what a client signs is taken in (${version.apiVersion})`, async (sandbox, t) => {
    const server = await serve(t, sandbox);
    const { webhooks } = client(version, sandbox);
    const secret = sandbox.env.STRIPE_WEBHOOK_SECRET;
    for (const [index, route] of ROUTES.entries()) {
      const url = server + route;
      const payload = anEvent(`evt_interop_${index}`, version);
      const sign = (more) => webhooks.generateTestHeaderString({ payload, secret, ...more });
      const isRefused = async (what, body, header) => {
        const [status, problem] = await post(url, body, header);
        assert.equal(status, 401, `${what} at ${route}: ${JSON.stringify(problem)}`);
      };
      await isRefused('a wrong secret', payload, sign({ secret: `${secret}x` }));
      await isRefused('an old timestamp', payload, sign({ timestamp: seconds() - 310 }));
      await isRefused('a changed byte', payload.replace('active', 'activf'), sign());
      await isRefused('another scheme', payload, sign({ scheme: 'v0' }));
      await isRefused('no signature', payload);

      assert.deepEqual(await post(url, payload, sign()), [200, { received: true }], route);
      // The same event, signed later and told at either route, is known.
      for (const again of ROUTES) {
        const answer = await post(server + again, payload, sign({ timestamp: seconds() - 240 }));
        assert.deepEqual(answer, [200, { received: true, duplicate: true }], again);
      }
    }
    // While a secret is exchanged the provider signs with both.
    const payload = anEvent('evt_interop_rotation', version);
    const timestamp = seconds();
    const [foreign, ours] = [`${secret}x`, secret].map((one) =>
      webhooks.generateTestHeaderString({ payload, secret: one, timestamp }),
    );
    const header = `${foreign},${ours.split(',')[1]}`;
    assert.deepEqual(await post(server + ROUTES[0], payload, header), [200, { received: true }]);
  });
}
