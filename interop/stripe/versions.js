// The two clients of Stripe that every test here is run with, and the words in which they differ.
//
// Source: the changelogs of the client, and the types of the two packages.

import test from 'node:test';

import Stripe from 'stripe';
import Stripe2024 from 'stripe-2024';

import { Sandbox } from '../support/sandbox.js';
import { acceptedByBoth } from './signatures.js';

/** Today's client, in the version of the API that it pins. */
export const CURRENT = {
  Stripe,
  apiVersion: '2026-10-28.endive',

  /** What an invoice would be if a subscription changed so. */
  preview: (stripe, { subscription, ...details }) =>
    stripe.invoices.createPreview({ subscription, subscription_details: details }),
  anchorNow: { type: 'now' },
  phaseOfOneMonth: { duration: { interval: 'month', interval_count: 1 } },

  period: (subscription) => {
    const [item] = subscription.items.data;
    return [item.current_period_start, item.current_period_end];
  },
  subscriptionOf: (invoice) => invoice.parent.subscription_details.subscription,
  isPaid: (invoice) => invoice.status === 'paid',
  // The parent is an item of the subscription or of the invoice; its details are named after its type.
  isProration: (line) => line.parent[line.parent.type].proration,
  /** What must be expanded, so that the customer can be asked about the first payment. */
  secretOfFirstPayment: 'latest_invoice.confirmation_secret',
  clientSecret: (invoice) => invoice.confirmation_secret.client_secret,
};

/** A client of the time of 2024-04-10, which many products still use. */
export const OLDER = {
  Stripe: Stripe2024,
  apiVersion: '2024-04-10',

  // What this client asks has the same words, with the subscription's in front of each.
  preview: (stripe, { subscription, ...details }) => {
    const named = Object.entries(details).map(([name, value]) => [`subscription_${name}`, value]);
    return stripe.invoices.retrieveUpcoming({ subscription, ...Object.fromEntries(named) });
  },
  anchorNow: 'now',
  phaseOfOneMonth: { iterations: 1 },

  period: (subscription) => [subscription.current_period_start, subscription.current_period_end],
  subscriptionOf: (invoice) => invoice.subscription,
  isPaid: (invoice) => invoice.paid,
  isProration: (line) => line.proration,
  secretOfFirstPayment: 'latest_invoice.payment_intent',
  clientSecret: (invoice) => invoice.payment_intent.client_secret,
};

const VERSIONS = [CURRENT, OLDER];

/** A client of a version that talks to a sandbox. */
export function client(version, sandbox, options = {}) {
  const { hostname, port } = new URL(sandbox.url);
  return new version.Stripe(options.key ?? sandbox.env.STRIPE_SECRET_KEY, {
    apiVersion: version.apiVersion,
    host: hostname,
    port,
    protocol: 'http',
    telemetry: false,
    // A test shows what the sandbox answers, not what the client makes of it.
    maxNetworkRetries: 0,
  });
}

/** One test with a sandbox of its own. Whatever the sandbox sent in it must be believed by both clients. */
export function withSandbox(name, body) {
  test(name, { timeout: 60_000 }, async (t) => {
    const sandbox = await Sandbox.start(t, 'stripe');
    await body(sandbox, t);
    await sandbox.delivered();
    acceptedByBoth(sandbox.receiver.at('/api/webhooks/stripe'), sandbox.env.STRIPE_WEBHOOK_SECRET);
  });
}

/** The same test with each client. */
export function withEachClient(name, body) {
  for (const version of VERSIONS) {
    withSandbox(`${name} (${version.apiVersion})`, (sandbox) =>
      body({ sandbox, version, stripe: client(version, sandbox) }),
    );
  }
}
