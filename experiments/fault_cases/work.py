"""Cases in which work was lost, or a success was claimed that was none."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fault_cases._cases import CLI_SHORT, PLAN, SHORT, case, cells, cli_refused, command, finite, paretovi, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

KIND = "work"


def _file(folder: Path, adata: AnnData | None = None) -> Path:
    path = folder / "cells.h5ad"
    (cells() if adata is None else adata).write_h5ad(path)
    return path


def _interrupt(epoch: int) -> Any:
    from lightning.pytorch.callbacks import Callback

    class Interrupt(Callback):
        seen = 0

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            self.seen += 1
            if self.seen == epoch:
                raise KeyboardInterrupt

    return Interrupt()


def _interrupted(call: Callable[[], Any]) -> BaseException:
    try:
        call()
    except KeyboardInterrupt as error:
        return error
    raise AssertionError("not interrupted")


def _add_signals() -> None:
    for name, number in (("SIGTERM", 143), ("SIGINT", 130), ("SIGHUP", 129), ("SIGUSR1", 138), ("SIGXCPU", 152)):
        for when in ("training", "judging"):

            def run(folder: Path, name: str = name, number: int = number, when: str = when) -> None:
                path, out = _file(folder), folder / "out"
                epochs = "100000" if when == "training" else "2"
                arguments = ["fit", str(path), "--batch-key", "batch", *CLI_SHORT, "--max-epochs", epochs]
                arguments += ["--output", str(out)]
                script = (
                    "import signal, time, sys\n"
                    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
                    # Under nohup it would be ignored, and stay so.
                    "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
                    "import scpareto.front._train_front as t\n"
                    + ("" if when == "training" else "t.judge_run = lambda run: time.sleep(200)\n")
                    + "from scpareto.cli import app\n"
                    f"app({arguments!r})"
                )
                process = subprocess.Popen(
                    [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
                )
                waited = out / "checkpoints" / ("critics.pt" if when == "training" else "point_3.pt")
                deadline = time.monotonic() + 120
                while not waited.exists() and process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.05)
                time.sleep(0.5)
                process.send_signal(getattr(signal, name))
                try:
                    output, _ = process.communicate(timeout=60)
                finally:
                    process.kill()
                assert process.returncode == number, f"exit code {process.returncode}: {output[-300:]}"
                assert "--resume" in output, output[-300:]
                assert "Traceback" not in output, output[-300:]

            case(KIND, f"fit is ended by {name} while {when}")(run)


_add_signals()


def _add_interruptions() -> None:
    import scpareto as sp

    def default(epoch: int) -> Callable[[Path], None]:
        def run(folder: Path) -> None:
            model = paretovi(train=False)
            options = SHORT | {"max_epochs": 7, "max_epochs_pretrain": 2}
            _interrupted(lambda: model.train(**options, callbacks=[_interrupt(epoch)]))
            assert model.front is not None, "point 0 is lost"
            assert model.front.numbers[:1] == [0], "point 0 is lost"
            finite(model.get_latent_representation(), 120)
            model.save(folder / "m")
            again = sp.model.ParetoVI.load(folder / "m", cells())
            np.testing.assert_array_equal(again.get_latent_representation(), model.get_latent_representation())

        return run

    for epoch in (3, 5):
        case(KIND, f"the default method is interrupted in epoch {epoch}, the path has begun")(default(epoch))

    def too_early(folder: Path) -> None:
        model = paretovi(train=False)
        options = SHORT | {"max_epochs": 6, "max_epochs_pretrain": 5}
        _interrupted(lambda: model.train(**options, callbacks=[_interrupt(2)]))
        assert not model.is_trained_, "nothing is finished"
        assert model.front is None

    case(KIND, "the default method is interrupted in its shared start")(too_early)

    def plain(folder: Path) -> None:
        import scvi

        adata = cells()
        scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
        model = scvi.model.SCVI(adata, n_hidden=8, n_latent=3)
        options = SHORT | {"method": "scalarization"}
        error = _interrupted(lambda: sp.fit_front(model, **options, callbacks=[_interrupt(3)]))
        front = error.front  # type: ignore[attr-defined]
        assert front.numbers[:1] == [0]
        sp.apply_point(model, front, 0)

    case(KIND, "fit_front of a plain scVI is interrupted")(plain)

    def scinfovae(folder: Path, epoch: int, after: int) -> None:
        adata = cells()
        sp.model.ScInfoVAE.setup_anndata(adata)
        model = sp.model.ScInfoVAE(adata, n_clusters=2, n_hidden=[8], n_latent=2, seed=0)
        _interrupted(lambda: model.train(4, 4, tol=0, patience=None, progress=False, callbacks=[_interrupt(epoch)]))
        assert model.is_trained_, "what was pre-trained is lost"
        finite(model.get_latent_representation(), 120)
        assert not model.module.training
        history = model.history
        assert len(history["pretraining_total_train" if "pretraining_total_train" in history else next(iter(history))])
        model.save(folder / "m")
        again = sp.model.ScInfoVAE.load(folder / "m", cells())
        np.testing.assert_array_equal(again.get_latent_representation(), model.get_latent_representation())
        if after:
            assert len(model.clusters_) == 120

    for epoch, after in ((2, 0), (5, 1), (7, 1)):
        case(KIND, f"ScInfoVAE is interrupted in epoch {epoch} of 4 + 4")(
            lambda folder, epoch=epoch, after=after: scinfovae(folder, epoch, after)
        )

    def betatcvae(folder: Path) -> None:
        adata = cells()
        adata.X = adata.X.astype(np.float32) + 0.5 * (adata.X > 0)
        sp.model.BetaTCVAE.setup_anndata(adata)
        model = sp.model.BetaTCVAE(adata, n_latent=2, n_hidden=[8])
        _interrupted(lambda: model.train(5, progress=False, callbacks=[_interrupt(3)]))
        assert model.is_trained_
        finite(model.get_latent_representation(), 120)
        model.save(folder / "m")

    case(KIND, "BetaTCVAE is interrupted in epoch 3 of 5")(betatcvae)

    def michigan(folder: Path) -> None:
        adata = cells()
        adata.X = adata.X.astype(np.float32) + 0.5 * (adata.X > 0)
        adata.obsm["X_pca"] = np.random.default_rng(0).normal(size=(adata.n_obs, 2))
        sp.model.MichiGAN.setup_anndata(adata, code_key="X_pca")
        model = sp.model.MichiGAN(adata, n_hidden_generator=[8], n_hidden_critic=[8])

        def stop(number: int, record: Any) -> None:
            if number == 3:
                raise KeyboardInterrupt

        _interrupted(lambda: model.train(5, on_epoch=stop))
        assert model.is_trained_
        assert len(model.history) == 3
        finite(model.generate(adata.obsm["X_pca"]), 120)
        model.save(folder / "m")

    case(KIND, "MichiGAN is interrupted in epoch 3 of 5")(michigan)

    def again(folder: Path) -> None:
        model = paretovi()
        before = model.get_latent_representation()
        options = SHORT | {"max_epochs": 4, "max_epochs_pretrain": 3}
        _interrupted(lambda: model.train(**options, callbacks=[_interrupt(1)]))
        assert model.front is not None, "the previous front is lost"
        np.testing.assert_array_equal(model.get_latent_representation(), before)

    case(KIND, "a second training is interrupted in its shared start: the first front stays")(again)


_add_interruptions()


def _full_after(n_bytes: int) -> None:
    """No file of this process may grow beyond this size, as on a disk that is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, resource.RLIM_INFINITY))


