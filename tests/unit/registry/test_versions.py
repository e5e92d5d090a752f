"""Registering, finding and describing versions."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from paddock.kernel.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound
from paddock.kernel.refs import DatasetRef
from paddock.registry import Recipe, check_refittable


def test_versions_count_from_one(shop):
    """Each package registered under a name gets the next number, whatever was registered elsewhere."""
    for name in ("delay", "delay", "fare", "delay"):
        shop.registry.register_version(name, shop.package())

    assert [version.version for version in shop.registry.list_versions("delay")] == [3, 2, 1]
    assert [(model.name, model.version_count) for model in shop.registry.list_models()] == [
        ("delay", 3),
        ("fare", 1),
    ]


def test_version_is_found_as_it_was_registered(shop):
    """Everything that was said at registration is read back."""
    package, dataset = shop.package(), DatasetRef("flights", 3)
    recipe = Recipe("c" * 64, "", "e" * 64)

    made = shop.registry.register_version("delay", package, run_id="r1", datasets=(dataset,), recipe=recipe)

    found = shop.registry.get("delay@1")
    assert found == made
    assert (found.package_digest, found.run_id, found.datasets, found.recipe) == (
        package,
        "r1",
        (dataset,),
        recipe,
    )
    assert (found.principal, found.created_at, found.aliases) == ("ann", shop.clock.now(), ())


def test_name_alone_means_the_latest(shop):
    """A ref without a selector is the newest version."""
    shop.released()
    second = shop.released()

    assert shop.registry.get("delay").version == second.version == 2


@pytest.mark.parametrize(
    ("ref", "error", "told", "hint"),
    [
        ("delai", NotFound, "no model `delai`", "`delay`"),
        ("delay@7", NotFound, "model `delay` has no version 7; latest is 1", "paddock models show delay"),
        ("delay@champion", NotFound, "model `delay` has no champion", "promote delay@1 champion"),
        ("delay@chanpion", InvalidInput, "`chanpion` is not an alias", "`champion`"),
        ("delay@0", InvalidInput, "`0` is not a model version", ""),
        ("delay@", InvalidInput, "names no version", ""),
    ],
)
def test_missing_version_says_what_there_is(shop, ref, error, told, hint):
    """A ref that leads nowhere is answered with what is there instead."""
    shop.released()

    with pytest.raises(error) as caught:
        shop.registry.get(ref)

    assert told in caught.value.message
    assert hint in caught.value.hint


def test_incomplete_package_is_not_registered(shop):
    """A package that lacks an object gets no version, and the object is named."""
    package = shop.package()
    lost = shop.lose_model_file(package)

    with pytest.raises(NotFound, match=f"lacks object `{lost}`"):
        shop.registry.register_version("delay", package)

    assert shop.registry.list_models() == ()


def test_report_about_another_package_is_refused(shop):
    """A gate report speaks for exactly the package it measured."""
    report = shop.judge(shop.package())

    with pytest.raises(Conflict, match="another package"):
        shop.registry.register_version("delay", shop.package(), report_id=report.report_id)

    assert shop.registry.list_models() == ()


def test_report_about_another_model_is_refused(shop):
    """A gate report of one model says nothing about another one."""
    package = shop.package()
    report = shop.judge(package, model="fare")
    version = shop.registry.register_version("delay", package)

    with pytest.raises(Conflict, match="about model `fare`"):
        shop.registry.attach_report(version.ref, report.report_id)


def test_report_learns_the_version_it_was_registered_as(shop):
    """A report made before registration names the version afterwards."""
    package = shop.package()
    report = shop.judge(package)
    assert report.candidate_version == 0

    version = shop.registry.register_version("delay", package)
    shop.registry.attach_report(version.ref, report.report_id)

    assert shop.evaluation.get_report(report.report_id).candidate_version == 1
    assert shop.registry.get("delay@1").report_id == report.report_id
    shop.registry.register_version("delay", package, report_id=report.report_id)
    assert shop.evaluation.get_report(report.report_id).candidate_version == 1


def test_unknown_report_is_refused(shop):
    """A report id that leads nowhere is an error."""
    version = shop.registry.register_version("delay", shop.package())

    with pytest.raises(NotFound, match="no gate report"):
        shop.registry.attach_report(version.ref, "0" * 32)


@pytest.mark.parametrize("field", ["code_digest", "params_digest", "environment_digest"])
def test_refit_with_another_recipe_is_refused_by_name(shop, field):
    """A refit must have its parent's code, parameters and environment; what differs is named."""
    parent = shop.released()
    digests = {name: getattr(parent.recipe, name) for name in parent.recipe.__struct_fields__}

    with pytest.raises(Conflict, match=f"no refit of delay@1: {field} differ"):
        shop.registry.register_version(
            "delay", shop.package(), refit_of=1, recipe=Recipe(**{**digests, field: "0" * 64})
        )

    assert len(shop.registry.list_versions("delay")) == 1


