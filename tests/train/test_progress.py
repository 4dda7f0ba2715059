from __future__ import annotations

from scpareto.train._progress import FrontProgress


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
        progress.stage("done", 0)
        seen.append(task.completed)
    assert seen == [1, 2, 4, 5, 9]
    assert task.total == 9


def test_nothing_is_drawn_where_nobody_looks(capfd):
    with FrontProgress(3, show=False) as progress:
        progress.stage("pretraining", 3)
        progress.epoch()
    assert capfd.readouterr() == ("", "")
    with FrontProgress(3) as progress:
        progress.stage("pretraining", 3)
    assert "pretraining" in capfd.readouterr().out
