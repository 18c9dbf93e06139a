"""Every route × everybody × own, other customer's and other seller's things. What is right stands here, and not in the code under test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
from fastapi import FastAPI
from portal_cases import CLIENTS, CODES, Running, leads_to_sign_in, mark
from starlette.routing import WebSocketRoute
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from eisenergy.portal.csrf import token_for

PUBLIC, ONESELF, LEAVING, CUSTOMER, OPERATOR = "public", "oneself", "leaving", "customer", "operator"
STREAM = "stream"
"""For customers as :data:`CUSTOMER`, and the address says in its query whose data it is about."""
BY_TOKEN, BY_TOKEN_LIST, BY_TOKEN_WORK, BY_TOKEN_SYSTEM, BY_TOKEN_OPEN = "token", "list", "work", "system", "open"
CUSTOMERS = "/c/{client}/clientes/{customer}"
KINDS = {
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /assets/{folder}/{name}": PUBLIC,
    "GET /entrar": PUBLIC,
    "POST /entrar": PUBLIC,
    "GET /entrar/codigo": PUBLIC,
    "POST /entrar/codigo": PUBLIC,
    "GET /clave": PUBLIC,
    "POST /clave": PUBLIC,
    "GET /enlace/{token}": PUBLIC,
    "POST /enlace/{token}": PUBLIC,
    "GET /openid": PUBLIC,
    "GET /openid/vuelta": PUBLIC,
    "POST /idioma": PUBLIC,
    "GET /": LEAVING,
    "POST /salir": LEAVING,
    "POST /vista/terminar": LEAVING,
    "POST /salir/todas": ONESELF,
    "GET /cuenta": ONESELF,
    "POST /cuenta/clave": ONESELF,
    "GET /cuenta/factor": ONESELF,
    "POST /cuenta/factor": ONESELF,
    "POST /cuenta/factor/quitar": ONESELF,
    "GET /c/{client}": OPERATOR,
    "GET /c/{client}/sitio/{path:path}": OPERATOR,
    "GET /c/{client}/usuarios": OPERATOR,
    "POST /c/{client}/usuarios": OPERATOR,
    "POST /c/{client}/usuarios/{user}/enlace": OPERATOR,
    "POST /c/{client}/usuarios/{user}/quitar": OPERATOR,
    "POST /c/{client}/usuarios/{user}/desactivar": OPERATOR,
    "POST /c/{client}/usuarios/{user}/activar": OPERATOR,
    "GET /c/{client}/bitacora": OPERATOR,
    "GET /c/{client}/cargas": OPERATOR,
    "POST /c/{client}/cargas": OPERATOR,
    "POST /c/{client}/cargas/importar": OPERATOR,
    "GET /c/{client}/cargas/{upload}": OPERATOR,
    "POST /c/{client}/cargas/{upload}/importar": OPERATOR,
    "POST /c/{client}/cargas/{upload}/leer": OPERATOR,
    "POST /c/{client}/cargas/{upload}/columnas": OPERATOR,
    "POST /c/{client}/cargas/{upload}/columnas/olvidar": OPERATOR,
    "GET /c/{client}/trabajos": OPERATOR,
    "GET /c/{client}/trabajos/{job}": OPERATOR,
    "GET /c/{client}/trabajos/{job}/avance": OPERATOR,
    "POST /c/{client}/trabajos/{job}/otra-vez": OPERATOR,
    "GET /c/{client}/clientes": OPERATOR,
    f"GET {CUSTOMERS}/ficha": OPERATOR,
    f"POST {CUSTOMERS}/ficha": OPERATOR,
    "GET /c/{client}/tarifas": OPERATOR,
    "GET /c/{client}/tarifas/{tariff}/nueva": OPERATOR,
    "POST /c/{client}/tarifas/{tariff}/nueva": OPERATOR,
    "GET /c/{client}/calendarios": OPERATOR,
    "GET /c/{client}/calendarios/{calendar}/nueva": OPERATOR,
    "POST /c/{client}/calendarios/{calendar}/nueva": OPERATOR,
    "POST /c/{client}/calendarios/{calendar}/archivo": OPERATOR,
    "GET /c/{client}/propuestas/{proposal}": OPERATOR,
    "POST /c/{client}/propuestas/{proposal}/guardar": OPERATOR,
    "GET /c/{client}/facturacion": OPERATOR,
    **{
        f"GET /c/{{client}}/facturacion/{{month}}{rest}": OPERATOR
        for rest in ("", "/emitir", "/contrato/{contract}", "/fallo/{subject}")
    },
    **{f"POST /c/{{client}}/facturacion/{{month}}/{deed}": OPERATOR for deed in ("generar", "emitir", "publicar")},
    "GET /c/{client}/excel": OPERATOR,
    "POST /c/{client}/excel": OPERATOR,
    **{f"GET /c/{{client}}/excel/{{job}}{rest}": OPERATOR for rest in ("", "/hojas", "/copia")},
    f"POST {CUSTOMERS}/ver": OPERATOR,
    f"GET {CUSTOMERS}": CUSTOMER,
    f"GET {CUSTOMERS}/facturas": CUSTOMER,
    f"GET {CUSTOMERS}/facturas/{{number}}.pdf": CUSTOMER,
    f"GET {CUSTOMERS}/facturas/{{number}}.xlsx": CUSTOMER,
    **{f"GET {CUSTOMERS}/{page}": CUSTOMER for page in ("consumo", "consumo.csv", "consumo.xlsx", "ahorro")},
    f"GET {CUSTOMERS}/sitio/{{path:path}}": CUSTOMER,
    "GET /c/{client}/avisos": OPERATOR,
    "POST /c/{client}/avisos": OPERATOR,
    "GET /c/{client}/avisos/{subscription}": OPERATOR,
    **{
        f"POST /c/{{client}}/avisos/{{subscription}}/{deed}": OPERATOR
        for deed in ("pausar", "seguir", "probar", "quitar", "otra-vez", "descartar")
    },
    "WS /v1/metrics/stream": STREAM,
    "GET /cuenta/fichas": ONESELF,
    "POST /cuenta/fichas": ONESELF,
    "POST /cuenta/fichas/{token}/quitar": ONESELF,
    "GET /c/{client}/fichas": OPERATOR,
    "POST /c/{client}/fichas/{token}/quitar": OPERATOR,
    "GET /v1": PUBLIC,
    "GET /v1/openapi.json": BY_TOKEN_OPEN,
    "POST /v1/clients": BY_TOKEN_SYSTEM,
    "POST /v1/customers": BY_TOKEN_WORK,
    "POST /v1/meter-readings/upload": BY_TOKEN_WORK,
    "POST /v1/billing/run": BY_TOKEN_WORK,
    "GET /v1/jobs/{job}": BY_TOKEN_WORK,
    "GET /v1/customers": BY_TOKEN_LIST,
    "GET /v1/customers/{customer}": BY_TOKEN,
    "GET /v1/customers/{customer}/invoices": BY_TOKEN,
    "GET /v1/customers/{customer}/readings": BY_TOKEN,
    "GET /v1/customers/{customer}/usage": BY_TOKEN,
    "GET /v1/invoices/{number}": BY_TOKEN,
    "GET /v1/invoices/{number}.pdf": BY_TOKEN,
}
"""Whom a route is for; a route that is not here fails :func:`problems`."""
PAGES = frozenset({PUBLIC, ONESELF, LEAVING, CUSTOMER, OPERATOR})
NEW_CLIENT = {
    "nit": "0614-010115-108-3", "ncr": "241337-8", "activity": "Venta", "address": "San Salvador", "phone": "2250-1500",
    "email": "a@b.example", "website": "www.eis.example", "timezone": "America/El_Salvador", "currency": "USD", "locale": "es-SV",
    "series": "FAC", "due_days": 15, "max_missing_share": 0.1,
}  # fmt: skip

EVERYBODY = ("nobody", "stranger", "customer", "manager", "operator", "viewer", "neighbour", "admin")
OWN = {
    "customer": {("EIS", "EIS-0001")},
    "viewer": {("EIS", "EIS-0001")},
    "manager": {("EIS", "EIS-0001"), ("EIS", "EIS-0002")},
}
HOLDERS = ("nobody", "stranger", "customer", "manager", "operator", "neighbour", "admin")
"""Who asks the interface; a view is a session's, and no token's."""
RUNS = {"operator": {"EIS"}, "neighbour": {"LUZ"}, "admin": {"EIS", "LUZ"}}
TARGETS = (("EIS", "EIS-0001"), ("EIS", "EIS-0003"), ("LUZ", "EIS-0001"))


@dataclass(frozen=True)
class Case:
    """One request of the matrix."""

    route: str
    who: str
    client: str
    customer: str

    @property
    def allowed(self) -> bool:
        kind = KINDS[self.route]
        if kind in (PUBLIC, BY_TOKEN_OPEN):
            return True
        if kind == BY_TOKEN_SYSTEM:
            return self.who == "admin"
        if kind == BY_TOKEN_LIST and any(client == self.client for client, _ in OWN.get(self.who, set())):
            return True
        if kind in (ONESELF, LEAVING):
            return self.who != "nobody" and (kind == LEAVING or self.who != "viewer")
        if self.client in RUNS.get(self.who, set()):
            return True
        return kind in (CUSTOMER, STREAM, BY_TOKEN) and (self.client, self.customer) in OWN.get(self.who, set())

    def marks(self) -> set[str]:
        """What must not stand in an answer to this person."""
        every = {mark(client, code) for client in CLIENTS for code in (*CODES, "operator")}
        seen = {mark(client, code) for client, code in OWN.get(self.who, set())}
        seen |= {mark(client, code) for client in RUNS.get(self.who, set()) for code in (*CODES, "operator")}
        return every - seen


def routes(app: FastAPI) -> list[str]:
    """Method and path of everything the app answers."""
    return [
        f"{method} {route.path}"
        for route in app.routes
        for method in (["WS"] if isinstance(route, WebSocketRoute) else sorted(route.methods - {"HEAD"}))
    ]


def problems(running: Running, app: FastAPI, *, only: str = "") -> Iterator[str]:
    """Go through the matrix and say what is not as it must be.

    :param only: routes that hold this text
    """
    wire = running.wire()
    kept: dict[str, str] = {}
    for route in routes(app):
        if only not in route:
            continue
        if route not in KINDS:
            yield f"{route}: nothing is said about whom it is for"
            continue
        kept.clear()  # the route before may have ended sessions
        by_token = KINDS[route] not in PAGES
        targets = TARGETS if "{client}" in route or by_token else TARGETS[:1]
        if by_token and not any(name in route for name in ("{customer}", "{number}")):
            targets = TARGETS[::2]  # whose customer it is makes no difference
        for client, customer in targets:
            for who in HOLDERS if by_token and KINDS[route] != STREAM else EVERYBODY:
                case = Case(route, who, client, customer)
                yield from _stream(running, wire, case) if route.startswith("WS ") else _one(running, wire, case, kept)
                wire.cookies.clear()


def _one(running: Running, wire: httpx2.Client, case: Case, kept: dict[str, str]) -> Iterator[str]:
    method, path = case.route.split(" ")
    for pattern, value in {
        "{client}": case.client,
        "{customer}": case.customer,
        "{number}": f"FAC-00000{case.customer[-1]}",
        "{path:path}": "2021-09/invoice.pdf" if "clientes" in path else "2021-09.html",
        "{user}": str(running.people["sacrifice " + case.client].user),
        "{upload}": running.work[case.client][0],
        "{job}": running.work[case.client][2 if "/excel/" in path else 1],
        "{tariff}": mark(case.client, "operator"),
        "{calendar}": mark(case.client, "operator"),
        "{proposal}": running.proposed[case.client],
        "{subscription}": str(running.told.get(case.client, "")),
        "{token}": str(running.held[case.client]) if "fichas" in path else "x" * 43,
        "{month}": "2021-09",
        "{contract}": case.customer,
        "{subject}": case.customer,
        "{folder}/{name}": "portal/portal.css",
    }.items():
        path = path.replace(pattern, value)
    assert "{" not in path, path
    if KINDS[case.route] not in PAGES:
        before = running.last_refusal()
        yield from _judge(running, case, path, _with_token(running, wire, case, method, path), before)
        return
    name, secret = "eisenergy-form", "before sign-in"
    if case.who != "nobody":
        if case.who not in kept or _ends_sessions(case.route):
            kept[case.who] = running.session_of(case.who)
        name, secret = "eisenergy", kept[case.who]
    headers = {"Cookie": f"{name}={secret}", "Origin": running.url}
    before = 0 if case.allowed or case.who == "nobody" else running.last_refusal()
    if method == "GET":
        answer = wire.get(path, headers=headers)
    else:
        data = {"csrf": token_for(secret), "role": "CUSTOMER_USER", "customers": case.customer, "language": "es"}
        data |= {"email": f"invited-{case.who}@{case.client.lower()}.example"}
        answer = wire.post(path, data=data, headers=headers)
    yield from _judge(running, case, path, answer, before)


def _ends_sessions(route: str) -> bool:
    """Whether a form may end or change the session of who sends it: about oneself, and what takes a customer's view."""
    return route.startswith("POST ") and (KINDS[route] != OPERATOR or route.endswith("/ver"))


