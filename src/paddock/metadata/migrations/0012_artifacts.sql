-- Files of runs and of logged models, and files on their way. Times are microseconds since 1970-01-01 UTC.
-- owner: `runs/<run_id>`, `models/<model_id>`, or empty for files that belong to nothing.

CREATE TABLE artifacts (
  project_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  path TEXT NOT NULL,
  digest TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (project_id, owner, path)
) STRICT, WITHOUT ROWID;

INSERT INTO artifacts (project_id, owner, path, digest, size_bytes, principal, created_at)
SELECT project_id, 'runs/' || run_id, path, digest, size_bytes, principal, created_at FROM run_artifacts;

DROP TABLE run_artifacts;

-- A file that comes in parts. size_bytes: -1 while it is not known; part_count: 0 when it was not announced.
-- digest: empty until the upload is complete.
CREATE TABLE artifact_uploads (
  upload_id TEXT NOT NULL PRIMARY KEY,
  project_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  path TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  part_count INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'complete')),
  digest TEXT NOT NULL,
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX artifact_uploads_by_project ON artifact_uploads (project_id);

CREATE INDEX artifact_uploads_by_expiry ON artifact_uploads (expires_at);

CREATE TABLE artifact_upload_parts (
  upload_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  digest TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (upload_id, number)
) STRICT, WITHOUT ROWID;
