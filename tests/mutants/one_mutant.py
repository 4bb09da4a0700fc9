"""A pytest plugin for the tests of one mutant: properties with few examples, always the same ones, within bounds.

A mutant may run for ever, or eat memory for ever, also after whoever started it was interrupted.
"""

import faulthandler
import os
import resource

from hypothesis import Phase, settings

PROFILE = "mutants"
SECONDS = "MUTANT_SECONDS"
MOST_BYTES = 6 * 1024**3

settings.register_profile(
    PROFILE, max_examples=30, derandomize=True, database=None, deadline=None, phases=(Phase.explicit, Phase.generate)
)
if SECONDS in os.environ:
    faulthandler.dump_traceback_later(float(os.environ[SECONDS]), exit=True)
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
