"""What `seq2see models` prints: every architecture, its size as counted by hand, whatever options are given."""

from __future__ import annotations

import pytest

from seq2see.commands.ladder import VOCABULARY, print_ladder
from seq2see.errors import ConfigError
from seq2see.model import ARCHITECTURES, ModelOptions

NEEDS = {"gnmt": 4, "residual": 3, "stacked": 2}


def listed(capsys, **options):
    print_ladder(ModelOptions(**options))
    *table, sizes = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: (int(line.split()[-2]), int(line.split()[-1].replace(",", ""))) for line in table[1:]}
    assert list(rows) == list(ARCHITECTURES)
    assert all(
        architecture.summary in line for architecture, line in zip(ARCHITECTURES.values(), table[1:], strict=True)
    )
    return rows, sizes


def transformer_by_hand(width, layers, inner, *, tables):
    look = 4 * (width * width + width)
    forward = width * inner + inner + inner * width + width
    norm = 2 * width
    reading = look + forward + 2 * norm
    writing = 2 * look + forward + 3 * norm
    return layers * (reading + writing) + 2 * norm + tables * VOCABULARY * width + VOCABULARY


def lstm_by_hand(width, reads):
    return 4 * width * (reads + width + 1)


def test_the_sizes_are_those_counted_by_hand(capsys):
    rows, sizes = listed(capsys)
    tables, output = 2 * VOCABULARY * 128, VOCABULARY * (256 + 1)
    assert rows["plain"] == (1, 2 * lstm_by_hand(256, 128) + tables + output)
    assert rows["bidirectional"] == (
        1,
        2 * lstm_by_hand(128, 128) + lstm_by_hand(256, 128) + 256 * (512 + 1) + tables + output,
    )
    assert rows["transformer"] == (4, transformer_by_hand(256, 4, 1024, tables=2))
    assert {name: rows[name][0] for name in NEEDS} == NEEDS
    assert sizes.startswith(f"width 256, embedding 128 (in Transformers 256), {VOCABULARY} tokens a side")


def test_other_sizes_and_tied_tables(capsys):
    rows, sizes = listed(capsys, heads=8, layers=6, tie="all")
    assert rows["transformer"] == (6, transformer_by_hand(256, 6, 1024, tables=1))
    assert rows["plain"] == (6, 12 * lstm_by_hand(256, 256) + VOCABULARY * (256 + 1))
    assert {layers for layers, _ in rows.values()} == {6}
    assert sizes.startswith(f"width 256, embedding as the output layer needs it, {VOCABULARY} tokens")
    rows, sizes = listed(capsys, width=64, embedding=32, feed_forward=100)
    assert rows["transformer"] == (4, transformer_by_hand(64, 4, 100, tables=2))
    assert sizes.startswith("width 64, embedding 32 (in Transformers 64)")


@pytest.mark.parametrize(
    "options",
    [
        {"positions": "learned", "max_positions": 9},
        {"max_positions": 9},
        {"positions": "rotary", "norm": "post", "activation": "swiglu"},
        {"direction": "backward"},
        {"direction": "both", "merge": "sum", "width": 12},
        {"merge": "mean"},
        {"score": "additive", "layers": 1},
        {"tie": "target"},
        {"tie": "none"},
        {"heads": 1, "width": 15, "merge": "sum"},
        {"dropout": 0.0},
    ],
    ids=str,
)
def test_each_row_takes_what_it_has_a_use_for(options, capsys):
    listed(capsys, **options)


def test_what_fits_no_row_is_said():
    with pytest.raises(ConfigError, match="heads"):
        print_ladder(ModelOptions(heads=7))
    with pytest.raises(ConfigError, match="must be even"):
        print_ladder(ModelOptions(width=15, heads=3))