def test_refit_without_a_recipe_is_refused(shop):
    """What is not known cannot be claimed to be the same."""
    shop.released(recipe=Recipe())

    with pytest.raises(Conflict, match="needs its code_digest, params_digest, environment_digest") as told:
        shop.registry.register_version("delay", shop.package(), refit_of=1)
    assert told.value.hint == "run.log_model(..., code=FUNCTION)"


@pytest.mark.parametrize("field", ["code_digest", "params_digest", "environment_digest"])
def test_version_without_a_part_of_its_recipe_cannot_be_fitted_again(shop, field):
    """Whether a refit can follow is known at once: what is missing is named, and for code the line."""
    whole = shop.released()
    partial = shop.released(recipe=msgspec.structs.replace(whole.recipe, **{field: ""}))

    verdict = check_refittable(partial)

    assert check_refittable(whole).allowed
    assert not verdict.allowed
    assert verdict.reason == f"delay@2 was registered without its {field}, so it cannot be fitted again"
    assert verdict.hint == ("run.log_model(..., code=FUNCTION)" if field == "code_digest" else "")


def test_refit_of_nothing_is_refused(shop):
    """The parent of a refit must be there."""
    shop.released()

    with pytest.raises(NotFound, match="has no version 4"):
        shop.registry.register_version("delay", shop.package(), refit_of=4)


def test_last_verification_counts(shop):
    """Of several replays of the golden requests the newest stands at the version."""
    version = shop.released()
    shop.registry.record_verification(version.ref, passed=False, cause="columns `a`, `b` are swapped")
    shop.registry.record_verification(version.ref, passed=True, words="64 rows answered as recorded")

    found = shop.registry.get(version.ref).verification

    assert (found.passed, found.cause, found.words) == (True, "", "64 rows answered as recorded")


@pytest.mark.parametrize(("passed", "cause"), [(True, "swapped"), (False, "")])
def test_verification_has_a_cause_when_it_failed(shop, passed, cause):
    """A failed replay names its cause, and a passed one has none."""
    version = shop.released()

    with pytest.raises(InvalidInput, match="has a cause exactly when"):
        shop.registry.record_verification(version.ref, passed=passed, cause=cause)


def test_same_key_registers_once(shop):
    """A registration that is sent again gets the first answer, and no second version."""
    package = shop.package()

    first = shop.registry.register_version("delay", package, key="k1")

    assert shop.registry.register_version("delay", package, key="k1") == first
    assert len(shop.registry.list_versions("delay")) == 1
    with pytest.raises(IdempotencyConflict):
        shop.registry.register_version("delay", shop.package(), key="k1")


def test_racing_registrations_get_numbers_of_their_own(shop):
    """Thirty-two threads that register one name get the versions 1 to 32."""
    packages = [shop.package() for _ in range(32)]

    with ThreadPoolExecutor(32) as pool:
        made = list(pool.map(lambda package: shop.registry.register_version("delay", package), packages))

    assert sorted(version.version for version in made) == list(range(1, 33))
    assert {version.package_digest for version in shop.registry.list_versions("delay")} == set(packages)


def test_registration_is_told_to_the_ledger(shop):
    """Registering, attaching a report and verifying are events about the model."""
    package = shop.package()
    report = shop.judge(package)
    version = shop.registry.register_version("delay", package)
    for _ in range(2):  # the second time changes nothing, so nothing is told
        shop.registry.attach_report(version.ref, report.report_id)
    shop.registry.record_verification(version.ref, passed=True)

    events = shop.metadata.events("default", kind="model.")

    assert [event.kind for event in events] == [
        "model.created",
        "model.registered",
        "model.report_attached",
        "model.verified",
    ]
    assert {event.subject for event in events} == {"model:delay"}
    assert events[1].data["package_digest"] == package
