"""Settings: where each value comes from, and every fault at once."""

import re

import pytest

from paddock.kernel.errors import InvalidSettings
from paddock.kernel.settings import SETTINGS, Setting, resolve_settings


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
    ("name", "raw", "wanted"),
    [
        ("server_threads", 0, "from 1 to 1,024"),
        ("port", -1, "from 0 to 65,535"),
        ("port", 65_536, "from 0 to 65,535"),
        ("max_connections", 10**30, "from 1 to 1,000,000"),
        ("request_timeout_s", "nan", "from 0.001 to 86,400"),
        ("request_timeout_s", "inf", "from 0.001 to 86,400"),
        ("request_timeout_s", 10**400, "a number from 0.001 to 86,400"),
        ("drain_s", "-1", "from 0 to 86,400"),
        ("drain_s", "many", "a whole number from 0 to 86,400"),
    ],
)
def test_number_that_makes_no_sense_is_refused_with_its_range(name: str, raw: object, wanted: str):
    """A number too small, too large or none at all is named, cut to 40 characters, with what it must be."""
    told = re.escape(f"`{name}` in paddock.toml is `{str(raw)[:40]}`, but must be {wanted}")
    with pytest.raises(InvalidSettings, match=f"^{told}$"):
        resolve_settings({}, {}, {name: raw})


def test_flag_is_held_to_the_same_bounds():
    """A value given on the command line is checked, too; infinity is no number of seconds."""
    with pytest.raises(InvalidSettings, match="`request_timeout_s` is `inf`"):
        resolve_settings({"request_timeout_s": float("inf")}, {}, {})


@pytest.mark.parametrize("setting", [each for each in SETTINGS if not isinstance(each.default, str)])
def test_both_ends_of_a_range_and_the_default_are_taken(setting: Setting):
    """What the table says is allowed is allowed, and one step beyond it is not."""
    kind = type(setting.default)
    for value in (setting.least, setting.default, setting.most):
        assert resolve_settings({}, {}, {setting.name: kind(value)}).values[setting.name] == value

    with pytest.raises(InvalidSettings):
        resolve_settings({}, {}, {setting.name: kind(setting.most) + 1})


def test_names_are_unique_and_have_help():
    """The table names each setting once, with a line of help."""
    names = [setting.name for setting in SETTINGS]

    assert len(names) == len(set(names))
    assert all(setting.help for setting in SETTINGS)
