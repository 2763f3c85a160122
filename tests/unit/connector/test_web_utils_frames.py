"""Binary frames: those of an encoder of our own, which the SDK's codec reads too."""

import contextlib
import random
import re
import struct
from collections.abc import Callable
from decimal import Decimal

import pytest
from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_utils as utils,
    paradex_perpetual_web_utils as web_utils,
)
from hummingbot.connector.derivative.paradex_perpetual.paradex_perpetual_web_utils import (
    BookFrame,
    FrameError,
    SummaryFrame,
    TradeFrame,
    decode_frame,
)
from hummingbot.core.data_type.common import OrderType, PositionAction, TradeType
from hummingbot.core.data_type.in_flight_order import InFlightOrder, OrderState

from tests.unit.connector import frames, payloads
from tests.unit.connector.payloads import ADDRESS, MARKET, NOW, NOW_MS, PAIR

VERSIONS = [0, 1, 2]
NULL_DECIMAL = "-92233720368.54775808"  # what the SDK makes of a null where none should be
BIDS = [("60000", "0.5"), ("59999.5", "1.25")]
ASKS = [("60000.1", "0.00001")]

EXAMPLES: dict[str, Callable[..., bytes]] = {
    "book": lambda **layout: frames.book(11, BIDS, ASKS, **layout),
    "trade": frames.trade,
    "summary": frames.market_summary,
    "order": lambda **layout: frames.order("mine", **layout),
    "fill": lambda **layout: frames.fill("mine", **layout),
    "position": frames.position,
    "account": frames.account,
}


# Where the SDK's names are not those of the JSON.
JSON_NAMES = {
    20: {
        "order_id": "id",
        "client_order_id": "client_id",
        "order_type": "type",
        "time_in_force": "instruction",
        "size_open": "remaining_size",
        "updated_at": "last_updated_at",
    },
    21: {"fill_id": "id", "client_order_id": "client_id"},
    22: {"avg_entry_price": "average_entry_price", "updated_at": "last_updated_at"},
    23: {
        "initial_margin_req": "initial_margin_requirement",
        "maintenance_margin_req": "maintenance_margin_requirement",
    },
}
# Block, what version 2 appended to it, and how many texts follow, likewise.
PRIVATE_BLOCKS = {
    20: ("qqBBBBqqqqqqq32sqqBB", "BB", 4, 2),
    21: ("qqBBBqqqqq32sqq", "BQ", 5, 1),
    22: ("qqBqqqqqqqq32sqqqqqB", "", 2, 0),
    23: ("qqqqqqqqq32sqB", "q", 1, 0),
}


def random_private_frame(dice: random.Random, template: int, version: int, appended: bool) -> bytes:
    """A frame of any version with any values; `appended` for what version 2 added to the block, and for more."""
    values: dict[str, Callable[[], object]] = {
        "q": lambda: dice.choice([frames.NULL, 0, -1, dice.randrange(10**10), dice.randrange(-(2**63), 2**63)]),
        "Q": lambda: dice.randrange(2**64),
        "B": lambda: dice.choice([*range(9), dice.randrange(256)]),
        "32s": lambda: dice.randbytes(32) if dice.random() < 0.9 else bytes(32),
    }
    block, added, texts, added_texts = PRIVATE_BLOCKS[template]
    packed = b"".join(
        struct.pack("<" + code, values[code]()) for code in re.findall("32s|.", block + (added if appended else ""))
    )
    count = texts + (dice.randrange(added_texts + 1) if version >= 2 else 0)
    words = ["", "BTC-USD-PERP", "é" * dice.randrange(100), str(dice.randrange(10**30))]
    extra = dice.choice([0, 0, 3]) if appended else 0
    return frames.frame(template, packed, *(dice.choice(words) for _ in range(count)), version=version, extra=extra)


def rows(levels: list) -> list[tuple[float, float, int]]:
    return [(row.price, row.amount, row.update_id) for row in levels]


