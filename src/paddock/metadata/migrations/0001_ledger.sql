-- what has been applied to this database
CREATE TABLE schema_migrations (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

-- position, previous_hash and hash are NULL until the event is sealed
CREATE TABLE events (
    event_id TEXT NOT NULL PRIMARY KEY,
    position INTEGER UNIQUE,
    project_id TEXT NOT NULL,
    principal TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    event_time INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    data TEXT NOT NULL,
    previous_hash TEXT,
    hash TEXT
) STRICT;

CREATE INDEX events_by_project ON events (project_id, position);
CREATE INDEX events_by_subject ON events (project_id, subject, position);

CREATE TABLE ledger_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT;

INSERT INTO ledger_head (one, position, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TABLE idempotency_keys (
    project_id TEXT NOT NULL,
    principal TEXT NOT NULL,
    key TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    result BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, principal, key)
) STRICT;
