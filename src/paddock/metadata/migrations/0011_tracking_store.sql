-- The tracking store anew: whole-number keys inside, columnar metric points, values in covering indexes,
-- and a summary of each run that is ready to be sent. Times are microseconds since 1970-01-01 UTC.

ALTER TABLE experiments RENAME TO old_experiments;
ALTER TABLE runs RENAME TO old_runs;
ALTER TABLE run_params RENAME TO old_run_params;
ALTER TABLE run_tags RENAME TO old_run_tags;
ALTER TABLE run_metrics RENAME TO old_run_metrics;
ALTER TABLE run_inputs RENAME TO old_run_inputs;
DROP INDEX runs_by_time;
DROP INDEX runs_by_experiment;
DROP INDEX runs_by_parent;

-- experiment_id counts within its project; 0 is the one called Default. artifact_location: empty for Paddock's own.
CREATE TABLE experiments (
  experiment_no INTEGER PRIMARY KEY,
  project_id TEXT NOT NULL,
  experiment_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  artifact_location TEXT NOT NULL,
  lifecycle TEXT NOT NULL CHECK (lifecycle IN ('active', 'deleted')),
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (project_id, experiment_id),
  UNIQUE (project_id, name)
) STRICT;

CREATE TABLE experiment_tags (
  experiment_no INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  principal TEXT NOT NULL,
  PRIMARY KEY (experiment_no, key)
) STRICT, WITHOUT ROWID;

