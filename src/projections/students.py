"""Students: the read models whose rows are each about one person."""

from projections.assessment_results import AssessmentResults
from projections.progress_records import ProgressRecords
from projections.progress_summary import ProgressSummaries
from projections.projection import Projection
from projections.user_profile import UserProfiles

STUDENTS: tuple[Projection, ...] = (UserProfiles(), ProgressRecords(), AssessmentResults(), ProgressSummaries())
"""In the order in which a transaction writes them."""
