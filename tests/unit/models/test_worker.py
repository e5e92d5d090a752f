"""What passes between a caller and a worker, without the worker."""

import pytest

from paddock.models.worker import protocol


def test_oversized_frame_is_refused_before_it_is_read() -> None:
    """Lengths beyond the limits are a FrameError, whatever follows."""
    with pytest.raises(protocol.FrameError, match="beyond the limits"):
        protocol.parse_lengths(protocol.LENGTHS.pack(10, protocol.MAX_PAYLOAD_BYTES + 1))
    with pytest.raises(protocol.FrameError, match="beyond the limits"):
        protocol.parse_lengths(protocol.LENGTHS.pack(protocol.MAX_HEADER_BYTES + 1, 0))


def test_answer_out_of_turn_is_refused() -> None:
    """A reply to another request, or with another number of rows, is not taken for the answer."""
    request = protocol.Predict(7, 2, 5)

    for reply in (protocol.Answer(8, 2), protocol.Answer(7, 3), protocol.Refusal(8, "x", "y"), request):
        with pytest.raises(protocol.FrameError):
            protocol.check_reply(request, reply)
