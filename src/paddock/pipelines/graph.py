"""The graph of steps that a pipeline function makes by calling them.

A node may only take nodes that exist already, so the order of the calls is a topological order and
a cycle cannot be written.
"""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NoReturn, Protocol, cast

from paddock.kernel.errors import InvalidInput


class StepLike(Protocol):
    """What the graph needs to know of a step."""

    @property
    def name(self) -> str: ...

    @property
    def is_cached(self) -> bool: ...

    @property
    def function(self) -> Callable[..., object]: ...

    def bind(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Mapping[str, object]:
        """Return every argument by name, defaults included; TypeError as the call itself would raise."""
        ...

    def call(self, arguments: Mapping[str, object]) -> object:
        """Run the function with what `bind` returned."""
        ...


class Node:
    """Stands for the value a step will have. Hand it to other steps, also inside lists, tuples and dicts.

    `node["key"]` and `node[0]` stand for a part of the value. Anything else needs the value itself and is
    a TypeError: do it inside a step.
    """

    __slots__ = ("graph", "path", "position")

    def __init__(self, graph: "Graph", position: int, path: tuple[str | int, ...] = ()) -> None:
        self.graph = graph
        self.position = position
        self.path = path

    def __getitem__(self, part: str | int) -> "Node":
        if not isinstance(part, str | int):
            raise TypeError(f"a part of a step's value is taken by text or whole number, not by `{part!r}`")
        return Node(self.graph, self.position, (*self.path, part))

    def __repr__(self) -> str:
        path = "".join(f"[{part!r}]" for part in self.path)
        return f"<value of step {self.graph.nodes[self.position].name}{path}>"

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError(f"{self!r} is known only when the pipeline runs; use it inside a step")

    __bool__ = __iter__ = __len__ = __float__ = __int__ = __call__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __add__ = __sub__ = __mul__ = __truediv__ = __contains__ = _refuse


@dataclass(frozen=True, slots=True)
class StepCall:
    """One call of a step. arguments: by parameter name, with Nodes where values will be."""

    position: int
    name: str
    step: StepLike
    arguments: Mapping[str, object]
    needs: frozenset[int]


@dataclass(slots=True)
class Graph:
    """Step calls in the order they were made, and what the pipeline function returned.

    kept: positions of the steps whose values are part of the output.
    """

    nodes: list[StepCall] = field(default_factory=list)
    output: object = None
    kept: frozenset[int] = frozenset()

    def add(self, step: StepLike, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Node:
        """Append a call and return the node that stands for its value."""
        arguments = step.bind(args, kwargs)
        needs = set()
        for name, value in arguments.items():
            for node in find_nodes(value):
                if node.graph is not self:
                    raise InvalidInput(f"argument `{name}` of step `{step.name}` is of another pipeline run")
                needs.add(node.position)
        before = sum(call.step.name == step.name for call in self.nodes)
        name = f"{step.name}#{before + 1}" if before else step.name
        self.nodes.append(StepCall(len(self.nodes), name, step, arguments, frozenset(needs)))
        return Node(self, len(self.nodes) - 1)


building: ContextVar[Graph | None] = ContextVar("building", default=None)


def build_graph(function: Callable[..., object], params: Mapping[str, object]) -> Graph:
    """Call a pipeline function with `params` and return the graph of the steps it called.

    Raises whatever the function raises; InvalidInput when it returns what no run can give a value for.
    """
    graph = Graph()
    token = building.set(graph)
    try:
        graph.output = function(**params)
    finally:
        building.reset(token)
    nodes = tuple(find_nodes(graph.output))
    if any(node.graph is not graph for node in nodes):
        raise InvalidInput("the pipeline returns a value of another pipeline run")
    graph.kept = frozenset(node.position for node in nodes)
    return graph


def find_nodes(value: object) -> Iterator[Node]:
    """Yield the nodes in a value: itself, or inside lists, tuples and dicts.

    >>> list(find_nodes([1, {"a": 2}]))
    []
    """
    if isinstance(value, Node):
        yield value
    elif type(value) is list or type(value) is tuple:  # a named tuple is a value of its own
        for item in value:
            yield from find_nodes(item)
    elif type(value) is dict:
        for item in value.values():
            yield from find_nodes(item)
    elif isinstance(value, set | frozenset) and any(isinstance(item, Node) for item in value):
        raise InvalidInput("a step's value stands in a set; use a list, a tuple or a dict")


def replace_nodes(value: object, resolve: Callable[[Node], object]) -> object:
    """Return `value` with each node replaced by what `resolve` gives for it.

    Containers that hold no node are returned as they are.
    """
    if isinstance(value, Node):
        return resolve(value)
    if next(find_nodes(value), None) is None:
        return value
    if isinstance(value, dict):
        return {key: replace_nodes(item, resolve) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(replace_nodes(item, resolve) for item in value)
    if isinstance(value, list):
        return [replace_nodes(item, resolve) for item in value]
    return value


def take_part(value: object, path: tuple[str | int, ...]) -> object:
    """Return the part of `value` that a node's path names; raises InvalidInput where it has none.

    >>> take_part({"scores": [0.7, 0.8]}, ("scores", 1))
    0.8
    """
    for part in path:
        try:
            value = cast("Mapping[str | int, object]", value)[part]
        except (LookupError, TypeError) as error:
            kind = type(value).__name__
            raise InvalidInput(f"a value of type `{kind}` has no part `[{part!r}]`") from error
    return value
