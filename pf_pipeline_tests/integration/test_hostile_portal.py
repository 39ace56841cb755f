"""Whatever the portal does, the same leads end in the archive and in the CRM.

Three days a seed here; ``python -m pf_pipeline_tests.integration.hostile`` takes a month of each.
"""

import pytest

from pf_pipeline.settings import Dialect
from pf_pipeline_tests.integration.hostile import compare, days_of


@pytest.mark.parametrize(("seed", "dialect"), [(1, "guide"), (2, "atlas"), (3, "guide")])
def test_a_hostile_portal_leaves_what_a_calm_one_leaves(seed: int, dialect: Dialect) -> None:
    calm, hostile = compare(seed, days_of(3), 150, dialect)
    assert hostile.faults > 2
    assert calm.faults == 0
    assert sum(map(len, calm.archived.values())) > 400
    assert hostile.archived == calm.archived
    assert hostile.crm == calm.crm
    assert (calm.incomplete, hostile.incomplete) == (0, 0)
    assert (calm.response_link_hits, hostile.response_link_hits) == (0, 0)
