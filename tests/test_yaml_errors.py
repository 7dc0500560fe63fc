"""YAML's own errors in plain words: each common slip, with its line and column and the way out."""

import pytest

from allmodes.specs.source import SpecError, read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: a\ndata:\n\tkind: ring\n",
            "3:1: the line is indented by a tab, which YAML does not allow: write two blanks for each",
        ),
        ("name: a\ndata:\n  kind:\tring\n", "3:8: a tab stands here: write a blank"),
        ("losses:\n  -\tkind: a\n\t  b: 1\n", "2:4: a tab stands here: write a blank"),
        (
            "name: a\n  data: b\n",
            "2:3: indented by 2 blanks, but line 1 above, which has a value, by 0: indent both alike, or end "
            "line 1 with its colon",
        ),
        (
            "training:\n  iterations: 10\n    batch_size: 3\n",
            "3:5: indented by 4 blanks, but line 2 above, which has a value, by 2: indent both alike, or end "
            "line 2 with its colon",
        ),
        (
            "training:\n    iterations: 10\n  batch_size: 3\n",
            "3:3: this line begins in column 3, but the blocks above it in 1, 5: move it to one of these",
        ),
        (
            "losses:\n  - {kind: a}\n - {kind: b}\n",
            "3:2: this - begins in column 2, but the blocks above it in 1, 3: move it to one of these",
        ),
        (
            "losses:\n  - {kind: a}\n    - {kind: b}\n",
            "3:5: this - begins in column 5, but the blocks above it in 1, 3: move it to one of these",
        ),
        (
            "losses:\n  - kind: a\n      weight: 1\n",
            "3:7: indented by 6 blanks, but line 2 above, which has a value, by 4: indent both alike, or end "
            "line 2 with its colon",
        ),
        (
            "losses:\n  - kind: a\n   weight: 1\n",
            "3:4: this line begins in column 4, but the blocks above it in 1, 3, 5: move it to one of these",
        ),
        ("name: a\ndata\nprior: b\n", "2:1: a colon is missing behind data"),
        ("name: a\ntraining:\n  iterations 10\n  batch_size: 3\n", "3:3: a colon is missing: write iterations: 10"),
        ("name: a\ndata\n", "2:1: a colon is missing behind data"),
        ("seeds: [0, 1\nname: a\n", "1:8: this [ is opened and never closed: add ]"),
        ("name: a\nseeds: [0, 1\n", "2:8: this [ is opened and never closed: add ]"),
        ("data: {kind: ring\nname: a\n", "1:7: this { is opened and never closed: add }"),
        (
            "losses:\n  - {kind: a, weight: {start: 1, end: 0}\n  - {kind: b}\n",
            "2:5: this { is opened and never closed: add }",
        ),
        ("losses: [\n  {kind: a},\n  {kind: b}\nseeds: [0]\n", "1:9: this [ is opened and never closed: add ]"),
        ("seeds: [0, 1]]\nname: a\n", "1:14: this ] closes nothing: remove it"),
        ("seeds: [0, 1}\nname: a\n", "1:13: the [ in line 1, column 8 is closed by }: write ]"),
        ('name: "a\ndata: b\n', '1:7: this " is opened and never closed: add another at the end of the value'),
        ("name: 'a\ndata: b\n", "1:7: this ' is opened and never closed: add another at the end of the value"),
        (
            'name: "a" b\ndata: c\n',
            "1:11: text follows the closing quote: put all of the value into quotes; within '...' a ' is written twice",
        ),
        ("name: a\nname: b\n", "2:1: the key 'name' stands in line 1 already: keep one of them"),
        (
            "training:\n  iterations: 1\n  iterations: 2\n",
            "3:3: the key 'iterations' stands in line 2 already: keep one of them",
        ),
        ("name:a\ndata: b\n", "1:1: a blank is missing behind the colon: write name: a"),
        ("name:a\n", "1:1: a blank is missing behind the colon: write name: a"),
        (
            "training:\n  iterations:10\n  batch_size: 3\n",
            "2:3: a blank is missing behind the colon: write iterations: 10",
        ),
        ("data: {kind:ring, std: 2}\n", "1:8: a blank is missing behind the colon: write kind: ring"),
        (
            "data: {kind: ring std: 2}\n",
            "1:22: a comma is missing before the entry that stands here, or the { in column 7 is not closed",
        ),
        ("name = a\ndata: b\n", "1:1: write a colon, not =: name: a"),
        (
            "name: a\n- data: b\n",
            "2:1: a - begins an entry of a list, but keys are around it: remove it, or indent it below its key",
        ),
        ("losses:\n  -{kind: a}\n", "2:3: a blank is missing behind the -"),
        ("losses:\n  -kind: a\n  -kind: b\n", "3:3: a blank is missing behind the -"),
        (
            "losses:\n  kind: a\n  - kind: b\n",
            "3:3: a - begins an entry of a list, but keys are around it: remove it, or indent it below its key",
        ),
        (
            "losses:\n  - kind: a\n  kind: b\n",
            "3:3: a key stands where the list that begins in line 2 has its -: indent it, or end the list before",
        ),
        ("name: a: b\n", "1:8: a value with a colon and a blank needs quotes: name: 'a: b'"),
        (
            "description: a thing: with colon\n",
            "1:21: a value with a colon and a blank needs quotes: description: 'a thing: with colon'",
        ),
        ("name: @a\n", "1:7: a value cannot begin with @: put it into quotes, as '@a'"),
        ("path: *.csv\n", "1:7: nothing above is marked &.csv; a text that begins with * needs quotes: '*.csv'"),
        ("name: & a\n", "1:7: a text that begins with & needs quotes: '& a'"),
        ("name: !x a\n", "1:7: tags such as !x are not allowed: remove it"),
        (
            'path: "C:\\data\\new"\n',
            "1:11: within \"...\" a backslash begins an escape, and \\d is none: write '...' instead",
        ),
        (
            "name: a\n---\nname: b\n",
            "2:1: --- begins a second document, but a spec is one: remove the line, or write two files",
        ),
        ("name: a\x07\n", "1:8: the invisible character U+0007 stands here: remove it"),
        ("a: , b\n", "1:4: a value is missing before ,: write one, or put , into quotes"),
        ("name: |a\n", "1:8: the text behind | or > begins in the next line, indented"),
        (
            "data:\n\xa0\xa0kind: ring\n",
            "2:1: the line is indented by characters that only look like blanks: write blanks",
        ),
    ],
)
def test_a_slip_is_named_with_its_place_and_the_way_out(text: str, message: str) -> None:
    with pytest.raises(SpecError) as error:
        read(text, "a.yaml")
    assert str(error.value) == f"a.yaml:{message}"


@pytest.mark.parametrize(
    "text",
    [
        "a: {kind: python:mine}",
        "a: 12:30",
        "path: C:/data",
        "a: -1",
        "a: [x, -y]",
        "a: {b: }",
        "? a\n: b",
        "a: 'it''s: fine'",
        'a: "x\\ty"',
        "a: |\n  text: with colon\n  - and a dash\n",
        "a: &x 1\nb: *x",
        "# a comment\n\ta: b".replace("\t", ""),
    ],
)
def test_what_is_right_is_left_alone(text: str) -> None:
    assert read(text, "a.yaml").tree