-- user_name: who the client says has started it; principal: who it was. deleted_at: NULL while active.
CREATE TABLE runs (
  run_no INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL UNIQUE,
  project_id TEXT NOT NULL,
  experiment_no INTEGER NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  lifecycle TEXT NOT NULL CHECK (lifecycle IN ('active', 'deleted')),
  deleted_at INTEGER,
  parent_id TEXT NOT NULL,
  user_name TEXT NOT NULL,
  principal TEXT NOT NULL,
  environment_digest TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX runs_by_time ON runs (project_id, lifecycle, started_at DESC, run_id);

CREATE INDEX runs_by_experiment ON runs (experiment_no, lifecycle, started_at DESC, run_id);

CREATE INDEX runs_by_parent ON runs (project_id, parent_id, started_at DESC, run_id);

CREATE INDEX runs_by_name ON runs (experiment_no, name, run_no);

CREATE INDEX runs_by_status ON runs (experiment_no, status, run_no);

-- What a list of runs shows, as JSON: parameters, tags, latest metrics, inputs and outputs. Empty: too large
-- to keep, so it is put together when it is read.
CREATE TABLE run_summaries (
  run_no INTEGER PRIMARY KEY,
  body TEXT NOT NULL
) STRICT;

CREATE TABLE run_params (
  run_no INTEGER NOT NULL,
  key TEXT NOT NULL,
  experiment_no INTEGER NOT NULL,
  value TEXT NOT NULL,
  principal TEXT NOT NULL,
  PRIMARY KEY (run_no, key)
) STRICT, WITHOUT ROWID;

-- the head of the value: an index of PostgreSQL takes no long ones
CREATE INDEX run_params_by_value ON run_params (experiment_no, key, substr(value, 1, 64), run_no);

CREATE TABLE run_tags (
  run_no INTEGER NOT NULL,
  key TEXT NOT NULL,
  experiment_no INTEGER NOT NULL,
  value TEXT NOT NULL,
  principal TEXT NOT NULL,
  PRIMARY KEY (run_no, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX run_tags_by_value ON run_tags (experiment_no, key, substr(value, 1, 64), run_no);

-- The latest value of each key: the one at the highest (step, at, value). NULL is NaN, which SQLite cannot keep.
CREATE TABLE run_metrics (
  run_no INTEGER NOT NULL,
  key TEXT NOT NULL,
  experiment_no INTEGER NOT NULL,
  value REAL,
  step INTEGER NOT NULL,
  at INTEGER NOT NULL,
  principal TEXT NOT NULL,
  PRIMARY KEY (run_no, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX run_metrics_by_value ON run_metrics (experiment_no, key, value, run_no);

-- Points as they came, one row a batch, until there are enough of them for chunks.
-- points_before: in the batches of the run that are still here and came before this one.
CREATE TABLE metric_tail (
  run_no INTEGER NOT NULL,
  batch_no INTEGER NOT NULL,
  points_before INTEGER NOT NULL,
  point_count INTEGER NOT NULL,
  principal TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (run_no, batch_no)
) STRICT, WITHOUT ROWID;

-- Points of one key by (step, at, value), columns one after the other.
CREATE TABLE metric_chunks (
  run_no INTEGER NOT NULL,
  key TEXT NOT NULL,
  chunk_no INTEGER NOT NULL,
  point_count INTEGER NOT NULL,
  min_step INTEGER NOT NULL,
  max_step INTEGER NOT NULL,
  min_at INTEGER NOT NULL,
  max_at INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (run_no, key, chunk_no)
) STRICT;

-- Dataset versions of this store that a run has read.
CREATE TABLE run_inputs (
  run_no INTEGER NOT NULL,
  dataset_name TEXT NOT NULL,
  dataset_version INTEGER NOT NULL,
  role TEXT NOT NULL,
  principal TEXT NOT NULL,
  PRIMARY KEY (run_no, dataset_name, dataset_version, role)
) STRICT, WITHOUT ROWID;

-- Datasets that clients describe, and do not keep here.
CREATE TABLE described_datasets (
  dataset_no INTEGER PRIMARY KEY,
  experiment_no INTEGER NOT NULL,
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  source_type TEXT NOT NULL,
  source TEXT NOT NULL,
  schema_text TEXT NOT NULL,
  profile TEXT NOT NULL,
  UNIQUE (experiment_no, name, digest)
) STRICT;

-- tags: JSON, [["mlflow.data.context", "train"], ...]
CREATE TABLE run_described_inputs (
  run_no INTEGER NOT NULL,
  dataset_no INTEGER NOT NULL,
  context TEXT NOT NULL,
  tags TEXT NOT NULL,
  principal TEXT NOT NULL,
  PRIMARY KEY (run_no, dataset_no)
) STRICT, WITHOUT ROWID;

CREATE INDEX run_described_inputs_by_dataset ON run_described_inputs (dataset_no, run_no);

-- Logged models that a run has read (`input`) or made (`output`).
CREATE TABLE run_models (
  run_no INTEGER NOT NULL,
  direction TEXT NOT NULL CHECK (direction IN ('input', 'output')),
  model_id TEXT NOT NULL,
  step INTEGER NOT NULL,
  principal TEXT NOT NULL,
  PRIMARY KEY (run_no, direction, model_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX run_models_by_model ON run_models (model_id, direction, run_no);

INSERT INTO experiments (experiment_no, project_id, experiment_id, name, artifact_location, lifecycle, principal,
                         created_at, updated_at)
SELECT ROW_NUMBER() OVER (ORDER BY project_id, created_at, name), project_id,
       CASE WHEN name = 'Default' THEN 0 ELSE
         ROW_NUMBER() OVER (PARTITION BY project_id ORDER BY created_at, name) END,
       name, '', 'active', principal, created_at, created_at
FROM old_experiments;

INSERT INTO runs (run_no, run_id, project_id, experiment_no, name, status, lifecycle, deleted_at, parent_id, user_name,
                  principal, environment_digest, started_at, ended_at, created_at)
SELECT ROW_NUMBER() OVER (ORDER BY r.started_at, r.run_id), r.run_id, r.project_id, e.experiment_no, r.name, r.status,
       'active', NULL, r.parent_id, r.principal, r.principal, r.environment_digest, r.started_at, r.ended_at, r.created_at
FROM old_runs r JOIN experiments e ON e.project_id = r.project_id AND e.name = r.experiment;

INSERT INTO run_params (run_no, key, experiment_no, value, principal)
SELECT r.run_no, o.key, r.experiment_no, o.value, o.principal
FROM old_run_params o JOIN runs r ON r.run_id = o.run_id;

INSERT INTO run_tags (run_no, key, experiment_no, value, principal)
SELECT r.run_no, o.key, r.experiment_no, o.value, o.principal FROM old_run_tags o JOIN runs r ON r.run_id = o.run_id;

INSERT INTO run_inputs (run_no, dataset_name, dataset_version, role, principal)
SELECT r.run_no, o.dataset_name, o.dataset_version, o.role, o.principal
FROM old_run_inputs o JOIN runs r ON r.run_id = o.run_id;

DROP TABLE old_run_inputs;
DROP TABLE old_run_tags;
DROP TABLE old_run_params;
DROP TABLE old_runs;
DROP TABLE old_experiments;
