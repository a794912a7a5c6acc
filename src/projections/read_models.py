"""Read models: all that projectors keep up to date with the log, one projector group."""

from projections.projection import Projection
from projections.question_bank import QuestionBank
from projections.students import STUDENTS

READ_MODELS: tuple[Projection, ...] = (*STUDENTS, QuestionBank())
"""Every projection of the group, in the order in which a transaction writes them."""
