-- What: every table of the first version.
-- Why: there is nothing yet.
-- Locks: only what it creates.
--
-- Instants are timestamptz. Documents are jsonb. Money is minor units beside a currency. `organization_id` comes first in
-- every key of an organization's table: it is the shard key of a later day.
-- Ids are compared byte by byte, as everywhere else, so their columns say COLLATE "C".

CREATE TABLE organization (
    id                  text COLLATE "C" NOT NULL,
    display_name        text             NOT NULL DEFAULT '',
    search_name         text COLLATE "C" NOT NULL DEFAULT '', -- folded, and its beginning only
    external_id         text COLLATE "C",
    email               text,
    locale              text,
    currency            text,
    billing_provider    text             NOT NULL DEFAULT '',
    had_trial           boolean          NOT NULL DEFAULT FALSE,
    version             bigint           NOT NULL DEFAULT 0,
    identity_updated_at timestamptz,
    deletion_began_at   timestamptz,
    deleted_at          timestamptz,
    created_at          timestamptz,
    updated_at          timestamptz,
    CONSTRAINT organization_pkey PRIMARY KEY (id)
);

-- What a person remembers of an organization, and the newest ones. What is longer than 255 letters is not found: an
-- index of Postgres takes no more than 2,700 bytes.
CREATE INDEX organization_external_id ON organization (external_id) WHERE length(external_id) <= 255;
CREATE INDEX organization_email ON organization (lower(email)) WHERE length(email) <= 255;
CREATE INDEX organization_search_name ON organization (search_name);
CREATE INDEX organization_created ON organization (created_at);

CREATE TABLE customer (
    organization_id      text COLLATE "C" NOT NULL,
    provider             text             NOT NULL,
    provider_customer_id text,
    tries                bigint           NOT NULL DEFAULT 0,
    tried_since          timestamptz,
    CONSTRAINT customer_pkey PRIMARY KEY (organization_id, provider),
    CONSTRAINT customer_organization FOREIGN KEY (organization_id) REFERENCES organization (id)
);

CREATE TABLE subscription (
    organization_id          text COLLATE "C" NOT NULL,
    id                       text COLLATE "C" NOT NULL,
    provider                 text             NOT NULL DEFAULT '',
    provider_customer_id     text,
    provider_subscription_id text,
    status                   text             NOT NULL DEFAULT 'future',
    provider_status          text,
    plan                     text,
    plan_version             bigint,
    plan_group               text             NOT NULL DEFAULT 'default',
    price_id                 text,
    seats                    bigint,
    period_start             timestamptz,
    period_end               timestamptz,
    trial_start              timestamptz,
    trial_end                timestamptz,
    cancel_at                timestamptz,
    cancelled_at             timestamptz,
    ended_at                 timestamptz,
    activated_at             timestamptz,
    scheduled_plan           text,
    scheduled_seats          bigint,
    scheduled_items          jsonb,
    scheduled_at             timestamptz,
    owed_change              jsonb,
    pause_at                 timestamptz,
    collection_paused        boolean          NOT NULL DEFAULT FALSE,
    duplicate_of             text COLLATE "C",
    trial_end_told           timestamptz,
    past_due_since           timestamptz,
    grace_until              timestamptz,
    dues_attempts            bigint           NOT NULL DEFAULT 0,
    dues_next_attempt_at     timestamptz,
    dues_invoice             text,
    dues_exhausted           boolean          NOT NULL DEFAULT FALSE,
    metadata                 jsonb,
    checkout_key             text,
    checkout_tries           bigint           NOT NULL DEFAULT 0,
    checkout_params          jsonb,
    checkout_ref             text,
    checkout_url             text,
    checkout_expires_at      timestamptz,
    provider_version         bigint,
    observed_at              timestamptz,
    due_at                   timestamptz,
    version                  bigint           NOT NULL DEFAULT 0,
    CONSTRAINT subscription_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT subscription_organization FOREIGN KEY (organization_id) REFERENCES organization (id),
    CONSTRAINT subscription_status CHECK (status IN ('future', 'incomplete', 'in_trial', 'active', 'non_renewing', 'past_due', 'unpaid', 'paused', 'cancelled', 'expired'))
);

