from __future__ import annotations

import os
import subprocess
import sys

import pytest
from rich.console import Console

from scpareto._runtime import _progress
from scpareto._runtime._progress import FrontProgress


def test_epochs_that_a_stage_did_not_need_are_counted_when_the_next_begins():
    with FrontProgress(9, show=False) as progress:
        task = progress._bar.tasks[0]
        seen = []
        progress.stage("pretraining", 4)
        for _ in range(2):
            progress.epoch()
            seen.append(task.completed)
        progress.stage("point 1", 5)
        seen.append(task.completed)
        progress.epoch()
        progress.say("judging point 1")
        assert task.description == "judging point 1"
        seen.append(task.completed)
        progress.done()
        seen.append(task.completed)
    assert seen == [1, 2, 4, 5, 9]
    assert task.total == 9


def test_nothing_is_drawn_where_nobody_looks(capfd):
    with FrontProgress(3, show=False) as progress:
        progress.stage("pretraining", 3)
        progress.epoch()
    assert capfd.readouterr() == ("", "")


def test_a_log_file_gets_a_line_for_each_stage(tmp_path):
    script = """
from scpareto._runtime._progress import FrontProgress
with FrontProgress(5) as progress:
    progress.stage("pretraining", 3)
    progress.epoch()
    progress.stage("point 1", 2)
    progress.epoch()
    progress.say("judging point 1")
    progress.done()
"""
    with (tmp_path / "log.txt").open("w") as log:
        subprocess.run([sys.executable, "-c", script], stdout=log, check=True, env=os.environ | {"TERM": "xterm"})
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [line.split("  ")[1].strip() for line in lines] == ["pretraining", "point 1", "judging point 1", "done"]
    assert [line.split("  ")[-1].strip() for line in lines] == [f"{n} of 5 epochs" for n in (0, 3, 4, 5)]
    assert "\x1b" not in "".join(lines), "no commands for terminals"


def test_in_a_terminal_there_is_a_bar(monkeypatch, capfd):
    monkeypatch.setattr(_progress, "Console", lambda: Console(force_terminal=True, width=120))
    with FrontProgress(3) as progress:
        progress.stage("pretraining", 3)
        progress.epoch()
        progress._bar.refresh()
    text = capfd.readouterr().out
    assert "pretraining" in text
    assert "0:00:00  pretraining" not in text, "no lines on top"


@pytest.mark.parametrize(("in_notebook", "bar", "lines"), [(True, True, False), (False, False, True)])
def test_a_notebook_has_a_bar_and_no_lines(monkeypatch, in_notebook, bar, lines):
    console = Console(force_jupyter=in_notebook, force_terminal=False)
    monkeypatch.setattr(_progress, "Console", lambda: console)
    monkeypatch.setattr(_progress, "find_spec", lambda name: name)
    progress = FrontProgress(3)
    assert (not progress._bar.disable, progress._writes_lines) == (bar, lines)
    assert progress._bar.console is console


def test_judging_moves_the_bar_and_is_no_epoch():
    with FrontProgress(10, show=False, judging=0.5) as progress:
        task = progress._bar.tasks[0]
        assert task.total == 15
        progress.stage("all preferences", 10)
        for _ in range(10):
            progress.epoch()
        with progress.judge("judging the path", 0.4):
            assert (task.description, task.completed) == ("judging the path", 10)
        assert (task.completed, task.fields["counted"]) == (12, "10 of 10 epochs")
        progress.extend(10)
        assert task.total == 25, "judging is not repeated for further epochs"
        progress.done()
    assert task.completed == 15


def test_a_notebook_without_widgets_has_one_output_that_is_updated(tmp_path):
    import nbclient
    import nbformat

    cells = [
        "import importlib.util as util; found = util.find_spec\n"
        "util.find_spec = lambda name, *a: None if name == 'ipywidgets' else found(name, *a)",
        "import time\nfrom scpareto._runtime._progress import FrontProgress\n"
        "with FrontProgress(6, judging=0.5) as progress:\n"
        "    progress.stage('pretraining', 6)\n"
        "    for _ in range(6):\n"
        "        progress.epoch(); time.sleep(0.2)\n"
        "    with progress.judge('judging all points', 1.0):\n"
        "        time.sleep(0.6)\n"
        "    progress.done()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    messages = []
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    kept = client.process_message
    client.process_message = lambda message, *rest: (messages.append(message["msg_type"]), kept(message, *rest))[1]
    client.execute()
    (output,) = notebook.cells[1].outputs
    assert output.output_type == "display_data"
    assert output.data["text/plain"].split() == "0:00:01 done 100 % 6 of 6 epochs".split()
    assert messages.count("update_display_data") >= 2
