"""Files in folders: what is hidden is not read, links are followed once, and names tell what is held out."""

import os
from pathlib import Path

import pytest

from allmodes.builtin.config.image_folder import ImageFolderConfig
from allmodes.data.description import describe_data
from allmodes.data.files.splits import kind_of, split_by_names
from allmodes.data.files.walk import walk
from files import folder, picture, refusal


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def tree(*files: str) -> None:
    for file in files:
        Path("x", file).parent.mkdir(parents=True, exist_ok=True)
        Path("x", file).touch()


def halves(*files: str, any_file: bool = False) -> tuple[list[str], list[str] | None, str, tuple[str, ...]]:
    """What is trained on and held out, without the names of splits."""
    tree(*files)
    found = split_by_names(walk(Path("x"), (".png",)), "x", any_file)
    test = None if found.test is None else ["/".join(item.parts) for item in found.test]
    return ["/".join(item.parts) for item in found.train], test, found.held, found.left_out


def images(**options: object) -> str:
    """The line that describes a folder of images."""
    return describe_data(built(**options), "image_folder").removeprefix("data: images: ")


def built(**options: object) -> object:
    return ImageFolderConfig(**{"root": "images", "workers": 0, "memory": "resident", **options}).build()


# Splits


@pytest.mark.parametrize("train", ["train", "training", "Train", "TRAINING", "split=train", "subset=Training"])
@pytest.mark.parametrize(
    "test", ["test", "testing", "Test", "val", "Valid", "validation", "eval", "VALIDATION", "split=test", "dev"]
)
def test_every_usual_name_shows_the_held_out_folder(train: str, test: str) -> None:
    assert halves(f"{train}/cat/a.png", f"{test}/cat/b.png") == (["cat/a.png"], ["cat/b.png"], test, ())


@pytest.mark.parametrize("name", ["trains", "tests", "contest", "values", "latest", "evaluated", "class=test tube", ""])
def test_names_that_only_contain_a_word_are_ignored(name: str) -> None:
    assert kind_of(name) is None


def test_the_test_set_is_held_out_where_there_is_a_validation_set_too() -> None:
    left = ("val (1 file: the test set is held out)", "extra, x.png (2 files: neither to train on nor to hold out)")
    found = halves("train/a.png", "test/b.png", "val/c.png", "extra/d.png", "x.png")
    assert found == (["a.png"], ["b.png"], "test", left)


@pytest.mark.parametrize("above", ["outer/", "outer/inner/"])
def test_an_outer_folder_does_not_hide_the_held_out_folder(above: str) -> None:
    assert halves(f"{above}train/cat/a.png", f"{above}test/cat/b.png")[:2] == (["cat/a.png"], ["cat/b.png"])


def test_each_class_may_have_its_own_test_folder() -> None:
    files = [f"{name}/{part}/{i}.png" for name in ("cat", "dog") for part in ("train", "test") for i in range(2)]
    assert halves(*files)[:2] == (["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"],) * 2


def test_a_folder_called_test_within_a_class_is_not_a_test_set() -> None:
    files = ("cat/train/a.png", "cat/test/b.png", "dog/c.png")
    assert halves(*files) == (sorted(files), None, "", ())


@pytest.mark.parametrize("alone", ["train", "Training", "test", "split=train"])
def test_one_folder_alone_is_looked_through(alone: str) -> None:
    assert halves(f"{alone}/cat/a.png", f"{alone}/dog/b.png")[:2] == (["cat/a.png", "dog/b.png"], None)


@pytest.mark.parametrize(
    ("train", "test"),
    [("seg_train", "seg_test"), ("train2017", "val2017"), ("trainImages", "testImages"), ("train-set", "test-set")],
)
def test_folders_that_differ_in_the_word_alone_are_divided(train: str, test: str) -> None:
    files = (f"{train}/cat/a.png", f"{test}/cat/b.png", "pred/c.png")
    assert halves(*files)[:3] == (["cat/a.png"], ["cat/b.png"], test)


