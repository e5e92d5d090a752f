CREATE TABLE rollouts (
  rollout_id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  model TEXT NOT NULL,
  origin TEXT NOT NULL,
  trigger_words TEXT NOT NULL,
  champion INTEGER NOT NULL,
  candidate INTEGER NOT NULL,
  gated INTEGER NOT NULL,
  phase TEXT NOT NULL,
  step INTEGER NOT NULL,
  is_open INTEGER NOT NULL,
  fit_before INTEGER NOT NULL,
  gate_until INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  phase_started_at INTEGER NOT NULL,
  revision INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX rollouts_open ON rollouts (project_id, endpoint) WHERE is_open = 1;
CREATE INDEX rollouts_by_time ON rollouts (project_id, endpoint, started_at);
