"""What requests and answers hold: the named schemas of the description, against which requests are checked, too."""

from __future__ import annotations

from typing import Final

from eisenergy.portal.api.schemas import (
    DAY,
    MONTH,
    MOST_CUSTOMERS,
    MOST_RECORDS,
    TEXT,
    Schema,
    amount,
    count,
    day,
    instant,
    listed,
    maybe,
    money,
    number,
    page,
    record,
    ref,
    words,
)

_RECORD: Final = {
    "contract": words("Number of the contract, and the customer's id here", "EIS-0001", least=1, most=100),
    "name": words("Who is billed", "Aceros de Ateos, S.A. de C.V.", least=1),
    "meter": words("Serial of the meter", "5614086", least=1, most=100),
    "tariff": words("Name of the tariff", "EIS-TOU", least=1, most=100),
    "first_day": {
        "type": "string",
        "pattern": DAY,
        "description": "First local day of supply",
        "examples": ["2020-09-01"],
    },
    "last_day": {
        "type": ["string", "null"],
        "pattern": DAY,
        "description": "Last local day of supply; null while it runs",
        "examples": [None],
    },
    "nit": words("Tax number", "0614-250399-101-2", most=50),
    "ncr": words("VAT registration", "123456-7", most=50),
    "address": words("Address", "Km 24, carretera a Sonsonate"),
    "municipality": words("Municipality", "Sacacoyo"),
    "phone": words("Telephone", "2338-0000", most=100),
    "email": words("Where bills are asked about", "pagos@acerosateos.example"),
    "activity": words("Economic activity", "Fundición de acero"),
    "node": words("Network node of the meter", "Ateos", most=100),
    "contracted_kw": {
        "type": ["number", "null"],
        "minimum": 0,
        "maximum": 1e9,
        "description": "Contracted power [kW]",
        "examples": [650],
    },
    "loss_factor": amount("Price or factor of losses, as the tariff takes it; null: the tariff's", "0.015"),
    "municipal_fee": amount("A third party's money, a month [currency]; null: the tariff's, else none", "12.50"),
    "retention_percent": amount("Share that the customer retains [%]; null: the tariff's, else none", "1"),
    "discount_percent": amount("Discount [%]; null: the tariff's, else none", "0"),
    "notes": {
        "type": "object",
        "maxProperties": 50,
        "propertyNames": {"pattern": TEXT, "minLength": 1, "maxLength": 100},
        "additionalProperties": {"type": "string", "pattern": TEXT, "maxLength": 1000},
        "description": "Remarks",
        "examples": [{"Observaciones": "Factura por correo"}],
    },
}
_EXAMPLE: Final = {"customers": [{name: one["examples"][0] for name, one in _RECORD.items() if name != "last_day"}]}

INVOICE_HEAD: Final = {
    "number": {"type": "string", "description": "Gapless within its series", "examples": ["FAC-000001"]},
    "month": {"type": "string", "pattern": MONTH, "description": "Billing month", "examples": ["2021-09"]},
    "contract": {"type": "string", "description": "Number of the contract", "examples": ["EIS-0001"]},
    "issued_on": day("Local date of issue", "2021-10-05"),
    "due_on": day("Due date", "2021-10-20"),
    "kwh": number("Energy billed [kWh]", 57883.07),
    "total": money("To be paid", "12989.48"),
    "currency": {"type": "string", "description": "ISO 4217", "examples": ["USD"]},
}
_LINE: Final = {
    "code": {"type": "string", "description": "energy, demand, losses, ftpms, ...", "examples": ["energy"]},
    "quantity": maybe(number("What is multiplied; null for sums", 57883.07)),
    "unit": {"type": "string", "description": "Of the quantity", "examples": ["kWh"]},
    "rate": {"type": ["string", "null"], "description": "Where the line has one alone", "examples": ["0.0153"]},
    "exact": {"type": "string", "description": "Before rounding, signed as printed", "examples": ["6441.33281916"]},
    "amount": money("Rounded once, to cents", "6441.33"),
}
_BLOCK: Final = {
    "block": {"type": "string", "description": "Name of the block", "examples": ["PUNTA"]},
    "kwh": number("Energy [kWh]", 9114.7),
    "energy_amount": {"type": "string", "description": "Before rounding", "examples": ["1226.51"]},
    "max_kw": number("Greatest power [kW]", 510.48),
    "max_kw_at": maybe(instant("Start of its interval", "2021-09-17T18:30:00-06:00")),
    "intervals": count("Intervals of 15 minutes", 480),
    "estimated": count("How many of them were estimated", 0),
}
_CONTRACT: Final = {
    **{name: _RECORD[name] for name in ("contract", "meter", "node", "tariff", "first_day", "last_day")},
    **{name: {"type": ["string", "null"], "description": _RECORD[name]["description"], "examples": ["1"]} for name in
       ("contracted_kw", "loss_factor", "municipal_fee", "retention_percent", "discount_percent")},
    "notes": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Remarks"},
}  # fmt: skip
_WORD: Final = {"type": "string"}

