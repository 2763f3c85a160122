// The order book of one market, from snapshots and deltas.

import { number } from "./format.js";
import { $, rows } from "./dom.js";

const DEPTH = 15;

export class Book {
  seq = null;
  #sides = { bids: new Map(), asks: new Map() };

  /** Forgets everything; the next snapshot starts anew. */
  reset() {
    this.seq = null;
    this.#sides.bids.clear();
    this.#sides.asks.clear();
  }

  /** Takes a frame; false if one before it is missing. Deltas before the first snapshot, and old ones, are passed over. */
  apply(frame) {
    if (frame.isDelta) {
      if (this.seq === null || frame.seq <= this.seq) return true;
      if (frame.seq !== this.seq + 1n) return false;
    } else {
      this.reset();
    }
    this.seq = frame.seq;
    for (const side of ["bids", "asks"]) {
      for (const [price, size] of frame[side]) {
        if (size === "0") this.#sides[side].delete(price);
        else this.#sides[side].set(price, size);
      }
    }
    return true;
  }

  /** [price, size, total so far] of the best levels, best first. */
  levels(side) {
    const best = side === "bids" ? -1 : 1;
    const sorted = [...this.#sides[side]].sort((a, b) => best * (Number(a[0]) - Number(b[0]))).slice(0, DEPTH);
    let total = 0;
    return sorted.map(([price, size]) => [price, size, (total += Number(size))]);
  }
}

/** Draws the book; `own` maps a price to the title of the accounts' orders there. */
export function renderBook(book, { pricePlaces, sizePlaces, own }) {
  const bids = book.levels("bids"), asks = book.levels("asks");
  const deepest = Math.max(bids.at(-1)?.[2] ?? 0, asks.at(-1)?.[2] ?? 0) || 1;
  const draw = (body, levels, kind) => rows(
    body,
    levels,
    ([price]) => price,
    ([price, size, total]) => [
      { text: number(price, pricePlaces), kind, title: own.get(price) ?? "" },
      number(size, sizePlaces),
      number(total, sizePlaces),
    ],
    ([price, , total]) => ({ kind: `${kind}-depth${own.has(price) ? " own" : ""}`, bar: (100 * total) / deepest }),
  );
  draw($("#ask-rows"), asks.reverse(), "down");
  draw($("#bid-rows"), bids, "up");
  $("#spread").textContent = spread(book, bids[0], asks.at(-1), pricePlaces);
}

function spread(book, bid, ask, places) {
  if (book.seq === null) return "waiting for the book";
  if (!bid || !ask) return "one side is empty";
  const width = Number(ask[0]) - Number(bid[0]);
  const bps = (20000 * width) / (Number(ask[0]) + Number(bid[0]));
  return `spread ${width.toFixed(places)} (${bps.toFixed(2)} bps), sequence ${book.seq}`;
}
