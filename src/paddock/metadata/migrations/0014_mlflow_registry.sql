-- Registered models and versions as MLflow's clients keep them, beside those that have a package; and logged
-- models. Times are microseconds since 1970-01-01 UTC.

-- last_version: the highest number ever given; a deleted version's number is not given again.
ALTER TABLE models ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN last_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE models ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;

UPDATE models SET
  last_version = (SELECT COALESCE(MAX(v.version), 0) FROM model_versions v
                  WHERE v.project_id = models.project_id AND v.name = models.name),
  updated_at = (SELECT COALESCE(MAX(v.created_at), models.created_at) FROM model_versions v
                WHERE v.project_id = models.project_id AND v.name = models.name);

-- A version without a package (package_digest is empty) has a source: text of the client, never opened here.
-- origin: the source of the version it was copied from, else its own. model_id: the logged model it is, or empty.
-- stage: what a client called it; versions with a package have none of their own.
ALTER TABLE model_versions ADD COLUMN source TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN origin TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN model_id TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN run_link TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE model_versions ADD COLUMN stage TEXT NOT NULL DEFAULT 'None';
ALTER TABLE model_versions ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;

UPDATE model_versions SET updated_at = created_at;

CREATE INDEX models_by_update ON models (project_id, updated_at, name);

CREATE INDEX model_versions_by_update ON model_versions (project_id, updated_at, name, version);

CREATE INDEX model_versions_by_run ON model_versions (project_id, run_id);

CREATE TABLE model_tags (
  project_id TEXT NOT NULL,
  name TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  principal TEXT NOT NULL,
  PRIMARY KEY (project_id, name, key)
) STRICT, WITHOUT ROWID;

-- the head of the value: an index of PostgreSQL takes no long ones
CREATE INDEX model_tags_by_value ON model_tags (project_id, key, substr(value, 1, 64), name);

CREATE TABLE model_version_tags (
  project_id TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  principal TEXT NOT NULL,
  PRIMARY KEY (project_id, name, version, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX model_version_tags_by_value
  ON model_version_tags (project_id, key, substr(value, 1, 64), name, version);

-- deleted_at: NULL while active. source_run_id: the run that made it, or empty.
CREATE TABLE logged_models (
  model_no INTEGER PRIMARY KEY,
  model_id TEXT NOT NULL UNIQUE,
  project_id TEXT NOT NULL,
  experiment_no INTEGER NOT NULL,
  name TEXT NOT NULL,
  model_type TEXT NOT NULL,
  source_run_id TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('unspecified', 'pending', 'ready', 'failed')),
  lifecycle TEXT NOT NULL CHECK (lifecycle IN ('active', 'deleted')),
  deleted_at INTEGER,
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX logged_models_by_experiment ON logged_models (experiment_no, lifecycle, created_at DESC, model_id);

CREATE INDEX logged_models_by_name ON logged_models (experiment_no, name);

CREATE INDEX logged_models_by_run ON logged_models (project_id, source_run_id);

CREATE TABLE logged_model_params (
  model_no INTEGER NOT NULL,
  key TEXT NOT NULL,
  experiment_no INTEGER NOT NULL,
  value TEXT NOT NULL,
  principal TEXT NOT NULL,
  PRIMARY KEY (model_no, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX logged_model_params_by_value
  ON logged_model_params (experiment_no, key, substr(value, 1, 64), model_no);

CREATE TABLE logged_model_tags (
  model_no INTEGER NOT NULL,
  key TEXT NOT NULL,
  experiment_no INTEGER NOT NULL,
  value TEXT NOT NULL,
  principal TEXT NOT NULL,
  PRIMARY KEY (model_no, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX logged_model_tags_by_value
  ON logged_model_tags (experiment_no, key, substr(value, 1, 64), model_no);

-- Points that runs measured of a model, a few for each key. value: NULL is NaN. dataset_name, dataset_digest:
-- what it was measured on, empty where that was not said.
CREATE TABLE logged_model_metrics (
  model_no INTEGER NOT NULL,
  key TEXT NOT NULL,
  run_no INTEGER NOT NULL,
  step INTEGER NOT NULL,
  at INTEGER NOT NULL,
  dataset_name TEXT NOT NULL,
  dataset_digest TEXT NOT NULL,
  value REAL,
  principal TEXT NOT NULL,
  PRIMARY KEY (model_no, key, run_no, step, at, dataset_name, dataset_digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX logged_model_metrics_by_value ON logged_model_metrics (key, value, model_no);

CREATE INDEX logged_model_metrics_by_dataset ON logged_model_metrics (dataset_name, dataset_digest, model_no);