def _stream(running: Running, wire: httpx2.Client, case: Case) -> Iterator[str]:
    """A websocket: what the handshake answers, and whose energies come."""
    label = f"{case.route} as {case.who} at {case.client}/{case.customer}"
    headers = {} if case.who == "nobody" else {"Cookie": f"eisenergy={running.session_of(case.who)}"}
    address = running.url.replace("http", "ws", 1) + case.route.removeprefix("WS ")
    before = running.last_refusal()
    for query in (f"client={case.client}&customer={case.customer}", f"client={case.client}"):
        narrowed = "customer=" in query
        own = {code for client, code in OWN.get(case.who, set()) if client == case.client}
        runs = case.client in RUNS.get(case.who, set())
        try:
            with connect(f"{address}?{query}", additional_headers=headers, origin=running.url, proxy=None) as socket:
                told = socket.recv(timeout=30)
        except InvalidStatus as refusal:
            status = refusal.response.status_code
            if case.allowed if narrowed else (own or runs):
                yield f"{label}, {query}: {status}, expected to be served"
            if status != (401 if case.who == "nobody" else 403):
                yield f"{label}, {query}: {status}"
            if narrowed and case.who != "nobody" and running.last_refusal() <= before:
                yield f"{label}: nothing in the audit log"
            continue
        if not (case.allowed if narrowed else (own or runs)):
            yield f"{label}, {query}: served"
        found = json.loads(told)
        seen = {entry["customer"] for entry in found["customers"]}
        wanted = {case.customer} if narrowed else (set(CODES) if runs else own)
        if found["client"] != case.client or seen != wanted:
            yield f"{label}, {query}: energies of {found['client']} {sorted(seen)}, expected {sorted(wanted)}"
        if leaked := sorted(text for text in case.marks() if text in told):
            yield f"{label}: leaks {', '.join(leaked)}"


