// A language model that runs in the page, and the choice of the next token (section 6.1).
// Read before sampler.js, which shows it.

// ---- the model ---------------------------------------------------------------------

// Matrices are kept as a scale a row (float32) and the row's entries over it (int8).
function reader(base64) {
  const { buffer } = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  let at = 0;
  const take = (bytes) => buffer.slice(at, (at += bytes));
  const floats = (count) => new Float32Array(take(4 * count));
  const matrix = (rows, columns) => {
    const scales = floats(rows);
    const values = new Int8Array(take(rows * columns));
    const part = (_, i) => {
      const row = values.subarray(i * columns, (i + 1) * columns);
      return Float32Array.from(row, (value) => value * scales[i]);
    };
    return Array.from({ length: rows }, part);
  };
  return { floats, matrix };
}

// The network from its sizes: {vocab, embedding, hidden: [one a layer], tied}.
export function network(base64, sizes) {
  const { floats, matrix } = reader(base64);
  const embedding = matrix(sizes.vocab, sizes.embedding);
  const layers = sizes.hidden.map((size, i) => ({
    size,
    input: matrix(4 * size, i ? sizes.hidden[i - 1] : sizes.embedding),
    recurrent: matrix(4 * size, size),
    bias: floats(4 * size),
  }));
  const last = sizes.hidden.at(-1);
  const output = sizes.tied ? embedding : matrix(sizes.vocab, last);
  return { embedding, layers, output, bias: floats(sizes.vocab) };
}

const dot = (row, vector) => {
  let sum = 0;
  for (let k = 0; k < row.length; k++) sum += row[k] * vector[k];
  return sum;
};
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// One token read: the new state [{h, c} a layer] and the logits of what comes next.
export function read(net, id, state) {
  let x = net.embedding[id];
  const next = net.layers.map(({ size, input, recurrent, bias }, l) => {
    const { h, c } = state?.[l] ?? { h: new Float64Array(size), c: new Float64Array(size) };
    const gate = (row) => dot(input[row], x) + dot(recurrent[row], h) + bias[row];
    const now = { h: new Float64Array(size), c: new Float64Array(size) };
    for (let k = 0; k < size; k++) {
      const [i, f] = [sigmoid(gate(k)), sigmoid(gate(size + k))];
      const [g, o] = [Math.tanh(gate(2 * size + k)), sigmoid(gate(3 * size + k))];
      now.c[k] = f * c[k] + i * g;
      now.h[k] = o * Math.tanh(now.c[k]);
    }
    x = now.h;
    return now;
  });
  const logits = Float64Array.from(net.output, (row, v) => dot(row, x) + net.bias[v]);
  return { state: next, logits };
}

// ---- tokens ------------------------------------------------------------------------

// English contractions, words, numbers and signs with one space before: GPT-2's words.
const WORDS =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

// A tokenizer of characters, or (``merges``: [left, right, result] as learned) of byte
// pairs, whose tokens are written one letter a byte.
export function codec(tokens, merges) {
  const ids = new Map(tokens.map((token, v) => [token, v]));
  const utf8 = new TextEncoder();
  const bytes = (v) =>
    merges ? Uint8Array.from(tokens[v], (byte) => byte.charCodeAt(0)) : utf8.encode(tokens[v]);
  const pair = (left, right) => left * tokens.length + right;
  const learned = new Map(
    merges?.map(([left, right, result], rank) => [pair(left, right), { rank, result }])
  );
  function merged(word) {
    const found = Array.from(utf8.encode(word), (byte) => ids.get(String.fromCharCode(byte)));
    while (true) {
      let best = null;
      for (let at = 0; at + 1 < found.length; at++) {
        const merge = learned.get(pair(found[at], found[at + 1]));
        if (merge && !(merge.rank >= best?.rank)) best = { ...merge, at };
      }
      if (!best) return found;
      found.splice(best.at, 2, best.result);
    }
  }
  const encode = (text) =>
    merges
      ? (text.match(WORDS) ?? []).flatMap(merged)
      : Array.from(text, (char) => ids.get(char) ?? 0);
  // A token by itself, as a name: white space to be seen, bytes that are no text as hex.
  function name(v) {
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes(v));
      return text.replace(/[ \n\t]/g, (char) => ({ " ": "␣", "\n": "↵", "\t": "⇥" })[char]);
    } catch {
      return Array.from(bytes(v), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    }
  }
  const knows = (char) => Boolean(merges) || ids.has(char);
  return { encode, bytes, name, knows, newline: ids.get("\n") };
}

// ---- choosing ----------------------------------------------------------------------

export function softmax(logits) {
  const top = Math.max(...logits);
  const powers = Array.from(logits, (value) => Math.exp(value - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

// What lmbook.generation draws from: temperature, then top-k, top-p, min-p, each on
// what the one before it has left. ``tempered``: before anything is cut.
export function distribution(logits, { temperature, top_k, top_p, min_p }) {
  const best = logits.indexOf(Math.max(...logits));
  if (temperature === 0) {
    const q = Array.from(logits, (_, v) => Number(v === best));
    return { tempered: q, q, kept: 1, mass: 1 };
  }
  const tempered = softmax(Array.from(logits, (value) => value / temperature));
  const order = tempered.map((_, v) => v).sort((a, b) => tempered[b] - tempered[a] || a - b);
  const least = tempered[order[Math.min(top_k || order.length, order.length) - 1]];
  let kept = order.filter((v) => tempered[v] > 0 && tempered[v] >= least);
  const sum = () => kept.reduce((total, v) => total + tempered[v], 0);
  if (top_p < 1) {
    const enough = top_p * sum();
    let before = 0;
    kept = kept.filter((v, place) => {
      const wanted = place === 0 || before < enough;
      before += tempered[v];
      return wanted;
    });
  }
  kept = kept.filter((v) => tempered[v] >= min_p * tempered[best]);
  const mass = sum();
  const q = tempered.map(() => 0);
  for (const v of kept) q[v] = tempered[v] / mass;
  return { tempered, q, kept: kept.length, mass };
}

// Nats; exp of it is the perplexity: among how many equal ones is chosen.
export const entropy = (q) =>
  -q.reduce((sum, value) => sum + (value > 0 ? value * Math.log(value) : 0), 0);

// Numbers in [0, 1) that a seed determines (mulberry32).
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function draw(q, random) {
  let left = random();
  let last = 0;
  for (let v = 0; v < q.length; v++) {
    if (q[v] === 0) continue;
    last = v;
    left -= q[v];
    if (left < 0) break;
  }
  return last;
}
