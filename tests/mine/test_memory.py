"""What memory there is, and errors that say that there is none: one line, with what to do."""

import resource

import pytest
import torch

from mine import memory


def test_of_the_machine_there_is_some_and_no_more_is_free_than_there_is():
    found = memory.of_this_process()
    assert 0 < found.free <= found.most


@pytest.fixture
def limited():
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, before[1]))
    yield 1 << 40
    resource.setrlimit(resource.RLIMIT_AS, before)


def test_a_limit_of_the_process_counts(limited, monkeypatch):
    monkeypatch.setattr(memory, "_of_machine", lambda: memory.Memory(1e15, 1e15))
    monkeypatch.setattr(memory, "_of_containers", lambda: ())
    found = memory.of_this_process()
    assert found.most == limited and found.free < limited - 1e8  # what torch takes is used


def test_a_container_has_a_limit_in_either_version_of_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    assert not list(memory._of_containers())
    (tmp_path / "memory.max").write_text("max\n")
    assert not list(memory._of_containers())
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("7000\n")
    assert [of.most for of in memory._of_containers()] == [5000, 7000]


def test_a_limit_below_what_the_libraries_take_is_refused(monkeypatch):
    memory.check_limit()
    monkeypatch.setattr(memory, "_limit", lambda: 4e8)
    with pytest.raises(MemoryError, match=r"expected a limit of at least 2.1 GB .* raise it"):
        memory.check_limit()


def test_what_torch_says_becomes_one_line():
    """Was '[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: ...'."""
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 60, dtype=torch.uint8, device="cpu")
    assert memory.is_lack(raised.value)
    line = memory.lack(raised.value)
    assert line.startswith("out of memory: 1.15e+09 GB at once could not be allocated: lower")
    assert memory.lack(RuntimeError(line)) == line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of memory: more could not be allocated: lower batch_size"),
        (OSError(12, "Cannot allocate memory"), "more could not be allocated"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "ulimit -v"),
        (RuntimeError("CUDA out of memory. Tried to allocate 9 GiB"), "CUDA out of memory"),
    ],
)
def test_other_ways_to_say_so(error, said):
    assert memory.is_lack(error) and said in memory.lack(error)


def test_other_errors_are_none():
    assert not memory.is_lack(ImportError("No module named 'x'"))
    assert not memory.is_lack(ValueError("expected a whole csv file, got 'memory.csv'"))
