"""The cost of running a packed model: with the base install, and with torch.

    python benchmarks/shipping.py model.seq2see ["september 27, 1994"] [--folder /tmp/shipping]

Creates two virtual environments from this checkout, with `pip install .` and `pip install ".[train]"`, and measures in
each, in separate processes: the size and number of the installed packages (without pip and setuptools), the seconds to
import seq2see and load the model, the seconds of the first prediction and of a later one (mean of 100), and the peak
memory. Seconds and memory are medians of five.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCRIPT = """
import json, resource, sys, time
began = time.perf_counter()
import seq2see
seq2see.load
imported = time.perf_counter()
model = seq2see.load(sys.argv[1], engine=sys.argv[3])
loaded = time.perf_counter()
text = model.predict(sys.argv[2])[0].text
predicted = time.perf_counter()
for _ in range(100):
    model.predict(sys.argv[2])
again = (time.perf_counter() - predicted) / 100
print(json.dumps({
    "import": imported - began, "load": loaded - imported, "first": predicted - loaded, "again": again,
    "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "text": text, "torch": "torch" in sys.modules,
}))
"""
COLUMNS = {
    "import": "import, s",
    "load": "load, s",
    "first": "first prediction, s",
    "again": "later prediction, ms",
    "memory": "MB",
}


def environment(folder: Path, extra: str) -> Path:
    """A virtual environment with Seq2See, reused if it exists."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        command = [str(python), "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), f"{ROOT}{extra}"]
        subprocess.run(command, check=True)
    return python


def installed(python: Path) -> tuple[float, int]:
    """Megabytes and number of packages, without pip and setuptools."""
    output = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True, check=True).stdout
    packages = {package["name"].lower() for package in json.loads(output)} - {"pip", "setuptools"}
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
        command = [python, "-c", SCRIPT, str(model.absolute()), text, engine]
        output = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
        runs.append(json.loads(output))
    assert all(run["torch"] == (engine == "torch") for run in runs)
    return {key: statistics.median(run[key] for run in runs) for key in COLUMNS} | {"text": runs[0]["text"]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("text", nargs="?", default="september 27, 1994")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/shipping"))
    arguments = parser.parse_args()
    print("| install | engine | MB installed | packages |", " | ".join(COLUMNS.values()), "| prediction |")
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
