-- Pipeline runs, their steps, and the outputs that may be used again. Times are microseconds since
-- 1970-01-01 UTC.

CREATE TABLE pipeline_runs (
  pipeline_run_id TEXT NOT NULL PRIMARY KEY,
  project_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  status TEXT NOT NULL,
  params TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  request_digest TEXT NOT NULL,
  reason TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX pipeline_runs_by_time ON pipeline_runs (project_id, started_at, pipeline_run_id);

CREATE INDEX pipeline_runs_by_key ON pipeline_runs (project_id, principal, idempotency_key);

-- inputs is a JSON array of {name, digest, source}.
CREATE TABLE step_runs (
  step_run_id TEXT NOT NULL PRIMARY KEY,
  project_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  pipeline_run_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  cache_key TEXT NOT NULL,
  code_digest TEXT NOT NULL,
  inputs TEXT NOT NULL,
  output_kind TEXT NOT NULL,
  output_digest TEXT NOT NULL,
  output_bytes INTEGER NOT NULL,
  log_digest TEXT NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  reason TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX step_runs_by_pipeline ON step_runs (pipeline_run_id, position);

-- One output for each key. The three digests are the parts of the key, kept to say which part of a later
-- key differs.
CREATE TABLE step_cache (
  project_id TEXT NOT NULL,
  cache_key TEXT NOT NULL,
  principal TEXT NOT NULL,
  step TEXT NOT NULL,
  step_run_id TEXT NOT NULL,
  output_kind TEXT NOT NULL,
  output_digest TEXT NOT NULL,
  output_bytes INTEGER NOT NULL,
  code_digest TEXT NOT NULL,
  inputs_digest TEXT NOT NULL,
  environment_digest TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (project_id, cache_key)
) STRICT;

CREATE INDEX step_cache_by_step ON step_cache (project_id, step, created_at);

-- Outputs and logs of at most 16 KiB, by digest: an object of its own would cost two disk syncs each.
CREATE TABLE step_values (
  project_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  body BLOB NOT NULL,
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (project_id, digest)
) STRICT;
