"""The results pages say what was measured, and that the rest is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "render_results.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("render_results", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_mean_and_deviation_by_dataset_and_method(script, tmp_path):
    source, target = tmp_path / "results", tmp_path / "pages"
    source.mkdir()
    (source / "first.csv").write_text("dataset,method,seed,volume,leak\na,x,0,1,0.2\na,x,1,2,\nb,y,0,3,\n")
    (page,) = script.render(source, target)
    rows = [line for line in page.read_text().splitlines() if line.startswith("|")]
    assert rows[0] == "| dataset | method | seeds | volume | leak |"
    assert rows[2:] == [
        "| a | x | 2 | 1.5 ± 0.7071 | 0.2 |",
        "| a | y | missing | missing | missing |",
        "| b | x | missing | missing | missing |",
        "| b | y | 1 | 3 | missing |",
    ]


def test_settings_are_never_averaged_together(script, tmp_path):
    (tmp_path / "first.csv").write_text("setting,dataset,method,seed,volume\nsmall,a,x,0,1\nfull,a,x,0,3\n")
    (page,) = script.render(tmp_path, tmp_path / "pages")
    assert "| small | a | x | 1 | 1 |" in page.read_text()
    assert "| full | a | x | 1 | 3 |" in page.read_text()


def test_the_page_of_a_removed_table_goes_and_the_index_stays(script, tmp_path):
    target = tmp_path / "pages"
    target.mkdir()
    (target / "gone.md").write_text("old")
    (target / "index.md").write_text("by hand")
    (page,) = script.render(tmp_path, target)
    assert "Nothing measured yet" in page.read_text()
    assert not (target / "gone.md").exists()
    assert (target / "index.md").read_text() == "by hand"


def test_further_keys_split_the_rows(script, tmp_path):
    (tmp_path / "first.csv").write_text(
        "dataset,on,weight,seed,leak\na,mean,1,0,0.2\na,mean,1,1,0.4\na,sample,10,0,1\n"
    )
    (page,) = script.render(tmp_path, tmp_path / "pages")
    text = page.read_text()
    assert "| dataset | on | weight | seeds | leak |" in text
    assert "| a | mean | 1 | 2 | 0.3 ± 0.1414 |" in text
    assert "| a | sample | 10 | 1 | 1 |" in text


def test_a_table_without_seeds_is_shown_as_it_is(script, tmp_path):
    (tmp_path / "claims.csv").write_text("claim,value,holds\norder,0.25,True\nshare,,False\n")
    (page,) = script.render(tmp_path, tmp_path / "pages")
    assert "| order | 0.25 | True |" in page.read_text()
    assert "| share | missing | False |" in page.read_text()


def test_a_part_of_a_table_names_the_script_that_writes_it(script, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "judge.py").touch()
    for name in ("judge_a", "other_a"):
        (tmp_path / "results" / f"{name}.csv").write_text("dataset,method,truth,seed,v\na,x,1,0,1\na,x,2,0,3\n")
    judge, other = script.render(tmp_path / "results", tmp_path / "pages")
    assert "`experiments/judge.py` writes" in judge.read_text()
    assert "`experiments/other_a.py` writes" in other.read_text()
    assert "| a | x | 2 | 1 | 3 |" in judge.read_text()