COMPONENTS: Final[dict[str, Schema]] = {
    "Problem": {
        "type": "object",
        "description": "What is in the way (RFC 9457)",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "examples": ["/v1#invalid"]},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What was found, where, what was expected, what to do"},
            "instance": {"type": "string", "description": "Number of the request, as in the header X-Request-ID"},
            "errors": listed(
                {
                    "type": "object",
                    "required": ["detail"],
                    "properties": {
                        name: {"type": "string"}
                        for name in ("detail", "pointer", "parameter", "header", "code", "sheet", "cell")
                    },
                },
                "One by one: `pointer` into the body (RFC 6901), `parameter`, `header`, or `sheet` and `cell` of a workbook",
            ),
        },
    },
    "CustomerRecord": {
        "type": "object",
        "description": "One contract with its customer, as one row of the customer list",
        "properties": _RECORD,
        "required": ["contract", "name", "meter", "tariff", "first_day"],
        "additionalProperties": False,
    },
    "CustomersUpsert": {
        **record(
            {
                "customers": {
                    **listed(ref("CustomerRecord"), "What is there already is replaced by what is given"),
                    "minItems": 1,
                    "maxItems": MOST_RECORDS,
                }
            },
            "Contracts to be added or changed, all or none",
        ),
        "examples": [_EXAMPLE],
    },
    "UpsertOutcome": record(
        {
            "added": count("Contracts that are new", 1),
            "changed": count("Contracts that were others before", 0),
            "unchanged": count("Contracts that were there", 7),
            "outcomes": listed(
                record(
                    {
                        "row": count("Place in what was sent, from 0", 0),
                        "contract": {"type": "string", "examples": ["EIS-0001"]},
                        "outcome": {"enum": ["added", "changed", "unchanged"]},
                    },
                    "One contract",
                ),
                "Contract by contract",
            ),
            "warnings": listed(_WORD, "What somebody should look at"),
        },
        "What an upsert did",
    ),
    "ClientOutcome": record(
        {"code": {"type": "string", "examples": ["LUZ"]}, "outcome": {"enum": ["added", "changed", "unchanged"]}},
        "What became of the client",
    ),
    "CustomerLine": record(
        {"id": {"type": "string", "examples": ["EIS-0001"]}, "name": {"type": "string", "examples": ["Aceros de Ateos"]}},
        "A customer of a list",
    ),
    "CustomerPage": page("CustomerLine", "Customers in order of their ids"),
    "Customer": record(
        {
            "id": {"type": "string", "description": "In the addresses of everything of this customer", "examples": ["EIS-0001"]},
            **{name: {"type": "string", "description": _RECORD[name]["description"], "examples": _RECORD[name]["examples"]}
               for name in ("name", "nit", "ncr", "address", "municipality", "phone", "email", "activity")},
            "contracts": listed(ref("Contract"), "In order of their numbers"),
        },
        "A customer",
    ),
    "Contract": {
        "type": "object",
        "description": "What a customer agreed for one meter",
        "properties": {name: {k: v for k, v in one.items() if k not in ("pattern", "minLength", "maxLength")} for name, one in _CONTRACT.items()},
        "required": list(_CONTRACT),
        "additionalProperties": False,
    },
    "InvoiceHead": record(INVOICE_HEAD, "An invoice of a list"),
    "InvoicePage": page("InvoiceHead", "Invoices, the newest month first"),
    "Invoice": record(
        {
            **INVOICE_HEAD,
            "customer": {"type": "string", "description": "Its id", "examples": ["EIS-0001"]},
            "name": {"type": "string", "description": "As it stood at issue"},
            "meter": {"type": "string", "examples": ["5614086"]},
            "tariff": {"type": "string", "examples": ["EIS-TOU"]},
            "start": instant("First instant of the period", "2021-09-01T00:00:00-06:00"),
            "end": instant("First instant after it", "2021-10-01T00:00:00-06:00"),
            "issued_at": instant("When it was posted", "2021-10-05T09:00:00-06:00"),
            "input_hash": {"type": "string", "description": "sha256 over everything that determines the amounts"},
            "lines": listed(ref("InvoiceLine"), "In print order; the last is the total"),
            "blocks": listed(ref("InvoiceBlock"), "By block, in the calendar's order"),
            "estimated": count("Intervals that were estimated", 0),
            "pdf": {"type": "string", "description": "Address of the PDF", "examples": ["/v1/invoices/FAC-000001.pdf"]},
        },
        "An issued invoice; it never changes",
    ),
    "InvoiceLine": record(_LINE, "A printed line"),
    "InvoiceBlock": record(_BLOCK, "What the invoice prints of a block"),
    "Reading": record(
        {
            "start": instant("Start of the interval of 15 minutes", "2021-09-01T00:00:00-06:00"),
            "kwh": number("Energy [kWh]", 2.95),
            "kw": number("Mean power [kW]", 11.8),
            "block": {"type": "string", "examples": ["VALLE"]},
            "quality": {"enum": ["measured", "estimated"]},
        },
        "One interval: as billed in an issued month, as it stands in others",
    ),
    "ReadingPage": page("Reading", "Intervals in order of time"),
    "Usage": record(
        {
            "start": instant("Start of the hour, day or month where the seller is", "2021-09-01T00:00:00-06:00"),
            "end": instant("Its end", "2021-09-02T00:00:00-06:00"),
            "kwh": number("Energy [kWh]", 3240.5),
            "max_kw": number("Greatest power of an interval [kW]", 510.48),
            "intervals": count("Intervals of 15 minutes that there are", 96),
            "estimated": count("How many of them are estimated", 0),
            "blocks": {
                "type": "object",
                "description": "The same by block, where the block has any",
                "additionalProperties": record(
                    {"kwh": number("Energy [kWh]", 1210.25), "max_kw": number("Greatest power [kW]", 590.1)}, "One block"
                ),
            },
        },
        "What was taken in an hour, a day or a month; the first and the last are cut where the range begins and ends",
    ),
    "UsagePage": page("Usage", "Hours, days or months in order of time"),
    "BillingRun": {
        **record(
            {
                "month": {"type": "string", "pattern": MONTH, "description": "Billing month", "examples": ["2021-09"]},
                "issue": {"type": "boolean", "default": False, "description": "Number and post the drafts"},
                "publish": {"type": "boolean", "default": False, "description": "Make the sites and PDFs"},
                "customers": {
                    **listed({**words("Its id", "EIS-0001", least=1, most=100)}, "These alone; left out: all"),
                    "minItems": 1,
                    "maxItems": MOST_CUSTOMERS,
                },
                "issued_on": {"type": "string", "pattern": DAY, "description": "Date of issue; left out: today", "examples": ["2021-10-05"]},
            },
            "A month to be billed",
            optional=("issue", "publish", "customers", "issued_on"),
        ),
        "examples": [{"month": "2021-09", "issue": True, "publish": True, "issued_on": "2021-10-05"}],
    },
    "Accepted": record(
        {
            "job": {"type": "string", "format": "uuid", "description": "To be asked for at /v1/jobs/{id}"},
            "state": {"enum": ["waiting"]},
        },
        "A job that will be done in the background",
    ),
    "UploadAccepted": record(
        {
            "job": {"type": "string", "format": "uuid", "description": "To be asked for at /v1/jobs/{id}"},
            "state": {"enum": ["waiting"]},
            "uploads": listed(
                record(
                    {
                        "id": {"type": "string", "format": "uuid"},
                        "name": {"type": "string", "examples": ["5741444.csv"]},
                        "bytes": count("Its size", 148211),
                        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                    },
                    "One file",
                ),
                "In the order in which they were sent",
            ),
        },
        "Files that are stored and will be read and imported in the background",
    ),
    "Job": record(
        {
            "id": {"type": "string", "format": "uuid"},
            "kind": {"type": "string", "description": "parse, ingest, bill, issue, publish, month, check", "examples": ["ingest"]},
            "subject": {"type": "string", "examples": ["5741444.csv"]},
            "state": {
                "enum": ["waiting", "running", "done", "refused", "failed"],
                "description": "refused: asking again as it is changes nothing; failed: a mistake, or nothing healed in time",
            },
            "asked_by": {"type": "string"},
            "asked_at": instant("When it was asked for", "2026-11-21T12:00:00+00:00"),
            "started_at": maybe(instant("When it was begun", "2026-11-21T12:00:01+00:00")),
            "ended_at": maybe(instant("When it ended", "2026-11-21T12:00:04+00:00")),
            "done": count("Pieces done", 3),
            "total": maybe(count("Of how many, where that is known", 8)),
            "result": {"description": "What came of it, by kind", "type": ["object", "null"]},
            "problem": {
                "type": ["object", "null"],
                "description": "Why it came to nothing, or waits",
                "properties": {"code": _WORD, "text": _WORD},
            },
        },
        "A job",
    ),
}  # fmt: skip
