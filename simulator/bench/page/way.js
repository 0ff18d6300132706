// The stages of a press's path: pins, events, outbox, wire, acknowledgements, rows.

import { timeOfDay } from "./times.js";

const LINES_MAX = 120; // per stage
const CHIPS_MAX = 60;
const byId = (id) => document.getElementById(id);
const NAMES = { yes: "Yes", no: "No", cant_say: "Can’t say", seller: "Seller" };
let lines = new Map(); // of events: epoch and number -> the chip in its line, and how far it has come
let numbers = new Map(); // of the epoch in use: number -> its chip
let through = new Map(); // epoch -> acknowledged up to this number
let epoch = null;
let lowest = 0; // the lowest number in flash
let range = null; // what waits, read from flash
let lastHealth = null; // the console's own report in this run, used when it works without flash
let isRunning = false;
let hasBrokenRule = false;

function element(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

// What was there before this bench began has no time of this bench: `atMs` is null.
function timeElement(atMs) {
  if (atMs === null) return element("span", "earlier", "earlier");
  const time = element("time", timeOfDay(atMs));
  time.dateTime = new Date(atMs).toISOString();
  return time;
}

function line(list, atMs, ...parts) {
  const item = element("li");
  item.append(timeElement(atMs), " ", ...parts);
  const target = byId(list);
  const isScrolledBack = target.scrollTop > 4; // then the lines in view stay where they are
  const before = target.scrollHeight;
  target.prepend(item);
  if (target.children.length > LINES_MAX) target.lastElementChild.remove();
  if (isScrolledBack) target.scrollTop += target.scrollHeight - before;
  return item;
}

// Tab stops once at the list of messages; arrow keys move through it, Enter opens a message.
export function setUp() {
  byId("wire").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = [...byId("wire").querySelectorAll("summary")];
    all[Math.max(0, all.indexOf(document.activeElement) + step)]?.focus();
    event.preventDefault();
  });
}

export function clear() {
  for (const list of ["pins", "events", "wire", "acks", "rows"]) byId(list).replaceChildren();
  lines = new Map();
  through = new Map();
  lastHealth = null;
  hasBrokenRule = false;
  use(null);
  showRange();
}

function use(newEpoch) {
  epoch = newEpoch;
  range = null;
  lowest = 0;
  numbers = new Map();
  byId("outbox-numbers").replaceChildren();
  byId("through").textContent = through.has(epoch) ? `through ${through.get(epoch)}` : "nothing yet";
}

export function pin(entry) {
  const className = entry.name === "seller" ? "seller-word" : entry.name;
  const what = entry.kind === "lamp" ? (entry.on ? "lamp lit" : "lamp dark") : entry.on ? "contact closed" : "contact open";
  line("pins", entry.at_ms, element("b", NAMES[entry.name], className), ` ${what}`);
}

export function sound(entry) {
  if (entry.track !== null) line("pins", entry.at_ms, `voice: track ${entry.track}`);
  else if (entry.hertz) line("pins", entry.at_ms, `tone ${entry.hertz} Hz`);
}

const words = (name) => name.replaceAll("cant_say", "can’t say").replaceAll("_", " ");

export function eventWords(event) {
  const rest = [event.outcome, event.cause, event.button, event.reason, event.source, event.reset].filter(Boolean);
  return [words(event.type), rest.map(words).join(", ")];
}

// An event shows as soon as it is in flash or arrives at the broker (one from RAM is never in flash). True if it is new.
export const kept = (entry) => showEvent(entry, "kept");
export const event = (entry) => showEvent(entry, "sent");

function showEvent(entry, stage) {
  if (entry.epoch !== epoch && !lines.has(`${entry.epoch} ${entry.seq}`)) use(entry.epoch);
  if (entry.epoch === epoch && !numbers.has(entry.seq)) addNumber(entry.seq);
  const key = `${entry.epoch} ${entry.seq}`;
  const isNew = !lines.has(key);
  if (isNew) addLine(key, entry);
  if (stage === "sent") lines.get(key).sent = true;
  updateChips();
  return isNew;
}

function addLine(key, entry) {
  const [kind, rest] = eventWords(entry.event);
  const className = entry.event.outcome ?? (entry.event.button === "seller" ? "seller-word" : entry.event.button);
  const chip = chipElement(entry.seq);
  line("events", entry.old ? null : entry.at_ms, chip, ` ${kind}`, rest ? " " : "", element("b", rest, className));
  lines.set(key, { epoch: entry.epoch, seq: entry.seq, sent: false, chip });
  if (lines.size > LINES_MAX) lines.delete(lines.keys().next().value);
}

function chipElement(seq) {
  const chip = element("span", seq, "chip");
  chip.role = "img"; // its look says how far the event has come, and so does its name
  return chip;
}

