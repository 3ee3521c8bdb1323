"""Settings for every test."""

import os

from hypothesis import settings

# No deadline: the first call of a function may compile it. In CI each run draws the same examples,
# so a failure there is one that a developer can repeat. `make nightly` draws others every time,
# twenty times as many (tests/transform/test_fuzz.py reads the profile's number).
settings.register_profile("gradarg", deadline=None, derandomize="CI" in os.environ)
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gradarg"))
