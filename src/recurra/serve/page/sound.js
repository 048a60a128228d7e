// Sound in the browser: the microphone, files, and samples as a stream takes them.

// As they are recorded: what makes voices pleasant makes them other than those that were learnt from.
const PLAIN = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const PATIENCE = 500; // ms for the last piece
const SAFE =
  "A browser opens the microphone for pages over HTTPS or of this machine itself alone. Serve with a certificate, or choose a recording.";
const WHY = {
  NotAllowedError: "The microphone was not allowed. Allow it in the browser’s settings of this page, or choose a recording.",
  NotFoundError: "There is no microphone. Connect one, or choose a recording.",
  NotReadableError: "The microphone is in use elsewhere. Close what uses it, or choose a recording.",
  NotSupportedError: "This browser cannot bring the microphone to the rate of this model. Choose a recording, or take another browser.",
};

// Opens the microphone. piece(samples): called with each tenth of a second. Resolves to {stop}, which resolves
// once the last piece was given; rejects with a sentence.
export async function microphone(rate, piece) {
  if (!navigator.mediaDevices?.getUserMedia || !globalThis.AudioWorkletNode) throw new Error(SAFE);
  let tracks = [];
  let context = null;
  try {
    const given = await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
    tracks = given.getTracks();
    context = new AudioContext({ sampleRate: rate });
    await context.audioWorklet.addModule(new URL("./worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "pieces", { channelCount: 1, channelCountMode: "explicit" });
    const ended = new Promise((resolve) => {
      node.port.onmessage = ({ data }) => (data ? data.length && piece(data) : resolve());
    });
    context.createMediaStreamSource(given).connect(node).connect(context.destination); // which hears nothing
    await context.resume();
    const stop = async () => {
      node.port.postMessage("stop");
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
      close(tracks, context);
    };
    return { stop };
  } catch (error) {
    close(tracks, context);
    throw new Error(WHY[error.name] ?? `The microphone cannot be opened (${error.message}). Choose a recording.`);
  }
}

function close(tracks, context) {
  for (const one of tracks) one.stop();
  if (context && context.state !== "closed") context.close();
}

// Samples of a file at a rate, the mean of its channels. Rejects with a sentence.
export async function decoded(file, rate) {
  let found;
  try {
    found = await new OfflineAudioContext(1, 1, rate).decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error(`expected a recording that this browser can read, got ${file.name}. Save it as WAV, FLAC, OGG or MP3.`);
  }
  const samples = new Float32Array(found.length);
  for (let one = 0; one < found.numberOfChannels; one += 1) {
    const channel = found.getChannelData(one);
    for (let i = 0; i < samples.length; i += 1) samples[i] += channel[i] / found.numberOfChannels;
  }
  return samples;
}

// 16-bit integers, the lower byte first, in base64.
export function base64(samples) {
  const view = new DataView(new ArrayBuffer(2 * samples.length));
  samples.forEach((x, i) => view.setInt16(2 * i, Math.max(-32768, Math.min(32767, Math.round(x * 32768))), true));
  const bytes = new Uint8Array(view.buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

// From 0 for silence to 1 for as loud as can be, as ears have it: over 60 decibels.
export function level(samples) {
  const loudest = samples.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-6);
  return Math.max(0, Math.min(1, 1 + Math.log10(loudest) / 3));
}
