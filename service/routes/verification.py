"""GET /verification: the scores of past forecasts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Query, Response

from radar.errors import StoreUnavailable
from service.answers.formats import JSON, Form, choose_form, disposition, format_query
from service.context import Parts, Service
from service.errors import VerificationOff
from service.history.codec import SeriesKey
from service.http.openapi import reference
from service.http.problems import documented
from service.routes.checked_route import CheckedRoute
from service.routes.query import BINARY, GridName, Product
from service.verification.plot import plot
from service.verification.report import report
from service.verification.schema import VerificationAnswer
from service.verification.totals import Period
from service.verification.verification import Verification

router = APIRouter(tags=["verification"], route_class=CheckedRoute)

SVG, PNG = "image/svg+xml", "image/png"
_ROWS = (
    Form(JSON, "json", ("json",), shown=True),
    Form(SVG, "svg", ("svg",), shown=True),
    Form(PNG, "png", ("png",), shown=True),
)
FORMS = {row.media_type: row for row in _ROWS}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The scores; as a picture CSI and mean absolute error by lead time",
        "content": {JSON: {"schema": reference(VerificationAnswer)}, SVG: BINARY, PNG: BINARY},
    }
}

Format = Annotated[str | None, format_query(FORMS.values(), "svg")]
Accept = Annotated[str | None, Header(description="one of " + ", ".join(FORMS))]
WhichPeriod = Annotated[Period, Query(description="counted back from the newest observation that was scored")]
Lead = Annotated[int, Query(ge=1, le=1440, description="only this lead time, in minutes", examples=[30])]
Threshold = Annotated[Literal["0.1", "1", "5", "10"], Query(description="mm/h, of the CSI in a picture")]


@router.get("/verification", response_class=Response, responses={**_ANSWERS, **documented(404, 406, 422, 500, 503)})
async def verification(
    service: Parts,
    product: Product | None = None,
    grid: GridName | None = None,
    period: WhichPeriod = "24h",
    lead_minutes: Lead | None = None,
    threshold: Threshold = "1",
    format: Format = None,  # noqa: A002 - as the query has it
    accept: Accept = None,
) -> Response:
    """Scores of all models, baselines and shadows against the observed frames, on the same pixels."""
    chosen = choose_form(format, accept, FORMS)

    def make() -> Response:
        verification = _kept(service)
        series = service.latest.choose(_known(service, verification), product, grid)
        answer = report(verification, series, period, lead_minutes)
        headers = disposition(chosen.form, "verification", series.product, period)
        headers |= {"Vary": chosen.vary} if chosen.vary else {}
        content = _written(answer, chosen.media_type, float(threshold))
        return Response(content, media_type=chosen.media_type, headers=headers)

    return await run_sync(make)


def _kept(service: Service) -> Verification:
    if service.verification is None:
        raise VerificationOff(
            expected="a service that keeps scores",
            got="one without RAINCELL_VERIFICATION",
            remedy="its operator names a folder for them there",
        )
    return service.verification


def _known(service: Service, verification: Verification) -> set[SeriesKey]:
    """The series that have scores, or may get some."""
    scored = set(verification.ledger.series())
    try:
        return scored | set(service.history.products().value)
    except StoreUnavailable:
        if not scored:
            raise
        return scored


def _written(answer: VerificationAnswer, media_type: str, threshold: float) -> bytes:
    if media_type == JSON:
        return answer.model_dump_json().encode()
    drawing = plot(answer, threshold)
    return drawing.to_svg() if media_type == SVG else drawing.to_png()
