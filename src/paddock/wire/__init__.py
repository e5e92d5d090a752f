"""What the faces and the SDK share: routes, permissions, structs, JSON reading, problem answers.

No web framework in here, and none of the heavy libraries. Requests are strict (an unknown field is
an error); every route names one permission; errors look the same on every face.
"""

from paddock.kernel.refusals import RequestRefused
from paddock.wire.downloads import answer_object
from paddock.wire.forms import decode_form
from paddock.wire.json import DEFAULT_LIMITS, JsonLimits, check_json, decode_json
from paddock.wire.permissions import LOCAL_GRANTS, Permission, check_permission
from paddock.wire.problems import PROBLEM_TYPE, answer_problem, describe_problem, describe_unexpected
from paddock.wire.routes import (
    MAX_PAGE,
    Answer,
    AnyAnswer,
    BodyKind,
    Call,
    Decode,
    FileAnswer,
    Handler,
    RouteSpec,
    StreamAnswer,
    answer_json,
    content_disposition,
)

__all__ = [
    "DEFAULT_LIMITS",
    "LOCAL_GRANTS",
    "MAX_PAGE",
    "PROBLEM_TYPE",
    "Answer",
    "AnyAnswer",
    "BodyKind",
    "Call",
    "Decode",
    "FileAnswer",
    "Handler",
    "JsonLimits",
    "Permission",
    "RequestRefused",
    "RouteSpec",
    "StreamAnswer",
    "answer_json",
    "answer_object",
    "answer_problem",
    "check_json",
    "check_permission",
    "content_disposition",
    "decode_form",
    "decode_json",
    "describe_problem",
    "describe_unexpected",
]
