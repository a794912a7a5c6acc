"""Students: the read models that touch rows of one person only, one projector group."""

from projections.assessment_results import AssessmentResults
from projections.progress_records import ProgressRecords
from projections.progress_summary import ProgressSummaries
from projections.projection import Projection
from projections.user_profile import UserProfiles

STUDENTS: tuple[Projection, ...] = (UserProfiles(), ProgressRecords(), AssessmentResults(), ProgressSummaries())
"""Every projection of the group, in the order in which a transaction writes them."""
