"""The files of a plugin around a user's Python file: settings, parts, hooks, tests and a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import indent

from allmodes.cli.network_shapes import Shapes
from allmodes.cli.python_file import Found, Option, Reading, Slot
from allmodes_schemas import KindConfig, LossTermConfig, MetricConfig, NetworkConfig

BASES: Mapping[Slot, type[KindConfig]] = {"network": NetworkConfig, "loss": LossTermConfig, "metric": MetricConfig}
HOOKS: Mapping[Slot, str] = {"network": "networks", "loss": "loss_terms", "metric": "metrics"}
CONTRACTS: Mapping[Slot, str] = {"network": "NetworkContract", "loss": "LossTermContract", "metric": "MetricContract"}
PLACES: Mapping[Slot, str] = {
    "network": "`generator`, `discriminator`, bodies",
    "loss": "`losses`",
    "metric": "metrics",
}
ASKED = {
    "samples": "evaluation.samples",
    "real": "evaluation.real.x",
    "labels": "evaluation.real.labels",
    "data": "evaluation.data",
    "generator": "evaluation.generator",
    "evaluation": "evaluation",
}
"""What a function of samples is called with."""
Write = Callable[[Found, str], str]


def files_of(reading: Reading, name: str, shapes: Shapes) -> dict[str, str]:
    """The texts of the plugin's files by path, besides `pyproject.toml`."""
    package = f"allmodes_{name}"
    parts = {f"{package}/parts.py": _parts(reading, name)} if any(map(_is_function, reading.found)) else {}
    return {
        f"{package}/__init__.py": _init(reading, name),
        f"{package}/config.py": _config(reading, name),
        f"{package}/model.py": reading.text,
        **parts,
        f"tests/test_{name}.py": _tests(reading, name, shapes),
        "README.md": _readme(reading, name),
    }


def kind_of(found: Found, name: str) -> str:
    """The word of a kind in a spec."""
    return f"{name}.{found.word}"


def config_of(found: Found) -> str:
    """The name of its class of settings."""
    return f"{_camel(found)}Config"


def _config(reading: Reading, name: str) -> str:
    slots = _slots(reading)
    names = sorted({*(BASES[slot].__name__ for slot in slots), *(["Shape"] if "network" in slots else [])})
    is_game = any(found.base == "Game" for found in reading.found)
    head = [
        '"""Settings of what model.py has. Torch is imported inside `build()`, never above."""\n',
        f"from typing import Any, {'ClassVar, ' if is_game else ''}Literal\n",
        "from typing_extensions import override\n",
        f"from allmodes import {', '.join(names)}",
    ]
    write: Mapping[Slot, Write] = {"network": _network, "loss": _loss, "metric": _metric}
    return "\n".join(head) + "".join(f"\n\n\n{write[found.slot](found, name)}" for found in reading.found) + "\n"


def _network(found: Found, name: str) -> str:
    beside = [f"{word}={word}" for word in found.gives]
    made = f"{found.name}({', '.join([*beside, *_passed(found)])})"
    plain = found.base == "Module"
    lines = ["from allmodes import PlainNetwork"] * plain + [f"from allmodes_{name}.model import {found.name}", ""]
    lines += [f"return PlainNetwork({made}, sees, gives)" if plain else f"return {made}"]
    mixes = ["@override\ndef normalises_batches(self) -> bool:\n    return True  # BatchNorm\n"] if found.mixes else []
    return _class(found, name, [*mixes, _method("build(self, sees: tuple[Shape, ...], gives: Shape) -> Any", lines)])


def _loss(found: Found, name: str) -> str:
    if _is_function(found):
        player = 'player: str = "generator"\n"""The player that it serves."""'
        serves = "@property\n@override\ndef serves(self) -> tuple[str, ...]:\n    return (self.player,)\n"
        lines = [f"from allmodes_{name}.parts import {_camel(found)}", ""]
        lines += [f"return {_camel(found)}({', '.join(['self.player', *_passed(found)])})"]
        return _class(found, name, [serves, _method("build(self) -> Any", lines)], player)
    game = "is_game: ClassVar[bool] = True" if found.base == "Game" else ""
    return _class(found, name, [_method("build(self) -> Any", _made(found, name))], game)


