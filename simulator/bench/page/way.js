// The stages of a press's way: pins, events, outbox, wire, acknowledgements, rows.

const KEPT = 120; // lines a stage
const CHIPS = 60;
const byId = (id) => document.getElementById(id);
const NAMES = { yes: "Yes", no: "No", cant_say: "Can’t say", seller: "Seller" };
let lines = new Map(); // of events: epoch and number -> the line, and how far it has come
let numbers = new Map(); // of the epoch in use: number -> its chip
let through = new Map(); // epoch -> acknowledged up to this number
let epoch = null;
let lowest = 0; // number that flash holds
let range = null; // what waits, read from flash
let told = null; // … as the console itself says it, which counts when it works without flash
let powered = false;

export function clock(atMs, withMs = true) {
  const date = new Date(atMs);
  const text = date.toTimeString().slice(0, 8);
  return withMs ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function line(list, atMs, ...parts) {
  const item = element("li");
  const time = element("time", clock(atMs).slice(3));
  time.title = clock(atMs, false);
  item.append(time, ...parts);
  const target = byId(list);
  const reads = target.scrollTop > 4; // who has scrolled back is not moved
  const before = target.scrollHeight;
  target.prepend(item);
  if (target.children.length > KEPT) target.lastElementChild.remove();
  if (reads) target.scrollTop += target.scrollHeight - before;
  return item;
}

// The list of messages is one stop for Tab; arrow keys go through it, Enter opens a message.
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
  told = null;
  use(null);
}

function use(newEpoch) {
  epoch = newEpoch;
  range = null;
  lowest = 0;
  numbers = new Map();
  byId("outbox-numbers").replaceChildren();
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

// An event shows as soon as it is in flash, or heard at the broker (from RAM it is never in flash). True: it is new.
export const kept = (entry) => came(entry, "kept");
export const event = (entry) => came(entry, "sent");

function came(entry, stage) {
  if (entry.epoch !== epoch && !lines.has(`${entry.epoch} ${entry.seq}`)) use(entry.epoch);
  if (entry.epoch === epoch && !numbers.has(entry.seq)) addNumber(entry.seq);
  const key = `${entry.epoch} ${entry.seq}`;
  const isNew = !lines.has(key);
  if (isNew) addLine(key, entry);
  const known = lines.get(key);
  if (stage === "sent") known.sent = true;
  mark();
  return isNew;
}

function addLine(key, entry) {
  const [kind, rest] = eventWords(entry.event);
  const className = entry.event.outcome ?? (entry.event.button === "seller" ? "seller-word" : entry.event.button);
  const chip = element("span", entry.seq, "chip");
  line("events", entry.at_ms, chip, ` ${kind}`, rest ? " " : "", element("b", rest, className));
  lines.set(key, { epoch: entry.epoch, seq: entry.seq, sent: false, chip });
  if (lines.size > KEPT) lines.delete(lines.keys().next().value);
}

function addNumber(seq) {
  const chip = element("span", seq, "chip");
  numbers.set(seq, chip);
  byId("outbox-numbers").prepend(chip);
  if (numbers.size > CHIPS) removeNumber(numbers.keys().next().value);
}

function removeNumber(seq) {
  numbers.get(seq).remove();
  numbers.delete(seq);
}

const STAGES = { kept: "in flash", sent: "sent", acked: "acknowledged" };

function mark() {
  for (const one of lines.values()) {
    const stage = one.seq <= (through.get(one.epoch) ?? 0) ? "acked" : one.sent ? "sent" : "kept";
    for (const chip of [one.chip, one.epoch === epoch && numbers.get(one.seq)])
      if (chip && chip.title !== STAGES[stage]) {
        chip.className = `chip ${stage}`;
        chip.title = STAGES[stage];
      }
  }
}

export function outbox(entry) {
  if (entry.epoch !== epoch) use(entry.epoch);
  range = entry;
  lowest = entry.lowest;
  for (const seq of [...numbers.keys()]) if (seq < lowest) removeNumber(seq);
  if (entry.first > 1) through.set(epoch, Math.max(through.get(epoch) ?? 0, entry.first - 1));
  mark();
  say();
}

export function wire(entry) {
  const up = entry.way === "up";
  const details = element("details");
  const summary = element("summary");
  summary.tabIndex = -1; // one stop for all of them, see setUp
  summary.append(element("time", clock(entry.at_ms).slice(3)), " ", element("b", up ? "↑" : "↓", up ? "seller-word" : "yes"));
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
  byId("through").textContent = `through ${payload.through}`;
  line("acks", entry.at_ms, `${payload.through}`);
  through.set(payload.epoch, payload.through);
  mark();
}

function health(entry, payload) {
  told = payload;
  byId("lag").textContent = `${payload.loop_lag_max_ms} ms`;
  say();
}

export function power(on) {
  powered = on;
  say();
}

function say() {
  const fromRam = powered && told?.faults.includes("flash");
  const { first, next } = (fromRam ? told.outbox : range) ?? {};
  const waits = next - first;
  const what = waits === 1 ? `${first} waits` : `${first} to ${next - 1}: ${waits} wait`;
  byId("outbox-range").textContent = first === undefined ? "–" : waits ? what : `empty, next ${next}`;
  byId("outbox-from").textContent = fromRam ? "in RAM, told by health" : powered ? "in flash" : "in flash, without power";
}

export function row(entry) {
  const outcome = element("b", words(entry.outcome), entry.outcome);
  const rest = [entry.cause, entry.response_ms === null ? "" : `${entry.response_ms} ms`, entry.affected ? "force majeure" : ""];
  const old = byId(`row-${entry.epoch}-${entry.survey}`);
  const made = line("rows", entry.at_ms, element("span", `#${entry.survey}`, "seq"), outcome, ` ${rest.filter(Boolean).join(", ")}`);
  made.id = `row-${entry.epoch}-${entry.survey}`;
  old?.remove();
}
