"""The names that an author of routes, laws, spaces or renderers uses; docs/words.md says how."""

from __future__ import annotations

from .errors import CodeError as CodeError
from .errors import Unsuitable as Unsuitable
from .estimate import Estimate as Estimate
from .estimate import Evidence as Evidence
from .estimate import quadrature as quadrature
from .estimate import weighted_sum as weighted_sum
from .evaluators import Outcomes as Outcomes
from .evaluators import Scene as Scene
from .evaluators import World as World
from .evaluators import evaluate as evaluate
from .expressions import Program as Program
from .expressions import values as values
from .judge import Judge as Judge
from .laws import Finite as Finite
from .laws import Gaussian as Gaussian
from .laws import Law as Law
from .measured import measure as measure
from .points import Points as Points
from .publish import read as read
from .quantities import Quantity as Quantity
from .report import Report as Report
from .rings import EXACT as EXACT
from .spaces import Space as Space
