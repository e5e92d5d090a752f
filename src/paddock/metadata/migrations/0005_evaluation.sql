-- Gate reports: the decision and where its evidence lies. The report itself is an object.
CREATE TABLE gate_reports (
    report_id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL,
    principal TEXT NOT NULL,
    model TEXT NOT NULL,
    candidate_digest TEXT NOT NULL,
    candidate_version INTEGER NOT NULL,
    champion_version INTEGER NOT NULL,
    passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
    gated_as TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    words TEXT NOT NULL,
    report_digest TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX gate_reports_by_model ON gate_reports (project_id, model, created_at, report_id);
