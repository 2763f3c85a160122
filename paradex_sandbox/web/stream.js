// The WebSocket of Paradex: JSON-RPC for requests, binary frames for data. It reconnects by itself.

import { BOOK, decode } from "./sbe.js";

const CALL_TIMEOUT_MS = 5000;
const LONGEST_WAIT_MS = 5000;

class Unanswered extends Error {}

/** Keeps one channel per role ("book", "trades", …) subscribed, over reconnects.
 *
 * `on.frame(frame)` gets decoded frames, `on.state(text)` "live", "connecting" or "down", `on.error(text)` what went
 * wrong, `on.reset(role)` is called when a channel starts anew.
 */
export class Stream {
  lastMessageAt = null;
  #url;
  #on;
  #socket = null;
  #attempts = 0;
  #calls = new Map();
  #nextId = 1;
  #wanted = new Map();
  #active = new Map();
  #work = Promise.resolve();

  constructor(url, on) {
    this.#url = url;
    this.#on = on;
    this.#connect();
  }

  /** Whether the connection stands. */
  get live() {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** Subscribes `channel` in place of what the role had. */
  want(role, channel) {
    this.#wanted.set(role, channel);
    this.#sync();
  }

  /** Subscribes the role's channel once more, for a new snapshot. */
  renew(role) {
    this.#sync(role);
  }

  #connect() {
    this.#on.state("connecting");
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => {
      this.#attempts = 0;
      this.#on.state("live");
      this.#sync();
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = () => this.#closed();
  }

  #closed() {
    this.#active.clear();
    for (const call of this.#calls.values()) call.reject(new Error("the connection was lost"));
    this.#calls.clear();
    this.#attempts += 1;
    this.#on.state("down");
    setTimeout(() => this.#connect(), Math.min(250 * 2 ** this.#attempts, LONGEST_WAIT_MS));
  }

  #receive(data) {
    this.lastMessageAt = performance.now();
    let frame;
    try {
      if (typeof data === "string") {
        this.#answer(JSON.parse(data));
        return;
      }
      frame = decode(data);
    } catch {
      this.#on.error("a message was cut short and is left out");
      return;
    }
    // A frame does not say from which feed it is. Messages keep their order, so between the end of one subscription and
    // the acknowledgement of the next, books are the old feed's.
    if (frame === null || (frame.template === BOOK && !this.#active.has("book"))) return;
    this.#on.frame(frame);
  }

  #answer({ id, result, error }) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error) call?.reject(new Error([error.message, detail(error.data)].filter(Boolean).join(": ")));
    else call?.resolve(result);
  }

  /** One change of subscriptions at a time. */
  #sync(renewed) {
    this.#work = this.#work.then(async () => {
      if (!this.live) return;
      for (const [role, channel] of this.#wanted) {
        const active = this.#active.get(role);
        if (active === channel && role !== renewed) continue;
        this.#active.delete(role);
        try {
          if (active) await this.#call("unsubscribe", active);
          this.#on.reset(role);
          await this.#call("subscribe", channel);
          if (this.live) this.#active.set(role, channel);
        } catch (error) {
          if (!this.live) return;
          this.#on.error(`${channel}: ${error.message}`);
          // What the server has subscribed now is anybody's guess: a new connection starts from nothing.
          if (error instanceof Unanswered) this.#socket.close();
        }
      }
    });
  }

  #call(method, channel) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#calls.delete(id);
        reject(new Unanswered("no answer"));
      }, CALL_TIMEOUT_MS);
      this.#calls.set(id, {
        resolve: (result) => { clearTimeout(timer); resolve(result); },
        reject: (error) => { clearTimeout(timer); reject(error); },
      });
      this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params: { channel } }));
    });
  }
}

function detail(data) {
  return typeof data === "string" ? data : data?.error ?? "";
}
