"""Which names a file may have: one that every file system and every reader takes for the same."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paddock.kernel.errors import InvalidInput
from paddock.kernel.refusals import BadPath
from paddock.tracking.artifacts import rules

REFUSED = {
    "": "is empty",
    "/etc/passwd": "is absolute",
    "//server/share": "is absolute",
    "../x": "segment is `..`",
    "a/../b": "segment is `..`",
    "a/..": "segment is `..`",
    "./a": "segment is `.`",
    "a//b": "segment is empty",
    "a/": "segment is empty",
    "a\\b": "backslash",
    "..\\..\\x": "backslash",
    "C:/x": "`:`",
    "file.txt:ads": "`:`",
    "file:///etc/passwd": "`:`",
    "a\x00.txt": "control character",
    "a\nb": "control character",
    "a\x7f": "control character",
    "a\x85b": "control character",
    "a\u2028b": "control character",
    "\ud800": "no character",
    "\U0010ffff": "no character",
    "notes.": "ends in a dot",
    "notes /a": "ends in a dot or a space",
    "a/.../b": "ends in a dot",
    "e\u0301.txt": "NFC",
    "a" * 256: "more than 255 bytes",
    "ä" * 128: "more than 255 bytes",
    "/".join(["a" * 99] * 11): "more than 1,024 bytes",
    "ä/" * 400 + "a": "more than 1,024 bytes",
    "\uff0e\uff0e/x": "read as a dot",
    "a\uff0fb": "separator",
    "a\uff3cb": "separator",
    "a\uff1ab": "separator",
    "\u2024\u2024": "read as a dot",
    "\u2100": "separator",
}
ALLOWED = (
    "plots/roc.svg",
    "model/MLmodel",
    "a b.txt",
    ".hidden/.x",
    "..a/b..c",
    "späne/ß.csv",
    "日本/模型.bin",
    "100%/a%41.txt",
    "a;b?c#d&e=f+g",
    "images/key+step+1+timestamp+1+x.png",
    "\uff21.txt",
    "🏎.png",
    "a" * 255,
    "-rf",
    "~",
)


@pytest.mark.parametrize(("path", "words"), REFUSED.items(), ids=lambda text: ascii(text)[:30])
def test_name_that_can_be_read_in_two_ways_is_refused(path: str, words: str):
    """It is refused as it stands, with the reason, and never turned into another name."""
    with pytest.raises(BadPath, match="cannot name an artifact") as caught:
        rules.check_path(path)

    assert words in caught.value.message
    assert caught.value.message.isprintable()
    assert (caught.value.code, caught.value.http_status) == ("bad_path", 400)


@pytest.mark.parametrize("path", ALLOWED)
def test_ordinary_name_stays_as_it_is(path: str):
    """Letters of any script, spaces inside, marks and leading dots name files."""
    assert rules.check_path(path) == path


_HOSTILE = st.lists(
    st.one_of(
        st.sampled_from([*".", "..", "/", "\\", ":", "\0", " ", "\u0301", "\uff0e", "a"]), st.characters()
    ),
    max_size=40,
).map("".join)


@given(_HOSTILE)
@example("a/\u0344")
def test_allowed_name_is_plain_on_every_system(path: str):
    """Whatever passes has no way up, no separator but `/`, one form, and fits into a file system."""
    if rules.find_path_problem(path):
        return

    alike = unicodedata.normalize("NFKC", path)
    assert path == unicodedata.normalize("NFC", path)
    assert not set(alike) & set("\\:\0")
    assert alike.count("/") == path.count("/")
    for segment in path.split("/"):
        assert segment
        assert segment == segment.rstrip(". ")
        assert len(segment.encode()) <= 255
    for segment in alike.split("/"):
        assert segment.strip(". ")


@given(st.text(), st.text())
def test_no_two_names_are_the_same_file(one: str, other: str):
    """Two names that some system takes for one by their composition are never both allowed."""
    twin = unicodedata.normalize("NFD", one)
    if one != twin:
        assert rules.find_path_problem(twin)
    if one != other and unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        assert rules.find_path_problem(one) or rules.find_path_problem(other)


@pytest.mark.parametrize(
    "owner", ["", "runs/0192f0c1aabb7ccc8dddeeeeffff0a1b", "runs/Old_run-7", "models/m-1f"]
)
def test_owner_is_a_run_a_model_or_nothing(owner: str):
    """Ids that clients brought along own files, too."""
    assert rules.check_owner(owner) == owner


@pytest.mark.parametrize("owner", ["runs", "runs/", "runs/a/b", "runs/..", "users/x", "models/é", "runs/a\n"])
def test_other_owner_is_refused(owner: str):
    """Nothing else owns files, least of all what looks like a path."""
    with pytest.raises(InvalidInput, match="owns no artifacts"):
        rules.check_owner(owner)


@pytest.mark.parametrize("cursor", ["x", "", "Zi4u", "Zi8", "eGE", "é", "eGE=", "A" * 3000])
def test_other_cursor_is_refused(cursor: str):
    """A cursor that no page has given is an error with a way on."""
    with pytest.raises(InvalidInput, match="not a cursor"):
        rules.parse_cursor(cursor)
