"""The filter language: what it takes, and where it says that it does not understand."""

import pytest

from paddock.kernel.errors import InvalidInput
from paddock.tracking.search import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
    And,
    Comparison,
    Entity,
    Not,
    Or,
    Target,
    parse_filter,
)

AUC = Comparison(Target("metric", "auc"), ">", 0.9)
MODEL = Comparison(Target("param", "model"), "=", "forest")
TEAM = Comparison(Target("tag", "team"), "IS NULL")


def _attribute(key: str) -> Target:
    return Target("attribute", key)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.auc > 0.9", AUC),
        ("metric.auc>0.9", AUC),
        ("metrics.`auc` > 9e-1", AUC),
        ('metrics."auc" > +.9', AUC),
        ("`metrics`.auc > 00.90", AUC),
        ("params.model = 'forest'", MODEL),
        ('param.model="forest"', MODEL),
        ("parameter.model='forest'", MODEL),
        ("parameters.model\n=\t'forest'", MODEL),
        ("tag.team is null", TEAM),
        ("tags.team IS NULL", TEAM),
        ("metrics.loss IS NAN", Comparison(Target("metric", "loss"), "IS NAN")),
        ("metrics.loss < -1", Comparison(Target("metric", "loss"), "<", -1.0)),
        ("metrics.loss < 1e999", Comparison(Target("metric", "loss"), "<", float("inf"))),
        ("metrics.a.b/c-d = 1.", Comparison(Target("metric", "a.b/c-d"), "=", 1.0)),
        ("params.`learning rate` != ''", Comparison(Target("param", "learning rate"), "!=", "")),
        ("params.`a``b` = 'it''s'", Comparison(Target("param", "a`b"), "=", "it's")),
        (r"params.p = 'C:\'", Comparison(Target("param", "p"), "=", "C:\\")),
        ("tags.t ilike '%A_'", Comparison(Target("tag", "t"), "ILIKE", "%A_")),
        ("attributes.run_id IN ('a',\"b\",)", Comparison(_attribute("run_id"), "IN", ("a", "b"))),
        ("run_id not in ('a')", Comparison(_attribute("run_id"), "NOT IN", ("a",))),
        ("attr.status = 'FINISHED'", Comparison(_attribute("status"), "=", "finished")),
        ("run.status IN ('Failed', 'KILLED')", Comparison(_attribute("status"), "IN", ("failed", "killed"))),
        ("`Run name` LIKE 'a%'", Comparison(_attribute("run_name"), "LIKE", "a%")),
        ("\"run name\" = 'a'", Comparison(_attribute("run_name"), "=", "a")),
        ("Created > 5", Comparison(_attribute("start_time"), ">", 5)),
        ("attributes.created > 5.5", Comparison(_attribute("start_time"), ">", 5.5)),
        ("end_time IS NOT NULL", Comparison(_attribute("end_time"), "IS NOT NULL")),
        ("end_time < 99999999999999999999", Comparison(_attribute("end_time"), "<", 1e20)),
        ("experiment_id = '007'", Comparison(_attribute("experiment_id"), "=", "7")),
        ("experiment_id IN (1, '2')", Comparison(_attribute("experiment_id"), "IN", ("1", "2"))),
        ("tags.mlflow.runName = 'a'", Comparison(_attribute("run_name"), "=", "a")),
        ("tags.`mlflow.parentRunId` IS NULL", Comparison(_attribute("parent_id"), "IS NULL")),
        ("datasets.name IN ('iris')", Comparison(Target("dataset", "name"), "IN", ("iris",))),
        ("dataset.context ILIKE 'TRAIN'", Comparison(Target("dataset", "context"), "ILIKE", "TRAIN")),
        ("metrics.in > 1", Comparison(Target("metric", "in"), ">", 1.0)),
        ("params.größe = 'ß'", Comparison(Target("param", "größe"), "=", "ß")),
    ],
)
def test_comparison_is_understood(text, expected):
    """Every way of writing a comparison that MLflow takes, and those beyond, mean one thing."""
    assert parse_filter(text, RUNS) == expected


