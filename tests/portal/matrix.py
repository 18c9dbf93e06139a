"""Every route × everybody × own, other customer's and other seller's things. What is right stands here, and not in the code under test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
from fastapi import FastAPI
from portal_cases import CLIENTS, CODES, Running, leads_to_sign_in, mark

from eisenergy.portal.csrf import token_for

PUBLIC, ONESELF, LEAVING, CUSTOMER, OPERATOR = "public", "oneself", "leaving", "customer", "operator"
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
    f"POST {CUSTOMERS}/ver": OPERATOR,
    f"GET {CUSTOMERS}": CUSTOMER,
    f"GET {CUSTOMERS}/facturas": CUSTOMER,
    f"GET {CUSTOMERS}/facturas/{{number}}.pdf": CUSTOMER,
    f"GET {CUSTOMERS}/facturas/{{number}}.xlsx": CUSTOMER,
    **{f"GET {CUSTOMERS}/{page}": CUSTOMER for page in ("consumo", "consumo.csv", "consumo.xlsx", "ahorro")},
    f"GET {CUSTOMERS}/sitio/{{path:path}}": CUSTOMER,
}
"""Whom a route is for; a route that is not here fails :func:`problems`."""

EVERYBODY = ("nobody", "stranger", "customer", "manager", "operator", "viewer", "neighbour", "admin")
OWN = {
    "customer": {("EIS", "EIS-0001")},
    "viewer": {("EIS", "EIS-0001")},
    "manager": {("EIS", "EIS-0001"), ("EIS", "EIS-0002")},
}
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
        if kind == PUBLIC:
            return True
        if kind in (ONESELF, LEAVING):
            return self.who != "nobody" and (kind == LEAVING or self.who != "viewer")
        if self.client in RUNS.get(self.who, set()):
            return True
        return kind == CUSTOMER and (self.client, self.customer) in OWN.get(self.who, set())

    def marks(self) -> set[str]:
        """What must not stand in an answer to this person."""
        every = {mark(client, code) for client in CLIENTS for code in (*CODES, "operator")}
        seen = {mark(client, code) for client, code in OWN.get(self.who, set())}
        seen |= {mark(client, code) for client in RUNS.get(self.who, set()) for code in (*CODES, "operator")}
        return every - seen


def routes(app: FastAPI) -> list[str]:
    """Method and path of everything the app answers."""
    return [f"{method} {route.path}" for route in app.routes for method in sorted(route.methods - {"HEAD"})]


def problems(running: Running, app: FastAPI, *, only: str = "") -> Iterator[str]:
    """Go through the matrix and say what is not as it must be.

    :param only: routes that hold this text
    """
    wire = running.wire()
    for route in routes(app):
        if only not in route:
            continue
        if route not in KINDS:
            yield f"{route}: nothing is said about whom it is for"
            continue
        targets = TARGETS if "{client}" in route else TARGETS[:1]
        for client, customer in targets:
            for who in EVERYBODY:
                yield from _one(running, wire, Case(route, who, client, customer))
                wire.cookies.clear()


def _one(running: Running, wire: httpx2.Client, case: Case) -> Iterator[str]:
    method, path = case.route.split(" ")
    for pattern, value in {
        "{client}": case.client,
        "{customer}": case.customer,
        "{number}": f"FAC-00000{case.customer[-1]}",
        "{path:path}": "2021-09/invoice.pdf" if "clientes" in path else "2021-09.html",
        "{user}": str(running.people["sacrifice " + case.client].user),
        "{upload}": running.work[case.client][0],
        "{job}": running.work[case.client][1],
        "{tariff}": mark(case.client, "operator"),
        "{calendar}": mark(case.client, "operator"),
        "{proposal}": running.proposed[case.client],
        "{token}": "x" * 43,
        "{folder}/{name}": "portal/portal.css",
    }.items():
        path = path.replace(pattern, value)
    assert "{" not in path, path
    name, secret = "eisenergy-form", "before sign-in"
    if case.who != "nobody":
        name, secret = "eisenergy", running.session_of(case.who)
    headers = {"Cookie": f"{name}={secret}", "Origin": running.url}
    before = running.refusals()
    if method == "GET":
        answer = wire.get(path, headers=headers)
    else:
        data = {"csrf": token_for(secret), "role": "CUSTOMER_USER", "customers": case.customer, "language": "es"}
        data |= {"email": f"invited-{case.who}@{case.client.lower()}.example"}
        answer = wire.post(path, data=data, headers=headers)
    yield from _judge(running, case, path, answer, before)


def _judge(running: Running, case: Case, path: str, answer: httpx2.Response, before: int) -> Iterator[str]:
    label = f"{case.route} as {case.who} at {case.client}/{case.customer}: {answer.status_code}"
    if answer.status_code >= 500:
        yield f"{label}: failed"
    leaving = case.route.startswith("POST /salir")
    refused = answer.status_code in (401, 403) or (leads_to_sign_in(answer) and not leaving)
    if case.allowed and refused and KINDS[case.route] != PUBLIC:
        yield f"{label}: expected to be served"
    if not case.allowed:
        wanted = {303, 401} if case.who == "nobody" else {403}
        if not refused or answer.status_code not in wanted:
            yield f"{label}: expected {wanted}"
        elif case.who != "nobody" and running.refusals() <= before:
            yield f"{label}: nothing in the audit log"
    shown = answer.text.replace(f'name="next" value="{path}"', "")  # what was asked for, where the language is switched
    if leaked := sorted(text for text in case.marks() if text in shown):
        yield f"{label}: leaks {', '.join(leaked)}"
    if not path.startswith("/assets/") and answer.headers.get("cache-control") != "no-store":
        yield f"{label}: a cache may keep it"
