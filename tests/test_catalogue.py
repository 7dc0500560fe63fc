"""Catalogues of plugins: what they may hold, how they are read, and whether a plugin fits before anybody installs it.

The catalogue that comes with allmodes is written again by `python tests/test_catalogue.py`.
"""

import json
import platform
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import allmodes
from allmodes.cli import catalogues, fetching
from allmodes.cli import main as cli_main
from allmodes.specs.loading import SpecError
from fixtures.distributions import ACME, Environment, first_party, project

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "core" / "allmodes" / "cli" / "catalogue.json"
Capture = pytest.CaptureFixture[str]
ENTRY = {"distribution": "allmodes-nova", "summary": "New stars", "versions": ["0.2.0", "0.10.0", "1.0rc1"]}
HERE = allmodes.__version__


def shipped() -> dict[str, Any]:
    """The catalogue of our own plugins, from their projects and from what they provide."""
    registry = first_party()
    found: dict[str, dict[str, list[str]]] = {name: {} for name in registry.plugins if name != "allmodes"}
    for slot, kind in registry.all_kinds():
        if kind.plugin.name in found:
            found[kind.plugin.name].setdefault(slot, []).append(kind.name)
    return {"schema_version": 1, "plugins": [shipped_entry(name, found[name]) for name in sorted(found)]}


def shipped_entry(name: str, kinds: dict[str, list[str]]) -> dict[str, Any]:
    about = project(ROOT / "plugins" / name)
    recipes = [recipe for recipe in first_party(name).recipes if recipe.startswith(f"{name}/")]
    requires = [_ordered(Requirement(text)) for text in about["dependencies"]]
    entry = {
        "distribution": about["name"], "summary": about["description"], "licence": about["license"], "kinds": kinds,
        "recipes": recipes, "requires": requires, "python": about["requires-python"], "versions": [about["version"]],
    }  # fmt: skip
    return {key: value for key, value in entry.items() if value}


def _ordered(requirement: Requirement) -> str:
    return f"{requirement.name}{','.join(sorted(map(str, requirement.specifier), reverse=True))}"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    return Environment(monkeypatch, tmp_path / "site")


def write(folder: Path, *entries: dict[str, Any], version: int = 1) -> str:
    file = folder / "plugins.yaml"
    file.write_text(json.dumps({"schema_version": version, "plugins": [ENTRY | entry for entry in entries]}))
    return str(file)


