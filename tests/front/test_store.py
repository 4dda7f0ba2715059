from __future__ import annotations

import pickle
import shutil

import pytest
import torch

from scpareto.front._store import ResultStore

SETTINGS = {"seed": 1, "method": "pareto_mtl", "recipe": {"lr": 1e-3}, "preferences": ((0.5, 0.5), (0.2, 0.8))}


def part(value=1.0):
    return {"row": {"point": 0, "loss": 0.1 + 0.2}, "module": {"w": torch.full((2,), value)}, "history": {"a": [1.5]}}


def test_parts_come_back_bit_for_bit(tmp_path):
    ResultStore(SETTINGS, tmp_path / "a" / "b").put("point_0", part())
    found = ResultStore(SETTINGS, tmp_path / "a" / "b").get("point_0")
    assert found["row"] == part()["row"]
    assert found["history"] == part()["history"]
    assert torch.equal(found["module"]["w"], part()["module"]["w"])
    assert ResultStore(SETTINGS, tmp_path / "a" / "b").get("point_1") is None


def test_without_a_folder_parts_stay_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = ResultStore(SETTINGS)
    store.put("point_0", part())
    assert store.get("point_0")["row"]["point"] == 0
    assert store.get("point_1") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("earlier", [None, 1.0])
def test_an_interrupted_write_leaves_the_old_part_or_none(tmp_path, monkeypatch, earlier):
    if earlier is not None:
        ResultStore(SETTINGS, tmp_path).put("point_0", part(earlier))
    save = torch.save

    def interrupted(obj, file):
        save(obj, file)
        with open(file, "r+b") as written:
            written.truncate(40)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ResultStore(SETTINGS, tmp_path).put("point_0", part(2.0))
    found = ResultStore(SETTINGS, tmp_path).get("point_0")
    if earlier is None:
        assert found is None
    else:
        assert float(found["module"]["w"][0]) == earlier
    ResultStore(SETTINGS, tmp_path).put("point_0", part(3.0))
    assert float(ResultStore(SETTINGS, tmp_path).get("point_0")["module"]["w"][0]) == 3.0


def test_interrupted_settings_do_not_claim_the_folder(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("os.replace", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ResultStore(SETTINGS, tmp_path)
    ResultStore(SETTINGS | {"seed": 2}, tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 2}, "seed was 1, now 2"),
        ({"recipe": {"lr": 1.0}}, r"\(recipe.lr was 0.001, now 1.0\)"),
        ({"recipe": None}, r"recipe was \{'lr': 0.001\}, now None"),
        ({"extra": True}, "extra was None, now True"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path, changed, message):
    ResultStore(SETTINGS, tmp_path).put("point_0", part())
    with pytest.raises(ValueError, match=message) as error:
        ResultStore(SETTINGS | changed, tmp_path)
    assert "method was" not in str(error.value)
    # The folder still belongs to the first run; what JSON turns into a list is no difference.
    ResultStore(SETTINGS | {"preferences": [[0.5, 0.5], [0.2, 0.8]]}, tmp_path)


def test_what_changes_by_rounding_only_is_warned_of(tmp_path):
    ResultStore(SETTINGS, tmp_path, noted={"threads": 1, "versions": {"torch": "2.4"}}).put("point_0", part())
    with pytest.warns(UserWarning, match="threads was 1, now 2.*may differ by rounding"):
        store = ResultStore(SETTINGS, tmp_path, noted={"threads": 2, "versions": {"torch": "2.4"}})
    assert store.get("point_0") is not None


def test_parts_of_nobody_knows_which_run_are_refused(tmp_path):
    ResultStore(SETTINGS, tmp_path).put("point_0", part())
    (tmp_path / "settings.json").unlink()
    with pytest.raises(ValueError, match=r"holds point_0\.pt without settings\.json"):
        ResultStore(SETTINGS, tmp_path)


@pytest.mark.parametrize("length", [0, 40, -40])
def test_a_damaged_part_is_named_and_made_again(tmp_path, caplog, length):
    ResultStore(SETTINGS, tmp_path).put("point_0", part())
    file = tmp_path / "point_0.pt"
    file.write_bytes(file.read_bytes()[:length])
    store = ResultStore(SETTINGS, tmp_path)
    with caplog.at_level("WARNING", "scpareto"):
        assert store.get("point_0") is None
    assert "point_0.pt is damaged and is made again" in caplog.text
    store.put("point_0", part(2.0))
    assert float(ResultStore(SETTINGS, tmp_path).get("point_0")["module"]["w"][0]) == 2.0


def test_a_copy_of_another_part_is_no_part(tmp_path, caplog):
    ResultStore(SETTINGS, tmp_path).put("point_0", part())
    shutil.copy(tmp_path / "point_0.pt", tmp_path / "point_3.pt")
    store = ResultStore(SETTINGS, tmp_path)
    with caplog.at_level("WARNING", "scpareto"):
        assert store.get("point_3") is None
    assert "point_3.pt is damaged and is made again (it is a copy of point_0.pt)" in caplog.text
    assert store.get("point_0") is not None


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "3", '{"noted": 3}'])
def test_settings_that_are_none_are_refused_by_name(tmp_path, text):
    ResultStore(SETTINGS, tmp_path)
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(ValueError, match=r"settings.json is damaged"):
        ResultStore(SETTINGS, tmp_path)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def torch_save(obj, path):
    torch.save(obj, path)


def legacy_save(obj, path):
    torch.save(obj, path, _use_new_zipfile_serialization=False)


def bare_pickle(obj, path):
    path.write_bytes(pickle.dumps(obj, protocol=2))


@pytest.mark.parametrize("write", [torch_save, legacy_save, bare_pickle])
def test_a_malicious_part_is_refused_and_does_not_run(tmp_path, write):
    proof = tmp_path / "ran"
    ResultStore(SETTINGS, tmp_path / "store")
    write({"row": Malicious(proof)}, tmp_path / "store" / "point_0.pt")
    store = ResultStore(SETTINGS, tmp_path / "store")
    if write is torch_save:
        with pytest.raises(ValueError, match=r"point_0.pt holds more than tensors and plain types"):
            store.get("point_0")
    else:
        assert store.get("point_0") is None, "parts are not written in this way"
    assert not proof.exists()
    # The same file does run where it is trusted.
    if write is bare_pickle:
        pickle.loads((tmp_path / "store" / "point_0.pt").read_bytes())
    else:
        torch.load(tmp_path / "store" / "point_0.pt", weights_only=False)
    assert proof.exists()


def test_of_several_processes_only_the_first_writes(tmp_path, monkeypatch):
    first = ResultStore(SETTINGS, tmp_path / "together")
    monkeypatch.setattr("lightning.pytorch.utilities.rank_zero.rank_zero_only.rank", 1)
    alone, second = (ResultStore(SETTINGS, tmp_path / name) for name in ("alone", "together"))
    for store in (alone, second):
        store.put("point_0", part(1.0))
        assert store.get("point_0")["module"]["w"].tolist() == [1, 1], "in memory"
    assert list((tmp_path / "alone").iterdir()) == []
    assert [path.name for path in (tmp_path / "together").iterdir()] == ["settings.json"]
    with pytest.raises(ValueError, match="seed was 1, now 2"):
        ResultStore(SETTINGS | {"seed": 2}, tmp_path / "together")
    monkeypatch.undo()
    first.put("point_1", part(2.0))
    assert second.get("point_1") is None, "what it finds early it would not wait for"
    assert ResultStore(SETTINGS, tmp_path / "together").get("point_1")["module"]["w"].tolist() == [2, 2]
