"""How estimators become bytes and come back; learning libraries are imported inside functions only."""