-- One open checkout per organization and plan group: decides between people who click at once. A checkout that was paid
-- or expired leaves the index with its status.
CREATE UNIQUE INDEX subscription_open_checkout ON subscription (organization_id, plan_group) WHERE status = 'future' AND checkout_key IS NOT NULL;
CREATE INDEX subscription_by_id ON subscription (id);
CREATE INDEX subscription_by_checkout ON subscription (checkout_ref) WHERE checkout_ref IS NOT NULL;
CREATE INDEX subscription_due ON subscription (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE subscription_item (
    organization_id text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    position        bigint           NOT NULL,
    item_price_id   text             NOT NULL DEFAULT '',
    item_type       text             NOT NULL DEFAULT 'plan',
    quantity        bigint           NOT NULL DEFAULT 1,
    unit_price      bigint,
    amount          bigint,
    currency        text,
    CONSTRAINT subscription_item_pkey PRIMARY KEY (organization_id, subscription_id, position),
    CONSTRAINT subscription_item_subscription FOREIGN KEY (organization_id, subscription_id) REFERENCES subscription (organization_id, id) ON DELETE CASCADE,
    CONSTRAINT subscription_item_type CHECK (item_type IN ('plan', 'addon', 'charge'))
);

-- The one place where uniqueness spans organizations: whose is this id at a provider.
CREATE TABLE provider_link (
    provider        text             NOT NULL,
    kind            text             NOT NULL,
    external_id     text COLLATE "C" NOT NULL,
    organization_id text COLLATE "C" NOT NULL,
    our_id          text,
    CONSTRAINT provider_link_pkey PRIMARY KEY (provider, kind, external_id),
    CONSTRAINT provider_link_kind CHECK (kind IN ('customer', 'subscription', 'invoice'))
);

CREATE TABLE history (
    organization_id text COLLATE "C" NOT NULL,
    seq             bigint           NOT NULL,
    at              timestamptz,
    cause           text             NOT NULL DEFAULT 'operator',
    cause_id        text             NOT NULL DEFAULT '',
    subscription_id text COLLATE "C",
    before          jsonb,
    after           jsonb,
    why             text             NOT NULL DEFAULT '',
    CONSTRAINT history_pkey PRIMARY KEY (organization_id, seq),
    CONSTRAINT history_cause CHECK (cause IN ('inbox', 'api', 'reconcile', 'time', 'operator'))
);

CREATE TABLE member (
    organization_id text COLLATE "C" NOT NULL,
    holder          text COLLATE "C" NOT NULL,
    ids             jsonb            NOT NULL DEFAULT '[]',
    since           timestamptz,
    CONSTRAINT member_pkey PRIMARY KEY (organization_id, holder)
);

CREATE INDEX member_by_holder ON member (holder);

-- The event comes first in the key: a list of events is found one by one, whatever a plan thinks of the sources.
-- The body comes last, as in the other engine, where that matters.
CREATE TABLE inbox (
    source          text COLLATE "C" NOT NULL,
    event_id        text COLLATE "C" NOT NULL,
    event_type      text             NOT NULL DEFAULT '',
    subject         text COLLATE "C" NOT NULL DEFAULT 'other',
    occurred_at     timestamptz,
    received_at     timestamptz,
    seen            bigint           NOT NULL DEFAULT 1,
    state           text             NOT NULL DEFAULT 'pending',
    why             text,
    attempts        bigint           NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    last_error      text,
    body            bytea            NOT NULL DEFAULT '',
    CONSTRAINT inbox_pkey PRIMARY KEY (event_id, source),
    CONSTRAINT inbox_state CHECK (state IN ('pending', 'done', 'ignored', 'dead'))
);

CREATE INDEX inbox_pending ON inbox (source, subject, received_at, next_attempt_at, state) WHERE state = 'pending';
CREATE INDEX inbox_received ON inbox (received_at);
CREATE INDEX inbox_closed ON inbox (state, received_at, source) WHERE state <> 'pending';
CREATE INDEX inbox_from ON inbox (source, state, received_at) WHERE state <> 'pending';
-- Not of what waits: whoever delivers waits for the indexes of that.
CREATE INDEX inbox_about ON inbox (subject, received_at) WHERE state <> 'pending';

CREATE TABLE outbox (
    organization_id text COLLATE "C" NOT NULL,
    seq             bigint           NOT NULL,
    kind            text             NOT NULL,
    sink            text             NOT NULL,
    position        bigint           NOT NULL DEFAULT 0,
    at              timestamptz,
    payload         jsonb            NOT NULL DEFAULT '{}',
    state           text             NOT NULL DEFAULT 'pending',
    attempts        bigint           NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    last_error      text,
    CONSTRAINT outbox_pkey PRIMARY KEY (organization_id, seq, kind, sink),
    CONSTRAINT outbox_state CHECK (state IN ('pending', 'delivered', 'dead'))
);

CREATE INDEX outbox_pending ON outbox (sink, organization_id, seq, position, next_attempt_at) WHERE state = 'pending';
CREATE INDEX outbox_dead ON outbox (at) WHERE state = 'dead';

CREATE TABLE lease (
    key         text COLLATE "C" NOT NULL,
    owner       text             NOT NULL DEFAULT '',
    expires_at  timestamptz,
    acquired_at timestamptz,
    CONSTRAINT lease_pkey PRIMARY KEY (key)
);

CREATE TABLE cursor (
    name  text             NOT NULL,
    value text             NOT NULL DEFAULT '',
    CONSTRAINT cursor_pkey PRIMARY KEY (name)
);

-- Keys of the product's backend. The secret is nowhere; its SHA-256 is enough to recognise it.
CREATE TABLE api_key (
    id              text COLLATE "C" NOT NULL,
    hash            bytea            NOT NULL,
    name            text             NOT NULL DEFAULT '',
    scopes          jsonb            NOT NULL DEFAULT '[]',
    organization_id text COLLATE "C",
    created_at      timestamptz,
    last_used_at    timestamptz,
    revoked_at      timestamptz,
    CONSTRAINT api_key_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX api_key_hash ON api_key (hash);

-- People who signed in for our own pages. Their tokens are sealed before they come here.
CREATE TABLE session (
    id              text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL DEFAULT '',
    organization_id text COLLATE "C",
    tokens          bytea            NOT NULL DEFAULT '',
    created_at      timestamptz,
    expires_at      timestamptz,
    version         bigint           NOT NULL DEFAULT 0,
    CONSTRAINT session_pkey PRIMARY KEY (id)
);

CREATE INDEX session_expires ON session (expires_at);

-- What a comparison with a provider found. What belongs to no organization of ours has an empty one.
CREATE TABLE drift (
    organization_id text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    at              timestamptz,
    provider        text             NOT NULL DEFAULT '',
    subscription_id text COLLATE "C",
    class           text             NOT NULL DEFAULT 'missed',
    field           text             NOT NULL DEFAULT '',
    expected        jsonb,
    found           jsonb,
    repaired        boolean          NOT NULL DEFAULT FALSE,
    why             text             NOT NULL DEFAULT '',
    CONSTRAINT drift_pkey PRIMARY KEY (organization_id, id),
    CONSTRAINT drift_class CHECK (class IN ('missed', 'edited', 'ours', 'amount'))
);

CREATE INDEX drift_at ON drift (at);
