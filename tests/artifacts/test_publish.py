import os
from pathlib import Path

import pytest

from mtkd.artifacts import clear_old, publish, recover, refuse_links, write_file
from mtkd.errors import RunDirError


def folder(path: Path, content: str) -> Path:
    (path / "inner").mkdir(parents=True)
    (path / "a").write_text(content, "utf-8")
    (path / "inner" / "b").write_text(content, "utf-8")
    return path


def content(path: Path) -> str | None:
    """What a folder made by `folder` holds; None for none; an error for a part of one."""
    if not path.exists():
        return None
    if path.is_file():
        return path.read_text("utf-8")
    one, other = (path / "a").read_text("utf-8"), (path / "inner" / "b").read_text("utf-8")
    assert one == other
    return one


def fail_at(monkeypatch: pytest.MonkeyPatch, name: str, call: int) -> None:
    """Let the call number `call` (from 0) of os.`name` fail, as when the process is killed."""
    real, calls = getattr(os, name), iter(range(100))

    def sometimes(*args: object, **kwargs: object) -> object:
        if next(calls) == call:
            raise OSError("killed")
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, sometimes)


def test_what_is_published_stands_in_its_place_and_nothing_beside_it(tmp_path):
    publish(folder(tmp_path / ".partial" / "x", "new"), tmp_path / "deep" / "x")
    assert content(tmp_path / "deep" / "x") == "new"
    publish(folder(tmp_path / ".partial" / "x", "newer"), tmp_path / "deep" / "x")
    assert content(tmp_path / "deep" / "x") == "newer"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["x"]
    assert not (tmp_path / ".partial" / "x").exists()


def test_files_of_the_old_folder_do_not_shine_through(tmp_path):
    folder(tmp_path / "x", "old")
    (tmp_path / "x" / "stale").touch()
    publish(folder(tmp_path / "staged", "new"), tmp_path / "x")
    assert not (tmp_path / "x" / "stale").exists()


@pytest.mark.parametrize("old", [None, "old"])
@pytest.mark.parametrize("name", ["replace", "fsync"])
@pytest.mark.parametrize("call", range(6))
def test_killed_anywhere_a_folder_is_whole_or_absent(old, name, call, tmp_path, monkeypatch):
    place = tmp_path / "x"
    if old:
        folder(place, old)
    staged = folder(tmp_path / "staged", "new")
    with monkeypatch.context() as patch:
        fail_at(patch, name, call)
        try:
            publish(staged, place)
        except OSError:
            assert content(place) in {old, None, "new"}
        else:
            assert content(place) == "new"
    recover(place)
    assert content(place) == "new" or content(place) == old  # never neither
    if content(place) != "new":  # the same again goes through
        publish(staged, place)
    assert content(place) == "new"


@pytest.mark.parametrize("call", range(2))
def test_killed_anywhere_a_file_is_the_old_or_the_new_one(call, tmp_path, monkeypatch):
    (tmp_path / "x").write_text("old", "utf-8")
    (tmp_path / "staged").write_text("new", "utf-8")
    with monkeypatch.context() as patch:
        fail_at(patch, "replace", call)
        if call == 0:
            with pytest.raises(OSError, match="killed"):
                publish(tmp_path / "staged", tmp_path / "x")
        else:  # a file goes over a file at one stroke
            publish(tmp_path / "staged", tmp_path / "x")
    assert content(tmp_path / "x") == ("old" if call == 0 else "new")


def test_a_folder_can_replace_a_file_and_a_file_a_folder(tmp_path):
    (tmp_path / "x").write_text("file", "utf-8")
    publish(folder(tmp_path / "staged", "folder"), tmp_path / "x")
    assert content(tmp_path / "x") == "folder"
    (tmp_path / "staged").write_text("file", "utf-8")
    publish(tmp_path / "staged", tmp_path / "x")
    assert content(tmp_path / "x") == "file"