def _enough() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _add_disks() -> None:
    import scpareto as sp

    def save_again(folder: Path) -> None:
        model = paretovi()
        model.save(folder / "m")
        before = (folder / "m" / "model.pt").read_bytes()
        model.select(0)
        _full_after(2000)
        try:
            model.save(folder / "m", overwrite=True)
        except (OSError, RuntimeError) as error:
            told = str(error)
        else:
            raise AssertionError("the disk was full")
        finally:
            _enough()
        assert (folder / "m" / "model.pt").read_bytes() == before, "the previous model is lost"
        assert [p.name for p in (folder / "m").iterdir()] == ["model.pt"], "something is left behind"
        assert [p.name for p in folder.iterdir()] == ["m"], "something is left behind"
        assert str(folder / "m") in told, told

    case(KIND, "a model is saved over another one on a full disk")(save_again)

    def save_new(folder: Path) -> None:
        model = paretovi()
        _full_after(2000)
        try:
            model.save(folder / "m")
        except (OSError, RuntimeError):
            pass
        else:
            raise AssertionError("the disk was full")
        finally:
            _enough()
        assert not (folder / "m").exists(), "half a model is left behind"
        model.save(folder / "m")

    case(KIND, "a model is saved on a full disk, and again on one that is not")(save_new)

    def save_killed(folder: Path) -> None:
        model = paretovi()
        model.save(folder / "m")
        import scpareto.model._saving as saving

        replace = saving.torch.save

        def stop(*args: Any, **kwargs: Any) -> None:
            replace(*args, **kwargs)
            raise KeyboardInterrupt

        saving.torch.save = stop
        _interrupted(lambda: model.save(folder / "m", overwrite=True))
        saving.torch.save = replace
        sp.model.ParetoVI.load(folder / "m", cells())

    case(KIND, "saving over another model is interrupted")(save_killed)

    def save_refused(folder: Path) -> None:
        model = paretovi()
        model.save(folder / "m", save_anndata=True)
        model.adata.uns["bad"] = object()
        try:
            model.save(folder / "m", overwrite=True, save_anndata=True)
        except Exception:  # noqa: BLE001 - whatever anndata says
            pass
        else:
            raise AssertionError("anndata wrote an object")
        assert sp.model.ParetoVI.load(folder / "m").is_trained_

    case(KIND, "anndata refuses to write what a model is saved with")(save_refused)

    def checkpoints(folder: Path) -> None:
        model = paretovi(train=False)
        limit = 60_000

        class Fill:
            done = False

        import scpareto.front._store as store

        put = store.ResultStore.put

        def full(self: Any, name: str, part: Any) -> None:
            if name != "pretraining" and not Fill.done:
                Fill.done = True
                _full_after(100)
            put(self, name, part)

        store.ResultStore.put = full
        try:
            model.train(**SHORT, method="scalarization", checkpoint_dir=folder / "c")
        except (OSError, RuntimeError) as error:
            told = str(error)
        else:
            raise AssertionError("the disk was full")
        finally:
            _enough()
            store.ResultStore.put = put
        assert "checkpoint" in told or str(folder / "c") in told, told
        assert limit
        assert not list((folder / "c").glob("*.tmp")), "half a part is left behind"
        model.train(**SHORT, method="scalarization", checkpoint_dir=folder / "c")

    case(KIND, "the disk of the checkpoints is full")(checkpoints)

    def cli_full(folder: Path) -> None:
        path = _file(folder)
        import scpareto.cli._commands as commands

        draw = commands.draw_results

        def full(*args: Any) -> None:
            draw(*args)
            _full_after(100)

        commands.draw_results = full
        result = command("fit", path, "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out")
        _enough()
        assert result.exit_code == 1, f"{result.exit_code} {result.exception!r}"
        assert "--resume" in result.output, result.output[-300:]
        assert "Traceback" not in result.output, result.output[-300:]
        assert sp.model.ParetoVI.load(folder / "out" / "model", cells()).front is not None
        assert not (folder / "out" / "adata.h5ad").exists(), "half a file is left behind"
        commands.draw_results = draw
        again = command("fit", path, "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out", "--resume")
        assert again.exit_code == 0, again.output[-300:]

    case(KIND, "the disk is full when fit writes the cells")(cli_full)