class TestEncoder:
    """The tests' own reading of the schema holds against the SDK's."""

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("name", EXAMPLES)
    def test_the_sdk_reads_every_version_of_every_frame(self, name: str, version: int) -> None:
        from paradex_py.api.sbe.codec import decode_frame as sdk_decode_frame

        channel, model = sdk_decode_frame(EXAMPLES[name](version=version))
        expected = {"book": "order_book", "trade": "trades", "summary": "markets_summary", "position": "positions"}
        assert channel is not None
        assert channel.split(".")[0] == expected.get(name, {"account": "account"}.get(name, f"{name}s"))
        assert model is not None
        if name != "account":
            assert model.market == MARKET  # the last text: everything before it was read at its place

    def test_the_sdk_reads_the_values(self) -> None:
        from paradex_py.api.sbe.codec import decode_frame as sdk_decode_frame

        book = sdk_decode_frame(frames.book(11, BIDS, ASKS, snapshot=True))[1]
        assert book is not None
        assert (book.seq_no, book.pkg_type, book.timestamp) == (11, "SNAPSHOT", NOW_MS)
        assert book.bids == [["60000.00000000", "0.50000000"], ["59999.50000000", "1.25000000"]]
        summary = sdk_decode_frame(frames.market_summary())[1]
        assert summary is not None
        assert (summary.mark_price, summary.last_price) == ("60010.50000000", "60001.10000000")
        assert (summary.funding_rate, summary.funding_rate_precise) == ("0.00012345", "0.000123456789")
        assert (summary.total_volume, summary.bid, summary.ask_size) == ("0.00000000", None, None)
        trade = sdk_decode_frame(frames.trade())[1]
        assert trade is not None
        assert (trade.trade_id_str, trade.side, trade.size) == ("1700000000000000000001", "BUY", "0.25000000")


class TestBook:
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("extra", [0, 1, 8, 100])
    @pytest.mark.parametrize("row_extra", [0, 4, 8])
    def test_a_book_is_read_by_the_lengths_that_it_states(self, version: int, extra: int, row_extra: int) -> None:
        frame = decode_frame(frames.book(11, BIDS, ASKS, version=version, extra=extra, row_extra=row_extra))
        assert isinstance(frame, BookFrame)
        assert (frame.market, frame.seq, frame.is_snapshot) == (MARKET, 11, False)
        assert frame.timestamp == pytest.approx(NOW)
        assert rows(frame.bids) == [(60000.0, 0.5, 11), (59999.5, 1.25, 11)]
        assert rows(frame.asks) == [(60000.1, 0.00001, 11)]

    def test_a_snapshot_and_empty_sides(self) -> None:
        frame = decode_frame(frames.book(12, snapshot=True))
        assert isinstance(frame, BookFrame)
        assert frame.is_snapshot
        assert (frame.bids, frame.asks) == ([], [])

    def test_the_short_block_of_the_first_layout_is_enough(self) -> None:
        block = struct.pack("<qqB", frames.NOW_US, 11, 0)
        groups = struct.pack("<HHqq", 16, 1, frames.fixed("1"), frames.fixed("2")) + struct.pack("<HH", 16, 0)
        frame = decode_frame(frames.frame(3, block, MARKET, groups=groups, version=0))
        assert isinstance(frame, BookFrame)
        assert rows(frame.bids) == [(1.0, 2.0, 11)]

    def test_an_empty_group_may_leave_the_length_of_its_rows_out(self) -> None:
        frame = frames.book(11, [], ASKS, snapshot=True)
        frame = frame[:97] + struct.pack("<HH", 0, 0) + frame[101:]
        book = decode_frame(frame)
        assert isinstance(book, BookFrame)
        assert (book.bids, rows(book.asks)) == ([], [(60000.1, 0.00001, 11)])
        display = web_utils.decode_display_book(frame)
        assert display is not None
        assert (display.bids, len(display.asks)) == ([], 1)

    def test_rows_shorter_than_price_and_size_are_refused(self) -> None:
        block = struct.pack("<qqB", frames.NOW_US, 11, 0)
        with pytest.raises(FrameError, match="1 levels of 8 bytes"):
            decode_frame(frames.frame(3, block, MARKET, groups=struct.pack("<HHqHH", 8, 1, 1, 16, 0)))

    def test_more_rows_than_the_frame_holds_are_refused(self) -> None:
        block = struct.pack("<qqB", frames.NOW_US, 11, 0)
        with pytest.raises(FrameError, match="65535 levels"):
            decode_frame(frames.frame(3, block, MARKET, groups=struct.pack("<HH", 16, 65535)))


