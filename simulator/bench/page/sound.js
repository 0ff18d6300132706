// What the piezo sounds, by WebAudio. Browsers allow sound after the first touch or key.

let context = null;
let swing = null;
let volume = null;
let wanted = true;

export function wake() {
  if (!wanted) return;
  if (!context) {
    context = new AudioContext();
    volume = context.createGain();
    volume.gain.value = 0;
    const soft = context.createBiquadFilter(); // a small disc in a plastic case
    soft.type = "lowpass";
    soft.frequency.value = 5200;
    swing = context.createOscillator();
    swing.type = "square";
    swing.connect(volume).connect(soft).connect(context.destination);
    swing.start();
  }
  if (context.state === "suspended") context.resume().catch(() => {});
}

export function tone(hertz) {
  if (!context) return;
  if (hertz) swing.frequency.setValueAtTime(hertz, context.currentTime);
  volume.gain.setTargetAtTime(hertz && wanted ? 0.07 : 0, context.currentTime, 0.004);
}

export function allow(on) {
  wanted = on;
  if (!on) tone(0);
}
