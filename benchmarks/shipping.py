"""What it takes to run a packed model: with the base install alone, and with torch beside it.

    python benchmarks/shipping.py model.seq2see ["september 27, 1994"] [--folder /tmp/shipping]

Makes two fresh virtual environments from this checkout, `pip install .` and `pip install ".[train]"`, and in each, in
processes of their own, measures: the size of what was installed (without pip and setuptools, which are there before),
the number of packages, the seconds to import seq2see, to load the model and to answer one text for the first and for
the hundredth time, and the peak memory. Seconds and memory are medians of five.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TRIED = """
import json, resource, sys, time
began = time.perf_counter()
import seq2see
seq2see.load
imported = time.perf_counter()
model = seq2see.load(sys.argv[1], engine=sys.argv[3])
loaded = time.perf_counter()
text = model.predict(sys.argv[2])[0].text
answered = time.perf_counter()
for _ in range(100):
    model.predict(sys.argv[2])
again = (time.perf_counter() - answered) / 100
print(json.dumps({
    "import": imported - began, "load": loaded - imported, "first": answered - loaded, "again": again,
    "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "text": text, "torch": "torch" in sys.modules,
}))
"""
COLUMNS = {
    "import": "import, s",
    "load": "load, s",
    "first": "first answer, s",
    "again": "an answer, ms",
    "memory": "MB",
}


def environment(folder: Path, extra: str) -> Path:
    """A fresh virtual environment with Seq2See in it; what it holds is kept for the next time."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        command = [str(python), "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), f"{ROOT}{extra}"]
        subprocess.run(command, check=True)
    return python


def installed(python: Path) -> tuple[float, int]:
    """MB and packages beside pip and setuptools."""
    told = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True, check=True).stdout
    packages = {package["name"].lower() for package in json.loads(told)} - {"pip", "setuptools"}
    context = next((python.parent.parent / "lib").glob("python*/site-packages"))
    files = [
        path
        for path in context.rglob("*")
        if path.is_file()
        and not path.relative_to(context).parts[0].startswith(("pip", "setuptools", "_distutils", "pkg_"))
    ]
    return sum(path.stat().st_size for path in files) / 1e6, len(packages)


def measure(python: Path, model: Path, text: str, engine: str) -> dict[str, float | str]:
    """Medians of five processes."""
    runs = []
    for _ in range(5):
        command = [python, "-c", TRIED, str(model.absolute()), text, engine]
        told = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
        runs.append(json.loads(told))
    assert all(run["torch"] == (engine == "torch") for run in runs)
    return {key: statistics.median(run[key] for run in runs) for key in COLUMNS} | {"text": runs[0]["text"]}


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("text", nargs="?", default="september 27, 1994")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/shipping"))
    arguments = parser.parse_args()
    print("| install | engine | MB installed | packages |", " | ".join(COLUMNS.values()), "| answer |")
    print("|---|---|---|---|" + "---|" * (len(COLUMNS) + 1))
    for extra, engines in (("", ["numpy"]), ("[train]", ["numpy", "torch"])):
        python = environment(arguments.folder / (extra.strip("[]") or "base"), extra)
        size, packages = installed(python)
        for engine in engines:
            found = measure(python, arguments.model, arguments.text, engine)
            found["again"] = 1000 * float(found["again"])
            cells = [f"{float(found[key]):.{1 if key == 'again' else 0 if key == 'memory' else 2}f}" for key in COLUMNS]
            start = f"| `seq2see{extra}` | {engine} | {size:.0f} | {packages} | "
            print(start + " | ".join(cells) + f" | {found['text']} |", flush=True)


if __name__ == "__main__":
    main()
