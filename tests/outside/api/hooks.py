"""What schemathesis cannot know of this API.

422 answers two kinds of wrong values: those that a schema can tell (a type, a length, a pattern) and those that it cannot (an account
that holds another currency, a member that this type of transaction does not take). A request that fits the schema may get the second
kind, so 422 is among the expected answers; the check here sees to it that it never gets the first, that is, that the schema says
everything that a schema can say.
"""

import re

import schemathesis
from schemathesis.generation import GenerationMode

# What the readers of bodies and parameters refuse before any rule of the domain is asked.
OF_THE_SCHEMA = {
    "wrong_type",
    "required",
    "unknown_field",
    "duplicate_field",
    "unknown_value",
    "too_short",
    "too_long",
    "too_few_items",
    "too_many_items",
    "out_of_range",
    "control_character",
    "malformed_amount",
    "invalid_uuid",
    "invalid_time",
    "invalid_parameter",
    "unknown_parameter",
    "duplicate_parameter",
}

# Whether a member is needed depends on another one, in these.
DEPENDENT = {"createTransaction", "createTransactionBatch", "changeBreak", "changeManyJobs", "redriveDeadLetters"}


@schemathesis.check
def the_schema_says_what_it_can(ctx, response, case):
    if response.status_code != 422 or case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    # A link was followed whose field is null in the answer that it was taken from.
    if any(value in (None, "None", "null") for value in (case.path_parameters or {}).values()):
        return
    for error in response.json().get("errors", []):
        code, pointer = error["code"], error.get("pointer")
        # Which codes are currencies is not for a pattern to say, and they change.
        if error.get("parameter") == "currency":
            continue
        # A cursor is opaque: what else than its letters makes one is not for others to know.
        if error.get("parameter") == "after" and "no cursor of this list" in error["detail"]:
            continue
        # What a payload has to be is said by the schema of its kind, in /api/v1/job-kinds.
        if pointer is not None and pointer.startswith("/payload"):
            continue
        # JSON Schema takes 5.0 for an integer; we do not, as a value is never converted.
        if code == "wrong_type" and "without fraction" in error["detail"]:
            continue
        # How large an amount may be depends on its currency, and where a log ends on the log.
        if code == "out_of_range" and (pointer is None or pointer.endswith("/amount")):
            continue
        if code == "required" and case.operation.definition.raw.get("operationId") in DEPENDENT:
            continue
        assert code not in OF_THE_SCHEMA, f"a request that fits the schema was refused: {error}"


# Values that fit their pattern are exchanged for others that fit it and that are something: a currency that there is, an amount that has
# no more decimals than that. Otherwise nearly every generated body would end at the first account of money. What does not fit its pattern
# stays as it is.
SENSIBLE = {
    "currency": (re.compile(r"[A-Z]{3}"), "GBP"),
    "currencies": (re.compile(r"[A-Z]{3}"), "GBP"),
    "amount": (re.compile(r"-?[0-9]+(\.[0-9]+)?"), "12.50"),
}


@schemathesis.hook
def map_body(ctx, body):
    return sensible(body, None)


@schemathesis.hook
def before_call(ctx, case, **kwargs):
    # A stream of events that is asked for without an end has none.
    if case.operation.definition.raw.get("operationId") == "followEvents":
        query = case.query or {}
        if str(query.get("wait", 0)) in {str(seconds) for seconds in range(31)}:
            case.query = {**query, "wait": 0}


def sensible(value, name):
    if isinstance(value, dict):
        return {member: sensible(inner, member) for member, inner in value.items()}
    if isinstance(value, list):
        return [sensible(inner, name) for inner in value]
    pattern, instead = SENSIBLE.get(name, (None, None))
    return instead if pattern and isinstance(value, str) and pattern.fullmatch(value) else value
