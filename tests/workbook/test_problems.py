"""What to look at comes in the order in which an analyst mends it: what somebody did, what it made wrong, what is only odd."""

from __future__ import annotations

from dataclasses import replace

import checked

from eisenergy.findings import Severity
from eisenergy.workbook.problems import problems


def test_what_somebody_did_comes_before_what_shows_it() -> None:
    _, result = checked.all_states()
    typed = replace(
        checked.finding("Hoja 1", "B2", "Typed over."), code="overwritten-formula", severity=Severity.BLOCKING
    )
    shows = replace(checked.finding("Hoja 1", "B6", "#DIV/0!"), code="error-value", severity=Severity.BLOCKING)
    listed = [one.title for one in problems(replace(result, findings=(shows, *result.findings, typed)))]
    assert listed[0] == "Hoja 1!B2: overwritten formula"
    assert listed[1] == "Hoja 1!B3: different"
    assert listed[-2:] == ["Hoja 1!B6: error value", "Hoja 1!A9: text number"]
    follows = next(title for title in listed if "B9" in title)
    assert listed.index("Hoja 1!B3: different") < listed.index(follows) < listed.index("Hoja 1!B5: no cached value")
