"""The process that answers predictions: `python -m paddock.serving.gateway --state FOLDER`.

Invariants:
- it reads its state folder and nothing else: no metadata store, no object store, no server;
- no model is ever loaded in this process, each version has a worker process of its own;
- in log mode `wal` a prediction is on disk before it is answered;
- a config that cannot be loaded leaves the one before it live.

Started by `paddock.serving.start_gateway`; nothing here is imported by other rooms.
"""
