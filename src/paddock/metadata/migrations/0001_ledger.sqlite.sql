CREATE TRIGGER events_keep_changed BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'the event ledger is append-only');
END;

CREATE TRIGGER events_keep_deleted BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'the event ledger is append-only');
END;
