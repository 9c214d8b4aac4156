import pytest

from signalpost_bench.python_build import Build, build


@pytest.mark.parametrize(
    ("configured_with", "prefix", "found"),
    [
        ("'--enable-shared' '--enable-optimizations' '--with-lto'", "/usr/local", Build.OPTIMIZED),
        ("'--enable-shared' '--with-computed-gotos'", "/usr", Build.OF_THE_SYSTEM),
        ("'--prefix=/home/a/.pyenv/versions/3.11.7'", "/home/a/.pyenv/versions/3.11.7", Build.PLAIN),
        ("", "/opt/python", Build.PLAIN),
    ],
)
def test_a_python_without_optimizations_is_told_from_one_with_them(
    configured_with: str, prefix: str, found: Build
) -> None:
    assert build(configured_with, prefix) == found
