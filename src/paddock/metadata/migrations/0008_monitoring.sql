-- Each row is one revision of one window; times are microseconds since 1970-01-01 UTC.
CREATE TABLE monitor_windows (
  project_id TEXT NOT NULL,
  monitor TEXT NOT NULL,
  window_start INTEGER NOT NULL,
  window_end INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  is_latest INTEGER NOT NULL,
  state TEXT NOT NULL,
  facts_digest TEXT NOT NULL,
  report_json TEXT NOT NULL,
  principal TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (project_id, monitor, window_start, window_end, revision)
) STRICT;

CREATE INDEX monitor_windows_latest ON monitor_windows (project_id, monitor, is_latest, window_start);