def _metric(found: Found, name: str) -> str:
    lines = [f"from allmodes_{name}.parts import {_camel(found)}", ""]
    lines += [f"return {_camel(found)}({', '.join(_passed(found))})"]
    return _class(found, name, [_method("build(self) -> Any", lines if _is_function(found) else _made(found, name))])


def _made(found: Found, name: str) -> list[str]:
    made = f"{found.name}({', '.join(_passed(found))})"
    return [f"from allmodes_{name}.model import {found.name}", "", f"return {made}"]


def _class(found: Found, name: str, methods: Iterable[str], further: str = "") -> str:
    kind = f'kind: Literal["{kind_of(found, name)}"] = "{kind_of(found, name)}"'
    options = [
        f'{_field(found, o)}: {o.type} = {o.default!r}\n"""`{o.name}` of `{found.name}`."""' for o in found.options
    ]
    fields = "\n".join([kind, *([further] if further else []), *options])
    body = "\n".join([_doc(found), "", fields, "", *methods]).rstrip()
    return f"class {config_of(found)}({BASES[found.slot].__name__}):\n{indent(body, '    ')}"


def _method(signature: str, lines: Iterable[str]) -> str:
    return f"@override\ndef {signature}:\n{indent(chr(10).join(lines), '    ')}\n"


def _parts(reading: Reading, name: str) -> str:
    functions = [found for found in reading.found if _is_function(found)]
    slots = {found.slot for found in functions}
    names = {"loss": ("Loss", "LossTerm", "Step"), "metric": ("Evaluation", "Metric")}
    imports = sorted(word for slot in slots for word in names[slot])
    head = [
        '"""The functions of model.py as parts of a spec."""\n',
        "from collections.abc import Mapping\n",
        *(["from torch import Tensor"] if "loss" in slots else []),
        "from typing_extensions import override\n",
        f"from allmodes import {', '.join(imports)}",
        f"from allmodes_{name} import model",
    ]
    write: Mapping[str, Callable[[Found], str]] = {"loss": _term, "metric": _measure}
    return "\n".join(head) + "".join(f"\n\n\n{write[found.slot](found)}" for found in functions) + "\n"


def _term(found: Found) -> str:
    taken = "".join(f", {o.name}: {o.type}" for o in found.options)
    kept = "".join(f"\n        self.{o.name} = {o.name}" for o in found.options)
    passed = "".join(f", {o.name}=self.{o.name}" for o in found.options)
    return f'''class {_camel(found)}(LossTerm):
    {_doc(found)}

    def __init__(self, player: str{taken}) -> None:
        super().__init__()
        self.player = player{kept}

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {{self.player: self.value}}

    def value(self, step: Step) -> Tensor:
        """One number."""
        value: Tensor = model.{found.name}(step{passed})
        return value'''


def _measure(found: Found) -> str:
    values = [ASKED[word] for word in found.gives]
    call = f"model.{found.name}({', '.join([*values, *(f'{o.name}=self.{o.name}' for o in found.options)])})"
    taken = "".join(f", {o.name}: {o.type}" for o in found.options)
    kept = "".join(f"        self.{o.name} = {o.name}\n" for o in found.options)
    begin = f"    def __init__(self{taken}) -> None:\n{kept}\n" if found.options else ""
    return f'''class {_camel(found)}(Metric):
    {_doc(found)}

{begin}    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        found = {call}
        numbers = found if isinstance(found, Mapping) else {{"{found.word}": found}}
        return {{key: float(value) for key, value in numbers.items()}}'''


