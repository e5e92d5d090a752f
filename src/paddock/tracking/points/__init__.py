"""How metric points are kept: as they came in, until there are enough of them for columns by key.

- A batch is one row of the tail: adding to a run's history costs the same at the first point and at the
  millionth.
- Full tails become chunks of one key, sorted by (step, at, value); chunks of like size are merged, so that
  each point is written again a few times only.
- Points that are equal in all parts are one point: they are told apart from new ones when chunks are made and
  when a history is read, never by looking through the history on a write.

Writing a point needs no NumPy: `columns` and `sampling` are loaded by who reads, or makes chunks.
"""
