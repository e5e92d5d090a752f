"""Where requests may go: hosts by the settings, addresses by what they are. Pure; nothing is looked up.

A host that is listed by its name may be reached over HTTPS on port 443 and at public addresses only. One
that is listed with its port may be reached on that port over HTTP too, and in a private network; this
machine only as `localhost` or by its address. Link-local addresses, where clouds answer with credentials,
and the ports of this server are never reached.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from paddock.kernel.errors import InvalidInput, InvalidSettings
from paddock.kernel.wording import count_of

_URL = re.compile(r"(?i:(https?)://)(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?([/?][!-~]*)?")
_ENTRY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS = {"http": 80, "https": 443}
_LONGEST_HOST = 253

Address = IPv4Address | IPv6Address

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_PRIVATE = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv6Network("fc00::/7"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart. host: a name in lower case or a canonical address; path: with the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_literal(self) -> bool:
        """Whether the host is an address, which nobody has to look up."""
        return is_literal(self.host)

    @property
    def authority(self) -> str:
        """Host and port as they stand in the `Host` header.

        >>> Place("https", "::1", 443, "/").authority, Place("http", "ci", 8080, "/").authority
        ('[::1]', 'ci:8080')
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Outbound:
    """The hosts that may be reached.

    names: over HTTPS on 443, at public addresses; exact: host and port, in private networks too.
    own_ports: where this server itself answers on this machine.
    """

    names: frozenset[str] = frozenset()
    exact: frozenset[tuple[str, int]] = frozenset()
    own_ports: frozenset[int] = frozenset()

    def find_url_fault(self, place: Place) -> str:
        """Return why no request may go to `place`, or nothing.

        >>> Outbound(frozenset({"hooks.example"})).find_url_fault(parse_url("https://hooks.example/x"))
        ''
        >>> Outbound().find_url_fault(parse_url("http://127.0.0.1"))
        '`webhook_hosts` does not list `127.0.0.1:80`'
        """
        if self._is_own(place, place.host):
            return f"`{place.authority}` is this server itself"
        if (place.host, place.port) in self.exact:
            return ""
        if place.host not in self.names:
            return f"`webhook_hosts` does not list `{_entry(place)}`"
        if place.scheme != "https":
            return f"`{place.host}` may be reached over `https` only; `webhook_hosts` lists it without a port"
        if place.port != _PORTS["https"]:
            return f"`webhook_hosts` lists `{place.host}` without the port {place.port}"
        return ""

    def find_address_fault(self, place: Place, address: str) -> str:
        """Return why no request for `place` may go to `address`, which its name led to, or nothing."""
        if self._is_own(place, address):
            return f"`{place.authority}` is this server itself"
        ip = unwrap_address(ip_address(address))
        if is_public(ip):
            return ""
        if (place.host, place.port) not in self.exact:
            return f"`{place.host}` leads to `{address}`, which is not a public address"
        if ip.is_loopback and (place.host == "localhost" or place.is_literal):
            return ""
        if any(ip in network for network in _PRIVATE if network.version == ip.version):
            return ""
        return f"`{place.host}` leads to `{address}`, where no request is sent"

    def _is_own(self, place: Place, address: str) -> bool:
        if place.port not in self.own_ports:
            return False
        return address == "localhost" or (is_literal(address) and _is_here(ip_address(address)))


def parse_url(url: str) -> Place:
    """Return the parts of an address that may be spoken to, or raise InvalidInput.

    Credentials, fragments, blanks and hosts that only some programs read as an address are refused.

    >>> parse_url("https://Hooks.example/in?x=1")
    Place(scheme='https', host='hooks.example', port=443, path='/in?x=1')
    """
    match = _URL.fullmatch(url)
    if match is None or "#" in url or "\\" in url:
        raise InvalidInput(
            f"`{_without_path(url)}` is not an address to send to; write `https://host/path`, without user, "
            "password, fragment or blanks"
        )
    scheme, path = match[1].lower(), match[4] or "/"
    host, port = _read_host(match[2]), int(match[3] or _PORTS[scheme])
    if not host or not 0 < port < 65_536:
        what = f"host `{match[2][:80]}`" if not host else f"port {port}"
        raise InvalidInput(f"{what} is not one that can be sent to; write a name, or an address in full")
    return Place(scheme, host, port, path if path.startswith("/") else f"/{path}")


def parse_hosts(text: str, own_ports: frozenset[int] = frozenset()) -> Outbound:
    """Return the hosts that the setting `webhook_hosts` lists, or raise InvalidSettings with every fault.

    >>> sorted(parse_hosts("hooks.example, ci.internal:8443").exact)
    [('ci.internal', 8443)]
    """
    names, exact, problems = set(), set(), []
    for entry in (part.strip() for part in text.split(",") if part.strip()):
        match = _ENTRY.fullmatch(entry)
        host = _read_host(match[1]) if match else ""
        port = int(match[2]) if match and match[2] else 0
        if not host or port > 65_535 or (match and match[2] and port == 0):
            problems.append(f"`{entry[:80]}` in `webhook_hosts` is not `host` or `host:port`")
        elif port:
            exact.add((host, port))
        else:
            names.add(host)
    if problems:
        raise InvalidSettings("; ".join(problems), problems=tuple(problems))
    return Outbound(frozenset(names), frozenset(exact), own_ports)


def is_literal(host: str) -> bool:
    """Tell whether `host` is an address.

    >>> is_literal("127.0.0.1"), is_literal("::1"), is_literal("localhost")
    (True, True, False)
    """
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def unwrap_address(ip: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for (mapped, 6to4, NAT64), else `ip`.

    >>> unwrap_address(ip_address("::ffff:169.254.169.254")), unwrap_address(ip_address("64:ff9b::7f00:1"))
    (IPv4Address('169.254.169.254'), IPv4Address('127.0.0.1'))
    """
    if isinstance(ip, IPv4Address):
        return ip
    if any(ip in network for network in _NAT64):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def is_public(ip: Address) -> bool:
    """Tell whether `ip` is an ordinary address of the internet.

    >>> [is_public(ip_address(text)) for text in ("93.184.216.34", "100.64.0.1", "0.0.0.0", "224.0.0.1")]
    [True, False, False, False]
    """
    if isinstance(ip, IPv6Address):
        return ip.is_global and ip in _GLOBAL_UNICAST
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _is_here(ip: Address) -> bool:
    there = unwrap_address(ip)
    return there.is_loopback or there.is_unspecified


def _read_host(text: str) -> str:
    """Return a host in its one form; empty for what some programs would read otherwise than others."""
    host = text.lower()
    try:
        if host.startswith("["):
            return str(IPv6Address(host[1:-1]))
        labels = host.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return str(IPv4Address(host))
    except ValueError:
        return ""
    is_name = len(host) <= _LONGEST_HOST and all(_LABEL.fullmatch(label) for label in labels)
    return host if is_name else ""


def _entry(place: Place) -> str:
    """Return `place` as it would stand in the setting."""
    host = f"[{place.host}]" if ":" in place.host else place.host
    is_usual = place.scheme == "https" and place.port == _PORTS["https"] and not place.is_literal
    return host if is_usual else f"{host}:{place.port}"


def _without_path(url: str) -> str:
    """Return the beginning of a URL; what stands behind its host may be a secret."""
    scheme, _, rest = url.partition("://")
    if not rest:
        return f"{count_of(len(url), 'character')}" if len(url) > 80 else url
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2]
    return f"{scheme[:16]}://{host[:80]}"