class TestTrade:
    @pytest.mark.parametrize("extra", [0, 8])
    def test_a_trade_has_the_whole_id_and_the_takers_side(self, extra: int) -> None:
        assert decode_frame(frames.trade(extra=extra)) == TradeFrame(
            MARKET, "1700000000000000000001", True, 60000.5, 0.25, pytest.approx(NOW)
        )
        sold = decode_frame(frames.trade(side="SELL"))
        assert isinstance(sold, TradeFrame)
        assert not sold.is_buy

    @pytest.mark.parametrize("layout", [{"version": 0}, {"version": 1}, {"version": 2, "with_id": False}])
    def test_where_the_whole_id_is_missing_the_cut_off_one_stands_in(self, layout: dict) -> None:
        frame = decode_frame(frames.trade(trade_id="4711", **layout))
        assert isinstance(frame, TradeFrame)
        assert frame.trade_id == "4711"


class TestSummary:
    def test_the_rate_comes_with_twelve_decimals(self) -> None:
        assert decode_frame(frames.market_summary()) == SummaryFrame(
            market=MARKET,
            mark_price=Decimal("60010.5"),
            underlying_price=Decimal("60005.25"),
            last_price=Decimal("60001.1"),
            funding_rate=Decimal("0.000123456789"),
            timestamp=pytest.approx(NOW),
        )

    @pytest.mark.parametrize("layout", [{"version": 0}, {"version": 1, "precise_rate": None}, {"precise_rate": None}])
    def test_where_those_are_missing_it_has_eight(self, layout: dict) -> None:
        frame = decode_frame(frames.market_summary(rate="-0.00012345", **layout))
        assert isinstance(frame, SummaryFrame)
        assert frame.funding_rate == Decimal("-0.00012345")

    def test_a_longer_block_is_jumped_over(self) -> None:
        frame = decode_frame(frames.market_summary(extra=24))
        assert isinstance(frame, SummaryFrame)
        assert (frame.market, frame.funding_rate) == (MARKET, Decimal("0.000123456789"))

    @pytest.mark.parametrize("missing", ["mark", "index", "rate"])
    def test_without_its_prices_or_its_rate_it_tells_nothing(self, missing: str) -> None:
        assert decode_frame(frames.market_summary(**{missing: None})) is None

    def test_a_market_without_a_trade_has_no_last_price(self) -> None:
        frame = decode_frame(frames.market_summary(last=None))
        assert isinstance(frame, SummaryFrame)
        assert frame.last_price == 0


