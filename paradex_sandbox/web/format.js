// Numbers and times as text. Amounts arrive as decimal strings and stay strings: only what is drawn becomes a float.

const NONE = "–";

/** Decimal places of a step like "0.10" (1), "1" (0) or "0.000001" (6). */
export function placesOf(step) {
  const digits = step.includes(".") ? step.replace(/0+$/, "") : step;
  return digits.includes(".") ? digits.length - digits.indexOf(".") - 1 : 0;
}

/** "1234567.8" as "1,234,567.80"; without `places` the digits stay as they are. Empty and null as a dash. */
export function number(text, places) {
  if (text === null || text === undefined || text === "") return NONE;
  const plain = places === undefined ? String(text) : Number(text).toFixed(places);
  const [whole, fraction] = plain.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** A rate as a signed percentage: "0.0123" as "+1.23%". */
export function percent(text, places = 2) {
  if (text === null || text === undefined || text === "") return NONE;
  const value = Number(text) * 100;
  return `${value > 0 ? "+" : ""}${value.toFixed(places)}%`;
}

/** A signed amount of money: "12.5" as "+12.50". */
export function signed(text, places = 2) {
  if (text === null || text === undefined || text === "") return NONE;
  const value = Number(text);
  return (value > 0 ? "+" : "") + number(text, places);
}

/** Thousands, millions, billions. */
export function short(text) {
  const value = Number(text);
  for (const [size, unit] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(value) >= size) return (value / size).toFixed(2) + unit;
  }
  return value.toFixed(2);
}

/** Unix milliseconds as the time of day, UTC. */
export function time(ms) {
  return new Date(Number(ms)).toISOString().slice(11, 19);
}

/** Unix milliseconds as date and time, UTC. */
export function dateTime(ms) {
  return new Date(Number(ms)).toISOString().slice(0, 19).replace("T", " ");
}

/** An address or key, shortened in the middle. */
export function brief(address) {
  return address.length > 14 ? `${address.slice(0, 8)}…${address.slice(-4)}` : address;
}

/** Class name for a gain or a loss. */
export function sign(text) {
  const value = Number(text);
  return value > 0 ? "up" : value < 0 ? "down" : "";
}
