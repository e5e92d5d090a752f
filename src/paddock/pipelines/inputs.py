"""What a step is given: private copies of its inputs, and their content digests before and after."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from paddock.kernel.digest import Digest, digest_bytes
from paddock.pipelines.fingerprint import fingerprint
from paddock.pipelines.graph import Node, StepCall, find_nodes, replace_nodes, take_part
from paddock.pipelines.records import StepInput
from paddock.pipelines.serializers import NoSerializerError
from paddock.pipelines.trees import dump_value, is_immutable, load_value

Identity: TypeAlias = "str | int | list[Identity]"


@dataclass(frozen=True, slots=True)
class StepValue:
    """The value of a finished step.

    digest: of `body`, empty when the value has no serializer; problem then says why. A value that cannot
    change is shared; of any other each taker gets a copy read back from `body`, so that no step sees what
    another did to it, and a step sees the same whether the one before ran or was cached.
    """

    step: str
    kind: str
    digest: str
    body: bytes
    live: object
    is_shared: bool
    problem: str = ""

    def take(self) -> object:
        return self.live if self.is_shared else load_value(self.kind, self.body)


def keep_value(step: str, value: object) -> StepValue:
    """Return a step's output in the form in which it is handed on."""
    try:
        dumped = dump_value(value)
    except NoSerializerError as error:
        return StepValue(step, "", "", b"", value, is_shared=True, problem=str(error))
    is_shared = is_immutable(value)
    live = value if is_shared else None
    return StepValue(step, dumped.kind, digest_bytes(dumped.body), dumped.body, live, is_shared)


def restore_value(step: str, kind: str, digest: str, body: bytes) -> StepValue:
    """Return an output read from the store; raises NoSerializerError when it cannot be read here."""
    value = load_value(kind, body)
    is_shared = is_immutable(value)
    return StepValue(step, kind, digest, body, value if is_shared else None, is_shared)


@dataclass(slots=True)
class Inputs:
    """The arguments of one step call, ready to be passed.

    problem: why the inputs have no content digest, empty if they have. Digests are those of before the run.
    """

    arguments: dict[str, object] = field(default_factory=dict)
    inputs: list[StepInput] = field(default_factory=list)
    problem: str = ""
    _given: list[tuple[str, object, str]] = field(default_factory=list)

    @property
    def digest(self) -> Digest:
        """Address of all inputs together; argument names and sources count."""
        return digest_bytes(msgspec.msgpack.encode([(item.name, item.digest) for item in self.inputs]))

    def changed(self) -> tuple[str, ...]:
        """Return the arguments whose content is not what it was when the step was given them."""
        return tuple(
            dict.fromkeys(name for name, value, digest in self._given if _digest_of(value) != digest)
        )

    def add(self, name: str, value: object, values: Mapping[int, StepValue]) -> None:
        """Take one argument: copy what may change, and tell its content."""
        sources = ", ".join(dict.fromkeys(values[node.position].step for node in find_nodes(value)))
        try:
            self.arguments[name], identity = self._take(name, value, values)
        except _UnidentifiedError as error:
            self.problem = self.problem or f"argument `{name}`: {error}"
            self.arguments[name], identity = _pass_on(value, values), ""
        # one whole output is known by its own digest, anything else by that of its description
        digest = identity if isinstance(identity, str) else digest_bytes(msgspec.msgpack.encode(identity))
        self.inputs.append(StepInput(name, digest, sources))

    def _take(self, name: str, value: object, values: Mapping[int, StepValue]) -> tuple[object, Identity]:
        if isinstance(value, Node):
            return self._take_node(name, value, values[value.position])
        if next(find_nodes(value), None) is None:
            return self._take_plain(name, value)
        if isinstance(value, dict):
            taken = {key: self._take(name, item, values) for key, item in value.items()}
            keys: list[Identity] = [_digest_of(key) for key in taken]
            identities = [identity for _, identity in taken.values()]
            return {key: item for key, (item, _) in taken.items()}, ["dict", keys, identities]
        assert isinstance(value, list | tuple)
        items = [self._take(name, item, values) for item in value]
        copies = [item for item, _ in items]
        tag = "list" if isinstance(value, list) else "tuple"
        return copies if tag == "list" else tuple(copies), [tag, *(identity for _, identity in items)]

    def _take_node(self, name: str, node: Node, source: StepValue) -> tuple[object, Identity]:
        if not source.digest:
            raise _UnidentifiedError(f"output of step `{source.step}`: {source.problem}")
        whole = source.take()
        if not source.is_shared:
            self._given.append((name, whole, source.digest))
        identity: Identity = ["part", source.digest, *node.path] if node.path else source.digest
        return take_part(whole, node.path), identity

    def _take_plain(self, name: str, value: object) -> tuple[object, Identity]:
        try:
            dumped = dump_value(value)
        except NoSerializerError as error:
            code = fingerprint(value)  # a function, a class, or an instance of one
            if not code.digest:
                raise _UnidentifiedError(str(error)) from error
            return value, ["code", code.digest]
        digest = digest_bytes(dumped.body)
        if is_immutable(value):
            return value, ["value", dumped.kind, digest]
        copy = load_value(dumped.kind, dumped.body)
        self._given.append((name, copy, digest))
        return copy, ["value", dumped.kind, digest]


def take_inputs(call: StepCall, values: Mapping[int, StepValue]) -> Inputs:
    """Return what `call` is to be given. values: of the steps it needs, by position."""
    inputs = Inputs()
    for name, value in call.arguments.items():
        inputs.add(name, value, values)
    return inputs


class _UnidentifiedError(Exception):
    """An input has no content digest; the message says why."""


def _pass_on(value: object, values: Mapping[int, StepValue]) -> object:
    return replace_nodes(value, lambda node: take_part(values[node.position].take(), node.path))


def _digest_of(value: object) -> str:
    try:
        return digest_bytes(dump_value(value).body)
    except NoSerializerError:
        return ""