function addNumber(seq) {
  const chip = chipElement(seq);
  numbers.set(seq, chip);
  byId("outbox-numbers").prepend(chip);
  if (numbers.size > CHIPS_MAX) removeNumber(numbers.keys().next().value);
}

function removeNumber(seq) {
  numbers.get(seq).remove();
  numbers.delete(seq);
}

const STAGES = { kept: "in flash", sent: "sent", acked: "acknowledged" };

function updateChips() {
  for (const shown of lines.values()) {
    const stage = shown.seq <= (through.get(shown.epoch) ?? 0) ? "acked" : shown.sent ? "sent" : "kept";
    for (const chip of [shown.chip, shown.epoch === epoch && numbers.get(shown.seq)])
      if (chip && !chip.classList.contains(stage)) {
        chip.className = `chip ${stage}`;
        chip.ariaLabel = `${shown.seq}, ${STAGES[stage]}`;
      }
  }
}

export function outbox(entry) {
  if (entry.epoch !== epoch) use(entry.epoch);
  range = entry;
  lowest = entry.lowest;
  for (const seq of [...numbers.keys()]) if (seq < lowest) removeNumber(seq);
  if (entry.first > 1) setThrough(epoch, Math.max(through.get(epoch) ?? 0, entry.first - 1));
  showRange();
}

export function wire(entry) {
  const up = entry.way === "up";
  const details = element("details");
  const summary = element("summary");
  summary.tabIndex = -1; // one stop for all of them, see setUp
  summary.append(timeElement(entry.at_ms), " ", element("b", up ? "↑" : "↓", up ? "seller-word" : "yes"));
  summary.append(` ${entry.leaf} `, element("span", brief(entry), "seq"));
  details.append(summary);
  details.addEventListener("toggle", () => {
    if (details.childElementCount === 1) details.append(element("pre", JSON.stringify(entry.payload, null, 1)));
  });
  if (entry.leaf !== "health" || byId("show-health").checked) {
    const item = line("wire", entry.at_ms, details);
    item.firstChild.remove(); // the summary has the time
  }
  const payload = entry.payload;
  if (!payload || typeof payload !== "object") return;
  if (entry.leaf === "ack") acknowledged(entry, payload);
  if (entry.leaf === "health") health(entry, payload);
}

function brief(entry) {
  const payload = entry.payload ?? {};
  const kept = entry.retained ? ", retained" : "";
  switch (entry.leaf) {
    case "events": {
      const end = payload.base + payload.events?.length - 1;
      return `first ${payload.first}, ${payload.base === end ? end : `${payload.base}–${end}`}, ${entry.bytes} B`;
    }
    case "ack": return `through ${payload.through}`;
    case "status": return `${payload.state}${kept}`;
    case "settings": return `revision ${payload.revision}${kept}`;
    default: return `${entry.bytes} B${kept}`;
  }
}

function acknowledged(entry, payload) {
  if (payload.epoch === undefined) return;
  line("acks", entry.at_ms, `${payload.through}`);
  setThrough(payload.epoch, payload.through);
}

function setThrough(ofEpoch, number) {
  through.set(ofEpoch, number);
  if (ofEpoch === epoch) byId("through").textContent = `through ${number}`;
  updateChips();
}

function health(entry, payload) {
  lastHealth = { ...payload, atMs: entry.at_ms };
  showRange();
}

export function power(on) {
  isRunning = on;
  hasBrokenRule &&= !on;
  lastHealth = null; // what was in RAM is gone
  showRange();
}

export function brokeRule() {
  hasBrokenRule = true;
  showRange();
}

function showRange() {
  const fromRam = isRunning && lastHealth?.faults?.includes("flash");
  const { first, next } = (fromRam ? lastHealth.outbox : range) ?? {};
  const count = next - first;
  const waiting = count === 1 ? `${first} waits` : `${first} to ${next - 1}: ${count} wait`;
  const place = isRunning ? "in flash" : hasBrokenRule ? "in flash, the firmware has ended" : "in flash, without power";
  byId("outbox-range").textContent = first === undefined ? "not read yet" : count ? waiting : `empty, next ${next}`;
  byId("outbox-from").textContent = fromRam ? `in RAM, as reported at ${timeOfDay(lastHealth.atMs, 0)}` : place;
}

export function row(entry) {
  const outcome = element("b", words(entry.outcome), entry.outcome);
  const rest = [entry.cause, entry.response_ms === null ? "" : `${entry.response_ms} ms`, entry.affected ? "force majeure" : ""];
  const old = byId(`row-${entry.epoch}-${entry.survey}`);
  const item = line("rows", entry.old ? null : entry.at_ms, element("span", `#${entry.survey}`, "seq"), " ", outcome, ` ${rest.filter(Boolean).join(", ")}`);
  item.id = `row-${entry.epoch}-${entry.survey}`;
  old?.remove();
}
