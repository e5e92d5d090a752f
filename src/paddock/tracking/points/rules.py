"""When a tail is turned into chunks, and which chunks become one."""

from collections.abc import Sequence

CHUNK_POINTS = 16_384
TAIL_POINTS = 16_384
TAIL_BATCHES = 256


def is_tail_full(batch_count: int, point_count: int) -> bool:
    """Say whether a run's tail should become chunks: reading it costs too much beyond this.

    >>> is_tail_full(3, 100), is_tail_full(256, 256), is_tail_full(2, 20_000)
    (False, True, True)
    """
    return batch_count >= TAIL_BATCHES or point_count >= TAIL_POINTS


def count_to_merge(chunks: Sequence[int], new: int) -> int:
    """Return how many of the last chunks to merge with `new` points: those not larger than what joins them.

    chunks: points of each chunk of the key, the oldest first. A full chunk is left alone. Sizes then fall
    by half from chunk to chunk, so a point is written again at most log2(CHUNK_POINTS) times.

    >>> count_to_merge([16_384, 64, 8], 8)
    1
    >>> count_to_merge([16_384, 8, 4], 4)
    2
    """
    merged, joined = 0, new
    for size in reversed(chunks):
        if size >= CHUNK_POINTS or size > joined:
            break
        merged, joined = merged + 1, joined + size
    return merged
