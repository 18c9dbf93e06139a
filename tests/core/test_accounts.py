"""Scopes: who may see and change what."""

from __future__ import annotations

import pytest

from eisenergy.accounts import OutOfScope, Role, Scope


def test_an_operator_sees_and_changes_all_of_one_client():
    scope = Scope.operator("EIS")
    assert (scope.client, scope.role, scope.customers) == ("EIS", Role.CLIENT_ADMIN, None)
    scope.check("EIS-0001")
    scope.check_writes()


def test_a_customer_sees_only_itself_and_changes_nothing():
    scope = Scope.customer("EIS", "EIS-0001")
    scope.check("EIS-0001")
    with pytest.raises(OutOfScope, match="customer EIS-0002 is outside the scope") as caught:
        scope.check("EIS-0002")
    assert "EIS-0001" not in str(caught.value)  # a refusal tells nothing of what the caller may see
    with pytest.raises(OutOfScope, match="CUSTOMER_USER reads only"):
        scope.check_writes()


@pytest.mark.parametrize(
    ("role", "writes"),
    [
        (Role.SYSTEM_ADMIN, True),
        (Role.CLIENT_ADMIN, True),
        (Role.CUSTOMER_MANAGER, False),
        (Role.CUSTOMER_USER, False),
    ],
)
def test_who_writes(role, writes):
    assert Scope(client="EIS", role=role, customers=frozenset({"EIS-0001"})).writes is writes


@pytest.mark.parametrize("role", [Role.CUSTOMER_MANAGER, Role.CUSTOMER_USER])
def test_a_customers_role_without_customers_is_refused(role):
    with pytest.raises(ValueError, match="names its customers"):
        Scope(client="EIS", role=role)


def test_a_manager_of_no_customer_sees_none():
    with pytest.raises(OutOfScope):
        Scope(client="EIS", role=Role.CUSTOMER_MANAGER, customers=frozenset()).check("EIS-0001")
