-- What: every table of the first version.
-- Why: there is nothing yet.
-- Locks: the whole file, for a few milliseconds, while it is empty.
--
-- Instants are INTEGER microseconds since the Unix epoch, UTC. Documents are JSON text. Money is minor units beside a
-- currency. `organization_id` comes first in every key of an organization's table: it is the shard key of a later day.

CREATE TABLE organization (
    id                  TEXT    NOT NULL,
    display_name        TEXT    NOT NULL DEFAULT '',
    search_name         TEXT    NOT NULL DEFAULT '', -- folded, and its beginning only
    external_id         TEXT,
    email               TEXT,
    locale              TEXT,
    currency            TEXT,
    billing_provider    TEXT    NOT NULL DEFAULT '',
    had_trial           INTEGER NOT NULL DEFAULT FALSE,
    version             INTEGER NOT NULL DEFAULT 0,
    identity_updated_at INTEGER,
    deletion_began_at   INTEGER,
    deleted_at          INTEGER,
    created_at          INTEGER,
    updated_at          INTEGER,
    CONSTRAINT organization_pkey PRIMARY KEY (id),
    CONSTRAINT organization_had_trial CHECK (had_trial IN (0, 1))
) STRICT, WITHOUT ROWID;

-- What a person remembers of an organization, and the newest ones. What is longer than 255 letters is not found: an
-- index of Postgres takes no more than 2,700 bytes.
CREATE INDEX organization_external_id ON organization (external_id) WHERE length(external_id) <= 255;
CREATE INDEX organization_email ON organization (lower(email)) WHERE length(email) <= 255;
CREATE INDEX organization_search_name ON organization (search_name);
CREATE INDEX organization_created ON organization (created_at);

