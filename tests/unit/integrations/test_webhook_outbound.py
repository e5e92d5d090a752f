"""Where requests may go is decided by the settings and by what an address is, never by how it is written."""

import pytest

from paddock.integrations.webhooks.outbound import parse_hosts, parse_url
from paddock.kernel.errors import InvalidInput, InvalidSettings

ALLOWED = parse_hosts(
    "hooks.example, ci.internal:8443, 127.0.0.1:9000, localhost:9000, [::1]:9000, 169.254.169.254:80",
    frozenset({8321}),
)
OWN = parse_hosts("127.0.0.1:8321,localhost:8321,[::1]:8321", frozenset({8321}))

PRIVATE = ("10.1.2.3", "172.31.0.1", "192.168.0.9", "100.64.0.1", "fd12::1", "::ffff:10.1.2.3")
NOWHERE = (
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::169.254.169.254",
    "198.18.0.1",
    "2001:db8::1",
)
LOOPBACK = ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1")


def fault_of(url: str) -> str:
    return ALLOWED.find_url_fault(parse_url(url))


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example",
        "https://HOOKS.example/T0/B0?x=1",
        "https://hooks.example:443/",
        "https://ci.internal:8443/in",
        "http://ci.internal:8443/in",
        "http://127.0.0.1:9000/in",
        "http://[::1]:9000",
        "http://[0:0:0:0:0:0:0:1]:9000",
    ],
)
def test_listed_place_is_allowed(url):
    """A name over HTTPS, and host with port over both schemes, however the host is spelled."""
    assert fault_of(url) == ""


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1", "`webhook_hosts` does not list `127.0.0.1:80`"),
        ("https://other.example", "`webhook_hosts` does not list `other.example`"),
        ("https://hooks.example.evil.test", "does not list `hooks.example.evil.test`"),
        ("https://xhooks.example", "does not list `xhooks.example`"),
        ("http://hooks.example", "may be reached over `https` only"),
        ("http://hooks.example:443", "may be reached over `https` only"),
        ("https://hooks.example:8443", "lists `hooks.example` without the port 8443"),
        ("https://ci.internal", "does not list `ci.internal`"),
        ("https://[::ffff:169.254.169.254]", "does not list `[::ffff:a9fe:a9fe]:443`"),
        ("http://[::ffff:7f00:1]:9000", "does not list"),
        ("http://127.0.0.1:8321/api", "is this server itself"),
        ("http://localhost:8321", "is this server itself"),
        ("http://[::1]:8321", "is this server itself"),
    ],
)
def test_any_other_place_is_refused(url, words):
    """Nothing is allowed that the setting does not list; this server is not even where it is listed."""
    assert words in fault_of(url)
    if "itself" in words:
        assert words in OWN.find_url_fault(parse_url(url))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example/in",
        "ftp://hooks.example",
        "file:///etc/passwd",
        "gopher://hooks.example",
        "https://",
        "https://user:pass@hooks.example/",
        "https://hooks.example@evil.test/",
        "https://hooks.example#@evil.test",
        "https://hooks.example\\@evil.test",
        "https://hooks.example/a b",
        "https://hooks.example/\r\nHost: evil.test",
        " https://hooks.example",
        "https://hooks.example:0",
        "https://hooks.example:99999",
        "https://hooks.example:",
        "https://hooks..example",
        "https://hooks.example.",
        "https://-hooks.example",
        "https://hóoks.example",
        "https://0x7f.1",
        "https://2130706433",
        "https://0177.0.0.1",
        "https://127.1",
        "https://127.0.0.01",
        "https://0x7f000001",
        "https://127.0.0.0x1",
        "https://[::1%25eth0]",
        "https://[::1",
        "https://1.2.3.4.5",
        "https://256.0.0.1",
    ],
)
def test_what_programs_read_differently_is_no_address(url):
    """Credentials, odd hosts and spellings of addresses that only some programs accept are refused."""
    with pytest.raises(InvalidInput):
        parse_url(url)


def test_refusal_does_not_repeat_what_may_be_secret():
    """The path of a URL is often a token; a message about the URL leaves it out."""
    with pytest.raises(InvalidInput) as caught:
        parse_url("https://user:hunter2@hooks.example/token-5 5")

    assert "`https://hooks.example`" in caught.value.message
    assert "hunter2" not in caught.value.message
    assert "token" not in caught.value.message


@pytest.mark.parametrize("address", [*PRIVATE, *NOWHERE, *LOOPBACK])
def test_name_may_lead_to_public_addresses_only(address):
    """Whatever a listed name resolves to: no address of a private network, of this machine or of nobody."""
    place = parse_url("https://hooks.example")

    assert "is not a public address" in ALLOWED.find_address_fault(place, address)
    assert ALLOWED.find_address_fault(place, "93.184.216.34") == ""
    assert ALLOWED.find_address_fault(place, "2606:2800:21f:cb07::1") == ""


@pytest.mark.parametrize("address", PRIVATE)
def test_name_listed_with_its_port_may_be_internal(address):
    """An internal receiver is possible by naming its host and port."""
    assert ALLOWED.find_address_fault(parse_url("https://ci.internal:8443"), address) == ""


@pytest.mark.parametrize("address", [*NOWHERE, *LOOPBACK])
def test_name_listed_with_its_port_never_leads_to_the_metadata_address_or_here(address):
    """A name server that lies cannot bring a request to the cloud's metadata or to this machine."""
    assert "no request is sent" in ALLOWED.find_address_fault(parse_url("https://ci.internal:8443"), address)


def test_this_machine_is_reached_when_it_is_meant():
    """`localhost` or the address itself, listed with a port, may be reached; a link-local one never."""
    assert ALLOWED.find_address_fault(parse_url("http://127.0.0.1:9000"), "127.0.0.1") == ""
    assert ALLOWED.find_address_fault(parse_url("http://localhost:9000"), "::1") == ""
    assert "no request" in ALLOWED.find_address_fault(parse_url("http://169.254.169.254"), "169.254.169.254")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::ffff:127.0.0.1", "0.0.0.0"])
def test_own_port_is_never_reached(address):
    """Where this server answers, a name that leads here is refused even when it is listed with the port."""
    allowed = parse_hosts("ci.internal:8321,localhost:8321", frozenset({8321}))

    for host in ("ci.internal", "localhost"):
        place = parse_url(f"http://{host}:8321")
        assert "is this server itself" in allowed.find_address_fault(place, address)


@pytest.mark.parametrize("entry", ["https://x", "x:0", "x:99999", "x:y", "0x7f.1", "*.example", "a b", "::1"])
def test_entry_that_is_no_host_is_refused(entry):
    """A setting that would silently allow nothing, or something else, is an error that names the entry."""
    with pytest.raises(InvalidSettings, match="in `webhook_hosts` is not `host` or `host:port`"):
        parse_hosts(f"hooks.example,{entry}")
