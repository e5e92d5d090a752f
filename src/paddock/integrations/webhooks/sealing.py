"""Secrets at rest: sealed with a key that lies in a file beside the store, not in it.

What is sealed is `0x01`, a nonce of 12 bytes, and the AES-256-GCM of the secret with the webhook's id as
associated data, so that no secret can be put into another row.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from paddock.kernel.errors import Forbidden, IntegrityError, InvalidSettings

_FORMAT = b"\x01"
_KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class SecretBox:
    """Seals and opens secrets. key_path: 64 hex digits in a file (0600), made when first needed."""

    key_path: Path

    def seal(self, secret: str, webhook_id: str) -> bytes:
        """Return `secret` sealed for one webhook; empty for no secret."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if not secret:
            return b""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        body = AESGCM(self._ensure_key()).encrypt(nonce, secret.encode(), webhook_id.encode())
        return _FORMAT + nonce + body

    def open(self, sealed: bytes, webhook_id: str) -> str:
        """Return the secret of a webhook; IntegrityError when it was sealed with another key."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if not sealed:
            return ""
        key = self._find_key()
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if key and sealed.startswith(_FORMAT):
                return AESGCM(key).decrypt(nonce, body, webhook_id.encode()).decode()
        except (InvalidTag, ValueError):  # told below, as every other secret that stays closed
            key = b""
        missing = "is not the key it was sealed with" if self.key_path.exists() else "is missing"
        raise IntegrityError(
            f"the secret of webhook `{webhook_id}` cannot be opened: `{self.key_path.name}` {missing}",
            hint="put that file back, or give the webhook its secret anew",
        )

    def fingerprint(self, secret: str) -> str:
        """Return what tells one secret from another and nothing else; empty for no secret."""
        return hmac.digest(self._ensure_key(), secret.encode(), hashlib.sha256).hex() if secret else ""

    def _ensure_key(self) -> bytes:
        return self._find_key() or self._make_key()

    def _find_key(self) -> bytes:
        """Return the key, or nothing when there is none yet."""
        try:
            key = bytes.fromhex(self.key_path.read_text().strip())
        except FileNotFoundError:
            return b""
        except PermissionError as error:
            raise Forbidden(f"the key `{self.key_path}` may not be read") from error
        except ValueError:  # no hex, or no text
            key = b""
        if len(key) != _KEY_BYTES:
            raise InvalidSettings(f"`{self.key_path}` holds no key; a key is 64 hex digits")
        return key

    def _make_key(self) -> bytes:
        """Write a new key, unless another process was faster, and return the one that is there."""
        draft = self.key_path.with_name(f".{self.key_path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(_KEY_BYTES) + "\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, self.key_path)  # never in place of a key that is there
            except FileExistsError:
                return self._find_key()
        finally:
            draft.unlink()
        _sync_folder(self.key_path.parent)
        return self._find_key()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