_add_disks()


def _add_outputs() -> None:
    import scpareto as sp

    def places(folder: Path) -> dict[str, Path]:
        (folder / "file").write_text("mine")
        return {"a file": folder / "file" / "out", "/proc": Path("/proc/out"), "a long name": folder / ("x" * 300)}

    for place in ("a file", "/proc", "a long name"):

        def fit(folder: Path, place: str = place) -> None:
            out = places(folder)[place]
            arguments = ["fit", _file(folder), "--batch-key", "batch", *CLI_SHORT, "--output", out]
            cli_refused(folder, out.name[:40], arguments=arguments)

        case(KIND, f"fit into a folder that cannot be made: {place}")(fit)

        def checkpoint(folder: Path, place: str = place) -> None:
            refused(lambda: paretovi(checkpoint_dir=places(folder)[place]), "checkpoint_dir")

        case(KIND, f"train with a checkpoint folder that cannot be made: {place}")(checkpoint)

        def explorer(folder: Path, place: str = place) -> None:
            model = paretovi()
            out = places(folder)[place] / "page.html"
            import scpareto.pl._explorer._cells as of_cells

            def late(*args: Any, **kwargs: Any) -> None:
                raise AssertionError("cells were embedded before the refusal")

            of_cells.embed = late
            refused(lambda: sp.pl.explorer(model.adata, model, out), "path")

        case(KIND, f"an explorer is written where nothing can be: {place}")(explorer)

    def checkpoint_file(folder: Path) -> None:
        (folder / "c").write_text("mine")
        refused(lambda: paretovi(checkpoint_dir=folder / "c"), "checkpoint_dir")

    case(KIND, "the checkpoint folder is a file")(checkpoint_file)

    def explore(folder: Path) -> None:
        path = _file(folder)
        result = command("fit", path, "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out")
        assert result.exit_code == 0
        arguments = ["explore", folder / "out", "--output", folder / "absent" / "page.html"]
        cli_refused(folder, "absent", arguments=arguments)

    case(KIND, "explore into a folder that is not there")(explore)


