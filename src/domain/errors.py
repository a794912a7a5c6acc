"""Errors: every refusal and every outage by name; the docstring is the message, facts travel as keywords.

AfterschoolError
├── Refused                      the rules say no; nothing was recorded
│   ├── InvalidValue             a field breaks its rule
│   ├── NotAllowed               this person may not do this
│   ├── ConsentRequired          nobody who may has allowed that this is recorded
│   ├── ConsentEnded             the consent was withdrawn before
│   ├── PairingCodeRefused       the code is unknown, used or too old
│   ├── GuardianAlready          the code is good, but of no use to who has it
│   ├── RoleUnchanged            the role is held, or not held, already
│   ├── ProfileUnchanged         the profile says so already
│   ├── QuestionRefused          the question has defects
│   ├── QuestionUnchanged        the bank has the question so already
│   ├── ChangedMeanwhile         it is no more as it was when it was read
│   ├── NothingToServe           the bank has no question of this kind
│   ├── QuestionsNotServed       these questions were not served in an open assessment
│   ├── AssessmentUnknown        no such assessment
│   ├── AssessmentExpired        the day to answer it is over
│   ├── AssessmentSubmittedBefore  it was answered otherwise before
│   ├── UserUnknown              no such user
│   ├── EmailTaken               the e-mail has an account
│   ├── RegistrationInProgress   the e-mail is being registered right now
│   ├── IdempotencyKeyReused     the key came with another body before
│   ├── PositionAhead            the asked moment is not in the log yet
│   └── NotYetRecorded           the student did not exist at the asked moment
├── NotSignedIn                  no valid session
│   ├── TokenRefused             the access token is not acceptable
│   └── CredentialsWrong         the e-mail, password or refresh token is wrong
├── Unavailable                  a machine we need is away; try again
│   ├── LogUnavailable           the event log cannot be reached; an append may or may not have happened
│   ├── LogBusy                  too many commands wait for the log
│   ├── ClocksDiffer             the clocks of database and process differ too much to record anything
│   ├── TooContended             the state moved under the command again and again
│   ├── ReadsUnrecorded          who reads what of a child cannot be recorded
│   ├── IdentityUnavailable      the identity provider cannot be reached
│   └── KeysUnusable             the master keys do not open what they should
└── LogBroken                    a position is missing or out of order; no reader may go on
"""


class AfterschoolError(Exception):
    """Something went wrong that we know by name."""

    def __init__(self, **facts: object) -> None:
        super().__init__(self.message)
        self.facts = facts

    @property
    def message(self) -> str:
        """The class's docstring: a sentence for whoever can mend it."""
        return " ".join((type(self).__doc__ or "").split())


class Refused(AfterschoolError):
    """The rules do not allow this; nothing was recorded."""


class InvalidValue(Refused):
    """A field breaks its rule."""


class NotAllowed(Refused):
    """You may not do this."""


class ConsentRequired(Refused):
    """A guardian must first allow this: they sign in and consent at /users/{student_id}/consents.

    A student who has no guardian yet makes a code for them at /users/{student_id}/pairing-codes.
    """


class ConsentEnded(Refused):
    """This consent was withdrawn before."""


class PairingCodeRefused(Refused):
    """This code does not work, or works no more; ask for a new one."""


class GuardianAlready(Refused):
    """You are a guardian of this child already."""


class RoleUnchanged(Refused):
    """This is so already: nothing was changed."""


class ProfileUnchanged(Refused):
    """The profile says so already: nothing was changed."""


class QuestionRefused(Refused):
    """The question cannot be published: it has defects, or the grader does not judge its examples as they say."""


class QuestionUnchanged(Refused):
    """The bank has this question so already: nothing was published."""


class ChangedMeanwhile(Refused):
    """This is no longer as you have read it; read it again, then decide whether your change still stands."""


class NothingToServe(Refused):
    """There are no published questions of this subject, topic and difficulty for this grade."""


class QuestionsNotServed(Refused):
    """These questions were not served to this student in an assessment that is open."""


class AssessmentUnknown(Refused):
    """There is no such assessment."""


class AssessmentExpired(Refused):
    """The time to answer this assessment is over; start a new one."""


class AssessmentSubmittedBefore(Refused):
    """This assessment was submitted before, with other answers; its result stands."""


class UserUnknown(Refused):
    """There is no such user."""


class EmailTaken(Refused):
    """This e-mail address has an account already; sign in instead."""


class RegistrationInProgress(Refused):
    """This e-mail address is being registered right now; try again in a minute."""


class IdempotencyKeyReused(Refused):
    """This Idempotency-Key was used before with another body; use a new key for a new request."""


class PositionAhead(Refused):
    """The log has not reached this moment yet; ask for a past one."""


class NotYetRecorded(Refused):
    """Nothing was known of this student at that moment."""


class NotSignedIn(AfterschoolError):
    """Sign in first: this call needs a valid access token."""


class TokenRefused(NotSignedIn):
    """The access token is not acceptable; sign in again."""


class CredentialsWrong(NotSignedIn):
    """The e-mail address, the password or the refresh token is wrong."""


class Unavailable(AfterschoolError):
    """A part of the system is away; try again shortly, with the same Idempotency-Key."""


class LogUnavailable(Unavailable):
    """The event log cannot be reached; the command may be recorded or not: repeat it with its Idempotency-Key."""


class LogBusy(Unavailable):
    """Too many commands wait for the event log; try again shortly."""


class ClocksDiffer(Unavailable):
    """The clocks of process and database differ by more than a minute; nothing is recorded until they agree."""


class TooContended(Unavailable):
    """Others kept changing the same thing; try again shortly."""


class ReadsUnrecorded(Unavailable):
    """Who reads what of a child is recorded, which cannot be done right now; try again shortly."""


class IdentityUnavailable(Unavailable):
    """The identity provider cannot be reached; try again shortly."""


class KeysUnusable(Unavailable):
    """The master keys of this system do not fit its data, so personal fields stay shut; an operator must look."""


class LogBroken(AfterschoolError):
    """The log has a hole or an event out of order; reading stops here until an operator has looked."""