AUC_TEXT, MODEL_TEXT, TEAM_TEXT = "metrics.auc > 0.9", "params.model = 'forest'", "tags.team IS NULL"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        (" \n\t", None),
        (f"{AUC_TEXT} AND {MODEL_TEXT} and {TEAM_TEXT}", And((AUC, MODEL, TEAM))),
        (f"{AUC_TEXT} OR {MODEL_TEXT} AND {TEAM_TEXT}", Or((AUC, And((MODEL, TEAM))))),
        (f"({AUC_TEXT} OR {MODEL_TEXT}) AND {TEAM_TEXT}", And((Or((AUC, MODEL)), TEAM))),
        (f"NOT {AUC_TEXT} AND {MODEL_TEXT}", And((Not(AUC), MODEL))),
        (f"not({AUC_TEXT} or {MODEL_TEXT})", Not(Or((AUC, MODEL)))),
        (f"NOT NOT ({AUC_TEXT})", Not(Not(AUC))),
        (f"({AUC_TEXT} AND ({MODEL_TEXT} AND ({TEAM_TEXT})))", And((AUC, MODEL, TEAM))),
        (f"({AUC_TEXT})AND({MODEL_TEXT})", And((AUC, MODEL))),
    ],
)
def test_terms_are_joined(text, expected):
    """AND binds more than OR, NOT more than AND, and parentheses most; what is joined alike becomes one."""
    assert parse_filter(text, RUNS) == expected


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("metrics.auc", 12, "expected `=`, `!=`, `>`, `>=`, `<`, `<=`, `IS NULL`, `IS NOT NULL` or `IS NAN`"),
        ("metrics.auc == 1", 13, "`==` is no operator"),
        ("metrics.auc <> 1", 13, "`<>` is no operator"),
        ("metrics.auc LIKE 'a'", 13, "not by `LIKE`"),
        ("metrics.auc > 'a'", 15, "expected a number"),
        ("metrics.auc > '0.9'", 15, "expected a number"),
        ("metrics.auc > 0.9x", 15, "expected a number"),
        ("metrics.auc > -", 15, "expected a number"),
        ("metrics.auc > 1e", 15, "expected a number"),
        ("metrics.auc IN (1)", 13, "not by `IN`"),
        ("params.model > 'a'", 14, "is compared by `=`, `!=`, `LIKE`, `ILIKE`, `IS NULL` or `IS NOT NULL`"),
        ("params.model = 5", 16, "a text in quotes"),
        ("params.model = `a`", 16, "a text in quotes"),
        ("params.model = forest", 16, "a text in quotes"),
        ("params.model IN ('a')", 14, "not by `IN`"),
        ("params.model IS NAN", 14, "not by `IS NAN`"),
        ("params.model IS 5", 17, "expected `NULL`, `NOT NULL` or `NAN`"),
        ("params.model IS NOT NAN", 21, "expected `NULL`"),
        ("params.model NOT LIKE 'a'", 14, "expected `=`"),
        ("params. = 'a'", 8, "expected a key"),
        ("params.`` = 'a'", 8, "expected a key"),
        ("params.`a = 'a'", 8, "no closing `"),
        ("params.model = 'forest", 16, "no closing '"),
        ("status > 'a'", 8, "not by `>`"),
        ("start_time = '5'", 14, "expected a number"),
        ("start_time LIKE '5'", 12, "not by `LIKE`"),
        ("experiment_id = 'a'", 17, "expected a whole number"),
        ("experiment_id LIKE '1'", 15, "not by `LIKE`"),
        ("run_id IN ()", 12, "a text in quotes"),
        ("run_id IN 'a'", 11, "expected a list"),
        ("run_id IN ('a' 'b')", 16, "expected `,` or `)`"),
        ("run_id IN (5)", 12, "a text in quotes"),
        ("colour = 'a'", 1, "no attribute `colour`"),
        ("attributes.statu = 'a'", 1, "did you mean `status`"),
        ("model.x = 'a'", 1, "not `model`"),
        ("dataset.colour = 'a'", 1, "a dataset has `name`, `digest` or `context`"),
        ("0.9 < metrics.auc", 1, "expected what is compared"),
        ("AND metrics.auc > 1", 1, "expected what is compared"),
        ("metrics.auc > 1 AND", 20, "expected what is compared"),
        ("metrics.auc > 1 params.a = 'b'", 17, "expected `AND`, `OR` or the end"),
        ("(metrics.auc > 1", 17, "expected `AND`, `OR` or `)`"),
        ("metrics.auc > 1)", 16, "expected `AND`, `OR` or the end"),
        ("()", 2, "expected what is compared"),
        ("metrics.auc > 1; DROP TABLE runs", 16, "a filter has names"),
        ("metrics.auc > 1 -- comment", 17, "expected a number"),
        ("params.a = 'x\0y'", 14, "NUL"),
        ("params.a = '\ud800'", 13, "lone surrogate"),
    ],
)
def test_fault_is_pointed_at(text, position, words):
    """An error names the character at which a filter is wrong, and what is expected there."""
    with pytest.raises(InvalidInput) as caught:
        parse_filter(text, RUNS)

    assert caught.value.details["position"] == position
    assert words in caught.value.message
    assert (f"character {position}," in caught.value.message) != (position == len(text) + 1)


