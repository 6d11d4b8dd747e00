-- Every column has a default, so that an older program can insert a record when a
-- newer one has added a column.

CREATE TABLE servers (
    id text NOT NULL PRIMARY KEY,
    owner text NOT NULL DEFAULT '',
    name text NOT NULL DEFAULT '',
    labels text,
    idempotency_key text NOT NULL DEFAULT '',
    provider text NOT NULL DEFAULT '',
    region text NOT NULL DEFAULT '',
    size text NOT NULL DEFAULT '',
    image text NOT NULL DEFAULT '',
    provider_id text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT '',
    port integer NOT NULL DEFAULT 0,
    login_user text NOT NULL DEFAULT '',
    ipv4 text NOT NULL DEFAULT '',
    ipv6 text NOT NULL DEFAULT '',
    private_address text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT '',
    failure text NOT NULL DEFAULT '',
    stack text,
    public_key text NOT NULL DEFAULT '',
    control_key blob,
    host_keys text,
    injected_host_key blob,
    database_password blob,
    redis_password blob,
    created integer,
    updated integer,
    provisioned integer
) STRICT;
CREATE UNIQUE INDEX servers_idempotency ON servers (owner, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX servers_owner ON servers (owner, id);
CREATE INDEX servers_owner_status ON servers (owner, status, id);
CREATE INDEX servers_owner_provider ON servers (owner, provider, id);
CREATE INDEX servers_status ON servers (status, id);
CREATE INDEX servers_provider ON servers (provider, id);
CREATE INDEX servers_name ON servers (name, id);

CREATE TABLE sites (
    id text NOT NULL PRIMARY KEY,
    owner text NOT NULL DEFAULT '',
    server text NOT NULL DEFAULT '',
    labels text,
    idempotency_key text NOT NULL DEFAULT '',
    kind text NOT NULL DEFAULT '',
    domain text NOT NULL DEFAULT '',
    aliases text,
    web_directory text NOT NULL DEFAULT '',
    php_version text NOT NULL DEFAULT '',
    upstream text NOT NULL DEFAULT '',
    unix_user text NOT NULL DEFAULT '',
    directory text NOT NULL DEFAULT '',
    repository text NOT NULL DEFAULT '',
    repository_user text NOT NULL DEFAULT '',
    repository_token blob,
    branch text NOT NULL DEFAULT '',
    deploy_key text NOT NULL DEFAULT '',
    known_hosts text NOT NULL DEFAULT '',
    deploy_script text NOT NULL DEFAULT '',
    deploy_timeout integer NOT NULL DEFAULT 0,
    environment blob,
    environment_next blob,
    webhook blob,
    webhook_previous blob,
    webhook_previous_until integer,
    deploy_url blob,
    deploy_url_previous blob,
    deploy_url_previous_until integer,
    status text NOT NULL DEFAULT '',
    failure text NOT NULL DEFAULT '',
    deployment_started integer,
    deployment_finished integer,
    created integer,
    updated integer
) STRICT;
CREATE UNIQUE INDEX sites_idempotency ON sites (owner, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX sites_owner ON sites (owner, id);
CREATE INDEX sites_owner_status ON sites (owner, status, id);
CREATE INDEX sites_status ON sites (status, id);
CREATE INDEX sites_server ON sites (server, id);

CREATE TABLE site_domains (
    server text NOT NULL,
    domain text NOT NULL,
    site text NOT NULL,
    PRIMARY KEY (server, domain)
) STRICT;
CREATE INDEX site_domains_domain ON site_domains (domain);
CREATE INDEX site_domains_site ON site_domains (site);

CREATE TABLE keys (
    id text NOT NULL PRIMARY KEY,
    owner text NOT NULL DEFAULT '',
    name text NOT NULL DEFAULT '',
    labels text,
    idempotency_key text NOT NULL DEFAULT '',
    type text NOT NULL DEFAULT '',
    public text NOT NULL DEFAULT '',
    comment text NOT NULL DEFAULT '',
    fingerprint text NOT NULL DEFAULT '',
    created integer
) STRICT;
CREATE UNIQUE INDEX keys_idempotency ON keys (owner, idempotency_key) WHERE idempotency_key <> '';
CREATE UNIQUE INDEX keys_fingerprint ON keys (owner, fingerprint);
CREATE INDEX keys_owner ON keys (owner, id);

CREATE TABLE grants (
    id text NOT NULL PRIMARY KEY,
    owner text NOT NULL DEFAULT '',
    "key" text NOT NULL DEFAULT '',
    server text NOT NULL DEFAULT '',
    unix_user text NOT NULL DEFAULT '',
    action text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT '',
    failure text NOT NULL DEFAULT '',
    created integer,
    synced integer,
    revoked integer
) STRICT;
CREATE UNIQUE INDEX grants_unique ON grants ("key", server, unix_user);
CREATE INDEX grants_key ON grants ("key", id);
CREATE INDEX grants_server ON grants (server, id);
CREATE INDEX grants_owner ON grants (owner, id);
CREATE INDEX grants_owner_status ON grants (owner, status, id);
CREATE INDEX grants_status ON grants (status, id);
CREATE INDEX grants_user ON grants (unix_user, id);

CREATE TABLE deployments (
    id text NOT NULL PRIMARY KEY,
    owner text NOT NULL DEFAULT '',
    site text NOT NULL DEFAULT '',
    server text NOT NULL DEFAULT '',
    action text NOT NULL DEFAULT '',
    branch text NOT NULL DEFAULT '',
    "commit" text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT '',
    failure text NOT NULL DEFAULT '',
    commit_hash text NOT NULL DEFAULT '',
    commit_message text NOT NULL DEFAULT '',
    commit_author text NOT NULL DEFAULT '',
    created integer,
    started integer,
    finished integer
) STRICT;
CREATE UNIQUE INDEX deployments_pending ON deployments (site) WHERE status = 'pending';
CREATE UNIQUE INDEX deployments_running ON deployments (site) WHERE status IN ('running', 'cancelling');
CREATE INDEX deployments_site ON deployments (site, id);
CREATE INDEX deployments_server ON deployments (server, id);
CREATE INDEX deployments_owner ON deployments (owner, id);
CREATE INDEX deployments_owner_status ON deployments (owner, status, id);
CREATE INDEX deployments_status ON deployments (status, id);
CREATE INDEX deployments_finished ON deployments (finished);

CREATE TABLE deliveries (
    id text NOT NULL PRIMARY KEY,
    owner text NOT NULL DEFAULT '',
    site text NOT NULL DEFAULT '',
    source text NOT NULL DEFAULT '',
    "key" text NOT NULL DEFAULT '',
    digest text NOT NULL DEFAULT '',
    branch text NOT NULL DEFAULT '',
    "commit" text NOT NULL DEFAULT '',
    result text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    deployment text NOT NULL DEFAULT '',
    created integer
) STRICT;
CREATE UNIQUE INDEX deliveries_key ON deliveries (site, "key");
CREATE UNIQUE INDEX deliveries_digest ON deliveries (site, digest);
CREATE INDEX deliveries_site ON deliveries (site, id);
CREATE INDEX deliveries_owner ON deliveries (owner, id);
CREATE INDEX deliveries_created ON deliveries (created);

CREATE TABLE locks (
    id text NOT NULL PRIMARY KEY,
    holder text NOT NULL DEFAULT '',
    fence integer NOT NULL DEFAULT 0,
    left_run text NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX locks_holder ON locks (holder) WHERE holder <> '';

CREATE TABLE actions (
    id text NOT NULL PRIMARY KEY,
    owner text NOT NULL DEFAULT '',
    actor text NOT NULL DEFAULT '',
    kind text NOT NULL DEFAULT '',
    version integer NOT NULL DEFAULT 0,
    subject_kind text NOT NULL DEFAULT '',
    subject text NOT NULL DEFAULT '',
    server text NOT NULL DEFAULT '',
    parent text NOT NULL DEFAULT '',
    input text,
    input_sealed blob,
    idempotency_key text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT '',
    failure text,
    attempt integer NOT NULL DEFAULT 0,
    stage text NOT NULL DEFAULT '',
    epoch integer NOT NULL DEFAULT 0,
    holder text NOT NULL DEFAULT '',
    lease integer,
    run_at integer,
    waits text NOT NULL DEFAULT '',
    waiting text NOT NULL DEFAULT '',
    handouts integer NOT NULL DEFAULT 0,
    tries integer NOT NULL DEFAULT 0,
    locks text,
    timeout integer NOT NULL DEFAULT 0,
    deadline integer,
    step integer NOT NULL DEFAULT 0,
    steps integer NOT NULL DEFAULT 0,
    step_name text NOT NULL DEFAULT '',
    secrets blob,
    log_removed integer,
    children integer NOT NULL DEFAULT 0,
    children_open integer NOT NULL DEFAULT 0,
    children_failed integer NOT NULL DEFAULT 0,
    created integer,
    started integer,
    finished integer,
    cursor_run text NOT NULL DEFAULT '',
    cursor_offset integer NOT NULL DEFAULT 0,
    cursor_line integer NOT NULL DEFAULT 0,
    cursor_bytes integer NOT NULL DEFAULT 0
) STRICT;
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
    seq integer PRIMARY KEY,
    time integer,
    owner text NOT NULL DEFAULT '',
    type text NOT NULL DEFAULT '',
    subject_kind text NOT NULL DEFAULT '',
    subject text NOT NULL DEFAULT '',
    action text NOT NULL DEFAULT '',
    server text NOT NULL DEFAULT '',
    came_from text NOT NULL DEFAULT '',
    went_to text NOT NULL DEFAULT '',
    step integer NOT NULL DEFAULT 0,
    steps integer NOT NULL DEFAULT 0,
    name text NOT NULL DEFAULT '',
    next_line integer NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX events_time ON events (time);

-- The lines of logs, in compressed chunks of many.
CREATE TABLE log_chunks (
    action text NOT NULL,
    first integer NOT NULL,
    data blob NOT NULL,
    PRIMARY KEY (action, first)
) STRICT;

-- One row: how far events were dropped.
CREATE TABLE event_state (
    one integer PRIMARY KEY CHECK (one = 1),
    dropped integer NOT NULL
) STRICT;
INSERT INTO event_state (one, dropped) VALUES (1, 0);
