"""The bytes of a record: a mark, its length and CRC-32, then itself as MessagePack.

See docs/formats/run-spool.md.
"""

from struct import Struct
from zlib import crc32

import msgspec

from paddock.kernel.errors import InvalidInput
from paddock.sdk.spool.records import Record, Stored

_HEAD = Struct("<4sII")
_MAGIC = b"\xf5RUN"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode
_pack, _unpack = _HEAD.pack, _HEAD.unpack_from

HEAD_BYTES = _HEAD.size


def encode_frame(record: Record) -> bytes:
    """Return the bytes of a record; InvalidInput for text that is not Unicode and steps beyond 64 bits.

    >>> from paddock.sdk.spool.records import Tags
    >>> encode_frame(Tags({"team": "one"})).hex(" ", 4)
    'f552554e 0c000000 1177315b 920381a4 7465616d a36f6e65'
    """
    try:
        body = _encode(record)
    except UnicodeEncodeError as error:
        raise InvalidInput(f"what is logged holds text that is not Unicode: {error.reason}") from error
    except OverflowError as error:
        raise InvalidInput("a step is a whole number of at most 64 bits") from error
    return _pack(_MAGIC, len(body), crc32(body)) + body


def read_frames(body: bytes, base: int, most: int) -> list[Stored]:
    """Return the records at the beginning of `body`, up to the first frame that is not whole and right.

    base: the offset of the first byte of `body`; most: how many records at most.

    >>> from paddock.sdk.spool.records import Tags
    >>> frame = encode_frame(Tags({"team": "one"}))
    >>> read_frames(frame + frame[:-1], 100, 5)
    [Stored(record=Tags(values={'team': 'one'}), start=100, end=124)]
    """
    found: list[Stored] = []
    at, size = 0, len(body)
    while at + HEAD_BYTES <= size and len(found) < most:
        magic, length, checksum = _unpack(body, at)
        end = at + HEAD_BYTES + length
        payload = body[at + HEAD_BYTES : end]
        if magic != _MAGIC or end > size or crc32(payload) != checksum:
            break
        try:
            record = _decode(payload)
        except msgspec.DecodeError:  # right bytes of no record: written by nobody who keeps to the format
            break
        found.append(Stored(record, base + at, base + end))
        at = end
    return found


def find_frame(body: bytes, at: int) -> int:
    """Return where in `body` the first right frame behind `at` begins, -1 when there is none.

    >>> from paddock.sdk.spool.records import Tags
    >>> find_frame(b"damage" + encode_frame(Tags({"team": "one"})), 0)
    6
    """
    candidate = body.find(_MAGIC, at + 1)
    while candidate >= 0 and not read_frames(body[candidate:], 0, 1):
        candidate = body.find(_MAGIC, candidate + 1)
    return candidate
