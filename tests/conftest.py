"""What every test runs under: its own cache folder, and no GPU test where there is no GPU."""

import ctypes
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Times vary by machine; pytest's own limit catches what hangs. CI tries the same examples every time.
settings.register_profile("rammer-ir", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("rammer-ir")


@pytest.fixture(scope="session", autouse=True)
def _own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps the tests away from the user's cache folder, and from what earlier runs left there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAMMER_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


def _gpu_count() -> int:
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked `device` where there is no GPU."""
    marked = [item for item in items if item.get_closest_marker("device") is not None]
    if marked and _gpu_count() == 0:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no GPU"))
