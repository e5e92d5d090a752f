-- writes share it; one that is run again takes it alone, and so cannot fail for the same reason twice
CREATE TABLE write_turn (one BIGINT);

CREATE INDEX events_unsealed ON events (received_at, event_id) WHERE position IS NULL;

CREATE FUNCTION refuse_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event ledger is append-only' USING ERRCODE = 'restrict_violation';
END;
$$;

-- sealing fills the three empty columns once and leaves the rest as it is
CREATE TRIGGER events_keep_changed BEFORE UPDATE ON events FOR EACH ROW
WHEN (
    OLD.position IS NOT NULL OR NEW.position IS NULL OR NEW.previous_hash IS NULL OR NEW.hash IS NULL
    OR (NEW.event_id, NEW.project_id, NEW.principal, NEW.kind, NEW.subject)
        IS DISTINCT FROM (OLD.event_id, OLD.project_id, OLD.principal, OLD.kind, OLD.subject)
    OR (NEW.event_time, NEW.received_at, NEW.data)
        IS DISTINCT FROM (OLD.event_time, OLD.received_at, OLD.data)
)
EXECUTE FUNCTION refuse_event_change();

CREATE TRIGGER events_keep_deleted BEFORE DELETE ON events FOR EACH ROW
EXECUTE FUNCTION refuse_event_change();

CREATE TRIGGER events_keep_truncated BEFORE TRUNCATE ON events FOR EACH STATEMENT
EXECUTE FUNCTION refuse_event_change();
