// The console's surroundings: switches, contacts, clock, flash, settings, recording, typed lines.

import { BUTTONS } from "./domes.js";

const NAMES = { yes: "Yes", no: "No", cant_say: "Can’t say", seller: "Seller" };
const byId = (id) => document.getElementById(id);
let send = () => false;
let state = {}; // of all switches, as the server reported it

// By switch on the page: the fact that says whether it is on, and the lines that switch it. A further one is a line here.
const SWITCHES = {
  power: { fact: "powered", on: "power on", off: "power cut" },
  wifi: { fact: "wifi", on: "wifi on", off: "wifi off" },
  link: { fact: "link", on: "link on", off: "link off" },
  filled: { fact: "filled", on: "flash fill 0", off: "flash free" },
};

export function setUp(sender) {
  send = sender;
  for (const [id, { fact, on, off }] of Object.entries(SWITCHES)) byId(id).onclick = () => send(state[fact] ? off : on);
  byId("record").onclick = () => send(`record ${state.recording ? "end" : "begin"}`);
  for (const button of document.querySelectorAll("[data-line]")) button.onclick = () => send(button.dataset.line);
  onSubmit("cut", () => send(`power cut ${byId("cut-at").value} ${byId("cut-share").value}`));
  onSubmit("settings", () => send(`settings question_id=${byId("asks").value} survey_window_ms=${byId("window").value * 1000}`));
  onSubmit("typed", type);
  for (const button of BUTTONS) byId("contacts").append(contact(button));
}

function onSubmit(form, action) {
  byId(form).addEventListener("submit", (event) => {
    event.preventDefault();
    action();
  });
}

function contact(button) {
  const row = document.createElement("tr");
  row.innerHTML = `<th scope="row">${NAMES[button]}</th><td><button type="button" aria-pressed="false" id="stick-${button}" aria-label="Stick ${NAMES[button]}">stick</button></td>
    <td><button type="button" aria-label="Bounce ${NAMES[button]}">bounce</button></td>`;
  const [stick, bounce] = row.querySelectorAll("button");
  stick.onclick = () => send(`${state.stuck?.includes(button) ? "free" : "stick"} ${button}`);
  bounce.onclick = () => send(`bounce ${button}`);
  return row;
}

function type() {
  const line = byId("line").value.trim();
  if (line && send(`> ${line}`)) byId("line").value = "";
}

export function board(name) {
  const onCable = name === "pico"; // it has no radio
  byId("wifi").hidden = onCable;
  byId("link").firstElementChild.textContent = onCable ? "USB cable" : "Broker link";
}

export function show(entry) {
  state = entry;
  for (const [id, { fact }] of Object.entries(SWITCHES)) byId(id).setAttribute("aria-checked", entry[fact]);
  for (const button of BUTTONS) byId(`stick-${button}`).setAttribute("aria-pressed", entry.stuck.includes(button));
  byId("cut-armed").textContent = entry.cut ? "armed" : "";
  byId("record").setAttribute("aria-pressed", entry.recording);
  byId("record").lastChild.textContent = entry.recording ? "Stop" : "Record";
}

export function settings(payload) {
  if (document.activeElement?.form !== byId("settings")) {
    const asks = byId("asks");
    if (![...asks.options].some((option) => option.value === payload.question.id)) asks.add(new Option(payload.question.id));
    asks.value = payload.question.id;
    byId("window").value = payload.survey_window_ms / 1000;
  }
}

// What was clicked and failed is said beside what was clicked, and in the list of commands.
export function refused(entry) {
  byId("refused").textContent = entry.sentence;
  say(`${entry.line}: ${entry.sentence}`, "error");
}

export function say(text, className) {
  const lines = byId("lines");
  const span = document.createElement("span");
  span.className = className ?? "";
  span.textContent = `${text}\n`;
  lines.append(span);
  while (lines.childElementCount > 300) lines.firstElementChild.remove();
  lines.scrollTop = lines.scrollHeight;
}

export function recorded(entry) {
  const link = document.createElement("a");
  const name = entry.file.split("/").pop();
  link.href = URL.createObjectURL(new Blob([entry.script], { type: "text/plain" }));
  link.download = name;
  link.textContent = `Save ${name}`;
  const place = byId("recorded");
  place.replaceChildren(link, `  It is also saved at ${entry.file}`);
}
