"""The functions of JSONata and AWS's additions, by what they cost. For :mod:`.jsonata_source`."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: All of them, without the dollar.
BUILTINS = _names(
    """abs append assert average base64decode base64encode boolean ceil clone contains count
    decodeUrl decodeUrlComponent distinct each encodeUrl encodeUrlComponent error eval exists
    filter floor formatBase formatInteger formatNumber fromMillis join keys length lookup
    lowercase map match max merge millis min not now number pad parseInteger power random
    reduce replace reverse round shuffle sift single sort split spread sqrt string substring
    substringAfter substringBefore sum toMillis trim type uppercase zip
    partition range hash uuid parse"""
)
#: Functions whose answer is no larger than one of their texts, or a number.
SCALAR = _names(
    """abs average boolean ceil contains count exists floor length lowercase max millis min not
    now number power random round sqrt substring substringAfter substringBefore sum toMillis
    trim type uppercase"""
)
#: Functions whose answer and time are in proportion to their arguments.
LINEAR = SCALAR | _names(
    """append formatBase formatNumber fromMillis keys lookup merge parseInteger partition range
    reverse sort split zip hash uuid parse shuffle"""
)
#: Functions that, applied to themselves often, make little much.
GROWING = _names("string base64encode encodeUrl encodeUrlComponent")
