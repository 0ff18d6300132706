// The stages of a press's way: pins, events, outbox, wire, acknowledgements, rows.

const KEPT = 120; // lines a stage
const byId = (id) => document.getElementById(id);
const NAMES = { yes: "Yes", no: "No", cant_say: "Can’t say", seller: "Seller" };
let numbers = new Map(); // of the epoch last heard: number -> its chip
let epoch = null;
let through = 0;
let heardMs = null;
let range = null;
let unheard = 0; // presses since health was heard: what has come of them is not known here

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
  byId("outbox-numbers").replaceChildren();
  numbers = new Map();
  epoch = range = heardMs = null;
  through = 0;
}

export function pin(entry) {
  if (entry.kind === "button" && entry.on) unheard += 1;
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

export function event(entry) {
  const [kind, rest] = eventWords(entry.event);
  const className = entry.event.outcome ?? (entry.event.button === "seller" ? "seller-word" : entry.event.button);
  line("events", entry.at_ms, element("span", `#${entry.seq}`, "seq"), kind, rest ? " " : "", element("b", rest, className));
  if (entry.epoch !== epoch) {
    epoch = entry.epoch;
    through = 0;
    numbers.clear();
    byId("outbox-numbers").replaceChildren();
  }
  const chip = element("span", entry.seq);
  numbers.set(entry.seq, chip);
  byId("outbox-numbers").prepend(chip);
  if (numbers.size > 60) {
    const oldest = numbers.keys().next().value;
    numbers.get(oldest).remove();
    numbers.delete(oldest);
  }
  mark();
}

function mark() {
  for (const [number, chip] of numbers) chip.classList.toggle("acked", number <= through);
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
  if (payload.epoch === epoch) {
    through = payload.through;
    mark();
  }
}

function health(entry, payload) {
  heardMs = entry.retained ? null : entry.at_ms;
  range = payload.outbox;
  unheard = 0;
  const waits = range.next - range.first;
  byId("outbox-range").textContent = waits ? `${range.first} to ${range.next - 1}: ${waits} wait` : `empty, next ${range.next}`;
  byId("lag").textContent = `${payload.loop_lag_max_ms} ms`;
}

export function heard(nowMs) {
  const ago = heardMs === null ? null : nowMs - heardMs;
  const since = unheard ? `, ${unheard} ${unheard === 1 ? "press" : "presses"} since` : "";
  const text = ago === null ? "not heard yet" : ago < 2500 ? "told by health" : `as of ${Math.round(ago / 1000)} s ago${since}`;
  byId("outbox-range").classList.toggle("faint", ago === null || ago >= 2500);
  if (byId("outbox-heard").textContent !== text) byId("outbox-heard").textContent = text;
}

export function row(entry) {
  const outcome = element("b", words(entry.outcome), entry.outcome);
  const rest = [entry.cause, entry.response_ms === null ? "" : `${entry.response_ms} ms`, entry.affected ? "force majeure" : ""];
  const old = byId(`row-${entry.epoch}-${entry.survey}`);
  const made = line("rows", entry.at_ms, element("span", `#${entry.survey}`, "seq"), outcome, ` ${rest.filter(Boolean).join(", ")}`);
  made.id = `row-${entry.epoch}-${entry.survey}`;
  old?.remove();
}