CREATE TABLE customer (
    organization_id      TEXT NOT NULL,
    provider             TEXT NOT NULL,
    provider_customer_id TEXT,
    tries                INTEGER NOT NULL DEFAULT 0,
    tried_since          INTEGER,
    CONSTRAINT customer_pkey PRIMARY KEY (organization_id, provider),
    CONSTRAINT customer_organization FOREIGN KEY (organization_id) REFERENCES organization (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE subscription (
    organization_id          TEXT    NOT NULL,
    id                       TEXT    NOT NULL,
    provider                 TEXT    NOT NULL DEFAULT '',
    provider_customer_id     TEXT,
    provider_subscription_id TEXT,
    status                   TEXT    NOT NULL DEFAULT 'future',
    provider_status          TEXT,
    plan                     TEXT,
    plan_version             INTEGER,
    plan_group               TEXT    NOT NULL DEFAULT 'default',
    price_id                 TEXT,
    seats                    INTEGER,
    period_start             INTEGER,
    period_end               INTEGER,
    trial_start              INTEGER,
    trial_end                INTEGER,
    cancel_at                INTEGER,
    cancelled_at             INTEGER,
    ended_at                 INTEGER,
    activated_at             INTEGER,
    scheduled_plan           TEXT,
    scheduled_seats          INTEGER,
    scheduled_items          TEXT,
    scheduled_at             INTEGER,
    owed_change              TEXT,
    pause_at                 INTEGER,
    collection_paused        INTEGER NOT NULL DEFAULT FALSE,
    duplicate_of             TEXT,
    trial_end_told           INTEGER,
    past_due_since           INTEGER,
    grace_until              INTEGER,
    dues_attempts            INTEGER NOT NULL DEFAULT 0,
    dues_next_attempt_at     INTEGER,
    dues_invoice             TEXT,
    dues_exhausted           INTEGER NOT NULL DEFAULT FALSE,
    metadata                 TEXT,
    checkout_key             TEXT,
    checkout_tries           INTEGER NOT NULL DEFAULT 0,
    checkout_params          TEXT,
    checkout_ref             TEXT,
    checkout_url             TEXT,
    checkout_expires_at      INTEGER,
    provider_version         INTEGER,
    observed_at              INTEGER,
    due_at                   INTEGER,
    version                  INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT subscription_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT subscription_organization FOREIGN KEY (organization_id) REFERENCES organization (id),
    CONSTRAINT subscription_status CHECK (status IN ('future', 'incomplete', 'in_trial', 'active', 'non_renewing', 'past_due', 'unpaid', 'paused', 'cancelled', 'expired')),
    CONSTRAINT subscription_collection_paused CHECK (collection_paused IN (0, 1)),
    CONSTRAINT subscription_dues_exhausted CHECK (dues_exhausted IN (0, 1))
) STRICT;

-- One open checkout per organization and plan group: decides between people who click at once. A checkout that was paid
-- or expired leaves the index with its status.
CREATE UNIQUE INDEX subscription_open_checkout ON subscription (organization_id, plan_group) WHERE status = 'future' AND checkout_key IS NOT NULL;
CREATE INDEX subscription_by_id ON subscription (id);
CREATE INDEX subscription_by_checkout ON subscription (checkout_ref) WHERE checkout_ref IS NOT NULL;
CREATE INDEX subscription_due ON subscription (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE subscription_item (
    organization_id TEXT    NOT NULL,
    subscription_id TEXT    NOT NULL,
    position        INTEGER NOT NULL,
    item_price_id   TEXT    NOT NULL DEFAULT '',
    item_type       TEXT    NOT NULL DEFAULT 'plan',
    quantity        INTEGER NOT NULL DEFAULT 1,
    unit_price      INTEGER,
    amount          INTEGER,
    currency        TEXT,
    CONSTRAINT subscription_item_pkey PRIMARY KEY (organization_id, subscription_id, position),
    CONSTRAINT subscription_item_subscription FOREIGN KEY (organization_id, subscription_id) REFERENCES subscription (organization_id, id) ON DELETE CASCADE,
    CONSTRAINT subscription_item_type CHECK (item_type IN ('plan', 'addon', 'charge'))
) STRICT, WITHOUT ROWID;

-- The one place where uniqueness spans organizations: whose is this id at a provider.
CREATE TABLE provider_link (
    provider        TEXT NOT NULL,
    kind            TEXT NOT NULL,
    external_id     TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    our_id          TEXT,
    CONSTRAINT provider_link_pkey PRIMARY KEY (provider, kind, external_id),
    CONSTRAINT provider_link_kind CHECK (kind IN ('customer', 'subscription', 'invoice'))
) STRICT, WITHOUT ROWID;

CREATE TABLE history (
    organization_id TEXT    NOT NULL,
    seq             INTEGER NOT NULL,
    at              INTEGER,
    cause           TEXT    NOT NULL DEFAULT 'operator',
    cause_id        TEXT    NOT NULL DEFAULT '',
    subscription_id TEXT,
    before          TEXT,
    after           TEXT,
    why             TEXT    NOT NULL DEFAULT '',
    CONSTRAINT history_pkey PRIMARY KEY (organization_id, seq),
    CONSTRAINT history_cause CHECK (cause IN ('inbox', 'api', 'reconcile', 'time', 'operator'))
) STRICT;

CREATE TABLE member (
    organization_id TEXT    NOT NULL,
    holder          TEXT    NOT NULL,
    ids             TEXT    NOT NULL DEFAULT '[]',
    since           INTEGER,
    CONSTRAINT member_pkey PRIMARY KEY (organization_id, holder)
) STRICT, WITHOUT ROWID;

CREATE INDEX member_by_holder ON member (holder);

-- The event comes first in the key: a list of events is found one by one, whatever a plan thinks of the sources.
-- The body comes last: what stands behind it would be read through all of it.
CREATE TABLE inbox (
    source          TEXT    NOT NULL,
    event_id        TEXT    NOT NULL,
    event_type      TEXT    NOT NULL DEFAULT '',
    subject         TEXT    NOT NULL DEFAULT 'other',
    occurred_at     INTEGER,
    received_at     INTEGER,
    seen            INTEGER NOT NULL DEFAULT 1,
    state           TEXT    NOT NULL DEFAULT 'pending',
    why             TEXT,
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER,
    last_error      TEXT,
    body            BLOB    NOT NULL DEFAULT x'',
    CONSTRAINT inbox_pkey PRIMARY KEY (event_id, source),
    CONSTRAINT inbox_state CHECK (state IN ('pending', 'done', 'ignored', 'dead'))
) STRICT;

CREATE INDEX inbox_pending ON inbox (source, subject, received_at, next_attempt_at, state) WHERE state = 'pending';
CREATE INDEX inbox_received ON inbox (received_at);
CREATE INDEX inbox_closed ON inbox (state, received_at, source) WHERE state <> 'pending';
CREATE INDEX inbox_from ON inbox (source, state, received_at) WHERE state <> 'pending';
-- Not of what waits: whoever delivers waits for the indexes of that.
CREATE INDEX inbox_about ON inbox (subject, received_at) WHERE state <> 'pending';

CREATE TABLE outbox (
    organization_id TEXT    NOT NULL,
    seq             INTEGER NOT NULL,
    kind            TEXT    NOT NULL,
    sink            TEXT    NOT NULL,
    position        INTEGER NOT NULL DEFAULT 0,
    at              INTEGER,
    payload         TEXT    NOT NULL DEFAULT '{}',
    state           TEXT    NOT NULL DEFAULT 'pending',
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER,
    last_error      TEXT,
    CONSTRAINT outbox_pkey PRIMARY KEY (organization_id, seq, kind, sink),
    CONSTRAINT outbox_state CHECK (state IN ('pending', 'delivered', 'dead'))
) STRICT;

CREATE INDEX outbox_pending ON outbox (sink, organization_id, seq, position, next_attempt_at) WHERE state = 'pending';
CREATE INDEX outbox_dead ON outbox (at) WHERE state = 'dead';

CREATE TABLE lease (
    key         TEXT    NOT NULL,
    owner       TEXT    NOT NULL DEFAULT '',
    expires_at  INTEGER,
    acquired_at INTEGER,
    CONSTRAINT lease_pkey PRIMARY KEY (key)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursor (
    name  TEXT NOT NULL,
    value TEXT NOT NULL DEFAULT '',
    CONSTRAINT cursor_pkey PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;

-- Keys of the product's backend. The secret is nowhere; its SHA-256 is enough to recognise it.
CREATE TABLE api_key (
    id              TEXT    NOT NULL,
    hash            BLOB    NOT NULL,
    name            TEXT    NOT NULL DEFAULT '',
    scopes          TEXT    NOT NULL DEFAULT '[]',
    organization_id TEXT,
    created_at      INTEGER,
    last_used_at    INTEGER,
    revoked_at      INTEGER,
    CONSTRAINT api_key_pkey PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX api_key_hash ON api_key (hash);

-- People who signed in for our own pages. Their tokens are sealed before they come here.
CREATE TABLE session (
    id              TEXT    NOT NULL,
    user_id         TEXT    NOT NULL DEFAULT '',
    organization_id TEXT,
    tokens          BLOB    NOT NULL DEFAULT x'',
    created_at      INTEGER,
    expires_at      INTEGER,
    version         INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT session_pkey PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;

CREATE INDEX session_expires ON session (expires_at);

-- What a comparison with a provider found. What belongs to no organization of ours has an empty one.
CREATE TABLE drift (
    organization_id TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    at              INTEGER,
    provider        TEXT    NOT NULL DEFAULT '',
    subscription_id TEXT,
    class           TEXT    NOT NULL DEFAULT 'missed',
    field           TEXT    NOT NULL DEFAULT '',
    expected        TEXT,
    found           TEXT,
    repaired        INTEGER NOT NULL DEFAULT FALSE,
    why             TEXT    NOT NULL DEFAULT '',
    CONSTRAINT drift_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT drift_class CHECK (class IN ('missed', 'edited', 'ours', 'amount')),
    CONSTRAINT drift_repaired CHECK (repaired IN (0, 1))
) STRICT;

CREATE INDEX drift_at ON drift (at);
