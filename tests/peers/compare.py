"""Run scvi-tools' own tests of a model, as they are and with a model of scpareto in its place: ``make test-peers``.

The tests are those of the source distribution of the installed version, which pip fetches; nothing of it is kept in the
repository. A test that passes with theirs and not with ours is a deviation: those with a reason are in ``DEVIATIONS``
and in the user guide, any other makes this script fail.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "build" / "peers"
FILES = {
    "ParetoVI": "tests/model/test_scvi.py",
    "SCANVI": "tests/model/test_scanvi.py",
    "TOTALVI": "tests/model/test_totalvi.py",
    "PEAKVI": "tests/model/test_peakvi.py",
}
"""What stands in, and the file of tests that it is tried with."""
DEVIATIONS: dict[str, dict[str, str]] = {
    "ParetoVI": {
        "test_saving_and_loading": "files of scvi-tools before 0.15 are pickles, which are not opened",
        "test_scvi_n_obs_error": "train_size=1 leaves no cells to judge points on",
        "test_scvi_no_anndata": "makes a model of nothing, whose network comes to be in train",
        "test_scvi_no_anndata_with_external_indices": "the same",
        "test_scvi_log_on_step": "losses are recorded once an epoch",
    },
    "SCANVI": {
        "test_scanvi": "reads model.history, which fit_front leaves empty: losses are in front.metadata['history']",
        "test_scanvi_with_external_indices": "the same",
        "test_scanvi_scarches_from_scvi": "fit_front does not balance labels within an epoch (n_samples_per_label)",
    },
    "PEAKVI": {
        "test_peakvi_online_update": "weight_decay is an argument of PEAKVI.train alone; fit_front takes plan_kwargs",
    },
}
"""Why a test is not passed, by its name without parameters."""


def fetched() -> Path:
    """Return the folder of scvi-tools' source distribution, fetched by pip where it is not there yet."""
    name = f"scvi_tools-{version('scvi-tools')}"
    if not (FOLDER / name).is_dir():
        FOLDER.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "scvi-tools"]
        subprocess.run([*pip, "--dest", FOLDER, f"scvi-tools=={version('scvi-tools')}"], check=True)
        with tarfile.open(FOLDER / f"{name}.tar.gz") as archive:
            archive.extractall(FOLDER, filter="data")
    return FOLDER / name


def outcomes(folder: Path, tests: str, model: str | None, further: list[str]) -> dict[str, str]:
    """Run a file of tests; return the outcome of each."""
    report = FOLDER / f"{model or 'theirs'}-{Path(tests).stem}.json"
    report.unlink(missing_ok=True)
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PEERS_REPORT": str(report)}
    if model is not None:
        environment["PEERS_MODEL"] = model
    command = [sys.executable, "-m", "pytest", tests, "-q", "-p", "in_their_place", "-p", "no:cacheprovider"]
    subprocess.run([*command, "--tb=short", *further], cwd=folder, env=environment, check=False)
    if not report.exists():
        raise SystemExit(f"{tests} could not be run; see above.")
    return json.loads(report.read_text())


def compare(model: str, tests: str, further: list[str]) -> bool:
    """Run the tests twice and print what differs; say whether every deviation has a reason."""
    folder = fetched()
    theirs, ours = outcomes(folder, tests, None, further), outcomes(folder, tests, model, further)
    passed = [name for name, outcome in theirs.items() if outcome == "passed"]
    deviating = [name for name in passed if ours.get(name) != "passed"]
    print(f"\n{tests} of scvi-tools {version('scvi-tools')}: {len(passed)} pass as they are,")
    print(f"{len(passed) - len(deviating)} of these with {model}.")
    unknown = 0
    for name in deviating:
        test = name.rpartition("::")[2]
        reason = DEVIATIONS.get(model, {}).get(test.partition("[")[0])
        unknown += reason is None
        print(f"  {test}: {reason or 'NOT EXPECTED: ' + ours.get(name, 'not run')}")
    for known in DEVIATIONS.get(model, {}):
        if not further and known not in {name.rpartition("::")[2].partition("[")[0] for name in deviating}:
            print(f"  {known}: listed as a deviation, and passes")
    return not unknown


def main() -> int:
    """Read the arguments, which go to pytest but for the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=sorted(FILES), action="append", help="what stands in; all unless given")
    arguments, further = parser.parse_known_args()
    good = [compare(model, FILES[model], further) for model in arguments.model or FILES]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
