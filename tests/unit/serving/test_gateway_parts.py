"""Parts of the gateway that need no process: options, state folder, duplicate keys, event times."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.clock import to_micros
from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import Conflict, InvalidInput, InvalidSettings, NotFound
from paddock.kernel.refusals import DuplicateKey, MalformedJson, RequestRefused
from paddock.serving import EndpointConfig, GatewayOptions, GatewayState, Route, read_config
from paddock.serving.gateway.messages import check_outputs, decode_infer, decode_labels
from paddock.serving.gateway.options import format_arguments, parse_arguments
from paddock.serving.gateway.times import parse_times
from paddock.serving.publishing import publish
from paddock.serving.state import write_config

CONFIG = EndpointConfig("e", 1, "m", "salt", (Route(1, 1.0),), {1: digest_bytes(b"x")})


def test_options_survive_the_command_line():
    """What a supervisor asks for is what the gateway gets."""
    options = GatewayOptions(
        state=Path("/s"), port=0, log_mode="bounded", shadow_wait_s=0.125, max_in_flight=7
    )

    assert parse_arguments(format_arguments(options)) == options


@pytest.mark.parametrize("argument", ["--port=x", "--log-mode=never", "--request-timeout-s=soon"])
def test_wrong_option_is_refused(argument):
    """A value of the wrong type is a settings error."""
    with pytest.raises(InvalidSettings):
        parse_arguments(["--state=/s", argument])


def test_config_is_read_back(tmp_path):
    """A config survives its file."""
    write_config(tmp_path / "config.json", CONFIG)

    assert read_config(tmp_path / "config.json") == CONFIG


def test_missing_and_faulty_configs_are_told_apart(tmp_path):
    """No config is NotFound; a config with an unknown key is wrong."""
    with pytest.raises(NotFound):
        read_config(tmp_path / "config.json")

    write_config(tmp_path / "config.json", CONFIG)
    changed = json.loads((tmp_path / "config.json").read_text()) | {"surprise": 1}
    (tmp_path / "config.json").write_text(json.dumps(changed))

    with pytest.raises(InvalidInput, match="surprise"):
        read_config(tmp_path / "config.json")


def test_older_generation_is_not_published(tmp_path):
    """A config never goes back behind one that is published."""
    state = GatewayState(tmp_path)
    write_config(state.config_path, CONFIG)

    with pytest.raises(Conflict, match="has generation 1 published already"):
        publish(state, EndpointConfig("e", 1, "m", "other", (Route(1, 1.0),), CONFIG.packages), NoObjects())
    publish(state, CONFIG, NoObjects())


class NoObjects:
    """A store nobody may ask."""

    def put(self, body):
        raise AssertionError

    def get(self, digest):
        raise AssertionError


TEXTS = st.text(st.sampled_from('ab:"\\,{}\u00e9'), max_size=4)


@given(names=st.lists(TEXTS, max_size=4), texts=st.lists(TEXTS, max_size=4), request_id=st.none() | TEXTS)
def test_no_request_is_taken_for_one_with_duplicates(names, texts, request_id):
    """Whatever stands in its texts, a request without duplicate keys is read."""
    inputs = [{"name": name, "shape": [len(texts)], "datatype": "BYTES", "data": texts} for name in names]
    body = {"inputs": inputs} | ({} if request_id is None else {"id": request_id})

    assert [tensor.name for tensor in decode_infer(json.dumps(body).encode()).inputs] == names


DUPLICATES = [
    b'{"inputs":[],"inputs":[]}',
    b'{"inputs":[],"id":"a","id":"b"}',
    b'{"inputs":[],"id":":","id":""}',
    b'{"inputs":[{"name":"a","name":"b","shape":[1],"datatype":"FP64","data":[1]}]}',
    b'{"inputs":[{"name":":","name":"::","shape":[1],"datatype":"FP64","data":[1]}]}',
    b'{"inputs":[{"name":"a","shape":[1],"datatype":"BYTES","data":[":"],"data":["::"]}]}',
    b'{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[1],"d\\u0061ta":[2]}]}',
    b'{"inputs":[],"parameters":{"a":1,"a":2}}',
    b'{"inputs":[],"outputs":[{"name":"a","name":"b"}]}',
]


@pytest.mark.parametrize("body", DUPLICATES)
def test_duplicate_keys_are_found(body):
    """A key that stands twice is found wherever it stands, however its value is written."""
    with pytest.raises(DuplicateKey):
        decode_infer(body)


def infer_with(number: str) -> bytes:
    return b'{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[' + number.encode() + b"]}]}"


@pytest.mark.parametrize(("sent", "told"), [("NaN", "NaN"), ("1, NaN", "NaN"), ("-Infinity", "Infinity")])
def test_number_that_json_does_not_have_is_named(sent, told):
    """Who sends a bare NaN, as some writers of JSON do, is told that it is none, and what to send instead."""
    body = infer_with(sent)

    with pytest.raises(MalformedJson) as caught:
        decode_infer(body)

    place = body.index(told.encode())
    assert caught.value.message == f"the body is not JSON: `{told}` at byte {place} is no JSON value"
    assert caught.value.hint == "send null for a missing value"


@pytest.mark.parametrize("sent", ["nan", "None", "Na", "1 NaN", '"NaN'])
def test_other_faults_of_json_are_told_as_they_are(sent):
    """Null is proposed for a NaN only, where it is the first thing that is wrong."""
    with pytest.raises(MalformedJson) as caught:
        decode_infer(infer_with(sent))

    assert caught.value.hint == ""


def test_label_that_json_does_not_have_is_left_out():
    """A label is never null, so that null is not what a NaN among labels is answered with."""
    with pytest.raises(MalformedJson) as caught:
        decode_labels(b'{"prediction_id":["a"],"label":[NaN],"event_time":[]}')

    assert caught.value.hint == "leave out a label that is not known yet"


NOW = to_micros(datetime(2013, 4, 1, 12, tzinfo=UTC))
TIMES = [
    ("1970-01-01T00:00:00Z", True),
    ("1969-12-31T23:59:59.999999Z", False),
    ("1970-01-01T00:00:00+00:01", False),
    ("2013-04-02T12:00:00Z", True),
    ("2013-04-02T14:00:00+02:00", True),
    ("2013-04-02T12:00:00.000001Z", False),
    ("0001-01-01T00:00:00+14:00", False),
    ("9999-12-31T23:59:59-14:00", False),
    ("2013-04-01T12:00:00", False),
    ("2013", False),
]


@pytest.mark.parametrize(("text", "is_taken"), TIMES)
def test_event_times_lie_between_1970_and_a_day_ahead(text, is_taken):
    """The ends of the range are in it; a text that is no time, or none within it, is a fault with its row."""
    faults: list[str] = []

    times = parse_times("at", ["", text], NOW, faults)

    if is_taken:
        assert (times, faults) == ([NOW, to_micros(datetime.fromisoformat(text))], [])
    else:
        assert len(faults) == 1
        assert faults[0].startswith("column `at` must hold ")
        assert faults[0].endswith(f"but row 1 holds '{text}'")


KNOWN = ("probability", "paddock.prediction_id")


@pytest.mark.parametrize("asked", [None, [], ["probability"], ["paddock.prediction_id", "probability"]])
def test_known_outputs_may_be_asked_for(asked):
    """A request may name any of the outputs there are, or none."""
    body = {"inputs": []} | ({} if asked is None else {"outputs": [{"name": name} for name in asked]})

    check_outputs(decode_infer(json.dumps(body).encode()), KNOWN)


def test_unknown_output_is_refused():
    """An output that does not exist is named, beside those that do."""
    request = decode_infer(b'{"inputs":[],"outputs":[{"name":"probability"},{"name":"nope"},{"name":"no"}]}')

    with pytest.raises(RequestRefused, match=r"`nope`; there are `probability`, `paddock.pred") as caught:
        check_outputs(request, KNOWN)

    assert caught.value.http_status == 400
    assert caught.value.problems == ("there is no output `nope`", "there is no output `no`")