def run(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    code = cli_main.execute(["plugins", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_catalogue_that_comes_with_allmodes_holds_our_plugins_as_they_are() -> None:
    message = "write it again: python tests/test_catalogue.py"
    assert json.loads(SHIPPED.read_text("utf-8")) == shipped(), message
    assert len(catalogues.load(None).plugins) == len(list((ROOT / "plugins").glob("*/pyproject.toml")))


# Searching


def test_a_search_finds_names_kinds_recipes_and_summaries_in_any_case(tmp_path: Path, capsys: Capture) -> None:
    nova = {"kinds": {"loss": ["nova.burst", "nova.glow"]}, "recipes": ["nova/ring"]}
    place = write(tmp_path, nova, {"distribution": "allmodes-quiet", "summary": "Nothing of that"})
    for words in (["NEW"], ["nova"], ["nova/ring"], ["stars", "ring"]):
        code, out, _ = run(capsys, "search", *words, "--catalogue", place)
        assert code == 0
        assert [line.split()[0] for line in out.splitlines()] == ["allmodes-nova"]
    assert run(capsys, "search", "glow", "--catalogue", place) == (
        0, "allmodes-nova  New stars (0.10.0, not installed): nova.glow\n", "",
    )  # fmt: skip
    assert run(capsys, "search", "--catalogue", place)[1].count("\n") == 2


def test_a_search_says_what_is_installed(tmp_path: Path, capsys: Capture, environment: Environment) -> None:
    environment.install(ACME, version="1.5")
    place = write(tmp_path, {"distribution": "allmodes_Acme"})
    assert run(capsys, "search", "--catalogue", place)[1] == "allmodes_Acme  New stars (installed: 1.5)\n"


def test_a_search_without_a_find_says_so(tmp_path: Path, capsys: Capture) -> None:
    place = write(tmp_path, {})
    assert run(capsys, "search", "allmodes-nofa", "x", "--catalogue", place) == (
        2, "", f"error: no plugin of {place} has 'allmodes-nofa' and 'x' (did you mean 'allmodes-nova'?)\n",
    )  # fmt: skip
    assert run(capsys, "search", "--catalogue", write(tmp_path)) == (2, "", f"error: no plugin of {place} is there\n")


# Fitting


def test_a_plugin_that_fits_is_shown_with_the_command_that_installs_it(tmp_path: Path, capsys: Capture) -> None:
    fits = {"requires": [f"allmodes>={HERE}", "nowhere>=3", "gone; python_version < '3'"], "python": ">=3.8"}
    code, out, _ = run(capsys, "info", "nova", "--catalogue", write(tmp_path, fits))
    assert code == 0
    for line in (
        f"Python {platform.python_version()}: fits", f"allmodes {HERE}: fits",
        "nowhere: is not installed: pip installs nowhere>=3", "allmodes-nova: is not installed",
        "install  pip install allmodes-nova",
    ):  # fmt: skip
        assert line in out
    assert "gone" not in out


@pytest.mark.parametrize(
    ("wants", "line"),
    [
        ({"requires": ["allmodes>=99"]}, f"allmodes {HERE}: does not fit: needs allmodes>=99: take another version"),
        ({"python": "<3"}, f"Python {platform.python_version()}: does not fit: needs Python <3"),
        ({"requires": ["pydantic<1"]}, "does not fit: needs pydantic<1: pip would replace it"),
        ({"recipes": ["acme/ring"]}, "acme: does not fit: allmodes-acme 1.0 has a plugin of that name: uninstall it"),
    ],
)
def test_a_plugin_that_does_not_fit_is_not_recommended(
    wants: dict[str, Any], line: str, tmp_path: Path, capsys: Capture, environment: Environment
) -> None:
    environment.install(ACME)
    code, out, _ = run(capsys, "info", "allmodes-nova", "--catalogue", write(tmp_path, wants))
    assert code == 1
    assert line in out
    assert out.endswith("it does not fit what is here\n")
    assert "pip install" not in out


def test_what_is_installed_is_shown_beside_newer_versions(
    tmp_path: Path, capsys: Capture, environment: Environment
) -> None:
    environment.install(ACME)
    place = write(tmp_path, {"distribution": "allmodes-acme"})
    assert "allmodes-acme: 1.0 is installed" in run(capsys, "info", "acme", "--catalogue", place)[1]
    place = write(tmp_path, {"distribution": "allmodes-acme", "versions": ["1.0", "2.0"]})
    assert "allmodes-acme: 1.0 is installed, and 2.0 is newer" in run(capsys, "info", "acme", "--catalogue", place)[1]


def test_a_plugin_that_only_is_installed_is_shown_as_that(
    tmp_path: Path, capsys: Capture, environment: Environment
) -> None:
    environment.install(ACME, requires=("allmodes<9,>=0.1",))
    place = write(tmp_path, {})
    code, out, _ = run(capsys, "info", "acme", "--catalogue", place)
    assert (code, out.splitlines()[-1]) == (0, f"{place} does not have it: this is installed")
    code, out, _ = run(capsys, "info", "acme", "--entry")
    entry = {
        "distribution": "allmodes-acme", "summary": "", "requires": ["allmodes>=0.1,<9"], "versions": ["1.0"],
        "kinds": {"prior": ["acme.bell", "acme.bump"], "auxiliary": ["acme.helper"]},
    }  # fmt: skip
    assert json.loads(out) == entry
    assert catalogues.load(write(tmp_path, entry)).plugins[0].kinds["prior"] == ("acme.bell", "acme.bump")


def test_an_unknown_plugin_is_an_error(tmp_path: Path, capsys: Capture) -> None:
    place = write(tmp_path, {})
    assert run(capsys, "info", "allmodes-nofa", "--catalogue", place) == (
        2, "", f"error: {place} has no plugin 'allmodes-nofa' (did you mean 'allmodes-nova'?)\n",
    )  # fmt: skip
    message = "error: no plugin 'nofa' is installed: `allmodes plugins` lists all\n"
    assert run(capsys, "info", "nofa", "--entry") == (2, "", message)


# Files that are no catalogue


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"versions": []}, "{}:1:93: plugins.0.versions: has 0 entries, but needs at least 1"),
        ({"versions": ["new"]}, "{}:1:106: plugins.0.versions.0: 'new' is no version: write it as '0.1.0'"),
        ({"homepage": "http://x"}, "plugins.0.homepage: 'http://x' is no address of a page: begin with https://"),
        ({"requires": ["a b c"]}, "plugins.0.requires.0: 'a b c' is no requirement: write it as allmodes>=0.1,<1"),
        ({"python": "three"}, "plugins.0.python: 'three' is no range of versions: write it as >=3.11"),
        ({"distribution": "a; rm -r"}, "plugins.0.distribution: "),
        ({"code": "import os"}, "plugins.0.code: unknown key"),
    ],
)
def test_a_wrong_entry_is_named_with_its_place(entry: dict[str, Any], message: str, tmp_path: Path) -> None:
    place = write(tmp_path, entry)
    with pytest.raises(SpecError) as error:
        catalogues.load(place)
    assert message.format(place) in str(error.value)


