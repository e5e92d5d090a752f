"""paddock.toml: what parses, and what every fault says."""

from datetime import timedelta
from importlib.resources import files

import pytest

from paddock.automation import parse_declaration
from paddock.kernel.durations import parse_duration
from paddock.kernel.errors import InvalidSettings

WHOLE = """
[project]
name = "flights"
[pipeline.train]
entry = "flights.pipelines:train"
[model.delay]
gates = [
  { metric = "roc_auc", at_least = 0.65 },
  { metric = "roc_auc", versus = "champion", margin = 0.0, confidence = 0.95 },
  { metric = "roc_auc", slice = "carrier", at_least = 0.55, min_rows = 500 },
  { latency_p99_ms = 20 },
]
[endpoint.delay]
model = "delay@champion"
rollout = { shadow_rows = 2000, canary = [0.05, 0.25], hold_rows = 2000, hold_at_least = "1h" }
[monitor.delay]
window = "1d"
labels = { column = "late", delay = "7d" }
false_alarms_per_month = 1
[retrain.delay]
pipeline = "train"
when = ["quality", "drift", "cron: 0 3 * * 1"]
cooldown = "7d"
"""


def problems_of(text):
    with pytest.raises(InvalidSettings) as caught:
        parse_declaration(text)
    return caught.value.problems


def test_the_whole_loop_is_declared_in_one_file():
    """The example of the guide parses, and what it leaves out has defaults that fit each other."""
    declaration = parse_declaration(WHOLE)

    assert declaration.project.name == "flights"
    assert declaration.pipeline["train"].entry == "flights.pipelines:train"
    assert [gate.latency_p99_ms for gate in declaration.model["delay"].gates] == [None, None, None, 20]
    assert declaration.endpoint["delay"].rollout.canary == (0.05, 0.25)
    assert declaration.monitor["delay"].endpoint == "delay"  # by its name
    assert declaration.monitor["delay"].labels.delay == "7d"
    assert declaration.monitor["delay"].false_alarms_per_month == 1
    retrain = declaration.retrain["delay"]
    assert retrain.when == ("quality", "drift", "cron: 0 3 * * 1")
    assert parse_duration(retrain.min_new) > parse_duration(retrain.gate_window) >= timedelta(days=1)


def test_retraining_needs_a_pipeline_only():
    """Everything but the pipeline has a default."""
    short = WHOLE[: WHOLE.index("when =")]

    assert parse_declaration(short).retrain["delay"].cooldown == "7d"


