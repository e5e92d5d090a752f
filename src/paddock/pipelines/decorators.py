"""`@step` and `@pipeline`: plain functions that can also be run, recorded and cached as a graph."""

import importlib
import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Generic, ParamSpec, Protocol, TypeVar, cast, overload

from paddock.kernel.errors import InvalidInput
from paddock.kernel.names import check_name, nearest
from paddock.pipelines.graph import building

P = ParamSpec("P")
R = TypeVar("R")


class Step(Generic[P, R]):
    """A function that is one step of pipelines. Called anywhere else it is the function itself."""

    def __init__(self, function: Callable[P, R], *, name: str, is_cached: bool) -> None:
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise InvalidInput(f"step `{name}` is a coroutine or a generator; a step returns its value")
        self.name = check_name("step", name)
        self.is_cached = is_cached
        self.function: Callable[P, R] = function
        self.signature = inspect.signature(function)
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        graph = building.get()
        if graph is None:
            return self.function(*args, **kwargs)
        # inside a pipeline function the value is not there yet; its node may be handed on like it
        return cast(R, graph.add(self, args, kwargs))

    def bind(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Mapping[str, object]:
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def call(self, arguments: Mapping[str, object]) -> object:
        """Run the function with every argument given by name, as `bind` returns them."""
        bound = inspect.BoundArguments(self.signature, OrderedDict(arguments))
        return cast("Callable[..., R]", self.function)(*bound.args, **bound.kwargs)

    def __repr__(self) -> str:
        return f"<step {self.name}>"


class AnyPipeline(Protocol):
    """A pipeline of whatever parameters and result."""

    @property
    def name(self) -> str: ...

    @property
    def function(self) -> Callable[..., object]: ...

    def check_params(self, params: Mapping[str, object]) -> None: ...


class Pipeline(Generic[P, R]):
    """A function that calls steps. Called by itself it runs them one after the other, unrecorded."""

    def __init__(self, function: Callable[P, R], *, name: str) -> None:
        self.name = check_name("pipeline", name)
        self.function: Callable[P, R] = function
        self.signature = inspect.signature(function)
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"

    def check_params(self, params: Mapping[str, object]) -> None:
        """Raise InvalidInput with every parameter that is unknown or missing."""
        known = self.signature.parameters
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
        problems = [
            f"pipeline `{self.name}` has no parameter `{name}`{_suggest(name, known)}"
            for name in params
            if name not in known and not takes_any
        ]
        problems += [
            f"pipeline `{self.name}` needs the parameter `{name}`"
            for name, parameter in known.items()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            and name not in params
        ]
        if problems:
            raise InvalidInput("; ".join(problems), problems=tuple(problems))


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...


@overload
def step(*, name: str = "", cache: bool = True) -> Callable[[Callable[P, R]], Step[P, R]]: ...


def step(
    function: Callable[P, R] | None = None, /, *, name: str = "", cache: bool = True
) -> Step[P, R] | Callable[[Callable[P, R]], Step[P, R]]:
    """Make a function a step: `@step`, or `@step(cache=False)` for one that must run each time.

    name: the function's own unless given. A step reads nothing but its arguments and returns its value. Its
    output is kept and given again for the same code, arguments and packages, so what else it does matters:

    - `pk.dataset("flights@3")` is always the same rows in one store, so the step is cached.
    - `pk.dataset("flights")` is the newest version, and every other call of Paddock (`pk.run`, `log_model`,
      `pk.promote` ...) does something that a kept output would not do again: the step runs each time, and
      its reason and its log say why. Compute in one step and log in the next, or hand the dataset over as an
      argument.
    - Calls in processes that the step starts, and files, addresses or stores that it opens by itself, are not
      seen: `cache=False` is for these.
    """

    def wrap(wrapped: Callable[P, R]) -> Step[P, R]:
        return Step(wrapped, name=name or _name_of(wrapped), is_cached=cache)

    return wrap if function is None else wrap(function)


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...


@overload
def pipeline(*, name: str = "") -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...


def pipeline(
    function: Callable[P, R] | None = None, /, *, name: str = ""
) -> Pipeline[P, R] | Callable[[Callable[P, R]], Pipeline[P, R]]:
    """Make a function a pipeline: `@pipeline` or `@pipeline(name="train")`."""

    def wrap(wrapped: Callable[P, R]) -> Pipeline[P, R]:
        return Pipeline(wrapped, name=name or _name_of(wrapped))

    return wrap if function is None else wrap(function)


def load_pipeline(entry: str) -> Pipeline[..., object]:
    """Return the pipeline that `module:name` names, importing the module.

    Raises InvalidInput when the text, the module or the name in it is wrong.
    """
    module_name, colon, attribute = entry.partition(":")
    if not (module_name and colon and attribute):
        raise InvalidInput(f"`{entry[:80]}` names no pipeline; write `package.module:function`")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the module is there, but something it imports is not
        raise InvalidInput(
            f"there is no module `{module_name}`", hint="is its folder on PYTHONPATH?"
        ) from error
    found = getattr(module, attribute, None)
    if not isinstance(found, Pipeline):
        pipelines = [name for name, value in vars(module).items() if isinstance(value, Pipeline)]
        raise InvalidInput(
            f"module `{module_name}` has no pipeline `{attribute}`{_suggest(attribute, pipelines)}",
            hint="decorate the function with @paddock.pipeline",
        )
    return found


def _name_of(function: Callable[..., object]) -> str:
    return str(getattr(function, "__name__", ""))


def _suggest(name: str, known: Mapping[str, object] | list[str]) -> str:
    match = nearest(name, known)
    return f"; the nearest is `{match}`" if match else ""
