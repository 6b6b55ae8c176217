"""When a run is asked to stop: by signals, once or twice, or because who started it is gone."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from seq2see.run import signals as stopping
from seq2see.run.signals import stop_on_signal


def test_one_signal_asks_and_a_second_ends() -> None:
    said: list[str] = []
    with stop_on_signal(said.append) as stop:
        assert not stop()
        signal.raise_signal(signal.SIGTERM)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert said == ["stopping after this update; repeat to stop at once"]


def test_a_message_that_could_not_be_printed_at_once_comes_later() -> None:
    """The signal may come while a line is being written."""
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 1:
            raise RuntimeError("reentrant call")

    with stop_on_signal(say) as stop:
        assert not stop()
        signal.raise_signal(signal.SIGTERM)
        assert stop()
        assert stop()
    assert said == ["stopping after this update; repeat to stop at once"] * 2


def test_a_signal_before_the_first_update_ends_at_once() -> None:
    """Importing what an optimizer needs can take long, and there is nothing to save."""
    said: list[str] = []
    with stop_on_signal(said.append), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert said == []


def test_what_a_launcher_passes_on_is_the_same_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with stop_on_signal(said.append, is_launched=True) as stop:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert stop()
        monkeypatch.setattr(stopping, "SAME_SIGNAL_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert len(said) == 1


@pytest.mark.parametrize("is_launched", [False, True])
def test_who_was_launched_stops_when_the_launcher_is_gone(is_launched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the background of a terminal that is closed, on the other hand, training continues."""
    with stop_on_signal(print, is_launched=is_launched) as stop:
        assert not stop()
        monkeypatch.setattr(os, "getppid", lambda: 1)
        assert stop() == is_launched


def test_a_launcher_may_be_gone_before_training_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 1)
    with stop_on_signal(print, is_launched=True) as stop:
        assert stop()
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as in a fork, whose parent is not that of this process
    with stop_on_signal(print, is_launched=True) as stop:
        assert not stop()


def test_signals_are_not_handled_in_a_thread() -> None:
    heard: list[bool] = []

    def inside() -> None:
        with stop_on_signal(print) as stop:
            heard.append(stop())

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert heard == [False]
