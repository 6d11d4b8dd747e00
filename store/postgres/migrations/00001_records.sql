-- +goose Up

-- Every column has a default, so that an older program can insert a record when a
-- newer one has added a column. Texts compare byte by byte, so that no index depends
-- on the collations of the system.

CREATE TABLE servers (
    id text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    name text COLLATE "C" NOT NULL DEFAULT '',
    labels jsonb,
    idempotency_key text COLLATE "C" NOT NULL DEFAULT '',
    provider text COLLATE "C" NOT NULL DEFAULT '',
    region text COLLATE "C" NOT NULL DEFAULT '',
    size text COLLATE "C" NOT NULL DEFAULT '',
    image text COLLATE "C" NOT NULL DEFAULT '',
    provider_id text COLLATE "C" NOT NULL DEFAULT '',
    address text COLLATE "C" NOT NULL DEFAULT '',
    port bigint NOT NULL DEFAULT 0,
    login_user text COLLATE "C" NOT NULL DEFAULT '',
    ipv4 text COLLATE "C" NOT NULL DEFAULT '',
    ipv6 text COLLATE "C" NOT NULL DEFAULT '',
    private_address text COLLATE "C" NOT NULL DEFAULT '',
    status text COLLATE "C" NOT NULL DEFAULT '',
    failure text COLLATE "C" NOT NULL DEFAULT '',
    stack jsonb,
    public_key text COLLATE "C" NOT NULL DEFAULT '',
    control_key bytea,
    host_keys jsonb,
    injected_host_key bytea,
    database_password bytea,
    redis_password bytea,
    created timestamptz,
    updated timestamptz,
    provisioned timestamptz
);
CREATE UNIQUE INDEX servers_idempotency ON servers (owner, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX servers_owner ON servers (owner, id);
CREATE INDEX servers_owner_status ON servers (owner, status, id);
CREATE INDEX servers_owner_provider ON servers (owner, provider, id);
CREATE INDEX servers_status ON servers (status, id);
CREATE INDEX servers_provider ON servers (provider, id);
CREATE INDEX servers_name ON servers (name, id);
CREATE INDEX servers_labels ON servers USING gin (labels jsonb_path_ops);

CREATE TABLE sites (
    id text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    server text COLLATE "C" NOT NULL DEFAULT '',
    labels jsonb,
    idempotency_key text COLLATE "C" NOT NULL DEFAULT '',
    kind text COLLATE "C" NOT NULL DEFAULT '',
    domain text COLLATE "C" NOT NULL DEFAULT '',
    aliases jsonb,
    web_directory text COLLATE "C" NOT NULL DEFAULT '',
    php_version text COLLATE "C" NOT NULL DEFAULT '',
    upstream text COLLATE "C" NOT NULL DEFAULT '',
    unix_user text COLLATE "C" NOT NULL DEFAULT '',
    directory text COLLATE "C" NOT NULL DEFAULT '',
    repository text COLLATE "C" NOT NULL DEFAULT '',
    repository_user text COLLATE "C" NOT NULL DEFAULT '',
    repository_token bytea,
    branch text COLLATE "C" NOT NULL DEFAULT '',
    deploy_key text COLLATE "C" NOT NULL DEFAULT '',
    known_hosts text COLLATE "C" NOT NULL DEFAULT '',
    deploy_script text COLLATE "C" NOT NULL DEFAULT '',
    deploy_timeout bigint NOT NULL DEFAULT 0,
    environment bytea,
    environment_next bytea,
    webhook bytea,
    webhook_previous bytea,
    webhook_previous_until timestamptz,
    deploy_url bytea,
    deploy_url_previous bytea,
    deploy_url_previous_until timestamptz,
    status text COLLATE "C" NOT NULL DEFAULT '',
    failure text COLLATE "C" NOT NULL DEFAULT '',
    deployment_started timestamptz,
    deployment_finished timestamptz,
    created timestamptz,
    updated timestamptz
);
CREATE UNIQUE INDEX sites_idempotency ON sites (owner, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX sites_owner ON sites (owner, id);
CREATE INDEX sites_owner_status ON sites (owner, status, id);
CREATE INDEX sites_status ON sites (status, id);
CREATE INDEX sites_server ON sites (server, id);

CREATE TABLE site_domains (
    server text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    site text COLLATE "C" NOT NULL,
    PRIMARY KEY (server, domain)
);
CREATE INDEX site_domains_domain ON site_domains (domain);
CREATE INDEX site_domains_site ON site_domains (site);
CREATE INDEX sites_labels ON sites USING gin (labels jsonb_path_ops);

CREATE TABLE keys (
    id text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    name text COLLATE "C" NOT NULL DEFAULT '',
    labels jsonb,
    idempotency_key text COLLATE "C" NOT NULL DEFAULT '',
    type text COLLATE "C" NOT NULL DEFAULT '',
    public text COLLATE "C" NOT NULL DEFAULT '',
    comment text COLLATE "C" NOT NULL DEFAULT '',
    fingerprint text COLLATE "C" NOT NULL DEFAULT '',
    created timestamptz
);
CREATE UNIQUE INDEX keys_idempotency ON keys (owner, idempotency_key) WHERE idempotency_key <> '';
CREATE UNIQUE INDEX keys_fingerprint ON keys (owner, fingerprint);
CREATE INDEX keys_owner ON keys (owner, id);
CREATE INDEX keys_labels ON keys USING gin (labels jsonb_path_ops);

CREATE TABLE grants (
    id text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    "key" text COLLATE "C" NOT NULL DEFAULT '',
    server text COLLATE "C" NOT NULL DEFAULT '',
    unix_user text COLLATE "C" NOT NULL DEFAULT '',
    action text COLLATE "C" NOT NULL DEFAULT '',
    status text COLLATE "C" NOT NULL DEFAULT '',
    failure text COLLATE "C" NOT NULL DEFAULT '',
    created timestamptz,
    synced timestamptz,
    revoked timestamptz
);
CREATE UNIQUE INDEX grants_unique ON grants ("key", server, unix_user);
CREATE INDEX grants_key ON grants ("key", id);
CREATE INDEX grants_server ON grants (server, id);
CREATE INDEX grants_owner ON grants (owner, id);
CREATE INDEX grants_owner_status ON grants (owner, status, id);
CREATE INDEX grants_status ON grants (status, id);
CREATE INDEX grants_user ON grants (unix_user, id);

CREATE TABLE deployments (
    id text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    site text COLLATE "C" NOT NULL DEFAULT '',
    server text COLLATE "C" NOT NULL DEFAULT '',
    action text COLLATE "C" NOT NULL DEFAULT '',
    branch text COLLATE "C" NOT NULL DEFAULT '',
    "commit" text COLLATE "C" NOT NULL DEFAULT '',
    status text COLLATE "C" NOT NULL DEFAULT '',
    failure text COLLATE "C" NOT NULL DEFAULT '',
    commit_hash text COLLATE "C" NOT NULL DEFAULT '',
    commit_message text COLLATE "C" NOT NULL DEFAULT '',
    commit_author text COLLATE "C" NOT NULL DEFAULT '',
    created timestamptz,
    started timestamptz,
    finished timestamptz
);
CREATE UNIQUE INDEX deployments_pending ON deployments (site) WHERE status = 'pending';
CREATE UNIQUE INDEX deployments_running ON deployments (site) WHERE status IN ('running', 'cancelling');
CREATE INDEX deployments_site ON deployments (site, id);
CREATE INDEX deployments_server ON deployments (server, id);
CREATE INDEX deployments_owner ON deployments (owner, id);
CREATE INDEX deployments_owner_status ON deployments (owner, status, id);
CREATE INDEX deployments_status ON deployments (status, id);
CREATE INDEX deployments_finished ON deployments (finished);

CREATE TABLE deliveries (
    id text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    site text COLLATE "C" NOT NULL DEFAULT '',
    source text COLLATE "C" NOT NULL DEFAULT '',
    "key" text COLLATE "C" NOT NULL DEFAULT '',
    digest text COLLATE "C" NOT NULL DEFAULT '',
    branch text COLLATE "C" NOT NULL DEFAULT '',
    "commit" text COLLATE "C" NOT NULL DEFAULT '',
    result text COLLATE "C" NOT NULL DEFAULT '',
    reason text COLLATE "C" NOT NULL DEFAULT '',
    deployment text COLLATE "C" NOT NULL DEFAULT '',
    created timestamptz
);
CREATE UNIQUE INDEX deliveries_key ON deliveries (site, "key");
CREATE UNIQUE INDEX deliveries_digest ON deliveries (site, digest);
CREATE INDEX deliveries_site ON deliveries (site, id);
CREATE INDEX deliveries_owner ON deliveries (owner, id);
CREATE INDEX deliveries_created ON deliveries (created);

CREATE TABLE locks (
    id text COLLATE "C" PRIMARY KEY,
    holder text COLLATE "C" NOT NULL DEFAULT '',
    fence bigint NOT NULL DEFAULT 0,
    left_run text COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX locks_holder ON locks (holder) WHERE holder <> '';

CREATE TABLE actions (
    id text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    actor text COLLATE "C" NOT NULL DEFAULT '',
    kind text COLLATE "C" NOT NULL DEFAULT '',
    version bigint NOT NULL DEFAULT 0,
    subject_kind text COLLATE "C" NOT NULL DEFAULT '',
    subject text COLLATE "C" NOT NULL DEFAULT '',
    server text COLLATE "C" NOT NULL DEFAULT '',
    parent text COLLATE "C" NOT NULL DEFAULT '',
    input jsonb,
    input_sealed bytea,
    idempotency_key text COLLATE "C" NOT NULL DEFAULT '',
    status text COLLATE "C" NOT NULL DEFAULT '',
    failure jsonb,
    attempt bigint NOT NULL DEFAULT 0,
    stage text COLLATE "C" NOT NULL DEFAULT '',
    epoch bigint NOT NULL DEFAULT 0,
    holder text COLLATE "C" NOT NULL DEFAULT '',
    lease timestamptz,
    run_at timestamptz,
    waits text COLLATE "C" NOT NULL DEFAULT '',
    waiting text COLLATE "C" NOT NULL DEFAULT '',
    handouts bigint NOT NULL DEFAULT 0,
    tries bigint NOT NULL DEFAULT 0,
    locks jsonb,
    timeout bigint NOT NULL DEFAULT 0,
    deadline timestamptz,
    step bigint NOT NULL DEFAULT 0,
    steps bigint NOT NULL DEFAULT 0,
    step_name text COLLATE "C" NOT NULL DEFAULT '',
    secrets bytea,
    log_removed timestamptz,
    children bigint NOT NULL DEFAULT 0,
    children_open bigint NOT NULL DEFAULT 0,
    children_failed bigint NOT NULL DEFAULT 0,
    created timestamptz,
    started timestamptz,
    finished timestamptz,
    cursor_run text COLLATE "C" NOT NULL DEFAULT '',
    cursor_offset bigint NOT NULL DEFAULT 0,
    cursor_line bigint NOT NULL DEFAULT 0,
    cursor_bytes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX actions_idempotency ON actions (owner, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX actions_owner ON actions (owner, id);
CREATE INDEX actions_owner_status ON actions (owner, status, id);
CREATE INDEX actions_owner_kind ON actions (owner, kind, id);
CREATE INDEX actions_status ON actions (status, id);
CREATE INDEX actions_kind ON actions (kind, id);
CREATE INDEX actions_subject_kind ON actions (subject_kind, id);
CREATE INDEX actions_server ON actions (server, id);
CREATE INDEX actions_subject ON actions (subject, id);
CREATE INDEX actions_parent ON actions (parent, id) WHERE parent <> '';
CREATE INDEX actions_waits ON actions (waits, id) WHERE waits <> '';
-- What is open is little. Nothing that changes often, such as a lease, is in an
-- index.
CREATE INDEX actions_open ON actions (id) WHERE NOT status IN ('finished', 'failed', 'cancelled', 'superseded');
CREATE INDEX actions_open_server ON actions (server, id) WHERE NOT status IN ('finished', 'failed', 'cancelled', 'superseded');
CREATE INDEX actions_open_subject ON actions (subject, id) WHERE NOT status IN ('finished', 'failed', 'cancelled', 'superseded');
CREATE INDEX actions_due ON actions (run_at) WHERE NOT status IN ('finished', 'failed', 'cancelled', 'superseded') AND holder = '';
CREATE INDEX actions_finished ON actions (finished);
CREATE INDEX actions_logged ON actions (finished) WHERE log_removed IS NULL;

CREATE TABLE events (
    seq bigint PRIMARY KEY,
    time timestamptz,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    type text COLLATE "C" NOT NULL DEFAULT '',
    subject_kind text COLLATE "C" NOT NULL DEFAULT '',
    subject text COLLATE "C" NOT NULL DEFAULT '',
    action text COLLATE "C" NOT NULL DEFAULT '',
    server text COLLATE "C" NOT NULL DEFAULT '',
    came_from text COLLATE "C" NOT NULL DEFAULT '',
    went_to text COLLATE "C" NOT NULL DEFAULT '',
    step bigint NOT NULL DEFAULT 0,
    steps bigint NOT NULL DEFAULT 0,
    name text COLLATE "C" NOT NULL DEFAULT '',
    next_line bigint NOT NULL DEFAULT 0
);
CREATE INDEX events_time ON events (time);

-- The lines of logs, in compressed chunks of many.
CREATE TABLE log_chunks (
    action text COLLATE "C" NOT NULL,
    first bigint NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (action, first)
);
-- They are compressed already.
ALTER TABLE log_chunks ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE SEQUENCE events_seq;

-- One row: how far events were dropped.
CREATE TABLE event_state (
    one bigint PRIMARY KEY CHECK (one = 1),
    dropped bigint NOT NULL
);
INSERT INTO event_state (one, dropped) VALUES (1, 0);
