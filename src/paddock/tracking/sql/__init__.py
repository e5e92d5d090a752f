"""The SQL of tracking, by what it is about."""