def test_a_catalogue_of_a_later_form_asks_for_a_later_allmodes(tmp_path: Path, capsys: Capture) -> None:
    place = write(tmp_path, {}, version=2)
    what = "this allmodes reads version 1, not 2: pip install --upgrade allmodes"
    assert run(capsys, "search", "--catalogue", place) == (2, "", f"error: {place}:1:2: schema_version: {what}\n")


def test_two_entries_of_one_distribution_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="allmodes-nova is there already: write one entry with all versions"):
        catalogues.load(write(tmp_path, {}, {"distribution": "Allmodes_Nova"}))


def test_tags_and_missing_files_are_refused(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "evil.yaml"
    file.write_text("schema_version: 1\nplugins: !!python/object/apply:os.getcwd []\n")
    code, _, err = run(capsys, "search", "--catalogue", str(file))
    assert (code, err.startswith(f"error: {file}:2:10: ")) == (2, True)
    gone = tmp_path / "gone.yaml"
    assert run(capsys, "search", "--catalogue", str(gone)) == (
        2, "", f"error: {gone}: cannot be read: No such file or directory\n",
    )  # fmt: skip


# Addresses


class Pages(BaseHTTPRequestHandler):
    """A server with a catalogue, something too large, and a way elsewhere."""

    def do_GET(self) -> None:
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "ftp://example.invalid/plugins.yaml")
            self.end_headers()
            return
        self.send_response(200 if self.path != "/gone" else 404)
        self.end_headers()
        catalogue = json.dumps({"schema_version": 1, "plugins": [ENTRY]}).encode()
        self.wfile.write({"/large": b"x" * 2**21, "/gone": b"", "/bytes": b"\xff\xfe"}.get(self.path, catalogue))

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on this machine; its address is taken for a secure one."""
    monkeypatch.setattr(fetching, "SECURE", "http://")
    with HTTPServer(("127.0.0.1", 0), Pages) as pages:
        threading.Thread(target=pages.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{pages.server_port}"
        pages.shutdown()


def test_a_catalogue_is_read_from_an_address(server: str, capsys: Capture) -> None:
    code, out, _ = run(capsys, "search", "--catalogue", f"{server}/plugins.json")
    assert (code, out) == (0, "allmodes-nova  New stars (0.10.0, not installed)\n")


OTHERWISE = ", or give a file: --catalogue FILE\n"


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("/large", "{}/large: larger than 1,048,576 bytes: this is no catalogue\n"),
        ("/gone", "{}/gone: the server answers 404 Not Found: check the address" + OTHERWISE),
        ("/bytes", "{}/bytes: is not UTF-8 text: check the address" + OTHERWISE),
        (
            "/elsewhere",
            "ftp://example.invalid/plugins.yaml: is not read: take an address that begins with http://" + OTHERWISE,
        ),
    ],
)
def test_what_an_address_should_not_answer_is_an_error(page: str, message: str, server: str, capsys: Capture) -> None:
    code, out, err = run(capsys, "search", "--catalogue", f"{server}{page}")
    assert (code, out, err) == (2, "", f"error: {message.format(server)}")


def test_without_an_answer_the_message_has_the_way_out(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 2.0)
    code, _, err = run(capsys, "search", "--catalogue", "https://127.0.0.1:1/plugins.yaml?token=abc")
    assert (code, err) == (
        2,
        "error: https://127.0.0.1:1/plugins.yaml?***: cannot be reached (Connection refused): check the network and "
        "the address, or give a file: --catalogue FILE\n",
    )


@pytest.mark.parametrize("scheme", ["http", "file", "ftp"])
def test_only_secure_addresses_are_read(scheme: str, capsys: Capture) -> None:
    code, _, err = run(capsys, "info", "nova", "--catalogue", f"{scheme}://localhost/plugins.yaml")
    assert (code, err) == (
        2,
        f"error: {scheme}://localhost/plugins.yaml: is not read: take an address that begins with https://, or give a "
        "file: --catalogue FILE\n",
    )


if __name__ == "__main__":
    SHIPPED.write_text(json.dumps(shipped(), indent=2, ensure_ascii=False) + "\n", "utf-8")
