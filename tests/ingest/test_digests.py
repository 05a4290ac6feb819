"""Which digests stand more than once is found in shares of any size, as it would be in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.digests import digests_in

DIGEST = st.one_of(st.integers(0, 20), st.integers(0, 2**64 - 1))


@settings(deadline=None)
@given(blocks=st.lists(st.lists(DIGEST, max_size=30), max_size=6), share=st.integers(1, 40))
def test_repeated_digests_are_found_in_shares_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[list[int]], share: int
) -> None:
    every = [digest for block in blocks for digest in block]
    with digests_in(Path(tmp_path_factory.getbasetemp())) as digests:
        for block in blocks:
            digests.add(np.array(block, np.uint64))
        repeated = digests.repeated(share).tolist()
    assert sorted(repeated) == sorted({one for one in every if every.count(one) > 1})
