// The drawn console: buttons for fingers and keys, their lamps, the key question in its languages.

export const BUTTONS = ["yes", "no", "cant_say", "seller"];
const KEYS = { y: "yes", n: "no", c: "cant_say", s: "seller" };
const CODES = { KeyY: "yes", KeyN: "no", KeyC: "cant_say", KeyS: "seller" }; // for keyboards with other letters
const LETTERS = { yes: "Y", no: "N", cant_say: "C", seller: "S" };
const LABELS = {
  en: { yes: "Yes", no: "No", cant_say: "Can’t say" },
  ru: { yes: "Да", no: "Нет", cant_say: "Затрудняюсь" },
  bg: { yes: "Да", no: "Не", cant_say: "Не мога да кажа" },
};
const MARKS = {
  yes: "M33 52l12 12 23-27",
  no: "M36 36l28 28M64 36l-28 28",
  cant_say: "M38 41c0-15 25-15 25 0 0 9-13 9-13 18M50 70v.5",
  seller: "M50 34v21M50 66v.5",
};
const byId = (id) => document.getElementById(id);
const domes = {};
const sources = Object.fromEntries(BUTTONS.map((button) => [button, new Set()])); // pointers and keys that hold each button here
const touchedAt = {}; // by button: when it was touched here
let send = () => false;
let settings = null;
let touched = () => {};

export function setUp(sender, onTouch) {
  send = sender;
  touched = onTouch;
  for (const button of BUTTONS) {
    const dome = (domes[button] = draw(button));
    byId(button === "seller" ? "seller-dome" : "domes").append(dome);
    listen(dome, button);
  }
  addEventListener("keydown", (event) => key(event, true));
  addEventListener("keyup", (event) => key(event, false));
  addEventListener("blur", releaseAll);
  document.addEventListener("visibilitychange", () => document.hidden && releaseAll());
  byId("language").addEventListener("change", say);
}

function draw(button) {
  const dome = document.createElement("button");
  dome.type = "button";
  dome.className = "dome";
  dome.dataset.button = button;
  dome.setAttribute("aria-keyshortcuts", LETTERS[button]);
  dome.innerHTML = `<svg viewBox="0 0 100 100" aria-hidden="true"><radialGradient id="glow-${button}">
    <stop offset=".72" class="halo" stop-opacity=".6"/><stop offset=".82" class="halo" stop-opacity=".2"/>
    <stop offset="1" class="halo" stop-opacity="0"/></radialGradient>
    <circle class="glow" cx="50" cy="50" r="60" fill="url(#glow-${button})"/>
    <circle cx="50" cy="50" r="46" fill="#101216"/><circle cx="50" cy="50" r="44.5" fill="none" stroke="#5a626b" stroke-width="2.5"/>
    <g class="press"><circle class="cap" cx="50" cy="50" r="38"/><ellipse cx="50" cy="33" rx="25" ry="12" fill="#fff" opacity=".16"/>
    <path class="mark" d="${MARKS[button]}"/></g></svg>${button === "seller" ? "" : "<b></b>"}`;
  light(dome, button, false);
  return dome;
}

function listen(dome, button) {
  dome.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    dome.setPointerCapture(event.pointerId);
    hold(button, `pointer ${event.pointerId}`, event.timeStamp);
  });
  for (const kind of ["pointerup", "pointercancel", "lostpointercapture"])
    dome.addEventListener(kind, (event) => release(button, `pointer ${event.pointerId}`, event.timeStamp));
  dome.addEventListener("click", (event) => {
    if (!event.detail) send(`press ${button}`); // from a screen reader, which can't hold a button
  });
  dome.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch is a long press
  dome.addEventListener("blur", () => release(button, "focus"));
}

function key(event, down) {
  const active = document.activeElement;
  if (active?.matches("input, select, textarea") && active.type !== "range" && active.type !== "checkbox") return;
  const focused = active?.dataset?.button;
  let button = KEYS[event.key.toLowerCase()] ?? (event.key.length === 1 && event.key > "\x7f" ? CODES[event.code] : undefined);
  let source = "key";
  if (!button && focused && (event.key === " " || event.key === "Enter")) {
    button = focused;
    source = "focus";
    event.preventDefault();
  }
  if (!button || event.repeat) return;
  if (down && (event.ctrlKey || event.altKey || event.metaKey)) return;
  down ? hold(button, source, event.timeStamp) : release(button, source, event.timeStamp);
}

function hold(button, source, timeStamp) {
  const before = sources[button].size;
  sources[button].add(source);
  if (before) return;
  touchedAt[button] = timeStamp;
  if (send(`hold ${button}`)) touched(button, timeStamp); // the press first: sound may be slow to wake
  else sources[button].clear();
}

// A release says how long the finger pressed: on a busy machine touch and release may arrive together.
function release(button, source, timeStamp = performance.now()) {
  if (!sources[button].delete(source) || sources[button].size) return;
  send(`release ${button} ${Math.max(0, Math.round(timeStamp - touchedAt[button]))}`);
}

export function releaseAll() {
  for (const button of BUTTONS)
    for (const source of [...sources[button]]) release(button, source);
}

// Nothing is known of the console any more.
export function forget() {
  for (const button of BUTTONS) {
    sources[button].clear();
    showHeld(button, false);
    showLamp(button, false);
  }
}

function light(dome, button, lit) {
  dome.dataset.lit = lit;
  const name = button === "seller" ? "Seller" : dome.lastElementChild.textContent || button;
  dome.setAttribute("aria-label", `${name}, lamp ${lit ? "lit" : "dark"}`);
}

export function showLamp(button, lit) {
  light(domes[button], button, lit);
}

export const isLit = (button) => domes[button].dataset.lit === "true";

export function showHeld(button, held) {
  domes[button].dataset.held = held;
}

export function showPower(on) {
  byId("casing").classList.toggle("off", !on);
}

export function showSettings(payload) {
  settings = payload;
  const select = byId("language");
  const chosen = select.value || localStorage.language || navigator.language.slice(0, 2);
  const tags = Object.keys(payload.question.text);
  select.replaceChildren(...tags.map((tag) => new Option(languageName(tag), tag)));
  select.parentElement.hidden = tags.length < 2;
  select.value = tags.includes(chosen) ? chosen : tags[0];
  say();
}

function languageName(tag) {
  try {
    const name = new Intl.DisplayNames([tag], { type: "language" }).of(tag);
    return name[0].toLocaleUpperCase(tag) + name.slice(1);
  } catch {
    return tag; // this browser does not know the language
  }
}

function say() {
  const tag = byId("language").value;
  localStorage.language = tag;
  const question = byId("question");
  question.textContent = settings?.question.text[tag] ?? "…";
  question.lang = tag;
  for (const button of BUTTONS.slice(0, 3)) {
    const label = domes[button].lastElementChild;
    label.lang = tag in LABELS ? tag : "en";
    label.textContent = LABELS[label.lang][button];
    light(domes[button], button, domes[button].dataset.lit === "true");
  }
}