def _with_token(running: Running, wire: httpx2.Client, case: Case, method: str, path: str) -> httpx2.Response:
    """Ask as a program does. The session's cookie comes along, and counts for nothing."""
    headers = {"X-Client": case.client}
    if case.who != "nobody":
        headers |= {"Authorization": f"Bearer {running.tokens[case.who]}"}
    if "session of admin" not in running.tokens:
        running.tokens["session of admin"] = running.session_of("admin")
    headers["Cookie"] = f"eisenergy={running.tokens['session of admin']}"
    if method == "GET":
        days = {"from": "2021-09-01", "to": "2021-09-02"} if path.endswith(("readings", "usage")) else {}
        return wire.get(path, headers=headers, params=days)
    if path.endswith("upload"):
        return wire.post(path, headers=headers, files={"files": (f"by-{case.who}.csv", b"a,b\n1,2\n")})
    row = {"contract": case.customer, "name": mark(case.client, case.customer), "meter": "M" + case.customer[-1]}
    body = {
        "/v1/clients": {**NEW_CLIENT, "code": case.client, "name": f"by {case.who}"},
        "/v1/customers": {"customers": [{**row, "tariff": "EIS-TOU", "first_day": "2020-09-01"}]},
        "/v1/billing/run": {"month": "2021-09"},
    }[path]
    return wire.post(path, headers=headers, json=body)


