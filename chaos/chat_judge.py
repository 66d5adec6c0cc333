"""What became of every command: its effect once, its answer at least once, in order."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from bot.adapters.storage.database import Database
from bot.adapters.storage.tables import command_audit, command_inbox, logs
from bot.kit.times import MINUTE_US
from chaos.chat_people import People, Sent, deliveries, questions_asked

_PROBLEMS_SHOWN_MAX = 20


@dataclass(frozen=True)
class Row:
    """One command as it was stored."""

    number: int
    update_id: int
    lane: str
    state: str
    attempts: int
    outcome: str
    epoch: int | None
    at_us: int


@dataclass
class Findings:
    """Figures, and what was not as it must be."""

    problems: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)


async def judge(database: Database, people: People) -> Findings:
    """Compare what was said with what is stored, what was done and what was told."""
    async with database.read() as connection:
        inbox, audit = command_inbox.c, command_audit.c
        joined = command_inbox.outerjoin(command_audit, audit.command_id == inbox.id)
        found = await connection.execute(
            select(
                inbox.id,
                inbox.update_id,
                inbox.lane,
                inbox.state,
                inbox.attempts,
                audit.outcome,
                audit.epoch,
                audit.at_us,
            ).select_from(joined)
        )
        rows = [Row(*row) for row in found.all()]
        acted = await connection.execute(select(logs.c.data_json, logs.c.message))
        effects = [(int(number), name) for number, name in acted.all()]
    findings = Findings()
    by_update = _stored_once(people.sent, rows, findings)
    _effects(people, by_update, effects, findings)
    _questions(people, by_update, {number for number, _ in effects}, findings)
    _answers(people, by_update, findings)
    findings.figures["stored"] = len(rows)
    findings.figures["effects"] = len(effects)
    findings.figures["tried_again"] = sum(row.attempts > 1 for row in rows)
    del findings.problems[_PROBLEMS_SHOWN_MAX:]
    return findings


def _stored_once(
    sent: Mapping[int, Sent], rows: Sequence[Row], findings: Findings
) -> dict[int, Row]:
    """Every update is one finished row, and there are no others."""
    by_update = {row.update_id: row for row in rows}
    if len(by_update) != len(rows):
        findings.problems.append("an update was stored twice")
    lost, unknown = sent.keys() - by_update.keys(), by_update.keys() - sent.keys()
    if lost or unknown:
        findings.problems.append(f"updates lost {sorted(lost)}, not sent {sorted(unknown)}")
    findings.problems += [
        f"#{row.number} is {row.state}, outcome {row.outcome}"
        for row in rows
        if row.state != "done" or row.outcome is None
    ]
    return {update: row for update, row in by_update.items() if update in sent}


def _effects(
    people: People,
    by_update: Mapping[int, Row],
    effects: Sequence[tuple[int, str]],
    findings: Findings,
) -> None:
    """What acts at once acted exactly once; what asks or reads did not."""
    counted = Counter(number for number, _ in effects)
    names = dict(effects)
    doubled = [number for number, count in counted.items() if count > 1]
    findings.problems += [f"#{number} acted twice" for number in doubled]
    given_up = 0
    for update, row in by_update.items():
        one = people.sent[update]
        if row.outcome == "given up":
            given_up += 1
            if one.is_urgent:
                findings.problems.append(f"#{row.number}: a halt was given up")
        elif one.effect is not None and names.get(row.number) != one.effect:
            findings.problems.append(f"#{row.number}: {one.effect} did not happen, {row.outcome}")
        elif one.effect is None and not one.is_yes and counted[row.number]:
            findings.problems.append(f"#{row.number}: {names[row.number]} happened unasked")
    findings.figures["given_up"] = given_up


def _questions(
    people: People, by_update: Mapping[int, Row], acted: set[int], findings: Findings
) -> None:
    """A yes acts once, if it is the first answer, under the epoch that asked."""
    asked = questions_asked(people.server.requests)
    by_number = {row.number: (people.sent[update], row) for update, row in by_update.items()}
    answers: dict[str, list[tuple[Sent, Row]]] = defaultdict(list)
    for update, row in sorted(by_update.items(), key=lambda item: item[1].number):
        one = people.sent[update]
        if one.nonce is not None:
            answers[one.nonce].append((one, row))
    confirmed = 0
    for nonce, given in answers.items():
        done = [row.number for _, row in given if row.number in acted]
        confirmed += len(done)
        if len(done) > 1:
            findings.problems.append(f"a question was acted on twice: {done}")
        asker, question = by_number[asked[nonce]]
        for one, row in given:
            if row.number in acted and not (one.is_yes and one.user == asker.user):
                findings.problems.append(f"#{row.number} acted without a yes of who was asked")
        mine = [(one, row) for one, row in given if one.user == asker.user]
        if mine and _counts(*mine[0], question) and not done:
            findings.problems.append(f"#{mine[0][1].number}: a yes came to nothing")
    findings.figures["questions_answered"] = len(answers)
    findings.figures["confirmed"] = confirmed


def _counts(one: Sent, row: Row, question: Row) -> bool:
    """Whether this first answer had to act: a yes, soon, to the process that had asked.

    Unless what was asked about has changed meanwhile: that is another question.
    """
    is_soon = row.at_us - question.at_us < MINUTE_US // 2
    is_same = row.epoch == question.epoch and row.attempts == 1
    return one.is_yes and is_same and is_soon and row.outcome not in {"asked", "no halt"}


def _answers(people: People, by_update: Mapping[int, Row], findings: Findings) -> None:
    """Every number was told in its chat, and those of a lane in their order."""
    told = deliveries(people.server.requests)
    chats: dict[int, list[tuple[Sent, Row]]] = defaultdict(list)
    for update, row in by_update.items():
        chats[people.sent[update].chat].append((people.sent[update], row))
    repeated = 0
    for chat, commands in chats.items():
        heard = told[chat]
        repeated += len(heard) - len(set(heard))
        for is_urgent in (True, False):
            numbers = sorted(row.number for one, row in commands if one.is_urgent == is_urgent)
            missing = set(numbers) - set(heard)
            if missing:
                findings.problems.append(f"chat {chat} never heard of {sorted(missing)}")
            first = [number for number in dict.fromkeys(heard) if number in set(numbers)]
            if first != sorted(first):
                findings.problems.append(f"chat {chat} heard out of order: {first}")
        in_order = [row.number for _, row in sorted(commands, key=lambda each: each[0].update_id)]
        if in_order != sorted(in_order):
            findings.problems.append(f"chat {chat}: stored in another order than said")
    foreign = set(told) - set(chats)
    if foreign:
        findings.problems.append(f"answers to others: {sorted(foreign)}")
    findings.figures["answers"] = sum(len(set(heard)) for heard in told.values())
    findings.figures["answers_repeated"] = repeated
