// Paradex's binary frames (SBE schema 1), as far as this page shows them. Little-endian; prices and sizes are int64 in
// units of 10⁻⁸, times are microseconds, the int64 minimum is null.

export const TRADE = 1, BOOK = 3, MARKET_SUMMARY = 4, HEARTBEAT = 40;

const HEADER_BYTES = 8;
const NULL = -(2n ** 63n);
const SIDES = { 1: "BUY", 2: "SELL" };
const text = new TextDecoder();

/** An int64 as a decimal string without trailing zeros: 9325050000000n with 8 places as "93250.5". */
export function decimal(value, places = 8) {
  if (value === NULL) return null;
  const digits = (value < 0n ? -value : value).toString().padStart(places + 1, "0");
  const fraction = digits.slice(-places).replace(/0+$/, "");
  return (value < 0n ? "-" : "") + digits.slice(0, -places) + (fraction && `.${fraction}`);
}

/** A frame as an object with its `template`; null if the template is none of the above. Throws on a frame cut short. */
export function decode(buffer) {
  const view = new DataView(buffer);
  const blockLength = view.getUint16(0, true);
  const template = view.getUint16(2, true);
  const block = {
    int64: (offset) => view.getBigInt64(HEADER_BYTES + offset, true),
    uint8: (offset) => view.getUint8(HEADER_BYTES + offset),
  };
  // The block length in the header is what counts: a newer server appends fields.
  const tail = new Tail(view, HEADER_BYTES + blockLength);
  switch (template) {
    case TRADE: return trade(block, tail);
    case BOOK: return book(block, tail);
    case MARKET_SUMMARY: return marketSummary(block, blockLength, tail);
    case HEARTBEAT: return { template };
    default: return null;
  }
}

function trade(block, tail) {
  return {
    template: TRADE,
    side: SIDES[block.uint8(24)] ?? "?",
    price: decimal(block.int64(25)),
    size: decimal(block.int64(33)),
    created_at: Number(block.int64(41) / 1000n),
    market: tail.string(),
    // The int64 trade id of the block does not hold a whole id, so it is not read.
    id: tail.string(),
  };
}

function book(block, tail) {
  return {
    template: BOOK,
    seq: block.int64(8),
    isDelta: block.uint8(16) === 1,
    bids: tail.levels(),
    asks: tail.levels(),
    market: tail.string(),
  };
}

function marketSummary(block, blockLength, tail) {
  const field = (index) => decimal(block.int64(8 * index));
  const precise = blockLength >= 8 * 30 ? decimal(block.int64(8 * 29), 12) : null;
  return {
    template: MARKET_SUMMARY,
    symbol: tail.string(),
    mark_price: field(2),
    underlying_price: field(3),
    last_traded_price: field(4),
    volume_24h: field(5),
    open_interest: field(6),
    funding_rate: precise ?? field(7),
    bid: field(8),
    ask: field(9),
    price_change_rate_24h: field(11),
  };
}

/** What follows the block: groups, then strings. */
class Tail {
  #view;
  #offset;

  constructor(view, offset) {
    this.#view = view;
    this.#offset = offset;
  }

  levels() {
    const entryBytes = this.#view.getUint16(this.#offset, true);
    const count = this.#view.getUint16(this.#offset + 2, true);
    const start = this.#offset + 4;
    this.#offset = start + entryBytes * count;
    return Array.from({ length: count }, (_, index) => [
      decimal(this.#view.getBigInt64(start + index * entryBytes, true)),
      decimal(this.#view.getBigInt64(start + index * entryBytes + 8, true)),
    ]);
  }

  string() {
    // Appended strings may be absent at the end.
    if (this.#offset >= this.#view.byteLength) return "";
    const length = this.#view.getUint8(this.#offset);
    const start = this.#offset + 1;
    this.#offset = start + length;
    return text.decode(new Uint8Array(this.#view.buffer, start, length));
  }
}
