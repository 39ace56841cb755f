"""Bodies of every kind; the long run is ``...receiver.hostile``."""

from pf_pipeline_tests.receiver.hostile import Ending, deliver_all
from pf_pipeline_tests.receiver.running import Receiver


def test_whatever_is_signed_is_accounted_for(receiver: Receiver) -> None:
    ending = deliver_all(receiver, 300, seed=3)
    assert ending.problems == []
    assert min(ending.loaded, ending.rejected, ending.repeats, ending.statuses[413]) > 0


def test_what_is_not_accounted_for_is_found() -> None:
    sound = {"acknowledged": 5, "stored": 4, "repeats": 1, "records": 4}
    good = Ending({202: 5}, **sound, loaded=2, duplicate=1, rejected=1, set_aside=0)
    assert good.problems == []
    bad = Ending({500: 1}, **sound | {"stored": 5}, loaded=1, duplicate=1, rejected=1, set_aside=1)
    assert len(bad.problems) == 4
