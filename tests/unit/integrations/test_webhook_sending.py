"""One request: to a checked address, within its bounds, whatever the other side does."""

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from receiver_kit import WAIT_S, Reply, raw_receiver, running_receiver

from paddock.integrations.webhooks.outbound import parse_hosts
from paddock.integrations.webhooks.sending import MOST_BYTES, Sender, SystemResolver, open_socket

HEADERS = {"Content-Type": "application/json"}
PUBLIC = "93.184.216.34"


def sender_to(hosts: str, **parts) -> Sender:
    return Sender(parse_hosts(hosts), **parts)


def never(*_):
    raise AssertionError("no connection was to be made")


def test_request_arrives_as_it_was_meant():
    """The receiver gets the path, the query, the headers and the body, and its answer is told."""
    with running_receiver() as receiver:
        receiver.answer = lambda _: Reply(202, body="späne".encode())

        attempt = sender_to(receiver.place).post(f"{receiver.url}?token=a%20b", HEADERS, b'{"a":1}')

    assert (attempt.status, attempt.words, attempt.body) == (202, "answered 202", "späne")
    assert attempt.is_taken
    (request,) = receiver.received
    assert (request.path, request.body) == ("/in?token=a%20b", b'{"a":1}')
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Host"] == receiver.place


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(status):
    """A receiver that points to the metadata address, or back to itself, is told as what it answered."""
    with running_receiver() as receiver:
        for target in ("http://169.254.169.254/latest/meta-data", f"{receiver.url}/other"):
            receiver.answer = lambda _, target=target: Reply(status, {"Location": target})
            attempt = sender_to(receiver.place).post(receiver.url, HEADERS, b"{}")

            assert attempt.words == f"answered {status}, which is not followed"
            assert not attempt.is_taken

    assert [each.path for each in receiver.received] == ["/in", "/in"]


def test_name_that_leads_here_is_refused_before_a_connection():
    """A listed name whose look-up answers 127.0.0.1 is not connected to at all."""
    sender = sender_to("hooks.example", resolve=lambda *_: ["127.0.0.1"], connect=never)

    attempt = sender.post("https://hooks.example/in", HEADERS, b"{}")

    assert (attempt.status, attempt.words) == (
        0,
        "`hooks.example` leads to `127.0.0.1`, which is not a public address",
    )


def test_one_bad_address_among_good_ones_is_refused():
    """A look-up that mixes public and private addresses is not trusted for its public ones."""
    sender = sender_to("hooks.example", resolve=lambda *_: [PUBLIC, "10.0.0.1"], connect=never)

    assert "leads to `10.0.0.1`" in sender.post("https://hooks.example", HEADERS, b"{}").words


def test_name_is_looked_up_once():
    """A name server that answers a public address first and this machine next never gets its second say."""
    answers, asked, connected = [[PUBLIC], ["127.0.0.1"]], [], []

    def resolve(host: str, port: int, timeout_s: float) -> list[str]:
        asked.append((host, port))
        return answers[len(asked) - 1]

    def connect(address: str, port: int, timeout_s: float) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    attempt = sender_to("hooks.example", resolve=resolve, connect=connect).post(
        "https://hooks.example", HEADERS, b"{}"
    )

    assert (asked, connected) == ([("hooks.example", 443)], [PUBLIC])
    assert attempt.words == "no connection: Connection refused"


