"""`paddock models` and `paddock rollback`."""

import click

from paddock.cli.lazy import LazyCommand, LazyGroup
from paddock.cli.showing import format_moment, json_option, show_facts, show_json, show_table
from paddock.cli.workspace import open_workspace

models = LazyGroup(
    "models",
    table={
        "list": LazyCommand("paddock.cli.models:list_", "List models"),
        "show": LazyCommand("paddock.cli.models:show", "Show a model or one of its versions"),
        "gate": LazyCommand("paddock.cli.gate:gate", "Hold a version against its declared gates"),
        "promote": LazyCommand("paddock.cli.models:promote", "Point an alias at a version"),
    },
    help="""Registered models, their versions and aliases.

\b
Example:
  paddock models promote delay@7 champion --reason "better on all carriers"
""",
)


@click.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List models by name, with what is served of each.

    \b
    Example:
      paddock models list
    """
    with open_workspace() as app:
        from paddock.api import view
        from paddock.wire.structs import Model, ModelPage

        found = app.registry.list_models()
        if as_json:
            show_json(ModelPage(models=tuple(view(each, Model) for each in found)))
            return
        rows = [
            (each.name, _number(each.champion), _number(each.challenger), str(each.latest_version))
            for each in found
        ]
        columns = ("model", ">champion", ">challenger", ">latest")
        show_table(columns, rows, empty="no models yet; `run.log_model` registers one")


@click.command()
@click.argument("ref", metavar="NAME[@VERSION|@ALIAS]")
@json_option
def show(ref: str, as_json: bool) -> None:
    """Show the versions of a model, or one version with the gate report it stands on.

    \b
    Examples:
      paddock models show delay
      paddock models show delay@champion
    """
    from paddock.registry import parse_model_ref

    name, selector = parse_model_ref(ref)
    if selector:
        _show_version(ref, as_json)
    else:
        _show_model(name, as_json)


@click.command()
@click.argument("ref", metavar="NAME@VERSION")
@click.argument("alias", default="champion")
@click.option("--reason", default="", help="Why, for the history.")
@json_option
def promote(ref: str, alias: str, reason: str, as_json: bool) -> None:
    """Point ALIAS (champion or challenger) at a version, which is named, also when it is the newest.

    Refused with exit code 4 unless a passed gate report speaks for the version.

    \b
    Example:
      paddock models promote delay@7 champion --reason "better on all carriers"
    """
    with open_workspace() as app:
        from paddock.api import view
        from paddock.wire.structs import AliasChange

        change = app.registry.promote(ref, alias, reason=reason or "promoted on the command line")
        if as_json:
            show_json(view(change, AliasChange))
            return
        click.echo(f"{change.name}@{change.alias}: {_number(change.from_version)} -> {change.to_version}")


@click.command()
@click.argument("model")
@click.option("--reason", default="", help="Why, for the history.")
@json_option
def rollback(model: str, reason: str, as_json: bool) -> None:
    """Take the champion before this one back.

    \b
    Example:
      paddock rollback delay --reason "complaints since noon"
    """
    with open_workspace() as app:
        from paddock.api import view
        from paddock.wire.structs import AliasChange

        change = app.registry.rollback(model, reason=reason or "rolled back on the command line")
        if as_json:
            show_json(view(change, AliasChange))
            return
        click.echo(f"{change.name}@{change.alias}: {_number(change.from_version)} -> {change.to_version}")


def _show_model(name: str, as_json: bool) -> None:
    with open_workspace() as app:
        from paddock.api import view
        from paddock.wire.structs import ModelVersion, ModelVersionPage

        versions = app.registry.list_versions(name)
        if as_json:
            show_json(ModelVersionPage(versions=tuple(view(each, ModelVersion) for each in versions)))
            return
        rows = [
            (
                str(each.version),
                ", ".join(each.aliases),
                str(each.refit_of or ""),
                each.report_id[-8:] if each.has_package else "logged by MLflow, no package",
                format_moment(each.created_at),
            )
            for each in versions
        ]
        columns = (">version", "alias", ">refit of", "gate report", "registered")
        show_table(columns, rows, empty="no versions yet")


def _show_version(ref: str, as_json: bool) -> None:
    with open_workspace() as app:
        from paddock.api import view
        from paddock.wire.structs import ModelVersion

        version = app.registry.get(ref)
        if as_json:
            show_json(view(version, ModelVersion))
            return
        verification = version.verification
        show_facts(
            (
                ("model", str(version.ref)),
                ("alias", ", ".join(version.aliases)),
                ("registered", f"{format_moment(version.created_at)} by {version.principal}"),
                ("run", version.run_id),
                ("refit of", str(version.refit_of or "")),
                ("datasets", ", ".join(str(each) for each in version.datasets)),
                ("package", version.package_digest or "none"),
                ("source", version.source),
                ("golden requests", verification.words if verification else "not replayed yet"),
            )
        )
        if not version.has_package:
            click.echo("\nlogged by MLflow, no package: this version cannot be gated, promoted or served")
            return
        if not version.report_id:
            click.echo("\nno gate report: this version cannot be promoted; `paddock models gate` makes one")
            return
        report = app.evaluation.get_report(version.report_id)
        click.echo(f"\ngate report {report.report_id}: {report.words}")
        rows = [(result.state, result.gate, result.words) for result in report.results]
        show_table(("state", "gate", "found"), rows, empty="the report has no gates")


def _number(version: int) -> str:
    return str(version) if version else "-"
