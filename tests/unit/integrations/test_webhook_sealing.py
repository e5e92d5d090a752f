"""Secrets at rest, and the signature that receivers check."""

import stat
import threading
from pathlib import Path

import pytest

from paddock.integrations.webhooks.sealing import SecretBox
from paddock.integrations.webhooks.signing import delivery_headers, sign
from paddock.kernel.errors import IntegrityError, InvalidSettings


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    return SecretBox(tmp_path / "webhook.key")


def test_what_is_sealed_opens_again(box: SecretBox):
    """Another process with the same key file opens a secret; two seals of one secret differ."""
    first, second = box.seal("geheim-ü", "w1"), box.seal("geheim-ü", "w1")

    assert SecretBox(box.key_path).open(first, "w1") == box.open(second, "w1") == "geheim-ü"
    assert first != second
    assert b"geheim" not in first


def test_no_secret_needs_no_key(box: SecretBox):
    """A store whose webhooks have no secret gets no key file."""
    assert box.open(box.seal("", "w1"), "w1") == ""
    assert box.fingerprint("") == ""
    assert not box.key_path.exists()


def test_key_is_for_its_owner_only(box: SecretBox):
    """The key file is made once, readable by its owner alone, and nothing else is left beside it."""
    box.seal("geheim", "w1")
    key = box.key_path.read_text()
    box.seal("geheim", "w1")

    assert stat.S_IMODE(box.key_path.stat().st_mode) == 0o600
    assert box.key_path.read_text() == key
    assert list(box.key_path.parent.iterdir()) == [box.key_path]


def test_racing_processes_make_one_key(box: SecretBox):
    """Whoever is slower takes the key that is there, so that every secret opens."""
    barrier, sealed = threading.Barrier(8), []

    def seal() -> None:
        barrier.wait()
        sealed.append(SecretBox(box.key_path).seal("geheim", "w1"))

    threads = [threading.Thread(target=seal) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [box.open(each, "w1") for each in sealed] == ["geheim"] * 8


def test_secret_belongs_to_its_webhook(box: SecretBox):
    """A sealed secret that was put into another row does not open there."""
    with pytest.raises(IntegrityError, match="webhook `w2` cannot be opened"):
        box.open(box.seal("geheim", "w1"), "w2")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "`webhook.key` is missing"),
        (lambda path: path.write_text("ab" * 32), "`webhook.key` is not the key it was sealed with"),
    ],
)
def test_lost_key_is_told(box: SecretBox, spoil, words: str):
    """Without its key a secret stays closed; no new key takes the place of the lost one by that."""
    sealed = box.seal("geheim", "w1")
    spoil(box.key_path)
    before = box.key_path.exists()

    with pytest.raises(IntegrityError, match=words):
        box.open(sealed, "w1")

    assert box.key_path.exists() is before


def test_damaged_secret_is_told(box: SecretBox):
    """Bytes that are not what was written open to nothing."""
    sealed = box.seal("geheim", "w1")

    for damaged in (sealed[:-1], sealed[:5], b"\x02" + sealed[1:], sealed[:-1] + bytes([sealed[-1] ^ 1])):
        with pytest.raises(IntegrityError):
            box.open(damaged, "w1")


@pytest.mark.parametrize("body", [b"", b"short\n", b"zz" * 32, b"\xff\xfe"])
def test_file_that_holds_no_key_is_refused(box: SecretBox, body: bytes):
    """A wrong file under the name of the key is an error, never replaced."""
    box.key_path.write_bytes(body)

    with pytest.raises(InvalidSettings, match="holds no key"):
        box.seal("geheim", "w1")

    assert box.key_path.read_bytes() == body


def test_fingerprint_tells_secrets_apart(box: SecretBox):
    """The same secret has the same fingerprint, which does not hold it, and another key gives another."""
    assert box.fingerprint("geheim") == box.fingerprint("geheim") != box.fingerprint("anders")
    assert SecretBox(box.key_path.with_name("other.key")).fingerprint("geheim") != box.fingerprint("geheim")


def test_signature_is_mlflows():
    """Values that mlflow 3.17.2 computes for the same secret, id, time and body."""
    body = '{"entity":"model_version","data":{"name":"späne"}}'.encode()

    assert sign("whsec", "d1", "1364774400", b"{}") == "v1,em5OXhDKhdDeNF1jJFkcd0C5ooUaK+zgeRDX+gMxLbU="
    assert sign("geheim-é", "d2", "1364774400", body) == "v1,pWGU7mLeQhgDE0G4YhZQqeISVcMRvEblOHMgBfNVihg="


def test_without_a_secret_nothing_is_signed():
    """Id and time are always there; a signature only where there is something to sign with."""
    unsigned = delivery_headers("", "d1", 1_364_774_400, b"{}")

    assert (unsigned["X-MLflow-Delivery-Id"], unsigned["X-MLflow-Timestamp"]) == ("d1", "1364774400")
    assert "X-MLflow-Signature" not in unsigned
    assert delivery_headers("s", "d1", 1, b"{}")["X-MLflow-Signature"].startswith("v1,")