@pytest.mark.parametrize(
    ("host", "found", "words"),
    [
        ("hooks.example", PUBLIC, "`hooks.example` leads to `127.0.0.1`, which is not a public address"),
        ("ci.internal:443", PUBLIC, "`ci.internal` leads to `127.0.0.1`, where no request is sent"),
        ("localhost:443", "::1", "the connection leads to `127.0.0.1`, which `localhost` is not"),
    ],
)
def test_far_end_is_checked_before_anything_is_sent(host: str, found: str, words: str):
    """A connection that ends elsewhere than at the address that was looked up is closed without a byte."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def connect(address: str, port: int, timeout_s: float) -> socket.socket:
            return open_socket("127.0.0.1", listener.getsockname()[1], timeout_s)

        sender = sender_to(host, resolve=lambda *_: [found], connect=connect)
        attempt = sender.post(f"https://{host}/in", HEADERS, b"{}")
        connection, _ = listener.accept()
        with connection:
            heard = connection.recv(100)

    assert (attempt.status, attempt.words, heard) == (0, words, b"")


def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch):
    """A proxy would be the far end that is checked, and would look the name up again."""
    with running_receiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://192.0.2.1:3128")

        assert sender_to(receiver.place).post(receiver.url, HEADERS, b"{}").is_taken


def test_place_that_is_not_listed_any_more_gets_nothing():
    """The setting counts when a request is sent, not only when a webhook is made."""
    with running_receiver() as receiver:
        attempt = sender_to("").post(receiver.url, HEADERS, b"{}")

    assert attempt.words == f"`webhook_hosts` does not list `{receiver.place}`"
    assert receiver.received == []


def test_huge_answer_is_cut():
    """Of an answer of a gigabyte 64 KiB are read; its status counts."""

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    with raw_receiver(flood) as port:
        attempt = sender_to(f"127.0.0.1:{port}").post(f"http://127.0.0.1:{port}", HEADERS, b"{}")

    assert attempt.is_taken
    assert MOST_BYTES - 1_000 < len(attempt.body) <= MOST_BYTES


def test_endless_head_is_cut():
    """Headers without end are no answer."""

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-Filler: " + b"y" * 1_000 + b"\r\n")

    with raw_receiver(flood) as port:
        attempt = sender_to(f"127.0.0.1:{port}").post(f"http://127.0.0.1:{port}", HEADERS, b"{}")

    assert attempt.status == 0
    assert attempt.words == "no valid answer: it is larger than 64 KiB"


def drip(start: bytes, stopped: threading.Event):
    """Return a receiver that sends `start`, then one byte again and again."""

    def speak(connection: socket.socket) -> None:
        connection.sendall(start)
        while not stopped.wait(0.05):
            connection.sendall(b"x")

    return speak


@pytest.mark.parametrize(
    ("start", "status", "words"),
    [
        (b"", 0, "no answer within 0.5 s"),
        (b"HTTP/1.1 200 OK\r\nX-Filler: ", 0, "no answer within 0.5 s"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", 200, "answered 200"),
    ],
)
def test_slow_answer_ends_at_the_deadline(start: bytes, status: int, words: str):
    """A receiver that sends a byte now and then holds a request no longer than one that is silent."""
    stopped = threading.Event()
    with raw_receiver(drip(start, stopped)) as port:
        sender = sender_to(f"127.0.0.1:{port}", timeout_s=0.5)
        attempt = sender.post(f"http://127.0.0.1:{port}", HEADERS, b"{}")
        stopped.set()

    assert (attempt.status, attempt.words) == (status, words)


def test_silent_handshake_ends_at_the_deadline():
    """A receiver that never answers the beginning of TLS holds a request no longer than any other."""
    stopped = threading.Event()
    with raw_receiver(lambda _: stopped.wait(WAIT_S)) as port:
        sender = sender_to(f"localhost:{port}", resolve=lambda *_: ["127.0.0.1"], timeout_s=0.3)
        attempt = sender.post(f"https://localhost:{port}", HEADERS, b"{}")
        stopped.set()

    assert attempt.words == "no answer within 0.3 s"


def test_lookup_that_hangs_is_left_behind():
    """The system's resolver knows no deadline; the request has one, and the next look-up is not held up."""
    released = threading.Event()

    class Hanging(SystemResolver):
        def _look_up(self, host, port, answer):
            released.wait(WAIT_S)
            self._free.release()

    sender = sender_to("hooks.example", resolve=Hanging(), timeout_s=0.05)
    attempts = [sender.post("https://hooks.example", HEADERS, b"{}") for _ in range(3)]
    released.set()

    assert {attempt.words for attempt in attempts} == {"no answer within 0.05 s"}


def test_system_resolver_finds_this_machine():
    """The addresses of a name are those the system knows."""
    assert "127.0.0.1" in SystemResolver()("localhost", 80, WAIT_S)


def test_name_that_is_not_there_is_told():
    """A failed look-up is an attempt without an answer, in words."""

    def resolve(*_):
        raise socket.gaierror(-2, "Name or service not known")

    attempt = sender_to("hooks.example", resolve=resolve).post("https://hooks.example", HEADERS, b"{}")

    assert attempt.words == "its name cannot be looked up: Name or service not known"


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 a\0c\r\n\r\n", b"\x16\x03\x01\x00\xa5"]
)
def test_what_is_no_http_is_no_answer(answer: bytes):
    """A receiver that speaks something else, or hangs up, is told as such and raises nothing."""
    with raw_receiver(lambda connection: connection.sendall(answer)) as port:
        attempt = sender_to(f"127.0.0.1:{port}").post(f"http://127.0.0.1:{port}", HEADERS, b"{}")

    assert attempt.status == 0
    assert attempt.words in ("no answer: the connection was closed", "no valid answer: it is not HTTP")


@pytest.fixture
def certificate(tmp_path: Path):
    """Return a function that makes a self-signed certificate for a name, as a file with its key."""

    def make(name: str) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path = tmp_path / f"{name}.pem"
        path.write_bytes(made.public_bytes(pem) + private)
        return path

    return make


@pytest.mark.parametrize(
    ("host", "name", "words"),
    [
        ("localhost", "localhost", "answered 200"),
        ("localhost", "other.example", "its certificate does not prove its name: Hostname mismatch"),
        ("127.0.0.1", "localhost", "its certificate does not prove its name: IP address mismatch"),
    ],
)
def test_receiver_proves_the_name_that_was_asked_for(certificate, host: str, name: str, words: str):
    """TLS is made to the host of the URL: a certificate of another name is refused before the message."""
    path = certificate(name)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(path)
    with running_receiver(own) as receiver:
        place = f"{host}:{receiver.port}"
        trusting = ssl.create_default_context(cafile=str(path))
        attempt = sender_to(place, tls=lambda: trusting).post(f"https://{place}/in", HEADERS, b"{}")

    assert attempt.words.startswith(words)
    assert len(receiver.received) == int(attempt.is_taken)


def test_body_that_is_no_text_is_read_all_the_same():
    """What a receiver answers is shown as text, whatever its bytes are."""
    with running_receiver() as receiver:
        receiver.answer = lambda _: Reply(200, body=b"\xff\xfe")

        attempt = sender_to(receiver.place).post(receiver.url, HEADERS, b"{}")

    assert attempt.body == "��"
