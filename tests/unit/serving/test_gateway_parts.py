"""Parts of the gateway that need no process: options, state folder, duplicate keys."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import Conflict, InvalidInput, InvalidSettings, NotFound
from paddock.kernel.refusals import DuplicateKey, RequestRefused
from paddock.serving import EndpointConfig, GatewayOptions, GatewayState, Route, read_config
from paddock.serving.gateway.messages import check_outputs, decode_infer
from paddock.serving.gateway.options import format_arguments, parse_arguments
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
