"""Additions side by side: vectors of sums with their compensation, and of maxima, for numba's loops.

A processor adds several numbers at once, but a compiler uses that only where it can prove that nothing overlaps; it tests that
anew for every stretch of a few rows, and gives the rest to single additions. Here the vectors are written out, in LLVM's types,
which every processor has or imitates. No operation may be reordered or left out: the compensation would be nought.

All functions take C-contiguous float arrays and look at no border. Numba's cache on disk looks only at the file of the loop that
uses them: after a change here, touch :mod:`eisenergy.lanes` and :mod:`eisenergy.complete`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _vector(context: Any, builder: Any, kind: Any, array: Any, row: Any, width: int) -> Any:
    """Where ``width`` elements from ``row`` on lie."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [row]), ir.VectorType(ir.DoubleType(), width).as_pointer())


def _load(builder: Any, place: Any, width: int) -> Any:
    return builder.load(place, align=8, typ=ir.VectorType(ir.DoubleType(), width))


def _two_sum(builder: Any, before: Any, term: Any) -> tuple[Any, Any]:
    """The sum and what it lost (Knuth)."""
    after = builder.fadd(before, term)
    kept = builder.fsub(after, before)
    return after, builder.fadd(builder.fsub(before, builder.fsub(after, kept)), builder.fsub(term, kept))


def adder(width: int) -> Callable[..., Any]:
    """``add(values, row, total, lost, lane)``: add ``width`` values to as many lanes, and to their losses what that lost."""

    def add(_typing: Any, values: Any, _row: Any, total: Any, lost: Any, _lane: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            kinds = signature.args
            sums = _vector(context, builder, kinds[2], given[2], given[4], width)
            losses = _vector(context, builder, kinds[3], given[3], given[4], width)
            term = _load(builder, _vector(context, builder, kinds[0], given[0], given[1], width), width)
            after, error = _two_sum(builder, _load(builder, sums, width), term)
            kept = builder.fadd(_load(builder, losses, width), error)
            builder.store(after, sums, align=8)
            builder.store(kept, losses, align=8)
            return context.get_dummy_value()

        return types.void(values, types.intp, total, lost, types.intp), code

    return intrinsic(add)


def deviator(width: int) -> Callable[..., Any]:
    """``deviate(kwh, forecast, row, total, lost, lane, size)``: add ``width`` rows to four sums, ``size`` lanes apart.

    These are forecast and energy where less was taken than forecast, and where more was; not a number adds nothing.
    """

    def deviate(_typing: Any, kwh: Any, forecast: Any, _row: Any, total: Any, lost: Any, _lane: Any, _size: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            kinds = signature.args
            energy = _load(builder, _vector(context, builder, kinds[0], given[0], given[2], width), width)
            expected = _load(builder, _vector(context, builder, kinds[1], given[1], given[2], width), width)
            nothing = ir.Constant(energy.type, [0.0] * width)
            lane = given[5]
            for sign in (">", "<"):
                apart = builder.fcmp_ordered(sign, expected, energy)  # false for NaN
                for value in (expected, energy):
                    sums = _vector(context, builder, kinds[3], given[3], lane, width)
                    losses = _vector(context, builder, kinds[4], given[4], lane, width)
                    term = builder.select(apart, value, nothing)
                    after, error = _two_sum(builder, _load(builder, sums, width), term)
                    kept = builder.fadd(_load(builder, losses, width), error)
                    builder.store(after, sums, align=8)
                    builder.store(kept, losses, align=8)
                    lane = builder.add(lane, given[6])
            return context.get_dummy_value()

        return types.void(kwh, forecast, types.intp, total, lost, types.intp, types.intp), code

    return intrinsic(deviate)


def folder(width: int) -> Callable[..., Any]:
    """``fold(total, lost, lane, sums, losses, place)``: add ``width`` lanes, with what they lost, to as many others."""

    def fold(_typing: Any, total: Any, lost: Any, _lane: Any, sums: Any, losses: Any, _place: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            kinds = signature.args
            to_sums = _vector(context, builder, kinds[3], given[3], given[5], width)
            to_losses = _vector(context, builder, kinds[4], given[4], given[5], width)
            term = _load(builder, _vector(context, builder, kinds[0], given[0], given[2], width), width)
            more = _load(builder, _vector(context, builder, kinds[1], given[1], given[2], width), width)
            after, error = _two_sum(builder, _load(builder, to_sums, width), term)
            kept = builder.fadd(_load(builder, to_losses, width), builder.fadd(more, error))
            builder.store(after, to_sums, align=8)
            builder.store(kept, to_losses, align=8)
            return context.get_dummy_value()

        return types.void(total, lost, types.intp, sums, losses, types.intp), code

    return intrinsic(fold)


def raiser(width: int) -> Callable[..., Any]:
    """``raise_to(values, row, highest, lane)``: raise ``width`` maxima to as many values where these are higher."""

    def raise_to(_typing: Any, values: Any, _row: Any, highest: Any, _lane: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            kinds = signature.args
            best_at = _vector(context, builder, kinds[2], given[2], given[3], width)
            value = _load(builder, _vector(context, builder, kinds[0], given[0], given[1], width), width)
            best = _load(builder, best_at, width)
            higher = builder.select(builder.fcmp_ordered(">", value, best), value, best)
            # Without the zero LLVM stores only the lanes that rose, with an instruction that is three times slower on AMD.
            builder.store(builder.fadd(higher, ir.Constant(higher.type, [0.0] * width)), best_at, align=8)
            return context.get_dummy_value()

        return types.void(values, types.intp, highest, types.intp), code

    return intrinsic(raise_to)


@intrinsic
def _next_number(_typing: Any, counter: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, given[0]).data
        return builder.atomic_rmw("add", data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), code


next_number: Callable[..., Any] = _next_number
"""``next_number(counter)``: count on, and return the number before; no two threads are given the same one."""
