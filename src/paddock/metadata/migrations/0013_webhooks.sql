-- Receivers outside, and how far each has got in the ledger. events is a JSON array of names; secret is
-- sealed, NULL for none. position and part: what is dealt with. Times are 0 for never or at once.
CREATE TABLE webhooks (
  webhook_id TEXT NOT NULL PRIMARY KEY,
  project_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  url TEXT NOT NULL,
  events TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('ACTIVE', 'DISABLED')),
  secret BLOB,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  position INTEGER NOT NULL,
  part INTEGER NOT NULL,
  failed_count INTEGER NOT NULL,
  next_attempt_at INTEGER NOT NULL,
  last_attempt_at INTEGER NOT NULL,
  last_status INTEGER NOT NULL,
  last_words TEXT NOT NULL,
  delivered_count INTEGER NOT NULL,
  given_up_count INTEGER NOT NULL,
  lease_owner TEXT NOT NULL,
  lease_until INTEGER NOT NULL
) STRICT;
CREATE INDEX webhooks_by_time ON webhooks (project_id, created_at, webhook_id);
CREATE INDEX webhooks_due ON webhooks (next_attempt_at) WHERE status = 'ACTIVE';