class TestPrivate:
    """Private payloads read like their JSON, so that one code takes both."""

    order = InFlightOrder("mine", PAIR, OrderType.LIMIT, TradeType.BUY, Decimal("0.5"), NOW, Decimal("60000"))

    @pytest.mark.parametrize("template", web_utils.PRIVATE_TEMPLATES)
    def test_whatever_a_frame_holds_it_is_what_the_sdks_codec_reads_in_it(self, template: int) -> None:
        from paradex_py.api.sbe.codec import decode_frame as sdk_decode_frame

        dice = random.Random(template)
        for _ in range(500):
            version, appended = dice.choice([(0, False), (1, False), (2, False), (2, True), (3, True)])
            frame = random_private_frame(dice, template, version, appended)
            channel, model = sdk_decode_frame(frame)
            assert channel is not None
            assert model is not None
            names = JSON_NAMES[template]
            expected = {names.get(name, name): value for name, value in model.model_dump().items()}
            # Numbers that are null where the schema has none, and sizes without a side, are left to be missed.
            expected = {name: None if value == NULL_DECIMAL else value for name, value in expected.items()}
            if template == web_utils.POSITION_TEMPLATE and expected["side"] is None and Decimal(expected["size"] or 0):
                expected["size"] = None
            event = decode_frame(frame)
            assert isinstance(event, dict)
            left_out = {name for name, value in expected.items() if value is None} - set(event["data"])
            assert left_out <= {"flags", "orderbook_seq_no", "fee_currency", "last_seen_notification"}
            for name in left_out:
                del expected[name]
            assert event == {"channel": channel, "data": expected}, frame.hex()

    @pytest.mark.parametrize(("name", "channel"), [("order", "orders"), ("fill", "fills"), ("position", "positions")])
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("extra", [0, 12])
    def test_all_that_the_connector_reads_is_there_under_its_json_name(
        self, name: str, channel: str, version: int, extra: int
    ) -> None:
        event = decode_frame(EXAMPLES[name](version=version, extra=extra if version == 2 else 0))
        assert isinstance(event, dict)
        assert event["channel"].split(".")[0] == channel
        data = event["data"]
        json = {"order": payloads.order("mine"), "fill": payloads.fill("mine"), "position": payloads.position()}[name]
        same = {
            "order": ["id", "client_id", "market", "status", "side", "type", "instruction", "created_at"],
            "fill": ["id", "fill_type", "client_id", "order_id", "market", "liquidity", "created_at"],
            "position": ["market", "status", "side", "last_updated_at"],
        }[name]
        assert {key: data[key] for key in same} == {key: json[key] for key in same}
        assert data["account"] == ADDRESS

    def test_an_order_is_the_same_update_from_either(self) -> None:
        for status, remaining, reason in [
            ("OPEN", "0.5", ""),
            ("OPEN", "0.2", ""),
            ("CLOSED", "0", ""),
            ("CLOSED", "0.5", "NOT_ENOUGH_MARGIN"),
        ]:
            binary = decode_frame(frames.order("mine", status, remaining_size=remaining, cancel_reason=reason))
            text = payloads.order("mine", status, remaining_size=remaining, cancel_reason=reason)
            assert isinstance(binary, dict)
            assert utils.order_update_from_payload(
                binary["data"], self.order, False
            ) == utils.order_update_from_payload(text, self.order, False)

    def test_a_fill_is_the_same_trade_from_either_and_so_counts_once(self) -> None:
        binary = decode_frame(frames.fill("mine"))
        assert isinstance(binary, dict)
        assert utils.trade_update_from_fill(binary["data"], self.order) == utils.trade_update_from_fill(
            payloads.fill("mine"), self.order
        )

    @pytest.mark.parametrize("version", [0, 1])
    def test_a_fill_without_a_fee_currency_was_paid_in_usdc(self, version: int) -> None:
        binary = decode_frame(frames.fill("mine", version=version))
        assert isinstance(binary, dict)
        assert utils.trade_update_from_fill(binary["data"], self.order).fee.flat_fees[0].token == "USDC"

    @pytest.mark.parametrize(("side", "amount"), [("LONG", "0.5"), ("SHORT", "-0.5")])
    def test_a_position_gets_its_sign_back(self, side: str, amount: str) -> None:
        event = decode_frame(frames.position("0.5", side))
        assert isinstance(event, dict)
        position = utils.position_from_payload(event["data"], PAIR, 1)
        assert position is not None
        assert (position.amount, position.entry_price) == (Decimal(amount), Decimal("59000"))
        closed = decode_frame(frames.position("0", side, status=2))
        assert isinstance(closed, dict)
        assert utils.position_from_payload(closed["data"], PAIR, 1) is None

    @pytest.mark.parametrize("change", [(16, b"\xfe"), (17, struct.pack("<q", frames.NULL))], ids=["side", "size"])
    def test_a_position_of_which_it_is_not_known_what_it_is_is_no_position(self, change: tuple[int, bytes]) -> None:
        offset, value = 8 + change[0], change[1]
        frame = frames.position("0.5", "SHORT")
        event = decode_frame(frame[:offset] + value + frame[offset + len(value) :])
        assert isinstance(event, dict)
        with pytest.raises(utils.PAYLOAD_ERRORS):
            utils.position_from_payload(event["data"], PAIR, 1)

    def test_a_position_whose_side_has_no_name_is_refused_unless_it_is_closed(self) -> None:
        event = decode_frame(frames.position("0.5", ""))
        assert isinstance(event, dict)
        with pytest.raises(ValueError, match="side should be LONG or SHORT"):
            utils.position_from_payload(event["data"], PAIR, 1)
        closed = decode_frame(frames.position("0", "", status=2))
        assert isinstance(closed, dict)
        assert utils.position_from_payload(closed["data"], PAIR, 1) is None

    @pytest.mark.parametrize("version", VERSIONS)
    def test_an_account_tells_its_free_collateral(self, version: int) -> None:
        event = decode_frame(frames.account("10.5", version=version))
        assert isinstance(event, dict)
        assert event["channel"] == "account"
        assert Decimal(event["data"]["free_collateral"]) == Decimal("10.5")
        assert event["data"]["initial_margin_requirement"] == "5.00000000"
        assert event["data"]["maintenance_margin_requirement"] == "2.50000000"

    @pytest.mark.parametrize(("flags", "retail"), [(0, False), (1, False), (8, True), (9, True)])
    def test_a_retail_order_is_known_by_its_flag(self, flags: int, retail: bool) -> None:
        event = decode_frame(frames.order("mine", flags=flags))
        assert isinstance(event, dict)
        assert utils.is_retail(event["data"]) is retail

    def test_an_order_whose_status_has_no_name_yet_is_refused_and_not_guessed(self) -> None:
        frame = bytearray(frames.order("mine"))
        frame[8 + 16] = 200
        event = decode_frame(bytes(frame))
        assert isinstance(event, dict)
        with pytest.raises(ValueError, match="unknown status"):
            utils.order_state(event["data"], False)

    def test_a_known_state_survives_a_binary_update(self) -> None:
        event = decode_frame(frames.order("mine", "CLOSED", remaining_size="0.5", cancel_reason="USER_CANCELED"))
        assert isinstance(event, dict)
        order = InFlightOrder(
            "mine", PAIR, OrderType.LIMIT, TradeType.BUY, Decimal("0.5"), NOW, position=PositionAction.OPEN
        )
        assert utils.order_update_from_payload(event["data"], order, True).new_state is OrderState.CANCELED