@pytest.mark.parametrize(
    ("train", "test"),
    [("train_dir", "dev"), ("train", "val_images"), ("trainval", "test"), ("trn", "tst"), ("train", "validate")],
)
def test_folders_that_all_contain_a_word_are_divided(train: str, test: str) -> None:
    assert halves(f"{train}/cat/a.png", f"{test}/cat/b.png") == (["cat/a.png"], ["cat/b.png"], test, ())


def test_trainval_is_not_learned_beside_train() -> None:
    train, test, _, left_out = halves("train/a.png", "val/b.png", "trainval/a.png", "trainval/b.png")
    assert (train, test) == (["a.png"], ["b.png"])
    assert left_out == ("trainval (2 files: neither to train on nor to hold out)",)


@pytest.mark.parametrize("classes", [("bus", "car", "train"), ("test tube", "train station"), ("dev", "test", "bus")])
def test_classes_with_such_names_stay_classes(classes: tuple[str, ...]) -> None:
    files = [f"{name}/a.png" for name in classes]
    assert halves(*files) == (sorted(files), None, "", ())


def test_partitions_keep_their_other_columns() -> None:
    files = ("split=train/label=3/a.png", "split=test/label=4/b.png")
    assert halves(*files)[:2] == (["label=3/a.png"], ["label=4/b.png"])


def test_partitions_below_others_are_divided() -> None:
    files = ("label=3/split=train/a.png", "label=4/split=test/b.png")
    assert halves(*files)[:2] == (["label=3/a.png"], ["label=4/b.png"])


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train-00000-of-00002", "test-00000-of-00001"),
        ("data_train", "data_test"),
        ("Train", "VALIDATION"),
        ("train1", "eval"),
        ("0000_training", "0000_testing"),
        ("myDataTrain", "myDataTest"),
    ],
)
def test_names_of_files_show_the_held_out_files(train: str, test: str) -> None:
    assert halves(f"{train}.png", f"{test}.png") == ([f"{train}.png"], [f"{test}.png"], f"{test}.png", ())


def test_files_without_a_word_are_left_out_or_keep_all_files_together() -> None:
    files = ("cities.png", "test.png", "train.png", "train_test.png")
    assert halves(*files) == (list(files), None, "", ())
    left = ("cities.png, train_test.png (2 files: neither to train on nor to hold out)",)
    assert halves(*files, any_file=True) == (["train.png"], ["test.png"], "test.png", left)


def test_test_and_validation_without_train_are_refused() -> None:
    assert refusal(lambda: halves("test/a.png", "val/b.png")) == (
        "x has test and val to hold out, but no train: add what is trained on, or name one of them alone"
    )


@pytest.mark.parametrize(("full", "empty"), [("train", "test"), ("test", "train"), ("Training", "validation")])
def test_a_split_without_files_is_refused(full: str, empty: str) -> None:
    Path("x", empty, "cat").mkdir(parents=True)
    assert refusal(lambda: halves(f"{full}/cat/a.png")) == (
        f"x/{empty} has none of the files that are read: add them, or remove it"
    )


# What is hidden


HIDDEN = (
    ".ipynb_checkpoints/a.png", "__MACOSX/a.png", "@eaDir/a.png", "._a.png", ".git/a.png", ".Trash-1000/a.png",
    "$RECYCLE.BIN/a.png", "System Volume Information/a.png", "__pycache__/a.png", "_thumbs/a.png", "#recycle/a.png",
)  # fmt: skip


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("where", ["", "cat/", "cat/deep/"])
def test_hidden_files_are_left_out_at_any_depth_and_reported(hidden: str, where: str) -> None:
    tree("cat/a.png", where + hidden)
    found = walk(Path("x"), (".png",))
    assert [item.parts for item in found.items] == [("cat", "a.png")]
    name = hidden.removesuffix("/a.png")
    assert found.left_out == [f"x/{where}{name} (hidden, or a system's own)"]


