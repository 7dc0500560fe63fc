"""What the README shows is what happens."""

import re
from pathlib import Path

import pytest

from allmodes import SpecError, installed, specs

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
SPEC, HYBRID = BLOCKS[0], BLOCKS[1]


def hybrid() -> str:
    """The first spec with the second block's losses in the place of its own."""
    before, after = SPEC[: SPEC.index("losses:")], SPEC[SPEC.index("training:") :]
    return before + HYBRID + after


@pytest.mark.parametrize("text", [SPEC, hybrid()], ids=["spec", "hybrid"])
def test_the_specs_of_the_readme_are_valid(text: str) -> None:
    spec = specs.check(specs.read(text, "readme"), installed())
    assert spec.name == "my-veegan"


def test_the_mistake_of_the_readme_is_told_in_its_words(tmp_path: Path) -> None:
    text = hybrid().replace(", joint: reconstructor", "").replace("relativistic", "non_saturating", 1)
    lines = [line for line in text.splitlines() if "auxiliaries" not in line and "reconstructor: {" not in line]
    lines = [line for line in lines if not re.search(r"kind: r[12],", line)]
    with pytest.raises(SpecError) as error:
        specs.check(specs.read("\n".join(lines), "my-spec.yaml"), installed())
    assert f"error: {error.value}" in README
