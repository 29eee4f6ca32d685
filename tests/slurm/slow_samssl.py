"""samssl, with a pause of $PAUSE_S seconds before each step of a training."""

import os
import time

from samssl_cli.__main__ import main
from samssl_cli.stages.signals import StopRequest

PAUSE_S = float(os.environ["PAUSE_S"])


def is_set_after_a_pause(self: StopRequest) -> bool:
    """What `StopRequest.is_set` gives; the loop of a training asks once per step."""
    time.sleep(PAUSE_S)
    return self.signum is not None


if __name__ == "__main__":
    StopRequest.is_set = property(is_set_after_a_pause)  # type: ignore[method-assign, assignment]  # for this test
    main()