def test_files_of_other_kinds_are_counted_and_those_of_a_system_are_not_worth_a_word() -> None:
    tree("a.png", "b.PNG", "c.heic", "d.HEIC", "notes.txt", "raw", ".DS_Store", "Thumbs.db", "desktop.ini")
    found = walk(Path("x"), (".png",))
    assert [item.path.name for item in found.items] == ["a.png", "b.PNG"]
    assert found.left_out == ["4 files of other kinds (.heic 2, .txt 1, no suffix 1)"]


def test_a_class_may_be_called_trash() -> None:
    folder(Path("images"), ("glass", "trash"), each=4)
    assert "2 classes: glass, trash" in images()


# Links


@pytest.fixture
def _links() -> None:
    if os.name == "nt":
        pytest.skip("links need rights on Windows")


@pytest.mark.usefixtures("_links")
def test_linked_folders_in_a_class_are_followed_and_links_out_reported() -> None:
    folder(Path("real"), each=4)
    folder(Path("images"), each=2)
    for name in ("cat", "dog"):
        Path("images", name, "more").symlink_to(Path("real", name).absolute())
    assert images() == (
        "11 items to train on, 1 held out; RGB images of 8 x 8 px; 2 classes: cat, dog; "
        "links out of images are followed: images/cat/more, images/dog/more"
    )


@pytest.mark.usefixtures("_links")
def test_class_folders_may_be_links() -> None:
    folder(Path("real"), each=4)
    Path("images").mkdir()
    for name in ("cat", "dog"):
        Path("images", name).symlink_to(Path("real", name).absolute())
    assert "2 classes: cat, dog" in images()


@pytest.mark.usefixtures("_links")
@pytest.mark.parametrize("target", [".", "images", "images/cat", "images/cat/deep"])
def test_cycles_end(target: str) -> None:
    folder(Path("images"), each=3)
    Path("images/cat/deep").mkdir()
    Path("images/cat/deep/back").symlink_to(Path(target).absolute())
    line = images()
    assert line.startswith("5 items to train on, 1 held out")
    assert "images/cat/deep/back (a link back to a folder that holds it)" in line or target == "."


@pytest.mark.usefixtures("_links")
def test_dangling_links_are_left_out_and_reported() -> None:
    folder(Path("images"), each=3)
    Path("images/cat/gone.png").symlink_to("nowhere.png")
    Path("images/dog/self.png").symlink_to(Path("images/dog/self.png").absolute())
    line = images()
    assert line.startswith("5 items to train on, 1 held out")
    assert "left out: images/cat/gone.png, images/dog/self.png (a link that leads nowhere)" in line


@pytest.mark.usefixtures("_links")
def test_a_file_that_a_class_has_twice_is_read_once() -> None:
    folder(Path("images"), each=3)
    Path("images/cat/0.png").symlink_to("00.png")
    Path("images/cat/all").symlink_to(Path("images/cat").absolute())
    line = images()
    assert line.startswith("5 items to train on, 1 held out")
    assert "images/cat/0.png (a link to another file of its class)" in line


@pytest.mark.usefixtures("_links")
def test_a_file_of_two_classes_or_both_trained_on_and_held_out_is_reported() -> None:
    folder(Path("images"), each=3)
    Path("images/cat/more").symlink_to(Path("images/dog").absolute())
    assert images().endswith("3 files of several classes, such as images/cat/more/00.png")
    folder(Path("both/train"), each=3)
    folder(Path("both/test"), each=1)
    Path("both/test/cat/more.png").symlink_to(Path("both/train/cat/01.png").absolute())
    line = describe_data(built(root="both"), "image_folder")
    assert line.endswith("1 file both trained on and held out, such as both/test/cat/more.png")


@pytest.mark.usefixtures("_links")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_named() -> None:
    folder(Path("images"), each=3)
    Path("images/cat").chmod(0)
    assert refusal(built) == "images/cat cannot be read: Permission denied"
    Path("images/cat").chmod(0o700)


