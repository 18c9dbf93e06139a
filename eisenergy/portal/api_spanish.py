"""Texts of tokens and the interface for programs in Spanish, for El Salvador; ``{...}`` are filled in."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "tokens": "Fichas de acceso",
    "tokens.lead": "Con una ficha, un programa entra por la interfaz {path} en lugar de una persona, con los mismos permisos o con menos.",
    "tokens.own": "Mis fichas",
    "tokens.clients": "Fichas de todas las cuentas de este vendedor. Quitar una la termina de inmediato, con los trabajos que pidió y aún no empiezan.",
    "tokens.none": "No hay fichas.",
    "token.new": "Ficha nueva",
    "token.name": "Nombre",
    "token.name.lead": "Para reconocerla: el programa que la usa.",
    "token.place": "Vendedor",
    "token.everywhere": "Todos los vendedores",
    "token.customers": "Solo estos clientes",
    "token.customers.lead": "Códigos separados por comas. Vacío: todo lo que su cuenta puede.",
    "token.days": "Vigencia",
    "token.days.count": "{days} días",
    "token.make": "Crear la ficha",
    "token.fresh": "Esta es la ficha. Cópiela ahora: no se vuelve a mostrar.",
    "token.owner": "Cuenta",
    "token.used": "Último uso",
    "token.used.never": "nunca",
    "token.until": "Vence",
    "token.end": "Quitar",
    "token.ended": "La ficha {name} terminó.",
    "token.state.active": "vigente",
    "token.state.ended": "quitada",
    "token.state.expired": "vencida",
    "token.bad": "Revise el nombre (de 1 a 100 caracteres), el vendedor, los clientes y la vigencia; una cuenta tiene {most} fichas a lo sumo.",
    "token.more": "Una ficha no puede más que la cuenta de su dueño.",
    "interface": "Interfaz para programas",
    "interface.lead": "Rutas de la interfaz. La descripción completa, con ejemplos, está en {path} (OpenAPI 3.1, en inglés).",
    "interface.first": "Cada solicitud lleva una ficha: Authorization: Bearer eis_… Las cookies no cuentan.",
    "interface.route": "Ruta",
    "interface.does": "Qué hace",
    "interface.problems": "Tipos de problema",
    "interface.status": "Estado",
}