def _init(reading: Reading, name: str) -> str:
    slots = _slots(reading)
    configs = sorted(map(config_of, reading.found))
    hooks = "".join(_hook(slot, [config_of(found) for found in reading.found if found.slot == slot]) for slot in slots)
    return (
        f'"""{name} as a plugin of allmodes."""\n\nfrom collections.abc import Iterable\n\n'
        f"from allmodes import {', '.join(sorted(BASES[slot].__name__ for slot in slots))}, hookimpl\n"
        f"from allmodes_{name}.config import {', '.join(configs)}{hooks}\n\n\n"
        f"__all__ = [{', '.join(f'{c!r}' for c in configs)}]\n".replace("'", '"')
    )


def _hook(slot: Slot, configs: Sequence[str]) -> str:
    signature = f"allmodes_{HOOKS[slot]}() -> Iterable[type[{BASES[slot].__name__}]]"
    returned = ", ".join(configs) if len(configs) > 1 else f"{configs[0]},"
    body = f'    """The {slot} kinds."""\n    return ({returned})'
    return f"\n\n\n@hookimpl\ndef {signature}:\n{body}"


def _tests(reading: Reading, name: str, shapes: Shapes) -> str:
    contracts = sorted({CONTRACTS[found.slot] for found in reading.found})
    text = f'"""{name} keeps the contracts of its slots."""\n\nfrom allmodes.testing import {", ".join(contracts)}\n'
    text += f"from allmodes_{name} import {', '.join(sorted(map(config_of, reading.found)))}\n"
    for found in reading.found:
        text += f"\n\nclass Test{_camel(found)}({CONTRACTS[found.slot]}):\n    config = {config_of(found)}()\n"
        if found.slot != "network":
            text += '    recipe = "gan/ring"  # where it is tried: name another one, or a spec, if it needs more\n'
        elif shapes_of := shapes.get(found.name):
            text += f"    sees = ({shapes_of[0]},)  # found by a trial pass\n    gives = {shapes_of[1]}\n"
        elif "sees" not in found.gives:
            text += "    sees = ((2,),)  # no trial pass found them: set the shapes that it takes and gives\n"
            text += "    gives = (2,)\n"
    return text


def _readme(reading: Reading, name: str) -> str:
    rows = [
        f"| `{kind_of(f, name)}` | {PLACES[f.slot]} | {f.summary or f'`{f.name}` of model.py'} |" for f in reading.found
    ]
    options = [
        f"| `{kind_of(f, name)}` | `{_field(f, o)}` | `{o.default}` | `{o.name}` of `{f.name}` |"
        for f in reading.found
        for o in f.options
    ]
    table = ["\n| kind | option | default | meaning |\n|---|---|---|---|", *options, ""] if options else []
    return "\n".join(
        [
            f"# allmodes-{name}\n\nNetworks, losses and metrics for allmodes, from `{reading.path.name}`.\n",
            f"```sh\npip install allmodes-{name}           # from this folder: pip install -e '.[test]'\n```\n",
            "| kind | place | what it is |\n|---|---|---|",
            *rows,
            *table,
            "\n## Test\n\n```sh\npython -m pytest\n```\n",
            "The tests subclass the contracts of `allmodes.testing`. Add what your formulas say: compare them with "
            "numbers worked out by hand.\n",
        ]
    )


def _slots(reading: Reading) -> list[Slot]:
    return [slot for slot in BASES if any(found.slot == slot for found in reading.found)]


def _is_function(found: Found) -> bool:
    return not found.base


def _camel(found: Found) -> str:
    return "".join(part[:1].upper() + part[1:] for part in found.name.split("_"))


def _doc(found: Found) -> str:
    summary = found.summary.replace("\\", "").replace('"', "'")
    return f'"""{summary or f"{found.name} of model.py."}"""'


def _field(found: Found, option: Option) -> str:
    """The name of an option's field, which is no name of the settings' base."""
    taken = hasattr(BASES[found.slot], option.name) or option.name in (*BASES[found.slot].__pydantic_fields__, "player")
    return f"{option.name}_" if taken else option.name


def _passed(found: Found) -> list[str]:
    return [f"{option.name}=self.{_field(found, option)}" for option in found.options]