@pytest.mark.usefixtures("_links")
def test_many_links_among_folders_do_not_multiply() -> None:
    for i in range(6):
        tree(f"{i}/a.png")
        for j in range(6):
            Path("x", str(i), f"to-{j}").symlink_to(Path("x", str(j)).absolute())
    assert len(walk(Path("x"), (".png",)).items) < 6 * 6 * 7


# Images


def test_folders_of_numbers_are_classes_in_the_order_of_numbers() -> None:
    for i in range(12):
        for j in range(2):
            picture(Path(f"images/{i}/{j}.png"), seed=i)
    assert built().class_names == tuple(map(str, range(12)))


def test_the_outer_folder_of_an_archive_is_taken_away_and_reported() -> None:
    folder(Path("images/PetImages"), each=4)
    assert images().endswith("2 classes: cat, dog; the classes are the folders within images/PetImages")


def test_an_outer_folder_of_test_images_is_looked_through_as_that_of_the_others() -> None:
    folder(Path("images/train/pets"), each=4)
    folder(Path("images/test/pets"), ("cat",), each=2)
    assert images().startswith("8 items to train on, 2 held out (test); RGB images of 8 x 8 px; 2 classes: cat, dog")


@pytest.mark.parametrize("where", ["runs/one", "one", "cat/one"])
def test_figures_of_runs_within_the_folder_are_not_read(where: str) -> None:
    folder(Path("images"), each=4)
    for name in ("", "seed-0/figures", "seed-0"):
        picture(Path("images", where, name, "samples.png"), size=(9, 9))
    for name in ("spec.yaml", "results.json"):
        Path("images", where, name).touch()
    picture(Path("images/mlruns/1/artifacts/samples.png"), size=(9, 9))
    assert images() == (
        "7 items to train on, 1 held out; RGB images of 8 x 8 px; 2 classes: cat, dog; "
        f"left out: images/mlruns (hidden, or a system's own), images/{where} (a folder of runs)"
    )


def test_train_and_test_folders_in_folders_of_their_own_name_are_looked_through() -> None:
    folder(Path("images/seg_train/seg_train"), each=4)
    folder(Path("images/seg_test/seg_test"), each=2)
    assert images().startswith(
        "8 items to train on, 4 held out (seg_test); RGB images of 8 x 8 px; 2 classes: cat, dog"
    )


def test_test_images_without_a_class_folder_are_refused_where_others_have_one() -> None:
    folder(Path("images/train"), each=4)
    picture(Path("images/test/00.png"))
    assert refusal(built) == (
        "images/test/00.png is not in a class folder, but images that are trained on are: "
        "put it into one, or set root to the folder that is trained on"
    )


def test_classes_of_test_images_alone_are_ignored() -> None:
    for i in range(4):
        picture(Path(f"images/train/{i}.png"), seed=i)
    folder(Path("images/test"), each=2)
    assert images() == "4 items to train on, 4 held out (test); RGB images of 8 x 8 px; no labels"


def test_files_beside_train_and_test_are_reported() -> None:
    folder(Path("images/train"), each=4)
    folder(Path("images/testing"), each=2)
    folder(Path("images/val"), each=1)
    picture(Path("images/logo.png"))
    assert images().endswith(
        "left out: val (2 files: the test set is held out), logo.png (1 file: neither to train on nor to hold out)"
    )


def test_classes_of_partitions_have_their_value_as_name() -> None:
    for part in ("train", "test"):
        folder(Path(f"images/split={part}"), ("label=cat", "label=dog"), each=3)
    assert images() == "6 items to train on, 6 held out (split=test); RGB images of 8 x 8 px; 2 classes: cat, dog"


def test_names_of_classes_do_not_depend_on_the_system() -> None:
    folder(Path("images/train"), ("caf\u00e9", "dog"), each=3)
    folder(Path("images/test"), ("cafe\u0301", "dog"), each=3)
    assert images().endswith("2 classes: caf\u00e9, dog")


def test_an_archive_is_refused_with_the_remedy() -> None:
    Path("images").write_bytes(b"PK")
    assert refusal(built) == "images is not a folder but a file: unpack it: set root to the folder of images"