_add_outputs()


def _add_splits() -> None:
    for n_test in (0, 1, 2, 4):

        def split(folder: Path, n_test: int = n_test) -> None:
            order = np.random.default_rng(0).permutation(120)
            parts = (order[: 100 - n_test], order[100:120], order[100 - n_test : 100])
            refused(lambda: paretovi(split=parts), "test")

        case(KIND, f"a split with {n_test} test cells")(split)

    def one_validation(folder: Path) -> None:
        order = np.random.default_rng(0).permutation(120)
        refused(lambda: paretovi(split=(order[:60], order[60:61], order[61:])), "validation")

    case(KIND, "a split with 1 validation cell")(one_validation)

    for n_cells in (7, 9, 12, 20, 30):

        def few(folder: Path, n_cells: int = n_cells) -> None:
            adata = cells(n_cells)
            try:
                model = paretovi(adata)
            except ValueError:
                refused(lambda: paretovi(adata), "cells")
                return
            finite(model.get_latent_representation(), n_cells)
            model.front.explain()

        case(KIND, f"{n_cells} cells in all")(few)


_add_splits()


def _add_names() -> None:
    import scpareto as sp

    def slash(folder: Path) -> None:
        adata = cells()
        adata.obs["donor/site"] = np.where(np.arange(120) % 3, "x", "y")
        model = paretovi(adata, setup={"nuisance_keys": ["donor/site"]}, objective_kwargs={"target": "donor/site"})
        model.audit(progress=False)
        model.adata.obs.rename(columns={"donor/site": "donor"}, inplace=True)
        model.adata.write_h5ad(folder / "a.h5ad")

    case(KIND, "cells can be written after training on a column with a slash")(slash)

    def file(folder: Path, spoil: Callable[[AnnData], None], *words: str) -> None:
        adata = cells()
        path = _file(folder, adata)
        import scpareto.cli._commands as commands

        read = commands.read_h5ad

        def spoilt(path: Path) -> AnnData:
            found = read(path)
            spoil(found)
            return found

        commands.read_h5ad = spoilt
        arguments = ["fit", path, "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out"]
        cli_refused(folder, *words, arguments=arguments)

    def mixed(adata: AnnData) -> None:
        adata.obs["odd"] = [1 if i % 2 else "a" for i in range(adata.n_obs)]

    def thing(adata: AnnData) -> None:
        adata.uns["odd"] = object()

    def index(adata: AnnData) -> None:
        adata.obs["_index"] = 1

    for name, spoil in (("a column of mixed types", mixed), ("an object in uns", thing), ("a column _index", index)):
        case(KIND, f"fit cells with {name}, which anndata does not write")(
            lambda folder, spoil=spoil: file(folder, spoil, "odd" if spoil is not index else "_index")
        )

    def numbers(folder: Path) -> None:
        adata = cells()
        adata.obs["plate"] = (np.arange(120) % 3).astype(float)
        model = paretovi(adata, setup={"nuisance_keys": ["plate"]})
        model.adata.write_h5ad(folder / "a.h5ad")
        model.save(folder / "m", save_anndata=True)
        sp.model.ParetoVI.load(folder / "m")

    case(KIND, "cells and model are written after training with a number as nuisance")(numbers)


