// Estimates and changes: now and at the term's end, cancellations, pauses, and what takes them back.

import assert from 'node:assert/strict';

import { DAY } from '../support/sandbox.js';
import { everythingIsTyped, refused, withSandbox } from './client.js';
import { ORGANIZATION, aCustomer, seats, subscribed } from './customers.js';

/** A change as the server asks for it. */
const change = (quantity, option = 'immediately', price = 'scale-plan-monthly') => ({
  subscription_items: [{ item_price_id: price, quantity }],
  prorate: option === 'immediately',
  invoice_immediately: option === 'immediately',
  replace_items_list: true,
  change_option: option,
  reactivate: false,
});

const ID = 'tks_interop';

withSandbox('what was estimated is what is charged', async (world) => {
  const { chargebee, sandbox } = world;
  await subscribed(world);
  await sandbox.advance(10 * DAY);
  const { estimate } = await chargebee.estimate.updateSubscriptionForItems({ subscription: { id: ID }, ...change(5) });
  assert.ok(estimate.invoice_estimate.amount_due > 0);
  assert.equal(estimate.next_invoice_estimate.total, 7500);
  const credited = estimate.credit_note_estimates.reduce((sum, note) => sum + note.total, 0);
  const { subscription, invoice, credit_notes } = await chargebee.subscription.updateForItems(ID, change(5));
  assert.equal(seats(subscription), 5);
  assert.deepEqual(
    [invoice.total, invoice.amount_paid, (credit_notes ?? []).reduce((sum, note) => sum + note.total, 0)],
    [estimate.invoice_estimate.total, estimate.invoice_estimate.amount_due, credited],
  );
});

withSandbox('a change waits for the end of the term, and is taken back', async (world) => {
  const { chargebee, sandbox } = world;
  const { current_term_end } = await subscribed(world);
  const later = change(1, 'end_of_term', 'starter-plan-monthly');
  const { estimate } = await chargebee.estimate.updateSubscriptionForItems({ subscription: { id: ID }, ...later });
  assert.equal(estimate.invoice_estimate, undefined);
  const schedule = async () => (await chargebee.subscription.updateForItems(ID, later)).subscription;
  const scheduled = await schedule();
  assert.deepEqual([scheduled.status, scheduled.has_scheduled_changes, seats(scheduled)], ['active', true, 3]);
  assert.equal(scheduled.changes_scheduled_at, current_term_end);
  const { subscription: future } = await chargebee.subscription.retrieveWithScheduledChanges(ID);
  assert.deepEqual(future.subscription_items.map((item) => item.item_price_id), ['starter-plan-monthly']);
  const { subscription: freed } = await chargebee.subscription.removeScheduledChanges(ID);
  assert.deepEqual([freed.has_scheduled_changes, freed.changes_scheduled_at], [false, undefined]);
  await refused(chargebee.subscription.removeScheduledChanges(ID), { http_status_code: 409 });

  await schedule();
  // A change that is made at once forgets what was scheduled.
  const { subscription: now } = await chargebee.subscription.updateForItems(ID, change(4));
  assert.deepEqual([now.has_scheduled_changes, seats(now)], [false, 4]);
  await schedule();
  await sandbox.advance(current_term_end - (await sandbox.now()) + 60);
  const { subscription: there } = await chargebee.subscription.retrieve(ID);
  assert.deepEqual(there.subscription_items.map((item) => item.item_price_id), ['starter-plan-monthly']);
});

withSandbox('estimates of what is bought, renewed and ended', async (world) => {
  const { chargebee } = world;
  await subscribed(world);
  const items = { subscription_items: [{ item_price_id: 'scale-plan-monthly', quantity: 2 }] };
  const estimates = [
    [await chargebee.estimate.createSubItemEstimate(items), 3000],
    [await chargebee.estimate.createSubItemForCustomerEstimate(ORGANIZATION, items), 3000],
    [await chargebee.estimate.renewalEstimate(ID, {}), 4500],
  ];
  for (const [{ estimate }, total] of estimates) assert.equal(estimate.invoice_estimate.total, total);
  const cancel = { cancel_option: 'immediately', credit_option_for_current_term_charges: 'full' };
  const { estimate } = await chargebee.estimate.cancelSubscriptionForItems(ID, cancel);
  assert.equal(estimate.credit_note_estimates[0].total, 4500);
  // An estimate is made anew, whatever key comes with it.
  const key = { 'chargebee-idempotency-key': 'one' };
  for (const [quantity, total] of [[2, 3000], [4, 6000]]) {
    const wish = { subscription_items: [{ item_price_id: 'scale-plan-monthly', quantity }] };
    const answer = await chargebee.estimate.createSubItemEstimate(wish, key);
    assert.deepEqual([answer.isIdempotencyReplayed, answer.estimate.invoice_estimate.total], [false, total]);
  }
});

