"""What is written beside and renamed replaces files, and nothing else."""

import os

import pytest

from yt8m_audio.errors import UserError
from yt8m_audio.run_directory import written_beside


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), written_beside(path) as partial:
        partial.with_name("nowhere").joinpath("ne").write_text("ne")
    assert path.read_text() == "old"
    with written_beside(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_pipe_or_a_device_stays_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe is there and is no file"), written_beside(tmp_path / "pipe"):
        pass
    assert (tmp_path / "pipe").is_fifo()