_add_names()


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _add_overwrites() -> None:
    import scpareto as sp

    def judged(folder: Path) -> tuple[list[Any], Path]:
        adata = cells(300, 60)
        adata.obsm["X_a"] = np.asarray(adata.X[:, :8].todense())
        out = folder / "out"
        arguments = ["judge", _file(folder, adata), "--use-rep", "X_a", "--batch-key", "batch", "--output", out]
        result = command(*arguments)
        assert result.exit_code == 0, result.output[-300:]
        return arguments, out

    def stays(folder: Path, ends: Callable[[], None], codes: tuple[int, ...]) -> None:
        arguments, out = judged(folder)
        before = _tree(out)
        import scpareto.cli._judge_report as report

        def ended(*args: Any) -> None:
            ends()

        write = report.write_report
        report.write_report = ended
        result = command(*arguments, "--overwrite")
        _enough()
        assert result.exit_code in codes, f"{result.exit_code} {result.output[-300:]}"
        assert "Traceback" not in result.output
        assert before.items() <= _tree(out).items(), "the earlier results are lost"
        report.write_report = write
        assert command(*arguments, "--overwrite").exit_code == 0
        assert _tree(out).keys() == before.keys()

    def interrupt() -> None:
        raise KeyboardInterrupt

    def full() -> None:
        raise OSError(28, "No space left on device")

    def end() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    for name, ends, codes in (("interrupted", interrupt, (130,)), ("full disk", full, (1,)), ("SIGTERM", end, (143,))):
        case(KIND, f"judge --overwrite ends early, the earlier results stay: {name}")(
            lambda folder, ends=ends, codes=codes: stays(folder, ends, codes)
        )

    def refusal(folder: Path) -> None:
        arguments, out = judged(folder)
        before = _tree(out)
        cli_refused(folder, "X_no", arguments=[*arguments, "--use-rep", "X_no", "--overwrite"])
        assert _tree(out) == before, "the earlier results are lost"

    case(KIND, "judge --overwrite with an absent embedding, the earlier results stay")(refusal)

    def fitted(folder: Path) -> tuple[list[Any], Path]:
        out = folder / "out"
        arguments = ["fit", _file(folder), "--batch-key", "batch", *CLI_SHORT, "--output", out]
        assert command(*arguments).exit_code == 0
        return arguments, out

    def of_fit(folder: Path) -> None:
        _, out = fitted(folder)
        before = _tree(out)
        arguments = ["judge", out / "adata.h5ad", "--use-rep", "X_paretovi", "--batch-key", "batch", "--output", out]
        cli_refused(folder, str(out.name), arguments=[*arguments, "--overwrite"])
        assert _tree(out) == before, "the front is lost"

    case(KIND, "judge --overwrite into the folder of a fit, whose cells it reads")(of_fit)

    def own_data(folder: Path) -> None:
        arguments, out = fitted(folder)
        before = _tree(out)
        cli_refused(folder, str(out.name), arguments=[arguments[0], out / "adata.h5ad", *arguments[2:], "--overwrite"])
        assert _tree(out) == before, "the data are lost"

    case(KIND, "fit --overwrite of cells that lie in the output folder")(own_data)

    def fit_again(folder: Path) -> None:
        arguments, out = fitted(folder)
        before = _tree(out)
        train = sp.model.ParetoVI.train
        interrupted = _interrupt(2)
        sp.model.ParetoVI.train = lambda self, **options: train(self, **options, callbacks=[interrupted])
        result = command(*arguments, "--seed", "1", "--overwrite")
        assert result.exit_code == 130, result.output[-300:]
        assert before.items() <= _tree(out).items(), "the earlier front is lost"
        sp.model.ParetoVI.load(out / "model", cells())
        sp.model.ParetoVI.train = train
        again = command(*arguments, "--seed", "1", "--resume")
        assert again.exit_code == 0, again.output[-300:]
        assert sorted(_tree(out)) == sorted(before)
        assert _tree(out)["front.csv"] != before["front.csv"]

    case(KIND, "fit --overwrite is interrupted, the earlier front stays; --resume goes on")(fit_again)


_add_overwrites()


@case(KIND, "a resumed run whose settings are half written says so")
def _half_settings(folder: Path) -> None:
    model = paretovi(train=False)
    model.train(**SHORT, checkpoint_dir=folder / "c")
    (folder / "c" / "settings.json").write_text('{"seed": ')
    refused(lambda: model.train(**SHORT, checkpoint_dir=folder / "c"), "settings.json")


@case(KIND, "a run record that is half written is said")
def _half_record(folder: Path) -> None:
    out = folder / "out"
    out.mkdir()
    (out / "run.json").write_text('{"arguments": ')
    arguments = ["fit", _file(folder), "--batch-key", "batch", *CLI_SHORT, "--output", out, "--resume"]
    cli_refused(folder, "run.json", arguments=arguments)


@case(KIND, "a training that diverges says so in a sentence")
def _diverged(folder: Path) -> None:
    model = paretovi(train=False)
    refused(lambda: model.train(**SHORT | {"plan_kwargs": PLAN | {"lr": 1e30}}), "lower", kinds=(RuntimeError,))


@case(KIND, "an audit of a full disk leaves the model in place")
def _audit(folder: Path) -> None:
    import scpareto as sp

    out = folder / "out"
    assert command("fit", _file(folder), "--batch-key", "batch", *CLI_SHORT, "--output", out).exit_code == 0
    before = (out / "front.csv").read_bytes(), (out / "model" / "model.pt").read_bytes()
    _full_after(2000)
    result = command("audit", out)
    _enough()
    assert result.exit_code == 1, f"{result.exit_code}: {result.output[-300:]} {result.exception!r}"
    assert (out / "model" / "model.pt").read_bytes() == before[1], "the model is lost"
    assert (out / "front.csv").read_bytes() == before[0], "the table is lost"
    assert os.path.exists(out / "adata.h5ad")
    sp.model.ParetoVI.load(out / "model", cells())
