-- Experiments and runs. Times are microseconds since 1970-01-01 UTC; created_at is the time of the event by
-- the project's clock, received_at the time by the clock of the process that stored it.

CREATE TABLE experiments (
  project_id TEXT NOT NULL,
  name TEXT NOT NULL,
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (project_id, name)
) STRICT;

CREATE TABLE runs (
  run_id TEXT NOT NULL PRIMARY KEY,
  project_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  experiment TEXT NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  parent_id TEXT NOT NULL,
  environment_digest TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX runs_by_time ON runs (project_id, started_at, run_id);

CREATE INDEX runs_by_experiment ON runs (project_id, experiment, started_at, run_id);

CREATE INDEX runs_by_parent ON runs (project_id, parent_id, started_at, run_id);

CREATE TABLE run_params (
  run_id TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  project_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (run_id, key)
) STRICT;

CREATE TABLE run_tags (
  run_id TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  project_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (run_id, key)
) STRICT;

-- A metric's value is (kind, value): SQLite stores NaN as NULL, so `kind` says number, nan, inf or -inf,
-- and value is 0 unless kind is number. The key holds the whole point, so that a repeated write is one point.
CREATE TABLE metric_points (
  run_id TEXT NOT NULL,
  key TEXT NOT NULL,
  step INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  value REAL NOT NULL,
  project_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (run_id, key, step, at, kind, value)
) STRICT;

-- The newest value of each key: what a list of runs shows, without touching the points.
CREATE TABLE run_metrics (
  run_id TEXT NOT NULL,
  key TEXT NOT NULL,
  step INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  value REAL NOT NULL,
  project_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (run_id, key)
) STRICT;

CREATE TABLE run_inputs (
  run_id TEXT NOT NULL,
  dataset_name TEXT NOT NULL,
  dataset_version INTEGER NOT NULL,
  role TEXT NOT NULL,
  project_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (run_id, dataset_name, dataset_version, role)
) STRICT;

CREATE TABLE run_artifacts (
  run_id TEXT NOT NULL,
  path TEXT NOT NULL,
  digest TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  project_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (run_id, path)
) STRICT;
