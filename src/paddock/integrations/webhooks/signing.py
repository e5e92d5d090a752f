"""The headers of a delivery, signed as receivers written for MLflow verify it."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

ID_HEADER = "X-MLflow-Delivery-Id"
TIMESTAMP_HEADER = "X-MLflow-Timestamp"
SIGNATURE_HEADER = "X-MLflow-Signature"


def sign(secret: str, delivery_id: str, timestamp: str, body: bytes) -> str:
    """Return the signature: HMAC-SHA256 over id, timestamp and body joined by dots, in base64 behind `v1,`.

    >>> sign("whsec", "d1", "1364774400", b"{}")
    'v1,em5OXhDKhdDeNF1jJFkcd0C5ooUaK+zgeRDX+gMxLbU='
    """
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    digest = hmac.digest(secret.encode(), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def delivery_headers(secret: str, delivery_id: str, at_s: int, body: bytes) -> Mapping[str, str]:
    """Return the headers of one request. secret: empty for none, then nothing is signed; at_s: Unix time."""
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "paddock",
        ID_HEADER: delivery_id,
        TIMESTAMP_HEADER: str(at_s),
    }
    if secret:
        headers[SIGNATURE_HEADER] = sign(secret, delivery_id, str(at_s), body)
    return headers
