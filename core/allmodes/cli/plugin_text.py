"""The files of a plugin around a user's Python file, from its hooks to its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from allmodes.cli.network_shapes import Shapes
from allmodes.cli.plugin_code import write_config, write_parts
from allmodes.cli.plugin_words import BASES, camel, config_of, field_of, is_function, kind_of, slots_of
from allmodes.cli.python_file import Reading, Slot

HOOKS: Mapping[Slot, str] = {"network": "networks", "loss": "loss_terms", "metric": "metrics"}
CONTRACTS: Mapping[Slot, str] = {"network": "NetworkContract", "loss": "LossTermContract", "metric": "MetricContract"}
PLACES: Mapping[Slot, str] = {
    "network": "`generator`, `discriminator`, bodies",
    "loss": "`losses`",
    "metric": "metrics",
}


def files_of(reading: Reading, name: str, shapes: Shapes) -> dict[str, str]:
    """The texts of the plugin's files by path, besides `pyproject.toml`."""
    package = f"allmodes_{name}"
    parts = {f"{package}/parts.py": write_parts(reading, name)} if any(map(is_function, reading.found)) else {}
    return {
        f"{package}/__init__.py": _init(reading, name),
        f"{package}/config.py": write_config(reading, name),
        f"{package}/model.py": reading.text,
        **parts,
        f"tests/test_{name}.py": _tests(reading, name, shapes),
        "README.md": _readme(reading, name),
    }


def _init(reading: Reading, name: str) -> str:
    slots = slots_of(reading)
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
        text += f"\n\nclass Test{camel(found)}({CONTRACTS[found.slot]}):\n    config = {config_of(found)}()\n"
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
        f"| `{kind_of(f, name)}` | `{field_of(f, o)}` | `{o.default}` | `{o.name}` of `{f.name}` |"
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
