"""Tests of processes look only at their own."""

import gc

import pytest

from ..processes import ignore_running


@pytest.fixture(autouse=True)
def earlier_processes_do_not_count():
    gc.collect()
    ignore_running()
