// The calculators of lmbook.industry, formula by formula: names, units and sources as
// in its docstrings.  Base units: FLOPs, bytes, seconds, hours of one device, US$.

// ---- counts ------------------------------------------------------------------------

// shape: {vocab, hidden, layers, heads, kvHeads, headDim, ffn, gated, tied, positions,
// biases, norm, qkNorm, embeddingNorm}
function matrices(shape) {
  const { hidden, heads, kvHeads, headDim, ffn, gated } = shape;
  const attention = 2 * hidden * heads * headDim + 2 * hidden * kvHeads * headDim;
  return attention + (gated ? 3 : 2) * hidden * ffn;
}

export function transformerParameters(shape) {
  const { hidden, headDim, ffn } = shape;
  const [queries, keys] = [shape.heads * headDim, shape.kvHeads * headDim];
  const norm = (shape.norm === "layer" ? 2 : 1) * hidden;
  let layer = matrices(shape) + 2 * norm;
  if (shape.biases) {
    layer += queries + 2 * keys + hidden + (shape.gated ? 2 : 1) * ffn + hidden;
  }
  if (shape.qkNorm) layer += 2 * headDim;
  const vectors = shape.vocab * (shape.tied ? 1 : 2) + shape.positions;
  return vectors * hidden + shape.layers * layer + norm * (shape.embeddingNorm ? 2 : 1);
}

export function transformerFlops(shape, attended = 0) {
  const weights = shape.layers * matrices(shape) + shape.vocab * shape.hidden;
  return 2 * weights + 4 * shape.layers * shape.heads * shape.headDim * attended;
}

// ---- training ----------------------------------------------------------------------

const RULES = { "6ND": 6, "8ND": 8, "3ND": 3 };
export const trainingFlops = (params, tokens, rule = "6ND") => RULES[rule] * params * tokens;
export const deviceHours = (flops, peak, mfu) => flops / (peak * mfu * 3600);
export const days = (hours, devices) => hours / devices / 24;
export const price = (hours, usdPerHour) => hours * usdPerHour;
export const energyKwh = (hours, watts, utilisation = 1, pue = 1) =>
  (hours * watts * utilisation * pue) / 1000;
export const carbonKg = (kwh, kgPerKwh) => kwh * kgPerKwh;

// law: {E, A, B, alpha, beta}
export const loss = (law, params, tokens) =>
  law.E + law.A / params ** law.alpha + law.B / tokens ** law.beta;
export function optimum(law, flops) {
  const both = law.alpha + law.beta;
  const ratio = ((law.alpha * law.A) / (law.beta * law.B)) ** (1 / both);
  const params = ratio * (flops / 6) ** (law.beta / both);
  const tokens = (flops / 6) ** (law.alpha / both) / ratio;
  return { params, tokens, loss: loss(law, params, tokens) };
}

// ---- memory ------------------------------------------------------------------------

export const weightBytes = (params, bits) => (params * bits) / 8;

// Bytes on each device of what has so many a parameter: {optimizer, gradients, weights}.
export function trainingState(params, stage, devices, kept = [12, 2, 2]) {
  const [optimizer, gradients, weights] = kept.map(
    (bytes, i) => (params * bytes) / (stage > i ? devices : 1)
  );
  return { optimizer, gradients, weights };
}

export function activationBytes(shape, batch, seqLen, recomputation = "none", parallel = 1) {
  const inputs = shape.layers * seqLen * batch * shape.hidden;
  if (recomputation === "full") return 2 * inputs;
  const attention = (5 * shape.heads * seqLen) / shape.hidden;
  return (inputs * (34 + (recomputation === "none" ? attention : 0))) / parallel;
}

// cache: {layers, kvHeads, headDim} or {layers, latent, rope}
export function cacheBytes(cache, tokens, bytes = 2) {
  const numbers = cache.latent ? cache.latent + cache.rope : 2 * cache.kvHeads * cache.headDim;
  return tokens * cache.layers * numbers * bytes;
}

// ---- serving -----------------------------------------------------------------------

// device: {peak, memory, bandwidth}, each of one of so many that work as one
export const machine = (device, devices = 1, mfu = 0.4, bandwidthUse = 0.5) => ({
  flops: devices * device.peak * mfu,
  bytes: devices * device.bandwidth * bandwidthUse,
  memory: devices * device.memory,
});
export const rooflineSeconds = (flops, bytes, on) => Math.max(flops / on.flops, bytes / on.bytes);
export const ridge = (on) => on.flops / on.bytes;

// load: {params, cacheBytes, weightBytes, activeParams}
const perToken = (load) => 2 * (load.activeParams ?? load.params);
const weights = (load) => load.params * load.weightBytes;
export const prefillSeconds = (load, prompt, on, batch = 1) =>
  rooflineSeconds(perToken(load) * prompt * batch, weights(load), on);
export const decodeSeconds = (load, context, on, batch = 1) =>
  rooflineSeconds(perToken(load) * batch, weights(load) + load.cacheBytes * context * batch, on);

export function largestBatch(load, context, on) {
  const free = on.memory - weights(load);
  return free < 0 ? 0 : Math.floor(free / (load.cacheBytes * context));
}

// Null where weights and caches do not fit.
export function serve(load, on, batch, prompt, output) {
  const memory = weights(load) + load.cacheBytes * (prompt + output) * batch;
  if (memory > on.memory) return null;
  const firstToken = prefillSeconds(load, prompt, on);
  const perTokenSeconds = decodeSeconds(load, prompt + output / 2, on, batch);
  const seconds = batch * firstToken + output * perTokenSeconds;
  return { firstToken, perToken: perTokenSeconds, tokensPerSecond: (batch * output) / seconds, memory };
}

export const usdPerMillionTokens = (tokensPerSecond, usdPerHour, devices = 1, busy = 1) =>
  ((usdPerHour * devices) / (tokensPerSecond * busy * 3600)) * 1e6;
export const margin = (sold, cost) => (sold - cost) / sold;
