"""The page of passes: pipelines, passes by level, lowerings, targets."""

import inspect
from collections.abc import Callable, Iterable, Mapping

from xdsl.utils.arg_spec import ArgSpecConvertible

from rammer_ir.lowering import LOWERINGS, get_all_lowerings
from rammer_ir.lowering.targets import TARGETS, get_all_targets
from rammer_ir.pass_pipeline import describe_options
from rammer_ir.passes import PASSES, get_all_passes
from rammer_ir.pipelines import DEFAULT_STRATEGY, PIPELINES, STRATEGIES
from rammer_ir.reference.markdown import page, table

Factories = Mapping[str, Callable[[], type[ArgSpecConvertible]]]

ROOT = "../.."
"""From the page to the root of the repository."""

ANY_LEVEL = "any level"

INTRODUCTION = """
`rammer-opt MODEL -p PIPELINE -t TARGET` runs passes and prints the result. A pipeline is a list of names separated by
commas; options stand in braces, as in `set-device{device=h100 veus=8},optimize-rop`. A named pipeline stands for its
passes. The FileCheck test of a pass shows IR before and after it.
"""


def passes_page() -> str:
    """The page in Markdown."""
    parts = [INTRODUCTION.strip(), *_pipelines()]
    passes = get_all_passes()
    levels: dict[str, dict[str, Callable[[], type[ArgSpecConvertible]]]] = {}
    for name, path in PASSES.items():
        levels.setdefault(_level(path), {})[name] = passes[name]
    for level, members in sorted(levels.items(), key=lambda item: item[0] != ANY_LEVEL):
        parts += [f"## Passes on {level}", *_entries(members, PASSES)]
    parts += ["## Lowerings", *_entries(get_all_lowerings(), LOWERINGS)]
    parts += ["## Targets", *_entries(get_all_targets(), TARGETS)]
    return page("Pipelines, passes, lowerings and targets", parts)


def _pipelines() -> Iterable[str]:
    yield "## Named pipelines"
    rows = [(f"`{name}`", _kind(name), ", ".join(f"`{part}`" for part in parts)) for name, parts in PIPELINES.items()]
    yield table(("name", "strategy", "passes"), rows)


def _kind(name: str) -> str:
    if name not in STRATEGIES:
        return ""
    return "yes, the default" if name == DEFAULT_STRATEGY else "yes"


def _level(path: str) -> str:
    """The level of a pass, by the folder that its module is in."""
    folders = path.partition(":")[0].split(".")[2:-1]
    return f"`{folders[0]}`" if folders else ANY_LEVEL


def _entries(factories: Factories, paths: Mapping[str, str]) -> Iterable[str]:
    for name in sorted(factories):
        cls = factories[name]()
        yield f"### `{name}`"
        yield inspect.cleandoc(cls.__doc__ or "")
        options = describe_options(cls)
        if options:
            yield f"Options: {', '.join(f'`{text}`' for text in options.values())}."
        place = paths[name].partition(":")[0].removeprefix("rammer_ir.").replace(".", "/")
        yield f"In [{place}.py]({ROOT}/{place}.py); its test: {_test(place, name)}."


def _test(place: str, name: str) -> str:
    """A link to the FileCheck test; a target's is called like the target."""
    path = f"tests/filecheck/{place}.mlir"
    if name in TARGETS:
        path = f"tests/filecheck/lowering/targets/{name.replace('-', '_')}.mlir"
    return f"[{path}]({ROOT}/{path})"
