"""Files are written whole or not at all."""

from __future__ import annotations

import pytest

from scpareto._runtime import check_folder, folder_written_whole, written_whole


def tree(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("no")])
def test_what_was_there_stays_where_writing_fails(tmp_path, error):
    (tmp_path / "table.csv").write_text("before")
    with pytest.raises(type(error)), written_whole(tmp_path / "table.csv") as file:  # noqa: PT012
        file.write_text("half")
        raise error
    with pytest.raises(type(error)), folder_written_whole(tmp_path) as folder:  # noqa: PT012
        (folder / "table.csv").write_text("half")
        raise error
    with pytest.raises(type(error)), folder_written_whole(tmp_path / "new") as folder:
        raise error
    assert tree(tmp_path) == {"table.csv": "before"}
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_whole_files_take_the_place(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("mine")
    (tmp_path / "model" / "model.pt").write_text("before")
    with folder_written_whole(tmp_path / "model") as folder:
        (folder / "model.pt").write_text("after")
    with written_whole(tmp_path / "table.csv") as file:
        file.write_text("after")
    assert tree(tmp_path) == {"model/notes.txt": "mine", "model/model.pt": "after", "table.csv": "after"}


def test_a_failure_names_the_file_in_one_line(tmp_path):
    with pytest.raises(OSError, match=r"table.csv could not be written \(one\)"), written_whole(tmp_path / "table.csv"):
        raise RuntimeError("one\ntwo")


def test_folders_that_cannot_be_written_to_are_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "new" / ("x" * 300)):
        with pytest.raises(ValueError, match="^output='.* is no folder that can be written to"):
            check_folder("output", folder)
    assert tree(tmp_path) == {"file": "mine"}
    assert not (tmp_path / "new").exists()
    assert check_folder("output", tmp_path / "a" / "b").is_dir()
    assert not any((tmp_path / "a" / "b").iterdir())
