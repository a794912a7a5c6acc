"""What the fault journeys hold true explains itself when it does not."""

import pytest

pytest.register_assert_rewrite("tests.faults.verdict")
