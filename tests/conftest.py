"""Settings for every test."""

import os

from hypothesis import settings

# No deadline: the first call of a function may compile it. In CI each run draws the same examples,
# so a failure there is one that a developer can repeat.
settings.register_profile("gradarg", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("gradarg")
