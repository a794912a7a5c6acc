"""PublishQuestion: a question, or its next version, enters the bank, to be served from here on."""

from dataclasses import dataclass

from commands.ports import History, Log
from domain.banked_question import BankedQuestion
from domain.cause import Cause, Receipt
from domain.question import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishQuestion:
    """The question; the bank numbers its versions, whatever `version` says."""

    cause: Cause
    question: Question


async def publish_question(log: Log, command: PublishQuestion) -> Receipt:
    """Append one `QuestionPublished`; raises `QuestionRefused` with its `reasons`, `QuestionUnchanged` for the same."""
    question, at = command.question, command.cause.occurred_at

    async def decide(history: History) -> None:
        banked = await history.load(BankedQuestion, question.id)
        if banked is None:
            banked = BankedQuestion.begin(question, at)
        else:
            banked.publish(question, at)
        history.save(banked)

    return await log.execute(command.cause, decide)