def test_declaration_of_the_demo_parses():
    """The file that comes with the demo is a sound declaration."""
    text = files("paddock.demo").joinpath("paddock.toml").read_text()

    assert parse_declaration(text).retrain["delay"].pipeline == "train"


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("[project]", "[projekt]", "`projekt` is not a key of paddock.toml; the nearest is `project`"),
        ('name = "fl', 'nam = "fl', "`nam` is not a key of [project] of paddock.toml; the nearest is `name`"),
        ("entry", "entri", "`entri` is not a key of [pipeline.train]; the nearest is `entry`"),
        ("gates", "gate", "`gate` is not a key of [model.delay]; the nearest is `gates`"),
        ("margin", "margn", "`margn` is not a key of `gates 2` of [model.delay]; the nearest is `margin`"),
        ("rollout", "rolout", "`rolout` is not a key of [endpoint.delay]; the nearest is `rollout`"),
        (
            "hold_rows",
            "hold_row",
            "`hold_row` is not a key of `rollout` of [endpoint.delay]; the nearest is `hold_rows`",
        ),
        ("window", "windo", "`windo` is not a key of [monitor.delay]; the nearest is `window`"),
        ("column", "colum", "`colum` is not a key of `labels` of [monitor.delay]; the nearest is `column`"),
        ("cooldown", "cool_down", "`cool_down` is not a key of [retrain.delay]; the nearest is `cooldown`"),
    ],
)
def test_unknown_key_names_the_nearest(right, wrong, words):
    """Wherever an unknown key stands, the error names the place and the key that was meant."""
    problems = problems_of(WHOLE.replace(right, wrong, 1))

    assert words in problems


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        (
            'pipeline = "train"',
            'pipeline = "trains"',
            "[retrain.delay] names pipeline `trains`, which is not declared; the nearest is `train`",
        ),
        (
            "[retrain.delay]",
            "[retrain.delays]",
            "[retrain.delays] names endpoint `delays`, which is not declared; the nearest is `delay`",
        ),
        (
            "[monitor.delay]",
            "[monitor.weekly]",
            "[monitor.weekly] names endpoint `weekly`, which is not declared",
        ),
        (
            'window = "1d"',
            'endpoint = "delai"',
            "[monitor.delay] names endpoint `delai`, which is not declared; the nearest is `delay`",
        ),
    ],
)
def test_link_to_something_undeclared_is_an_error(right, wrong, words):
    """A table that names another one needs it to be there."""
    assert words in problems_of(WHOLE.replace(right, wrong))


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("at_least = 0.65", "at_most = 0.65", "[model.delay]: gate 1: higher AUC is better"),
        ('"roc_auc", at', '"rock_auc", at', "[model.delay]: gate 1: `rock_auc` is not a metric"),
        ("0.05, 0.25", "0.5, 0.25", "[endpoint.delay]: the shares in `canary` must rise"),
        ("delay@champion", "delay@", "[endpoint.delay]: `delay@` names no version"),
        ("rollout = {", "rollout = 3 # {", "[endpoint.delay]: Expected `object`, got `int`"),
        ('window = "1d"', 'window = "day"', "[monitor.delay]: "),
        ('delay = "7d"', 'delay = "week"', "[monitor.delay]: `week` is not a duration"),
        ("month = 1", "month = 0", "[monitor.delay]: `false_alarms_per_month` is 0, but must be above 0"),
        ('window = "1d"', 'metric = "roc_acu"', "[monitor.delay]: `roc_acu` is not a metric"),
        ('window = "1d"', 'alarm_windows = "all"', "[monitor.delay]: `all` is not a number of windows"),
        ("cron: 0 3 * * 1", "cron: 0 3 * *", "[retrain.delay]: `0 3 * *` is not a cron expression"),
        ('cooldown = "7d"', 'min_new = "7d"', "[retrain.delay]: `min_new` must be longer"),
        ('pipeline = "train"', 'pipeline = ["train"]', "[retrain.delay]: Expected `str`, got `array`"),
        ("[retrain.delay]", "[retrain]", "[retrain.pipeline] must be a table"),
    ],
)
def test_value_that_cannot_work_is_an_error(right, wrong, words):
    """A value of the wrong type or without meaning is found when the file is read, not when it is used."""
    assert [problem for problem in problems_of(WHOLE.replace(right, wrong, 1)) if problem.startswith(words)]


@pytest.mark.parametrize("ref", ["delay@2", "delay@challenger"])
def test_endpoint_follows_the_champion_only(ref):
    """The loop moves the champion: an endpoint of anything else is refused, with the command for it."""
    (problem,) = problems_of(WHOLE.replace("delay@champion", ref))

    assert problem == (
        f"[endpoint.delay]: `model` is `{ref}`, but a declared endpoint follows `delay@champion`; "
        f"to serve `{ref}` as it is, use `paddock serve {ref}`"
    )


def test_endpoint_names_the_alias_it_follows():
    """A model without an alias is refused too: which version answers is never guessed."""
    (problem,) = problems_of(WHOLE.replace("delay@champion", "delay"))

    assert problem == "[endpoint.delay]: `model` is `delay`, but a declared endpoint follows `delay@champion`"


def test_all_faults_are_told_at_once():
    """One error holds every fault of the file."""
    text = WHOLE.replace("margin", "margn").replace("window", "windo").replace('"train"', '"trains"')

    problems = problems_of(text)

    assert len(problems) == 3
    assert all(fault in str(problems) for fault in ("margn", "windo", "trains"))


@pytest.mark.parametrize(
    "text", ["[project", "project = 3", "monitor = 3", "[settings]\nport = [1]", "[project]\nname = 3"]
)
def test_file_that_is_no_declaration_is_refused(text):
    """Wrong TOML, and tables of another form, are InvalidSettings like every other fault."""
    with pytest.raises(InvalidSettings, match="`paddock"):
        parse_declaration(text)
