"""The code of a plugin around a user's file: settings, and functions as parts of a spec."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from textwrap import indent

from allmodes.cli.plugin_words import BASES, camel, config_of, doc, field_of, is_function, kind_of, passed, slots_of
from allmodes.cli.python_file import Found, Reading, Slot

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


def write_config(reading: Reading, name: str) -> str:
    """The text of `config.py`."""
    slots = slots_of(reading)
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
    made = f"{found.name}({', '.join([*beside, *passed(found)])})"
    plain = found.base == "Module"
    lines = ["from allmodes import PlainNetwork"] * plain + [f"from allmodes_{name}.model import {found.name}", ""]
    lines += [f"return PlainNetwork({made}, sees, gives)" if plain else f"return {made}"]
    mixes = ["@override\ndef normalises_batches(self) -> bool:\n    return True  # BatchNorm\n"] if found.mixes else []
    return _class(found, name, [*mixes, _method("build(self, sees: tuple[Shape, ...], gives: Shape) -> Any", lines)])


def _loss(found: Found, name: str) -> str:
    if is_function(found):
        player = 'player: str = "generator"\n"""The player that it serves."""'
        serves = "@property\n@override\ndef serves(self) -> tuple[str, ...]:\n    return (self.player,)\n"
        lines = [f"from allmodes_{name}.parts import {camel(found)}", ""]
        lines += [f"return {camel(found)}({', '.join(['self.player', *passed(found)])})"]
        return _class(found, name, [serves, _method("build(self) -> Any", lines)], player)
    game = "is_game: ClassVar[bool] = True" if found.base == "Game" else ""
    return _class(found, name, [_method("build(self) -> Any", _made(found, name))], game)


def _metric(found: Found, name: str) -> str:
    lines = [f"from allmodes_{name}.parts import {camel(found)}", ""]
    lines += [f"return {camel(found)}({', '.join(passed(found))})"]
    return _class(found, name, [_method("build(self) -> Any", lines if is_function(found) else _made(found, name))])


def _made(found: Found, name: str) -> list[str]:
    made = f"{found.name}({', '.join(passed(found))})"
    return [f"from allmodes_{name}.model import {found.name}", "", f"return {made}"]


def _class(found: Found, name: str, methods: Iterable[str], further: str = "") -> str:
    kind = f'kind: Literal["{kind_of(found, name)}"] = "{kind_of(found, name)}"'
    options = [
        f'{field_of(found, o)}: {o.type} = {o.default!r}\n"""`{o.name}` of `{found.name}`."""' for o in found.options
    ]
    fields = "\n".join([kind, *([further] if further else []), *options])
    body = "\n".join([doc(found), "", fields, "", *methods]).rstrip()
    return f"class {config_of(found)}({BASES[found.slot].__name__}):\n{indent(body, '    ')}"


def _method(signature: str, lines: Iterable[str]) -> str:
    return f"@override\ndef {signature}:\n{indent(chr(10).join(lines), '    ')}\n"


def write_parts(reading: Reading, name: str) -> str:
    """The text of `parts.py`, for functions."""
    functions = [found for found in reading.found if is_function(found)]
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
    return f'''class {camel(found)}(LossTerm):
    {doc(found)}

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
    return f'''class {camel(found)}(Metric):
    {doc(found)}

{begin}    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        found = {call}
        numbers = found if isinstance(found, Mapping) else {{"{found.word}": found}}
        return {{key: float(value) for key, value in numbers.items()}}'''