def _judge(running: Running, case: Case, path: str, answer: httpx2.Response, before: int) -> Iterator[str]:
    label = f"{case.route} as {case.who} at {case.client}/{case.customer}: {answer.status_code}"
    if answer.status_code >= 500:
        yield f"{label}: failed"
    leaving = case.route.startswith("POST /salir")
    refused = answer.status_code in (401, 403) or (leads_to_sign_in(answer) and not leaving)
    if case.allowed and refused and KINDS[case.route] != PUBLIC:
        yield f"{label}: expected to be served"
    if not case.allowed:
        unknown = case.who == "nobody" or (case.who == "stranger" and KINDS[case.route] not in PAGES)
        wanted = {303, 401} if unknown else {403}
        if not refused or answer.status_code not in wanted:
            yield f"{label}: expected {wanted}"
        elif not unknown and running.last_refusal() <= before:
            yield f"{label}: nothing in the audit log"
    shown = answer.text.replace(f'name="next" value="{path}"', "")  # what was asked for, where the language is switched
    if leaked := sorted(text for text in case.marks() if text in shown):
        yield f"{label}: leaks {', '.join(leaked)}"
    if not path.startswith("/assets/") and answer.headers.get("cache-control") != "no-store":
        yield f"{label}: a cache may keep it"