def test_message_shows_the_place_on_one_line():
    """What stands at the fault is shown, short and without characters that leave the line."""
    with pytest.raises(InvalidInput) as caught:
        parse_filter("metrics.auc > 'a\nb' AND " + "x" * 100, RUNS)

    assert "character 15, `'a\\nb' AND xxxxxxxxxxxxxx`" in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("metrics.a > 1 " + " " * 4_096, "may take 4,096"),
        ("ä" * 2_100, "may take 4,096"),
        ("(" * 21 + "metrics.a > 1" + ")" * 21, "at most 20 deep"),
        ("NOT " * 21 + "metrics.a > 1", "at most 20 deep"),
        (" OR ".join(["metrics.a > 1"] * 51), "at most 50 comparisons"),
        ("run_id IN (" + ",".join(["'a'"] * 101) + ")", "at most 100 values"),
        (f"params.a LIKE '{'%a' * 129}'", "at most 256 characters"),
        (" OR ".join(["metrics.a > 1"] * 10_000), "may take 4,096"),
        ("(" * 4_000, "at most 20 deep"),
        ("9" * 4_000 + " = 1", "expected what is compared"),
    ],
)
def test_limit_is_kept(text, words):
    """Length, depth, terms, lists and patterns have limits, and what is beyond them is refused at once."""
    with pytest.raises(InvalidInput, match=words):
        parse_filter(text, RUNS)


def test_limits_can_be_reached():
    """What is just inside the limits is understood."""
    deepest = "(" * 20 + "metrics.a > 1" + ")" * 20
    longest = "run_id IN (" + ",".join(["'a'"] * 100) + ")"

    assert parse_filter(deepest, RUNS) == Comparison(Target("metric", "a"), ">", 1.0)
    assert parse_filter(longest, RUNS) == Comparison(_attribute("run_id"), "IN", ("a",) * 100)
    assert parse_filter(" AND ".join(["metrics.a > 1"] * 50), RUNS) is not None
    assert parse_filter(f"params.a LIKE '{'%' * 256}'", RUNS) is not None


@pytest.mark.parametrize(
    ("entity", "taken", "refused"),
    [
        (EXPERIMENTS, "name LIKE 'a%' AND tags.t = 'x' AND creation_time > 5", "metrics.a > 1"),
        (
            EXPERIMENTS,
            "experiment_id IN ('1') OR last_update_time < 5 OR attribute.name != 'a'",
            "run_id = 'a'",
        ),
        (REGISTERED_MODELS, "name IN ('a') AND NOT tag.`a b` ILIKE 'X'", "creation_timestamp > 5"),
        (MODEL_VERSIONS, "name = 'a' AND run_id IN ('a') AND source_path LIKE 's3%'", "params.a = 'x'"),
        (MODEL_VERSIONS, "version_number >= 3 OR tags.t IS NOT NULL", "last_updated_timestamp > 5"),
        (LOGGED_MODELS, "metrics.a > 1 AND params.p = 'x' AND tags.t = 'y'", "datasets.name = 'iris'"),
        (LOGGED_MODELS, "`name` = 'a' AND model_id = 'm' AND status = 'READY'", "user_id = 'ann'"),
        (LOGGED_MODELS, "creation_time > 5 AND source_run_id = 'r' AND model_type LIKE 'x'", "end_time > 5"),
    ],
)
def test_each_entity_has_its_own_targets(entity: Entity, taken, refused):
    """One parser reads the filters of all that can be searched, each with its own table of names."""
    assert parse_filter(taken, entity) is not None
    with pytest.raises(InvalidInput, match=entity.name):
        parse_filter(refused, entity)