withSandbox('a cancellation is scheduled, undone, and made now', async (world) => {
  const { chargebee, sandbox } = world;
  const { current_term_end } = await subscribed(world);
  const cancel = async (more) => (await chargebee.subscription.cancelForItems(ID, more)).subscription;
  const scheduled = await cancel({ cancel_option: 'end_of_term', credit_option_for_current_term_charges: 'none' });
  assert.deepEqual([scheduled.status, scheduled.cancelled_at], ['non_renewing', current_term_end]);
  assert.ok(scheduled.cancel_schedule_created_at <= (await sandbox.now()));
  assert.deepEqual([scheduled.remaining_billing_cycles, scheduled.next_billing_at], [0, undefined]);
  const { subscription: undone } = await chargebee.subscription.removeScheduledCancellation(ID);
  assert.deepEqual([undone.status, undone.cancelled_at, undone.next_billing_at], ['active', undefined, current_term_end]);
  await refused(chargebee.subscription.removeScheduledCancellation(ID), {
    http_status_code: 409,
    api_error_code: 'invalid_state_for_request',
  });

  const full = { cancel_option: 'immediately', credit_option_for_current_term_charges: 'full' };
  const { subscription: gone, credit_notes } = await chargebee.subscription.cancelForItems(ID, full);
  assert.equal(gone.status, 'cancelled');
  assert.equal(credit_notes[0].total, 4500);
  assert.equal((await chargebee.creditNote.retrieve(credit_notes[0].id)).credit_note.total, 4500);
  assert.equal((await chargebee.creditNote.list({ subscription_id: { is: ID } })).list.length, 1);
  await refused(chargebee.subscription.cancelForItems(ID, full), { http_status_code: 409 });
  const { subscription: back } = await chargebee.subscription.reactivate(ID);
  assert.equal(back.status, 'active');
  const { subscription: older } = await chargebee.subscription.cancel(ID, { end_of_term: true });
  assert.equal(older.status, 'non_renewing');
});

withSandbox('a trial that will not go on keeps its name', async (world) => {
  const { chargebee, sandbox } = world;
  const trial_end = (await sandbox.now()) + 14 * DAY;
  await subscribed(world, 'growth-plan-monthly', 1, { subscription: { id: ID, trial_end } });
  const { subscription } = await chargebee.subscription.cancelForItems(ID, { cancel_option: 'end_of_term' });
  assert.deepEqual([subscription.status, subscription.cancelled_at], ['in_trial', trial_end]);
  assert.ok(subscription.cancel_schedule_created_at);
  await sandbox.advance(14 * DAY + 60);
  assert.equal((await chargebee.subscription.retrieve(ID)).subscription.status, 'cancelled');
});

withSandbox('a subscription is paused and goes on', async (world) => {
  const { chargebee, sandbox } = world;
  const { current_term_end } = await subscribed(world);
  const { subscription: paused } = await chargebee.subscription.pause(ID, { pause_option: 'immediately' });
  assert.equal(paused.status, 'paused');
  await refused(chargebee.subscription.pause(ID, { pause_option: 'immediately' }), { http_status_code: 409 });
  const resume = { resume_option: 'immediately', charges_handling: 'invoice_immediately' };
  assert.equal((await chargebee.subscription.resume(ID, resume)).subscription.status, 'active');
  const until = current_term_end + 40 * DAY;
  const later = { pause_option: 'end_of_term', resume_date: until };
  const { subscription: pausing } = await chargebee.subscription.pause(ID, later);
  assert.deepEqual([pausing.status, pausing.pause_date, pausing.resume_date], ['active', current_term_end, until]);
  const { subscription: kept } = await chargebee.subscription.removeScheduledPause(ID);
  assert.equal(kept.pause_date, undefined);
  await chargebee.subscription.pause(ID, later);
  await sandbox.advance(current_term_end - (await sandbox.now()) + 60);
  const { subscription: resting } = await chargebee.subscription.retrieve(ID);
  assert.deepEqual([resting.status, resting.resume_date], ['paused', until]);
  await sandbox.advance(40 * DAY);
  assert.equal((await chargebee.subscription.retrieve(ID)).subscription.status, 'active');
});

withSandbox('add-ons stay or go as they were told to', async (world) => {
  const { chargebee } = world;
  await subscribed(world);
  const ids = ({ subscription }) => subscription.subscription_items.map((item) => item.item_price_id).sort();
  const addon = { subscription_items: [{ item_price_id: 'extra-projects-monthly', quantity: 2 }] };
  const added = await chargebee.subscription.updateForItems(ID, { ...addon, replace_items_list: false });
  assert.deepEqual(ids(added), ['extra-projects-monthly', 'scale-plan-monthly']);
  const plan = { subscription_items: [{ item_price_id: 'growth-plan-monthly', quantity: 1 }] };
  assert.deepEqual(ids(await chargebee.subscription.updateForItems(ID, plan)), [
    'extra-projects-monthly',
    'growth-plan-monthly',
  ]);
  const replaced = await chargebee.subscription.updateForItems(ID, { ...plan, replace_items_list: true });
  assert.deepEqual(ids(replaced), ['growth-plan-monthly']);
});

withSandbox('a change of nobody and to nothing is refused', async (world) => {
  const { chargebee } = world;
  await aCustomer(chargebee);
  const missing = { http_status_code: 404, type: 'invalid_request', api_error_code: 'resource_not_found' };
  await refused(chargebee.subscription.updateForItems('none', change(1)), missing);
  await refused(chargebee.subscription.cancelForItems('none', {}), missing);
  await refused(chargebee.estimate.updateSubscriptionForItems({ subscription: { id: 'none' }, ...change(1) }), missing);
  await refused(chargebee.estimate.renewalEstimate('none'), missing);
});

everythingIsTyped();
