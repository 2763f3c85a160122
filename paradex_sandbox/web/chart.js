// Candles of the trades that were seen, on a canvas.

import { number, time } from "./format.js";

const WIDTHS_MS = [1000, 5000, 15000, 60000, 300000, 900000, 3600000];
const MOST_CANDLES = 110;
const MOST_TRADES = 4000;
const AXIS = 74, FOOT = 18, VOLUME_SHARE = 0.18;

export class Chart {
  #canvas;
  #trades = [];

  constructor(canvas) {
    this.#canvas = canvas;
  }

  /** Starts with `trades`, oldest first: {created_at (ms), price, size}. */
  start(trades) {
    this.#trades = trades.map(plain);
  }

  add(trade) {
    this.#trades.push(plain(trade));
    if (this.#trades.length > MOST_TRADES) this.#trades.splice(0, MOST_TRADES / 4);
  }

  draw(mark, places) {
    const canvas = this.#canvas, ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name);
    pen.font = `11px ${style.fontFamily}`;
    pen.textBaseline = "middle";
    const candles = this.#candles();
    if (!candles.length) {
      pen.fillStyle = colour("--dim");
      pen.fillText("no trades yet", 12, height / 2);
      return;
    }
    const bounds = candles.flatMap((candle) => [candle.low, candle.high]).concat(mark ? [mark] : []);
    let low = Math.min(...bounds), high = Math.max(...bounds);
    const margin = (high - low || high * 0.001) * 0.06;
    low -= margin;
    high += margin;
    const right = width - AXIS, bottom = height - FOOT, room = bottom * (1 - VOLUME_SHARE);
    const y = (price) => ((high - price) / (high - low)) * room;
    const step = right / Math.max(candles.length, 30);
    const x = (index) => (index + 0.5) * step;

    pen.fillStyle = colour("--dim");
    pen.strokeStyle = colour("--line");
    for (let line = 0; line <= 4; line++) {
      const price = high - ((line + 0.5) * (high - low)) / 5;
      stroke(pen, 0, y(price), right, y(price));
      if (!mark || Math.abs(y(price) - y(mark)) > 14) pen.fillText(number(price, places), right + 6, y(price));
    }
    pen.textAlign = "center";
    for (let index = Math.round(60 / step); index < candles.length; index += Math.ceil(110 / step)) {
      pen.fillText(time(candles[index].at), x(index), bottom + FOOT / 2);
    }
    pen.textAlign = "left";

    const most = Math.max(...candles.map((candle) => candle.volume)) || 1;
    const body = Math.max(1, step * 0.62);
    candles.forEach((candle, index) => {
      const tone = colour(candle.close >= candle.open ? "--up" : "--down");
      pen.fillStyle = pen.strokeStyle = tone;
      stroke(pen, x(index), y(candle.high), x(index), y(candle.low));
      const top = y(Math.max(candle.open, candle.close));
      pen.fillRect(x(index) - body / 2, top, body, Math.max(1, y(Math.min(candle.open, candle.close)) - top));
      pen.globalAlpha = 0.35;
      const volume = (candle.volume / most) * bottom * VOLUME_SHARE * 0.9;
      pen.fillRect(x(index) - body / 2, bottom - volume, body, volume);
      pen.globalAlpha = 1;
    });
    if (mark) {
      pen.strokeStyle = pen.fillStyle = colour("--accent");
      pen.setLineDash([3, 3]);
      stroke(pen, 0, y(mark), right, y(mark));
      pen.setLineDash([]);
      pen.fillRect(right, y(mark) - 8, AXIS, 16);
      pen.fillStyle = colour("--panel");
      pen.fillText(number(mark, places), right + 6, y(mark));
    }
  }

  /** Candles as narrow as fit; periods without trades are left out. */
  #candles() {
    const trades = this.#trades;
    if (!trades.length) return [];
    for (const width of WIDTHS_MS) {
      const candles = [];
      for (const { at, price, size } of trades) {
        const start = at - (at % width);
        const last = candles.at(-1);
        if (last?.at === start) {
          last.high = Math.max(last.high, price);
          last.low = Math.min(last.low, price);
          last.close = price;
          last.volume += size;
        } else {
          candles.push({ at: start, open: price, high: price, low: price, close: price, volume: size });
        }
      }
      if (candles.length <= MOST_CANDLES || width === WIDTHS_MS.at(-1)) return candles.slice(-MOST_CANDLES);
    }
    return [];
  }
}

function plain(trade) {
  return { at: trade.created_at, price: Number(trade.price), size: Number(trade.size) };
}

function stroke(pen, fromX, fromY, toX, toY) {
  pen.beginPath();
  pen.moveTo(fromX, fromY);
  pen.lineTo(toX, toY);
  pen.stroke();
}
