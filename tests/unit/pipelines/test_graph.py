"""Steps and pipelines as functions, and the graph that calling them makes."""

import pytest

from paddock.kernel.errors import InvalidInput
from paddock.pipelines import load_pipeline, pipeline, step
from paddock.pipelines.graph import Node, build_graph, find_nodes, replace_nodes


@step
def double(value: int, times: int = 2) -> int:
    return value * times


@step
def add(*values: int, **named: int) -> int:
    return sum(values) + sum(named.values())


@pipeline
def diamond(start: int) -> int:
    top = double(start)
    return add(double(top), double(top, times=3))


def test_step_and_pipeline_stay_plain_functions() -> None:
    """Called by themselves, a step and a pipeline give what their functions give."""
    assert double(2) == 4
    assert diamond(1) == 10


def test_calling_steps_makes_the_graph() -> None:
    """Each call in a pipeline is a node that needs the nodes it was given."""
    graph = build_graph(diamond.function, {"start": 1})

    assert [call.name for call in graph.nodes] == ["double", "double#2", "double#3", "add"]
    assert [sorted(call.needs) for call in graph.nodes] == [[], [0], [0], [1, 2]]
    assert graph.nodes[2].arguments["times"] == 3


def test_nodes_inside_containers_are_found() -> None:
    """Nodes count inside lists, tuples and dicts, however deep, and are replaced there."""
    graph = build_graph(lambda: {"all": [double(1), (double(2), 5)]}, {})

    replaced = replace_nodes(graph.output, lambda node: f"value {node.position}")

    assert [node.position for node in find_nodes(graph.output)] == [0, 1]
    assert replaced == {"all": ["value 0", ("value 1", 5)]}


def test_every_step_needs_only_earlier_ones() -> None:
    """The order of the calls is a topological order, so there is no cycle."""
    graph = build_graph(diamond.function, {"start": 1})

    assert all(need < call.position for call in graph.nodes for need in call.needs)


def test_pipeline_inside_a_pipeline_is_part_of_it() -> None:
    """A pipeline that calls a pipeline has the steps of both."""
    graph = build_graph(lambda: double(diamond(1)), {})

    assert len(graph.nodes) == 5


@pytest.mark.parametrize("use", [bool, len, list, float, lambda v: v + 1, lambda v: v > 1, lambda v: v()])
def test_value_that_is_not_there_yet_is_a_clear_error(use: object) -> None:
    """Using a step's value inside the pipeline function says that it is known only when the pipeline runs."""
    with pytest.raises(TypeError, match="known only when the pipeline runs"):
        build_graph(lambda: use(double(1)), {})  # type: ignore[operator]


def test_node_of_another_pipeline_is_refused() -> None:
    """A node kept from one pipeline cannot be given to a step of another."""
    kept: list[Node] = [build_graph(lambda: double(1), {}).output]  # type: ignore[list-item]

    with pytest.raises(InvalidInput, match="of another pipeline run"):
        build_graph(lambda: double(kept[0]), {})  # type: ignore[arg-type]


def test_output_of_another_pipeline_is_refused() -> None:
    """A pipeline cannot return a node kept from another one, whose value it will not have."""
    kept = build_graph(lambda: double(1), {}).output

    with pytest.raises(InvalidInput, match="returns a value of another pipeline run"):
        build_graph(lambda: [double(1), kept], {})


def test_node_in_a_set_is_refused() -> None:
    """A set would hide the node, so it is an error and not a surprise."""
    with pytest.raises(InvalidInput, match="in a set"):
        build_graph(lambda: add({double(1)}), {})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="in a set"):
        build_graph(lambda: {double(1)}, {})


def test_wrong_arguments_fail_as_the_function_does() -> None:
    """A step called with arguments it does not have is a TypeError where it is called."""
    with pytest.raises(TypeError, match="unexpected keyword"):
        build_graph(lambda: double(1, tmies=3), {})  # type: ignore[call-arg]


def test_generator_is_no_step() -> None:
    """A step returns its value; a generator or coroutine is refused at once."""
    with pytest.raises(InvalidInput, match="returns its value"):

        @step
        def rows() -> object:
            yield 1


def test_wrong_params_are_told_together() -> None:
    """Unknown and missing params are one error that names the nearest."""
    with pytest.raises(InvalidInput) as caught:
        diamond.check_params({"strat": 1})

    assert caught.value.problems == (
        "pipeline `diamond` has no parameter `strat`; the nearest is `start`",
        "pipeline `diamond` needs the parameter `start`",
    )


def test_pipeline_is_found_by_its_entry() -> None:
    """`module:name` gives the pipeline; anything else says what is wrong."""
    assert load_pipeline(f"{__name__}:diamond") is diamond
    for entry, words in (
        (f"{__name__}:diamnod", "nearest is `diamond`"),
        (f"{__name__}:double", "has no pipeline `double`"),
        ("no.such.module:train", "no module `no.such.module`"),
        ("train", "names no pipeline"),
    ):
        with pytest.raises(InvalidInput, match=words):
            load_pipeline(entry)
