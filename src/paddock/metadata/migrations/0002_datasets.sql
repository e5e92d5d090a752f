CREATE TABLE dataset_versions (
  project_id TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  digest TEXT NOT NULL,
  profile_digest TEXT NOT NULL,
  format TEXT NOT NULL,
  schema_json TEXT NOT NULL,
  row_count INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  source TEXT NOT NULL,
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (project_id, name, version),
  UNIQUE (project_id, name, digest)
) STRICT;
