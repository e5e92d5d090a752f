CREATE TABLE endpoints (
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    spec TEXT NOT NULL,
    salt TEXT NOT NULL,
    principal TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, name)
) STRICT;
-- What an endpoint served since when; the newest row is what it serves now.
CREATE TABLE endpoint_revisions (
    project_id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    config TEXT NOT NULL,
    reason TEXT NOT NULL,
    principal TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, endpoint, number),
    FOREIGN KEY (project_id, endpoint) REFERENCES endpoints (project_id, name)
) STRICT;
