CREATE TABLE models (
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    principal TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, name)
) STRICT;
CREATE TABLE model_versions (
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    package_digest TEXT NOT NULL,
    run_id TEXT NOT NULL,
    refit_of INTEGER NOT NULL,
    report_id TEXT NOT NULL,
    datasets TEXT NOT NULL,
    code_digest TEXT NOT NULL,
    params_digest TEXT NOT NULL,
    environment_digest TEXT NOT NULL,
    principal TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, name, version),
    FOREIGN KEY (project_id, name) REFERENCES models (project_id, name)
) STRICT;
CREATE TABLE model_verifications (
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
    cause TEXT NOT NULL,
    words TEXT NOT NULL,
    principal TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, name, version, sequence),
    FOREIGN KEY (project_id, name, version) REFERENCES model_versions (project_id, name, version)
) STRICT;
-- Every move of every alias; the newest one is where the alias stands. to_version 0: nowhere.
CREATE TABLE alias_changes (
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    alias TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    from_version INTEGER NOT NULL,
    to_version INTEGER NOT NULL,
    reason TEXT NOT NULL,
    report_id TEXT NOT NULL,
    way_back TEXT NOT NULL,
    principal TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project_id, name, alias, sequence),
    FOREIGN KEY (project_id, name) REFERENCES models (project_id, name)
) STRICT;
