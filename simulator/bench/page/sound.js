// The piezo's tones, by WebAudio. Browsers allow sound after the first touch or key.

let context = null;
let oscillator = null;
let volume = null;
let enabled = true;

export function wake() {
  if (!enabled) return;
  if (!context) {
    context = new AudioContext();
    volume = context.createGain();
    volume.gain.value = 0;
    const filter = context.createBiquadFilter(); // as a small disc in a plastic case sounds
    filter.type = "lowpass";
    filter.frequency.value = 5200;
    oscillator = context.createOscillator();
    oscillator.type = "square";
    oscillator.connect(volume).connect(filter).connect(context.destination);
    oscillator.start();
  }
  if (context.state === "suspended") context.resume().catch(() => {});
}

export function tone(hertz) {
  if (!context) return;
  if (hertz) oscillator.frequency.setValueAtTime(hertz, context.currentTime);
  volume.gain.setTargetAtTime(hertz && enabled ? 0.07 : 0, context.currentTime, 0.004);
}

export function allow(on) {
  enabled = on;
  if (!on) tone(0);
}
