"""Settings: where each value comes from, and every fault at once."""

import pytest

from paddock.kernel.errors import InvalidSettings
from paddock.kernel.settings import SETTINGS, resolve_settings


def test_flag_comes_before_environment_before_file_before_default():
    """Each source gives way to the one before it."""
    environment, file = {"PADDOCK_PORT": "2", "PADDOCK_HOST": "::1"}, {"port": 3, "host": "b", "project": "p"}

    settings = resolve_settings({"port": 1}, environment, file)

    assert settings.whole("port") == 1
    assert settings.text("host") == "::1"
    assert settings.text("project") == "p"
    assert settings.text("store") == ".paddock"


def test_unknown_key_names_the_nearest():
    """A misspelt key of paddock.toml is an error that names the right one."""
    with pytest.raises(InvalidSettings, match="`prot` is not a setting; the nearest is `port`"):
        resolve_settings({}, {}, {"prot": 1})


def test_every_fault_is_reported_at_once():
    """Two wrong values of two sources are one error with both."""
    with pytest.raises(InvalidSettings) as caught:
        resolve_settings({}, {"PADDOCK_PORT": "many"}, {"request_timeout_s": True, "nonsense": 1})

    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("raw", ["1.5", "", "0x10", True, 1.5, [1]])
def test_whole_numbers_are_taken_only_as_such(raw: object):
    """Anything but a whole number is refused for a setting that is one."""
    with pytest.raises(InvalidSettings, match="must be a whole number"):
        resolve_settings({}, {}, {"port": raw})


@pytest.mark.parametrize(
    ("name", "raw"), [("server_threads", 0), ("port", -1), ("request_timeout_s", "nan"), ("drain_s", "-1")]
)
def test_number_that_makes_no_sense_is_refused(name: str, raw: object):
    """A number below the least, and one that is none, is named with what it must be."""
    words = "a finite number" if raw == "nan" else "at least"
    with pytest.raises(InvalidSettings, match=f"`{name}` in paddock.toml is `{raw}`, but must be {words}"):
        resolve_settings({}, {}, {name: raw})


def test_flag_is_held_to_the_same_bounds():
    """A value given on the command line is checked, too; infinity is no number of seconds."""
    with pytest.raises(InvalidSettings, match="`request_timeout_s` is `inf`"):
        resolve_settings({"request_timeout_s": float("inf")}, {}, {})


def test_names_are_unique_and_have_help():
    """The table names each setting once, with a line of help."""
    names = [setting.name for setting in SETTINGS]

    assert len(names) == len(set(names))
    assert all(setting.help for setting in SETTINGS)