class TestBadFrames:
    @pytest.mark.parametrize("template", [0, 5, 6, 40, 41, 99, 65535])
    def test_templates_that_nobody_needs_are_skipped(self, template: int) -> None:
        assert decode_frame(frames.frame(template, b"\x00" * 32, "whatever")) is None
        assert decode_frame(frames.heartbeat()) is None

    def test_another_schema_is_refused(self) -> None:
        with pytest.raises(FrameError, match="schema 7"):
            decode_frame(frames.frame(3, b"\x00" * 100, MARKET, schema=7))

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("name", EXAMPLES)
    def test_a_frame_cut_off_anywhere_is_an_error_and_nothing_else(self, name: str, version: int) -> None:
        whole = EXAMPLES[name](version=version)
        decode_frame(whole)
        optional_texts = {"trade": 23, "fill": 5, "order": 2}[name] if name in ("trade", "fill", "order") else 0
        for length in range(len(whole)):
            try:
                decode_frame(whole[:length])
            except FrameError:
                continue
            # Only between the texts that later versions append may it end early.
            assert version == 2, length
            assert length >= len(whole) - optional_texts, length

    @pytest.mark.parametrize("stated", [0, 1, 7, 16, 2000, 65535])
    @pytest.mark.parametrize("name", ["book", "trade", "summary"])
    def test_a_block_length_that_lies_is_an_error(self, name: str, stated: int) -> None:
        whole = bytearray(EXAMPLES[name]())
        struct.pack_into("<H", whole, 0, stated)
        with pytest.raises(FrameError):
            decode_frame(bytes(whole))

    def test_a_text_that_is_no_text_is_an_error(self) -> None:
        for whole in (frames.trade(with_id=False), frames.order("mine", version=1)):
            with pytest.raises(FrameError):
                decode_frame(whole.replace(b"BTC", b"\xff\xfe\xfd"))

    @pytest.mark.parametrize("noise", [b"", b"\x00", b"\xff" * 7, b"\xff" * 200, b"\x00" * 200, b"[]", b"null"])
    def test_noise_is_an_error_or_nothing(self, noise: bytes) -> None:
        with contextlib.suppress(FrameError):
            assert decode_frame(noise) is None

    def test_errors_are_short_enough_for_a_log(self) -> None:
        with pytest.raises(FrameError) as error:
            decode_frame(frames.book(1, BIDS * 100, ASKS)[:500])
        assert len(str(error.value)) < 200


def test_the_module_decodes_without_the_sdk() -> None:
    """Its import takes seconds."""
    import subprocess
    import sys

    program = (
        "import sys\n"
        "from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_web_utils as web_utils\n"
        "from hummingbot.connector.derivative.paradex_perpetual import paradex_perpetual_auth\n"
        f"assert web_utils.decode_frame(bytes.fromhex('{frames.book(11, BIDS, ASKS).hex()}')).seq == 11\n"
        f"assert web_utils.decode_frame(bytes.fromhex('{frames.order('mine').hex()}'))['data']['client_id'] == 'mine'\n"
        "assert not [name for name in sys.modules if name.startswith('paradex_py')]\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert web_utils.PRIVATE_TEMPLATES == (20, 21, 22, 23)
