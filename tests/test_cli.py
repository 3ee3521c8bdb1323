"""The command `gradarg`, as a user runs it."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gradarg as ga
from gradarg import nn, train
from gradarg.cli import main

FILES = ["curves.png", "digits.png", "graph.dot", "graph.txt", "metrics.csv", "weights.safetensors"]


def table(folder):
    with open(folder / "metrics.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What one short run wrote."""
    out = tmp_path_factory.mktemp("run") / "new" / "digits"
    assert main(["train", "digits", "--epochs", "2", "--seed", "3", "--out", str(out)]) == 0
    return out


def test_a_run_writes_all_its_files(folder):
    assert sorted(path.name for path in folder.iterdir()) == FILES
    for name in ("curves.png", "digits.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_the_weights_are_those_of_the_network(folder):
    run = train.train_digits(epochs=2, seed=3)
    state, loaded = run.model.state_dict(), train.load_weights(folder / "weights.safetensors")
    assert sorted(loaded) == sorted(state)
    for name, value in state.items():
        np.testing.assert_array_equal(loaded[name], value)
    assert table(folder)[-1]["test_accuracy"] == f"{run.history[-1].test_accuracy:.6f}"
    again = nn.Sequential(nn.Flatten(), *list(train.train_digits(epochs=1).model)[1:])
    again.load_state_dict(loaded)
    seen = again(run.data.test_images).value.argmax(axis=1)
    assert np.mean(seen == run.data.test_labels) == run.history[-1].test_accuracy


def test_the_metrics(folder):
    rows = table(folder)
    assert list(rows[0]) == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "test_loss",
        "test_accuracy",
        "seconds",
    ]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["train_loss"]) < float(rows[0]["train_loss"])
    assert 0 < float(rows[0]["seconds"]) < float(rows[1]["seconds"])
    assert all(0 < float(row["test_accuracy"]) < 1 for row in rows)


def test_the_graph(folder):
    text = (folder / "graph.txt").read_text(encoding="utf-8")
    assert "inputs: images, 1.weight, 1.bias" in text
    assert text.count("matmul(") == 3 and text.count("relu(") == 2
    drawing = (folder / "graph.dot").read_text(encoding="utf-8")
    assert drawing.startswith('digraph "perceptron" {') and drawing.rstrip().endswith("}")
    assert drawing.count('[label="matmul') == 3 and '"5.bias\\n' in drawing


def test_equal_seeds_give_equal_numbers_and_others_do_not(folder, tmp_path, capsys):
    def numbers(seed):
        main(["train", "digits", "--epochs", "2", "--seed", str(seed), "--out", str(tmp_path)])
        return [{**row, "seconds": ""} for row in table(tmp_path)]

    expected = [{**row, "seconds": ""} for row in table(folder)]
    assert numbers(3) == expected != numbers(4)
    assert (folder / "weights.safetensors").read_bytes() != (
        tmp_path / "weights.safetensors"
    ).read_bytes()


def test_the_summary_names_accuracy_and_folder_and_nothing_flickers(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "digits", "--epochs", "1"]) == 0
    out, err = capsys.readouterr()
    (row,) = table(Path("runs/digits"))
    assert out.startswith("Test accuracy ") and f"{float(row['test_accuracy']):.2%} from one" in out
    assert f"Written to {Path('runs', 'digits')}: curves.png" in out
    assert err == ""  # no progress bar where nobody watches


def test_a_few_epochs_teach_most_digits():
    run = train.train_digits(epochs=8)
    last = run.history[-1]
    assert last.test_accuracy > 0.85 and last.test_loss < 0.6
    assert np.mean(run.predictions == run.data.test_labels) > 0.85


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "mnist"], "there is no data set 'mnist'; known: digits"),
        (["train"], "dataset"),
        (["train", "digits", "--epochs", "0"], "expected a whole number, 1 or more, not '0'"),
        (["train", "digits", "--epochs", "many"], "not 'many'"),
        (["train", "digits", "--seed", "-1"], "expected a whole number, 0 or more, not '-1'"),
        (["train", "digits", "--sead", "1"], "unrecognized arguments: --sead 1"),
        (["learn"], "invalid choice: 'learn'"),
    ],
)
def test_wrong_options_exit_with_2_and_say_why(arguments, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as caught:
        main(["train", "digits", "--out", str(tmp_path / "file")])
    assert caught.value.code == 2
    assert f"cannot make the folder {tmp_path / 'file'}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "name"), [("sklearn", "scikit-learn"), ("matplotlib", "matplotlib")]
)
def test_missing_libraries_are_named_before_the_work_starts(
    module, name, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["train", "digits", "--out", str(tmp_path / "new")]) == 1
    error = capsys.readouterr().err
    assert name in error and 'pip install "gradarg[train,sklearn]"' in error
    assert not (tmp_path / "new").exists()


def test_an_interrupt_is_no_traceback(tmp_path, capsys, monkeypatch):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train_digits", interrupted)
    assert main(["train", "digits", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err.strip() == "gradarg train: interrupted"


def test_python_m_gradarg():
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "gradarg", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    done = run("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"gradarg {ga.__version__}")
    done = run()
    assert done.returncode == 0 and "train" in done.stdout
    assert run("train", "nothing").returncode == 2
