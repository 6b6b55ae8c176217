// A model: text in, predictions out.

function float16(bits) {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024);
  return bits >> 15 ? -size : size;
}

// The tensors of a safetensors file as 32-bit floats; int8 has one scale per row.
function readTensors(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const stored = {};
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [begin, end] = offsets;
    const own = bytes.slice(start + begin, start + end).buffer;
    if (dtype === "F32") stored[name] = { data: new Float32Array(own), shape };
    else if (dtype === "F16") stored[name] = { data: Float32Array.from(new Uint16Array(own), float16), shape };
    else stored[name] = { data: new Int8Array(own), shape };
  }
  const tensors = {};
  for (const [name, { data, shape }] of Object.entries(stored)) {
    if (!(data instanceof Int8Array)) {
      tensors[name] = { data, shape };
      continue;
    }
    const scales = stored[`${name}.scale`].data;
    const width = data.length / shape[0];
    tensors[name] = { data: Float32Array.from(data, (step, i) => step * scales[Math.floor(i / width)]), shape };
  }
  return tensors;
}

const EMPTY = {
  text: "", sourceTokens: [], tokens: [], logProb: 0, score: 0, tokenLogProbs: [], weights: null, finished: true,
  alternatives: [],
};

function integer(value, name, least) {
  if (!Number.isInteger(value) || value < least) throw new RangeError(`${name} must be an integer of at least ${least}, not ${value}`);
  return value;
}

class Model {
  /** The model of what a page or a module holds. */
  static async of(values) {
    return new Model(values);
  }

  constructor({ programs, weights, source, target, maxLength, maxInput, maxPositions, lengthPenalty, ...about }) {
    this.network = new Network(programs, readTensors(fromBase64(weights)));
    this.source = source ? new Codec(source) : null;
    this.target = new Codec(target);
    this.limits = { maxLength, maxInput, maxPositions };
    this.lengthPenalty = lengthPenalty;
    this.about = about;
  }

  /** The answer to a text; a language model continues it. See the type declarations for the options. */
  predict(text, { beam = 1, nBest = 1, lengthPenalty = beam > 1 ? this.lengthPenalty : 0, minLength = null, maxLength = null, ...others } = {}) {
    for (const name in others) throw new TypeError(`unknown option ${name}`);
    integer(beam, "beam", 1);
    integer(nBest, "nBest", 1);
    if (nBest > beam) throw new RangeError(`nBest must be at most beam (${beam}), not ${nBest}`);
    if (!(lengthPenalty >= 0 && lengthPenalty < Infinity)) throw new RangeError(`lengthPenalty must be at least 0, not ${lengthPenalty}`);
    for (const [name, value] of Object.entries({ minLength, maxLength })) if (value !== null) integer(value, name, 1);
    if (minLength !== null && maxLength !== null && minLength > maxLength) throw new RangeError(`minLength ${minLength} exceeds maxLength ${maxLength}`);
    if (typeof text !== "string") throw new TypeError("text must be a string");
    if (this.source && BLANK.test(text)) return EMPTY;
    const read = (this.source || this.target).encode(text);
    const { maxInput, maxPositions } = this.limits;
    if (read.length > maxInput) throw new RangeError(`the text has ${read.length} tokens, and at most ${maxInput} are read`);
    if (maxPositions && read.length + 1 > maxPositions) throw new RangeError(`the text has ${read.length + 1} tokens with EOS, and the model has positions for ${maxPositions}`);

    const sourceIds = this.source ? [...read, EOS] : [];
    const prompt = this.source ? [] : read;
    const least = minLength ?? (this.source ? 2 : 1);
    let most = maxLength ?? Math.max(this.limits.maxLength, least);
    if (maxPositions) most = Math.min(most, maxPositions - prompt.length);
    if (most < 1) return { ...EMPTY, logProb: -Infinity, score: -Infinity, finished: false };
    const step = this.target.step;
    const numSteps = step === null ? 0 : sourceIds.length - 1;
    const rules = { least: Math.min(least, most), most, step, numSteps, limit: most + numSteps };
    const found = this.search(sourceIds, prompt, rules, { beam, nBest, lengthPenalty });
    const sourceTokens = sourceIds.map((id) => this.source.token(id));
    const answers = found.map((each) => ({
      text: this.target.decode(each.ids, this.source ? "" : text),
      sourceTokens,
      tokens: each.ids.map((id) => this.target.token(id)),
      logProb: each.logProb,
      score: lengthPenalty ? each.score : each.logProb / Math.max(1, each.ids.length),
      tokenLogProbs: each.each,
      weights: each.weights.length ? each.weights.map((row) => Array.from(row)) : null,
      finished: each.finished,
      alternatives: [],
    }));
    if (!answers.length) return { ...EMPTY, sourceTokens, logProb: -Infinity, score: -Infinity, finished: false };
    return { ...answers[0], alternatives: answers.slice(1) };
  }

  search(sourceIds, prompt, rules, { beam, nBest, lengthPenalty }) {
    let state = this.network.start(sourceIds);
    let first = BOS;
    for (const id of prompt) {
      state = this.network.step([first], state).state;
      first = id;
    }
    if (beam === 1) return greedy(this.network, state, first, rules).map((each) => written(each, rules.step));
    const all = nBest > 1 && this.target.isAmbiguous;
    const width = { width: beam, number: all ? beam : nBest, penalty: lengthPenalty };
    const texts = new Set();
    return beamSearch(this.network, state, first, rules, width)
      .map((each) => written(each, rules.step))
      .filter(({ ids }) => {
        const text = this.target.isAmbiguous ? this.target.decode(ids) : texts.size;
        return !texts.has(text) && texts.add(text);
      })
      .slice(0, nBest);
  }
}
