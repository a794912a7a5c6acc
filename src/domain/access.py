"""Access: who may see and do what; everything not said here is refused."""

from uuid import UUID

from domain.user import User


def may_record_progress(actor_id: UUID, student_id: UUID) -> bool:
    """Tell whether this person may report practice of that student: only students themselves."""
    return actor_id == student_id


def may_follow(viewer: User, student_id: UUID) -> bool:
    """Tell whether this person may read that student's progress or profile: themselves and their guardians."""
    return viewer.id == student_id or student_id in viewer.children


def may_unlink(viewer: User, student_id: UUID) -> bool:
    """Tell whether this person may end guardianships of that student: the student's guardians."""
    return student_id in viewer.children