def test_the_old_one_is_kept_until_a_new_one_is_there(tmp_path, monkeypatch):
    """Killed between the two renames, then killed again there: the old one is still to be had."""
    place = folder(tmp_path / "x", "old")
    for _ in range(2):
        with monkeypatch.context() as patch:
            fail_at(patch, "replace", 1 if place.exists() else 0)
            with pytest.raises(OSError, match="killed"):
                publish(folder(tmp_path / f"staged{len(list(tmp_path.iterdir()))}", "new"), place)
    assert not place.exists()
    recover(place)
    assert content(place) == "old"


def test_recover_leaves_what_is_in_place(tmp_path):
    folder(tmp_path / "x", "new")
    folder(tmp_path / ".x.old", "old")
    recover(tmp_path / "x")
    assert content(tmp_path / "x") == "new"
    recover(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "f"
    write_file(path, b"old")
    with monkeypatch.context() as patch:
        fail_at(patch, "replace", 0)
        with pytest.raises(OSError, match="killed"):
            write_file(path, b"new")
    assert path.read_bytes() == b"old"
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in path.parent.iterdir()] == ["f"]


def test_a_link_inside_that_leads_out_is_refused(tmp_path):
    """What is written and deleted there would be somebody else's."""
    (tmp_path / "elsewhere" / "student").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".partial").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunDirError, match=r"run/\.partial: is a link"):
        refuse_links(tmp_path / "run", ".partial/student")
    refuse_links(tmp_path / "run", "student")
    (tmp_path / "linked").symlink_to(tmp_path / "run")  # a run on a larger disk
    refuse_links(tmp_path / "linked", "student")


def test_a_small_file_is_not_written_through_a_link(tmp_path):
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / ".f.partial").symlink_to(tmp_path / "precious")
    write_file(tmp_path / "f", b"ours")
    assert (tmp_path / "precious").read_bytes() == b"mine"
    assert (tmp_path / "f").read_bytes() == b"ours"


def test_what_stood_there_is_swept_up_after_a_stop(tmp_path):
    folder(tmp_path / "x", "new")
    folder(tmp_path / ".x.old", "old")
    clear_old(tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    (tmp_path / "x").rename(tmp_path / ".x.old")
    clear_old(tmp_path / "x")  # the only one there is
    recover(tmp_path / "x")
    assert (tmp_path / "x" / "a").read_text() == "new"


def test_a_link_that_is_replaced_leaves_what_it_leads_to(tmp_path):
    folder(tmp_path / "elsewhere", "theirs")
    (tmp_path / "x").symlink_to(tmp_path / "elsewhere")
    publish(folder(tmp_path / "staged", "ours"), tmp_path / "x")
    assert (tmp_path / "x" / "a").read_text() == "ours"
    assert (tmp_path / "elsewhere" / "a").read_text() == "theirs"


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """What is flushed to the disk and what is renamed, in their order."""
    found: list[tuple[str, Path]] = []
    fsync, replace = os.fsync, os.replace

    def flushed(descriptor: int) -> None:
        found.append(("flush", Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def renamed(source: Path, target: Path) -> None:
        found.append(("rename", Path(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    return found


def test_all_is_on_the_disk_before_it_has_its_name_and_the_name_after(tmp_path, order):
    staged, place = folder(tmp_path / "staged", "new"), tmp_path / "deep" / "er" / "x"
    publish(staged, place)
    renamed = order.index(("rename", place))
    inside = {staged, staged / "a", staged / "inner", staged / "inner" / "b"}
    assert inside <= {path for what, path in order[:renamed] if what == "flush"}
    assert ("flush", place.parent) in order[renamed:]
    # the folders made on the way have names, too
    assert {tmp_path, tmp_path / "deep"} <= {path for what, path in order if what == "flush"}


def test_a_small_file_is_on_the_disk_before_it_has_its_name(tmp_path, order):
    write_file(tmp_path / "deep" / "x.json", b"{}")
    assert order[-3:] == [
        ("flush", tmp_path / "deep" / ".x.json.partial"),
        ("rename", tmp_path / "deep" / "x.json"),
        ("flush", tmp_path / "deep"),
    ]
