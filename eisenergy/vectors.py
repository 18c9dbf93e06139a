"""Additions side by side: vectors of sums with their compensation, and of maxima, for numba's loops.

A processor adds several numbers at once, but a compiler uses that only where it can prove that nothing overlaps; it tests that
anew for every stretch of a few rows, and gives the rest to single additions. Here the vectors are written out, in LLVM's types,
which every processor has or imitates. No operation may be reordered or left out: the compensation would be nought.

All functions take C-contiguous float arrays and look at no border. Numba's cache on disk looks only at the file of the loop that
uses them: after a change here, touch :mod:`eisenergy.lanes` and :mod:`eisenergy.complete`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_SWEPT: Final = (
    *("kwh", "kw", "row", "ahead", "chunk", "begin", "end"),
    *("total", "lost", "highest", "lane"),
)
_LINE: Final = 8  # numbers that come from the memory together
_PREFETCH: Final = "llvm.prefetch.p0"


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


def sweeper(width: int, rows: int, *, peaks: bool) -> Callable[..., Any]:
    """``sweep(kwh, kw, row, ahead, chunk, begin, end, total, lost, highest, lane)``: the lanes of many chunks, in the processor's registers.

    For each number ``n`` of ``chunk[begin:end]`` it takes the ``width`` rows from ``row + n * rows`` on, as :func:`adder` and :func:`raiser`
    would, and stores the lanes at the end; they begin with nothing. Meanwhile as many rows from ``ahead`` on, one after the other, are called
    from the memory: additions and memory would otherwise take turns.

    :param rows: rows from one chunk to the next
    :param peaks: whether to look for maxima; without them ``kw`` and ``highest`` are passed over
    """

    def sweep(
        _typing: Any, kwh: Any, kw: Any, _row: Any, _ahead: Any, chunk: Any, _a: Any, _b: Any, total: Any, lost: Any, highest: Any, _lane: Any
    ) -> Any:  # fmt: skip
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            kinds = dict(zip(_SWEPT, signature.args, strict=True))
            values = dict(zip(_SWEPT, given, strict=True))
            columns = ("kwh", "kw") if peaks else ("kwh",)
            vector, number = ir.VectorType(ir.DoubleType(), width), values["begin"].type
            nothing = ir.Constant(vector, [0.0] * width)
            first = {"total": nothing, "lost": nothing, "highest": ir.Constant(vector, [float("-inf")] * width)}
            if not peaks:
                del first["highest"]
            chunks = context.make_array(kinds["chunk"])(context, builder, values["chunk"]).data
            before = builder.basic_block
            loop, done = builder.append_basic_block("sweep"), builder.append_basic_block("swept")
            builder.cbranch(builder.icmp_signed("<", values["begin"], values["end"]), loop, done)

            builder.position_at_end(loop)
            at = builder.phi(number)
            at.add_incoming(values["begin"], before)
            beyond = builder.phi(number)
            beyond.add_incoming(values["ahead"], before)
            lanes = {name: builder.phi(vector) for name in first}
            for name, phi in lanes.items():
                phi.add_incoming(first[name], before)
            place = builder.load(builder.gep(chunks, [at]), typ=number)
            row = builder.add(values["row"], builder.mul(place, ir.Constant(number, rows)))
            for name in columns:
                for element in range(0, width, _LINE):
                    line = builder.add(beyond, ir.Constant(number, element))
                    _call_up(builder, _vector(context, builder, kinds[name], values[name], line, width))
            term = _load(builder, _vector(context, builder, kinds["kwh"], values["kwh"], row, width), width)
            after, error = _two_sum(builder, lanes["total"], term)
            found = {"total": after, "lost": builder.fadd(lanes["lost"], error)}
            if peaks:
                value = _load(builder, _vector(context, builder, kinds["kw"], values["kw"], row, width), width)
                best = lanes["highest"]
                found["highest"] = builder.select(builder.fcmp_ordered(">", value, best), value, best)
            following = builder.add(at, ir.Constant(number, 1))
            at.add_incoming(following, loop)
            beyond.add_incoming(builder.add(beyond, ir.Constant(number, width)), loop)
            for name, phi in lanes.items():
                phi.add_incoming(found[name], loop)
            builder.cbranch(builder.icmp_signed("<", following, values["end"]), loop, done)

            builder.position_at_end(done)
            ends = {name: builder.phi(vector) for name in first}
            for name, last in ends.items():
                last.add_incoming(first[name], before)
                last.add_incoming(found[name], loop)
            for name, last in ends.items():
                to = _vector(context, builder, kinds[name], values[name], values["lane"], width)
                builder.store(last, to, align=8)
            return context.get_dummy_value()

        number = types.intp
        return types.void(kwh, kw, number, number, chunk, number, number, total, lost, highest, number), code

    return intrinsic(sweep)


def _call_up(builder: Any, place: Any) -> None:
    """Ask the memory for a line that will be read soon; nothing happens where there is none."""
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
    ask = builder.module.globals.get(_PREFETCH) or ir.Function(builder.module, kind, _PREFETCH)
    reading, second_cache, data = 0, 2, 1
    builder.call(
        ask, [builder.bitcast(place, byte), *(ir.Constant(flag, each) for each in (reading, second_cache, data))]
    )


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
