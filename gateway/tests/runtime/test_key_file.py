"""Key files: no other user reads them, and none exchanges them."""

import os
import stat
from pathlib import Path

import pytest

from signalpost.runtime import key_file
from signalpost.runtime.key_file import NotPrivate


def test_a_new_key_is_read_by_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        key_file.write(tmp_path / "key", "secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert key_file.read(tmp_path / "key") == "secret"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_file_that_was_prepared_for_the_key_does_not_get_it(tmp_path: Path) -> None:
    trap = tmp_path / "key.new"
    trap.touch(mode=0o666)
    with trap.open() as open_elsewhere:
        key_file.write(tmp_path / "key", "secret")
        assert open_elsewhere.read() == ""
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_key_is_written_through_no_link(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("kept")
    (tmp_path / "key.new").symlink_to(target)
    key_file.write(tmp_path / "key", "secret")
    assert target.read_text() == "kept"
    assert not (tmp_path / "key").is_symlink()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_key_that_others_can_read_or_change_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    key_file.write(tmp_path / "key", "secret")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(NotPrivate, match=f"chmod 600 {tmp_path / 'key'}"):
        key_file.read(tmp_path / "key")


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_in_a_folder_that_others_can_write_no_key_is_written_or_read(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    key_file.write(folder / "key", "secret")
    folder.chmod(mode)
    for refused in (lambda: key_file.read(folder / "key"), lambda: key_file.write(folder / "another", "secret")):
        with pytest.raises(NotPrivate, match=f"chmod go-w {folder}"):
            refused()
    assert not (folder / "another").exists()


def test_in_a_folder_with_the_sticky_bit_a_key_is_the_folder_owner_s_or_ours(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    key_file.write(folder / "key", "secret")
    assert key_file.read(folder / "key") == "secret"
    if os.geteuid() == 0:
        os.chown(folder / "key", 12345, 12345)
        with pytest.raises(NotPrivate, match="belongs to another user"):
            key_file.read(folder / "key")


def test_a_link_in_the_place_of_a_key_is_refused(tmp_path: Path) -> None:
    key_file.write(tmp_path / "elsewhere", "secret")
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotPrivate, match="symbolic link"):
        key_file.read(tmp_path / "key")


def test_a_key_that_the_operator_named_may_be_a_link_as_in_containers(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir(mode=0o700)
    key_file.write(tmp_path / "..data" / "key", "secret")
    (tmp_path / "key").symlink_to(Path("..data") / "key")
    assert key_file.read_elsewhere(tmp_path / "key") == "secret"
    (tmp_path / "..data" / "key").chmod(0o644)
    with pytest.raises(NotPrivate):
        key_file.read_elsewhere(tmp_path / "key")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_may_let_a_group_read_the_key_that_the_operator_named(tmp_path: Path) -> None:
    key_file.write(tmp_path / "key", "secret")
    (tmp_path / "key").chmod(0o640)
    assert key_file.read_elsewhere(tmp_path / "key") == "secret"
    os.chown(tmp_path / "key", 12345, 12345)
    with pytest.raises(NotPrivate):
        key_file.read_elsewhere(tmp_path / "key")
